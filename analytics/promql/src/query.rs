//! A query from text to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use grid_promql_syntax::ast::{Expr, ValueType};

use crate::annotation::{Annotations, Notes};
use crate::error::Error;
use crate::eval::{Context, collect};
use crate::labels::Labels;
use crate::plan::Plan;
use crate::points::{Grid, Series};
use crate::samples::{Samples, Source};

/// How long a sample stands for what comes after it, by default: 5 minutes.
pub const LOOKBACK: i64 = 5 * 60 * 1000;

/// What a query may do and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a sample stands for what comes after it, in milliseconds.
    pub lookback: i64,
    /// The step of a subquery that names none, in milliseconds.
    pub subquery_step: i64,
    /// Feature `promql-delayed-name-removal`.
    pub delayed_name_removal: bool,
    /// Feature `use-start-timestamps`: counters start from zero where their samples say that they started.
    pub start_timestamps: bool,
    /// Bytes of samples that a query may hold at one time.
    pub memory_bytes: usize,
}

impl Default for Options {
    /// Prometheus' defaults.
    fn default() -> Self {
        Self {
            lookback: LOOKBACK,
            subquery_step: 60_000,
            delayed_name_removal: false,
            start_timestamps: false,
            memory_bytes: 1 << 30,
        }
    }
}

/// What a query answers.
#[derive(Debug, Clone)]
pub enum Value {
    /// A number at each step.
    Scalar(Vec<f64>),
    /// A string.
    Text(String),
    /// Series with a slot per step; in the order of the query's last sort, by labels without one.
    Series(Vec<Series>),
    /// Raw samples of ranges: an instant query for a range vector.
    Ranges(Vec<(Labels, Samples)>),
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The samples.
    pub value: Value,
    /// What it is to be called: a range query of a scalar yields a matrix all the same.
    pub value_type: ValueType,
    /// What was found strange.
    pub notes: Notes,
}

/// What one query holds of its share of memory.
#[derive(Debug)]
pub struct Memory {
    used: AtomicUsize,
    peak: AtomicUsize,
    limit: usize,
}

impl Memory {
    /// At most `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), peak: AtomicUsize::new(0), limit })
    }

    /// The most that was held at one time, in bytes.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Nothing yet, to grow.
    pub(crate) fn reserve(self: &Arc<Self>) -> Reservation {
        Reservation { of: Arc::clone(self), bytes: 0 }
    }
}

/// A part of a query's memory, given back when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    of: Arc<Memory>,
    bytes: usize,
}

impl Reservation {
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let used = self.of.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bytes += bytes;
        self.of.peak.fetch_max(used, Ordering::Relaxed);
        if used > self.of.limit { Err(Error::TooMuchMemory(self.of.limit)) } else { Ok(()) }
    }
}

impl Reservation {
    /// Holds what another one held.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.of.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Whether to go on; asked often.
pub type Interrupt<'a> = &'a (dyn Fn() -> Result<(), Error> + Sync);

/// Runs a planned query. `text` is what it was parsed from: places in notes refer to it.
pub fn run(
    text: &str,
    expr: &Expr,
    plan: &Plan,
    options: &Options,
    source: &dyn Source,
    interrupt: Interrupt<'_>,
) -> Result<Answer, Error> {
    let annotations = Annotations::default();
    let memory = Memory::new(options.memory_bytes);
    let context = Context { source, options, plan, annotations: &annotations, memory, interrupt };
    let value_type = expr.value_type();
    let value = match value_type {
        ValueType::Scalar => Value::Scalar(context.scalar(&plan.root, plan.grid)?),
        ValueType::Text => Value::Text(context.text(&plan.root)?.to_owned()),
        ValueType::Matrix => Value::Ranges(context.ranges(&plan.root, plan.grid)?),
        ValueType::Vector => {
            let sorted = context.is_sorted(&plan.root);
            let mut all = collect(&context, context.stream(&plan.root, plan.grid)?)?;
            all.series.retain(|s| !s.points.is_empty());
            let mut series = context.finish(all.series)?;
            if !sorted || plan.grid.len() > 1 {
                series.sort_by(|a, b| a.labels.cmp(&b.labels));
            }
            Value::Series(series)
        }
    };
    Ok(Answer { value, value_type, notes: annotations.notes(text) })
}

/// Parses no more, plans and runs: an expression at the steps of a grid.
pub fn evaluate(
    text: &str,
    expr: &Expr,
    grid: Grid,
    options: &Options,
    source: &dyn Source,
    interrupt: Interrupt<'_>,
) -> Result<Answer, Error> {
    let plan = Plan::new(expr, grid, options)?;
    run(text, expr, &plan, options, source, interrupt)
}
