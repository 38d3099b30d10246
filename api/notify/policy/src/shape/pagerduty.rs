//! PagerDuty's Events API, version 2: one incident per group, triggered and resolved by the same key.

use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};

use super::{cut, gist, link, particulars, shown};
use crate::message::{Message, Status};
use crate::receiver::PagerDuty;

/// Most characters of a summary, as the API says.
const SUMMARY_MAX: usize = 1024;
/// Most characters of the list of alerts; an event may have 512 KB.
const LIST_MAX: usize = 64_000;

/// The body.
pub fn body(pagerduty: &PagerDuty, routing_key: &str, message: &Message) -> String {
    let action = if message.status == Status::Firing { "trigger" } else { "resolve" };
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": action,
        // As Alertmanager does, so that either may resolve what the other triggered.
        "dedup_key": hex::encode(Sha256::digest(&message.group_key)),
    });
    if message.status == Status::Resolved {
        return event.to_string();
    }
    let summary = pagerduty.description.clone().unwrap_or_else(|| message.headline());
    let mut details = Map::new();
    let count = |status| message.of_status(status).count();
    details.insert("num_firing".to_owned(), count(Status::Firing).to_string().into());
    details.insert("num_resolved".to_owned(), count(Status::Resolved).to_string().into());
    details.insert("alerts".to_owned(), cut(&list(message), LIST_MAX).into());
    for (name, value) in &pagerduty.details {
        details.insert(name.clone(), value.as_str().into());
    }
    let mut payload = json!({
        "summary": cut(&summary, SUMMARY_MAX),
        "source": source(message),
        "severity": pagerduty.severity.as_deref().unwrap_or_else(|| severity(message)),
        "custom_details": details,
    });
    if let Some(first) = message.of_status(Status::Firing).map(|a| &a.starts_at).min() {
        payload["timestamp"] = first.as_str().into();
    }
    for (name, value) in ["component", "group", "class"].iter().zip(&pagerduty.parts) {
        if let Some(value) = value {
            payload[*name] = value.as_str().into();
        }
    }
    event["payload"] = payload;
    event["client"] = pagerduty.client.as_str().into();
    if message.external_url.starts_with("http") {
        event["client_url"] = message.external_url.as_str().into();
    }
    if let Some(url) = link(message) {
        event["links"] = json!([{ "href": url, "text": "source" }]);
    }
    event.to_string()
}

/// Where it burns: the label that best says so.
fn source(message: &Message) -> &str {
    let names = ["instance", "host", "service", "job", "resource_id", "account", "alertname"];
    names.iter().find_map(|name| message.common_labels.get(*name)).map_or("grid", String::as_str)
}

/// One of PagerDuty's four words, from the label `severity`.
fn severity(message: &Message) -> &'static str {
    match message.common_labels.get("severity").map(|s| s.to_ascii_lowercase()).as_deref() {
        Some("critical" | "page" | "emergency" | "fatal") => "critical",
        Some("warning" | "warn" | "ticket") => "warning",
        Some("info" | "notice" | "none") => "info",
        _ => "error",
    }
}

fn list(message: &Message) -> String {
    let (alerts, hidden) = shown(message);
    let mut lines: Vec<String> = alerts
        .into_iter()
        .map(|alert| {
            let own = particulars(message, alert);
            let own = if own.is_empty() { own } else { format!(" ({own})") };
            format!("{}: {}{own}", alert.status.as_str(), gist(alert))
        })
        .collect();
    if hidden > 0 {
        lines.push(format!("and {hidden} more"));
    }
    lines.join("\n")
}
