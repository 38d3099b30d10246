//! What needs no fit: the last value, the last season.

/// The last season again, `period` points long.
pub(super) fn last_season(values: &[f64], period: usize, horizon: usize) -> Option<Vec<f64>> {
    let start = values.len().checked_sub(period).filter(|_| period > 0)?;
    Some((0..horizon).map(|step| values[start + step % period]).collect())
}
