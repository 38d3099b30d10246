//! Products, shares and means of amounts. Products pass through 256 bits; what does not come out even is rounded half to even.

use arrow_buffer::i256;
use grid_model::Amount;

/// `a * b / c`, rounded half to even; `None` if `c` is zero or the result leaves 128 bits.
pub fn mul_div(a: i128, b: i128, c: i128) -> Option<i128> {
    if c == 0 {
        return None;
    }
    // The product of two 128-bit numbers has at most 255 bits, so it cannot wrap.
    let product = i256::from_i128(a).checked_mul(i256::from_i128(b))?;
    let divisor = i256::from_i128(c);
    let quotient = product.checked_div(divisor)?;
    let rest = product.checked_rem(divisor)?;
    let quotient = quotient.to_i128()?;
    if rest == i256::ZERO {
        return Some(quotient);
    }
    let twice = rest.checked_mul(i256::from_i128(2))?.wrapping_abs();
    let away = match twice.cmp(&divisor.wrapping_abs()) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Less => false,
    };
    let sign = if (product < i256::ZERO) == (c < 0) { 1 } else { -1 };
    if away { quotient.checked_add(sign) } else { Some(quotient) }
}

/// The mean of amounts, rounded half to even; `None` of none, or if their sum leaves 128 bits.
pub fn mean(values: &[i128]) -> Option<i128> {
    let sum = values.iter().try_fold(0_i128, |sum, v| sum.checked_add(*v))?;
    mul_div(sum, 1, i128::try_from(values.len()).ok()?)
}

/// The median; of an even count the mean of the middle two. `None` of none.
pub fn median(values: &[i128]) -> Option<i128> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => mean(&[sorted[middle - 1], sorted[middle]]),
    }
}

/// The sum of amounts; `None` if it leaves 38 digits.
pub fn sum(amounts: impl IntoIterator<Item = Amount>) -> Option<Amount> {
    amounts.into_iter().try_fold(Amount::ZERO, Amount::checked_add)
}

/// `part` of `whole` in hundredths of a percent, rounded half to even; `None` if `whole` is zero.
pub fn basis_points(part: Amount, whole: Amount) -> Option<i128> {
    mul_div(part.0, 10_000, whole.0)
}

/// Hundredths of a percent as text in percent: `-1234` is `-12.34`.
pub fn percent_text(basis_points: i128) -> String {
    let sign = if basis_points < 0 { "-" } else { "" };
    let abs = basis_points.unsigned_abs();
    format!("{sign}{}.{:02}", abs / 100, abs % 100)
}

/// An amount at a number of decimals (at most 18), rounded half to even, with all of them shown: for people, never for sums.
pub fn rounded_text(amount: Amount, decimals: u32) -> String {
    let decimals = decimals.min(grid_model::money::SCALE);
    let unit = 10_i128.pow(grid_model::money::SCALE - decimals);
    let rounded = mul_div(amount.0, 1, unit).unwrap_or(0);
    let one = 10_u128.pow(decimals);
    let (sign, abs) = (if rounded < 0 { "-" } else { "" }, rounded.unsigned_abs());
    if decimals == 0 {
        return format!("{sign}{abs}");
    }
    format!("{sign}{}.{:0width$}", abs / one, abs % one, width = decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotients_round_half_to_even() {
        for (a, b, c, expected) in [
            (10, 1, 4, Some(2)),
            (14, 1, 4, Some(4)),
            (-10, 1, 4, Some(-2)),
            (-14, 1, 4, Some(-4)),
            (11, 1, 4, Some(3)),
            (11, -1, 4, Some(-3)),
            (11, 1, -4, Some(-3)),
            (1, 1, 3, Some(0)),
            (i128::MAX, i128::MAX, i128::MAX, Some(i128::MAX)),
            (i128::MAX, 2, 1, None),
            (1, 1, 0, None),
        ] {
            assert_eq!(mul_div(a, b, c), expected, "{a} * {b} / {c}");
        }
    }

    #[test]
    fn texts() {
        assert_eq!(percent_text(-5), "-0.05");
        assert_eq!(percent_text(12_345), "123.45");
        assert_eq!(rounded_text(Amount::parse("1.005").unwrap().0, 2), "1.00");
        assert_eq!(rounded_text(Amount::parse("-1.015").unwrap().0, 2), "-1.02");
        assert_eq!(rounded_text(Amount::parse("2.5").unwrap().0, 0), "2");
        assert_eq!(median(&[3, 1, 2]), Some(2));
        assert_eq!(median(&[4, 1]), Some(2));
        assert_eq!(median(&[]), None);
    }

    proptest! {
        #[test]
        fn a_quotient_is_within_half_a_unit(a in any::<i64>(), b in any::<i64>(), c in any::<i32>()) {
            prop_assume!(c != 0);
            let (a, b, c) = (i128::from(a), i128::from(b), i128::from(c));
            let q = mul_div(a, b, c).unwrap();
            prop_assert!((a * b - q * c).abs() * 2 <= c.abs());
        }
    }
}
