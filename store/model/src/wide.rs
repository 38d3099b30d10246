//! `a * b / c` of whole numbers by way of 256 bits: no product overflows before it is divided. All exact arithmetic on money rests on it.

use arrow_buffer::i256;

/// The quotient towards zero and the rest, which has the sign of `a * b`; `None` if `c` is zero or the quotient leaves 128 bits.
pub fn div_rem(a: i128, b: i128, c: i128) -> Option<(i128, i128)> {
    if let Some(product) = a.checked_mul(b) {
        // Nearly every product fits into 128 bits, whose division is many times faster.
        return Some((product.checked_div(c)?, product.checked_rem(c)?));
    }
    // The product of two 128-bit numbers has at most 255 bits.
    let (product, divisor) = (i256::from_i128(a).checked_mul(i256::from_i128(b))?, i256::from_i128(c));
    Some((product.checked_div(divisor)?.to_i128()?, product.checked_rem(divisor)?.to_i128()?))
}

/// The quotient rounded half to even; `None` if `c` is zero or the answer leaves 128 bits.
pub fn mul_div(a: i128, b: i128, c: i128) -> Option<i128> {
    let (quotient, rest) = div_rem(a, b, c)?;
    // The rest is less than `c`, so twice of it fits into 128 bits without a sign.
    let (twice, size) = (rest.unsigned_abs() * 2, c.unsigned_abs());
    if twice > size || twice == size && quotient % 2 != 0 {
        return quotient.checked_add(if (rest < 0) == (c < 0) { 1 } else { -1 });
    }
    Some(quotient)
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
            (1, 3, -4, Some(-1)),
            (i128::MAX, i128::MAX, i128::MAX, Some(i128::MAX)),
            (i128::MIN, 1, i128::MIN, Some(1)),
            (i128::MIN, 1, -1, None),
            (i128::MAX, 2, 1, None),
            (1, 1, 0, None),
        ] {
            assert_eq!(mul_div(a, b, c), expected, "{a} * {b} / {c}");
        }
    }

    proptest! {
        #[test]
        fn a_quotient_is_within_half_a_unit(a in any::<i64>(), b in any::<i64>(), c in any::<i32>()) {
            prop_assume!(c != 0);
            let (a, b, c) = (i128::from(a), i128::from(b), i128::from(c));
            let q = mul_div(a, b, c).unwrap();
            prop_assert!((a * b - q * c).abs() * 2 <= c.abs());
        }
        #[test]
        fn short_and_long_products_agree(a in any::<i64>(), b in -1_000_000_i128..1_000_000, c in 1_i128..1_000_000) {
            // The same fraction twice: within 128 bits, and pushed out of them.
            let (a, wide) = (i128::from(a), 10_i128.pow(30));
            prop_assert_eq!(mul_div(a, b, c), mul_div(a, b * wide, c * wide));
            let (quotient, rest) = div_rem(a, b, c).unwrap();
            prop_assert_eq!(div_rem(a, b * wide, c * wide), Some((quotient, rest * wide)));
        }
    }
}
