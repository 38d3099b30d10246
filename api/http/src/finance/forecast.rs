//! Where costs will end.

use std::collections::BTreeMap;

use grid_finance::calendar::{Day, Grain, Period};
use grid_finance::forecast::{Forecast, HORIZON_DAYS_MAX, NotEnough, forecast as predict};
use grid_finance::trend::{Daily, cost_of};
use grid_model::Amount;
use serde::Serialize;
use utoipa::ToSchema;

use super::ask::{Group, day};
use super::{CostAsk, CostScope, DayRange, Desk};
use crate::error::ApiError;

/// Days of history that are read.
const HISTORY_DAYS: i64 = 400;
/// The probability of intervals unless the request says otherwise, in percent.
pub const LEVEL_DEFAULT: u32 = 80;

/// Where costs will end.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostForecast {
    /// The period whose end is forecast; its part up to the last charge is known.
    pub period: DayRange,
    /// One per currency and group.
    pub items: Vec<ForecastItem>,
    /// Days to come, flat; none for items without a forecast.
    pub days: Vec<ForecastDay>,
    /// The statement that gives the history.
    pub sql: Vec<String>,
}

/// The end of one group in one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ForecastItem {
    /// The currency.
    pub currency: String,
    /// The values of the dimensions, by their names.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub group: Group,
    /// What the period has cost so far.
    pub actual: String,
    /// The days of the period that are known.
    pub actual_days: i64,
    /// What its other days will cost; null if history is too short.
    pub to_come: Option<String>,
    /// Actual and to come.
    pub total: Option<String>,
    /// The lower bound of the total.
    pub low: Option<String>,
    /// The upper bound of the total.
    pub high: Option<String>,
    /// The probability of the bounds, in percent.
    pub level_percent: u32,
    /// Days of history that were used.
    pub history_days: usize,
    /// Days of history that it takes, where there are fewer.
    pub needed_days: Option<usize>,
    /// Mean absolute error of a day when the model forecast the past, in percent of a mean day.
    pub backtest_error_percent: Option<String>,
    /// Days from which it forecast the past.
    pub backtest_origins: usize,
}

/// One day to come of one group in one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ForecastDay {
    /// The day.
    pub time: String,
    /// The currency.
    pub currency: String,
    /// The values of the dimensions, by their names.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub group: Group,
    /// What it will cost.
    pub cost: String,
    /// The lower bound of the day alone.
    pub low: Option<String>,
    /// The upper bound of the day alone.
    pub high: Option<String>,
}

/// How one series will end.
pub(crate) struct Ending {
    pub(crate) actual: Amount,
    pub(crate) actual_days: i64,
    pub(crate) forecast: Result<Forecast, NotEnough>,
}

/// Forecasts what a period will have cost at its end. `known` is what is billed; days of the period before it are in `daily`.
pub(crate) fn ending(daily: &Daily, known: Period, period: Period, level: u32) -> Result<Ending, ApiError> {
    let so_far = Period { start: period.start, end: period.end.min(known.end) };
    let actual = cost_of(daily, so_far)?;
    let to_come = Period { start: known.end.max(period.start), end: period.end };
    // A series begins with its first cost: a service that is new did not cost nothing before.
    let first = daily.keys().next().copied().unwrap_or(known.end).max(known.start);
    let history: Vec<Amount> =
        (first.0..known.end.0).map(|d| daily.get(&Day(d)).copied().unwrap_or_default()).collect();
    // What lies between the last bill and a period to come is forecast too, and not counted.
    let gap = Period { start: known.end, end: to_come.end.max(known.end) };
    let mut forecast = predict(&history, gap, level)?;
    if let Ok(found) = &mut forecast
        && to_come.start > known.end
    {
        found.days.retain(|d| d.day >= to_come.start);
        let total = grid_finance::exact::sum(found.days.iter().map(|d| d.cost));
        found.total = total.ok_or(grid_finance::variance::Overflow)?;
    }
    Ok(Ending { actual, actual_days: so_far.days(), forecast })
}

/// Answers the forecast for the rest of a month, quarter or year (`until` names one, or a day), from the last charge on.
pub async fn forecast(
    desk: &Desk<'_>,
    ask: &CostAsk,
    until: &str,
    level: u32,
    top: usize,
) -> Result<CostForecast, ApiError> {
    if !(1..=99).contains(&level) {
        return Err(ApiError::Parameter(format!("level is {level}, it must be 1 to 99 percent")));
    }
    let scope = ask.scope()?;
    scope.check_tags(desk).await?;
    let known = desk.known(scope.relation, scope.filter.as_ref()).await?;
    let last = known.map_or_else(|| Day::of(desk.store.now()), |k| k.end.plus(-1));
    let period = match Grain::parse(until) {
        Some(grain) => scope.fiscal.period_of(grain, last),
        None => Period { start: last.month_start(), end: day("until", until)? },
    };
    if period.end <= last || period.end.0 - last.0 > HORIZON_DAYS_MAX {
        let message = format!("until is {until:?}: month, quarter, year, or a day after {last}");
        return Err(ApiError::Parameter(format!("{message}, at most {HORIZON_DAYS_MAX} days later")));
    }
    let Some(known) = known else {
        return Ok(CostForecast { period: period.into(), items: Vec::new(), days: Vec::new(), sql: Vec::new() });
    };
    let (endings, sql) = endings(desk, &scope, known, period, level, top).await?;
    let (mut items, mut days) = (Vec::new(), Vec::new());
    for ((currency, group), ending) in endings {
        let found = ending.forecast.as_ref().ok();
        let plus = |amount: Amount| ending.actual.checked_add(amount).map(|a| a.to_string());
        items.push(ForecastItem {
            currency: currency.clone(),
            group: group.clone(),
            actual: ending.actual.to_string(),
            actual_days: ending.actual_days,
            to_come: found.map(|f| f.total.to_string()),
            total: found.and_then(|f| plus(f.total)),
            low: found.and_then(|f| plus(f.interval?.low)),
            high: found.and_then(|f| plus(f.interval?.high)),
            level_percent: level,
            history_days: ending.forecast.as_ref().map_or_else(|e| e.days, |f| f.history_days),
            needed_days: ending.forecast.as_ref().err().map(|e| e.needed),
            backtest_error_percent: found
                .and_then(|f| f.backtest.error_basis_points)
                .map(grid_finance::exact::percent_text),
            backtest_origins: found.map_or(0, |f| f.backtest.origins),
        });
        for day in found.into_iter().flat_map(|f| &f.days) {
            days.push(ForecastDay {
                time: format!("{}T00:00:00Z", day.day),
                currency: currency.clone(),
                group: group.clone(),
                cost: day.cost.to_string(),
                low: day.interval.map(|i| i.low.to_string()),
                high: day.interval.map(|i| i.high.to_string()),
            });
        }
    }
    Ok(CostForecast { period: period.into(), items, days, sql: vec![sql] })
}

/// The endings of all groups.
pub(crate) async fn endings(
    desk: &Desk<'_>,
    scope: &CostScope,
    known: Period,
    period: Period,
    level: u32,
    top: usize,
) -> Result<(BTreeMap<(String, Group), Ending>, String), ApiError> {
    let start = known.start.max(known.end.plus(-HISTORY_DAYS)).min(period.start);
    let (series, sql) = super::trend::daily(desk, scope, Period { start, end: known.end }).await?;
    let series = super::trend::fold(series, top)?;
    let known = Period { start: known.start.max(start), end: known.end };
    let endings = series.into_iter().map(|(key, daily)| Ok((key, ending(&daily, known, period, level)?)));
    Ok((endings.collect::<Result<_, ApiError>>()?, sql))
}
