//! Alerts that are held, with what becomes of them; alerts of others, in the words of Alertmanager's API; and receivers.

use axum::Json as Reply;
use axum::extract::State;
use grid_guard::Caller;
use grid_model::Timestamp;
use grid_notify::policy::matcher;
use grid_notify::{Alert, AlertView, LabelSet, ReceiverView};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Json, Params};
use crate::page::{PageParams, cut};
use crate::route::{parse_time, rfc3339};
use crate::state::ApiState;

/// An alert, and who is told of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertItem {
    /// Its identity, as Prometheus and Alertmanager compute it.
    #[schema(example = "8d5a6c0a1c1f2f6b")]
    fingerprint: String,
    /// `active`, `suppressed` (silenced or inhibited: nobody is told) or `resolved`.
    state: &'static str,
    /// What makes it this alert.
    labels: LabelSet,
    /// What is said about it.
    annotations: LabelSet,
    /// Since when.
    starts_at: String,
    /// Until when; of an alert that fires, when it will count as resolved unless it is sent again.
    ends_at: String,
    /// When it was last sent.
    updated_at: String,
    /// Where it was found.
    generator_url: String,
    /// Silences that hold for it.
    silenced_by: Vec<String>,
    /// Whether another alert inhibits it.
    inhibited: bool,
    /// Names of the receivers to whom its routes lead.
    receivers: Vec<String>,
}

/// Alerts of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertList {
    /// The alerts, by their labels.
    items: Vec<AlertItem>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// Which alerts, and which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertParams {
    /// Matchers that the labels must satisfy, as in Alertmanager: `severity="critical",team=~"a|b"`.
    filter: Option<String>,
    /// Only alerts in this state: `active`, `suppressed` or `resolved`.
    state: Option<String>,
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the last answer.
    cursor: Option<String>,
}

fn show(view: AlertView) -> AlertItem {
    let state = match (view.resolved, view.inhibited || !view.silenced_by.is_empty()) {
        (true, _) => "resolved",
        (false, true) => "suppressed",
        (false, false) => "active",
    };
    AlertItem {
        fingerprint: view.fingerprint.to_string(),
        state,
        labels: view.alert.labels,
        annotations: view.alert.annotations,
        starts_at: rfc3339(view.alert.starts_at),
        ends_at: rfc3339(view.alert.ends_at),
        updated_at: rfc3339(view.alert.updated_at),
        generator_url: view.alert.generator_url,
        silenced_by: view.silenced_by,
        inhibited: view.inhibited,
        receivers: view.receivers,
    }
}

/// Alerts that fire, and those that were over a little while ago.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", params(AlertParams),
    responses((status = 200, description = "The alerts.", body = AlertList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<AlertParams>,
) -> Result<Reply<AlertList>, ApiError> {
    let wanted = params.state.as_deref();
    if let Some(word) = wanted.filter(|w| !["active", "suppressed", "resolved"].contains(w)) {
        return Err(ApiError::Parameter(format!("state is {word:?}, it must be active, suppressed or resolved")));
    }
    let matchers = matcher::parse(params.filter.as_deref().unwrap_or_default())
        .map_err(|e| ApiError::Parameter(format!("filter: {e}")))?;
    let all = state.notifier()?.alerts(&caller.tenant).await.into_iter();
    let some = all.filter(|view| matcher::all_match(&matchers, &view.alert.labels)).map(show);
    let some = some.filter(|item| wanted.is_none_or(|w| w == item.state)).collect();
    let page = PageParams { limit: params.limit, cursor: params.cursor };
    let (items, next_cursor) = cut(some, &page, |item: &AlertItem| &item.fingerprint)?;
    Ok(Reply(AlertList { items, next_cursor }))
}

/// An alert as Alertmanager's API takes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PostableAlert {
    /// What makes it this alert and no other.
    labels: LabelSet,
    /// What is said about it.
    #[serde(default)]
    annotations: LabelSet,
    /// Since when; now if absent.
    starts_at: Option<String>,
    /// Until when. Absent: until it has not been sent again for the configuration's `resolve_timeout`.
    ends_at: Option<String>,
    /// Where it was found.
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
}

/// What became of the alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertsTaken {
    /// How many are held now.
    accepted: usize,
    /// Which were refused, and why.
    refused: Vec<AlertRefused>,
}

/// An alert that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertRefused {
    /// Its place in the request, counted from 0.
    index: usize,
    /// Why.
    reason: String,
}

/// A time; Go's zero time is none.
fn time(name: &str, text: Option<String>) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = text.filter(|t| !t.is_empty() && !t.starts_with("0001-01-01T00:00:00")) else { return Ok(None) };
    parse_time(&text).map(Some).ok_or_else(|| ApiError::Parameter(format!("{name} is {text:?}, it must be RFC 3339")))
}

/// Takes alerts as an Alertmanager does, so that a Prometheus can send its own here (`alertmanagers` with `path_prefix: /alertmanager`).
/// They are durable when the answer comes; the good ones are taken, the bad ones counted.
#[utoipa::path(post, path = "/alertmanager/api/v2/alerts", tag = "alerts", request_body = Vec<PostableAlert>,
    responses((status = 200, description = "Taken.", body = AlertsTaken)))]
pub(crate) async fn post(
    State(state): State<ApiState>,
    caller: Caller,
    Json(posted): Json<Vec<PostableAlert>>,
) -> Result<Reply<AlertsTaken>, ApiError> {
    let mut alerts = Vec::with_capacity(posted.len());
    for one in posted {
        alerts.push(Alert {
            labels: one.labels,
            annotations: one.annotations,
            starts_at: time("startsAt", one.starts_at)?.unwrap_or_default(),
            ends_at: time("endsAt", one.ends_at)?,
            generator_url: one.generator_url,
        });
    }
    let taken = state.notifier()?.take(&caller.tenant, alerts).await?;
    let refused = taken.refused.into_iter().map(|(index, e)| AlertRefused { index, reason: e.to_string() }).collect();
    Ok(Reply(AlertsTaken { accepted: taken.accepted, refused }))
}

/// A receiver, and how it does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReceiverItem {
    /// What names it in deliveries.
    #[schema(example = "receiver/ops/slack/0")]
    target: String,
    /// The receiver's name.
    name: String,
    /// `webhook`, `slack`, `msteamsv2`, `pagerduty`, `email` or `alertmanager`.
    kind: &'static str,
    /// Whether it is told of resolved alerts too.
    send_resolved: bool,
    /// Whether the last attempt failed.
    failing: bool,
    /// Messages that wait or are under way.
    waiting: usize,
    /// Dead letters.
    dead: usize,
    /// The last error of an Alertmanager.
    error: Option<String>,
    /// When an Alertmanager last took alerts.
    taken_at: Option<String>,
}

/// Receivers that the tenant's alerts may reach.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReceiverList {
    /// The receivers, by their targets.
    items: Vec<ReceiverItem>,
    /// What the configuration holds that has no effect here.
    ignored: Vec<String>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

fn receiver(view: ReceiverView) -> ReceiverItem {
    ReceiverItem {
        target: view.target,
        name: view.name,
        kind: view.kind,
        send_resolved: view.send_resolved,
        failing: view.failing,
        waiting: view.waiting,
        dead: view.dead,
        error: view.error,
        taken_at: view.taken_at.map(rfc3339),
    }
}

/// Receivers of the configuration, webhooks of the API and Alertmanagers, with their states. No address and no secret is shown.
#[utoipa::path(get, path = "/api/v1/receivers", tag = "alerts", params(PageParams),
    responses((status = 200, description = "The receivers.", body = ReceiverList)))]
pub(crate) async fn receivers(
    State(state): State<ApiState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Reply<ReceiverList>, ApiError> {
    let notifier = state.notifier()?;
    let all = notifier.receivers(&caller.tenant).await?.into_iter().map(receiver).collect();
    let (items, next_cursor) = cut(all, &page, |item: &ReceiverItem| &item.target)?;
    Ok(Reply(ReceiverList { items, ignored: notifier.ignored().await, next_cursor }))
}
