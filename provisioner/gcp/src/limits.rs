//! How much may grow.

use grid_model::time::SECOND_NS;

/// Resources of one page of a listing.
pub const PAGE_ROWS: u32 = 500;
/// Pages that one listing may have; what lies behind the last is an error, not silence.
pub const PAGES_MAX: usize = 200;
/// Calls on their way at the same time.
pub const CALLS_AT_ONCE: usize = 8;
/// Longest time that one call may take before its answer counts as lost.
pub const TIMEOUT_NS: i64 = 60 * SECOND_NS;
/// Between two looks at an operation.
pub const POLL_NS: i64 = 2 * SECOND_NS;
/// Looks at one operation before the runner is told to come again: five minutes.
pub const POLLS_MAX: usize = 150;
/// Letters of a name.
pub const NAME_MAX: usize = 63;
/// Letters of the value of a label.
pub const LABEL_MAX: usize = 63;
