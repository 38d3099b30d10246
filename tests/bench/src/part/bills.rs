//! A bill, from CSV to a reconciled import.

use anyhow::{Context as _, ensure};

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
        "One bill of {} charges (FOCUS 1.0, CSV, {megabytes:.0} MB), by `POST /api/v1/imports`.",
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
    let mut section = Section::new("bills", about, &["what", "Grid"]);
    section.row(["charges per CPU-second".into(), count(charges as f64 / cpu)]);
    section.row(["MB of CSV per CPU-second".into(), format!("{:.1}", megabytes / cpu)]);
    section.row(["seconds for all".into(), format!("{seconds:.1}")]);
    section.row(["bytes per charge at rest".into(), format!("{:.1}", bytes as f64 / charges as f64)]);
    section.row(["peak of resident memory, MiB".into(), count(memory)]);
    Ok(section)
}
