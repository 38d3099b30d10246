//! How fast detectors are, and how much they keep.

use std::path::Path;
use std::time::Instant;

use grid_ml::detect::{Detector, Tier};
use grid_model::Timestamp;
use grid_model::time::MINUTE_NS;

use crate::Line;

/// Series that are watched side by side, and points of each.
const SERIES: usize = 200;
const POINTS: i64 = 3_000;

pub(crate) fn run(_: &Path) -> anyhow::Result<Vec<Line>> {
    let (fast, small) = measure(Tier::Cheap);
    let (slow, large) = measure(Tier::Thorough);
    Ok(vec![Line {
        id: "ml_streaming",
        data: "generated days of minutes, 200 series",
        measure: "points per second and core, bytes of a series: cheap; thorough",
        grid: format!("{fast:.0}, {small}; {slow:.0}, {large}"),
        bar: ">= 200,000, <= 4,096; >= 10,000, <= 524,288",
        holds: fast >= 200_000.0 && small <= 4096 && slow >= 10_000.0 && large <= 512 << 10,
        published: "",
    }])
}

/// Points per second over all series, and the most bytes of a detector, at rest as a checkpoint and in memory.
fn measure(tier: Tier) -> (f64, usize) {
    let mut watched: Vec<Detector> = (0..SERIES).map(|_| Detector::new(tier)).collect();
    let started = Instant::now();
    for n in 0..POINTS {
        for (k, detector) in watched.iter_mut().enumerate() {
            let noise = ((n as u64 * 31 + k as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / 1e6;
            let value = 50.0 + 20.0 * (n as f64 / 229.0).sin() + noise;
            std::hint::black_box(detector.push(Timestamp(n * MINUTE_NS), value));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let bytes = watched.iter().map(|d| d.bytes().max(d.checkpoint().len())).max().unwrap_or(0);
    (SERIES as f64 * POINTS as f64 / seconds, bytes)
}
