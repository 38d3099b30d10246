//! `*_over_time` and their like: one number, or one histogram, of all samples of a window.

use std::collections::VecDeque;
use std::sync::Arc;

use grid_promql_syntax::function::Function;

use super::Context;
use super::range::{Bounds, Caller, Out, Window};
use crate::error::Error;
use crate::histogram::{self, FloatHistogram};
use crate::kahan::{Kahan, Mean, Variance};
use crate::plan::Node;
use crate::points::Points;
use crate::samples::Samples;

/// Refuses scalar arguments that make no sense; warns of quantiles that are none.
pub(super) fn check_params(
    context: &Context<'_>,
    function: Function,
    nodes: &[&Node],
    params: &[Vec<f64>],
) -> Result<(), Error> {
    match function {
        Function::DoubleExponentialSmoothing => {
            for (what, values) in ["smoothing", "trend"].iter().zip(params) {
                if let Some(v) = values.iter().find(|v| !(**v > 0.0 && **v < 1.0)) {
                    let letter = if *what == "smoothing" { "sf" } else { "tf" };
                    let text = format!("invalid {what} factor. Expected: 0 < {letter} < 1, got: {v:.6}");
                    return Err(Error::Execution(text));
                }
            }
        }
        Function::QuantileOverTime => {
            for q in &params[0] {
                invalid_quantile(context, nodes[0], *q);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Warns of a quantile outside of 0 to 1.
pub(super) fn invalid_quantile(context: &Context<'_>, node: &Node, q: f64) {
    if !(0.0..=1.0).contains(&q) {
        let text = format!("quantile value should be between 0 and 1, got {}", crate::number::format(q));
        context.annotations.warn(node.span, text);
    }
}

pub(super) fn apply(caller: &Caller<'_>, window: &Window<'_>) -> Result<Option<Out>, Error> {
    use Function as F;
    let float = |v: f64| Ok(Some(Out::Float(v)));
    match caller.function {
        F::CountOverTime => return float((window.values.len() + window.histograms.len()) as f64),
        F::PresentOverTime => return float(1.0),
        F::Changes => return float(changes(window)),
        F::Resets => return float(resets(caller, window)),
        F::LastOverTime => return Ok(last(window)),
        F::FirstOverTime => return Ok(first(window)),
        F::TsOfLastOverTime => return float(newest(window) as f64 / 1000.0),
        F::TsOfFirstOverTime => return float(oldest(window) as f64 / 1000.0),
        F::SumOverTime | F::AvgOverTime if !window.histograms.is_empty() => {
            if !window.values.is_empty() {
                caller.mixed();
                return Ok(None);
            }
            return Ok(of_histograms(caller, window));
        }
        _ => {}
    }
    // All others are of numbers alone.
    let (times, values) = (window.times, window.values);
    if values.is_empty() {
        return Ok(None);
    }
    let value = match caller.function {
        F::SumOverTime => {
            let mut sum = Kahan::default();
            values.iter().for_each(|v| sum.add(*v));
            sum.total()
        }
        F::AvgOverTime => {
            let mut mean = Mean::of(values[0]);
            values[1..].iter().for_each(|v| mean.add(*v));
            mean.total()
        }
        _ => {
            let Some(v) = of_numbers(caller, window, times, values) else { return Ok(None) };
            v
        }
    };
    float(value)
}

/// `max_over_time` and `min_over_time` of numbers, all steps of a series at once: only samples that no later one beats can still be the
/// greatest of a window, so that each is met twice however many windows see it. `window`: the open and the closed end of a step's range.
pub(super) fn extremes(
    function: Function,
    samples: &Samples,
    points: &mut Points,
    window: impl Fn(usize) -> (i64, i64),
) {
    let (times, values) = (samples.times.as_slice(), samples.values.as_slice());
    let max = function == Function::MaxOverTime;
    let mut best: VecDeque<usize> = VecDeque::new();
    let mut bounds = Bounds::default();
    for step in 0..points.steps() {
        let (after, until) = window(step);
        let before = bounds.high;
        bounds.advance(times, after, until);
        for i in before..bounds.high {
            let v = values[i];
            if !v.is_nan() {
                // Of equal ones the first is the answer.
                while best.back().is_some_and(|last| if max { v > values[*last] } else { v < values[*last] }) {
                    best.pop_back();
                }
                best.push_back(i);
            }
        }
        while best.front().is_some_and(|first| *first < bounds.low) {
            best.pop_front();
        }
        if bounds.low < bounds.high {
            points.set(step, best.front().map_or(f64::NAN, |i| values[*i]));
        }
    }
}

fn of_numbers(caller: &Caller<'_>, window: &Window<'_>, times: &[i64], values: &[f64]) -> Option<f64> {
    use Function as F;
    let param = |n: usize| caller.params.get(n).map_or(f64::NAN, |p| p[window.step]);
    let needs_two = matches!(caller.function, F::Deriv | F::PredictLinear | F::DoubleExponentialSmoothing);
    if needs_two && values.len() < 2 {
        if values.len() == 1 {
            caller.histograms_ignored(window);
        }
        return None;
    }
    caller.histograms_ignored(window);
    Some(match caller.function {
        F::MaxOverTime => values.iter().copied().reduce(|m, v| if v > m || m.is_nan() { v } else { m })?,
        F::MinOverTime => values.iter().copied().reduce(|m, v| if v < m || m.is_nan() { v } else { m })?,
        F::TsOfMaxOverTime => at(times, values, |v, m| v >= m),
        F::TsOfMinOverTime => at(times, values, |v, m| v <= m),
        F::StdvarOverTime => variance(values),
        F::StddevOverTime => variance(values).sqrt(),
        F::QuantileOverTime => histogram::quantile(param(0), &mut values.to_vec()),
        F::MadOverTime if values.iter().any(|v| v.is_nan()) => f64::NAN,
        F::MadOverTime => {
            let median = histogram::quantile(0.5, &mut values.to_vec());
            let mut distances: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
            histogram::quantile(0.5, &mut distances)
        }
        F::Deriv => linear_regression(times, values, times[0]).0,
        F::PredictLinear => {
            let (slope, intercept) = linear_regression(times, values, window.now);
            slope * param(0) + intercept
        }
        F::DoubleExponentialSmoothing => smooth(values, param(0), param(1)),
        _ => return None,
    })
}

fn newest(window: &Window<'_>) -> i64 {
    window.times.last().max(window.histogram_times.last()).copied().unwrap_or(0)
}

fn oldest(window: &Window<'_>) -> i64 {
    match (window.times.first(), window.histogram_times.first()) {
        (Some(a), Some(b)) => *a.min(b),
        (a, b) => a.or(b).copied().unwrap_or(0),
    }
}

fn last(window: &Window<'_>) -> Option<Out> {
    if window.times.last() >= window.histogram_times.last() {
        window.values.last().map(|v| Out::Float(*v))
    } else {
        window.histograms.last().map(|h| Out::Histogram(Arc::clone(h)))
    }
}

fn first(window: &Window<'_>) -> Option<Out> {
    let float = window.times.first().zip(window.values.first());
    let histogram = window.histogram_times.first().zip(window.histograms.first());
    match (float, histogram) {
        (Some((t, _)), Some((u, h))) if u < t => Some(Out::Histogram(Arc::clone(h))),
        (Some((_, v)), _) => Some(Out::Float(*v)),
        (None, Some((_, h))) => Some(Out::Histogram(Arc::clone(h))),
        (None, None) => None,
    }
}

/// The time, in seconds, of the last value that beats all others; NaN is beaten by all.
fn at(times: &[i64], values: &[f64], beats: impl Fn(f64, f64) -> bool) -> f64 {
    let mut best = 0;
    for i in 1..values.len() {
        if beats(values[i], values[best]) || values[best].is_nan() {
            best = i;
        }
    }
    times[best] as f64 / 1000.0
}

fn variance(values: &[f64]) -> f64 {
    let mut all = Variance::default();
    values.iter().for_each(|v| all.add(*v));
    all.total()
}

/// A sample of either kind.
#[derive(Clone, Copy)]
pub(super) enum Either<'a> {
    Float(f64),
    Histogram(&'a FloatHistogram),
}

/// Numbers and histograms of a window, by time, each with its place in its own column.
pub(super) fn by_time<'w>(window: &'w Window<'_>) -> impl Iterator<Item = (Either<'w>, usize)> {
    let (mut f, mut h) = (0, 0);
    std::iter::from_fn(move || {
        let float_first = match (window.times.get(f), window.histogram_times.get(h)) {
            (None, None) => return None,
            (Some(t), Some(u)) => t < u,
            (t, _) => t.is_some(),
        };
        Some(if float_first {
            f += 1;
            (Either::Float(window.values[f - 1]), f - 1)
        } else {
            h += 1;
            (Either::Histogram(&window.histograms[h - 1]), h - 1)
        })
    })
}

pub(super) fn changes(window: &Window<'_>) -> f64 {
    if window.histograms.is_empty() {
        let changed = |p: &&[f64]| p[0] != p[1] && !(p[0].is_nan() && p[1].is_nan());
        return window.values.windows(2).filter(changed).count() as f64;
    }
    count_between(window, |previous, current, _| match (previous, current) {
        (Either::Float(p), Either::Float(c)) => p != c && !(p.is_nan() && c.is_nan()),
        (Either::Histogram(p), Either::Histogram(c)) => c != p,
        _ => true,
    })
}

pub(super) fn resets(caller: &Caller<'_>, window: &Window<'_>) -> f64 {
    count_between(window, |previous, current, i| match (previous, current) {
        (Either::Float(p), Either::Float(c)) => caller.restarted(window.times, window.starts, i) || c < p,
        (Either::Histogram(p), Either::Histogram(c)) => {
            caller.restarted(window.histogram_times, window.histogram_starts, i) || c.detect_reset(p)
        }
        _ => true,
    })
}

fn count_between(window: &Window<'_>, counts: impl Fn(Either<'_>, Either<'_>, usize) -> bool) -> f64 {
    let mut all = by_time(window);
    let Some((mut previous, _)) = all.next() else { return 0.0 };
    let mut n = 0;
    for (current, i) in all {
        n += usize::from(counts(previous, current, i));
        previous = current;
    }
    n as f64
}

/// Least squares over seconds since `origin`: slope and value at `origin`.
fn linear_regression(times: &[i64], values: &[f64], origin: i64) -> (f64, f64) {
    let first = values[0];
    if values.iter().all(|v| *v == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let (mut x, mut y, mut xy, mut xx) = (Kahan::default(), Kahan::default(), Kahan::default(), Kahan::default());
    for (time, value) in times.iter().zip(values) {
        let seconds = (time - origin) as f64 / 1e3;
        x.add(seconds);
        y.add(*value);
        xy.add(seconds * value);
        xx.add(seconds * seconds);
    }
    let n = values.len() as f64;
    let (x, y, xy, xx) = (x.sum + x.lost, y.sum + y.lost, xy.sum + xy.lost, xx.sum + xx.lost);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    (slope, y / n - slope * x / n)
}

/// Double exponential smoothing (NIST/SEMATECH e-Handbook of Statistical Methods, 6.4.3.3).
fn smooth(values: &[f64], smoothing: f64, trend: f64) -> f64 {
    let (mut before, mut level, mut slope) = (0.0, values[0], values[1] - values[0]);
    for (i, value) in values.iter().enumerate().skip(1) {
        if i > 1 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (level + slope);
        before = level;
        level = next;
    }
    level
}

/// Sum or mean of histograms alone.
fn of_histograms(caller: &Caller<'_>, window: &Window<'_>) -> Option<Out> {
    let mean = caller.function == Function::AvgOverTime;
    let mut all = crate::histogram_sum::HistogramSum::new(mean);
    for h in window.histograms {
        if all.add(h).is_err() {
            caller.warn_named(super::rate::MIXED_SCHEMAS);
            return None;
        }
    }
    let (total, found) = all.finish()?;
    if found.reset_collision {
        caller.warn("conflicting counter resets during histogram aggregation");
    }
    if found.bounds_reconciled {
        caller.context.annotations.info(caller.span, "mismatched custom buckets were reconciled during aggregation");
    }
    Some(total.into())
}
