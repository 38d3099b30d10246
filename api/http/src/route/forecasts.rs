//! Forecasts that jobs made, and how the jobs fare.

use axum::Json as Reply;
use grid_finance::relation::Relation;
use serde_json::Value;

use super::anomalies::{FindingList, FindingParams, page_of};
use super::asker::Asker;
use crate::error::ApiError;
use crate::extract::{Params, Segment};
use crate::findings::jobs::jobs as read_jobs;
use crate::findings::list::{list as read, one};

/// When disks will be full and budgets spent, the soonest first.
#[utoipa::path(get, path = "/api/v1/forecasts", tag = "insight", params(FindingParams),
    responses((status = 200, description = "A page of forecasts.", body = FindingList)))]
pub(crate) async fn list(asker: Asker, Params(params): Params<FindingParams>) -> Result<Reply<FindingList>, ApiError> {
    let found = read(&asker.desk(), Relation::Forecasts, &params.ask()).await?;
    Ok(Reply(page_of(found.items, &params, "forecast_id")?))
}

/// One forecast.
#[utoipa::path(get, path = "/api/v1/forecasts/{id}", tag = "insight", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The forecast.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn get(asker: Asker, Segment(id): Segment) -> Result<Reply<Value>, ApiError> {
    Ok(Reply(one(&asker.desk(), Relation::Forecasts, &id).await?))
}

/// How the jobs fare that find anomalies, forecast and recommend.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "insight",
    responses((status = 200, description = "All jobs that ran, by name.", body = FindingList)))]
pub(crate) async fn jobs(asker: Asker) -> Result<Reply<FindingList>, ApiError> {
    let items = read_jobs(&asker.desk()).await?;
    Ok(Reply(FindingList { items, next_cursor: None }))
}
