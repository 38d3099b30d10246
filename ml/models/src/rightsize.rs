//! How much to give a machine, pod or container: a limit decided every hour from what it used so far.
//!
//! Reading order: [`limits`] (a replay) -> [`decide`] (one decision) -> `risk` (how often a limit may be passed, and how wide its margin is)
//! -> [`Score`].
//!
//! As in Autopilot (Rzadca et al., EuroSys 2020) a limit is a quantile of a fading histogram with a margin on top. Which quantile and which margin is
//! no setting: it follows from how rough the usage is. A smooth series (memory) costs little to keep safe, and when it passes its limit it stays
//! above it; a rough one (CPU in bursts) is above for a moment, and to cover every burst would cost most of the machine. A smooth one is remembered
//! for longer, too. Usage at the same time on days before counts as recent usage does, so that a nightly job is not forgotten by day. And limits
//! learn from themselves: a smooth series that has passed its limit more than once gets more.

mod risk;

use std::collections::VecDeque;

use grid_model::time::{DAY_NS, HOUR_NS, MINUTE_NS};

use risk::Risk;

/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 2;
/// How often a limit is decided.
pub const PERIOD_NS: i64 = HOUR_NS;
/// What is needed before a decision counts.
pub const WARM_UP_NS: i64 = 6 * HOUR_NS;
/// Usage that is looked back upon.
pub const HISTORY_NS: i64 = 14 * DAY_NS;

/// Days after which the same time of day counts half.
const HALF_LIFE_DAYS: f64 = 4.0;
/// What the same time yesterday counts, beside the last minutes.
const YESTERDAY: f64 = 0.5;
/// Limit of the first period, in units of the first usage: nothing is known yet.
const BLIND: f64 = 2.0;
/// Periods that are looked back upon for limits that were passed; what lies a period further back counts [`PASSED_FADE`] times as much.
const PASSED_PERIODS: usize = 8;
const PASSED_FADE: f64 = 0.3;

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
    let period = steps(PERIOD_NS, step_ns);
    let mut passed = Passed::default();
    for back in (1..=PASSED_PERIODS).rev() {
        let Some(start) = usage.len().checked_sub(back * period).filter(|start| *start > 0) else { continue };
        passed.saw(Base::of(&usage[..start], step_ns), &usage[start..start + period]);
    }
    Base::of(usage, step_ns).map(|base| base.decision(&passed))
}

/// A limit per step of a series: decided every [`PERIOD_NS`] from what was used before. Limits within [`WARM_UP_NS`] are decided on too little and do
/// not count in a [`Score`].
pub fn limits(usage: &[f64], step_ns: i64) -> Vec<f64> {
    let period = steps(PERIOD_NS, step_ns);
    let mut out = Vec::with_capacity(usage.len());
    let mut passed = Passed::default();
    for start in (0..usage.len()).step_by(period) {
        let end = (start + period).min(usage.len());
        let base = Base::of(&usage[..start], step_ns);
        let blind = || usage.iter().copied().find(|v| v.is_finite()).unwrap_or(0.0).max(0.0) * BLIND;
        out.resize(end, base.map_or_else(blind, |base| base.decision(&passed).limit));
        passed.saw(base, &usage[start..end]);
    }
    out
}

/// How many steps a time has; at least one.
fn steps(ns: i64, step_ns: i64) -> usize {
    usize::try_from(ns / step_ns.max(1)).unwrap_or(usize::MAX).max(1)
}

/// A decision, before it is asked how earlier ones went.
#[derive(Debug, Clone, Copy)]
struct Base {
    limit: f64,
    risk: Risk,
}

impl Base {
    fn of(usage: &[f64], step_ns: i64) -> Option<Self> {
        let steps = |ns: i64| steps(ns, step_ns);
        let usage = &usage[usage.len().saturating_sub(steps(HISTORY_NS))..];
        let (period, day) = (steps(PERIOD_NS), steps(DAY_NS));
        let n = usage.len();
        let of_day = |at: usize| {
            // How far the sample lies before the end of the period that is decided, in whole days and a rest.
            let (days, rest) = ((n + period - 1 - at) / day, (n + period - 1 - at) % day);
            if days > 0 && rest < period { YESTERDAY * 0.5_f64.powf(days as f64 / HALF_LIFE_DAYS) } else { 0.0 }
        };
        let weighted = |half_life_minutes: f64| {
            let half_life = half_life_minutes * MINUTE_NS as f64 / step_ns.max(1) as f64;
            let weight = |at: usize| 0.5_f64.powf((n - 1 - at) as f64 / half_life).max(of_day(at));
            let finite = usage.iter().enumerate().filter(|(_, v)| v.is_finite());
            finite.map(|(at, v)| (v.max(0.0), weight(at))).collect::<Vec<(f64, f64)>>()
        };
        let risk = Risk::of(usage, &weighted(risk::ROUGHNESS_HALF_LIFE_MINUTES), period);
        let mut samples = weighted(risk.half_life_minutes);
        let quantile = risk::quantile(&mut samples, 1.0 - risk.share)?;
        Some(Self { limit: quantile * (1.0 + risk.margin) + risk.climb, risk })
    }

    fn decision(&self, passed: &Passed) -> Decision {
        Decision { limit: self.limit * (1.0 + self.risk.more(passed.twice())), risk: self.risk.share }
    }
}

/// By how much the last limits were passed, per limit, newest last; 0 where they were not. What counts are limits as first decided: a limit that was
/// raised and held says nothing about whether it had to be.
#[derive(Debug, Default)]
struct Passed(VecDeque<f64>);

impl Passed {
    fn saw(&mut self, base: Option<Base>, usage: &[f64]) {
        let peak = usage.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
        let passed = base.filter(|b| b.limit > 0.0).map_or(0.0, |base| (peak / base.limit - 1.0).max(0.0));
        self.0.push_back(passed);
        if self.0.len() > PASSED_PERIODS {
            self.0.pop_front();
        }
    }

    /// By how much they were passed at least twice, the longer ago the less. Once says nothing: a step up is passed once.
    fn twice(&self) -> f64 {
        let mut faded: Vec<f64> = self
            .0
            .iter()
            .rev()
            .scan(1.0, |age, passed| {
                let now = passed * *age;
                *age *= PASSED_FADE;
                Some(now)
            })
            .collect();
        faded.sort_by(|a, b| b.total_cmp(a));
        faded.get(1).copied().unwrap_or(0.0)
    }
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
