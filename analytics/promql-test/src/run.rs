//! Running a file against whatever holds the samples.

use std::collections::BTreeMap;

use grid_promql::Labels;
use grid_promql::points::{Grid, Points, Series};
use grid_promql::query::{self, Answer, Options, Value};
use grid_promql::samples::{MemorySource, Samples};
use grid_promql_syntax::Features;

use crate::command::{At, Command, Eval, parse};
use crate::compare;

/// Where a test's samples live and its queries run.
pub trait Target {
    /// Forgets all series.
    fn clear(&mut self) -> Result<(), String>;
    /// Adds samples.
    fn load(&mut self, series: &[(Labels, Samples)]) -> Result<(), String>;
    /// Runs a query.
    fn evaluate(&mut self, query: &str, at: At) -> Result<Answer, String>;
}

/// A query that did not answer as expected.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Number of its line, from 1.
    pub line: usize,
    /// The query.
    pub query: String,
    /// In what the answer differs.
    pub reason: String,
}

/// What came of a file.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Queries that answered as expected.
    pub passed: usize,
    /// Those that did not.
    pub failures: Vec<Failure>,
}

/// Runs all commands of a file; fails only if the file cannot be read, or the target cannot hold its series.
pub fn run(text: &str, target: &mut dyn Target) -> Result<Report, String> {
    let mut report = Report::default();
    target.clear()?;
    for command in parse(text)? {
        match command {
            Command::Clear => target.clear()?,
            Command::Load(series) => target.load(&series)?,
            Command::Eval(eval) => match check(&eval, target) {
                Ok(()) => report.passed += 1,
                Err(reason) => {
                    report.failures.push(Failure { line: eval.line, query: eval.query.clone(), reason });
                }
            },
        }
    }
    Ok(report)
}

/// How far around an instant it is also evaluated as a range, in milliseconds.
const AROUND: i64 = 60_000;

fn check(eval: &Eval, target: &mut dyn Target) -> Result<(), String> {
    let answered = target.evaluate(&eval.query, eval.at);
    if let Some(expected) = &eval.fail {
        return match answered {
            Ok(_) => Err("should have failed".to_owned()),
            Err(message) if expected.accepts(&message) => Ok(()),
            Err(message) => Err(format!("failed with {message:?}, expected {expected:?}")),
        };
    }
    compare::answer(eval, &answered?)?;
    // An instant query answers what a range query answers at that step.
    let At::Instant(time) = eval.at else { return Ok(()) };
    let lower = eval.query.to_ascii_lowercase();
    // Of these the range says more, or other, than the instant.
    let differs = ["range()", "start()", "end()", "step()"].iter().any(|w| lower.contains(w));
    if eval.ordered || eval.range_vector.is_some() || eval.string.is_some() || differs {
        return Ok(());
    }
    let grid = Grid { start: time - AROUND, end: time + AROUND, step: AROUND };
    let mut answer = target.evaluate(&eval.query, At::Range(grid)).map_err(|e| format!("as a range: {e}"))?;
    answer.value = match answer.value {
        Value::Series(series) => Value::Series(series.into_iter().filter_map(|s| middle(&s)).collect()),
        Value::Scalar(values) => Value::Scalar(values.get(1).copied().into_iter().collect()),
        other => other,
    };
    // Other steps may have notes of their own.
    answer.notes = grid_promql::annotation::Notes::default();
    let bare = Eval {
        line: eval.line,
        query: eval.query.clone(),
        at: eval.at,
        series: eval.series.clone(),
        scalar: eval.scalar,
        ..Eval::default()
    };
    compare::answer(&bare, &answer).map_err(|e| format!("as a range: {e}"))
}

fn middle(series: &Series) -> Option<Series> {
    let mut points = Points::empty(1);
    points.put(0, series.points.get(1)?);
    Some(Series { labels: series.labels.clone(), drop_name: false, points })
}

/// Series in memory: the evaluator alone.
#[derive(Debug, Default)]
pub struct MemoryTarget {
    series: BTreeMap<Labels, Samples>,
}

/// How language tests are run: with all features on.
pub fn test_options() -> Options {
    Options { delayed_name_removal: true, start_timestamps: true, ..Options::default() }
}

impl Target for MemoryTarget {
    fn clear(&mut self) -> Result<(), String> {
        self.series.clear();
        Ok(())
    }

    fn load(&mut self, series: &[(Labels, Samples)]) -> Result<(), String> {
        for (labels, samples) in series {
            let all = self.series.entry(labels.clone()).or_default();
            merge(all, samples);
        }
        Ok(())
    }

    fn evaluate(&mut self, query: &str, at: At) -> Result<Answer, String> {
        let expr = grid_promql_syntax::parse(query, &Features::ALL).map_err(|e| e.to_string())?;
        let grid = match at {
            At::Instant(time) => Grid::instant(time),
            At::Range(grid) => grid,
        };
        let source = MemorySource { series: self.series.iter().map(|(l, s)| (l.clone(), s.clone())).collect() };
        query::evaluate(query, &expr, grid, &test_options(), &source, &|| Ok(())).map_err(|e| e.to_string())
    }
}

/// Adds samples in the order of their times; a later load wins.
fn merge(all: &mut Samples, more: &Samples) {
    let mut floats: BTreeMap<i64, (i64, f64)> = BTreeMap::new();
    let mut histograms = BTreeMap::new();
    for part in [&*all, more] {
        for (i, time) in part.times.iter().enumerate() {
            histograms.remove(time);
            floats.insert(*time, (part.starts.get(i).copied().unwrap_or(0), part.values[i]));
        }
        for (i, time) in part.histogram_times.iter().enumerate() {
            floats.remove(time);
            let start = part.histogram_starts.get(i).copied().unwrap_or(0);
            histograms.insert(*time, (start, std::sync::Arc::clone(&part.histograms[i])));
        }
    }
    all.clear();
    for (time, (start, value)) in floats {
        all.push_started(time, start, value);
    }
    for (time, (start, h)) in histograms {
        all.push_histogram(time, start, h);
    }
}
