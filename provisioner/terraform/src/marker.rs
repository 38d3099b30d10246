//! Outputs that only Terraform knows. What a resource gives to others is a marker in Grid's state, `<terraform:network.main>` or
//! `<terraform:postgresql.main/host>`; where a field has one, the rendered spec has the reference, and HCL the expression. So values of the state, secrets
//! among them, are nowhere but in Terraform's state.

use std::collections::BTreeMap;

use grid_plan::Address;
use serde_json::Value;

const BEGIN: &str = "<terraform:";

/// The outputs of a resource, as others refer to them.
pub(crate) fn outputs(address: &Address) -> BTreeMap<String, Value> {
    let named = grid_types::find(address.kind()).map(|t| t.outputs.as_slice()).unwrap_or_default();
    let own = (String::new(), Value::String(format!("{BEGIN}{address}>")));
    let others = named.iter().map(|o| (o.name.clone(), Value::String(format!("{BEGIN}{address}/{}>", o.name))));
    std::iter::once(own).chain(others).collect()
}

/// A value of a call as a spec writes it: markers become references, and everything else stays what it says.
pub(crate) fn referring(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text_referring(text)),
        Value::Array(items) => Value::Array(items.iter().map(referring).collect()),
        Value::Object(map) => Value::Object(map.iter().map(|(key, value)| (key.clone(), referring(value))).collect()),
        other => other.clone(),
    }
}

fn text_referring(text: &str) -> String {
    let (mut whole, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(BEGIN) {
        let inside = &rest[at + BEGIN.len()..];
        whole.push_str(&rest[..at].replace("${", "$${"));
        match inside.split_once('>').and_then(|(inside, after)| Some((reference(inside)?, after))) {
            Some((reference, after)) => {
                whole.push_str(&reference);
                rest = after;
            }
            None => {
                whole.push_str(BEGIN);
                rest = inside;
            }
        }
    }
    whole + &rest.replace("${", "$${")
}

fn reference(inside: &str) -> Option<String> {
    let (address, output) = inside.split_once('/').map_or((inside, None), |(a, o)| (a, Some(o)));
    let address = Address::parse(address).ok()?;
    match output {
        None => Some(format!("${{{address}}}")),
        Some(output) if output.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !output.is_empty() => {
            Some(format!("${{{address}.out.{output}}}"))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn markers_become_references_and_the_rest_stays_text() {
        for (text, expected) in [
            ("<terraform:network.main>", "${network.main}"),
            ("DB=<terraform:postgresql.db/host>:5432", "DB=${postgresql.db.out.host}:5432"),
            ("echo ${HOME} <terraform:vm.a/id>", "echo $${HOME} ${vm.a.out.id}"),
            ("<terraform:no>", "<terraform:no>"),
            ("<terraform:vm.a/b c>", "<terraform:vm.a/b c>"),
            ("<terraform:", "<terraform:"),
            ("plain", "plain"),
        ] {
            assert_eq!(referring(&json!([text])), json!([expected]), "{text}");
        }
        let outputs = outputs(&Address::parse("network.main").unwrap());
        assert_eq!(outputs[""], "<terraform:network.main>");
        assert_eq!(outputs["id"], "<terraform:network.main/id>");
    }
}
