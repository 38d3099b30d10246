//! When a release will probably have ended: the queue is played forward many times with durations drawn from those of the past, and the answer is
//! corrected by how wrong earlier answers were. What has not happened yet is not known here: neither durations of what runs or waits, nor who
//! will come.

use std::collections::BTreeMap;

use grid_model::Timestamp;
use grid_model::time::MINUTE_NS;
use serde::{Deserialize, Serialize};

use super::{Entry, Kind, Queue, ReleaseId, order};
use crate::limits::PAST_DURATIONS_MAX;
use crate::seed::Seed;

/// Times that the queue is played forward.
const PLAYS: usize = 64;
/// Durations of a class below which all classes together say more.
const FEW: usize = 8;
/// Errors of the past below which nothing is corrected.
const ERRORS_MIN: usize = 30;
/// Errors that are remembered: few enough to follow a change of habits.
const ERRORS_MAX: usize = 300;
/// A duration as long as anybody guesses who knows none, in nanoseconds.
const UNKNOWN_NS: f64 = (10 * MINUTE_NS) as f64;

/// When a release will have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eta {
    /// As likely before as after.
    #[serde(with = "crate::kept::time")]
    pub p50: Timestamp,
    /// Nine times of ten before.
    #[serde(with = "crate::kept::time")]
    pub p90: Timestamp,
    /// What the plays alone said, in nanoseconds from the submission: what is corrected.
    raw: (i64, i64),
}

/// What the past says of durations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Past {
    /// Sorted durations by class, with the order in which they came.
    by_class: BTreeMap<String, Durations>,
    all: Durations,
    /// How much longer than played it took, as a ratio, for p50 and for p90; the newest last.
    errors: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Durations {
    came: std::collections::VecDeque<i64>,
    sorted: Vec<i64>,
}

impl Durations {
    fn add(&mut self, ns: i64) {
        if self.came.len() >= PAST_DURATIONS_MAX
            && let Some(old) = self.came.pop_front()
            && let Ok(at) = self.sorted.binary_search(&old)
        {
            self.sorted.remove(at);
        }
        self.came.push_back(ns);
        let at = self.sorted.partition_point(|d| *d < ns);
        self.sorted.insert(at, ns);
    }

    /// Those that lasted longer than something has lasted already.
    fn beyond(&self, ran_ns: i64) -> &[i64] {
        &self.sorted[self.sorted.partition_point(|d| *d <= ran_ns)..]
    }
}

impl Past {
    /// Remembers how long a release took, and how far its prediction was off.
    pub(super) fn learn(&mut self, entry: &Entry, now: Timestamp) {
        if !self.by_class.contains_key(&entry.release.class) && self.by_class.len() >= PAST_DURATIONS_MAX {
            return;
        }
        self.by_class.entry(entry.release.class.clone()).or_default().add(entry.ran_ns(now));
        self.all.add(entry.ran_ns(now));
        if let Some(eta) = &entry.predicted {
            let took = now.0.saturating_sub(entry.submitted.0) as f64;
            let ratio = |raw: i64| took / (raw.max(1) as f64);
            if self.errors.len() >= ERRORS_MAX {
                self.errors.remove(0);
            }
            self.errors.push((ratio(eta.raw.0), ratio(eta.raw.1)));
        }
    }

    /// How long something of a class takes in all that has run so long already, in nanoseconds.
    pub fn quantile(&self, class: &str, ran_ns: i64, q: f64) -> f64 {
        match self.like(class, ran_ns) {
            [] => unknown(ran_ns),
            known => known[((known.len() - 1) as f64 * q).round() as usize] as f64,
        }
    }

    fn draw(&self, class: &str, ran_ns: i64, seed: &mut Seed) -> f64 {
        match self.like(class, ran_ns) {
            [] => unknown(ran_ns),
            known => known[seed.below(known.len())] as f64,
        }
    }

    fn like(&self, class: &str, ran_ns: i64) -> &[i64] {
        match self.by_class.get(class) {
            Some(own) if own.sorted.len() >= FEW => own.beyond(ran_ns),
            _ => self.all.beyond(ran_ns),
        }
    }

    /// By what the plays' p50 and p90 have to be multiplied, so that they had been right as often as they say.
    fn correction(&self) -> (f64, f64) {
        if self.errors.len() < ERRORS_MIN {
            return (1.0, 1.0);
        }
        let quantile = |q: f64, mut all: Vec<f64>| {
            all.sort_by(f64::total_cmp);
            // Rounded up, as in conformal prediction (Vovk, Gammerman and Shafer, 2005): it is to hold for the next one.
            let at = ((all.len() + 1) as f64 * q).ceil() as usize;
            all[at.clamp(1, all.len()) - 1].clamp(0.05, 50.0)
        };
        let (half, most): (Vec<f64>, Vec<f64>) = self.errors.iter().copied().unzip();
        (quantile(0.5, half), quantile(0.9, most))
    }
}

/// What lasts longer than anything before lasts half as long again.
fn unknown(ran_ns: i64) -> f64 {
    (ran_ns as f64 * 1.5).max(UNKNOWN_NS)
}

/// When a release will have ended.
pub(super) fn eta(queue: &Queue, id: ReleaseId, now: Timestamp) -> Option<Eta> {
    let target = queue.get(id)?;
    let world = World::new(queue, target, now);
    let mut seed = Seed(queue.settings.seed ^ id.0.rotate_left(32) ^ now.0 as u64);
    let mut ends: Vec<f64> = (0..PLAYS).map(|_| world.play(queue, &mut seed)).collect();
    ends.sort_by(f64::total_cmp);
    let waited = now.0.saturating_sub(target.submitted.0);
    let at = |q: f64| ends[((PLAYS - 1) as f64 * q).round() as usize] as i64;
    let raw = (waited.saturating_add(at(0.5)), waited.saturating_add(at(0.9)));
    let (half, most) = queue.past.correction();
    let corrected = |raw: i64, by: f64| now.0.max(target.submitted.0.saturating_add((raw as f64 * by) as i64));
    let p50 = corrected(raw.0, half);
    Some(Eta { p50: Timestamp(p50), p90: Timestamp(corrected(raw.1, most).max(p50)), raw })
}

/// The queue as it is now, by number: who is at work, who waits in which order, who conflicts with whom.
struct World<'a> {
    /// At work first, then those that wait, in their order.
    entries: Vec<&'a Entry>,
    at_work: usize,
    conflicts: Vec<Vec<bool>>,
    target: usize,
    slots: usize,
    ran_ns: Vec<i64>,
}

impl<'a> World<'a> {
    fn new(queue: &'a Queue, target: &Entry, now: Timestamp) -> Self {
        let is_reader = |e: &Entry| e.release.kind == Kind::PlanOnly && e.id != target.id;
        let mut entries: Vec<&Entry> = queue.open.iter().filter(|e| e.is_at_work() && !is_reader(e)).collect();
        let at_work = entries.len();
        let waiting = order::order(queue, now).into_iter().map(|at| &queue.open[at]);
        // Who waits for a gate may wait for days; only the one that is asked about is taken as let through.
        entries.extend(waiting.filter(|e| !is_reader(e) && (e.id == target.id || e.gate_holds().is_empty())));
        if !entries.iter().any(|e| e.id == target.id) {
            entries.extend(queue.get(target.id));
        }
        let conflicts = entries
            .iter()
            .map(|a| entries.iter().map(|b| a.release.footprint.conflict(&b.release.footprint).is_some()).collect())
            .collect();
        let at = entries.iter().position(|e| e.id == target.id).unwrap_or(0);
        let ran_ns = entries.iter().map(|e| e.ran_ns(now)).collect();
        Self { entries, at_work, conflicts, target: at, slots: queue.settings.slots, ran_ns }
    }

    /// One play: nanoseconds until the target has ended.
    fn play(&self, queue: &Queue, seed: &mut Seed) -> f64 {
        let n = self.entries.len();
        let left: Vec<f64> = (0..n)
            .map(|i| queue.past.draw(&self.entries[i].release.class, self.ran_ns[i], seed) - self.ran_ns[i] as f64)
            .collect();
        let mut now = 0.0;
        let mut ends: Vec<Option<f64>> = (0..n).map(|i| (i < self.at_work).then(|| left[i].max(0.0))).collect();
        let mut is_done = vec![false; n];
        loop {
            for i in self.at_work..n {
                if ends[i].is_some() {
                    continue;
                }
                let running = (0..n).filter(|j| ends[*j].is_some() && !is_done[*j]);
                let is_free = running.clone().count() < self.slots && running.clone().all(|j| !self.conflicts[i][j]);
                let is_first = (self.at_work..i).all(|j| ends[j].is_some() || !self.conflicts[i][j]);
                if is_free && is_first {
                    ends[i] = Some(now + left[i].max(0.0));
                }
            }
            if let Some(end) = ends[self.target] {
                return end;
            }
            // The next to end; as something waits, something runs.
            let next = (0..n).filter(|j| !is_done[*j]).filter_map(|j| ends[j].map(|e| (e, j)));
            let Some((end, j)) = next.min_by(|a, b| a.0.total_cmp(&b.0)) else { return now };
            now = end;
            is_done[j] = true;
        }
    }
}
