//! Self-healing: conditions are asked; one that has held long enough is answered by a repair, within its budgets. A repair is releases like any other: what
//! it writes is an override whose writer is the condition, and it is taken back when the repair is done, or the condition is over.

use grid_act::policy::Autonomy;
use grid_model::time::HOUR_NS;
use grid_model::{TenantId, Timestamp};
use grid_plan::environment::{Override, Provenance, Writer};
use grid_plan::gate::Answer;
use grid_plan::queue::{End, Kind as ReleaseKind, Priority, ReleaseId, Stage};
use grid_plan::{Address, Path};

use super::releases::{Beside, Submission};
use super::{By, Desk};
use crate::error::DeskError;
use crate::heals::{Condition, Healing, MINUTE_NS, Raised, RepairForm, Repaired, UnderWay};
use crate::keep::{Batch, Kind};
use crate::room::{ReleaseRow, Room};
use crate::show::release_name;

/// A raised number is set back once its condition has been over for so long.
const CALM_NS: i64 = HOUR_NS;

impl Desk {
    /// Goes on with a repair, or looks whether one is due; whether something moved.
    pub(super) async fn heal(&self, tenant: &TenantId, environment: &str) -> Result<bool, DeskError> {
        let room = self.room(tenant, environment).await?;
        if let Some(under_way) = room.healing.under_way.clone() {
            return self.go_on_healing(tenant, environment, under_way).await;
        }
        if room.about.heals.when.is_empty() && room.healing == Healing::default() {
            return Ok(false);
        }
        let due = self.ask_conditions(tenant, environment).await?;
        if room.environment.sleep.is_some() || room.free().is_err() || !room.queue.0.open().is_empty() {
            return Ok(false);
        }
        for condition in &due {
            match self.repair(tenant, environment, condition).await? {
                Ok(()) => return Ok(true),
                Err(why) => self.say(tenant, environment, condition, &why).await?,
            }
        }
        self.set_back(tenant, environment).await
    }

    /// Asks every condition and remembers since when each holds; those that have held long enough.
    async fn ask_conditions(&self, tenant: &TenantId, environment: &str) -> Result<Vec<Condition>, DeskError> {
        let conditions = self.room(tenant, environment).await?.about.heals.when;
        let now = self.now();
        let mut seen = Vec::with_capacity(conditions.len());
        for condition in conditions {
            let answer = self.0.outside.query(tenant, condition.language, &condition.query, now).await;
            seen.push((condition, answer));
        }
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, environment).await?;
        let before = room.healing.clone();
        let known: Vec<&String> = seen.iter().map(|(c, _)| &c.name).collect();
        room.healing.since.retain(|name, _| known.contains(&name));
        room.healing.says.retain(|name, _| known.contains(&name));
        let mut due = Vec::new();
        for (condition, answer) in &seen {
            let healing = &mut room.healing;
            match answer {
                Answer::Here(series) if series.iter().any(|(_, v)| *v != 0.0 && v.is_finite()) => {
                    let since = *healing.since.entry(condition.name.clone()).or_insert(now.0);
                    if now.0.saturating_sub(since) >= i64::from(condition.for_minutes) * MINUTE_NS {
                        due.push(condition.clone());
                    }
                    if let Some(raised) = healing.raised.get_mut(&condition.name) {
                        raised.calm_since = None;
                    }
                }
                Answer::Here(_) => {
                    healing.since.remove(&condition.name);
                    healing.says.remove(&condition.name);
                    if let Some(raised) = healing.raised.get_mut(&condition.name) {
                        raised.calm_since.get_or_insert(now.0);
                    }
                }
                // Nobody knows: nothing is begun, and the time starts anew.
                Answer::Missing(why) => {
                    healing.since.remove(&condition.name);
                    healing.says.insert(condition.name.clone(), format!("it cannot be asked: {why}"));
                }
            }
        }
        // What was raised for a condition that is gone is set back.
        for (name, raised) in &mut room.healing.raised {
            if !seen.iter().any(|(c, _)| c.name == *name) {
                raised.calm_since = Some(0);
            }
        }
        if room.healing != before {
            self.keep_healing(tenant, &room).await?;
        }
        Ok(due)
    }

    async fn keep_healing(&self, tenant: &TenantId, room: &Room) -> Result<(), DeskError> {
        let mut batch = Batch::of(tenant);
        batch.put(Kind::Environment, "", room.name(), room)?;
        self.0.keep.write(batch).await
    }

    /// Begins a repair; why it is not made if not.
    async fn repair(
        &self,
        tenant: &TenantId,
        environment: &str,
        condition: &Condition,
    ) -> Result<Result<(), String>, DeskError> {
        let room = self.room(tenant, environment).await?;
        let repair = condition.repair.repair();
        let target = condition.repair.target()?;
        let subject = target.as_ref().map_or_else(|| environment.to_owned(), ToString::to_string);
        if room.about.policy.autonomy != Autonomy::Automatic {
            let autonomy = serde_json::to_string(&room.about.policy.autonomy).unwrap_or_default();
            return Ok(Err(format!("a person has to {} {subject}: the autonomy is {autonomy}", repair.name())));
        }
        if room.healing.raised.contains_key(&condition.name) {
            return Ok(Err(format!("{subject} was raised for it already")));
        }
        let now = self.now();
        if let Err(why) = room.healing.ask(&subject, repair, &room.about.heals.budget(), now) {
            return Ok(Err(why));
        }
        let by = By::grid(&format!("self-healing {}", condition.name));
        let (release, written) = match target {
            None => match self.roll_back(tenant, &room, condition, &by).await? {
                Ok(release) => (release, None),
                Err(why) => return Ok(Err(why)),
            },
            Some(target) => {
                let Some(there) = room.state.resources.get(&target) else {
                    return Ok(Err(format!("{target} is not there")));
                };
                let path = match &condition.repair {
                    RepairForm::Scale { path, .. } => Path::parse(path).map_err(|e| DeskError::bad(&e))?,
                    _ => Path::root(),
                };
                let (path, to) = match condition.repair.change(&target, there.fields.get(&path), &self.0.kinds) {
                    Ok(change) => change,
                    Err(why) => return Ok(Err(why)),
                };
                let change = Override {
                    target: target.clone(),
                    path: path.clone(),
                    to,
                    by: Provenance {
                        writer: Writer::Healing(condition.name.clone()),
                        who: "grid".to_owned(),
                        why: format!("{} holds: {}", condition.name, repair.name()),
                        at: now,
                        evidence: None,
                    },
                };
                {
                    let _held = self.0.lock.lock().await;
                    let mut room = self.room(tenant, environment).await?;
                    if let Err(e) = room.environment.write(change) {
                        return Ok(Err(crate::error::chain(&e)));
                    }
                    let mut batch = Batch::of(tenant);
                    self.save(&mut batch, &room)?;
                    self.0.keep.write(batch).await?;
                }
                let note = format!("self-healing {}: {} {target}", condition.name, repair.name());
                match self.submit_repair(tenant, environment, &target, &by, note).await {
                    Ok(id) => (id, Some((target.to_string(), path.to_string()))),
                    Err(e @ (DeskError::Bad(_) | DeskError::Conflict(_))) => {
                        self.take_back_repair(tenant, environment, &condition.name, &target, &path).await?;
                        return Ok(Err(e.to_string()));
                    }
                    Err(e) => return Err(e),
                }
            }
        };
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, environment).await?;
        room.healing.says.remove(&condition.name);
        let name = release_name(environment, release.0);
        room.healing.remember(Repaired {
            at: now.0,
            condition: condition.name.clone(),
            target: subject.clone(),
            repair: repair.name().to_owned(),
            releases: vec![name.clone()],
            says: "begun".to_owned(),
        });
        let stays = matches!(condition.repair, RepairForm::Scale { .. });
        room.healing.under_way =
            Some(UnderWay { condition: condition.name.clone(), written, stays, release: release.0 });
        let mut batch = Batch::of(tenant);
        self.save(&mut batch, &room)?;
        self.deed(&mut batch, &by, "heal.begin", &subject, &format!("{}: {name}", repair.name()));
        self.0.keep.write(batch).await?;
        Ok(Ok(()))
    }

    /// Submits a release that takes back the last one, if that was applied shortly before the condition began.
    async fn roll_back(
        &self,
        tenant: &TenantId,
        room: &Room,
        condition: &Condition,
        by: &By,
    ) -> Result<Result<ReleaseId, String>, DeskError> {
        let RepairForm::RollBack { within_minutes } = condition.repair else {
            return Ok(Err("it takes nothing back".to_owned()));
        };
        let since = room.healing.since.get(&condition.name).copied().unwrap_or(self.now().0);
        let rows: Vec<(String, ReleaseRow)> = self.0.keep.list(tenant, Kind::Release, room.name()).await?;
        let is_done = |row: &ReleaseRow| row.ended.as_ref().is_some_and(|e| matches!(e.stage, Stage::Ended(End::Done)));
        let last = rows
            .iter()
            .map(|(_, row)| row)
            .filter(|row| is_done(row) && row.applied.is_some())
            .max_by_key(|row| row.applied);
        let Some(last) = last else { return Ok(Err("no release was made that could be taken back".to_owned())) };
        let name = release_name(room.name(), last.id);
        let applied = last.applied.unwrap_or(0);
        if matches!(last.goal, crate::room::GoalOf::Undo(_)) {
            return Ok(Err(format!("{name}, the last release, took another back: a person has to look")));
        }
        // Bounded below by the release, above by the time that signs need to be seen.
        if !(0..=i64::from(within_minutes) * MINUTE_NS).contains(&since.saturating_sub(applied)) {
            return Ok(Err(format!(
                "{name}, the last release, was not applied within {within_minutes} minutes before it"
            )));
        }
        let made = match self.undo_plan(tenant, room.name(), &by.who, last.plan).await {
            Ok(made) => made,
            Err(e @ (DeskError::Bad(_) | DeskError::Conflict(_))) => return Ok(Err(e.to_string())),
            Err(e) => return Err(e),
        };
        let submission = Submission {
            environment: room.name().to_owned(),
            plan: Some(made.plan.id.to_string()),
            note: format!("self-healing {}: takes {name} back", condition.name),
            ..Submission::default()
        };
        let beside = Beside { without_gates: true, approved_by: Some(by.allowed.clone()), ..Beside::default() };
        match self.submit_beside(tenant, by, submission, beside).await {
            Ok(id) => Ok(Ok(id)),
            Err(e @ (DeskError::Bad(_) | DeskError::Conflict(_))) => Ok(Err(e.to_string())),
            Err(e) => Err(e),
        }
    }

    async fn submit_repair(
        &self,
        tenant: &TenantId,
        environment: &str,
        target: &Address,
        by: &By,
        note: String,
    ) -> Result<ReleaseId, DeskError> {
        let submission = Submission {
            environment: environment.to_owned(),
            only: vec![target.to_string()],
            kind: Some(ReleaseKind::Selective),
            priority: Some(Priority::High),
            note,
            ..Submission::default()
        };
        let beside = Beside { without_gates: true, approved_by: Some(by.allowed.clone()), ..Beside::default() };
        self.submit_beside(tenant, by, submission, beside).await
    }

    async fn take_back_repair(
        &self,
        tenant: &TenantId,
        environment: &str,
        condition: &str,
        target: &Address,
        path: &Path,
    ) -> Result<(), DeskError> {
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, environment).await?;
        room.environment.take_back(target, path, &Writer::Healing(condition.to_owned()));
        let mut batch = Batch::of(tenant);
        self.save(&mut batch, &room)?;
        self.0.keep.write(batch).await
    }

    /// What follows when the release of a repair has ended: what was written is taken back by another, or stays for a while.
    async fn go_on_healing(&self, tenant: &TenantId, environment: &str, of: UnderWay) -> Result<bool, DeskError> {
        let row = self.release_row(tenant, environment, of.release).await?;
        let Some(ended) = row.ended else { return Ok(false) };
        let is_done = matches!(ended.stage, Stage::Ended(End::Done));
        let says = match &ended.stage {
            Stage::Ended(End::Done) => "done".to_owned(),
            Stage::Ended(End::Failed(why) | End::Undone(why)) => format!("failed: {why}"),
            other => format!("{other:?}").to_lowercase(),
        };
        let parsed = of.written.as_ref().and_then(|(target, path)| {
            Some((Address::parse(target).ok()?, if path.is_empty() { Path::root() } else { Path::parse(path).ok()? }))
        });
        let mut next = None;
        let mut raised = None;
        if let Some((target, path)) = parsed {
            if of.stays && is_done {
                raised = Some(Raised { target: target.to_string(), path: path.to_string(), calm_since: None });
            } else {
                self.take_back_repair(tenant, environment, &of.condition, &target, &path).await?;
                let by = By::grid(&format!("self-healing {}", of.condition));
                let note = format!("self-healing {}: sets {target} back", of.condition);
                next = match self.submit_repair(tenant, environment, &target, &by, note).await {
                    Ok(id) => Some(id),
                    // There is nothing to set back where the first release did nothing.
                    Err(DeskError::Conflict(_)) => None,
                    Err(e) => return Err(e),
                };
            }
        }
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, environment).await?;
        if let Some(done) = room.healing.done.iter_mut().rev().find(|d| d.condition == of.condition) {
            done.says = says;
            done.releases.extend(next.map(|id| release_name(environment, id.0)));
        }
        if let Some(raised) = raised {
            room.healing.raised.insert(of.condition.clone(), raised);
        }
        room.healing.under_way = next.map(|id| UnderWay { written: None, stays: false, release: id.0, ..of });
        self.keep_healing(tenant, &room).await?;
        Ok(true)
    }

    /// Sets back what was raised for a condition that has been over for long enough.
    async fn set_back(&self, tenant: &TenantId, environment: &str) -> Result<bool, DeskError> {
        let room = self.room(tenant, environment).await?;
        let is_calm = |r: &Raised| r.calm_since.is_some_and(|since| self.now().0.saturating_sub(since) >= CALM_NS);
        let Some((name, raised)) = room.healing.raised.iter().find(|(_, r)| is_calm(r)) else { return Ok(false) };
        let (Ok(target), Ok(path)) = (Address::parse(&raised.target), Path::parse(&raised.path)) else {
            return Ok(false);
        };
        self.take_back_repair(tenant, environment, name, &target, &path).await?;
        let by = By::grid(&format!("self-healing {name}"));
        let note = format!("self-healing {name}: it is over, {target} is set back");
        match self.submit_repair(tenant, environment, &target, &by, note).await {
            Ok(_) | Err(DeskError::Conflict(_)) => {}
            Err(e) => return Err(e),
        }
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, environment).await?;
        room.healing.raised.remove(name);
        self.keep_healing(tenant, &room).await?;
        Ok(true)
    }

    /// Remembers why nothing is done.
    async fn say(
        &self,
        tenant: &TenantId,
        environment: &str,
        condition: &Condition,
        why: &str,
    ) -> Result<(), DeskError> {
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, environment).await?;
        if room.healing.says.get(&condition.name).is_some_and(|said| said == why) {
            return Ok(());
        }
        room.healing.says.insert(condition.name.clone(), why.to_owned());
        let by = By::grid(&format!("self-healing {}", condition.name));
        let mut batch = Batch::of(tenant);
        batch.put(Kind::Environment, "", room.name(), &room)?;
        self.deed(&mut batch, &by, "heal.hold", environment, why);
        self.0.keep.write(batch).await
    }
}

/// What is told of an environment's healing.
pub(crate) fn shown(room: &Room) -> serde_json::Value {
    let time = |ns: i64| crate::show::time(Timestamp(ns));
    let healing = &room.healing;
    let conditions = room.about.heals.when.iter().map(|c| {
        serde_json::json!({
            "name": c.name,
            "repair": c.repair.repair().name(),
            "holds_since": healing.since.get(&c.name).map(|ns| time(*ns)),
            "says": healing.says.get(&c.name),
            "raised": healing.raised.contains_key(&c.name),
        })
    });
    let done = healing.done.iter().rev().map(|d| {
        serde_json::json!({
            "at": time(d.at), "condition": d.condition, "target": d.target, "repair": d.repair, "releases": d.releases, "says": d.says,
        })
    });
    serde_json::json!({ "conditions": conditions.collect::<Vec<_>>(), "repairs": done.collect::<Vec<_>>() })
}
