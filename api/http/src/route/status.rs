//! What has arrived for the tenant, and how the server is.

use arrow::array::{Array as _, AsArray as _};
use arrow::compute::{max, min};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use axum::extract::State;
use axum::{Extension, Json as Reply};
use grid_analytics::SqlRequest;
use grid_guard::layer::Holds;
use grid_guard::{Caller, Tenants};
use grid_model::time::HOUR_NS;
use grid_model::{Scope, Table, TimeRange, Timestamp};
use grid_store::{Health, Snapshot};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::route::rfc3339;
use crate::state::ApiState;

/// Sources shown per kind.
const SOURCES_MAX: usize = 50;

/// What has arrived, and how the server is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    /// The tenant that this is about.
    tenant: String,
    /// Whether tenants that the caller may choose have data.
    other_tenants: bool,
    /// Every table, also those without rows.
    tables: Vec<TableStatus>,
    /// Series of the tenant.
    series: usize,
    /// Who has sent: services of logs and spans in the last hour that has any, jobs of metrics, datasets of bills.
    sources: Vec<Source>,
    /// The server.
    server: Server,
}

/// One table of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TableStatus {
    /// The table.
    table: &'static str,
    /// Rows at rest and buffered. Rows that a later write replaced count until compaction.
    rows: u64,
    /// Rows that are in no file yet.
    buffered_rows: u64,
    /// Bytes of its files.
    bytes: u64,
    /// Its files.
    files: usize,
    /// The earliest time of a row.
    first_time: Option<String>,
    /// The latest time of a row.
    last_time: Option<String>,
}

/// Somebody who sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Source {
    /// `logs`, `spans`, `metrics` or `bills`.
    kind: &'static str,
    /// The service, the job or the dataset.
    name: String,
    /// The latest time, if known.
    last_time: Option<String>,
}

/// The server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Server {
    /// The version of the binary.
    version: String,
    /// The commit it was built from.
    commit: Option<String>,
    /// When it started.
    started: String,
    /// `ok`, `degraded` or `read-only`.
    health: &'static str,
    /// Why it is degraded or read-only.
    reason: Option<String>,
    /// Whether callers need a token.
    authentication: bool,
    /// Where it listens, by protocol.
    endpoints: std::collections::BTreeMap<String, String>,
}

/// What has arrived for the tenant, and how the server is.
#[utoipa::path(get, path = "/api/v1/status", tag = "status",
    responses((status = 200, description = "The status.", body = Status)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Extension(holds): Extension<Holds>,
) -> Result<Reply<Status>, ApiError> {
    let snapshot = state.store.snapshot(&caller.tenant);
    let tables: Vec<Arrived> = Table::ALL.into_iter().map(|table| arrived(&snapshot, table)).collect();
    let others = state.store.tenants();
    let other_tenants = others.iter().any(|t| *t != caller.tenant && holds.0.contains(t));
    let mut sources = Vec::new();
    for a in &tables {
        sources.extend(senders(&state, &caller, a).await);
    }
    let imports = state.store.catalog().imports(&caller.tenant).await?;
    let mut datasets: Vec<Source> = Vec::new();
    for import in imports.iter().rev() {
        if datasets.len() < SOURCES_MAX && datasets.iter().all(|d| d.name != import.dataset) {
            let last_time = Some(rfc3339(import.started));
            datasets.push(Source { kind: "bills", name: import.dataset.clone(), last_time });
        }
    }
    sources.extend(datasets);
    let series = snapshot.series().len();
    Ok(Reply(Status {
        tenant: caller.tenant.to_string(),
        other_tenants,
        tables: tables.into_iter().map(Arrived::show).collect(),
        series,
        sources,
        server: server(&state, &holds),
    }))
}

fn server(state: &ApiState, holds: &Holds) -> Server {
    let (health, reason) = match state.store.health() {
        Health::Ok => ("ok", None),
        Health::Degraded { reason } => ("degraded", Some(reason)),
        Health::ReadOnly { reason } => ("read-only", Some(reason)),
    };
    // The reason may name paths, which are the operator's business.
    let reason = reason.filter(|_| holds.0 == Tenants::Any);
    Server {
        version: state.info.version.clone(),
        commit: state.info.commit.clone(),
        started: rfc3339(state.info.started),
        health,
        reason,
        authentication: state.guard.auth() == grid_guard::AuthMode::Tokens,
        endpoints: state.info.endpoints.iter().cloned().collect(),
    }
}

/// What a table holds, with times as times.
struct Arrived {
    table: Table,
    rows: u64,
    buffered_rows: u64,
    bytes: u64,
    files: usize,
    times: Option<(Timestamp, Timestamp)>,
}

impl Arrived {
    fn show(self) -> TableStatus {
        TableStatus {
            table: self.table.name(),
            rows: self.rows,
            buffered_rows: self.buffered_rows,
            bytes: self.bytes,
            files: self.files,
            first_time: self.times.map(|(first, _)| rfc3339(first)),
            last_time: self.times.map(|(_, last)| rfc3339(last)),
        }
    }

    fn saw(&mut self, first: Timestamp, last: Timestamp) {
        let (a, b) = self.times.unwrap_or((first, last));
        self.times = Some((a.min(first), b.max(last)));
    }
}

fn arrived(snapshot: &Snapshot, table: Table) -> Arrived {
    let mut a = Arrived { table, rows: 0, buffered_rows: 0, bytes: 0, files: 0, times: None };
    for file in snapshot.files(table) {
        a.rows += file.rows;
        a.bytes += file.bytes;
        a.files += 1;
        a.saw(file.min_time, file.max_time);
    }
    for batch in snapshot.buffered(table) {
        let rows = batch.num_rows() as u64;
        a.rows += rows;
        a.buffered_rows += rows;
        let times =
            batch.column_by_name(table.time_column()).and_then(|c| c.as_primitive_opt::<TimestampNanosecondType>());
        if let Some((first, last)) = times.and_then(|t| Some((min(t)?, max(t)?))) {
            a.saw(Timestamp(first), Timestamp(last));
        }
    }
    a
}

/// Who wrote into a table. A question of its own that may fail or take too long without spoiling the rest of the answer.
async fn senders(state: &ApiState, caller: &Caller, a: &Arrived) -> Vec<Source> {
    let Some((_, last)) = a.times else { return Vec::new() };
    let since = |column: &str| {
        format!(
            "SELECT service, CAST(max({column}) AS BIGINT) FROM {} WHERE service IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {SOURCES_MAX}",
            a.table.name()
        )
    };
    let (kind, query, range) = match a.table {
        Table::Logs | Table::Spans => {
            let hour = TimeRange { start: last.saturating_add(-HOUR_NS), end: last.saturating_add(1) };
            (a.table.name(), since(a.table.time_column()), hour)
        }
        Table::Series => {
            let job = "coalesce(labels['job'], labels['service_name'])";
            let query = format!(
                "SELECT {job}, count(*) FROM series WHERE {job} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {SOURCES_MAX}"
            );
            ("metrics", query, TimeRange::ALL)
        }
        _ => return Vec::new(),
    };
    let mut request = SqlRequest::new(caller.tenant.clone(), query);
    request.scope = Scope { tenant: caller.tenant.clone(), range };
    request.timeout = Some(state.limits.status_query_timeout);
    request.client = Some("status".to_owned());
    let answer = match state.engine.sql(request).await {
        Ok(answer) => answer.collect().await,
        Err(e) => Err(e),
    };
    let batches = match answer {
        Ok(batches) => batches,
        Err(error) => {
            tracing::warn!(table = a.table.name(), %error, "sources not listed");
            return Vec::new();
        }
    };
    let mut sources = Vec::new();
    for batch in &batches {
        let Ok(names) = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8) else { continue };
        let (names, times) = (names.as_string::<i32>(), batch.column(1).as_primitive_opt::<Int64Type>());
        for row in 0..batch.num_rows() {
            if names.is_null(row) {
                continue;
            }
            let time = times.filter(|_| kind != "metrics").map(|t| rfc3339(Timestamp(t.value(row))));
            sources.push(Source { kind, name: names.value(row).to_owned(), last_time: time });
        }
    }
    sources
}
