//! Other Alertmanagers: each is sent all alerts, ungrouped, again and again until they are over, as Prometheus sends them. What
//! counts is the present state, so there is no queue: whoever was away is sent what holds when it is back.

use std::collections::BTreeMap;

use grid_model::Timestamp;
use grid_model::time::{MINUTE_NS, SECOND_NS};

use crate::alert::{Fingerprint, Held};
use crate::limits::RESOLVED_KEPT_NS;

/// How often an alert is sent again (Prometheus' `--rules.alert.resend-delay`).
pub const RESEND_NS: i64 = MINUTE_NS;
/// For how long an Alertmanager may believe in an alert that is not sent again.
pub const VALID_NS: i64 = 4 * RESEND_NS;
/// Alerts of one request.
pub const BATCH: usize = 256;
/// How long to wait after a failure, doubled up to [`RESEND_NS`].
pub const RETRY_NS: i64 = SECOND_NS;

/// What one Alertmanager was sent of one tenant's alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relay {
    sent: BTreeMap<Fingerprint, Sent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    at: Timestamp,
    resolved: bool,
    starts_at: Timestamp,
}

impl Relay {
    /// What is to be sent now: what it has not heard of in this state, and what it was told long ago. At most [`BATCH`].
    pub fn due<'a>(&self, alerts: &'a BTreeMap<Fingerprint, Held>, now: Timestamp) -> Vec<&'a Held> {
        let wanted = alerts.iter().filter(|(id, alert)| {
            let resolved = alert.resolved_at(now);
            if resolved && alert.ends_at.saturating_add(RESOLVED_KEPT_NS) < now {
                return false;
            }
            self.sent.get(id).is_none_or(|sent| {
                sent.resolved != resolved
                    || sent.starts_at != alert.starts_at
                    || sent.at.saturating_add(RESEND_NS) <= now
            })
        });
        wanted.take(BATCH).map(|(_, alert)| alert).collect()
    }

    /// Remembers what was taken.
    pub fn sent(&mut self, alerts: &[Held], now: Timestamp) {
        for alert in alerts {
            let sent = Sent { at: now, resolved: alert.resolved_at(now), starts_at: alert.starts_at };
            self.sent.insert(alert.fingerprint(), sent);
        }
    }

    /// Forgets what the desk has forgotten.
    pub fn keep_only(&mut self, alerts: &BTreeMap<Fingerprint, Held>) {
        self.sent.retain(|id, _| alerts.contains_key(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::LabelSet;

    #[test]
    fn alerts_are_sent_until_they_are_over_and_a_little_longer() {
        let alert = |name: &str, ends: i64| Held {
            labels: LabelSet::from([("alertname".to_owned(), name.to_owned())]),
            annotations: LabelSet::new(),
            generator_url: String::new(),
            starts_at: Timestamp(0),
            ends_at: Timestamp(ends),
            timeout: false,
            updated_at: Timestamp(0),
            settled: false,
        };
        let held = |ends: i64| BTreeMap::from([(alert("A", ends).fingerprint(), alert("A", ends))]);
        let mut relay = Relay::default();
        // (now and end of the alert in minutes, whether it is sent)
        for (now, ends, expected) in [
            (0, 100, true),
            (0, 100, false),
            (1, 100, true),
            (1, 1, true),
            (1, 1, false),
            (2, 1, true),
            (16, 1, true),
            (17, 1, false),
        ] {
            let now = Timestamp(now * MINUTE_NS);
            let alerts = held(ends * MINUTE_NS);
            let due: Vec<Held> = relay.due(&alerts, now).into_iter().cloned().collect();
            assert_eq!(!due.is_empty(), expected, "{now} {ends}");
            relay.sent(&due, now);
        }
        relay.keep_only(&BTreeMap::new());
        assert_eq!(relay, Relay::default());
    }
}
