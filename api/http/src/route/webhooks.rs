//! Webhooks: receivers that a tenant makes for itself. Seen by whoever may query, changed by whoever may administrate as well. A secret
//! is shown once, when it is made.

use axum::Json as Reply;
use axum::extract::State;
use grid_guard::{Caller, Scope};
use grid_model::Timestamp;
use grid_notify::{Notifier, Webhook, WebhookSetting};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::duration;
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment};
use crate::page::{PageParams, cut};
use crate::route::rfc3339;
use crate::route::silences::idempotency_key;
use crate::state::ApiState;

/// A webhook to make or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookRequest {
    /// The receiver's name in messages.
    #[schema(example = "ops")]
    name: String,
    /// Where it listens: a public address, or one of `alerting.webhook_networks`.
    #[schema(example = "https://ops.example/alerts")]
    url: String,
    /// Which alerts: matchers, all of which they must satisfy. All alerts if absent.
    #[serde(default)]
    #[schema(example = json!(["severity=\"critical\""]))]
    matchers: Vec<String>,
    /// Labels by which alerts are grouped; `["..."]`: every alert by itself. `["alertname"]` if absent.
    group_by: Option<Vec<String>>,
    /// How long a new group waits for more of its kind; 30s if absent.
    #[schema(example = "30s")]
    group_wait: Option<String>,
    /// How long until a group that was told tells of changes; 5m if absent.
    group_interval: Option<String>,
    /// How long until it is told again that nothing has changed; 4h if absent.
    repeat_interval: Option<String>,
    /// Whether it is told of resolved alerts too; yes if absent.
    send_resolved: Option<bool>,
    /// Most alerts of one message; 0 = as many as any message may have.
    #[serde(default)]
    max_alerts: usize,
    /// Whether it is told of anything; yes if absent.
    enabled: Option<bool>,
    /// The secret that signs, `whsec_` and base64 of 24 to 64 bytes. Only when it is made: absent, one is made and shown once.
    secret: Option<String>,
}

/// A webhook, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookItem {
    /// Its name.
    id: String,
    /// The receiver's name in messages.
    name: String,
    /// Where it listens.
    url: String,
    /// Which alerts.
    matchers: Vec<String>,
    /// Labels by which they are grouped.
    group_by: Vec<String>,
    /// How long a new group waits.
    group_wait: String,
    /// How long until changes are told.
    group_interval: String,
    /// How long until nothing new is told again.
    repeat_interval: String,
    /// Whether it is told of resolved alerts.
    send_resolved: bool,
    /// Most alerts of one message.
    max_alerts: usize,
    /// Whether it is told of anything.
    enabled: bool,
    /// Why Grid turned it off, if it did.
    disabled_because: Option<String>,
    /// What names it in deliveries.
    #[schema(example = "webhook/6f1c3a9e2b7d4c5f8a0e1b2c")]
    target: String,
    /// How many secrets sign: two for a day after a change.
    secrets: usize,
    /// Counted from 1.
    version: u64,
    /// When it was made.
    created: String,
    /// When it was last changed.
    updated: String,
    /// Who changed it last.
    author: String,
}

/// A webhook with the secret that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookMade {
    /// The secret that signs. It is shown here and never again; absent if the request was a repetition.
    secret: Option<String>,
    /// What it is.
    #[serde(flatten)]
    webhook: WebhookItem,
}

/// Webhooks of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookList {
    /// The webhooks, by id.
    items: Vec<WebhookItem>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// Another secret.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretRequest {
    /// The secret, `whsec_` and base64 of 24 to 64 bytes; absent: one is made.
    secret: Option<String>,
}

/// How a test went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookTried {
    /// Whether the receiver took it.
    delivered: bool,
    /// The status of its answer, if there was one.
    status: Option<u16>,
    /// What went wrong.
    error: Option<String>,
    /// The header `webhook-id` that was sent.
    message_id: String,
}

fn show(webhook: Webhook, now: Timestamp) -> WebhookItem {
    let (target, secrets) = (webhook.target(), webhook.secrets_at(now));
    let Webhook { id, setting, version, created_ns, updated_ns, author, disabled_because, .. } = webhook;
    let span = |ns: i64| if ns == 0 { "0s".to_owned() } else { duration::format(ns) };
    WebhookItem {
        id,
        target,
        secrets,
        group_wait: span(setting.wait_ns),
        group_interval: span(setting.interval_ns),
        repeat_interval: span(setting.repeat_ns),
        name: setting.name,
        url: setting.url,
        matchers: setting.matchers,
        group_by: setting.group_by,
        send_resolved: setting.send_resolved,
        max_alerts: setting.max_alerts,
        enabled: setting.enabled,
        disabled_because,
        version,
        created: rfc3339(Timestamp(created_ns)),
        updated: rfc3339(Timestamp(updated_ns)),
        author,
    }
}

fn setting(request: WebhookRequest) -> Result<(WebhookSetting, Option<String>), ApiError> {
    let mut setting = WebhookSetting::new(request.name, request.url);
    let spans = [
        ("group_wait", request.group_wait, &mut setting.wait_ns),
        ("group_interval", request.group_interval, &mut setting.interval_ns),
        ("repeat_interval", request.repeat_interval, &mut setting.repeat_ns),
    ];
    for (name, text, ns) in spans {
        let Some(text) = text else { continue };
        let zero = ["0", "0s"].contains(&text.as_str()).then_some(0);
        let bad = || ApiError::Parameter(format!("{name} is {text:?}, it must be a duration like 5m"));
        *ns = zero.or_else(|| duration::parse(&text)).ok_or_else(bad)?;
    }
    setting.matchers = request.matchers;
    setting.group_by = request.group_by.unwrap_or(setting.group_by);
    setting.send_resolved = request.send_resolved.unwrap_or(true);
    setting.max_alerts = request.max_alerts;
    setting.enabled = request.enabled.unwrap_or(true);
    Ok((setting, request.secret))
}

/// All webhooks.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "alerts", params(PageParams),
    responses((status = 200, description = "The webhooks, without their secrets.", body = WebhookList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Reply<WebhookList>, ApiError> {
    let now = (state.clock)();
    let all = state.notifier()?.webhooks(&caller.tenant).await.into_iter().map(|w| show(w, now)).collect();
    let (items, next_cursor) = cut(all, &page, |item: &WebhookItem| &item.id)?;
    Ok(Reply(WebhookList { items, next_cursor }))
}

/// A webhook.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "alerts", params(("id" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The webhook, without its secret.", body = WebhookItem), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Reply<WebhookItem>, ApiError> {
    Ok(Reply(show(state.notifier()?.webhook(&caller.tenant, &id).await?, (state.clock)())))
}

/// Makes a webhook. With `Idempotency-Key`, the same request sent again makes no second one and shows no secret again.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "alerts", request_body = WebhookRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key makes one webhook.")),
    responses((status = 201, description = "The webhook, and its secret this once.", body = WebhookMade), (status = 422, description = "It makes no sense.")))]
pub(crate) async fn post(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Json(request): Json<WebhookRequest>,
) -> Result<(StatusCode, Reply<WebhookMade>), ApiError> {
    caller.require(Scope::Admin)?;
    let key = idempotency_key(&headers)?;
    let (setting, secret) = setting(request)?;
    let made = state.notifier()?.add_webhook(&caller.tenant, setting, secret.as_deref(), &caller.subject, key).await;
    let (webhook, secret) = made?;
    tracing::info!(tenant = %caller.tenant, webhook = %webhook.id, by = %caller.subject, "webhook made");
    Ok((StatusCode::CREATED, Reply(WebhookMade { secret, webhook: show(webhook, (state.clock)()) })))
}

/// Changes a webhook; its secret stays.
#[utoipa::path(put, path = "/api/v1/webhooks/{id}", tag = "alerts", params(("id" = String, Path, description = "Its name.")), request_body = WebhookRequest,
    responses((status = 200, description = "The webhook.", body = WebhookItem), (status = 404, description = "There is none of this name."), (status = 422, description = "It makes no sense.")))]
pub(crate) async fn put(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
    Json(request): Json<WebhookRequest>,
) -> Result<Reply<WebhookItem>, ApiError> {
    caller.require(Scope::Admin)?;
    let (setting, secret) = setting(request)?;
    if secret.is_some() {
        return Err(ApiError::Parameter("a secret is changed by POST /api/v1/webhooks/{id}/secret".to_owned()));
    }
    let webhook = state.notifier()?.change_webhook(&caller.tenant, &id, setting, &caller.subject).await?;
    tracing::info!(tenant = %caller.tenant, webhook = %id, by = %caller.subject, "webhook changed");
    Ok(Reply(show(webhook, (state.clock)())))
}

/// Deletes a webhook. What waits for it becomes dead letters.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "alerts", params(("id" = String, Path, description = "Its name.")),
    responses((status = 204, description = "Deleted."), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<StatusCode, ApiError> {
    caller.require(Scope::Admin)?;
    state.notifier()?.delete_webhook(&caller.tenant, &id).await?;
    tracing::info!(tenant = %caller.tenant, webhook = %id, by = %caller.subject, "webhook deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a webhook another secret, shown this once. For a day both sign, so that the receiver can change over without a gap.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/secret", tag = "alerts", params(("id" = String, Path, description = "Its name.")), request_body = SecretRequest,
    responses((status = 200, description = "The webhook, and its secret this once.", body = WebhookMade), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn rotate(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
    Json(request): Json<SecretRequest>,
) -> Result<Reply<WebhookMade>, ApiError> {
    caller.require(Scope::Admin)?;
    let notifier: &Notifier = state.notifier()?;
    let (webhook, secret) =
        notifier.rotate_webhook(&caller.tenant, &id, request.secret.as_deref(), &caller.subject).await?;
    tracing::info!(tenant = %caller.tenant, webhook = %id, by = %caller.subject, "webhook has another secret");
    Ok(Reply(WebhookMade { secret: Some(secret), webhook: show(webhook, (state.clock)()) }))
}

/// Sends a made-up alert to a webhook, once and now.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "alerts", params(("id" = String, Path, description = "Its name.")),
    responses((status = 200, description = "How it went.", body = WebhookTried), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn test(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Reply<WebhookTried>, ApiError> {
    caller.require(Scope::Admin)?;
    let tried = state.notifier()?.test_webhook(&caller.tenant, &id).await?;
    let grid_notify::Tried { delivered, status, error, message_id } = tried;
    Ok(Reply(WebhookTried { delivered, status, error, message_id }))
}
