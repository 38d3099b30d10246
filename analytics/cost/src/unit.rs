//! Cost of one unit of something: a request, a customer, a trace.

use grid_model::Amount;
use grid_model::wide::div_rem;

/// `cost / units`, in units of 10^-18 rounded towards zero; units are counted to the millionth. `None` without units, or if it does not fit.
pub fn per_unit(cost: Amount, units: f64) -> Option<Amount> {
    let micro = (units * 1e6).round();
    if !(1.0..9.0e18).contains(&micro) {
        return None;
    }
    let (quotient, _) = div_rem(cost.0, 1_000_000, micro as i128)?;
    Amount::ZERO.checked_add(Amount(quotient))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_has_its_price() {
        for (cost, units, want) in [
            ("10", 4.0, Some("2.5")),
            ("1", 3.0, Some("0.333333333333333333")),
            ("-1", 0.5, Some("-2")),
            ("1", 0.0, None),
            ("1", f64::NAN, None),
            ("1", -1.0, None),
            ("99999999999999999999", 0.000_001, None),
        ] {
            let got = per_unit(Amount::parse(cost).unwrap().0, units).map(|a| a.to_string());
            assert_eq!(got.as_deref(), want, "{cost} / {units}");
        }
    }
}
