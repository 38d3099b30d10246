//! How things are used: the rhythm of each in words, which of them are alike, and what drives them.
//!
//! Reading order: [`profiles`] (hours of many things -> a [`Profile`] of each) -> `frame` (the medians, by polars) -> [`Kind`] (the rhythm in one
//! word) -> [`alike`] (groups by k-means) -> [`follow`] (a regression that must hold on hours that it has not seen).
//!
//! A profile is made of medians: a day on which something broke does not change what is usual. Its 48 numbers are the hours of a working day and of a
//! day of the weekend, because people who switch things off decide by these. Two profiles are compared by shape alone, each in parts of its own highest
//! hour: a large and a small machine of one service are alike.

mod alike;
mod follow;
mod frame;
mod kind;

use grid_model::Timestamp;
use grid_model::time::{DAY_NS, HOUR_NS};

pub use alike::{Alike, GROUPS_MAX, THINGS_MIN, alike};
pub use follow::{Follow, follow};
pub use kind::Kind;

use crate::series::NotEnoughData;

/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 1;
/// Hours of a thing that a profile needs: three days.
pub const HOURS_MIN: usize = 72;
/// The hours of a working day, then those of a day of the weekend, in UTC.
pub const SLOTS: usize = 48;

/// What a thing used in an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// Which thing, counted from 0.
    pub thing: u32,
    /// When; the hour that it lies in counts.
    pub time: Timestamp,
    /// How much. What is not finite does not count.
    pub value: f64,
}

/// How a thing is used.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Which.
    pub thing: u32,
    /// Hours that were seen.
    pub hours: usize,
    /// The median of each hour of the day, working days first; NaN where no such hour was seen.
    pub slots: [f64; SLOTS],
    /// The value that 5, 50 and 95 of a hundred hours do not pass.
    pub low: f64,
    /// The middle.
    pub usual: f64,
    /// The upper end.
    pub high: f64,
    /// Share of the deviation from the usual that the hour of the day explains, from 0 to 1.
    pub regularity: f64,
    /// Growth per week in parts of the usual; 0 if none is certain.
    pub growth: f64,
    /// Hours of a week, of 168, in which a fifth of the highest hour is not passed.
    pub quiet_hours: u32,
    /// All of it in a word.
    pub kind: Kind,
}

impl Profile {
    /// The highest hour's median; 0 if there is none.
    pub fn top(&self) -> f64 {
        self.slots.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max)
    }

    /// The slot of the highest hour.
    pub fn top_slot(&self) -> usize {
        let is_higher = |best: usize, slot: usize| self.slots[slot] > self.slots[best] || self.slots[best].is_nan();
        (0..SLOTS).fold(0, |best, slot| if is_higher(best, slot) { slot } else { best })
    }
}

/// The profiles of things with enough hours, in the order of their numbers. Of which level on something counts as used is said by the caller, in the
/// unit of the values: below it a thing is [`Kind::Idle`].
pub fn profiles(hours: &[Hour], idle_below: f64) -> Vec<Result<Profile, (u32, NotEnoughData)>> {
    let known: Vec<Hour> = hours.iter().filter(|h| h.value.is_finite()).copied().collect();
    frame::things(&known).into_iter().map(|seen| profile(seen, idle_below)).collect()
}

fn profile(seen: frame::Seen, idle_below: f64) -> Result<Profile, (u32, NotEnoughData)> {
    let frame::Seen { thing, hours, slots, low, usual, high } = seen;
    if hours.len() < HOURS_MIN {
        return Err((thing, NotEnoughData { have: hours.len(), need: HOURS_MIN }));
    }
    let mut profile = Profile {
        thing,
        hours: hours.len(),
        slots,
        low,
        usual,
        high,
        regularity: regularity(&hours, &slots, usual),
        growth: growth(&hours, usual),
        quiet_hours: 0,
        kind: Kind::Irregular,
    };
    profile.quiet_hours = quiet_hours(&profile);
    profile.kind = kind::of(&profile, idle_below);
    Ok(profile)
}

/// The slot of an hour: 0 to 23 on working days, 24 to 47 on weekends.
fn slot(time: Timestamp) -> usize {
    let day = time.0.div_euclid(DAY_NS);
    let hour = (time.0.rem_euclid(DAY_NS) / HOUR_NS) as usize;
    // 1970-01-01 was a Thursday.
    let is_weekend = [2, 3].contains(&day.rem_euclid(7));
    hour + if is_weekend { 24 } else { 0 }
}

/// What part of all distances from the usual goes away when each hour is compared with its own median.
fn regularity(hours: &[(Timestamp, f64)], slots: &[f64; SLOTS], usual: f64) -> f64 {
    let distance = |from: &dyn Fn(Timestamp) -> f64| hours.iter().map(|(time, v)| (v - from(*time)).abs()).sum::<f64>();
    let (all, left) = (distance(&|_| usual), distance(&|time| slots[slot(time)]));
    if all > 0.0 { (1.0 - left / all).clamp(0.0, 1.0) } else { 0.0 }
}

/// Growth per week in parts of the usual: the median of the slopes between the medians of whole days (Theil, 1950; Sen, 1968), if the order of the days
/// is no chance (Mann, 1945; Kendall, 1975).
fn growth(hours: &[(Timestamp, f64)], usual: f64) -> f64 {
    const DAYS_MIN: usize = 7;
    const HOURS_OF_DAY_MIN: usize = 18;
    const CERTAIN_Z: f64 = 2.576;
    if usual <= 0.0 {
        return 0.0;
    }
    let days = frame::days(hours, HOURS_OF_DAY_MIN);
    if days.len() < DAYS_MIN {
        return 0.0;
    }
    let (mut slopes, mut order) = (Vec::new(), 0.0);
    for (i, (day, value)) in days.iter().enumerate() {
        for (later, then) in &days[i + 1..] {
            slopes.push((then - value) / (later - day) as f64);
            order += (then - value).signum() * f64::from(u8::from(then != value));
        }
    }
    let n = days.len() as f64;
    let error = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    if (order.abs() - 1.0).max(0.0) / error < CERTAIN_Z {
        return 0.0;
    }
    slopes.sort_by(f64::total_cmp);
    7.0 * slopes[slopes.len() / 2] / usual
}

fn quiet_hours(profile: &Profile) -> u32 {
    const QUIET: f64 = 0.2;
    const DAYS_OF_KIND: [u32; 2] = [5, 2];
    let below = QUIET * profile.top();
    let quiet = |slot: &usize| profile.slots[*slot] <= below;
    (0..SLOTS).filter(quiet).map(|slot| DAYS_OF_KIND[slot / 24]).sum()
}

#[cfg(test)]
mod tests;
