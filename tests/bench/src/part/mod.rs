//! The measurements. Each answers a table; each can be run alone.

mod ingest;
mod series;
mod logs;
mod spans;
mod bills;
mod allocation;
mod size;
mod queries;
mod promql;
mod start;
mod memory;
mod files;

use anyhow::bail;

use crate::context::Context;
use crate::report::Section;

/// The parts, in the order in which they run.
pub(crate) const NAMES: [&str; 14] = [
    "ingest",
    "series",
    "logs",
    "spans",
    "bills",
    "allocation",
    "size",
    "queries",
    "promql",
    "promql_wide",
    "promql_million",
    "start",
    "memory",
    "files",
];

/// Measures one part.
pub(crate) async fn run(name: &str, context: &Context) -> anyhow::Result<Section> {
    match name {
        "ingest" => Box::pin(ingest::run(context)).await,
        "series" => Box::pin(series::run(context)).await,
        "logs" => Box::pin(logs::run(context)).await,
        "spans" => Box::pin(spans::run(context)).await,
        "bills" => Box::pin(bills::run(context)).await,
        "allocation" => Box::pin(allocation::run(context)).await,
        "size" => Box::pin(size::run(context)).await,
        "queries" => Box::pin(queries::run(context)).await,
        "promql" => Box::pin(promql::twelve(context)).await,
        "promql_wide" => Box::pin(promql::wide(context)).await,
        "promql_million" => Box::pin(promql::million(context)).await,
        "start" => Box::pin(start::run(context)).await,
        "memory" => Box::pin(memory::run(context)).await,
        "files" => Box::pin(files::run(context)).await,
        other => bail!("no part {other:?}"),
    }
}
