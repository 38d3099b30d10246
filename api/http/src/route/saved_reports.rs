//! Reports by name: their parameters, kept.

use axum::Json as Reply;
use grid_guard::Scope;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::asker::Asker;
use super::budgets::expected;
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment};
use crate::finance::saved::{self, ReportSetting, SavedReport};
use crate::page::{PageParams, cut};

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
pub(crate) async fn list(asker: Asker, Params(page): Params<PageParams>) -> Result<Reply<SavedReportList>, ApiError> {
    let all = saved::list(&asker.desk()).await?;
    let (items, next_cursor) = cut(all, &page, |r| &r.name)?;
    Ok(Reply(SavedReportList { items, next_cursor }))
}

/// A saved report's parameters. `GET /api/v1/costs/report?saved=NAME` makes the report.
#[utoipa::path(get, path = "/api/v1/costs/reports/{id}", tag = "costs", params(("id" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The parameters.", body = SavedReport), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn get(asker: Asker, Segment(name): Segment) -> Result<Reply<SavedReport>, ApiError> {
    Ok(Reply(saved::get(&asker.desk(), &name).await?))
}

/// Keeps a report's parameters. With `If-Match: VERSION` only if they still have that version.
#[utoipa::path(put, path = "/api/v1/costs/reports/{id}", tag = "costs", params(("id" = String, Path, description = "Its name.")), request_body = ReportSetting,
    responses((status = 200, description = "As kept.", body = SavedReport), (status = 409, description = "It has another version.")))]
pub(crate) async fn put(
    asker: Asker,
    Segment(name): Segment,
    Json(setting): Json<ReportSetting>,
) -> Result<Reply<SavedReport>, ApiError> {
    asker.caller.require(Scope::Admin)?;
    let desk = asker.desk();
    let kept = saved::put(&desk, &name, &setting, &asker.caller.subject, expected(&asker.headers)?).await?;
    tracing::info!(tenant = %asker.caller.tenant, report = %name, version = kept.version, by = %asker.caller.subject, "report saved");
    Ok(Reply(kept))
}

/// Deletes a saved report.
#[utoipa::path(delete, path = "/api/v1/costs/reports/{id}", tag = "costs", params(("id" = String, Path, description = "Its name.")),
    responses((status = 204, description = "Deleted."), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn delete(asker: Asker, Segment(name): Segment) -> Result<StatusCode, ApiError> {
    asker.caller.require(Scope::Admin)?;
    saved::delete(&asker.desk(), &name, &asker.caller.subject).await?;
    Ok(StatusCode::NO_CONTENT)
}
