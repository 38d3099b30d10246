//! Whether one thing follows another: a straight line from what drives to what is used, judged on hours that it has not seen.

use linfa::Dataset;
use linfa::prelude::{Fit, Predict};
use linfa_linear::LinearRegression;
use ndarray::{Array1, Array2, Axis};

use super::HOURS_MIN;
use crate::series::NotEnoughData;

/// How a use follows its driver.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Follow {
    /// Share of the variance that the driver explains on the last third of the hours, by a line of the first two thirds. At most 1; 0 or less: nothing.
    pub share: f64,
    /// What is used while nothing drives, by the line of all hours.
    pub base: f64,
    /// What one more of the driver uses.
    pub slope: f64,
    /// Hours in which both are known.
    pub hours: usize,
}

/// Compares a use with what may drive it, hour by hour; hours in which one of them is not finite do not count.
///
/// # Errors
/// [`NotEnoughData`] for fewer than [`HOURS_MIN`] common hours, or if one of both never changes.
pub fn follow(used: &[f64], driver: &[f64]) -> Result<Follow, NotEnoughData> {
    let both = used.iter().zip(driver).filter(|(u, d)| u.is_finite() && d.is_finite());
    let (used, driver): (Vec<f64>, Vec<f64>) = both.unzip();
    let hours = used.len();
    let known = hours - hours / 3;
    let nothing = NotEnoughData { have: hours, need: HOURS_MIN.max(hours + 1) };
    if hours < HOURS_MIN || is_flat(&used[..known]) || is_flat(&driver[..known]) {
        return Err(nothing);
    }
    let unit = driver.iter().map(|d| d.abs()).fold(0.0, f64::max);
    let scaled: Vec<f64> = driver.iter().map(|d| d / unit).collect();
    let early = Line::of(&scaled[..known], &used[..known]).ok_or(nothing)?;
    let mean = used[..known].iter().sum::<f64>() / known as f64;
    let later = Array2::from_shape_fn((hours - known, 1), |(i, _)| scaled[known + i]);
    let foreseen: Array1<f64> = early.model.predict(&later);
    let squares = |of: &dyn Fn(usize) -> f64| (known..hours).map(|i| (used[i] - of(i)).powi(2)).sum::<f64>();
    let (left, all) = (squares(&|i| foreseen[i - known]), squares(&|_| mean));
    let share = if all > 0.0 { 1.0 - left / all } else { 0.0 };
    let whole = Line::of(&scaled, &used).ok_or(nothing)?;
    Ok(Follow { share, base: whole.base, slope: whole.slope / unit, hours })
}

struct Line {
    model: linfa_linear::FittedLinearRegression<f64>,
    base: f64,
    slope: f64,
}

impl Line {
    fn of(driver: &[f64], used: &[f64]) -> Option<Self> {
        let data = Dataset::new(Array1::from(driver.to_vec()).insert_axis(Axis(1)), Array1::from(used.to_vec()));
        let model = LinearRegression::new().fit(&data).ok()?;
        let (base, slope) = (model.intercept(), *model.params().first()?);
        (base.is_finite() && slope.is_finite()).then_some(Self { model, base, slope })
    }
}

fn is_flat(values: &[f64]) -> bool {
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    high - low <= 1e-9 * high.abs().max(low.abs())
}
