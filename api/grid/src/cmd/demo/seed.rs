//! The pipeline of seeding: one thread generates, one decodes, the store writes, flushing as it goes.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use grid_api::finance::{self, Desk};
use grid_decode::otlp::OtlpOptions;
use grid_decode::{
    DecodeContext, DecodeError, Decoded, Limits, loki, otlp_logs, otlp_metrics, otlp_traces, remote_write,
};
use grid_model::{TenantId, Timestamp};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::marker::Marker;
use crate::bills::{Bills, Request, Source};
use crate::config::Config;
use crate::demo::{Demo, Payload, budgets};
use crate::wire::Rooms;
use crate::{loops, progress, setup};

/// Payloads between two threads: each is a slice of six hours, some megabytes.
const QUEUE: usize = 2;
/// Appends under way at once, so that one sync of the WAL serves several.
const APPENDS: usize = 4;

/// What was seeded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Report {
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) samples: u64,
    pub(super) logs: u64,
    pub(super) spans: u64,
    pub(super) bills: u64,
    pub(super) charges: u64,
    pub(super) elapsed: Duration,
}

/// What comes out of the decoding thread.
enum Piece {
    Rows(Decoded, usize),
    Bill(Box<(String, String, Bytes, bool)>),
}

/// Seeds the company into the tenant `default`.
pub(super) async fn seed(config: &Config, rooms: &Rooms, marker: &Marker) -> anyhow::Result<Report> {
    let began = Instant::now();
    let (until, seed, days) = (Timestamp(marker.until), marker.seed, marker.days);
    let bar = progress::steps(1, "seeding");

    let (payloads, mut generated) = mpsc::channel::<Payload>(QUEUE);
    let total = bar.clone();
    let generator = tokio::task::spawn_blocking(move || {
        let demo = Demo::new(seed, until, days);
        let all = demo.payloads();
        total.set_length(all.size_hint().1.unwrap_or(0) as u64);
        for payload in all {
            if payloads.blocking_send(payload).is_err() {
                break;
            }
        }
    });
    let (pieces, decoded) = mpsc::channel::<Result<Piece, DecodeError>>(QUEUE);
    let (limits, options) = (setup::decode_limits(config), setup::otlp_options(config));
    let decoder = tokio::task::spawn_blocking(move || {
        while let Some(payload) = generated.blocking_recv() {
            if pieces.blocking_send(decode(payload, until, &limits, &options)).is_err() {
                break;
            }
        }
    });

    let stop = CancellationToken::new();
    let flushing =
        tokio::spawn(loops::flush(rooms.store.clone(), config.duration("storage.flush_interval"), stop.clone()));
    let tenant = TenantId::default_tenant();
    let appends = ReceiverStream::new(decoded).map(|piece| {
        let (store, tenant) = (rooms.store.clone(), tenant.clone());
        async move {
            let mut part = Report::default();
            match piece.context("decode what the demo made")? {
                Piece::Rows(decoded, bytes) => {
                    anyhow::ensure!(decoded.rejects.is_empty(), "the demo was rejected: {}", decoded.rejects.summary());
                    let counts = decoded.counts;
                    store.append_waiting(&tenant, decoded.write).await.context("store the demo")?;
                    part.requests = 1;
                    part.bytes = bytes as u64;
                    part.samples = counts.samples + counts.histograms;
                    part.logs = counts.logs;
                    part.spans = counts.spans;
                }
                Piece::Bill(bill) => {
                    let (dataset, name, bytes, restate) = *bill;
                    part.bills = 1;
                    part.bytes = bytes.len() as u64;
                    let request = Request {
                        tenant,
                        files: vec![Source::Bytes { name, bytes }],
                        dataset: Some(dataset),
                        format: None,
                        mapping: None,
                        manifest_version: None,
                        manifest_made: None,
                        also_replaced: std::collections::BTreeSet::new(),
                        restate,
                        check: false,
                    };
                    let outcome = Bills::new(store).take(request, |_| ()).await.context("import a bill of the demo")?;
                    part.charges = outcome.record.rows;
                }
            }
            anyhow::Ok(part)
        }
    });
    // In order: a restated bill comes after the one that it replaces.
    let mut appends = appends.buffered(APPENDS);
    let mut report = Report::default();
    let outcome = async {
        while let Some(part) = appends.try_next().await? {
            bar.inc(1);
            report.requests += part.requests;
            report.bytes += part.bytes;
            report.samples += part.samples;
            report.logs += part.logs;
            report.spans += part.spans;
            report.bills += part.bills;
            report.charges += part.charges;
        }
        anyhow::Ok(())
    }
    .await;
    drop(appends);
    stop.cancel();
    generator.await.context("generate the demo")?;
    decoder.await.context("decode the demo")?;
    flushing.await.context("flush the demo")??;
    bar.finish_and_clear();
    outcome?;
    rooms.store.flush().await.context("flush the demo")?;
    let desk = Desk {
        engine: &rooms.engine,
        store: &rooms.store,
        tenant: TenantId::default_tenant(),
        client: "demo".to_owned(),
        as_of: None,
    };
    for budget in budgets::all() {
        finance::budget::put(&desk, &budget, "demo", None).await.context("keep a budget of the demo")?;
    }
    super::provision::seed(config, rooms, &Demo::new(seed, until, days), until)
        .await
        .context("make the environments of the demo")?;
    report.elapsed = began.elapsed();
    Ok(report)
}

fn decode(payload: Payload, now: Timestamp, limits: &Limits, options: &OtlpOptions) -> Result<Piece, DecodeError> {
    let context = DecodeContext { now, limits };
    let (decoded, bytes) = match payload {
        Payload::RemoteWrite(bytes) => {
            let message = snap::raw::Decoder::new()
                .decompress_vec(&bytes)
                .map_err(|e| DecodeError { format: "snappy", reason: e.to_string() })?;
            (remote_write::decode_v1(&message, &context)?, bytes.len())
        }
        Payload::OtlpMetrics(bytes) => (otlp_metrics::decode_protobuf(&bytes, options, &context)?, bytes.len()),
        Payload::OtlpTraces(bytes) => (otlp_traces::decode_protobuf(&bytes, &context)?, bytes.len()),
        Payload::OtlpLogs(bytes) => (otlp_logs::decode_protobuf(&bytes, options, &context)?, bytes.len()),
        Payload::LokiJson(bytes) => (loki::decode_json(&bytes, &context)?, bytes.len()),
        Payload::Bill { dataset, file_name, bytes, restate, .. } => {
            return Ok(Piece::Bill(Box::new((dataset.to_owned(), file_name, Bytes::from(bytes), restate))));
        }
    };
    Ok(Piece::Rows(decoded, bytes))
}
