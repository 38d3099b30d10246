//! The bounds of this crate.

/// Bytes of a rule file or unit test file.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// How deep a YAML document may nest.
pub const YAML_DEPTH_MAX: usize = 64;
/// Nodes of a YAML document, those behind aliases counted each time.
pub const YAML_NODES_MAX: usize = 1_000_000;
/// Problems that are told of one file.
pub const PROBLEMS_MAX: usize = 100;

/// Bytes of a template.
pub const TEMPLATE_BYTES_MAX: usize = 64 << 10;
/// How deep blocks, parentheses and calls of templates may nest.
pub const TEMPLATE_DEPTH_MAX: usize = 64;
/// Steps that one expansion may take: nodes and calls.
pub const TEMPLATE_STEPS_MAX: usize = 100_000;
/// Bytes that one expansion may write, and that one value in it may have.
pub const TEMPLATE_OUTPUT_BYTES_MAX: usize = 256 << 10;
/// Queries that one expansion may run.
pub const TEMPLATE_QUERIES_MAX: usize = 32;
/// Bytes of the automaton of a regular expression in a template.
pub const TEMPLATE_REGEX_BYTES_MAX: usize = 1 << 20;
/// The widest and most precise that a verb of `printf` may ask for.
pub const PRINTF_WIDTH_MAX: usize = 4096;

/// Alerts that one rule may keep, besides `limit`.
pub const ALERTS_PER_RULE_MAX: usize = 10_000;

/// Bytes of labels and annotations that the alerts of one rule may have together.
pub const ALERT_TEXT_BYTES_MAX: usize = 16 << 20;

/// Evaluations that one unit test may ask for.
pub const UNIT_TEST_STEPS_MAX: i64 = 10_000_000;

const _: () = assert!(TEMPLATE_OUTPUT_BYTES_MAX <= ALERT_TEXT_BYTES_MAX);
const _: () = assert!(TEMPLATE_BYTES_MAX <= FILE_BYTES_MAX);
const _: () = assert!(PRINTF_WIDTH_MAX <= TEMPLATE_OUTPUT_BYTES_MAX);
