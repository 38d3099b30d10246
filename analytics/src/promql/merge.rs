//! Series out of sources: each source yields rows sorted by series and time, whose rows they are is known before they are read. Of two
//! samples of one series at one time the younger source's wins.
//!
//! Sources are merged run by run, not row by row: a series that rests in one source only, or in several one after the other, is copied as
//! it is.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, Float64Array, RecordBatch, StructArray, TimestampNanosecondArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{Float64Type, TimestampNanosecondType};
use datafusion::physical_plan::ExecutionPlan;
use grid_model::TimeRange;
use grid_model::table::samples::{HISTOGRAM, START_TIME, TIME, VALUE, read_histogram};
use grid_promql::Error;
use grid_promql::histogram::FloatHistogram;
use grid_promql::samples::Samples;
use tokio::sync::mpsc;

use super::local::LocalRuns;

/// Rows of one series, next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Which of the chosen series.
    pub rank: u32,
    /// How many.
    pub rows: u32,
}

/// A stock scan of one partition with the columns of [`input_columns`], and whose rows these are; ranks ascend, times within them.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub plan: Arc<dyn ExecutionPlan>,
    pub runs: Arc<[Run]>,
}

/// The batches of an input.
pub(super) enum Batches {
    /// As a scan yields them, elsewhere.
    Scanned(mpsc::Receiver<Result<RecordBatch, Error>>),
    /// In memory.
    Held(std::vec::IntoIter<RecordBatch>),
}

impl Batches {
    fn next(&mut self) -> Option<Result<RecordBatch, Error>> {
        match self {
            Self::Scanned(receiver) => receiver.blocking_recv(),
            Self::Held(batches) => batches.next().map(Ok),
        }
    }
}

/// The columns of a source, in order: time, value, start time and histogram if wanted.
pub(super) fn input_columns(starts: bool, histograms: bool) -> Vec<&'static str> {
    let mut columns = vec![TIME, VALUE];
    columns.extend(starts.then_some(START_TIME));
    columns.extend(histograms.then_some(HISTOGRAM));
    columns
}

/// One source and where it is read.
#[allow(clippy::large_enum_variant, reason = "a query has a handful of them, each read for long")]
pub(super) enum Source {
    /// Batches of rows.
    Rows(RowSource),
    /// A file that is read in place.
    Local(LocalRuns),
}

/// See [`Source::Rows`].
pub(super) struct RowSource {
    batches: Batches,
    runs: Arc<[Run]>,
    /// The run that is read next.
    next: usize,
    batch: Option<Arc<Batch>>,
    at: usize,
}

/// A batch with its columns at hand.
pub(super) struct Batch {
    /// Nanoseconds.
    pub times: ScalarBuffer<i64>,
    pub values: Float64Array,
    /// `None` if no row has one, and likewise below.
    pub starts: Option<TimestampNanosecondArray>,
    pub histograms: Option<StructArray>,
}

/// Rows of a batch.
type Rows = (Arc<Batch>, usize, usize);

impl Batch {
    fn of(batch: &RecordBatch) -> Result<Self, Error> {
        let column = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| Error::Storage(format!("a scan without the column {name}")))
        };
        let wrong = || Error::Storage("a scan with a column of another type".to_owned());
        Ok(Self {
            times: column(TIME)?.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(wrong)?.values().clone(),
            values: column(VALUE)?.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?.clone(),
            starts: batch
                .column_by_name(START_TIME)
                .map(|c| c.as_primitive_opt::<TimestampNanosecondType>().cloned().ok_or_else(wrong))
                .transpose()?
                .filter(|starts| starts.null_count() < starts.len()),
            histograms: batch
                .column_by_name(HISTOGRAM)
                .map(|c| c.as_struct_opt().cloned().ok_or_else(wrong))
                .transpose()?
                .filter(|h| h.null_count() < h.len()),
        })
    }

    fn copy(&self, start: usize, end: usize, samples: &mut Samples) {
        if self.histograms.is_none() && self.values.null_count() == 0 && self.starts.is_none() {
            samples.times.extend(self.times[start..end].iter().map(|t| millis(*t)));
            samples.values.extend_from_slice(&self.values.values()[start..end]);
            if !samples.starts.is_empty() {
                samples.starts.resize(samples.times.len(), 0);
            }
            return;
        }
        for row in start..end {
            let time = millis(self.times[row]);
            let started = self.starts.as_ref().filter(|s| s.is_valid(row)).map_or(0, |s| millis(s.value(row)));
            match self.histograms.as_ref().and_then(|h| read_histogram(h, row)) {
                Some(histogram) => {
                    if let Some(histogram) = FloatHistogram::from_model(&histogram) {
                        samples.push_histogram(time, started, Arc::new(histogram));
                    }
                }
                None if self.values.is_valid(row) => samples.push_started(time, started, self.values.value(row)),
                None => {}
            }
        }
    }
}

fn millis(ns: i64) -> i64 {
    ns.div_euclid(1_000_000)
}

impl Source {
    /// Rows that come in batches.
    pub(super) fn rows(batches: Batches, runs: Arc<[Run]>) -> Self {
        Self::Rows(RowSource { batches, runs, next: 0, batch: None, at: 0 })
    }

    /// The series at which it stands.
    fn rank(&self) -> Option<u32> {
        match self {
            Self::Rows(rows) => rows.runs.get(rows.next).map(|run| run.rank),
            Self::Local(local) => local.rank(),
        }
    }

    fn take(&mut self, out: &mut Vec<Rows>) -> Result<(), Error> {
        match self {
            Self::Rows(rows) => rows.take(out),
            Self::Local(local) => local.take(out),
        }
    }
}

impl RowSource {
    /// Takes all rows of that series, and goes on to the next.
    fn take(&mut self, out: &mut Vec<Rows>) -> Result<(), Error> {
        let Some(run) = self.runs.get(self.next) else { return Ok(()) };
        let mut left = run.rows as usize;
        while left > 0 {
            let batch = match &self.batch {
                Some(batch) if self.at < batch.times.len() => batch,
                _ => {
                    let Some(next) = self.batches.next() else {
                        return Err(Error::Storage(format!("a scan ended {left} rows before its time")));
                    };
                    self.at = 0;
                    self.batch.insert(Arc::new(Batch::of(&next?)?))
                }
            };
            let end = batch.times.len().min(self.at + left);
            left -= end - self.at;
            if end > self.at {
                out.push((Arc::clone(batch), self.at, end));
            }
            self.at = end;
        }
        self.next += 1;
        Ok(())
    }
}

/// Sources as one; later ones are younger.
pub(super) struct Merge {
    sources: Vec<Source>,
    /// Only samples of these times.
    range: TimeRange,
    /// Rows of the series that is being read.
    rows: Vec<Rows>,
    /// First time, last time and source of the series' runs that are read in place.
    spans: Vec<(i64, i64, usize)>,
}

impl Merge {
    pub(super) fn new(sources: Vec<Source>, range: TimeRange) -> Self {
        Self { sources, range, rows: Vec::new(), spans: Vec::new() }
    }

    /// Adds all samples of the next series to `samples`; answers its rank. Must not be called where threads may not block.
    pub(super) fn next(&mut self, samples: &mut Samples) -> Result<Option<u32>, Error> {
        let Some(rank) = self.sources.iter().filter_map(Source::rank).min() else { return Ok(None) };
        if self.read_in_place(rank, samples)? {
            return Ok(Some(rank));
        }
        let mut rows = std::mem::take(&mut self.rows);
        for source in self.sources.iter_mut().filter(|s| s.rank() == Some(rank)) {
            source.take(&mut rows)?;
        }
        for (batch, start, end) in &mut rows {
            let times = &batch.times[*start..*end];
            // Mostly all rows are of the range.
            if times.last().is_some_and(|t| *t >= self.range.end.0) {
                *end = *start + times.partition_point(|t| *t < self.range.end.0);
            }
            if times.first().is_some_and(|t| *t < self.range.start.0) {
                *start += times.partition_point(|t| *t < self.range.start.0);
            }
        }
        rows.retain(|(_, start, end)| start < end);
        let apart = |rows: &[Rows]| rows.windows(2).all(|w| w[0].0.times[w[0].2 - 1] < w[1].0.times[w[1].1]);
        let in_order = apart(&rows) || {
            // A file of late samples is younger and lies before.
            let mut sorted = rows.clone();
            sorted.sort_by_key(|(batch, start, _)| batch.times[*start]);
            let apart = apart(&sorted);
            if apart {
                rows = sorted;
            }
            apart
        };
        if in_order {
            rows.iter().for_each(|(batch, start, end)| batch.copy(*start, *end, samples));
        } else {
            interleave(&rows, samples);
        }
        rows.clear();
        self.rows = rows;
        Ok(Some(rank))
    }

    /// Adds the samples of a series if all rest in files that are read in place, one file's after another's; answers whether that is so.
    fn read_in_place(&mut self, rank: u32, samples: &mut Samples) -> Result<bool, Error> {
        if let [Source::Local(only)] = self.sources.as_mut_slice() {
            only.read(samples)?;
            return Ok(true);
        }
        self.spans.clear();
        for (n, source) in self.sources.iter().enumerate().filter(|(_, s)| s.rank() == Some(rank)) {
            let Source::Local(local) = source else { return Ok(false) };
            let span = local.span()?;
            // Nothing in the range, so it may be read at any place.
            let (first, last) = span.unwrap_or((i64::MAX, i64::MAX));
            self.spans.push((first, last, n));
        }
        self.spans.sort_unstable();
        let there = self.spans.partition_point(|(first, ..)| *first < i64::MAX);
        if self.spans[..there].windows(2).any(|w| w[0].1 >= w[1].0) {
            return Ok(false);
        }
        for (n, (_, _, source)) in self.spans.iter().enumerate() {
            if let Source::Local(local) = &mut self.sources[*source] {
                if n < there { local.read(samples)? } else { local.skip() }
            }
        }
        Ok(true)
    }
}

/// Row by row: sources overlap.
fn interleave(parts: &[Rows], samples: &mut Samples) {
    let mut rows: Vec<(i64, usize, usize)> = Vec::new();
    for (n, (batch, start, end)) in parts.iter().enumerate() {
        rows.extend((*start..*end).map(|row| (batch.times[row], n, row)));
    }
    rows.sort_unstable();
    for (i, (time, n, row)) in rows.iter().enumerate() {
        // The last of equal times is of the youngest source.
        if rows.get(i + 1).is_none_or(|next| next.0 != *time) {
            parts[*n].0.copy(*row, *row + 1, samples);
        }
    }
}
