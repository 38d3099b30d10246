//! Cuts the power, a thousand times: nothing acknowledged may be lost, nothing half written may show.
//!
//! A few runs of the real server are written down, change by change of its files, by the file layer of `tests/faultfs`. Then for each
//! seed the power fails at some moment of a run: of what was not synced some survives, by the seed's chance (nothing, all, a
//! prefix, sectors here and there). The real `grid` opens what is left, without that layer, and answers every row. Some
//! openings are cut as well and opened again.
//!
//! `GRID_POWERCUT_SEEDS` sets the number of cuts (default 40; the scorecard makes 1,000), `GRID_POWERCUT_SEED` the first. What
//! failed is kept under `powercut-failed` in cargo's target directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use grid_tests::powercut::disk::{Disk, Memory, Survival, Tree};
use grid_tests::powercut::expect::{Found, Known, Verdict, judge, query};
use grid_tests::powercut::shim::{Shim, unusable};
use grid_tests::powercut::trace::{Event, Mark, parse};
use grid_tests::powercut::workload::{self, DATA, Plan, Recording, Request};
use grid_tests::server::target_dir;
use grid_tests::{Grid, Options, figure, grid_binary, skip};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Cuts of one recorded run.
const CUTS_PER_RUN: u64 = 40;
/// Starts of the server in one recorded run.
const LIVES: usize = 3;
/// The same where few cuts are wanted, and soon.
const LIVES_IN_SHORT: usize = 2;
/// Of so many openings one is cut as well.
const CUT_AGAIN_ONE_IN: u64 = 4;
/// Openings at once.
const OPENINGS: usize = 2;
const OPEN_WITHIN: Duration = Duration::from_secs(120);
/// Folder of cargo's target directory for what failed: the files that a cut left, and the trace of its run.
const FAILED: &str = "powercut-failed";
/// Failures that are told in full.
const TOLD_MAX: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_to_a_power_cut() -> anyhow::Result<()> {
    if let Some(reason) = unusable() {
        return skip("powercut", reason);
    }
    let seeds = env_number("GRID_POWERCUT_SEEDS").unwrap_or(40).max(2);
    let first = env_number("GRID_POWERCUT_SEED").unwrap_or(1);
    let per_run = CUTS_PER_RUN.min(seeds.div_ceil(2));
    let lives = if seeds > CUTS_PER_RUN { LIVES } else { LIVES_IN_SHORT };
    let mut total = Total::default();
    for run in 0..seeds.div_ceil(per_run) {
        let seed = first + run * per_run;
        let cuts = per_run.min(seeds - run * per_run);
        let folder = tempfile::tempdir()?;
        let (recordings, requests) = match workload::record(folder.path(), Plan { seed, lives, always: "" }).await {
            Ok(run) => run,
            Err(e) => {
                let kept = folder.keep();
                let told = format!("seed {seed}: the run itself failed, left in {}: {e:#}", kept.display());
                total.failed.insert(seed, told);
                continue;
            }
        };
        let requests = Arc::new(requests);
        let stretches = recordings.len() as u64;
        for (n, recording) in (0..stretches).zip(recordings) {
            let seeds = (seed..seed + cuts).filter(|s| s % stretches == n);
            let before = total.failed.len();
            cut_and_check(&recording, &requests, seeds, None, &mut total).await?;
            if total.failed.len() > before {
                let kept = target_dir().join(FAILED).join(format!("run-{seed}-{n}.trace"));
                std::fs::write(&kept, &recording.trace).with_context(|| format!("keep {}", kept.display()))?;
            }
        }
    }
    let measured = format!(
        "{} of {} acknowledged rows lost over {} cuts ({} of them cut again while opening); {} cuts left something wrong; \
         {} changes of files recorded, {} rows acknowledged at a cut in the mean",
        total.lost,
        total.acknowledged,
        total.cuts,
        total.again,
        total.failed.len(),
        total.events,
        total.acknowledged / total.cuts.max(1),
    );
    let held = figure("powercut", total.lost == 0 && total.failed.is_empty(), &measured);
    let told: Vec<_> = total.failed.values().take(TOLD_MAX).cloned().collect();
    ensure!(held, "{measured}\n{}", told.join("\n"));
    ensure!(total.acknowledged > total.cuts * 20, "hardly any load: {measured}");
    Ok(())
}

/// The suite's own test: on a disk that claims to have synced and has not, rows must be seen to be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_sync_is_noticed() -> anyhow::Result<()> {
    if let Some(reason) = unusable() {
        return skip("powercut", reason);
    }
    for always in ["forget-sync match=/wal/", "forget-sync match=/files/", "forget-sync match=catalog.db"] {
        let folder = tempfile::tempdir()?;
        let (recordings, requests) = workload::record(folder.path(), Plan { seed: 1, lives: 1, always }).await?;
        let (requests, mut total) = (Arc::new(requests), Total { quiet: true, ..Total::default() });
        cut_and_check(&recordings[0], &requests, 1..9, Some(Survival::Nothing), &mut total).await?;
        ensure!(!total.failed.is_empty(), "{always}: nobody noticed");
    }
    Ok(())
}

#[derive(Default)]
struct Total {
    /// Failures are what is wanted: keep no trees of them.
    quiet: bool,
    cuts: u64,
    again: u64,
    acknowledged: u64,
    lost: u64,
    events: usize,
    /// What was wrong, by seed.
    failed: BTreeMap<u64, String>,
}

/// One moment at which the power fails.
struct Cut {
    seed: u64,
    /// So many events happened before.
    at: usize,
    survival: Survival,
    rng: StdRng,
}

async fn cut_and_check(
    recording: &Recording,
    requests: &Arc<Vec<Request>>,
    seeds: impl Iterator<Item = u64>,
    survival: Option<Survival>,
    total: &mut Total,
) -> anyhow::Result<()> {
    let events = parse(&recording.trace)?;
    total.events += events.len();
    let mut cuts = plan(&events, seeds);
    cuts.sort_by_key(|c| c.at);
    let (mut disk, mut known) = (recording.disk.clone(), recording.known.clone());
    let (mut done, room) = (0, Arc::new(Semaphore::new(OPENINGS)));
    let mut checks = JoinSet::new();
    for mut cut in cuts {
        for event in &events[done..cut.at] {
            disk.apply(event)?;
            known.apply(event);
        }
        done = cut.at;
        cut.survival = survival.unwrap_or(cut.survival);
        let tree = disk.cut(cut.survival, &mut cut.rng);
        let (requests, known) = (Arc::clone(requests), known.clone());
        let place = place(&events, cut.at);
        let permit = Arc::clone(&room).acquire_owned().await?;
        checks.spawn(async move {
            let _permit = permit;
            let outcome = check(&tree, &requests, &known, &mut cut).await;
            let (verdict, again) = outcome.unwrap_or_else(|e| {
                // What does not open holds no rows.
                let nothing = judge(&requests, &known, &Found::default());
                (Verdict { wrong: vec![format!("{e:#}")], ..nothing }, false)
            });
            (cut, place, tree, verdict, again)
        });
        while let Some(outcome) = checks.try_join_next() {
            total.add(outcome?)?;
        }
    }
    while let Some(outcome) = checks.join_next().await {
        total.add(outcome?)?;
    }
    Ok(())
}

/// A cut, the moment in words, what it left, what is thought of that, and whether the opening was cut as well.
type Outcome = (Cut, String, Tree, Verdict, bool);

impl Total {
    fn add(&mut self, (cut, place, tree, verdict, again): Outcome) -> anyhow::Result<()> {
        self.cuts += 1;
        self.again += u64::from(again);
        self.acknowledged += verdict.acknowledged;
        self.lost += verdict.lost;
        let wrong = verdict.wrong;
        if !wrong.is_empty() {
            let kept = target_dir().join(FAILED).join(cut.seed.to_string());
            if !self.quiet {
                tree.write(&kept)?;
            }
            let (n, few) = (wrong.len(), wrong.iter().take(TOLD_MAX).cloned().collect::<Vec<_>>().join("\n    "));
            let told = format!(
                "seed {}: cut {place}, {:?} of what was not synced survives; left in {}; {n} wrong:\n    {few}",
                cut.seed,
                cut.survival,
                kept.display()
            );
            self.failed.insert(cut.seed, told);
        }
        Ok(())
    }
}

/// Chooses the moments: anywhere, around the changes that matter, and within the very first start.
fn plan(events: &[Event<'_>], seeds: impl Iterator<Item = u64>) -> Vec<Cut> {
    let mut around: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
    for (n, event) in events.iter().enumerate() {
        let kind = match event {
            Event::SyncBegin { .. } => 0,
            Event::SyncEnd { .. } => 1,
            Event::Rename { .. } => 2,
            Event::Unlink { .. } => 3,
            Event::Mark(Mark::Acknowledged(_)) => 4,
            Event::SetLen { .. } => 5,
            Event::Mkdir { .. } | Event::Create { .. } => 6,
            _ => continue,
        };
        around.entry(kind).or_default().push(n);
    }
    let kinds: Vec<_> = around.into_values().collect();
    let first_request = events.iter().position(|e| matches!(e, Event::Mark(_))).unwrap_or(events.len());
    let one = |seed: u64| {
        let mut rng = StdRng::seed_from_u64(seed);
        let at = match rng.random_range(0..20) {
            0 => rng.random_range(0..=first_request),
            1..10 => rng.random_range(0..=events.len()),
            _ => {
                let list = &kinds[rng.random_range(0..kinds.len())];
                list[rng.random_range(0..list.len())] + rng.random_range(0..=1)
            }
        };
        Cut { seed, at, survival: Survival::any(&mut rng), rng }
    };
    seeds.map(one).collect()
}

/// The moment in words: what happened last.
fn place(events: &[Event<'_>], at: usize) -> String {
    let from = at.saturating_sub(3);
    let path_of = |inode: u64| {
        events[..at].iter().rev().find_map(|e| match e {
            Event::Create { inode: i, path } | Event::Mkdir { inode: i, path } if *i == inode => Some(*path),
            _ => None,
        })
    };
    let words = |event: &Event<'_>| match event {
        Event::Write { inode, .. } | Event::SetLen { inode, .. } | Event::SyncBegin { inode, .. } => {
            format!("{event:?}, which was made as {}", path_of(*inode).unwrap_or("the root"))
        }
        _ => format!("{event:?}"),
    };
    format!(
        "after event {at} of {} ({})",
        events.len(),
        events[from..at].iter().map(words).collect::<Vec<_>>().join("; ")
    )
}

/// Opens what a cut left, sometimes twice and with a second cut in between, and judges what is found.
async fn check(tree: &Tree, requests: &[Request], known: &Known, cut: &mut Cut) -> anyhow::Result<(Verdict, bool)> {
    let folder = tempfile::tempdir()?;
    let shim = Shim::new(folder.path())?;
    tree.write(&shim.root)?;
    let data = shim.root.join(DATA);
    if known.is_empty() && !data.join("FORMAT").exists() {
        // Cut before there was a store: a server must be able to begin here, as it does in an empty folder.
        let options = Options { data_dir: Some(data), env: workload::settings(), ..Options::default() };
        let mut grid = Grid::start_with(options).await?;
        grid.terminate().await?;
        return Ok((Verdict::default(), false));
    }
    let again = cut.rng.random_range(0..CUT_AGAIN_ONE_IN) == 0;
    if !again {
        let found = open(&data, &[]).await?;
        return Ok((judge(requests, known, &Found::parse(&found)?), false));
    }
    let mut disk = Disk::of_folder(&shim.root, Memory::Forgetful)?;
    let found = Found::parse(&open(&data, &shim.env()).await?)?;
    let mut verdict = judge(requests, known, &found);
    let trace = std::fs::read(&shim.trace).context("read the trace of the opening")?;
    let second = {
        let events = parse(&trace)?;
        let at = cut.rng.random_range(0..=events.len());
        for event in &events[..at] {
            disk.apply(event)?;
        }
        disk.cut(Survival::any(&mut cut.rng), &mut cut.rng)
    };
    second.write(&shim.root)?;
    let found_again = Found::parse(&open(&data, &[]).await.context("open after a second cut")?)?;
    let second_verdict = judge(requests, known, &found_again);
    verdict.lost = verdict.lost.max(second_verdict.lost);
    verdict.wrong.extend(second_verdict.wrong.into_iter().map(|w| format!("after a second cut: {w}")));
    Ok((verdict, true))
}

/// Every row, as `grid query` answers it straight from a data directory.
async fn open(data: &Path, env: &[(String, String)]) -> anyhow::Result<String> {
    let grid: PathBuf = grid_binary()?;
    let mut command = Command::new(grid);
    command.args(["query", &query(), "--output", "ndjson", "--data-dir"]).arg(data);
    command.envs(env.iter().map(|(k, v)| (k, v))).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(OPEN_WITHIN, command.output()).await.context("wait for grid query")??;
    ensure!(output.status.success(), "the store does not open: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?)
}

fn env_number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
