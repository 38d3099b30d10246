//! How much capacity to have at each step, decided before the load is there: capacity takes minutes to start, so what is asked for now serves
//! the load of then.
//!
//! Reading order: [`limits`] (the whole of it) -> `foresee` (what the load may be) -> `blend` (forecasts times headrooms, weighed by what they
//! would have cost) -> `frontier` (how dear what is unserved is) -> [`Score`] (what it cost).
//!
//! Reactive and forecasting policies are experts of one another: each forecast with each headroom is one, and the exponentially weighted mean of
//! all (Freund and Schapire, 1997; discounted as Cesa-Bianchi and Lugosi, 2006, section 2.11) costs in the long run little more than the best
//! of them. Where a load cannot be foreseen, the reactive ones are the best. How much unserved load is worth is not asked of the user but read
//! off the load: money is spent up to what a reactive policy at 70% would cost, and beyond while it still removes much of what is unserved. What a
//! reactive policy would have cost and left unserved is known as well: whoever did worse on both counts saves until that is no longer so.

mod foresee;
mod blend;
mod frontier;

use grid_model::time::{DAY_NS, MINUTE_NS};

use frontier::Frontier;

/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 2;
/// How long capacity takes from being asked for to serving.
pub const LAG_NS: i64 = 5 * MINUTE_NS;
/// The utilisation that a reactive policy aims at: what is compared with.
pub const REACTIVE_UTILISATION: f64 = 0.7;
/// Shortest step: shorter ones are to be averaged first.
pub const STEP_NS_MIN: i64 = MINUTE_NS / 6;

/// Capacity for each step of a load, in its unit. What is decided for a step is known from the steps that ended [`LAG_NS`] before it (at least
/// one step). The load is evenly spaced and not negative; what is not finite counts as the value before it.
pub fn limits(usage: &[f64], step_ns: i64) -> Vec<f64> {
    let usage = tidy(usage);
    let step_ns = step_ns.max(STEP_NS_MIN);
    let lag = usize::try_from(LAG_NS.div_euclid(step_ns)).unwrap_or(1).max(1);
    let day = usize::try_from(DAY_NS / step_ns).unwrap_or(1).max(1);
    let past = foresee::Past::new(&usage, day);
    let mut frontier = Frontier::new(day);
    // What was decided and is not known to be right or wrong yet.
    let mut open = std::collections::VecDeque::with_capacity(lag + 1);
    (0..usage.len())
        .map(|step| {
            let Some(known) = step.checked_sub(lag) else { return usage[0] / REACTIVE_UTILISATION };
            if open.len() > lag - 1
                && let Some(options) = open.pop_front()
            {
                frontier.learn(usage[known], options);
            }
            let mut options = frontier.options(past.foresee(step, known), usage[known]);
            let limit = frontier.decide(&mut options);
            open.push_back(options);
            limit
        })
        .collect()
}

/// Not negative, finite.
fn tidy(usage: &[f64]) -> Vec<f64> {
    let mut last = 0.0;
    usage
        .iter()
        .map(|v| {
            if v.is_finite() {
                last = v.clamp(0.0, 1e15);
            }
            last
        })
        .collect()
}

/// What a policy costs, in terms of the load it served.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Capacity per load.
    pub cost: f64,
    /// Share of the load above the capacity of its step.
    pub unserved: f64,
}

impl Score {
    /// Of limits beside the load they were for; nothing is served of nothing.
    pub fn of(usage: &[f64], limits: &[f64]) -> Self {
        let load: f64 = usage.iter().sum();
        let over: f64 = usage.iter().zip(limits).map(|(u, l)| (u - l).max(0.0)).sum();
        let per = |sum: f64| if load > 0.0 { sum / load } else { 0.0 };
        Self { cost: per(limits.iter().sum()), unserved: per(over) }
    }
}

/// What a policy would do that keeps to [`REACTIVE_UTILISATION`] of the last known load.
pub fn reactive(usage: &[f64], step_ns: i64) -> Vec<f64> {
    let usage = tidy(usage);
    let lag = usize::try_from(LAG_NS.div_euclid(step_ns.max(STEP_NS_MIN))).unwrap_or(1).max(1);
    (0..usage.len()).map(|step| usage[step.saturating_sub(lag)] / REACTIVE_UTILISATION).collect()
}

#[cfg(test)]
mod tests;
