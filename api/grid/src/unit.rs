//! Numbers with units as people write them: `2h30m`, `64MiB`, `2026-11-23T10:00:00Z`.

use std::time::Duration;

use grid_model::Timestamp;

const DURATION_HELP: &str = "write a duration as in Prometheus: \"30s\", \"5m\", \"2h30m\", \"14d\"";
const BYTES_HELP: &str = "write a size as \"64MiB\", \"1GB\" or a plain number of bytes";
const TIME_HELP: &str =
    "write a time as \"2026-11-23T10:00:00Z\", \"2026-11-23\", seconds since 1970, \"now\" or \"now-2h\"";

/// Reads a duration: one or more of `ms s m h d w y`, each a whole number, biggest first or not (`2h30m`).
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is not a duration; {DURATION_HELP}");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit_ms = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return Err(bad()),
        };
        rest = &rest[letters..];
        total_ms = number.checked_mul(unit_ms).and_then(|n| n.checked_add(total_ms)).ok_or_else(bad)?;
    }
    Ok(Duration::from_millis(total_ms))
}

/// Writes a duration in the same form.
pub(crate) fn show_duration(duration: Duration) -> String {
    let mut ms = duration.as_millis();
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (name, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if ms >= size {
            out.push_str(&format!("{}{name}", ms / size));
            ms %= size;
        }
    }
    out
}

/// Reads a size in bytes: a whole number with an optional unit (`kB MB GB TB` decimal, `KiB MiB GiB TiB` binary).
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is not a size; {BYTES_HELP}");
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = trimmed[..digits].parse().map_err(|_| bad())?;
    let unit: u64 = match trimmed[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        "tib" | "t" => 1 << 40,
        _ => return Err(bad()),
    };
    number.checked_mul(unit).ok_or_else(bad)
}

/// Writes a size with a binary unit and at most one decimal.
pub(crate) fn show_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut value = bytes as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value.fract() < 0.05 || unit == 0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Writes a count with thin groups of thousands (`1_234_567` as `1,234,567`).
pub(crate) fn show_count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Reads a time, relative ones against `now`.
pub(crate) fn parse_time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let bad = || format!("{text:?} is not a time; {TIME_HELP}");
    let trimmed = text.trim();
    if trimmed == "now" {
        return Ok(now);
    }
    if let Some(ago) = trimmed.strip_prefix("now-") {
        let back = i64::try_from(parse_duration(ago)?.as_nanos()).map_err(|_| bad())?;
        return Ok(now.saturating_add(-back));
    }
    if let Ok(seconds) = trimmed.parse::<i64>() {
        return Timestamp::from_secs(seconds).ok_or_else(bad);
    }
    if let Some(seconds) = trimmed.parse::<f64>().ok().filter(|_| trimmed.contains('.')) {
        // To the millisecond: a number of this size has no more digits to give.
        let ms = (seconds * 1000.0).round();
        let fits = ms.abs() < (i64::MAX / 1_000_000) as f64;
        return if fits { Ok(Timestamp(ms as i64 * 1_000_000)) } else { Err(bad()) };
    }
    if let Ok(date) = trimmed.parse::<chrono::NaiveDate>() {
        let midnight = date.and_hms_opt(0, 0, 0).ok_or_else(bad)?.and_utc();
        return midnight.timestamp_nanos_opt().map(Timestamp).ok_or_else(bad);
    }
    let time = chrono::DateTime::parse_from_rfc3339(trimmed).map_err(|_| bad())?;
    time.timestamp_nanos_opt().map(Timestamp).ok_or_else(bad)
}

/// Writes a time to the second.
pub(crate) fn show_time(time: Timestamp) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [("30s", 30_000), ("2h30m", 9_000_000), ("14d", 14 * 86_400_000), ("250ms", 250), ("0", 0)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "5", "s", "1.5h", "-1s", "5 m", "1x", "99999999999999999999s", "999999999999999y"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(show_duration(Duration::from_millis(9_000_250)), "2h30m250ms");
        assert_eq!(show_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn sizes() {
        for (text, n) in [("0", 0), ("64MiB", 64 << 20), ("1 GB", 1_000_000_000), ("5k", 5120), ("7B", 7)] {
            assert_eq!(parse_bytes(text), Ok(n), "{text}");
        }
        for bad in ["", "MiB", "1.5GB", "-1", "1 parsec", "99999999TiB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(show_bytes(1536), "1.5 KiB");
        assert_eq!(show_bytes(64 << 20), "64 MiB");
        assert_eq!(show_count(1_234_567), "1,234,567");
        assert_eq!(show_count(999), "999");
    }

    #[test]
    fn times() {
        let now = Timestamp::from_secs(1_700_000_000).unwrap();
        for (text, secs) in [
            ("now", 1_700_000_000),
            ("now-1h", 1_699_996_400),
            ("0", 0),
            ("-5", -5),
            ("1970-01-02", 86_400),
            ("1970-01-01T01:00:00+01:00", 0),
        ] {
            assert_eq!(parse_time(text, now), Ok(Timestamp::from_secs(secs).unwrap()), "{text}");
        }
        for bad in ["", "yesterday", "now+1h", "2026-13-01", "99999999999999999", "1.5e300", "."] {
            assert!(parse_time(bad, now).is_err(), "{bad}");
        }
        assert_eq!(parse_time("1.25", now), Ok(Timestamp(1_250_000_000)));
        assert_eq!(show_time(now), "2023-11-14T22:13:20Z");
    }
}
