//! How estimates are shown: [`table`] for a terminal, [`markdown`] for a comment on a change, [`json`] in the shape of Infracost's
//! output, format 0.2. Amounts are rounded here and nowhere else.

pub mod table;
pub mod markdown;
pub mod json;

use grid_model::{Amount, Currency};

use crate::estimate::Total;

/// An amount rounded half to even to cents, with thousands separated: `$1,234.50`.
pub fn money(amount: Amount, currency: &Currency) -> String {
    let cents = rounded(amount, 2);
    let sign = if cents < 0 { "-" } else { "" };
    let (whole, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    let number = format!("{}.{rest:02}", grouped(&whole.to_string()));
    match currency.0.as_str() {
        "USD" => format!("{sign}${number}"),
        "EUR" => format!("{sign}€{number}"),
        code => format!("{sign}{number} {code}"),
    }
}

/// A total, with `>=` before it while something in it is unknown.
pub fn total(total: &Total, currency: &Currency) -> String {
    let sign = if total.unknown > 0 { ">= " } else { "" };
    format!("{sign}{}", money(total.monthly, currency))
}

/// What a total lacks, in words; empty if it lacks nothing.
pub fn lacking(total: &Total) -> String {
    let plural = |n: u64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut parts = Vec::new();
    if total.unknown > 0 {
        parts.push(plural(total.unknown, "component unknown", "components unknown"));
    }
    if total.unset > 0 {
        parts.push(plural(total.unset, "depends on usage", "depend on usage"));
    }
    parts.join(", ")
}

/// A quantity with at most four decimals and thousands separated.
pub fn quantity(amount: Amount) -> String {
    let units = rounded(amount, 4);
    let sign = if units < 0 { "-" } else { "" };
    let (whole, rest) = (units.unsigned_abs() / 10_000, units.unsigned_abs() % 10_000);
    let fraction = format!("{rest:04}");
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", grouped(&whole.to_string()))
}

fn rounded(amount: Amount, decimals: u32) -> i128 {
    let one = 10_i128.pow(grid_model::money::SCALE - decimals);
    let (q, r) = (amount.0.div_euclid(one), amount.0.rem_euclid(one));
    let up = r * 2 > one || (r * 2 == one && q % 2 != 0);
    q + i128::from(up)
}

fn grouped(digits: &str) -> String {
    let mut made = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            made.push(',');
        }
        made.push(digit);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_only_when_shown() {
        let usd = Currency("USD".to_owned());
        let show = |text: &str| money(Amount::parse(text).unwrap().0, &usd);
        assert_eq!(show("1234567.895"), "$1,234,567.90");
        assert_eq!(show("0.005"), "$0.00");
        assert_eq!(show("0.015"), "$0.02");
        assert_eq!(show("-12.344"), "-$12.34");
        assert_eq!(money(Amount::parse("3").unwrap().0, &Currency("CNY".to_owned())), "3.00 CNY");
        let q = |text: &str| quantity(Amount::parse(text).unwrap().0);
        assert_eq!((q("4109.58904"), q("730"), q("0.00004")), ("4,109.589".into(), "730".into(), "0".to_owned()));
        let some = Total { monthly: Amount::parse("123.4").unwrap().0, unknown: 2, unset: 1, ..Total::default() };
        assert_eq!(total(&some, &usd), ">= $123.40");
        assert_eq!(lacking(&some), "2 components unknown, 1 depends on usage");
    }
}
