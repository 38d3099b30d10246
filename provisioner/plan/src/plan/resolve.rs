//! What fields refer to, looked up: a value, or that it is only known when another resource has been made.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Action;
use crate::address::Address;
use crate::diff::Resolved;
use crate::environment::Wanted;
use crate::field::{Piece, Reference, pieces};
use crate::state::{Observed, State};

/// Looks up all that a resource refers to. `actions` are those of everything that it needs.
pub(super) fn resolve(wanted: &Wanted, state: &State, actions: &BTreeMap<Address, Action>) -> Resolved {
    let mut resolved = Resolved::default();
    let mut known = Vec::with_capacity(wanted.fields.len());
    for (path, value) in wanted.fields.iter() {
        match look_up(value, &|reference| output(reference, state, actions)) {
            Some(value) => known.push((path.clone(), value)),
            None => resolved.unknown.push((path.clone(), value.clone())),
        }
    }
    resolved.known = known.into_iter().collect();
    resolved
}

/// The value with all its references replaced; `None` if one of them is not known yet.
fn look_up(value: &Value, output: &dyn Fn(&Reference) -> Option<Value>) -> Option<Value> {
    match value {
        Value::String(text) if text.contains("${") => {
            let pieces = pieces(text);
            if let [Piece::Refers(reference)] = pieces.as_slice() {
                return output(reference);
            }
            let mut whole = String::with_capacity(text.len());
            for piece in pieces {
                match piece {
                    Piece::Text(text) => whole.push_str(text),
                    Piece::Refers(reference) => match output(&reference)? {
                        Value::String(text) => whole.push_str(&text),
                        value => whole.push_str(&value.to_string()),
                    },
                }
            }
            Some(Value::String(whole))
        }
        Value::Array(list) => list.iter().map(|v| look_up(v, output)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, v)| look_up(v, output).map(|v| (key.clone(), v)))
            .collect::<Option<serde_json::Map<_, _>>>()
            .map(Value::Object),
        value => Some(value.clone()),
    }
}

/// A value whose references are to be found among resources that are there; `None` if one of them is not.
pub fn looked_up(value: &Value, there: &BTreeMap<Address, Observed>) -> Option<Value> {
    look_up(value, &|reference| output_of(there.get(&reference.to)?, reference))
}

fn output(reference: &Reference, state: &State, actions: &BTreeMap<Address, Action>) -> Option<Value> {
    if matches!(actions.get(&reference.to), Some(Action::Create | Action::Replace)) {
        return None;
    }
    output_of(state.resources.get(&reference.to)?, reference)
}

fn output_of(observed: &Observed, reference: &Reference) -> Option<Value> {
    let name = reference.output.to_string();
    match observed.outputs.get(&name) {
        Some(value) => Some(value.clone()),
        None if name.is_empty() || name == "id" => Some(Value::String(observed.id.clone())),
        None => None,
    }
}

/// A value that was observed, written so that nothing in it is taken for a reference.
pub(crate) fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("${") => Value::String(text.replace("${", "$${")),
        Value::Array(list) => Value::Array(list.iter().map(escaped).collect()),
        Value::Object(map) => Value::Object(map.iter().map(|(key, v)| (key.clone(), escaped(v))).collect()),
        value => value.clone(),
    }
}
