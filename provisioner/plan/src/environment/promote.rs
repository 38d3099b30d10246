//! Taking what was tried in one environment over into the next: its overrides, field by field, as a proposal that names what it would overrule.

use std::collections::BTreeSet;

use grid_model::Timestamp;

use super::{Environment, Override, Provenance, Writer};
use crate::address::Address;
use crate::field::{Path, same};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Promotion {
    /// Only overrides of these resources; all if empty.
    pub only: BTreeSet<Address>,
    /// Fields that belong to an environment and never travel, of any resource: names, sizes, ranges of addresses.
    pub stay: BTreeSet<Path>,
    /// Whether values that people set in the target may be overruled.
    pub overrules: bool,
    /// Who asks.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// What a promotion would do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Promoted {
    /// Overrides to write in the target.
    pub writes: Vec<Override>,
    /// Overrides of the target that they take the place of.
    pub overruled: Vec<Override>,
    /// What does not travel, and why.
    pub kept_back: Vec<(Override, KeptBack)>,
}

/// Why an override does not travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBack {
    /// It belongs to its environment.
    Stays,
    /// A recommendation or a scaling policy wrote it, for the load of its own environment.
    NotPeoples,
    /// The target has it already.
    Same,
    /// The target has another value there, of another writer or not to be overruled.
    Taken,
}

/// What would be written in `to` of what `from` has. Nothing is written.
pub fn promote(from: &Environment, to: &Environment, asked: &Promotion) -> Promoted {
    let mut promoted = Promoted::default();
    for one in &from.overrides {
        if !asked.only.is_empty() && !asked.only.contains(&one.target) {
            continue;
        }
        let there: Vec<&Override> =
            to.overrides.iter().filter(|o| o.target == one.target && o.path.overlaps(&one.path)).collect();
        let is_same = |o: &&Override| {
            o.path == one.path
                && match (&o.to, &one.to) {
                    (Some(a), Some(b)) => same(a, b),
                    (a, b) => a.is_none() && b.is_none(),
                }
        };
        let why = if asked.stay.iter().any(|p| p.overlaps(&one.path) && !one.path.is_root()) {
            Some(KeptBack::Stays)
        } else if one.by.writer != Writer::People {
            Some(KeptBack::NotPeoples)
        } else if there.len() == 1 && there.iter().all(is_same) {
            Some(KeptBack::Same)
        } else if there.iter().any(|o| o.by.writer != Writer::People || !asked.overrules)
            || to.owner(&one.target, &one.path).is_some()
        {
            Some(KeptBack::Taken)
        } else {
            None
        };
        match why {
            Some(why) => promoted.kept_back.push((one.clone(), why)),
            None => {
                promoted.overruled.extend(there.into_iter().cloned());
                let by = Provenance {
                    who: asked.who.clone(),
                    why: format!("promoted from {}: {}", from.name, one.by.why),
                    at: asked.at,
                    ..one.by.clone()
                };
                promoted.writes.push(Override { by, ..one.clone() });
            }
        }
    }
    promoted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::environment::tests::{path, set};
    use serde_json::json;

    #[test]
    fn overrides_travel_unless_they_must_not() {
        let advice = Writer::Recommendation("r".to_owned());
        let from = Environment {
            name: "dev".to_owned(),
            overrides: vec![
                set("vm.a", "cpu", json!(4), Writer::People),
                set("vm.a", "image", json!("v2"), Writer::People),
                set("vm.a", "name", json!("dev-a"), Writer::People),
                set("vm.b", "cpu", json!(4), advice.clone()),
                set("vm.b", "image", json!("v2"), Writer::People),
                set("vm.c", "image", json!("v2"), Writer::People),
            ],
            ..Environment::default()
        };
        let to = Environment {
            overrides: vec![
                set("vm.a", "cpu", json!(8), Writer::People),
                set("vm.b", "image", json!("v2"), Writer::People),
                set("vm.c", "image", json!("v9"), advice),
            ],
            ..Environment::default()
        };
        let asked = |overrules| Promotion { stay: [path("name")].into(), overrules, ..Promotion::default() };
        let shown = |p: &Promoted| {
            let writes = p.writes.iter().map(|o| format!("{} {}", o.target, o.path));
            let back = p.kept_back.iter().map(|(o, why)| format!("{} {} {why:?}", o.target, o.path));
            (writes.collect::<Vec<_>>().join(", "), back.collect::<Vec<_>>().join(", "))
        };
        let careful = promote(&from, &to, &asked(false));
        let back = "vm.a cpu Taken, vm.a name Stays, vm.b cpu NotPeoples, vm.b image Same, vm.c image Taken";
        assert_eq!(shown(&careful), ("vm.a image".to_owned(), back.to_owned()));
        let bold = promote(&from, &to, &asked(true));
        assert_eq!(shown(&bold).0, "vm.a cpu, vm.a image");
        assert_eq!(bold.overruled.len(), 1);
        assert_eq!(bold.writes[0].by.why, "promoted from dev: because");
        // What was promoted can be written.
        let mut target = to.clone();
        bold.writes.into_iter().for_each(|o| target.write(o).unwrap());
    }
}
