//! Silences: listed, made, changed, ended.

use grid_model::TenantId;
use grid_notify_policy::limits::SILENCES_MAX;
use grid_notify_policy::{Silence, SilenceState};

use super::Notifier;
use super::webhooks::{key_id, random_id};
use crate::error::NotifyError;
use crate::keep::Change;

impl Notifier {
    /// All silences of a tenant with their states: what holds first, then what will, then what did; of each the newest first.
    pub async fn silences(&self, tenant: &TenantId) -> Vec<(Silence, SilenceState)> {
        let now = self.now();
        let state = self.0.state.lock().await;
        let all = state.tenants.get(tenant).into_iter().flat_map(|t| t.desk.silences.values());
        let mut found: Vec<(Silence, SilenceState)> = all.map(|s| (s.clone(), s.state(now))).collect();
        let order = |state: SilenceState| match state {
            SilenceState::Active => 0,
            SilenceState::Pending => 1,
            SilenceState::Expired => 2,
        };
        found.sort_by(|(a, of_a), (b, of_b)| {
            (order(*of_a), b.updated_at, &a.id).cmp(&(order(*of_b), a.updated_at, &b.id))
        });
        found
    }

    /// One silence.
    ///
    /// # Errors
    /// [`NotifyError::NotFound`]
    pub async fn silence(&self, tenant: &TenantId, id: &str) -> Result<(Silence, SilenceState), NotifyError> {
        let now = self.now();
        let state = self.0.state.lock().await;
        let found = state.tenants.get(tenant).and_then(|t| t.desk.silences.get(id));
        found.map(|s| (s.clone(), s.state(now))).ok_or_else(|| not_found(id))
    }

    /// Makes a silence, or with an id changes one: in place if what was promised stays on record, else the old one ends and another
    /// begins, as in Alertmanager. `key` is the caller's `Idempotency-Key`: the same request twice makes one silence.
    ///
    /// # Errors
    /// [`NotifyError::Silence`], [`NotifyError::NotFound`] for an id that is not there, [`NotifyError::KeyReused`],
    /// [`NotifyError::TooMany`], [`NotifyError::Database`].
    pub async fn put_silence(
        &self,
        tenant: &TenantId,
        mut silence: Silence,
        key: Option<&str>,
    ) -> Result<Silence, NotifyError> {
        let now = self.now();
        silence.updated_at = now;
        let mut state = self.0.state.lock().await;
        let of = state.tenant(tenant, now)?;
        let mut changes = Vec::new();
        let mut ended = None;
        if silence.id.is_empty() {
            if let Some(key) = key {
                silence.id = key_id(tenant, "silence", key);
                if let Some(made) = of.desk.silences.get(&silence.id) {
                    let same = made.matchers == silence.matchers
                        && made.created_by == silence.created_by
                        && made.comment == silence.comment;
                    return if same { Ok(made.clone()) } else { Err(NotifyError::KeyReused("silence")) };
                }
            } else {
                silence.id = random_id();
            }
            silence.starts_at = silence.starts_at.max(now);
        } else {
            let old = of.desk.silences.get(&silence.id).ok_or_else(|| not_found(&silence.id))?;
            if !old.may_become(&silence, now) {
                let mut old = old.clone();
                if old.expire(now) {
                    changes.push(Change::Silence(tenant.clone(), Box::new(old.clone())));
                    ended = Some(old);
                }
                silence.id = random_id();
                silence.starts_at = silence.starts_at.max(now);
            }
        }
        silence.check(now)?;
        if !of.desk.silences.contains_key(&silence.id) && of.desk.silences.len() >= SILENCES_MAX {
            return Err(NotifyError::TooMany { what: "silences", most: SILENCES_MAX });
        }
        changes.push(Change::Silence(tenant.clone(), Box::new(silence.clone())));
        self.write(changes).await?;
        let of = state.tenant(tenant, now)?;
        of.desk.silences.extend(ended.into_iter().chain([silence.clone()]).map(|s| (s.id.clone(), s)));
        Ok(silence)
    }

    /// Ends a silence now; it stays on record.
    ///
    /// # Errors
    /// [`NotifyError::NotFound`], [`NotifyError::Database`]
    pub async fn expire_silence(&self, tenant: &TenantId, id: &str) -> Result<(), NotifyError> {
        let now = self.now();
        let mut state = self.0.state.lock().await;
        let found = state.tenants.get_mut(tenant).and_then(|t| t.desk.silences.get_mut(id));
        let silence = found.ok_or_else(|| not_found(id))?;
        let mut ended = silence.clone();
        if ended.expire(now) {
            self.write(vec![Change::Silence(tenant.clone(), Box::new(ended.clone()))]).await?;
            *silence = ended;
        }
        Ok(())
    }
}

fn not_found(id: &str) -> NotifyError {
    NotifyError::NotFound { what: "silence", id: id.to_owned() }
}
