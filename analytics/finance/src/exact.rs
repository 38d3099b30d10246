//! Shares and means of amounts. What does not come out even is rounded half to even.

use grid_model::Amount;
use grid_model::wide::mul_div;

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
}
