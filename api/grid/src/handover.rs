//! From rules to people: alerts wait in a bounded queue, so that evaluations never wait for the database of notifications. What finds no room
//! is told of again by the rules while it lasts.

use grid_insight::rules::{Alert as Fired, AlertSink, AlertStatus};
use grid_model::TenantId;
use grid_notify::{Alert, Notifier};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Batches of alerts that wait; one is what one evaluation of one rule has to tell.
const WAITING_MAX: usize = 4096;
/// How often a batch that the database refused is offered again before it is left to the rules' next turn.
const ATTEMPTS: u32 = 5;

/// Takes alerts from the rules.
pub(crate) struct Handover(Sender<(TenantId, Vec<Alert>)>);

/// The other end: hands alerts to the notifier.
pub(crate) struct Carrier(Receiver<(TenantId, Vec<Alert>)>);

/// Both ends of a queue.
pub(crate) fn handover() -> (Handover, Carrier) {
    let (sender, receiver) = channel(WAITING_MAX);
    (Handover(sender), Carrier(receiver))
}

fn told(alert: Fired) -> Alert {
    Alert {
        labels: alert.labels,
        annotations: alert.annotations,
        starts_at: alert.starts_at,
        ends_at: Some(alert.ends_at),
        generator_url: alert.generator_url,
    }
}

impl AlertSink for Handover {
    fn send(&self, tenant: &TenantId, alerts: Vec<Fired>) {
        for alert in &alerts {
            let name = alert.labels.get("alertname").map_or("", String::as_str);
            let status = match alert.status {
                AlertStatus::Firing => "firing",
                AlertStatus::Resolved => "resolved",
            };
            info!(%tenant, alert = name, status, since = alert.starts_at.0, "alert");
        }
        let batch = alerts.into_iter().map(told).collect();
        if self.0.try_send((tenant.clone(), batch)).is_err() {
            warn!(%tenant, "too many alerts wait for the database of notifications; rules tell of them again while they last");
        }
    }
}

impl Carrier {
    /// Carries alerts until the token is cancelled and the queue is empty.
    pub(crate) async fn run(mut self, notifier: Notifier, token: CancellationToken) -> anyhow::Result<()> {
        loop {
            let next = tokio::select! {
                biased;
                next = self.0.recv() => next,
                () = token.cancelled() => return Ok(()),
            };
            let Some((tenant, alerts)) = next else { return Ok(()) };
            deliver(&notifier, &tenant, alerts).await;
        }
    }
}

async fn deliver(notifier: &Notifier, tenant: &TenantId, alerts: Vec<Alert>) {
    let mut pause = std::time::Duration::from_millis(50);
    for attempt in 1..=ATTEMPTS {
        match notifier.take(tenant, alerts.clone()).await {
            Ok(taken) => {
                for refused in taken.refused {
                    warn!(%tenant, ?refused, "an alert of a rule was not taken");
                }
                return;
            }
            Err(error) if attempt == ATTEMPTS => {
                warn!(%tenant, %error, "alerts were not taken; rules tell of them again while they last");
            }
            Err(_) => {
                tokio::time::sleep(pause).await;
                pause *= 4;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use grid_model::Timestamp;

    use super::*;

    #[test]
    fn an_alert_keeps_its_end() {
        let fired = Fired {
            labels: [("alertname".to_owned(), "Down".to_owned())].into(),
            annotations: Default::default(),
            starts_at: Timestamp(5),
            ends_at: Timestamp(9),
            generator_url: "http://grid/graph".to_owned(),
            status: AlertStatus::Resolved,
        };
        let told = told(fired);
        assert_eq!((told.starts_at, told.ends_at), (Timestamp(5), Some(Timestamp(9))));
        assert_eq!(told.labels["alertname"], "Down");
    }
}
