//! What the evaluator reads, on threads of its own, while the scans run on theirs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use grid_promql::histogram::FloatHistogram;
use grid_promql::samples::{Leaf, Samples, SeriesReader, Source};
use grid_promql::{Error, Labels};
use parking_lot::Mutex;

use super::choose::Chosen;
use super::merge::Merge;

/// One selector, being read.
pub(super) struct LeafRead {
    pub chosen: Arc<Chosen>,
    /// Taken when the evaluator comes to it.
    pub parts: Mutex<Vec<Merge>>,
    /// Samples read so far.
    pub samples: AtomicU64,
}

/// All selectors of a query.
pub(super) struct Leaves(pub Vec<LeafRead>);

impl Leaves {
    /// Samples read in all, and for the most demanding selector.
    pub(super) fn samples(&self) -> (u64, u64) {
        let all = || self.0.iter().map(|l| l.samples.load(Ordering::Relaxed));
        (all().sum(), all().max().unwrap_or(0))
    }
}

impl Source for Leaves {
    fn select(&self, index: usize, leaf: &Leaf) -> Result<Vec<Box<dyn SeriesReader + '_>>, Error> {
        let Some(read) = self.0.get(index) else { return Err(Error::Storage("a selector without a scan".into())) };
        let parts = std::mem::take(&mut *read.parts.lock());
        Ok(parts
            .into_iter()
            .map(|merge| {
                let reader = Reader {
                    read,
                    merge,
                    counts_only: leaf.counts_only,
                    after: leaf.after,
                    samples: 0,
                    alike: BTreeMap::new(),
                    ended: VecDeque::new(),
                };
                Box::new(reader) as Box<dyn SeriesReader>
            })
            .collect())
    }
}

struct Reader<'a> {
    read: &'a LeafRead,
    merge: Merge,
    counts_only: bool,
    /// Only samples after this time, in milliseconds; what was read before them only says of resets.
    after: i64,
    /// Samples read so far.
    samples: u64,
    /// Series that share their labels with others, kept until all are read.
    alike: BTreeMap<Labels, Vec<Samples>>,
    ended: VecDeque<(Labels, Samples)>,
}

impl SeriesReader for Reader<'_> {
    fn next(&mut self, samples: &mut Samples) -> Result<Option<Labels>, Error> {
        loop {
            if let Some((labels, merged)) = self.ended.pop_front() {
                *samples = merged;
                return Ok(Some(labels));
            }
            samples.clear();
            let Some(rank) = self.merge.next(samples)? else {
                if self.alike.is_empty() {
                    return Ok(None);
                }
                let alike = std::mem::take(&mut self.alike);
                self.ended = alike.into_iter().map(|(labels, all)| (labels, together(&all))).collect();
                continue;
            };
            self.samples += samples.len() as u64;
            if !samples.histograms.is_empty() {
                samples.note_resets(self.counts_only);
            }
            samples.drop_until(self.after);
            keep_last(samples);
            if samples.is_empty() {
                continue;
            }
            let Some((_, labels)) = self.read.chosen.series.get(rank as usize) else { continue };
            if self.read.chosen.alike.binary_search(&rank).is_ok() {
                self.alike.entry(labels.clone()).or_default().push(std::mem::take(samples));
                continue;
            }
            return Ok(Some(labels.clone()));
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.read.samples.fetch_add(self.samples, Ordering::Relaxed);
    }
}

/// Of several samples within a millisecond the last one is its sample.
fn keep_last(samples: &mut Samples) {
    // Without a way out, so that several are compared at once.
    let doubled =
        |times: &[i64]| times.iter().zip(times.get(1..).unwrap_or(&[])).fold(false, |any, (a, b)| any | (a == b));
    if !doubled(&samples.times) && !doubled(&samples.histogram_times) {
        return;
    }
    let all = std::mem::take(samples);
    *samples = together(&[all]);
}

/// All samples of several series as one; of equal times the last one's.
fn together(all: &[Samples]) -> Samples {
    enum Sample<'a> {
        Float(f64),
        Histogram(&'a Arc<FloatHistogram>),
    }
    let mut by_time: BTreeMap<i64, (i64, Sample<'_>)> = BTreeMap::new();
    for samples in all {
        for (i, time) in samples.times.iter().enumerate() {
            let start = samples.starts.get(i).copied().unwrap_or(0);
            by_time.insert(*time, (start, Sample::Float(samples.values[i])));
        }
        for (i, time) in samples.histogram_times.iter().enumerate() {
            let start = samples.histogram_starts.get(i).copied().unwrap_or(0);
            by_time.insert(*time, (start, Sample::Histogram(&samples.histograms[i])));
        }
    }
    let mut out = Samples::default();
    for (time, (start, sample)) in by_time {
        match sample {
            Sample::Float(v) => out.push_started(time, start, v),
            Sample::Histogram(h) => out.push_histogram(time, start, Arc::clone(h)),
        }
    }
    out
}
