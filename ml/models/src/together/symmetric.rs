//! Eigenvalues and eigenvectors of a small symmetric matrix, by Jacobi's rotations in cyclic order (Golub and Van Loan, Matrix Computations, 4th edition,
//! section 8.5). It ends for every finite matrix, and answers the same for ever.

/// Sweeps over all pairs; five or six are enough for matrices of this size.
const SWEEPS_MAX: usize = 40;

/// Pairs of an eigenvalue and its vector of unit length, in no order. The matrix is square and symmetric.
pub(super) fn eigen(mut matrix: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    let n = matrix.len();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let size: f64 = matrix.iter().flatten().map(|v| v * v).sum();
    for _ in 0..SWEEPS_MAX {
        let off: f64 = (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q))).map(|(p, q)| matrix[p][q].powi(2)).sum();
        if off <= 1e-24 * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut matrix, &mut vectors, p, q);
            }
        }
    }
    (0..n).map(|at| (matrix[at][at], vectors.iter().map(|row| row[at]).collect())).collect()
}

/// Turns two axes so that their common element becomes nothing.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let common = matrix[p][q];
    if common == 0.0 {
        return;
    }
    let tau = (matrix[q][q] - matrix[p][p]) / (2.0 * common);
    let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
    let t = if tau == 0.0 { 1.0 } else { t };
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for row in matrix.iter_mut().chain(vectors) {
        let (a, b) = (row[p], row[q]);
        row[p] = c * a - s * b;
        row[q] = s * a + c * b;
    }
    // `p` lies before `q`.
    let (above, below) = matrix.split_at_mut(q);
    for (a, b) in above[p].iter_mut().zip(&mut below[0]) {
        (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_ones() {
        let mut found = eigen(vec![vec![2.0, 1.0], vec![1.0, 2.0]]);
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!((found[0].0 - 1.0).abs() < 1e-12 && (found[1].0 - 3.0).abs() < 1e-12, "{found:?}");
        assert_eq!(eigen(vec![vec![0.0; 3]; 3]).iter().map(|f| f.0).sum::<f64>(), 0.0);
        assert_eq!(eigen(Vec::new()), []);
    }

    proptest! {
        /// Vectors are of unit length and at right angles, and the matrix stretches each by its value.
        #[test]
        fn any_symmetric_matrix(n in 1_usize..9, values in prop::collection::vec(-1e6_f64..1e6, 81), rank in 0_usize..9) {
            let of = |i: usize, j: usize| if i.max(j) < rank { values[9 * i.min(j) + i.max(j)] } else { 0.0 };
            let matrix: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| of(i, j)).collect()).collect();
            let size = matrix.iter().flatten().fold(1.0_f64, |m, v| m.max(v.abs()));
            let found = eigen(matrix.clone());
            for (i, (value, vector)) in found.iter().enumerate() {
                for (row, v) in matrix.iter().zip(vector) {
                    let stretched: f64 = row.iter().zip(vector).map(|(m, v)| m * v).sum();
                    prop_assert!((stretched - value * v).abs() < 1e-8 * size, "{value} {vector:?}");
                }
                for (j, (_, other)) in found.iter().enumerate() {
                    let dot: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                    prop_assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-9, "{i} {j} {dot}");
                }
            }
        }
    }
}
