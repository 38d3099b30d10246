//! One question, asked of each system in turns.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use grid_tests::answer;
use serde_json::Value;

use crate::system::System;

/// Runs of each system, after those that warm up; the median counts.
pub(super) const RUNS: usize = 5;
const WARM: usize = 2;
/// How far numbers may lie apart, as a share: systems add in different orders.
const TOLERANCE: f64 = 1e-9;

/// Something to ask.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: &'static str,
    path: Option<String>,
    form: Vec<(String, String)>,
}

/// How long a system takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed {
    pub(super) median_ms: f64,
}

impl Call {
    /// A range query; times in milliseconds, the step in seconds.
    pub(super) fn range(name: &'static str, query: &str, range: (i64, i64), step: i64) -> Self {
        let form = [
            ("query", query.to_owned()),
            ("start", (range.0 / 1000).to_string()),
            ("end", (range.1 / 1000).to_string()),
            ("step", step.to_string()),
        ];
        Self::metadata(name, "query_range", form.map(|(k, v)| (k.to_owned(), v)).to_vec())
    }

    /// Any call of Prometheus' API.
    pub(super) fn metadata(name: &'static str, path: &str, form: Vec<(String, String)>) -> Self {
        Self { name, path: Some(path.to_owned()), form }
    }

    /// A query by SQL, which only Grid has.
    pub(super) fn sql(name: &'static str, sql: &str) -> Self {
        Self { name, path: None, form: vec![("sql".to_owned(), sql.to_owned())] }
    }

    /// Asks once.
    pub(super) async fn once(&self, system: &System) -> anyhow::Result<String> {
        let Some(path) = &self.path else {
            let (status, _, body) = system.grid()?.sql_raw("default", &self.form[0].1, answer::ARROW_STREAM).await?;
            ensure!(status == 200, "answered {status}: {}", String::from_utf8_lossy(&body));
            return Ok(String::new());
        };
        let form: Vec<_> = self.form.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        system.prometheus(path, &form).await
    }
}

/// Times of every system that is here, in turns.
pub(super) async fn ask(systems: [Option<&System>; 3], call: &Call) -> anyhow::Result<[Option<Timed>; 3]> {
    let mut times: [Vec<f64>; 3] = Default::default();
    for turn in 0..WARM + RUNS {
        for (system, times) in systems.iter().zip(&mut times) {
            let Some(system) = system else { continue };
            let started = Instant::now();
            call.once(system).await.with_context(|| format!("{}: {}", system.kind.name(), call.name))?;
            if turn >= WARM {
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).map(|median_ms| Timed { median_ms: *median_ms })
    }))
}

/// Whether two answers say the same: the same series with the same times, and numbers that are near.
pub(super) fn same(ours: &str, theirs: &str) -> anyhow::Result<()> {
    let (ours, theirs): (Value, Value) = (serde_json::from_str(ours)?, serde_json::from_str(theirs)?);
    let (ours, theirs) = (&ours["data"], &theirs["data"]);
    if let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs) {
        ensure!(!ours.is_empty() && ours == theirs, "{} and {} values", ours.len(), theirs.len());
        return Ok(());
    }
    let (ours, theirs) = (series(ours)?, series(theirs)?);
    ensure!(!ours.is_empty(), "no series");
    ensure!(ours.len() == theirs.len(), "{} and {} series", ours.len(), theirs.len());
    for ((labels, points), (their_labels, their_points)) in ours.iter().zip(&theirs) {
        ensure!(labels == their_labels, "{labels} and {their_labels}");
        ensure!(points.len() == their_points.len(), "{labels}: {} and {} points", points.len(), their_points.len());
        for ((time, value), (their_time, their_value)) in points.iter().zip(their_points) {
            let near = (value - their_value).abs() <= TOLERANCE * value.abs().max(their_value.abs())
                || value.to_bits() == their_value.to_bits()
                || value.is_nan() && their_value.is_nan();
            ensure!(time == their_time && near, "{labels}: {value} at {time} and {their_value} at {their_time}");
        }
    }
    Ok(())
}

type Points = Vec<(f64, f64)>;

fn series(data: &Value) -> anyhow::Result<BTreeMap<String, Points>> {
    let Some(result) = data["result"].as_array() else { bail!("no result: {data}") };
    let point = |point: &Value| -> anyhow::Result<(f64, f64)> {
        let value = point[1].as_str().context("a value")?;
        Ok((point[0].as_f64().context("a time")?, value.parse()?))
    };
    result
        .iter()
        .map(|series| {
            let labels: BTreeMap<String, String> = serde_json::from_value(series["metric"].clone())?;
            let points =
                series["values"].as_array().context("values")?.iter().map(point).collect::<anyhow::Result<_>>()?;
            Ok((format!("{labels:?}"), points))
        })
        .collect()
}
