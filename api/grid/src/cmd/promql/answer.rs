//! An answer of Prometheus' API, read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use grid_promql::number;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Labels of a series.
pub(super) type Labels = BTreeMap<String, String>;

/// The name of the label that is a metric's name.
pub(super) const NAME: &str = "__name__";

/// `data` of `query` and `query_range`.
#[derive(Debug, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(super) enum Data {
    /// A number.
    Scalar(Sample<Number>),
    /// A text.
    String(Sample<String>),
    /// Series with a sample each.
    Vector(Vec<One>),
    /// Series with samples.
    Matrix(Vec<Many>),
}

impl Data {
    /// Whether there is no series.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(_) | Self::String(_) => false,
            Self::Vector(all) => all.is_empty(),
            Self::Matrix(all) => all.is_empty(),
        }
    }
}

/// A time and what was then.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Sample<T>(pub(super) Time, pub(super) T);

/// A series at an instant.
#[derive(Debug, Deserialize)]
pub(super) struct One {
    pub(super) metric: Labels,
    value: Option<Sample<Number>>,
    histogram: Option<Sample<Histogram>>,
}

impl One {
    /// Its sample.
    pub(super) fn sample(&self) -> Option<(i64, Point<'_>)> {
        let float = self.value.as_ref().map(|Sample(time, value)| (time.0, Point::Float(value.0)));
        float.or_else(|| self.histogram.as_ref().map(|Sample(time, h)| (time.0, Point::Histogram(h))))
    }
}

/// A series over time.
#[derive(Debug, Deserialize)]
pub(super) struct Many {
    pub(super) metric: Labels,
    #[serde(default)]
    values: Vec<Sample<Number>>,
    #[serde(default)]
    pub(super) histograms: Vec<Sample<Histogram>>,
}

impl Many {
    /// Its samples by time.
    pub(super) fn samples(&self) -> Vec<(i64, Point<'_>)> {
        let floats = self.values.iter().map(|Sample(time, value)| (time.0, Point::Float(value.0)));
        let histograms = self.histograms.iter().map(|Sample(time, h)| (time.0, Point::Histogram(h)));
        let mut all: Vec<_> = floats.chain(histograms).collect();
        all.sort_by_key(|(time, _)| *time);
        all
    }
}

/// A sample's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Point<'a> {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(&'a Histogram),
}

/// Milliseconds since 1970, sent as seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) i64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Ok(Self((seconds * 1000.0).round() as i64))
    }
}

/// A number, sent as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number(pub(super) f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| D::Error::custom(format!("{text:?} is no number")))
    }
}

/// A native histogram.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Histogram {
    count: Number,
    sum: Number,
    #[serde(default)]
    buckets: Vec<Bucket>,
}

/// Which of its boundaries belong to it (0: the upper, 1: the lower, 2: none, 3: both), lower, upper, count.
#[derive(Debug, Clone, Deserialize)]
struct Bucket(u8, Number, Number, Number);

impl Histogram {
    /// Observations.
    pub(super) fn count(&self) -> f64 {
        self.count.0
    }

    /// As Prometheus writes it: `{count:3, sum:2.5, (0.5,1]:2}`.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{{count:{}, sum:{}", number::json(self.count.0), number::json(self.sum.0));
        for Bucket(rule, lower, upper, count) in &self.buckets {
            let (open, close) =
                (if matches!(rule, 1 | 3) { '[' } else { '(' }, if matches!(rule, 0 | 3) { ']' } else { ')' });
            let [lower, upper, count] = [lower, upper, count].map(|n| number::json(n.0));
            // Writing to memory does not fail.
            let _ = write!(text, ", {open}{lower},{upper}{close}:{count}");
        }
        text.push('}');
        text
    }

    /// For people: how many, how large on average, and the buckets drawn between the least and the largest boundary.
    pub(super) fn summary(&self) -> String {
        let (count, sum) = (self.count.0, self.sum.0);
        let mut text = format!("count {}, sum {}", short(count), short(sum));
        if count != 0.0 {
            let _ = write!(text, ", mean {}", short(sum / count));
        }
        if let (Some(Bucket(_, first, upper, _)), Some(Bucket(_, _, last, _))) =
            (self.buckets.first(), self.buckets.last())
        {
            // The bucket around zero is as good as zero.
            let first = if first.0 == -upper.0 { 0.0 } else { first.0 };
            let counts: Vec<Option<f64>> = self.buckets.iter().map(|Bucket(.., count)| Some(count.0)).collect();
            let drawn = super::spark::draw_from_zero(&counts, SUMMARY_MARKS);
            let _ = write!(text, ", {} {drawn} {}", short(first), short(last.0));
        }
        text
    }
}

/// Marks for the buckets of a histogram in a table.
const SUMMARY_MARKS: usize = 24;

/// A number in at most five digits that count, for people.
pub(super) fn short(value: f64) -> String {
    const WHOLE_MAX: f64 = 1e15;
    if !value.is_finite() || (value.fract() == 0.0 && value.abs() < WHOLE_MAX) {
        return number::json(value);
    }
    number::json(format!("{value:.4e}").parse().unwrap_or(value))
}

/// Names of the labels of several series, the metric's name first.
pub(super) fn label_names<'a>(series: impl Iterator<Item = &'a Labels>) -> Vec<&'a str> {
    let names: std::collections::BTreeSet<(bool, &str)> =
        series.flat_map(|labels| labels.keys().map(|name| (name != NAME, name.as_str()))).collect();
    names.into_iter().map(|(_, name)| name).collect()
}
