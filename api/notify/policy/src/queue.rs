//! The queue of deliveries: what is tried next. It holds ids alone; bodies rest with whoever owns it.
//!
//! One target's groups are tried side by side, the deliveries of one group one after the other: what fails is tried again, later and
//! later, before anything newer of its group. A target that fails keeps one place under way, so that it cannot take the places of
//! others; one that asks for a pause (`Retry-After`) is given it as a whole.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use grid_model::Timestamp;
use grid_model::time::{HOUR_NS, MINUTE_NS, SECOND_NS};

use crate::limits::{IN_FLIGHT_PER_TARGET_MAX, QUEUE_PER_TARGET_MAX};

/// How long to wait between attempts, and when to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// After the first failure, about, in nanoseconds; doubled with each further one.
    pub first_ns: i64,
    /// At most, in nanoseconds.
    pub most_ns: i64,
    /// What a receiver may ask for by `Retry-After`, at most, in nanoseconds.
    pub asked_most_ns: i64,
    /// Age at which a delivery becomes a dead letter, in nanoseconds.
    pub give_up_ns: i64,
    /// Spreads the attempts of many deliveries.
    pub seed: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { first_ns: SECOND_NS, most_ns: 10 * MINUTE_NS, asked_most_ns: HOUR_NS, give_up_ns: 24 * HOUR_NS, seed: 0 }
    }
}

impl RetryPolicy {
    /// How long to wait after `attempts` failures: exponential, the upper half of it by chance ("equal jitter": M. Brooker,
    /// "Exponential Backoff And Jitter", 2015).
    pub fn pause_ns(&self, id: i64, attempts: u32) -> i64 {
        let doubled =
            self.first_ns.saturating_mul(1_i64.checked_shl(attempts.saturating_sub(1)).unwrap_or(i64::MAX).max(1));
        let whole = doubled.min(self.most_ns).max(1);
        let half = whole / 2;
        let dice = mix(self.seed ^ mix(id.unsigned_abs()) ^ u64::from(attempts).rotate_left(32));
        let span = u64::try_from(whole - half).unwrap_or(0) + 1;
        half + i64::try_from(dice % span).unwrap_or(0)
    }
}

/// SplitMix64's finalizer (G. Steele, D. Lea, C. Flood, 2014).
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One delivery that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// Its number; later ones are larger.
    pub id: i64,
    /// When it was queued.
    pub created: Timestamp,
    /// Attempts that failed.
    pub attempts: u32,
    /// Not before.
    pub next: Timestamp,
}

/// One delivery to be tried now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The delivery.
    pub id: i64,
    /// To whom.
    pub target: String,
    /// Of which group.
    pub group: String,
    /// Attempts that failed before.
    pub attempts: u32,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It may work later; perhaps the receiver said how much later, in nanoseconds.
    Failed {
        /// `Retry-After`
        retry_after_ns: Option<i64>,
    },
    /// It will never work: the receiver says that the message is wrong.
    Refused,
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is done.
    Delivered,
    /// It is tried again.
    Again {
        /// When.
        next: Timestamp,
        /// Attempts that failed.
        attempts: u32,
    },
    /// It is set aside.
    Dead {
        /// Why, in words.
        why: &'static str,
        /// Attempts that failed.
        attempts: u32,
    },
}

/// All deliveries that wait or are under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    targets: BTreeMap<String, Target>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Target {
    groups: BTreeMap<String, VecDeque<Queued>>,
    /// First deliveries of groups that are not under way.
    heads: BTreeSet<(Timestamp, String)>,
    busy: BTreeSet<String>,
    /// Groups of all deliveries, in order of age.
    ages: BTreeMap<i64, String>,
    failing: bool,
    hold: Option<Timestamp>,
}

impl Target {
    fn slots(&self) -> usize {
        let most = if self.failing { 1 } else { IN_FLIGHT_PER_TARGET_MAX };
        most.saturating_sub(self.busy.len())
    }

    /// Takes away the first delivery of a group and offers the next.
    fn pop(&mut self, group: &str) -> Option<Queued> {
        let waiting = self.groups.get_mut(group)?;
        let first = waiting.pop_front()?;
        self.ages.remove(&first.id);
        self.heads.remove(&(first.next, group.to_owned()));
        match waiting.front() {
            Some(next) => {
                self.heads.insert((next.next, group.to_owned()));
            }
            None => {
                self.groups.remove(group);
            }
        }
        Some(first)
    }

    /// When the next attempt may begin.
    fn next(&self) -> Option<Timestamp> {
        if self.slots() == 0 {
            return None;
        }
        let (first, _) = self.heads.first()?;
        Some(self.hold.map_or(*first, |hold| hold.max(*first)))
    }
}

impl Queue {
    /// Adds a delivery behind those of its group. If the target has too many, its oldest one that is not under way is put out, and
    /// its id answered: what is newest matters most to somebody who was away.
    pub fn push(&mut self, target: &str, group: &str, delivery: Queued) -> Option<i64> {
        let of = self.targets.entry(target.to_owned()).or_default();
        let displaced = if of.ages.len() >= QUEUE_PER_TARGET_MAX {
            let oldest = of.ages.iter().find(|(_, group)| !of.busy.contains(*group)).map(|(_, group)| group.clone());
            oldest.and_then(|group| of.pop(&group)).map(|first| first.id)
        } else {
            None
        };
        let waiting = of.groups.entry(group.to_owned()).or_default();
        if waiting.is_empty() && !of.busy.contains(group) {
            of.heads.insert((delivery.next, group.to_owned()));
        }
        waiting.push_back(delivery);
        of.ages.insert(delivery.id, group.to_owned());
        displaced
    }

    /// What is to be tried now, at most `room` of it, whatever has waited longest first.
    pub fn take(&mut self, now: Timestamp, room: usize) -> Vec<Attempt> {
        let mut found: Vec<(Timestamp, &str, &str)> = Vec::new();
        for (name, target) in &self.targets {
            if target.next().is_none_or(|next| next > now) {
                continue;
            }
            let ready = target.heads.iter().take(target.slots()).take_while(|(next, _)| *next <= now);
            found.extend(ready.map(|(next, group)| (*next, name.as_str(), group.as_str())));
        }
        found.sort_unstable();
        found.truncate(room);
        let chosen: Vec<(String, String)> = found.into_iter().map(|(_, t, g)| (t.to_owned(), g.to_owned())).collect();
        let mut attempts = Vec::with_capacity(chosen.len());
        for (name, group) in chosen {
            let Some(target) = self.targets.get_mut(&name) else { continue };
            let Some(first) = target.groups.get(&group).and_then(|g| g.front()).copied() else { continue };
            target.heads.remove(&(first.next, group.clone()));
            target.busy.insert(group.clone());
            attempts.push(Attempt { id: first.id, target: name, group, attempts: first.attempts });
        }
        attempts
    }

    /// What becomes of a delivery whose attempt has ended. Changes nothing: whoever keeps the deliveries writes it down first, then
    /// calls [`Self::apply`].
    pub fn judge(&self, attempt: &Attempt, outcome: Outcome, policy: &RetryPolicy, now: Timestamp) -> Step {
        let attempts = attempt.attempts.saturating_add(1);
        let first =
            self.targets.get(&attempt.target).and_then(|t| t.groups.get(&attempt.group)).and_then(|g| g.front());
        match outcome {
            Outcome::Delivered => Step::Delivered,
            Outcome::Refused => Step::Dead { why: "the receiver refuses it", attempts },
            Outcome::Failed { retry_after_ns } => {
                let pause = policy.pause_ns(attempt.id, attempts);
                let asked = retry_after_ns.unwrap_or(0).clamp(0, policy.asked_most_ns);
                let next = now.saturating_add(pause.max(asked));
                let created = first.map_or(now, |f| f.created);
                if created.saturating_add(policy.give_up_ns) < next {
                    Step::Dead { why: "it failed for too long", attempts }
                } else {
                    Step::Again { next, attempts }
                }
            }
        }
    }

    /// Makes it so.
    pub fn apply(&mut self, attempt: &Attempt, outcome: Outcome, step: Step, now: Timestamp) {
        let Some(target) = self.targets.get_mut(&attempt.target) else { return };
        target.failing = matches!(outcome, Outcome::Failed { .. });
        target.hold = match (outcome, step) {
            (Outcome::Failed { retry_after_ns: Some(_) }, Step::Again { next, .. }) => Some(next),
            _ => target.hold.filter(|hold| *hold > now && target.failing),
        };
        target.busy.remove(&attempt.group);
        let front = target.groups.get(&attempt.group).and_then(|g| g.front()).map(|f| f.id);
        if front != Some(attempt.id) {
            return;
        }
        match step {
            Step::Delivered | Step::Dead { .. } => {
                target.pop(&attempt.group);
            }
            Step::Again { next, attempts } => {
                if let Some(first) = target.groups.get_mut(&attempt.group).and_then(VecDeque::front_mut) {
                    (first.next, first.attempts) = (next, attempts);
                    target.heads.insert((next, attempt.group.clone()));
                }
            }
        }
        if target.groups.is_empty() && target.busy.is_empty() {
            self.targets.remove(&attempt.target);
        }
    }

    /// Takes out everything of a target that is gone; its ids. What is under way ends by itself.
    pub fn drop_target(&mut self, target: &str) -> Vec<i64> {
        self.targets.remove(target).map(|t| t.ages.into_keys().collect()).unwrap_or_default()
    }

    /// When something is to be tried next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.targets.values().filter_map(Target::next).min()
    }

    /// Deliveries that wait or are under way.
    pub fn len(&self) -> usize {
        self.targets.values().map(|t| t.ages.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// How many of one target wait or are under way, and whether its last attempt failed.
    pub fn of_target(&self, target: &str) -> (usize, bool) {
        self.targets.get(target).map_or((0, false), |t| (t.ages.len(), t.failing))
    }
}

#[cfg(test)]
mod tests;
