//! Scaling beside what Kubernetes' autoscaler would do, on the web server of NASA; and on loads that nobody can foresee, beside a reactive policy.

use grid_ml::scale::{self, REACTIVE_UTILISATION, Score};
use grid_model::time::{DAY_NS, MINUTE_NS};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::Line;

/// Steps of a minute after which what was decided serves.
const LAG: usize = (scale::LAG_NS / MINUTE_NS) as usize;
/// How far utilisation may be from its target before anything is done, and for how long the highest wish counts: the defaults of the
/// horizontal pod autoscaler (`--horizontal-pod-autoscaler-tolerance`, `scaleDown.stabilizationWindowSeconds`).
const TOLERANCE: f64 = 0.1;
const STABLE: usize = 5;
/// Days of a generated load, and loads of each kind.
const DAYS: i64 = 7;
const SEEDS: u64 = 20;

/// The web server's minutes beside an autoscaler that keeps to 70%. It may have any fraction of a machine, which flatters it.
pub(crate) fn beside_autoscaler(minutes: &[f64]) -> Line {
    let ours = Score::of(minutes, &scale::limits(minutes, MINUTE_NS));
    let theirs = Score::of(minutes, &autoscaled(minutes));
    Line {
        id: "scale_autoscaler",
        data: "NASA web server, 58 days of minutes",
        measure: "cost x, unserved; the same of an autoscaler at 70%",
        grid: format!("{:.3}, {:.4}; {:.3}, {:.4}", ours.cost, ours.unserved, theirs.cost, theirs.unserved),
        bar: "below it on both",
        holds: ours.cost < theirs.cost && ours.unserved < theirs.unserved,
        published: "HPA-like, whole machines: 2.015, .0071",
    }
}

/// Capacity by the rule `desired = current x utilisation / target` (Kubernetes, Horizontal Pod Autoscaling, "Algorithm details").
fn autoscaled(minutes: &[f64]) -> Vec<f64> {
    let first = minutes.first().map_or(0.0, |load| load / REACTIVE_UTILISATION);
    let mut capacity = vec![first; minutes.len()];
    let mut wishes: Vec<f64> = Vec::with_capacity(minutes.len());
    for (now, load) in minutes.iter().enumerate() {
        let current = wishes.last().copied().unwrap_or(first);
        let ratio = if current > 0.0 { load / current / REACTIVE_UTILISATION } else { f64::INFINITY };
        let wish = load / REACTIVE_UTILISATION;
        wishes.push(if (ratio - 1.0).abs() <= TOLERANCE { current } else { wish });
        let stable = wishes[now.saturating_sub(STABLE - 1)..].iter().copied().fold(0.0, f64::max);
        if let Some(then) = capacity.get_mut(now + LAG) {
            *then = stable;
        }
    }
    capacity
}

/// Loads without a pattern: each minute by chance, a walk, and rare bursts.
pub(crate) fn unforeseeable() -> Line {
    let kinds: [fn(&mut StdRng) -> Vec<f64>; 3] = [by_chance, walk, bursts];
    let (mut worse, mut runs, mut dearest, mut least_served) = (0, 0, 0.0_f64, 0.0_f64);
    for seed in 0..SEEDS {
        for kind in kinds {
            let load = kind(&mut StdRng::seed_from_u64(seed));
            let ours = Score::of(&load, &scale::limits(&load, MINUTE_NS));
            let reactive = Score::of(&load, &scale::reactive(&load, MINUTE_NS));
            runs += 1;
            worse += i32::from(ours.cost > reactive.cost && ours.unserved > reactive.unserved);
            dearest = dearest.max(ours.cost / reactive.cost);
            least_served = least_served.max(ours.unserved - reactive.unserved);
        }
    }
    Line {
        id: "ml_scale_unforeseeable",
        data: "generated loads without a pattern: chance, walks, bursts; seven days, 20 seeds each",
        measure: "loads on which it costs more and serves less than reactive; most cost x, most unserved, beside it",
        grid: format!("{worse} of {runs}; {dearest:.3}, {least_served:+.4}"),
        bar: "0",
        holds: worse == 0,
        published: "",
    }
}

fn steps() -> std::ops::Range<i64> {
    0..DAYS * DAY_NS / MINUTE_NS
}

fn by_chance(rng: &mut StdRng) -> Vec<f64> {
    steps().map(|_| rng.random_range(50.0..150.0)).collect()
}

fn walk(rng: &mut StdRng) -> Vec<f64> {
    let mut level = 100.0_f64;
    let step = |_| {
        level = (level * (1.0 + rng.random_range(-0.05..0.05))).clamp(1.0, 1e6);
        level
    };
    steps().map(step).collect()
}

fn bursts(rng: &mut StdRng) -> Vec<f64> {
    let mut burst = 0.0;
    let step = |_| {
        burst *= 0.9;
        if rng.random_bool(0.005) {
            burst = rng.random_range(100.0..1000.0);
        }
        rng.random_range(90.0..110.0) + burst
    };
    steps().map(step).collect()
}
