//! `grid import`: files into tables, through the same decoders as the protocols.

mod bill;
mod prices;
mod send;
mod telemetry;

use std::path::Path;
use std::process::ExitCode;

use crate::args::ImportKind;

/// Imports files of one kind.
pub(crate) async fn run(file: Option<&Path>, kind: ImportKind) -> anyhow::Result<ExitCode> {
    match kind {
        ImportKind::Bill(args) => bill::run(file, args).await,
        ImportKind::Prices(args) => prices::run(file, args).await,
        ImportKind::Metrics(args) => telemetry::run(file, telemetry::Kind::Metrics, args, None).await,
        ImportKind::Logs(args) => telemetry::run(file, telemetry::Kind::Logs, args.common, args.service).await,
        ImportKind::Traces(args) => telemetry::run(file, telemetry::Kind::Traces, args, None).await,
    }
}
