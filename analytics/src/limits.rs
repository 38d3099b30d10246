//! Every bound of a query, in one place.

use std::path::PathBuf;
use std::time::Duration;

use crate::promql::PromqlSettings;

pub use grid_sql_guard::limits::{PARAMETERS_MAX, STATEMENT_BYTES_MAX};

/// Batches that wait between the query's threads and the reader of its answer.
pub const ANSWER_QUEUE: usize = 4;
/// Slow queries that are remembered.
pub const SLOW_QUERIES_KEPT: usize = 200;
/// Bytes of a statement's text that lists of queries show.
pub const QUERY_TEXT_SHOWN_BYTES: usize = 4096;
/// Labels of one metric that become columns; the rest are in the map `labels`.
pub const LABEL_COLUMNS_MAX: usize = 256;
/// Series ids that are given to the Parquet reader one by one; more are given as a range.
pub const SERIES_IN_PREDICATE_MAX: usize = 512;
/// Bytes of what is known about where in files the rows of series are, and in what form.
pub const SERIES_ROWS_CACHE_BYTES: usize = 64 << 20;
/// Bytes of the times that these rows have, each list of times once.
pub const CLOCKS_BYTES: usize = 32 << 20;
/// Looks at samples, and slots of answers, up to which a PromQL query is evaluated where it was planned: a few milliseconds.
pub const PROMQL_INLINE: u64 = 1 << 20;
/// Series of its metrics times steps up to which a PromQL query is planned by the thread that asks: a fraction of a millisecond.
pub const PROMQL_HERE: u64 = 1 << 17;
/// Bytes of the text of such a query; they bound how deeply it is nested.
pub const PROMQL_HERE_BYTES: usize = 512;
/// Bytes that one call of a function such as `repeat` may make for one batch.
pub const FUNCTION_BYTES_MAX: u64 = 64 << 20;
/// Rows of one batch.
pub const BATCH_ROWS: usize = 8192;
/// Files that a sort by time with a limit reads slice by slice; older ones are read whole, if at all.
pub const SLICED_FILES_MAX: usize = 4;
/// Rows of a file from which on it is read slice by slice.
pub const SLICED_ROWS_MIN: usize = 4 * BATCH_ROWS;
/// Files of samples that one merge reads at once; more only if all of them hold samples of one time.
pub const SOURCES_MERGED_MAX: usize = 64;
/// Rows that all merges of one scan hold of their sources; each source has a batch of its share, but at least [`MERGE_BATCH_ROWS_MIN`].
pub const MERGE_ROWS: usize = 8 * BATCH_ROWS;
/// Rows of the smallest batch in which a merge reads a source.
pub const MERGE_BATCH_ROWS_MIN: usize = 128;
/// Rows of a list of `grid.*` that comes from the catalog.
pub const CATALOG_ROWS_MAX: usize = 100_000;

/// Rows of table `prices` that one lookup weighs.
pub const PRICE_ROWS_MAX: usize = 20_000;

/// The bounds that a user may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryLimits {
    /// Bytes that all queries together may hold in their operators.
    pub memory_bytes: usize,
    /// Bytes that one query may hold; beyond them sorts, joins and aggregations spill, and what cannot spill fails.
    pub query_memory_bytes: usize,
    /// Bytes that all queries together may spill to disk.
    pub spill_bytes: u64,
    /// Where to spill; the system's temporary directory if not given.
    pub spill_dir: Option<PathBuf>,
    /// Bytes of Parquet footers and page indexes that are kept in memory.
    pub metadata_cache_bytes: usize,
    /// Time that a query may take unless the request says otherwise.
    pub timeout: Duration,
    /// Longest time that a request may ask for.
    pub timeout_max: Duration,
    /// Rows that an answer may have.
    pub rows_max: usize,
    /// Queries that run at once.
    pub concurrent: usize,
    /// How long a query waits for its turn before it is refused.
    pub wait_max: Duration,
    /// Threads for queries; 0 = one per core.
    pub threads: usize,
    /// Days after which a price counts as stale.
    pub price_age_days_max: i64,
    /// Queries that take longer are remembered as slow.
    pub slow: Duration,
    /// What of PromQL is on.
    pub promql: PromqlSettings,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 512 << 20,
            query_memory_bytes: 256 << 20,
            spill_bytes: 16 << 30,
            spill_dir: None,
            metadata_cache_bytes: 32 << 20,
            timeout: Duration::from_secs(60),
            timeout_max: Duration::from_secs(600),
            rows_max: 1_000_000,
            concurrent: 16,
            wait_max: Duration::from_secs(10),
            threads: 0,
            price_age_days_max: 180,
            slow: Duration::from_secs(1),
            promql: PromqlSettings::default(),
        }
    }
}
