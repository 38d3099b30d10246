//! Log lines by Loki's push, until they can be found by word.

use anyhow::{Context as _, ensure};

use crate::context::{Context, median};
use crate::data::wire::SNAPPY_HEADERS;
use crate::data::{closed_end_ms, lines};
use crate::load::{Load, send};
use crate::report::{Section, count};
use crate::system::{Kind, System, parts_of};

/// Bytes of lines per CPU-second, and bytes at rest per line.
const BAR: (f64, f64) = (13e6, 35.0);
/// The lines spread over so many hours, all of them over: what has been over for 15 minutes is indexed.
const HOURS: i64 = 2;

struct Run {
    answered: f64,
    indexed: f64,
    seconds: f64,
    memory_mib: f64,
    retries: u64,
    at_rest: Vec<(String, u64)>,
    unindexed: u64,
}

async fn measure(load: &Load) -> anyhow::Result<Run> {
    let system = System::start(Kind::Grid).await?;
    let grid = system.grid()?;
    let before = system.cpu_seconds()?;
    let sent = send(&format!("{}/loki/api/v1/push", grid.http), &SNAPPY_HEADERS, load).await?;
    system.flush().await?;
    let flushed = system.cpu_seconds()? - before;
    system.compact().await?;
    let indexed = system.cpu_seconds()? - before;
    let found = grid.count("default", "SELECT count(*) FROM logs").await?;
    ensure!(found == load.items, "{found} lines of {}", load.items);
    let query = "SELECT count(*) FROM grid.files WHERE \"table\" = 'logs' AND text_index IS NULL";
    let unindexed = grid.count("default", query).await?;
    let mut at_rest = Vec::new();
    for (table, bytes) in parts_of(&system.data_dir().join("files/default"))? {
        if table != "logs" {
            at_rest.push((table, bytes));
            continue;
        }
        let (mut index, mut rows) = (0, 0);
        for (name, bytes) in parts_of(&system.data_dir().join("files/default/logs"))? {
            if name.ends_with(".parquet") { rows += bytes } else { index += bytes }
        }
        at_rest.extend([("rows".to_owned(), rows), ("text index".to_owned(), index)]);
    }
    Ok(Run {
        answered: load.bytes as f64 / flushed,
        indexed: load.bytes as f64 / indexed,
        seconds: sent.seconds,
        memory_mib: system.memory_peak_mib()?,
        retries: sent.retries,
        at_rest,
        unindexed,
    })
}

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let end = closed_end_ms();
    let load = lines::load(context.size(2_000_000, 100_000), end - HOURS * 3_600_000, end, 3)?;
    let per_line = load.bytes as f64 / load.items as f64;
    let about = format!(
        "Loki push (protobuf, snappy), {} lines of {per_line:.0} bytes in {} streams over {HOURS} hours, requests of {} lines, {} \
         connections; until flushed, compacted and indexed.",
        count(load.items as f64),
        lines::STREAMS,
        count(load.items as f64 / load.requests() as f64),
        crate::load::LANES
    );
    let mut section = Section::new("logs", about, &["what", "Grid", "bar"]);
    let mut runs = Vec::new();
    for _ in 0..context.rounds {
        runs.push(measure(&load).await?);
    }
    let run = median(runs, |r| r.indexed).context("a run")?;
    let items = load.items as f64;
    let bytes: u64 = run.at_rest.iter().map(|(_, bytes)| bytes).sum();
    let per_line = bytes as f64 / items;
    section.row([
        "MB of lines per CPU-second, until indexed".into(),
        format!("{:.1}", run.indexed / 1e6),
        ">= 13".into(),
    ]);
    section.row(["the same, until flushed".into(), format!("{:.1}", run.answered / 1e6), String::new()]);
    section.row(["bytes per line at rest, index included".into(), format!("{per_line:.1}"), "<= 35".into()]);
    for (part, bytes) in &run.at_rest {
        section.row([format!("of which {part}"), format!("{:.1}", *bytes as f64 / items), String::new()]);
    }
    section.row(["lines per second, sender beside it".into(), count(items / run.seconds), String::new()]);
    section.row(["peak of resident memory, MiB".into(), count(run.memory_mib), String::new()]);
    section.row(["requests refused for now, sent again".into(), run.retries.to_string(), String::new()]);
    if run.unindexed > 0 {
        section.note(format!("{} files were left without an index.", run.unindexed));
    }
    section.note(
        "VictoriaLogs is in no Debian suite; measured once on two cores of another machine, without syncing: 13.1 MB per CPU-second, 34.6 \
         bytes per line.",
    );
    let pass = run.indexed >= BAR.0 && per_line <= BAR.1 && run.unindexed == 0;
    let measured = format!("{:.1} MB per CPU-second, {per_line:.1} bytes per line", run.indexed / 1e6);
    context.figure("ingest_logs", pass, measured);
    Ok(section)
}
