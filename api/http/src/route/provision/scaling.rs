//! Scaling policies: kept, followed, and played on a history.

use axum::Json as Reply;
use grid_desk::{PolicyForm, SimulateForm, play};
use grid_guard::Scope;
use http::StatusCode;
use serde_json::Value;

use super::{Actor, Items, OfEnvironment, page};
use crate::error::ApiError;
use crate::extract::{Json, Params, Segments, from_json};

/// All policies with their last decisions.
#[utoipa::path(get, path = "/api/v1/scaling", tag = "provisioning", params(OfEnvironment),
    responses((status = 200, description = "The policies.", body = Items)))]
pub(crate) async fn list(actor: Actor, Params(params): Params<OfEnvironment>) -> Result<Reply<Items>, ApiError> {
    let mut items = actor.desk.policies(actor.tenant()).await?;
    if let Some(environment) = &params.environment {
        items.retain(|p| p["environment"].as_str() == Some(environment));
    }
    page(items, &params, "name")
}

/// Keeps a policy: `triggers` (schedule, event, metric, predictive), `min`, `max`, `target` and `path` (the field that it owns from then on), steps,
/// cooldowns, `dry_run`.
#[utoipa::path(put, path = "/api/v1/scaling/{environment}/{name}", tag = "provisioning", params(("environment" = String, Path, description = "Of which environment."), ("name" = String, Path, description = "Its name.")), request_body = Object,
    responses((status = 200, description = "The policy.", body = Object), (status = 409, description = "Somebody else writes that field.")))]
pub(crate) async fn put(
    actor: Actor,
    Segments((environment, name)): Segments<(String, String)>,
    Json(mut body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    body["environment"] = Value::from(environment);
    body["name"] = Value::from(name);
    let form: PolicyForm = from_json(body.to_string().as_bytes())?;
    let work = actor.desk.put_policy(actor.tenant(), &actor.by, form);
    actor.once(&format!("PUT scaling {body}"), work).await
}

/// Drops a policy: its field is people's again.
#[utoipa::path(delete, path = "/api/v1/scaling/{environment}/{name}", tag = "provisioning", params(("environment" = String, Path, description = "Of which environment."), ("name" = String, Path, description = "Its name.")),
    responses((status = 204, description = "Dropped."), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn delete(
    actor: Actor,
    Segments((environment, name)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    actor.caller.require(Scope::Admin)?;
    actor.desk.drop_policy(actor.tenant(), &environment, &name, &actor.by).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Plays a policy on a history, beside one that only reacts: `policy`, `step_s`, `demand`, `serves`, and if wanted `forecast`, `start`, `starts_s`,
/// `hourly`, `initial`.
#[utoipa::path(post, path = "/api/v1/scaling/simulate", tag = "provisioning", request_body = Object,
    responses((status = 200, description = "What each costs, and leaves unserved.", body = Object)))]
pub(crate) async fn simulate(Json(body): Json<Value>) -> Result<Reply<Value>, ApiError> {
    let form: SimulateForm = from_json(body.to_string().as_bytes())?;
    let played = tokio::task::spawn_blocking(move || play(&form)).await;
    Ok(Reply(played.map_err(|e| ApiError::Internal(e.to_string()))??))
}
