//! A resource as the cluster tells of it, and a wish as it is read: both in the fields of Grid's types.

use std::collections::{BTreeMap, BTreeSet};

use grid_plan::state::Observed;
use grid_plan::{Fields, Path};
use grid_types::find;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::lever::{Does, levers_of};
use crate::object::{Id, RESOURCE_ANNOTATION, Sort, TAKE_OVER_ANNOTATION, TOKEN_LABEL};

/// A resource: the object that it is, and those that belong to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// What names it.
    pub(crate) id: Id,
    /// The object itself.
    pub(crate) main: Value,
    /// Those beside it, one of a sort at most.
    pub(crate) beside: Vec<(&'static Sort, Value)>,
    /// Its fields, in the names of the type.
    pub(crate) fields: Fields,
    /// What others may refer to.
    pub(crate) outputs: BTreeMap<String, Value>,
}

/// The field that names what is to be taken over.
pub(crate) const TAKE_OVER: &str = "kubernetes.take_over";

impl Seen {
    /// Of objects, with nothing told of them yet.
    pub(crate) fn new(id: Id, main: Value, beside: Vec<(&'static Sort, Value)>) -> Self {
        let mut seen = Self { id, main, beside, fields: Fields::default(), outputs: BTreeMap::new() };
        let listed = seen.annotation(TAKE_OVER_ANNOTATION).map(|list| list.split(',').map(Value::from).collect());
        if let Some(list) = listed {
            seen.tell(TAKE_OVER, Some(Value::Array(list)));
        }
        if seen.id.sort.is_namespaced {
            let namespace = seen.id.namespace.clone();
            seen.tell("network", Some(Value::from(namespace)));
        }
        seen
    }

    /// Says what a field is, if it is anything.
    pub(crate) fn tell(&mut self, name: &str, value: Option<Value>) {
        if let (Some(value), Ok(path)) = (value.filter(|v| !v.is_null()), Path::parse(name)) {
            self.fields.set(&path, &value);
        }
    }

    /// The object of a sort that belongs to it.
    pub(crate) fn part(&self, sort: &Sort) -> Option<&Value> {
        if *self.id.sort == *sort {
            return Some(&self.main);
        }
        self.beside.iter().find(|(s, _)| **s == *sort).map(|(_, object)| object)
    }

    /// The token of the last action.
    pub(crate) fn token(&self) -> Option<&str> {
        mark(&self.main, "labels", TOKEN_LABEL)
    }

    /// An annotation of the object itself.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        mark(&self.main, "annotations", key)
    }

    /// Whether Grid has made the object of a sort for this resource.
    pub(crate) fn has_made(&self, sort: &Sort) -> bool {
        let ours = |object: &Value| mark(object, "annotations", RESOURCE_ANNOTATION).map(str::to_owned);
        self.part(sort).and_then(ours).is_some_and(|of| self.annotation(RESOURCE_ANNOTATION) == Some(&of))
    }

    /// As the state keeps it.
    pub(crate) fn observed(self) -> Observed {
        let mut outputs = self.outputs;
        outputs.insert("id".to_owned(), Value::from(self.id.to_string()));
        outputs.insert("name".to_owned(), Value::from(self.id.name.as_str()));
        let id = self.id.to_string();
        Observed { id, fields: self.fields, outputs, managed: BTreeSet::new(), needs: BTreeSet::new() }
    }
}

/// A label or an annotation.
pub(crate) fn mark<'o>(object: &'o Value, of: &str, key: &str) -> Option<&'o str> {
    object.get("metadata")?.get(of)?.get(key)?.as_str()
}

/// Whether somebody is deleting it.
pub(crate) fn is_going(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|t| !t.is_null())
}

/// What tells one object from another of the same name.
pub(crate) fn uid(object: &Value) -> &str {
    object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default()
}

/// What is wanted of a resource.
pub(crate) struct Want<'a> {
    /// Of this kind.
    pub(crate) kind: &'a str,
    /// All fields.
    pub(crate) fields: &'a Fields,
}

impl Want<'_> {
    /// A field.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        Path::parse(name).ok().and_then(|path| self.fields.get(&path))
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str).filter(|t| !t.is_empty())
    }

    /// A whole number.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::as_i64)
    }

    /// Texts: a list, or one with commas between them.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Array(list)) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            Some(Value::String(text)) => {
                text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Texts by name.
    pub(crate) fn map(&self, name: &str) -> BTreeMap<String, String> {
        let Ok(path) = Path::parse(name) else { return BTreeMap::new() };
        let below = self.fields.below(&path).filter(|(p, _)| p.keys().len() == path.keys().len() + 1);
        below.filter_map(|(p, v)| Some((p.keys().next_back()?.to_owned(), text_of(v)))).collect()
    }

    /// A text that must be there.
    pub(crate) fn must(&self, name: &str) -> Result<&str, Failure> {
        self.text(name)
            .ok_or_else(|| Failure::refused(format!("a {} cannot be made without {name}: give it", self.kind)))
    }
}

/// A value as a variable holds it.
pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What is wanted of something that is made: where nobody says anything, what the type says. Who asks for a number of their own asks for no bounds.
pub(crate) fn with_defaults(kind: &str, fields: &Fields) -> Fields {
    let mut all = fields.clone();
    let is_fixed = fields.get(&Path::of(["desired"])).is_some();
    for field in find(kind).map(|t| t.fields.as_slice()).unwrap_or_default() {
        let path = Path::of([field.name.as_str()]);
        let is_known = levers_of(kind).any(|l| matches!(l.does, Does::Change(_) | Does::Fix(_)) && l.holds(&path));
        let is_said = all.below(&path).next().is_some();
        let is_bound = is_fixed && ["min", "max"].contains(&field.name.as_str());
        let default = field.default.as_ref().and_then(|d| serde_json::to_value(d).ok());
        if let Some(default) = default.filter(|_| is_known && !is_said && !is_bound) {
            all.set(&path, &default);
        }
    }
    all
}

/// An object without members that are null.
pub(crate) fn object(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let full = map.into_iter().filter(|(_, v)| !v.is_null()).map(|(key, v)| (key, object(v)));
            Value::Object(full.collect::<Map<_, _>>())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(object).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wishes_have_the_defaults_of_the_type_where_they_can_be_set() {
        let check = |fields: Value, expected: Value| {
            assert_eq!(with_defaults("container_service", &Fields::of_json(&fields)).to_json(), expected);
        };
        check(
            json!({"image": "a"}),
            json!({"image": "a", "port": 8080, "cpu_milli": 500, "memory_mib": 1024, "min": 1, "max": 4}),
        );
        check(
            json!({"desired": 2, "port": 1, "cpu_milli": 250}),
            json!({"desired": 2, "port": 1, "cpu_milli": 250, "memory_mib": 1024}),
        );
    }

    #[test]
    fn wishes_are_read() {
        let fields = Fields::of_json(&json!({"env": {"A": "1", "B": 2}, "kubernetes": {"take_over": "max, min"}}));
        let want = Want { kind: "container_service", fields: &fields };
        assert_eq!(
            want.map("env"),
            BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())])
        );
        assert_eq!(want.texts(TAKE_OVER), ["max", "min"]);
        assert!(want.must("image").is_err());
        assert_eq!(object(json!({"a": null, "b": [{"c": null, "d": 1}]})), json!({"b": [{"d": 1}]}));
    }
}
