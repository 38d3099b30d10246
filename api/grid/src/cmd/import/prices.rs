//! `grid import prices`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use grid_api::PriceOutcome;
use grid_model::Timestamp;
use grid_model::time::DAY_NS;
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{PricesArgs, ReportFormat};
use crate::clock;
use crate::prices::{PriceBooks, PriceList, Request, format};
use crate::target::{self, Target};
use crate::unit::{parse_time, show_count, show_time};
use crate::{out, setup};

/// Rejects that are listed one by one.
const REJECTS_SHOWN: usize = 20;

/// Imports every file as a book.
pub(super) async fn run(file: Option<&Path>, args: PricesArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let request = request(&args)?;
    let shown: Vec<Value> = match Target::resolve(&args.common.target, &config)? {
        Target::Server(client) => {
            if request.book.is_some() && request.lists.len() > 1 {
                bail!(
                    "several files are one book only on a data directory; a server takes one file at a time\nhint: leave --book away, or import with --data-dir"
                );
            }
            let mut shown = Vec::new();
            for list in &request.lists {
                let mut query = vec![("name", list.name.clone())];
                query.extend(request.format.map(|f| ("format", f.name().to_owned())));
                query.extend(request.book.clone().map(|book| ("book", book)));
                query.extend(request.as_of.map(|t| ("as_of", show_time(t))));
                query.extend(request.check.then(|| ("check", "true".to_owned())));
                let call = client.request(Method::POST, "/api/v1/imports/prices").query(&query);
                let call = call.header("content-type", "application/octet-stream").body(list.bytes.clone());
                shown.push(client.send(call).await?.json().await.context("read the answer")?);
            }
            shown
        }
        Target::Directory(dir) => {
            let store = setup::store(&config, &dir).await?;
            let done = PriceBooks::new(store.clone()).take(request).await;
            store.close().await.context("close the store")?;
            done?.iter().map(as_json).collect()
        }
    };
    match args.common.output {
        ReportFormat::Json => out::line(&serde_json::to_string_pretty(&shown)?)?,
        ReportFormat::Text => out::bytes(shown.iter().map(as_text).collect::<String>().as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn request(args: &PricesArgs) -> anyhow::Result<Request> {
    let mut lists = Vec::new();
    for path in &args.common.files {
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        lists.push(PriceList { name, bytes: bytes.into() });
    }
    let as_of = args.as_of.as_deref().map(|text| parse_time(text, clock::now()));
    Ok(Request {
        tenant: target::tenant(&args.common.target.tenant)?,
        lists,
        format: match args.common.format.as_str() {
            "auto" => None,
            word => Some(format(word).map_err(anyhow::Error::msg)?),
        },
        book: args.book.clone(),
        as_of: as_of.transpose().map_err(anyhow::Error::msg).context("read --as-of")?,
        check: args.common.check,
    })
}

fn as_json(done: &PriceOutcome) -> Value {
    let age = |t: Timestamp| clock::now().0.saturating_sub(t.0).max(0) / DAY_NS;
    json!({
        "outcome": if done.stored { "stored" } else { "checked" },
        "book": done.book,
        "version": done.version,
        "format": done.format,
        "as_of": done.as_of.map(show_time),
        "age_days": done.as_of.map(age),
        "rows_stored": done.rows,
        "rows_rejected": done.rejected,
        "rejects": done.rejects.iter().map(|(at, reason)| json!({ "at": at, "reason": reason })).collect::<Vec<_>>(),
        "notes": done.notes.iter().map(|(what, count)| json!({ "what": what, "count": count })).collect::<Vec<_>>(),
    })
}

fn as_text(shown: &Value) -> String {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let count = |v: &Value| show_count(v.as_u64().unwrap_or(0));
    let age = match (shown["as_of"].as_str(), shown["age_days"].as_i64()) {
        (Some(as_of), Some(age)) => format!("as of {}, {age} days old", &as_of[..as_of.len().min(10)]),
        _ => "of unknown date: its prices count as stale (--as-of says when it was published)".to_owned(),
    };
    let mut out = format!(
        "{}: book {} ({}, {}), {} prices, {} rejected\n",
        text(&shown["outcome"]),
        text(&shown["book"]),
        text(&shown["format"]),
        age,
        count(&shown["rows_stored"]),
        count(&shown["rows_rejected"]),
    );
    for note in shown["notes"].as_array().into_iter().flatten() {
        out.push_str(&format!("note: {} ({} times)\n", text(&note["what"]), count(&note["count"])));
    }
    let rejects = shown["rejects"].as_array().cloned().unwrap_or_default();
    for reject in rejects.iter().take(REJECTS_SHOWN) {
        out.push_str(&format!("rejected {}: {}\n", text(&reject["at"]), text(&reject["reason"])));
    }
    out
}
