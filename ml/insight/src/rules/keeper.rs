//! All groups: starts, changes and ends their tasks as rules come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use grid_analytics::Engine;
use grid_model::TenantId;
use grid_rules::file::ParseOptions;
use grid_rules::group::{Evaluated, GroupOptions};
use grid_rules::{Group, GroupSpec, GroupView};
use grid_store::{Clock, Store};
use parking_lot::RwLock;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::host::SampleWriter;
use super::sink::AlertSink;
use super::source::{self, FileProblem, GroupKey, Loaded};
use super::task::{GroupTask, Seen};

/// How rules are kept.
#[derive(Debug, Clone)]
pub struct KeeperOptions {
    /// How groups are evaluated.
    pub group: GroupOptions,
    /// How rules are read.
    pub parse: ParseOptions,
    /// Groups that are evaluated at once.
    pub concurrency: usize,
}

/// The parts of a [`Keeper`].
pub struct KeeperParts {
    /// Holds documents of rules.
    pub store: Store,
    /// Answers what rules ask.
    pub engine: Arc<Engine>,
    /// Writes what they make.
    pub writer: Arc<dyn SampleWriter>,
    /// Is told of alerts.
    pub sink: Arc<dyn AlertSink>,
    /// Tells the time.
    pub clock: Clock,
    /// How.
    pub options: KeeperOptions,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Totals {
    evaluations: AtomicU64,
    rules: AtomicU64,
    failures: AtomicU64,
    samples: AtomicU64,
    notices: AtomicU64,
}

impl Totals {
    pub(super) fn count(&self, evaluated: &Evaluated, rules: usize) {
        let add = |to: &AtomicU64, n: usize| to.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Ordering::Relaxed);
        add(&self.evaluations, 1);
        add(&self.rules, rules);
        add(&self.failures, evaluated.failed);
        add(&self.samples, evaluated.written);
        add(&self.notices, evaluated.notices.len());
    }

    /// Name, meaning and value of each.
    pub fn now(&self) -> [(&'static str, &'static str, u64); 5] {
        let get = |of: &AtomicU64| of.load(Ordering::Relaxed);
        [
            ("grid_rules_group_evaluations_total", "Evaluations of groups of rules.", get(&self.evaluations)),
            ("grid_rules_evaluations_total", "Evaluations of rules.", get(&self.rules)),
            ("grid_rules_failures_total", "Evaluations of rules that failed.", get(&self.failures)),
            (
                "grid_rules_samples_written_total",
                "Samples that rules wrote, stale markers among them.",
                get(&self.samples),
            ),
            (
                "grid_rules_alerts_sent_total",
                "Alerts that receivers were told of, each time counted.",
                get(&self.notices),
            ),
        ]
    }
}

/// What tasks share.
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) engine: Arc<Engine>,
    pub(super) writer: Arc<dyn SampleWriter>,
    pub(super) sink: Arc<dyn AlertSink>,
    pub(super) clock: Clock,
    pub(super) options: KeeperOptions,
    pub(super) turns: Arc<Semaphore>,
    pub(super) totals: Totals,
    seen: RwLock<BTreeMap<GroupKey, Seen>>,
    problems: RwLock<Vec<FileProblem>>,
}

struct Running {
    spec: Arc<GroupSpec>,
    token: CancellationToken,
    task: JoinHandle<Group>,
}

/// Evaluates rules. Cheap to clone; clones share.
#[derive(Clone)]
pub struct Keeper {
    shared: Arc<Shared>,
    running: Arc<Mutex<Tasks>>,
}

#[derive(Default)]
struct Tasks {
    groups: BTreeMap<GroupKey, Running>,
    /// Whether a first set of rules is in force: later groups have nothing to restore.
    begun: bool,
    stopped: bool,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keeper({} groups)", self.shared.seen.read().len())
    }
}

impl Keeper {
    /// One without rules.
    pub fn new(parts: KeeperParts) -> Self {
        let KeeperParts { store, engine, writer, sink, clock, options } = parts;
        let turns = Arc::new(Semaphore::new(options.concurrency.max(1)));
        let shared = Shared {
            store,
            engine,
            writer,
            sink,
            clock,
            options,
            turns,
            totals: Totals::default(),
            seen: RwLock::default(),
            problems: RwLock::default(),
        };
        Self { shared: Arc::new(shared), running: Arc::default() }
    }

    /// The groups of a tenant as they stand, by file and name.
    pub fn groups(&self, tenant: &TenantId) -> Vec<Arc<GroupView>> {
        let seen = self.shared.seen.read();
        seen.iter().filter(|(key, _)| key.tenant == *tenant).map(|(_, seen)| Arc::clone(&seen.read())).collect()
    }

    /// How many groups there are, of all tenants.
    pub fn group_count(&self) -> usize {
        self.shared.seen.read().len()
    }

    /// What is wrong with the sources of rules.
    pub fn problems(&self) -> Vec<FileProblem> {
        self.shared.problems.read().clone()
    }

    /// Counters since the start.
    pub fn totals(&self) -> &Totals {
        &self.shared.totals
    }

    /// How rules are read.
    pub fn parse_options(&self) -> &ParseOptions {
        &self.shared.options.parse
    }

    /// Puts rules in force for the tenants named (all, if none is): new groups begin, changed ones take over the states of their
    /// former selves, groups that are gone end. Groups of broken files stay as they were.
    pub async fn apply(&self, loaded: Loaded, tenants: Option<&BTreeSet<TenantId>>) {
        let mut tasks = self.running.lock().await;
        if tasks.stopped {
            return;
        }
        for FileProblem { file, text, .. } in &loaded.problems {
            warn!(file, problem = text, "rules cannot be used");
        }
        let concerns = |key: &GroupKey| tenants.is_none_or(|t| t.contains(&key.tenant));
        let broken = |key: &GroupKey| {
            let document = format!("{}/{}", key.file, key.name);
            loaded.broken.iter().any(|file| *file == key.file || *file == document)
        };
        let gone: Vec<GroupKey> = tasks
            .groups
            .keys()
            .filter(|key| concerns(key) && !loaded.groups.contains_key(*key) && !broken(key))
            .cloned()
            .collect();
        for key in gone {
            if let Some(running) = tasks.groups.remove(&key) {
                self.shared.seen.write().remove(&key);
                self.end(&key, running).await;
            }
        }
        let restored = tasks.begun;
        for (key, spec) in loaded.groups {
            let old = match tasks.groups.get(&key) {
                Some(running) if running.spec == spec => continue,
                Some(_) => tasks.groups.remove(&key),
                None => None,
            };
            let mut group = Group::new(Arc::clone(&spec), restored);
            if let Some(Running { token, task, .. }) = old {
                token.cancel();
                if let Ok(old) = task.await {
                    group.adopt(old);
                }
            }
            let running = self.start(key.clone(), spec, group);
            tasks.groups.insert(key, running);
        }
        tasks.begun = true;
        *self.shared.problems.write() = loaded.problems;
        info!(groups = tasks.groups.len(), "rules in force");
    }

    fn start(&self, key: GroupKey, spec: Arc<GroupSpec>, group: Group) -> Running {
        let view = group.view(&key.file, &self.shared.options.group);
        let seen: Seen = Arc::new(RwLock::new(Arc::new(view)));
        self.shared.seen.write().insert(key.clone(), Arc::clone(&seen));
        let token = CancellationToken::new();
        let task = GroupTask { shared: Arc::clone(&self.shared), key, seen, token: token.clone() };
        Running { spec, token, task: tokio::spawn(task.run(group)) }
    }

    /// Ends a group for good: its series are marked stale.
    async fn end(&self, key: &GroupKey, running: Running) {
        running.token.cancel();
        let Ok(group) = running.task.await else { return };
        let stale = group.end((self.shared.clock)().0.div_euclid(1_000_000));
        if stale.is_empty() {
            return;
        }
        if let Err(error) = self.shared.writer.write(&key.tenant, stale).await {
            warn!(tenant = %key.tenant, group = %key, error, "series of a group that is gone are not marked stale");
        }
    }

    /// Reads the documents of a tenant again and puts them in force; those of files stay as they are.
    pub async fn reload_documents(&self, tenant: &TenantId, files: &Loaded) -> Result<(), grid_store::StoreError> {
        let mut loaded = Loaded {
            groups: files
                .groups
                .iter()
                .filter(|(k, _)| k.tenant == *tenant)
                .map(|(k, g)| (k.clone(), Arc::clone(g)))
                .collect(),
            problems: files.problems.clone(),
            broken: files.broken.clone(),
        };
        source::load_documents(&self.shared.store, tenant, &self.shared.options.parse, &mut loaded).await?;
        self.apply(loaded, Some(&BTreeSet::from([tenant.clone()]))).await;
        Ok(())
    }

    /// Ends all evaluations. Series are not marked stale: after a restart they go on.
    pub async fn stop(&self) {
        let mut tasks = self.running.lock().await;
        tasks.stopped = true;
        let all = std::mem::take(&mut tasks.groups);
        all.values().for_each(|running| running.token.cancel());
        for running in all.into_values() {
            let _ = running.task.await;
        }
    }
}
