//! Provisioning: resource types, environments, plans, releases and their queues, scaling policies, accepted recommendations, and who did what. Reading needs
//! the scope query, changing the scope admin as well. Every change takes an `Idempotency-Key`.

pub mod types;
pub mod environments;
pub mod plans;
pub mod releases;
pub mod scaling;
pub mod actions;

use std::future::Future;

use axum::Json as Reply;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use grid_desk::{By, Desk, DeskError};
use grid_guard::{Caller, Scope};
use grid_model::TenantId;
use http::HeaderMap;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::page::{PageParams, cut};
use crate::state::ApiState;

/// Names who acts, where nobody has to say who she is: without tokens everybody may be anybody.
const ACTOR: &str = "x-grid-actor";
const ACTOR_BYTES_MAX: usize = 128;

/// Of which environment, and which page.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfEnvironment {
    /// Only of this environment.
    environment: Option<String>,
    /// Only in this state, where there are states.
    state: Option<String>,
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the last answer.
    cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Items {
    /// The items.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// What a person says beside what she does.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// Why.
    #[serde(default)]
    why: String,
}

/// Who acts, and by what right.
pub(crate) fn by(caller: &Caller, headers: &HeaderMap) -> By {
    let named = headers.get(ACTOR).and_then(|v| v.to_str().ok()).filter(|n| n.len() <= ACTOR_BYTES_MAX);
    let who = match named.map(str::trim) {
        Some(name) if caller.subject == "anonymous" && !name.is_empty() => name.to_owned(),
        _ => caller.subject.clone(),
    };
    By { who, allowed: format!("scope admin of {}", caller.subject) }
}

/// Whoever stands at the desk of provisioning: to look, or to change something.
pub(crate) struct Actor {
    desk: Desk,
    caller: Caller,
    /// Who is written down for a change.
    by: By,
    /// The header `Idempotency-Key`; one that is no text is an empty one, which the desk refuses.
    key: Option<String>,
}

impl Actor {
    fn tenant(&self) -> &TenantId {
        &self.caller.tenant
    }

    /// Does something, once for an idempotency key; `asked` is what was asked with it.
    async fn once<F>(&self, asked: &str, work: F) -> Result<Reply<Value>, ApiError>
    where
        F: Future<Output = Result<Value, DeskError>> + Send,
    {
        self.caller.require(Scope::Admin)?;
        Ok(Reply(Box::pin(self.desk.once(self.tenant(), self.key.as_deref(), asked, work)).await?))
    }
}

impl FromRequestParts<ApiState> for Actor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Response> {
        let caller = Caller::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let desk = state.desk.clone().ok_or(ApiError::NoDesk).map_err(IntoResponse::into_response)?;
        let by = by(&caller, &parts.headers);
        let key = parts.headers.get("idempotency-key").map(|v| v.to_str().unwrap_or_default().to_owned());
        Ok(Self { desk, caller, by, key })
    }
}

/// A page of items that are named by a field.
pub(crate) fn page(mut items: Vec<Value>, params: &OfEnvironment, key: &'static str) -> Result<Reply<Items>, ApiError> {
    if let Some(state) = &params.state {
        items.retain(|i| i["state"].as_str() == Some(state));
    }
    let page = PageParams { limit: params.limit, cursor: params.cursor.clone() };
    let (items, next_cursor) = cut(items, &page, |i| i[key].as_str().unwrap_or_default())?;
    Ok(Reply(Items { items, next_cursor }))
}
