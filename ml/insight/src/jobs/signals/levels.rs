//! Levels near their limits: processors of machines, connections of databases.

use std::collections::{BTreeMap, BTreeSet};

use grid_findings::limits::SERIES_MAX;
use grid_findings::signal::{MODEL, Matters, Stretch, VERSION, level};
use grid_model::Timestamp;

use super::calls::parameters;
use super::{BUCKET, BUCKET_NS, Found, REFERENCE_NS, Run, Window};
use crate::jobs::{JobError, think};
use crate::read::{by_time, columns, literal, name, number, text, time, whole, within};

/// Metrics of connections with the metrics of their limits, as known exporters name them.
const CONNECTIONS: [(&str, &str); 4] = [
    ("db_connections", "db_connections_max"),
    ("pg_stat_activity_count", "pg_settings_max_connections"),
    ("mysql_global_status_threads_connected", "mysql_global_variables_max_connections"),
    ("redis_connected_clients", "redis_config_maxclients"),
];
/// The idle time of processors, as the node exporter counts it.
const CPU: &str = "node_cpu_seconds_total";
/// Labels that name a machine or database, the best first.
const NAMES: [&str; 4] = ["database", "resource_id", "node", "instance"];
/// A processor that is this busy for half an hour, where it is not at that time of day.
const BUSY: Matters = Matters { at_least: 0.9, rise: 0.25, buckets: 3 };
/// Connections that are nearly used up.
const USED_UP: Matters = Matters { at_least: 0.9, rise: 0.2, buckets: 1 };

/// A level with the statement that reads it.
struct Level {
    /// `SELECT name, bucket, value`, each row one bucket of one thing, without condition on the time.
    from: String,
    what: &'static str,
    matters: Matters,
}

pub(super) async fn find(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    let mut found = Vec::new();
    for of in levels(run).await? {
        let series = read(run, window, &of.from).await?;
        let matters = of.matters;
        let judged = think(move || {
            let judge = |(name, points): (String, Vec<f64>)| {
                let stretches = level(&points, window.start, BUCKET_NS, matters);
                (name, stretches)
            };
            series.into_iter().map(judge).collect::<Vec<_>>()
        })
        .await?;
        for (name, stretches) in judged {
            found.extend(stretches.iter().map(|s| told(&of, &name, window, s)));
        }
    }
    Ok(found)
}

pub(super) fn best_name(columns: &BTreeSet<String>) -> Option<&'static str> {
    NAMES.into_iter().find(|n| columns.contains(*n))
}

async fn levels(run: &Run<'_>) -> Result<Vec<Level>, JobError> {
    let mut levels = Vec::new();
    let of_cpu = columns(run.engine, run.tenant, CPU).await?;
    if let Some(label) = best_name(&of_cpu).filter(|_| of_cpu.contains("mode") && of_cpu.contains("cpu")) {
        levels.push(Level {
            from: format!(
                "SELECT {} AS name, time_bucket('{BUCKET}', time) AS bucket,\n    \
                 1 - rate(value, time, series_id) / count(DISTINCT cpu) AS value\n  \
                 FROM metrics.{} WHERE mode = 'idle' AND {{within}} GROUP BY 1, 2",
                name(label),
                name(CPU)
            ),
            what: "its processors",
            matters: BUSY,
        });
    }
    for (used, limit) in CONNECTIONS {
        let (of_used, of_limit) =
            (columns(run.engine, run.tenant, used).await?, columns(run.engine, run.tenant, limit).await?);
        let Some(label) = best_name(&of_used).filter(|l| of_limit.contains(*l)) else { continue };
        let (label, used, limit) = (name(label), name(used), name(limit));
        levels.push(Level {
            from: format!(
                "SELECT u.name AS name, u.bucket AS bucket, u.value / l.value AS value\n  \
                 FROM (SELECT {label} AS name, time_bucket('{BUCKET}', time) AS bucket, max(value) AS value FROM metrics.{used} WHERE {{within}} GROUP BY 1, 2) AS u\n  \
                 JOIN (SELECT {label} AS name, time_bucket('{BUCKET}', time) AS bucket, max(value) AS value FROM metrics.{limit} WHERE {{within}} GROUP BY 1, 2) AS l\n    \
                 ON u.name = l.name AND u.bucket = l.bucket WHERE l.value > 0"
            ),
            what: "its connections",
            matters: USED_UP,
        });
    }
    Ok(levels)
}

/// A statement over a range of time.
pub(super) fn sql(from: &str, start: Timestamp, end: Timestamp) -> String {
    from.replace("{within}", &within("time", start, end))
}

/// What a statement gives, by name, one value per bucket of the window. It is `SELECT name, bucket, value` with `{within}` for the condition on its time.
pub(super) async fn read(run: &Run<'_>, window: Window, from: &str) -> Result<BTreeMap<String, Vec<f64>>, JobError> {
    let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let sql = |start, end| {
        format!(
            "SELECT name, CAST(bucket AS BIGINT) AS bucket, round(value, 6) AS value FROM (\n  {}\n) WHERE name IS NOT NULL ORDER BY 1, 2",
            sql(from, start, end)
        )
    };
    for row in by_time(run.engine, run.tenant, (window.start, window.end), sql).await? {
        let name = text(&row, "name");
        if series.len() >= SERIES_MAX && !series.contains_key(name) {
            continue;
        }
        let points = series.entry(name.to_owned()).or_insert_with(|| vec![f64::NAN; window.buckets()]);
        let at = (whole(&row, "bucket") - window.start.0).div_euclid(BUCKET_NS);
        if let Some(point) = usize::try_from(at).ok().and_then(|at| points.get_mut(at)) {
            *point = number(&row, "value");
        }
    }
    Ok(series)
}

fn told(of: &Level, name: &str, window: Window, stretch: &Stretch) -> Found {
    let start = window.time(stretch.start, BUCKET_NS);
    let end = stretch.end.map(|end| window.time(end, BUCKET_NS));
    let sql = format!(
        "SELECT round(max(value) FILTER (WHERE bucket >= {0}), 4) AS actual,\n  round(avg(value) FILTER (WHERE bucket < {0}), 4) AS expected\nFROM (\n  {1}\n) WHERE name = {2}",
        time(start),
        sql(&of.from, start.saturating_add(-REFERENCE_NS), end.unwrap_or(window.end)),
        literal(name),
    );
    Found {
        kind: "saturation",
        // The graph knows hosts by their first label.
        node: name.split('.').next().unwrap_or(name).to_owned(),
        subject: name.to_owned(),
        labels: BTreeMap::from([("resource".to_owned(), name.to_owned())]),
        start,
        end,
        score: stretch.score,
        unit: "ratio",
        model: MODEL,
        version: VERSION,
        parameters: parameters(window, stretch),
        sql,
        title: format!("{name} uses {{actual}} of {} instead of {{expected}}", of.what),
    }
}
