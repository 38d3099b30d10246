//! `grid cost`: what things cost. One file per verb.

mod commitments;
mod allocate;
mod by;
mod document;
mod joins;

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
    }
}

/// Asks the API, and closes what was opened whatever comes.
async fn ask(
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
