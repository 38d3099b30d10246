//! `grid cost allocate`: computes what is stale and shows that nothing is lost.

use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{ReportFormat, TargetArgs};
use crate::config::Config;
use crate::local::Api;
use crate::out;
use crate::unit::show_count;

const ROUTE: &str = "/api/v1/costs/allocation";

/// `grid cost allocate`.
#[derive(Debug, Args)]
pub(crate) struct AllocateArgs {
    /// Compute every billing period again, not only those whose bills, rules or measurements changed
    #[arg(long)]
    all: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    output: ReportFormat,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// Computes and reconciles; exit code 1 if the sums differ.
pub(super) async fn run(config: &Config, args: &AllocateArgs) -> anyhow::Result<ExitCode> {
    let api = Api::open(&args.target, config).await?;
    let both = async {
        let run = api.send(Method::POST, ROUTE, Some(&json!({ "all": args.all }))).await?;
        Ok::<_, anyhow::Error>((run, api.send(Method::GET, ROUTE, None).await?))
    }
    .await;
    api.close().await?;
    let (run, state) = both?;
    let sums = state["reconciliation"].as_array().cloned().unwrap_or_default();
    let exact = sums.iter().all(|s| s["difference"] == "0");
    match args.output {
        ReportFormat::Json => out::line(&serde_json::to_string_pretty(&json!({ "run": run, "state": state }))?)?,
        ReportFormat::Text => show(&run, &sums)?,
    }
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(run: &Value, sums: &[Value]) -> anyhow::Result<()> {
    for part in run["computed"].as_array().into_iter().flatten() {
        let count = |name: &str| show_count(part[name].as_u64().unwrap_or(0));
        let name = part["part"].as_str().unwrap_or_default();
        out::line(&format!(
            "computed {name}: {} charges, {} rows, {} ms",
            count("charges"),
            count("rows"),
            count("elapsed_ms")
        ))?;
        for (rule, n) in part["unsplit"].as_object().into_iter().flatten() {
            out::line(&format!("  rule {rule:?} could not split {n} groups of charges: nothing to weigh by"))?;
        }
    }
    let unchanged = run["unchanged"].as_u64().unwrap_or(0);
    if unchanged > 0 {
        out::line(&format!("up to date: {} parts", show_count(unchanged)))?;
    }
    if sums.is_empty() {
        out::line("there are no charges; `grid import bill FILE` brings them")?;
        return Ok(());
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    let columns = ["currency", "charged", "allocated", "idle", "unallocated", "difference"];
    table.set_header(columns);
    for sum in sums {
        table.add_row(columns.map(|c| sum[c].as_str().unwrap_or_default().to_owned()));
    }
    out::line(&table.to_string())?;
    Ok(())
}
