//! What goes on by itself in an environment: gates are asked, releases started, run, checked, taken back; each in rounds until nothing moves any more.
//!
//! A run that a crash has cut short is found by its stage, and goes on: the journal says how far it had come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use grid_act::mode::{Approval, Mode};
use grid_act::retry::Rate;
use grid_act::run::{Go, Outcome, Report, Runner};
use grid_model::TenantId;
use grid_plan::gate::{Verdict, together};
use grid_plan::plan::{Plan, plan};
use grid_plan::queue::{Entry, Footprint, Kind as ReleaseKind, ReleaseId, Stage};
use parking_lot::Mutex;

use super::{By, Desk};
use crate::error::DeskError;
use crate::gates::{Gate, Seen, When, ask};
use crate::journal::KeptJournal;
use crate::keep::{Batch, Kind};
use crate::limits::{ROUNDS_MAX, RUN_NS_MAX};
use crate::room::{GoalOf, ReleaseRow, Room};
use crate::show::{self, release_name};

/// Who holds the state of an environment while releases are at work on it.
const HOLDER: &str = "its releases";
/// What a run was asked to do at its next safe point.
const GO_ON: u8 = 0;
pub(super) const YIELD: u8 = 1;
pub(super) const STOP: u8 = 2;

/// Calls a second to a driver that is no dry run, and at once.
const CALLS_PER_S: f64 = 10.0;
const CALLS_AT_ONCE: u32 = 5;

/// Gives an environment back when it is dropped.
struct Busy<'a>(&'a Desk, (TenantId, String));

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.0.busy.lock().remove(&self.1);
    }
}

impl Desk {
    /// Goes on with everything of every tenant; what failed is told and holds up no other.
    pub async fn work(&self) -> Vec<(TenantId, String, DeskError)> {
        let mut failed = Vec::new();
        let tenants = match self.0.keep.tenants().await {
            Ok(tenants) => tenants,
            Err(e) => return vec![(TenantId::default_tenant(), String::new(), e)],
        };
        for tenant in tenants {
            for name in self.0.keep.names(&tenant, Kind::Environment, "").await.unwrap_or_default() {
                if let Err(e) = Box::pin(self.advance(&tenant, &name)).await {
                    failed.push((tenant.clone(), name, e));
                }
            }
        }
        failed
    }

    /// Goes on with one environment, in rounds, until nothing moves.
    pub async fn advance(&self, tenant: &TenantId, environment: &str) -> Result<(), DeskError> {
        let key = (tenant.clone(), environment.to_owned());
        if !self.0.busy.lock().insert(key.clone()) {
            // Whoever is at it goes on until nothing moves.
            return Ok(());
        }
        let _busy = Busy(self, key);
        let mut has_moved = false;
        for _ in 0..ROUNDS_MAX {
            let (mut moved, is_over) = Box::pin(self.tend(tenant, environment)).await?;
            moved |= self.resume_runs(tenant, environment).await?;
            moved |= self.ask_before(tenant, environment).await?;
            moved |= self.start(tenant, environment).await?;
            moved |= self.check_after(tenant, environment).await?;
            moved |= self.take_back(tenant, environment).await?;
            moved |= self.act(tenant, environment).await?;
            // Whose time has come is made no larger, and no better.
            if !is_over {
                moved |= Box::pin(self.heal(tenant, environment)).await?;
                moved |= self.scale(tenant, environment).await?;
                moved |= Box::pin(self.accept_by_itself(tenant, environment)).await?;
            }
            if !moved {
                break;
            }
            has_moved = true;
        }
        if has_moved {
            self.survey_dry_run(tenant).await?;
        }
        Ok(())
    }

    /// Runs that a crash has cut short.
    async fn resume_runs(&self, tenant: &TenantId, environment: &str) -> Result<bool, DeskError> {
        let room = self.room(tenant, environment).await?;
        let cut = room.queue.0.open().iter().filter(|e| matches!(e.stage, Stage::Running { .. })).map(|e| e.id);
        let cut: Vec<ReleaseId> = cut.collect();
        if cut.is_empty() {
            return Ok(false);
        }
        self.run(tenant, environment, &cut).await?;
        Ok(true)
    }

    /// Sees that every waiting release has a plan that is current; a new one where it is not. Votes name a plan, so those for the old one are none.
    async fn replan(&self, tenant: &TenantId, room: &mut Room, batch: &mut Batch) -> Result<bool, DeskError> {
        let waiting: Vec<(ReleaseId, ReleaseKind)> = room
            .queue
            .0
            .open()
            .iter()
            .filter(|e| matches!(e.stage, Stage::Waiting | Stage::Yielded))
            .map(|e| (e.id, e.release.kind))
            .collect();
        let mut changed = false;
        for (id, kind) in waiting {
            let mut row = self.release_row(tenant, room.name(), id.0).await?;
            let old = self.plan_row(tenant, room.name(), &row.plan.to_string()).await?;
            let Some(stale) = self.stale(tenant, room, &old).await? else { continue };
            changed = true;
            let by = Self::entry_of(room, &row)?.release.by.clone();
            let made = self.draw(tenant, room, &by, row.goal.clone(), row.scope.clone()).await;
            let why = match &made {
                Ok(made) if made.plan.is_empty() && kind != ReleaseKind::PlanOnly => {
                    Some("nothing is left to do".to_owned())
                }
                Ok(_) => None,
                Err(e) => Some(format!("it cannot be planned any more: {e}")),
            };
            if let Some(why) = why {
                let ended =
                    room.queue.0.cancel(id, &why, self.now()).map_err(|e| DeskError::Conflict(e.to_string()))?;
                self.happened(tenant, &mut row, "cancelled", &why);
                row.ended = ended;
            } else if let Ok(made) = made {
                let footprint = match kind {
                    ReleaseKind::PlanOnly => Footprint::Nothing,
                    _ => Footprint::of(&made.plan, &room.state),
                };
                room.queue.0.replanned(id, footprint).map_err(|e| DeskError::Conflict(e.to_string()))?;
                row.plan = made.plan.id;
                self.happened(tenant, &mut row, "replanned", &format!("{stale}; now {}", show::summary(&made.plan)));
                self.keep_plan(tenant, batch, &made).await?;
            }
            Self::put_release(batch, &mut row)?;
        }
        Ok(changed)
    }

    /// Asks the gates before each waiting release.
    async fn ask_before(&self, tenant: &TenantId, environment: &str) -> Result<bool, DeskError> {
        let mut asked = Vec::new();
        {
            let _held = self.0.lock.lock().await;
            let mut room = self.room(tenant, environment).await?;
            if room.queue.0.open().is_empty() {
                return Ok(false);
            }
            let mut batch = Batch::of(tenant);
            if self.replan(tenant, &mut room, &mut batch).await? {
                self.save(&mut batch, &room)?;
                self.0.keep.write(batch).await?;
                return Ok(true);
            }
            for entry in room.queue.0.open().iter().filter(|e| matches!(e.stage, Stage::Waiting | Stage::Yielded)) {
                let row = self.release_row(tenant, environment, entry.id.0).await?;
                let plan = self.plan_row(tenant, environment, &row.plan.to_string()).await?.plan;
                asked.push((entry.clone(), row, plan, room.about.freezes.clone(), room.environment.budget));
            }
        }
        let mut said = Vec::new();
        for (entry, row, plan, freezes, budget) in &asked {
            let name = release_name(environment, row.id);
            let seen = Seen {
                tenant,
                plan,
                budget: *budget,
                freezes,
                votes: &row.votes,
                requester: &entry.release.by,
                priority: entry.release.priority,
                release: &name,
                applied: None,
                now: self.now(),
            };
            for gate in row.gates.iter().filter(|g| g.when == When::Before) {
                let verdict = ask(gate, &seen, &*self.0.outside).await;
                if entry.verdicts.get(&gate.name) != Some(&verdict) {
                    said.push((entry.id, row.plan, gate.name.clone(), verdict));
                }
            }
        }
        if said.is_empty() {
            return Ok(false);
        }
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, environment).await?;
        let mut batch = Batch::of(tenant);
        for (id, plan, gate, verdict) in said {
            let mut row = self.release_row(tenant, environment, id.0).await?;
            // What was said of another plan, or of what has ended meanwhile, is nothing.
            if row.plan != plan || row.ended.is_some() {
                continue;
            }
            let before = room.queue.0.get(id).and_then(|e| e.verdicts.get(&gate)).map(Verdict::name);
            if before != Some(verdict.name()) {
                self.happened(tenant, &mut row, "gate", &format!("{gate}: {verdict}"));
                Self::put_release(&mut batch, &mut row)?;
                // Two events of one round are of one row.
                self.0.keep.write(std::mem::replace(&mut batch, Batch::of(tenant))).await?;
            }
            if room.queue.0.verdict(id, &gate, verdict).is_err() {
                continue;
            }
        }
        self.save(&mut batch, &room)?;
        self.0.keep.write(batch).await?;
        Ok(true)
    }

    /// Starts what may start, and runs it.
    async fn start(&self, tenant: &TenantId, environment: &str) -> Result<bool, DeskError> {
        let ready = {
            let _held = self.0.lock.lock().await;
            let mut room = self.room(tenant, environment).await?;
            if room.queue.0.open().is_empty() || room.state.lock.is_some() {
                return Ok(false);
            }
            let mut batch = Batch::of(tenant);
            // Between the gates and here somebody may have changed something.
            if self.replan(tenant, &mut room, &mut batch).await? {
                self.save(&mut batch, &room)?;
                self.0.keep.write(batch).await?;
                return Ok(true);
            }
            let ready = room.queue.0.ready(self.now());
            if ready.is_empty() {
                return Ok(false);
            }
            for id in &ready {
                let mut row = self.release_row(tenant, environment, id.0).await?;
                let name = release_name(environment, id.0);
                let is_reader = Self::entry_of(&room, &row)?.release.kind == ReleaseKind::PlanOnly;
                if !is_reader {
                    room.state.lock(HOLDER, self.now()).map_err(|e| DeskError::Conflict(e.to_string()))?;
                }
                let gates: Vec<&str> =
                    row.gates.iter().filter(|g| g.when == When::Before).map(|g| g.name.as_str()).collect();
                let passed =
                    if gates.is_empty() { "no gate asked".to_owned() } else { format!("passed {}", gates.join(", ")) };
                self.happened(tenant, &mut row, "started", &passed);
                Self::put_release(&mut batch, &mut row)?;
                let by = By {
                    who: Self::entry_of(&room, &row)?.release.by.clone(),
                    allowed: row.approved_by.clone().unwrap_or(passed),
                };
                self.deed(&mut batch, &by, "release.start", &name, &row.plan.to_string());
            }
            self.save(&mut batch, &room)?;
            self.0.keep.write(batch).await?;
            ready
        };
        self.run(tenant, environment, &ready).await?;
        Ok(true)
    }

    /// Carries a plan out; the report, or why there is none.
    async fn carry_out(
        &self,
        tenant: &TenantId,
        environment: &str,
        row: &ReleaseRow,
        plan_id: grid_plan::PlanId,
        is_dry: bool,
        asked: &AtomicU8,
    ) -> Result<Result<Report, String>, DeskError> {
        let room = self.room(tenant, environment).await?;
        let kept = self.plan_row(tenant, environment, &plan_id.to_string()).await?;
        let name = release_name(environment, row.id);
        let parent = match &kept.goal {
            GoalOf::Undo(id) => Some(self.plan_row(tenant, environment, &id.to_string()).await?.plan),
            GoalOf::Blueprint | GoalOf::Destroy(_) => None,
        };
        let bench = self.bench(tenant, &room, &[]).await?;
        let (current, again): (_, Plan) = {
            let inputs = self.inputs(&room, &bench, &kept.goal, parent.as_ref(), kept.scope.as_ref())?;
            let current = match kept.plan.current(&inputs) {
                Ok(current) => current,
                Err(stale) => return Ok(Err(stale.to_string())),
            };
            (current, plan(&inputs).map_err(|e| DeskError::bad(&e))?)
        };
        // The same inputs make the same plan; what was kept is not what it was if not.
        if again != kept.plan {
            return Ok(Err(format!("what is kept of plan {plan_id} is not what its inputs make")));
        }
        let driver = self.driver(tenant, &room)?;
        let now = self.now();
        let mode = if is_dry {
            Mode::DryRun
        } else {
            let by = row.approved_by.clone().unwrap_or_else(|| {
                let names: Vec<&str> =
                    row.votes.iter().filter(|v| v.is_yes && v.plan == row.plan).map(|v| v.who.as_str()).collect();
                if names.is_empty() { name.clone() } else { names.join(", ") }
            });
            Mode::Apply(Approval { plan: plan_id, by, from: now, until: now.saturating_add(RUN_NS_MAX) })
        };
        let journal = KeptJournal { keep: self.0.keep.clone(), tenant: tenant.clone(), release: name.clone() };
        let rate = if room.about.driver == crate::DRY_RUN {
            Rate::new(1e6, 1_000)
        } else {
            Rate::new(CALLS_PER_S, CALLS_AT_ONCE)
        };
        let runner = Runner {
            executor: &*driver,
            journal: &journal,
            time: &*self.0.time,
            seed: row.id ^ now.0.unsigned_abs(),
            rate: Mutex::new(rate),
        };
        let safe_point = |_: usize| if asked.load(Ordering::Relaxed) == GO_ON { Go::On } else { Go::Stop };
        let report = runner.run(current, &room.state, &mode, &safe_point).await;
        Ok(report.map_err(|e| crate::error::chain(&e)))
    }

    /// Runs releases that the queue has started together: they share no resource. What all of them have done is committed at once when the last has ended, so
    /// that after a crash each is current still, and goes on.
    async fn run(&self, tenant: &TenantId, environment: &str, ids: &[ReleaseId]) -> Result<(), DeskError> {
        let runs = ids.iter().map(|id| async move {
            let row = self.release_row(tenant, environment, id.0).await?;
            let room = self.room(tenant, environment).await?;
            let is_dry = Self::entry_of(&room, &row)?.release.kind == ReleaseKind::PlanOnly;
            let asked = Arc::new(AtomicU8::new(GO_ON));
            let key = (tenant.clone(), environment.to_owned(), id.0);
            self.0.running.lock().insert(key.clone(), Arc::clone(&asked));
            let done = Box::pin(self.carry_out(tenant, environment, &row, row.plan, is_dry, &asked)).await;
            self.0.running.lock().remove(&key);
            Ok::<_, DeskError>(Ran { id: *id, is_dry, wish: asked.load(Ordering::Relaxed), done: done? })
        });
        let ran = futures::future::try_join_all(runs).await?;

        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, environment).await?;
        let mut batch = Batch::of(tenant);
        for one in ran {
            self.ran(tenant, &mut room, one, &mut batch).await?;
        }
        if room.state.lock.is_some() {
            room.state.unlock(HOLDER).map_err(|e| DeskError::Conflict(e.to_string()))?;
        }
        self.save(&mut batch, &room)?;
        self.prune(tenant, environment, &mut batch).await?;
        self.0.keep.write(batch).await
    }

    /// Takes in what came of a run.
    async fn ran(&self, tenant: &TenantId, room: &mut Room, one: Ran, batch: &mut Batch) -> Result<(), DeskError> {
        let Ran { id, is_dry, wish, done } = one;
        let mut row = self.release_row(tenant, room.name(), id.0).await?;
        let now = self.now();
        let failed = match &done {
            Ok(report) if is_dry => {
                for (address, outcome) in &report.outcomes {
                    if let Outcome::WouldDo(text) | Outcome::Failed(text) = outcome {
                        self.happened(tenant, &mut row, "would do", &format!("{address}: {text}"));
                    }
                }
                None
            }
            Ok(report) => {
                commit(report, room)?;
                (!report.is_complete()).then(|| undone(report))
            }
            Err(why) => Some(why.clone()),
        };
        let conflict = |e: grid_plan::queue::QueueError| DeskError::Conflict(e.to_string());
        let ended: Option<Entry> = if failed.is_some() && wish != GO_ON {
            let (_, ended) = room.queue.0.safe_point(id, now).map_err(conflict)?;
            let what = if ended.is_some() { "stopped" } else { "yielded" };
            self.happened(tenant, &mut row, what, "at a safe point");
            ended
        } else {
            let has_after = failed.is_none() && row.gates.iter().any(|g| g.when == When::After);
            if failed.is_none() && !is_dry {
                row.applied = Some(now.0);
                self.happened(tenant, &mut row, "applied", &format!("serial {}", room.state.serial));
            }
            room.queue.0.finished(id, failed.clone(), has_after, now).map_err(conflict)?
        };
        self.end(tenant, &mut row, ended, batch);
        Self::put_release(batch, &mut row)
    }

    /// Writes down that a release has ended, if it has.
    fn end(&self, tenant: &TenantId, row: &mut ReleaseRow, ended: Option<Entry>, batch: &mut Batch) {
        if let Some(entry) = ended {
            let (word, why) = show::stage(&entry);
            let text = if why.is_empty() { word.to_owned() } else { format!("{word}: {why}") };
            self.happened(tenant, row, "ended", &text);
            let by = By { who: entry.release.by.clone(), allowed: row.approved_by.clone().unwrap_or_default() };
            self.deed(batch, &by, "release.end", &release_name(&row.environment, row.id), &text);
            row.ended = Some(entry);
        }
    }

    /// Asks some gates after a plan was applied.
    pub(super) async fn look(
        &self,
        tenant: &TenantId,
        gates: &[Gate],
        row: &ReleaseRow,
        requester: &str,
    ) -> Result<BTreeMap<String, Verdict>, DeskError> {
        let plan = self.plan_row(tenant, &row.environment, &row.plan.to_string()).await?.plan;
        let name = release_name(&row.environment, row.id);
        let seen = Seen {
            tenant,
            plan: &plan,
            budget: None,
            freezes: &[],
            votes: &row.votes,
            requester,
            priority: grid_plan::queue::Priority::Normal,
            release: &name,
            applied: row.applied.map(grid_model::Timestamp),
            now: self.now(),
        };
        let mut said = BTreeMap::new();
        for gate in gates.iter().filter(|g| g.when == When::After) {
            said.insert(gate.name.clone(), ask(gate, &seen, &*self.0.outside).await);
        }
        Ok(said)
    }

    /// Asks the gates after each release that is applied.
    async fn check_after(&self, tenant: &TenantId, environment: &str) -> Result<bool, DeskError> {
        let room = self.room(tenant, environment).await?;
        let checking: Vec<Entry> = room.queue.0.open().iter().filter(|e| e.stage == Stage::Checking).cloned().collect();
        let mut moved = false;
        for entry in checking {
            let row = self.release_row(tenant, environment, entry.id.0).await?;
            let said = self.look(tenant, &row.gates, &row, &entry.release.by).await?;
            let all = together(said.iter().map(|(name, verdict)| (name.as_str(), Some(verdict))));
            if said == row.after && matches!(all, Verdict::Hold(_)) {
                continue;
            }
            moved = true;
            let _held = self.0.lock.lock().await;
            let (mut room, mut row) =
                (self.room(tenant, environment).await?, self.release_row(tenant, environment, entry.id.0).await?);
            for (gate, verdict) in &said {
                if row.after.get(gate).map(Verdict::name) != Some(verdict.name()) {
                    self.happened(tenant, &mut row, "gate", &format!("{gate}: {verdict}"));
                }
            }
            row.after = said;
            let ended =
                room.queue.0.checked(entry.id, &all, self.now()).map_err(|e| DeskError::Conflict(e.to_string()))?;
            let mut batch = Batch::of(tenant);
            self.end(tenant, &mut row, ended, &mut batch);
            Self::put_release(&mut batch, &mut row)?;
            self.save(&mut batch, &room)?;
            self.0.keep.write(batch).await?;
        }
        Ok(moved)
    }

    /// Takes back what a gate after it has failed.
    async fn take_back(&self, tenant: &TenantId, environment: &str) -> Result<bool, DeskError> {
        let room = self.room(tenant, environment).await?;
        let Some(entry) = room.queue.0.open().iter().find(|e| matches!(e.stage, Stage::Undoing { .. })).cloned() else {
            return Ok(false);
        };
        let mut row = self.release_row(tenant, environment, entry.id.0).await?;
        let undo = match row.undo {
            Some(undo) => undo,
            None => {
                let made = self.undo_plan(tenant, environment, "grid", row.plan).await?;
                let _held = self.0.lock.lock().await;
                let mut room = self.room(tenant, environment).await?;
                room.state.lock(HOLDER, self.now()).map_err(|e| DeskError::Conflict(e.to_string()))?;
                row.undo = Some(made.plan.id);
                self.happened(tenant, &mut row, "undoing", &show::summary(&made.plan));
                let mut batch = Batch::of(tenant);
                Self::put_release(&mut batch, &mut row)?;
                self.save(&mut batch, &room)?;
                self.0.keep.write(batch).await?;
                made.plan.id
            }
        };
        let asked = AtomicU8::new(GO_ON);
        let allowed = ReleaseRow { approved_by: Some("a gate after it failed".to_owned()), ..row.clone() };
        let done = Box::pin(self.carry_out(tenant, environment, &allowed, undo, false, &asked)).await?;
        let _held = self.0.lock.lock().await;
        let (mut room, mut row) =
            (self.room(tenant, environment).await?, self.release_row(tenant, environment, entry.id.0).await?);
        let failed = match &done {
            Ok(report) => {
                commit(report, &mut room)?;
                (!report.is_complete()).then(|| undone(report))
            }
            Err(why) => Some(why.clone()),
        };
        room.state.unlock(HOLDER).map_err(|e| DeskError::Conflict(e.to_string()))?;
        let ended =
            room.queue.0.undone(entry.id, failed, self.now()).map_err(|e| DeskError::Conflict(e.to_string()))?;
        let mut batch = Batch::of(tenant);
        self.end(tenant, &mut row, Some(ended), &mut batch);
        Self::put_release(&mut batch, &mut row)?;
        self.save(&mut batch, &room)?;
        self.0.keep.write(batch).await?;
        Ok(true)
    }
}

/// What came of one run.
struct Ran {
    id: ReleaseId,
    is_dry: bool,
    /// What it was asked to do at its safe points.
    wish: u8,
    done: Result<Report, String>,
}

/// Writes what a run has done into the state. What ran beside it has changed other resources, so the serial may have moved since.
fn commit(report: &Report, room: &mut Room) -> Result<(), DeskError> {
    let serial = room.state.serial;
    let done = room.state.commit(HOLDER, serial, report.changes.clone());
    done.map(drop).map_err(|e| DeskError::Conflict(e.to_string()))
}

/// What of a plan was not done, in words.
fn undone(report: &Report) -> String {
    let bad = report.outcomes.iter().filter(|(_, o)| !matches!(o, Outcome::Done(_)));
    let first = bad.clone().find_map(|(address, o)| match o {
        Outcome::Failed(why) | Outcome::NotBegun(why) => Some(format!("{address}: {why}")),
        Outcome::Done(_) | Outcome::WouldDo(_) => None,
    });
    let count = bad.count();
    format!("{count} of {} steps were not done; {}", report.outcomes.len(), first.unwrap_or_default())
}
