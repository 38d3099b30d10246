//! What people may ask: which alerts there are and why nobody hears of them, which receivers there are and how they do.

use std::collections::BTreeMap;

use grid_model::{TenantId, Timestamp};
use grid_notify_policy::inhibit::Inhibitor;
use grid_notify_policy::{Fingerprint, Held, Silence};

use super::Notifier;
use crate::error::NotifyError;
use crate::relay;

/// An alert, and who is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertView {
    /// The alert.
    pub alert: Held,
    /// Its identity.
    pub fingerprint: Fingerprint,
    /// Whether it is over.
    pub resolved: bool,
    /// Silences that hold for it.
    pub silenced_by: Vec<String>,
    /// Whether another alert inhibits it.
    pub inhibited: bool,
    /// Names of the receivers to whom its routes lead.
    pub receivers: Vec<String>,
}

/// A receiver, and how it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverView {
    /// Its name.
    pub name: String,
    /// What names it in deliveries.
    pub target: String,
    /// `webhook`, `slack`, `msteamsv2`, `pagerduty`, `email` or `alertmanager`.
    pub kind: &'static str,
    /// Whether it is told of resolved alerts.
    pub send_resolved: bool,
    /// Messages that wait or are under way.
    pub waiting: usize,
    /// Dead letters.
    pub dead: usize,
    /// Whether the last attempt failed.
    pub failing: bool,
    /// The last error of an Alertmanager.
    pub error: Option<String>,
    /// When an Alertmanager last took alerts.
    pub taken_at: Option<Timestamp>,
}

impl Notifier {
    /// The alerts of a tenant, by their labels.
    pub async fn alerts(&self, tenant: &TenantId) -> Vec<AlertView> {
        let now = self.now();
        let state = self.0.state.lock().await;
        let Some(of) = state.tenants.get(tenant) else { return Vec::new() };
        let silences: Vec<&Silence> = of.desk.active_silences(now).collect();
        let inhibitor = Inhibitor::new(&of.plan.inhibit, of.desk.alerts.values(), now);
        let mut found: Vec<AlertView> = Vec::with_capacity(of.desk.alerts.len());
        for (fingerprint, alert) in &of.desk.alerts {
            let silences = silences.iter().filter(|s| s.silences(&alert.labels, now));
            let routes = of.plan.routes_of(&alert.labels);
            let names = routes.iter().map(|r| of.plan.receivers.get(&r.receiver).map_or(&r.receiver, |r| &r.name));
            let mut receivers: Vec<String> = names.cloned().collect();
            receivers.dedup();
            found.push(AlertView {
                alert: alert.clone(),
                fingerprint: *fingerprint,
                resolved: alert.resolved_at(now),
                silenced_by: silences.map(|s| s.id.clone()).collect(),
                inhibited: inhibitor.mutes(&alert.labels),
                receivers,
            });
        }
        found.sort_by(|a, b| a.alert.labels.cmp(&b.alert.labels));
        found
    }

    /// All receivers that a tenant's alerts may reach.
    ///
    /// # Errors
    /// [`NotifyError::Database`]
    pub async fn receivers(&self, tenant: &TenantId) -> Result<Vec<ReceiverView>, NotifyError> {
        let dead: BTreeMap<String, i64> = self.0.keep.dead_by_target(tenant).await?.into_iter().collect();
        let state = self.0.state.lock().await;
        let plan = state.tenants.get(tenant).map_or(&state.file_plan, |t| &t.plan);
        let mut found = Vec::new();
        for receiver in plan.receivers.values() {
            for way in &receiver.integrations {
                let (waiting, failing) = state.queue.of_target(&way.target);
                found.push(ReceiverView {
                    name: receiver.name.clone(),
                    target: way.target.clone(),
                    kind: way.channel.kind(),
                    send_resolved: way.send_resolved,
                    waiting,
                    dead: dead.get(&way.target).map_or(0, |n| usize::try_from(*n).unwrap_or(0)),
                    failing,
                    error: None,
                    taken_at: None,
                });
            }
        }
        for (url, state) in self.0.options.alertmanagers.iter().zip(self.0.relays.lock().iter()) {
            found.push(ReceiverView {
                name: relay::shown(url),
                target: format!("alertmanager/{}", relay::shown(url)),
                kind: "alertmanager",
                send_resolved: true,
                waiting: 0,
                dead: 0,
                failing: state.error.is_some(),
                error: state.error.clone(),
                taken_at: state.taken_at,
            });
        }
        found.sort_by(|a, b| a.target.cmp(&b.target));
        Ok(found)
    }

    /// What the configuration holds that has no effect here.
    pub async fn ignored(&self) -> Vec<String> {
        self.0.state.lock().await.config.ignored.clone()
    }
}
