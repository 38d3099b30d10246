//! Clients repeat what they say about a metric (type, help, unit) with every request; only news is written.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, StringArray};
use grid_model::table::metadata::{self, MetadataRow};
use grid_model::time::HOUR_NS;
use grid_model::{Table, TenantId, Timestamp, Write};
use parking_lot::Mutex;

/// How many statements are remembered; beyond that all are forgotten, which costs no more than writing them once again.
const REMEMBERED_MAX: usize = 500_000;
/// A statement is written again after this time, so that retention cannot take the last one of a metric in use.
const REPEAT_NS: i64 = HOUR_NS;

/// Statements written lately, by hash, with their time.
#[derive(Debug, Default)]
pub(crate) struct MetadataSeen {
    written: Mutex<HashMap<u64, i64>>,
}

impl MetadataSeen {
    /// The write without statements that were written lately, and the hashes of those that are left.
    pub(crate) fn without_known(&self, tenant: &TenantId, now: Timestamp, mut write: Write) -> (Write, HashSet<u64>) {
        let mut fresh = HashSet::new();
        if !write.batches.iter().any(|(table, _)| *table == Table::Metadata) {
            return (write, fresh);
        }
        let batches = std::mem::take(&mut write.batches);
        for (table, batch) in batches {
            match rows(&batch).filter(|_| table == Table::Metadata) {
                Some(rows) => write.push(table, metadata::batch(now, &self.news(tenant, now, rows, &mut fresh))),
                None => write.push(table, batch),
            }
        }
        (write, fresh)
    }

    fn news(
        &self,
        tenant: &TenantId,
        now: Timestamp,
        rows: Vec<MetadataRow>,
        fresh: &mut HashSet<u64>,
    ) -> Vec<MetadataRow> {
        let written = self.written.lock();
        let mut news = Vec::new();
        for row in rows {
            let mut hasher = DefaultHasher::new();
            (tenant, &row).hash(&mut hasher);
            let hash = hasher.finish();
            let lately = written.get(&hash).is_some_and(|at| now.nanos().saturating_sub(*at) < REPEAT_NS);
            if !lately && fresh.insert(hash) {
                news.push(row);
            }
        }
        news
    }

    /// Remembers what is now durable.
    pub(crate) fn remember(&self, now: Timestamp, fresh: HashSet<u64>) {
        if fresh.is_empty() {
            return;
        }
        let mut written = self.written.lock();
        if written.len() + fresh.len() > REMEMBERED_MAX {
            written.clear();
        }
        written.extend(fresh.into_iter().take(REMEMBERED_MAX).map(|hash| (hash, now.nanos())));
    }
}

/// The rows of a batch of `metadata`; `None` if it is not one.
fn rows(batch: &RecordBatch) -> Option<Vec<MetadataRow>> {
    let column = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
    let text = |c: &StringArray, i: usize| if c.is_valid(i) { c.value(i).to_owned() } else { String::new() };
    let metric = column(metadata::METRIC)?;
    let kind = column(metadata::TYPE)?;
    let (help, unit) = (column(metadata::HELP)?, column(metadata::UNIT)?);
    let row =
        |i| MetadataRow { metric: text(metric, i), kind: text(kind, i), help: text(help, i), unit: text(unit, i) };
    Some((0..batch.num_rows()).map(row).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_statement_is_written_once_an_hour() {
        let seen = MetadataSeen::default();
        let (a, b) = (TenantId::parse("a").unwrap(), TenantId::parse("b").unwrap());
        let offer = |tenant: &TenantId, now: i64, help: &str| {
            let row = MetadataRow { metric: "m".into(), help: help.into(), ..MetadataRow::default() };
            let mut write = Write::default();
            write.push(Table::Metadata, metadata::batch(Timestamp(now), &[row]));
            let (write, fresh) = seen.without_known(tenant, Timestamp(now), write);
            seen.remember(Timestamp(now), fresh);
            write.rows()
        };
        assert_eq!(offer(&a, 0, "x"), 1);
        assert_eq!(offer(&a, 1, "x"), 0);
        assert_eq!(offer(&a, 2, "y"), 1);
        assert_eq!(offer(&b, 3, "x"), 1);
        assert_eq!(offer(&a, HOUR_NS + 4, "x"), 1);
    }
}
