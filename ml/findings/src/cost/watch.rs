//! One slice of costs, day by day: what is usual, and what is not.
//!
//! A day is level x weekday. The weekday's factor is the median ratio of its days to the mean of the week around them, from three weeks on; the
//! level is the median of the last days without weekdays; the deviation is their median absolute deviation. Days that were judged unusual are
//! replaced by what was expected, so that a spike does not become usual; what lasts [`ACCEPTED_DAYS`] days is the new level, and the days before are
//! scaled to it, so that it is told once.

use grid_finance::calendar::Day;

use super::Kind;
use crate::robust::{deviation, median};

/// Days before anything is judged.
const HISTORY_MIN: usize = 6;
/// Days that show what a slice that costs nothing has cost before, before it can be called new.
const NEW_HISTORY_MIN: usize = 7;
/// Days that are looked back upon.
const WINDOW: usize = 35;
/// Days from which weekdays are learnt.
const WEEKDAY_DAYS_MIN: usize = 21;
/// Days whose median is the level.
const LEVEL_DAYS: usize = 10;
/// After so many days in a row the unusual is usual.
const ACCEPTED_DAYS: usize = 10;
/// A spike is this far above what was expected, in parts of it and in deviations.
const SPIKE: (f64, f64) = (0.2, 4.5);
/// A drift likewise, of the mean of some days.
const DRIFT: (f64, f64) = (0.065, 4.0);
/// The days whose mean may have drifted.
const DRIFT_DAYS: std::ops::RangeInclusive<usize> = 4..=7;
/// Days before them that say what the level was.
const DRIFT_REFERENCE_MIN: usize = 14;
/// Costs of a day vary by so much at least, whatever a few quiet days say; with few days to learn from, more.
const DEVIATION_MIN: f64 = 0.02;
/// What is not this part of the account's cost is not worth telling.
const SHARE_MIN: f64 = 0.01;
/// The same for something new, which nobody expects at all.
const NEW_SHARE_MIN: f64 = 0.005;

/// A day on which the slice was unusual. Days are counted from the first of the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Flag {
    /// The day.
    pub day: u32,
    /// Since when: earlier than `day` for a drift.
    pub since: u32,
    /// What kind.
    pub kind: Kind,
    /// 1 is just worth telling.
    pub score: f64,
}

/// Watches one slice of an account.
pub(super) struct Watch<'a> {
    total: &'a [f64],
    /// Whether the slice can be new; the account itself cannot.
    can_be_new: bool,
}

/// What is usual on a day.
struct Usual {
    expected: f64,
    deviation: f64,
    /// Days of the window without weekdays.
    plain: Vec<f64>,
    factors: [f64; 7],
}

impl<'a> Watch<'a> {
    pub(super) fn new(total: &'a [f64], can_be_new: bool) -> Self {
        Self { total, can_be_new }
    }

    /// Judges each day from those before.
    pub(super) fn run(&self, first: Day, series: &[f64]) -> Vec<Flag> {
        let mut usual = series.to_vec();
        let mut flags: Vec<Flag> = Vec::new();
        let mut in_a_row = 0;
        for day in HISTORY_MIN..series.len() {
            let seen = self.judge(first, &usual, day, series);
            let Some((flag, expected)) = seen else {
                in_a_row = 0;
                continue;
            };
            in_a_row += 1;
            flags.push(flag);
            usual[day] = expected;
            if in_a_row >= ACCEPTED_DAYS {
                accept(&mut usual, series, day + 1 - ACCEPTED_DAYS, day);
                in_a_row = 0;
            }
        }
        flags
    }

    fn judge(&self, first: Day, usual: &[f64], day: usize, series: &[f64]) -> Option<(Flag, f64)> {
        let cost = series[day];
        let account = median(&self.total[day.saturating_sub(LEVEL_DAYS)..day]).max(0.0);
        let flag = |kind, since: usize, score| Flag { day: day as u32, since: since as u32, kind, score };
        let known = usual[day.saturating_sub(WINDOW)..day].iter().copied().fold(0.0, f64::max);
        if known <= 1e-3 * cost {
            let floor = NEW_SHARE_MIN * account;
            let is_new = self.can_be_new && day >= NEW_HISTORY_MIN && cost > floor && cost > 0.0;
            // A share of 5% is as strange as a spike of 10 deviations.
            return is_new.then(|| (flag(Kind::New, day, (cost / floor.max(1e-9)).sqrt().min(10.0)), 0.0));
        }
        let u = Self::usual(first, usual, day);
        let rise = cost - u.expected;
        if u.expected > 0.0 && rise > SHARE_MIN * account {
            let (relative, z) = (rise / u.expected, rise / u.expected / u.deviation);
            if relative >= SPIKE.0 && z >= SPIKE.1 {
                return Some((flag(Kind::Spike, day, (z / SPIKE.1).min(10.0)), u.expected));
            }
        }
        let (since, score, level) = Self::drifted(&u, first, day, series, SHARE_MIN * account)?;
        Some((flag(Kind::Drift, since, score), level))
    }

    fn usual(first: Day, usual: &[f64], day: usize) -> Usual {
        let start = day.saturating_sub(WINDOW);
        let window = &usual[start..day];
        let weekday = |i: usize| first.plus((start + i) as i64).weekday();
        let mut factors = [1.0; 7];
        if window.len() >= WEEKDAY_DAYS_MIN {
            let mut ratios: [Vec<f64>; 7] = Default::default();
            for (i, cost) in window.iter().enumerate() {
                let around = &window[i.saturating_sub(3)..(i + 4).min(window.len())];
                let mean = around.iter().sum::<f64>() / around.len() as f64;
                if around.len() == 7 && mean > 0.0 {
                    ratios[weekday(i)].push(cost / mean);
                }
            }
            for (factor, ratios) in factors.iter_mut().zip(&ratios) {
                if ratios.len() >= 2 {
                    *factor = median(ratios).max(0.01);
                }
            }
        }
        let plain: Vec<f64> = window.iter().enumerate().map(|(i, cost)| cost / factors[weekday(i)]).collect();
        let level = median(&plain[plain.len().saturating_sub(LEVEL_DAYS)..]);
        // Around the level of their own time, so that a slow trend is no deviation.
        let distances: Vec<f64> = (0..plain.len())
            .map(|i| {
                let own = median(&plain[i.saturating_sub(3)..(i + 4).min(plain.len())]);
                if own > 0.0 { plain[i] / own - 1.0 } else { 0.0 }
            })
            .collect();
        // The median of the neighbours is nearer than the truth.
        let found = 1.15 * deviation(&distances);
        let floor = DEVIATION_MIN * (1.0 + 10.0 / plain.len() as f64);
        Usual { expected: level * factors[weekday(day - start)], deviation: found.max(floor), plain, factors }
    }

    /// Whether the last days, this one among them, lie above the level before them: since when, how strange, and the cost expected today. The last
    /// days count as they were: what is judged unusual must not hide that it goes on.
    fn drifted(u: &Usual, first: Day, day: usize, series: &[f64], floor: f64) -> Option<(usize, f64, f64)> {
        let factor = |d: usize| u.factors[first.plus(d as i64).weekday()];
        DRIFT_DAYS
            .filter_map(|days| {
                let since = (day + 1).checked_sub(days)?;
                // The window of what is usual ends with the day before this one.
                let before = &u.plain[..u.plain.len().checked_sub(days - 1)?];
                let before = &before[before.len().saturating_sub(28)..];
                if before.len() < DRIFT_REFERENCE_MIN {
                    return None;
                }
                let now: Vec<f64> = (since..=day).map(|d| series[d] / factor(d)).collect();
                let level = median(before);
                let mean = now.iter().sum::<f64>() / days as f64;
                let (rise, n) = (mean / level - 1.0, days as f64);
                // A median of m values varies as a mean of m / 1.57.
                let error = u.deviation * (1.0 / n + 1.57 / before.len() as f64).sqrt();
                let is_above = |v: &f64| *v > level * (1.0 + 0.3 * rise);
                let above = now.iter().filter(|v| is_above(v)).count();
                let is_drift = level > 0.0
                    && rise >= DRIFT.0
                    && rise / error >= DRIFT.1
                    && above + 1 >= days
                    && rise * level > floor;
                let start = since + now.iter().position(is_above)?;
                is_drift.then(|| (start, (rise / error / DRIFT.1).min(10.0), level * factor(day)))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
    }
}

/// What was unusual from `since` to `day` is the level from now on.
fn accept(usual: &mut [f64], series: &[f64], since: usize, day: usize) {
    let days = (day + 1 - since) as f64;
    let expected: f64 = usual[since..=day].iter().sum::<f64>() / days;
    let actual: f64 = series[since..=day].iter().sum::<f64>() / days;
    for (i, cost) in usual[..since].iter_mut().enumerate() {
        *cost = if expected > 0.0 { *cost * actual / expected } else { series[since + i % (day + 1 - since)] };
    }
    usual[since..=day].copy_from_slice(&series[since..=day]);
}
