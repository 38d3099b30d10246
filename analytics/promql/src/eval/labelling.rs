//! What concerns labels: `label_replace`, `label_join`, `absent`.

use grid_model::labels::METRIC_NAME;
use grid_promql_syntax::matcher::{MatchOp, Matcher};
use regex::Regex;

use super::range::{self, Raw};
use super::{Context, Overlap, Parts, one};
use crate::error::Error;
use crate::labels::Labels;
use crate::plan::{Kind, Node};
use crate::points::{Grid, Points, Series};

/// Longest label that a replacement may make.
const LABEL_BYTES_MAX: usize = 1 << 20;

/// `label_replace(v, dst, replacement, src, regex)`.
pub(super) fn replace<'a>(context: &'a Context<'a>, args: &'a [Node], grid: Grid) -> Result<Parts<'a>, Error> {
    let [_, dst, replacement, src, pattern] = args else {
        return Err(Error::execution("label_replace() wants 5 arguments"));
    };
    let (dst, replacement) = (context.text(dst)?, context.text(replacement)?);
    let (src, pattern) = (context.text(src)?, context.text(pattern)?);
    let regex = Regex::new(&format!("^(?s:{pattern})$"))
        .map_err(|_| Error::Execution(format!("invalid regular expression in label_replace(): {pattern}")))?;
    if dst.is_empty() {
        return Err(Error::Execution(format!("invalid destination label name in label_replace(): {dst}")));
    }
    let parts = context.map(context.stream(&args[0], grid)?, move |series: &mut Series| {
        let Some(found) = regex.captures(series.labels.get(src)) else { return Ok(true) };
        let mut value = String::new();
        found.expand(replacement, &mut value);
        set(series, dst, value)?;
        Ok(true)
    });
    Ok(context.all_distinct(parts, Overlap::SeriesRefused))
}

/// `label_join(v, dst, separator, src...)`.
pub(super) fn join<'a>(context: &'a Context<'a>, args: &'a [Node], grid: Grid) -> Result<Parts<'a>, Error> {
    let [_, dst, separator, sources @ ..] = args else {
        return Err(Error::execution("label_join() wants 3 arguments"));
    };
    let (dst, separator) = (context.text(dst)?, context.text(separator)?);
    let sources = sources.iter().map(|s| context.text(s)).collect::<Result<Vec<_>, _>>()?;
    if dst.is_empty() {
        return Err(Error::Execution(format!("invalid destination label name in label_join(): {dst}")));
    }
    let parts = context.map(context.stream(&args[0], grid)?, move |series: &mut Series| {
        let values: Vec<&str> = sources.iter().map(|s| series.labels.get(s)).collect();
        let value = values.join(separator);
        set(series, dst, value)?;
        Ok(true)
    });
    Ok(context.all_distinct(parts, Overlap::SeriesRefused))
}

fn set(series: &mut Series, label: &str, value: String) -> Result<(), Error> {
    if value.len() > LABEL_BYTES_MAX {
        return Err(Error::Execution(format!(
            "a label of {} bytes, at most {LABEL_BYTES_MAX} are possible",
            value.len()
        )));
    }
    series.labels = series.labels.with(label, &value);
    if label == METRIC_NAME {
        // It was given a name on purpose.
        series.drop_name = false;
    }
    Ok(())
}

/// `absent(v)`: 1 where there is nothing.
pub(super) fn absent<'a>(context: &'a Context<'a>, arg: &'a Node, grid: Grid) -> Result<Parts<'a>, Error> {
    let mut there = vec![false; grid.len()];
    for mut part in context.stream(arg, grid)? {
        while let Some(series) = part.next()? {
            there.iter_mut().zip(&series.points.present).for_each(|(a, b)| *a |= *b);
        }
    }
    Ok(missing(context, arg, &there))
}

/// `absent_over_time(v[5m])`.
pub(super) fn absent_over_time<'a>(context: &'a Context<'a>, arg: &'a Node, grid: Grid) -> Result<Parts<'a>, Error> {
    let (pin, range, _) = range::reach(arg);
    let mut there = vec![false; grid.len()];
    let mut raw = Raw::default();
    for mut part in range::raw(context, arg)? {
        while part.next(&mut raw)? {
            (context.interrupt)()?;
            for (step, there) in there.iter_mut().enumerate().filter(|(_, there)| !**there) {
                let until = pin.time(grid.time(step));
                let within = |times: &[i64]| {
                    let first = times.partition_point(|t| *t <= until.saturating_sub(range));
                    times.get(first).is_some_and(|t| *t <= until)
                };
                *there = within(&raw.samples.times) || within(&raw.samples.histogram_times);
            }
        }
    }
    Ok(missing(context, arg, &there))
}

fn missing<'a>(context: &Context<'_>, arg: &Node, there: &[bool]) -> Parts<'a> {
    let mut points = Points::empty(there.len());
    for (step, _) in there.iter().enumerate().filter(|(_, there)| !**there) {
        points.set(step, 1.0);
    }
    let labels = match &arg.kind {
        Kind::Instant(s) | Kind::Range(s) => labels_of(&context.plan.leaves[s.leaf].matchers),
        _ => Labels::default(),
    };
    if points.is_empty() { Vec::new() } else { one(Series { labels, drop_name: false, points }) }
}

/// The labels that matchers ask for by `=`; one that is asked for twice is in doubt, and left out.
fn labels_of(matchers: &[Matcher]) -> Labels {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    let mut had: Vec<&str> = Vec::new();
    for m in matchers.iter().filter(|m| m.name != METRIC_NAME) {
        if m.op == MatchOp::Equal && !had.contains(&m.name.as_str()) {
            had.push(&m.name);
            pairs.push((&m.name, &m.value));
        } else {
            pairs.retain(|(name, _)| *name != m.name);
        }
    }
    Labels::new(pairs)
}
