//! Functions over ranges: a window slides over the samples of a series, step by step. Its ends only go forward, so that every sample
//! is met once however many steps see it.

use std::sync::Arc;

use grid_promql_syntax::ast::{Extended, Span};
use grid_promql_syntax::function::Function;

use super::{Context, Overlap, Parts, Stream, collect, extended, held, over_time, rate};
use crate::annotation::for_metric;
use crate::error::Error;
use crate::histogram::{FloatHistogram, ResetHint};
use crate::labels::Labels;
use crate::plan::{Kind, Node, Pin, Subquery};
use crate::points::{Grid, Point, Points, Series};
use crate::samples::{Samples, SeriesReader};

/// Whether a function's argument is a range.
pub(super) fn is_over_range(function: Function) -> bool {
    function.signature().args.contains(&grid_promql_syntax::ast::ValueType::Matrix)
}

/// One series of a range: all samples that any step sees.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub labels: Labels,
    pub drop_name: bool,
    pub samples: Samples,
}

pub(super) trait RawStream: Send {
    /// Reads the next series; false at the end.
    fn next(&mut self, raw: &mut Raw) -> Result<bool, Error>;
}

/// The series of a range selector or a subquery.
pub(super) fn raw<'a>(context: &'a Context<'a>, node: &'a Node) -> Result<Vec<Box<dyn RawStream + 'a>>, Error> {
    match &node.kind {
        Kind::Range(selector) => {
            let readers = context.source.select(selector.leaf, &context.plan.leaves[selector.leaf])?;
            Ok(readers.into_iter().map(|reader| Box::new(Stored { reader }) as Box<dyn RawStream + 'a>).collect())
        }
        Kind::Subquery(subquery) => {
            let mut parts = context.stream(&subquery.inner, subquery.grid)?;
            if !context.options.delayed_name_removal && !context.one_metric(&subquery.inner) {
                // What became one series by losing its name must be read as one.
                let mut all = collect(context, parts)?;
                all.series = context.finish(all.series)?;
                parts = held(all);
            }
            Ok(parts
                .into_iter()
                .map(|input| Box::new(Evaluated { input, subquery }) as Box<dyn RawStream + 'a>)
                .collect())
        }
        _ => Err(Error::execution("expected a range vector here")),
    }
}

struct Stored<'a> {
    reader: Box<dyn SeriesReader + 'a>,
}

impl RawStream for Stored<'_> {
    fn next(&mut self, raw: &mut Raw) -> Result<bool, Error> {
        let Some(labels) = self.reader.next(&mut raw.samples)? else { return Ok(false) };
        raw.labels = labels;
        raw.samples.drop_stale();
        Ok(true)
    }
}

struct Evaluated<'a> {
    input: Box<dyn Stream + 'a>,
    subquery: &'a Subquery,
}

impl RawStream for Evaluated<'_> {
    fn next(&mut self, raw: &mut Raw) -> Result<bool, Error> {
        let Some(series) = self.input.next()? else { return Ok(false) };
        raw.labels = series.labels;
        raw.drop_name = series.drop_name;
        raw.samples.clear();
        for (step, point) in series.points.iter() {
            let time = self.subquery.grid.time(step);
            match point {
                Point::Float(v) => raw.samples.push(time, v),
                Point::Histogram(h) => raw.samples.push_histogram(time, 0, without_hint(h)),
            }
        }
        Ok(true)
    }
}

/// A histogram that says nothing of the sample before it: between the steps of a subquery may lie others.
fn without_hint(h: &Arc<FloatHistogram>) -> Arc<FloatHistogram> {
    if matches!(h.reset_hint, ResetHint::Unknown | ResetHint::Gauge) {
        return Arc::clone(h);
    }
    let mut h = h.as_ref().clone();
    h.reset_hint = ResetHint::Unknown;
    Arc::new(h)
}

/// Where the steps of a range node look, and how far back.
pub(super) fn reach(node: &Node) -> (Pin, i64, Option<Extended>) {
    match &node.kind {
        Kind::Range(s) => (s.pin, s.range, s.extended),
        Kind::Subquery(s) => (s.pin, s.range, None),
        _ => (Pin::default(), 0, None),
    }
}

/// Keeps what the range holds at one step.
pub(super) fn cut(node: &Node, time: i64, samples: &mut Samples) {
    let (pin, range, _) = reach(node);
    let end = pin.time(time);
    let all = std::mem::take(samples);
    let inside = |t: i64| t > end.saturating_sub(range) && t <= end;
    for (i, t) in all.times.iter().enumerate().filter(|(_, t)| inside(**t)) {
        samples.push_started(*t, all.starts.get(i).copied().unwrap_or(0), all.values[i]);
    }
    for (i, t) in all.histogram_times.iter().enumerate().filter(|(_, t)| inside(**t)) {
        let start = all.histogram_starts.get(i).copied().unwrap_or(0);
        samples.push_histogram(*t, start, Arc::clone(&all.histograms[i]));
    }
}

/// What a function yields for a window.
pub(super) enum Out {
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

impl From<FloatHistogram> for Out {
    fn from(histogram: FloatHistogram) -> Self {
        Self::Histogram(Arc::new(histogram))
    }
}

/// The samples that one step sees.
pub(super) struct Window<'a> {
    pub times: &'a [i64],
    pub values: &'a [f64],
    /// Empty if no sample says when it started.
    pub starts: &'a [i64],
    pub histogram_times: &'a [i64],
    pub histograms: &'a [Arc<FloatHistogram>],
    pub histogram_starts: &'a [i64],
    /// The range's open end, in milliseconds.
    pub after: i64,
    /// Its closed end.
    pub until: i64,
    /// The step.
    pub step: usize,
    /// The step's time.
    pub now: i64,
}

/// A function as called, over one series.
pub(super) struct Caller<'a> {
    pub context: &'a Context<'a>,
    pub function: Function,
    /// Of the range argument.
    pub span: Span,
    /// Scalar arguments, each with a number per step.
    pub params: &'a [Vec<f64>],
    /// Milliseconds.
    pub range: i64,
    pub labels: &'a Labels,
}

impl Caller<'_> {
    pub(super) fn warn(&self, text: &str) {
        self.context.annotations.warn(self.span, text);
    }

    pub(super) fn warn_named(&self, text: &str) {
        let text = format!("{text}{}", for_metric(self.labels.metric()));
        self.context.annotations.warn(self.span, text);
    }

    /// Numbers and histograms in one range, of which only numbers count.
    pub(super) fn histograms_ignored(&self, window: &Window<'_>) {
        if !window.histograms.is_empty() && !window.values.is_empty() {
            let text = "ignored histograms in a range containing both floats and histograms";
            self.context.annotations.info(self.span, format!("{text}{}", for_metric(self.labels.metric())));
        }
    }

    /// Numbers and histograms in one range, of which nothing can be made.
    pub(super) fn mixed(&self) {
        self.warn_named("encountered a mix of histograms and floats");
    }
}

fn is_range(node: &&Node) -> bool {
    matches!(node.kind, Kind::Range(_) | Kind::Subquery(_))
}

pub(super) fn stream<'a>(
    context: &'a Context<'a>,
    function: Function,
    args: &'a [Node],
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    of_range(context, function, args, grid, false)
}

/// As [`stream`], but series may still have the labels that say which metric they are of: for those who do not look at them, because
/// to take them away is to copy all others.
pub(super) fn stream_named<'a>(
    context: &'a Context<'a>,
    function: Function,
    args: &'a [Node],
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    // Of several metrics two series may be one without their names.
    let named = args.iter().find(is_range).is_some_and(|over| context.one_metric(over));
    of_range(context, function, args, grid, named && !context.options.delayed_name_removal)
}

fn of_range<'a>(
    context: &'a Context<'a>,
    function: Function,
    args: &'a [Node],
    grid: Grid,
    named: bool,
) -> Result<Parts<'a>, Error> {
    let Some(over) = args.iter().find(is_range) else {
        return Err(Error::execution("expected a range vector here"));
    };
    let others: Vec<&Node> = args.iter().filter(|a| !is_range(a)).collect();
    let mut params = Vec::with_capacity(others.len());
    for other in &others {
        params.push(context.scalar(other, grid)?);
    }
    over_time::check_params(context, function, &others, &params)?;
    let params: Arc<Vec<Vec<f64>>> = Arc::new(params);
    let parts = raw(context, over)?
        .into_iter()
        .map(|input| {
            let params = Arc::clone(&params);
            let (raw, sliding) = (Raw::default(), rate::Sliding::default());
            let keeps = named || matches!(function, Function::LastOverTime | Function::FirstOverTime);
            Box::new(OverRange { context, function, over, params, grid, input, raw, sliding, keeps })
                as Box<dyn Stream + 'a>
        })
        .collect();
    match function {
        Function::LastOverTime | Function::FirstOverTime => Ok(parts),
        _ => Ok(context.distinct(over, parts, Overlap::SeriesRefused)),
    }
}

struct OverRange<'a> {
    context: &'a Context<'a>,
    function: Function,
    over: &'a Node,
    params: Arc<Vec<Vec<f64>>>,
    grid: Grid,
    input: Box<dyn RawStream + 'a>,
    raw: Raw,
    sliding: rate::Sliding,
    /// Whether series keep their names.
    keeps: bool,
}

impl Stream for OverRange<'_> {
    fn next(&mut self) -> Result<Option<Series>, Error> {
        let mut series = Series::default();
        Ok(self.next_into(&mut series)?.then_some(series))
    }

    fn next_into(&mut self, series: &mut Series) -> Result<bool, Error> {
        loop {
            (self.context.interrupt)()?;
            if !self.input.next(&mut self.raw)? {
                return Ok(false);
            }
            self.slide(&mut series.points)?;
            if series.points.is_empty() {
                continue;
            }
            std::mem::swap(&mut series.labels, &mut self.raw.labels);
            series.drop_name = self.raw.drop_name;
            if !self.keeps {
                self.context.drop_name(series);
            }
            return Ok(true);
        }
    }
}

impl OverRange<'_> {
    fn slide(&mut self, points: &mut Points) -> Result<(), Error> {
        let (pin, range, extended) = reach(self.over);
        let samples = &self.raw.samples;
        let caller = Caller {
            context: self.context,
            function: self.function,
            span: self.over.span,
            params: &self.params,
            range,
            labels: &self.raw.labels,
        };
        let is_rate = matches!(self.function, Function::Rate | Function::Increase);
        let plain = samples.histograms.is_empty() && samples.starts.is_empty() && extended.is_none();
        let grid = self.grid;
        points.reset(grid.len());
        let window = |step| {
            let until = pin.time(grid.time(step));
            (until.saturating_sub(range), until)
        };
        if plain && (is_rate || self.function == Function::Delta) {
            self.sliding.points(self.function, range, samples, points, window);
            if is_rate && !points.is_empty() {
                rate::check_name(&caller, true);
            }
            return Ok(());
        }
        if plain && matches!(self.function, Function::MaxOverTime | Function::MinOverTime) {
            over_time::extremes(self.function, samples, points, window);
            return Ok(());
        }
        let lookback = self.context.options.lookback;
        let (before, behind) = match extended {
            None => (0, 0),
            Some(Extended::Anchored) => (lookback, 0),
            Some(Extended::Smoothed) => (lookback, lookback),
        };
        let mut floats = Bounds::default();
        let mut histograms = Bounds::default();
        for step in 0..points.steps() {
            let now = self.grid.time(step);
            let until = pin.time(now);
            let after = until.saturating_sub(range);
            let (low, high) = (after.saturating_sub(before), until.saturating_add(behind));
            floats.advance(&samples.times, low, high);
            histograms.advance(&samples.histogram_times, low, high);
            if floats.is_empty() && histograms.is_empty() {
                continue;
            }
            let window = Window {
                times: floats.of(&samples.times),
                values: floats.of(&samples.values),
                starts: floats.of(&samples.starts),
                histogram_times: histograms.of(&samples.histogram_times),
                histograms: histograms.of(&samples.histograms),
                histogram_starts: histograms.of(&samples.histogram_starts),
                after,
                until,
                step,
                now,
            };
            let out = match extended {
                None => apply(&caller, &window),
                Some(how) => extended::apply(&caller, &window, how),
            };
            match out? {
                None => {}
                Some(Out::Float(v)) => points.set(step, v),
                Some(Out::Histogram(h)) => points.set_histogram(step, h),
            }
        }
        if is_rate && !points.is_empty() {
            rate::check_name(&caller, !samples.values.is_empty());
        }
        Ok(())
    }
}

/// From which sample to before which.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Bounds {
    pub low: usize,
    pub high: usize,
}

impl Bounds {
    pub(super) fn advance(&mut self, times: &[i64], after: i64, until: i64) {
        while times.get(self.low).is_some_and(|t| *t <= after) {
            self.low += 1;
        }
        self.high = self.high.max(self.low);
        while times.get(self.high).is_some_and(|t| *t <= until) {
            self.high += 1;
        }
    }

    fn is_empty(self) -> bool {
        self.low == self.high
    }

    /// Of a column that may be left out as a whole.
    fn of<T>(self, column: &[T]) -> &[T] {
        column.get(self.low..self.high).unwrap_or(&[])
    }
}

fn apply(caller: &Caller<'_>, window: &Window<'_>) -> Result<Option<Out>, Error> {
    use Function as F;
    match caller.function {
        F::Rate | F::Increase | F::Delta => Ok(rate::extrapolated(caller, window)),
        F::Irate | F::Idelta => Ok(rate::instant(caller, window)),
        _ => over_time::apply(caller, window),
    }
}
