//! Tokens: made, listed, revoked. A token never gives away more than it holds.

use axum::extract::State;
use axum::{Extension, Json as Reply};
use grid_guard::layer::Holds;
use grid_guard::{Caller, NewToken, Scopes, Tenants, TokenInfo};
use grid_model::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::duration;
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment};
use crate::page::{PageParams, cut};
use crate::route::{parse_time, rfc3339};
use crate::state::ApiState;

/// A token without its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Token {
    /// The first digits of the token, by which it is revoked.
    #[schema(example = "9f86d081884c")]
    id: String,
    /// For humans.
    name: String,
    /// For which tenants; `*` = all.
    tenants: Vec<String>,
    /// For what.
    #[schema(example = json!(["ingest"]))]
    scopes: Vec<&'static str>,
    /// When it was made.
    created: String,
    /// When it was last seen, to a minute.
    last_used: Option<String>,
    /// When it ends.
    expires: Option<String>,
}

/// Tokens that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenList {
    /// The tokens, oldest first.
    items: Vec<Token>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// For humans.
    #[schema(example = "collector in eu-west-1")]
    name: String,
    /// For which tenants; the request's tenant if absent, `["*"]` = all.
    tenants: Option<Vec<String>>,
    /// Any of `ingest`, `query`, `admin`.
    #[schema(example = json!(["ingest"]))]
    scopes: Vec<String>,
    /// When it ends: RFC 3339, or a duration from now. Never, if absent.
    #[schema(example = "90d")]
    expires: Option<String>,
}

/// A token just made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenMade {
    /// The whole token. It is shown here and never again.
    token: String,
    /// What it is.
    #[serde(flatten)]
    info: Token,
}

fn show(info: TokenInfo) -> Token {
    Token {
        id: info.id,
        name: info.name,
        tenants: info.tenants.to_string().split(',').map(str::to_owned).collect(),
        scopes: info.scopes.iter().map(grid_guard::Scope::as_str).collect(),
        created: rfc3339(info.created),
        last_used: info.last_used.map(rfc3339),
        expires: info.expires.map(rfc3339),
    }
}

/// Tokens whose tenants the caller holds.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(PageParams),
    responses((status = 200, description = "The tokens, without their secrets.", body = TokenList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Extension(holds): Extension<Holds>,
    Params(page): Params<PageParams>,
) -> Result<Reply<TokenList>, ApiError> {
    let all = state.guard.tokens().await?;
    let visible = all.into_iter().filter(|t| holds.0.contains_all(&t.tenants)).map(show).collect();
    let (items, next_cursor) = cut(visible, &page, |t: &Token| &t.id)?;
    Ok(Reply(TokenList { items, next_cursor }))
}

/// Makes a token. Its tenants and scopes must be among the caller's own.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenRequest,
    responses((status = 201, description = "The token, shown this once.", body = TokenMade),
        (status = 403, description = "It would grant more than the caller holds.")))]
pub(crate) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Extension(holds): Extension<Holds>,
    Json(request): Json<TokenRequest>,
) -> Result<(StatusCode, Reply<TokenMade>), ApiError> {
    let scopes = Scopes::parse(&request.scopes.join(","))
        .map_err(|word| ApiError::Parameter(format!("there is no scope {word:?}; scopes are ingest, query, admin")))?;
    let tenants = match &request.tenants {
        None => Tenants::Only(vec![caller.tenant.clone()]),
        Some(names) => Tenants::parse(names.iter().map(String::as_str))
            .map_err(|e| ApiError::Parameter(format!("tenants: {e}")))?,
    };
    if !holds.0.contains_all(&tenants) {
        return Err(ApiError::Exceeds(format!("you hold the tenants {}, not all of {tenants}", holds.0)));
    }
    if !caller.scopes.contains_all(scopes) {
        return Err(ApiError::Exceeds(format!("you hold the scopes {}, not all of {scopes}", caller.scopes)));
    }
    let expires = match request.expires.as_deref() {
        None => None,
        Some(text) => Some(expiry(text, (state.clock)()).ok_or_else(|| {
            ApiError::Parameter(format!(
                "expires is {text:?}, it must be a time as in RFC 3339 or a duration such as 90d"
            ))
        })?),
    };
    let issued = state.guard.issue(NewToken { name: request.name, tenants, scopes, expires }).await?;
    Ok((StatusCode::CREATED, Reply(TokenMade { token: issued.secret, info: show(issued.info) })))
}

/// Revokes a token at once.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path, description = "The token's id.")),
    responses((status = 204, description = "It is worthless now."), (status = 404, description = "There is no such token.")))]
pub(crate) async fn revoke(
    State(state): State<ApiState>,
    Extension(holds): Extension<Holds>,
    Segment(id): Segment,
) -> Result<StatusCode, ApiError> {
    let found = state.guard.tokens().await?.into_iter().find(|t| t.id == id);
    // A token that the caller may not see does not exist for her.
    if !found.is_some_and(|t| holds.0.contains_all(&t.tenants)) || !state.guard.revoke(&id).await? {
        return Err(ApiError::NotFound { what: "token", id });
    }
    Ok(StatusCode::NO_CONTENT)
}

fn expiry(text: &str, now: Timestamp) -> Option<Timestamp> {
    duration::parse(text).map(|ns| now.saturating_add(ns)).or_else(|| parse_time(text))
}
