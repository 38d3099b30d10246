//! `grid compact`, `grid backup`, `grid restore`: work on a data directory that no server holds open.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use grid_store::Store;

use crate::args::{BackupArgs, CompactArgs, RestoreArgs};
use crate::unit::{show_bytes, show_count};
use crate::{out, setup, target};

/// Merges small files until nothing is left to merge.
pub async fn compact(file: Option<&Path>, args: CompactArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let dir = args.data_dir.unwrap_or_else(|| config.data_dir());
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
pub async fn backup(file: Option<&Path>, args: BackupArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let dir = args.data_dir.unwrap_or_else(|| config.data_dir());
    let store = target::open_existing(&config, &dir).await?;
    let report = store.backup(&args.to).await.with_context(|| format!("back up to {}", args.to.display()))?;
    store.close().await.context("close the store")?;
    out::line(&format!(
        "backed up {} files, {}, to {}",
        show_count(report.files as u64),
        show_bytes(report.bytes),
        args.to.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes a data directory from a backup.
pub async fn restore(args: RestoreArgs) -> anyhow::Result<ExitCode> {
    let report = Store::restore(&args.from, &args.data_dir)
        .await
        .with_context(|| format!("restore {} to {}", args.from.display(), args.data_dir.display()))?;
    out::line(&format!(
        "restored {} files, {}, to {}",
        show_count(report.files as u64),
        show_bytes(report.bytes),
        args.data_dir.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
