//! Every bound of a statement's text.

/// Bytes of one statement's text.
pub const STATEMENT_BYTES_MAX: usize = 1 << 20;
/// Parameters of one statement.
pub const PARAMETERS_MAX: usize = 4096;
/// Nesting of expressions and subqueries that is read.
pub const NESTING_MAX: usize = 128;
/// Operators and keywords of one statement: a chain of them is a tree as deep as it is long.
pub const LINKS_MAX: usize = 10_000;
