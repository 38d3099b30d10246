//! Machines: hourly use from the node exporter's metrics, cost from bills, sizes on sale from the price book.
//!
//! [`read`] gives them with all that is known of each; [`find`] judges them one by one, [`fleets`](super::fleets) those of a group together.

use std::collections::{BTreeMap, BTreeSet};

use grid_findings::limits::{OFFERS_MAX, RESOURCES_MAX};
use grid_findings::size::{Advice, HOURS_MAX, Hour, MODEL, Offer, Price, Replay, Saving, Use, VERSION, advise};
use grid_findings::stable_id;
use grid_model::table::recommendations::RecommendationRow;
use grid_model::time::HOUR_NS;
use grid_model::{Amount, Timestamp};
use serde_json::{Value, json};

use super::sources::{ID, Sources};
use super::{Proposed, common, full, replayed, rounded, said};
use crate::evidence::Evidence;
use crate::jobs::{JobError, Run, think};
use crate::read::{amount, by_time, columns, literal, name, number, rows, text, whole, within};

pub(super) const CPU: &str = "node_cpu_seconds_total";
pub(super) const CORES: &str = "machine_cpu_cores";
pub(super) const AVAILABLE: &str = "node_memory_MemAvailable_bytes";
pub(super) const TOTAL: &str = "node_memory_MemTotal_bytes";
pub(super) const SENT: &str = "node_network_transmit_bytes_total";
/// Containers that were killed for want of memory.
pub(super) const RESTARTS: &str = "kube_pod_container_status_restarts_total";
/// Labels that name the group of a machine, the best first.
pub(in crate::jobs) const GROUPS: [&str; 7] = [
    "autoscaling_group",
    "pool",
    "nodegroup",
    "node_pool",
    "eks_amazonaws_com_nodegroup",
    "cloud_google_com_gke_nodepool",
    "agentpool",
];
/// Labels that are kept beside these, if there are.
const KEPT: [&str; 2] = ["instance_type", "cluster"];

/// What bills say of a machine.
#[derive(Debug, Clone, Default)]
pub(super) struct Billed {
    pub(super) monthly: Amount,
    pub(super) currency: String,
    pub(super) account: String,
    pub(super) region: String,
    /// The provider's word in the price book.
    pub(super) provider: String,
    pub(super) team: String,
    machine: String,
    pub(super) is_committed: bool,
}

/// A machine with all that is known of it.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// As the bill spells it.
    pub(super) id: String,
    pub(super) billed: Billed,
    /// Its type.
    pub(super) machine: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) used: Use,
    /// What an hour of its type is listed at.
    pub(super) list: Option<Amount>,
}

impl Machine {
    /// The group that it is one of, if a label names one.
    pub(super) fn group(&self) -> Option<(&'static str, &str)> {
        GROUPS.iter().filter_map(|l| Some((*l, self.labels.get(*l)?.as_str()))).next()
    }
}

/// Machines, and what is on sale where they are.
#[derive(Debug, Default)]
pub(super) struct Park {
    pub(super) machines: Vec<Machine>,
    /// By provider, region, currency.
    catalogues: BTreeMap<(String, String, String), Vec<Offer>>,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) sources: Sources,
}

impl Park {
    /// Types that can replace one: of the same maker of processors, so that programs still run.
    pub(super) fn offers(&self, billed: &Billed, machine: &str) -> Vec<Offer> {
        let place = (billed.provider.clone(), billed.region.clone(), billed.currency.clone());
        let all = self.catalogues.get(&place).into_iter().flatten();
        all.filter(|o| is_arm(&o.name) == is_arm(machine)).cloned().collect()
    }
}

/// Machines that are both measured and billed.
pub(super) async fn read(run: &Run<'_>) -> Result<Park, JobError> {
    let has = columns(run.engine, run.tenant, CPU).await?;
    let sources = Sources::read(run).await?;
    if sources.cpu.is_none() || !["mode", "cpu"].iter().all(|l| has.contains(*l)) {
        return Ok(Park::default());
    }
    let end = Timestamp(run.until.0 - run.until.0.rem_euclid(HOUR_NS));
    let start = end.saturating_add(-(HOURS_MAX as i64) * HOUR_NS);
    let mut uses = read_use(run, &sources, start, end).await?;
    let labels = read_labels(run, &sources, &has, start, end).await?;
    let billed = read_billed(run, start, end).await?;
    let mut park = Park { start, end, sources, ..Park::default() };
    for (id, billed) in billed {
        let Some(used) = uses.remove(&id) else { continue };
        let labels = labels.get(&id).cloned().unwrap_or_default();
        let machine = labels.get("instance_type").cloned().unwrap_or_else(|| billed.machine.clone());
        let place = (billed.provider.clone(), billed.region.clone(), billed.currency.clone());
        if !park.catalogues.contains_key(&place) {
            let offers = read_offers(run, &place, "on-demand", false).await?;
            park.catalogues.insert(place.clone(), offers);
        }
        let list = park.catalogues[&place].iter().find(|o| o.name == machine).map(|o| o.price);
        park.machines.push(Machine { id, billed, machine, labels, used, list });
    }
    Ok(park)
}

/// Judges them one by one.
pub(super) async fn find(run: &Run<'_>, park: &Park, judged: &mut BTreeSet<String>) -> Result<Vec<Proposed>, JobError> {
    let mut found = Vec::new();
    for of in &park.machines {
        let price = Price { monthly: of.billed.monthly, list: of.list, is_committed: of.billed.is_committed };
        let offers = park.offers(&of.billed, &of.machine);
        let hours = of.used.hours.len();
        let used = of.used.clone();
        let advice = think(move || advise(&used, price, &offers)).await?;
        let Ok(advice) = advice else { continue };
        judged.insert(of.id.clone());
        let labels = of.labels.clone();
        let row =
            told(run, &park.sources, &of.id, &of.billed, &of.machine, labels, &advice, hours, park.start, park.end)
                .await?;
        found.extend(row.map(Proposed::changes));
    }
    Ok(found)
}

/// Whether a machine has processors of Arm: its family ends on a `g` after the generation (`m7g.large`), as AWS names them.
fn is_arm(machine: &str) -> bool {
    let family = machine.split('.').next().unwrap_or_default();
    family.chars().skip(1).skip_while(|c| !c.is_ascii_digit()).any(|c| c == 'g')
}

/// Highest use of each hour, by resource.
async fn read_use(
    run: &Run<'_>,
    sources: &Sources,
    start: Timestamp,
    end: Timestamp,
) -> Result<BTreeMap<String, Use>, JobError> {
    let range = within("time", start, end);
    let mut uses: BTreeMap<String, Use> = BTreeMap::new();
    read_cores(run, sources, (start, end), &mut uses).await?;
    for (id, cores) in largest(run, sources.cores.as_deref(), "max(value)", &range).await? {
        if let Some(of) = uses.get_mut(&id) {
            of.cores = cores;
        }
    }
    for of in uses.values_mut() {
        let cores = of.cores;
        of.hours.iter_mut().for_each(|h| h.cores *= cores);
    }
    read_memory(run, sources, &range, &mut uses).await?;
    read_sent(run, sources, (start, end), &mut uses).await?;
    for (id, restarts) in largest(run, sources.restarts.as_deref(), "increase(value, time, series_id)", &range).await? {
        if let Some(of) = uses.get_mut(&id) {
            of.was_short_of_memory = restarts > 0.0;
        }
    }
    Ok(uses)
}

/// Highest share of its cores in each hour, by resource.
async fn read_cores(
    run: &Run<'_>,
    sources: &Sources,
    time: (Timestamp, Timestamp),
    uses: &mut BTreeMap<String, Use>,
) -> Result<(), JobError> {
    let Some(source) = sources.cpu.as_deref() else { return Ok(()) };
    // The mean of five minutes is what a machine is asked for; the highest of an hour is what it needs.
    let sql = |start, end| {
        format!(
            "SELECT id, CAST(time_bucket('1h', bucket) AS BIGINT) AS hour, round(max(share), 5) AS share, max(cpus) AS cpus FROM \
         (SELECT {ID} AS id, time_bucket('5m', time) AS bucket, 1 - rate(value, time, series_id) / count(DISTINCT cpu) AS share, count(DISTINCT cpu) AS cpus \
          FROM {source} WHERE mode = 'idle' AND {ID} <> '' AND {} GROUP BY 1, 2) GROUP BY 1, 2 ORDER BY 1, 2",
            within("time", start, end)
        )
    };
    for row in by_time(run.engine, run.tenant, time, sql).await? {
        let id = text(&row, "id");
        let share = number(&row, "share");
        if !share.is_finite() || uses.len() >= RESOURCES_MAX && !uses.contains_key(id) {
            continue;
        }
        let of = uses.entry(id.to_owned()).or_insert_with(|| Use {
            hours: Vec::new(),
            cores: 0.0,
            memory_gib: 0.0,
            was_short_of_memory: false,
        });
        of.cores = of.cores.max(number(&row, "cpus"));
        // In cores once their number is known.
        of.hours.push(Hour {
            hour: whole(&row, "hour").div_euclid(HOUR_NS),
            cores: share.clamp(0.0, 1.0),
            memory_gib: None,
            sent_per_s: None,
        });
    }
    Ok(())
}

/// One number per resource of a source; none if there is no such.
async fn largest(
    run: &Run<'_>,
    source: Option<&str>,
    expression: &str,
    range: &str,
) -> Result<Vec<(String, f64)>, JobError> {
    let Some(source) = source else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT {ID} AS id, {expression} AS value FROM {source} WHERE {ID} <> '' AND {range} GROUP BY 1 ORDER BY 1"
    );
    let rows = rows(run.engine, run.tenant, &sql).await?;
    Ok(rows.iter().map(|row| (text(row, "id").to_owned(), number(row, "value"))).collect())
}

async fn read_memory(
    run: &Run<'_>,
    sources: &Sources,
    range: &str,
    uses: &mut BTreeMap<String, Use>,
) -> Result<(), JobError> {
    const GIB: f64 = 1_073_741_824.0;
    let Some((available, total)) = sources.memory() else { return Ok(()) };
    let totals: BTreeMap<String, f64> = largest(run, Some(total), "max(value)", range).await?.into_iter().collect();
    let sql = format!(
        "SELECT {ID} AS id, CAST(time_bucket('1h', time) AS BIGINT) AS hour, min(value) AS free FROM {available} \
         WHERE {ID} <> '' AND {range} GROUP BY 1, 2 ORDER BY 1, 2"
    );
    for row in rows(run.engine, run.tenant, &sql).await? {
        let id = text(&row, "id");
        let (Some(of), Some(total)) = (uses.get_mut(id), totals.get(id)) else { continue };
        of.memory_gib = total / GIB;
        let hour = whole(&row, "hour").div_euclid(HOUR_NS);
        if let Ok(at) = of.hours.binary_search_by_key(&hour, |h| h.hour) {
            of.hours[at].memory_gib = Some(((total - number(&row, "free")) / GIB).max(0.0));
        }
    }
    Ok(())
}

async fn read_sent(
    run: &Run<'_>,
    sources: &Sources,
    time: (Timestamp, Timestamp),
    uses: &mut BTreeMap<String, Use>,
) -> Result<(), JobError> {
    let Some(source) = sources.sent.as_deref() else { return Ok(()) };
    let sql = |start, end| {
        format!(
            "SELECT {ID} AS id, CAST(time_bucket('1h', time) AS BIGINT) AS hour, rate(value, time, series_id) AS sent FROM {source} \
             WHERE {ID} <> '' AND {} GROUP BY 1, 2 ORDER BY 1, 2",
            within("time", start, end)
        )
    };
    for row in by_time(run.engine, run.tenant, time, sql).await? {
        let hour = whole(&row, "hour").div_euclid(HOUR_NS);
        let sent = number(&row, "sent");
        if let Some(of) = uses.get_mut(text(&row, "id")).filter(|_| sent.is_finite())
            && let Ok(at) = of.hours.binary_search_by_key(&hour, |h| h.hour)
        {
            of.hours[at].sent_per_s = Some(sent);
        }
    }
    Ok(())
}

async fn read_labels(
    run: &Run<'_>,
    sources: &Sources,
    has: &BTreeSet<String>,
    start: Timestamp,
    end: Timestamp,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, JobError> {
    let Some(source) = sources.cpu.as_deref() else { return Ok(BTreeMap::new()) };
    let kept: Vec<&str> = GROUPS.into_iter().chain(KEPT).filter(|l| has.contains(*l)).collect();
    let list: String = kept.iter().map(|l| format!(", max({0}) AS {0}", name(l))).collect();
    let sql = format!(
        "SELECT {ID} AS id{list} FROM {source} WHERE mode = 'idle' AND {ID} <> '' AND {} GROUP BY 1 ORDER BY 1",
        within("time", start, end)
    );
    let read = |row: &Value| {
        let labels = kept.iter().map(|l| ((*l).to_owned(), text(row, l).to_owned())).filter(|(_, v)| !v.is_empty());
        (text(row, "id").to_owned(), labels.collect())
    };
    Ok(rows(run.engine, run.tenant, &sql).await?.iter().map(read).collect())
}

/// Cost of a month of 730 hours by what the billed days cost, as an expression over charges of one resource and currency.
pub(super) const MONTHLY: &str = "sum(effective_cost) * CAST(730 AS DECIMAL(38, 18)) / CAST(24 * count(DISTINCT date_trunc('day', charge_period_start)) AS DECIMAL(38, 18))";
/// A machine's own charges: compute, not what hangs on it.
pub(super) const OF_MACHINES: &str =
    "charge_category = 'Usage' AND service_category = 'Compute' AND resource_id IS NOT NULL AND resource_id <> ''";

async fn read_billed(run: &Run<'_>, start: Timestamp, end: Timestamp) -> Result<BTreeMap<String, Billed>, JobError> {
    let sql = format!(
        "SELECT resource_id AS id, billing_currency AS currency, {MONTHLY} AS monthly, \
         max(coalesce(sub_account_id, billing_account_id)) AS account, max(region_id) AS region, \
         max(coalesce(service_provider_name, provider_name)) AS provider, max(tags['team']) AS team, \
         max(coalesce(sku_meter, sku_id, charge_description)) AS meter, \
         count(commitment_discount_id) AS committed \
         FROM charges WHERE {OF_MACHINES} AND {} GROUP BY 1, 2 HAVING sum(effective_cost) > 0 ORDER BY 3 DESC, 1, 2 LIMIT {RESOURCES_MAX}",
        within("charge_period_start", start, end)
    );
    let mut billed = BTreeMap::new();
    for row in rows(run.engine, run.tenant, &sql).await? {
        let of = |column: &str| text(&row, column).to_owned();
        let meter = of("meter");
        billed.entry(of("id")).or_insert_with(|| Billed {
            monthly: amount(&row, "monthly"),
            currency: of("currency"),
            account: of("account"),
            region: of("region"),
            provider: provider(text(&row, "provider")).to_owned(),
            team: of("team"),
            machine: meter.rsplit(':').next().unwrap_or_default().to_owned(),
            is_committed: number(&row, "committed") > 0.0,
        });
    }
    Ok(billed)
}

/// The provider's word in the price book.
pub(super) fn provider(name: &str) -> &'static str {
    let name = name.to_lowercase();
    if name.contains("aws") || name.contains("amazon") {
        "aws"
    } else if name.contains("google") || name.contains("gcp") {
        "gcp"
    } else if name.contains("azure") || name.contains("microsoft") {
        "azure"
    } else {
        ""
    }
}

/// Machines or classes of databases on sale: Linux, shared hardware, by the hour.
pub(super) async fn read_offers(
    run: &Run<'_>,
    (provider, region, currency): &(String, String, String),
    option: &str,
    are_databases: bool,
) -> Result<Vec<Offer>, JobError> {
    let of = if are_databases {
        "service LIKE '%RDS%'"
    } else {
        "service NOT LIKE '%RDS%' AND service NOT LIKE '%ElastiCache%' AND service NOT LIKE '%SQL%'"
    };
    let sql = format!(
        "SELECT resource_type AS machine, CAST(max(vcpu) AS DOUBLE) AS cores, CAST(max(memory_gib) AS DOUBLE) AS gib, min(price) AS price \
         FROM prices WHERE provider = {} AND region = {} AND currency = {} AND purchase_option = {} AND {of} \
         AND coalesce(attributes['operating_system'], 'linux') ILIKE 'linux' AND coalesce(attributes['tenancy'], 'shared') ILIKE 'shared' \
         AND vcpu IS NOT NULL AND memory_gib IS NOT NULL AND price > 0 GROUP BY 1 ORDER BY 1 LIMIT {OFFERS_MAX}",
        literal(provider),
        literal(region),
        literal(currency),
        literal(option),
    );
    let offer = |row: &Value| {
        let (cores, gib) = (number(row, "cores"), number(row, "gib"));
        (cores > 0.0 && gib > 0.0).then(|| Offer {
            name: text(row, "machine").to_owned(),
            millicores: (cores * 1e3).round() as u64,
            memory_mib: (gib * 1024.0).round() as u64,
            price: amount(row, "price"),
        })
    };
    Ok(rows(run.engine, run.tenant, &sql).await?.iter().filter_map(offer).collect())
}

fn evidence(id: &str, sources: &Sources, start: Timestamp, end: Timestamp) -> String {
    let (of, range) = (format!("{ID} = {}", literal(id)), within("time", start, end));
    let cpu = sources.cpu.as_deref().unwrap_or(CPU);
    let (column, memory) = if let Some((available, total)) = sources.memory() {
        let memory = format!(
            "\nCROSS JOIN (SELECT round(1 - f.free / t.total, 4) AS memory_peak
  FROM (SELECT min(value) AS free FROM {available} WHERE {of} AND {range}) AS f
  CROSS JOIN (SELECT max(value) AS total FROM {total} WHERE {of} AND {range}) AS t) AS m"
        );
        (", m.memory_peak", memory)
    } else {
        ("", String::new())
    };
    format!(
        "SELECT u.cpu_peak, u.cpu_mean, u.hours, c.monthly_cost{column}
FROM (SELECT round(max(share), 4) AS cpu_peak, round(avg(share), 4) AS cpu_mean, count(DISTINCT time_bucket('1h', bucket)) AS hours
  FROM (SELECT time_bucket('5m', time) AS bucket, 1 - rate(value, time, series_id) / count(DISTINCT cpu) AS share
    FROM {cpu} WHERE mode = 'idle' AND {of} AND {range} GROUP BY 1)) AS u
CROSS JOIN (SELECT {MONTHLY} AS monthly_cost FROM charges
  WHERE {OF_MACHINES} AND resource_id = {id} AND {charged}) AS c{memory}",
        id = literal(id),
        charged = within("charge_period_start", start, end),
    )
}

#[allow(clippy::too_many_arguments, reason = "one proposal is made of all that was read of one machine")]
async fn told(
    run: &Run<'_>,
    sources: &Sources,
    id: &str,
    cost: &Billed,
    machine: &str,
    labels: BTreeMap<String, String>,
    advice: &Advice,
    hours: usize,
    start: Timestamp,
    end: Timestamp,
) -> Result<Option<RecommendationRow>, JobError> {
    let (action, proposed, saving, risk, replay): (&str, String, &Saving, f64, &Replay) = match advice {
        Advice::Keep => return Ok(None),
        Advice::Stop { saving, risk, replay } => ("stop", String::new(), saving, *risk, replay),
        Advice::Resize { to, saving, risk, replay } => ("rightsize", to.name.clone(), saving, *risk, replay),
        Advice::Schedule { on, saving, risk, replay } => ("schedule", week(on), saving, *risk, replay),
    };
    let evidence = Evidence::ask(run.engine, run.tenant, evidence(id, sources, start, end)).await?;
    let short = id.rsplit('/').next().unwrap_or(id);
    let peak = format!("{:.1}%", evidence.number("cpu_peak") * 100.0);
    let title = match advice {
        Advice::Stop { .. } => format!("stop {short} ({machine}): its processors never did more than {peak}"),
        Advice::Resize { .. } => {
            format!("make {short} a {proposed} instead of a {machine}: at most {peak} of its processors are used")
        }
        _ => format!("run {short} ({machine}) {proposed} only"),
    };
    let title = format!("{title}; {}", said(saving, &cost.currency));
    let (effort, restart, rollback, blast) = match action {
        "stop" => (
            "Low",
            false,
            "start it again; a stopped machine keeps its disks",
            "what still runs on this machine, if anything does",
        ),
        "rightsize" => (
            "Medium",
            true,
            "change the type back; that takes a restart as well",
            "what runs on this machine, while it restarts",
        ),
        _ => ("Medium", true, "drop the schedule", "who uses this machine outside of its hours"),
    };
    let pool = labels.get("pool").map(|p| format!("; one of pool {p}")).unwrap_or_default();
    Ok(Some(RecommendationRow {
        recommendation_id: stable_id(&[action, id]),
        action: action.to_owned(),
        resource_id: id.to_owned(),
        resource_kind: "virtual_machine".to_owned(),
        provider: full(&cost.provider),
        account: full(&cost.account),
        region: full(&cost.region),
        team: full(&cost.team),
        labels,
        title,
        present: machine.to_owned(),
        proposed,
        monthly_cost: cost.monthly,
        saving_low: saving.low,
        saving: saving.likely,
        saving_high: saving.high,
        currency: cost.currency.clone(),
        risk: rounded(risk),
        replay: replayed(replay),
        effort: effort.to_owned(),
        restart_needed: restart,
        rollback_possible: true,
        rollback: rollback.to_owned(),
        blast_radius: format!("{blast}{pool}"),
        model: MODEL.to_owned(),
        version: VERSION,
        parameters:
            json!({ "hours": hours, "target": grid_findings::size::TARGET, "risk_max": grid_findings::size::RISK_MAX })
                .to_string(),
        query: evidence.sql.clone(),
        evidence: evidence.json(),
        ..common(run)
    }))
}

/// Hours of the week as people say them: `on 40 of 168 hours`, with the hours of each day.
fn week(on: &[u8]) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let mut days: Vec<(String, Vec<&str>)> = Vec::new();
    for (day, word) in DAYS.iter().enumerate() {
        let hours: Vec<u8> = on.iter().copied().filter(|h| usize::from(h / 24) == day).map(|h| h % 24).collect();
        let mut spans: Vec<(u8, u8)> = Vec::new();
        for hour in hours {
            match spans.last_mut() {
                Some((_, end)) if *end == hour => *end += 1,
                _ => spans.push((hour, hour + 1)),
            }
        }
        let shown = spans.iter().map(|(a, b)| format!("{a:02}-{b:02}")).collect::<Vec<_>>().join("+");
        if shown.is_empty() {
            continue;
        }
        match days.iter_mut().find(|(s, _)| *s == shown) {
            Some((_, words)) => words.push(word),
            None => days.push((shown, vec![word])),
        }
    }
    let days: Vec<String> = days.into_iter().map(|(hours, words)| format!("{} {hours} UTC", words.join(","))).collect();
    format!("{} of 168 hours: {}", on.len(), days.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_and_processors() {
        assert_eq!(week(&[0, 1, 2, 24, 25, 26, 160]), "7 of 168 hours: Mon,Tue 00-03 UTC; Sun 16-17 UTC");
        for (machine, arm) in [
            ("m7g.large", true),
            ("m5.xlarge", false),
            ("c6gn.large", true),
            ("g4dn.xlarge", false),
            ("r6i.large", false),
        ] {
            assert_eq!(is_arm(machine), arm, "{machine}");
        }
    }
}
