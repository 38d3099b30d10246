//! Quantiles, fractions and moments of a native histogram.
//!
//! Observations are taken to lie evenly in a bucket: on a logarithmic scale in exponential buckets, on a linear one in
//! custom buckets and in the zero bucket. After Prometheus' `promql/quantile.go` and `histogramVariance`.

use super::combine::kahan_step;
use super::{Bucket, FloatHistogram};

/// What NaN observations, which are counted but are in no bucket, did to a quantile. Prometheus tells the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NanEffect {
    /// Nothing.
    #[default]
    None,
    /// "input to histogram_quantile has NaN observations, result is NaN".
    ResultIsNan,
    /// "input to histogram_quantile has NaN observations, result is skewed higher".
    SkewedHigher,
}

/// A quantile of a native histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The value.
    pub value: f64,
    /// What NaN observations did to it.
    pub nan_effect: NanEffect,
}

/// A fraction of a native histogram's observations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fraction {
    /// Between 0 and 1.
    pub value: f64,
    /// "input to histogram_fraction has NaN observations, which are excluded from all fractions".
    pub nan_observations: bool,
}

impl FloatHistogram {
    /// The value below which the fraction `q` of the observations lies (`histogram_quantile`). -Inf below 0, +Inf above
    /// 1, NaN for NaN or without observations.
    pub fn quantile(&self, q: f64) -> Quantile {
        let plain = |value| Quantile { value, nan_effect: NanEffect::None };
        if q < 0.0 {
            return plain(f64::NEG_INFINITY);
        }
        if q > 1.0 {
            return plain(f64::INFINITY);
        }
        if self.count == 0.0 || q.is_nan() {
            return plain(f64::NAN);
        }
        // NaN observations make the sum NaN and rank above all buckets, so ranks then count from below.
        let forward = self.sum.is_nan() || q < 0.5;
        let mut rank = if forward { q * self.count } else { (1.0 - q) * self.count };
        let mut buckets = self.all_buckets();
        let mut advance = || if forward { buckets.next() } else { buckets.next_back() };
        let mut bucket =
            Bucket { lower: 0.0, upper: 0.0, lower_inclusive: false, upper_inclusive: false, count: 0.0, index: 0 };
        let mut count = 0.0;
        while let Some(next) = advance() {
            bucket = next;
            count += bucket.count;
            if bucket.count != 0.0 && count >= rank {
                break;
            }
        }
        if self.uses_custom_buckets() {
            if bucket.lower == f64::NEG_INFINITY {
                if bucket.upper <= 0.0 {
                    return plain(bucket.upper);
                }
                bucket.lower = 0.0;
            } else if bucket.upper == f64::INFINITY {
                return plain(bucket.lower);
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            self.limit_to_one_side(&mut bucket);
        }
        // Rounding may make the buckets hold more than the count.
        count = count.min(self.count);
        if count < rank {
            return if self.sum.is_nan() {
                Quantile { value: f64::NAN, nan_effect: NanEffect::ResultIsNan }
            } else {
                plain(bucket.upper)
            };
        }
        rank = if forward { rank - (count - bucket.count) } else { count - rank };
        let mut nan_effect = NanEffect::None;
        if self.sum.is_nan() {
            // Infinities of both signs make the sum NaN, too, but they are in buckets. Prometheus goes on with the
            // last bucket that this walk sees, and so must we.
            while let Some(next) = advance() {
                bucket = next;
                count += bucket.count;
            }
            if count < self.count {
                nan_effect = NanEffect::SkewedHigher;
            }
        }
        let within = rank / bucket.count;
        let value = if self.uses_custom_buckets() || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
            bucket.lower + (bucket.upper - bucket.lower) * within
        } else {
            let (log_lower, log_upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
            if bucket.lower > 0.0 {
                (log_lower + (log_upper - log_lower) * within).exp2()
            } else {
                -(log_upper + (log_lower - log_upper) * (1.0 - within)).exp2()
            }
        };
        Quantile { value, nan_effect }
    }

    /// In a histogram of one side only, the zero bucket reaches to zero but not beyond.
    fn limit_to_one_side(&self, bucket: &mut Bucket) {
        match (self.negative_buckets.is_empty(), self.positive_buckets.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            _ => {}
        }
    }

    /// The fraction of observations between two values (`histogram_fraction`): NaN for a NaN or without observations, 0
    /// if `lower >= upper`.
    pub fn fraction(&self, lower: f64, upper: f64) -> Fraction {
        let plain = |value| Fraction { value, nan_observations: false };
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return plain(f64::NAN);
        }
        if lower >= upper {
            return plain(0.0);
        }
        let (mut count, mut rank) = (0.0, 0.0);
        let (mut lower_rank, mut upper_rank) = (None, None);
        for mut bucket in self.all_buckets() {
            count += bucket.count;
            if lower_rank.is_some() && upper_rank.is_some() {
                continue;
            }
            let holds_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            if holds_zero {
                self.limit_to_one_side(&mut bucket);
            }
            let linear = self.uses_custom_buckets() || holds_zero;
            for (value, found) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
                if found.is_some() {
                } else if bucket.lower >= value {
                    *found = Some(rank);
                } else if bucket.upper > value {
                    *found = Some(rank_in_bucket(&bucket, value, rank, linear));
                }
            }
            rank += bucket.count;
        }
        let nan_observations = self.sum.is_nan() && count < self.count;
        if !self.sum.is_nan() {
            count = self.count;
        }
        let limited = |found: Option<f64>| found.filter(|rank| *rank <= count).unwrap_or(count);
        Fraction { value: (limited(upper_rank) - limited(lower_rank)) / self.count, nan_observations }
    }

    /// Variance of the observations (`histogram_stdvar`), each taken to be at the middle of its bucket: the geometric one
    /// for exponential, the arithmetic one for custom buckets, zero for the zero bucket.
    pub fn stdvar(&self) -> f64 {
        let mean = self.avg();
        let (mut variance, mut lost) = (0.0, 0.0);
        for bucket in self.all_buckets().filter(|bucket| bucket.count != 0.0) {
            let middle = if self.uses_custom_buckets() {
                (bucket.upper + bucket.lower) / 2.0
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
            };
            let distance = middle - mean;
            kahan_step(bucket.count * distance * distance, &mut variance, &mut lost);
        }
        (variance + lost) / self.count
    }

    /// Standard deviation of the observations (`histogram_stddev`).
    pub fn stddev(&self) -> f64 {
        self.stdvar().sqrt()
    }
}

/// The rank of a value inside a bucket before which `rank` observations lie.
fn rank_in_bucket(bucket: &Bucket, value: f64, rank: f64, linear: bool) -> f64 {
    if linear {
        // Nothing can be said of a place in a bucket without lower end: all of it counts as below.
        if bucket.lower == f64::NEG_INFINITY {
            return bucket.count;
        }
        return rank + bucket.count * (value - bucket.lower) / (bucket.upper - bucket.lower);
    }
    let [log_lower, log_upper, log_value] = [bucket.lower, bucket.upper, value].map(|bound| bound.abs().log2());
    let within = if value > 0.0 {
        (log_value - log_lower) / (log_upper - log_lower)
    } else {
        1.0 - (log_value - log_upper) / (log_lower - log_upper)
    };
    rank + bucket.count * within
}
