//! Bounds of what is read and waited for.

use std::time::Duration;

/// Bytes of a plan or a state as JSON.
pub const JSON_BYTES_MAX: usize = 64 << 20;
/// Bytes of what a program says of itself that are kept, from its end.
pub const SAID_BYTES_MAX: usize = 16 << 10;
/// Bytes of one error that are told.
pub const WHY_BYTES_MAX: usize = 2_000;
/// Bytes of what Grid keeps of one module.
pub const RECORD_BYTES_MAX: u64 = 32 << 20;
/// Bytes of a file of overrides.
pub const OVERRIDE_BYTES_MAX: u64 = 1 << 20;
/// Changes that are told of one plan.
pub const CHANGES_TOLD_MAX: usize = 20;
/// How long anything but applying may take.
pub const LOOK_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// How long applying may take before its answer counts as lost.
pub const APPLY_TIME_MAX: Duration = Duration::from_secs(3 * 60 * 60);
/// How long a copy waits for a module that is being changed.
pub const COPY_WAIT_MAX: Duration = Duration::from_secs(5 * 60);
/// How long Terraform waits for a state that somebody else holds, as it spells it.
pub const LOCK_TIMEOUT: &str = "20s";
