//! The listeners with a real guard and a real store behind them.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use grid_guard::{AuthMode, BodyLimits, Guard, GuardConfig, NewToken, Quota, Scope, Scopes, Tenants};
use grid_model::{Labels, Table, TenantId, Timestamp};
use grid_store::{Store, StoreOptions};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use serde_json::{Value, json};
use tonic::codec::CompressionEncoding;
use tower::ServiceExt as _;

use crate::reply::RpcStatus;
use crate::{Ingest, IngestOptions, Signal, decode, grpc_router, http_router};

/// 2026-11-23T00:00:00Z.
const NOW: Timestamp = Timestamp(1_795_392_000_000_000_000);

struct Bench {
    store: Store,
    ingest: Ingest,
    http: Router,
    dir: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

impl Bench {
    async fn new() -> Self {
        Self::with(GuardConfig::default(), |_| {}).await
    }

    async fn with(config: GuardConfig, options: impl FnOnce(&mut StoreOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut store_options = StoreOptions::local(dir.path(), Arc::new(|| NOW));
        options(&mut store_options);
        let store = Store::open(store_options).await.unwrap();
        let guard = Guard::in_memory(config);
        // Recorded payloads lie up to years ahead of the tests' clock.
        let limits = decode::Limits { future_ns_max: i64::MAX / 4, ..decode::Limits::default() };
        let options = IngestOptions { limits, ..IngestOptions::default() };
        let ingest = Ingest::new(store.clone(), guard.clone(), options, Arc::new(|| NOW));
        let http = guard.layer(http_router(ingest.clone()), Scope::Ingest);
        Self { store, ingest, http, dir }
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method("POST").uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.http.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    fn rows(&self, tenant: &str, table: Table) -> usize {
        let snapshot = self.store.snapshot(&TenantId::parse(tenant).unwrap());
        snapshot.buffered(table).iter().map(|b| b.num_rows()).sum()
    }
}

fn shared_data(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("GRID_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("SKIPPED: no shared test data {path} (set GRID_SHARED_DATA)");
    None
}

fn log_request(bodies: &[&str]) -> Value {
    let record = |body: &&str| json!({"timeUnixNano": "1", "body": {"stringValue": body}});
    let records: Vec<Value> = bodies.iter().map(record).collect();
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]});
    json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]})
}

fn span(trace_id: &str) -> Value {
    json!({"traceId": trace_id, "spanId": "eee19b7ec3c1b174", "name": "n", "kind": "SPAN_KIND_SERVER"})
}

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

#[tokio::test]
async fn otlp_http_answers_in_kind() {
    let b = Bench::new().await;
    let a = b.post("/v1/logs", &[JSON, ("x-scope-orgid", "team-a")], log_request(&["one", "two"]).to_string()).await;
    assert_eq!((a.status, a.text().as_str(), a.header("content-type")), (StatusCode::OK, "{}", "application/json"));
    assert_eq!((b.rows("team-a", Table::Logs), b.rows("default", Table::Logs)), (2, 0));

    let spans = json!({"resourceSpans": [{"scopeSpans": [{"spans": [
        span("5b8efff798038103d269b633813fc60c"), span("00"), span("00000000000000000000000000000000")]}]}]});
    let a = b.post("/v1/traces", &[JSON], spans.to_string()).await;
    assert_eq!(a.status, StatusCode::OK);
    assert_eq!(
        a.json(),
        json!({"partialSuccess": {"rejectedSpans": "2",
            "errorMessage": "2 rejected: trace id has 1 bytes, not 16; trace id is all zero"}})
    );
    assert_eq!(b.rows("default", Table::Spans), 1);

    let a = b.post("/v1/logs", &[PROTOBUF], Body::empty()).await;
    assert_eq!((a.status, a.header("content-type")), (StatusCode::OK, "application/x-protobuf"));
    assert_eq!(ExportLogsServiceResponse::decode(a.body.as_slice()).unwrap(), ExportLogsServiceResponse::default());
    assert_eq!(b.post("/v1/metrics", &[JSON], "{}").await.status, StatusCode::OK);

    let a = b.post("/v1/logs", &[PROTOBUF], "what").await;
    assert_eq!(a.status, StatusCode::BAD_REQUEST);
    let status = RpcStatus::decode(a.body.as_slice()).unwrap();
    assert!(status.code == 3 && status.message.contains("GRID-0201"), "{status:?}");
    let a = b.post("/v1/logs", &[JSON], "{\"resourceLogs\": 7}").await;
    assert_eq!((a.status, a.json()["code"].as_i64()), (StatusCode::BAD_REQUEST, Some(3)));
    assert!(a.text().contains("resourceLogs: expected an array, found the number 7"), "{}", a.text());
    assert_eq!(
        b.post("/v1/logs", &[("content-type", "text/plain")], "x").await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    assert_eq!(
        b.post("/v1/logs", &[JSON, ("content-encoding", "br")], "x").await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );

    let mut text = String::new();
    b.ingest.metrics().render_prometheus(&mut text);
    for line in [
        "grid_ingest_accepted_items_total{protocol=\"otlp_http\",kind=\"log\"} 2",
        "grid_ingest_rejected_items_total{protocol=\"otlp_http\",reason=\"id\"} 2",
        "grid_ingest_refused_requests_total{protocol=\"otlp_http\",status=\"400\"} 2",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn bombs_overload_and_quotas_have_their_own_answers() {
    let body = BodyLimits { received_max: 10_000, inflated_max: 20_000, ..BodyLimits::default() };
    let b = Bench::with(GuardConfig { body, ..GuardConfig::default() }, |_| {}).await;
    let mut bomb = Vec::new();
    let zeros = vec![0_u8; 1_000_000];
    std::io::Read::read_to_end(
        &mut flate2::read::GzEncoder::new(zeros.as_slice(), flate2::Compression::best()),
        &mut bomb,
    )
    .unwrap();
    assert!(bomb.len() < 10_000);
    let a = b.post("/v1/logs", &[PROTOBUF, ("content-encoding", "gzip")], bomb).await;
    assert_eq!(a.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(RpcStatus::decode(a.body.as_slice()).unwrap().message.contains("GRID-0121"));

    let full = Bench::with(GuardConfig::default(), |o| o.limits.buffer_bytes_max = 0).await;
    for _ in 0..2 {
        let a = full.post("/v1/logs", &[JSON], log_request(&["x"]).to_string()).await;
        // The first request finds an empty buffer.
        if a.status != StatusCode::OK {
            assert_eq!((a.status, a.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
        }
    }
    let quota = Quota { rows_per_s: Some(0.1), bytes_per_s: None, burst_s: 10.0 };
    let b = Bench::with(GuardConfig { quota, ..GuardConfig::default() }, |_| {}).await;
    assert_eq!(b.post("/v1/logs", &[JSON], log_request(&["x", "y"]).to_string()).await.status, StatusCode::OK);
    let a = b.post("/v1/logs", &[JSON], log_request(&["x"]).to_string()).await;
    assert_eq!(a.status, StatusCode::TOO_MANY_REQUESTS);
    assert_ne!(a.header("retry-after"), "");

    let b = Bench::with(GuardConfig::default(), |o| o.limits.series_per_tenant_max = 1).await;
    let series = |names: &[&str]| {
        let of = |n: &&str| (Labels::of(&[("__name__", n)]), vec![(1, 1.0)]);
        snappy(&decode::remote_write::encode_v1(&names.iter().map(of).collect::<Vec<_>>()))
    };
    let a = b.post("/api/v1/write", &[PROTOBUF], series(&["a", "b"])).await;
    assert_eq!((a.status, a.header("x-prometheus-remote-write-samples-written")), (StatusCode::BAD_REQUEST, "1"));
    let a = b.post("/api/v1/write", &[PROTOBUF], series(&["c"])).await;
    assert_eq!(a.status, StatusCode::TOO_MANY_REQUESTS, "{}", a.text());
    assert_ne!(a.header("retry-after"), "");
}

fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

#[tokio::test]
async fn remote_write_says_how_much_was_written() {
    let b = Bench::new().await;
    let series = |name: &str, ms| (Labels::of(&[("__name__", name)]), vec![(ms, 1.0), (ms + 1, 2.0)]);
    let good = snappy(&decode::remote_write::encode_v1(&[series("a", 1), series("b", 1)]));
    for headers in [&[PROTOBUF, ("content-encoding", "snappy")][..], &[PROTOBUF], &[PROTOBUF, ("x-scope-orgid", "t")]] {
        let a = b.post("/api/v1/write", headers, good.clone()).await;
        assert_eq!((a.status, a.header("x-prometheus-remote-write-samples-written")), (StatusCode::NO_CONTENT, "4"));
    }
    assert_eq!(b.rows("t", Table::Samples), 4);
    let part = snappy(&decode::remote_write::encode_v1(&[series("a", 5), series("", 5)]));
    let a = b.post("/prometheus/api/v1/write", &[PROTOBUF, ("x-scope-orgid", "p")], part).await;
    assert_eq!(
        (a.status, a.header("x-prometheus-remote-write-samples-written")),
        (StatusCode::BAD_REQUEST, "2"),
        "{}",
        a.text()
    );
    assert_eq!(b.rows("p", Table::Samples), 2);
    let v2 = ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request");
    let a = b.post("/api/v1/write", &[v2], snappy(&[])).await;
    assert_eq!((a.status, a.header("x-prometheus-remote-write-samples-written")), (StatusCode::NO_CONTENT, "0"));
    for unsupported in ["application/json", "application/x-protobuf;proto=what"] {
        let a = b.post("/api/v1/write", &[("content-type", unsupported)], good.clone()).await;
        assert_eq!(a.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{unsupported}");
    }
    assert_eq!(b.post("/api/v1/write", &[PROTOBUF], "not snappy").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn loki_push_is_answered_as_loki_does() {
    let b = Bench::new().await;
    let push = |time: &str| {
        json!({"streams": [{"stream": {"app": "x"}, "values": [[time, "line", {"trace_id": "1"}]]}]}).to_string()
    };
    let a = b.post("/loki/api/v1/push", &[JSON], push("1795392000000000000")).await;
    assert_eq!((a.status, a.text().as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(b.rows("default", Table::Logs), 1);
    let a = b.post("/loki/api/v1/push", &[JSON], "{").await;
    assert_eq!(a.status, StatusCode::BAD_REQUEST);
    assert!(a.header("content-type").starts_with("text/plain"));
    let Some(path) = shared_data("loki/push_dataset.json.gz") else { return };
    let headers = [JSON, ("content-encoding", "gzip"), ("x-scope-orgid", "recorded")];
    let a = b.post("/loki/api/v1/push", &headers, std::fs::read(path).unwrap()).await;
    assert_eq!(a.status, StatusCode::NO_CONTENT, "{}", a.text());
    assert_eq!(b.rows("recorded", Table::Logs), 5110);
}

/// Every recorded request is accepted as its client sent it, and counts as recorded.
#[tokio::test]
async fn recorded_requests_are_accepted() {
    let Some(manifest) = shared_data("manifest_payloads.jsonl") else { return };
    let root = manifest.parent().unwrap().to_owned();
    let b = Bench::new().await;
    let mut seen = 0;
    for (n, line) in std::fs::read_to_string(manifest).unwrap().lines().enumerate() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let file = entry["file"].as_str().unwrap();
        let Some(path) = entry["request"]["original_path"].as_str() else { continue };
        let path = match path.rsplit_once("/v1/") {
            Some((_, signal @ ("logs" | "metrics" | "traces"))) => format!("/v1/{signal}"),
            _ if file.starts_with("remote_write/") => "/api/v1/write".to_owned(),
            _ => continue,
        };
        seen += 1;
        let tenant = format!("t{n}");
        let sent = |name: &str| {
            let headers = entry["request"]["headers"].as_object().unwrap();
            headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map_or("", |(_, v)| v.as_str().unwrap())
        };
        let mut headers = vec![("x-scope-orgid", tenant.as_str()), ("content-type", sent("content-type"))];
        // One payload was unpacked when it was recorded.
        let unpacked = sent("content-encoding") == "gzip" && !file.ends_with(".gz");
        if !sent("content-encoding").is_empty() && !unpacked {
            headers.push(("content-encoding", sent("content-encoding")));
        }
        let a = b.post(&path, &headers, std::fs::read(root.join(file)).unwrap()).await;
        assert!(a.status.is_success() && (a.body.is_empty() || a.text() == "{}"), "{file}: {} {}", a.status, a.text());
        let n = |key: &str| entry[key].as_u64().unwrap_or(0) as usize;
        assert_eq!(b.rows(&tenant, Table::Samples), n("samples") + n("histograms") + n("datapoints"), "{file}");
        assert_eq!(b.rows(&tenant, Table::Logs), n("records"), "{file}");
        assert_eq!(b.rows(&tenant, Table::Spans), n("spans"), "{file}");
        if file.starts_with("remote_write/") {
            assert_eq!(b.rows(&tenant, Table::Exemplars), n("exemplars"), "{file}");
        }
    }
    assert!(seen > 0);
}

#[tokio::test]
async fn grpc_serves_the_official_clients() {
    let config = GuardConfig { auth: AuthMode::Tokens, ..GuardConfig::default() };
    let b = Bench::with(config, |_| {}).await;
    let token = |scopes: &str| NewToken {
        name: scopes.to_owned(),
        tenants: Tenants::parse(["team-a"].into_iter()).unwrap(),
        scopes: Scopes::parse(scopes).unwrap(),
        expires: None,
    };
    let writer = b.ingest.guard().issue(token("ingest")).await.unwrap().secret;
    let reader = b.ingest.guard().issue(token("query")).await.unwrap().secret;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = grpc_router(b.ingest.clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let with_token = |secret: &str| {
        let value: tonic::metadata::MetadataValue<_> = format!("Bearer {secret}").parse().unwrap();
        move |mut request: tonic::Request<()>| {
            request.metadata_mut().insert("authorization", value.clone());
            Ok(request)
        }
    };
    let channel = tonic::transport::Endpoint::new(address).unwrap().connect().await.unwrap();

    let logs: ExportLogsServiceRequest = serde_json::from_value(json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        {"timeUnixNano": "1", "observedTimeUnixNano": "1", "severityNumber": 9, "severityText": "", "body": {"stringValue": "x"},
         "attributes": [], "droppedAttributesCount": 0, "flags": 0, "traceId": "", "spanId": "", "eventName": ""}]}]}]}))
    .unwrap();
    for encoding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let mut client = LogsServiceClient::with_interceptor(channel.clone(), with_token(&writer));
        if let Some(encoding) = encoding {
            client = client.send_compressed(encoding);
        }
        let response = client.export(logs.clone()).await.unwrap().into_inner();
        assert_eq!(response.partial_success, None);
    }
    assert_eq!(b.rows("team-a", Table::Logs), 3);
    let mut client = MetricsServiceClient::with_interceptor(channel.clone(), with_token(&writer));
    client.export(ExportMetricsServiceRequest::default()).await.unwrap();

    let spans = decode_traces(&json!({"resourceSpans": [{"scopeSpans": [{"spans": [span("00")]}]}]}));
    let mut client = TraceServiceClient::with_interceptor(channel.clone(), with_token(&writer));
    let partial = client.export(spans).await.unwrap().into_inner().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(partial.error_message.contains("trace id"), "{}", partial.error_message);

    let mut client = LogsServiceClient::with_interceptor(channel.clone(), with_token(&reader));
    assert_eq!(client.export(logs.clone()).await.unwrap_err().code(), tonic::Code::PermissionDenied);
    let mut client = LogsServiceClient::new(channel.clone());
    assert_eq!(client.export(logs).await.unwrap_err().code(), tonic::Code::Unauthenticated);
    server.abort();
}

/// Only what the test needs: an id of any length.
fn decode_traces(request: &Value) -> ExportTraceServiceRequest {
    let mut out = ExportTraceServiceRequest::default();
    for r in request["resourceSpans"].as_array().unwrap() {
        let spans = r["scopeSpans"][0]["spans"].as_array().unwrap().iter().map(|s| {
            opentelemetry_proto::tonic::trace::v1::Span {
                trace_id: vec![0; s["traceId"].as_str().unwrap().len() / 2],
                span_id: vec![1; 8],
                ..Default::default()
            }
        });
        out.resource_spans.push(opentelemetry_proto::tonic::trace::v1::ResourceSpans {
            scope_spans: vec![opentelemetry_proto::tonic::trace::v1::ScopeSpans {
                spans: spans.collect(),
                ..Default::default()
            }],
            ..Default::default()
        });
    }
    out
}

#[tokio::test]
async fn files_are_imported_chunk_by_chunk() {
    let b = Bench::new().await;
    let tenant = TenantId::default_tenant();
    let path = |name: &str, bytes: &[u8]| {
        let path = b.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let importer = b.ingest.importer();

    let lines: String = (0..20_000).map(|i| format!("{}\n", log_request(&[&format!("line {i}"), "again"]))).collect();
    let mut packed = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzEncoder::new(lines.as_bytes(), flate2::Compression::fast()),
        &mut packed,
    )
    .unwrap();
    let mut last = crate::Progress::default();
    let signal = || Signal::Logs { service: String::new(), labels: Labels::default() };
    let report = importer.import(&tenant, &path("logs.json.gz", &packed), signal(), |p| last = p).await.unwrap();
    assert_eq!((report.format, report.counts.logs, report.rejects.count), ("OTLP JSON", 40_000, 0));
    assert_eq!((last.items, last.bytes_read, last.bytes_total), (40_000, packed.len() as u64, packed.len() as u64));

    let pretty = serde_json::to_string_pretty(&json!({"resourceSpans": [{"scopeSpans": [{"spans": [
        span("5b8efff798038103d269b633813fc60c"), span("00")]}]}]}))
    .unwrap();
    let text = format!("{pretty}\ngarbage\n");
    let report = importer.import(&tenant, &path("spans.json", text.as_bytes()), Signal::Traces, |_| {}).await.unwrap();
    assert_eq!((report.counts.spans, report.rejects.count), (1, 2));
    let reasons: Vec<&str> = report.rejects.first.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(reasons, ["item 2: trace id has 1 bytes, not 16", "line does not begin with a JSON object"]);

    let text = "# TYPE a gauge\na{x=\"1\"} 1 1000\na{x=\"2\"} 2 1000\n# EOF\n";
    let report = importer.import(&tenant, &path("m.om", text.as_bytes()), Signal::Metrics, |_| {}).await.unwrap();
    assert_eq!((report.format, report.counts.samples), ("OpenMetrics text", 2));
    let report = importer.import(&tenant, &path("app.log", b"one\ntwo\n"), signal(), |_| {}).await.unwrap();
    assert_eq!((report.format, report.counts.logs), ("log lines", 2));
    let error = importer.import(&tenant, &path("bad.json", b"nothing here"), Signal::Traces, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("not a valid OTLP JSON payload"), "{error}");
    assert_eq!(b.rows("default", Table::Spans), 1);
}
