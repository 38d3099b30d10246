//! The numbers of chosen series in a local file, read on the thread that evaluates them. It is what a stock scan of the same rows yields
//! ([`super::plan::scan`]), without its way over futures, channels and batches: of a run of which times and form are known
//! ([`crate::table::series_rows`]) one column is left to read, page by page.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::buffer::ScalarBuffer;
use bytes::Bytes;
use grid_model::TimeRange;
use grid_model::decimal_float::restore;
use grid_model::table::samples::{MANTISSA, VALUE};
use grid_promql::Error;
use grid_promql::samples::Samples;
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{DataType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::locate::Piece;
use super::merge::Batch;
use super::pages::Pages;
use crate::table::series_rows::{Form, SeriesRows};

/// Rows that are decoded at once where chosen series lie side by side.
const ROWS_AHEAD: usize = 8192;
const MILLISECOND: i64 = 1_000_000;

/// A file with what is known of its row groups.
#[derive(Debug)]
pub(super) struct LocalFile {
    bytes: Arc<FileBytes>,
    metadata: Arc<ParquetMetaData>,
    /// Positions of the columns.
    mantissa: Option<usize>,
    value: Option<usize>,
    /// Row groups that may hold chosen series, as pieces count them.
    groups: Vec<(usize, Arc<SeriesRows>)>,
}

/// The bytes of a file, at any place at any time.
#[derive(Debug)]
struct FileBytes {
    file: File,
    len: u64,
}

impl Length for FileBytes {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for FileBytes {
    type T = FileRead;

    fn get_read(&self, start: u64) -> ParquetResult<FileRead> {
        Ok(FileRead { file: self.file.try_clone()?, at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if start.saturating_add(length as u64) > self.len {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} are beyond the file's end")));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// Bytes from a place on.
struct FileRead {
    file: File,
    at: u64,
}

impl Read for FileRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl LocalFile {
    pub(super) fn new(
        file: File,
        metadata: Arc<ParquetMetaData>,
        groups: Vec<(usize, Arc<SeriesRows>)>,
    ) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let columns = metadata.file_metadata().schema_descr().columns();
        let named = |name: &str| columns.iter().position(|c| c.path().parts() == [name]);
        let (mantissa, value) = (named(MANTISSA), named(VALUE));
        Ok(Self { bytes: Arc::new(FileBytes { file, len }), metadata, mantissa, value, groups })
    }

    fn column<T: DataType>(&self, group: usize, leaf: Option<usize>) -> Result<Column<T>, Error> {
        let Some(leaf) = leaf else { return Err(Error::Storage("a file without a column of numbers".to_owned())) };
        let group_metadata = self.metadata.row_group(group);
        let chunk = group_metadata.column(leaf);
        if chunk.column_type() != T::get_physical_type() {
            return Err(Error::Storage("a file with numbers of another type".to_owned()));
        }
        let offsets = self.metadata.offset_index().and_then(|all| all.get(group)?.get(leaf));
        let rows = usize::try_from(group_metadata.num_rows()).unwrap_or(0);
        let locations = offsets.map(|index| index.page_locations().clone());
        let pages = Pages::new(Arc::clone(&self.bytes), chunk, rows, locations).map_err(storage)?;
        let reader = get_typed_column_reader(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)));
        let nullable = chunk.column_descr().max_def_level() > 0;
        Ok(Column { reader, nullable, at: 0, window: 0..0, values: Vec::new(), levels: Vec::new(), whole: true })
    }
}

fn storage(e: ParquetError) -> Error {
    Error::Storage(e.to_string())
}

/// One column of a row group, read forwards.
struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    nullable: bool,
    /// The row that the reader yields next.
    at: usize,
    /// The rows at hand.
    window: Range<usize>,
    /// One for each row, of no meaning where there is none.
    values: Vec<T::T>,
    /// Whether there is a number, by row: 1 or 0.
    levels: Vec<i16>,
    /// Whether there are numbers in all rows.
    whole: bool,
}

impl<T: DataType> Column<T>
where
    T::T: Copy + Default,
{
    /// Has rows at hand, and if any must be read those behind them up to `until` too.
    fn load(&mut self, rows: &Range<usize>, until: impl FnOnce() -> usize) -> Result<(), Error> {
        if rows.start >= self.window.start && rows.end <= self.window.end {
            return Ok(());
        }
        let short = || Error::Storage("a column has fewer rows than its footer says".to_owned());
        let skipped = rows.start.checked_sub(self.at).ok_or_else(short)?;
        if skipped > 0 && self.reader.skip_records(skipped).map_err(storage)? != skipped {
            return Err(short());
        }
        let wanted = until().max(rows.end) - rows.start;
        self.values.clear();
        self.levels.clear();
        let read = self.reader.read_records(wanted, Some(&mut self.levels), None, &mut self.values);
        let (records, found, _) = read.map_err(storage)?;
        if records != wanted {
            return Err(short());
        }
        self.at = rows.start + wanted;
        self.window = rows.start..self.at;
        self.whole = !self.nullable || found == wanted;
        if !self.whole {
            // Numbers stand next to each other: each goes to its row, the last first.
            self.values.resize(wanted, T::T::default());
            let mut from = found;
            for row in (0..wanted).rev() {
                if self.levels[row] > 0 {
                    from = from.checked_sub(1).ok_or_else(short)?;
                    self.values[row] = self.values[from];
                }
            }
        }
        Ok(())
    }

    fn at_hand(&self, rows: &Range<usize>) -> Range<usize> {
        rows.start - self.window.start..rows.end - self.window.start
    }

    fn is_there(&self, row: usize) -> bool {
        self.whole || self.levels[row] > 0
    }
}

/// A row group that is being read.
struct OpenGroup {
    slot: u32,
    mantissas: Option<Column<Int64Type>>,
    values: Option<Column<DoubleType>>,
}

/// Chosen rows of a file, series by series.
pub(super) struct LocalRuns {
    file: Arc<LocalFile>,
    pieces: Vec<Piece>,
    /// The piece that is read next.
    next: usize,
    /// Only samples of these times: first, and one past the last, in milliseconds.
    from: i64,
    until: i64,
    group: Option<OpenGroup>,
}

impl LocalRuns {
    pub(super) fn new(file: Arc<LocalFile>, pieces: Vec<Piece>, range: TimeRange) -> Self {
        let millis = |ns: i64| ns.div_euclid(MILLISECOND) + i64::from(ns.rem_euclid(MILLISECOND) > 0);
        let (from, until) = (millis(range.start.0), millis(range.end.0));
        Self { file, pieces, next: 0, from, until, group: None }
    }

    /// The series at which it stands.
    pub(super) fn rank(&self) -> Option<u32> {
        self.pieces.get(self.next).map(|piece| piece.rank)
    }

    /// The pieces of that series.
    fn own(&self) -> Range<usize> {
        let Some(rank) = self.rank() else { return 0..0 };
        let more = self.pieces[self.next..].iter().take_while(|piece| piece.rank == rank).count();
        self.next..self.next + more
    }

    /// First and last time of the series within the range, in milliseconds.
    pub(super) fn span(&self) -> Result<Option<(i64, i64)>, Error> {
        let mut span: Option<(i64, i64)> = None;
        for piece in &self.pieces[self.own()] {
            let (times, _, _) = self.known(piece)?;
            if let (Some(first), Some(last)) = (times.first(), times.last()) {
                span = Some((span.map_or(*first, |s| s.0), *last));
            }
        }
        Ok(span)
    }

    /// Goes on to the next series.
    pub(super) fn skip(&mut self) {
        self.next = self.own().end;
    }

    /// Times of a piece within the range, its rows with these times, and the form of its numbers.
    #[inline]
    fn known(&self, piece: &Piece) -> Result<(&[i64], Range<usize>, Form), Error> {
        let unknown = || Error::Storage("rows of which nothing is known".to_owned());
        let (_, series) = self.file.groups.get(piece.group as usize).ok_or_else(unknown)?;
        let (run, numbers) = (piece.run as usize, series.numbers.as_ref().ok_or_else(unknown)?);
        let (clock, form) = numbers.of(run).ok_or_else(unknown)?;
        let start = run.checked_sub(1).map_or(0, |before| series.ends[before]) as usize;
        let (mut low, mut high) = (0, clock.len());
        // Mostly all times are of the range.
        if clock.last().is_some_and(|t| *t >= self.until) {
            high = clock.partition_point(|t| *t < self.until);
        }
        if clock.first().is_some_and(|t| *t < self.from) {
            low = clock.partition_point(|t| *t < self.from).min(high);
        }
        Ok((&clock[low..high], start + low..start + high, form))
    }

    /// Up to which row it is worth to decode from a piece on: where series lie side by side, several at once.
    fn ahead(&self, at: usize, needs: impl Fn(Form) -> bool) -> usize {
        let piece = self.pieces[at];
        let Some((_, series)) = self.file.groups.get(piece.group as usize) else { return 0 };
        let end = |run: u32| series.ends[run as usize] as usize;
        let (first, mut last) = (end(piece.run), piece);
        for next in &self.pieces[at + 1..] {
            let adjacent = next.group == last.group && next.run == last.run + 1;
            let form = series.numbers.as_ref().and_then(|n| Some(n.of(next.run as usize)?.1));
            if !adjacent || !form.is_some_and(&needs) || end(next.run) - first > ROWS_AHEAD {
                break;
            }
            last = *next;
        }
        // Of one piece alone only the rows that are asked for.
        if last == piece { 0 } else { end(last.run) }
    }

    /// Adds the samples of the series, and goes on to the next one.
    pub(super) fn read(&mut self, samples: &mut Samples) -> Result<(), Error> {
        for at in self.own() {
            self.read_piece(at, samples)?;
        }
        self.skip();
        Ok(())
    }

    fn read_piece(&mut self, at: usize, samples: &mut Samples) -> Result<(), Error> {
        let piece = self.pieces[at];
        let (_, rows, form) = self.known(&piece)?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = match self.group.take() {
            Some(open) if open.slot == piece.group => open,
            _ => OpenGroup { slot: piece.group, mantissas: None, values: None },
        };
        let of_file = self.file.groups[piece.group as usize].0;
        let (decimals, others) = needs(form);
        if decimals {
            let column = match &mut group.mantissas {
                Some(column) => column,
                slot => slot.insert(self.file.column(of_file, self.file.mantissa)?),
            };
            column.load(&rows, || self.ahead(at, |form| needs(form).0))?;
        }
        if others {
            let column = match &mut group.values {
                Some(column) => column,
                slot => slot.insert(self.file.column(of_file, self.file.value)?),
            };
            column.load(&rows, || self.ahead(at, |form| needs(form).1))?;
        }
        let (times, rows, _) = self.known(&piece)?;
        match (form, &group.mantissas, &group.values) {
            (Form::Decimal { base, scale }, Some(mantissas), _) if mantissas.whole => {
                samples.times.extend_from_slice(times);
                push_decimals(&mut samples.values, &mantissas.values[mantissas.at_hand(&rows)], base, scale);
            }
            (Form::Plain, _, Some(values)) if values.whole => {
                samples.times.extend_from_slice(times);
                samples.values.extend_from_slice(&values.values[values.at_hand(&rows)]);
            }
            (form, mantissas, values) => {
                let (base, scale) = match form {
                    Form::Decimal { base, scale } | Form::Mixed { base, scale } => (base, scale),
                    Form::Plain => (0, 1.0),
                };
                let (mantissas, values) = (mantissas.as_ref().filter(|_| decimals), values.as_ref().filter(|_| others));
                for (row, time) in rows.zip(times) {
                    let decimal = mantissas.map(|m| (m, row - m.window.start)).filter(|(m, row)| m.is_there(*row));
                    let plain = values.map(|v| (v, row - v.window.start)).filter(|(v, row)| v.is_there(*row));
                    let number = match (decimal, plain) {
                        (Some((mantissas, row)), _) => restore(mantissas.values[row].wrapping_add(base), scale),
                        (None, Some((values, row))) => values.values[row],
                        (None, None) => continue,
                    };
                    samples.times.push(*time);
                    samples.values.push(number);
                }
            }
        }
        self.group = Some(group);
        if !samples.starts.is_empty() {
            samples.starts.resize(samples.times.len(), 0);
        }
        Ok(())
    }

    /// The samples of the series as rows that can be merged with others, and on to the next one.
    pub(super) fn take(&mut self, out: &mut Vec<(Arc<Batch>, usize, usize)>) -> Result<(), Error> {
        let mut samples = Samples::default();
        self.read(&mut samples)?;
        if !samples.times.is_empty() {
            let times: ScalarBuffer<i64> = samples.times.iter().map(|t| t.saturating_mul(MILLISECOND)).collect();
            let rows = times.len();
            let values = Float64Array::new(samples.values.into(), None);
            out.push((Arc::new(Batch { times, values, starts: None, histograms: None }), 0, rows));
        }
        Ok(())
    }
}

/// Whether mantissas and values are needed.
fn needs(form: Form) -> (bool, bool) {
    match form {
        Form::Decimal { .. } => (true, false),
        Form::Mixed { .. } => (true, true),
        Form::Plain => (false, true),
    }
}

/// As [`restore`], with one scale for all.
fn push_decimals(out: &mut Vec<f64>, mantissas: &[i64], base: i64, scale: f64) {
    let whole = mantissas.iter().map(|m| m.wrapping_add(base) as f64);
    if scale == 1.0 {
        out.extend(whole);
    } else if scale < 1.0 {
        let factor = scale.abs();
        out.extend(whole.map(|m| m * factor));
    } else {
        out.extend(whole.map(|m| m / scale));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_those_of_the_model() {
        for scale in [1.0, 10.0, 1e9, 0.001, 1e-9, -4096.0, -1000.0] {
            let mantissas = [0, 1, -7, 123_456_789, (1 << 53) - 1];
            let mut found = Vec::new();
            push_decimals(&mut found, &mantissas, 3, scale);
            let wanted = mantissas.map(|m| restore(m + 3, scale).to_bits());
            assert_eq!(found.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), wanted, "{scale}");
        }
    }
}
