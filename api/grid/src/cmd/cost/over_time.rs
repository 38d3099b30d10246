//! `grid cost trend|forecast|variance|provisional`: the API's flat lists at the terminal.

use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::flat::{Format, print};
use super::{ask, path_of};
use crate::args::TargetArgs;
use crate::config::Config;
use crate::out;

/// Which costs, and where.
#[derive(Debug, Args)]
struct Common {
    /// Which charges, as in WHERE: "category = 'Usage' and tags['env'] = 'production'"
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Which cost: effective, billed, contracted, list
    #[arg(long, value_name = "COST", default_value = "effective")]
    cost: String,
    /// Bills as they were known at a time: later restatements are not seen
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Print the SQL behind the numbers too
    #[arg(long)]
    sql: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// `grid cost trend`.
#[derive(Debug, Args)]
pub(crate) struct TrendArgs {
    /// day, week, month, quarter, year
    #[arg(long, value_name = "GRAIN", default_value = "day")]
    grain: String,
    /// The first day [default: thirty days or twelve buckets before the last charge]
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The day after the last one
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// Dimensions, comma-separated
    #[arg(long, value_name = "LIST")]
    by: Option<String>,
    /// First month of the fiscal year
    #[arg(long, value_name = "MONTH", value_parser = clap::value_parser!(u32).range(1..=12))]
    fiscal_start: Option<u32>,
    /// Estimate the days for which no bill has come yet
    #[arg(long)]
    provisional: bool,
    /// Of what: charges, or allocations (by owner, team, project)
    #[arg(long, value_name = "TABLE")]
    of: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// `grid cost forecast`.
#[derive(Debug, Args)]
pub(crate) struct ForecastArgs {
    /// month, quarter, year, or a day (not included)
    #[arg(long, value_name = "WHEN", default_value = "month")]
    until: String,
    /// Probability of the bounds in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=99))]
    level: u32,
    /// Dimensions, comma-separated
    #[arg(long, value_name = "LIST")]
    by: Option<String>,
    /// First month of the fiscal year
    #[arg(long, value_name = "MONTH", value_parser = clap::value_parser!(u32).range(1..=12))]
    fiscal_start: Option<u32>,
    /// Of what: charges, or allocations (by owner, team, project)
    #[arg(long, value_name = "TABLE")]
    of: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// `grid cost variance`.
#[derive(Debug, Args)]
pub(crate) struct VarianceArgs {
    /// The first day [default: the month of the last charge]
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The day after the last one
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// With what to compare: previous, year, or a period such as 2026-10-01..2026-11-01
    #[arg(long, value_name = "PERIOD", default_value = "previous")]
    compare: String,
    /// Dimensions that may explain the change, comma-separated
    #[arg(long, value_name = "LIST")]
    by: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// `grid cost provisional`.
#[derive(Debug, Args)]
pub(crate) struct ProvisionalArgs {
    /// Show how good the estimates were on the days that are billed
    #[arg(long)]
    errors: bool,
    #[command(flatten)]
    common: Common,
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn tell_sql(answer: &Value, common: &Common) {
    if common.sql {
        list(answer, "sql").iter().filter_map(Value::as_str).for_each(|sql| out::say(&format!("{sql};\n")));
    }
}

/// Asks and prints.
pub(super) async fn trend(config: &Config, args: &TrendArgs) -> anyhow::Result<ExitCode> {
    let (common, fiscal) = (&args.common, args.fiscal_start.map(|m| m.to_string()));
    let path = path_of(
        "/api/v1/costs/trend",
        &[
            ("grain", Some(&args.grain)),
            ("from", args.from.as_deref()),
            ("to", args.to.as_deref()),
            ("by", args.by.as_deref()),
            ("fiscal_start", fiscal.as_deref()),
            ("provisional", args.provisional.then_some("true")),
            ("of", args.of.as_deref()),
            ("filter", common.filter.as_deref()),
            ("cost", Some(&common.cost)),
            ("as_of", common.as_of.as_deref()),
        ],
    );
    let answer = ask(config, &common.target, Method::GET, &path, None).await?;
    print(list(&answer, "items"), None, common.output)?;
    tell_sql(&answer, common);
    Ok(ExitCode::SUCCESS)
}

/// Asks and prints.
pub(super) async fn forecast(config: &Config, args: &ForecastArgs) -> anyhow::Result<ExitCode> {
    let (common, fiscal) = (&args.common, args.fiscal_start.map(|m| m.to_string()));
    let path = path_of(
        "/api/v1/costs/forecast",
        &[
            ("until", Some(&args.until)),
            ("level", Some(&args.level.to_string())),
            ("by", args.by.as_deref()),
            ("fiscal_start", fiscal.as_deref()),
            ("of", args.of.as_deref()),
            ("filter", common.filter.as_deref()),
            ("cost", Some(&common.cost)),
            ("as_of", common.as_of.as_deref()),
        ],
    );
    let answer = ask(config, &common.target, Method::GET, &path, None).await?;
    print(list(&answer, "items"), None, common.output)?;
    for item in list(&answer, "items").iter().filter(|i| i["needed_days"].is_number()) {
        out::say(&format!(
            "{}: {} days of history are not enough to forecast, it takes {}",
            item["currency"].as_str().unwrap_or_default(),
            item["history_days"],
            item["needed_days"]
        ));
    }
    tell_sql(&answer, common);
    Ok(ExitCode::SUCCESS)
}

/// Asks and prints.
pub(super) async fn variance(config: &Config, args: &VarianceArgs) -> anyhow::Result<ExitCode> {
    let common = &args.common;
    let path = path_of(
        "/api/v1/costs/variance",
        &[
            ("from", args.from.as_deref()),
            ("to", args.to.as_deref()),
            ("compare", Some(&args.compare)),
            ("by", args.by.as_deref()),
            ("filter", common.filter.as_deref()),
            ("cost", Some(&common.cost)),
            ("as_of", common.as_of.as_deref()),
        ],
    );
    let answer = ask(config, &common.target, Method::GET, &path, None).await?;
    match common.output {
        Format::Json => out::line(&serde_json::to_string_pretty(&answer)?)?,
        Format::Csv => print(list(&answer, "movers"), None, Format::Csv)?,
        Format::Table => {
            print(list(&answer, "effects"), None, Format::Table)?;
            for item in list(&answer, "currencies") {
                let text = |name: &str| item[name].as_str().unwrap_or_default();
                out::line(&format!(
                    "\n{}: {} before, {} now, change {}\n",
                    text("currency"),
                    text("before"),
                    text("cost"),
                    text("change")
                ))?;
            }
            let columns = ["currency", "service", "item", "region", "before", "cost", "change", "effect"];
            print(list(&answer, "movers"), Some(&columns), Format::Table)?;
        }
    }
    tell_sql(&answer, common);
    Ok(ExitCode::SUCCESS)
}

/// Asks and prints.
pub(super) async fn provisional(config: &Config, args: &ProvisionalArgs) -> anyhow::Result<ExitCode> {
    let common = &args.common;
    let parameters = [
        ("filter", common.filter.as_deref()),
        ("cost", Some(common.cost.as_str())),
        ("as_of", common.as_of.as_deref()),
    ];
    let path = path_of("/api/v1/costs/provisional", &parameters);
    let answer = ask(config, &common.target, Method::GET, &path, None).await?;
    print(list(&answer, if args.errors { "outcomes" } else { "items" }), None, common.output)?;
    tell_sql(&answer, common);
    Ok(ExitCode::SUCCESS)
}
