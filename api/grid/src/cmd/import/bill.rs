//! `grid import bill`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use grid_decode::bill::BillFormat;
use grid_decode::bill::plan::Skip;
use grid_model::Timestamp;
use grid_store::catalog::{ImportNote, ImportReject, ImportTotal};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use crate::args::{BillArgs, ReportFormat};
use crate::bills::{Bills, Outcome, Request, Source, from_manifest};
use crate::client::Client;
use crate::target::{self, Target};
use crate::unit::{show_count, show_time};
use crate::{out, progress, setup};

/// Rejects that are listed one by one.
const REJECTS_SHOWN: usize = 20;
/// A line of multipart that no bill contains.
const BOUNDARY: &str = "grid-bill-5d1f0c7a93e64b2f8a17";

/// Imports all files as one.
pub(super) async fn run(file: Option<&Path>, args: BillArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let request = request(&args)?;
    let shown = match Target::resolve(&args.common.target, &config)? {
        Target::Server(client) => upload(&client, &request, &args.common.format).await?,
        Target::Directory(dir) => {
            let store = setup::store(&config, &dir).await?;
            let total = request.files.iter().map(Source::len).sum();
            let bar = progress::bytes(total, "bill");
            let count = Arc::new(bar.clone());
            let outcome = Bills::new(store.clone()).take(request, move |n| count.inc(n)).await;
            bar.finish_and_clear();
            store.close().await.context("flush and close the store")?;
            as_json(&outcome?)
        }
    };
    match args.common.output {
        ReportFormat::Json => out::line(&serde_json::to_string_pretty(&shown)?)?,
        ReportFormat::Text => out::bytes(as_text(&shown).as_bytes())?,
    }
    let (stored, rejected) = (&shown["rows_stored"], &shown["rows_rejected"]);
    let (stored, rejected) = (stored.as_u64().unwrap_or(0), rejected.as_u64().unwrap_or(0));
    Ok(if stored == 0 && rejected > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn request(args: &BillArgs) -> anyhow::Result<Request> {
    let format = match args.common.format.as_str() {
        "auto" => None,
        word => match BillFormat::parse(word) {
            Some(format) => Some(format),
            None => {
                let names: Vec<&str> = BillFormat::ALL.iter().map(|f| f.name()).collect();
                bail!("there is no format {word:?} of bills; formats are auto, {}", names.join(", "));
            }
        },
    };
    let mut request = Request {
        tenant: target::tenant(&args.common.target.tenant)?,
        files: Vec::new(),
        dataset: args.dataset.clone(),
        format,
        manifest_version: None,
        manifest_made: None,
        also_replaced: BTreeSet::new(),
        restate: args.restate,
        check: args.common.check,
    };
    if let [only] = args.common.files.as_slice()
        && let Some(listed) = from_manifest(only)?
    {
        request.files = listed.files;
        request.dataset = request.dataset.or(listed.name);
        request.manifest_version = Some(listed.version);
        request.manifest_made = listed.made;
        request.also_replaced = listed.period;
        return Ok(request);
    }
    request.files = args.common.files.iter().map(|p| Source::of_path(p)).collect();
    Ok(request)
}

/// Sends the files as a form; the server answers with the same report.
async fn upload(client: &Client, request: &Request, format: &str) -> anyhow::Result<Value> {
    let mut fields = vec![("restate", request.restate.to_string()), ("check", request.check.to_string())];
    fields.extend(request.dataset.clone().map(|d| ("dataset", d)));
    fields.extend(request.manifest_version.clone().map(|v| ("manifest_version", v)));
    if format != "auto" {
        fields.push(("format", format.to_owned()));
    }
    let mut parts: Vec<Part> = Vec::new();
    for (name, value) in fields {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        parts.push(Part::Text(head));
    }
    for source in &request.files {
        let Source::File { path, name } = source else { continue };
        let name: String = name.chars().map(|c| if c == '"' || c.is_control() { '_' } else { c }).collect();
        parts.push(Part::Text(format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        )));
        let file = tokio::fs::File::open(path).await.with_context(|| format!("open {}", path.display()))?;
        parts.push(Part::File(file));
        parts.push(Part::Text("\r\n".to_owned()));
    }
    parts.push(Part::Text(format!("--{BOUNDARY}--\r\n")));
    let total = request.files.iter().map(Source::len).sum();
    let bar = progress::bytes(total, "bill");
    let counted = bar.clone();
    use futures::{StreamExt as _, TryStreamExt as _};
    let stream = futures::stream::iter(parts).flat_map(|part| match part {
        Part::Text(text) => futures::stream::iter([Ok(bytes::Bytes::from(text))]).left_stream(),
        Part::File(file) => ReaderStream::with_capacity(file, 256 * 1024).right_stream(),
    });
    let stream = stream.inspect_ok(move |chunk: &bytes::Bytes| counted.inc(chunk.len() as u64));
    let call = client
        .request(Method::POST, "/api/v1/imports")
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(Body::wrap_stream(stream));
    let answer = client.send(call).await;
    bar.finish_and_clear();
    answer?.json().await.context("read the answer")
}

enum Part {
    Text(String),
    File(tokio::fs::File),
}

/// The report, in the words of the API, with what only we know: why a file was skipped, what was replaced.
fn as_json(outcome: &Outcome) -> Value {
    let record = &outcome.record;
    let total = |t: &ImportTotal| {
        json!({
            "currency": t.currency,
            "source": t.source,
            "stored": t.stored,
            "residual": t.residual,
            "rejected": t.rejected,
            "rows_unreadable": t.rows_unreadable,
        })
    };
    let reject = |r: &ImportReject| json!({ "file": r.file, "row": r.row, "line": r.line, "reason": r.reason, "cost": r.cost, "currency": r.currency, "raw": r.raw });
    let note = |n: &ImportNote| json!({ "what": n.what, "count": n.count, "file": n.file, "first_row": n.first_row });
    let skip = |(file, why): &(String, Skip)| json!({ "file": file, "reason": why.to_string() });
    let replaced = |(id, account, start): &(String, String, Timestamp)| json!({ "import_id": id, "account": account, "period_start": show_time(*start) });
    json!({
        "outcome": outcome.state.word(),
        "id": record.id,
        "format": record.source,
        "described": outcome.described,
        "dataset": record.dataset,
        "rows_source": record.rows_source,
        "rows_stored": record.rows,
        "rows_rejected": record.rejected,
        "reconciliation": record.totals.iter().map(total).collect::<Vec<_>>(),
        "skipped": outcome.skipped.iter().map(skip).collect::<Vec<_>>(),
        "replaced": outcome.replaced.iter().map(replaced).collect::<Vec<_>>(),
        "notes": record.notes.iter().map(note).collect::<Vec<_>>(),
        "rejects": outcome.rejects.iter().map(reject).collect::<Vec<_>>(),
    })
}

fn as_text(shown: &Value) -> String {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let count = |v: &Value| show_count(v.as_u64().unwrap_or(0));
    let list = |name: &str| shown[name].as_array().cloned().unwrap_or_default();
    let mut out = String::new();
    for skip in list("skipped") {
        out.push_str(&format!("skipped {}: {}\n", text(&skip["file"]), text(&skip["reason"])));
    }
    for file in list("skipped_files") {
        out.push_str(&format!("skipped {}: already imported\n", text(&file)));
    }
    let format = shown["described"].as_str().or(shown["format"].as_str()).unwrap_or_default();
    out.push_str(&format!(
        "{}: {} of dataset {format} {}, {} rows: {} stored, {} rejected\n",
        text(&shown["outcome"]),
        text(&shown["id"]),
        text(&shown["dataset"]),
        count(&shown["rows_source"]),
        count(&shown["rows_stored"]),
        count(&shown["rows_rejected"]),
    ));
    let totals = list("reconciliation");
    if !totals.is_empty() {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_header(["currency", "source total", "= stored", "+ rounding", "+ rejected", "unreadable rows"]);
        for t in &totals {
            let currency = if text(&t["currency"]).is_empty() { "(none)".to_owned() } else { text(&t["currency"]) };
            let amounts = ["source", "stored", "residual", "rejected"].map(|name| text(&t[name]));
            let [source, stored, residual, rejected] = amounts;
            table.add_row([currency, source, stored, residual, rejected, count(&t["rows_unreadable"])]);
        }
        out.push_str(&format!("{table}\n"));
    }
    for replaced in list("replaced") {
        out.push_str(&format!(
            "replaced {} in account {}, period {}\n",
            text(&replaced["import_id"]),
            text(&replaced["account"]),
            text(&replaced["period_start"])
        ));
    }
    for note in list("notes") {
        let (times, file) = (count(&note["count"]), text(&note["file"]));
        out.push_str(&format!("note: {} ({times} times, first in {file})\n", text(&note["what"])));
    }
    let rejects = list("rejects");
    for r in rejects.iter().take(REJECTS_SHOWN) {
        out.push_str(&format!("rejected {} row {}: {}\n", text(&r["file"]), count(&r["row"]), text(&r["reason"])));
    }
    if rejects.len() > REJECTS_SHOWN {
        out.push_str(&format!("... {} more rejected rows; -o json lists them\n", rejects.len() - REJECTS_SHOWN));
    }
    out
}
