//! Why costs differ from those of another period.

use std::collections::BTreeMap;

use grid_finance::calendar::{Day, Period};
use grid_finance::contribution;
use grid_finance::relation::{Dimension, Measure, Relation};
use grid_finance::variance::{Category, Effect, ItemChange, ItemCost, ItemKey, Variance, explain};
use grid_model::Amount;
use serde::Serialize;
use utoipa::ToSchema;

use super::desk::{condition, within};
use super::{CostAsk, CostScope, DayRange, Desk, percent};
use crate::error::ApiError;

/// Items that are listed unless the request says otherwise.
pub const MOVERS_DEFAULT: usize = 20;
/// Values of a dimension that are listed.
const VALUES_SHOWN: usize = 10;
/// What is looked through where no dimension is named.
const DIMENSIONS: [&str; 5] = ["service", "region", "account", "category", "resource"];

/// Why costs differ.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostVariance {
    /// The period.
    pub period: DayRange,
    /// What it is compared with.
    pub before: DayRange,
    /// Per currency the change and the effects behind it.
    pub currencies: Vec<CurrencyVariance>,
    /// The effects once more, flat: one per currency and effect.
    pub effects: Vec<EffectItem>,
    /// The items that changed most, flat.
    pub movers: Vec<Mover>,
    /// Dimensions by how well they explain the change, flat: one per dimension and value.
    pub contributions: Vec<ContributionItem>,
    /// The statements that give these numbers.
    pub sql: Vec<String>,
}

/// The change of one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CurrencyVariance {
    /// The currency.
    pub currency: String,
    /// The cost before.
    pub before: String,
    /// The cost.
    pub cost: String,
    /// Cost less cost before. The effects add up to it, to the last digit.
    pub change: String,
    /// The change in percent; null if there was no cost before.
    pub change_percent: Option<String>,
    /// Effects that are not zero, by name.
    #[schema(value_type = Object)]
    pub effects: BTreeMap<&'static str, String>,
}

/// One effect.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EffectItem {
    /// The currency.
    pub currency: String,
    /// `volume`, `mix`, `price`, `commitment`, `new`, `vanished`, `purchases`, `credits`, `tax`, `adjustments` or `unmetered`.
    pub effect: &'static str,
    /// What it added.
    pub change: String,
}

/// An item whose cost changed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Mover {
    /// The currency.
    pub currency: String,
    /// The service.
    pub service: String,
    /// What was bought: the SKU's meter, its id or the charge's words.
    pub item: String,
    /// Where.
    pub region: String,
    /// By which account.
    pub account: String,
    /// The unit of the quantities.
    pub unit: String,
    /// The cost before.
    pub before: String,
    /// The cost.
    pub cost: String,
    /// The difference.
    pub change: String,
    /// The quantity before, if it is known.
    pub quantity_before: Option<String>,
    /// The quantity, if it is known.
    pub quantity: Option<String>,
    /// The effect that did most.
    pub effect: &'static str,
    /// All effects that are not zero, by name.
    #[schema(value_type = Object)]
    pub effects: BTreeMap<&'static str, String>,
}

/// What a value of a dimension contributes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContributionItem {
    /// The currency.
    pub currency: String,
    /// The dimension.
    pub dimension: String,
    /// Its place among the dimensions, 1 explains most.
    pub rank: usize,
    /// How far shares moved among its values, 0 to 1 (Jensen-Shannon divergence).
    pub surprise: f64,
    /// The value; null of charges that have none.
    pub value: Option<String>,
    /// Its cost before.
    pub before: String,
    /// Its cost.
    pub cost: String,
    /// The difference.
    pub change: String,
    /// The share of the whole change, in percent; null if that is zero.
    pub share_percent: Option<String>,
}

/// Reads what a period is compared with: `previous`, `year`, or `FROM..TO` with the day after the last.
pub(crate) fn compared(word: &str, period: Period) -> Result<Period, ApiError> {
    match word {
        "previous" => Ok(period.previous()),
        "year" => Ok(period.year_before()),
        range => {
            let parsed = range.split_once("..").and_then(|(a, b)| Some((Day::parse(a)?, Day::parse(b)?)));
            let parsed = parsed.map(|(start, end)| Period { start, end }).filter(|p| p.days() > 0);
            parsed.ok_or_else(|| {
                let example = "2026-10-01..2026-11-01";
                ApiError::Parameter(format!(
                    "compare is {word:?}, it must be previous, year, or a period such as {example}"
                ))
            })
        }
    }
}

/// The statement for the items of a period.
fn items_sql(scope: &CostScope, period: Period) -> String {
    // AWS' counter-entries to covered use repeat its quantity; they cost nothing, in any sense but the billed one.
    let quantity = "sum(CASE WHEN list_cost <> 0 OR effective_cost <> 0 THEN pricing_quantity END)";
    let contracted = match scope.measure {
        Measure::List => Measure::List.column(),
        _ => Measure::Contracted.column(),
    };
    format!(
        "SELECT billing_currency AS currency, charge_category AS category,\n  charge_category = 'Purchase' AND commitment_discount_id IS NOT NULL AS committed,\n  service_name AS service, coalesce(sku_meter, sku_id, charge_description, '') AS item, coalesce(region_id, '') AS region,\n  coalesce(sub_account_id, billing_account_id) AS account, coalesce(pricing_unit, '') AS unit,\n  {quantity} AS quantity, sum({contracted}) AS contracted, sum({}) AS cost\nFROM charges\nWHERE {} AND {}\nGROUP BY 1, 2, 3, 4, 5, 6, 7, 8",
        scope.measure.column(),
        within(period),
        condition(scope.filter.as_ref()),
    )
}

async fn items(desk: &Desk<'_>, sql: &str) -> Result<Vec<(ItemKey, ItemCost)>, ApiError> {
    let rows = desk.ask(sql).await?;
    let (categories, committed) = (rows.words("category")?, rows.truths("committed")?);
    let mut words = ["currency", "service", "unit", "item", "region", "account"].into_iter().map(|c| rows.words(c));
    let mut next = || words.next().unwrap_or_else(|| Ok(Vec::new())).map(Vec::into_iter);
    let (mut currency, mut group, mut unit, mut item, mut region, mut account) =
        (next()?, next()?, next()?, next()?, next()?, next()?);
    let numbers = rows.amounts("quantity")?.into_iter().zip(rows.costs("contracted")?).zip(rows.costs("cost")?);
    let mut found = Vec::with_capacity(rows.len());
    for ((category, committed), ((quantity, contracted), cost)) in categories.iter().zip(committed).zip(numbers) {
        let key = ItemKey {
            currency: currency.next().unwrap_or_default(),
            category: Category::of(category, committed),
            group: group.next().unwrap_or_default(),
            unit: unit.next().unwrap_or_default(),
            item: item.next().unwrap_or_default(),
            region: region.next().unwrap_or_default(),
            account: account.next().unwrap_or_default(),
        };
        found.push((key, ItemCost { quantity, contracted, cost }));
    }
    Ok(found)
}

/// The exact analysis, with the statements behind it.
pub(crate) async fn analyse(
    desk: &Desk<'_>,
    scope: &CostScope,
    period: Period,
    before: Period,
) -> Result<(Vec<Variance>, Vec<String>), ApiError> {
    let sql = [before, period].map(|p| items_sql(scope, p));
    let (old, new) = (items(desk, &sql[0]).await?, items(desk, &sql[1]).await?);
    Ok((explain(old, new)?, sql.to_vec()))
}

/// Two sums of every group: before and in the period.
pub(crate) fn pair_sql(scope: &CostScope, columns: &str, positions: &str, period: Period, before: Period) -> String {
    let (now, then) = (within(period), within(before));
    let cost = scope.measure.column();
    format!(
        "SELECT {columns},\n  sum(CASE WHEN {then} THEN {cost} END) AS before,\n  sum(CASE WHEN {now} THEN {cost} END) AS cost\nFROM charges\nWHERE ({then} OR {now}) AND {}\nGROUP BY {positions}",
        condition(scope.filter.as_ref()),
    )
}

/// Dimensions ranked, with the statements behind them.
pub(crate) async fn contributions(
    desk: &Desk<'_>,
    scope: &CostScope,
    period: Period,
    before: Period,
) -> Result<(Vec<ContributionItem>, Vec<String>), ApiError> {
    let mut dimensions = scope.by.clone();
    if dimensions.is_empty() {
        let known = DIMENSIONS.iter().filter_map(|d| Dimension::parse(Relation::Charges, d).ok());
        dimensions = known.collect();
    }
    let (mut values, mut statements) = (Vec::new(), Vec::new());
    for dimension in dimensions {
        let columns = format!("billing_currency AS currency, {} AS value", dimension.sql);
        let sql = pair_sql(scope, &columns, "1, 2", period, before);
        let rows = desk.ask(&sql).await?;
        let costs = rows.costs("before")?.into_iter().zip(rows.costs("cost")?);
        let keys = rows.words("currency")?.into_iter().zip(rows.texts("value")?);
        let of_dimension = keys.zip(costs).map(|((currency, value), (before, after))| (currency, value, before, after));
        values.push((dimension.name, of_dimension.collect()));
        statements.push(sql);
    }
    let mut items = Vec::new();
    for (currency, explained) in contribution::rank(values)? {
        for (rank, dimension) in explained.into_iter().enumerate() {
            let whole = grid_finance::exact::sum(dimension.values.iter().map(|v| v.change));
            let whole = whole.ok_or(grid_finance::variance::Overflow)?;
            for value in dimension.values.into_iter().take(VALUES_SHOWN) {
                items.push(ContributionItem {
                    currency: currency.clone(),
                    dimension: dimension.dimension.clone(),
                    rank: rank + 1,
                    surprise: (dimension.surprise * 1e6).round() / 1e6,
                    value: value.value,
                    before: value.before.to_string(),
                    cost: value.after.to_string(),
                    change: value.change.to_string(),
                    share_percent: percent(value.change, whole),
                });
            }
        }
    }
    Ok((items, statements))
}

/// Answers why the costs of a period (that of the last charge's month to date, if none is named) differ from those of another.
pub async fn variance(desk: &Desk<'_>, ask: &CostAsk, compare: &str, top: usize) -> Result<CostVariance, ApiError> {
    let scope = ask.scope()?.of_charges("the variance")?;
    scope.check_tags(desk).await?;
    let period = ask.period(latest_month(desk, &scope).await?)?;
    let before = compared(compare, period)?;
    let (found, mut sql) = analyse(desk, &scope, period, before).await?;
    let (contributions, statements) = contributions(desk, &scope, period, before).await?;
    sql.extend(statements);
    Ok(CostVariance {
        period: period.into(),
        before: before.into(),
        currencies: found.iter().map(currency).collect(),
        effects: found.iter().flat_map(effects).collect(),
        movers: found.iter().flat_map(|v| movers(v, top)).collect(),
        contributions,
        sql,
    })
}

/// The month of the last charge, up to it.
pub(crate) async fn latest_month(desk: &Desk<'_>, scope: &CostScope) -> Result<Period, ApiError> {
    let known = desk.known(scope.relation, scope.filter.as_ref()).await?;
    let end = known.map_or_else(|| Day::of(desk.store.now()).plus(1), |k| k.end);
    Ok(Period { start: end.plus(-1).month_start(), end })
}

fn named(effects: &BTreeMap<Effect, Amount>) -> BTreeMap<&'static str, String> {
    effects.iter().map(|(effect, amount)| (effect.name(), amount.to_string())).collect()
}

pub(crate) fn currency(variance: &Variance) -> CurrencyVariance {
    let change = Amount(variance.after.0.saturating_sub(variance.before.0));
    CurrencyVariance {
        currency: variance.currency.clone(),
        before: variance.before.to_string(),
        cost: variance.after.to_string(),
        change: change.to_string(),
        change_percent: percent(change, variance.before),
        effects: named(&variance.effects),
    }
}

fn effects(variance: &Variance) -> Vec<EffectItem> {
    let item = |(effect, amount): (&Effect, &Amount)| EffectItem {
        currency: variance.currency.clone(),
        effect: effect.name(),
        change: amount.to_string(),
    };
    variance.effects.iter().map(item).collect()
}

pub(crate) fn movers(variance: &Variance, top: usize) -> Vec<Mover> {
    variance.items.iter().filter(|i| i.change != Amount::ZERO).take(top).map(mover).collect()
}

fn mover(item: &ItemChange) -> Mover {
    let cost = |c: Option<ItemCost>| c.map_or(Amount::ZERO, |c| c.cost).to_string();
    let quantity = |c: Option<ItemCost>| c.and_then(|c| c.quantity).map(|q| q.to_string());
    let most = item.effects.iter().max_by_key(|(_, amount)| amount.0.unsigned_abs());
    let key = item.key.clone();
    Mover {
        currency: key.currency,
        service: key.group,
        item: key.item,
        region: key.region,
        account: key.account,
        unit: key.unit,
        before: cost(item.before),
        cost: cost(item.after),
        change: item.change.to_string(),
        quantity_before: quantity(item.before),
        quantity: quantity(item.after),
        effect: most.map_or(Effect::Unmetered, |(effect, _)| *effect).name(),
        effects: named(&item.effects),
    }
}
