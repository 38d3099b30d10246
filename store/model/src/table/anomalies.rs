//! `anomalies`: what was found to be unusual, since when, and why. Written by jobs in parts, never by hand.

use super::record::{Labels, record_table};
use crate::money::Amount;
use crate::time::Timestamp;

/// When it began.
pub const START_TIME: &str = "start_time";

record_table! {
    /// One anomaly.
    pub struct AnomalyRow {
        /// Made of what is unusual, where and since when: the same finding has the same id whenever it is made.
        anomaly_id: String,
        /// What it is: `errors`, `latency`, `saturation`, `memory_growth`, `restarts`, `log_new`, `log_burst`, `log_vanished`, `cost_spike`,
        /// `cost_drift`, `cost_new`, `cost_moved`.
        kind: String,
        /// Of what: a service, a database, a container, a machine, an account.
        subject: String,
        /// What further describes the subject.
        labels: Labels,
        /// One sentence for people.
        title: String,
        /// When it began.
        start_time: Timestamp,
        /// When it ended; null while it lasts.
        end_time: Option<Timestamp>,
        /// How strange it is: 1 is just worth telling.
        score: f64,
        /// What was seen, at its worst; money as a number for people, see `impact`.
        actual: f64,
        /// What was expected instead.
        expected: f64,
        /// What `actual` and `expected` are measured in.
        unit: String,
        /// What it cost more than expected.
        impact: Option<Amount>,
        /// The currency of `impact`.
        currency: Option<String>,
        /// Whether it rests on charges whose billing period is still open.
        provisional: bool,
        /// The incident that it is a part of: the id of its first anomaly.
        incident_id: String,
        /// Place among the anomalies of its incident, the likeliest cause first, counted from 1.
        rank: u64,
        /// What probably caused it, in words; of cost the dimensions that explain it.
        cause: String,
        /// The same as JSON: a list of causes, the likeliest first.
        causes: String,
        /// `open`, or what feedback made of it: `confirmed`, `dismissed`, `planned`.
        state: String,
        /// The job that found it.
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
        /// The numbers that its answer contained when the finding was made, by column, as JSON.
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
        let bare = AnomalyRow { anomaly_id: "a".into(), kind: "errors".into(), ..AnomalyRow::default() };
        let full = AnomalyRow {
            labels: [("team".to_owned(), "shop".to_owned())].into(),
            end_time: Some(Timestamp(5)),
            impact: Some(Amount(-3)),
            currency: Some("USD".into()),
            provisional: true,
            rank: 2,
            score: 1.5,
            ..bare.clone()
        };
        let rows = [bare, full];
        let written = batch(&rows);
        assert_eq!(written.schema(), schema());
        assert_eq!(read(&written).as_deref(), Some(&rows[..]));
        assert_eq!(read(&written.project(&[0]).expect("a column")), None);
    }
}
