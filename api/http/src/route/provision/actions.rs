//! Accepted recommendations on their way, and who did what.

use axum::Json as Reply;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::{Actor, Items, OfEnvironment, page};
use crate::error::ApiError;
use crate::extract::{Params, Segment};

/// Accepted recommendations, the youngest first: how far each has come, what was predicted and what was saved.
#[utoipa::path(get, path = "/api/v1/actions", tag = "provisioning", params(OfEnvironment),
    responses((status = 200, description = "A page of actions.", body = Items)))]
pub(crate) async fn list(actor: Actor, Params(params): Params<OfEnvironment>) -> Result<Reply<Items>, ApiError> {
    page(actor.desk.actions(actor.tenant(), params.environment.as_deref()).await?, &params, "id")
}

/// One, by its recommendation.
#[utoipa::path(get, path = "/api/v1/actions/{id}", tag = "provisioning", params(("id" = String, Path, description = "The recommendation's id.")),
    responses((status = 200, description = "The action.", body = Object), (status = 404, description = "It was not accepted, or no environment has its resource.")))]
pub(crate) async fn get(actor: Actor, Segment(id): Segment) -> Result<Reply<Value>, ApiError> {
    Ok(Reply(actor.desk.action(actor.tenant(), &id).await?))
}

/// Which records.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParams {
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the last answer.
    cursor: Option<String>,
}

/// Who did what, when, and what allowed it; the newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "provisioning", params(AuditParams),
    responses((status = 200, description = "A page of records.", body = Items)))]
pub(crate) async fn audit(actor: Actor, Params(params): Params<AuditParams>) -> Result<Reply<Items>, ApiError> {
    let limit = params.limit.unwrap_or(100);
    if limit == 0 || limit > crate::page::LIMIT_MAX {
        return Err(ApiError::Parameter(format!("limit is {limit}, it must be 1 to {}", crate::page::LIMIT_MAX)));
    }
    let before = params.cursor.as_deref().map(|c| c.parse::<i64>().map_err(|_| ApiError::Cursor(c.to_owned())));
    let records = actor.desk.audit(actor.tenant(), before.transpose()?, limit).await?;
    let next_cursor = (records.len() == limit).then(|| records.last().map(|r| r.n.to_string())).flatten();
    Ok(Reply(Items { items: records.iter().map(|r| json!(r)).collect(), next_cursor }))
}
