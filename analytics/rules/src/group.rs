//! Rules in order: later ones see what earlier ones wrote (Prometheus, `rules/group.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grid_model::Timestamp;
use grid_model::time::{HOUR_NS, MINUTE_NS};
use grid_promql::Labels;

use crate::alert::{Alert, elapsed};
use crate::file::{Action, GroupSpec, METRIC};
use crate::host::{Host, LastSample, NewSample, STALE, SampleValue};
use crate::rule::{ALERT_NAME, ALERTS_FOR_STATE, Evaluation, Health, Rule};
use crate::template::External;

/// What holds for all groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOptions {
    /// The interval of a group that names none, in nanoseconds.
    pub interval_ns: i64,
    /// How far into the past a group looks that does not say, in nanoseconds.
    pub query_offset_ns: i64,
    /// How long to wait before receivers are told of the same alert again, in nanoseconds.
    pub resend_delay_ns: i64,
    /// How long an alert that was pending when the server stopped waits at least, in nanoseconds.
    pub for_grace_period_ns: i64,
    /// The longest pause after which states are restored, in nanoseconds.
    pub outage_tolerance_ns: i64,
    /// What templates say of the server.
    pub external: External,
}

impl Default for GroupOptions {
    /// Prometheus' defaults.
    fn default() -> Self {
        Self {
            interval_ns: MINUTE_NS,
            query_offset_ns: 0,
            resend_delay_ns: MINUTE_NS,
            for_grace_period_ns: 10 * MINUTE_NS,
            outage_tolerance_ns: HOUR_NS,
            external: External::default(),
        }
    }
}

/// An alert that receivers are to be told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// Texts for people.
    pub annotations: BTreeMap<String, String>,
    /// When it began to fire.
    pub starts_at: Timestamp,
    /// When it ended; of one that fires, until when it does so if nothing more is heard.
    pub ends_at: Timestamp,
    /// Whether it ended.
    pub resolved: bool,
    /// What its rule asks.
    pub expression: String,
}

/// What came of an evaluation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluated {
    /// Alerts that receivers are to be told of.
    pub notices: Vec<Notice>,
    /// Samples that were written, stale markers among them.
    pub written: usize,
    /// Rules that failed.
    pub failed: usize,
}

/// A group and what has become of its rules.
#[derive(Debug, Clone)]
pub struct Group {
    /// What it says.
    pub spec: Arc<GroupSpec>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
    /// When it was last evaluated.
    pub last_evaluation: Option<Timestamp>,
    /// How long that took, in nanoseconds.
    pub evaluation_ns: i64,
    /// Evaluations.
    pub evaluations: u64,
    /// Evaluations that were due while another was under way, or the server could not keep up.
    pub missed: u64,
    /// Series of rules that are gone, to be marked stale.
    orphans: BTreeSet<Labels>,
}

impl Group {
    /// One that was never evaluated. If `restored`, nothing of its alerts is looked for in the store.
    pub fn new(spec: Arc<GroupSpec>, restored: bool) -> Self {
        let rules = spec.rules.iter().map(|rule| Rule::new(Arc::clone(rule), restored)).collect();
        Self {
            spec,
            rules,
            last_evaluation: None,
            evaluation_ns: 0,
            evaluations: 0,
            missed: 0,
            orphans: BTreeSet::new(),
        }
    }

    /// How often it is evaluated, in nanoseconds.
    pub fn interval_ns(&self, options: &GroupOptions) -> i64 {
        self.spec.interval.map_or(options.interval_ns, |ms| ms.saturating_mul(1_000_000)).max(1_000_000)
    }

    /// Takes over what the rules of an older form of the group have become: each rule that of one with the same name and labels.
    pub fn adopt(&mut self, old: Self) {
        self.last_evaluation = old.last_evaluation;
        (self.evaluation_ns, self.evaluations, self.missed) = (old.evaluation_ns, old.evaluations, old.missed);
        self.orphans = old.orphans;
        let mut left = old.rules;
        for rule in &mut self.rules {
            let same = |other: &Rule| {
                other.spec.name() == rule.spec.name()
                    && other.spec.labels == rule.spec.labels
                    && matches!(other.spec.action, Action::Alert { .. })
                        == matches!(rule.spec.action, Action::Alert { .. })
            };
            if let Some(at) = left.iter().position(same) {
                *rule = Rule { spec: Arc::clone(&rule.spec), ..left.remove(at) };
            }
        }
        self.orphans.extend(left.into_iter().flat_map(|rule| rule.written));
    }

    /// Evaluates all rules at a time, in order, and writes what they make.
    pub fn evaluate(&mut self, at: Timestamp, options: &GroupOptions, host: &mut dyn Host) -> Evaluated {
        let begin = host.stopwatch();
        let offset = self.spec.query_offset.map_or(options.query_offset_ns, |ms| ms.saturating_mul(1_000_000));
        let evaluation =
            Evaluation { at, query_offset_ns: offset, limit: self.spec.limit, external: &options.external };
        let interval_ns = self.interval_ns(options);
        let mut done = Evaluated::default();
        for rule in &mut self.rules {
            let rule_begin = host.stopwatch();
            rule.last_evaluation = Some(at);
            let result = rule.evaluate(evaluation, host).and_then(|samples| {
                notices(rule, at, options, interval_ns, &mut done.notices);
                write(rule, samples, evaluation.sample_time(), host)
            });
            rule.evaluation_ns = host.stopwatch().saturating_sub(rule_begin);
            match result {
                Ok(written) => {
                    done.written += written;
                    (rule.health, rule.last_error) = (Health::Good, None);
                }
                Err(error) => {
                    done.failed += 1;
                    (rule.health, rule.last_error) = (Health::Bad, Some(error));
                }
            }
        }
        done.written += self.end_orphans(evaluation.sample_time(), host);
        self.last_evaluation = Some(at);
        self.evaluations += 1;
        self.evaluation_ns = host.stopwatch().saturating_sub(begin);
        done
    }

    /// Stale markers for series of rules that are gone, unless another rule writes them now.
    fn end_orphans(&mut self, time: i64, host: &mut dyn Host) -> usize {
        let orphans = std::mem::take(&mut self.orphans);
        let ended: Vec<_> = orphans.into_iter().filter(|o| !self.rules.iter().any(|r| r.written.contains(o))).collect();
        let count = ended.len();
        if count > 0 && host.append(ended.iter().map(|labels| stale(labels, time)).collect()).is_err() {
            // Once more next time.
            self.orphans.extend(ended);
            return 0;
        }
        count
    }

    /// Stale markers for everything that it wrote last: it is gone.
    pub fn end(&self, time: i64) -> Vec<NewSample> {
        self.rules.iter().flat_map(|r| &r.written).chain(&self.orphans).map(|labels| stale(labels, time)).collect()
    }

    /// Whether states are still to be looked for in the store.
    pub fn needs_restoring(&self) -> bool {
        self.rules.iter().any(|rule| !rule.restored)
    }

    /// Gives alerts the beginnings that they had before the server stopped, as Prometheus does: time that an alert was pending counts, time
    /// that the server was down does not, and at least the grace period is waited. To be called after two evaluations, so that alerts are
    /// there. What cannot be read is not restored; the errors are answered.
    pub fn restore(&mut self, at: Timestamp, options: &GroupOptions, host: &mut dyn Host) -> Vec<String> {
        let until = at.0.div_euclid(1_000_000);
        let from = at.0.saturating_sub(options.outage_tolerance_ns).div_euclid(1_000_000);
        let mut errors = Vec::new();
        for rule in self.rules.iter_mut().filter(|rule| !rule.restored) {
            rule.restored = true;
            let Action::Alert { name, hold, .. } = &rule.spec.action else { continue };
            let hold_ns = hold.saturating_mul(1_000_000);
            // One that waits less than the grace period waits that once more.
            if hold_ns < options.for_grace_period_ns || rule.alerts.is_empty() {
                continue;
            }
            match host.last_samples(ALERTS_FOR_STATE, name, from, until) {
                Ok(found) => {
                    let by_labels: BTreeMap<Labels, LastSample> = found
                        .into_iter()
                        .map(|last| (last.labels.with(METRIC, "").with(ALERT_NAME, name), last))
                        .collect();
                    for (labels, alert) in &mut rule.alerts {
                        if let Some(last) = by_labels.get(labels) {
                            restore_one(alert, last, at, hold_ns, options.for_grace_period_ns);
                        }
                    }
                }
                Err(e) => errors.push(format!("alert {name}: {e}")),
            }
        }
        errors
    }
}

fn restore_one(alert: &mut Alert, last: &LastSample, at: Timestamp, hold_ns: i64, grace_ns: i64) {
    if grid_model::histogram::is_stale(last.value) || !last.value.is_finite() {
        return;
    }
    let second = |s: i64| Timestamp(s.saturating_mul(1_000_000_000));
    let (down_at, active_at) = (second(last.time.div_euclid(1000)), second(last.value as i64));
    let remaining_ns = hold_ns.saturating_sub(elapsed(active_at, down_at));
    alert.active_at = if remaining_ns <= 0 {
        // It was firing; it does so again at the next evaluation.
        active_at
    } else if remaining_ns < grace_ns {
        at.saturating_add(grace_ns).saturating_add(-hold_ns)
    } else {
        active_at.saturating_add(elapsed(down_at, at))
    };
}

/// The alerts that receivers are to be told of now; they count as told.
fn notices(rule: &mut Rule, at: Timestamp, options: &GroupOptions, interval_ns: i64, out: &mut Vec<Notice>) {
    let expression = rule.spec.expression.as_str();
    for alert in rule.alerts.values_mut().filter(|a| a.needs_sending(at, options.resend_delay_ns)) {
        alert.sent_at = Some(at);
        out.push(Notice {
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            starts_at: alert.fired_at.unwrap_or(alert.active_at),
            ends_at: alert.resolved_at.unwrap_or_else(|| Alert::valid_until(at, options.resend_delay_ns, interval_ns)),
            resolved: alert.resolved_at.is_some(),
            expression: expression.to_owned(),
        });
    }
}

/// Writes a rule's samples, and stale markers for the series that it no longer has.
fn write(rule: &mut Rule, mut samples: Vec<NewSample>, time: i64, host: &mut dyn Host) -> Result<usize, String> {
    let now = samples.iter().map(|s| s.labels.clone()).collect();
    let mut gone: Vec<_> = rule.written.difference(&now).map(|labels| stale(labels, time)).collect();
    gone.sort_by(|a, b| a.labels.cmp(&b.labels));
    samples.extend(gone);
    let count = samples.len();
    if count > 0 {
        host.append(samples)?;
    }
    rule.written = now;
    Ok(count)
}

fn stale(labels: &Labels, time: i64) -> NewSample {
    NewSample { labels: labels.clone(), time, value: SampleValue::Float(STALE) }
}

#[cfg(test)]
mod tests;
