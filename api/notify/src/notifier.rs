//! The notifier: one desk for each tenant, one queue for all, and whoever may ask them something.

mod ask;
mod deliver;
mod silences;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use grid_model::{TenantId, Timestamp};
use grid_notify_policy::relay::Relay;
use grid_notify_policy::route::Plan;
use grid_notify_policy::{Alert, AlertError, Config, Desk, Held, Integration, Queue, RetryPolicy};
use reqwest::Url;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::address::AddressGuard;
use crate::error::NotifyError;
use crate::keep::{Change, Keep};
use crate::limits::{ALERTS_PER_TAKE_MAX, TENANTS_MAX};
use crate::metrics::{Counters, Figures};
use crate::relay::{self, RelayState};
use crate::send::Sender;
use crate::webhook::{Webhook, plan_with};

pub use ask::{AlertView, ReceiverView};
pub use deliver::{Replayed, Tried};

/// Something that answers the current time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How notifications are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// This server's address, for links in messages.
    pub external_url: String,
    /// Longest time of one attempt.
    pub attempt_timeout: Duration,
    /// How long to wait between attempts, and when to give up.
    pub retry: RetryPolicy,
    /// Which addresses webhooks of the API may have.
    pub guard: AddressGuard,
    /// Alertmanagers that are sent all alerts; see [`relay::endpoint`].
    pub alertmanagers: Vec<Url>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            external_url: String::new(),
            attempt_timeout: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            guard: AddressGuard::default(),
            alertmanagers: Vec::new(),
        }
    }
}

/// Takes alerts and tells people. Cheap to clone; clones share.
#[derive(Clone)]
pub struct Notifier(Arc<Shared>);

struct Shared {
    keep: Keep,
    sender: Sender,
    options: Options,
    clock: Clock,
    state: Mutex<State>,
    wake: Notify,
    counters: Counters,
    relays: parking_lot::Mutex<Vec<RelayState>>,
    gauges: parking_lot::Mutex<Vec<(&'static str, &'static str, u64)>>,
}

/// What changes, always after the database has.
struct State {
    config: Arc<Config>,
    file_plan: Arc<Plan>,
    tenants: BTreeMap<TenantId, Tenant>,
    queue: Queue,
    /// Deliveries that wait, by id: whose they are.
    owners: BTreeMap<i64, TenantId>,
    last_id: i64,
}

#[derive(Default)]
struct Tenant {
    desk: Desk,
    webhooks: BTreeMap<String, Webhook>,
    plan: Arc<Plan>,
}

/// What became of alerts that were sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// How many are held now.
    pub accepted: usize,
    /// Which were refused, by their place, and why.
    pub refused: Vec<(usize, AlertError)>,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}

impl Notifier {
    /// Opens the database and goes on where the last run ended. Nothing is sent before [`Self::run`].
    ///
    /// # Errors
    /// [`NotifyError::Database`] and [`NotifyError::Corrupt`]; [`NotifyError::Closed`] if the TLS library does not start.
    pub async fn open(path: &Path, config: Config, options: Options, clock: Clock) -> Result<Self, NotifyError> {
        let keep = Keep::open(path).await?;
        let mut loaded = keep.load().await?;
        let now = clock();
        let file_plan = Arc::new(config.plan.clone());
        let (mut queue, mut owners) = (Queue::default(), BTreeMap::new());
        let mut lost = Vec::new();
        for (tenant, target, group, delivery) in loaded.queued {
            lost.extend(queue.push(&target, &lane(&tenant, &group), delivery));
            owners.insert(delivery.id, tenant);
        }
        for id in lost {
            owners.remove(&id);
        }
        let mut tenants = BTreeMap::new();
        let names: BTreeSet<TenantId> = loaded.desks.keys().chain(loaded.webhooks.keys()).cloned().collect();
        for name in names {
            let mut desk = loaded.desks.remove(&name).unwrap_or_default();
            let webhooks = loaded.webhooks.remove(&name).unwrap_or_default();
            let plan = plan_with(&file_plan, webhooks.values(), now);
            for alert in desk.alerts.values_mut() {
                alert.after_silence(loaded.listened, plan.resolve_timeout_ns, now);
            }
            desk.regroup(&plan, now);
            tenants.insert(name, Tenant { desk, webhooks, plan });
        }
        let sender = Sender::new(options.guard.clone(), options.attempt_timeout).map_err(|_| NotifyError::Closed)?;
        let relays = parking_lot::Mutex::new(vec![RelayState::default(); options.alertmanagers.len()]);
        let state = State { config: Arc::new(config), file_plan, tenants, queue, owners, last_id: loaded.last_id };
        Ok(Self(Arc::new(Shared {
            keep,
            sender,
            options,
            clock,
            state: Mutex::new(state),
            wake: Notify::new(),
            counters: Counters::default(),
            relays,
            gauges: parking_lot::Mutex::default(),
        })))
    }

    /// Takes alerts of a tenant: those that fire, and those that are over. They are durable when this returns; people are told as
    /// their routes say. An alert that fires is to be sent again within `resolve_timeout`, or before its `ends_at`.
    ///
    /// # Errors
    /// [`NotifyError::Database`]: nothing was taken, send them again. [`NotifyError::TooMany`]: too many tenants, or alerts at once.
    pub async fn take(&self, tenant: &TenantId, alerts: Vec<Alert>) -> Result<Taken, NotifyError> {
        if alerts.len() > ALERTS_PER_TAKE_MAX {
            return Err(NotifyError::TooMany { what: "alerts in one request", most: ALERTS_PER_TAKE_MAX });
        }
        let now = self.now();
        let mut state = self.0.state.lock().await;
        let of = state.tenant(tenant, now)?;
        let admitted = of.desk.admit(&of.plan, alerts, now);
        let mut changes: Vec<Change> =
            admitted.held.iter().map(|a| Change::Alert(tenant.clone(), Box::new(a.clone()))).collect();
        changes.push(Change::Listened(now));
        self.write(changes).await?;
        let taken = Taken { accepted: admitted.held.len(), refused: admitted.refused };
        let of = state.tenant(tenant, now)?;
        let plan = Arc::clone(&of.plan);
        of.desk.insert(&plan, admitted.held, now);
        drop(state);
        self.0.counters.alerts_taken.add(taken.accepted);
        self.0.counters.alerts_refused.add(taken.refused.len());
        self.0.wake.notify_one();
        Ok(taken)
    }

    /// Puts another configuration into force. What was told stays told; groups of routes that stay keep their pace.
    pub async fn configure(&self, config: Config) {
        let now = self.now();
        let mut state = self.0.state.lock().await;
        state.file_plan = Arc::new(config.plan.clone());
        state.config = Arc::new(config);
        let file = Arc::clone(&state.file_plan);
        for tenant in state.tenants.values_mut() {
            tenant.replan(&file, now);
        }
        drop(state);
        self.0.wake.notify_one();
    }

    /// Groups, tells and tries again until the token is cancelled. What is under way then is tried again after the next start.
    pub async fn run(&self, token: CancellationToken) {
        let mut relays = tokio::task::JoinSet::new();
        for (place, url) in self.0.options.alertmanagers.iter().enumerate() {
            relays.spawn(relay::run(self.clone(), place, url.clone(), token.clone()));
        }
        deliver::run(self, &token).await;
        relays.shutdown().await;
        self.0.keep.close().await;
    }

    /// What `/metrics` shows. Nobody waits for it: while something else is being done, the gauges are those of before.
    pub fn figures(&self) -> Figures {
        let counters = self.0.counters.figures();
        let Ok(state) = self.0.state.try_lock() else {
            return Figures { counters, gauges: self.0.gauges.lock().clone() };
        };
        let sum = |of: &dyn Fn(&Tenant) -> usize| state.tenants.values().map(of).sum::<usize>() as u64;
        let gauges = vec![
            ("grid_notify_queue_length", "Messages that wait or are under way.", state.queue.len() as u64),
            (
                "grid_notify_alerts",
                "Alerts held, resolved ones included until they are forgotten.",
                sum(&|t| t.desk.alerts.len()),
            ),
            ("grid_notify_groups", "Groups of alerts.", sum(&|t| t.desk.groups().count())),
            (
                "grid_notify_silences",
                "Silences, expired ones included until they are forgotten.",
                sum(&|t| t.desk.silences.len()),
            ),
            ("grid_notify_webhooks", "Webhooks made by the API.", sum(&|t| t.webhooks.len())),
        ];
        self.0.gauges.lock().clone_from(&gauges);
        Figures { counters, gauges }
    }

    /// Writes a consistent copy of the database to a new file, for backups.
    ///
    /// # Errors
    /// [`NotifyError::Database`]
    pub async fn copy_to(&self, path: &Path) -> Result<(), NotifyError> {
        self.0.keep.copy_to(path).await
    }

    /// Closes the database of a notifier that does not run; [`Self::run`] closes it by itself.
    pub async fn close(&self) {
        self.0.keep.close().await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.0.sender
    }

    async fn write(&self, changes: Vec<Change>) -> Result<(), NotifyError> {
        let done = self.0.keep.write(changes).await;
        if done.is_err() {
            self.0.counters.database_failures.add(1);
        }
        done
    }

    /// What one Alertmanager has not heard yet, by tenant.
    pub(crate) async fn relay_due(
        &self,
        known: &mut BTreeMap<TenantId, Relay>,
        now: Timestamp,
    ) -> Vec<(TenantId, Vec<Held>)> {
        let state = self.0.state.lock().await;
        known.retain(|tenant, _| state.tenants.contains_key(tenant));
        let mut due = Vec::new();
        for (name, tenant) in &state.tenants {
            let relay = known.entry(name.clone()).or_default();
            relay.keep_only(&tenant.desk.alerts);
            let alerts: Vec<Held> = relay.due(&tenant.desk.alerts, now).into_iter().cloned().collect();
            if !alerts.is_empty() {
                due.push((name.clone(), alerts));
            }
        }
        due
    }

    pub(crate) fn relayed(&self, place: usize, alerts: usize, now: Timestamp) {
        self.0.counters.relayed.add(alerts);
        if let Some(state) = self.0.relays.lock().get_mut(place) {
            *state = RelayState { taken_at: Some(now), error: None };
        }
    }

    pub(crate) fn relay_failed(&self, place: usize, error: String) {
        self.0.counters.relay_failures.add(1);
        if let Some(state) = self.0.relays.lock().get_mut(place) {
            state.error = Some(error);
        }
    }
}

impl State {
    /// A tenant, made if there is none.
    fn tenant(&mut self, name: &TenantId, now: Timestamp) -> Result<&mut Tenant, NotifyError> {
        if !self.tenants.contains_key(name) && self.tenants.len() >= TENANTS_MAX {
            return Err(NotifyError::TooMany { what: "tenants with alerts", most: TENANTS_MAX });
        }
        let file = &self.file_plan;
        Ok(self
            .tenants
            .entry(name.clone())
            .or_insert_with(|| Tenant { plan: plan_with(file, std::iter::empty(), now), ..Tenant::default() }))
    }

    /// How a target is told, if it is still there.
    fn integration(&self, tenant: &TenantId, target: &str, now: Timestamp) -> Option<Integration> {
        let of = self.tenants.get(tenant)?;
        if let Some(id) = target.strip_prefix("webhook/") {
            // Its plan may be older than its secrets; and what was queued before it was turned off waits for it.
            return of.webhooks.get(id).map(|webhook| webhook.integration(now));
        }
        of.plan.receivers.values().flat_map(|r| &r.integrations).find(|way| way.target == target).cloned()
    }
}

impl Tenant {
    /// Follows changed routes.
    fn replan(&mut self, file: &Arc<Plan>, now: Timestamp) {
        self.plan = plan_with(file, self.webhooks.values(), now);
        let plan = Arc::clone(&self.plan);
        self.desk.regroup(&plan, now);
    }
}

/// What keeps its order in the queue: one tenant's group.
fn lane(tenant: &TenantId, group: &str) -> String {
    format!("{tenant}\n{group}")
}

#[cfg(test)]
mod tests;
