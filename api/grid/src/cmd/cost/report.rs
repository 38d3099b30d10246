//! `grid cost report`: everything about a period on one page.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use grid_api::finance::saved::ReportSetting;
use reqwest::Method;

use super::{path_of, segment};
use crate::args::TargetArgs;
use crate::config::Config;
use crate::local::Api;
use crate::out;

/// `grid cost report`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without a period: the month of the last charge, up to it, against the same days of the month before."
)]
pub(crate) struct ReportArgs {
    /// The first day: 2026-11-01, 2026-11
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The day after the last one
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// Dimensions, comma-separated: service, region, account, ..., columns of charges, tags [default: service]
    #[arg(long, value_name = "LIST")]
    by: Option<String>,
    /// With what to compare: previous, year, or a period such as 2026-10-01..2026-11-01 [default: previous]
    #[arg(long, value_name = "PERIOD")]
    compare: Option<String>,
    /// Which charges, as in WHERE: "category = 'Usage' and tags['env'] = 'production'"
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Which cost: effective, billed, contracted, list [default: effective]
    #[arg(long, value_name = "COST")]
    cost: Option<String>,
    /// First month of the fiscal year
    #[arg(long, value_name = "MONTH", value_parser = clap::value_parser!(u32).range(1..=12))]
    fiscal_start: Option<u32>,
    /// A saved report: its parameters hold where none are given here
    #[arg(long, value_name = "NAME")]
    saved: Option<String>,
    /// Keep these parameters under a name, for --saved
    #[arg(long, value_name = "NAME", conflicts_with = "saved")]
    save: Option<String>,
    /// Bills as they were known at a time: later restatements are not seen
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// How the report is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For a terminal
    Table,
    /// For a merge request or a wiki
    Markdown,
    /// One page that loads nothing
    Html,
    /// The groups, exact
    Csv,
    /// Everything, exact, with its SQL
    Json,
}

impl Output {
    fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// Asks and prints.
pub(super) async fn run(config: &Config, args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let fiscal = args.fiscal_start.map(|m| m.to_string());
    let path = path_of(
        "/api/v1/costs/report",
        &[
            ("from", args.from.as_deref()),
            ("to", args.to.as_deref()),
            ("by", args.by.as_deref()),
            ("compare", args.compare.as_deref()),
            ("filter", args.filter.as_deref()),
            ("cost", args.cost.as_deref()),
            ("fiscal_start", fiscal.as_deref()),
            ("saved", args.saved.as_deref()),
            ("as_of", args.as_of.as_deref()),
            ("format", Some(args.output.name())),
        ],
    );
    let api = Api::open(&args.target, config).await?;
    let answer = async {
        if let Some(name) = &args.save {
            let setting = ReportSetting {
                from: args.from.clone(),
                to: args.to.clone(),
                by: args.by.clone(),
                compare: args.compare.clone(),
                filter: args.filter.clone(),
                cost: args.cost.clone(),
                fiscal_start: args.fiscal_start,
            };
            let body = serde_json::to_value(setting).context("write the report")?;
            let kept = api.send(Method::PUT, &format!("/api/v1/costs/reports/{}", segment(name)), Some(&body)).await?;
            out::say(&format!("report {name}: version {}", kept["version"]));
        }
        api.send_for_bytes(Method::GET, &path, None).await
    }
    .await;
    api.close().await?;
    out::bytes(&answer?)?;
    Ok(ExitCode::SUCCESS)
}
