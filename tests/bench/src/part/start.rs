//! How long a start takes: with many files, and after a kill with much in the log.

use std::time::Instant;

use anyhow::ensure;
use grid_tests::peers;

use crate::context::Context;
use crate::data::wire::SNAPPY_HEADERS;
use crate::data::{closed_end_ms, lines, node, now_ms, spans};
use crate::load::send;
use crate::report::{Section, count};
use crate::system::{Kind, System};

/// Seconds to start with many files; milliseconds to plan, of the slowest in a hundred.
const FILES_BAR: (f64, f64) = (2.0, 50.0);
const KILLED_BAR_S: f64 = 10.0;
const HOUR_NS: i64 = 3_600_000_000_000;

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let about = "From the start of the process until it says that it is ready, and how long the plan of a query takes by `EXPLAIN` over HTTP.";
    let mut section = Section::new("start", about, &["what", "Grid", "bar"]);
    empty(&mut section).await?;
    many_files(context, &mut section).await?;
    after_kill(context, &mut section).await?;
    Ok(section)
}

async fn empty(section: &mut Section) -> anyhow::Result<()> {
    let mut system = System::start(Kind::Grid).await?;
    let first = system.grid()?.start_time;
    system.grid_mut()?.terminate().await?;
    system.grid_mut()?.restart().await?;
    let again = system.grid()?.start_time;
    section.row(["start on an empty folder, ms".into(), first.as_millis().to_string(), String::new()]);
    section.row(["start again, ms".into(), again.as_millis().to_string(), String::new()]);
    section.row(["resident memory then, MiB".into(), count(system.memory_mib()?), String::new()]);
    Ok(())
}

async fn many_files(context: &Context, section: &mut Section) -> anyhow::Result<()> {
    let python = match peers::python() {
        Ok(python) => python,
        Err(reason) => return grid_tests::skip("start", reason),
    };
    let files = context.size(10_000, 300);
    // No round of compaction may tidy up between start and measurement.
    let mut system = System::start_with(Kind::Grid, &[("GRID__STORAGE__COMPACT_INTERVAL", "0s")]).await?;
    let end = closed_end_ms();
    let grid = system.grid()?;
    send(&system.write_url, &SNAPPY_HEADERS, &node::load(2, 40, 15_000, end - 1000, 11)?).await?;
    send(&format!("{}/loki/api/v1/push", grid.http), &SNAPPY_HEADERS, &lines::load(50_000, end - 600_000, end, 12)?)
        .await?;
    send(&format!("{}/v1/traces", grid.http), &spans::HEADERS, &spans::load(10_000, end - 600_000, end, 13)?).await?;
    system.compact().await?;
    system.grid_mut()?.terminate().await?;
    let dir = system.data_dir().to_string_lossy().into_owned();
    let total = peers::run_python(&python, "catalog_grow.py", &[&dir, "default", &files.to_string()]).await?;
    let total: f64 = total.trim().parse()?;
    system.grid_mut()?.restart().await?;
    let (grid, start) = (system.grid()?, system.grid()?.start_time.as_secs_f64());
    let known = grid.count("default", "SELECT count(*) FROM grid.files").await? as usize;
    ensure!(known + 100 > files, "{known} files of {files} are known after the start");
    let mut plans = Vec::new();
    for i in 0..context.size(400, 40_i64) {
        let from = end * 1_000_000 - (i % 100 + 2) * 2 * HOUR_NS;
        let range = |column: &str| {
            let at = |ns: i64| format!("TIMESTAMP '{}'", chrono::DateTime::from_timestamp_nanos(ns).to_rfc3339());
            format!("{column} >= {} AND {column} < {}", at(from), at(from + HOUR_NS))
        };
        let query = match i % 4 {
            0 => format!("SELECT count(*), avg(value) FROM samples WHERE {}", range("time")),
            1 => format!(
                "SELECT cpu, max(value) FROM metrics.node_cpu_seconds_total WHERE {} GROUP BY cpu",
                range("time")
            ),
            2 => format!(
                "SELECT count(*) FROM logs WHERE service = 'cart' AND match(body, 'declined') AND {}",
                range("time")
            ),
            _ => format!(
                "SELECT name, count(*) FROM spans WHERE service = 'cart' AND {} GROUP BY name",
                range("start_time")
            ),
        };
        let started = Instant::now();
        grid.sql("default", &format!("EXPLAIN {query}")).await?;
        plans.push(started.elapsed().as_secs_f64() * 1e3);
    }
    plans.sort_by(f64::total_cmp);
    let (half, slowest) = (plans[plans.len() / 2], plans[(plans.len() - 1) * 99 / 100]);
    let name = count(total);
    section.row([format!("start with {name} files, ms"), format!("{:.0}", start * 1e3), "< 2,000".into()]);
    section.row([format!("plan with {name} files, ms: median"), format!("{half:.1}"), String::new()]);
    section.row([format!("plan with {name} files, ms: p99"), format!("{slowest:.1}"), "< 50".into()]);
    section.row([format!("resident memory with {name} files, MiB"), count(system.memory_mib()?), String::new()]);
    let pass = start < FILES_BAR.0 && slowest < FILES_BAR.1;
    context.figure("start", pass, format!("{name} files: start {:.0} ms, planning p99 {slowest:.1} ms", start * 1e3));
    Ok(())
}

async fn after_kill(context: &Context, section: &mut Section) -> anyhow::Result<()> {
    let wanted = context.size(256.0, 16.0) * 1024.0 * 1024.0;
    // Nothing is flushed, so that the log grows.
    let env = [
        ("GRID__STORAGE__FLUSH_BYTES", "16GiB"),
        ("GRID__STORAGE__BUFFER_BYTES_MAX", "16GiB"),
        ("GRID__STORAGE__FLUSH_INTERVAL", "6h"),
    ];
    let mut system = System::start_with(Kind::Grid, &env).await?;
    let (mut samples, mut rows, mut round) = (0, 0, 0_i64);
    while system.metric("grid_store_wal_bytes_total").await? < wanted {
        let at = now_ms() - 3_600_000 + round * 200_000;
        let load = node::load(8, 20, 10_000, at, 21)?;
        send(&system.write_url, &SNAPPY_HEADERS, &load).await?;
        samples += load.items;
        let load = lines::load(50_000, at - 200_000, at, 22 + round.unsigned_abs())?;
        send(&format!("{}/loki/api/v1/push", system.grid()?.http), &SNAPPY_HEADERS, &load).await?;
        rows += load.items;
        round += 1;
        ensure!(round < 1000, "the log does not grow");
    }
    let log = crate::system::bytes_below(&system.data_dir().join("wal"))? as f64 / 1024.0 / 1024.0;
    let grid = system.grid_mut()?;
    grid.kill().await?;
    grid.restart().await?;
    let seconds = grid.start_time.as_secs_f64();
    let found = (
        grid.count("default", "SELECT count(*) FROM samples").await?,
        grid.count("default", "SELECT count(*) FROM logs").await?,
    );
    ensure!(found == (samples, rows), "{found:?} rows of {:?} after the kill", (samples, rows));
    let name = format!("start after kill -9 with {log:.0} MiB of log ({} rows), s", count((samples + rows) as f64));
    section.row([name, format!("{seconds:.2}"), "< 10".into()]);
    let pass = seconds < KILLED_BAR_S;
    context.figure(
        "start_256mb",
        pass,
        format!("{log:.0} MiB of log, {} rows: {seconds:.2} s", count((samples + rows) as f64)),
    );
    Ok(())
}
