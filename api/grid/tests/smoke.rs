//! The built binary from outside: serve, write, ask, stop, start again, ask again.
#![allow(missing_docs, clippy::unwrap_used)]

#[allow(dead_code, reason = "each suite uses a part of it")]
#[path = "smoke/process.rs"]
mod process;

use std::time::Duration;

use process::{Server, run};
use serde_json::{Value, json};

/// 2026-11-23T10:00:00Z, far enough from every clock to show that time is data.
const TIME_NS: u64 = 1_795_428_000_000_000_000;

fn otlp_logs(service: &str, bodies: &[&str]) -> Value {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(i, body)| {
            json!({
                "timeUnixNano": (TIME_NS + i as u64).to_string(),
                "severityNumber": 9,
                "severityText": "INFO",
                "body": { "stringValue": body },
                "attributes": [{ "key": "order", "value": { "intValue": i.to_string() } }],
            })
        })
        .collect();
    json!({ "resourceLogs": [{
        "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] },
        "scopeLogs": [{ "scope": { "name": "smoke" }, "logRecords": records }],
    }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "SELECT service, body, severity FROM logs ORDER BY time";
    let expected = json!([
        { "service": "shop", "body": "one", "severity": "INFO" },
        { "service": "shop", "body": "two", "severity": "INFO" },
    ]);

    let server = Server::start(dir.path(), &[]);
    let answer = server.post("/v1/logs", &otlp_logs("shop", &["one", "two"])).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    assert_eq!(server.sql(sql).await, expected, "visible at once");
    let code = server.terminate();
    assert_eq!(code, Some(0), "a drained server exits with 0");

    let server = Server::start(dir.path(), &[]);
    assert_eq!(server.sql(sql).await, expected, "still there after a clean stop");
    let answer = server.post("/v1/logs", &otlp_logs("shop", &["three"])).await;
    assert_eq!(answer.status(), 200);
    server.kill();

    let server = Server::start(dir.path(), &[]);
    assert_eq!(server.ready["recovered_rows"].as_u64(), Some(1), "kill -9 loses nothing: {}", server.ready);
    let rows = server.sql("SELECT count(*) AS n FROM logs").await;
    assert_eq!(rows, json!([{ "n": 3 }]));
    assert_eq!(server.terminate(), Some(0));

    // The same rows, straight from the directory.
    let out = run(&["query", sql, "-o", "csv", "--data-dir", dir.path().to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8_lossy(&out.stdout).lines().next(), Some("service,body,severity"));
    assert_eq!(String::from_utf8_lossy(&out.stdout).lines().count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_do_not_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let answer = server.post_as("team-a", "/v1/logs", &otlp_logs("a", &["secret"])).await;
    assert_eq!(answer.status(), 200);
    let sql = "SELECT count(*) AS n FROM logs";
    assert_eq!(server.sql_as("team-a", sql).await, json!([{ "n": 1 }]));
    assert_eq!(server.sql(sql).await, json!([{ "n": 0 }]));
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_directory_and_a_taken_port_are_refused_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);

    let out = run(&["query", "SELECT 1", "--data-dir", dir.path().to_str().unwrap()]);
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1));
    assert!(stderr.contains(&server.url), "names the address: {stderr}");

    let other = tempfile::tempdir().unwrap();
    let out = run(&[
        "serve",
        "--data-dir",
        other.path().to_str().unwrap(),
        "--listen",
        server.url.trim_start_matches("http://"),
    ]);
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1));
    assert!(stderr.contains("in use") && stderr.contains("--listen"), "{stderr}");

    let out = run(&["serve", "--data-dir", other.path().to_str().unwrap(), "--listen", "0.0.0.0:0"]);
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1));
    assert!(stderr.contains("--allow-anonymous"), "{stderr}");

    // Without flags the server is found by itself; through it the same verbs work.
    let out = process::run_with(
        &["query", "SELECT 1 AS one", "-o", "json"],
        &[("GRID__STORAGE__DATA_DIR", dir.path().to_str().unwrap())],
    );
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!([{ "one": 1 }]),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn own_telemetry_arrives_and_does_not_feed_on_itself() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[("GRID__TELEMETRY__INTERVAL", "1s"), ("GRID__TELEMETRY__TO", "self")]);
    let mut spans = 0;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        server.sql("SELECT 1").await;
        spans = count(&server.sql_as("grid", "SELECT count(*) AS n FROM spans WHERE name LIKE '%/api/v1/sql'").await);
        let logs = count(&server.sql_as("grid", "SELECT count(*) AS n FROM logs WHERE body = 'ready'").await);
        let samples = count(&server.sql_as("grid", "SELECT count(*) AS n FROM samples").await);
        if spans > 0 && logs > 0 && samples > 0 {
            break;
        }
    }
    assert!(spans > 0, "own spans arrive");
    // Nothing asks as tenant `grid` any more, so nothing but metrics may grow.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let before = count(&server.sql_as("grid", "SELECT count(*) AS n FROM spans").await);
    tokio::time::sleep(Duration::from_secs(7)).await;
    let after = count(&server.sql_as("grid", "SELECT count(*) AS n FROM spans").await);
    assert_eq!(before, after, "receiving own telemetry is not itself recorded");
    assert_eq!(server.terminate(), Some(0));
}

fn count(rows: &Value) -> u64 {
    rows[0]["n"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tokens_on_nobody_comes_in_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().to_str().unwrap();
    let out = run(&["token", "create", "--name", "writer", "--scope", "ingest", "--data-dir", data_dir]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let writer = String::from_utf8(out.stdout).unwrap().trim().to_owned();
    let out = run(&["token", "create", "--name", "reader", "--scope", "query", "--data-dir", data_dir]);
    let reader = String::from_utf8(out.stdout).unwrap().trim().to_owned();

    let server = Server::start(dir.path(), &[("GRID__AUTH__MODE", "tokens")]);
    let body = otlp_logs("shop", &["one"]);
    assert_eq!(server.post("/v1/logs", &body).await.status(), 401);
    assert_eq!(server.post_with(&reader, "/v1/logs", &body).await.status(), 403);
    assert_eq!(server.post_with(&writer, "/v1/logs", &body).await.status(), 200);

    let token_file = dir.path().join("token");
    std::fs::write(&token_file, &reader).unwrap();
    let out = run(&[
        "query",
        "SELECT body FROM logs",
        "-o",
        "csv",
        "--url",
        &server.url,
        "--token-file",
        token_file.to_str().unwrap(),
    ]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(text.lines().collect::<Vec<_>>(), ["body", "one"], "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait_for_slow_senders() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path(), &[]);
    let mut slow = std::net::TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let head =
        "POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    slow.write_all(head.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.signal("TERM");
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(server.is_running(), "the first signal lets the request finish");
    assert_eq!(server.terminate(), Some(130), "the second one does not");
}

#[test]
fn mistakes_in_settings_are_shown_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("grid.toml");
    std::fs::write(&file, "[sevrer]\nhttp = \"x\"\n[query]\ntimeout = 5\n").unwrap();
    let out = run(&["--config", file.to_str().unwrap(), "serve"]);
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1));
    for part in ["did you mean `server`?", "grid.toml:1:2", "grid.toml:4:11", "2 mistakes"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
}

#[test]
fn commands_without_data_work_anywhere() {
    for (args, part) in [
        (vec!["config", "show", "--origin"], "http = \"127.0.0.1:7080\""),
        (vec!["explain", "412"], "GRID-0412"),
        (vec!["completions", "bash"], "_grid"),
        (vec!["--version"], "grid"),
    ] {
        let out = run(&args);
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        assert!(String::from_utf8_lossy(&out.stdout).contains(part), "{args:?}");
    }
}
