//! `histogram_quantile(q, histogram)`: the value below which the share `q` of a distribution lies, as Prometheus 3 computes
//! it (promql/quantile.go): linear within buckets of explicit bounds and within the zero bucket, exponential within the
//! others. A summary answers only the quantiles that it holds.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Builder};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use grid_model::Histogram;
use grid_model::histogram::{Counts, HistogramKind, Span};
use grid_model::table::samples::read_histogram;

/// Prometheus' schema of explicit bounds.
const CUSTOM_BOUNDS: i32 = -53;

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct HistogramQuantile {
    signature: Signature,
}

impl Default for HistogramQuantile {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for HistogramQuantile {
    fn name(&self) -> &str {
        "histogram_quantile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        match args {
            [q, h @ DataType::Struct(_)] if q.is_numeric() || *q == DataType::Null => {
                Ok(vec![DataType::Float64, h.clone()])
            }
            _ => plan_err!("histogram_quantile takes a share between 0 and 1 and a column histogram"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [q, histograms] = arrays.as_slice() else { return exec_err!("histogram_quantile takes two arguments") };
        let q = q.as_primitive::<Float64Type>();
        let Some(histograms) = histograms.as_struct_opt() else { return exec_err!("not a histogram") };
        let mut out = Float64Builder::with_capacity(q.len());
        for row in 0..q.len() {
            let histogram = read_histogram(histograms, row).filter(|_| q.is_valid(row));
            out.append_option(histogram.and_then(|h| quantile(q.value(row), &h)));
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}

struct Bucket {
    lower: f64,
    upper: f64,
    count: f64,
}

/// `None` for a summary that does not hold the quantile.
fn quantile(q: f64, h: &Histogram) -> Option<f64> {
    if h.kind == HistogramKind::Summary {
        return h.quantiles.iter().find(|(held, _)| *held == q).map(|(_, value)| *value);
    }
    let total = h.count_float.unwrap_or(h.count as f64);
    if q < 0.0 {
        return Some(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return Some(f64::INFINITY);
    }
    if total == 0.0 || q.is_nan() {
        return Some(f64::NAN);
    }
    let custom = h.kind == HistogramKind::Explicit || h.schema == Some(CUSTOM_BOUNDS);
    let buckets = if custom { explicit(h) } else { exponential(h) };
    // From the nearer end; NaN observations are counted, but in no bucket, so then only from below.
    let from_below = h.sum.is_some_and(f64::is_nan) || q < 0.5;
    let rank = if from_below { q * total } else { (1.0 - q) * total };
    let (mut seen, mut last) = (0.0, None);
    let mut pick = |b: &Bucket| {
        if b.count == 0.0 {
            return false;
        }
        seen += b.count;
        last = Some((b.lower, b.upper, b.count));
        seen >= rank
    };
    if from_below {
        buckets.iter().any(&mut pick)
    } else {
        buckets.iter().rev().any(&mut pick)
    };
    let Some((mut lower, mut upper, count)) = last else { return Some(f64::NAN) };
    if custom {
        if lower == f64::NEG_INFINITY {
            if upper <= 0.0 {
                return Some(upper);
            }
            lower = 0.0;
        } else if upper == f64::INFINITY {
            return Some(lower);
        }
    } else if lower < 0.0 && upper > 0.0 {
        let holds = |c: &Counts| match c {
            Counts::Int(c) => c.iter().any(|c| *c > 0),
            Counts::Float(c) => c.iter().any(|c| *c > 0.0),
        };
        match (holds(&h.negative_counts), holds(&h.positive_counts)) {
            (false, true) => lower = 0.0,
            (true, false) => upper = 0.0,
            _ => {}
        }
    }
    if seen < rank {
        return Some(if from_below { upper } else { lower });
    }
    let within = if from_below { rank - (seen - count) } else { seen - rank };
    let share = within / count;
    if custom || lower <= 0.0 && upper >= 0.0 {
        return Some(lower + (upper - lower) * share);
    }
    let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
    Some(if lower > 0.0 {
        (log_lower + (log_upper - log_lower) * share).exp2()
    } else {
        -(log_upper + (log_lower - log_upper) * (1.0 - share)).exp2()
    })
}

/// Buckets between explicit bounds, ascending.
fn explicit(h: &Histogram) -> Vec<Bucket> {
    let bound = |i: i64| match usize::try_from(i) {
        Err(_) => f64::NEG_INFINITY,
        Ok(i) => h.bounds.get(i).copied().unwrap_or(f64::INFINITY),
    };
    let bucket = |(i, count): (i64, f64)| Bucket { lower: bound(i - 1), upper: bound(i), count };
    if h.kind == HistogramKind::Explicit {
        return counts(&h.positive_counts).enumerate().map(|(i, c)| bucket((i as i64, c))).collect();
    }
    indexed(&h.positive_spans, &h.positive_counts).map(bucket).collect()
}

/// Buckets whose bounds grow exponentially, ascending, the zero bucket between the negative and the positive ones.
fn exponential(h: &Histogram) -> Vec<Bucket> {
    let step = f64::from(-h.schema.unwrap_or(0)).exp2();
    // OTLP's bucket i begins at base^i, Prometheus' ends there.
    let shift = i64::from(h.kind == HistogramKind::Native);
    let bound = move |i: i64| ((i - shift) as f64 * step).exp2();
    let mut all: Vec<Bucket> = indexed(&h.negative_spans, &h.negative_counts)
        .map(|(i, count)| Bucket { lower: -bound(i + 1), upper: -bound(i), count })
        .collect();
    all.reverse();
    let zero = h.zero_count_float.unwrap_or(h.zero_count as f64);
    if zero > 0.0 {
        let threshold = h.zero_threshold.unwrap_or(0.0);
        all.push(Bucket { lower: -threshold, upper: threshold, count: zero });
    }
    all.extend(indexed(&h.positive_spans, &h.positive_counts).map(|(i, count)| Bucket {
        lower: bound(i),
        upper: bound(i + 1),
        count,
    }));
    all
}

fn counts(counts: &Counts) -> Box<dyn Iterator<Item = f64> + '_> {
    match counts {
        Counts::Int(c) => Box::new(c.iter().map(|c| *c as f64)),
        Counts::Float(c) => Box::new(c.iter().copied()),
    }
}

/// Counts with the indexes of their buckets.
fn indexed<'a>(spans: &'a [Span], of: &'a Counts) -> impl Iterator<Item = (i64, f64)> + 'a {
    let mut next = 0_i64;
    let indexes = spans.iter().flat_map(move |span| {
        let first = next + i64::from(span.offset);
        next = first + i64::from(span.length);
        first..next
    });
    indexes.zip(counts(of))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn explicit_bounds_are_linear() {
        let h = Histogram {
            count: 10,
            bounds: vec![1.0, 2.0, 4.0],
            positive_counts: Counts::Int(vec![2, 4, 3, 1]),
            ..Histogram::default()
        };
        for (q, expected) in [(0.1, 0.5), (0.4, 1.5), (0.9, 4.0), (1.0, 4.0), (-1.0, f64::NEG_INFINITY)] {
            let got = quantile(q, &h).unwrap();
            assert!((got - expected).abs() < 1e-9 || got == expected, "{q}: {got}");
        }
        assert!(quantile(0.5, &Histogram::default()).unwrap().is_nan());
    }

    #[test]
    fn exponential_and_native_agree_up_to_their_index() {
        let native = Histogram {
            kind: HistogramKind::Native,
            count: 12,
            schema: Some(0),
            zero_count: 2,
            zero_threshold: Some(0.001),
            positive_spans: vec![Span { offset: 0, length: 2 }, Span { offset: 1, length: 2 }],
            positive_counts: Counts::Int(vec![2, 3, 1, 4]),
            ..Histogram::default()
        };
        let otlp = Histogram {
            kind: HistogramKind::Exponential,
            positive_spans: vec![Span { offset: -1, length: 5 }],
            positive_counts: Counts::Int(vec![2, 3, 0, 1, 4]),
            ..native.clone()
        };
        // Prometheus' testdata (native_histograms.test): histogram_quantile(0.5) of {{schema:0 ...}} = 1.5874 (2^(2/3)).
        for q in [0.05, 0.25, 0.5, 0.75, 0.99] {
            let (a, b) = (quantile(q, &native).unwrap(), quantile(q, &otlp).unwrap());
            assert!((a - b).abs() < 1e-12, "{q}: {a} {b}");
        }
        assert!((quantile(0.5, &native).unwrap() - 2_f64.powf(2.0 / 3.0)).abs() < 1e-9);
    }

    #[test]
    fn a_summary_answers_what_it_holds() {
        let h = Histogram { kind: HistogramKind::Summary, quantiles: vec![(0.5, 7.0)], ..Histogram::default() };
        assert_eq!(quantile(0.5, &h), Some(7.0));
        assert_eq!(quantile(0.6, &h), None);
    }
}
