//! Where in a file the rows of each series are. Files of samples are sorted by series, so the ids of a row group are a list of runs;
//! read once, it tells every later query which rows to decode, and spares it the columns that say so.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::datatypes::UInt64Type;
use datafusion::catalog::Session;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use futures::StreamExt as _;
use grid_model::Table;
use grid_model::table::samples::{self, SERIES_ID};
use grid_store::FileEntry;
use parking_lot::Mutex;
use parquet::file::metadata::ParquetMetaData;

use super::Source;
use super::files::ReadOptions;
use crate::limits::SERIES_ROWS_CACHE_BYTES;

/// The series of one row group in the order of its rows.
#[derive(Debug)]
pub(crate) struct SeriesRows {
    /// Each series once per run.
    pub ids: Vec<u64>,
    /// One past the last row of each run; the first begins at 0.
    pub ends: Vec<u32>,
}

impl SeriesRows {
    fn of(ids: impl Iterator<Item = u64>) -> Self {
        let mut this = Self { ids: Vec::new(), ends: Vec::new() };
        let mut rows = 0;
        for id in ids {
            rows += 1;
            match this.ends.last_mut() {
                Some(end) if this.ids.last() == Some(&id) => *end = rows,
                _ => {
                    this.ids.push(id);
                    this.ends.push(rows);
                }
            }
        }
        this.ids.shrink_to_fit();
        this.ends.shrink_to_fit();
        this
    }

    fn bytes(&self) -> usize {
        self.ids.len() * 12 + 160
    }
}

/// A file and a row group of it.
type Key = (Arc<str>, usize);

/// What was read of row groups, at most [`SERIES_ROWS_CACHE_BYTES`]: two generations, of which the older goes when the younger is full.
#[derive(Debug, Default)]
pub(crate) struct SeriesRowsCache(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Arc<SeriesRows>>,
    old: HashMap<Key, Arc<SeriesRows>>,
    young_bytes: usize,
}

impl SeriesRowsCache {
    fn get(&self, key: &Key) -> Option<Arc<SeriesRows>> {
        let mut all = self.0.lock();
        if let Some(rows) = all.young.get(key) {
            return Some(Arc::clone(rows));
        }
        let rows = all.old.remove(key)?;
        all.put(key.clone(), Arc::clone(&rows));
        Some(rows)
    }

    fn put(&self, key: Key, rows: Arc<SeriesRows>) {
        self.0.lock().put(key, rows);
    }
}

impl Generations {
    fn put(&mut self, key: Key, rows: Arc<SeriesRows>) {
        let bytes = rows.bytes() + key.0.len();
        if self.young_bytes + bytes > SERIES_ROWS_CACHE_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(key, rows).is_none() {
            self.young_bytes += bytes;
        }
    }
}

impl Source {
    /// The series of some row groups of a file of samples, in the order of `groups`, which ascend.
    pub(crate) async fn series_rows(
        &self,
        state: &dyn Session,
        file: &FileEntry,
        metadata: &ParquetMetaData,
        groups: &[usize],
    ) -> Result<Vec<Arc<SeriesRows>>> {
        let path: Arc<str> = Arc::from(file.path.as_str());
        let mut found: Vec<Option<Arc<SeriesRows>>> =
            groups.iter().map(|group| self.series_rows.get(&(Arc::clone(&path), *group))).collect();
        let missing: Vec<usize> = groups.iter().zip(&found).filter(|(_, f)| f.is_none()).map(|(g, _)| *g).collect();
        let mut read = self.read_series_rows(state, file, metadata, &missing).await?.into_iter();
        for (group, slot) in groups.iter().zip(&mut found) {
            if slot.is_none()
                && let Some(rows) = read.next()
            {
                self.series_rows.put((Arc::clone(&path), *group), Arc::clone(&rows));
                *slot = Some(rows);
            }
        }
        found.into_iter().map(|f| f.ok_or_else(|| internal_datafusion_err!("{path} lacks a row group"))).collect()
    }

    async fn read_series_rows(
        &self,
        state: &dyn Session,
        file: &FileEntry,
        metadata: &ParquetMetaData,
        groups: &[usize],
    ) -> Result<Vec<Arc<SeriesRows>>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let mut access = ParquetAccessPlan::new_none(metadata.num_row_groups());
        groups.iter().for_each(|group| access.scan(*group));
        let schema = samples::file_schema();
        let part = self.partitioned(Table::Samples, &schema, file, false).with_extension(access);
        let columns = [schema.index_of(SERIES_ID)?];
        let files = vec![FileGroup::new(vec![part])];
        let plan = self.read_files(state, schema, files, &columns, ReadOptions::default())?;
        let mut batches = plan.execute(0, state.task_ctx())?;
        let mut ids: Vec<u64> = Vec::new();
        let mut out = Vec::with_capacity(groups.len());
        let mut rows_of = groups.iter().map(|group| metadata.row_group(*group).num_rows() as usize);
        let mut wanted = rows_of.next();
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let Some(column) = batch.column(0).as_primitive_opt::<UInt64Type>() else {
                return internal_err!("{} has ids of another type", file.path);
            };
            ids.extend_from_slice(column.values());
            while let Some(rows) = wanted.filter(|rows| ids.len() >= *rows) {
                out.push(Arc::new(SeriesRows::of(ids.drain(..rows))));
                wanted = rows_of.next();
            }
        }
        if wanted.is_some() {
            return internal_err!("{} has fewer rows than its footer says", file.path);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_ids() {
        let rows = SeriesRows::of([7, 7, 7, 9, 8, 8].into_iter());
        assert_eq!((rows.ids.as_slice(), rows.ends.as_slice()), (&[7, 9, 8][..], &[3, 4, 6][..]));
        assert!(SeriesRows::of(std::iter::empty()).ids.is_empty());
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let cache = SeriesRowsCache::default();
        let of = |n: usize| Arc::new(SeriesRows::of((0..n as u64).map(|id| id * 2)));
        let key = |n: usize| (Arc::from("f"), n);
        let large = SERIES_ROWS_CACHE_BYTES / 12 / 8;
        cache.put(key(0), of(3));
        for n in 1..40 {
            cache.put(key(n), of(large));
            assert!(cache.get(&key(0)).is_some(), "{n}");
        }
        let all = cache.0.lock();
        let bytes: usize = all.young.values().chain(all.old.values()).map(|r| r.bytes()).sum();
        assert!(bytes <= SERIES_ROWS_CACHE_BYTES, "{bytes}");
    }
}
