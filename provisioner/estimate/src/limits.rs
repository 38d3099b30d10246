//! Every bound of this crate, in one place. What lies beyond is refused or left out by name, never cut silently.

/// Bytes of a plan's JSON.
pub const PLAN_BYTES_MAX: usize = 64 << 20;
/// Bytes of one `.tf`, `.tfvars`, usage or price file.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// Files of one configuration, all its local modules together.
pub const FILES_MAX: usize = 4_096;
/// Instances of modules, each with its own variables.
pub const MODULES_MAX: usize = 1_024;
/// How deep modules may call modules.
pub const MODULE_DEPTH_MAX: usize = 16;
/// Resources with their instances by `count` and `for_each`.
pub const RESOURCES_MAX: usize = 20_000;
/// Expressions evaluated and values copied while a configuration is read. A thousand resources need about a hundred thousand.
pub const STEPS_MAX: u64 = 4_000_000;
/// Expressions within expressions, through locals, variables and outputs. Each level takes stack.
pub const DEPTH_MAX: u32 = 160;
/// Elements of one list or map that a function builds.
pub const ELEMENTS_MAX: usize = 100_000;
/// Bytes of one text that a template or function builds.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Notes about what could not be read; more are counted.
pub const NOTES_MAX: usize = 200;
/// Rows of a price file.
pub const PRICES_MAX: usize = 1_000_000;
/// Lists and maps within lists and maps.
pub const VALUE_DEPTH_MAX: usize = 200;
