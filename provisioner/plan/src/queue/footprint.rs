//! What a release changes, and what it relies on while it does. Two releases conflict if one changes what the other changes or relies on.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::plan::Plan;
use crate::state::State;

/// What a release touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Footprint {
    /// Everything.
    All,
    /// Nothing: it only reads, at one moment.
    Nothing,
    /// Some resources.
    Some {
        /// What it changes.
        writes: BTreeSet<Address>,
        /// What must stay as it is meanwhile: what it needs, directly or through others.
        reads: BTreeSet<Address>,
    },
}

impl Footprint {
    /// What a plan touches: its steps, and all that these need now or afterwards.
    pub fn of(plan: &Plan, state: &State) -> Self {
        let writes = plan.touched();
        let mut reads = BTreeSet::new();
        let mut open: Vec<&Address> = Vec::new();
        for step in &plan.steps {
            open.extend(&step.wants);
            open.extend(step.before.iter().flat_map(|b| &b.needs));
        }
        while let Some(at) = open.pop() {
            if reads.insert(at.clone()) {
                open.extend(state.resources.get(at).into_iter().flat_map(|o| &o.needs));
            }
        }
        let reads = reads.difference(&writes).cloned().collect();
        Self::Some { writes, reads }
    }

    /// Whether they cannot run together, and on what; `Some(None)` if one of the two concerns everything.
    pub fn conflict(&self, other: &Self) -> Option<Option<Address>> {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => None,
            (Self::All, _) | (_, Self::All) => Some(None),
            (Self::Some { writes: a, reads: x }, Self::Some { writes: b, reads: y }) => {
                let shared = common(a, b).or_else(|| common(a, y)).or_else(|| common(x, b));
                shared.map(|s| Some(s.clone()))
            }
        }
    }

    /// Whether it changes all that the other would.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::Nothing) => true,
            (_, Self::All) | (Self::Nothing, _) => false,
            (Self::Some { writes: a, .. }, Self::Some { writes: b, .. }) => a.is_superset(b),
        }
    }
}

/// The first that two sets share.
fn common<'a>(a: &'a BTreeSet<Address>, b: &'a BTreeSet<Address>) -> Option<&'a Address> {
    let (small, large) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    small.iter().find(|x| large.contains(x))
}
