//! How much may grow.

/// Days of cost that are looked at.
pub const COST_DAYS_MAX: usize = 400;
/// Rows (combinations of dimensions) of one account that are looked at, the dearest first.
pub const COST_ROWS_MAX: usize = 5_000;
/// Slices of one account that are watched, the dearest first.
pub const COST_SLICES_MAX: usize = 400;
/// Rows out of which patterns of a cause are made.
pub const CAUSE_ROWS_MAX: usize = 64;
/// Causes that a finding names.
pub const CAUSES_MAX: usize = 5;
/// Buckets of one series.
pub const BUCKETS_MAX: usize = 20_000;
/// Series that are watched in one run of one watcher.
pub const SERIES_MAX: usize = 5_000;
/// Anomalies that one run of one job reports, the strangest first.
pub const ANOMALIES_MAX: usize = 1_000;
/// Recommendations of a tenant.
pub const RECOMMENDATIONS_MAX: usize = 5_000;
/// Resources of one kind that are looked at.
pub const RESOURCES_MAX: usize = 20_000;
/// Machine types of a region that are compared.
pub const OFFERS_MAX: usize = 5_000;
/// Machines of one group that are proposed.
pub const FLEET_MACHINES_MAX: usize = 10_000;
/// Workloads whose requests are looked at in one run.
pub const WORKLOADS_MAX: usize = 5_000;
/// Templates of logs of one service.
pub const TEMPLATES_MAX: usize = 2_000;

const _: () = assert!(CAUSE_ROWS_MAX <= COST_ROWS_MAX && CAUSES_MAX <= CAUSE_ROWS_MAX);
