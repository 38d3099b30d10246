//! Who is unlike those that do the same work, and machines whose measures do not belong together.
//!
//! The machines of a group, and the pods of a workload, are compared with each other: nobody has to say what is usual for them. The measures of one
//! machine (processors, memory, traffic, disks) are compared with each other: high use is usual under load, and told without it.

use std::collections::{BTreeMap, BTreeSet};

use grid_findings::signal::Stretch;
use grid_findings::unlike::{MEMBERS_MAX, Measure, PEERS, TOGETHER, apart, unlike};
use grid_ml::{peers, together};
use grid_model::Timestamp;
use serde_json::json;

use super::levels::{best_name, read, sql};
use super::{BUCKET, BUCKET_NS, Found, REFERENCE_NS, Run, Window};
use crate::jobs::recommend::{GROUPS, maker};
use crate::jobs::{JobError, think};
use crate::read::{GROWTH, columns, literal, name, rows, text, time};

const CPU: &str = "node_cpu_seconds_total";
const PODS: &str = "container_cpu_usage_seconds_total";
/// Members differ by this part of their processors, or by so many cores and this many times what the pods of the workload use.
const MACHINE_RISE: f64 = 0.35;
const POD_RISE: (f64, f64) = (0.3, 1.5);

/// A measure of machines that the node exporter gives.
struct Watched {
    metric: &'static str,
    /// The value of a bucket of one series, and what makes one of several.
    value: (&'static str, &'static str),
    condition: &'static str,
    what: &'static str,
    unit: &'static str,
    judged: Measure,
}

const MEASURES: [Watched; 5] = [
    Watched {
        metric: CPU,
        value: (GROWTH, "1 - avg(value)"),
        condition: "mode = 'idle' AND ",
        what: "use of its processors",
        unit: "ratio",
        judged: Measure { floor: (0.02, 0.05), rise: (0.25, 0.0) },
    },
    Watched {
        metric: "node_memory_MemAvailable_bytes",
        value: ("avg(value)", "avg(value)"),
        condition: "",
        what: "free memory",
        unit: "bytes",
        judged: Measure { floor: (0.0, 0.02), rise: (0.0, 0.3) },
    },
    Watched {
        metric: "node_network_transmit_bytes_total",
        value: (GROWTH, "sum(value)"),
        condition: "",
        what: "traffic out",
        unit: "bytes/s",
        judged: Measure { floor: (1e3, 0.05), rise: (1e5, 2.0) },
    },
    Watched {
        metric: "node_network_receive_bytes_total",
        value: (GROWTH, "sum(value)"),
        condition: "",
        what: "traffic in",
        unit: "bytes/s",
        judged: Measure { floor: (1e3, 0.05), rise: (1e5, 2.0) },
    },
    Watched {
        metric: "node_disk_io_time_seconds_total",
        value: (GROWTH, "sum(value)"),
        condition: "",
        what: "work of its disks",
        unit: "ratio",
        judged: Measure { floor: (0.02, 0.05), rise: (0.3, 1.0) },
    },
];

impl Watched {
    /// `SELECT name, bucket, value`, without its condition on the time.
    fn from(&self, label: &str) -> String {
        let (each, all) = self.value;
        format!(
            "SELECT name, bucket, {all} AS value FROM (\n    \
             SELECT {} AS name, time_bucket('{BUCKET}', time) AS bucket, series_id, {each} AS value\n    \
             FROM metrics.{} WHERE {}{{within}} GROUP BY 1, 2, 3) GROUP BY 1, 2",
            name(label),
            name(self.metric),
            self.condition
        )
    }
}

/// Values by subject, one per bucket of the window.
type Values = BTreeMap<String, Vec<f64>>;

pub(super) async fn find(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    let mut found = pods(run, window).await?;
    let has = columns(run.engine, run.tenant, CPU).await?;
    let Some(label) = best_name(&has).filter(|_| has.contains("mode")) else { return Ok(found) };
    let mut measured = Vec::new();
    for measure in &MEASURES {
        let has = columns(run.engine, run.tenant, measure.metric).await?;
        if has.contains(label) {
            measured.push((measure, read(run, window, &measure.from(label)).await?));
        }
    }
    let Some((of_cpu, cpu)) = measured.first() else { return Ok(found) };
    let groups = groups(run, &has, label).await?;
    let groups = members(cpu, |machine| groups.get(machine).cloned());
    for (group, machine, stretch) in outliers(cpu, &groups, |_| MACHINE_RISE).await? {
        let title = format!("{machine} uses {{actual}} of its processors, the others of {group} {{expected}}");
        let members = groups.get(&group).map(Vec::as_slice).unwrap_or_default();
        let node = machine.split('.').next().unwrap_or(&machine).to_owned();
        found.push(outlier(
            &of_cpu.from(label),
            window,
            members,
            Outlier { group, subject: machine, node, stretch, unit: "ratio", title },
        ));
    }
    found.extend(parted(window, label, &measured).await?);
    Ok(found)
}

/// The group of each machine: the first label of its processors' series that names one.
async fn groups(run: &Run<'_>, has: &BTreeSet<String>, label: &str) -> Result<BTreeMap<String, String>, JobError> {
    let named: Vec<String> =
        GROUPS.iter().filter(|l| has.contains(**l)).map(|l| format!("nullif(labels[{}], '')", literal(l))).collect();
    if named.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = format!(
        "SELECT DISTINCT labels[{}] AS name, coalesce({}) AS team FROM series WHERE metric = {} ORDER BY 1, 2",
        literal(label),
        named.join(", "),
        literal(CPU)
    );
    let rows = rows(run.engine, run.tenant, &sql).await?;
    let pair = |row: &serde_json::Value| (text(row, "name").to_owned(), text(row, "team").to_owned());
    Ok(rows.iter().map(pair).filter(|(name, team)| !name.is_empty() && !team.is_empty()).collect())
}

/// Pods that are unlike the others of their workload.
async fn pods(run: &Run<'_>, window: Window) -> Result<Vec<Found>, JobError> {
    let has = columns(run.engine, run.tenant, PODS).await?;
    if !["namespace", "pod", "container"].iter().all(|l| has.contains(*l)) {
        return Ok(Vec::new());
    }
    let from = format!(
        "SELECT name, bucket, sum(value) AS value FROM (\n    \
         SELECT concat(namespace, '/', pod) AS name, time_bucket('{BUCKET}', time) AS bucket, series_id, {GROWTH} AS value\n    \
         FROM metrics.{} WHERE container <> '' AND container <> 'POD' AND {{within}} GROUP BY 1, 2, 3) GROUP BY 1, 2",
        name(PODS)
    );
    let cores = read(run, window, &from).await?;
    let workload = |pod: &str| pod.split_once('/').map(|(namespace, pod)| format!("{namespace}/{}", maker(pod)));
    let groups = members(&cores, workload);
    let rise = |typical: f64| POD_RISE.0.max(POD_RISE.1 * typical);
    let mut found = Vec::new();
    for (group, pod, stretch) in outliers(&cores, &groups, rise).await? {
        let title = format!("{pod} uses {{actual}} cores, the other pods of {group} {{expected}}");
        let members = groups.get(&group).map(Vec::as_slice).unwrap_or_default();
        let node = group.rsplit('/').next().unwrap_or(&group).to_owned();
        found.push(outlier(
            &from,
            window,
            members,
            Outlier { group, subject: pod, node, stretch, unit: "cores", title },
        ));
    }
    Ok(found)
}

/// Subjects by their group, those without one left out.
fn members(values: &Values, group: impl Fn(&str) -> Option<String>) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for subject in values.keys() {
        if let Some(group) = group(subject) {
            groups.entry(group).or_default().push(subject.clone());
        }
    }
    groups
}

/// Group, subject and stretch of those that are unlike. `rise` says what matters in a group that uses so much.
async fn outliers(
    values: &Values,
    groups: &BTreeMap<String, Vec<String>>,
    rise: impl Fn(f64) -> f64,
) -> Result<Vec<(String, String, Stretch)>, JobError> {
    let mut found = Vec::new();
    for (group, members) in groups.iter().filter(|(_, members)| members.len() <= MEMBERS_MAX) {
        let rows: Vec<Vec<f64>> = members.iter().map(|m| values[m].clone()).collect();
        let all: Vec<f64> = rows.iter().flatten().copied().collect();
        let rise = rise(grid_findings::signal::typical(&all));
        for found_one in think(move || unlike(&rows, rise)).await? {
            found.push((group.clone(), members[found_one.member].clone(), found_one.stretch));
        }
    }
    Ok(found)
}

struct Outlier {
    group: String,
    subject: String,
    node: String,
    stretch: Stretch,
    unit: &'static str,
    title: String,
}

fn outlier(from: &str, window: Window, members: &[String], of: Outlier) -> Found {
    let start = window.time(of.stretch.start, BUCKET_NS);
    let end = of.stretch.end.map(|end| window.time(end, BUCKET_NS));
    let names: Vec<String> = members.iter().map(|m| literal(m)).collect();
    let sql = format!(
        "SELECT round(avg(value) FILTER (WHERE name = {0}), 4) AS actual,\n  round(median(value) FILTER (WHERE name <> {0}), 4) AS expected\nFROM (\n  {1}\n) WHERE name IN ({2})",
        literal(&of.subject),
        sql(from, start, end.unwrap_or(window.end)),
        names.join(", "),
    );
    Found {
        kind: "outlier",
        node: of.node,
        labels: BTreeMap::from([("resource".to_owned(), of.subject.clone()), ("group".to_owned(), of.group)]),
        subject: of.subject,
        start,
        end,
        score: of.stretch.score,
        unit: of.unit,
        model: PEERS,
        version: u64::from(peers::VERSION),
        parameters: json!({ "bucket": BUCKET, "members": members.len() }),
        sql,
        title: of.title,
    }
}

/// Machines whose measures do not belong together.
async fn parted(window: Window, label: &str, measured: &[(&Watched, Values)]) -> Result<Vec<Found>, JobError> {
    if measured.len() < together::MEASURES_MIN {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for machine in measured[0].1.keys() {
        let values: Vec<Vec<f64>> = measured.iter().filter_map(|(_, values)| values.get(machine).cloned()).collect();
        if values.len() < measured.len() {
            continue;
        }
        let judged: Vec<Measure> = measured.iter().map(|(watched, _)| watched.judged).collect();
        for found_one in think(move || apart(&judged, &values)).await? {
            let watched = measured[found_one.measure].0;
            let others = measured.iter().map(|(w, _)| w.what).filter(|w| *w != watched.what).collect::<Vec<_>>();
            found.push(part(window, label, machine, watched, &others, &found_one.stretch));
        }
    }
    Ok(found)
}

fn part(window: Window, label: &str, machine: &str, of: &Watched, others: &[&str], stretch: &Stretch) -> Found {
    let start = window.time(stretch.start, BUCKET_NS);
    let end = stretch.end.map(|end| window.time(end, BUCKET_NS));
    let before: Timestamp = start.saturating_add(-REFERENCE_NS);
    let sql = format!(
        "SELECT round(avg(value) FILTER (WHERE bucket >= {0}), 4) AS actual,\n  round(avg(value) FILTER (WHERE bucket < {0}), 4) AS expected\nFROM (\n  {1}\n) WHERE name = {2}",
        time(start),
        sql(&of.from(label), before, end.unwrap_or(window.end)),
        literal(machine),
    );
    Found {
        kind: "correlation",
        node: machine.split('.').next().unwrap_or(machine).to_owned(),
        subject: machine.to_owned(),
        labels: BTreeMap::from([
            ("resource".to_owned(), machine.to_owned()),
            ("measure".to_owned(), of.what.to_owned()),
        ]),
        start,
        end,
        score: stretch.score,
        unit: of.unit,
        model: TOGETHER,
        version: u64::from(together::VERSION),
        parameters: json!({ "bucket": BUCKET, "beside": others }),
        sql,
        title: format!(
            "{machine}: {} of {{actual}} (the day before {{expected}}) does not go with {}",
            of.what,
            others.join(", ")
        ),
    }
}
