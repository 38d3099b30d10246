//! A queue played on a trace, beside first come first served with one release at a time, which is what most tools do per environment. Everything is
//! drawn from a seed.
//!
//! What traces are like: releases come at random (Poisson); durations have a heavy tail (log-normal, deviation of the logarithm 1, so that one in
//! twenty takes five times the median), differ by kind and by service, and are not known to the queue; services are changed as unevenly as
//! Zipf says; one in ten releases concerns the whole environment, one in twenty what many share.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::Timestamp;
use grid_model::time::{MINUTE_NS, SECOND_NS};

use super::{Entry, Eta, Footprint, Kind, Priority, Queue, Release, ReleaseId, Settings};
use crate::address::Address;
use crate::seed::Seed;

/// One release of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// When it is submitted.
    pub at: Timestamp,
    /// What it is.
    pub release: Release,
    /// How long it takes, in nanoseconds. The queue never sees this.
    pub takes_ns: i64,
}

/// What a trace is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Releases.
    pub releases: usize,
    /// Services in the environment.
    pub services: usize,
    /// Work that comes per time, for one release at a time: 0.8 keeps a single server busy for 80% of the time.
    pub load: f64,
    /// The deviation of the logarithm of durations.
    pub tail: f64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { releases: 3_000, services: 40, load: 0.8, tail: 1.0 }
    }
}

/// How one policy did on a trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Score {
    /// Waits from submission to the first start, in seconds, in order of submission.
    pub waits_s: Vec<f64>,
    /// Releases that never ended.
    pub starved: usize,
    /// For each release that ended after the warm-up: whether it ended by the p50 and by the p90 that was predicted when it was submitted.
    pub predicted: Vec<(bool, bool)>,
}

impl Score {
    /// Mean wait, in seconds.
    pub fn mean_s(&self) -> f64 {
        self.waits_s.iter().sum::<f64>() / self.waits_s.len().max(1) as f64
    }

    /// A quantile of waits, in seconds.
    pub fn quantile_s(&self, q: f64) -> f64 {
        let mut sorted = self.waits_s.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get((sorted.len().saturating_sub(1) as f64 * q).round() as usize).copied().unwrap_or(0.0)
    }

    /// Shares of releases that ended by the predicted p50 and p90.
    pub fn coverage(&self) -> (f64, f64) {
        let share = |of: &dyn Fn(&(bool, bool)) -> bool| {
            self.predicted.iter().filter(|p| of(p)).count() as f64 / self.predicted.len().max(1) as f64
        };
        (share(&|p| p.0), share(&|p| p.1))
    }
}

/// Draws a trace.
pub fn trace(shape: &Shape, seed: u64) -> Vec<Arrival> {
    let mut seed = Seed(seed);
    let paces: Vec<f64> = (0..shape.services).map(|_| (0.4 * seed.normal()).exp()).collect();
    let zipf: Vec<f64> = (1..=shape.services).map(|rank| 1.0 / rank as f64).collect();
    let mut arrivals: Vec<Arrival> = (0..shape.releases).map(|_| draw(shape, &paces, &zipf, &mut seed)).collect();
    // Arrivals are spread so that the load is what was asked for.
    let work: f64 = arrivals.iter().map(|a| a.takes_ns as f64).sum();
    let gap = work / shape.load / shape.releases.max(1) as f64;
    let mut now = 0.0;
    for arrival in &mut arrivals {
        now += gap * seed.exponential();
        arrival.at = Timestamp(now as i64);
    }
    arrivals
}

fn draw(shape: &Shape, paces: &[f64], zipf: &[f64], seed: &mut Seed) -> Arrival {
    let service = |seed: &mut Seed| {
        let mut left = seed.unit() * zipf.iter().sum::<f64>();
        zipf.iter().position(|share| {
            left -= share;
            left < 0.0
        })
    };
    let of = |kind: &str, n: usize| Address::new(kind, &format!("s{n}")).ok();
    // What services share: one cluster, and one database for every four of them.
    let cluster = Address::new("kubernetes_cluster", "main").ok();
    let shared = |n: usize| of("postgresql", n / 4);
    let first = service(seed).unwrap_or(0);
    let drawn = seed.unit();
    let (kind, priority, median_min, class, services, changes_shared) = match drawn {
        d if d < 0.10 => (Kind::Full, Priority::Normal, 15.0, "full", Vec::new(), false),
        d if d < 0.15 => (Kind::Selective, Priority::Normal, 10.0, "shared", vec![first], true),
        d if d < 0.20 => (Kind::Hotfix, Priority::High, 4.0, "hotfix", vec![first], false),
        d if d < 0.40 => {
            let more = 1 + seed.below(3);
            let all: BTreeSet<usize> = std::iter::once(first).chain((0..more).filter_map(|_| service(seed))).collect();
            (Kind::Selective, Priority::Normal, 8.0, "several", all.into_iter().collect(), false)
        }
        _ => (Kind::Selective, Priority::Normal, 6.0, "single", vec![first], false),
    };
    let footprint = match kind {
        Kind::Full => Footprint::All,
        _ => {
            let mut writes: BTreeSet<Address> =
                services.iter().flat_map(|s| [of("container_service", *s), of("firewall", *s)]).flatten().collect();
            let mut reads: BTreeSet<Address> = services.iter().filter_map(|s| shared(*s)).chain(cluster).collect();
            if changes_shared {
                writes.extend(shared(first));
                reads.retain(|r| !writes.contains(r));
            }
            Footprint::Some { writes, reads }
        }
    };
    let pace = services.iter().map(|s| paces[*s]).fold(1.0, f64::max);
    let minutes = median_min * pace * (shape.tail * seed.normal()).exp();
    // No tool lets a release run for more than six hours.
    let takes_ns = (minutes.clamp(0.2, 360.0) * MINUTE_NS as f64) as i64;
    let release = Release {
        kind,
        priority,
        by: "trace".to_owned(),
        footprint,
        lane: None,
        gates: Vec::new(),
        class: class.to_owned(),
    };
    Arrival { at: Timestamp(0), release, takes_ns }
}

/// The share of pairs of releases of a trace that conflict, among neighbours in time.
pub fn conflict_share(trace: &[Arrival]) -> f64 {
    let pairs = trace.iter().enumerate().flat_map(|(n, a)| trace[n + 1..].iter().take(10).map(move |b| (a, b)));
    let (mut all, mut conflicts) = (0_usize, 0_usize);
    for (a, b) in pairs {
        all += 1;
        conflicts += usize::from(a.release.footprint.conflict(&b.release.footprint).is_some());
    }
    conflicts as f64 / all.max(1) as f64
}

/// First come, first served, one at a time.
pub fn first_come(trace: &[Arrival]) -> Score {
    let (mut score, mut free) = (Score::default(), 0_i64);
    for arrival in trace {
        let start = free.max(arrival.at.0);
        free = start.saturating_add(arrival.takes_ns);
        score.waits_s.push((start - arrival.at.0) as f64 / SECOND_NS as f64);
    }
    score
}

/// The queue of this crate. Predictions of the first `warm_up` releases, made while it knows nothing, are not scored.
pub fn ours(trace: &[Arrival], settings: &Settings, warm_up: usize) -> Score {
    let mut play = Play { queue: Queue::new(settings.clone()), left: BTreeMap::new(), running: BTreeSet::new() };
    let mut waits: BTreeMap<ReleaseId, f64> = BTreeMap::new();
    let mut score = Score::default();
    let mut arrivals = trace.iter().enumerate().peekable();
    loop {
        let next_end = play.running.first().map(|(at, _)| *at);
        let next_arrival = arrivals.peek().map(|(_, a)| a.at);
        let (now, is_arrival) = match (next_end, next_arrival) {
            (Some(end), Some(arrival)) if end <= arrival => (end, false),
            (_, Some(arrival)) => (arrival, true),
            (Some(end), None) => (end, false),
            (None, None) => break,
        };
        if is_arrival {
            let Some((_, arrival)) = arrivals.next() else { break };
            let Ok((id, _)) = play.queue.submit(arrival.release.clone(), now) else { continue };
            play.left.insert(id, arrival.takes_ns);
        } else if let Some((_, id)) = play.running.pop_first()
            && let Ok(Some(entry)) = play.queue.finished(id, None, false, now)
        {
            ended(&entry, warm_up, &mut waits, &mut score);
        }
        for id in play.queue.ready(now) {
            let takes = play.left.get(&id).copied().unwrap_or(0);
            play.running.insert((now.saturating_add(takes), id));
        }
    }
    score.starved = trace.len() - waits.len();
    score.waits_s = waits.into_values().collect();
    score
}

fn ended(entry: &Entry, warm_up: usize, waits: &mut BTreeMap<ReleaseId, f64>, score: &mut Score) {
    let (Some(started), Some(ended)) = (entry.started, entry.ended) else { return };
    waits.insert(entry.id, (started.0 - entry.submitted.0) as f64 / SECOND_NS as f64);
    if let Some(Eta { p50, p90, .. }) = entry.predicted
        && entry.id.0 > warm_up as u64
    {
        score.predicted.push((ended <= p50, ended <= p90));
    }
}

struct Play {
    queue: Queue,
    left: BTreeMap<ReleaseId, i64>,
    running: BTreeSet<(Timestamp, ReleaseId)>,
}
