//! What the load of a step may be, from different ends: the last steps, and the same time on days before.

/// Number of forecasts.
pub(super) const FORECASTS: usize = 9;
/// Part of a day that is "now", and days that are looked back upon.
const NOW_PER_DAY: usize = 144;
const DAYS: usize = 7;
/// An hour in terms of now.
const HOUR: usize = 6;
/// How much more or less than on another day it may be.
const RATIO_MAX: f64 = 3.0;

/// A load with its running sums.
pub(super) struct Past<'a> {
    usage: &'a [f64],
    sums: Vec<f64>,
    day: usize,
    now: usize,
}

impl<'a> Past<'a> {
    pub(super) fn new(usage: &'a [f64], day: usize) -> Self {
        let mut sums = Vec::with_capacity(usage.len() + 1);
        let mut sum = 0.0;
        sums.push(sum);
        for value in usage {
            sum += value;
            sums.push(sum);
        }
        Self { usage, sums, day, now: (day / NOW_PER_DAY).max(1) }
    }

    fn mean(&self, from: usize, to: usize) -> f64 {
        if to <= from { 0.0 } else { ((self.sums[to] - self.sums[from]) / (to - from) as f64).max(0.0) }
    }

    /// What step `step` may bring, known up to and with step `known`.
    pub(super) fn foresee(&self, step: usize, known: usize) -> [f64; FORECASTS] {
        let end = known + 1;
        let last = |steps: usize| self.mean(end.saturating_sub(steps), end);
        let (now, hour) = (last(self.now), last(HOUR * self.now));
        let highest = self.usage[end.saturating_sub(2 * self.now)..end].iter().copied().fold(0.0, f64::max);
        let days: Vec<Option<f64>> = (1..=DAYS).map(|days| self.as_before(days, step, end, hour)).collect();
        let yesterday = days[0].unwrap_or(now);
        let week_ago = days[DAYS - 1].unwrap_or(yesterday);
        let (sum, count) = days.iter().flatten().fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
        let usual = if count > 0.0 { sum / count } else { now };
        [
            self.usage[known],
            now,
            highest,
            0.5 * (now + usual),
            usual.max(now),
            0.5 * (yesterday + week_ago),
            0.5 * (hour + usual),
            last(3),
            last(self.now.div_ceil(2)).max(0.5 * (now + usual)),
        ]
    }

    /// As it was around this time so many days before, times how much more there is now than was then.
    fn as_before(&self, days: usize, step: usize, end: usize, hour: f64) -> Option<f64> {
        let ago = days * self.day;
        let hour_steps = HOUR * self.now;
        let start = end.checked_sub(ago + hour_steps)?;
        let then = self.mean(start, end - ago);
        let around = (step - ago + self.now / 2 + 1).min(end);
        let there = self.mean(around.saturating_sub(self.now), around);
        let ratio = if then > 0.0 { (hour / then).clamp(1.0 / RATIO_MAX, RATIO_MAX) } else { 1.0 };
        Some(there * ratio)
    }
}
