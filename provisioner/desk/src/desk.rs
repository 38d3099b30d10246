//! The desk: one door to all that is kept. Every change goes through one lock, is checked, written in one transaction and noted in the audit; what takes time
//! (queries, calls to a cloud) happens outside of the lock.
//!
//! Reading order: [`Desk`], `environments`, `plans`, `releases`, `work` (what goes on by itself), `life` (what sleeps, wakes and ends), `actions` (accepted
//! recommendations), `advice` (those that Grid accepts by itself), `survey` (what accounts have), `scaling`.

mod environments;
mod plans;
mod releases;
mod work;
mod actions;
mod advice;
mod life;
mod survey;
mod scaling;
pub(crate) mod heal;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use grid_act::Executor;
use grid_act::executor::Time;
use grid_model::{Currency, TenantId, Timestamp};
use grid_plan::environment::{Override, effective};
use grid_plan::kinds::Kinds;
use grid_plan::plan::{Goal, Inputs, Plan};
use grid_plan::queue::ReleaseId;
use grid_plan::{Address, Fields};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, broadcast};

use crate::dryrun::{DRY_RUN, DryRun};
use crate::error::DeskError;
use crate::inventory::Surveyor;
use crate::keep::{Audit, Batch, Deed, Keep, Kind};
use crate::limits::{EVENTS_MAX, KEY_BYTES_MAX};
use crate::outside::Outside;
use crate::price::TypePrices;
use crate::progress::Progress;
use crate::room::{GoalOf, Happened, PlanRow, ReleaseRow, Room};
use crate::tables::Tables;
use crate::workshop::{Site, Workshop};

pub(crate) use advice::HeldRow;
pub use environments::{CloneWish, New, PromoteWish, Written};
pub use plans::PlanWish;
pub use releases::Submission;
pub use scaling::{PolicyForm, SimulateForm, TriggerForm, play};
pub use survey::ResourceAsk;

/// Who asks, and by what right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub who: String,
    /// What allowed it: a scope, a policy.
    pub allowed: String,
}

impl By {
    /// Grid itself, by a rule of an environment.
    pub(crate) fn grid(rule: &str) -> Self {
        Self { who: "grid".to_owned(), allowed: rule.to_owned() }
    }
}

/// What the desk stands on.
pub struct Options {
    /// Queries, pages, prices, recommendations.
    pub outside: Arc<dyn Outside>,
    /// Drivers beside the dry-run driver, by name.
    pub executors: BTreeMap<String, Arc<dyn Executor>>,
    /// Drivers that keep something of each environment, by name.
    pub workshops: BTreeMap<String, Arc<dyn Workshop>>,
    /// Who looks at what an account has, by the driver's name.
    pub surveyors: BTreeMap<String, Arc<dyn Surveyor>>,
    /// Where time comes from.
    pub time: Arc<dyn Time>,
    /// Whether what was asked for is carried out before the answer: where no server goes on with it.
    pub inline: bool,
}

/// The desk. Cheap to clone; clones share.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    keep: Keep,
    tables: Tables,
    /// When bills were last asked for the saving of a change that is kept and not billed yet.
    billed_at: Mutex<BTreeMap<(TenantId, String), Timestamp>>,
    /// When a change that is watched was last read back.
    verified_at: Mutex<BTreeMap<(TenantId, String), Timestamp>>,
    /// When it was last looked whether a recommendation is to be accepted, by environment.
    advised_at: Mutex<BTreeMap<(TenantId, String), Timestamp>>,
    outside: Arc<dyn Outside>,
    executors: BTreeMap<String, Arc<dyn Executor>>,
    workshops: BTreeMap<String, Arc<dyn Workshop>>,
    surveyors: BTreeMap<String, Arc<dyn Surveyor>>,
    time: Arc<dyn Time>,
    inline: bool,
    /// One writer.
    lock: tokio::sync::Mutex<()>,
    /// What runs, and what it was asked to do at its next safe point.
    running: Mutex<BTreeMap<(TenantId, String, u64), Arc<AtomicU8>>>,
    /// Environments that somebody goes on with.
    busy: Mutex<BTreeSet<(TenantId, String)>>,
    wanted: Notify,
    kinds: Kinds,
}

/// What a plan of an environment is made with.
pub(crate) struct Bench {
    pub(crate) prices: TypePrices,
}

impl Desk {
    /// Opens or creates the database.
    pub async fn open(path: &Path, options: Options) -> Result<Self, DeskError> {
        let Options { outside, executors, workshops, surveyors, time, inline } = options;
        let keep = Keep::open(path).await?;
        Ok(Self(Arc::new(Inner {
            tables: Tables::open(path, Arc::clone(&time)).await?,
            keep,
            billed_at: Mutex::default(),
            verified_at: Mutex::default(),
            advised_at: Mutex::default(),
            outside,
            executors,
            workshops,
            surveyors,
            time,
            inline,
            lock: tokio::sync::Mutex::new(()),
            running: Mutex::default(),
            busy: Mutex::default(),
            wanted: Notify::new(),
            kinds: crate::kinds(),
        })))
    }

    /// What happens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Progress> {
        self.0.keep.listen()
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.0.time.now()
    }

    /// The drivers that there are.
    pub fn drivers(&self) -> Vec<String> {
        let others = self.0.executors.keys().chain(self.0.workshops.keys());
        std::iter::once(DRY_RUN.to_owned()).chain(others.cloned()).collect()
    }

    /// Comes back when something was asked for.
    pub async fn asked_for(&self) {
        self.0.wanted.notified().await;
    }

    /// Who did what, the newest first.
    pub async fn audit(&self, tenant: &TenantId, before: Option<i64>, limit: usize) -> Result<Vec<Audit>, DeskError> {
        self.0.keep.audit(tenant, before, limit).await
    }

    /// Writes a consistent copy of the database to a new file, and beside it what drivers keep of environments.
    pub async fn copy_to(&self, path: &Path) -> Result<(), DeskError> {
        self.0.keep.copy_to(path).await?;
        let Some(folder) = path.parent() else { return Ok(()) };
        for (name, workshop) in &self.0.workshops {
            workshop.copy_to(folder).await.map_err(|why| DeskError::Driver(format!("{name}: {why}")))?;
        }
        Ok(())
    }

    /// What is kept, as tables of SQL.
    pub fn tables(&self) -> Tables {
        self.0.tables.clone()
    }

    /// Ends well.
    pub async fn close(&self) {
        self.0.tables.close().await;
        self.0.keep.pool.close().await;
    }

    /// Does something once for a key: asked again with the same key and the same request, the first answer comes again.
    pub async fn once<F>(&self, tenant: &TenantId, key: Option<&str>, asked: &str, work: F) -> Result<Value, DeskError>
    where
        F: Future<Output = Result<Value, DeskError>>,
    {
        let Some(key) = key else { return work.await };
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(DeskError::Bad(format!("an idempotency key has 1 to {KEY_BYTES_MAX} bytes")));
        }
        let digest: String = Sha256::digest(asked.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        if let Some((known, body)) = self.0.keep.answer(tenant, key).await? {
            if known != digest {
                return Err(DeskError::Conflict(format!("the idempotency key {key:?} was used for another request")));
            }
            return serde_json::from_str(&body).map_err(|e| DeskError::Damaged(e.to_string()));
        }
        let answer = work.await?;
        self.0.keep.put_answer(tenant, key, &digest, &answer.to_string()).await?;
        Ok(answer)
    }

    /// After a change: goes on with an environment here and now, or lets the loop know.
    pub(crate) async fn go_on(&self, tenant: &TenantId, environment: &str) -> Result<(), DeskError> {
        if self.0.inline {
            Box::pin(self.advance(tenant, environment)).await?;
        } else {
            self.0.wanted.notify_one();
        }
        Ok(())
    }

    /// The driver of an environment.
    pub(crate) fn driver(&self, tenant: &TenantId, room: &Room) -> Result<Arc<dyn Executor>, DeskError> {
        if room.about.driver == DRY_RUN {
            return Ok(Arc::new(self.dry_run(tenant, room.name())));
        }
        if let Some(workshop) = self.0.workshops.get(&room.about.driver) {
            let wanted = self.wanted(room)?.0.into_iter().map(|(address, of)| (address, of.fields)).collect();
            let (tenant, environment) = (tenant.clone(), room.name().to_owned());
            let site = Site { tenant, environment, target: room.target(), wanted };
            return workshop.driver(site).map_err(DeskError::Bad);
        }
        let driver = self.0.executors.get(&room.about.driver).cloned();
        driver.ok_or_else(|| DeskError::none("driver", &room.about.driver))
    }

    /// Whether a driver keeps something of each environment.
    pub(crate) fn keeps_environments(&self, driver: &str) -> bool {
        self.0.workshops.contains_key(driver)
    }

    pub(crate) fn dry_run(&self, tenant: &TenantId, environment: &str) -> DryRun {
        DryRun { keep: self.0.keep.clone(), tenant: tenant.clone(), environment: environment.to_owned() }
    }

    /// An environment with its state and its queue.
    pub(crate) async fn room(&self, tenant: &TenantId, name: &str) -> Result<Room, DeskError> {
        self.0.keep.room(tenant, name).await
    }

    pub(crate) fn save(&self, batch: &mut Batch, room: &Room) -> Result<(), DeskError> {
        let name = room.name();
        batch.put(Kind::Environment, "", name, room)?;
        batch.put(Kind::State, "", name, &room.state)?;
        batch.put(Kind::Queue, "", name, &room.queue)
    }

    pub(crate) fn deed(&self, batch: &mut Batch, by: &By, what: &'static str, subject: &str, detail: &str) {
        batch.deed(Deed {
            at: self.now(),
            who: by.who.clone(),
            what,
            subject: subject.to_owned(),
            allowed_by: by.allowed.clone(),
            detail: detail.chars().take(500).collect(),
        });
    }

    /// Something happened to a release: it is written down with it, and then told to who listens.
    pub(crate) fn happened(&self, tenant: &TenantId, row: &mut ReleaseRow, what: &str, text: &str) {
        let now = self.now();
        if row.events.len() >= EVENTS_MAX {
            row.events.remove(0);
        }
        row.events.push(Happened { at: now.0, what: what.to_owned(), text: text.to_owned() });
        let name = crate::show::release_name(&row.environment, row.id);
        row.untold.push(Progress::new(tenant, &name, what, text, now));
    }

    /// What plans of an environment are made with. `more` are decisions that are not written down.
    pub(crate) async fn bench(&self, tenant: &TenantId, room: &Room, more: &[Override]) -> Result<Bench, DeskError> {
        let wanted = effective(&room.blueprint, &room.environment, more, &self.0.kinds).unwrap_or_default();
        let fields: BTreeMap<Address, Fields> = wanted.0.iter().map(|(a, w)| (a.clone(), w.fields.clone())).collect();
        // What is left out is priced by what it was.
        let mut all = fields.clone();
        for (address, resource) in &room.blueprint.resources {
            all.entry(address.clone()).or_insert_with(|| resource.fields.clone());
        }
        let prices = TypePrices::new(
            room.target(),
            Currency(room.about.currency.clone()),
            room.about.usage.as_deref(),
            room.about.prices.as_deref(),
            all,
        );
        let prices = prices.map_err(DeskError::Bad)?;
        let observed = room.state.resources.iter().map(|(a, o)| (a, &o.fields));
        let machines = prices.machines(fields.iter().chain(observed));
        let known = self.0.outside.machines(tenant, machines, &room.about.currency, self.now()).await;
        Ok(Bench { prices: prices.with(known.map_err(DeskError::Driver)?) })
    }

    /// The inputs of a plan. `parent` is the plan that is taken back.
    pub(crate) fn inputs<'a>(
        &'a self,
        room: &'a Room,
        bench: &'a Bench,
        goal: &'a GoalOf,
        parent: Option<&'a Plan>,
        scope: Option<&'a BTreeSet<Address>>,
    ) -> Result<Inputs<'a>, DeskError> {
        let goal = match (goal, parent) {
            (GoalOf::Blueprint, _) => {
                Goal::Blueprint { blueprint: &room.blueprint, environment: &room.environment, decisions: &[] }
            }
            (GoalOf::Undo(_), Some(parent)) => Goal::Undo(parent),
            (GoalOf::Undo(id), None) => return Err(DeskError::none("plan", &id.to_string())),
            (GoalOf::Destroy(confirmed), _) => Goal::Destroy { environment: &room.environment, confirmed },
        };
        Ok(Inputs { goal, state: &room.state, kinds: &self.0.kinds, prices: &bench.prices, scope })
    }

    pub(crate) async fn plan_row(&self, tenant: &TenantId, environment: &str, id: &str) -> Result<PlanRow, DeskError> {
        let row = self.0.keep.get(tenant, Kind::Plan, environment, id).await?;
        row.ok_or_else(|| DeskError::none("plan", id))
    }

    pub(crate) async fn release_row(
        &self,
        tenant: &TenantId,
        environment: &str,
        id: u64,
    ) -> Result<ReleaseRow, DeskError> {
        let row = self.0.keep.get(tenant, Kind::Release, environment, &row_name(id)).await?;
        row.ok_or_else(|| DeskError::none("release", &crate::show::release_name(environment, id)))
    }

    /// A release is kept; what happened to it is told once it is.
    pub(crate) fn put_release(batch: &mut Batch, row: &mut ReleaseRow) -> Result<(), DeskError> {
        batch.put(Kind::Release, &row.environment, &row_name(row.id), row)?;
        let mut untold = std::mem::take(&mut row.untold);
        if let Some(last) = untold.last_mut() {
            last.is_last = row.ended.is_some();
        }
        batch.tell(untold);
        Ok(())
    }

    /// Asks a run to do something at its next safe point.
    pub(crate) fn ask_run(&self, tenant: &TenantId, environment: &str, id: ReleaseId, wish: u8) {
        if let Some(asked) = self.0.running.lock().get(&(tenant.clone(), environment.to_owned(), id.0)) {
            asked.store(wish, Ordering::Relaxed);
        }
    }
}

/// A release's document: numbers sort as texts.
pub(crate) fn row_name(id: u64) -> String {
    format!("{id:08}")
}
