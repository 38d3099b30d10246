//! What a policy would have done on a history: what it costs, and how much it leaves unserved, beside a reactive one. Capacity takes its time to start, and is
//! paid from the moment it is asked for.

use grid_model::time::HOUR_NS;
use grid_model::{Amount, Timestamp};

use super::{Memory, Policy, Signals, decide};

/// A history of demand, evenly spaced.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// When it begins.
    pub start: Timestamp,
    /// The length of a step, in nanoseconds.
    pub step_ns: i64,
    /// Demand at each step, in the unit of the policy's metric; `NaN` where it is not known.
    pub demand: Vec<f64>,
    /// What was forecast for each step before it came, if anything was: only what a forecaster knew at that time belongs here.
    pub forecast: Option<Vec<f64>>,
    /// Events in it.
    pub events: Vec<(String, Timestamp)>,
}

/// What capacity is like.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// Demand that one unit can serve at most.
    pub serves: f64,
    /// How long one takes to start, in nanoseconds.
    pub starts_ns: i64,
    /// What one costs an hour.
    pub hourly: Amount,
    /// How many there are at the beginning.
    pub initial: u32,
}

/// How a policy did.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What it costs in all; `None` if that has more than 38 digits.
    pub cost: Option<Amount>,
    /// The share of all demand that was not served, 0 to 1.
    pub unserved: f64,
    /// How often it changed something.
    pub changes: usize,
    /// How many were asked for at each step.
    pub asked: Vec<u32>,
}

/// Plays a policy on a history. At each step it knows the demand of the step before.
pub fn simulate(policy: &Policy, metric: &str, history: &History, capacity: &Capacity) -> Outcome {
    let mut memory = Memory::default();
    let (mut asked, mut changes, mut unit_ns) = (capacity.initial, 0, 0_i128);
    let (mut served, mut all) = (0.0, 0.0);
    // When those that were asked for serve, and how many they then are.
    let mut starting: Vec<(Timestamp, u32)> = Vec::new();
    let mut ready = capacity.initial;
    let mut asked_for = Vec::with_capacity(history.demand.len());
    let forecasts: Vec<(Timestamp, f64)> = history
        .forecast
        .iter()
        .flatten()
        .enumerate()
        .map(|(n, v)| (history.start.saturating_add(history.step_ns.saturating_mul(n as i64)), *v))
        .collect();
    let mut signals = Signals { forecasts: vec![(metric.to_owned(), Vec::new())], ..Signals::default() };
    for (n, demand) in history.demand.iter().enumerate() {
        let now = history.start.saturating_add(history.step_ns.saturating_mul(n as i64));
        let before = n.checked_sub(1).map(|b| history.demand[b]);
        signals.metrics = vec![(metric.to_owned(), before)];
        signals.events = history.events.iter().filter(|(_, at)| *at <= now).cloned().collect();
        // Only a day of the forecast is handed over: nobody looks further.
        let ahead = forecasts.iter().skip(n).take((24 * HOUR_NS / history.step_ns.max(1)) as usize + 1);
        signals.forecasts[0].1 = ahead.copied().collect();
        let decision = decide(policy, &signals, asked, &mut memory, now);
        if decision.to != asked && !decision.is_dry_run {
            changes += 1;
            asked = decision.to;
            starting.push((now.saturating_add(capacity.starts_ns), asked));
        }
        // Going down takes effect at once, going up when it has started.
        ready = ready.min(asked);
        starting.retain(|(at, count)| {
            if *at <= now {
                ready = ready.max(*count).min(asked);
            }
            *at > now
        });
        if demand.is_finite() && *demand > 0.0 {
            all += demand;
            served += demand.min(f64::from(ready) * capacity.serves);
        }
        unit_ns += i128::from(asked) * i128::from(history.step_ns);
        asked_for.push(asked);
    }
    let unserved = if all > 0.0 { 1.0 - served / all } else { 0.0 };
    Outcome { cost: capacity.hourly.mul_div(unit_ns, i128::from(HOUR_NS)), unserved, changes, asked: asked_for }
}
