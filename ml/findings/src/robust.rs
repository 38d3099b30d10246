//! Medians and deviations that a few wild values do not move.

/// Factor that makes the median absolute deviation of a normal distribution its standard deviation (Rousseeuw and Croux, 1993).
const NORMAL: f64 = 1.4826;

/// The median; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// The standard deviation by the median absolute deviation; 0 of fewer than two.
pub(crate) fn deviation(values: &[f64]) -> f64 {
    let middle = median(values);
    let distances: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
    NORMAL * median(&distances)
}

/// The value below which a share of the values lies, by the nearest rank; 0 of none.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let rank = (share.clamp(0.0, 1.0) * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank.min(sorted.len()).saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        assert_eq!((median(&[]), median(&[3.0, 1.0, 2.0]), median(&[1.0, 4.0])), (0.0, 2.0, 2.5));
        assert_eq!(deviation(&[1.0, 1.0, 1.0, 900.0]), 0.0);
        let list: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(&list, 0.95), quantile(&list, 0.0), quantile(&[], 0.5)), (95.0, 1.0, 0.0));
    }
}
