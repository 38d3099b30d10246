//! `patterns`: how things are used, and which are used alike. Written by a job in one part.

use super::record::{Labels, record_table};
use crate::time::Timestamp;

/// When it was made.
pub const MADE_TIME: &str = "made_time";

record_table! {
    /// The use of one thing by one measure.
    pub struct PatternRow {
        /// Made of what is measured of what.
        pattern_id: String,
        /// The rhythm: `idle`, `steady`, `office_hours`, `daytime`, `nights`, `weekends`, `daily`, `bursty` or `irregular`.
        kind: String,
        /// Of what: a machine, a workload, a service.
        subject: String,
        /// What is measured: `cpu`, `memory`, `calls`.
        measure: String,
        /// What further describes the subject.
        labels: Labels,
        /// One sentence for people.
        title: String,
        /// What the numbers are measured in.
        unit: String,
        /// Hours that were seen.
        hours: u64,
        /// The value that 5 of a hundred hours do not pass.
        low: f64,
        /// The value that half of the hours do not pass.
        usual: f64,
        /// The value that 95 of a hundred hours do not pass.
        high: f64,
        /// Share of the deviation from the usual that the hour of the day explains, from 0 to 1.
        regularity: f64,
        /// Growth per week in parts of the usual; 0 if none is certain.
        growth: f64,
        /// Hours of a week, of 168, in which a fifth of the highest hour is not passed.
        quiet_hours: u64,
        /// The hour of the day, in UTC, in which most is used.
        top_hour: u64,
        /// The number of the cluster of those that are used alike, the largest is 1; null if there are too few to compare.
        cluster: Option<u64>,
        /// Things in that cluster.
        cluster_size: Option<u64>,
        /// How far the shape is from that of the cluster; 0 is the same.
        cluster_distance: Option<f64>,
        /// The service whose calls drive the use; null if none is known to.
        driver: Option<String>,
        /// Share of the variance that the driver explained on hours that the line was not drawn by.
        driver_share: Option<f64>,
        /// What is used without any call.
        driver_base: Option<f64>,
        /// What one more call a second uses.
        driver_slope: Option<f64>,
        /// The medians of the hours of a working day, then of a day of the weekend, as JSON: 48 numbers, null where none was seen.
        profile: String,
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
        /// The numbers that its answer contained when the row was made, by column, as JSON.
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
            PatternRow { pattern_id: "a".into(), usual: 0.5, ..PatternRow::default() },
            PatternRow {
                cluster: Some(2),
                driver: Some("cart".into()),
                driver_share: Some(0.9),
                ..PatternRow::default()
            },
        ];
        assert_eq!(read(&batch(&rows)).as_deref(), Some(&rows[..]));
    }
}
