//! What happens in the company, and when: drawn once from the seed.

use std::ops::Range;

use super::company::Service;
use super::rng::Rng;
use super::timeline::{DAY, Timeline};

/// The planted events, in steps.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    pub(crate) outage: Outage,
    pub(crate) leak: Leak,
    pub(crate) rollout: Rollout,
    /// A deployment that changes nothing: `(service, step)`.
    pub(crate) harmless: (Service, usize),
    pub(crate) restatement: Restatement,
    /// Machines of the idle batch fleet.
    pub(crate) batch_nodes: usize,
    /// Nodes' worth of commitment that the savings plan bought.
    pub(crate) plan_nodes: usize,
    pub(crate) search_type: &'static str,
    /// None in a history too short to show what is usual.
    pub(crate) copy: Option<Copied>,
    /// Steps at which somebody tries passwords at the bastion; likewise.
    pub(crate) intrusion: Option<Range<usize>>,
}

/// A database runs out of connections; its service answers 5xx, and so does who calls it.
#[derive(Debug, Clone)]
pub(crate) struct Outage {
    pub(crate) service: Service,
    pub(crate) steps: Range<usize>,
    /// Share of requests that fail at its height.
    pub(crate) error_ratio: f64,
}

/// A deployment that never frees some memory.
#[derive(Debug, Clone)]
pub(crate) struct Leak {
    pub(crate) service: Service,
    pub(crate) start: usize,
    /// Steps from start to limit of the first pod; each further pod takes a fifth longer.
    pub(crate) period: usize,
}

/// Version 2 of the recommendations: slower, and three times the machines and traffic.
#[derive(Debug, Clone)]
pub(crate) struct Rollout {
    pub(crate) at: usize,
    pub(crate) latency_factor: f64,
}

/// How many times the machines, the CPU and the egress that version 2 takes.
pub(crate) const ROLLOUT_COST_FACTOR: usize = 3;

/// Somebody copies the batch jobs' data to another region, for some days.
#[derive(Debug, Clone)]
pub(crate) struct Copied {
    /// Days since the epoch.
    pub(crate) days: Range<i64>,
    /// How many times the usual traffic.
    pub(crate) factor: i64,
}

/// Billed days below which a spike could not be told from the start.
const COPY_DAYS_MIN: i64 = 11;

/// A day whose bill was wrong at first.
#[derive(Debug, Clone)]
pub(crate) struct Restatement {
    /// 0 = AWS, 1 = Azure, 2 = GCP.
    pub(crate) cloud: usize,
    pub(crate) day: i64,
    /// How often the wrong bill counted that day's usage.
    pub(crate) factor: i64,
}

impl Events {
    pub(crate) fn draw(seed: u64, timeline: Timeline) -> Self {
        let mut rng = Rng::new(seed, "events", 0);
        let outage_at = working_hour(&mut rng, timeline, (0.22, 0.52), 9..17);
        let outage_minutes = rng.between(38, 54) as usize;
        let leak_at = working_hour(&mut rng, timeline, (0.06, 0.2), 8..16);
        let leak_period = (timeline.steps as f64 * rng.real(0.26, 0.36)) as usize;
        let rollout_at = working_hour(&mut rng, timeline, (0.6, 0.76), 8..15);
        let harmless_at = working_hour(&mut rng, timeline, (0.3, 0.9), 8..16);
        let days = timeline.billed_days();
        let day = days.start + rng.below((days.end - days.start).unsigned_abs()) as i64;
        Self {
            outage: Outage {
                service: *rng.pick(&[Service::Payments, Service::Inventory]),
                steps: outage_at..(outage_at + outage_minutes).min(timeline.steps),
                error_ratio: rng.real(0.45, 0.7),
            },
            leak: Leak { service: *rng.pick(&[Service::Cart, Service::Email]), start: leak_at, period: leak_period },
            // Whole tenths of an hour, so that machine hours on the bill are exact decimals.
            rollout: Rollout { at: align(timeline, rollout_at, 6), latency_factor: rng.real(1.8, 2.3) },
            harmless: (*rng.pick(&[Service::Frontend, Service::Checkout]), harmless_at),
            restatement: Restatement { cloud: rng.below(3) as usize, day, factor: rng.between(2, 4) as i64 },
            batch_nodes: rng.between(3, 5) as usize,
            plan_nodes: rng.between(4, 6) as usize,
            search_type: *rng.pick(&["r6i.4xlarge", "m6i.8xlarge", "r5.4xlarge"]),
            copy: copy(&mut rng, &days),
            intrusion: intrusion(seed, timeline),
        }
    }
}

fn copy(rng: &mut Rng, billed: &Range<i64>) -> Option<Copied> {
    let known = billed.end - billed.start;
    (known >= COPY_DAYS_MIN).then(|| {
        let first = billed.start + 7 + rng.below((known - 9).unsigned_abs()) as i64;
        Copied { days: first..first + rng.between(1, 2) as i64, factor: rng.between(9, 16) as i64 }
    })
}

/// Somebody tries passwords, at any time of a day, for about forty minutes.
fn intrusion(seed: u64, timeline: Timeline) -> Option<Range<usize>> {
    let mut rng = Rng::new(seed, "intrusion", 0);
    let at = (timeline.steps as f64 * rng.real(0.78, 0.95)) as usize;
    let end = at + rng.between(34, 50) as usize;
    (timeline.steps >= 9 * DAY && end < timeline.steps).then_some(at..end)
}

/// A step in an hour of work on a working day within a part of the timeline; any step of that part if it has none.
fn working_hour(rng: &mut Rng, timeline: Timeline, part: (f64, f64), hours: Range<i64>) -> usize {
    let at = |share: f64| ((timeline.steps as f64 * share) as usize).min(timeline.steps - 1);
    let all = at(part.0)..at(part.1).max(at(part.0) + 1);
    let good: Vec<usize> =
        all.clone().filter(|&s| hours.contains(&timeline.hour(s)) && !timeline.is_weekend(s)).collect();
    if good.is_empty() { all.start + rng.below(all.len() as u64) as usize } else { *rng.pick(&good) }
}

/// The first step at or after `step` whose minute is a multiple of `minutes`, unless that leaves the timeline.
fn align(timeline: Timeline, step: usize, minutes: i64) -> usize {
    let ahead = (-timeline.minute(step)).rem_euclid(minutes) as usize;
    if step + ahead < timeline.steps { step + ahead } else { step }
}

impl Outage {
    /// 0 to 1: how far the outage has got hold, with a short rise and a longer recovery.
    pub(crate) fn intensity(&self, step: usize) -> f64 {
        if !self.steps.contains(&step) {
            return 0.0;
        }
        let (since, left) = ((step - self.steps.start + 1) as f64, (self.steps.end - step) as f64);
        (since / 4.0).min(left / 7.0).min(1.0)
    }

    /// 1 falling to 0 over forty minutes after the outage: the backlog is worked off.
    pub(crate) fn aftermath(&self, step: usize) -> f64 {
        if step < self.steps.end { 0.0 } else { (1.0 - (step - self.steps.end) as f64 / 40.0).max(0.0) }
    }
}

impl Leak {
    fn period_of(&self, pod: usize) -> usize {
        (self.period + self.period * pod / 5).max(1)
    }

    /// How full the `pod`th pod of the leaking version is, 0 to 1, and how often it was killed.
    pub(crate) fn state(&self, pod: usize, step: usize) -> (f64, usize) {
        let Some(since) = step.checked_sub(self.start) else { return (0.0, 0) };
        let period = self.period_of(pod);
        ((since % period) as f64 / period as f64, since / period)
    }

    /// When the `pod`th pod is killed for memory.
    pub(crate) fn kills(&self, pod: usize, end: usize) -> impl Iterator<Item = usize> + use<> {
        let period = self.period_of(pod);
        (self.start + period..end).step_by(period)
    }
}

/// One smooth rise from 0 to 1.
fn smooth(x: f64) -> f64 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

/// How busy the shop is at each minute of the week, 0 to 1: low at night, high in office hours and the evening, and
/// two thirds of that on weekends.
#[derive(Debug, Clone)]
pub(crate) struct Rhythm(Vec<f64>);

impl Rhythm {
    pub(crate) fn new() -> Self {
        // (hour, level) between which the day moves smoothly.
        const POINTS: [(f64, f64); 10] = [
            (0.0, 0.36),
            (3.0, 0.17),
            (5.5, 0.21),
            (8.5, 0.72),
            (11.0, 1.0),
            (12.5, 0.9),
            (15.0, 0.98),
            (18.0, 0.74),
            (20.5, 0.82),
            (24.0, 0.36),
        ];
        let level = |minute: usize| {
            let hour = minute as f64 / 60.0;
            let next = POINTS.iter().position(|p| p.0 > hour).unwrap_or(POINTS.len() - 1).max(1);
            let ((h0, l0), (h1, l1)) = (POINTS[next - 1], POINTS[next]);
            l0 + (l1 - l0) * smooth((hour - h0) / (h1 - h0))
        };
        // Minute 0 of the table is Thursday 00:00, the weekday of the epoch.
        let weekend = |minute: usize| if matches!(minute / DAY, 2 | 3) { 0.65 } else { 1.0 };
        Self((0..7 * DAY).map(|m| level(m % DAY) * weekend(m)).collect())
    }

    /// The level at a minute since the epoch.
    pub(crate) fn at(&self, minute: i64) -> f64 {
        self.0[minute.rem_euclid(7 * DAY as i64) as usize]
    }
}
