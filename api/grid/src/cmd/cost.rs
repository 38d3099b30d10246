//! `grid cost`: what things cost. One file per verb.

mod commitments;
mod allocate;
mod by;
mod document;
mod joins;
mod report;
mod estimate;
mod over_time;
mod budget;
mod flat;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use crate::local::Api;
use crate::setup;

/// `grid cost VERB`.
#[derive(Debug, Subcommand)]
pub(crate) enum CostCommand {
    /// Reservations, savings plans, committed use: what they did, what to buy, when they end
    #[command(subcommand)]
    Commitments(commitments::CommitmentsCommand),
    /// Say who pays for what: bring `allocations` up to date and reconcile it with the bills
    Allocate(allocate::AllocateArgs),
    /// Sum costs by any dimensions
    By(by::ByArgs),
    /// Which billed resources telemetry knows, and the money behind each gap
    Joins(joins::JoinsArgs),
    /// The rules that allocate costs (allocation.toml)
    #[command(subcommand)]
    Rules(document::DocumentCommand),
    /// Other names of resources (CSV: name,resource,from,until)
    #[command(subcommand)]
    Aliases(document::DocumentCommand),
    /// Exchange rates for reports (CSV: date,from,to,rate,source)
    #[command(subcommand)]
    Rates(document::DocumentCommand),
    /// What a plan or a folder of .tf files will cost before it is deployed
    Estimate(Box<estimate::EstimateArgs>),
    /// What a period cost, why that changed, where the month ends, whether budgets hold
    Report(report::ReportArgs),
    /// Costs by day, week, month, quarter or year
    Trend(over_time::TrendArgs),
    /// Where the month, quarter or year will end
    Forecast(over_time::ForecastArgs),
    /// Why costs differ from those of another period
    Variance(over_time::VarianceArgs),
    /// What the days cost for which no bill has come yet
    Provisional(over_time::ProvisionalArgs),
    /// Budgets: list, set, delete, check
    #[command(subcommand)]
    Budget(budget::BudgetCommand),
}

/// Does what the verb says.
pub(crate) async fn run(file: Option<&Path>, command: CostCommand) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    match command {
        CostCommand::Commitments(command) => commitments::run(&config, command).await,
        CostCommand::Allocate(args) => allocate::run(&config, &args).await,
        CostCommand::By(args) => by::run(&config, &args).await,
        CostCommand::Joins(args) => joins::run(&config, &args).await,
        CostCommand::Rules(command) => document::run(&config, document::Subject::Rules, command).await,
        CostCommand::Aliases(command) => document::run(&config, document::Subject::Aliases, command).await,
        CostCommand::Rates(command) => document::run(&config, document::Subject::Rates, command).await,
        CostCommand::Estimate(args) => estimate::run(&config, &args).await,
        CostCommand::Report(args) => report::run(&config, &args).await,
        CostCommand::Trend(args) => over_time::trend(&config, &args).await,
        CostCommand::Forecast(args) => over_time::forecast(&config, &args).await,
        CostCommand::Variance(args) => over_time::variance(&config, &args).await,
        CostCommand::Provisional(args) => over_time::provisional(&config, &args).await,
        CostCommand::Budget(command) => budget::run(&config, command).await,
    }
}

/// Asks the API, and closes what was opened whatever comes.
pub(super) async fn ask(
    config: &crate::config::Config,
    target: &crate::args::TargetArgs,
    method: reqwest::Method,
    path: &str,
    body: Option<serde_json::Value>,
) -> anyhow::Result<serde_json::Value> {
    let api = Api::open(target, config).await?;
    let answer = api.send(method, path, body.as_ref()).await;
    api.close().await?;
    answer
}

/// A path with the parameters that were given.
pub(super) fn path_of(route: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { route.to_owned() } else { format!("{route}?{query}") }
}

/// A name as a part of a path.
pub(super) fn segment(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}
