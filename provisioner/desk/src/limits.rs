//! How much may grow.

use grid_model::time::{DAY_NS, HOUR_NS, SECOND_NS};

/// Environments of a tenant.
pub const ENVIRONMENTS_MAX: usize = 200;
/// Plans of an environment that are kept; the oldest that no release needs go first.
pub const PLANS_KEPT: usize = 200;
/// Releases of an environment that have ended and are kept.
pub const RELEASES_KEPT: usize = 500;
/// Things that happened to one release that are kept.
pub const EVENTS_MAX: usize = 200;
/// Gates of an environment.
pub const GATES_MAX: usize = 20;
/// Freezes of an environment.
pub const FREEZES_MAX: usize = 50;
/// Conditions of an environment that repair something.
pub const CONDITIONS_MAX: usize = 20;
/// Bytes of a condition's query.
pub const QUERY_BYTES_MAX: usize = 4_096;
/// Checks of an environment.
pub const CHECKS_MAX: usize = 100;
/// Bytes of a check's expression, and of what it says.
pub const CHECK_BYTES_MAX: usize = 1_000;
/// Calls in one expression that go through a list: each multiplies the work.
pub const CHECK_LOOPS_MAX: usize = 2;
/// Votes on one release.
pub const VOTES_MAX: usize = 100;
/// Accepted recommendations of an environment that are kept.
pub const ACTIONS_KEPT: usize = 1_000;
/// Scaling policies of a tenant.
pub const POLICIES_MAX: usize = 200;
/// Steps of a history that a policy is simulated on.
pub const HISTORY_STEPS_MAX: usize = 1_000_000;
/// Records of who did what of a tenant that are kept.
pub const AUDIT_KEPT: i64 = 100_000;
/// Answers to requests with an idempotency key of a tenant that are kept.
pub const ANSWERS_KEPT: i64 = 10_000;
/// Longest idempotency key in bytes.
pub const KEY_BYTES_MAX: usize = 255;
/// Longest text that a person gives as a reason, in bytes.
pub const NOTE_BYTES_MAX: usize = 2_048;
/// Bytes of a report, a price file or a usage file that an environment keeps.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Events that a listener may be behind before it misses some.
pub const LISTENER_BEHIND_MAX: usize = 1_024;
/// Rounds of work that one call does before it lets others in.
pub const ROUNDS_MAX: usize = 1_000;
/// How long an approval by vote holds, in nanoseconds.
pub const APPROVAL_HOLDS_NS: i64 = 7 * DAY_NS;
/// How long a change is watched unless the environment says otherwise, in nanoseconds.
pub const VERIFY_NS: i64 = DAY_NS;
/// How often a change that is watched is read back from its driver, in nanoseconds.
pub const VERIFY_EVERY_NS: i64 = 60 * SECOND_NS;
/// Changes of which it is remembered when they were read back.
pub const VERIFIED_MAX: usize = 100_000;
/// How often it is looked whether a recommendation is to be accepted by itself, in nanoseconds.
pub const ADVICE_EVERY_NS: i64 = 60 * SECOND_NS;
/// Recommendations of an environment that are held with their reasons.
pub const ADVICE_MAX: usize = 100;
/// Resources that drivers have found for a tenant that are kept.
pub const INVENTORY_MAX: usize = 100_000;
/// How often bills are asked for the saving of a change, in nanoseconds.
pub const BILLED_EVERY_NS: i64 = HOUR_NS;
/// How long the record that allows a run holds, in nanoseconds: a run that takes longer is asked for anew.
pub const RUN_NS_MAX: i64 = 6 * HOUR_NS;

const _: () = assert!(PLANS_KEPT >= 10 && RELEASES_KEPT >= 10);
