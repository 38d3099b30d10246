//! Every bound of the allocation, in one place.

/// Bytes of an `allocation.toml`.
pub const RULES_BYTES_MAX: usize = 1 << 20;
/// Rules of one file.
pub const RULES_MAX: usize = 5_000;
/// Fields (columns, tags) that one file of rules may look at: each is a column of the query that reads charges.
pub const FIELDS_MAX: usize = 128;
/// Targets of one split.
pub const TARGETS_MAX: usize = 10_000;
/// Owners whose direct cost is kept to split shared cost in proportion; beyond them an allocation is refused.
pub const OWNERS_MAX: usize = 100_000;
/// Mistakes of one file that are told.
pub const MISTAKES_MAX: usize = 20;
/// Characters of an owner's or another dimension's value; the rest is cut, tags being foreign text.
pub const VALUE_CHARS_MAX: usize = 256;
/// Rates of one table of exchange rates.
pub const RATES_MAX: usize = 100_000;
