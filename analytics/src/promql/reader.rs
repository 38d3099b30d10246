//! From series-major batches back to series: what the evaluator reads, on a thread of its own, while the scans run on theirs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array as _, AsArray as _, Float64Array, RecordBatch, StructArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use grid_model::table::samples::{HISTOGRAM, START_TIME, TIME, VALUE, read_histogram};
use grid_promql::histogram::FloatHistogram;
use grid_promql::samples::{Leaf, Samples, SeriesReader, Source};
use grid_promql::{Error, Labels};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::choose::Chosen;
use super::merge::RANK;

/// Batches of one part, as its scan yields them.
pub(super) type Batches = mpsc::Receiver<Result<RecordBatch, Error>>;

/// One selector, being read.
pub(super) struct LeafRead {
    pub chosen: Arc<Chosen>,
    /// Taken when the evaluator comes to it.
    pub parts: Mutex<Vec<Batches>>,
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
            .map(|batches| {
                let reader = Reader {
                    read,
                    batches,
                    batch: None,
                    at: 0,
                    counts_only: leaf.counts_only,
                    after: leaf.after,
                    alike: BTreeMap::new(),
                    ended: VecDeque::new(),
                };
                Box::new(reader) as Box<dyn SeriesReader>
            })
            .collect())
    }
}

struct Columns {
    ranks: ScalarBuffer<u32>,
    times: ScalarBuffer<i64>,
    values: Float64Array,
    starts: Option<ScalarBuffer<i64>>,
    histograms: Option<StructArray>,
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, Error> {
        let column = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| Error::Storage(format!("a scan without the column {name}")))
        };
        let wrong = || Error::Storage("a scan with a column of another type".to_owned());
        Ok(Self {
            ranks: column(RANK)?.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?.values().clone(),
            times: column(TIME)?.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.values().clone(),
            values: column(VALUE)?.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?.clone(),
            starts: batch
                .column_by_name(START_TIME)
                .map(|c| c.as_primitive_opt::<Int64Type>().map(|c| c.values().clone()).ok_or_else(wrong))
                .transpose()?,
            histograms: batch
                .column_by_name(HISTOGRAM)
                .map(|c| c.as_struct_opt().cloned().ok_or_else(wrong))
                .transpose()?
                .filter(|h| h.null_count() < h.len()),
        })
    }
}

struct Reader<'a> {
    read: &'a LeafRead,
    batches: Batches,
    batch: Option<Columns>,
    at: usize,
    counts_only: bool,
    /// Only samples after this time, in milliseconds; what was read before them only says of resets.
    after: i64,
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
            let Some(rank) = self.next_series(samples)? else {
                if self.alike.is_empty() {
                    return Ok(None);
                }
                let alike = std::mem::take(&mut self.alike);
                self.ended = alike.into_iter().map(|(labels, all)| (labels, together(&all))).collect();
                continue;
            };
            self.read.samples.fetch_add(samples.len() as u64, Ordering::Relaxed);
            if !samples.histograms.is_empty() {
                samples.note_resets(self.counts_only);
            }
            samples.drop_until(self.after);
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

impl Reader<'_> {
    /// Reads all samples of the next series; answers its rank.
    fn next_series(&mut self, samples: &mut Samples) -> Result<Option<u32>, Error> {
        let mut rank = None;
        loop {
            let Some(batch) = &self.batch else {
                match self.batches.blocking_recv() {
                    None => return Ok(rank),
                    Some(next) => {
                        self.batch = Some(Columns::of(&next?)?);
                        self.at = 0;
                    }
                }
                continue;
            };
            let Some(of) = batch.ranks.get(self.at).copied() else {
                self.batch = None;
                continue;
            };
            // A series is never cut between batches, yet nothing depends on that.
            if rank.is_some_and(|r| r != of) {
                return Ok(rank);
            }
            rank = Some(of);
            let end = self.at + batch.ranks[self.at..].partition_point(|r| *r == of);
            read_rows(batch, self.at, end, samples);
            self.at = end;
            if end < batch.ranks.len() {
                return Ok(rank);
            }
        }
    }
}

fn millis(ns: i64) -> i64 {
    ns.div_euclid(1_000_000)
}

fn read_rows(batch: &Columns, start: usize, end: usize, samples: &mut Samples) {
    let times = &batch.times[start..end];
    let started = batch.starts.as_ref().map(|s| &s[start..end]).filter(|s| s.iter().any(|t| *t != 0));
    if batch.histograms.is_none() && batch.values.null_count() == 0 && started.is_none() {
        let before = samples.times.len();
        samples.times.extend(times.iter().map(|t| millis(*t)));
        samples.values.extend_from_slice(&batch.values.values()[start..end]);
        if !samples.starts.is_empty() {
            samples.starts.resize(samples.times.len(), 0);
        }
        // Of several samples within a millisecond the last one is its sample.
        if samples.times[before.saturating_sub(1)..].windows(2).any(|w| w[0] == w[1]) {
            keep_last(samples);
        }
        return;
    }
    for row in start..end {
        let time = millis(batch.times[row]);
        let start = batch.starts.as_ref().map_or(0, |s| millis(s[row]));
        let histogram = batch.histograms.as_ref().and_then(|h| read_histogram(h, row));
        match histogram {
            Some(histogram) => {
                if let Some(histogram) = FloatHistogram::from_model(&histogram) {
                    samples.push_histogram(time, start, Arc::new(histogram));
                }
            }
            None if batch.values.is_valid(row) => samples.push_started(time, start, batch.values.value(row)),
            None => {}
        }
    }
    keep_last(samples);
}

fn keep_last(samples: &mut Samples) {
    let doubled = |times: &[i64]| times.windows(2).any(|w| w[0] == w[1]);
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
