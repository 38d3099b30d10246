//! How many of something there should be now: by schedule, event, metric or forecast, within bounds, and without fluttering. A pure decision; whoever
//! calls has fetched the numbers and applies the answer, as an override whose writer is the policy.
//!
//! Reading order: [`Policy`] and [`Trigger`], [`decide`], [`cron`], [`simulate`] (what a policy would have done on a history, and what that costs).
//!
//! All triggers are asked and the largest wish wins. A trigger that cannot be evaluated wishes for what is there: it never takes anything away.

pub mod cron;
pub mod simulate;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use grid_model::Timestamp;
use grid_model::time::MINUTE_NS;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::environment::{Override, Provenance, Writer};
use crate::field::Path;
use cron::Cron;

/// What asks for capacity.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// From each time of a schedule on, for a while.
    Schedule {
        /// When it begins.
        cron: Cron,
        /// How long it lasts, in nanoseconds.
        lasts_ns: i64,
        /// How many at least.
        capacity: u32,
    },
    /// After an event, for a while.
    Event {
        /// The event's name.
        name: String,
        /// How long it lasts, in nanoseconds.
        lasts_ns: i64,
        /// How many at least.
        capacity: u32,
    },
    /// By the value of a query.
    Metric {
        /// The query's name among the signals.
        name: String,
        /// How much of the value one can take.
        per_unit: f64,
    },
    /// By a forecast of the same value.
    Predictive {
        /// The forecast's name among the signals.
        name: String,
        /// How much of the value one can take.
        per_unit: f64,
        /// How far to look ahead, in nanoseconds: as long as capacity takes to start, and some.
        ahead_ns: i64,
    },
}

/// How far one change may go: the larger of the two holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepMax {
    /// So many.
    pub units: u32,
    /// Such a share of what is there (1.0 doubles).
    pub share: f64,
}

/// A policy for one field of one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its name: the writer of the field.
    pub name: String,
    /// What asks for capacity.
    pub triggers: Vec<Trigger>,
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// How far one change may go up.
    pub up: StepMax,
    /// How far one change may go down.
    pub down: StepMax,
    /// The shortest time between two changes up, in nanoseconds.
    pub cooldown_up_ns: i64,
    /// The shortest time between any change and one down, in nanoseconds.
    pub cooldown_down_ns: i64,
    /// Differences up to this share of what is there change nothing (0.1 = a tenth).
    pub hysteresis: f64,
    /// It goes down only as far as the largest wish of so long, in nanoseconds.
    pub settle_ns: i64,
    /// Whether it only says what it would do.
    pub is_dry_run: bool,
}

impl Policy {
    /// What Kubernetes' HorizontalPodAutoscaler does by default: a metric at a target, a tolerance of a tenth, five minutes of stabilisation on the way
    /// down, and on the way up at most four or the double in 15 s.
    pub fn reactive(name: &str, metric: &str, per_unit: f64, min: u32, max: u32) -> Self {
        Self {
            name: name.to_owned(),
            triggers: vec![Trigger::Metric { name: metric.to_owned(), per_unit }],
            min,
            max,
            up: StepMax { units: 4, share: 1.0 },
            down: StepMax { units: u32::MAX, share: 1.0 },
            cooldown_up_ns: MINUTE_NS / 4,
            cooldown_down_ns: MINUTE_NS / 4,
            hysteresis: 0.1,
            settle_ns: 5 * MINUTE_NS,
            is_dry_run: false,
        }
    }
}

/// What is known at the time of a decision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Signals {
    /// The value of each query; `None` if it had no answer.
    pub metrics: Vec<(String, Option<f64>)>,
    /// Forecasts, each in order of time.
    pub forecasts: Vec<(String, Vec<(Timestamp, f64)>)>,
    /// Events, newest last.
    pub events: Vec<(String, Timestamp)>,
}

/// What a policy remembers between decisions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    #[serde(default, with = "crate::kept::time_opt")]
    last_up: Option<Timestamp>,
    #[serde(default, with = "crate::kept::time_opt")]
    last_change: Option<Timestamp>,
    /// Wishes within the settling time, in order of time.
    #[serde(with = "crate::kept::timed")]
    wishes: VecDeque<(Timestamp, u32)>,
}

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// How many there are.
    pub from: u32,
    /// How many there should be now.
    pub to: u32,
    /// How many were wished for, before bounds, steps and pauses.
    pub wished: u32,
    /// Why, from the wish to what became of it.
    pub reasons: Vec<String>,
    /// Whether nothing is to be done about it.
    pub is_dry_run: bool,
}

impl Decision {
    /// The override that it asks for; `None` if nothing changes, or it is a dry run.
    pub fn as_override(&self, policy: &Policy, target: &Address, path: &Path, now: Timestamp) -> Option<Override> {
        let by = Provenance {
            writer: Writer::Scaling(policy.name.clone()),
            who: policy.name.clone(),
            why: self.reasons.join("; "),
            at: now,
            evidence: None,
        };
        (self.to != self.from && !self.is_dry_run).then(|| Override {
            target: target.clone(),
            path: path.clone(),
            to: Some(self.to.into()),
            by,
        })
    }
}

/// Decides, and remembers.
pub fn decide(policy: &Policy, signals: &Signals, from: u32, memory: &mut Memory, now: Timestamp) -> Decision {
    let mut reasons = Vec::new();
    let mut wished: Option<u32> = None;
    for trigger in &policy.triggers {
        let (wish, why) = wish(trigger, signals, from, now);
        if let Some(wish) = wish
            && wished.is_none_or(|w| wish > w)
        {
            wished = Some(wish);
            reasons = vec![why];
        } else if wish.is_none() && wished.is_none() {
            reasons.push(why);
        }
    }
    // Nobody asks for anything: the least will do.
    let wished = wished.unwrap_or(policy.min);
    let mut to = wished;
    let mut limit = |to: &mut u32, limited: u32, why: String| {
        if *to != limited {
            reasons.push(format!("{to} -> {limited}: {why}"));
            *to = limited;
        }
    };
    let max = policy.max.max(policy.min);
    let bounded = to.clamp(policy.min, max);
    limit(&mut to, bounded, format!("bounds {} to {max}", policy.min));
    // What is outside the bounds comes back at once, whatever else holds.
    let is_outside = from < policy.min || from > max;
    let within = f64::from(from.abs_diff(to)) <= policy.hysteresis.max(0.0) * f64::from(from);
    if to != from && within && !is_outside {
        limit(&mut to, from, "too small a difference".to_owned());
    }
    memory.wishes.push_back((now, bounded));
    while memory.wishes.front().is_some_and(|(at, _)| at.saturating_add(policy.settle_ns) < now) {
        memory.wishes.pop_front();
    }
    if to < from && !is_outside {
        let settled = memory.wishes.iter().map(|(_, w)| *w).max().unwrap_or(to).clamp(to, from);
        limit(&mut to, settled, "it was wished for a short while ago".to_owned());
    }
    if !is_outside {
        let room = |step: StepMax| step.units.max((f64::from(from) * step.share.max(0.0)) as u32).max(1);
        let stepped = to.clamp(from.saturating_sub(room(policy.down)), from.saturating_add(room(policy.up)));
        limit(&mut to, stepped, "largest step".to_owned());
        let is_within = |last: Option<Timestamp>, ns: i64| last.is_some_and(|at| at.saturating_add(ns) > now);
        let waits = (to > from && is_within(memory.last_up, policy.cooldown_up_ns))
            || (to < from && is_within(memory.last_change, policy.cooldown_down_ns));
        if waits {
            limit(&mut to, from, "it changed a moment ago".to_owned());
        }
    }
    if to != from && !policy.is_dry_run {
        memory.last_change = Some(now);
        if to > from {
            memory.last_up = Some(now);
        }
    }
    Decision { from, to, wished, reasons, is_dry_run: policy.is_dry_run }
}

/// What one trigger asks for, `None` for nothing, and why.
fn wish(trigger: &Trigger, signals: &Signals, from: u32, now: Timestamp) -> (Option<u32>, String) {
    match trigger {
        Trigger::Schedule { cron, lasts_ns, capacity } => match cron.previous(now) {
            Some(began) if began.saturating_add(*lasts_ns) > now => {
                (Some(*capacity), format!("schedule {cron} since {began}"))
            }
            _ => (None, format!("schedule {cron} rests")),
        },
        Trigger::Event { name, lasts_ns, capacity } => {
            let happened =
                |(n, at): &&(String, Timestamp)| n == name && *at <= now && at.saturating_add(*lasts_ns) > now;
            match signals.events.iter().rev().find(happened) {
                Some((_, at)) => (Some(*capacity), format!("event {name} at {at}")),
                None => (None, format!("no event {name}")),
            }
        }
        Trigger::Metric { name, per_unit } => {
            let value = signals.metrics.iter().find(|(n, _)| n == name).and_then(|(_, v)| *v);
            needed(value, *per_unit, from, name)
        }
        Trigger::Predictive { name, per_unit, ahead_ns } => {
            let until = now.saturating_add(*ahead_ns);
            let forecast =
                signals.forecasts.iter().find(|(n, _)| n == name).map(|(_, f)| f.as_slice()).unwrap_or_default();
            let ahead = forecast.iter().filter(|(at, _)| *at >= now && *at <= until).map(|(_, v)| *v);
            // A forecast with a hole in it is none.
            let most = ahead.reduce(|a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) });
            needed(most, *per_unit, from, &format!("forecast {name}"))
        }
    }
}

fn needed(value: Option<f64>, per_unit: f64, from: u32, name: &str) -> (Option<u32>, String) {
    match value.filter(|v| v.is_finite() && *v >= 0.0) {
        Some(value) if per_unit.is_finite() && per_unit > 0.0 => {
            // A whole number of units that rounding has made a hair larger stays that number.
            let units = (value / per_unit - 1e-9).ceil().max(0.0);
            (Some(units.min(f64::from(u32::MAX)) as u32), format!("{name} is {value}, {per_unit} for each"))
        }
        _ => (Some(from), format!("{name} cannot be evaluated: what is there stays")),
    }
}
