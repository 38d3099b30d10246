//! Kills the server at random moments under load, starts it again, and looks for every row that it had acknowledged.
//!
//! Writers of three kinds write numbered rows and remember which were acknowledged. Meanwhile flushes and compactions are
//! forced without a pause, so that kills hit the WAL, Parquet files in the making and catalog commits. Some starts are killed as well.
//! After each start:
//! every acknowledged sample is there exactly once with its value; every acknowledged log record is there once, or more
//! often only if it was sent again after an attempt that was never answered.
//!
//! `GRID_KILL_CYCLES` sets the number of cycles (default 6; the scorecard runs 500), `GRID_KILL_SEED` the moments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use grid_tests::wire::{JSON_HEADERS, REMOTE_WRITE_HEADERS, otlp_logs, remote_write};
use grid_tests::{Grid, figure, now_ns};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

const WRITERS_PER_KIND: u64 = 3;
const LINES_PER_REQUEST: u64 = 5;
const SAMPLES_PER_REQUEST: u64 = 20;
const ROUNDS_MAX: u64 = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost() -> anyhow::Result<()> {
    let cycles = env_number("GRID_KILL_CYCLES").unwrap_or(6);
    let seed = env_number("GRID_KILL_SEED").unwrap_or(1);
    let mut rng = StdRng::seed_from_u64(seed);
    let mut grid = Grid::start().await?;
    let mut total = Tally::default();
    let (mut starts, mut interrupted_starts) = (Vec::new(), 0);
    for cycle in 0..cycles {
        let load = Load::new(cycle);
        let mut tasks = load.spawn(&grid);
        tokio::time::sleep(Duration::from_millis(rng.random_range(20..700))).await;
        grid.kill().await?;
        load.stop.store(true, Ordering::Relaxed);
        let mut acknowledged = Acknowledged::default();
        while let Some(done) = tasks.join_next().await {
            acknowledged.merge(done.context("join a writer")?);
        }
        // A start that is killed itself, in the middle of its replay, must not make anything worse.
        while rng.random_ratio(1, 3) {
            let within = Duration::from_millis(rng.random_range(1..40));
            if tokio::time::timeout(within, grid.restart()).await.is_err() {
                interrupted_starts += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        grid.restart().await.with_context(|| format!("restart after kill {cycle}"))?;
        starts.push(grid.start_time.as_millis());
        let tally = check(&grid, cycle, &acknowledged).await.with_context(|| format!("seed {seed}, cycle {cycle}"))?;
        total.add(&tally);
    }
    // Rows of early cycles have been flushed, killed over and compacted many times by now.
    let kept = grid.count("default", "SELECT count(*) FROM samples").await?;
    let lost_later = total.samples_found.saturating_sub(kept);
    starts.sort_unstable();
    let held = total.lost == 0 && total.doubled == 0 && lost_later == 0;
    let measured = format!(
        "{} lost, {} doubled of {} acknowledged rows over {cycles} kills ({} flushes, {} compactions forced) \
         and {interrupted_starts} starts killed too; start after a kill: median {} ms, longest {} ms",
        total.lost + lost_later,
        total.doubled,
        total.acknowledged,
        total.flushes,
        total.compactions,
        starts[starts.len() / 2],
        starts[starts.len() - 1],
    );
    figure("kill", held, &measured);
    if cycles >= 500 {
        figure("kill_500", held, &measured);
    }
    assert!(held, "{measured}");
    assert!(total.acknowledged > cycles * 10, "hardly any load: {measured}");
    Ok(())
}

/// What one cycle's writers got acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// (writer, number) of samples.
    samples: BTreeSet<(u64, u64)>,
    /// (writer, number) of log lines.
    lines: BTreeSet<(u64, u64)>,
    flushes: u64,
    compactions: u64,
}

impl Acknowledged {
    fn merge(&mut self, mut other: Self) {
        self.samples.append(&mut other.samples);
        self.lines.append(&mut other.lines);
        self.flushes += other.flushes;
        self.compactions += other.compactions;
    }
}

#[derive(Default)]
struct Tally {
    acknowledged: u64,
    lost: u64,
    doubled: u64,
    samples_found: u64,
    flushes: u64,
    compactions: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.samples_found += other.samples_found;
        self.flushes += other.flushes;
        self.compactions += other.compactions;
    }
}

struct Load {
    cycle: u64,
    /// Every cycle has a second of its own for sample times.
    base_ms: i64,
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
}

impl Load {
    fn new(cycle: u64) -> Self {
        let base_ms = now_ns() / 1_000_000;
        Self { cycle, base_ms, stop: Arc::default(), requests: Arc::default() }
    }

    fn spawn(&self, grid: &Grid) -> JoinSet<Acknowledged> {
        let mut tasks = JoinSet::new();
        for writer in 0..WRITERS_PER_KIND {
            tasks.spawn(self.write_samples(grid, writer));
            tasks.spawn(self.write_lines(grid, writer));
        }
        tasks.spawn(self.force(grid));
        tasks
    }

    fn write_samples(&self, grid: &Grid, writer: u64) -> impl Future<Output = Acknowledged> + use<> {
        let (poster, cycle, base) = (self.poster(grid), self.cycle, self.base_ms - 3_600_000);
        async move {
            let mut got = Acknowledged::default();
            for round in 0..ROUNDS_MAX {
                let numbers = round * SAMPLES_PER_REQUEST..(round + 1) * SAMPLES_PER_REQUEST;
                let samples: Vec<_> = numbers.clone().map(|n| (base + n as i64, n as f64)).collect();
                let (c, w) = (cycle.to_string(), writer.to_string());
                let labels = [("__name__", "grid_kill"), ("cycle", &c), ("writer", &w)];
                match poster.post("/api/v1/write", &REMOTE_WRITE_HEADERS, remote_write(&labels, &samples)).await {
                    Answer::Acknowledged => got.samples.extend(numbers.map(|n| (writer, n))),
                    Answer::Refused => {}
                    Answer::Gone => break,
                }
            }
            got
        }
    }

    fn write_lines(&self, grid: &Grid, writer: u64) -> impl Future<Output = Acknowledged> + use<> {
        let (poster, cycle) = (self.poster(grid), self.cycle);
        async move {
            let mut got = Acknowledged::default();
            for round in 0..ROUNDS_MAX {
                let numbers = round * LINES_PER_REQUEST..(round + 1) * LINES_PER_REQUEST;
                let lines: Vec<_> = numbers.clone().map(|n| (now_ns(), format!("{writer}:{n}"))).collect();
                let body = otlp_logs(&format!("kill-{cycle}"), &lines).into_bytes();
                match poster.post("/v1/logs", &JSON_HEADERS, body).await {
                    Answer::Acknowledged => got.lines.extend(numbers.map(|n| (writer, n))),
                    Answer::Refused => {}
                    Answer::Gone => break,
                }
            }
            got
        }
    }

    fn force(&self, grid: &Grid) -> impl Future<Output = Acknowledged> + use<> {
        let poster = self.poster(grid);
        async move {
            let mut got = Acknowledged::default();
            for round in 0..ROUNDS_MAX {
                let compact = round % 3 == 2;
                let path = if compact { "/api/v1/admin/compact" } else { "/api/v1/admin/flush" };
                match poster.post(path, &[], Vec::new()).await {
                    Answer::Acknowledged if compact => got.compactions += 1,
                    Answer::Acknowledged => got.flushes += 1,
                    Answer::Refused => tokio::time::sleep(Duration::from_millis(5)).await,
                    Answer::Gone => break,
                }
            }
            got
        }
    }

    fn poster(&self, grid: &Grid) -> Poster {
        Poster {
            client: grid.client.clone(),
            base: grid.http.clone(),
            stop: Arc::clone(&self.stop),
            requests: Arc::clone(&self.requests),
        }
    }
}

enum Answer {
    Acknowledged,
    Refused,
    /// The server is gone, or the answer did not arrive: the write may or may not have happened.
    Gone,
}

struct Poster {
    client: reqwest::Client,
    base: String,
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
}

impl Poster {
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        if self.stop.load(Ordering::Relaxed) {
            return Answer::Gone;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let request = self.client.post(format!("{}{path}", self.base)).body(body);
        let request = headers.iter().fold(request, |r, (k, v)| r.header(*k, *v));
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Answer::Acknowledged,
            Ok(_) => Answer::Refused,
            Err(_) => Answer::Gone,
        }
    }
}

async fn check(grid: &Grid, cycle: u64, acknowledged: &Acknowledged) -> anyhow::Result<Tally> {
    let mut tally = Tally {
        acknowledged: (acknowledged.samples.len() + acknowledged.lines.len()) as u64,
        flushes: acknowledged.flushes,
        compactions: acknowledged.compactions,
        ..Tally::default()
    };
    let query =
        format!("SELECT writer, value, count(*) AS n FROM metrics.\"grid_kill\" WHERE cycle = '{cycle}' GROUP BY 1, 2");
    let mut samples = BTreeMap::new();
    for row in if acknowledged.samples.is_empty() { vec![] } else { grid.sql("default", &query).await? } {
        let writer = row["writer"].as_str().and_then(|w| w.parse().ok()).context("a writer")?;
        let number = row["value"].as_f64().context("a value")? as u64;
        samples.insert((writer, number), row["n"].as_u64().context("a count")?);
    }
    let query = format!("SELECT body, count(*) AS n FROM logs WHERE service = 'kill-{cycle}' GROUP BY body");
    let mut lines = BTreeMap::new();
    for row in grid.sql("default", &query).await? {
        let (writer, number) = row["body"].as_str().and_then(|b| b.split_once(':')).context("a body")?;
        lines.insert((writer.parse()?, number.parse()?), row["n"].as_u64().context("a count")?);
    }
    tally.samples_found = samples.values().sum();
    for (wanted, found) in [(&acknowledged.samples, &samples), (&acknowledged.lines, &lines)] {
        let lost: Vec<_> = wanted.iter().filter(|id| !found.contains_key(id)).collect();
        tally.lost += lost.len() as u64;
        ensure!(lost.is_empty(), "{} acknowledged rows are lost, first {:?}\n{}", lost.len(), lost[0], grid.log());
        tally.doubled += found.values().filter(|n| **n > 1).count() as u64;
    }
    Ok(tally)
}

fn env_number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
