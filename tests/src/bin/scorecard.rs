//! Prints every bar of `tests/scorecard.toml` with the figure that the suites noted in the file of `GRID_FIGURES`, and ends
//! with an error if a bar failed or has no figure.
#![allow(clippy::print_stdout, reason = "a command that prints a table")]

use std::process::ExitCode;

use anyhow::Context;
use grid_tests::figures::{FIGURES_FILE, Figure};
use grid_tests::repository;
use serde::Deserialize;

/// Least seconds of fuzzing per target.
const FUZZ_SECONDS_MIN: u64 = 300;
/// Least seconds of fuzzing of PromQL's parser, and of its evaluator.
const PROMQL_FUZZ_SECONDS_MIN: u64 = 600;
/// Least seconds of fuzzing over all targets.
const FUZZ_SECONDS_SUM: u64 = 3600;

#[derive(Deserialize)]
struct Bars {
    bar: Vec<Bar>,
}

#[derive(Deserialize)]
struct Bar {
    id: String,
    issue: String,
    bar: String,
    value: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Fail,
    Skipped,
}

fn main() -> anyhow::Result<ExitCode> {
    let bars = std::fs::read_to_string(repository().join("tests/scorecard.toml")).context("read the bars")?;
    let bars: Bars = toml::from_str(&bars).context("parse the bars")?;
    let path = std::env::var(FIGURES_FILE).with_context(|| format!("{FIGURES_FILE} names the figures' file"))?;
    let mut figures = Vec::new();
    for line in std::fs::read_to_string(&path).unwrap_or_default().lines() {
        figures.push(serde_json::from_str::<Figure>(line).with_context(|| format!("parse {line}"))?);
    }
    figures.extend(fuzzing());
    println!("| issue | bar | required | measured | verdict |\n|---|---|---|---|---|");
    let mut verdicts = Vec::new();
    for bar in &bars.bar {
        let (verdict, measured) = judge(&bar.id, &figures);
        let word = match verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::Skipped => "skipped",
        };
        println!("| {} | {} | {} | {measured} | {word} |", bar.issue, bar.bar, bar.value);
        verdicts.push(verdict);
    }
    let count = |wanted: Verdict| verdicts.iter().filter(|v| **v == wanted).count();
    let (passed, failed, skipped) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Skipped));
    println!("\nscorecard: {passed} passed, {failed} failed, {skipped} skipped");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A bar holds if it was measured at least once and every measurement held. What was measured in one run and skipped in
/// another (the demo, in the debug build) counts as measured.
fn judge(id: &str, figures: &[Figure]) -> (Verdict, String) {
    let of_bar = || figures.iter().filter(|f| f.bar == id);
    if let Some(bad) = of_bar().find(|f| f.pass == Some(false)) {
        return (Verdict::Fail, bad.measured.clone());
    }
    match (of_bar().rfind(|f| f.pass.is_some()), of_bar().next_back()) {
        (Some(good), _) => (Verdict::Pass, good.measured.clone()),
        (None, Some(skipped)) => (Verdict::Skipped, skipped.measured.clone()),
        (None, None) => (Verdict::Fail, "no figure: its suite failed or did not run".to_owned()),
    }
}

/// Reads the tables of `docs/fuzzing.md`: rows that begin with a target's name, and of them the column whose head says
/// seconds.
fn fuzzing() -> [Figure; 3] {
    let text = std::fs::read_to_string(repository().join("docs/fuzzing.md")).unwrap_or_default();
    let targets = fuzz_targets();
    let mut seconds_column = 2;
    let mut rows: Vec<(String, u64)> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        if let Some(column) = cells.iter().position(|cell| cell.to_lowercase().contains("second")) {
            seconds_column = column;
        }
        let Some(target) = targets.iter().find(|t| *t == cells[1]) else { continue };
        let number: String =
            cells.get(seconds_column).unwrap_or(&"").chars().take_while(|c| !" .".contains(*c)).collect();
        rows.push((target.clone(), number.replace([',', '_'], "").parse().unwrap_or(0)));
    }
    let short: Vec<_> = rows.iter().filter(|(_, s)| *s < FUZZ_SECONDS_MIN).map(|(t, s)| format!("{t} {s} s")).collect();
    let missing: Vec<_> = targets.iter().filter(|t| !rows.iter().any(|(name, _)| name == *t)).cloned().collect();
    let pass = !rows.is_empty() && short.is_empty() && missing.is_empty();
    let least = rows.iter().map(|(_, s)| *s).min().unwrap_or(0);
    let mut measured = format!("{} targets, at least {least} s each, no panic left (docs/fuzzing.md)", rows.len());
    if !pass {
        measured =
            format!("{} targets in docs/fuzzing.md; too short: {short:?}; without a row: {missing:?}", rows.len());
    }
    let sum: u64 = rows.iter().map(|(_, s)| *s).sum();
    let in_sum = Figure {
        bar: "fuzz_sum".to_owned(),
        measured: format!("{} targets, {sum} s in sum, no panic left (docs/fuzzing.md)", rows.len()),
        pass: Some(sum >= FUZZ_SECONDS_SUM),
    };
    let longest = |target: &str| rows.iter().filter(|(name, _)| name == target).map(|(_, s)| *s).max().unwrap_or(0);
    let (parser, evaluator) = (longest("promql_parse"), longest("promql_eval"));
    let promql = Figure {
        bar: "promql_fuzz".to_owned(),
        measured: format!("parser {parser} s, evaluator {evaluator} s, no panic left (docs/fuzzing.md)"),
        pass: Some(parser.min(evaluator) >= PROMQL_FUZZ_SECONDS_MIN),
    };
    [Figure { bar: "fuzz".to_owned(), measured, pass: Some(pass) }, in_sum, promql]
}

fn fuzz_targets() -> Vec<String> {
    let entries = std::fs::read_dir(repository().join("fuzz/fuzz_targets"));
    let mut names: Vec<_> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    names
}
