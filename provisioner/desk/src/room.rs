//! What is kept of one environment, and of its plans, releases and accepted recommendations.

use std::collections::{BTreeMap, BTreeSet};

use grid_act::acting::{Acting, LedgerEntry};
use grid_act::policy::{Limits, Policy};
use grid_model::{Amount, Timestamp};
use grid_plan::environment::life::Rest;
use grid_plan::environment::{Blueprint, Environment};
use grid_plan::gate::Verdict;
use grid_plan::gate::approval::Vote;
use grid_plan::kinds::Kinds;
use grid_plan::plan::Plan;
use grid_plan::queue::{Entry, Queue};
use grid_plan::scale::cron::Cron;
use grid_plan::state::State;
use grid_plan::{Address, PlanId};
use grid_types::Cloud;
use serde::{Deserialize, Serialize};

use crate::accepts::Accepts;
use crate::checks::{self, Check};
use crate::error::DeskError;
use crate::gates::{FreezeForm, Gate, check as check_gates};
use crate::heals::{Healing, Heals};
use crate::limits::{FILE_BYTES_MAX, FREEZES_MAX, VERIFY_NS};
use crate::progress::Progress;

/// What is set of an environment beside its overrides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// What the system is called: the beginning of names in the cloud.
    pub system: String,
    /// Which cloud: `aws`, `azure` or `google`.
    pub cloud: String,
    /// Where.
    pub region: String,
    /// The currency of its costs.
    pub currency: String,
    /// Which driver carries its plans out.
    pub driver: String,
    /// When it was made, in nanoseconds.
    pub created: i64,
    /// Who made it.
    pub created_by: String,
    /// Its gates.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// When nothing is released.
    #[serde(default)]
    pub freezes: Vec<FreezeForm>,
    /// What its plans must not do.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// What Grid may do by itself.
    pub policy: Policy,
    /// When it sleeps by itself.
    #[serde(default)]
    pub rest: Option<RestForm>,
    /// What Grid accepts by itself, where the policy is automatic.
    #[serde(default)]
    pub accepts: Accepts,
    /// What repairs itself, where the policy is automatic.
    #[serde(default)]
    pub heals: Heals,
    /// What became of its end, once its time had come.
    #[serde(default)]
    pub expiry: Option<Expiry>,
    /// When it was last seen to be used, in nanoseconds, where it rests by use.
    #[serde(default)]
    pub used: Option<i64>,
    /// A release that is owed: the environment fell asleep or woke, and the release has not been submitted yet. Its note.
    #[serde(default)]
    pub owed: Option<String>,
    /// How long a change is watched, in nanoseconds.
    pub verify_ns: i64,
    /// How much is used of what is paid by use (Infracost's usage file).
    #[serde(default)]
    pub usage: Option<String>,
    /// Unit prices as CSV.
    #[serde(default)]
    pub prices: Option<String>,
}

/// What became of the end of an environment whose time had come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// The end that this is about, in nanoseconds.
    pub at: i64,
    /// Whether nothing is destroyed, and a person has to decide.
    pub is_warning: bool,
    /// In words.
    pub says: String,
    /// The release that destroys what it has.
    pub release: Option<u64>,
}

/// When an environment sleeps by itself, as people write it: two schedules in cron's form, or hours without use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RestForm {
    /// By the clock.
    Schedule {
        /// When it falls asleep, such as `0 20 * * 1-5`.
        sleeps: String,
        /// When it wakes.
        wakes: String,
        /// Whose clock.
        zone: String,
    },
    /// By use.
    Idle {
        /// Hours after which an environment that nobody has used falls asleep.
        idle_hours: u32,
        /// The PromQL expression whose last value above zero counts as use.
        query: String,
    },
}

impl RestForm {
    /// As the planner reads it.
    pub fn read(&self) -> Result<Rest, DeskError> {
        match self {
            Self::Schedule { sleeps, wakes, zone } => Ok(Rest::Schedule {
                sleeps: Cron::parse(sleeps, zone).map_err(|e| DeskError::bad(&e))?,
                wakes: Cron::parse(wakes, zone).map_err(|e| DeskError::bad(&e))?,
            }),
            Self::Idle { idle_hours, .. } => {
                Ok(Rest::Idle { after_ns: i64::from(*idle_hours) * grid_model::time::HOUR_NS })
            }
        }
    }
}

/// What may be set; what is absent stays.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Gates, all of them.
    pub gates: Option<Vec<Gate>>,
    /// Freezes, all of them.
    pub freezes: Option<Vec<FreezeForm>>,
    /// What its plans must not do, all of it.
    pub checks: Option<Vec<Check>>,
    /// What Grid may do by itself.
    pub policy: Option<Policy>,
    /// What it accepts by itself, where the policy is automatic.
    pub accepts: Option<Accepts>,
    /// What repairs itself, where the policy is automatic.
    pub heals: Option<Heals>,
    /// What it may cost a month; empty for no budget.
    pub budget: Option<String>,
    /// From when on it is to be destroyed, RFC 3339; empty for never.
    pub expires: Option<String>,
    /// When it sleeps by itself.
    pub rest: Option<RestForm>,
    /// Hours for which a change is watched.
    pub verify_hours: Option<f64>,
    /// Usage file.
    pub usage: Option<String>,
    /// Price file.
    pub prices: Option<String>,
}

/// The policy of an environment of which nobody said more: people approve.
pub fn cautious() -> Policy {
    Policy {
        autonomy: grid_act::policy::Autonomy::Approve,
        limits: Limits {
            adds_max: Amount::ZERO,
            saves_max: None,
            risk_max: 0.05,
            steps_max: 1,
            blast_max: 0,
            moved_max: Amount(1_000 * 10_i128.pow(grid_model::money::SCALE)),
        },
        two_people_for_errors: true,
    }
}

/// One environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Room {
    pub(crate) about: About,
    pub(crate) environment: Environment,
    pub(crate) blueprint: Blueprint,
    #[serde(default)]
    pub(crate) healing: Healing,
    #[serde(skip)]
    pub(crate) state: State,
    #[serde(skip)]
    pub(crate) queue: QueueOf,
}

/// A queue; it has no default of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct QueueOf(pub(crate) Queue);

impl Default for QueueOf {
    fn default() -> Self {
        Self(Queue::new(grid_plan::queue::Settings::default()))
    }
}

impl Room {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.environment.name
    }

    /// Where it is to become real.
    pub(crate) fn target(&self) -> grid_types::Target {
        let cut = |text: &str| text.chars().take(16).collect::<String>().trim_end_matches('-').to_owned();
        grid_types::Target {
            cloud: Cloud::parse(&self.about.cloud).unwrap_or(Cloud::Aws),
            region: self.about.region.clone(),
            system: cut(&self.about.system),
            environment: cut(self.name()),
        }
    }

    /// Refuses while a release is at work.
    pub(crate) fn free(&self) -> Result<(), DeskError> {
        match &self.state.lock {
            None => Ok(()),
            Some(lock) => {
                Err(DeskError::Held { environment: self.name().to_owned(), by: lock.by.clone(), since: lock.since })
            }
        }
    }

    /// Sets what is said, checked.
    pub(crate) fn set(&mut self, settings: Settings, kinds: &Kinds, now: Timestamp) -> Result<(), DeskError> {
        let Settings {
            gates,
            freezes,
            checks,
            policy,
            accepts,
            heals,
            budget,
            expires,
            rest,
            verify_hours,
            usage,
            prices,
        } = settings;
        if let Some(accepts) = accepts {
            accepts.check()?;
            self.about.accepts = accepts;
        }
        if let Some(heals) = heals {
            heals.check(kinds)?;
            self.about.heals = heals;
        }
        if let Some(gates) = gates {
            check_gates(&gates)?;
            self.about.gates = gates;
        }
        if let Some(freezes) = freezes {
            if freezes.len() > FREEZES_MAX {
                return Err(DeskError::TooMany { what: "freezes", max: FREEZES_MAX });
            }
            freezes.iter().try_for_each(|f| f.read().map(drop))?;
            self.about.freezes = freezes;
        }
        if let Some(checks) = checks {
            checks::read(&checks)?;
            self.about.checks = checks;
        }
        if let Some(policy) = policy {
            self.about.policy = policy;
        }
        match budget.as_deref() {
            None => {}
            Some("") => self.environment.budget = None,
            Some(text) => {
                let (amount, _) = Amount::parse(text).map_err(|e| DeskError::bad(&e))?;
                self.environment.budget = Some(amount);
            }
        }
        match expires.as_deref() {
            None => {}
            Some("") => self.environment.expires = None,
            Some(text) => {
                let at = crate::gates::instant(text)?;
                if at <= now {
                    return Err(DeskError::Bad(format!(
                        "expires is {text}, which lies in the past: destroy the environment if it is to end now"
                    )));
                }
                self.environment.expires = Some(at);
            }
        }
        if let Some(rest) = rest {
            rest.read()?;
            self.about.rest = Some(rest);
            self.about.used = None;
        }
        if let Some(hours) = verify_hours {
            if !(0.0..=24.0 * 31.0).contains(&hours) {
                return Err(DeskError::Bad(format!("a change is watched for 0 to 744 hours, not {hours}")));
            }
            self.about.verify_ns = (hours * grid_model::time::HOUR_NS as f64) as i64;
        }
        for (text, to) in [(usage, &mut self.about.usage), (prices, &mut self.about.prices)] {
            match text {
                None => {}
                Some(text) if text.is_empty() => *to = None,
                Some(text) if text.len() > FILE_BYTES_MAX => {
                    return Err(DeskError::Bad(format!("a file has at most {FILE_BYTES_MAX} bytes")));
                }
                Some(text) => *to = Some(text),
            }
        }
        Ok(())
    }
}

impl About {
    /// Of a new environment on the dry-run driver.
    pub(crate) fn new(system: &str, cloud: Cloud, region: &str, currency: &str, who: &str, now: Timestamp) -> Self {
        Self {
            system: system.to_owned(),
            cloud: cloud.name().to_owned(),
            region: region.to_owned(),
            currency: currency.to_owned(),
            driver: crate::DRY_RUN.to_owned(),
            created: now.0,
            created_by: who.to_owned(),
            gates: Vec::new(),
            freezes: Vec::new(),
            checks: Vec::new(),
            policy: cautious(),
            rest: None,
            accepts: Accepts::default(),
            heals: Heals::default(),
            expiry: None,
            used: None,
            owed: None,
            verify_ns: VERIFY_NS,
            usage: None,
            prices: None,
        }
    }
}

/// What a plan is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GoalOf {
    /// The blueprint in its environment.
    Blueprint,
    /// To take another back.
    Undo(PlanId),
    /// To destroy the environment.
    Destroy(String),
}

/// A plan, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlanRow {
    pub(crate) plan: Plan,
    pub(crate) goal: GoalOf,
    pub(crate) scope: Option<BTreeSet<Address>>,
    pub(crate) made: i64,
    pub(crate) by: String,
    pub(crate) findings: Vec<FindingRow>,
}

/// What a second opinion says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FindingRow {
    pub(crate) severity: String,
    pub(crate) code: String,
    pub(crate) address: Option<String>,
    pub(crate) text: String,
}

/// One thing that happened to a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Happened {
    pub(crate) at: i64,
    pub(crate) what: String,
    pub(crate) text: String,
}

/// A release, as it is kept beside its entry in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReleaseRow {
    pub(crate) id: u64,
    pub(crate) environment: String,
    pub(crate) plan: PlanId,
    pub(crate) goal: GoalOf,
    pub(crate) scope: Option<BTreeSet<Address>>,
    pub(crate) note: String,
    pub(crate) gates: Vec<Gate>,
    pub(crate) after: BTreeMap<String, Verdict>,
    pub(crate) votes: Vec<Vote>,
    pub(crate) events: Vec<Happened>,
    /// What happened since it was kept last.
    #[serde(skip)]
    pub(crate) untold: Vec<Progress>,
    /// The recommendation that it carries out.
    pub(crate) action: Option<String>,
    pub(crate) applied: Option<i64>,
    /// The plan that takes it back, while and after that.
    pub(crate) undo: Option<PlanId>,
    /// Its entry once it has ended.
    pub(crate) ended: Option<Entry>,
    /// Its entry is in the queue until then.
    pub(crate) approved_by: Option<String>,
}

/// An accepted recommendation on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ActionRow {
    pub(crate) acting: Acting,
    pub(crate) environment: String,
    pub(crate) title: String,
    pub(crate) resource_id: String,
    pub(crate) currency: String,
    pub(crate) risk: f64,
    /// The release that carries it out.
    pub(crate) release: Option<u64>,
    /// The release that takes it back.
    pub(crate) undo: Option<u64>,
    /// What a person has to know.
    pub(crate) note: String,
    /// What was read back from the driver.
    pub(crate) read_back: Option<String>,
    /// What plans say that the resource costs a month, before and after.
    pub(crate) priced: Option<(String, String)>,
    /// What the ledger says, once it is entered.
    pub(crate) ledger: Option<LedgerEntry>,
}
