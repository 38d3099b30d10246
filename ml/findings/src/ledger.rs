//! What was promised and what came: the savings of accepted recommendations, told from the bills that followed.

use grid_finance::calendar::Day;
use grid_model::Amount;
use grid_model::wide::mul_div;

use crate::size::MONTH_HOURS;

/// Days before a decision that say what the resource cost.
pub const DAYS_BEFORE: i64 = 14;
/// Full billed days after it that are needed to say anything.
pub const DAYS_AFTER_MIN: i64 = 1;

/// How an accepted recommendation fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No bill has come since.
    Waiting,
    /// The resource costs what it cost: nothing was done, or it did not help.
    Nothing,
    /// It costs less, but less than half of what was promised is saved.
    Partly,
    /// At least half of what was promised is saved.
    Realised,
}

impl Outcome {
    /// The word in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Nothing => "nothing",
            Self::Partly => "partly",
            Self::Realised => "realised",
        }
    }
}

/// Predicted and realised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The saving a month that was promised.
    pub predicted: Amount,
    /// The saving a month by the days that were billed since.
    pub realised: Amount,
    /// What was saved so far, in all.
    pub saved: Amount,
    /// How it fares.
    pub outcome: Outcome,
}

/// Compares. `daily` is the cost of the resource on each billed day, `known` the day after the last billed one; days without a cost cost nothing.
/// The day of the decision itself counts on neither side.
pub fn compare(daily: &[(Day, Amount)], decided: Day, known: Day, predicted: Amount) -> Entry {
    let sum = |from: Day, to: Day| {
        daily.iter().filter(|(day, _)| from <= *day && *day < to).fold(0_i128, |sum, (_, c)| sum.saturating_add(c.0))
    };
    let first = daily.iter().map(|(day, _)| *day).min().unwrap_or(decided);
    let from = first.max(decided.plus(-DAYS_BEFORE));
    let (days_before, days_after) = (decided.0 - from.0, known.0 - decided.plus(1).0);
    if days_before < 1 || days_after < DAYS_AFTER_MIN {
        return Entry { predicted, realised: Amount::ZERO, saved: Amount::ZERO, outcome: Outcome::Waiting };
    }
    let (before, after) = (sum(from, decided), sum(decided.plus(1), known));
    let expected = mul_div(before, i128::from(days_after), i128::from(days_before)).unwrap_or(before);
    let saved = expected.saturating_sub(after);
    // A month of days, as prices count it.
    let realised = mul_div(saved, MONTH_HOURS, 24 * i128::from(days_after)).unwrap_or(saved);
    let outcome = match realised {
        r if r.saturating_mul(20) < predicted.0.max(1) => Outcome::Nothing,
        r if r.saturating_mul(2) < predicted.0 => Outcome::Partly,
        _ => Outcome::Realised,
    };
    Entry { predicted, realised: Amount(realised), saved: Amount(saved), outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicted_and_realised() {
        let daily = |after: i128| -> Vec<(Day, Amount)> {
            (0..20).map(|d| (Day(d), Amount(if d < 10 { 24_000 } else { after }))).collect()
        };
        let check = |after: i128, known: i64, outcome: Outcome, realised: i128| {
            let entry = compare(&daily(after), Day(10), Day(known), Amount(730_000));
            assert_eq!((entry.outcome, entry.realised.0), (outcome, realised));
        };
        check(0, 20, Outcome::Realised, 730_000);
        check(16_000, 20, Outcome::Partly, 243_333);
        check(24_000, 20, Outcome::Nothing, 0);
        check(0, 11, Outcome::Waiting, 0);
        assert_eq!(compare(&[], Day(10), Day(20), Amount(1)).outcome, Outcome::Waiting);
    }
}
