//! `grid cost joins`: what of the bills telemetry knows, and what the rest costs.

use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::args::{ReportFormat, TargetArgs};
use crate::config::Config;
use crate::out;

/// Resources that a person is shown.
const SHOWN_MAX: usize = 20;

/// `grid cost joins`.
#[derive(Debug, Args)]
pub(crate) struct JoinsArgs {
    /// First instant of the charges: a time or a date
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// First instant after
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    output: ReportFormat,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// Asks and prints.
pub(super) async fn run(config: &Config, args: &JoinsArgs) -> anyhow::Result<ExitCode> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("from", &args.from), ("to", &args.to)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let path = format!("/api/v1/costs/joins?{}", query.finish());
    let answer = super::ask(config, &args.target, Method::GET, &path, None).await?;
    if args.output == ReportFormat::Json {
        out::line(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["currency", "joined", "no telemetry", "names no resource"]);
    for money in answer["money"].as_array().into_iter().flatten() {
        table.add_row(["currency", "joined", "unseen", "nameless"].map(|c| text(&money[c])));
    }
    out::line(&table.to_string())?;
    let count = |name: &str| answer[name].as_u64().unwrap_or(0);
    let (joined, unseen, unbilled) = (count("joined"), count("unseen_count"), count("unbilled_count"));
    out::line(&format!(
        "{joined} billed resources joined, {unseen} have no telemetry; {unbilled} resources of telemetry have no bill"
    ))?;
    if unseen > 0 {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_header(["cost", "currency", "service", "no telemetry of"]);
        for item in answer["unseen"].as_array().into_iter().flatten().take(SHOWN_MAX) {
            table.add_row(["cost", "currency", "service_name", "resource_id"].map(|c| text(&item[c])));
        }
        out::line(&table.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}
