//! What becomes of an environment by itself: it sleeps and wakes, by the clock or by use, and ends when its time has come. Each is a release like any other.

use grid_model::time::SECOND_NS;
use grid_model::{TenantId, Timestamp};
use grid_plan::environment::Environment;
use grid_plan::environment::life::{Due, due, set_asleep};
use grid_plan::gate::Answer;
use grid_plan::queue::{ReleaseId, Stage};

use super::releases::{Beside, Submission};
use super::{By, Desk, PlanWish};
use crate::error::DeskError;
use crate::keep::{Batch, Kind};
use crate::outside::Language;
use crate::room::{Expiry, GoalOf, ReleaseRow, RestForm, Room};
use crate::show::{self, release_name};

/// A newer release of this kind takes the place of one that waits.
const REST_LANE: &str = "rest";
const MINUTE_NS: i64 = 60 * SECOND_NS;

impl Desk {
    /// Looks what is due; whether something moved, and whether the environment's time is over.
    pub(super) async fn tend(&self, tenant: &TenantId, environment: &str) -> Result<(bool, bool), DeskError> {
        let room = self.room(tenant, environment).await?;
        let mut moved = match due(&room.environment, None, None, self.now()) {
            Some(Due::Destroy(at)) => return Ok((self.end_by_time(tenant, &room, at).await?, true)),
            Some(Due::AskWhetherToDestroy(at)) => {
                let says = "its time has come, and it is protected: take the protection away, or set another end";
                self.warn_of_end(tenant, environment, at, says).await?
            }
            _ => false,
        };
        moved |= self.rest(tenant, environment).await?;
        Ok((moved, false))
    }

    /// Submits a release that destroys what an environment has, once for each end that is set.
    async fn end_by_time(&self, tenant: &TenantId, room: &Room, at: Timestamp) -> Result<bool, DeskError> {
        let name = room.name();
        let is_done = room.about.expiry.as_ref().is_some_and(|e| e.at == at.0 && !e.is_warning);
        if is_done || room.free().is_err() {
            return Ok(false);
        }
        let by = By::grid(&format!("the environment's end at {}", show::time(at)));
        // What still waits would make it anew; a release that destroys it already is the one.
        let mut release = None;
        {
            let _held = self.0.lock.lock().await;
            let mut room = self.room(tenant, name).await?;
            let mut batch = Batch::of(tenant);
            let open = room.queue.0.open().iter();
            let waiting: Vec<ReleaseId> = open.filter(|e| e.stage == Stage::Waiting).map(|e| e.id).collect();
            for id in waiting {
                let mut row: ReleaseRow = self.release_row(tenant, name, id.0).await?;
                if matches!(row.goal, GoalOf::Destroy(_)) {
                    release = Some(id.0);
                    continue;
                }
                let why = "the environment's time has come";
                let ended = room.queue.0.cancel(id, why, self.now());
                row.ended = ended.map_err(|e| DeskError::Conflict(e.to_string()))?;
                self.happened(tenant, &mut row, "cancelled", why);
                Self::put_release(&mut batch, &mut row)?;
                self.deed(&mut batch, &by, "release.cancel", &release_name(name, id.0), why);
            }
            self.save(&mut batch, &room)?;
            self.0.keep.write(batch).await?;
        }
        if release.is_none() && !room.state.resources.is_empty() {
            // The end that people have set confirms it.
            let wish = PlanWish { environment: name.to_owned(), destroy: Some(name.to_owned()), ..PlanWish::default() };
            let plan = match self.plan(tenant, &by, wish).await {
                Ok(plan) => plan,
                Err(e @ (DeskError::Bad(_) | DeskError::Conflict(_))) => {
                    let says = format!("its time has come, and it cannot be destroyed: {e}");
                    return self.warn_of_end(tenant, name, at, &says).await;
                }
                Err(e) => return Err(e),
            };
            let submission = Submission {
                environment: name.to_owned(),
                plan: plan["id"].as_str().map(str::to_owned),
                note: format!("destroy: its time came at {}", show::time(at)),
                ..Submission::default()
            };
            match self.submit_beside(tenant, &by, submission, Beside::default()).await {
                Ok(ReleaseId(id)) => release = Some(id),
                // It has changed meanwhile: it is tried again.
                Err(DeskError::Conflict(_)) => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        let says = match release {
            Some(id) => format!("its time has come: {} destroys what it has", release_name(name, id)),
            None => "its time has come: nothing was left of it".to_owned(),
        };
        self.write_expiry(tenant, name, &by, Expiry { at: at.0, is_warning: false, says, release }).await?;
        Ok(true)
    }

    /// Writes down, once for each end and reason, that a person has to decide.
    async fn warn_of_end(&self, tenant: &TenantId, name: &str, at: Timestamp, says: &str) -> Result<bool, DeskError> {
        let expiry = Expiry { at: at.0, is_warning: true, says: says.to_owned(), release: None };
        if self.room(tenant, name).await?.about.expiry.as_ref() == Some(&expiry) {
            return Ok(false);
        }
        tracing::warn!(%tenant, environment = name, says, "an environment is past its end");
        let by = By::grid(&format!("the environment's end at {}", show::time(at)));
        self.write_expiry(tenant, name, &by, expiry).await?;
        Ok(true)
    }

    async fn write_expiry(&self, tenant: &TenantId, name: &str, by: &By, expiry: Expiry) -> Result<(), DeskError> {
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, name).await?;
        let mut batch = Batch::of(tenant);
        self.deed(&mut batch, by, "environment.expire", name, &expiry.says);
        room.about.expiry = Some(expiry);
        batch.put(Kind::Environment, "", name, &room)?;
        self.0.keep.write(batch).await
    }

    /// Sends to sleep, or wakes, when that is due.
    async fn rest(&self, tenant: &TenantId, name: &str) -> Result<bool, DeskError> {
        let by = By::grid("the environment's rest");
        {
            let room = self.room(tenant, name).await?;
            if room.about.owed.is_some() {
                return self.pay(tenant, name, &by).await;
            }
            let Some(form) = room.about.rest.clone() else { return Ok(false) };
            if room.free().is_err() || !room.queue.0.open().is_empty() {
                return Ok(false);
            }
            let seen = self.is_used(tenant, &form).await;
            let _held = self.0.lock.lock().await;
            let mut room = self.room(tenant, name).await?;
            if room.free().is_err() {
                return Ok(false);
            }
            let now = self.now();
            let used = self.note_use(tenant, &mut room, seen).await?;
            // A protected environment that is past its end rests as others do.
            let living = Environment { expires: None, ..room.environment.clone() };
            let (asleep, why) = match due(&living, Some(&form.read()?), used, now) {
                Some(Due::Sleep(why)) => (true, why),
                Some(Due::Wake(why)) => (false, why),
                Some(Due::Destroy(_) | Due::AskWhetherToDestroy(_)) | None => return Ok(false),
            };
            set_asleep(&mut room.environment, asleep, "grid", &why, now);
            room.about.owed = Some(format!("{}: {why}", if asleep { "hibernate" } else { "wake" }));
            let mut batch = Batch::of(tenant);
            self.save(&mut batch, &room)?;
            let what = if asleep { "environment.hibernate" } else { "environment.wake" };
            self.deed(&mut batch, &by, what, name, &why);
            self.0.keep.write(batch).await?;
        }
        self.pay(tenant, name, &by).await
    }

    /// Whether an environment is used now; `None` if that is not known, or does not matter.
    async fn is_used(&self, tenant: &TenantId, form: &RestForm) -> Option<bool> {
        let RestForm::Idle { query, .. } = form else { return None };
        match self.0.outside.query(tenant, Language::Promql, query, self.now()).await {
            // Nothing is no answer: it may be that nobody measures.
            Answer::Here(series) if series.is_empty() => None,
            Answer::Here(series) => Some(series.iter().any(|(_, v)| *v > 0.0)),
            Answer::Missing(_) => None,
        }
    }

    /// Remembers when an environment was last seen to be used, counted from the first look; answers that, if it is known now.
    async fn note_use(
        &self,
        tenant: &TenantId,
        room: &mut Room,
        seen: Option<bool>,
    ) -> Result<Option<Timestamp>, DeskError> {
        let now = self.now();
        let used = match (seen, room.about.used) {
            (None, _) => return Ok(None),
            (Some(false), Some(used)) => Timestamp(used),
            (Some(true), _) | (Some(false), None) => now,
        };
        // To the minute: a look every few seconds need not be written down.
        if room.about.used.is_none_or(|known| used.0.saturating_sub(known) >= MINUTE_NS) {
            room.about.used = Some(used.0);
            let mut batch = Batch::of(tenant);
            batch.put(Kind::Environment, "", room.name(), room)?;
            self.0.keep.write(batch).await?;
        }
        Ok(Some(used))
    }

    /// Submits the release of an environment that fell asleep or woke. After a crash in between it comes again, in the place of the first while that waits.
    async fn pay(&self, tenant: &TenantId, name: &str, by: &By) -> Result<bool, DeskError> {
        let Some(note) = self.room(tenant, name).await?.about.owed else { return Ok(false) };
        let submission = Submission {
            environment: name.to_owned(),
            note,
            lane: Some(REST_LANE.to_owned()),
            ..Submission::default()
        };
        match self.submit_beside(tenant, by, submission, Beside::default()).await {
            // Nothing to do is no failure: an environment without machines sleeps already.
            Ok(_) | Err(DeskError::Conflict(_)) => {}
            Err(e) => return Err(e),
        }
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, name).await?;
        room.about.owed = None;
        let mut batch = Batch::of(tenant);
        batch.put(Kind::Environment, "", name, &room)?;
        self.0.keep.write(batch).await?;
        Ok(true)
    }
}
