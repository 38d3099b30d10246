//! Of two samples of one series at one time the later write wins. This node merges sources whose samples may collide, each
//! sorted by the key, and keeps the first row of each key from the youngest source.
//!
//! A merge holds a batch of each of its sources, so there are several merges, done one after another in each partition, and their batches are the
//! smaller the more sources there are: what the node holds does not grow with the number of files.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampNanosecondType, UInt64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Distribution, EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter_pushdown::{ChildFilterDescription, FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use grid_model::table::samples::{SERIES_ID, TIME};

use crate::limits::{MERGE_BATCH_ROWS_MIN, MERGE_ROWS};

/// Name of the column that tells sources apart while they are merged; a label cannot be called so, because sources have
/// only columns of `samples`.
const RANK: &str = "__rank";

/// See the module. Each input has one partition, sorted by `keys`; of one merge later inputs are younger.
#[derive(Debug, Clone)]
pub(crate) struct DedupExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// Which inputs each merge is of.
    merges: Vec<Range<usize>>,
    keys: Vec<&'static str>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl DedupExec {
    /// Does `merges`, of inputs oldest first, all of one schema that holds `keys`, among them series id and time. No key is in two merges.
    pub(crate) fn try_new(
        merges: Vec<Vec<Arc<dyn ExecutionPlan>>>,
        keys: &[&'static str],
        partitions: usize,
    ) -> Result<Self> {
        let mut at = 0;
        let ranges = merges.iter().map(|inputs| {
            let start = at;
            at += inputs.len();
            start..at
        });
        let (ranges, partitions) = (ranges.collect::<Vec<_>>(), partitions.clamp(1, merges.len().max(1)));
        Self::of(merges.into_iter().flatten().collect(), ranges, keys, partitions)
    }

    fn of(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        merges: Vec<Range<usize>>,
        keys: &[&'static str],
        partitions: usize,
    ) -> Result<Self> {
        let Some(first) = inputs.first() else { return internal_err!("nothing to merge") };
        let schema = first.schema();
        let mut equivalence = EquivalenceProperties::new(Arc::clone(&schema));
        if merges.len() == 1 {
            equivalence.add_ordering(ordering(&schema, keys)?);
        }
        let properties = PlanProperties::new(
            equivalence,
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            inputs,
            merges,
            keys: keys.to_vec(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    fn partitions(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    /// A context for the sources of a merge: with batches that all merges of all partitions together can hold.
    fn context_for(&self, sources: usize, context: &TaskContext) -> Arc<TaskContext> {
        let config = context.session_config();
        let rows = MERGE_ROWS / (self.partitions() * sources.max(1));
        let rows = rows.clamp(MERGE_BATCH_ROWS_MIN, config.batch_size().max(MERGE_BATCH_ROWS_MIN));
        Arc::new(TaskContext::new(
            context.task_id(),
            context.session_id(),
            config.clone().with_batch_size(rows),
            context.scalar_functions().clone(),
            context.higher_order_functions().clone(),
            context.aggregate_functions().clone(),
            context.window_functions().clone(),
            context.runtime_env(),
        ))
    }

    /// Starts one merge.
    fn merge(&self, inputs: &[Arc<dyn ExecutionPlan>], context: &Arc<TaskContext>) -> Result<DedupStream> {
        let schema = self.schema();
        let mut fields = schema.fields().to_vec();
        fields.push(Arc::new(Field::new(RANK, DataType::UInt32, false)));
        let ranked = Arc::new(Schema::new(fields));
        let small = self.context_for(inputs.len(), context);
        let mut streams = Vec::with_capacity(inputs.len());
        for (age, input) in inputs.iter().rev().enumerate() {
            if input.properties().partitioning.partition_count() != 1 {
                return internal_err!("a source of GridDedupExec has more than one partition");
            }
            let rank = u32::try_from(age).map_err(|_| internal_datafusion_err!("too many sources"))?;
            streams.push(with_rank(input.execute(0, Arc::clone(&small))?, Arc::clone(&ranked), rank));
        }
        let mut keys = self.keys.clone();
        keys.push(RANK);
        let order = LexOrdering::new(ordering(&ranked, &keys)?)
            .ok_or_else(|| internal_datafusion_err!("GridDedupExec has no keys"))?;
        let reservation = MemoryConsumer::new("GridDedupExec").register(context.memory_pool());
        let merge_metrics = ExecutionPlanMetricsSet::new();
        let merged = StreamingMergeBuilder::new()
            .with_streams(streams)
            .with_schema(Arc::clone(&ranked))
            .with_expressions(&order)
            .with_metrics(BaselineMetrics::new(&merge_metrics, 0))
            .with_batch_size(context.session_config().batch_size())
            .with_reservation(reservation)
            .with_round_robin_tie_breaker(false)
            .build()?;
        Ok(DedupStream {
            id: schema.index_of(SERIES_ID)?,
            time: schema.index_of(TIME)?,
            merged,
            schema,
            last: None,
            duplicates: MetricBuilder::new(&self.metrics).counter("duplicates_dropped", 0),
            baseline: BaselineMetrics::new(&self.metrics, 0),
        })
    }
}

fn ordering(schema: &Schema, keys: &[&str]) -> Result<Vec<PhysicalSortExpr>> {
    keys.iter()
        .map(|k| {
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new_with_schema(k, schema)?);
            Ok(PhysicalSortExpr::new(column, SortOptions { descending: false, nulls_first: true }))
        })
        .collect()
}

impl DisplayAs for DedupExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "GridDedupExec: merges={}, sources={}, keys=[{}]",
            self.merges.len(),
            self.inputs.len(),
            self.keys.join(", ")
        )
    }
}

impl ExecutionPlan for DedupExec {
    fn name(&self) -> &str {
        "GridDedupExec"
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

    /// The optimizer likes to deal an input out to several partitions below a projection and to gather it again; the order that a merge
    /// stands on would be lost. Such a change of an input is not taken.
    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let dealt_out = |child: &Arc<dyn ExecutionPlan>| {
            child.properties().partitioning.partition_count() != 1
                || child.downcast_ref::<CoalescePartitionsExec>().is_some()
        };
        let kept = |(new, old): (_, &Arc<dyn ExecutionPlan>)| if dealt_out(&new) { Arc::clone(old) } else { new };
        let children = children.into_iter().zip(&self.inputs).map(kept).collect();
        Ok(Arc::new(Self::of(children, self.merges.clone(), &self.keys, self.partitions())?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let partitions = self.partitions();
        if partition >= partitions {
            return internal_err!("GridDedupExec has {partitions} partitions");
        }
        // Each is started when the one before it has ended.
        let this = self.clone();
        let own = self.merges.clone().into_iter().skip(partition).step_by(partitions);
        let merged = stream::iter(own).map(move |of| match this.inputs.get(of) {
            Some(inputs) => this.merge(inputs, &context),
            None => internal_err!("GridDedupExec lost a source"),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), merged.try_flatten())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    /// Only conditions on the key may pass: any other could drop the younger row and let the older one through.
    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let schema = self.schema();
        let allowed: std::collections::HashSet<usize> =
            [SERIES_ID, TIME].iter().map(|k| schema.index_of(k)).collect::<Result<_, _>>()?;
        let mut all = FilterDescription::new();
        for input in &self.inputs {
            all = all.with_child(ChildFilterDescription::from_child_with_allowed_indices(
                &filters,
                allowed.clone(),
                input,
            )?);
        }
        Ok(all)
    }
}

fn with_rank(input: SendableRecordBatchStream, schema: SchemaRef, rank: u32) -> SendableRecordBatchStream {
    let out = Arc::clone(&schema);
    let ranked = input.map(move |batch| {
        let batch = batch?;
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns.push(Arc::new(UInt32Array::from(vec![rank; batch.num_rows()])));
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(out, ranked))
}

struct DedupStream {
    merged: SendableRecordBatchStream,
    schema: SchemaRef,
    id: usize,
    time: usize,
    last: Option<(u64, i64)>,
    duplicates: Count,
    baseline: BaselineMetrics,
}

impl DedupStream {
    fn first_of_each_key(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let ids = batch.column(self.id).as_primitive::<UInt64Type>().values();
        let times = batch.column(self.time).as_primitive::<TimestampNanosecondType>().values();
        let mut last = self.last;
        let keep: BooleanArray = ids
            .iter()
            .zip(times)
            .map(|(id, time)| {
                let key = Some((*id, *time));
                let new = key != last;
                last = key;
                Some(new)
            })
            .collect();
        self.last = last;
        let plain = batch
            .project(&(0..self.schema.fields().len()).collect::<Vec<_>>())?
            .with_schema(Arc::clone(&self.schema))?;
        let dropped = keep.len() - keep.true_count();
        self.duplicates.add(dropped);
        if dropped == 0 { Ok(plain) } else { Ok(filter_record_batch(&plain, &keep)?) }
    }
}

impl Stream for DedupStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(batch) = ready!(self.merged.poll_next_unpin(cx)) else { return Poll::Ready(None) };
            let kept = match batch.and_then(|b| self.first_of_each_key(&b)) {
                Ok(kept) if kept.num_rows() == 0 => continue,
                other => other,
            };
            return self.baseline.record_poll(Poll::Ready(Some(kept)));
        }
    }
}
