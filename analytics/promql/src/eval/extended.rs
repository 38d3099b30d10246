//! `anchored` and `smoothed` (Prometheus' proposal PROM-52): ranges that take in what lies right before them, and values
//! interpolated at their ends, instead of extrapolation.

use std::sync::Arc;

use grid_promql_syntax::ast::Extended;
use grid_promql_syntax::function::Function;

use super::range::{Caller, Out, Window};
use super::rate::{MIXED_SCHEMAS, not_a_counter, not_a_gauge};
use super::{Context, over_time};
use crate::annotation::for_metric;
use crate::error::Error;
use crate::histogram::{FloatHistogram, ResetHint};
use crate::labels::Labels;
use crate::plan::{Node, Selector};
use crate::points::{Grid, Points};
use crate::samples::Samples;

/// What can be interpolated: numbers and histograms.
trait Value: Clone {
    /// Whether a counter was reset between two values.
    fn was_reset(previous: &Self, current: &Self) -> bool;
    /// `from + (to - from) * share`; from zero without a `from`.
    fn between(from: Option<&Self>, to: &Self, share: f64) -> Result<Self, Mixed>;
    fn plus(self, other: &Self) -> Result<Self, Mixed>;
    fn minus(self, other: &Self) -> Result<Self, Mixed>;
}

/// Exponential and custom buckets met.
struct Mixed;

impl Value for f64 {
    fn was_reset(previous: &Self, current: &Self) -> bool {
        current < previous
    }

    fn between(from: Option<&Self>, to: &Self, share: f64) -> Result<Self, Mixed> {
        let from = from.copied().unwrap_or(0.0);
        Ok(from + (to - from) * share)
    }

    fn plus(self, other: &Self) -> Result<Self, Mixed> {
        Ok(self + other)
    }

    fn minus(self, other: &Self) -> Result<Self, Mixed> {
        Ok(self - other)
    }
}

impl Value for Arc<FloatHistogram> {
    fn was_reset(previous: &Self, current: &Self) -> bool {
        current.detect_reset(previous)
    }

    fn between(from: Option<&Self>, to: &Self, share: f64) -> Result<Self, Mixed> {
        let mut out = to.as_ref().clone();
        if let Some(from) = from {
            out.sub(from).map_err(|_| Mixed)?;
        }
        out.mul(share);
        if let Some(from) = from {
            out.add(from).map_err(|_| Mixed)?;
        }
        out.reset_hint = to.reset_hint;
        Ok(Self::new(out))
    }

    fn plus(self, other: &Self) -> Result<Self, Mixed> {
        let mut out = Self::unwrap_or_clone(self);
        out.add(other).map_err(|_| Mixed)?;
        Ok(Self::new(out))
    }

    fn minus(self, other: &Self) -> Result<Self, Mixed> {
        let mut out = Self::unwrap_or_clone(self);
        out.sub(other).map_err(|_| Mixed)?;
        Ok(Self::new(out))
    }
}

/// The value at `time` between samples `i` and `i + 1`. A counter that was reset between them counted up from zero.
fn interpolate<V: Value>(times: &[i64], values: &[V], i: usize, time: i64, is_counter: bool) -> Result<V, Mixed> {
    let share = (time - times[i]) as f64 / (times[i + 1] - times[i]) as f64;
    let reset = is_counter && V::was_reset(&values[i], &values[i + 1]);
    V::between((!reset).then_some(&values[i]), &values[i + 1], share)
}

/// A function over an extended range; the window reaches beyond the range by the lookback.
pub(super) fn apply(caller: &Caller<'_>, window: &Window<'_>, how: Extended) -> Result<Option<Out>, Error> {
    match caller.function {
        Function::Changes | Function::Resets => {
            let Some(window) = anchor(window) else { return Ok(None) };
            let value = match caller.function {
                Function::Changes => over_time::changes(&window),
                _ => over_time::resets(caller, &window),
            };
            Ok(Some(Out::Float(value)))
        }
        _ => Ok(rate(caller, window, how)),
    }
}

/// The samples of the range and the last one before it; nothing if there is none within.
fn anchor<'a>(window: &Window<'a>) -> Option<Window<'a>> {
    fn from(times: &[i64], after: i64) -> usize {
        times.partition_point(|t| *t <= after).saturating_sub(1)
    }
    let newest = window.times.last().max(window.histogram_times.last()).copied()?;
    if newest <= window.after {
        return None;
    }
    let (f, h) = (from(window.times, window.after), from(window.histogram_times, window.after));
    Some(Window {
        times: &window.times[f..],
        values: &window.values[f..],
        starts: window.starts.get(f..).unwrap_or(&[]),
        histogram_times: &window.histogram_times[h..],
        histograms: &window.histograms[h..],
        histogram_starts: window.histogram_starts.get(h..).unwrap_or(&[]),
        ..*window
    })
}

/// `rate`, `increase`, `delta`.
fn rate(caller: &Caller<'_>, window: &Window<'_>, how: Extended) -> Option<Out> {
    let is_counter = caller.function != Function::Delta;
    if !window.values.is_empty() && !window.histograms.is_empty() {
        caller.mixed();
        return None;
    }
    let seconds = caller.range as f64 / 1000.0;
    let per_second = caller.function == Function::Rate;
    if window.histograms.is_empty() {
        let Ok(change) = change(window, window.times, window.values, how, is_counter) else { return None };
        return change.map(|by| Out::Float(if per_second { by / seconds } else { by }));
    }
    let used = used(window, window.histogram_times, how)?;
    let gauge = |h: &Arc<FloatHistogram>| h.reset_hint == ResetHint::Gauge;
    let all = &window.histograms[used.0..=used.1];
    if is_counter && all.iter().any(gauge) {
        not_a_counter(caller);
    }
    let gauges = all.first().is_some_and(gauge) && all.last().is_some_and(gauge);
    if !is_counter && !gauges {
        not_a_gauge(caller);
    }
    let custom = all[0].uses_custom_buckets();
    if all.iter().any(|h| h.uses_custom_buckets() != custom) {
        caller.warn_named(MIXED_SCHEMAS);
        return None;
    }
    match change(window, window.histogram_times, window.histograms, how, is_counter) {
        Err(Mixed) => {
            caller.warn_named(MIXED_SCHEMAS);
            None
        }
        Ok(None) => None,
        Ok(Some(by)) => {
            let mut by = Arc::unwrap_or_clone(by);
            if per_second {
                by.div(seconds);
            }
            by.reset_hint = ResetHint::Gauge;
            by.compact(0);
            Some(by.into())
        }
    }
}

/// The first and the last sample that matter; `None` if none lies within the range.
fn used(window: &Window<'_>, times: &[i64], how: Extended) -> Option<(usize, usize)> {
    let first = times.partition_point(|t| *t <= window.after).saturating_sub(1);
    let last = match how {
        Extended::Anchored => times.len().checked_sub(1)?,
        // The first at or after the end, or the last of all.
        Extended::Smoothed => times.partition_point(|t| *t < window.until).min(times.len().checked_sub(1)?),
    };
    (times[last] > window.after && times[first] <= window.until).then_some((first, last))
}

fn change<V: Value>(
    window: &Window<'_>,
    times: &[i64],
    values: &[V],
    how: Extended,
    is_counter: bool,
) -> Result<Option<V>, Mixed> {
    let Some((first, last)) = used(window, times, how) else { return Ok(None) };
    let smoothed = how == Extended::Smoothed;
    let cuts_left = smoothed && times[first] < window.after && first < last;
    let cuts_right = smoothed && last > first && times[last] > window.until;
    let left =
        if cuts_left { interpolate(times, values, first, window.after, is_counter)? } else { values[first].clone() };
    let right =
        if cuts_right { interpolate(times, values, last - 1, window.until, is_counter)? } else { values[last].clone() };
    let mut by = right.clone().minus(&left)?;
    if !is_counter {
        return Ok(Some(by));
    }
    // Samples between the two ends. What was reset before a value that was interpolated counts from zero already.
    let inner = first + 1..last;
    let left_counts_from_zero = cuts_left && V::was_reset(&values[first], &values[first + 1]);
    let mut previous = &left;
    let mut checked = !left_counts_from_zero;
    for i in inner.clone() {
        if checked && V::was_reset(previous, &values[i]) {
            by = by.plus(previous)?;
        }
        previous = &values[i];
        checked = true;
    }
    let both_in_one = inner.is_empty() && cuts_left && cuts_right;
    if last > first && checked && !both_in_one && V::was_reset(previous, &right) {
        by = by.plus(previous)?;
    }
    Ok(Some(by))
}

/// `v smoothed`: at each step the value between the samples before and after it.
pub(super) fn smoothed(
    context: &Context<'_>,
    node: &Node,
    selector: &Selector,
    grid: Grid,
    labels: &Labels,
    samples: &Samples,
) -> Result<Points, Error> {
    let lookback = context.options.lookback;
    let mut points = Points::empty(grid.len());
    let warn = |text: &str| {
        context.annotations.warn(node.span, format!("{text}{}", for_metric(labels.metric())));
    };
    for step in 0..points.steps() {
        let time = selector.pin.time(grid.time(step));
        let near = |times: &[i64]| {
            let low = times.partition_point(|t| *t <= time.saturating_sub(lookback));
            let at = times.partition_point(|t| *t <= time);
            let high = times.partition_point(|t| *t <= time.saturating_add(lookback));
            (low, at, high)
        };
        let (f, h) = (near(&samples.times), near(&samples.histogram_times));
        if f.0 < f.2 && h.0 < h.2 {
            warn("encountered a mix of histograms and floats");
            continue;
        }
        if f.0 < f.1 {
            let i = f.1 - 1;
            let exact = f.1 == f.2 || samples.times[i] == time;
            let value = if exact {
                Ok(samples.values[i])
            } else {
                interpolate(&samples.times, &samples.values, i, time, false)
            };
            if let Ok(value) = value {
                points.set(step, value);
            }
        } else if h.0 < h.1 {
            let i = h.1 - 1;
            let exact = h.1 == h.2 || samples.histogram_times[i] == time;
            if exact {
                points.set_histogram(step, Arc::clone(&samples.histograms[i]));
                continue;
            }
            let is_counter = samples.histograms[i].reset_hint != ResetHint::Gauge
                && samples.histograms[i + 1].reset_hint != ResetHint::Gauge;
            let mixed = samples.histograms[i].uses_custom_buckets() != samples.histograms[i + 1].uses_custom_buckets();
            match interpolate(&samples.histogram_times, &samples.histograms, i, time, is_counter) {
                Ok(value) if !mixed => points.set_histogram(step, value),
                _ => warn(MIXED_SCHEMAS),
            }
        }
    }
    Ok(points)
}
