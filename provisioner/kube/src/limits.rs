//! How much may grow.

use grid_model::time::{HOUR_NS, SECOND_NS};

/// Objects of one page of a listing.
pub const PAGE_OBJECTS: u32 = 250;
/// Pages that one listing may have; what lies behind the last is an error, not silence.
pub const PAGES_MAX: usize = 200;
/// Rows of one inventory.
pub const ROWS_MAX: usize = 200_000;
/// Calls on their way at the same time.
pub const CALLS_AT_ONCE: usize = 8;
/// Longest time that one call may take before its answer counts as lost.
pub const TIMEOUT_NS: i64 = 30 * SECOND_NS;
/// When to come again to something that is on its way to another state.
pub const SETTLE_NS: i64 = 5 * SECOND_NS;
/// Longest wait that the cluster may ask for.
pub const RETRY_AFTER_NS_MAX: i64 = HOUR_NS;
/// Letters of a name that is made: pods add theirs, and the whole is a name of DNS of 63.
pub const NAME_MAX: usize = 52;
/// Bytes that are kept of what a cluster says about a failure.
pub const WHY_BYTES_MAX: usize = 500;
/// Fields that one refusal names.
pub const OWNED_MAX: usize = 20;
/// Nested keys that are followed in a list of owned fields.
pub const DEPTH_MAX: usize = 64;

const _: () = assert!(SETTLE_NS < TIMEOUT_NS);
