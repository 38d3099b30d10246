//! What runs, what was slow, and how to end it.

use axum::Json as Reply;
use axum::extract::State;
use grid_analytics::QueryInfo;
use grid_guard::Caller;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::extract::{Params, Segment};
use crate::page::{PageParams, cut};
use crate::route::rfc3339;
use crate::state::ApiState;

/// One query.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Query {
    /// By which it is ended.
    id: String,
    /// The statement; a long one is cut.
    query: String,
    /// Who asked.
    client: Option<String>,
    /// `waiting`, `running`, `done`, `failed` or `abandoned` (its reader went away).
    #[schema(example = "running")]
    state: &'static str,
    /// Why it failed.
    error: Option<String>,
    /// When it began.
    started: String,
    /// For how long it has run, or ran.
    elapsed_ms: u64,
    /// Rows answered so far.
    rows: u64,
}

/// Queries of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueryList {
    /// Those that run or wait.
    running: Vec<Query>,
    /// A page of the slow ones that ended, youngest first.
    slow: Vec<Query>,
    /// The cursor of the next page of slow ones, if there is one.
    next_cursor: Option<String>,
}

/// Queries of the tenant: running, and slow ones that ended.
#[utoipa::path(get, path = "/api/v1/queries", tag = "sql", params(PageParams),
    responses((status = 200, description = "The queries.", body = QueryList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Reply<QueryList>, ApiError> {
    let mine = |all: Vec<QueryInfo>| all.into_iter().filter(|q| q.tenant == caller.tenant).map(show).collect();
    let (slow, next_cursor) = cut(mine(state.engine.slow()), &page, |q: &Query| &q.id)?;
    Ok(Reply(QueryList { running: mine(state.engine.running()), slow, next_cursor }))
}

/// Ends a running query of the tenant.
#[utoipa::path(delete, path = "/api/v1/queries/{id}", tag = "sql", params(("id" = String, Path, description = "The query's id.")),
    responses((status = 204, description = "It is told to end."), (status = 404, description = "No such query runs.")))]
pub(crate) async fn end(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<StatusCode, ApiError> {
    if !state.engine.cancel_of(&caller.tenant, &id) {
        return Err(ApiError::NotFound { what: "running query", id });
    }
    tracing::info!(query = %id, tenant = %caller.tenant, by = %caller.subject, "query ended by request");
    Ok(StatusCode::NO_CONTENT)
}

fn show(q: QueryInfo) -> Query {
    Query {
        id: q.id,
        query: q.query,
        client: q.client,
        state: q.state.as_str(),
        error: q.error,
        started: rfc3339(q.started),
        elapsed_ms: u64::try_from(q.elapsed.as_millis()).unwrap_or(u64::MAX),
        rows: q.rows,
    }
}
