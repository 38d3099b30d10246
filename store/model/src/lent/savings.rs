//! `savings`: the ledger. What accepted recommendations promised a month, and what the bills say that they save.

use crate::money::Amount;
use crate::table::record::record_table;
use crate::time::Timestamp;

record_table! {
    /// One entry.
    pub struct SavingRow {
        /// `recommendations.recommendation_id`.
        recommendation_id: String,
        /// The environment that has the resource.
        environment: String,
        /// The resource there: `vm.web`.
        resource_address: String,
        /// The resource as its bill spells it.
        resource_id: String,
        /// What was done, in a sentence.
        title: String,
        /// Who accepted it: a person, or `grid` by the environment's policy.
        accepted_by: String,
        /// When it was accepted.
        accepted_time: Timestamp,
        /// When it was applied, if it is kept.
        applied_time: Option<Timestamp>,
        /// `under_way`, `not_billed_yet`, `as_predicted`, `less`, `more` or `not_kept`.
        outcome: String,
        /// What was to be saved a month at least.
        predicted_saving_low: Amount,
        /// What was to be saved a month most likely.
        predicted_saving: Amount,
        /// What was to be saved a month at most.
        predicted_saving_high: Amount,
        /// What is saved a month by the bills, negative if it costs more; zero if the change was not kept; NULL while no bill says.
        realised_saving: Option<Amount>,
        /// The currency of all of these.
        currency: String,
    }
}
