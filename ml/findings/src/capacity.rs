//! When will it be full? A forecast of a level, and the first time at which its mean and the ends of its interval reach a limit.

use grid_ml::NotEnoughData;
use grid_ml::forecast::{Forecast, Params, forecast};
use grid_model::{Amount, Timestamp};

/// Share of cases in which the interval holds.
pub const LEVEL: f64 = 0.9;
/// Points of the forecast that are kept.
pub const POINTS_KEPT: usize = 60;

/// When a limit is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// The earliest time, by the end of the interval that is nearer to the limit.
    pub earliest: Option<Timestamp>,
    /// By the mean.
    pub expected: Option<Timestamp>,
    /// The latest, by the other end.
    pub latest: Option<Timestamp>,
    /// The end of the horizon.
    pub horizon: Timestamp,
    /// Time, mean, lower, upper; at most [`POINTS_KEPT`].
    pub points: Vec<(Timestamp, f64, f64, f64)>,
}

/// Forecasts a level (points at `start`, `start + step`, ...; NaN is a gap) and asks when it reaches `limit` from below.
pub fn reach(
    points: &[f64],
    start: Timestamp,
    step_ns: i64,
    limit: f64,
    horizon: usize,
) -> Result<Reach, NotEnoughData> {
    let found = forecast(points, &Params { horizon, season: None, level: LEVEL })?;
    let at = |step: usize| start.saturating_add(step_ns.saturating_mul((points.len() + step) as i64));
    let first = |values: &[f64]| values.iter().position(|v| *v >= limit).map(at);
    let Forecast { mean, lower, upper, .. } = &found;
    let every = mean.len().div_ceil(POINTS_KEPT).max(1);
    let kept = (0..mean.len()).filter(|s| (s + 1) % every == 0 || s + 1 == mean.len()).take(POINTS_KEPT);
    Ok(Reach {
        earliest: first(upper),
        expected: first(mean),
        latest: first(lower),
        horizon: at(mean.len().saturating_sub(1)),
        points: kept.map(|s| (at(s), mean[s], lower[s], upper[s])).collect(),
    })
}

/// The first day (counted from 0) at which a running sum of daily costs, from `spent` on, reaches an amount.
pub fn spent_on(spent: Amount, daily: impl IntoIterator<Item = Amount>, amount: Amount) -> Option<usize> {
    let mut sum = spent.0;
    if sum >= amount.0 {
        return Some(0);
    }
    daily.into_iter().position(|cost| {
        sum = sum.saturating_add(cost.0);
        sum >= amount.0
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    #[test]
    fn a_disk_that_fills_is_full_in_an_interval() {
        let points: Vec<f64> = (0..200).map(|h| 100.0 + h as f64 + (h % 3) as f64 * 0.2).collect();
        let found = reach(&points, Timestamp(0), HOUR, 350.0, 24 * 7).unwrap();
        let hour = |t: Option<Timestamp>| t.unwrap().0 / HOUR;
        assert!((235..=265).contains(&hour(found.expected)), "{found:?}");
        assert!(found.earliest <= found.expected);
        assert!(found.latest.is_none() || found.latest >= found.expected);
        assert!(found.points.len() <= POINTS_KEPT && found.points.last().unwrap().0 == found.horizon);
        let calm = reach(&[5.0; 100], Timestamp(0), HOUR, 350.0, 48).unwrap();
        assert_eq!((calm.earliest, calm.expected, calm.latest), (None, None, None));
        assert!(reach(&[1.0], Timestamp(0), HOUR, 2.0, 5).is_err());
    }

    #[test]
    fn a_budget_is_spent_on_a_day() {
        for (spent, expected) in [(0, Some(2)), (15, Some(1)), (30, Some(0)), (-100, None)] {
            assert_eq!(spent_on(Amount(spent), [Amount(10); 5], Amount(30)), expected, "{spent}");
        }
    }
}
