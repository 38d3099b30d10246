//! `grid import bill`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use grid_decode::bill::BillFormat;
use grid_decode::bill::plan::Skip;
use grid_model::{TenantId, Timestamp};
use grid_store::Store;
use grid_store::catalog::{ImportNote, ImportReject, ImportTotal};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use crate::args::{BillArgs, ReportFormat};
use crate::bills::{
    Bills, DATASET_DEFAULT, MappingFile, Outcome, Place, ReadManifests, Request, Source, Step, from_manifest,
};
use crate::client::Client;
use crate::config::Config;
use crate::target::{self, Target};
use crate::unit::{show_count, show_time};
use crate::{out, progress, setup};

/// Rejects that are listed one by one.
const REJECTS_SHOWN: usize = 20;
/// Violated rules of FOCUS that are listed one by one, unless all are asked for.
const RULES_SHOWN: usize = 5;
/// A line of multipart that no bill contains.
const BOUNDARY: &str = "grid-bill-5d1f0c7a93e64b2f8a17";

/// Imports all files as one, or a folder or bucket export by export.
pub(super) async fn run(file: Option<&Path>, args: BillArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let place = match args.common.files.as_slice() {
        [only] => Place::of(only)?,
        several => {
            for argument in several {
                if let Some(place) = Place::of(argument)? {
                    bail!("{place} is a folder or a bucket: import it by a command of its own");
                }
            }
            None
        }
    };
    if args.watch.is_some() && place.is_none() {
        bail!("--watch looks at a folder or at s3://BUCKET/PREFIX, not at files");
    }
    let request = request(&args, place.is_some())?;
    let target = Importer::open(&args, &config).await?;
    let done = match place {
        Some(place) => by_export(&target, &place, &args, request).await,
        None => target.import(request).await.and_then(|shown| {
            match args.common.output {
                ReportFormat::Json => out::line(&serde_json::to_string_pretty(&shown)?)?,
                ReportFormat::Text => out::bytes(as_text(&shown).as_bytes())?,
            }
            Ok(outcome_code(&shown))
        }),
    };
    target.close().await?;
    done
}

fn outcome_code(shown: &Value) -> ExitCode {
    let (stored, rejected) = (&shown["rows_stored"], &shown["rows_rejected"]);
    let (stored, rejected) = (stored.as_u64().unwrap_or(0), rejected.as_u64().unwrap_or(0));
    if stored == 0 && rejected > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Where bills go.
enum Importer<'a> {
    Server(Client, &'a str),
    Directory(Store),
}

impl<'a> Importer<'a> {
    async fn open(args: &'a BillArgs, config: &Config) -> anyhow::Result<Self> {
        Ok(match Target::resolve(&args.common.target, config)? {
            Target::Server(client) => Self::Server(client, &args.common.format),
            Target::Directory(dir) => Self::Directory(setup::store(config, &dir).await?),
        })
    }

    /// Imports; answers the report.
    async fn import(&self, request: Request) -> anyhow::Result<Value> {
        match self {
            Self::Server(client, format) => upload(client, &request, format).await,
            Self::Directory(store) => {
                let bar = progress::rows(request.files.iter().map(Source::len).sum(), "bill");
                let shown = bar.clone();
                let tell = move |step| match step {
                    Step::Bytes(n) => shown.bytes(n),
                    Step::Rows(n) => shown.rows(n),
                };
                let outcome = Bills::new(store.clone()).take(request, tell).await;
                bar.finish();
                Ok(as_json(&outcome?))
            }
        }
    }

    /// Whether a version of a manifest is there already, so that its files need not be fetched.
    async fn has(&self, tenant: &TenantId, dataset: &str, version: &str) -> anyhow::Result<Option<String>> {
        match self {
            // The server compares the files themselves.
            Self::Server(..) => Ok(None),
            Self::Directory(store) => {
                let known = Bills::new(store.clone()).known_version(tenant, dataset, version).await?;
                Ok(known.map(|record| record.id))
            }
        }
    }

    async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Server(..) => Ok(()),
            Self::Directory(store) => store.close().await.context("flush and close the store"),
        }
    }
}

/// Imports what a folder or bucket holds, each export and period as an import of its own. What was imported before a stop is there
/// and known, so that the next run goes on behind it.
async fn by_export(
    importer: &Importer<'_>,
    place: &Place,
    args: &BillArgs,
    request: Request,
) -> anyhow::Result<ExitCode> {
    let mut seen = Seen::default();
    // One listener for all rounds: a signal during a round is seen after it.
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let round = one_round(importer, place, args, &request, &mut seen).await;
        let Some(seconds) = args.watch else { return round };
        if let Err(error) = round {
            // Tomorrow's listing may work; a watcher that ends is no watcher.
            out::say(&format!("error: {error:#}"));
        }
        tokio::select! {
            () = tokio::time::sleep(std::time::Duration::from_secs(seconds)) => {}
            stopped = &mut stop => {
                stopped.context("wait for a signal")?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

/// What a watcher remembers from round to round.
#[derive(Default)]
struct Seen {
    manifests: ReadManifests,
    /// What was said already.
    told: BTreeSet<String>,
}

async fn one_round(
    importer: &Importer<'_>,
    place: &Place,
    args: &BillArgs,
    request: &Request,
    seen: &mut Seen,
) -> anyhow::Result<ExitCode> {
    let folder = place.look(&mut seen.manifests).await?;
    let watching = args.watch.is_some();
    if folder.groups.is_empty() && !watching {
        bail!("{place} holds no bill: no manifest, and no file that ends in .csv, .csv.gz, .json, .jsonl or .parquet");
    }
    let mut once = |text: String| {
        if seen.told.insert(text.clone()) {
            out::say(&text);
        }
    };
    for (older, newer) in &folder.older {
        once(format!("{older} is left out: {newer} is newer"));
    }
    if folder.unlisted > 0 {
        once(format!("{} data files are in no manifest and are left out", folder.unlisted));
    }
    for (manifest, file) in &folder.missing {
        once(format!("{manifest} lists {file}, which is not there: its bill is left out until it is complete"));
    }
    let mut reports = Vec::new();
    let (mut failed, mut code) = (0, ExitCode::SUCCESS);
    for group in &folder.groups {
        if folder.missing.iter().any(|(manifest, _)| Some(manifest) == group.manifest.as_ref()) {
            failed += 1;
            continue;
        }
        let dataset = request.dataset.clone().or_else(|| group.name.clone());
        let dataset = dataset.unwrap_or_else(|| DATASET_DEFAULT.to_owned());
        if let (Some(version), false, false) = (&group.version, request.restate, request.check)
            && let Some(id) = importer.has(&request.tenant, &dataset, version).await?
        {
            once(format!("{} {version}: already imported as {id}", group.period));
            continue;
        }
        let (files, fetched) = place.fetch(group).await?;
        let request = Request {
            files,
            dataset: Some(dataset),
            manifest_version: group.version.clone(),
            manifest_made: group.made,
            also_replaced: group.speaks_of.clone(),
            restate: request.restate || (group.replaces && group.version.is_none()),
            ..request.clone()
        };
        let shown = importer.import(request).await;
        drop(fetched);
        let shown = match shown {
            Ok(shown) => shown,
            Err(error) => {
                // One bad export must not keep the others out.
                out::say(&format!("error: {}: {error:#}", group.title()));
                failed += 1;
                continue;
            }
        };
        if outcome_code(&shown) != ExitCode::SUCCESS {
            code = ExitCode::FAILURE;
        }
        let unchanged = shown["outcome"] == "unchanged";
        match args.common.output {
            ReportFormat::Text if watching && unchanged => {}
            ReportFormat::Text => out::bytes(as_text(&shown).as_bytes())?,
            ReportFormat::Json if watching && !unchanged => out::line(&shown.to_string())?,
            ReportFormat::Json => reports.push(shown),
        }
    }
    if args.common.output == ReportFormat::Json && !watching {
        out::line(&serde_json::to_string_pretty(&reports)?)?;
    }
    if failed > 0 {
        bail!("{failed} of {} bills of {place} were not imported", folder.groups.len());
    }
    Ok(code)
}

fn request(args: &BillArgs, is_place: bool) -> anyhow::Result<Request> {
    let format = match args.common.format.as_str() {
        "auto" => None,
        word => match BillFormat::parse(word) {
            Some(format) => Some(format),
            None => {
                let names: Vec<&str> = BillFormat::ALL.iter().map(|f| f.name()).collect();
                bail!(
                    "there is no format {word:?} of bills; formats are auto, {}; others by --mapping FILE.toml",
                    names.join(", ")
                );
            }
        },
    };
    let mapping = match &args.mapping {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            Some(Arc::new(MappingFile::read(&path.display().to_string(), text).map_err(anyhow::Error::msg)?))
        }
        None => None,
    };
    let mut request = Request {
        tenant: target::tenant(&args.common.target.tenant)?,
        files: Vec::new(),
        dataset: args.dataset.clone(),
        format,
        mapping,
        manifest_version: None,
        manifest_made: None,
        also_replaced: BTreeSet::new(),
        restate: args.restate,
        check: args.common.check,
    };
    if is_place {
        return Ok(request);
    }
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
    fields.extend(request.mapping.as_ref().map(|m| ("mapping", m.text().to_owned())));
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
            "left_out": t.left_out,
            "rows_left_out": t.rows_left_out,
            "rounding": t.rounding.iter().map(|(c, r)| json!({ "column": c, "residual": r })).collect::<Vec<_>>(),
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
        "conformance": outcome.conformance.clone().map(grid_api::conformance_json),
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
        // Most bills leave nothing out, and need no column for it.
        let left_out = totals.iter().any(|t| t["rows_left_out"].as_u64().unwrap_or(0) > 0);
        let mut header = vec!["currency", "source total", "= stored", "+ rounding", "+ rejected"];
        header.extend(left_out.then_some("+ left out"));
        header.push("unreadable rows");
        table.set_header(header);
        for t in &totals {
            let currency = if text(&t["currency"]).is_empty() { "(none)".to_owned() } else { text(&t["currency"]) };
            let mut row = vec![currency];
            row.extend(["source", "stored", "residual", "rejected"].map(|name| text(&t[name])));
            row.extend(left_out.then(|| text(&t["left_out"])));
            row.push(count(&t["rows_unreadable"]));
            table.add_row(row);
        }
        out.push_str(&format!("{table}\n"));
    }
    for t in &totals {
        for rounding in t["rounding"].as_array().into_iter().flatten() {
            let (column, took) = (text(&rounding["column"]), text(&rounding["residual"]));
            out.push_str(&format!("rounding took {took} {} from {column}\n", text(&t["currency"])));
        }
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
    out.push_str(&conformance_text(&shown["conformance"], shown["outcome"] == "checked"));
    let rejects = list("rejects");
    for r in rejects.iter().take(REJECTS_SHOWN) {
        out.push_str(&format!("rejected {} row {}: {}\n", text(&r["file"]), count(&r["row"]), text(&r["reason"])));
    }
    if rejects.len() > REJECTS_SHOWN {
        out.push_str(&format!("... {} more rejected rows; -o json lists them\n", rejects.len() - REJECTS_SHOWN));
    }
    out
}

/// What the rules of FOCUS said: violated rules with their first place, all of them when that was asked.
fn conformance_text(shown: &Value, all: bool) -> String {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let count = |v: &Value| show_count(v.as_u64().unwrap_or(0));
    let Some(failed) = shown["failed"].as_array() else { return String::new() };
    let verdict = if shown["conforms"] == true { "conforms" } else { "does not conform" };
    let mut out = format!(
        "{verdict} to FOCUS {}: {} rules violated, {} kept, {} lack a column, {} not applicable, {} not computable\n",
        text(&shown["version"]),
        failed.len(),
        count(&shown["rules_passed"]),
        count(&shown["rules_skipped"]),
        count(&shown["rules_not_applicable"]),
        count(&shown["rules_not_computed"]),
    );
    let listed = if all { failed.len() } else { RULES_SHOWN };
    for rule in failed.iter().take(listed) {
        let first = &rule["examples"][0];
        let place = match first["row"].as_u64() {
            Some(0) | None => "header".to_owned(),
            Some(row) => format!("{} row {}", text(&first["file"]), show_count(row)),
        };
        out.push_str(&format!(
            "  {} {}: {}; {} of {} do not; {place}: {} {:?}\n",
            text(&rule["keyword"]),
            text(&rule["rule"]),
            text(&rule["demands"]),
            count(&rule["violations"]),
            count(&rule["checked"]),
            text(&first["column"]),
            text(&first["value"]),
        ));
        if all && rule["hint"].is_string() {
            out.push_str(&format!("    hint: {}\n", text(&rule["hint"])));
        }
    }
    if failed.len() > listed {
        out.push_str(&format!("  ... {} more; --check lists them, grid.conformance has all\n", failed.len() - listed));
    }
    out
}
