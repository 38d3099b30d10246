//! How much may grow.

use grid_model::time::{MINUTE_NS, SECOND_NS};

/// Pages that one listing may have; what lies behind the last is an error, not silence.
pub const PAGES_MAX: usize = 200;
/// Calls on their way at the same time.
pub const CALLS_AT_ONCE: usize = 8;
/// Bytes of one answer.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest time that one call may take before its answer counts as lost.
pub const TIMEOUT_NS: i64 = 60 * SECOND_NS;
/// Between two looks at an operation, where the cloud does not say.
pub const POLL_NS: i64 = 5 * SECOND_NS;
/// Longest wait between two looks, whatever the cloud says.
pub const POLL_NS_MAX: i64 = MINUTE_NS;
/// Looks at one operation before the runner is told to come again.
pub const POLLS_MAX: usize = 60;
/// How long before its end a token is not used any more.
pub const TOKEN_MARGIN_NS: i64 = 5 * MINUTE_NS;
