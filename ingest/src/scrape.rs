//! Scraping: what a `prometheus.yml` says is done, and the samples go the way of everything that is pushed.
//!
//! Entry point: [`Scraper`]. Reading order: `job` (discovery and loops of one job), `target_loop` (one target at its
//! times), `ledger` (from a page to rows), `fetch`, `discover`, `status`.
//!
//! One task per target fetches, decodes, relabels and writes; a scrape is one write, so that its samples, its stale markers and its
//! `up` are visible together. A page is taken whole or not at all, as by Prometheus.

mod discover;
mod fetch;
mod job;
mod ledger;
mod status;
mod target_loop;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use grid_decode::{Decoded, Limits};
use grid_guard::Caller;
use grid_guard::caller::Scopes;
use grid_model::TenantId;
use grid_scrape_config::{Config, ConfigError};
use grid_store::Clock;

pub use discover::Stamp;
pub use status::{ActiveTarget, DroppedTarget, Health, Progress, ScrapeStatus};

use crate::accept::Ingest;
use crate::metrics::Protocol;
use job::{Ledgers, RunningJob};
pub(crate) use ledger::replaced;

/// What all loops share.
struct Shared {
    ingest: Ingest,
    caller: Caller,
    clock: Clock,
    limits: Limits,
    body_bytes_max: u64,
    status: ScrapeStatus,
}

impl Shared {
    /// Writes the rows of a scrape. The error is a sentence.
    async fn write(&self, decoded: Decoded, bytes: usize) -> Result<(), String> {
        match self.ingest.take(Protocol::Scrape, &self.caller, bytes, decoded).await {
            Ok(_) => Ok(()),
            Err(refusal) => Err(crate::reply::sentence(&refusal)),
        }
    }
}

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file does not say what can be done.
    #[error("{path}")]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ConfigError,
    },
}

/// Reads a `prometheus.yml` and the files that it names in `scrape_config_files`.
pub fn load(path: &Path) -> Result<Config, LoadError> {
    let read =
        |path: &Path| std::fs::read_to_string(path).map_err(|source| LoadError::Read { path: path.to_owned(), source });
    let base = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    let refuse = |path: &Path| {
        let path = path.to_owned();
        |source| LoadError::Config { path, source }
    };
    let mut config = Config::parse(&read(path)?, &base(path)).map_err(refuse(path))?;
    for (file, _) in discover::list(&config.files) {
        config.add_file(&read(&file)?, &base(&file)).map_err(refuse(&file))?;
    }
    Ok(config)
}

/// The files that make up a configuration, each with what tells that it changed.
pub fn stamps(path: &Path, config: &Config) -> Vec<(PathBuf, Stamp)> {
    let mut patterns = config.files.clone();
    patterns.push(path.to_owned());
    discover::list(&patterns)
}

/// Scrapes what a configuration says. Dropping it stops all loops without a word; see [`Scraper::stop`].
pub struct Scraper {
    shared: Arc<Shared>,
    jobs: BTreeMap<String, RunningJob>,
}

impl Scraper {
    /// A scraper without jobs, whose samples are `tenant`'s. It must live inside a tokio runtime.
    pub fn new(ingest: Ingest, tenant: TenantId) -> Self {
        let caller = Caller { tenant, scopes: Scopes::ALL, subject: "scraper".to_owned() };
        let shared = Shared {
            clock: ingest.clock(),
            limits: ingest.limits().clone(),
            body_bytes_max: ingest.guard().body_limits().inflated_max as u64,
            status: ScrapeStatus::default(),
            caller,
            ingest,
        };
        Self { shared: Arc::new(shared), jobs: BTreeMap::new() }
    }

    /// What the scraper is doing, for others to look at.
    pub fn status(&self) -> ScrapeStatus {
        self.shared.status.clone()
    }

    /// Makes the jobs those of a configuration. Jobs that did not change run on; of those that did, targets keep their series; those
    /// that are gone end theirs with stale markers.
    pub async fn apply(&mut self, config: Config) {
        let mut wanted: BTreeMap<String, _> = config.jobs.into_iter().map(|job| (job.job_name.clone(), job)).collect();
        let mut inherited: BTreeMap<String, Ledgers> = BTreeMap::new();
        let names: Vec<String> = self.jobs.keys().cloned().collect();
        for name in names {
            let same = match (self.jobs.get(&name), wanted.get(&name)) {
                (Some(running), Some(job)) => *running.config == *job,
                _ => false,
            };
            if same {
                wanted.remove(&name);
            } else if let Some(running) = self.jobs.remove(&name) {
                inherited.insert(name, running.stop().await);
            }
        }
        for (name, job) in wanted {
            let ledgers = inherited.remove(&name).unwrap_or_default();
            self.jobs.insert(name, RunningJob::start(Arc::clone(&self.shared), job, ledgers));
        }
        for (name, ledgers) in inherited {
            self.shared.status.remove_job(&name);
            for (labels, ledger) in ledgers {
                job::end(&self.shared, &labels, ledger).await;
            }
        }
    }

    /// Stops all loops. Series do not end: whoever takes over, or a restart, goes on with them, as with Prometheus.
    pub async fn stop(self) {
        self.jobs.values().for_each(RunningJob::cancel);
        for job in self.jobs.into_values() {
            job.stop().await;
        }
    }
}

#[cfg(test)]
mod tests;
