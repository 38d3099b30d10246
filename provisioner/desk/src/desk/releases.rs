//! Releases: submitted, shown, voted on, cancelled, taken back; and the queue that they wait in.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::TenantId;
use grid_plan::Address;
use grid_plan::gate::approval::Vote;
use grid_plan::queue::{Asked, Entry, Footprint, Kind as ReleaseKind, Pause, Priority, Release, ReleaseId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::work::{STOP, YIELD};
use super::{By, Desk};
use crate::checks;
use crate::error::DeskError;
use crate::gates::{Ask, Gate, When};
use crate::keep::{Batch, Kind};
use crate::limits::{NOTE_BYTES_MAX, RELEASES_KEPT, VOTES_MAX};
use crate::room::{GoalOf, PlanRow, ReleaseRow, Room};
use crate::show::{self, release_name};

/// A release that is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Of which environment.
    pub environment: String,
    /// Of which plan; a new one is made if absent.
    #[serde(default)]
    pub plan: Option<String>,
    /// Only these resources, of a new plan.
    #[serde(default)]
    pub only: Vec<String>,
    /// `full`, `selective`, `plan-only`, `hotfix`; made of the rest if absent.
    #[serde(default)]
    pub kind: Option<ReleaseKind>,
    /// `low`, `normal`, `high` or `emergency`.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// What for.
    #[serde(default)]
    pub note: String,
    /// A newer release of the same lane takes its place while it waits.
    #[serde(default)]
    pub lane: Option<String>,
    /// Gates of this release alone, beside those of the environment.
    #[serde(default)]
    pub gates: Vec<Gate>,
}

/// What else is known of a release that the desk itself submits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    /// The recommendation that it carries out.
    pub(crate) action: Option<String>,
    /// Whether the environment's own gates are left out: what takes something back waits for nobody.
    pub(crate) without_gates: bool,
    /// Who or what allowed it, if no person has to.
    pub(crate) approved_by: Option<String>,
}

/// The parts of `prod-12`.
pub(crate) fn parse_name(id: &str) -> Result<(&str, u64), DeskError> {
    let parts = id.rsplit_once('-').and_then(|(environment, n)| Some((environment, n.parse().ok()?)));
    parts.ok_or_else(|| DeskError::none("release", id))
}

impl Desk {
    /// Submits a release.
    pub async fn submit(&self, tenant: &TenantId, by: &By, submission: Submission) -> Result<Value, DeskError> {
        let environment = submission.environment.clone();
        let id = self.submit_beside(tenant, by, submission, Beside::default()).await?;
        self.go_on(tenant, &environment).await?;
        self.release(tenant, &release_name(&environment, id.0)).await
    }

    /// Submits a release; nothing of it is begun here.
    pub(crate) async fn submit_beside(
        &self,
        tenant: &TenantId,
        by: &By,
        submission: Submission,
        beside: Beside,
    ) -> Result<ReleaseId, DeskError> {
        if submission.note.len() > NOTE_BYTES_MAX {
            return Err(DeskError::Bad(format!("a note has at most {NOTE_BYTES_MAX} bytes")));
        }
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, &submission.environment).await?;
        let row = match &submission.plan {
            Some(id) => {
                let row = self.plan_of(tenant, id).await?;
                if row.plan.environment != room.name() {
                    let is = &row.plan.environment;
                    return Err(DeskError::Conflict(format!("plan {id} is of environment {is}, not {}", room.name())));
                }
                if let Some(stale) = self.stale(tenant, &room, &row).await? {
                    return Err(DeskError::Conflict(stale));
                }
                row
            }
            None => {
                let only = submission.only.iter().map(|a| Address::parse(a).map_err(|e| DeskError::bad(&e)));
                let only = only.collect::<Result<BTreeSet<_>, _>>()?;
                self.draw(tenant, &room, &by.who, GoalOf::Blueprint, (!only.is_empty()).then_some(only)).await?
            }
        };
        let kind = submission.kind.unwrap_or(match (&row.goal, &row.scope) {
            (GoalOf::Undo(_), _) => ReleaseKind::Rollback,
            (_, Some(_)) => ReleaseKind::Selective,
            _ => ReleaseKind::Full,
        });
        if row.plan.is_empty() && kind != ReleaseKind::PlanOnly {
            return Err(DeskError::Conflict(format!(
                "there is nothing to do in {}: it is as it is wanted",
                room.name()
            )));
        }
        // What takes a release back is not held up by what it did.
        if kind != ReleaseKind::PlanOnly && !matches!(row.goal, GoalOf::Undo(_)) {
            let found = super::plans::findings(&row.plan, &room, &self.0.kinds);
            if let Some(why) = checks::forbids(&found) {
                return Err(DeskError::Bad(format!("plan {} is forbidden: {why}", row.plan.id)));
            }
        }
        let mut gates = if beside.without_gates { Vec::new() } else { room.about.gates.clone() };
        gates.extend(submission.gates);
        if kind == ReleaseKind::PlanOnly {
            gates.clear();
        }
        let mut seen = BTreeSet::new();
        gates.retain(|g| seen.insert(g.name.clone()));
        crate::gates::check(&gates)?;
        let now = self.now();
        let footprint = match kind {
            ReleaseKind::PlanOnly => Footprint::Nothing,
            _ => Footprint::of(&row.plan, &room.state),
        };
        let priority = submission.priority.unwrap_or(match kind {
            ReleaseKind::Hotfix | ReleaseKind::Rollback => Priority::High,
            _ => Priority::Normal,
        });
        let release = Release {
            kind,
            priority,
            by: by.who.clone(),
            footprint,
            lane: submission.lane,
            gates: gates.iter().filter(|g| g.when == When::Before).map(|g| g.name.clone()).collect(),
            // Durations go by what kind of work it is, and how much of it.
            class: format!("{} {}", show::stage_class(kind), row.plan.steps.len().next_power_of_two()),
        };
        let (id, superseded) = room.queue.0.submit(release, now).map_err(|e| DeskError::Conflict(e.to_string()))?;
        let mut of = ReleaseRow {
            id: id.0,
            environment: room.name().to_owned(),
            plan: row.plan.id,
            goal: row.goal.clone(),
            scope: row.scope.clone(),
            note: submission.note,
            gates,
            after: BTreeMap::new(),
            votes: Vec::new(),
            events: Vec::new(),
            untold: Vec::new(),
            action: beside.action,
            applied: None,
            undo: None,
            ended: None,
            approved_by: beside.approved_by,
        };
        self.happened(tenant, &mut of, "submitted", &format!("by {}: {}", by.who, show::summary(&row.plan)));
        let mut batch = Batch::of(tenant);
        self.keep_plan(tenant, &mut batch, &row).await?;
        for gone in superseded {
            let mut other = self.release_row(tenant, room.name(), gone.id.0).await?;
            self.happened(tenant, &mut other, "superseded", &format!("release {} takes its place", id.0));
            other.ended = Some(gone);
            Self::put_release(&mut batch, &mut other)?;
        }
        if priority == Priority::Emergency {
            let at_work: Vec<ReleaseId> = room.queue.0.open().iter().filter(|e| e.is_at_work()).map(|e| e.id).collect();
            for other in at_work {
                // What is checked or taken back cannot stop half way.
                if room.queue.0.ask(other, Asked::Yield).is_ok() {
                    self.ask_run(tenant, room.name(), other, YIELD);
                }
            }
        }
        Self::put_release(&mut batch, &mut of)?;
        self.save(&mut batch, &room)?;
        self.deed(&mut batch, by, "release.submit", &release_name(room.name(), id.0), &of.note);
        self.0.keep.write(batch).await?;
        Ok(id)
    }

    /// Where a release is: in the queue, or ended.
    pub(crate) fn entry_of<'a>(room: &'a Room, row: &'a ReleaseRow) -> Result<&'a Entry, DeskError> {
        let entry = row.ended.as_ref().or_else(|| room.queue.0.get(ReleaseId(row.id)));
        entry.ok_or_else(|| DeskError::Damaged(format!("release {} is in no queue and has not ended", row.id)))
    }

    async fn shown(&self, tenant: &TenantId, room: &Room, row: &ReleaseRow) -> Result<Value, DeskError> {
        let entry = Self::entry_of(room, row)?;
        let (id, now, queue) = (ReleaseId(row.id), self.now(), &room.queue.0);
        let (holds, position, eta) = match row.ended {
            Some(_) => (Vec::new(), None, None),
            None => (queue.holds(id, now), queue.position(id, now), queue.eta(id, now).map(|e| (e.p50, e.p90))),
        };
        let plan = self.plan_row(tenant, room.name(), &row.plan.to_string()).await.ok();
        Ok(show::release(row, entry, &holds, position, eta, plan.map(|p| show::summary(&p.plan))))
    }

    /// One release by its name, `prod-12`.
    pub async fn release(&self, tenant: &TenantId, id: &str) -> Result<Value, DeskError> {
        let (environment, n) = parse_name(id)?;
        let room = self.room(tenant, environment).await?;
        let row = self.release_row(tenant, environment, n).await?;
        self.shown(tenant, &room, &row).await
    }

    /// Releases, the youngest first.
    pub async fn releases(&self, tenant: &TenantId, environment: Option<&str>) -> Result<Vec<Value>, DeskError> {
        let names = match environment {
            Some(name) => vec![name.to_owned()],
            None => self.0.keep.names(tenant, Kind::Environment, "").await?,
        };
        let mut all = Vec::new();
        for name in names {
            let room = self.room(tenant, &name).await?;
            let rows: Vec<(String, ReleaseRow)> = self.0.keep.list(tenant, Kind::Release, &name).await?;
            for (_, row) in rows {
                all.push((Self::entry_of(&room, &row)?.submitted, self.shown(tenant, &room, &row).await?));
            }
        }
        all.sort_by(|a, b| (b.0, b.1["number"].as_u64()).cmp(&(a.0, a.1["number"].as_u64())));
        Ok(all.into_iter().map(|(_, shown)| shown).collect())
    }

    /// Every queue, or one: what runs, what waits in which order and why, whether it is paused.
    pub async fn queues(&self, tenant: &TenantId, environment: Option<&str>) -> Result<Vec<Value>, DeskError> {
        let names = match environment {
            Some(name) => vec![name.to_owned()],
            None => self.0.keep.names(tenant, Kind::Environment, "").await?,
        };
        let mut all = Vec::new();
        for name in names {
            let room = self.room(tenant, &name).await?;
            let mut open = Vec::new();
            for entry in room.queue.0.open() {
                let row = self.release_row(tenant, &name, entry.id.0).await?;
                open.push(self.shown(tenant, &room, &row).await?);
            }
            open.sort_by_key(|r| (r["position"].as_u64().is_some(), r["position"].as_u64(), r["number"].as_u64()));
            let pause = room.queue.0.paused();
            all.push(json!({
                "environment": name,
                "paused": pause.map(|p| json!({ "by": p.by, "why": p.why, "since": show::time(p.since), "holds_emergencies": p.holds_emergencies })),
                "open": open,
            }));
        }
        Ok(all)
    }

    /// Pauses a queue, or lets it go on.
    pub async fn pause(
        &self,
        tenant: &TenantId,
        environment: &str,
        by: &By,
        pause: Option<(String, bool)>,
    ) -> Result<Value, DeskError> {
        {
            let _held = self.0.lock.lock().await;
            let mut room = self.room(tenant, environment).await?;
            let mut batch = Batch::of(tenant);
            match pause {
                Some((why, holds_emergencies)) => {
                    self.deed(&mut batch, by, "queue.pause", environment, &why);
                    room.queue.0.pause(Pause { by: by.who.clone(), why, since: self.now(), holds_emergencies });
                }
                None => {
                    self.deed(&mut batch, by, "queue.resume", environment, "");
                    room.queue.0.resume();
                }
            }
            self.save(&mut batch, &room)?;
            self.0.keep.write(batch).await?;
        }
        self.go_on(tenant, environment).await?;
        Ok(self.queues(tenant, Some(environment)).await?.remove(0))
    }

    /// Votes on a release, for the plan that it has now.
    pub async fn vote(
        &self,
        tenant: &TenantId,
        id: &str,
        by: &By,
        is_yes: bool,
        note: &str,
        plan: Option<&str>,
    ) -> Result<Value, DeskError> {
        let (environment, n) = parse_name(id)?;
        {
            let _held = self.0.lock.lock().await;
            self.room(tenant, environment).await?;
            let mut row = self.release_row(tenant, environment, n).await?;
            if row.ended.is_some() {
                return Err(DeskError::Conflict(format!("{id} has ended")));
            }
            let is = row.plan.to_string();
            if let Some(named) = plan.filter(|p| p.len() < 4 || !is.starts_with(*p)) {
                let is = &is[..12];
                return Err(DeskError::Conflict(format!("{id} has plan {is} now, not {named}: look at it again")));
            }
            if !row.gates.iter().any(|g| matches!(g.ask, Ask::Approval { .. })) {
                return Err(DeskError::Conflict(format!("{id} asks for nobody's approval")));
            }
            if row.votes.len() >= VOTES_MAX {
                return Err(DeskError::TooMany { what: "votes", max: VOTES_MAX });
            }
            let note: String = note.chars().take(NOTE_BYTES_MAX / 4).collect();
            let word = if is_yes { "approved" } else { "rejected" };
            self.happened(tenant, &mut row, word, &format!("by {}: {note}", by.who));
            row.votes.push(Vote { who: by.who.clone(), plan: row.plan, is_yes, at: self.now(), note });
            let mut batch = Batch::of(tenant);
            Self::put_release(&mut batch, &mut row)?;
            let what = if is_yes { "release.approve" } else { "release.reject" };
            self.deed(&mut batch, by, what, id, &is);
            self.0.keep.write(batch).await?;
        }
        self.go_on(tenant, environment).await?;
        self.release(tenant, id).await
    }

    /// Hands a security report in, for the gates that ask for one.
    pub async fn report(&self, tenant: &TenantId, id: &str, by: &By, sarif: &str) -> Result<Value, DeskError> {
        let (environment, n) = parse_name(id)?;
        {
            let _held = self.0.lock.lock().await;
            let mut row = self.release_row(tenant, environment, n).await?;
            let mut taken = 0;
            for gate in &mut row.gates {
                if let Ask::Security { report, .. } = &mut gate.ask {
                    *report = Some(sarif.to_owned());
                    taken += 1;
                }
            }
            if taken == 0 {
                return Err(DeskError::Conflict(format!("{id} has no gate that asks for a security report")));
            }
            crate::gates::check(&row.gates)?;
            self.happened(tenant, &mut row, "report", &format!("a security report by {}", by.who));
            let mut batch = Batch::of(tenant);
            Self::put_release(&mut batch, &mut row)?;
            self.deed(&mut batch, by, "release.report", id, "");
            self.0.keep.write(batch).await?;
        }
        self.go_on(tenant, environment).await?;
        self.release(tenant, id).await
    }

    /// Cancels: what waits ends at once, what runs at its next safe point.
    pub async fn cancel(&self, tenant: &TenantId, id: &str, by: &By, why: &str) -> Result<Value, DeskError> {
        let (environment, n) = parse_name(id)?;
        {
            let _held = self.0.lock.lock().await;
            let mut room = self.room(tenant, environment).await?;
            let mut row = self.release_row(tenant, environment, n).await?;
            let said = format!("by {}: {why}", by.who);
            let ended = room.queue.0.cancel(ReleaseId(n), &said, self.now());
            let ended = ended.map_err(|e| DeskError::Conflict(e.to_string()))?;
            self.ask_run(tenant, environment, ReleaseId(n), STOP);
            self.happened(tenant, &mut row, if ended.is_some() { "cancelled" } else { "asked to stop" }, &said);
            row.ended = ended;
            let mut batch = Batch::of(tenant);
            Self::put_release(&mut batch, &mut row)?;
            self.save(&mut batch, &room)?;
            self.deed(&mut batch, by, "release.cancel", id, why);
            self.0.keep.write(batch).await?;
        }
        self.go_on(tenant, environment).await?;
        self.release(tenant, id).await
    }

    /// Submits a release that takes another back, as far as it was applied.
    pub async fn rollback(&self, tenant: &TenantId, id: &str, by: &By, why: &str) -> Result<Value, DeskError> {
        let (environment, n) = parse_name(id)?;
        let row = self.release_row(tenant, environment, n).await?;
        if row.ended.is_none() {
            return Err(DeskError::Conflict(format!("{id} has not ended: cancel it, or wait")));
        }
        let made = self.undo_plan(tenant, environment, &by.who, row.plan).await?;
        let submission = Submission {
            environment: environment.to_owned(),
            plan: Some(made.plan.id.to_string()),
            note: format!("takes {id} back: {why}"),
            ..Submission::default()
        };
        self.submit(tenant, by, submission).await
    }

    /// A plan that takes another back, kept.
    pub(crate) async fn undo_plan(
        &self,
        tenant: &TenantId,
        environment: &str,
        by: &str,
        of: grid_plan::PlanId,
    ) -> Result<PlanRow, DeskError> {
        let _held = self.0.lock.lock().await;
        let room = self.room(tenant, environment).await?;
        let made = self.draw(tenant, &room, by, GoalOf::Undo(of), None).await?;
        let mut batch = Batch::of(tenant);
        self.keep_plan(tenant, &mut batch, &made).await?;
        self.0.keep.write(batch).await?;
        Ok(made)
    }

    /// Lets the oldest of the ended releases go.
    pub(crate) async fn prune(&self, tenant: &TenantId, environment: &str, batch: &mut Batch) -> Result<(), DeskError> {
        let names = self.0.keep.names(tenant, Kind::Release, environment).await?;
        if names.len() <= RELEASES_KEPT {
            return Ok(());
        }
        let rows: Vec<(String, ReleaseRow)> = self.0.keep.list(tenant, Kind::Release, environment).await?;
        let ended = rows.iter().filter(|(_, r)| r.ended.is_some());
        for (name, _) in ended.take(names.len() - RELEASES_KEPT) {
            batch.delete(Kind::Release, environment, name);
        }
        Ok(())
    }
}
