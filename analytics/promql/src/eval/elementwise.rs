//! Functions of one sample at a time.

use std::sync::Arc;

use grid_promql_syntax::function::Function;

use super::{Context, Overlap, Parts};
use crate::error::Error;
use crate::histogram::FloatHistogram;
use crate::plan::Node;
use crate::points::{Grid, Points, Series};

/// `-v`.
pub(super) fn negate(points: &mut Points) {
    points.values.iter_mut().for_each(|v| *v = -*v);
    for h in points.histograms.iter_mut().flatten() {
        let mut negated = h.as_ref().clone();
        negated.neg();
        *h = Arc::new(negated);
    }
}

pub(super) fn stream<'a>(
    context: &'a Context<'a>,
    function: Function,
    args: &'a [Node],
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    let mut params = Vec::new();
    for arg in &args[1..] {
        params.push(context.scalar(arg, grid)?);
    }
    let parts = context.stream(&args[0], grid)?;
    let changed = context.map(parts, move |series: &mut Series| {
        if let Some(of_histogram) = of_histogram(function) {
            for_histograms(&mut series.points, of_histogram);
        } else {
            for_numbers(&mut series.points, function, &params)?;
        }
        context.drop_name(series);
        Ok(!series.points.is_empty())
    });
    Ok(context.distinct(&args[0], changed, Overlap::Refused))
}

fn of_histogram(function: Function) -> Option<fn(&FloatHistogram) -> f64> {
    Some(match function {
        Function::HistogramCount => |h| h.count,
        Function::HistogramSum => |h| h.sum,
        Function::HistogramAvg => FloatHistogram::avg,
        Function::HistogramStddev => FloatHistogram::stddev,
        Function::HistogramStdvar => FloatHistogram::stdvar,
        _ => return None,
    })
}

/// Of histograms a number; numbers go.
fn for_histograms(points: &mut Points, f: fn(&FloatHistogram) -> f64) {
    let histograms = std::mem::take(&mut points.histograms);
    for step in 0..points.values.len() {
        match histograms.get(step) {
            Some(Some(h)) => points.values[step] = f(h),
            _ => points.present[step] = false,
        }
    }
}

/// Of numbers another number; histograms go.
fn for_numbers(points: &mut Points, function: Function, params: &[Vec<f64>]) -> Result<(), Error> {
    for (step, h) in std::mem::take(&mut points.histograms).iter().enumerate() {
        if h.is_some() {
            points.present[step] = false;
        }
    }
    let values = &mut points.values;
    let mut each = |f: fn(f64) -> f64| values.iter_mut().for_each(|v| *v = f(*v));
    use Function as F;
    match function {
        F::Abs => each(f64::abs),
        F::Ceil => each(f64::ceil),
        F::Floor => each(f64::floor),
        F::Exp => each(f64::exp),
        F::Sqrt => each(f64::sqrt),
        F::Ln => each(f64::ln),
        F::Log2 => each(f64::log2),
        F::Log10 => each(f64::log10),
        F::Sin => each(f64::sin),
        F::Cos => each(f64::cos),
        F::Tan => each(f64::tan),
        F::Asin => each(f64::asin),
        F::Acos => each(f64::acos),
        F::Atan => each(f64::atan),
        F::Sinh => each(f64::sinh),
        F::Cosh => each(f64::cosh),
        F::Tanh => each(f64::tanh),
        F::Asinh => each(f64::asinh),
        F::Acosh => each(f64::acosh),
        F::Atanh => each(f64::atanh),
        F::Rad => each(|v| v * std::f64::consts::PI / 180.0),
        F::Deg => each(|v| v * 180.0 / std::f64::consts::PI),
        // NaN and both zeros stay what they are.
        F::Sgn => each(|v| {
            if v > 0.0 {
                1.0
            } else if v < 0.0 {
                -1.0
            } else {
                v
            }
        }),
        F::Clamp => {
            let (low, high) = (&params[0], &params[1]);
            for (i, v) in values.iter_mut().enumerate() {
                if high[i] < low[i] {
                    points.present[i] = false;
                } else {
                    *v = larger(low[i], smaller(high[i], *v));
                }
            }
        }
        F::ClampMax => values.iter_mut().zip(&params[0]).for_each(|(v, p)| *v = smaller(*p, *v)),
        F::ClampMin => values.iter_mut().zip(&params[0]).for_each(|(v, p)| *v = larger(*p, *v)),
        F::Round => {
            for (i, v) in values.iter_mut().enumerate() {
                // The inverse first, so that floats that divide it are exact.
                let inverse = 1.0 / params.first().map_or(1.0, |p| p[i]);
                *v = (*v * inverse + 0.5).floor() / inverse;
            }
        }
        _ => return Err(Error::Execution(format!("{}() cannot be used here", function.name()))),
    }
    Ok(())
}

/// Go's `math.Max`: a NaN wins.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// Go's `math.Min`: a NaN wins.
fn smaller(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}
