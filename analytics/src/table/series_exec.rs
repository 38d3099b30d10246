//! The node that keeps the samples of chosen series and puts their labels beside them. Labels rest once per series, in
//! memory; a sample costs one look-up of its id, and a run of one series costs one look-up in all.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Float64Type, SchemaRef, UInt64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter_pushdown::{ChildFilterDescription, FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt as _};
use grid_model::histogram::is_stale;

/// Ids are hashes already.
#[derive(Default, Clone)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*b);
        }
    }
    fn write_u64(&mut self, id: u64) {
        self.0 ^= id;
    }
}

/// A map by series id.
pub(crate) type ById<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;

/// Where a column of the output comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A column of the input.
    Input(usize),
    /// One value per series, by the row that [`SeriesExec`]'s map gives.
    Label(ArrayRef),
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct SeriesExec {
    input: Arc<dyn ExecutionPlan>,
    /// Chosen series: id -> row in the label columns.
    series: Arc<ById<u32>>,
    id: usize,
    /// Column whose stale markers are dropped.
    value: Option<usize>,
    columns: Vec<Source>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl SeriesExec {
    /// `id` is the input's column of series ids; rows whose `value` is a stale marker are dropped if given.
    pub(crate) fn new(
        input: Arc<dyn ExecutionPlan>,
        series: Arc<ById<u32>>,
        id: usize,
        value: Option<usize>,
        columns: Vec<Source>,
        schema: SchemaRef,
    ) -> Self {
        let properties =
            PlanProperties::clone(input.properties()).with_eq_properties(EquivalenceProperties::new(schema));
        Self {
            input,
            series,
            id,
            value,
            columns,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for SeriesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.columns.iter().filter(|c| matches!(c, Source::Label(_))).count();
        write!(f, "GridSeriesExec: series={}, labels={labels}", self.series.len())
    }
}

impl ExecutionPlan for SeriesExec {
    fn name(&self) -> &str {
        "GridSeriesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    // Rows keep their order, but that is not declared: the optimizer would push sorts below by column number, and the columns
    // here are others.

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    /// Its rows may be the input of a merge: dealt out to several partitions and gathered again they would have lost their order.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), 0) = (children.pop(), children.len()) else {
            return internal_err!("GridSeriesExec has one child");
        };
        let this = self.as_ref();
        Ok(Arc::new(Self::new(
            input,
            Arc::clone(&this.series),
            this.id,
            this.value,
            this.columns.clone(),
            this.schema(),
        )))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(SeriesStream {
            input: self.input.execute(partition, context)?,
            exec: self.clone(),
            baseline: BaselineMetrics::new(&self.metrics, partition),
            keep: Vec::new(),
            labels: Vec::new(),
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::LowerEqual
    }

    /// Conditions on columns of the samples pass; those on labels chose the series already.
    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let (schema, below) = (self.schema(), self.input.schema());
        let same_name = |out: usize, source: &Source| match source {
            Source::Input(i) => schema.field(out).name() == below.field(*i).name(),
            Source::Label(_) => false,
        };
        let allowed =
            self.columns.iter().enumerate().filter(|(out, s)| same_name(*out, s)).map(|(out, _)| out).collect();
        let child = ChildFilterDescription::from_child_with_allowed_indices(&filters, allowed, &self.input)?;
        Ok(FilterDescription::new().with_child(child))
    }
}

struct SeriesStream {
    input: SendableRecordBatchStream,
    exec: SeriesExec,
    baseline: BaselineMetrics,
    keep: Vec<u32>,
    labels: Vec<u32>,
}

impl SeriesStream {
    fn join(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let _timer = self.baseline.elapsed_compute().clone();
        let _timer = _timer.timer();
        let ids = batch.column(self.exec.id).as_primitive::<UInt64Type>().values();
        let values = self.exec.value.map(|v| batch.column(v).as_primitive::<Float64Type>());
        self.keep.clear();
        self.labels.clear();
        let mut last: Option<(u64, Option<u32>)> = None;
        for (row, id) in ids.iter().enumerate() {
            let label = match last {
                Some((same, label)) if same == *id => label,
                _ => self.exec.series.get(id).copied(),
            };
            last = Some((*id, label));
            let Some(label) = label else { continue };
            if values.is_some_and(|v| v.is_valid(row) && is_stale(v.value(row))) {
                continue;
            }
            self.keep.push(row as u32);
            self.labels.push(label);
        }
        let rows = self.keep.len();
        let all = rows == batch.num_rows();
        let keep = UInt32Array::from(if all { Vec::new() } else { std::mem::take(&mut self.keep) });
        let needs_labels = self.exec.columns.iter().any(|c| matches!(c, Source::Label(_)));
        let labels = UInt32Array::from(if needs_labels { std::mem::take(&mut self.labels) } else { Vec::new() });
        let columns = self
            .exec
            .columns
            .iter()
            .map(|source| match source {
                Source::Input(i) if all => Ok(Arc::clone(batch.column(*i))),
                Source::Input(i) => Ok(take(batch.column(*i), &keep, None)?),
                Source::Label(values) => Ok(take(values, &labels, None)?),
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.exec.schema(), columns, &options)?)
    }
}

impl Stream for SeriesStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(batch) = ready!(self.input.poll_next_unpin(cx)) else { return Poll::Ready(None) };
            let joined = match batch.and_then(|b| self.join(&b)) {
                Ok(joined) if joined.num_rows() == 0 => continue,
                other => other,
            };
            return self.baseline.record_poll(Poll::Ready(Some(joined)));
        }
    }
}

impl RecordBatchStream for SeriesStream {
    fn schema(&self) -> SchemaRef {
        self.exec.schema()
    }
}
