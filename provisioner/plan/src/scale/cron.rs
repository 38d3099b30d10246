//! Schedules as cron writes them (POSIX crontab, with names, steps and `7` for Sunday as in Vixie's), on the clock of a time zone.
//!
//! A local time that does not exist on the day that clocks go forward happens at the first moment after the gap; one that exists twice happens once, the first
//! time.

use std::fmt;

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use grid_model::Timestamp;

use crate::limits::SCHEDULE_DAYS_MAX;

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    zone: Tz,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// If both are named, a day is meant if either says so.
    either: bool,
}

/// A text that is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCron {
    /// Not five fields.
    #[error("{0:?} is no schedule: five fields are minute, hour, day, month, weekday")]
    Fields(String),
    /// A field that cannot be read.
    #[error("{part:?} is no {field} ({min} to {max})")]
    Part {
        /// The part of the field.
        part: String,
        /// The field.
        field: &'static str,
        /// Its least.
        min: u32,
        /// Its largest.
        max: u32,
    },
    /// No such zone.
    #[error("{0:?} is no time zone of the IANA database")]
    Zone(String),
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Cron {
    /// Reads `MINUTE HOUR DAY MONTH WEEKDAY`, on the clock of a zone such as `Europe/Berlin`.
    pub fn parse(text: &str, zone: &str) -> Result<Self, BadCron> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(BadCron::Fields(text.chars().take(100).collect()));
        };
        let weekdays = field(weekday, "weekday", 0, 7, 0, &WEEKDAYS)?;
        Ok(Self {
            zone: zone.parse().map_err(|_| BadCron::Zone(zone.chars().take(100).collect()))?,
            minutes: field(minute, "minute", 0, 59, 0, &[])?,
            hours: field(hour, "hour", 0, 23, 0, &[])?,
            days: field(day, "day", 1, 31, 0, &[])?,
            months: field(month, "month", 1, 12, 1, &MONTHS)?,
            weekdays: weekdays | (weekdays >> 7 & 1),
            either: !day.starts_with('*') && !weekday.starts_with('*'),
            text: fields.join(" "),
        })
    }

    /// The first time after an instant; `None` if there is none within eight years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let start = self.local(after)?.date();
        (-1..SCHEDULE_DAYS_MAX).find_map(|n| {
            let date = start + TimeDelta::days(n);
            self.times(date).find(|t| *t > after)
        })
    }

    /// The last time up to an instant, including it; `None` if there is none within eight years.
    pub fn previous(&self, until: Timestamp) -> Option<Timestamp> {
        let start = self.local(until)?.date();
        (-1..SCHEDULE_DAYS_MAX).find_map(|n| {
            let date = start - TimeDelta::days(n);
            self.times(date).filter(|t| *t <= until).last()
        })
    }

    fn local(&self, at: Timestamp) -> Option<NaiveDateTime> {
        Some(DateTime::from_timestamp_nanos(at.0).with_timezone(&self.zone).naive_local())
    }

    /// All times of a day, in order.
    fn times(&self, date: NaiveDate) -> impl Iterator<Item = Timestamp> {
        let has = |set: u64, n: u32| set >> n & 1 == 1;
        let (day, weekday) = (has(self.days, date.day()), has(self.weekdays, date.weekday().num_days_from_sunday()));
        let is_meant = has(self.months, date.month()) && if self.either { day || weekday } else { day && weekday };
        let (hours, minutes, zone) = (if is_meant { self.hours } else { 0 }, self.minutes, self.zone);
        let clock = (0..24_u32).filter(move |h| has(hours, *h));
        clock.flat_map(move |h| (0..60).filter(move |m| has(minutes, *m)).map(move |m| (h, m))).filter_map(
            move |(h, m)| {
                let local = date.and_time(NaiveTime::from_hms_opt(h, m, 0)?);
                instant(zone, local).and_then(|t| t.timestamp_nanos_opt()).map(Timestamp)
            },
        )
    }
}

/// The instant of a local time.
fn instant(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Tz>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at),
        // A gap is at most a day long; its end is found to the minute.
        LocalResult::None => {
            (1..=24 * 60).find_map(|m| match zone.from_local_datetime(&(local + TimeDelta::minutes(m))) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at),
                LocalResult::None => None,
            })
        }
    }
}

/// A set of numbers, one bit each. Names count from `first`.
fn field(text: &str, name: &'static str, min: u32, max: u32, first: u32, names: &[&str]) -> Result<u64, BadCron> {
    let mut set = 0;
    for part in text.split(',') {
        let bad = || BadCron::Part { part: part.chars().take(50).collect(), field: name, min, max };
        let number = |text: &str| {
            let named = names.iter().position(|n| n.eq_ignore_ascii_case(text)).map(|n| n as u32 + first);
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            named.or_else(|| is_number.then(|| text.parse().ok()).flatten()).filter(|n| (min..=max).contains(n))
        };
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|s| *s > 0).ok_or_else(bad)?),
            None => (part, 1_u32),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (min, max),
            (_, Some((from, to))) => (number(from).ok_or_else(bad)?, number(to).ok_or_else(bad)?),
            // A lone number with a step goes on to the end.
            (one, None) if part.contains('/') => (number(one).ok_or_else(bad)?, max),
            (one, None) => (number(one).ok_or_else(bad)?, number(one).ok_or_else(bad)?),
        };
        if from > to {
            return Err(bad());
        }
        (from..=to).step_by(step as usize).for_each(|n| set |= 1 << n);
    }
    Ok(set)
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in {}", self.text, self.zone)
    }
}
