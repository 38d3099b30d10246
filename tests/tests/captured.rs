//! Requests recorded from real programs, sent again with their recorded headers: all accepted, counted as the manifest
//! counts them, and, for OTLP, every value reads back as it went in.

use std::path::Path;

use anyhow::{Context, ensure};
use grid_tests::answer::same_rows;
use grid_tests::{Grid, Options, figure, otlp, shared_data, skip};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use serde_json::Value;

/// A line of the manifest, with the tenant to which its payload goes.
struct Payload {
    file: String,
    line: Value,
    tenant: String,
}

impl Payload {
    fn number(&self, key: &str) -> u64 {
        self.line[key].as_u64().unwrap_or(0)
    }

    fn request(&self, key: &str) -> Option<&str> {
        self.line["request"][key].as_str()
    }
}

#[tokio::test]
async fn recorded_requests_are_accepted_and_counted() -> anyhow::Result<()> {
    let Some(data) = shared_data() else {
        skip("captured", "no ../shared/data here")?;
        return skip("captured_equal", "no ../shared/data here");
    };
    // Some examples of the set are dated 2030, so the bound on the future is lifted.
    let future = ("GRID__INGEST__FUTURE_MAX".to_owned(), "20y".to_owned());
    let grid = Grid::start_with(Options { env: vec![future], ..Options::default() }).await?;
    let manifest = std::fs::read_to_string(data.join("manifest_payloads.jsonl")).context("read the manifest")?;
    let mut payloads = Vec::new();
    for (i, line) in manifest.lines().enumerate() {
        let line: Value = serde_json::from_str(line)?;
        let file = line["file"].as_str().context("a payload has a file")?.to_owned();
        payloads.push(Payload { file, line, tenant: format!("captured-{i}") });
    }
    for payload in &payloads {
        send(&grid, &data, payload).await.with_context(|| format!("send {}", payload.file))?;
    }
    let mut equal = 0;
    for flushed in [false, true] {
        for payload in &payloads {
            check_counts(&grid, payload).await.with_context(|| format!("{}, flushed: {flushed}", payload.file))?;
            equal += usize::from(check_rows(&grid, &data, payload).await.with_context(|| payload.file.clone())?);
        }
        grid.flush().await?;
    }
    figure("captured", true, format!("{} of {} requests accepted, counts equal", payloads.len(), payloads.len()));
    figure("captured_equal", true, format!("{} OTLP payloads read back equal, buffered and in Parquet", equal / 2));
    Ok(())
}

async fn send(grid: &Grid, data: &Path, payload: &Payload) -> anyhow::Result<()> {
    let body = std::fs::read(data.join(&payload.file))?;
    if let Some(method) = payload.request("grpc") {
        return send_grpc(grid, &payload.tenant, method, &body).await;
    }
    let path = match (payload.line["signal"].as_str(), payload.request("original_path")) {
        (Some(signal), _) => format!("/v1/{signal}"),
        (None, Some(path)) if path.starts_with("/api/") => "/api/v1/write".to_owned(),
        (None, path) => anyhow::bail!("no path for {path:?}"),
    };
    let mut headers = vec![];
    if let Some(recorded) = payload.line["request"]["headers"].as_object() {
        // The connection's own headers are made anew; who asks is this test, with no token.
        let own =
            ["content-length", "connection", "transfer-encoding", "accept-encoding", "authorization", "x-scope-orgid"];
        let kept = recorded.iter().filter(|(k, _)| !own.contains(&k.to_ascii_lowercase().as_str()));
        headers.extend(kept.filter_map(|(k, v)| Some((k.as_str(), v.as_str()?))));
    } else {
        headers.push(("content-type", "application/json"));
    }
    let text = grid.post_ok(&path, &payload.tenant, &headers, body).await?;
    ensure!(!text.contains("rejected"), "partly rejected: {text}");
    Ok(())
}

async fn send_grpc(grid: &Grid, tenant: &str, method: &str, body: &[u8]) -> anyhow::Result<()> {
    macro_rules! call {
        ($client:ident) => {{
            let mut request = tonic::Request::new(Message::decode(body)?);
            request.metadata_mut().insert("x-scope-orgid", tenant.parse()?);
            let answer = $client::connect(grid.grpc.clone()).await?.export(request).await?.into_inner();
            ensure!(answer.partial_success.is_none_or(|p| p.error_message.is_empty()), "partly rejected");
        }};
    }
    match method.split('.').next() {
        Some("logs") => call!(LogsServiceClient),
        Some("metrics") => call!(MetricsServiceClient),
        Some("trace") => call!(TraceServiceClient),
        other => anyhow::bail!("no service for {other:?}"),
    }
    Ok(())
}

async fn check_counts(grid: &Grid, payload: &Payload) -> anyhow::Result<()> {
    let tenant = &payload.tenant;
    let mut checks = Vec::new();
    match payload.line["signal"].as_str() {
        Some("logs") => {
            checks.push(("records", "SELECT count(*) FROM logs"));
            checks.push(("with_trace", "SELECT count(*) FROM logs WHERE trace_id IS NOT NULL"));
        }
        Some("traces") => {
            checks.push(("spans", "SELECT count(*) FROM spans"));
            checks.push(("traces", "SELECT count(DISTINCT trace_id) FROM spans"));
            checks.push(("root_spans", "SELECT count(*) FROM spans WHERE parent_span_id IS NULL"));
            checks.push(("events", "SELECT coalesce(sum(cardinality(events)), 0) FROM spans"));
            checks.push(("links", "SELECT coalesce(sum(cardinality(links)), 0) FROM spans"));
            checks.push(("error_spans", "SELECT count(*) FROM spans WHERE status = 'error'"));
        }
        Some("metrics") => {
            checks.push(("metrics", "SELECT count(DISTINCT otlp_name) FROM series"));
            checks.push((
                "datapoints",
                "SELECT count(*) FROM samples x JOIN series s ON x.series_id = s.series_id \
                                         WHERE s.otlp_name IS NOT NULL",
            ));
        }
        _ => {
            checks.push(("samples", "SELECT count(*) FROM samples WHERE histogram IS NULL"));
            checks.push(("histograms", "SELECT count(*) FROM samples WHERE histogram IS NOT NULL"));
            checks.push(("exemplars", "SELECT count(*) FROM exemplars"));
            // The manifest's word for every NaN: the recordings hold ordinary ones (quantiles of empty summaries) and no stale
            // marker at all. That markers keep their bits is what `duckdb.rs` looks at.
            checks.push(("stale_markers", "SELECT count(*) FROM samples WHERE isnan(value)"));
            checks.push(("metadata", "SELECT count(*) FROM metadata"));
        }
    }
    for (what, query) in checks {
        if payload.line.get(what).is_none() {
            continue;
        }
        let found = grid.sql_one(tenant, query).await?;
        // Sums of unsigned numbers are exact decimals, which are text.
        let same = found.to_string().trim_matches('"') == payload.number(what).to_string();
        ensure!(same, "{what}: {} sent, {found} found", payload.number(what));
    }
    Ok(())
}

/// Compares whole rows of an OTLP payload; answers whether there was something to compare.
async fn check_rows(grid: &Grid, data: &Path, payload: &Payload) -> anyhow::Result<bool> {
    let body = plain_body(&data.join(&payload.file))?;
    let json = payload.file.contains(".json");
    macro_rules! message {
        () => {
            if json { serde_json::from_value(camel(serde_json::from_slice(&body)?))? } else { Message::decode(&*body)? }
        };
    }
    let tenant = &payload.tenant;
    match payload.line["signal"].as_str() {
        Some("logs") => same_rows("logs", otlp::logs(&message!()), grid.sql(tenant, otlp::LOGS_QUERY).await?)?,
        Some("traces") => same_rows("spans", otlp::spans(&message!()), grid.sql(tenant, otlp::SPANS_QUERY).await?)?,
        Some("metrics") => {
            let (samples, exemplars) = otlp::metrics(&message!());
            let found = grid.sql(tenant, otlp::SAMPLES_QUERY).await?.into_iter().map(otlp::compact).collect();
            same_rows("samples", samples, found)?;
            same_rows("exemplars", exemplars, grid.sql(tenant, otlp::EXEMPLARS_QUERY).await?)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Field names in the one spelling that the expectation's parser knows; protobuf's JSON also allows those of the .proto file.
fn camel(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(k, v)| (camel_name(&k), camel(v))).collect()),
        Value::Array(items) => items.into_iter().map(camel).collect(),
        leaf => leaf,
    }
}

fn camel_name(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
}

fn plain_body(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.extension().is_some_and(|e| e == "gz") {
        let output = std::process::Command::new("gzip").arg("-dc").arg(path).output().context("run gzip")?;
        ensure!(output.status.success(), "gzip ended with {}", output.status);
        return Ok(output.stdout);
    }
    Ok(std::fs::read(path)?)
}
