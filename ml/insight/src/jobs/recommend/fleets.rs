//! Groups of machines: autoscaling groups and node pools, by a label of their machines. What a group should be is proposed in the place of what its machines
//! should be, if it saves more; and what could run on spare capacity, beside it.

use std::collections::{BTreeMap, BTreeSet};

use grid_findings::fleet::{Asked, FOR_PODS, Hour, MODEL, Proposal, Use, VERSION, advise, prefer};
use grid_findings::size::{Offer, Price, RISK_MAX, Replay, Saving, TARGET};
use grid_findings::{spot, stable_id};
use grid_model::table::recommendations::RecommendationRow;
use grid_model::{Amount, Timestamp};
use serde_json::json;

use super::machines::{Billed, CPU, MONTHLY, Machine, OF_MACHINES, Park, read_offers};
use super::sources::{ID, Sources};
use super::workloads::Asked as AskedBy;
use super::{Proposed, common, full, replayed, rounded, said};
use crate::evidence::Evidence;
use crate::jobs::{JobError, Run, think};
use crate::read::{GROWTH, amount, literal, within};

/// Machines of a group that are named one by one in its evidence; larger groups are not judged.
const MACHINES_MAX: usize = 500;
/// A machine that was measured within so many hours of the end runs now.
const NOW_HOURS: i64 = 6;
/// Changes of the number of machines from which on a group follows its load.
const CHANGES_MIN: usize = 3;

/// A group with its machines.
struct Fleet<'a> {
    /// `cluster/pool`.
    id: String,
    name: String,
    kind: &'static str,
    /// All that ran at some time.
    all: Vec<&'a Machine>,
    /// Those that run now.
    now: Vec<&'a Machine>,
}

pub(super) async fn find(
    run: &Run<'_>,
    park: &Park,
    asked: &AskedBy,
    judged: &mut BTreeSet<String>,
    proposed: &mut Vec<Proposed>,
) -> Result<(), JobError> {
    for fleet in fleets(park) {
        let Some(first) = fleet.now.first().copied() else { continue };
        let Some((used, price)) = of(&fleet, asked) else { continue };
        judged.insert(fleet.id.clone());
        let offers: Vec<Offer> = if price.is_committed {
            // Another type would leave the commitment unused.
            Vec::new()
        } else {
            park.offers(&first.billed, &first.machine)
                .into_iter()
                .filter(|o| is_steady(&o.name, &first.machine))
                .collect()
        };
        let judge = used.clone();
        let Ok(advice) = think(move || advise(&judge, price, &offers)).await? else { continue };
        if let Some(p) = advice {
            let members: BTreeSet<&str> = fleet.now.iter().map(|m| m.id.as_str()).collect();
            let own = |p: &Proposed| members.contains(p.row.resource_id.as_str());
            let alone = proposed.iter().filter(|p| own(p)).map(|p| p.claim().saving);
            if prefer(&p.saving, alone) {
                proposed.retain(|p| !own(p));
                let row = told(run, &fleet, first, &used, &p, park).await?;
                proposed.push(Proposed { row, resources: claimed(&fleet), is_exclusive: true });
            }
        }
        proposed.extend(spare(run, &fleet, first, &used, price, park).await?);
    }
    Ok(())
}

/// Burstable types earn their price by doing nothing most of the time (AWS: T; Azure: B): no place for a group that works, unless it is there already.
fn is_steady(name: &str, present: &str) -> bool {
    let is_burstable = |n: &str| {
        let family = n.split('.').next().unwrap_or_default();
        (n.contains('.') && family.starts_with('t') && family[1..].starts_with(|c: char| c.is_ascii_digit()))
            || n.starts_with("Standard_B")
    };
    !is_burstable(name) || is_burstable(present)
}

fn claimed(fleet: &Fleet<'_>) -> Vec<(String, Amount)> {
    fleet.now.iter().map(|m| (m.id.clone(), m.billed.monthly)).collect()
}

fn fleets(park: &Park) -> Vec<Fleet<'_>> {
    let last = park.machines.iter().filter_map(|m| Some(m.used.hours.last()?.hour)).max().unwrap_or(0);
    let mut by: BTreeMap<(String, String, String), Vec<&Machine>> = BTreeMap::new();
    for machine in &park.machines {
        let Some((_, name)) = machine.group() else { continue };
        let cluster = machine.labels.get("cluster").map_or("", String::as_str);
        let id = if cluster.is_empty() { name.to_owned() } else { format!("{cluster}/{name}") };
        by.entry((id, machine.machine.clone(), machine.billed.currency.clone())).or_default().push(machine);
    }
    let all = by.into_iter().map(|((id, ..), all)| fleet(id, all, last));
    all.filter(|f| f.all.len() <= MACHINES_MAX && f.now.len() >= 2).collect()
}

fn fleet(id: String, all: Vec<&Machine>, last_hour: i64) -> Fleet<'_> {
    let runs = |m: &&Machine| m.used.hours.last().is_some_and(|h| h.hour + NOW_HOURS > last_hour);
    let now: Vec<&Machine> = all.iter().copied().filter(runs).collect();
    let (label, name) = all.first().and_then(|m| m.group()).unwrap_or_default();
    let kind = if label == "autoscaling_group" { "autoscaling_group" } else { "node_pool" };
    Fleet { id, name: name.to_owned(), kind, all, now }
}

/// What a group did and costs, all its machines together.
fn of(fleet: &Fleet<'_>, asked: &AskedBy) -> Option<(Use, Price)> {
    let first = fleet.now.first()?;
    let mut hours: BTreeMap<i64, Hour> = BTreeMap::new();
    for machine in &fleet.all {
        for hour in &machine.used.hours {
            let of = hours.entry(hour.hour).or_insert(Hour {
                hour: hour.hour,
                cores: 0.0,
                memory_gib: Some(0.0),
                machines: 0,
            });
            of.cores += hour.cores;
            of.memory_gib = of.memory_gib.zip(hour.memory_gib).map(|(a, b)| a + b);
            of.machines += 1;
        }
    }
    let hours: Vec<Hour> = hours.into_values().collect();
    let changes = hours.windows(2).filter(|w| w[0].machines != w[1].machines).count();
    let monthly = fleet.now.iter().fold(Amount::ZERO, |sum, m| Amount(sum.0.saturating_add(m.billed.monthly.0)));
    let machines = fleet.now.len() as i128;
    // Without a list the price is what is paid.
    let hourly = first.list.or_else(|| monthly.mul_div(1, 730 * machines)).unwrap_or_default();
    let present = Offer {
        name: first.machine.clone(),
        millicores: (first.used.cores * 1e3).round() as u64,
        memory_mib: (first.used.memory_gib * 1024.0).round() as u64,
        price: hourly,
    };
    let pods: Vec<(f64, f64)> = fleet.now.iter().filter_map(|m| asked.get(&m.id)).flatten().copied().collect();
    let sum = |f: fn(&(f64, f64)) -> f64| pods.iter().map(f).sum::<f64>();
    let most = |f: fn(&(f64, f64)) -> f64| pods.iter().map(f).fold(0.0, f64::max);
    let asked = (!pods.is_empty()).then(|| Asked {
        cores: sum(|p| p.0),
        memory_gib: sum(|p| p.1),
        cores_largest: most(|p| p.0),
        memory_gib_largest: most(|p| p.1),
    });
    let price = Price {
        monthly,
        list: Some(Amount(hourly.0.saturating_mul(machines))),
        is_committed: fleet.now.iter().any(|m| m.billed.is_committed),
    };
    let used = Use {
        hours,
        present,
        machines: fleet.now.len() as u32,
        asked,
        is_elastic: fleet.kind == "autoscaling_group" || changes >= CHANGES_MIN,
        was_short_of_memory: fleet.now.iter().any(|m| m.used.was_short_of_memory),
    };
    Some((used, price))
}

fn evidence(fleet: &Fleet<'_>, cores: f64, sources: &Sources, start: Timestamp, end: Timestamp) -> String {
    let list = |machines: &[&Machine]| machines.iter().map(|m| literal(&m.id)).collect::<Vec<_>>().join(", ");
    let (now, all, range) = (list(&fleet.now), list(&fleet.all), within("time", start, end));
    let cpu = sources.cpu.as_deref().unwrap_or(CPU);
    let (column, memory) = if let Some((available, total)) = sources.memory() {
        let memory = format!(
            "\nCROSS JOIN (SELECT round(max(used), 3) AS memory_peak_gib FROM (SELECT f.hour AS hour, sum(t.total - f.free) / 1073741824 AS used
  FROM (SELECT {ID} AS id, time_bucket('1h', time) AS hour, min(value) AS free FROM {available} WHERE {ID} IN ({all}) AND {range} GROUP BY 1, 2) AS f
  JOIN (SELECT {ID} AS id, max(value) AS total FROM {total} WHERE {ID} IN ({all}) AND {range} GROUP BY 1) AS t ON t.id = f.id GROUP BY 1)) AS m"
        );
        (", m.memory_peak_gib", memory)
    } else {
        ("", String::new())
    };
    // Means of hours; what decides are the highest five minutes of each.
    format!(
        "SELECT u.cores_peak, c.machines, c.monthly_cost{column}
FROM (SELECT round(max(cores), 3) AS cores_peak FROM (SELECT hour, sum(share) * {cores} AS cores
  FROM (SELECT id, hour, 1 - sum(idle) / count(DISTINCT cpu) AS share
    FROM (SELECT {ID} AS id, cpu, series_id, time_bucket('1h', time) AS hour, {GROWTH} AS idle
      FROM {cpu} WHERE mode = 'idle' AND {ID} IN ({all}) AND {range} GROUP BY 1, 2, 3, 4) GROUP BY 1, 2) GROUP BY 1)) AS u
CROSS JOIN (SELECT count(*) AS machines, sum(monthly) AS monthly_cost FROM (SELECT {MONTHLY} AS monthly FROM charges
  WHERE {OF_MACHINES} AND resource_id IN ({now}) AND {charged} GROUP BY resource_id)) AS c{memory}",
        charged = within("charge_period_start", start, end),
    )
}

fn row_of(run: &Run<'_>, fleet: &Fleet<'_>, of: &Billed, evidence: &Evidence, saving: &Saving) -> RecommendationRow {
    let labels = fleet.now.first().map(|m| m.labels.clone()).unwrap_or_default();
    RecommendationRow {
        resource_id: fleet.id.clone(),
        resource_kind: fleet.kind.to_owned(),
        provider: full(&of.provider),
        account: full(&of.account),
        region: full(&of.region),
        team: full(&of.team),
        labels,
        monthly_cost: amount(&evidence.row, "monthly_cost"),
        saving_low: saving.low,
        saving: saving.likely,
        saving_high: saving.high,
        currency: of.currency.clone(),
        rollback_possible: true,
        query: evidence.sql.clone(),
        evidence: evidence.json(),
        ..common(run)
    }
}

async fn told(
    run: &Run<'_>,
    fleet: &Fleet<'_>,
    first: &Machine,
    used: &Use,
    p: &Proposal,
    park: &Park,
) -> Result<RecommendationRow, JobError> {
    let sql = evidence(fleet, first.used.cores, &park.sources, park.start, park.end);
    let evidence = Evidence::ask(run.engine, run.tenant, sql).await?;
    let count =
        if p.min == p.max { format!("{}", p.max) } else { format!("{} to {}, now {}", p.min, p.max, p.desired) };
    let proposed = format!("{count} x {}", p.to.name);
    let title = format!(
        "make {} {proposed} instead of {} x {}: in no hour all of it used more than {} cores; {}",
        fleet.name,
        used.machines,
        first.machine,
        evidence.number("cores_peak"),
        said(&p.saving, &first.billed.currency)
    );
    let is_same = p.to.name == first.machine;
    Ok(RecommendationRow {
        recommendation_id: stable_id(&["rightsize", fleet.kind, &fleet.id, &first.machine]),
        action: "rightsize".to_owned(),
        title,
        present: format!("{} x {}", used.machines, first.machine),
        proposed,
        risk: rounded(p.risk),
        replay: replayed(&p.replay),
        effort: if is_same { "Low" } else { "Medium" }.to_owned(),
        restart_needed: !is_same,
        rollback: "set the old bounds and type again; machines come back within minutes".to_owned(),
        blast_radius: if used.asked.is_some() {
            format!("the pods of {}, which move; lower what they ask for first, where that is proposed", fleet.name)
        } else {
            format!("what runs on {}, while machines are replaced", fleet.name)
        },
        model: MODEL.to_owned(),
        version: VERSION,
        parameters: json!({
            "hours": used.hours.len(), "target": TARGET, "risk_max": RISK_MAX, "for_pods": FOR_PODS, "min": p.min,
            "desired": p.desired, "max": p.max, "elastic": used.is_elastic, "asked_cores": used.asked.map(|a| a.cores),
            "asked_gib": used.asked.map(|a| a.memory_gib),
        })
        .to_string(),
        ..row_of(run, fleet, &first.billed, &evidence, &p.saving)
    })
}

/// What the group would cost on spare capacity, if its work can be interrupted and a price is known.
async fn spare(
    run: &Run<'_>,
    fleet: &Fleet<'_>,
    first: &Machine,
    used: &Use,
    price: Price,
    park: &Park,
) -> Result<Option<Proposed>, JobError> {
    let cores: Vec<f64> = used.hours.iter().map(|h| h.cores).collect();
    if used.hours.len() < grid_findings::size::HOURS_MIN || !spot::can_be_interrupted(&fleet.name, &cores) {
        return Ok(None);
    }
    let of = &first.billed;
    let place = (of.provider.clone(), of.region.clone(), of.currency.clone());
    let offers = read_offers(run, &place, "spot", false).await?;
    let Some(offer) = offers.iter().find(|o| o.name == first.machine) else { return Ok(None) };
    let hourly = Amount(offer.price.0.saturating_mul(i128::from(used.machines)));
    let Some(saving) = spot::saving(price, hourly) else { return Ok(None) };
    let sql = evidence(fleet, first.used.cores, &park.sources, park.start, park.end);
    let evidence = Evidence::ask(run.engine, run.tenant, sql).await?;
    let row = RecommendationRow {
        recommendation_id: stable_id(&["spot", &fleet.id, &first.machine]),
        action: "spot".to_owned(),
        title: format!(
            "run {} on spare capacity: its work can be done again; {}",
            fleet.name,
            said(&saving, &of.currency)
        ),
        present: format!("{} x {} on demand", used.machines, first.machine),
        proposed: format!("{} x {} spot", used.machines, first.machine),
        risk: rounded(spot::risk(used.machines)),
        replay: replayed(&Replay { hours: used.hours.len(), violations: 0, peak: 1.0 }),
        effort: "Medium".to_owned(),
        restart_needed: true,
        rollback: "ask for machines on demand again".to_owned(),
        blast_radius: format!("what runs on {} when a machine is taken back, with two minutes' notice", fleet.name),
        model: spot::MODEL.to_owned(),
        version: spot::VERSION,
        parameters: json!({ "hours": used.hours.len(), "interrupted_a_month": spot::INTERRUPTED_A_MONTH }).to_string(),
        ..row_of(run, fleet, of, &evidence, &saving)
    };
    Ok(Some(Proposed { row, resources: claimed(fleet), is_exclusive: false }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burstable_types_are_no_place_for_a_group_that_works() {
        for (name, present, expected) in [
            ("t3.xlarge", "m5.xlarge", false),
            ("t3.xlarge", "t3a.xlarge", true),
            ("trn1.2xlarge", "m5.xlarge", true),
            ("m6i.large", "m5.xlarge", true),
            ("Standard_B4ms", "Standard_D4s_v5", false),
        ] {
            assert_eq!(is_steady(name, present), expected, "{name}");
        }
    }
}
