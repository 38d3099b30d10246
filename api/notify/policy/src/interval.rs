//! Time intervals: when a route is mute or active, as `time_intervals` of Alertmanager's configuration says it.

use chrono::{Datelike as _, TimeZone as _, Timelike as _};
use chrono_tz::Tz;
use grid_model::Timestamp;
use serde::Deserialize;

/// A named set of intervals; a time lies in it if it lies in any of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intervals(pub Vec<Interval>);

/// One interval: every field that is there must hold; of a field's ranges, one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interval {
    /// Minutes of the day, from the first (inclusive) to the second (exclusive).
    pub times: Vec<(u32, u32)>,
    /// 0 = Sunday to 6, both inclusive.
    pub weekdays: Vec<(i32, i32)>,
    /// 1 to 31, or -1 (the last) to -31, both inclusive.
    pub days_of_month: Vec<(i32, i32)>,
    /// 1 to 12, both inclusive.
    pub months: Vec<(i32, i32)>,
    /// Both inclusive.
    pub years: Vec<(i32, i32)>,
    /// Where the clock hangs; UTC if absent.
    pub location: Option<Tz>,
}

impl Intervals {
    /// Whether a time lies in any of them.
    pub fn contain(&self, at: Timestamp) -> bool {
        self.0.iter().any(|interval| interval.contains(at))
    }
}

impl Interval {
    fn contains(&self, at: Timestamp) -> bool {
        let zone = self.location.unwrap_or(Tz::UTC);
        let local = zone.timestamp_nanos(at.0);
        let any = |ranges: &[(i32, i32)], value: i32| {
            ranges.is_empty() || ranges.iter().any(|(from, to)| (*from..=*to).contains(&value))
        };
        let minute = local.hour() * 60 + local.minute();
        let days = days_of_month(local.year(), local.month());
        let day = i32::try_from(local.day()).unwrap_or(1);
        let in_days = self.days_of_month.is_empty()
            || self.days_of_month.iter().any(|(from, to)| {
                // Negative days count from the end; what lies outside of this month is cut to it.
                let real = |d: i32| if d < 0 { days + d + 1 } else { d };
                let (from, to) = (real(*from), real(*to));
                from <= days && to >= 1 && (from.max(1)..=to.min(days)).contains(&day)
            });
        (self.times.is_empty() || self.times.iter().any(|(from, to)| (*from..*to).contains(&minute)))
            && in_days
            && any(&self.weekdays, i32::try_from(local.weekday().num_days_from_sunday()).unwrap_or(0))
            && any(&self.months, i32::try_from(local.month()).unwrap_or(0))
            && any(&self.years, local.year())
    }
}

fn days_of_month(year: i32, month: u32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// An interval as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntervalText {
    #[serde(default)]
    times: Option<Vec<TimesText>>,
    #[serde(default)]
    weekdays: Option<Vec<String>>,
    #[serde(default)]
    days_of_month: Option<Vec<Word>>,
    #[serde(default)]
    months: Option<Vec<Word>>,
    #[serde(default)]
    years: Option<Vec<Word>>,
    #[serde(default)]
    location: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimesText {
    start_time: String,
    end_time: String,
}

/// A range, which YAML takes for a number if it is a single one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Number(i32),
    Text(String),
}

impl Word {
    fn text(&self) -> String {
        match self {
            Self::Number(n) => n.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl IntervalText {
    pub(crate) fn check(self) -> Result<Interval, String> {
        let times = self.times.unwrap_or_default().into_iter().map(|t| {
            let (from, to) = (minute(&t.start_time)?, minute(&t.end_time)?);
            if from >= to { Err(format!("{} is not before {}", t.start_time, t.end_time)) } else { Ok((from, to)) }
        });
        let names = |names: &'static [&'static str], base: i32| {
            move |word: &str| {
                let at = names.iter().position(|n| n.eq_ignore_ascii_case(word));
                at.and_then(|at| i32::try_from(at).ok()).map(|at| at + base)
            }
        };
        let month_name = names(&MONTHS, 1);
        let month = |word: &str| month_name(word).or_else(|| word.parse().ok()).filter(|m| (1..=12).contains(m));
        let day = |word: &str| word.parse().ok().filter(|d: &i32| *d != 0 && (-31..=31).contains(d));
        let year = |word: &str| word.parse().ok().filter(|y| (1..=9999).contains(y));
        let days = ranges("day of the month", self.days_of_month.iter().flatten().map(Word::text), day)?;
        for (from, to) in &days {
            // Within every month: -3:5 says nothing, 28:-1 the end.
            if (from.signum() == to.signum() && from > to) || (*from < 0 && *to > 0) {
                return Err(format!("days_of_month: {from}:{to} ends before it starts"));
            }
        }
        let location = self.location.filter(|l| !l.is_empty()).map(|name| {
            if name == "Local" {
                return Ok(Tz::UTC);
            }
            name.parse::<Tz>().map_err(|_| format!("location {name:?} is not in the time zone database"))
        });
        Ok(Interval {
            times: times.collect::<Result<_, String>>()?,
            weekdays: in_order(
                "weekday",
                ranges("weekday", self.weekdays.into_iter().flatten(), names(&WEEKDAYS, 0))?,
            )?,
            days_of_month: days,
            months: in_order("month", ranges("month", self.months.iter().flatten().map(Word::text), month)?)?,
            years: in_order("year", ranges("year", self.years.iter().flatten().map(Word::text), year)?)?,
            location: location.transpose()?,
        })
    }
}

fn ranges(
    what: &str,
    words: impl Iterator<Item = String>,
    one: impl Fn(&str) -> Option<i32>,
) -> Result<Vec<(i32, i32)>, String> {
    let read = |text: &str| one(text.trim()).ok_or_else(|| format!("{text:?} is not a {what}"));
    let range = |text: String| match text.split_once(':') {
        Some((from, to)) => Ok((read(from)?, read(to)?)),
        None => read(&text).map(|one| (one, one)),
    };
    words.map(range).collect()
}

fn in_order(what: &str, ranges: Vec<(i32, i32)>) -> Result<Vec<(i32, i32)>, String> {
    match ranges.iter().find(|(from, to)| from > to) {
        Some((from, to)) => Err(format!("{what}: {from}:{to} ends before it starts")),
        None => Ok(ranges),
    }
}

/// `HH:MM`, up to 24:00, in minutes.
fn minute(text: &str) -> Result<u32, String> {
    let bad = || format!("{text:?} is not a time of day (write 08:30)");
    let (hour, minute) = text.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2).ok_or_else(bad)?;
    let number = |digits: &str| digits.parse::<u32>().map_err(|_| bad());
    let (hour, minute) = (number(hour)?, number(minute)?);
    if minute > 59 || hour * 60 + minute > 1440 { Err(bad()) } else { Ok(hour * 60 + minute) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<Intervals, String> {
        let texts: Vec<IntervalText> = serde_saphyr::from_str(yaml).map_err(|e| e.to_string())?;
        texts.into_iter().map(IntervalText::check).collect::<Result<_, _>>().map(Intervals)
    }

    #[test]
    fn a_time_lies_in_an_interval_or_not() {
        let time =
            |text: &str| Timestamp(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_nanos_opt().unwrap());
        for (yaml, inside, outside) in [
            ("[{}]", "2026-11-29T12:00:00Z", ""),
            ("[{times: [{start_time: '09:00', end_time: '17:00'}]}]", "2026-11-29T09:00:00Z", "2026-11-29T17:00:00Z"),
            ("[{times: [{start_time: '23:00', end_time: '24:00'}]}]", "2026-11-29T23:59:59Z", "2026-11-29T00:00:00Z"),
            ("[{weekdays: ['monday:friday']}]", "2026-11-27T12:00:00Z", "2026-11-29T12:00:00Z"),
            ("[{weekdays: [Saturday, sunday]}]", "2026-11-29T12:00:00Z", "2026-11-27T12:00:00Z"),
            ("[{days_of_month: [1, '-2:-1']}]", "2026-02-27T12:00:00Z", "2026-02-26T12:00:00Z"),
            ("[{days_of_month: ['1:5']}]", "2026-02-01T00:00:00Z", "2026-02-06T00:00:00Z"),
            ("[{days_of_month: ['31']}]", "2026-01-31T12:00:00Z", "2026-04-30T12:00:00Z"),
            ("[{months: ['january:march', 11]}]", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("[{years: ['2025:2026']}]", "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"),
            ("[{location: Australia/Sydney, weekdays: [monday]}]", "2026-11-29T14:00:00Z", "2026-11-30T14:00:00Z"),
            // Daylight saving: 09:00 in Berlin is 07:00 UTC in summer and 08:00 UTC in winter.
            (
                "[{location: Europe/Berlin, times: [{start_time: '09:00', end_time: '09:01'}]}]",
                "2026-07-01T07:00:00Z",
                "2026-12-01T07:00:00Z",
            ),
            ("[{years: [2020]}, {months: [6]}]", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"),
        ] {
            let intervals = read(yaml).unwrap();
            assert!(intervals.contain(time(inside)), "{yaml} {inside}");
            assert!(outside.is_empty() || !intervals.contain(time(outside)), "{yaml} {outside}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (yaml, message) in [
            ("[{times: [{start_time: '17:00', end_time: '09:00'}]}]", "17:00 is not before 09:00"),
            ("[{times: [{start_time: '9:00', end_time: '10:00'}]}]", "\"9:00\" is not a time of day (write 08:30)"),
            ("[{times: [{start_time: '09:00', end_time: '24:01'}]}]", "\"24:01\" is not a time of day (write 08:30)"),
            ("[{weekdays: [someday]}]", "\"someday\" is not a weekday"),
            ("[{weekdays: ['friday:monday']}]", "weekday: 5:1 ends before it starts"),
            ("[{days_of_month: [0]}]", "\"0\" is not a day of the month"),
            ("[{days_of_month: ['5:1']}]", "days_of_month: 5:1 ends before it starts"),
            ("[{months: [13]}]", "\"13\" is not a month"),
            ("[{location: Mars/Olympus}]", "location \"Mars/Olympus\" is not in the time zone database"),
        ] {
            assert_eq!(read(yaml).unwrap_err(), message, "{yaml}");
        }
        assert!(read("[{hours: []}]").is_err());
    }
}
