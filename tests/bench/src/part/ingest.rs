//! Remote write of what is known already: few series, many samples.

use anyhow::{Context as _, ensure};

use crate::context::{Context, median};
use crate::data::wire::SNAPPY_HEADERS;
use crate::data::{node, now_ms};
use crate::load::{Load, send};
use crate::report::{Section, count, ratio};
use crate::system::{Kind, System, bytes_below};

const STEP_MS: i64 = 10_000;
/// Samples per CPU-second that Grid must reach, and as a multiple of Prometheus.
const BAR: (f64, f64) = (320_000.0, 2.0);

/// What one server did with a load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Items per CPU-second of the server, until everything is flushed.
    pub(crate) per_cpu: f64,
    /// Items per second of the clock; the sender shares the machine.
    pub(crate) per_second: f64,
    /// Peak of resident memory.
    pub(crate) memory_mib: f64,
    /// Requests that were refused for now, and sent again.
    pub(crate) retries: u64,
    /// Grid: CPU-seconds that compaction took afterwards, and bytes at rest per item; not of peers.
    pub(crate) compacted: Option<(f64, f64)>,
}

/// Sends a load of samples to a new server.
pub(crate) async fn measure(kind: Kind, load: &Load) -> anyhow::Result<Run> {
    let system = System::start(kind).await?;
    let before = system.cpu_seconds()?;
    let sent = send(&system.write_url, &SNAPPY_HEADERS, load).await?;
    system.flush().await?;
    let cpu = system.cpu_seconds()? - before;
    let memory_mib = system.memory_peak_mib()?;
    system.expect_samples(load.items).await?;
    let items = load.items as f64;
    let mut compacted = None;
    if kind == Kind::Grid {
        let before = system.cpu_seconds()?;
        system.compact().await?;
        let bytes = bytes_below(&system.data_dir().join("files/default"))?;
        compacted = Some((system.cpu_seconds()? - before, bytes as f64 / items));
    }
    Ok(Run { per_cpu: items / cpu, per_second: items / sent.seconds, memory_mib, retries: sent.retries, compacted })
}

/// Measures every system that is here, in turns; the median by CPU counts.
pub(crate) async fn all(context: &Context, load: &Load) -> anyhow::Result<[Option<Run>; 3]> {
    let mut runs: [Vec<Run>; 3] = Default::default();
    for round in 0..context.rounds {
        for (i, kind) in Kind::ALL.into_iter().enumerate() {
            if !kind.is_here() {
                ensure!(kind != Kind::Grid, "no grid");
                continue;
            }
            let run = measure(kind, load).await.with_context(|| format!("measure {}", kind.name()))?;
            let each = format!("{} samples per CPU-second, {} per second", count(run.per_cpu), count(run.per_second));
            grid_tests::figures::say(&format!("round {}: {}: {each}", round + 1, kind.name()));
            runs[i].push(run);
        }
    }
    Ok(runs.map(|runs| median(runs, |r| r.per_cpu)))
}

/// The rows that compare systems.
pub(crate) fn compare(section: &mut Section, runs: &[Option<Run>; 3]) {
    let [grid, prometheus, victoria] = runs;
    let mut row = |what: &str, of: fn(&Run) -> f64, show: fn(f64) -> String| {
        let cell = |run: &Option<Run>| run.as_ref().map_or_else(|| "-".to_owned(), |r| show(of(r)));
        let ours = grid.as_ref().map_or(0.0, of);
        section.row([
            what.to_owned(),
            cell(grid),
            cell(prometheus),
            cell(victoria),
            ratio(ours, prometheus.as_ref().map(of)),
            ratio(ours, victoria.as_ref().map(of)),
        ]);
    };
    row("samples per CPU-second of the server", |r| r.per_cpu, count);
    row("samples per second, sender beside it", |r| r.per_second, count);
    row("peak of resident memory, MiB", |r| r.memory_mib, count);
    row("requests refused for now, sent again", |r| r.retries as f64, count);
    let Some((cpu, bytes)) = grid.as_ref().and_then(|g| g.compacted) else { return };
    section.note(format!(
        "Compacting all of it took {cpu:.1} CPU-seconds more; then it rests in {bytes:.2} bytes per sample, all files."
    ));
}

/// Heads of the tables that compare systems.
pub(crate) const HEAD: [&str; 6] =
    ["what", "Grid", "Prometheus", "VictoriaMetrics", "Grid / Prometheus", "Grid / VictoriaMetrics"];

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let (nodes, scrapes) = context.size((8, 1080), (8, 30));
    let load = node::load(nodes, scrapes, STEP_MS, now_ms(), 1)?;
    let about = format!(
        "Remote write, {} series of {nodes} machines like a node exporter's, one sample each every 10 s, {} samples; requests of {} series \
         with one sample, {} connections. Until flushed.",
        count((nodes * node::SERIES) as f64),
        count(load.items as f64),
        count(node::BATCH as f64),
        crate::load::LANES
    );
    let mut section = Section::new("ingest", about, &HEAD);
    let runs = all(context, &load).await?;
    compare(&mut section, &runs);
    let grid = runs[0].context("Grid was measured")?;
    let mut measured = format!("{} samples per CPU-second", count(grid.per_cpu));
    let mut pass = grid.per_cpu >= BAR.0;
    match runs[1] {
        Some(peer) => {
            pass &= grid.per_cpu >= BAR.1 * peer.per_cpu;
            measured += &format!(", {:.2}x Prometheus ({})", grid.per_cpu / peer.per_cpu, count(peer.per_cpu));
        }
        None => measured += ", no Prometheus here",
    }
    if let Some(peer) = runs[2] {
        measured += &format!(", {:.2}x VictoriaMetrics ({})", grid.per_cpu / peer.per_cpu, count(peer.per_cpu));
    }
    section.note(format!(
        "Bar: {} and {}x Prometheus. {}",
        count(BAR.0),
        BAR.1,
        if pass { "Held." } else { "Not held." }
    ));
    context.figure("ingest_samples", pass, measured);
    Ok(section)
}
