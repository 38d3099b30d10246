//! What a Prometheus in the clusters would scrape and send by remote write 1.0, encoded straight into protobuf bytes:
//! labels once per series, samples without a struct or an allocation of their own.

use std::ops::Range;

use super::company::{Node, Pool, Service, machine_type};
use super::latency::{self, Latency};
use super::observed::Observed;
use super::world::World;

const GIB: f64 = 1_073_741_824.0;
const MIB: f64 = 1_048_576.0;
/// Minutes between samples of what hardly changes; below the five minutes for which PromQL looks back.
const SELDOM: usize = 5;
/// Prometheus' marker for "this series ended".
const STALE_NAN: u64 = 0x7FF0_0000_0000_0002;

/// What a series measures.
#[derive(Debug, Clone, Copy)]
enum Signal {
    Requests(Service, Outcome),
    Constant(f64),
    PodCpuSeconds(usize),
    PodMemory(usize),
    PodRestarts(usize),
    PodsWanted(Service),
    PodsAvailable(Service),
    NodeCpuSeconds { node: usize, idle: bool },
    NodeMemoryAvailable(usize),
    NodeSent(usize),
    NodeReceived(usize),
    NodeDiskFree(usize),
    DbConnections(usize),
    DbCpu(usize),
    DbStorageFree(usize),
    DbMemoryFree(usize),
    CacheMemory,
    CacheHits,
    CacheMisses,
    QueueDepth,
    QueueAge,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Ok,
    Refused,
    Error,
}

struct Series {
    /// The encoded label pairs of the series.
    labels: Vec<u8>,
    signal: Signal,
    /// Steps with samples; a stale marker follows if the demo goes on.
    alive: Range<usize>,
    /// Minutes between samples.
    every: usize,
    /// The counter's value so far.
    total: f64,
}

/// `(metric, type as remote write numbers it, unit, help)`
const METADATA: [(&str, u64, &str, &str); 30] = [
    ("http_requests_total", 1, "", "Requests answered, by status."),
    (latency::METRIC, 3, "seconds", "How long requests took."),
    ("up", 2, "", "Whether the last scrape succeeded."),
    ("container_cpu_usage_seconds_total", 1, "seconds", "CPU time used by the container."),
    ("container_memory_working_set_bytes", 2, "bytes", "Memory that cannot be reclaimed."),
    ("kube_pod_container_status_restarts_total", 1, "", "Restarts of the container."),
    ("kube_pod_container_resource_requests", 2, "", "What the container asked for."),
    ("kube_pod_container_resource_limits", 2, "", "What the container may use at most."),
    ("kube_pod_info", 2, "", "The pod, as labels."),
    ("kube_deployment_spec_replicas", 2, "", "Pods that the deployment wants."),
    ("kube_deployment_status_replicas_available", 2, "", "Pods of the deployment that serve."),
    ("machine_cpu_cores", 2, "", "Cores of the machine."),
    ("node_cpu_seconds_total", 1, "seconds", "CPU time by mode, mean over the cores."),
    ("node_memory_MemTotal_bytes", 2, "bytes", "Memory of the machine."),
    ("node_memory_MemAvailable_bytes", 2, "bytes", "Memory available to programs."),
    ("node_network_transmit_bytes_total", 1, "bytes", "Bytes sent."),
    ("node_network_receive_bytes_total", 1, "bytes", "Bytes received."),
    ("node_filesystem_size_bytes", 2, "bytes", "Size of the file system."),
    ("node_filesystem_avail_bytes", 2, "bytes", "What programs may still write to it."),
    ("db_connections", 2, "", "Open connections."),
    ("db_connections_max", 2, "", "Connections that the database allows."),
    ("db_cpu_utilization_ratio", 2, "", "CPU share of the database's machine."),
    ("db_storage_free_bytes", 2, "bytes", "Free storage."),
    ("db_memory_free_bytes", 2, "bytes", "Memory that the database does not use."),
    ("redis_memory_used_bytes", 2, "bytes", "Memory that the cache uses."),
    ("redis_memory_max_bytes", 2, "bytes", "Memory that the cache may use."),
    ("redis_keyspace_hits_total", 1, "", "Lookups that found a key."),
    ("redis_keyspace_misses_total", 1, "", "Lookups that found none."),
    ("sqs_messages_visible", 2, "", "Messages that wait."),
    ("sqs_oldest_message_age_seconds", 2, "seconds", "Age of the oldest message that waits."),
];

/// All scraped series, with their counters.
pub(crate) struct Scraper {
    series: Vec<Series>,
    latencies: Vec<Latency>,
    described: bool,
}

impl Scraper {
    pub(crate) fn new(world: &World) -> Self {
        let mut all = Catalogue { series: Vec::new(), latencies: Vec::new(), end: world.timeline.steps };
        all.services();
        all.pods(world);
        all.nodes(world);
        all.managed(world);
        Self { series: all.series, latencies: all.latencies, described: false }
    }

    /// The samples of a slice as one `prometheus.WriteRequest`, not yet compressed. Slices must come in order.
    pub(crate) fn write(&mut self, world: &World, seen: &Observed) -> Vec<u8> {
        let steps = seen.steps.len();
        let mut body = Vec::with_capacity(self.series.len() * (steps * 18 + 400));
        let mut values = vec![0.0; steps];
        let mut samples = Vec::with_capacity(steps * 18);
        for series in &mut self.series {
            let alive = series.alive.start.max(seen.steps.start)..series.alive.end.min(seen.steps.end);
            samples.clear();
            if !alive.is_empty() {
                let values = &mut values[..alive.len()];
                series.measure(world, seen, alive.clone(), values);
                for (step, value) in alive.zip(values.iter()).filter(|(step, _)| step % series.every == 0) {
                    push_sample(&mut samples, world.timeline.time_ms(step), *value);
                }
            }
            if series.alive.end < world.timeline.steps && seen.steps.contains(&series.alive.end) {
                push_sample(&mut samples, world.timeline.time_ms(series.alive.end), f64::from_bits(STALE_NAN));
            }
            if !samples.is_empty() {
                push_key(&mut body, 1);
                push_varint(&mut body, (series.labels.len() + samples.len()) as u64);
                body.extend_from_slice(&series.labels);
                body.extend_from_slice(&samples);
            }
        }
        self.latencies.iter_mut().for_each(|latency| latency.write(world, seen, &mut body));
        if !std::mem::replace(&mut self.described, true) {
            METADATA.iter().for_each(|m| push_metadata(&mut body, m));
        }
        body
    }
}

/// Collects the series of the company.
struct Catalogue {
    series: Vec<Series>,
    latencies: Vec<Latency>,
    end: usize,
}

impl Catalogue {
    /// Adds a series with a sample every minute.
    fn add(&mut self, metric: &str, labels: &[(&str, &str)], alive: Range<usize>, signal: Signal) {
        let labels = encode_labels(metric, labels);
        self.series.push(Series { labels, signal, alive, every: 1, total: 0.0 });
    }

    /// Adds a series of what hardly changes.
    fn seldom(&mut self, metric: &str, labels: &[(&str, &str)], alive: Range<usize>, signal: Signal) {
        let labels = encode_labels(metric, labels);
        self.series.push(Series { labels, signal, alive, every: SELDOM, total: 0.0 });
    }

    fn always(&mut self, metric: &str, labels: &[(&str, &str)], signal: Signal) {
        self.add(metric, labels, 0..self.end, signal);
    }

    fn services(&mut self) {
        for service in Service::ALL {
            let profile = service.profile();
            let cluster = profile.pool.cloud().cluster();
            let instance = format!("{}.shop.svc:9102", profile.name);
            let base = [
                ("cluster", cluster),
                ("instance", instance.as_str()),
                ("job", profile.name),
                ("namespace", "shop"),
                ("service", profile.name),
                ("team", profile.team),
            ];
            for (outcome, status) in [(Outcome::Ok, "200"), (Outcome::Refused, "404"), (Outcome::Error, "503")] {
                let labels = [&base[..], &[("status", status), ("method", profile.method), ("route", profile.route)]];
                self.always("http_requests_total", &labels.concat(), Signal::Requests(service, outcome));
            }
            self.always("up", &base, Signal::Constant(1.0));
            let labels = [&base[..], &[("method", profile.method), ("route", profile.route)]];
            self.latencies.push(Latency::new(service, &labels.concat()));
            let deployment = [
                ("cluster", cluster),
                ("deployment", profile.name),
                ("job", "kube-state-metrics"),
                ("namespace", "shop"),
                ("service", profile.name),
            ];
            let (all, wanted, available) = (0..self.end, Signal::PodsWanted(service), Signal::PodsAvailable(service));
            self.seldom("kube_deployment_spec_replicas", &deployment, all.clone(), wanted);
            self.seldom("kube_deployment_status_replicas_available", &deployment, all, available);
        }
    }

    fn pods(&mut self, world: &World) {
        for (i, pod) in world.company.pods.iter().enumerate() {
            let profile = pod.service.profile();
            let node = &world.company.nodes[pod.node];
            let base = [
                ("cluster", profile.pool.cloud().cluster()),
                ("container", profile.name),
                ("namespace", "shop"),
                ("node", node.name.as_str()),
                ("pod", pod.name.as_str()),
                ("resource_id", node.resource_id.as_str()),
                ("service", profile.name),
                ("version", pod.version),
            ];
            let alive = &pod.alive;
            let mut add = |metric: &str, more: &[(&str, &str)], signal| {
                self.add(metric, &[&base[..], more].concat(), alive.clone(), signal);
            };
            add("container_cpu_usage_seconds_total", &[("job", "cadvisor")], Signal::PodCpuSeconds(i));
            add("container_memory_working_set_bytes", &[("job", "cadvisor")], Signal::PodMemory(i));
            let kube = ("job", "kube-state-metrics");
            add("kube_pod_container_status_restarts_total", &[kube], Signal::PodRestarts(i));
            let requests = "kube_pod_container_resource_requests";
            add(requests, &[kube, ("resource", "cpu"), ("unit", "core")], Signal::Constant(profile.cpu_request));
            let memory = [kube, ("resource", "memory"), ("unit", "byte")];
            add(requests, &memory, Signal::Constant(profile.memory_request_mib * MIB));
            let limits = "kube_pod_container_resource_limits";
            add(limits, &memory, Signal::Constant(profile.memory_limit_mib * MIB));
            // A replica set is named as its pods are, without their own ending.
            let set = pod.name.rsplit_once('-').map_or(pod.name.as_str(), |(set, _)| set);
            let info = [kube, ("created_by_kind", "ReplicaSet"), ("created_by_name", set)];
            self.seldom("kube_pod_info", &[&base[..], &info].concat(), alive.clone(), Signal::Constant(1.0));
        }
    }

    fn nodes(&mut self, world: &World) {
        for (i, node) in world.company.nodes.iter().enumerate() {
            let machine = machine_type(node.machine);
            let labels = node_labels(node);
            let base: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let alive = node.from..self.end;
            let mut add = |metric: &str, more: &[(&str, &str)], signal| {
                self.add(metric, &[&base[..], more].concat(), alive.clone(), signal);
            };
            for (mode, idle) in [("idle", true), ("user", false)] {
                let signal = Signal::NodeCpuSeconds { node: i, idle };
                add("node_cpu_seconds_total", &[("cpu", "0"), ("mode", mode)], signal);
            }
            add("machine_cpu_cores", &[], Signal::Constant(f64::from(machine.cores)));
            add("node_memory_MemTotal_bytes", &[], Signal::Constant(f64::from(machine.memory_gib) * GIB));
            add("node_memory_MemAvailable_bytes", &[], Signal::NodeMemoryAvailable(i));
            add("node_network_transmit_bytes_total", &[("device", "eth0")], Signal::NodeSent(i));
            add("node_network_receive_bytes_total", &[("device", "eth0")], Signal::NodeReceived(i));
            let disk = [("device", "/dev/nvme0n1p1"), ("fstype", "ext4"), ("mountpoint", "/")];
            let disk = [&base[..], &disk].concat();
            let size = Signal::Constant(disk_of(node.pool).0);
            self.seldom("node_filesystem_size_bytes", &disk, node.from..self.end, size);
            self.seldom("node_filesystem_avail_bytes", &disk, node.from..self.end, Signal::NodeDiskFree(i));
        }
    }

    fn managed(&mut self, world: &World) {
        let company = &world.company;
        for (i, db) in company.databases.iter().enumerate() {
            let cloud = db.cloud;
            let base = [
                ("cloud", cloud.word()),
                ("database", db.name),
                ("engine", db.engine),
                ("job", "databases"),
                ("region", cloud.region()),
                ("resource_id", db.resource_id.as_str()),
            ];
            self.always("db_connections", &base, Signal::DbConnections(i));
            self.always("db_connections_max", &base, Signal::Constant(db.max_connections));
            self.always("db_cpu_utilization_ratio", &base, Signal::DbCpu(i));
            self.always("db_storage_free_bytes", &base, Signal::DbStorageFree(i));
            self.seldom("db_memory_free_bytes", &base, 0..self.end, Signal::DbMemoryFree(i));
        }
        let cache = [
            ("cloud", "aws"),
            ("instance", "cart-cache-001:6379"),
            ("job", "redis"),
            ("region", "us-east-1"),
            ("resource_id", company.cache_id.as_str()),
        ];
        self.always("redis_memory_used_bytes", &cache, Signal::CacheMemory);
        self.always("redis_memory_max_bytes", &cache, Signal::Constant(13.07 * GIB));
        self.always("redis_keyspace_hits_total", &cache, Signal::CacheHits);
        self.always("redis_keyspace_misses_total", &cache, Signal::CacheMisses);
        let queue = [
            ("cloud", "aws"),
            ("job", "sqs"),
            ("queue", "order-events"),
            ("region", "us-east-1"),
            ("resource_id", company.queue_id.as_str()),
        ];
        self.always("sqs_messages_visible", &queue, Signal::QueueDepth);
        self.always("sqs_oldest_message_age_seconds", &queue, Signal::QueueAge);
    }
}

fn node_labels(node: &Node) -> Vec<(&'static str, String)> {
    let cloud = node.pool.cloud();
    vec![
        ("cloud", cloud.word().to_owned()),
        ("cluster", if node.pool == Pool::Batch { String::new() } else { cloud.cluster().to_owned() }),
        ("instance", format!("{}:9100", node.name)),
        ("instance_type", node.machine.to_owned()),
        ("job", "node-exporter".to_owned()),
        ("node", node.name.clone()),
        ("pool", node.pool.word().to_owned()),
        ("region", cloud.region().to_owned()),
        ("resource_id", node.resource_id.clone()),
        ("zone", node.zone.clone()),
    ]
}

/// The size of a machine's disk, the share of it that is free after the weekly clean-up, and the share that a week takes.
fn disk_of(pool: Pool) -> (f64, f64, f64) {
    let (gib, free, week) = match pool {
        Pool::App => (100.0, 0.62, 0.09),
        Pool::Search => (400.0, 0.41, 0.05),
        Pool::Batch => (100.0, 0.88, 0.0),
        Pool::Ml => (200.0, 0.54, 0.12),
        Pool::Analytics => (250.0, 0.33, 0.21),
    };
    (gib * GIB, free, week)
}

/// Bytes received for each byte sent.
fn received_per_sent(pool: Pool) -> f64 {
    match pool {
        Pool::App => 0.3,
        Pool::Search => 0.2,
        Pool::Batch => 1.1,
        Pool::Ml => 0.4,
        Pool::Analytics => 1.7,
    }
}

/// Rounds to a multiple of `1 / parts`, a power of two: what a client reports has no 52 bits of noise, and what has not
/// compresses.
fn grain(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

impl Series {
    /// Fills in the values of the steps `alive`, which lie in the slice.
    fn measure(&mut self, world: &World, seen: &Observed, alive: Range<usize>, out: &mut [f64]) {
        let first = alive.start - seen.steps.start;
        let mut gauge = |f: &dyn Fn(usize) -> f64| {
            for (step, value) in alive.clone().zip(out.iter_mut()) {
                *value = f(step);
            }
        };
        let growth: &dyn Fn(usize) -> f64 = match self.signal {
            Signal::Constant(c) => return out.fill(c),
            Signal::PodMemory(pod) => return gauge(&|s| grain(world.pod_memory(pod, s), 1.0 / 4096.0)),
            Signal::PodRestarts(pod) => return gauge(&|s| world.restarts(pod, s) as f64),
            Signal::NodeMemoryAvailable(node) => {
                return gauge(&|s| grain(available(world, seen, node, s), 1.0 / 65_536.0));
            }
            Signal::PodsWanted(service) => return gauge(&|s| world.company.running(service, s).count() as f64),
            Signal::PodsAvailable(service) => {
                let serves = |pod: &usize, s: usize| s == 0 || world.restarts(*pod, s) == world.restarts(*pod, s - 1);
                return gauge(&|s| world.company.running(service, s).filter(|pod| serves(pod, s)).count() as f64);
            }
            Signal::NodeDiskFree(node) => {
                let (size, free, week) = disk_of(world.company.nodes[node].pool);
                let gone = |s: usize| week * (s % (7 * 1440)) as f64 / (7.0 * 1440.0);
                return gauge(&|s| grain(size * (free - gone(s)), 1.0 / 65_536.0));
            }
            Signal::DbConnections(db) => return gauge(&|s| world.db_connections(db, s)),
            Signal::DbCpu(db) => return gauge(&|s| grain(world.db_cpu(db, s), 1024.0)),
            Signal::DbStorageFree(db) => {
                let (free, per_step) = world.company.databases[db].storage_free;
                // Full databases clean up weekly, so that the free space returns.
                return gauge(&|s| grain(free - per_step * (s % (7 * 1440)) as f64, 1.0 / 65_536.0));
            }
            Signal::DbMemoryFree(db) => {
                let (free, less) = world.company.databases[db].memory_free;
                return gauge(&|s| grain(free - less * world.level(s), 1.0 / 65_536.0));
            }
            Signal::CacheMemory => return gauge(&|s| grain((4.1 + 2.3 * world.level(s)) * GIB, 1.0 / 65_536.0)),
            Signal::QueueDepth => return gauge(&|s| world.queue_depth(s)),
            Signal::QueueAge => return gauge(&|s| (world.queue_depth(s) * 1.3).round()),
            Signal::PodCpuSeconds(pod) => {
                let cores = &seen.pod_cores[pod][first..];
                for ((step, value), cores) in alive.zip(out.iter_mut()).zip(cores) {
                    // A container that was killed starts counting anew.
                    let killed = step > 0 && world.restarts(pod, step) > world.restarts(pod, step - 1);
                    self.total = if killed { 0.0 } else { self.total } + cores * 60.0;
                    *value = grain(self.total, 64.0);
                }
                return;
            }
            Signal::NodeCpuSeconds { node, idle } => {
                let cores = f64::from(machine_type(world.company.nodes[node].machine).cores);
                for (value, used) in out.iter_mut().zip(&seen.node_cores[node][first..]) {
                    let busy = (used / cores).min(1.0);
                    self.total += 60.0 * if idle { 1.0 - busy } else { busy };
                    *value = grain(self.total, 64.0);
                }
                return;
            }
            Signal::Requests(service, outcome) => &move |s| {
                let m = seen.minute(service, s);
                match outcome {
                    Outcome::Ok => m.requests - m.errors - m.refused,
                    Outcome::Refused => m.refused,
                    Outcome::Error => m.errors,
                }
            },
            Signal::NodeSent(node) => &move |s| world.node_sent(node, s),
            Signal::NodeReceived(node) => {
                let share = received_per_sent(world.company.nodes[node].pool);
                &move |s| (world.node_sent(node, s) * share).round()
            }
            Signal::CacheHits => &|s| (seen.minute(Service::Cart, s).requests * 1.88).round(),
            Signal::CacheMisses => &|s| (seen.minute(Service::Cart, s).requests * 0.12).round(),
        };
        for (step, value) in alive.zip(out.iter_mut()) {
            self.total += growth(step);
            *value = self.total;
        }
    }
}

/// Memory that a node has left beside its pods.
fn available(world: &World, seen: &Observed, node: usize, step: usize) -> f64 {
    let n = &world.company.nodes[node];
    let total = f64::from(machine_type(n.machine).memory_gib) * GIB;
    let cores = seen.node_cores[node][step - seen.steps.start];
    let pods = world.company.pods.iter().enumerate().filter(|(_, p)| p.node == node && p.alive.contains(&step));
    let used: f64 = pods.map(|(i, _)| world.pod_memory(i, step)).sum();
    (total - used - 0.9 * GIB - 0.11 * GIB * cores).max(0.0)
}

/// `TimeSeries.labels` of a metric. Labels with an empty value are left out, as Prometheus does.
pub(super) fn encode_labels(metric: &str, labels: &[(&str, &str)]) -> Vec<u8> {
    let mut pairs = vec![("__name__", metric)];
    pairs.extend(labels.iter().filter(|(_, v)| !v.is_empty()));
    pairs.sort_unstable();
    let mut bytes = Vec::new();
    for (name, value) in pairs {
        let mut label = Vec::new();
        push_text(&mut label, 1, name);
        push_text(&mut label, 2, value);
        push_key(&mut bytes, 1);
        push_varint(&mut bytes, label.len() as u64);
        bytes.extend_from_slice(&label);
    }
    bytes
}

pub(super) fn push_key(out: &mut Vec<u8>, field: u8) {
    out.push(field << 3 | 2);
}

pub(super) fn push_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn push_text(out: &mut Vec<u8>, field: u8, text: &str) {
    push_key(out, field);
    push_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// `TimeSeries.samples` (field 2): `Sample { double value = 1; int64 timestamp = 2 }`.
fn push_sample(out: &mut Vec<u8>, time_ms: i64, value: f64) {
    let mut sample = [0_u8; 20];
    sample[0] = 0x09;
    sample[1..9].copy_from_slice(&value.to_bits().to_le_bytes());
    sample[9] = 0x10;
    let mut len = 10;
    let mut n = time_ms as u64;
    while n >= 0x80 {
        sample[len] = n as u8 | 0x80;
        n >>= 7;
        len += 1;
    }
    sample[len] = n as u8;
    len += 1;
    out.push(0x12);
    out.push(len as u8);
    out.extend_from_slice(&sample[..len]);
}

/// `WriteRequest.metadata` (field 3): `MetricMetadata { type = 1; family = 2; help = 4; unit = 5 }`.
fn push_metadata(out: &mut Vec<u8>, (metric, kind, unit, help): &(&str, u64, &str, &str)) {
    let mut message = vec![0x08];
    push_varint(&mut message, *kind);
    push_text(&mut message, 2, metric);
    push_text(&mut message, 4, help);
    if !unit.is_empty() {
        push_text(&mut message, 5, unit);
    }
    push_key(out, 3);
    push_varint(out, message.len() as u64);
    out.extend_from_slice(&message);
}
