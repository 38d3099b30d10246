//! What a plan is made of, and the check before it is applied that all of it is still the same. [`Current`] can only be had from that check, and
//! what applies plans takes nothing else: a plan whose inputs have changed does not compile into a call.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Plan;
use crate::address::Address;
use crate::cost::Prices;
use crate::environment::{Blueprint, Environment, Override, Writer};
use crate::field::{Fields, sorted};
use crate::kinds::Kinds;
use crate::plan_id::PlanId;
use crate::state::State;

/// All that a plan is made of.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// What is wanted.
    pub goal: Goal<'a>,
    /// What is there.
    pub state: &'a State,
    /// What is known of kinds.
    pub kinds: &'a Kinds,
    /// What things cost.
    pub prices: &'a dyn Prices,
    /// Only these resources, and what has to be made for them; `None` for all.
    pub scope: Option<&'a BTreeSet<Address>>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub enum Goal<'a> {
    /// A blueprint in an environment.
    Blueprint {
        /// The blueprint.
        blueprint: &'a Blueprint,
        /// The environment with its overrides.
        environment: &'a Environment,
        /// Accepted recommendations and scaling decisions that are not written down as overrides.
        decisions: &'a [Override],
    },
    /// What was there before another plan was applied, as far as it has been.
    Undo(&'a Plan),
    /// Nothing: the environment is destroyed.
    Destroy {
        /// The environment; a protected one is not destroyed.
        environment: &'a Environment,
        /// Its name, typed by who wants that.
        confirmed: &'a str,
    },
}

/// One of the inputs, to say which has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// The blueprint, its revision or what it holds.
    Blueprint,
    /// The environment's settings and overrides.
    Overrides,
    /// Accepted recommendations and scaling decisions.
    Decisions,
    /// The observed state.
    State,
    /// The price book.
    Prices,
    /// What is known of kinds.
    Kinds,
    /// The resources it is limited to.
    Scope,
}

impl Input {
    const ALL: [Self; 7] =
        [Self::Blueprint, Self::Overrides, Self::Decisions, Self::State, Self::Prices, Self::Kinds, Self::Scope];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blueprint => "the blueprint",
            Self::Overrides => "the overrides",
            Self::Decisions => "the accepted decisions",
            Self::State => "the observed state",
            Self::Prices => "the price book",
            Self::Kinds => "the resource kinds",
            Self::Scope => "the scope",
        }
    }
}

/// A digest per input, in the order of [`Input::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digests(#[serde(with = "crate::kept::digests")] [[u8; 32]; 7]);

/// A plan whose inputs have changed since it was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Stale {
    /// The plan.
    pub plan: PlanId,
    /// What has changed.
    pub changed: Vec<Input>,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed: Vec<&str> = self.changed.iter().map(|i| i.name()).collect();
        write!(f, "plan {} is stale, these have changed: {}", self.plan, changed.join(", "))
    }
}

/// A plan of which it was checked that its inputs are what they were.
#[derive(Debug, Clone, Copy)]
pub struct Current<'p>(&'p Plan);

impl Deref for Current<'_> {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        self.0
    }
}

impl Plan {
    /// Checks that the inputs are what they were when it was made. The caller holds the state's lock from here until it has applied the plan.
    pub fn current(&self, inputs: &Inputs<'_>) -> Result<Current<'_>, Stale> {
        let now = Digests::of(inputs);
        let changed: Vec<Input> = Input::ALL
            .into_iter()
            .enumerate()
            .filter(|(n, _)| now.0[*n] != self.inputs.0[*n])
            .map(|(_, i)| i)
            .collect();
        if changed.is_empty() && now.id() == self.id {
            Ok(Current(self))
        } else {
            Err(Stale { plan: self.id, changed })
        }
    }
}

impl Inputs<'_> {
    /// The id that a plan of these inputs has.
    pub fn id(&self) -> PlanId {
        Digests::of(self).id()
    }
}

impl Digests {
    pub(crate) fn of(inputs: &Inputs<'_>) -> Self {
        Self(Input::ALL.map(|input| {
            let mut hash = Hash(Sha256::new());
            match input {
                Input::Blueprint => match &inputs.goal {
                    Goal::Blueprint { blueprint, .. } => hash.blueprint(blueprint),
                    Goal::Undo(plan) => hash.text("undo").text(&plan.id.to_string()),
                    Goal::Destroy { .. } => hash.text("destroy"),
                },
                Input::Overrides => match &inputs.goal {
                    Goal::Blueprint { environment, .. } | Goal::Destroy { environment, .. } => {
                        hash.environment(environment)
                    }
                    Goal::Undo(plan) => hash.text(&plan.environment),
                },
                Input::Decisions => match &inputs.goal {
                    Goal::Blueprint { decisions, .. } => hash.overrides(decisions),
                    Goal::Undo(_) | Goal::Destroy { .. } => &mut hash,
                },
                Input::State => hash.state(inputs.state),
                Input::Prices => hash.text(&inputs.prices.book()).text(&inputs.prices.currency().0),
                Input::Kinds => hash.kinds(inputs.kinds),
                Input::Scope => {
                    hash.number(inputs.scope.map_or(0, |s| s.len() as u64 + 1));
                    inputs.scope.into_iter().flatten().for_each(|a| {
                        hash.address(a);
                    });
                    &mut hash
                }
            };
            hash.0.finalize().into()
        }))
    }

    pub(crate) fn id(&self) -> PlanId {
        let mut hash = Sha256::new();
        hash.update(b"grid plan 1");
        self.0.iter().for_each(|digest| hash.update(digest));
        PlanId::of_digest(hash.finalize().into())
    }
}

/// A hash of parts that are told apart: each goes in with its length.
struct Hash(Sha256);

impl Hash {
    fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(number.to_le_bytes());
        self
    }

    fn address(&mut self, address: &Address) -> &mut Self {
        self.text(address.kind()).text(address.name())
    }

    fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Object(_) | Value::Array(_) => self.text(&sorted(value).to_string()),
            value => self.text(&value.to_string()),
        }
    }

    fn fields(&mut self, fields: &Fields) -> &mut Self {
        self.number(fields.len() as u64);
        for (path, value) in fields.iter() {
            self.text(&path.to_string()).value(value);
        }
        self
    }

    fn addresses(&mut self, addresses: &BTreeSet<Address>) -> &mut Self {
        self.number(addresses.len() as u64);
        addresses.iter().fold(self, |hash, a| hash.address(a))
    }

    fn blueprint(&mut self, blueprint: &Blueprint) -> &mut Self {
        self.text(&blueprint.name).text(&blueprint.revision).number(blueprint.resources.len() as u64);
        for (address, resource) in &blueprint.resources {
            self.address(address)
                .fields(&resource.fields)
                .addresses(&resource.needs)
                .number(u64::from(resource.is_protected));
        }
        self
    }

    /// All of an environment's settings: its budget and end too, because gates read them off what was approved.
    fn environment(&mut self, environment: &Environment) -> &mut Self {
        self.text(&environment.name).overrides(&environment.overrides).number(environment.owned.len() as u64);
        for ((address, path), policy) in &environment.owned {
            self.address(address).text(&path.to_string()).text(policy);
        }
        self.text(&environment.budget.map_or_else(String::new, |b| b.to_string()))
            .text(&environment.expires.map_or_else(String::new, |e| e.to_string()))
            .number(u64::from(environment.is_protected));
        if let Some(sleep) = &environment.sleep {
            self.text(&sleep.who).text(&sleep.why).text(&sleep.since.to_string());
        }
        self
    }

    fn overrides(&mut self, overrides: &[Override]) -> &mut Self {
        self.number(overrides.len() as u64);
        for one in overrides {
            self.address(&one.target).text(&one.path.to_string());
            match &one.to {
                Some(value) => self.number(1).value(value),
                None => self.number(0),
            };
            let (class, id) = match &one.by.writer {
                Writer::People => ("people", ""),
                Writer::Recommendation(id) => ("recommendation", id.as_str()),
                Writer::Scaling(id) => ("scaling", id.as_str()),
                Writer::Healing(id) => ("healing", id.as_str()),
            };
            self.text(class).text(id).text(&one.by.who).text(&one.by.why).text(&one.by.at.to_string());
            self.text(one.by.evidence.as_deref().unwrap_or_default());
        }
        self
    }

    fn state(&mut self, state: &State) -> &mut Self {
        self.text(&state.environment).number(state.serial).number(state.resources.len() as u64);
        for (address, observed) in &state.resources {
            self.address(address).text(&observed.id).fields(&observed.fields).addresses(&observed.needs);
            self.number(observed.outputs.len() as u64);
            for (name, value) in &observed.outputs {
                self.text(name).value(value);
            }
            self.number(observed.managed.len() as u64);
            for path in &observed.managed {
                self.text(&path.to_string());
            }
        }
        self
    }

    fn kinds(&mut self, kinds: &Kinds) -> &mut Self {
        self.number(kinds.0.len() as u64);
        for (name, kind) in &kinds.0 {
            self.text(name).number(kind.role as u64);
            for set in [&kind.replace_on, &kind.computed, &kind.sensitive, &kind.unordered] {
                self.number(set.len() as u64);
                for path in set {
                    self.text(&path.to_string());
                }
            }
            if let Some((path, longest)) = &kind.name {
                self.text(&path.to_string()).number(*longest as u64);
            }
            self.number(kind.asleep.len() as u64);
            for (path, value) in &kind.asleep {
                self.text(&path.to_string()).value(value);
            }
        }
        self
    }
}
