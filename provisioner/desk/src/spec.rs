//! A spec of resources as a blueprint, and back: what is checked there is planned here.

use std::collections::BTreeMap;

use grid_plan::environment::{Blueprint, Effective, Resource};
use grid_plan::{Address, Fields};
use grid_types::reference::Part;
use grid_types::spec::Value as SpecValue;
use grid_types::{Format, Spec};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::DeskError;

/// Reads a spec; all mistakes with their places if it is wrong.
pub fn blueprint(name: &str, text: &str, format: Format) -> Result<Blueprint, DeskError> {
    let spec = Spec::read(text, format).map_err(|problems| {
        let first = problems.list.first().map_or_else(String::new, |p| match p.path.as_str() {
            "" => p.what.clone(),
            path => format!("{path}: {}", p.what),
        });
        DeskError::Spec { first, shown: problems.show("spec", text) }
    })?;
    of_spec(name, &spec)
}

fn of_spec(name: &str, spec: &Spec) -> Result<Blueprint, DeskError> {
    let mut resources = BTreeMap::new();
    for one in &spec.resources {
        let address = Address::new(&one.address.kind, &one.address.name).map_err(|e| DeskError::bad(&e))?;
        let fields: Map<String, Value> = one.fields.iter().map(|(name, v)| ((*name).to_owned(), value(v))).collect();
        let is_protected = fields.get("protect") == Some(&Value::Bool(true));
        let fields = Fields::of_json(&Value::Object(fields));
        resources.insert(address, Resource { fields, is_protected, ..Resource::default() });
    }
    let mut blueprint = Blueprint { name: name.to_owned(), revision: String::new(), resources };
    blueprint.revision = revision(&blueprint);
    Ok(blueprint)
}

/// A revision is what it holds: the first twelve digits of a digest.
pub fn revision(blueprint: &Blueprint) -> String {
    let text = serde_json::to_string(&blueprint.resources).unwrap_or_default();
    Sha256::digest(text.as_bytes()).iter().take(6).map(|b| format!("{b:02x}")).collect()
}

fn value(of: &SpecValue) -> Value {
    match of {
        SpecValue::Bool(b) => json!(b),
        SpecValue::Integer(n) => json!(n),
        SpecValue::Resource(address) => json!(format!("${{{address}}}")),
        SpecValue::List(items) => Value::Array(items.iter().map(value).collect()),
        SpecValue::Map(pairs) => Value::Object(pairs.iter().map(|(name, v)| (name.clone(), value(v))).collect()),
        SpecValue::Text(parts) => {
            let text = parts.iter().map(|part| match part {
                Part::Literal(text) => text.replace("${", "$${"),
                Part::Resource(address) => format!("${{{address}}}"),
                Part::Output(address, output) => format!("${{{address}.out.{output}}}"),
            });
            Value::String(text.collect())
        }
    }
}

/// The text of a spec of some resources, as JSON.
pub(crate) fn text<'a>(resources: impl IntoIterator<Item = (&'a Address, &'a Fields)>) -> String {
    let all: Vec<Value> = resources
        .into_iter()
        .map(|(address, fields)| json!({ "kind": address.kind(), "name": address.name(), "fields": fields.to_json() }))
        .collect();
    json!({ "version": 1, "resources": all }).to_string()
}

/// Whether what is wanted is still a spec; the first mistake if not. Fields that only the planner knows are its own affair.
pub fn check(wanted: &Effective) -> Result<(), DeskError> {
    let known = wanted.0.iter().filter(|(address, _)| grid_types::find(address.kind()).is_some());
    let text = text(known.map(|(address, of)| (address, &of.fields)));
    match Spec::read(&text, Format::Json) {
        Ok(_) => Ok(()),
        Err(problems) => {
            let told =
                problems.list.first().map_or_else(String::new, |p| format!("{}: {}; {}", p.path, p.what, p.hint));
            Err(DeskError::Bad(told))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_plan::environment::{Environment, effective};

    #[test]
    fn a_spec_becomes_a_blueprint_and_stays_a_spec() {
        let text = "resources:\n  - {kind: network, name: main}\n  - kind: vm\n    name: web\n    fields:\n      network: ${network.main}\n      ssh_public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops\n      user_data: 'echo $${HOME}'\n";
        let made = blueprint("shop", text, Format::Yaml).unwrap();
        let web = &made.resources[&Address::parse("vm.web").unwrap()];
        assert_eq!(web.fields.to_json()["network"], "${network.main}");
        assert_eq!(web.fields.to_json()["user_data"], "echo $${HOME}");
        assert_eq!(web.fields.references().len(), 1);
        let wanted = effective(&made, &Environment::default(), &[], &crate::kinds()).unwrap();
        check(&wanted).unwrap();
        let wrong = blueprint("shop", "resources:\n  - {kind: vmm, name: a}\n", Format::Yaml).unwrap_err();
        assert!(wrong.to_string().contains("there is no type"), "{wrong}");
    }
}
