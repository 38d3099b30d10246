//! Exponential smoothing of what has no season: simple, with a damped trend, and the Theta method.

/// Simple exponential smoothing (Brown, 1959): the last level, for ever.
pub(super) fn simple(values: &[f64], horizon: usize) -> Vec<f64> {
    let (_, level) = smoothed(values, best_alpha(values));
    vec![level; horizon]
}

/// The Theta method (Assimakopoulos and Nikolopoulos, 2000): the mean of the straight line through the values and of the smoothed values
/// bent twice as much around that line.
pub(super) fn theta(values: &[f64], horizon: usize) -> Vec<f64> {
    let n = values.len() as f64;
    let (middle_x, middle_y) = ((n - 1.0) / 2.0, values.iter().sum::<f64>() / n);
    let (mut xy, mut xx) = (0.0, 0.0);
    for (i, value) in values.iter().enumerate() {
        let x = i as f64 - middle_x;
        xy += x * (value - middle_y);
        xx += x * x;
    }
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    let line = |i: f64| middle_y + slope * (i - middle_x);
    let bent: Vec<f64> = values.iter().enumerate().map(|(i, v)| 2.0 * v - line(i as f64)).collect();
    let (_, level) = smoothed(&bent, best_alpha(&bent));
    (0..horizon).map(|step| 0.5 * (level + line(n + step as f64))).collect()
}

/// A level and a trend that fades (Gardner and McKenzie, 1985), fitted by least squares of the one-step errors.
pub(super) fn damped(values: &[f64], horizon: usize) -> Vec<f64> {
    const FEWEST: usize = 5;
    if values.len() < FEWEST {
        return simple(values, horizon);
    }
    let fit = Damped::fit(values);
    let (_, level, trend) = fit.run(values);
    let (mut sum, mut power) = (0.0, 1.0);
    (0..horizon)
        .map(|_| {
            power *= fit.phi;
            sum += power;
            level + sum * trend
        })
        .collect()
}

#[derive(Debug, Clone, Copy)]
struct Damped {
    /// How much of an error the level takes.
    alpha: f64,
    /// How much of that the trend takes.
    beta: f64,
    /// What is left of the trend after each step.
    phi: f64,
}

impl Damped {
    /// A coarse grid, then steps along each axis that are halved when none helps.
    fn fit(values: &[f64]) -> Self {
        const ROUNDS: usize = 12;
        let mut best = (f64::INFINITY, Self { alpha: 0.3, beta: 0.1, phi: 0.9 });
        let look_at = |best: &mut (f64, Self), this: Self| {
            let error = this.run(values).0;
            let better = error < best.0;
            if better {
                *best = (error, this);
            }
            better
        };
        for alpha in [0.05, 0.2, 0.4, 0.6, 0.8, 0.99] {
            for beta in [0.0, 0.02, 0.1, 0.3, 0.6] {
                for phi in [0.8, 0.9, 0.95, 0.98] {
                    look_at(&mut best, Self { alpha, beta, phi });
                }
            }
        }
        let mut step = Self { alpha: 0.1, beta: 0.05, phi: 0.03 };
        for _ in 0..ROUNDS {
            let mut moved = false;
            for (a, b, p) in [
                (1.0, 0.0, 0.0),
                (-1.0, 0.0, 0.0),
                (0.0, 1.0, 0.0),
                (0.0, -1.0, 0.0),
                (0.0, 0.0, 1.0),
                (0.0, 0.0, -1.0),
            ] {
                let at = best.1;
                let next = Self {
                    alpha: (at.alpha + a * step.alpha).clamp(0.001, 0.999),
                    beta: (at.beta + b * step.beta).clamp(0.0, 0.99),
                    phi: (at.phi + p * step.phi).clamp(0.7, 0.995),
                };
                moved |= look_at(&mut best, next);
            }
            if !moved {
                step = Self { alpha: step.alpha / 2.0, beta: step.beta / 2.0, phi: step.phi / 2.0 };
            }
        }
        best.1
    }

    /// Sum of squared one-step errors, and the last level and trend.
    fn run(self, values: &[f64]) -> (f64, f64, f64) {
        let first = values.len().min(8) - 1;
        let mut level = values[0];
        let mut trend = (values[first] - level) / first as f64;
        let mut squares = 0.0;
        for value in &values[1..] {
            let expected = level + self.phi * trend;
            let error = value - expected;
            squares += error * error;
            level = expected + self.alpha * error;
            trend = self.phi * trend + self.alpha * self.beta * error;
        }
        (squares, level, trend)
    }
}

/// Sum of squared one-step errors, and the last level.
fn smoothed(values: &[f64], alpha: f64) -> (f64, f64) {
    let mut level = values[0];
    let mut squares = 0.0;
    for value in &values[1..] {
        let error = value - level;
        squares += error * error;
        level += alpha * error;
    }
    (squares, level)
}

/// The smoothing with the least squared errors: the best of a grid, then a golden section search around it.
fn best_alpha(values: &[f64]) -> f64 {
    const LEAST: f64 = 0.01;
    const MOST: f64 = 0.99;
    let cell = (MOST - LEAST) / 10.0;
    let error = |alpha: f64| smoothed(values, alpha).0;
    let grid = (0..=10).map(|i| LEAST + cell * f64::from(i));
    let best = grid.min_by(|a, b| error(*a).total_cmp(&error(*b))).unwrap_or(0.5);
    let (mut low, mut high) = ((best - cell).max(LEAST), (best + cell).min(MOST));
    const GOLDEN: f64 = 0.618_033_988_749_895;
    for _ in 0..20 {
        let (left, right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        if error(left) < error(right) {
            high = right;
        } else {
            low = left;
        }
    }
    (low + high) / 2.0
}
