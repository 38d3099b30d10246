//! From a parsed expression to what is evaluated: durations resolved, every selector a numbered leaf with the span of time that it
//! reads, every subquery with its own steps.

use grid_model::labels::METRIC_NAME;
use grid_promql_syntax::ast::{
    self, Aggregate, At, BinaryOp, Duration, Expr, ExprKind, Extended, Matching, Shift, Sign, Span,
};
use grid_promql_syntax::function::Function;
use grid_promql_syntax::matcher::{MatchOp, Matcher};

use crate::error::Error;
use crate::points::Grid;
use crate::query::Options;
use crate::samples::Leaf;

/// Steps that one query or subquery may have.
pub const STEPS_MAX: usize = 11_000;
/// Steps that a subquery may have: its inner expression is evaluated at each.
const SUBQUERY_STEPS_MAX: usize = 1_000_000;

/// A query, ready to run.
#[derive(Debug)]
pub struct Plan {
    pub(crate) root: Node,
    /// What is read, by number.
    pub leaves: Vec<Leaf>,
    /// The steps of the answer.
    pub grid: Grid,
    /// The most steps at which anything is looked at, those of subqueries included.
    pub steps_max: usize,
    /// The shortest distance of two such steps, in milliseconds; `i64::MAX` if there are no two.
    pub step_min: i64,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub kind: Kind,
    pub span: Span,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Number(f64),
    Text(String),
    Instant(Selector),
    Range(Selector),
    Subquery(Box<Subquery>),
    Negate(Box<Node>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregation>),
    Call(Function, Vec<Node>),
    Info(Box<Info>),
}

/// A leaf and the times at which it is looked at.
#[derive(Debug)]
pub(crate) struct Selector {
    pub leaf: usize,
    pub pin: Pin,
    /// Of a range selector, milliseconds.
    pub range: i64,
    pub extended: Option<Extended>,
}

/// `@` and `offset`: where a step looks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pin {
    pub at: Option<i64>,
    pub offset: i64,
}

impl Pin {
    pub(crate) fn time(self, step_time: i64) -> i64 {
        self.at.unwrap_or(step_time).saturating_sub(self.offset)
    }

    /// The first and the last time at which the steps of a grid look.
    fn ends(self, grid: Grid) -> (i64, i64) {
        (self.time(grid.start), self.time(grid.end))
    }
}

#[derive(Debug)]
pub(crate) struct Subquery {
    pub inner: Node,
    pub grid: Grid,
    pub pin: Pin,
    pub range: i64,
}

/// `info(inner, selector)`.
#[derive(Debug)]
pub(crate) struct Info {
    pub inner: Node,
    pub selector: Selector,
    /// Of the info metrics' name.
    pub names: Vec<Matcher>,
    /// Of the labels that are wanted; all if there are none.
    pub wanted: Vec<Matcher>,
}

#[derive(Debug)]
pub(crate) struct Binary {
    pub op: BinaryOp,
    pub lhs: Node,
    pub rhs: Node,
    pub return_bool: bool,
    pub matching: Matching,
    pub scalars: (bool, bool),
}

#[derive(Debug)]
pub(crate) struct Aggregation {
    pub op: ast::AggregateOp,
    pub expr: Node,
    pub param: Option<Node>,
    /// Sorted.
    pub grouping: Vec<String>,
    pub without: bool,
}

impl Plan {
    /// Plans an expression for the steps of a grid.
    pub fn new(expr: &Expr, grid: Grid, options: &Options) -> Result<Self, Error> {
        let (steps_max, step_min) = (0, i64::MAX);
        let mut planner = Planner { query: grid, options, leaves: Vec::new(), counts_only: false, steps_max, step_min };
        let root = planner.node(expr, grid)?;
        let Planner { leaves, steps_max, step_min, .. } = planner;
        Ok(Self { root, leaves, grid, steps_max, step_min })
    }

    /// About how much is done with `rows` rows of `series` series of a leaf: each row in each window that sees it, and each slot of an answer.
    pub fn work(&self, leaf: &Leaf, rows: u64, series: u64) -> u64 {
        let reach = leaf.until.saturating_sub(leaf.after).saturating_sub(self.grid.end.saturating_sub(self.grid.start));
        let windows = u64::try_from(reach / self.step_min.max(1)).unwrap_or(0).max(1);
        rows.saturating_mul(windows).saturating_add(series.saturating_mul(self.steps_max as u64))
    }
}

struct Planner<'a> {
    /// What `start()`, `end()`, `step()` and `range()` speak of, at any depth.
    query: Grid,
    options: &'a Options,
    leaves: Vec<Leaf>,
    /// Whether what is planned is asked for counts and sums of histograms alone.
    counts_only: bool,
    steps_max: usize,
    step_min: i64,
}

impl Planner<'_> {
    fn node(&mut self, expr: &Expr, grid: Grid) -> Result<Node, Error> {
        self.steps_max = self.steps_max.max(grid.len());
        if grid.len() > 1 {
            self.step_min = self.step_min.min(grid.step);
        }
        let kind = match &expr.kind {
            ExprKind::Number(n) => Kind::Number(n.value),
            ExprKind::Text(text) => Kind::Text(text.clone()),
            ExprKind::Paren(inner) | ExprKind::Unary(Sign::Plus, inner) => {
                let mut node = self.node(inner, grid)?;
                // Messages about `(x)` point at the parenthesis.
                node.span = expr.span;
                return Ok(node);
            }
            ExprKind::Unary(Sign::Minus, inner) => match self.node(inner, grid)? {
                Node { kind: Kind::Number(n), .. } => Kind::Number(-n),
                node => Kind::Negate(Box::new(node)),
            },
            ExprKind::Selector(selector) => self.selector(selector, grid)?,
            ExprKind::Subquery(subquery) => self.subquery(subquery, grid)?,
            ExprKind::Binary(binary) => Kind::Binary(Box::new(Binary {
                op: binary.op,
                lhs: self.node(&binary.lhs, grid)?,
                rhs: self.node(&binary.rhs, grid)?,
                return_bool: binary.return_bool,
                matching: sorted(binary.matching.clone().unwrap_or_default()),
                scalars: (is_scalar(&binary.lhs), is_scalar(&binary.rhs)),
            })),
            ExprKind::Aggregate(aggregate) => Kind::Aggregate(Box::new(self.aggregation(aggregate, grid)?)),
            ExprKind::Call(call) if call.function == Function::Info => self.info(&call.args, grid)?,
            ExprKind::Call(call) => {
                let before = self.counts_only;
                match call.function {
                    Function::HistogramCount | Function::HistogramSum | Function::HistogramAvg => {
                        self.counts_only = true
                    }
                    Function::HistogramQuantile | Function::HistogramQuantiles | Function::HistogramFraction => {
                        self.counts_only = false;
                    }
                    _ => {}
                }
                let args = call.args.iter().map(|arg| self.node(arg, grid)).collect::<Result<_, _>>();
                self.counts_only = before;
                Kind::Call(call.function, args?)
            }
        };
        Ok(Node { kind, span: expr.span })
    }

    fn resolve(&self, duration: &Duration) -> Result<i64, Error> {
        let query = self.query;
        // An instant query has no step, and no range.
        let step = if query.start == query.end { 0 } else { query.step };
        duration.resolve(step, query.end - query.start).map_err(Error::execution)
    }

    fn pin(&self, shift: &Shift) -> Result<Pin, Error> {
        let at = shift.at.map(|at| match at {
            At::Time(t) => t,
            At::Start => self.query.start,
            At::End => self.query.end,
        });
        let offset = shift.offset.as_ref().map(|o| self.resolve(o)).transpose()?.unwrap_or(0);
        Ok(Pin { at, offset })
    }

    fn range(&self, duration: &Duration) -> Result<i64, Error> {
        match self.resolve(duration)? {
            range if range > 0 => Ok(range),
            _ => Err(Error::execution("duration must be greater than 0")),
        }
    }

    fn selector(&mut self, selector: &ast::Selector, grid: Grid) -> Result<Kind, Error> {
        let pin = self.pin(&selector.shift)?;
        let range = selector.range.as_ref().map(|r| self.range(r)).transpose()?;
        let (first, last) = pin.ends(grid);
        let lookback = self.options.lookback;
        let (before, behind) = match (range, selector.extended) {
            (None, None) => (lookback, 0),
            (None, Some(_)) => (lookback, lookback),
            (Some(range), None) => (range, 0),
            (Some(range), Some(Extended::Anchored)) => (range.saturating_add(lookback), 0),
            (Some(range), Some(Extended::Smoothed)) => (range.saturating_add(lookback), lookback),
        };
        let leaf = self.leaves.len();
        self.leaves.push(Leaf {
            matchers: selector.matchers.clone(),
            after: first.saturating_sub(before),
            until: last.saturating_add(behind),
            counts_only: self.counts_only,
        });
        let planned = Selector { leaf, pin, range: range.unwrap_or(0), extended: selector.extended };
        Ok(if range.is_some() { Kind::Range(planned) } else { Kind::Instant(planned) })
    }

    /// `info(v, {__name__=~"...", label=~"..."})`: the metrics whose labels are joined, `target_info` if not said. Its matchers of
    /// other labels say which labels are wanted; all series of the metrics are read.
    fn info(&mut self, args: &[Expr], grid: Grid) -> Result<Kind, Error> {
        let [vector, selector @ ..] = args else { return Err(Error::execution("info() wants a vector")) };
        let inner = self.node(vector, grid)?;
        let selector = selector.first();
        let written = match selector.map(|e| &e.unparenthesized().kind) {
            Some(ExprKind::Selector(s)) => s.matchers.as_slice(),
            _ => &[],
        };
        let (mut names, wanted): (Vec<Matcher>, Vec<Matcher>) =
            written.iter().cloned().partition(|m| m.name == METRIC_NAME);
        if !names.iter().any(|m| matches!(m.op, MatchOp::Equal | MatchOp::Regex)) {
            // With `!=` and `!~` alone: of all that are called like info metrics.
            let (op, value) =
                if names.is_empty() { (MatchOp::Equal, "target_info") } else { (MatchOp::Regex, ".+_info") };
            names.extend(Matcher::new(METRIC_NAME, op, value));
        }
        let leaf = self.leaves.len();
        let after = grid.start.saturating_sub(self.options.lookback);
        self.leaves.push(Leaf { matchers: names.clone(), after, until: grid.end, counts_only: false });
        let selector = Selector { leaf, pin: Pin::default(), range: 0, extended: None };
        Ok(Kind::Info(Box::new(Info { inner, selector, names, wanted })))
    }

    fn subquery(&mut self, subquery: &ast::Subquery, grid: Grid) -> Result<Kind, Error> {
        let pin = self.pin(&subquery.shift)?;
        let range = self.range(&subquery.range)?;
        let step = match &subquery.step {
            Some(step) => self.range(step)?,
            None => self.options.subquery_step,
        };
        let (first, last) = pin.ends(grid);
        // The first multiple of the step that lies after the range's open end.
        let after = first.saturating_sub(range);
        let start = (after.div_euclid(step) + 1).saturating_mul(step);
        let inner_grid = Grid { start, end: last, step };
        if inner_grid.len() > SUBQUERY_STEPS_MAX {
            return Err(Error::Execution(format!(
                "a subquery of {} steps, at most {SUBQUERY_STEPS_MAX} are possible; take a longer step",
                inner_grid.len()
            )));
        }
        let inner = self.node(&subquery.expr, inner_grid)?;
        Ok(Kind::Subquery(Box::new(Subquery { inner, grid: inner_grid, pin, range })))
    }

    fn aggregation(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Aggregation, Error> {
        let mut grouping = aggregate.grouping.clone();
        grouping.sort();
        grouping.dedup();
        Ok(Aggregation {
            op: aggregate.op,
            expr: self.node(&aggregate.expr, grid)?,
            param: aggregate.param.as_ref().map(|p| self.node(p, grid)).transpose()?,
            grouping,
            without: aggregate.without,
        })
    }
}

fn sorted(mut matching: Matching) -> Matching {
    matching.labels.sort();
    matching.labels.dedup();
    matching
}

fn is_scalar(expr: &Expr) -> bool {
    expr.value_type() == ast::ValueType::Scalar
}
