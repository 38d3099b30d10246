//! What differs between what is wanted of one resource and what is there, field by field.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::environment::{Source, Wanted};
use crate::field::{Fields, Path, same, same_set};
use crate::kinds::Kind;
use crate::state::Observed;

/// What a field will be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum After {
    /// This.
    Known(Value),
    /// Only known when others have been made.
    Unknown,
    /// Nothing.
    Absent,
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Which.
    pub path: Path,
    /// What it was.
    pub before: Option<Value>,
    /// What it will be.
    pub after: After,
    /// Whether the resource must be made anew for it.
    pub replaces: bool,
    /// Whether the values must not be shown.
    pub is_sensitive: bool,
    /// Who wants it; `None` if the blueprint.
    pub by: Option<Source>,
}

/// The fields of a resource once what they refer to has been looked up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resolved {
    /// What is known.
    pub known: Fields,
    /// What is not known yet: where, and the value with its references, to be looked up when they are made.
    pub unknown: Vec<(Path, Value)>,
}

/// All fields that differ, in order of paths. `observed` is `None` if the resource is to be created.
pub fn diff(wanted: &Wanted, resolved: &Resolved, observed: Option<&Observed>, kind: &Kind) -> Vec<FieldChange> {
    let change = |path: &Path, before: Option<&Value>, after: After| FieldChange {
        path: path.clone(),
        before: before.cloned(),
        after,
        replaces: observed.is_some() && kind.replaces(path),
        is_sensitive: kind.is_sensitive(path),
        by: wanted.source(path).cloned(),
    };
    let is_left_alone =
        |path: &Path| kind.is_computed(path) || (observed.is_some() && wanted.left_alone.keys().any(|p| p.holds(path)));
    let mut changes = Vec::new();
    for (path, value) in resolved.known.iter().filter(|(path, _)| !is_left_alone(path)) {
        let before = observed.and_then(|o| o.fields.get(path));
        let is_same = |b: &Value| if kind.is_unordered(path) { same_set(b, value) } else { same(b, value) };
        if !before.is_some_and(is_same) {
            changes.push(change(path, before, After::Known(value.clone())));
        }
    }
    for (path, _) in resolved.unknown.iter().filter(|(path, _)| !is_left_alone(path)) {
        changes.push(change(path, observed.and_then(|o| o.fields.get(path)), After::Unknown));
    }
    if let Some(observed) = observed {
        // A field goes if Grid has set it and nobody wants it, or if what is wanted lies above or below it.
        for (path, value) in observed.fields.iter().filter(|(path, _)| !is_left_alone(path)) {
            let is_wanted = resolved.known.get(path).is_some() || resolved.unknown.iter().any(|(p, _)| p == path);
            let is_ours = observed.managed.iter().any(|m| m.holds(path));
            if !is_wanted && is_ours {
                changes.push(change(path, Some(value), After::Absent));
            }
        }
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn check(wanted: Value, observed: Option<(Value, &[&str])>, expected: &str) {
        let path = |p: &str| Path::parse(p).unwrap();
        let kind = Kind {
            replace_on: [path("zone")].into(),
            computed: [path("arn")].into(),
            unordered: [path("groups")].into(),
            ..Kind::default()
        };
        let observed = observed.map(|(fields, managed)| Observed {
            fields: Fields::of_json(&fields),
            managed: managed.iter().map(|p| path(p)).collect(),
            ..Observed::default()
        });
        let resolved = Resolved { known: Fields::of_json(&wanted), unknown: Vec::new() };
        let shown: Vec<String> = diff(&Wanted::default(), &resolved, observed.as_ref(), &kind)
            .into_iter()
            .map(|c| {
                let after = match c.after {
                    After::Known(v) => v.to_string(),
                    After::Unknown => "?".to_owned(),
                    After::Absent => "-".to_owned(),
                };
                let before = c.before.map_or("-".to_owned(), |v| v.to_string());
                format!("{}: {before} -> {after}{}", c.path, if c.replaces { " !" } else { "" })
            })
            .collect();
        assert_eq!(shown.join("; "), expected);
    }

    #[test]
    fn fields_that_differ() {
        check(json!({"a": 1}), None, "a: - -> 1");
        check(json!({"a": 1, "zone": "x"}), None, "a: - -> 1; zone: - -> \"x\"");
        check(json!({"a": 1}), Some((json!({"a": 1.0, "b": 2}), &[])), "");
        check(json!({"a": 1}), Some((json!({"a": 1, "b": 2}), &["b"])), "b: 2 -> -");
        check(json!({"a": 2, "arn": "x"}), Some((json!({"a": 1, "arn": "y"}), &[])), "a: 1 -> 2");
        check(json!({"zone": "y"}), Some((json!({"zone": "x"}), &[])), "zone: \"x\" -> \"y\" !");
        check(json!({"groups": [2, 1]}), Some((json!({"groups": [1, 2]}), &[])), "");
        check(json!({"list": [2, 1]}), Some((json!({"list": [1, 2]}), &[])), "list: [1,2] -> [2,1]");
        check(json!({"s": {"x": 1}}), Some((json!({"s": 3}), &["s"])), "s: 3 -> -; s.x: - -> 1");
    }
}
