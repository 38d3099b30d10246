//! Anomalies of one series as its points come: several simple detectors, each looking at something else, weighed together. One configuration
//! for every series.
//!
//! Reading order: [`Detector::push`] (the whole of it) -> `moving` (means and deviations that fade), `season` (what is usual at this time of
//! day), `shape` (the last points as a figure, against figures seen before), `onset` (when scores become an event);
//! [`inject`] says what would be found.
//!
//! Simple statistics together do as well as anything on real series (Paparrizos et al., TSB-AD, NeurIPS 2024; Wu and Keogh, TKDE 2021). That an event
//! is reported once, at its start, and what follows is part of it, is what the Numenta benchmark (Lavin and Ahmad, 2015) rewards and people want.

mod moving;
mod season;
mod shape;
mod onset;
pub mod inject;

use grid_model::Timestamp;

use moving::{Moving, Window};
use onset::Onset;
use season::Season;
use shape::Shapes;

/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 1;

/// Points after which a value is remembered by half.
const HALF_LIFE: f64 = 500.0;
/// The same for the mean of the last few points.
const HALF_LIFE_SHORT: f64 = 200.0;
/// Points of the short mean, and of the deviation that is watched for calm and for noise.
const MEAN_POINTS: usize = 5;
const DEVIATION_POINTS: usize = 12;
/// No single detector says more than so many times its own threshold: one of them may be wrong.
const LOUDEST: f64 = 2.0;
/// How much of the first sign of an event comes from season and extremes, which see it earliest.
const EARLY: f64 = 0.12;
/// Values beyond this are taken for this.
const LARGEST: f64 = 1e150;
const LARGEST_SCALED: f64 = 1e6;
/// Points that a series must have before it is judged.
pub const POINTS_MIN: usize = 30;

/// Deviations at which each detector by itself would call an event, in its own measure.
const SEASON_AT: f64 = 7.7;
const VALUE_AT: f64 = 7.0;
const MEAN_AT: f64 = 4.0;
const CHANGE_AT: f64 = 7.0;
const SHAPE_AT: f64 = 4.0;
const DEVIATION_AT: f64 = 4.0;
const EXTREME_AT: f64 = 0.3;

/// How much a series may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// At most 4 KB a series, well below a microsecond a point.
    Cheap,
    /// With figures of the past to compare with: about 64 KB a series and some microseconds a point.
    Thorough,
}

/// What is known about a point, from it and those before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Below 1 as part of what was known or usual, above 1 as the start of an event; the more, the stranger. Never negative.
    pub score: f64,
    /// What was expected, and the usual range around it.
    pub expected: f64,
    /// Lower end of the range.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// Whether an event starts here.
    pub anomaly: bool,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    seen: usize,
    before: Option<f64>,
    /// Mean absolute distance from the mean of all: what counts as nothing.
    size: Size,
    value: Moving,
    change: Moving,
    mean: Window,
    mean_of: Moving,
    deviation: Window,
    deviation_of: Moving,
    extremes: Option<(f64, f64)>,
    season: Season,
    shapes: Option<Shapes>,
    onset: Onset,
}

/// Running mean, and mean distance from it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Size {
    mean: f64,
    distance: f64,
}

impl Detector {
    /// Of a series without points.
    pub fn new(tier: Tier) -> Self {
        Self {
            seen: 0,
            before: None,
            size: Size::default(),
            value: Moving::new(HALF_LIFE),
            change: Moving::new(HALF_LIFE),
            mean: Window::new(MEAN_POINTS),
            mean_of: Moving::new(HALF_LIFE_SHORT),
            deviation: Window::new(DEVIATION_POINTS),
            deviation_of: Moving::new(HALF_LIFE),
            extremes: None,
            season: Season::default(),
            shapes: (tier == Tier::Thorough).then(Shapes::default),
            onset: Onset::default(),
        }
    }

    /// Judges the next point and learns from it. What is not finite is a gap: it is not judged and nothing is learnt from it.
    pub fn push(&mut self, time: Timestamp, value: f64) -> Verdict {
        if !value.is_finite() {
            let (expected, spread) = self.usual(time);
            return Verdict {
                score: 0.0,
                expected,
                lower: expected - spread,
                upper: expected + spread,
                anomaly: false,
            };
        }
        // Squares of larger numbers are no numbers any more.
        let value = value.clamp(-LARGEST, LARGEST);
        let (expected, spread) = self.usual(time);
        self.seen += 1;
        let n = self.seen as f64;
        let apart = value - self.size.mean;
        self.size.mean += apart / n;
        self.size.distance += (apart.abs() - self.size.distance) / n;
        let size = self.size.distance + 1e-12;
        // Deviations are measured in units that never become nothing.
        let floor = 1e-3 * size;

        let of_season = self.season.push(time, value, floor);
        let of_extreme = self.beyond(value, size);
        let of_value = self.value.push(value, floor);
        let of_change = self.change.push(value - self.before.unwrap_or(value), floor);
        self.mean.push(value);
        let of_mean = self.mean_of.push(self.mean.mean(), floor);
        self.deviation.push(value);
        let of_deviation = self.deviation_of.push((self.deviation.deviation() + 0.05 * size).ln(), 1e-3);
        let of_shape =
            self.shapes.as_mut().map(|shapes| shapes.push((value / size).clamp(-LARGEST_SCALED, LARGEST_SCALED)));
        self.before = Some(value);

        let loud = |score: f64, at: f64| (score / at).clamp(0.0, LOUDEST);
        let parts = [
            Some(loud(of_season, SEASON_AT)),
            Some(loud(of_value, VALUE_AT)),
            Some(loud(of_mean, MEAN_AT)),
            Some(loud(of_change, CHANGE_AT)),
            Some(loud(of_deviation, DEVIATION_AT)),
            of_shape.map(|score| loud(score, SHAPE_AT)),
        ];
        let (sum, count) = parts.into_iter().flatten().fold((0.0, 0.0), |(sum, count), part| (sum + part, count + 1.0));
        let all = sum / count;
        let early = (of_season / SEASON_AT).max(of_extreme / EXTREME_AT).clamp(0.0, 1.5 * LOUDEST);
        let sign = (all + EARLY * early) / (1.0 + EARLY);
        let (score, anomaly) =
            if self.seen <= POINTS_MIN { (0.0, false) } else { self.onset.judge(self.seen, all, sign) };
        Verdict { score, expected, lower: expected - spread, upper: expected + spread, anomaly }
    }

    /// What is expected at a time, and how far usual values are from it.
    fn usual(&self, time: Timestamp) -> (f64, f64) {
        const DEVIATIONS: f64 = 3.0;
        match self.season.expected(time) {
            Some((mean, deviation)) => (mean, DEVIATIONS * deviation),
            None => (self.value.mean(), DEVIATIONS * self.value.deviation()),
        }
    }

    /// How far a value lies outside of all before it.
    fn beyond(&mut self, value: f64, size: f64) -> f64 {
        const JUDGED_FROM: usize = 20;
        let (low, high) = self.extremes.unwrap_or((value, value));
        self.extremes = Some((low.min(value), high.max(value)));
        if self.seen <= JUDGED_FROM { 0.0 } else { (value - high).max(low - value).max(0.0) / size }
    }
}

#[cfg(test)]
mod tests;
