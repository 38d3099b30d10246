//! Checks of a running server: does it answer, what do its metrics say, who has gone silent.

use std::time::Duration;

use grid_model::Timestamp;
use grid_model::time::{MINUTE_NS, SECOND_NS};
use reqwest::Method;
use serde_json::{Value, json};

use super::Findings;
use crate::client::Client;
use crate::unit::{show_count, show_duration};

/// A source that was silent for longer than this is worth a look.
const SILENT_NS: i64 = 10 * MINUTE_NS;
/// Sources that sent within this time count as sources.
const LOOK_BACK: &str = "interval '24 hours'";
/// How far the server's clock may be off ours.
const SKEW_MAX_NS: i64 = 30 * SECOND_NS;
/// Silent sources that are named one by one.
const NAMED_MAX: usize = 20;

/// Runs the checks.
pub(super) async fn check(client: &Client, now: Timestamp, findings: &mut Findings, extra: &mut Value) {
    let answer = match client.send_any(client.request(Method::GET, "/healthz")).await {
        Ok(answer) => answer,
        Err(e) => {
            return findings.error("server", format!("{e:#}"), "start it: `grid serve`; or name another with --url");
        }
    };
    findings.ok("server", format!("{} answers ({})", client.base(), answer.status()));
    skew(answer.headers(), now, findings);
    match client.send_any(client.request(Method::GET, "/readyz")).await {
        Ok(ready) if ready.status().is_success() => {
            let answer: Value = ready.json().await.unwrap_or_default();
            let failing = answer["checks"].as_array().into_iter().flatten().find(|check| check["ok"] == false);
            match failing {
                None => findings.ok("server", "ready: WAL replayed, catalog open"),
                Some(check) => findings.warn(
                    "server",
                    format!("degraded: {}", check["detail"].as_str().unwrap_or("no detail")),
                    "it is tried again by itself; look at the server's log and disk if it lasts",
                ),
            }
        }
        Ok(ready) => {
            let why = ready.text().await.unwrap_or_default();
            findings.error(
                "server",
                format!("not ready: {}", why.trim()),
                "look at its log; a full disk makes it read-only",
            );
        }
        Err(e) => findings.error("server", format!("{e:#}"), "look at its log"),
    }
    match client.send(client.request(Method::GET, "/metrics")).await {
        Ok(answer) => metrics(&answer.text().await.unwrap_or_default(), findings, extra),
        Err(e) => findings.warn("metrics", format!("{e:#}"), "give a token with --token-file if authentication is on"),
    }
    for (source, sql) in [
        (
            "logs of service",
            format!(
                "SELECT service AS source, max(time) AS newest FROM logs WHERE time > now() - {LOOK_BACK} GROUP BY service"
            ),
        ),
        (
            "spans of service",
            format!(
                "SELECT service AS source, max(start_time) AS newest FROM spans WHERE start_time > now() - {LOOK_BACK} GROUP BY service"
            ),
        ),
        (
            "metrics of job",
            format!(
                "SELECT r.labels['job'] AS source, max(s.time) AS newest FROM samples s JOIN series r ON s.series_id = r.series_id WHERE s.time > now() - {LOOK_BACK} GROUP BY r.labels['job']"
            ),
        ),
    ] {
        match ask(client, &sql).await {
            Ok(rows) => lag(source, &rows, now, findings),
            Err(e) => findings.warn("lag", format!("cannot ask for {source}: {e:#}"), "give a token with scope query"),
        }
    }
}

/// Every answer carries the server's time.
fn skew(headers: &reqwest::header::HeaderMap, now: Timestamp, findings: &mut Findings) {
    let date =
        headers.get("date").and_then(|v| v.to_str().ok()).and_then(|d| chrono::DateTime::parse_from_rfc2822(d).ok());
    let Some(server) = date.and_then(|d| d.timestamp_nanos_opt()) else { return };
    let skew_ns = (server - now.0).abs();
    if skew_ns > SKEW_MAX_NS {
        findings.warn(
            "clock",
            format!("the server's clock is {} s off ours", skew_ns / SECOND_NS),
            "check NTP on both machines",
        );
    }
}

fn metrics(text: &str, findings: &mut Findings, extra: &mut Value) {
    let lines = text.lines().map(|l| Ok(l.to_owned()));
    let Ok(scrape) = prometheus_parse::Scrape::parse(lines) else {
        return findings.warn("metrics", "/metrics cannot be read", "is this a grid server?");
    };
    let number = |name: &str| -> Option<f64> {
        let values = scrape.samples.iter().filter(|s| s.metric == name).filter_map(|s| match s.value {
            prometheus_parse::Value::Counter(x)
            | prometheus_parse::Value::Gauge(x)
            | prometheus_parse::Value::Untyped(x) => Some(x),
            _ => None,
        });
        let values: Vec<f64> = values.collect();
        (!values.is_empty()).then(|| values.iter().sum())
    };
    let mut seen = serde_json::Map::new();
    for name in scrape.samples.iter().map(|s| s.metric.as_str()).filter(|m| m.starts_with("grid_")) {
        if let Some(value) = number(name) {
            seen.insert(name.to_owned(), json!(value));
        }
    }
    extra["metrics"] = Value::Object(seen);
    for (part, what, fix) in [
        ("flush_errors", "flushes failed", "look at the server's log; is the disk full, is the bucket reachable?"),
        ("compaction_errors", "compactions failed", "look at the server's log"),
        (
            "refused",
            "writes were refused for overload",
            "send larger batches less often, or raise storage.buffer_bytes_max",
        ),
    ] {
        let total: f64 = scrape
            .samples
            .iter()
            .map(|s| s.metric.as_str())
            .filter(|m| m.starts_with("grid_store") && m.contains(part))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .filter_map(number)
            .sum();
        if total > 0.0 {
            findings.warn("metrics", format!("{} {what} since the start", show_count(total as u64)), fix);
        }
    }
    findings.ok("metrics", format!("{} samples read from /metrics", scrape.samples.len()));
}

async fn ask(client: &Client, sql: &str) -> anyhow::Result<Vec<Value>> {
    let request = client
        .request(Method::POST, "/api/v1/sql")
        .header("accept", "application/x-ndjson")
        .timeout(Duration::from_secs(30))
        .json(&json!({ "query": sql, "timeout_ms": 20_000 }));
    let text = client.send(request).await?.text().await?;
    Ok(text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect())
}

fn lag(source: &str, rows: &[Value], now: Timestamp, findings: &mut Findings) {
    let mut silent = Vec::new();
    let mut live = 0;
    for row in rows {
        let name = row["source"].as_str().unwrap_or("(none)");
        let newest = row["newest"].as_str().and_then(|t| chrono::DateTime::parse_from_rfc3339(t).ok());
        let Some(newest) = newest.and_then(|t| t.timestamp_nanos_opt()) else { continue };
        let lag = now.0.saturating_sub(newest);
        if lag > SILENT_NS {
            silent.push((name.to_owned(), lag));
        } else {
            live += 1;
        }
    }
    silent.sort_by_key(|(_, lag)| std::cmp::Reverse(*lag));
    if silent.is_empty() {
        findings.ok("lag", format!("{source}: {live} sources, all within {} min", SILENT_NS / MINUTE_NS));
    }
    for (name, lag) in silent.iter().take(NAMED_MAX) {
        let lag = Duration::from_secs(lag.unsigned_abs() / SECOND_NS.unsigned_abs());
        findings.warn(
            "lag",
            format!("{source} {name}: nothing for {}", show_duration(lag)),
            "is it running, and does it send here?",
        );
    }
    if silent.len() > NAMED_MAX {
        findings.warn("lag", format!("{source}: {} more are silent", silent.len() - NAMED_MAX), "as above");
    }
}
