//! How much may grow.

/// Resources of one environment.
pub const RESOURCES_MAX: usize = 20_000;
/// Keys in a path of a field.
pub const PATH_DEPTH_MAX: usize = 32;
/// Bytes of a path's text.
pub const PATH_BYTES_MAX: usize = 1_024;
/// Bytes of a kind, or of a name.
pub const NAME_BYTES_MAX: usize = 128;
/// Overrides of one environment.
pub const OVERRIDES_MAX: usize = 50_000;
/// Dependents that a step lists; all of them are counted.
pub const BLAST_LISTED_MAX: usize = 20;
/// Suffixes that are tried when a name is taken.
pub const NAME_TRIES_MAX: usize = 1_000;
/// Releases that wait or run in one environment.
pub const RELEASES_MAX: usize = 2_000;
/// Past durations that an estimate of the queue remembers.
pub const PAST_DURATIONS_MAX: usize = 500;
/// Days that a search for the next time of a schedule looks at: eight years, because 29 February may be so far away.
pub const SCHEDULE_DAYS_MAX: i64 = 366 * 8 + 2;
/// Findings of one security report that are read.
pub const SARIF_RESULTS_MAX: usize = 100_000;

const _: () = assert!(BLAST_LISTED_MAX < RESOURCES_MAX && PATH_DEPTH_MAX < PATH_BYTES_MAX);
