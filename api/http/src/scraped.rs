//! What the API needs from whoever scrapes, for `targets` of Prometheus' API. The API may not import the ingest room; the binary joins the
//! two.

use std::collections::BTreeMap;
use std::time::Duration;

use grid_model::{TenantId, Timestamp};

/// Labels by name.
pub type TargetLabels = BTreeMap<String, String>;

/// Knows what is scraped now.
pub trait ScrapedTargets: Send + Sync {
    /// Whose samples these targets bring; others do not see them.
    fn tenant(&self) -> &TenantId;

    /// The targets that are scraped, by pool.
    fn active(&self) -> Vec<ScrapedTarget>;

    /// Pool and labels of targets that relabelling dropped, by pool; those of them that are remembered.
    fn dropped(&self) -> Vec<(String, TargetLabels)>;

    /// How many targets relabelling dropped, of every pool.
    fn dropped_counts(&self) -> BTreeMap<String, usize>;
}

/// A target that is scraped.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapedTarget {
    /// Its group: the name of the job.
    pub pool: String,
    /// Labels before relabelling.
    pub discovered: TargetLabels,
    /// Labels of its samples.
    pub labels: TargetLabels,
    /// Where it is scraped.
    pub url: String,
    /// How often.
    pub interval: Duration,
    /// How long a scrape may take.
    pub timeout: Duration,
    /// `up`, `down` or `unknown`.
    pub health: &'static str,
    /// Why the last scrape failed; empty if it did not.
    pub last_error: String,
    /// When the last scrape began.
    pub last_scrape: Option<Timestamp>,
    /// How long it took.
    pub last_duration: Duration,
}
