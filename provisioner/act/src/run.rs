//! The runner: a plan, step by step. It makes no choices; it only keeps the order, asks before each call whether it may, writes down what it means to
//! do, makes the call, and writes down what came of it.
//!
//! The state is not touched while it runs: it is locked, and all changes are committed at once at the end, whole or cut short. So a plan that was
//! interrupted is still current, and running it again goes on where it stopped.

use std::collections::BTreeMap;

use grid_plan::plan::{Action, Current, Step, looked_up};
use grid_plan::state::{Observed, State, StateError};
use grid_plan::{Address, Fields, PlanId};
use parking_lot::Mutex;

use crate::executor::{Call, CloudError, Executor, Time, Token};
use crate::journal::{Entry, Journal, JournalError, What};
use crate::mode::{Mode, Refusal};
use crate::retry::{Backoff, Rate, mixed};

/// What runs plans: a cloud, a journal, time.
pub struct Runner<'a> {
    /// The cloud.
    pub executor: &'a dyn Executor,
    /// Where intents rest.
    pub journal: &'a dyn Journal,
    /// Where time comes from.
    pub time: &'a dyn Time,
    /// Draws the waits between tries.
    pub seed: u64,
    /// How fast calls may be made.
    pub rate: Mutex<Rate>,
}

/// What to do at a safe point, which is before each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    /// Go on.
    On,
    /// Stop here; the same plan can go on later.
    Stop,
}

/// What came of one step.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A dry run; what the cloud says it would do.
    WouldDo(String),
    /// It was done; what is there now, if something is.
    Done(Option<Observed>),
    /// It was not done, or only its first half: what is there now is in the changes.
    Failed(String),
    /// It was not begun.
    NotBegun(String),
}

/// What came of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The plan.
    pub plan: PlanId,
    /// The serial that it started from.
    pub serial: u64,
    /// Each step.
    pub outcomes: Vec<(Address, Outcome)>,
    /// What is there now of what was touched.
    pub changes: BTreeMap<Address, Option<Observed>>,
}

impl Report {
    /// Whether every step was done.
    pub fn is_complete(&self) -> bool {
        self.outcomes.iter().all(|(_, o)| matches!(o, Outcome::Done(_)))
    }

    /// Writes what is there now into the state; the serial that it has then.
    pub fn commit(&self, by: &str, state: &mut State) -> Result<u64, StateError> {
        state.commit(by, self.serial, self.changes.clone())
    }
}

/// Why a run ended where it had not meant to: nothing more can be said of its steps, and it has to be run again.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing can be written down, so nothing may be done.
    #[error("write journal of plan {plan}")]
    Journal {
        /// The plan.
        plan: PlanId,
        /// Why.
        #[source]
        source: JournalError,
    },
}

/// Why a step was not done.
enum Stop {
    Refused(Refusal),
    Cloud(CloudError),
    Journal(JournalError),
    Missing(String),
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// What the cloud is asked.
enum Ask<'a> {
    Find(&'a Address, &'a Token),
    Read(&'a Address, &'a str),
    Apply(&'a Call<'a>),
    Destroy(&'a Address, &'a str, &'a Token),
}

impl Runner<'_> {
    /// Runs a plan. `safe_point` is asked before each step, with how many are done. The caller holds the lock of the state and commits the report.
    pub async fn run(
        &self,
        plan: Current<'_>,
        state: &State,
        mode: &Mode,
        safe_point: &(dyn Fn(usize) -> Go + Sync),
    ) -> Result<Report, RunError> {
        let failed = |source| RunError::Journal { plan: plan.id, source };
        let mut report = Report { plan: plan.id, serial: plan.serial, outcomes: Vec::new(), changes: BTreeMap::new() };
        if *mode == Mode::DryRun {
            for step in &plan.steps {
                let outcome = match self.executor.diff(step).await {
                    Ok(text) => Outcome::WouldDo(text),
                    Err(error) => Outcome::Failed(error.to_string()),
                };
                report.outcomes.push((step.address.clone(), outcome));
            }
            return Ok(report);
        }
        let entries = self.journal.entries(plan.id).await.map_err(failed)?;
        let words: BTreeMap<Token, What> = entries.into_iter().map(|e| (e.token, e.what)).collect();
        let mut there = state.resources.clone();
        let mut undone: BTreeMap<&Address, &str> = BTreeMap::new();
        let mut is_stopped = false;
        for (n, step) in plan.steps.iter().enumerate() {
            is_stopped = is_stopped || safe_point(n) == Go::Stop;
            let blocked = step.after_steps.iter().find(|a| undone.contains_key(a));
            let outcome = if is_stopped {
                Outcome::NotBegun("stopped at a safe point".to_owned())
            } else if let Some(blocked) = blocked {
                Outcome::NotBegun(format!("{blocked} comes before it and was not done"))
            } else {
                let did = Doing { plan: plan.id, step, mode, words: &words };
                match self.step(&did, &mut there, &mut report.changes).await {
                    Ok(now) => Outcome::Done(now),
                    Err(Stop::Journal(error)) => return Err(failed(error)),
                    Err(Stop::Refused(why)) => Outcome::NotBegun(why.to_string()),
                    Err(Stop::Cloud(error)) => Outcome::Failed(error.to_string()),
                    Err(Stop::Missing(why)) => Outcome::Failed(why),
                }
            };
            if !matches!(outcome, Outcome::Done(_)) {
                undone.insert(&step.address, "not done");
            }
            report.outcomes.push((step.address.clone(), outcome));
        }
        Ok(report)
    }

    /// One step: one action, or for a replacement two. `there` and `changes` follow what has really happened.
    async fn step(
        &self,
        doing: &Doing<'_>,
        there: &mut BTreeMap<Address, Observed>,
        changes: &mut BTreeMap<Address, Option<Observed>>,
    ) -> Result<Option<Observed>, Stop> {
        let step = doing.step;
        if step.action == Action::Replace && !self.executor.creates(step.address.kind()) {
            let (driver, kind) = (self.executor.name(), step.address.kind().to_owned());
            return Err(Stop::Cloud(CloudError::Unsupported { driver, action: "replace", kind }));
        }
        let halves: &[Action] = match step.action {
            Action::Replace => &[Action::Delete, Action::Create],
            Action::Create => &[Action::Create],
            Action::Update => &[Action::Update],
            Action::Delete => &[Action::Delete],
        };
        let mut now = step.before.clone();
        for action in halves {
            let fields = match action {
                Action::Delete => Fields::default(),
                _ => whole(step, there)?,
            };
            now = self.action(doing, *action, now.as_ref(), &fields).await?;
            if let Some(observed) = &mut now {
                observed.managed.clone_from(&step.manages);
                observed.needs.clone_from(&step.wants);
            }
            match &now {
                Some(observed) => there.insert(step.address.clone(), observed.clone()),
                None => there.remove(&step.address),
            };
            changes.insert(step.address.clone(), now.clone());
        }
        Ok(now)
    }

    async fn action(
        &self,
        doing: &Doing<'_>,
        action: Action,
        before: Option<&Observed>,
        fields: &Fields,
    ) -> Result<Option<Observed>, Stop> {
        let (plan, address) = (doing.plan, &doing.step.address);
        let token = Token::of(plan, address, action);
        let entry =
            |what| Entry { plan, address: address.clone(), action, token: token.clone(), at: self.time.now(), what };
        let was = before.map(|b| b.id.as_str());
        match doing.words.get(&token) {
            None => {}
            // It is known to be done: only what is there now has to be read.
            Some(What::Done { id: None, .. }) => return Ok(None),
            Some(What::Done { id: Some(id), .. }) => {
                let now = self.patiently(&Ask::Read(address, id)).await?;
                return now.map(Some).ok_or_else(|| Stop::Missing(format!("{id} was made and is gone since")));
            }
            // It was meant, and nobody knows whether it was done: it is looked up.
            Some(What::Intent { was, .. }) => {
                if let Some(now) = self.look_up(address, action, &token, was.as_deref()).await? {
                    let id = now.as_ref().map(|o| o.id.clone());
                    self.journal.append(entry(What::Done { id, is_found: true })).await?;
                    return Ok(now);
                }
            }
            Some(What::Failed { .. }) => {}
        }
        let by = doing.mode.allows(plan, self.time.now()).map_err(Stop::Refused)?.by.clone();
        self.journal.append(entry(What::Intent { by, was: was.map(str::to_owned) })).await?;
        let call = Call { address, action, before, fields, token: &token };
        let mut backoff = Backoff::new(mixed(self.seed ^ plan_seed(&token)));
        loop {
            // Asked again before each call: an approval may end while we wait.
            doing.mode.allows(plan, self.time.now()).map_err(Stop::Refused)?;
            let ask = match (action, was) {
                (Action::Delete, Some(id)) => Ask::Destroy(address, id, &token),
                (Action::Delete, None) => return Ok(None),
                _ => Ask::Apply(&call),
            };
            let error = match self.ask(&ask).await {
                Ok(now) => {
                    let id = now.as_ref().map(|o| o.id.clone());
                    self.journal.append(entry(What::Done { id, is_found: false })).await?;
                    return Ok(now);
                }
                Err(error) => error,
            };
            let wait = match &error {
                CloudError::Again { after_ns, .. } => backoff.next(*after_ns),
                CloudError::Lost(_) => backoff.next(None),
                CloudError::Refused(_) | CloudError::Owned { .. } | CloudError::Unsupported { .. } => {
                    self.journal.append(entry(What::Failed { why: error.to_string() })).await?;
                    return Err(Stop::Cloud(error));
                }
            };
            // Out of tries the intent stays open: the next run looks it up first.
            let Some(wait) = wait else { return Err(Stop::Cloud(error)) };
            self.time.wait(wait).await;
            if matches!(error, CloudError::Lost(_))
                && let Some(now) = self.look_up(address, action, &token, was).await?
            {
                let id = now.as_ref().map(|o| o.id.clone());
                self.journal.append(entry(What::Done { id, is_found: true })).await?;
                return Ok(now);
            }
        }
    }

    /// Whether an action has been done: `Some` with what is there now if it has, `None` if it has not.
    async fn look_up(
        &self,
        address: &Address,
        action: Action,
        token: &Token,
        was: Option<&str>,
    ) -> Result<Option<Option<Observed>>, Stop> {
        match (action, was) {
            (Action::Delete, Some(id)) => {
                let there = self.patiently(&Ask::Read(address, id)).await?;
                Ok(there.is_none().then_some(None))
            }
            (Action::Delete, None) => Ok(Some(None)),
            _ => Ok(self.patiently(&Ask::Find(address, token)).await?.map(Some)),
        }
    }

    /// Asks what changes nothing until there is an answer, or no tries are left.
    async fn patiently(&self, ask: &Ask<'_>) -> Result<Option<Observed>, Stop> {
        let mut backoff = Backoff::new(mixed(self.seed));
        loop {
            let error = match self.ask(ask).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = match &error {
                CloudError::Again { after_ns, .. } => backoff.next(*after_ns),
                CloudError::Lost(_) => backoff.next(None),
                _ => None,
            };
            match wait {
                Some(ns) => self.time.wait(ns).await,
                None => return Err(Stop::Cloud(error)),
            }
        }
    }

    async fn ask(&self, ask: &Ask<'_>) -> Result<Option<Observed>, CloudError> {
        let wait = self.rate.lock().take(self.time.now());
        if wait > 0 {
            self.time.wait(wait).await;
        }
        match ask {
            Ask::Find(address, token) => self.executor.find(address, token).await,
            Ask::Read(address, id) => self.executor.read(address, id).await,
            Ask::Apply(call) => self.executor.apply(call).await.map(Some),
            Ask::Destroy(address, id, token) => self.executor.destroy(address, id, token).await.map(|()| None),
        }
    }
}

/// A step on its way.
struct Doing<'a> {
    plan: PlanId,
    step: &'a Step,
    mode: &'a Mode,
    words: &'a BTreeMap<Token, What>,
}

/// All fields of a step, with what has become known since it was planned.
fn whole(step: &Step, there: &BTreeMap<Address, Observed>) -> Result<Fields, Stop> {
    let mut fields = step.after.clone().unwrap_or_default();
    for (path, value) in &step.unknown {
        let Some(value) = looked_up(value, there) else {
            return Err(Stop::Missing(format!("{path} refers to an output that is not there")));
        };
        fields.set(path, &value);
    }
    Ok(fields)
}

fn plan_seed(token: &Token) -> u64 {
    token.text().bytes().fold(0, |seed, b| mixed(seed ^ u64::from(b)))
}

#[cfg(test)]
mod tests;
