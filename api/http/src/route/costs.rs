//! What things cost and who pays: [`report`] (costs by any dimensions), [`run`] (the allocation and its state), [`documents`] (rules, aliases,
//! rates: each a text with versions), [`joins`] (what joins and what does not), [`units`] (the cost of one of something).

pub(crate) mod report;
pub(crate) mod select;
pub(crate) mod run;
pub(crate) mod documents;
pub(crate) mod joins;
pub(crate) mod units;

use grid_model::Amount;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::state::ApiState;

/// Money of one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Money {
    /// The currency.
    #[schema(example = "USD")]
    pub(crate) currency: String,
    /// How much, as a decimal.
    #[schema(example = "12.5")]
    pub(crate) cost: String,
}

/// Rows of a statement of our own as JSON objects; decimals are texts.
pub(crate) async fn rows(state: &ApiState, caller: &grid_guard::Caller, sql: &str) -> Result<Vec<Value>, ApiError> {
    let mut request = grid_analytics::SqlRequest::new(caller.tenant.clone(), sql);
    request.client = Some("costs".to_owned());
    let batches = state.engine.sql(request).await?.collect().await?;
    let mut rows = Vec::new();
    for batch in &batches {
        rows.extend(grid_analytics::render::rows_json(batch)?);
    }
    Ok(rows)
}

/// A decimal of an answer's row.
pub(crate) fn amount(row: &Value, column: &str) -> Result<Amount, ApiError> {
    let text = row.get(column).and_then(Value::as_str).unwrap_or("0");
    Amount::parse(text).map(|(a, _)| a).map_err(|e| ApiError::Internal(format!("column {column}: {e}")))
}

/// A text of an answer's row; empty if null.
pub(crate) fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

/// `a + b`, or the error of a sum that leaves 38 digits.
pub(crate) fn sum(a: Amount, b: Amount) -> Result<Amount, ApiError> {
    a.checked_add(b)
        .ok_or_else(|| ApiError::Parameter("a sum of costs has more than 38 digits: ask for less".to_owned()))
}
