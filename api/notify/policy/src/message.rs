//! A message to one receiver about one group: the data of Alertmanager's webhook, version 4, from which every shape is made.

use grid_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::{Held, LabelSet};
use crate::limits::ALERTS_PER_MESSAGE_MAX;
use crate::log::Reason;
use crate::route::group_key;

/// The end of an alert that fires, as Go writes its zero time.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// Whether something is still the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is.
    Firing,
    /// It is over.
    Resolved,
}

impl Status {
    /// In lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// The body of Alertmanager's webhook, in the order of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The receiver's name.
    pub receiver: String,
    /// Firing if any of the alerts is.
    pub status: Status,
    /// The alerts.
    pub alerts: Vec<MessageAlert>,
    /// Why it is told.
    #[serde(rename = "notification_reason", default)]
    pub reason: Reason,
    /// Labels by which they are grouped.
    pub group_labels: LabelSet,
    /// Labels that all have.
    pub common_labels: LabelSet,
    /// Annotations that all have.
    pub common_annotations: LabelSet,
    /// Where this server is.
    #[serde(rename = "externalURL")]
    pub external_url: String,
    /// "4".
    pub version: String,
    /// What names the group.
    pub group_key: String,
    /// How many alerts were left out.
    pub truncated_alerts: u64,
}

/// One alert of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageAlert {
    /// Whether it fires.
    pub status: Status,
    /// Its labels.
    pub labels: LabelSet,
    /// Its annotations.
    pub annotations: LabelSet,
    /// Since when.
    pub starts_at: String,
    /// Until when; `0001-01-01T00:00:00Z` while it fires.
    pub ends_at: String,
    /// Where it was found.
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
    /// Its identity.
    pub fingerprint: String,
}

/// RFC 3339 as Go writes it: without needless zeros.
pub fn rfc3339(time: Timestamp) -> String {
    let text = time.to_string();
    let text = text.trim_end_matches('Z');
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    format!("{text}Z")
}

impl MessageAlert {
    /// One alert as it stands at a time.
    pub fn of(alert: &Held, now: Timestamp) -> Self {
        let resolved = alert.resolved_at(now);
        Self {
            status: if resolved { Status::Resolved } else { Status::Firing },
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            starts_at: rfc3339(alert.starts_at),
            ends_at: if resolved { rfc3339(alert.ends_at) } else { NO_END.to_owned() },
            generator_url: alert.generator_url.clone(),
            fingerprint: alert.fingerprint().to_string(),
        }
    }
}

impl Message {
    /// About the alerts of a group, which must not be none.
    pub fn new(
        receiver: &str,
        route_key: &str,
        group_labels: &LabelSet,
        alerts: &[&Held],
        external_url: &str,
        max_alerts: usize,
        now: Timestamp,
    ) -> Self {
        let firing = alerts.iter().any(|a| !a.resolved_at(now));
        let bound = if max_alerts == 0 { ALERTS_PER_MESSAGE_MAX } else { max_alerts.min(ALERTS_PER_MESSAGE_MAX) };
        let kept = alerts.get(..bound).unwrap_or(alerts);
        Self {
            receiver: receiver.to_owned(),
            status: if firing { Status::Firing } else { Status::Resolved },
            alerts: kept.iter().map(|a| MessageAlert::of(a, now)).collect(),
            reason: Reason::Unknown,
            group_labels: group_labels.clone(),
            // Of those that are in the message, as Alertmanager does.
            common_labels: common(kept.iter().map(|a| &a.labels)),
            common_annotations: common(kept.iter().map(|a| &a.annotations)),
            external_url: external_url.to_owned(),
            version: "4".to_owned(),
            group_key: group_key(route_key, group_labels),
            truncated_alerts: (alerts.len() - kept.len()) as u64,
        }
    }

    /// Alerts of one status.
    pub fn of_status(&self, status: Status) -> impl Iterator<Item = &MessageAlert> {
        self.alerts.iter().filter(move |a| a.status == status)
    }

    /// One line, as Alertmanager's default subject: `[FIRING:2] HighLatency api (eu critical)`.
    pub fn headline(&self) -> String {
        let mut line = match self.status {
            Status::Firing => {
                format!("[FIRING:{}]", self.of_status(Status::Firing).count() as u64 + self.truncated_alerts)
            }
            Status::Resolved => "[RESOLVED]".to_owned(),
        };
        for value in sorted_values(&self.group_labels) {
            line.push(' ');
            line.push_str(value);
        }
        let mut others = self.common_labels.clone();
        others.retain(|name, _| !self.group_labels.contains_key(name));
        if !others.is_empty() {
            line.push_str(&format!(" ({})", sorted_values(&others).join(" ")));
        }
        line
    }
}

/// Values in order of name, the alert's name first.
fn sorted_values(labels: &LabelSet) -> Vec<&str> {
    let name = labels.get("alertname").into_iter();
    name.chain(labels.iter().filter(|(n, _)| *n != "alertname").map(|(_, v)| v)).map(String::as_str).collect()
}

fn common<'a>(mut sets: impl Iterator<Item = &'a LabelSet>) -> LabelSet {
    let mut common = sets.next().cloned().unwrap_or_default();
    for set in sets {
        common.retain(|name, value| set.get(name) == Some(value));
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_no_needless_zeros() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_500_000_000, "1970-01-01T00:00:01.5Z"),
            (1_764_547_200_123_456_789, "2025-12-01T00:00:00.123456789Z"),
            (10_000_000_000, "1970-01-01T00:00:10Z"),
        ] {
            assert_eq!(rfc3339(Timestamp(ns)), text);
        }
    }

    #[test]
    fn messages_are_bounded_and_say_so() {
        let held = |i: usize, ends: i64| Held {
            labels: [("alertname", "A".to_owned()), ("i", i.to_string())].map(|(n, v)| (n.to_owned(), v)).into(),
            annotations: LabelSet::new(),
            generator_url: String::new(),
            starts_at: Timestamp(0),
            ends_at: Timestamp(ends),
            timeout: false,
            updated_at: Timestamp(0),
            settled: false,
        };
        let alerts: Vec<Held> = (0..ALERTS_PER_MESSAGE_MAX + 5).map(|i| held(i, 100)).collect();
        let alerts: Vec<&Held> = alerts.iter().collect();
        let group = LabelSet::from([("alertname".to_owned(), "A".to_owned())]);
        for (max, kept) in [(0, ALERTS_PER_MESSAGE_MAX), (3, 3), (usize::MAX, ALERTS_PER_MESSAGE_MAX)] {
            let message = Message::new("r", "{}", &group, &alerts, "", max, Timestamp(50));
            assert_eq!((message.alerts.len(), message.truncated_alerts as usize), (kept, alerts.len() - kept));
            assert_eq!(message.common_labels["alertname"], "A");
            assert_eq!(message.headline(), format!("[FIRING:{}] A", alerts.len()));
        }
        assert_eq!(Message::new("r", "{}", &group, &alerts, "", 0, Timestamp(100)).headline(), "[RESOLVED] A");
    }
}
