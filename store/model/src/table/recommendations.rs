//! `recommendations`: what to change, what that saves and what it risks. Written by jobs in parts; what people decide about them is kept apart, as
//! documents.

use super::record::{Labels, record_table};
use crate::money::Amount;
use crate::time::Timestamp;

/// When it was first made.
pub const CREATED_TIME: &str = "created_time";

record_table! {
    /// One recommendation.
    pub struct RecommendationRow {
        /// Made of the resource and the kind of change: a better proposal for the same resource keeps it.
        recommendation_id: String,
        /// What to do: `rightsize`, `raise`, `stop`, `schedule`, `delete`, `snapshot_delete`, `release`, `spot`, `commit`.
        action: String,
        /// The resource, as its bill spells it; of a commitment its scope.
        resource_id: String,
        /// What it is: `virtual_machine`, `autoscaling_group`, `node_pool`, `container`, `database`, `disk`, `snapshot`, `load_balancer`, `address`,
        /// `cluster`, `commitment`.
        resource_kind: String,
        /// Who sells it.
        provider: Option<String>,
        /// The account, project or subscription.
        account: Option<String>,
        /// The region.
        region: Option<String>,
        /// The team that pays, by tag.
        team: Option<String>,
        /// What further describes the resource.
        labels: Labels,
        /// One sentence for people.
        title: String,
        /// As it is: a type of machine, a size.
        present: String,
        /// As it should be; empty if it should go.
        proposed: String,
        /// What the resource costs in a month of 730 hours, at its effective price.
        monthly_cost: Amount,
        /// What is saved in a month at least.
        saving_low: Amount,
        /// What is saved in a month most likely.
        saving: Amount,
        /// What is saved in a month at most; never more than `monthly_cost`.
        saving_high: Amount,
        /// The currency of all four.
        currency: String,
        /// Probability that within 7 days the use is above what is proposed.
        risk: f64,
        /// What the last days would have looked like, as JSON: hours, hours above the proposal, highest use of it.
        replay: String,
        /// `VeryLow` to `VeryHigh`.
        effort: String,
        /// Whether it takes a restart.
        restart_needed: bool,
        /// Whether it can be undone.
        rollback_possible: bool,
        /// How to undo it.
        rollback: String,
        /// Who or what is hit if it goes wrong.
        blast_radius: String,
        /// When it was first made.
        created_time: Timestamp,
        /// When it no longer holds, unless it is made again.
        expires_time: Timestamp,
        /// The job that made it.
        job: String,
        /// The model.
        model: String,
        /// Its version.
        version: u64,
        /// Its parameters as JSON.
        parameters: String,
        /// The generation of the store that it was read from.
        generation: u64,
        /// The language of `query`: `sql` or `promql`.
        language: String,
        /// The query that shows it.
        query: String,
        /// The numbers that its answer contained when the recommendation was made, by column, as JSON.
        evidence: String,
        /// The end of the data that were looked at.
        made_time: Timestamp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back() {
        let rows = [
            RecommendationRow { recommendation_id: "a".into(), ..RecommendationRow::default() },
            RecommendationRow { saving: Amount(1), region: Some("r".into()), ..RecommendationRow::default() },
        ];
        assert_eq!(read(&batch(&rows)).as_deref(), Some(&rows[..]));
    }
}
