//! Forecasts of one series: a few models that fail in different ways, weighted by how each did on the series' own past.
//!
//! Reading order: [`forecast`] (the whole of it) -> `season` (which periods the series has) -> `candidate` (the models: `naive`,
//! `smooth`, `lags`, `decompose`) -> `backtest` (rolling origins, weights) -> `interval` (what the past errors say about the next);
//! [`evaluate`] says how good it all would have been.
//!
//! Combining beats choosing: the mean of several forecasts has beaten the best single one since Bates and Granger (1969), and in the M4
//! competition (Makridakis et al., 2020) twelve of the seventeen most accurate methods were combinations.

pub(crate) mod season;
mod candidate;
mod naive;
mod smooth;
mod lags;
mod decompose;
mod backtest;
mod interval;
mod evaluate;

pub use evaluate::{Evaluation, evaluate};

use crate::series::NotEnoughData;

/// Fewest known points of a series that is forecast.
pub const POINTS_MIN: usize = 8;
/// Furthest step that is forecast.
pub const HORIZON_MAX: usize = 10_000;
/// Points of the past that are looked at: more say nothing new about the next ones, and cost time.
pub const HISTORY_MAX: usize = 4_096;
/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 1;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// How many steps ahead, at least 1; at most [`HORIZON_MAX`] are answered.
    pub horizon: usize,
    /// Points of the season that the caller knows of (24 for hours of a day), or `None` to look for seasons. Longer seasons (a week of such days)
    /// are looked for in any case.
    pub season: Option<usize>,
    /// Share of the future values that the interval is to hold, such as 0.95. Kept within 0.5 and 0.999.
    pub level: f64,
}

/// One forecast. The three lists have one number per step.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The expected values.
    pub mean: Vec<f64>,
    /// Lower bounds of the interval.
    pub lower: Vec<f64>,
    /// Upper bounds.
    pub upper: Vec<f64>,
    /// The seasons that were used, in points, shortest first.
    pub seasons: Vec<usize>,
    /// The models with their weights, which sum to 1; those of weight 0 are left out.
    pub models: Vec<(&'static str, f64)>,
}

/// Forecasts the values after the last point. Points are evenly spaced; NaN is a gap, and gaps are filled: inside by the value one season
/// before if there is one, else on the line between the neighbours; at the ends they are cut off.
pub fn forecast(points: &[f64], params: &Params) -> Result<Forecast, NotEnoughData> {
    let horizon = params.horizon.clamp(1, HORIZON_MAX);
    let level = if params.level.is_finite() { params.level.clamp(0.5, 0.999) } else { 0.95 };
    let known = points.iter().filter(|v| v.is_finite()).count();
    if known < POINTS_MIN {
        return Err(NotEnoughData { have: known, need: POINTS_MIN });
    }
    let values = season::fill(points, params.season);
    // Half of it filled in is no history.
    if values.len() > 2 * known {
        return Err(NotEnoughData { have: known, need: values.len().div_ceil(2) });
    }
    let values = &values[values.len().saturating_sub(HISTORY_MAX)..];
    let scale = Scale::of(values);
    let scaled: Vec<f64> = values.iter().map(|v| scale.down(*v)).collect();

    let seasons = season::find(&scaled, params.season);
    let candidates = candidate::all(&seasons);
    let past = backtest::run(&scaled, &candidates, horizon, seasons.first().copied().unwrap_or(1));
    let now = candidate::answers(&candidates, &scaled, horizon);
    let mean = backtest::combine(&now, &past.weights, horizon);
    let half = interval::half_widths(&past.errors, &scaled, horizon, level);

    // What was never below zero is a quantity, and stays one.
    let floor = if values.iter().all(|v| *v >= 0.0) { 0.0 } else { f64::NEG_INFINITY };
    let up = |v: f64| scale.up(v).max(floor);
    Ok(Forecast {
        lower: mean.iter().zip(&half).map(|(m, w)| up(m - w)).collect(),
        upper: mean.iter().zip(&half).map(|(m, w)| up(m + w)).collect(),
        mean: mean.into_iter().map(up).collect(),
        seasons,
        models: candidates.iter().zip(past.weights).filter(|(_, w)| *w > 0.0).map(|(c, w)| (c.name(), w)).collect(),
    })
}

/// Models work on numbers around 0 of size 1.
#[derive(Debug, Clone, Copy)]
struct Scale {
    middle: f64,
    size: f64,
}

impl Scale {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        // Divided before they are summed: the largest numbers must not overflow.
        let middle = values.iter().map(|v| v / n).sum::<f64>();
        let size = values.iter().map(|v| (v - middle).abs() / n).sum::<f64>();
        Self { middle, size: if size.is_normal() { size } else { 1.0 } }
    }

    fn down(self, value: f64) -> f64 {
        (value - self.middle) / self.size
    }

    fn up(self, value: f64) -> f64 {
        value * self.size + self.middle
    }
}

#[cfg(test)]
mod tests;
