//! When budgets are spent.

use grid_finance::budget::{Budget, Draft};
use grid_finance::calendar::{Day, Period};
use grid_finance::forecast::{Forecast, forecast};
use grid_findings::capacity::spent_on;
use grid_findings::stable_id;
use grid_model::table::forecasts::ForecastRow;
use grid_model::{Amount, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::super::{Job, JobError, Run};
use crate::evidence::Evidence;
use crate::read::{self, amount, literal, rows, whole};

/// Kind of the documents in which the API keeps budgets.
const KIND: &str = "budget";
/// Days of history that a forecast looks at.
const HISTORY_DAYS: i64 = 400;
/// Probability of the interval, in percent.
const LEVEL_PERCENT: u32 = 80;

/// A budget as it is kept; what is not needed here is left out.
#[derive(Deserialize)]
struct Kept {
    name: String,
    amount: String,
    currency: String,
    period: Option<String>,
    start: Option<String>,
    end: Option<String>,
    fiscal_start: Option<u32>,
    filter: Option<String>,
    cost: Option<String>,
}

pub(super) async fn find(run: &Run<'_>) -> Result<Vec<ForecastRow>, JobError> {
    let mut found = Vec::new();
    for document in run.store.catalog().documents(run.tenant, KIND).await? {
        let Ok(kept) = serde_json::from_str::<Kept>(&document.body) else { continue };
        let draft = Draft {
            name: kept.name,
            amount: kept.amount,
            currency: kept.currency,
            period: kept.period,
            start: kept.start,
            end: kept.end,
            fiscal_start: kept.fiscal_start,
            filter: kept.filter,
            cost: kept.cost,
            ..Draft::default()
        };
        // A budget was checked when it was written.
        if let Ok(budget) = Budget::check(&draft) {
            found.extend(told(run, &budget).await?);
        }
    }
    Ok(found)
}

fn condition(budget: &Budget) -> String {
    let filter = budget.filter.as_ref().map_or_else(String::new, |f| format!(" AND ({})", f.sql()));
    format!("billing_currency = {}{filter}", literal(&budget.currency))
}

/// `None` if bills are too few to say anything.
async fn told(run: &Run<'_>, budget: &Budget) -> Result<Option<ForecastRow>, JobError> {
    let today = Day::of(run.until);
    let period = budget.span.period_on(today);
    let start = period.start.min(today.plus(-HISTORY_DAYS));
    let column = budget.measure.column();
    let sql = format!(
        "SELECT CAST(date_trunc('day', charge_period_start) AS BIGINT) AS day, sum({column}) AS cost FROM charges WHERE {} AND {} GROUP BY 1 ORDER BY 1",
        condition(budget),
        read::within("charge_period_start", start.start(), today.start()),
    );
    let daily: Vec<(Day, Amount)> = rows(run.engine, run.tenant, &sql)
        .await?
        .iter()
        .map(|row| (Day::of(Timestamp(whole(row, "day"))), amount(row, "cost")))
        .collect();
    let (Some((first, _)), Some((last, _))) = (daily.first(), daily.last()) else { return Ok(None) };
    let (first, known) = (*first, last.plus(1));
    if known <= period.start && period.start.0 - known.0 > 45 || known >= period.end {
        return Ok(None);
    }
    let of = |day: Day| daily.iter().find(|(d, _)| *d == day).map_or(Amount::ZERO, |(_, c)| *c);
    let history: Vec<Amount> = (first.0..known.0).map(|d| of(Day(d))).collect();
    // A year ahead at most: a budget that lasts longer is not in danger.
    let ahead = Period { start: known, end: period.end.min(known.plus(366)) };
    let Ok(Ok(forecast)) = forecast(&history, ahead, LEVEL_PERCENT) else { return Ok(None) };
    let evidence = Evidence::ask(
        run.engine,
        run.tenant,
        format!(
            "SELECT coalesce(sum({column}), 0) AS spent, round(coalesce(sum({column}), 0), 2) AS spent_rounded, count(DISTINCT date_trunc('day', charge_period_start)) AS days\nFROM charges\nWHERE {}\n  AND {}",
            condition(budget),
            read::within("charge_period_start", period.start.start(), known.min(period.end).start())
        ),
    )
    .await?;
    Ok(Some(row(run, budget, period, &forecast, &evidence)))
}

fn row(run: &Run<'_>, budget: &Budget, period: Period, forecast: &Forecast, evidence: &Evidence) -> ForecastRow {
    let spent = amount(&evidence.row, "spent");
    let spent_rounded = read::text(&evidence.row, "spent_rounded");
    let days = || forecast.days.iter().filter(|d| d.day >= period.start && d.day < period.end);
    let by = |of: &dyn Fn(&grid_finance::forecast::DayForecast) -> Amount| {
        let at = spent_on(spent, days().map(of), budget.amount)?;
        days().nth(at).map(|d| d.day.start())
    };
    // Days err alike at worst: each at its own end of the interval gives the widest honest dates.
    let expected = by(&|d| d.cost);
    let earliest = by(&|d| d.interval.map_or(d.cost, |i| i.high));
    let latest = by(&|d| d.interval.map_or(d.cost, |i| i.low));
    let float = |a: Amount| grid_finance::exact::rounded_text(a, 2).parse().unwrap_or(0.0);
    let when = |t: Option<Timestamp>| t.map_or_else(|| "later".to_owned(), |t| t.to_string()[..10].to_owned());
    let money = |a: Amount| grid_finance::exact::rounded_text(a, 2);
    let title = if spent >= budget.amount {
        format!("budget {} is spent: {} of {} {}", budget.name, spent_rounded, money(budget.amount), budget.currency)
    } else if expected.is_some() || earliest.is_some() {
        format!(
            "budget {} is spent on {} ({} to {}): {} of {} {} so far",
            budget.name,
            when(expected),
            when(earliest),
            when(latest),
            spent_rounded,
            money(budget.amount),
            budget.currency
        )
    } else {
        format!(
            "budget {} holds: {} of {} {} so far",
            budget.name,
            spent_rounded,
            money(budget.amount),
            budget.currency
        )
    };
    let mut sum = spent;
    let points: Vec<serde_json::Value> = days()
        .take(grid_findings::capacity::POINTS_KEPT)
        .map(|d| {
            sum = Amount(sum.0.saturating_add(d.cost.0));
            let (low, high) = d.interval.map_or((d.cost, d.cost), |i| (i.low, i.high));
            json!([d.day.to_string(), money(sum), money(low), money(high)])
        })
        .collect();
    ForecastRow {
        forecast_id: stable_id(&["budget_spent", &budget.name]),
        kind: "budget_spent".to_owned(),
        subject: budget.name.clone(),
        labels: Default::default(),
        title,
        current: evidence.number("spent_rounded"),
        limit: float(budget.amount),
        unit: budget.currency.clone(),
        amount: Some(budget.amount),
        currency: Some(budget.currency.clone()),
        earliest,
        expected,
        latest,
        level: f64::from(LEVEL_PERCENT) / 100.0,
        horizon: period.end.start(),
        points: serde_json::Value::Array(points).to_string(),
        job: Job::Capacity.name().to_owned(),
        model: "cost-forecast".to_owned(),
        version: 1,
        parameters: json!({ "period": period.to_string(), "history_days": forecast.history_days }).to_string(),
        generation: run.generation,
        language: "sql".to_owned(),
        query: evidence.sql.clone(),
        evidence: evidence.json(),
        made_time: run.until,
    }
}
