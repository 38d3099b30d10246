//! Nimbus Bikes, a small online shop that never was: fourteen days of its metrics, logs, traces and bills as a pure function
//! of a seed, in the bytes that real clients send (remote write, OTLP, Loki push, bill files). Its story is in `docs/demo.md`.
//!
//! Entry point: [`Demo::new`], then [`Demo::payloads`] through the same decoders as any request. [`Demo::facts`] is what was
//! planted, for tests.
//!
//! Reading order: [`company`] (who), [`events`] (what happens), [`world`] (how a minute looks), then one file per signal:
//! [`scrape`], [`instruments`], [`traffic`], [`logs`], [`bills`].
//!
//! Architecture invariants:
//! - The same seed, end and length give the same bytes on every machine: no clock, no libm, no hash order.
//! - No finding is ever seeded: findings come from jobs that read the data.
//! - Bills are sums of integers.

mod rng;
mod timeline;
mod company;
mod events;
mod world;
mod observed;
mod scrape;
mod latency;
mod otlp;
mod instruments;
mod routes;
mod traffic;
mod logs;
mod bills;
pub(crate) mod budgets;
pub(crate) mod estate;
pub(crate) mod facts;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use grid_model::Timestamp;

use self::facts::Facts;
use self::instruments::Instruments;
use self::logs::Logs;
use self::observed::Observed;
use self::scrape::Scraper;
use self::timeline::Timeline;
use self::traffic::Traffic;
use self::world::World;

/// The seed of a demo that was not asked for another.
pub(crate) const DEFAULT_SEED: u64 = 27;
/// The days of a demo that was not asked for more or fewer.
pub(crate) const DEFAULT_DAYS: u32 = 14;
/// Minutes per slice: one request of each kind holds this much.
const SLICE: usize = 360;

/// The bytes of one request or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Payload {
    /// A `prometheus.WriteRequest` (remote write 1.0), snappy block format.
    RemoteWrite(Vec<u8>),
    /// An `ExportMetricsServiceRequest`, protobuf, not compressed.
    OtlpMetrics(Vec<u8>),
    /// An `ExportTraceServiceRequest`, protobuf, not compressed.
    OtlpTraces(Vec<u8>),
    /// An `ExportLogsServiceRequest`, protobuf, not compressed.
    OtlpLogs(Vec<u8>),
    /// The JSON body of a Loki push.
    LokiJson(Vec<u8>),
    /// A bill file.
    Bill {
        /// The cloud that sent it: `aws`, `azure` or `gcp`.
        source: &'static str,
        /// The name of the export.
        dataset: &'static str,
        /// The file's name.
        file_name: String,
        /// The file, CSV.
        bytes: Vec<u8>,
        /// Whether it replaces its (dataset, account, period) whole.
        restate: bool,
    },
}

/// One small company.
#[derive(Debug, Clone)]
pub(crate) struct Demo {
    world: World,
    facts: Facts,
}

impl Demo {
    /// The company of a seed whose last minute is that of `until` (years 1980 to 2199), `days` long (1 to 120).
    pub(crate) fn new(seed: u64, until: Timestamp, days: u32) -> Self {
        let world = World::new(seed, Timeline::new(until, days));
        let facts = Facts::of(&world);
        Self { world, facts }
    }

    /// What was planted: the ground truth, never stored.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Everything to send, in order of time, bills last. One slice of six hours is in memory at a time. The size hint's
    /// upper bound is nearly exact: a slice without a visit sends no traces.
    pub(crate) fn payloads(&self) -> Payloads<'_> {
        Payloads {
            scraper: Scraper::new(&self.world),
            instruments: Instruments::new(&self.world),
            bills: bills::files(&self.world).into(),
            world: &self.world,
            step: 0,
            ready: VecDeque::new(),
        }
    }
}

/// The payloads of a demo; see [`Demo::payloads`].
pub(crate) struct Payloads<'a> {
    world: &'a World,
    scraper: Scraper,
    instruments: Instruments,
    bills: VecDeque<(company::Cloud, bills::Month, bool)>,
    step: usize,
    ready: VecDeque<Payload>,
}

impl Payloads<'_> {
    fn fill(&mut self) {
        let end = (self.step + SLICE).min(self.world.timeline.steps);
        let seen = Observed::of(self.world, self.step..end);
        self.step = end;
        let samples = self.scraper.write(self.world, &seen);
        let samples = snap::raw::Encoder::new().compress_vec(&samples).expect("a slice is far below snappy's 4 GiB");
        let mut logs = Logs::default();
        let traffic = Traffic::of(self.world, &seen, &mut logs);
        logs.fill(self.world, &seen);
        let metrics = self.instruments.write(self.world, &seen, &traffic.served);
        let (records, access) = logs.encode(self.world);
        self.ready.extend([Payload::RemoteWrite(samples), Payload::OtlpMetrics(metrics)]);
        self.ready.extend(traffic.encode(self.world).map(Payload::OtlpTraces));
        self.ready.extend(records.map(Payload::OtlpLogs));
        self.ready.extend(access.map(Payload::LokiJson));
    }
}

impl Iterator for Payloads<'_> {
    type Item = Payload;

    fn next(&mut self) -> Option<Payload> {
        if self.ready.is_empty() && self.step < self.world.timeline.steps {
            self.fill();
        }
        if let Some(payload) = self.ready.pop_front() {
            return Some(payload);
        }
        let (cloud, month, restate) = self.bills.pop_front()?;
        let file = bills::write(self.world, cloud, month, restate);
        Some(Payload::Bill {
            source: file.total.cloud,
            dataset: file.total.dataset,
            file_name: file.total.file_name,
            bytes: file.bytes,
            restate,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let slices = (self.world.timeline.steps - self.step).div_ceil(SLICE);
        let sure = self.ready.len() + self.bills.len();
        (sure + 2 * slices, Some(sure + 5 * slices))
    }
}
