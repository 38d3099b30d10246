//! What the desk keeps, as tables of SQL. Read only, over a connection of its own: a long statement holds up no change.

use std::path::Path;
use std::sync::Arc;

use grid_act::acting::{Acting, Realised, Stage};
use grid_act::executor::Time;
use grid_model::lent::{Batch, actions, audit, plans, releases, resources, savings};
use grid_model::{Amount, Lent, TenantId, Timestamp};
use grid_plan::cost::Total;
use grid_plan::plan::Action;
use grid_plan::queue::ReleaseId;

use crate::desk::Desk;
use crate::error::DeskError;
use crate::inventory::Sighting;
use crate::keep::{Keep, Kind};
use crate::limits::AUDIT_KEPT;
use crate::room::{ActionRow, GoalOf, PlanRow, ReleaseRow, Room};
use crate::show::{self, release_name};

/// The desk's tables. Cheap to clone; clones share.
#[derive(Clone)]
pub struct Tables {
    keep: Keep,
    time: Arc<dyn Time>,
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tables")
    }
}

/// A text, NULL if it is empty.
fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn money(text: &str) -> Option<Amount> {
    Amount::parse(text).ok().map(|(amount, _)| amount)
}

fn likely(total: &Total) -> Option<Amount> {
    total.certain().map(|range| range.likely)
}

impl Tables {
    /// Opens the database of a desk, and creates it if there is none.
    pub async fn open(path: &Path, time: Arc<dyn Time>) -> Result<Self, DeskError> {
        Ok(Self { keep: Keep::open(path).await?, time })
    }

    /// Gives the database back.
    pub async fn close(&self) {
        self.keep.pool.close().await;
    }

    /// All rows of a table of one tenant.
    pub async fn rows(&self, tenant: &TenantId, table: Lent) -> Result<Batch, DeskError> {
        match table {
            Lent::Audit => self.audit(tenant).await,
            Lent::Plans => self.plans(tenant).await,
            Lent::Releases => self.releases(tenant).await,
            Lent::Actions => self.actions(tenant).await.map(|rows| actions::batch(&rows)),
            Lent::Resources => self.resources(tenant).await,
            Lent::Savings => self.savings(tenant).await,
        }
    }

    async fn environments(&self, tenant: &TenantId) -> Result<Vec<String>, DeskError> {
        self.keep.names(tenant, Kind::Environment, "").await
    }

    async fn audit(&self, tenant: &TenantId) -> Result<Batch, DeskError> {
        let deeds = self.keep.deeds(tenant, None, AUDIT_KEPT as usize).await?;
        let row = |(n, deed): (i64, crate::keep::Deed<String>)| audit::AuditRow {
            audit_id: n.unsigned_abs(),
            time: deed.at,
            actor: deed.who,
            action: deed.what,
            subject: deed.subject,
            allowed_by: deed.allowed_by,
            detail: deed.detail,
        };
        Ok(audit::batch(&deeds.into_iter().map(row).collect::<Vec<_>>()))
    }

    async fn plans(&self, tenant: &TenantId) -> Result<Batch, DeskError> {
        let mut rows = Vec::new();
        for environment in self.environments(tenant).await? {
            // One at a time: a plan of thousands of resources is large, its row is not.
            for id in self.keep.names(tenant, Kind::Plan, &environment).await? {
                let kept: Option<PlanRow> = self.keep.get(tenant, Kind::Plan, &environment, &id).await?;
                rows.extend(kept.as_ref().map(plan));
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.created_time));
        Ok(plans::batch(&rows))
    }

    async fn releases(&self, tenant: &TenantId) -> Result<Batch, DeskError> {
        let mut rows = Vec::new();
        for environment in self.environments(tenant).await? {
            let room = self.keep.room(tenant, &environment).await?;
            for name in self.keep.names(tenant, Kind::Release, &environment).await? {
                let kept: Option<ReleaseRow> = self.keep.get(tenant, Kind::Release, &environment, &name).await?;
                let Some(kept) = kept else { continue };
                let id = kept.plan.to_string();
                let plan: Option<PlanRow> = self.keep.get(tenant, Kind::Plan, &environment, &id).await?;
                rows.push(release(&kept, &room, plan.as_ref(), self.time.now())?);
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.submitted_time));
        Ok(releases::batch(&rows))
    }

    async fn kept_actions(&self, tenant: &TenantId) -> Result<Vec<ActionRow>, DeskError> {
        let mut rows = Vec::new();
        for environment in self.environments(tenant).await? {
            let of: Vec<(String, ActionRow)> = self.keep.list(tenant, Kind::Action, &environment).await?;
            rows.extend(of.into_iter().map(|(_, row)| row));
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.acting.accepted.at));
        Ok(rows)
    }

    async fn actions(&self, tenant: &TenantId) -> Result<Vec<actions::ActionRow>, DeskError> {
        Ok(self.kept_actions(tenant).await?.iter().map(action).collect())
    }

    async fn resources(&self, tenant: &TenantId) -> Result<Batch, DeskError> {
        let owners = self.keep.owners(tenant).await?;
        let row = |(driver, of): (String, Sighting)| {
            let owner = owners.of(&(driver.clone(), of.kind.clone(), of.id.clone()));
            resources::ResourceRow {
                environment: owner.map(|(environment, _)| environment.clone()),
                resource_address: owner.map(|(_, address)| address.to_string()),
                kind: of.kind,
                resource_id: of.id,
                arn: some(&of.arn),
                name: some(&of.name),
                region: some(&of.region),
                tags: of.tags,
                fields: of.fields.to_string(),
                observed_time: Timestamp(of.at),
                driver,
            }
        };
        let rows: Vec<_> = self.keep.inventory(tenant).await?.into_iter().map(row).collect();
        Ok(resources::batch(&rows))
    }

    async fn savings(&self, tenant: &TenantId) -> Result<Batch, DeskError> {
        let rows: Vec<_> = self.kept_actions(tenant).await?.iter().map(saving).collect();
        Ok(savings::batch(&rows))
    }
}

fn plan(row: &PlanRow) -> plans::PlanRow {
    let of = &row.plan;
    let count = |action| of.count(action) as u64;
    let delta = of.delta.certain();
    plans::PlanRow {
        plan_id: of.id.to_string(),
        environment: of.environment.clone(),
        goal: match row.goal {
            GoalOf::Blueprint => "apply",
            GoalOf::Undo(_) => "undo",
            GoalOf::Destroy(_) => "destroy",
        }
        .to_owned(),
        parent_plan_id: of.parent.map(|p| p.to_string()),
        state_serial: of.serial,
        created_time: Timestamp(row.made),
        created_by: row.by.clone(),
        creates: count(Action::Create),
        updates: count(Action::Update),
        replaces: count(Action::Replace),
        deletes: count(Action::Delete),
        unchanged: of.unchanged.len() as u64,
        monthly_delta_low: delta.map(|d| d.low),
        monthly_delta: delta.map(|d| d.likely),
        monthly_delta_high: delta.map(|d| d.high),
        monthly_cost: likely(&of.monthly),
        unknown_costs: of.delta.unknown.len() as u64,
        currency: of.currency.0.clone(),
        findings: row.findings.len() as u64,
        summary: show::summary(of),
    }
}

fn release(
    row: &ReleaseRow,
    room: &Room,
    plan: Option<&PlanRow>,
    now: Timestamp,
) -> Result<releases::ReleaseRow, DeskError> {
    let entry = Desk::entry_of(room, row)?;
    let (state, reason) = show::stage(entry);
    let holds = match row.ended {
        Some(_) => Vec::new(),
        None => room.queue.0.holds(ReleaseId(row.id), now),
    };
    let holds: Vec<String> = holds.iter().map(ToString::to_string).collect();
    let votes = |is_yes| row.votes.iter().filter(|v| v.plan == row.plan && v.is_yes == is_yes).count() as u64;
    Ok(releases::ReleaseRow {
        release_id: release_name(&row.environment, row.id),
        environment: row.environment.clone(),
        number: row.id,
        kind: entry.release.kind.name().to_owned(),
        priority: show::priority(entry.release.priority).to_owned(),
        state: state.to_owned(),
        reason: some(&reason),
        hold_reason: some(&holds.join("; ")),
        plan_id: row.plan.to_string(),
        undo_plan_id: row.undo.map(|p| p.to_string()),
        recommendation_id: row.action.clone(),
        submitted_by: entry.release.by.clone(),
        approved_by: row.approved_by.clone(),
        votes_for: votes(true),
        votes_against: votes(false),
        note: row.note.clone(),
        submitted_time: entry.submitted,
        started_time: entry.started,
        applied_time: row.applied.map(Timestamp),
        ended_time: entry.ended,
        monthly_delta: plan.and_then(|p| likely(&p.plan.delta)),
        currency: plan.map(|p| p.plan.currency.0.clone()),
    })
}

/// When an action came into the stage that it is in.
fn since(acting: &Acting) -> Timestamp {
    acting.history.last().map_or(acting.accepted.at, |(at, _)| *at)
}

fn action(row: &ActionRow) -> actions::ActionRow {
    let (state, reason) = show::acting_stage(&row.acting.stage);
    let accepted = &row.acting.accepted;
    let priced = |pick: fn(&(String, String)) -> &String| row.priced.as_ref().and_then(|both| money(pick(both)));
    actions::ActionRow {
        recommendation_id: accepted.recommendation.clone(),
        environment: row.environment.clone(),
        resource_address: accepted.change.target.to_string(),
        resource_id: row.resource_id.clone(),
        title: row.title.clone(),
        field: accepted.change.path.to_string(),
        proposed: accepted.change.to.as_ref().map(ToString::to_string),
        state: state.to_owned(),
        reason: some(&reason),
        note: some(&row.note),
        accepted_by: accepted.by.clone(),
        accepted_time: accepted.at,
        state_time: since(&row.acting),
        release_id: row.release.map(|n| release_name(&row.environment, n)),
        undo_release_id: row.undo.map(|n| release_name(&row.environment, n)),
        risk: row.risk,
        predicted_saving_low: accepted.predicted.low,
        predicted_saving: accepted.predicted.likely,
        predicted_saving_high: accepted.predicted.high,
        monthly_cost_before: priced(|both| &both.0),
        monthly_cost_after: priced(|both| &both.1),
        currency: row.currency.clone(),
        read_back: row.read_back.clone(),
    }
}

fn saving(row: &ActionRow) -> savings::SavingRow {
    let accepted = &row.acting.accepted;
    let predicted = accepted.predicted;
    let realised = match &row.ledger {
        Some(entry) => entry.realised.clone(),
        None => row.acting.ledger(None).realised,
    };
    let (outcome, saved) = match realised {
        Realised::NotDone => ("under_way", None),
        Realised::NotBilledYet => ("not_billed_yet", None),
        Realised::Nothing(_) => ("not_kept", Some(Amount::ZERO)),
        Realised::Saved(amount) if amount < predicted.low => ("less", Some(amount)),
        Realised::Saved(amount) if amount > predicted.high => ("more", Some(amount)),
        Realised::Saved(amount) => ("as_predicted", Some(amount)),
    };
    savings::SavingRow {
        recommendation_id: accepted.recommendation.clone(),
        environment: row.environment.clone(),
        resource_address: accepted.change.target.to_string(),
        resource_id: row.resource_id.clone(),
        title: row.title.clone(),
        accepted_by: accepted.by.clone(),
        accepted_time: accepted.at,
        applied_time: match row.acting.stage {
            Stage::Kept { applied, .. } => Some(applied),
            _ => None,
        },
        outcome: outcome.to_owned(),
        predicted_saving_low: predicted.low,
        predicted_saving: predicted.likely,
        predicted_saving_high: predicted.high,
        realised_saving: saved,
        currency: row.currency.clone(),
    }
}
