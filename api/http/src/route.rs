//! The routes, one file per subject: its handlers and the shapes it speaks.

pub mod asker;
pub mod sql;
pub mod prometheus;
pub mod queries;
pub mod estimates;
pub mod imports;
pub mod prices;
pub mod commitments;
pub mod costs;
pub mod opencost;
pub mod cost_reports;
pub mod budgets;
pub mod alert_rules;
pub mod saved_reports;
pub mod alerts;
pub mod silences;
pub mod webhooks;
pub mod deliveries;
pub mod anomalies;
pub mod forecasts;
pub mod patterns;
pub mod recommendations;
pub mod provision;
pub mod charges;
pub mod conformance;
pub mod status;
pub mod delete;
pub mod retention;
pub mod admin;
pub mod tokens;
pub mod health;
pub mod metrics;

use grid_finance::calendar::Day;
use grid_model::Timestamp;

use crate::error::ApiError;

/// A time as the API writes it: RFC 3339.
pub(crate) fn rfc3339(t: Timestamp) -> String {
    let text = t.to_string();
    // Whole seconds are the rule; nine zeros say nothing.
    text.strip_suffix(".000000000Z").map_or_else(|| text.clone(), |whole| format!("{whole}Z"))
}

/// Reads a time: RFC 3339, or a number of seconds since 1970 (fractions allowed).
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ns = seconds * 1e9;
        return (ns.is_finite() && ns.abs() < i64::MAX as f64).then_some(Timestamp(ns as i64));
    }
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    time.timestamp_nanos_opt().map(Timestamp)
}

/// Reads the time of a look back: a day is its first instant.
pub(crate) fn as_of(text: &str) -> Result<Timestamp, ApiError> {
    let time = parse_time(text).or_else(|| Day::parse(text).map(Day::start));
    time.ok_or_else(|| {
        ApiError::Parameter(format!("as_of is {text:?}, it must be a time such as 2026-11-05T12:00:00Z, or a day"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_and_written() {
        for (text, ns, written) in [
            ("2025-12-01T00:00:00Z", 1_764_547_200_000_000_000, "2025-12-01T00:00:00Z"),
            ("2025-12-01T01:00:00.5+01:00", 1_764_547_200_500_000_000, "2025-12-01T00:00:00.500000000Z"),
            ("1764547200", 1_764_547_200_000_000_000, "2025-12-01T00:00:00Z"),
            ("-1", -1_000_000_000, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(parse_time(text), Some(Timestamp(ns)), "{text}");
            assert_eq!(rfc3339(Timestamp(ns)), written);
        }
        for bad in ["", "yesterday", "2025-12-01", "1e300", "NaN", "9999-01-01T00:00:00Z"] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }
}
