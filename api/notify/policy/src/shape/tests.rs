use expect_test::{ExpectFile, expect_file};
use grid_model::Timestamp;

use super::{alertmanager, email, pagerduty, slack, teams, webhook};
use crate::alert::{Held, LabelSet};
use crate::message::Message;
use crate::receiver::{Email, Endpoint, PagerDuty, Slack, Source, Teams};

const START: i64 = 1_764_547_200_000_000_000;
const MINUTE: i64 = grid_model::time::MINUTE_NS;

fn set(pairs: &[(&str, &str)]) -> LabelSet {
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

fn alerts() -> Vec<Held> {
    let held = |instance: &str, summary: &str, lasts: i64| Held {
        labels: set(&[
            ("alertname", "HighLatency"),
            ("service", "checkout"),
            ("severity", "critical"),
            ("instance", instance),
        ]),
        annotations: set(&[("summary", summary), ("runbook_url", "https://runbooks.example/latency")]),
        generator_url: "https://grid.example/graph?expr=a%3E1".to_owned(),
        starts_at: Timestamp(START),
        ends_at: Timestamp(START + lasts * MINUTE),
        timeout: false,
        updated_at: Timestamp(START),
        settled: false,
    };
    vec![held("a:9090", "p99 is 2.5 s <over> 1 s & grows", 90), held("b:9090", "p99 is 1.2 s `over` 1 s", 7)]
}

fn message(minutes: i64) -> Message {
    let alerts = alerts();
    let alerts: Vec<&Held> = alerts.iter().collect();
    let group = set(&[("alertname", "HighLatency"), ("service", "checkout")]);
    let key = r#"{}/{severity="critical"}"#;
    Message::new("ops", key, &group, &alerts, "https://grid.example", 0, Timestamp(START + minutes * MINUTE))
}

fn endpoint() -> Endpoint {
    Endpoint { url: Source::inline("https://receiver.example/hook"), auth: None, timeout: None, guarded: false }
}

/// Each shape while one of two alerts fires, and when both are over.
fn check(body: impl Fn(&Message) -> String, firing: ExpectFile, resolved: ExpectFile) {
    for (minutes, golden) in [(30, firing), (120, resolved)] {
        let body = body(&message(minutes));
        let shown = match serde_json::from_str::<serde_json::Value>(&body) {
            Ok(json) => format!("{json:#}\n"),
            Err(_) => body,
        };
        golden.assert_eq(&shown);
    }
}

#[test]
fn webhook_is_alertmanagers_version_4() {
    check(webhook::body, expect_file!["goldens/webhook_firing.json"], expect_file!["goldens/webhook_resolved.json"]);
    let body = webhook::body(&message(30));
    assert_eq!(serde_json::from_str::<Message>(&body).unwrap(), message(30), "it reads back equal");
    let names = [
        "receiver",
        "status",
        "alerts",
        "notification_reason",
        "groupLabels",
        "commonLabels",
        "commonAnnotations",
        "externalURL",
        "version",
        "groupKey",
        "truncatedAlerts",
    ];
    let places: Vec<usize> = names.iter().map(|n| body.find(&format!("\"{n}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "fields are in Alertmanager's order: {body}");
}

#[test]
fn slack_is_an_attachment() {
    let slack = Slack {
        endpoint: endpoint(),
        channel: "#ops".to_owned(),
        username: "Grid".to_owned(),
        icon_emoji: String::new(),
        icon_url: String::new(),
        title: None,
        pretext: None,
        text: None,
    };
    check(
        |m| slack::body(&slack, m),
        expect_file!["goldens/slack_firing.json"],
        expect_file!["goldens/slack_resolved.json"],
    );
}

#[test]
fn teams_is_an_adaptive_card() {
    let teams = Teams { endpoint: endpoint(), title: None, text: None };
    check(
        |m| teams::body(&teams, m),
        expect_file!["goldens/teams_firing.json"],
        expect_file!["goldens/teams_resolved.json"],
    );
}

#[test]
fn pagerduty_triggers_and_resolves_one_incident() {
    let pagerduty = PagerDuty {
        endpoint: endpoint(),
        routing_key: Source::inline("k"),
        severity: None,
        description: None,
        client: "Grid".to_owned(),
        parts: [Some("checkout".to_owned()), None, None],
        details: vec![("team".to_owned(), "payments".to_owned())],
    };
    check(
        |m| pagerduty::body(&pagerduty, "R0UTINGKEY", m),
        expect_file!["goldens/pagerduty_firing.json"],
        expect_file!["goldens/pagerduty_resolved.json"],
    );
}

#[test]
fn mail_has_text_and_html() {
    let email = Email {
        to: "ops@example.org".to_owned(),
        from: "grid@example.org".to_owned(),
        host: "mail.example.org".to_owned(),
        port: 587,
        hello: "localhost".to_owned(),
        auth: None,
        require_tls: true,
        implicit_tls: false,
        subject: None,
    };
    let whole = |m: &Message| {
        let mail = email::mail(&email, m);
        format!("Subject: {}\n\n{}\n{}", mail.subject, mail.text, mail.html)
    };
    check(whole, expect_file!["goldens/email_firing.txt"], expect_file!["goldens/email_resolved.txt"]);
    let evil = Email { subject: Some("a\r\nBcc: b@example.org".to_owned()), ..email.clone() };
    assert_eq!(email::mail(&evil, &message(30)).subject, "a  Bcc: b@example.org");
}

#[test]
fn alertmanager_takes_alerts_as_prometheus_sends_them() {
    let at = |minutes: i64| Timestamp(START + minutes * MINUTE);
    let body = |_: &Message| alertmanager::body(alerts().iter(), at(30), at(34));
    check(body, expect_file!["goldens/alertmanager.json"], expect_file!["goldens/alertmanager.json"]);
}
