//! Which series, labels and metrics a tenant has, without touching samples; and the reads that are no queries: raw series for
//! remote read, exemplars.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampNanosecondType, UInt64Type};
use futures::StreamExt as _;
use grid_model::labels::METRIC_NAME;
use grid_model::table::samples;
use grid_model::{Scope, SeriesId, Table, TenantId, TimeRange, Timestamp};
use grid_promql::Labels;
use grid_promql::plan::Plan;
use grid_promql::points::Grid;
use grid_promql::query::Options;
use grid_promql::samples::Samples;
use grid_promql_syntax::Matcher;
use grid_store::Snapshot;

use super::{PromqlError, choose, exec};
use crate::engine::{Engine, SqlRequest};
use crate::error::QueryError;

/// Which series are meant: all whose labels satisfy all matchers of at least one of the sets; all series if there are no sets.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Whose.
    pub tenant: TenantId,
    /// Sets of matchers (`match[]`).
    pub sets: Vec<Vec<Matcher>>,
    /// Milliseconds since 1970, both inclusive; series without samples between may be left out.
    pub range: (i64, i64),
    /// At most as many answers; 0 = no limit.
    pub limit: usize,
}

/// A list, and whether it was cut by the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// In order.
    pub items: Vec<T>,
    /// Whether there are more.
    pub truncated: bool,
}

/// What is known of a metric.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricMetadata {
    /// `counter`, `gauge`, `histogram`, `gaugehistogram`, `summary`, `info`, `stateset` or `unknown`.
    pub kind: String,
    /// Its description.
    pub help: String,
    /// Its unit.
    pub unit: String,
}

/// An exemplar.
#[derive(Debug, Clone)]
pub struct Exemplar {
    /// Its own labels (`trace_id` among them).
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// When, in milliseconds since 1970.
    pub time: i64,
}

/// A label or metric and how often it occurs.
pub type Counted = (String, u64);

/// How large the index of a tenant's series is; lists by size, largest first.
#[derive(Debug, Clone, Default)]
pub struct IndexStats {
    /// Series.
    pub series: u64,
    /// Pairs of label name and value.
    pub label_pairs: u64,
    /// First and last time of any sample, in milliseconds since 1970.
    pub times: Option<(i64, i64)>,
    /// Metrics by their number of series.
    pub series_by_metric: Vec<Counted>,
    /// Labels by their number of values.
    pub values_by_label: Vec<Counted>,
    /// Labels by the bytes of their values.
    pub bytes_by_label: Vec<Counted>,
    /// `label=value` pairs by their number of series.
    pub series_by_pair: Vec<Counted>,
}

impl Engine {
    /// The labels of the selected series, in order.
    pub async fn series(&self, selection: &Selection) -> Result<Listed<Labels>, PromqlError> {
        self.listed(selection, |found| {
            let mut all: BTreeSet<Labels> = BTreeSet::new();
            found(&mut |_, key| all.extend(Labels::of_series_key(key)));
            all
        })
        .await
    }

    /// The names of their labels, in order.
    pub async fn label_names(&self, selection: &Selection) -> Result<Listed<String>, PromqlError> {
        self.listed(selection, |found| {
            let mut all: BTreeSet<String> = BTreeSet::new();
            // Series of one metric mostly have the same names.
            let (mut names, mut last) = (Vec::new(), Vec::new());
            found(&mut |_, key| {
                Labels::names_of_key(key, &mut names);
                if names == last {
                    return;
                }
                std::mem::swap(&mut names, &mut last);
                for (name, _) in Labels::pairs_of_key(key) {
                    if !all.contains(name) {
                        all.insert(name.to_owned());
                    }
                }
            });
            all
        })
        .await
    }

    /// The values that a label has in them, in order.
    pub async fn label_values(&self, selection: &Selection, name: &str) -> Result<Listed<String>, PromqlError> {
        let name = name.to_owned();
        self.listed(selection, move |found| {
            let mut all: BTreeSet<String> = BTreeSet::new();
            // Series of one metric often say the same one after the other.
            let mut last = String::new();
            found(&mut |metric, key| {
                let value = if name == METRIC_NAME { metric } else { Labels::value_in_key(key, &name) };
                if !value.is_empty() && value != last {
                    value.clone_into(&mut last);
                    if !all.contains(value) {
                        all.insert(value.to_owned());
                    }
                }
            });
            all
        })
        .await
    }

    /// What clients said of metrics, by name; of each at most `per_metric` statements (0 = no limit).
    pub async fn metric_metadata(
        &self,
        tenant: &TenantId,
        metric: Option<&str>,
        metrics: usize,
        per_metric: usize,
    ) -> Result<BTreeMap<String, Vec<MetricMetadata>>, PromqlError> {
        let source = self.shared.source(&Scope::all(tenant.clone()));
        let failed = |e| PromqlError::from(QueryError::from_datafusion(&e));
        let facts = source.metric_facts().await.map_err(failed)?;
        let chosen = facts.iter().filter(|(name, _)| metric.is_none_or(|m| m == name.as_str()));
        let most = if metrics == 0 { usize::MAX } else { metrics };
        // One statement of each is kept: the last.
        let statement = |f: &crate::table::series::MetricFacts| MetricMetadata {
            kind: f.kind.clone(),
            help: f.help.clone().unwrap_or_default(),
            unit: f.unit.clone().unwrap_or_default(),
        };
        let _ = per_metric;
        Ok(chosen.take(most).map(|(name, f)| (name.clone(), vec![statement(f)])).collect())
    }

    /// The exemplars of the series that an expression's selectors choose, within milliseconds, both inclusive.
    pub async fn exemplars(
        &self,
        tenant: &TenantId,
        query: &str,
        range: (i64, i64),
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, PromqlError> {
        let settings = self.promql_settings();
        let expr = grid_promql_syntax::parse(query, &settings.features).map_err(PromqlError::Parse)?;
        let options = Options { lookback: settings.lookback, ..Options::default() };
        let plan = Plan::new(&expr, Grid { start: range.0, end: range.1, step: 1 }, &options)?;
        let index = self.shared.store.snapshot(tenant).series();
        let mut labels: BTreeMap<u64, Labels> = BTreeMap::new();
        for leaf in &plan.leaves {
            choose::for_each(&index, &leaf.matchers, |_, id, key| {
                if let Some(found) = Labels::of_series_key(key) {
                    labels.insert(id.0, found);
                }
            });
        }
        let statement = "SELECT series_id, time, value, trace_id, span_id, attributes FROM exemplars";
        let mut request = SqlRequest::new(tenant.clone(), statement);
        let ns = |ms: i64| Timestamp(ms.saturating_mul(1_000_000));
        request.scope.range = TimeRange { start: ns(range.0), end: ns(range.1.saturating_add(1)) };
        let mut found: BTreeMap<u64, Vec<Exemplar>> = BTreeMap::new();
        let mut rows = self.sql(request).await?.stream;
        while let Some(batch) = rows.next().await {
            exemplar_rows(&batch?, &labels, &mut found);
        }
        let mut by_labels: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        for (id, exemplars) in found {
            if let Some(of) = labels.get(&id) {
                by_labels.entry(of.clone()).or_default().extend(exemplars);
            }
        }
        by_labels.values_mut().for_each(|e| e.sort_by_key(|e| e.time));
        Ok(by_labels.into_iter().collect())
    }

    /// The samples of the selected series within the selection's range, by labels.
    pub async fn raw_series(&self, selection: &Selection) -> Result<Vec<(Labels, Samples)>, PromqlError> {
        exec::raw(Arc::clone(&self.shared), selection.clone()).await
    }

    /// How large the index of a tenant's series is; of each list the `top` largest.
    pub async fn index_stats(&self, tenant: &TenantId, top: usize) -> Result<IndexStats, PromqlError> {
        let snapshot = self.shared.store.snapshot(tenant);
        let times = times_of(&snapshot);
        let index = snapshot.series();
        let count = move || {
            let mut pairs: HashMap<(String, String), u64> = HashMap::new();
            for (metric, _) in index.metrics() {
                index.for_each_key_of(&metric, |_, key| {
                    for (name, value) in Labels::pairs_of_key(key) {
                        *pairs.entry((name.to_owned(), value.to_owned())).or_default() += 1;
                    }
                });
            }
            let mut values: HashMap<String, u64> = HashMap::new();
            let mut bytes: HashMap<String, u64> = HashMap::new();
            for (name, value) in pairs.keys() {
                *values.entry(name.clone()).or_default() += 1;
                *bytes.entry(name.clone()).or_default() += value.len() as u64;
            }
            let metrics = index.metrics().into_iter().map(|(name, n)| (name.to_string(), n as u64));
            IndexStats {
                series: index.len() as u64,
                label_pairs: pairs.len() as u64,
                times,
                series_by_metric: largest(metrics, top),
                values_by_label: largest(values, top),
                bytes_by_label: largest(bytes, top),
                series_by_pair: largest(pairs.into_iter().map(|((k, v), n)| (format!("{k}={v}"), n)), top),
            }
        };
        self.blocking(count).await
    }

    /// Runs what walks the index where it may take its time.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PromqlError> {
        let ended = || PromqlError::Engine(QueryError::Internal("the walk over the index ended unexpectedly".into()));
        let task = self.shared.runtime.spawn(async { tokio::task::spawn_blocking(work).await }).ok_or_else(ended)?;
        task.await.ok().and_then(Result::ok).ok_or_else(ended)
    }

    /// Walks the selected series and lists what `collect` keeps of them.
    async fn listed<T, F>(&self, selection: &Selection, collect: F) -> Result<Listed<T>, PromqlError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Fn(&mut dyn FnMut(&str, &[u8]))) -> BTreeSet<T> + Send + 'static,
    {
        let snapshot = self.shared.store.snapshot(&selection.tenant);
        let (from, to) = selection.range;
        let none = times_of(&snapshot).is_none_or(|(first, last)| last < from || first > to);
        if none {
            return Ok(Listed { items: Vec::new(), truncated: false });
        }
        let index = snapshot.series();
        let sets = if selection.sets.is_empty() { vec![Vec::new()] } else { selection.sets.clone() };
        let all = self
            .blocking(move || {
                collect(&|each| {
                    let mut seen: HashSet<SeriesId> = HashSet::new();
                    let one = sets.len() <= 1;
                    for set in &sets {
                        choose::for_each(&index, set, |metric, id, key| {
                            // A series that several sets select counts once.
                            if one || seen.insert(id) {
                                each(metric, key);
                            }
                        });
                    }
                })
            })
            .await?;
        let truncated = selection.limit > 0 && all.len() > selection.limit;
        let most = if selection.limit == 0 { usize::MAX } else { selection.limit };
        Ok(Listed { items: all.into_iter().take(most).collect(), truncated })
    }
}

/// First and last time of any sample, in milliseconds.
fn times_of(snapshot: &Snapshot) -> Option<(i64, i64)> {
    let ms = |t: Timestamp| t.0.div_euclid(1_000_000);
    let files = snapshot.files(Table::Samples).iter().filter(|f| f.rows > 0).map(|f| (ms(f.min_time), ms(f.max_time)));
    let buffered = snapshot.buffered(Table::Samples).iter().filter_map(|batch| {
        let times = batch.column_by_name(samples::TIME)?.as_primitive_opt::<TimestampNanosecondType>()?.values();
        Some((ms(Timestamp(*times.iter().min()?)), ms(Timestamp(*times.iter().max()?))))
    });
    files.chain(buffered).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

fn largest(all: impl IntoIterator<Item = Counted>, top: usize) -> Vec<Counted> {
    let mut all: Vec<Counted> = all.into_iter().collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(top);
    all
}

fn exemplar_rows(batch: &RecordBatch, known: &BTreeMap<u64, Labels>, out: &mut BTreeMap<u64, Vec<Exemplar>>) {
    let columns = (
        batch.column(0).as_primitive_opt::<UInt64Type>(),
        batch.column(1).as_primitive_opt::<TimestampNanosecondType>(),
        batch.column(2).as_primitive_opt::<Float64Type>(),
        batch.column(5).as_map_opt(),
    );
    let (Some(ids), Some(times), Some(values), Some(attributes)) = columns else { return };
    let text = |column: usize, row: usize| {
        let of = batch.column(column).as_string_opt::<i32>()?;
        of.is_valid(row).then(|| of.value(row).to_owned())
    };
    for row in 0..batch.num_rows() {
        if !known.contains_key(&ids.value(row)) || values.is_null(row) {
            continue;
        }
        let mut pairs: Vec<(String, String)> = Vec::new();
        pairs.extend(text(3, row).map(|id| ("trace_id".to_owned(), id)));
        pairs.extend(text(4, row).map(|id| ("span_id".to_owned(), id)));
        if attributes.is_valid(row) {
            let entries = attributes.value(row);
            let names = entries.column(0).as_string_opt::<i32>();
            let texts = entries.column(1).as_string_opt::<i32>();
            for i in 0..entries.len() {
                if let (Some(names), Some(texts)) = (names, texts) {
                    // Attributes rest as JSON; labels are plain text.
                    let plain = serde_json::from_str::<String>(texts.value(i));
                    pairs.push((names.value(i).to_owned(), plain.unwrap_or_else(|_| texts.value(i).to_owned())));
                }
            }
        }
        let labels = Labels::new(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let time = times.value(row).div_euclid(1_000_000);
        out.entry(ids.value(row)).or_default().push(Exemplar { labels, value: values.value(row), time });
    }
}
