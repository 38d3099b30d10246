//! The notification log: what each receiver was last told of a group, so that nobody is told twice, not even after a restart.

use std::collections::BTreeSet;
use std::sync::Arc;

use grid_model::Timestamp;

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

impl LogEntry {
    /// Whether there is something to tell after this (`DedupStage.needsUpdate`): something fires that did not, all is over, something
    /// more is over for somebody who wants to know, or it was long ago.
    pub fn needs_update(last: Option<&Self>, now: &Self, send_resolved: bool, repeat_ns: i64) -> bool {
        let Some(last) = last else { return !now.firing.is_empty() };
        if !now.firing.is_subset(&last.firing) {
            return true;
        }
        if now.firing.is_empty() {
            // If all that is new is over already, nobody ever knew of it.
            return !last.firing.is_empty();
        }
        (send_resolved && !now.resolved.is_subset(&last.resolved)) || last.at.saturating_add(repeat_ns) < now.at
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
            (None, entry(&[], &[1], 0), true, false),
            (None, entry(&[1], &[], 0), true, true),
            (Some(entry(&[1], &[], 0)), entry(&[1], &[], 10), true, false),
            (Some(entry(&[1], &[], 0)), entry(&[1], &[], 100), true, false),
            (Some(entry(&[1], &[], 0)), entry(&[1], &[], 101), true, true),
            (Some(entry(&[1], &[], 0)), entry(&[1, 2], &[], 10), true, true),
            (Some(entry(&[1, 2], &[], 0)), entry(&[1], &[2], 10), true, true),
            (Some(entry(&[1, 2], &[], 0)), entry(&[1], &[2], 10), false, false),
            (Some(entry(&[1, 2], &[], 0)), entry(&[1], &[], 10), true, false),
            (Some(entry(&[1], &[], 0)), entry(&[], &[1], 10), false, true),
            (Some(entry(&[], &[1], 0)), entry(&[], &[1], 101), true, false),
            (Some(entry(&[], &[1], 0)), entry(&[], &[1, 2], 10), true, false),
            (Some(entry(&[], &[1], 0)), entry(&[1], &[], 10), true, true),
        ] {
            let found = LogEntry::needs_update(last.as_ref(), &now, send_resolved, 100);
            assert_eq!(found, expected, "{last:?} {now:?} {send_resolved}");
        }
    }
}
