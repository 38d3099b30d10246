//! The loop: groups that are due become messages in the queue, messages that are due are sent, answers are written down.

use std::sync::Arc;
use std::time::Duration;

use grid_model::{TenantId, Timestamp};
use grid_notify_policy::queue::{Attempt, Outcome, Queued, Step};
use grid_notify_policy::{Due, Integration, LabelSet, Message, RetryPolicy};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Notifier, State, lane};
use crate::error::NotifyError;
use crate::keep::{Answer, Change, Delivery, DeliveryState, DeliveryWanted, NewDelivery};
use crate::limits::{DATABASE_PAUSE, IN_FLIGHT_MAX, SLEEP_MAX, UPKEEP_EVERY};
use crate::send::Sent;

/// An attempt that has ended.
struct Landed {
    attempt: Attempt,
    sent: Sent,
}

/// How a test delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Whether the receiver has it.
    pub delivered: bool,
    /// The status of its answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// The header `webhook-id` that was sent.
    pub message_id: String,
}

/// What became of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// How many wait anew.
    pub queued: usize,
}

pub(super) async fn run(notifier: &Notifier, token: &CancellationToken) {
    let mut flights: JoinSet<Landed> = JoinSet::new();
    let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
    loop {
        let pause = match notifier.step(&mut flights).await {
            Ok(pause) => pause,
            Err(e) => {
                error!(error = %crate::send::chain(&e), "failed to write what is to be told; trying again");
                DATABASE_PAUSE
            }
        };
        tokio::select! {
            () = token.cancelled() => break,
            () = notifier.0.wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
            Some(landed) = flights.join_next(), if !flights.is_empty() => {
                let mut all: Vec<Landed> = landed.into_iter().collect();
                // Whatever else has ended by now shares the transaction.
                while let Some(landed) = flights.try_join_next() {
                    all.extend(landed);
                }
                notifier.landed(all).await;
            }
            _ = upkeep.tick() => {
                if let Err(e) = notifier.forget_old().await {
                    warn!(error = %crate::send::chain(&e), "could not forget what is old; trying again in a minute");
                }
            }
        }
    }
    flights.shutdown().await;
}

impl Notifier {
    /// Does what is due; for how long nothing else will be.
    async fn step(&self, flights: &mut JoinSet<Landed>) -> Result<Duration, NotifyError> {
        let now = self.now();
        let mut state = self.0.state.lock().await;
        let ready: Vec<TenantId> = state
            .tenants
            .iter()
            .filter(|(_, t)| t.desk.next_due().is_some_and(|d| d <= now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in ready {
            self.flush(&mut state, &name, now).await?;
        }
        let room = IN_FLIGHT_MAX.saturating_sub(flights.len());
        for attempt in state.queue.take(now, room) {
            let of = state.owners.get(&attempt.id).cloned();
            let way = of.and_then(|tenant| state.integration(&tenant, &attempt.target, now));
            flights.spawn(fly(self.clone(), attempt, way));
        }
        let groups = state.tenants.values().filter_map(|t| t.desk.next_due()).min();
        let next = groups.into_iter().chain(state.queue.next_due().filter(|_| room > 0)).min();
        let pause =
            next.map_or(SLEEP_MAX, |next| Duration::from_nanos(next.0.saturating_sub(now.0).max(0).unsigned_abs()));
        Ok(pause.clamp(Duration::from_millis(1), SLEEP_MAX))
    }

    /// Turns one tenant's groups that are due into messages in the queue.
    async fn flush(&self, state: &mut State, name: &TenantId, now: Timestamp) -> Result<(), NotifyError> {
        let Some(tenant) = state.tenants.get(name) else { return Ok(()) };
        let due = tenant.desk.due(&tenant.plan, &self.0.options.external_url, now);
        let mut news = Vec::with_capacity(due.messages.len());
        for out in &due.messages {
            state.last_id += 1;
            news.push(NewDelivery {
                id: state.last_id,
                tenant: name.clone(),
                target: out.target.clone(),
                group: out.group.clone(),
                message_id: message_id(),
                // Texts and numbers always have a JSON.
                message: serde_json::to_string(&out.message).unwrap_or_default(),
                created: now,
            });
        }
        let mut changes = changes_of(name, &due);
        changes.extend(news.iter().map(|new| Change::Queue(Box::new(new.clone()))));
        self.write(changes).await?;
        self.0.counters.messages.add(news.len());
        if let Some(tenant) = state.tenants.get_mut(name) {
            tenant.desk.told(due);
        }
        let mut displaced = Vec::new();
        for new in news {
            let delivery = Queued { id: new.id, created: now, attempts: 0, next: now };
            displaced.extend(state.queue.push(&new.target, &lane(name, &new.group), delivery));
            state.owners.insert(new.id, name.clone());
        }
        self.displaced(state, displaced, now).await
    }

    /// Sets aside what a full queue has put out.
    async fn displaced(&self, state: &mut State, ids: Vec<i64>, now: Timestamp) -> Result<(), NotifyError> {
        self.0.counters.displaced.add(ids.len());
        let mut changes = Vec::with_capacity(ids.len());
        for id in ids {
            state.owners.remove(&id);
            let answer = Answer { status: None, error: Some("too many messages waited for the receiver".to_owned()) };
            changes.push(Change::Dead { id, attempts: 0, at: now, answer });
        }
        self.write(changes).await
    }

    /// Writes down how attempts ended.
    async fn landed(&self, all: Vec<Landed>) {
        let now = self.now();
        let mut state = self.0.state.lock().await;
        let policy: &RetryPolicy = &self.0.options.retry;
        let mut steps = Vec::with_capacity(all.len());
        let mut changes = Vec::with_capacity(all.len());
        for Landed { attempt, sent } in all {
            let step = state.queue.judge(&attempt, sent.outcome, policy, now);
            let id = attempt.id;
            changes.push(match step {
                Step::Delivered => {
                    Change::Delivered { id, attempts: attempt.attempts + 1, at: now, answer: sent.answer.clone() }
                }
                Step::Again { next, attempts } => Change::Again { id, attempts, next, answer: sent.answer.clone() },
                Step::Dead { attempts, .. } => Change::Dead { id, attempts, at: now, answer: sent.answer.clone() },
            });
            steps.push((attempt, sent, step));
        }
        if let Err(e) = self.write(changes).await {
            error!(error = %crate::send::chain(&e), "failed to write how deliveries ended; they are made again");
            for (attempt, ..) in steps {
                let failed = Outcome::Failed { retry_after_ns: None };
                let step = state.queue.judge(&attempt, failed, policy, now);
                state.queue.apply(&attempt, failed, step, now);
            }
            return;
        }
        for (attempt, sent, step) in steps {
            self.tell(&attempt, &sent, step);
            if !matches!(step, Step::Again { .. }) {
                let owner = state.owners.remove(&attempt.id);
                if let (true, Some(owner)) = (sent.gone, owner) {
                    self.turn_off(&mut state, &owner, &attempt.target, now).await;
                }
            }
            state.queue.apply(&attempt, sent.outcome, step, now);
        }
    }

    fn tell(&self, attempt: &Attempt, sent: &Sent, step: Step) {
        let (target, group, id) = (&attempt.target, attempt.group.escape_debug().to_string(), attempt.id);
        let error = sent.answer.error.as_deref().unwrap_or_default();
        match step {
            Step::Delivered => {
                self.0.counters.delivered.add(1);
                info!(target, group, id, attempts = attempt.attempts + 1, "alerts delivered");
            }
            Step::Again { attempts, .. } => {
                self.0.counters.failed.add(1);
                warn!(target, group, id, attempts, error, "alerts not delivered; trying again");
            }
            Step::Dead { attempts, why } => {
                self.0.counters.dead.add(1);
                error!(
                    target,
                    group, id, attempts, error, why, "alerts given up: a dead letter, to be replayed by the API"
                );
            }
        }
    }

    /// A receiver that answers 410 asks never to be called again (Standard Webhooks).
    async fn turn_off(&self, state: &mut State, owner: &TenantId, target: &str, now: Timestamp) {
        let file = Arc::clone(&state.file_plan);
        let Some(tenant) = state.tenants.get_mut(owner) else { return };
        let Some(webhook) = target.strip_prefix("webhook/").and_then(|id| tenant.webhooks.get_mut(id)) else { return };
        let mut off = webhook.clone();
        off.disable("the receiver answered 410: gone", now);
        if self.write(vec![Change::Webhook(owner.clone(), Box::new(off.clone()))]).await.is_ok() {
            warn!(target, tenant = %owner, "the receiver is gone for good: its webhook is turned off");
            *webhook = off;
            tenant.replan(&file, now);
        }
    }

    /// Forgets what is old, and notes that senders could be heard until now.
    async fn forget_old(&self) -> Result<(), NotifyError> {
        let now = self.now();
        let mut state = self.0.state.lock().await;
        let mut changes = vec![Change::Listened(now), Change::Trim(now)];
        let stale: Vec<(TenantId, Due)> =
            state.tenants.iter().map(|(n, t)| (n.clone(), t.desk.stale(&t.plan, now))).collect();
        for (name, due) in &stale {
            changes.extend(changes_of(name, due));
        }
        self.write(changes).await?;
        for (name, due) in stale {
            if let Some(tenant) = state.tenants.get_mut(&name) {
                tenant.desk.told(due);
            }
        }
        state.tenants.retain(|_, t| t.desk != Default::default() || !t.webhooks.is_empty());
        Ok(())
    }

    /// Deliveries of a tenant, the newest first: at most `limit`.
    ///
    /// # Errors
    /// [`NotifyError::Database`]
    pub async fn deliveries(
        &self,
        tenant: &TenantId,
        wanted: &DeliveryWanted,
        limit: usize,
    ) -> Result<Vec<Delivery>, NotifyError> {
        self.0.keep.deliveries(tenant, wanted, limit).await
    }

    /// One delivery.
    ///
    /// # Errors
    /// [`NotifyError::NotFound`], [`NotifyError::Database`]
    pub async fn delivery(&self, tenant: &TenantId, id: i64) -> Result<Delivery, NotifyError> {
        let found = self.0.keep.delivery(Some(tenant), id).await?;
        found.ok_or_else(|| NotifyError::NotFound { what: "delivery", id: id.to_string() })
    }

    /// Puts dead letters back into the queue: one, or all of a target, or all, oldest first. They come after what waits already.
    ///
    /// # Errors
    /// [`NotifyError::NotFound`] for one that is no dead letter; [`NotifyError::Database`].
    pub async fn replay(
        &self,
        tenant: &TenantId,
        id: Option<i64>,
        target: Option<&str>,
    ) -> Result<Replayed, NotifyError> {
        let now = self.now();
        let mut letters = match id {
            Some(id) => {
                let letter = self.delivery(tenant, id).await?;
                if letter.state != DeliveryState::Dead {
                    return Err(NotifyError::NotFound { what: "dead letter", id: id.to_string() });
                }
                vec![letter]
            }
            None => {
                let wanted = DeliveryWanted {
                    target: target.map(str::to_owned),
                    state: Some(DeliveryState::Dead),
                    before: None,
                };
                self.0.keep.deliveries(tenant, &wanted, grid_notify_policy::limits::QUEUE_PER_TARGET_MAX).await?
            }
        };
        letters.sort_by_key(|letter| letter.id);
        let mut state = self.0.state.lock().await;
        // Whoever asks twice at once gets them once.
        letters.retain(|letter| !state.owners.contains_key(&letter.id));
        self.write(letters.iter().map(|letter| Change::Replay { id: letter.id, now }).collect()).await?;
        let mut displaced = Vec::new();
        for letter in &letters {
            let delivery = Queued { id: letter.id, created: now, attempts: 0, next: now };
            displaced.extend(state.queue.push(&letter.target, &lane(tenant, &letter.group), delivery));
            state.owners.insert(letter.id, tenant.clone());
        }
        self.displaced(&mut state, displaced, now).await?;
        self.0.counters.replayed.add(letters.len());
        drop(state);
        self.0.wake.notify_one();
        Ok(Replayed { queued: letters.len() })
    }

    /// Sends a made-up alert to a webhook, once and now, past the queue.
    ///
    /// # Errors
    /// [`NotifyError::NotFound`]
    pub async fn test_webhook(&self, tenant: &TenantId, id: &str) -> Result<Tried, NotifyError> {
        let now = self.now();
        let webhook = self.webhook(tenant, id).await?;
        let labels: LabelSet =
            [("alertname", "GridTest"), ("severity", "info")].map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        let alert = grid_notify_policy::Held {
            labels: labels.clone(),
            annotations: LabelSet::from([("summary".to_owned(), "A test: nothing is the matter.".to_owned())]),
            generator_url: self.0.options.external_url.clone(),
            starts_at: now,
            ends_at: Timestamp::MAX,
            timeout: false,
            updated_at: now,
            settled: false,
        };
        let name = &webhook.setting.name;
        let message = Message::new(name, "{test}", &labels, &[&alert], &self.0.options.external_url, 0, now);
        let message_id = message_id();
        let sent = self.0.sender.send(&webhook.integration(now).channel, &message, &message_id, now).await;
        let Answer { status, error } = sent.answer;
        Ok(Tried { delivered: sent.outcome == Outcome::Delivered, status, error, message_id })
    }
}

/// What is remembered of what is told and forgotten.
fn changes_of(name: &TenantId, due: &Due) -> Vec<Change> {
    let tenant = || name.clone();
    let mut changes: Vec<Change> = due.log.iter().map(|entry| Change::Log(tenant(), Box::new(entry.clone()))).collect();
    changes.extend(due.settled.iter().map(|id| Change::Settle(tenant(), *id)));
    changes.extend(due.forget.iter().map(|id| Change::ForgetAlert(tenant(), *id)));
    changes.extend(due.forget_log.iter().map(|key| Change::ForgetLog(tenant(), Box::new(key.clone()))));
    changes.extend(due.forget_silences.iter().map(|id| Change::ForgetSilence(tenant(), id.clone())));
    changes
}

/// One attempt.
async fn fly(notifier: Notifier, attempt: Attempt, way: Option<Integration>) -> Landed {
    let sent = match way {
        None => Sent::refused(None, "its receiver is not in the configuration any more"),
        Some(way) => match notifier.0.keep.delivery(None, attempt.id).await {
            Ok(Some(delivery)) => match serde_json::from_str::<Message>(&delivery.message) {
                Ok(message) => {
                    notifier.0.sender.send(&way.channel, &message, &delivery.message_id, notifier.now()).await
                }
                Err(e) => Sent::refused(None, format!("the message cannot be read: {e}")),
            },
            Ok(None) => Sent::refused(None, "the message is gone"),
            Err(e) => Sent::failed(None, crate::send::chain(&e)),
        },
    };
    Landed { attempt, sent }
}

/// 128 random bits: a receiver tells repetitions by it, so it must be like no other.
fn message_id() -> String {
    format!("msg_{}", hex::encode(rand::random::<[u8; 16]>()))
}
