//! `rate`, `increase`, `delta`, `irate`, `idelta` (Prometheus, `promql/functions.go`: `extrapolatedRate`, `histogramRate`,
//! `instantValue`).

use std::sync::Arc;

use grid_promql_syntax::function::Function;

use super::range::{Bounds, Caller, Out, Window};
use crate::histogram::{FloatHistogram, ResetHint};
use crate::points::Points;
use crate::samples::Samples;

/// How much longer than the mean distance of samples the way to an end of the range may be for the series to be taken as going on
/// until there.
const EXTRAPOLATION: f64 = 1.1;

/// Of two samples in a row, what the start time of the later one says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Started {
    /// Nothing new.
    Before,
    /// The counter began again between them.
    Between,
    /// It contradicts the earlier sample.
    Overlaps,
}

/// Reads start times: 0 is unknown.
pub(super) fn started(previous: (i64, i64), current: (i64, i64)) -> Started {
    let ((previous_time, previous_start), (time, start)) = (previous, current);
    if start == 0 || start == previous_start || start >= time {
        Started::Before
    } else if start >= previous_time {
        Started::Between
    } else {
        Started::Overlaps
    }
}

impl Caller<'_> {
    /// Whether a counter began again between samples `i - 1` and `i`, by their start times.
    pub(super) fn restarted(&self, times: &[i64], starts: &[i64], i: usize) -> bool {
        if starts.is_empty() || !self.context.options.start_timestamps {
            return false;
        }
        match started((times[i - 1], starts[i - 1]), (times[i], starts[i])) {
            Started::Before => false,
            Started::Between => true,
            Started::Overlaps => {
                let text = "sample has start time that overlaps with previous sample timestamp for metric";
                self.warn(&format!("{text} {:?}", self.labels.metric()));
                false
            }
        }
    }

    /// The start of the first sample's counter if that lies in the window: its value is then known to have been zero.
    fn zero_at(&self, times: &[i64], starts: &[i64], window: &Window<'_>) -> Option<i64> {
        let start = *starts.first()?;
        let known = self.context.options.start_timestamps && start != 0;
        (known && start > window.after && start < times[0]).then_some(start)
    }
}

/// How the samples of a window lie in it, in seconds.
#[derive(Debug, Clone, Copy)]
struct Sampled {
    /// From the first to the last.
    sampled: f64,
    /// How far before the first the series is taken to have begun.
    to_start: f64,
    /// How far after the last it is taken to go on.
    to_end: f64,
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

impl Sampled {
    /// `zero_at`: when the counter is known to have been zero. There are two samples, or one and that.
    fn of(times: &[i64], zero_at: Option<i64>, (after, until): (i64, i64)) -> Self {
        let (first, last) = (zero_at.unwrap_or(times[0]), times[times.len() - 1]);
        let distances = times.len() - 1;
        let between = if distances == 0 { 0.0 } else { seconds(last - times[0]) / distances as f64 };
        let near = between * EXTRAPOLATION;
        let reach = |way: f64| if way >= near { between / 2.0 } else { way };
        Self {
            sampled: seconds(last - first),
            to_start: reach(seconds(first - after)),
            to_end: reach(seconds(until - last)),
        }
    }

    /// A counter cannot have been below zero.
    fn to_start_of_counter(self, by: f64, first: f64) -> f64 {
        if by > 0.0 && first >= 0.0 { self.to_start.min(self.sampled * (first / by)) } else { self.to_start }
    }

    /// By what a change between samples becomes one of the whole window; per second of `per` milliseconds for a rate.
    fn factor(self, to_start: f64, per: Option<i64>) -> f64 {
        let factor = (self.sampled + to_start + self.to_end) / self.sampled;
        per.map_or(factor, |range| factor / seconds(range))
    }
}

/// `rate`, `increase` and `delta` of numbers without start times, all steps of a series at once. Series of one target have the same
/// times, and so the same windows: they are worked out once for all of them.
#[derive(Debug, Default)]
pub(super) struct Sliding {
    times: Vec<i64>,
    windows: Vec<Slid>,
    /// Samples that are less than the one before them.
    resets: Vec<usize>,
}

/// The window of one step: samples from `low` to before `high`, two at least.
#[derive(Debug, Clone, Copy)]
struct Slid {
    step: usize,
    low: usize,
    high: usize,
    sampled: Sampled,
    /// Unless the counter was near zero.
    factor: f64,
}

impl Sliding {
    /// Sets the points of all steps, of which none is set yet. `window`: the open and the closed end of a step's range, in milliseconds.
    pub(super) fn points(
        &mut self,
        function: Function,
        range: i64,
        samples: &Samples,
        points: &mut Points,
        window: impl Fn(usize) -> (i64, i64),
    ) {
        let per = if function == Function::Rate { Some(range) } else { None };
        let steps = points.steps();
        let (times, values) = (samples.times.as_slice(), samples.values.as_slice());
        if self.times != times {
            self.times.clear();
            self.times.extend_from_slice(times);
            self.windows.clear();
            let mut bounds = Bounds::default();
            for step in 0..steps {
                let (after, until) = window(step);
                bounds.advance(times, after, until);
                let (low, high) = (bounds.low, bounds.high);
                if high - low >= 2 {
                    let sampled = Sampled::of(&times[low..high], None, (after, until));
                    let factor = sampled.factor(sampled.to_start, per);
                    self.windows.push(Slid { step, low, high, sampled, factor });
                }
            }
        }
        let is_counter = function != Function::Delta;
        self.resets.clear();
        let falls = |any, (before, at): (&f64, &f64)| any | (at < before);
        // Mostly none; without a way out several are compared at once.
        if is_counter && values.iter().zip(values.get(1..).unwrap_or(&[])).fold(false, falls) {
            self.resets.extend((1..values.len()).filter(|i| values[*i] < values[*i - 1]));
        }
        let mut reset = 0;
        for slid in &self.windows {
            let first = values[slid.low];
            let mut by = values[slid.high - 1] - first;
            if !self.resets.is_empty() {
                while self.resets.get(reset).is_some_and(|i| *i <= slid.low) {
                    reset += 1;
                }
                for i in self.resets[reset..].iter().take_while(|i| **i < slid.high) {
                    by += values[*i - 1];
                }
            }
            // What counted to twice of what it grew by was not zero within the reach of an extrapolation.
            let factor = if !is_counter || first >= 2.0 * by {
                slid.factor
            } else {
                slid.sampled.factor(slid.sampled.to_start_of_counter(by, first), per)
            };
            points.values[slid.step] = by * factor;
            points.present[slid.step] = true;
        }
    }
}

enum Change {
    Float { by: f64, first: f64 },
    Histogram { by: FloatHistogram, first: f64 },
}

/// `rate`, `increase`, `delta`.
pub(super) fn extrapolated(caller: &Caller<'_>, window: &Window<'_>) -> Option<Out> {
    let is_counter = caller.function != Function::Delta;
    if !window.values.is_empty() && !window.histograms.is_empty() {
        caller.mixed();
        return None;
    }
    let (times, starts) = if window.histograms.is_empty() {
        (window.times, window.starts)
    } else {
        (window.histogram_times, window.histogram_starts)
    };
    let zero_at = if is_counter { caller.zero_at(times, starts, window) } else { None };
    if times.len() < 2 && zero_at.is_none() {
        return None;
    }
    let change = if window.histograms.is_empty() {
        let values = window.values;
        let (first, last) = (values[0], values[values.len() - 1]);
        let mut by = last - first;
        if is_counter {
            if starts.is_empty() {
                for pair in values.windows(2).filter(|pair| pair[1] < pair[0]) {
                    by += pair[0];
                }
            } else {
                for i in 1..values.len() {
                    if caller.restarted(times, starts, i) || values[i] < values[i - 1] {
                        by += values[i - 1];
                    }
                }
            }
            if zero_at.is_some() {
                by += first;
            }
        }
        Change::Float { by, first: if zero_at.is_some() { 0.0 } else { first } }
    } else {
        let mut by = change_of_histograms(caller, window, is_counter)?;
        let first = &window.histograms[0];
        let mut count = first.count;
        if zero_at.is_some() {
            by.add(first).ok()?;
            by.reset_hint = ResetHint::Gauge;
            count = 0.0;
        }
        Change::Histogram { by, first: count }
    };

    let span = Sampled::of(times, zero_at, (window.after, window.until));
    let per = if caller.function == Function::Rate { Some(caller.range) } else { None };
    let (by, first) = match &change {
        Change::Float { by, first } => (*by, *first),
        Change::Histogram { by, first } => (by.count, *first),
    };
    let to_start = if is_counter { span.to_start_of_counter(by, first) } else { span.to_start };
    let factor = span.factor(to_start, per);
    Some(match change {
        Change::Float { by, .. } => Out::Float(by * factor),
        Change::Histogram { mut by, .. } => {
            by.mul(factor);
            by.into()
        }
    })
}

/// How much a native histogram changed over a window; `None`, with a warning, if that cannot be said.
fn change_of_histograms(caller: &Caller<'_>, window: &Window<'_>, is_counter: bool) -> Option<FloatHistogram> {
    let all = window.histograms;
    let is_gauge = |h: &FloatHistogram| h.reset_hint == ResetHint::Gauge;
    let (first, last) = (all[0].as_ref(), all[all.len() - 1].as_ref());
    if is_counter && all.iter().any(|h| is_gauge(h)) {
        not_a_counter(caller);
    }
    let restarts = |i: usize| {
        caller.restarted(window.histogram_times, window.histogram_starts, i) || all[i].detect_reset(&all[i - 1])
    };
    // What was before a reset right after the first sample is of no matter, its buckets neither.
    let nothing;
    let mut previous = first;
    if is_counter && all.len() > 1 && restarts(1) {
        let second = &all[1];
        nothing = FloatHistogram {
            schema: second.schema,
            custom_values: Arc::clone(&second.custom_values),
            ..FloatHistogram::default()
        };
        previous = &nothing;
    }
    let custom = previous.uses_custom_buckets();
    let inner = if all.len() > 2 { &all[1..all.len() - 1] } else { &[] };
    if last.uses_custom_buckets() != custom || (is_counter && inner.iter().any(|h| h.uses_custom_buckets() != custom)) {
        caller.warn_named(MIXED_SCHEMAS);
        return None;
    }
    let mut by = last.clone();
    let reconciled = |flags: bool| {
        if flags {
            caller.context.annotations.info(caller.span, RECONCILED_SUB);
        }
    };
    match by.sub(previous) {
        Ok(flags) => reconciled(flags.bounds_reconciled),
        Err(_) => {
            caller.warn_named(MIXED_SCHEMAS);
            return None;
        }
    }
    if is_counter {
        for i in 1..all.len() {
            if i == 1 && !std::ptr::eq(previous, first) {
                continue;
            }
            if restarts(i) {
                match by.add(&all[i - 1]) {
                    Ok(flags) => reconciled(flags.bounds_reconciled),
                    Err(_) => {
                        caller.warn_named(MIXED_SCHEMAS);
                        return None;
                    }
                }
            }
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        not_a_gauge(caller);
    }
    by.reset_hint = ResetHint::Gauge;
    by.compact(0);
    Some(by)
}

pub(super) const MIXED_SCHEMAS: &str =
    "vector contains a mix of histograms with exponential and custom buckets schemas";
const RECONCILED_SUB: &str = "mismatched custom buckets were reconciled during subtraction";

pub(super) fn not_a_counter(caller: &Caller<'_>) {
    caller.warn(&format!("this native histogram metric is not a counter: {:?}", caller.labels.metric()));
}

pub(super) fn not_a_gauge(caller: &Caller<'_>) {
    caller.warn(&format!("this native histogram metric is not a gauge: {:?}", caller.labels.metric()));
}

/// `irate`, `idelta`: of the last two samples.
pub(super) fn instant(caller: &Caller<'_>, window: &Window<'_>) -> Option<Out> {
    #[derive(Clone, Copy)]
    enum Sample<'a> {
        Float(f64),
        Histogram(&'a Arc<FloatHistogram>),
    }
    let is_rate = caller.function == Function::Irate;
    // The two newest of both kinds, by time.
    let mut newest: Vec<(i64, Sample<'_>, bool)> = Vec::with_capacity(4);
    for i in window.times.len().saturating_sub(2)..window.times.len() {
        let restarted = i > 0 && is_rate && caller.restarted(window.times, window.starts, i);
        newest.push((window.times[i], Sample::Float(window.values[i]), restarted));
    }
    for i in window.histograms.len().saturating_sub(2)..window.histograms.len() {
        let restarted = i > 0 && is_rate && caller.restarted(window.histogram_times, window.histogram_starts, i);
        newest.push((window.histogram_times[i], Sample::Histogram(&window.histograms[i]), restarted));
    }
    newest.sort_by_key(|s| s.0);
    let [.., (before, previous, _), (now, last, restarted)] = newest.as_slice() else { return None };
    let seconds = (now - before) as f64 / 1000.0;
    if seconds == 0.0 {
        return None;
    }
    match (*previous, *last) {
        (Sample::Float(previous), Sample::Float(last)) => {
            let by = if is_rate && (*restarted || last < previous) { last } else { last - previous };
            Some(Out::Float(if is_rate { by / seconds } else { by }))
        }
        (Sample::Histogram(previous), Sample::Histogram(last)) => {
            let gauge = |h: &FloatHistogram| h.reset_hint == ResetHint::Gauge;
            if is_rate && (gauge(previous) || gauge(last)) {
                not_a_counter(caller);
            }
            let gauges = gauge(previous) && gauge(last);
            if !is_rate && !gauges {
                not_a_gauge(caller);
            }
            let mut by = last.as_ref().clone();
            if !(is_rate && (*restarted || last.detect_reset(previous))) {
                match by.sub(previous) {
                    Err(_) => {
                        caller.warn_named(MIXED_SCHEMAS);
                        return None;
                    }
                    Ok(flags) if flags.bounds_reconciled => {
                        caller.context.annotations.info(caller.span, RECONCILED_SUB);
                    }
                    Ok(_) => {}
                }
            }
            by.reset_hint = ResetHint::Gauge;
            by.compact(0);
            if is_rate {
                by.div(seconds);
            }
            Some(by.into())
        }
        _ => {
            caller.mixed();
            None
        }
    }
}

/// Hints that `rate` and `increase` are asked of what may be no counter.
pub(super) fn check_name(caller: &Caller<'_>, numbers: bool) {
    let name = caller.labels.metric();
    let ends = ["_total", "_sum", "_count", "_bucket"];
    let kind = caller.labels.get("__type__");
    if numbers
        && !name.is_empty()
        && !ends.iter().any(|e| name.ends_with(e))
        && !matches!(kind, "counter" | "histogram")
    {
        let text = format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}");
        caller.context.annotations.info(caller.span, text);
    }
}
