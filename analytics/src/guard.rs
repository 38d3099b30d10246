//! The second guard, on the plan; the first is [`grid_sql_guard`], on the syntax tree before anything is looked up.

use datafusion::common::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use grid_sql_guard::GuardError;

use crate::error::QueryError;

impl From<GuardError> for QueryError {
    fn from(e: GuardError) -> Self {
        match e {
            GuardError::TooLarge { bytes, limit } => Self::TooLarge { bytes, limit },
            e @ GuardError::TooManyLinks { .. } => Self::Invalid {
                message: e.to_string(),
                hint: Some("give long lists as IN (...) or as VALUES".into()),
                position: None,
            },
            e @ GuardError::Empty => Self::Syntax { message: e.to_string(), position: None },
            GuardError::Sql(e) => Self::from_datafusion(&DataFusionError::SQL(Box::new(e), None)),
            GuardError::Refused { statement } => Self::Refused { statement },
            GuardError::Parameters(what) => Self::Parameters(what),
        }
    }
}

/// Nothing in a plan creates, changes or sets anything.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(plan)
        .map_err(|_| QueryError::Refused { statement: "a statement that changes something".into() })
}
