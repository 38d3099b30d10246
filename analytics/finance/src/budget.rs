//! Budgets: an amount of one currency for a period, which charges count towards it, and when to speak up.

use grid_model::Amount;
use grid_model::wide::mul_div;

use crate::calendar::{Day, Fiscal, Grain, Period};
use crate::exact::basis_points;
use crate::filter::{Filter, FilterError};
use crate::forecast::Interval;
use crate::relation::{Measure, Relation};

/// Most thresholds of a budget.
pub const THRESHOLDS_MAX: usize = 10;
/// Longest name.
pub const NAME_BYTES_MAX: usize = 63;
/// Longest description.
pub const DESCRIPTION_BYTES_MAX: usize = 1024;

/// A budget that makes sense: it can only come from [`Budget::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// By what it is called: lower case letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// How much may be spent in a period; above zero.
    pub amount: Amount,
    /// In which currency; charges in others do not count.
    pub currency: String,
    /// The periods.
    pub span: Span,
    /// Whether it holds against what was charged or what was allocated.
    pub relation: Relation,
    /// Which charges (or allocations) count; all if absent.
    pub filter: Option<Filter>,
    /// Which cost counts.
    pub measure: Measure,
    /// When to speak up, in order of their percentages.
    pub thresholds: Vec<Threshold>,
}

/// The periods of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// One after the other: months, quarters or years.
    Every(Grain, Fiscal),
    /// Once.
    Once(Period),
}

impl Span {
    /// The period that a day lies in; a custom one is the same on every day.
    pub fn period_on(self, day: Day) -> Period {
        match self {
            Self::Every(grain, fiscal) => fiscal.period_of(grain, day),
            Self::Once(period) => period,
        }
    }
}

/// A line that should not be crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold {
    /// Percent of the amount, 1 to 1000.
    pub percent: u32,
    /// Of what.
    pub of: Spend,
}

/// What is held against a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spend {
    /// What was spent so far.
    Actual,
    /// What will have been spent at the end of the period.
    Forecast,
}

impl Spend {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Actual => "actual",
            Self::Forecast => "forecast",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Actual, Self::Forecast].into_iter().find(|s| s.name() == text)
    }
}

/// Used where a budget names no thresholds: 90% spent, or the whole of it by forecast.
pub const DEFAULT_THRESHOLDS: [Threshold; 2] =
    [Threshold { percent: 90, of: Spend::Actual }, Threshold { percent: 100, of: Spend::Forecast }];

/// A budget as it is written, before it is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// See [`Budget::name`].
    pub name: String,
    /// See [`Budget::description`].
    pub description: Option<String>,
    /// A decimal.
    pub amount: String,
    /// See [`Budget::currency`].
    pub currency: String,
    /// `month`, `quarter`, `year` or `custom`; `month` if absent.
    pub period: Option<String>,
    /// First day of a custom period.
    pub start: Option<String>,
    /// Last day of a custom period.
    pub end: Option<String>,
    /// First month of the fiscal year.
    pub fiscal_start: Option<u32>,
    /// `charges` or `allocations`; `charges` if absent.
    pub of: Option<String>,
    /// See [`Budget::filter`].
    pub filter: Option<String>,
    /// `effective`, `billed`, `contracted` or `list`; `effective` if absent.
    pub cost: Option<String>,
    /// Percentages with what they are of; absent, [`DEFAULT_THRESHOLDS`].
    pub thresholds: Option<Vec<(u32, String)>>,
}

/// Why a draft is no budget: which field, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// A field.
    #[error("budget {name:?}: {field}: {message}")]
    Field {
        /// The budget.
        name: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The filter.
    #[error("budget {name:?}: filter: {error}")]
    Filter {
        /// The budget.
        name: String,
        /// What is wrong with it, and where.
        error: FilterError,
    },
}

impl Budget {
    /// Checks a draft.
    pub fn check(draft: &Draft) -> Result<Self, BudgetError> {
        let fail =
            |field: &'static str, message: String| BudgetError::Field { name: draft.name.clone(), field, message };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if draft.name.is_empty() || draft.name.len() > NAME_BYTES_MAX || !draft.name.chars().all(plain) {
            let rule = format!("1 to {NAME_BYTES_MAX} lower case letters, digits, `-`, `_` and `.`");
            return Err(fail("name", rule));
        }
        if draft.description.as_ref().is_some_and(|d| d.len() > DESCRIPTION_BYTES_MAX) {
            return Err(fail("description", format!("it has more than {DESCRIPTION_BYTES_MAX} bytes")));
        }
        let amount = match Amount::parse(&draft.amount) {
            Ok((amount, rest)) if rest.0 == 0 && amount > Amount::ZERO => amount,
            Ok(_) => return Err(fail("amount", format!("{} is not above zero", draft.amount))),
            Err(e) => return Err(fail("amount", e.to_string())),
        };
        let currency = draft.currency.trim();
        if currency.is_empty() || currency.len() > 64 {
            return Err(fail("currency", "name the currency of the bill, such as USD".to_owned()));
        }
        let fiscal = Fiscal::new(draft.fiscal_start.unwrap_or(1));
        let fiscal = fiscal.ok_or_else(|| fail("fiscal_start", "a month is a number from 1 to 12".to_owned()))?;
        let span = span(draft, fiscal).map_err(|(field, message)| fail(field, message))?;
        let measure = draft.cost.as_deref().map_or(Some(Measure::default()), Measure::parse);
        let measure = measure.ok_or_else(|| fail("cost", "effective, billed, contracted or list".to_owned()))?;
        let relation = draft.of.as_deref().map_or(Some(Relation::default()), Relation::parse);
        let relation = relation.ok_or_else(|| fail("of", "charges or allocations".to_owned()))?;
        if relation.cost(measure).is_none() {
            let message = format!("{} have no {} cost, only an effective one", relation.table(), measure.name());
            return Err(fail("cost", message));
        }
        let filter = match draft.filter.as_deref().filter(|f| !f.trim().is_empty()) {
            None => None,
            Some(text) => Some(
                Filter::parse(relation, text)
                    .map_err(|error| BudgetError::Filter { name: draft.name.clone(), error })?,
            ),
        };
        let mut thresholds = match &draft.thresholds {
            None => DEFAULT_THRESHOLDS.to_vec(),
            Some(list) => {
                let read = |(percent, of): &(u32, String)| {
                    let of = Spend::parse(of).filter(|_| (1..=1000).contains(percent))?;
                    Some(Threshold { percent: *percent, of })
                };
                let read: Option<Vec<Threshold>> = list.iter().map(read).collect();
                let message = "a threshold is 1 to 1000 percent of `actual` or `forecast`".to_owned();
                read.filter(|t| t.len() <= THRESHOLDS_MAX).ok_or_else(|| fail("thresholds", message))?
            }
        };
        thresholds.sort_unstable();
        thresholds.dedup();
        Ok(Self {
            name: draft.name.clone(),
            description: draft.description.clone().filter(|d| !d.is_empty()),
            amount,
            currency: currency.to_owned(),
            span,
            relation,
            filter,
            measure,
            thresholds,
        })
    }
}

fn span(draft: &Draft, fiscal: Fiscal) -> Result<Span, (&'static str, String)> {
    let word = draft.period.as_deref().unwrap_or("month");
    if word != "custom" {
        if draft.start.is_some() || draft.end.is_some() {
            return Err(("start", format!("a period of one {word} has no start and end; say period = custom")));
        }
        let grain = match word {
            "monthly" => Some(Grain::Month),
            "quarterly" => Some(Grain::Quarter),
            "yearly" => Some(Grain::Year),
            _ => Grain::parse(word).filter(|g| matches!(g, Grain::Month | Grain::Quarter | Grain::Year)),
        };
        let grain = grain.ok_or(("period", format!("{word:?} is none of month, quarter, year, custom")))?;
        return Ok(Span::Every(grain, fiscal));
    }
    let day = |field: &'static str, text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default();
        Day::parse(text).ok_or((field, format!("{text:?} is no day such as 2026-11-05")))
    };
    let (start, last) = (day("start", &draft.start)?, day("end", &draft.end)?);
    if last < start {
        return Err(("end", "the last day lies before the first".to_owned()));
    }
    Ok(Span::Once(Period { start, end: last.plus(1) }))
}

/// How a budget stands, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// No line is crossed.
    Ok,
    /// A threshold is crossed, but the amount is not spent.
    AtRisk,
    /// More than the amount is spent.
    Exceeded,
}

impl State {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::AtRisk => "at_risk",
            Self::Exceeded => "exceeded",
        }
    }
}

/// What is expected at the end of the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Spent so far and forecast together.
    pub total: Amount,
    /// Its interval.
    pub interval: Option<Interval>,
}

/// A threshold and whether it is crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// Which.
    pub threshold: Threshold,
    /// What it comes to.
    pub amount: Amount,
    /// Whether it is reached; `None` if there is no forecast to hold against it.
    pub crossed: Option<bool>,
}

/// How a budget stands, with the numbers behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub state: State,
    /// Percent spent, in hundredths.
    pub spent_basis_points: i128,
    /// What is left; negative if exceeded.
    pub left: Amount,
    /// Every threshold.
    pub crossings: Vec<Crossing>,
}

/// Judges what was spent and what is expected.
pub fn judge(budget: &Budget, actual: Amount, expected: Option<Expected>) -> Verdict {
    let crossings: Vec<Crossing> = budget
        .thresholds
        .iter()
        .map(|&threshold| {
            // At most ten times an amount of 38 digits: then nothing crosses it.
            let amount = mul_div(budget.amount.0, i128::from(threshold.percent), 100).map_or(Amount(i128::MAX), Amount);
            let spend = match threshold.of {
                Spend::Actual => Some(actual),
                Spend::Forecast => expected.map(|e| e.total),
            };
            Crossing { threshold, amount, crossed: spend.map(|s| s >= amount) }
        })
        .collect();
    let state = if actual > budget.amount {
        State::Exceeded
    } else if crossings.iter().any(|c| c.crossed == Some(true)) {
        State::AtRisk
    } else {
        State::Ok
    };
    Verdict {
        state,
        spent_basis_points: basis_points(actual, budget.amount).unwrap_or(0),
        left: Amount(budget.amount.0.saturating_sub(actual.0)),
        crossings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft { name: "shop".into(), amount: "1000".into(), currency: "USD".into(), ..Draft::default() }
    }

    #[test]
    fn drafts_are_checked() {
        let good = Budget::check(&Draft { filter: Some("tags['team'] = 'shop'".into()), ..draft() }).unwrap();
        assert_eq!(good.span, Span::Every(Grain::Month, Fiscal::default()));
        assert_eq!(good.filter.unwrap().sql(), "tags['team'] = 'shop'");
        type Change = fn(&mut Draft);
        let allocated = Draft { of: Some("allocations".into()), filter: Some("team = 'shop'".into()), ..draft() };
        assert_eq!(Budget::check(&allocated).unwrap().filter.unwrap().sql(), "team = 'shop'");
        let cases: [(Change, &str); 12] = [
            (|d| d.name = "Shop 1".into(), "name"),
            (|d| d.amount = "0".into(), "amount"),
            (|d| d.amount = "1,000".into(), "amount"),
            (|d| d.currency = " ".into(), "currency"),
            (|d| d.period = Some("week".into()), "period"),
            (|d| d.period = Some("custom".into()), "start"),
            (|d| d.start = Some("2026-11-01".into()), "start"),
            (|d| d.fiscal_start = Some(13), "fiscal_start"),
            (|d| d.filter = Some("team = 'x'".into()), "filter"),
            (|d| d.of = Some("bills".into()), "of"),
            (|d| (d.of, d.cost) = (Some("allocations".into()), Some("billed".into())), "cost"),
            (|d| d.thresholds = Some(vec![(80, "spent".into())]), "thresholds"),
        ];
        for (change, field) in cases {
            let mut bad = draft();
            change(&mut bad);
            let error = Budget::check(&bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{field}: ")), "{error}");
        }
    }

    #[test]
    fn states() {
        let budget = Budget::check(&draft()).unwrap();
        let units = |n: i128| Amount(n * 10_i128.pow(18));
        let expect = |n: i128| Some(Expected { total: units(n), interval: None });
        for (actual, expected, state) in [
            (0, None, State::Ok),
            (899, expect(999), State::Ok),
            (899, expect(1000), State::AtRisk),
            (900, None, State::AtRisk),
            (1000, expect(1000), State::AtRisk),
            (1001, None, State::Exceeded),
        ] {
            assert_eq!(judge(&budget, units(actual), expected).state, state, "{actual} {expected:?}");
        }
        let verdict = judge(&budget, units(250), None);
        assert_eq!((verdict.spent_basis_points, verdict.left), (2500, units(750)));
        assert_eq!(verdict.crossings.iter().map(|c| c.crossed).collect::<Vec<_>>(), [Some(false), None]);
    }
}
