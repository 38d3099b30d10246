//! `grid import metrics|logs|traces`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use grid_decode::Decoded;
use grid_ingest::{IngestOptions, Signal};
use grid_model::reject::Reject;
use grid_model::{Labels, TenantId};
use grid_store::Store;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::send;
use crate::args::{ImportArgs, ReportFormat};
use crate::client::Client;
use crate::target::{self, Target};
use crate::unit::{show_bytes, show_count};
use crate::{clock, loops, out, progress, setup};

/// Rejects that are listed one by one.
const REJECTS_SHOWN: usize = 20;
/// How much of a file is looked at to see whether it holds objects.
const HEAD_BYTES: u64 = 4096;

/// Which tables the rows are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Metrics,
    Logs,
    Traces,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }

    /// What the rows are called.
    fn items(self) -> &'static str {
        match self {
            Self::Metrics => "samples",
            Self::Logs => "records",
            Self::Traces => "spans",
        }
    }

    /// What the reader needs to know of a file. Log lines that do not name their service belong to one called like the
    /// file: `checkout.2026-11-23.log` to `checkout`.
    fn signal(self, path: &Path, service: Option<&str>) -> Signal {
        match self {
            Self::Metrics => Signal::Metrics,
            Self::Traces => Signal::Traces,
            Self::Logs => {
                let file = file_name(path);
                let service = match service {
                    Some(service) => service.to_owned(),
                    None if begins_with_object(path) => String::new(),
                    None => file.split('.').next().unwrap_or_default().to_owned(),
                };
                Signal::Logs { service, labels: Labels::of(&[("filename", &file)]) }
            }
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether the first thing in a file is a JSON object. What is compressed counts as plain.
fn begins_with_object(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && head.trim_ascii_start().starts_with(b"{")
}

enum Sink {
    Nowhere,
    Store(Store, TenantId),
    Server(Client),
}

/// What became of one file.
struct FileReport {
    path: PathBuf,
    format: Option<&'static str>,
    bytes: u64,
    accepted: u64,
    rejected: u64,
    rejects: Vec<Reject>,
    error: Option<String>,
}

/// Imports files one after the other; a file that cannot be read does not stop the others.
pub(super) async fn run(
    file: Option<&Path>,
    kind: Kind,
    args: ImportArgs,
    service: Option<String>,
) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    if args.format != "auto" {
        bail!("the format of {} is found in the files themselves; leave --format away", kind.name());
    }
    let options = IngestOptions {
        limits: setup::decode_limits(&config),
        otlp: setup::otlp_options(&config),
        ..IngestOptions::default()
    };
    let sink = if args.check {
        Sink::Nowhere
    } else {
        match Target::resolve(&args.target, &config)? {
            Target::Server(client) => Sink::Server(client),
            Target::Directory(dir) => {
                Sink::Store(setup::store(&config, &dir).await?, target::tenant(&args.target.tenant)?)
            }
        }
    };
    let stop = CancellationToken::new();
    // A long import outgrows the buffer: it is written to files as it fills.
    let flushing = match &sink {
        Sink::Store(store, _) => {
            let interval = config.duration("storage.flush_interval");
            Some(tokio::spawn(loops::flush(store.clone(), interval, stop.clone())))
        }
        _ => None,
    };
    let mut reports = Vec::new();
    for path in &args.files {
        let signal = kind.signal(path, service.as_deref());
        reports.push(import(path, kind, signal, &options, &sink).await);
    }
    stop.cancel();
    if let Some(flushing) = flushing {
        flushing.await.context("flush")??;
    }
    if let Sink::Store(store, _) = &sink {
        store.close().await.context("flush and close the store")?;
    }
    match args.output {
        ReportFormat::Json => out::line(&serde_json::to_string_pretty(&as_json(kind, &reports, args.check))?)?,
        ReportFormat::Text => out::bytes(as_text(kind, &reports, args.check).as_bytes())?,
    }
    let nothing =
        reports.iter().all(|r| r.accepted == 0) && reports.iter().any(|r| r.rejected > 0 || r.error.is_some());
    Ok(if nothing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn import(path: &Path, kind: Kind, signal: Signal, options: &IngestOptions, sink: &Sink) -> FileReport {
    let bytes = std::fs::metadata(path).map(|m| m.len()).unwrap_or(0);
    let bar = progress::bytes(bytes, &path.file_name().unwrap_or(path.as_os_str()).to_string_lossy());
    let (mut chunks, reader) = grid_ingest::decode_file(path, signal, options.clone(), clock::system());
    let mut report = FileReport {
        path: path.to_owned(),
        format: None,
        bytes,
        accepted: 0,
        rejected: 0,
        rejects: Vec::new(),
        error: None,
    };
    while let Some(chunk) = chunks.recv().await {
        bar.set_position(chunk.bytes_read);
        if let Err(e) = take(chunk.decoded, kind, sink, &mut report).await {
            // Dropping the receiver stops the reader.
            report.error = Some(format!("{e:#}"));
            break;
        }
    }
    drop(chunks);
    match reader.await {
        Ok(Ok((format, _))) => report.format = Some(format),
        Ok(Err(e)) => report.error = report.error.or(Some(format!("{:#}", anyhow::Error::from(e)))),
        Err(e) => report.error = report.error.or(Some(format!("the reader died: {e}"))),
    }
    bar.finish_and_clear();
    report
}

async fn take(decoded: Decoded, kind: Kind, sink: &Sink, report: &mut FileReport) -> anyhow::Result<()> {
    let counts = decoded.counts;
    let mut accepted = match kind {
        Kind::Metrics => counts.samples + counts.histograms,
        Kind::Logs => counts.logs,
        Kind::Traces => counts.spans,
    };
    report.rejected += decoded.rejects.count;
    report.rejects.extend(decoded.rejects.first.iter().cloned());
    let name = file_name(&report.path);
    let mut refuse = |count: u64, reason: String| {
        if count > 0 {
            report.rejects.push(Reject { position: 0, reason });
            report.rejected += count;
        }
    };
    match sink {
        Sink::Nowhere => {}
        Sink::Store(store, tenant) => {
            let appended = store.append_waiting(tenant, decoded.write).await.context("store rows")?;
            let over = appended.rows_over_series_limit as u64;
            refuse(over, format!("{over} samples are over the tenant's limit of series"));
            accepted = accepted.saturating_sub(over);
        }
        Sink::Server(client) => {
            let reply = send::send(client, kind, &decoded, &name).await?;
            refuse(reply.refused, reply.reason.unwrap_or_else(|| "refused by the server".to_owned()));
            accepted = accepted.saturating_sub(reply.refused);
        }
    }
    report.accepted += accepted;
    Ok(())
}

fn as_json(kind: Kind, reports: &[FileReport], check: bool) -> Value {
    let files: Vec<Value> = reports
        .iter()
        .map(|r| {
            let reject = |j: &Reject| json!({ "position": j.position, "reason": j.reason });
            json!({
                "file": r.path.display().to_string(),
                "format": r.format,
                "bytes": r.bytes,
                "accepted": r.accepted,
                "rejected": r.rejected,
                "rejects": r.rejects.iter().map(reject).collect::<Vec<_>>(),
                "error": r.error,
            })
        })
        .collect();
    json!({
        "kind": kind.name(),
        "check": check,
        "accepted": reports.iter().map(|r| r.accepted).sum::<u64>(),
        "rejected": reports.iter().map(|r| r.rejected).sum::<u64>(),
        "files": files,
    })
}

fn as_text(kind: Kind, reports: &[FileReport], check: bool) -> String {
    let verb = if check { "would store" } else { "stored" };
    let noun = kind.items();
    let mut text = String::new();
    for r in reports {
        text.push_str(&format!(
            "{}: {verb} {} {noun}, rejected {} ({}, {})\n",
            r.path.display(),
            show_count(r.accepted),
            show_count(r.rejected),
            r.format.unwrap_or("unknown format"),
            show_bytes(r.bytes),
        ));
        for reject in r.rejects.iter().take(REJECTS_SHOWN) {
            let place = if reject.position > 0 { format!("{}: ", reject.position) } else { String::new() };
            text.push_str(&format!("  {place}{}\n", reject.reason));
        }
        if r.rejects.len() > REJECTS_SHOWN {
            text.push_str(&format!("  ... {} more; -o json lists them\n", r.rejects.len() - REJECTS_SHOWN));
        }
        if let Some(error) = &r.error {
            text.push_str(&format!("  error: {error}\n"));
        }
    }
    text
}
