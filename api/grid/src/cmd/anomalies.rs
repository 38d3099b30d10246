//! `grid anomalies`: what was unusual, by incident; `grid capacity`: when something will be full or spent; `grid usage`: how things are used; `grid jobs`: who found that out.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use grid_insight::Job;
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{ListFormat, TargetArgs};
use crate::cmd::list::{Columns, print};
use crate::cmd::{ask, path_of, segment};
use crate::config::Config;
use crate::target::{self, Target};
use crate::unit::parse_time;
use crate::{clock, out, setup};

/// `grid anomalies`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AnomaliesArgs {
    /// What to say about one; lists them if absent
    #[command(subcommand)]
    verb: Option<AnomalyVerb>,
    /// Which are listed
    #[command(flatten)]
    list: FindingArgs,
}

/// What to say about anomalies.
#[derive(Debug, Subcommand)]
enum AnomalyVerb {
    /// Say whether one was worth telling (yes, no) or meant to be (planned); it changes what is told next
    Feedback(FeedbackArgs),
}

/// What is said.
#[derive(Debug, Args)]
struct FeedbackArgs {
    /// Its id, or as much of its beginning as names it
    id: String,
    /// yes, no or planned
    #[arg(value_parser = ["yes", "no", "planned"])]
    answer: String,
    /// Until when what is planned goes on
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// A note
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// Which findings are listed.
#[derive(Debug, Args)]
pub(crate) struct FindingArgs {
    /// A condition over their columns, such as "kind = 'errors' and score > 2"
    #[arg(long, value_name = "CONDITION")]
    filter: Option<String>,
    /// Only these states, with commas between: open, confirmed, dismissed, planned; or all
    #[arg(long, value_name = "STATES")]
    state: Option<String>,
    /// The column to order by; `-` before it turns the order round
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Most that are shown
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// How they are written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// `grid jobs`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct JobsArgs {
    /// What to do; lists them if absent
    #[command(subcommand)]
    verb: Option<JobsVerb>,
    /// How they are written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// What to do with jobs.
#[derive(Debug, Subcommand)]
enum JobsVerb {
    /// Run them over a directory that no server holds open; a server runs them by itself
    Run(RunArgs),
}

/// Which jobs run, over which data.
#[derive(Debug, Args)]
struct RunArgs {
    /// Only this one: signals, costs, capacity, patterns, recommend
    #[arg(long, value_name = "NAME")]
    job: Option<String>,
    /// Over the data up to this time, or `now`
    #[arg(long, value_name = "TIME", default_value = "now")]
    until: String,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

const ANOMALIES: Columns = &[
    ("id", "anomaly_id"),
    ("kind", "kind"),
    ("subject", "subject"),
    ("start", "start_time"),
    ("end", "end_time"),
    ("score", "score"),
    ("actual", "actual"),
    ("expected", "expected"),
    ("unit", "unit"),
    ("incident", "incident_id"),
    ("rank", "rank"),
    ("state", "state"),
    ("title", "title"),
];
const FORECASTS: Columns = &[
    ("kind", "kind"),
    ("subject", "subject"),
    ("current", "current"),
    ("limit", "limit"),
    ("unit", "unit"),
    ("earliest", "earliest"),
    ("expected", "expected"),
    ("latest", "latest"),
    ("title", "title"),
];
const PATTERNS: Columns = &[
    ("subject", "subject"),
    ("measure", "measure"),
    ("kind", "kind"),
    ("usual", "usual"),
    ("high", "high"),
    ("unit", "unit"),
    ("quiet h/week", "quiet_hours"),
    ("growth/week", "growth"),
    ("cluster", "cluster"),
    ("driver", "driver"),
    ("title", "title"),
];
const JOBS: Columns = &[
    ("job", "job"),
    ("looked at data until", "watermark"),
    ("ran", "started"),
    ("took ms", "elapsed_ms"),
    ("runs", "runs"),
    ("missed", "missed"),
    ("rows", "rows"),
    ("error", "error"),
];

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

fn path(route: &str, args: &FindingArgs) -> String {
    let limit = args.limit.to_string();
    path_of(
        route,
        &[
            ("filter", args.filter.as_deref()),
            ("state", args.state.as_deref()),
            ("sort", args.sort.as_deref()),
            ("limit", Some(&limit)),
        ],
    )
}

/// A time to the minute.
fn minute(text: &str) -> String {
    text.get(..16).map_or_else(|| text.to_owned(), |t| t.replace('T', " "))
}

/// Incidents for people: when, what caused it, and below it what was seen.
pub(super) fn incidents(answer: &Value) -> String {
    let mut lines = Vec::new();
    for incident in answer["items"].as_array().into_iter().flatten() {
        let end = incident["end_time"].as_str().map_or_else(|| "goes on".to_owned(), minute);
        lines.push(format!("{} to {end}  {}", minute(text(incident, "start_time")), text(incident, "cause")));
        for anomaly in incident["anomalies"].as_array().into_iter().flatten() {
            let id: String = text(anomaly, "anomaly_id").chars().take(8).collect();
            let state =
                Some(text(anomaly, "state")).filter(|s| *s != "open").map(|s| format!(" [{s}]")).unwrap_or_default();
            lines.push(format!("    {id}  {}{state}", text(anomaly, "title")));
        }
    }
    if lines.is_empty() {
        "nothing unusual; `grid jobs` says when that was looked at".to_owned()
    } else {
        lines.join("\n")
    }
}

/// `grid anomalies`.
pub(crate) async fn run(file: Option<&Path>, args: AnomaliesArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    if let Some(AnomalyVerb::Feedback(args)) = args.verb {
        return feedback(&config, &args).await;
    }
    let args = args.list;
    match args.output {
        ListFormat::Table => {
            let answer = ask(&config, &args.target, Method::GET, &path("/api/v1/incidents", &args), None).await?;
            out::line(&incidents(&answer))?;
        }
        ListFormat::Json => {
            let answer = ask(&config, &args.target, Method::GET, &path("/api/v1/anomalies", &args), None).await?;
            out::line(&serde_json::to_string_pretty(&answer["items"])?)?;
        }
        ListFormat::Csv => {
            let answer = ask(&config, &args.target, Method::GET, &path("/api/v1/anomalies", &args), None).await?;
            print(args.output, &answer, &answer["items"], ANOMALIES)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn feedback(config: &Config, args: &FeedbackArgs) -> anyhow::Result<ExitCode> {
    let mut id = args.id.clone();
    if id.len() < 16 {
        let all = ask(config, &args.target, Method::GET, "/api/v1/anomalies?limit=1000", None).await?;
        let ids: Vec<&str> = all["items"].as_array().into_iter().flatten().map(|i| text(i, "anomaly_id")).collect();
        let found: Vec<&&str> = ids.iter().filter(|i| i.starts_with(&args.id)).collect();
        match found.as_slice() {
            [one] => id = (**one).to_owned(),
            [] => bail!("no anomaly begins with {:?}\nhint: `grid anomalies` lists them", args.id),
            many => bail!("{} anomalies begin with {:?}: say more of it", many.len(), args.id),
        }
    }
    let body = json!({ "answer": args.answer, "until": args.until, "note": args.note });
    let route = format!("/api/v1/anomalies/{}/feedback", segment(&id));
    let item = ask(config, &args.target, Method::POST, &route, Some(body)).await?;
    out::line(&format!("{}: {}", text(&item, "state"), text(&item, "title")))?;
    Ok(ExitCode::SUCCESS)
}

/// `grid capacity`.
pub(crate) async fn capacity(file: Option<&Path>, args: FindingArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let answer = ask(&config, &args.target, Method::GET, &path("/api/v1/forecasts", &args), None).await?;
    let items = &answer["items"];
    match args.output {
        ListFormat::Table => {
            let titles: Vec<&str> = items.as_array().into_iter().flatten().map(|i| text(i, "title")).collect();
            let nothing = "nothing is known to fill up; `grid jobs` says when that was looked at".to_owned();
            out::line(&if titles.is_empty() { nothing } else { titles.join("\n") })?;
        }
        ListFormat::Json => out::line(&serde_json::to_string_pretty(items)?)?,
        ListFormat::Csv => print(args.output, &answer, items, FORECASTS)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `grid usage`.
pub(crate) async fn usage(file: Option<&Path>, args: FindingArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let answer = ask(&config, &args.target, Method::GET, &path("/api/v1/patterns", &args), None).await?;
    let items = &answer["items"];
    let is_empty = items.as_array().is_none_or(Vec::is_empty);
    match args.output {
        ListFormat::Json => out::line(&serde_json::to_string_pretty(items)?)?,
        ListFormat::Table if is_empty => {
            out::line("nothing has been measured for three days yet; `grid jobs` says when that was looked at")?;
        }
        other => print(other, &answer, items, PATTERNS)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `grid jobs`.
pub(crate) async fn jobs(file: Option<&Path>, args: JobsArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    if let Some(JobsVerb::Run(args)) = args.verb {
        return run_jobs(&config, &args).await;
    }
    let answer = ask(&config, &args.target, Method::GET, "/api/v1/jobs", None).await?;
    match args.output {
        ListFormat::Json => out::line(&serde_json::to_string_pretty(&answer["items"])?)?,
        other => print(other, &answer, &answer["items"], JOBS)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_jobs(config: &Config, args: &RunArgs) -> anyhow::Result<ExitCode> {
    let tenant = target::tenant(&args.target.tenant)?;
    let until = parse_time(&args.until, clock::now()).map_err(anyhow::Error::msg)?;
    let wanted: Vec<Job> = match &args.job {
        None => Job::ALL.into(),
        Some(name) => Job::ALL.into_iter().filter(|j| j.name() == name).collect(),
    };
    if wanted.is_empty() {
        let names = Job::ALL.map(Job::name).join(", ");
        bail!("there is no job {:?}\nhint: the jobs are {names}", args.job.as_deref().unwrap_or_default());
    }
    let Target::Directory(dir) = Target::resolve(&args.target, config)? else {
        bail!(
            "a server runs its jobs by itself\nhint: `grid jobs` shows when; name a directory that no server holds open with --data-dir"
        );
    };
    let store = target::open_existing(config, &dir).await?;
    let engine = Arc::new(setup::engine(config, &store)?);
    let insight = crate::watch::insight(&engine, &store);
    let mut failed = None;
    for job in wanted {
        match insight.run_until(&tenant, job, until).await {
            Ok(r) => {
                out::line(&format!(
                    "{}: {} rows{} in {:.1} s",
                    job.name(),
                    r.rows,
                    if r.changed { "" } else { ", as before" },
                    r.elapsed.as_secs_f64()
                ))?;
                for part in r.failed {
                    out::say(&format!("{}: {part}", job.name()));
                    failed = Some(anyhow::anyhow!("run the job {}: {part}", job.name()));
                }
            }
            Err(e) => {
                let code = e.code();
                let e = anyhow::Error::from(e).context(format!("run the job {} ({code})", job.name()));
                out::say(&format!("{e:#}"));
                failed = Some(e);
            }
        }
    }
    drop(insight);
    store.close().await.context("close the store")?;
    failed.map_or(Ok(ExitCode::SUCCESS), Err)
}
