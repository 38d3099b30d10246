//! Policies replayed over what was used: a limit per step, and what that would have cost and risked.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use grid_decode::points::Point;
use grid_ml::{rightsize, scale};
use serde_json::{Value, json};

use super::read;
use crate::args::{BacktestFile, FilesFormat};
use crate::out;

/// Limits of a machine or pod, decided every hour.
pub(super) fn rightsize(args: &BacktestFile) -> anyhow::Result<()> {
    let (points, usage, step_ns) = load(args)?;
    let limits = rightsize::limits(&usage, step_ns);
    let score = rightsize::Score::of(&usage, &limits, step_ns);
    let summary = json!({
        "slack": score.slack, "violations": score.violations, "samples": score.samples,
        "warm_up_s": rightsize::WARM_UP_NS / 1_000_000_000, "version": rightsize::VERSION,
    });
    print(args.output, &points, &limits, &summary)
}

/// Capacity of a group, decided before it serves.
pub(super) fn scale(args: &BacktestFile) -> anyhow::Result<()> {
    let (points, usage, step_ns) = load(args)?;
    let limits = scale::limits(&usage, step_ns);
    let score = scale::Score::of(&usage, &limits);
    let reactive = scale::Score::of(&usage, &scale::reactive(&usage, step_ns));
    let summary = json!({
        "cost": score.cost, "unserved": score.unserved,
        "reactive_cost": reactive.cost, "reactive_unserved": reactive.unserved,
        "lag_s": scale::LAG_NS / 1_000_000_000, "version": scale::VERSION,
    });
    print(args.output, &points, &limits, &summary)
}

/// The points, their values, and the usual time between two.
fn load(args: &BacktestFile) -> anyhow::Result<(Vec<Point>, Vec<f64>, i64)> {
    let points = read(&args.input)?;
    let mut steps: Vec<i64> = points.windows(2).map(|w| w[1].time.0.saturating_sub(w[0].time.0)).collect();
    ensure!(!steps.is_empty(), "{} has one row: steps between rows are needed", args.input.display());
    let middle = steps.len() / 2;
    let step_ns = *steps.select_nth_unstable(middle).1;
    ensure!(step_ns > 0, "{}: times do not go forward: sort the rows by time", args.input.display());
    let usage = points.iter().map(|p| p.value).collect();
    Ok((points, usage, step_ns))
}

fn print(format: FilesFormat, points: &[Point], limits: &[f64], summary: &Value) -> anyhow::Result<()> {
    let time = |p: &Point| if p.written.is_empty() { p.time.to_string() } else { p.written.to_string() };
    match format {
        FilesFormat::Csv => {
            let mut text = "time,usage,limit\n".to_owned();
            for (point, limit) in points.iter().zip(limits) {
                writeln!(text, "{},{},{limit}", out::csv_cell(&time(point)), point.value)?;
            }
            out::bytes(text.as_bytes()).context("write the answer")?;
            out::say(&format!("summary: {summary}"));
        }
        FilesFormat::Json => {
            let step = |(point, limit): (&Point, &f64)| {
                let usage = point.value.is_finite().then_some(point.value);
                json!({ "time": time(point), "usage": usage, "limit": limit })
            };
            let steps: Vec<Value> = points.iter().zip(limits).map(step).collect();
            out::line(&json!({ "summary": summary, "steps": steps }).to_string()).context("write the answer")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(text: &str, expected: Result<i64, &str>) {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("usage.csv");
        std::fs::write(&input, text).unwrap();
        let step = load(&BacktestFile { input, output: FilesFormat::Csv }).map(|loaded| loaded.2);
        match (step, expected) {
            (Ok(step), Ok(expected)) => assert_eq!(step, expected * 1_000_000_000, "{text}"),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{text}: {error}"),
            (step, expected) => panic!("{text}: {step:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn steps_are_the_usual_distance_of_rows() {
        check("time,usage\n0,1\n1,2\n2,3\n", Ok(60));
        // A gap changes nothing.
        check("time,usage\n1388534400,1\n1388534700,1\n1388541900,1\n1388542200,1\n", Ok(300));
        check("time,usage\n0,1\n", Err("one row"));
        check("time,usage\n5,1\n4,1\n3,1\n", Err("do not go forward"));
    }
}
