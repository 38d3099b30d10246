//! Numbers as OpenMetrics spells them in labels: `le="1"` and `le="1.0"` are the same bucket, so both become the latter
//! (Prometheus since 3.0, `model/textparse`).

/// The canonical spelling of a number in a label; `None` if the text is no number or spelled so already.
pub(super) fn normalized(text: &str) -> Option<String> {
    let canonical = canonical(text.parse().ok()?);
    (canonical != text).then_some(canonical)
}

/// Go's shortest form (`strconv` with `g`), with `.0` behind what would look like an integer.
pub(super) fn canonical(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 {
        return "0.0".to_owned();
    }
    // The shortest digits that read back: `-1.25e-7`.
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // What Go does for the shortest form, whatever the number of digits.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    let plain = value.to_string();
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_as_go_spells_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (1.0, "1.0"),
            (10.0, "10.0"),
            (0.005, "0.005"),
            (2.5, "2.5"),
            (100_000.0, "100000.0"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (123_456.5, "123456.5"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(canonical(value), text);
        }
        assert_eq!(normalized("1"), Some("1.0".to_owned()));
        assert_eq!(normalized("+Inf"), None);
        assert_eq!(normalized("x"), None);
        assert_eq!(normalized("1e6").as_deref(), Some("1e+06"));
    }
}
