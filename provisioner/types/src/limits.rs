//! Every bound of this crate, in one place. What lies beyond is refused with its place, never cut silently.

/// Bytes of a spec.
pub const SPEC_BYTES_MAX: usize = 4 << 20;
/// Values, lists and maps in a spec, with those that aliases repeat.
pub const NODES_MAX: usize = 200_000;
/// Lists and maps within lists and maps.
pub const DEPTH_MAX: usize = 24;
/// Resources in a spec.
pub const RESOURCES_MAX: usize = 10_000;
/// Letters of a name. Clouds allow as few as 24 with what Grid puts before it; longer names are cut there and told apart by a hash.
pub const NAME_MAX: usize = 40;
/// Elements of one list or map.
pub const ELEMENTS_MAX: usize = 1_000;
/// Bytes of one text.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// References in one text.
pub const REFERENCES_MAX: usize = 100;
/// Problems that are told; the rest is counted.
pub const PROBLEMS_MAX: usize = 100;
/// Expressions within expressions of a recipe: the recipes are ours, so this only guards against a mistake in one.
pub const EXPRESSION_DEPTH_MAX: usize = 64;

const _: () = assert!(TEXT_BYTES_MAX < SPEC_BYTES_MAX && ELEMENTS_MAX < NODES_MAX && RESOURCES_MAX < NODES_MAX);
