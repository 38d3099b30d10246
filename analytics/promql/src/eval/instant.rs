//! Instant vector selectors: at each step the newest sample within the lookback.

use grid_model::histogram::is_stale;
use grid_promql_syntax::ast::Extended;

use super::{Context, Overlap, Parts, Stream, extended};
use crate::error::Error;
use crate::plan::{Kind, Node, Selector};
use crate::points::{Grid, Points, Series};
use crate::samples::{Samples, SeriesReader};

/// What a step shows of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    Value,
    /// Its time, in seconds.
    Time,
}

pub(super) fn stream<'a>(
    context: &'a Context<'a>,
    node: &'a Node,
    selector: &'a Selector,
    grid: Grid,
    shows: Shows,
) -> Result<Parts<'a>, Error> {
    let readers = context.source.select(selector.leaf, &context.plan.leaves[selector.leaf])?;
    Ok(readers
        .into_iter()
        .map(|reader| {
            Box::new(Instant { context, node, selector, grid, shows, reader, samples: Samples::default() })
                as Box<dyn Stream + 'a>
        })
        .collect())
}

/// `timestamp(v)`: of a selector the times of its samples, of all else the steps'.
pub(super) fn timestamp<'a>(context: &'a Context<'a>, arg: &'a Node, grid: Grid) -> Result<Parts<'a>, Error> {
    let parts = match &arg.kind {
        Kind::Instant(selector) => stream(context, arg, selector, grid, Shows::Time)?,
        _ => context.map(context.stream(arg, grid)?, move |series: &mut Series| {
            for i in 0..series.points.steps() {
                if series.points.present[i] {
                    series.points.set(i, grid.time(i) as f64 / 1000.0);
                }
            }
            Ok(true)
        }),
    };
    let named = context.map(parts, |series: &mut Series| {
        context.drop_name(series);
        Ok(true)
    });
    Ok(context.distinct(arg, named, Overlap::Refused))
}

struct Instant<'a> {
    context: &'a Context<'a>,
    node: &'a Node,
    selector: &'a Selector,
    grid: Grid,
    shows: Shows,
    reader: Box<dyn SeriesReader + 'a>,
    samples: Samples,
}

impl Stream for Instant<'_> {
    fn next(&mut self) -> Result<Option<Series>, Error> {
        let mut series = Series::default();
        Ok(self.next_into(&mut series)?.then_some(series))
    }

    fn next_into(&mut self, series: &mut Series) -> Result<bool, Error> {
        loop {
            (self.context.interrupt)()?;
            let Some(labels) = self.reader.next(&mut self.samples)? else { return Ok(false) };
            match self.selector.extended {
                Some(Extended::Smoothed) => {
                    self.samples.drop_stale();
                    let (context, samples) = (self.context, &self.samples);
                    series.points = extended::smoothed(context, self.node, self.selector, self.grid, &labels, samples)?;
                }
                _ => self.points(&mut series.points),
            }
            if !series.points.is_empty() {
                (series.labels, series.drop_name) = (labels, false);
                return Ok(true);
            }
        }
    }
}

impl Instant<'_> {
    fn points(&self, points: &mut Points) {
        let (lookback, samples) = (self.context.options.lookback, &self.samples);
        points.reset(self.grid.len());
        // One past the newest sample of each kind that a step sees; steps only go forward.
        let (mut floats, mut histograms) = (0, 0);
        for step in 0..points.steps() {
            let time = self.selector.pin.time(self.grid.time(step));
            while samples.times.get(floats).is_some_and(|t| *t <= time) {
                floats += 1;
            }
            while samples.histogram_times.get(histograms).is_some_and(|t| *t <= time) {
                histograms += 1;
            }
            let newest = |times: &[i64], end: usize| end.checked_sub(1).map(|i| (times[i], i));
            let float = newest(&samples.times, floats);
            let histogram = newest(&samples.histogram_times, histograms);
            let is_float = match (float, histogram) {
                (None, None) => continue,
                (float, histogram) => float.map(|f| f.0) >= histogram.map(|h| h.0),
            };
            let Some((at, i)) = (if is_float { float } else { histogram }) else { continue };
            if at <= time.saturating_sub(lookback) {
                continue;
            }
            let stale = if is_float { is_stale(samples.values[i]) } else { is_stale(samples.histograms[i].sum) };
            if stale {
                continue;
            }
            match self.shows {
                Shows::Time => points.set(step, at as f64 / 1000.0),
                Shows::Value if is_float => points.set(step, samples.values[i]),
                Shows::Value => points.set_histogram(step, std::sync::Arc::clone(&samples.histograms[i])),
            }
        }
    }
}
