//! Numbers as text, as Go's `strconv` writes them: what Prometheus' users read in labels, notes and JSON.

use std::io::Write as _;

/// Shortest decimal digits without an exponent, as `count_values` writes labels (`'f', -1`).
pub fn plain(value: f64) -> String {
    special(value).unwrap_or_else(|| format!("{value}"))
}

/// As `%g` in messages: an exponent below 1e-4 and from 1e21.
pub fn format(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && size.is_finite() && !(1e-4..1e21).contains(&size) { exponent(value) } else { plain(value) }
}

/// As a sample in Prometheus' JSON: an exponent below 1e-6 and from 1e21.
pub fn json(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && size.is_finite() && !(1e-6..1e21).contains(&size) { exponent(value) } else { plain(value) }
}

/// Adds what [`json`] writes to a text.
pub fn push_json(text: &mut Vec<u8>, value: f64) {
    if (1e-6..1e21).contains(&value.abs()) {
        // Writing to memory does not fail.
        let _ = write!(text, "{value}");
    } else {
        text.extend_from_slice(json(value).as_bytes());
    }
}

/// As OpenMetrics writes numbers in labels: a whole one has a `.0`.
pub fn open_metrics(value: f64) -> String {
    let mut text = format(value);
    if value.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".to_owned())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
    } else {
        None
    }
}

/// Go writes at least two digits of exponent and its sign.
fn exponent(value: f64) -> String {
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, power)) => {
            let (sign, power) = power.strip_prefix('-').map_or(('+', power), |p| ('-', p));
            format!("{digits}e{sign}{power:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_go() {
        for (value, as_plain, as_json) in [
            (1.0, "1", "1"),
            (-0.0, "-0", "-0"),
            (1e20, "100000000000000000000", "100000000000000000000"),
            (1e21, "1000000000000000000000", "1e+21"),
            (0.000_000_1, "0.0000001", "1e-07"),
            (1.5e-9, "0.0000000015", "1.5e-09"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NAN, "NaN", "NaN"),
        ] {
            assert_eq!((plain(value).as_str(), json(value).as_str()), (as_plain, as_json));
            let mut pushed = Vec::new();
            push_json(&mut pushed, value);
            assert_eq!(pushed, as_json.as_bytes());
        }
        assert_eq!(format(0.000_05), "5e-05");
    }
}
