//! The bounds on what one item may hold. What exceeds them is rejected with a reason that names the bound.

use grid_model::time::{HOUR_NS, Timestamp};

/// Bounds that a decoder applies to each item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Labels per series or stream.
    pub labels_max: usize,
    /// Bytes of a label's name.
    pub label_name_bytes_max: usize,
    /// Bytes of a label's value.
    pub label_value_bytes_max: usize,
    /// Attributes per record, span, data point, resource or scope.
    pub attributes_max: usize,
    /// Bytes of one attribute's value at rest (JSON text).
    pub attribute_value_bytes_max: usize,
    /// Bytes of a log body.
    pub log_body_bytes_max: usize,
    /// Events or links per span.
    pub span_items_max: usize,
    /// Buckets, spans or quantiles per distribution.
    pub histogram_buckets_max: usize,
    /// How far in the future a row may lie, in nanoseconds; there is no bound on the past.
    pub future_ns_max: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            labels_max: 128,
            label_name_bytes_max: 1024,
            label_value_bytes_max: 4096,
            attributes_max: 256,
            attribute_value_bytes_max: 64 * 1024,
            log_body_bytes_max: 1024 * 1024,
            span_items_max: 1024,
            histogram_buckets_max: 8192,
            future_ns_max: 24 * HOUR_NS,
        }
    }
}

impl Limits {
    /// Checks that a row's time is not too far in the future.
    pub fn check_time(&self, time: Timestamp, now: Timestamp) -> Result<(), String> {
        if time > now.saturating_add(self.future_ns_max) {
            let hours = self.future_ns_max / HOUR_NS;
            return Err(format!("time {time} lies more than {hours} h in the future"));
        }
        Ok(())
    }
}
