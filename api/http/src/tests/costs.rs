//! Budgets and cost reports as a client sees them: what is refused, with which words, and what is kept.

use expect_test::{Expect, expect};
use grid_guard::AuthMode;
use serde_json::json;

use super::App;

async fn check(app: &App, method: &str, path: &str, body: &str, expected: Expect) {
    let got = app.call(method, path, &[], body).await;
    let json: serde_json::Value = serde_json::from_slice(&got.body).unwrap_or_default();
    let detail = json["detail"].as_str().map(|d| format!("\n{d}")).unwrap_or_default();
    expected.assert_eq(&format!("{}{detail}", got.verdict()));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_place() {
    let app = App::new(AuthMode::Anonymous).await;
    app.seed("default", "plain").await;
    check(
        &app,
        "GET",
        "/api/v1/costs/trend?grain=fortnight",
        "",
        expect![[r#"
        400 GRID-0204
        grain must be day, week, month, quarter or year"#]],
    )
    .await;
    check(&app, "GET", "/api/v1/costs/trend?by=tea", "", expect![[r#"
        400 GRID-0204
        by: none of charges has a tag "tea"; else there are account, account_name, category, commitment, currency, pricing, provider, region, resource, service, sku, zone, and the columns of charges"#]])
    .await;
    check(
        &app,
        "GET",
        "/api/v1/costs/variance?filter=servce%3D1",
        "",
        expect![[r#"
        400 GRID-0204
        filter: there is no column "servce"; did you mean service? (a tag is written tags['servce'])
          servce=1
          ^"#]],
    )
    .await;
    check(
        &app,
        "GET",
        "/api/v1/costs/variance?compare=now",
        "",
        expect![[r#"
        400 GRID-0204
        compare is "now", it must be previous, year, or a period such as 2026-10-01..2026-11-01"#]],
    )
    .await;
    check(
        &app,
        "GET",
        "/api/v1/costs/report?from=2026-11&to=2026-10",
        "",
        expect![[r#"
        400 GRID-0204
        the period from 2026-11-01 to 2026-10-01 has 0 days; `to` is the day after the last, at most 3700 later"#]],
    )
    .await;
    check(
        &app,
        "GET",
        "/api/v1/costs/report?format=pdf",
        "",
        expect![[r#"
        400 GRID-0204
        format must be json, html, markdown, csv or table"#]],
    )
    .await;
    check(
        &app,
        "PUT",
        "/api/v1/budgets/b",
        r#"{"amount": "0", "currency": "USD"}"#,
        expect![[r#"
        422 GRID-0661
        budget "b": amount: 0 is not above zero"#]],
    )
    .await;
    check(
        &app,
        "PUT",
        "/api/v1/budgets/b",
        r#"{"amount": 5, "currency": "USD"}"#,
        expect![[r#"
        400 GRID-0201
        invalid type: integer `5`, expected a string"#]],
    )
    .await;
    check(
        &app,
        "PUT",
        "/api/v1/budgets/b",
        r#"{"name": "c", "amount": "5", "currency": "USD"}"#,
        expect![[r#"
        400 GRID-0204
        the path names "b", the body "c""#]],
    )
    .await;
    check(
        &app,
        "GET",
        "/api/v1/budgets/b/status",
        "",
        expect![[r#"
        404 GRID-0207
        there is no budget "b" for this tenant"#]],
    )
    .await;
}

#[tokio::test]
async fn a_budget_is_kept_judged_and_gone() {
    let app = App::new(AuthMode::Anonymous).await;
    // One charge of 1.25 on the day that is today.
    app.seed("default", "plain").await;
    let body = json!({ "amount": "1", "currency": "plain-dataset" }).to_string();
    assert_eq!(app.call("PUT", "/api/v1/budgets/tight", &[], body.clone()).await.json()["version"], 1);
    assert_eq!(
        app.call("PUT", "/api/v1/budgets/tight", &["if-match: 7"], body.clone()).await.verdict(),
        "409 GRID-0662"
    );
    assert_eq!(
        app.call(
            "POST",
            "/api/v1/budgets",
            &["if-none-match: *"],
            json!({ "name": "tight", "amount": "1", "currency": "x" }).to_string()
        )
        .await
        .verdict(),
        "409 GRID-0662"
    );
    let status = app.get("/api/v1/budgets/tight/status", &[]).await.json();
    assert_eq!(
        (status["state"].as_str(), status["spent"].as_str(), status["left"].as_str()),
        (Some("exceeded"), Some("1.25"), Some("-0.25"))
    );
    assert_eq!(app.get("/api/v1/budgets?state=exceeded", &[]).await.json()["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(app.get("/api/v1/budgets?state=ok", &[]).await.json()["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(app.call("DELETE", "/api/v1/budgets/tight", &[], "").await.status, 204);
    assert_eq!(app.get("/api/v1/budgets/tight", &[]).await.verdict(), "404 GRID-0207");
}

#[tokio::test]
async fn writing_a_budget_needs_more_than_reading_one() {
    let app = App::new(AuthMode::Tokens).await;
    let (reader, writer) = (app.token("default", "query").await, app.token("default", "query,admin").await);
    let body = json!({ "amount": "1", "currency": "USD" }).to_string();
    let as_of = |token: &str| format!("authorization: Bearer {token}");
    assert_eq!(app.call("PUT", "/api/v1/budgets/b", &[&as_of(&reader)], body.clone()).await.verdict(), "403 GRID-0104");
    assert_eq!(app.call("PUT", "/api/v1/budgets/b", &[&as_of(&writer)], body).await.status, 200);
    assert_eq!(app.get("/api/v1/budgets/b", &[&as_of(&reader)]).await.status, 200);
    assert_eq!(app.call("DELETE", "/api/v1/budgets/b", &[&as_of(&reader)], "").await.verdict(), "403 GRID-0104");
}

#[tokio::test]
async fn an_empty_tenant_has_an_empty_report() {
    let app = App::new(AuthMode::Anonymous).await;
    for path in [
        "trend?by=service",
        "forecast",
        "variance",
        "provisional",
        "report",
        "report?format=html",
        "report?format=table",
    ] {
        let got = app.get(&format!("/api/v1/costs/{path}"), &[]).await;
        assert_eq!(got.status, 200, "{path}: {}", got.text());
    }
}

#[tokio::test]
async fn a_report_is_kept_and_made_by_its_name() {
    let app = App::new(AuthMode::Anonymous).await;
    app.seed("default", "plain").await;
    let bad = json!({ "filter": "service =" }).to_string();
    assert_eq!(app.call("PUT", "/api/v1/costs/reports/monthly", &[], bad).await.verdict(), "400 GRID-0204");
    let good = json!({ "by": "service,region", "compare": "year", "cost": "billed" }).to_string();
    assert_eq!(app.call("PUT", "/api/v1/costs/reports/monthly", &[], good).await.json()["version"], 1);
    let report = app.get("/api/v1/costs/report?saved=monthly&cost=list", &[]).await.json();
    assert_eq!(
        (&report["by"], &report["compare"], &report["cost"]),
        (&json!(["service", "region"]), &json!("year"), &json!("list"))
    );
    assert_eq!(report["totals"][0]["cost"], "1.25");
    assert_eq!(app.get("/api/v1/costs/report?saved=weekly", &[]).await.verdict(), "404 GRID-0207");
    assert_eq!(app.get("/api/v1/costs/reports", &[]).await.json()["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(app.call("DELETE", "/api/v1/costs/reports/monthly", &[], "").await.status, 204);
}
