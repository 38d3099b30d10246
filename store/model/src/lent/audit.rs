//! `audit`: who did what, when, and what allowed it.

use crate::table::record::record_table;
use crate::time::Timestamp;

record_table! {
    /// One deed.
    pub struct AuditRow {
        /// Its number; a later deed has a larger one.
        audit_id: u64,
        /// When.
        time: Timestamp,
        /// Who: a person, a token, or `grid` itself.
        actor: String,
        /// What: `release.submit`, `environment.override`, ...
        action: String,
        /// To what: an environment, a release, a plan, a recommendation.
        subject: String,
        /// By which scope, vote or policy it was allowed.
        allowed_by: String,
        /// More, in words.
        detail: String,
    }
}
