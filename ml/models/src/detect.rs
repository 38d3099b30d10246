//! Anomalies of one series as its points come: several simple detectors, each looking at something else, weighed together. One configuration
//! for every series.
//!
//! Reading order: [`Detector::push`] (the whole of it) -> `moving` (means and deviations that fade), `season` (what is usual at this time of
//! day), `week` (what was there at this time on the last days), `shape` (the last points as a figure, against figures seen before), `onset`
//! (when scores become an event) -> `state` (checkpoints); [`inject`] says what would be found.
//!
//! Simple statistics together do as well as anything on real series (Paparrizos et al., TSB-AD, NeurIPS 2024; Wu and Keogh, TKDE 2021). That an event
//! is reported once, at its start, and what follows is part of it, is what the Numenta benchmark (Lavin and Ahmad, 2015) rewards and people want.

mod moving;
mod season;
mod week;
mod shape;
mod onset;
mod state;
pub mod inject;

use grid_model::Timestamp;

use moving::{Moving, Window};
use onset::Onset;
use season::Season;
use shape::Shapes;
pub use state::Bad;
use state::{Reader, Writer};
use week::Week;

/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 3;

/// Points of the short mean, and of the deviation that is watched for calm and for noise.
const MEAN_POINTS: usize = 5;
const DEVIATION_POINTS: usize = 12;
/// No single detector says more than so many times its own threshold: one of them may be wrong.
const LOUDEST: f64 = 2.2;
/// How much of the first sign of an event comes from season and extremes, which see it earliest.
const EARLY: f64 = 0.11;
/// Values beyond this are taken for this.
const LARGEST: f64 = 1e150;
const LARGEST_SCALED: f64 = 1e6;
/// Points that a series must have before it is judged.
pub const POINTS_MIN: usize = 30;

/// One of the detectors: how it looks back and how it is heard.
struct Part {
    /// Points after which what it measures is remembered by half.
    half_life: f64,
    /// Deviations beyond which a measure is drawn in before it is learnt.
    wild: f64,
    /// Deviations at which it would call an event by itself.
    at: f64,
    /// Its weight among the others.
    weight: f64,
}

const SEASON: Part = Part { half_life: 1400.0, wild: 6.5, at: 6.5, weight: 0.7 };
const WEEK: Part = Part { half_life: 1400.0, wild: 9.0, at: 8.0, weight: 2.0 };
const VALUE: Part = Part { half_life: 1400.0, wild: 10.0, at: 7.0, weight: 1.25 };
const MEAN: Part = Part { half_life: 170.0, wild: 2.2, at: 3.6, weight: 1.2 };
const CHANGE: Part = Part { half_life: 1400.0, wild: 3.6, at: 5.0, weight: 1.4 };
const DEVIATION: Part = Part { half_life: 1400.0, wild: 7.0, at: 5.5, weight: 0.7 };
const SHAPE: Part = Part { half_life: 1000.0, wild: 1.8, at: 4.0, weight: 0.75 };
/// The same for how far a value lies beyond all before it, in mean distances.
const EXTREME_AT: f64 = 0.3;

impl Part {
    fn moving(&self) -> Moving {
        Moving::new(self.half_life, self.wild)
    }

    /// What it says, with its weight.
    fn says(&self, away: f64) -> (f64, f64) {
        (self.weight * (away / self.at).clamp(0.0, LOUDEST), self.weight)
    }
}

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
    week: Week,
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
            value: VALUE.moving(),
            change: CHANGE.moving(),
            mean: Window::new(MEAN_POINTS),
            mean_of: MEAN.moving(),
            deviation: Window::new(DEVIATION_POINTS),
            deviation_of: DEVIATION.moving(),
            extremes: None,
            season: Season::new(SEASON.moving()),
            week: Week::new(WEEK.moving()),
            shapes: (tier == Tier::Thorough).then(|| Shapes::new(SHAPE.moving())),
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
        let of_week = self.week.push(time, value, floor);
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

        let parts = [
            Some(SEASON.says(of_season)),
            Some(WEEK.says(of_week)),
            Some(VALUE.says(of_value)),
            Some(MEAN.says(of_mean)),
            Some(CHANGE.says(of_change)),
            Some(DEVIATION.says(of_deviation)),
            of_shape.map(|away| SHAPE.says(away)),
        ];
        let (sum, weights) = parts
            .into_iter()
            .flatten()
            .fold((0.0, 0.0), |(sum, weights), (says, weight)| (sum + says, weights + weight));
        let all = sum / weights;
        let early = (of_season / SEASON.at).max(of_extreme / EXTREME_AT).clamp(0.0, 1.5 * LOUDEST);
        let sign = (all + EARLY * early) / (1.0 + EARLY);
        let (score, anomaly) =
            if self.seen <= POINTS_MIN { (0.0, false) } else { self.onset.judge(self.seen, time, all, sign) };
        Verdict { score, expected, lower: expected - spread, upper: expected + spread, anomaly }
    }

    /// Bytes in memory, at most.
    pub fn bytes(&self) -> usize {
        let parts = [self.mean.bytes(), self.deviation.bytes(), self.season.bytes(), self.week.bytes()];
        size_of::<Self>() + parts.iter().sum::<usize>() + self.shapes.as_ref().map_or(0, Shapes::bytes)
    }

    /// All it knows, as bytes for [`Self::restore`].
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(u8::from(self.shapes.is_some()));
        to.u64(self.seen as u64);
        to.option(self.before.as_ref(), |to, v| to.f64(*v));
        to.f64(self.size.mean);
        to.f64(self.size.distance);
        to.option(self.extremes.as_ref(), |to, (low, high)| {
            to.f64(*low);
            to.f64(*high);
        });
        for moving in [&self.value, &self.change, &self.mean_of, &self.deviation_of] {
            moving.save(&mut to);
        }
        self.mean.save(&mut to);
        self.deviation.save(&mut to);
        self.season.save(&mut to);
        self.week.save(&mut to);
        if let Some(shapes) = &self.shapes {
            shapes.save(&mut to);
        }
        self.onset.save(&mut to);
        to.finish()
    }

    /// The detector of a checkpoint: from here on it says what the other would, to the last bit.
    ///
    /// # Errors
    /// [`Bad`] for bytes that are no checkpoint of this version.
    pub fn restore(bytes: &[u8]) -> Result<Self, Bad> {
        let mut from = Reader::new(bytes)?;
        let tier = match from.u8()? {
            0 => Tier::Cheap,
            1 => Tier::Thorough,
            _ => return Err(Bad::Impossible),
        };
        let mut out = Self::new(tier);
        out.seen = from.count()?;
        out.before = from.option(Reader::f64)?;
        out.size = Size { mean: from.f64()?, distance: from.f64()? };
        out.extremes = from.option(|from| Ok((from.f64()?, from.f64()?)))?;
        for moving in [&mut out.value, &mut out.change, &mut out.mean_of, &mut out.deviation_of] {
            moving.load(&mut from)?;
        }
        out.mean.load(&mut from)?;
        out.deviation.load(&mut from)?;
        out.season.load(&mut from)?;
        out.week.load(&mut from)?;
        if let Some(shapes) = &mut out.shapes {
            shapes.load(&mut from)?;
        }
        out.onset.load(&mut from, out.seen)?;
        from.finish()?;
        Ok(out)
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
