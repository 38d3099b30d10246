//! The way back: what an environment looked like before a plan, as far as that plan has been applied. What others have changed since stays.

use crate::diff::After;
use crate::environment::{Effective, Wanted};
use crate::field::Fields;
use crate::kinds::Kinds;
use crate::state::{Observed, State};

use super::resolve::escaped;
use super::{Action, Plan};

/// Everything as it is now, with the changes of a plan turned round.
pub(super) fn before(plan: &Plan, state: &State, kinds: &Kinds) -> Effective {
    let mut all = Effective::default();
    for (address, now) in &state.resources {
        all.0.insert(address.clone(), wanted(address.kind(), now, kinds));
    }
    for step in &plan.steps {
        match (&step.before, step.action) {
            (None, _) => {
                all.0.remove(&step.address);
            }
            // What is gone comes back as it was.
            (Some(old), _) if !state.resources.contains_key(&step.address) => {
                all.0.insert(step.address.clone(), wanted(step.address.kind(), old, kinds));
            }
            (Some(old), Action::Update | Action::Replace) => {
                let Some(wanted) = all.0.get_mut(&step.address) else { continue };
                // Only what this plan has set is set back, and only where it still stands.
                for change in &step.changes {
                    let now = state.resources.get(&step.address).and_then(|o| o.fields.get(&change.path));
                    let is_ours = match &change.after {
                        After::Known(value) => now.is_some_and(|now| crate::field::same(now, value)),
                        After::Unknown => true,
                        After::Absent => now.is_none(),
                    };
                    match &change.before {
                        _ if !is_ours => {}
                        Some(value) => wanted.fields.set(&change.path, &escaped(value)),
                        None => wanted.fields.remove(&change.path),
                    }
                }
                wanted.needs.clone_from(&old.needs);
            }
            (Some(_), Action::Create | Action::Delete) => {}
        }
    }
    // A need of what is not there any more cannot be kept.
    let there: std::collections::BTreeSet<_> = all.0.keys().cloned().collect();
    all.0.values_mut().for_each(|w| w.needs.retain(|n| there.contains(n)));
    all
}

/// A resource as it was observed, as something to want: without what only the cloud fills in.
pub(crate) fn wanted(kind: &str, observed: &Observed, kinds: &Kinds) -> Wanted {
    let of = kinds.get(kind);
    let fields: Fields = observed
        .fields
        .iter()
        .filter(|(path, _)| !of.is_some_and(|k| k.is_computed(path)))
        .map(|(path, value)| (path.clone(), escaped(value)))
        .collect();
    Wanted { fields, needs: observed.needs.clone(), ..Wanted::default() }
}
