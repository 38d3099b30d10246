//! `releases`: plans on their way through the queue and its gates.

use crate::money::Amount;
use crate::table::record::record_table;
use crate::time::Timestamp;

record_table! {
    /// One release.
    pub struct ReleaseRow {
        /// Its name: `prod-12`.
        release_id: String,
        /// Of which environment.
        environment: String,
        /// Its number there.
        number: u64,
        /// `full`, `selective`, `plan-only`, `hotfix` or `rollback`.
        kind: String,
        /// `low`, `normal`, `high` or `emergency`.
        priority: String,
        /// `waiting`, `running`, `yielded`, `checking`, `undoing`, `done`, `failed`, `undone`, `undo failed`, `cancelled`, `superseded`.
        state: String,
        /// Why it is in that state.
        reason: Option<String>,
        /// Why it does not start.
        hold_reason: Option<String>,
        /// What it carries out (`plans.plan_id`).
        plan_id: String,
        /// The plan that takes it back.
        undo_plan_id: Option<String>,
        /// The recommendation that it carries out.
        recommendation_id: Option<String>,
        /// Who submitted it.
        submitted_by: String,
        /// The policy that allowed it, where no person had to.
        approved_by: Option<String>,
        /// Votes for its present plan.
        votes_for: u64,
        /// Votes against it.
        votes_against: u64,
        /// What for.
        note: String,
        /// When it was submitted.
        submitted_time: Timestamp,
        /// When it began.
        started_time: Option<Timestamp>,
        /// When its plan was applied.
        applied_time: Option<Timestamp>,
        /// When it ended.
        ended_time: Option<Timestamp>,
        /// What its plan adds to the cost of a month most likely; NULL where that is not known.
        monthly_delta: Option<Amount>,
        /// The currency of that.
        currency: Option<String>,
    }
}
