//! Numbers of bills as exact decimals. No float is ever computed with; a double of a Parquet file is read by its shortest
//! decimal text.

use grid_model::Amount;
use grid_model::money::{AmountError, Residual, SOURCE_SCALE_MAX};

const FAST_DIGITS_MAX: usize = 18;

/// Reads a decimal (see [`Amount::parse`]); plain short ones, nearly all of a bill, without allocating.
pub fn parse(text: &str) -> Result<(Amount, Residual), AmountError> {
    match plain(text.as_bytes()) {
        Some(units) => Ok((Amount(units), Residual(0))),
        None => Amount::parse(text),
    }
}

/// `-?digits[.digits]` with at most 18 digits on either side.
fn plain(text: &[u8]) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let point = digits.iter().position(|b| *b == b'.');
    let (whole, fraction) = match point {
        Some(i) => (&digits[..i], &digits[i + 1..]),
        None => (digits, &[][..]),
    };
    if whole.is_empty() || whole.len() > FAST_DIGITS_MAX || fraction.len() > FAST_DIGITS_MAX {
        return None;
    }
    let whole = integer(whole)?;
    let fraction = integer(fraction)? * 10_u64.pow((FAST_DIGITS_MAX - fraction.len()) as u32);
    let units = i128::from(whole) * 10_i128.pow(FAST_DIGITS_MAX as u32) + i128::from(fraction);
    Some(if negative { -units } else { units })
}

fn integer(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

/// The shortest decimal text that reads back as this double. Digits beyond the thirty-sixth decimal, far below what a
/// double of money can mean, are cut.
pub fn double_text(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let excess = fraction.len() as i32 - exponent - SOURCE_SCALE_MAX as i32;
    match usize::try_from(excess) {
        Err(_) | Ok(0) => text,
        Ok(cut) if cut <= fraction.len() => format!("{whole}.{}e{exponent}", &fraction[..fraction.len() - cut]),
        Ok(_) => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_read_as_their_shortest_text() {
        let cases = [
            (0.1, "0.1"),
            (-0.000_000_005_2, "-0.0000000052"),
            (1e15, "1000000000000000"),
            (0.1 + 0.2, "0.30000000000000004"),
            (4.235_164_736_271_502e-22, "0"),
            (1e-300, "0"),
            (-0.0, "0"),
        ];
        for (value, expected) in cases {
            let (amount, _) = parse(&double_text(value)).unwrap();
            assert_eq!(amount.to_string(), expected, "{value:e}");
        }
        let (_, residual) = parse(&double_text(4.235_164_736_271_502e-22)).unwrap();
        assert_eq!(residual.to_string(), "0.00000000000000000000042351647362715");
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert!(parse(&double_text(bad)).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_path_agrees_with_the_slow_one(text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?|.{0,8}") {
            prop_assert_eq!(parse(&text), Amount::parse(&text));
        }
        #[test]
        fn every_double_of_money_is_read(value in -1e15..1e15_f64) {
            prop_assert!(parse(&double_text(value)).is_ok());
        }
        #[test]
        fn no_double_panics(bits in any::<u64>()) {
            let _ = parse(&double_text(f64::from_bits(bits)));
        }
    }
}
