//! The common path of every request: quota, decode, append, count.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use grid_decode::decoded::Counts;
use grid_decode::otlp::OtlpOptions;
use grid_decode::{DecodeContext, DecodeError, Decoded, Limits};
use grid_guard::{Caller, Guard, Problem};
use grid_model::TenantId;
use grid_model::reject::Rejects;
use grid_store::{AppendError, Appended, Clock, Store};
use http::StatusCode;
use tokio::sync::Semaphore;

use crate::files::FileImporter;
use crate::metadata_seen::MetadataSeen;
use crate::metrics::{IngestMetrics, Protocol};
use crate::replicas::{ReplicaOptions, Replicas};
use crate::reply::Refusal;

/// What is small enough to decode on the thread that serves the socket.
const DECODE_INLINE_BYTES_MAX: usize = 64 * 1024;
/// When to come back after a refusal for a quota of series: series do not go away soon.
const SERIES_RETRY_AFTER: Duration = Duration::from_secs(60);
/// When to come back to a store that takes no writes.
const READ_ONLY_RETRY_AFTER: Duration = Duration::from_secs(10);

/// How requests are decoded.
#[derive(Debug, Clone, Default)]
pub struct IngestOptions {
    /// Bounds on items.
    pub limits: Limits,
    /// The translation of OTLP.
    pub otlp: OtlpOptions,
    /// Whether and how one of several replicas of a Prometheus is chosen; `None` = all are taken.
    pub replicas: Option<ReplicaOptions>,
}

/// What the listeners share. Cheap to clone; clones share.
#[derive(Clone)]
pub struct Ingest(Arc<Inner>);

struct Inner {
    store: Store,
    guard: Guard,
    options: IngestOptions,
    clock: Clock,
    metrics: IngestMetrics,
    metadata_seen: MetadataSeen,
    replicas: Option<Replicas>,
    /// As many large requests are decoded at once as there are cores.
    decoding: Semaphore,
}

/// A request that was taken, at least in part.
#[derive(Debug, Clone, Default)]
pub struct Accepted {
    /// What is now durable and visible.
    pub counts: Counts,
    /// What is not, and why.
    pub rejects: Rejects,
}

impl Ingest {
    /// Listeners that write to `store`.
    pub fn new(store: Store, guard: Guard, options: IngestOptions, clock: Clock) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self(Arc::new(Inner {
            store,
            guard,
            replicas: options.replicas.clone().map(Replicas::new),
            options,
            clock,
            metrics: IngestMetrics::default(),
            metadata_seen: MetadataSeen::default(),
            decoding: Semaphore::new(cores),
        }))
    }

    /// Counters since the start.
    pub fn metrics(&self) -> &IngestMetrics {
        &self.0.metrics
    }

    /// The guard behind which the listeners stand.
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// The translation of OTLP.
    pub fn otlp_options(&self) -> &OtlpOptions {
        &self.0.options.otlp
    }

    /// The bounds on items.
    pub fn limits(&self) -> &Limits {
        &self.0.options.limits
    }

    /// The clock by which requests are taken.
    pub(crate) fn clock(&self) -> Clock {
        Arc::clone(&self.0.clock)
    }

    /// What chooses among replicas, if anything does.
    pub fn replicas(&self) -> Option<&Replicas> {
        self.0.replicas.as_ref()
    }

    /// An importer of files into the same store with the same settings.
    pub fn importer(&self) -> FileImporter {
        FileImporter::new(self.0.store.clone(), self.0.options.clone(), Arc::clone(&self.0.clock))
    }

    /// Decodes an inflated body and writes what is good of it. The problem of a refusal says whether to come back.
    pub(crate) async fn accept(
        &self,
        protocol: Protocol,
        caller: &Caller,
        body: Bytes,
        decode: impl FnOnce(&[u8], &OtlpOptions, &DecodeContext<'_>) -> Result<Decoded, DecodeError> + Send + 'static,
    ) -> Result<Accepted, Refusal> {
        let bytes = body.len();
        // A tenant over its quota shall not cost the work of decoding either.
        self.0.guard.check_quota(caller, 0, 0).map_err(|e| Refusal::from(e.problem()))?;
        let mut decoded = self.decode(body, decode).await?;
        if let (Some(replicas), Protocol::RemoteWrite1 | Protocol::RemoteWrite2) = (&self.0.replicas, protocol) {
            let now = (self.0.clock)();
            replicas.choose(&caller.tenant, now, &self.0.options.limits, &mut decoded);
        }
        self.take(protocol, caller, bytes, decoded).await
    }

    /// Writes what was decoded from `bytes` bytes, within the tenant's quota.
    pub(crate) async fn take(
        &self,
        protocol: Protocol,
        caller: &Caller,
        bytes: usize,
        decoded: Decoded,
    ) -> Result<Accepted, Refusal> {
        self.0.guard.check_quota(caller, decoded.write.rows(), bytes).map_err(|e| Refusal::from(e.problem()))?;
        let accepted = self.append(&caller.tenant, decoded).await.map_err(|e| Refusal::from(append_problem(&e)))?;
        self.0.metrics.accepted(protocol, bytes, &accepted);
        if !accepted.rejects.is_empty() {
            let reasons = accepted.rejects.summary();
            tracing::debug!(tenant = %caller.tenant, protocol = protocol.as_str(), reasons, "request accepted in part");
        }
        Ok(accepted)
    }

    async fn decode(
        &self,
        body: Bytes,
        decode: impl FnOnce(&[u8], &OtlpOptions, &DecodeContext<'_>) -> Result<Decoded, DecodeError> + Send + 'static,
    ) -> Result<Decoded, Refusal> {
        let small = body.len() <= DECODE_INLINE_BYTES_MAX;
        let now = (self.0.clock)();
        let inner = Arc::clone(&self.0);
        let work = move || {
            let context = DecodeContext { now, limits: &inner.options.limits };
            decode(&body, &inner.options.otlp, &context).map_err(|e| {
                Problem::new(StatusCode::BAD_REQUEST, "GRID-0201", "body is not what the route expects", e.to_string())
                    .hint("check that Content-Type names what was really sent")
                    .into()
            })
        };
        if small {
            return work();
        }
        // The semaphore is never closed.
        let _slot = self.0.decoding.acquire().await;
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "decoder panicked");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "GRID-0901", "internal error", "the decoder failed")
                .hint("this is a defect of Grid; please report it with the request")
                .into())
        })
    }

    async fn append(&self, tenant: &TenantId, decoded: Decoded) -> Result<Accepted, AppendError> {
        append(&self.0.store, &self.0.metadata_seen, (self.0.clock)(), tenant, decoded, false).await
    }
}

/// Writes what was decoded, without the statements about metrics that were written lately. `wait`: for bulk loaders of this
/// process, which wait for room instead of being refused.
pub(crate) async fn append(
    store: &Store,
    metadata_seen: &MetadataSeen,
    now: grid_model::Timestamp,
    tenant: &TenantId,
    decoded: Decoded,
    wait: bool,
) -> Result<Accepted, AppendError> {
    let Decoded { write, mut rejects, mut counts } = decoded;
    let (write, fresh) = metadata_seen.without_known(tenant, now, write);
    let appended = if wait { store.append_waiting(tenant, write).await? } else { store.append(tenant, write).await? };
    metadata_seen.remember(now, fresh);
    let Appended { rows_over_series_limit: over, .. } = appended;
    if over > 0 {
        for _ in 0..over {
            rejects.push(0, "the limit on series is reached, new series are not taken");
        }
        counts.samples = counts.samples.saturating_sub(over as u64);
    }
    Ok(Accepted { counts, rejects })
}

/// Why nothing was written, as the client sees it.
fn append_problem(error: &AppendError) -> Problem {
    use StatusCode as S;
    let detail = error.to_string();
    match error {
        AppendError::Overloaded { retry_after, .. } => {
            Problem::new(S::SERVICE_UNAVAILABLE, "GRID-0301", "store overloaded", detail)
                .hint("try again after the pause in Retry-After; if this lasts, the disk does not keep up")
                .retry_after(*retry_after)
        }
        AppendError::ReadOnly { .. } => Problem::new(S::SERVICE_UNAVAILABLE, "GRID-0305", "store read-only", detail)
            .hint("look at /readyz and the log of the server; usually the disk is full")
            .retry_after(READ_ONLY_RETRY_AFTER),
        AppendError::Closed => Problem::new(S::SERVICE_UNAVAILABLE, "GRID-0304", "store closed", detail)
            .hint("try again when the server is back")
            .retry_after(READ_ONLY_RETRY_AFTER),
        AppendError::SeriesLimit { .. } => Problem::new(S::TOO_MANY_REQUESTS, "GRID-0302", "too many series", detail)
            .hint("drop labels with many values at the sender, or raise the tenant's limit on series")
            .retry_after(SERIES_RETRY_AFTER),
        AppendError::TenantLimit { .. } => Problem::new(S::TOO_MANY_REQUESTS, "GRID-0312", "too many tenants", detail)
            .hint("check the tenant that the sender names, or raise storage.tenants_max")
            .retry_after(SERIES_RETRY_AFTER),
        AppendError::SeriesMemory { .. } => {
            Problem::new(S::SERVICE_UNAVAILABLE, "GRID-0311", "no memory for new series", detail)
                .hint("raise memory.limit or storage.series_bytes_max; known series are taken as before")
                .retry_after(SERIES_RETRY_AFTER)
        }
        AppendError::Collision { .. } => Problem::new(S::BAD_REQUEST, "GRID-0303", "series collision", detail)
            .hint("add or change any label of the series"),
        AppendError::TooLarge { .. } => {
            Problem::new(S::PAYLOAD_TOO_LARGE, "GRID-0310", "request too large for the log", detail)
                .hint("send smaller batches")
        }
        AppendError::BadRows { .. } => Problem::new(S::INTERNAL_SERVER_ERROR, "GRID-0901", "internal error", detail)
            .hint("this is a defect of Grid; please report it with the request"),
    }
}
