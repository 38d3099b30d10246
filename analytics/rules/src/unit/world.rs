//! The samples of a unit test: those given, as time goes on, and those that rules write.

use std::collections::HashMap;

use grid_promql::Labels;
use grid_promql::points::{Grid, Point};
use grid_promql::query::{self, Options, Value};
use grid_promql::samples::{MemorySource, Samples};
use grid_promql_syntax::{Expr, Features};

use super::file::TestSamples;
use crate::host::{Host, LastSample, NewSample, Sample, SampleValue};

/// Samples in memory; time only goes forward.
#[derive(Debug)]
pub struct World {
    source: MemorySource,
    places: HashMap<Labels, usize>,
    /// Given series, and how many of their numbers and histograms have come.
    given: Vec<(Labels, Samples, usize, usize)>,
    options: Options,
    features: Features,
    parsed: HashMap<String, Expr>,
}

impl World {
    /// A world with these series to come.
    pub fn new(given: &[(Labels, TestSamples)], features: Features, subquery_step: i64) -> Self {
        let options = Options {
            subquery_step,
            delayed_name_removal: features.delayed_name_removal,
            start_timestamps: features.start_timestamps,
            ..Options::default()
        };
        Self {
            source: MemorySource::default(),
            places: HashMap::new(),
            given: given.iter().map(|(labels, samples)| (labels.clone(), samples.0.clone(), 0, 0)).collect(),
            options,
            features,
            parsed: HashMap::new(),
        }
    }

    /// Lets the given samples come up to and with a time in milliseconds.
    pub fn go_to(&mut self, time: i64) {
        let mut given = std::mem::take(&mut self.given);
        for (labels, samples, floats, histograms) in &mut given {
            while samples.times.get(*floats).is_some_and(|t| *t <= time) {
                self.add(labels, samples.times[*floats], SampleValue::Float(samples.values[*floats]));
                *floats += 1;
            }
            while samples.histogram_times.get(*histograms).is_some_and(|t| *t <= time) {
                let value = SampleValue::Histogram(samples.histograms[*histograms].clone());
                self.add(labels, samples.histogram_times[*histograms], value);
                *histograms += 1;
            }
        }
        self.given = given;
    }

    /// Adds a sample; one that is not later than all of its series is left out, as in Prometheus' store.
    fn add(&mut self, labels: &Labels, time: i64, value: SampleValue) {
        let place = match self.places.get(labels) {
            Some(place) => *place,
            None => {
                self.source.series.push((labels.clone(), Samples::default()));
                self.places.insert(labels.clone(), self.source.series.len() - 1);
                self.source.series.len() - 1
            }
        };
        let samples = &mut self.source.series[place].1;
        let last = samples.times.last().max(samples.histogram_times.last());
        // Given numbers and histograms of one series come in turn.
        let same_kind = match &value {
            SampleValue::Float(_) => samples.times.last(),
            SampleValue::Histogram(_) => samples.histogram_times.last(),
        };
        if same_kind.is_some_and(|t| *t >= time) || (last == Some(&time)) {
            return;
        }
        match value {
            SampleValue::Float(v) => samples.push(time, v),
            SampleValue::Histogram(h) => samples.push_histogram(time, 0, h),
        }
    }
}

impl Host for World {
    fn promql(&mut self, text: &str, at: i64) -> Result<Vec<Sample>, String> {
        if !self.parsed.contains_key(text) {
            let expr = grid_promql_syntax::parse(text, &self.features).map_err(|e| e.to_string())?;
            self.parsed.insert(text.to_owned(), expr);
        }
        let Some(expr) = self.parsed.get(text) else { return Err("the expression is gone".to_owned()) };
        let answer = query::evaluate(text, expr, Grid::instant(at), &self.options, &self.source, &|| Ok(()));
        match answer.map_err(|e| e.to_string())?.value {
            Value::Scalar(values) => {
                let value = SampleValue::Float(values.first().copied().unwrap_or(f64::NAN));
                Ok(vec![Sample { labels: Labels::default(), value }])
            }
            Value::Series(series) => Ok(series
                .into_iter()
                .filter_map(|s| {
                    let value = match s.points.get(0)? {
                        Point::Float(v) => SampleValue::Float(v),
                        Point::Histogram(h) => SampleValue::Histogram(h.clone()),
                    };
                    Some(Sample { labels: s.labels, value })
                })
                .collect()),
            Value::Text(_) | Value::Ranges(_) => Err("rule result is not a vector or scalar".to_owned()),
        }
    }

    fn sql(&mut self, _: &str, _: i64) -> Result<Vec<Sample>, String> {
        Err("unit tests have no tables: a rule by `sql` is not run in them".to_owned())
    }

    fn append(&mut self, samples: Vec<NewSample>) -> Result<(), String> {
        samples.into_iter().for_each(|s| self.add(&s.labels, s.time, s.value));
        Ok(())
    }

    fn last_samples(&mut self, metric: &str, alert: &str, from: i64, until: i64) -> Result<Vec<LastSample>, String> {
        let of = |(labels, _): &&(Labels, Samples)| labels.metric() == metric && labels.get("alertname") == alert;
        let last = |(labels, samples): &(Labels, Samples)| {
            let at = samples.times.partition_point(|t| *t <= until).checked_sub(1)?;
            let time = samples.times[at];
            (time >= from).then(|| LastSample { labels: labels.clone(), time, value: samples.values[at] })
        };
        Ok(self.source.series.iter().filter(of).filter_map(last).collect())
    }
}
