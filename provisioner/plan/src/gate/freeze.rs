//! Times in which nothing is released, on the clock of the people concerned.

use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;
use grid_model::Timestamp;

use super::Verdict;
use crate::queue::Priority;

/// A window of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Once, from the first instant to the last, exclusively.
    Once {
        /// First instant.
        from: Timestamp,
        /// First instant after it.
        until: Timestamp,
    },
    /// On days of the week, from a time of day until one, exclusively; an end that is not after its beginning is on the next day.
    Weekly {
        /// The days on which it begins.
        days: Vec<Weekday>,
        /// When it begins.
        from: NaiveTime,
        /// When it ends.
        until: NaiveTime,
        /// Whose clock, by its name in the IANA database (`Europe/Berlin`).
        zone: String,
    },
}

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// What for.
    pub why: String,
    /// When.
    pub window: Window,
    /// Whether emergencies are held too.
    pub holds_emergencies: bool,
}

/// Whether a release may start now.
pub fn freeze(freezes: &[Freeze], priority: Priority, now: Timestamp) -> Verdict {
    for freeze in freezes {
        if priority == Priority::Emergency && !freeze.holds_emergencies {
            continue;
        }
        match is_inside(&freeze.window, now) {
            Ok(false) => {}
            Ok(true) => return Verdict::Hold(format!("frozen: {}", freeze.why)),
            Err(why) => return Verdict::Hold(format!("the freeze {:?} cannot be evaluated: {why}", freeze.why)),
        }
    }
    Verdict::Pass(format!("none of {} freezes holds now", freezes.len()))
}

/// Whether an instant lies in a window.
pub fn is_inside(window: &Window, now: Timestamp) -> Result<bool, String> {
    match window {
        Window::Once { from, until } if from > until => Err("it ends before it begins".to_owned()),
        Window::Once { from, until } => Ok(*from <= now && now < *until),
        Window::Weekly { days, from, until, zone } => {
            let zone: Tz = zone.parse().map_err(|_| format!("{zone:?} is no time zone"))?;
            let local = DateTime::from_timestamp_nanos(now.0).with_timezone(&zone).naive_local();
            let is_over_midnight = until <= from;
            let yesterday = local.date() - TimeDelta::days(1);
            let today =
                days.contains(&local.weekday()) && local.time() >= *from && (is_over_midnight || local.time() < *until);
            let still = is_over_midnight && days.contains(&yesterday.weekday()) && local.time() < *until;
            Ok(today || still)
        }
    }
}
