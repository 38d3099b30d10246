//! Counters of what came in, by protocol.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use grid_model::reject::Rejects;

use crate::accept::Accepted;

/// How data came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// OTLP over HTTP.
    OtlpHttp,
    /// OTLP over gRPC.
    OtlpGrpc,
    /// Prometheus remote write 1.0.
    RemoteWrite1,
    /// Prometheus remote write 2.0.
    RemoteWrite2,
    /// Loki's push.
    Loki,
    /// Pages that the scraper fetched.
    Scrape,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 6] =
        [Self::OtlpHttp, Self::OtlpGrpc, Self::RemoteWrite1, Self::RemoteWrite2, Self::Loki, Self::Scrape];

    /// The value of the label `protocol`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtlpHttp => "otlp_http",
            Self::OtlpGrpc => "otlp_grpc",
            Self::RemoteWrite1 => "remote_write_1",
            Self::RemoteWrite2 => "remote_write_2",
            Self::Loki => "loki",
            Self::Scrape => "scrape",
        }
    }
}

const PROTOCOLS: usize = Protocol::ALL.len();
const KINDS: [&str; 6] = ["sample", "histogram", "exemplar", "metadata", "log", "span"];

/// Why items are rejected, in few words, so that the label stays small; the first words that a reason holds count.
const REASONS: [(&str, &str); 7] = [
    ("in the future", "future"),
    ("limit", "limit"),
    ("more than", "limit"),
    (" id ", "id"),
    ("beyond the year", "time"),
    ("expected", "malformed"),
    ("", "other"),
];

/// Statuses of refused requests.
const STATUSES: [u16; 9] = [400, 401, 403, 408, 413, 415, 429, 503, 0];

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
    accepted: [AtomicU64; KINDS.len()],
    rejected: [AtomicU64; REASONS.len()],
    refused: [AtomicU64; STATUSES.len()],
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct IngestMetrics {
    by_protocol: [Counters; PROTOCOLS],
}

impl IngestMetrics {
    pub(crate) fn accepted(&self, protocol: Protocol, bytes: usize, accepted: &Accepted) {
        let c = &self.by_protocol[protocol as usize];
        c.requests.fetch_add(1, Ordering::Relaxed);
        c.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let n = &accepted.counts;
        for (counter, n) in c.accepted.iter().zip([n.samples, n.histograms, n.exemplars, n.metadata, n.logs, n.spans]) {
            counter.fetch_add(n, Ordering::Relaxed);
        }
        self.rejected(protocol, &accepted.rejects);
    }

    fn rejected(&self, protocol: Protocol, rejects: &Rejects) {
        let counters = &self.by_protocol[protocol as usize].rejected;
        for reject in &rejects.first {
            let class =
                REASONS.iter().position(|(words, _)| reject.reason.contains(words)).unwrap_or(REASONS.len() - 1);
            counters[class].fetch_add(1, Ordering::Relaxed);
        }
        let untold = rejects.count.saturating_sub(rejects.first.len() as u64);
        counters[REASONS.len() - 1].fetch_add(untold, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, protocol: Protocol, status: u16) {
        let at = STATUSES.iter().position(|s| *s == status).unwrap_or(STATUSES.len() - 1);
        self.by_protocol[protocol as usize].refused[at].fetch_add(1, Ordering::Relaxed);
    }

    /// Appends the counters in Prometheus' text format.
    pub fn render_prometheus(&self, out: &mut String) {
        let families: [(&str, &str); 5] = [
            ("grid_ingest_requests_total", "Requests accepted, at least in part."),
            ("grid_ingest_bytes_total", "Bytes of accepted requests after inflation."),
            ("grid_ingest_accepted_items_total", "Items written, by kind."),
            ("grid_ingest_rejected_items_total", "Items of accepted requests that were not written, by reason."),
            ("grid_ingest_refused_requests_total", "Requests of which nothing was written, by HTTP status."),
        ];
        for (i, (name, help)) in families.into_iter().enumerate() {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            for (protocol, c) in Protocol::ALL.into_iter().zip(&self.by_protocol) {
                let protocol = protocol.as_str();
                let mut line = |label: &str, counter: &AtomicU64| {
                    let _ =
                        writeln!(out, "{name}{{protocol=\"{protocol}\"{label}}} {}", counter.load(Ordering::Relaxed));
                };
                match i {
                    0 => line("", &c.requests),
                    1 => line("", &c.bytes),
                    2 => KINDS.iter().zip(&c.accepted).for_each(|(kind, n)| line(&format!(",kind=\"{kind}\""), n)),
                    3 => {
                        // Two patterns may stand for one reason.
                        for (at, (_, reason)) in REASONS.iter().enumerate() {
                            if REASONS[..at].iter().any(|(_, r)| r == reason) {
                                continue;
                            }
                            let same = REASONS.iter().zip(&c.rejected).filter(|((_, r), _)| r == reason);
                            let sum = AtomicU64::new(same.map(|(_, n)| n.load(Ordering::Relaxed)).sum());
                            line(&format!(",reason=\"{reason}\""), &sum);
                        }
                    }
                    _ => {
                        for (status, n) in STATUSES.iter().zip(&c.refused) {
                            let status = if *status == 0 { "other".to_owned() } else { status.to_string() };
                            line(&format!(",status=\"{status}\""), n);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_rendered_with_their_reasons() {
        let metrics = IngestMetrics::default();
        let mut accepted = Accepted::default();
        accepted.counts.samples = 3;
        for reason in ["time x lies more than 24 h in the future", "9 labels, the limit is 2", "whatever"] {
            accepted.rejects.push(1, reason);
        }
        accepted.rejects.count += 10;
        metrics.accepted(Protocol::Loki, 100, &accepted);
        metrics.refused(Protocol::Loki, 503);
        let mut text = String::new();
        metrics.render_prometheus(&mut text);
        for line in [
            "grid_ingest_accepted_items_total{protocol=\"loki\",kind=\"sample\"} 3",
            "grid_ingest_rejected_items_total{protocol=\"loki\",reason=\"future\"} 1",
            "grid_ingest_rejected_items_total{protocol=\"loki\",reason=\"limit\"} 1",
            "grid_ingest_rejected_items_total{protocol=\"loki\",reason=\"other\"} 11",
            "grid_ingest_refused_requests_total{protocol=\"loki\",status=\"503\"} 1",
            "grid_ingest_bytes_total{protocol=\"loki\"} 100",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
