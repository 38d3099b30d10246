//! A table whose rows rest in files and buffer as they are: logs, spans, exemplars, metadata.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, Statistics, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::parquet::{CachedParquetFileReaderFactory, ParquetRowSelection};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::{LexOrdering, PhysicalExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::union::UnionExec;
use grid_model::table::column::UTC;
use grid_model::table::logs;
use grid_model::{Table, TimeRange, Timestamp};
use grid_store::FileEntry;
use grid_store::text::Query;
use object_store::ObjectMeta;
use parquet::arrow::arrow_reader::RowSelection;

use super::scan_exec::{ScanCounts, ScanExec};
use super::{Source, prune};
use crate::limits::{SLICED_FILES_MAX, SLICED_ROWS_MIN};

/// A file is scanned instead of looked up if more than one row in this many matches its text index.
const TEXT_ROWS_SHARE: u64 = 4;

/// See the module.
#[derive(Debug)]
pub(crate) struct FilesTable {
    pub source: Arc<Source>,
    pub table: Table,
}

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        scan_schema(self.table)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = scan_schema(self.table);
        let columns = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        self.source.scan_rows(state, self.table, &columns, filters).await
    }
}

/// The schema in which a table is read: texts as views, which a scan cuts out of decoded pages without copying them, and by
/// which it groups twice as fast. `series`, whose rows are looked up by name, stays as it rests.
pub(crate) fn scan_schema(table: Table) -> SchemaRef {
    if table == Table::Series { table.schema() } else { retyped(&table.schema(), &DataType::Utf8, &DataType::Utf8View) }
}

/// A schema with one type of its columns replaced by another; what is nested stays.
pub(crate) fn retyped(schema: &Schema, from: &DataType, to: &DataType) -> SchemaRef {
    let retype = |field: &Arc<Field>| match field.data_type() == from {
        true => Arc::new(field.as_ref().clone().with_data_type(to.clone())),
        false => Arc::clone(field),
    };
    Arc::new(Schema::new_with_metadata(
        schema.fields().iter().map(retype).collect::<Fields>(),
        schema.metadata().clone(),
    ))
}

/// How files are read.
#[derive(Default)]
pub(crate) struct ReadOptions {
    /// Decode the columns of conditions first.
    pub late: bool,
    /// What prunes row groups and pages; rows that fail it may still come.
    pub predicate: Option<Arc<dyn PhysicalExpr>>,
    /// The order of rows within each group, if each group is one file.
    pub ordering: Option<LexOrdering>,
}

impl Source {
    /// Rows of a table from files and buffer, the given columns of its schema.
    pub(crate) async fn scan_rows(
        &self,
        state: &dyn Session,
        table: Table,
        columns: &[usize],
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = scan_schema(table);
        // The range is a condition like any other, and needs the time.
        let time = schema.index_of(table.time_column())?;
        let mut read = columns.to_vec();
        if self.range != TimeRange::ALL && !read.contains(&time) {
            read.push(time);
        }
        let predicate = prune::predicate(state, filters, &schema)?;
        let all = self.snapshot.files(table);
        let kept = prune::files(table, all, self.range, predicate.as_ref(), Arc::clone(&schema))?;
        let mut counts = ScanCounts { files_considered: all.len(), ..ScanCounts::default() };
        let selected = self.select_by_text(table, kept, filters, &mut counts).await?;
        counts.files_pruned = all.len() - selected.len();

        let projected = Arc::new(schema.project(&read)?);
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !selected.is_empty() {
            self.keep_page_indexes(state, &selected).await?;
            let exact = filters.is_empty() && self.range == TimeRange::ALL;
            let groups = self.spread(table, &schema, selected, state.config().target_partitions(), exact);
            let late = prune::late_materialisation(filters, &schema, &read, table.time_column());
            inputs.push(self.read_files(
                state,
                Arc::clone(&schema),
                groups,
                &read,
                ReadOptions { late, ..Default::default() },
            )?);
        }
        let batches = self.snapshot.buffered(table);
        counts.buffered_rows = batches.iter().map(RecordBatch::num_rows).sum();
        if counts.buffered_rows > 0 {
            let batches = batches.iter().map(|b| conform(b, &projected)).collect::<Result<Vec<_>>>()?;
            inputs.push(memory(batches, Arc::clone(&projected), state.config().target_partitions())?);
        }
        let plan = union(inputs, &projected)?;
        let plan = restrict(plan, table.time_column(), self.range)?;
        let plan = keep_columns(plan, columns.len())?;
        Ok(ScanExec::above(table.name(), plan, counts))
    }

    /// Asks the text indexes which rows can match the full-text conditions among `filters`.
    async fn select_by_text(
        &self,
        table: Table,
        files: Vec<Arc<FileEntry>>,
        filters: &[Expr],
        counts: &mut ScanCounts,
    ) -> Result<Vec<(Arc<FileEntry>, Option<RowSelection>)>> {
        let queries = if table == Table::Logs { body_queries(filters) } else { Vec::new() };
        let mut out = Vec::with_capacity(files.len());
        for file in files {
            let mut rows: Option<Vec<Range<u32>>> = None;
            for query in &queries {
                let Some(found) = self.text_rows(&file, query).await? else { continue };
                rows = Some(match rows {
                    None => found,
                    Some(before) => intersect(&before, &found),
                });
            }
            match rows {
                Some(rows) if rows.is_empty() => {}
                Some(rows) if count(&rows) < file.rows / TEXT_ROWS_SHARE => {
                    counts.files_text_indexed += 1;
                    let selection = selection_of(&rows, usize::try_from(file.rows).unwrap_or(usize::MAX));
                    out.push((file, Some(selection)));
                }
                _ => out.push((file, None)),
            }
        }
        Ok(out)
    }

    async fn text_rows(&self, file: &Arc<FileEntry>, query: &Query) -> Result<Option<Vec<Range<u32>>>> {
        if file.text_index.is_none() {
            return Ok(None);
        }
        let found = self.store.text_search(file, query).await;
        found.map_err(|e| datafusion::common::DataFusionError::External(Box::new(e)))
    }

    /// Spreads files over groups that are read in parallel, newest first: what is asked about most, and what
    /// `ORDER BY time DESC LIMIT` needs to see first.
    fn spread(
        &self,
        table: Table,
        schema: &Schema,
        mut files: Vec<(Arc<FileEntry>, Option<RowSelection>)>,
        groups: usize,
        exact: bool,
    ) -> Vec<FileGroup> {
        files.sort_by_key(|(f, _)| std::cmp::Reverse(f.max_time));
        let groups = groups.clamp(1, files.len().max(1));
        let mut spread: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); groups];
        for (file, selection) in files {
            let lightest = (0..groups).min_by_key(|g| spread[*g].0).unwrap_or(0);
            spread[lightest].0 += file.bytes;
            let mut part = self.partitioned(table, schema, &file, exact && selection.is_none());
            if let Some(selection) = selection {
                part = part.with_extension(ParquetRowSelection::new(selection));
            }
            spread[lightest].1.push(part);
        }
        spread.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
    }

    /// A file as DataFusion names it, with the time range that the catalog knows.
    pub(crate) fn partitioned(&self, table: Table, schema: &Schema, file: &FileEntry, exact: bool) -> PartitionedFile {
        let meta = self.object_meta(file);
        let mut statistics = Statistics::new_unknown(schema);
        let known = |rows: u64| usize::try_from(rows).map_or(Precision::Absent, Precision::Exact);
        statistics.num_rows = if exact { known(file.rows) } else { known(file.rows).to_inexact() };
        if let Ok(time) = schema.index_of(table.time_column()) {
            let bound = |t: Timestamp| {
                let value = Precision::Exact(ScalarValue::TimestampNanosecond(Some(t.0), Some(UTC.into())));
                if exact { value } else { value.to_inexact() }
            };
            statistics.column_statistics[time].min_value = bound(file.min_time);
            statistics.column_statistics[time].max_value = bound(file.max_time);
        }
        PartitionedFile::new_from_meta(meta).with_statistics(Arc::new(statistics))
    }

    /// The footer of a file, from memory if any query has read it before.
    pub(crate) async fn file_metadata(
        &self,
        state: &dyn Session,
        file: &FileEntry,
    ) -> Result<Arc<parquet::file::metadata::ParquetMetaData>> {
        let runtime = state.runtime_env();
        let store = runtime.object_store(&self.url)?;
        let meta = self.object_meta(file);
        let cache = runtime.cache_manager.get_file_metadata_cache();
        DFParquetMetadata::new(store.as_ref(), &meta).with_file_metadata_cache(Some(cache)).fetch_metadata().await
    }

    /// Reads the page indexes of the newest large files into memory, if they are not there: by them [`crate::newest`] finds the newest rows. Left to
    /// itself DataFusion reads a page index again for each query that needs one.
    async fn keep_page_indexes(
        &self,
        state: &dyn Session,
        files: &[(Arc<FileEntry>, Option<RowSelection>)],
    ) -> Result<()> {
        let mut large: Vec<_> =
            files.iter().map(|(file, _)| file).filter(|f| f.rows >= SLICED_ROWS_MIN as u64).collect();
        large.sort_by_key(|file| std::cmp::Reverse(file.max_time));
        for file in large.into_iter().take(SLICED_FILES_MAX) {
            self.file_metadata(state, file).await?;
        }
        Ok(())
    }

    fn object_meta(&self, file: &FileEntry) -> ObjectMeta {
        ObjectMeta {
            location: self.store.objects().object_path(&file.path),
            // Files never change, so any fixed time will do for the cache of their footers.
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.bytes,
            e_tag: None,
            version: None,
        }
    }

    /// Reads groups of Parquet files; `schema` is what files may hold, columns that one lacks are null.
    pub(crate) fn read_files(
        &self,
        state: &dyn Session,
        schema: SchemaRef,
        groups: Vec<FileGroup>,
        columns: &[usize],
        options: ReadOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let runtime = state.runtime_env();
        let store = runtime.object_store(&self.url)?;
        let cache = runtime.cache_manager.get_file_metadata_cache();
        let mut parquet = ParquetSource::new(schema)
            .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(store, cache)))
            .with_pushdown_filters(options.late);
        if let Some(predicate) = options.predicate {
            parquet = parquet.with_predicate(predicate);
        }
        let mut config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(parquet))
            .with_file_groups(groups)
            .with_projection_indices(Some(columns.to_vec()))?;
        if let Some(ordering) = options.ordering {
            config = config.with_output_ordering(vec![ordering]);
        }
        Ok(DataSourceExec::from_data_source(config.build()))
    }
}

/// The queries of `match(body, '...')` among conditions that must all hold.
fn body_queries(filters: &[Expr]) -> Vec<Query> {
    let mut out = Vec::new();
    for filter in filters {
        let _ = filter.apply(|e| {
            Ok(match e {
                Expr::BinaryExpr(b) if b.op == Operator::And => TreeNodeRecursion::Continue,
                Expr::ScalarFunction(f) if f.name() == "match" => {
                    if let [Expr::Column(column), Expr::Literal(text, _)] = f.args.as_slice()
                        && column.name == logs::BODY
                        && let Some(Some(text)) = text.try_as_str()
                    {
                        out.extend(Query::parse(text));
                    }
                    TreeNodeRecursion::Jump
                }
                _ => TreeNodeRecursion::Jump,
            })
        });
    }
    out
}

/// What two lists of ranges share, each ascending and apart.
fn intersect(a: &[Range<u32>], b: &[Range<u32>]) -> Vec<Range<u32>> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut out = Vec::new();
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        let both = x.start.max(y.start)..x.end.min(y.end);
        if x.end < y.end {
            a.next()
        } else {
            b.next()
        };
        if !both.is_empty() {
            out.push(both);
        }
    }
    out
}

/// Rows in ranges.
fn count(ranges: &[Range<u32>]) -> u64 {
    ranges.iter().map(|r| u64::from(r.end - r.start)).sum()
}

fn selection_of(ranges: &[Range<u32>], total: usize) -> RowSelection {
    RowSelection::from_consecutive_ranges(ranges.iter().map(|r| r.start as usize..r.end as usize), total)
}

/// A batch in a schema: columns by name, missing ones null, types equal but for details of nesting.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => Ok(cast(column, field.data_type())?),
        })
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// Batches in memory, spread over at most `partitions`.
pub(crate) fn memory(
    batches: Vec<RecordBatch>,
    schema: SchemaRef,
    partitions: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut parts: Vec<Vec<RecordBatch>> = vec![Vec::new(); partitions.clamp(1, batches.len().max(1))];
    let n = parts.len();
    for (i, batch) in batches.into_iter().enumerate() {
        parts[i % n].push(batch);
    }
    Ok(MemorySourceConfig::try_new_exec(&parts, schema, None)?)
}

/// All inputs, or nothing of the schema if there are none.
pub(crate) fn union(mut inputs: Vec<Arc<dyn ExecutionPlan>>, schema: &SchemaRef) -> Result<Arc<dyn ExecutionPlan>> {
    match inputs.len() {
        0 => Ok(Arc::new(EmptyExec::new(Arc::clone(schema)))),
        1 => inputs.pop().ok_or_else(|| internal_datafusion_err!("one input")),
        _ => UnionExec::try_new(inputs),
    }
}

/// Only rows whose time lies in the range.
pub(crate) fn restrict(plan: Arc<dyn ExecutionPlan>, time: &str, range: TimeRange) -> Result<Arc<dyn ExecutionPlan>> {
    if range == TimeRange::ALL {
        return Ok(plan);
    }
    let condition = range_condition(&plan.schema(), time, range)?;
    Ok(Arc::new(FilterExec::try_new(condition, plan)?))
}

fn range_condition(schema: &Schema, time: &str, range: TimeRange) -> Result<Arc<dyn PhysicalExpr>> {
    let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new_with_schema(time, schema)?);
    let compare = |op: Operator, t: Timestamp| -> Arc<dyn PhysicalExpr> {
        let bound = Literal::new(ScalarValue::TimestampNanosecond(Some(t.0), Some(UTC.into())));
        Arc::new(BinaryExpr::new(Arc::clone(&column), op, Arc::new(bound)))
    };
    // The last representable instant counts as inside.
    let before = if range.end == Timestamp::MAX { Operator::LtEq } else { Operator::Lt };
    Ok(Arc::new(BinaryExpr::new(compare(Operator::GtEq, range.start), Operator::And, compare(before, range.end))))
}

/// The first `n` columns.
pub(crate) fn keep_columns(plan: Arc<dyn ExecutionPlan>, n: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    if schema.fields().len() == n {
        return Ok(plan);
    }
    let columns =
        schema.fields().iter().take(n).enumerate().map(|(i, field)| ProjectionExpr {
            expr: Arc::new(Column::new(field.name(), i)),
            alias: field.name().clone(),
        });
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), plan)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_runs() {
        let selection = selection_of(&[0..2, 5..6, 9..10], 10);
        assert_eq!(selection.row_count(), 4);
        assert_eq!(selection.skipped_row_count(), 6);
        for (a, b, expected) in [
            (vec![1..4, 5..6, 9..12], vec![0..2, 3..10, 11..20], vec![1..2, 3..4, 5..6, 9..10, 11..12]),
            (vec![0..5, 8..9], vec![], vec![]),
            (vec![0..5, 6..8], vec![1..5, 7..9], vec![1..5, 7..8]),
        ] {
            assert_eq!(intersect(&a, &b), expected);
            assert_eq!(intersect(&b, &a), expected);
        }
    }
}
