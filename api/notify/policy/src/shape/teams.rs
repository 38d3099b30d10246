//! Microsoft Teams: an adaptive card, as the workflow "post to a channel when a webhook request is received" takes it.

use serde_json::{Value, json};

use super::{cut, gist, link, particulars, shown};
use crate::message::{Message, Status};
use crate::receiver::Teams;

/// Most characters of one text; a whole card may have 28 KB.
const TEXT_MAX: usize = 1_000;

/// The body.
pub fn body(teams: &Teams, message: &Message) -> String {
    let firing = message.status == Status::Firing;
    let title = teams.title.clone().unwrap_or_else(|| message.headline());
    let mut blocks = vec![json!({
        "type": "TextBlock", "text": cut(&title, TEXT_MAX), "weight": "Bolder", "size": "Large", "wrap": true,
        "style": "heading", "color": if firing { "Attention" } else { "Good" },
    })];
    match &teams.text {
        Some(text) => blocks.push(block(text)),
        None => {
            let (alerts, hidden) = shown(message);
            for alert in alerts {
                let state = if alert.status == Status::Firing { "🔴" } else { "🟢" };
                let own = particulars(message, alert);
                let own = if own.is_empty() { String::new() } else { format!(" ({own})") };
                blocks.push(block(&format!("{state} {}{own}", gist(alert))));
            }
            if hidden > 0 {
                blocks.push(block(&format!("and {hidden} more")));
            }
        }
    }
    let facts = message.common_labels.iter().take(20);
    let facts: Vec<Value> = facts.map(|(n, v)| json!({ "title": n, "value": cut(v, 200) })).collect();
    if !facts.is_empty() {
        blocks.push(json!({ "type": "FactSet", "facts": facts }));
    }
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": blocks,
    });
    if let Some(url) = link(message) {
        card["actions"] = json!([{ "type": "Action.OpenUrl", "title": "Look at it", "url": url }]);
    }
    let attachment =
        json!({ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card });
    json!({ "type": "message", "attachments": [attachment] }).to_string()
}

fn block(text: &str) -> Value {
    json!({ "type": "TextBlock", "text": cut(text, TEXT_MAX), "wrap": true })
}
