//! `grid compact`, `grid backup`, `grid restore`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use grid_store::Store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{BackupArgs, CompactArgs, RestoreArgs};
use crate::client::Client;
use crate::target::Target;
use crate::unit::{show_bytes, show_count};
use crate::{out, setup, target};

/// Merges small files until nothing is left to merge.
pub(crate) async fn compact(file: Option<&Path>, args: CompactArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let dir = match Target::resolve(&args.target, &config)? {
        Target::Directory(dir) => dir,
        Target::Server(client) => {
            let (mut files_in, mut files_out) = (0, 0);
            loop {
                let report = post(&client, "/api/v1/admin/compact", &json!({})).await?;
                let merged = report["files_in"].as_u64().unwrap_or(0);
                if merged == 0 {
                    break;
                }
                files_in += merged;
                files_out += report["files_out"].as_u64().unwrap_or(0);
            }
            out::line(&format!("merged {} files into {}", show_count(files_in), show_count(files_out)))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let store = target::open_existing(&config, &dir).await?;
    store.flush().await.context("flush")?;
    let before = store.stats();
    loop {
        let report = store.compact().await.context("compact")?;
        if report.files_in == 0 {
            break;
        }
        out::say(&format!("merged {} files into {}", report.files_in, report.files_out));
    }
    let after = store.stats();
    store.close().await.context("close the store")?;
    out::line(&format!(
        "{} files ({}) are now {} ({})",
        show_count(before.files as u64),
        show_bytes(before.file_bytes),
        show_count(after.files as u64),
        show_bytes(after.file_bytes)
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Copies a data directory.
pub(crate) async fn backup(file: Option<&Path>, args: BackupArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let (files, bytes, place) = match Target::resolve(&args.target, &config)? {
        Target::Directory(dir) => {
            let store = target::open_existing(&config, &dir).await?;
            let report = store.backup(&args.to).await.with_context(|| format!("back up to {}", args.to.display()));
            if report.is_ok() {
                let engine = std::sync::Arc::new(setup::engine(&config, &store)?);
                crate::provisioning::copy(&config, &dir, &engine, &store, &args.to).await?;
            }
            store.close().await.context("close the store")?;
            let report = report?;
            crate::alerting::copy(&config, &dir, &args.to).await?;
            (report.files as u64, report.bytes, args.to.display().to_string())
        }
        Target::Server(client) => {
            let body = json!({ "name": args.to.to_string_lossy() });
            let report = post(&client, "/api/v1/admin/backup", &body).await?;
            let number = |name: &str| report[name].as_u64().unwrap_or(0);
            (number("files"), number("bytes"), report["path"].as_str().unwrap_or_default().to_owned())
        }
    };
    out::line(&format!("backed up {} files, {}, to {place}", show_count(files), show_bytes(bytes)))?;
    Ok(ExitCode::SUCCESS)
}

async fn post(client: &Client, path: &str, body: &Value) -> anyhow::Result<Value> {
    let answer = client.send(client.request(Method::POST, path).json(body)).await?;
    answer.json().await.context("read the answer")
}

/// Makes a data directory from a backup.
pub(crate) fn restore(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let report = Store::restore(&args.from, &args.data_dir)
        .with_context(|| format!("restore {} to {}", args.from.display(), args.data_dir.display()))?;
    out::line(&format!(
        "restored {} files, {}, to {}",
        show_count(report.files as u64),
        show_bytes(report.bytes),
        args.data_dir.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
