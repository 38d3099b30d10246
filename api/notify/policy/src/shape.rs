//! The words of each kind of receiver: one file per shape, each a function from a message to a body.

pub mod webhook;
pub mod slack;
pub mod teams;
pub mod pagerduty;
pub mod email;
pub mod alertmanager;

use crate::limits::ALERTS_SHOWN_MAX;
use crate::message::{Message, MessageAlert, Status};

/// What is said of one alert in prose: its summary, else its description or message, else its name.
fn gist(alert: &MessageAlert) -> &str {
    let said = ["summary", "description", "message", "title"].iter().find_map(|name| alert.annotations.get(*name));
    said.filter(|text| !text.is_empty()).or_else(|| alert.labels.get("alertname")).map_or("alert", String::as_str)
}

/// Labels that tell an alert from the others of its message, `a=b, c=d`.
fn particulars(message: &Message, alert: &MessageAlert) -> String {
    let own = alert.labels.iter().filter(|(name, value)| message.common_labels.get(*name) != Some(value));
    own.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

/// The alerts to list, those that fire first, and how many are not listed.
fn shown(message: &Message) -> (Vec<&MessageAlert>, u64) {
    let all = message.of_status(Status::Firing).chain(message.of_status(Status::Resolved));
    let listed: Vec<&MessageAlert> = all.take(ALERTS_SHOWN_MAX).collect();
    let hidden = (message.alerts.len() - listed.len()) as u64 + message.truncated_alerts;
    (listed, hidden)
}

/// An address to look at: a runbook's, else where the first alert was found, else this server.
fn link(message: &Message) -> Option<&str> {
    let runbook = message.common_annotations.get("runbook_url").map(String::as_str);
    let found = message.alerts.first().map(|a| a.generator_url.as_str());
    [runbook, found, Some(message.external_url.as_str())].into_iter().flatten().find(|url| url.starts_with("http"))
}

/// Cuts a text to a number of characters, and shows that it was cut.
fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests;
