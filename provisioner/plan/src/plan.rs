//! A plan: what has to be done so that an environment becomes what is wanted, in which order, why, what it costs, what it can touch, and how it is
//! taken back. It is made once and never changed; whoever applies it makes no choices.
//!
//! Reading order: [`Plan`] and [`Step`], `build` (how steps are found and ordered), [`inputs`] (what a plan is made of, its id, and the check that
//! nothing of it has changed), `undo`.

pub mod inputs;
mod build;
mod resolve;
mod undo;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use grid_model::Currency;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::cost::{Cost, Total};
use crate::diff::FieldChange;
use crate::environment::EffectiveError;
use crate::field::{Fields, Path};
use crate::graph::Cycle;
use crate::limits::RESOURCES_MAX;
use crate::plan_id::PlanId;
use crate::state::Observed;

pub use build::plan;
pub use inputs::{Current, Goal, Input, Inputs, Stale};
pub(crate) use resolve::escaped;
pub use resolve::looked_up;

/// What is to be done, as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name, by content of what it was made of.
    pub id: PlanId,
    /// The plan that this one takes back, if it takes one back.
    pub parent: Option<PlanId>,
    /// The environment.
    pub environment: String,
    /// The blueprint and its revision, as text; for a plan that takes another back, that one's.
    pub blueprint: String,
    /// The serial of the state that it starts from.
    pub serial: u64,
    /// The resources that it was limited to; `None` if to none.
    pub scope: Option<BTreeSet<Address>>,
    /// The currency of all its costs.
    #[serde(with = "crate::kept::currency")]
    pub currency: Currency,
    /// What is to be done, in an order in which everything comes after what it needs.
    pub steps: Vec<Step>,
    /// What stays as it is.
    pub unchanged: BTreeMap<Address, Fields>,
    /// What it adds a month.
    pub delta: Total,
    /// What the environment costs a month afterwards.
    pub monthly: Total,
    /// What the reader should know beside.
    pub notes: Vec<String>,
    /// Digests of what it was made of, by which a later check names what has changed.
    inputs: inputs::Digests,
}

/// What happens to one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed where it is.
    Update,
    /// It is deleted and made anew.
    Replace,
    /// It is deleted.
    Delete,
}

impl Action {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// To what.
    pub address: Address,
    /// What.
    pub action: Action,
    /// Which fields change. Empty for a deletion.
    pub changes: Vec<FieldChange>,
    /// Why, one sentence per cause.
    pub reasons: Vec<String>,
    /// Links to evidence.
    pub evidence: Vec<String>,
    /// What it adds a month.
    pub cost: Cost,
    /// What was there.
    pub before: Option<Observed>,
    /// All fields afterwards, as far as they are known; `None` for a deletion.
    pub after: Option<Fields>,
    /// Fields that are only known when others have been made, with their references ([`looked_up`] finds the values then).
    pub unknown: Vec<(Path, Value)>,
    /// Fields that are Grid's own afterwards: kept in the state, so that they go when nobody wants them any more.
    pub manages: BTreeSet<Path>,
    /// What it needs when it is there: kept in the state, so that it is deleted in time.
    pub wants: BTreeSet<Address>,
    /// Steps of this plan that come before it.
    pub after_steps: BTreeSet<Address>,
    /// Steps of the same wave can be done at the same time; waves count from 0.
    pub wave: usize,
    /// What it can touch.
    pub blast: Blast,
    /// How it is taken back.
    pub undo: Undo,
    /// Whether its resource must not be deleted or replaced.
    pub is_protected: bool,
}

/// What depends on a resource, directly or through others, now or afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Blast {
    /// How many.
    pub count: usize,
    /// The first of them, in order.
    pub listed: Vec<Address>,
}

/// How a step is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undo {
    /// What was made is deleted.
    Delete,
    /// The fields get their old values.
    Restore,
    /// A field whose change makes the resource anew is set back: it is made anew once more.
    Recreate,
    /// It is made again, without what was in it.
    RecreateEmpty,
}

impl Undo {
    /// In words.
    pub fn text(&self) -> &'static str {
        match self {
            Self::Delete => "delete what was made",
            Self::Restore => "set the fields back",
            Self::Recreate => "make it anew as it was",
            Self::RecreateEmpty => "make it anew; its data stay lost without a backup",
        }
    }

    /// Whether everything is as before afterwards.
    pub fn is_complete(&self) -> bool {
        *self != Self::RecreateEmpty
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// There is no effective spec.
    #[error("resolve overrides")]
    Effective(#[source] EffectiveError),
    /// Something refers to a resource that nobody wants.
    #[error("{from} needs {to}, which is not wanted")]
    Missing {
        /// Who refers.
        from: Address,
        /// To whom.
        to: Address,
    },
    /// Resources need each other.
    #[error("order resources")]
    Cycle(#[source] Cycle<Address>),
    /// The state is another environment's.
    #[error("the state is of environment {of}, not {wanted}")]
    OtherEnvironment {
        /// Whose state it is.
        of: String,
        /// Whose was needed.
        wanted: String,
    },
    /// A scope names what is neither wanted nor there.
    #[error("the scope names {0}, which is neither wanted nor there")]
    NotInScope(Address),
    /// A protected environment is not destroyed.
    #[error("environment {0} is protected: take the protection away first")]
    Protected(String),
    /// Destroying was not confirmed.
    #[error("to destroy environment {wanted}, type its name; {typed:?} was typed")]
    Unconfirmed {
        /// Its name.
        wanted: String,
        /// What was typed, cut.
        typed: String,
    },
    /// Too many resources.
    #[error("{0} resources are more than {RESOURCES_MAX}")]
    TooMany(usize),
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many steps do this.
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|s| s.action == action).count()
    }

    /// The step of a resource.
    pub fn step(&self, address: &Address) -> Option<&Step> {
        self.steps.iter().find(|s| s.address == *address)
    }

    /// What a release of this plan holds on to: what it changes and, where that may move others, what depends on it is only read.
    pub fn touched(&self) -> BTreeSet<Address> {
        self.steps.iter().map(|s| s.address.clone()).collect()
    }
}
