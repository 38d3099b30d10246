//! Whether an answer is what was expected.

use std::collections::BTreeMap;

use grid_promql::Labels;
use grid_promql::histogram::{FloatHistogram, ResetHint};
use grid_promql::points::{Grid, Point};
use grid_promql::query::{Answer, Value};
use grid_promql::samples::Samples;

use crate::command::{At, Eval, Notes};
use crate::notation::Item;

/// How far apart two numbers may be, relatively.
const EPSILON: f64 = 1e-6;

/// Whether two numbers are the same but for rounding (Prometheus, `util/almost`).
pub fn almost(a: f64, b: f64) -> bool {
    if a.to_bits() == b.to_bits() || a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < EPSILON
}

/// Whether two histograms are the same but for rounding and for spans that say the same.
pub fn almost_histogram(expected: &FloatHistogram, got: &FloatHistogram) -> bool {
    let (mut expected, mut got) = (expected.clone(), got.clone());
    expected.compact(0);
    got.compact(0);
    let buckets = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| almost(*a, *b));
    expected.schema == got.schema
        && almost(expected.count, got.count)
        && almost(expected.sum, got.sum)
        && almost(expected.zero_count, got.zero_count)
        && (got.uses_custom_buckets() || almost(expected.zero_threshold, got.zero_threshold))
        && buckets(&expected.custom_values, &got.custom_values)
        && expected.positive_spans == got.positive_spans
        && expected.negative_spans == got.negative_spans
        && buckets(&expected.positive_buckets, &got.positive_buckets)
        && buckets(&expected.negative_buckets, &got.negative_buckets)
        && (expected.reset_hint == ResetHint::Unknown || expected.reset_hint == got.reset_hint)
}

fn same(expected: &Item, got: Option<Point<'_>>) -> bool {
    match (expected, got) {
        (Item::Gap, None) => true,
        (Item::Float(e), Some(Point::Float(g))) => almost(*e, g),
        (Item::Histogram(e), Some(Point::Histogram(g))) => almost_histogram(e, g),
        _ => false,
    }
}

fn say(point: Option<Point<'_>>) -> String {
    match point {
        None => "_".to_owned(),
        Some(Point::Float(v)) => grid_promql::number::plain(v),
        Some(Point::Histogram(h)) => h.test_expression(),
    }
}

fn say_item(item: &Item) -> String {
    match item {
        Item::Gap => "_".to_owned(),
        Item::Float(v) => grid_promql::number::plain(*v),
        Item::Histogram(h) => h.test_expression(),
    }
}

/// Compares an answer and its notes; `Err` says in what they differ.
pub fn answer(eval: &Eval, answer: &Answer) -> Result<(), String> {
    notes("warning", &eval.warn, &answer.notes.warnings)?;
    notes("info", &eval.info, &answer.notes.infos)?;
    let steps = match eval.at {
        At::Instant(_) => 1,
        At::Range(grid) => grid.len(),
    };
    match &answer.value {
        Value::Text(text) => match &eval.string {
            Some(expected) if expected == text => Ok(()),
            expected => Err(format!("expected {expected:?}, got the string {text:?}")),
        },
        Value::Scalar(values) if matches!(eval.at, At::Instant(_)) => match eval.scalar {
            Some(expected) if values.first().is_some_and(|v| almost(expected, *v)) => Ok(()),
            expected => Err(format!("expected {expected:?}, got the scalar {:?}", values.first())),
        },
        Value::Scalar(values) => {
            let [(_, items)] = eval.series.as_slice() else { return Err("expected one series".to_owned()) };
            series(&Labels::default(), items, |i| values.get(i).map(|v| Point::Float(*v)), steps)
        }
        Value::Ranges(ranges) => range_vector(eval, ranges),
        Value::Series(all) => {
            let mut left: BTreeMap<&Labels, usize> = BTreeMap::new();
            for (i, s) in all.iter().enumerate() {
                if left.insert(&s.labels, i).is_some() {
                    return Err(format!("{} is there twice", s.labels));
                }
            }
            for (n, (labels, items)) in eval.series.iter().enumerate() {
                let Some(i) = left.remove(labels) else {
                    if items.iter().all(|i| *i == Item::Gap) {
                        continue;
                    }
                    let got: Vec<String> = all.iter().take(5).map(|s| s.labels.to_string()).collect();
                    return Err(format!("{labels} is missing; there are {}", got.join(", ")));
                };
                if eval.ordered && i != n {
                    return Err(format!("{labels} is at place {}, expected at {}", i + 1, n + 1));
                }
                series(labels, items, |step| all[i].points.get(step), steps)?;
            }
            match left.iter().next() {
                Some((labels, i)) => {
                    Err(format!("{labels} {} was not expected", say(all[*i].points.iter().next().map(|p| p.1))))
                }
                None => Ok(()),
            }
        }
    }
}

fn series<'a>(
    labels: &Labels,
    items: &[Item],
    got: impl Fn(usize) -> Option<Point<'a>>,
    steps: usize,
) -> Result<(), String> {
    for step in 0..steps.max(items.len()) {
        let expected = items.get(step).unwrap_or(&Item::Gap);
        let point = if step < steps { got(step) } else { None };
        if !same(expected, point) {
            return Err(format!("{labels} at step {step}: expected {}, got {}", say_item(expected), say(point)));
        }
    }
    Ok(())
}

fn range_vector(eval: &Eval, ranges: &[(Labels, Samples)]) -> Result<(), String> {
    let Some(Grid { start, end, step }) = eval.range_vector else { return Err("got a range vector".to_owned()) };
    let mut left: BTreeMap<&Labels, &Samples> = ranges.iter().map(|(l, s)| (l, s)).collect();
    for (labels, items) in &eval.series {
        let Some(samples) = left.remove(labels) else { return Err(format!("{labels} is missing")) };
        let at = |i: usize| {
            let time = start + step * i as i64;
            let float = samples.times.binary_search(&time).ok().map(|i| Point::Float(samples.values[i]));
            let histogram = || samples.histogram_times.binary_search(&time).ok();
            float.or_else(|| histogram().map(|i| Point::Histogram(&samples.histograms[i])))
        };
        let steps = Grid { start, end, step }.len();
        series(labels, items, at, steps)?;
        let expected = items.iter().filter(|i| **i != Item::Gap).count();
        if samples.len() != expected {
            return Err(format!("{labels} has {} samples, expected {expected}", samples.len()));
        }
    }
    left.keys().next().map_or(Ok(()), |labels| Err(format!("{labels} was not expected")))
}

fn notes(kind: &str, expected: &Notes, got: &[String]) -> Result<(), String> {
    if expected.none && !got.is_empty() {
        return Err(format!("expected no {kind}, got {got:?}"));
    }
    if expected.some.is_empty() {
        return Ok(());
    }
    if let Some(missing) = expected.some.iter().find(|e| !got.iter().any(|g| e.accepts(g))) {
        return Err(format!("expected the {kind} {missing:?}, got {got:?}"));
    }
    match got.iter().find(|g| !expected.some.iter().any(|e| e.accepts(g))) {
        Some(other) => Err(format!("the {kind} {other:?} was not expected")),
        None => Ok(()),
    }
}
