//! Instants as FOCUS' date/time format writes them.
//!
//! Source: FOCUS 1.2, attribute "Date/Time Format": UTC, ISO 8601, `YYYY-MM-DDTHH:mm:ssZ`.

use crate::cell::{FORM, TYPE, bit};
use crate::rule::Cells;

/// Reads a cell that is not null: its faults, and the seconds since 1970 if it is an instant at all (a missing zone is UTC).
pub(crate) fn read(text: &str) -> (u64, Option<i64>) {
    let bytes = text.as_bytes();
    if let (20, Some(19), Some(seconds)) = (bytes.len(), bytes.iter().position(|b| *b == b'Z'), plain(bytes)) {
        return (0, Some(seconds));
    }
    odd(text)
}

/// `YYYY-MM-DDTHH:mm:ss` at the start of a text.
fn plain(b: &[u8]) -> Option<i64> {
    let marks =
        b.get(4)? == &b'-' && b.get(7)? == &b'-' && b.get(10)? == &b'T' && b.get(13)? == &b':' && b.get(16)? == &b':';
    let two = |at: usize| number(b.get(at..at + 2)?);
    let day = day_number(number(b.get(..4)?)?, two(5)?, two(8)?)?;
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    (marks && hour < 24 && minute < 60 && second < 60).then_some(day * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(digits: &[u8]) -> Option<i64> {
    let all = !digits.is_empty() && digits.len() < 10 && digits.iter().all(u8::is_ascii_digit);
    all.then(|| digits.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
}

/// Days since 1970 of a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year.div_euclid(400), if month > 2 { month - 3 } else { month + 9 });
    let (year_of_era, day_of_year) = (year.rem_euclid(400), (153 * month + 2) / 5 + day - 1);
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

/// What is wrong with a text that is not in FOCUS' form, and the instant that it still is.
fn odd(text: &str) -> (u64, Option<i64>) {
    let mut faults = FORM;
    let mut fault = |is: bool, what: Cells| faults |= if is { bit(what) } else { 0 };
    let trimmed = text.trim();
    let (date, rest) = trimmed.split_at_checked(10).unwrap_or((trimmed, ""));
    fault(!rest.starts_with('T'), Cells::TimeLetter);
    fault(!trimmed.ends_with('Z'), Cells::TimeZulu);
    let clock = rest.get(1..).unwrap_or("");
    let zone_at = clock.find(['Z', '+', '-', ' ']).unwrap_or(clock.len());
    let (clock, zone) = (&clock[..zone_at], clock[zone_at..].trim());
    let offset = offset(zone);
    fault(zone.is_empty() || offset != Some(0), Cells::TimeUtc);
    let whole = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let fields: Vec<&str> = whole.split(':').collect();
    fault(fields.len() != 3 || fields.iter().any(|f| f.len() != 2), Cells::TimeDigits);
    let seconds = || {
        let parts: Vec<&str> = date.split('-').collect();
        let [year, month, day] = parts[..] else { return None };
        let part = |text: &str, len: usize| if text.len() == len { number(text.as_bytes()) } else { None };
        let day = day_number(part(year, 4)?, part(month, 2)?, part(day, 2)?)?;
        let field = |i: usize, below: i64| match fields.get(i) {
            None => Some(0),
            Some(f) if f.len() <= 2 => number(f.as_bytes()).filter(|n| *n < below),
            Some(_) => None,
        };
        let clock = if rest.is_empty() { 0 } else { field(0, 24)? * 3600 + field(1, 60)? * 60 + field(2, 60)? };
        let parted = rest.is_empty() || rest.starts_with(['T', 't', ' ']);
        (parted && fields.len() <= 3).then_some(day * 86_400 + clock - offset.unwrap_or(0))
    };
    let seconds = seconds();
    let zone_known = zone.is_empty() || offset.is_some();
    let iso = seconds.is_some() && rest.starts_with('T') && fields.iter().all(|f| f.len() == 2) && zone_known;
    fault(!iso || trimmed != text, Cells::TimeIso);
    (if seconds.is_none() { faults | TYPE } else { faults }, seconds)
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'Z' if zone.len() == 1 => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return (zone == "UTC" || zone == "GMT").then_some(0),
    };
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { 0 } else { number(minutes.as_bytes())? };
    Some(sign * (number(hours.as_bytes())? * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::names;

    #[test]
    fn faults_of_instants() {
        let cases = [
            ("2024-09-01T00:00:00Z", "", Some(1_725_148_800)),
            ("2024-02-29T23:59:59Z", "", Some(1_709_251_199)),
            ("2024-09-01 00:00:00", "FORM TimeUtc TimeIso TimeLetter TimeZulu", Some(1_725_148_800)),
            ("2024-09-01T00:00:00", "FORM TimeUtc TimeZulu", Some(1_725_148_800)),
            ("2024-09-01T02:00:00+02:00", "FORM TimeUtc TimeZulu", Some(1_725_148_800)),
            ("2024-09-01T00:00:00+00:00", "FORM TimeZulu", Some(1_725_148_800)),
            ("2024-09-01T00:00:00.500Z", "FORM", Some(1_725_148_800)),
            ("2024-09-01T00:00Z", "FORM TimeDigits", Some(1_725_148_800)),
            ("2024-09-01T1:5:0Z", "FORM TimeIso TimeDigits", Some(1_725_152_700)),
            ("2024-09-01", "FORM TimeUtc TimeIso TimeLetter TimeDigits TimeZulu", Some(1_725_148_800)),
            ("2023-02-29T00:00:00Z", "FORM TYPE TimeIso", None),
            ("2024-09-01T24:00:00Z", "FORM TYPE TimeIso", None),
            ("9/1/2024 1:05 PM", "FORM TYPE TimeUtc TimeIso TimeLetter TimeDigits TimeZulu", None),
            ("soon", "FORM TYPE TimeUtc TimeIso TimeLetter TimeDigits TimeZulu", None),
        ];
        for (text, expected, seconds) in cases {
            let (faults, read) = read(text);
            assert_eq!((names(faults).as_str(), read), (expected, seconds), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,30}") {
            let _ = read(&text);
        }
    }
}
