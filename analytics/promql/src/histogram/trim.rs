//! The operators `</` and `>/`: only the observations below or above a value.
//!
//! Buckets on the kept side stay, the one that holds the value is interpolated, the others go. The sum cannot be known
//! then, so it is estimated from the middles of what is left. After `TrimBuckets` in Prometheus' `float_histogram.go`.

use super::{Bucket, FloatHistogram};

/// Which side of the value stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Below,
    Above,
}

impl FloatHistogram {
    /// Keeps the observations below `value` (`histogram </ value`).
    #[must_use]
    pub fn trim_upper(&self, value: f64) -> Self {
        self.trimmed(value, Keep::Below)
    }

    /// Keeps the observations above `value` (`histogram >/ value`).
    #[must_use]
    pub fn trim_lower(&self, value: f64) -> Self {
        self.trimmed(value, Keep::Above)
    }

    fn trimmed(&self, value: f64, keep: Keep) -> Self {
        let mut trimmed = self.clone();
        let mut tally = Tally::default();
        let linear = self.uses_custom_buckets();
        let mut seen = [false, false];
        for (positive, seen) in [true, false].into_iter().zip(&mut seen) {
            let buckets = if positive { &mut trimmed.positive_buckets } else { &mut trimmed.negative_buckets };
            let mut trim = |bucket: Bucket, kept: &mut f64| {
                if bucket.count == 0.0 {
                    return;
                }
                *seen = true;
                let (whole, part) = match keep {
                    Keep::Below => (bucket.upper <= value, bucket.lower < value),
                    Keep::Above => (bucket.lower >= value, bucket.upper > value),
                };
                if whole {
                    tally.add(bucket.count, middle(bucket.lower, bucket.upper, positive, linear));
                    return;
                }
                let (count, middle) =
                    if part { cut_bucket(&bucket, value, keep, positive, linear) } else { (0.0, 0.0) };
                if part {
                    tally.add(count, middle);
                }
                tally.changed |= !part || *kept != count;
                *kept = count;
            };
            if positive {
                self.positive().zip(buckets).for_each(|(bucket, kept)| trim(bucket, kept));
            } else {
                self.negative().zip(buckets).for_each(|(bucket, kept)| trim(bucket, kept));
            }
        }
        if self.zero_count > 0.0 {
            let (count, middle) = cut_zero_bucket(&self.zero_bucket(), value, keep, seen);
            tally.changed |= trimmed.zero_count != count;
            trimmed.zero_count = count;
            tally.add(count, middle);
        }
        if tally.changed {
            (trimmed.count, trimmed.sum) = (tally.count, tally.sum);
            trimmed.compact(0);
        }
        trimmed
    }
}

/// What is left.
#[derive(Debug, Default)]
struct Tally {
    count: f64,
    sum: f64,
    changed: bool,
}

impl Tally {
    fn add(&mut self, count: f64, middle: f64) {
        self.count += count;
        self.sum += middle * count;
    }
}

/// Count and middle of what is left of the bucket that holds `value`.
fn cut_bucket(bucket: &Bucket, value: f64, keep: Keep, positive: bool, linear: bool) -> (f64, f64) {
    if bucket.lower == f64::NEG_INFINITY || bucket.upper == f64::INFINITY {
        return cut_infinite_bucket(bucket, value, keep);
    }
    let below = count_below(bucket, value, positive, linear);
    match keep {
        Keep::Below => (below, middle(bucket.lower, value, positive, linear)),
        Keep::Above => (bucket.count - below, middle(value, bucket.upper, positive, linear)),
    }
}

/// In a bucket without end the observations lie nobody knows where: it goes or stays as a whole, except that one between
/// -Inf and a positive bound is taken to start at 0, as the first classic bucket is.
fn cut_infinite_bucket(bucket: &Bucket, value: f64, keep: Keep) -> (f64, f64) {
    let finite = |bound: f64| if bound.is_infinite() { 0.0 } else { bound };
    let Bucket { lower, upper, count, .. } = *bucket;
    match keep {
        Keep::Below if lower == f64::NEG_INFINITY => {
            if value >= upper {
                (count, 0.0)
            } else if value > 0.0 && upper > 0.0 && upper != f64::INFINITY {
                (count * value / upper, value / 2.0)
            } else if upper <= 0.0 {
                (count, value)
            } else {
                (0.0, finite(upper))
            }
        }
        Keep::Above if lower == f64::NEG_INFINITY => {
            if value <= lower {
                (count, 0.0)
            } else if value >= 0.0 && upper > value && upper != f64::INFINITY {
                (count * (1.0 - value / upper), (value + upper) / 2.0)
            } else {
                (0.0, finite(upper))
            }
        }
        Keep::Below => (0.0, finite(lower)),
        Keep::Above if value >= lower => (count, value),
        Keep::Above => (0.0, finite(lower)),
    }
}

/// How many observations of a bucket are at most `value`.
fn count_below(bucket: &Bucket, value: f64, positive: bool, linear: bool) -> f64 {
    if value <= bucket.lower {
        return 0.0;
    }
    if value >= bucket.upper {
        return bucket.count;
    }
    let within = if linear {
        (value - bucket.lower) / (bucket.upper - bucket.lower)
    } else {
        let [log_lower, log_upper, log_value] = [bucket.lower, bucket.upper, value].map(|bound| bound.abs().log2());
        if positive {
            (log_value - log_lower) / (log_upper - log_lower)
        } else {
            1.0 - (log_value - log_upper) / (log_lower - log_upper)
        }
    };
    bucket.count * within
}

/// Count and middle of what is left of the zero bucket, which lies on one side of zero if all other buckets do.
fn cut_zero_bucket(zero: &Bucket, value: f64, keep: Keep, [positive, negative]: [bool; 2]) -> (f64, f64) {
    let lower = if positive && !negative { 0.0 } else { zero.lower };
    let upper = if negative && !positive { 0.0 } else { zero.upper };
    let whole = (zero.count, (lower + upper) / 2.0);
    match keep {
        Keep::Below if value <= lower => (0.0, 0.0),
        Keep::Below if value >= upper => whole,
        Keep::Below => (zero.count * ((value - lower) / (upper - lower)), (lower + value) / 2.0),
        Keep::Above if value <= lower => whole,
        Keep::Above if value >= upper => (0.0, 0.0),
        Keep::Above => (zero.count * ((upper - value) / (upper - lower)), (value + upper) / 2.0),
    }
}

/// The observation that stands for all between two bounds: the arithmetic mean in custom, the geometric one in exponential
/// buckets, the finite bound if the other is not.
fn middle(lower: f64, upper: f64, positive: bool, linear: bool) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) if linear => (lower + upper) / 2.0,
        (false, false) => {
            let mean = (lower * upper).abs().sqrt();
            if positive { mean } else { -mean }
        }
    }
}
