//! Checks of a data directory that no server holds open.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use grid_model::Timestamp;
use grid_model::time::{HOUR_NS, MINUTE_NS};
use grid_store::catalog::Catalog;
use grid_store::lock::DirLock;
use grid_store::objects::Objects;
use grid_store::store::FORMAT_VERSION;
use grid_store::{FileEntry, StoreError};
use serde_json::{Value, json};

use super::{Findings, machine};
use crate::config::Config;
use crate::unit::{show_bytes, show_count, show_duration, show_time};
use crate::{clock, setup};

/// How many files are named in one finding.
const NAMED_MAX: usize = 5;
/// More small files than this per table slow queries down.
const SMALL_FILES_WARN: usize = 200;

/// Runs the checks that apply.
pub(super) async fn check(
    config: &Config,
    dir: &Path,
    now: Timestamp,
    fix: bool,
    findings: &mut Findings,
    extra: &mut Value,
) {
    if !dir.join("FORMAT").exists() {
        findings.warn(
            "directory",
            format!("{} is not a data directory yet", dir.display()),
            "start `grid serve` or `grid demo`, or name another with --data-dir",
        );
        return;
    }
    machine::writable(dir, findings);
    // Held for the whole check, so that nobody starts in between; dropped before the store is opened.
    let lock = match DirLock::take(dir) {
        Ok(lock) => lock,
        Err(e) => return findings.error("directory", e.to_string(), "ask that server: `grid doctor --url ...`"),
    };
    format(dir, findings);
    wal(dir, findings, extra);
    newest_file_time(dir, now, findings);
    if let Err(e) = catalog(config, dir, now, findings, extra).await {
        findings.error(
            "catalog",
            format!("cannot be read: {e}"),
            "restore a backup (`grid restore`); rows in the WAL are not touched",
        );
    }
    drop(lock);
    if fix {
        repair(config, dir, findings).await;
    }
}

fn format(dir: &Path, findings: &mut Findings) {
    let text = std::fs::read_to_string(dir.join("FORMAT")).unwrap_or_default();
    match text.trim().strip_prefix("grid ").and_then(|v| v.parse::<u32>().ok()) {
        Some(version) if version > FORMAT_VERSION => findings.error(
            "format",
            format!("the data directory has format {version}, this binary reads up to {FORMAT_VERSION}"),
            "use a newer grid",
        ),
        Some(version) => findings.ok("format", format!("data format {version}")),
        None => findings.error("format", format!("FORMAT holds {text:?}"), "restore a backup (`grid restore`)"),
    }
}

fn wal(dir: &Path, findings: &mut Findings, extra: &mut Value) {
    let (mut segments, mut bytes) = (0_u64, 0_u64);
    if let Ok(entries) = std::fs::read_dir(dir.join("wal")) {
        for meta in entries.flatten().filter_map(|e| e.metadata().ok()).filter(std::fs::Metadata::is_file) {
            segments += 1;
            bytes += meta.len();
        }
    }
    extra["wal"] = json!({ "segments": segments, "bytes": bytes });
    findings.ok("wal", format!("{segments} segments, {}; replayed at the next start", show_bytes(bytes)));
}

/// Files from the future mean that the clock went back; rows received now would sort before older ones.
fn newest_file_time(dir: &Path, now: Timestamp, findings: &mut Findings) {
    let newest = ["", "wal", "files"]
        .iter()
        .filter_map(|sub| std::fs::read_dir(dir.join(sub)).ok())
        .flat_map(|entries| entries.flatten())
        .filter_map(|e| e.metadata().ok()?.modified().ok())
        .map(clock::of_system_time)
        .max();
    if let Some(newest) = newest
        && newest.0 > now.0.saturating_add(MINUTE_NS)
    {
        findings.error(
            "clock",
            format!("a file was written at {}, which is in the future: the clock went back", show_time(newest)),
            "set the clock right (`timedatectl`), then start again",
        );
    }
}

async fn catalog(
    config: &Config,
    dir: &Path,
    now: Timestamp,
    findings: &mut Findings,
    extra: &mut Value,
) -> Result<(), StoreError> {
    let catalog = Catalog::open(&dir.join("catalog.db")).await?;
    let problems = catalog.check().await?;
    let loaded = catalog.load().await;
    catalog.close().await;
    if problems.is_empty() {
        findings.ok("catalog", "integrity check passed");
    } else {
        let first = problems.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join("; ");
        findings.error("catalog", format!("integrity check failed: {first}"), "restore a backup (`grid restore`)");
    }
    let (entries, generation, _) = loaded?;
    extra["catalog"] = json!({ "generation": generation, "files": entries.len() });
    let objects = match config.text("storage.object_url") {
        "" => Objects::local(&dir.join("files"))?,
        url => Objects::bucket(url)?,
    };
    compare(&entries, &objects.list().await?, findings);
    by_table(&entries, now, findings, extra);
    Ok(())
}

/// The catalog against what lies there.
fn compare(entries: &[FileEntry], present: &[(String, u64)], findings: &mut Findings) {
    let sizes: HashMap<&str, u64> = present.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    let mut missing = Vec::new();
    let mut wrong = Vec::new();
    for entry in entries {
        match sizes.get(entry.path.as_str()) {
            None => missing.push(entry.path.as_str()),
            Some(bytes) if *bytes != entry.bytes => wrong.push(entry.path.as_str()),
            Some(_) => {}
        }
        if let Some(index) = &entry.text_index
            && !sizes.contains_key(index.as_str())
        {
            missing.push(index);
        }
    }
    let named = |paths: &[&str]| {
        let more =
            if paths.len() > NAMED_MAX { format!(" and {} more", paths.len() - NAMED_MAX) } else { String::new() };
        format!("{}{more}", paths.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", "))
    };
    if missing.is_empty() && wrong.is_empty() {
        findings
            .ok("files", format!("all {} files of the catalog are there and whole", show_count(entries.len() as u64)));
    }
    if !missing.is_empty() {
        findings.error(
            "files",
            format!("missing: {}", named(&missing)),
            "put them back from a backup (`grid restore`)",
        );
    }
    if !wrong.is_empty() {
        findings.error(
            "files",
            format!("of another size than written: {}", named(&wrong)),
            "put them back from a backup",
        );
    }
    let known: HashSet<&str> =
        entries.iter().flat_map(|e| [Some(e.path.as_str()), e.text_index.as_deref()]).flatten().collect();
    let orphans: Vec<&str> = sizes.keys().copied().filter(|p| !known.contains(p)).collect();
    if !orphans.is_empty() {
        findings.warn(
            "files",
            format!("{} files that no commit made visible (a crash leaves them): {}", orphans.len(), named(&orphans)),
            "run `grid doctor --fix`, or start the server: both remove them",
        );
    }
}

fn by_table(entries: &[FileEntry], now: Timestamp, findings: &mut Findings, extra: &mut Value) {
    let mut tables: BTreeMap<(&str, &str), (usize, u64, Timestamp)> = BTreeMap::new();
    for entry in entries {
        let at = tables.entry((entry.tenant.as_str(), entry.table.name())).or_insert((0, 0, Timestamp::MIN));
        *at = (at.0 + 1, at.1 + entry.rows, at.2.max(entry.max_time));
    }
    let mut list = Vec::new();
    for ((tenant, table), (files, rows, newest)) in tables {
        list.push(json!({ "table": table, "files": files, "rows": rows, "newest": show_time(newest) }));
        if files > SMALL_FILES_WARN {
            findings.warn("files", format!("{table} of {tenant} rests in {files} files"), "merge them: `grid compact`");
        }
        if ["series", "metadata", "charges"].contains(&table) {
            continue;
        }
        let lag = now.0.saturating_sub(newest.0);
        if lag < -HOUR_NS {
            findings.warn(
                "clock",
                format!("the newest row of {table} of {tenant} lies in the future: {}", show_time(newest)),
                "check the clocks of its senders",
            );
        } else {
            let lag = std::time::Duration::from_secs(lag.max(0).unsigned_abs() / 1_000_000_000);
            findings.ok("lag", format!("{table} of {tenant}: newest row in files {} ago", show_duration(lag)));
        }
    }
    extra["tables"] = Value::from(list);
}

/// What a start repairs: torn ends of the WAL are cut, orphans removed, buffered rows written to files, files merged.
async fn repair(config: &Config, dir: &Path, findings: &mut Findings) {
    let outcome = async {
        let store = setup::store(config, dir).await?;
        let recovery = store.recovery().clone();
        store.flush().await?;
        store.compact().await?;
        store.close().await?;
        anyhow::Ok(recovery)
    }
    .await;
    match outcome {
        Ok(recovery) => {
            findings.ok(
                "fix",
                format!("replayed {} rows of the WAL into files, removed orphans", show_count(recovery.rows)),
            );
            for torn in recovery.torn {
                let text = format!(
                    "dropped {} at the end of {}: {}",
                    show_bytes(torn.bytes),
                    torn.path.display(),
                    torn.reason
                );
                if torn.newest {
                    findings.ok("fix", text);
                } else {
                    findings.warn("fix", text, "acknowledged rows may be lost: compare with a backup");
                }
            }
        }
        Err(e) => findings.error("fix", format!("{e:#}"), "restore a backup (`grid restore`)"),
    }
}
