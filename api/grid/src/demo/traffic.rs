//! Visits as traces: one visit is one trace of client, server, database, cache and queue spans, and the log lines that
//! services write meanwhile.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;

use super::company::Service;
use super::logs::{Access, Logs, Speaker, record};
use super::observed::Observed;
use super::otlp::{kv, pod_resource, scope};
use super::rng::Rng;
use super::routes::{Call, PAGES, Work};
use super::world::World;

const MILLISECOND: f64 = 1e6;
/// Traces per minute that sampling keeps when the shop is busiest.
const TRACES_PER_MINUTE: f64 = 0.75;
/// How many times more traces are kept at the outage's height: sampling prefers what fails.
const OUTAGE_TRACES: f64 = 5.0;

/// Status of a request that got no database connection.
const STARVED: i64 = 503;
/// Status of a request that failed because a service behind it did.
const BAD_GATEWAY: i64 = 502;

/// A request that a service answered within a trace.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) service: Service,
    pub(crate) step: usize,
    pub(crate) time_ns: u64,
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) duration_ns: u64,
    pub(crate) status: i64,
}

/// Traces, and what was logged while they ran.
#[derive(Default)]
pub(crate) struct Traffic {
    /// Spans by pod.
    spans: BTreeMap<usize, Vec<Span>>,
    /// Requests in order of their minute.
    pub(crate) served: Vec<Served>,
}

impl Traffic {
    /// The visits of a slice; their log lines go to `logs`.
    pub(crate) fn of(world: &World, seen: &Observed, logs: &mut Logs) -> Self {
        let mut traffic = Self::default();
        for step in seen.steps.clone() {
            let mut rng = Rng::new(world.seed, "traffic", step as u64);
            let boost = 1.0 + OUTAGE_TRACES * world.events.outage.intensity(step);
            for _ in 0..rng.count(TRACES_PER_MINUTE * world.level(step) * boost) {
                Visit::new(world, seen, step, &mut rng, &mut traffic, logs).run();
            }
        }
        traffic
    }

    /// The traces as one export request; `None` if there was no visit.
    pub(crate) fn encode(self, world: &World) -> Option<Vec<u8>> {
        let resource_spans: Vec<_> = self
            .spans
            .into_iter()
            .map(|(pod, spans)| ResourceSpans {
                resource: Some(pod_resource(world, &world.company.pods[pod])),
                scope_spans: vec![ScopeSpans { scope: Some(scope("shop.telemetry")), spans, ..ScopeSpans::default() }],
                ..ResourceSpans::default()
            })
            .collect();
        (!resource_spans.is_empty()).then(|| ExportTraceServiceRequest { resource_spans }.encode_to_vec())
    }
}

/// One visit while it is drawn.
struct Visit<'a> {
    world: &'a World,
    seen: &'a Observed,
    step: usize,
    rng: &'a mut Rng,
    traffic: &'a mut Traffic,
    logs: &'a mut Logs,
    trace_id: [u8; 16],
    /// Nanoseconds since the epoch: where the visit stands.
    now: u64,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    status: i64,
    /// Who answered.
    pod: usize,
}

impl<'a> Visit<'a> {
    fn new(
        world: &'a World,
        seen: &'a Observed,
        step: usize,
        rng: &'a mut Rng,
        traffic: &'a mut Traffic,
        logs: &'a mut Logs,
    ) -> Self {
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&rng.next().to_be_bytes());
        trace_id[8..].copy_from_slice(&rng.next().to_be_bytes());
        let now = world.timeline.time(step).nanos() as u64 - rng.below(60_000_000_000);
        Self { world, seen, step, rng, traffic, logs, trace_id, now }
    }

    fn run(mut self) {
        let (call, paths) = self.page();
        let path = *self.rng.pick(paths);
        let start = self.now;
        if let Some(answer) = self.serve(call, path, &[]) {
            let mut line = Access::new(self.rng, start, self.now, call.method, path, answer.status);
            line.trace_id = Some(self.trace_id);
            self.logs.access(answer.pod, line);
        }
    }

    /// The page that is visited: by their shares, but what fails is kept more often.
    fn page(&mut self) -> (&'static Call, &'static [&'static str]) {
        let failing = 0.6 * self.world.events.outage.intensity(self.step);
        let mut share = if self.rng.chance(failing) { 99 } else { self.rng.below(100) };
        let page = PAGES.iter().find(|page| {
            let hit = share < page.0;
            share = share.saturating_sub(page.0);
            hit
        });
        let (_, call, paths) = page.expect("shares of pages add up to 100");
        (call, paths)
    }

    fn wait(&mut self, ms: f64) {
        self.now += (ms * MILLISECOND) as u64;
    }

    fn pod(&mut self, service: Service) -> Option<usize> {
        let pods: Vec<usize> = self.world.company.running(service, self.step).collect();
        (!pods.is_empty()).then(|| *self.rng.pick(&pods))
    }

    fn span_id(&mut self) -> [u8; 8] {
        // Zero is not an id.
        (self.rng.next() | 1).to_be_bytes()
    }

    fn span(
        &self,
        id: [u8; 8],
        parent: &[u8],
        kind: SpanKind,
        name: String,
        start: u64,
        attributes: Vec<KeyValue>,
    ) -> Span {
        Span {
            trace_id: self.trace_id.to_vec(),
            span_id: id.to_vec(),
            parent_span_id: parent.to_vec(),
            // Sampled, and the parent's remoteness is known (OTLP's SpanFlags).
            flags: 0x101,
            name,
            kind: kind as i32,
            start_time_unix_nano: start,
            end_time_unix_nano: self.now,
            attributes,
            ..Span::default()
        }
    }

    fn keep(&mut self, pod: usize, span: Span) {
        self.traffic.spans.entry(pod).or_default().push(span);
    }

    /// Draws the server's side of a call; `None` if no pod of the service runs.
    fn serve(&mut self, call: &Call, path: &str, parent: &[u8]) -> Option<Answer> {
        let profile = call.service.profile();
        let pod = self.pod(call.service)?;
        let id = self.span_id();
        let start = self.now;
        let m = self.seen.minute(call.service, self.step);
        // Two thirds of a leaf's time are its own; a service that mostly waits for others does little itself.
        let own_share = if call.work.iter().any(|w| matches!(w, Work::Call(_))) { 0.12 } else { 0.3 };
        let own_ms = self.rng.latency(m.median_ms * own_share);
        self.wait(own_ms);
        let fails_alone = self.rng.chance(profile.error_ratio);
        let mut status = if fails_alone { 500 } else { 200 };
        let mut events = Vec::new();
        for work in call.work {
            if status >= 500 {
                break;
            }
            status = match work {
                Work::Call(next) => self.call(pod, &id, next)?,
                Work::Query(db, operation, table, text) => {
                    self.query(pod, &id, m.median_ms, (*db, operation, table, text))
                }
                Work::Cache(operation) => self.cache(pod, &id, m.median_ms, operation),
                Work::Compute(name) => self.compute(pod, &id, m.median_ms, name),
                Work::Publish(next) => self.publish(pod, &id, next)?,
            };
        }
        self.wait(own_ms * 0.8);
        let refused = status < 400 && self.rng.chance(profile.refused_ratio);
        if refused {
            status = if call.method == "GET" { 404 } else { 422 };
        }
        if status >= 500 {
            events.push(exception(self.now, reason(status)));
        }
        let mut attributes = vec![
            kv("http.request.method", call.method),
            kv("http.route", call.route),
            kv("http.response.status_code", status),
            kv("url.path", path.split('?').next().unwrap_or(path)),
            kv("url.scheme", "http"),
            kv("server.port", 8080_i64),
            kv("network.protocol.version", "1.1"),
        ];
        match call.service {
            Service::Frontend => attributes.push(kv("session.returning", self.rng.chance(0.4))),
            Service::Checkout => {
                let items = self.rng.between(1, 4);
                let skus: Vec<String> = (0..items).map(|_| format!("NB-{}", self.rng.between(1000, 4999))).collect();
                attributes.push(kv("order.items", skus));
                attributes.push(kv("order.value", self.rng.between(80, 12_800) as f64 / 4.0));
            }
            _ => {}
        }
        if status >= 500 {
            attributes.push(kv("error.type", status.to_string()));
        }
        let mut span =
            self.span(id, parent, SpanKind::Server, format!("{} {}", call.method, call.route), start, attributes);
        span.events = events;
        span.status = status_of(status);
        self.keep(pod, span);
        self.say(pod, call, status, &id);
        self.traffic.served.push(Served {
            service: call.service,
            step: self.step,
            time_ns: self.now,
            trace_id: self.trace_id,
            span_id: id,
            duration_ns: self.now - start,
            status,
        });
        Some(Answer { status, pod })
    }

    /// Draws a call with both sides, answering the status that the caller passes on.
    fn call(&mut self, pod: usize, parent: &[u8; 8], next: &Call) -> Option<i64> {
        let id = self.span_id();
        let start = self.now;
        let network_ms = self.rng.real(0.2, 0.9);
        self.wait(network_ms);
        let answer = self.serve(next, next.route, &id)?;
        self.wait(network_ms);
        let host = format!("{}.shop.svc", next.service.name());
        let attributes = vec![
            kv("http.request.method", next.method),
            kv("http.response.status_code", answer.status),
            kv("url.full", format!("http://{host}:8080{}", next.route)),
            kv("server.address", host),
            kv("server.port", 8080_i64),
        ];
        let mut span = self.span(id, parent, SpanKind::Client, next.method.to_owned(), start, attributes);
        span.status = status_of(answer.status);
        self.keep(pod, span);
        Some(if answer.status >= 500 { BAD_GATEWAY } else { 200 })
    }

    /// A query; during the outage of its database it may wait for a connection until it gives up.
    fn query(&mut self, pod: usize, parent: &[u8; 8], median_ms: f64, query: (usize, &str, &str, &str)) -> i64 {
        let (db, operation, table, text) = query;
        let database = &self.world.company.databases[db];
        let id = self.span_id();
        let start = self.now;
        let outage = &self.world.events.outage;
        let starved =
            db == self.world.exhausted_db() && self.rng.chance(outage.intensity(self.step) * outage.error_ratio);
        let ms = if starved { self.rng.real(4800.0, 5200.0) } else { self.rng.latency(median_ms * 0.55) };
        self.wait(ms);
        let mut attributes = vec![
            kv("db.system.name", database.engine),
            kv("db.namespace", database.name.trim_end_matches("-db")),
            kv("db.operation.name", operation),
            kv("db.collection.name", table),
            kv("db.query.text", text),
            kv("server.address", format!("{}.internal", database.name)),
            kv("server.port", 5432_i64),
        ];
        if starved {
            attributes.push(kv("error.type", "PoolTimeout"));
        } else {
            attributes.push(kv("db.response.returned_rows", self.rng.between(1, 12) as i64));
        }
        let mut span = self.span(id, parent, SpanKind::Client, format!("{operation} {table}"), start, attributes);
        if starved {
            span.status = Some(Status {
                message: "timed out waiting for a connection".to_owned(),
                code: StatusCode::Error as i32,
            });
            span.events.push(Event {
                time_unix_nano: self.now,
                name: "exception".to_owned(),
                attributes: vec![
                    kv("exception.type", "PoolTimeout"),
                    kv("exception.message", format!("no connection to {} within 5000 ms", database.name)),
                ],
                ..Event::default()
            });
        }
        self.keep(pod, span);
        if starved { STARVED } else { 200 }
    }

    fn cache(&mut self, pod: usize, parent: &[u8; 8], median_ms: f64, operation: &str) -> i64 {
        let id = self.span_id();
        let start = self.now;
        let ms = self.rng.latency(median_ms * 0.15);
        self.wait(ms);
        let attributes = vec![
            kv("db.system.name", "redis"),
            kv("db.operation.name", operation),
            kv("server.address", "cart-cache.internal"),
            kv("server.port", 6379_i64),
        ];
        let span = self.span(id, parent, SpanKind::Client, operation.to_owned(), start, attributes);
        self.keep(pod, span);
        200
    }

    fn compute(&mut self, pod: usize, parent: &[u8; 8], median_ms: f64, name: &str) -> i64 {
        let id = self.span_id();
        let start = self.now;
        let ms = self.rng.latency(median_ms * 0.4);
        self.wait(ms);
        let candidates = self.rng.between(40, 900) as i64;
        let span = self.span(
            id,
            parent,
            SpanKind::Internal,
            name.to_owned(),
            start,
            vec![kv("search.candidates", candidates)],
        );
        self.keep(pod, span);
        200
    }

    /// Puts an event into the queue; its consumer works later, linked to the producer.
    fn publish(&mut self, pod: usize, parent: &[u8; 8], next: &Call) -> Option<i64> {
        let id = self.span_id();
        let start = self.now;
        let ms = self.rng.latency(6.0);
        self.wait(ms);
        let messaging = |operation: &str| {
            vec![
                kv("messaging.system", "aws_sqs"),
                kv("messaging.destination.name", "order-events"),
                kv("messaging.operation.type", operation),
            ]
        };
        let sent = self.span(id, parent, SpanKind::Producer, "send order-events".to_owned(), start, messaging("send"));
        self.keep(pod, sent);
        let back_here = self.now;
        let consumer = self.pod(next.service)?;
        let wait_ms = self.rng.latency(400.0);
        self.wait(wait_ms);
        let (consumed, start) = (self.span_id(), self.now);
        let ms = self.rng.latency(self.seen.minute(next.service, self.step).median_ms);
        self.wait(ms);
        let name = "process order-events".to_owned();
        let mut span = self.span(consumed, &id, SpanKind::Consumer, name, start, messaging("process"));
        span.links.push(Link {
            trace_id: self.trace_id.to_vec(),
            span_id: id.to_vec(),
            flags: 0x101,
            ..Link::default()
        });
        self.keep(consumer, span);
        self.say(consumer, next, 200, &consumed);
        self.now = back_here;
        Some(200)
    }

    /// What a service writes about a request: a line when all went well, an error with its exception when not.
    fn say(&mut self, pod: usize, call: &Call, status: i64, span_id: &[u8; 8]) {
        let id = self.rng.between(100_000, 999_999);
        let failed =
            |why: &str| (SeverityNumber::Error, format!("request {} {} failed: {why}", call.method, call.route));
        let (severity, body) = match status {
            STARVED => failed("no database connection within 5000 ms"),
            BAD_GATEWAY => failed("upstream answered 503"),
            500.. => failed(&format!("internal error, request {id}")),
            400.. => (SeverityNumber::Warn, format!("refused {} {}: not valid, request {id}", call.method, call.route)),
            _ if call.says.is_empty() => return,
            _ => (SeverityNumber::Info, call.says.replace("{}", &id.to_string())),
        };
        let mut attributes = vec![kv("http.route", call.route), kv("http.response.status_code", status)];
        if status >= 500 {
            attributes.push(kv("exception.type", reason(status).0));
        }
        let mut line: LogRecord = record(self.now, severity, body, attributes);
        line.trace_id = self.trace_id.to_vec();
        line.span_id = span_id.to_vec();
        line.flags = 1;
        self.logs.add(Speaker::Pod(pod), line);
    }
}

fn status_of(status: i64) -> Option<Status> {
    (status >= 500).then(|| Status { message: String::new(), code: StatusCode::Error as i32 })
}

/// Type and message of the exception behind a status.
fn reason(status: i64) -> (&'static str, &'static str) {
    match status {
        STARVED => ("PoolTimeout", "timed out waiting for a connection"),
        BAD_GATEWAY => ("UpstreamError", "upstream answered 503"),
        _ => ("RuntimeError", "internal error"),
    }
}

fn exception(time_unix_nano: u64, (kind, message): (&str, &str)) -> Event {
    let attributes = vec![kv("exception.type", kind), kv("exception.message", message), kv("exception.escaped", false)];
    Event { time_unix_nano, name: "exception".to_owned(), attributes, ..Event::default() }
}
