//! `grid cost budget`: budgets as code or one by one, and a check whose exit code a pipeline understands.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use grid_api::finance::budget::{BudgetSetting, ThresholdSetting};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::flat::{Format, print};
use super::{path_of, segment};
use crate::args::TargetArgs;
use crate::config::Config;
use crate::local::Api;
use crate::out;

/// What a check ends with if a budget does not hold: neither 0, nor 1 (an error), nor 2 (a wrong command line).
const NOT_HELD: u8 = 3;
/// Longest file of budgets.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// `grid cost budget VERB`.
#[derive(Debug, Subcommand)]
pub(crate) enum BudgetCommand {
    /// Show budgets and how they stand
    List(ListArgs),
    /// Set one budget, or all of a file
    Set(Box<SetArgs>),
    /// Delete a budget; its history stays
    Delete {
        /// Which
        name: String,
        /// Where the data is
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Exit with 3 if a budget does not hold; for pipelines
    Check(CheckArgs),
}

/// `grid cost budget list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The day on which budgets are judged [default: today]
    #[arg(long, value_name = "DAY")]
    on: Option<String>,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// `grid cost budget set`.
#[derive(Debug, Args)]
#[command(
    after_help = "A file holds one [[budget]] per budget, with the same fields: name, amount, currency, period, filter, ..."
)]
pub(crate) struct SetArgs {
    /// Its name: lower case letters, digits, `-`, `_`, `.`
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    name: Option<String>,
    /// A file of budgets (TOML)
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Delete the budgets that the file does not name
    #[arg(long, requires = "file")]
    prune: bool,
    /// How much may be spent in a period
    #[arg(long, value_name = "AMOUNT", required_unless_present = "file")]
    amount: Option<String>,
    /// In which currency
    #[arg(long, value_name = "CODE", required_unless_present = "file")]
    currency: Option<String>,
    /// month, quarter, year, custom
    #[arg(long, value_name = "PERIOD")]
    period: Option<String>,
    /// First day of a custom period
    #[arg(long, value_name = "DAY")]
    start: Option<String>,
    /// Last day of a custom period
    #[arg(long, value_name = "DAY")]
    end: Option<String>,
    /// First month of the fiscal year
    #[arg(long, value_name = "MONTH")]
    fiscal_start: Option<u32>,
    /// Whether it holds against charges (default) or allocations
    #[arg(long, value_name = "TABLE")]
    of: Option<String>,
    /// Which of them count, as in WHERE: "tags['team'] = 'shop'"
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Which cost counts: effective, billed, contracted, list
    #[arg(long, value_name = "COST")]
    cost: Option<String>,
    /// When to speak up: 80 or 80:actual, 100:forecast; may be repeated
    #[arg(long = "threshold", value_name = "PERCENT[:OF]")]
    thresholds: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// `grid cost budget check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Which budgets [default: all]
    names: Vec<String>,
    /// From which state on a budget does not hold
    #[arg(long, value_enum, default_value_t = FailOn::Exceeded)]
    fail_on: FailOn,
    /// The day on which budgets are judged [default: today]
    #[arg(long, value_name = "DAY")]
    on: Option<String>,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Where the data is
    #[command(flatten)]
    target: TargetArgs,
}

/// What a check minds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A threshold that is crossed, too
    AtRisk,
    /// More spent than the amount
    Exceeded,
}

/// `budgets.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetFile {
    #[serde(default)]
    budget: Vec<BudgetSetting>,
}

const ROUTE: &str = "/api/v1/budgets";
const COLUMNS: [&str; 9] =
    ["name", "state", "period", "currency", "amount", "spent", "spent_percent", "forecast", "forecast_percent"];

/// Does what the verb says.
pub(super) async fn run(config: &Config, command: BudgetCommand) -> anyhow::Result<ExitCode> {
    match command {
        BudgetCommand::List(args) => {
            let found = statuses(config, &args.target, args.on.as_deref()).await?;
            print(&found, Some(&COLUMNS), args.output)?;
            Ok(ExitCode::SUCCESS)
        }
        BudgetCommand::Set(args) => set(config, &args).await,
        BudgetCommand::Delete { name, target } => {
            super::ask(config, &target, Method::DELETE, &format!("{ROUTE}/{}", segment(&name)), None).await?;
            out::say(&format!("budget {name} is gone"));
            Ok(ExitCode::SUCCESS)
        }
        BudgetCommand::Check(args) => check(config, &args).await,
    }
}

async fn statuses(config: &Config, target: &TargetArgs, on: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let path = path_of(ROUTE, &[("limit", Some("1000")), ("on", on)]);
    let answer = super::ask(config, target, Method::GET, &path, None).await?;
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    Ok(items.into_iter().map(|mut item| item["status"].take()).collect())
}

async fn set(config: &Config, args: &SetArgs) -> anyhow::Result<ExitCode> {
    let settings = match &args.file {
        Some(file) => read(file)?,
        None => vec![one(args)?],
    };
    // All are checked before the first is written: a file is taken whole or not at all.
    for setting in &settings {
        setting.check().map_err(|e| anyhow::Error::msg(e.to_string()))?;
    }
    let api = Api::open(&args.target, config).await?;
    let done = write(&api, &settings, args.prune).await;
    api.close().await?;
    done?;
    Ok(ExitCode::SUCCESS)
}

async fn write(api: &Api, settings: &[BudgetSetting], prune: bool) -> anyhow::Result<()> {
    for setting in settings {
        let body = serde_json::to_value(setting).context("write the budget")?;
        let kept = api.send(Method::PUT, &format!("{ROUTE}/{}", segment(&setting.name)), Some(&body)).await?;
        out::say(&format!("budget {}: version {}", setting.name, kept["version"]));
    }
    if prune {
        let named: BTreeSet<&str> = settings.iter().map(|s| s.name.as_str()).collect();
        let all = api.send(Method::GET, &format!("{ROUTE}?limit=1000"), None).await?;
        for name in all["items"].as_array().into_iter().flatten().filter_map(|i| i["name"].as_str()) {
            if !named.contains(name) {
                api.send(Method::DELETE, &format!("{ROUTE}/{}", segment(name)), None).await?;
                out::say(&format!("budget {name} is gone"));
            }
        }
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Vec<BudgetSetting>> {
    let size = std::fs::metadata(file).with_context(|| format!("read {}", file.display()))?.len();
    if size > FILE_BYTES_MAX {
        bail!("{} has {size} bytes, more than {FILE_BYTES_MAX}", file.display());
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let parsed: BudgetFile = toml::from_str(&text).with_context(|| format!("read {}", file.display()))?;
    if parsed.budget.is_empty() {
        bail!("{} holds no [[budget]]", file.display());
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = parsed.budget.iter().find(|b| !names.insert(b.name.as_str())) {
        bail!("{} names the budget {:?} twice", file.display(), twice.name);
    }
    Ok(parsed.budget)
}

fn one(args: &SetArgs) -> anyhow::Result<BudgetSetting> {
    let mut thresholds = Vec::new();
    for text in &args.thresholds {
        let (percent, of) = text.split_once(':').unwrap_or((text, "actual"));
        let Ok(percent) = percent.trim_end_matches('%').parse() else {
            bail!("--threshold {text:?}: write 80, 80:actual or 100:forecast");
        };
        thresholds.push(ThresholdSetting { percent, of: of.to_owned() });
    }
    Ok(BudgetSetting {
        name: args.name.clone().unwrap_or_default(),
        description: args.description.clone(),
        amount: args.amount.clone().unwrap_or_default(),
        currency: args.currency.clone().unwrap_or_default(),
        period: args.period.clone(),
        start: args.start.clone(),
        end: args.end.clone(),
        fiscal_start: args.fiscal_start,
        of: args.of.clone(),
        filter: args.filter.clone(),
        cost: args.cost.clone(),
        thresholds: (!thresholds.is_empty()).then_some(thresholds),
    })
}

async fn check(config: &Config, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let mut found = statuses(config, &args.target, args.on.as_deref()).await?;
    let name = |status: &Value| status["name"].as_str().unwrap_or_default().to_owned();
    if let Some(missing) = args.names.iter().find(|n| found.iter().all(|s| name(s) != **n)) {
        bail!("there is no budget {missing:?}; `grid cost budget list` shows all");
    }
    if !args.names.is_empty() {
        found.retain(|s| args.names.contains(&name(s)));
    }
    print(&found, Some(&COLUMNS), args.output)?;
    let minded: &[&str] = match args.fail_on {
        FailOn::AtRisk => &["at_risk", "exceeded"],
        FailOn::Exceeded => &["exceeded"],
    };
    let broken: Vec<String> =
        found.iter().filter(|s| s["state"].as_str().is_some_and(|s| minded.contains(&s))).map(name).collect();
    if broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    out::say(&format!("does not hold: {}", broken.join(", ")));
    Ok(ExitCode::from(NOT_HELD))
}
