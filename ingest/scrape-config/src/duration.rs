//! Durations as Prometheus writes them: `1h30m`, units from large to small, each at most once.

use std::time::Duration;

const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads a duration; the error is a sentence.
pub fn parse(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is not a duration (write 30s, 5m or 1h30m)");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut next_unit, mut ms) = (text, 0, 0u64);
    if text.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits).ok_or_else(bad)?;
        let unit_end = after.bytes().position(|b| b.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_end).ok_or_else(bad)?;
        let at = UNITS.iter().position(|(u, _)| *u == unit).filter(|at| *at >= next_unit).ok_or_else(bad)?;
        let number: u64 = number.parse().map_err(|_| bad())?;
        let add = number.checked_mul(UNITS[at].1).ok_or_else(bad)?;
        // As in Prometheus, whose durations are signed nanoseconds.
        ms = ms.checked_add(add).filter(|ms| *ms <= i64::MAX as u64 / 1_000_000).ok_or_else(bad)?;
        (rest, next_unit) = (after, at + 1);
    }
    Ok(Duration::from_millis(ms))
}

/// Writes a duration as Prometheus does: years and weeks only where nothing is left over.
pub fn format(duration: Duration) -> String {
    let mut ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (unit, size) in UNITS {
        if matches!(unit, "y" | "w") && ms % size != 0 {
            continue;
        }
        if ms >= size {
            out.push_str(&format!("{}{unit}", ms / size));
            ms %= size;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_prometheus() {
        for (text, ms, shown) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("15s", 15_000, "15s"),
            ("90s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1d", 86_400_000, "1d"),
            ("8d", 8 * 86_400_000, "8d"),
            ("14d", 14 * 86_400_000, "2w"),
            ("1y", 365 * 86_400_000, "1y"),
            ("1s500ms", 1500, "1s500ms"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!((duration.as_millis(), format(duration).as_str()), (ms, shown), "{text}");
        }
        for bad in ["", "1", "s", "1.5s", "-1s", "1s1m", "1m1m", "1x", " 1s", "1 s", "99999999999999y", "é"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
