//! Slack's incoming webhook: one attachment with title, text and colour.

use serde_json::{Map, Value, json};

use super::{cut, gist, link, particulars, shown};
use crate::message::{Message, Status};
use crate::receiver::Slack;

/// Most characters of a title, as Slack cuts it.
const TITLE_MAX: usize = 1024;
/// Most characters of the text of an attachment that Slack shows without folding much of it.
const TEXT_MAX: usize = 8_000;

/// The body.
pub fn body(slack: &Slack, message: &Message) -> String {
    let title = slack.title.clone().unwrap_or_else(|| message.headline());
    let text = slack.text.clone().unwrap_or_else(|| text(message));
    let mut attachment = json!({
        "title": cut(&escape(&title), TITLE_MAX),
        "fallback": cut(&escape(&title), TITLE_MAX),
        "text": cut(&text, TEXT_MAX),
        "color": if message.status == Status::Firing { "danger" } else { "good" },
        "mrkdwn_in": ["fallback", "pretext", "text"],
    });
    if let Some(url) = link(message) {
        attachment["title_link"] = url.into();
    }
    if let Some(pretext) = &slack.pretext {
        attachment["pretext"] = pretext.as_str().into();
    }
    let mut body = Map::new();
    body.insert("attachments".to_owned(), Value::Array(vec![attachment]));
    let fields = [
        ("channel", &slack.channel),
        ("username", &slack.username),
        ("icon_emoji", &slack.icon_emoji),
        ("icon_url", &slack.icon_url),
    ];
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        body.insert(name.to_owned(), value.as_str().into());
    }
    Value::Object(body).to_string()
}

fn text(message: &Message) -> String {
    let (alerts, hidden) = shown(message);
    let mut lines = Vec::new();
    for alert in alerts {
        let sign = if alert.status == Status::Firing { ":red_circle:" } else { ":large_green_circle:" };
        let mut line = format!("{sign} {}", escape(gist(alert)));
        let own = particulars(message, alert);
        if !own.is_empty() {
            line.push_str(&format!(" `{}`", escape(&own).replace('`', "'")));
        }
        if alert.generator_url.starts_with("http") {
            line.push_str(&format!(" <{}|source>", escape(&alert.generator_url).replace('|', "%7C")));
        }
        lines.push(line);
    }
    if hidden > 0 {
        lines.push(format!("and {hidden} more"));
    }
    lines.join("\n")
}

/// The three characters that Slack's markup takes for its own.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
