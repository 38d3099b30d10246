//! `grid import metrics|logs|traces`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use grid_model::TenantId;
use grid_model::reject::Reject;
use grid_store::Store;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::read::{self, Format, Piece, Plan, Signal};
use super::send;
use crate::args::{ImportArgs, ReportFormat};
use crate::client::Client;
use crate::target::{self, Target};
use crate::unit::{show_bytes, show_count};
use crate::{clock, out, progress, setup};

/// Pieces between the decoder and the store.
const QUEUE: usize = 4;
/// Rejects that are listed one by one.
const REJECTS_SHOWN: usize = 20;

enum Sink {
    Nowhere,
    Store(Store, TenantId),
    Server(Client),
}

/// What became of one file.
struct FileReport {
    path: PathBuf,
    format: Option<Format>,
    bytes: u64,
    accepted: u64,
    rejected: u64,
    rejects: Vec<Reject>,
    error: Option<String>,
}

/// Imports files one after the other; a file that cannot be read does not stop the others.
pub(super) async fn run(file: Option<&Path>, signal: Signal, args: ImportArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let plan = Arc::new(Plan {
        signal,
        format: Format::of_flag(signal, &args.format)?,
        now: clock::now(),
        limits: setup::decode_limits(&config),
        options: setup::otlp_options(&config),
    });
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
    let mut reports = Vec::new();
    for path in &args.files {
        reports.push(import(path, &plan, &sink).await);
    }
    if let Sink::Store(store, _) = &sink {
        store.close().await.context("flush and close the store")?;
    }
    match args.output {
        ReportFormat::Json => out::line(&serde_json::to_string_pretty(&as_json(signal, &reports, args.check))?)?,
        ReportFormat::Text => out::bytes(as_text(signal, &reports, args.check).as_bytes())?,
    }
    let nothing = reports.iter().all(|r| r.accepted == 0) && reports.iter().any(|r| r.rejected > 0 || r.error.is_some());
    Ok(if nothing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn import(path: &Path, plan: &Arc<Plan>, sink: &Sink) -> FileReport {
    let bytes = std::fs::metadata(path).map(|m| m.len()).unwrap_or(0);
    let bar = progress::bytes(bytes, &path.file_name().unwrap_or(path.as_os_str()).to_string_lossy());
    let (pieces, mut queue) = mpsc::channel::<Piece>(QUEUE);
    let reader = {
        let (path, plan, bar) = (path.to_owned(), Arc::clone(plan), bar.clone());
        let count = move |n| bar.inc(n);
        tokio::task::spawn_blocking(move || read::read(&path, &plan, count, |piece| pieces.blocking_send(piece).is_ok()))
    };
    let mut report = FileReport {
        path: path.to_owned(),
        format: None,
        bytes,
        accepted: 0,
        rejected: 0,
        rejects: Vec::new(),
        error: None,
    };
    while let Some(piece) = queue.recv().await {
        if let Err(e) = take(piece, plan.signal, sink, &mut report).await {
            // Dropping the queue stops the reader.
            report.error = Some(format!("{e:#}"));
            break;
        }
    }
    drop(queue);
    match reader.await {
        Ok(Ok(format)) => report.format = Some(format),
        Ok(Err(e)) => report.error = report.error.or(Some(format!("{e:#}"))),
        Err(e) => report.error = report.error.or(Some(format!("the reader died: {e}"))),
    }
    bar.finish_and_clear();
    report
}

async fn take(piece: Piece, signal: Signal, sink: &Sink, report: &mut FileReport) -> anyhow::Result<()> {
    let counts = piece.decoded.counts;
    let mut accepted = match signal {
        Signal::Metrics => counts.samples + counts.histograms,
        Signal::Logs => counts.logs,
        Signal::Traces => counts.spans,
    };
    let mut rejected = piece.decoded.rejects.count;
    report.rejects.extend(piece.decoded.rejects.first.iter().cloned());
    match sink {
        Sink::Nowhere => {}
        Sink::Store(store, tenant) => {
            let appended = store.append_waiting(tenant, piece.decoded.write).await.context("store rows")?;
            let over = appended.rows_over_series_limit as u64;
            if over > 0 {
                report.rejects.push(Reject { position: 0, reason: format!("{over} rows are over the limit of series") });
            }
            accepted = accepted.saturating_sub(over);
            rejected += over;
        }
        Sink::Server(client) => {
            let reply = send::send(client, signal, &piece).await?;
            // What decoded here and not there is refused by other limits; what failed in both is counted once.
            let more = reply.refused.saturating_sub(if piece.request.is_some() { piece.decoded.rejects.count } else { 0 });
            if more > 0 {
                report.rejects.push(Reject { position: 0, reason: reply.reason.unwrap_or_else(|| "refused".to_owned()) });
            }
            accepted = accepted.saturating_sub(more);
            rejected += more;
        }
    }
    report.accepted += accepted;
    report.rejected += rejected;
    Ok(())
}

fn as_json(signal: Signal, reports: &[FileReport], check: bool) -> Value {
    let files: Vec<Value> = reports
        .iter()
        .map(|r| {
            let reject = |j: &Reject| json!({ "position": j.position, "reason": j.reason });
            json!({
                "file": r.path.display().to_string(),
                "format": r.format.map(Format::name),
                "bytes": r.bytes,
                "accepted": r.accepted,
                "rejected": r.rejected,
                "rejects": r.rejects.iter().map(reject).collect::<Vec<_>>(),
                "error": r.error,
            })
        })
        .collect();
    json!({
        "kind": signal.name(),
        "check": check,
        "accepted": reports.iter().map(|r| r.accepted).sum::<u64>(),
        "rejected": reports.iter().map(|r| r.rejected).sum::<u64>(),
        "files": files,
    })
}

fn as_text(signal: Signal, reports: &[FileReport], check: bool) -> String {
    let verb = if check { "would store" } else { "stored" };
    let noun = match signal {
        Signal::Metrics => "samples",
        Signal::Logs => "records",
        Signal::Traces => "spans",
    };
    let mut text = String::new();
    for r in reports {
        text.push_str(&format!(
            "{}: {verb} {} {noun}, rejected {} ({}, {})\n",
            r.path.display(),
            show_count(r.accepted),
            show_count(r.rejected),
            r.format.map_or("unknown format", Format::name),
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
