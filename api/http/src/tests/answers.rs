//! Routes one by one: statuses, shapes, errors.

use std::io::Write as _;

use grid_guard::AuthMode;
use serde_json::{Value, json};

use super::{App, NOW};

#[tokio::test]
async fn mistakes_are_told_with_code_and_place() {
    let app = App::new(AuthMode::Anonymous).await;
    // method | path | headers | body -> status and code | words of the answer
    type Case<'a> = (&'a str, &'a str, &'a [&'a str], &'a str, &'a str, &'a [&'a str]);
    let cases: &[Case] = &[
        ("GET", "/nope", &[], "", "404 GRID-0205", &["/nope"]),
        ("GET", "/api/v1/nope", &[], "", "404 GRID-0205", &[]),
        ("GET", "/assets/nope.js", &[], "", "404 GRID-0205", &[]),
        ("DELETE", "/api/v1/sql", &[], "", "405 GRID-0206", &["DELETE"]),
        ("PUT", "/healthz", &[], "", "405 GRID-0206", &[]),
        (
            "POST",
            "/api/v1/sql",
            &[],
            "{\"query\": \"SELECT 1\",\n \"params\": [1,}",
            "400 GRID-0201",
            &["\"line\":2", "\"column\":15"],
        ),
        ("POST", "/api/v1/sql", &[], "{}", "400 GRID-0201", &["missing field `query`"]),
        (
            "POST",
            "/api/v1/sql",
            &[],
            "{\"qeury\": \"SELECT 1\"}",
            "400 GRID-0201",
            &["unknown field `qeury`", "`query`"],
        ),
        ("POST", "/api/v1/sql", &["content-type: text/html"], "SELECT 1", "415 GRID-0202", &["application/sql"]),
        ("POST", "/api/v1/sql", &["accept: image/png"], "{\"query\": \"SELECT 1\"}", "406 GRID-0203", &["text/csv"]),
        ("GET", "/api/v1/sql", &[], "", "400 GRID-0204", &["query is missing"]),
        ("GET", "/api/v1/sql?query=SELECT+1&format=xml", &[], "", "400 GRID-0204", &["ndjson"]),
        ("GET", "/api/v1/sql?query=SELECT+1&limit=3", &[], "", "400 GRID-0204", &["limit"]),
        ("POST", "/api/v1/sql", &[], "{\"query\": \"SELEC 1\"}", "400 GRID-0400", &["\"line\":1"]),
        (
            "POST",
            "/api/v1/sql",
            &[],
            "{\"query\": \"SELECT * FROM log\"}",
            "404 GRID-0402",
            &["did you mean logs", "\"column\":15"],
        ),
        ("POST", "/api/v1/sql", &[], "{\"query\": \"DROP TABLE logs\"}", "403 GRID-0401", &["hint"]),
        ("POST", "/api/v1/sql", &["content-encoding: br"], "{\"query\": \"SELECT 1\"}", "415 GRID-0123", &["gzip"]),
        ("POST", "/api/v1/sql", &["content-encoding: gzip"], "{\"query\": \"SELECT 1\"}", "400 GRID-0124", &[]),
        ("GET", "/api/v1/queries?limit=0", &[], "", "400 GRID-0204", &["1 to 1000"]),
        ("GET", "/api/v1/queries?cursor=nope", &[], "", "400 GRID-0208", &[]),
        ("DELETE", "/api/v1/queries/nope", &[], "", "404 GRID-0207", &[]),
        ("GET", "/api/v1/imports/nope", &[], "", "404 GRID-0207", &[]),
        ("GET", "/api/v1/retention/nope", &[], "", "400 GRID-0204", &["samples"]),
        ("GET", "/api/v1/retention/logs", &[], "", "404 GRID-0207", &[]),
        ("PUT", "/api/v1/retention/logs", &[], "{\"keep\": \"a month\"}", "400 GRID-0204", &["30d"]),
        ("POST", "/api/v1/delete", &[], "{\"table\": \"series\", \"filter\": \"true\"}", "400 GRID-0204", &["logs"]),
        ("POST", "/api/v1/delete", &[], "{\"table\": \"logs\", \"filter\": \" \"}", "400 GRID-0204", &["true"]),
        (
            "POST",
            "/api/v1/delete",
            &[],
            "{\"table\": \"logs\", \"filter\": \"true\", \"start\": \"now\"}",
            "400 GRID-0204",
            &["RFC 3339"],
        ),
        ("POST", "/api/v1/delete", &[], "{\"table\": \"logs\", \"filter\": \"nope = 1\"}", "400 GRID-0403", &[]),
        (
            "POST",
            "/api/v1/tokens",
            &[],
            "{\"name\": \"x\", \"scopes\": [\"root\"]}",
            "400 GRID-0204",
            &["root", "admin"],
        ),
        ("POST", "/api/v1/tokens", &[], "{\"name\": \"\", \"scopes\": [\"query\"]}", "400 GRID-0204", &["name"]),
        ("POST", "/api/v1/tokens", &[], "{\"name\": \"x\", \"scopes\": []}", "400 GRID-0204", &["scope"]),
        (
            "POST",
            "/api/v1/tokens",
            &[],
            "{\"name\": \"x\", \"scopes\": [\"query\"], \"expires\": \"2020-01-01T00:00:00Z\"}",
            "400 GRID-0204",
            &["past"],
        ),
        ("DELETE", "/api/v1/tokens/nope", &[], "", "404 GRID-0207", &[]),
        ("POST", "/api/v1/admin/backup", &[], "{\"name\": \"../up\"}", "400 GRID-0204", &["folder"]),
        ("POST", "/api/v1/admin/backup", &[], "{\"name\": \"/tmp/x\"}", "400 GRID-0204", &["folder"]),
        ("POST", "/api/v1/admin/backup", &["content-type: text/plain"], "{}", "415 GRID-0202", &[]),
        ("POST", "/api/v1/imports", &[], "", "400 GRID-0504", &[]),
        ("POST", "/api/v1/imports", &["content-type: text/csv"], "unreadable", "422 GRID-0501", &["FOCUS"]),
        ("POST", "/api/v1/imports?x=1", &["content-type: text/csv"], "a", "400 GRID-0204", &[]),
        ("POST", "/api/v1/imports", &["content-type: text/csv", "content-encoding: zstd"], "a", "415 GRID-0123", &[]),
        ("POST", "/api/v1/imports", &["content-type: multipart/form-data"], "a", "400 GRID-0204", &["boundary"]),
        ("GET", "/api/v1/status", &["x-scope-orgid: a/b"], "", "400 GRID-0106", &[]),
        ("GET", "/api/v1/status", &["host: evil.example"], "", "403 GRID-0107", &[]),
        ("POST", "/api/v1/admin/flush", &["origin: http://evil.example"], "", "403 GRID-0108", &[]),
    ];
    for (method, path, headers, body, verdict, words) in cases {
        let got = app.call(method, path, headers, *body).await;
        let text = got.text();
        assert_eq!(got.verdict(), *verdict, "{method} {path} {body}: {text}");
        assert_eq!(got.headers["content-type"], "application/problem+json", "{method} {path}");
        for word in *words {
            assert!(text.contains(word), "{method} {path} {body}: no {word:?} in {text}");
        }
        let problem = got.json();
        assert_eq!(problem["status"], got.status.as_u16());
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{text}");
        assert!(got.headers.contains_key("content-security-policy"), "{method} {path}");
    }
    let got = app.call("DELETE", "/api/v1/sql", &[], "").await;
    assert!(got.headers.contains_key("allow"), "{:?}", got.headers);
}

#[tokio::test]
async fn health_and_readiness() {
    let app = App::new(AuthMode::Tokens).await;
    assert_eq!(app.get("/healthz", &[]).await.json(), json!({ "status": "ok", "version": "0.0.0-test" }));
    let ready = app.get("/readyz", &[]).await;
    assert_eq!((ready.status.as_u16(), &ready.json()["status"]), (200, &json!("ready")));
    app.state.drain();
    let draining = app.get("/readyz", &[]).await;
    assert_eq!((draining.status.as_u16(), &draining.json()["status"]), (503, &json!("not ready")));
    assert!(draining.text().contains("shutting down"));
}

#[tokio::test]
async fn pages_are_open_and_strict() {
    let app = App::new(AuthMode::Tokens).await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/assets/app.js", "text/javascript; charset=utf-8"),
        ("/assets/docs.js", "text/javascript; charset=utf-8"),
        ("/assets/app.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
        ("/api/v1/openapi.json", "application/json"),
    ] {
        let got = app.get(path, &[]).await;
        assert_eq!((got.status.as_u16(), got.headers["content-type"].to_str().unwrap()), (200, kind), "{path}");
        assert_eq!(got.headers["x-content-type-options"], "nosniff");
    }
    let docs = app.get("/docs", &[]).await.text();
    for code in crate::CODES {
        assert!(docs.contains(&format!("id=\"{}\"", code.code)));
    }
    let policy = app.get("/", &[]).await.headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn status_says_what_has_arrived() {
    let app = App::new(AuthMode::Anonymous).await;
    let empty = app.get("/api/v1/status", &[]).await.json();
    assert_eq!(empty["tenant"], "default");
    assert!(empty["tables"].as_array().unwrap().iter().all(|t| t["rows"] == 0), "{empty}");
    assert_eq!(empty["other_tenants"], false);
    app.seed("acme", "acme").await;
    for flushed in [false, true] {
        if flushed {
            let report = app.call("POST", "/api/v1/admin/flush", &[], "").await;
            assert_eq!(report.status, 200, "{}", report.text());
        }
        let status = app.get("/api/v1/status", &["x-scope-orgid: acme"]).await.json();
        for table in status["tables"].as_array().unwrap() {
            // Nobody sends rows of these: they are computed, or read from price files.
            let derived = ["prices", "allocations", "anomalies", "forecasts", "patterns", "recommendations"];
            let derived = derived.iter().any(|name| table["table"] == *name);
            assert_eq!(table["rows"], u8::from(!derived), "flushed {flushed}: {table}");
            if table["table"] != "series" && !derived {
                assert_eq!(table["last_time"], "2026-10-28T00:00:00Z", "{table}");
            }
        }
        assert_eq!(status["series"], 1);
        let sources: Vec<String> = status["sources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| format!("{} {}", s["kind"].as_str().unwrap(), s["name"].as_str().unwrap()))
            .collect();
        for want in ["logs service-acme", "spans service-acme", "metrics job-acme", "bills acme-dataset"] {
            assert!(sources.iter().any(|s| s == want), "flushed {flushed}: no {want} in {sources:?}");
        }
    }
    assert_eq!(app.get("/api/v1/status", &[]).await.json()["other_tenants"], true);
}

#[tokio::test]
async fn metrics_are_well_formed() {
    let app = App::new(AuthMode::Anonymous).await;
    app.seed("acme", "acme").await;
    app.query("SELECT 1", &[]).await;
    app.query("SELEC 1", &[]).await;
    let got = app.get("/metrics", &[]).await;
    assert!(got.headers["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = got.text();
    for line in [
        "# TYPE process_resident_memory_bytes gauge",
        "# TYPE grid_store_appended_rows_total counter",
        "grid_query_total{language=\"sql\",outcome=\"done\"} 1",
        "grid_query_total{language=\"sql\",outcome=\"failed\"} 1",
        "grid_query_duration_seconds_count{language=\"sql\"} 2",
        "grid_guard_refused_requests_total{code=\"GRID-0400\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "no {line:?} in\n{text}");
    }
    assert!(!text.contains("acme"), "metrics name a tenant");
    let mut helped = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(helped.insert(rest.split(' ').next().unwrap().to_owned()), "{line}");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|s| name.strip_suffix(s)).unwrap_or(name);
            assert!(helped.contains(name) || helped.contains(family), "{line}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[tokio::test]
async fn retention_is_set_read_dropped_and_applied() {
    let app = App::new(AuthMode::Anonymous).await;
    let put = app.call("PUT", "/api/v1/retention/logs", &[], "{\"keep\": \"90m\"}").await;
    assert_eq!(put.json(), json!({ "table": "logs", "keep": "1h30m" }));
    app.call("PUT", "/api/v1/retention/spans", &[], "{\"keep\": \"30d\"}").await;
    let first = app.get("/api/v1/retention?limit=1", &[]).await.json();
    assert_eq!(first, json!({ "items": [{ "table": "logs", "keep": "1h30m" }], "next_cursor": "logs" }));
    let second = app.get("/api/v1/retention?limit=1&cursor=logs", &[]).await.json();
    assert_eq!(second, json!({ "items": [{ "table": "spans", "keep": "30d" }], "next_cursor": null }));
    assert_eq!(app.get("/api/v1/retention", &["x-scope-orgid: other"]).await.json()["items"], json!([]));
    assert_eq!(app.call("DELETE", "/api/v1/retention/logs", &[], "").await.status, 204);
    assert_eq!(app.call("DELETE", "/api/v1/retention/logs", &[], "").await.verdict(), "404 GRID-0207");
}

#[tokio::test]
async fn rows_are_counted_then_deleted() {
    let app = App::new(AuthMode::Anonymous).await;
    app.seed("default", "one").await;
    app.seed("default", "two").await;
    let rows = async || app.query("SELECT count(*) AS n FROM logs", &[]).await.json()["rows"][0]["n"].clone();
    assert_eq!(rows().await, json!(2));
    let delete = |filter: &str, dry_run: bool| {
        json!({ "table": "logs", "filter": filter, "end": "2027-01-01T00:00:00Z", "dry_run": dry_run }).to_string()
    };
    let dry = app.call("POST", "/api/v1/delete", &[], delete("service = 'service-one'", true)).await.json();
    assert_eq!((&dry["rows_deleted"], &dry["dry_run"]), (&json!(1), &json!(true)));
    assert_eq!(rows().await, json!(2));
    let done = app.call("POST", "/api/v1/delete", &[], delete("service = 'service-one'", false)).await.json();
    assert_eq!(done["rows_deleted"], 1, "{done}");
    assert_eq!(rows().await, json!(1));
    let early = json!({ "table": "logs", "filter": "true", "end": 1000, "dry_run": false }).to_string();
    assert_eq!(app.call("POST", "/api/v1/delete", &[], early).await.json()["rows_deleted"], 0);
    let again = app.call("POST", "/api/v1/delete", &[], delete("service = 'service-one'", false)).await.json();
    assert_eq!(again["rows_deleted"], 0);
    assert_eq!(rows().await, json!(1));
}

#[tokio::test]
async fn tokens_never_give_more_than_they_hold() {
    let app = App::new(AuthMode::Tokens).await;
    let bearer = |t: &str| format!("authorization: Bearer {t}");
    let root = bearer(&app.token("*", "ingest,query,admin").await);
    let local = bearer(&app.token("a,b", "query,admin").await);
    // maker | body -> verdict
    let cases: &[(&str, Value, &str)] = &[
        (&root, json!({ "name": "x", "tenants": ["*"], "scopes": ["admin"] }), "201"),
        (&root, json!({ "name": "x", "scopes": ["ingest"], "expires": "90d" }), "201"),
        (&local, json!({ "name": "x", "tenants": ["a"], "scopes": ["query"] }), "201"),
        (&local, json!({ "name": "x", "tenants": ["a", "b"], "scopes": ["query", "admin"] }), "201"),
        (&local, json!({ "name": "x", "tenants": ["c"], "scopes": ["query"] }), "403 GRID-0209"),
        (&local, json!({ "name": "x", "tenants": ["*"], "scopes": ["query"] }), "403 GRID-0209"),
        (&local, json!({ "name": "x", "tenants": ["a"], "scopes": ["ingest"] }), "403 GRID-0209"),
    ];
    for (maker, body, verdict) in cases {
        let got = app.call("POST", "/api/v1/tokens", &[maker], body.to_string()).await;
        assert_eq!(got.verdict(), *verdict, "{body}: {}", got.text());
    }
    let made = app
        .call(
            "POST",
            "/api/v1/tokens",
            &[&local],
            json!({ "name": "reader", "tenants": ["b"], "scopes": ["query"] }).to_string(),
        )
        .await
        .json();
    let secret = made["token"].as_str().unwrap();
    assert_eq!(app.get("/api/v1/status", &[&bearer(secret)]).await.json()["tenant"], "b");
    assert_eq!(app.get("/api/v1/tokens", &[&bearer(secret)]).await.verdict(), "403 GRID-0104");

    let seen = app.get("/api/v1/tokens", &[&local]).await;
    assert!(!seen.text().contains(secret) && !seen.text().contains("hash"));
    assert_eq!(seen.json()["items"].as_array().unwrap().len(), 4, "{}", seen.text());
    let all = app.get("/api/v1/tokens", &[&root]).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 7);
    // What one may not see, one may not revoke.
    let foreign = all["items"][0]["id"].as_str().unwrap();
    assert_eq!(
        app.call("DELETE", &format!("/api/v1/tokens/{foreign}"), &[&local], "").await.verdict(),
        "404 GRID-0207"
    );
    let mine = made["id"].as_str().unwrap();
    assert_eq!(app.call("DELETE", &format!("/api/v1/tokens/{mine}"), &[&local], "").await.status, 204);
    assert_eq!(app.get("/api/v1/status", &[&bearer(secret)]).await.verdict(), "401 GRID-0102");

    // Tokens outlive the process.
    let config =
        grid_guard::GuardConfig { auth: AuthMode::Tokens, clock: std::sync::Arc::new(|| NOW), ..Default::default() };
    let reopened = grid_guard::Guard::new(app.state.store.clone(), config);
    assert_eq!(reopened.tokens().await.unwrap().len(), 6);
}

#[tokio::test]
async fn maintenance_needs_every_tenant() {
    let app = App::new(AuthMode::Tokens).await;
    let local = format!("authorization: Bearer {}", app.token("a", "admin").await);
    let root = format!("authorization: Bearer {}", app.token("*", "admin").await);
    app.seed("a", "a").await;
    for action in ["flush", "compact", "expire", "backup"] {
        let path = format!("/api/v1/admin/{action}");
        assert_eq!(app.call("POST", &path, &[&local], "").await.verdict(), "403 GRID-0210", "{action}");
        let got = app.call("POST", &path, &[&root], "").await;
        assert_eq!(got.status, 200, "{action}: {}", got.text());
    }
    assert_eq!(std::fs::read_dir(app.dir.path().join("backups")).unwrap().count(), 1);
}

#[tokio::test]
async fn bodies_may_be_packed() {
    let app = App::new(AuthMode::Anonymous).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"{\"query\": \"SELECT 41 + 1 AS n\"}").unwrap();
    let headers = ["content-encoding: gzip", "content-type: application/json"];
    let got = app.call("POST", "/api/v1/sql", &headers, gzip.finish().unwrap()).await;
    assert_eq!(got.json()["rows"], json!([{ "n": 42 }]), "{}", got.text());
}
