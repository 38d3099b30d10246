//! What handlers need, put together by the binary.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use grid_analytics::Engine;
use grid_guard::Guard;
use grid_model::Timestamp;
use grid_notify::Notifier;
use grid_store::{Clock, Store};

use crate::error::ApiError;
use crate::exposition::Exposition;
use crate::importer::{BillImporter, PriceImporter};
use crate::route::sql::{Language, QueryMetrics};
use crate::rules::RuleBook;
use crate::scraped::ScrapedTargets;

/// Something with counters of its own, for `/metrics`.
pub trait MetricsSource: Send + Sync {
    /// Adds its samples.
    fn write(&self, out: &mut Exposition);
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// The version of the binary.
    pub version: String,
    /// The commit it was built from, if known.
    pub commit: Option<String>,
    /// When it started.
    pub started: Timestamp,
    /// Where it listens, by protocol: `http`, `otlp_grpc`, ...
    pub endpoints: Vec<(String, String)>,
}

/// The bounds of the API beyond those of guard and engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiLimits {
    /// Bytes of an uploaded bill, all files together.
    pub import_bytes_max: u64,
    /// Files of an uploaded bill.
    pub import_files_max: usize,
    /// Longest pause within an upload.
    pub upload_idle_max: Duration,
    /// Time that the status page gives its own small queries.
    pub status_query_timeout: Duration,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            import_bytes_max: 2 << 30,
            import_files_max: 256,
            upload_idle_max: Duration::from_secs(30),
            status_query_timeout: Duration::from_secs(2),
        }
    }
}

/// The parts of an [`ApiState`].
pub struct ApiParts {
    /// Answers SQL.
    pub engine: Arc<Engine>,
    /// Keeps rows and the catalog.
    pub store: Store,
    /// Lets callers in.
    pub guard: Guard,
    /// What the server says of itself.
    pub info: ServerInfo,
    /// Tells the time.
    pub clock: Clock,
    /// Reads bills.
    pub importer: Arc<dyn BillImporter>,
    /// Reads lists of prices.
    pub prices: Arc<dyn PriceImporter>,
    /// What is scraped, if anything is.
    pub scraped: Option<Arc<dyn ScrapedTargets>>,
    /// The rules in force, if any are evaluated.
    pub rules: Option<Arc<dyn RuleBook>>,
    /// Takes alerts and tells people, if this process does.
    pub notifier: Option<Notifier>,
    /// Environments, plans and releases, if this process keeps them.
    pub desk: Option<grid_desk::Desk>,
    /// Further sources of `/metrics`.
    pub metrics: Vec<Arc<dyn MetricsSource>>,
    /// Folder for uploads under way; made if absent. What a crash leaves there may be deleted.
    pub upload_dir: PathBuf,
    /// Folder under which backups are made.
    pub backup_dir: PathBuf,
    /// The bounds.
    pub limits: ApiLimits,
}

/// What handlers need. Cheap to clone; clones share.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

/// The parts and what changes while serving.
pub struct Shared {
    parts: ApiParts,
    draining: AtomicBool,
    /// Counts and times queries, by language.
    pub queries: [QueryMetrics; Language::ALL.len()],
}

impl ApiState {
    /// Puts the parts together.
    pub fn new(parts: ApiParts) -> Self {
        Self(Arc::new(Shared { parts, draining: AtomicBool::new(false), queries: Default::default() }))
    }

    /// Tells `/readyz` that the server is going down, so that balancers stop sending.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// Whoever takes alerts.
    pub(crate) fn notifier(&self) -> Result<&Notifier, ApiError> {
        self.0.parts.notifier.as_ref().ok_or(ApiError::NoNotifier)
    }

    pub(crate) fn query_metrics(&self, language: Language) -> &QueryMetrics {
        &self.0.queries[language as usize]
    }
}

impl Deref for ApiState {
    type Target = ApiParts;
    fn deref(&self) -> &ApiParts {
        &self.0.parts
    }
}
