//! The node that stands above everything one table reads. It passes rows through and says in `EXPLAIN ANALYZE` what was
//! never read: files considered and pruned, series matched and pruned.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter_pushdown::{FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// What planning decided about one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ScanCounts {
    /// Files of the table in the snapshot.
    pub files_considered: usize,
    /// Of those, never opened.
    pub files_pruned: usize,
    /// Of those read, files whose rows the text index chose.
    pub files_text_indexed: usize,
    /// Groups of files (and buffer) whose rows may collide and are merged.
    pub merges: usize,
    /// Rows in the buffer that are read.
    pub buffered_rows: usize,
    /// Series whose labels match, and those that do not; only for `metrics."NAME"`.
    pub series: Option<(usize, usize)>,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct ScanExec {
    input: Arc<dyn ExecutionPlan>,
    table: Arc<str>,
    counts: ScanCounts,
    metrics: ExecutionPlanMetricsSet,
}

impl ScanExec {
    pub(crate) fn above(table: &str, input: Arc<dyn ExecutionPlan>, counts: ScanCounts) -> Arc<dyn ExecutionPlan> {
        let metrics = ExecutionPlanMetricsSet::new();
        let count = |name: &'static str, n: usize| MetricBuilder::new(&metrics).global_counter(name).add(n);
        count("files_considered", counts.files_considered);
        count("files_pruned", counts.files_pruned);
        count("files_text_indexed", counts.files_text_indexed);
        count("buffered_rows", counts.buffered_rows);
        if let Some((matched, pruned)) = counts.series {
            count("series_matched", matched);
            count("series_pruned", pruned);
        }
        Arc::new(Self { input, table: Arc::from(table), counts, metrics })
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.counts;
        write!(
            f,
            "GridScanExec: table={}, files={}/{}",
            self.table,
            c.files_considered - c.files_pruned,
            c.files_considered
        )?;
        if c.merges > 0 {
            write!(f, ", merges={}", c.merges)?;
        }
        if let Some((matched, pruned)) = c.series {
            write!(f, ", series={matched}/{}", matched + pruned)?;
        }
        Ok(())
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &str {
        "GridScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), 0) = (children.pop(), children.len()) else {
            return internal_err!("GridScanExec has one child");
        };
        Ok(Arc::new(Self { input, ..self.as_ref().clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        match inputs {
            [one] => Ok(Arc::clone(one)),
            _ => internal_err!("GridScanExec has one child"),
        }
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(filters, &self.children())
    }
}
