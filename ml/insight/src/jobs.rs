//! The jobs: what there is, when each runs, and how a run goes.

mod signals;
mod costs;
mod capacity;
mod patterns;
mod recommend;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grid_analytics::{Engine, QueryError};
use grid_model::time::MINUTE_NS;
use grid_model::{TenantId, Timestamp};
use grid_store::{DocumentError, Store, StoreError};
use serde_json::Value;

use crate::keep::{self, JobState};
use crate::limits::RUN_TIME_MAX;
use crate::schedule::{Due, Schedule};

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// Unusual calls, levels, memory and logs, grouped into incidents.
    Signals,
    /// Unusual costs.
    Costs,
    /// When disks are full and budgets are spent.
    Capacity,
    /// How things are used.
    Patterns,
    /// What to change.
    Recommend,
}

impl Job {
    /// Every job, in the order in which they run.
    pub const ALL: [Self; 5] = [Self::Signals, Self::Costs, Self::Capacity, Self::Patterns, Self::Recommend];

    /// Its name in `grid.jobs`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signals => "signals",
            Self::Costs => "costs",
            Self::Capacity => "capacity",
            Self::Patterns => "patterns",
            Self::Recommend => "recommend",
        }
    }

    /// When it runs. Telemetry comes within a minute or two; bills come a few times a day, and the rest follows them.
    pub fn schedule(self) -> Schedule {
        let (minutes, delay) = match self {
            Self::Signals => (10, 2),
            Self::Costs => (60, 5),
            Self::Capacity => (60, 2),
            Self::Patterns => (360, 5),
            Self::Recommend => (180, 5),
        };
        let schedule = Schedule::new(minutes * MINUTE_NS, delay * MINUTE_NS);
        schedule.expect("intervals of minutes are longer than a second")
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Features could not be read.
    #[error("read features")]
    Query(#[from] QueryError),
    /// Rows could not be kept.
    #[error("keep findings")]
    Store(#[from] StoreError),
    /// Its state could not be kept.
    #[error("keep the state of the job")]
    Ledger(#[from] DocumentError),
    /// A document does not read or write.
    #[error("{0}")]
    Document(String),
    /// It took too long.
    #[error("the run took longer than {} s", RUN_TIME_MAX.as_secs())]
    Time,
    /// A thread of ours died.
    #[error("the model ended unexpectedly")]
    Ended,
}

impl JobError {
    /// The code that `grid explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Query(e) => e.code(),
            Self::Store(_) | Self::Ledger(_) => "GRID-0710",
            Self::Document(_) => "GRID-0711",
            Self::Time => "GRID-0712",
            Self::Ended => "GRID-0713",
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReport {
    /// Which.
    pub job: Job,
    /// The end of the data that it looked at.
    pub until: Timestamp,
    /// Rows that the job has now.
    pub rows: usize,
    /// Whether they differ from those before.
    pub changed: bool,
    /// Parts that failed, each with its reason; what they said the last time stands.
    pub failed: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// Says what to commit: the report on commitments, as JSON. It lives in a room of its own, so whoever wires the jobs brings it.
pub trait Commitments: Send + Sync {
    /// The report over what a tenant was billed for until a time; an error is a sentence.
    fn recommend<'a>(
        &'a self,
        tenant: &'a TenantId,
        until: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>>;
}

/// Everything that jobs need. Cheap to clone.
#[derive(Clone)]
pub struct Insight {
    engine: Arc<Engine>,
    store: Store,
    commitments: Option<Arc<dyn Commitments>>,
}

/// How a run ended.
struct Done {
    /// Rows that the job has now.
    rows: usize,
    /// Whether they differ from those before.
    changed: bool,
    /// Parts that failed while the others went through.
    failed: Vec<(&'static str, JobError)>,
}

/// One run of one job.
struct Run<'a> {
    engine: &'a Engine,
    store: &'a Store,
    tenant: &'a TenantId,
    commitments: Option<&'a dyn Commitments>,
    /// Up to when it looks.
    until: Timestamp,
    /// The generation before it began to read.
    generation: u64,
}

impl Insight {
    /// Over an engine and its store.
    pub fn new(engine: Arc<Engine>, store: Store) -> Self {
        Self { engine, store, commitments: None }
    }

    /// With somebody who says what to commit.
    #[must_use]
    pub fn with_commitments(self, commitments: Arc<dyn Commitments>) -> Self {
        Self { commitments: Some(commitments), ..self }
    }

    /// Runs every job of a tenant that is due. A job that fails is told, waits for its next time, and holds up no other.
    pub async fn run_due(&self, tenant: &TenantId, now: Timestamp) -> Vec<(Job, Result<JobReport, JobError>)> {
        let mut done = Vec::new();
        for job in Job::ALL {
            let state = match keep::job_state(&self.store, tenant, job.name()).await {
                Ok(state) => state,
                Err(e) => {
                    done.push((job, Err(e.into())));
                    continue;
                }
            };
            if let Some(due) = job.schedule().due(state.watermark.map(Timestamp), now) {
                done.push((job, self.run(tenant, job, state, due).await));
            }
        }
        done
    }

    /// Runs a job over the data up to a time, due or not.
    pub async fn run_until(&self, tenant: &TenantId, job: Job, until: Timestamp) -> Result<JobReport, JobError> {
        let state = keep::job_state(&self.store, tenant, job.name()).await?;
        let window = grid_model::TimeRange { start: until, end: until };
        self.run(tenant, job, state, Due { window, missed: 0 }).await
    }

    async fn run(&self, tenant: &TenantId, job: Job, before: JobState, due: Due) -> Result<JobReport, JobError> {
        let started = Instant::now();
        let run = Run {
            engine: &self.engine,
            store: &self.store,
            tenant,
            commitments: self.commitments.as_deref(),
            until: due.window.end,
            generation: self.store.snapshot(tenant).generation,
        };
        let work = async {
            match job {
                Job::Signals => signals::run(&run).await,
                Job::Costs => costs::run(&run).await,
                Job::Capacity => capacity::run(&run).await,
                Job::Patterns => patterns::run(&run).await,
                Job::Recommend => recommend::run(&run).await,
            }
        };
        let done = match tokio::time::timeout(RUN_TIME_MAX, Box::pin(work)).await {
            Ok(done) => done,
            Err(_) => Err(JobError::Time),
        };
        let elapsed = started.elapsed();
        let mut state = JobState {
            // A run that failed is over as well: its next time is the next interval, whose findings cover this one's.
            watermark: Some(due.window.end.0.max(before.watermark.unwrap_or(i64::MIN))),
            started: self.store.now().0.saturating_sub(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)),
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            runs: before.runs + 1,
            missed: before.missed.saturating_add(due.missed.unsigned_abs()),
            rows: before.rows,
            generation: run.generation,
            failures: 0,
            error: None,
        };
        let told = |e: &JobError| format!("{}: {}", e.code(), chain(e));
        let failed: Vec<String> = match &done {
            Ok(done) => {
                state.rows = done.rows as u64;
                done.failed.iter().map(|(part, e)| format!("{part}: {}", told(e))).collect()
            }
            Err(e) => vec![told(e)],
        };
        if !failed.is_empty() {
            state.failures = before.failures + 1;
            state.error = Some(failed.join("; "));
        }
        keep::put_job_state(&self.store, tenant, job.name(), &state).await?;
        let Done { rows, changed, .. } = done?;
        Ok(JobReport { job, until: due.window.end, rows, changed, failed, elapsed })
    }
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Thinks on a thread that serves nobody.
async fn think<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JobError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| JobError::Ended)
}
