//! How much a run may read, keep and take.

use std::time::Duration;

/// Longest time of one statement of a job.
pub const QUERY_TIME_MAX: Duration = Duration::from_secs(120);
/// Longest time of one run of one job of one tenant.
pub const RUN_TIME_MAX: Duration = Duration::from_secs(600);
/// Rows of features that one statement may give.
pub const FEATURE_ROWS_MAX: usize = 500_000;
/// Findings of one run whose evidence is read.
pub const EVIDENCE_MAX: usize = 200;
/// Anomalies of one job that are kept, the youngest.
pub const ANOMALIES_KEPT: usize = 5_000;
/// Forecasts of one job that are kept.
pub const FORECASTS_KEPT: usize = 2_000;
/// Patterns of use that are kept.
pub const PATTERNS_KEPT: usize = 1_000;
/// Distinct lines of logs that one run looks at.
pub const LOG_LINES_MAX: usize = 200_000;
/// Characters of a template in a title.
pub const TITLE_TEXT_MAX: usize = 120;
