//! Environments: a blueprint, what differs from it, and what is there.

use std::collections::BTreeMap;

use axum::Json as Reply;
use grid_desk::{CloneWish, New, PlanWish, PromoteWish, ResourceAsk, Settings, Submission, Written};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{Actor, Items, OfEnvironment, Said, page};
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment, Segments, from_json};

/// What a body says, by name; mistakes are told as of the body.
fn read<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T, ApiError> {
    from_json(body.to_string().as_bytes())
}

/// All environments.
#[utoipa::path(get, path = "/api/v1/environments", tag = "provisioning", params(OfEnvironment),
    responses((status = 200, description = "A page of environments.", body = Items)))]
pub(crate) async fn list(actor: Actor, Params(params): Params<OfEnvironment>) -> Result<Reply<Items>, ApiError> {
    page(actor.desk.environments(actor.tenant()).await?, &params, "name")
}

/// Makes an environment of a spec: `name`, `spec` (its text), `format` (toml, yaml or json), `cloud`, and if wanted `region`, `currency`, `blueprint`,
/// `system`, `driver` (`dry-run` if absent), `existing` (ids of what is there already, by address), `settings`.
#[utoipa::path(post, path = "/api/v1/environments", tag = "provisioning", request_body = Object,
    responses((status = 200, description = "The environment.", body = Object), (status = 409, description = "There is one of this name."), (status = 422, description = "The spec is wrong.")))]
pub(crate) async fn post(actor: Actor, Json(body): Json<Value>) -> Result<Reply<Value>, ApiError> {
    let new: New = read(&body)?;
    let work = actor.desk.create(actor.tenant(), &actor.by, new);
    actor.once(&format!("POST environments {body}"), work).await
}

/// One environment, with overrides, gates, policy, and what is there.
#[utoipa::path(get, path = "/api/v1/environments/{id}", tag = "provisioning", params(("id" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The environment.", body = Object), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn get(actor: Actor, Segment(id): Segment) -> Result<Reply<Value>, ApiError> {
    Ok(Reply(actor.desk.environment(actor.tenant(), &id).await?))
}

/// Sets what is given: `gates`, `freezes`, `checks` (what its plans must not do), `heals` (what repairs itself), `policy`, `accepts` (what Grid accepts by itself where the policy is automatic), `budget`, `expires`, `rest`,
/// `verify_hours`, `usage`, `prices`; and with `spec` and `format` another blueprint. What is absent stays.
#[utoipa::path(put, path = "/api/v1/environments/{id}", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Object,
    responses((status = 200, description = "The environment.", body = Object), (status = 409, description = "A release is at work on it.")))]
pub(crate) async fn put(
    actor: Actor,
    Segment(id): Segment,
    Json(mut body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    let asked = format!("PUT environments/{id} {body}");
    let (spec, format) = match body.as_object_mut() {
        Some(map) => (map.remove("spec"), map.remove("format")),
        None => (None, None),
    };
    let settings: Settings = read(&body)?;
    let work = async {
        if let Some(text) = spec.as_ref().and_then(Value::as_str) {
            let format = format.as_ref().and_then(Value::as_str).unwrap_or("yaml");
            let shown = actor.desk.describe(actor.tenant(), &id, &actor.by, text, format).await?;
            if settings == Settings::default() {
                return Ok(shown);
            }
        }
        actor.desk.set(actor.tenant(), &id, &actor.by, settings).await
    };
    actor.once(&asked, work).await
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
    actor: Actor,
    Segment(id): Segment,
    Params(confirm): Params<Confirm>,
) -> Result<Reply<Value>, ApiError> {
    let work = async {
        let wish = PlanWish { environment: id.clone(), destroy: Some(confirm.confirm), ..PlanWish::default() };
        let plan = actor.desk.plan(actor.tenant(), &actor.by, wish).await?;
        if plan["steps"].as_u64() == Some(0) && actor.desk.forget(actor.tenant(), &id, &actor.by).await? {
            return Ok(json!({ "environment": id, "forgotten": true }));
        }
        let submission = Submission {
            environment: id.clone(),
            plan: plan["id"].as_str().map(str::to_owned),
            note: "destroy".to_owned(),
            ..Submission::default()
        };
        let release = actor.desk.submit(actor.tenant(), &actor.by, submission).await?;
        Ok(json!({ "environment": id, "forgotten": false, "release": release }))
    };
    actor.once(&format!("DELETE environments/{id}"), work).await
}

/// Makes a second environment like this one: `name`, and if wanted `overrides`, `budget`, `expires`, `with_tuning`.
#[utoipa::path(post, path = "/api/v1/environments/{id}/clone", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Object,
    responses((status = 200, description = "The clone.", body = Object), (status = 409, description = "A name is taken.")))]
pub(crate) async fn clone(
    actor: Actor,
    Segment(id): Segment,
    Json(body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    let wish: CloneWish = read(&body)?;
    let work = actor.desk.clone_of(actor.tenant(), &id, &actor.by, wish);
    actor.once(&format!("clone {id} {body}"), work).await
}

/// Takes overrides over into another environment: `to`, and if wanted `only`, `stay`, `overrules`, `dry_run`.
#[utoipa::path(post, path = "/api/v1/environments/{id}/promote", tag = "provisioning", params(("id" = String, Path, description = "The environment that they are taken from.")), request_body = Object,
    responses((status = 200, description = "What is written, overruled and kept back.", body = Object)))]
pub(crate) async fn promote(
    actor: Actor,
    Segment(id): Segment,
    Json(body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    let wish: PromoteWish = read(&body)?;
    let work = actor.desk.promote(actor.tenant(), &id, &actor.by, wish);
    actor.once(&format!("promote {id} {body}"), work).await
}

/// Writes one override: `target`, `path`, `to` (absent leaves the field out), `why`; or takes one back with `take_back`.
#[utoipa::path(post, path = "/api/v1/environments/{id}/override", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Object,
    responses((status = 200, description = "The environment.", body = Object), (status = 409, description = "Somebody else writes that field.")))]
pub(crate) async fn write(
    actor: Actor,
    Segment(id): Segment,
    Json(body): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    let written: Written = read(&body)?;
    let work = actor.desk.write(actor.tenant(), &id, &actor.by, written);
    actor.once(&format!("override {id} {body}"), work).await
}

/// Sends an environment to sleep, by a release: what costs by the hour rests, data stay.
#[utoipa::path(post, path = "/api/v1/environments/{id}/hibernate", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Said,
    responses((status = 200, description = "The release.", body = Object)))]
pub(crate) async fn hibernate(
    actor: Actor,
    Segment(id): Segment,
    Json(said): Json<Said>,
) -> Result<Reply<Value>, ApiError> {
    let work = actor.desk.sleep(actor.tenant(), &id, &actor.by, true, &said.why);
    actor.once(&format!("hibernate {id}"), work).await
}

/// Wakes an environment, by a release.
#[utoipa::path(post, path = "/api/v1/environments/{id}/wake", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Said,
    responses((status = 200, description = "The release.", body = Object)))]
pub(crate) async fn wake(actor: Actor, Segment(id): Segment, Json(said): Json<Said>) -> Result<Reply<Value>, ApiError> {
    let work = actor.desk.sleep(actor.tenant(), &id, &actor.by, false, &said.why);
    actor.once(&format!("wake {id}"), work).await
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
    actor: Actor,
    Segment(id): Segment,
    Json(body): Json<Protection>,
) -> Result<Reply<Value>, ApiError> {
    let work = actor.desk.protect(actor.tenant(), &id, &actor.by, body.on);
    actor.once(&format!("protect {id} {}", body.on), work).await
}

/// How two environments differ, and who made them differ.
#[utoipa::path(get, path = "/api/v1/environments/{id}/compare/{other}", tag = "provisioning", params(("id" = String, Path, description = "The first."), ("other" = String, Path, description = "The second.")),
    responses((status = 200, description = "The differences.", body = Items)))]
pub(crate) async fn compare(
    actor: Actor,
    Segments((id, other)): Segments<(String, String)>,
) -> Result<Reply<Items>, ApiError> {
    let items = actor.desk.compare(actor.tenant(), &id, &other).await?;
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
    actor: Actor,
    Segment(id): Segment,
    Json(wish): Json<DriftWish>,
) -> Result<Reply<Value>, ApiError> {
    let work = async { Ok(json!({ "items": actor.desk.drift(actor.tenant(), &id, &actor.by, wish.accept).await? })) };
    actor.once(&format!("drift {id} {}", wish.accept), work).await
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
    actor: Actor,
    Segment(id): Segment,
    Json(wish): Json<ImportWish>,
) -> Result<Reply<Value>, ApiError> {
    let work = actor.desk.import(actor.tenant(), &id, &actor.by, &wish.resources);
    actor.once(&format!("import {id} {:?}", wish.resources), work).await
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
pub(crate) async fn resources(actor: Actor, Params(params): Params<ResourceParams>) -> Result<Reply<Items>, ApiError> {
    let ResourceParams { environment, kind, region, owned, limit, cursor } = params;
    let ask = ResourceAsk { environment, kind, region, owned };
    let items = actor.desk.resources(actor.tenant(), &ask).await?;
    page(items, &OfEnvironment { limit, cursor, ..OfEnvironment::default() }, "name")
}
