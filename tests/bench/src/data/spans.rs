//! Traces of a dozen services calling each other, as OpenTelemetry's exporters send them.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::lines::service;
use crate::load::{LANES, Load};

/// Headers of a protobuf body.
pub(crate) const HEADERS: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];
/// Services that take part.
pub(crate) const SERVICES: usize = 12;
/// Spans of one trace.
pub(crate) const SPANS_PER_TRACE: usize = 8;
const TRACES_PER_REQUEST: usize = 64;

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn number(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// The id of a trace by number.
pub(crate) fn trace_id(number: u64, seed: u64) -> [u8; 16] {
    let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9).wrapping_add(number));
    rng.random()
}

/// `spans` spans (whole traces) that begin between two times in milliseconds.
pub(crate) fn load(spans: usize, start_ms: i64, end_ms: i64, seed: u64) -> anyhow::Result<Load> {
    let mut rng = StdRng::seed_from_u64(seed);
    let requests = spans.div_ceil(SPANS_PER_TRACE * TRACES_PER_REQUEST);
    let step_ns = (end_ms - start_ms) * 1_000_000 / (requests * TRACES_PER_REQUEST) as i64;
    let mut load = Load::new();
    for request in 0..requests {
        let mut by_service: Vec<Vec<Span>> = vec![Vec::new(); SERVICES];
        for trace in 0..TRACES_PER_REQUEST {
            let n = request * TRACES_PER_REQUEST + trace;
            let start = start_ms * 1_000_000 + n as i64 * step_ns + rng.random_range(0..step_ns.max(1));
            push_trace(&mut rng, &trace_id(n as u64, seed), start, &mut by_service);
        }
        let resource_spans = by_service.into_iter().enumerate().filter(|(_, s)| !s.is_empty()).map(|(i, spans)| {
            load.items += spans.len() as u64;
            let attributes = vec![
                text("service.name", service(i)),
                text("service.version", "1.14.2"),
                text("k8s.pod.name", format!("{}-7d9f8b6c5d-x{:03}", service(i), i)),
                text("telemetry.sdk.language", "rust"),
            ];
            let scope =
                InstrumentationScope { name: "http-server".into(), version: "0.9.1".into(), ..Default::default() };
            ResourceSpans {
                resource: Some(Resource { attributes, ..Resource::default() }),
                scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }],
                ..ResourceSpans::default()
            }
        });
        let body = ExportTraceServiceRequest { resource_spans: resource_spans.collect() };
        load.lanes[request % LANES].push(Bytes::from(body.encode_to_vec()));
    }
    Ok(load)
}

/// A request at the front, calls between services below it, and a statement at the bottom of each chain.
fn push_trace(rng: &mut StdRng, trace: &[u8; 16], start_ns: i64, by_service: &mut [Vec<Span>]) {
    let mut parents: Vec<(Vec<u8>, i64, i64)> = Vec::new();
    for i in 0..SPANS_PER_TRACE {
        let (parent, start, budget) = match parents.len() {
            0 => (Vec::new(), start_ns, (rng.random_range(0.0..1.0_f64).powi(3) * 2e9) as i64 + 2_000_000),
            n => {
                let (id, start, duration) = parents[rng.random_range(0..n)].clone();
                let after = rng.random_range(0..duration / 2 + 1);
                (id, start + after, (duration - after) * 9 / 10)
            }
        };
        let duration = if i == 0 { budget } else { rng.random_range(budget / 4..=budget.max(1)) };
        let id: [u8; 8] = rng.random();
        let service = rng.random_range(0..SERVICES);
        let operation = rng.random_range(0..6);
        let failed = rng.random::<f64>() < 0.01 + 0.005 * operation as f64;
        let (name, kind, attributes) = if i % 4 == 3 {
            let table = ["orders", "users", "items", "stock", "prices", "carts"][operation];
            let attributes = vec![
                text("db.system", "postgresql"),
                text("db.statement", format!("SELECT * FROM {table} WHERE id = $1")),
                number("db.rows", rng.random_range(0..50)),
            ];
            (format!("SELECT {table}"), 3, attributes)
        } else {
            let route = ["/orders", "/orders/{id}", "/users/{id}", "/search", "/cart", "/quote"][operation];
            let attributes = vec![
                text("http.request.method", if operation % 2 == 0 { "GET" } else { "POST" }),
                text("http.route", route),
                text("url.path", route.replace("{id}", &rng.random_range(1..90_000).to_string())),
                number("http.response.status_code", if failed { 500 } else { 200 }),
                text("client.address", format!("10.{}.{}.7", rng.random_range(0..40), rng.random_range(0..250))),
            ];
            (format!("GET {route}"), 2, attributes)
        };
        let status = failed.then(|| Status { message: "upstream failed".into(), code: 2 });
        by_service[service].push(Span {
            trace_id: trace.to_vec(),
            span_id: id.to_vec(),
            parent_span_id: parent,
            name,
            kind,
            start_time_unix_nano: start.unsigned_abs(),
            end_time_unix_nano: (start + duration).unsigned_abs(),
            attributes,
            status,
            ..Span::default()
        });
        parents.push((id.to_vec(), start, duration));
    }
}
