//! `samples`: every sample of every series, and the read of samples that `metrics."NAME"` stands on.
//!
//! Of two samples of one series at one time the later write wins, wherever both rest. Only where time ranges of files (or of
//! the buffer) overlap can that happen; at those times rows are merged by key, at all others they are read freely, in
//! parallel.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter_record_batch, interleave};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampNanosecondType, UInt64Type};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal, in_list};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr, conjunction};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use grid_model::table::samples::{self, BASE, MANTISSA, METRIC, SCALE, SERIES_ID, TIME, VALUE};
use grid_model::{SeriesId, Table, Timestamp};
use grid_store::FileEntry;

use super::dedup_exec::DedupExec;
use super::files::{ReadOptions, conform, keep_columns, memory, restrict, union};
use super::overlap::{self, Cluster, Interval, Split};
use super::scan_exec::{ScanCounts, ScanExec};
use super::series_exec::{ById, SeriesExec, Source as From};
use super::{Source, prune};
use crate::function::at_times::{Side, at_times};
use crate::function::is_stale::is_stale_udf;
use crate::function::restore_value::restore_value_udf;
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
    /// Read no more than the neighbourhood of one metric; rows of others may be among the answer.
    pub metric: Option<&'static str>,
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
        let defs = self.metric.map(|m| self.source.snapshot.series().defs_of_metric(m)).unwrap_or_default();
        let series: Arc<ById<u32>> = Arc::new(defs.iter().zip(0..).map(|((id, _), row)| (id.0, row)).collect());
        let choice = self.metric.map(|metric| Choice { metric, of: series.len(), series });
        if choice.as_ref().is_some_and(|c| c.of == 0) {
            return union(Vec::new(), &Arc::new(schema.project(&wanted)?));
        }
        let plan = self.source.scan_samples(state, &columns, filters, choice.as_ref(), &mut counts)?;
        let below = plan.schema();
        let column =
            |name: &str| -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new_with_schema(name, &below)?)) };
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
        let scan = ScanExec::above("samples", plan, counts);
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
        counts.buffered_rows = buffered.rows;
        let Split { free, clusters: merged, partly, shared } = overlap::split(files, buffered.times);
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
        if !partly.is_empty() {
            inputs.push(reader.outside(partly, &shared, &read_at, &schema)?);
        }
        if !merged.is_empty() {
            inputs.push(reader.merge(&merged, &buffered, &schema)?);
        }
        let of_buffer: Vec<Interval> =
            merged.iter().filter(|c| c.buffer).flat_map(|c| c.intervals.iter().copied()).collect();
        let alone = buffered.outside(&of_buffer, &schema)?;
        if !alone.is_empty() {
            inputs.push(memory(alone, Arc::clone(&schema), state.config().target_partitions())?);
        }
        restrict(union(inputs, &schema)?, TIME, self.range)
    }
}

impl Source {
    /// The given columns of some rows of one file, sorted as it rests: by metric, series and time. Values are restored.
    pub(crate) fn read_sample_file(
        &self,
        state: &dyn Session,
        file: &FileEntry,
        columns: &[usize],
        access: ParquetAccessPlan,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let reader = Reader { source: self, state, choice: None, key_predicate: None };
        let part = self.partitioned(Table::Samples, &samples::file_schema(), file, false).with_extension(access);
        reader.read(vec![FileGroup::new(vec![part])], columns, ReadOptions::default())
    }
}

struct Reader<'a> {
    source: &'a Source,
    state: &'a dyn Session,
    choice: Option<&'a Choice<'a>>,
    key_predicate: Option<Arc<dyn PhysicalExpr>>,
}

impl Reader<'_> {
    /// Columns of files, with the values restored from the form in which compacted files keep them.
    fn read(&self, groups: Vec<FileGroup>, columns: &[usize], options: ReadOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = samples::file_schema();
        let value = schema.index_of(VALUE)?;
        if !columns.contains(&value) {
            return self.source.read_files(self.state, schema, groups, columns, options);
        }
        let mut stored = columns.to_vec();
        for name in [MANTISSA, BASE, SCALE] {
            stored.push(schema.index_of(name)?);
        }
        let plan = self.source.read_files(self.state, Arc::clone(&schema), groups, &stored, options)?;
        let below = plan.schema();
        let column =
            |name: &str| -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new_with_schema(name, &below)?)) };
        let mut exprs = Vec::with_capacity(columns.len());
        for at in columns {
            let name = schema.field(*at).name();
            let expr = if *at == value {
                let arguments = vec![column(VALUE)?, column(MANTISSA)?, column(BASE)?, column(SCALE)?];
                let config = Arc::new(self.state.config_options().clone());
                Arc::new(ScalarFunctionExpr::try_new(restore_value_udf(), arguments, &below, config)?)
            } else {
                column(name)?
            };
            exprs.push(ProjectionExpr { expr, alias: name.clone() });
        }
        Ok(Arc::new(ProjectionExec::try_new(exprs, plan)?))
    }

    /// Files of which no row is merged.
    fn free(&self, files: Vec<Arc<FileEntry>>, columns: &[usize]) -> Result<Arc<dyn ExecutionPlan>> {
        let (predicate, late) = self.series_predicate(&samples::file_schema())?;
        self.read(self.spread(files), columns, ReadOptions { late, predicate, ordering: None })
    }

    /// Files in as many groups as are read side by side.
    fn spread(&self, mut files: Vec<Arc<FileEntry>>) -> Vec<FileGroup> {
        let schema = samples::file_schema();
        files.sort_by_key(|f| Reverse(f.max_time));
        let groups = self.state.config().target_partitions().clamp(1, files.len().max(1));
        let mut spread: Vec<(u64, Vec<_>)> = vec![(0, Vec::new()); groups];
        for file in files {
            let lightest = (0..groups).min_by_key(|g| spread[*g].0).unwrap_or(0);
            spread[lightest].0 += file.bytes;
            spread[lightest].1.push(self.source.partitioned(Table::Samples, &schema, &file, false));
        }
        spread.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
    }

    /// What is known of the chosen series as a condition on file columns, and whether rows should be chosen by it while
    /// decoding.
    fn series_predicate(&self, schema: &Schema) -> Result<(Option<Arc<dyn PhysicalExpr>>, bool)> {
        let Some(choice) = self.choice else { return Ok((None, false)) };
        let column =
            |name: &str| -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new_with_schema(name, schema)?)) };
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

    /// The rows of files at times that no other source has.
    fn outside(
        &self,
        files: Vec<Arc<FileEntry>>,
        shared: &[Interval],
        columns: &[usize],
        schema: &SchemaRef,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = self.free(files, columns)?;
        Ok(Arc::new(FilterExec::try_new(self.at_times(schema, shared, Side::Outside)?, input)?))
    }

    fn at_times(&self, schema: &Schema, intervals: &[Interval], side: Side) -> Result<Arc<dyn PhysicalExpr>> {
        let config = Arc::new(self.state.config_options().clone());
        at_times(time_column(schema)?, schema, intervals, side, config)
    }

    /// Files (and perhaps the buffer) whose samples may collide, at the times at which they may.
    fn merge(
        &self,
        clusters: &[Cluster],
        buffered: &Buffered<'_>,
        schema: &SchemaRef,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let file_schema = samples::file_schema();
        let mut names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        // Files are sorted by metric first. Within one metric series and time suffice.
        let keys: &[&'static str] = if self.choice.is_some() { &[SERIES_ID, TIME] } else { &[METRIC, SERIES_ID, TIME] };
        if self.choice.is_none() {
            names.push(METRIC);
        }
        let columns: Vec<usize> = names.iter().map(|n| file_schema.index_of(n)).collect::<Result<_, _>>()?;
        let merged = Arc::new(file_schema.project(&columns)?);
        let sources = |cluster| self.sources(cluster, buffered, &columns, &merged);
        let merges = clusters.iter().map(sources).collect::<Result<Vec<_>>>()?;
        let dedup = Arc::new(DedupExec::try_new(merges, keys, self.state.config().target_partitions())?);
        keep_columns(dedup, schema.fields().len())
    }

    /// What one merge reads, oldest first.
    fn sources(
        &self,
        cluster: &Cluster,
        buffered: &Buffered<'_>,
        columns: &[usize],
        merged: &SchemaRef,
    ) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        let file_schema = samples::file_schema();
        let known = [self.series_predicate(&file_schema)?.0, self.key_predicate.clone()];
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(cluster.files.len() + 1);
        for member in &cluster.files {
            let mut all: Vec<_> = known.iter().flatten().cloned().collect();
            if !member.whole {
                // Statistics are compared with the first, rows with the second.
                all.push(overlap::hull(&time_column(&file_schema)?, &cluster.intervals)?);
                all.push(self.at_times(&file_schema, &cluster.intervals, Side::Inside)?);
            }
            let part = self.source.partitioned(Table::Samples, &file_schema, &member.file, false);
            let options = ReadOptions {
                // Few of the file's rows lie at those times: the others' values need no decoding.
                late: !member.whole,
                predicate: (!all.is_empty()).then(|| conjunction(all)),
                ordering: None,
            };
            let groups = vec![FileGroup::new(vec![part])];
            let mut input = self.read(groups, columns, options)?;
            if !member.whole {
                // The reader may leave a condition out; this one may not be.
                let condition = self.at_times(merged, &cluster.intervals, Side::Inside)?;
                input = Arc::new(FilterExec::try_new(condition, input)?);
            }
            if let Some(choice) = self.choice {
                let id = merged.index_of(SERIES_ID)?;
                let pass = (0..columns.len()).map(From::Input).collect();
                input =
                    Arc::new(SeriesExec::new(input, Arc::clone(&choice.series), id, None, pass, Arc::clone(merged)));
            }
            inputs.push(input);
        }
        if cluster.buffer {
            let index = self.source.snapshot.series();
            let metric_of = |id: u64| index.metric_of(SeriesId(id)).unwrap_or_else(|| Arc::from(""));
            let metric_of: Option<&dyn Fn(u64) -> Arc<str>> =
                if self.choice.is_none() { Some(&metric_of) } else { None };
            let batches = buffered.sorted(Some(&cluster.intervals), merged, metric_of)?;
            inputs.push(memory(batches, Arc::clone(merged), 1)?);
        }
        Ok(inputs)
    }
}

fn time_column(schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    Ok(Arc::new(Column::new_with_schema(TIME, schema)?))
}

/// Rows of the buffer, the chosen ones.
struct Buffered<'a> {
    batches: &'a [RecordBatch],
    /// Which rows of each batch are chosen; `None` if all are.
    chosen: Vec<Option<BooleanBuffer>>,
    /// How many.
    rows: usize,
    /// Their first and last time.
    times: Option<(Timestamp, Timestamp)>,
    /// Whether time moves on within each series, so that no key occurs twice.
    distinct: bool,
}

impl<'a> Buffered<'a> {
    fn of(batches: &'a [RecordBatch], only: Option<&ById<u32>>) -> Self {
        let mut this = Self { batches, chosen: Vec::new(), rows: 0, times: None, distinct: true };
        let mut last: ById<i64> = ById::default();
        for batch in batches {
            let Some((ids, times)) = keys(batch) else {
                this.chosen.push(Some(BooleanBuffer::new_unset(batch.num_rows())));
                continue;
            };
            let chosen = only.map(|only| BooleanBuffer::collect_bool(ids.len(), |row| only.contains_key(&ids[row])));
            for (row, (id, time)) in ids.iter().zip(times).enumerate() {
                if chosen.as_ref().is_some_and(|c| !c.value(row)) {
                    continue;
                }
                this.rows += 1;
                this.distinct &= last.insert(*id, *time).is_none_or(|before| before < *time);
                let (min, max) = this.times.get_or_insert((Timestamp(*time), Timestamp(*time)));
                (*min, *max) = ((*min).min(Timestamp(*time)), (*max).max(Timestamp(*time)));
            }
            this.chosen.push(chosen);
        }
        this
    }

    fn is_chosen(&self, batch: usize, row: usize) -> bool {
        self.chosen[batch].as_ref().is_none_or(|c| c.value(row))
    }

    /// The rows outside the intervals, each key once.
    fn outside(&self, intervals: &[Interval], schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
        if self.rows == 0 {
            return Ok(Vec::new());
        }
        if !self.distinct {
            return self.sorted(Some(&overlap::complement(intervals)), schema, None);
        }
        let mut out = Vec::with_capacity(self.batches.len());
        for (n, batch) in self.batches.iter().enumerate() {
            let Some((_, times)) = keys(batch) else { continue };
            let kept = if intervals.is_empty() && self.chosen[n].is_none() {
                conform(batch, schema)?
            } else {
                let keep = |row: usize| self.is_chosen(n, row) && !overlap::contains(intervals, times[row]);
                let mask = BooleanArray::new(BooleanBuffer::collect_bool(times.len(), keep), None);
                filter_record_batch(&conform(batch, schema)?, &mask)?
            };
            if kept.num_rows() > 0 {
                out.push(kept);
            }
        }
        Ok(out)
    }

    /// The rows within the intervals (all, if none are given) sorted by (metric,) series and time, of each key only the last
    /// written.
    fn sorted(
        &self,
        intervals: Option<&[Interval]>,
        schema: &SchemaRef,
        metric_of: Option<&dyn Fn(u64) -> Arc<str>>,
    ) -> Result<Vec<RecordBatch>> {
        let mut keyed: Vec<(u32, u64, i64, u32, u32)> = Vec::new();
        let mut metric_by_id: ById<Arc<str>> = ById::default();
        for (n, batch) in self.batches.iter().enumerate() {
            let Some((ids, times)) = keys(batch) else { continue };
            for (row, (id, time)) in ids.iter().zip(times).enumerate() {
                if self.is_chosen(n, row) && intervals.is_none_or(|i| overlap::contains(i, *time)) {
                    keyed.push((0, *id, *time, n as u32, row as u32));
                    if let Some(metric_of) = metric_of {
                        metric_by_id.entry(*id).or_insert_with(|| metric_of(*id));
                    }
                }
            }
        }
        if metric_of.is_some() {
            let names: BTreeSet<&Arc<str>> = metric_by_id.values().collect();
            let rank_of_name: BTreeMap<&Arc<str>, u32> = names.into_iter().zip(0..).collect();
            let ranks: ById<u32> = metric_by_id.iter().map(|(id, name)| (*id, rank_of_name[name])).collect();
            keyed.iter_mut().for_each(|row| row.0 = ranks[&row.1]);
        }
        keyed.sort_unstable();
        let last_of_key =
            |i: &usize| keyed.get(i + 1).is_none_or(|next| (next.1, next.2) != (keyed[*i].1, keyed[*i].2));
        let kept: Vec<_> = (0..keyed.len()).filter(last_of_key).map(|i| keyed[i]).collect();
        let at: Vec<(usize, usize)> = kept.iter().map(|r| (r.3 as usize, r.4 as usize)).collect();
        let names =
            metric_of.map(|_| kept.iter().map(|r| metric_by_id.get(&r.1).map(|m| &**m)).collect::<StringArray>());
        self.gather(schema, &at, names)
    }

    fn gather(
        &self,
        schema: &SchemaRef,
        at: &[(usize, usize)],
        metric: Option<StringArray>,
    ) -> Result<Vec<RecordBatch>> {
        // The metric's name is not in the buffer; it is put in its place afterwards.
        let stored: Vec<usize> = (0..schema.fields().len()).filter(|i| schema.field(*i).name() != METRIC).collect();
        let stored_schema = Arc::new(schema.project(&stored)?);
        let sources = self.batches.iter().map(|b| conform(b, &stored_schema)).collect::<Result<Vec<_>>>()?;
        let mut out = Vec::with_capacity(at.len().div_ceil(BATCH_ROWS));
        for (n, chunk) in at.chunks(BATCH_ROWS).enumerate() {
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
            for field in schema.fields() {
                if field.name() == METRIC {
                    let names =
                        metric.as_ref().ok_or_else(|| internal_datafusion_err!("the metric's name is not known"))?;
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
