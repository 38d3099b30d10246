//! Plans: made, kept, shown, looked at a second time; what has drifted, and what can be taken over.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::TenantId;
use grid_plan::adopt::import_blocks;
use grid_plan::drift::drift;
use grid_plan::lint::{Bounds, Finding, lint};
use grid_plan::plan::{Plan, plan};
use grid_plan::state::{Observed, State};
use grid_plan::{Address, PlanId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{By, Desk};
use crate::checks;
use crate::error::DeskError;
use crate::keep::{Batch, Kind};
use crate::limits::PLANS_KEPT;
use crate::room::{FindingRow, GoalOf, PlanRow, Room};
use crate::show;

/// A plan that is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanWish {
    /// Of which environment.
    pub environment: String,
    /// Only these resources, and what has to be made for them.
    #[serde(default)]
    pub only: Vec<String>,
    /// The plan that is taken back instead.
    #[serde(default)]
    pub undo: Option<String>,
    /// The environment's name: a plan to destroy it.
    #[serde(default)]
    pub destroy: Option<String>,
}

/// The second opinion on a plan.
pub(crate) fn findings(plan: &Plan, room: &Room, kinds: &grid_plan::kinds::Kinds) -> Vec<Finding> {
    let bounds =
        Bounds { budget: room.environment.budget, is_protected: room.environment.is_protected, ..Bounds::default() };
    let environment = json!({
        "name": room.name(),
        "cloud": room.about.cloud,
        "region": room.about.region,
        "protected": room.environment.is_protected,
    });
    let mut found = lint(plan, kinds, &bounds);
    found.extend(checks::judge(&room.about.checks, plan, &environment));
    found.sort_by_key(|f| std::cmp::Reverse(f.severity));
    found
}

fn rows(findings: &[Finding]) -> Vec<FindingRow> {
    let of = |f: &Finding| FindingRow {
        severity: f.severity.name().to_owned(),
        code: f.code.to_string(),
        address: f.address.as_ref().map(ToString::to_string),
        text: f.text.clone(),
    };
    findings.iter().map(of).collect()
}

impl Desk {
    /// Makes a plan of what is wanted now. Nothing is kept.
    pub(crate) async fn draw(
        &self,
        tenant: &TenantId,
        room: &Room,
        by: &str,
        goal: GoalOf,
        scope: Option<BTreeSet<Address>>,
    ) -> Result<PlanRow, DeskError> {
        let parent = match &goal {
            GoalOf::Undo(id) => Some(self.plan_row(tenant, room.name(), &id.to_string()).await?.plan),
            GoalOf::Blueprint | GoalOf::Destroy(_) => None,
        };
        let bench = self.bench(tenant, room, &[]).await?;
        let (this, room, by, now) = (self.clone(), room.clone(), by.to_owned(), self.now());
        // A large plan takes a while: not on a thread that answers others.
        let made = tokio::task::spawn_blocking(move || {
            let inputs = this.inputs(&room, &bench, &goal, parent.as_ref(), scope.as_ref())?;
            let made = plan(&inputs).map_err(|e| DeskError::bad(&e))?;
            let findings = rows(&findings(&made, &room, &this.0.kinds));
            Ok(PlanRow { plan: made, goal, scope, made: now.0, by, findings })
        });
        made.await.map_err(|_| DeskError::Closed)?
    }

    /// Whether a plan is still what its inputs make; which have changed if not.
    pub(crate) async fn stale(
        &self,
        tenant: &TenantId,
        room: &Room,
        row: &PlanRow,
    ) -> Result<Option<String>, DeskError> {
        let parent = match &row.goal {
            GoalOf::Undo(id) => Some(self.plan_row(tenant, room.name(), &id.to_string()).await?.plan),
            GoalOf::Blueprint | GoalOf::Destroy(_) => None,
        };
        let bench = self.bench(tenant, room, &[]).await?;
        let inputs = self.inputs(room, &bench, &row.goal, parent.as_ref(), row.scope.as_ref())?;
        Ok(row.plan.current(&inputs).err().map(|stale| stale.to_string()))
    }

    /// Keeps a plan; the oldest that no open release needs go.
    pub(crate) async fn keep_plan(&self, tenant: &TenantId, batch: &mut Batch, row: &PlanRow) -> Result<(), DeskError> {
        let environment = &row.plan.environment;
        batch.put(Kind::Plan, environment, &row.plan.id.to_string(), row)?;
        let names = self.0.keep.names(tenant, Kind::Plan, environment).await?;
        if names.len() >= PLANS_KEPT {
            let mut all: Vec<(String, PlanRow)> = self.0.keep.list(tenant, Kind::Plan, environment).await?;
            let releases: Vec<(String, crate::room::ReleaseRow)> =
                self.0.keep.list(tenant, Kind::Release, environment).await?;
            let needed: BTreeSet<PlanId> =
                releases.iter().flat_map(|(_, r)| [Some(r.plan), r.undo]).flatten().chain(row.plan.parent).collect();
            all.retain(|(_, p)| !needed.contains(&p.plan.id));
            all.sort_by_key(|(_, p)| p.made);
            for (name, _) in all.iter().take(names.len() + 1 - PLANS_KEPT) {
                batch.delete(Kind::Plan, environment, name);
            }
        }
        Ok(())
    }

    /// Makes a plan and keeps it.
    pub async fn plan(&self, tenant: &TenantId, by: &By, wish: PlanWish) -> Result<Value, DeskError> {
        let _held = self.0.lock.lock().await;
        let room = self.room(tenant, &wish.environment).await?;
        let goal = match (&wish.undo, wish.destroy) {
            (Some(_), Some(_)) => {
                return Err(DeskError::Bad("a plan takes another back, or destroys: not both".to_owned()));
            }
            (Some(id), None) => GoalOf::Undo(self.plan_of(tenant, id).await?.plan.id),
            (None, Some(name)) => GoalOf::Destroy(name),
            (None, None) => GoalOf::Blueprint,
        };
        let only = wish.only.iter().map(|a| Address::parse(a).map_err(|e| DeskError::bad(&e)));
        let only = only.collect::<Result<BTreeSet<_>, _>>()?;
        let row = self.draw(tenant, &room, &by.who, goal, (!only.is_empty()).then_some(only)).await?;
        let mut batch = Batch::of(tenant);
        self.keep_plan(tenant, &mut batch, &row).await?;
        self.deed(&mut batch, by, "plan.make", &row.plan.id.to_string(), &show::summary(&row.plan));
        self.0.keep.write(batch).await?;
        Ok(show::plan(&row, Some(true)))
    }

    /// A plan by its id, or by as much of its beginning as names it.
    pub(crate) async fn plan_of(&self, tenant: &TenantId, id: &str) -> Result<PlanRow, DeskError> {
        let found = if id.len() < 4 { None } else { self.0.keep.owner_of(tenant, Kind::Plan, id).await? };
        let (environment, id) = found.ok_or_else(|| DeskError::none("plan", id))?;
        self.plan_row(tenant, &environment, &id).await
    }

    /// Plans, the youngest first.
    pub async fn plans(&self, tenant: &TenantId, environment: Option<&str>) -> Result<Vec<Value>, DeskError> {
        let names = match environment {
            Some(name) => vec![self.room(tenant, name).await?.environment.name],
            None => self.0.keep.names(tenant, Kind::Environment, "").await?,
        };
        let mut all: Vec<PlanRow> = Vec::new();
        for name in names {
            let of: Vec<(String, PlanRow)> = self.0.keep.list(tenant, Kind::Plan, &name).await?;
            all.extend(of.into_iter().map(|(_, row)| row));
        }
        all.sort_by_key(|row| std::cmp::Reverse((row.made, row.plan.id)));
        Ok(all.iter().map(|row| show::plan(row, None)).collect())
    }

    /// One plan: in a list's form, as JSON of Terraform's format 1.2 and more, as text, or as a graph.
    pub async fn plan_shown(&self, tenant: &TenantId, id: &str, form: &str) -> Result<Value, DeskError> {
        let row = self.plan_of(tenant, id).await?;
        let room = self.room(tenant, &row.plan.environment).await?;
        let found = findings(&row.plan, &room, &self.0.kinds);
        match form {
            "summary" => {
                let stale = self.stale(tenant, &room, &row).await?;
                let mut shown = show::plan(&row, Some(stale.is_none()));
                shown["stale"] = json!(stale);
                Ok(shown)
            }
            "json" => Ok(grid_plan::show::json(&row.plan, &self.0.kinds, &found)),
            "table" => Ok(Value::String(grid_plan::show::table(&row.plan, &found))),
            "graph" => Ok(Value::String(grid_plan::show::dot(&row.plan))),
            other => Err(DeskError::Bad(format!("{other:?} is none of summary, json, table, graph"))),
        }
    }

    /// Looks at a plan a second time.
    pub async fn lint(&self, tenant: &TenantId, id: &str) -> Result<Value, DeskError> {
        let row = self.plan_of(tenant, id).await?;
        let room = self.room(tenant, &row.plan.environment).await?;
        Ok(json!(rows(&findings(&row.plan, &room, &self.0.kinds))))
    }

    /// Reads what is there, from the driver.
    async fn observe(&self, tenant: &TenantId, room: &Room) -> Result<State, DeskError> {
        let driver = self.driver(tenant, room)?;
        let mut there = State { resources: BTreeMap::new(), ..room.state.clone() };
        for (address, known) in &room.state.resources {
            let read = driver.read(address, &known.id).await;
            if let Some(now) = read.map_err(|e| DeskError::Driver(format!("{address}: {e}")))? {
                let now = Observed { managed: known.managed.clone(), needs: known.needs.clone(), ..now };
                there.resources.insert(address.clone(), now);
            }
        }
        Ok(there)
    }

    /// What has moved away from what was last known, by risk and money. With `accept` what is there becomes what is known: the next plan sets it right.
    pub async fn drift(&self, tenant: &TenantId, name: &str, by: &By, accept: bool) -> Result<Vec<Value>, DeskError> {
        let room = self.room(tenant, name).await?;
        let there = self.observe(tenant, &room).await?;
        let bench = self.bench(tenant, &room, &[]).await?;
        let found = drift(&room.state, &there, &self.0.kinds, &bench.prices);
        if accept && !found.is_empty() {
            let _held = self.0.lock.lock().await;
            let mut room = self.room(tenant, name).await?;
            room.free()?;
            let expected = there.serial;
            let changes: Vec<_> =
                found.iter().map(|d| (d.address.clone(), there.resources.get(&d.address).cloned())).collect();
            room.state.commit("drift", expected, changes).map_err(|e| DeskError::Conflict(e.to_string()))?;
            let mut batch = Batch::of(tenant);
            self.save(&mut batch, &room)?;
            self.deed(&mut batch, by, "drift.accept", name, &format!("{} resources", found.len()));
            self.0.keep.write(batch).await?;
        }
        Ok(found.iter().map(show::drift).collect())
    }

    /// Takes over what is there under ids of the cloud, into resources that are wanted; with `import` blocks for Terraform.
    pub async fn import(
        &self,
        tenant: &TenantId,
        name: &str,
        by: &By,
        ids: &BTreeMap<String, String>,
    ) -> Result<Value, DeskError> {
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, name).await?;
        room.free()?;
        let wanted = self.wanted(&room)?;
        let driver = self.driver(tenant, &room)?;
        let mut found: BTreeMap<Address, Observed> = BTreeMap::new();
        for (text, id) in ids {
            let address = Address::parse(text).map_err(|e| DeskError::bad(&e))?;
            let Some(of) = wanted.0.get(&address) else {
                return Err(DeskError::Bad(format!("{address} is not in the blueprint: describe it first")));
            };
            let read = driver.import(&address, id).await.map_err(|e| DeskError::Driver(format!("{address}: {e}")))?;
            let managed = of.fields.iter().map(|(p, _)| p.clone()).collect();
            found.insert(address, Observed { managed, needs: of.needs.clone(), ..read });
        }
        let adopted = grid_plan::adopt::Adopted {
            state: State { resources: found.clone(), ..State::default() },
            ..grid_plan::adopt::Adopted::default()
        };
        let serial = room.state.serial;
        let changes: Vec<_> = found.into_iter().map(|(a, o)| (a, Some(o))).collect();
        let count = changes.len();
        room.state.commit(&by.who, serial, changes).map_err(|e| DeskError::Conflict(e.to_string()))?;
        let mut batch = Batch::of(tenant);
        self.save(&mut batch, &room)?;
        self.deed(&mut batch, by, "resource.import", name, &format!("{count} resources"));
        self.0.keep.write(batch).await?;
        let row = self.draw(tenant, &room, &by.who, GoalOf::Blueprint, None).await?;
        Ok(json!({ "imported": count, "blocks": import_blocks(&adopted), "plan": show::plan(&row, Some(true)) }))
    }
}
