//! `GET /api/v1/costs/joins`: which billed resources telemetry knows, and the money behind each gap.

use axum::Json as Reply;
use axum::extract::State;
use grid_guard::Caller;
use grid_model::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::select;
use crate::error::ApiError;
use crate::extract::Params;
use crate::state::ApiState;

/// Of when.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JoinParams {
    /// First instant of the charges: a time or a date.
    from: Option<String>,
    /// First instant after.
    to: Option<String>,
}

/// Money of one currency, by how it joins.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JoinMoney {
    /// The currency.
    currency: String,
    /// Of resources that telemetry names.
    joined: String,
    /// Of resources that no telemetry names.
    unseen: String,
    /// Of charges that name no resource.
    nameless: String,
}

/// A billed resource that no telemetry names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Unseen {
    /// As the bill spells it.
    resource_id: String,
    /// The key by which telemetry would join it.
    key: String,
    /// Its service.
    service_name: String,
    /// The currency.
    currency: String,
    /// Its effective cost.
    cost: String,
}

/// What joined and what did not.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JoinReport {
    /// By currency.
    money: Vec<JoinMoney>,
    /// Billed resources that joined.
    joined: usize,
    /// Aliases that helped.
    aliases_used: usize,
    /// Billed resources that did not join, dearest first; at most 1000.
    unseen: Vec<Unseen>,
    /// How many there are.
    unseen_count: usize,
    /// Keys of telemetry that no bill names; at most 1000.
    unbilled: Vec<String>,
    /// How many there are.
    unbilled_count: usize,
}

/// What joins and what does not.
#[utoipa::path(get, path = "/api/v1/costs/joins", tag = "costs", params(JoinParams),
    responses((status = 200, description = "The report.", body = JoinReport)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<JoinParams>,
) -> Result<Reply<JoinReport>, ApiError> {
    let (from, to) = select::range(params.from.as_deref(), params.to.as_deref())?;
    let range = TimeRange { start: from.unwrap_or(Timestamp::MIN), end: to.unwrap_or(Timestamp::MAX) };
    let joins = state.engine.cost_joins(&caller.tenant, range).await?;
    let money = joins.money.into_iter().map(|(currency, m)| JoinMoney {
        currency,
        joined: m.joined.to_string(),
        unseen: m.unseen.to_string(),
        nameless: m.nameless.to_string(),
    });
    let unseen = joins.unseen.into_iter().map(|r| Unseen {
        resource_id: r.resource,
        key: r.key,
        service_name: r.service,
        currency: r.currency,
        cost: r.cost.to_string(),
    });
    Ok(Reply(JoinReport {
        money: money.collect(),
        joined: joins.joined,
        aliases_used: joins.aliases_used,
        unseen: unseen.collect(),
        unseen_count: joins.unseen_count,
        unbilled: joins.unbilled,
        unbilled_count: joins.unbilled_count,
    }))
}
