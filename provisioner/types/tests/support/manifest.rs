//! Manifests against the schemas of their kinds: unknown, missing, of the wrong kind; names of objects that are not there; objects twice.

use std::collections::{BTreeMap, BTreeSet};

use grid_types::node::{Node, Tree, read};
use grid_types::{Format, Rendered};
use serde_json::Value;

use super::file;
use super::schema::Found;

/// The extract of all kinds; see `schema/extract-kubernetes.mjs`.
pub(crate) struct Kinds(BTreeMap<String, Value>);

impl Kinds {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(file("schema/kubernetes.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    /// Everything that is wrong with files that a render made.
    pub(crate) fn check(&self, rendered: &Rendered) -> Found {
        let mut checks = Checks { told: Vec::new(), open: Vec::new(), names: BTreeSet::new(), wanted: Vec::new() };
        for (name, text) in &rendered.files {
            assert!(
                !text.contains("---\n---") && text.ends_with('\n') && !text.lines().any(|l| l.ends_with(' ')),
                "{text}"
            );
            for document in text.split("---\n") {
                match read(document, Format::Yaml) {
                    Ok(node) => self.object(&node, &mut checks),
                    Err(e) => checks.told.push(format!("{name}: {}", e.show(name, document))),
                }
            }
        }
        for (at, key) in std::mem::take(&mut checks.wanted) {
            if !checks.names.contains(&key) {
                checks.told.push(format!("{at} names {key}, which is not there"));
            }
        }
        Found { wrong: checks.told, open: checks.open }
    }

    fn object(&self, node: &Node, checks: &mut Checks) {
        let key = format!("{} {}", text(node, &["apiVersion"]), text(node, &["kind"]));
        let (namespace, name) = (text(node, &["metadata", "namespace"]), text(node, &["metadata", "name"]));
        let id = format!("{key} {name}");
        if !checks.names.insert(id.clone()) {
            checks.told.push(format!("{id} twice"));
        }
        let is_label = |t: &str| {
            t.len() <= 63 && !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        for label in
            ["app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "grid/system"]
        {
            if !is_label(text(node, &["metadata", "labels", label])) {
                checks.told.push(format!("{id} lacks the label {label}"));
            }
        }
        // No secret is rendered: what is written here are public keys.
        if key == "v1 Secret" {
            let Tree::Map(pairs) = &node.value else { return };
            for (name, value) in pairs.iter().filter(|(name, _)| ["data", "stringData"].contains(&word(name))) {
                let Tree::Map(pairs) = &value.value else { return };
                let is_public = |v: &Node| word(name) == "stringData" && text(v, &[]).starts_with("ssh-");
                if !pairs.iter().all(|(_, value)| is_public(value)) {
                    checks.told.push(format!("{id} holds a secret"));
                }
            }
        }
        match self.0.get(&key) {
            None => checks.open.push(key),
            Some(kind) => {
                if (kind["scope"] == "Namespaced") == namespace.is_empty() {
                    checks.told.push(format!("{id} is {}, its namespace is {namespace:?}", kind["scope"]));
                }
                let Tree::Map(pairs) = &node.value else { return };
                let rest = pairs.iter().filter(|(k, _)| !["apiVersion", "kind"].contains(&word(k))).cloned();
                let body = Node { place: node.place, value: Tree::Map(rest.collect()) };
                checks.value(&body, &kind["schema"], &id);
            }
        }
        checks.references(node, &id);
    }
}

struct Checks {
    told: Vec<String>,
    open: Vec<String>,
    /// `v1 Service web`.
    names: BTreeSet<String>,
    /// Where something is named, and what.
    wanted: Vec<(String, String)>,
}

/// Where an object is named by its name alone, and of which kind it is.
const NAMED: [(&str, &str); 3] = [
    ("serviceAccountName", "v1 ServiceAccount"),
    ("claimName", "v1 PersistentVolumeClaim"),
    ("configMapName", "v1 ConfigMap"),
];

impl Checks {
    fn value(&mut self, node: &Node, schema: &Value, at: &str) {
        let is_right = match (&node.value, schema) {
            (Tree::Map(_) | Tree::List(_), Value::String(letter)) if letter == "a" => {
                self.open.push(at.to_owned());
                true
            }
            (_, Value::String(letter)) => match (&node.value, letter.as_str()) {
                (Tree::Text(_), "s" | "q") | (Tree::Integer(_), "i" | "n" | "q") | (Tree::Bool(_), "b") => true,
                (Tree::Float(_), "n") => true,
                (_, letter) => letter == "a",
            },
            (Tree::List(items), Value::Array(of)) => {
                items.iter().for_each(|item| self.value(item, &of[0], &format!("{at}[]")));
                true
            }
            (Tree::Text(text), Value::Object(of)) if of.contains_key("e") => {
                of["e"].as_array().is_some_and(|all| all.iter().any(|v| v == text))
            }
            (Tree::Map(pairs), Value::Object(of)) if of.contains_key("m") => {
                pairs.iter().for_each(|(key, value)| self.value(value, &of["m"], &format!("{at}.{}", word(key))));
                true
            }
            (Tree::Map(pairs), Value::Object(of)) if of.contains_key("p") => {
                for (key, value) in pairs {
                    let key = word(key);
                    match of["p"].get(key) {
                        Some(schema) => self.value(value, schema, &format!("{at}.{key}")),
                        None => self.told.push(format!("{at} has no field {key}")),
                    }
                }
                let given: Vec<_> = pairs.iter().map(|(key, _)| word(key)).collect();
                let required = of.get("r").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
                let missing = required.filter(|name| !given.contains(name));
                self.told.extend(missing.map(|name| format!("{at} lacks {name}")));
                true
            }
            _ => false,
        };
        if !is_right {
            self.told.push(format!("{at} takes {schema}, not {:?}", node.value));
        }
    }

    fn references(&mut self, node: &Node, at: &str) {
        match &node.value {
            Tree::List(items) => items.iter().for_each(|item| self.references(item, at)),
            Tree::Map(pairs) => {
                let (version, kind) = (text(node, &["apiVersion"]), text(node, &["kind"]));
                let group = [text(node, &["apiGroup"]), text(node, &["group"])].concat();
                let name = text(node, &["name"]);
                if !kind.is_empty() && !name.is_empty() && (!version.is_empty() || group == "rbac.authorization.k8s.io")
                {
                    let version = if version.is_empty() { format!("{group}/v1") } else { version.to_owned() };
                    self.wanted.push((at.to_owned(), format!("{version} {kind} {name}")));
                }
                for (key, value) in pairs {
                    let key = word(key);
                    if let (Some((_, kind)), Tree::Text(name)) = (NAMED.iter().find(|(k, _)| *k == key), &value.value) {
                        self.wanted.push((format!("{at} {key}"), format!("{kind} {name}")));
                    }
                    let kind = match key {
                        "parentRefs" => "gateway.networking.k8s.io/v1 Gateway",
                        "backendRefs" => "v1 Service",
                        _ => "",
                    };
                    if let (false, Tree::List(items)) = (kind.is_empty(), &value.value) {
                        let names = items.iter().map(|item| format!("{kind} {}", text(item, &["name"])));
                        self.wanted.extend(names.map(|name| (format!("{at} {key}"), name)));
                    }
                    self.references(value, at);
                }
            }
            _ => {}
        }
    }
}

fn word(node: &Node) -> &str {
    match &node.value {
        Tree::Text(text) => text,
        other => panic!("a key that is no text: {other:?}"),
    }
}

/// The text at a path, empty where there is none.
fn text<'n>(node: &'n Node, path: &[&str]) -> &'n str {
    match (&node.value, path) {
        (Tree::Text(text), []) => text,
        (Tree::Map(pairs), [first, rest @ ..]) => {
            pairs.iter().find(|(key, _)| word(key) == *first).map_or("", |(_, value)| text(value, rest))
        }
        _ => "",
    }
}
