//! How much may grow.

use grid_model::time::{HOUR_NS, SECOND_NS};

/// Pages that one listing may have; what lies behind the last is an error, not silence.
pub const PAGES_MAX: usize = 100;
/// Resources that one listing may give.
pub const LISTED_MAX: usize = 20_000;
/// Rows of one inventory.
pub const ROWS_MAX: usize = 200_000;
/// Calls on their way at the same time.
pub const CALLS_AT_ONCE: usize = 8;
/// Longest time that one call may take before its answer counts as lost.
pub const TIMEOUT_NS: i64 = 60 * SECOND_NS;
/// Longest time in which a connection has to stand.
pub const CONNECT_NS: i64 = 10 * SECOND_NS;
/// When to come again to something that is on its way to another state.
pub const SETTLE_NS: i64 = 15 * SECOND_NS;
/// Longest wait that the cloud may ask for.
pub const RETRY_AFTER_NS_MAX: i64 = HOUR_NS;
/// Letters of a name that every service takes.
pub const NAME_MAX: usize = 40;
/// Bytes of a tag's value.
pub const TAG_BYTES_MAX: usize = 256;
/// Bytes that are kept of what a cloud says about a failure.
pub const WHY_BYTES_MAX: usize = 500;

const _: () = assert!(CONNECT_NS < TIMEOUT_NS);
const _: () = assert!(PAGES_MAX <= LISTED_MAX && LISTED_MAX <= ROWS_MAX);
