//! Each selector of a query becomes a scan of its chosen series: stock Parquet scans of the files of one snapshot and the rows of the
//! buffer, merged to series ([`super::merge`]), in as many parts as there are threads ([`scan`]). A query that is answered where it is planned
//! reads local files in place instead ([`open`]): the same rows, without a plan.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch, RecordBatchOptions};
use arrow::compute::interleave;
use arrow::datatypes::{SchemaRef, TimestampNanosecondType, UInt64Type};
use datafusion::catalog::Session;
use datafusion::common::Result;
use grid_model::table::samples::{self, HISTOGRAM, SERIES_ID, TIME};
use grid_model::{Table, TimeRange, Timestamp};
use grid_promql::samples::Leaf;

use super::choose::Chosen;
use super::local::LocalRuns;
use super::locate::{Candidate, Located, Piece};
use super::merge::{Input, Run, input_columns};
use super::pinned::PinnedExec;
use crate::limits::BATCH_ROWS;
use crate::table::Source;
use crate::table::files::{conform, memory};
use crate::table::prune;

/// Rows of one part: fewer are not worth a thread of their own.
const ROWS_PER_PART_MIN: u64 = 64 * 1024;

/// What a selector reads.
#[derive(Debug, Clone)]
pub(super) struct LeafScan {
    /// Its series.
    pub chosen: Arc<Chosen>,
    /// What can be read side by side, each some of the series, in order.
    pub parts: Vec<Part>,
}

/// Some series of a selector.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Where their samples rest, older writes first.
    pub inputs: Vec<Input>,
    /// Only samples of these times.
    pub range: TimeRange,
}

/// What of a sample is wanted beside its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Start times.
    pub starts: bool,
    /// Of histograms, samples of so many milliseconds before the leaf's.
    pub before: i64,
}

/// The times of a leaf, in the store's unit.
fn range_of(leaf: &Leaf) -> TimeRange {
    let ns = |ms: i64| Timestamp(ms.saturating_mul(1_000_000));
    // Within a millisecond all times are that millisecond.
    TimeRange { start: ns(leaf.after.saturating_add(1)), end: ns(leaf.until.saturating_add(1)) }
}

/// A selector whose rows are about to be read.
pub(super) struct Opened {
    /// Its series.
    pub chosen: Arc<Chosen>,
    /// What can be read side by side, each some of the series, in order.
    pub parts: Vec<Vec<Readable>>,
    /// Only samples of these times.
    pub range: TimeRange,
    /// How many rows there are.
    pub rows: u64,
}

/// Where rows of a part rest.
#[allow(clippy::large_enum_variant, reason = "a query has a handful of them, each read for long")]
pub(super) enum Readable {
    /// In a file that is read in place.
    Local(LocalRuns),
    /// In memory.
    Held(Vec<RecordBatch>, Vec<Run>),
    /// In a file that DataFusion scans.
    Scanned(Input),
}

/// Plans the scan of one selector.
pub(super) async fn scan(source: &Arc<Source>, state: &dyn Session, leaf: &Leaf, wanted: Wanted) -> Result<LeafScan> {
    let mut found = Found::of(source, state, leaf, wanted).await?;
    let mut scan = LeafScan { chosen: Arc::clone(&found.chosen), parts: Vec::new() };
    for within in found.parts(state) {
        let mut inputs = Vec::with_capacity(found.files.len() + 1);
        for n in 0..found.files.len() {
            let pieces = found.located[n].take_below(within.1);
            if !pieces.is_empty() {
                inputs.push(found.scanned(n, &pieces, source, state)?);
            }
        }
        let (buffered, runs) = found.buffer.batches(within, &found.schema)?;
        if !buffered.is_empty() {
            inputs.push(Input { plan: memory(buffered, Arc::clone(&found.schema), 1)?, runs: runs.into() });
        }
        if !inputs.is_empty() {
            scan.parts.push(Part { inputs, range: found.range });
        }
    }
    Ok(scan)
}

/// Opens what one selector reads.
pub(super) async fn open(source: &Arc<Source>, state: &dyn Session, leaf: &Leaf, wanted: Wanted) -> Result<Opened> {
    let mut found = Found::of(source, state, leaf, wanted).await?;
    let mut local = Vec::with_capacity(found.files.len());
    for (file, located) in found.files.iter().zip(&found.located) {
        // Start times rest beside the numbers.
        local.push(if wanted.starts || located.pieces.is_empty() { None } else { file.open(source, located)? });
    }
    let (chosen, range, rows) = (Arc::clone(&found.chosen), found.range, found.rows());
    let mut opened = Opened { chosen, parts: Vec::new(), range, rows };
    for within in found.parts(state) {
        let mut part = Vec::with_capacity(found.files.len() + 1);
        for (n, file) in local.iter().enumerate() {
            let pieces = found.located[n].take_below(within.1);
            match file {
                _ if pieces.is_empty() => {}
                Some(file) => part.push(Readable::Local(LocalRuns::new(Arc::clone(file), pieces, range))),
                None => part.push(Readable::Scanned(found.scanned(n, &pieces, source, state)?)),
            }
        }
        let (buffered, runs) = found.buffer.batches(within, &found.schema)?;
        if !buffered.is_empty() {
            part.push(Readable::Held(buffered, runs));
        }
        if !part.is_empty() {
            opened.parts.push(part);
        }
    }
    Ok(opened)
}

/// The rows of a selector.
struct Found<'a> {
    chosen: Arc<Chosen>,
    range: TimeRange,
    /// Older writes first.
    files: Vec<Candidate>,
    /// What of each file.
    located: Vec<Located>,
    buffer: BufferRows<'a>,
    /// Positions of the columns that are read, and their schema.
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl<'a> Found<'a> {
    async fn of(source: &'a Source, state: &dyn Session, leaf: &Leaf, wanted: Wanted) -> Result<Self> {
        let chosen = Arc::new(Chosen::of(&source.snapshot.series(), &leaf.matchers));
        let mut range = range_of(leaf);
        let (mut files, mut buffered): (_, &[RecordBatch]) = (Vec::new(), &[]);
        if !chosen.is_empty() {
            files = candidates(source, state, &chosen, range).await?;
            buffered = source.snapshot.buffered(Table::Samples);
        }
        let mut buffer = BufferRows::of(buffered, &chosen, range);
        let histograms = buffer.histograms || files.iter().any(|f| f.histograms);
        if histograms {
            // Whether a histogram comes after a counter reset is said by the one before it; the reader drops that.
            range.start = Timestamp(range.start.0.saturating_sub(wanted.before.saturating_mul(1_000_000)));
            files = candidates(source, state, &chosen, range).await?;
            buffer = BufferRows::of(buffered, &chosen, range);
        }
        let mut located = Vec::with_capacity(files.len());
        for file in &files {
            located.push(file.locate(source, state, &chosen).await?);
        }
        let schema = samples::file_schema();
        let names = input_columns(wanted.starts, histograms);
        let columns = names.iter().map(|c| schema.index_of(c)).collect::<Result<Vec<_>, _>>()?;
        let schema = Arc::new(schema.project(&columns)?);
        Ok(Self { chosen, range, files, located, buffer, columns, schema })
    }

    fn rows(&self) -> u64 {
        self.located.iter().map(|located| located.rows).sum::<u64>() + self.buffer.rows.len() as u64
    }

    /// The parts in which they are read side by side, as ranks.
    fn parts(&self, state: &dyn Session) -> impl Iterator<Item = (u32, u32)> + use<> {
        let threads = state.config().target_partitions().max(1);
        let worth = usize::try_from(self.rows() / ROWS_PER_PART_MIN).unwrap_or(usize::MAX);
        // Two series with the same labels must meet, so they are read by one.
        let parts = if self.chosen.alike.is_empty() { worth.clamp(1, threads) } else { 1 };
        let all = self.chosen.series.len();
        let cut = move |n: usize| (all * n / parts) as u32;
        (0..parts).map(move |part| (cut(part), cut(part + 1)))
    }

    /// Some rows of a file as a stock scan.
    fn scanned(&self, file: usize, pieces: &[Piece], source: &Source, state: &dyn Session) -> Result<Input> {
        let selected = self.located[file].select(pieces);
        let file = &self.files[file];
        let plan = source.read_sample_file(state, &file.file, &self.columns, file.access(&selected))?;
        Ok(Input { plan: PinnedExec::above(plan), runs: selected.runs.into() })
    }
}

/// The files that may hold chosen series, oldest write first.
async fn candidates(source: &Source, state: &dyn Session, chosen: &Chosen, range: TimeRange) -> Result<Vec<Candidate>> {
    let all = source.snapshot.files(Table::Samples);
    let mut found = Vec::new();
    for file in prune::files(Table::Samples, all, range, None, samples::file_schema())? {
        found.extend(Candidate::of(source, state, file, chosen, range).await?);
    }
    Ok(found)
}

/// The buffer's rows of the chosen series, put in order by counting: rows of one series stand in the order of their writes.
struct BufferRows<'a> {
    batches: &'a [RecordBatch],
    /// Batch and row, by rank, each series' rows by time, each time once.
    rows: Vec<(u32, u32)>,
    /// Where each rank's rows end.
    ends: Vec<usize>,
    histograms: bool,
}

impl<'a> BufferRows<'a> {
    fn of(batches: &'a [RecordBatch], chosen: &Chosen, range: TimeRange) -> Self {
        if batches.iter().all(|b| b.num_rows() == 0) {
            return Self { batches, rows: Vec::new(), ends: Vec::new(), histograms: false };
        }
        let ranks = chosen.ranks();
        let mut found: Vec<(u32, i64, u32, u32)> = Vec::new();
        let mut counts = vec![0_usize; chosen.series.len()];
        let mut histograms = false;
        for (n, batch) in batches.iter().enumerate() {
            let Some((ids, times)) = keys(batch) else { continue };
            let mut any = false;
            for (row, (id, time)) in ids.iter().zip(times).enumerate() {
                if *time < range.start.0 || *time >= range.end.0 {
                    continue;
                }
                if let Some(rank) = ranks.get(id) {
                    counts[*rank as usize] += 1;
                    found.push((*rank, *time, n as u32, row as u32));
                    any = true;
                }
            }
            histograms |= any && batch.column_by_name(HISTOGRAM).is_some_and(|h| h.null_count() < h.len());
        }
        let mut starts: Vec<usize> = counts
            .iter()
            .scan(0, |at, n| {
                let start = *at;
                *at += n;
                Some(start)
            })
            .collect();
        let mut placed = vec![(0_i64, 0_u32, 0_u32); found.len()];
        for (rank, time, n, row) in found {
            let at = &mut starts[rank as usize];
            placed[*at] = (time, n, row);
            *at += 1;
        }
        let mut this = Self {
            batches,
            rows: Vec::with_capacity(placed.len()),
            ends: Vec::with_capacity(chosen.series.len()),
            histograms,
        };
        let mut from = 0;
        for until in starts {
            let own = &mut placed[from..until];
            if own.windows(2).any(|w| w[0].0 >= w[1].0) {
                own.sort_unstable();
            }
            for (i, (time, n, row)) in own.iter().enumerate() {
                // Of one time the last written counts.
                if own.get(i + 1).is_none_or(|next| next.0 != *time) {
                    this.rows.push((*n, *row));
                }
            }
            this.ends.push(this.rows.len());
            from = until;
        }
        this
    }

    /// The rows of some ranks, and whose they are.
    fn batches(&self, within: (u32, u32), schema: &SchemaRef) -> Result<(Vec<RecordBatch>, Vec<Run>)> {
        let end = |rank: u32| rank.checked_sub(1).map_or(0, |r| self.ends.get(r as usize).copied().unwrap_or(0));
        let rows = &self.rows[end(within.0)..end(within.1)];
        if rows.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let runs = (within.0..within.1).map(|rank| Run { rank, rows: (end(rank + 1) - end(rank)) as u32 });
        let runs = runs.filter(|run| run.rows > 0).collect();
        let sources = self.batches.iter().map(|b| conform(b, schema)).collect::<Result<Vec<_>>>()?;
        let mut out = Vec::with_capacity(rows.len().div_ceil(BATCH_ROWS));
        for chunk in rows.chunks(BATCH_ROWS) {
            let at: Vec<(usize, usize)> = chunk.iter().map(|(n, row)| (*n as usize, *row as usize)).collect();
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
            for column in 0..schema.fields().len() {
                let arrays: Vec<&dyn Array> = sources.iter().map(|b| b.column(column).as_ref()).collect();
                columns.push(interleave(&arrays, &at)?);
            }
            let options = RecordBatchOptions::new().with_row_count(Some(chunk.len()));
            out.push(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?);
        }
        Ok((out, runs))
    }
}

fn keys(batch: &RecordBatch) -> Option<(&[u64], &[i64])> {
    let ids = batch.column_by_name(SERIES_ID)?.as_primitive_opt::<UInt64Type>()?;
    let times = batch.column_by_name(TIME)?.as_primitive_opt::<TimestampNanosecondType>()?;
    Some((ids.values(), times.values()))
}
