//! Prometheus' float native histogram: what PromQL computes with when a sample is a distribution.
//!
//! The behaviour is that of Prometheus 3.14 (`model/histogram/float_histogram.go`, `generic.go`, `promql/quantile.go`);
//! the representation is too, so that a histogram that came in goes out with the same buckets. Every operation is total:
//! the fields are public and come from the network, so a span list that lies about its buckets loses buckets, never a
//! thread. [`FloatHistogram::validate`] says whether it lies.

use std::sync::Arc;

pub use grid_model::histogram::Span;

/// Bucket boundaries of a schema.
mod bounds;
/// Spans and the buckets that they place.
mod layout;
/// Walking buckets with their boundaries.
mod iterate;
/// Addition and subtraction.
mod combine;
/// Counter resets.
mod reset;
/// Quantiles, fractions and moments of a native histogram.
mod quantile;
/// Quantiles and fractions of classic (`le`) buckets, and plain quantiles.
mod classic;
/// The operators `</` and `>/`.
mod trim;
/// To and from [`grid_model::Histogram`], and validation.
mod model;
/// The text forms.
pub mod text;
#[cfg(test)]
mod tests;

pub use classic::{
    BucketQuantile, ClassicBucket, ClassicError, MonotonicityFix, bucket_fraction, bucket_quantile, nhcb_from_classic,
    quantile,
};
pub use combine::{CombineError, Combined};
pub use iterate::{ApiBucket, Bucket};
pub use model::HistogramError;
pub use quantile::{Fraction, NanEffect, Quantile};

/// The schema of custom buckets (NHCB).
pub const CUSTOM_SCHEMA: i32 = -53;
/// The coarsest exponential schema.
pub const MIN_SCHEMA: i32 = -4;
/// The finest exponential schema.
pub const MAX_SCHEMA: i32 = 8;

/// Whether a histogram is known to start after a counter reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResetHint {
    /// Not known; compare with the sample before.
    #[default]
    Unknown,
    /// A reset happened right before this sample.
    CounterReset,
    /// No reset happened right before this sample.
    NotCounterReset,
    /// A gauge: resets mean nothing.
    Gauge,
}

/// A histogram with fractional, absolute counts.
///
/// `==` is Prometheus' `Equals`: counts bit by bit (a NaN equals a NaN unless one is the stale marker), buckets by
/// their place whatever the spans that say it, and the reset hint not at all.
#[derive(Debug, Clone, Default)]
pub struct FloatHistogram {
    /// What is known of counter resets.
    pub reset_hint: ResetHint,
    /// Resolution: -4 to 8 for exponential buckets, [`CUSTOM_SCHEMA`] for custom ones.
    pub schema: i32,
    /// Half the width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Sum of observations; NaN with the stale bits marks the end of a series.
    pub sum: f64,
    /// Where the positive buckets lie (for custom buckets: all buckets).
    pub positive_spans: Vec<Span>,
    /// Where the negative buckets lie.
    pub negative_spans: Vec<Span>,
    /// Counts of the positive buckets.
    pub positive_buckets: Vec<f64>,
    /// Counts of the negative buckets.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds of custom buckets, ascending, without +Inf. Empty for exponential schemas.
    pub custom_values: Arc<[f64]>,
}

impl FloatHistogram {
    /// Whether the buckets have custom bounds.
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_SCHEMA
    }

    /// Average observation (`histogram_avg`); NaN without observations.
    pub fn avg(&self) -> f64 {
        self.sum / self.count
    }

    /// Multiplies every count and the sum. A negative factor makes a gauge.
    pub fn mul(&mut self, factor: f64) -> &mut Self {
        self.scale(|value| value * factor);
        if factor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
        self
    }

    /// Divides every count and the sum. A negative divisor makes a gauge; dividing by zero drops all buckets but the zero
    /// bucket.
    pub fn div(&mut self, divisor: f64) -> &mut Self {
        if divisor == 0.0 {
            self.positive_spans.clear();
            self.positive_buckets.clear();
            self.negative_spans.clear();
            self.negative_buckets.clear();
        }
        self.scale(|value| value / divisor);
        if divisor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
        self
    }

    /// Unary minus, which is multiplication by -1: the result is a gauge.
    pub fn neg(&mut self) -> &mut Self {
        self.mul(-1.0)
    }

    fn scale(&mut self, by: impl Fn(f64) -> f64) {
        self.zero_count = by(self.zero_count);
        self.count = by(self.count);
        self.sum = by(self.sum);
        for bucket in self.positive_buckets.iter_mut().chain(&mut self.negative_buckets) {
            *bucket = by(*bucket);
        }
    }

    /// Whether any count or the sum is infinite, which tells averages to go on incrementally.
    pub fn has_overflow(&self) -> bool {
        self.zero_count.is_infinite()
            || self.count.is_infinite()
            || self.sum.is_infinite()
            || self.positive_buckets.iter().chain(&self.negative_buckets).any(|bucket| bucket.is_infinite())
    }

    /// Whether this is a stale marker.
    pub fn is_stale(&self) -> bool {
        grid_model::histogram::is_stale(self.sum)
    }

    /// Number of explicit buckets, the zero bucket aside.
    pub fn bucket_count(&self) -> usize {
        self.positive_buckets.len() + self.negative_buckets.len()
    }

    /// Bytes held, as Prometheus counts them (`Size`), for query memory limits.
    pub fn size_bytes(&self) -> usize {
        168 + 8
            * (self.positive_spans.len() + self.negative_spans.len() + self.bucket_count() + self.custom_values.len())
    }

    /// Removes empty buckets. Runs of at most `max_empty` empty buckets between two populated ones stay (or become)
    /// explicit; `0` keeps populated buckets only. What a large `max_empty` may add is bounded (`layout::MAX_FILL`).
    pub fn compact(&mut self, max_empty: usize) -> &mut Self {
        layout::compact(&mut self.positive_spans, &mut self.positive_buckets, max_empty);
        layout::compact(&mut self.negative_spans, &mut self.negative_buckets, max_empty);
        self
    }

    /// Lowers the resolution in place; an error for custom buckets or a schema that is not lower.
    pub fn reduce_resolution(&mut self, schema: i32) -> Result<(), HistogramError> {
        if self.uses_custom_buckets() || !bounds::is_exponential(self.schema) {
            return Err(HistogramError::NoResolution { schema: self.schema });
        }
        if !bounds::is_exponential(schema) || schema >= self.schema {
            return Err(HistogramError::HigherResolution { from: self.schema, to: schema });
        }
        (self.positive_spans, self.positive_buckets) =
            layout::reduce(&self.positive_spans, &self.positive_buckets, self.schema, schema);
        (self.negative_spans, self.negative_buckets) =
            layout::reduce(&self.negative_spans, &self.negative_buckets, self.schema, schema);
        self.schema = schema;
        Ok(())
    }

    /// A copy at `schema`, which must not be higher than the own; the same schema (also the custom one) gives a clone.
    pub fn copy_to_schema(&self, schema: i32) -> Result<Self, HistogramError> {
        let mut copy = self.clone();
        if schema != self.schema {
            copy.reduce_resolution(schema)?;
            // Prometheus' `CopyToSchema` copies everything but the hint when it does change the schema.
            copy.reset_hint = ResetHint::Unknown;
        }
        Ok(copy)
    }
}

impl PartialEq for FloatHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema
            && same_float(self.count, other.count)
            && same_float(self.sum, other.sum)
            && self.zero_threshold == other.zero_threshold
            && same_float(self.zero_count, other.zero_count)
            && combine::same_bounds(&self.custom_values, &other.custom_values)
            && layout::same(
                &self.positive_spans,
                &self.positive_buckets,
                &other.positive_spans,
                &other.positive_buckets,
            )
            && layout::same(
                &self.negative_spans,
                &self.negative_buckets,
                &other.negative_spans,
                &other.negative_buckets,
            )
    }
}

/// Bit equality, except that the many NaNs that arithmetic makes are one; the stale marker stays apart.
fn same_float(a: f64, b: f64) -> bool {
    use grid_model::histogram::is_stale;
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan() && is_stale(a) == is_stale(b))
}
