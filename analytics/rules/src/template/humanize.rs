//! Numbers for people (Prometheus, `common/helpers/templates`).

use super::printf::general;

/// Significant digits.
const DIGITS: usize = 4;

fn short(v: f64) -> String {
    general(v, Some(DIGITS))
}

/// `1234567` as `1.235M`, `0.00123` as `1.23m`.
pub(super) fn humanize(mut v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return short(v);
    }
    let mut prefix = "";
    if v.abs() >= 1.0 {
        for p in ["k", "M", "G", "T", "P", "E", "Z", "Y"] {
            if v.abs() < 1000.0 {
                break;
            }
            prefix = p;
            v /= 1000.0;
        }
    } else {
        (v, prefix) = small(v);
    }
    format!("{}{prefix}", short(v))
}

/// What is below 1, with its prefix.
fn small(mut v: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for p in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if v.abs() >= 1.0 {
            break;
        }
        prefix = p;
        v *= 1000.0;
    }
    (v, prefix)
}

/// `1048576` as `1Mi`.
pub(super) fn humanize1024(mut v: f64) -> String {
    if v.abs() <= 1.0 || !v.is_finite() {
        return short(v);
    }
    let mut prefix = "";
    for p in ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] {
        if v.abs() < 1024.0 {
            break;
        }
        prefix = p;
        v /= 1024.0;
    }
    format!("{}{prefix}", short(v))
}

/// Seconds as `1d 2h 3m 4s`.
pub(super) fn humanize_duration(v: f64) -> String {
    if !v.is_finite() {
        return short(v);
    }
    if v == 0.0 {
        return format!("{}s", short(v));
    }
    if v.abs() < 1.0 {
        let (v, prefix) = small(v);
        return format!("{}{prefix}s", short(v));
    }
    let (sign, v) = if v < 0.0 { ("-", -v) } else { ("", v) };
    let whole = v as i64;
    let (seconds, minutes, hours, days) = (whole % 60, whole / 60 % 60, whole / 3600 % 24, whole / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", short(v)),
        (0, 0, m) => format!("{sign}{m}m {seconds}s"),
        (0, h, m) => format!("{sign}{h}h {m}m {seconds}s"),
        (d, h, m) => format!("{sign}{d}d {h}h {m}m {seconds}s"),
    }
}

/// A ratio as `12.34%`.
pub(super) fn humanize_percentage(v: f64) -> String {
    format!("{}%", short(v * 100.0))
}

/// Nanoseconds of seconds since 1970, cut to milliseconds; `None` of what is no number.
pub(super) fn time(v: f64) -> Result<Option<i64>, String> {
    if !v.is_finite() {
        return Ok(None);
    }
    let ns = v * 1e9;
    if ns >= i64::MAX as f64 || ns < i64::MIN as f64 {
        return Err(format!(
            "{} cannot be represented as a nanoseconds timestamp since it overflows int64",
            general(v, None)
        ));
    }
    let ms = (ns as i64) / 1_000_000;
    Ok(Some(ms * 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        // Those of Prometheus' own tests among them (`template/template_test.go`).
        for (v, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (1_234_567.0, "1.235M"),
            (0.12, "120m"),
            (123.0, "123"),
            (0.001_23, "1.23m"),
            (-1e-12, "-1p"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
            (999_999.0, "1000k"),
        ] {
            assert_eq!(humanize(v), text);
        }
        for (v, text) in [(0.0, "0"), (1.0, "1"), (1_048_576.0, "1Mi"), (1500.0, "1.465ki"), (0.12, "0.12")] {
            assert_eq!(humanize1024(v), text);
        }
        for (v, text) in [
            (0.0, "0s"),
            (1.0, "1s"),
            (60.0, "1m 0s"),
            (3600.0, "1h 0m 0s"),
            (86_400.0, "1d 0h 0m 0s"),
            (86_400.0 + 3600.0, "1d 1h 0m 0s"),
            (-(86_400.0 * 2.0 + 3600.0 * 3.0 + 60.0 * 4.0 + 5.0), "-2d 3h 4m 5s"),
            (899.99, "14m 59s"),
            (0.1, "100ms"),
            (0.0001, "100us"),
            (0.123_456_789, "123.5ms"),
            (60.1, "1m 0s"),
            (12.345, "12.35s"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(humanize_duration(v), text);
        }
        for (v, text) in [(-1.0, "-100%"), (0.0, "0%"), (0.123_456_789, "12.35%"), (1.0, "100%")] {
            assert_eq!(humanize_percentage(v), text);
        }
        assert_eq!(time(1_435_065_584.128), Ok(Some(1_435_065_584_128_000_000)));
        assert!(time(1e20).is_err());
    }
}
