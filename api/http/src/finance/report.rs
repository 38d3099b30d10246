//! The report: what a period cost, why that differs from before, where it will end, whether budgets hold. Every section carries the SQL that gives
//! its numbers.

use std::collections::BTreeMap;

use grid_finance::calendar::{Day, Grain, Period};
use grid_finance::relation::Measure;
use grid_model::Amount;
use serde::Serialize;
use utoipa::ToSchema;

use super::ask::Group;
use super::budget::BudgetStatus;
use super::desk::{condition, within};
use super::forecast::{LEVEL_DEFAULT, endings};
use super::trend::{MonthToDate, OTHERS};
use super::variance::{ContributionItem, CurrencyVariance, Mover};
use super::{CostAsk, CostScope, DayRange, Desk, less, percent};
use crate::error::ApiError;
use crate::route::rfc3339;

/// Groups that a report lists.
const GROUPS_SHOWN: usize = 25;
/// Items that a report lists per currency.
const MOVERS_SHOWN: usize = 10;
/// Dimensions that a report lists per currency.
const RANKS_SHOWN: usize = 2;

/// What a period cost, and why.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostReport {
    /// The tenant.
    pub tenant: String,
    /// When it was made.
    pub made: String,
    /// The period.
    pub period: DayRange,
    /// What it is compared with.
    pub before: DayRange,
    /// `previous`, `year`, or that period.
    pub compare: String,
    /// Which cost.
    pub cost: &'static str,
    /// Which charges.
    pub filter: Option<String>,
    /// The dimensions.
    pub by: Vec<String>,
    /// Bills as they were known at this time; null: now. The statements give these numbers with `bills_as_of`.
    pub as_of: Option<String>,
    /// The day after the last billed one; null if nothing is billed.
    pub billed_to: Option<String>,
    /// Per currency what the period cost in every sense.
    pub totals: Vec<Total>,
    /// Its statement.
    pub totals_sql: String,
    /// Costs by the dimensions, the dearest first.
    pub groups: Vec<GroupItem>,
    /// Its statement.
    pub groups_sql: String,
    /// Costs per day.
    pub days: Vec<DayItem>,
    /// Its statement.
    pub days_sql: String,
    /// The month to date of every currency.
    pub month_to_date: Vec<MonthToDate>,
    /// Per currency the effects behind the change.
    pub variance: Vec<CurrencyVariance>,
    /// The items that changed most.
    pub movers: Vec<Mover>,
    /// Statements for the items before and in the period.
    pub variance_sql: Vec<String>,
    /// The dimensions that explain the change best.
    pub contributions: Vec<ContributionItem>,
    /// One statement per dimension.
    pub contributions_sql: Vec<String>,
    /// Per currency where the month of the last charge will end.
    pub forecast: Vec<MonthEnd>,
    /// The statement for its history.
    pub forecast_sql: String,
    /// How the budgets stand.
    pub budgets: Vec<BudgetStatus>,
    /// Per currency what commitments covered and what of them was not used.
    pub commitments: Vec<CommitmentItem>,
    /// Its statement.
    pub commitments_sql: String,
    /// Per currency and dimension the cost that has no value there: no owner, no region.
    pub unallocated: Vec<Unallocated>,
}

/// The totals of one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Total {
    /// The currency.
    pub currency: String,
    /// The cost.
    pub cost: String,
    /// The cost before.
    pub before: String,
    /// The difference.
    pub change: String,
    /// The difference in percent; null if there was no cost before.
    pub change_percent: Option<String>,
    /// As invoiced.
    pub billed: String,
    /// With prepayments spread.
    pub effective: String,
    /// At negotiated prices.
    pub contracted: String,
    /// At public prices.
    pub list: String,
    /// Charges.
    pub charges: i64,
}

/// The cost of one group.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GroupItem {
    /// The currency.
    pub currency: String,
    /// The values of the dimensions, by their names.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub group: Group,
    /// The cost.
    pub cost: String,
    /// Its share of the currency's cost in percent.
    pub share_percent: Option<String>,
    /// The cost before.
    pub before: String,
    /// The difference.
    pub change: String,
    /// The difference in percent.
    pub change_percent: Option<String>,
}

/// The cost of one day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DayItem {
    /// The day.
    pub time: String,
    /// The currency.
    pub currency: String,
    /// The cost.
    pub cost: String,
    /// Whether no bill has come yet, so that the cost is what the forecast says.
    pub forecast: bool,
}

/// Where a month will end.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MonthEnd {
    /// The currency.
    pub currency: String,
    /// The month.
    pub period: DayRange,
    /// What it has cost so far.
    pub actual: String,
    /// What it will have cost; null if history is too short.
    pub total: Option<String>,
    /// The lower bound.
    pub low: Option<String>,
    /// The upper bound.
    pub high: Option<String>,
    /// Days of history that were used.
    pub history_days: usize,
}

/// The commitments of one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommitmentItem {
    /// The currency.
    pub currency: String,
    /// The commitment.
    pub commitment: String,
    /// Effective cost of the usage that it covered.
    pub used: String,
    /// Effective cost of what was paid and not used.
    pub unused: String,
    /// What the covered usage would have cost at negotiated prices without it.
    pub contracted: String,
    /// Used of used and unused, in percent.
    pub utilisation_percent: Option<String>,
}

/// Cost without an owner.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Unallocated {
    /// The currency.
    pub currency: String,
    /// The dimension.
    pub dimension: String,
    /// The cost without a value.
    pub cost: String,
    /// Its share of all cost in percent.
    pub share_percent: Option<String>,
}

/// Makes the report.
pub async fn report(
    desk: &Desk<'_>,
    ask: &CostAsk,
    compare: &str,
    budgets: Vec<BudgetStatus>,
) -> Result<CostReport, ApiError> {
    let mut scope = ask.scope()?.of_charges("the report")?;
    if scope.by.is_empty() {
        scope.by = CostAsk { by: Some("service".to_owned()), ..CostAsk::default() }.scope()?.by;
    }
    scope.check_tags(desk).await?;
    let known = desk.known(scope.relation, scope.filter.as_ref()).await?;
    let period = ask.period(super::variance::latest_month(desk, &scope).await?)?;
    let before = super::variance::compared(compare, period)?;
    let (totals, totals_sql) = totals(desk, &scope, period, before).await?;
    let (groups, unallocated, groups_sql) = groups(desk, &scope, period, before).await?;
    let whole = CostScope { by: Vec::new(), ..scope.clone() };
    let (found, variance_sql) = super::variance::analyse(desk, &scope, period, before).await?;
    let (mut contributions, contributions_sql) = super::variance::contributions(desk, &whole, period, before).await?;
    contributions.retain(|c| c.rank <= RANKS_SHOWN);
    let shown = Period { end: known.map_or(period.end, |k| k.end.min(period.end)), ..period };
    let (mut days, days_sql) = days(desk, &whole, shown).await?;
    let (forecast, to_come, forecast_sql) = match known {
        Some(known) => month_end(desk, &whole, known).await?,
        None => (Vec::new(), Vec::new(), String::new()),
    };
    // A report of the running month shows where it goes.
    days.extend(to_come.into_iter().filter(|_| known.is_some_and(|k| k.end == period.end)));
    let month_to_date = match known {
        Some(known) => super::trend::to_date(desk, &scope, known).await?,
        None => Vec::new(),
    };
    let (commitments, commitments_sql) = commitments(desk, &scope, period).await?;
    Ok(CostReport {
        tenant: desk.tenant.to_string(),
        made: rfc3339(desk.store.now()),
        period: period.into(),
        before: before.into(),
        compare: compare.to_owned(),
        cost: scope.measure.name(),
        filter: scope.filter.as_ref().map(|f| f.text().to_owned()),
        by: scope.by.iter().map(|d| d.name.clone()).collect(),
        as_of: desk.as_of.map(rfc3339),
        billed_to: known.map(|k| k.end.to_string()),
        totals,
        totals_sql,
        groups,
        groups_sql,
        days,
        days_sql,
        month_to_date,
        variance: found.iter().map(super::variance::currency).collect(),
        movers: found.iter().flat_map(|v| super::variance::movers(v, MOVERS_SHOWN)).collect(),
        variance_sql,
        contributions,
        contributions_sql,
        forecast,
        forecast_sql,
        budgets,
        commitments,
        commitments_sql,
        unallocated,
    })
}

async fn totals(
    desk: &Desk<'_>,
    scope: &CostScope,
    period: Period,
    before: Period,
) -> Result<(Vec<Total>, String), ApiError> {
    let (now, then, cost) = (within(period), within(before), scope.measure.column());
    let sums: Vec<String> =
        Measure::ALL.iter().map(|m| format!("sum(CASE WHEN {now} THEN {} END) AS {}", m.column(), m.name())).collect();
    let sql = format!(
        "SELECT billing_currency AS currency,\n  sum(CASE WHEN {now} THEN {cost} END) AS cost,\n  sum(CASE WHEN {then} THEN {cost} END) AS before,\n  {},\n  count(CASE WHEN {now} THEN 1 END) AS charges\nFROM charges\nWHERE ({then} OR {now}) AND {}\nGROUP BY 1\nORDER BY 1",
        sums.join(",\n  "),
        condition(scope.filter.as_ref()),
    );
    let rows = desk.ask(&sql).await?;
    let mut columns = BTreeMap::new();
    for name in ["cost", "before", "billed", "effective", "contracted", "list"] {
        columns.insert(name, rows.costs(name)?);
    }
    let charges = rows.counts("charges")?;
    let mut found = Vec::new();
    for (i, currency) in rows.words("currency")?.into_iter().enumerate() {
        let of = |name: &str| columns.get(name).and_then(|c| c.get(i)).copied().unwrap_or_default();
        let change = less(of("cost"), of("before"))?;
        found.push(Total {
            currency,
            cost: of("cost").to_string(),
            before: of("before").to_string(),
            change: change.to_string(),
            change_percent: percent(change, of("before")),
            billed: of("billed").to_string(),
            effective: of("effective").to_string(),
            contracted: of("contracted").to_string(),
            list: of("list").to_string(),
            charges: charges.get(i).copied().flatten().unwrap_or(0),
        });
    }
    Ok((found, sql))
}

type Groups = (Vec<GroupItem>, Vec<Unallocated>, String);

async fn groups(desk: &Desk<'_>, scope: &CostScope, period: Period, before: Period) -> Result<Groups, ApiError> {
    let sql = super::variance::pair_sql(scope, &scope.columns(), &scope.positions(1), period, before);
    let rows = desk.ask(&sql).await?;
    let costs = rows.costs("before")?.into_iter().zip(rows.costs("cost")?);
    let keys = rows.words("currency")?.into_iter().zip(scope.groups(&rows)?);
    let mut by_currency: BTreeMap<String, Vec<(Group, Amount, Amount)>> = BTreeMap::new();
    for ((currency, group), (before, cost)) in keys.zip(costs) {
        by_currency.entry(currency).or_default().push((group, before, cost));
    }
    let overflow = || ApiError::from(grid_finance::variance::Overflow);
    let (mut items, mut unallocated) = (Vec::new(), Vec::new());
    for (currency, mut groups) in by_currency {
        let all = grid_finance::exact::sum(groups.iter().map(|g| g.2)).ok_or_else(overflow)?;
        for dimension in &scope.by {
            let without = groups.iter().filter(|(g, ..)| g.get(&dimension.name).is_some_and(Option::is_none));
            let cost = grid_finance::exact::sum(without.map(|g| g.2)).ok_or_else(overflow)?;
            unallocated.push(Unallocated {
                currency: currency.clone(),
                dimension: dimension.name.clone(),
                cost: cost.to_string(),
                share_percent: percent(cost, all),
            });
        }
        groups.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| b.1.cmp(&a.1)).then_with(|| a.0.cmp(&b.0)));
        if groups.len() > GROUPS_SHOWN {
            let rest = groups.split_off(GROUPS_SHOWN - 1);
            let name = scope.by.iter().map(|d| (d.name.clone(), Some(OTHERS.to_owned()))).collect();
            let sum = |of: fn(&(Group, Amount, Amount)) -> Amount| grid_finance::exact::sum(rest.iter().map(of));
            groups.push((name, sum(|g| g.1).ok_or_else(overflow)?, sum(|g| g.2).ok_or_else(overflow)?));
        }
        for (group, before, cost) in groups {
            let change = less(cost, before)?;
            items.push(GroupItem {
                currency: currency.clone(),
                group,
                cost: cost.to_string(),
                share_percent: percent(cost, all),
                before: before.to_string(),
                change: change.to_string(),
                change_percent: percent(change, before),
            });
        }
    }
    Ok((items, unallocated, sql))
}

async fn days(desk: &Desk<'_>, scope: &CostScope, period: Period) -> Result<(Vec<DayItem>, String), ApiError> {
    let (series, sql) = super::trend::daily(desk, scope, period).await?;
    let mut items = Vec::new();
    for ((currency, _), daily) in series {
        for day in (period.start.0..period.end.0).map(Day) {
            let cost = daily.get(&day).copied().unwrap_or_default();
            items.push(DayItem {
                time: midnight(day),
                currency: currency.clone(),
                cost: cost.to_string(),
                forecast: false,
            });
        }
    }
    Ok((items, sql))
}

fn midnight(day: Day) -> String {
    format!("{day}T00:00:00Z")
}

type MonthEnds = (Vec<MonthEnd>, Vec<DayItem>, String);

async fn month_end(desk: &Desk<'_>, scope: &CostScope, known: Period) -> Result<MonthEnds, ApiError> {
    let month = scope.fiscal.period_of(Grain::Month, known.end.plus(-1));
    let (endings, sql) = endings(desk, scope, known, month, LEVEL_DEFAULT, 1).await?;
    let (mut ends, mut days) = (Vec::new(), Vec::new());
    for ((currency, _), ending) in endings {
        let plus = |amount: Amount| ending.actual.checked_add(amount).map(|a| a.to_string());
        let found = ending.forecast.as_ref().ok();
        for day in found.into_iter().flat_map(|f| &f.days) {
            let cost = day.cost.to_string();
            days.push(DayItem { time: midnight(day.day), currency: currency.clone(), cost, forecast: true });
        }
        ends.push(MonthEnd {
            currency,
            period: month.into(),
            actual: ending.actual.to_string(),
            total: found.and_then(|f| plus(f.total)),
            low: found.and_then(|f| plus(f.interval?.low)),
            high: found.and_then(|f| plus(f.interval?.high)),
            history_days: ending.forecast.as_ref().map_or_else(|e| e.days, |f| f.history_days),
        });
    }
    Ok((ends, days, sql))
}

async fn commitments(
    desk: &Desk<'_>,
    scope: &CostScope,
    period: Period,
) -> Result<(Vec<CommitmentItem>, String), ApiError> {
    let sql = format!(
        "SELECT billing_currency AS currency, commitment_discount_id AS commitment,\n  sum(CASE WHEN charge_category = 'Usage' THEN effective_cost END) AS used,\n  sum(CASE WHEN charge_category <> 'Usage' THEN effective_cost END) AS unused,\n  sum(CASE WHEN charge_category = 'Usage' THEN contracted_cost END) AS contracted\nFROM charges\nWHERE commitment_discount_id IS NOT NULL AND {} AND {}\nGROUP BY 1, 2\nORDER BY 1, 2",
        within(period),
        condition(scope.filter.as_ref()),
    );
    let rows = desk.ask(&sql).await?;
    let keys = rows.words("currency")?.into_iter().zip(rows.words("commitment")?);
    let costs = rows.costs("used")?.into_iter().zip(rows.costs("unused")?).zip(rows.costs("contracted")?);
    let items = keys.zip(costs).map(|((currency, commitment), ((used, unused), contracted))| CommitmentItem {
        currency,
        commitment,
        used: used.to_string(),
        unused: unused.to_string(),
        contracted: contracted.to_string(),
        utilisation_percent: used.checked_add(unused).and_then(|paid| percent(used, paid)),
    });
    Ok((items.collect(), sql))
}
