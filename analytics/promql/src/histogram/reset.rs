//! Counter resets between two samples of a histogram.

use super::{FloatHistogram, ResetHint, bounds, combine, layout};

impl FloatHistogram {
    /// Whether this sample, which follows `previous`, starts after a counter reset: its hint says so or, if the hint is
    /// unknown (or a gauge's, which PromQL treats as a counter where it needs one), a count went down, a populated
    /// bucket is gone, the resolution went up or the zero bucket shrank. Sums may go down without a reset.
    pub fn detect_reset(&self, previous: &Self) -> bool {
        match self.reset_hint {
            ResetHint::CounterReset => return true,
            ResetHint::NotCounterReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.uses_custom_buckets() {
            if !previous.uses_custom_buckets() {
                return true;
            }
            if !combine::same_bounds(&self.custom_values, &previous.custom_values) {
                return self.lost_custom_counts(previous);
            }
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        if self.same_layout(previous) && !self.reaches_into_zero_bucket() {
            let own = self.positive_buckets.iter().chain(&self.negative_buckets);
            let mut pairs = own.zip(previous.positive_buckets.iter().chain(&previous.negative_buckets));
            return self.zero_count < previous.zero_count || pairs.any(|(own, before)| own < before);
        }
        let sides = [
            (previous.positive_spans.as_slice(), previous.positive_buckets.as_slice()),
            (previous.negative_spans.as_slice(), previous.negative_buckets.as_slice()),
        ];
        let (previous_zero_count, threshold) = if self.zero_threshold > previous.zero_threshold {
            combine::widened_zero_count(previous.zero_count, sides, previous.schema, self.zero_threshold)
        } else {
            (previous.zero_count, self.zero_threshold)
        };
        // A threshold that had to move lies in a populated bucket, which only a restarted client does.
        if threshold > self.zero_threshold || self.zero_count < previous_zero_count {
            return true;
        }
        let own = [(&self.positive_spans, &self.positive_buckets), (&self.negative_spans, &self.negative_buckets)];
        own.into_iter().zip(sides).any(|(own, before)| {
            let before = layout::reducing(before.0, before.1, previous.schema, self.schema);
            lost_counts(
                layout::ascending(layout::indexed(own.0, own.1)).skip_while(|at| self.in_zero_bucket(at.0)),
                before.skip_while(|at| self.in_zero_bucket(at.0)),
            )
        })
    }

    fn in_zero_bucket(&self, index: i64) -> bool {
        self.zero_threshold != 0.0
            && bounds::is_exponential(self.schema)
            && bounds::bound(index, self.schema, &[]) <= self.zero_threshold
    }

    /// With different custom bounds, whether a count between bounds that both have went down.
    fn lost_custom_counts(&self, previous: &Self) -> bool {
        let common = combine::common_bounds(&self.custom_values, &previous.custom_values);
        let [own, before] = [self, previous].map(|histogram| {
            combine::regroup(&histogram.positive_spans, &histogram.positive_buckets, &histogram.custom_values, &common)
        });
        own.iter().zip(&before).any(|(own, before)| own < before)
    }
}

/// Whether a bucket holds less than before; one that is gone holds nothing.
fn lost_counts(own: impl Iterator<Item = (i64, f64)>, before: impl Iterator<Item = (i64, f64)>) -> bool {
    let mut own = own.peekable();
    for (index, count) in before {
        while own.next_if(|(other, _)| *other < index).is_some() {}
        match own.peek() {
            Some((other, held)) if *other == index => {
                if *held < count {
                    return true;
                }
            }
            _ => {
                if count != 0.0 {
                    return true;
                }
            }
        }
    }
    false
}
