//! `grid recommend`: what to change, what that saves and risks; and what was decided about it.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use grid_api::finance::render::document::money;
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{ListFormat, TargetArgs};
use crate::cmd::list::{Columns, print};
use crate::cmd::{ask, path_of, segment};
use crate::config::Config;
use crate::{out, setup};

/// `grid recommend`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RecommendArgs {
    /// What to do with them; lists them if absent
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Which are listed
    #[command(flatten)]
    list: ListArgs,
}

/// What to do with recommendations.
#[derive(Debug, Subcommand)]
enum Verb {
    /// All that is known of one: why, what it risks, how to undo it, the query that shows it
    Explain(ExplainArgs),
    /// It will be done: the ledger watches what comes of it
    Accept(DecideArgs),
    /// It will not be done, for a reason
    Dismiss(DecideArgs),
    /// Later
    Snooze(DecideArgs),
    /// Take a decision back
    Reopen(DecideArgs),
    /// Say whether one was of use
    Feedback(FeedbackArgs),
    /// What accepted ones promised, and what the bills since then say
    Ledger(LedgerArgs),
}

/// Which are listed.
#[derive(Debug, Args)]
struct ListArgs {
    /// A condition over their columns, such as "team = 'data' and saving > 100"
    #[arg(long, value_name = "CONDITION")]
    filter: Option<String>,
    /// Only this state: open, accepted, dismissed, snoozed, expired; or all
    #[arg(long, value_name = "STATE", default_value = "open")]
    state: String,
    /// By money, risk, monthly_cost, created_time, expires_time
    #[arg(long, value_name = "COLUMN", default_value = "money")]
    sort: String,
    /// Most that are shown
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// How they are written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// `grid recommend explain`.
#[derive(Debug, Args)]
struct ExplainArgs {
    /// Its id, or as much of its beginning as names it
    id: String,
    /// How it is written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// A decision.
#[derive(Debug, Args)]
struct DecideArgs {
    /// Their ids, or as much of their beginnings as names them
    #[arg(required_unless_present = "filter")]
    ids: Vec<String>,
    /// All open ones of this condition
    #[arg(long, value_name = "CONDITION", conflicts_with = "ids")]
    filter: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Until when, of a snooze
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// Whether it was of use.
#[derive(Debug, Args)]
struct FeedbackArgs {
    /// Its id, or as much of its beginning as names it
    id: String,
    /// yes or no
    #[arg(value_parser = ["yes", "no"])]
    useful: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// `grid recommend ledger`.
#[derive(Debug, Args)]
struct LedgerArgs {
    /// How it is written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

const ROUTE: &str = "/api/v1/recommendations";
/// Digits of an id that a table shows.
const ID_SHOWN: usize = 8;
const COLUMNS: Columns = &[
    ("id", "recommendation_id"),
    ("action", "action"),
    ("resource", "resource_id"),
    ("now", "present"),
    ("then", "proposed"),
    ("saves a month", "saving"),
    ("low", "saving_low"),
    ("high", "saving_high"),
    ("currency", "currency"),
    ("risk", "risk"),
    ("effort", "effort"),
    ("state", "state"),
];
const LEDGER: Columns = &[
    ("accepted", "accepted"),
    ("resource", "resource_id"),
    ("action", "action"),
    ("currency", "currency"),
    ("predicted a month", "predicted"),
    ("realised a month", "realised"),
    ("saved so far", "saved_so_far"),
    ("outcome", "outcome"),
];

/// Lists, or does what the verb says.
pub(crate) async fn run(file: Option<&Path>, args: RecommendArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    match args.verb {
        None => list(&config, &args.list).await,
        Some(Verb::Explain(a)) => explain(&config, &a).await,
        Some(Verb::Accept(a)) => decide(&config, "accept", &a).await,
        Some(Verb::Dismiss(a)) => decide(&config, "dismiss", &a).await,
        Some(Verb::Snooze(a)) => decide(&config, "snooze", &a).await,
        Some(Verb::Reopen(a)) => decide(&config, "reopen", &a).await,
        Some(Verb::Feedback(a)) => feedback(&config, &a).await,
        Some(Verb::Ledger(a)) => {
            let answer = ask(&config, &a.target, Method::GET, &format!("{ROUTE}/ledger"), None).await?;
            print(a.output, &answer, &answer["items"], LEDGER)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn list(config: &Config, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let limit = args.limit.to_string();
    let path = path_of(
        ROUTE,
        &[
            ("filter", args.filter.as_deref()),
            ("state", Some(&args.state)),
            ("sort", Some(&args.sort)),
            ("limit", Some(&limit)),
        ],
    );
    let answer = ask(config, &args.target, Method::GET, &path, None).await?;
    match args.output {
        ListFormat::Table => out::line(&table(&answer))?,
        // A list as JSON is an array.
        ListFormat::Json => out::line(&serde_json::to_string_pretty(&answer["items"])?)?,
        ListFormat::Csv => print(args.output, &answer, &answer["items"], COLUMNS)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

/// The end of a long name, which tells more than its beginning.
fn tail(name: &str) -> String {
    const SHOWN: usize = 34;
    let last = name.rsplit(['/', ':']).next().unwrap_or(name);
    let count = last.chars().count();
    if count <= SHOWN {
        last.to_owned()
    } else {
        format!("…{}", last.chars().skip(count - SHOWN + 1).collect::<String>())
    }
}

/// A table that people like to read: what to do first, money to the cent, risk in words of percent.
pub(super) fn table(answer: &Value) -> String {
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return "nothing to recommend; `grid jobs` says when that was looked at".to_owned();
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["", "what to do", "saves a month", "of", "risk in 7 days", "effort"]);
    for item in items {
        let (present, proposed) = (text(item, "present"), text(item, "proposed"));
        let name = tail(text(item, "resource_id"));
        let what = match text(item, "action") {
            "stop" => format!("stop {name} ({present})"),
            "rightsize" | "raise" | "spot" => format!("{name}: {present} -> {proposed}"),
            "schedule" => format!("{name} ({present}) only on {proposed}"),
            "release" => format!("release {name}"),
            "commit" => format!("commit {proposed}"),
            _ => format!("delete {} {name}", text(item, "resource_kind").replace('_', " ")),
        };
        let (low, high) = (text(item, "saving_low"), text(item, "saving_high"));
        let likely = format!("{} {}", money(text(item, "saving")), text(item, "currency"));
        let saves = if low == high { likely } else { format!("{likely} ({} to {})", money(low), money(high)) };
        let risk = item["risk"].as_f64().unwrap_or(0.0) * 100.0;
        let risk = if risk < 0.1 { "below 0.1%".to_owned() } else { format!("{risk:.1}%") };
        let id: String = text(item, "recommendation_id").chars().take(ID_SHOWN).collect();
        table.add_row([id, what, saves, money(text(item, "monthly_cost")), risk, text(item, "effort").to_owned()]);
    }
    for column in [2, 3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    let mut lines = vec![table.to_string()];
    for total in answer["totals"].as_array().into_iter().flatten() {
        lines.push(format!(
            "\n{} {}: {} a month of {} ({} to {})",
            total["count"].as_u64().unwrap_or(0),
            text(total, "currency"),
            money(text(total, "saving")),
            money(text(total, "monthly_cost")),
            money(text(total, "saving_low")),
            money(text(total, "saving_high")),
        ));
    }
    lines.push("\n`grid recommend explain ID` says why; accept, dismiss --reason TEXT, snooze decide".to_owned());
    lines.concat()
}

/// The whole id of a recommendation of which the beginning is known.
async fn whole_id(config: &Config, target: &TargetArgs, start: &str) -> anyhow::Result<String> {
    if start.len() >= 16 {
        return Ok(start.to_owned());
    }
    let path = path_of(ROUTE, &[("state", Some("all")), ("limit", Some("1000"))]);
    let answer = ask(config, target, Method::GET, &path, None).await?;
    let ids = answer["items"].as_array().into_iter().flatten().map(|i| text(i, "recommendation_id"));
    let found: Vec<&str> = ids.filter(|id| id.starts_with(start)).collect();
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => anyhow::bail!("no recommendation begins with {start:?}\nhint: `grid recommend --state all` lists them"),
        many => anyhow::bail!("{} recommendations begin with {start:?}: say more of it", many.len()),
    }
}

async fn explain(config: &Config, args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let id = whole_id(config, &args.target, &args.id).await?;
    let item = ask(config, &args.target, Method::GET, &format!("{ROUTE}/{}", segment(&id)), None).await?;
    if args.output != ListFormat::Table {
        out::line(&serde_json::to_string_pretty(&item)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let replay = item["replay"].as_object().cloned().unwrap_or_default();
    let replay: Vec<String> = replay.iter().map(|(k, v)| format!("{k} {v}")).collect();
    let evidence = item["evidence"].as_object().cloned().unwrap_or_default();
    let evidence: Vec<String> = evidence
        .iter()
        .map(|(k, v)| format!("{k} {}", v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
        .collect();
    let yes = |name: &str| if item[name].as_bool() == Some(true) { "yes" } else { "no" };
    let lines = [
        ("", text(&item, "title").to_owned()),
        ("state", format!("{} {}", text(&item, "state"), text(&item, "reason"))),
        ("resource", text(&item, "resource_id").to_owned()),
        ("costs a month", format!("{} {}", money(text(&item, "monthly_cost")), text(&item, "currency"))),
        (
            "saves a month",
            format!(
                "{} ({} to {}) {}",
                money(text(&item, "saving")),
                money(text(&item, "saving_low")),
                money(text(&item, "saving_high")),
                text(&item, "currency")
            ),
        ),
        ("risk in 7 days", format!("{:.2}%", item["risk"].as_f64().unwrap_or(0.0) * 100.0)),
        ("replay", replay.join(", ")),
        ("effort", text(&item, "effort").to_owned()),
        ("restart", yes("restart_needed").to_owned()),
        ("undo", format!("{}: {}", yes("rollback_possible"), text(&item, "rollback"))),
        ("hits", text(&item, "blast_radius").to_owned()),
        ("expires", text(&item, "expires_time").to_owned()),
        ("evidence", evidence.join(", ")),
        ("model", format!("{} {}", text(&item, "model"), item["version"])),
        ("query", format!("\n{}", text(&item, "query"))),
    ];
    let shown = lines.iter().filter(|(_, said)| !said.trim().is_empty());
    let shown: Vec<String> =
        shown.map(|(name, said)| format!("{name:<15} {}", said.trim_end()).trim_start().to_owned()).collect();
    out::line(&shown.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

async fn decide(config: &Config, verb: &str, args: &DecideArgs) -> anyhow::Result<ExitCode> {
    let mut ids = Vec::new();
    for start in &args.ids {
        ids.push(whole_id(config, &args.target, start).await?);
    }
    let body =
        json!({ "decision": verb, "ids": ids, "filter": args.filter, "reason": args.reason, "until": args.until });
    let answer = ask(config, &args.target, Method::POST, &format!("{ROUTE}/bulk"), Some(body)).await?;
    for item in answer["items"].as_array().into_iter().flatten() {
        out::line(&format!("{}: {}", text(item, "state"), text(item, "title")))?;
        let action = &item["action_taken"];
        if action.is_object() {
            let more = [text(action, "why"), text(action, "note")].into_iter().filter(|t| !t.is_empty());
            let more: Vec<&str> = more.collect();
            let release = action["release"].as_str().map(|r| format!(", release {r}")).unwrap_or_default();
            let (environment, state) = (text(action, "environment"), text(action, "state"));
            out::line(format!("  in {environment}: {state}{release}; {}", more.join("; ")).trim_end_matches("; "))?;
        } else if verb == "accept" {
            out::line("  no environment has this resource, or no field does it: it is yours to do")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn feedback(config: &Config, args: &FeedbackArgs) -> anyhow::Result<ExitCode> {
    let id = whole_id(config, &args.target, &args.id).await?;
    let body = json!({ "useful": args.useful == "yes", "reason": args.reason });
    let path = format!("{ROUTE}/{}/feedback", segment(&id));
    let item = ask(config, &args.target, Method::POST, &path, Some(body)).await?;
    out::line(&format!("noted: {}", text(&item, "title")))?;
    Ok(ExitCode::SUCCESS)
}
