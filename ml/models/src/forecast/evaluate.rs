//! How good forecasts of a series would have been: from several points of its past, what came after compared with what was said.

use super::{Params, forecast};

/// Points of the past that are forecast from.
const ORIGINS_MAX: usize = 10;

/// Means over all origins and steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Origins that were forecast from.
    pub origins: usize,
    /// Symmetric mean absolute percentage error, 0 to 200 (Makridakis et al., 2020).
    pub smape: f64,
    /// Mean absolute error per mean absolute change over a season in the history (Hyndman and Koehler, 2006); `None` where nothing ever changed.
    pub mase: Option<f64>,
    /// Share of values inside their interval, and the share that was asked for.
    pub coverage: f64,
    /// See `coverage`.
    pub level: f64,
    /// The same errors of the last season repeated.
    pub naive_smape: f64,
    /// See `naive_smape`.
    pub naive_mase: Option<f64>,
}

/// Forecasts the last parts of a series, each from what was before it. `None` if the series is too short for one origin, or gaps leave nothing to
/// compare.
pub fn evaluate(points: &[f64], params: &Params) -> Option<Evaluation> {
    let horizon = params.horizon.max(1);
    let (mut origins, mut ours, mut naive, mut inside) = (0, Errors::default(), Errors::default(), 0);
    for k in 1..=ORIGINS_MAX {
        // A third of the series is history in any case.
        let Some(cut) = points.len().checked_sub(k * horizon).filter(|cut| *cut >= points.len() / 3) else { break };
        let (past, future) = (&points[..cut], &points[cut..cut + horizon]);
        let Ok(answer) = forecast(past, params) else { break };
        let season = params.season.filter(|s| *s > 1 && *s < cut).or(answer.seasons.first().copied()).unwrap_or(1);
        let filled = super::season::fill(past, Some(season));
        let Some(last) = filled.len().checked_sub(season) else { break };
        let changes = filled.iter().zip(&filled[season..]).map(|(a, b)| (a - b).abs());
        let scale = changes.sum::<f64>() / (filled.len() - season).max(1) as f64;
        origins += 1;
        for (step, truth) in future.iter().enumerate().filter(|(_, v)| v.is_finite()) {
            ours.add(*truth, answer.mean[step], scale);
            naive.add(*truth, filled[last + step % season], scale);
            inside += usize::from(answer.lower[step] <= *truth && *truth <= answer.upper[step]);
        }
    }
    (ours.count > 0).then(|| Evaluation {
        origins,
        smape: ours.smape(),
        mase: ours.mase(),
        coverage: inside as f64 / ours.count as f64,
        level: params.level,
        naive_smape: naive.smape(),
        naive_mase: naive.mase(),
    })
}

#[derive(Default)]
struct Errors {
    count: usize,
    symmetric: f64,
    scaled: f64,
    scaled_count: usize,
}

impl Errors {
    fn add(&mut self, truth: f64, said: f64, scale: f64) {
        self.count += 1;
        let size = truth.abs() + said.abs();
        if size > 0.0 {
            self.symmetric += 200.0 * (truth - said).abs() / size;
        }
        if scale > 0.0 {
            self.scaled += (truth - said).abs() / scale;
            self.scaled_count += 1;
        }
    }

    fn smape(&self) -> f64 {
        self.symmetric / self.count.max(1) as f64
    }

    fn mase(&self) -> Option<f64> {
        (self.scaled_count > 0).then(|| self.scaled / self.scaled_count as f64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_season_is_forecast_and_noise_is_covered() {
        let params = Params { horizon: 24, season: Some(24), level: 0.9 };
        let wave = |i: usize| 100.0 + 10.0 * (std::f64::consts::TAU * i as f64 / 24.0).sin();
        let exact: Vec<f64> = (0..24 * 20).map(wave).collect();
        let found = evaluate(&exact, &params).unwrap();
        assert_eq!(found.origins, 10);
        assert!(found.smape < 0.1 && found.naive_smape < 1e-6, "{found:?}");
        let mut rng = crate::rng::Rng::new(3);
        let noisy: Vec<f64> = exact.iter().map(|v| v + 6.0 * rng.unit()).collect();
        let found = evaluate(&noisy, &params).unwrap();
        assert!(found.mase.unwrap() < found.naive_mase.unwrap(), "{found:?}");
        assert!((0.8..=1.0).contains(&found.coverage), "{found:?}");
    }

    #[test]
    fn too_short_is_no_answer() {
        let params = Params { horizon: 24, season: None, level: 0.95 };
        assert_eq!(evaluate(&[1.0; 20], &params), None);
        assert_eq!(evaluate(&[f64::NAN; 200], &params), None);
        let still = evaluate(&[5.0; 200], &params).unwrap();
        assert_eq!((still.mase, still.smape), (None, 0.0));
    }
}
