//! Examples of resource types out of the catalog. Also taken in by the suite of Kubernetes, which applies them.

use std::collections::BTreeMap;

use grid_types::{Cloud, Field, Format, Kind, Spec, Type, find};
use serde_json::{Map, Value, json};

/// A spec under test: what varies, and its text.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) spec: Spec,
}

/// Every variant of a type's example: only what is required, everything, and everything with one field otherwise.
pub(crate) fn cases(kind: &'static Type) -> Vec<Case> {
    let minimal: Fields = kind.fields.iter().filter(|f| f.required).map(|f| (f, value(f, 0))).collect();
    let full: Fields = kind.fields.iter().map(|f| (f, value(f, 0))).collect();
    let mut cases = vec![case(kind, "required", &minimal), case(kind, "all", &full)];
    for (n, field) in kind.fields.iter().enumerate() {
        let others = match field.kind {
            Kind::Enum => field.values.iter().map(|v| json!(v)).collect(),
            Kind::Bool => vec![json!(true), json!(false)],
            Kind::Integer => vec![json!(field.min), json!(field.max)],
            Kind::Size => vec![json!("1x2"), json!("3x9"), json!("64x256")],
            Kind::Reference => (0..field.to.len()).map(|n| value(field, n)).collect(),
            _ => Vec::new(),
        };
        let none = (!field.required).then_some(Value::Null);
        for other in others.into_iter().chain(none) {
            let mut fields = full.clone();
            fields[n].1 = other.clone();
            // What is named by hand hides what is chosen by size, and a minimum may not pass a maximum.
            if field.kind == Kind::Size {
                fields.retain(|(f, _)| f.kind != Kind::Machines);
            }
            if field.name == "min" {
                fields.retain(|(f, _)| f.name != "max");
            }
            if field.name == "max" {
                fields.retain(|(f, _)| f.name != "min");
            }
            if field.name == "min" && other == json!(field.max) {
                continue;
            }
            cases.push(case(kind, &format!("{} = {other}", field.name), &fields));
        }
    }
    cases
}

/// All types that a cloud has at once, with all their fields, all called `main`. Claims in Kubernetes are called after their resource alone, as the
/// driver calls them, so that there a disk and a store cannot have one name.
pub(crate) fn everything(cloud: Cloud) -> Spec {
    let mut resources = BTreeMap::new();
    let is_there = |t: &&Type| grid_types::recipe::recipe(&t.name, cloud).is_some();
    let is_claim = |t: &&Type| cloud == Cloud::Kubernetes && t.name == "file_store";
    for kind in grid_types::types().iter().filter(is_there).filter(|t| !is_claim(t)) {
        let full: Fields = kind.fields.iter().map(|f| (f, value(f, 0))).collect();
        resources.insert(kind.name.clone(), resource(kind, &full));
    }
    read(&json!({"resources": resources.into_values().collect::<Vec<_>>()}))
}

type Fields = Vec<(&'static Field, Value)>;

fn case(kind: &'static Type, what: &str, fields: &Fields) -> Case {
    let mut resources = BTreeMap::new();
    let mut open: Vec<&'static Type> = needed(fields);
    while let Some(other) = open.pop() {
        if resources.contains_key(&other.name) || other.name == kind.name {
            continue;
        }
        let minimal: Fields = other.fields.iter().filter(|f| f.required).map(|f| (f, value(f, 0))).collect();
        open.extend(needed(&minimal));
        resources.insert(other.name.clone(), resource(other, &minimal));
    }
    resources.insert(kind.name.clone(), resource(kind, fields));
    let spec = read(&json!({"version": 1, "resources": resources.into_values().collect::<Vec<_>>()}));
    Case { what: what.to_owned(), spec }
}

fn read(spec: &Value) -> Spec {
    let text = serde_json::to_string_pretty(spec).unwrap();
    Spec::read(&text, Format::Json).unwrap_or_else(|e| panic!("{}", e.show("example.json", &text)))
}

fn resource(kind: &Type, fields: &Fields) -> Value {
    let fields: Map<_, _> = fields.iter().map(|(f, v)| (f.name.clone(), v.clone())).collect();
    json!({"kind": kind.name, "name": "main", "fields": fields})
}

/// The types that some fields refer to.
fn needed(fields: &Fields) -> Vec<&'static Type> {
    let texts = fields.iter().flat_map(|(f, value)| match (f.kind, value) {
        (Kind::Reference, Value::String(text)) => vec![text.clone()],
        (Kind::References, Value::Array(items)) => items.iter().filter_map(|i| i.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    });
    texts.filter_map(|t| find(t.trim_start_matches("${").split('.').next()?)).collect()
}

fn value(field: &Field, n: usize) -> Value {
    let reference = || json!(format!("${{{}.main}}", field.to[n]));
    match field.kind {
        Kind::Reference => reference(),
        Kind::References => json!([reference()]),
        _ => match field.example.as_ref().or(field.default.as_ref()) {
            Some(value) => json!(value),
            None => panic!("{} has neither a default nor an example", field.name),
        },
    }
}
