//! What containers ask for: use from cAdvisor, requests, limits and kills from kube-state-metrics, money from the machines that carry them.
//!
//! A workload's containers are those of one name in pods of one name without its random ending. What it costs is the part of its machines' cost that its
//! requests hold, weighed as OpenCost does. A lower request frees money only once a machine becomes free: so the saving begins at zero.

use std::collections::{BTreeMap, BTreeSet};

use grid_findings::container::{Advice, CORE_WEIGHT, GIB_WEIGHT, Given, Hour, MODEL, Proposal, Use, VERSION, advise};
use grid_findings::limits::WORKLOADS_MAX;
use grid_findings::size::{RISK_MAX, TARGET};
use grid_findings::{growth, stable_id};
use grid_model::table::recommendations::RecommendationRow;
use grid_model::time::HOUR_NS;
use grid_model::{Amount, Timestamp};
use serde_json::{Value, json};

use super::machines::{CORES, MONTHLY, Machine, OF_MACHINES, Park, TOTAL};
use super::sources::{ID, Sources};
use super::{Proposed, common, full, replayed, rounded, said};
use crate::evidence::Evidence;
use crate::jobs::{JobError, Run, think};
use crate::read::{GROWTH, amount, by_time, columns, literal, number, rows, text, whole, within};

const CPU: &str = "container_cpu_usage_seconds_total";
const MEMORY: &str = "container_memory_working_set_bytes";
pub(super) const REQUESTS: &str = "kube_pod_container_resource_requests";
const LIMITS: &str = "kube_pod_container_resource_limits";
const THROTTLED: &str = "container_cpu_cfs_throttled_periods_total";
const PERIODS: &str = "container_cpu_cfs_periods_total";
/// Why a container ended the last time.
const REASON: &str = "kube_pod_container_status_last_terminated_reason";
const KILLS: &str = "container_oom_events_total";
const RESTARTS: &str = "kube_pod_container_status_restarts_total";
const MIB: f64 = 1_048_576.0;
/// Labels that name a container.
const LABELS: [&str; 3] = ["namespace", "pod", "container"];
/// Pods that report within this time before the end run now.
const NOW_NS: i64 = 2 * HOUR_NS;
/// Containers by name, not their pod's pause container or cgroup.
const NAMED: &str = "container <> '' AND container <> 'POD'";

/// Containers of one name in the pods of one workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Workload {
    cluster: String,
    namespace: String,
    name: String,
    container: String,
}

impl Workload {
    fn id(&self) -> String {
        let parts = [&self.cluster, &self.namespace, &self.name, &self.container];
        parts.into_iter().filter(|p| !p.is_empty()).cloned().collect::<Vec<_>>().join("/")
    }
}

/// A container that runs now.
#[derive(Debug, Clone, Default)]
struct Running {
    machine: String,
    request: Given,
}

/// What the pods on each machine ask for, as it should be: cores and GiB of each container.
pub(super) type Asked = BTreeMap<String, Vec<(f64, f64)>>;

/// What is known of a workload.
#[derive(Debug, Clone, Default)]
struct Known {
    hours: BTreeMap<i64, Hour>,
    running: Vec<Running>,
    limit: Given,
    was_killed: bool,
    /// Memory of each pod in MiB, by hour.
    pods: BTreeMap<String, BTreeMap<i64, f64>>,
}

impl Known {
    /// Whether memory of one of its pods only grows.
    fn leaks(&self) -> bool {
        let Some(limit) = self.limit.memory_mib else { return false };
        self.pods.values().any(|hours| {
            let (Some(first), Some(last)) = (hours.keys().next(), hours.keys().next_back()) else { return false };
            let points: Vec<f64> = (*first..=*last).map(|h| hours.get(&h).copied().unwrap_or(f64::NAN)).collect();
            growth::find(&points, limit).is_some()
        })
    }
}

pub(super) async fn find(
    run: &Run<'_>,
    park: &Park,
    judged: &mut BTreeSet<String>,
) -> Result<(Vec<Proposed>, Asked), JobError> {
    let mut asked = Asked::new();
    let mut found = Vec::new();
    let Some(is_clustered) = measured(run, &park.sources).await?.filter(|_| !park.machines.is_empty()) else {
        return Ok((found, asked));
    };
    let machines: BTreeMap<&str, &Machine> = park.machines.iter().map(|m| (m.id.as_str(), m)).collect();
    let known = read(run, park, is_clustered).await?;
    for (workload, of) in known {
        // All containers of a workload ask for the same; while a new version comes, for the most.
        let most = |f: fn(&Given) -> Option<f64>| of.running.iter().filter_map(|r| f(&r.request)).reduce(f64::max);
        let request = Given { cores: most(|g| g.cores), memory_mib: most(|g| g.memory_mib) };
        let used = Use {
            hours: of.hours.values().copied().collect(),
            request,
            limit: of.limit,
            was_killed: of.was_killed,
            leaks: of.was_killed && of.leaks(),
        };
        let billed: BTreeMap<&str, &Machine> = of
            .running
            .iter()
            .filter_map(|r| machines.get_key_value(r.machine.as_str()))
            .map(|(k, m)| (*k, *m))
            .collect();
        let cost = of.running.iter().fold(Amount::ZERO, |sum, r| {
            let part = machines.get(r.machine.as_str()).map_or(Amount::ZERO, |m| part_of(m, &r.request));
            Amount(sum.0.saturating_add(part.0))
        });
        let asks = used.clone();
        let advice = think(move || advise(&asks, cost)).await?;
        let lower = match &advice {
            Ok(Advice::Lower(p)) => Some(p.request),
            _ => None,
        };
        for r in &of.running {
            let of = lower.unwrap_or(r.request);
            let each = (of.cores.unwrap_or(0.0), of.memory_mib.unwrap_or(0.0) / 1024.0);
            asked.entry(r.machine.clone()).or_default().push(each);
        }
        let (Ok(advice), Some(first)) = (advice, billed.values().next()) else { continue };
        let id = workload.id();
        judged.insert(id.clone());
        if advice == Advice::Keep {
            continue;
        }
        let evidence = Evidence::ask(run.engine, run.tenant, evidence(&workload, park, is_clustered)).await?;
        let monthly = amount(&evidence.row, "monthly_cost");
        // The same decision, over exactly what the evidence states.
        let exact = used.clone();
        let Ok(advice) = think(move || advise(&exact, monthly)).await? else { continue };
        let Some(row) = told(run, &workload, first, &used, &advice, monthly, of.running.len(), evidence) else {
            continue;
        };
        let resources = billed.values().map(|m| (m.id.clone(), m.billed.monthly)).collect();
        found.push(Proposed { row, resources, is_exclusive: false });
    }
    Ok((found, asked))
}

/// The part of a machine's cost that a request holds.
fn part_of(machine: &Machine, request: &Given) -> Amount {
    let whole = machine.used.cores * CORE_WEIGHT + machine.used.memory_gib * GIB_WEIGHT;
    let units = |weight: f64| (weight * 1e9).round() as i128;
    let (part, whole) = (units(request.weight()), units(whole));
    if whole <= 0 { Amount::ZERO } else { machine.billed.monthly.mul_div(part.min(whole), whole).unwrap_or_default() }
}

/// Letters and digits of Kubernetes' random endings: no vowels, so that no words come of them.
const SAFE: &str = "bcdfghjklmnpqrstvwxz0123456789";

/// The name of what made a pod: without the endings of deployments (`-7c9f8b6d5-x2x4z`), daemon sets (`-x2x4z`) and stateful sets (`-0`).
pub(in crate::jobs) fn maker(pod: &str) -> &str {
    let is_safe = |s: &str, length: std::ops::RangeInclusive<usize>| {
        length.contains(&s.len()) && s.chars().all(|c| SAFE.contains(c))
    };
    match pod.rsplit_once('-') {
        Some((rest, last)) if is_safe(last, 5..=5) => match rest.rsplit_once('-') {
            Some((name, hash)) if is_safe(hash, 5..=10) => name,
            _ => rest,
        },
        Some((rest, last)) if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => pod,
    }
}

/// These endings as a regular expression.
pub(in crate::jobs) fn endings() -> String {
    format!("-([{SAFE}]{{5,10}}-)?[{SAFE}]{{5}}$|-[0-9]+$")
}

/// The pods of a name as a regular expression, for evidence.
fn pods_of(name: &str) -> String {
    let escape = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_string() } else { format!("[{c}]") };
    let escaped: String = name.chars().map(escape).collect();
    format!("^{escaped}(-([{SAFE}]{{5,10}}-)?[{SAFE}]{{5}}|-[0-9]+)?$")
}

fn workload(row: &Value) -> Workload {
    let of = |name: &str| text(row, name).to_owned();
    Workload {
        cluster: of("cluster"),
        namespace: of("namespace"),
        name: maker(text(row, "pod")).to_owned(),
        container: of("container"),
    }
}

/// Whether all that is needed is measured, and if so whether all of it says its cluster.
async fn measured(run: &Run<'_>, sources: &Sources) -> Result<Option<bool>, JobError> {
    if [&sources.requests, &sources.cores, &sources.total].iter().any(|source| source.is_none()) {
        return Ok(None);
    }
    let mut is_clustered = true;
    for (metric, labels) in
        [(CPU, &LABELS[..]), (MEMORY, &LABELS[..]), (REQUESTS, &["namespace", "pod", "container", "resource"])]
    {
        let has = columns(run.engine, run.tenant, metric).await?;
        if !labels.iter().all(|l| has.contains(*l)) {
            return Ok(None);
        }
        is_clustered &= has.contains("cluster");
    }
    Ok(Some(is_clustered))
}

/// The columns that name a container; `None` if the metric lacks one.
async fn names(run: &Run<'_>, metric: &str, is_clustered: bool) -> Result<Option<String>, JobError> {
    let has = columns(run.engine, run.tenant, metric).await?;
    let is_named = LABELS.iter().all(|l| has.contains(*l)) && (!is_clustered || has.contains("cluster"));
    let cluster = if is_clustered { "coalesce(cluster, '')" } else { "''" };
    Ok(is_named.then(|| format!("{cluster} AS cluster, namespace, pod, container")))
}

async fn read(run: &Run<'_>, park: &Park, is_clustered: bool) -> Result<BTreeMap<Workload, Known>, JobError> {
    let (start, end) = (park.start, park.end);
    let mut known: BTreeMap<Workload, Known> = BTreeMap::new();
    read_running(run, &park.sources, is_clustered, end, &mut known).await?;
    let named = names(run, CPU, is_clustered).await?.unwrap_or_default();
    let cores = |start, end| {
        format!(
            "SELECT cluster, namespace, pod, container, CAST(time_bucket('1h', bucket) AS BIGINT) AS hour, round(max(cores), 6) AS value FROM \
             (SELECT {named}, time_bucket('5m', time) AS bucket, rate(value, time, series_id) AS cores FROM metrics.{CPU} \
              WHERE {NAMED} AND {} GROUP BY 1, 2, 3, 4, 5) GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
            within("time", start, end)
        )
    };
    let rows_of_cores = by_time(run.engine, run.tenant, (start, end), cores).await?;
    each(&rows_of_cores, &mut known, false, |of, value| of.cores = of.cores.max(value));
    let named = names(run, MEMORY, is_clustered).await?.unwrap_or_default();
    let sql = format!(
        "SELECT {named}, CAST(time_bucket('1h', time) AS BIGINT) AS hour, max(value) / {MIB} AS value FROM metrics.{MEMORY} \
         WHERE {NAMED} AND {} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
        within("time", start, end)
    );
    let raise = |of: &mut Hour, value: f64| of.memory_mib = Some(of.memory_mib.map_or(value, |m| m.max(value)));
    each(&rows(run.engine, run.tenant, &sql).await?, &mut known, true, raise);
    read_throttled(run, is_clustered, start, end, &mut known).await?;
    read_kills(run, is_clustered, start, end, &mut known).await?;
    known.retain(|_, of| !of.running.is_empty());
    Ok(known)
}

/// Takes a number per container and hour.
fn each(rows: &[Value], known: &mut BTreeMap<Workload, Known>, keeps_pods: bool, put: impl Fn(&mut Hour, f64)) {
    for row in rows {
        let Some(of) = known.get_mut(&workload(row)) else { continue };
        let (hour, value) = (whole(row, "hour").div_euclid(HOUR_NS), number(row, "value"));
        if value.is_finite() {
            if keeps_pods {
                of.pods.entry(text(row, "pod").to_owned()).or_default().insert(hour, value);
            }
            let empty = Hour { hour, cores: 0.0, memory_mib: None, throttled: None };
            put(of.hours.entry(hour).or_insert(empty), value);
        }
    }
}

/// What runs now, on which machine, with what it asks for and may use.
async fn read_running(
    run: &Run<'_>,
    sources: &Sources,
    is_clustered: bool,
    end: Timestamp,
    known: &mut BTreeMap<Workload, Known>,
) -> Result<(), JobError> {
    let recent = within("time", end.saturating_add(-NOW_NS), end);
    for (metric, is_limit) in [(REQUESTS, false), (LIMITS, true)] {
        let has = columns(run.engine, run.tenant, metric).await?;
        let Some(named) = names(run, metric, is_clustered).await?.filter(|_| has.contains("resource")) else {
            continue;
        };
        let plain = format!("metrics.{metric}");
        let (source, machine) = match &sources.requests {
            Some(requests) if !is_limit => (requests, format!("max({ID})")),
            _ => (&plain, "''".to_owned()),
        };
        let sql = format!(
            "SELECT {named}, {machine} AS machine, max(value) FILTER (WHERE resource = 'cpu') AS cores, \
             max(value) FILTER (WHERE resource = 'memory') / {MIB} AS memory FROM {source} WHERE {NAMED} AND {recent} \
             GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
        );
        for row in rows(run.engine, run.tenant, &sql).await? {
            let key = workload(&row);
            if known.len() >= WORKLOADS_MAX && !known.contains_key(&key) {
                continue;
            }
            let finite = |name: &str| Some(number(&row, name)).filter(|v| v.is_finite() && *v > 0.0);
            let given = Given { cores: finite("cores"), memory_mib: finite("memory") };
            match known.get_mut(&key) {
                Some(of) if is_limit => of.limit = given,
                _ if is_limit => {}
                _ => {
                    let running = Running { machine: text(&row, "machine").to_owned(), request: given };
                    known.entry(key).or_default().running.push(running);
                }
            }
        }
    }
    Ok(())
}

async fn read_throttled(
    run: &Run<'_>,
    is_clustered: bool,
    start: Timestamp,
    end: Timestamp,
    known: &mut BTreeMap<Workload, Known>,
) -> Result<(), JobError> {
    let (of, all) = (names(run, THROTTLED, is_clustered).await?, names(run, PERIODS, is_clustered).await?);
    let (Some(of), Some(all)) = (of, all) else { return Ok(()) };
    let sql = |start, end| {
        let range = within("time", start, end);
        let part = |metric: &str, named: &str| {
            format!(
                "SELECT {named}, time_bucket('1h', time) AS hour, increase(value, time, series_id) AS n FROM metrics.{metric} \
                 WHERE {NAMED} AND {range} GROUP BY 1, 2, 3, 4, 5"
            )
        };
        format!(
            "SELECT t.cluster AS cluster, t.namespace AS namespace, t.pod AS pod, t.container AS container, CAST(t.hour AS BIGINT) AS hour, t.n / p.n AS value \
             FROM ({}) AS t JOIN ({}) AS p ON t.cluster = p.cluster AND t.namespace = p.namespace AND t.pod = p.pod \
             AND t.container = p.container AND t.hour = p.hour WHERE p.n > 0 ORDER BY 1, 2, 3, 4, 5",
            part(THROTTLED, &of),
            part(PERIODS, &all)
        )
    };
    let raise = |of: &mut Hour, value: f64| of.throttled = Some(of.throttled.map_or(value, |t| t.max(value)));
    each(&by_time(run.engine, run.tenant, (start, end), sql).await?, known, false, raise);
    Ok(())
}

/// Which were killed for want of memory: by the reason of their last end, else by the kernel's count, else by any restart.
async fn read_kills(
    run: &Run<'_>,
    is_clustered: bool,
    start: Timestamp,
    end: Timestamp,
    known: &mut BTreeMap<Workload, Known>,
) -> Result<(), JobError> {
    let range = within("time", start, end);
    for (metric, expression, condition) in [
        (REASON, "max(value)", "reason = 'OOMKilled' AND "),
        (KILLS, "increase(value, time, series_id)", ""),
        (RESTARTS, "increase(value, time, series_id)", ""),
    ] {
        let Some(named) = names(run, metric, is_clustered).await? else { continue };
        if metric == REASON && !columns(run.engine, run.tenant, metric).await?.contains("reason") {
            continue;
        }
        let sql = format!(
            "SELECT {named}, {expression} AS value FROM metrics.{metric} WHERE {condition}{NAMED} AND {range} \
             GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
        );
        for row in rows(run.engine, run.tenant, &sql).await? {
            if number(&row, "value") > 0.0
                && let Some(of) = known.get_mut(&workload(&row))
            {
                of.was_killed = true;
            }
        }
        break;
    }
    Ok(())
}

fn evidence(of: &Workload, park: &Park, is_clustered: bool) -> String {
    let (start, end) = (park.start, park.end);
    let source = |source: &Option<String>, metric: &str| source.clone().unwrap_or_else(|| format!("metrics.{metric}"));
    let requests = source(&park.sources.requests, REQUESTS);
    let (machine_cores, machine_memory) = (source(&park.sources.cores, CORES), source(&park.sources.total, TOTAL));
    let cluster =
        if is_clustered { format!("coalesce(cluster, '') = {} AND ", literal(&of.cluster)) } else { String::new() };
    let which = format!(
        "{cluster}namespace = {} AND container = {} AND regexp_like(pod, {})",
        literal(&of.namespace),
        literal(&of.container),
        literal(&pods_of(&of.name)),
    );
    let (range, recent) = (within("time", start, end), within("time", end.saturating_add(-NOW_NS), end));
    let weight = |cores: &str, bytes: &str| {
        format!("(coalesce({cores}, 0) * {CORE_WEIGHT} + coalesce({bytes}, 0) / 1073741824 * {GIB_WEIGHT})")
    };
    format!(
        "SELECT u.cpu_peak, m.memory_peak_mib, c.pods, c.cpu_request, c.memory_request_mib, c.monthly_cost
FROM (SELECT round(max(cores), 3) AS cpu_peak FROM (SELECT pod, hour, sum(cores) AS cores FROM (
  SELECT pod, series_id, time_bucket('1h', time) AS hour, {GROWTH} AS cores
  FROM metrics.{CPU} WHERE {which} AND {range} GROUP BY 1, 2, 3) GROUP BY 1, 2)) AS u
CROSS JOIN (SELECT round(max(value) / 1048576, 1) AS memory_peak_mib FROM metrics.{MEMORY} WHERE {which} AND {range}) AS m
CROSS JOIN (SELECT count(*) AS pods, max(r.cores) AS cpu_request, round(max(r.bytes) / 1048576, 1) AS memory_request_mib,
    sum(CAST(b.monthly AS DECIMAL(38, 18)) * CAST(round({of_pod} / {of_machine}, 9) AS DECIMAL(38, 18))) AS monthly_cost
  FROM (SELECT pod, max({ID}) AS id, max(value) FILTER (WHERE resource = 'cpu') AS cores, max(value) FILTER (WHERE resource = 'memory') AS bytes
    FROM {requests} WHERE {which} AND {recent} GROUP BY 1) AS r
  JOIN (SELECT {ID} AS id, max(value) AS cores FROM {machine_cores} WHERE {recent} GROUP BY 1) AS n ON n.id = r.id
  JOIN (SELECT {ID} AS id, max(value) AS bytes FROM {machine_memory} WHERE {recent} GROUP BY 1) AS t ON t.id = r.id
  JOIN (SELECT resource_id AS id, {MONTHLY} AS monthly FROM charges WHERE {OF_MACHINES} AND {charged} GROUP BY 1) AS b ON b.id = r.id) AS c",
        of_pod = weight("r.cores", "r.bytes"),
        of_machine = weight("n.cores", "t.bytes"),
        charged = within("charge_period_start", start, end),
    )
}

/// `250m CPU and 320 MiB`.
fn shown(given: &Given) -> String {
    let cores = given.cores.map(|c| if c < 1.0 { format!("{:.0}m CPU", c * 1e3) } else { format!("{c} CPU") });
    let memory = given.memory_mib.map(|m| format!("{m:.0} MiB"));
    cores.into_iter().chain(memory).collect::<Vec<_>>().join(" and ")
}

#[allow(clippy::too_many_arguments, reason = "one proposal is made of all that was read of one workload")]
fn told(
    run: &Run<'_>,
    of: &Workload,
    machine: &Machine,
    used: &Use,
    advice: &Advice,
    monthly: Amount,
    pods: usize,
    evidence: Evidence,
) -> Option<RecommendationRow> {
    let (p, is_raise): (&Proposal, bool) = match advice {
        Advice::Keep => return None,
        Advice::Lower(p) => (p, false),
        Advice::Raise(p) => (p, true),
    };
    let id = of.id();
    let peak = format!("{} cores and {} MiB", evidence.number("cpu_peak"), evidence.number("memory_peak_mib"));
    let (present, proposed) = if is_raise {
        (format!("limit {}", shown(&used.limit)), format!("limit {}", shown(&p.limit)))
    } else {
        (format!("request {}", shown(&used.request)), format!("request {}", shown(&p.request)))
    };
    let title = if is_raise {
        let why = if used.was_killed && p.limit.memory_mib != used.limit.memory_mib {
            "killed for want of memory"
        } else {
            "throttled"
        };
        format!("raise the limit of {} to {}: it is {why}", of.name, shown(&p.limit))
    } else {
        format!(
            "let {} ask for {} instead of {}: in no hour it used more than {peak}; {}",
            of.name,
            shown(&p.request),
            shown(&used.request),
            said(&p.saving, &machine.billed.currency)
        )
    };
    let labels =
        [("cluster", &of.cluster), ("namespace", &of.namespace), ("workload", &of.name), ("container", &of.container)];
    let saving = if is_raise { grid_findings::size::Saving::default() } else { p.saving };
    let action = if is_raise { "raise" } else { "rightsize" };
    Some(RecommendationRow {
        recommendation_id: stable_id(&[action, "container", &id]),
        action: action.to_owned(),
        resource_id: id.clone(),
        resource_kind: "container".to_owned(),
        provider: full(&machine.billed.provider),
        account: full(&machine.billed.account),
        region: full(&machine.billed.region),
        labels: labels.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.to_owned(), v.clone())).collect(),
        title,
        present,
        proposed,
        monthly_cost: monthly,
        saving_low: saving.low,
        saving: saving.likely,
        saving_high: saving.high,
        currency: machine.billed.currency.clone(),
        risk: rounded(p.risk),
        replay: replayed(&p.replay),
        effort: "Low".to_owned(),
        restart_needed: true,
        rollback_possible: true,
        rollback: "set the old requests and limits again; its pods are replaced one by one".to_owned(),
        blast_radius: format!("the {pods} pods of {}, while they are replaced", of.name),
        model: MODEL.to_owned(),
        version: VERSION,
        parameters:
            json!({ "hours": used.hours.len(), "target": TARGET, "risk_max": RISK_MAX, "was_killed": used.was_killed })
                .to_string(),
        query: evidence.sql.clone(),
        evidence: evidence.json(),
        ..common(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_and_their_makers() {
        for (pod, expected) in [
            ("cart-7c9f8b6d5-x2x4z", "cart"),
            ("node-exporter-x2x4z", "node-exporter"),
            ("orders-db-0", "orders-db"),
            ("single", "single"),
            ("cart-service-x2x4z", "cart-service"),
            ("cart-service-6d5-x2x4z", "cart-service-6d5"),
        ] {
            assert_eq!(maker(pod), expected, "{pod}");
        }
        assert!(pods_of("a.b-c").starts_with("^a[.]b-c(-(["));
    }

    #[test]
    fn requests_as_people_write_them() {
        let given = |cores, memory_mib| shown(&Given { cores, memory_mib });
        assert_eq!(given(Some(0.25), Some(320.0)), "250m CPU and 320 MiB");
        assert_eq!(given(Some(2.5), None), "2.5 CPU");
    }
}
