//! Environments: a blueprint, what differs from it, and what is there.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use grid_desk::{CloneWish, New, PlanWish, PromoteWish, ResourceAsk, Settings, Submission, Written};
use grid_guard::Caller;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{Items, OfEnvironment, Said, by, desk, done, page};
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment, Segments, from_json};
use crate::state::ApiState;

/// What a body says, by name; mistakes are told as of the body.
fn read<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T, ApiError> {
    from_json(body.to_string().as_bytes())
}

/// All environments.
#[utoipa::path(get, path = "/api/v1/environments", tag = "provisioning", params(OfEnvironment),
    responses((status = 200, description = "A page of environments.", body = Items)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<OfEnvironment>,
) -> Result<Reply<Items>, ApiError> {
    page(desk(&state)?.environments(&caller.tenant).await?, &params, "name")
}

/// Makes an environment of a spec: `name`, `spec` (its text), `format` (toml, yaml or json), `cloud`, and if wanted `region`, `currency`, `blueprint`,
/// `system`, `driver` (`dry-run` if absent), `existing` (ids of what is there already, by address), `settings`.
#[utoipa::path(post, path = "/api/v1/environments", tag = "provisioning", request_body = Object,
    responses((status = 200, description = "The environment.", body = Object), (status = 409, description = "There is one of this name."), (status = 422, description = "The spec is wrong.")))]
pub(crate) async fn post(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    let new: New = read(&body)?;
    let work = async {
        desk(&state)
            .map_err(|_| grid_desk::DeskError::Closed)?
            .create(&caller.tenant, &by(&caller, &headers), new)
            .await
    };
    done(&state, &caller, &headers, &format!("POST environments {body}"), work).await
}

/// One environment, with overrides, gates, policy, and what is there.
#[utoipa::path(get, path = "/api/v1/environments/{id}", tag = "provisioning", params(("id" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The environment.", body = Object), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Reply<Value>, ApiError> {
    Ok(Reply(desk(&state)?.environment(&caller.tenant, &id).await?))
}

/// Sets what is given: `gates`, `freezes`, `checks` (what its plans must not do), `heals` (what repairs itself), `policy`, `accepts` (what Grid accepts by itself where the policy is automatic), `budget`, `expires`, `rest`,
/// `verify_hours`, `usage`, `prices`; and with `spec` and `format` another blueprint. What is absent stays.
#[utoipa::path(put, path = "/api/v1/environments/{id}", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Object,
    responses((status = 200, description = "The environment.", body = Object), (status = 409, description = "A release is at work on it.")))]
pub(crate) async fn put(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segment(id): Segment,
    Json(mut body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    let asked = format!("PUT environments/{id} {body}");
    let (spec, format) = match body.as_object_mut() {
        Some(map) => (map.remove("spec"), map.remove("format")),
        None => (None, None),
    };
    let settings: Settings = read(&body)?;
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = async {
        if let Some(text) = spec.as_ref().and_then(Value::as_str) {
            let format = format.as_ref().and_then(Value::as_str).unwrap_or("yaml");
            let shown = desk.describe(&caller.tenant, &id, &by, text, format).await?;
            if settings == Settings::default() {
                return Ok(shown);
            }
        }
        desk.set(&caller.tenant, &id, &by, settings).await
    };
    done(&state, &caller, &headers, &asked, work).await
}

/// How it is confirmed.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Confirm {
    /// The environment's name, once more.
    #[serde(default)]
    confirm: String,
}

/// Destroys what an environment has, by a release; once nothing is left, a second call forgets the environment.
#[utoipa::path(delete, path = "/api/v1/environments/{id}", tag = "provisioning", params(("id" = String, Path, description = "Its name."), Confirm),
    responses((status = 200, description = "The release, or that it is forgotten.", body = Object), (status = 422, description = "It is protected, or not confirmed.")))]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segment(id): Segment,
    Params(confirm): Params<Confirm>,
) -> Result<Reply<Value>, ApiError> {
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = async {
        let wish = PlanWish { environment: id.clone(), destroy: Some(confirm.confirm), ..PlanWish::default() };
        let plan = desk.plan(&caller.tenant, &by, wish).await?;
        if plan["steps"].as_u64() == Some(0) && desk.forget(&caller.tenant, &id, &by).await? {
            return Ok(json!({ "environment": id, "forgotten": true }));
        }
        let submission = Submission {
            environment: id.clone(),
            plan: plan["id"].as_str().map(str::to_owned),
            note: "destroy".to_owned(),
            ..Submission::default()
        };
        let release = desk.submit(&caller.tenant, &by, submission).await?;
        Ok(json!({ "environment": id, "forgotten": false, "release": release }))
    };
    done(&state, &caller, &headers, &format!("DELETE environments/{id}"), work).await
}

/// Makes a second environment like this one: `name`, and if wanted `overrides`, `budget`, `expires`, `with_tuning`.
#[utoipa::path(post, path = "/api/v1/environments/{id}/clone", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Object,
    responses((status = 200, description = "The clone.", body = Object), (status = 409, description = "A name is taken.")))]
pub(crate) async fn clone(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segment(id): Segment,
    Json(body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    let wish: CloneWish = read(&body)?;
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = desk.clone_of(&caller.tenant, &id, &by, wish);
    done(&state, &caller, &headers, &format!("clone {id} {body}"), work).await
}

/// Takes overrides over into another environment: `to`, and if wanted `only`, `stay`, `overrules`, `dry_run`.
#[utoipa::path(post, path = "/api/v1/environments/{id}/promote", tag = "provisioning", params(("id" = String, Path, description = "The environment that they are taken from.")), request_body = Object,
    responses((status = 200, description = "What is written, overruled and kept back.", body = Object)))]
pub(crate) async fn promote(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segment(id): Segment,
    Json(body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    let wish: PromoteWish = read(&body)?;
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = desk.promote(&caller.tenant, &id, &by, wish);
    done(&state, &caller, &headers, &format!("promote {id} {body}"), work).await
}

/// Writes one override: `target`, `path`, `to` (absent leaves the field out), `why`; or takes one back with `take_back`.
#[utoipa::path(post, path = "/api/v1/environments/{id}/override", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Object,
    responses((status = 200, description = "The environment.", body = Object), (status = 409, description = "Somebody else writes that field.")))]
pub(crate) async fn write(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segment(id): Segment,
    Json(body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    let written: Written = read(&body)?;
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = desk.write(&caller.tenant, &id, &by, written);
    done(&state, &caller, &headers, &format!("override {id} {body}"), work).await
}

/// Sends an environment to sleep, by a release: what costs by the hour rests, data stay.
#[utoipa::path(post, path = "/api/v1/environments/{id}/hibernate", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Said,
    responses((status = 200, description = "The release.", body = Object)))]
pub(crate) async fn hibernate(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segment(id): Segment,
    Json(said): Json<Said>,
) -> Result<Reply<Value>, ApiError> {
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = desk.sleep(&caller.tenant, &id, &by, true, &said.why);
    done(&state, &caller, &headers, &format!("hibernate {id}"), work).await
}

/// Wakes an environment, by a release.
#[utoipa::path(post, path = "/api/v1/environments/{id}/wake", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Said,
    responses((status = 200, description = "The release.", body = Object)))]
pub(crate) async fn wake(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segment(id): Segment,
    Json(said): Json<Said>,
) -> Result<Reply<Value>, ApiError> {
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = desk.sleep(&caller.tenant, &id, &by, false, &said.why);
    done(&state, &caller, &headers, &format!("wake {id}"), work).await
}

/// Whether it is protected.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Protection {
    /// Whether it is to be protected.
    on: bool,
}

/// Protects an environment from being destroyed, or no longer.
#[utoipa::path(post, path = "/api/v1/environments/{id}/protect", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Protection,
    responses((status = 200, description = "The environment.", body = Object)))]
pub(crate) async fn protect(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segment(id): Segment,
    Json(body): Json<Protection>,
) -> Result<Reply<Value>, ApiError> {
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = desk.protect(&caller.tenant, &id, &by, body.on);
    done(&state, &caller, &headers, &format!("protect {id} {}", body.on), work).await
}

/// How two environments differ, and who made them differ.
#[utoipa::path(get, path = "/api/v1/environments/{id}/compare/{other}", tag = "provisioning", params(("id" = String, Path, description = "The first."), ("other" = String, Path, description = "The second.")),
    responses((status = 200, description = "The differences.", body = Items)))]
pub(crate) async fn compare(
    State(state): State<ApiState>,
    caller: Caller,
    Segments((id, other)): Segments<(String, String)>,
) -> Result<Reply<Items>, ApiError> {
    let items = desk(&state)?.compare(&caller.tenant, &id, &other).await?;
    Ok(Reply(Items { items, next_cursor: None }))
}

/// What to do about drift.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriftWish {
    /// Whether what is there becomes what is known, so that the next plan sets it right.
    #[serde(default)]
    accept: bool,
}

/// Reads what is there from the driver, and tells what has moved, ranked by risk and money.
#[utoipa::path(post, path = "/api/v1/environments/{id}/drift", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = DriftWish,
    responses((status = 200, description = "What has moved.", body = Object)))]
pub(crate) async fn drift(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segment(id): Segment,
    Json(wish): Json<DriftWish>,
) -> Result<Reply<Value>, ApiError> {
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = async { Ok(json!({ "items": desk.drift(&caller.tenant, &id, &by, wish.accept).await? })) };
    done(&state, &caller, &headers, &format!("drift {id} {}", wish.accept), work).await
}

/// What is taken over.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportWish {
    /// The cloud's ids by address.
    resources: BTreeMap<String, String>,
}

/// Takes over what exists already: answers the plan that is left, and `import` blocks for Terraform.
#[utoipa::path(post, path = "/api/v1/environments/{id}/import", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = ImportWish,
    responses((status = 200, description = "What was taken over.", body = Object)))]
pub(crate) async fn import(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Segment(id): Segment,
    Json(wish): Json<ImportWish>,
) -> Result<Reply<Value>, ApiError> {
    let (desk, by) = (desk(&state)?, by(&caller, &headers));
    let work = desk.import(&caller.tenant, &id, &by, &wish.resources);
    done(&state, &caller, &headers, &format!("import {id} {:?}", wish.resources), work).await
}

/// Which resources, and which page.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResourceParams {
    /// Only of this environment.
    environment: Option<String>,
    /// Only of this kind, such as `vm`.
    kind: Option<String>,
    /// Only in this region.
    region: Option<String>,
    /// Only those that an environment has (`true`), or only those that none has (`false`).
    owned: Option<bool>,
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the last answer.
    cursor: Option<String>,
}

/// What environments have, and what else their drivers have found in the accounts that they work in (`environment` is null then). In SQL: `resources`.
#[utoipa::path(get, path = "/api/v1/resources", tag = "provisioning", params(ResourceParams),
    responses((status = 200, description = "A page of resources.", body = Items)))]
pub(crate) async fn resources(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<ResourceParams>,
) -> Result<Reply<Items>, ApiError> {
    let ResourceParams { environment, kind, region, owned, limit, cursor } = params;
    let ask = ResourceAsk { environment, kind, region, owned };
    let items = desk(&state)?.resources(&caller.tenant, &ask).await?;
    page(items, &OfEnvironment { limit, cursor, ..OfEnvironment::default() }, "name")
}
