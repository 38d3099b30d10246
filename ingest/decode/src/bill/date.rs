//! The dates that bills really carry: ISO 8601 as FOCUS demands it, and what spreadsheets and databases make of it.

use grid_model::Timestamp;
use grid_model::time::{DAY_NS, SECOND_NS, civil_from_days, days_from_civil};

/// A date as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadDate {
    /// The instant.
    pub time: Timestamp,
    /// Whether the text was FOCUS' own form, `YYYY-MM-DDTHH:mm:ssZ` (fractions of a second allowed).
    pub conformant: bool,
}

/// Reads a date. Understood are, with `T` or a blank before the time and an optional fraction: ISO 8601 with or without
/// time, seconds and zone (UTC if none is given), its basic form `20231101T000000.000Z`, the US form
/// `M/D/YYYY [h:mm[:ss] [AM|PM]]` and the form with dots, `D.M.YYYY`. `None` if the text is none of these or lies outside
/// of 1677 to 2262.
pub fn parse(text: &str) -> Option<ReadDate> {
    parse_by(text, false)
}

/// As [`parse`], but a date with slashes begins with the day, as most of the world writes it.
pub fn parse_day_first(text: &str) -> Option<ReadDate> {
    parse_by(text, true)
}

/// First instant of the month of a time, and first instant after that month (UTC).
pub fn month_of(time: Timestamp) -> (Timestamp, Timestamp) {
    let (year, month, _) = civil_from_days(time.0.div_euclid(DAY_NS));
    month_from(year, month)
}

/// First instant of a month, and first instant after it (UTC).
pub(crate) fn month_from(year: i64, month: u32) -> (Timestamp, Timestamp) {
    let start = |year, month| Timestamp(days_from_civil(year, month, 1).saturating_mul(DAY_NS));
    (start(year, month), if month == 12 { start(year + 1, 1) } else { start(year, month + 1) })
}

fn parse_by(text: &str, day_first: bool) -> Option<ReadDate> {
    let mut p = Parser { rest: text.trim().as_bytes(), day_first };
    let (days, form) = p.date()?;
    let mut conformant = form == Form::Iso;
    let mut nanos: i128 = i128::from(days) * 86_400 * i128::from(SECOND_NS);
    if p.rest.is_empty() {
        return timestamp(nanos, false);
    }
    match p.rest[0] {
        b'T' => {}
        b' ' => conformant = false,
        _ => return None,
    }
    p.rest = &p.rest[1..];
    let (seconds, fraction_ns, full) = p.time_of_day(form)?;
    conformant &= full;
    nanos += i128::from(seconds) * i128::from(SECOND_NS) + i128::from(fraction_ns);
    let (offset_s, is_z) = p.zone()?;
    conformant &= is_z;
    nanos -= i128::from(offset_s) * i128::from(SECOND_NS);
    if !p.rest.is_empty() {
        return None;
    }
    timestamp(nanos, conformant)
}

fn timestamp(nanos: i128, conformant: bool) -> Option<ReadDate> {
    i64::try_from(nanos).ok().map(|n| ReadDate { time: Timestamp(n), conformant })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Iso,
    Basic,
    Us,
}

struct Parser<'a> {
    rest: &'a [u8],
    day_first: bool,
}

impl Parser<'_> {
    /// Takes `min` to `max` digits.
    fn number(&mut self, min: usize, max: usize) -> Option<u32> {
        let n = self.rest.iter().take(max).take_while(|b| b.is_ascii_digit()).count();
        if n < min {
            return None;
        }
        let value = self.rest[..n].iter().fold(0, |v, b| v * 10 + u32::from(b - b'0'));
        self.rest = &self.rest[n..];
        Some(value)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn date(&mut self) -> Option<(i64, Form)> {
        let digits = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (year, month, day, form) = match digits {
            4 => {
                let year = self.number(4, 4)?;
                let separator = *self.rest.first()?;
                if separator != b'-' && separator != b'/' {
                    return None;
                }
                self.eat(separator);
                let month = self.number(1, 2)?;
                if !self.eat(separator) {
                    return None;
                }
                (year, month, self.number(1, 2)?, if separator == b'-' { Form::Iso } else { Form::Us })
            }
            8 => (self.number(4, 4)?, self.number(2, 2)?, self.number(2, 2)?, Form::Basic),
            1 | 2 => {
                let first = self.number(1, 2)?;
                let separator = *self.rest.first()?;
                if !matches!(separator, b'/' | b'.') {
                    return None;
                }
                self.eat(separator);
                let second = self.number(1, 2)?;
                if !self.eat(separator) {
                    return None;
                }
                let day_first = separator == b'.' || self.day_first;
                let (month, day) = if day_first { (second, first) } else { (first, second) };
                (self.number(4, 4)?, month, day, Form::Us)
            }
            _ => return None,
        };
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_in_month = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u32::from(leap),
            _ => return None,
        };
        if day == 0 || day > days_in_month {
            return None;
        }
        Some((days_from_civil(i64::from(year), month, day), form))
    }

    /// Seconds of the day, nanoseconds of the second, and whether the form was `HH:mm:ss`.
    fn time_of_day(&mut self, form: Form) -> Option<(u32, u32, bool)> {
        let colons = form != Form::Basic;
        let hour = self.number(if form == Form::Us { 1 } else { 2 }, 2)?;
        let (mut minute, mut second, mut full, mut fraction_ns) = (0, 0, false, 0);
        if !colons || self.eat(b':') {
            minute = self.number(2, 2)?;
            if !colons || self.eat(b':') {
                second = self.number(2, 2)?;
                full = true;
                if self.eat(b'.') {
                    let digits = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
                    if digits == 0 {
                        return None;
                    }
                    let scale = 10_u32.pow(9 - digits.min(9) as u32);
                    fraction_ns = self.number(1, 9)? * scale;
                    // Below a nanosecond nothing is kept.
                    self.rest = &self.rest[digits.saturating_sub(9)..];
                }
            }
        }
        let hour = self.twelve_hours(hour)?;
        // A leap second counts as the last second before it.
        let second = if second == 60 { 59 } else { second };
        // 24:00:00 is the end of the day in ISO 8601.
        let end_of_day = hour == 24 && minute == 0 && second == 0 && fraction_ns == 0;
        if (hour > 23 && !end_of_day) || minute > 59 || second > 59 {
            return None;
        }
        Some((hour * 3600 + minute * 60 + second, fraction_ns, full))
    }

    fn twelve_hours(&mut self, hour: u32) -> Option<u32> {
        let blank = usize::from(self.rest.first() == Some(&b' '));
        let Some(word) = self.rest.get(blank..blank + 2) else { return Some(hour) };
        let afternoon = word.eq_ignore_ascii_case(b"PM");
        if !afternoon && !word.eq_ignore_ascii_case(b"AM") {
            return Some(hour);
        }
        if hour == 0 || hour > 12 {
            return None;
        }
        self.rest = &self.rest[blank + 2..];
        Some(hour % 12 + if afternoon { 12 } else { 0 })
    }

    /// The offset from UTC in seconds, and whether it was written as `Z`.
    fn zone(&mut self) -> Option<(i32, bool)> {
        while self.eat(b' ') {}
        let rest = self.rest;
        if rest.is_empty() {
            return Some((0, false));
        }
        if rest.eq_ignore_ascii_case(b"UTC") || rest.eq_ignore_ascii_case(b"GMT") {
            self.rest = &[];
            return Some((0, false));
        }
        if self.eat(b'Z') {
            return Some((0, true));
        }
        let sign = match rest[0] {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.rest = &rest[1..];
        let hours = self.number(2, 2)?;
        self.eat(b':');
        let minutes = if self.rest.is_empty() { 0 } else { self.number(2, 2)? };
        if hours > 18 || minutes > 59 {
            return None;
        }
        Some((sign * (hours * 3600 + minutes * 60) as i32, false))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_that_bills_carry() {
        let cases = [
            ("2024-09-01T00:00:00Z", Some("2024-09-01T00:00:00.000000000Z"), true),
            ("2024-09-01T00:00:00.123Z", Some("2024-09-01T00:00:00.123000000Z"), true),
            ("2024-09-01T00:00:00.1234567891Z", Some("2024-09-01T00:00:00.123456789Z"), true),
            ("2024-09-01T02:00:00+02:00", Some("2024-09-01T00:00:00.000000000Z"), false),
            ("2024-08-31T19:30:00-0430", Some("2024-09-01T00:00:00.000000000Z"), false),
            ("2024-09-01T00:00Z", Some("2024-09-01T00:00:00.000000000Z"), false),
            ("2024-09-01 00:00:00", Some("2024-09-01T00:00:00.000000000Z"), false),
            ("2024-09-01 00:00:00 UTC", Some("2024-09-01T00:00:00.000000000Z"), false),
            (" 2024-09-01 ", Some("2024-09-01T00:00:00.000000000Z"), false),
            ("2024/09/01", Some("2024-09-01T00:00:00.000000000Z"), false),
            ("9/1/2024", Some("2024-09-01T00:00:00.000000000Z"), false),
            ("09/30/2024 1:05 PM", Some("2024-09-30T13:05:00.000000000Z"), false),
            ("30.9.2024", Some("2024-09-30T00:00:00.000000000Z"), false),
            ("1.9.2024 13:05", Some("2024-09-01T13:05:00.000000000Z"), false),
            ("9/1/2024 12:00:00 AM", Some("2024-09-01T00:00:00.000000000Z"), false),
            ("20231101T000000.000Z", Some("2023-11-01T00:00:00.000000000Z"), false),
            ("20231101", Some("2023-11-01T00:00:00.000000000Z"), false),
            ("2024-12-31T24:00:00Z", Some("2025-01-01T00:00:00.000000000Z"), true),
            ("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59.000000000Z"), true),
            ("1970-01-01", Some("1970-01-01T00:00:00.000000000Z"), false),
            ("2024-02-30", None, false),
            ("2023-02-29", None, false),
            ("13/9/2024", None, false),
            ("2024-09-01T25:00:00Z", None, false),
            ("2024-09-01T00:00:00Zx", None, false),
            ("2024-09-01T", None, false),
            ("9/1/2024 13:00 PM", None, false),
            ("9999-12-31", None, false),
            ("NULL", None, false),
            ("", None, false),
            ("1725148800", None, false),
        ];
        for (text, expected, conformant) in cases {
            let read = parse(text);
            assert_eq!(read.map(|r| r.time.to_string()).as_deref(), expected, "{text:?}");
            assert_eq!(read.is_some_and(|r| r.conformant), conformant, "{text:?}");
        }
    }

    #[test]
    fn a_day_may_come_first() {
        for (text, us, world) in [
            ("9/2/2023", Some("2023-09-02"), Some("2023-02-09")),
            ("30/09/2023", None, Some("2023-09-30")),
            ("09/30/2023", Some("2023-09-30"), None),
            ("2023-09-30", Some("2023-09-30"), Some("2023-09-30")),
        ] {
            let day = |r: Option<ReadDate>| r.map(|r| r.time.to_string()[..10].to_owned());
            assert_eq!((day(parse(text)).as_deref(), day(parse_day_first(text)).as_deref()), (us, world), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_we_print_we_read(ns in any::<i64>()) {
            prop_assert_eq!(parse(&Timestamp(ns).to_string()).unwrap().time, Timestamp(ns));
        }
        #[test]
        fn no_text_panics(text in "[0-9TZ:/ .+\\-APM]{0,40}|.{0,20}") {
            let _ = parse(&text);
        }
    }
}
