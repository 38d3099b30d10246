//! `grid cost by`: sums of costs by any dimensions.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::Value;

use crate::args::TargetArgs;
use crate::config::Config;
use crate::out;

/// `grid cost by`.
#[derive(Debug, Args)]
pub(crate) struct ByArgs {
    /// Dimensions, comma-separated: owner, team, project, environment, kind, rule, service_name, resource_id, dim.NAME, ...
    #[arg(default_value = "owner")]
    dimensions: String,
    /// Conditions, comma-separated: owner=payments, environment!=test, service_name=Amazon*
    #[arg(long, value_name = "LIST")]
    filter: Option<String>,
    /// First instant: a time or a date
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// First instant after
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// total, hour, day, month, fiscal-MM, 445-MM
    #[arg(long, value_name = "STEP")]
    granularity: Option<String>,
    /// Show costs in this currency too, by the rates of `grid cost rates`
    #[arg(long, value_name = "CURRENCY")]
    convert: Option<String>,
    /// Most rows
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Print the SQL behind the sums
    #[arg(long)]
    sql: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// How sums are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// As the API answers
    Json,
    /// With a header
    Csv,
}

/// Asks and prints.
pub(super) async fn run(config: &Config, args: &ByArgs) -> anyhow::Result<ExitCode> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("group_by", &args.dimensions).append_pair("limit", &args.limit.to_string());
    let optional = [
        ("filter", &args.filter),
        ("from", &args.from),
        ("to", &args.to),
        ("granularity", &args.granularity),
        ("convert", &args.convert),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let path = format!("/api/v1/costs?{}", query.finish());
    let answer = super::ask(config, &args.target, Method::GET, &path, None).await?;
    if args.output == Format::Json {
        out::line(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<&str> = args.dimensions.split(',').map(str::trim).filter(|n| !n.is_empty()).collect();
    let stepped = args.granularity.as_deref().is_some_and(|g| g != "total");
    let mut header: Vec<String> = if stepped { vec!["period".to_owned()] } else { Vec::new() };
    header.extend(names.iter().map(|n| (*n).to_owned()));
    header.extend(["currency".to_owned(), "cost".to_owned()]);
    header.extend(args.convert.as_ref().map(|c| format!("in {c}")));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> = answer["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let named = Some(text(&item["period"])).filter(|p| !p.is_empty());
            let period = stepped.then(|| named.unwrap_or_else(|| text(&item["period_start"])));
            let mut row: Vec<String> = period.into_iter().collect();
            row.extend(names.iter().map(|n| text(&item["group"][*n])));
            row.extend([text(&item["currency"]), text(&item["cost"])]);
            row.extend(args.convert.as_ref().map(|_| text(&item["converted"])));
            row
        })
        .collect();
    if args.output == Format::Csv {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&header)?;
        rows.iter().try_for_each(|row| writer.write_record(row))?;
        out::bytes(&writer.into_inner().map_err(|e| anyhow::anyhow!("write CSV: {e}"))?)?;
    } else {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_header(&header);
        rows.iter().for_each(|row| {
            table.add_row(row);
        });
        out::line(&table.to_string())?;
        for total in answer["totals"].as_array().into_iter().flatten() {
            out::line(&format!("total {} {}", text(&total["currency"]), text(&total["cost"])))?;
        }
        for rate in answer["rates"].as_array().into_iter().flatten() {
            let (from, to) = if rate["inverted"] == true { ("to", "from") } else { ("from", "to") };
            let words = [&rate["date"], &rate[from], &rate["rate"], &rate[to], &rate["source"]].map(&text);
            out::line(&format!("rate since {}: 1 {} = {} {} ({})", words[0], words[1], words[2], words[3], words[4]))?;
        }
        if answer["next_cursor"].is_string() {
            out::say(&format!("there are more than {} rows: say --limit", args.limit));
        }
    }
    if args.sql {
        out::say(&text(&answer["sql"]));
    }
    Ok(ExitCode::SUCCESS)
}
