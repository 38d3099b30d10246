//! Deleting rows by a condition.

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use axum::Json as Reply;
use axum::extract::State;
use grid_analytics::SqlRequest;
use grid_guard::Caller;
use grid_model::{Scope, Table, TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::extract::Json;
use crate::route::parse_time;
use crate::state::ApiState;

/// Which rows to delete.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteRequest {
    /// The table.
    #[schema(example = "logs")]
    table: String,
    /// A condition in SQL; rows for which it is true go. `true` = all rows of the range.
    #[schema(example = "service = 'cart' AND match(body, 'secret')")]
    filter: String,
    /// The first time that is concerned: RFC 3339 or seconds since 1970. The beginning, if absent.
    #[schema(value_type = Option<String>)]
    start: Option<Moment>,
    /// The first time that is not concerned any more. The end, if absent.
    #[schema(value_type = Option<String>)]
    end: Option<Moment>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
}

/// A time, as text or as a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Moment {
    Number(f64),
    Text(String),
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    /// Whether rows were only counted.
    dry_run: bool,
    /// Rows deleted, or to be deleted.
    rows_deleted: u64,
    /// Files written anew or dropped.
    files_changed: usize,
}

fn moment(name: &str, m: Option<Moment>, absent: Timestamp) -> Result<Timestamp, ApiError> {
    let text = match m {
        None => return Ok(absent),
        Some(Moment::Number(n)) => n.to_string(),
        Some(Moment::Text(t)) => t,
    };
    parse_time(&text).ok_or_else(|| {
        ApiError::Parameter(format!("{name} is {text:?}, it must be a time as in RFC 3339 or seconds since 1970"))
    })
}

/// Deletes rows of the tenant by a condition. They are gone from every answer when this returns, and from disk once no
/// running query reads them any more. A request that is sent twice finds nothing the second time.
#[utoipa::path(post, path = "/api/v1/delete", tag = "retention", request_body = DeleteRequest,
    responses((status = 200, description = "Deleted, or counted.", body = Deleted)))]
pub(crate) async fn post(
    State(state): State<ApiState>,
    caller: Caller,
    Json(request): Json<DeleteRequest>,
) -> Result<Reply<Deleted>, ApiError> {
    let table = Table::parse(&request.table).filter(|t| *t != Table::Series).ok_or_else(|| {
        ApiError::Parameter(format!("rows of {:?} cannot be deleted; tables are {}", request.table, deletable()))
    })?;
    let start = moment("start", request.start, Timestamp::MIN)?;
    let end = moment("end", request.end, Timestamp::MAX)?;
    if start >= end {
        return Err(ApiError::Parameter("start must lie before end".to_owned()));
    }
    if request.filter.trim().is_empty() {
        return Err(ApiError::Parameter("filter is empty; say true to delete all rows of the range".to_owned()));
    }
    let scope = Scope { tenant: caller.tenant.clone(), range: TimeRange { start, end } };
    if request.dry_run {
        let rows = count(&state, &caller, scope, table, &request.filter).await?;
        return Ok(Reply(Deleted { dry_run: true, rows_deleted: rows, files_changed: 0 }));
    }
    let report = state.engine.delete(&scope, table, &request.filter).await?;
    tracing::info!(
        tenant = %caller.tenant, table = table.name(), filter = %request.filter, rows = report.rows_deleted, by = %caller.subject,
        "rows deleted"
    );
    Ok(Reply(Deleted { dry_run: false, rows_deleted: report.rows_deleted, files_changed: report.files_changed }))
}

fn deletable() -> String {
    let names: Vec<&str> = Table::ALL.into_iter().filter(|t| *t != Table::Series).map(Table::name).collect();
    names.join(", ")
}

/// Counts by an ordinary, read-only query of the same tenant. Whatever a filter with stray parentheses makes of it, it can
/// only read what the caller may read.
async fn count(state: &ApiState, caller: &Caller, scope: Scope, table: Table, filter: &str) -> Result<u64, ApiError> {
    let query = format!("SELECT count(*) FROM {} WHERE (\n{filter}\n)", table.name());
    let mut request = SqlRequest::new(caller.tenant.clone(), query);
    request.scope = scope;
    request.client = Some(caller.subject.clone());
    let batches = state.engine.sql(request).await?.collect().await?;
    let counted = batches
        .iter()
        .find(|b| b.num_rows() == 1)
        .and_then(|b| b.columns().first()?.as_primitive_opt::<Int64Type>().map(|c| c.value(0)));
    counted.map(i64::unsigned_abs).ok_or_else(|| ApiError::Internal("the count has no answer".to_owned()))
}
