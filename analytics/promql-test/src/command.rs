//! What a file says, command by command.

use std::collections::BTreeMap;
use std::sync::Arc;

use grid_promql::Labels;
use grid_promql::histogram::{ClassicBucket, nhcb_from_classic};
use grid_promql::points::Grid;
use grid_promql::samples::Samples;
use regex::Regex;

use crate::notation::{self, Item};

/// One command, with the number of its line.
#[derive(Debug)]
pub enum Command {
    /// `clear`: forget all series.
    Clear,
    /// `load 5m` and its series.
    Load(Vec<(Labels, Samples)>),
    /// `eval ...` and what it expects.
    Eval(Box<Eval>),
}

/// A query and what it should answer.
#[derive(Debug, Default)]
pub struct Eval {
    /// Number of its line, from 1.
    pub line: usize,
    /// The query.
    pub query: String,
    /// At which steps; one for an instant.
    pub at: At,
    /// The series expected, in order, each with a value per step.
    pub series: Vec<(Labels, Vec<Item>)>,
    /// A scalar expected.
    pub scalar: Option<f64>,
    /// A string expected.
    pub string: Option<String>,
    /// A range vector expected: at these times.
    pub range_vector: Option<Grid>,
    /// Whether the order of series counts.
    pub ordered: bool,
    /// Whether it must fail, and how.
    pub fail: Option<Text>,
    /// Warnings.
    pub warn: Notes,
    /// Infos.
    pub info: Notes,
}

/// When a query is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Once, at a time in milliseconds.
    Instant(i64),
    /// At the steps of a grid.
    Range(Grid),
}

impl Default for At {
    fn default() -> Self {
        Self::Instant(0)
    }
}

/// What is expected of a message.
#[derive(Debug)]
pub enum Text {
    /// Any.
    Any,
    /// This one.
    Exactly(String),
    /// One that matches.
    Matching(Regex),
}

impl Text {
    /// Whether a message is what is expected.
    pub fn accepts(&self, message: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(text) => message == text,
            Self::Matching(regex) => regex.is_match(message),
        }
    }
}

/// What is expected of annotations of one kind.
#[derive(Debug, Default)]
pub struct Notes {
    /// None may be.
    pub none: bool,
    /// Each of these must be met by one, and each one by one of these.
    pub some: Vec<Text>,
}

/// Reads a file; fails with the number of the line that is not understood.
pub fn parse(text: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim();
        let number = at + 1;
        let fail = |reason: String| format!("line {number}: {reason}");
        at += 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let start = at;
        // A command's own lines go on to the next that is empty or a comment.
        let body = |at: &mut usize| {
            let ends = |line: &str| line.is_empty() || line.starts_with('#');
            while *at < lines.len() && !ends(lines[*at].trim()) {
                *at += 1;
            }
            let own = lines[start..*at].iter().enumerate();
            own.map(|(i, l)| (start + i + 1, l.trim())).collect::<Vec<_>>()
        };
        match word {
            "clear" => out.push(Command::Clear),
            "load" | "load_with_nhcb" => {
                let step = notation::duration(rest.trim()).map_err(fail)?;
                out.push(Command::Load(load(step, word == "load_with_nhcb", &body(&mut at))?));
            }
            w if w == "eval" || w.starts_with("eval_") => {
                let mut eval = head(w, rest).map_err(fail)?;
                eval.line = number;
                for (number, line) in body(&mut at) {
                    expectation(&mut eval, line).map_err(|e| format!("line {number}: {e}"))?;
                }
                out.push(Command::Eval(Box::new(eval)));
            }
            other => return Err(fail(format!("{other:?} is no command"))),
        }
    }
    Ok(out)
}

fn head(word: &str, rest: &str) -> Result<Eval, String> {
    let mut eval = Eval::default();
    match word {
        "eval_fail" => eval.fail = Some(Text::Any),
        "eval_warn" => eval.warn.some.push(Text::Any),
        "eval_info" => eval.info.some.push(Text::Any),
        "eval_ordered" => eval.ordered = true,
        _ => {}
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    let used = match words.as_slice() {
        ["instant", "at", time, ..] => {
            eval.at = At::Instant(signed(time)?);
            3
        }
        ["instant", ..] => 1,
        ["range", "from", from, "to", to, "step", step, ..] => {
            let grid = Grid { start: signed(from)?, end: signed(to)?, step: notation::duration(step)? };
            eval.at = At::Range(grid);
            7
        }
        _ => return Err(format!("eval wants `instant at TIME` or `range from A to B step S`, not {rest:?}")),
    };
    let mut query = rest.trim_start();
    for _ in 0..used {
        query = query.trim_start();
        query = &query[query.find(char::is_whitespace).unwrap_or(query.len())..];
    }
    eval.query = query.trim().to_owned();
    Ok(eval)
}

fn signed(time: &str) -> Result<i64, String> {
    match time.strip_prefix('-') {
        Some(rest) => notation::duration(rest).map(|ms| -ms),
        None => notation::duration(time),
    }
}

fn expectation(eval: &mut Eval, line: &str) -> Result<(), String> {
    let Some(rest) = line.strip_prefix("expect ") else {
        if let Some(message) = line.strip_prefix("expected_fail_message ") {
            eval.fail = Some(Text::Exactly(message.trim().to_owned()));
            return Ok(());
        }
        if let Some(pattern) = line.strip_prefix("expected_fail_regexp ") {
            eval.fail = Some(Text::Matching(regex(pattern.trim())?));
            return Ok(());
        }
        if let Ok(scalar) = notation::float(line) {
            eval.scalar = Some(scalar);
            return Ok(());
        }
        let (metric, values) = notation::split_metric(line)?;
        eval.series.push((notation::labels(metric)?, notation::items(values)?));
        return Ok(());
    };
    let rest = rest.trim();
    let (kind, of) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match kind {
        "fail" => eval.fail = Some(message(of)?),
        "warn" => eval.warn.some.push(message(of)?),
        "info" => eval.info.some.push(message(of)?),
        "no_warn" => eval.warn.none = true,
        "no_info" => eval.info.none = true,
        "ordered" => eval.ordered = true,
        "string" => eval.string = Some(string(of.trim())?),
        "range" => {
            let words: Vec<&str> = of.split_whitespace().collect();
            let ["vector", "from", from, "to", to, "step", step] = words.as_slice() else {
                return Err(format!("expect range vector wants `from A to B step S`, not {of:?}"));
            };
            eval.range_vector = Some(Grid { start: signed(from)?, end: signed(to)?, step: notation::duration(step)? });
        }
        other => return Err(format!("nothing is known of `expect {other}`")),
    }
    Ok(())
}

fn message(text: &str) -> Result<Text, String> {
    let text = text.trim();
    if let Some(message) = text.strip_prefix("msg:") {
        return Ok(Text::Exactly(message.trim().to_owned()));
    }
    if let Some(pattern) = text.strip_prefix("regex:") {
        return Ok(Text::Matching(regex(pattern.trim())?));
    }
    if text.is_empty() { Ok(Text::Any) } else { Err(format!("{text:?} is neither msg: nor regex:")) }
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|e| e.to_string())
}

fn string(text: &str) -> Result<String, String> {
    use grid_promql_syntax::ast::ExprKind;
    match grid_promql_syntax::parse(text, &grid_promql_syntax::Features::default()) {
        Ok(expr) => match expr.kind {
            ExprKind::Text(text) => Ok(text),
            _ => Err(format!("{text} is no string")),
        },
        Err(e) => Err(e.to_string()),
    }
}

fn load(step: i64, with_nhcb: bool, body: &[(usize, &str)]) -> Result<Vec<(Labels, Samples)>, String> {
    let mut starts: BTreeMap<Labels, Vec<Option<i64>>> = BTreeMap::new();
    let mut rows: BTreeMap<Labels, Vec<Item>> = BTreeMap::new();
    for (number, line) in body {
        let fail = |e: String| format!("line {number}: {e}");
        let (metric, values) = notation::split_metric(line).map_err(fail)?;
        // `metric@st` of a metric without braces, or behind them.
        if let Some(metric) = metric.strip_suffix("@st") {
            starts.insert(notation::labels(metric).map_err(fail)?, notation::starts(values).map_err(fail)?);
        } else if let Some(values) = values.strip_prefix("@st") {
            starts.insert(notation::labels(metric).map_err(fail)?, notation::starts(values).map_err(fail)?);
        } else {
            // Of a series that is named twice the later line counts, as in Prometheus' runner.
            rows.insert(notation::labels(metric).map_err(fail)?, notation::items(values).map_err(fail)?);
        }
    }
    let mut out: Vec<(Labels, Samples)> = Vec::with_capacity(rows.len());
    for (labels, items) in rows {
        let relative = starts.get(&labels);
        let mut samples = Samples::default();
        for (i, item) in items.into_iter().enumerate() {
            let time = step * i as i64;
            let start = relative.and_then(|r| r.get(i).copied().flatten()).map_or(0, |ms| time + ms);
            match item {
                Item::Gap => {}
                Item::Float(v) => samples.push_started(time, start, v),
                Item::Histogram(h) => samples.push_histogram(time, start, h),
            }
        }
        out.push((labels, samples));
    }
    if with_nhcb {
        let made = custom_buckets(&out);
        out.extend(made);
    }
    Ok(out)
}

/// Classic histograms as native ones with custom buckets.
fn custom_buckets(series: &[(Labels, Samples)]) -> Vec<(Labels, Samples)> {
    #[derive(Default)]
    struct Row {
        buckets: Vec<ClassicBucket>,
        count: Option<f64>,
        sum: f64,
    }
    let mut all: BTreeMap<Labels, BTreeMap<i64, Row>> = BTreeMap::new();
    for (labels, samples) in series {
        let name = labels.metric();
        let le = labels.get("le").parse::<f64>().ok();
        let (base, part) = match (name.strip_suffix("_bucket"), name.strip_suffix("_count"), name.strip_suffix("_sum"))
        {
            (Some(base), _, _) if le.is_some() => (base, 0),
            (_, Some(base), _) => (base, 1),
            (_, _, Some(base)) => (base, 2),
            _ => continue,
        };
        let rows = all.entry(labels.with("__name__", base).with("le", "")).or_default();
        for (time, value) in samples.times.iter().zip(&samples.values) {
            let row = rows.entry(*time).or_default();
            match (part, le) {
                (0, Some(upper_bound)) => row.buckets.push(ClassicBucket { upper_bound, count: *value }),
                (1, _) => row.count = Some(*value),
                _ => row.sum = *value,
            }
        }
    }
    let mut out = Vec::new();
    for (labels, rows) in all {
        let mut samples = Samples::default();
        for (time, row) in rows {
            // One that contradicts itself has no custom buckets, as in Prometheus' converter.
            if let Ok(h) = nhcb_from_classic(&row.buckets, row.count, row.sum) {
                samples.push_histogram(time, 0, Arc::new(h));
            }
        }
        if !samples.is_empty() {
            out.push((labels, samples));
        }
    }
    out
}
