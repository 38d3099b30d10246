//! The bounds of this room.

/// Rule files of a server.
pub const FILES_MAX: usize = 1_000;
/// Groups of one tenant, from files and documents together.
pub const GROUPS_PER_TENANT_MAX: usize = 2_000;
/// Rules of one tenant.
pub const RULES_PER_TENANT_MAX: usize = 20_000;
/// Rows that a rule by SQL may answer.
pub const SQL_ROWS_MAX: usize = 10_000;
/// Notices that are handed to the sink at once.
pub const NOTICES_AT_ONCE: usize = 1_000;
