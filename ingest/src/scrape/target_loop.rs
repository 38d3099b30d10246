//! One target, scraped at its times until told to stop.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use grid_decode::exposition::protobuf::{self, ProtobufOptions};
use grid_decode::exposition::{self, Format, Page};
use grid_decode::{DecodeContext, Decoded};
use grid_model::{Table, Timestamp};
use grid_scrape_config::target::Target;
use grid_scrape_config::{ScrapeConfig, ScrapeProtocol, duration};
use http::HeaderName;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::fetch::{Answer, Ask, Fetcher};
use super::ledger::{Ledger, Report, Rules};
use super::status::{Health, Progress};

/// What is small enough to take on the thread that fetched it.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// A scrape that is late by no more than this has the time for which it was planned, which compresses better.
const ALIGN_TOLERANCE_NS: i64 = 2_000_000;

/// A target and what is needed to scrape it.
pub(super) struct TargetLoop {
    pub(super) shared: Arc<Shared>,
    pub(super) job: Arc<ScrapeConfig>,
    pub(super) target: Arc<Target>,
    pub(super) fetcher: Arc<Fetcher>,
    pub(super) progress: Arc<Mutex<Progress>>,
    pub(super) ledger: Ledger,
    /// Why nothing of this job is scraped (`target_limit`).
    pub(super) forced_error: Option<String>,
}

impl TargetLoop {
    /// Scrapes until the token is cancelled; what is known of the target is handed back.
    pub(super) async fn run(mut self, token: CancellationToken) -> Ledger {
        let first = Instant::now() + self.until_first();
        let mut ticks = tokio::time::interval_at(first, self.target.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = token.cancelled() => return self.ledger,
                _ = ticks.tick() => {}
            }
            let time = self.aligned((self.shared.clock)());
            let asked = Instant::now();
            // What is half fetched is nobody's yet; what is fetched is written.
            let Some(answer) = token.run_until_cancelled(self.ask()).await else { return self.ledger };
            self.take(answer, time, asked).await;
        }
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.target.labels, self.target.url()).hash(&mut hasher);
        hasher.finish()
    }

    /// Where in its interval this target is scraped, in nanoseconds: targets are spread, and keep their place over restarts.
    fn offset_ns(&self) -> i64 {
        let interval = self.interval_ns();
        i64::try_from(self.hash() % interval.unsigned_abs()).unwrap_or(0)
    }

    fn interval_ns(&self) -> i64 {
        i64::try_from(self.target.interval.as_nanos()).unwrap_or(i64::MAX).max(1)
    }

    fn until_first(&self) -> Duration {
        let (interval, now) = (self.interval_ns(), (self.shared.clock)().nanos());
        let wait = (self.offset_ns() - now.rem_euclid(interval)).rem_euclid(interval);
        Duration::from_nanos(wait.unsigned_abs())
    }

    /// The time of a scrape in whole milliseconds: the planned one if it is near.
    fn aligned(&self, now: Timestamp) -> Timestamp {
        const MS: i64 = 1_000_000;
        let interval = self.interval_ns();
        let late = (now.nanos() - self.offset_ns() + interval / 2).rem_euclid(interval) - interval / 2;
        let near = late.abs() <= ALIGN_TOLERANCE_NS.min(interval / 100);
        let time = if near { now.nanos() - late } else { now.nanos() };
        Timestamp(time - time.rem_euclid(MS))
    }

    async fn ask(&self) -> Result<Answer, String> {
        if let Some(error) = &self.forced_error {
            return Err(error.clone());
        }
        let timeout = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");
        let url = self.target.url();
        let configured = Some(self.job.limits.body_bytes).filter(|n| *n > 0).unwrap_or(u64::MAX);
        let ask = Ask {
            url: &url,
            accept: &self.job.accept_header(),
            compression: self.job.compression,
            headers: &[(timeout, self.target.timeout.as_secs_f64().to_string())],
            body_bytes_max: configured.min(self.shared.body_bytes_max),
        };
        match tokio::time::timeout(self.target.timeout, self.fetcher.fetch(&ask)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {}", duration::format(self.target.timeout))),
        }
    }

    async fn take(&mut self, answer: Result<Answer, String>, time: Timestamp, asked: Instant) {
        let shared = Arc::clone(&self.shared);
        let counters = shared.status.counters();
        let mut report = Report::default();
        let mut bytes = 0;
        let taken = match answer {
            Err(error) => Err(error),
            Ok(answer) => {
                bytes = answer.body.len();
                let (taken, of_page) = self.take_page(answer, time).await;
                report = of_page;
                taken
            }
        };
        report.duration = asked.elapsed();
        report.up = taken.is_ok();
        let target = Arc::clone(&self.target);
        let limits = &self.shared.limits;
        let (mut decoded, error) = match taken {
            Ok(decoded) => (decoded, String::new()),
            Err(error) => {
                let write = self.ledger.take_failure(time);
                counters.stale_markers.fetch_add(rows(&write), Ordering::Relaxed);
                (Decoded { write, ..Decoded::default() }, error)
            }
        };
        decoded.write = self.ledger.report(&report, &target.labels, limits, time, decoded.write);
        counters.scrapes.fetch_add(1, Ordering::Relaxed);
        counters.failed.fetch_add(u64::from(!report.up), Ordering::Relaxed);
        counters.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if report.up {
            counters.samples.fetch_add(report.kept as u64, Ordering::Relaxed);
        }
        if !decoded.rejects.is_empty() {
            let (job, url, reasons) = (&self.job.job_name, target.url(), decoded.rejects.summary());
            tracing::debug!(job, url, reasons, "page taken in part");
        }
        if let Err(reason) = self.shared.write(decoded, bytes).await {
            counters.not_written.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(job = self.job.job_name, url = target.url(), reason, "a scrape could not be written");
        }
        let mut progress = self.progress.lock();
        let was = progress.health;
        *progress = Progress {
            health: if report.up { Health::Up } else { Health::Down },
            last_error: error,
            last_scrape: Some(time),
            last_duration: report.duration,
        };
        if progress.health == Health::Down && was != Health::Down {
            let (job, url, error) = (&self.job.job_name, target.url(), &progress.last_error);
            tracing::info!(job, url, error, "target is down");
        }
    }

    async fn take_page(&mut self, answer: Answer, time: Timestamp) -> (Result<Decoded, String>, Report) {
        // An empty body is an empty page, whatever it says of itself.
        if answer.body.is_empty() {
            let mut report = Report::default();
            let limits = &self.shared.limits;
            let rules = Rules { job: &self.job, target: &self.target.labels, limits, time };
            return (self.ledger.take_page(Page::default(), rules, &mut report), report);
        }
        let format = match page_format(&answer.content_type, self.job.fallback_protocol) {
            Ok(format) => format,
            Err(error) => return (Err(error), Report::default()),
        };
        let mut ledger = std::mem::take(&mut self.ledger);
        let (shared, job, target) = (Arc::clone(&self.shared), Arc::clone(&self.job), Arc::clone(&self.target));
        let small = answer.body.len() <= INLINE_BYTES_MAX;
        let work = move || {
            let context = DecodeContext { now: time, limits: &shared.limits };
            let page = read_page(&answer.body, format, &job, &context);
            let mut report = Report::default();
            let rules = Rules { job: &job, target: &target.labels, limits: &shared.limits, time };
            let taken = ledger.take_page(page, rules, &mut report);
            (ledger, taken, report)
        };
        let done = if small { Ok(work()) } else { tokio::task::spawn_blocking(work).await };
        match done {
            Ok((ledger, taken, report)) => {
                self.ledger = ledger;
                (taken, report)
            }
            Err(e) => {
                tracing::error!(error = %e, "a decoder panicked");
                (Err("internal error: the decoder failed".to_owned()), Report::default())
            }
        }
    }
}

/// How a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PageFormat {
    Text(Format),
    Protobuf,
}

/// The format that a target says, or the one that the job says for targets that do not.
fn page_format(content_type: &str, fallback: Option<ScrapeProtocol>) -> Result<PageFormat, String> {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match (media.as_str(), fallback) {
        ("application/openmetrics-text", _) => Ok(PageFormat::Text(Format::OpenMetrics)),
        ("application/vnd.google.protobuf", _) => Ok(PageFormat::Protobuf),
        ("text/plain", _) => Ok(PageFormat::Text(Format::Prometheus)),
        (_, Some(ScrapeProtocol::Protobuf)) => Ok(PageFormat::Protobuf),
        (_, Some(ScrapeProtocol::OpenMetrics0 | ScrapeProtocol::OpenMetrics1)) => {
            Ok(PageFormat::Text(Format::OpenMetrics))
        }
        (_, Some(ScrapeProtocol::Text0 | ScrapeProtocol::Text1)) => Ok(PageFormat::Text(Format::Prometheus)),
        ("", None) => Err("the target names no Content-Type, and the job no fallback_scrape_protocol".to_owned()),
        (_, None) => {
            Err(format!("Content-Type {content_type:?} is unknown, and the job names no fallback_scrape_protocol"))
        }
    }
}

fn read_page(body: &Bytes, format: PageFormat, job: &ScrapeConfig, context: &DecodeContext<'_>) -> Page {
    match format {
        PageFormat::Text(format) => exposition::decode_page(body, format, context),
        PageFormat::Protobuf => {
            let options = ProtobufOptions {
                native_histograms: job.native_histograms,
                classic_histograms: job.classic_histograms,
            };
            protobuf::decode_page(body, options, context)
        }
    }
}

/// Rows of samples.
pub(super) fn rows(write: &grid_model::Write) -> u64 {
    write.batches.iter().filter(|(t, _)| *t == Table::Samples).map(|(_, b)| b.num_rows() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_chosen_as_prometheus_chooses() {
        let text = |f| Ok(PageFormat::Text(f));
        for (content_type, fallback, want) in [
            ("text/plain; version=0.0.4; charset=utf-8", None, text(Format::Prometheus)),
            ("application/openmetrics-text; version=1.0.0", None, text(Format::OpenMetrics)),
            ("Application/vnd.google.protobuf; proto=x", None, Ok(PageFormat::Protobuf)),
            ("text/html", Some(ScrapeProtocol::Text0), text(Format::Prometheus)),
            ("", Some(ScrapeProtocol::OpenMetrics1), text(Format::OpenMetrics)),
            ("text/plain", Some(ScrapeProtocol::OpenMetrics1), text(Format::Prometheus)),
        ] {
            assert_eq!(page_format(content_type, fallback), want, "{content_type}");
        }
        assert!(page_format("", None).is_err());
        assert!(page_format("text/html", None).is_err());
    }
}
