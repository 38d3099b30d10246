//! The node of a plan that evaluates PromQL: below it the scans of the query's selectors, above it rows of time, labels and value. SQL
//! reaches it by `promql('expression', start, end, step)`.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use grid_model::table::column::{append_pairs, map_builder, text_map};
use grid_model::table::samples::{self, HISTOGRAM, SampleValue, SamplesBuilder, TIME, VALUE};
use grid_model::{SeriesId, Timestamp};
use grid_promql::Labels;
use grid_promql::points::{Grid, Point};
use grid_promql::query::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::exec::Planned;
use super::{PromqlAnswer, PromqlError};
use crate::limits::BATCH_ROWS;

/// The map of labels.
const LABELS: &str = "labels";

/// The columns of an answer: time, labels, and a number or a histogram.
pub(super) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let samples = samples::schema();
        let own = |name: &str| samples.fields().iter().find(|f| f.name() == name).cloned();
        let fields = [own(TIME), Some(Arc::new(text_map(LABELS))), own(VALUE), own(HISTOGRAM)];
        Arc::new(Schema::new(fields.into_iter().flatten().collect::<Vec<_>>()))
    });
    Arc::clone(&SCHEMA)
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct PromqlExec {
    planned: Planned,
    /// By when it must have ended.
    deadline: Instant,
    properties: Arc<PlanProperties>,
}

impl PromqlExec {
    pub(super) fn new(planned: Planned, deadline: Instant) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { planned, deadline, properties: Arc::new(properties) }
    }

    pub(super) fn planned(&self) -> &Planned {
        &self.planned
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl DisplayAs for PromqlExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = &self.planned.query;
        write!(f, "GridPromqlExec: {}, steps={}", query.expr, query.grid.len())
    }
}

impl ExecutionPlan for PromqlExec {
    fn name(&self) -> &str {
        "GridPromqlExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.children().len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.planned.scans.iter().flat_map(|scan| &scan.parts).flat_map(|part| &part.inputs).map(|i| &i.plan).collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.len() != self.children().len() {
            return internal_err!("GridPromqlExec has {} children", self.children().len());
        }
        let mut planned = self.planned.clone();
        let inputs = planned.scans.iter_mut().flat_map(|scan| &mut scan.parts).flat_map(|part| &mut part.inputs);
        for (input, plan) in inputs.zip(children) {
            input.plan = plan;
        }
        Ok(Arc::new(Self::new(planned, self.deadline)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("GridPromqlExec has one partition");
        }
        let (planned, deadline) = (self.planned.clone(), self.deadline);
        let batches = stream::once(async move {
            // Ends the scans when nobody reads this stream any more.
            let token = CancellationToken::new();
            let _ended = token.clone().drop_guard();
            let answer = planned.evaluate(&context, &token, deadline).await.map_err(external)?;
            Ok::<_, DataFusionError>(stream::iter(rows(&answer, planned.query.grid)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema(), batches.try_flatten().boxed())))
    }
}

pub(super) fn external(e: PromqlError) -> DataFusionError {
    match e {
        PromqlError::Parse(e) => DataFusionError::Plan(format!("in promql(): {e}")),
        e => DataFusionError::Execution(format!("in promql(): {e}")),
    }
}

/// An answer as rows, series after series.
fn rows(answer: &PromqlAnswer, grid: Grid) -> Vec<Result<RecordBatch>> {
    let mut out = Rows { batches: Vec::new(), samples: SamplesBuilder::default(), labels: map_builder(), rows: 0 };
    match &answer.answer.value {
        Value::Text(_) => {}
        Value::Scalar(values) => {
            for (step, value) in values.iter().enumerate() {
                out.push(&Labels::default(), grid.time(step), Point::Float(*value));
            }
        }
        Value::Series(all) => {
            for series in all {
                series.points.iter().for_each(|(step, point)| out.push(&series.labels, grid.time(step), point));
            }
        }
        Value::Ranges(all) => {
            for (labels, samples) in all {
                for (time, value) in samples.times.iter().zip(&samples.values) {
                    out.push(labels, *time, Point::Float(*value));
                }
                for (time, histogram) in samples.histogram_times.iter().zip(&samples.histograms) {
                    out.push(labels, *time, Point::Histogram(histogram));
                }
            }
        }
    }
    out.flush();
    out.batches
}

struct Rows {
    batches: Vec<Result<RecordBatch>>,
    samples: SamplesBuilder,
    labels: grid_model::table::column::TextMapBuilder,
    rows: usize,
}

impl Rows {
    fn push(&mut self, labels: &Labels, time: i64, point: Point<'_>) {
        let value = match point {
            Point::Float(v) => SampleValue::Float(v),
            Point::Histogram(h) => SampleValue::Histogram(Box::new(h.to_model())),
        };
        self.samples.push(SeriesId(0), Timestamp(time.saturating_mul(1_000_000)), None, value);
        append_pairs(&mut self.labels, labels.iter());
        self.rows += 1;
        if self.rows == BATCH_ROWS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.rows == 0 {
            return;
        }
        let samples = self.samples.finish();
        let labels: ArrayRef = Arc::new(self.labels.finish());
        let schema = schema();
        let column = |field: &Arc<arrow::datatypes::Field>| match field.name().as_str() {
            LABELS => Arc::clone(&labels),
            name => samples
                .column_by_name(name)
                .cloned()
                .unwrap_or_else(|| arrow::array::new_null_array(field.data_type(), self.rows)),
        };
        let columns = schema.fields().iter().map(column).collect();
        self.batches.push(RecordBatch::try_new(Arc::clone(&schema), columns).map_err(Into::into));
        self.rows = 0;
    }
}
