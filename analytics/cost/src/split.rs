//! Splitting an amount by weights so that the parts add up to it, exactly: each part is the exact share rounded towards zero, and the
//! units that are left go, one each, to the largest remainders (Hamilton's method of apportionment), the first of equals first.

use std::cmp::Reverse;

use grid_model::Amount;
use grid_model::wide::div_rem;

/// How much of an amount a part gets, relative to the other parts. Not negative, in any unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Weight(u64);

/// Largest weight. So bounded, 2^32 weights sum without overflow and a product with any amount fits 256 bits.
pub const WEIGHT_MAX: u64 = 1 << 62;

impl Weight {
    /// No share.
    pub const ZERO: Self = Self(0);

    /// A weight of so many units; capped at [`WEIGHT_MAX`].
    pub fn new(units: u64) -> Self {
        Self(units.min(WEIGHT_MAX))
    }

    /// The units.
    pub fn units(self) -> u64 {
        self.0
    }

    /// A measurement as a weight, in units of 10^-6 of its own unit. Negative, infinite and missing values weigh nothing: a counter that
    /// cannot be read must not move money.
    pub fn of_measurement(value: f64) -> Self {
        let micro = value * 1e6;
        if micro.is_nan() || micro <= 0.0 || micro.is_infinite() { Self::ZERO } else { Self::new(micro.round() as u64) }
    }
}

/// Splits `amount` by `weights`. The parts sum to `amount`, none has another sign, and a weight of zero gets nothing. `None` if all weights
/// are zero (or there are none): then nobody can say whose it is.
pub fn split(amount: Amount, weights: &[Weight]) -> Option<Vec<Amount>> {
    let wide: Vec<u128> = weights.iter().map(|w| u128::from(w.0)).collect();
    split_wide(amount, &wide)
}

/// As [`split`], by amounts: each is a weight in units of 10^-18. Negative ones weigh nothing.
pub fn split_by_amounts(amount: Amount, weights: &[Amount]) -> Option<Vec<Amount>> {
    let wide: Vec<u128> = weights.iter().map(|w| w.0.max(0).unsigned_abs()).collect();
    split_wide(amount, &wide)
}

/// Weights may be up to 2^127 each; their sum is scaled down if it would leave 127 bits, which only amounts near the bound of 38 digits do.
fn split_wide(amount: Amount, weights: &[u128]) -> Option<Vec<Amount>> {
    let scaled: Vec<u128>;
    let (weights, total) = match sum(weights) {
        Some(total) => (weights, total),
        None => {
            let shift = 8 + usize::BITS - weights.len().leading_zeros();
            scaled = weights.iter().map(|w| w >> shift).collect();
            (scaled.as_slice(), sum(&scaled)?)
        }
    };
    if total == 0 {
        return None;
    }
    let total = i128::try_from(total).ok()?;
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut left = amount.0.unsigned_abs();
    for weight in weights {
        let (part, remainder) = div_rem(amount.0, i128::try_from(*weight).ok()?, total)?;
        left -= part.unsigned_abs();
        parts.push(part);
        remainders.push(remainder.unsigned_abs());
    }
    // Fewer units are left than parts have a remainder, since the remainders sum to `left` x `total`.
    if left > 0 {
        let mut order: Vec<usize> = (0..parts.len()).filter(|i| remainders[*i] > 0).collect();
        order.sort_by_key(|i| (Reverse(remainders[*i]), *i));
        for i in order.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            parts[i] += amount.0.signum();
        }
    }
    Some(parts.into_iter().map(Amount).collect())
}

fn sum(weights: &[u128]) -> Option<u128> {
    weights.iter().try_fold(0_u128, |sum, w| sum.checked_add(*w)).filter(|sum| *sum <= i128::MAX.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(amount: &str, weights: &[u64], expected: &[&str]) {
        let weights: Vec<Weight> = weights.iter().map(|w| Weight::new(*w)).collect();
        let parts = split(Amount::parse(amount).unwrap().0, &weights).unwrap();
        let texts: Vec<String> = parts.iter().map(Amount::to_string).collect();
        assert_eq!(texts, expected, "{amount} by {weights:?}");
    }

    #[test]
    fn parts_are_fair_and_exact() {
        check("1", &[1, 1, 1], &["0.333333333333333334", "0.333333333333333333", "0.333333333333333333"]);
        check("-1", &[1, 1, 1], &["-0.333333333333333334", "-0.333333333333333333", "-0.333333333333333333"]);
        check("1", &[2, 1], &["0.666666666666666667", "0.333333333333333333"]);
        check("0.000000000000000001", &[1, 9], &["0", "0.000000000000000001"]);
        check("0.000000000000000002", &[0, 1, 1, 0], &["0", "0.000000000000000001", "0.000000000000000001", "0"]);
        check("0", &[1, 2], &["0", "0"]);
        check(
            "99999999999999999999",
            &[WEIGHT_MAX, WEIGHT_MAX, 0],
            &["49999999999999999999.5", "49999999999999999999.5", "0"],
        );
        assert_eq!(split(Amount(5), &[]), None);
        assert_eq!(split(Amount(5), &[Weight::ZERO, Weight::ZERO]), None);
    }

    #[test]
    fn measurements_are_weights() {
        for (value, units) in
            [(1.0, 1_000_000), (0.5e-6, 1), (-1.0, 0), (f64::NAN, 0), (f64::INFINITY, 0), (1e300, WEIGHT_MAX)]
        {
            assert_eq!(Weight::of_measurement(value).units(), units, "{value}");
        }
    }

    /// Sums without overflow, in halves.
    fn total(parts: &[Amount]) -> (i128, i128) {
        parts.iter().fold((0, 0), |(high, low), p| (high + (p.0 >> 64), low + (p.0 & 0xffff_ffff_ffff_ffff)))
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole_and_keep_its_sign(
            amount in -(10_i128.pow(38) - 1)..10_i128.pow(38),
            weights in prop::collection::vec(0_u64..=WEIGHT_MAX, 1..40),
        ) {
            let weights: Vec<Weight> = weights.into_iter().map(Weight::new).collect();
            let Some(parts) = split(Amount(amount), &weights) else { return Ok(()) };
            let (high, low) = total(&parts);
            prop_assert_eq!((high << 64) + low, amount);
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(part.0 == 0 || (part.0 < 0) == (amount < 0));
                prop_assert!(weight.units() > 0 || part.0 == 0);
            }
        }

        #[test]
        fn amounts_weigh_too(
            amount in -(10_i128.pow(38) - 1)..10_i128.pow(38),
            weights in prop::collection::vec(-(10_i128.pow(38) - 1)..10_i128.pow(38), 1..40),
        ) {
            let weights: Vec<Amount> = weights.into_iter().map(Amount).collect();
            let Some(parts) = split_by_amounts(Amount(amount), &weights) else { return Ok(()) };
            let (high, low) = total(&parts);
            prop_assert_eq!((high << 64) + low, amount);
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(part.0 == 0 || (part.0 < 0) == (amount < 0));
                prop_assert!(weight.0 > 0 || part.0 == 0);
            }
        }

        /// No part is further than one unit from its exact share.
        #[test]
        fn no_part_is_off_by_more_than_a_unit(amount in 0_u64.., weights in prop::collection::vec(0_u64..1 << 40, 1..20)) {
            let total: u128 = weights.iter().map(|w| u128::from(*w)).sum();
            let parts = split(Amount(i128::from(amount)), &weights.iter().map(|w| Weight::new(*w)).collect::<Vec<_>>());
            let Some(parts) = parts else { return Ok(()) };
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = u128::from(amount) * u128::from(*weight);
                let got = part.0.unsigned_abs() * total;
                prop_assert!(got.abs_diff(exact) < total);
            }
        }
    }
}
