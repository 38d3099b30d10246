//! The ground truth: what was planted where and when. Tests compare what Grid concludes with it; it is never stored, so
//! that every finding comes from a job that looked at the data.

#![allow(dead_code, reason = "facts are for tests and for `grid demo --facts`; no job may know what was planted")]

use std::ops::Range;

use grid_model::{Amount, Timestamp};

use super::bills;
use super::company::{AWS_BATCH, Cloud, Node, Pool, Service, deployment, machine_type};
use super::world::World;

/// What is true about one demo.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The first and the last minute.
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// Days that are billed, counted since the epoch.
    pub(crate) billed_days: Range<i64>,
    pub(crate) outage: OutageFact,
    pub(crate) leak: LeakFact,
    pub(crate) idle_fleet: MachinesFact,
    pub(crate) oversized: MachinesFact,
    pub(crate) rollout: RolloutFact,
    /// A spike of cost; absent in a short history.
    pub(crate) copy: Option<CopyFact>,
    /// Somebody who tries passwords: first and last minute; absent in a short history.
    pub(crate) intrusion: Option<(Timestamp, Timestamp)>,
    /// A deployment without consequences.
    pub(crate) harmless: DeploymentFact,
    pub(crate) restatement: RestatementFact,
    pub(crate) savings_plan: CommitmentFact,
    /// Every bill file in order of delivery.
    pub(crate) bills: Vec<BillTotal>,
}

/// A service answers 5xx because its database has no connection left.
#[derive(Debug, Clone)]
pub(crate) struct OutageFact {
    pub(crate) service: &'static str,
    /// Bill id of the database.
    pub(crate) database: String,
    /// First and last minute with errors.
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Share of requests that fail at the height.
    pub(crate) error_ratio: f64,
    /// Services that fail because they call it.
    pub(crate) also_hit: [&'static str; 2],
}

/// A version that never frees some memory, until its container is killed.
#[derive(Debug, Clone)]
pub(crate) struct LeakFact {
    pub(crate) service: &'static str,
    pub(crate) version: &'static str,
    pub(crate) since: Timestamp,
    /// `(pod, when it was killed)`.
    pub(crate) kills: Vec<(String, Timestamp)>,
    pub(crate) limit_bytes: f64,
}

/// Traffic between regions that costs many times what it usually does, for some days.
#[derive(Debug, Clone)]
pub(crate) struct CopyFact {
    pub(crate) account: &'static str,
    pub(crate) usage_type: &'static str,
    /// Days since the epoch.
    pub(crate) days: Range<i64>,
}

/// Machines that do too little for their price.
#[derive(Debug, Clone)]
pub(crate) struct MachinesFact {
    pub(crate) machine_type: &'static str,
    pub(crate) cores: u32,
    /// As on the bill.
    pub(crate) resource_ids: Vec<String>,
    /// CPU share between which nearly all minutes lie.
    pub(crate) cpu: (f64, f64),
    pub(crate) cost_per_day: Amount,
}

/// A deployment.
#[derive(Debug, Clone)]
pub(crate) struct DeploymentFact {
    pub(crate) service: &'static str,
    pub(crate) version: &'static str,
    pub(crate) at: Timestamp,
}

/// A deployment that made its service slower and dearer.
#[derive(Debug, Clone)]
pub(crate) struct RolloutFact {
    pub(crate) deployment: DeploymentFact,
    pub(crate) latency_factor: f64,
    /// Machines before and after.
    pub(crate) machines: (usize, usize),
}

/// A day that was billed wrongly and later corrected.
#[derive(Debug, Clone)]
pub(crate) struct RestatementFact {
    pub(crate) dataset: &'static str,
    pub(crate) cloud: &'static str,
    /// Days since the epoch.
    pub(crate) day: i64,
    pub(crate) currency: &'static str,
    /// Billed in the first version minus billed in the second.
    pub(crate) too_much: Amount,
}

/// A commitment that is larger than its use.
#[derive(Debug, Clone)]
pub(crate) struct CommitmentFact {
    pub(crate) id: String,
    pub(crate) bought_machines: usize,
    pub(crate) used_machines: usize,
}

/// What one bill file adds up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BillTotal {
    pub(crate) cloud: &'static str,
    pub(crate) dataset: &'static str,
    pub(crate) file_name: String,
    pub(crate) currency: &'static str,
    pub(crate) rows: usize,
    pub(crate) billed: Amount,
    pub(crate) effective: Amount,
    /// Whether it replaces the file before it of the same dataset and month.
    pub(crate) restate: bool,
}

impl Facts {
    /// The planted events as JSON, for whoever wants to compare them with what Grid concludes.
    pub(crate) fn json(&self) -> serde_json::Value {
        use serde_json::json;
        let time = |t: Timestamp| t.to_string();
        let deployment = |d: &DeploymentFact| json!({ "service": d.service, "version": d.version, "at": time(d.at) });
        let machines = |m: &MachinesFact| json!({ "machine_type": m.machine_type, "resource_ids": m.resource_ids });
        let day = |d: i64| time(Timestamp(d.saturating_mul(grid_model::time::DAY_NS)));
        json!({
            "first": time(self.first),
            "last": time(self.last),
            "outage": {
                "service": self.outage.service,
                "database": self.outage.database,
                "from": time(self.outage.from),
                "to": time(self.outage.to),
                "also_hit": self.outage.also_hit,
            },
            "leak": {
                "service": self.leak.service,
                "version": self.leak.version,
                "since": time(self.leak.since),
                "kills": self.leak.kills.iter().map(|(pod, at)| json!({ "pod": pod, "at": time(*at) })).collect::<Vec<_>>(),
            },
            "idle_fleet": machines(&self.idle_fleet),
            "oversized": machines(&self.oversized),
            "bad_deployment": deployment(&self.rollout.deployment),
            "harmless_deployment": deployment(&self.harmless),
            "cost_spike": self.copy.as_ref().map(|c| json!({
                "account": c.account,
                "usage_type": c.usage_type,
                "from": day(c.days.start),
                "to": day(c.days.end),
            })),
            "intrusion": self.intrusion.map(|(from, to)| json!({
                "service": "bastion",
                "from": time(from),
                "to": time(to),
            })),
            "unused_commitment": {
                "id": self.savings_plan.id,
                "bought_machines": self.savings_plan.bought_machines,
                "used_machines": self.savings_plan.used_machines,
            },
        })
    }

    pub(crate) fn of(world: &World) -> Self {
        let (timeline, events, company) = (world.timeline, &world.events, &world.company);
        let end = timeline.steps;
        let leak_profile = events.leak.service.profile();
        let leaking = (0..company.pods.len()).filter(|&pod| world.leaks(pod)).map(|pod| &company.pods[pod]);
        let files = bills::files(world);
        let bills: Vec<BillTotal> = files
            .into_iter()
            .map(|(cloud, month, restate)| {
                bills::total(cloud, month, restate, &bills::charges(world, cloud, month, restate))
            })
            .collect();
        Self {
            first: timeline.time(0),
            last: timeline.time(end - 1),
            billed_days: timeline.billed_days(),
            outage: OutageFact {
                service: events.outage.service.name(),
                database: company.databases[world.exhausted_db()].resource_id.clone(),
                from: timeline.time(events.outage.steps.start),
                to: timeline.time(events.outage.steps.end - 1),
                error_ratio: events.outage.error_ratio,
                also_hit: [Service::Checkout.name(), Service::Frontend.name()],
            },
            leak: LeakFact {
                service: leak_profile.name,
                version: leak_profile.versions[1],
                since: timeline.time(events.leak.start),
                kills: leaking
                    .flat_map(|p| events.leak.kills(p.ordinal, end).map(|s| (p.name.clone(), timeline.time(s))))
                    .collect(),
                limit_bytes: leak_profile.memory_limit_mib * 1_048_576.0,
            },
            idle_fleet: machines(company.pool(Pool::Batch), (0.01, 0.03)),
            oversized: machines(
                company.pool(Pool::Search),
                if events.search_type == "m6i.8xlarge" { (0.04, 0.08) } else { (0.09, 0.16) },
            ),
            rollout: RolloutFact {
                deployment: deployed(world, Service::Recommendations, events.rollout.at),
                latency_factor: events.rollout.latency_factor,
                machines: (company.pool(Pool::Ml).filter(|n| n.from == 0).count(), company.pool(Pool::Ml).count()),
            },
            copy: events.copy.as_ref().map(|copy| CopyFact {
                account: AWS_BATCH,
                usage_type: bills::prices::BETWEEN_REGIONS,
                days: copy.days.clone(),
            }),
            intrusion: events.intrusion.as_ref().map(|s| (timeline.time(s.start), timeline.time(s.end - 1))),
            harmless: deployed(world, events.harmless.0, events.harmless.1),
            restatement: restatement(world, &bills),
            savings_plan: CommitmentFact {
                id: company.savings_plan_id.clone(),
                bought_machines: events.plan_nodes,
                used_machines: company.pool(Pool::App).count(),
            },
            bills,
        }
    }
}

fn deployed(world: &World, service: Service, at: usize) -> DeploymentFact {
    debug_assert_eq!(deployment(service, &world.events), Some(at));
    DeploymentFact { service: service.name(), version: service.profile().versions[1], at: world.timeline.time(at) }
}

fn machines<'a>(nodes: impl Iterator<Item = &'a Node>, cpu: (f64, f64)) -> MachinesFact {
    let nodes: Vec<&Node> = nodes.collect();
    let machine = machine_type(nodes[0].machine);
    MachinesFact {
        machine_type: machine.name,
        cores: machine.cores,
        resource_ids: nodes.iter().map(|n| n.resource_id.clone()).collect(),
        cpu,
        cost_per_day: Amount(i128::from(machine.price_nanos) * 24 * nodes.len() as i128 * 1_000_000_000),
    }
}

fn restatement(world: &World, bills: &[BillTotal]) -> RestatementFact {
    let wrong = &world.events.restatement;
    let cloud = Cloud::ALL[wrong.cloud];
    // The corrected file comes last and repeats one month of one dataset.
    let corrected = bills.last().expect("every demo delivers a restated bill last");
    let month = |name: &str| name.rsplit_once('-').map(|(head, _)| head.to_owned());
    let first = bills.iter().find(|b| !b.restate && month(&b.file_name) == month(&corrected.file_name));
    let before = first.map_or(Amount::ZERO, |b| b.billed);
    RestatementFact {
        dataset: bills::dataset(cloud),
        cloud: cloud.word(),
        day: wrong.day,
        currency: bills::currency(cloud),
        too_much: Amount(before.0 - corrected.billed.0),
    }
}
