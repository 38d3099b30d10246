//! What may grow with a file, and how far.

/// Rows shown of a rule that is violated.
pub const EXAMPLES_MAX: usize = 5;
/// Characters of a value that an example shows.
pub const EXAMPLE_CHARS_MAX: usize = 120;
/// Keys that a rule across rows keeps apart (SKUs, commitments, accounts). Rows of further keys are counted, not compared.
pub const KEYS_MAX: usize = 100_000;
/// Bytes that all keys and values of one rule across rows may hold.
pub const KEY_BYTES_MAX: usize = 32 << 20;
/// Distinct texts of a column (tags, units) whose verdict is remembered; further ones are read anew each time.
pub const TEXTS_MAX: usize = 4096;
/// Bytes of a text that is remembered.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Columns of a header that are looked at.
pub const HEADER_MAX: usize = 4096;

const _: () = assert!(EXAMPLES_MAX < KEYS_MAX && TEXT_BYTES_MAX <= KEY_BYTES_MAX);
