//! Recommendations: listed, explained, accepted, dismissed, snoozed, rated, and what came of them. Reading needs the scope query, deciding the scope
//! admin as well.

use axum::Json as Reply;
use grid_finance::relation::Relation;
use grid_guard::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::anomalies::{FindingParams, page_of};
use super::asker::Asker;
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment};
use crate::findings::decide::{BULK_MAX, DecisionBody, decide, history, rate, verb};
use crate::findings::ledger::ledger as read_ledger;
use crate::findings::list::{list as read, one, totals};
use crate::findings::recommended;

/// A page of recommendations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecommendationList {
    /// Rows of the table, with all of its columns (`DESCRIBE recommendations`), state and decision.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
    /// What all of them (not only this page) cost and save a month, by currency.
    #[schema(value_type = Vec<Object>)]
    totals: Vec<Value>,
}

/// What to change; the largest saving first. Open ones, unless `state` asks for others.
#[utoipa::path(get, path = "/api/v1/recommendations", tag = "insight", params(FindingParams),
    responses((status = 200, description = "A page of recommendations.", body = RecommendationList)))]
pub(crate) async fn list(
    asker: Asker,
    Params(mut params): Params<FindingParams>,
) -> Result<Reply<RecommendationList>, ApiError> {
    params.state.get_or_insert_with(|| "open".to_owned());
    let found = read(&asker.desk(), Relation::Recommendations, &params.ask()).await?;
    let totals = totals(&found.items)?;
    let page = page_of(found.items, &params, "recommendation_id")?;
    Ok(Reply(RecommendationList { items: page.items, next_cursor: page.next_cursor, totals }))
}

/// One recommendation, explained: all that was read, the query that shows it, and what was decided.
#[utoipa::path(get, path = "/api/v1/recommendations/{id}", tag = "insight", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The recommendation with its history.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn get(asker: Asker, Segment(id): Segment) -> Result<Reply<Value>, ApiError> {
    let desk = asker.desk();
    let mut item = one(&desk, Relation::Recommendations, &id).await?;
    item["history"] = Value::Array(history(&desk, &id).await?);
    Ok(Reply(item))
}

async fn decided(asker: &Asker, id: &str, word: &str, body: &DecisionBody) -> Result<Reply<Value>, ApiError> {
    asker.caller.require(Scope::Admin)?;
    let Some(verb) = verb(word) else {
        return Err(ApiError::Parameter(format!("decision is {word:?}, it must be accept, dismiss, snooze or reopen")));
    };
    let mut item = decide(&asker.desk(), id, verb, body, &asker.caller.subject).await?;
    // What is accepted goes on by itself where an environment has the resource.
    if verb == grid_findings::decision::Verb::Accepted
        && let (Some(provisioning), Some(of)) = (&asker.state.desk, recommended(&item))
    {
        let by = super::provision::by(&asker.caller, &asker.headers);
        let action = Box::pin(provisioning.accept(&asker.caller.tenant, &of, &by)).await?;
        item["action_taken"] = action.unwrap_or(Value::Null);
    }
    tracing::info!(tenant = %asker.caller.tenant, recommendation = %id, decision = verb.name(), by = %asker.caller.subject, "recommendation decided");
    Ok(Reply(item))
}

/// Accepts a recommendation: the ledger watches what comes of it.
#[utoipa::path(post, path = "/api/v1/recommendations/{id}/accept", tag = "insight", params(("id" = String, Path, description = "Its id.")), request_body = DecisionBody,
    responses((status = 200, description = "The recommendation as it is now.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn accept(
    asker: Asker,
    Segment(id): Segment,
    Json(body): Json<DecisionBody>,
) -> Result<Reply<Value>, ApiError> {
    decided(&asker, &id, "accept", &body).await
}

/// Dismisses a recommendation, for a reason.
#[utoipa::path(post, path = "/api/v1/recommendations/{id}/dismiss", tag = "insight", params(("id" = String, Path, description = "Its id.")), request_body = DecisionBody,
    responses((status = 200, description = "The recommendation as it is now.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn dismiss(
    asker: Asker,
    Segment(id): Segment,
    Json(body): Json<DecisionBody>,
) -> Result<Reply<Value>, ApiError> {
    decided(&asker, &id, "dismiss", &body).await
}

/// Puts a recommendation off.
#[utoipa::path(post, path = "/api/v1/recommendations/{id}/snooze", tag = "insight", params(("id" = String, Path, description = "Its id.")), request_body = DecisionBody,
    responses((status = 200, description = "The recommendation as it is now.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn snooze(
    asker: Asker,
    Segment(id): Segment,
    Json(body): Json<DecisionBody>,
) -> Result<Reply<Value>, ApiError> {
    decided(&asker, &id, "snooze", &body).await
}

/// Takes a decision back.
#[utoipa::path(post, path = "/api/v1/recommendations/{id}/reopen", tag = "insight", params(("id" = String, Path, description = "Its id.")), request_body = DecisionBody,
    responses((status = 200, description = "The recommendation as it is now.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn reopen(
    asker: Asker,
    Segment(id): Segment,
    Json(body): Json<DecisionBody>,
) -> Result<Reply<Value>, ApiError> {
    decided(&asker, &id, "reopen", &body).await
}

/// Says whether a recommendation was of use.
#[utoipa::path(post, path = "/api/v1/recommendations/{id}/feedback", tag = "insight", params(("id" = String, Path, description = "Its id.")), request_body = DecisionBody,
    responses((status = 200, description = "The recommendation as it is now.", body = Object), (status = 404, description = "There is none of this id.")))]
pub(crate) async fn feedback(
    asker: Asker,
    Segment(id): Segment,
    Json(body): Json<DecisionBody>,
) -> Result<Reply<Value>, ApiError> {
    asker.caller.require(Scope::Admin)?;
    Ok(Reply(rate(&asker.desk(), &id, &body, &asker.caller.subject).await?))
}

/// One decision about many recommendations.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkBody {
    /// `accept`, `dismiss`, `snooze` or `reopen`.
    #[schema(example = "dismiss")]
    decision: String,
    /// Which, by id; at most 500.
    #[serde(default)]
    ids: Vec<String>,
    /// Or which open ones, by a condition over their columns.
    #[serde(default)]
    #[schema(example = "team = 'data' and saving < 50")]
    filter: Option<String>,
    /// Why.
    #[serde(default)]
    reason: Option<String>,
    /// Until when they are snoozed.
    #[serde(default)]
    until: Option<String>,
}

/// Decides about many recommendations at once: all of them or, if one is unknown, none.
#[utoipa::path(post, path = "/api/v1/recommendations/bulk", tag = "insight", request_body = BulkBody,
    responses((status = 200, description = "The recommendations as they are now.", body = RecommendationList), (status = 404, description = "One of them is unknown.")))]
pub(crate) async fn bulk(asker: Asker, Json(body): Json<BulkBody>) -> Result<Reply<RecommendationList>, ApiError> {
    asker.caller.require(Scope::Admin)?;
    let desk_of = asker.desk();
    let mut ids = body.ids;
    if let Some(filter) = body.filter {
        let ask = crate::findings::ListAsk { filter: Some(filter), state: Some("open".to_owned()), sort: None };
        let found = read(&desk_of, Relation::Recommendations, &ask).await?;
        ids.extend(found.items.iter().filter_map(|i| i["recommendation_id"].as_str().map(str::to_owned)));
    }
    ids.sort();
    ids.dedup();
    if ids.is_empty() || ids.len() > BULK_MAX {
        return Err(ApiError::Parameter(format!(
            "{} recommendations are named, it must be 1 to {BULK_MAX}",
            ids.len()
        )));
    }
    for id in &ids {
        one(&desk_of, Relation::Recommendations, id).await?;
    }
    let decision = DecisionBody { reason: body.reason, until: body.until, useful: None };
    let mut items = Vec::with_capacity(ids.len());
    for id in &ids {
        items.push(decided(&asker, id, &body.decision, &decision).await?.0);
    }
    let totals = totals(&items)?;
    Ok(Reply(RecommendationList { items, next_cursor: None, totals }))
}

/// The savings ledger: what accepted recommendations promised, and what bills say since.
#[utoipa::path(get, path = "/api/v1/recommendations/ledger", tag = "insight",
    responses((status = 200, description = "Entries, the youngest first, and sums by currency.", body = Object)))]
pub(crate) async fn ledger(asker: Asker) -> Result<Reply<Value>, ApiError> {
    let answer = read_ledger(&asker.desk()).await?;
    Ok(Reply(json!(answer)))
}
