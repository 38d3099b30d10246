//! `alertmanager.yml` as written: what is used has a field; what else Alertmanager knows is caught by `rest` and judged by name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::interval::IntervalText;

/// Keys without a field of their own.
pub(super) type Rest = BTreeMap<String, IgnoredAny>;

#[derive(Default, Deserialize)]
pub(super) struct FileText {
    pub(super) global: Option<GlobalText>,
    pub(super) route: Option<RouteText>,
    pub(super) receivers: Option<Vec<ReceiverText>>,
    pub(super) inhibit_rules: Option<Vec<InhibitText>>,
    pub(super) time_intervals: Option<Vec<NamedIntervals>>,
    pub(super) mute_time_intervals: Option<Vec<NamedIntervals>>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Default, Deserialize)]
pub(super) struct GlobalText {
    pub(super) resolve_timeout: Option<String>,
    pub(super) http_config: Option<HttpText>,
    pub(super) smtp_from: Option<String>,
    pub(super) smtp_hello: Option<String>,
    pub(super) smtp_smarthost: Option<String>,
    pub(super) smtp_auth_username: Option<String>,
    pub(super) smtp_auth_password: Option<String>,
    pub(super) smtp_auth_password_file: Option<String>,
    pub(super) smtp_require_tls: Option<bool>,
    pub(super) smtp_force_implicit_tls: Option<bool>,
    pub(super) slack_api_url: Option<String>,
    pub(super) slack_api_url_file: Option<String>,
    pub(super) pagerduty_url: Option<String>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteText {
    pub(super) receiver: Option<String>,
    pub(super) group_by: Option<Vec<String>>,
    #[serde(rename = "continue")]
    pub(super) goes_on: Option<bool>,
    #[serde(rename = "match")]
    pub(super) equal: Option<BTreeMap<String, String>>,
    pub(super) match_re: Option<BTreeMap<String, String>>,
    pub(super) matchers: Option<Vec<String>>,
    pub(super) group_wait: Option<String>,
    pub(super) group_interval: Option<String>,
    pub(super) repeat_interval: Option<String>,
    pub(super) mute_time_intervals: Option<Vec<String>>,
    pub(super) active_time_intervals: Option<Vec<String>>,
    pub(super) routes: Option<Vec<RouteText>>,
}

#[derive(Default, Deserialize)]
pub(super) struct InhibitText {
    pub(super) source_match: Option<BTreeMap<String, String>>,
    pub(super) source_match_re: Option<BTreeMap<String, String>>,
    pub(super) source_matchers: Option<Vec<String>>,
    pub(super) target_match: Option<BTreeMap<String, String>>,
    pub(super) target_match_re: Option<BTreeMap<String, String>>,
    pub(super) target_matchers: Option<Vec<String>>,
    pub(super) equal: Option<Vec<String>>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedIntervals {
    pub(super) name: String,
    #[serde(default)]
    pub(super) time_intervals: Option<Vec<IntervalText>>,
}

#[derive(Default, Deserialize)]
pub(super) struct ReceiverText {
    pub(super) name: Option<String>,
    pub(super) webhook_configs: Option<Vec<WebhookText>>,
    pub(super) slack_configs: Option<Vec<SlackText>>,
    pub(super) msteamsv2_configs: Option<Vec<TeamsText>>,
    pub(super) pagerduty_configs: Option<Vec<PagerDutyText>>,
    pub(super) email_configs: Option<Vec<EmailText>>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct HttpText {
    pub(super) authorization: Option<AuthorizationText>,
    pub(super) basic_auth: Option<BasicText>,
    pub(super) bearer_token: Option<String>,
    pub(super) bearer_token_file: Option<String>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorizationText {
    #[serde(rename = "type")]
    pub(super) scheme: Option<String>,
    pub(super) credentials: Option<String>,
    pub(super) credentials_file: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BasicText {
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) password_file: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct WebhookText {
    pub(super) send_resolved: Option<bool>,
    pub(super) http_config: Option<HttpText>,
    pub(super) url: Option<String>,
    pub(super) url_file: Option<String>,
    pub(super) max_alerts: Option<usize>,
    pub(super) timeout: Option<String>,
    /// Grid's own: where the secrets are found that sign.
    pub(super) signing_secret_files: Option<Vec<String>>,
    /// Likewise.
    pub(super) signing_secret_envs: Option<Vec<String>>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Default, Deserialize)]
pub(super) struct SlackText {
    pub(super) send_resolved: Option<bool>,
    pub(super) http_config: Option<HttpText>,
    pub(super) api_url: Option<String>,
    pub(super) api_url_file: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) username: Option<String>,
    pub(super) icon_emoji: Option<String>,
    pub(super) icon_url: Option<String>,
    pub(super) title: Option<String>,
    pub(super) pretext: Option<String>,
    pub(super) text: Option<String>,
    pub(super) timeout: Option<String>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Default, Deserialize)]
pub(super) struct TeamsText {
    pub(super) send_resolved: Option<bool>,
    pub(super) http_config: Option<HttpText>,
    pub(super) webhook_url: Option<String>,
    pub(super) webhook_url_file: Option<String>,
    pub(super) title: Option<String>,
    pub(super) text: Option<String>,
    pub(super) timeout: Option<String>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Default, Deserialize)]
pub(super) struct PagerDutyText {
    pub(super) send_resolved: Option<bool>,
    pub(super) http_config: Option<HttpText>,
    pub(super) routing_key: Option<String>,
    pub(super) routing_key_file: Option<String>,
    pub(super) url: Option<String>,
    pub(super) client: Option<String>,
    pub(super) description: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) component: Option<String>,
    pub(super) group: Option<String>,
    pub(super) class: Option<String>,
    pub(super) details: Option<BTreeMap<String, String>>,
    pub(super) timeout: Option<String>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

#[derive(Default, Deserialize)]
pub(super) struct EmailText {
    pub(super) send_resolved: Option<bool>,
    pub(super) to: Option<String>,
    pub(super) from: Option<String>,
    pub(super) smarthost: Option<String>,
    pub(super) hello: Option<String>,
    pub(super) auth_username: Option<String>,
    pub(super) auth_password: Option<String>,
    pub(super) auth_password_file: Option<String>,
    pub(super) require_tls: Option<bool>,
    pub(super) force_implicit_tls: Option<bool>,
    pub(super) headers: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}
