//! Every bound of this crate, in one place.

/// Alerts that one tenant may have, resolved ones included until they are forgotten.
pub const ALERTS_PER_TENANT_MAX: usize = 50_000;
/// Labels, and likewise annotations, of one alert.
pub const LABELS_MAX: usize = 128;
/// Bytes of all names and values of one alert's labels and annotations.
pub const ALERT_BYTES_MAX: usize = 64 << 10;
/// Groups of one tenant; beyond them new alerts of a route share one group.
pub const GROUPS_PER_TENANT_MAX: usize = 10_000;
/// Alerts in one message; `truncatedAlerts` says how many more there were.
pub const ALERTS_PER_MESSAGE_MAX: usize = 1_000;
/// Alerts that a chat card or a mail lists; the rest is a count.
pub const ALERTS_SHOWN_MAX: usize = 20;
/// Silences of one tenant, expired ones included until they are forgotten.
pub const SILENCES_MAX: usize = 10_000;
/// Matchers of one silence, route or side of an inhibition rule.
pub const MATCHERS_MAX: usize = 64;
/// Bytes of one matcher as written.
pub const MATCHER_BYTES_MAX: usize = 4 << 10;
/// Bytes that one compiled regular expression may take.
pub const REGEX_BYTES_MAX: usize = 1 << 20;
/// Bytes of a configuration.
pub const CONFIG_BYTES_MAX: usize = 4 << 20;
/// Routes of a configuration.
pub const ROUTES_MAX: usize = 10_000;
/// How deep routes may be nested.
pub const ROUTE_DEPTH_MAX: usize = 64;
/// Deliveries that wait for one target; beyond them the oldest is set aside as a dead letter.
pub const QUEUE_PER_TARGET_MAX: usize = 10_000;
/// Deliveries under way to one target at once, each of another group.
pub const IN_FLIGHT_PER_TARGET_MAX: usize = 4;
/// How long an expired silence is remembered, in nanoseconds. As Alertmanager's `--data.retention`.
pub const RETENTION_NS: i64 = 120 * grid_model::time::HOUR_NS;
/// How long a resolved alert is kept for Alertmanagers that have not taken it yet, in nanoseconds. As Prometheus does.
pub const RESOLVED_KEPT_NS: i64 = 15 * grid_model::time::MINUTE_NS;

const _: () = assert!(ALERTS_SHOWN_MAX <= ALERTS_PER_MESSAGE_MAX);
