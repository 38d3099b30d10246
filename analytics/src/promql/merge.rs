//! The node that makes samples series-major: it merges sources that are each sorted by series and time, and yields one series after the
//! other, each sample once. Of two samples of one series at one time the younger source's wins.
//!
//! Whose rows a source yields is known before they are read, so no column of ids is. Sources are merged run by run, not row by row: a
//! series that rests in one source only is copied as it is.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Float64Array, Int64Array, MutableArrayData, RecordBatch, UInt32Array,
    make_array,
};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, TimestampNanosecondType};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt as _, stream};
use grid_model::TimeRange;
use grid_model::table::samples::{HISTOGRAM, START_TIME, TIME, VALUE};

/// The series, by rank among those chosen.
pub(super) const RANK: &str = "rank";
/// Rows of a batch, about: a series is never cut.
const ROWS: usize = 32 * 1024;

/// Rows of one series, next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Which series.
    pub rank: u32,
    /// How many.
    pub rows: u32,
}

/// A source: one partition with the columns of [`input_columns`], and whose rows these are; ranks ascend, times within them.
type Input = (Arc<dyn ExecutionPlan>, Arc<[Run]>);

/// See the module. Later inputs are younger.
#[derive(Debug, Clone)]
pub(super) struct SeriesMajorExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// For each input.
    runs: Vec<Arc<[Run]>>,
    /// Only samples of these times: runs are cut, no row is filtered.
    range: TimeRange,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// The columns of a source, in order: time, value, start time and histogram if wanted.
pub(super) fn input_columns(starts: bool, histograms: bool) -> Vec<&'static str> {
    let mut columns = vec![TIME, VALUE];
    columns.extend(starts.then_some(START_TIME));
    columns.extend(histograms.then_some(HISTOGRAM));
    columns
}

impl SeriesMajorExec {
    pub(super) fn new(inputs: Vec<Input>, range: TimeRange) -> Result<Self> {
        let Some((first, _)) = inputs.first() else { return internal_err!("no source to merge") };
        let below = first.schema();
        let mut fields = vec![
            Field::new(RANK, DataType::UInt32, false),
            Field::new(TIME, DataType::Int64, false),
            Field::new(VALUE, DataType::Float64, true),
        ];
        if below.index_of(START_TIME).is_ok() {
            fields.push(Field::new(START_TIME, DataType::Int64, false));
        }
        if let Ok(histogram) = below.field_with_name(HISTOGRAM) {
            fields.push(histogram.clone());
        }
        let schema = Arc::new(Schema::new(fields));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (inputs, runs) = inputs.into_iter().unzip();
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { inputs, runs, range, schema, properties: Arc::new(properties), metrics })
    }
}

impl DisplayAs for SeriesMajorExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: u64 = self.runs.iter().flat_map(|runs| runs.iter()).map(|run| u64::from(run.rows)).sum();
        write!(f, "GridSeriesMajorExec: sources={}, rows={rows}", self.inputs.len())
    }
}

impl ExecutionPlan for SeriesMajorExec {
    fn name(&self) -> &str {
        "GridSeriesMajorExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    #[allow(deprecated)]
    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; self.inputs.len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.len() != self.runs.len() {
            return internal_err!("GridSeriesMajorExec has {} sources", self.runs.len());
        }
        Ok(Arc::new(Self::new(children.into_iter().zip(self.runs.iter().cloned()).collect(), self.range)?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("GridSeriesMajorExec has one partition");
        }
        let sources = self
            .inputs
            .iter()
            .zip(&self.runs)
            .map(|(input, runs)| Ok(Source::new(input.execute(0, Arc::clone(&context))?, Arc::clone(runs))))
            .collect::<Result<Vec<_>>>()?;
        let rows = MetricBuilder::new(&self.metrics).counter("samples", partition);
        let merge = Merge {
            sources,
            range: self.range,
            out: Out::new(&self.schema),
            schema: Arc::clone(&self.schema),
            rows,
        };
        let batches =
            stream::try_unfold(
                merge,
                |mut merge| async move { Ok(merge.next_batch().await?.map(|batch| (batch, merge))) },
            );
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// One source and where it is read.
struct Source {
    stream: SendableRecordBatchStream,
    runs: Arc<[Run]>,
    /// The run that is read next.
    next: usize,
    batch: Option<Arc<Batch>>,
    at: usize,
}

/// A batch with its columns at hand.
struct Batch {
    times: arrow::buffer::ScalarBuffer<i64>,
    values: Float64Array,
    starts: Option<arrow::array::TimestampNanosecondArray>,
    histograms: Option<ArrayRef>,
}

impl Batch {
    fn of(batch: &RecordBatch) -> Result<Self> {
        let column = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| internal_datafusion_err!("samples without the column {name}"))
        };
        let wrong = || internal_datafusion_err!("samples with a column of another type");
        Ok(Self {
            times: column(TIME)?.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(wrong)?.values().clone(),
            values: column(VALUE)?.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?.clone(),
            starts: batch
                .column_by_name(START_TIME)
                .map(|c| c.as_primitive_opt::<TimestampNanosecondType>().cloned().ok_or_else(wrong))
                .transpose()?,
            histograms: batch.column_by_name(HISTOGRAM).cloned(),
        })
    }
}

/// Rows of a batch.
type Rows = (Arc<Batch>, usize, usize);

impl Source {
    fn new(stream: SendableRecordBatchStream, runs: Arc<[Run]>) -> Self {
        Self { stream, runs, next: 0, batch: None, at: 0 }
    }

    /// The series at which it stands.
    fn rank(&self) -> Option<u32> {
        self.runs.get(self.next).map(|run| run.rank)
    }

    /// Takes all rows of that series, and goes on to the next.
    async fn take(&mut self, out: &mut Vec<Rows>) -> Result<()> {
        let Some(run) = self.runs.get(self.next) else { return Ok(()) };
        let mut left = run.rows as usize;
        while left > 0 {
            let batch = match &self.batch {
                Some(batch) if self.at < batch.times.len() => batch,
                _ => {
                    let Some(next) = self.stream.next().await else {
                        return internal_err!("a source ended {left} rows before its time");
                    };
                    self.at = 0;
                    self.batch.insert(Arc::new(Batch::of(&next?)?))
                }
            };
            let end = batch.times.len().min(self.at + left);
            left -= end - self.at;
            if end > self.at {
                out.push((Arc::clone(batch), self.at, end));
            }
            self.at = end;
        }
        self.next += 1;
        Ok(())
    }
}

struct Merge {
    sources: Vec<Source>,
    range: TimeRange,
    out: Out,
    schema: SchemaRef,
    rows: Count,
}

impl Merge {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut rows = Vec::new();
        while self.out.ranks.len() < ROWS {
            let Some(rank) = self.sources.iter().filter_map(Source::rank).min() else { break };
            for source in self.sources.iter_mut().filter(|s| s.rank() == Some(rank)) {
                source.take(&mut rows).await?;
            }
            for (batch, start, end) in &mut rows {
                let times = &batch.times[*start..*end];
                // Mostly all rows are of the range.
                if times.last().is_some_and(|t| *t >= self.range.end.0) {
                    *end = *start + times.partition_point(|t| *t < self.range.end.0);
                }
                if times.first().is_some_and(|t| *t < self.range.start.0) {
                    *start += times.partition_point(|t| *t < self.range.start.0);
                }
            }
            rows.retain(|(_, start, end)| start < end);
            self.out.series(rank, &mut rows);
            rows.clear();
        }
        if self.out.ranks.is_empty() {
            return Ok(None);
        }
        let batch = self.out.finish(&self.schema)?;
        self.rows.add(batch.num_rows());
        Ok(Some(batch))
    }
}

/// Rows to come.
struct Out {
    ranks: Vec<u32>,
    times: Vec<i64>,
    values: Vec<f64>,
    valid: Vec<bool>,
    starts: Option<Vec<i64>>,
    /// Where each row's histogram is; empty while there is none.
    histograms: Option<Vec<(ArrayRef, usize, usize)>>,
}

impl Out {
    fn new(schema: &Schema) -> Self {
        Self {
            ranks: Vec::with_capacity(ROWS),
            times: Vec::with_capacity(ROWS),
            values: Vec::with_capacity(ROWS),
            valid: Vec::new(),
            starts: schema.index_of(START_TIME).is_ok().then(Vec::new),
            histograms: schema.index_of(HISTOGRAM).is_ok().then(Vec::new),
        }
    }

    /// Adds all rows of a series; those of younger sources come later.
    fn series(&mut self, rank: u32, rows: &mut [Rows]) {
        let apart = |rows: &[Rows]| rows.windows(2).all(|w| w[0].0.times[w[0].2 - 1] < w[1].0.times[w[1].1]);
        if !apart(rows) {
            // By time they may still be: a file of late samples is younger and lies before.
            let mut sorted = rows.to_vec();
            sorted.sort_by_key(|(batch, start, _)| batch.times[*start]);
            if !apart(&sorted) {
                return self.interleaved(rank, rows);
            }
            rows.clone_from_slice(&sorted);
        }
        for (batch, start, end) in rows {
            self.copy(rank, batch, *start, *end);
        }
    }

    /// Row by row: sources overlap.
    fn interleaved(&mut self, rank: u32, parts: &[Rows]) {
        let mut rows: Vec<(i64, usize, usize)> = Vec::new();
        for (n, (batch, start, end)) in parts.iter().enumerate() {
            rows.extend((*start..*end).map(|row| (batch.times[row], n, row)));
        }
        rows.sort_unstable();
        for (i, (time, n, row)) in rows.iter().enumerate() {
            // The last of equal times is of the youngest source.
            if rows.get(i + 1).is_none_or(|next| next.0 != *time) {
                self.copy(rank, &parts[*n].0, *row, *row + 1);
            }
        }
    }

    fn copy(&mut self, rank: u32, batch: &Batch, start: usize, end: usize) {
        let before = self.ranks.len();
        self.ranks.resize(before + end - start, rank);
        self.times.extend_from_slice(&batch.times[start..end]);
        self.values.extend_from_slice(&batch.values.values()[start..end]);
        if batch.values.null_count() > 0 {
            self.valid.resize(before, true);
            self.valid.extend((start..end).map(|row| batch.values.is_valid(row)));
        } else if !self.valid.is_empty() {
            self.valid.resize(before + end - start, true);
        }
        if let Some(starts) = &mut self.starts {
            let start_of = |row: usize| match &batch.starts {
                Some(all) if all.is_valid(row) => all.value(row),
                _ => 0,
            };
            starts.extend((start..end).map(start_of));
        }
        if let (Some(out), Some(histograms)) = (&mut self.histograms, &batch.histograms) {
            match out.last_mut() {
                Some((last, _, until)) if Arc::ptr_eq(last, histograms) && *until == start => *until = end,
                _ => out.push((Arc::clone(histograms), start, end)),
            }
        }
    }

    fn finish(&mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let rows = self.ranks.len();
        let valid = std::mem::take(&mut self.valid);
        let nulls = (!valid.is_empty()).then(|| valid.into());
        let take = |all: &mut Vec<i64>| std::mem::replace(all, Vec::with_capacity(ROWS));
        let ranks = std::mem::replace(&mut self.ranks, Vec::with_capacity(ROWS));
        let values = std::mem::replace(&mut self.values, Vec::with_capacity(ROWS));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(ranks)),
            Arc::new(Int64Array::from(take(&mut self.times))),
            Arc::new(Float64Array::try_new(values.into(), nulls)?),
        ];
        if let Some(starts) = &mut self.starts {
            columns.push(Arc::new(Int64Array::from(take(starts))));
        }
        if let Some(histograms) = &mut self.histograms {
            let parts = std::mem::take(histograms);
            let mut arrays: Vec<&ArrayRef> = Vec::new();
            let mut places = Vec::with_capacity(parts.len());
            for (array, start, end) in &parts {
                let at = arrays.iter().rposition(|a| Arc::ptr_eq(a, array)).unwrap_or_else(|| {
                    arrays.push(array);
                    arrays.len() - 1
                });
                places.push((at, *start, *end));
            }
            let data: Vec<_> = arrays.iter().map(|a| a.to_data()).collect();
            let mut out = MutableArrayData::new(data.iter().collect(), true, rows);
            for (at, start, end) in places {
                out.try_extend(at, start, end)?;
            }
            columns.push(make_array(out.freeze()));
        }
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}
