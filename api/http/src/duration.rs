//! Durations as Prometheus writes them: `5m`, `2h30m`, `30d`.

use grid_model::time::{DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS};

/// Units from the largest to the smallest; a year has 365 days, as in Prometheus.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * DAY_NS),
    ("w", 7 * DAY_NS),
    ("d", DAY_NS),
    ("h", HOUR_NS),
    ("m", MINUTE_NS),
    ("s", SECOND_NS),
    ("ms", 1_000_000),
];

/// Reads a duration; `None` if it is none, is zero, or does not fit into nanoseconds. Units must come from large to small.
pub fn parse(text: &str) -> Option<i64> {
    let (mut rest, mut total, mut from) = (text.trim(), 0i64, 0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = UNITS[from..].iter().position(|(name, _)| *name == &rest[..letters])? + from;
        total = total.checked_add(number.checked_mul(UNITS[unit].1)?)?;
        (rest, from) = (&rest[letters..], unit + 1);
    }
    (total > 0).then_some(total)
}

/// Writes a duration with the fewest parts; below a millisecond it is rounded down.
pub fn format(mut ns: i64) -> String {
    let mut out = String::new();
    // Weeks read badly beside days.
    for (name, unit) in UNITS.into_iter().filter(|(name, _)| *name != "w") {
        if ns >= unit {
            out.push_str(&format!("{}{name}", ns / unit));
            ns %= unit;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_written() {
        for (text, ns, written) in [
            ("5m", 300 * SECOND_NS, "5m"),
            ("2h30m", 9000 * SECOND_NS, "2h30m"),
            ("90m", 5400 * SECOND_NS, "1h30m"),
            ("1w", 7 * DAY_NS, "7d"),
            ("1y1ms", 365 * DAY_NS + 1_000_000, "1y1ms"),
            (" 30d ", 30 * DAY_NS, "30d"),
        ] {
            assert_eq!(parse(text), Some(ns), "{text}");
            assert_eq!(format(ns), written);
        }
        for bad in ["", "5", "m", "5x", "5m2h", "5m5m", "-5m", "0s", "1.5h", "99999999999y", "5 m", "µs"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(format(0), "0s");
    }
}
