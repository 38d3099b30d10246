//! What hours cost for which no bill has come yet: the resource's own price per hour of life, learnt from its last billed days, times the hours
//! in which telemetry saw it alive. When the bill comes, the difference is the error of the forecast.
//!
//! A charge without a resource, or of a resource that no telemetry sees, is carried forward: its mean of the last billed days counts for each
//! day, and is marked so. Rates are fractions (cost over hours) and stay so: only the product is rounded.

use std::collections::BTreeMap;

use grid_model::Amount;
use grid_model::wide::mul_div;

use crate::calendar::Day;
use crate::exact::basis_points;
use crate::variance::Overflow;

/// Billed days from which a rate is learnt.
pub const RATE_DAYS: i64 = 7;

/// Whose cost it is: a resource, or the charges of a service that have none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The currency.
    pub currency: String,
    /// The service.
    pub service: String,
    /// The resource as the bill calls it.
    pub resource: Option<String>,
}

/// Seconds of life by resource and day, as telemetry saw them (at most 86,400 each).
pub type Alive = BTreeMap<(String, Day), i64>;
/// Billed cost by subject and day.
pub type Billed = BTreeMap<(Subject, Day), Amount>;

/// On what a provisional cost rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// Hours of life times the price of an hour.
    Telemetry,
    /// The mean of the last billed days.
    Carried,
}

impl Basis {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Carried => "carried",
        }
    }
}

/// The price of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// On what it rests.
    pub basis: Basis,
    /// Cost of the days it was learnt from.
    pub cost: Amount,
    /// Seconds of life on these days ([`Basis::Telemetry`]), or the seconds of these days ([`Basis::Carried`]).
    pub seconds: i64,
}

impl Rate {
    /// What some seconds cost, rounded once.
    pub fn cost_of(self, seconds: i64) -> Option<Amount> {
        mul_div(self.cost.0, i128::from(seconds), i128::from(self.seconds)).map(Amount)
    }

    /// The cost of an hour, rounded: to be shown.
    pub fn hourly(self) -> Option<Amount> {
        self.cost_of(3600)
    }
}

/// The prices of all subjects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates(pub BTreeMap<Subject, Rate>);

/// One provisional cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisional {
    /// Whose.
    pub subject: Subject,
    /// On which day.
    pub day: Day,
    /// On what it rests.
    pub basis: Basis,
    /// Seconds that are charged.
    pub seconds: i64,
    /// What they cost.
    pub cost: Amount,
}

const DAY_SECONDS: i64 = 86_400;

/// What the last billed days of a subject say.
#[derive(Default)]
struct Learnt {
    /// Cost of all of them.
    all: Amount,
    /// Cost of those on which telemetry saw it.
    seen: Amount,
    /// Seconds for which it did.
    seconds: i64,
}

impl Rates {
    /// Learns prices from the [`RATE_DAYS`] days before `until`; by telemetry only from days on which it saw the resource, and not from the day
    /// on which telemetry begins.
    pub fn of(billed: &Billed, alive: &Alive, until: Day) -> Result<Self, Overflow> {
        let from = until.plus(-RATE_DAYS);
        // Days on which a bill says anything: a young account has fewer than a week.
        let known = billed.keys().map(|(_, day)| *day).filter(|d| (from..until).contains(d)).min();
        let Some(known) = known else { return Ok(Self::default()) };
        // Telemetry begins within a day, of which the bill knows all hours: it would say that an hour costs too much.
        let first_whole = alive.keys().map(|(_, day)| day.plus(1)).min();
        let mut costs: BTreeMap<&Subject, Learnt> = BTreeMap::new();
        for ((subject, day), cost) in billed.iter().filter(|((_, day), _)| (from..until).contains(day)) {
            let learnt = costs.entry(subject).or_default();
            learnt.all = learnt.all.checked_add(*cost).ok_or(Overflow)?;
            let seen = subject.resource.as_ref().and_then(|r| alive.get(&(r.clone(), *day))).copied().unwrap_or(0);
            if seen > 0 && first_whole.is_some_and(|first| first <= *day) {
                learnt.seen = learnt.seen.checked_add(*cost).ok_or(Overflow)?;
                learnt.seconds += seen;
            }
        }
        let days = (until.0 - known.0) * DAY_SECONDS;
        let rate = |learnt: Learnt| match learnt.seconds {
            0 => Rate { basis: Basis::Carried, cost: learnt.all, seconds: days },
            seconds => Rate { basis: Basis::Telemetry, cost: learnt.seen, seconds },
        };
        Ok(Self(costs.into_iter().map(|(subject, learnt)| (subject.clone(), rate(learnt))).collect()))
    }

    /// What a day costs, of which `elapsed` seconds have passed.
    pub fn day(&self, alive: &Alive, day: Day, elapsed: i64) -> Result<Vec<Provisional>, Overflow> {
        let mut found = Vec::new();
        for (subject, rate) in &self.0 {
            let seconds = match (rate.basis, &subject.resource) {
                (Basis::Telemetry, Some(resource)) => alive.get(&(resource.clone(), day)).copied().unwrap_or(0),
                _ => elapsed,
            };
            let seconds = seconds.clamp(0, DAY_SECONDS);
            if seconds > 0 {
                let cost = rate.cost_of(seconds).ok_or(Overflow)?;
                found.push(Provisional { subject: subject.clone(), day, basis: rate.basis, seconds, cost });
            }
        }
        Ok(found)
    }
}

/// A day that was predicted and then billed, in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The day.
    pub day: Day,
    /// The currency.
    pub currency: String,
    /// What would have been shown before the bill came.
    pub predicted: Amount,
    /// What was billed.
    pub billed: Amount,
    /// Predicted less billed.
    pub error: Amount,
    /// The error in hundredths of a percent of what was billed; `None` if nothing was.
    pub error_basis_points: Option<i128>,
}

/// Replays the forecast: each day that is billed is predicted from the days before it alone.
pub fn replay(billed: &Billed, alive: &Alive, days: impl IntoIterator<Item = Day>) -> Result<Vec<Outcome>, Overflow> {
    let mut outcomes = Vec::new();
    for day in days {
        let rates = Rates::of(billed, alive, day)?;
        if rates.0.is_empty() {
            continue;
        }
        let mut sums: BTreeMap<&str, (Amount, Amount)> = BTreeMap::new();
        let predicted = rates.day(alive, day, DAY_SECONDS)?;
        for p in &predicted {
            let entry = sums.entry(&p.subject.currency).or_default();
            entry.0 = entry.0.checked_add(p.cost).ok_or(Overflow)?;
        }
        for ((subject, _), cost) in billed.iter().filter(|((_, of), _)| *of == day) {
            let entry = sums.entry(&subject.currency).or_default();
            entry.1 = entry.1.checked_add(*cost).ok_or(Overflow)?;
        }
        for (currency, (predicted, billed)) in sums {
            let error = Amount(predicted.0.checked_sub(billed.0).ok_or(Overflow)?);
            let error_basis_points = basis_points(error, billed);
            outcomes.push(Outcome { day, currency: currency.to_owned(), predicted, billed, error, error_basis_points });
        }
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(resource: Option<&str>) -> Subject {
        Subject { currency: "USD".into(), service: "EC2".into(), resource: resource.map(str::to_owned) }
    }

    /// Ten days: a machine that runs 24 hours for 24, one that runs 6 hours for 6, a network without a resource for 10.
    fn world() -> (Billed, Alive) {
        let (mut billed, mut alive) = (Billed::new(), Alive::new());
        for day in (100..110).map(Day) {
            for (resource, cost, seconds) in [(Some("vm-1"), 24, 86_400), (Some("vm-2"), 6, 21_600), (None, 10, 0)] {
                billed.insert((subject(resource), day), Amount(cost));
                if let Some(resource) = resource {
                    alive.insert((resource.to_owned(), day), seconds);
                }
            }
        }
        (billed, alive)
    }

    #[test]
    fn hours_of_life_cost_what_they_did() {
        let (billed, mut alive) = world();
        let today = Day(110);
        // Today the first ran for six hours, the second has not begun, and half the day is over.
        alive.insert(("vm-1".to_owned(), today), 21_600);
        let rates = Rates::of(&billed, &alive, today).unwrap();
        assert_eq!(rates.0[&subject(Some("vm-1"))].hourly(), Some(Amount(1)));
        let found = rates.day(&alive, today, 43_200).unwrap();
        let shown: Vec<_> = found.iter().map(|p| (p.subject.resource.as_deref(), p.basis, p.cost.0)).collect();
        assert_eq!(shown, [(None, Basis::Carried, 5), (Some("vm-1"), Basis::Telemetry, 6)]);
    }

    #[test]
    fn steady_days_are_predicted_to_the_digit() {
        let (billed, alive) = world();
        let outcomes = replay(&billed, &alive, (100..110).map(Day)).unwrap();
        assert_eq!(outcomes.len(), 9, "the first day has none before it");
        assert!(outcomes.iter().all(|o| o.error == Amount::ZERO && o.predicted == Amount(40)));
    }

    #[test]
    fn the_day_on_which_telemetry_begins_teaches_nothing() {
        let (billed, mut alive) = world();
        // Telemetry begins at noon of the first billed day; before that day is over nothing is known of hours.
        alive.insert(("vm-1".to_owned(), Day(100)), 43_200);
        let second = Rates::of(&billed, &alive, Day(101)).unwrap();
        assert_eq!(second.0[&subject(Some("vm-1"))].basis, Basis::Carried);
        let third = Rates::of(&billed, &alive, Day(102)).unwrap();
        assert_eq!(third.0[&subject(Some("vm-1"))].hourly(), Some(Amount(1)));
    }

    #[test]
    fn a_resource_that_doubles_its_hours_is_seen_at_once() {
        let (mut billed, mut alive) = world();
        let day = Day(109);
        alive.insert(("vm-2".to_owned(), day), 43_200);
        billed.insert((subject(Some("vm-2")), day), Amount(12));
        let outcome = replay(&billed, &alive, [day]).unwrap().remove(0);
        assert_eq!((outcome.predicted, outcome.billed, outcome.error_basis_points), (Amount(46), Amount(46), Some(0)));
    }
}
