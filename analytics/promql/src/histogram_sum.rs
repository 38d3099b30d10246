//! Sum or mean of many native histograms.

use crate::histogram::{CombineError, FloatHistogram, ResetHint};

/// A running sum or mean; exact as [`crate::kahan`] is.
#[derive(Debug, Clone)]
pub(crate) struct HistogramSum {
    mean: bool,
    count: f64,
    total: Option<FloatHistogram>,
    lost: Option<FloatHistogram>,
    incremental: bool,
    found: Found,
    reset_seen: bool,
    no_reset_seen: bool,
}

/// What was met on the way.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Found {
    /// Some said "counter reset", some "no counter reset".
    pub reset_collision: bool,
    /// Custom bounds differed.
    pub bounds_reconciled: bool,
}

impl HistogramSum {
    pub(crate) fn new(mean: bool) -> Self {
        Self {
            mean,
            count: 0.0,
            total: None,
            lost: None,
            incremental: false,
            found: Found::default(),
            reset_seen: false,
            no_reset_seen: false,
        }
    }

    /// Adds one; fails if exponential and custom buckets meet.
    pub(crate) fn add(&mut self, histogram: &FloatHistogram) -> Result<(), CombineError> {
        self.reset_seen |= histogram.reset_hint == ResetHint::CounterReset;
        self.no_reset_seen |= histogram.reset_hint == ResetHint::NotCounterReset;
        self.count += 1.0;
        let Some(total) = &mut self.total else {
            self.total = Some(histogram.clone());
            return Ok(());
        };
        if !self.mean {
            let flags = total.kahan_add(histogram, &mut self.lost)?;
            self.found.bounds_reconciled |= flags.bounds_reconciled;
            return Ok(());
        }
        if !self.incremental {
            let (mut sum, mut lost) = (total.clone(), self.lost.clone());
            let flags = sum.kahan_add(histogram, &mut lost)?;
            self.found.bounds_reconciled |= flags.bounds_reconciled;
            if !sum.has_overflow() {
                (*total, self.lost) = (sum, lost);
                return Ok(());
            }
            self.incremental = true;
            total.div(self.count - 1.0);
            if let Some(lost) = &mut self.lost {
                lost.div(self.count - 1.0);
            }
        }
        let share = (self.count - 1.0) / self.count;
        total.mul(share);
        if let Some(lost) = &mut self.lost {
            lost.mul(share);
        }
        let mut part = histogram.clone();
        part.div(self.count);
        let flags = total.kahan_add(&part, &mut self.lost)?;
        self.found.bounds_reconciled |= flags.bounds_reconciled;
        Ok(())
    }

    /// The sum or mean of both; fails if exponential and custom buckets meet.
    pub(crate) fn absorb(&mut self, mut other: Self) -> Result<(), CombineError> {
        self.reset_seen |= other.reset_seen;
        self.no_reset_seen |= other.no_reset_seen;
        self.found.bounds_reconciled |= other.found.bounds_reconciled;
        let Some(mut theirs) = other.total.take() else { return Ok(()) };
        let Some(own) = &mut self.total else {
            *self = Self { total: Some(theirs), ..other };
            return Ok(());
        };
        let count = self.count + other.count;
        if self.mean && (self.incremental || other.incremental) {
            for (total, lost, n, incremental) in [
                (&mut *own, &mut self.lost, self.count, self.incremental),
                (&mut theirs, &mut other.lost, other.count, other.incremental),
            ] {
                // From a mean or a sum to this part's share of the common mean.
                let factor = if incremental { n / count } else { 1.0 / count };
                total.mul(factor);
                if let Some(lost) = lost {
                    lost.mul(factor);
                }
            }
            self.incremental = true;
        }
        self.found.bounds_reconciled |= own.kahan_add(&theirs, &mut self.lost)?.bounds_reconciled;
        if let Some(lost) = other.lost {
            own.kahan_add(&lost, &mut self.lost)?;
        }
        self.count = count;
        Ok(())
    }

    /// The sum or mean, if anything was added.
    pub(crate) fn finish(self) -> Option<(FloatHistogram, Found)> {
        let mut total = self.total?;
        let mut lost = self.lost;
        if self.mean && !self.incremental {
            total.div(self.count);
            if let Some(lost) = &mut lost {
                lost.div(self.count);
            }
        }
        if let Some(lost) = lost {
            // Of one layout, as `kahan_add` keeps them.
            let hint = total.reset_hint;
            total.add(&lost).ok()?;
            total.reset_hint = hint;
        }
        total.compact(0);
        let reset_collision = self.reset_seen && self.no_reset_seen;
        Some((total, Found { reset_collision, ..self.found }))
    }
}
