//! Grid: telemetry, cloud bills and provisioning in one binary. This crate wires the rooms together and holds the verbs.
//!
//! Reading order: [`args`] and [`config`] (what the user says), [`wire`] (how the rooms fit), [`shutdown`] (how they end),
//! [`cmd`] (the verbs).
//!
//! Architecture invariants:
//! - Only this crate sees all rooms; only [`clock`] reads the wall clock.
//! - Data goes to stdout, everything else to stderr.
//! - No secret is read from a flag.

mod args;
mod config;
mod setup;
mod wire;
mod listen;
mod bills;
mod prices;
mod local;
mod loops;
mod watch;
mod rules;
mod scraping;
mod alerting;
mod provisioning;
mod handover;
mod shutdown;
mod telemetry;
mod log;
mod target;
mod client;
mod cmd;
mod demo;
mod clock;
mod memory;
mod unit;
mod out;
mod progress;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

/// How long blocking work that nobody waits for may hold up the end of the process.
const STRAGGLERS: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let started = std::time::Instant::now();
    memory::tune();
    let args = args::Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            out::say(&format!("error: start the runtime: {e}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(cmd::run(args, started));
    runtime.shutdown_timeout(STRAGGLERS);
    match outcome {
        Ok(code) => code,
        Err(e) => {
            let told_in_full = e.downcast_ref::<config::ConfigErrors>().is_some();
            out::say(&if told_in_full { format!("{e}") } else { format!("error: {e:#}") });
            ExitCode::FAILURE
        }
    }
}
