//! `actions`: accepted recommendations on their way from the override to what is kept.

use crate::money::Amount;
use crate::table::record::record_table;
use crate::time::Timestamp;

record_table! {
    /// One accepted recommendation.
    pub struct ActionRow {
        /// `recommendations.recommendation_id`.
        recommendation_id: String,
        /// The environment that has the resource.
        environment: String,
        /// The resource there: `vm.web`.
        resource_address: String,
        /// The resource as its bill spells it.
        resource_id: String,
        /// What is done, in a sentence.
        title: String,
        /// The field that is changed; empty for the resource as a whole.
        field: String,
        /// To what, as JSON; NULL if it is left out.
        proposed: Option<String>,
        /// `accepted`, `overridden`, `planned`, `queued`, `applying`, `verifying`, `undoing`, `kept`, `undone`, `dropped`, `stuck`.
        state: String,
        /// Why it is in that state.
        reason: Option<String>,
        /// What a person has to know.
        note: Option<String>,
        /// Who accepted it: a person, or `grid` by the environment's policy.
        accepted_by: String,
        /// When.
        accepted_time: Timestamp,
        /// When it came into its state.
        state_time: Timestamp,
        /// The release that carries it out (`releases.release_id`).
        release_id: Option<String>,
        /// The release that takes it back.
        undo_release_id: Option<String>,
        /// The probability that what is proposed is too little within a week.
        risk: f64,
        /// What is saved a month at least.
        predicted_saving_low: Amount,
        /// What is saved a month most likely.
        predicted_saving: Amount,
        /// What is saved a month at most.
        predicted_saving_high: Amount,
        /// What the resource costs a month by its plan, as it was.
        monthly_cost_before: Option<Amount>,
        /// What it costs a month by its plan, as it is to be.
        monthly_cost_after: Option<Amount>,
        /// The currency of all of these.
        currency: String,
        /// What was read back from the driver.
        read_back: Option<String>,
    }
}
