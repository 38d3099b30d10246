//! Who is told of alerts.

use std::collections::BTreeMap;

use grid_model::{TenantId, Timestamp};
use tracing::info;

/// Whether an alert goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertStatus {
    /// It fires.
    Firing,
    /// It ended.
    Resolved,
}

impl AlertStatus {
    /// As receivers of Alertmanager read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert as it is told. Its labels say which it is: the same alert is told again while it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its labels, `alertname` among them.
    pub labels: BTreeMap<String, String>,
    /// Texts for people.
    pub annotations: BTreeMap<String, String>,
    /// When it began to fire.
    pub starts_at: Timestamp,
    /// When it ended; of one that fires, until when it does so if nothing more is heard of it.
    pub ends_at: Timestamp,
    /// Where its expression can be looked at.
    pub generator_url: String,
    /// Whether it goes on.
    pub status: AlertStatus,
}

/// Takes alerts. Called on the path of evaluations: it must only hand over and return.
pub trait AlertSink: Send + Sync {
    /// Takes alerts of a tenant that fire or ended.
    fn send(&self, tenant: &TenantId, alerts: Vec<Alert>);
}

/// Writes alerts to the log, and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogSink;

impl AlertSink for LogSink {
    fn send(&self, tenant: &TenantId, alerts: Vec<Alert>) {
        for alert in alerts {
            let name = alert.labels.get("alertname").map_or("", String::as_str);
            info!(%tenant, alert = name, status = alert.status.as_str(), labels = ?alert.labels, "alert");
        }
    }
}
