//! Anomalies of daily costs of one account in one currency, with the dimensions that explain them.
//!
//! Reading order: [`detect`] (the whole of it) -> [`watch`] (one slice: what is usual, what is a spike, a drift, new) -> [`cause`] (which
//! combination of dimensions changed). Costs are judged per account, service, region, team, usage type and service in a region: what disappears in
//! the sum shows in its slice.

pub mod cube;
mod watch;
pub mod cause;

use std::collections::BTreeMap;

use grid_finance::calendar::Day;
use grid_model::Amount;
use grid_model::wide::mul_div;

pub use cause::Cause;
pub use cube::{Cube, DIMENSIONS, Pattern, Row};
use watch::{Flag, Watch};

use crate::limits::ANOMALIES_MAX;

/// The name of the model.
pub const MODEL: &str = "cost-slices";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 1;
/// Weeks before an event whose same weekdays say what was usual.
const REFERENCE_WEEKS: usize = 3;
/// Days of an event whose weekdays count, and days before it that stand in where there are no such weekdays.
const REFERENCE_DAYS: usize = 7;
/// Days without a sign after which an event is over.
const QUIET_DAYS: i64 = 2;
/// Slices that begin to change within so many days change for one reason.
const TOGETHER_DAYS: i64 = 2;
/// Where the account's sum changed by less than this part of what rose, usage has moved.
const MOVED_BELOW: f64 = 0.4;

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Sudden.
    Spike,
    /// Small, but it stays.
    Drift,
    /// Something that never cost anything before.
    New,
    /// More here and less there.
    Moved,
}

impl Kind {
    /// The word in `anomalies.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spike => "cost_spike",
            Self::Drift => "cost_drift",
            Self::New => "cost_new",
            Self::Moved => "cost_moved",
        }
    }
}

/// A change of cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What kind.
    pub kind: Kind,
    /// First day.
    pub start: Day,
    /// The day after the last; `None` while it lasts at the end of the data.
    pub end: Option<Day>,
    /// The day whose cost gave it away.
    pub seen: Day,
    /// How strange: 1 is just worth telling.
    pub score: f64,
    /// The days before it that say what was usual, in order.
    pub reference: Vec<Day>,
    /// Cost of the first cause's slice over the event's days.
    pub actual: Amount,
    /// Its cost over the reference.
    pub before: Amount,
    /// Days of the event within the data.
    pub days: i64,
    /// What explains it, the best explanation first; never empty.
    pub causes: Vec<Cause>,
}

impl Event {
    /// What the event's days would have cost at the reference's rate.
    pub fn expected(&self) -> Amount {
        let expected = mul_div(self.before.0, i128::from(self.days), self.reference.len().max(1) as i128);
        Amount(expected.unwrap_or(self.before.0))
    }

    /// What they cost more than that.
    pub fn impact(&self) -> Amount {
        Amount(self.actual.0.saturating_sub(self.expected().0))
    }
}

/// Every change of an account's costs, by start. Each day is judged from the days before it alone, so that the answer about a day does not
/// depend on when it is asked, unless bills change.
pub fn detect(cube: &Cube) -> Vec<Event> {
    let mut runs = runs(cube);
    // By what they are signs of: slices that began to change together.
    let mut events = Vec::new();
    while let Some(first) = runs.first().map(|run| run.start) {
        let (together, later): (Vec<Run>, Vec<Run>) =
            runs.into_iter().partition(|run| run.start - first <= TOGETHER_DAYS);
        events.extend(event(cube, &together));
        runs = later;
    }
    events.sort_by(|a, b| a.start.cmp(&b.start).then(b.score.total_cmp(&a.score)));
    events.truncate(ANOMALIES_MAX);
    events
}

/// Days in a row on which one slice was unusual.
struct Run {
    start: i64,
    flags: Vec<Flag>,
}

/// The runs of all slices, by start.
fn runs(cube: &Cube) -> Vec<Run> {
    let total = cube.series(&Pattern::default());
    let mut runs: Vec<Run> = Vec::new();
    for pattern in cube.slices() {
        let series = cube.series(&pattern);
        let mut last: Option<u32> = None;
        for flag in Watch::new(&total, !pattern.is_all()).run(cube.first, &series) {
            match runs.last_mut() {
                Some(run) if last.is_some_and(|last| i64::from(flag.day - last) <= QUIET_DAYS) => {
                    run.start = run.start.min(i64::from(flag.since));
                    run.flags.push(flag);
                }
                _ => runs.push(Run { start: i64::from(flag.since), flags: vec![flag] }),
            }
            last = Some(flag.day);
        }
    }
    runs.sort_by_key(|run| run.start);
    runs
}

fn event(cube: &Cube, runs: &[Run]) -> Option<Event> {
    let flags: Vec<&Flag> = runs.iter().flat_map(|run| &run.flags).collect();
    let first = flags.iter().min_by_key(|f| (f.since, f.day))?;
    let last = flags.iter().map(|f| f.day).max()?;
    let (start, seen) = (i64::from(first.since), flags.iter().map(|f| f.day).min()?);
    let known = cube.days as i64;
    let stop = (i64::from(last) + 1).min(known);
    if start < 1 || stop <= start {
        return None;
    }
    let days = start as usize..stop as usize;
    let reference = reference(&days);
    let changes = cube.changes(&reference, days.clone());
    let causes = cause::rank(cube, &changes);
    let best = causes.first()?;
    let kind = kind(&flags, &changes);
    let slice = best.pattern.clone();
    Some(Event {
        kind,
        start: cube.first.plus(start),
        // An event that reaches the end of the data may go on.
        end: (stop < known).then(|| cube.first.plus(stop)),
        seen: cube.first.plus(i64::from(seen)),
        score: flags.iter().map(|f| f.score).fold(0.0, f64::max),
        actual: cube.sum(&slice, days),
        before: cube.sum(&slice, reference.iter().copied()),
        reference: reference.into_iter().map(|day| cube.first.plus(day as i64)).collect(),
        days: stop - start,
        causes,
    })
}

/// The same weekdays of the weeks before; where there are none, the days before.
fn reference(event: &std::ops::Range<usize>) -> Vec<usize> {
    let mut days: Vec<usize> = event
        .clone()
        .take(REFERENCE_DAYS)
        .flat_map(|day| (1..).map_while(move |week| day.checked_sub(7 * week)))
        .filter(|day| *day < event.start && event.start - day <= 7 * REFERENCE_WEEKS)
        .collect();
    if days.is_empty() {
        days = (event.start.saturating_sub(REFERENCE_DAYS)..event.start).collect();
    }
    days.sort_unstable();
    days.dedup();
    days
}

fn kind(flags: &[&Flag], changes: &[cube::Change]) -> Kind {
    let (up, down) = changes.iter().fold((0.0, 0.0), |(up, down), c| {
        let change = c.after - c.before;
        if change > 0.0 { (up + change, down) } else { (up, down - change) }
    });
    // Only what is gone nearly whole has moved: ordinary days have their ups and downs too.
    let gone: f64 = changes.iter().filter(|c| c.after < 0.5 * c.before).map(|c| c.before - c.after).sum();
    if gone > 0.5 * up && up - down < MOVED_BELOW * up {
        return Kind::Moved;
    }
    let mut by_kind: BTreeMap<Kind, f64> = BTreeMap::new();
    for flag in flags {
        let best = by_kind.entry(flag.kind).or_default();
        *best = best.max(flag.score);
    }
    if by_kind.contains_key(&Kind::New) {
        Kind::New
    } else if by_kind.contains_key(&Kind::Spike) {
        Kind::Spike
    } else {
        Kind::Drift
    }
}

#[cfg(test)]
mod tests;
