//! Measured usage by which cost is split: per metric, resource and hour, who used how much.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use grid_model::Timestamp;
use grid_model::time::HOUR_NS;

use crate::split::Weight;

/// Who used something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User {
    /// The owner; `None` = nobody used it: idle.
    pub owner: Option<Arc<str>>,
    /// Further dimensions, by name.
    pub dimensions: Vec<(Arc<str>, Arc<str>)>,
}

type Hours = BTreeMap<i64, BTreeMap<User, Weight>>;

/// Measurements of one or more metrics.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    metrics: HashMap<String, HashMap<String, Hours>>,
}

impl Weights {
    /// Adds a measurement of one hour. `resource` is empty if the metric is of no single resource.
    pub fn add(&mut self, metric: &str, resource: &str, hour: Timestamp, user: User, weight: Weight) {
        let resources = self.metrics.entry(metric.to_owned()).or_default();
        let hours = resources.entry(resource.to_owned()).or_default();
        let sum = hours.entry(hour.0.div_euclid(HOUR_NS)).or_default().entry(user).or_default();
        *sum = Weight::new(sum.units().saturating_add(weight.units()));
    }

    /// Whether a metric is known of a resource at all.
    pub fn knows(&self, metric: &str, resource: &str) -> bool {
        self.metrics.get(metric).is_some_and(|m| m.contains_key(resource))
    }

    /// Who used a resource in `start..end`, and how much, in a fixed order. Hours that the window touches count whole.
    pub fn between(&self, metric: &str, resource: &str, start: Timestamp, end: Timestamp) -> Vec<(User, Weight)> {
        let Some(hours) = self.metrics.get(metric).and_then(|m| m.get(resource)) else { return Vec::new() };
        let first = start.0.div_euclid(HOUR_NS);
        let last = end.0.saturating_sub(1).div_euclid(HOUR_NS).max(first);
        let mut sums: BTreeMap<&User, u64> = BTreeMap::new();
        for (user, weight) in hours.range(first..=last).flat_map(|(_, users)| users) {
            let sum = sums.entry(user).or_default();
            *sum = sum.saturating_add(weight.units());
        }
        sums.into_iter().map(|(user, units)| (user.clone(), Weight::new(units))).collect()
    }
}
