//! The receivers of a configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use grid_scrape_config::{Secret, duration};

use super::text::{EmailText, GlobalText, HttpText, PagerDutyText, ReceiverText, SlackText, TeamsText, WebhookText};
use super::{ConfigError, at, judge, wrong};
use crate::receiver::{
    Auth, Channel, Email, Endpoint, Integration, PagerDuty, Receiver, Slack, Source, Teams, Webhook,
};

/// Where PagerDuty listens unless the configuration says otherwise.
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";

const GLOBAL_IDLE: [&str; 30] = [
    "smtp_auth_secret",
    "smtp_auth_secret_file",
    "smtp_auth_identity",
    "smtp_tls_config",
    "slack_app_token",
    "slack_app_token_file",
    "slack_app_url",
    "opsgenie_api_url",
    "opsgenie_api_key",
    "opsgenie_api_key_file",
    "wechat_api_url",
    "wechat_api_secret",
    "wechat_api_secret_file",
    "wechat_api_corp_id",
    "victorops_api_url",
    "victorops_api_key",
    "victorops_api_key_file",
    "telegram_api_url",
    "telegram_bot_token",
    "telegram_bot_token_file",
    "webex_api_url",
    "jira_api_url",
    "rocketchat_api_url",
    "rocketchat_token",
    "rocketchat_token_file",
    "rocketchat_token_id",
    "rocketchat_token_id_file",
    "mattermost_webhook_url",
    "mattermost_webhook_url_file",
    "sns_api_url",
];
const UNBUILT: [&str; 15] = [
    "discord_configs",
    "incidentio_configs",
    "jira_configs",
    "mattermost_configs",
    "msteams_configs",
    "opsgenie_configs",
    "pushover_configs",
    "rocketchat_configs",
    "signl4_configs",
    "sns_configs",
    "telegram_configs",
    "victorops_configs",
    "webex_configs",
    "wechat_configs",
    "zenduty_configs",
];
const HTTP_IDLE: [&str; 2] = ["follow_redirects", "enable_http2"];
const HTTP_UNBUILT: [&str; 7] =
    ["proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header", "tls_config", "oauth2", "http_headers"];

struct Reader<'a> {
    global: &'a GlobalText,
    ignored: &'a mut Vec<String>,
}

pub(super) fn check(
    texts: Vec<ReceiverText>,
    global: &GlobalText,
    ignored: &mut Vec<String>,
) -> Result<BTreeMap<String, Receiver>, ConfigError> {
    judge(&global.rest, "global", &GLOBAL_IDLE, &[], ignored)?;
    let mut reader = Reader { global, ignored };
    let mut found = BTreeMap::new();
    for (i, text) in texts.into_iter().enumerate() {
        let name = text.name.clone().unwrap_or_default();
        let place = format!("receivers[{i}] {name:?}");
        let receiver = reader.receiver(name.clone(), text, &place)?;
        if name.is_empty() || found.insert(name, receiver).is_some() {
            return wrong(place, "the name is empty or was given before");
        }
    }
    Ok(found)
}

impl Reader<'_> {
    fn receiver(&mut self, name: String, text: ReceiverText, place: &str) -> Result<Receiver, ConfigError> {
        let hint = "is not built; send to an Alertmanager (`alerting.alertmanagers`) or a webhook instead";
        if let Some(key) = text.rest.keys().find(|k| UNBUILT.contains(&k.as_str())) {
            return wrong(place, format!("{key} {hint}"));
        }
        judge(&text.rest, place, &[], &[], self.ignored)?;
        let mut integrations = Vec::new();
        let mut add = |i: usize, (send_resolved, channel): (bool, Channel)| {
            let target = format!("receiver/{name}/{}/{i}", channel.kind());
            integrations.push(Integration { target, send_resolved, channel });
        };
        for (i, text) in text.webhook_configs.unwrap_or_default().into_iter().enumerate() {
            add(i, self.webhook(text, &format!("{place}.webhook_configs[{i}]"))?);
        }
        for (i, text) in text.slack_configs.unwrap_or_default().into_iter().enumerate() {
            add(i, self.slack(text, &format!("{place}.slack_configs[{i}]"))?);
        }
        for (i, text) in text.msteamsv2_configs.unwrap_or_default().into_iter().enumerate() {
            add(i, self.teams(text, &format!("{place}.msteamsv2_configs[{i}]"))?);
        }
        for (i, text) in text.pagerduty_configs.unwrap_or_default().into_iter().enumerate() {
            add(i, self.pagerduty(text, &format!("{place}.pagerduty_configs[{i}]"))?);
        }
        for (i, text) in text.email_configs.unwrap_or_default().into_iter().enumerate() {
            add(i, self.email(text, &format!("{place}.email_configs[{i}]"))?);
        }
        Ok(Receiver { name, integrations })
    }

    fn endpoint(
        &mut self,
        url: Source,
        http: Option<HttpText>,
        timeout: Option<&str>,
        place: &str,
    ) -> Result<Endpoint, ConfigError> {
        if let Source::Inline(Secret(text)) = &url
            && !text.starts_with("http://")
            && !text.starts_with("https://")
        {
            return wrong(place, "the URL must start with http:// or https://");
        }
        let http = http.or_else(|| self.global.http_config.clone()).unwrap_or_default();
        judge(&http.rest, &format!("{place}.http_config"), &HTTP_IDLE, &HTTP_UNBUILT, self.ignored)?;
        let timeout = timeout.map(|t| at(place, duration::parse(t))).transpose()?.filter(|t| *t > Duration::ZERO);
        Ok(Endpoint { url, auth: auth(http, place)?, timeout, guarded: false })
    }

    /// A text, unless it is a template, which is noted.
    fn literal(&mut self, text: Option<String>, place: &str, key: &str) -> Option<String> {
        let text = text.filter(|t| !t.is_empty())?;
        if text.contains("{{") {
            self.ignored.push(format!("{place}.{key}: templates are not expanded, Grid's own text is used"));
            return None;
        }
        Some(text)
    }

    fn webhook(&mut self, text: WebhookText, place: &str) -> Result<(bool, Channel), ConfigError> {
        judge(&text.rest, place, &[], &["payload"], self.ignored)?;
        let url = required(source(place, "url", text.url, text.url_file)?, place, "url")?;
        let files = text.signing_secret_files.unwrap_or_default().into_iter().map(|f| Source::File(PathBuf::from(f)));
        let envs = text.signing_secret_envs.unwrap_or_default().into_iter().map(Source::Env);
        let endpoint = self.endpoint(url, text.http_config, text.timeout.as_deref(), place)?;
        let secrets = files.chain(envs).collect();
        let webhook = Webhook { endpoint, max_alerts: text.max_alerts.unwrap_or(0), secrets };
        Ok((text.send_resolved.unwrap_or(true), Channel::Webhook(webhook)))
    }

    fn slack(&mut self, text: SlackText, place: &str) -> Result<(bool, Channel), ConfigError> {
        let idle = [
            "color",
            "title_link",
            "footer",
            "fallback",
            "callback_id",
            "short_fields",
            "fields",
            "link_names",
            "thumb_url",
            "image_url",
            "actions",
            "mrkdwn_in",
            "message_text",
        ];
        judge(&text.rest, place, &idle, &["app_token", "app_token_file", "app_url", "update_message"], self.ignored)?;
        let own = source(place, "api_url", text.api_url, text.api_url_file)?;
        let global = self.global;
        let global =
            source("global", "slack_api_url", global.slack_api_url.clone(), global.slack_api_url_file.clone())?;
        let url = required(own.or(global), place, "api_url")?;
        let slack = Slack {
            endpoint: self.endpoint(url, text.http_config, text.timeout.as_deref(), place)?,
            channel: self.literal(text.channel, place, "channel").unwrap_or_default(),
            username: self.literal(text.username, place, "username").unwrap_or_default(),
            icon_emoji: self.literal(text.icon_emoji, place, "icon_emoji").unwrap_or_default(),
            icon_url: self.literal(text.icon_url, place, "icon_url").unwrap_or_default(),
            title: self.literal(text.title, place, "title"),
            pretext: self.literal(text.pretext, place, "pretext"),
            text: self.literal(text.text, place, "text"),
        };
        Ok((text.send_resolved.unwrap_or(false), Channel::Slack(slack)))
    }

    fn teams(&mut self, text: TeamsText, place: &str) -> Result<(bool, Channel), ConfigError> {
        judge(&text.rest, place, &[], &[], self.ignored)?;
        let url = source(place, "webhook_url", text.webhook_url, text.webhook_url_file)?;
        let url = required(url, place, "webhook_url")?;
        let teams = Teams {
            endpoint: self.endpoint(url, text.http_config, text.timeout.as_deref(), place)?,
            title: self.literal(text.title, place, "title"),
            text: self.literal(text.text, place, "text"),
        };
        Ok((text.send_resolved.unwrap_or(true), Channel::Teams(teams)))
    }

    fn pagerduty(&mut self, text: PagerDutyText, place: &str) -> Result<(bool, Channel), ConfigError> {
        if text.rest.keys().any(|k| k.starts_with("service_key")) {
            return wrong(place, "service_key belongs to version 1 of the Events API: use routing_key");
        }
        judge(&text.rest, place, &["client_url", "images", "links", "source"], &[], self.ignored)?;
        let key = source(place, "routing_key", text.routing_key, text.routing_key_file)?;
        let url = text.url.or_else(|| self.global.pagerduty_url.clone()).filter(|u| !u.is_empty());
        let url = Source::inline(url.unwrap_or_else(|| PAGERDUTY_URL.to_owned()));
        let details = text.details.unwrap_or_default().into_iter();
        let details = details.filter_map(|(n, v)| Some((n, self.literal(Some(v), place, "details")?))).collect();
        let severity = self.literal(text.severity, place, "severity");
        if let Some(word) = severity.as_deref().filter(|s| !["critical", "error", "warning", "info"].contains(s)) {
            return wrong(place, format!("severity is {word:?}, it must be critical, error, warning or info"));
        }
        let pagerduty = PagerDuty {
            endpoint: self.endpoint(url, text.http_config, text.timeout.as_deref(), place)?,
            routing_key: required(key, place, "routing_key")?,
            severity,
            description: self.literal(text.description, place, "description"),
            client: self.literal(text.client, place, "client").unwrap_or_else(|| "Grid".to_owned()),
            parts: [
                self.literal(text.component, place, "component"),
                self.literal(text.group, place, "group"),
                self.literal(text.class, place, "class"),
            ],
            details,
        };
        Ok((text.send_resolved.unwrap_or(true), Channel::PagerDuty(pagerduty)))
    }

    fn email(&mut self, text: EmailText, place: &str) -> Result<(bool, Channel), ConfigError> {
        let idle = ["html", "text", "threading", "auth_identity", "auth_secret", "auth_secret_file"];
        judge(&text.rest, place, &idle, &["tls_config"], self.ignored)?;
        let global = self.global;
        let or = |own: Option<String>, other: &Option<String>| own.or_else(|| other.clone()).filter(|t| !t.is_empty());
        let to = text.to.filter(|t| !t.is_empty());
        let (Some(to), Some(from)) = (to, or(text.from, &global.smtp_from)) else {
            return wrong(place, "to and from (or global.smtp_from) are needed");
        };
        let Some(smarthost) = or(text.smarthost, &global.smtp_smarthost) else {
            return wrong(place, "smarthost (or global.smtp_smarthost) is missing");
        };
        let split = smarthost.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
        let Some((host, port)) = split.filter(|(host, _)| !host.is_empty()) else {
            return wrong(place, format!("smarthost {smarthost:?} is not HOST:PORT"));
        };
        let own = source(place, "auth_password", text.auth_password, text.auth_password_file)?;
        let shared = (global.smtp_auth_password.clone(), global.smtp_auth_password_file.clone());
        let password = own.or(source("global", "smtp_auth_password", shared.0, shared.1)?);
        let auth = match (or(text.auth_username, &global.smtp_auth_username), password) {
            (Some(username), Some(password)) => Some((username, password)),
            (None, _) => None,
            (Some(_), None) => return wrong(place, "auth_username without auth_password or auth_password_file"),
        };
        let mut subject = None;
        for (name, value) in text.headers.unwrap_or_default() {
            if name.eq_ignore_ascii_case("subject") {
                subject = self.literal(Some(value), place, "headers.subject");
            } else {
                self.ignored.push(format!("{place}.headers.{name}"));
            }
        }
        let email = Email {
            to,
            from,
            implicit_tls: text.force_implicit_tls.or(global.smtp_force_implicit_tls).unwrap_or(port == 465),
            host,
            port,
            hello: or(text.hello, &global.smtp_hello).unwrap_or_else(|| "localhost".to_owned()),
            auth,
            require_tls: text.require_tls.or(global.smtp_require_tls).unwrap_or(true),
            subject,
        };
        Ok((text.send_resolved.unwrap_or(false), Channel::Email(email)))
    }
}

fn required(found: Option<Source>, place: &str, key: &str) -> Result<Source, ConfigError> {
    found.map_or_else(|| wrong(place, format!("{key} is missing")), Ok)
}

fn source(place: &str, key: &str, inline: Option<String>, file: Option<String>) -> Result<Option<Source>, ConfigError> {
    match (inline.filter(|t| !t.is_empty()), file.filter(|f| !f.is_empty())) {
        (Some(_), Some(_)) => wrong(place, format!("{key} and {key}_file exclude each other")),
        (Some(text), None) => Ok(Some(Source::inline(text))),
        (None, Some(file)) => Ok(Some(Source::File(PathBuf::from(file)))),
        (None, None) => Ok(None),
    }
}

fn auth(http: HttpText, place: &str) -> Result<Option<Auth>, ConfigError> {
    let bearer = source(place, "bearer_token", http.bearer_token, http.bearer_token_file)?;
    let said = [bearer.is_some(), http.basic_auth.is_some(), http.authorization.is_some()];
    if said.iter().filter(|s| **s).count() > 1 {
        return wrong(place, "at most one of basic_auth, authorization and bearer_token may be set");
    }
    let none = || Source::inline("");
    if let Some(basic) = http.basic_auth {
        let password = source(place, "password", basic.password, basic.password_file)?.unwrap_or_else(none);
        return Ok(Some(Auth::Basic { username: basic.username.unwrap_or_default(), password }));
    }
    if let Some(said) = http.authorization {
        let scheme = said.scheme.filter(|s| !s.is_empty()).unwrap_or_else(|| "Bearer".to_owned());
        let credentials = source(place, "credentials", said.credentials, said.credentials_file)?.unwrap_or_else(none);
        return Ok(Some(Auth::Scheme { scheme, credentials }));
    }
    Ok(bearer.map(|credentials| Auth::Scheme { scheme: "Bearer".to_owned(), credentials }))
}
