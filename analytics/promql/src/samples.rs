//! The samples of one series as they were written, and where they come from.

use std::sync::Arc;

use grid_promql_syntax::matcher::Matcher;

use crate::error::Error;
use crate::histogram::{FloatHistogram, ResetHint};
use crate::labels::Labels;

/// The samples of one series, each kind by ascending time. Times are milliseconds since 1970; one time has one sample.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// Times of numbers.
    pub times: Vec<i64>,
    /// Numbers; Prometheus' stale marker among them.
    pub values: Vec<f64>,
    /// Start times of numbers (0: unknown); empty if no number has one.
    pub starts: Vec<i64>,
    /// Times of histograms.
    pub histogram_times: Vec<i64>,
    /// Histograms; one whose sum is the stale marker is one.
    pub histograms: Vec<Arc<FloatHistogram>>,
    /// Start times of histograms; empty if none has one.
    pub histogram_starts: Vec<i64>,
}

impl Samples {
    /// Forgets all, keeps the room.
    pub fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
        self.starts.clear();
        self.histogram_times.clear();
        self.histograms.clear();
        self.histogram_starts.clear();
    }

    /// Adds a number, later than all before.
    pub fn push(&mut self, time: i64, value: f64) {
        self.times.push(time);
        self.values.push(value);
        if !self.starts.is_empty() {
            self.starts.push(0);
        }
    }

    /// Adds a number with its start time (0: unknown).
    pub fn push_started(&mut self, time: i64, start: i64, value: f64) {
        if start != 0 && self.starts.is_empty() {
            self.starts.resize(self.times.len(), 0);
            self.push(time, value);
            if self.starts.len() < self.times.len() {
                self.starts.push(start);
            } else if let Some(last) = self.starts.last_mut() {
                *last = start;
            }
            return;
        }
        self.push(time, value);
        if let Some(last) = self.starts.last_mut() {
            *last = start;
        }
    }

    /// Adds a histogram with its start time (0: unknown), later than all before.
    pub fn push_histogram(&mut self, time: i64, start: i64, histogram: Arc<FloatHistogram>) {
        self.histogram_times.push(time);
        self.histograms.push(histogram);
        if start != 0 || !self.histogram_starts.is_empty() {
            self.histogram_starts.resize(self.histogram_times.len() - 1, 0);
            self.histogram_starts.push(start);
        }
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        self.times.len() + self.histogram_times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says of histograms that do not say it themselves whether a counter reset came before them, as Prometheus' storage does:
    /// known are those that came after another without one. With `resets` those with one are named too.
    pub fn note_resets(&mut self, resets: bool) {
        for i in 1..self.histograms.len() {
            if self.histograms[i].reset_hint != ResetHint::Unknown {
                continue;
            }
            let (before, at) = self.histograms.split_at_mut(i);
            let previous = &before[i - 1];
            if previous.reset_hint == ResetHint::Gauge || previous.is_stale() || at[0].is_stale() {
                continue;
            }
            let hint = match at[0].detect_reset(previous) {
                false => ResetHint::NotCounterReset,
                true if resets => ResetHint::CounterReset,
                true => continue,
            };
            Arc::make_mut(&mut at[0]).reset_hint = hint;
        }
    }

    /// Drops all samples up to and with a time.
    pub fn drop_until(&mut self, time: i64) {
        let floats = self.times.partition_point(|t| *t <= time);
        if floats > 0 {
            self.times.drain(..floats);
            self.values.drain(..floats);
            self.starts.drain(..floats.min(self.starts.len()));
        }
        let histograms = self.histogram_times.partition_point(|t| *t <= time);
        if histograms > 0 {
            self.histogram_times.drain(..histograms);
            self.histograms.drain(..histograms);
            self.histogram_starts.drain(..histograms.min(self.histogram_starts.len()));
        }
    }

    /// Takes stale markers out: a range never shows them.
    pub fn drop_stale(&mut self) {
        // Without a way out, so that several are looked at at once.
        if self.values.iter().fold(false, |any, v| any | grid_model::histogram::is_stale(*v)) {
            let mut kept = 0;
            for i in 0..self.values.len() {
                if !grid_model::histogram::is_stale(self.values[i]) {
                    self.values[kept] = self.values[i];
                    self.times[kept] = self.times[i];
                    if let Some(start) = self.starts.get(i).copied() {
                        self.starts[kept] = start;
                    }
                    kept += 1;
                }
            }
            self.values.truncate(kept);
            self.times.truncate(kept);
            self.starts.truncate(kept);
        }
        if self.histograms.iter().any(|h| grid_model::histogram::is_stale(h.sum)) {
            let mut kept = 0;
            for i in 0..self.histograms.len() {
                if !grid_model::histogram::is_stale(self.histograms[i].sum) {
                    self.histograms.swap(kept, i);
                    self.histogram_times[kept] = self.histogram_times[i];
                    if let Some(start) = self.histogram_starts.get(i).copied() {
                        self.histogram_starts[kept] = start;
                    }
                    kept += 1;
                }
            }
            self.histograms.truncate(kept);
            self.histogram_times.truncate(kept);
            self.histogram_starts.truncate(kept);
        }
    }
}

/// What one selector of a query reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// Which series: all of these hold.
    pub matchers: Vec<Matcher>,
    /// Samples after this time, in milliseconds.
    pub after: i64,
    /// Samples up to and with this time.
    pub until: i64,
    /// Whether of histograms only count and sum are asked for (`histogram_count` and its like): resets are then told by them.
    pub counts_only: bool,
}

/// Where series come from: one call for each selector of a query.
pub trait Source: Sync {
    /// The series of a leaf with their samples, in one or more parts that can be read side by side.
    fn select(&self, index: usize, leaf: &Leaf) -> Result<Vec<Box<dyn SeriesReader + '_>>, Error>;
}

/// Series one after the other.
pub trait SeriesReader: Send {
    /// The next series: fills `samples` (emptied before) and answers its labels; `None` at the end.
    fn next(&mut self, samples: &mut Samples) -> Result<Option<Labels>, Error>;
}

/// Series in memory.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    /// Labels and all samples of each series.
    pub series: Vec<(Labels, Samples)>,
}

impl Source for MemorySource {
    fn select(&self, _: usize, leaf: &Leaf) -> Result<Vec<Box<dyn SeriesReader + '_>>, Error> {
        let chosen: Vec<_> = self
            .series
            .iter()
            .filter(|(labels, _)| leaf.matchers.iter().all(|m| m.matches(labels.get(&m.name))))
            .collect();
        Ok(vec![Box::new(MemoryReader { chosen, at: 0, leaf: leaf.clone() })])
    }
}

struct MemoryReader<'a> {
    chosen: Vec<&'a (Labels, Samples)>,
    at: usize,
    leaf: Leaf,
}

impl SeriesReader for MemoryReader<'_> {
    fn next(&mut self, out: &mut Samples) -> Result<Option<Labels>, Error> {
        while let Some((labels, all)) = self.chosen.get(self.at) {
            self.at += 1;
            out.clear();
            let mut all = std::borrow::Cow::Borrowed(all);
            if !all.histograms.is_empty() {
                all.to_mut().note_resets(self.leaf.counts_only);
            }
            let cut = |times: &[i64]| {
                let from = times.partition_point(|t| *t <= self.leaf.after);
                from..times.partition_point(|t| *t <= self.leaf.until).max(from)
            };
            for i in cut(&all.times) {
                out.push_started(all.times[i], all.starts.get(i).copied().unwrap_or(0), all.values[i]);
            }
            for i in cut(&all.histogram_times) {
                let start = all.histogram_starts.get(i).copied().unwrap_or(0);
                out.push_histogram(all.histogram_times[i], start, Arc::clone(&all.histograms[i]));
            }
            if !out.is_empty() {
                return Ok(Some(labels.clone()));
            }
        }
        Ok(None)
    }
}
