//! Binary operators between two vectors: which element meets which (Prometheus, `promql/engine.go`: `VectorBinop`).

use std::collections::HashMap;

use grid_promql_syntax::ast::{Cardinality, Matching};

use super::binary::{Made, apply, arithmetic, drops_name};
use super::set::signature;
use super::{Collected, Context, Parts, collect, held};
use crate::error::Error;
use crate::labels::Labels;
use crate::plan::{Binary, Node};
use crate::points::{Grid, Point, Points, Series};

/// Series of both sides that match, as positions.
#[derive(Default)]
struct Group {
    many: Vec<usize>,
    one: Vec<usize>,
}

pub(super) fn stream<'a>(
    context: &'a Context<'a>,
    node: &'a Node,
    binary: &'a Binary,
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    let lhs = collect(context, context.stream(&binary.lhs, grid)?)?;
    let rhs = collect(context, context.stream(&binary.rhs, grid)?)?;
    let swapped = binary.matching.card == Cardinality::OneToMany;
    let (many, one) = if swapped { (&rhs, &lhs) } else { (&lhs, &rhs) };
    let mut groups: HashMap<Vec<u8>, Group> = HashMap::with_capacity(many.series.len());
    let mut key = Vec::new();
    for (side, series) in [(true, &many.series), (false, &one.series)] {
        for (i, series) in series.iter().enumerate() {
            signature(&series.labels, &binary.matching, &mut key);
            let group = match groups.get_mut(&key) {
                Some(group) => group,
                None => groups.entry(key.clone()).or_default(),
            };
            (if side { &mut group.many } else { &mut group.one }).push(i);
        }
    }
    let fill = &binary.matching;
    let (fill_many, fill_one) =
        if swapped { (fill.fill_right, fill.fill_left) } else { (fill.fill_left, fill.fill_right) };
    let mut matcher = Matcher {
        context,
        node,
        binary,
        many: &many.series,
        one: &one.series,
        swapped,
        fill_many,
        fill_one,
        steps: grid.len(),
        out: Vec::new(),
        by_labels: HashMap::new(),
        names: HashMap::new(),
    };
    // Messages about two groups must not depend on the order of a hash table.
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|g| (g.many.first().copied(), g.one.first().copied()));
    for group in &groups {
        (context.interrupt)()?;
        matcher.group(group)?;
    }
    let mut series = matcher.out;
    series.retain(|s| !s.points.is_empty());
    let mut reservation = context.memory.reserve();
    for s in &series {
        reservation.grow(s.points.bytes() + s.labels.bytes())?;
    }
    Ok(held(Collected { series, held: reservation }))
}

/// Series that stands in for one that is missing.
const FILLED: usize = usize::MAX;

struct Matcher<'a> {
    context: &'a Context<'a>,
    node: &'a Node,
    binary: &'a Binary,
    many: &'a [Series],
    one: &'a [Series],
    /// Whether `many` is the right side.
    swapped: bool,
    fill_many: Option<f64>,
    fill_one: Option<f64>,
    steps: usize,
    out: Vec<Series>,
    by_labels: HashMap<(Labels, bool), usize>,
    /// Where the result of two series goes.
    names: HashMap<(usize, usize), usize>,
}

impl Matcher<'_> {
    fn group(&mut self, group: &Group) -> Result<(), Error> {
        self.names.clear();
        if let ([many], [one]) = (group.many.as_slice(), group.one.as_slice())
            && self.plain(*many, *one)?
        {
            return Ok(());
        }
        if (group.one.is_empty() && self.fill_one.is_none()) || (group.many.is_empty() && self.fill_many.is_none()) {
            return Ok(());
        }
        for step in 0..self.steps {
            self.step(group, step)?;
        }
        Ok(())
    }

    /// Numbers on both sides and arithmetic: one loop.
    fn plain(&mut self, many: usize, one: usize) -> Result<bool, Error> {
        let op = self.binary.op;
        let (m, o) = (&self.many[many].points, &self.one[one].points);
        let floats = !m.has_histograms() && !o.has_histograms();
        if !floats || !drops_name(op) || self.fill_many.is_some() || self.fill_one.is_some() {
            return Ok(false);
        }
        let mut points = Points::empty(self.steps);
        let (l, r) = if self.swapped { (o, m) } else { (m, o) };
        for step in 0..self.steps {
            points.values[step] = arithmetic(op, l.values[step], r.values[step]).unwrap_or(f64::NAN);
            points.present[step] = l.present[step] && r.present[step];
        }
        let at = self.place(many, one);
        if self.out[at].points.is_empty() {
            self.out[at].points = points;
        } else {
            for (step, point) in points.iter() {
                if self.out[at].points.present[step] {
                    return Err(self.ambiguous());
                }
                self.out[at].points.put(step, point);
            }
        }
        Ok(true)
    }

    fn step(&mut self, group: &Group, step: usize) -> Result<(), Error> {
        let mut one = None;
        for i in &group.one {
            if self.one[*i].points.present[step] {
                if let Some(first) = one {
                    return Err(self.duplicate(first, *i));
                }
                one = Some(*i);
            }
        }
        let mut written: Vec<usize> = Vec::new();
        let mut any = false;
        for many in &group.many {
            if !self.many[*many].points.present[step] {
                continue;
            }
            any = true;
            match (one, self.fill_one) {
                (Some(one), _) => self.pair(*many, one, step, &mut written)?,
                (None, Some(_)) => self.pair(*many, FILLED, step, &mut written)?,
                (None, None) => {}
            }
        }
        if let (false, Some(one), Some(_)) = (any, one, self.fill_many) {
            self.pair(FILLED, one, step, &mut written)?;
        }
        Ok(())
    }

    fn pair(&mut self, many: usize, one: usize, step: usize, written: &mut Vec<usize>) -> Result<(), Error> {
        let m = match self.many.get(many) {
            Some(series) => series.points.get(step),
            None => self.fill_many.map(Point::Float),
        };
        let o = match self.one.get(one) {
            Some(series) => series.points.get(step),
            None => self.fill_one.map(Point::Float),
        };
        let (Some(m), Some(o)) = (m, o) else { return Ok(()) };
        let (l, r) = if self.swapped { (o, m) } else { (m, o) };
        let made = apply(self.context, self.node.span, self.binary.op, l, r);
        let made = match made {
            Made::Nothing => return Ok(()),
            Made::Compared(is) if self.binary.return_bool => Made::Float(f64::from(u8::from(is))),
            Made::Compared(false) => return Ok(()),
            Made::Compared(true) => match l {
                Point::Float(v) => Made::Float(v),
                Point::Histogram(h) => Made::Histogram(std::sync::Arc::clone(h)),
            },
            made => made,
        };
        let at = self.place(many, one);
        if written.contains(&at) || self.out[at].points.present[step] {
            return Err(self.ambiguous());
        }
        if self.binary.matching.card == Cardinality::OneToOne && !written.is_empty() {
            return Err(self.ambiguous());
        }
        written.push(at);
        match made {
            Made::Float(v) => self.out[at].points.set(step, v),
            Made::Histogram(h) => self.out[at].points.set_histogram(step, h),
            Made::Nothing | Made::Compared(_) => {}
        }
        Ok(())
    }

    /// The series to which the result of two series belongs.
    fn place(&mut self, many: usize, one: usize) -> usize {
        if let Some(at) = self.names.get(&(many, one)) {
            return *at;
        }
        let (labels, drop_name) = self.result_labels(many, one);
        let at = match self.by_labels.get(&(labels.clone(), drop_name)) {
            Some(at) => *at,
            None => {
                self.out.push(Series { labels: labels.clone(), drop_name, points: Points::empty(self.steps) });
                self.by_labels.insert((labels, drop_name), self.out.len() - 1);
                self.out.len() - 1
            }
        };
        self.names.insert((many, one), at);
        at
    }

    fn result_labels(&self, many: usize, one: usize) -> (Labels, bool) {
        let Matching { labels: names, on, include, card, .. } = &self.binary.matching;
        let matched = |labels: &Labels| labels.grouped(names, !on);
        let from = match (self.many.get(many), self.one.get(one)) {
            (Some(series), _) => series.labels.clone(),
            (None, Some(series)) => matched(&series.labels),
            (None, None) => Labels::default(),
        };
        let mut labels = from;
        let mut drop_name = false;
        if drops_name(self.binary.op) {
            labels = labels.without_metadata();
        } else if self.binary.return_bool {
            if self.context.options.delayed_name_removal {
                drop_name = true;
            } else {
                labels = labels.without_metadata();
            }
        } else if self.many.get(many).is_some_and(|s| s.drop_name) {
            drop_name = true;
        }
        if *card == Cardinality::OneToOne {
            let listed = |k: &str| names.binary_search_by(|n| n.as_str().cmp(k)).is_ok();
            labels = if *on { labels.filter(|k| listed(k)) } else { labels.filter(|k| !listed(k)) };
        }
        for name in include {
            let value = self.one.get(one).map_or("", |s| s.labels.get(name));
            labels = labels.with(name, value);
        }
        (labels, drop_name)
    }

    fn ambiguous(&self) -> Error {
        Error::execution(match self.binary.matching.card {
            Cardinality::OneToOne => {
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            }
            _ => "multiple matches for labels: grouping labels must ensure unique matches",
        })
    }

    fn duplicate(&self, first: usize, second: usize) -> Error {
        let (a, b) = (&self.one[first].labels, &self.one[second].labels);
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        let Matching { labels, on, .. } = &self.binary.matching;
        let matched = a.grouped(labels, !on);
        let side = if self.swapped { "left" } else { "right" };
        Error::Execution(format!(
            "found duplicate series for the match group {matched} on the {side} hand-side of the operation: [{a}, {b}];\
             many-to-many matching not allowed: matching labels must be unique on one side"
        ))
    }
}
