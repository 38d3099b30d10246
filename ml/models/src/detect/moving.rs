//! Means and deviations over the past, older points counting less, and over the last few points.

use super::state::{Bad, Reader, Writer};

/// An exponentially weighted mean and deviation, which a single wild point cannot spoil.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moving {
    /// Weight of a new point.
    alpha: f64,
    /// Deviations beyond which a point is drawn in before it is learnt.
    wild: f64,
    mean: f64,
    variance: f64,
    seen: f64,
}

/// Points before which nothing is judged, and before which wild points are taken as they are.
const JUDGED_FROM: f64 = 10.0;
const TRUSTED_FROM: f64 = 20.0;

impl Moving {
    /// Remembers by half after `half_life` points; draws in what is more than `wild` deviations away.
    pub(super) fn new(half_life: f64, wild: f64) -> Self {
        Self { alpha: 1.0 - 0.5_f64.powf(1.0 / half_life), wild, mean: 0.0, variance: 0.0, seen: 0.0 }
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
        let most = if self.seen < TRUSTED_FROM { f64::MAX } else { self.wild * self.deviation() + floor };
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

    pub(super) fn save(&self, to: &mut Writer) {
        to.f64(self.mean);
        to.f64(self.variance);
        to.f64(self.seen);
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Bad> {
        (self.mean, self.variance, self.seen) = (from.f64()?, from.f64()?, from.f64()?);
        if self.variance < 0.0 || self.seen < 0.0 { Err(Bad::Impossible) } else { Ok(()) }
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

    pub(super) fn bytes(&self) -> usize {
        self.most * size_of::<f64>()
    }

    pub(super) fn save(&self, to: &mut Writer) {
        to.u64(self.points.len() as u64);
        to.u64(self.next as u64);
        self.points.iter().for_each(|point| to.f64(*point));
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Bad> {
        let count = from.count()?;
        self.next = from.count()?;
        if count > self.most || self.next >= self.most {
            return Err(Bad::Impossible);
        }
        for _ in 0..count {
            self.points.push(from.f64()?);
        }
        Ok(())
    }
}
