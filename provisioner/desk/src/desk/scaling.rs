//! Scaling policies: kept, played on a history, and followed: each decision is an override whose writer is the policy, and a release.

use grid_model::time::SECOND_NS;
use grid_model::{Amount, TenantId, Timestamp};
use grid_plan::environment::Writer;
use grid_plan::gate::Answer;
use grid_plan::queue::{Kind as ReleaseKind, Priority};
use grid_plan::scale::cron::Cron;
use grid_plan::scale::simulate::{Capacity, History, Outcome, simulate};
use grid_plan::scale::{Memory, Policy, Signals, StepMax, Trigger, decide};
use grid_plan::{Address, Path};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::releases::{Beside, Submission};
use super::{By, Desk};
use crate::error::DeskError;
use crate::keep::{Batch, Kind};
use crate::limits::{HISTORY_STEPS_MAX, POLICIES_MAX};
use crate::outside::Language;
use crate::show;

/// Decisions of a policy that are kept.
const DECISIONS_KEPT: usize = 200;

/// What asks for capacity, as people write it. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TriggerForm {
    /// From each time of a schedule on, for a while.
    Schedule {
        /// `MINUTE HOUR DAY MONTH WEEKDAY`.
        cron: String,
        /// Whose clock.
        zone: String,
        /// How long it lasts.
        lasts_s: u64,
        /// How many at least.
        capacity: u32,
    },
    /// After an event, for a while.
    Event {
        /// Its name.
        name: String,
        /// How long it lasts.
        lasts_s: u64,
        /// How many at least.
        capacity: u32,
    },
    /// By the value of a query.
    Metric {
        /// Its name.
        name: String,
        /// The query, PromQL.
        #[serde(default)]
        query: String,
        /// How much of the value one can take.
        per_unit: f64,
    },
    /// By a forecast of the same value.
    Predictive {
        /// The name of the metric that is forecast.
        name: String,
        /// How much of the value one can take.
        per_unit: f64,
        /// How far to look ahead.
        ahead_s: u64,
    },
}

/// A policy, as people write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyForm {
    /// Its name within the environment.
    pub name: String,
    /// Of which environment.
    #[serde(default)]
    pub environment: String,
    /// The resource, such as `autoscaling_group.web`; empty for one that is only simulated.
    #[serde(default)]
    pub target: String,
    /// The field that it owns, such as `min`.
    #[serde(default)]
    pub path: String,
    /// What asks for capacity.
    pub triggers: Vec<TriggerForm>,
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// Units that one change may go up.
    #[serde(default = "four")]
    pub up_units: u32,
    /// Share of what is there that one change may go up.
    #[serde(default = "whole")]
    pub up_share: f64,
    /// Units that one change may go down.
    #[serde(default = "four")]
    pub down_units: u32,
    /// Share of what is there that one change may go down.
    #[serde(default = "half")]
    pub down_share: f64,
    /// Seconds between two changes up.
    #[serde(default = "minute")]
    pub cooldown_up_s: u64,
    /// Seconds between any change and one down.
    #[serde(default = "five_minutes")]
    pub cooldown_down_s: u64,
    /// Differences up to this share change nothing.
    #[serde(default = "tenth")]
    pub hysteresis: f64,
    /// It goes down only as far as the largest wish of so many seconds.
    #[serde(default = "five_minutes")]
    pub settle_s: u64,
    /// Whether it only says what it would do.
    #[serde(default)]
    pub dry_run: bool,
}

fn four() -> u32 {
    4
}

fn whole() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

fn tenth() -> f64 {
    0.1
}

fn minute() -> u64 {
    60
}

fn five_minutes() -> u64 {
    300
}

fn ns(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND_NS)
}

impl PolicyForm {
    /// As the planner reads it.
    pub fn read(&self) -> Result<Policy, DeskError> {
        let bad = |why: &str| Err(DeskError::Bad(format!("policy {:?}: {why}", self.name)));
        if self.name.is_empty() || self.name.len() > 64 {
            return bad("a name has 1 to 64 bytes");
        }
        if self.triggers.is_empty() {
            return bad("nothing asks for capacity: give it a trigger");
        }
        if self.min > self.max {
            return bad("min is more than max");
        }
        let mut triggers = Vec::new();
        for trigger in &self.triggers {
            triggers.push(match trigger {
                TriggerForm::Schedule { cron, zone, lasts_s, capacity } => Trigger::Schedule {
                    cron: Cron::parse(cron, zone).map_err(|e| DeskError::bad(&e))?,
                    lasts_ns: ns(*lasts_s),
                    capacity: *capacity,
                },
                TriggerForm::Event { name, lasts_s, capacity } => {
                    Trigger::Event { name: name.clone(), lasts_ns: ns(*lasts_s), capacity: *capacity }
                }
                TriggerForm::Metric { name, per_unit, .. } if *per_unit > 0.0 => {
                    Trigger::Metric { name: name.clone(), per_unit: *per_unit }
                }
                TriggerForm::Predictive { name, per_unit, ahead_s } if *per_unit > 0.0 => {
                    Trigger::Predictive { name: name.clone(), per_unit: *per_unit, ahead_ns: ns(*ahead_s) }
                }
                _ => return bad("per_unit must be more than 0"),
            });
        }
        Ok(Policy {
            name: self.name.clone(),
            triggers,
            min: self.min,
            max: self.max,
            up: StepMax { units: self.up_units, share: self.up_share },
            down: StepMax { units: self.down_units, share: self.down_share },
            cooldown_up_ns: ns(self.cooldown_up_s),
            cooldown_down_ns: ns(self.cooldown_down_s),
            hysteresis: self.hysteresis,
            settle_ns: ns(self.settle_s),
            is_dry_run: self.dry_run,
        })
    }

    /// The metric that it goes by, if it goes by one.
    pub fn metric(&self) -> Option<&str> {
        self.triggers.iter().find_map(|t| match t {
            TriggerForm::Metric { name, .. } | TriggerForm::Predictive { name, .. } => Some(name.as_str()),
            TriggerForm::Schedule { .. } | TriggerForm::Event { .. } => None,
        })
    }
}

/// A policy with what it has decided.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PolicyRow {
    form: PolicyForm,
    memory: Memory,
    decisions: Vec<DecisionRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct DecisionRow {
    at: i64,
    from: u32,
    to: u32,
    wished: u32,
    reasons: Vec<String>,
    dry_run: bool,
    release: Option<String>,
}

/// A history on which a policy is played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulateForm {
    /// The policy.
    pub policy: PolicyForm,
    /// When the history begins, RFC 3339.
    #[serde(default)]
    pub start: Option<String>,
    /// Seconds of a step.
    pub step_s: u64,
    /// Demand at each step.
    pub demand: Vec<Option<f64>>,
    /// What was forecast for each step before it came.
    #[serde(default)]
    pub forecast: Option<Vec<Option<f64>>>,
    /// Demand that one unit serves at most.
    pub serves: f64,
    /// Seconds that one takes to start.
    #[serde(default = "five_minutes")]
    pub starts_s: u64,
    /// What one costs an hour.
    #[serde(default)]
    pub hourly: String,
    /// How many there are at the beginning; the policy's least if absent.
    #[serde(default)]
    pub initial: Option<u32>,
}

/// Plays a policy on a history, beside one that only reacts.
pub fn play(form: &SimulateForm) -> Result<Value, DeskError> {
    if form.demand.is_empty() || form.demand.len() > HISTORY_STEPS_MAX {
        return Err(DeskError::Bad(format!(
            "a history has 1 to {HISTORY_STEPS_MAX} steps, this one {}",
            form.demand.len()
        )));
    }
    if form.step_s == 0 || !(form.serves > 0.0 && form.serves.is_finite()) {
        return Err(DeskError::Bad("step_s and serves must be more than 0".to_owned()));
    }
    let policy = form.policy.read()?;
    let number = |all: &[Option<f64>]| all.iter().map(|v| v.unwrap_or(f64::NAN)).collect::<Vec<_>>();
    let history = History {
        start: form.start.as_deref().map(crate::gates::instant).transpose()?.unwrap_or(Timestamp(0)),
        step_ns: ns(form.step_s),
        demand: number(&form.demand),
        forecast: form.forecast.as_deref().map(number),
        events: Vec::new(),
    };
    let hourly = if form.hourly.is_empty() { "1" } else { form.hourly.as_str() };
    let capacity = Capacity {
        serves: form.serves,
        starts_ns: ns(form.starts_s),
        hourly: Amount::parse(hourly).map_err(|e| DeskError::bad(&e))?.0,
        initial: form.initial.unwrap_or(form.policy.min),
    };
    let metric = form.policy.metric().unwrap_or("demand").to_owned();
    let per_unit = form.policy.triggers.iter().find_map(|t| match t {
        TriggerForm::Metric { per_unit, .. } | TriggerForm::Predictive { per_unit, .. } => Some(*per_unit),
        TriggerForm::Schedule { .. } | TriggerForm::Event { .. } => None,
    });
    // Played as if it were not only a rehearsal.
    let played = Policy { is_dry_run: false, ..policy };
    let outcome = simulate(&played, &metric, &history, &capacity);
    let reactive =
        Policy::reactive("reactive", &metric, per_unit.unwrap_or(form.serves * 0.8), form.policy.min, form.policy.max);
    let beside = simulate(&reactive, &metric, &history, &capacity);
    let of = |o: &Outcome| {
        json!({
            "cost": o.cost.map(|c| c.to_string()),
            "unserved": o.unserved,
            "changes": o.changes,
            "most": o.asked.iter().max(),
            "least": o.asked.iter().min(),
        })
    };
    Ok(
        json!({ "steps": history.demand.len(), "policy": of(&outcome), "reactive": of(&beside), "asked": outcome.asked }),
    )
}

impl Desk {
    /// Keeps a policy; the field that it names is its own from then on.
    pub async fn put_policy(&self, tenant: &TenantId, by: &By, form: PolicyForm) -> Result<Value, DeskError> {
        form.read()?;
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, &form.environment).await?;
        room.free()?;
        if !form.target.is_empty() {
            let target = Address::parse(&form.target).map_err(|e| DeskError::bad(&e))?;
            let path = Path::parse(&form.path).map_err(|e| DeskError::bad(&e))?;
            if path.is_root() || !room.blueprint.resources.contains_key(&target) {
                return Err(DeskError::Bad(format!("{} has no field {:?} of {target}", form.environment, form.path)));
            }
            if let Some(owner) = room.environment.owner(&target, &path).filter(|o| *o != form.name) {
                return Err(DeskError::Conflict(format!("{target} `{path}` is scaling policy {owner}'s")));
            }
            let taken = room.environment.overrides.iter().find(|o| {
                o.target == target && o.path.overlaps(&path) && o.by.writer != Writer::Scaling(form.name.clone())
            });
            if let Some(taken) = taken {
                return Err(DeskError::Conflict(format!(
                    "{target} `{path}` is written by {} ({})",
                    taken.by.writer, taken.by.who
                )));
            }
            room.environment.owned.retain(|_, p| *p != form.name);
            room.environment.owned.insert((target, path), form.name.clone());
        }
        let old: Option<PolicyRow> = self.0.keep.get(tenant, Kind::Policy, &form.environment, &form.name).await?;
        let names = self.0.keep.names(tenant, Kind::Policy, &form.environment).await?;
        if old.is_none() && names.len() >= POLICIES_MAX {
            return Err(DeskError::TooMany { what: "scaling policies", max: POLICIES_MAX });
        }
        let decisions = old.map(|o| o.decisions).unwrap_or_default();
        let row = PolicyRow { form, memory: Memory::default(), decisions };
        let mut batch = Batch::of(tenant);
        batch.put(Kind::Policy, &row.form.environment, &row.form.name, &row)?;
        self.save(&mut batch, &room)?;
        self.deed(&mut batch, by, "scaling.put", &format!("{}/{}", row.form.environment, row.form.name), "");
        self.0.keep.write(batch).await?;
        Ok(shown(&row))
    }

    /// Drops a policy: its field is people's again.
    pub async fn drop_policy(
        &self,
        tenant: &TenantId,
        environment: &str,
        name: &str,
        by: &By,
    ) -> Result<(), DeskError> {
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, environment).await?;
        room.free()?;
        if self.0.keep.text(tenant, Kind::Policy, environment, name).await?.is_none() {
            return Err(DeskError::none("scaling policy", name));
        }
        room.environment.owned.retain(|_, p| p != name);
        room.environment.overrides.retain(|o| o.by.writer != Writer::Scaling(name.to_owned()));
        let mut batch = Batch::of(tenant);
        batch.delete(Kind::Policy, environment, name);
        self.save(&mut batch, &room)?;
        self.deed(&mut batch, by, "scaling.delete", &format!("{environment}/{name}"), "");
        self.0.keep.write(batch).await
    }

    /// All policies with their last decisions.
    pub async fn policies(&self, tenant: &TenantId) -> Result<Vec<Value>, DeskError> {
        let mut all = Vec::new();
        for environment in self.0.keep.names(tenant, Kind::Environment, "").await? {
            let rows: Vec<(String, PolicyRow)> = self.0.keep.list(tenant, Kind::Policy, &environment).await?;
            all.extend(rows.iter().map(|(_, row)| shown(row)));
        }
        Ok(all)
    }

    /// Lets each policy decide; a decision that changes something becomes an override and a release.
    pub(super) async fn scale(&self, tenant: &TenantId, environment: &str) -> Result<bool, DeskError> {
        let rows: Vec<(String, PolicyRow)> = self.0.keep.list(tenant, Kind::Policy, environment).await?;
        let mut moved = false;
        for (_, row) in rows {
            if !row.form.target.is_empty() {
                moved |= self.follow(tenant, environment, row).await?;
            }
        }
        Ok(moved)
    }

    async fn follow(&self, tenant: &TenantId, environment: &str, mut row: PolicyRow) -> Result<bool, DeskError> {
        let (policy, now) = (row.form.read()?, self.now());
        let target = Address::parse(&row.form.target).map_err(|e| DeskError::bad(&e))?;
        let path = Path::parse(&row.form.path).map_err(|e| DeskError::bad(&e))?;
        let room = self.room(tenant, environment).await?;
        let from = room.state.resources.get(&target).and_then(|o| o.fields.get(&path)).and_then(Value::as_u64);
        let Some(from) = from.and_then(|n| u32::try_from(n).ok()) else { return Ok(false) };
        if room.free().is_err() || !room.queue.0.open().is_empty() || room.environment.sleep.is_some() {
            return Ok(false);
        }
        let mut signals = Signals::default();
        for trigger in &row.form.triggers {
            if let TriggerForm::Metric { name, query, .. } = trigger {
                let value = match self.0.outside.query(tenant, Language::Promql, query, now).await {
                    Answer::Here(series) => series.iter().map(|(_, v)| *v).reduce(|a, b| a + b),
                    Answer::Missing(_) => None,
                };
                signals.metrics.push((name.clone(), value));
            }
        }
        let decision = decide(&policy, &signals, from, &mut row.memory, now);
        if decision.to == decision.from {
            return Ok(false);
        }
        let last = row.decisions.last();
        if decision.is_dry_run && last.is_some_and(|l| (l.from, l.to) == (decision.from, decision.to)) {
            return Ok(false);
        }
        let mut release = None;
        if let Some(change) = decision.as_override(&policy, &target, &path, now) {
            {
                let _held = self.0.lock.lock().await;
                let mut room = self.room(tenant, environment).await?;
                room.environment.write(change).map_err(|e| DeskError::Conflict(crate::error::chain(&e)))?;
                let mut batch = Batch::of(tenant);
                self.save(&mut batch, &room)?;
                self.0.keep.write(batch).await?;
            }
            let submission = Submission {
                environment: environment.to_owned(),
                only: vec![row.form.target.clone()],
                kind: Some(ReleaseKind::Selective),
                priority: Some(Priority::High),
                note: format!("scaling policy {}: {} -> {}", policy.name, decision.from, decision.to),
                lane: Some(format!("scaling {}", row.form.target)),
                ..Submission::default()
            };
            let allowed = format!("scaling policy {}", policy.name);
            let beside = Beside { without_gates: true, approved_by: Some(allowed.clone()), ..Beside::default() };
            match self.submit_beside(tenant, &By::grid(&allowed), submission, beside).await {
                Ok(id) => release = Some(show::release_name(environment, id.0)),
                Err(DeskError::Conflict(_)) => {}
                Err(e) => return Err(e),
            }
        }
        if row.decisions.len() >= DECISIONS_KEPT {
            row.decisions.remove(0);
        }
        row.decisions.push(DecisionRow {
            at: now.0,
            from: decision.from,
            to: decision.to,
            wished: decision.wished,
            reasons: decision.reasons,
            dry_run: decision.is_dry_run,
            release,
        });
        let mut batch = Batch::of(tenant);
        batch.put(Kind::Policy, environment, &row.form.name, &row)?;
        self.0.keep.write(batch).await?;
        Ok(true)
    }
}

fn shown(row: &PolicyRow) -> Value {
    let mut value = json!(row.form);
    let of = |d: &DecisionRow| {
        json!({
            "at": show::time(Timestamp(d.at)), "from": d.from, "to": d.to, "wished": d.wished,
            "reasons": d.reasons, "dry_run": d.dry_run, "release": d.release,
        })
    };
    value["decisions"] = row.decisions.iter().rev().map(of).collect();
    value
}
