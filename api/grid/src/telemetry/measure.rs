//! Own metrics: what `/metrics` shows, exported under the same names, so that a dashboard works with either.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use grid_api::exposition::{Family, Kind};
use grid_api::{ApiState, Exposition};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// All instruments of one export read one page; within this time they share it.
const FRESH: Duration = Duration::from_secs(1);
/// The ending that the receiver gives to the names of counters.
const TOTAL: &str = "_total";

/// How often is looked for families that were not there before, such as that of refusals by code.
const LOOK: Duration = Duration::from_secs(5);

/// Declares the families of the page, those of now and those that show up later. The meter holds them from then on.
pub(crate) async fn measure(meter: Meter, state: ApiState, token: CancellationToken) -> anyhow::Result<()> {
    let page = Page { state, last: Arc::default() };
    let mut declared = HashSet::new();
    loop {
        for (name, family) in grid_api::route::metrics::now(&page.state).families() {
            if declared.insert(name) {
                declare(&meter, &page, name, family);
            }
        }
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn declare(meter: &Meter, page: &Page, name: &'static str, family: &Family) {
    let observe = |suffix: &'static str| {
        let page = page.clone();
        move |observer: &dyn AsyncInstrument<f64>| page.observe(name, suffix, observer)
    };
    match family.kind {
        Kind::Counter => {
            let counter = meter.f64_observable_counter(name.strip_suffix(TOTAL).unwrap_or(name));
            counter.with_description(family.help).with_callback(observe("")).build();
        }
        Kind::Gauge => {
            meter.f64_observable_gauge(name).with_description(family.help).with_callback(observe("")).build();
        }
        // The SDK has no histogram that is read at export. A sum that may fall gets no ending, so these keep the names of classic
        // histograms.
        Kind::Histogram => {
            for suffix in ["_bucket", "_sum", "_count"] {
                let sum = meter.f64_observable_up_down_counter(format!("{name}{suffix}"));
                sum.with_description(family.help).with_callback(observe(suffix)).build();
            }
        }
    }
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

/// The page as it was a moment ago.
#[derive(Clone)]
struct Page {
    state: ApiState,
    last: Arc<Mutex<Option<(Instant, Exposition)>>>,
}

impl Page {
    fn observe(&self, name: &str, suffix: &str, observer: &dyn AsyncInstrument<f64>) {
        let mut last = self.last.lock();
        if last.as_ref().is_none_or(|(at, _)| at.elapsed() >= FRESH) {
            *last = Some((Instant::now(), grid_api::route::metrics::now(&self.state)));
        }
        let family = last.as_ref().and_then(|(_, page)| page.family(name));
        for sample in family.iter().flat_map(|f| &f.samples).filter(|s| s.suffix == suffix) {
            let labels: Vec<_> = sample.labels.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone())).collect();
            observer.observe(sample.value, &labels);
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
