//! Exact decimals, as FOCUS' numeric format writes them.
//!
//! Source: FOCUS 1.2, attribute "Numeric Format": an integer, a decimal or `mEn`; no plus signs, no separators, no units.

use crate::cell::{FORM, TYPE, bit};
use crate::rule::Cells;

/// `digits x 10^exponent`, or its negative. Two texts of one number may differ here; compare with the methods.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal {
    negative: bool,
    digits: u128,
    exponent: i32,
}

/// Exponents beyond this are no prices: such a number is a number, but is not computed with.
const EXPONENT_MAX: i32 = 100;

/// Reads a cell that is not null. The number is `None` if there is none, or if it has more than 38 digits.
pub(crate) fn read(text: &str) -> (u64, Option<Decimal>) {
    match plain(text.as_bytes()) {
        Some(number) => (0, number),
        None => odd(text),
    }
}

/// `-?digits[.digits][Edigits]`. `Some(None)` is a number that we do not compute with.
fn plain(text: &[u8]) -> Option<Option<Decimal>> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (mut small, mut wide, mut count) = (0u64, None::<u128>, 0usize);
    let (mut point, mut overflow, mut at) = (None, false, 0);
    while let Some(&b) = rest.get(at) {
        match b {
            b'0'..=b'9' => {
                let digit = b - b'0';
                count += 1;
                match &mut wide {
                    None if small < u64::MAX / 10 - 1 => small = small * 10 + u64::from(digit),
                    None => wide = Some(u128::from(small) * 10 + u128::from(digit)),
                    Some(w) => match w.checked_mul(10).and_then(|w| w.checked_add(u128::from(digit))) {
                        Some(next) => *w = next,
                        None => overflow = true,
                    },
                }
            }
            b'.' if point.is_none() => point = Some(count),
            b'e' | b'E' => break,
            _ => return None,
        }
        at += 1;
    }
    // A number has digits, and digits after its point.
    if count == 0 || point == Some(count) {
        return None;
    }
    let mut exponent = point.map_or(0, |p| p as i32 - count as i32);
    if let Some(rest) = rest.get(at + 1..) {
        let (minus, digits) = match rest {
            [b'-', digits @ ..] => (true, digits),
            _ => (false, rest),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let e = digits.iter().fold(0i32, |e, d| e.saturating_mul(10).saturating_add(i32::from(d - b'0')));
        exponent = exponent.saturating_add(if minus { -e } else { e });
    }
    let known = !overflow && exponent.abs() <= EXPONENT_MAX;
    Some(known.then(|| Decimal { negative, digits: wide.unwrap_or(u128::from(small)), exponent }))
}

/// What is wrong with a text that is not plain, and the number that it still is.
fn odd(text: &str) -> (u64, Option<Decimal>) {
    let trimmed = text.trim();
    let mut faults = FORM;
    let mut fault = |is: bool, what: Cells| faults |= if is { bit(what) } else { 0 };
    let lower = trimmed.to_ascii_lowercase();
    let unsigned = lower.trim_start_matches(['+', '-']);
    fault(lower.contains('/'), Cells::NumberFraction);
    fault(lower.starts_with('+'), Cells::NumberPlus);
    fault(lower.contains("e+"), Cells::NumberExponentSign);
    let times_ten = lower.contains("x10") || lower.contains("*10") || lower.contains('\u{d7}');
    fault(times_ten, Cells::NumberExponent);
    fault(times_ten || lower.contains(['*', '^', '=', '<', '>', '~', '(', ')']), Cells::NumberOperator);
    let minus =
        trimmed.ends_with('-') || trimmed.contains('\u{2212}') || (lower.starts_with('(') && lower.ends_with(')'));
    fault(minus, Cells::NumberMinus);
    fault(unsigned.contains([',', '_', '\'', ':', ';']) || unsigned.matches('.').count() > 1, Cells::NumberPunctuation);
    let mantissa = unsigned.split_once('e').map_or(unsigned, |(m, _)| m);
    let word = |c: char| c.is_alphabetic() || matches!(c, '$' | '%' | '#' | '\u{20ac}' | '\u{a3}' | '\u{a5}');
    fault(mantissa.contains(word) || mantissa.is_empty(), Cells::NumberWord);
    let numbers = trimmed.split([' ', ';', '\t']).filter(|t| t.contains(|c: char| c.is_ascii_digit())).count();
    fault(numbers > 1, Cells::NumberSingle);
    // A plus sign or blanks around it leave a number a number.
    let bare = lower.strip_prefix('+').unwrap_or(&lower).replace("e+", "e");
    match plain(bare.as_bytes()) {
        Some(number) => (faults, number),
        None => (faults | TYPE | bit(Cells::NumberKnown), None),
    }
}

impl Decimal {
    /// Whether it is 0.
    pub(crate) fn is_zero(&self) -> bool {
        self.digits == 0
    }

    /// Whether it is below 0.
    pub(crate) fn is_negative(&self) -> bool {
        self.negative && self.digits != 0
    }

    /// Whether two decimals are one number.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        const ONE: Decimal = Decimal { negative: false, digits: 1, exponent: 0 };
        self.times_is(&ONE, other)
    }

    /// Whether `self x factor = product`.
    pub(crate) fn times_is(&self, factor: &Self, product: &Self) -> bool {
        if self.is_zero() || factor.is_zero() || product.is_zero() {
            return (self.is_zero() || factor.is_zero()) && product.is_zero();
        }
        if (self.negative != factor.negative) != product.negative {
            return false;
        }
        let shift = self.exponent + factor.exponent - product.exponent;
        let near = || {
            let power = 10u128.checked_pow(shift.unsigned_abs())?;
            let (left, right) = (self.digits.checked_mul(factor.digits)?, product.digits);
            let (left, right) =
                if shift >= 0 { (left.checked_mul(power)?, right) } else { (left, right.checked_mul(power)?) };
            Some(left == right)
        };
        near().unwrap_or_else(|| {
            let (a, b, c) = (self.stripped(), factor.stripped(), product.stripped());
            // Without trailing zeros of their own, a product may only gain them: its factors' twos and fives.
            let (mut left, mut shift) = (wide_product(a.digits, b.digits), a.exponent + b.exponent - c.exponent);
            while shift < 0 {
                let (quotient, rest) = wide_tenth(left);
                if rest != 0 {
                    return false;
                }
                (left, shift) = (quotient, shift + 1);
            }
            // c has no trailing zero, so that left x 10^shift is c only where there is nothing to shift.
            shift == 0 && left == (0, c.digits)
        })
    }

    fn stripped(mut self) -> Self {
        while self.digits != 0 && self.digits.is_multiple_of(10) {
            self.digits /= 10;
            self.exponent += 1;
        }
        self
    }

    /// As a count of 10^-18, unless it is finer or larger than that holds.
    pub(crate) fn scaled(&self) -> Option<i128> {
        let mut digits = self.digits;
        let mut shift = self.exponent + 18;
        while shift < 0 {
            if !digits.is_multiple_of(10) {
                return None;
            }
            (digits, shift) = (digits / 10, shift + 1);
        }
        let digits = i128::try_from(digits.checked_mul(10u128.checked_pow(shift.unsigned_abs())?)?).ok()?;
        Some(if self.negative { -digits } else { digits })
    }
}

/// `a x b` as (high, low) of 256 bits.
fn wide_product(a: u128, b: u128) -> (u128, u128) {
    const HALF: u32 = 64;
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> HALF, a & LOW, b >> HALF, b & LOW);
    let (low, cross, high) = (a0 * b0, (a0 * b1, a1 * b0), a1 * b1);
    let middle = (low >> HALF) + (cross.0 & LOW) + (cross.1 & LOW);
    (high + (cross.0 >> HALF) + (cross.1 >> HALF) + (middle >> HALF), (middle << HALF) | (low & LOW))
}

/// A tenth of 256 bits and what is left.
fn wide_tenth((high, low): (u128, u128)) -> ((u128, u128), u128) {
    const HALF: u32 = 64;
    const LOW: u128 = u64::MAX as u128;
    let (quotient_high, rest) = (high / 10, high % 10);
    let middle = (rest << HALF) | (low >> HALF);
    let last = ((middle % 10) << HALF) | (low & LOW);
    ((quotient_high, ((middle / 10) << HALF) | (last / 10)), last % 10)
}

/// A count of 10^-18 in plain notation.
pub(crate) fn plain_text(scaled: i128) -> String {
    let digits = format!("{:019}", scaled.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - 18);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{whole}{point}{fraction}", if scaled < 0 { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::names;

    fn number(text: &str) -> Decimal {
        read(text).1.unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn faults_of_numbers() {
        let cases = [
            ("0", ""),
            ("-12.50", ""),
            (".5", ""),
            ("1.5E-7", ""),
            ("1e5", ""),
            ("99999999999999999999999999999999999999999", ""),
            ("+1", "FORM NumberPlus"),
            ("1E+5", "FORM NumberExponentSign"),
            (" 1", "FORM"),
            ("1,000.5", "FORM TYPE NumberKnown NumberPunctuation"),
            ("1/2", "FORM TYPE NumberKnown NumberFraction"),
            ("1x10^5", "FORM TYPE NumberKnown NumberExponent NumberOperator NumberWord"),
            ("$5", "FORM TYPE NumberKnown NumberWord"),
            ("5 GB", "FORM TYPE NumberKnown NumberWord"),
            ("(5)", "FORM TYPE NumberKnown NumberOperator NumberMinus"),
            ("5-", "FORM TYPE NumberKnown NumberMinus"),
            ("1 2", "FORM TYPE NumberSingle NumberKnown"),
            ("many", "FORM TYPE NumberKnown NumberWord"),
            ("1.2.3", "FORM TYPE NumberKnown NumberPunctuation"),
            ("5.", "FORM TYPE NumberKnown"),
            ("", "FORM TYPE NumberKnown NumberWord"),
        ];
        for (text, expected) in cases {
            assert_eq!(names(read(text).0), expected, "{text:?}");
        }
    }

    #[test]
    fn products_are_exact() {
        let cases = [
            ("0.0000004", "2.00000000000", "0.00000080000", true),
            ("0.0000004", "2.00000000000", "0.00000080001", false),
            ("-0.1", "3", "-0.3", true),
            ("-0.1", "3", "0.3", false),
            ("-0.1", "-3", "0.3", true),
            ("0", "5", "0.000", true),
            ("1E-30", "1E30", "1", true),
            ("2", "5", "1E1", true),
            ("123456789012345678901234567890", "1000000000000000000000", "1.2345678901234567890123456789E50", true),
            ("123456789012345678901234567891", "123456789012345678901234567891", "1", false),
            ("25000000000000000000000000000000", "4", "1E32", true),
        ];
        for (a, b, c, expected) in cases {
            assert_eq!(number(a).times_is(&number(b), &number(c)), expected, "{a} x {b} = {c}");
        }
        assert!(number("1.50").equals(&number("15E-1")));
        assert!(!number("1.50").equals(&number("1.500000000000000000000000001")));
    }

    #[test]
    fn sums_are_counts_of_the_eighteenth_decimal() {
        let cases = [
            ("1.5", Some("1.5")),
            ("-0.000000000000000001", Some("-0.000000000000000001")),
            ("1E-19", None),
            ("1E40", None),
        ];
        for (text, expected) in cases {
            assert_eq!(number(text).scaled().map(plain_text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,24}") {
            let _ = read(&text);
        }

        #[test]
        fn products_agree_with_integers(a in 0u64.., b in 0u64.., scale in 0i32..30) {
            let make = |digits: u128, exponent| Decimal { negative: false, digits, exponent };
            let product = u128::from(a) * u128::from(b);
            prop_assert!(make(a.into(), -scale).times_is(&make(b.into(), scale), &make(product, 0)));
            prop_assert!(!make(a.into(), -scale).times_is(&make(b.into(), scale), &make(product ^ 1, 0)));
        }
    }
}
