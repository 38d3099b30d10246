//! Webhooks: made, changed, listed, deleted.

use std::sync::Arc;

use grid_model::{TenantId, Timestamp};
use grid_notify_policy::sign::SigningKey;
use sha2::{Digest as _, Sha256};

use super::{Notifier, State};
use crate::error::NotifyError;
use crate::keep::{Answer, Change};
use crate::limits::WEBHOOKS_MAX;
use crate::webhook::{Webhook, WebhookError, WebhookSetting};

impl Notifier {
    /// All webhooks of a tenant, by id.
    pub async fn webhooks(&self, tenant: &TenantId) -> Vec<Webhook> {
        let state = self.0.state.lock().await;
        state.tenants.get(tenant).map(|t| t.webhooks.values().cloned().collect()).unwrap_or_default()
    }

    /// One webhook.
    ///
    /// # Errors
    /// [`NotifyError::NotFound`]
    pub async fn webhook(&self, tenant: &TenantId, id: &str) -> Result<Webhook, NotifyError> {
        find(&*self.0.state.lock().await, tenant, id)
    }

    /// Makes a webhook, and answers it with its secret, which is shown this once: the one that was given, else one made here. `key` is
    /// the caller's `Idempotency-Key`: the same request twice makes one webhook, and the second answer holds no secret.
    ///
    /// # Errors
    /// [`NotifyError::Webhook`], [`NotifyError::KeyReused`], [`NotifyError::TooMany`], [`NotifyError::Database`].
    pub async fn add_webhook(
        &self,
        tenant: &TenantId,
        setting: WebhookSetting,
        secret: Option<&str>,
        author: &str,
        key: Option<&str>,
    ) -> Result<(Webhook, Option<String>), NotifyError> {
        let now = self.now();
        let signing = signing_key(secret)?;
        let id = key.map_or_else(random_id, |key| key_id(tenant, "webhook", key));
        let mut state = self.0.state.lock().await;
        let of = state.tenant(tenant, now)?;
        if let Some(made) = of.webhooks.get(&id) {
            return if made.setting == setting {
                Ok((made.clone(), None))
            } else {
                Err(NotifyError::KeyReused("webhook"))
            };
        }
        if of.webhooks.len() >= WEBHOOKS_MAX {
            return Err(NotifyError::TooMany { what: "webhooks", most: WEBHOOKS_MAX });
        }
        let webhook = Webhook::new(id, setting, &signing, author, self.0.sender.guard(), now)?;
        self.keep_webhook(&mut state, tenant, webhook.clone(), now).await?;
        Ok((webhook, Some(signing.reveal())))
    }

    /// Changes a webhook; if Grid had turned it off, it is as the setting says again.
    ///
    /// # Errors
    /// [`NotifyError::NotFound`], [`NotifyError::Webhook`], [`NotifyError::Database`].
    pub async fn change_webhook(
        &self,
        tenant: &TenantId,
        id: &str,
        setting: WebhookSetting,
        author: &str,
    ) -> Result<Webhook, NotifyError> {
        let now = self.now();
        let mut state = self.0.state.lock().await;
        let mut webhook = find(&state, tenant, id)?;
        webhook.change(setting, author, self.0.sender.guard(), now)?;
        self.keep_webhook(&mut state, tenant, webhook.clone(), now).await?;
        Ok(webhook)
    }

    /// Gives a webhook another secret and answers it, this once. For a day the former one signs as well.
    ///
    /// # Errors
    /// [`NotifyError::NotFound`], [`NotifyError::Webhook`], [`NotifyError::Database`].
    pub async fn rotate_webhook(
        &self,
        tenant: &TenantId,
        id: &str,
        secret: Option<&str>,
        author: &str,
    ) -> Result<(Webhook, String), NotifyError> {
        let now = self.now();
        let signing = signing_key(secret)?;
        let mut state = self.0.state.lock().await;
        let mut webhook = find(&state, tenant, id)?;
        webhook.rotate(&signing, author, now);
        self.keep_webhook(&mut state, tenant, webhook.clone(), now).await?;
        Ok((webhook, signing.reveal()))
    }

    /// Deletes a webhook. What waits for it is set aside.
    ///
    /// # Errors
    /// [`NotifyError::NotFound`], [`NotifyError::Database`].
    pub async fn delete_webhook(&self, tenant: &TenantId, id: &str) -> Result<(), NotifyError> {
        let now = self.now();
        let mut state = self.0.state.lock().await;
        let webhook = find(&state, tenant, id)?;
        self.write(vec![Change::ForgetWebhook(tenant.clone(), id.to_owned())]).await?;
        let file = Arc::clone(&state.file_plan);
        if let Some(of) = state.tenants.get_mut(tenant) {
            of.webhooks.remove(id);
            of.replan(&file, now);
        }
        let mut dead = Vec::new();
        for id in state.queue.drop_target(&webhook.target()) {
            state.owners.remove(&id);
            let answer = Answer { status: None, error: Some("its webhook was deleted".to_owned()) };
            dead.push(Change::Dead { id, attempts: 0, at: now, answer });
        }
        self.0.counters.dead.add(dead.len());
        self.write(dead).await
    }

    async fn keep_webhook(
        &self,
        state: &mut State,
        tenant: &TenantId,
        webhook: Webhook,
        now: Timestamp,
    ) -> Result<(), NotifyError> {
        self.write(vec![Change::Webhook(tenant.clone(), Box::new(webhook.clone()))]).await?;
        let file = Arc::clone(&state.file_plan);
        let of = state.tenant(tenant, now)?;
        of.webhooks.insert(webhook.id.clone(), webhook);
        of.replan(&file, now);
        self.0.wake.notify_one();
        Ok(())
    }
}

fn find(state: &State, tenant: &TenantId, id: &str) -> Result<Webhook, NotifyError> {
    let found = state.tenants.get(tenant).and_then(|t| t.webhooks.get(id)).cloned();
    found.ok_or_else(|| NotifyError::NotFound { what: "webhook", id: id.to_owned() })
}

/// The secret that was given, else a new one.
fn signing_key(secret: Option<&str>) -> Result<SigningKey, NotifyError> {
    let Some(text) = secret else { return Ok(SigningKey::of(rand::random())) };
    SigningKey::parse(text).map_err(|e| NotifyError::Webhook(WebhookError::Secret(e)))
}

/// 96 random bits in hex.
pub(super) fn random_id() -> String {
    hex::encode(rand::random::<[u8; 12]>())
}

/// The id of whatever a request with this key makes: the same request makes the same thing.
pub(super) fn key_id(tenant: &TenantId, what: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    for part in [tenant.as_str(), what, key] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize()).chars().take(24).collect()
}
