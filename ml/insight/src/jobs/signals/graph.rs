//! Who calls whom, and what was deployed when, both from spans.

use grid_findings::incident::{Change, Graph};
use grid_model::Timestamp;
use grid_model::time::{DAY_NS, HOUR_NS};

use super::calls::{DEPENDENCY, TO_DATABASE};
use super::{Run, Window};
use crate::jobs::JobError;
use crate::read::{rows, text, whole, within};

/// Calls of the last days are enough to know who calls whom.
const GRAPH_DAYS: i64 = 3;

pub(super) async fn read(run: &Run<'_>, window: Window) -> Result<(Graph, Vec<Change>), JobError> {
    let start = window.start.max(window.end.saturating_add(-GRAPH_DAYS * DAY_NS));
    let mut graph = Graph::default();
    let calls = format!(
        "SELECT p.service AS caller, c.service AS callee, count(*) AS calls FROM \
         (SELECT trace_id, parent_span_id, service FROM spans WHERE kind IN ('server', 'consumer') AND parent_span_id IS NOT NULL AND {0}) AS c \
         JOIN (SELECT trace_id, span_id, service FROM spans WHERE kind IN ('client', 'producer') AND {0}) AS p \
         ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id \
         WHERE p.service <> c.service GROUP BY 1, 2 ORDER BY 1, 2",
        within("start_time", start, window.end)
    );
    let databases = format!(
        "SELECT service AS caller, {DEPENDENCY} AS callee, count(*) AS calls FROM spans WHERE {TO_DATABASE} AND {} \
         GROUP BY 1, 2 ORDER BY 1, 2",
        within("start_time", start, window.end)
    );
    for sql in [calls, databases] {
        for row in rows(run.engine, run.tenant, &sql).await? {
            let (caller, callee) = (text(&row, "caller"), text(&row, "callee"));
            if !caller.is_empty() && !callee.is_empty() {
                graph.add(caller, callee);
            }
        }
    }
    Ok((graph, deployments(run, window).await?))
}

/// Versions of services that came after others.
async fn deployments(run: &Run<'_>, window: Window) -> Result<Vec<Change>, JobError> {
    let sql = format!(
        "SELECT service, resource['service.version'] AS version, CAST(min(start_time) AS BIGINT) AS first FROM spans \
         WHERE resource['service.version'] IS NOT NULL AND {} GROUP BY 1, 2 ORDER BY 1, 3",
        within("start_time", window.start, window.end)
    );
    let rows = rows(run.engine, run.tenant, &sql).await?;
    let mut changes = Vec::new();
    for pair in rows.windows(2) {
        let (before, now) = (&pair[0], &pair[1]);
        let (service, version) = (text(now, "service"), text(now, "version"));
        let at = Timestamp(whole(now, "first"));
        // Versions that ran side by side from the beginning were not deployed.
        if text(before, "service") == service && at.0 - whole(before, "first") > HOUR_NS {
            let what = format!("deployment of {service} {version} at {}", crate::keep::minute(at));
            changes.push(Change { node: service.to_owned(), at, what });
        }
    }
    Ok(changes)
}
