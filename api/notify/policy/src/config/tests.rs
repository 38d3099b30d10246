use super::*;
use crate::receiver::{Auth, Channel, Source};

const BASE: &str = "receivers: [{name: r}]\nroute: {receiver: r";

fn check(yaml: &str, message: &str) {
    let found = Config::parse(yaml).map(|c| c.ignored.join("; ")).unwrap_or_else(|e| e.to_string());
    assert!(if message.is_empty() { found.is_empty() } else { found.contains(message) }, "{yaml}\n{found}");
}

#[test]
fn nonsense_is_refused_where_it_stands() {
    for (rest, message) in [
        ("}", ""),
        (", group_wait: 0s}", ""),
        (", group_interval: 0s}", "route.group_interval: it must be more than zero"),
        (", group_wait: soon}", "route.group_wait: \"soon\" is not a duration"),
        (", matchers: [a=b]}", "route: the first route takes all alerts"),
        (", continue: true}", "route: the first route has no siblings"),
        (", group_by: [a, a]}", "route: group_by holds an empty label or one twice"),
        (", group_by: [a, '...']}", "route: group_by: `...` stands alone"),
        (", group_bye: [a]}", "group_bye"),
        (", routes: [{receiver: nobody}]}", "route.routes[0]: there is no receiver \"nobody\""),
        (", routes: [{matchers: ['a=~(']}]}", "route.routes[0]: matcher on \"a\""),
        (", routes: [{mute_time_intervals: [night]}]}", "route.routes[0]: there is no time interval \"night\""),
        ("}\ninhibit_rules: [{source_matchers: [a=b]}]", "inhibit_rules[0]: source_matchers and target_matchers"),
        (
            "}\ntime_intervals: [{name: n, time_intervals: [{months: [13]}]}]",
            "time_intervals \"n\": \"13\" is not a month",
        ),
        ("}\ntemplates: ['*.tmpl']", "file.templates"),
        ("}\ncolour: red", "file: unknown key colour"),
        ("}\nglobal: {resolve_timeout: x}", "global.resolve_timeout"),
        ("}\nglobal: {telegram_api_url: x}", "global.telegram_api_url"),
        ("}\nglobal: {typo: x}", "global: unknown key typo"),
    ] {
        check(&format!("{BASE}{rest}"), message);
    }
    check("receivers: [{name: r}]", "file: route is missing");
    check("{}", "file: route is missing");
    check("[", " ");
}

#[test]
fn receivers_are_checked() {
    for (configs, message) in [
        ("webhook_configs: [{url: 'http://x/'}]", ""),
        ("webhook_configs: [{}]", "receivers[0] \"r\".webhook_configs[0]: url is missing"),
        ("webhook_configs: [{url: 'http://x/', url_file: f}]", "url and url_file exclude each other"),
        ("webhook_configs: [{url: 'ftp://x/'}]", "must start with http"),
        ("webhook_configs: [{url: 'http://x/', http_config: {tls_config: {}}}]", "tls_config is not built"),
        (
            "webhook_configs: [{url: 'http://x/', http_config: {follow_redirects: true}}]",
            "http_config.follow_redirects",
        ),
        ("opsgenie_configs: [{}]", "opsgenie_configs is not built; send to an Alertmanager"),
        ("carrier_pigeons: [{}]", "unknown key carrier_pigeons"),
        ("slack_configs: [{channel: '#a'}]", "api_url is missing"),
        (
            "slack_configs: [{api_url: 'https://x/', title: '{{ .Status }}'}]",
            "slack_configs[0].title: templates are not expanded",
        ),
        ("pagerduty_configs: [{service_key: x}]", "use routing_key"),
        ("pagerduty_configs: [{routing_key: x, severity: bad}]", "it must be critical, error, warning or info"),
        ("email_configs: [{to: a@b, from: c@d, smarthost: 'mail'}]", "is not HOST:PORT"),
        ("email_configs: [{to: a@b, from: c@d, smarthost: 'mail:25', auth_username: u}]", "auth_username without"),
        ("email_configs: [{to: a@b}]", "to and from"),
    ] {
        check(&format!("receivers: [{{name: r, {configs}}}]\nroute: {{receiver: r}}"), message);
    }
}

#[test]
fn routes_inherit() {
    let yaml = "
global: {resolve_timeout: 1m, slack_api_url: 'https://hooks.example/T/B/x', smtp_smarthost: 'mail:587', smtp_from: grid@example.org}
route:
  receiver: r
  group_by: [b, a]
  group_wait: 1s
  repeat_interval: 1d
  routes:
  - matchers: [c=d, 'a=\"b\"']
    group_interval: 2m
    mute_time_intervals: [night]
    routes: [{continue: true}]
time_intervals: [{name: night, time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}]}]}]
receivers:
- name: r
  slack_configs: [{channel: '#ops'}]
  email_configs: [{to: ops@example.org}]
  webhook_configs: [{url: 'https://h/', max_alerts: 3, http_config: {basic_auth: {username: u, password_file: p}}, signing_secret_envs: [S]}]
";
    let config = Config::parse(yaml).unwrap();
    let plan = &config.plan;
    assert_eq!(plan.resolve_timeout_ns, 60 * grid_model::time::SECOND_NS);
    let child = &plan.trees[0].routes[0];
    assert_eq!((child.key.as_str(), child.receiver.as_str()), (r#"{}/{a="b",c="d"}"#, "r"));
    assert_eq!(child.group_by, GroupBy::Labels(vec!["a".into(), "b".into()]));
    let seconds = |p: Pace| [p.wait_ns, p.interval_ns, p.repeat_ns].map(|ns| ns / grid_model::time::SECOND_NS);
    assert_eq!(seconds(child.pace), [1, 120, 86_400]);
    let grandchild = &child.routes[0];
    assert!(grandchild.mute.is_empty() && grandchild.goes_on && seconds(grandchild.pace) == [1, 120, 86_400]);
    let ways = &plan.receivers["r"].integrations;
    let targets: Vec<&str> = ways.iter().map(|w| w.target.as_str()).collect();
    assert_eq!(targets, ["receiver/r/webhook/0", "receiver/r/slack/0", "receiver/r/email/0"]);
    assert_eq!(ways.iter().map(|w| w.send_resolved).collect::<Vec<_>>(), [true, false, false]);
    let Channel::Webhook(webhook) = &ways[0].channel else { panic!("{ways:?}") };
    assert_eq!((webhook.max_alerts, &webhook.secrets), (3, &vec![Source::Env("S".into())]));
    assert!(matches!(&webhook.endpoint.auth, Some(Auth::Basic { password: Source::File(_), .. })));
    let Channel::Email(email) = &ways[2].channel else { panic!("{ways:?}") };
    assert_eq!((email.host.as_str(), email.port, email.require_tls, email.implicit_tls), ("mail", 587, true, false));
    // No secret is ever shown.
    assert!(!format!("{config:?}").contains("hooks.example"));
}
