//! How much to give a machine, pod or container: a limit decided every hour from what it used so far.
//!
//! Reading order: [`limits`] (a replay) -> [`decide`] (one decision) -> `risk` (how often a limit may be passed, and how wide its margin is)
//! -> [`Score`].
//!
//! As in Autopilot (Rzadca et al., EuroSys 2020) a limit is a quantile of a fading histogram with a margin on top. Which quantile and which margin is
//! no setting: it follows from how rough the usage is. A smooth series (memory) costs little to keep safe, and when it passes its limit it stays
//! above it; a rough one (CPU in bursts) is above for a moment, and to cover every burst would cost most of the machine. Usage at the same time
//! on days before counts as recent usage does, so that a nightly job is not forgotten by day.

mod risk;

use grid_model::time::{DAY_NS, HOUR_NS};

use risk::Risk;

/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 1;
/// How often a limit is decided.
pub const PERIOD_NS: i64 = HOUR_NS;
/// What is needed before a decision counts.
pub const WARM_UP_NS: i64 = 6 * HOUR_NS;
/// Usage that is looked back upon.
pub const HISTORY_NS: i64 = 14 * DAY_NS;

/// Minutes after which usage counts half, and days after which the same time of day does.
const HALF_LIFE_MINUTES: i64 = 70;
const HALF_LIFE_DAYS: f64 = 4.0;
/// What the same time yesterday counts, beside the last minutes.
const YESTERDAY: f64 = 0.5;
/// Limit of the first period, in units of the first usage: nothing is known yet.
const BLIND: f64 = 2.0;

/// One decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The limit, in the unit of the usage.
    pub limit: f64,
    /// The share of samples that is expected above it, from 0 to 1.
    pub risk: f64,
}

/// Decides from all usage so far, oldest first, evenly spaced; what is not finite is left out. `None` without any.
pub fn decide(usage: &[f64], step_ns: i64) -> Option<Decision> {
    let steps = |ns: i64| usize::try_from(ns / step_ns.max(1)).unwrap_or(usize::MAX).max(1);
    let usage = &usage[usage.len().saturating_sub(steps(HISTORY_NS))..];
    let (period, day) = (steps(PERIOD_NS), steps(DAY_NS));
    let half_life = steps(HALF_LIFE_MINUTES * grid_model::time::MINUTE_NS) as f64;
    let n = usage.len();
    let weight = |at: usize| {
        let recent = 0.5_f64.powf((n - 1 - at) as f64 / half_life);
        // How far the sample lies before the end of the period that is decided, in whole days and a rest.
        let (days, rest) = ((n + period - 1 - at) / day, (n + period - 1 - at) % day);
        let of_day =
            if days > 0 && rest < period { YESTERDAY * 0.5_f64.powf(days as f64 / HALF_LIFE_DAYS) } else { 0.0 };
        recent.max(of_day)
    };
    let mut samples: Vec<(f64, f64)> =
        usage.iter().enumerate().filter(|(_, v)| v.is_finite()).map(|(at, v)| (v.max(0.0), weight(at))).collect();
    if samples.is_empty() {
        return None;
    }
    let risk = Risk::of(usage, &samples, period);
    samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = (1.0 - risk.share) * samples.iter().map(|s| s.1).sum::<f64>();
    let mut below = 0.0;
    let quantile = samples.iter().find(|(_, weight)| {
        below += weight;
        below >= wanted
    });
    // Rounding may leave the sum a little below what is wanted: then it is the largest.
    let quantile = quantile.or(samples.last()).map_or(0.0, |s| s.0);
    Some(Decision { limit: quantile * (1.0 + risk.margin) + risk.climb, risk: risk.share })
}

/// A limit per step of a series: decided every [`PERIOD_NS`] from what was used before. Limits within [`WARM_UP_NS`] are decided on too little and do
/// not count in a [`Score`].
pub fn limits(usage: &[f64], step_ns: i64) -> Vec<f64> {
    let period = usize::try_from(PERIOD_NS / step_ns.max(1)).unwrap_or(1).max(1);
    let mut out = Vec::with_capacity(usage.len());
    for start in (0..usage.len()).step_by(period) {
        let blind = || usage.iter().copied().find(|v| v.is_finite()).unwrap_or(0.0).max(0.0) * BLIND;
        let limit = decide(&usage[..start], step_ns).map_or_else(blind, |d| d.limit);
        out.resize((start + period).min(usage.len()), limit);
    }
    out
}

/// What limits cost and risk.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// Share of what was given that was not used: the sum of the limits less the sum of the usage, per sum of the limits.
    pub slack: f64,
    /// Share of samples above their limit.
    pub violations: f64,
    /// Samples that were judged.
    pub samples: usize,
}

impl Score {
    /// Of the steps after the warm-up; gaps do not count.
    pub fn of(usage: &[f64], limits: &[f64], step_ns: i64) -> Self {
        let warm_up = usize::try_from(WARM_UP_NS / step_ns.max(1)).unwrap_or(usize::MAX);
        let judged = usage.iter().zip(limits).skip(warm_up).filter(|(u, _)| u.is_finite());
        let (mut used, mut given, mut above, mut samples) = (0.0, 0.0, 0_usize, 0_usize);
        for (usage, limit) in judged {
            used += usage;
            given += limit;
            above += usize::from(usage > limit);
            samples += 1;
        }
        if samples == 0 {
            return Self::default();
        }
        let slack = if given > 0.0 { 1.0 - used / given } else { 0.0 };
        Self { slack, violations: above as f64 / samples as f64, samples }
    }
}

#[cfg(test)]
mod tests;
