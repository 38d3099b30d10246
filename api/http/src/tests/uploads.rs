//! Bills: raw, multipart, bounded.

use grid_analytics::QueryLimits;
use grid_guard::AuthMode;
use serde_json::json;

use super::App;
use crate::ApiLimits;

const FORM: &str = "content-type: multipart/form-data; boundary=XX";

fn form(parts: &[(&str, Option<&str>, &str)]) -> String {
    let mut out = String::new();
    for (name, file, text) in parts {
        let file = file.map(|f| format!("; filename=\"{f}\"")).unwrap_or_default();
        out.push_str(&format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{text}\r\n"));
    }
    out.push_str("--XX--\r\n");
    out
}

#[tokio::test]
async fn a_bill_comes_raw_or_in_parts() {
    let app = App::new(AuthMode::Anonymous).await;
    let raw = "/api/v1/imports?dataset=raw&name=bill.csv";
    let first = app.call("POST", raw, &["content-type: text/csv"], "a,b\n1,2\n").await;
    assert_eq!((first.status.as_u16(), &first.json()["outcome"]), (201, &json!("stored")), "{}", first.text());
    assert_eq!(first.json()["files"][0]["name"], "bill.csv");
    let again = app.call("POST", raw, &["content-type: text/csv"], "a,b\n1,2\n").await;
    assert_eq!((again.status.as_u16(), &again.json()["outcome"]), (200, &json!("unchanged")));
    assert_eq!(again.json()["id"], first.json()["id"]);

    let body = form(&[("dataset", None, "parts"), ("file", Some("a.csv"), "one"), ("file", Some("../b.csv"), "two")]);
    let parts = app.call("POST", "/api/v1/imports", &[FORM], body).await;
    assert_eq!(parts.status, 201, "{}", parts.text());
    assert_eq!(parts.json()["dataset"], "parts");
    assert_eq!(parts.json()["files"].as_array().unwrap().len(), 2);
    assert_eq!(parts.json()["files"][1]["name"], "b.csv");

    let checked = app.call("POST", "/api/v1/imports?check=true&dataset=dry", &["content-type: text/csv"], "x").await;
    assert_eq!((checked.status.as_u16(), &checked.json()["outcome"]), (200, &json!("checked")));

    let list = app.get("/api/v1/imports", &[]).await.json();
    let datasets: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|i| i["dataset"].as_str().unwrap()).collect();
    assert_eq!(datasets, ["parts", "raw"], "newest first, checks are not kept");
    let id = first.json()["id"].as_str().unwrap().to_owned();
    let one = app.get(&format!("/api/v1/imports/{id}"), &[]).await.json();
    assert_eq!((one["rejects"][0]["row"].as_u64(), one["state"].as_str()), (Some(2), Some("current")));
    let cost = app.query("SELECT sum(billed_cost) AS cost FROM charges", &[]).await;
    assert_eq!(cost.json()["rows"], json!([{ "cost": "2.5" }]), "{}", cost.text());
    // Nothing of an upload stays behind.
    assert_eq!(std::fs::read_dir(app.dir.path().join("uploads")).unwrap().count(), 0);
}

#[tokio::test]
async fn uploads_are_bounded() {
    let limits = ApiLimits { import_bytes_max: 100, import_files_max: 2, ..ApiLimits::default() };
    let app = App::with(AuthMode::Anonymous, QueryLimits::default(), limits).await;
    let csv = ["content-type: text/csv"];
    assert_eq!(app.call("POST", "/api/v1/imports", &csv, vec![b'x'; 100]).await.status, 201);
    assert_eq!(app.call("POST", "/api/v1/imports", &csv, vec![b'x'; 101]).await.verdict(), "413 GRID-0505");
    let long = "y".repeat(60);
    let body = form(&[("file", Some("a"), &long), ("file", Some("b"), &long)]);
    assert_eq!(app.call("POST", "/api/v1/imports", &[FORM], body).await.verdict(), "413 GRID-0505");
    let body = form(&[("file", Some("a"), "1"), ("file", Some("b"), "2"), ("file", Some("c"), "3")]);
    assert_eq!(app.call("POST", "/api/v1/imports", &[FORM], body).await.verdict(), "400 GRID-0204");
    let body = form(&[("restate", None, "maybe"), ("file", Some("b"), "2")]);
    assert_eq!(app.call("POST", "/api/v1/imports", &[FORM], body).await.verdict(), "400 GRID-0204");
    let body = form(&[("datset", None, "x"), ("file", Some("b"), "2")]);
    assert_eq!(app.call("POST", "/api/v1/imports", &[FORM], body).await.verdict(), "400 GRID-0204");
    assert_eq!(std::fs::read_dir(app.dir.path().join("uploads")).unwrap().count(), 0);
}
