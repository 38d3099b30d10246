//! Aggregations: groups grow while series stream by, so that only the groups are held.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use grid_promql_syntax::ast::{AggregateOp, Span};
use grid_promql_syntax::function::Function;

use super::over_time::invalid_quantile;
use super::{Collected, Context, Parts, choose, held, range, side_by_side};
use crate::annotation::Annotations;
use crate::error::Error;
use crate::histogram;
use crate::histogram_sum::HistogramSum;
use crate::kahan::{Mean, Sums, Variance};
use crate::labels::{KeyHasher, Labels, METADATA_LABELS};
use crate::number;
use crate::plan::{Aggregation, Kind};
use crate::points::{Grid, Point, Points, Series};

pub(super) fn stream<'a>(
    context: &'a Context<'a>,
    aggregation: &'a Aggregation,
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    use AggregateOp as A;
    match aggregation.op {
        A::Topk | A::Bottomk | A::Limitk | A::LimitRatio => choose::stream(context, aggregation, grid),
        A::CountValues => count_values(context, aggregation, grid),
        op => {
            let quantiles = match (op, &aggregation.param) {
                (A::Quantile, Some(param)) => {
                    let quantiles = context.scalar(param, grid)?;
                    quantiles.iter().for_each(|q| invalid_quantile(context, param, *q));
                    quantiles
                }
                _ => Vec::new(),
            };
            let (steps, span) = (grid.len(), aggregation.expr.span);
            let shares = side_by_side(members(context, aggregation, grid)?, |part| {
                let mut groups = Groups::new(context, aggregation, steps);
                let mut series = Series::default();
                while part.next_into(&mut series)? {
                    (context.interrupt)()?;
                    groups.add(&series)?;
                }
                Ok(groups)
            })?;
            let mut shares = shares.into_iter();
            let Some(mut all) = shares.next() else { return Ok(Vec::new()) };
            for share in shares {
                all.absorb(share)?;
            }
            Ok(held(all.finish(context.annotations, span, &quantiles)))
        }
    }
}

/// What is aggregated; with names that nobody asks for if that is cheaper.
fn members<'a>(context: &'a Context<'a>, aggregation: &'a Aggregation, grid: Grid) -> Result<Parts<'a>, Error> {
    let asked_for = |name: &&str| aggregation.grouping.iter().any(|g| g == name);
    match &aggregation.expr.kind {
        // `without` drops these labels in any case.
        Kind::Call(function, args)
            if range::is_over_range(*function)
                && *function != Function::AbsentOverTime
                && (aggregation.without || !METADATA_LABELS.iter().any(asked_for)) =>
        {
            range::stream_named(context, *function, args, grid)
        }
        _ => context.stream(&aggregation.expr, grid),
    }
}

struct Groups<'a> {
    aggregation: &'a Aggregation,
    steps: usize,
    by_key: HashMap<Vec<u8>, usize, BuildHasherDefault<KeyHasher>>,
    groups: Vec<Group>,
    key: Vec<u8>,
    held: crate::query::Reservation,
}

struct Group {
    labels: Labels,
    drop_name: bool,
    /// A slot per step.
    floats: Floats,
    seen: Vec<Seen>,
    /// Empty until a histogram is met.
    histograms: Vec<Option<Box<HistogramSum>>>,
}

/// What kinds of sample a slot has met.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    float: bool,
    histogram: bool,
    /// Histograms that do not go together.
    incompatible: bool,
}

enum Floats {
    Sum(Sums),
    Mean(Vec<Option<Mean>>),
    Number(Vec<f64>),
    Variance(Vec<Variance>),
    All(Vec<Vec<f64>>),
}

impl<'a> Groups<'a> {
    fn new(context: &'a Context<'a>, aggregation: &'a Aggregation, steps: usize) -> Self {
        let held = context.memory.reserve();
        Self { aggregation, steps, by_key: HashMap::default(), groups: Vec::new(), key: Vec::new(), held }
    }

    fn add(&mut self, series: &Series) -> Result<(), Error> {
        let Aggregation { op, grouping, without, .. } = self.aggregation;
        series.labels.group_key(grouping, *without, &mut self.key);
        let at = match self.by_key.get(&self.key) {
            Some(at) => *at,
            None => {
                let labels = series.labels.grouped(grouping, *without);
                self.held.grow(self.key.len() + labels.bytes() + self.steps * slot_bytes(*op) + 160)?;
                self.groups.push(Group::new(labels, series.drop_name, *op, self.steps));
                self.by_key.insert(self.key.clone(), self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        self.groups[at].add(&series.points, *op);
        if *op == AggregateOp::Quantile {
            self.held.grow(self.steps * 8)?;
        }
        Ok(())
    }

    fn absorb(&mut self, other: Self) -> Result<(), Error> {
        let mut others: Vec<Option<Group>> = other.groups.into_iter().map(Some).collect();
        for (key, at) in other.by_key {
            let Some(group) = others[at].take() else { continue };
            match self.by_key.get(&key) {
                Some(own) => self.groups[*own].absorb(group, self.aggregation.op),
                None => {
                    self.groups.push(group);
                    self.by_key.insert(key, self.groups.len() - 1);
                }
            }
        }
        self.held.absorb(other.held);
        Ok(())
    }

    fn finish(self, annotations: &Annotations, span: Span, quantiles: &[f64]) -> Collected {
        let op = self.aggregation.op;
        let series = self.groups.into_iter().map(|g| g.finish(op, annotations, span, quantiles));
        Collected { series: series.filter(|s| !s.points.is_empty()).collect(), held: self.held }
    }
}

fn slot_bytes(op: AggregateOp) -> usize {
    match op {
        AggregateOp::Sum => 19,
        AggregateOp::Avg => 51,
        AggregateOp::Stddev | AggregateOp::Stdvar => 43,
        AggregateOp::Quantile => 27,
        _ => 11,
    }
}

impl Group {
    fn new(labels: Labels, drop_name: bool, op: AggregateOp, steps: usize) -> Self {
        use AggregateOp as A;
        let floats = match op {
            A::Sum => Floats::Sum(Sums::new(steps)),
            A::Avg => Floats::Mean(vec![None; steps]),
            A::Stddev | A::Stdvar => Floats::Variance(vec![Variance::default(); steps]),
            A::Quantile => Floats::All(vec![Vec::new(); steps]),
            _ => Floats::Number(vec![0.0; steps]),
        };
        Self { labels, drop_name, floats, seen: vec![Seen::default(); steps], histograms: Vec::new() }
    }

    fn add(&mut self, points: &Points, op: AggregateOp) {
        if let (Floats::Sum(sums), false) = (&mut self.floats, points.has_histograms()) {
            sums.add_all(&points.values, &points.present);
            for (seen, present) in self.seen.iter_mut().zip(&points.present) {
                seen.float |= present;
            }
            return;
        }
        for (step, point) in points.iter() {
            match point {
                Point::Float(v) => {
                    let first = !self.seen[step].float;
                    self.seen[step].float = true;
                    match &mut self.floats {
                        Floats::Sum(sums) => sums.add(step, v),
                        Floats::Mean(means) => match &mut means[step] {
                            Some(mean) => mean.add(v),
                            slot => *slot = Some(Mean::of(v)),
                        },
                        Floats::Variance(all) => all[step].add(v),
                        Floats::All(all) => all[step].push(v),
                        Floats::Number(all) => all[step] = number_of(op, first, all[step], v),
                    }
                }
                Point::Histogram(h) => {
                    self.seen[step].histogram = true;
                    match (op, &mut self.floats) {
                        (AggregateOp::Count, Floats::Number(all)) => all[step] += 1.0,
                        (AggregateOp::Sum | AggregateOp::Avg, _) => {
                            if self.histograms.is_empty() {
                                self.histograms.resize(self.seen.len(), None);
                            }
                            let slot = self.histograms[step]
                                .get_or_insert_with(|| Box::new(HistogramSum::new(op == AggregateOp::Avg)));
                            self.seen[step].incompatible |= slot.add(h).is_err();
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn absorb(&mut self, other: Self, op: AggregateOp) {
        for step in 0..self.seen.len() {
            let (own, theirs) = (self.seen[step], other.seen[step]);
            match (&mut self.floats, &other.floats) {
                // Of all steps at once, below.
                (Floats::Sum(_), Floats::Sum(_)) => {}
                (Floats::Mean(a), Floats::Mean(b)) => match (&mut a[step], b[step]) {
                    (Some(a), Some(b)) => a.absorb(b),
                    (slot @ None, b) => *slot = b,
                    (Some(_), None) => {}
                },
                (Floats::Variance(a), Floats::Variance(b)) => a[step].absorb(b[step]),
                (Floats::All(a), Floats::All(b)) => a[step].extend_from_slice(&b[step]),
                (Floats::Number(a), Floats::Number(b)) => {
                    if op == AggregateOp::Count {
                        a[step] += b[step];
                    } else if theirs.float {
                        a[step] = number_of(op, !own.float, a[step], b[step]);
                    }
                }
                _ => {}
            }
            let seen = &mut self.seen[step];
            seen.float |= theirs.float;
            seen.histogram |= theirs.histogram;
            seen.incompatible |= theirs.incompatible;
        }
        if let (Floats::Sum(own), Floats::Sum(theirs)) = (&mut self.floats, &other.floats) {
            own.absorb(theirs);
        }
        for (step, theirs) in other.histograms.into_iter().enumerate() {
            let Some(theirs) = theirs else { continue };
            if self.histograms.is_empty() {
                self.histograms.resize(self.seen.len(), None);
            }
            match &mut self.histograms[step] {
                Some(own) => self.seen[step].incompatible |= own.absorb(*theirs).is_err(),
                slot => *slot = Some(theirs),
            }
        }
    }

    fn finish(self, op: AggregateOp, annotations: &Annotations, span: Span, quantiles: &[f64]) -> Series {
        use AggregateOp as A;
        let mut points = Points::empty(self.seen.len());
        let mut histograms = self.histograms;
        let mut floats = self.floats;
        for (step, seen) in self.seen.iter().enumerate() {
            if !seen.float && !seen.histogram {
                continue;
            }
            match op {
                A::Sum | A::Avg if seen.histogram => {
                    if seen.float {
                        annotations.warn(span, "encountered a mix of histograms and floats for aggregation");
                    } else if seen.incompatible {
                        annotations.warn(span, super::rate::MIXED_SCHEMAS);
                    } else if let Some((total, found)) =
                        histograms.get_mut(step).and_then(Option::take).and_then(|h| h.finish())
                    {
                        if found.reset_collision {
                            annotations.warn(span, "conflicting counter resets during histogram aggregation");
                        }
                        if found.bounds_reconciled {
                            annotations.info(span, "mismatched custom buckets were reconciled during aggregation");
                        }
                        points.set_histogram(step, Arc::new(total));
                    }
                    continue;
                }
                A::Group => {
                    points.set(step, 1.0);
                    continue;
                }
                A::Count => {}
                _ if seen.histogram => {
                    annotations.info(span, format!("ignored histogram in {} aggregation", op.as_str()));
                    if !seen.float {
                        continue;
                    }
                }
                _ => {}
            }
            let value = match &mut floats {
                Floats::Sum(sums) => sums.at(step).total(),
                Floats::Mean(means) => means[step].map_or(f64::NAN, Mean::total),
                Floats::Number(all) => all[step],
                Floats::Variance(all) if op == A::Stddev => all[step].total().sqrt(),
                Floats::Variance(all) => all[step].total(),
                Floats::All(all) => histogram::quantile(quantiles[step], &mut all[step]),
            };
            points.set(step, value);
        }
        Series { labels: self.labels, drop_name: self.drop_name, points }
    }
}

/// `min`, `max`, `count`: NaN gives way to any number.
fn number_of(op: AggregateOp, first: bool, old: f64, new: f64) -> f64 {
    match op {
        AggregateOp::Count => old + 1.0,
        AggregateOp::Min if first || new < old || old.is_nan() => new,
        AggregateOp::Max if first || new > old || old.is_nan() => new,
        _ => old,
    }
}

/// `count_values("label", v)`: how many elements have each value.
fn count_values<'a>(context: &'a Context<'a>, aggregation: &'a Aggregation, grid: Grid) -> Result<Parts<'a>, Error> {
    let Some(label) = &aggregation.param else { return Err(Error::execution("count_values() wants a label")) };
    let label = context.text(label)?;
    if label.is_empty() {
        return Err(Error::Execution(format!("invalid label name {label:?}")));
    }
    let mut grouping = aggregation.grouping.clone();
    if !aggregation.without && !grouping.iter().any(|g| g == label) {
        grouping.push(label.to_owned());
        grouping.sort();
    }
    let mut held_bytes = context.memory.reserve();
    let mut counts: HashMap<Labels, Series> = HashMap::new();
    for mut part in context.stream(&aggregation.expr, grid)? {
        while let Some(series) = part.next()? {
            (context.interrupt)()?;
            for (step, point) in series.points.iter() {
                let value = match point {
                    Point::Float(v) => number::plain(v),
                    Point::Histogram(h) => h.to_string(),
                };
                let labels = series.labels.with(label, &value).grouped(&grouping, aggregation.without);
                let counted = match counts.get_mut(&labels) {
                    Some(counted) => counted,
                    None => {
                        held_bytes.grow(grid.len() * 9 + labels.bytes() + 160)?;
                        let (points, drop_name) = (Points::empty(grid.len()), series.drop_name);
                        counts.entry(labels.clone()).or_insert(Series { labels, drop_name, points })
                    }
                };
                let before = if counted.points.present[step] { counted.points.values[step] } else { 0.0 };
                counted.points.set(step, before + 1.0);
            }
        }
    }
    Ok(held(Collected { series: counts.into_values().collect(), held: held_bytes }))
}
