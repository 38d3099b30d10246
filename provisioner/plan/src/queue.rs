//! The release queue of one environment. Releases that share no resource run together; those that do keep an order of priority, ageing and expected
//! length. Whatever does not start has its reasons, and they can be read at any time.
//!
//! Reading order: [`Release`] and [`Footprint`] (what conflicts with what), [`Stage`], [`Queue`] (the events, then `ready`), `order` (who
//! comes first), [`eta`] (when), [`simulate`] (how well, on traces).
//!
//! A release that waits for a gate, such as a person's approval, stands in nobody's way. One that is ready and conflicts with what runs does: a
//! lower one that conflicts with it may only slip past if it will probably be done before the other could start.

pub mod footprint;
pub mod eta;
mod order;
pub mod simulate;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use grid_model::Timestamp;
use grid_model::time::{HOUR_NS, MINUTE_NS};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::gate::Verdict;
use crate::limits::RELEASES_MAX;

pub use eta::{Eta, Past};
pub use footprint::Footprint;

/// The number of a release within its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReleaseId(pub u64);

impl std::fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "release {}", self.0)
    }
}

/// What a release does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The whole environment.
    Full,
    /// Some resources.
    Selective,
    /// It only says what would be done: it changes nothing and conflicts with nobody.
    PlanOnly,
    /// Some resources, soon.
    Hotfix,
    /// Takes another release back.
    Rollback,
}

impl Kind {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Selective => "selective",
            Self::PlanOnly => "plan-only",
            Self::Hotfix => "hotfix",
            Self::Rollback => "rollback",
        }
    }
}

/// How much it presses. Waiting raises it, but never to [`Priority::Emergency`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// When nothing else is to do.
    Low,
    /// As usual.
    Normal,
    /// Before others.
    High,
    /// Now: what runs yields at its next safe point, and a pause does not hold it.
    Emergency,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// What it does.
    pub kind: Kind,
    /// How much it presses.
    pub priority: Priority,
    /// Who asks.
    pub by: String,
    /// What it changes and relies on.
    pub footprint: Footprint,
    /// A newer release of the same lane that changes all that this one would takes its place, while it waits.
    pub lane: Option<String>,
    /// Gates that must pass before it starts, by name.
    pub gates: Vec<String>,
    /// What kind of work it is, as far as its duration goes: durations are remembered by this.
    pub class: String,
}

/// Where a release is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// It has not begun.
    Waiting,
    /// It runs.
    Running {
        /// What it was asked to do at its next safe point.
        asked: Asked,
    },
    /// It has stopped at a safe point for an emergency, and goes on after it, with a new plan.
    Yielded,
    /// Its steps are done, and the gates after it are not.
    Checking,
    /// A gate after it failed, and it is taken back.
    Undoing {
        /// Which gate, and why.
        why: String,
    },
    /// It has ended.
    Ended(End),
}

/// What a running release was asked to do at its next safe point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// Go on.
    Nothing,
    /// Make room for an emergency.
    Yield,
    /// Stop.
    Stop,
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum End {
    /// All is well.
    Done,
    /// It could not be done.
    Failed(String),
    /// It was taken back.
    Undone(String),
    /// Taking it back failed: somebody must look.
    UndoFailed(String),
    /// Somebody cancelled it.
    Cancelled(String),
    /// A newer one took its place.
    Superseded(ReleaseId),
}

/// Why a release does not start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Hold {
    /// The queue is paused.
    Paused {
        /// By whom.
        by: String,
        /// Why.
        why: String,
        /// Since when.
        #[serde(with = "crate::kept::time")]
        since: Timestamp,
    },
    /// A gate has not passed.
    Gate {
        /// Which.
        gate: String,
        /// What it said.
        reason: String,
    },
    /// Another one is at work on what it needs.
    Conflict {
        /// Which.
        with: ReleaseId,
        /// On what; `None` if one of the two concerns everything.
        on: Option<Address>,
    },
    /// Another one that waits for the same comes first.
    Behind {
        /// Which.
        with: ReleaseId,
        /// On what; `None` if one of the two concerns everything.
        on: Option<Address>,
    },
    /// As many as may run at once do.
    Full {
        /// How many.
        slots: usize,
    },
}

impl std::fmt::Display for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = |on: &Option<Address>| on.as_ref().map_or("everything".to_owned(), Address::to_string);
        match self {
            Self::Paused { by, why, since } => write!(f, "paused by {by} since {since}: {why}"),
            Self::Gate { gate, reason } => write!(f, "gate {gate}: {reason}"),
            Self::Conflict { with, on } => write!(f, "{with} is at work on {}", what(on)),
            Self::Behind { with, on } => write!(f, "{with} comes first on {}", what(on)),
            Self::Full { slots } => write!(f, "{slots} releases run, which is as many as may"),
        }
    }
}

/// A release with its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub id: ReleaseId,
    /// What was asked for.
    pub release: Release,
    /// When.
    #[serde(with = "crate::kept::time")]
    pub submitted: Timestamp,
    /// When it first started.
    #[serde(default, with = "crate::kept::time_opt")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, with = "crate::kept::time_opt")]
    pub ended: Option<Timestamp>,
    /// Where it is.
    pub stage: Stage,
    /// What its gates said last; a gate that is not here has not been asked.
    pub verdicts: BTreeMap<String, Verdict>,
    /// What was predicted when it was submitted.
    pub predicted: Option<Eta>,
    /// How long it has run in all, without pauses at safe points, in nanoseconds.
    ran_ns: i64,
    /// Since when it runs.
    #[serde(default, with = "crate::kept::time_opt")]
    since: Option<Timestamp>,
}

/// How a queue behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Releases that may run at once.
    pub slots: usize,
    /// Waiting so long raises the priority by one.
    pub ageing_ns: i64,
    /// Who has waited so long is overtaken by nobody on what it needs, and goes before all but emergencies.
    pub patience_ns: i64,
    /// Draws what predictions are made of.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { slots: 4, ageing_ns: 30 * MINUTE_NS, patience_ns: 4 * HOUR_NS, seed: 0 }
    }
}

/// Why an event was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// No such release.
    #[error("there is no {0} here, or it has ended")]
    Unknown(ReleaseId),
    /// It is not where this can happen to it.
    #[error("{id} cannot {what}: it is {stage}")]
    NotNow {
        /// Which.
        id: ReleaseId,
        /// What was to happen.
        what: &'static str,
        /// Where it is.
        stage: &'static str,
    },
    /// Too many.
    #[error("{RELEASES_MAX} releases wait or run, which is as many as may")]
    Full,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// By whom.
    pub by: String,
    /// Why.
    pub why: String,
    /// Since when.
    #[serde(with = "crate::kept::time")]
    pub since: Timestamp,
    /// Whether emergencies wait too.
    pub holds_emergencies: bool,
}

/// What a running release is to do at a safe point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtSafePoint {
    /// Go on.
    GoOn,
    /// Stop; it will be started again, with a new plan.
    Yielded,
    /// Stop; it has ended.
    Stopped,
}

/// The queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Queue {
    settings: Settings,
    /// All that have not ended, in order of submission.
    open: Vec<Entry>,
    pause: Option<Pause>,
    past: Past,
    next: u64,
}

impl Queue {
    /// An empty one.
    pub fn new(settings: Settings) -> Self {
        Self { past: Past::default(), settings, open: Vec::new(), pause: None, next: 1 }
    }

    /// What is known of durations and of how well they were predicted.
    pub fn past(&self) -> &Past {
        &self.past
    }

    /// All that have not ended, in order of submission.
    pub fn open(&self) -> &[Entry] {
        &self.open
    }

    /// One that has not ended.
    pub fn get(&self, id: ReleaseId) -> Option<&Entry> {
        self.open.iter().find(|e| e.id == id)
    }

    /// Takes a release in; its number, and those whose place it takes, which have ended.
    pub fn submit(&mut self, release: Release, now: Timestamp) -> Result<(ReleaseId, Vec<Entry>), QueueError> {
        if self.open.len() >= RELEASES_MAX {
            return Err(QueueError::Full);
        }
        let id = ReleaseId(self.next);
        self.next += 1;
        let takes_place = |e: &Entry| {
            e.stage == Stage::Waiting
                && release.lane.is_some()
                && e.release.lane == release.lane
                && e.release.priority <= release.priority
                && release.kind != Kind::PlanOnly
                && release.footprint.covers(&e.release.footprint)
        };
        let (mut gone, kept): (Vec<Entry>, Vec<Entry>) = self.open.drain(..).partition(takes_place);
        self.open = kept;
        for entry in &mut gone {
            entry.stage = Stage::Ended(End::Superseded(id));
            entry.ended = Some(now);
        }
        self.open.push(Entry {
            id,
            release,
            submitted: now,
            started: None,
            ended: None,
            stage: Stage::Waiting,
            verdicts: BTreeMap::new(),
            predicted: None,
            ran_ns: 0,
            since: None,
        });
        let predicted = self.eta(id, now);
        if let Some(entry) = self.open.last_mut() {
            entry.predicted = predicted;
        }
        Ok((id, gone))
    }

    /// Writes down what a gate said. A gate before the start holds the release; one after it decides whether it is taken back.
    pub fn verdict(&mut self, id: ReleaseId, gate: &str, verdict: Verdict) -> Result<(), QueueError> {
        self.find(id)?.verdicts.insert(gate.to_owned(), verdict);
        Ok(())
    }

    /// A waiting release has a new plan: what it touches may be something else, and its gates are asked anew.
    pub fn replanned(&mut self, id: ReleaseId, footprint: Footprint) -> Result<(), QueueError> {
        let entry = self.find(id)?;
        if !matches!(entry.stage, Stage::Waiting | Stage::Yielded) {
            return Err(entry.not_now("be planned anew"));
        }
        entry.release.footprint = footprint;
        entry.verdicts.clear();
        Ok(())
    }

    /// Asks a running release to do something at its next safe point; a wish to stop stands.
    pub fn ask(&mut self, id: ReleaseId, wish: Asked) -> Result<(), QueueError> {
        let entry = self.find(id)?;
        match &mut entry.stage {
            Stage::Running { asked: Asked::Stop } => Ok(()),
            Stage::Running { asked } => {
                *asked = wish;
                Ok(())
            }
            _ => Err(entry.not_now("be asked to stop")),
        }
    }

    /// The pause, if there is one.
    pub fn paused(&self) -> Option<&Pause> {
        self.pause.as_ref()
    }

    /// Pauses: nothing starts any more. What runs goes on.
    pub fn pause(&mut self, pause: Pause) {
        self.pause = Some(pause);
    }

    /// Ends a pause.
    pub fn resume(&mut self) {
        self.pause = None;
    }

    /// Everything that may start now, in the order in which it should; each is marked as running. To be asked after every event. Running
    /// ones that stand in an emergency's way are asked to yield.
    pub fn ready(&mut self, now: Timestamp) -> Vec<ReleaseId> {
        let mut started = Vec::new();
        let order = order::order(self, now);
        loop {
            let before = started.len();
            for at in order.iter().copied() {
                let is_waiting = matches!(self.open[at].stage, Stage::Waiting | Stage::Yielded);
                if is_waiting && self.holds_of(at, &order, now).is_empty() {
                    let entry = &mut self.open[at];
                    entry.stage = Stage::Running { asked: Asked::Nothing };
                    entry.started.get_or_insert(now);
                    entry.since = Some(now);
                    started.push(entry.id);
                }
            }
            // What has just started may give another one the time to slip past.
            if started.len() == before {
                break;
            }
        }
        self.ask_to_yield();
        started
    }

    /// Why a release does not start; empty if it may, or has.
    pub fn holds(&self, id: ReleaseId, now: Timestamp) -> Vec<Hold> {
        let at = self.open.iter().position(|e| e.id == id);
        at.map_or_else(Vec::new, |at| self.holds_of(at, &order::order(self, now), now))
    }

    /// How many come before a waiting one, counted in the order in which they would start now.
    pub fn position(&self, id: ReleaseId, now: Timestamp) -> Option<usize> {
        order::order(self, now).into_iter().position(|at| self.open[at].id == id)
    }

    /// A running release has come to a safe point.
    pub fn safe_point(&mut self, id: ReleaseId, now: Timestamp) -> Result<(AtSafePoint, Option<Entry>), QueueError> {
        let entry = self.find(id)?;
        match entry.stage {
            Stage::Running { asked: Asked::Nothing } => Ok((AtSafePoint::GoOn, None)),
            Stage::Running { asked: Asked::Yield } => {
                entry.stop_clock(now);
                entry.stage = Stage::Yielded;
                Ok((AtSafePoint::Yielded, None))
            }
            Stage::Running { asked: Asked::Stop } => {
                let ended = self.end(id, End::Cancelled("stopped at a safe point".to_owned()), now)?;
                Ok((AtSafePoint::Stopped, Some(ended)))
            }
            _ => Err(entry.not_now("come to a safe point")),
        }
    }

    /// The steps of a running release are done, or one of them failed; with gates after it, it is checked next. What ended is given back.
    pub fn finished(
        &mut self,
        id: ReleaseId,
        failed: Option<String>,
        has_gates_after: bool,
        now: Timestamp,
    ) -> Result<Option<Entry>, QueueError> {
        let entry = self.find(id)?;
        if !matches!(entry.stage, Stage::Running { .. }) {
            return Err(entry.not_now("finish"));
        }
        match failed {
            Some(why) => self.end(id, End::Failed(why), now).map(Some),
            None if has_gates_after => {
                entry.stage = Stage::Checking;
                Ok(None)
            }
            None => self.end(id, End::Done, now).map(Some),
        }
    }

    /// What all gates after a release say together: it ends well, waits on, or is taken back.
    pub fn checked(&mut self, id: ReleaseId, verdict: &Verdict, now: Timestamp) -> Result<Option<Entry>, QueueError> {
        let entry = self.find(id)?;
        if entry.stage != Stage::Checking {
            return Err(entry.not_now("be checked"));
        }
        match verdict {
            Verdict::Pass(_) => self.end(id, End::Done, now).map(Some),
            Verdict::Hold(_) => Ok(None),
            Verdict::Fail(why) => {
                entry.stage = Stage::Undoing { why: why.clone() };
                Ok(None)
            }
        }
    }

    /// A release has been taken back, or could not be.
    pub fn undone(&mut self, id: ReleaseId, failed: Option<String>, now: Timestamp) -> Result<Entry, QueueError> {
        let entry = self.find(id)?;
        let Stage::Undoing { why } = &entry.stage else { return Err(entry.not_now("be taken back")) };
        let end = match failed {
            None => End::Undone(why.clone()),
            Some(failed) => End::UndoFailed(format!("{why}; and taking it back failed: {failed}")),
        };
        self.end(id, end, now)
    }

    /// Cancels: what waits ends at once, what runs ends at its next safe point.
    pub fn cancel(&mut self, id: ReleaseId, by: &str, now: Timestamp) -> Result<Option<Entry>, QueueError> {
        let entry = self.find(id)?;
        match &mut entry.stage {
            Stage::Waiting | Stage::Yielded => self.end(id, End::Cancelled(by.to_owned()), now).map(Some),
            Stage::Running { asked } => {
                *asked = Asked::Stop;
                Ok(None)
            }
            _ => Err(entry.not_now("be cancelled")),
        }
    }

    /// When a release will probably have ended.
    pub fn eta(&self, id: ReleaseId, now: Timestamp) -> Option<Eta> {
        eta::eta(self, id, now)
    }

    fn end(&mut self, id: ReleaseId, end: End, now: Timestamp) -> Result<Entry, QueueError> {
        let at = self.open.iter().position(|e| e.id == id).ok_or(QueueError::Unknown(id))?;
        let mut entry = self.open.remove(at);
        entry.stop_clock(now);
        if end == End::Done {
            self.past.learn(&entry, now);
        }
        entry.stage = Stage::Ended(end);
        entry.ended = Some(now);
        Ok(entry)
    }

    fn find(&mut self, id: ReleaseId) -> Result<&mut Entry, QueueError> {
        self.open.iter_mut().find(|e| e.id == id).ok_or(QueueError::Unknown(id))
    }

    fn holds_of(&self, at: usize, order: &[usize], now: Timestamp) -> Vec<Hold> {
        let entry = &self.open[at];
        let mut holds = Vec::new();
        if !matches!(entry.stage, Stage::Waiting | Stage::Yielded) {
            return holds;
        }
        let is_emergency = entry.release.priority == Priority::Emergency;
        if let Some(pause) = &self.pause
            && (!is_emergency || pause.holds_emergencies)
        {
            let Pause { by, why, since, .. } = pause.clone();
            holds.push(Hold::Paused { by, why, since });
        }
        holds.extend(entry.gate_holds());
        if entry.release.kind == Kind::PlanOnly {
            return holds;
        }
        let mut running = 0;
        for other in self.open.iter().filter(|o| o.id != entry.id) {
            running += usize::from(other.is_at_work());
            // What has yielded holds its place against all but emergencies.
            let is_in_the_way =
                other.is_at_work() || (other.stage == Stage::Yielded && !is_emergency && entry.stage != Stage::Yielded);
            if is_in_the_way && let Some(on) = other.release.footprint.conflict(&entry.release.footprint) {
                holds.push(Hold::Conflict { with: other.id, on });
            }
        }
        if running >= self.settings.slots && !is_emergency {
            holds.push(Hold::Full { slots: self.settings.slots });
        }
        if let Some((with, on)) = order::behind(self, at, order, now) {
            holds.push(Hold::Behind { with, on });
        }
        holds
    }

    fn ask_to_yield(&mut self) {
        let urgent: Vec<Footprint> = self
            .open
            .iter()
            .filter(|e| {
                e.stage == Stage::Waiting && e.release.priority == Priority::Emergency && e.gate_holds().is_empty()
            })
            .map(|e| e.release.footprint.clone())
            .collect();
        for entry in &mut self.open {
            let is_asked = entry.release.priority != Priority::Emergency
                && urgent.iter().any(|u| u.conflict(&entry.release.footprint).is_some());
            if let Stage::Running { asked } = &mut entry.stage
                && *asked != Asked::Stop
            {
                *asked = if is_asked { Asked::Yield } else { Asked::Nothing };
            }
        }
    }
}

impl Entry {
    /// Whether it changes things now.
    pub fn is_at_work(&self) -> bool {
        let is_reader = self.release.kind == Kind::PlanOnly;
        !is_reader && matches!(self.stage, Stage::Running { .. } | Stage::Checking | Stage::Undoing { .. })
    }

    fn gate_holds(&self) -> Vec<Hold> {
        let held = |gate: &String| {
            let reason = match self.verdicts.get(gate) {
                Some(Verdict::Pass(_)) => return None,
                Some(Verdict::Hold(reason) | Verdict::Fail(reason)) => reason.clone(),
                None => "it has not been asked yet".to_owned(),
            };
            Some(Hold::Gate { gate: gate.clone(), reason })
        };
        self.release.gates.iter().filter_map(held).collect()
    }

    fn stop_clock(&mut self, now: Timestamp) {
        if let Some(since) = self.since.take() {
            self.ran_ns = self.ran_ns.saturating_add(now.0.saturating_sub(since.0));
        }
    }

    /// How long it has run so far, in nanoseconds.
    fn ran_ns(&self, now: Timestamp) -> i64 {
        self.ran_ns.saturating_add(self.since.map_or(0, |since| now.0.saturating_sub(since.0)))
    }

    fn not_now(&self, what: &'static str) -> QueueError {
        let stage = match self.stage {
            Stage::Waiting => "waiting",
            Stage::Running { .. } => "running",
            Stage::Yielded => "stopped at a safe point",
            Stage::Checking => "being checked",
            Stage::Undoing { .. } => "being taken back",
            Stage::Ended(_) => "ended",
        };
        QueueError::NotNow { id: self.id, what, stage }
    }
}
