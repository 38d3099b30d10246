//! `plans`: what was planned, and what it costs. Money is a month's, of 730 hours; it is NULL where a part of it is not known.

use crate::money::Amount;
use crate::table::record::record_table;
use crate::time::Timestamp;

record_table! {
    /// One plan.
    pub struct PlanRow {
        /// Made of what it was planned from.
        plan_id: String,
        /// Of which environment.
        environment: String,
        /// What for: `apply`, `undo` or `destroy`.
        goal: String,
        /// The plan that it takes back.
        parent_plan_id: Option<String>,
        /// The serial of the state that it was made of.
        state_serial: u64,
        /// When it was made.
        created_time: Timestamp,
        /// Who asked for it.
        created_by: String,
        /// Resources that it creates.
        creates: u64,
        /// Resources that it changes in place.
        updates: u64,
        /// Resources that it deletes and creates anew.
        replaces: u64,
        /// Resources that it deletes.
        deletes: u64,
        /// Resources that it leaves as they are.
        unchanged: u64,
        /// What it adds to the cost of a month at least; negative for a saving.
        monthly_delta_low: Option<Amount>,
        /// What it adds most likely.
        monthly_delta: Option<Amount>,
        /// What it adds at most.
        monthly_delta_high: Option<Amount>,
        /// What the environment costs a month afterwards, most likely.
        monthly_cost: Option<Amount>,
        /// Steps of which nobody knows what they cost.
        unknown_costs: u64,
        /// The currency of all of these.
        currency: String,
        /// What the second opinion found.
        findings: u64,
        /// In a sentence.
        summary: String,
    }
}
