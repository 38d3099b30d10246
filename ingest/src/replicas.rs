//! High-availability pairs: several Prometheus servers scrape the same targets and write the same series, told apart by a label. Of
//! each cluster one replica is taken; when it falls silent, another (as Mimir and Cortex do, `pkg/distributor/ha_tracker.go`).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{BooleanArray, UInt64Array};
use grid_decode::{Decoded, Limits, canonical_key};
use grid_model::series::label_pairs_of_key;
use grid_model::table::{exemplars, samples};
use grid_model::{SeriesId, Table, TenantId, Timestamp, Write};
use parking_lot::Mutex;

use crate::scrape::replaced;

/// How one of several replicas is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaOptions {
    /// The label that says of which cluster a replica is one.
    pub cluster_label: String,
    /// The label that tells replicas apart; it is not stored.
    pub replica_label: String,
    /// How long the chosen replica may be silent before another is chosen.
    pub failover: Duration,
    /// How many clusters of all tenants are followed; the series of further ones are stored as they come, replica label and all.
    pub clusters_max: usize,
}

impl Default for ReplicaOptions {
    fn default() -> Self {
        Self {
            cluster_label: "cluster".to_owned(),
            replica_label: "__replica__".to_owned(),
            failover: Duration::from_secs(30),
            clusters_max: 10_000,
        }
    }
}

/// Which replica of each cluster is taken.
#[derive(Debug)]
pub struct Replicas {
    options: ReplicaOptions,
    chosen: Mutex<HashMap<(TenantId, String), Chosen>>,
    dropped: AtomicU64,
    failovers: AtomicU64,
}

#[derive(Debug)]
struct Chosen {
    replica: String,
    /// When it was heard of last.
    heard: Timestamp,
}

/// What becomes of a series.
enum Verdict {
    /// It says no replica, or cannot be followed.
    AsItIs,
    /// It is written under this key.
    Renamed(Vec<u8>),
    /// Another replica writes it.
    Dropped,
}

impl Replicas {
    pub(crate) fn new(options: ReplicaOptions) -> Self {
        Self { options, chosen: Mutex::default(), dropped: AtomicU64::new(0), failovers: AtomicU64::new(0) }
    }

    /// Drops what replicas that were not chosen sent, and the replica label of what is left. Counts stay as they are: what another
    /// replica writes is written.
    pub(crate) fn choose(&self, tenant: &TenantId, now: Timestamp, limits: &Limits, decoded: &mut Decoded) {
        let mut known: HashMap<(String, String), Option<bool>> = HashMap::new();
        let mut verdicts = HashMap::new();
        for (id, key) in decoded.write.series.iter() {
            verdicts.insert(id, self.verdict(tenant, now, limits, key, &mut known));
        }
        if verdicts.values().all(|v| matches!(v, Verdict::AsItIs)) {
            return;
        }
        let mut write = Write::default();
        let mut ids: HashMap<u64, Option<SeriesId>> = HashMap::with_capacity(verdicts.len());
        for (id, key) in decoded.write.series.iter() {
            let new = match verdicts.get(&id) {
                Some(Verdict::Dropped) => None,
                Some(Verdict::Renamed(key)) => write.series.add_key(key),
                Some(Verdict::AsItIs) | None => write.series.add_key(key),
            };
            ids.insert(id.0, new);
        }
        for (table, batch) in std::mem::take(&mut decoded.write.batches) {
            let column = match table {
                Table::Samples => samples::SERIES_ID,
                Table::Exemplars => exemplars::SERIES_ID,
                _ => {
                    write.push(table, batch);
                    continue;
                }
            };
            let Some(old) = batch.column_by_name(column) else { continue };
            let new: Vec<Option<SeriesId>> =
                old.as_primitive::<UInt64Type>().values().iter().map(|id| ids.get(id).copied().flatten()).collect();
            let wanted: BooleanArray = new.iter().map(|id| Some(id.is_some())).collect();
            if table == Table::Samples {
                let dropped = wanted.len() - wanted.true_count();
                self.dropped.fetch_add(dropped as u64, Ordering::Relaxed);
            }
            let column_values: UInt64Array = new.iter().map(|id| Some(id.map_or(0, |id| id.0))).collect();
            match replaced(&batch, &[(column, Arc::new(column_values))], &wanted) {
                Ok(batch) => write.push(table, batch),
                Err(error) => tracing::error!(error, "rows of a replica could not be rewritten"),
            }
        }
        decoded.write = write;
    }

    fn verdict(
        &self,
        tenant: &TenantId,
        now: Timestamp,
        limits: &Limits,
        key: &[u8],
        known: &mut HashMap<(String, String), Option<bool>>,
    ) -> Verdict {
        let Some(pairs) = label_pairs_of_key(key) else { return Verdict::AsItIs };
        let value = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        let (Some(cluster), Some(replica)) = (value(&self.options.cluster_label), value(&self.options.replica_label))
        else {
            return Verdict::AsItIs;
        };
        let pair = (cluster.to_owned(), replica.to_owned());
        match *known.entry(pair).or_insert_with(|| self.is_chosen(tenant, cluster, replica, now)) {
            Some(true) => {}
            Some(false) => return Verdict::Dropped,
            None => return Verdict::AsItIs,
        }
        let rest = pairs.iter().copied().filter(|(name, _)| *name != self.options.replica_label);
        canonical_key(rest, limits).map_or(Verdict::AsItIs, Verdict::Renamed)
    }

    /// Whether this replica is the one that is taken, which it becomes if there is none or that one has been silent for too long.
    /// `None`: there are too many clusters to tell.
    fn is_chosen(&self, tenant: &TenantId, cluster: &str, replica: &str, now: Timestamp) -> Option<bool> {
        let mut chosen = self.chosen.lock();
        let failover = i64::try_from(self.options.failover.as_nanos()).unwrap_or(i64::MAX);
        let key = (tenant.clone(), cluster.to_owned());
        let full = chosen.len() >= self.options.clusters_max;
        if full && !chosen.contains_key(&key) {
            // Clusters that are silent make room; a silent one is chosen anew when it comes back.
            chosen.retain(|_, c| now.nanos().saturating_sub(c.heard.nanos()) <= failover);
            if chosen.len() >= self.options.clusters_max {
                return None;
            }
        }
        let current = chosen.entry(key).or_insert_with(|| Chosen { replica: replica.to_owned(), heard: now });
        if current.replica != replica {
            if now.nanos().saturating_sub(current.heard.nanos()) <= failover {
                return Some(false);
            }
            self.failovers.fetch_add(1, Ordering::Relaxed);
            tracing::info!(%tenant, cluster, from = current.replica, to = replica, "another replica is taken");
            replica.clone_into(&mut current.replica);
        }
        current.heard = current.heard.max(now);
        Some(true)
    }

    /// How many clusters are followed.
    pub fn clusters(&self) -> usize {
        self.chosen.lock().len()
    }

    /// Counters since the start: name, meaning, value.
    pub fn counters(&self) -> [(&'static str, &'static str, u64); 2] {
        [
            (
                "grid_ingest_replica_dropped_samples_total",
                "Samples of replicas that are not the chosen one.",
                self.dropped.load(Ordering::Relaxed),
            ),
            (
                "grid_ingest_replica_failovers_total",
                "Times another replica was chosen.",
                self.failovers.load(Ordering::Relaxed),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use grid_decode::DecodeContext;
    use grid_decode::exposition::{Format, decode};
    use grid_model::series::id_of_key;
    use grid_model::time::SECOND_NS;

    use super::*;

    const NOW: i64 = 1_767_225_600 * SECOND_NS;

    fn send(replicas: &Replicas, second: i64, text: &str) -> Vec<String> {
        let limits = Limits::default();
        let now = Timestamp(NOW + second * SECOND_NS);
        let ctx = DecodeContext { now, limits: &limits };
        let mut decoded = decode(text.as_bytes(), Format::Prometheus, &ctx).unwrap();
        let counts = decoded.counts;
        replicas.choose(&TenantId::default_tenant(), now, &limits, &mut decoded);
        assert_eq!(counts, decoded.counts);
        let mut ids = Vec::new();
        for (_, batch) in decoded.write.batches.iter().filter(|(t, _)| *t == Table::Samples) {
            ids.extend(
                batch.column_by_name(samples::SERIES_ID).unwrap().as_primitive::<UInt64Type>().values().to_vec(),
            );
        }
        let mut out = Vec::new();
        for (id, key) in decoded.write.series.iter() {
            assert_eq!(id_of_key(key), id);
            assert!(ids.contains(&id.0));
            let pairs = label_pairs_of_key(key).unwrap();
            out.push(pairs.iter().skip(1).map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","));
        }
        assert_eq!(out.len(), ids.len());
        out
    }

    #[test]
    fn one_replica_is_taken_until_it_falls_silent() {
        let options = ReplicaOptions { clusters_max: 2, ..ReplicaOptions::default() };
        let replicas = Replicas::new(options);
        let from =
            |cluster: &str, replica: &str| format!("m{{cluster=\"{cluster}\",__replica__=\"{replica}\",x=\"1\"}} 1\n");
        for (second, cluster, replica, taken) in [
            (0, "c1", "a", true),
            (1, "c1", "b", false),
            (30, "c1", "b", false),
            (31, "c1", "b", true),
            (32, "c1", "a", false),
            (32, "c2", "a", true),
            (60, "c1", "b", true),
            (90, "c1", "a", false),
            (91, "c1", "b", true),
        ] {
            let got = send(&replicas, second, &from(cluster, replica));
            let want = if taken { vec![format!("cluster={cluster},x=1")] } else { vec![] };
            let got: Vec<String> = got.iter().map(|g| g.trim_start_matches("m,").to_owned()).collect();
            assert_eq!(got, want, "{second} {cluster} {replica}");
        }
        let mixed = format!("{}m{{cluster=\"c1\"}} 1\nm{{__replica__=\"z\"}} 1\nplain 1\n", from("c1", "a"));
        assert_eq!(send(&replicas, 91, &mixed).len(), 3, "what says no cluster or no replica is taken as it is");
        assert_eq!(send(&replicas, 91, &from("c2", "q")).len(), 1);
        let full = send(&replicas, 92, &from("c3", "a"));
        assert_eq!(full, ["__replica__=a,cluster=c3,x=1"], "beyond the bound replicas stay apart");
        assert_eq!(replicas.clusters(), 2);
        assert_eq!(replicas.counters().map(|(_, _, n)| n), [5, 2]);
    }
}
