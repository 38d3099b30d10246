//! Commitments: reported, when they end, what to buy.

use axum::Json as Reply;
use axum::extract::State;
use grid_analytics::commitments::{ALL_TIME, Period, Range};
use grid_guard::Caller;
use grid_ml::commit::{Payment, Settings, Term};
use grid_model::Amount;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::commitments::{self, RecommendError, Request};
use crate::error::ApiError;
use crate::extract::Params;
use crate::route::prices::time;
use crate::state::ApiState;

/// Which charges, and how they are split.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportParams {
    /// Charges from this time on.
    #[param(example = "2026-10-01")]
    from: Option<String>,
    /// Charges before this time.
    to: Option<String>,
    /// `all`, `month` or `day`.
    by: Option<String>,
}

/// Commitments with what they did, and the statements that say so.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what the report writes")]
pub(crate) struct CommitmentReport {
    /// Per commitment, currency and period: used, unused and committed cost, utilisation, saving, purchases, and whether the bill adds up.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// Per currency and period: coverage of all usage and of eligible usage, overage, unused cost.
    #[schema(value_type = Vec<Object>)]
    coverage: Vec<Value>,
    /// The statements that answer the same.
    #[schema(value_type = Object)]
    sql: Value,
}

/// What commitments did: utilisation, coverage, saving, unused cost, and whether amortised and purchased cost agree.
#[utoipa::path(get, path = "/api/v1/commitments", tag = "commitments", params(ReportParams),
    responses((status = 200, description = "The report.", body = CommitmentReport)))]
pub(crate) async fn report(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<ReportParams>,
) -> Result<Reply<Value>, ApiError> {
    let day = |name: &str, text: &Option<String>| text.as_deref().map(|text| time(name, text)).transpose();
    let range = Range {
        start: day("from", &params.from)?.unwrap_or(ALL_TIME.start),
        end: day("to", &params.to)?.unwrap_or(ALL_TIME.end),
    };
    let by = params.by.as_deref().unwrap_or("all");
    let period =
        Period::parse(by).ok_or_else(|| ApiError::Parameter(format!("by is {by:?}, it must be all, month or day")))?;
    Ok(Reply(commitments::report(&state.engine, &caller.tenant, range, period).await?))
}

/// When commitments end.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what the report writes")]
pub(crate) struct CommitmentCalendar {
    /// Per commitment: its end, if bills say it; soonest first.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// The statements that answer the same.
    #[schema(value_type = Object)]
    sql: Value,
}

/// When each commitment ends, as far as bills say it.
#[utoipa::path(get, path = "/api/v1/commitments/calendar", tag = "commitments",
    responses((status = 200, description = "The calendar.", body = CommitmentCalendar)))]
pub(crate) async fn calendar(State(state): State<ApiState>, caller: Caller) -> Result<Reply<Value>, ApiError> {
    Ok(Reply(commitments::calendar(&state.engine, &caller.tenant).await?))
}

/// How to judge.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecommendParams {
    /// The currency; the one with the most cost if absent.
    currency: Option<String>,
    /// Only terms of `1y` or `3y`.
    term: Option<String>,
    /// Only `no-upfront`, `partial-upfront` or `all-upfront`.
    payment: Option<String>,
    /// A committed price as a share of the on-demand price, to weigh beside those that are known.
    #[param(example = "0.72")]
    ratio: Option<String>,
    /// Days of usage below which there is no answer; 14 if absent.
    min_days: Option<u32>,
    /// A fall of demand, in percent, at which a commitment must still save; 10 if absent.
    tolerated_fall: Option<u32>,
    /// The seed of the bootstrap.
    seed: Option<u64>,
}

/// What to commit, by scope; or that there is not enough data, or no price.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what the recommendation writes")]
pub(crate) struct CommitmentRecommendations {
    /// `ok`, `not enough data` or `unknown` (no committed price is known).
    status: String,
    /// What that means.
    detail: String,
    /// Per scope: what to buy, the offers that were weighed, and where their prices come from.
    #[schema(value_type = Vec<Object>)]
    groups: Vec<Value>,
    /// The statements that give demand and commitments in force.
    #[schema(value_type = Object)]
    sql: Value,
}

/// What to commit: each offer's level replayed over 7, 30, 60 and 90 days, with saving, regret against the best level in hindsight,
/// break-even, risk, and portions in which to buy.
#[utoipa::path(get, path = "/api/v1/commitments/recommendations", tag = "commitments", params(RecommendParams),
    responses((status = 200, description = "The recommendations.", body = CommitmentRecommendations)))]
pub(crate) async fn recommendations(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<RecommendParams>,
) -> Result<Reply<Value>, ApiError> {
    let request = request(params).map_err(ApiError::Parameter)?;
    let now = (state.clock)();
    let found = commitments::recommend(&state.engine, &caller.tenant, now, &request).await;
    found.map(Reply).map_err(|e| match e {
        RecommendError::Query(e) => ApiError::Query(e),
        RecommendError::Demand(reason) => ApiError::Internal(reason),
    })
}

fn request(params: RecommendParams) -> Result<Request, String> {
    let ratio = |text: String| {
        let ratio = Amount::parse(&text).ok().map(|(a, _)| a).filter(|a| a.0 > 0 && a.0 < 10_i128.pow(18));
        ratio.ok_or_else(|| format!("ratio is {text:?}, it must be a decimal between 0 and 1"))
    };
    let defaults = Settings::default();
    Ok(Request {
        currency: params.currency,
        term: params
            .term
            .map(|t| Term::parse(&t).ok_or_else(|| format!("term is {t:?}, it must be 1y or 3y")))
            .transpose()?,
        payment: params
            .payment
            .map(|p| {
                let known = "no-upfront, partial-upfront or all-upfront";
                Payment::parse(&p).ok_or_else(|| format!("payment is {p:?}, it must be {known}"))
            })
            .transpose()?,
        ratio: params.ratio.map(ratio).transpose()?,
        settings: Settings {
            days_min: params.min_days.unwrap_or(defaults.days_min),
            tolerated_fall_percent: params.tolerated_fall.unwrap_or(defaults.tolerated_fall_percent).min(100),
            seed: params.seed.unwrap_or(defaults.seed),
            ..defaults
        },
    })
}
