//! Memory that only grows: a leak. Between two restarts the level rises nearly always, by a good part of its limit, and would reach it soon.
//!
//! Whether it rises is Kendall's rank correlation with time (Mann 1945), how fast is Theil-Sen's slope (Sen 1968): neither is moved by a few spikes, and
//! a daily rhythm rises and falls alike.

use crate::limits::BUCKETS_MAX;
use crate::robust::median;

/// The name of the model.
pub const MODEL: &str = "growth-ranks";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 1;
/// Points of a segment that is judged; of hours, a day.
const POINTS_MIN: usize = 24;
/// Points that are compared pairwise at most.
const POINTS_COMPARED: usize = 240;
/// Rank correlation with time from which it only grows.
const TAU_MIN: f64 = 0.8;
/// Part of the limit by which it has grown.
const GROWN_MIN: f64 = 0.1;
/// The limit is reached within this many points more.
const HORIZON: f64 = 14.0 * 24.0;
/// A fall by this part of the level is a restart.
const RESTART: f64 = 0.3;

/// A level that grows, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Where it began.
    pub start: usize,
    /// The point after the last; `None` while it grows.
    pub end: Option<usize>,
    /// The point from which on it could be told.
    pub seen: usize,
    /// Growth per point.
    pub slope: f64,
    /// The level in the last segment's last point.
    pub level: f64,
    /// Restarts since it began: each gave the memory back, and it grew again.
    pub restarts: usize,
    /// 1 is just worth telling.
    pub score: f64,
}

/// Whether a level grows towards its limit; NaN is a gap.
pub fn find(points: &[f64], limit: f64) -> Option<Growth> {
    let points = &points[points.len().saturating_sub(BUCKETS_MAX)..];
    let mut growth: Option<Growth> = None;
    for segment in segments(points) {
        let Some(found) = judge(points, segment.clone(), limit) else {
            // A young segment after growing ones says nothing yet.
            let young = segment.len() < POINTS_MIN && segment.end == points.len();
            match &mut growth {
                Some(growth) if young => growth.restarts += 1,
                Some(growth) if growth.end.is_none() => growth.end = Some(segment.start),
                _ => {}
            }
            continue;
        };
        growth = Some(match growth {
            Some(before) if before.end.is_none() => Growth {
                slope: found.slope,
                level: found.level,
                restarts: before.restarts + 1,
                score: before.score.max(found.score) + 1.0,
                ..before
            },
            _ => found,
        });
    }
    growth
}

/// Stretches between restarts, gaps at their ends left out.
fn segments(points: &[f64]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let (mut start, mut before) = (None, f64::NAN);
    for (i, value) in points.iter().enumerate().filter(|(_, v)| v.is_finite()) {
        if start.is_some_and(|_| *value < before * (1.0 - RESTART)) {
            found.extend(start.map(|s| s..i));
            start = None;
        }
        start = start.or(Some(i));
        before = *value;
    }
    found.extend(start.map(|s| s..points.iter().rposition(|v| v.is_finite()).map_or(s, |p| p + 1)));
    found
}

fn judge(points: &[f64], segment: std::ops::Range<usize>, limit: f64) -> Option<Growth> {
    if limit.is_nan() || limit <= 0.0 {
        return None;
    }
    // Told as early as it can be: at the first of ever longer beginnings that shows it.
    let mut length = POINTS_MIN;
    let mut first = None;
    while length < segment.len() {
        if first.is_none() && trend(points, segment.start..segment.start + length, limit).is_some() {
            first = Some(segment.start + length - 1);
        }
        length += length / 4;
    }
    let (slope, level, tau) = trend(points, segment.clone(), limit)?;
    let seen = first.unwrap_or(segment.end - 1);
    let score = (tau / TAU_MIN) * (slope * segment.len() as f64 / limit / GROWN_MIN).min(5.0);
    // Whether it goes on after a restart, the next segment decides.
    Some(Growth { start: segment.start, end: None, seen, slope, level, restarts: 0, score })
}

/// Slope, last level and rank correlation, if they make a leak.
fn trend(points: &[f64], segment: std::ops::Range<usize>, limit: f64) -> Option<(f64, f64, f64)> {
    if segment.len() < POINTS_MIN {
        return None;
    }
    let every = segment.len().div_ceil(POINTS_COMPARED).max(1);
    let known: Vec<(f64, f64)> =
        segment.clone().step_by(every).filter(|i| points[*i].is_finite()).map(|i| (i as f64, points[i])).collect();
    if known.len() * every * 2 < segment.len() || known.len() < 8 {
        return None;
    }
    let (mut slopes, mut ranks) = (Vec::with_capacity(known.len() * known.len() / 2), 0.0);
    for (i, a) in known.iter().enumerate() {
        for b in &known[i + 1..] {
            slopes.push((b.1 - a.1) / (b.0 - a.0));
            ranks += if b.1 > a.1 {
                1.0
            } else if b.1 < a.1 {
                -1.0
            } else {
                0.0
            };
        }
    }
    let tau = ranks / slopes.len() as f64;
    let slope = median(&slopes);
    let level = points[segment.clone()].iter().rev().copied().find(|v| v.is_finite())?;
    let grown = slope * segment.len() as f64;
    let is_leak = tau >= TAU_MIN && grown >= GROWN_MIN * limit && slope > 0.0 && (limit - level) / slope <= HORIZON;
    is_leak.then_some((slope, level, tau))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(of: impl Fn(usize) -> f64, expected: Option<(usize, bool, usize)>) {
        let points: Vec<f64> = (0..300).map(of).collect();
        let found = find(&points, 1000.0);
        assert_eq!(found.map(|g| (g.start, g.end.is_none(), g.restarts)), expected, "{found:?}");
        assert!(found.is_none_or(|g| g.seen >= g.start + POINTS_MIN - 1 && g.seen < points.len()));
    }

    #[test]
    fn leaks() {
        let wobble = |i: usize| 20.0 * ((i % 24) as f64 / 24.0 * std::f64::consts::TAU).sin() + (i % 5) as f64;
        check(|i| 300.0 + wobble(i), None);
        check(|i| if i < 60 { 300.0 + wobble(i) } else { 250.0 + wobble(i) / 8.0 }, None);
        // Grows from a start on.
        check(|i| if i < 100 { f64::NAN } else { 300.0 + 3.0 * (i - 100) as f64 + wobble(i) }, Some((100, true, 0)));
        // Grows, is killed at the limit, grows again.
        check(
            |i| if i < 50 { f64::NAN } else { 300.0 + 7.0 * ((i - 50) % 100) as f64 + wobble(i) },
            Some((50, true, 2)),
        );
        // Far too slow to matter.
        check(|i| 300.0 + 0.01 * i as f64, None);
    }
}
