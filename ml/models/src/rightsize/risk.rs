//! How often a limit may be passed, and what it has above a quantile: both follow from the roughness of the usage, its usual change from sample to
//! sample per mean usage. The usual change is a median: a series that is smooth but for a few leaps is a smooth one.

/// Minutes after which usage counts half where roughness is measured.
pub(super) const ROUGHNESS_HALF_LIFE_MINUTES: f64 = 200.0;
/// Mean changes per median change, as a rule.
const MEAN_PER_MEDIAN: f64 = 1.5;
/// The risk of the roughest series, the roughness at which it is half of that, and how steeply it rises.
const SHARE_MOST: f64 = 0.095;
const SHARE_AT: f64 = 0.1;
const SHARE_POWER: f64 = 0.57;
/// The margin of the smoothest series, and the roughness at which it is half: the quantile of a rough one lies among its bursts already.
const MARGIN_MOST: f64 = 0.065;
const MARGIN_AT: f64 = 0.5;
/// How many times the usual climb from period to period is added, and the roughness at which it is half of that.
const CLIMB: f64 = 1.7;
const CLIMB_AT: f64 = 0.2;
/// Minutes after which usage of the roughest and of the smoothest series counts half, and the roughness between.
const HALF_LIFE_ROUGH: f64 = 40.0;
const HALF_LIFE_SMOOTH: f64 = 240.0;
const HALF_LIFE_AT: f64 = 0.0075;
/// How many times as much as limits were passed by is added to the next one, at most how much, and the roughness at which it is half of that.
const PASSED: f64 = 5.0;
const PASSED_MOST: f64 = 0.6;
const PASSED_AT: f64 = 0.0085;

/// What a limit has above a quantile, and which quantile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Risk {
    /// Share of samples that may be above.
    pub share: f64,
    /// Per quantile.
    pub margin: f64,
    /// In the unit of the usage.
    pub climb: f64,
    /// After how many minutes usage counts half.
    pub half_life_minutes: f64,
    /// What a limit passed by 1 makes of the next, up to [`PASSED_MOST`].
    passed: f64,
}

/// From 1 at 0 to 0, half at `at`.
fn falling(rough: f64, at: f64, power: i32) -> f64 {
    1.0 / (1.0 + (rough / at).powi(power))
}

impl Risk {
    /// `samples` are the finite values of `usage`, with their weights.
    pub(super) fn of(usage: &[f64], samples: &[(f64, f64)], period: usize) -> Self {
        let rough = roughness(samples);
        let steep = (rough / SHARE_AT).powf(SHARE_POWER);
        Self {
            share: SHARE_MOST * steep / (1.0 + steep),
            margin: MARGIN_MOST * falling(rough, MARGIN_AT, 1),
            climb: CLIMB * climb(usage, period) * falling(rough, CLIMB_AT, 4),
            half_life_minutes: HALF_LIFE_ROUGH + (HALF_LIFE_SMOOTH - HALF_LIFE_ROUGH) * falling(rough, HALF_LIFE_AT, 2),
            passed: PASSED * falling(rough, PASSED_AT, 4),
        }
    }

    /// What is added to a limit, per limit, if limits before were passed by `passed`.
    pub(super) fn more(&self, passed: f64) -> f64 {
        (self.passed * passed).min(PASSED_MOST)
    }
}

fn roughness(samples: &[(f64, f64)]) -> f64 {
    let (mut level, mut weights) = (0.0, 0.0);
    let mut changes = Vec::with_capacity(samples.len());
    for pair in samples.windows(2) {
        let weight = pair[1].1;
        changes.push(((pair[1].0 - pair[0].0).abs(), weight));
        level += weight * pair[1].0;
        weights += weight;
    }
    match quantile(&mut changes, 0.5) {
        Some(change) if level > 0.0 => MEAN_PER_MEDIAN * change * weights / level,
        _ => 0.0,
    }
}

/// The least value that has at least this share of all weight at or below it; `None` without values. Sorts what it is given.
pub(super) fn quantile(weighted: &mut [(f64, f64)], share: f64) -> Option<f64> {
    weighted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = share * weighted.iter().map(|s| s.1).sum::<f64>();
    let mut below = 0.0;
    let found = weighted.iter().find(|(_, weight)| {
        below += weight;
        below >= wanted
    });
    // Rounding may leave the sum a little below what is wanted: then it is the largest.
    found.or(weighted.last()).map(|s| s.0)
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
