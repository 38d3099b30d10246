//! The only reader of the wall clock. Everything else takes a time, or a [`Clock`], as an input.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use grid_model::Timestamp;

/// Something that answers the current time.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The current time by the machine's wall clock.
#[allow(clippy::disallowed_methods, reason = "the one place that may")]
pub(crate) fn now() -> Timestamp {
    of_system_time(SystemTime::now())
}

/// The machine's wall clock as a value.
pub(crate) fn system() -> Clock {
    Arc::new(now)
}

/// A file's time, or any other the operating system hands out, as a timestamp.
pub(crate) fn of_system_time(time: SystemTime) -> Timestamp {
    let ns = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
    };
    Timestamp(ns)
}
