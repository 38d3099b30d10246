//! `grid cost`: what things cost. One file per verb.

mod commitments;

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
}

/// Does what the verb says.
pub(crate) async fn run(file: Option<&Path>, command: CostCommand) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    match command {
        CostCommand::Commitments(command) => commitments::run(&config, command).await,
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
