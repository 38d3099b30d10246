//! Azure's units of measure: `1 Hour`, `10K`, `100 GB/Month`.

use grid_model::Amount;
use grid_model::money::SCALE;

/// How many of which unit make one: `10K` is 10,000 of no named unit, `100 Hours` 100 `Hours`.
pub(super) fn parse(measure: &str) -> (Amount, &str) {
    let measure = measure.trim();
    let digits = measure.bytes().take_while(u8::is_ascii_digit).count();
    let one = 10_i128.pow(SCALE);
    // A block of more than a billion is no block.
    let Some(number) = measure.get(..digits).and_then(|d| d.parse::<u32>().ok()).filter(|n| *n > 0) else {
        return (Amount(one), measure);
    };
    let rest = &measure[digits..];
    let (factor, unit) = match rest.as_bytes() {
        [b'K'] | [b'K', b' ' | b'/', ..] => (1_000, &rest[1..]),
        [b'M'] | [b'M', b' ' | b'/', ..] => (1_000_000, &rest[1..]),
        _ => (1, rest),
    };
    let unit = unit.trim_start_matches([' ', '/']);
    (Amount(one * i128::from(number) * factor), if unit.is_empty() { "Units" } else { unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_units() {
        for (measure, block, unit) in [
            ("1 Hour", "1", "Hour"),
            ("100 Hours", "100", "Hours"),
            ("10K", "10000", "Units"),
            ("1M/Month", "1000000", "Month"),
            ("1 GB/Month", "1", "GB/Month"),
            ("1 /Day", "1", "Day"),
            ("10 MB", "10", "MB"),
            ("Hours", "1", "Hours"),
            ("99999999999 X", "1", "99999999999 X"),
            ("1", "1", "Units"),
        ] {
            let (amount, name) = parse(measure);
            assert_eq!((amount.to_string().as_str(), name), (block, unit), "{measure}");
        }
    }
}
