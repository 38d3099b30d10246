//! One job: its discovery, and a loop per target. When the list of targets changes, loops are started and stopped; what a loop that
//! stops knows goes to the one that takes its place, else its series end with stale markers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use grid_model::Table;
use grid_scrape_config::target::{Populated, Target, populate};
use grid_scrape_config::{LabelMap, ScrapeConfig, TargetGroup};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::discover::{self, Found};
use super::fetch::Fetcher;
use super::ledger::Ledger;
use super::status::{ActiveTarget, Progress};
use super::target_loop::{TargetLoop, rows};

/// What is known of targets by their labels.
pub(super) type Ledgers = HashMap<LabelMap, Ledger>;

/// A job that runs.
pub(super) struct RunningJob {
    pub(super) config: Arc<ScrapeConfig>,
    token: CancellationToken,
    task: JoinHandle<Ledgers>,
}

impl RunningJob {
    /// Starts a job. `inherited`: what another job of this name knew.
    pub(super) fn start(shared: Arc<Shared>, config: ScrapeConfig, mut inherited: Ledgers) -> Self {
        inherited.values_mut().for_each(Ledger::forget_rules);
        let (config, token) = (Arc::new(config), CancellationToken::new());
        let job = Job {
            shared,
            fetcher: Arc::new(Fetcher::new(config.http.clone())),
            config: Arc::clone(&config),
            groups: vec![None; discover::sources(&config)],
            loops: HashMap::new(),
            inherited,
            forced_error: None,
        };
        Self { config, task: tokio::spawn(job.run(token.clone())), token }
    }

    /// Asks all loops to stop.
    pub(super) fn cancel(&self) {
        self.token.cancel();
    }

    /// Stops all loops, and answers what they knew. No stale markers are written.
    pub(super) async fn stop(self) -> Ledgers {
        self.cancel();
        self.task.await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "a job of the scraper died");
            Ledgers::new()
        })
    }
}

struct Job {
    shared: Arc<Shared>,
    config: Arc<ScrapeConfig>,
    fetcher: Arc<Fetcher>,
    /// By source; `None` = not heard of yet.
    groups: Vec<Option<Vec<TargetGroup>>>,
    loops: HashMap<Arc<Target>, RunningTarget>,
    inherited: Ledgers,
    forced_error: Option<String>,
}

struct RunningTarget {
    token: CancellationToken,
    task: JoinHandle<Ledger>,
    progress: Arc<Mutex<Progress>>,
}

impl Job {
    async fn run(mut self, token: CancellationToken) -> Ledgers {
        let (to, mut found) = mpsc::channel(16);
        let discovery = discover::start(&self.config, &self.shared.status, &to);
        if let Some(first) = self.groups.first_mut() {
            *first = Some(self.config.static_groups.clone());
        }
        self.sync().await;
        loop {
            tokio::select! {
                () = token.cancelled() => break,
                Some(Found { source, groups }) = found.recv() => self.groups[source] = Some(groups),
            }
            // Sources that answer together change the list once.
            while let Ok(Found { source, groups }) = found.try_recv() {
                self.groups[source] = Some(groups);
            }
            self.sync().await;
        }
        drop(discovery);
        let all = self.loops.keys().cloned().collect();
        self.stop(all).await;
        self.inherited
    }

    /// Stops the loops of targets; what they knew can be inherited.
    async fn stop(&mut self, targets: Vec<Arc<Target>>) {
        let stopping: Vec<_> =
            targets.into_iter().filter_map(|target| Some((self.loops.remove(&target)?, target))).collect();
        stopping.iter().for_each(|(running, _)| running.token.cancel());
        for (running, target) in stopping {
            let ledger = running.task.await.unwrap_or_else(|e| {
                tracing::error!(error = %e, "a scrape loop died");
                Ledger::default()
            });
            self.inherited.insert(target.labels.clone(), ledger);
        }
    }

    /// Makes the loops those of the targets that are known now.
    async fn sync(&mut self) {
        let (targets, dropped) = self.targets();
        let limit = self.config.target_limit;
        let forced = (limit > 0 && targets.len() > limit)
            .then(|| format!("the job has {} targets, more than target_limit {limit} allows", targets.len()));
        // A loop that is forced to fail is another loop.
        let restart = forced != self.forced_error;
        self.forced_error = forced;
        let gone: Vec<Arc<Target>> =
            self.loops.keys().filter(|t| restart || !targets.contains_key(*t)).cloned().collect();
        self.stop(gone).await;
        for target in targets.into_keys() {
            if !self.loops.contains_key(&target) {
                let running = self.start(Arc::clone(&target));
                self.loops.insert(target, running);
            }
        }
        // What no source has named yet may still come back.
        if self.groups.iter().all(Option::is_some) {
            self.end_inherited().await;
        }
        let active = self.loops.iter().map(|(target, running)| (self.active(target), Arc::clone(&running.progress)));
        let mut active: Vec<_> = active.collect();
        active.sort_by(|(a, _), (b, _)| (&a.url, &a.labels).cmp(&(&b.url, &b.labels)));
        self.shared.status.set_job(&self.config.job_name, active, dropped, self.config.keep_dropped_targets);
    }

    /// The targets to scrape, each once, and those that relabelling dropped.
    fn targets(&self) -> (HashMap<Arc<Target>, ()>, Vec<LabelMap>) {
        let (mut targets, mut dropped) = (HashMap::new(), Vec::new());
        // Targets that differ only in what was discovered are one.
        let mut seen = std::collections::HashSet::new();
        for group in self.groups.iter().flatten().flatten() {
            for own in discover::targets(group) {
                match populate(&self.config, &own, &group.labels) {
                    Ok(Populated::Target(target)) => {
                        if seen.insert((target.url(), target.labels.clone())) {
                            targets.insert(Arc::new(*target), ());
                        }
                    }
                    Ok(Populated::Dropped(labels)) => dropped.push(labels),
                    Err(error) => {
                        let (job, address) = (&self.config.job_name, own.get("__address__"));
                        tracing::warn!(job, address, error, "target left out");
                    }
                }
            }
        }
        (targets, dropped)
    }

    fn start(&mut self, target: Arc<Target>) -> RunningTarget {
        let fetcher = if Fetcher::is_of_one_target(&self.config.http) {
            Arc::new(Fetcher::new(self.config.http.clone()))
        } else {
            Arc::clone(&self.fetcher)
        };
        let progress = Arc::new(Mutex::new(Progress::default()));
        let token = CancellationToken::new();
        let work = TargetLoop {
            shared: Arc::clone(&self.shared),
            job: Arc::clone(&self.config),
            ledger: self.inherited.remove(&target.labels).unwrap_or_default(),
            target,
            fetcher,
            progress: Arc::clone(&progress),
            forced_error: self.forced_error.clone(),
        };
        RunningTarget { task: tokio::spawn(work.run(token.clone())), token, progress }
    }

    /// Ends the series of targets that nobody took over.
    async fn end_inherited(&mut self) {
        for (labels, ledger) in std::mem::take(&mut self.inherited) {
            end(&self.shared, &labels, ledger).await;
        }
    }

    fn active(&self, target: &Target) -> ActiveTarget {
        ActiveTarget {
            job: self.config.job_name.clone(),
            discovered: target.discovered.clone(),
            labels: target.labels.clone(),
            url: target.url(),
            interval: target.interval,
            timeout: target.timeout,
            progress: Progress::default(),
        }
    }
}

/// Ends the series of a target that is gone.
pub(super) async fn end(shared: &Shared, labels: &LabelMap, ledger: Ledger) {
    let now = (shared.clock)();
    let write = ledger.end(labels, &shared.limits, now);
    shared.status.counters().stale_markers.fetch_add(rows(&write), Ordering::Relaxed);
    debug_assert!(write.batches.iter().all(|(table, _)| *table == Table::Samples));
    let decoded = grid_decode::Decoded { write, ..grid_decode::Decoded::default() };
    if let Err(reason) = shared.write(decoded, 0).await {
        tracing::warn!(reason, "stale markers of a target that is gone could not be written");
    }
}
