//! Buckets with their boundaries, in ascending order (and, through `.rev()`, in descending order).

use super::{FloatHistogram, bounds, layout};

/// One bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Lower boundary.
    pub lower: f64,
    /// Upper boundary.
    pub upper: f64,
    /// Whether the lower boundary belongs to it.
    pub lower_inclusive: bool,
    /// Whether the upper boundary belongs to it.
    pub upper_inclusive: bool,
    /// Observations.
    pub count: f64,
    /// Index within its schema and side; 0 and meaningless for the zero bucket.
    pub index: i64,
}

/// A populated bucket as Prometheus' HTTP API gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApiBucket {
    /// 0: (lower, upper], 1: [lower, upper), 2: (lower, upper), 3: [lower, upper].
    pub boundary_rule: u8,
    /// Lower boundary.
    pub lower: f64,
    /// Upper boundary.
    pub upper: f64,
    /// Observations.
    pub count: f64,
}

impl FloatHistogram {
    /// Positive buckets (for custom buckets: all), ascending, the empty ones that are explicit included.
    pub fn positive(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        layout::indexed(&self.positive_spans, &self.positive_buckets).map(|(index, count)| {
            let lower = bounds::bound(index - 1, self.schema, &self.custom_values);
            let upper = bounds::bound(index, self.schema, &self.custom_values);
            let (lower_inclusive, upper_inclusive) =
                if self.uses_custom_buckets() { (index == 0, true) } else { (lower < 0.0, upper > 0.0) };
            Bucket { lower, upper, lower_inclusive, upper_inclusive, count, index }
        })
    }

    /// Negative buckets from zero downwards, that is in descending order.
    pub fn negative(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        layout::indexed(&self.negative_spans, &self.negative_buckets).map(|(index, count)| {
            let lower = -bounds::bound(index, self.schema, &[]);
            let upper = -bounds::bound(index - 1, self.schema, &[]);
            Bucket { lower, upper, lower_inclusive: lower < 0.0, upper_inclusive: upper > 0.0, count, index }
        })
    }

    /// The zero bucket.
    pub fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
            index: 0,
        }
    }

    /// Negative, zero and positive buckets, ascending. The zero bucket comes only if it is populated; a bucket that it
    /// overlaps is cut at the zero threshold.
    pub fn all_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        let zero = (self.zero_count > 0.0 && !self.uses_custom_buckets()).then(|| self.zero_bucket());
        self.negative().rev().chain(zero).chain(self.positive()).map(|bucket| self.cut(bucket))
    }

    fn cut(&self, mut bucket: Bucket) -> Bucket {
        if bucket.upper < 0.0 && bucket.upper > -self.zero_threshold {
            bucket.upper = -self.zero_threshold;
        } else if bucket.lower > 0.0 && bucket.lower < self.zero_threshold {
            bucket.lower = self.zero_threshold;
        }
        bucket
    }

    /// Populated buckets, ascending, as the HTTP API lists them (`[rule, "lower", "upper", "count"]`).
    pub fn api_buckets(&self) -> impl Iterator<Item = ApiBucket> + '_ {
        self.all_buckets().filter(|bucket| bucket.count != 0.0).map(|bucket| ApiBucket {
            boundary_rule: match (bucket.lower_inclusive, bucket.upper_inclusive) {
                (false, true) => 0,
                (true, false) => 1,
                (false, false) => 2,
                (true, true) => 3,
            },
            lower: bucket.lower,
            upper: bucket.upper,
            count: bucket.count,
        })
    }
}
