//! When groups are due: each at multiples of its interval, moved by a hash of its name, so that not all are due at once and every restart
//! gives the same times (Prometheus, `Group.EvalTimestamp`).

use grid_model::Timestamp;

/// The slots of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    interval_ns: i64,
    offset_ns: i64,
}

/// The slot that is due now, and how many before it were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The time of the evaluation.
    pub at: Timestamp,
    /// Slots since the last evaluation that nobody took.
    pub missed: u64,
}

impl Slots {
    /// The slots of an interval (at least 1 ns), moved by `hash`.
    pub fn new(interval_ns: i64, hash: u64) -> Self {
        let interval_ns = interval_ns.max(1);
        // The remainder is below the interval, hence fits.
        let offset_ns = i64::try_from(hash % interval_ns.unsigned_abs()).unwrap_or(0);
        Self { interval_ns, offset_ns }
    }

    /// The last slot that is not after `now`.
    fn floor(self, now: Timestamp) -> Timestamp {
        let since = now.0.saturating_sub(self.offset_ns);
        Timestamp(since.saturating_sub(since.rem_euclid(self.interval_ns)).saturating_add(self.offset_ns))
    }

    /// The first slot after `now`.
    pub fn next(self, now: Timestamp) -> Timestamp {
        self.floor(now).saturating_add(self.interval_ns)
    }

    /// The slot to evaluate now, given the last one evaluated; `None` if that is the newest. A clock that went back makes nothing due.
    pub fn due(self, last: Option<Timestamp>, now: Timestamp) -> Option<Due> {
        let at = self.floor(now);
        let Some(last) = last else { return Some(Due { at, missed: 0 }) };
        if at <= last {
            return None;
        }
        let slots = (i128::from(at.0) - i128::from(last.0) - 1) / i128::from(self.interval_ns);
        Some(Due { at, missed: u64::try_from(slots).unwrap_or(u64::MAX) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn slots_are_an_interval_apart_and_none_is_lost(interval in 1_i64..1_000_000, hash: u64, start in -1_000_000_000_i64..1_000_000_000, waits in proptest::collection::vec(0_i64..5_000_000, 1..20)) {
            let slots = Slots::new(interval, hash);
            let (mut now, mut last) = (start, None);
            let (mut taken, mut missed) = (0, 0);
            let first = slots.due(None, Timestamp(start)).unwrap().at;
            for wait in waits {
                if let Some(due) = slots.due(last, Timestamp(now)) {
                    prop_assert!(due.at <= Timestamp(now) && now - due.at.0 < interval);
                    last = Some(due.at);
                    taken += 1;
                    missed += due.missed;
                }
                prop_assert!(slots.due(last, Timestamp(now)).is_none());
                let next = slots.next(Timestamp(now));
                prop_assert!(next.0 > now && next.0 - now <= interval);
                now += wait;
            }
            let all = (last.unwrap().0 - first.0) / interval + 1;
            prop_assert_eq!(taken + missed, u64::try_from(all).unwrap());
        }
    }
}
