//! Intervals from past errors, by split conformal prediction (Vovk et al., 2005; Lei et al., 2018): how large the errors of the same forecast
//! were on the series' own past, at each step ahead, is how large the next may be.

/// Steps to either side that share their errors.
const NEIGHBOURS: usize = 2;
/// Errors were measured with the weights that fit them: a fair one is a little larger.
const OPTIMISM: f64 = 1.3;

/// Half the width of the interval at each step. `errors` is per origin and step; further steps than it knows grow with the square root.
pub(super) fn half_widths(errors: &[Vec<f64>], values: &[f64], horizon: usize, level: f64) -> Vec<f64> {
    let known = errors.iter().map(Vec::len).min().unwrap_or(0);
    if known == 0 {
        // No past to learn from: the changes from point to point, as of a random walk.
        let changes: Vec<f64> = values.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
        let one = quantile(changes, level);
        return (0..horizon).map(|step| one * ((step + 1) as f64).sqrt()).collect();
    }
    let overall = mean(errors.iter().flat_map(|of_origin| of_origin.iter().map(|e| e.abs())));
    // How large errors are at a step: of its neighbours in all origins, drawn towards the mean of all, since they are few.
    let size = |step: usize| {
        let near = step.saturating_sub(NEIGHBOURS)..(step + NEIGHBOURS + 1).min(known);
        let local = mean(errors.iter().flat_map(|of_origin| of_origin[near.clone()].iter().map(|e| e.abs())));
        (0.7 * local + 0.3 * overall).max(1e-12)
    };
    let sizes: Vec<f64> = (0..known).map(size).collect();
    let relative = errors.iter().flat_map(|of_origin| of_origin.iter().zip(&sizes).map(|(e, s)| e.abs() / s)).collect();
    let factor = quantile(relative, level) * OPTIMISM;
    (0..horizon)
        .map(|step| match sizes.get(step) {
            Some(size) => size * factor,
            None => sizes[known - 1].max(overall) * factor * ((step + 1) as f64 / known as f64).sqrt(),
        })
        .collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0_usize), |(sum, n), v| (sum + v, n + 1));
    if n == 0 { 0.0 } else { sum / n as f64 }
}

/// The conformal quantile: the `ceil((n + 1) * level)`-th smallest, the largest if there are too few.
fn quantile(mut values: Vec<f64>, level: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = ((values.len() + 1) as f64 * level).ceil() as usize;
    values.get(rank.saturating_sub(1)).or(values.last()).copied().unwrap_or(0.0)
}
