//! Evenly spaced numbers with explicit gaps.

use grid_model::{TimeRange, Timestamp};

/// Most points of a series: a year of minutes, twice.
pub const POINTS_MAX: usize = 2 * 366 * 1440;

/// Numbers at `start`, `start + step`, ...; a point without a number is a gap. Numbers are finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    start: Timestamp,
    step_ns: i64,
    /// NaN is a gap; infinities do not occur.
    values: Vec<f64>,
}

/// There is too little data for an answer. Not an error: a caller shows it and tries again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{have} points are there, {need} are needed")]
pub struct NotEnoughData {
    /// Points that are there, gaps left out.
    pub have: usize,
    /// Points that the model needs.
    pub need: usize,
}

/// A step or range that makes no series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadStep {
    /// The step is zero or negative.
    #[error("a step of {0} ns is not positive")]
    NotPositive(i64),
    /// More than [`POINTS_MAX`] points.
    #[error("{0} points are more than {POINTS_MAX}")]
    TooMany(u128),
}

impl Series {
    /// From one number or gap per step. What is not finite becomes a gap: no model could use it.
    pub fn new(start: Timestamp, step_ns: i64, points: impl IntoIterator<Item = Option<f64>>) -> Result<Self, BadStep> {
        if step_ns <= 0 {
            return Err(BadStep::NotPositive(step_ns));
        }
        let finite = |p: Option<f64>| p.filter(|v| v.is_finite()).unwrap_or(f64::NAN);
        let values: Vec<f64> = points.into_iter().take(POINTS_MAX + 1).map(finite).collect();
        if values.len() > POINTS_MAX {
            return Err(BadStep::TooMany(values.len() as u128));
        }
        Ok(Self { start, step_ns, values })
    }

    /// From samples at any times and in any order: each point is the mean of the finite samples of its step, a step
    /// without any is a gap, samples outside the range do not count.
    pub fn of_samples(range: TimeRange, step_ns: i64, samples: &[(Timestamp, f64)]) -> Result<Self, BadStep> {
        if step_ns <= 0 {
            return Err(BadStep::NotPositive(step_ns));
        }
        let length = (i128::from(range.end.0) - i128::from(range.start.0)).max(0).unsigned_abs();
        let points = length.div_ceil(step_ns.unsigned_abs().into());
        if points > POINTS_MAX as u128 {
            return Err(BadStep::TooMany(points));
        }
        let mut sums = vec![(0.0, 0_u32); points as usize];
        for (time, value) in samples.iter().filter(|(t, v)| range.contains(*t) && v.is_finite()) {
            let at = (i128::from(time.0) - i128::from(range.start.0)) / i128::from(step_ns);
            if let Some((sum, count)) = sums.get_mut(at as usize) {
                *sum += value;
                *count += 1;
            }
        }
        let mean = |(sum, count): (f64, u32)| (count > 0).then(|| sum / f64::from(count));
        Self::new(range.start, step_ns, sums.into_iter().map(mean))
    }

    /// Points, gaps included.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no point at all.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Nanoseconds between two points.
    pub fn step_ns(&self) -> i64 {
        self.step_ns
    }

    /// Time of a point, also beyond the end (for forecasts).
    pub fn time(&self, point: usize) -> Timestamp {
        let offset = i64::try_from(point).unwrap_or(i64::MAX).saturating_mul(self.step_ns);
        self.start.saturating_add(offset)
    }

    /// The number at a point; `None` for a gap and beyond the end.
    pub fn get(&self, point: usize) -> Option<f64> {
        self.values.get(point).copied().filter(|v| !v.is_nan())
    }

    /// Every point in order, gaps as `None`.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<f64>> {
        self.values.iter().map(|v| (!v.is_nan()).then_some(*v))
    }

    /// The numbers without the gaps.
    pub fn known(&self) -> impl Iterator<Item = f64> {
        self.iter().flatten()
    }

    /// Answers whether at least `need` numbers are there.
    pub fn require(&self, need: usize) -> Result<(), NotEnoughData> {
        let have = self.known().count();
        if have < need { Err(NotEnoughData { have, need }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn samples_fall_into_their_steps_and_what_is_missing_stays_missing() {
        let range = TimeRange { start: Timestamp(100), end: Timestamp(145) };
        let samples =
            [(138, 4.0), (100, 1.0), (109, 3.0), (99, 9.0), (145, 9.0), (121, f64::NAN), (122, f64::INFINITY)];
        let samples: Vec<_> = samples.map(|(t, v)| (Timestamp(t), v)).to_vec();
        let series = Series::of_samples(range, 10, &samples).unwrap();
        assert_eq!(series.iter().collect::<Vec<_>>(), [Some(2.0), None, None, Some(4.0), None]);
        assert_eq!(series.time(3), Timestamp(130));
        assert_eq!(series.require(3), Err(NotEnoughData { have: 2, need: 3 }));
        assert_eq!(series.require(2), Ok(()));
    }

    #[test]
    fn steps_are_positive_and_points_bounded() {
        assert_eq!(Series::of_samples(TimeRange::ALL, 0, &[]), Err(BadStep::NotPositive(0)));
        assert!(matches!(Series::of_samples(TimeRange::ALL, 1, &[]), Err(BadStep::TooMany(_))));
        assert!(matches!(Series::new(Timestamp(0), 1, std::iter::repeat(None)), Err(BadStep::TooMany(_))));
        let backwards = TimeRange { start: Timestamp(5), end: Timestamp(0) };
        assert!(Series::of_samples(backwards, 1, &[]).unwrap().is_empty());
    }
}
