//! Log lines: what the services and the platform write (OTLP), and the access log of the web servers (Loki push).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use grid_model::attr::write_json_string;
use grid_model::time::civil_from_days;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use prost::Message as _;

use super::company::{Pool, Service};
use super::observed::Observed;
use super::otlp::{IntoAny, kv, platform_resource, pod_resource, scope};
use super::rng::Rng;
use super::world::World;

const MINUTE: u64 = 60_000_000_000;
/// Lines per minute that belong to no trace.
const IDLE_CHATTER: f64 = 1.35;
/// Access-log lines per minute without a trace, when the shop is busiest.
const ACCESS_LINES: f64 = 2.4;
/// Error lines per minute at the outage's height.
const OUTAGE_LINES: f64 = 34.0;
/// Refused logins per minute at the bastion: of people who mistype, and of somebody who tries.
const MISTYPED: f64 = 0.008;
const TRIED: f64 = 9.0;

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Speaker {
    /// A pod, by index.
    Pod(usize),
    /// A part of the platform.
    Platform(&'static str),
}

/// One line of the access log.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    time_ns: u64,
    line: String,
    /// The trace of the visit, if it was sampled.
    pub(crate) trace_id: Option<[u8; 16]>,
}

/// The lines of a slice.
#[derive(Default)]
pub(crate) struct Logs {
    records: BTreeMap<Speaker, Vec<LogRecord>>,
    access: BTreeMap<usize, Vec<Access>>,
}

/// A record without trace.
pub(crate) fn record(
    time_ns: u64,
    severity: SeverityNumber,
    body: impl IntoAny,
    attributes: Vec<KeyValue>,
) -> LogRecord {
    let severity_text = match severity {
        SeverityNumber::Debug => "DEBUG",
        SeverityNumber::Warn => "WARN",
        SeverityNumber::Error => "ERROR",
        SeverityNumber::Fatal => "FATAL",
        _ => "INFO",
    };
    LogRecord {
        time_unix_nano: time_ns,
        observed_time_unix_nano: time_ns + 180_000_000,
        severity_number: severity as i32,
        severity_text: severity_text.to_owned(),
        body: Some(body.any()),
        attributes,
        ..LogRecord::default()
    }
}

impl Logs {
    pub(crate) fn add(&mut self, speaker: Speaker, record: LogRecord) {
        self.records.entry(speaker).or_default().push(record);
    }

    pub(crate) fn access(&mut self, pod: usize, line: Access) {
        self.access.entry(pod).or_default().push(line);
    }

    /// Adds what is written without any sampled visit: chatter, further visits, bursts and events.
    pub(crate) fn fill(&mut self, world: &World, seen: &Observed) {
        for step in seen.steps.clone() {
            let mut rng = Rng::new(world.seed, "lines", step as u64);
            // A step's minute is the one that ends at the step's time.
            let start = world.timeline.time(step).nanos() as u64 - MINUTE;
            for _ in 0..rng.count(IDLE_CHATTER) {
                let (speaker, line) = chatter(world, step, start, &mut rng);
                self.add(speaker, line);
            }
            self.visits(world, seen, step, start, &mut rng);
            self.outage(world, step, start, &mut rng);
            self.leak(world, step, start, &mut rng);
            self.deployments(world, step, start, &mut rng);
            self.logins(world, step, start);
        }
    }

    fn visits(&mut self, world: &World, seen: &Observed, step: usize, start: u64, rng: &mut Rng) {
        const PATHS: [&str; 9] = [
            "/",
            "/products/NB-1042",
            "/products/NB-2210",
            "/search?q=gravel",
            "/static/app.3f9c.js",
            "/cart",
            "/products/NB-9999",
            "/favicon.ico",
            "/search?q=e-bike",
        ];
        let m = seen.minute(Service::Frontend, step);
        let pods: Vec<usize> = world.company.running(Service::Frontend, step).collect();
        let boost = 1.0 + 2.0 * world.events.outage.intensity(step);
        for _ in 0..rng.count(ACCESS_LINES * world.level(step) * boost) {
            let at = start + rng.below(MINUTE);
            let status = match rng.unit() {
                u if u < m.error_ratio() => 502,
                u if u < m.error_ratio() + 0.025 => 404,
                u if u < 0.12 => 304,
                _ => 200,
            };
            let end = at + (rng.latency(m.median_ms) * 1e6) as u64;
            let path = *rng.pick(&PATHS);
            let line = Access::new(rng, at, end, "GET", path, status);
            if !pods.is_empty() {
                self.access(*rng.pick(&pods), line);
            }
        }
    }

    fn outage(&mut self, world: &World, step: usize, start: u64, rng: &mut Rng) {
        let outage = &world.events.outage;
        let db = &world.company.databases[world.exhausted_db()];
        let intensity = outage.intensity(step);
        for _ in 0..rng.count(OUTAGE_LINES * intensity) {
            let at = start + rng.below(MINUTE);
            let waiting = rng.between(20, 160);
            let near = rng.chance(0.7);
            let service = if near { outage.service } else { Service::Checkout };
            let Some(pod) = world.company.running(service, step).nth(rng.below(2) as usize) else { continue };
            let line = if near {
                let body = format!(
                    "could not get a connection to {} within 5000 ms: {} of {} in use, {waiting} waiting",
                    db.name, db.max_connections, db.max_connections
                );
                let attributes = vec![
                    kv("exception.type", "PoolTimeout"),
                    kv("db.namespace", db.name),
                    kv("pool.waiting", waiting as i64),
                ];
                record(at, SeverityNumber::Error, body, attributes)
            } else {
                let body = format!(
                    "attempt {} of 3 to call {} failed with 503, retrying",
                    rng.between(1, 3),
                    outage.service.name()
                );
                record(at, SeverityNumber::Warn, body, vec![kv("peer.service", outage.service.name())])
            };
            self.add(Speaker::Pod(pod), line);
        }
        if step == outage.steps.start {
            let body = format!("remaining connection slots of {} are reserved for superusers", db.name);
            let attributes = vec![kv("db.namespace", db.name), kv("cloud.resource_id", db.resource_id.as_str())];
            self.add(Speaker::Platform("rds"), record(start, SeverityNumber::Fatal, body, attributes));
        }
    }

    fn leak(&mut self, world: &World, step: usize, start: u64, rng: &mut Rng) {
        let leak = &world.events.leak;
        for pod in world.company.running(leak.service, step).filter(|&pod| world.leaks(pod)) {
            let p = &world.company.pods[pod];
            let (fill, _) = leak.state(p.ordinal, step);
            if fill > 0.86 && rng.chance(0.2) {
                let body = format!("memory at {:.0}% of the limit, collecting garbage", 100.0 * (0.3 + 0.7 * fill));
                self.add(Speaker::Pod(pod), record(start + rng.below(MINUTE), SeverityNumber::Warn, body, Vec::new()));
            }
            if step > 0 && world.restarts(pod, step) > world.restarts(pod, step - 1) {
                let limit = p.service.profile().memory_limit_mib;
                let body = format!(
                    "container {} of pod {} was killed: out of memory (limit {limit}Mi)",
                    p.service.name(),
                    p.name
                );
                let attributes = vec![
                    kv("k8s.pod.name", p.name.as_str()),
                    kv("k8s.event.reason", "OOMKilled"),
                    kv("process.exit.code", 137_i64),
                ];
                self.add(
                    Speaker::Platform("kubernetes"),
                    record(start + MINUTE / 2, SeverityNumber::Error, body, attributes),
                );
            }
        }
    }

    fn logins(&mut self, world: &World, step: usize, start: u64) {
        const USERS: [&str; 7] = ["root", "admin", "ubuntu", "deploy", "postgres", "oracle", "test"];
        let mut rng = Rng::new(world.seed, "logins", step as u64);
        let is_tried = world.events.intrusion.as_ref().is_some_and(|steps| steps.contains(&step));
        for _ in 0..rng.count(if is_tried { TRIED } else { MISTYPED * (0.2 + world.level(step)) }) {
            let (user, host) = if is_tried {
                (*rng.pick(&USERS), format!("203.0.113.{}", rng.between(60, 64)))
            } else {
                ("nils", format!("10.8.0.{}", rng.between(2, 9)))
            };
            let body = format!("Failed password for {user} from {host} port {} ssh2", rng.between(32_768, 60_999));
            let attributes = vec![kv("process.executable.name", "sshd"), kv("client.address", host)];
            let line = record(start + rng.below(MINUTE), SeverityNumber::Info, body, attributes);
            self.add(Speaker::Platform("bastion"), line);
        }
    }

    fn deployments(&mut self, world: &World, step: usize, start: u64, rng: &mut Rng) {
        for service in Service::ALL {
            if super::company::deployment(service, &world.events) != Some(step) {
                continue;
            }
            let [old, new] = service.profile().versions;
            let body = vec![
                kv("message", format!("deployed {} {new}", service.name())),
                kv("service", service.name()),
                kv("version", new),
                kv("previous", old),
                kv("replicas", world.company.running(service, step).count() as i64),
            ];
            let attributes =
                vec![kv("deployment.id", format!("rel-{}", rng.hex(8))), kv("vcs.ref.head.revision", rng.hex(40))];
            let mut line = record(start + MINUTE / 3, SeverityNumber::Info, body, attributes);
            line.event_name = "deployment".to_owned();
            self.add(Speaker::Platform("argocd"), line);
            if service == Service::Recommendations {
                let nodes: Vec<_> = world.company.pool(Pool::Ml).collect();
                let before = nodes.iter().filter(|n| n.from == 0).count();
                let body = format!("scaled node pool pool-1 of ml-prod from {before} to {} nodes", nodes.len());
                self.add(
                    Speaker::Platform("cluster-autoscaler"),
                    record(start + MINUTE / 2, SeverityNumber::Info, body, Vec::new()),
                );
            }
        }
    }

    /// The OTLP part as one export request, and the access log as one Loki push body; `None` for an empty one.
    pub(crate) fn encode(self, world: &World) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        let resource_logs: Vec<_> = self
            .records
            .into_iter()
            .map(|(speaker, log_records)| {
                let (resource, library) = match speaker {
                    Speaker::Pod(pod) => (pod_resource(world, &world.company.pods[pod]), "shop.log"),
                    Speaker::Platform(name) => (platform_resource(name), "platform.log"),
                };
                ResourceLogs {
                    resource: Some(resource),
                    scope_logs: vec![ScopeLogs { scope: Some(scope(library)), log_records, ..ScopeLogs::default() }],
                    ..ResourceLogs::default()
                }
            })
            .collect();
        let otlp = (!resource_logs.is_empty()).then(|| ExportLogsServiceRequest { resource_logs }.encode_to_vec());
        let loki = (!self.access.is_empty()).then(|| loki(world, self.access));
        (otlp, loki)
    }
}

/// A line of the kind that systems write when nothing happens.
fn chatter(world: &World, step: usize, start: u64, rng: &mut Rng) -> (Speaker, LogRecord) {
    let at = start + rng.below(MINUTE);
    let pod = |rng: &mut Rng, service: Service| {
        let pods: Vec<usize> = world.company.running(service, step).collect();
        if pods.is_empty() { Speaker::Platform("kubernetes") } else { Speaker::Pod(*rng.pick(&pods)) }
    };
    let (debug, info, warn) = (SeverityNumber::Debug, SeverityNumber::Info, SeverityNumber::Warn);
    match rng.below(12) {
        0..=2 => {
            let service = *rng.pick(&Service::ALL);
            let ms = rng.between(1, 9);
            (pod(rng, service), record(at, debug, format!("health check passed in {ms} ms"), Vec::new()))
        }
        3 | 4 => {
            let nodes: Vec<_> = world.company.pool(Pool::Batch).collect();
            let node = *rng.pick(&nodes);
            let body = "no jobs in queue nightly-render, sleeping 300 s";
            (Speaker::Platform("batch-worker"), record(at, info, body, vec![kv("host.id", node.resource_id.as_str())]))
        }
        5 => {
            let body = vec![
                kv("event", "index.refresh"),
                kv("segments", rng.between(4, 40) as i64),
                kv("took_ms", rng.between(20, 900) as f64 / 10.0),
                kv("merged", rng.chance(0.2)),
            ];
            (pod(rng, Service::Search), record(at, info, body, Vec::new()))
        }
        6 => {
            let body = format!("collected garbage in {} ms, freed {} MiB", rng.between(2, 60), rng.between(8, 120));
            let service = *rng.pick(&[Service::Checkout, Service::Payments, Service::Inventory]);
            (pod(rng, service), record(at, debug, body, Vec::new()))
        }
        7 => {
            let body = format!("expired {} carts older than 30 days", rng.between(3, 90));
            (pod(rng, Service::Cart), record(at, info, body, Vec::new()))
        }
        8 => {
            let ms = rng.between(300, 1900);
            let body = format!("slow query on table {}: {ms} ms", rng.pick(&["orders", "payments", "stock"]));
            let attributes = vec![kv("db.query.duration_ms", ms as i64)];
            (pod(rng, Service::Payments), record(at, warn, body, attributes))
        }
        9 => {
            let body = format!(
                "mail server greylisted us, message {} will be sent again in {} s",
                rng.hex(12),
                rng.between(30, 600)
            );
            (pod(rng, Service::Email), record(at, warn, body, Vec::new()))
        }
        10 => {
            let body = format!("loaded feature snapshot {} with {} rows", rng.hex(8), rng.between(80_000, 120_000));
            (pod(rng, Service::Recommendations), record(at, info, body, Vec::new()))
        }
        _ => {
            let body = format!("session {} opened for customer {}", rng.hex(16), rng.between(100_000, 999_999));
            (pod(rng, Service::Frontend), record(at, info, body, vec![kv("enduser.anonymous", rng.chance(0.5))]))
        }
    }
}

impl Access {
    /// A line in the combined format with the request time appended, written when the request ended.
    pub(crate) fn new(rng: &mut Rng, start_ns: u64, end_ns: u64, method: &str, path: &str, status: i64) -> Self {
        const AGENTS: [&str; 4] = [
            "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36",
            "curl/8.16.0",
        ];
        // Documentation addresses only (RFC 5737).
        let client = format!("{}.{}", rng.pick(&["192.0.2", "198.51.100", "203.0.113"]), rng.between(1, 254));
        let bytes = match status {
            304 => 0,
            400.. => rng.between(150, 600),
            _ => rng.between(2_000, 90_000),
        };
        let millis = (end_ns - start_ns) / 1_000_000;
        let line = format!(
            "{client} - - [{}] \"{method} {path} HTTP/1.1\" {status} {bytes} \"-\" \"{}\" {}.{:03}",
            common_time(end_ns),
            rng.pick(&AGENTS),
            millis / 1000,
            millis % 1000
        );
        Self { time_ns: end_ns, line, trace_id: None }
    }
}

/// `09/Nov/2026:10:31:04 +0000`
fn common_time(time_ns: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = time_ns / 1_000_000_000;
    let (year, month, day) = civil_from_days((seconds / 86_400) as i64);
    let s = seconds % 86_400;
    let month = MONTHS[month as usize - 1];
    format!("{day:02}/{month}/{year}:{:02}:{:02}:{:02} +0000", s / 3600, s / 60 % 60, s % 60)
}

/// A Loki push body: one stream per pod, entries in time order, trace ids as structured metadata.
fn loki(world: &World, access: BTreeMap<usize, Vec<Access>>) -> Vec<u8> {
    let mut out = String::from("{\"streams\":[");
    for (n, (pod, mut lines)) in access.into_iter().enumerate() {
        lines.sort_by_key(|l| l.time_ns);
        let p = &world.company.pods[pod];
        if n > 0 {
            out.push(',');
        }
        let _ = write!(
            out,
            "{{\"stream\":{{\"service_name\":\"frontend\",\"job\":\"nginx\",\"namespace\":\"shop\",\"cluster\":\"shop-prod\",\"pod\":\"{}\"}},\"values\":[",
            p.name
        );
        for (n, entry) in lines.iter().enumerate() {
            let _ = write!(out, "{}[\"{}\",", if n > 0 { "," } else { "" }, entry.time_ns);
            write_json_string(&mut out, &entry.line);
            if let Some(id) = entry.trace_id {
                let _ = write!(out, ",{{\"trace_id\":\"{:032x}\"}}", u128::from_be_bytes(id));
            }
            out.push(']');
        }
        out.push_str("]}");
    }
    out.push_str("]}");
    out.into_bytes()
}
