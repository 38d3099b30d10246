//! How each model did on the series' own past, and what that makes of their forecasts.

use super::candidate::{Candidate, answers};

/// Origins from which the past is forecast.
const ORIGINS: usize = 6;
/// A model with twice the error has 2^-POWER of the weight.
const POWER: i32 = 4;
/// The least error that counts: below it models are equally good.
const ERROR_MIN: f64 = 1e-9;

/// What the backtest found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Past {
    /// One weight per model; they sum to 1.
    pub weights: Vec<f64>,
    /// Errors of the weighted forecast, per origin and step.
    pub errors: Vec<Vec<f64>>,
}

/// Forecasts the last points from origins before them, about a season apart. With too little history all that can answer weigh the same.
pub(super) fn run(values: &[f64], candidates: &[Candidate], horizon: usize, season: usize) -> Past {
    let n = values.len();
    // What is left as history must say more than what is forecast from it.
    let tail = horizon.min(n / 3);
    let apart = season.min(n / 12).max(horizon.min(n / 3).div_ceil(3)).max(1);
    let mut seen: Vec<(usize, Vec<Option<Vec<f64>>>)> = Vec::with_capacity(ORIGINS);
    for origin in 0..ORIGINS {
        let Some(cut) = n.checked_sub(tail + origin * apart).filter(|cut| *cut >= 5.max(n / 3)) else { break };
        seen.push((cut, answers(candidates, &values[..cut], tail)));
    }
    let mut totals = vec![0.0; candidates.len()];
    for (cut, answers) in &seen {
        let truth = &values[*cut..*cut + tail];
        for (total, answer) in totals.iter_mut().zip(answers) {
            *total += answer.as_ref().map_or(f64::INFINITY, |steps| {
                steps.iter().zip(truth).map(|(f, t)| (f - t).abs()).sum::<f64>() / tail as f64
            });
        }
    }
    let best = totals.iter().copied().fold(f64::INFINITY, f64::min);
    let raw: Vec<f64> = totals
        .iter()
        .map(|total| if total.is_finite() { ((best + ERROR_MIN) / (total + ERROR_MIN)).powi(POWER) } else { 0.0 })
        .collect();
    let sum: f64 = raw.iter().sum();
    let weights: Vec<f64> =
        if sum > 0.0 { raw.iter().map(|w| w / sum).collect() } else { vec![1.0 / raw.len() as f64; raw.len()] };
    let errors = seen
        .iter()
        .map(|(cut, answers)| {
            let steps = combine(answers, &weights, tail);
            steps.iter().zip(&values[*cut..]).map(|(f, t)| t - f).collect()
        })
        .collect();
    Past { weights, errors }
}

/// The weighted mean of those that answered; if none did that has weight, of all that did.
pub(super) fn combine(answers: &[Option<Vec<f64>>], weights: &[f64], horizon: usize) -> Vec<f64> {
    let weighed = |even: bool| {
        let mut out = vec![0.0; horizon];
        let mut sum = 0.0;
        for (answer, weight) in answers.iter().zip(weights) {
            let weight = if even { 1.0 } else { *weight };
            if let Some(steps) = answer.as_ref().filter(|_| weight > 0.0) {
                sum += weight;
                out.iter_mut().zip(steps).for_each(|(o, s)| *o += weight * s);
            }
        }
        (sum > 0.0).then(|| out.iter().map(|o| o / sum).collect::<Vec<f64>>())
    };
    weighed(false).or_else(|| weighed(true)).unwrap_or_else(|| vec![0.0; horizon])
}
