//! The notification log: what each receiver was last told of a group, so that nobody is told twice, not even after a restart.

use std::collections::BTreeSet;
use std::sync::Arc;

use grid_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::{Fingerprint, LabelSet};
use crate::limits::RETENTION_NS;

/// Alerts of one route that belong together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId {
    /// [`crate::route::Route::id`]
    pub route: Arc<str>,
    /// Labels that all have.
    pub labels: LabelSet,
}

/// One group as one integration knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// The group.
    pub group: GroupId,
    /// [`crate::receiver::Integration::target`]
    pub target: String,
}

/// What was told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogEntry {
    /// Alerts that fired.
    pub firing: BTreeSet<Fingerprint>,
    /// Alerts that were over.
    pub resolved: BTreeSet<Fingerprint>,
    /// When.
    pub at: Timestamp,
}

/// Why a receiver is told, in Alertmanager's words (since its 0.33).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Reason {
    /// Nobody knows of the group yet, or it was over.
    #[serde(rename = "first notification")]
    First,
    /// More alerts fire.
    #[serde(rename = "new alerts added")]
    Added,
    /// Some are over, others fire.
    #[serde(rename = "some alerts resolved")]
    SomeResolved,
    /// All are over.
    #[serde(rename = "all alerts resolved")]
    AllResolved,
    /// Nothing changed for long.
    #[serde(rename = "repeat interval elapsed")]
    Repeat,
    /// A test, or a message of before reasons were kept.
    #[default]
    #[serde(rename = "unknown")]
    Unknown,
}

impl LogEntry {
    /// Why there is something to tell after this (`DedupStage.needsUpdate`); `None` if there is nothing.
    pub fn reason(last: Option<&Self>, now: &Self, send_resolved: bool, repeat_ns: i64) -> Option<Reason> {
        let Some(last) = last else { return (!now.firing.is_empty()).then_some(Reason::First) };
        if !now.firing.is_subset(&last.firing) {
            // After an end it begins anew.
            return Some(if last.firing.is_empty() { Reason::First } else { Reason::Added });
        }
        if now.firing.is_empty() {
            // If all that is new is over already, nobody ever knew of it.
            return (!last.firing.is_empty()).then_some(Reason::AllResolved);
        }
        if send_resolved && !now.resolved.is_subset(&last.resolved) {
            return Some(Reason::SomeResolved);
        }
        (last.at.saturating_add(repeat_ns) < now.at).then_some(Reason::Repeat)
    }

    /// Whether it may be forgotten: nothing of it fires, or its route is long gone.
    pub fn forgotten(&self, now: Timestamp, repeat_ns: i64) -> bool {
        self.at.saturating_add(RETENTION_NS.max(repeat_ns.saturating_mul(2))) < now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_telling() {
        let entry = |firing: &[u64], resolved: &[u64], at| LogEntry {
            firing: firing.iter().map(|f| Fingerprint(*f)).collect(),
            resolved: resolved.iter().map(|f| Fingerprint(*f)).collect(),
            at: Timestamp(at),
        };
        for (last, now, send_resolved, expected) in [
            (None, entry(&[], &[1], 0), true, None),
            (None, entry(&[1], &[], 0), true, Some(Reason::First)),
            (Some(entry(&[1], &[], 0)), entry(&[1], &[], 10), true, None),
            (Some(entry(&[1], &[], 0)), entry(&[1], &[], 100), true, None),
            (Some(entry(&[1], &[], 0)), entry(&[1], &[], 101), true, Some(Reason::Repeat)),
            (Some(entry(&[1], &[], 0)), entry(&[1, 2], &[], 10), true, Some(Reason::Added)),
            (Some(entry(&[1, 2], &[], 0)), entry(&[1], &[2], 10), true, Some(Reason::SomeResolved)),
            (Some(entry(&[1, 2], &[], 0)), entry(&[1], &[2], 10), false, None),
            (Some(entry(&[1, 2], &[], 0)), entry(&[1], &[], 10), true, None),
            (Some(entry(&[1], &[], 0)), entry(&[], &[1], 10), false, Some(Reason::AllResolved)),
            (Some(entry(&[], &[1], 0)), entry(&[], &[1], 101), true, None),
            (Some(entry(&[], &[1], 0)), entry(&[], &[1, 2], 10), true, None),
            (Some(entry(&[], &[1], 0)), entry(&[1], &[], 10), true, Some(Reason::First)),
        ] {
            let found = LogEntry::reason(last.as_ref(), &now, send_resolved, 100);
            assert_eq!(found, expected, "{last:?} {now:?} {send_resolved}");
        }
    }
}
