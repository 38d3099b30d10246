//! Classic histograms, whose buckets are series with a label `le` and cumulative counts; and plain quantiles.
//!
//! After Prometheus' `promql/quantile.go` and `util/convertnhcb`.

use super::layout::{self, Builder};
use super::{CUSTOM_SCHEMA, FloatHistogram};

/// Two counts that differ by less than this, relatively, are one count with rounding errors.
const SMALL_DELTA: f64 = 1e-12;

/// A classic bucket: how many observations are at most `upper_bound`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassicBucket {
    /// The label `le`.
    pub upper_bound: f64,
    /// Observations up to the bound.
    pub count: f64,
}

/// What had to be done to make counts ascend with their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MonotonicityFix {
    /// A count went down by more than rounding and was raised. Prometheus tells the user.
    pub forced_monotonic: bool,
    /// A count differed by rounding only and was levelled.
    pub fixed_precision: bool,
    /// Lowest bound whose count was raised (+Inf if none).
    pub min_bucket: f64,
    /// Highest bound whose count was raised (-Inf if none).
    pub max_bucket: f64,
    /// By how much at most.
    pub max_diff: f64,
}

/// A quantile of a classic histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketQuantile {
    /// The value.
    pub value: f64,
    /// How the counts were mended.
    pub fix: MonotonicityFix,
}

/// `histogram_quantile` of classic buckets, which this sorts, joins and mends in place. NaN unless the last bound is
/// +Inf, with fewer than two buckets and without observations; -Inf and +Inf for `q` outside 0 to 1.
pub fn bucket_quantile(q: f64, buckets: &mut [ClassicBucket]) -> BucketQuantile {
    let plain = |value| BucketQuantile { value, fix: MonotonicityFix::default() };
    if q.is_nan() {
        return plain(f64::NAN);
    }
    if q < 0.0 {
        return plain(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return plain(f64::INFINITY);
    }
    let Some(buckets) = sort_and_join(buckets) else { return plain(f64::NAN) };
    let fix = ensure_monotonic(buckets);
    let found = |value| BucketQuantile { value, fix };
    let [finite @ .., last] = &*buckets else { return found(f64::NAN) };
    let Some(highest) = finite.last().filter(|_| last.count != 0.0) else { return found(f64::NAN) };
    let mut rank = q * last.count;
    let position =
        finite.partition_point(|bucket| bucket.count.partial_cmp(&rank).is_none_or(std::cmp::Ordering::is_lt));
    let Some(bucket) = finite.get(position) else { return found(highest.upper_bound) };
    let (mut start, mut count) = (0.0, bucket.count);
    match position.checked_sub(1).and_then(|before| finite.get(before)) {
        Some(before) => {
            start = before.upper_bound;
            count -= before.count;
            rank -= before.count;
        }
        None if bucket.upper_bound <= 0.0 => return found(bucket.upper_bound),
        None => {}
    }
    found(start + (bucket.upper_bound - start) * (rank / count))
}

/// `histogram_fraction` of classic buckets, which this sorts and joins in place.
pub fn bucket_fraction(lower: f64, upper: f64, buckets: &mut [ClassicBucket]) -> f64 {
    let Some(buckets) = sort_and_join(buckets) else { return f64::NAN };
    let count = buckets.last().map_or(0.0, |bucket| bucket.count);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let (mut lower_rank, mut upper_rank) = (None, None);
    let mut rank = 0.0;
    let mut start = match buckets.first() {
        Some(first) if first.upper_bound <= 0.0 => f64::NEG_INFINITY,
        _ => 0.0,
    };
    for bucket in &*buckets {
        for (value, found) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
            if found.is_some() {
            } else if start >= value {
                *found = Some(rank);
            } else if bucket.upper_bound > value {
                *found = Some(if start == f64::NEG_INFINITY {
                    bucket.count
                } else {
                    rank + (bucket.count - rank) * (value - start) / (bucket.upper_bound - start)
                });
            }
        }
        (rank, start) = (bucket.count, bucket.upper_bound);
    }
    let limited = |found: Option<f64>| found.filter(|rank| *rank <= count).unwrap_or(count);
    (limited(upper_rank) - limited(lower_rank)) / count
}

/// Sorts by bound and joins equal bounds by adding their counts. `None` if the last bound is not +Inf.
fn sort_and_join(buckets: &mut [ClassicBucket]) -> Option<&mut [ClassicBucket]> {
    buckets.sort_by(|a, b| a.upper_bound.total_cmp(&b.upper_bound));
    if buckets.last()?.upper_bound != f64::INFINITY {
        return None;
    }
    let mut last = 0;
    for position in 1..buckets.len() {
        let bucket = buckets[position];
        if bucket.upper_bound == buckets[last].upper_bound {
            buckets[last].count += bucket.count;
        } else {
            last += 1;
            buckets[last] = bucket;
        }
    }
    buckets.get_mut(..=last)
}

/// Levels rounding differences and raises counts that go down to the one before.
fn ensure_monotonic(buckets: &mut [ClassicBucket]) -> MonotonicityFix {
    let mut fix =
        MonotonicityFix { min_bucket: f64::INFINITY, max_bucket: f64::NEG_INFINITY, ..MonotonicityFix::default() };
    let Some((first, rest)) = buckets.split_first_mut() else { return fix };
    let mut before = first.count;
    for bucket in rest {
        if bucket.count == before {
            continue;
        }
        if almost_equal(before, bucket.count) {
            bucket.count = before;
            fix.fixed_precision = true;
        } else if bucket.count < before {
            fix.forced_monotonic = true;
            fix.min_bucket = fix.min_bucket.min(bucket.upper_bound);
            fix.max_bucket = fix.max_bucket.max(bucket.upper_bound);
            fix.max_diff = fix.max_diff.max(before - bucket.count);
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
    fix
}

/// Prometheus' `almost.Equal` at [`SMALL_DELTA`].
fn almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return super::same_float(a, b);
    }
    if a == b {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SMALL_DELTA * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SMALL_DELTA
}

/// The quantile `q` of values, which this sorts (NaN first), as the aggregation `quantile` and `quantile_over_time`
/// give it: interpolated between the two closest ranks.
pub fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        (false, false) => a.total_cmp(b),
    });
    let rank = q * (values.len() - 1) as f64;
    let floor = rank.floor();
    // `rank` is at most the last index, so these stay inside.
    let lower = (floor as usize).min(values.len() - 1);
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - floor;
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// Why classic buckets make no histogram with custom buckets.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ClassicError {
    /// A bound is NaN.
    #[error("a bucket has the bound NaN: give `le` a number")]
    NanBound,
    /// A count is negative or NaN.
    #[error("the bucket up to {bound} has the count {count}: counts are numbers from 0 on")]
    BadCount {
        /// Its bound.
        bound: f64,
        /// Its count.
        count: f64,
    },
    /// A count goes down.
    #[error(
        "the bucket up to {bound} has the count {count}, a lower one has {lower}: counts of classic buckets are cumulative"
    )]
    NotCumulative {
        /// The bound.
        bound: f64,
        /// Its count.
        count: f64,
        /// The count of the bucket below.
        lower: f64,
    },
    /// The count is not that of the bucket +Inf.
    #[error("the count is {count}, but the bucket up to +Inf has {infinite}: both count all observations")]
    CountMismatch {
        /// The count of the series `_count`.
        count: f64,
        /// The count of the last bucket.
        infinite: f64,
    },
}

/// A histogram with custom buckets out of classic ones: `buckets` in any order (of equal bounds the first counts),
/// `count` and `sum` those of the series `_count` and `_sum`. A missing bucket +Inf is made from the count, a missing
/// count from the last bucket.
pub fn nhcb_from_classic(
    buckets: &[ClassicBucket],
    count: Option<f64>,
    sum: f64,
) -> Result<FloatHistogram, ClassicError> {
    let mut sorted = buckets.to_vec();
    if sorted.iter().any(|bucket| bucket.upper_bound.is_nan()) {
        return Err(ClassicError::NanBound);
    }
    // -0 and 0 are one bound, which the default order of floats would not see.
    sorted.sort_by(|a, b| (a.upper_bound + 0.0).total_cmp(&(b.upper_bound + 0.0)));
    sorted.dedup_by(|later, first| later.upper_bound == first.upper_bound);
    let total = count.or_else(|| sorted.last().map(|bucket| bucket.count)).unwrap_or(0.0);
    match sorted.last() {
        Some(last) if last.upper_bound == f64::INFINITY => {
            if last.count != total {
                return Err(ClassicError::CountMismatch { count: total, infinite: last.count });
            }
        }
        _ => sorted.push(ClassicBucket { upper_bound: f64::INFINITY, count: total }),
    }
    let mut before = 0.0;
    let mut built = Builder::new(sorted.len());
    for (index, bucket) in (0..).zip(&sorted) {
        let ClassicBucket { upper_bound: bound, count } = *bucket;
        if count.is_nan() || count < 0.0 {
            return Err(ClassicError::BadCount { bound, count });
        }
        if count < before {
            return Err(ClassicError::NotCumulative { bound, count, lower: before });
        }
        built.push(index, count - before);
        before = count;
    }
    let (mut positive_spans, mut positive_buckets) = built.finish();
    layout::compact(&mut positive_spans, &mut positive_buckets, 0);
    let finite = sorted.iter().map(|bucket| bucket.upper_bound).filter(|bound| *bound != f64::INFINITY);
    Ok(FloatHistogram {
        schema: CUSTOM_SCHEMA,
        count: total,
        sum,
        positive_spans,
        positive_buckets,
        custom_values: finite.collect(),
        ..FloatHistogram::default()
    })
}
