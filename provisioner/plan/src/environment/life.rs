//! What becomes of an environment by itself: it sleeps when nobody uses it, wakes, and ends.

use grid_model::Timestamp;

use super::{Environment, Sleep};
use crate::scale::cron::Cron;

/// When an environment sleeps.
#[derive(Debug, Clone, PartialEq)]
pub enum Rest {
    /// From times of one schedule to times of another.
    Schedule {
        /// When it falls asleep.
        sleeps: Cron,
        /// When it wakes.
        wakes: Cron,
    },
    /// When it has not been used for so long, in nanoseconds. It wakes when it is used, or when somebody asks.
    Idle {
        /// How long.
        after_ns: i64,
    },
}

/// What is to be done about an environment now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Send it to sleep; why.
    Sleep(String),
    /// Wake it; why.
    Wake(String),
    /// Destroy it: its time has come.
    Destroy(Timestamp),
    /// It is protected, and its time has come: a person has to decide.
    AskWhetherToDestroy(Timestamp),
}

/// What is due. `used` is when somebody was last seen to use it; `None` if that is not known, and then nothing falls asleep for idleness.
pub fn due(environment: &Environment, rest: Option<&Rest>, used: Option<Timestamp>, now: Timestamp) -> Option<Due> {
    if let Some(at) = environment.expires.filter(|at| *at <= now) {
        return Some(if environment.is_protected { Due::AskWhetherToDestroy(at) } else { Due::Destroy(at) });
    }
    match (rest?, &environment.sleep) {
        (Rest::Schedule { sleeps, wakes }, asleep) => {
            let (slept, woke) = (sleeps.previous(now), wakes.previous(now));
            match (slept > woke, asleep) {
                (true, None) => Some(Due::Sleep(format!("schedule {sleeps}"))),
                // Who was sent to sleep by hand after the last waking stays asleep until the next.
                (false, Some(sleep)) if woke.is_some_and(|w| sleep.since < w) => {
                    Some(Due::Wake(format!("schedule {wakes}")))
                }
                _ => None,
            }
        }
        (Rest::Idle { after_ns }, None) => {
            let idle_since = used.filter(|used| used.saturating_add(*after_ns) <= now)?;
            Some(Due::Sleep(format!("not used since {idle_since}")))
        }
        (Rest::Idle { .. }, Some(sleep)) => {
            let used = used.filter(|used| *used > sleep.since)?;
            Some(Due::Wake(format!("used at {used}")))
        }
    }
}

/// Sends to sleep or wakes, by somebody; without effect if it is so already.
pub fn set_asleep(environment: &mut Environment, asleep: bool, who: &str, why: &str, now: Timestamp) {
    environment.sleep = match (asleep, environment.sleep.take()) {
        (false, _) => None,
        (true, Some(sleep)) => Some(sleep),
        (true, None) => Some(Sleep { who: who.to_owned(), why: why.to_owned(), since: now }),
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_model::time::HOUR_NS;

    #[test]
    fn environments_rest_and_end() {
        let hour = |h: i64| Timestamp(h * HOUR_NS);
        let nights = Rest::Schedule {
            sleeps: Cron::parse("0 20 * * *", "UTC").unwrap(),
            wakes: Cron::parse("0 7 * * *", "UTC").unwrap(),
        };
        let idle = Rest::Idle { after_ns: 3 * HOUR_NS };
        let check = |rest: &Rest, asleep: Option<i64>, used: Option<i64>, now: i64, expected: &str| {
            let mut environment = Environment::default();
            if let Some(since) = asleep {
                set_asleep(&mut environment, true, "ada", "why", hour(since));
            }
            let due = due(&environment, Some(rest), used.map(hour), hour(now));
            let shown = due.map_or("-".to_owned(), |d| format!("{d:?}"));
            assert!(shown.starts_with(expected), "{shown} is not {expected}");
        };
        check(&nights, None, None, 21, "Sleep");
        check(&nights, None, None, 12, "-");
        check(&nights, Some(20), None, 23, "-");
        check(&nights, Some(20), None, 31, "Wake");
        check(&nights, Some(10), None, 12, "-");
        check(&idle, None, Some(1), 3, "-");
        check(&idle, None, Some(1), 4, "Sleep");
        check(&idle, None, None, 99, "-");
        check(&idle, Some(4), Some(4), 9, "-");
        check(&idle, Some(4), Some(5), 9, "Wake");
        let mut environment = Environment { expires: Some(hour(5)), ..Environment::default() };
        assert_eq!(due(&environment, None, None, hour(4)), None);
        assert_eq!(due(&environment, None, None, hour(5)), Some(Due::Destroy(hour(5))));
        environment.is_protected = true;
        assert_eq!(due(&environment, None, None, hour(5)), Some(Due::AskWhetherToDestroy(hour(5))));
    }
}
