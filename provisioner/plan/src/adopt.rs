//! Taking over what is there: out of observed resources a blueprint whose plan is empty, the state that goes with it, and `import` blocks in HCL.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::environment::{Blueprint, Resource};
use crate::field::Path;
use crate::kinds::Kinds;
use crate::plan::escaped;
use crate::state::{Observed, State};

/// What has been found in a cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its kind.
    pub kind: String,
    /// What it is called there; a name is made of it.
    pub title: String,
    /// What it is, with the cloud's id.
    pub observed: Observed,
}

/// What was taken over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Adopted {
    /// Resources, for a blueprint.
    pub blueprint: Blueprint,
    /// The state that they have been observed in, serial 1 (0 if nothing was found).
    pub state: State,
    /// What has no address: a kind that is no word.
    pub refused: Vec<(String, String)>,
}

/// Takes over what was found. Names that are taken get a number; the order of `found` decides who keeps the plain one. Only what a cloud fills in is
/// left out, so a plan of blueprint against state is empty.
pub fn adopt(blueprint: &str, environment: &str, found: &[Found], kinds: &Kinds) -> Adopted {
    let mut adopted = Adopted {
        blueprint: Blueprint { name: blueprint.to_owned(), revision: "import".to_owned(), resources: BTreeMap::new() },
        state: State { environment: environment.to_owned(), serial: u64::from(!found.is_empty()), ..State::default() },
        refused: Vec::new(),
    };
    for one in found {
        let Some(address) = free(&one.kind, &one.title, &adopted.blueprint.resources) else {
            adopted.refused.push((one.kind.clone(), one.observed.id.clone()));
            continue;
        };
        let kind = kinds.get(&one.kind);
        let own: Vec<_> =
            one.observed.fields.iter().filter(|(path, _)| !kind.is_some_and(|k| k.is_computed(path))).collect();
        let fields = own.iter().map(|(path, value)| ((*path).clone(), escaped(value))).collect();
        let managed: BTreeSet<Path> = own.iter().map(|(path, _)| (*path).clone()).collect();
        let resource = Resource { fields, ..Resource::default() };
        adopted.blueprint.resources.insert(address.clone(), resource);
        adopted.state.resources.insert(address, Observed { managed, needs: BTreeSet::new(), ..one.observed.clone() });
    }
    adopted
}

/// An address that nobody has yet, made of a title.
fn free(kind: &str, title: &str, taken: &BTreeMap<Address, Resource>) -> Option<Address> {
    let word: String =
        title.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let word = word.trim_matches('_');
    let starts_well = word.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    let word: String = match (word.is_empty(), starts_well) {
        (true, _) => kind.to_owned(),
        (_, false) => format!("_{word}"),
        _ => word.to_owned(),
    };
    let word: String = word.chars().take(100).collect();
    let mut numbered = std::iter::once(word.clone()).chain((2..).map(|n| format!("{word}_{n}")));
    loop {
        let address = Address::new(kind, &numbered.next()?).ok()?;
        if !taken.contains_key(&address) {
            return Some(address);
        }
    }
}

/// `import` blocks for what was taken over, as Terraform 1.5 and OpenTofu 1.5 read them. The kinds are written as they are: who renders to a
/// provider's types renames them.
pub fn import_blocks(adopted: &Adopted) -> String {
    let block = |(address, observed): (&Address, &Observed)| {
        let id = observed.id.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{");
        format!("import {{\n  to = {address}\n  id = \"{id}\"\n}}\n")
    };
    adopted.state.resources.iter().map(block).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::field::Fields;
    use crate::plan::tests::{Setting, fields_strategy};
    use proptest::prelude::*;
    use serde_json::json;

    fn found(kind: &str, title: &str, fields: serde_json::Value) -> Found {
        let id = format!("{kind}/{title}");
        let observed = Observed { id, fields: Fields::of_json(&fields), ..Observed::default() };
        Found { kind: kind.to_owned(), title: title.to_owned(), observed }
    }

    #[test]
    fn names_are_made_and_numbered() {
        let all: Vec<Found> = ["Web Server", "web-server", "", "9lives", "ü", "web_server"]
            .iter()
            .map(|t| found("vm", t, json!({"a": "${x.y}"})))
            .chain([found("no kind", "a", json!({}))])
            .collect();
        let adopted = adopt("all", "prod", &all, &Kinds::roles());
        let names: Vec<String> = adopted.blueprint.resources.keys().map(Address::to_string).collect();
        assert_eq!(names, ["vm._9lives", "vm.vm", "vm.vm_2", "vm.web_server", "vm.web_server_2", "vm.web_server_3"]);
        assert_eq!(adopted.refused, [("no kind".to_owned(), "no kind/a".to_owned())]);
        let blocks = import_blocks(&adopted);
        assert!(blocks.starts_with("import {\n  to = vm._9lives\n  id = \"vm/9lives\"\n}\n"), "{blocks}");
    }

    proptest! {
        #[test]
        fn what_was_taken_over_needs_no_plan(
            all in proptest::collection::vec((0..30_usize, "[a-z ]{0,3}", fields_strategy()), 0..12)
        ) {
            let mut kinds = Kinds::roles();
            let names: Vec<String> = kinds.0.keys().cloned().collect();
            for kind in kinds.0.values_mut() {
                kind.computed.insert(Path::of(["b"]));
            }
            let all: Vec<Found> = all.into_iter().map(|(kind, title, fields)| found(&names[kind], &title, fields)).collect();
            let adopted = adopt("all", "prod", &all, &kinds);
            prop_assert_eq!(adopted.blueprint.resources.len(), all.len());
            let mut setting = Setting::new("prod");
            setting.kinds = kinds;
            setting.blueprint = adopted.blueprint;
            setting.state = adopted.state;
            let plan = setting.plan().unwrap();
            prop_assert!(plan.is_empty(), "{:?}", plan.steps);
        }
    }
}
