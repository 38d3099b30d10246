//! Scaling policies: kept, followed, and played on a history.

use axum::Json as Reply;
use axum::extract::State;
use grid_desk::{PolicyForm, SimulateForm, play};
use grid_guard::{Caller, Scope};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{Items, OfEnvironment, by, desk, done, page};
use crate::error::ApiError;
use crate::extract::{Json, Params, Segments, from_json};
use crate::state::ApiState;

/// All policies with their last decisions.
#[utoipa::path(get, path = "/api/v1/scaling", tag = "provisioning", params(OfEnvironment),
    responses((status = 200, description = "The policies.", body = Items)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<OfEnvironment>,
) -> Result<Reply<Items>, ApiError> {
    let mut items = desk(&state)?.policies(&caller.tenant).await?;
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
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segments((environment, name)): Segments<(String, String)>,
    Json(mut body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    body["environment"] = Value::from(environment);
    body["name"] = Value::from(name);
    let form: PolicyForm = from_json(body.to_string().as_bytes())?;
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = desk.put_policy(&caller.tenant, &by, form);
    done(&state, &caller, &headers, &format!("PUT scaling {body}"), work).await
}

/// Drops a policy: its field is people's again.
#[utoipa::path(delete, path = "/api/v1/scaling/{environment}/{name}", tag = "provisioning", params(("environment" = String, Path, description = "Of which environment."), ("name" = String, Path, description = "Its name.")),
    responses((status = 204, description = "Dropped."), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segments((environment, name)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    caller.require(Scope::Admin)?;
    desk(&state)?.drop_policy(&caller.tenant, &environment, &name, &by(&caller, &headers)).await?;
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
