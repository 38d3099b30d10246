//! Unusual calls, levels, memory and lines of logs; grouped into incidents with their likeliest cause.
//!
//! Each file reads one kind of features and answers [`Found`]: [`calls`] (spans: failing and slow services and what they depend on), [`levels`]
//! (machines and databases near their limits), [`unlike`] (who leaves its group, measures that part), [`memory`] (containers that only grow), [`lines`] (templates of logs), [`security`] (what an attacker would leave). [`graph`] is who calls whom, and
//! what was deployed when.

mod calls;
mod levels;
mod unlike;
mod memory;
mod lines;
mod security;
mod graph;

use std::collections::BTreeMap;

use grid_findings::incident::{Incident, Sign, group};
use grid_findings::limits::ANOMALIES_MAX;
use grid_findings::{feedback, stable_id};
use grid_model::Timestamp;
use grid_model::table::anomalies::AnomalyRow;
use grid_model::time::{DAY_NS, HOUR_NS, MINUTE_NS};
use serde_json::{Value, json};

use super::{Done, Job, JobError, Run, think};
use crate::evidence::Evidence;
use crate::keep;
use crate::limits::{ANOMALIES_KEPT, EVIDENCE_MAX};

pub(super) use calls::SERVED;

/// Days that are looked at: what is usual needs a few, a leak needs more.
const LOOKBACK_DAYS: i64 = 15;
/// One bucket of a signal.
pub(super) const BUCKET_NS: i64 = 10 * MINUTE_NS;
/// The same as SQL types it.
pub(super) const BUCKET: &str = "10m";
/// What was usual before a finding is shown over this time.
pub(super) const REFERENCE_NS: i64 = DAY_NS;

/// The time that is looked at, whole buckets.
#[derive(Debug, Clone, Copy)]
struct Window {
    start: Timestamp,
    end: Timestamp,
}

impl Window {
    fn buckets(self) -> usize {
        ((self.end.0 - self.start.0) / BUCKET_NS).max(0) as usize
    }

    fn time(self, bucket: usize, step_ns: i64) -> Timestamp {
        Timestamp(self.start.0.saturating_add(step_ns.saturating_mul(bucket as i64))).min(self.end)
    }
}

/// Something unusual, before its evidence is read.
#[derive(Debug, Clone)]
struct Found {
    kind: &'static str,
    /// The node of the graph that it is about.
    node: String,
    /// What exactly, if that is more than the node: a pod, a template.
    subject: String,
    labels: BTreeMap<String, String>,
    start: Timestamp,
    end: Option<Timestamp>,
    score: f64,
    unit: &'static str,
    model: &'static str,
    version: u64,
    parameters: Value,
    /// The statement, whose row has columns `actual` and `expected`.
    sql: String,
    /// The title; `{actual}`, `{expected}` and names of further columns of the row stand for their numbers.
    title: String,
}

pub(super) async fn run(run: &Run<'_>) -> Result<Done, JobError> {
    let end = Timestamp(run.until.0 - run.until.0.rem_euclid(BUCKET_NS));
    let window = Window { start: Timestamp((end.0 - LOOKBACK_DAYS * DAY_NS).div_euclid(HOUR_NS) * HOUR_NS), end };
    let mut found = calls::find(run, window).await?;
    found.extend(levels::find(run, window).await?);
    found.extend(unlike::find(run, window).await?);
    found.extend(memory::find(run, window).await?);
    found.extend(lines::find(run, window).await?);
    found.extend(security::find(run, window).await?);
    found.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| (a.start, a.kind, &a.subject).cmp(&(b.start, b.kind, &b.subject)))
    });
    found.truncate(ANOMALIES_MAX.min(EVIDENCE_MAX));

    let job = Job::Signals.name();
    let before: Vec<AnomalyRow> = keep::rows_of(run.engine, run.tenant, job).await?;
    let mut rows = Vec::with_capacity(found.len());
    let mut nodes = Vec::with_capacity(found.len());
    for found in &found {
        rows.push(anomaly(run, found, continued(found, &before, window)).await?);
        nodes.push(found.node.clone());
    }
    let (graph, changes) = graph::read(run, window).await?;
    let signs: Vec<Sign> = rows
        .iter()
        .zip(&nodes)
        .map(|(row, node)| Sign {
            id: row.anomaly_id.clone(),
            kind: row.kind.clone(),
            node: node.clone(),
            start: row.start_time,
            end: row.end_time,
            score: row.score,
        })
        .collect();
    let incidents = think(move || group(&signs, &graph, &changes)).await?;
    for incident in &incidents {
        tell(&mut rows, incident);
    }
    // What was found earlier and lies before the window stays as it was told.
    let old =
        before.iter().filter(|b| b.start_time < window.start && rows.iter().all(|r| r.anomaly_id != b.anomaly_id));
    let closed: Vec<AnomalyRow> =
        old.map(|b| AnomalyRow { end_time: b.end_time.or(Some(window.start)), ..b.clone() }).collect();
    rows.extend(closed);
    rows.sort_by(|a, b| (b.start_time, &b.anomaly_id).cmp(&(a.start_time, &a.anomaly_id)));
    rows.truncate(ANOMALIES_KEPT);
    rows.reverse();
    feedback::apply(&mut rows, &keep::feedback(run.store, run.tenant).await?);
    let count = rows.len();
    Ok(Done {
        rows: count,
        changed: keep::replace(run.store, run.tenant, job, &before, rows).await?,
        failed: Vec::new(),
    })
}

/// The finding that this one goes on with: its beginning has left the window, or lies at its edge.
fn continued<'a>(found: &Found, before: &'a [AnomalyRow], window: Window) -> Option<&'a AnomalyRow> {
    let edge = window.start.saturating_add(2 * DAY_NS);
    before.iter().find(|b| {
        b.kind == found.kind
            && b.subject == found.subject
            && b.start_time < found.start
            && found.start < edge
            && b.end_time.is_none_or(|end| end >= found.start)
    })
}

async fn anomaly(run: &Run<'_>, found: &Found, continues: Option<&AnomalyRow>) -> Result<AnomalyRow, JobError> {
    let evidence = Evidence::ask(run.engine, run.tenant, found.sql.clone()).await?;
    let start = continues.map_or(found.start, |b| b.start_time);
    let id = match continues {
        Some(b) => b.anomaly_id.clone(),
        None => stable_id(&[found.kind, &found.subject, &start.0.to_string()]),
    };
    let finite = |name: &str| Some(evidence.number(name)).filter(|v| v.is_finite()).unwrap_or(0.0);
    Ok(AnomalyRow {
        anomaly_id: id.clone(),
        kind: found.kind.to_owned(),
        subject: found.subject.clone(),
        labels: found.labels.clone(),
        title: filled(&found.title, &evidence.row),
        start_time: start,
        end_time: found.end,
        score: (found.score * 1000.0).round() / 1000.0,
        actual: finite("actual"),
        expected: finite("expected"),
        unit: found.unit.to_owned(),
        incident_id: id,
        rank: 1,
        state: "open".to_owned(),
        job: Job::Signals.name().to_owned(),
        model: found.model.to_owned(),
        version: found.version,
        parameters: found.parameters.to_string(),
        generation: run.generation,
        language: "sql".to_owned(),
        query: evidence.sql.clone(),
        evidence: evidence.json(),
        made_time: run.until,
        ..AnomalyRow::default()
    })
}

/// A title with the numbers of a row in the place of their names.
fn filled(title: &str, row: &Value) -> String {
    let mut text = title.to_owned();
    for (name, value) in row.as_object().into_iter().flatten() {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text = text.replace(&format!("{{{name}}}"), &shown);
    }
    text
}

/// Gives the findings of an incident their places and causes.
fn tell(rows: &mut [AnomalyRow], incident: &Incident) {
    let causes: Vec<Value> = incident
        .causes
        .iter()
        .map(|c| json!({ "subject": c.node, "kind": c.kind, "change": c.change, "words": c.words }))
        .collect();
    let causes = Value::Array(causes).to_string();
    for (place, at) in incident.signs.iter().enumerate() {
        let Some(row) = rows.get_mut(*at) else { continue };
        row.incident_id.clone_from(&incident.id);
        row.rank = place as u64 + 1;
        row.cause = incident.causes.first().map(|c| c.words.clone()).unwrap_or_default();
        row.causes.clone_from(&causes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_take_their_numbers_from_the_evidence() {
        let row = json!({ "actual": 0.62, "calls": 150, "cost": "1.50" });
        assert_eq!(filled("{actual} of {calls} for {cost}, {unknown}", &row), "0.62 of 150 for 1.50, {unknown}");
    }
}
