//! One attempt of one delivery: secrets are read, the message is put into the receiver's words, and sent.

mod http;
mod mail;
mod secret;

use std::sync::Arc;
use std::time::Duration;

use grid_model::Timestamp;
use grid_model::time::SECOND_NS;
use grid_notify_policy::queue::Outcome;
use grid_notify_policy::receiver::{Channel, Endpoint};
use grid_notify_policy::sign::{self, SigningKey};
use grid_notify_policy::{Message, shape};

use crate::address::{AddressGuard, GuardedResolver};
use crate::keep::Answer;
use crate::limits::ERROR_CHARS_MAX;

pub(crate) use http::chain;

/// Sends. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    open: reqwest::Client,
    guarded: reqwest::Client,
    guard: Arc<AddressGuard>,
    timeout: Duration,
}

/// How an attempt ended, for the queue and for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) outcome: Outcome,
    pub(crate) answer: Answer,
    /// Whether the receiver says that it is gone for good (410).
    pub(crate) gone: bool,
}

impl Sent {
    pub(crate) fn delivered(status: Option<u16>) -> Self {
        Self { outcome: Outcome::Delivered, answer: Answer { status, error: None }, gone: false }
    }

    pub(crate) fn failed(status: Option<u16>, error: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed { retry_after_ns: None }, answer: answer(status, error.into()), gone: false }
    }

    pub(crate) fn refused(status: Option<u16>, error: impl Into<String>) -> Self {
        Self { outcome: Outcome::Refused, answer: answer(status, error.into()), gone: false }
    }
}

fn answer(status: Option<u16>, error: String) -> Answer {
    Answer { status, error: Some(error.chars().take(ERROR_CHARS_MAX).collect()) }
}

impl Sender {
    /// Prepares the clients. Neither follows redirects or asks a proxy; one of them calls permitted addresses only.
    ///
    /// # Errors
    /// What the TLS library says.
    pub(crate) fn new(guard: AddressGuard, timeout: Duration) -> Result<Self, reqwest::Error> {
        let guard = Arc::new(guard);
        let base = || {
            reqwest::Client::builder()
                .user_agent(concat!("Grid/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .timeout(timeout)
                .connect_timeout(timeout)
                .pool_idle_timeout(Duration::from_secs(60))
                .pool_max_idle_per_host(2)
        };
        let guarded = base().dns_resolver(Arc::new(GuardedResolver(Arc::clone(&guard)))).build()?;
        Ok(Self { open: base().build()?, guarded, guard, timeout })
    }

    pub(crate) fn guard(&self) -> &AddressGuard {
        &self.guard
    }

    /// The client for addresses of the operator's choice.
    pub(crate) fn open(&self) -> &reqwest::Client {
        &self.open
    }

    /// Tells a receiver. `id` is the same over all attempts, `now` is this attempt's.
    pub(crate) async fn send(&self, channel: &Channel, message: &Message, id: &str, now: Timestamp) -> Sent {
        match self.try_send(channel, message, id, now).await {
            Ok(sent) => sent,
            // A secret that cannot be read today may be there tomorrow.
            Err(e) => Sent::failed(None, e.to_string()),
        }
    }

    async fn try_send(
        &self,
        channel: &Channel,
        message: &Message,
        id: &str,
        now: Timestamp,
    ) -> Result<Sent, secret::SecretUnread> {
        let mut headers = Vec::new();
        let body = match channel {
            Channel::Webhook(webhook) => {
                let body = shape::webhook::body(message);
                let mut keys = Vec::new();
                for source in &webhook.secrets {
                    let text = secret::read(source).await?;
                    keys.push(SigningKey::parse(&text).map_err(|e| secret::SecretUnread::of("the signing secret", e))?);
                }
                let signed = sign::headers(&keys, id, now.0.div_euclid(SECOND_NS), body.as_bytes());
                headers.extend(signed);
                body
            }
            Channel::Slack(slack) => shape::slack::body(slack, message),
            Channel::Teams(teams) => shape::teams::body(teams, message),
            Channel::PagerDuty(pagerduty) => {
                let key = secret::read(&pagerduty.routing_key).await?;
                shape::pagerduty::body(pagerduty, &key, message)
            }
            Channel::Email(email) => {
                let password = match &email.auth {
                    Some((_, source)) => Some(secret::read(source).await?),
                    None => None,
                };
                let mail = shape::email::mail(email, message);
                return Ok(mail::send(email, password, &mail, id, now, self.timeout).await);
            }
        };
        let Some(endpoint) = channel.endpoint() else { return Ok(Sent::refused(None, "it has no address")) };
        self.post(endpoint, headers, body, now).await
    }

    async fn post(
        &self,
        endpoint: &Endpoint,
        headers: Vec<(&'static str, String)>,
        body: String,
        now: Timestamp,
    ) -> Result<Sent, secret::SecretUnread> {
        let url = secret::read(&endpoint.url).await?;
        let auth = match &endpoint.auth {
            Some(auth) => Some(secret::authorization(auth).await?),
            None => None,
        };
        let client = if endpoint.guarded { &self.guarded } else { &self.open };
        let guard = endpoint.guarded.then_some(&*self.guard);
        Ok(http::post(client, guard, &url, headers, auth, endpoint.timeout, body, now).await)
    }
}
