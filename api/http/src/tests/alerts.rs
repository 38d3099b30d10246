//! Alerts, silences, webhooks and deliveries over HTTP.

use grid_guard::AuthMode;
use tokio_util::sync::CancellationToken;

use super::*;

async fn app() -> App {
    App::new(AuthMode::Anonymous).await
}

#[tokio::test]
async fn silences_are_made_seen_changed_and_ended() {
    let app = app().await;
    let body = r#"{"matchers":["alertname=\"A\"","team=~\"a|b\""],"duration":"2h","comment":"work"}"#;
    let made = app.call("POST", "/api/v1/silences", &["idempotency-key: k1"], body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!((made["state"].as_str(), made["ends_at"].as_str()), (Some("active"), Some("2026-10-28T02:00:00Z")));
    assert_eq!(made["matchers"][1], r#"team=~"a|b""#);
    let again = app.call("POST", "/api/v1/silences", &["idempotency-key: k1"], body).await.json();
    assert_eq!(again["id"], made["id"]);
    let other = body.replace("work", "play");
    let verdict = app.call("POST", "/api/v1/silences", &["idempotency-key: k1"], other).await.verdict();
    assert_eq!(verdict, "409 GRID-0805");
    let path = format!("/api/v1/silences/{}", made["id"].as_str().unwrap());
    let longer = app.call("PUT", &path, &[], body.replace("2h", "3h")).await.json();
    assert_eq!((&longer["id"], longer["ends_at"].as_str()), (&made["id"], Some("2026-10-28T03:00:00Z")));
    let moved = app.call("PUT", &path, &[], body.replace("\\\"A\\\"", "\\\"B\\\"")).await.json();
    assert_ne!(moved["id"], made["id"], "what it matched stays on record");
    let states = async |query: &str| {
        let list = app.call("GET", &format!("/api/v1/silences{query}"), &[], "").await.json();
        list["items"].as_array().unwrap().iter().map(|s| s["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states("").await, ["active", "expired"]);
    assert_eq!(states("?state=expired").await, ["expired"]);
    let id = moved["id"].as_str().unwrap();
    assert_eq!(app.call("DELETE", &format!("/api/v1/silences/{id}"), &[], "").await.status, 204);
    assert_eq!(states("?state=active").await, [""; 0]);
    for (body, verdict) in [
        (r#"{"matchers":[],"duration":"2h"}"#, "422 GRID-0801"),
        (r#"{"matchers":["a=~\".*\""],"duration":"2h"}"#, "422 GRID-0801"),
        (r#"{"matchers":["a=~\"(\""],"duration":"2h"}"#, "422 GRID-0802"),
        (r#"{"matchers":["a=b"]}"#, "400 GRID-0204"),
        (r#"{"matchers":["a=b"],"duration":"soon"}"#, "400 GRID-0204"),
        (r#"{"matchers":["a=b"],"ends_at":"2020-01-01T00:00:00Z"}"#, "422 GRID-0801"),
        (r#"{"matcher":["a=b"]}"#, "400 GRID-0201"),
    ] {
        assert_eq!(app.call("POST", "/api/v1/silences", &[], body).await.verdict(), verdict, "{body}");
    }
    assert_eq!(app.call("GET", "/api/v1/silences/nope", &[], "").await.verdict(), "404 GRID-0207");
    // Nobody sees another's.
    assert_eq!(app.call("GET", &path, &["x-scope-orgid: other"], "").await.verdict(), "404 GRID-0207");
}

#[tokio::test]
async fn alerts_are_taken_told_and_seen() {
    let app = app().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (send, mut got) = tokio::sync::mpsc::channel::<(HeaderMap, String)>(8);
    let hook = axum::routing::post(move |headers: HeaderMap, body: String| {
        let send = send.clone();
        async move { send.send((headers, body)).await.unwrap() }
    });
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", hook)).await });
    let (token, notifier) = (CancellationToken::new(), app.state.notifier.clone().unwrap());
    let until = token.clone();
    let running = tokio::spawn(async move { notifier.run(until).await });

    let body = format!(r#"{{"name":"ops","url":"{url}","group_wait":"0s","matchers":["severity=\"page\""]}}"#);
    let made = app.call("POST", "/api/v1/webhooks", &[], body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    let seen = app.call("GET", &path, &[], "").await;
    assert!(!seen.text().contains("whsec_") && !seen.text().contains("\"secret\""));
    assert_eq!(seen.json()["group_wait"], "0s");
    assert_eq!(app.call("POST", &format!("{path}/test"), &[], "{}").await.json()["delivered"], true);
    assert!(got.recv().await.unwrap().1.contains("GridTest"));
    let rotated = app.call("POST", &format!("{path}/secret"), &[], "{}").await.json();
    assert!(rotated["secrets"] == 2 && rotated["secret"] != made["secret"]);

    let alerts = r#"[{"labels":{"alertname":"A","severity":"page"},"annotations":{"summary":"it burns"},"generatorURL":"http://g"},
        {"labels":{"alertname":"B","severity":"info"},"startsAt":"2026-10-27T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"}, {"labels":{}}]"#;
    let taken =
        app.call("POST", "/alertmanager/api/v2/alerts", &["content-type: application/json"], alerts).await.json();
    assert_eq!((&taken["accepted"], &taken["refused"][0]["index"]), (&Value::from(2), &Value::from(2)));
    let (headers, message) = got.recv().await.unwrap();
    assert_eq!(headers["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
    let message: Value = serde_json::from_str(&message).unwrap();
    assert_eq!(
        (message["version"].as_str(), message["alerts"][0]["annotations"]["summary"].as_str()),
        (Some("4"), Some("it burns"))
    );

    let list = app.call("GET", "/api/v1/alerts?filter=severity%3D%22page%22", &[], "").await.json();
    assert_eq!((list["items"].as_array().unwrap().len(), list["items"][0]["receivers"][0].as_str()), (1, Some("ops")));
    assert_eq!(app.call("GET", "/api/v1/alerts?state=odd", &[], "").await.verdict(), "400 GRID-0204");
    let mut deliveries = Value::Null;
    for _ in 0..200 {
        deliveries = app.call("GET", "/api/v1/deliveries?state=delivered", &[], "").await.json();
        if deliveries["items"][0]["status"] == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let first = &deliveries["items"][0];
    assert_eq!((&first["target"], &first["state"]), (&made["target"], &Value::from("delivered")));
    let whole = app.call("GET", &format!("/api/v1/deliveries/{}", first["id"].as_str().unwrap()), &[], "").await.json();
    assert_eq!(whole["message"]["status"], "firing");
    let id = first["id"].as_str().unwrap();
    assert_eq!(app.call("POST", &format!("/api/v1/deliveries/{id}/replay"), &[], "").await.verdict(), "404 GRID-0207");
    assert_eq!(app.call("POST", "/api/v1/deliveries/replay", &[], "").await.json()["queued"], 0);
    let receivers = app.call("GET", "/api/v1/receivers", &[], "").await.json();
    assert_eq!(
        (receivers["items"][0]["kind"].as_str(), &receivers["items"][0]["failing"]),
        (Some("webhook"), &Value::from(false))
    );
    assert!(app.call("GET", "/metrics", &[], "").await.text().contains("grid_notify_deliveries_total 1"));
    assert_eq!(
        app.call("GET", "/api/v1/deliveries", &["x-scope-orgid: other"], "").await.json()["items"],
        serde_json::json!([])
    );

    for (change, verdict) in [
        (("\"ops\"", "\"\""), "422 GRID-0803"),
        (("http://127.0.0.1", "http://10.0.0.1"), "422 GRID-0803"),
        (("\"0s\"", "\"x\""), "400 GRID-0204"),
        (("severity=", "severity=~("), "422 GRID-0803"),
    ] {
        let body = body.replace(change.0, change.1);
        assert_eq!(app.call("POST", "/api/v1/webhooks", &[], body).await.verdict(), verdict, "{change:?}");
    }
    assert_eq!(app.call("PUT", &path, &[], body.replace("\"ops\"", "\"oncall\"")).await.json()["version"], 3);
    assert_eq!(app.call("DELETE", &path, &[], "").await.status, 204);
    assert_eq!(app.call("GET", &path, &[], "").await.verdict(), "404 GRID-0207");
    token.cancel();
    running.await.unwrap();
}
