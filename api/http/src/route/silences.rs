//! Silences: seen by whoever may query, made and ended by whoever may administrate as well.

use axum::Json as Reply;
use axum::extract::State;
use grid_guard::{Caller, Scope};
use grid_notify::policy::matcher;
use grid_notify::policy::{Matcher, Silence, SilenceState};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::duration;
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment};
use crate::page::{PageParams, cut};
use crate::route::{parse_time, rfc3339};
use crate::state::ApiState;

/// Longest `Idempotency-Key`, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// The header `Idempotency-Key`: the same request with the same key makes one thing, however often it is sent.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().filter(|t| !t.is_empty() && t.len() <= KEY_BYTES_MAX);
    let bad = || ApiError::Parameter(format!("Idempotency-Key is 1 to {KEY_BYTES_MAX} visible characters"));
    text.map(Some).ok_or_else(bad)
}

/// A silence to make or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SilenceRequest {
    /// Matchers, all of which an alert must satisfy.
    #[schema(example = json!(["alertname=\"HighLatency\"", "service=~\"checkout|cart\""]))]
    matchers: Vec<String>,
    /// From when: RFC 3339 or seconds since 1970. Now if absent.
    starts_at: Option<String>,
    /// Until when. Either this or `duration`.
    ends_at: Option<String>,
    /// How long from its start.
    #[schema(example = "2h")]
    duration: Option<String>,
    /// Who wants it; the caller if absent.
    created_by: Option<String>,
    /// Why.
    comment: Option<String>,
}

/// A silence.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SilenceItem {
    /// Its name.
    id: String,
    /// `pending`, `active` or `expired`.
    state: &'static str,
    /// What it matches: all of them.
    matchers: Vec<String>,
    /// From when.
    starts_at: String,
    /// Until when.
    ends_at: String,
    /// Who made it.
    created_by: String,
    /// Why.
    comment: String,
    /// When it was last changed.
    updated_at: String,
}

/// Silences of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SilenceList {
    /// Those that hold, then those that will, then those that did; of each the newest first.
    items: Vec<SilenceItem>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// Which silences, and which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SilenceParams {
    /// Only silences in this state: `pending`, `active` or `expired`.
    state: Option<String>,
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the last answer.
    cursor: Option<String>,
}

fn show(silence: Silence, state: SilenceState) -> SilenceItem {
    SilenceItem {
        state: state.as_str(),
        matchers: silence.matchers.iter().map(ToString::to_string).collect(),
        starts_at: rfc3339(silence.starts_at),
        ends_at: rfc3339(silence.ends_at),
        created_by: silence.created_by,
        comment: silence.comment,
        updated_at: rfc3339(silence.updated_at),
        id: silence.id,
    }
}

/// All silences, expired ones for five days.
#[utoipa::path(get, path = "/api/v1/silences", tag = "alerts", params(SilenceParams),
    responses((status = 200, description = "The silences.", body = SilenceList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<SilenceParams>,
) -> Result<Reply<SilenceList>, ApiError> {
    let wanted = params.state.as_deref();
    if let Some(word) = wanted.filter(|w| !["pending", "active", "expired"].contains(w)) {
        return Err(ApiError::Parameter(format!("state is {word:?}, it must be pending, active or expired")));
    }
    let all = state.notifier()?.silences(&caller.tenant).await.into_iter();
    let some = all.filter(|(_, s)| wanted.is_none_or(|w| w == s.as_str())).map(|(s, of)| show(s, of)).collect();
    let page = PageParams { limit: params.limit, cursor: params.cursor };
    let (items, next_cursor) = cut(some, &page, |item: &SilenceItem| &item.id)?;
    Ok(Reply(SilenceList { items, next_cursor }))
}

/// A silence.
#[utoipa::path(get, path = "/api/v1/silences/{id}", tag = "alerts", params(("id" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The silence.", body = SilenceItem), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Reply<SilenceItem>, ApiError> {
    let (silence, of) = state.notifier()?.silence(&caller.tenant, &id).await?;
    Ok(Reply(show(silence, of)))
}

/// Makes a silence. With `Idempotency-Key`, the same request sent again makes no second one.
#[utoipa::path(post, path = "/api/v1/silences", tag = "alerts", request_body = SilenceRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key makes one silence.")),
    responses((status = 201, description = "The silence.", body = SilenceItem), (status = 422, description = "It makes no sense.")))]
pub(crate) async fn post(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Json(request): Json<SilenceRequest>,
) -> Result<(StatusCode, Reply<SilenceItem>), ApiError> {
    let key = idempotency_key(&headers)?;
    let item = write(&state, &caller, String::new(), request, key).await?;
    Ok((StatusCode::CREATED, Reply(item)))
}

/// Changes a silence. What it matched in the past stays on record: if more than its end changes, the old one ends and another, with
/// another name, takes its place.
#[utoipa::path(put, path = "/api/v1/silences/{id}", tag = "alerts", params(("id" = String, Path, description = "Its name.")), request_body = SilenceRequest,
    responses((status = 200, description = "The silence.", body = SilenceItem), (status = 404, description = "There is none of this name."), (status = 422, description = "It makes no sense.")))]
pub(crate) async fn put(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
    Json(request): Json<SilenceRequest>,
) -> Result<Reply<SilenceItem>, ApiError> {
    Ok(Reply(write(&state, &caller, id, request, None).await?))
}

async fn write(
    state: &ApiState,
    caller: &Caller,
    id: String,
    request: SilenceRequest,
    key: Option<&str>,
) -> Result<SilenceItem, ApiError> {
    caller.require(Scope::Admin)?;
    let notifier = state.notifier()?;
    let now = (state.clock)();
    let time = |name: &str, text: String| {
        parse_time(&text)
            .ok_or_else(|| ApiError::Parameter(format!("{name} is {text:?}, it must be RFC 3339 or seconds")))
    };
    let old = if id.is_empty() { None } else { Some(notifier.silence(&caller.tenant, &id).await?.0) };
    let starts_at = match request.starts_at {
        Some(text) => time("starts_at", text)?,
        // A change of the end alone leaves the start as it is.
        None => old.map_or(now, |old| old.starts_at),
    };
    let ends_at = match (request.ends_at, request.duration) {
        (Some(text), None) => time("ends_at", text)?,
        (None, Some(text)) => {
            let ns = duration::parse(&text)
                .ok_or_else(|| ApiError::Parameter(format!("duration is {text:?}, it must be like 2h")))?;
            starts_at.max(now).saturating_add(ns)
        }
        _ => return Err(ApiError::Parameter("one of ends_at and duration is needed".to_owned())),
    };
    let mut matchers: Vec<Matcher> = Vec::new();
    for text in &request.matchers {
        matchers.extend(matcher::parse(text).map_err(grid_notify::NotifyError::from)?);
    }
    let silence = Silence {
        id,
        matchers,
        starts_at,
        ends_at,
        created_by: request.created_by.filter(|c| !c.is_empty()).unwrap_or_else(|| caller.subject.clone()),
        comment: request.comment.unwrap_or_default(),
        updated_at: now,
    };
    let silence = notifier.put_silence(&caller.tenant, silence, key).await?;
    tracing::info!(tenant = %caller.tenant, silence = %silence.id, by = %caller.subject, "silence set");
    let of = silence.state(now);
    Ok(show(silence, of))
}

/// Ends a silence now; it stays on record.
#[utoipa::path(delete, path = "/api/v1/silences/{id}", tag = "alerts", params(("id" = String, Path, description = "Its name.")),
    responses((status = 204, description = "Ended."), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn expire(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<StatusCode, ApiError> {
    caller.require(Scope::Admin)?;
    state.notifier()?.expire_silence(&caller.tenant, &id).await?;
    tracing::info!(tenant = %caller.tenant, silence = %id, by = %caller.subject, "silence ended");
    Ok(StatusCode::NO_CONTENT)
}
