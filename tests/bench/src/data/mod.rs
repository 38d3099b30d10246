//! What is sent: made from seeds, like what real senders send.

pub(crate) mod wire;
pub(crate) mod node;
pub(crate) mod containers;
pub(crate) mod service;
pub(crate) mod lines;
pub(crate) mod spans;
pub(crate) mod bills;
pub(crate) mod openmetrics;

use grid_tests::now_ns;

const SECOND_MS: i64 = 1000;
/// Compaction leaves the last two hours alone while rows arrive; what is measured compacted ends before.
const WINDOW_MS: i64 = 2 * 3600 * SECOND_MS;
const CLOSED_AFTER_MS: i64 = 16 * 60 * SECOND_MS;

/// The latest end of a window of two hours that has been over long enough to be compacted, in milliseconds.
pub(crate) fn closed_end_ms() -> i64 {
    (now_ns() / 1_000_000 - CLOSED_AFTER_MS).div_euclid(WINDOW_MS) * WINDOW_MS
}

/// The time, in milliseconds.
pub(crate) fn now_ms() -> i64 {
    now_ns() / 1_000_000
}
