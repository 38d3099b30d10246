//! Alertmanager's webhook, version 4.

use crate::message::Message;

/// The body.
pub fn body(message: &Message) -> String {
    // Texts and numbers always have a JSON.
    serde_json::to_string(message).unwrap_or_default()
}
