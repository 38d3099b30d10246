//! Prices and commitments over HTTP.

use grid_guard::AuthMode;
use serde_json::json;

use super::App;

#[tokio::test]
async fn books_are_imported_listed_and_looked_up() {
    let app = App::new(AuthMode::Anonymous).await;
    let import = async |query: &str, body: &str| {
        app.call("POST", &format!("/api/v1/imports/prices?{query}"), &[], body.to_owned()).await
    };
    assert_eq!(import("name=x", "nonsense").await.verdict(), "422 GRID-0501");
    assert_eq!(import("name=x", "").await.verdict(), "400 GRID-0504");
    assert_eq!(import("name=x&as_of=soon", "price").await.verdict(), "400 GRID-0204");
    let checked = import("name=mine&check=true", "price-a").await;
    assert_eq!((checked.status.as_u16(), checked.json()["outcome"].clone()), (200, json!("checked")));
    let list = async || app.get("/api/v1/prices?book=mine", &[]).await.json()["items"].as_array().unwrap().clone();
    assert!(list().await.is_empty());
    assert_eq!(import("name=mine&as_of=2025-01-01", "price-a").await.status, 201);
    assert_eq!(import("name=mine&as_of=2025-01-02", "price-b").await.status, 201);
    let items = list().await;
    assert_eq!(items.len(), 1, "the second edition took the place of the first");
    assert_eq!((&items[0]["resource_type"], &items[0]["price"]), (&json!("price-b"), &json!("0.5")));

    // The bundled snapshot, page by page.
    let (mut seen, mut cursor) = (0, String::new());
    loop {
        let page =
            app.get(&format!("/api/v1/prices?provider=aws&region=us-east-1&limit=400{cursor}"), &[]).await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.iter().all(|i| i["stale"].is_boolean() && i["price"].is_string() && i["region"] == "us-east-1"));
        seen += items.len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(seen > 400, "{seen}");
    assert_eq!(app.get("/api/v1/prices?cursor=x", &[]).await.verdict(), "400 GRID-0208");

    let lookup = async |query: &str| app.get(&format!("/api/v1/prices/lookup?{query}"), &[]).await.json();
    let known = lookup("provider=aws&resource_type=price-b&region=mars&at=2025-01-05").await;
    assert_eq!(
        (&known["status"], &known["price"], &known["age_days"], &known["stale"], &known["basis"]),
        (&json!("known"), &json!("0.5"), &json!(3), &json!(false), &json!("list"))
    );
    let unknown = lookup("provider=aws&resource_type=price-b&region=venus").await;
    assert_eq!((&unknown["status"], &unknown["price"]), (&json!("unknown"), &json!(null)));
    assert_eq!(unknown["reason"], "listed only in other regions: mars");
    assert_eq!(app.get("/api/v1/prices/effective?book=x", &[]).await.verdict(), "400 GRID-0204");
    let keep = app.call("PUT", "/api/v1/retention/prices", &[], "{\"keep\": \"30d\"}").await;
    assert_eq!(keep.verdict(), "400 GRID-0204");
}

#[tokio::test]
async fn commitments_of_a_tenant_without_bills() {
    let app = App::new(AuthMode::Anonymous).await;
    let report = app.get("/api/v1/commitments?by=month&from=2025-01-01", &[]).await.json();
    assert_eq!((&report["items"], &report["coverage"]), (&json!([]), &json!([])));
    // The statement that is given answers the same.
    let sql = report["sql"]["items"].as_str().unwrap();
    assert_eq!(app.query(sql, &[]).await.json()["rows"], json!([]));
    assert_eq!(app.get("/api/v1/commitments/calendar", &[]).await.json()["items"], json!([]));
    let advice = app.get("/api/v1/commitments/recommendations?term=1y&ratio=0.7", &[]).await.json();
    assert_eq!(advice["status"], "not enough data");
    for bad in ["term=2y", "payment=x", "ratio=2", "by=x"] {
        let path = if bad.starts_with("by") { "/api/v1/commitments" } else { "/api/v1/commitments/recommendations" };
        assert_eq!(app.get(&format!("{path}?{bad}"), &[]).await.verdict(), "400 GRID-0204", "{bad}");
    }
}
