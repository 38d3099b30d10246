//! One tenant's data never reaches another: over every route, over every kind of statement, by whatever name.

use std::collections::BTreeSet;

use grid_guard::AuthMode;
use grid_model::TenantId;
use serde_json::{Value, json};

use super::{App, rows};
use crate::groups;

/// In every text of the victim's data; no request of the attacker holds it.
const SECRET: &str = "xyzzy_of_a";

/// What the attacker, tenant `b`, sends to each route. A route without an entry fails the test.
fn attempts(route: &str, import: &str, token: &str) -> Vec<(String, String)> {
    let at = |path: &str, body: Value| {
        vec![(path.to_owned(), if body.is_null() { String::new() } else { body.to_string() })]
    };
    match route {
        "GET /healthz"
        | "GET /readyz"
        | "GET /api/v1/openapi.json"
        | "GET /docs"
        | "GET /"
        | "GET /metrics"
        | "GET /api/v1/status"
        | "GET /api/v1/queries"
        | "GET /api/v1/imports"
        | "GET /api/v1/commitments"
        | "GET /api/v1/commitments/calendar"
        | "GET /api/v1/commitments/recommendations"
        | "GET /api/v1/prices"
        | "GET /api/v1/prices/effective"
        | "GET /api/v1/costs"
        | "GET /api/v1/costs/allocation"
        | "GET /api/v1/costs/joins"
        | "GET /api/v1/costs/rules"
        | "DELETE /api/v1/costs/rules"
        | "GET /api/v1/rules"
        | "GET /api/v1/rules/alerts"
        | "GET /api/v1/alerts"
        | "GET /api/v1/tokens" => at(route.split_once(' ').unwrap().1, Value::Null),
        "GET /assets/{file}" => at("/assets/app.js", Value::Null),
        "GET /api/v1/sql" => STATEMENTS
            .iter()
            .map(|s| {
                let encoded: String = s.bytes().map(|b| format!("%{b:02X}")).collect();
                (format!("/api/v1/sql?format=csv&query={encoded}"), String::new())
            })
            .collect(),
        "POST /api/v1/sql" => {
            STATEMENTS.iter().map(|s| ("/api/v1/sql".to_owned(), json!({ "query": s }).to_string())).collect()
        }
        "DELETE /api/v1/queries/{id}" => (0..20).map(|n| (format!("/api/v1/queries/{n}"), String::new())).collect(),
        "GET /api/v1/costs/units" => {
            at("/api/v1/costs/units?sql=SELECT%201%20AS%20units&from=2020-01-01&to=2030-01-01", Value::Null)
        }
        "POST /api/v1/costs/allocation" => at("/api/v1/costs/allocation", json!({ "all": true })),
        "PUT /api/v1/costs/rules" => {
            at("/api/v1/costs/rules", json!({ "text": "[[rule]]\nname = \"x\"\nassign = { owner = \"{account}\" }\n" }))
        }
        "GET /api/v1/costs/documents/{subject}" | "DELETE /api/v1/costs/documents/{subject}" => {
            at("/api/v1/costs/documents/aliases", Value::Null)
        }
        "PUT /api/v1/costs/documents/{subject}" => at("/api/v1/costs/documents/aliases", json!({ "text": "a,b,,\n" })),
        "GET /opencost/allocation/compute" => {
            at("/opencost/allocation/compute?window=7d&includeIdle=true", Value::Null)
        }
        "POST /api/v1/imports" => at("/api/v1/imports?dataset=b", json!({ "a": "bill" })),
        "POST /api/v1/imports/prices" => vec![("/api/v1/imports/prices?name=b".to_owned(), "price of b".to_owned())],
        "GET /api/v1/prices/lookup" => {
            at("/api/v1/prices/lookup?provider=aws&region=mars&resource_type=price%20of%20xyzzy_of_a", Value::Null)
        }
        "GET /api/v1/imports/{id}" => at(&format!("/api/v1/imports/{import}"), Value::Null),
        "POST /api/v1/delete" => ["samples", "exemplars", "metadata", "logs", "spans", "charges"]
            .iter()
            .flat_map(|t| {
                [true, false].map(|dry| {
                    ("/api/v1/delete".to_owned(), json!({ "table": t, "filter": "true", "dry_run": dry }).to_string())
                })
            })
            .collect(),
        "GET /api/v1/retention" => at("/api/v1/retention", Value::Null),
        "GET /api/v1/retention/{table}" | "DELETE /api/v1/retention/{table}" => {
            at("/api/v1/retention/spans", Value::Null)
        }
        "PUT /api/v1/retention/{table}" => ["samples", "logs", "spans", "charges"]
            .iter()
            .flat_map(|t| at(&format!("/api/v1/retention/{t}"), json!({ "keep": "1s" })))
            .collect(),
        "POST /api/v1/admin/flush" | "POST /api/v1/admin/compact" | "POST /api/v1/admin/expire" => {
            at(route.split_once(' ').unwrap().1, Value::Null)
        }
        "POST /api/v1/admin/backup" => at("/api/v1/admin/backup", json!({})),
        "POST /api/v1/tokens" => ["a", "*", "b"]
            .iter()
            .flat_map(|t| at("/api/v1/tokens", json!({ "name": "mine", "tenants": [t], "scopes": ["query"] })))
            .collect(),
        "DELETE /api/v1/tokens/{id}" => at(&format!("/api/v1/tokens/{token}"), Value::Null),
        "GET /api/v1/costs/report" => ["json", "html", "markdown", "csv", "table"]
            .iter()
            .flat_map(|f| at(&format!("/api/v1/costs/report?from=2026-10&to=2026-11-01&format={f}"), Value::Null))
            .collect(),
        "GET /api/v1/costs/trend" => {
            at("/api/v1/costs/trend?by=service,account,resource&provisional=true", Value::Null)
        }
        "GET /api/v1/costs/forecast" => at("/api/v1/costs/forecast?by=service", Value::Null),
        "GET /api/v1/costs/variance" => at("/api/v1/costs/variance?by=service,sku", Value::Null),
        "GET /api/v1/costs/provisional" => at("/api/v1/costs/provisional", Value::Null),
        "GET /api/v1/costs/reports" => at("/api/v1/costs/reports", Value::Null),
        "GET /api/v1/costs/reports/{id}" | "DELETE /api/v1/costs/reports/{id}" => {
            at("/api/v1/costs/reports/theirs", Value::Null)
        }
        "PUT /api/v1/costs/reports/{id}" => at("/api/v1/costs/reports/theirs", json!({ "by": "service" })),
        "GET /api/v1/charges/export" => ["focus", "billing-period", "invoice-detail"]
            .iter()
            .flat_map(|set| at(&format!("/api/v1/charges/export?dataset={set}"), Value::Null))
            .chain(at("/api/v1/charges/export", Value::Null))
            .collect(),
        "GET /api/v1/rules/{namespace}/{group}" | "DELETE /api/v1/rules/{namespace}/{group}" => {
            at("/api/v1/rules/team/theirs", Value::Null)
        }
        "PUT /api/v1/rules/{namespace}/{group}" => {
            vec![("/api/v1/rules/team/theirs".to_owned(), "name: theirs\nrules: []\n".to_owned())]
        }
        "POST /api/v1/estimates" => at("/api/v1/estimates", json!({ "format_version": "1.2" })),
        "GET /api/v1/budgets" => at("/api/v1/budgets?limit=1000", Value::Null),
        "GET /api/v1/budgets/{id}" | "DELETE /api/v1/budgets/{id}" => at("/api/v1/budgets/theirs", Value::Null),
        "GET /api/v1/budgets/{id}/status" => at("/api/v1/budgets/theirs/status", Value::Null),
        "POST /api/v1/budgets" => at("/api/v1/budgets", json!({ "name": "theirs", "amount": "1", "currency": "USD" })),
        "PUT /api/v1/budgets/{id}" => at("/api/v1/budgets/theirs", json!({ "amount": "1", "currency": "USD" })),
        // Each takes what it knows of these.
        route if route.contains(" /prometheus/") => {
            let path = route.split_once(' ').unwrap().1;
            let all = "%7B__name__%21%3D%22%22%7D";
            ["__name__", "job", "tenant"]
                .iter()
                .map(|label| {
                    let path = path.replace("{name}", label);
                    let query = format!("query={all}&match%5B%5D={all}&start=0&end=9999999999&time=9999999999");
                    (format!("{path}?{query}&step=9999999"), String::new())
                })
                .collect()
        }
        // Alerts, and what jobs found: lists of everything, and names that one could guess.
        route if OF_INSIGHT.iter().any(|part| route.contains(part)) => {
            let path = route.split_once(' ').unwrap().1.replace("{id}", "theirs");
            at(&path, if route.starts_with("GET") { Value::Null } else { json!({ "reason": "mine" }) })
        }
        // The desk: its lists, and names that one could guess.
        route if OF_DESK.iter().any(|part| route.contains(part)) => {
            let path = route.split_once(' ').unwrap().1;
            let path = ["{id}", "{other}", "{name}", "{environment}"]
                .iter()
                .fold(path.to_owned(), |p, part| p.replace(part, "theirs"));
            at(&path, if route.starts_with("GET") { Value::Null } else { json!({}) })
        }
        other => panic!("{other} has no attempt here: add one"),
    }
}

const OF_INSIGHT: [&str; 11] = [
    "/alertmanager/api/v2/alerts",
    "/api/v1/receivers",
    "/api/v1/silences",
    "/api/v1/webhooks",
    "/api/v1/deliveries",
    "/api/v1/anomalies",
    "/api/v1/incidents",
    "/api/v1/forecasts",
    "/api/v1/patterns",
    "/api/v1/recommendations",
    "/api/v1/jobs",
];

const OF_DESK: [&str; 9] = [
    "/api/v1/types",
    "/api/v1/resources",
    "/api/v1/environments",
    "/api/v1/plans",
    "/api/v1/releases",
    "/api/v1/queues",
    "/api/v1/scaling",
    "/api/v1/actions",
    "/api/v1/audit",
];

const STATEMENTS: &[&str] = &[
    "SELECT * FROM samples",
    "SELECT * FROM series",
    "SELECT * FROM exemplars",
    "SELECT * FROM metadata",
    "SELECT * FROM logs",
    "SELECT * FROM spans",
    "SELECT * FROM charges",
    "SELECT * FROM prices",
    "SELECT * FROM effective_prices",
    "SELECT * FROM alerts",
    "SELECT * FROM actions",
    "SELECT * FROM audit",
    "SELECT * FROM plans",
    "SELECT * FROM releases",
    "SELECT * FROM resources",
    "SELECT * FROM savings",
    "SELECT * FROM grid.files",
    "SELECT * FROM grid.imports",
    "SELECT * FROM grid.rejects",
    "SELECT * FROM grid.conformance",
    "SELECT * FROM grid.queries",
    "SELECT * FROM grid.generations",
    "SELECT * FROM grid.jobs",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM information_schema.schemata",
    "SELECT * FROM information_schema.df_settings",
    "SHOW TABLES",
    "SHOW COLUMNS FROM logs",
    "SHOW ALL",
    "DESCRIBE logs",
    "EXPLAIN SELECT * FROM logs",
    "EXPLAIN ANALYZE SELECT * FROM logs WHERE match(body, 'secret')",
    "EXPLAIN VERBOSE SELECT * FROM charges",
    "SELECT body FROM logs WHERE match(body, 'secret')",
    "SELECT count(*), max(body) FROM logs",
    "WITH x AS (SELECT * FROM logs) SELECT * FROM x UNION ALL SELECT * FROM x",
    "SELECT * FROM logs a FULL JOIN logs b ON true",
    "SELECT * FROM a.logs",
    "SELECT * FROM \"a\".\"logs\"",
    "SELECT * FROM a.public.logs",
    "SELECT * FROM grid.a.logs",
    "SELECT * FROM metrics.\"metric_xyzz\"",
    "SELECT * FROM metrics.\"metric_\"",
    "SELECT * FROM \"../a/logs\"",
    "SELECT * FROM 'files/a/logs'",
    "SELECT * FROM 'grid-data://a/logs'",
    "SELECT * FROM read_parquet('files/a/logs/*.parquet')",
    "SELECT * FROM parquet_metadata('files/a/logs')",
    "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'files/a/'",
    "CREATE VIEW v AS SELECT * FROM logs",
    "COPY logs TO 'stolen.csv'",
    "INSERT INTO logs SELECT * FROM logs",
    "DELETE FROM logs",
    "UPDATE logs SET body = ''",
    "SET datafusion.catalog.default_catalog = 'a'",
    "PREPARE p AS SELECT * FROM logs",
    "EXECUTE p",
    "SELECT 1; SELECT * FROM logs",
    "SELECT current_setting('x')",
    "SELECT body FROM logs ORDER BY (SELECT count(*) FROM spans)",
    "SELECT * FROM logs WHERE body IN (SELECT name FROM spans)",
    "SELECT (SELECT max(body) FROM logs) AS x",
    "TABLE logs",
    "SELECT labels FROM series UNION SELECT labels FROM logs",
];

/// Everything of tenant `a` that a query can show, to compare before and after.
async fn everything(app: &App, headers: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for table in ["samples", "series", "exemplars", "metadata", "logs", "spans", "charges"] {
        let got = app.query(&format!("SELECT * FROM {table}"), headers).await;
        // A table that SQL does not offer is compared by the status page below.
        if got.status != 404 {
            assert!(got.status == 200 && !got.json()["rows"].as_array().unwrap().is_empty(), "{table}: {}", got.text());
            all.push(got.text());
        }
    }
    let status = app.get("/api/v1/status", headers).await.json();
    all.extend(status["tables"].as_array().unwrap().iter().map(|t| format!("{} {}", t["table"], t["rows"])));
    for path in ["/api/v1/imports", "/api/v1/retention", "/api/v1/budgets", "/api/v1/costs/reports"] {
        all.push(app.get(path, headers).await.text());
    }
    all
}

async fn attack(auth: AuthMode, flushed: bool) {
    let app = App::new(auth).await;
    app.seed("a", SECRET).await;
    app.seed("b", "plain").await;
    let book = format!("/api/v1/imports/prices?name={SECRET}");
    let _ = app.call("POST", &book, &["x-scope-orgid: a"], format!("price of {SECRET}")).await;
    let (victim, attacker) = match auth {
        AuthMode::Anonymous => ("x-scope-orgid: a".to_owned(), vec!["x-scope-orgid: b".to_owned()]),
        AuthMode::Tokens => {
            let a = app.token("a", "ingest,query,admin").await;
            let b = app.token("b", "ingest,query,admin").await;
            (format!("authorization: Bearer {a}"), vec![format!("authorization: Bearer {b}")])
        }
    };
    if flushed {
        app.state.store.flush().await.unwrap();
    }
    app.call("PUT", "/api/v1/retention/metadata", &[&victim], "{\"keep\": \"30d\"}").await;
    let budget = json!({ "amount": "5", "currency": "USD", "description": SECRET }).to_string();
    assert_eq!(app.call("PUT", "/api/v1/budgets/theirs", &[&victim], budget).await.status, 200);
    let report = json!({ "filter": format!("service = '{SECRET}'") }).to_string();
    assert_eq!(app.call("PUT", "/api/v1/costs/reports/theirs", &[&victim], report).await.status, 200);
    // A slow, failed and a running query of the victim, whose texts hold the secret.
    app.query(&format!("SELECT '{SECRET}' FROM nowhere"), &[&victim]).await;
    let before = everything(&app, &[&victim]).await;
    assert!(before.iter().any(|t| t.contains(SECRET)), "the victim's data is there");
    let import = app.get("/api/v1/imports", &[&victim]).await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    // The id is guessable on purpose here, yet names the secret: the attacker uses it, so it may be echoed.
    let guess = import.clone();
    let token = match auth {
        AuthMode::Anonymous => "none".to_owned(),
        AuthMode::Tokens => {
            app.get("/api/v1/tokens", &[&victim]).await.json()["items"][0]["id"].as_str().unwrap().to_owned()
        }
    };
    let mut tried = 0;
    // Reading first, then everything that changes.
    let mut routes: BTreeSet<(bool, String)> = BTreeSet::new();
    for group in groups() {
        for (method, path) in group.routes.list {
            routes.insert((method != "GET" && path != "/api/v1/sql", format!("{method} {path}")));
        }
    }
    for (_, route) in &routes {
        let method = route.split_once(' ').unwrap().0;
        for (path, body) in attempts(route, &guess, &token) {
            // In token mode the attacker also names the victim outright.
            let extra: &[Option<&str>] =
                if auth == AuthMode::Tokens { &[None, Some("x-scope-orgid: a")] } else { &[None] };
            for extra in extra {
                let headers: Vec<&str> = attacker.iter().map(String::as_str).chain(*extra).collect();
                let got = app.call(method, &path, &headers, body.clone()).await;
                tried += 1;
                let text = got.text().replace(&guess, "(the id that the attacker sent)");
                assert!(!text.contains(SECRET), "{route} {body} as b: {}\n{text}", got.status);
                if extra.is_some()
                    && !path.starts_with("/prometheus/-/")
                    && !["/healthz", "/readyz", "/docs", "/", "/api/v1/openapi.json", "/assets/app.js"]
                        .contains(&path.as_str())
                {
                    assert_eq!(got.verdict(), "403 GRID-0105", "{route} with the victim's name");
                }
                assert!(got.status != 500, "{route} {path} {body}: {text}");
            }
        }
    }
    assert!(tried > 120, "{tried}");
    assert_eq!(everything(&app, &[&victim]).await, before, "the victim's data is untouched");
    assert_eq!(
        app.query("SELECT * FROM logs", &[&attacker[0]]).await.json()["rows"],
        json!([]),
        "the attacker's own went"
    );
}

#[tokio::test]
async fn anonymous_tenants_in_the_buffer() {
    attack(AuthMode::Anonymous, false).await;
}

#[tokio::test]
async fn anonymous_tenants_in_files() {
    attack(AuthMode::Anonymous, true).await;
}

#[tokio::test]
async fn tenants_with_tokens() {
    attack(AuthMode::Tokens, true).await;
}

/// Names that are alike, that are folders, that are patterns: each sees its own rows only.
#[tokio::test]
async fn tenants_with_names_alike() {
    let app = App::new(AuthMode::Anonymous).await;
    let names = [
        "a",
        "A",
        "a.",
        "a-",
        "a_",
        "(a)",
        "'a'",
        "a'",
        "a!",
        "a*",
        "*",
        "...",
        "default",
        "grid",
        "aa",
        "a.parquet",
        "x'or'1",
    ];
    for name in names {
        app.state.store.append(&TenantId::parse(name).unwrap(), rows(&format!("<{name}>"))).await.unwrap();
    }
    for flushed in [false, true] {
        if flushed {
            app.state.store.flush().await.unwrap();
        }
        for name in names {
            let header = format!("x-scope-orgid: {name}");
            let got =
                app.query("SELECT service FROM logs UNION ALL SELECT service FROM spans", &[&header]).await.json();
            let own = json!({ "service": format!("service-<{name}>") });
            assert_eq!(got["rows"], json!([own, own]), "{name}, flushed {flushed}");
            let files = app.query("SELECT * FROM grid.files", &[&header]).await.text();
            for other in names.iter().filter(|o| **o != name && !o.chars().all(|c| "aA.*".contains(c))) {
                assert!(!files.contains(&format!("/{other}/")), "{name} sees a file of {other}: {files}");
            }
        }
    }
    // A deletion of one leaves the others whole.
    let all = json!({ "table": "logs", "filter": "true" }).to_string();
    for (i, name) in names.iter().enumerate() {
        let header = format!("x-scope-orgid: {name}");
        let got = app.call("POST", "/api/v1/delete", &[&header], all.clone()).await.json();
        assert_eq!(got["rows_deleted"], 1, "{name}");
        let left: usize = {
            let mut left = 0;
            for other in names {
                let tenant = app.state.store.snapshot(&TenantId::parse(other).unwrap());
                left += tenant.files(grid_model::Table::Logs).iter().map(|f| f.rows as usize).sum::<usize>();
            }
            left
        };
        assert_eq!(left, names.len() - 1 - i, "after {name}");
    }
}
