//! What happens on timers: flush by size and age, compaction, retention, a look at the disk, who pays for new charges. Each is a task that ends with its token.

use std::sync::Arc;
use std::time::Duration;

use grid_analytics::Engine;
use grid_insight::Insight;
use grid_model::Table;
use grid_store::Store;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::shutdown::Group;

/// How often the age of the buffer is looked at.
const AGE_CHECK: Duration = Duration::from_secs(1);
/// How often it is asked whether the disk has room and the log can be written.
const HEALTH_CHECK: Duration = Duration::from_secs(1);
/// How often it is asked whether charges, rules or measurements have changed.
const ALLOCATE_EVERY: Duration = Duration::from_secs(2);
/// How often it is asked whether a job of insight is due.
const WATCH_EVERY: Duration = Duration::from_secs(5);
/// How long to wait after a failure, doubled up to the bound.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Starts all loops of a store.
pub(crate) fn start(config: &Config, store: &Store, group: &mut Group) {
    let flush_interval = config.duration("storage.flush_interval");
    let of = store.clone();
    group.spawn("flush", move |token| flush(of, flush_interval, token));
    let of = store.clone();
    group.spawn("health", move |token| heal(of, token));
    let of = store.clone();
    let every = config.duration("storage.compact_interval");
    if !every.is_zero() {
        group.spawn("compaction", move |token| compact(of, every, token));
    }
    let of = store.clone();
    let every = config.duration("storage.expire_interval");
    if !every.is_zero() {
        group.spawn("retention", move |token| expire(of, every, token));
    }
}

/// Flushes when the store asks for it (by size), and when the oldest row is old enough.
pub(crate) async fn flush(store: Store, interval: Duration, token: CancellationToken) -> anyhow::Result<()> {
    let mut backoff = BACKOFF_MIN;
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            () = store.flush_wanted() => {}
            () = tokio::time::sleep(AGE_CHECK) => {
                let age_ns = store.buffered_since().map_or(0, |since| store.now().0.saturating_sub(since.0));
                if u128::from(age_ns.max(0).unsigned_abs()) < interval.as_nanos() {
                    continue;
                }
            }
        }
        match store.flush().await {
            Ok(report) => {
                backoff = BACKOFF_MIN;
                if report.rows > 0 {
                    info!(rows = report.rows, files = report.files, bytes = report.bytes, "flushed");
                }
            }
            Err(e) => {
                // Rows stay in the WAL and in the buffer; writers are refused when it is full.
                warn!(error = %chain(&e), retry_ms = backoff.as_millis() as u64, "flush failed");
                pause(&token, backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

/// Lets writes stop before the disk is full, and come back when it has room.
async fn heal(store: Store, token: CancellationToken) -> anyhow::Result<()> {
    loop {
        pause(&token, HEALTH_CHECK).await;
        if token.is_cancelled() {
            return Ok(());
        }
        store.heal().await;
    }
}

async fn compact(store: Store, every: Duration, token: CancellationToken) -> anyhow::Result<()> {
    loop {
        pause(&token, every).await;
        if token.is_cancelled() {
            return Ok(());
        }
        // Dropped at the end: nothing of a merge counts before its commit.
        let Some(done) = token.run_until_cancelled(store.compact()).await else { return Ok(()) };
        match done {
            Ok(report) if report.files_in > 0 => {
                info!(files_in = report.files_in, files_out = report.files_out, rows = report.rows, "compacted");
            }
            Ok(_) => {}
            Err(e) => warn!(error = %chain(&e), "compaction failed"),
        }
    }
}

async fn expire(store: Store, every: Duration, token: CancellationToken) -> anyhow::Result<()> {
    loop {
        pause(&token, every).await;
        if token.is_cancelled() {
            return Ok(());
        }
        match store.expire().await {
            Ok(report) if report.rows_dropped + report.rows_rewritten > 0 => {
                let rows = report.rows_dropped + report.rows_rewritten;
                info!(rows, files_dropped = report.files_dropped, "deleted what retention says");
            }
            Ok(_) => {}
            Err(e) => warn!(error = %chain(&e), "retention failed"),
        }
    }
}

/// Keeps `allocations` up to date: after an import, after a change of rules, and when measurements of the last hours have come.
pub(crate) async fn allocate(engine: Arc<Engine>, store: Store, token: CancellationToken) -> anyhow::Result<()> {
    let mut backoff = BACKOFF_MIN;
    loop {
        pause(&token, ALLOCATE_EVERY).await;
        if token.is_cancelled() {
            return Ok(());
        }
        for tenant in store.tenants() {
            let snapshot = store.snapshot(&tenant);
            if snapshot.files(Table::Charges).is_empty() && snapshot.files(Table::Allocations).is_empty() {
                continue;
            }
            drop(snapshot);
            let work = async {
                if engine.allocations_are_stale(&tenant).await? {
                    engine.allocate(&tenant, false).await
                } else {
                    Ok(Default::default())
                }
            };
            // Dropped at the end: a part counts once it is written whole.
            let Some(done) = token.run_until_cancelled(work).await else { return Ok(()) };
            match done {
                Ok(report) => {
                    backoff = BACKOFF_MIN;
                    for (part, state) in report.computed {
                        info!(%tenant, %part, charges = state.charges, rows = state.rows, elapsed_ms = state.elapsed_ms, "allocated");
                    }
                }
                Err(e) => {
                    warn!(%tenant, error = %chain(&e), retry_ms = backoff.as_millis() as u64, "allocation failed");
                    pause(&token, backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }
}

/// Runs the jobs of insight that are due, tenant by tenant.
pub(crate) async fn watch(insight: Insight, store: Store, token: CancellationToken) -> anyhow::Result<()> {
    loop {
        pause(&token, WATCH_EVERY).await;
        if token.is_cancelled() {
            return Ok(());
        }
        for tenant in store.tenants() {
            // Dropped at the end: a job's rows count once they are written whole.
            let work = Box::pin(insight.run_due(&tenant, store.now()));
            let Some(done) = token.run_until_cancelled(work).await else { return Ok(()) };
            for (job, report) in done {
                match report {
                    Ok(r) => {
                        for part in &r.failed {
                            warn!(%tenant, job = job.name(), error = %part, "a part of a job failed");
                        }
                        if r.changed {
                            info!(%tenant, job = job.name(), rows = r.rows, elapsed_ms = r.elapsed.as_millis() as u64, "findings changed");
                        }
                    }
                    Err(e) => warn!(%tenant, job = job.name(), code = e.code(), error = %chain(&e), "job failed"),
                }
            }
        }
    }
}

async fn pause(token: &CancellationToken, time: Duration) {
    tokio::select! {
        () = token.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

/// An error with all its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
