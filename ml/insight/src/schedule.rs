//! When a job runs: at multiples of its interval since the epoch, so that restarts and several machines agree.

use grid_model::time::SECOND_NS;
use grid_model::{TimeRange, Timestamp};

/// Shortest interval of a job in nanoseconds.
pub const INTERVAL_NS_MIN: i64 = SECOND_NS;

/// Runs at every multiple of an interval since the epoch, a fixed delay later: data arrive late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    interval_ns: i64,
    delay_ns: i64,
}

/// An interval or delay that makes no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadInterval {
    /// The refused interval in nanoseconds.
    pub interval_ns: i64,
    /// The refused delay in nanoseconds.
    pub delay_ns: i64,
}

impl std::fmt::Display for BadInterval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { interval_ns, delay_ns } = self;
        write!(
            f,
            "an interval of {interval_ns} ns with a delay of {delay_ns} ns is no schedule: the interval is at least 1 s, the delay not negative"
        )
    }
}

impl std::error::Error for BadInterval {}

/// A run that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// What to look at: from the end of the last run's window (or one interval back) to the latest whole interval.
    pub window: TimeRange,
    /// How many further runs were missed; their time is part of the window.
    pub missed: i64,
}

impl Schedule {
    /// A schedule; the interval is at least [`INTERVAL_NS_MIN`], the delay not negative.
    pub fn new(interval_ns: i64, delay_ns: i64) -> Result<Self, BadInterval> {
        if interval_ns < INTERVAL_NS_MIN || delay_ns < 0 {
            return Err(BadInterval { interval_ns, delay_ns });
        }
        Ok(Self { interval_ns, delay_ns })
    }

    /// The run that is due now, if any, given where the last run's window ended. A clock that went back makes nothing due.
    pub fn due(&self, last_end: Option<Timestamp>, now: Timestamp) -> Option<Due> {
        let ready = now.saturating_add(-self.delay_ns).0;
        let end = ready.checked_sub(ready.rem_euclid(self.interval_ns))?;
        let start = last_end.map_or(end.saturating_sub(self.interval_ns), |t| t.0);
        if start >= end {
            return None;
        }
        let span = i128::from(end) - i128::from(start);
        let missed = (span - 1) / i128::from(self.interval_ns);
        let window = TimeRange { start: Timestamp(start), end: Timestamp(end) };
        Some(Due { window, missed: i64::try_from(missed).unwrap_or(i64::MAX) })
    }

    /// The first instant after `now` at which a run can become due; at most the end of time.
    pub fn next(&self, now: Timestamp) -> Timestamp {
        let ready = now.saturating_add(-self.delay_ns).0;
        let floor = ready.saturating_sub(ready.rem_euclid(self.interval_ns));
        Timestamp(floor.saturating_add(self.interval_ns).saturating_add(self.delay_ns))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * SECOND_NS)
    }

    fn window(start: i64, end: i64, missed: i64) -> Option<Due> {
        Some(Due { window: TimeRange { start: at(start), end: at(end) }, missed })
    }

    #[test]
    fn windows_join_without_gap_or_overlap() {
        let minute = Schedule::new(60 * SECOND_NS, 5 * SECOND_NS).unwrap();
        let cases = [
            // (end of the last window, now, due)
            (None, 130, window(60, 120, 0)),
            (None, 124, window(0, 60, 0)),
            (Some(60), 124, None),
            (Some(60), 125, window(60, 120, 0)),
            (Some(60), 400, window(60, 360, 4)),
            (Some(90), 130, window(90, 120, 0)),
            (Some(500), 130, None),
            (None, -1, window(-120, -60, 0)),
        ];
        for (last, now, due) in cases {
            assert_eq!(minute.due(last.map(at), at(now)), due, "{last:?} {now}");
        }
    }

    #[test]
    fn the_next_run_is_when_one_becomes_due() {
        let minute = Schedule::new(60 * SECOND_NS, 5 * SECOND_NS).unwrap();
        for now in [-70, -1, 0, 4, 5, 64, 65, 66] {
            let next = minute.next(at(now));
            assert!(next > at(now));
            let end = minute.due(None, at(now)).unwrap().window.end;
            assert!(minute.due(Some(end), next).is_some());
            assert_eq!(minute.due(Some(end), next.saturating_add(-1)), None);
        }
    }

    #[test]
    fn extremes_do_not_panic() {
        let hour = Schedule::new(3600 * SECOND_NS, i64::MAX).unwrap();
        for now in [Timestamp::MIN, Timestamp(0), Timestamp::MAX] {
            for last in [None, Some(Timestamp::MIN), Some(Timestamp::MAX)] {
                let _ = hour.due(last, now);
            }
            assert!(hour.next(now) >= now || now == Timestamp::MAX);
        }
        assert!(Schedule::new(0, 0).is_err());
        assert!(Schedule::new(SECOND_NS, -1).is_err());
    }
}
