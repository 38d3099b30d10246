//! Mail: a subject, a text, and the same as HTML.

use super::{cut, gist, link, shown};
use crate::message::{Message, MessageAlert, Status};
use crate::receiver::Email;

/// Most characters of a subject.
const SUBJECT_MAX: usize = 200;

/// What a mail says; addresses and headers are the sender's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML without anything from elsewhere.
    pub html: String,
}

/// The mail.
pub fn mail(email: &Email, message: &Message) -> Mail {
    let subject = email.subject.clone().unwrap_or_else(|| message.headline());
    // A line break in a label must not become a header.
    let subject = cut(&subject.replace(['\r', '\n'], " "), SUBJECT_MAX);
    Mail { text: text(message, &subject), html: html(message, &subject), subject }
}

fn rows(alert: &MessageAlert) -> Vec<(String, String)> {
    let mut rows = vec![("Since".to_owned(), alert.starts_at.clone())];
    if alert.status == Status::Resolved {
        rows.push(("Until".to_owned(), alert.ends_at.clone()));
    }
    rows.extend(alert.labels.iter().map(|(n, v)| (n.clone(), v.clone())));
    rows.extend(alert.annotations.iter().map(|(n, v)| (n.clone(), v.clone())));
    if !alert.generator_url.is_empty() {
        rows.push(("Source".to_owned(), alert.generator_url.clone()));
    }
    rows
}

fn text(message: &Message, subject: &str) -> String {
    let (alerts, hidden) = shown(message);
    let mut out = format!("{subject}\n");
    for alert in alerts {
        out.push_str(&format!("\n{}: {}\n", alert.status.as_str().to_uppercase(), gist(alert)));
        for (name, value) in rows(alert) {
            out.push_str(&format!("  {name}: {value}\n"));
        }
    }
    if hidden > 0 {
        out.push_str(&format!("\nand {hidden} more\n"));
    }
    if let Some(url) = link(message) {
        out.push_str(&format!("\n{url}\n"));
    }
    out
}

fn html(message: &Message, subject: &str) -> String {
    let (alerts, hidden) = shown(message);
    let colour = |status| if status == Status::Firing { "#b3261e" } else { "#1e7d32" };
    let mut out = format!(
        "<!doctype html><html><body style=\"font-family:sans-serif\">\n<h2 style=\"color:{}\">{}</h2>\n",
        colour(message.status),
        escape(subject)
    );
    for alert in alerts {
        out.push_str(&format!(
            "<h3 style=\"color:{}\">{}: {}</h3>\n<table>\n",
            colour(alert.status),
            alert.status.as_str(),
            escape(gist(alert))
        ));
        for (name, value) in rows(alert) {
            out.push_str(&format!("<tr><td>{}</td><td>{}</td></tr>\n", escape(&name), escape(&value)));
        }
        out.push_str("</table>\n");
    }
    if hidden > 0 {
        out.push_str(&format!("<p>and {hidden} more</p>\n"));
    }
    if let Some(url) = link(message) {
        out.push_str(&format!("<p><a href=\"{0}\">{0}</a></p>\n", escape(url)));
    }
    out.push_str("</body></html>\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
