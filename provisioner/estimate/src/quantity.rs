//! Exact arithmetic of quantities: decimals with 18 digits after the point, products and quotients through 256 bits, rounded
//! half to even. A quantity may be unset (it depends on usage that nobody has stated); whatever is computed from it is unset too.

use std::fmt;
use std::ops::{Add, Div, Mul, Sub};

use arrow_buffer::i256;
use grid_model::Amount;
use grid_model::money::SCALE;

const ONE: i128 = 10_i128.pow(SCALE);
const MAX: i128 = 10_i128.pow(38) - 1;

/// The product of two decimals, rounded half to even at the eighteenth decimal; `None` beyond 20 digits before the point.
pub fn product(a: Amount, b: Amount) -> Option<Amount> {
    rounded(i256::from_i128(a.0).checked_mul(i256::from_i128(b.0))?, i256::from_i128(ONE))
}

/// The quotient of two decimals, rounded likewise; `None` for a division by zero.
pub fn quotient(a: Amount, b: Amount) -> Option<Amount> {
    if b.0 == 0 {
        return None;
    }
    rounded(i256::from_i128(a.0).checked_mul(i256::from_i128(ONE))?, i256::from_i128(b.0))
}

fn rounded(n: i256, d: i256) -> Option<Amount> {
    let (q, r) = (n.checked_div(d)?, n.checked_rem(d)?);
    let (q, twice) = (q.to_i128()?, r.wrapping_abs().checked_mul(i256::from_i128(2))?);
    let negative = n.is_negative() != d.is_negative();
    let d = d.wrapping_abs();
    let away = twice > d || (twice == d && q % 2 != 0);
    let q = match (away, negative) {
        (false, _) => q,
        (true, false) => q.checked_add(1)?,
        (true, true) => q.checked_sub(1)?,
    };
    (q.abs() <= MAX).then_some(Amount(q))
}

/// A whole number as a decimal.
pub const fn whole(n: i64) -> Amount {
    Amount(n as i128 * ONE)
}

/// The least whole number not below.
pub fn ceiling(a: Amount) -> Amount {
    Amount(a.0.div_euclid(ONE).saturating_add(i128::from(a.0.rem_euclid(ONE) != 0)).saturating_mul(ONE))
}

/// The greatest whole number not above.
pub fn floor(a: Amount) -> Amount {
    Amount(a.0.div_euclid(ONE).saturating_mul(ONE))
}

/// The value as an integer if it is one that fits.
pub fn integer(a: Amount) -> Option<i64> {
    (a.0 % ONE == 0).then(|| i64::try_from(a.0 / ONE).ok())?
}

/// How much of something a month will use: a decimal, or unset.
///
/// Arithmetic never fails: what does not fit, and what is divided by zero, is unset, which is shown, never counted as nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantity(pub Option<Amount>);

impl Quantity {
    /// Not known.
    pub const UNSET: Self = Self(None);
    /// Nothing, which costs nothing at any price.
    pub const ZERO: Self = Self(Some(Amount::ZERO));

    /// A whole number.
    pub const fn of(n: i64) -> Self {
        Self(Some(whole(n)))
    }

    /// A decimal literal of a rule, such as `0.5`; unset if it is none.
    pub fn decimal(text: &str) -> Self {
        Self(Amount::parse(text).ok().map(|(a, _)| a))
    }

    /// This, or the given number where it is unset.
    pub fn or(self, n: i64) -> Self {
        Self(Some(self.0.unwrap_or(whole(n))))
    }

    /// This, or another quantity where it is unset.
    pub fn or_else(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    /// Whether it is stated and zero.
    pub fn is_zero(self) -> bool {
        self.0 == Some(Amount::ZERO)
    }

    /// Whether it is stated and above zero.
    pub fn is_positive(self) -> bool {
        self.0.is_some_and(|a| a.0 > 0)
    }

    /// Whether it is stated.
    pub fn is_set(self) -> bool {
        self.0.is_some()
    }

    /// Rounded up to a whole number.
    pub fn ceil(self) -> Self {
        Self(self.0.map(ceiling))
    }

    /// Rounded down to a whole number.
    pub fn floor(self) -> Self {
        Self(self.0.map(floor))
    }

    /// Not below the other; unset if one of them is.
    pub fn max(self, other: impl Into<Self>) -> Self {
        self.with(other, |a, b| Some(a.max(b)))
    }

    /// Not above the other; unset if one of them is.
    pub fn min(self, other: impl Into<Self>) -> Self {
        self.with(other, |a, b| Some(a.min(b)))
    }

    /// What is left above a free allowance, at least nothing.
    pub fn above(self, free: impl Into<Self>) -> Self {
        (self - free).max(0)
    }

    fn with(self, other: impl Into<Self>, op: impl Fn(Amount, Amount) -> Option<Amount>) -> Self {
        match (self.0, other.into().0) {
            (Some(a), Some(b)) => Self(op(a, b)),
            _ => Self(None),
        }
    }
}

impl From<i64> for Quantity {
    fn from(n: i64) -> Self {
        Self::of(n)
    }
}

impl From<Amount> for Quantity {
    fn from(a: Amount) -> Self {
        Self(Some(a))
    }
}

impl From<Option<Amount>> for Quantity {
    fn from(a: Option<Amount>) -> Self {
        Self(a)
    }
}

impl<T: Into<Quantity>> Add<T> for Quantity {
    type Output = Self;
    fn add(self, other: T) -> Self {
        self.with(other, Amount::checked_add)
    }
}

impl<T: Into<Quantity>> Sub<T> for Quantity {
    type Output = Self;
    fn sub(self, other: T) -> Self {
        self.with(other, |a, b| a.checked_add(Amount(b.0.checked_neg()?)))
    }
}

impl<T: Into<Quantity>> Mul<T> for Quantity {
    type Output = Self;
    fn mul(self, other: T) -> Self {
        self.with(other, product)
    }
}

impl<T: Into<Quantity>> Div<T> for Quantity {
    type Output = Self;
    fn div(self, other: T) -> Self {
        self.with(other, quotient)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(amount) => amount.fmt(f),
            None => f.write_str("unset"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exact_and_unset() {
        let q = Quantity::decimal;
        assert_eq!((q("0.1") * q("0.2")).to_string(), "0.02");
        assert_eq!((q("10") / 4).to_string(), "2.5");
        assert_eq!((q("-10") / 3).to_string(), "-3.333333333333333333");
        assert_eq!((q("2") / 3).to_string(), "0.666666666666666667");
        assert_eq!((q("-2") / -3).to_string(), "0.666666666666666667");
        assert_eq!((q("1") / 0).to_string(), "unset");
        assert_eq!((Quantity::UNSET * 3 + 1).to_string(), "unset");
        assert_eq!(q("2.1").ceil().to_string(), "3");
        assert_eq!(q("-2.1").ceil().to_string(), "-2");
        assert_eq!(q("-2.1").floor().to_string(), "-3");
        assert_eq!(q("5").above(7), Quantity::ZERO);
        assert_eq!(q("99999999999999999999") * 10, Quantity::UNSET);
    }

    proptest! {
        #[test]
        fn a_product_divides_back(a in -10_i128.pow(28)..10_i128.pow(28), b in 1_i64..1_000_000) {
            let p = Quantity(Some(Amount(a))) * b;
            prop_assert_eq!(p / b, Quantity(Some(Amount(a))));
        }
        #[test]
        fn nothing_panics(a in any::<i128>(), b in any::<i128>()) {
            let (a, b) = (Quantity(Some(Amount(a))), Quantity(Some(Amount(b))));
            let _ = (a * b, a / b, a - b, a + b, a.ceil(), a.floor());
        }
    }
}
