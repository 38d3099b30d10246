//! What is known of each computed part: of what it was computed, when, and its sums. Kept as documents, shown by the API.

use std::collections::BTreeMap;

use grid_cost::Rules;
use grid_cost::allocate::Sums;
use grid_model::time::{DAY_NS, HOUR_NS};
use grid_model::{TenantId, Timestamp};
use grid_store::DocumentKey;
use serde::{Deserialize, Serialize};

use super::{CostError, STATE_KIND, part::Part};
use crate::engine::Engine;

/// How long after its last charge a part's measurements may still arrive.
const MEASUREMENTS_LATE_NS: i64 = 2 * DAY_NS;

/// Sums of one currency, as decimal text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoredSums {
    /// Sum of `effective_cost` of the charges.
    pub charged: String,
    /// What owners pay of it.
    pub allocated: String,
    /// What lies idle.
    pub idle: String,
    /// What is nobody's.
    pub unallocated: String,
    /// Charged minus the three others: `0`.
    pub difference: String,
}

impl From<&Sums> for StoredSums {
    fn from(sums: &Sums) -> Self {
        Self {
            charged: sums.charged.to_string(),
            allocated: sums.allocated.to_string(),
            idle: sums.idle.to_string(),
            unallocated: sums.unallocated.to_string(),
            difference: sums.difference().to_string(),
        }
    }
}

/// One computed part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartState {
    /// The imports and accounts it was computed of.
    pub imports: Vec<String>,
    /// The fingerprint of the rules that hold in it.
    pub rules: String,
    /// The version of the rules; 0 = the default ones.
    pub rules_version: u64,
    /// Start of its first charge, in nanoseconds.
    pub from: i64,
    /// End of its last charge, in nanoseconds.
    pub until: i64,
    /// The hour up to which measurements were read; absent if no rule measures.
    pub measured_hour: Option<i64>,
    /// Rows of `allocations`.
    pub rows: u64,
    /// Charges read.
    pub charges: u64,
    /// By currency.
    pub sums: BTreeMap<String, StoredSums>,
    /// Groups of charges that could not be split as a rule says, by rule.
    pub unsplit: BTreeMap<String, u64>,
    /// When, in nanoseconds.
    pub computed: i64,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// The hour up to which a part's measurements can be known now; `None` if no rule measures.
pub(super) fn measured_hour(rules: &Rules, now: Timestamp, range: Option<(Timestamp, Timestamp)>) -> Option<i64> {
    rules.used_metrics().next()?;
    let until = range?.1.0.saturating_add(MEASUREMENTS_LATE_NS);
    Some(now.0.min(until).div_euclid(HOUR_NS))
}

impl PartState {
    pub(super) fn fingerprint_of(rules: &Rules, range: Option<(Timestamp, Timestamp)>) -> String {
        let (from, until) = range.unwrap_or_default();
        format!("{:016x}", rules.fingerprint(from, until))
    }

    /// Whether the part must be computed again.
    pub fn is_stale(&self, part: &Part, rules: &Rules, now: Timestamp) -> bool {
        let range = Some((Timestamp(self.from), Timestamp(self.until)));
        self.imports != part.fingerprint
            || self.rules != Self::fingerprint_of(rules, range)
            || self.measured_hour != measured_hour(rules, now, range)
    }
}

fn key(tenant: &TenantId, part: &str) -> DocumentKey {
    DocumentKey { tenant: tenant.clone(), kind: STATE_KIND, name: part.to_owned() }
}

impl Engine {
    /// The state of every computed part, by name. One that does not read counts as never computed.
    pub async fn allocation_states(&self, tenant: &TenantId) -> Result<BTreeMap<String, PartState>, CostError> {
        let documents = self.shared.store.catalog().documents(tenant, STATE_KIND).await?;
        let read = |body: &str| serde_json::from_str(body).ok();
        Ok(documents.into_iter().filter_map(|d| Some((d.name, read(&d.body)?))).collect())
    }

    pub(super) async fn keep_state(&self, tenant: &TenantId, part: &str, state: &PartState) -> Result<(), CostError> {
        let store = &self.shared.store;
        let body = serde_json::to_string(state).map_err(|e| CostError::Document(e.to_string()))?;
        store.catalog().put_document(&key(tenant, part), &body, "grid", None, store.now()).await?;
        Ok(())
    }

    pub(super) async fn drop_state(&self, tenant: &TenantId, part: &str) -> Result<(), CostError> {
        let store = &self.shared.store;
        store.catalog().delete_document(&key(tenant, part), "grid", None, store.now()).await?;
        Ok(())
    }
}
