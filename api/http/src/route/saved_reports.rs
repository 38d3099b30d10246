//! Reports by name: their parameters, kept.

use axum::Json as Reply;
use axum::extract::State;
use grid_guard::{Caller, Scope};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::budgets::expected;
use super::cost_reports::desk;
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment};
use crate::finance::saved::{self, ReportSetting, SavedReport};
use crate::page::{PageParams, cut};
use crate::state::ApiState;

/// The saved reports of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SavedReportList {
    /// The reports, by name.
    items: Vec<SavedReport>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// All saved reports.
#[utoipa::path(get, path = "/api/v1/costs/reports", tag = "costs", params(PageParams),
    responses((status = 200, description = "The reports' parameters.", body = SavedReportList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(page): Params<PageParams>,
    headers: HeaderMap,
) -> Result<Reply<SavedReportList>, ApiError> {
    let all = saved::list(&desk(&state, &caller, &headers)).await?;
    let (items, next_cursor) = cut(all, &page, |r| &r.name)?;
    Ok(Reply(SavedReportList { items, next_cursor }))
}

/// A saved report's parameters. `GET /api/v1/costs/report?saved=NAME` makes the report.
#[utoipa::path(get, path = "/api/v1/costs/reports/{id}", tag = "costs", params(("id" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The parameters.", body = SavedReport), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(name): Segment,
    headers: HeaderMap,
) -> Result<Reply<SavedReport>, ApiError> {
    Ok(Reply(saved::get(&desk(&state, &caller, &headers), &name).await?))
}

/// Keeps a report's parameters. With `If-Match: VERSION` only if they still have that version.
#[utoipa::path(put, path = "/api/v1/costs/reports/{id}", tag = "costs", params(("id" = String, Path, description = "Its name.")), request_body = ReportSetting,
    responses((status = 200, description = "As kept.", body = SavedReport), (status = 409, description = "It has another version.")))]
pub(crate) async fn put(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(name): Segment,
    headers: HeaderMap,
    Json(setting): Json<ReportSetting>,
) -> Result<Reply<SavedReport>, ApiError> {
    caller.require(Scope::Admin)?;
    let desk = desk(&state, &caller, &headers);
    let kept = saved::put(&desk, &name, &setting, &caller.subject, expected(&headers)?).await?;
    tracing::info!(tenant = %caller.tenant, report = %name, version = kept.version, by = %caller.subject, "report saved");
    Ok(Reply(kept))
}

/// Deletes a saved report.
#[utoipa::path(delete, path = "/api/v1/costs/reports/{id}", tag = "costs", params(("id" = String, Path, description = "Its name.")),
    responses((status = 204, description = "Deleted."), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(name): Segment,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    caller.require(Scope::Admin)?;
    saved::delete(&desk(&state, &caller, &headers), &name, &caller.subject).await?;
    Ok(StatusCode::NO_CONTENT)
}
