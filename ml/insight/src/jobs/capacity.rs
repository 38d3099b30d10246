//! When will it be full, when is it spent: disks of machines and databases, and budgets. [`budgets`] is the money.

mod budgets;

use std::collections::BTreeMap;

use grid_findings::capacity::{LEVEL, Reach, reach};
use grid_findings::limits::SERIES_MAX;
use grid_findings::stable_id;
use grid_ml::forecast::VERSION;
use grid_model::Timestamp;
use grid_model::table::forecasts::ForecastRow;
use grid_model::time::{DAY_NS, HOUR_NS};
use serde_json::json;

use super::{Done, Job, JobError, Run, think};
use crate::evidence::Evidence;
use crate::keep;
use crate::limits::{EVIDENCE_MAX, FORECASTS_KEPT};
use crate::read::{columns, literal, name, number, rows, text, whole, within};

/// Days of history.
const HISTORY_DAYS: i64 = 14;
/// Days ahead.
const HORIZON_DAYS: i64 = 120;
/// One point: levels of disks move slowly.
const STEP_NS: i64 = 6 * HOUR_NS;
const STEP: &str = "6h";
/// A forecast for each disk would be noise: only those of which this part is used, or which fill within the horizon, are told.
const TOLD_FROM: f64 = 0.8;
const GIB: f64 = 1_073_741_824.0;

/// Free space with its whole: metric of what is free, metric of the whole, labels that name the thing.
const DISKS: [(&str, &str, &[&str]); 3] = [
    ("node_filesystem_avail_bytes", "node_filesystem_size_bytes", &["resource_id", "node", "instance", "mountpoint"]),
    (
        "kubelet_volume_stats_available_bytes",
        "kubelet_volume_stats_capacity_bytes",
        &["namespace", "persistentvolumeclaim"],
    ),
    ("db_storage_free_bytes", "db_storage_size_bytes", &["database", "resource_id"]),
];

pub(super) async fn run(run: &Run<'_>) -> Result<Done, JobError> {
    let mut forecasts = budgets::find(run).await?;
    for disk in DISKS {
        forecasts.extend(disks(run, disk).await?);
    }
    forecasts.sort_by(|a, b| {
        let soon = |f: &ForecastRow| f.expected.or(f.earliest).unwrap_or(Timestamp::MAX);
        soon(a).cmp(&soon(b)).then_with(|| a.forecast_id.cmp(&b.forecast_id))
    });
    forecasts.truncate(FORECASTS_KEPT);
    let job = Job::Capacity.name();
    let before: Vec<ForecastRow> = keep::rows_of(run.engine, run.tenant, job).await?;
    let count = forecasts.len();
    Ok(Done {
        rows: count,
        changed: keep::replace(run.store, run.tenant, job, &before, forecasts).await?,
        failed: Vec::new(),
    })
}

/// One disk: its labels, free bytes per step, and its size if that is known.
type Disk = (Vec<(String, String)>, Vec<f64>, Option<f64>);

async fn disks(run: &Run<'_>, (free, size, labels): (&str, &str, &[&str])) -> Result<Vec<ForecastRow>, JobError> {
    let has = columns(run.engine, run.tenant, free).await?;
    let labels: Vec<&str> = labels.iter().copied().filter(|l| has.contains(*l)).collect();
    if labels.is_empty() {
        return Ok(Vec::new());
    }
    let end = Timestamp(run.until.0 - run.until.0.rem_euclid(STEP_NS));
    let start = end.saturating_add(-HISTORY_DAYS * DAY_NS);
    let sizes = sizes(run, size, &labels, start, end).await?;
    let names: Vec<String> = labels.iter().map(|l| format!("coalesce({0}, '') AS {0}", name(l))).collect();
    let positions: Vec<String> = (1..=labels.len() + 1).map(|n| n.to_string()).collect();
    let sql = format!(
        "SELECT {}, CAST(time_bucket('{STEP}', time) AS BIGINT) AS bucket, min(value) AS value FROM metrics.{} WHERE {} GROUP BY {p} ORDER BY {p}",
        names.join(", "),
        name(free),
        within("time", start, end),
        p = positions.join(", "),
    );
    let steps = ((end.0 - start.0) / STEP_NS) as usize;
    let mut series: BTreeMap<Vec<(String, String)>, Vec<f64>> = BTreeMap::new();
    for row in rows(run.engine, run.tenant, &sql).await? {
        let key: Vec<(String, String)> = labels.iter().map(|l| ((*l).to_owned(), text(&row, l).to_owned())).collect();
        if series.len() >= SERIES_MAX && !series.contains_key(&key) {
            continue;
        }
        let points = series.entry(key).or_insert_with(|| vec![f64::NAN; steps]);
        let at = (whole(&row, "bucket") - start.0).div_euclid(STEP_NS);
        if let Some(point) = usize::try_from(at).ok().and_then(|at| points.get_mut(at)) {
            *point = number(&row, "value");
        }
    }
    let all: Vec<Disk> =
        series.into_iter().map(|(key, points)| (key.clone(), points, sizes.get(&key).copied())).collect();
    let found = think(move || all.into_iter().filter_map(|disk| judge(disk, start)).collect::<Vec<_>>()).await?;
    let mut forecasts = Vec::new();
    for (key, whole, reach) in found.into_iter().take(EVIDENCE_MAX) {
        forecasts.push(told(run, free, &key, whole, &reach, start, end).await?);
    }
    Ok(forecasts)
}

async fn sizes(
    run: &Run<'_>,
    size: &str,
    labels: &[&str],
    start: Timestamp,
    end: Timestamp,
) -> Result<BTreeMap<Vec<(String, String)>, f64>, JobError> {
    let has = columns(run.engine, run.tenant, size).await?;
    if !labels.iter().all(|l| has.contains(*l)) {
        return Ok(BTreeMap::new());
    }
    let names: Vec<String> = labels.iter().map(|l| format!("coalesce({0}, '') AS {0}", name(l))).collect();
    let positions: Vec<String> = (1..=labels.len()).map(|n| n.to_string()).collect();
    let sql = format!(
        "SELECT {}, max(value) AS value FROM metrics.{} WHERE {} GROUP BY {p} ORDER BY {p}",
        names.join(", "),
        name(size),
        within("time", start, end),
        p = positions.join(", "),
    );
    let key = |row: &serde_json::Value| labels.iter().map(|l| ((*l).to_owned(), text(row, l).to_owned())).collect();
    Ok(rows(run.engine, run.tenant, &sql).await?.iter().map(|row| (key(row), number(row, "value"))).collect())
}

/// What was used of a disk, and when nothing is left; `None` if that is far away, or cannot be said.
fn judge((key, free, size): Disk, start: Timestamp) -> Option<(Vec<(String, String)>, f64, Reach)> {
    // Without its size, as much is whole as was ever free.
    let whole = size.unwrap_or_else(|| free.iter().copied().fold(0.0, f64::max));
    let used: Vec<f64> = free.iter().map(|f| (whole - f) / GIB).collect();
    let horizon = (HORIZON_DAYS * DAY_NS / STEP_NS) as usize;
    let reach = reach(&used, start, STEP_NS, whole / GIB, horizon).ok()?;
    let last = free.iter().rev().copied().find(|v| v.is_finite())?;
    let is_near = size.is_some() && last <= (1.0 - TOLD_FROM) * whole;
    (reach.expected.is_some() || is_near).then_some((key, whole, reach))
}

async fn told(
    run: &Run<'_>,
    free: &str,
    key: &[(String, String)],
    whole: f64,
    reach: &Reach,
    start: Timestamp,
    end: Timestamp,
) -> Result<ForecastRow, JobError> {
    let conditions: Vec<String> =
        key.iter().map(|(k, v)| format!("coalesce({}, '') = {}", name(k), literal(v))).collect();
    let sql = format!(
        "SELECT round(min(value) FILTER (WHERE time >= {}) / 1073741824, 2) AS free_gib,
  round(max(value) FILTER (WHERE time < {}) / 1073741824, 2) AS free_gib_before
FROM metrics.{}
WHERE {} AND {}",
        crate::read::time(end.saturating_add(-STEP_NS)),
        crate::read::time(start.saturating_add(DAY_NS)),
        name(free),
        conditions.join(" AND "),
        within("time", start, end),
    );
    let evidence = Evidence::ask(run.engine, run.tenant, sql).await?;
    let subject = key.iter().map(|(_, v)| v.as_str()).filter(|v| !v.is_empty()).collect::<Vec<_>>().join(" ");
    let round = |v: f64| (v * 100.0).round() / 100.0;
    let current = round(evidence.number("free_gib"));
    let when = |t: Option<Timestamp>| t.map_or_else(|| "later".to_owned(), |t| t.to_string()[..10].to_owned());
    let title = match reach.expected {
        Some(_) => format!(
            "{subject} is full on {} ({} to {}): {current} GiB are free",
            when(reach.expected),
            when(reach.earliest),
            when(reach.latest)
        ),
        None => format!("{subject} has {current} GiB free and is not full within {HORIZON_DAYS} days"),
    };
    let points: Vec<serde_json::Value> = reach
        .points
        .iter()
        .map(|(t, mean, lower, upper)| json!([t.to_string(), round(*mean), round(*lower), round(*upper)]))
        .collect();
    Ok(ForecastRow {
        forecast_id: stable_id(&["disk_full", free, &subject]),
        kind: "disk_full".to_owned(),
        subject,
        labels: key.iter().cloned().collect(),
        title,
        current,
        limit: round(whole / GIB),
        unit: "GiB".to_owned(),
        amount: None,
        currency: None,
        earliest: reach.earliest,
        expected: reach.expected,
        latest: reach.latest,
        level: LEVEL,
        horizon: reach.horizon,
        points: serde_json::Value::Array(points).to_string(),
        job: Job::Capacity.name().to_owned(),
        model: "forecast".to_owned(),
        version: u64::from(VERSION),
        parameters: json!({ "history_days": HISTORY_DAYS, "step": STEP, "horizon_days": HORIZON_DAYS }).to_string(),
        generation: run.generation,
        language: "sql".to_owned(),
        query: evidence.sql.clone(),
        evidence: evidence.json(),
        made_time: run.until,
    })
}
