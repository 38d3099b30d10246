//! Times as programs write them in front of their log lines.

use grid_model::Timestamp;
use grid_model::time::{DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, civil_from_days, days_from_civil};

/// A time and how many bytes of the text it took.
type Found = (Timestamp, usize);

/// The whole text as a date and time (RFC 3339 and its relatives).
pub(crate) fn whole(text: &str) -> Option<Timestamp> {
    date_time(text).filter(|(_, len)| *len == text.len()).map(|(time, _)| time)
}

/// A time in any of the known forms at the very start of the text. `now` gives the year where the form has none.
pub(crate) fn prefix(text: &str, now: Timestamp) -> Option<Found> {
    date_time(text).or_else(|| syslog(text, now)).or_else(|| klog(text, now)).or_else(|| common_log(text))
}

/// A number as a time: seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size, as no log is older
/// than 2001 in milliseconds.
pub(crate) fn of_number(n: f64) -> Option<Timestamp> {
    let scale = match n.abs() {
        a if !a.is_finite() => return None,
        a if a < 1e11 => 1e9,
        a if a < 1e14 => 1e6,
        a if a < 1e17 => 1e3,
        a if a < 9.2e18 => 1.0,
        _ => return None,
    };
    Some(Timestamp((n * scale).round() as i64))
}

/// [`of_number`] for whole numbers, without loss.
pub(crate) fn of_integer(n: i64) -> Option<Timestamp> {
    let scale = match n.unsigned_abs() {
        a if a < 100_000_000_000 => SECOND_NS,
        a if a < 100_000_000_000_000 => 1_000_000,
        a if a < 100_000_000_000_000_000 => 1000,
        _ => 1,
    };
    n.checked_mul(scale).map(Timestamp)
}

/// A place in a text.
struct At<'a> {
    bytes: &'a [u8],
    i: usize,
}

impl At<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.i).copied()
    }

    fn take(&mut self, any_of: &[u8]) -> Option<u8> {
        let b = self.peek().filter(|b| any_of.contains(b))?;
        self.i += 1;
        Some(b)
    }

    /// A number of exactly `n` digits.
    fn digits(&mut self, n: usize) -> Option<u32> {
        let digits = self.bytes.get(self.i..self.i + n)?;
        let mut out = 0;
        for b in digits {
            out = out * 10 + u32::from(b.is_ascii_digit().then(|| b - b'0')?);
        }
        self.i += n;
        Some(out)
    }

    fn month(&mut self) -> Option<u32> {
        const MONTHS: [&[u8; 3]; 12] =
            [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
        let word = self.bytes.get(self.i..self.i + 3)?;
        let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(word))?;
        self.i += 3;
        Some(month as u32 + 1)
    }

    /// `15:04:05` with an optional fraction, in nanoseconds.
    fn clock(&mut self) -> Option<i64> {
        let hour = self.digits(2).filter(|h| *h < 24)?;
        self.take(b":")?;
        let minute = self.digits(2).filter(|m| *m < 60)?;
        self.take(b":")?;
        // A leap second counts as the first second of the next minute.
        let second = self.digits(2).filter(|s| *s <= 60)?;
        let mut nanos = 0;
        if matches!(self.peek(), Some(b'.' | b',')) && self.bytes.get(self.i + 1).is_some_and(u8::is_ascii_digit) {
            self.i += 1;
            let mut unit = 100_000_000;
            while let Some(b) = self.peek().filter(u8::is_ascii_digit) {
                nanos += i64::from(b - b'0') * unit;
                unit /= 10;
                self.i += 1;
            }
        }
        Some(i64::from(hour) * HOUR_NS + i64::from(minute) * MINUTE_NS + i64::from(second) * SECOND_NS + nanos)
    }

    /// `Z`, `+02:00`, `+0200` or nothing, as nanoseconds east of UTC.
    fn zone(&mut self) -> Option<i64> {
        if self.take(b"Zz").is_some() {
            return Some(0);
        }
        let before = self.i;
        let blank = self.take(b" ").is_some();
        let Some(sign) = self.take(b"+-") else {
            self.i = before;
            return Some(0);
        };
        let east = || -> Option<i64> {
            let hours = self.digits(2).filter(|h| *h < 24)?;
            self.take(b":");
            let minutes = self.digits(2).filter(|m| *m < 60)?;
            Some(i64::from(hours) * HOUR_NS + i64::from(minutes) * MINUTE_NS)
        }();
        match east {
            Some(east) => Some(if sign == b'-' { -east } else { east }),
            // ` - ` separates in many formats.
            None if blank || sign == b'-' => {
                self.i = before;
                Some(0)
            }
            None => None,
        }
    }
}

fn timestamp(year: i64, month: u32, day: u32, clock: i64, east: i64) -> Option<Timestamp> {
    let days = days_from_civil(year, month, day);
    // A day that the month does not have comes back as another date.
    if !(1..=12).contains(&month) || civil_from_days(days) != (year, month, day) {
        return None;
    }
    days.checked_mul(DAY_NS)?.checked_add(clock)?.checked_sub(east).map(Timestamp)
}

/// `2026-01-01T00:00:00.123Z`, also with a blank, a comma, slashes, another zone or none (then UTC).
fn date_time(text: &str) -> Option<Found> {
    let mut at = At { bytes: text.as_bytes(), i: 0 };
    let year = at.digits(4)?;
    let separator = at.take(b"-/")?;
    let month = at.digits(2)?;
    at.take(&[separator])?;
    let day = at.digits(2)?;
    at.take(b"Tt ")?;
    let clock = at.clock()?;
    let east = at.zone()?;
    Some((timestamp(i64::from(year), month, day, clock, east)?, at.i))
}

/// `Jan  2 15:04:05` (RFC 3164): no year and no zone.
fn syslog(text: &str, now: Timestamp) -> Option<Found> {
    let mut at = At { bytes: text.as_bytes(), i: 0 };
    let month = at.month()?;
    at.take(b" ")?;
    let day = if at.take(b" ").is_some() { at.digits(1)? } else { at.digits(2)? };
    at.take(b" ")?;
    let clock = at.clock()?;
    Some((without_year(month, day, clock, now)?, at.i))
}

/// `I0507 12:04:17.597069` (Kubernetes' klog): severity letter, month and day.
fn klog(text: &str, now: Timestamp) -> Option<Found> {
    let mut at = At { bytes: text.as_bytes(), i: 0 };
    at.take(b"IWEF")?;
    let (month, day) = (at.digits(2)?, at.digits(2)?);
    at.take(b" ")?;
    let clock = at.clock()?;
    Some((without_year(month, day, clock, now)?, at.i))
}

/// `01/Jan/2026:00:00:00 +0000` (the common log format of web servers).
fn common_log(text: &str) -> Option<Found> {
    let mut at = At { bytes: text.as_bytes(), i: 0 };
    let day = at.digits(2)?;
    at.take(b"/")?;
    let month = at.month()?;
    at.take(b"/")?;
    let year = at.digits(4)?;
    at.take(b":")?;
    let clock = at.clock()?;
    let east = at.zone()?;
    Some((timestamp(i64::from(year), month, day, clock, east)?, at.i))
}

/// The last such day that is not more than a day ahead of now.
fn without_year(month: u32, day: u32, clock: i64, now: Timestamp) -> Option<Timestamp> {
    let (year, _, _) = civil_from_days(now.nanos().div_euclid(DAY_NS));
    // Eight years back there was a 29 February for sure, except around 1900 and 2100.
    (0..=8)
        .filter_map(|back| timestamp(year + 1 - back, month, day, clock, 0))
        .find(|t| *t <= now.saturating_add(DAY_NS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOW;

    #[test]
    fn every_form_is_read() {
        let cases = [
            ("2024-05-07T10:58:13.877Z [INFO]", "2024-05-07T10:58:13.877000000Z", 24),
            ("2024-05-07 10:55:53,434] INFO", "2024-05-07T10:55:53.434000000Z", 23),
            ("2024-05-08 15:23:58.902 [DEBUG]", "2024-05-08T15:23:58.902000000Z", 23),
            ("2026/01/01 12:00:00 [error]", "2026-01-01T12:00:00.000000000Z", 19),
            ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00.000000000Z", 25),
            ("2026-01-01 02:00:00 -0130 x", "2026-01-01T03:30:00.000000000Z", 25),
            ("2026-01-01 02:00:00 - x", "2026-01-01T02:00:00.000000000Z", 19),
            ("2026-01-01T02:00:00.1234567890123Z", "2026-01-01T02:00:00.123456789Z", 34),
            ("2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000000000Z", 20),
            ("Dec 31 23:59:59 host", "2025-12-31T23:59:59.000000000Z", 15),
            ("Jan  2 03:04:05 host", "2025-01-02T03:04:05.000000000Z", 15),
            ("Feb 29 03:04:05 host", "2024-02-29T03:04:05.000000000Z", 15),
            ("I0507 12:04:17.597069       1 x.go", "2025-05-07T12:04:17.597069000Z", 21),
            ("01/Jan/2026:00:00:00 +0000] \"GET", "2026-01-01T00:00:00.000000000Z", 26),
        ];
        for (text, time, len) in cases {
            let found = prefix(text, NOW);
            assert_eq!(found.map(|(t, n)| (t.to_string(), n)), Some((time.to_owned(), len)), "{text}");
        }
        for bad in [
            "",
            "2024-13-01T00:00:00Z",
            "2024-02-30 00:00:00",
            "2024-05-07",
            "20240507",
            "Foo 12 00:00:00",
            "é",
            "9999-99-99T",
        ] {
            assert_eq!(prefix(bad, NOW), None, "{bad}");
        }
        assert_eq!(whole("2026-01-01T00:00:00Z"), Some(NOW));
        assert_eq!(whole("2026-01-01T00:00:00Z "), None);
    }

    #[test]
    fn numbers_are_told_apart_by_size() {
        for n in [1_767_225_600, 1_767_225_600_000, 1_767_225_600_000_000, 1_767_225_600_000_000_000] {
            assert_eq!(of_integer(n), Some(NOW));
            assert_eq!(of_number(n as f64), Some(NOW));
        }
        assert_eq!(of_number(1_767_225_600.5), Some(Timestamp(NOW.nanos() + 500_000_000)));
        assert_eq!(of_number(f64::NAN), None);
    }
}
