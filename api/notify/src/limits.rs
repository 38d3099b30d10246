//! Every bound of this crate, in one place. Those of the policy are in `grid_notify_policy::limits`.

use std::time::Duration;

/// Deliveries under way at once, to all targets together.
pub const IN_FLIGHT_MAX: usize = 256;
/// Alerts of one call of [`crate::Notifier::take`].
pub const ALERTS_PER_TAKE_MAX: usize = 10_000;
/// Tenants that may have alerts or webhooks.
pub const TENANTS_MAX: usize = 10_000;
/// Webhooks of one tenant.
pub const WEBHOOKS_MAX: usize = 100;
/// Deliveries of one tenant that are kept for the record, delivered ones and dead letters each.
pub const RECORDS_PER_TENANT_MAX: i64 = 10_000;
/// For how long delivered ones are kept, in nanoseconds.
pub const DELIVERED_KEPT_NS: i64 = 7 * grid_model::time::DAY_NS;
/// Bytes of a receiver's answer that are read.
pub const ANSWER_BYTES_MAX: usize = 4 << 10;
/// Characters of an error that are kept.
pub const ERROR_CHARS_MAX: usize = 400;
/// Bytes of a file that holds a secret.
pub const SECRET_BYTES_MAX: u64 = 64 << 10;
/// How often what is old is forgotten.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(60);
/// How long the loop sleeps at most.
pub const SLEEP_MAX: Duration = Duration::from_secs(5);
/// How long to wait after the database has failed.
pub const DATABASE_PAUSE: Duration = Duration::from_secs(1);
/// How long a webhook's former secret signs beside the new one, in nanoseconds.
pub const SECRET_OVERLAP_NS: i64 = grid_model::time::DAY_NS;
