//! Accepted recommendations: override, plan, release, verification, ledger, as `grid_act::acting` prescribes; what it asks for is done here.

use grid_act::acting::{Accepted, Acting, Do, Event, Realised, Stage};
use grid_act::policy::Ruling;
use grid_model::time::DAY_NS;
use grid_model::{Amount, TenantId, Timestamp};
use grid_plan::cost::Prices as _;
use grid_plan::gate::{Verdict, together};
use grid_plan::queue::{End, Kind as ReleaseKind, Priority, ReleaseId, Stage as Queued};
use serde_json::Value;

use super::releases::{Beside, Submission};
use super::{By, Desk};
use crate::error::DeskError;
use crate::gates::{Ask, Gate, When};
use crate::keep::{Batch, Kind};
use crate::limits::{ACTIONS_KEPT, BILLED_EVERY_NS, VERIFIED_MAX, VERIFY_EVERY_NS};
use crate::outside::Recommended;
use crate::room::{ActionRow, GoalOf};
use crate::{lever, show};

/// The gate that asks the people whom the policy wants.
const PEOPLE_GATE: &str = "policy-approval";

impl Desk {
    /// Takes an accepted recommendation in; `None` if no environment has the resource, or no field does what is asked.
    pub async fn accept(&self, tenant: &TenantId, of: &Recommended, by: &By) -> Result<Option<Value>, DeskError> {
        for environment in self.0.keep.names(tenant, Kind::Environment, "").await? {
            if self.take_in(tenant, &environment, of, by, &of.title).await?.is_none() {
                continue;
            }
            self.go_on(tenant, &environment).await?;
            let row: Option<ActionRow> = self.0.keep.get(tenant, Kind::Action, &environment, &of.id).await?;
            return Ok(row.as_ref().map(show::action));
        }
        Ok(None)
    }

    /// Takes an accepted recommendation into an environment, once; `None` if it has not got the resource, or no field does what is asked. `said` is for the
    /// audit.
    pub(super) async fn take_in(
        &self,
        tenant: &TenantId,
        environment: &str,
        of: &Recommended,
        by: &By,
        said: &str,
    ) -> Result<Option<ActionRow>, DeskError> {
        let known: Option<ActionRow> = self.0.keep.get(tenant, Kind::Action, environment, &of.id).await?;
        let is_over = |a: &ActionRow| matches!(a.acting.stage, Stage::Undone(_) | Stage::Dropped(_) | Stage::Stuck(_));
        if let Some(known) = known.filter(|a| !is_over(a)) {
            return Ok(Some(known));
        }
        let room = self.room(tenant, environment).await?;
        let Some(target) = lever::find(&room, &of.resource_id) else { return Ok(None) };
        let now = self.now();
        let Ok(mut change) = lever::change(of, &target, &room, now) else { return Ok(None) };
        change.by.who.clone_from(&by.who);
        let acting = Acting::new(Accepted {
            recommendation: of.id.clone(),
            change,
            predicted: of.saving,
            by: by.who.clone(),
            at: now,
            verify_ns: room.about.verify_ns,
        });
        let row = ActionRow {
            acting,
            environment: environment.to_owned(),
            title: of.title.clone(),
            resource_id: of.resource_id.clone(),
            currency: of.currency.clone(),
            risk: of.risk,
            release: None,
            undo: None,
            note: String::new(),
            read_back: None,
            priced: None,
            ledger: None,
        };
        let names = self.0.keep.names(tenant, Kind::Action, environment).await?;
        if names.len() >= ACTIONS_KEPT {
            return Err(DeskError::TooMany { what: "accepted recommendations", max: ACTIONS_KEPT });
        }
        let mut batch = Batch::of(tenant);
        batch.put(Kind::Action, environment, &of.id, &row)?;
        self.deed(&mut batch, by, "recommendation.accept", &of.id, said);
        self.0.keep.write(batch).await?;
        Ok(Some(row))
    }

    async fn action_rows(&self, tenant: &TenantId, environment: Option<&str>) -> Result<Vec<ActionRow>, DeskError> {
        let names = match environment {
            Some(name) => vec![name.to_owned()],
            None => self.0.keep.names(tenant, Kind::Environment, "").await?,
        };
        let mut all: Vec<ActionRow> = Vec::new();
        for name in names {
            let of: Vec<(String, ActionRow)> = self.0.keep.list(tenant, Kind::Action, &name).await?;
            all.extend(of.into_iter().map(|(_, row)| row));
        }
        all.sort_by_key(|row| std::cmp::Reverse(row.acting.accepted.at));
        Ok(all)
    }

    /// Accepted recommendations, the youngest first. What bills say since is looked up.
    pub async fn actions(&self, tenant: &TenantId, environment: Option<&str>) -> Result<Vec<Value>, DeskError> {
        let mut shown = Vec::new();
        for mut row in self.action_rows(tenant, environment).await? {
            self.bill(tenant, &mut row).await?;
            shown.push(show::action(&row));
        }
        Ok(shown)
    }

    /// One, by its recommendation.
    pub async fn action(&self, tenant: &TenantId, id: &str) -> Result<Value, DeskError> {
        let all = self.actions(tenant, None).await?;
        let found =
            all.into_iter().find(|a| a["id"].as_str().is_some_and(|i| i == id || id.len() >= 4 && i.starts_with(id)));
        found.ok_or_else(|| DeskError::none("accepted recommendation", id))
    }

    /// What a kept change has saved by the bills, as soon as they say.
    async fn bill(&self, tenant: &TenantId, row: &mut ActionRow) -> Result<(), DeskError> {
        let Stage::Kept { applied, .. } = row.acting.stage else { return Ok(()) };
        if row.ledger.as_ref().is_some_and(|l| l.realised != Realised::NotBilledYet) {
            return Ok(());
        }
        let billed = self.0.outside.billed(tenant, &row.resource_id, &row.currency, applied).await;
        row.ledger = Some(row.acting.ledger(billed.map_err(DeskError::Driver)?));
        let mut batch = Batch::of(tenant);
        batch.put(Kind::Action, &row.environment, &row.acting.accepted.recommendation, row)?;
        self.0.keep.write(batch).await
    }

    /// Asks the bills again, now and then, as long as they have not said anything.
    async fn bill_again(&self, tenant: &TenantId, mut row: ActionRow) -> Result<bool, DeskError> {
        let key = (tenant.clone(), row.acting.accepted.recommendation.clone());
        if row.ledger.as_ref().is_none_or(|l| l.realised != Realised::NotBilledYet) {
            self.0.billed_at.lock().remove(&key);
            return Ok(false);
        }
        let now = self.now();
        let asked = self.0.billed_at.lock().insert(key.clone(), now);
        match asked.filter(|at| now.0.saturating_sub(at.0) < BILLED_EVERY_NS) {
            Some(at) => {
                self.0.billed_at.lock().insert(key, at);
            }
            None => self.bill(tenant, &mut row).await?,
        }
        Ok(false)
    }

    /// Goes on with the accepted recommendations of an environment.
    pub(super) async fn act(&self, tenant: &TenantId, environment: &str) -> Result<bool, DeskError> {
        let mut moved = false;
        for id in self.0.keep.names(tenant, Kind::Action, environment).await? {
            let row: Option<ActionRow> = self.0.keep.get(tenant, Kind::Action, environment, &id).await?;
            if let Some(row) = row {
                moved |= Box::pin(self.one_action(tenant, row)).await?;
            }
        }
        Ok(moved)
    }

    async fn keep_action(&self, tenant: &TenantId, row: &ActionRow) -> Result<(), DeskError> {
        let mut batch = Batch::of(tenant);
        batch.put(Kind::Action, &row.environment, &row.acting.accepted.recommendation, row)?;
        self.0.keep.write(batch).await
    }

    /// Tells an action what has happened, and keeps it.
    async fn tell(&self, tenant: &TenantId, row: &mut ActionRow, event: Event) -> Result<bool, DeskError> {
        let now = self.now();
        row.acting.happened(event, now).map_err(|e| DeskError::Conflict(e.to_string()))?;
        self.keep_action(tenant, row).await?;
        Ok(true)
    }

    async fn one_action(&self, tenant: &TenantId, mut row: ActionRow) -> Result<bool, DeskError> {
        let environment = row.environment.clone();
        match row.acting.next() {
            Do::WriteOverride(change) => {
                let _held = self.0.lock.lock().await;
                let mut room = self.room(tenant, &environment).await?;
                if room.free().is_err() {
                    return Ok(false);
                }
                let written = room.environment.write(*change).map_err(|e| crate::error::chain(&e));
                let checked = written.and_then(|()| self.wanted(&room).map(drop).map_err(|e| e.to_string()));
                if let Err(why) = checked {
                    return self.tell(tenant, &mut row, Event::Conflict(why)).await;
                }
                let mut batch = Batch::of(tenant);
                self.save(&mut batch, &room)?;
                let by = By { who: row.acting.accepted.by.clone(), allowed: "an accepted recommendation".to_owned() };
                let of = &row.acting.accepted;
                let detail = format!("{} {} by recommendation {}", of.change.target, of.change.path, of.recommendation);
                self.deed(&mut batch, &by, "environment.override", &environment, &detail);
                self.0.keep.write(batch).await?;
                self.tell(tenant, &mut row, Event::Overridden).await
            }
            Do::Plan => self.plan_action(tenant, row).await,
            Do::Submit(plan) => self.submit_action(tenant, row, plan).await,
            Do::Wait => self.wait_for(tenant, row).await,
            Do::LookBy(until) if self.looked_lately(tenant, &row, until) => Ok(false),
            Do::LookBy(until) => self.verify(tenant, row, until).await,
            Do::TakeBack(plan, _) => self.take_action_back(tenant, row, plan).await,
            Do::TakeBackOverride(_) => {
                // Without effect once it is taken back.
                let taken = self.drop_override(tenant, &row).await?;
                Ok(taken)
            }
            Do::Enter => {
                if row.ledger.is_some() {
                    return self.bill_again(tenant, row).await;
                }
                row.ledger = Some(row.acting.ledger(None));
                self.keep_action(tenant, &row).await?;
                self.bill(tenant, &mut row).await?;
                Ok(true)
            }
            Do::Tell(why) => {
                if row.note == why {
                    return Ok(false);
                }
                row.note = why;
                self.keep_action(tenant, &row).await?;
                Ok(true)
            }
        }
    }

    /// Takes an action's override back; whether there was one.
    async fn drop_override(&self, tenant: &TenantId, row: &ActionRow) -> Result<bool, DeskError> {
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, &row.environment).await?;
        let change = &row.acting.accepted.change;
        if room.free().is_err() || !room.environment.take_back(&change.target, &change.path, &change.by.writer) {
            return Ok(false);
        }
        let mut batch = Batch::of(tenant);
        self.save(&mut batch, &room)?;
        let by = By::grid("a recommendation that was not kept");
        let detail = format!("took back {} {}", change.target, change.path);
        self.deed(&mut batch, &by, "environment.override", &row.environment, &detail);
        self.0.keep.write(batch).await?;
        Ok(true)
    }

    async fn plan_action(&self, tenant: &TenantId, mut row: ActionRow) -> Result<bool, DeskError> {
        let made = {
            let _held = self.0.lock.lock().await;
            let room = self.room(tenant, &row.environment).await?;
            if room.free().is_err() {
                return Ok(false);
            }
            let target = row.acting.accepted.change.target.clone();
            let made = self
                .draw(tenant, &room, &row.acting.accepted.by, GoalOf::Blueprint, Some([target.clone()].into()))
                .await;
            if let Ok(made) = &made {
                let mut batch = Batch::of(tenant);
                self.keep_plan(tenant, &mut batch, made).await?;
                self.0.keep.write(batch).await?;
                let bench = self.bench(tenant, &room, &[]).await?;
                let cost = |fields: Option<&grid_plan::Fields>| {
                    let cost = fields.map_or(grid_plan::cost::Cost::ZERO, |f| bench.prices.monthly(&target, f));
                    cost.known().map(|r| r.likely.to_string())
                };
                let step = made.plan.step(&target);
                let before = cost(step.and_then(|s| s.before.as_ref()).map(|b| &b.fields));
                row.priced = before.zip(cost(step.and_then(|s| s.after.as_ref())));
            }
            made
        };
        let event = match made {
            Ok(made) if made.plan.is_empty() => Event::NothingToDo,
            Ok(made) => Event::Planned(made.plan.id),
            Err(e) => Event::Refused(e.to_string()),
        };
        self.tell(tenant, &mut row, event).await
    }

    /// Asks the policy, and submits as it says.
    async fn submit_action(
        &self,
        tenant: &TenantId,
        mut row: ActionRow,
        plan: grid_plan::PlanId,
    ) -> Result<bool, DeskError> {
        let room = self.room(tenant, &row.environment).await?;
        if room.free().is_err() {
            return Ok(false);
        }
        let kept = self.plan_row(tenant, &row.environment, &plan.to_string()).await?;
        if self.stale(tenant, &room, &kept).await?.is_some() {
            return self.tell(tenant, &mut row, Event::Stale).await;
        }
        let found = super::plans::findings(&kept.plan, &room, &self.0.kinds);
        let moved = self.moved_today(tenant, &row.environment).await?;
        let ruling = room.about.policy.ruling(&kept.plan, &found, Some(row.risk), moved);
        let short = plan.to_string()[..12].to_owned();
        let (gates, approved_by) = match ruling {
            Ruling::Nothing => {
                let why = format!("the policy of {} is off", row.environment);
                return self.tell(tenant, &mut row, Event::Refused(why)).await;
            }
            Ruling::Show => {
                let why =
                    format!("the policy of {} only suggests: plan {short} shows what would be done", row.environment);
                return self.tell(tenant, &mut row, Event::Refused(why)).await;
            }
            Ruling::People(people, why) => {
                row.note = format!("{people} must approve: {}", why.join("; "));
                let ask = Ask::Approval { people, requester_counts: people == 1, voters: Vec::new() };
                (vec![Gate { name: PEOPLE_GATE.to_owned(), when: When::Before, ask }], None)
            }
            Ruling::Approved => {
                row.note = "within the limits of the environment's policy".to_owned();
                (Vec::new(), Some(format!("policy of {}", row.environment)))
            }
        };
        let submission = Submission {
            environment: row.environment.clone(),
            plan: Some(plan.to_string()),
            kind: Some(ReleaseKind::Selective),
            note: format!("recommendation {}: {}", row.acting.accepted.recommendation, row.title),
            lane: Some(format!("recommendation {}", row.acting.accepted.change.target)),
            gates,
            ..Submission::default()
        };
        let by = By { who: row.acting.accepted.by.clone(), allowed: "an accepted recommendation".to_owned() };
        let beside =
            Beside { action: Some(row.acting.accepted.recommendation.clone()), approved_by, ..Beside::default() };
        match self.submit_beside(tenant, &by, submission, beside).await {
            Ok(id) => {
                row.release = Some(id.0);
                self.tell(tenant, &mut row, Event::Queued).await
            }
            Err(e) => self.tell(tenant, &mut row, Event::Refused(e.to_string())).await,
        }
    }

    /// Money that plans approved by policy have moved within the last day, in either direction.
    pub(super) async fn moved_today(&self, tenant: &TenantId, environment: &str) -> Result<Amount, DeskError> {
        let since = self.now().0.saturating_sub(DAY_NS);
        let mut moved = 0_i128;
        let rows: Vec<(String, crate::room::ReleaseRow)> = self.0.keep.list(tenant, Kind::Release, environment).await?;
        for (_, row) in rows {
            if row.approved_by.is_some() && row.applied.is_some_and(|at| at > since) {
                let plan = self.plan_row(tenant, environment, &row.plan.to_string()).await?.plan;
                let delta = plan.delta.known;
                moved = moved.saturating_add(delta.low.0.abs().max(delta.high.0.abs()));
            }
        }
        Ok(Amount(moved))
    }

    /// Follows the release of an action.
    async fn wait_for(&self, tenant: &TenantId, mut row: ActionRow) -> Result<bool, DeskError> {
        let Some(id) = row.release else {
            return self.tell(tenant, &mut row, Event::Refused("its release was lost".to_owned())).await;
        };
        let room = self.room(tenant, &row.environment).await?;
        let release = self.release_row(tenant, &row.environment, id).await?;
        let entry = Self::entry_of(&room, &release)?.clone();
        // A release that was planned anew carries the action's change still; the action goes by the plan that ran.
        let is_begun = matches!(row.acting.stage, Stage::Applying(_));
        let event = match (&entry.stage, is_begun) {
            (Queued::Waiting, _) => return Ok(false),
            (Queued::Ended(End::Cancelled(why) | End::Failed(why)), false) if entry.started.is_none() => {
                Event::Refused(why.clone())
            }
            (Queued::Ended(End::Superseded(by)), false) => Event::Refused(format!("{by} took its place")),
            (_, false) => {
                row.acting.stage = Stage::Queued(release.plan);
                Event::Began
            }
            (Queued::Running { .. } | Queued::Yielded | Queued::Checking | Queued::Undoing { .. }, true) => {
                return Ok(false);
            }
            (Queued::Ended(End::Done), true) => Event::Applied,
            (Queued::Ended(end), true) => Event::Failed(match end {
                End::Failed(why) | End::Undone(why) | End::UndoFailed(why) | End::Cancelled(why) => why.clone(),
                End::Superseded(by) => by.to_string(),
                End::Done => String::new(),
            }),
        };
        self.tell(tenant, &mut row, event).await
    }

    /// Whether a change was looked at a moment ago: its driver is asked now and then, and once more when its time has come.
    fn looked_lately(&self, tenant: &TenantId, row: &ActionRow, until: Timestamp) -> bool {
        let (now, key) = (self.now(), (tenant.clone(), row.acting.accepted.recommendation.clone()));
        let mut looked = self.0.verified_at.lock();
        let is_recent = looked.get(&key).is_some_and(|at| {
            (0..VERIFY_EVERY_NS).contains(&now.0.saturating_sub(at.0)) && (now < until || *at >= until)
        });
        if !is_recent {
            if looked.len() >= VERIFIED_MAX {
                looked.clear();
            }
            looked.insert(key, now);
        }
        is_recent
    }

    /// Looks at how a change goes: it is read back from the driver, and the environment's gates after releases are asked.
    async fn verify(&self, tenant: &TenantId, mut row: ActionRow, until: Timestamp) -> Result<bool, DeskError> {
        let room = self.room(tenant, &row.environment).await?;
        let Some(id) = row.release else { return Ok(false) };
        let release = self.release_row(tenant, &row.environment, id).await?;
        let requester = row.acting.accepted.by.clone();
        let mut said = self.look(tenant, &room.about.gates, &release, &requester).await?;
        said.insert("read-back".to_owned(), self.read_back(tenant, &mut row).await?);
        let verdict = together(said.iter().map(|(name, verdict)| (name.as_str(), Some(verdict))));
        let Stage::Verifying { last, .. } = &row.acting.stage else { return Ok(false) };
        let is_news = last.as_ref().map(Verdict::name) != Some(verdict.name());
        if !is_news && self.now() < until {
            return Ok(false);
        }
        let is_done = self.now() >= until && !matches!(verdict, Verdict::Hold(_));
        if !is_news && !is_done && self.now().0 < until.0.saturating_add(row.acting.accepted.verify_ns.max(DAY_NS)) {
            return Ok(false);
        }
        self.tell(tenant, &mut row, Event::Looked(verdict)).await
    }

    /// Whether the driver still has what was planned.
    async fn read_back(&self, tenant: &TenantId, row: &mut ActionRow) -> Result<Verdict, DeskError> {
        let room = self.room(tenant, &row.environment).await?;
        let change = &row.acting.accepted.change;
        let known = room.state.resources.get(&change.target);
        let driver = self.driver(tenant, &room)?;
        let verdict = match known {
            None if change.path.is_root() => Verdict::Pass(format!("{} is gone", change.target)),
            None => Verdict::Hold(format!("{} is not known to be there", change.target)),
            Some(known) => match driver.read(&change.target, &known.id).await {
                Err(e) => Verdict::Hold(format!("it cannot be read: {e}")),
                Ok(None) => Verdict::Fail(format!("{} is gone", known.id)),
                Ok(Some(there)) => {
                    let (is, wanted) = (there.fields.get(&change.path), change.to.as_ref());
                    let shown = is.map_or("nothing".to_owned(), ToString::to_string);
                    if is == wanted {
                        Verdict::Pass(format!("{} of {} is {shown}", change.path, known.id))
                    } else {
                        Verdict::Fail(format!("{} of {} is {shown} again", change.path, known.id))
                    }
                }
            },
        };
        row.read_back = Some(verdict.reason().to_owned());
        Ok(verdict)
    }

    /// Takes a change back: the override first, then what was applied.
    async fn take_action_back(
        &self,
        tenant: &TenantId,
        mut row: ActionRow,
        plan: grid_plan::PlanId,
    ) -> Result<bool, DeskError> {
        let environment = row.environment.clone();
        if let Some(id) = row.undo {
            let room = self.room(tenant, &environment).await?;
            let release = self.release_row(tenant, &environment, id).await?;
            let event = match &Self::entry_of(&room, &release)?.stage {
                Queued::Ended(End::Done) => Event::TakenBack,
                Queued::Ended(_) => Event::NotTakenBack(format!("release {id} did not end well")),
                _ => return Ok(false),
            };
            return self.tell(tenant, &mut row, event).await;
        }
        self.drop_override(tenant, &row).await?;
        if self.room(tenant, &environment).await?.free().is_err() {
            return Ok(false);
        }
        let made = self.undo_plan(tenant, &environment, "grid", plan).await;
        let made = match made {
            Ok(made) if made.plan.is_empty() => return self.tell(tenant, &mut row, Event::TakenBack).await,
            Ok(made) => made,
            Err(e) => return self.tell(tenant, &mut row, Event::NotTakenBack(e.to_string())).await,
        };
        let submission = Submission {
            environment: environment.clone(),
            plan: Some(made.plan.id.to_string()),
            kind: Some(ReleaseKind::Rollback),
            priority: Some(Priority::High),
            note: format!("takes recommendation {} back", row.acting.accepted.recommendation),
            ..Submission::default()
        };
        let beside = Beside {
            action: Some(row.acting.accepted.recommendation.clone()),
            without_gates: true,
            approved_by: Some("a change that was not good".to_owned()),
        };
        match self.submit_beside(tenant, &By::grid("verification"), submission, beside).await {
            Ok(ReleaseId(id)) => {
                row.undo = Some(id);
                self.keep_action(tenant, &row).await?;
                Ok(true)
            }
            Err(e) => self.tell(tenant, &mut row, Event::NotTakenBack(e.to_string())).await,
        }
    }
}
