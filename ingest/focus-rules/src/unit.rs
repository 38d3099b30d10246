//! Units as FOCUS' unit format writes them.
//!
//! Source: FOCUS 1.2, attribute "Unit Format": `<unit>`, `<plural unit>-<plural time>`, `<plural unit>/<time>`,
//! `<whole number> <plural unit>`, `<plural unit>/<whole number> <plural time>`, and its lists of units.

use crate::cell::{FORM, bit};
use crate::rule::Cells;

const TIMES: [&str; 6] = ["Year", "Month", "Day", "Hour", "Minute", "Second"];
const SIZES: [&str; 26] = [
    "b", "Kb", "Mb", "Gb", "Tb", "Pb", "Eb", "B", "KB", "MB", "GB", "TB", "PB", "EB", "Kib", "Mib", "Gib", "Tib",
    "Pib", "Eib", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB",
];
const COUNTS: [&str; 8] = ["Count", "Unit", "Request", "Token", "Connection", "Certificate", "Domain", "Core"];

/// The faults of a cell that is not null.
pub(crate) fn faults(text: &str) -> u64 {
    let (mut faults, rest) = match text.split_once(' ') {
        Some((quantity, rest)) if quantity.starts_with(|c: char| c.is_ascii_digit()) => (whole(quantity), rest),
        _ => (0, text),
    };
    let (unit, time) = match (rest.split_once('/'), rest.rsplit_once('-')) {
        (Some((unit, interval)), _) => match interval.split_once(' ') {
            Some((quantity, time)) => {
                faults |= whole(quantity);
                (unit, Some((time, true)))
            }
            None => (unit, Some((interval, false))),
        },
        (None, Some((unit, time))) => (unit, Some((time, true))),
        (None, None) => (rest, None),
    };
    let time_fits = time.is_none_or(|(time, plural)| TIMES.iter().any(|t| is_time(time, t, plural)));
    if !is_name(unit) || !time_fits {
        faults |= bit(Cells::UnitForm);
    }
    if cased(unit) || time.is_some_and(|(time, _)| cased(time)) {
        faults |= bit(Cells::UnitCase);
    }
    if faults & (bit(Cells::UnitForm) | bit(Cells::UnitWhole)) != 0 { faults | FORM } else { faults }
}

fn whole(quantity: &str) -> u64 {
    if quantity.bytes().all(|b| b.is_ascii_digit()) { 0 } else { bit(Cells::UnitWhole) }
}

/// Words of letters and digits.
fn is_name(unit: &str) -> bool {
    let word =
        |w: &str| w.starts_with(|c: char| c.is_ascii_alphabetic()) && w.bytes().all(|b| b.is_ascii_alphanumeric());
    unit.split(' ').all(word)
}

/// In its own case or another: the case is a fault of its own.
fn is_time(text: &str, time: &str, plural: bool) -> bool {
    let stem = if plural { text.strip_suffix(['s', 'S']) } else { Some(text) };
    stem.is_some_and(|s| s.eq_ignore_ascii_case(time))
}

/// Whether a listed unit is written in another case than the list's.
fn cased(unit: &str) -> bool {
    let singular = unit.strip_suffix(['s', 'S']).filter(|s| !s.is_empty()).unwrap_or(unit);
    let (mut same, mut alike) = (false, false);
    for listed in TIMES.iter().chain(&COUNTS) {
        same |= singular == *listed && !unit.ends_with('S');
        alike |= singular.eq_ignore_ascii_case(listed);
    }
    for listed in SIZES {
        same |= unit == listed;
        alike |= unit.eq_ignore_ascii_case(listed);
    }
    alike && !same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::names;

    #[test]
    fn faults_of_units() {
        let cases = [
            ("Hours", ""),
            ("GB", ""),
            ("GB-Hours", ""),
            ("GB/Hour", ""),
            ("1000 Requests", ""),
            ("Requests/3 Months", ""),
            ("LCU-Hours", ""),
            ("API Requests", ""),
            ("vCPU-Hours", ""),
            ("hours", "UnitCase"),
            ("gb-Hours", "UnitCase"),
            ("GB-hours", "UnitCase"),
            ("1.5 Hours", "FORM UnitWhole"),
            ("GB-Mo", "FORM UnitForm"),
            ("GB/Hours", "FORM UnitForm"),
            ("$", "FORM UnitForm"),
            ("10K-Requests", "FORM UnitForm"),
            ("Requests/x Months", "FORM UnitWhole"),
        ];
        for (text, expected) in cases {
            assert_eq!(names(faults(text)), expected, "{text}");
        }
    }
}
