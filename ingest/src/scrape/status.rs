//! What the scraper is doing: targets with their health, and counters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use grid_model::Timestamp;
use grid_scrape_config::LabelMap;
use parking_lot::{Mutex, RwLock};

/// How many dropped targets of a job are remembered, whatever `keep_dropped_targets` says.
const DROPPED_MAX: usize = 10_000;

/// How the last scrape of a target went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// There was none yet.
    #[default]
    Unknown,
    /// Well.
    Up,
    /// It failed.
    Down,
}

impl Health {
    /// The word of Prometheus' API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A target that is scraped.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveTarget {
    /// The job (Prometheus' `scrapePool`).
    pub job: String,
    /// Labels before relabelling.
    pub discovered: LabelMap,
    /// Labels of its samples.
    pub labels: LabelMap,
    /// Where it is scraped.
    pub url: String,
    /// How often.
    pub interval: Duration,
    /// How long a scrape may take.
    pub timeout: Duration,
    /// How it went.
    pub progress: Progress,
}

/// How the last scrape of a target went.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// In a word.
    pub health: Health,
    /// Why it failed; empty if it did not.
    pub last_error: String,
    /// When it began.
    pub last_scrape: Option<Timestamp>,
    /// How long it took.
    pub last_duration: Duration,
}

/// A target that relabelling dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct DroppedTarget {
    /// The job.
    pub job: String,
    /// Labels before relabelling.
    pub discovered: LabelMap,
}

/// The scraper's state as others may see it. Cheap to clone; clones share.
#[derive(Debug, Clone, Default)]
pub struct ScrapeStatus(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    jobs: RwLock<BTreeMap<String, JobStatus>>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct JobStatus {
    active: Vec<(ActiveTarget, Arc<Mutex<Progress>>)>,
    dropped: Vec<LabelMap>,
    dropped_count: usize,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) scrapes: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) samples: AtomicU64,
    pub(super) stale_markers: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) not_written: AtomicU64,
    pub(super) discovery_failures: AtomicU64,
    pub(super) reloads: AtomicU64,
    pub(super) failed_reloads: AtomicU64,
}

impl ScrapeStatus {
    /// All targets that are scraped, by job.
    pub fn active(&self) -> Vec<ActiveTarget> {
        let jobs = self.0.jobs.read();
        let targets = jobs.values().flat_map(|job| &job.active);
        targets.map(|(target, progress)| ActiveTarget { progress: progress.lock().clone(), ..target.clone() }).collect()
    }

    /// Targets that relabelling dropped, by job; of each job at most as many as its `keep_dropped_targets` says.
    pub fn dropped(&self) -> Vec<DroppedTarget> {
        let jobs = self.0.jobs.read();
        let of = |(job, status): (&String, &JobStatus)| -> Vec<DroppedTarget> {
            status.dropped.iter().map(|d| DroppedTarget { job: job.clone(), discovered: d.clone() }).collect()
        };
        jobs.iter().flat_map(of).collect()
    }

    /// How many targets relabelling dropped, by job.
    pub fn dropped_counts(&self) -> BTreeMap<String, usize> {
        self.0.jobs.read().iter().map(|(job, status)| (job.clone(), status.dropped_count)).collect()
    }

    /// Counts a configuration that was read, or could not be.
    pub fn count_reload(&self, good: bool) {
        let counters = &self.0.counters;
        let counter = if good { &counters.reloads } else { &counters.failed_reloads };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(super) fn set_job(
        &self,
        job: &str,
        active: Vec<(ActiveTarget, Arc<Mutex<Progress>>)>,
        mut dropped: Vec<LabelMap>,
        keep_dropped: usize,
    ) {
        let dropped_count = dropped.len();
        dropped.truncate(if keep_dropped == 0 { DROPPED_MAX } else { keep_dropped.min(DROPPED_MAX) });
        self.0.jobs.write().insert(job.to_owned(), JobStatus { active, dropped, dropped_count });
    }

    pub(super) fn remove_job(&self, job: &str) {
        self.0.jobs.write().remove(job);
    }

    /// How many targets there are in each state, in words.
    pub fn targets_by_state(&self) -> [(&'static str, usize); 4] {
        let (mut up, mut down, mut unknown, mut dropped) = (0, 0, 0, 0);
        for job in self.0.jobs.read().values() {
            dropped += job.dropped_count;
            for (_, progress) in &job.active {
                match progress.lock().health {
                    Health::Up => up += 1,
                    Health::Down => down += 1,
                    Health::Unknown => unknown += 1,
                }
            }
        }
        [("up", up), ("down", down), ("unknown", unknown), ("dropped", dropped)]
    }

    /// Counters since the start: name, meaning, value.
    pub fn counters_now(&self) -> [(&'static str, &'static str, u64); 9] {
        let c = &self.0.counters;
        [
            ("grid_scrape_scrapes_total", "Scrapes, failed ones too.", &c.scrapes),
            ("grid_scrape_failed_scrapes_total", "Scrapes after which `up` is 0.", &c.failed),
            ("grid_scrape_samples_total", "Samples of pages, after relabelling.", &c.samples),
            (
                "grid_scrape_stale_markers_total",
                "Stale markers of failed scrapes and of targets that are gone.",
                &c.stale_markers,
            ),
            ("grid_scrape_bytes_total", "Bytes of pages after inflation.", &c.bytes),
            ("grid_scrape_unwritten_scrapes_total", "Scrapes whose rows were refused.", &c.not_written),
            ("grid_scrape_discovery_failures_total", "Lists of targets that could not be had.", &c.discovery_failures),
            ("grid_scrape_reloads_total", "Times the configuration was read.", &c.reloads),
            ("grid_scrape_failed_reloads_total", "Times the configuration was not usable.", &c.failed_reloads),
        ]
        .map(|(name, help, counter)| (name, help, counter.load(Ordering::Relaxed)))
    }
}
