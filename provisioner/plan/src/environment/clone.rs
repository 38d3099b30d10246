//! A second environment like the first: new names where names must be unique, and a check that nobody has them.

use std::collections::BTreeSet;

use grid_model::{Amount, Timestamp};
use serde_json::Value;

use super::{Blueprint, Effective, EffectiveError, Environment, Override, Provenance, Writer, effective};
use crate::address::Address;
use crate::field::Path;
use crate::kinds::Kinds;
use crate::limits::{NAME_BYTES_MAX, NAME_TRIES_MAX};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wish {
    /// The name of the new environment.
    pub name: String,
    /// What is to differ, beside names.
    pub overrides: Vec<Override>,
    /// What it may cost a month.
    pub budget: Option<Amount>,
    /// From when on it is to be destroyed.
    pub expires: Option<Timestamp>,
    /// Whether recommendations' and scaling policies' values come along: they were made for another load.
    pub with_tuning: bool,
    /// Who asks.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// A clone, and how its names were made.
#[derive(Debug, Clone, PartialEq)]
pub struct Cloned {
    /// The environment.
    pub environment: Environment,
    /// Resource, field, old name, new name.
    pub names: Vec<(Address, Path, String, String)>,
}

/// Why there is no clone.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CloneError {
    /// The environment's name is taken.
    #[error("there is an environment {0} already")]
    Exists(String),
    /// No good name for an environment.
    #[error(
        "{0:?} is no name of an environment: lower-case letters, digits and `-`, at most 32, beginning with a letter"
    )]
    BadName(String),
    /// The original has no effective spec.
    #[error("resolve the original")]
    Original(#[source] EffectiveError),
    /// The wished overrides do not go with the rest.
    #[error("apply the wished overrides")]
    Wished(#[source] super::WriteError),
    /// A name was asked for that somebody has.
    #[error("{address} `{path}`: the name {name:?} is taken")]
    Taken {
        /// The resource.
        address: Address,
        /// The field.
        path: Path,
        /// The name.
        name: String,
    },
    /// No free name was found.
    #[error("{0}: no free name among {NAME_TRIES_MAX}")]
    NoName(Address),
}

/// Clones an environment. `environments` are the names of all there are; `taken` are names in the account by kind.
pub fn clone(
    blueprint: &Blueprint,
    from: &Environment,
    wish: &Wish,
    environments: &BTreeSet<String>,
    taken: &BTreeSet<(String, String)>,
    kinds: &Kinds,
) -> Result<Cloned, CloneError> {
    if !is_name(&wish.name) {
        return Err(CloneError::BadName(wish.name.chars().take(NAME_BYTES_MAX).collect()));
    }
    if environments.contains(&wish.name) {
        return Err(CloneError::Exists(wish.name.clone()));
    }
    let original = effective(blueprint, from, &[], kinds).map_err(CloneError::Original)?;
    let mut new = Environment {
        name: wish.name.clone(),
        overrides: from
            .overrides
            .iter()
            .filter(|o| wish.with_tuning || o.by.writer == Writer::People)
            .cloned()
            .collect(),
        owned: if wish.with_tuning { from.owned.clone() } else { Default::default() },
        budget: wish.budget,
        expires: wish.expires,
        is_protected: false,
        sleep: None,
    };
    let mut taken = taken.clone();
    let asked: BTreeSet<(&Address, &Path)> = wish.overrides.iter().map(|o| (&o.target, &o.path)).collect();
    for one in &wish.overrides {
        let of = kinds.get(one.target.kind()).and_then(|k| k.name.as_ref());
        if let (Some((path, _)), Some(Value::String(name))) = (of, &one.to)
            && *path == one.path
            && !taken.insert((one.target.kind().to_owned(), name.clone()))
        {
            return Err(CloneError::Taken { address: one.target.clone(), path: path.clone(), name: name.clone() });
        }
        new.write(one.clone()).map_err(CloneError::Wished)?;
    }
    let mut names = Vec::new();
    for (address, path, old, longest) in named(&original, kinds) {
        let is_left_out = new.overrides.iter().any(|o| o.target == address && o.path.is_root());
        if is_left_out || asked.contains(&(&address, &path)) {
            continue;
        }
        let renamed = renamed(&old, &from.name, &wish.name);
        let name = candidates(&renamed, longest)
            .find(|name| !taken.contains(&(address.kind().to_owned(), name.clone())))
            .ok_or_else(|| CloneError::NoName(address.clone()))?;
        taken.insert((address.kind().to_owned(), name.clone()));
        let by = Provenance {
            writer: Writer::People,
            who: wish.who.clone(),
            why: format!("cloned from {}", from.name),
            at: wish.at,
            evidence: None,
        };
        let one = Override { target: address.clone(), path: path.clone(), to: Some(Value::String(name.clone())), by };
        new.write(one).map_err(CloneError::Wished)?;
        names.push((address, path, old, name));
    }
    Ok(Cloned { environment: new, names })
}

/// Every resource that has a name of which there can be only one.
fn named(original: &Effective, kinds: &Kinds) -> Vec<(Address, Path, String, usize)> {
    let of = |(address, wanted): (&Address, &super::Wanted)| {
        let (path, longest) = kinds.get(address.kind())?.name.as_ref()?;
        let name = wanted.fields.get(path)?.as_str()?;
        Some((address.clone(), path.clone(), name.to_owned(), *longest))
    };
    original.0.iter().filter_map(of).collect()
}

/// The old name with the old environment's name in it replaced, or with the new one's before it. Only whole words are replaced.
fn renamed(old: &str, from: &str, to: &str) -> String {
    let words: Vec<&str> = old.split('-').collect();
    match words.contains(&from) {
        true => words.into_iter().map(|w| if w == from { to } else { w }).collect::<Vec<_>>().join("-"),
        false => format!("{to}-{old}"),
    }
}

/// The name, then the name with numbers, cut so that they fit.
fn candidates(name: &str, longest: usize) -> impl Iterator<Item = String> {
    let cut = |room: usize| name.chars().take(room).collect::<String>().trim_end_matches('-').to_owned();
    (1..=NAME_TRIES_MAX).map(move |n| match n {
        1 => cut(longest),
        n => {
            let number = format!("-{n}");
            cut(longest.saturating_sub(number.len())) + &number
        }
    })
}

fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.len() <= 32
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::environment::tests::{blueprint, path, set};
    use serde_json::json;

    fn check(wish: Wish, expected: Result<&[&str], &str>) {
        let mut kinds = Kinds::roles();
        kinds.0.get_mut("object_store").unwrap().name = Some((path("name"), 20));
        let blueprint = blueprint(
            "1",
            json!({"object_store.a": {"name": "acme-dev-images"}, "object_store.b": {"name": "logs"},
                   "object_store.c": {"name": "developer"}, "vm.x": {"name": "dev"}}),
        );
        let mut from = Environment { name: "dev".to_owned(), ..Environment::default() };
        from.write(set("vm.x", "cpu", json!(2), Writer::Recommendation("r".to_owned()))).unwrap();
        let environments = ["dev", "prod"].map(str::to_owned).into();
        let taken = [("object_store".to_owned(), "qa-logs".to_owned())].into();
        let answer = clone(&blueprint, &from, &wish, &environments, &taken, &kinds);
        match (answer, expected) {
            (Ok(cloned), Ok(expected)) => {
                let names: Vec<String> =
                    cloned.names.iter().map(|(a, _, old, new)| format!("{a} {old} {new}")).collect();
                assert_eq!(names, expected);
                assert!(wish.with_tuning || cloned.environment.overrides.iter().all(|o| o.by.writer == Writer::People));
            }
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (answer, expected) => panic!("{answer:?} {expected:?}"),
        }
    }

    #[test]
    fn names_are_made_new() {
        let wish = |name: &str| Wish { name: name.to_owned(), ..Wish::default() };
        check(
            wish("qa"),
            Ok(&[
                "object_store.a acme-dev-images acme-qa-images",
                "object_store.b logs qa-logs-2",
                "object_store.c developer qa-developer",
            ]),
        );
        check(
            wish("a-very-long-name"),
            Ok(&[
                "object_store.a acme-dev-images acme-a-very-long-nam",
                "object_store.b logs a-very-long-name-log",
                "object_store.c developer a-very-long-name-dev",
            ]),
        );
        check(wish("prod"), Err("there is an environment prod already"));
        check(
            wish("Prod"),
            Err(
                "\"Prod\" is no name of an environment: lower-case letters, digits and `-`, at most 32, beginning with a letter",
            ),
        );
        let asked = |name: &str| set("object_store.b", "name", json!(name), Writer::People);
        check(
            Wish { overrides: vec![asked("qa-logs")], ..wish("qa") },
            Err("object_store.b `name`: the name \"qa-logs\" is taken"),
        );
        check(
            Wish { overrides: vec![asked("mine")], ..wish("qa") },
            Ok(&["object_store.a acme-dev-images acme-qa-images", "object_store.c developer qa-developer"]),
        );
    }
}
