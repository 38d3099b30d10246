//! Bills: uploaded, listed, reconciled.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Json as Reply;
use axum::body::HttpBody as _;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use grid_guard::{BodyError, Caller};
use grid_store::catalog::{ImportRecord, ImportReject};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Params, Segment, media_type};
use crate::importer::{BillFile, BillUpload};
use crate::page::{PageParams, cut};
use crate::route::conformance::{self, Conformance};
use crate::route::rfc3339;
use crate::state::ApiState;

/// How to read an upload. With multipart the same names may come as parts.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParams {
    /// Name of the export within its source; the same for every period of it. Derived from the file's name if absent.
    #[param(example = "acme-focus")]
    pub dataset: Option<String>,
    /// `focus`, `aws-cur`, `azure`, `gcp`, or `auto` to recognise it.
    pub format: Option<String>,
    /// A mapping file (TOML) that says what the columns of another bill mean; best sent as a part of a form.
    pub mapping: Option<String>,
    /// Name of the file, if the body is the file itself.
    #[param(example = "focus-2026-10.csv.gz")]
    pub name: Option<String>,
    /// Version of the export's manifest; a newer one replaces its accounts and periods.
    pub manifest_version: Option<String>,
    /// Replace what is stored for the same dataset, accounts and periods.
    #[serde(default)]
    pub restate: bool,
    /// Read and reconcile only; store nothing.
    #[serde(default)]
    pub check: bool,
}

/// One import with its reconciliation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Import {
    /// The same for the same tenant, dataset and files.
    id: String,
    /// Format of the source.
    #[schema(example = "focus")]
    format: String,
    /// Name of the export within its source.
    dataset: String,
    /// `current`; `superseded` if later imports replaced all of its rows.
    #[schema(example = "current")]
    state: &'static str,
    /// When it began.
    started: String,
    /// Version of the manifest that listed its files.
    manifest_version: Option<String>,
    /// Rows of the source.
    rows_source: u64,
    /// Rows stored.
    rows_stored: u64,
    /// Rows rejected.
    rows_rejected: u64,
    /// Source = stored + residual + rejected + left out, exactly, for each currency.
    reconciliation: Vec<Reconciliation>,
    /// Its files.
    files: Vec<ImportedFile>,
    /// The accounts and periods in which it has rows.
    periods: Vec<Period>,
    /// What does not conform but cost no row.
    notes: Vec<Note>,
}

/// The reconciliation of one currency's billed cost. Amounts are exact decimals as strings.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Reconciliation {
    /// The currency; empty for rows that name none.
    #[schema(example = "USD")]
    currency: String,
    /// Sum over the source.
    #[schema(example = "1.68230869740")]
    source: String,
    /// Sum over the rows stored.
    stored: String,
    /// What rounding to 18 decimals took from the rows stored.
    residual: String,
    /// Sum over the rows rejected.
    rejected: String,
    /// Rows rejected whose cost cannot be read, so that they are in no sum.
    rows_unreadable: u64,
    /// Sum over the rows that a rule leaves out: a filter of the mapping, or an export that another one of the import repeats.
    left_out: String,
    /// Rows left out.
    rows_left_out: u64,
    /// What rounding to 18 decimals took from the other costs of the rows stored.
    rounding: Vec<Rounding>,
}

/// What rounding took from one column.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Rounding {
    /// The column.
    #[schema(example = "effective_cost")]
    column: String,
    /// Source minus stored.
    residual: String,
}

/// A file of an import.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ImportedFile {
    /// Its name.
    name: String,
    /// SHA-256 of its bytes, hex.
    sha256: String,
}

/// An account and billing period in which an import has rows.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Period {
    /// The billing account.
    account: String,
    /// Start of the billing period.
    start: String,
    /// The import that replaced these rows: they are kept, hidden.
    superseded_by: Option<String>,
}

/// Something that does not conform but cost no row.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Note {
    /// What.
    what: String,
    /// How often.
    count: u64,
    /// The file of the first.
    file: String,
    /// The row of the first, counted from 1 after the header.
    first_row: u64,
}

/// One rejected row.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Reject {
    /// The file.
    file: String,
    /// The row, counted from 1 after the header.
    row: u64,
    /// The line of a CSV file on which the row begins.
    line: Option<u64>,
    /// Why.
    reason: String,
    /// The billed cost as the source wrote it, if it is a number.
    cost: Option<String>,
    /// The currency, if the row names one.
    currency: Option<String>,
    /// The row's own text, cut if it is long.
    raw: String,
}

/// An import just made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportMade {
    /// `stored`, `unchanged` (it was there already) or `checked` (nothing was to be stored).
    outcome: &'static str,
    /// Files that an earlier import of the dataset brought, byte for byte.
    skipped_files: Vec<String>,
    /// The first rejects; GET the import for all.
    rejects: Vec<Reject>,
    /// What the rules of FOCUS said, of a FOCUS bill.
    conformance: Option<Conformance>,
    /// The import.
    #[serde(flatten)]
    import: Import,
}

/// One import and its rejects.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportDetail {
    /// A page of the rejected rows.
    rejects: Vec<Reject>,
    /// The cursor of the next page of rejects, if there is one.
    next_cursor: Option<String>,
    /// What the rules of FOCUS said; null if it is no FOCUS bill, or was imported before they were asked.
    conformance: Option<Conformance>,
    /// The import.
    #[serde(flatten)]
    import: Import,
}

/// Imports of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportList {
    /// The imports, newest first.
    items: Vec<Import>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// How many rejects the answer to an upload shows.
const REJECTS_SHOWN: usize = 100;

fn show(r: ImportRecord) -> Import {
    Import {
        state: if r.is_superseded() { "superseded" } else { "current" },
        id: r.id,
        format: r.source,
        dataset: r.dataset,
        started: rfc3339(r.started),
        manifest_version: r.manifest_version,
        rows_source: r.rows_source,
        rows_stored: r.rows,
        rows_rejected: r.rejected,
        reconciliation: r
            .totals
            .into_iter()
            .map(|t| Reconciliation {
                currency: t.currency,
                source: t.source,
                stored: t.stored,
                residual: t.residual,
                rejected: t.rejected,
                rows_unreadable: t.rows_unreadable,
                left_out: if t.left_out.is_empty() { "0".to_owned() } else { t.left_out },
                rows_left_out: t.rows_left_out,
                rounding: t.rounding.into_iter().map(|(column, residual)| Rounding { column, residual }).collect(),
            })
            .collect(),
        files: r.files.into_iter().map(|f| ImportedFile { name: f.name, sha256: f.sha256 }).collect(),
        periods: r
            .periods
            .into_iter()
            .map(|p| Period { account: p.account, start: rfc3339(p.start), superseded_by: p.superseded_by })
            .collect(),
        notes: r
            .notes
            .into_iter()
            .map(|n| Note { what: n.what, count: n.count, file: n.file, first_row: n.first_row })
            .collect(),
    }
}

fn show_reject(r: ImportReject) -> Reject {
    Reject { file: r.file, row: r.row, line: r.line, reason: r.reason, cost: r.cost, currency: r.currency, raw: r.raw }
}

/// Imports a bill: the body is one file, or `multipart/form-data` with one or more; all files are one import, stored as a
/// whole or not at all. Idempotent by content: the same files again change nothing, so no Idempotency-Key is needed.
#[utoipa::path(post, path = "/api/v1/imports", tag = "imports", params(ImportParams),
    request_body(description = "The file, or several as multipart/form-data. CSV, JSON lines (both also gzipped) or Parquet.", content_type = "application/octet-stream", content = Vec<u8>),
    responses((status = 201, description = "Stored.", body = ImportMade),
        (status = 200, description = "Nothing to store: it was there already, or `check` was said.", body = ImportMade),
        (status = 413, description = "The upload is too large."),
        (status = 422, description = "The files are no bill that is understood.")))]
pub(crate) async fn post(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<ImportParams>,
    request: Request,
) -> Result<(StatusCode, Reply<ImportMade>), ApiError> {
    let folder = Folder::make(&state.upload_dir).await?;
    let (params, files) = match media_type(request.headers()).as_deref() {
        Some("multipart/form-data") => receive_parts(&state, params, request, &folder).await?,
        _ => receive_whole(&state, params, request, &folder).await?,
    };
    if files.is_empty() {
        return Err(ApiError::UploadEmpty);
    }
    let check = params.check;
    let upload = BillUpload {
        tenant: caller.tenant.clone(),
        files,
        dataset: params.dataset,
        format: params.format.filter(|f| f != "auto"),
        mapping: params.mapping,
        manifest_version: params.manifest_version,
        restate: params.restate,
        check,
    };
    let done = state.importer.import(upload).await?;
    let (status, outcome) = match (check, done.existed) {
        (true, _) => (StatusCode::OK, "checked"),
        (false, true) => (StatusCode::OK, "unchanged"),
        (false, false) => (StatusCode::CREATED, "stored"),
    };
    tracing::info!(tenant = %caller.tenant, import = %done.record.id, outcome, rows = done.record.rows, by = %caller.subject, "bill imported");
    Ok((
        status,
        Reply(ImportMade {
            outcome,
            skipped_files: done.skipped_files,
            rejects: done.rejects.into_iter().take(REJECTS_SHOWN).map(show_reject).collect(),
            conformance: done.conformance.map(conformance::show),
            import: show(done.record),
        }),
    ))
}

/// Imports of the tenant, newest first.
#[utoipa::path(get, path = "/api/v1/imports", tag = "imports", params(PageParams),
    responses((status = 200, description = "The imports.", body = ImportList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Reply<ImportList>, ApiError> {
    let mut all: Vec<Import> = state.store.catalog().imports(&caller.tenant).await?.into_iter().map(show).collect();
    all.reverse();
    let (items, next_cursor) = cut(all, &page, |i| &i.id)?;
    Ok(Reply(ImportList { items, next_cursor }))
}

/// One import: its reconciliation and its rejected rows.
#[utoipa::path(get, path = "/api/v1/imports/{id}", tag = "imports", params(("id" = String, Path, description = "The import's id."), PageParams),
    responses((status = 200, description = "The import.", body = ImportDetail), (status = 404, description = "There is no such import.")))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(id): Segment,
    Params(page): Params<PageParams>,
) -> Result<Reply<ImportDetail>, ApiError> {
    let catalog = state.store.catalog();
    let Some(record) = catalog.import(&caller.tenant, &id).await? else {
        return Err(ApiError::NotFound { what: "import", id });
    };
    // A row can be rejected once, but the catalog does not promise it, so its place in the list is the key.
    let keyed: Vec<(String, ImportReject)> =
        catalog.rejects(&caller.tenant, &id).await?.into_iter().enumerate().map(|(i, r)| (i.to_string(), r)).collect();
    let (rejects, next_cursor) = cut(keyed, &page, |(key, _)| key)?;
    let rejects = rejects.into_iter().map(|(_, r)| show_reject(r)).collect();
    let conformance = catalog.conformance(&caller.tenant, &id).await?.map(conformance::show);
    Ok(Reply(ImportDetail { rejects, next_cursor, conformance, import: show(record) }))
}

/// A folder for one upload, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    async fn make(parent: &Path) -> Result<Self, ApiError> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let path = parent.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        // What a process of the same number left behind must not become part of this upload.
        match tokio::fs::remove_dir_all(&path).await {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(disk(&path, &e)),
            _ => {}
        }
        tokio::fs::create_dir_all(&path).await.map_err(|e| disk(&path, &e))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "upload not removed");
        }
    }
}

fn disk(path: &Path, e: &std::io::Error) -> ApiError {
    ApiError::Import(crate::importer::ImporterError::Failed(format!("keep the upload in {}: {e}", path.display())))
}

/// What is gathered of an upload before it is written.
const SPOOL_BYTES: usize = 1 << 20;

/// Writes the files of one upload, counting bytes over all of them.
struct Spool<'a> {
    state: &'a ApiState,
    folder: &'a Folder,
    left: u64,
    files: Vec<BillFile>,
}

impl<'a> Spool<'a> {
    fn new(state: &'a ApiState, folder: &'a Folder) -> Self {
        Self { state, folder, left: state.limits.import_bytes_max, files: Vec::new() }
    }

    /// Writes one file; an empty one is no file.
    async fn file(
        &mut self,
        name: String,
        mut chunks: impl Stream<Item = Result<Bytes, ApiError>> + Send + Unpin,
    ) -> Result<(), ApiError> {
        let max = self.state.limits.import_files_max;
        if self.files.len() >= max {
            return Err(ApiError::Parameter(format!("the upload has more than {max} files")));
        }
        // The sender's name is only told, never used as a path.
        let path = self.folder.0.join(format!("{}.part", self.files.len()));
        let file = tokio::fs::File::create(&path).await.map_err(|e| disk(&path, &e))?;
        // Each write of a file is a task of another thread.
        let mut file = tokio::io::BufWriter::with_capacity(SPOOL_BYTES, file);
        let mut written = 0;
        let idle = self.state.limits.upload_idle_max;
        loop {
            let chunk = tokio::time::timeout(idle, chunks.next()).await.map_err(|_| too_slow(idle))?.transpose()?;
            let Some(chunk) = chunk else { break };
            self.left = self
                .left
                .checked_sub(chunk.len() as u64)
                .ok_or(ApiError::UploadTooLarge { limit: self.state.limits.import_bytes_max })?;
            file.write_all(&chunk).await.map_err(|e| disk(&path, &e))?;
            written += chunk.len();
        }
        file.flush().await.map_err(|e| disk(&path, &e))?;
        if written > 0 {
            self.files.push(BillFile { name, path });
        }
        Ok(())
    }
}

/// The last part of a name that a sender gave: no folders, no control characters, bounded.
fn file_name(given: Option<&str>) -> String {
    let name = given.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(255).collect();
    if name.is_empty() { "upload".to_owned() } else { name }
}

async fn receive_whole(
    state: &ApiState,
    params: ImportParams,
    request: Request,
    folder: &Folder,
) -> Result<(ImportParams, Vec<BillFile>), ApiError> {
    let (parts, body) = request.into_parts();
    let limit = state.limits.import_bytes_max;
    if body.size_hint().lower() > limit {
        return Err(ApiError::UploadTooLarge { limit });
    }
    if let Some(encoding) = unsupported_encoding(&parts.headers) {
        return Err(ApiError::Body(BodyError::EncodingUnknown(encoding)));
    }
    let mut spool = Spool::new(state, folder);
    let given = params.name.clone().or_else(|| disposition_name(&parts.headers));
    spool.file(file_name(given.as_deref()), body.into_data_stream().map_err(broken)).await?;
    Ok((params, spool.files))
}

/// A packed file is stored as it is and inflated, within bounds, by the importer; so a `Content-Encoding: gzip` that a client
/// adds to a plain file is the same as a `.gz` file.
fn unsupported_encoding(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_ENCODING)?.to_str().unwrap_or("?").to_ascii_lowercase();
    (!matches!(value.as_str(), "" | "identity" | "gzip" | "x-gzip")).then_some(value)
}

/// The file's name from `Content-Disposition: attachment; filename="x.csv"`.
fn disposition_name(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_DISPOSITION)?.to_str().ok()?;
    let (_, rest) = value.split_once("filename=")?;
    Some(rest.split(';').next()?.trim().trim_matches('"').to_owned())
}

fn too_slow(idle: Duration) -> ApiError {
    ApiError::Body(BodyError::TooSlow(idle))
}

fn broken(e: axum::Error) -> ApiError {
    ApiError::Body(BodyError::Broken(e))
}

fn bad_part(e: MultipartError) -> ApiError {
    ApiError::Parameter(e.body_text())
}

async fn receive_parts(
    state: &ApiState,
    mut params: ImportParams,
    mut request: Request,
    folder: &Folder,
) -> Result<(ImportParams, Vec<BillFile>), ApiError> {
    // The limit of bills holds instead, counted while the parts are written.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut multipart =
        Multipart::from_request(request, state).await.map_err(|e| ApiError::Parameter(e.body_text()))?;
    let mut spool = Spool::new(state, folder);
    let idle = state.limits.upload_idle_max;
    loop {
        let next = tokio::time::timeout(idle, multipart.next_field()).await.map_err(|_| too_slow(idle))?;
        let Some(mut field) = next.map_err(bad_part)? else { break };
        let name = field.name().unwrap_or_default().to_owned();
        // A mapping is short text, whether it is sent as a file or not.
        if let Some(given) = field.file_name().map(str::to_owned).filter(|_| name != "mapping") {
            spool.file(file_name(Some(&given)), field.map_err(bad_part)).await?;
            continue;
        }
        let bytes_max = if name == "mapping" { MAPPING_BYTES_MAX } else { TEXT_BYTES_MAX };
        let value = read_text(&mut field, &name, bytes_max).await?;
        match name.as_str() {
            "dataset" => params.dataset = Some(value),
            "format" => params.format = Some(value),
            "mapping" => params.mapping = Some(value),
            "manifest_version" => params.manifest_version = Some(value),
            "restate" => params.restate = read_bool(&name, &value)?,
            "check" => params.check = read_bool(&name, &value)?,
            _ => {
                let known = "dataset, format, mapping, manifest_version, restate, check, and files";
                return Err(ApiError::Parameter(format!("the form has an unknown part {name:?}; it may have {known}")));
            }
        }
    }
    Ok((params, spool.files))
}

const TEXT_BYTES_MAX: usize = 1024;
/// Bytes of a mapping file.
const MAPPING_BYTES_MAX: usize = 256 * 1024;

/// A short text part.
async fn read_text(field: &mut Field<'_>, name: &str, bytes_max: usize) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(bad_part)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > bytes_max {
            return Err(ApiError::Parameter(format!("the part {name:?} has more than {bytes_max} bytes")));
        }
    }
    String::from_utf8(bytes).map_err(|_| ApiError::Parameter(format!("the part {name:?} is not text")))
}

fn read_bool(name: &str, value: &str) -> Result<bool, ApiError> {
    match value {
        "true" | "1" | "" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(ApiError::Parameter(format!("{name} is {other:?}, it must be true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_senders_are_names_only() {
        for (given, want) in [
            (Some("a.csv"), "a.csv"),
            (Some("../../etc/passwd"), "passwd"),
            (Some("C:\\bills\\x.csv"), "x.csv"),
            (Some("a/"), "upload"),
            (Some("x\0y\n.csv"), "xy.csv"),
            (None, "upload"),
        ] {
            assert_eq!(file_name(given), want, "{given:?}");
        }
    }
}
