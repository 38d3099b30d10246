//! `/api/v1/costs/allocation`: who pays, whether it adds up, and of what the rows were computed.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use grid_analytics::cost::state::PartState;
use grid_guard::Caller;
use grid_model::{Amount, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{amount, rows, sum, text};
use crate::error::ApiError;
use crate::extract::Json;
use crate::route::rfc3339;
use crate::state::ApiState;

/// Sums of one currency: charged = allocated + idle + unallocated.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Reconciled {
    /// The currency.
    currency: String,
    /// The sum of `effective_cost` of `charges`, read now.
    charged: String,
    /// What owners pay.
    allocated: String,
    /// What lies idle.
    idle: String,
    /// What is nobody's yet.
    unallocated: String,
    /// Charged minus the three others; other than 0 only while a part is stale.
    difference: String,
}

/// One billing period of one dataset.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PartItem {
    /// `SOURCE/DATASET/DATE`.
    part: String,
    /// Whether it will be computed again: its imports, rules or measurements have changed.
    stale: bool,
    /// When it was computed; null = never.
    computed: Option<String>,
    /// The version of the rules it was computed by; 0 = the default ones.
    rules_version: Option<u64>,
    /// Charges read.
    charges: u64,
    /// Rows of `allocations`.
    rows: u64,
    /// How long it took, in milliseconds.
    elapsed_ms: u64,
    /// Groups of charges that a rule should have split and could not, by rule.
    unsplit: BTreeMap<String, u64>,
}

/// The state of the allocation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Allocation {
    /// By currency.
    reconciliation: Vec<Reconciled>,
    /// The parts.
    parts: Vec<PartItem>,
    /// The version of the rules in force; 0 = the default ones.
    rules_version: u64,
    /// The statements behind `reconciliation`.
    sql: Vec<String>,
}

/// What to compute.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunBody {
    /// Compute every part, not only the stale ones.
    #[serde(default)]
    all: bool,
}

/// What was computed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunReport {
    /// Parts that were computed.
    computed: Vec<PartItem>,
    /// Parts that were up to date.
    unchanged: usize,
    /// Parts that are gone with their charges.
    dropped: Vec<String>,
}

fn item(part: String, state: Option<&PartState>, stale: bool) -> PartItem {
    PartItem {
        part,
        stale,
        computed: state.map(|s| rfc3339(Timestamp(s.computed))),
        rules_version: state.map(|s| s.rules_version),
        charges: state.map_or(0, |s| s.charges),
        rows: state.map_or(0, |s| s.rows),
        elapsed_ms: state.map_or(0, |s| s.elapsed_ms),
        unsplit: state.map(|s| s.unsplit.clone()).unwrap_or_default(),
    }
}

/// The state of the allocation and its reconciliation with the bills.
#[utoipa::path(get, path = "/api/v1/costs/allocation", tag = "costs",
    responses((status = 200, description = "Sums and parts.", body = Allocation)))]
pub(crate) async fn get(State(state): State<ApiState>, caller: Caller) -> Result<Reply<Allocation>, ApiError> {
    let charged = "SELECT billing_currency AS currency, sum(effective_cost) AS cost FROM charges GROUP BY 1";
    let kinds = "SELECT billing_currency AS currency, kind, sum(cost) AS cost FROM allocations GROUP BY 1, 2";
    let mut sums: BTreeMap<String, [Amount; 4]> = BTreeMap::new();
    for row in rows(&state, &caller, charged).await? {
        sums.entry(text(&row, "currency").to_owned()).or_default()[0] = amount(&row, "cost")?;
    }
    for row in rows(&state, &caller, kinds).await? {
        let at = match text(&row, "kind") {
            "allocated" => 1,
            "idle" => 2,
            _ => 3,
        };
        sums.entry(text(&row, "currency").to_owned()).or_default()[at] = amount(&row, "cost")?;
    }
    let mut reconciliation = Vec::new();
    for (currency, [charged, allocated, idle, unallocated]) in sums {
        let out = sum(sum(allocated, idle)?, unallocated)?;
        reconciliation.push(Reconciled {
            currency,
            charged: charged.to_string(),
            allocated: allocated.to_string(),
            idle: idle.to_string(),
            unallocated: unallocated.to_string(),
            difference: sum(charged, Amount(-out.0))?.to_string(),
        });
    }
    let active = state.engine.cost_rules(&caller.tenant).await?;
    let states = state.engine.allocation_states(&caller.tenant).await?;
    let now = (state.clock)();
    let parts = state.engine.cost_parts(&caller.tenant).await?;
    let parts = parts.into_iter().map(|part| {
        let known = states.get(&part.name);
        let stale = known.is_none_or(|s| s.is_stale(&part, &active.rules, now));
        item(part.name, known, stale)
    });
    let sql = vec![charged.to_owned(), kinds.to_owned()];
    Ok(Reply(Allocation { reconciliation, parts: parts.collect(), rules_version: active.version(), sql }))
}

/// Computes what is stale now, or everything. It happens by itself after an import and after a change of rules.
#[utoipa::path(post, path = "/api/v1/costs/allocation", tag = "costs", request_body = RunBody,
    responses((status = 200, description = "Done.", body = RunReport)))]
pub(crate) async fn post(
    State(state): State<ApiState>,
    caller: Caller,
    Json(body): Json<RunBody>,
) -> Result<Reply<RunReport>, ApiError> {
    caller.require(grid_guard::Scope::Admin)?;
    let report = state.engine.allocate(&caller.tenant, body.all).await?;
    let computed = report.computed.into_iter().map(|(name, state)| item(name, Some(&state), false)).collect();
    Ok(Reply(RunReport { computed, unchanged: report.unchanged, dropped: report.dropped }))
}
