//! Where a field rests in an object, what is there, and whose it is. The cluster remembers for each manager which fields it has set, as a tree of
//! `f:NAME` (a member), `k:{...}` (the item of a list that has these keys) and `v:...` (a value of a set).

use std::fmt;

use serde_json::{Map, Value};

use crate::limits::DEPTH_MAX;
use crate::object::MANAGER;

/// One step into an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seg {
    /// A member of an object.
    Key(String),
    /// The item of a list that has these members.
    Item(Vec<(&'static str, Value)>),
}

/// Where a field rests: the outermost step first.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Place(pub(crate) Vec<Seg>);

impl Place {
    /// Of members with dots between them.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.split('.').map(|k| Seg::Key(k.to_owned())).collect())
    }

    /// A member below, whatever is in its name.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.0.push(Seg::Key(key.to_owned()));
        self
    }

    /// An item below.
    pub(crate) fn item(mut self, keys: Vec<(&'static str, Value)>) -> Self {
        self.0.push(Seg::Item(keys));
        self
    }

    /// The item below that has a name.
    pub(crate) fn named(self, name: &str) -> Self {
        self.item(vec![("name", Value::from(name))])
    }
}

/// As the cluster writes it in a conflict: `.spec.template.spec.containers[name="web"].image`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for seg in &self.0 {
            match seg {
                Seg::Key(key) => write!(f, ".{key}")?,
                Seg::Item(keys) => {
                    let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    write!(f, "[{}]", keys.join(","))?;
                }
            }
        }
        Ok(())
    }
}

fn is_item(value: &Value, keys: &[(&'static str, Value)]) -> bool {
    keys.iter().all(|(key, wanted)| value.get(key) == Some(wanted))
}

/// What is at a place.
pub(crate) fn get<'v>(root: &'v Value, place: &Place) -> Option<&'v Value> {
    place.0.iter().try_fold(root, |at, seg| match seg {
        Seg::Key(key) => at.get(key),
        Seg::Item(keys) => at.as_array()?.iter().find(|v| is_item(v, keys)),
    })
}

/// Writes a value at a place, and what has to be there above it.
pub(crate) fn put(root: &mut Value, place: &Place, value: Value) {
    let mut at = root;
    for seg in &place.0 {
        at = match seg {
            Seg::Key(key) => {
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                &mut at[key]
            }
            Seg::Item(keys) => {
                if !at.is_array() {
                    *at = Value::Array(Vec::new());
                }
                let Some(list) = at.as_array_mut() else { return };
                let found = list.iter().position(|v| is_item(v, keys));
                let n = found.unwrap_or_else(|| {
                    let of = keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
                    list.push(Value::Object(of));
                    list.len() - 1
                });
                &mut list[n]
            }
        };
    }
    *at = value;
}

/// Takes away what is at a place, and the objects and lists above it that hold nothing else.
pub(crate) fn cut(root: &mut Value, place: &Place) {
    cut_at(root, &place.0);
}

fn cut_at(at: &mut Value, place: &[Seg]) {
    let Some((first, rest)) = place.split_first() else { return };
    let is_empty = |v: &Value| v.as_object().is_some_and(Map::is_empty) || v.as_array().is_some_and(Vec::is_empty);
    match first {
        Seg::Key(key) => {
            let Some(map) = at.as_object_mut() else { return };
            let Some(next) = map.get_mut(key) else { return };
            cut_at(next, rest);
            if rest.is_empty() || is_empty(next) {
                map.remove(key);
            }
        }
        Seg::Item(keys) => {
            let Some(list) = at.as_array_mut() else { return };
            if rest.is_empty() {
                list.retain(|v| !is_item(v, keys));
            } else if let Some(next) = list.iter_mut().find(|v| is_item(v, keys)) {
                cut_at(next, rest);
            }
        }
    }
}

/// Who set what: name, and tree of fields. Those who set a status or a scale are told too.
fn entries(object: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let all = object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|entry| {
        let text = |key| entry.get(key).and_then(Value::as_str);
        Some((text("manager")?, text("operation").unwrap_or_default(), entry.get("fieldsV1")?))
    })
}

/// Everybody who has set what is at a place.
pub(crate) fn managers<'o>(object: &'o Value, place: &Place) -> Vec<&'o str> {
    let mut all: Vec<&str> = entries(object).filter(|(.., tree)| holds(tree, &place.0)).map(|(who, ..)| who).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether Grid has set what is at a place, by applying it.
pub(crate) fn is_ours(object: &Value, place: &Place) -> bool {
    applied(object).is_some_and(|tree| holds(tree, &place.0))
}

fn applied(object: &Value) -> Option<&Value> {
    entries(object).find(|(who, how, _)| *who == MANAGER && *how == "Apply").map(|(.., tree)| tree)
}

fn holds(tree: &Value, place: &[Seg]) -> bool {
    let Some(members) = tree.as_object() else { return false };
    let Some((first, rest)) = place.split_first() else { return true };
    // A leaf stands for all that is below it.
    if members.is_empty() {
        return true;
    }
    let next = match first {
        Seg::Key(key) => members.get(&format!("f:{key}")),
        Seg::Item(keys) => {
            members.iter().find(|(name, _)| item_of(name).is_some_and(|of| is_item(&of, keys))).map(|m| m.1)
        }
    };
    next.is_some_and(|next| holds(next, rest))
}

fn item_of(name: &str) -> Option<Value> {
    serde_json::from_str(name.strip_prefix("k:")?).ok()
}

/// What Grid has applied of an object, with the values that are there now: the base of the next apply, because what is left out of it goes.
pub(crate) fn ours(object: &Value) -> Value {
    let of = applied(object).and_then(|tree| part(object, tree, 0));
    of.unwrap_or_else(|| Value::Object(Map::new()))
}

fn part(value: &Value, tree: &Value, depth: usize) -> Option<Value> {
    let members = tree.as_object()?;
    if members.keys().all(|k| k == ".") || depth > DEPTH_MAX {
        // A container that is owned as such and holds nothing of ours is named by its keys only.
        return Some(if members.is_empty() { value.clone() } else { emptied(value) });
    }
    match value {
        Value::Object(object) => {
            let found = members.iter().filter_map(|(name, tree)| {
                let key = name.strip_prefix("f:")?;
                Some((key.to_owned(), part(object.get(key)?, tree, depth + 1)?))
            });
            Some(Value::Object(found.collect()))
        }
        Value::Array(list) => {
            let found = members.iter().filter_map(|(name, tree)| match item_of(name) {
                Some(Value::Object(keys)) => {
                    let item = list.iter().find(|v| keys.iter().all(|(key, k)| v.get(key) == Some(k)))?;
                    let mut item = part(item, tree, depth + 1)?;
                    item.as_object_mut()?.extend(keys);
                    Some(item)
                }
                _ => serde_json::from_str(name.strip_prefix("v:")?).ok(),
            });
            Some(Value::Array(found.collect()))
        }
        other => Some(other.clone()),
    }
}

fn emptied(value: &Value) -> Value {
    match value {
        Value::Object(_) => Value::Object(Map::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn web() -> Place {
        Place::of("spec.template.spec.containers").named("web")
    }

    fn object() -> Value {
        json!({
            "metadata": {"labels": {"grid/token": "t", "a": "b"}, "managedFields": [
                {"manager": "grid", "operation": "Apply", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:grid/token": {}}},
                    "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                        "k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:ports": {
                            "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:protocol": {}}}}}}}}}},
                {"manager": "kubectl", "operation": "Update", "fieldsV1": {
                    "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                        "k:{\"name\":\"web\"}": {"f:image": {}, "f:resources": {}}}}}}}}]},
            "spec": {"replicas": 3, "paused": false, "template": {"spec": {"containers": [
                {"name": "side", "image": "s"},
                {"name": "web", "image": "w", "resources": {"requests": {"cpu": "1"}},
                    "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]}]}}}
        })
    }

    #[test]
    fn what_is_there_and_whose_it_is() {
        let object = object();
        let check = |place: Place, there: Option<Value>, ours: bool, by: &[&str]| {
            assert_eq!(get(&object, &place).cloned(), there, "{place}");
            assert_eq!(is_ours(&object, &place), ours, "{place}");
            assert_eq!(managers(&object, &place), by, "{place}");
        };
        check(Place::of("spec.replicas"), Some(json!(3)), true, &["grid", "kubectl"]);
        check(Place::of("spec.paused"), Some(json!(false)), false, &[]);
        check(web().key("image"), Some(json!("w")), false, &["kubectl"]);
        // A leaf of the tree stands for all below it.
        check(web().key("resources").key("requests").key("cpu"), Some(json!("1")), false, &["kubectl"]);
        check(Place::of("metadata.labels").key("grid/token"), Some(json!("t")), true, &["grid"]);
        let port = web().key("ports").item(vec![("containerPort", json!(80)), ("protocol", json!("TCP"))]);
        assert!(is_ours(&object, &port));
        assert_eq!(web().key("image").to_string(), ".spec.template.spec.containers[name=\"web\"].image");
    }

    #[test]
    fn an_apply_begins_with_what_is_ours() {
        let mut body = ours(&object());
        let expected = json!({
            "metadata": {"labels": {"grid/token": "t"}},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [
                {"name": "web", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}}}
        });
        assert_eq!(body, expected);
        put(&mut body, &web().key("image"), json!("w2"));
        put(&mut body, &web().key("env").named("A").key("value"), json!("1"));
        cut(&mut body, &Place::of("spec.replicas"));
        cut(&mut body, &Place::of("spec.none.at.all"));
        cut(&mut body, &Place::of("metadata.labels").key("grid/token"));
        let made = &body["spec"]["template"]["spec"]["containers"];
        assert_eq!(made.as_array().map(Vec::len), Some(1));
        assert_eq!((&made[0]["image"], &made[0]["env"]), (&json!("w2"), &json!([{"name": "A", "value": "1"}])));
        assert_eq!((body["spec"].get("replicas"), body.get("metadata")), (None, None));
        assert_eq!(ours(&json!({"metadata": {}})), json!({}));
    }
}
