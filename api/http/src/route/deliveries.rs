//! Deliveries: what was told, what waits, what was given up and can be replayed.

use axum::Json as Reply;
use axum::extract::State;
use grid_guard::{Caller, Scope};
use grid_notify::{Delivery, DeliveryState, DeliveryWanted};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Params, Segment};
use crate::page::LIMIT_MAX;
use crate::route::rfc3339;
use crate::state::ApiState;

/// Items of a page unless the request says otherwise.
const LIMIT_DEFAULT: usize = 100;

/// One message to one receiver.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryItem {
    /// Its number.
    id: String,
    /// The header `webhook-id`, the same over all attempts.
    message_id: String,
    /// To whom.
    #[schema(example = "webhook/6f1c3a9e2b7d4c5f8a0e1b2c")]
    target: String,
    /// Of which group; a group's messages arrive in order.
    group: String,
    /// `queued`, `delivered` or `dead`.
    state: &'static str,
    /// When it was queued.
    created: String,
    /// Attempts so far.
    attempts: u32,
    /// When it is tried next.
    next_attempt: Option<String>,
    /// When it arrived or was given up.
    ended: Option<String>,
    /// The last answer's status.
    status: Option<u16>,
    /// The last error.
    error: Option<String>,
}

/// A delivery with its message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryWhole {
    /// What became of it.
    #[serde(flatten)]
    delivery: DeliveryItem,
    /// The message: Alertmanager's webhook, version 4, whatever words the receiver is told it in.
    message: serde_json::Value,
}

/// Deliveries of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryList {
    /// The deliveries, the newest first.
    items: Vec<DeliveryItem>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// How many wait anew.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveriesReplayed {
    /// Dead letters that were put back into the queue.
    queued: usize,
}

/// Which deliveries, and which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryParams {
    /// Only to this target: `webhook/ID`, or `receiver/NAME/KIND/N`.
    target: Option<String>,
    /// Only in this state: `queued`, `delivered` or `dead`.
    state: Option<String>,
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the last answer.
    cursor: Option<String>,
}

/// Which dead letters.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReplayParams {
    /// Only to this target; all if absent.
    target: Option<String>,
}

fn show(d: &Delivery) -> DeliveryItem {
    DeliveryItem {
        id: d.id.to_string(),
        message_id: d.message_id.clone(),
        target: d.target.clone(),
        group: d.group.clone(),
        state: d.state.as_str(),
        created: rfc3339(d.created),
        attempts: d.attempts,
        next_attempt: d.next.map(rfc3339),
        ended: d.ended.map(rfc3339),
        status: d.status,
        error: d.error.clone(),
    }
}

fn number(id: &str) -> Result<i64, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound { what: "delivery", id: id.to_owned() })
}

/// Deliveries: those that wait, those of the last week that arrived, and dead letters.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "alerts", params(DeliveryParams),
    responses((status = 200, description = "The deliveries.", body = DeliveryList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<DeliveryParams>,
) -> Result<Reply<DeliveryList>, ApiError> {
    let limit = params.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(ApiError::Parameter(format!("limit is {limit}, it must be 1 to {LIMIT_MAX}")));
    }
    let bad = |word: &String| ApiError::Parameter(format!("state is {word:?}, it must be queued, delivered or dead"));
    let of = params.state.as_ref().map(|word| DeliveryState::parse(word).ok_or_else(|| bad(word))).transpose()?;
    let before = params.cursor.map(|c| c.parse().map_err(|_| ApiError::Cursor(c))).transpose()?;
    let wanted = DeliveryWanted { target: params.target, state: of, before };
    let mut found = state.notifier()?.deliveries(&caller.tenant, &wanted, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|d| d.id.to_string());
    Ok(Reply(DeliveryList { items: found.iter().map(show).collect(), next_cursor }))
}

/// A delivery with its message.
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", tag = "alerts", params(("id" = String, Path, description = "Its number.")),
    responses((status = 200, description = "The delivery.", body = DeliveryWhole), (status = 404, description = "There is none of this number.")))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Reply<DeliveryWhole>, ApiError> {
    let found = state.notifier()?.delivery(&caller.tenant, number(&id)?).await?;
    let message =
        serde_json::from_str(&found.message).map_err(|e| ApiError::Internal(format!("read the message: {e}")))?;
    Ok(Reply(DeliveryWhole { delivery: show(&found), message }))
}

/// Puts a dead letter back into the queue.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/replay", tag = "alerts", params(("id" = String, Path, description = "Its number.")),
    responses((status = 200, description = "It waits anew.", body = DeliveriesReplayed), (status = 404, description = "There is no dead letter of this number.")))]
pub(crate) async fn replay(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Reply<DeliveriesReplayed>, ApiError> {
    caller.require(Scope::Admin)?;
    let replayed = state.notifier()?.replay(&caller.tenant, Some(number(&id)?), None).await?;
    Ok(Reply(DeliveriesReplayed { queued: replayed.queued }))
}

/// Puts dead letters back into the queue, oldest first.
#[utoipa::path(post, path = "/api/v1/deliveries/replay", tag = "alerts", params(ReplayParams),
    responses((status = 200, description = "They wait anew.", body = DeliveriesReplayed)))]
pub(crate) async fn replay_all(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<ReplayParams>,
) -> Result<Reply<DeliveriesReplayed>, ApiError> {
    caller.require(Scope::Admin)?;
    let replayed = state.notifier()?.replay(&caller.tenant, None, params.target.as_deref()).await?;
    tracing::info!(tenant = %caller.tenant, queued = replayed.queued, by = %caller.subject, "dead letters replayed");
    Ok(Reply(DeliveriesReplayed { queued: replayed.queued }))
}
