//! Remote write of what is new: a million series.

use anyhow::Context as _;

use super::ingest::{HEAD, all, compare};
use crate::context::Context;
use crate::data::{containers, now_ms};
use crate::report::{Section, count};

/// Prometheus' memory when this was measured first; with it in the run, its memory of the run counts.
const MEMORY_MIB_MAX: f64 = 1828.0;

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let (series, scrapes) = context.size((1_000_000, 10), (50_000, 4));
    let load = containers::load(series, scrapes, now_ms(), 2)?;
    let about = format!(
        "Remote write, {} new series, {scrapes} samples each: the first of every series creates it; requests of {} series with one \
         sample, {} connections. Until flushed.",
        count(series as f64),
        count(containers::BATCH as f64),
        crate::load::LANES
    );
    let mut section = Section::new("series", about, &HEAD);
    let runs = all(context, &load).await?;
    compare(&mut section, &runs);
    let grid = runs[0].context("Grid was measured")?;
    let memory_max = runs[1].map_or(MEMORY_MIB_MAX, |peer| peer.memory_mib.min(MEMORY_MIB_MAX));
    let mut pass = grid.memory_mib <= memory_max;
    let mut measured = format!("{} samples per CPU-second", count(grid.per_cpu));
    match runs[1] {
        Some(peer) => {
            pass &= grid.per_cpu >= peer.per_cpu;
            measured += &format!(
                ", Prometheus {}; peak of memory {} MiB, Prometheus {} MiB",
                count(peer.per_cpu),
                count(grid.memory_mib),
                count(peer.memory_mib)
            );
        }
        None => measured += &format!(", peak of memory {} MiB, no Prometheus here", count(grid.memory_mib)),
    }
    section.note(format!(
        "Bar: Prometheus' figure of the run, memory at most {} MiB. {}",
        count(memory_max),
        if pass { "Held." } else { "Not held." }
    ));
    context.figure("ingest_new_series", pass, measured);
    Ok(section)
}
