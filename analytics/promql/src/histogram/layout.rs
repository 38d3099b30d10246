//! Where buckets lie: spans on one side, counts on the other, and the walks over both.
//!
//! Everything goes through [`Indexed`], which stops at whichever of the two ends first, and [`Builder`], which writes
//! canonical spans. So the work of any operation is bounded by the number of counts, whatever the spans claim.

use super::Span;

/// How many empty buckets [`compact`] may add to one side.
pub(super) const MAX_FILL: usize = 1 << 16;

/// What a bucket holds while it is worked on: a count, or a count with its rounding error.
pub(super) trait Cell: Copy {
    /// Nothing counted.
    const ZERO: Self;
    /// The sum.
    fn plus(self, other: Self) -> Self;
    /// The negative.
    fn negated(self) -> Self;
    /// Whether it may be dropped.
    fn is_zero(self) -> bool;
}

impl Cell for f64 {
    const ZERO: Self = 0.0;

    fn plus(self, other: Self) -> Self {
        self + other
    }

    fn negated(self) -> Self {
        -self
    }

    fn is_zero(self) -> bool {
        self == 0.0
    }
}

/// Counts with their bucket indexes, from either end.
#[derive(Debug, Clone)]
pub(super) struct Indexed<'a, T> {
    spans: &'a [Span],
    buckets: &'a [T],
    front: Cursor,
    back: Cursor,
}

/// Between two buckets: the index of the one after, if the span goes on.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    span: usize,
    in_span: u32,
    bucket: usize,
    index: i64,
}

/// Walks `buckets` at the places that `spans` give them.
pub(super) fn indexed<'a, T: Copy>(spans: &'a [Span], buckets: &'a [T]) -> Indexed<'a, T> {
    let first = spans.first().map_or(0, |span| i64::from(span.offset));
    let front = Cursor { index: first, ..Cursor::default() };
    let mut back = Cursor::default();
    for (position, span) in spans.iter().enumerate() {
        let left = buckets.len() - back.bucket;
        if left == 0 {
            break;
        }
        let taken = u32::try_from(left).map_or(span.length, |left| left.min(span.length));
        back = Cursor {
            span: position,
            in_span: taken,
            bucket: back.bucket + taken as usize,
            index: back.index + i64::from(span.offset) + i64::from(taken),
        };
    }
    Indexed { spans, buckets, front, back }
}

impl<T: Copy> Iterator for Indexed<'_, T> {
    type Item = (i64, T);

    fn next(&mut self) -> Option<Self::Item> {
        if self.front.bucket >= self.back.bucket {
            return None;
        }
        while self.front.in_span >= self.spans.get(self.front.span)?.length {
            self.front.span += 1;
            self.front.in_span = 0;
            self.front.index += i64::from(self.spans.get(self.front.span)?.offset);
        }
        let found = (self.front.index, *self.buckets.get(self.front.bucket)?);
        self.front.in_span += 1;
        self.front.bucket += 1;
        self.front.index += 1;
        Some(found)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.back.bucket.saturating_sub(self.front.bucket);
        (left, Some(left))
    }
}

impl<T: Copy> DoubleEndedIterator for Indexed<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front.bucket >= self.back.bucket {
            return None;
        }
        while self.back.in_span == 0 {
            self.back.index -= i64::from(self.spans.get(self.back.span)?.offset);
            self.back.span = self.back.span.checked_sub(1)?;
            self.back.in_span = self.spans.get(self.back.span)?.length;
        }
        self.back.in_span -= 1;
        self.back.bucket -= 1;
        self.back.index -= 1;
        Some((self.back.index, *self.buckets.get(self.back.bucket)?))
    }
}

/// Writes buckets in ascending order as canonical spans: none empty, no two that touch.
pub(super) struct Builder<T> {
    spans: Vec<Span>,
    buckets: Vec<T>,
    next: i64,
}

impl<T: Copy> Builder<T> {
    /// With room for so many buckets.
    pub(super) fn new(capacity: usize) -> Self {
        Self { spans: Vec::new(), buckets: Vec::with_capacity(capacity), next: 0 }
    }

    /// Adds the bucket at `index`, which must be beyond the last one.
    pub(super) fn push(&mut self, index: i64, bucket: T) {
        match self.spans.last_mut() {
            Some(span) if index == self.next && span.length < u32::MAX => span.length += 1,
            _ => self.spans.push(Span { offset: narrow(index - self.next), length: 1 }),
        }
        self.buckets.push(bucket);
        self.next = index.saturating_add(1);
    }

    /// Spans and counts.
    pub(super) fn finish(self) -> (Vec<Span>, Vec<T>) {
        (self.spans, self.buckets)
    }
}

/// An offset as spans hold it. Only a histogram that [`check`] refuses gets beyond.
pub(super) fn narrow(index: i64) -> i32 {
    i32::try_from(index).unwrap_or(if index < 0 { i32::MIN } else { i32::MAX })
}

/// Adds the buckets of `b` (or their negatives) to those of `a`. Buckets of `b` before the first for which `skip` is
/// false are left out: they are in the zero bucket already.
pub(super) fn merge<T: Cell>(
    a: (&[Span], &[T]),
    b: (&[Span], &[T]),
    negative: bool,
    skip: impl Fn(i64) -> bool,
) -> (Vec<Span>, Vec<T>) {
    let mut merged = Builder::new(a.1.len().max(b.1.len()));
    let mut left = ascending(indexed(a.0, a.1)).peekable();
    let right = ascending(indexed(b.0, b.1)).skip_while(|(index, _)| skip(*index));
    for (index, count) in right {
        let count = if negative { count.negated() } else { count };
        while let Some((before, kept)) = left.next_if(|(other, _)| *other < index) {
            merged.push(before, kept);
        }
        match left.next_if(|(other, _)| *other == index) {
            Some((_, kept)) => merged.push(index, kept.plus(count)),
            None => merged.push(index, count),
        }
    }
    for (index, kept) in left {
        merged.push(index, kept);
    }
    merged.finish()
}

/// Drops buckets that step back, which negative offsets inside a span list would make.
pub(super) fn ascending<T: Copy>(walk: Indexed<'_, T>) -> impl Iterator<Item = (i64, T)> {
    let mut last = i64::MIN;
    walk.filter(move |(index, _)| {
        let fits = *index > last;
        last = last.max(*index);
        fits
    })
}

/// The bucket at a lower resolution that takes up the bucket `index`.
pub(super) fn target_index(index: i64, from: i32, to: i32) -> i64 {
    let steps = u32::try_from(i64::from(from) - i64::from(to)).unwrap_or(0).min(62);
    (index.saturating_sub(1) >> steps) + 1
}

/// Merges buckets into those of a lower schema.
pub(super) fn reduce<T: Cell>(spans: &[Span], buckets: &[T], from: i32, to: i32) -> (Vec<Span>, Vec<T>) {
    let mut reduced = Builder::new(buckets.len());
    for (index, count) in reducing(spans, buckets, from, to) {
        reduced.push(index, count);
    }
    reduced.finish()
}

/// Walks buckets as [`reduce`] would merge them.
pub(super) fn reducing<'a, T: Cell>(
    spans: &'a [Span],
    buckets: &'a [T],
    from: i32,
    to: i32,
) -> impl Iterator<Item = (i64, T)> + 'a {
    let mut walk =
        ascending(indexed(spans, buckets)).map(move |(index, count)| (target_index(index, from, to), count)).peekable();
    std::iter::from_fn(move || {
        let (index, mut count) = walk.next()?;
        while let Some((_, more)) = walk.next_if(|(next, _)| *next == index) {
            count = count.plus(more);
        }
        Some((index, count))
    })
}

/// Removes empty buckets but for runs of at most `max_empty` between populated ones, which are made explicit.
pub(super) fn compact<T: Cell>(spans: &mut Vec<Span>, buckets: &mut Vec<T>, max_empty: usize) {
    let populated = !buckets.iter().any(|bucket| bucket.is_zero());
    let canonical =
        spans.iter().enumerate().all(|(position, span)| span.length > 0 && (position == 0 || span.offset > 0));
    if max_empty == 0 && populated && canonical {
        return;
    }
    let mut compacted = Builder::new(buckets.len());
    let mut fill_left = MAX_FILL;
    let mut next = None;
    for (index, count) in ascending(indexed(spans, buckets)).filter(|(_, count)| !count.is_zero()) {
        let gap = next.map_or(0, |next: i64| usize::try_from(index - next).unwrap_or(usize::MAX));
        if gap <= max_empty && gap <= fill_left {
            fill_left -= gap;
            for empty in next.unwrap_or(index)..index {
                compacted.push(empty, T::ZERO);
            }
        }
        compacted.push(index, count);
        next = Some(index + 1);
    }
    (*spans, *buckets) = compacted.finish();
}

/// Whether two sides have the same buckets at the same places with the same counts.
pub(super) fn same(spans_a: &[Span], a: &[f64], spans_b: &[Span], b: &[f64]) -> bool {
    let counts = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| super::same_float(*a, *b));
    counts && (spans_a == spans_b || indexed(spans_a, a).map(|at| at.0).eq(indexed(spans_b, b).map(|at| at.0)))
}

/// Why a span list does not fit its buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// A span after the first steps back.
    NegativeOffset {
        /// Its number, from 1.
        span: usize,
        /// Its offset.
        offset: i32,
    },
    /// The spans name more or fewer buckets than there are.
    Count {
        /// Buckets that the spans name.
        spans: u64,
    },
    /// A bucket index beyond 32 bits.
    Range,
}

/// Checks that spans ascend, stay in range and name exactly `buckets` buckets. Gives the index after the last one.
pub(super) fn check(spans: &[Span], buckets: usize) -> Result<i64, Misfit> {
    let (mut named, mut index) = (0_u64, 0_i64);
    for (position, span) in spans.iter().enumerate() {
        if position > 0 && span.offset < 0 {
            return Err(Misfit::NegativeOffset { span: position + 1, offset: span.offset });
        }
        named += u64::from(span.length);
        index += i64::from(span.offset) + i64::from(span.length);
        if i32::try_from(index).is_err() {
            return Err(Misfit::Range);
        }
    }
    if u64::try_from(buckets).is_ok_and(|buckets| buckets == named) {
        Ok(index)
    } else {
        Err(Misfit::Count { spans: named })
    }
}
