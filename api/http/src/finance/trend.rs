//! Costs by day, week, month, quarter or year.

use std::collections::BTreeMap;

use grid_finance::calendar::{Grain, Period};
use grid_finance::trend::{Daily, buckets, month_to_date};
use grid_model::Amount;
use serde::Serialize;
use utoipa::ToSchema;

use super::ask::Group;
use super::desk::{condition, within_of};
use super::{CostAsk, CostScope, DayRange, Desk, less, percent};
use crate::error::ApiError;

/// Groups that are shown by themselves unless the request says otherwise.
pub const TOP_DEFAULT: usize = 20;
/// Most groups that are shown by themselves.
pub const TOP_MAX: usize = 500;
/// What the group of all other groups is called.
pub const OTHERS: &str = "(other)";

/// Costs over time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostTrend {
    /// The days that are looked at.
    pub period: DayRange,
    /// Buckets by group and time; flat, so that a table takes them as they are.
    pub items: Vec<TrendItem>,
    /// Per currency the month to date against the same days of the month before.
    pub month_to_date: Vec<MonthToDate>,
    /// The statements that give these numbers.
    pub sql: Vec<String>,
}

/// One bucket of one group.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TrendItem {
    /// Where it begins.
    #[schema(example = "2026-11-01T00:00:00Z")]
    pub time: String,
    /// What it is called.
    #[schema(example = "2026-11")]
    pub label: String,
    /// The currency.
    pub currency: String,
    /// The values of the dimensions, by their names; null where charges have none.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub group: Group,
    /// What it cost.
    #[schema(example = "1234.56")]
    pub cost: String,
    /// Cost less that of the bucket before; null where one of them is not whole.
    pub change: Option<String>,
    /// The mean of the buckets before: 7 days, 4 weeks, 3 months, 4 quarters, 3 years, as many as there are.
    pub moving_mean: Option<String>,
    /// Whether days of it lie outside of the period or of what is billed.
    pub partial: bool,
    /// Whether the cost is an estimate for which no bill has come yet.
    pub provisional: bool,
}

/// The month so far.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MonthToDate {
    /// The currency.
    pub currency: String,
    /// Its days so far.
    pub period: DayRange,
    /// What they cost.
    pub cost: String,
    /// The same days of the month before.
    pub before: DayRange,
    /// What those cost.
    pub before_cost: String,
    /// The difference.
    pub change: String,
    /// The difference in percent; null if there was no cost before.
    pub change_percent: Option<String>,
}

/// Daily costs per currency and group.
pub(crate) type Series = BTreeMap<(String, Group), Daily>;

/// The statement for daily costs.
pub(crate) fn daily_sql(scope: &CostScope, period: Period) -> String {
    format!(
        "SELECT date_trunc('day', {}) AS day, {}, sum({}) AS cost\nFROM {}\nWHERE {} AND {}\nGROUP BY 1, {}\nORDER BY 1, {}",
        scope.relation.time(),
        scope.columns(),
        scope.cost(),
        scope.relation.table(),
        within_of(scope.relation, period),
        condition(scope.filter.as_ref()),
        scope.positions(2),
        scope.positions(2),
    )
}

/// Reads daily costs.
pub(crate) async fn daily(desk: &Desk<'_>, scope: &CostScope, period: Period) -> Result<(Series, String), ApiError> {
    let sql = daily_sql(scope, period);
    let rows = desk.ask(&sql).await?;
    let mut series = Series::new();
    let keys = rows.words("currency")?.into_iter().zip(scope.groups(&rows)?);
    for ((key, day), cost) in keys.zip(rows.days("day")?).zip(rows.costs("cost")?) {
        series.entry(key).or_default().insert(day, cost);
    }
    Ok((series, sql))
}

/// Folds all groups but the `top` dearest of each currency into one.
pub(crate) fn fold(series: Series, top: usize) -> Result<Series, ApiError> {
    let mut sizes: BTreeMap<String, Vec<(u128, Group)>> = BTreeMap::new();
    for ((currency, group), daily) in &series {
        let sum = grid_finance::exact::sum(daily.values().copied()).ok_or(grid_finance::variance::Overflow)?;
        sizes.entry(currency.clone()).or_default().push((sum.0.unsigned_abs(), group.clone()));
    }
    for groups in sizes.values_mut() {
        groups.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        groups.truncate(top);
    }
    let mut folded = Series::new();
    for ((currency, group), daily) in series {
        let own = sizes.get(&currency).is_some_and(|kept| kept.iter().any(|(_, g)| *g == group));
        let group = if own { group } else { group.into_keys().map(|k| (k, Some(OTHERS.to_owned()))).collect() };
        let slot = folded.entry((currency, group)).or_default();
        for (day, cost) in daily {
            let sum: &mut Amount = slot.entry(day).or_default();
            *sum = sum.checked_add(cost).ok_or(grid_finance::variance::Overflow)?;
        }
    }
    Ok(folded)
}

/// Answers the trend. Without a period: the twelve months, weeks, ... up to the last charge that fit the grain.
pub async fn trend(
    desk: &Desk<'_>,
    ask: &CostAsk,
    grain: Grain,
    top: usize,
    estimate: bool,
) -> Result<CostTrend, ApiError> {
    let mut scope = ask.scope()?;
    if estimate {
        scope = scope.of_charges("an estimate of days without a bill")?;
    }
    scope.check_tags(desk).await?;
    let Some(known) = desk.known(scope.relation, scope.filter.as_ref()).await? else {
        let today = grid_finance::calendar::Day::of(desk.store.now());
        let period = ask.period(Period { start: today, end: today.plus(1) })?;
        return Ok(CostTrend { period: period.into(), items: Vec::new(), month_to_date: Vec::new(), sql: Vec::new() });
    };
    let period = ask.period(recent(&scope, known, grain))?;
    let (series, sql) = daily(desk, &scope, period).await?;
    let mut sql = vec![sql];
    let within_known = Period { start: period.start, end: period.end.min(known.end) };
    let mut items = Vec::new();
    for ((currency, group), daily) in fold(series, top)? {
        for bucket in buckets(&daily, within_known, grain, scope.fiscal)? {
            items.push(TrendItem {
                time: format!("{}T00:00:00Z", bucket.period.start),
                label: bucket.label,
                currency: currency.clone(),
                group: group.clone(),
                cost: bucket.cost.to_string(),
                change: bucket.change.map(|c| c.to_string()),
                moving_mean: bucket.moving_mean.map(|m| m.to_string()),
                partial: bucket.partial,
                provisional: false,
            });
        }
    }
    if estimate {
        let found = super::provisional::trend_items(desk, &scope, known, period, grain).await?;
        items.extend(found.items);
        sql.extend(found.sql);
    }
    let month_to_date = to_date(desk, &scope, known).await?;
    Ok(CostTrend { period: period.into(), items, month_to_date, sql })
}

/// What is shown where no period was named: twelve buckets, or thirty days.
fn recent(scope: &CostScope, known: Period, grain: Grain) -> Period {
    let last = scope.fiscal.period_of(grain, known.end.plus(-1));
    let start = match grain {
        Grain::Day => last.start.plus(-29),
        Grain::Week => last.start.plus(-7 * 11),
        Grain::Month => last.start.plus_months(-11),
        Grain::Quarter => last.start.plus_months(-33),
        Grain::Year => last.start.plus_months(-36),
    };
    Period { start: start.max(scope.fiscal.period_of(grain, known.start).start), end: known.end }
}

/// The month to date of every currency.
pub(crate) async fn to_date(desk: &Desk<'_>, scope: &CostScope, known: Period) -> Result<Vec<MonthToDate>, ApiError> {
    let month = known.end.plus(-1).month_start();
    let whole = CostScope { by: Vec::new(), ..scope.clone() };
    let (series, _) = daily(desk, &whole, Period { start: month.plus_months(-1), end: known.end }).await?;
    let mut found = Vec::new();
    for ((currency, _), daily) in series {
        let compared = month_to_date(&daily, known)?;
        let change = less(compared.cost, compared.with_cost)?;
        found.push(MonthToDate {
            currency,
            period: compared.period.into(),
            cost: compared.cost.to_string(),
            before: compared.with.into(),
            before_cost: compared.with_cost.to_string(),
            change: change.to_string(),
            change_percent: percent(change, compared.with_cost),
        });
    }
    Ok(found)
}
