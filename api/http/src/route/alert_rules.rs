//! Rules that tenants keep through the API, and their alerts: read by whoever may query, written by whoever may administrate as well (two
//! scopes on one path, so the handlers check the second).

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::body::Body;
use axum::extract::State;
use grid_guard::{Caller, Scope};
use grid_rules::file::has_errors;
use grid_rules::{Action, AlertState, GroupView, Health, RuleFile};
use grid_store::{Document, DocumentKey};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::budgets::expected;
use crate::error::ApiError;
use crate::extract::{Params, Segments, read_body};
use crate::page::{PageParams, cut};
use crate::route::rfc3339;
use crate::rules::RULES_KIND;
use crate::state::ApiState;

/// Longest name of a namespace or group in bytes.
const NAME_BYTES_MAX: usize = 120;

/// Groups of rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleGroupList {
    /// Those in force, by file and name.
    items: Vec<RuleGroupItem>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// A group of rules and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleGroupItem {
    /// File or namespace, and name.
    id: String,
    /// The file's path, or the namespace of a group kept through the API.
    file: String,
    /// Its name.
    group: String,
    /// How often it is evaluated.
    interval_seconds: f64,
    /// How many rules it has.
    rules: usize,
    /// How many of them failed last time.
    failing: usize,
    /// The first failure.
    last_error: Option<String>,
    /// Alerts that wait.
    pending: usize,
    /// Alerts that fire.
    firing: usize,
    /// Evaluations since the start.
    evaluations: u64,
    /// Evaluations that were due and did not happen.
    missed: u64,
    /// When it was last evaluated.
    last_evaluation: Option<String>,
    /// How long that took.
    evaluation_seconds: f64,
}

impl RuleGroupItem {
    fn of(group: &GroupView) -> Self {
        let alerts = |state: AlertState| {
            group.rules.iter().flat_map(|rule| &rule.alerts).filter(|alert| alert.state == state).count()
        };
        Self {
            id: format!("{};{}", group.file, group.spec.name),
            file: group.file.clone(),
            group: group.spec.name.clone(),
            interval_seconds: group.interval_ns as f64 / 1e9,
            rules: group.rules.len(),
            failing: group.rules.iter().filter(|rule| rule.health == Health::Bad).count(),
            last_error: group.rules.iter().find_map(|rule| rule.last_error.clone()),
            pending: alerts(AlertState::Pending),
            firing: alerts(AlertState::Firing),
            evaluations: group.evaluations,
            missed: group.missed,
            last_evaluation: group.last_evaluation.map(rfc3339),
            evaluation_seconds: group.evaluation_ns as f64 / 1e9,
        }
    }
}

/// A group kept through the API.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeptRules {
    /// Its namespace.
    namespace: String,
    /// Its name.
    group: String,
    /// Counted from 1.
    version: u64,
    /// The YAML as it was sent.
    text: String,
    /// Who wrote this version.
    author: String,
    /// When.
    changed: String,
}

impl KeptRules {
    fn of(document: Document) -> Self {
        let (namespace, group) = document.name.rsplit_once('/').unwrap_or(("", &document.name));
        Self {
            namespace: namespace.to_owned(),
            group: group.to_owned(),
            version: document.version,
            text: document.body,
            author: document.author,
            changed: rfc3339(document.created),
        }
    }
}

/// Alerts that are pending or firing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleAlertList {
    /// The alerts, by their labels.
    items: Vec<RuleAlertItem>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// An alert, with what it is about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleAlertItem {
    /// Group, rule and labels as one text.
    id: String,
    /// The name of its rule.
    name: String,
    /// `pending` or `firing`.
    #[schema(example = "firing")]
    state: &'static str,
    /// Its labels.
    labels: BTreeMap<String, String>,
    /// Texts for people.
    annotations: BTreeMap<String, String>,
    /// The value of its expression, as text.
    value: String,
    /// Since when its expression has been there.
    active_at: String,
    /// Since when it fires.
    fired_at: Option<String>,
    /// The file or namespace of its rule.
    file: String,
    /// The group of its rule.
    group: String,
    /// What its rule asks: the evidence.
    query: String,
}

/// Which alerts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RuleAlertParams {
    /// Only those in this state: `pending` or `firing`.
    state: Option<String>,
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the last answer.
    cursor: Option<String>,
}

/// The groups of rules in force, from files and from the API.
#[utoipa::path(get, path = "/api/v1/rules", tag = "alerting", params(PageParams),
    responses((status = 200, description = "The groups.", body = RuleGroupList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Reply<RuleGroupList>, ApiError> {
    let groups = state.rules.as_ref().map(|book| book.groups(&caller.tenant)).unwrap_or_default();
    let items = groups.iter().map(|group| RuleGroupItem::of(group)).collect();
    let (items, next_cursor) = cut(items, &page, |item: &RuleGroupItem| &item.id)?;
    Ok(Reply(RuleGroupList { items, next_cursor }))
}

/// A group kept through the API.
#[utoipa::path(get, path = "/api/v1/rules/{namespace}/{group}", tag = "alerting",
    params(("namespace" = String, Path, description = "Its namespace."), ("group" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The group.", body = KeptRules), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Segments((namespace, group)): Segments<(String, String)>,
) -> Result<Reply<KeptRules>, ApiError> {
    let key = key(&caller, &namespace, &group)?;
    match state.store.catalog().document(&key).await? {
        Some(document) => Ok(Reply(KeptRules::of(document))),
        None => Err(ApiError::NotFound { what: "group of rules", id: key.name }),
    }
}

/// Keeps a group of rules (YAML, as in a rule file) and puts it in force. With `If-Match: VERSION` only if it still has that version.
#[utoipa::path(put, path = "/api/v1/rules/{namespace}/{group}", tag = "alerting",
    params(("namespace" = String, Path, description = "Its namespace."), ("group" = String, Path, description = "Its name.")),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 200, description = "The group as kept.", body = KeptRules), (status = 409, description = "It has another version."), (status = 422, description = "It does not read; the problem says where.")))]
pub(crate) async fn put(
    State(state): State<ApiState>,
    caller: Caller,
    Segments((namespace, group)): Segments<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Reply<KeptRules>, ApiError> {
    caller.require(Scope::Admin)?;
    let key = key(&caller, &namespace, &group)?;
    let book = state.rules.as_ref();
    let bytes = read_body(&state, &headers, body).await?;
    let text = std::str::from_utf8(&bytes).map_err(|e| ApiError::Parameter(format!("the body is no UTF-8: {e}")))?;
    let (parsed, problems) = RuleFile::parse_group(text, &book.map(|b| b.parse_options()).unwrap_or_default());
    if has_errors(&problems) {
        return Err(ApiError::Rules(problems));
    }
    let named = parsed.map(|group| group.name).unwrap_or_default();
    if named != group {
        return Err(ApiError::Parameter(format!("the path names the group {group:?}, the body {named:?}")));
    }
    let (catalog, now) = (state.store.catalog(), state.store.now());
    let kept = catalog.put_document(&key, text, &caller.subject, expected(&headers)?, now).await?;
    tracing::info!(tenant = %caller.tenant, group = %key.name, version = kept.version, by = %caller.subject, "rules set");
    if let Some(book) = book {
        book.reload(&caller.tenant).await.map_err(ApiError::Internal)?;
    }
    Ok(Reply(KeptRules::of(kept)))
}

/// Deletes a group kept through the API: its alerts are forgotten, its series end.
#[utoipa::path(delete, path = "/api/v1/rules/{namespace}/{group}", tag = "alerting",
    params(("namespace" = String, Path, description = "Its namespace."), ("group" = String, Path, description = "Its name.")),
    responses((status = 204, description = "Deleted."), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Segments((namespace, group)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    caller.require(Scope::Admin)?;
    let key = key(&caller, &namespace, &group)?;
    let there = state.store.catalog().delete_document(&key, &caller.subject, None, state.store.now()).await?;
    if !there {
        return Err(ApiError::NotFound { what: "group of rules", id: key.name });
    }
    tracing::info!(tenant = %caller.tenant, group = %key.name, by = %caller.subject, "rules deleted");
    if let Some(book) = &state.rules {
        book.reload(&caller.tenant).await.map_err(ApiError::Internal)?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Alerts that are pending or firing, with what their rules ask.
#[utoipa::path(get, path = "/api/v1/rules/alerts", tag = "alerting", params(RuleAlertParams),
    responses((status = 200, description = "The alerts.", body = RuleAlertList)))]
pub(crate) async fn alerts(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<RuleAlertParams>,
) -> Result<Reply<RuleAlertList>, ApiError> {
    let wanted = params.state.as_deref();
    if let Some(word) = wanted.filter(|w| !["pending", "firing"].contains(w)) {
        return Err(ApiError::Parameter(format!("state is {word:?}, it must be pending or firing")));
    }
    let groups = state.rules.as_ref().map(|book| book.groups(&caller.tenant)).unwrap_or_default();
    let mut items = Vec::new();
    for group in &groups {
        for rule in group.rules.iter().filter(|rule| matches!(rule.spec.action, Action::Alert { .. })) {
            for alert in rule.alerts.iter().filter(|alert| wanted.is_none_or(|w| w == alert.state.as_str())) {
                items.push(RuleAlertItem {
                    id: format!("{};{};{}", group.file, group.spec.name, alert.labels),
                    name: rule.spec.name().to_owned(),
                    state: alert.state.as_str(),
                    labels: alert.labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
                    annotations: alert.annotations.clone(),
                    value: grid_promql::number::json(alert.value),
                    active_at: rfc3339(alert.active_at),
                    fired_at: alert.fired_at.map(rfc3339),
                    file: group.file.clone(),
                    group: group.spec.name.clone(),
                    query: rule.spec.expression.as_str().to_owned(),
                });
            }
        }
    }
    items.sort_by(|a, b| a.id.cmp(&b.id));
    let page = PageParams { limit: params.limit, cursor: params.cursor };
    let (items, next_cursor) = cut(items, &page, |item| &item.id)?;
    Ok(Reply(RuleAlertList { items, next_cursor }))
}

fn key(caller: &Caller, namespace: &str, group: &str) -> Result<DocumentKey, ApiError> {
    for (what, name) in [("namespace", namespace), ("group", group)] {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(['/', '\0']) {
            let bound = format!("a {what} has 1 to {NAME_BYTES_MAX} bytes and no slash");
            return Err(ApiError::Parameter(format!("{bound}, not {name:?}")));
        }
    }
    Ok(DocumentKey { tenant: caller.tenant.clone(), kind: RULES_KIND, name: format!("{namespace}/{group}") })
}
