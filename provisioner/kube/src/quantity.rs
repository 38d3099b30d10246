//! Quantities of Kubernetes (`500m`, `1.5`, `512Mi`, `1e3`) as whole numbers of a unit. What is no whole number of it is rounded up, as schedulers do.

/// `1/1000` of what is counted, such as of a processor: `1500` for `1.5`. `None` if it is no quantity, or too large.
pub(crate) fn milli(text: &str) -> Option<i64> {
    units(text, 1)
}

/// MiB: `512` for `512Mi` or `0.5Gi`.
pub(crate) fn mib(text: &str) -> Option<i64> {
    units(text, 1000 << 20)
}

/// GiB, for storage.
pub(crate) fn gib(text: &str) -> Option<i64> {
    units(text, 1000 << 30)
}

/// Whole ones, such as nodes.
pub(crate) fn ones(text: &str) -> Option<i64> {
    units(text, 1000)
}

/// Processors as the API writes them.
pub(crate) fn of_milli(milli: i64) -> String {
    if milli % 1000 == 0 { (milli / 1000).to_string() } else { format!("{milli}m") }
}

/// How many units of so many thousandths a quantity is.
fn units(text: &str, unit_milli: i128) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '+' && c != '-').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (multiplier, divisor): (i128, i128) = match suffix {
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "" => (1, 1),
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (10_i128.pow(12), 1),
        "P" => (10_i128.pow(15), 1),
        "E" => (10_i128.pow(18), 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs()).filter(|_| exponent.abs() <= 18)?;
            if exponent < 0 { (1, power) } else { (power, 1) }
        }
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 9 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = digits.checked_mul(multiplier)?.checked_mul(1000)?;
    let per = divisor.checked_mul(10_i128.pow(fraction.len() as u32))?.checked_mul(unit_milli)?;
    let (quotient, rest) = (scaled.div_euclid(per), scaled.rem_euclid(per));
    i64::try_from(quotient + i128::from(rest > 0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_whole_numbers() {
        let check = |of: fn(&str) -> Option<i64>, text: &str, expected: Option<i64>| {
            assert_eq!(of(text), expected, "{text}");
        };
        check(milli, "500m", Some(500));
        check(milli, "1", Some(1000));
        check(milli, "1.5", Some(1500));
        check(milli, "0.0001", Some(1));
        check(milli, "100u", Some(1));
        check(milli, "2e3", Some(2_000_000));
        check(mib, "512Mi", Some(512));
        check(mib, "1Gi", Some(1024));
        check(mib, "0.5Gi", Some(512));
        check(mib, "100M", Some(96));
        check(mib, "134217728", Some(128));
        check(gib, "10Gi", Some(10));
        check(gib, "1T", Some(932));
        check(ones, "15", Some(15));
        for wrong in ["", "x", "1x", "1.2.3", "Mi", "1e99", "--1", "9999999999999999999999999999E"] {
            check(mib, wrong, None);
        }
        assert_eq!((of_milli(1500).as_str(), of_milli(2000).as_str()), ("1500m", "2"));
    }
}
