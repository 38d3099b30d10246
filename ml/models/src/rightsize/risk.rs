//! How often a limit may be passed: it follows from the roughness of the usage, the mean change from sample to sample per mean usage.

/// The risk of the roughest series, the roughness at which it is half of that, and how steeply it rises.
const SHARE_MOST: f64 = 0.08;
const SHARE_AT: f64 = 0.1;
const SHARE_POWER: f64 = 1.5;
/// The margin of the smoothest series, and the roughness at which it is half: the quantile of a rough one lies among its bursts already.
const MARGIN_MOST: f64 = 0.074;
const MARGIN_AT: f64 = 0.08;
/// How many times the usual climb from period to period is added, and the roughness at which it is half of that.
const CLIMB: f64 = 3.0;
const CLIMB_AT: f64 = 0.045;
const CLIMB_POWER: i32 = 4;

/// What a limit has above a quantile, and which quantile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Risk {
    /// Share of samples that may be above.
    pub share: f64,
    /// Per quantile.
    pub margin: f64,
    /// In the unit of the usage.
    pub climb: f64,
}

impl Risk {
    /// `samples` are the finite values of `usage`, with their weights.
    pub(super) fn of(usage: &[f64], samples: &[(f64, f64)], period: usize) -> Self {
        let (mut change, mut level, mut weights) = (0.0, 0.0, 0.0);
        for pair in samples.windows(2) {
            let weight = pair[1].1;
            change += weight * (pair[1].0 - pair[0].0).abs();
            level += weight * pair[1].0;
            weights += weight;
        }
        let rough = if weights > 0.0 && level > 0.0 { change / level } else { 0.0 };
        let part = |at: f64| rough / at;
        let steep = part(SHARE_AT).powf(SHARE_POWER);
        Self {
            share: SHARE_MOST * steep / (1.0 + steep),
            margin: MARGIN_MOST / (1.0 + part(MARGIN_AT)),
            climb: CLIMB * climb(usage, period) / (1.0 + part(CLIMB_AT).powi(CLIMB_POWER)),
        }
    }
}

/// By how much the highest usage of a period is above that of the period before, in the mean; no climb counts as zero.
fn climb(usage: &[f64], period: usize) -> f64 {
    let peaks: Vec<f64> = usage
        .rchunks_exact(period)
        .rev()
        .map(|chunk| chunk.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max))
        .collect();
    let climbs = peaks.windows(2).map(|pair| (pair[1] - pair[0]).max(0.0));
    climbs.sum::<f64>() / peaks.len().saturating_sub(1).max(1) as f64
}
