//! A disk that fails while a server writes to it: full, erroneous, giving up half way. What cannot be done is refused in words,
//! what was acknowledged stays, and once the disk works again so does the server, by itself.
//!
//! The disk is the file layer of `tests/faultfs` beneath the unmodified binary. Each test writes numbered rows before, during
//! and after the fault, then ends the server by `kill -9`, starts it on a disk that works, and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use grid_tests::powercut::shim::{Shim, unusable};
use grid_tests::wire::{JSON_HEADERS, REMOTE_WRITE_HEADERS, otlp_logs, remote_write};
use grid_tests::{Grid, Options, figure, grid_binary, now_ns, skip};
use tempfile::TempDir;
use tokio::process::Command;

/// Rows of one request.
const ROWS: u64 = 3;
/// A server whose disk works again must take writes within this time, by itself.
const RECOVERS_WITHIN: Duration = Duration::from_secs(15);
/// How long a fault is kept up where background work is to meet it.
const FAULT_LASTS: Duration = Duration::from_secs(3);
/// The typed error of a store that takes no writes.
const READ_ONLY: &str = "GRID-0305";

#[tokio::test]
async fn a_full_disk_refuses_writes_answers_queries_and_recovers() -> anyhow::Result<()> {
    let Some(mut it) = Faulty::start("full_disk").await? else { return Ok(()) };
    it.must_write(10).await?;
    it.grid.flush().await?;
    it.must_write(10).await?;
    it.must_be_ready(true).await?;

    it.shim.order("enospc")?;
    for _ in 0..5 {
        it.must_be_refused().await?;
    }
    it.check("while the disk is full").await?;
    let (ready, text) = it.ready().await?;
    ensure!(!ready && text.contains("read-only"), "/readyz on a full disk: {text}");
    ensure!(
        it.grid.log().contains("read-only"),
        "the log does not say that the store is read-only:\n{}",
        it.grid.log()
    );
    let doctor = it.doctor().await?;
    ensure!(!doctor.0 && doctor.1.contains("read-only"), "grid doctor on a full disk:\n{}", doctor.1);
    let (status, text) = it.grid.post("/api/v1/admin/flush", "default", &[], "").await?;
    ensure!(status >= 500 && text.contains("GRID-"), "a flush on a full disk: {status} {text}");
    // Background flushes and compactions meet the full disk as well.
    tokio::time::sleep(FAULT_LASTS).await;
    it.must_be_refused().await?;
    it.check("after a while").await?;

    it.shim.order("")?;
    let pause = it.until_written().await?;
    it.must_be_ready(true).await?;
    let doctor = it.doctor().await?;
    ensure!(doctor.0, "grid doctor once there is room again:\n{}", doctor.1);
    it.must_write(10).await?;
    it.grid.flush().await.context("flush once there is room again")?;
    it.check("after the disk has room again").await?;
    it.check_restarts().await?;
    figure(
        "full_disk",
        true,
        format!("read-only at once, queries answered, writes taken {} ms after there was room", pause.as_millis()),
    );
    Ok(())
}

#[tokio::test]
async fn a_log_that_cannot_be_written_refuses_and_recovers() -> anyhow::Result<()> {
    let rules = [
        "eio-sync match=/wal/",
        "eio-write match=/wal/",
        "torn-write match=/wal/",
        "enospc match=/wal/",
        "enospc-write",
        "enospc-write match=/wal/",
    ];
    each(&rules, async |rule, mut it| {
        it.must_write(5).await?;
        it.shim.order(rule)?;
        it.must_be_refused().await?;
        it.must_be_refused().await?;
        it.check(rule).await?;
        let (ready, text) = it.ready().await?;
        ensure!(!ready && text.contains("read-only"), "/readyz says {text}");
        // Long enough for attempts to recover that fail.
        tokio::time::sleep(FAULT_LASTS).await;
        it.must_be_refused().await?;
        it.shim.order("")?;
        it.until_written().await?;
        it.must_be_ready(true).await?;
        it.must_write(5).await?;
        it.check(rule).await?;
        it.check_restarts().await
    })
    .await
}

#[tokio::test]
async fn one_failed_sync_loses_nothing() -> anyhow::Result<()> {
    let Some(mut it) = Faulty::start("full_disk").await? else { return Ok(()) };
    for round in 0..5 {
        it.must_write(3).await?;
        it.shim.order(&format!("eio-sync match=/wal/ permille=500 seed={round}"))?;
        for _ in 0..10 {
            it.write().await?;
        }
        it.shim.order("")?;
        it.until_written().await.with_context(|| format!("round {round}"))?;
        it.check("after a failed sync").await?;
    }
    it.check_restarts().await
}

#[tokio::test]
async fn short_and_slow_writes_are_only_slow() -> anyhow::Result<()> {
    let Some(mut it) = Faulty::start("full_disk").await? else { return Ok(()) };
    it.shim.order("short-write match=/wal/\nshort-write match=/files/\nslow ms=3")?;
    it.must_write(20).await?;
    it.grid.flush().await.context("flush with short writes")?;
    it.must_write(5).await?;
    it.check("with short writes").await?;
    it.check_restarts().await
}

#[tokio::test]
async fn files_that_cannot_be_written_keep_their_rows_in_the_buffer() -> anyhow::Result<()> {
    let rules = ["eio-write match=/files/", "eio-sync match=/files/", "eio-meta match=/files/", "enospc match=/files/"];
    each(&rules, async |rule, mut it| {
        it.must_write(5).await?;
        it.shim.order(rule)?;
        it.must_fail_to_flush().await?;
        // The log works, so writes are taken while the buffer has room.
        it.must_write(5).await?;
        it.check(rule).await?;
        ensure!(it.metric("grid_store_flush_errors_total").await? >= 1.0, "no flush error is counted");
        it.shim.order("")?;
        it.until_flushed().await?;
        it.must_write(5).await?;
        it.check(rule).await?;
        it.check_restarts().await
    })
    .await
}

#[tokio::test]
async fn a_catalog_that_cannot_be_written_keeps_its_rows_in_the_buffer() -> anyhow::Result<()> {
    let rules = [
        "eio-write match=catalog.db",
        "eio-sync match=catalog.db",
        "torn-write match=catalog.db",
        "enospc match=catalog.db",
    ];
    each(&rules, async |rule, mut it| {
        it.must_write(5).await?;
        it.grid.flush().await?;
        it.must_write(5).await?;
        it.shim.order(rule)?;
        it.must_fail_to_flush().await?;
        it.must_write(5).await?;
        it.check(rule).await?;
        let (status, text) = it.compact_many().await?;
        ensure!(status == 200 || text.contains("GRID-"), "a compaction answers {status} {text}");
        it.check(rule).await?;
        // Background flushes fail as well.
        tokio::time::sleep(FAULT_LASTS).await;
        it.check(rule).await?;
        // A kill right now, before the disk works again: the catalog must still be whole.
        it.check_restarts().await.context("killed meanwhile")?;
        it.must_write(5).await?;
        it.shim.order(rule)?;
        it.must_fail_to_flush().await?;
        it.shim.order("")?;
        it.until_flushed().await?;
        it.must_write(5).await?;
        it.check(rule).await?;
        it.check_restarts().await
    })
    .await
}

#[tokio::test]
async fn a_caller_who_leaves_changes_nothing() -> anyhow::Result<()> {
    let Some(mut it) = Faulty::start("full_disk").await? else { return Ok(()) };
    // Slow enough that callers leave at every stage of a flush, a compaction, a delete.
    it.shim.order("slow ms=15")?;
    for round in 0..24 {
        it.must_write(2).await?;
        let path = ["/api/v1/admin/flush", "/api/v1/admin/flush", "/api/v1/admin/compact", "/api/v1/delete"][round % 4];
        let request = it.grid.client.post(format!("{}{path}", it.grid.http)).header("content-type", "application/json");
        let request = request.body(r#"{"table": "logs", "filter": "body = 'nothing'"}"#);
        let patience = Duration::from_millis(30 + 25 * round as u64);
        let _ = tokio::time::timeout(patience, request.send()).await;
    }
    it.shim.order("")?;
    it.grid.flush().await?;
    it.grid.compact().await?;
    it.check("after callers left").await?;
    it.check_restarts().await
}

/// Tries every fault on a server of its own, all at once since they mostly wait, and tells of all that went wrong.
async fn each(rules: &[&str], test: impl AsyncFn(&str, Faulty) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let one = async |rule: &str| match Faulty::start("full_disk").await? {
        Some(it) => test(rule, it).await,
        None => Ok(()),
    };
    let outcomes = futures::future::join_all(rules.iter().map(|rule| one(rule))).await;
    let wrong = rules.iter().zip(outcomes).filter_map(|(rule, o)| Some(format!("{rule}: {:#}", o.err()?)));
    let wrong: Vec<_> = wrong.collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
}

/// A server over the file layer, and what it was told.
struct Faulty {
    grid: Grid,
    shim: Shim,
    /// Requests so far; each has a number.
    sent: u64,
    acknowledged: BTreeSet<u64>,
    base_ns: i64,
    _folder: TempDir,
}

impl Faulty {
    /// `None`, and a visible skip, where there is no file layer.
    async fn start(bar: &str) -> anyhow::Result<Option<Self>> {
        if let Some(reason) = unusable() {
            skip(bar, reason)?;
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let shim = Shim::new(folder.path())?;
        let mut env = shim.env();
        for (name, value) in [
            ("GRID__TELEMETRY__TO", "off"),
            ("GRID__STORAGE__FLUSH_INTERVAL", "1s"),
            ("GRID__STORAGE__COMPACT_INTERVAL", "500ms"),
        ] {
            env.push((name.to_owned(), value.to_owned()));
        }
        let options = Options { data_dir: Some(shim.root.join("data")), env, ..Options::default() };
        let grid = Grid::start_with(options).await?;
        let base_ns = now_ns() - 3 * 3_600_000_000_000;
        Ok(Some(Self { grid, shim, sent: 0, acknowledged: BTreeSet::new(), base_ns, _folder: folder }))
    }

    /// Writes one request: lines, or samples of a new series or an old one. Answers status and body.
    async fn write(&mut self) -> anyhow::Result<(u16, String)> {
        self.sent += 1;
        let id = self.sent;
        let answer = if id.is_multiple_of(2) {
            let lines: Vec<_> = (0..ROWS).map(|n| (self.base_ns + n as i64, format!("{id}/{n}"))).collect();
            self.grid.post("/v1/logs", "default", &JSON_HEADERS, otlp_logs("faults", &lines)).await?
        } else {
            let series = (id / 4).to_string();
            let value = |n| id * ROWS + n;
            let samples: Vec<_> =
                (0..ROWS).map(|n| (self.base_ns / 1_000_000 + value(n) as i64, value(n) as f64)).collect();
            let body = remote_write(&[("__name__", "faults"), ("series", &series)], &samples);
            self.grid.post("/api/v1/write", "default", &REMOTE_WRITE_HEADERS, body).await?
        };
        if (200..300).contains(&answer.0) {
            self.acknowledged.insert(id);
        }
        Ok(answer)
    }

    async fn must_write(&mut self, times: u64) -> anyhow::Result<()> {
        for _ in 0..times {
            let (status, text) = self.write().await?;
            ensure!((200..300).contains(&status), "a write is answered {status}: {text}");
        }
        Ok(())
    }

    async fn must_be_refused(&mut self) -> anyhow::Result<()> {
        let (status, text) = self.write().await?;
        ensure!(status == 503 && text.contains(READ_ONLY), "a write is answered {status} without {READ_ONLY}: {text}");
        Ok(())
    }

    async fn must_fail_to_flush(&self) -> anyhow::Result<()> {
        let (status, text) = self.grid.post("/api/v1/admin/flush", "default", &[], "").await?;
        ensure!(status >= 500 && text.contains("GRID-"), "a flush answers {status}: {text}");
        Ok(())
    }

    /// Small files enough for a compaction are not there if flushes fail; it must do no harm either way.
    async fn compact_many(&self) -> anyhow::Result<(u16, String)> {
        self.grid.post("/api/v1/admin/compact", "default", &[], "").await
    }

    /// Writes until one is taken; answers how long that took.
    async fn until_written(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        loop {
            let (status, text) = self.write().await?;
            if (200..300).contains(&status) {
                return Ok(started.elapsed());
            }
            ensure!(
                started.elapsed() < RECOVERS_WITHIN,
                "writes are still refused {} s after the disk works again: {status} {text}\n{}",
                RECOVERS_WITHIN.as_secs(),
                self.grid.log()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until all is in files without asking for it.
    async fn until_flushed(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        while self.metric("grid_store_buffered_rows").await? > 0.0 {
            ensure!(
                started.elapsed() < RECOVERS_WITHIN,
                "rows are still in no file {} s after the disk works again\n{}",
                RECOVERS_WITHIN.as_secs(),
                self.grid.log()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    async fn ready(&self) -> anyhow::Result<(bool, String)> {
        let answer = self.grid.client.get(format!("{}/readyz", self.grid.http)).send().await?;
        Ok((answer.status().is_success(), answer.text().await?))
    }

    async fn must_be_ready(&self, wanted: bool) -> anyhow::Result<()> {
        let (ready, text) = self.ready().await?;
        ensure!(ready == wanted, "/readyz says {text}");
        Ok(())
    }

    /// Whether `grid doctor` is content, and what it says.
    async fn doctor(&self) -> anyhow::Result<(bool, String)> {
        let mut command = Command::new(grid_binary()?);
        let output = command.args(["doctor", "--url", &self.grid.http]).output().await?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }

    async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.grid.client.get(format!("{}/metrics", self.grid.http)).send().await?.text().await?;
        let line = text.lines().find(|l| l.split([' ', '{']).next() == Some(name));
        let value = line.and_then(|l| l.rsplit(' ').next()).with_context(|| format!("find {name} in /metrics"))?;
        Ok(value.parse()?)
    }

    /// Every acknowledged row is there once; of a request that was refused all rows are there or none.
    async fn check(&self, when: &str) -> anyhow::Result<()> {
        let mut found: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for row in self.grid.sql("default", "SELECT body FROM logs").await? {
            let (id, n) = row["body"].as_str().and_then(|b| b.split_once('/')).context("a body")?;
            found.entry(id.parse()?).or_default().push(n.parse()?);
        }
        // A join: a sample without its series would be lost to any query by name.
        let samples = "SELECT sa.value AS value FROM samples sa JOIN series se ON sa.series_id = se.series_id";
        for row in self.grid.sql("default", samples).await? {
            let value = row["value"].as_f64().context("a value")? as u64;
            found.entry(value / ROWS).or_default().push(value % ROWS);
        }
        for id in 1..=self.sent {
            let mut rows = found.remove(&id).unwrap_or_default();
            rows.sort_unstable();
            let (whole, acknowledged) = (rows.iter().copied().eq(0..ROWS), self.acknowledged.contains(&id));
            let what = if acknowledged { "acknowledged" } else { "refused" };
            ensure!(whole || rows.is_empty() && !acknowledged, "{when}: of {what} request {id} are there {rows:?}");
        }
        ensure!(found.is_empty(), "{when}: nobody wrote {found:?}");
        Ok(())
    }

    /// Ends it by `kill -9`, starts it on a disk that works, counts, and wants no damage reported.
    async fn check_restarts(&mut self) -> anyhow::Result<()> {
        self.grid.kill().await?;
        self.shim.order("")?;
        self.grid.restart().await.context("start again on a disk that works")?;
        self.must_be_ready(true).await?;
        self.check("after a restart").await?;
        self.must_write(1).await
    }
}
