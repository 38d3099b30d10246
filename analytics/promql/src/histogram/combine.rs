//! Addition and subtraction of histograms that may differ in resolution, zero bucket or custom bounds.
//!
//! What differs is reconciled to what both can express: the lower resolution, a zero bucket wide enough for both that
//! ends at a bucket boundary, the custom bounds that both have. The plain operations and the one with Kahan-Neumaier
//! compensation are the same code over two kinds of [`Cell`].

use std::sync::Arc;

use super::layout::{self, Builder, Cell};
use super::{FloatHistogram, ResetHint, Span, bounds};

/// What a caller may have to tell the user about a sum or difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Combined {
    /// One side said "reset", the other "no reset".
    pub counter_reset_collision: bool,
    /// The custom bounds differed, and only the common ones are left.
    pub bounds_reconciled: bool,
}

/// Why two histograms cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// One has exponential, the other custom buckets.
    #[error("cannot apply this operation on histograms with a mix of exponential and custom bucket schemas")]
    MixedSchemas,
}

impl FloatHistogram {
    /// Adds `other`. The hint becomes what is true of both; the result may have empty buckets, see
    /// [`FloatHistogram::compact`].
    pub fn add(&mut self, other: &Self) -> Result<Combined, CombineError> {
        self.combine(other, false)
    }

    /// Subtracts `other`. PromQL's operator `-` also makes the result a gauge; this does not.
    pub fn sub(&mut self, other: &Self) -> Result<Combined, CombineError> {
        self.combine(other, true)
    }

    /// Adds `other` and collects what rounding loses in `compensation`, which starts as `None`, belongs to `self` alone
    /// and must be scaled whenever `self` is. In the end, [`FloatHistogram::add`] it.
    pub fn kahan_add(&mut self, other: &Self, compensation: &mut Option<Self>) -> Result<Combined, CombineError> {
        let counter_reset_collision = self.check_and_adjust(other)?;
        let mut lost = match compensation.take() {
            Some(lost) if lost.same_layout(self) => lost,
            Some(lost) => {
                // Somebody compacted or reduced one without the other.
                self.combine(&lost, false)?;
                self.nothing_lost()
            }
            None => self.nothing_lost(),
        };
        kahan_step(other.count, &mut self.count, &mut lost.count);
        kahan_step(other.sum, &mut self.sum, &mut lost.sum);
        let mut bounds_reconciled = false;
        if self.same_layout(other) && !self.reaches_into_zero_bucket() {
            kahan_step(other.zero_count, &mut self.zero_count, &mut lost.zero_count);
            kahan_steps(&other.positive_buckets, &mut self.positive_buckets, &mut lost.positive_buckets);
            kahan_steps(&other.negative_buckets, &mut self.negative_buckets, &mut lost.negative_buckets);
        } else {
            let mut own = Terms::compensated(self, &lost);
            bounds_reconciled = own.combine(Terms::uncompensated(other), false);
            own.split_into(self, &mut lost);
        }
        lost.reset_hint = self.reset_hint;
        *compensation = Some(lost);
        Ok(Combined { counter_reset_collision, bounds_reconciled })
    }

    fn combine(&mut self, other: &Self, negative: bool) -> Result<Combined, CombineError> {
        let counter_reset_collision = self.check_and_adjust(other)?;
        let sign = |value: f64| if negative { -value } else { value };
        self.count += sign(other.count);
        self.sum += sign(other.sum);
        let mut bounds_reconciled = false;
        if self.same_layout(other) && !self.reaches_into_zero_bucket() {
            self.zero_count += sign(other.zero_count);
            let own = self.positive_buckets.iter_mut().chain(&mut self.negative_buckets);
            for (bucket, more) in own.zip(other.positive_buckets.iter().chain(&other.negative_buckets)) {
                *bucket += sign(*more);
            }
        } else {
            let mut own = Terms::take(self);
            bounds_reconciled = own.combine(Terms::take(&mut other.clone()), negative);
            own.put_into(self);
        }
        Ok(Combined { counter_reset_collision, bounds_reconciled })
    }

    /// Refuses mixed schemas, then makes the hint true of both. Gives whether the hints contradict each other.
    fn check_and_adjust(&mut self, other: &Self) -> Result<bool, CombineError> {
        if self.uses_custom_buckets() != other.uses_custom_buckets() {
            return Err(CombineError::MixedSchemas);
        }
        let (hint, collision) = match (self.reset_hint, other.reset_hint) {
            (own, others) if own == others => (own, false),
            (ResetHint::Gauge, _) | (_, ResetHint::Gauge) => (ResetHint::Gauge, false),
            (ResetHint::Unknown, _) | (_, ResetHint::Unknown) => (ResetHint::Unknown, false),
            _ => (ResetHint::Unknown, true),
        };
        self.reset_hint = hint;
        Ok(collision)
    }

    /// Whether counts can be added one by one.
    pub(super) fn same_layout(&self, other: &Self) -> bool {
        self.schema == other.schema
            && self.zero_threshold == other.zero_threshold
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && self.positive_buckets.len() == other.positive_buckets.len()
            && self.negative_buckets.len() == other.negative_buckets.len()
            && same_bounds(&self.custom_values, &other.custom_values)
    }

    /// Whether a bucket lies within the zero bucket; such buckets of the other summand are left out.
    pub(super) fn reaches_into_zero_bucket(&self) -> bool {
        let within = |spans: &[Span]| {
            self.zero_threshold != 0.0
                && spans
                    .first()
                    .is_some_and(|span| bounds::bound(i64::from(span.offset), self.schema, &[]) <= self.zero_threshold)
        };
        !self.uses_custom_buckets() && (within(&self.positive_spans) || within(&self.negative_spans))
    }

    fn nothing_lost(&self) -> Self {
        Self {
            reset_hint: self.reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            positive_spans: self.positive_spans.clone(),
            negative_spans: self.negative_spans.clone(),
            positive_buckets: vec![0.0; self.positive_buckets.len()],
            negative_buckets: vec![0.0; self.negative_buckets.len()],
            custom_values: self.custom_values.clone(),
            ..Self::default()
        }
    }
}

/// Whether two lists of custom bounds are the same.
pub(super) fn same_bounds(a: &Arc<[f64]>, b: &Arc<[f64]>) -> bool {
    Arc::ptr_eq(a, b) || (a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.to_bits() == b.to_bits()))
}

/// The bounds that both ascending lists have.
pub(super) fn common_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut others = b.iter().peekable();
    a.iter()
        .copied()
        .filter(|bound| {
            while others.next_if(|other| *other < bound).is_some() {}
            others.next_if(|other| *other == bound).is_some()
        })
        .collect()
}

/// The counts of custom buckets, one per bucket of coarser bounds and one for +Inf.
pub(super) fn regroup<T: Cell>(spans: &[Span], buckets: &[T], bounds: &[f64], coarser: &[f64]) -> Vec<T> {
    let mut grouped = vec![T::ZERO; coarser.len() + 1];
    add_regrouped(&mut grouped, spans, buckets, bounds, coarser, false);
    grouped
}

fn add_regrouped<T: Cell>(
    into: &mut [T],
    spans: &[Span],
    buckets: &[T],
    bounds: &[f64],
    coarser: &[f64],
    negative: bool,
) {
    let mut group = 0;
    for (index, count) in layout::ascending(layout::indexed(spans, buckets)) {
        let upper = usize::try_from(index)
            .map_or(f64::NEG_INFINITY, |index| bounds.get(index).copied().unwrap_or(f64::INFINITY));
        while coarser.get(group).is_some_and(|bound| *bound < upper) {
            group += 1;
        }
        if let Some(cell) = into.get_mut(group) {
            *cell = cell.plus(if negative { count.negated() } else { count });
        }
    }
}

/// One step of Kahan's summation in Neumaier's form: adds to a sum and keeps what the addition rounds away.
pub(super) fn kahan_step(increment: f64, sum: &mut f64, lost: &mut f64) {
    let total = *sum + increment;
    if total.is_infinite() {
        *lost = 0.0;
    } else if sum.abs() >= increment.abs() {
        *lost += (*sum - total) + increment;
    } else {
        *lost += (increment - total) + *sum;
    }
    *sum = total;
}

fn kahan_steps(increments: &[f64], sums: &mut [f64], lost: &mut [f64]) {
    for ((increment, sum), lost) in increments.iter().zip(sums).zip(lost) {
        kahan_step(*increment, sum, lost);
    }
}

/// A count and what rounding took from it.
#[derive(Debug, Clone, Copy)]
struct Compensated {
    sum: f64,
    lost: f64,
}

impl Cell for Compensated {
    const ZERO: Self = Self { sum: 0.0, lost: 0.0 };

    fn plus(mut self, other: Self) -> Self {
        kahan_step(other.sum, &mut self.sum, &mut self.lost);
        self.lost += other.lost;
        self
    }

    fn negated(self) -> Self {
        Self { sum: -self.sum, lost: -self.lost }
    }

    fn is_zero(self) -> bool {
        self.sum == 0.0 && self.lost == 0.0
    }
}

/// The positive or the negative buckets.
#[derive(Debug)]
struct Side<T> {
    spans: Vec<Span>,
    buckets: Vec<T>,
}

/// The counts of a histogram, of either kind.
#[derive(Debug)]
struct Terms<T> {
    schema: i32,
    zero_threshold: f64,
    zero_count: T,
    positive: Side<T>,
    negative: Side<T>,
    bounds: Arc<[f64]>,
}

impl Terms<f64> {
    fn take(from: &mut FloatHistogram) -> Self {
        use std::mem::take;
        Self {
            schema: from.schema,
            zero_threshold: from.zero_threshold,
            zero_count: from.zero_count,
            positive: Side { spans: take(&mut from.positive_spans), buckets: take(&mut from.positive_buckets) },
            negative: Side { spans: take(&mut from.negative_spans), buckets: take(&mut from.negative_buckets) },
            bounds: take(&mut from.custom_values),
        }
    }

    fn put_into(self, to: &mut FloatHistogram) {
        (to.schema, to.zero_threshold, to.zero_count) = (self.schema, self.zero_threshold, self.zero_count);
        (to.positive_spans, to.positive_buckets) = (self.positive.spans, self.positive.buckets);
        (to.negative_spans, to.negative_buckets) = (self.negative.spans, self.negative.buckets);
        to.custom_values = self.bounds;
    }
}

impl Terms<Compensated> {
    fn compensated(sum: &FloatHistogram, lost: &FloatHistogram) -> Self {
        let pairs = |sums: &[f64], lost: &[f64]| {
            sums.iter().zip(lost).map(|(sum, lost)| Compensated { sum: *sum, lost: *lost }).collect()
        };
        Self {
            schema: sum.schema,
            zero_threshold: sum.zero_threshold,
            zero_count: Compensated { sum: sum.zero_count, lost: lost.zero_count },
            positive: Side {
                spans: sum.positive_spans.clone(),
                buckets: pairs(&sum.positive_buckets, &lost.positive_buckets),
            },
            negative: Side {
                spans: sum.negative_spans.clone(),
                buckets: pairs(&sum.negative_buckets, &lost.negative_buckets),
            },
            bounds: sum.custom_values.clone(),
        }
    }

    fn uncompensated(of: &FloatHistogram) -> Self {
        Self::compensated(of, &of.nothing_lost())
    }

    fn split_into(self, sum: &mut FloatHistogram, lost: &mut FloatHistogram) {
        let split = |cells: &[Compensated]| cells.iter().map(|cell| (cell.sum, cell.lost)).unzip();
        (sum.positive_buckets, lost.positive_buckets) = split(&self.positive.buckets);
        (sum.negative_buckets, lost.negative_buckets) = split(&self.negative.buckets);
        (sum.zero_count, lost.zero_count) = (self.zero_count.sum, self.zero_count.lost);
        for to in [sum, lost] {
            (to.schema, to.zero_threshold) = (self.schema, self.zero_threshold);
            to.positive_spans.clone_from(&self.positive.spans);
            to.negative_spans.clone_from(&self.negative.spans);
            to.custom_values = self.bounds.clone();
        }
    }
}

impl<T: Cell> Terms<T> {
    /// Adds or subtracts; both have exponential or both have custom buckets. Gives whether custom bounds were dropped.
    fn combine(&mut self, mut other: Self, negative: bool) -> bool {
        if self.schema == super::CUSTOM_SCHEMA {
            return self.combine_custom(&other, negative);
        }
        let zero_count = self.reconcile_zero_buckets(&other);
        self.zero_count = self.zero_count.plus(if negative { zero_count.negated() } else { zero_count });
        let schema = self.schema.min(other.schema);
        self.reduce(schema);
        other.reduce(schema);
        let threshold = self.zero_threshold;
        for (own, others) in [(&mut self.positive, &other.positive), (&mut self.negative, &other.negative)] {
            (own.spans, own.buckets) =
                layout::merge((&own.spans, &own.buckets), (&others.spans, &others.buckets), negative, |index| {
                    bounds::bound(index, schema, &[]) <= threshold
                });
        }
        false
    }

    fn combine_custom(&mut self, other: &Self, negative: bool) -> bool {
        let (own, others) = (&self.positive, &other.positive);
        if same_bounds(&self.bounds, &other.bounds) {
            let merged =
                layout::merge((&own.spans, &own.buckets), (&others.spans, &others.buckets), negative, |_| false);
            self.positive = Side { spans: merged.0, buckets: merged.1 };
            return false;
        }
        let common = common_bounds(&self.bounds, &other.bounds);
        let mut grouped = regroup(&own.spans, &own.buckets, &self.bounds, &common);
        add_regrouped(&mut grouped, &others.spans, &others.buckets, &other.bounds, &common, negative);
        let mut built = Builder::new(grouped.len());
        for (index, cell) in (0..).zip(grouped).filter(|(_, cell)| !cell.is_zero()) {
            built.push(index, cell);
        }
        let (spans, buckets) = built.finish();
        self.positive = Side { spans, buckets };
        self.bounds = common.into();
        true
    }

    fn reduce(&mut self, schema: i32) {
        if schema == self.schema {
            return;
        }
        for side in [&mut self.positive, &mut self.negative] {
            (side.spans, side.buckets) = layout::reduce(&side.spans, &side.buckets, self.schema, schema);
        }
        self.schema = schema;
    }

    /// Widens the own zero bucket until both zero buckets fit into it and it cuts no populated bucket of either. Gives
    /// the zero count that the other has then.
    fn reconcile_zero_buckets(&mut self, other: &Self) -> T {
        let (mut count, mut threshold) = (other.zero_count, other.zero_threshold);
        loop {
            if self.zero_threshold > threshold {
                (count, threshold) = zero_count_at(other, self.zero_threshold);
            } else if threshold > self.zero_threshold {
                (self.zero_count, self.zero_threshold) = zero_count_at(self, threshold);
                self.drop_buckets_in_zero_bucket();
            } else {
                return count;
            }
        }
    }

    fn drop_buckets_in_zero_bucket(&mut self) {
        for side in [&mut self.positive, &mut self.negative] {
            let within = layout::indexed(&side.spans, &side.buckets)
                .take_while(|(index, _)| bounds::bound(index - 1, self.schema, &[]) < self.zero_threshold)
                .count();
            for bucket in side.buckets.iter_mut().take(within) {
                *bucket = T::ZERO;
            }
            layout::compact(&mut side.spans, &mut side.buckets, 0);
        }
    }
}

fn zero_count_at<T: Cell>(terms: &Terms<T>, threshold: f64) -> (T, f64) {
    let sides = [
        (terms.positive.spans.as_slice(), terms.positive.buckets.as_slice()),
        (terms.negative.spans.as_slice(), terms.negative.buckets.as_slice()),
    ];
    widened_zero_count(terms.zero_count, sides, terms.schema, threshold)
}

/// What a zero bucket of count `zero_count` would hold if it reached to `threshold`. A threshold inside a populated
/// bucket moves to that bucket's end; the moved threshold is given, too.
pub(super) fn widened_zero_count<T: Cell>(
    zero_count: T,
    sides: [(&[Span], &[T]); 2],
    schema: i32,
    mut threshold: f64,
) -> (T, f64) {
    // A second pass counts what a moved threshold takes in. Boundaries are the same on both sides: a third finds
    // nothing new.
    loop {
        let (mut count, start) = (zero_count, threshold);
        for (spans, buckets) in sides {
            for (index, bucket) in layout::ascending(layout::indexed(spans, buckets)) {
                if bounds::bound(index - 1, schema, &[]) >= threshold {
                    break;
                }
                count = count.plus(bucket);
                let end = bounds::bound(index, schema, &[]);
                if end > threshold {
                    if !bucket.is_zero() {
                        threshold = end;
                    }
                    break;
                }
            }
        }
        if threshold > start {
            continue;
        }
        return (count, threshold);
    }
}
