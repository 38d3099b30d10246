//! `grid serve`: receive, store, answer, until told to stop.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use tracing::info;

use crate::args::ServeArgs;
use crate::shutdown::Signals;
use crate::{setup, wire};

/// Runs the server.
pub(crate) async fn run(file: Option<&Path>, args: ServeArgs, started: Instant) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, args.settings())?;
    let mut signals = Signals::catch()?;
    let mut observed = wire::observe(&config)?;
    let sockets = wire::Sockets::bind(&config).await?;
    let rooms = tokio::select! {
        rooms = wire::Rooms::open(&config) => rooms?,
        signal = signals.next() => {
            info!(signal, "stopped while opening; nothing was changed that a start does not repeat");
            return Ok(ExitCode::SUCCESS);
        }
    };
    observed.receive(&rooms.store);
    wire::serve(&config, rooms, sockets, observed, signals, started).await?;
    Ok(ExitCode::SUCCESS)
}
