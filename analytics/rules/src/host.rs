//! Where samples come from and go to.

use std::sync::Arc;

use grid_promql::Labels;
use grid_promql::histogram::FloatHistogram;

/// The bits of the number that marks a series as stale.
pub(crate) const STALE: f64 = f64::from_bits(grid_model::histogram::STALE_NAN_BITS);

/// A number or a histogram.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<FloatHistogram>),
}

impl SampleValue {
    /// The number; 0 of a histogram, as in Prometheus' alerts.
    pub fn number(&self) -> f64 {
        match self {
            Self::Float(v) => *v,
            Self::Histogram(_) => 0.0,
        }
    }
}

/// One series of an answer, at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels, the metric's name among them.
    pub labels: Labels,
    /// Its value.
    pub value: SampleValue,
}

/// A sample to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSample {
    /// Which series.
    pub labels: Labels,
    /// When, in milliseconds since 1970.
    pub time: i64,
    /// The value; the stale marker among them.
    pub value: SampleValue,
}

/// The last sample of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct LastSample {
    /// Which series.
    pub labels: Labels,
    /// When, in milliseconds since 1970.
    pub time: i64,
    /// The number; the stale marker if the series ended.
    pub value: f64,
}

/// The world that a group is evaluated in. What is appended is seen by the queries after it.
pub trait Host {
    /// The series of a PromQL expression at a time in milliseconds; a scalar is one without labels. An error is a sentence.
    fn promql(&mut self, query: &str, at: i64) -> Result<Vec<Sample>, String>;

    /// The rows of a SQL statement at a time in milliseconds: the column `value` is the number, all others are labels.
    fn sql(&mut self, query: &str, at: i64) -> Result<Vec<Sample>, String>;

    /// Writes samples.
    fn append(&mut self, samples: Vec<NewSample>) -> Result<(), String>;

    /// Of each series of a metric with this `alertname` the last sample of a span of time in milliseconds, both ends within it; stale
    /// markers count.
    fn last_samples(&mut self, metric: &str, alert: &str, from: i64, until: i64) -> Result<Vec<LastSample>, String>;

    /// Nanoseconds of a clock that only goes forward, for how long rules take; 0 where nobody asks.
    fn stopwatch(&self) -> i64 {
        0
    }
}
