//! Maintenance by hand. It all happens by itself too; this is for tests, for the impatient and before a backup.

use std::path::{Component, Path};

use axum::extract::State;
use axum::{Extension, Json as Reply};
use grid_guard::Caller;
use grid_guard::Tenants;
use grid_guard::layer::Holds;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::extract::Json;
use crate::state::ApiState;

/// What a flush did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Flushed {
    /// Rows that were buffered.
    rows: u64,
    /// Files written.
    files: usize,
    /// Bytes written.
    bytes: u64,
    /// The catalog's generation afterwards.
    generation: u64,
}

/// What a compaction did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Compacted {
    /// Files that went.
    files_in: usize,
    /// Files that came.
    files_out: usize,
    /// Rows merged.
    rows: u64,
    /// Bytes of the files that went.
    bytes_in: u64,
    /// Bytes of the files that came.
    bytes_out: u64,
}

/// What retention deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Expired {
    /// Files dropped as a whole.
    files_dropped: usize,
    /// Rows of those files.
    rows_dropped: u64,
    /// Rows deleted out of files that also hold younger ones.
    rows_rewritten: u64,
    /// Files deleted from disk.
    files_deleted: usize,
}

/// Where to back up to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupRequest {
    /// Name of a new folder under the server's folder for backups; by default the time. The API cannot write elsewhere.
    name: Option<String>,
}

/// What a backup holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackedUp {
    /// The folder on the server.
    path: String,
    /// Files copied.
    files: usize,
    /// Bytes copied.
    bytes: u64,
    /// The catalog's generation that it holds.
    generation: u64,
}

fn all_tenants(holds: &Holds, what: &'static str) -> Result<(), ApiError> {
    match holds.0 {
        Tenants::Any => Ok(()),
        Tenants::Only(_) => Err(ApiError::NeedsAllTenants(what)),
    }
}

/// Writes buffered rows to files now.
#[utoipa::path(post, path = "/api/v1/admin/flush", tag = "admin", responses((status = 200, description = "Done.", body = Flushed)))]
pub(crate) async fn flush(
    State(state): State<ApiState>,
    Extension(holds): Extension<Holds>,
) -> Result<Reply<Flushed>, ApiError> {
    all_tenants(&holds, "a flush")?;
    let r = state.store.flush().await?;
    Ok(Reply(Flushed { rows: r.rows, files: r.files, bytes: r.bytes, generation: r.generation }))
}

/// Merges small files now.
#[utoipa::path(post, path = "/api/v1/admin/compact", tag = "admin", responses((status = 200, description = "Done.", body = Compacted)))]
pub(crate) async fn compact(
    State(state): State<ApiState>,
    Extension(holds): Extension<Holds>,
) -> Result<Reply<Compacted>, ApiError> {
    all_tenants(&holds, "compaction")?;
    let r = state.store.compact().await?;
    Ok(Reply(Compacted {
        files_in: r.files_in,
        files_out: r.files_out,
        rows: r.rows,
        bytes_in: r.bytes_in,
        bytes_out: r.bytes_out,
    }))
}

/// Applies retention now.
#[utoipa::path(post, path = "/api/v1/admin/expire", tag = "admin", responses((status = 200, description = "Done.", body = Expired)))]
pub(crate) async fn expire(
    State(state): State<ApiState>,
    Extension(holds): Extension<Holds>,
) -> Result<Reply<Expired>, ApiError> {
    all_tenants(&holds, "retention")?;
    let r = state.store.expire().await?;
    Ok(Reply(Expired {
        files_dropped: r.files_dropped,
        rows_dropped: r.rows_dropped,
        rows_rewritten: r.rows_rewritten,
        files_deleted: r.files_deleted,
    }))
}

/// Copies everything acknowledged so far into a new folder on the server.
#[utoipa::path(post, path = "/api/v1/admin/backup", tag = "admin", request_body = BackupRequest,
    responses((status = 200, description = "Done.", body = BackedUp)))]
pub(crate) async fn backup(
    State(state): State<ApiState>,
    Extension(holds): Extension<Holds>,
    caller: Caller,
    Json(request): Json<BackupRequest>,
) -> Result<Reply<BackedUp>, ApiError> {
    all_tenants(&holds, "a backup")?;
    let name = request.name.unwrap_or_else(|| format!("{}", (state.clock)()).replace(':', "-"));
    let mut parts = Path::new(&name).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) || name.contains('\\') {
        return Err(ApiError::Parameter(format!("name is {name:?}, it must be one folder's name")));
    }
    let path = state.backup_dir.join(&name);
    if path.exists() {
        return Err(ApiError::Parameter(format!("there is a backup {name:?} already")));
    }
    tracing::info!(path = %path.display(), by = %caller.subject, "back up");
    let r = state.store.backup(&path).await?;
    if let Some(desk) = &state.desk {
        desk.copy_to(&path.join(grid_desk::FILE_NAME)).await?;
    }
    if let Some(notifier) = &state.notifier {
        notifier.copy_to(&path.join(grid_notify::FILE_NAME)).await?;
    }
    Ok(Reply(BackedUp { path: path.display().to_string(), files: r.files, bytes: r.bytes, generation: r.generation }))
}
