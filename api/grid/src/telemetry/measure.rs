//! Own metrics: what the rooms count, read when the exporter asks.

use std::sync::Arc;
use std::time::Duration;

use grid_analytics::Engine;
use grid_guard::Guard;
use grid_store::{Store, StoreStats};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Several instruments read one set of figures; within this time they share it.
const FRESH: Duration = Duration::from_secs(1);

/// Declares the metrics; the meter holds them from then on.
pub(crate) fn measure(meter: &Meter, store: &Store, engine: &Arc<Engine>, guard: &Guard) {
    let figures = Figures { store: store.clone(), last: Arc::default() };
    type Read = fn(&StoreStats) -> u64;
    let counters: [(&'static str, &'static str, &'static str, Read); 8] = [
        ("grid.store.appended", "{row}", "rows acknowledged", |s| s.appended_rows),
        ("grid.store.requests", "{request}", "writes acknowledged", |s| s.appended_requests),
        ("grid.store.refused", "{request}", "writes refused for overload", |s| s.refused_requests),
        ("grid.store.wal.written", "By", "bytes written to the WAL", |s| s.wal_bytes),
        ("grid.store.wal.syncs", "{sync}", "syncs of the WAL", |s| s.wal_syncs),
        ("grid.store.flushes", "{flush}", "buffers written to files", |s| s.flushes),
        ("grid.store.flush.errors", "{flush}", "flushes that failed", |s| s.flush_errors),
        ("grid.store.compactions", "{compaction}", "compactions", |s| s.compactions),
    ];
    for (name, unit, about, read) in counters {
        let figures = figures.clone();
        let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            observer.observe(read(&figures.now()), &[]);
        };
        meter.u64_observable_counter(name).with_unit(unit).with_description(about).with_callback(observe).build();
    }
    let gauges: [(&'static str, &'static str, &'static str, Read); 5] = [
        ("grid.store.buffered", "{row}", "rows not yet in files", |s| s.buffered_rows),
        ("grid.store.buffered.size", "By", "size of rows not yet in files", |s| s.buffered_bytes as u64),
        ("grid.store.files", "{file}", "visible files", |s| s.files as u64),
        ("grid.store.files.size", "By", "size of visible files", |s| s.file_bytes),
        ("grid.store.series", "{series}", "series of all tenants", |s| s.series as u64),
    ];
    for (name, unit, about, read) in gauges {
        let figures = figures.clone();
        let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            observer.observe(read(&figures.now()), &[]);
        };
        meter.u64_observable_gauge(name).with_unit(unit).with_description(about).with_callback(observe).build();
    }
    let engine = Arc::clone(engine);
    meter
        .u64_observable_gauge("grid.query.running")
        .with_unit("{query}")
        .with_description("queries under way")
        .with_callback(move |observer| observer.observe(engine.running().len() as u64, &[]))
        .build();
    let guard = guard.clone();
    meter
        .u64_observable_counter("grid.http.responses")
        .with_unit("{response}")
        .with_description("answers by scope of the route and class of status")
        .with_callback(move |observer| {
            for ((scope, class), count) in guard.stats().answered.into_iter().filter(|(_, count)| *count > 0) {
                observer.observe(count, &[KeyValue::new("scope", scope), KeyValue::new("class", class)]);
            }
        })
        .build();
    meter
        .u64_observable_gauge("process.memory.usage")
        .with_unit("By")
        .with_description("resident memory")
        .with_callback(|observer| {
            if let Some(bytes) = resident_bytes() {
                observer.observe(bytes, &[]);
            }
        })
        .build();
}

/// What the listeners count, for `/metrics`. They write text, the page wants families, so that each has its HELP once.
pub(crate) struct Received {
    pub(crate) ingest: grid_ingest::Ingest,
    /// What the scraper counts, if there is one.
    pub(crate) scraping: Option<grid_ingest::ScrapeStatus>,
}

/// The families of the listeners.
const RECEIVED: [(&str, &str); 5] = [
    ("grid_ingest_requests_total", "Requests accepted, at least in part."),
    ("grid_ingest_bytes_total", "Bytes of accepted requests after inflation."),
    ("grid_ingest_accepted_items_total", "Items written, by kind."),
    ("grid_ingest_rejected_items_total", "Items of accepted requests that were not written, by reason."),
    ("grid_ingest_refused_requests_total", "Requests of which nothing was written, by HTTP status."),
];

impl grid_api::MetricsSource for Received {
    fn write(&self, out: &mut grid_api::Exposition) {
        let mut text = String::new();
        self.ingest.metrics().render_prometheus(&mut text);
        if let Some(status) = &self.scraping {
            for (state, n) in status.targets_by_state() {
                out.gauge("grid_scrape_targets", "Targets of the scraper, by state.", &[("state", state)], n as f64);
            }
            status.counters_now().into_iter().for_each(|(name, help, n)| out.counter(name, help, &[], n as f64));
        }
        if let Some(replicas) = self.ingest.replicas() {
            let help = "Clusters of replicas that are followed.";
            out.gauge("grid_ingest_replica_clusters", help, &[], replicas.clusters() as f64);
            replicas.counters().into_iter().for_each(|(name, help, n)| out.counter(name, help, &[], n as f64));
        }
        let Ok(scrape) = prometheus_parse::Scrape::parse(text.lines().map(|l| Ok(l.to_owned()))) else { return };
        for sample in &scrape.samples {
            let Some((name, help)) = RECEIVED.iter().find(|(name, _)| *name == sample.metric) else { continue };
            let prometheus_parse::Value::Counter(value) = sample.value else { continue };
            let labels: Vec<(&str, &str)> = sample.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            out.counter(name, help, &labels, value);
        }
    }
}

#[derive(Clone)]
struct Figures {
    store: Store,
    last: Arc<Mutex<Option<(Instant, StoreStats)>>>,
}

impl Figures {
    fn now(&self) -> StoreStats {
        let mut last = self.last.lock();
        match &*last {
            Some((at, stats)) if at.elapsed() < FRESH => stats.clone(),
            _ => {
                let stats = self.store.stats();
                *last = Some((Instant::now(), stats.clone()));
                stats
            }
        }
    }
}

/// Resident memory of this process, where the operating system tells.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
