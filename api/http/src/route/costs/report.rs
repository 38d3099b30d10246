//! `GET /api/v1/costs`: costs by any dimensions and steps of time, each with the SQL that gives it and a link to its rows.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json as Reply;
use axum::extract::State;
use grid_cost::fiscal::Calendar;
use grid_cost::rates::Rates;
use grid_guard::Caller;
use grid_model::table::allocations as columns;
use grid_model::{Amount, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::select::{self, Dimension};
use super::{Money, amount, rows, sum, text};
use crate::error::ApiError;
use crate::extract::Params;
use crate::page::{PageParams, cut};
use crate::route::rfc3339;
use crate::state::ApiState;

/// What is asked.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CostParams {
    /// Dimensions, separated by commas: owner, team, project, environment, kind, rule, resource_id, service_name, sub_account_id, region_id,
    /// service_provider_name, charge_category, import_id, `dim.NAME`. Absent: one sum.
    #[param(example = "owner,environment")]
    group_by: Option<String>,
    /// Conditions, separated by commas: `owner=payments`, `environment!=test`, `service_name=Amazon*`, `team=` (has none).
    filter: Option<String>,
    /// First instant: a time or a date.
    from: Option<String>,
    /// First instant after.
    to: Option<String>,
    /// `total` (default), `hour`, `day`, `month`, `fiscal-MM` (months of a fiscal year that begins in month MM) or `445-MM` (weeks in the
    /// pattern 4-4-5, the year ends in month MM).
    granularity: Option<String>,
    /// Show costs in this currency too, by the rates in /api/v1/costs/rates.
    convert: Option<String>,
    /// `-cost` (default: dearest first), `cost`, `period` or `-period`.
    sort: Option<String>,
    /// Most items, 1 to 1000; 100 if absent.
    limit: Option<usize>,
    /// `next_cursor` of the last answer.
    cursor: Option<String>,
}

/// One sum.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct CostItem {
    /// Names the item within the list.
    key: String,
    /// Start of the step; absent for a total.
    period_start: Option<String>,
    /// First instant after the step.
    period_end: Option<String>,
    /// The step's name in a fiscal calendar.
    period: Option<String>,
    /// The dimensions' values; null where there is none.
    group: BTreeMap<String, Option<String>>,
    /// The currency.
    currency: String,
    /// How much.
    #[schema(example = "12.5")]
    cost: String,
    /// The same in the currency asked for; null without a rate.
    converted: Option<String>,
    /// Where its rows are.
    rows: String,
}

/// A rate that was used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub(crate) struct UsedRate {
    /// From which currency.
    from: String,
    /// To which.
    to: String,
    /// Since when it holds.
    date: String,
    /// How much one unit is.
    rate: String,
    /// Whether it was divided by, since the table has only the opposite rate.
    inverted: bool,
    /// Who says so.
    source: String,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CostReport {
    /// The sums.
    items: Vec<CostItem>,
    /// Of all items together, by currency.
    totals: Vec<Money>,
    /// The statement that gives the sums; for months and fiscal periods it gives days.
    sql: String,
    /// The currency of `converted`, if asked for: those are for reading, and no sum at rest is ever converted.
    converted_to: Option<String>,
    /// The rates that were used.
    rates: Vec<UsedRate>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// A step of time.
#[derive(Debug, Clone, Copy, Default)]
enum Step {
    #[default]
    Total,
    Hour,
    Day,
    Periods(Calendar),
}

impl Step {
    fn parse(word: Option<&str>) -> Result<Self, ApiError> {
        Ok(match word.unwrap_or("total") {
            "total" => Self::Total,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "month" => Self::Periods(Calendar::Months { first: 1 }),
            other => Self::Periods(Calendar::parse(other).ok_or_else(|| {
                ApiError::Parameter(format!(
                    "granularity is {other:?}, it must be total, hour, day, month, fiscal-MM or 445-MM"
                ))
            })?),
        })
    }

    /// In which steps the statement sums: at most days, where a rate or a calendar needs them.
    fn bucket(self, converts: bool) -> Option<&'static str> {
        match self {
            Self::Hour => Some("1h"),
            Self::Day | Self::Periods(_) => Some("1d"),
            Self::Total => converts.then_some("1d"),
        }
    }

    /// Start, end and name of the step that holds an instant.
    fn of(self, at: Timestamp) -> Option<(Timestamp, Timestamp, Option<String>)> {
        use grid_model::time::{DAY_NS, HOUR_NS};
        match self {
            Self::Total => None,
            Self::Hour => Some((at, at.saturating_add(HOUR_NS), None)),
            Self::Day => Some((at, at.saturating_add(DAY_NS), None)),
            Self::Periods(calendar) => {
                let period = calendar.period(at);
                let named = !matches!(calendar, Calendar::Months { first: 1 });
                Some((period.start, period.end, named.then(|| period.name())))
            }
        }
    }
}

/// Sums of costs.
#[utoipa::path(get, path = "/api/v1/costs", tag = "costs", params(CostParams),
    responses((status = 200, description = "The sums, from `allocations`: per currency they are what the bills say, to the last digit.", body = CostReport)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<CostParams>,
) -> Result<Reply<CostReport>, ApiError> {
    let groups = select::dimensions(params.group_by.as_deref())?;
    let range = select::range(params.from.as_deref(), params.to.as_deref())?;
    let step = Step::parse(params.granularity.as_deref())?;
    let mut conditions = select::within(range);
    conditions.extend(select::conditions(params.filter.as_deref())?);
    let sql = statement(&groups, &conditions, step.bucket(params.convert.is_some()));
    let rates = match &params.convert {
        Some(_) => Some(super::documents::rates(&state, &caller).await?),
        None => None,
    };
    let mut folded =
        Folded { step, groups: &groups, convert: params.convert.as_deref().zip(rates.as_ref()), ..Folded::default() };
    for row in rows(&state, &caller, &sql).await? {
        folded.add(&row)?;
    }
    let (mut items, used) = folded.finish(&conditions)?;
    let mut totals: BTreeMap<&str, Amount> = BTreeMap::new();
    for item in &items {
        let total = totals.entry(&item.1.currency).or_default();
        *total = sum(*total, item.0)?;
    }
    let totals = totals.iter().map(|(c, a)| Money { currency: (*c).to_owned(), cost: a.to_string() }).collect();
    match params.sort.as_deref().unwrap_or("-cost") {
        "-cost" => items.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.key.cmp(&b.1.key))),
        "cost" => items.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.key.cmp(&b.1.key))),
        "period" => items.sort_by(|a, b| {
            a.1.period_start.cmp(&b.1.period_start).then(b.0.cmp(&a.0)).then_with(|| a.1.key.cmp(&b.1.key))
        }),
        "-period" => items.sort_by(|a, b| {
            b.1.period_start.cmp(&a.1.period_start).then(b.0.cmp(&a.0)).then_with(|| a.1.key.cmp(&b.1.key))
        }),
        other => {
            return Err(ApiError::Parameter(format!("sort is {other:?}, it must be -cost, cost, period or -period")));
        }
    }
    let page = PageParams { limit: params.limit, cursor: params.cursor.clone() };
    let (items, next_cursor) = cut(items.into_iter().map(|(_, item)| item).collect(), &page, |i| &i.key)?;
    Ok(Reply(CostReport {
        items,
        totals,
        sql,
        converted_to: params.convert,
        rates: used.into_iter().collect(),
        next_cursor,
    }))
}

/// The statement of a report.
fn statement(groups: &[Dimension], conditions: &[String], bucket: Option<&str>) -> String {
    let bucket = bucket.map(|b| format!("time_bucket('{b}', {}) AS step", columns::WINDOW_START));
    let groups = groups.iter().enumerate().map(|(i, d)| format!("{} AS g{i}", d.sql));
    let keys: Vec<String> =
        bucket.into_iter().chain(groups).chain([format!("{} AS currency", columns::BILLING_CURRENCY)]).collect();
    let ordinals: Vec<String> = (1..=keys.len()).map(|n| n.to_string()).collect();
    format!(
        "SELECT {}, sum({}) AS cost FROM allocations{} GROUP BY {}",
        keys.join(", "),
        columns::COST,
        select::where_clause(conditions),
        ordinals.join(", ")
    )
}

type FoldKey = (Option<(Timestamp, Timestamp, Option<String>)>, Vec<Option<String>>, String);

/// Rows of the statement, folded into the report's steps.
#[derive(Default)]
struct Folded<'a> {
    step: Step,
    groups: &'a [Dimension],
    convert: Option<(&'a str, &'a Rates)>,
    sums: BTreeMap<FoldKey, (Amount, Option<Amount>)>,
    used: BTreeSet<UsedRate>,
}

impl Folded<'_> {
    fn add(&mut self, row: &Value) -> Result<(), ApiError> {
        let cost = amount(row, "cost")?;
        let currency = text(row, "currency").to_owned();
        let at = row.get("step").and_then(Value::as_str).and_then(crate::route::parse_time);
        let step = at.and_then(|at| self.step.of(at));
        let group = (0..self.groups.len()).map(|i| row.get(format!("g{i}")).and_then(Value::as_str).map(str::to_owned));
        let converted = match (self.convert, at) {
            (Some((to, rates)), Some(at)) => rates.convert(cost, &currency, to, at).map(|(converted, rate)| {
                if let Some(rate) = rate {
                    self.used.insert(UsedRate {
                        from: currency.clone(),
                        to: to.to_owned(),
                        date: rate.date.to_string()[..10].to_owned(),
                        rate: rate.rate.to_string(),
                        inverted: rate.inverted,
                        source: rate.source,
                    });
                }
                converted
            }),
            _ => None,
        };
        let key = (step, group.collect(), currency);
        let entry = self.sums.entry(key).or_insert((Amount::ZERO, Some(Amount::ZERO)));
        entry.0 = sum(entry.0, cost)?;
        // A day without a rate leaves the whole sum without one: part of a sum is no sum.
        entry.1 = match (entry.1, converted) {
            (Some(a), Some(b)) => Some(sum(a, b)?),
            _ => None,
        };
        Ok(())
    }

    fn finish(self, conditions: &[String]) -> Result<(Vec<(Amount, CostItem)>, BTreeSet<UsedRate>), ApiError> {
        let mut items = Vec::new();
        for ((step, group, currency), (cost, converted)) in self.sums {
            let mut own = conditions.to_vec();
            own.push(format!("{} = {}", columns::BILLING_CURRENCY, select::quoted(&currency)));
            for (dimension, value) in self.groups.iter().zip(&group) {
                own.push(match value {
                    Some(value) => format!("{} = {}", dimension.sql, select::quoted(value)),
                    None => format!("{} IS NULL", dimension.sql),
                });
            }
            if let Some((start, end, _)) = &step {
                own.extend(select::within((Some(*start), Some(*end))));
            }
            let statement =
                format!("SELECT * FROM allocations{} ORDER BY window_start LIMIT 1000", select::where_clause(&own));
            let query: String =
                form_urlencoded::Serializer::new(String::new()).append_pair("query", &statement).finish();
            let values: Vec<&str> = group.iter().map(|v| v.as_deref().unwrap_or_default()).collect();
            let start = step.as_ref().map(|(start, _, _)| rfc3339(*start));
            let key = format!("{} {} {currency}", start.as_deref().unwrap_or_default(), values.join("/"));
            let item = CostItem {
                key: key.trim_start().to_owned(),
                period_start: start,
                period_end: step.as_ref().map(|(_, end, _)| rfc3339(*end)),
                period: step.and_then(|(_, _, name)| name),
                group: self.groups.iter().map(|d| d.name.clone()).zip(group).collect(),
                currency,
                cost: cost.to_string(),
                converted: converted.filter(|_| self.convert.is_some()).map(|a| a.to_string()),
                rows: format!("/api/v1/sql?{query}"),
            };
            items.push((cost, item));
        }
        Ok((items, self.used))
    }
}
