//! The desk of one tenant: alerts come in, and messages go out when their groups are due.
//!
//! What changes is first asked for ([`Desk::admit`], [`Desk::due`]), then kept by whoever owns the desk, then made so
//! ([`Desk::insert`], [`Desk::told`]): nothing is in memory that a restart would not find again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grid_model::Timestamp;

use crate::alert::{Alert, AlertError, Fingerprint, Held, LabelSet};
use crate::inhibit::Inhibitor;
use crate::limits::{ALERTS_PER_TENANT_MAX, GROUPS_PER_TENANT_MAX, RESOLVED_KEPT_NS};
use crate::log::{GroupId, LogEntry, LogKey};
use crate::message::Message;
use crate::receiver::Channel;
use crate::route::{Plan, Route};
use crate::silence::{Silence, SilenceState};

/// What is known of one tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desk {
    /// Alerts that fire, and those that are over and not forgotten.
    pub alerts: BTreeMap<Fingerprint, Held>,
    /// By id.
    pub silences: BTreeMap<String, Silence>,
    /// What was told.
    pub log: BTreeMap<LogKey, LogEntry>,
    groups: BTreeMap<GroupId, Group>,
}

/// Alerts that are told together.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    members: BTreeSet<Fingerprint>,
    next: Timestamp,
    /// Whether it was ever due.
    begun: bool,
}

/// What is to be done with alerts that came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admitted {
    /// What is known of each alert now; the last one counts if an alert came twice.
    pub held: Vec<Held>,
    /// Which were refused, by their place, and why.
    pub refused: Vec<(usize, AlertError)>,
}

/// What is to be told and remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// To be told, in this order.
    pub messages: Vec<Outgoing>,
    /// To be remembered.
    pub log: Vec<(LogKey, LogEntry)>,
    /// Alerts that are over and of which everybody was told.
    pub settled: Vec<Fingerprint>,
    /// Alerts to be forgotten.
    pub forget: Vec<Fingerprint>,
    /// Entries of the log to be forgotten.
    pub forget_log: Vec<LogKey>,
    /// Silences to be forgotten.
    pub forget_silences: Vec<String>,
    rounds: Vec<Round>,
}

/// A message and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// [`crate::receiver::Integration::target`]
    pub target: String,
    /// Messages of one group arrive in order.
    pub group: String,
    /// What to say.
    pub message: Message,
}

/// A group that was due.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Round {
    group: GroupId,
    done: Vec<Fingerprint>,
    next: Timestamp,
}

/// Why an alert is not told of at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Muted {
    /// Silences that hold for it.
    pub silenced_by: Vec<String>,
    /// Whether another alert inhibits it.
    pub inhibited: bool,
}

impl Due {
    /// Whether there is nothing to keep or to tell.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
            && self.log.is_empty()
            && self.settled.is_empty()
            && self.forget.is_empty()
            && self.forget_log.is_empty()
            && self.forget_silences.is_empty()
    }
}

impl Desk {
    /// What is known once these alerts have come. Changes nothing.
    pub fn admit(&self, plan: &Plan, alerts: Vec<Alert>, now: Timestamp) -> Admitted {
        let mut admitted = Admitted::default();
        let mut news: BTreeMap<Fingerprint, Held> = BTreeMap::new();
        let mut room = ALERTS_PER_TENANT_MAX.saturating_sub(self.alerts.len());
        for (at, alert) in alerts.into_iter().enumerate() {
            let held = match Held::of(alert, plan.resolve_timeout_ns, now) {
                Ok(held) => held,
                Err(e) => {
                    admitted.refused.push((at, e));
                    continue;
                }
            };
            let id = held.fingerprint();
            let known = news.get(&id).or_else(|| self.alerts.get(&id));
            let held = match known {
                Some(old) => old.merge(held, now),
                None if room == 0 => {
                    admitted.refused.push((at, AlertError::Full));
                    continue;
                }
                None => {
                    room -= 1;
                    held
                }
            };
            news.insert(id, held);
        }
        admitted.held = news.into_values().collect();
        admitted
    }

    /// Takes in what was admitted.
    pub fn insert(&mut self, plan: &Plan, held: Vec<Held>, now: Timestamp) {
        for alert in held {
            let id = alert.fingerprint();
            self.join(plan, id, &alert, now);
            self.alerts.insert(id, alert);
        }
    }

    /// Puts an alert into its groups.
    fn join(&mut self, plan: &Plan, id: Fingerprint, alert: &Held, now: Timestamp) {
        if alert.settled {
            return;
        }
        for route in plan.routes_of(&alert.labels) {
            let mut group = GroupId { route: Arc::clone(&route.id), labels: route.group_labels(&alert.labels) };
            if !self.groups.contains_key(&group) && self.groups.len() >= GROUPS_PER_TENANT_MAX {
                group.labels = LabelSet::new();
            }
            let wait = route.pace.wait_ns;
            let group = self.groups.entry(group).or_insert_with(|| Group {
                members: BTreeSet::new(),
                next: now.saturating_add(wait),
                begun: false,
            });
            // Whoever has burned for longer than a group waits need not wait again, after a restart say.
            if !group.begun && alert.starts_at.saturating_add(wait) < now {
                group.next = group.next.min(now);
            }
            group.members.insert(id);
        }
    }

    /// Forms the groups anew: after the start, and when routes have changed. Groups that stay keep their pace.
    pub fn regroup(&mut self, plan: &Plan, now: Timestamp) {
        let before = std::mem::take(&mut self.groups);
        let alerts = std::mem::take(&mut self.alerts);
        for (id, alert) in &alerts {
            self.join(plan, *id, alert, now);
        }
        self.alerts = alerts;
        for (id, group) in &mut self.groups {
            if let Some(old) = before.get(id) {
                (group.next, group.begun) = (old.next, old.begun);
                // What a group has told of already is no member any more.
                group.members.retain(|m| {
                    old.members.contains(m) || self.alerts.get(m).is_some_and(|alert| !alert.resolved_at(now))
                });
            }
        }
        self.groups.retain(|_, group| !group.members.is_empty());
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.groups.values().map(|g| g.next).min()
    }

    /// Silences that hold. Most are over, and need not be asked for every alert.
    pub fn active_silences(&self, now: Timestamp) -> impl Iterator<Item = &Silence> {
        self.silences.values().filter(move |s| s.state(now) == SilenceState::Active)
    }

    /// Why nobody is told of an alert at the moment, if that is so.
    pub fn muted(&self, plan: &Plan, labels: &LabelSet, now: Timestamp) -> Muted {
        let silenced_by = self.active_silences(now).filter(|s| s.silences(labels, now)).map(|s| s.id.clone()).collect();
        let inhibitor = Inhibitor::new(&plan.inhibit, self.alerts.values(), now);
        Muted { silenced_by, inhibited: inhibitor.mutes(labels) }
    }

    /// What is to be told now. Changes nothing.
    pub fn due(&self, plan: &Plan, external_url: &str, now: Timestamp) -> Due {
        let mut due = Due::default();
        let waiting: Vec<(&GroupId, &Group)> = self.groups.iter().filter(|(_, g)| g.next <= now).collect();
        if waiting.is_empty() {
            return due;
        }
        let routes = plan.by_id();
        let inhibitor = Inhibitor::new(&plan.inhibit, self.alerts.values(), now);
        let silences: Vec<&Silence> = self.active_silences(now).collect();
        let mut leaving: BTreeMap<Fingerprint, usize> = BTreeMap::new();
        for (id, group) in waiting {
            // A route that is gone is regrouped away before anybody asks.
            let Some(route) = routes.get(&id.route) else { continue };
            let members: Vec<&Held> = group.members.iter().filter_map(|m| self.alerts.get(m)).collect();
            let audible: Vec<&Held> = if plan.mute(route, now) {
                Vec::new()
            } else {
                let heard = members
                    .iter()
                    .copied()
                    .filter(|a| !inhibitor.mutes(&a.labels) && !silences.iter().any(|s| s.silences(&a.labels, now)));
                heard.collect()
            };
            if !audible.is_empty() {
                self.tell(plan, route, id, audible, external_url, now, &mut due);
            }
            let done: Vec<Fingerprint> =
                members.iter().filter(|a| a.resolved_at(now)).map(|a| a.fingerprint()).collect();
            done.iter().for_each(|id| *leaving.entry(*id).or_default() += 1);
            due.rounds.push(Round { group: id.clone(), done, next: now.saturating_add(route.pace.interval_ns) });
        }
        if !leaving.is_empty() {
            // Whoever is still in another group has not been told of everywhere.
            for member in self.groups.values().flat_map(|g| &g.members) {
                if let Some(left) = leaving.get_mut(member) {
                    *left = left.wrapping_sub(1);
                }
            }
            due.settled = leaving.into_iter().filter(|(_, left)| *left == 0).map(|(id, _)| id).collect();
        }
        due
    }

    #[allow(clippy::too_many_arguments, reason = "the loop of `due`, cut in two")]
    fn tell(
        &self,
        plan: &Plan,
        route: &Route,
        id: &GroupId,
        mut alerts: Vec<&Held>,
        external_url: &str,
        now: Timestamp,
        due: &mut Due,
    ) {
        alerts.sort_by(|a, b| a.message_order(b));
        let Some(receiver) = plan.receivers.get(&route.receiver) else { return };
        let of = |resolved: bool| {
            let some = alerts.iter().filter(move |a| a.resolved_at(now) == resolved);
            some.map(|a| a.fingerprint()).collect::<BTreeSet<_>>()
        };
        let entry = LogEntry { firing: of(false), resolved: of(true), at: now };
        for way in &receiver.integrations {
            let key = LogKey { group: id.clone(), target: way.target.clone() };
            let last = self.log.get(&key);
            let Some(reason) = LogEntry::reason(last, &entry, way.send_resolved, route.pace.repeat_ns) else {
                continue;
            };
            let told: Vec<&Held> =
                alerts.iter().copied().filter(|a| way.send_resolved || !a.resolved_at(now)).collect();
            if !told.is_empty() {
                let max = if let Channel::Webhook(w) = &way.channel { w.max_alerts } else { 0 };
                let message = Message::new(&receiver.name, &route.key, &id.labels, &told, external_url, max, now);
                let message = Message { reason, ..message };
                due.messages.push(Outgoing { target: way.target.clone(), group: message.group_key.clone(), message });
            }
            due.log.push((key, entry.clone()));
        }
    }

    /// Makes it so.
    pub fn told(&mut self, due: Due) {
        self.log.extend(due.log);
        for Round { group, done, next } in due.rounds {
            let Some(state) = self.groups.get_mut(&group) else { continue };
            (state.next, state.begun) = (next, true);
            done.iter().for_each(|id| {
                state.members.remove(id);
            });
            if state.members.is_empty() {
                self.groups.remove(&group);
            }
        }
        for id in due.settled {
            if let Some(alert) = self.alerts.get_mut(&id) {
                alert.settled = true;
            }
        }
        due.forget.iter().for_each(|id| {
            self.alerts.remove(id);
        });
        due.forget_log.iter().for_each(|key| {
            self.log.remove(key);
        });
        due.forget_silences.iter().for_each(|id| {
            self.silences.remove(id);
        });
    }

    /// What may be forgotten: alerts that are over and told, entries of the log and silences that are long past. Changes nothing.
    pub fn stale(&self, plan: &Plan, now: Timestamp) -> Due {
        let members: BTreeSet<Fingerprint> = self.groups.values().flat_map(|g| g.members.iter().copied()).collect();
        let over = |a: &Held| a.ends_at.saturating_add(RESOLVED_KEPT_NS) < now;
        let routes = plan.by_id();
        let repeat = |key: &LogKey| routes.get(&key.group.route).map_or(0, |r| r.pace.repeat_ns);
        let old = |key: &LogKey, entry: &LogEntry| {
            // While its group is there, it holds back repetitions.
            entry.forgotten(now, repeat(key)) && !self.groups.contains_key(&key.group)
        };
        Due {
            forget: self.alerts.iter().filter(|(id, a)| over(a) && !members.contains(id)).map(|(id, _)| *id).collect(),
            forget_log: self.log.iter().filter(|(k, e)| old(k, e)).map(|(k, _)| k.clone()).collect(),
            forget_silences: self.silences.values().filter(|s| s.forgotten(now)).map(|s| s.id.clone()).collect(),
            ..Due::default()
        }
    }

    /// Groups that exist, with the time at which each is due next and the number of its alerts.
    pub fn groups(&self) -> impl Iterator<Item = (&GroupId, Timestamp, usize)> {
        self.groups.iter().map(|(id, g)| (id, g.next, g.members.len()))
    }
}

#[cfg(test)]
mod tests;
