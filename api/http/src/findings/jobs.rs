//! How the jobs fare.

use grid_analytics::Statement;
use serde_json::Value;

use crate::error::ApiError;
use crate::finance::Desk;
use crate::statement::rows;

/// The rows of `grid.jobs`.
pub async fn jobs(desk: &Desk<'_>) -> Result<Vec<Value>, ApiError> {
    let statement = Statement { sql: "SELECT * FROM grid.jobs ORDER BY job".to_owned(), params: Vec::new() };
    Ok(rows(desk.engine, &desk.tenant, &statement).await?)
}
