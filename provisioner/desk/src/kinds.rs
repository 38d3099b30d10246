//! What the planner must know of the thirty types: made of the catalog, so that a new type is data here too.

use grid_plan::Path;
use grid_plan::kinds::Kinds;
use grid_types::{Kind as FieldKind, types};
use serde_json::{Value, json};

/// Fields that only making anew can change, of whatever type has them.
const REPLACE_ON: [&str; 8] = ["network", "cidr", "os", "database", "partition_key", "sort_key", "vm", "zones"];
/// Fields of which a plan shows no values.
const SENSITIVE: [&str; 1] = ["user_data"];

/// All of them.
pub fn kinds() -> Kinds {
    let mut kinds = Kinds::roles();
    for of in types() {
        let kind = kinds.0.entry(of.name.clone()).or_default();
        for field in &of.fields {
            let path = Path::of([field.name.as_str()]);
            if REPLACE_ON.contains(&field.name.as_str()) && !(field.name == "vm" && of.name == "block_disk") {
                kind.replace_on.insert(path.clone());
            }
            if SENSITIVE.contains(&field.name.as_str()) {
                kind.sensitive.insert(path.clone());
            }
            if field.kind == FieldKind::References {
                kind.unordered.insert(path);
            }
        }
        kind.asleep = asleep(&of.name).into_iter().map(|(name, value)| (Path::of([name]), value)).collect();
    }
    kinds
}

/// What fields are while an environment sleeps: what costs by the hour rests, data stay.
fn asleep(kind: &str) -> Vec<(&'static str, Value)> {
    match kind {
        "vm" => vec![("running", json!(false))],
        "autoscaling_group" => vec![("min", json!(0)), ("max", json!(1))],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_is_named_here_exists() {
        let kinds = kinds();
        for of in types() {
            let kind = kinds.get(&of.name).cloned().unwrap_or_default();
            for (path, _) in &kind.asleep {
                assert!(of.fields.iter().any(|f| path.keys().next() == Some(f.name.as_str())), "{} {path}", of.name);
            }
        }
        for name in REPLACE_ON.iter().chain(&SENSITIVE) {
            assert!(types().iter().any(|t| t.fields.iter().any(|f| f.name == *name)), "{name}");
        }
    }
}
