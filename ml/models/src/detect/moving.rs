//! Means and deviations over the past, older points counting less, and over the last few points.

/// An exponentially weighted mean and deviation, which a single wild point cannot spoil.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moving {
    /// Weight of a new point.
    alpha: f64,
    mean: f64,
    variance: f64,
    seen: f64,
}

/// Points before which nothing is judged, and before which wild points are taken as they are.
const JUDGED_FROM: f64 = 10.0;
const TRUSTED_FROM: f64 = 20.0;
/// Deviations beyond which a point is drawn in before it is learnt.
const WILD: f64 = 5.0;

impl Moving {
    pub(super) fn new(half_life: f64) -> Self {
        Self::with_weight(1.0 - 0.5_f64.powf(1.0 / half_life))
    }

    pub(super) fn with_weight(alpha: f64) -> Self {
        Self { alpha, mean: 0.0, variance: 0.0, seen: 0.0 }
    }

    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    pub(super) fn deviation(&self) -> f64 {
        self.variance.sqrt()
    }

    pub(super) fn seen(&self) -> f64 {
        self.seen
    }

    /// How many deviations a value is away from what came before it; then it is learnt. `floor` is a deviation that counts as nothing.
    pub(super) fn push(&mut self, value: f64, floor: f64) -> f64 {
        let away = if self.seen < JUDGED_FROM { 0.0 } else { (value - self.mean).abs() / (self.deviation() + floor) };
        let most = if self.seen < TRUSTED_FROM { f64::MAX } else { WILD * self.deviation() + floor };
        self.learn(self.mean + (value - self.mean).clamp(-most, most));
        away
    }

    /// Learns a value as it is.
    pub(super) fn learn(&mut self, value: f64) {
        self.seen += 1.0;
        // A mean of few points is a plain mean.
        let alpha = self.alpha.max(1.0 / self.seen);
        let apart = value - self.mean;
        self.mean += alpha * apart;
        self.variance = (1.0 - alpha) * (self.variance + alpha * apart * apart);
    }
}

/// The last few points.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Window {
    points: Vec<f64>,
    next: usize,
    most: usize,
}

impl Window {
    pub(super) fn new(most: usize) -> Self {
        Self { points: Vec::with_capacity(most), next: 0, most }
    }

    pub(super) fn push(&mut self, value: f64) {
        if self.points.len() < self.most {
            self.points.push(value);
        } else {
            self.points[self.next] = value;
        }
        self.next = (self.next + 1) % self.most;
    }

    pub(super) fn mean(&self) -> f64 {
        self.points.iter().sum::<f64>() / self.points.len().max(1) as f64
    }

    pub(super) fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.points.iter().map(|v| (v - mean) * (v - mean)).sum();
        (squares / self.points.len().max(1) as f64).sqrt()
    }
}
