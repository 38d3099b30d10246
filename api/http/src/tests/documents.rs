//! The OpenAPI document against the router and against the last released document.

use std::collections::BTreeSet;

use expect_test::expect_file;
use serde_json::Value;

use crate::{groups, openapi};

/// Routes of the document that live in another room.
fn is_ingest(operation: &Value) -> bool {
    operation["tags"][0] == "ingest"
}

#[test]
fn router_and_document_name_the_same_routes() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !is_ingest(operation) {
                documented.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let routed: BTreeSet<String> =
        groups().iter().flat_map(|g| g.routes.list.iter().map(|(m, p)| format!("{m} {p}"))).collect();
    assert_eq!(routed, documented);
}

#[test]
fn every_operation_says_what_it_is_and_needs() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    assert_eq!(document["openapi"].as_str().unwrap().split('.').take(2).collect::<Vec<_>>(), ["3", "1"]);
    let mut ids = BTreeSet::new();
    for group in groups() {
        for (method, path) in &group.routes.list {
            let operation = &document["paths"][path][method.as_str().to_lowercase()];
            assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{method} {path} has no summary");
            assert_eq!(
                operation["security"].as_array().is_some_and(Vec::is_empty),
                group.needs.is_none(),
                "{method} {path}"
            );
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "operation id {id} occurs twice");
        }
    }
}

/// What a client of `old` could rely on and `new` lacks.
fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (path, item) in old["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{} {path}", method.to_uppercase());
            let now = &new["paths"][path][method];
            if now.is_null() {
                found.push(format!("{at} is gone"));
                continue;
            }
            let parameters = |o: &Value| o["parameters"].as_array().cloned().unwrap_or_default();
            let before = parameters(operation);
            let after = parameters(now);
            let key = |p: &Value| format!("{} in {}", p["name"], p["in"]);
            for p in &before {
                if !after.iter().any(|q| key(q) == key(p)) {
                    found.push(format!("{at}: parameter {} is gone", key(p)));
                }
            }
            for q in after.iter().filter(|q| q["required"] == true) {
                if !before.iter().any(|p| key(p) == key(q) && p["required"] == true) {
                    found.push(format!("{at}: parameter {} is required now", key(q)));
                }
            }
            for (status, answer) in operation["responses"].as_object().unwrap() {
                for kind in answer["content"].as_object().into_iter().flatten().map(|(k, _)| k) {
                    if now["responses"][status]["content"][kind].is_null() {
                        found.push(format!("{at}: answer {status} as {kind} is gone"));
                    }
                }
            }
        }
    }
    for (name, schema) in old["components"]["schemas"].as_object().unwrap() {
        let now = &new["components"]["schemas"][name];
        for (field, was) in schema["properties"].as_object().into_iter().flatten() {
            let is = &now["properties"][field];
            if is.is_null() {
                found.push(format!("{name}.{field} is gone"));
            } else if was["type"] != is["type"] || was["$ref"] != is["$ref"] {
                found.push(format!("{name}.{field} has another type"));
            }
        }
        let required = |s: &Value| -> BTreeSet<String> {
            s["required"].as_array().into_iter().flatten().filter_map(|v| Some(v.as_str()?.to_owned())).collect()
        };
        // A field that requests must carry; answers may promise more, requests may not demand more.
        if name.ends_with("Request") || name.ends_with("Body") || name.ends_with("Setting") {
            for field in required(now).difference(&required(schema)) {
                found.push(format!("{name}.{field} is required now"));
            }
        } else {
            for field in required(schema).difference(&required(now)) {
                found.push(format!("{name}.{field} may be absent now"));
            }
        }
    }
    found
}

/// Bless additions by `UPDATE_EXPECT=1`. What breaks clients cannot be blessed: it needs an ADR and the golden document
/// edited by hand.
#[test]
fn the_document_only_grows() {
    let new = serde_json::to_value(openapi::document()).unwrap();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if let Ok(text) = std::fs::read_to_string(path) {
        let old: Value = serde_json::from_str(&text).unwrap();
        let breaks = breaks(&old, &new);
        assert!(breaks.is_empty(), "clients would break: {breaks:#?}");
    }
    let mut text = serde_json::to_string_pretty(&new).unwrap();
    text.push('\n');
    expect_file!["../../openapi.json"].assert_eq(&text);
}

#[test]
fn a_break_is_seen() {
    let old = serde_json::to_value(openapi::document()).unwrap();
    let broken = |f: &dyn Fn(&mut Value)| {
        let mut new = old.clone();
        f(&mut new);
        breaks(&old, &new)
    };
    assert!(broken(&|_| {}).is_empty());
    let gone = broken(&|d| {
        d["paths"].as_object_mut().unwrap().remove("/api/v1/delete");
    });
    assert_eq!(gone, ["POST /api/v1/delete is gone"]);
    let gone = broken(&|d| {
        d["components"]["schemas"]["Status"]["properties"].as_object_mut().unwrap().remove("series");
    });
    assert_eq!(gone, ["Status.series is gone"]);
    let demanded = broken(&|d| {
        d["paths"]["/api/v1/sql"]["get"]["parameters"][0]["required"] = true.into();
    });
    assert_eq!(demanded.len(), 1, "{demanded:?}");
}
