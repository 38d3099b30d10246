//! Receivers: whom to tell, and how they want to be spoken to.

use std::path::PathBuf;
use std::time::Duration;

pub use grid_scrape_config::Secret;

/// Where a secret is found. Files and variables are read for every delivery, so that they can be rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In the configuration itself.
    Inline(Secret),
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Env(String),
}

impl Source {
    /// A text as a secret.
    pub fn inline(text: impl Into<String>) -> Self {
        Self::Inline(Secret(text.into()))
    }
}

/// Somebody to be told, in one or several ways.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// The ways, each of which is told by itself.
    pub integrations: Vec<Integration>,
}

/// One way to tell a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integration {
    /// Unique: `receiver/NAME/slack/0` of a configuration, `webhook/ID` of one made by the API.
    pub target: String,
    /// Whether it is told of resolved alerts too.
    pub send_resolved: bool,
    /// How it wants to be spoken to.
    pub channel: Channel,
}

/// How a receiver wants to be spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// Alertmanager's webhook, version 4, signed if there is a secret.
    Webhook(Webhook),
    /// A Slack incoming webhook.
    Slack(Slack),
    /// A Microsoft Teams workflow.
    Teams(Teams),
    /// PagerDuty's Events API, version 2.
    PagerDuty(PagerDuty),
    /// Mail.
    Email(Email),
}

impl Channel {
    /// One word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "msteamsv2",
            Self::PagerDuty(_) => "pagerduty",
            Self::Email(_) => "email",
        }
    }

    /// Where it is, if it speaks HTTP.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Webhook(w) => Some(&w.endpoint),
            Self::Slack(s) => Some(&s.endpoint),
            Self::Teams(t) => Some(&t.endpoint),
            Self::PagerDuty(p) => Some(&p.endpoint),
            Self::Email(_) => None,
        }
    }
}

/// Where an HTTP receiver is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its URL, which often is a secret in itself.
    pub url: Source,
    /// Who we say we are.
    pub auth: Option<Auth>,
    /// Longest time of one attempt; the server's own if absent.
    pub timeout: Option<Duration>,
    /// Whether the address was given by somebody who may not choose any address of our networks.
    pub guarded: bool,
}

/// The header `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// RFC 7617.
    Basic {
        /// Who.
        username: String,
        /// What proves it.
        password: Source,
    },
    /// A scheme and what follows it.
    Scheme {
        /// `Bearer`.
        scheme: String,
        /// What proves it.
        credentials: Source,
    },
}

/// Alertmanager's webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where.
    pub endpoint: Endpoint,
    /// Most alerts in one message; 0 = as many as any message may have.
    pub max_alerts: usize,
    /// Secrets that sign (Standard Webhooks, `whsec_...`), the newest first; unsigned without.
    pub secrets: Vec<Source>,
}

/// A Slack incoming webhook. Texts that are absent are Grid's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slack {
    /// Where.
    pub endpoint: Endpoint,
    /// The channel, if it is not the webhook's own.
    pub channel: String,
    /// The name under which it is posted.
    pub username: String,
    /// Its picture, as `:emoji:`.
    pub icon_emoji: String,
    /// Its picture, as a URL.
    pub icon_url: String,
    /// The title.
    pub title: Option<String>,
    /// The text before the attachment.
    pub pretext: Option<String>,
    /// The text.
    pub text: Option<String>,
}

/// A Microsoft Teams workflow that is started by a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Teams {
    /// Where.
    pub endpoint: Endpoint,
    /// The title.
    pub title: Option<String>,
    /// The text.
    pub text: Option<String>,
}

/// PagerDuty's Events API, version 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagerDuty {
    /// Where.
    pub endpoint: Endpoint,
    /// The integration's key.
    pub routing_key: Source,
    /// `critical`, `error`, `warning` or `info`; absent: what the alerts' label `severity` says, else `error`.
    pub severity: Option<String>,
    /// What is shown; absent: Grid's own headline.
    pub description: Option<String>,
    /// Name of the monitoring client.
    pub client: String,
    /// `component`, `group` and `class` of the payload.
    pub parts: [Option<String>; 3],
    /// Further details.
    pub details: Vec<(String, String)>,
}

/// Mail by SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// To whom; several separated by commas.
    pub to: String,
    /// From whom.
    pub from: String,
    /// The server's host.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// What we call ourselves.
    pub hello: String,
    /// Name and password.
    pub auth: Option<(String, Source)>,
    /// Whether mail is only sent over TLS (STARTTLS).
    pub require_tls: bool,
    /// Whether TLS comes first, as on port 465.
    pub implicit_tls: bool,
    /// The subject; absent: Grid's own headline.
    pub subject: Option<String>,
}
