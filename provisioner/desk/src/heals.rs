//! What repairs itself: conditions over telemetry, what is done while one holds, and how often that may be.

use std::collections::BTreeMap;

use grid_act::healing::{Budget, Repair, Repairs};
use grid_model::Timestamp;
use grid_model::time::{HOUR_NS, SECOND_NS};
use grid_plan::kinds::Kinds;
use grid_plan::{Address, Path};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::DeskError;
use crate::limits::{CONDITIONS_MAX, QUERY_BYTES_MAX};
use crate::outside::Language;

pub(crate) const MINUTE_NS: i64 = 60 * SECOND_NS;
/// Repairs that are remembered beyond their window, for people.
const TOLD: usize = 50;

/// What repairs itself in an environment, as people write it. Nothing does unless the policy's autonomy is `automatic`; else it is only said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Heals {
    /// When something is repaired.
    pub when: Vec<Condition>,
    /// Repairs of one resource within the window.
    pub per_resource: usize,
    /// Repairs of the environment within the window.
    pub per_environment: usize,
    /// The window.
    pub window_hours: u32,
    /// The shortest time between two repairs of one resource.
    pub pause_minutes: u32,
}

impl Default for Heals {
    fn default() -> Self {
        Self { when: Vec::new(), per_resource: 3, per_environment: 5, window_hours: 24, pause_minutes: 30 }
    }
}

/// A condition, and what is done while it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Its name.
    pub name: String,
    /// The language of the query.
    #[serde(default = "promql")]
    pub language: Language,
    /// It holds while the query gives a value other than 0. One that gives nothing does not hold.
    pub query: String,
    /// How long it has to hold without a break.
    #[serde(default = "five")]
    pub for_minutes: u32,
    /// What is done.
    pub repair: RepairForm,
}

fn promql() -> Language {
    Language::Promql
}

fn five() -> u32 {
    5
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RepairForm {
    /// It is stopped and started.
    Restart {
        /// Which, such as `vm.web`.
        target: String,
    },
    /// It is deleted and made anew.
    Replace {
        /// Which.
        target: String,
    },
    /// A number is raised, and set back once the condition has been over for an hour.
    Scale {
        /// Of which.
        target: String,
        /// Which number, such as `desired`.
        path: String,
        /// By how much.
        by: u64,
        /// Never above this.
        max: u64,
    },
    /// The last release is taken back, if it was applied shortly before the condition began to hold.
    RollBack {
        /// How shortly.
        within_minutes: u32,
    },
}

impl RepairForm {
    pub(crate) fn repair(&self) -> Repair {
        match self {
            Self::Restart { .. } => Repair::Restart,
            Self::Replace { .. } => Repair::Replace,
            Self::Scale { .. } => Repair::Scale,
            Self::RollBack { .. } => Repair::RollBack,
        }
    }

    pub(crate) fn target(&self) -> Result<Option<Address>, DeskError> {
        match self {
            Self::Restart { target } | Self::Replace { target } | Self::Scale { target, .. } => {
                Address::parse(target).map(Some).map_err(|e| DeskError::bad(&e))
            }
            Self::RollBack { .. } => Ok(None),
        }
    }

    /// The field that is written, and its value, where one is; why there is none if not.
    pub(crate) fn change(
        &self,
        target: &Address,
        now: Option<&Value>,
        kinds: &Kinds,
    ) -> Result<(Path, Option<Value>), String> {
        match self {
            Self::Restart { .. } => {
                let can_stand =
                    grid_types::find(target.kind()).is_some_and(|t| t.fields.iter().any(|f| f.name == "running"));
                if !can_stand {
                    return Err(format!("a {} cannot be stopped and started: replace it", target.kind()));
                }
                Ok((Path::of(["running"]), Some(json!(false))))
            }
            Self::Replace { .. } if kinds.role(target.kind()).is_stateful() => {
                Err(format!("a {} holds data that would be gone: it is not replaced", target.kind()))
            }
            Self::Replace { .. } => Ok((Path::root(), None)),
            Self::Scale { path, by, max, .. } => {
                let path = Path::parse(path).map_err(|e| e.to_string())?;
                let Some(from) = now.and_then(Value::as_u64) else {
                    return Err(format!("`{path}` of {target} is not known as a whole number"));
                };
                if from >= *max {
                    return Err(format!("`{path}` of {target} is {from}, and may not be more than {max}"));
                }
                Ok((path, Some(json!(from.saturating_add(*by).min(*max)))))
            }
            Self::RollBack { .. } => Err("it writes no field".to_owned()),
        }
    }
}

impl Heals {
    /// Refuses what cannot be read.
    pub fn check(&self, kinds: &Kinds) -> Result<(), DeskError> {
        if self.when.len() > CONDITIONS_MAX {
            return Err(DeskError::TooMany { what: "conditions", max: CONDITIONS_MAX });
        }
        for (place, condition) in self.when.iter().enumerate() {
            let bad = |why: &str| Err(DeskError::Bad(format!("condition {:?}: {why}", condition.name)));
            if condition.name.is_empty() || condition.name.len() > 64 {
                return bad("a name has 1 to 64 bytes");
            }
            if self.when[..place].iter().any(|other| other.name == condition.name) {
                return bad("two conditions have this name");
            }
            if condition.query.trim().is_empty() || condition.query.len() > QUERY_BYTES_MAX {
                return bad("its query is empty or too long");
            }
            if let Some(target) = condition.repair.target()?
                && let Err(why) = condition.repair.change(&target, Some(&json!(0)), kinds)
            {
                return bad(&why);
            }
        }
        Ok(())
    }

    pub(crate) fn budget(&self) -> Budget {
        Budget {
            per_resource: self.per_resource,
            per_environment: self.per_environment,
            window_ns: i64::from(self.window_hours) * HOUR_NS,
            pause_ns: i64::from(self.pause_minutes) * MINUTE_NS,
            allowed: vec![Repair::Restart, Repair::Replace, Repair::Scale, Repair::RollBack],
        }
    }
}

/// What is known of an environment's conditions and repairs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Healing {
    /// Since when each condition holds, in nanoseconds.
    pub(crate) since: BTreeMap<String, i64>,
    /// Why nothing is done although one holds.
    pub(crate) says: BTreeMap<String, String>,
    /// What was done, the oldest first.
    pub(crate) done: Vec<Repaired>,
    /// What is being done.
    pub(crate) under_way: Option<UnderWay>,
    /// Numbers that were raised, by condition.
    pub(crate) raised: BTreeMap<String, Raised>,
}

/// A repair that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Repaired {
    pub(crate) at: i64,
    pub(crate) condition: String,
    /// The resource; the environment's name where the last release was taken back.
    pub(crate) target: String,
    pub(crate) repair: String,
    pub(crate) releases: Vec<String>,
    pub(crate) says: String,
}

/// A repair whose release has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnderWay {
    pub(crate) condition: String,
    /// What was written and is to be taken back: address and path.
    pub(crate) written: Option<(String, String)>,
    /// Whether what was written stays while the condition holds.
    pub(crate) stays: bool,
    pub(crate) release: u64,
}

/// A number that was raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Raised {
    pub(crate) target: String,
    pub(crate) path: String,
    /// Since when the condition is over, in nanoseconds.
    pub(crate) calm_since: Option<i64>,
}

impl Healing {
    /// Asks the budget for one more repair of a resource.
    pub(crate) fn ask(&self, target: &str, repair: Repair, budget: &Budget, now: Timestamp) -> Result<(), String> {
        // Of the environment as a whole by an address of its own.
        let address =
            |text: &str| Address::parse(text).ok().or_else(|| Address::parse(&format!("environment.{text}")).ok());
        let Some(of) = address(target) else { return Err(format!("{target} has no address")) };
        let mut repairs = Repairs::default();
        for done in &self.done {
            if let Some(address) = address(&done.target) {
                repairs.remember(&address, repair, Timestamp(done.at));
            }
        }
        repairs.ask(&of, repair, budget, now).map_err(|e| e.to_string())
    }

    pub(crate) fn remember(&mut self, done: Repaired) {
        if self.done.len() >= TOLD {
            self.done.remove(0);
        }
        self.done.push(done);
    }
}

const _: () = assert!(TOLD >= 2 * CONDITIONS_MAX, "no repair is forgotten within its window while budgets are sane");
