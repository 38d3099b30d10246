//! Failing and slow calls, from spans: of each service by what it serves, of each dependency by what its callers see.

use std::collections::BTreeMap;

use grid_findings::limits::SERIES_MAX;
use grid_findings::signal::{Calls, MODEL, Stretch, VERSION, errors, latency};
use grid_model::Timestamp;
use serde_json::{Value, json};

use super::{BUCKET, BUCKET_NS, Found, REFERENCE_NS, Run, Window};
use crate::jobs::{JobError, think};
use crate::read::{literal, number, rows, text, time, whole, within};

/// The name of a database as its callers know it: the first label of its host.
pub(super) const DEPENDENCY: &str = "split_part(coalesce(attributes['server.address'], attributes['net.peer.name'], attributes['db.namespace'], attributes['db.name']), '.', 1)";
/// Calls to a database.
pub(super) const TO_DATABASE: &str =
    "kind = 'client' AND coalesce(attributes['db.system.name'], attributes['db.system']) IS NOT NULL";
/// Calls that a service answers.
pub(in crate::jobs) const SERVED: &str = "kind IN ('server', 'consumer')";
/// Logarithm of a duration in milliseconds.
const LOG: &str = "ln(greatest(CAST(duration_ns AS DOUBLE), 1000.0) / 1e6)";

/// Whose calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Service,
    Dependency,
}

impl Side {
    /// The expression that names it, and which spans count.
    fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::Service => ("service", SERVED),
            Self::Dependency => (DEPENDENCY, TO_DATABASE),
        }
    }
}

pub(super) async fn find(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    let mut found = Vec::new();
    for side in [Side::Service, Side::Dependency] {
        let series = read(run, window, side).await?;
        let judged = think(move || {
            series.into_iter().map(|(name, calls)| (name, errors(&calls), latency(&calls))).collect::<Vec<_>>()
        })
        .await?;
        for (name, failing, slow) in judged {
            found.extend(failing.iter().map(|s| told(side, &name, window, s, true)));
            found.extend(slow.iter().map(|s| told(side, &name, window, s, false)));
        }
    }
    Ok(found)
}

async fn read(run: &Run<'_>, window: Window, side: Side) -> Result<BTreeMap<String, Vec<Calls>>, JobError> {
    let (name, condition) = side.sql();
    let sql = format!(
        "SELECT {name} AS name, CAST(time_bucket('{BUCKET}', start_time) AS BIGINT) AS bucket, count(*) AS calls, \
         sum(CASE WHEN status = 'error' THEN 1 ELSE 0 END) AS failed, \
         round(sum({LOG}), 6) AS log_sum, round(sum({LOG} * {LOG}), 6) AS log_square_sum \
         FROM spans WHERE {condition} AND {} AND {name} IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
        within("start_time", window.start, window.end),
    );
    let mut series: BTreeMap<String, Vec<Calls>> = BTreeMap::new();
    for row in rows(run.engine, run.tenant, &sql).await? {
        let name = text(&row, "name");
        if name.is_empty() || series.len() >= SERIES_MAX && !series.contains_key(name) {
            continue;
        }
        let calls = series.entry(name.to_owned()).or_insert_with(|| vec![Calls::default(); window.buckets()]);
        let at = (whole(&row, "bucket") - window.start.0).div_euclid(BUCKET_NS);
        if let Some(bucket) = usize::try_from(at).ok().and_then(|at| calls.get_mut(at)) {
            *bucket = Calls {
                count: number(&row, "calls"),
                failed: number(&row, "failed"),
                log_sum: number(&row, "log_sum"),
                log_square_sum: number(&row, "log_square_sum"),
            };
        }
    }
    Ok(series)
}

fn told(side: Side, name: &str, window: Window, stretch: &Stretch, is_failing: bool) -> Found {
    let start = window.time(stretch.start, BUCKET_NS);
    let end = stretch.end.map(|end| window.time(end, BUCKET_NS));
    let (kind, unit) = if is_failing { ("errors", "ratio") } else { ("latency", "ms") };
    let title = match (is_failing, side) {
        (true, Side::Service) => {
            format!("{name} fails {{failed}} of {{calls}} calls: {{actual}} instead of {{expected}}")
        }
        (true, Side::Dependency) => {
            format!("{{failed}} of {{calls}} calls to {name} fail: {{actual}} instead of {{expected}}")
        }
        (false, Side::Service) => format!("{name} takes {{actual}} ms instead of {{expected}} ms"),
        (false, Side::Dependency) => format!("calls to {name} take {{actual}} ms instead of {{expected}} ms"),
    };
    let what = if side == Side::Service { "service" } else { "dependency" };
    Found {
        kind,
        node: name.to_owned(),
        subject: name.to_owned(),
        labels: BTreeMap::from([(what.to_owned(), name.to_owned())]),
        start,
        end,
        score: stretch.score,
        unit,
        model: MODEL,
        version: VERSION,
        parameters: parameters(window, stretch),
        sql: evidence(side, name, start, end.unwrap_or(window.end), is_failing),
        title,
    }
}

pub(super) fn parameters(window: Window, stretch: &Stretch) -> Value {
    let round = |v: f64| (v * 1e4).round() / 1e4;
    json!({
        "bucket": BUCKET,
        "from": window.start.to_string(),
        "peak": window.time(stretch.peak, BUCKET_NS).to_string(),
        "peak_actual": round(stretch.actual),
        "peak_expected": round(stretch.expected),
    })
}

fn evidence(side: Side, name: &str, start: Timestamp, end: Timestamp, is_failing: bool) -> String {
    let (column, condition) = side.sql();
    let before = start.saturating_add(-REFERENCE_NS);
    let during = format!("FILTER (WHERE start_time >= {})", time(start));
    let usual = format!("FILTER (WHERE start_time < {})", time(start));
    let failed = "sum(CASE WHEN status = 'error' THEN 1 ELSE 0 END)";
    let measured = if is_failing {
        format!(
            "{failed} {during} AS failed,\n  round({failed} {during} / CAST(count(*) {during} AS DOUBLE), 4) AS actual,\n  \
             round({failed} {usual} / CAST(count(*) {usual} AS DOUBLE), 4) AS expected"
        )
    } else {
        format!("round(exp(avg({LOG}) {during}), 1) AS actual,\n  round(exp(avg({LOG}) {usual}), 1) AS expected")
    };
    format!(
        "SELECT count(*) {during} AS calls,\n  {measured}\nFROM spans\nWHERE {condition} AND {column} = {}\n  AND {}",
        literal(name),
        within("start_time", before, end),
    )
}
