//! Plans: what has to be done, in which order, why, and what it costs.

use axum::Json as Reply;
use axum::response::{IntoResponse, Response};
use grid_desk::PlanWish;
use http::header;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::{Actor, Items, OfEnvironment, page};
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment, from_json};

/// Plans, the youngest first.
#[utoipa::path(get, path = "/api/v1/plans", tag = "provisioning", params(OfEnvironment),
    responses((status = 200, description = "A page of plans.", body = Items)))]
pub(crate) async fn list(actor: Actor, Params(params): Params<OfEnvironment>) -> Result<Reply<Items>, ApiError> {
    page(actor.desk.plans(actor.tenant(), params.environment.as_deref()).await?, &params, "id")
}

/// Makes a plan: `environment`, and if wanted `only` (addresses), `undo` (a plan that is taken back) or `destroy` (the environment's name, once more).
#[utoipa::path(post, path = "/api/v1/plans", tag = "provisioning", request_body = Object,
    responses((status = 200, description = "The plan.", body = Object), (status = 422, description = "There is none.")))]
pub(crate) async fn post(actor: Actor, Json(body): Json<Value>) -> Result<Reply<Value>, ApiError> {
    let wish: PlanWish = from_json(body.to_string().as_bytes())?;
    let work = actor.desk.plan(actor.tenant(), &actor.by, wish);
    actor.once(&format!("POST plans {body}"), work).await
}

/// In which form.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Form {
    /// `summary` (the default), `json` (a superset of Terraform's plan format 1.2), `table` (text), `graph` (Graphviz).
    #[serde(default)]
    form: Option<String>,
}

/// One plan, by its id or as much of its beginning as names it.
#[utoipa::path(get, path = "/api/v1/plans/{id}", tag = "provisioning", params(("id" = String, Path, description = "Its id."), Form),
    responses((status = 200, description = "The plan.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn get(actor: Actor, Segment(id): Segment, Params(form): Params<Form>) -> Result<Response, ApiError> {
    let form = form.form.as_deref().unwrap_or("summary");
    Ok(match actor.desk.plan_shown(actor.tenant(), &id, form).await? {
        Value::String(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        value => Reply(value).into_response(),
    })
}

/// A second opinion on a plan: what deletes data, opens doors, costs much or cannot be taken back.
#[utoipa::path(get, path = "/api/v1/plans/{id}/lint", tag = "provisioning", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The findings, the heaviest first.", body = Items)))]
pub(crate) async fn lint(actor: Actor, Segment(id): Segment) -> Result<Reply<Items>, ApiError> {
    let found = actor.desk.lint(actor.tenant(), &id).await?;
    let items = found.as_array().cloned().unwrap_or_default();
    Ok(Reply(Items { items, next_cursor: None }))
}
