//! `grid backtest`: the models on a file, as they would have been, and how good that is. Steps go to stdout, the summary to stderr; with `-o json` both
//! go to stdout.

mod replay;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use grid_decode::points::{self, Point};
use grid_ml::detect::inject::inject;
use grid_ml::detect::{Detector, Tier};
use grid_ml::forecast::{Params, evaluate};
use grid_ml::score;
use grid_model::time::DAY_NS;
use serde_json::json;

use crate::args::{BacktestCommand, BacktestFile, BacktestForecast, FilesFormat};
use crate::out;

/// Points around an event in which the ranking score forgives being early or late.
const BUFFER: usize = 20;

/// Runs one model.
pub(crate) fn run(command: &BacktestCommand) -> anyhow::Result<ExitCode> {
    match command {
        BacktestCommand::Detect(args) => detect(args)?,
        BacktestCommand::Forecast(args) => forecast(args)?,
        BacktestCommand::Rightsize(args) => replay::rightsize(args)?,
        BacktestCommand::Scale(args) => replay::scale(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Vec<Point>> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    points::read(BufReader::new(file)).with_context(|| format!("read {}", path.display()))
}

/// Names and numbers, one per row or as one object.
struct Report(Vec<(String, serde_json::Value)>);

impl Report {
    fn add(&mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) {
        self.0.push((name.into(), value.into()));
    }

    fn print(self, format: FilesFormat) -> anyhow::Result<()> {
        let text = match format {
            FilesFormat::Csv => self.0.iter().fold("measure,value\n".to_owned(), |text, (name, value)| {
                let value = if value.is_null() { String::new() } else { value.to_string() };
                format!("{text}{},{value}\n", out::csv_cell(name))
            }),
            FilesFormat::Json => format!("{:#}\n", serde_json::Value::Object(self.0.into_iter().collect())),
        };
        out::bytes(text.as_bytes()).context("write the answer")
    }
}

fn detect(args: &BacktestFile) -> anyhow::Result<()> {
    let points = read(&args.input)?;
    let mut detector = Detector::new(Tier::Thorough);
    let (scores, alerts): (Vec<f64>, Vec<bool>) =
        points.iter().map(|p| detector.push(p.time, p.value)).map(|v| (v.score, v.anomaly)).unzip();
    let span_ns = points.first().zip(points.last()).map_or(0, |(a, b)| b.time.0.saturating_sub(a.time.0));
    let weeks = (span_ns as f64 / (7 * DAY_NS) as f64).max(f64::MIN_POSITIVE);
    let per_week = |count: usize| if span_ns > 0 { json!(count as f64 / weeks) } else { json!(null) };
    let called = alerts.iter().filter(|a| **a).count();
    let mut report = Report(Vec::new());
    report.add("points", points.len());
    report.add("alerts", called);
    report.add("alerts_per_week", per_week(called));
    if points.iter().any(|p| p.mark.is_some()) {
        let labels: Vec<bool> = points.iter().map(|p| p.mark == Some(true)).collect();
        let fit = score::alerts(&labels, &alerts);
        report.add("events", fit.events);
        report.add("events_found", fit.found);
        report.add("event_recall", (fit.events > 0).then(|| fit.found as f64 / fit.events as f64));
        report.add("false_alerts_per_week", per_week(fit.wrong));
        report.add("average_precision", score::average_precision(&labels, &scores));
        report.add("vus_pr", score::volume(&labels, &scores, BUFFER));
    } else {
        let series: Vec<_> = points.iter().map(|p| (p.time, p.value)).collect();
        for kind in inject(Tier::Thorough, &series) {
            let recall = (kind.put > 0).then(|| kind.found as f64 / kind.put as f64);
            report.add(format!("injected_{}_recall", kind.fault.name()), recall);
        }
    }
    report.print(args.output)
}

/// One series per row, or one series whose points are rows.
fn series(path: &Path) -> anyhow::Result<Vec<super::forecast::Row>> {
    let mut first = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(path)?;
    let header = first.records().next().transpose().with_context(|| format!("read {}", path.display()))?;
    let long = header.is_some_and(|h| {
        h.len() <= 3 && h.get(0).is_some_and(|c| matches!(c.trim().to_ascii_lowercase().as_str(), "time" | "timestamp"))
    });
    if !long {
        return super::forecast::read(path);
    }
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(vec![super::forecast::Row { name, points: read(path)?.iter().map(|p| p.value).collect() }])
}

fn forecast(args: &BacktestForecast) -> anyhow::Result<()> {
    let params = Params {
        horizon: args.horizon as usize,
        season: args.season.map(|s| s as usize).filter(|s| *s > 1),
        level: args.level / 100.0,
    };
    let mut text = "series,origins,smape,mase,coverage,naive_smape,naive_mase\n".to_owned();
    let mut objects = Vec::new();
    for row in series(&args.input)? {
        let Some(found) = evaluate(&row.points, &params) else {
            out::say(&format!("{}: too short to forecast {} steps of its own past", row.name, params.horizon));
            continue;
        };
        let number = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
        text += &format!(
            "{},{},{},{},{},{},{}\n",
            out::csv_cell(&row.name),
            found.origins,
            found.smape,
            number(found.mase),
            found.coverage,
            found.naive_smape,
            number(found.naive_mase)
        );
        objects.push(json!({
            "series": row.name, "origins": found.origins, "smape": found.smape, "mase": found.mase,
            "coverage": found.coverage, "level": found.level, "naive_smape": found.naive_smape,
            "naive_mase": found.naive_mase,
        }));
    }
    match args.output {
        FilesFormat::Csv => out::bytes(text.as_bytes()),
        FilesFormat::Json => out::line(&serde_json::to_string_pretty(&objects)?),
    }
    .context("write the answer")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lengths(text: &str) -> Vec<(String, usize)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("load.csv");
        std::fs::write(&path, text).unwrap();
        series(&path).unwrap().into_iter().map(|row| (row.name, row.points.len())).collect()
    }

    #[test]
    fn series_stand_in_rows_or_columns() {
        assert_eq!(lengths("time,value\n2024-01-01,1\n2024-01-02,2\n"), [("load".into(), 2)]);
        assert_eq!(lengths("Timestamp,usage,label\n2024-01-01,1,0\n"), [("load".into(), 1)]);
        assert_eq!(lengths("id,t1,t2,t3\nH1,1,2,3\nH2,4,5\n"), [("H1".into(), 3), ("H2".into(), 2)]);
        assert_eq!(lengths("H1,1,2,3\n"), [("H1".into(), 3)]);
    }
}
