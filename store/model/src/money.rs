//! Money and other exact decimals: integers scaled by 10^18, at rest `DECIMAL(38, 18)`. Never a float.
//!
//! FOCUS allows E-notation and gives no bound on decimals; its sample has 15. Digits beyond the eighteenth are rounded
//! half to even, and the rounding residual (source minus kept) is returned, so that totals still reconcile exactly.

use std::fmt;

use crate::wide;

/// Digits after the decimal point that are kept.
pub const SCALE: u32 = 18;
/// Total digits at rest (Arrow `Decimal128(38, 18)`).
pub const PRECISION: u8 = 38;
/// Digits after the decimal point that are understood; more is an error.
pub const SOURCE_SCALE_MAX: u32 = 36;
const MAX_UNITS: i128 = 10_i128.pow(38) - 1;
/// 1 as units.
const ONE: i128 = 10_i128.pow(SCALE);

/// An exact decimal, in units of 10^-18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(pub i128);

/// What rounding to 18 decimals took away, in units of 10^-36: source = amount + residual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Residual(pub i128);

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a decimal number.
    #[error("{0:?} is not a decimal number")]
    NotANumber(String),
    /// More digits before the decimal point than fit.
    #[error("{0:?} has more than 20 digits before the decimal point")]
    TooLarge(String),
    /// More digits after the decimal point than are understood.
    #[error("{0:?} has more than {SOURCE_SCALE_MAX} decimals")]
    TooFine(String),
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a decimal with optional sign, point and exponent (`-1.5`, `.5`, `2E-7`). No thousands separators.
    pub fn parse(text: &str) -> Result<(Self, Residual), AmountError> {
        let bad = || AmountError::NotANumber(text.to_owned());
        let t = text.trim();
        let (negative, t) = match t.as_bytes().first() {
            Some(b'-') => (true, &t[1..]),
            Some(b'+') => (false, &t[1..]),
            _ => (false, t),
        };
        let (mantissa, exponent) = match t.find(['e', 'E']) {
            Some(i) => (&t[..i], t[i + 1..].parse::<i32>().map_err(|_| bad())?),
            None => (t, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        {
            return Err(bad());
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        // The value is `digits` x 10^-decimals.
        let mut decimals = i64::try_from(fraction.len()).map_err(|_| bad())? - i64::from(exponent);
        let kept = digits.trim_end_matches('0');
        decimals -= (digits.len() - kept.len()) as i64;
        if kept.is_empty() {
            return Ok((Self::ZERO, Residual(0)));
        }
        if decimals > i64::from(SOURCE_SCALE_MAX) {
            return Err(AmountError::TooFine(text.to_owned()));
        }
        if kept.len() as i64 - decimals > 20 {
            return Err(AmountError::TooLarge(text.to_owned()));
        }
        let scale = i64::from(SCALE);
        let too_large = || AmountError::TooLarge(text.to_owned());
        let (units, residual) = if decimals <= scale {
            let n: i128 = kept.parse().map_err(|_| bad())?;
            (n.checked_mul(10_i128.pow((scale - decimals) as u32)).ok_or_else(too_large)?, 0)
        } else {
            let cut = kept.len() as i64 - (decimals - scale);
            let (high, low) = if cut <= 0 { ("0", kept) } else { kept.split_at(cut as usize) };
            let n: i128 = high.parse().map_err(|_| bad())?;
            let low_scale = 10_i128.pow((i64::from(SOURCE_SCALE_MAX) - decimals) as u32);
            let fine: i128 = low.parse::<i128>().map_err(|_| bad())? * low_scale;
            let one = 10_i128.pow(SOURCE_SCALE_MAX - SCALE);
            let up = fine * 2 > one || (fine * 2 == one && n % 2 == 1);
            if up { (n + 1, fine - one) } else { (n, fine) }
        };
        if units > MAX_UNITS {
            return Err(too_large());
        }
        Ok(if negative { (Self(-units), Residual(-residual)) } else { (Self(units), Residual(residual)) })
    }

    /// The sum, if it fits into 38 digits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).filter(|s| s.abs() <= MAX_UNITS).map(Self)
    }

    /// The product, rounded half to even, and exactly what that took; `None` if it leaves 38 digits. Two factors of 18
    /// decimals make 36, so nothing else is lost.
    pub fn checked_mul(self, other: Self) -> Option<(Self, Residual)> {
        let (high, low) = wide_product(self.0.unsigned_abs(), other.0.unsigned_abs());
        let (units, fine) = divided(high, low)?;
        let (one, fine) = (10_i128.pow(SCALE), i128::from(fine));
        let units = i128::try_from(units).ok()?;
        let up = fine * 2 > one || (fine * 2 == one && units % 2 == 1);
        let (units, fine) = if up { (units + 1, fine - one) } else { (units, fine) };
        let sign = if (self.0 < 0) == (other.0 < 0) { 1 } else { -1 };
        (units <= MAX_UNITS).then_some((Self(sign * units), Residual(sign * fine)))
    }

    /// `self x numerator / denominator`, rounded half to even; `None` if the denominator is zero or the answer has more than 38 digits.
    pub fn mul_div(self, numerator: i128, denominator: i128) -> Option<Self> {
        let units = wide::mul_div(self.0, numerator, denominator)?;
        (units.unsigned_abs() <= MAX_UNITS as u128).then_some(Self(units))
    }

    /// The product of two decimals (price x quantity), rounded half to even at 18 decimals; `None` if it does not fit.
    pub fn times(self, other: Self) -> Option<Self> {
        self.mul_div(other.0, ONE)
    }

    /// The quotient of two decimals (cost / quantity), rounded half to even at 18 decimals; `None` if `other` is zero or the
    /// answer does not fit.
    pub fn over(self, other: Self) -> Option<Self> {
        self.mul_div(ONE, other.0)
    }
}

/// A product of 256 bits: the upper and the lower half.
fn wide_product(a: u128, b: u128) -> (u128, u128) {
    const HALF: u32 = 64;
    const MASK: u128 = u64::MAX as u128;
    let (a_high, a_low, b_high, b_low) = (a >> HALF, a & MASK, b >> HALF, b & MASK);
    let low = a_low * b_low;
    let middle = a_high * b_low + (low >> HALF);
    let other = a_low * b_high + (middle & MASK);
    (a_high * b_high + (middle >> HALF) + (other >> HALF), (other << HALF) | (low & MASK))
}

/// 256 bits divided by 10^18: the quotient, if it fits 128 bits, and the rest.
fn divided(high: u128, low: u128) -> Option<(u128, u64)> {
    const ONE: u128 = 10_u128.pow(SCALE);
    let (mut quotient, mut rest) = (0_u128, 0_u128);
    for limb in [high >> 64, high & u128::from(u64::MAX), low >> 64, low & u128::from(u64::MAX)] {
        if quotient >> 64 != 0 {
            return None;
        }
        let part = (rest << 64) | limb;
        quotient = (quotient << 64) | (part / ONE);
        rest = part % ONE;
    }
    Some((quotient, rest as u64))
}

impl fmt::Display for Amount {
    /// Plain decimal without trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal_text(self.0, SCALE))
    }
}

impl fmt::Display for Residual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal_text(self.0, SOURCE_SCALE_MAX))
    }
}

fn decimal_text(units: i128, scale: u32) -> String {
    let one = 10_u128.pow(scale);
    let abs = units.unsigned_abs();
    let sign = if units < 0 { "-" } else { "" };
    let fraction = format!("{:0width$}", abs % one, width = scale as usize);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", abs / one)
}

/// An ISO 4217 code or FOCUS virtual currency, as written in the bill.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(pub String);

/// Exact sums per currency. Adding two currencies is not possible.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals(pub std::collections::BTreeMap<Currency, (Amount, Residual)>);

impl Totals {
    /// Adds one parsed amount; `None` (and no change) if the sum leaves 38 digits.
    pub fn add(&mut self, currency: &Currency, (amount, residual): (Amount, Residual)) -> Option<()> {
        let entry = self.0.entry(currency.clone()).or_default();
        let sum = entry.0.checked_add(amount)?;
        let fine = entry.1.0.checked_add(residual.0)?;
        *entry = (sum, Residual(fine));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_and_amounts() {
        let cases = [
            ("0", "0", "0"),
            ("1.68230869740", "1.6823086974", "0"),
            ("-.5", "-0.5", "0"),
            ("5.", "5", "0"),
            ("2E-7", "0.0000002", "0"),
            ("1.2e3", "1200", "0"),
            ("0.0000000000000000005", "0", "0.0000000000000000005"),
            ("0.0000000000000000015", "0.000000000000000002", "-0.0000000000000000005"),
            ("-0.0000000000000000016", "-0.000000000000000002", "0.0000000000000000004"),
            ("99999999999999999999", "99999999999999999999", "0"),
            ("00000000000000000000000000000000000000000001.5", "1.5", "0"),
            ("1e-36", "0", "0.000000000000000000000000000000000001"),
        ];
        for (text, amount, residual) in cases {
            let (a, r) = Amount::parse(text).unwrap();
            assert_eq!((a.to_string().as_str(), r.to_string().as_str()), (amount, residual), "{text}");
        }
        for bad in
            ["", ".", "-", "1,5", "NaN", "inf", "1e", "0x1", "1 2", "1e99999999999", "100000000000000000000", "1e-37"]
        {
            assert!(Amount::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn products_are_exact() {
        let cases = [
            ("0.027265128", "0.1", "0.0027265128", "0"),
            ("-3", "2.5", "-7.5", "0"),
            ("0.000000000000000001", "0.5", "0", "0.0000000000000000005"),
            ("0.000000000000000003", "0.5", "0.000000000000000002", "-0.0000000000000000005"),
            ("-0.000000000000000003", "0.5", "-0.000000000000000002", "0.0000000000000000005"),
            ("9999999999", "9999999999", "99999999980000000001", "0"),
        ];
        for (a, b, product, residual) in cases {
            let (a, b) = (Amount::parse(a).unwrap().0, Amount::parse(b).unwrap().0);
            let (p, r) = a.checked_mul(b).unwrap();
            assert_eq!((p.to_string().as_str(), r.to_string().as_str()), (product, residual), "{a} x {b}");
        }
        assert_eq!(Amount(MAX_UNITS).checked_mul(Amount(MAX_UNITS)), None);
        assert_eq!(Amount(MAX_UNITS).checked_mul(Amount(10_i128.pow(18))), Some((Amount(MAX_UNITS), Residual(0))));
    }

    #[test]
    fn products_and_quotients_round_half_to_even() {
        let amount = |text: &str| Amount::parse(text).unwrap().0;
        for (a, b, product, quotient) in [
            ("0.1", "0.2", "0.02", "0.5"),
            ("1", "3", "3", "0.333333333333333333"),
            ("2", "3", "6", "0.666666666666666667"),
            ("-2", "3", "-6", "-0.666666666666666667"),
            ("0.000000000000000001", "0.5", "0", "0.000000000000000002"),
            ("0.000000000000000003", "0.5", "0.000000000000000002", "0.000000000000000006"),
            ("-0.000000000000000001", "2", "-0.000000000000000002", "0"),
            ("12345678901.123456789", "98765432.1", "1219326311237311385.2112635269", "124.999998872312500003"),
        ] {
            let (a, b) = (amount(a), amount(b));
            let shown = |x: Option<Amount>| x.unwrap().to_string();
            assert_eq!((shown(a.times(b)).as_str(), shown(a.over(b)).as_str()), (product, quotient), "{a} {b}");
        }
        assert_eq!(amount("1").over(Amount::ZERO), None);
        assert_eq!(amount("99999999999999999999").times(amount("10")), None);
    }

    proptest! {
        #[test]
        fn a_product_and_its_residual_are_the_whole_product(a in any::<i64>(), b in any::<i64>()) {
            let (p, r) = Amount(i128::from(a)).checked_mul(Amount(i128::from(b))).unwrap();
            prop_assert_eq!(p.0 * 10_i128.pow(18) + r.0, i128::from(a) * i128::from(b));
        }
        #[test]
        fn a_product_undoes_a_division_by_a_power_of_ten(units in -MAX_UNITS..=MAX_UNITS, power in 0..18_u32) {
            let (p, r) = Amount(units).checked_mul(Amount(10_i128.pow(power))).unwrap();
            let one = 10_i128.pow(18 - power);
            prop_assert_eq!(p.0 * one + r.0 / 10_i128.pow(power), units);
        }
        #[test]
        fn short_and_long_products_agree(a in -MAX_UNITS..=MAX_UNITS, n in -1_000_000_i128..1_000_000, d in 1_i128..1_000_000) {
            // The same fraction twice: once within 128 bits if it fits, once pushed out of them.
            let wide = 10_i128.pow(20);
            prop_assert_eq!(Amount(a).mul_div(n, d), Amount(a).mul_div(n * wide, d * wide));
        }
        #[test]
        fn amounts_print_and_parse(units in -MAX_UNITS..=MAX_UNITS) {
            let a = Amount(units);
            prop_assert_eq!(Amount::parse(&a.to_string()).unwrap(), (a, Residual(0)));
        }
        #[test]
        fn parse_never_panics(text in "[-+]?[0-9]{0,45}[.]?[0-9]{0,45}([eE][-+]?[0-9]{0,4})?") {
            let _ = Amount::parse(&text);
        }
    }
}
