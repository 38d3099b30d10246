//! Costs over time: trend, forecast, variance, provisional costs, and the report of all of them.

use axum::Json as Reply;
use axum::response::{IntoResponse, Response};
use grid_finance::calendar::{Day, Grain};
use http::header;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::extract::Params;
use crate::finance::forecast::{CostForecast, LEVEL_DEFAULT};
use crate::finance::provisional::ProvisionalCosts;
use crate::finance::render::{ReportFormat, render};
use crate::finance::report::CostReport;
use crate::finance::saved::ReportSetting;
use crate::finance::trend::{CostTrend, TOP_DEFAULT, TOP_MAX};
use crate::finance::variance::{CostVariance, MOVERS_DEFAULT};
use crate::finance::{self, CostAsk};
use crate::route::asker::Asker;

/// Which costs, and over which time.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TrendParams {
    /// The first day: `2026-11-01`, `2026-11`, RFC 3339, or seconds since 1970.
    from: Option<String>,
    /// The day after the last one.
    to: Option<String>,
    /// Dimensions, comma-separated: short names (`service`, `region`, `account`, ...), text columns of `charges`, tags (`team`, `tag:team`).
    #[param(example = "service,team")]
    by: Option<String>,
    /// `charges` (default), or `allocations`: costs by owner, team, project, as the rules of allocation decide.
    of: Option<String>,
    /// Which of them, as in WHERE.
    #[param(example = "category = 'Usage' and tags['env'] = 'production'")]
    filter: Option<String>,
    /// `effective` (default), `billed`, `contracted` or `list`.
    cost: Option<String>,
    /// First month of the fiscal year, 1 to 12.
    fiscal_start: Option<u32>,
    /// `day` (default), `week`, `month`, `quarter` or `year`.
    grain: Option<String>,
    /// Groups that are shown by themselves, the dearest; the rest is one group.
    top: Option<usize>,
    /// Whether days for which no bill has come yet are estimated.
    #[serde(default)]
    provisional: bool,
    /// Bills as they were known at this time: later restatements and imports are not seen.
    as_of: Option<String>,
}

fn top(asked: Option<usize>, default: usize) -> Result<usize, ApiError> {
    let top = asked.unwrap_or(default);
    if (1..=TOP_MAX).contains(&top) {
        Ok(top)
    } else {
        Err(ApiError::Parameter(format!("top is {top}, it must be 1 to {TOP_MAX}")))
    }
}

/// Costs by day, week, month, quarter or year, each against the one before and a moving mean.
#[utoipa::path(get, path = "/api/v1/costs/trend", tag = "costs", params(TrendParams),
    responses((status = 200, description = "Buckets by group and time, flat.", body = CostTrend)))]
pub(crate) async fn trend(asker: Asker, Params(p): Params<TrendParams>) -> Result<Reply<CostTrend>, ApiError> {
    let grain = p.grain.as_deref().map_or(Some(Grain::Day), Grain::parse);
    let grain =
        grain.ok_or_else(|| ApiError::Parameter("grain must be day, week, month, quarter or year".to_owned()))?;
    let top = top(p.top, TOP_DEFAULT)?;
    let ask = CostAsk {
        from: p.from,
        to: p.to,
        by: p.by,
        of: p.of,
        filter: p.filter,
        cost: p.cost,
        fiscal_start: p.fiscal_start,
    };
    let desk = asker.desk_as_of(p.as_of.as_deref())?;
    Ok(Reply(finance::trend::trend(&desk, &ask, grain, top, p.provisional).await?))
}

/// Which costs, and until when.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ForecastParams {
    /// The end of the running `month` (default), `quarter` or `year`, or a day (not included).
    until: Option<String>,
    /// Probability of the bounds in percent, 1 to 99; 80 if absent.
    level: Option<u32>,
    /// Dimensions, comma-separated.
    by: Option<String>,
    /// `charges` (default), or `allocations`: costs by owner, team, project, as the rules of allocation decide.
    of: Option<String>,
    /// Which of them, as in WHERE.
    filter: Option<String>,
    /// `effective` (default), `billed`, `contracted` or `list`.
    cost: Option<String>,
    /// First month of the fiscal year, 1 to 12.
    fiscal_start: Option<u32>,
    /// Groups that are forecast by themselves, the dearest; the rest is one group.
    top: Option<usize>,
    /// Bills as they were known at this time: later restatements and imports are not seen.
    as_of: Option<String>,
}

/// Where the running month, quarter or year will end, with bounds from a backtest. Too little history is an answer, not an error.
#[utoipa::path(get, path = "/api/v1/costs/forecast", tag = "costs", params(ForecastParams),
    responses((status = 200, description = "Per currency and group the end, and every day up to it.", body = CostForecast)))]
pub(crate) async fn forecast(asker: Asker, Params(p): Params<ForecastParams>) -> Result<Reply<CostForecast>, ApiError> {
    let top = top(p.top, TOP_DEFAULT)?;
    let fiscal_start = p.fiscal_start;
    let ask = CostAsk { by: p.by, of: p.of, filter: p.filter, cost: p.cost, fiscal_start, ..CostAsk::default() };
    let until = p.until.as_deref().unwrap_or("month");
    let desk = asker.desk_as_of(p.as_of.as_deref())?;
    Ok(Reply(finance::forecast::forecast(&desk, &ask, until, p.level.unwrap_or(LEVEL_DEFAULT), top).await?))
}

/// Which costs, and against which period.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VarianceParams {
    /// The first day; the beginning of the month of the last charge if absent.
    from: Option<String>,
    /// The day after the last one; the day after the last charge if absent.
    to: Option<String>,
    /// `previous` (default), `year`, or a period `2026-10-01..2026-11-01`.
    compare: Option<String>,
    /// Dimensions that may explain the change, comma-separated; service, region, account, category and resource if absent.
    by: Option<String>,
    /// Which charges, as in WHERE.
    filter: Option<String>,
    /// `effective` (default), `billed`, `contracted` or `list`.
    cost: Option<String>,
    /// Items that are listed per currency.
    top: Option<usize>,
    /// Bills as they were known at this time: later restatements and imports are not seen.
    as_of: Option<String>,
}

/// Why the costs of a period differ from those of another: effects that add up to the change, to the last digit.
#[utoipa::path(get, path = "/api/v1/costs/variance", tag = "costs", params(VarianceParams),
    responses((status = 200, description = "Effects, items and dimensions behind the change.", body = CostVariance)))]
pub(crate) async fn variance(asker: Asker, Params(p): Params<VarianceParams>) -> Result<Reply<CostVariance>, ApiError> {
    let top = top(p.top, MOVERS_DEFAULT)?;
    let ask = CostAsk { from: p.from, to: p.to, by: p.by, filter: p.filter, cost: p.cost, ..CostAsk::default() };
    let desk = asker.desk_as_of(p.as_of.as_deref())?;
    Ok(Reply(finance::variance::variance(&desk, &ask, p.compare.as_deref().unwrap_or("previous"), top).await?))
}

/// Which costs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProvisionalParams {
    /// Which charges the prices are learnt from, as in WHERE.
    filter: Option<String>,
    /// `effective` (default), `billed`, `contracted` or `list`.
    cost: Option<String>,
    /// Bills as they were known at this time: later restatements and imports are not seen.
    as_of: Option<String>,
}

/// What the days cost for which no bill has come yet, and how good such estimates were on the days that are billed.
#[utoipa::path(get, path = "/api/v1/costs/provisional", tag = "costs", params(ProvisionalParams),
    responses((status = 200, description = "Estimates per day and resource, and their errors.", body = ProvisionalCosts)))]
pub(crate) async fn provisional(
    asker: Asker,
    Params(p): Params<ProvisionalParams>,
) -> Result<Reply<ProvisionalCosts>, ApiError> {
    let ask = CostAsk { filter: p.filter, cost: p.cost, ..CostAsk::default() };
    let desk = asker.desk_as_of(p.as_of.as_deref())?;
    Ok(Reply(finance::provisional::provisional(&desk, &ask).await?))
}

/// Which costs, over which time, in which form.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportParams {
    /// The first day; the beginning of the month of the last charge if absent.
    from: Option<String>,
    /// The day after the last one; the day after the last charge if absent.
    to: Option<String>,
    /// Dimensions, comma-separated; `service` if absent.
    by: Option<String>,
    /// `previous` (default), `year`, or a period `2026-10-01..2026-11-01`.
    compare: Option<String>,
    /// Which charges, as in WHERE.
    filter: Option<String>,
    /// `effective` (default), `billed`, `contracted` or `list`.
    cost: Option<String>,
    /// First month of the fiscal year, 1 to 12.
    fiscal_start: Option<u32>,
    /// `json` (default), `html`, `markdown`, `csv` or `table`.
    format: Option<String>,
    /// Bills as they were known at this time: later restatements and imports are not seen.
    as_of: Option<String>,
    /// The name of a saved report, whose parameters hold where none are given here.
    saved: Option<String>,
}

/// What a period cost, why that differs from before, where the month will end, whether budgets hold. Every section carries its SQL.
#[utoipa::path(get, path = "/api/v1/costs/report", tag = "costs", params(ReportParams),
    responses((status = 200, description = "The report.", content(
        (CostReport = "application/json"), (String = "text/html"), (String = "text/markdown"), (String = "text/csv"), (String = "text/plain")))))]
pub(crate) async fn report(asker: Asker, Params(p): Params<ReportParams>) -> Result<Response, ApiError> {
    let format = p.format.as_deref().map_or(Some(ReportFormat::Json), ReportFormat::parse);
    let format =
        format.ok_or_else(|| ApiError::Parameter("format must be json, html, markdown, csv or table".to_owned()))?;
    let desk = asker.desk_as_of(p.as_of.as_deref())?;
    let ReportParams { from, to, by, compare, filter, cost, fiscal_start, saved, .. } = p;
    let mut setting = ReportSetting { from, to, by, compare, filter, cost, fiscal_start };
    if let Some(name) = saved {
        setting = setting.over(finance::saved::get(&desk, &name).await?.report);
    }
    let (ask, compare) = setting.ask();
    let budgets = finance::budget::statuses(&desk, Day::of(asker.now())).await?;
    let report = finance::report::report(&desk, &ask, &compare, budgets).await?;
    let text = render(&report, format)?;
    // The page has a style of its own and nothing else that could run.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    let headers = [(header::CONTENT_TYPE, format.content_type()), (header::CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, text).into_response())
}
