//! `grid cost commitments`: what commitments did, what to buy, when they end.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use crate::args::{ListFormat, TargetArgs};
use crate::cmd::list::{Columns, print};
use crate::config::Config;
use crate::out;

/// `grid cost commitments VERB`.
#[derive(Debug, Subcommand)]
pub(crate) enum CommitmentsCommand {
    /// Utilisation, coverage, saving, unused cost, and whether the bill adds up
    Report(ReportArgs),
    /// What to buy: each offer replayed over your demand, with regret, break-even and risk
    Recommend(RecommendArgs),
    /// When each commitment ends
    Calendar(CalendarArgs),
}

/// What every verb takes.
#[derive(Debug, Args)]
struct Common {
    /// Print the SQL behind the numbers
    #[arg(long)]
    sql: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// `grid cost commitments report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Charges from this time on: a time or a date
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Charges before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// all, month, day
    #[arg(long, value_name = "STEP", default_value = "all")]
    by: String,
    /// Output and target
    #[command(flatten)]
    common: Common,
}

/// `grid cost commitments recommend`.
#[derive(Debug, Args)]
pub(crate) struct RecommendArgs {
    /// The currency [default: the one with the most cost]
    #[arg(long, value_name = "CURRENCY")]
    currency: Option<String>,
    /// Only 1y or 3y
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
    /// Only no-upfront, partial-upfront or all-upfront
    #[arg(long, value_name = "PAYMENT")]
    payment: Option<String>,
    /// A committed price as a share of the on-demand price, weighed beside those that are known, such as 0.72
    #[arg(long, value_name = "DECIMAL")]
    ratio: Option<String>,
    /// Days of usage below which there is no answer
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    min_days: u32,
    /// A fall of demand, in percent, at which a commitment must still save
    #[arg(long, value_name = "PERCENT", default_value_t = 10)]
    tolerated_fall: u32,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Output and target
    #[command(flatten)]
    common: Common,
}

/// `grid cost commitments calendar`.
#[derive(Debug, Args)]
pub(crate) struct CalendarArgs {
    /// Output and target
    #[command(flatten)]
    common: Common,
}

/// Asks and prints.
pub(super) async fn run(config: &Config, command: CommitmentsCommand) -> anyhow::Result<ExitCode> {
    match command {
        CommitmentsCommand::Report(args) => report(config, &args).await,
        CommitmentsCommand::Recommend(args) => recommend(config, &args).await,
        CommitmentsCommand::Calendar(args) => calendar(config, &args).await,
    }
}

async fn ask(config: &Config, common: &Common, path: &str, query: &[(&str, Option<&str>)]) -> anyhow::Result<Value> {
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query {
        if let Some(value) = value {
            encoded.append_pair(name, value);
        }
    }
    super::ask(config, &common.target, Method::GET, &format!("{path}?{}", encoded.finish()), None).await
}

/// The statements behind an answer, if they were asked for.
fn tell_sql(common: &Common, answer: &Value) {
    if common.sql {
        for (name, sql) in answer["sql"].as_object().into_iter().flatten() {
            out::say(&format!("-- {name}\n{}", sql.as_str().unwrap_or_default()));
        }
    }
}

const REPORT: Columns = &[
    ("commitment", "commitment_id"),
    ("period", "period_start"),
    ("currency", "currency"),
    ("committed", "committed_cost"),
    ("used", "used_cost"),
    ("unused", "unused_cost"),
    ("utilisation", "utilisation"),
    ("saving", "saving"),
    ("purchased", "purchased_cost"),
    ("check", "check"),
];
const COVERAGE: Columns = &[
    ("period", "period_start"),
    ("currency", "currency"),
    ("usage", "usage_cost"),
    ("eligible", "eligible_cost"),
    ("covered", "covered_cost"),
    ("coverage", "coverage"),
    ("of eligible", "coverage_of_eligible"),
    ("overage", "overage_cost"),
    ("unused", "unused_cost"),
];
const CALENDAR: Columns = &[
    ("commitment", "commitment_id"),
    ("name", "name"),
    ("type", "type"),
    ("ends", "ends"),
    ("currency", "currency"),
    ("effective cost", "effective_cost"),
    ("first charge", "first_charge"),
    ("last charge", "last_charge"),
];

async fn report(config: &Config, args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let query = [("from", args.from.as_deref()), ("to", args.to.as_deref()), ("by", Some(args.by.as_str()))];
    let answer = ask(config, &args.common, "/api/v1/commitments", &query).await?;
    tell_sql(&args.common, &answer);
    print(args.common.output, &answer, &answer["items"], REPORT)?;
    if args.common.output == ListFormat::Table {
        out::line("")?;
        print(args.common.output, &answer, &answer["coverage"], COVERAGE)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn calendar(config: &Config, args: &CalendarArgs) -> anyhow::Result<ExitCode> {
    let answer = ask(config, &args.common, "/api/v1/commitments/calendar", &[]).await?;
    tell_sql(&args.common, &answer);
    print(args.common.output, &answer, &answer["items"], CALENDAR)?;
    Ok(ExitCode::SUCCESS)
}

const CANDIDATES: Columns = &[
    ("scope", "scope"),
    ("kind", "kind"),
    ("advice", "advice"),
    ("offer", "offer"),
    ("per hour", "hourly_commitment"),
    ("upfront", "upfront"),
    ("saves a month", "monthly_saving"),
    ("pays off in months", "break_even_months"),
    ("utilisation", "utilisation"),
    ("coverage", "coverage"),
    ("safe fall %", "break_even_fall_percent"),
    ("regret", "regret"),
    ("price age, days", "age_days"),
];

async fn recommend(config: &Config, args: &RecommendArgs) -> anyhow::Result<ExitCode> {
    let (min_days, fall, seed) = (args.min_days.to_string(), args.tolerated_fall.to_string(), args.seed.to_string());
    let query = [
        ("currency", args.currency.as_deref()),
        ("term", args.term.as_deref()),
        ("payment", args.payment.as_deref()),
        ("ratio", args.ratio.as_deref()),
        ("min_days", Some(min_days.as_str())),
        ("tolerated_fall", Some(fall.as_str())),
        ("seed", Some(seed.as_str())),
    ];
    let answer = ask(config, &args.common, "/api/v1/commitments/recommendations", &query).await?;
    tell_sql(&args.common, &answer);
    let rows = Value::Array(answer["groups"].as_array().into_iter().flatten().map(flat).collect());
    print(args.common.output, &answer, &rows, CANDIDATES)?;
    if args.common.output == ListFormat::Table {
        let text = |name: &str| answer[name].as_str().unwrap_or_default();
        out::line(&format!("{}: {}", text("status"), text("detail")))?;
        if let Some(kind) = answer["best_kind"].as_str() {
            out::line(&format!("the kind that saves most: {kind}"))?;
        }
        for usage in answer["unpriced"].as_array().into_iter().flatten() {
            out::line(&format!("no committed price known: {}", usage.as_str().unwrap_or_default()))?;
        }
        let stale = answer["groups"].as_array().into_iter().flatten().flat_map(|g| g["evidence"].as_array());
        if stale.flatten().any(|e| e["stale"] == true) {
            out::say("warning: prices of these offers are stale; `grid import prices` reads a newer list");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A group as one row: what to buy, or else its best candidate.
fn flat(group: &Value) -> Value {
    let best = if group["buy"].is_null() { &group["candidates"][0] } else { &group["buy"] };
    let mut row = best.clone();
    let regret = best["windows"].as_array().and_then(|w| w.last()).map_or(Value::Null, |w| w["regret"].clone());
    let ages = group["evidence"].as_array().into_iter().flatten().filter_map(|e| e["age_days"].as_i64());
    if let Some(object) = row.as_object_mut() {
        object.insert("break_even_fall_percent".to_owned(), best["risk"]["break_even_fall_percent"].clone());
        object.insert("regret".to_owned(), regret);
        object.insert("age_days".to_owned(), ages.max().map_or(Value::Null, Value::from));
        for name in ["scope", "kind", "advice"] {
            object.insert(name.to_owned(), group[name].clone());
        }
    }
    row
}
