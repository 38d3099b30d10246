//! The minutes of the demo: a step is one minute, the last step is the minute of `until`.

use grid_model::Timestamp;
use grid_model::time::{DAY_NS, MINUTE_NS, days_from_civil};

/// Longest demo in days: five million samples per fortnight make a year of it unwelcome on a laptop.
pub(crate) const DAYS_MAX: u32 = 120;
/// Minutes per day.
pub(crate) const DAY: usize = 1440;

/// Steps of one minute each, numbered from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline {
    first_minute: i64,
    /// How many.
    pub(crate) steps: usize,
}

impl Timeline {
    /// `days` (1 to [`DAYS_MAX`]) whole days up to and including the minute of `until` (bounded to the years 1980 to 2199).
    pub(crate) fn new(until: Timestamp, days: u32) -> Self {
        let (low, high) = (days_from_civil(1980, 1, 1) * DAY_NS, days_from_civil(2200, 1, 1) * DAY_NS);
        let last_minute = until.nanos().clamp(low, high).div_euclid(MINUTE_NS);
        let steps = days.clamp(1, DAYS_MAX) as usize * DAY;
        Self { first_minute: last_minute - steps as i64 + 1, steps }
    }

    /// Minutes since the epoch of a step.
    pub(crate) fn minute(self, step: usize) -> i64 {
        self.first_minute + step as i64
    }

    /// Time of a step.
    pub(crate) fn time(self, step: usize) -> Timestamp {
        Timestamp(self.minute(step) * MINUTE_NS)
    }

    /// Milliseconds of a step.
    pub(crate) fn time_ms(self, step: usize) -> i64 {
        self.minute(step) * 60_000
    }

    /// Hour of the day, 0 to 23.
    pub(crate) fn hour(self, step: usize) -> i64 {
        self.minute(step).rem_euclid(DAY as i64) / 60
    }

    /// Whether a step falls on Saturday or Sunday.
    pub(crate) fn is_weekend(self, step: usize) -> bool {
        // 1970-01-01 was a Thursday.
        (self.day(step) + 3).rem_euclid(7) >= 5
    }

    /// Days since the epoch of a step.
    pub(crate) fn day(self, step: usize) -> i64 {
        self.minute(step).div_euclid(DAY as i64)
    }

    /// The days that are billed: each day that the demo touches and that is over at its end.
    pub(crate) fn billed_days(self) -> std::ops::Range<i64> {
        self.day(0)..self.day(self.steps - 1)
    }

    /// How many minutes of a day lie at or after a step (0 to 1440): for what is alive from that step on.
    pub(crate) fn minutes_of_day_from(self, day: i64, step: usize) -> i64 {
        ((day + 1) * DAY as i64 - self.minute(step)).clamp(0, DAY as i64)
    }
}

/// `2026-11-09T00:00:00Z`.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let text = Timestamp(seconds.saturating_mul(1_000_000_000)).to_string();
    format!("{}Z", text.split('.').next().unwrap_or_default())
}
