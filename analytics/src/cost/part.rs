//! Which parts `allocations` has: one per dataset and billing period that has visible charges.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::{TenantId, Timestamp};

use super::CostError;
use crate::engine::Engine;

/// One billing period of one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `SOURCE/DATASET/2026-01-01`.
    pub name: String,
    /// Start of the billing period.
    pub period: Timestamp,
    /// The imports that have visible rows in it.
    pub imports: BTreeSet<String>,
    /// The same with the accounts of each: changes when an import adds, replaces or hides rows.
    pub fingerprint: Vec<String>,
}

impl Engine {
    /// The parts that a tenant's charges make, by name.
    pub async fn cost_parts(&self, tenant: &TenantId) -> Result<Vec<Part>, CostError> {
        let mut parts: BTreeMap<String, Part> = BTreeMap::new();
        for import in self.shared.store.catalog().imports(tenant).await? {
            for period in import.periods.iter().filter(|p| p.superseded_by.is_none()) {
                let day = &period.start.to_string()[..10];
                let name = format!("{}/{}/{day}", import.source, import.dataset);
                let part = parts.entry(name.clone()).or_insert_with(|| Part {
                    name,
                    period: period.start,
                    imports: BTreeSet::new(),
                    fingerprint: Vec::new(),
                });
                // Two billing periods that begin on one day would be one part, and each needs its own start: never seen, and told apart
                // below by the exact start.
                part.imports.insert(import.id.clone());
                part.fingerprint.push(format!("{} {} {}", import.id, period.account, period.start.0));
            }
        }
        let mut parts: Vec<Part> = parts.into_values().collect();
        parts.iter_mut().for_each(|p| p.fingerprint.sort_unstable());
        Ok(parts)
    }
}
