//! How things are used, as the job `patterns` found.

use axum::Json as Reply;
use grid_finance::relation::Relation;
use serde_json::Value;

use super::anomalies::{FindingList, FindingParams, page_of};
use super::asker::Asker;
use crate::error::ApiError;
use crate::extract::{Params, Segment};
use crate::findings::list::{list as read, one};

/// How machines, workloads and services are used: the rhythm of each, which are alike, and what drives them.
#[utoipa::path(get, path = "/api/v1/patterns", tag = "insight", params(FindingParams),
    responses((status = 200, description = "A page of patterns, by subject.", body = FindingList)))]
pub(crate) async fn list(asker: Asker, Params(params): Params<FindingParams>) -> Result<Reply<FindingList>, ApiError> {
    let found = read(&asker.desk(), Relation::Patterns, &params.ask()).await?;
    Ok(Reply(page_of(found.items, &params, "pattern_id")?))
}

/// One pattern.
#[utoipa::path(get, path = "/api/v1/patterns/{id}", tag = "insight", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The pattern.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn get(asker: Asker, Segment(id): Segment) -> Result<Reply<Value>, ApiError> {
    Ok(Reply(one(&asker.desk(), Relation::Patterns, &id).await?))
}
