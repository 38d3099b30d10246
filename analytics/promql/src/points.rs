//! What an expression yields: for each series one slot per step.

use std::sync::Arc;

use crate::histogram::FloatHistogram;
use crate::labels::Labels;

/// The steps at which an expression is evaluated: `start`, `start + step`, ... up to `end`; milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// First.
    pub start: i64,
    /// Not beyond.
    pub end: i64,
    /// Between two; at least 1.
    pub step: i64,
}

impl Grid {
    /// One step only.
    pub fn instant(time: i64) -> Self {
        Self { start: time, end: time, step: 1 }
    }

    /// How many steps.
    pub fn len(self) -> usize {
        if self.end < self.start { 0 } else { ((self.end - self.start) / self.step) as usize + 1 }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The time of a step.
    pub fn time(self, step: usize) -> i64 {
        self.start + self.step * step as i64
    }
}

/// A sample at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Point<'a> {
    /// A number.
    Float(f64),
    /// A histogram.
    Histogram(&'a Arc<FloatHistogram>),
}

/// One slot per step: nothing, a number, or a histogram.
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// Numbers; of no meaning where `present` is not set.
    pub values: Vec<f64>,
    /// Whether there is a number or a histogram.
    pub present: Vec<bool>,
    /// Histograms; empty if there is none at all.
    pub histograms: Vec<Option<Arc<FloatHistogram>>>,
}

impl Points {
    /// No sample at any of `steps` steps.
    pub fn empty(steps: usize) -> Self {
        Self { values: vec![0.0; steps], present: vec![false; steps], histograms: Vec::new() }
    }

    /// Forgets all samples, keeps the room.
    pub fn reset(&mut self, steps: usize) {
        self.values.clear();
        self.values.resize(steps, 0.0);
        self.present.clear();
        self.present.resize(steps, false);
        self.histograms.clear();
    }

    /// A number at every step.
    pub fn all(values: Vec<f64>) -> Self {
        let present = vec![true; values.len()];
        Self { values, present, histograms: Vec::new() }
    }

    /// How many steps.
    pub fn steps(&self) -> usize {
        self.values.len()
    }

    /// The sample at a step.
    pub fn get(&self, step: usize) -> Option<Point<'_>> {
        if !self.present[step] {
            return None;
        }
        match self.histograms.get(step) {
            Some(Some(h)) => Some(Point::Histogram(h)),
            _ => Some(Point::Float(self.values[step])),
        }
    }

    /// Sets a number.
    pub fn set(&mut self, step: usize, value: f64) {
        self.values[step] = value;
        self.present[step] = true;
        if let Some(slot) = self.histograms.get_mut(step) {
            *slot = None;
        }
    }

    /// Sets a histogram.
    pub fn set_histogram(&mut self, step: usize, histogram: Arc<FloatHistogram>) {
        if self.histograms.is_empty() {
            self.histograms.resize(self.values.len(), None);
        }
        self.histograms[step] = Some(histogram);
        self.present[step] = true;
    }

    /// Takes a sample away.
    pub fn unset(&mut self, step: usize) {
        self.present[step] = false;
        if let Some(slot) = self.histograms.get_mut(step) {
            *slot = None;
        }
    }

    /// Copies a sample from another.
    pub fn put(&mut self, step: usize, point: Point<'_>) {
        match point {
            Point::Float(v) => self.set(step, v),
            Point::Histogram(h) => self.set_histogram(step, Arc::clone(h)),
        }
    }

    /// Whether any histogram may be there.
    pub fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    /// Whether no step has a sample.
    pub fn is_empty(&self) -> bool {
        !self.present.contains(&true)
    }

    /// All samples with their steps.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Point<'_>)> {
        (0..self.steps()).filter_map(|i| Some((i, self.get(i)?)))
    }

    /// Bytes that they take, about.
    pub fn bytes(&self) -> usize {
        let histograms: usize = self.histograms.iter().flatten().map(|h| h.size_bytes()).sum();
        self.values.len() * 9 + self.histograms.len() * 8 + histograms + 72
    }
}

/// A series of results.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Whether its name is to be dropped at the end (feature `promql-delayed-name-removal`).
    pub drop_name: bool,
    /// Its samples.
    pub points: Points,
}
