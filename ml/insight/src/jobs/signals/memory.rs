//! Containers whose memory only grows.

use std::collections::BTreeMap;

use grid_findings::growth::{Growth, MODEL, VERSION, find as growing};
use grid_findings::limits::SERIES_MAX;
use grid_model::Timestamp;
use grid_model::time::HOUR_NS;
use serde_json::json;

use super::{Found, Run, Window};
use crate::jobs::{JobError, think};
use crate::read::{columns, literal, number, rows, text, time, whole, within};

const USED: &str = "container_memory_working_set_bytes";
const LIMIT: &str = "kube_pod_container_resource_limits";
const MIB: f64 = 1_048_576.0;

/// One container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Container {
    namespace: String,
    pod: String,
    container: String,
    service: String,
}

pub(super) async fn find(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    let has = columns(run.engine, run.tenant, USED).await?;
    let limits = columns(run.engine, run.tenant, LIMIT).await?;
    let needed = ["namespace", "pod", "container"];
    if !needed.iter().all(|n| has.contains(*n) && limits.contains(*n)) || !limits.contains("resource") {
        return Ok(Vec::new());
    }
    let service = if has.contains("service") { "coalesce(service, container)" } else { "container" };
    let sql = format!(
        "SELECT u.namespace AS namespace, u.pod AS pod, u.container AS container, u.service AS service, u.hour AS hour, u.value AS value, l.value AS \"limit\"
FROM (SELECT namespace, pod, container, max({service}) AS service, CAST(time_bucket('1h', time) AS BIGINT) AS hour, max(value) AS value
  FROM metrics.{USED} WHERE container <> '' AND {0} GROUP BY 1, 2, 3, 5) AS u
JOIN (SELECT namespace, pod, container, max(value) AS value FROM metrics.{LIMIT}
  WHERE resource = 'memory' AND {0} GROUP BY 1, 2, 3) AS l
  ON u.namespace = l.namespace AND u.pod = l.pod AND u.container = l.container
ORDER BY 1, 2, 3, 5",
        within("time", window.start, window.end)
    );
    let hours = ((window.end.0 - window.start.0) / HOUR_NS).max(0) as usize + 1;
    let mut series: BTreeMap<Container, (Vec<f64>, f64)> = BTreeMap::new();
    for row in rows(run.engine, run.tenant, &sql).await? {
        let of = |name: &str| text(&row, name).to_owned();
        let key = Container {
            namespace: of("namespace"),
            pod: of("pod"),
            container: of("container"),
            service: of("service"),
        };
        if series.len() >= SERIES_MAX && !series.contains_key(&key) {
            continue;
        }
        let (points, limit) = series.entry(key).or_insert_with(|| (vec![f64::NAN; hours], f64::NAN));
        *limit = number(&row, "limit");
        let at = (whole(&row, "hour") - window.start.0).div_euclid(HOUR_NS);
        if let Some(point) = usize::try_from(at).ok().and_then(|at| points.get_mut(at)) {
            *point = number(&row, "value");
        }
    }
    let judged = think(move || {
        let judge = |(key, (points, limit)): (Container, (Vec<f64>, f64))| {
            // A container that is gone has stopped to grow.
            let last = points.iter().rposition(|v| v.is_finite()).map_or(0, |p| p + 1);
            let is_gone = points.len() > last + 2;
            Some((key, growing(&points[..last], limit)?, limit, last, is_gone))
        };
        series.into_iter().filter_map(judge).collect::<Vec<_>>()
    })
    .await?;
    Ok(judged
        .into_iter()
        .map(|(key, growth, limit, last, gone)| told(&key, &growth, limit, last, gone, window))
        .collect())
}

fn told(key: &Container, growth: &Growth, limit: f64, last: usize, is_gone: bool, window: Window) -> Found {
    let start = window.time(growth.start, HOUR_NS);
    let stop = growth.end.or(is_gone.then_some(last));
    let end = stop.map(|end| window.time(end, HOUR_NS));
    let until = end.unwrap_or(window.end);
    Found {
        kind: "memory_growth",
        node: key.service.clone(),
        subject: format!("{}/{}", key.namespace, key.pod),
        labels: BTreeMap::from([
            ("namespace".to_owned(), key.namespace.clone()),
            ("pod".to_owned(), key.pod.clone()),
            ("container".to_owned(), key.container.clone()),
            ("service".to_owned(), key.service.clone()),
        ]),
        start,
        end,
        score: growth.score,
        unit: "MiB",
        model: MODEL,
        version: VERSION,
        parameters: json!({
            "seen": window.time(growth.seen, HOUR_NS).to_string(),
            "mib_an_hour": (growth.slope / MIB * 100.0).round() / 100.0,
            "restarts": growth.restarts,
            "limit_mib": (limit / MIB).round(),
        }),
        sql: evidence(key, start, until),
        title: format!(
            "memory of {} in pod {} grows by {:.1} MiB an hour, from {{expected}} to {{actual}} MiB of {{limit_mib}}",
            key.service,
            key.pod,
            growth.slope / MIB
        ),
    }
}

fn evidence(key: &Container, start: Timestamp, end: Timestamp) -> String {
    let of = format!(
        "namespace = {} AND pod = {} AND container = {}",
        literal(&key.namespace),
        literal(&key.pod),
        literal(&key.container)
    );
    format!(
        "SELECT u.actual, u.expected, l.limit_mib
FROM (SELECT round(max(value) / 1048576, 1) AS actual, round(min(value) FILTER (WHERE time < {first}) / 1048576, 1) AS expected
  FROM metrics.{USED} WHERE {of} AND {range}) AS u
CROSS JOIN (SELECT round(max(value) / 1048576, 1) AS limit_mib FROM metrics.{LIMIT} WHERE resource = 'memory' AND {of} AND {range}) AS l",
        first = time(start.saturating_add(HOUR_NS)),
        range = within("time", start, end),
    )
}
