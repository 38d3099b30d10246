//! Runs a report's statement and answers its rows as JSON objects, decimals as strings: what routes and commands show.

use futures::StreamExt as _;
use grid_analytics::render::{Format, Renderer};
use grid_analytics::{Engine, QueryError, SqlRequest, Statement};
use grid_model::TenantId;
use serde_json::Value;

/// All rows of a statement.
pub async fn rows(engine: &Engine, tenant: &TenantId, statement: &Statement) -> Result<Vec<Value>, QueryError> {
    let request = SqlRequest { params: statement.params.clone(), ..SqlRequest::new(tenant.clone(), &statement.sql) };
    let mut answer = engine.sql(request).await?;
    let mut renderer = Renderer::new(Format::Ndjson, answer.schema.clone())?;
    let mut lines = renderer.head();
    while let Some(batch) = answer.stream.next().await {
        lines.extend(renderer.batch(&batch?)?);
    }
    lines.extend(renderer.tail(None)?);
    let parse =
        |line: &[u8]| serde_json::from_slice(line).map_err(|e| QueryError::Internal(format!("read a row: {e}")));
    lines.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()).map(parse).collect()
}

/// The text of a field; empty if it is null or absent.
pub fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}
