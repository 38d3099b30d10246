//! The verbs, one file each.

mod serve;
mod demo;
mod query;
mod promql;
mod rules;
mod detect;
mod forecast;
pub(crate) mod anomalies;
pub(crate) mod recommend;
pub(crate) mod resource;
mod provision;
pub(crate) mod env;
pub(crate) mod plan;
pub(crate) mod release;
pub(crate) mod scale;
mod patterns;
mod backtest;
mod import;
pub(crate) mod cost;
mod prices;
mod list;
mod export;
pub(crate) mod alert;
mod token;
mod retention;
mod delete;
mod maintain;
mod doctor;
mod settings;
mod grafana;
mod explain;

use std::process::ExitCode;
use std::time::Instant;

use clap::CommandFactory as _;

use cost::{ask, path_of, segment};

use crate::args::{Args, Command};
use crate::{log, out};

/// Does what the command line says. `started` is when the process began.
pub(crate) async fn run(args: Args, started: Instant) -> anyhow::Result<ExitCode> {
    let file = args.config.as_deref();
    if !matches!(args.command, Command::Serve(_) | Command::Demo(_)) {
        log::start_quiet();
    }
    match args.command {
        Command::Serve(a) => Box::pin(serve::run(file, a, started)).await,
        Command::Demo(a) => Box::pin(demo::run(file, a, started)).await,
        Command::Query(a) => Box::pin(query::run(file, a)).await,
        Command::Promql(a) => Box::pin(promql::run(file, a)).await,
        Command::Rules(a) => tokio::task::spawn_blocking(move || rules::run(&a)).await?,
        Command::Detect(a) => detect::run(&a),
        Command::Forecast(a) => forecast::run(&a),
        Command::Anomalies(a) => Box::pin(anomalies::run(file, a)).await,
        Command::Capacity(a) => Box::pin(anomalies::capacity(file, a)).await,
        Command::Usage(a) => Box::pin(anomalies::usage(file, a)).await,
        Command::Recommend(a) => Box::pin(recommend::run(file, a)).await,
        Command::Jobs(a) => Box::pin(anomalies::jobs(file, a)).await,
        Command::Resource(a) => resource::run(&a),
        Command::Env(a) => Box::pin(env::run(file, a)).await,
        Command::Plan(a) => Box::pin(plan::run(file, a)).await,
        Command::Release(a) => Box::pin(release::run(file, a)).await,
        Command::Scale(a) => Box::pin(scale::run(file, a)).await,
        Command::Patterns(a) => patterns::run(&a),
        Command::Backtest(a) => backtest::run(&a),
        Command::Import(a) => Box::pin(import::run(file, a)).await,
        Command::Cost(a) => Box::pin(cost::run(file, a)).await,
        Command::Prices(a) => Box::pin(prices::run(file, a)).await,
        Command::Export(a) => Box::pin(export::run(file, a)).await,
        Command::Alert(a) => Box::pin(alert::run(file, a)).await,
        Command::Token(a) => token::run(file, a).await,
        Command::Retention(a) => retention::run(file, a).await,
        Command::Delete(a) => Box::pin(delete::run(file, a)).await,
        Command::Compact(a) => maintain::compact(file, a).await,
        Command::Backup(a) => maintain::backup(file, a).await,
        Command::Restore(a) => maintain::restore(&a),
        Command::Doctor(a) => Box::pin(doctor::run(file, a)).await,
        Command::Config(a) => settings::run(file, &a),
        Command::Grafana(a) => grafana::run(&a),
        Command::Explain(a) => explain::run(&a),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "grid", &mut script);
            out::bytes(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
