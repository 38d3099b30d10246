//! `samples`: every sample of every series, and the read of samples that `metrics."NAME"` stands on.
//!
//! Of two samples of one series at one time the later write wins, wherever both rest. Files whose time ranges touch no other
//! file's are read freely, in parallel; those that touch (and the buffer, if it touches any) are merged by key.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampNanosecondType, UInt64Type};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal, in_list};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use grid_model::table::samples::{self, METRIC, SERIES_ID, TIME, VALUE};
use grid_model::{SeriesId, Table, Timestamp};
use grid_store::FileEntry;

use super::dedup_exec::DedupExec;
use super::files::{ReadOptions, conform, keep_columns, memory, restrict, union};
use super::scan_exec::{ScanCounts, ScanExec};
use super::series_exec::{ById, SeriesExec, Source as From};
use super::{Source, prune};
use crate::function::is_stale::is_stale_udf;
use crate::limits::{BATCH_ROWS, SERIES_IN_PREDICATE_MAX};

/// Whether the value is Prometheus' stale marker.
pub(crate) const IS_STALE: &str = "is_stale";

/// The columns a user sees.
pub(crate) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let mut fields = Vec::new();
        for field in samples::schema().fields() {
            fields.push(Arc::clone(field));
            if field.name() == VALUE {
                fields.push(Arc::new(Field::new(IS_STALE, DataType::Boolean, true)));
            }
        }
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

/// See the module.
#[derive(Debug)]
pub(crate) struct SamplesTable {
    pub source: Arc<Source>,
}

#[async_trait]
impl TableProvider for SamplesTable {
    fn schema(&self) -> SchemaRef {
        schema()
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
        let schema = schema();
        let wanted: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let mut columns: Vec<&str> = Vec::new();
        for name in wanted.iter().map(|i| schema.field(*i).name().as_str()) {
            let needs = if name == IS_STALE { VALUE } else { name };
            if !columns.contains(&needs) {
                columns.push(needs);
            }
        }
        let mut counts = ScanCounts::default();
        let plan = self.source.scan_samples(state, &columns, filters, None, &mut counts)?;
        let below = plan.schema();
        let column = |name: &str| -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new_with_schema(name, &below)?)) };
        let mut exprs = Vec::with_capacity(wanted.len());
        for name in wanted.iter().map(|i| schema.field(*i).name().as_str()) {
            let expr = if name == IS_STALE {
                let config = Arc::new(state.config_options().clone());
                Arc::new(ScalarFunctionExpr::try_new(is_stale_udf(), vec![column(VALUE)?], &below, config)?)
            } else {
                column(name)?
            };
            exprs.push(ProjectionExpr { expr, alias: name.to_owned() });
        }
        let scan = ScanExec::new("samples", plan, counts);
        Ok(Arc::new(ProjectionExec::try_new(exprs, scan)?))
    }
}

/// Which series a read is about.
pub(crate) struct Choice<'a> {
    /// Their metric.
    pub metric: &'a str,
    /// Their ids, each with a row of label columns.
    pub series: Arc<ById<u32>>,
    /// How many series the metric has.
    pub of: usize,
}

impl Source {
    /// Samples with at least the given columns of [`samples::schema`], first and in that order, each key once. With a
    /// choice, mostly samples of its series: the caller drops the others, which come from files that need no merge.
    pub(crate) fn scan_samples(
        &self,
        state: &dyn Session,
        columns: &[&str],
        filters: &[Expr],
        choice: Option<&Choice<'_>>,
        counts: &mut ScanCounts,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let file_schema = samples::file_schema();
        let keys_only: Vec<Expr> = filters
            .iter()
            .filter(|f| f.column_refs().iter().all(|c| c.name == SERIES_ID || c.name == TIME))
            .cloned()
            .collect();
        let key_predicate = prune::predicate(state, &keys_only, &file_schema)?;
        let all = self.snapshot.files(Table::Samples);
        let files = prune::files(Table::Samples, all, self.range, key_predicate.as_ref(), Arc::clone(&file_schema))?;
        counts.files_considered = all.len();
        counts.files_pruned = all.len() - files.len();

        let buffered = Buffered::of(self.snapshot.buffered(Table::Samples), choice.map(|c| c.series.as_ref()));
        counts.buffered_rows = buffered.rows.len();
        let (free, merged) = clusters(files, buffered.times());
        counts.merges = merged.len();

        // The range needs the time, a merge needs both keys.
        let mut read: Vec<&str> = columns.to_vec();
        let all_times = self.range == grid_model::TimeRange::ALL;
        for (key, needed) in [(SERIES_ID, !merged.is_empty()), (TIME, !merged.is_empty() || !all_times)] {
            if needed && !read.contains(&key) {
                read.push(key);
            }
        }
        let index = |name: &str| file_schema.index_of(name);
        let read_at: Vec<usize> = read.iter().map(|c| index(c)).collect::<Result<_, _>>()?;
        let schema = Arc::new(file_schema.project(&read_at)?);
        let reader = Reader { source: self, state, choice, key_predicate };

        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !free.is_empty() {
            inputs.push(reader.free(free, &read_at)?);
        }
        let buffer_merges = merged.iter().any(|c| c.buffer);
        for cluster in merged {
            inputs.push(reader.merge(cluster, &buffered, &schema)?);
        }
        if !buffer_merges && !buffered.rows.is_empty() {
            let batches = if buffered.distinct_in_order {
                buffered.in_order(&schema)?
            } else {
                buffered.sorted(&schema, None)?
            };
            inputs.push(memory(batches, Arc::clone(&schema), state.config().target_partitions())?);
        }
        restrict(union(inputs, &schema)?, TIME, self.range)
    }
}

struct Reader<'a> {
    source: &'a Source,
    state: &'a dyn Session,
    choice: Option<&'a Choice<'a>>,
    key_predicate: Option<Arc<dyn PhysicalExpr>>,
}

impl Reader<'_> {
    /// Files that touch no other.
    fn free(&self, mut files: Vec<Arc<FileEntry>>, columns: &[usize]) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = samples::file_schema();
        files.sort_by_key(|f| Reverse(f.max_time));
        let groups = self.state.config().target_partitions().clamp(1, files.len().max(1));
        let mut spread: Vec<(u64, Vec<_>)> = vec![(0, Vec::new()); groups];
        for file in files {
            let lightest = (0..groups).min_by_key(|g| spread[*g].0).unwrap_or(0);
            spread[lightest].0 += file.bytes;
            spread[lightest].1.push(self.source.partitioned(Table::Samples, &schema, &file, false));
        }
        let groups = spread.into_iter().map(|(_, files)| FileGroup::new(files)).collect();
        let (predicate, late) = self.series_predicate(&schema)?;
        self.source.read_files(self.state, schema, groups, columns, ReadOptions { late, predicate, ordering: None })
    }

    /// What is known of the chosen series as a condition on file columns, and whether rows should be chosen by it while
    /// decoding.
    fn series_predicate(&self, schema: &Schema) -> Result<(Option<Arc<dyn PhysicalExpr>>, bool)> {
        let Some(choice) = self.choice else { return Ok((None, false)) };
        let column = |name: &str| -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new_with_schema(name, schema)?)) };
        let compare = |left: &Arc<dyn PhysicalExpr>, op, value| -> Arc<dyn PhysicalExpr> {
            Arc::new(BinaryExpr::new(Arc::clone(left), op, Arc::new(Literal::new(value))))
        };
        let and = |a, b| -> Arc<dyn PhysicalExpr> { Arc::new(BinaryExpr::new(a, Operator::And, b)) };
        let mut predicate = compare(&column(METRIC)?, Operator::Eq, ScalarValue::Utf8(Some(choice.metric.to_owned())));
        let id = |v: u64| ScalarValue::UInt64(Some(v));
        let few = choice.series.len() <= SERIES_IN_PREDICATE_MAX && choice.series.len() * 4 < choice.of;
        let ids = column(SERIES_ID)?;
        if let (Some(min), Some(max)) = (choice.series.keys().min(), choice.series.keys().max()) {
            predicate = and(predicate, compare(&ids, Operator::GtEq, id(*min)));
            predicate = and(predicate, compare(&ids, Operator::LtEq, id(*max)));
        }
        if few {
            let list = choice.series.keys().map(|k| Arc::new(Literal::new(id(*k))) as Arc<dyn PhysicalExpr>).collect();
            predicate = and(predicate, in_list(ids, list, &false, schema)?);
        }
        Ok((Some(predicate), few))
    }

    /// Files (and perhaps the buffer) whose samples may collide.
    fn merge(&self, cluster: Cluster, buffered: &Buffered<'_>, schema: &SchemaRef) -> Result<Arc<dyn ExecutionPlan>> {
        let file_schema = samples::file_schema();
        let mut names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        // Files are sorted by metric first. Within one metric series and time suffice.
        let keys: &[&'static str] = if self.choice.is_some() { &[SERIES_ID, TIME] } else { &[METRIC, SERIES_ID, TIME] };
        if self.choice.is_none() {
            names.push(METRIC);
        }
        let columns: Vec<usize> = names.iter().map(|n| file_schema.index_of(n)).collect::<Result<_, _>>()?;
        let merged = Arc::new(file_schema.project(&columns)?);
        let (series_predicate, _) = self.series_predicate(&file_schema)?;
        let predicate = match (series_predicate, self.key_predicate.clone()) {
            (Some(a), Some(b)) => Some(Arc::new(BinaryExpr::new(a, Operator::And, b)) as Arc<dyn PhysicalExpr>),
            (a, b) => a.or(b),
        };
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(cluster.files.len() + 1);
        for file in &cluster.files {
            let part = self.source.partitioned(Table::Samples, &file_schema, file, false);
            let options = ReadOptions { predicate: predicate.clone(), ..ReadOptions::default() };
            let groups = vec![FileGroup::new(vec![part])];
            let mut input = self.source.read_files(self.state, Arc::clone(&file_schema), groups, &columns, options)?;
            if let Some(choice) = self.choice {
                let id = merged.index_of(SERIES_ID)?;
                let pass = (0..columns.len()).map(From::Input).collect();
                input = Arc::new(SeriesExec::new(input, Arc::clone(&choice.series), id, None, pass, Arc::clone(&merged)));
            }
            inputs.push(input);
        }
        if cluster.buffer {
            let metric_of = |id: u64| self.source.snapshot.series().metric_of(SeriesId(id)).unwrap_or_else(|| Arc::from(""));
            let batches = buffered.sorted(&merged, self.choice.is_none().then_some(&metric_of))?;
            inputs.push(memory_in_order(batches, Arc::clone(&merged))?);
        }
        let dedup = Arc::new(DedupExec::try_new(inputs, keys)?);
        keep_columns(dedup, schema.fields().len())
    }
}

fn memory_in_order(batches: Vec<RecordBatch>, schema: SchemaRef) -> Result<Arc<dyn ExecutionPlan>> {
    memory(batches, schema, 1)
}

/// Files whose time ranges hang together, oldest write first.
struct Cluster {
    files: Vec<Arc<FileEntry>>,
    buffer: bool,
}

/// Splits files into those that touch no other time range and groups of those that do.
fn clusters(files: Vec<Arc<FileEntry>>, buffer: Option<(Timestamp, Timestamp)>) -> (Vec<Arc<FileEntry>>, Vec<Cluster>) {
    let mut spans: Vec<(Timestamp, Timestamp, Option<Arc<FileEntry>>)> =
        files.into_iter().map(|f| (f.min_time, f.max_time, Some(f))).collect();
    spans.extend(buffer.map(|(min, max)| (min, max, None)));
    spans.sort_by_key(|(min, max, _)| (*min, *max));
    let (mut free, mut merged) = (Vec::new(), Vec::new());
    let mut spans = spans.into_iter().peekable();
    while let Some((_, mut end, first)) = spans.next() {
        let mut members = vec![first];
        while let Some((_, max, member)) = spans.next_if(|(min, _, _)| *min <= end) {
            end = end.max(max);
            members.push(member);
        }
        let buffer = members.iter().any(Option::is_none);
        let mut files: Vec<_> = members.into_iter().flatten().collect();
        match (files.len(), buffer) {
            // The buffer alone is read as it is.
            (0, _) => {}
            (1, false) => free.append(&mut files),
            _ => {
                files.sort_by_key(|f| (f.max_seq, f.id));
                merged.push(Cluster { files, buffer });
            }
        }
    }
    (free, merged)
}

/// Rows of the buffer, chosen and known by key.
struct Buffered<'a> {
    batches: &'a [RecordBatch],
    /// Series, time, batch and row, in the order of writes.
    rows: Vec<(u64, i64, u32, u32)>,
    /// Whether no key occurs twice.
    distinct_in_order: bool,
}

impl<'a> Buffered<'a> {
    fn of(batches: &'a [RecordBatch], chosen: Option<&ById<u32>>) -> Self {
        let mut rows = Vec::new();
        let mut last: ById<i64> = ById::default();
        let mut distinct_in_order = true;
        for (b, batch) in batches.iter().enumerate() {
            let Some((ids, times)) = keys(batch) else { continue };
            for (row, (id, time)) in ids.iter().zip(times).enumerate() {
                if chosen.is_some_and(|c| !c.contains_key(id)) {
                    continue;
                }
                // Time moves on within each series, nearly always; then nothing can be there twice.
                let before = last.insert(*id, *time);
                distinct_in_order &= before.is_none_or(|t| t < *time);
                rows.push((*id, *time, b as u32, row as u32));
            }
        }
        Self { batches, rows, distinct_in_order }
    }

    fn times(&self) -> Option<(Timestamp, Timestamp)> {
        let times = || self.rows.iter().map(|r| r.1);
        Some((Timestamp(times().min()?), Timestamp(times().max()?)))
    }

    /// The rows as they were written.
    fn in_order(&self, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let total: usize = self.batches.iter().map(RecordBatch::num_rows).sum();
        if total == self.rows.len() {
            return self.batches.iter().map(|b| conform(b, schema)).collect();
        }
        let at: Vec<(usize, usize)> = self.rows.iter().map(|r| (r.2 as usize, r.3 as usize)).collect();
        self.gather(schema, &at, None)
    }

    /// The rows sorted by (metric,) series and time, of each key only the last written.
    fn sorted(&self, schema: &SchemaRef, metric_of: Option<&dyn Fn(u64) -> Arc<str>>) -> Result<Vec<RecordBatch>> {
        let mut metrics: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        let mut metric_by_id: ById<Arc<str>> = ById::default();
        if let Some(metric_of) = metric_of {
            for (id, ..) in &self.rows {
                metric_by_id.entry(*id).or_insert_with(|| metric_of(*id));
            }
            metrics = metric_by_id.values().map(|m| (Arc::clone(m), 0)).collect();
            for (n, rank) in metrics.values_mut().enumerate() {
                *rank = n as u32;
            }
        }
        let ranks: ById<u32> = metric_by_id.iter().map(|(id, m)| (*id, metrics.get(m).copied().unwrap_or(0))).collect();
        let mut keyed: Vec<(u32, u64, i64, u32, u32)> =
            self.rows.iter().map(|r| (ranks.get(&r.0).copied().unwrap_or(0), r.0, r.1, r.2, r.3)).collect();
        keyed.sort_unstable();
        let last_of_key = |i: &usize| keyed.get(i + 1).is_none_or(|next| (next.1, next.2) != (keyed[*i].1, keyed[*i].2));
        let kept: Vec<_> = (0..keyed.len()).filter(last_of_key).map(|i| keyed[i]).collect();
        let at: Vec<(usize, usize)> = kept.iter().map(|r| (r.3 as usize, r.4 as usize)).collect();
        let names = metric_of.map(|_| kept.iter().map(|r| metric_by_id.get(&r.1).map(|m| &**m)).collect::<StringArray>());
        self.gather(schema, &at, names)
    }

    fn gather(&self, schema: &SchemaRef, at: &[(usize, usize)], metric: Option<StringArray>) -> Result<Vec<RecordBatch>> {
        // The metric's name is not in the buffer; it is put in its place afterwards.
        let stored: Vec<usize> = (0..schema.fields().len()).filter(|i| schema.field(*i).name() != METRIC).collect();
        let stored_schema = Arc::new(schema.project(&stored)?);
        let sources = self.batches.iter().map(|b| conform(b, &stored_schema)).collect::<Result<Vec<_>>>()?;
        let mut out = Vec::with_capacity(at.len().div_ceil(BATCH_ROWS));
        for (n, chunk) in at.chunks(BATCH_ROWS).enumerate() {
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
            for field in schema.fields() {
                if field.name() == METRIC {
                    let names = metric.as_ref().ok_or_else(|| internal_datafusion_err!("the metric's name is not known"))?;
                    columns.push(Arc::new(names.slice(n * BATCH_ROWS, chunk.len())));
                    continue;
                }
                let column = stored_schema.index_of(field.name())?;
                let arrays: Vec<&dyn Array> = sources.iter().map(|b| b.column(column).as_ref()).collect();
                columns.push(interleave(&arrays, chunk)?);
            }
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(chunk.len()));
            out.push(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?);
        }
        Ok(out)
    }
}

fn keys(batch: &RecordBatch) -> Option<(&[u64], &[i64])> {
    let ids = batch.column_by_name(SERIES_ID)?.as_primitive_opt::<UInt64Type>()?;
    let times = batch.column_by_name(TIME)?.as_primitive_opt::<TimestampNanosecondType>()?;
    Some((ids.values(), times.values()))
}
