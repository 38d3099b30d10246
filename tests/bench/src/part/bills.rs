//! A bill, from CSV to a reconciled import.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::context::{Context, median};
use crate::data::bills;
use crate::report::{Section, count};
use crate::system::{Kind, System, bytes_below};

/// Sends a bill; answers the server's report.
pub(crate) async fn import(system: &System, csv: String) -> anyhow::Result<serde_json::Value> {
    let path = "/api/v1/imports?dataset=bench&format=focus&name=bench.csv";
    let answer = system.grid()?.post_ok(path, "default", &[("content-type", "text/csv")], csv).await?;
    Ok(serde_json::from_str(&answer)?)
}

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let charges = context.size(200_000, 5_000);
    let csv = bills::csv(charges, 5);
    let megabytes = csv.len() as f64 / 1e6;
    let about = format!(
        "One bill of {} charges (FOCUS 1.2, 57 columns, CSV, {megabytes:.0} MB), by `POST /api/v1/imports`; DuckDB copies the same file to \
         Parquet, on one thread, without a mapping, a reconciliation or a catalog.",
        count(charges as f64)
    );
    let mut runs = Vec::new();
    for _ in 0..context.rounds {
        let system = System::start(Kind::Grid).await?;
        let (before, started) = (system.cpu_seconds()?, std::time::Instant::now());
        import(&system, csv.clone()).await?;
        let (cpu, seconds) = (system.cpu_seconds()? - before, started.elapsed().as_secs_f64());
        let found = system.grid()?.count("default", "SELECT count(*) FROM charges").await?;
        ensure!(found == charges as u64, "{found} charges of {charges}");
        let bytes = bytes_below(&system.data_dir().join("files/default"))?;
        runs.push((cpu, seconds, system.memory_peak_mib()?, bytes));
    }
    let (cpu, seconds, memory, bytes) = median(runs, |r| r.0).context("a run")?;
    let speed = charges as f64 / cpu;
    let duck = copied_by_duckdb(&csv, charges, context.rounds).await?;
    let (version, duck_cpu) =
        duck.map_or(("no DuckDB here".to_owned(), None), |d| (format!("DuckDB {}", d.version), Some(d.cpu)));
    let of_duck = |value: String| if duck_cpu.is_some() { value } else { "-".to_owned() };
    let duck_speed = charges as f64 / duck_cpu.unwrap_or(f64::INFINITY);
    let mut section = Section::new("bills", about, &["what", "Grid", &version]);
    section.row(["charges per CPU-second".into(), count(speed), of_duck(count(duck_speed))]);
    section.row([
        "MB of CSV per CPU-second".into(),
        format!("{:.1}", megabytes / cpu),
        of_duck(format!("{:.1}", duck_speed * megabytes / charges as f64)),
    ]);
    section.row([
        "CPU-seconds, Grid / DuckDB".into(),
        of_duck(format!("{:.2}", cpu / duck_cpu.unwrap_or(1.0))),
        String::new(),
    ]);
    section.row(["seconds for all".into(), format!("{seconds:.1}"), String::new()]);
    section.row(["bytes per charge at rest".into(), format!("{:.1}", bytes as f64 / charges as f64), String::new()]);
    section.row(["peak of resident memory, MiB".into(), count(memory), String::new()]);
    context.figure(
        "bill_speed",
        speed >= SPEED_MIN,
        format!("{} charges of 57 columns per CPU-second, {megabytes:.0} MB", count(speed)),
    );
    context.figure(
        "bill_memory",
        memory <= MEMORY_MIB_MAX,
        format!("peak of {} MiB at {} charges", count(memory), count(charges as f64)),
    );
    Ok(section)
}

/// Charges per CPU-second that the issue demands.
const SPEED_MIN: f64 = 100_000.0;
/// Resident memory that the issue allows.
const MEMORY_MIB_MAX: f64 = 512.0;

#[derive(Deserialize)]
struct Copied {
    version: String,
    rows: u64,
    cpu: f64,
}

/// The median of DuckDB's runs; `None` if there is no DuckDB.
async fn copied_by_duckdb(csv: &str, charges: usize, rounds: usize) -> anyhow::Result<Option<Copied>> {
    let python = match grid_tests::peers::python() {
        Ok(python) => python,
        Err(reason) => {
            grid_tests::figures::say(&format!("SKIPPED DuckDB beside bills: {reason}"));
            return Ok(None);
        }
    };
    let folder = tempfile::tempdir()?;
    let text = |path: &Path| path.to_str().map(str::to_owned).context("the path is text");
    let (source, target) = (text(&folder.path().join("bill.csv"))?, text(&folder.path().join("bill.parquet"))?);
    std::fs::write(&source, csv)?;
    let mut runs = Vec::new();
    for _ in 0..rounds {
        let answer = grid_tests::peers::run_python(&python, "duckdb_csv.py", &[&source, &target, "1"]).await?;
        let copied: Copied = serde_json::from_str(&answer)?;
        ensure!(copied.rows == charges as u64, "DuckDB copied {} of {charges} rows", copied.rows);
        runs.push(copied);
    }
    Ok(median(runs, |r| r.cpu))
}
