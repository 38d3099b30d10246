//! Bytes per sample at rest, everything counted: samples, series, index.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use grid_tests::answer::float;
use grid_tests::run_grid;
use serde_json::Value;

use crate::context::Context;
use crate::data::wire::{SNAPPY_HEADERS, WireSeries, write_request};
use crate::data::{closed_end_ms, node, openmetrics};
use crate::load::{Load, send};
use crate::report::Section;
use crate::system::{Kind, System};

const BAR: f64 = 0.8;
/// The recording, below the folder of shared data.
const RECORDING: &str = "promql/datasets/node_live.om.gz";
const HOURS: i64 = 6;
const STEP_MS: i64 = 15_000;
/// Values that formats like to lose: the stale marker, minus zero, a denormal, an infinity.
const ODD: [f64; 4] = [f64::from_bits(0x7ff0_0000_0000_0002), -0.0, 5e-324, f64::INFINITY];

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let about = "Bytes per sample at rest after compaction, all files: samples, series, index. Prometheus: the blocks of a snapshot, nothing of its \
                 log; VictoriaMetrics: data and index after a forced merge and an orderly end.";
    let head = ["data", "samples", "Grid", "Prometheus", "VictoriaMetrics", "bar"];
    let mut section = Section::new("size", about, &head);
    let mut held = Vec::new();
    match grid_tests::shared_data().map(|data| data.join(RECORDING)).filter(|file| file.is_file()) {
        Some(file) => {
            let (load, series) = openmetrics::load(&file)?;
            let ours = imported(&file, load.items).await?;
            held.push(compare(&mut section, &format!("recorded: node_live, {series} series"), &load, ours).await?);
        }
        None => {
            grid_tests::figures::say("SKIPPED sample_bytes of node_live: no ../shared/data here");
            section.note("node_live was not here.");
        }
    }
    let scrapes = HOURS * 3600 * 1000 / STEP_MS;
    let end = closed_end_ms() - STEP_MS;
    let mut load = node::load(1, scrapes as usize, STEP_MS, end, 7)?;
    let odd = WireSeries::new(&[("__name__", "bench_odd_values"), ("job", "bench")]);
    let samples: Vec<_> = ODD.iter().enumerate().map(|(i, v)| (end - (ODD.len() - i) as i64 * 1000, *v)).collect();
    load.lanes[0].push(write_request([(&odd, &samples[..])])?);
    load.items += ODD.len() as u64;
    let ours = sent(&load).await?;
    let name = format!("made: one node exporter, {} series, {HOURS} h, 15 s", node::SERIES);
    held.push(compare(&mut section, &name, &load, ours).await?);
    let pass = held.iter().all(|(pass, _)| *pass);
    let measured: Vec<_> = held.into_iter().map(|(_, measured)| measured).collect();
    context.figure("sample_bytes", pass, measured.join("; "));
    Ok(section)
}

/// Grid's bytes by table, of a file that its command line imported.
async fn imported(file: &std::path::Path, samples: u64) -> anyhow::Result<Vec<(String, u64)>> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("data");
    let [dir_text, file] = [&dir, file].map(|p| p.to_string_lossy().into_owned());
    run_grid(&["import", "metrics", &file, "--data-dir", &dir_text]).await?;
    let options = grid_tests::Options { data_dir: Some(dir), ..grid_tests::Options::default() };
    let grid = grid_tests::Grid::start_with(options).await?;
    let system = System::of(grid, folder)?;
    system.expect_samples(samples).await?;
    system.bytes_at_rest().await
}

/// Grid's bytes by table, of a load that was sent to it. The odd values must come back bit by bit.
async fn sent(load: &Load) -> anyhow::Result<Vec<(String, u64)>> {
    let system = System::start(Kind::Grid).await?;
    send(&system.write_url, &SNAPPY_HEADERS, load).await?;
    system.compact().await?;
    system.expect_samples(load.items).await?;
    let query = "SELECT x.value FROM samples x JOIN series s ON x.series_id = s.series_id \
                 WHERE s.metric = 'bench_odd_values' ORDER BY x.time";
    let rows = system.grid()?.sql("default", query).await?;
    let found: Vec<Value> = rows.iter().filter_map(|row| row.get("value").cloned()).collect();
    let expected: Vec<Value> = ODD.iter().map(|v| float(*v)).collect();
    ensure!(found == expected, "odd values came back as {found:?}");
    system.bytes_at_rest().await
}

async fn compare(
    section: &mut Section,
    name: &str,
    load: &Load,
    ours: Vec<(String, u64)>,
) -> anyhow::Result<(bool, String)> {
    let samples = load.items as f64;
    let total = |parts: &[(String, u64)]| parts.iter().map(|(_, bytes)| *bytes).sum::<u64>() as f64 / samples;
    let parts = |parts: &[(String, u64)]| {
        let mut by_name = BTreeMap::<&str, u64>::new();
        for (name, bytes) in parts {
            *by_name.entry(name).or_default() += bytes;
        }
        let each = by_name.into_iter().map(|(name, bytes)| format!("{name} {:.3}", bytes as f64 / samples));
        each.collect::<Vec<_>>().join(", ")
    };
    let (grid, mut pass) = (total(&ours), total(&ours) <= BAR);
    let mut measured = format!("{name}: {grid:.3}");
    section.note(format!("{name}, Grid: {}.", parts(&ours)));
    let mut cells = Vec::new();
    for kind in [Kind::Prometheus, Kind::Victoria] {
        if !kind.is_here() {
            cells.push("-".to_owned());
            continue;
        }
        let peer = async {
            let system = System::start(kind).await?;
            send(&system.write_url, &SNAPPY_HEADERS, load).await?;
            system.expect_samples(load.items).await?;
            system.bytes_at_rest().await
        };
        let theirs = peer.await.with_context(|| format!("{name}: measure {}", kind.name()))?;
        let bytes = total(&theirs);
        pass &= grid < bytes;
        measured += &format!(", {} {bytes:.3}", kind.name());
        section.note(format!("{name}, {}: {}.", kind.name(), parts(&theirs)));
        cells.push(format!("{bytes:.3}"));
    }
    let count = crate::report::count(samples);
    section.row([
        name.to_owned(),
        count,
        format!("{grid:.3}"),
        cells[0].clone(),
        cells[1].clone(),
        "<= 0.8, below both".to_owned(),
    ]);
    Ok((pass, measured))
}
