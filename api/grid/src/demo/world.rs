//! The company at a minute: how busy, how broken, how slow. Pure functions of seed and step, from which metrics, traces,
//! logs and bills all draw, so that they tell one story.

use super::company::{Company, Database, INVENTORY_DB, ORDERS_DB, Pool, Service, WAREHOUSE, machine_type};
use super::events::{Events, ROLLOUT_COST_FACTOR, Rhythm};
use super::rng::{key, noise};
use super::timeline::Timeline;

const MIB: f64 = 1_048_576.0;

/// Seed, time, events, machines.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) timeline: Timeline,
    pub(crate) events: Events,
    pub(crate) company: Company,
    pub(crate) rhythm: Rhythm,
}

/// One service in one minute.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Minute {
    /// Requests, whole.
    pub(crate) requests: f64,
    /// Of them answered 5xx, whole.
    pub(crate) errors: f64,
    /// Of them answered 4xx, whole.
    pub(crate) refused: f64,
    pub(crate) median_ms: f64,
}

impl Minute {
    /// Share of requests answered 5xx.
    pub(crate) fn error_ratio(self) -> f64 {
        if self.requests > 0.0 { self.errors / self.requests } else { 0.0 }
    }
}

impl World {
    pub(crate) fn new(seed: u64, timeline: Timeline) -> Self {
        let events = Events::draw(seed, timeline);
        let company = Company::found(seed, timeline.steps, &events);
        Self { seed, timeline, events, company, rhythm: Rhythm::new() }
    }

    /// How busy the shop is, 0 to 1.
    pub(crate) fn level(&self, step: usize) -> f64 {
        self.rhythm.at(self.timeline.minute(step))
    }

    /// The service whose calls suffer from the outage, by how much of it reaches them.
    pub(crate) fn exposure(&self, service: Service) -> f64 {
        match service {
            s if s == self.events.outage.service => 1.0,
            Service::Checkout => 0.85,
            // Few of the frontend's requests are checkouts; many more look up the stock.
            Service::Frontend if self.events.outage.service == Service::Inventory => 0.2,
            Service::Frontend => 0.06,
            _ => 0.0,
        }
    }

    /// What a service did in a minute.
    pub(crate) fn minute(&self, service: Service, step: usize) -> Minute {
        let profile = service.profile();
        let key = key(self.seed, "minute", service as u64);
        let outage = self.events.outage.intensity(step) * self.exposure(service);
        let mut rate = profile.peak_per_second * 60.0 * self.level(step) * (1.0 + 0.035 * noise(key, step));
        if service == Service::Email {
            // Nobody is mailed about an order that failed.
            rate *= 1.0 - 0.8 * self.events.outage.intensity(step);
        }
        let requests = rate.max(0.0).round();
        let jitter = (1.0 + 0.5 * noise(!key, step)).max(0.0);
        let error_ratio = profile.error_ratio * jitter + outage * self.events.outage.error_ratio;
        let errors = (requests * error_ratio).round().min(requests);
        let refused = (requests * profile.refused_ratio * jitter).round().min(requests - errors);
        let mut slow = 1.0 + 0.25 * self.level(step) + 0.03 * noise(key ^ 1, step) + 9.0 * outage;
        if service == Service::Recommendations && step >= self.events.rollout.at {
            slow *= self.events.rollout.latency_factor;
        }
        if service == self.events.leak.service {
            let (fill, _) = self.events.leak.state(0, step);
            slow *= 1.0 + (4.0 * (fill - 0.75)).max(0.0);
        }
        Minute { requests, errors, refused, median_ms: profile.median_ms * slow.max(0.3) }
    }

    /// Cores that a pod uses, given what its service does in that minute.
    pub(crate) fn pod_cpu(&self, pod: usize, step: usize, minute: Minute) -> f64 {
        let p = &self.company.pods[pod];
        let profile = p.service.profile();
        let grown = step >= self.events.rollout.at && p.service == Service::Recommendations;
        let (work, replicas) = if grown {
            (profile.cpu_per_request * ROLLOUT_COST_FACTOR as f64, profile.replicas * ROLLOUT_COST_FACTOR)
        } else {
            (profile.cpu_per_request, profile.replicas)
        };
        let cores = profile.cpu_idle + work * minute.requests / 60.0 / replicas as f64;
        (cores * (1.0 + 0.05 * noise(key(self.seed, "cpu", pod as u64), step))).max(0.001)
    }

    /// Working set of a pod in bytes.
    pub(crate) fn pod_memory(&self, pod: usize, step: usize) -> f64 {
        let p = &self.company.pods[pod];
        let profile = p.service.profile();
        let wobble = 1.0 + 0.02 * noise(key(self.seed, "memory", pod as u64), step) + 0.06 * self.level(step);
        let mut mib = profile.memory_mib * wobble;
        if self.leaks(pod) {
            let (fill, _) = self.events.leak.state(p.ordinal, step);
            mib += (profile.memory_limit_mib - profile.memory_mib * 1.08) * fill;
        }
        mib.min(profile.memory_limit_mib) * MIB
    }

    /// Whether a pod runs the version that leaks.
    pub(crate) fn leaks(&self, pod: usize) -> bool {
        let p = &self.company.pods[pod];
        p.service == self.events.leak.service && p.alive.start >= self.events.leak.start
    }

    /// How often a pod's container was restarted.
    pub(crate) fn restarts(&self, pod: usize, step: usize) -> usize {
        if self.leaks(pod) { self.events.leak.state(self.company.pods[pod].ordinal, step).1 } else { 0 }
    }

    /// Cores that a node uses beside its pods.
    pub(crate) fn node_cpu(&self, node: usize, step: usize) -> f64 {
        let n = &self.company.nodes[node];
        let wobble = 1.0 + 0.12 * noise(key(self.seed, "node", node as u64), step);
        let cores = f64::from(machine_type(n.machine).cores);
        let base = match n.pool {
            // The fleet idles: the jobs that it was bought for run elsewhere by now.
            Pool::Batch => 0.02 * cores,
            Pool::Analytics if self.reports_run(step) => 0.72 * cores,
            Pool::Analytics => 0.05 * cores,
            Pool::App | Pool::Search | Pool::Ml => 0.14,
        };
        base * wobble.max(0.2)
    }

    /// Whether the nightly reports run.
    pub(crate) fn reports_run(&self, step: usize) -> bool {
        (1..5).contains(&self.timeline.hour(step))
    }

    /// Bytes that a node sends in a minute.
    pub(crate) fn node_sent(&self, node: usize, step: usize) -> f64 {
        let n = &self.company.nodes[node];
        let busy = self.level(step) * (1.0 + 0.06 * noise(key(self.seed, "sent", node as u64), step));
        let per_second = match n.pool {
            Pool::App => 40.0 * APP_BYTES_PER_REQUEST * busy,
            Pool::Search => 13.0 * 30_000.0 * busy,
            Pool::Batch => 900.0,
            Pool::Ml => 18.0 * ML_BYTES_PER_REQUEST * busy,
            Pool::Analytics if self.reports_run(step) => 2_400_000.0,
            Pool::Analytics => 4_000.0,
        };
        (per_second * 60.0).max(0.0).round()
    }

    fn db_level(&self, db: usize, step: usize) -> f64 {
        if db == WAREHOUSE && self.reports_run(step) { 2.6 } else { self.level(step) }
    }

    /// The database that the outage exhausts.
    pub(crate) fn exhausted_db(&self) -> usize {
        if self.events.outage.service == Service::Payments { ORDERS_DB } else { INVENTORY_DB }
    }

    /// Open connections of a database.
    pub(crate) fn db_connections(&self, db: usize, step: usize) -> f64 {
        let d: &Database = &self.company.databases[db];
        let (quiet, busy) = d.connections;
        let wobble = 1.0 + 0.05 * noise(key(self.seed, "connections", db as u64), step);
        let usual = (quiet + (busy - quiet) * self.db_level(db, step)) * wobble;
        let outage = if db == self.exhausted_db() { self.events.outage.intensity(step) } else { 0.0 };
        (usual + (d.max_connections - usual) * (1.6 * outage).min(1.0)).round().min(d.max_connections)
    }

    /// CPU share of a database, 0 to 1.
    pub(crate) fn db_cpu(&self, db: usize, step: usize) -> f64 {
        let (quiet, busy) = self.company.databases[db].cpu;
        let wobble = 1.0 + 0.06 * noise(key(self.seed, "dbcpu", db as u64), step);
        let usual = (quiet + (busy - quiet) * self.db_level(db, step)) * wobble;
        let outage = if db == self.exhausted_db() { self.events.outage.intensity(step) } else { 0.0 };
        (usual + (0.96 - usual) * outage).clamp(0.0, 1.0)
    }

    /// Messages waiting in the queue of orders.
    pub(crate) fn queue_depth(&self, step: usize) -> f64 {
        let usual = 6.0 + 22.0 * self.level(step) * (1.0 + 0.4 * noise(key(self.seed, "queue", 0), step));
        (usual.max(0.0) + 900.0 * self.events.outage.aftermath(step)).round()
    }
}

/// Bytes that the shop sends per request of its frontend.
pub(crate) const APP_BYTES_PER_REQUEST: f64 = 46_000.0;
/// Bytes that the recommendations send per request and machine.
pub(crate) const ML_BYTES_PER_REQUEST: f64 = 21_000.0;
