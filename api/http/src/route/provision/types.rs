//! Resource types: what infrastructure is described with, and how far each is proven on each cloud.

use axum::Json as Reply;
use grid_types::tier::tier;
use grid_types::{Cloud, Tier, Type, find, json_schema, types};
use serde_json::{Value, json};

use super::Items;
use crate::error::ApiError;
use crate::extract::Segment;

fn shown(kind: &Type) -> Value {
    let tiers = Cloud::ALL.iter().map(|c| (c.name().to_owned(), json!(tier(&kind.name, *c).map(Tier::name))));
    json!({
        "name": kind.name,
        "version": kind.version,
        "about": kind.doc,
        "lever": kind.lever,
        "tiers": tiers.collect::<serde_json::Map<_, _>>(),
    })
}

/// All resource types, with the tier that tests have found for each cloud.
#[utoipa::path(get, path = "/api/v1/types", tag = "provisioning",
    responses((status = 200, description = "The types.", body = Items)))]
pub(crate) async fn list() -> Reply<Items> {
    Reply(Items { items: types().iter().map(shown).collect(), next_cursor: None })
}

/// One resource type, with the JSON Schema (2020-12) of its fields and with its outputs.
#[utoipa::path(get, path = "/api/v1/types/{name}", tag = "provisioning", params(("name" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The type.", body = Object), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn get(Segment(name): Segment) -> Result<Reply<Value>, ApiError> {
    let Some(kind) = find(&name) else { return Err(ApiError::NotFound { what: "resource type", id: name }) };
    let mut one = shown(kind);
    one["schema"] = json!(json_schema::of(kind));
    one["outputs"] = kind.outputs.iter().map(|o| json!({ "name": o.name, "about": o.doc })).collect();
    Ok(Reply(one))
}
