//! Webhooks: receivers that a tenant makes by the API. Each is a route of its own beside those of the configuration, so that making one
//! takes nothing away from anybody.

use std::sync::Arc;

use grid_model::Timestamp;
use grid_notify_policy::config::group_by_of;
use grid_notify_policy::matcher;
use grid_notify_policy::receiver::{Channel, Endpoint, Integration, Receiver, Source, Webhook as Shape};
use grid_notify_policy::route::{Pace, Plan, Route};
use grid_notify_policy::sign::{SecretError, SigningKey};
use grid_notify_policy::{ConfigError, MatcherError};
use serde::{Deserialize, Serialize};

use crate::address::AddressGuard;
use crate::limits::SECRET_OVERLAP_NS;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 63;
/// Longest URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// What a person says of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSetting {
    /// The receiver's name in messages.
    pub name: String,
    /// Where it listens.
    pub url: String,
    /// Which alerts; all without.
    pub matchers: Vec<String>,
    /// Labels by which they are grouped; `...` alone: every alert by itself.
    pub group_by: Vec<String>,
    /// When they are told, in nanoseconds.
    pub wait_ns: i64,
    /// Likewise.
    pub interval_ns: i64,
    /// Likewise.
    pub repeat_ns: i64,
    /// Whether it is told of resolved alerts too.
    pub send_resolved: bool,
    /// Most alerts of one message; 0 = as many as any may have.
    pub max_alerts: usize,
    /// Whether it is told of anything.
    pub enabled: bool,
}

impl WebhookSetting {
    /// A webhook with Alertmanager's pace that takes everything.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        let pace = Pace::default();
        Self {
            name: name.into(),
            url: url.into(),
            matchers: Vec::new(),
            group_by: vec!["alertname".to_owned()],
            wait_ns: pace.wait_ns,
            interval_ns: pace.interval_ns,
            repeat_ns: pace.repeat_ns,
            send_resolved: true,
            max_alerts: 0,
            enabled: true,
        }
    }
}

/// Why a webhook was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A name that cannot be used.
    #[error("name: 1 to {NAME_BYTES_MAX} bytes without line breaks")]
    Name,
    /// An address that cannot be used.
    #[error("url: {0}")]
    Url(&'static str),
    /// Matchers that cannot be read.
    #[error("matchers: {0}")]
    Matcher(#[from] MatcherError),
    /// `group_by` that makes no sense.
    #[error("group_by: {0}")]
    GroupBy(ConfigError),
    /// A pace that makes no sense.
    #[error("group_interval and repeat_interval must be at least a second, group_wait at most a day")]
    Pace,
    /// A secret that is none.
    #[error("secret: {0}")]
    Secret(#[from] SecretError),
}

/// A secret that signs, while it does. At rest it is plain text: whoever signs must know it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptSecret {
    secret: String,
    /// Until when it signs; for good if absent. Nanoseconds.
    until: Option<i64>,
}

impl std::fmt::Debug for KeptSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

/// A webhook as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its name for the API.
    pub id: String,
    /// What it is.
    pub setting: WebhookSetting,
    /// Counted from 1.
    pub version: u64,
    /// When it was made. Nanoseconds since 1970.
    pub created_ns: i64,
    /// When it was last changed. Nanoseconds since 1970.
    pub updated_ns: i64,
    /// Who changed it last.
    pub author: String,
    /// Why Grid turned it off, if it did.
    pub disabled_because: Option<String>,
    /// What signs, the newest first.
    pub(crate) secrets: Vec<KeptSecret>,
}

impl Webhook {
    /// Makes one.
    ///
    /// # Errors
    /// [`WebhookError`]
    pub(crate) fn new(
        id: String,
        setting: WebhookSetting,
        key: &SigningKey,
        author: &str,
        guard: &AddressGuard,
        now: Timestamp,
    ) -> Result<Self, WebhookError> {
        check(&setting, guard)?;
        let secrets = vec![KeptSecret { secret: key.reveal(), until: None }];
        let (created_ns, updated_ns) = (now.0, now.0);
        let author = author.to_owned();
        Ok(Self { id, setting, version: 1, created_ns, updated_ns, author, disabled_because: None, secrets })
    }

    /// Changes what it is.
    ///
    /// # Errors
    /// [`WebhookError`]
    pub(crate) fn change(
        &mut self,
        setting: WebhookSetting,
        author: &str,
        guard: &AddressGuard,
        now: Timestamp,
    ) -> Result<(), WebhookError> {
        check(&setting, guard)?;
        self.setting = setting;
        self.disabled_because = None;
        self.touch(author, now);
        Ok(())
    }

    /// Gives it a new secret; the former one signs beside it for a day.
    pub(crate) fn rotate(&mut self, key: &SigningKey, author: &str, now: Timestamp) {
        self.secrets.truncate(1);
        if let Some(former) = self.secrets.first_mut() {
            former.until = Some(now.0.saturating_add(SECRET_OVERLAP_NS));
        }
        self.secrets.insert(0, KeptSecret { secret: key.reveal(), until: None });
        self.touch(author, now);
    }

    /// Turns it off.
    pub(crate) fn disable(&mut self, why: &str, now: Timestamp) {
        self.setting.enabled = false;
        self.disabled_because = Some(why.to_owned());
        self.touch("grid", now);
    }

    fn touch(&mut self, author: &str, now: Timestamp) {
        self.version += 1;
        self.updated_ns = now.0;
        self.author = author.to_owned();
    }

    /// How it is told.
    pub fn target(&self) -> String {
        format!("webhook/{}", self.id)
    }

    /// How many secrets sign at a time.
    pub fn secrets_at(&self, now: Timestamp) -> usize {
        self.secrets.iter().filter(|s| s.until.is_none_or(|until| now.0 < until)).count()
    }

    pub(crate) fn integration(&self, now: Timestamp) -> Integration {
        let valid = self.secrets.iter().filter(|s| s.until.is_none_or(|until| now.0 < until));
        let endpoint =
            Endpoint { url: Source::inline(self.setting.url.clone()), auth: None, timeout: None, guarded: true };
        let secrets = valid.map(|s| Source::inline(s.secret.clone())).collect();
        Integration {
            target: self.target(),
            send_resolved: self.setting.send_resolved,
            channel: Channel::Webhook(Shape { endpoint, max_alerts: self.setting.max_alerts, secrets }),
        }
    }

    /// Adds its tree and receiver to a plan.
    fn join(&self, plan: &mut Plan, now: Timestamp) {
        // What was checked when it was made reads again.
        let matchers = self.setting.matchers.iter().filter_map(|text| matcher::parse(text).ok()).flatten().collect();
        let Ok(group_by) = group_by_of(self.setting.group_by.clone()) else { return };
        // Receivers of a configuration cannot have this name: it holds a character that none may have.
        let name = format!("\u{0}{}", self.target());
        plan.trees.push(Route {
            id: Arc::from(self.target()),
            key: format!("{{webhook={:?}}}", self.id),
            receiver: name.clone(),
            matchers,
            group_by,
            pace: Pace {
                wait_ns: self.setting.wait_ns,
                interval_ns: self.setting.interval_ns,
                repeat_ns: self.setting.repeat_ns,
            },
            goes_on: true,
            mute: Vec::new(),
            active: Vec::new(),
            routes: Vec::new(),
        });
        let receiver = Receiver { name: self.setting.name.clone(), integrations: vec![self.integration(now)] };
        plan.receivers.insert(name, receiver);
    }
}

/// The plan of a tenant: the configuration's and its webhooks'.
pub(crate) fn plan_with<'a>(
    file: &Arc<Plan>,
    webhooks: impl Iterator<Item = &'a Webhook>,
    now: Timestamp,
) -> Arc<Plan> {
    let mut enabled = webhooks.filter(|w| w.setting.enabled).peekable();
    if enabled.peek().is_none() {
        return Arc::clone(file);
    }
    let mut plan = Plan::clone(file);
    enabled.for_each(|webhook| webhook.join(&mut plan, now));
    Arc::new(plan)
}

/// Whether a webhook makes sense. Its address is looked at again at each delivery, after its name was resolved.
fn check(setting: &WebhookSetting, guard: &AddressGuard) -> Result<(), WebhookError> {
    use grid_model::time::{DAY_NS, SECOND_NS};
    let name = &setting.name;
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(WebhookError::Name);
    }
    check_url(&setting.url, guard)?;
    for text in &setting.matchers {
        matcher::parse(text)?;
    }
    group_by_of(setting.group_by.clone()).map_err(WebhookError::GroupBy)?;
    let slow = setting.interval_ns >= SECOND_NS && setting.repeat_ns >= SECOND_NS;
    if !slow || !(0..=DAY_NS).contains(&setting.wait_ns) { Err(WebhookError::Pace) } else { Ok(()) }
}

fn check_url(text: &str, guard: &AddressGuard) -> Result<(), WebhookError> {
    if text.len() > URL_BYTES_MAX {
        return Err(WebhookError::Url("it is too long"));
    }
    let url = reqwest::Url::parse(text).map_err(|_| WebhookError::Url("it is not a URL"))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(WebhookError::Url("it must start with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(WebhookError::Url("it must not hold a user or a password: the signature says who sends"));
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if host.parse().is_ok_and(|ip| !guard.permits(ip)) {
        return Err(WebhookError::Url(
            "the address is not public, and its network is not in `alerting.webhook_networks`",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        let guard = AddressGuard::default();
        let base = WebhookSetting::new("ops", "https://ops.example/hook");
        let check = |change: &dyn Fn(&mut WebhookSetting), message: &str| {
            let mut setting = base.clone();
            change(&mut setting);
            let found = check(&setting, &guard).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(if message.is_empty() { found.is_empty() } else { found.contains(message) }, "{found}");
        };
        check(&|_| {}, "");
        check(&|s| s.name = String::new(), "name: 1 to 63 bytes");
        check(&|s| s.name = "a\nb".to_owned(), "name");
        check(&|s| s.url = "ftp://x/".to_owned(), "url: it must start with");
        check(&|s| s.url = "/x".to_owned(), "url: it is not a URL");
        check(&|s| s.url = "https://u:p@x/".to_owned(), "url: it must not hold a user");
        for evil in [
            "http://127.0.0.1/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://[::1]:7080/",
            "http://169.254.169.254/",
        ] {
            check(&|s| s.url = evil.to_owned(), "url: the address is not public");
        }
        check(&|s| s.matchers = vec!["a=~(".to_owned()], "matchers: matcher on \"a\"");
        check(&|s| s.group_by = vec!["a".to_owned(), "...".to_owned()], "group_by: ");
        check(&|s| s.interval_ns = 0, "group_interval");
    }

    #[test]
    fn secrets_rotate_and_are_never_shown() {
        let now = Timestamp(0);
        let [first, second, third] = [1, 2, 3].map(|n| SigningKey::of([n; 32]));
        let setting = WebhookSetting::new("ops", "https://ops.example/hook");
        let mut webhook = Webhook::new("w".to_owned(), setting, &first, "ada", &AddressGuard::default(), now).unwrap();
        webhook.rotate(&second, "ada", now);
        assert_eq!(webhook.secrets_at(now), 2);
        assert_eq!(webhook.secrets_at(Timestamp(SECRET_OVERLAP_NS)), 1);
        webhook.rotate(&third, "ada", now);
        assert_eq!((webhook.secrets_at(now), webhook.version), (2, 3));
        let shown = format!("{webhook:?} {:?}", webhook.integration(now));
        assert!([first, second, third].iter().all(|key| !shown.contains(&key.reveal()[6..])), "{shown}");
        let file = Arc::new(Plan::default());
        assert_eq!(plan_with(&file, [&webhook].into_iter(), now).trees.len(), 1);
        webhook.disable("gone", now);
        assert!(Arc::ptr_eq(&plan_with(&file, [&webhook].into_iter(), now), &file));
    }
}
