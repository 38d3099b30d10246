//! `grid scale`: scaling policies.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::provision::{document, list};
use super::{ask, segment};
use crate::args::{ListFormat, TargetArgs};
use crate::cmd::list::Columns;
use crate::{out, setup};

const ROUTE: &str = "/api/v1/scaling";
const COLUMNS: Columns = &[
    ("policy", "name"),
    ("environment", "environment"),
    ("resource", "target"),
    ("field", "path"),
    ("min", "min"),
    ("max", "max"),
    ("dry run", "dry_run"),
];
const EXAMPLE: &str = "\
Example:
  grid scale simulate --policy web.json --input load.csv --serves 120 --hourly 0.096
with web.json:
  {\"name\": \"web\", \"min\": 2, \"max\": 20,
   \"triggers\": [{\"kind\": \"metric\", \"name\": \"load\", \"per_unit\": 100}]}
and load.csv with a time and a value per row, and a column `forecast` if there is one";

/// `grid scale`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct ScaleArgs {
    /// What to do
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What a policy would have done on a history: cost and unserved demand, beside one that only reacts
    Simulate(SimulateArgs),
    /// All policies
    List(ListArgs),
    /// Keep a policy; the field that it names is its own from then on
    Put(PutArgs),
    /// Drop a policy: its field is people's again
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
struct SimulateArgs {
    /// The policy (JSON or TOML)
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// CSV with a time and a value per row, evenly spaced
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Demand that one unit serves at most
    #[arg(long, value_name = "N")]
    serves: f64,
    /// What one costs an hour
    #[arg(long, value_name = "AMOUNT", default_value = "1")]
    hourly: String,
    /// How long one takes to start
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = crate::unit::parse_duration)]
    starts: std::time::Duration,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Of which environment
    #[arg(long = "env", value_name = "NAME")]
    environment: Option<String>,
    /// How they are written
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    /// Where environments are kept
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Args)]
struct PutArgs {
    /// The policy (JSON or TOML)
    file: PathBuf,
    /// Of which environment
    #[arg(long = "env", value_name = "NAME")]
    environment: String,
    /// Where environments are kept
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Args)]
struct DeleteArgs {
    /// Its name
    name: String,
    /// Of which environment
    #[arg(long = "env", value_name = "NAME")]
    environment: String,
    /// Where environments are kept
    #[command(flatten)]
    target: TargetArgs,
}

/// Does what the verb says.
pub(crate) async fn run(file: Option<&Path>, args: ScaleArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    match args.verb {
        Verb::Simulate(a) => simulate(&a)?,
        Verb::List(a) => {
            let parameters = [("environment", a.environment.as_deref())];
            let empty = "there are no scaling policies; `grid scale put FILE --env NAME` keeps one";
            list(&config, &a.target, ROUTE, &parameters, a.output, COLUMNS, empty).await?;
        }
        Verb::Put(a) => {
            let body = document(&a.file)?;
            let name = body["name"].as_str().context("the policy has no name")?.to_owned();
            let path = format!("{ROUTE}/{}/{}", segment(&a.environment), segment(&name));
            ask(&config, &a.target, Method::PUT, &path, Some(body)).await?;
            out::line(&format!("{name} is kept"))?;
        }
        Verb::Delete(a) => {
            let path = format!("{ROUTE}/{}/{}", segment(&a.environment), segment(&a.name));
            ask(&config, &a.target, Method::DELETE, &path, None).await?;
            out::line(&format!("{} is dropped", a.name))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Times and values of a file, and forecasts if it has some.
fn history(path: &Path) -> anyhow::Result<(u64, Vec<Option<f64>>, Option<Vec<Option<f64>>>)> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("read {}", path.display()))?;
    let titles = reader.headers()?.clone();
    let forecast_at = titles.iter().position(|t| t == "forecast");
    let (mut times, mut demand, mut forecast) = (Vec::new(), Vec::new(), Vec::new());
    let now = crate::clock::now();
    for record in reader.records() {
        let record = record?;
        let time = record.get(0).unwrap_or_default();
        times.push(crate::unit::parse_time(time, now).map_err(anyhow::Error::msg)?);
        let cell = |at: usize| record.get(at).and_then(|c| c.trim().parse::<f64>().ok());
        demand.push(cell(1));
        forecast.push(forecast_at.and_then(cell));
    }
    let [first, second, ..] = times.as_slice() else { bail!("{} has fewer than two rows", path.display()) };
    let step_ns = second.0.saturating_sub(first.0);
    if step_ns < 1_000_000_000 || times.windows(2).any(|w| w[1].0.saturating_sub(w[0].0) != step_ns) {
        bail!("{}: times must be evenly spaced, at least a second apart", path.display());
    }
    Ok((step_ns.unsigned_abs() / 1_000_000_000, demand, forecast_at.map(|_| forecast)))
}

fn simulate(a: &SimulateArgs) -> anyhow::Result<()> {
    let (step_s, demand, forecast) = history(&a.input)?;
    let body = json!({
        "policy": document(&a.policy)?, "step_s": step_s, "demand": demand, "forecast": forecast,
        "serves": a.serves, "hourly": a.hourly, "starts_s": a.starts.as_secs(),
    });
    let form: grid_desk::SimulateForm = serde_json::from_value(body).context("read the policy")?;
    let answer = grid_desk::play(&form)?;
    if a.output == ListFormat::Json {
        return Ok(out::line(&serde_json::to_string_pretty(&answer)?)?);
    }
    let rows = ["policy", "reactive"].map(|name| {
        let of = &answer[name];
        let unserved = of["unserved"].as_f64().unwrap_or(f64::NAN) * 100.0;
        json!({ "which": name, "cost": of["cost"], "unserved": format!("{unserved:.3}%"), "changes": of["changes"], "least": of["least"], "most": of["most"] })
    });
    const SHOWN: Columns = &[
        ("", "which"),
        ("cost", "cost"),
        ("unserved", "unserved"),
        ("changes", "changes"),
        ("least", "least"),
        ("most", "most"),
    ];
    let rows = Value::from(rows.to_vec());
    crate::cmd::list::print(a.output, &rows, &rows, SHOWN)
}
