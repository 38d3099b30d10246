//! Alertmanager's API, version 2: `POST /api/v2/alerts`.

use serde_json::{Value, json};

use crate::alert::Held;
use crate::message::rfc3339;
use grid_model::Timestamp;

/// The body: alerts as they stand. One that fires ends at `valid_until` unless it is sent again before, as Prometheus promises it.
pub fn body<'a>(alerts: impl Iterator<Item = &'a Held>, now: Timestamp, valid_until: Timestamp) -> String {
    let one = |alert: &Held| {
        let ends = if alert.resolved_at(now) { alert.ends_at } else { valid_until };
        json!({
            "labels": alert.labels,
            "annotations": alert.annotations,
            "startsAt": rfc3339(alert.starts_at),
            "endsAt": rfc3339(ends),
            "generatorURL": alert.generator_url,
        })
    };
    Value::Array(alerts.map(one).collect()).to_string()
}
