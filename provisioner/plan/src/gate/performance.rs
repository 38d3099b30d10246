//! Performance after a change against before it. Neither side is taken for granted: both are samples, and what they do not tell holds.
//!
//! The test is Mann and Whitney's (1947) with its normal approximation and correction for ties: it asks whether a sample of the one is more often
//! above a sample of the other, needs no shape of the distribution, and is not moved by single outliers. A difference fails only if it is both
//! certain and large enough to matter.

use super::{Answer, Verdict};

/// What is asked of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Samples of each side below which nothing is said.
    pub samples_min: usize,
    /// How much worse the median may be, as a share of the baseline's (0.1 = a tenth).
    pub worse_max: f64,
    /// The probability of crying wolf that is borne (0.01).
    pub alpha: f64,
    /// Whether more is worse (latency, errors, cost per request) or better (throughput).
    pub more_is_worse: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { samples_min: 30, worse_max: 0.1, alpha: 0.01, more_is_worse: true }
    }
}

/// Compares. It passes only if it is shown that it is not worse by more than the bound: both that the median is within it, and that the test of "worse
/// by more than the bound" is rejected. In between it holds as inconclusive.
pub fn performance(baseline: &Answer<Vec<f64>>, after: &Answer<Vec<f64>>, bounds: &Bounds) -> Verdict {
    let (before, after) = match (baseline, after) {
        (Answer::Here(before), Answer::Here(after)) => (before, after),
        (Answer::Missing(why), _) => return Verdict::Hold(format!("there is no baseline: {why}")),
        (_, Answer::Missing(why)) => return Verdict::Hold(format!("there are no measurements: {why}")),
    };
    let is_sane = bounds.worse_max.is_finite() && bounds.worse_max >= 0.0 && bounds.alpha > 0.0 && bounds.alpha < 0.5;
    if !is_sane {
        return Verdict::Hold("the bounds are no numbers to compare with".to_owned());
    }
    let least = before.len().min(after.len());
    if least < bounds.samples_min.max(5) {
        return Verdict::Hold(format!("inconclusive: {least} samples are fewer than {}", bounds.samples_min.max(5)));
    }
    if before.iter().chain(after).any(|v| !v.is_finite()) {
        return Verdict::Hold("inconclusive: some measurements are no numbers".to_owned());
    }
    // Turned so that more is worse.
    let turned = |all: &[f64]| all.iter().map(|v| if bounds.more_is_worse { *v } else { -v }).collect::<Vec<_>>();
    let (before, after) = (turned(before), turned(after));
    let (b, a) = (median(&before), median(&after));
    let margin = b.abs() * bounds.worse_max;
    let shifted: Vec<f64> = before.iter().map(|v| v + margin).collect();
    let (is_worse, is_not_worse) = (above(&after, &shifted), above(&shifted, &after));
    let shown = |x: f64| if bounds.more_is_worse { x } else { -x };
    let medians = format!("median {} after {}", shown(a), shown(b));
    if a > b + margin && is_worse < bounds.alpha {
        Verdict::Fail(format!("worse: {medians}, p = {is_worse:.4}"))
    } else if a <= b + margin && is_not_worse < bounds.alpha {
        Verdict::Pass(format!("{medians}, p = {is_not_worse:.4}"))
    } else if margin == 0.0 && before == after {
        Verdict::Pass(format!("{medians}, all samples are equal"))
    } else {
        Verdict::Hold(format!("inconclusive: {medians}, p = {:.4}", is_worse.min(is_not_worse)))
    }
}

fn median(all: &[f64]) -> f64 {
    let mut sorted = all.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

/// The probability to see as much if the first were not above the second: one-sided, normal approximation.
fn above(first: &[f64], second: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        first.iter().map(|v| (*v, true)).chain(second.iter().map(|v| (*v, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (n, m, total) = (first.len() as f64, second.len() as f64, all.len() as f64);
    let (mut ranks, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let end = at + all[at..].iter().take_while(|(v, _)| *v == all[at].0).count();
        let (tied, rank) = ((end - at) as f64, (at + 1 + end) as f64 / 2.0);
        ranks += rank * all[at..end].iter().filter(|(_, is_first)| *is_first).count() as f64;
        ties += tied * tied * tied - tied;
        at = end;
    }
    let u = ranks - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    // All values alike say nothing either way.
    if variance <= 0.0 {
        return 1.0;
    }
    upper_tail((u - n * m / 2.0 - 0.5) / variance.sqrt())
}

/// The normal distribution's upper tail (Abramowitz and Stegun, 7.1.26; absolute error below 1.5e-7).
fn upper_tail(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let poly =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let tail = 0.5 * poly * (-x * x).exp();
    if z >= 0.0 { tail } else { 1.0 - tail }
}
