//! `forecasts`: when something will be full, spent or used up, with an interval. Written by jobs in parts.

use super::record::{Labels, record_table};
use crate::money::Amount;
use crate::time::Timestamp;

/// When it was made.
pub const MADE_TIME: &str = "made_time";

record_table! {
    /// One question about the future with its answer.
    pub struct ForecastRow {
        /// Made of what is asked of what.
        forecast_id: String,
        /// `disk_full`, `memory_limit`, `connections_limit` or `budget_spent`.
        kind: String,
        /// Of what: a resource, a container, a budget.
        subject: String,
        /// What further describes the subject.
        labels: Labels,
        /// One sentence for people.
        title: String,
        /// The last value that was seen.
        current: f64,
        /// The value at which it is full or spent.
        limit: f64,
        /// What both are measured in.
        unit: String,
        /// The budget, exactly.
        amount: Option<Amount>,
        /// Its currency.
        currency: Option<String>,
        /// The earliest time at which it may happen; null: not within the horizon.
        earliest: Option<Timestamp>,
        /// The time at which it is expected; null: not within the horizon.
        expected: Option<Timestamp>,
        /// The latest time at which it may happen; null: perhaps not within the horizon.
        latest: Option<Timestamp>,
        /// Share of cases in which the interval holds.
        level: f64,
        /// The end of what was forecast.
        horizon: Timestamp,
        /// Forecast points as JSON: a list of time, mean, lower, upper.
        points: String,
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
        /// The query that gives the values on which it rests.
        query: String,
        /// The numbers that its answer contained when the forecast was made, by column, as JSON.
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
            ForecastRow { forecast_id: "a".into(), ..ForecastRow::default() },
            ForecastRow { expected: Some(Timestamp(1)), amount: Some(Amount(7)), ..ForecastRow::default() },
        ];
        assert_eq!(read(&batch(&rows)).as_deref(), Some(&rows[..]));
    }
}
