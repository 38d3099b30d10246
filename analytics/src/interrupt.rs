//! Joins that can be ended. DataFusion's joins without a key compare every pair of rows within one step of their stream,
//! which neither yields to other queries nor sees that nobody waits any more. This rule, the last of the optimizer's, makes
//! their condition look at the query's token and their output count against the scheduler's budget.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use tokio_util::sync::CancellationToken;

use crate::error::QueryError;

/// See the module.
#[derive(Debug)]
pub(crate) struct Interrupt {
    pub token: CancellationToken,
}

impl PhysicalOptimizerRule for Interrupt {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let wrap = |node: Arc<dyn ExecutionPlan>| -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
            let node = match node.downcast_ref::<NestedLoopJoinExec>() {
                Some(join) => self.interruptible(join)?.unwrap_or(node),
                None => node,
            };
            let multiplies = node.name().ends_with("JoinExec") || node.name() == "UnnestExec";
            Ok(if multiplies { Transformed::yes(Arc::new(CooperativeExec::new(node))) } else { Transformed::no(node) })
        };
        Ok(plan.transform_up(wrap)?.data)
    }

    fn name(&self) -> &str {
        "interrupt"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl Interrupt {
    fn interruptible(&self, join: &NestedLoopJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(filter) = join.filter() else { return Ok(None) };
        let condition = Condition { inner: Arc::clone(filter.expression()), token: self.token.clone() };
        let filter =
            JoinFilter::new(Arc::new(condition), filter.column_indices().to_vec(), Arc::clone(filter.schema()));
        let join = NestedLoopJoinExec::try_new(
            Arc::clone(join.left()),
            Arc::clone(join.right()),
            Some(filter),
            join.join_type(),
            join.projection().as_ref().map(|p| p.to_vec()),
        )?;
        Ok(Some(Arc::new(join)))
    }
}

/// A condition that fails once the query is cancelled.
#[derive(Debug)]
struct Condition {
    inner: Arc<dyn PhysicalExpr>,
    token: CancellationToken,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Condition {}

impl Hash for Condition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Condition {
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.token.is_cancelled() {
            return Err(QueryError::Cancelled.into_datafusion());
        }
        self.inner.evaluate(batch)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match (children.pop(), children.len()) {
            (Some(inner), 0) => Ok(Arc::new(Self { inner, token: self.token.clone() })),
            _ => internal_err!("an interruptible condition has one child"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
