//! SQL over HTTP: formats, parameters, bounds, endings.

use std::time::Duration;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use axum::body::Body;
use axum::extract::Request;
use grid_guard::AuthMode;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::App;

const THREE: &str = "SELECT * FROM (VALUES (1, 'a'), (2, NULL), (3, 'x,\"y')) AS t(n, s) ORDER BY n";

#[tokio::test]
async fn the_client_chooses_the_format() {
    let app = App::new(AuthMode::Anonymous).await;
    let rows = json!([{ "n": 1, "s": "a" }, { "n": 2, "s": null }, { "n": 3, "s": "x,\"y" }]);
    for accept in ["application/json", "*/*", "text/csv;q=0.1, application/json"] {
        let got = app.query(THREE, &[&format!("accept: {accept}")]).await;
        assert_eq!(got.headers["content-type"], "application/json");
        assert_eq!(got.json()["rows"], rows, "{accept}");
        assert_eq!(got.json()["columns"][0]["name"], "n");
        assert!(got.headers.contains_key("x-grid-query-id"));
    }
    let lines = app.query(THREE, &["accept: application/x-ndjson"]).await.text();
    let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(Value::Array(lines), rows);
    let csv = app.query(THREE, &["accept: text/csv"]).await.text();
    assert_eq!(csv, "n,s\r\n1,a\r\n2,\r\n3,\"x,\"\"y\"\r\n");

    let arrow = app.query(THREE, &["accept: application/vnd.apache.arrow.stream"]).await.body;
    let batches: Vec<_> =
        arrow::ipc::reader::StreamReader::try_new(arrow.as_slice(), None).unwrap().map(Result::unwrap).collect();
    let n: Vec<i64> = batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    assert_eq!(n, [1, 2, 3]);
    let parquet = app.query(THREE, &["accept: application/vnd.apache.parquet"]).await.body;
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

#[tokio::test]
async fn a_statement_comes_in_many_ways() {
    let app = App::new(AuthMode::Anonymous).await;
    let want = json!([{ "n": 42 }]);
    let post = |kind: &'static str| [kind, "accept: application/json"];
    let ways = [
        app.call("POST", "/api/v1/sql", &post("content-type: application/sql"), "SELECT 42 AS n").await,
        app.call("POST", "/api/v1/sql", &post("content-type: text/plain; charset=utf-8"), "SELECT 42 AS n").await,
        app.call("POST", "/api/v1/sql?query=SELECT+42+AS+n", &[], "").await,
        app.get("/api/v1/sql?query=SELECT%2042%20AS%20n", &[]).await,
        app.get("/api/v1/sql?query=SELECT%20%241%20%2B%202%20AS%20n&params=%5B40%5D&format=json", &[]).await,
        app.call("POST", "/api/v1/sql", &[], "{\"query\": \"SELECT $1 + $2 AS n\", \"params\": [40, 2]}").await,
    ];
    for (i, got) in ways.iter().enumerate() {
        assert_eq!(got.status, 200, "way {i}: {}", got.text());
        assert_eq!(got.json()["rows"], want, "way {i}: {}", got.text());
    }
    let twice = app.call("POST", "/api/v1/sql?query=SELECT+1", &[], "{\"query\": \"SELECT 2\"}").await;
    assert_eq!(twice.verdict(), "400 GRID-0204");
    let short = app.call("POST", "/api/v1/sql", &[], "{\"query\": \"SELECT $1, $2\", \"params\": [1]}").await;
    assert_eq!(short.verdict(), "400 GRID-0406", "{}", short.text());
}

#[tokio::test]
async fn bounds_are_errors_with_a_status() {
    let app = App::new(AuthMode::Anonymous).await;
    let body = json!({ "query": "SELECT unnest(range(0, 1000)) AS n", "max_rows": 10 }).to_string();
    let got = app.call("POST", "/api/v1/sql", &[], body).await;
    assert_eq!(got.verdict(), "422 GRID-0411", "{}", got.text());
    let slow = "SELECT count(*) FROM (SELECT unnest(range(0, 100000)) AS n) a, (SELECT unnest(range(0, 100000)) AS n) b WHERE a.n * b.n % 7 = 3";
    let got = app.call("POST", "/api/v1/sql", &[], json!({ "query": slow, "timeout_ms": 50 }).to_string()).await;
    assert_eq!(got.verdict(), "408 GRID-0408", "{}", got.text());
    nothing_runs(&app).await;
}

/// A query ends soon after its reason to run did.
async fn nothing_runs(app: &App) {
    for _ in 0..500 {
        if app.get("/api/v1/queries", &[]).await.json()["running"] == json!([]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a query still runs");
}

/// An error after rows have flowed: NDJSON says so in its last line, the others break off.
#[tokio::test]
async fn late_errors_are_not_hidden() {
    let app = App::new(AuthMode::Anonymous).await;
    let late = "SELECT 1 / (a.n * 1000 + b.n - 900500) AS x
        FROM (SELECT unnest(range(0, 1000)) AS n) a, (SELECT unnest(range(0, 1000)) AS n) b";
    let lines = app.query(late, &["accept: application/x-ndjson"]).await;
    assert_eq!(lines.status, 200, "rows flow before the error: {}", lines.text());
    let text = lines.text();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "GRID-0407", "{last}");
    assert!(text.lines().count() > 1000);
    for accept in ["application/json", "text/csv", "application/vnd.apache.arrow.stream"] {
        let got = app.query(late, &[&format!("accept: {accept}")]).await;
        assert!(got.text().starts_with("broken off"), "{accept}: {} bytes", got.body.len());
    }
}

#[tokio::test]
async fn a_dropped_connection_ends_its_query() {
    let app = App::new(AuthMode::Anonymous).await;
    let endless = "SELECT a.n FROM (SELECT unnest(range(0, 1000)) AS n) a, (SELECT unnest(range(0, 1000)) AS n) b, (SELECT unnest(range(0, 1000)) AS n) c";
    let request = Request::post("/api/v1/sql")
        .header("content-type", "application/sql")
        .header("accept", "text/csv")
        .body(Body::from(endless))
        .unwrap();
    let response = app.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let running = async || app.get("/api/v1/queries", &[]).await.json()["running"].as_array().unwrap().clone();
    assert_eq!(running().await.len(), 1);
    // Other tenants do not see it and cannot end it.
    let id = running().await[0]["id"].as_str().unwrap().to_owned();
    let other = ["x-scope-orgid: other"];
    assert_eq!(app.get("/api/v1/queries", &other).await.json()["running"], json!([]));
    assert_eq!(app.call("DELETE", &format!("/api/v1/queries/{id}"), &other, "").await.verdict(), "404 GRID-0207");
    drop(response);
    nothing_runs(&app).await;
}

#[tokio::test]
async fn a_query_can_be_ended() {
    let app = App::new(AuthMode::Anonymous).await;
    let endless = "SELECT a.n FROM (SELECT unnest(range(0, 1000)) AS n) a, (SELECT unnest(range(0, 1000)) AS n) b, (SELECT unnest(range(0, 1000)) AS n) c";
    let request = Request::post("/api/v1/sql")
        .header("content-type", "application/sql")
        .header("accept", "application/x-ndjson")
        .body(Body::from(endless))
        .unwrap();
    let response = app.router.clone().oneshot(request).await.unwrap();
    let id = response.headers()["x-grid-query-id"].to_str().unwrap().to_owned();
    assert_eq!(app.call("DELETE", &format!("/api/v1/queries/{id}"), &[], "").await.status, 204);
    use http_body_util::BodyExt as _;
    let body = tokio::time::timeout(Duration::from_secs(20), response.into_body().collect()).await.unwrap().unwrap();
    let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "GRID-0409", "{last}");
}

/// The page's examples, read out of its source, run as they stand.
#[tokio::test]
async fn the_examples_of_the_page_run() {
    let app = App::new(AuthMode::Anonymous).await;
    app.seed("default", "demo").await;
    let source = include_str!("../web/app.js");
    let list = source.split("const EXAMPLES = [").nth(1).unwrap().split("\n];").next().unwrap();
    let mut ran = 0;
    for line in list.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let (_, text) = line.split_once("', ").unwrap();
        let quote = text.chars().next().unwrap();
        let sql = text[1..].rsplit_once(quote).unwrap().0.replace("\\n", "\n");
        for (flushed, store) in [(false, &app.state.store), (true, &app.state.store)] {
            if flushed {
                store.flush().await.unwrap();
            }
            let got = app.query(&sql, &[]).await;
            assert_eq!(got.status, 200, "{sql}, flushed {flushed}: {}", got.text());
        }
        ran += 1;
    }
    assert!(ran >= 8, "{ran}");
}
