//! The same samples in Grid and in a real Prometheus, the same queries to both, by HTTP: the answers are equal.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use grid_tests::peers::{self, Peer};
use grid_tests::{Grid, figure, run_grid, shared_data, skip};
use serde_json::Value;
use tokio::process::Command;

/// How far apart two numbers may be, relatively.
const EPSILON: f64 = 1e-5;

#[tokio::test]
async fn answers_are_those_of_prometheus() -> anyhow::Result<()> {
    let bars = ["promql_compliance", "promql_node_live"];
    let skipped = |reason: &str| bars.iter().try_for_each(|bar| skip(bar, reason));
    let binary = match peers::prometheus() {
        Ok(binary) => binary,
        Err(reason) => return skipped(&reason),
    };
    let Some(shared) = shared_data() else { return skipped("no shared data (GRID_SHARED_DATA)") };
    let grid = Grid::start().await?;
    let folder = tempfile::tempdir()?;
    let port = peers::free_port()?;
    let own = format!("http://127.0.0.1:{port}");
    let config = folder.path().join("prometheus.yml");
    // The data sets are of other times than now, and not in one order.
    std::fs::write(&config, "global: {}\nstorage:\n  tsdb:\n    out_of_order_time_window: 10000d\n")?;
    let mut command = Command::new(&binary);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
        .arg("--storage.tsdb.retention.time=100y")
        .arg("--web.enable-remote-write-receiver")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let prometheus = Peer::start(&mut command, &folder.path().join("prometheus.log"))?;
    peers::until_ready(&grid.client, &format!("{own}/-/ready"), Duration::from_secs(60)).await?;
    let sets = shared.join("promql/datasets");
    for set in ["demo.om.gz", "node_live.om.gz"] {
        let file = sets.join(set);
        let file = file.to_str().context("a path of UTF-8")?;
        // `grid import` speaks remote write, to whomever.
        for url in [&grid.http, &own] {
            run_grid(&["import", "metrics", "--url", url, file])
                .await
                .with_context(|| format!("load {set} to {url}"))?;
        }
    }
    grid.flush().await?;
    let mut wrong = Vec::new();
    for (bar, list) in bars.iter().zip(["queries_compliance.jsonl", "queries_node_live.jsonl"]) {
        let (equal, all, different) = compare(&grid, &own, &sets.join(list)).await?;
        let measured = format!("{equal} of {all} answers equal (each query as range and as instant)");
        figure(bar, different.is_empty(), measured);
        wrong.extend(different);
    }
    prometheus.terminate().await?;
    ensure!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    Ok(())
}

async fn compare(grid: &Grid, own: &str, list: &Path) -> anyhow::Result<(usize, usize, Vec<String>)> {
    let (mut equal, mut all, mut different) = (0, 0, Vec::new());
    let mut answered = 0;
    for line in std::fs::read_to_string(list)?.lines() {
        let case: Value = serde_json::from_str(line)?;
        let query = case["query"].as_str().context("a query")?;
        let text = |key: &str| case[key].to_string();
        let range = vec![("start", text("start")), ("end", text("end")), ("step", text("step"))];
        let instant = vec![("time", text("instant_time"))];
        for (path, mut form) in [("query_range", range), ("query", instant)] {
            form.push(("query", query.to_owned()));
            let ask = async |base: String| -> anyhow::Result<Value> {
                Ok(grid.client.post(format!("{base}/api/v1/{path}")).form(&form).send().await?.json().await?)
            };
            let ours = Answer::of(&ask(format!("{}/prometheus", grid.http)).await?)?;
            let theirs = Answer::of(&ask(own.to_owned()).await?)?;
            all += 1;
            answered += usize::from(!theirs.series.is_empty());
            match same(&ours, &theirs) {
                Ok(()) => equal += 1,
                Err(reason) => different.push(format!("{path} {query}: {reason}")),
            }
        }
    }
    ensure!(answered * 3 > all, "only {answered} of {all} queries have an answer at all");
    Ok((equal, all, different))
}

/// An answer without its order: values by time by series; an error is its type.
#[derive(Debug)]
struct Answer {
    kind: String,
    series: BTreeMap<String, BTreeMap<String, String>>,
}

impl Answer {
    fn of(json: &Value) -> anyhow::Result<Self> {
        if json["status"] != "success" {
            return Ok(Self { kind: format!("error {}", json["errorType"]), series: BTreeMap::new() });
        }
        let data = &json["data"];
        let mut series: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut add = |labels: String, pair: &Value| {
            let value = pair[1].as_str().map_or_else(|| pair[1].to_string(), str::to_owned);
            series.entry(labels).or_default().insert(pair[0].to_string(), value);
        };
        match data["resultType"].as_str().context("a result's type")? {
            "scalar" | "string" => add(String::new(), &data["result"]),
            _ => {
                for one in data["result"].as_array().context("a result")? {
                    // Maps of serde_json are sorted.
                    let labels = one["metric"].to_string();
                    for list in ["values", "histograms"] {
                        one[list].as_array().into_iter().flatten().for_each(|pair| add(labels.clone(), pair));
                    }
                    for only in ["value", "histogram"] {
                        if one[only].is_array() {
                            add(labels.clone(), &one[only]);
                        }
                    }
                }
            }
        }
        Ok(Self { kind: data["resultType"].to_string(), series })
    }
}

fn same(ours: &Answer, theirs: &Answer) -> Result<(), String> {
    if ours.kind != theirs.kind {
        return Err(format!("{} against {}", ours.kind, theirs.kind));
    }
    let lonely = ours.series.keys().find(|k| !theirs.series.contains_key(*k));
    if let Some(labels) = lonely.or_else(|| theirs.series.keys().find(|k| !ours.series.contains_key(*k))) {
        return Err(format!("{} series against {}: {labels}", ours.series.len(), theirs.series.len()));
    }
    for (labels, mine) in &ours.series {
        let other = &theirs.series[labels];
        if !mine.keys().eq(other.keys()) {
            return Err(format!("{labels}: {} times against {}", mine.len(), other.len()));
        }
        for ((time, a), b) in mine.iter().zip(other.values()) {
            if !close(a, b) {
                return Err(format!("{labels} at {time}: {a} against {b}"));
            }
        }
    }
    Ok(())
}

fn close(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= EPSILON * a.abs().max(b.abs()),
        _ => false,
    }
}
