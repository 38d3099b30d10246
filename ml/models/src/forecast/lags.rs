//! Linear regression of a value on earlier ones: what came just before, and what came about a season or a few seasons before. Ridge (Hoerl and
//! Kennard, 1970) keeps it tame, newer rows weigh more, and steps ahead are taken one after the other.

/// Ridge per square root of the number of rows.
const RIDGE: f64 = 0.05;
/// Weight of a row against the one after it.
const FADE: f64 = 0.9985;
/// Rows that a regression needs for each coefficient.
const ROWS_PER_LAG: usize = 3;
/// Scaled values are of size 1; what a forecast runs away to is no forecast.
const RUNAWAY: f64 = 20.0;

/// `None` if there are too few rows, or no solution.
pub(super) fn regress(values: &[f64], lags: &[usize], horizon: usize) -> Option<Vec<f64>> {
    let longest = *lags.iter().max()?;
    let rows = values.len().checked_sub(longest)?;
    if rows < ROWS_PER_LAG * lags.len() + 10 {
        return None;
    }
    let width = lags.len() + 1;
    let (mut square, mut right) = (vec![0.0; width * width], vec![0.0; width]);
    let mut row = vec![1.0; width];
    let mut weight = FADE.powi(i32::try_from(rows).ok()?);
    for at in longest..values.len() {
        weight /= FADE;
        for (cell, lag) in row[1..].iter_mut().zip(lags) {
            *cell = values[at - lag];
        }
        for i in 0..width {
            let weighted = weight * row[i];
            for j in 0..=i {
                square[i * width + j] += weighted * row[j];
            }
            right[i] += weighted * values[at];
        }
    }
    let ridge = RIDGE * (values.len() as f64).sqrt();
    square[0] += 1e-9;
    (1..width).for_each(|i| square[i * width + i] += ridge);
    solve(&mut square, &mut right, width)?;

    let mut all = values.to_vec();
    for _ in 0..horizon {
        let terms = lags.iter().zip(&right[1..]).map(|(lag, factor)| factor * all[all.len() - lag]);
        let next = (right[0] + terms.sum::<f64>()).clamp(-RUNAWAY, RUNAWAY);
        all.push(next);
    }
    Some(all.split_off(values.len()))
}

/// Solves by Cholesky's decomposition; `square` is symmetric, of which the lower half is read; the solution replaces `right`.
fn solve(square: &mut [f64], right: &mut [f64], width: usize) -> Option<()> {
    for i in 0..width {
        for j in 0..=i {
            let done: f64 = (0..j).map(|k| square[i * width + k] * square[j * width + k]).sum();
            let rest = square[i * width + j] - done;
            square[i * width + j] = if i == j {
                if rest <= 1e-12 {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / square[j * width + j]
            };
        }
    }
    for i in 0..width {
        let done: f64 = (0..i).map(|k| square[i * width + k] * right[k]).sum();
        right[i] = (right[i] - done) / square[i * width + i];
    }
    for i in (0..width).rev() {
        let done: f64 = (i + 1..width).map(|k| square[k * width + i] * right[k]).sum();
        right[i] = (right[i] - done) / square[i * width + i];
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_system_is_solved() {
        // 4x + 2y = 10, 2x + 3y = 9.
        let (mut square, mut right) = (vec![4.0, 2.0, 2.0, 3.0], vec![10.0, 9.0]);
        solve(&mut square, &mut right, 2).unwrap();
        assert!((right[0] - 1.5).abs() < 1e-12 && (right[1] - 2.0).abs() < 1e-12, "{right:?}");
        assert!(solve(&mut [1.0, 1.0, 1.0, 1.0], &mut [1.0, 1.0], 2).is_none());
    }
}
