//! `bench`: what Grid takes in per CPU-second, needs at rest and answers how fast, beside its peers in the same run.
//!
//! `bench [--quick] [--write] [--rounds N] [PART...]` runs the named parts, or all. Reading order: [`context`] (what a part gets),
//! [`system`] (the servers and what they used), [`load`] (how bodies are sent), [`data`] (what they say), [`part`] (the
//! measurements), [`report`] (tables and `docs/benchmarks.md`).
//!
//! Rules of measuring:
//! - Bodies are encoded before the clock starts, so the sender is not what is measured; every system gets the same bodies over
//!   the same number of connections, in the same order per series.
//! - The figure is CPU-seconds of the server alone (user and system), because sender and server share the machine.
//! - Systems run with their defaults. Grid syncs before it answers; no peer does.
//! - A peer that is not here is said and skipped; a figure is noted for the scorecard only in a run of full size.
#![allow(clippy::print_stdout, reason = "a command that prints tables")]

mod context;
mod system;
mod load;
mod data;
mod part;
mod report;

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::report::Report;

fn main() -> anyhow::Result<ExitCode> {
    let (context, parts, write) = arguments(std::env::args().skip(1))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(context.cores.max(2)).enable_all().build()?;
    runtime.block_on(run(&context, &parts, write))
}

fn arguments(mut args: impl Iterator<Item = String>) -> anyhow::Result<(Context, Vec<String>, bool)> {
    let (mut context, mut parts, mut write) = (Context::new(), Vec::new(), false);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => context.quick = true,
            "--write" => write = true,
            "--rounds" => context.rounds = args.next().context("--rounds needs a number")?.parse()?,
            "--keep" => context.keep = Some(args.next().context("--keep needs a folder")?.into()),
            name if part::NAMES.contains(&name) => parts.push(arg),
            other => bail!("no part {other:?}; there are {}", part::NAMES.join(", ")),
        }
    }
    if parts.is_empty() {
        parts = part::NAMES.map(str::to_owned).to_vec();
    }
    Ok((context, parts, write))
}

async fn run(context: &Context, parts: &[String], write: bool) -> anyhow::Result<ExitCode> {
    let mut report = Report::new(context).await?;
    println!("{}\n", report.machine());
    let mut failed = Vec::new();
    for name in parts {
        match part::run(name, context).await {
            Ok(section) => {
                println!("{section}");
                report.push(section);
            }
            // A part that fails must not cost the others their figures.
            Err(e) => {
                println!("part {name} failed: {e:#}\n");
                failed.push(name.clone());
            }
        }
    }
    if write {
        let path = report.write()?;
        println!("written: {}", path.display());
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
