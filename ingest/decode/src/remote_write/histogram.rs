//! Prometheus' native histogram message, the same in both versions (2.0 adds the start timestamp).

use grid_model::Histogram;
use grid_model::histogram::{Counts, HistogramKind, Span, is_stale};

use super::Fault;
use crate::limits::Limits;
use crate::wire::{Reader, Value, WireError, unzigzag};

/// The schema of histograms with custom bounds.
pub(super) const CUSTOM_SCHEMA: i32 = -53;
/// Resolutions that Prometheus reserves for exponential buckets; -4..=8 are in use.
const EXPONENTIAL_SCHEMAS: std::ops::RangeInclusive<i64> = -9..=52;

/// A histogram with its times as sent.
pub(super) struct Read {
    pub(super) histogram: Histogram,
    pub(super) time_ms: i64,
    pub(super) start_ms: i64,
}

/// One side's buckets as sent.
#[derive(Default)]
pub(crate) struct Side {
    pub(crate) spans: Vec<Span>,
    /// Zigzag-encoded deltas of a histogram with whole counts.
    pub(crate) deltas: Vec<u64>,
    pub(crate) counts: Vec<f64>,
}

/// A native histogram as a message gave it, not yet checked.
#[derive(Default)]
pub(crate) struct Draft {
    /// All but the buckets; `zero_count` and `zero_count_float` as sent.
    pub(crate) h: Histogram,
    pub(crate) schema: i64,
    pub(crate) positive: Side,
    pub(crate) negative: Side,
    /// Whether the total count was sent as a fraction.
    pub(crate) is_float: Option<bool>,
    /// Whether something was left out because there was too much of it.
    pub(crate) overflows: bool,
}

/// Reads and checks one histogram. What is refused here is what Prometheus refuses.
pub(super) fn read(message: &[u8], limits: &Limits) -> Result<Read, Fault> {
    let max = limits.histogram_buckets_max;
    let mut d = Draft::default();
    let (mut time_ms, mut start_ms) = (0, 0);
    let mut fits = true;
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => (d.h.count, d.h.count_float, d.is_float) = (value.uint(field)?, None, Some(false)),
            2 => (d.h.count, d.h.count_float, d.is_float) = (0, Some(value.double(field)?), Some(true)),
            3 => d.h.sum = Some(value.double(field)?),
            4 => d.schema = value.sint(field)?,
            5 => d.h.zero_threshold = Some(value.double(field)?),
            6 => (d.h.zero_count, d.h.zero_count_float) = (value.uint(field)?, None),
            7 => (d.h.zero_count, d.h.zero_count_float) = (0, Some(value.double(field)?)),
            8 => fits &= push_span(value, field, max, &mut d.negative.spans)?,
            9 => fits &= value.uints(field, max, &mut d.negative.deltas)?,
            10 => fits &= value.doubles(field, max, &mut d.negative.counts)?,
            11 => fits &= push_span(value, field, max, &mut d.positive.spans)?,
            12 => fits &= value.uints(field, max, &mut d.positive.deltas)?,
            13 => fits &= value.doubles(field, max, &mut d.positive.counts)?,
            14 => d.h.reset_hint = i32::try_from(value.uint(field)?).ok().filter(|hint| *hint <= 3).unwrap_or(0),
            15 => time_ms = value.int(field)?,
            16 => fits &= value.doubles(field, max, &mut d.h.bounds)?,
            17 => start_ms = value.int(field)?,
            _ => {}
        }
    }
    d.overflows = !fits;
    Ok(Read { histogram: d.finish(limits)?, time_ms, start_ms })
}

impl Draft {
    /// The histogram, if it makes sense.
    pub(crate) fn finish(self, limits: &Limits) -> Result<Histogram, String> {
        let max = limits.histogram_buckets_max;
        let Self { mut h, schema, positive, negative, is_float, overflows } = self;
        if overflows {
            return Err(format!("histogram has more than {max} buckets, spans or bounds on one side"));
        }
        h.kind = HistogramKind::Native;
        // Proto3 leaves zeros out, but a sum or width of zero is still known.
        h.sum.get_or_insert(0.0);
        h.zero_threshold.get_or_insert(0.0);
        h.schema = i32::try_from(schema).ok();
        if schema != i64::from(CUSTOM_SCHEMA) && !EXPONENTIAL_SCHEMAS.contains(&schema) {
            return Err(format!("histogram has unknown schema {schema}"));
        }
        let is_float = is_float
            .unwrap_or(h.zero_count_float.is_some() || !(positive.counts.is_empty() && negative.counts.is_empty()));
        if is_float {
            h.count_float.get_or_insert(0.0);
            let whole = std::mem::take(&mut h.zero_count);
            h.zero_count_float.get_or_insert(whole as f64);
        } else if let Some(zero) = h.zero_count_float.take() {
            return Err(format!("histogram has a whole count and a fractional zero count {zero}"));
        }
        (h.positive_spans, h.positive_counts) = positive.finish(is_float, max)?;
        (h.negative_spans, h.negative_counts) = negative.finish(is_float, max)?;
        if schema == i64::from(CUSTOM_SCHEMA) {
            check_custom(&h)?;
        }
        check_counts(&h)?;
        Ok(h)
    }
}

pub(crate) fn push_span(value: Value<'_>, field: u32, max: usize, out: &mut Vec<Span>) -> Result<bool, WireError> {
    let (mut offset, mut length) = (0, 0);
    let mut reader = Reader::new(value.bytes(field)?);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => offset = value.sint(field)?,
            2 => length = value.uint(field)?,
            _ => {}
        }
    }
    // What does not fit is refused later, by its length beyond all counts.
    let span = match (i32::try_from(offset), u32::try_from(length)) {
        (Ok(offset), Ok(length)) => Span { offset, length },
        _ => Span { offset: 0, length: u32::MAX },
    };
    let room = out.len() < max;
    if room {
        out.push(span);
    }
    Ok(room)
}

impl Side {
    /// The spans and absolute counts, checked against each other.
    fn finish(self, is_float: bool, max: usize) -> Result<(Vec<Span>, Counts), String> {
        let counts = if is_float {
            if !self.deltas.is_empty() {
                return Err("histogram has a fractional count and whole buckets".to_owned());
            }
            if let Some(count) = self.counts.iter().find(|c| **c < 0.0) {
                return Err(format!("histogram has the negative bucket count {count}"));
            }
            Counts::Float(self.counts)
        } else {
            if !self.counts.is_empty() {
                return Err("histogram has a whole count and fractional buckets".to_owned());
            }
            Counts::Int(absolute(&self.deltas)?)
        };
        let buckets = match &counts {
            Counts::Int(c) => c.len(),
            Counts::Float(c) => c.len(),
        };
        let mut spanned = 0u64;
        let mut index = 0i64;
        for (i, span) in self.spans.iter().enumerate() {
            if i > 0 && span.offset < 0 {
                return Err(format!("histogram span {} has the negative offset {}", i + 1, span.offset));
            }
            spanned += u64::from(span.length);
            index += i64::from(span.offset) + i64::from(span.length);
            if spanned > max as u64 || i32::try_from(index).is_err() {
                return Err(format!("histogram spans reach bucket {index} with {spanned} buckets"));
            }
        }
        if spanned != buckets as u64 {
            return Err(format!("histogram spans hold {spanned} buckets, but {buckets} counts were sent"));
        }
        Ok((self.spans, counts))
    }
}

/// Sums zigzag deltas up to counts.
fn absolute(deltas: &[u64]) -> Result<Vec<u64>, String> {
    let mut count = 0i64;
    let mut out = Vec::with_capacity(deltas.len());
    for delta in deltas {
        count = count.checked_add(unzigzag(*delta)).ok_or("histogram bucket counts overflow")?;
        out.push(u64::try_from(count).map_err(|_| format!("histogram has the negative bucket count {count}"))?);
    }
    Ok(out)
}

/// Custom bounds ascend, and only positive buckets up to one above the last bound exist.
fn check_custom(h: &Histogram) -> Result<(), String> {
    if !h.bounds.is_sorted_by(|a, b| a < b) {
        return Err("custom bounds of a histogram do not ascend".to_owned());
    }
    if h.zero_count > 0 || h.zero_count_float.is_some_and(|z| z != 0.0) || !h.negative_spans.is_empty() {
        return Err("histogram with custom bounds has zero or negative buckets".to_owned());
    }
    let end: i64 = h.positive_spans.iter().map(|s| i64::from(s.offset) + i64::from(s.length)).sum();
    let starts_below = h.positive_spans.first().is_some_and(|s| s.offset < 0);
    if starts_below || end > h.bounds.len() as i64 + 1 {
        return Err(format!("histogram has buckets up to {end}, but {} custom bounds", h.bounds.len()));
    }
    Ok(())
}

/// The count of a histogram with whole counts is the sum of its buckets. Observations of NaN are in no bucket: if the sum is
/// NaN, the count may be higher.
fn check_counts(h: &Histogram) -> Result<(), String> {
    let (None, Counts::Int(positive), Counts::Int(negative)) = (h.count_float, &h.positive_counts, &h.negative_counts)
    else {
        return Ok(());
    };
    let sum = h.sum.unwrap_or_default();
    if is_stale(sum) {
        return Ok(());
    }
    let in_buckets: u128 = positive.iter().chain(negative).chain([&h.zero_count]).map(|c| u128::from(*c)).sum();
    let count = u128::from(h.count);
    if in_buckets == count || (sum.is_nan() && in_buckets < count) {
        return Ok(());
    }
    Err(format!("histogram counts {count} observations, but its buckets hold {in_buckets}"))
}
