//! Budgets: kept as versioned documents of the tenant, judged against what was billed and what is forecast.

use grid_finance::budget::{Budget, Draft, Expected, Span, Spend, Verdict, judge};
use grid_finance::calendar::{Day, Period};
use grid_finance::trend::Daily;
use grid_model::Amount;
use grid_store::{Document, DocumentKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::desk::{condition, within_of};
use super::forecast::{LEVEL_DEFAULT, ending};
use super::{CostScope, Desk};
use crate::error::ApiError;
use crate::route::rfc3339;

/// Budgets of one tenant.
pub const BUDGETS_MAX: usize = 500;
/// Days between the last bill and the budget's period beyond which nothing is forecast.
const STALE_DAYS: i64 = 45;
/// Days of history that a forecast looks at.
const HISTORY_DAYS: i64 = 400;

/// A budget as it is written, in the API and in `budgets.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetSetting {
    /// Its name: lower case letters, digits, `-`, `_`, `.`. In a path the path names it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(example = "shop-monthly")]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How much may be spent in a period, an exact decimal.
    #[schema(example = "12000.00")]
    pub amount: String,
    /// In which currency.
    #[schema(example = "USD")]
    pub currency: String,
    /// `month` (default), `quarter`, `year` or `custom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// First day of a custom period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Last day of a custom period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// First month of the fiscal year, 1 to 12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fiscal_start: Option<u32>,
    /// Whether it holds against `charges` (default) or `allocations`, whose filters know owners, teams and projects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Which of them count, as in WHERE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "tags['team'] = 'shop' and category = 'Usage'")]
    pub filter: Option<String>,
    /// Which cost counts: `effective` (default), `billed`, `contracted` or `list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// When to speak up; if absent, at 90 percent spent and at 100 percent forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Vec<ThresholdSetting>>,
}

/// A threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThresholdSetting {
    /// Percent of the amount, 1 to 1000.
    #[schema(example = 80)]
    pub percent: u32,
    /// `actual` or `forecast`.
    #[schema(example = "actual")]
    pub of: String,
}

impl BudgetSetting {
    /// Checks it.
    pub fn check(&self) -> Result<Budget, ApiError> {
        let draft = Draft {
            name: self.name.clone(),
            description: self.description.clone(),
            amount: self.amount.clone(),
            currency: self.currency.clone(),
            period: self.period.clone(),
            start: self.start.clone(),
            end: self.end.clone(),
            fiscal_start: self.fiscal_start,
            of: self.of.clone(),
            filter: self.filter.clone(),
            cost: self.cost.clone(),
            thresholds: self.thresholds.as_ref().map(|list| list.iter().map(|t| (t.percent, t.of.clone())).collect()),
        };
        Budget::check(&draft).map_err(ApiError::Budget)
    }
}

/// How a budget stands; flat, so that a table takes it as it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BudgetStatus {
    /// Which budget.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// `ok`; `at_risk`: a threshold is crossed; `exceeded`: more than the amount is spent.
    pub state: &'static str,
    /// The amount.
    pub amount: String,
    /// The currency.
    pub currency: String,
    /// What the period is called.
    #[schema(example = "2026-11")]
    pub period: String,
    /// Its first day.
    pub from: String,
    /// The day after its last one.
    pub to: String,
    /// What was spent in it.
    pub spent: String,
    /// Spent in percent of the amount.
    pub spent_percent: String,
    /// Amount less spent; negative if exceeded.
    pub left: String,
    /// What will have been spent at its end; null if history is too short or bills are too old.
    pub forecast: Option<String>,
    /// Forecast in percent of the amount.
    pub forecast_percent: Option<String>,
    /// The lower bound of the forecast, which holds in four cases of five with the upper one.
    pub forecast_low: Option<String>,
    /// The upper bound.
    pub forecast_high: Option<String>,
    /// The day after the last billed one; null if nothing is billed.
    pub billed_to: Option<String>,
    /// `charges` or `allocations`.
    pub of: &'static str,
    /// Which of them count.
    pub filter: Option<String>,
    /// Which cost counts.
    pub cost: &'static str,
    /// Thresholds and whether they are crossed.
    pub thresholds: Vec<ThresholdStatus>,
    /// The statement that gives `spent`.
    pub sql: String,
}

/// A threshold and whether it is crossed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ThresholdStatus {
    /// Percent of the amount.
    pub percent: u32,
    /// `actual` or `forecast`.
    pub of: &'static str,
    /// What that comes to.
    pub amount: String,
    /// Whether it is crossed; null if there is no forecast.
    pub crossed: Option<bool>,
}

/// Judges a budget as of a day: its period is the one that the day lies in.
pub async fn status(desk: &Desk<'_>, budget: &Budget, on: Day) -> Result<BudgetStatus, ApiError> {
    let (fiscal, grain) = match budget.span {
        Span::Every(grain, fiscal) => (fiscal, Some(grain)),
        Span::Once(_) => (Default::default(), None),
    };
    let period = budget.span.period_on(on);
    let scope = CostScope {
        measure: budget.measure,
        relation: budget.relation,
        filter: budget.filter.clone(),
        by: Vec::new(),
        fiscal,
    };
    let known = desk.known(scope.relation, scope.filter.as_ref()).await?;
    let start = period.start.min(on.plus(-HISTORY_DAYS));
    let (series, _) = super::trend::daily(desk, &scope, Period { start, end: period.end.max(on.plus(1)) }).await?;
    let daily: Daily = series.into_iter().find(|((c, _), _)| *c == budget.currency).map(|(_, d)| d).unwrap_or_default();
    let actual = grid_finance::trend::cost_of(&daily, period)?;
    let expected = match known {
        Some(known) if !daily.is_empty() && period.start.0 - known.end.0 <= STALE_DAYS => {
            let known = Period { start: known.start.max(start), end: known.end };
            let ending = ending(&daily, known, period, LEVEL_DEFAULT)?;
            let plus = |a: Amount| actual.checked_add(a);
            ending.forecast.ok().and_then(|f| {
                let interval = f
                    .interval
                    .and_then(|i| Some(grid_finance::forecast::Interval { low: plus(i.low)?, high: plus(i.high)? }));
                Some(Expected { total: plus(f.total)?, interval })
            })
        }
        _ => None,
    };
    let sql = format!(
        "SELECT sum({}) AS spent\nFROM {}\nWHERE {} AND billing_currency = {} AND {}",
        scope.cost(),
        scope.relation.table(),
        within_of(scope.relation, period),
        grid_finance::relation::quote(&budget.currency),
        condition(budget.filter.as_ref()),
    );
    let verdict = judge(budget, actual, expected);
    let label = match (budget.span, grain) {
        (Span::Every(_, fiscal), Some(grain)) => fiscal.label(grain, period.start),
        _ => period.to_string(),
    };
    Ok(shown(budget, (period, label), actual, expected, known, &verdict, sql))
}

fn shown(
    budget: &Budget,
    (period, label): (Period, String),
    actual: Amount,
    expected: Option<Expected>,
    known: Option<Period>,
    verdict: &Verdict,
    sql: String,
) -> BudgetStatus {
    let thresholds = verdict.crossings.iter().map(|c| ThresholdStatus {
        percent: c.threshold.percent,
        of: Spend::name(c.threshold.of),
        amount: c.amount.to_string(),
        crossed: c.crossed,
    });
    BudgetStatus {
        name: budget.name.clone(),
        description: budget.description.clone(),
        state: verdict.state.name(),
        amount: budget.amount.to_string(),
        currency: budget.currency.clone(),
        period: label,
        from: period.start.to_string(),
        to: period.end.to_string(),
        spent: actual.to_string(),
        spent_percent: grid_finance::exact::percent_text(verdict.spent_basis_points),
        left: verdict.left.to_string(),
        forecast: expected.map(|e| e.total.to_string()),
        forecast_percent: expected.and_then(|e| super::percent(e.total, budget.amount)),
        forecast_low: expected.and_then(|e| Some(e.interval?.low.to_string())),
        forecast_high: expected.and_then(|e| Some(e.interval?.high.to_string())),
        billed_to: known.map(|k| k.end.to_string()),
        of: budget.relation.table(),
        filter: budget.filter.as_ref().map(|f| f.text().to_owned()),
        cost: budget.measure.name(),
        thresholds: thresholds.collect(),
        sql,
    }
}

/// The kind of document that a budget is.
const KIND: &str = "budget";

/// A budget as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeptBudget {
    /// What it says.
    #[serde(flatten)]
    pub setting: BudgetSetting,
    /// Counted from 1; a change that names the version it has seen cannot undo another one.
    pub version: u64,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub changed: String,
}

fn key(desk: &Desk<'_>, name: &str) -> DocumentKey {
    DocumentKey { tenant: desk.tenant.clone(), kind: KIND, name: name.to_owned() }
}

fn kept(document: Document) -> Result<KeptBudget, ApiError> {
    let setting = serde_json::from_str(&document.body)
        .map_err(|e| ApiError::Internal(format!("read the budget {:?}: {e}", document.name)))?;
    let changed = rfc3339(document.created);
    Ok(KeptBudget { setting, version: document.version, author: document.author, changed })
}

/// All budgets, by name.
pub async fn list(desk: &Desk<'_>) -> Result<Vec<KeptBudget>, ApiError> {
    let all = desk.store.catalog().documents(&desk.tenant, KIND).await?;
    all.into_iter().map(kept).collect()
}

/// One budget.
pub async fn get(desk: &Desk<'_>, name: &str) -> Result<KeptBudget, ApiError> {
    let found = desk.store.catalog().document(&key(desk, name)).await?;
    found.map_or_else(|| Err(ApiError::NotFound { what: "budget", id: name.to_owned() }), kept)
}

/// Writes a budget. `expected` is the version that the writer has seen (0: none); absent, whatever is there is replaced.
pub async fn put(
    desk: &Desk<'_>,
    setting: &BudgetSetting,
    author: &str,
    expected: Option<u64>,
) -> Result<KeptBudget, ApiError> {
    setting.check()?;
    let key = key(desk, &setting.name);
    let catalog = desk.store.catalog();
    let known = catalog.documents(&desk.tenant, KIND).await?;
    if known.len() >= BUDGETS_MAX && known.iter().all(|d| d.name != setting.name) {
        return Err(ApiError::Parameter(format!("there are {BUDGETS_MAX} budgets already: delete one first")));
    }
    let body = serde_json::to_string(setting).map_err(|e| ApiError::Internal(format!("write the budget: {e}")))?;
    kept(catalog.put_document(&key, &body, author, expected, desk.store.now()).await?)
}

/// Deletes a budget; its history stays.
pub async fn delete(desk: &Desk<'_>, name: &str, author: &str) -> Result<(), ApiError> {
    let there = desk.store.catalog().delete_document(&key(desk, name), author, None, desk.store.now()).await?;
    if there { Ok(()) } else { Err(ApiError::NotFound { what: "budget", id: name.to_owned() }) }
}

/// How all budgets stand, by name.
pub async fn statuses(desk: &Desk<'_>, on: Day) -> Result<Vec<BudgetStatus>, ApiError> {
    let mut found = Vec::new();
    for kept in list(desk).await? {
        found.push(status(desk, &kept.setting.check()?, on).await?);
    }
    Ok(found)
}
