//! A bill, from CSV to a reconciled import.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use crate::context::{Context, median};
use crate::data::bills;
use crate::report::{Section, count};
use crate::system::{Kind, System, bytes_below, cpu_seconds, memory_mib};

/// Longest wait for an import.
const IMPORTED_WITHIN: Duration = Duration::from_secs(1800);

/// Sends a bill; answers the server's report.
pub(crate) async fn import(system: &System, csv: impl Into<reqwest::Body>) -> anyhow::Result<serde_json::Value> {
    let grid = system.grid()?;
    let url = format!("{}/api/v1/imports?dataset=bench&format=focus&name=bench.csv", grid.http);
    let request = grid.client.post(url).timeout(IMPORTED_WITHIN).header("content-type", "text/csv").body(csv);
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "the import answered {status}: {text}");
    Ok(serde_json::from_str(&text)?)
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
        let (before, started) = (system.cpu_seconds()?, Instant::now());
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
    let many = context.size(10_000_000, 50_000);
    let Large { seconds, cpu, peak } = large(many).await?;
    section.row([
        format!("one bill of {} charges by `grid import bill`: seconds", count(many as f64)),
        format!("{seconds:.0}"),
        String::new(),
    ]);
    section.row(["its charges per CPU-second".into(), count(many as f64 / cpu), String::new()]);
    section.row(["its peak of resident memory, MiB".into(), count(peak), String::new()]);
    // Of the long one: there the start of the process no longer counts.
    let speed = many as f64 / cpu;
    context.figure(
        "bill_speed",
        speed >= SPEED_MIN,
        format!("{} charges of 57 columns per CPU-second, {} in one file", count(speed), count(many as f64)),
    );
    context.figure(
        "bill_memory",
        peak <= MEMORY_MIB_MAX,
        format!("peak of {} MiB at {} charges in one file", count(peak), count(many as f64)),
    );
    Ok(section)
}

/// What the import of a long bill took.
struct Large {
    seconds: f64,
    cpu: f64,
    /// Peak of resident memory, in MiB.
    peak: f64,
}

/// Imports one long file on the machine itself, where no bound of an upload holds.
async fn large(charges: usize) -> anyhow::Result<Large> {
    let folder = tempfile::tempdir()?;
    let (csv, data) = (folder.path().join("bill.csv"), folder.path().join("data"));
    let mut file = std::io::BufWriter::new(std::fs::File::create(&csv)?);
    for piece in bills::pieces(charges, 6) {
        file.write_all(piece.as_bytes())?;
    }
    file.flush()?;
    let mut command = tokio::process::Command::new(grid_tests::grid_binary()?);
    command.args(["import", "bill", "--format", "focus", "--dataset", "bench", "-o", "json", "--data-dir"]);
    command.arg(&data).arg(&csv).kill_on_drop(true).stdout(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().context("run grid")?;
    let pid = child.id().context("a running import")?;
    let (mut peak, mut cpu) = (0.0, 0.0);
    let status = loop {
        // The kernel keeps the peak; what is read last is the peak of all but the last moment.
        match tokio::time::timeout(Duration::from_millis(50), child.wait()).await {
            Ok(status) => break status?,
            Err(_) => {
                peak = memory_mib(pid, "VmHWM").unwrap_or(peak);
                cpu = cpu_seconds(pid).unwrap_or(cpu);
            }
        }
    };
    ensure!(status.success(), "the import of {charges} charges ended with {status}");
    let seconds = started.elapsed().as_secs_f64();
    let mut said = String::new();
    child.stdout.take().context("what it said")?.read_to_string(&mut said).await?;
    let said: serde_json::Value = serde_json::from_str(&said).context("read the report")?;
    ensure!(said["rows_stored"] == charges, "of {charges} charges {} are stored", said["rows_stored"]);
    Ok(Large { seconds, cpu, peak })
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
