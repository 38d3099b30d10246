//! Costs over time: buckets of days, weeks, months, quarters or years, each against the one before and against a moving mean, and the month to date
//! against the same days of the month before.

use std::collections::BTreeMap;

use grid_model::Amount;

use crate::calendar::{Day, Fiscal, Grain, Period};
use crate::exact::{mean, sum};
use crate::variance::Overflow;

/// Cost per day. Days without an entry cost nothing.
pub type Daily = BTreeMap<Day, Amount>;

/// One bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its days, whether or not all of them are known.
    pub period: Period,
    /// What it is called.
    pub label: String,
    /// What its known days cost.
    pub cost: Amount,
    /// Cost less that of the bucket before; only between buckets all of whose days are known.
    pub change: Option<Amount>,
    /// The mean of the buckets before it (7 days, 4 weeks, 3 months, 4 quarters, 3 years), as many as are whole.
    pub moving_mean: Option<Amount>,
    /// Whether days of it lie outside what is known.
    pub partial: bool,
}

/// Most buckets of one answer.
pub const BUCKETS_MAX: i64 = 4_000;

/// How many buckets the moving mean spans.
fn span(grain: Grain) -> usize {
    match grain {
        Grain::Day => 7,
        Grain::Week | Grain::Quarter => 4,
        Grain::Month | Grain::Year => 3,
    }
}

/// The buckets that `known` touches, without gaps, the earliest first; at most [`BUCKETS_MAX`], the latest ones.
pub fn buckets(daily: &Daily, known: Period, grain: Grain, fiscal: Fiscal) -> Result<Vec<Bucket>, Overflow> {
    let mut found: Vec<Bucket> = Vec::new();
    let start = known.start.max(known.end.plus(-BUCKETS_MAX));
    let mut at = start;
    while at < known.end {
        let period = fiscal.period_of(grain, at);
        let within = Period { start: period.start.max(known.start), end: period.end.min(known.end) };
        let cost = cost_of(daily, within)?;
        let partial = period.start < known.start || period.end > known.end;
        let whole_before = found.last().filter(|b| !b.partial && !partial);
        let change = match whole_before {
            Some(before) => Some(Amount(cost.0.checked_sub(before.cost.0).ok_or(Overflow)?)),
            None => None,
        };
        let recent: Vec<i128> = found.iter().rev().filter(|b| !b.partial).take(span(grain)).map(|b| b.cost.0).collect();
        let label = fiscal.label(grain, period.start);
        found.push(Bucket { period, label, cost, change, moving_mean: mean(&recent).map(Amount), partial });
        at = period.end;
    }
    Ok(found)
}

/// What the days of a period cost.
pub fn cost_of(daily: &Daily, period: Period) -> Result<Amount, Overflow> {
    if period.start >= period.end {
        return Ok(Amount::ZERO);
    }
    sum(daily.range(period.start..period.end).map(|(_, a)| *a)).ok_or(Overflow)
}

/// A period against another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// The period.
    pub period: Period,
    /// What it cost.
    pub cost: Amount,
    /// What it is compared with.
    pub with: Period,
    /// What that cost.
    pub with_cost: Amount,
}

/// The month of the last known day up to it, against the same days of the month before.
pub fn month_to_date(daily: &Daily, known: Period) -> Result<Compared, Overflow> {
    let last = known.end.plus(-1);
    let period = Period { start: last.month_start(), end: known.end };
    let with = period.previous();
    Ok(Compared { period, cost: cost_of(daily, period)?, with, with_cost: cost_of(daily, with)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    /// One unit per day, two on the first of a month.
    fn daily(from: &str, to: &str) -> (Daily, Period) {
        let known = Period { start: day(from), end: day(to) };
        let cost = |d: Day| Amount(if d.is_month_start() { 2 } else { 1 });
        ((known.start.0..known.end.0).map(|d| (Day(d), cost(Day(d)))).collect(), known)
    }

    #[test]
    fn buckets_by_grain() {
        let (daily, known) = daily("2026-09-10", "2026-11-13");
        let found = buckets(&daily, known, Grain::Month, Fiscal::default()).unwrap();
        let shown: Vec<_> =
            found.iter().map(|b| (b.label.as_str(), b.cost.0, b.change.map(|c| c.0), b.partial)).collect();
        assert_eq!(shown, [("2026-09", 21, None, true), ("2026-10", 32, None, false), ("2026-11", 13, None, true)]);
        let days = buckets(&daily, known, Grain::Day, Fiscal::default()).unwrap();
        assert_eq!((days.len(), days[0].change, days[21].change), (64, None, Some(Amount(1))));
        assert_eq!(days[28].moving_mean, Some(Amount(1)));
        let total: i128 = daily.values().map(|a| a.0).sum();
        for grain in Grain::ALL {
            let found = buckets(&daily, known, grain, Fiscal::new(4).unwrap()).unwrap();
            assert_eq!(found.iter().map(|b| b.cost.0).sum::<i128>(), total, "{grain:?}");
            assert!(found.windows(2).all(|w| w[0].period.end == w[1].period.start));
        }
    }

    #[test]
    fn the_month_to_date_is_compared_with_the_same_days() {
        let (daily, known) = daily("2026-09-10", "2026-11-13");
        let found = month_to_date(&daily, known).unwrap();
        assert_eq!((found.cost, found.with_cost), (Amount(13), Amount(13)));
        assert_eq!(found.with.to_string(), "2026-10-01..2026-10-12");
    }
}
