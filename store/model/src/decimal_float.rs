//! Floats that were decimals: `0.25`, `1234567`, `17.32`. Most samples are such numbers, and as whole numbers with a scale
//! they take a fraction of a float's bits at rest.
//!
//! A form is a scale `s`: the value is `m / s` for a scale of at least 1, and `m * |s|` below. Division by a power of ten is
//! what parsing a decimal gives; multiplication by `0.001` is what exporters do that count milliseconds; multiplication by a whole
//! number, written as a negative scale (`-4096`), is what bytes counted in pages are. All round at most once, so a form is exact for a
//! value or it is not used: [`scale_of`] checks every bit.

/// The forms that are tried, in this order; where the first fits, a whole factor may take its place.
const SCALES: [f64; 13] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e-3, 1e-6, 1e-9];
/// Whole numbers below this are floats exactly.
const MANTISSA_MAX: f64 = 9_007_199_254_740_992.0;

/// A factor that saves fewer bits is left out: each is one more scale to remember.
const FACTOR_MIN: i64 = 4;

/// The value of a mantissa under a scale. See the module.
#[inline]
pub fn restore(mantissa: i64, scale: f64) -> f64 {
    let m = mantissa as f64;
    if scale < 1.0 { m * scale.abs() } else { m / scale }
}

/// The mantissa of a value under a scale, if that gives the same bits back.
#[inline]
pub fn mantissa(value: f64, scale: f64) -> Option<i64> {
    let m = if scale < 1.0 { value / scale.abs() } else { value * scale }.round();
    // Also false for NaN and the infinities.
    if m.abs() < MANTISSA_MAX && restore(m as i64, scale).to_bits() == value.to_bits() { Some(m as i64) } else { None }
}

/// Whether a value can be a decimal at all: not NaN (its payload says something), not infinite, not -0.
#[inline]
pub fn is_plain(value: f64) -> bool {
    value.is_finite() && (value != 0.0 || value.is_sign_positive())
}

/// A form that is exact for all plain values of a run (of one series); `None` if there is none, or no plain value.
pub fn scale_of(values: &[f64]) -> Option<f64> {
    // The form of one value is mostly the form of all: values that fail are tried again before the rest.
    let first = values.iter().position(|v| is_plain(*v))?;
    let mut from = 0;
    let mut witness = values[first];
    'form: while from < SCALES.len() {
        let scale = SCALES[from];
        from += 1;
        if mantissa(witness, scale).is_none() {
            continue;
        }
        for value in &values[first..] {
            if is_plain(*value) && mantissa(*value, scale).is_none() {
                witness = *value;
                continue 'form;
            }
        }
        return Some(if scale == 1.0 { factor_of(&values[first..]) } else { scale });
    }
    None
}

/// The scale of whole numbers: the largest power of two or of ten that divides them all, negative, or 1.
fn factor_of(values: &[f64]) -> f64 {
    let mut whole = values.iter().filter(|v| is_plain(**v)).map(|v| *v as i64);
    let first = whole.next().unwrap_or(0);
    let (mut common, mut differ) = (first, false);
    for m in whole {
        differ |= m != first;
        common = greatest_common_divisor(common, m);
        if common.abs() < FACTOR_MIN && common != 0 {
            return 1.0;
        }
    }
    // A number that never changes has nothing to save.
    if !differ {
        return 1.0;
    }
    let common = common.abs();
    let mut ten = 1;
    while common % (ten * 10) == 0 {
        ten *= 10;
    }
    let factor = ten.max(1 << common.trailing_zeros());
    if factor < FACTOR_MIN { 1.0 } else { -(factor as f64) }
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_forms() {
        for (values, expected) in [
            (vec![1.0, 2.0, 3e15], Some(1.0)),
            (vec![0.25, 17.32], Some(100.0)),
            (vec![0.1, 1.0, f64::NAN, -0.0, f64::INFINITY], Some(10.0)),
            (vec![37_263.0 * 0.001, 1_107_091.0 * 0.001, 0.001], Some(0.001)),
            (vec![8192.0, 0.0, -4096.0, f64::NAN, 28672.0], Some(-4096.0)),
            (vec![3000.0, 7000.0, 9_007_199_254_740_000.0], Some(-1000.0)),
            (vec![24.0, 48.0, 60.0], Some(-4.0)),
            (vec![4096.0, 4096.0], Some(1.0)),
            (vec![0.0, 0.0], Some(1.0)),
            (vec![std::f64::consts::PI], None),
            (vec![1e300], None),
            (vec![f64::NAN, -0.0], None),
            (vec![], None),
        ] {
            // Where dividing is exact too, it comes first.
            let found = scale_of(&values);
            let exact = |s: f64| values.iter().all(|v| !is_plain(*v) || mantissa(*v, s).is_some());
            assert_eq!(found.is_some(), expected.is_some(), "{values:?}");
            assert!(found.is_none_or(exact), "{values:?}");
            if expected.is_some_and(|e| !(0.0..1.0).contains(&e)) {
                assert_eq!(found, expected, "{values:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_form_gives_the_same_bits_back(bits in proptest::collection::vec(any::<u64>(), 0..20), whole in -1_000_000_000_i64..1_000_000_000, scale in 0..SCALES.len(), factor in 1..5000_i64) {
            let mut values: Vec<f64> = bits.iter().map(|b| f64::from_bits(*b)).collect();
            values.push(restore(whole, SCALES[scale]));
            for v in &values {
                for s in SCALES {
                    if let Some(m) = mantissa(*v, s) {
                        prop_assert_eq!(restore(m, s).to_bits(), v.to_bits());
                    }
                }
            }
            let of_last = scale_of(&values[bits.len()..]);
            prop_assert!(of_last.is_some() || !is_plain(values[bits.len()]));
            let multiples = bits.iter().map(|b| ((*b as i32 as i64) * factor) as f64).collect::<Vec<_>>();
            if let Some(scale) = scale_of(&multiples) {
                for v in multiples {
                    prop_assert_eq!(restore(mantissa(v, scale).unwrap(), scale).to_bits(), v.to_bits());
                }
            }
        }
    }
}
