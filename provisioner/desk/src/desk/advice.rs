//! Recommendations that Grid accepts by itself, where an environment's policy is `automatic` and all limits hold. What is not accepted is kept with its reasons.
//!
//! Order: an intent rests first, then the decision is written, then the recommendation goes its way as if a person had accepted it. So a crash in between is
//! made good, and nothing is accepted twice or against what a person has decided.

use std::collections::{BTreeMap, BTreeSet};

use grid_act::acting::Stage;
use grid_act::policy::{Autonomy, Ruling};
use grid_model::TenantId;
use grid_model::time::DAY_NS;
use grid_plan::environment::Override;
use serde::{Deserialize, Serialize};

use super::{By, Desk};
use crate::error::DeskError;
use crate::keep::{Batch, Kind};
use crate::limits::{ADVICE_EVERY_NS, ADVICE_MAX};
use crate::outside::Recommended;
use crate::room::{ActionRow, GoalOf, Room};
use crate::{lever, show};

/// Who accepts.
pub(crate) const GRID: &str = "grid";

/// A recommendation that Grid has not accepted, or is about to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HeldRow {
    /// What it says.
    pub(crate) of: Recommended,
    /// Why it is not accepted.
    pub(crate) why: Vec<String>,
    /// Since when these reasons hold, in nanoseconds.
    pub(crate) since: i64,
    /// It is being accepted: the intent.
    pub(crate) accepting: bool,
}

/// Whether Grid itself accepted it.
fn is_grids(row: &ActionRow) -> bool {
    row.acting.accepted.by == GRID
}

/// Whether it has not been applied yet.
fn is_on_its_way(row: &ActionRow) -> bool {
    use Stage::{Accepted, Applying, Overridden, Planned, Queued};
    matches!(row.acting.stage, Accepted | Overridden | Planned(_) | Queued(_) | Applying(_))
}

impl Desk {
    /// Looks at what is recommended, now and then, and accepts at most one: the next is looked at when that one is applied.
    pub(super) async fn accept_by_itself(&self, tenant: &TenantId, environment: &str) -> Result<bool, DeskError> {
        let now = self.now();
        {
            let mut looked = self.0.advised_at.lock();
            let last = looked.get(&(tenant.clone(), environment.to_owned()));
            if last.is_some_and(|at| (0..ADVICE_EVERY_NS).contains(&now.0.saturating_sub(at.0))) {
                return Ok(false);
            }
            looked.insert((tenant.clone(), environment.to_owned()), now);
        }
        let room = self.room(tenant, environment).await?;
        let held: Vec<(String, HeldRow)> = self.0.keep.list(tenant, Kind::Held, environment).await?;
        if room.about.policy.autonomy != Autonomy::Automatic || room.about.accepts.per_day == 0 {
            self.keep_held(tenant, environment, &held, BTreeMap::new()).await?;
            return Ok(false);
        }
        // What a crash has left half done.
        for (_, row) in held.iter().filter(|(_, row)| row.accepting) {
            self.accept_held(tenant, environment, row).await?;
        }
        let advice = self.0.outside.advice(tenant).await.map_err(DeskError::Driver)?;
        let (found, chosen) = self.judge(tenant, &room, advice).await?;
        self.keep_held(tenant, environment, &held, found).await?;
        match chosen {
            Some(of) => {
                let row = HeldRow { of, why: Vec::new(), since: now.0, accepting: true };
                let mut batch = Batch::of(tenant);
                batch.put(Kind::Held, environment, &row.of.id, &row)?;
                self.0.keep.write(batch).await?;
                self.accept_held(tenant, environment, &row).await
            }
            None => Ok(false),
        }
    }

    /// What is held with its reasons, and the one that is accepted.
    async fn judge(
        &self,
        tenant: &TenantId,
        room: &Room,
        mut advice: Vec<Recommended>,
    ) -> Result<(BTreeMap<String, HeldRow>, Option<Recommended>), DeskError> {
        let now = self.now();
        let actions: Vec<(String, ActionRow)> = self.0.keep.list(tenant, Kind::Action, room.name()).await?;
        let known: BTreeMap<&str, &ActionRow> = actions.iter().map(|(id, row)| (id.as_str(), row)).collect();
        let ours = || known.values().filter(|row| is_grids(row));
        let today = ours().filter(|r| r.acting.accepted.at.0 > now.0.saturating_sub(DAY_NS)).count();
        let under_way = ours().find(|row| is_on_its_way(row)).map(|row| row.acting.accepted.recommendation.clone());
        let moved = self.moved_today(tenant, room.name()).await?;
        // A risk that is no number is no risk that a limit can bound, and does not rest in JSON. The largest saving first.
        advice.retain(|of| of.risk.is_finite());
        advice.sort_by(|a, b| (b.saving.likely, &a.id).cmp(&(a.saving.likely, &b.id)));
        let (mut held, mut chosen) = (BTreeMap::new(), None::<Recommended>);
        for of in advice {
            let Some(target) = lever::find(room, &of.resource_id) else { continue };
            if held.len() >= ADVICE_MAX {
                break;
            }
            let mut why = match known.get(of.id.as_str()) {
                Some(row) => {
                    vec![format!("it was accepted before, and is {}", show::acting_stage(&row.acting.stage).0)]
                }
                None => room.about.accepts.holds(&of, &room.about.currency, today, now),
            };
            let change = lever::change(&of, &target, room, now).map_err(|e| why.push(e)).ok();
            let other = chosen.as_ref().map(|c| &c.id).or(under_way.as_ref());
            if let Some(other) = other {
                why.push(format!("one at a time: {other} is on its way"));
            }
            if let (true, Some(change)) = (why.is_empty(), change) {
                why = Box::pin(self.trial(tenant, room, change, of.risk, moved)).await?;
            }
            if why.is_empty() {
                chosen = Some(of);
            } else {
                held.insert(of.id.clone(), HeldRow { of, why, since: now.0, accepting: false });
            }
        }
        Ok((held, chosen))
    }

    /// Plans a change without keeping anything; every limit of the policy that it is beyond.
    async fn trial(
        &self,
        tenant: &TenantId,
        room: &Room,
        change: Override,
        risk: f64,
        moved: grid_model::Amount,
    ) -> Result<Vec<String>, DeskError> {
        if room.free().is_err() {
            return Ok(vec!["a release is at work on the environment".to_owned()]);
        }
        let scope = || Some(BTreeSet::from([change.target.clone()]));
        let target = change.target.to_string();
        let draw = |room: Room, scope| async move {
            match self.draw(tenant, &room, GRID, GoalOf::Blueprint, scope).await {
                Err(DeskError::Bad(why) | DeskError::Conflict(why)) => Ok(Err(format!("it cannot be planned: {why}"))),
                Err(e) => Err(e),
                Ok(made) => Ok(Ok(made)),
            }
        };
        match draw(room.clone(), scope()).await? {
            Err(why) => return Ok(vec![why]),
            Ok(made) if !made.plan.is_empty() => {
                return Ok(vec![format!("{target} has other changes that are not released yet")]);
            }
            Ok(_) => {}
        }
        let (mut wished, of) = (room.clone(), scope());
        let written = wished.environment.write(change).map_err(|e| crate::error::chain(&e));
        if let Err(why) = written.and_then(|()| self.wanted(&wished).map(drop).map_err(|e| e.to_string())) {
            return Ok(vec![why]);
        }
        let made = match draw(wished.clone(), of).await? {
            Err(why) => return Ok(vec![why]),
            Ok(made) if made.plan.is_empty() => return Ok(vec!["it is so already".to_owned()]),
            Ok(made) => made,
        };
        let found = super::plans::findings(&made.plan, &wished, &self.0.kinds);
        Ok(match room.about.policy.ruling(&made.plan, &found, Some(risk), moved) {
            Ruling::Approved => Vec::new(),
            Ruling::People(_, why) => why,
            Ruling::Nothing | Ruling::Show => vec!["the policy is not automatic".to_owned()],
        })
    }

    /// Writes the decision, unless a person has decided otherwise meanwhile, and lets the recommendation go its way.
    async fn accept_held(&self, tenant: &TenantId, environment: &str, row: &HeldRow) -> Result<bool, DeskError> {
        let of = &row.of;
        let by = By { who: GRID.to_owned(), allowed: format!("the automatic policy of {environment}") };
        let said = format!(
            "saves {} {} a month, risk {}, effort {}: within the limits of {environment}",
            of.saving.likely, of.currency, of.risk, of.effort
        );
        let is_ours = self.0.outside.accept(tenant, &of.id, &by.who, &said).await.map_err(DeskError::Driver)?;
        let taken = match is_ours {
            true => self.take_in(tenant, environment, of, &by, &format!("{}: {said}", of.title)).await?,
            false => None,
        };
        let mut batch = Batch::of(tenant);
        batch.delete(Kind::Held, environment, &of.id);
        self.0.keep.write(batch).await?;
        Ok(taken.is_some())
    }

    /// Keeps what is held now; reasons that were there before keep their time.
    async fn keep_held(
        &self,
        tenant: &TenantId,
        environment: &str,
        before: &[(String, HeldRow)],
        mut now: BTreeMap<String, HeldRow>,
    ) -> Result<(), DeskError> {
        let mut batch = Batch::of(tenant);
        for (id, row) in before.iter().filter(|(_, row)| !row.accepting) {
            match now.remove(id) {
                Some(new) if new.why == row.why && new.of == row.of => {}
                Some(new) => batch.put(Kind::Held, environment, id, &new)?,
                None => batch.delete(Kind::Held, environment, id),
            }
        }
        for (id, row) in &now {
            batch.put(Kind::Held, environment, id, row)?;
        }
        self.0.keep.write(batch).await
    }

    /// What Grid has not accepted by itself in an environment, with the reasons.
    pub(crate) async fn held(&self, tenant: &TenantId, environment: &str) -> Result<Vec<HeldRow>, DeskError> {
        let rows: Vec<(String, HeldRow)> = self.0.keep.list(tenant, Kind::Held, environment).await?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }
}
