//! `SELECT ... FROM promql('expression', start, end, step)`: PromQL as a table.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use grid_promql::plan::STEPS_MAX;
use grid_promql::points::Grid;
use grid_promql::query::Options;
use tokio::time::Instant;

use super::exec::{Planned, Query};
use super::node::{PromqlExec, external, schema};
use super::{PromqlError, PromqlSettings};
use crate::table::Source;

/// What a call needs to know of its session.
#[derive(Debug, Clone)]
pub(crate) struct PromqlFunction {
    pub source: Arc<Source>,
    pub settings: PromqlSettings,
    pub memory_bytes: usize,
    /// Longest time that any query may take; the statement's own deadline ends it earlier.
    pub timeout: Duration,
}

impl TableFunctionImpl for PromqlFunction {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let (text, grid) = match args.exprs() {
            [text, time] => (text, Grid::instant(millis(time, "the time")?)),
            [text, start, end, step] => {
                let (start, end) = (millis(start, "the start")?, millis(end, "the end")?);
                (text, Grid { start, end, step: step_millis(step)? })
            }
            other => {
                return plan_err!(
                    "promql() takes ('expression', time) or ('expression', start, end, step), not {} arguments",
                    other.len()
                );
            }
        };
        let Expr::Literal(value, _) = text else { return plan_err!("promql() wants its expression as a text") };
        let Some(Some(text)) = value.try_as_str() else { return plan_err!("promql() wants its expression as a text") };
        if grid.end < grid.start {
            return plan_err!("promql() ends before it starts");
        }
        if grid.len() > STEPS_MAX {
            return plan_err!(
                "promql() has {} steps, at most {STEPS_MAX} are possible; take a longer step",
                grid.len()
            );
        }
        let features = &self.settings.features;
        let expr = grid_promql_syntax::parse(text, features).map_err(|e| external(PromqlError::Parse(e)))?;
        let options = Options {
            lookback: self.settings.lookback,
            subquery_step: self.settings.subquery_step,
            delayed_name_removal: features.delayed_name_removal,
            start_timestamps: features.start_timestamps,
            memory_bytes: self.memory_bytes,
        };
        let query = Query { text: text.to_owned(), features: *features, expr, grid, options };
        Ok(Arc::new(PromqlTable { of: self.clone(), query }))
    }
}

/// A time: a timestamp, a text of RFC 3339, or seconds since 1970.
fn millis(expr: &Expr, what: &str) -> Result<i64> {
    let Expr::Literal(value, _) = expr else { return plan_err!("promql() wants {what} as a constant") };
    match value {
        ScalarValue::Int64(Some(seconds)) => Ok(seconds.saturating_mul(1000)),
        ScalarValue::Float64(Some(seconds)) => Ok((seconds * 1000.0).round() as i64),
        ScalarValue::Decimal128(..) => match value.cast_to(&arrow::datatypes::DataType::Float64)? {
            ScalarValue::Float64(Some(seconds)) => Ok((seconds * 1000.0).round() as i64),
            _ => plan_err!("promql() wants {what} as a time"),
        },
        other => {
            let time =
                arrow::datatypes::DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, Some("UTC".into()));
            match other.cast_to(&time) {
                Ok(ScalarValue::TimestampMillisecond(Some(ms), _)) => Ok(ms),
                _ => plan_err!("promql() wants {what} as a timestamp, RFC 3339 or seconds since 1970, not {other}"),
            }
        }
    }
}

/// A step: an interval, a text such as `30s`, or seconds.
fn step_millis(expr: &Expr) -> Result<i64> {
    let Expr::Literal(value, _) = expr else { return plan_err!("promql() wants the step as a constant") };
    let ms = match value {
        ScalarValue::IntervalMonthDayNano(Some(i)) if i.months == 0 => {
            i64::from(i.days) * 86_400_000 + i.nanoseconds / 1_000_000
        }
        value => match value.try_as_str() {
            Some(Some(text)) => match grid_promql_syntax::parse_duration(text) {
                Ok(ms) => ms,
                Err(e) => return plan_err!("promql() wants a step such as '30s': {e}"),
            },
            _ => millis(expr, "the step")?,
        },
    };
    if ms <= 0 { plan_err!("promql() wants a step of at least a millisecond") } else { Ok(ms) }
}

#[derive(Debug)]
struct PromqlTable {
    of: PromqlFunction,
    query: Query,
}

#[async_trait]
impl TableProvider for PromqlTable {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planned = Planned::new(&self.of.source, state, self.query.clone()).await.map_err(external)?;
        let plan: Arc<dyn ExecutionPlan> = Arc::new(PromqlExec::new(planned, Instant::now() + self.of.timeout));
        let Some(columns) = projection else { return Ok(plan) };
        let schema = schema();
        let exprs = columns.iter().map(|i| {
            let name = schema.field(*i).name();
            ProjectionExpr { expr: Arc::new(Column::new(name, *i)), alias: name.clone() }
        });
        Ok(Arc::new(ProjectionExec::try_new(exprs.collect::<Vec<_>>(), plan)?))
    }
}
