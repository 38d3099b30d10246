//! A group as it stands, for who shows it while it is evaluated elsewhere.

use std::sync::Arc;

use grid_model::Timestamp;

use crate::alert::{Alert, AlertState};
use crate::file::{GroupSpec, RuleSpec};
use crate::group::{Group, GroupOptions};
use crate::rule::Health;

/// A group after its last evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupView {
    /// The file, or the namespace, that it is from.
    pub file: String,
    /// What it says.
    pub spec: Arc<GroupSpec>,
    /// How often it is evaluated, in nanoseconds.
    pub interval_ns: i64,
    /// When it was last evaluated.
    pub last_evaluation: Option<Timestamp>,
    /// How long that took, in nanoseconds.
    pub evaluation_ns: i64,
    /// Evaluations.
    pub evaluations: u64,
    /// Evaluations that were due and did not happen.
    pub missed: u64,
    /// Its rules, in order.
    pub rules: Vec<RuleView>,
}

/// A rule after its last evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleView {
    /// What it says.
    pub spec: Arc<RuleSpec>,
    /// How its last evaluation went.
    pub health: Health,
    /// Why it failed.
    pub last_error: Option<String>,
    /// When it was.
    pub last_evaluation: Option<Timestamp>,
    /// How long it took, in nanoseconds.
    pub evaluation_ns: i64,
    /// The worst state of its alerts; `None` of a recording rule.
    pub state: Option<AlertState>,
    /// Its alerts that are pending or firing, by their labels.
    pub alerts: Vec<Alert>,
}

impl Group {
    /// As it stands now.
    pub fn view(&self, file: &str, options: &GroupOptions) -> GroupView {
        let rules = self.rules.iter().map(|rule| RuleView {
            spec: Arc::clone(&rule.spec),
            health: rule.health,
            last_error: rule.last_error.clone(),
            last_evaluation: rule.last_evaluation,
            evaluation_ns: rule.evaluation_ns,
            state: rule.state(),
            alerts: rule.active().cloned().collect(),
        });
        GroupView {
            file: file.to_owned(),
            interval_ns: self.interval_ns(options),
            last_evaluation: self.last_evaluation,
            evaluation_ns: self.evaluation_ns,
            evaluations: self.evaluations,
            missed: self.missed,
            rules: rules.collect(),
            spec: Arc::clone(&self.spec),
        }
    }
}
