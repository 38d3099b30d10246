//! The recorded calls of a real Prometheus' HTTP API, asked of Grid: the same status, the same type of error, the same JSON.
//!
//! What was stored is known, so values are compared, too. Where they cannot be equal, [`DIFFERENCES`] says why; an entry that no call
//! needs any more fails the suite, so that the table stays true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, ensure};
use grid_tests::wire::REMOTE_WRITE_HEADERS;
use grid_tests::{Grid, figure, run_grid, shared_data, skip};
use serde_json::Value;

/// How far apart two numbers may be, relatively: sums of floats depend on their order.
const EPSILON: f64 = 1e-12;

/// What may differ below a place of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Free {
    /// Values; types and keys stay equal.
    Value,
    /// Keys, and how many: the object is a map whose values are of one type, or a list.
    Entries,
    /// The words of an answer that is text.
    Text,
}

/// `(path, place, what is free, why)`. A path is that of the call, with a parameter or the method where those matter; a place is a
/// JSON pointer.
const DIFFERENCES: [(&str, &str, Free, &str); 17] = [
    ("/api/v1/query?stats=all", "/data/stats/timings", Free::Value, "how long it took"),
    (
        "/api/v1/query?stats=all",
        "/data/stats/samples",
        Free::Value,
        "Grid counts the samples that it read within the lookback, Prometheus those that it used",
    ),
    (
        "/api/v1/query?query=demo_num_cpus + on(job) demo_memory_usage_bytes",
        "/error",
        Free::Value,
        "the message names two of the series that match; which, depends on the order of the index",
    ),
    (
        "/api/v1/metadata",
        "/data",
        Free::Entries,
        "`grid import` sends what the file says of its metrics; the recording's loader did not",
    ),
    (
        "/api/v1/status/buildinfo",
        "/data",
        Free::Value,
        "Grid's version and commit; `version` is the Prometheus whose API this is",
    ),
    (
        "/api/v1/status/runtimeinfo",
        "/data",
        Free::Value,
        "this process: times, threads; what only Go has is 0 or empty",
    ),
    (
        "/api/v1/status/flags",
        "/data",
        Free::Entries,
        "Grid has other flags; those that mean the same have the same names",
    ),
    (
        "/api/v1/status/tsdb",
        "/data/headStats",
        Free::Value,
        "the recording's head was empty: its samples had been written to a block",
    ),
    ("/api/v1/status/tsdb", "/data/seriesCountByMetricName", Free::Entries, "as above"),
    ("/api/v1/status/tsdb", "/data/labelValueCountByLabelName", Free::Entries, "as above"),
    ("/api/v1/status/tsdb", "/data/memoryInBytesByLabelName", Free::Entries, "as above"),
    ("/api/v1/status/tsdb", "/data/seriesCountByLabelValuePair", Free::Entries, "as above"),
    ("/api/v1/status/config", "/data/yaml", Free::Value, "Grid's settings are not a prometheus.yml"),
    ("/api/v1/nosuch", "", Free::Text, "Grid's error document, with a hint"),
    ("DELETE /api/v1/query?query=1", "", Free::Text, "Grid's error document, with a hint"),
    ("/-/", "", Free::Text, "the server's name"),
    ("/api/v1/write", "", Free::Text, "Grid's error document, with a hint"),
];

/// Names and values.
type Parameters = &'static [(&'static str, &'static str)];

/// `(file of live_shapes, path, parameters)`: how the recorded answer was asked for. Stores differ, so only shapes are compared.
const SHAPES: [(&str, &str, Parameters); 13] = [
    ("alertmanagers.json", "/api/v1/alertmanagers", &[]),
    ("alerts.json", "/api/v1/alerts", &[]),
    ("metadata.json", "/api/v1/metadata", &[]),
    (
        "query_exemplars.json",
        "/api/v1/query_exemplars",
        &[("query", "rpc_durations_histogram_seconds_bucket"), ("start", "0"), ("end", RECORDED)],
    ),
    ("query_native_histogram_vector.json", "/api/v1/query", &[("query", NATIVE), ("time", RECORDED)]),
    ("query_query_ALERTS.json", "/api/v1/query", &[("query", "last_over_time(up[1h])"), ("time", RECORDED)]),
    ("query_query_prometheus_http_request_dura.json", "/api/v1/query", &[("query", "nobody_has_this")]),
    (
        "query_range_native_histogram.json",
        "/api/v1/query_range",
        &[("query", NATIVE), ("start", "1795399190"), ("end", RECORDED), ("step", "5")],
    ),
    ("rules.json", "/api/v1/rules", &[]),
    ("rules_type_alert.json", "/api/v1/rules", &[("type", "alert")]),
    ("status_tsdb.json", "/api/v1/status/tsdb", &[]),
    ("targets.json", "/api/v1/targets", &[]),
    ("targets_metadata_metric_up.json", "/api/v1/targets/metadata", &[("metric", "up")]),
];
/// Lists of live shapes that are empty in Grid, and why; with entries they would be compared.
const EMPTY: [(&str, &str); 5] = [
    ("alertmanagers.json", "Grid tells nobody under this name"),
    ("alerts.json", "this suite has no rules; tests/tests/rules.rs has"),
    ("rules.json", "as above"),
    ("rules_type_alert.json", "as above"),
    ("targets.json", "nothing is scraped in this suite"),
];
/// Shortly after the captured remote writes.
const RECORDED: &str = "1795399200";
const NATIVE: &str = "last_over_time(prometheus_http_request_duration_seconds[1h])";
/// Objects whose keys are data: names of labels and of metrics.
const MAPS: [&str; 6] = ["metric", "labels", "seriesLabels", "annotations", "discoveredLabels", "droppedTargetCounts"];

/// A recorded call.
struct Call {
    method: String,
    path: String,
    params: Vec<(String, String)>,
    status: u64,
    json: Option<Value>,
    text: Option<String>,
}

impl Call {
    fn of(line: &str) -> anyhow::Result<Self> {
        let call: Value = serde_json::from_str(line)?;
        let text = |key: &str| call[key].as_str().map(str::to_owned);
        let mut params = Vec::new();
        for (name, value) in call["params"].as_object().context("parameters")? {
            let one = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
            match value {
                Value::Array(all) => params.extend(all.iter().map(|v| (name.clone(), one(v)))),
                v => params.push((name.clone(), one(v))),
            }
        }
        Ok(Self {
            method: text("method").context("a method")?,
            path: text("path").context("a path")?,
            params,
            status: call["http_status"].as_u64().context("a status")?,
            json: call.get("json").cloned(),
            text: text("text"),
        })
    }

    fn name(&self) -> String {
        let params: Vec<_> = self.params.iter().map(|(k, v)| format!("{k}={v}")).collect();
        format!("{} {}?{}", self.method, self.path, params.join("&"))
    }

    /// Whether an entry of [`DIFFERENCES`] is about this call.
    fn is(&self, path: &str) -> bool {
        match path.split_once('?') {
            _ if path.starts_with(&self.method) => self.name() == path,
            Some((path, query)) => path == self.path && self.params.iter().any(|(k, v)| format!("{k}={v}") == query),
            None => self.path == path || (path.ends_with('/') && self.path.starts_with(path)),
        }
    }

    async fn ask(&self, grid: &Grid) -> anyhow::Result<(u64, String)> {
        let url = format!("{}/prometheus{}", grid.http, self.path);
        let request = grid.client.request(self.method.parse()?, url);
        let request = if self.method == "POST" { request.form(&self.params) } else { request.query(&self.params) };
        let answer = request.send().await?;
        Ok((u64::from(answer.status().as_u16()), answer.text().await?))
    }
}

/// Compares an answer with the recorded one.
struct Comparison<'a> {
    call: &'a Call,
    wrong: Vec<String>,
    /// Entries of [`DIFFERENCES`] that were needed.
    used: &'a mut BTreeSet<usize>,
}

impl Comparison<'_> {
    fn free(&mut self, place: &str, differ: bool) -> Option<Free> {
        let (i, entry) = DIFFERENCES
            .iter()
            .enumerate()
            .find(|(_, (path, at, ..))| self.call.is(path) && (place == *at || place.starts_with(&format!("{at}/"))))?;
        if differ {
            self.used.insert(i);
        }
        Some(entry.2)
    }

    fn text(&mut self, ours: &str, theirs: &str) {
        if ours != theirs && self.free("", true) != Some(Free::Text) {
            self.wrong.push(format!("text {ours:?} against {theirs:?}"));
        }
    }

    fn json(&mut self, place: &str, ours: &Value, theirs: &Value) {
        if kind(ours) != kind(theirs) {
            return self.wrong.push(format!("{place}: {} against {}", kind(ours), kind(theirs)));
        }
        match (ours, theirs) {
            (Value::Object(mine), Value::Object(other)) => {
                let same = mine.keys().eq(other.keys());
                if !same && self.free(place, true) == Some(Free::Entries) {
                    // The values of such a map are alike, so any of theirs is the pattern.
                    if let (Some(a), Some(b)) = (mine.values().next(), other.values().next()) {
                        self.shape(place, a, b);
                    }
                    return;
                }
                if !same {
                    let (a, b): (Vec<_>, Vec<_>) = (mine.keys().collect(), other.keys().collect());
                    return self.wrong.push(format!("{place}: keys {a:?} against {b:?}"));
                }
                for ((key, a), b) in mine.iter().zip(other.values()) {
                    self.json(&format!("{place}/{key}"), a, b);
                }
            }
            (Value::Array(mine), Value::Array(other)) => {
                if mine.len() != other.len() && self.free(place, true) != Some(Free::Entries) {
                    return self.wrong.push(format!("{place}: {} entries against {}", mine.len(), other.len()));
                }
                for (i, (a, b)) in mine.iter().zip(other).enumerate() {
                    self.json(&format!("{place}/{i}"), a, b);
                }
            }
            (a, b) => {
                let differ = !close(a, b);
                if self.free(place, differ).is_none() && differ {
                    self.wrong.push(format!("{place}: {a} against {b}"));
                }
            }
        }
    }

    fn shape(&mut self, place: &str, ours: &Value, theirs: &Value) {
        if kind(ours) != kind(theirs) {
            self.wrong.push(format!("{place}/*: {} against {}", kind(ours), kind(theirs)));
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn close(a: &Value, b: &Value) -> bool {
    let number = |v: &Value| v.as_f64().or_else(|| v.as_str()?.parse().ok());
    match (number(a), number(b)) {
        (Some(x), Some(y)) => a == b || x == y || (x - y).abs() <= EPSILON * x.abs().max(y.abs()),
        _ => a == b,
    }
}

/// Instant vectors have no order unless the query sorts; both sides are put into one.
fn in_order(call: &Call, answer: &mut Value) {
    let sorts = call.params.iter().any(|(_, v)| v.contains("sort"));
    if let Some(list) = answer.pointer_mut("/data/result").and_then(Value::as_array_mut)
        && !sorts
    {
        list.sort_by_key(|series| series["metric"].to_string());
    }
}

/// Every place of an answer with the kinds of values seen there, and for objects the keys that each of them has.
#[derive(Default)]
struct Shape {
    kinds: BTreeMap<String, BTreeSet<&'static str>>,
    keys: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>,
}

impl Shape {
    fn of(value: &Value, metadata: bool) -> Self {
        let mut shape = Self::default();
        shape.add("", value, metadata);
        shape
    }

    fn add(&mut self, place: &str, value: &Value, metadata: bool) {
        self.kinds.entry(place.to_owned()).or_default().insert(kind(value));
        match value {
            Value::Array(all) => {
                // Pairs such as `[time, value]` have positions, lists have entries.
                let pair = all.len() == 2 && kind(&all[0]) != kind(&all[1]);
                for (i, one) in all.iter().enumerate() {
                    let at = if pair { format!("{place}/{i}") } else { format!("{place}/-") };
                    self.add(&at, one, metadata);
                }
            }
            Value::Object(map) => {
                let name = place.rsplit('/').next().unwrap_or_default();
                if MAPS.contains(&name) || (metadata && place == "/data") {
                    map.values().for_each(|v| self.add(&format!("{place}/*"), v, metadata));
                    return;
                }
                let keys: BTreeSet<String> = map.keys().cloned().collect();
                let (always, ever) =
                    self.keys.entry(place.to_owned()).or_insert_with(|| (keys.clone(), BTreeSet::new()));
                always.retain(|k| keys.contains(k));
                ever.extend(keys);
                map.iter().for_each(|(k, v)| self.add(&format!("{place}/{k}"), v, metadata));
            }
            _ => {}
        }
    }

    /// What of this shape does not fit what was recorded.
    fn misfits(&self, recorded: &Self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (place, kinds) in &self.kinds {
            match recorded.kinds.get(place) {
                Some(known) if kinds.is_subset(known) => {}
                Some(known) => wrong.push(format!("{place}: {kinds:?} against {known:?}")),
                None => wrong.push(format!("{place}: nothing recorded there")),
            }
        }
        for (place, (always, ever)) in &self.keys {
            let Some((required, known)) = recorded.keys.get(place) else { continue };
            if !required.is_subset(always) || !ever.is_subset(known) {
                wrong.push(format!("{place}: keys {always:?} against {required:?}"));
            }
        }
        wrong
    }
}

async fn replay(grid: &Grid, recorded: &Path) -> anyhow::Result<(usize, usize, Vec<String>)> {
    let (mut passed, mut all, mut wrong, mut used) = (0, 0, Vec::new(), BTreeSet::new());
    for line in std::fs::read_to_string(recorded)?.lines() {
        let call = Call::of(line)?;
        let (status, body) = call.ask(grid).await.with_context(|| call.name())?;
        let mut comparison = Comparison { call: &call, wrong: Vec::new(), used: &mut used };
        if status != call.status {
            comparison.wrong.push(format!("status {status} against {}", call.status));
        }
        if let Some(mut theirs) = call.json.clone() {
            match serde_json::from_str::<Value>(&body) {
                Ok(mut ours) => {
                    in_order(&call, &mut ours);
                    in_order(&call, &mut theirs);
                    comparison.json("", &ours, &theirs);
                }
                Err(e) => comparison.wrong.push(format!("not JSON ({e}): {body:?}")),
            }
        }
        if let Some(theirs) = &call.text {
            comparison.text(&body, theirs);
        }
        let found = comparison.wrong;
        all += 1;
        passed += usize::from(found.is_empty());
        wrong.extend(found.into_iter().map(|what| format!("{}: {what}", call.name())));
    }
    let idle = DIFFERENCES.iter().enumerate().filter(|(i, _)| !used.contains(i));
    wrong.extend(idle.map(|(_, (path, at, ..))| format!("the table's entry {path} {at} is needed by no call")));
    Ok((passed, all, wrong))
}

async fn shapes(grid: &Grid, folder: &Path) -> anyhow::Result<(usize, Vec<String>)> {
    let (mut passed, mut wrong) = (0, Vec::new());
    for (file, path, params) in SHAPES {
        let recorded = std::fs::read_to_string(folder.join(file)).with_context(|| file.to_owned())?;
        let recorded: Value = serde_json::from_str(&recorded)?;
        let url = format!("{}/prometheus{path}", grid.http);
        let ours: Value = grid.client.get(url).query(params).send().await?.json().await?;
        let metadata = path.ends_with("/metadata");
        let (mine, theirs) = (Shape::of(&ours, metadata), Shape::of(&recorded, metadata));
        let mut found = mine.misfits(&theirs);
        let empty = |v: &Value| match &v["data"] {
            Value::Object(map) => map.values().all(|v| v.as_array().is_none_or(Vec::is_empty)),
            Value::Array(list) => list.is_empty(),
            _ => true,
        };
        let known = EMPTY.iter().any(|(name, _)| *name == file);
        if empty(&ours) != (known || empty(&recorded)) {
            found.push(format!("is {} in Grid", if known { "not empty any more" } else { "empty" }));
        }
        passed += usize::from(found.is_empty());
        wrong.extend(found.into_iter().map(|what| format!("{file}: {what}")));
    }
    Ok((passed, wrong))
}

#[tokio::test]
async fn recorded_calls_get_the_same_answers() -> anyhow::Result<()> {
    let Some(shared) = shared_data() else { return skip("promql_http", "no shared data (GRID_SHARED_DATA)") };
    let folder = shared.join("promql/http");
    let grid = Grid::start().await?;
    let set = shared.join("promql/datasets/demo.om.gz");
    run_grid(&["import", "metrics", "--url", &grid.http, set.to_str().context("a path of UTF-8")?]).await?;
    let (passed, all, mut wrong) = replay(&grid, &folder.join("http_api_prometheus-3.5.3.jsonl")).await?;
    // Once more with all rows in files.
    grid.flush().await?;
    let (flushed, _, again) = replay(&grid, &folder.join("http_api_prometheus-3.5.3.jsonl")).await?;
    wrong.extend(again.into_iter().map(|what| format!("flushed: {what}")));

    // What the live shapes need: native histograms, exemplars, metadata.
    for entry in std::fs::read_dir(shared.join("remote_write"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let v2 = [
            ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
            ("content-encoding", "snappy"),
        ];
        let headers = if name.starts_with("rw2") { &v2[..] } else { &REMOTE_WRITE_HEADERS[..] };
        grid.post_ok("/prometheus/api/v1/write", "default", headers, std::fs::read(&path)?).await?;
    }
    let (shaped, misfits) = shapes(&grid, &folder.join("live_shapes")).await?;
    wrong.extend(misfits);
    let measured = format!("{} of {all} calls, {shaped} of {} live shapes", passed.min(flushed), SHAPES.len());
    figure("promql_http", wrong.is_empty(), measured);
    ensure!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}
