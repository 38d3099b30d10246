//! What the user wants: the parameters that routes and commands share, checked once.

use std::collections::BTreeMap;

use grid_finance::calendar::{Day, Fiscal, Period};
use grid_finance::filter::{Filter, FilterError};
use grid_finance::relation::{Dimension, Measure, Relation};
use grid_model::time::DAY_NS;

use super::Desk;
use crate::error::ApiError;
use crate::route::parse_time;

/// Most dimensions of one question.
pub const DIMENSIONS_MAX: usize = 6;
/// Longest period of one question, in days.
pub const PERIOD_DAYS_MAX: i64 = 3_700;

/// As it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CostAsk {
    /// The first day: `2026-11-01`, `2026-11`, or a time.
    pub from: Option<String>,
    /// The day after the last one.
    pub to: Option<String>,
    /// Dimensions, comma-separated.
    pub by: Option<String>,
    /// Of what: `charges` or `allocations`.
    pub of: Option<String>,
    /// Which charges or allocations.
    pub filter: Option<String>,
    /// Which cost: `effective`, `billed`, `contracted`, `list`.
    pub cost: Option<String>,
    /// The first month of the fiscal year.
    pub fiscal_start: Option<u32>,
}

/// As it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostScope {
    /// Which cost.
    pub measure: Measure,
    /// Of what.
    pub relation: Relation,
    /// Which of them.
    pub filter: Option<Filter>,
    /// By what they are grouped.
    pub by: Vec<Dimension>,
    /// The fiscal year.
    pub fiscal: Fiscal,
}

/// Values of the dimensions of a row, by name.
pub type Group = BTreeMap<String, Option<String>>;

impl From<FilterError> for ApiError {
    fn from(e: FilterError) -> Self {
        Self::Parameter(format!("filter: {e}"))
    }
}

impl CostAsk {
    /// Checks everything but the period.
    pub fn scope(&self) -> Result<CostScope, ApiError> {
        let bad = |message: String| ApiError::Parameter(message);
        let measure = self.cost.as_deref().map_or(Some(Measure::default()), Measure::parse);
        let measure = measure.ok_or_else(|| {
            bad(format!(
                "cost is {:?}, it must be effective, billed, contracted or list",
                self.cost.as_deref().unwrap_or_default()
            ))
        })?;
        let relation = self.of.as_deref().map_or(Some(Relation::default()), Relation::parse);
        let relation = relation.ok_or_else(|| {
            bad(format!("of is {:?}, it must be charges or allocations", self.of.as_deref().unwrap_or_default()))
        })?;
        if relation.cost(measure).is_none() {
            let (table, name) = (relation.table(), measure.name());
            return Err(bad(format!("cost is {name}, but {table} have only an effective cost")));
        }
        let filter = self.filter.as_deref().filter(|f| !f.trim().is_empty());
        let filter = filter.map(|text| Filter::parse(relation, text)).transpose()?;
        let mut by = Vec::new();
        for text in self.by.iter().flat_map(|by| by.split(',')).filter(|t| !t.trim().is_empty()) {
            let mut dimension = Dimension::parse(relation, text).map_err(|e| bad(format!("by: {e}")))?;
            // Answers are flat, so a tag must not be called as one of their members.
            if dimension.tag.is_some() && RESERVED.contains(&dimension.name.as_str()) {
                dimension.name = format!("tag_{}", dimension.name);
            }
            if by.iter().all(|d: &Dimension| d.name != dimension.name) {
                by.push(dimension);
            }
        }
        if by.len() > DIMENSIONS_MAX {
            return Err(bad(format!("by names {} dimensions, at most {DIMENSIONS_MAX} can be", by.len())));
        }
        let fiscal = Fiscal::new(self.fiscal_start.unwrap_or(1));
        let fiscal = fiscal.ok_or_else(|| bad("fiscal_start is a month from 1 to 12".to_owned()))?;
        Ok(CostScope { measure, relation, filter, by, fiscal })
    }

    /// The period that was asked for, or `otherwise`.
    pub fn period(&self, otherwise: Period) -> Result<Period, ApiError> {
        let start = self.from.as_deref().map(|t| day("from", t)).transpose()?;
        let end = self.to.as_deref().map(|t| day("to", t)).transpose()?;
        let period = match (start, end) {
            (None, None) => otherwise,
            // A lone beginning goes on to what is known, a lone end begins its month.
            (Some(start), None) => Period { start, end: otherwise.end.max(start.plus(1)) },
            (None, Some(end)) => Period { start: end.plus(-1).month_start(), end },
            (Some(start), Some(end)) => Period { start, end },
        };
        if period.days() == 0 || period.days() > PERIOD_DAYS_MAX {
            let message = format!("the period from {} to {} has {} days", period.start, period.end, period.days());
            return Err(ApiError::Parameter(format!(
                "{message}; `to` is the day after the last, at most {PERIOD_DAYS_MAX} later"
            )));
        }
        Ok(period)
    }
}

/// Members of answers.
const RESERVED: [&str; 14] = [
    "cost",
    "currency",
    "time",
    "label",
    "change",
    "before",
    "partial",
    "provisional",
    "moving_mean",
    "from",
    "to",
    "share_percent",
    "change_percent",
    "basis",
];

/// Reads a day or a time, which must begin a day.
pub(crate) fn day(name: &str, text: &str) -> Result<Day, ApiError> {
    if let Some(day) = Day::parse(text.trim()) {
        return Ok(day);
    }
    match parse_time(text.trim()) {
        Some(time) if time.0.rem_euclid(DAY_NS) == 0 => Ok(Day::of(time)),
        Some(_) => {
            Err(ApiError::Parameter(format!("{name} is {text:?}, but costs are known by day: name midnight UTC")))
        }
        None => Err(ApiError::Parameter(format!(
            "{name} is {text:?}, it must be a day such as 2026-11-05 or a month such as 2026-11"
        ))),
    }
}

impl CostScope {
    /// The column of the cost.
    pub(crate) fn cost(&self) -> &'static str {
        // Checked when it was made; a table without the cost has an effective one.
        self.relation.cost(self.measure).unwrap_or_else(|| Measure::Effective.column())
    }

    /// Refuses a question that only charges can answer.
    pub(crate) fn of_charges(self, what: &str) -> Result<Self, ApiError> {
        if self.relation == Relation::Charges {
            return Ok(self);
        }
        let message = "ask it of charges, and for costs of owners /api/v1/costs/allocation";
        let table = self.relation.table();
        Err(ApiError::Parameter(format!("of is {table}, but {what} is made of charges: {message}")))
    }

    /// `currency` and the dimensions as columns of a SELECT, named `d0`, `d1`, ...
    pub(crate) fn columns(&self) -> String {
        let mut sql = "billing_currency AS currency".to_owned();
        for (i, dimension) in self.by.iter().enumerate() {
            sql.push_str(&format!(", {} AS d{i}", dimension.sql));
        }
        sql
    }

    /// How many columns [`CostScope::columns`] are, as `1, 2, ...` from a number on.
    pub(crate) fn positions(&self, from: usize) -> String {
        let all: Vec<String> = (from..=from + self.by.len()).map(|n| n.to_string()).collect();
        all.join(", ")
    }

    /// Reads the groups of rows asked with [`CostScope::columns`].
    pub(crate) fn groups(&self, rows: &super::desk::Rows) -> Result<Vec<Group>, ApiError> {
        let mut groups = vec![Group::new(); rows.len()];
        for (i, dimension) in self.by.iter().enumerate() {
            for (group, value) in groups.iter_mut().zip(rows.texts(&format!("d{i}"))?) {
                group.insert(dimension.name.clone(), value);
            }
        }
        Ok(groups)
    }

    /// Refuses a plain word that is neither a column nor a tag that any charge has: most likely a typing mistake.
    pub(crate) async fn check_tags(&self, desk: &Desk<'_>) -> Result<(), ApiError> {
        for dimension in &self.by {
            if dimension.tag.is_none() {
                continue;
            }
            let table = self.relation.table();
            let sql = format!("SELECT 1 AS found FROM {table} WHERE {} IS NOT NULL LIMIT 1", dimension.sql);
            if desk.ask(&sql).await?.is_empty() {
                let known = self.relation.names();
                let known = known.get(..12).unwrap_or(&known).join(", ");
                let what = if self.relation == Relation::Charges { "tag" } else { "dimension" };
                let message = format!("by: none of {table} has a {what} {:?}", dimension.name);
                return Err(ApiError::Parameter(format!(
                    "{message}; else there are {known}, and the columns of {table}"
                )));
            }
        }
        Ok(())
    }
}
