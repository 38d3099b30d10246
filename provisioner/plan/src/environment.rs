//! An environment is a blueprint and what differs from it: overrides of single fields, each with who wrote it, why and when.
//!
//! Every field has one writer. People are one writer together; each recommendation and each scaling policy is one of its own. Two writers of one
//! field, or of a field and one above it, are a [`Conflict`] that names both, and nothing is planned until somebody gives way.

pub mod compare;
pub mod promote;
pub mod clone;
pub mod life;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use grid_model::{Amount, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::field::{Fields, Path};
use crate::kinds::Kinds;
use crate::limits::OVERRIDES_MAX;

/// What is described once for all environments.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Blueprint {
    /// Its name.
    pub name: String,
    /// Which version of it this is.
    pub revision: String,
    /// Its resources.
    pub resources: BTreeMap<Address, Resource>,
}

/// A resource as it is wanted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Resource {
    /// Its fields; texts may refer to others (`${kind.name.out.x}`).
    pub fields: Fields,
    /// What it needs beside what its fields refer to.
    pub needs: BTreeSet<Address>,
    /// Whether a plan that deletes or replaces it is a mistake.
    pub is_protected: bool,
}

/// Who may write a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Writer {
    /// People, through environments' settings.
    People,
    /// An accepted recommendation.
    Recommendation(String),
    /// A scaling policy.
    Scaling(String),
    /// A condition that repairs itself.
    Healing(String),
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::People => f.write_str("override"),
            Self::Recommendation(id) => write!(f, "recommendation {id}"),
            Self::Scaling(id) => write!(f, "scaling policy {id}"),
            Self::Healing(id) => write!(f, "self-healing {id}"),
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Provenance {
    /// Which writer.
    pub writer: Writer,
    /// Who, by name.
    pub who: String,
    /// Why.
    pub why: String,
    /// When.
    #[serde(with = "crate::kept::time")]
    pub at: Timestamp,
    /// Where the evidence is to be read, such as a finding's link.
    pub evidence: Option<String>,
}

/// One field that differs from the blueprint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Override {
    /// The resource.
    pub target: Address,
    /// The field; the root stands for the resource as a whole, which can only be left out.
    pub path: Path,
    /// What it is instead; `None` leaves the field (or the resource) out.
    pub to: Option<Value>,
    /// Where that comes from.
    pub by: Provenance,
}

/// A clock of one's own: while an environment sleeps, its resources have what their kinds say ([`crate::kinds::Kind::asleep`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sleep {
    /// Who sent it to sleep, or which schedule.
    pub who: String,
    /// Why.
    pub why: String,
    /// Since when.
    #[serde(with = "crate::kept::time")]
    pub since: Timestamp,
}

/// A blueprint's instance.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// What differs from the blueprint. At most [`OVERRIDES_MAX`].
    pub overrides: Vec<Override>,
    /// Fields that a scaling policy owns, by policy. Without a decision of it they stay as they are observed.
    #[serde(with = "crate::kept::pairs")]
    pub owned: BTreeMap<(Address, Path), String>,
    /// What it may cost a month.
    #[serde(default, with = "crate::kept::money_opt")]
    pub budget: Option<Amount>,
    /// From when on it is to be destroyed.
    #[serde(default, with = "crate::kept::time_opt")]
    pub expires: Option<Timestamp>,
    /// Whether destroying it, or deleting what holds data, is a mistake.
    pub is_protected: bool,
    /// Whether it sleeps.
    pub sleep: Option<Sleep>,
}

/// Two writers of one field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{target} `{path}` has two writers: {first} ({first_who}) and {second} ({second_who})")]
pub struct Conflict {
    /// The resource.
    pub target: Address,
    /// The field that the second would write.
    pub path: Path,
    /// The writer that was there.
    pub first: Writer,
    /// Who that was.
    pub first_who: String,
    /// The other.
    pub second: Writer,
    /// Who that is.
    pub second_who: String,
}

/// Why an override cannot be kept.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// Somebody else writes there.
    #[error(transparent)]
    Conflict(Box<Conflict>),
    /// A resource cannot be replaced by a value.
    #[error("{0}: a value needs a field; only leaving out concerns the resource as a whole")]
    ValueAtRoot(Address),
    /// There are too many.
    #[error("an environment has at most {OVERRIDES_MAX} overrides")]
    TooMany,
}

impl Environment {
    /// Writes one override. The same writer replaces its own at and below the path; another writer's is a conflict.
    pub fn write(&mut self, new: Override) -> Result<(), WriteError> {
        if new.path.is_root() && new.to.is_some() {
            return Err(WriteError::ValueAtRoot(new.target));
        }
        if let Some(old) = self.overrides.iter().find(|old| conflicts(old, &new)) {
            return Err(WriteError::Conflict(Box::new(conflict(old, &new))));
        }
        if let Some(owner) = self.owner(&new.target, &new.path)
            && new.by.writer != Writer::Scaling(owner.to_owned())
        {
            return Err(WriteError::Conflict(Box::new(owned_conflict(owner, &new))));
        }
        self.overrides.retain(|old| !(old.target == new.target && new.path.holds(&old.path)));
        if self.overrides.len() >= OVERRIDES_MAX {
            return Err(WriteError::TooMany);
        }
        self.overrides.push(new);
        self.overrides.sort_by(|a, b| (&a.target, &a.path).cmp(&(&b.target, &b.path)));
        Ok(())
    }

    /// Takes an override back; whether there was one of that writer.
    pub fn take_back(&mut self, target: &Address, path: &Path, writer: &Writer) -> bool {
        let before = self.overrides.len();
        self.overrides.retain(|o| !(o.target == *target && o.path == *path && o.by.writer == *writer));
        self.overrides.len() < before
    }

    /// The scaling policy that owns a field, or one above or below.
    pub fn owner(&self, target: &Address, path: &Path) -> Option<&str> {
        self.owned.iter().find(|((t, p), _)| t == target && p.overlaps(path)).map(|(_, policy)| policy.as_str())
    }
}

fn conflicts(a: &Override, b: &Override) -> bool {
    a.target == b.target && a.by.writer != b.by.writer && a.path.overlaps(&b.path)
}

fn conflict(first: &Override, second: &Override) -> Conflict {
    Conflict {
        target: second.target.clone(),
        path: second.path.clone(),
        first: first.by.writer.clone(),
        first_who: first.by.who.clone(),
        second: second.by.writer.clone(),
        second_who: second.by.who.clone(),
    }
}

fn owned_conflict(owner: &str, second: &Override) -> Conflict {
    Conflict {
        target: second.target.clone(),
        path: second.path.clone(),
        first: Writer::Scaling(owner.to_owned()),
        first_who: "owner of the field".to_owned(),
        second: second.by.writer.clone(),
        second_who: second.by.who.clone(),
    }
}

/// What is wanted of one environment: the blueprint with all overrides.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effective(pub BTreeMap<Address, Wanted>);

/// What is wanted of one resource.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    /// Its fields.
    pub fields: Fields,
    /// What it needs: what its fields refer to, and what the blueprint says beside.
    pub needs: BTreeSet<Address>,
    /// Where values come from that are not the blueprint's, by the path that was written.
    pub sources: BTreeMap<Path, Source>,
    /// Fields that stay as they are observed, with the policy that owns them.
    pub left_alone: BTreeMap<Path, String>,
    /// Whether deleting or replacing it is a mistake.
    pub is_protected: bool,
}

/// Where a value comes from that is not the blueprint's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Somebody wrote it.
    Written(Provenance),
    /// The environment sleeps.
    Asleep(Sleep),
}

impl Wanted {
    /// Where a field's value comes from; `None` if from the blueprint.
    pub fn source(&self, path: &Path) -> Option<&Source> {
        self.sources.iter().rev().find(|(p, _)| p.holds(path)).map(|(_, s)| s)
    }
}

/// Why there is no effective spec.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EffectiveError {
    /// Fields with two writers.
    #[error("{}", told(.0))]
    Conflicts(Vec<Conflict>),
    /// An override of a resource that the blueprint does not have.
    #[error("{0} is overridden, and blueprint {1} has no such resource")]
    NoSuchResource(Address, String),
}

fn told(conflicts: &[Conflict]) -> String {
    conflicts.iter().map(Conflict::to_string).collect::<Vec<_>>().join("; ")
}

/// The effective spec. `more` are accepted recommendations and scaling decisions that are not written down as overrides yet; the same rule of one
/// writer holds for them.
pub fn effective(
    blueprint: &Blueprint,
    environment: &Environment,
    more: &[Override],
    kinds: &Kinds,
) -> Result<Effective, EffectiveError> {
    let mut by_target: BTreeMap<&Address, Vec<&Override>> = BTreeMap::new();
    for one in environment.overrides.iter().chain(more) {
        if !blueprint.resources.contains_key(&one.target) {
            return Err(EffectiveError::NoSuchResource(one.target.clone(), blueprint.name.clone()));
        }
        by_target.entry(&one.target).or_default().push(one);
    }
    let found = all_conflicts(environment, &by_target);
    if !found.is_empty() {
        return Err(EffectiveError::Conflicts(found));
    }
    let mut all = Effective::default();
    for (address, resource) in &blueprint.resources {
        let mut wanted =
            Wanted { fields: resource.fields.clone(), is_protected: resource.is_protected, ..Wanted::default() };
        let mut overrides = by_target.remove(address).unwrap_or_default();
        if overrides.iter().any(|o| o.path.is_root() && o.to.is_none()) {
            continue;
        }
        // What holds others is written first.
        overrides.sort_by(|a, b| a.path.cmp(&b.path));
        for one in overrides {
            match &one.to {
                Some(value) => wanted.fields.set(&one.path, value),
                None => wanted.fields.remove(&one.path),
            }
            wanted.sources.insert(one.path.clone(), Source::Written(one.by.clone()));
        }
        if let Some(sleep) = &environment.sleep {
            for (path, value) in kinds.get(address.kind()).map(|k| k.asleep.as_slice()).unwrap_or_default() {
                wanted.fields.set(path, value);
                wanted.sources.insert(path.clone(), Source::Asleep(sleep.clone()));
            }
        }
        wanted.needs = wanted.fields.references();
        wanted.needs.extend(resource.needs.iter().cloned());
        wanted.needs.remove(address);
        all.0.insert(address.clone(), wanted);
    }
    for ((address, path), policy) in &environment.owned {
        if let Some(wanted) = all.0.get_mut(address)
            && wanted.source(path).is_none()
        {
            wanted.left_alone.insert(path.clone(), policy.clone());
        }
    }
    Ok(all)
}

fn all_conflicts(environment: &Environment, by_target: &BTreeMap<&Address, Vec<&Override>>) -> Vec<Conflict> {
    let mut found = Vec::new();
    for overrides in by_target.values() {
        for (n, second) in overrides.iter().enumerate() {
            found.extend(overrides[..n].iter().filter(|first| conflicts(first, second)).map(|f| conflict(f, second)));
            if let Some(owner) = environment.owner(&second.target, &second.path)
                && second.by.writer != Writer::Scaling(owner.to_owned())
            {
                found.push(owned_conflict(owner, second));
            }
        }
    }
    found
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::field::sorted;
    use serde_json::json;

    pub(crate) fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    pub(crate) fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    /// A blueprint of `KIND.NAME` -> fields.
    pub(crate) fn blueprint(revision: &str, resources: Value) -> Blueprint {
        let resources =
            resources.as_object().unwrap().iter().map(|(name, fields)| {
                (address(name), Resource { fields: Fields::of_json(fields), ..Resource::default() })
            });
        Blueprint { name: "shop".to_owned(), revision: revision.to_owned(), resources: resources.collect() }
    }

    pub(crate) fn by(writer: Writer) -> Provenance {
        Provenance { writer, who: "ada".to_owned(), why: "because".to_owned(), at: Timestamp(7), evidence: None }
    }

    pub(crate) fn set(target: &str, at: &str, to: Value, writer: Writer) -> Override {
        Override { target: address(target), path: path(at), to: Some(to), by: by(writer) }
    }

    fn shop() -> Blueprint {
        blueprint("1", json!({"vm.a": {"size": {"cpu": 2, "memory": 4}}, "vm.b": {"host": "${vm.a.out.ip}"}}))
    }

    fn check(overrides: &[Override], expected: Result<Value, &str>) {
        let answer = effective(&shop(), &Environment::default(), overrides, &Kinds::default());
        match (answer, expected) {
            (Ok(all), Ok(expected)) => {
                let shown = all.0.iter().map(|(a, w)| (a.to_string(), w.fields.to_json())).collect();
                assert_eq!(sorted(&Value::Object(shown)), sorted(&expected));
            }
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (answer, expected) => panic!("{answer:?} {expected:?}"),
        }
    }

    #[test]
    fn overrides_apply_and_conflicts_are_named() {
        let b = json!({"host": "${vm.a.out.ip}"});
        let people = || Writer::People;
        let advice = || Writer::Recommendation("r-1".to_owned());
        check(&[], Ok(json!({"vm.a": {"size": {"cpu": 2, "memory": 4}}, "vm.b": b})));
        check(
            &[set("vm.a", "size.cpu", json!(4), people()), set("vm.a", "size.memory", json!(8), advice())],
            Ok(json!({"vm.a": {"size": {"cpu": 4, "memory": 8}}, "vm.b": b})),
        );
        check(
            &[set("vm.a", "size.cpu", json!(4), people()), set("vm.a", "size", json!({"cpu": 1}), people())],
            Ok(json!({"vm.a": {"size": {"cpu": 4}}, "vm.b": b})),
        );
        check(
            &[Override { to: None, path: Path::root(), ..set("vm.b", "x", json!(1), people()) }],
            Ok(json!({"vm.a": {"size": {"cpu": 2, "memory": 4}}})),
        );
        check(
            &[set("vm.a", "size", json!({"cpu": 1}), people()), set("vm.a", "size.cpu", json!(4), advice())],
            Err("vm.a `size.cpu` has two writers: override (ada) and recommendation r-1 (ada)"),
        );
        check(
            &[set("vm.c", "size", json!(1), people())],
            Err("vm.c is overridden, and blueprint shop has no such resource"),
        );
    }

    #[test]
    fn a_field_has_one_writer() {
        let mut env = Environment::default();
        let scaling = || Writer::Scaling("p".to_owned());
        env.owned.insert((address("vm.a"), path("size.cpu")), "p".to_owned());
        assert!(env.write(set("vm.a", "size", json!(1), Writer::People)).is_err());
        env.write(set("vm.a", "size.cpu", json!(1), scaling())).unwrap();
        env.write(set("vm.a", "size.cpu", json!(2), scaling())).unwrap();
        env.write(set("vm.a", "size.memory", json!(2), Writer::People)).unwrap();
        assert!(matches!(
            env.write(set("vm.a", "size.memory.x", json!(2), scaling())),
            Err(WriteError::Conflict(c)) if c.first == Writer::People
        ));
        assert!(matches!(env.write(set("vm.a", "", json!(2), Writer::People)), Err(WriteError::ValueAtRoot(_))));
        assert_eq!(env.overrides.len(), 2);
        assert!(env.take_back(&address("vm.a"), &path("size.cpu"), &scaling()));
        assert!(!env.take_back(&address("vm.a"), &path("size.cpu"), &scaling()));
    }

    #[test]
    fn what_a_policy_owns_is_left_alone_and_sleep_lies_on_top() {
        let mut kinds = Kinds::roles();
        kinds.0.get_mut("vm").unwrap().asleep = vec![(path("size.cpu"), json!(0))];
        let mut env = Environment::default();
        env.owned.insert((address("vm.a"), path("size.memory")), "p".to_owned());
        env.write(set("vm.a", "size.cpu", json!(4), Writer::People)).unwrap();
        env.sleep = Some(Sleep { who: "clock".to_owned(), why: "night".to_owned(), since: Timestamp(1) });
        let all = effective(&shop(), &env, &[], &kinds).unwrap();
        let a = &all.0[&address("vm.a")];
        assert_eq!(a.fields.get(&path("size.cpu")), Some(&json!(0)));
        assert!(matches!(a.source(&path("size.cpu")), Some(Source::Asleep(_))));
        assert_eq!(a.left_alone.len(), 1);
        assert_eq!(all.0[&address("vm.b")].needs, BTreeSet::from([address("vm.a")]));
    }
}
