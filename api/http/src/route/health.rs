//! Whether the process lives and whether it can work.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use grid_store::Health;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::ApiState;

/// How long the catalog may take to answer.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alive {
    /// Always `ok`; a dead process does not answer.
    status: &'static str,
    /// The version of the binary.
    version: String,
}

/// Whether the server can work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready`, `degraded` (it works, but something in the background fails and is tried again) or `not ready`.
    status: &'static str,
    /// What was looked at.
    checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// `wal`, `catalog`, `writes`, `files` or `drain`.
    name: &'static str,
    /// Whether it is well.
    ok: bool,
    /// What was found.
    detail: String,
}

/// Whether the process lives. Looks at nothing, so that a restart is never caused by a slow disk.
#[utoipa::path(get, path = "/healthz", tag = "health",
    responses((status = 200, description = "It does.", body = Alive)))]
pub(crate) async fn healthz(State(state): State<ApiState>) -> Json<Alive> {
    Json(Alive { status: "ok", version: state.info.version.clone() })
}

/// Whether the server can take and answer requests: log replayed, catalog open, writes possible, not shutting down.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "It can.", body = Readiness),
        (status = 503, description = "It cannot; the checks say why.", body = Readiness)))]
pub(crate) async fn readyz(State(state): State<ApiState>) -> Response {
    let r = state.store.recovery();
    let mut checks = vec![Check {
        name: "wal",
        ok: true,
        detail: format!("replayed {} rows of {} records in {} segments", r.rows, r.records, r.segments),
    }];
    checks.push(match tokio::time::timeout(CATALOG_TIMEOUT, state.store.catalog().retention()).await {
        Ok(Ok(_)) => Check { name: "catalog", ok: true, detail: "open".to_owned() },
        Ok(Err(e)) => Check { name: "catalog", ok: false, detail: e.to_string() },
        Err(_) => Check { name: "catalog", ok: false, detail: format!("no answer within {CATALOG_TIMEOUT:?}") },
    });
    checks.push(match state.store.health() {
        Health::Ok | Health::Degraded { .. } => Check { name: "writes", ok: true, detail: "possible".to_owned() },
        Health::ReadOnly { reason } => {
            Check { name: "writes", ok: false, detail: format!("read-only, queries still work: {reason}") }
        }
    });
    if state.is_draining() {
        checks.push(Check { name: "drain", ok: false, detail: "the server is shutting down".to_owned() });
    }
    let ready = checks.iter().all(|c| c.ok);
    let mut status = if ready { "ready" } else { "not ready" };
    if let Health::Degraded { reason } = state.store.health() {
        checks.push(Check { name: "files", ok: false, detail: reason });
        status = if ready { "degraded" } else { status };
    }
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Readiness { status, checks })).into_response()
}
