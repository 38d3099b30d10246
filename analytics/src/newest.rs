//! `ORDER BY time DESC LIMIT n` reads the newest pages first. Within a file rows lie by service, then by time, so that the newest are spread over it;
//! read from its beginning, the last page decides, and all others were decoded for nothing. This rule cuts each file into slices of pages by time:
//! a small one that holds the newest, then larger ones. Once `n` rows are found, the filter that they make rules out whole slices, which are
//! never read. Ascending orders likewise, from the oldest on.
//!
//! It only changes what is read first, never what is read: the slices of a file are all of its rows.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::DataSourceExec;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::parquet::metadata::CachedParquetMetaData;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource as _, ParquetSource,
};
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use object_store::path::Path;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use crate::limits::{SLICED_FILES_MAX, SLICED_ROWS_MIN};

/// Parts of a file's rows that its slices have, of [`PARTS`]; the last has the rest. Every slice that is read costs opening the file once more.
const SLICES: [usize; 6] = [1, 1, 2, 4, 4, 4];
const PARTS: usize = 32;

/// See the module.
#[derive(Debug)]
pub(crate) struct NewestFirst {
    /// Footers and page indexes that some query has read before. Nothing is read for this rule.
    pub footers: Arc<FileMetadataCache>,
}

impl PhysicalOptimizerRule for NewestFirst {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let rewrite = |node: Arc<dyn ExecutionPlan>| -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
            let Some(sort) = node.downcast_ref::<SortExec>() else { return Ok(Transformed::no(node)) };
            if sort.fetch().is_none() {
                return Ok(Transformed::no(node));
            }
            let descending = sort.expr().first().options.descending;
            let input = self.below(Arc::clone(sort.input()), descending)?;
            if !input.transformed {
                return Ok(Transformed::no(node));
            }
            let sort = replace_children_if_necessary(node, vec![input.data])?;
            Ok(Transformed::new(sort, true, TreeNodeRecursion::Jump))
        };
        Ok(plan.transform_down(rewrite)?.data)
    }

    fn name(&self) -> &str {
        "newest_first"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl NewestFirst {
    /// What a sort reads, through everything that hands rows on as they are.
    fn below(&self, input: Arc<dyn ExecutionPlan>, descending: bool) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
        input.transform_down(|node| {
            if let Some(source) = node.downcast_ref::<DataSourceExec>() {
                return Ok(match self.sliced(source, descending) {
                    Some(sliced) => Transformed::new(sliced, true, TreeNodeRecursion::Jump),
                    None => Transformed::new(node, false, TreeNodeRecursion::Jump),
                });
            }
            // A filter collects what passes until it has a batch. The sort must hear of the first rows at once to rule out others.
            if let Some(filter) = node.downcast_ref::<FilterExec>() {
                return Ok(Transformed::yes(Arc::new(filter.with_batch_size(1)?)));
            }
            let hands_on = matches!(
                node.name(),
                "GridScanExec"
                    | "ProjectionExec"
                    | "UnionExec"
                    | "CooperativeExec"
                    | "CoalescePartitionsExec"
                    | "RepartitionExec"
            );
            let next = if hands_on { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Jump };
            Ok(Transformed::new(node, false, next))
        })
    }

    /// A scan of files, newest slices first; `None` if it has nothing to gain.
    fn sliced(&self, scan: &DataSourceExec, descending: bool) -> Option<Arc<dyn ExecutionPlan>> {
        let (config, parquet) = scan.downcast_to_file_source::<ParquetSource>()?;
        // Files that are promised to come in an order stay as they are.
        if scan.properties().output_ordering().is_some() || !config.output_ordering.is_empty() {
            return None;
        }
        let key = sort_key(&parquet.filter()?)?;
        let column =
            config.file_schema().index_of(&key).ok().filter(|i| !config.file_schema().field(*i).is_nullable())?;
        let files = whole_files(config)?;
        let known: Option<Vec<Slice>> = files.iter().map(|file| Slice::whole(file, column)).collect();
        let mut slices = known?;
        sort(&mut slices, descending);
        let rest = slices.split_off(slices.len().min(SLICED_FILES_MAX));
        let mut slices: Vec<Slice> =
            slices.into_iter().flat_map(|file| self.cut(file, &key, column, descending)).collect();
        sort(&mut slices, descending);
        slices.extend(rest);
        Some(DataSourceExec::from_data_source(with_files(config, slices.into_iter().map(|s| s.file).collect())))
    }

    /// A file in slices, or whole if it is small or its footer not at hand.
    fn cut(&self, whole: Slice, key: &str, column: usize, descending: bool) -> Vec<Slice> {
        match self.pages(&whole.file, key) {
            Some(mut pages) => {
                pages.sort_by_key(|p| if descending { -i128::from(p.max) } else { i128::from(p.min) });
                let total = pages.iter().map(|p| p.rows.len()).sum();
                shares(&pages, total).into_iter().map(|pages| whole.part(pages, total, column)).collect()
            }
            None => vec![whole],
        }
    }

    fn pages(&self, file: &PartitionedFile, key: &str) -> Option<Vec<Page>> {
        if file.extension::<ParquetRowSelection>().is_some() {
            return None;
        }
        let cached = self.footers.get(&file.object_meta.location)?;
        let footer = cached.file_metadata.as_any().downcast_ref::<CachedParquetMetaData>()?.parquet_metadata();
        let rows = usize::try_from(footer.file_metadata().num_rows()).ok()?;
        (rows >= SLICED_ROWS_MIN).then(|| pages_of(footer, key))?
    }
}

/// The column that the filter of a sort with a limit compares first.
fn sort_key(predicate: &Arc<dyn PhysicalExpr>) -> Option<String> {
    let mut key = None;
    let _ = predicate.apply(|expr| {
        if let Some(filter) = expr.downcast_ref::<DynamicFilterPhysicalExpr>() {
            key = filter.children().first().and_then(|c| c.downcast_ref::<Column>()).map(|c| c.name().to_owned());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    key
}

/// The files of a scan. What was cut by bytes, to read one file in several threads, is put together again; `None` if a part of one is not read.
fn whole_files(config: &FileScanConfig) -> Option<Vec<PartitionedFile>> {
    let mut files: Vec<(u64, PartitionedFile)> = Vec::new();
    let mut places: HashMap<Path, usize> = HashMap::new();
    for part in config.file_groups.iter().flat_map(FileGroup::iter) {
        let size = part.object_meta.size;
        let bytes = part.range.as_ref().map_or(Some(size), |r| u64::try_from(r.end - r.start).ok())?;
        let place = *places.entry(part.object_meta.location.clone()).or_insert_with(|| {
            let mut file = part.clone();
            file.range = None;
            files.push((0, file));
            files.len() - 1
        });
        files[place].0 += bytes;
    }
    files.into_iter().map(|(read, file)| (read == file.object_meta.size).then_some(file)).collect()
}

/// The same scan of other files, in as many groups, which take them from one queue.
fn with_files(config: &FileScanConfig, files: Vec<PartitionedFile>) -> FileScanConfig {
    let groups = config.file_groups.len().max(1);
    let per_group = files.len().div_ceil(groups).max(1);
    let mut chunks: Vec<FileGroup> = files.chunks(per_group).map(|files| FileGroup::new(files.to_vec())).collect();
    chunks.resize_with(groups, || FileGroup::new(Vec::new()));
    FileScanConfigBuilder::from(config.clone()).with_file_groups(chunks).build()
}

/// Rows of a file within one page of the column that is sorted by, and its least and greatest value there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Page {
    rows: Range<usize>,
    min: i64,
    max: i64,
}

/// The pages of a column of 64-bit integers (instants are); `None` if there is no index of them.
fn pages_of(footer: &ParquetMetaData, key: &str) -> Option<Vec<Page>> {
    let schema = footer.file_metadata().schema_descr();
    let leaf = schema.columns().iter().position(|c| c.path().parts() == [key])?;
    let (values, places) = (footer.column_index()?, footer.offset_index()?);
    let mut out = Vec::new();
    let mut start = 0;
    for (n, group) in footer.row_groups().iter().enumerate() {
        let end = start + usize::try_from(group.num_rows()).ok()?;
        let ColumnIndexMetaData::INT64(index) = values.get(n)?.get(leaf)? else { return None };
        let places = places.get(n)?.get(leaf)?.page_locations();
        for (page, place) in places.iter().enumerate() {
            let next =
                places.get(page + 1).map_or(Some(end), |p| Some(start + usize::try_from(p.first_row_index).ok()?))?;
            let rows = start + usize::try_from(place.first_row_index).ok()?..next;
            out.push(Page { rows, min: *index.min_value(page)?, max: *index.max_value(page)? });
        }
        start = end;
    }
    Some(out)
}

/// Pages in their order, in runs of the shares of rows that slices have.
fn shares(pages: &[Page], total: usize) -> Vec<&[Page]> {
    let mut out = Vec::with_capacity(SLICES.len() + 1);
    let mut rest = pages;
    for parts in SLICES {
        let (mut rows, mut n) = (0, 0);
        while n < rest.len() && rows * PARTS < total * parts {
            rows += rest[n].rows.len();
            n += 1;
        }
        let (slice, later) = rest.split_at(n);
        out.push(slice);
        rest = later;
    }
    out.push(rest);
    out.retain(|slice| !slice.is_empty());
    out
}

/// A file or some of its rows, and between which instants they lie.
struct Slice {
    file: PartitionedFile,
    min: i64,
    max: i64,
}

fn sort(slices: &mut [Slice], descending: bool) {
    slices.sort_by_key(|s| if descending { -i128::from(s.max) } else { i128::from(s.min) });
}

impl Slice {
    /// A file as it is; `None` if its times are not known.
    fn whole(file: &PartitionedFile, column: usize) -> Option<Self> {
        let known = file.statistics.as_ref()?.column_statistics.get(column)?;
        let instant = |bound: &Precision<ScalarValue>| match bound.get_value()? {
            ScalarValue::TimestampNanosecond(t, _) => *t,
            _ => None,
        };
        let (min, max) = (instant(&known.min_value)?, instant(&known.max_value)?);
        Some(Self { file: file.clone(), min, max }.between(column))
    }

    /// Some pages of it, out of `total` rows.
    fn part(&self, pages: &[Page], total: usize, column: usize) -> Self {
        let mut ranges: Vec<Range<usize>> = pages.iter().map(|p| p.rows.clone()).collect();
        ranges.sort_by_key(|r| r.start);
        let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), total);
        let min = pages.iter().map(|p| p.min).min().unwrap_or(self.min);
        let max = pages.iter().map(|p| p.max).max().unwrap_or(self.max);
        let file = self.file.clone().with_extension(ParquetRowSelection::new(selection));
        Self { file, min, max }.between(column)
    }

    /// Says in the file's statistics between which instants its rows lie: by this a filter that is made while the query runs rules it out.
    /// It only looks at what is called exact, which these bounds are, and nothing else looks at them any more: this rule is the last.
    fn between(mut self, column: usize) -> Self {
        if let Some(statistics) = &mut self.file.statistics {
            let statistics = Arc::make_mut(statistics);
            statistics.num_rows = statistics.num_rows.to_inexact();
            if let Some(known) = statistics.column_statistics.get_mut(column) {
                let exact = |bound: &Precision<ScalarValue>, t: i64| match bound.get_value() {
                    Some(ScalarValue::TimestampNanosecond(_, zone)) => {
                        Precision::Exact(ScalarValue::TimestampNanosecond(Some(t), zone.clone()))
                    }
                    _ => Precision::Absent,
                };
                known.min_value = exact(&known.min_value, self.min);
                known.max_value = exact(&known.max_value, self.max);
                // Times are never null; a sort's filter lets null pass.
                known.null_count = Precision::Exact(0);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(start: usize, rows: usize) -> Page {
        let at = i64::try_from(start).unwrap();
        Page { rows: start..start + rows, min: at, max: at }
    }

    #[test]
    fn slices_are_all_rows_and_grow() {
        for (pages, expected) in
            [(64, vec![2, 2, 4, 8, 8, 8, 32]), (9, vec![1, 1, 1, 2, 2, 2]), (3, vec![1, 1, 1]), (1, vec![1])]
        {
            let pages: Vec<Page> = (0..pages).map(|n| page(n * 10, 10)).collect();
            let cut = shares(&pages, pages.len() * 10);
            assert_eq!(cut.iter().map(|s| s.len()).collect::<Vec<_>>(), expected);
            assert_eq!(cut.concat(), pages);
        }
    }
}
