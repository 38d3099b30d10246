//! The evaluator: a planned expression becomes streams of series, each with one slot per step.
//!
//! Whatever can be done one series at a time is done so, part beside part; only what needs several series at once (matching, groups,
//! sorting) holds them.

mod instant;
mod range;
mod over_time;
mod rate;
mod extended;
mod elementwise;
mod binary;
mod matching;
mod set;
mod aggregate;
mod choose;
mod buckets;
mod labelling;
mod info;
mod calendar;

use std::collections::HashMap;
use std::sync::Arc;

use grid_model::labels::METRIC_NAME;
use grid_promql_syntax::ast::AggregateOp;
use grid_promql_syntax::function::Function;
use grid_promql_syntax::matcher::MatchOp;
use parking_lot::Mutex;

use crate::annotation::Annotations;
use crate::error::Error;
use crate::labels::Labels;
use crate::plan::{Kind, Node, Plan};
use crate::points::{Grid, Point, Points, Series};
use crate::query::{Interrupt, Memory, Options, Reservation};
use crate::samples::{Samples, Source};

/// What every part of an evaluation needs to know.
pub(crate) struct Context<'a> {
    pub source: &'a dyn Source,
    pub options: &'a Options,
    pub plan: &'a Plan,
    pub annotations: &'a Annotations,
    pub memory: Arc<Memory>,
    pub interrupt: Interrupt<'a>,
}

/// Series one after the other.
pub(crate) trait Stream: Send {
    fn next(&mut self) -> Result<Option<Series>, Error>;

    /// Puts the next series in the place of one that is no longer needed; false at the end.
    fn next_into(&mut self, series: &mut Series) -> Result<bool, Error> {
        let Some(next) = self.next()? else { return Ok(false) };
        *series = next;
        Ok(true)
    }
}

/// Streams that can be read side by side.
pub(crate) type Parts<'a> = Vec<Box<dyn Stream + 'a>>;

/// Series in memory, and their share of it.
pub(crate) struct Collected {
    pub series: Vec<Series>,
    pub held: Reservation,
}

/// Of one series, one thing for each step: what [`Context::map`] turns into another.
type Change<'a> = dyn Fn(&mut Series) -> Result<bool, Error> + Sync + Send + 'a;

impl<'a> Context<'a> {
    /// The series of a vector.
    pub(crate) fn stream(&'a self, node: &'a Node, grid: Grid) -> Result<Parts<'a>, Error> {
        match &node.kind {
            Kind::Instant(selector) => instant::stream(self, node, selector, grid, instant::Shows::Value),
            Kind::Negate(inner) => {
                let parts = self.stream(inner, grid)?;
                let changed = self.map(parts, |series: &mut Series| {
                    elementwise::negate(&mut series.points);
                    self.drop_name(series);
                    Ok(true)
                });
                Ok(self.distinct(inner, changed, Overlap::Refused))
            }
            Kind::Binary(b) => match b.scalars {
                (false, false) if b.op.is_set() => set::stream(self, node, b, grid),
                (false, false) => matching::stream(self, node, b, grid),
                _ => binary::with_scalar(self, node, b, grid),
            },
            Kind::Aggregate(a) => aggregate::stream(self, a, grid),
            Kind::Call(function, args) => self.call(*function, args, grid),
            Kind::Info(info) => info::stream(self, info, grid),
            Kind::Number(_) | Kind::Text(_) | Kind::Range(_) | Kind::Subquery(_) => {
                Err(Error::execution("expected an instant vector here"))
            }
        }
    }

    fn call(&'a self, function: Function, args: &'a [Node], grid: Grid) -> Result<Parts<'a>, Error> {
        use Function as F;
        match function {
            F::Vector => {
                let points = Points::all(self.scalar(&args[0], grid)?);
                Ok(one(Series { labels: Labels::default(), drop_name: false, points }))
            }
            F::Timestamp => instant::timestamp(self, &args[0], grid),
            F::Absent => labelling::absent(self, &args[0], grid),
            F::AbsentOverTime => labelling::absent_over_time(self, &args[0], grid),
            F::LabelReplace => labelling::replace(self, args, grid),
            F::LabelJoin => labelling::join(self, args, grid),
            F::Sort | F::SortDesc | F::SortByLabel | F::SortByLabelDesc => choose::sort(self, function, args, grid),
            F::HistogramQuantile | F::HistogramQuantiles | F::HistogramFraction => {
                buckets::stream(self, function, args, grid)
            }
            F::Year | F::Month | F::DayOfMonth | F::DayOfWeek | F::DayOfYear | F::DaysInMonth | F::Hour | F::Minute => {
                calendar::stream(self, function, args, grid)
            }
            _ if range::is_over_range(function) => range::stream(self, function, args, grid),
            _ => elementwise::stream(self, function, args, grid),
        }
    }

    /// The numbers of a scalar.
    pub(crate) fn scalar(&'a self, node: &'a Node, grid: Grid) -> Result<Vec<f64>, Error> {
        let steps = grid.len();
        let query = self.plan.grid;
        let same = |v: f64| Ok(vec![v; steps]);
        match &node.kind {
            Kind::Number(n) => same(*n),
            Kind::Negate(inner) => Ok(self.scalar(inner, grid)?.into_iter().map(|v| -v).collect()),
            Kind::Binary(b) => {
                let (lhs, rhs) = (self.scalar(&b.lhs, grid)?, self.scalar(&b.rhs, grid)?);
                Ok(lhs.into_iter().zip(rhs).map(|(l, r)| binary::of_scalars(b.op, l, r)).collect())
            }
            Kind::Call(function, args) => match function {
                Function::Pi => same(std::f64::consts::PI),
                Function::Time => Ok((0..steps).map(|i| grid.time(i) as f64 / 1000.0).collect()),
                Function::Start => same(query.start as f64 / 1000.0),
                Function::End => same(query.end as f64 / 1000.0),
                Function::Range => same((query.end - query.start) as f64 / 1000.0),
                Function::Step => same(if query.start == query.end { 0.0 } else { query.step as f64 / 1000.0 }),
                Function::Scalar => self.only_element(&args[0], grid),
                Function::MaxOf | Function::MinOf => {
                    let larger = *function == Function::MaxOf;
                    let of = |(l, r): (f64, f64)| if (l > r) == larger { l } else { r };
                    Ok(self.scalar(&args[0], grid)?.into_iter().zip(self.scalar(&args[1], grid)?).map(of).collect())
                }
                _ => Err(Error::execution("expected a scalar here")),
            },
            _ => Err(Error::execution("expected a scalar here")),
        }
    }

    /// `scalar(v)`: the number of the only element, NaN if there is none or more.
    fn only_element(&'a self, node: &'a Node, grid: Grid) -> Result<Vec<f64>, Error> {
        let mut found = vec![(0_u32, f64::NAN); grid.len()];
        for mut part in self.stream(node, grid)? {
            while let Some(series) = part.next()? {
                for (i, point) in series.points.iter() {
                    if let Point::Float(v) = point {
                        found[i] = (found[i].0.saturating_add(1), v);
                    }
                }
            }
        }
        Ok(found.into_iter().map(|(n, v)| if n == 1 { v } else { f64::NAN }).collect())
    }

    /// A string.
    pub(crate) fn text<'n>(&self, node: &'n Node) -> Result<&'n str, Error> {
        match &node.kind {
            Kind::Text(text) => Ok(text),
            _ => Err(Error::execution("expected a string here")),
        }
    }

    /// The raw samples of a range, at the first step.
    pub(crate) fn ranges(&'a self, node: &'a Node, grid: Grid) -> Result<Vec<(Labels, Samples)>, Error> {
        let mut held = self.memory.reserve();
        let mut all = Vec::new();
        for mut part in range::raw(self, node)? {
            let mut raw = range::Raw::default();
            while part.next(&mut raw)? {
                let mut samples = std::mem::take(&mut raw.samples);
                range::cut(node, grid.start, &mut samples);
                if samples.is_empty() {
                    continue;
                }
                held.grow(samples.len() * 16 + raw.labels.bytes())?;
                let labels = if raw.drop_name { raw.labels.without_metadata() } else { raw.labels.clone() };
                all.push((labels, samples));
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    /// Changes each series on its way; what answers false is left out.
    fn map(
        &'a self,
        parts: Parts<'a>,
        change: impl Fn(&mut Series) -> Result<bool, Error> + Sync + Send + 'a,
    ) -> Parts<'a> {
        let change: Arc<Change<'a>> = Arc::new(change);
        parts
            .into_iter()
            .map(|input| Box::new(Mapped { input, change: Arc::clone(&change) }) as Box<dyn Stream + 'a>)
            .collect()
    }

    /// What a series is called once it is no longer the metric it came from.
    fn drop_name(&self, series: &mut Series) {
        if self.options.delayed_name_removal {
            series.drop_name = true;
        } else {
            series.labels = series.labels.without_metadata();
        }
    }

    /// Refuses what looks alike after names were dropped; passes what cannot.
    fn distinct(&'a self, from: &Node, parts: Parts<'a>, overlap: Overlap) -> Parts<'a> {
        if self.options.delayed_name_removal || self.one_metric(from) {
            return parts;
        }
        self.all_distinct(parts, overlap)
    }

    fn all_distinct(&'a self, parts: Parts<'a>, overlap: Overlap) -> Parts<'a> {
        let seen = Arc::new(Mutex::new(HashMap::new()));
        parts
            .into_iter()
            .map(|input| Box::new(Distinct { input, seen: Arc::clone(&seen), overlap }) as Box<dyn Stream + 'a>)
            .collect()
    }

    /// Whether all series of a node have the same name, so that they differ without it.
    fn one_metric(&self, node: &Node) -> bool {
        match &node.kind {
            Kind::Instant(s) | Kind::Range(s) => {
                self.plan.leaves[s.leaf].matchers.iter().any(|m| m.name == METRIC_NAME && m.op == MatchOp::Equal)
            }
            Kind::Subquery(s) => self.one_metric(&s.inner),
            Kind::Negate(inner) => self.one_metric(inner),
            Kind::Call(Function::LabelReplace | Function::LabelJoin, _) => false,
            Kind::Call(_, args) => args.iter().all(|a| match a.kind {
                Kind::Number(_) | Kind::Text(_) => true,
                _ => self.one_metric(a),
            }),
            Kind::Aggregate(a) => a.without || !a.grouping.iter().any(|g| g == METRIC_NAME),
            _ => false,
        }
    }

    /// The last step: names that wait to be dropped are dropped, and what then is one series is put together.
    pub(crate) fn finish(&self, mut series: Vec<Series>) -> Result<Vec<Series>, Error> {
        for s in series.iter_mut().filter(|s| s.drop_name) {
            s.labels = s.labels.without_metadata();
        }
        let mut by_labels: HashMap<Labels, usize> = HashMap::with_capacity(series.len());
        let mut out: Vec<Series> = Vec::with_capacity(series.len());
        for s in series {
            match by_labels.entry(s.labels.clone()) {
                std::collections::hash_map::Entry::Vacant(slot) => {
                    slot.insert(out.len());
                    out.push(s);
                }
                std::collections::hash_map::Entry::Occupied(slot) => merge(&mut out[*slot.get()].points, &s.points)?,
            }
        }
        Ok(out)
    }

    /// Whether the expression says in what order its answer stands.
    pub(crate) fn is_sorted(&self, node: &Node) -> bool {
        match &node.kind {
            Kind::Call(f, _) => {
                matches!(f, Function::Sort | Function::SortDesc | Function::SortByLabel | Function::SortByLabelDesc)
            }
            Kind::Aggregate(a) => matches!(a.op, AggregateOp::Topk | AggregateOp::Bottomk),
            _ => false,
        }
    }
}

fn merge(into: &mut Points, from: &Points) -> Result<(), Error> {
    for (i, point) in from.iter() {
        if into.present[i] {
            return Err(same_labelset());
        }
        into.put(i, point);
    }
    Ok(())
}

fn same_labelset() -> Error {
    Error::execution("vector cannot contain metrics with the same labelset")
}

/// What two series with the same labels may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overlap {
    /// Have samples at different steps.
    Refused,
    /// Not be.
    SeriesRefused,
}

struct Distinct<'a> {
    input: Box<dyn Stream + 'a>,
    seen: Arc<Mutex<HashMap<Labels, Vec<bool>>>>,
    overlap: Overlap,
}

impl Stream for Distinct<'_> {
    fn next(&mut self) -> Result<Option<Series>, Error> {
        let Some(series) = self.input.next()? else { return Ok(None) };
        let mut seen = self.seen.lock();
        match seen.entry(series.labels.clone()) {
            std::collections::hash_map::Entry::Vacant(slot) => {
                slot.insert(series.points.present.clone());
            }
            std::collections::hash_map::Entry::Occupied(mut slot) => {
                if self.overlap == Overlap::SeriesRefused {
                    return Err(same_labelset());
                }
                for (had, has) in slot.get_mut().iter_mut().zip(&series.points.present) {
                    if *had && *has {
                        return Err(same_labelset());
                    }
                    *had |= *has;
                }
            }
        }
        Ok(Some(series))
    }
}

struct Mapped<'a> {
    input: Box<dyn Stream + 'a>,
    change: Arc<Change<'a>>,
}

impl Stream for Mapped<'_> {
    fn next(&mut self) -> Result<Option<Series>, Error> {
        let mut series = Series::default();
        Ok(self.next_into(&mut series)?.then_some(series))
    }

    fn next_into(&mut self, series: &mut Series) -> Result<bool, Error> {
        while self.input.next_into(series)? {
            if (self.change)(series)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Series that are there already.
struct Held {
    series: std::vec::IntoIter<Series>,
    _held: Option<Reservation>,
}

impl Stream for Held {
    fn next(&mut self) -> Result<Option<Series>, Error> {
        Ok(self.series.next())
    }
}

fn one<'a>(series: Series) -> Parts<'a> {
    vec![Box::new(Held { series: vec![series].into_iter(), _held: None })]
}

fn held<'a>(collected: Collected) -> Parts<'a> {
    vec![Box::new(Held { series: collected.series.into_iter(), _held: Some(collected.held) })]
}

/// All series of all parts, read side by side, part after part.
pub(crate) fn collect(context: &Context<'_>, parts: Parts<'_>) -> Result<Collected, Error> {
    let mut held = context.memory.reserve();
    let shares = side_by_side(parts, |part| {
        let mut share = (Vec::new(), context.memory.reserve());
        while let Some(series) = part.next()? {
            (context.interrupt)()?;
            share.1.grow(series.points.bytes() + series.labels.bytes())?;
            share.0.push(series);
        }
        Ok(share)
    })?;
    let mut series = Vec::new();
    for (part, reservation) in shares {
        held.absorb(reservation);
        series.extend(part);
    }
    Ok(Collected { series, held })
}

/// Runs a reader on each part, on threads of their own if there are several.
pub(crate) fn side_by_side<'a, T: Send>(
    mut parts: Parts<'a>,
    read: impl Fn(&mut (dyn Stream + 'a)) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    if parts.len() <= 1 {
        return parts.iter_mut().map(|p| read(p.as_mut())).collect();
    }
    std::thread::scope(|scope| {
        let read = &read;
        let running: Vec<_> = parts.iter_mut().map(|p| scope.spawn(move || read(p.as_mut()))).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, Result<T, Error>>| {
            handle
                .join()
                .unwrap_or_else(|_| Err(Error::execution("a part of the evaluation failed; please report this query")))
        };
        running.into_iter().map(join).collect()
    })
}
