//! Spans by OTLP.

use anyhow::{Context as _, ensure};

use crate::context::{Context, median};
use crate::data::{closed_end_ms, spans};
use crate::load::send;
use crate::report::{Section, count};
use crate::system::{Kind, System, bytes_below};

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let end = closed_end_ms();
    let load = spans::load(context.size(1_000_000, 40_000), end - 2 * 3_600_000, end, 4)?;
    let about = format!(
        "OTLP over HTTP (protobuf), {} spans of {} services in traces of {}, requests of {} spans, {} connections.",
        count(load.items as f64),
        spans::SERVICES,
        spans::SPANS_PER_TRACE,
        count(load.items as f64 / load.requests() as f64),
        crate::load::LANES
    );
    let mut runs = Vec::new();
    for _ in 0..context.rounds {
        let system = System::start(Kind::Grid).await?;
        let before = system.cpu_seconds()?;
        let sent = send(&format!("{}/v1/traces", system.grid()?.http), &spans::HEADERS, &load).await?;
        system.flush().await?;
        let flushed = system.cpu_seconds()? - before;
        system.compact().await?;
        let compacted = system.cpu_seconds()? - before;
        let found = system.grid()?.count("default", "SELECT count(*) FROM spans").await?;
        ensure!(found == load.items, "{found} spans of {}", load.items);
        let bytes = bytes_below(&system.data_dir().join("files/default"))?;
        runs.push((flushed, compacted, sent, system.memory_peak_mib()?, bytes));
    }
    let (flushed, compacted, sent, memory, bytes) = median(runs, |r| r.0).context("a run")?;
    let items = load.items as f64;
    let mut section = Section::new("spans", about, &["what", "Grid"]);
    section.row(["spans per CPU-second, until flushed".into(), count(items / flushed)]);
    section.row(["the same, until compacted".into(), count(items / compacted)]);
    section.row(["bytes per span at rest, compacted, all files".into(), format!("{:.1}", bytes as f64 / items)]);
    section.row(["spans per second, sender beside it".into(), count(items / sent.seconds)]);
    section.row(["peak of resident memory, MiB".into(), count(memory)]);
    section.row(["requests refused for now, sent again".into(), sent.retries.to_string()]);
    Ok(section)
}
