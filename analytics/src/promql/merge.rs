//! The node that makes samples series-major: it merges sources that are each sorted by series and time, and yields one chosen series after
//! the other, each sample once. Of two samples of one series at one time the younger source's wins.
//!
//! Sources are merged run by run, not row by row: a series that rests in one source only is copied as it is.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Float64Array, Int64Array, MutableArrayData, RecordBatch, UInt32Array,
    make_array,
};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, TimestampNanosecondType, UInt64Type};
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
use grid_model::table::samples::{HISTOGRAM, SERIES_ID, START_TIME, TIME, VALUE};

use crate::table::series_exec::ById;

/// The series, by rank among those chosen.
pub(super) const RANK: &str = "rank";
/// Rows of a batch, about: a series is never cut.
const ROWS: usize = 32 * 1024;

/// See the module. Each source has one partition with the columns of [`input_columns`], sorted by rank and time; later ones are younger.
#[derive(Debug, Clone)]
pub(super) struct SeriesMajorExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    ranks: Arc<ById<u32>>,
    /// Ranks from, and before which.
    within: (u32, u32),
    /// Only samples of these times: runs are cut, no row is filtered.
    range: TimeRange,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// The columns of a source, in order: series, time, value, start time and histogram if wanted.
pub(super) fn input_columns(starts: bool, histograms: bool) -> Vec<&'static str> {
    let mut columns = vec![SERIES_ID, TIME, VALUE];
    columns.extend(starts.then_some(START_TIME));
    columns.extend(histograms.then_some(HISTOGRAM));
    columns
}

impl SeriesMajorExec {
    pub(super) fn new(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        ranks: Arc<ById<u32>>,
        within: (u32, u32),
        range: TimeRange,
    ) -> Result<Self> {
        let Some(first) = inputs.first() else { return internal_err!("no source to merge") };
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
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { inputs, ranks, within, range, schema, properties: Arc::new(properties), metrics })
    }
}

impl DisplayAs for SeriesMajorExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GridSeriesMajorExec: sources={}, series={}", self.inputs.len(), self.within.1 - self.within.0)
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
        Ok(Arc::new(Self::new(children, Arc::clone(&self.ranks), self.within, self.range)?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("GridSeriesMajorExec has one partition");
        }
        let sources = self
            .inputs
            .iter()
            .map(|input| Ok(Source::new(input.execute(0, Arc::clone(&context))?)))
            .collect::<Result<Vec<_>>>()?;
        let rows = MetricBuilder::new(&self.metrics).counter("samples", partition);
        let merge = Merge {
            sources,
            ranks: Arc::clone(&self.ranks),
            within: self.within,
            range: self.range,
            out: Out::new(&self.schema),
            schema: Arc::clone(&self.schema),
            started: false,
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
    batch: Option<Batch>,
    at: usize,
    /// Rank of the row at `at`.
    rank: Option<u32>,
}

/// A batch with its columns at hand.
#[derive(Clone)]
struct Batch {
    ids: arrow::buffer::ScalarBuffer<u64>,
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
            ids: column(SERIES_ID)?.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?.values().clone(),
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

impl Source {
    fn new(stream: SendableRecordBatchStream) -> Self {
        Self { stream, batch: None, at: 0, rank: None }
    }

    /// Goes to the next row of a chosen series.
    async fn seek(&mut self, ranks: &ById<u32>, within: (u32, u32)) -> Result<()> {
        loop {
            let Some(batch) = &self.batch else {
                match self.stream.next().await {
                    None => {
                        self.rank = None;
                        return Ok(());
                    }
                    Some(next) => {
                        let next = next?;
                        if next.num_rows() > 0 {
                            self.batch = Some(Batch::of(&next)?);
                            self.at = 0;
                        }
                    }
                }
                continue;
            };
            while let Some(id) = batch.ids.get(self.at) {
                if let Some(rank) = ranks.get(id).filter(|r| (within.0..within.1).contains(*r)) {
                    self.rank = Some(*rank);
                    return Ok(());
                }
                self.at = run_end(&batch.ids, self.at);
            }
            self.batch = None;
        }
    }

    /// Takes all rows of the series at which it stands, and goes on to the next.
    async fn take(
        &mut self,
        ranks: &ById<u32>,
        within: (u32, u32),
        out: &mut Vec<(Batch, usize, usize)>,
    ) -> Result<()> {
        let Some(rank) = self.rank else { return Ok(()) };
        while self.rank == Some(rank) {
            let Some(batch) = &self.batch else { break };
            let end = run_end(&batch.ids, self.at);
            out.push((batch.clone(), self.at, end));
            self.at = end;
            self.seek(ranks, within).await?;
        }
        Ok(())
    }
}

/// One past the last row of the run that begins at `start`: doubling steps, then halving.
fn run_end(ids: &[u64], start: usize) -> usize {
    let id = ids[start];
    let (mut low, mut step) = (start, 1);
    while low + step < ids.len() && ids[low + step] == id {
        low += step;
        step *= 2;
    }
    let high = (low + step).min(ids.len());
    low + 1 + ids[low + 1..high].partition_point(|other| *other == id)
}

struct Merge {
    sources: Vec<Source>,
    ranks: Arc<ById<u32>>,
    within: (u32, u32),
    range: TimeRange,
    out: Out,
    schema: SchemaRef,
    started: bool,
    rows: Count,
}

impl Merge {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        if !self.started {
            for source in &mut self.sources {
                source.seek(&self.ranks, self.within).await?;
            }
            self.started = true;
        }
        while self.out.ranks.len() < ROWS {
            let Some(rank) = self.sources.iter().filter_map(|s| s.rank).min() else { break };
            let mut runs = Vec::new();
            for source in self.sources.iter_mut().filter(|s| s.rank == Some(rank)) {
                source.take(&self.ranks, self.within, &mut runs).await?;
            }
            for (batch, start, end) in &mut runs {
                let times = &batch.times[*start..*end];
                *end = *start + times.partition_point(|t| *t < self.range.end.0);
                *start += times.partition_point(|t| *t < self.range.start.0);
            }
            runs.retain(|(_, start, end)| start < end);
            self.out.series(rank, runs);
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

    /// Adds all rows of a series; runs of younger sources come later.
    fn series(&mut self, rank: u32, mut runs: Vec<(Batch, usize, usize)>) {
        let apart =
            |runs: &[(Batch, usize, usize)]| runs.windows(2).all(|w| w[0].0.times[w[0].2 - 1] < w[1].0.times[w[1].1]);
        if !apart(&runs) {
            // By time they may still be: a file of late samples is younger and lies before.
            let mut sorted = runs.clone();
            sorted.sort_by_key(|(batch, start, _)| batch.times[*start]);
            if apart(&sorted) {
                runs = sorted;
            } else {
                return self.interleaved(rank, &runs);
            }
        }
        for (batch, start, end) in runs {
            self.copy(rank, &batch, start, end);
        }
    }

    /// Row by row: sources overlap.
    fn interleaved(&mut self, rank: u32, runs: &[(Batch, usize, usize)]) {
        let mut rows: Vec<(i64, usize, usize)> = Vec::new();
        for (n, (batch, start, end)) in runs.iter().enumerate() {
            rows.extend((*start..*end).map(|row| (batch.times[row], n, row)));
        }
        rows.sort_unstable();
        for (i, (time, n, row)) in rows.iter().enumerate() {
            // The last of equal times is of the youngest source.
            if rows.get(i + 1).is_none_or(|next| next.0 != *time) {
                self.copy(rank, &runs[*n].0, *row, *row + 1);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_the_id_changes() {
        let ids = [1, 1, 1, 2, 3, 3, 3, 3, 3, 3, 3];
        for (start, end) in [(0, 3), (1, 3), (2, 3), (3, 4), (4, 11), (10, 11)] {
            assert_eq!(run_end(&ids, start), end);
        }
    }
}
