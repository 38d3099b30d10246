//! How much may grow.

use grid_model::time::{HOUR_NS, MINUTE_NS, SECOND_NS};

/// Times that one call is tried.
pub const TRIES_MAX: u32 = 8;
/// Longest wait between two tries.
pub const WAIT_NS_MAX: i64 = 5 * MINUTE_NS;
/// First wait between two tries.
pub const WAIT_NS_MIN: i64 = SECOND_NS;
/// Bytes of one entry of a journal.
pub const ENTRY_BYTES_MAX: usize = 64 * 1024;
/// Entries that a journal holds of one plan: each step has an intent and an outcome, and may be repeated.
pub const ENTRIES_MAX: usize = 1_000_000;
/// Repairs that are remembered of one resource.
pub const REPAIRS_MAX: usize = 1_000;
/// Longest window in which a change is verified.
pub const VERIFY_NS_MAX: i64 = 31 * 24 * HOUR_NS;
/// Rows of one inventory.
pub const ROWS_MAX: usize = 200_000;
/// When to come again to something that is on its way to another state.
pub const SETTLE_NS: i64 = 15 * SECOND_NS;
/// Longest wait that a cloud may ask for.
pub const RETRY_AFTER_NS_MAX: i64 = HOUR_NS;
/// Bytes that are kept of what a cloud says about a failure.
pub const WHY_BYTES_MAX: usize = 500;

const _: () = assert!(WAIT_NS_MIN < WAIT_NS_MAX);
