//! Many sorted inputs as one sorted stream, without ever holding more of them than a bounded number of decoded batches.
//!
//! What moves is a [`Run`]: the rows of one input up to the next row of any other, found by galloping. Inputs of samples
//! hardly interleave (a run is a whole series), so most runs are long and are copied as slices.
//!
//! Rows with the same key: the older input's come first; of samples only the newest input's row stays, of series only the
//! oldest input's. One input holds no key twice where that matters.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering as Atomic};

use arrow::array::{Array as _, ArrayRef, AsArray as _, DictionaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::compute::{concat_batches, interleave_record_batch};
use arrow::datatypes::{DataType, Int32Type, TimeUnit, TimestampNanosecondType, UInt64Type};
use grid_model::Table;
use grid_model::table::samples;

use crate::error::StoreError;
use crate::sort::SHORT_RUN_ROWS;

/// A sorted input, batch by batch.
pub(crate) type Source = Box<dyn Iterator<Item = Result<RecordBatch, StoreError>> + Send>;

/// What a merge holds and whether it goes on: bytes of decoded batches that are alive, now and at most, and of encoded rows at
/// most.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    peak: AtomicUsize,
    encoded_peak: AtomicUsize,
    abandoned: AtomicBool,
}

impl Gauge {
    /// Bytes alive.
    pub(crate) fn now(&self) -> usize {
        self.now.load(Atomic::Relaxed)
    }

    /// Asks the merge to end.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Atomic::Relaxed);
    }

    /// Whether nobody waits for the merge any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Atomic::Relaxed)
    }

    /// Takes note of encoded rows that wait for the end of their row groups.
    pub(crate) fn note_encoded(&self, bytes: usize) {
        self.encoded_peak.fetch_max(bytes, Atomic::Relaxed);
    }

    /// The most that was ever alive, decoded and encoded.
    pub(crate) fn peak(&self) -> (usize, usize) {
        (self.peak.load(Atomic::Relaxed), self.encoded_peak.load(Atomic::Relaxed))
    }

    fn add(&self, bytes: usize) {
        let now = self.now.fetch_add(bytes, Atomic::Relaxed) + bytes;
        self.peak.fetch_max(now, Atomic::Relaxed);
    }
}

/// A decoded batch with its key columns, counted as long as anything refers to it.
pub(crate) struct Loaded {
    pub batch: RecordBatch,
    keys: Vec<Key>,
    bytes: usize,
    gauge: Arc<Gauge>,
}

impl Loaded {
    fn new(table: Table, batch: RecordBatch, gauge: &Arc<Gauge>) -> Result<Self, StoreError> {
        let mut keys = Vec::new();
        for name in table.sort_columns() {
            let column = batch.column_by_name(name).ok_or_else(|| no_key(table, name, "it is missing"))?;
            keys.push(Key::of(column).ok_or_else(|| no_key(table, name, "its type has no order here"))?);
        }
        let bytes = batch.get_array_memory_size();
        gauge.add(bytes);
        Ok(Self { batch, keys, bytes, gauge: Arc::clone(gauge) })
    }

    /// Whether its rows are distributions, which rest apart from numbers.
    pub(crate) fn has_distributions(&self) -> bool {
        self.batch.column_by_name(samples::HISTOGRAM).is_some()
    }

    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        self.keys
            .iter()
            .zip(&other.keys)
            .map(|(a, b)| a.compare(row, b, other_row))
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        self.gauge.now.fetch_sub(self.bytes, Atomic::Relaxed);
    }
}

fn no_key(table: Table, column: &str, why: &str) -> StoreError {
    StoreError::Corrupt(format!("a file of {} cannot be merged by its column {column}: {why}", table.name()))
}

/// A column by which files are sorted: ascending, nulls first.
enum Key {
    Text(StringArray),
    Name(DictionaryArray<Int32Type>, StringArray),
    Id(PrimitiveArray<UInt64Type>),
    Time(PrimitiveArray<TimestampNanosecondType>),
}

impl Key {
    fn of(column: &ArrayRef) -> Option<Self> {
        Some(match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string_opt()?.clone()),
            DataType::UInt64 => Self::Id(column.as_primitive_opt()?.clone()),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Self::Time(column.as_primitive_opt()?.clone()),
            DataType::Dictionary(..) => {
                let column = column.as_dictionary_opt::<Int32Type>()?;
                Self::Name(column.clone(), column.values().as_string_opt()?.clone())
            }
            _ => return None,
        })
    }

    fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Text(column) => column.is_valid(row).then(|| column.value(row)),
            Self::Name(column, names) => column.key(row).map(|key| names.value(key)),
            Self::Id(_) | Self::Time(_) => None,
        }
    }

    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        match (self, other) {
            (Self::Id(a), Self::Id(b)) => a.value(row).cmp(&b.value(other_row)),
            (Self::Time(a), Self::Time(b)) => a.value(row).cmp(&b.value(other_row)),
            // Null sorts before every text.
            _ => self.text(row).cmp(&other.text(other_row)),
        }
    }
}

/// Neighbouring rows of one input.
pub(crate) struct Run {
    /// The batch that holds them.
    pub of: Arc<Loaded>,
    /// The first row.
    pub start: usize,
    /// How many, at least one.
    pub len: usize,
}

impl Run {
    /// All rows of a batch.
    pub(crate) fn of(table: Table, batch: RecordBatch, gauge: &Arc<Gauge>) -> Result<Self, StoreError> {
        let len = batch.num_rows();
        Ok(Self { of: Arc::new(Loaded::new(table, batch, gauge)?), start: 0, len })
    }

    /// The rows as a batch of their own; nothing is copied.
    pub(crate) fn slice(&self) -> RecordBatch {
        self.of.batch.slice(self.start, self.len)
    }

    /// Bytes of its rows, if those of its batch are alike.
    pub(crate) fn bytes(&self) -> usize {
        self.of.bytes / self.of.batch.num_rows().max(1) * self.len
    }
}

/// Runs as one batch, in their order.
pub(crate) fn gather(runs: &[Run]) -> Result<RecordBatch, StoreError> {
    let Some(first) = runs.first() else { return Err(StoreError::Corrupt("a merge gathered no rows".to_owned())) };
    if runs.len() == 1 {
        return Ok(first.slice());
    }
    let rows: usize = runs.iter().map(|r| r.len).sum();
    if rows / runs.len() >= SHORT_RUN_ROWS {
        let slices: Vec<RecordBatch> = runs.iter().map(Run::slice).collect();
        return Ok(concat_batches(first.of.batch.schema_ref(), &slices)?);
    }
    let mut batches: Vec<&RecordBatch> = Vec::new();
    let mut position: std::collections::HashMap<*const Loaded, usize> = std::collections::HashMap::new();
    let mut at = Vec::with_capacity(rows);
    for run in runs {
        let n = *position.entry(Arc::as_ptr(&run.of)).or_insert_with(|| {
            batches.push(&run.of.batch);
            batches.len() - 1
        });
        at.extend((run.start..run.start + run.len).map(|row| (n, row)));
    }
    Ok(interleave_record_batch(&batches, &at)?)
}

/// What happens to rows with the same key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Same {
    KeepAll,
    /// Those of an input with a lower rank are dropped.
    KeepLast,
}

struct Input {
    source: Source,
    /// Decides between equal keys.
    rank: usize,
    head: Arc<Loaded>,
    row: usize,
}

impl Input {
    fn compare(&self, other: &Self) -> Ordering {
        self.head.compare(self.row, &other.head, other.row)
    }
}

/// The merge of some inputs.
pub(crate) struct Merge {
    table: Table,
    same: Same,
    /// By their next rows, the first last.
    inputs: Vec<Input>,
    gauge: Arc<Gauge>,
}

impl Merge {
    /// A merge of inputs given in the order of their writes, each sorted by the table's sort columns.
    pub(crate) fn new(table: Table, sources: Vec<Source>, gauge: Arc<Gauge>) -> Result<Self, StoreError> {
        let same = if matches!(table, Table::Samples | Table::Series) { Same::KeepLast } else { Same::KeepAll };
        let mut merge = Self { table, same, inputs: Vec::with_capacity(sources.len()), gauge };
        let count = sources.len();
        for (n, mut source) in sources.into_iter().enumerate() {
            // Of series the first counts.
            let rank = if table == Table::Series { count - n } else { n };
            if let Some(head) = merge.load(&mut source)? {
                merge.insert(Input { source, rank, head, row: 0 });
            }
        }
        Ok(merge)
    }

    fn load(&self, source: &mut Source) -> Result<Option<Arc<Loaded>>, StoreError> {
        for batch in source {
            let batch = batch?;
            if batch.num_rows() > 0 {
                return Ok(Some(Arc::new(Loaded::new(self.table, batch, &self.gauge)?)));
            }
        }
        Ok(None)
    }

    fn insert(&mut self, input: Input) {
        let at = self.inputs.partition_point(|i| i.compare(&input).then(i.rank.cmp(&input.rank)).is_gt());
        self.inputs.insert(at, input);
    }

    /// The next rows.
    pub(crate) fn next_run(&mut self) -> Result<Option<Run>, StoreError> {
        while let Some(mut input) = self.inputs.pop() {
            let (start, end) = (input.row, self.end_of_run(&input));
            let run = (end > start).then(|| Run { of: Arc::clone(&input.head), start, len: end - start });
            // No run: its next row has the key of an input that counts more.
            input.row = if run.is_some() { end } else { start + 1 };
            let more = if input.row < input.head.batch.num_rows() {
                true
            } else {
                match self.load(&mut input.source)? {
                    None => false,
                    Some(head) => {
                        (input.head, input.row) = (head, 0);
                        true
                    }
                }
            };
            if more {
                self.insert(input);
            }
            if run.is_some() {
                return Ok(run);
            }
        }
        Ok(None)
    }

    /// Where the run ends that begins at the next row of the foremost input: before the first row that sorts behind the next
    /// row of another input.
    fn end_of_run(&self, input: &Input) -> usize {
        let rows = input.head.batch.num_rows();
        let Some(next) = self.inputs.last() else { return rows };
        let equal_belongs = self.same == Same::KeepAll && input.rank < next.rank;
        let belongs = |row: usize| match input.head.compare(row, &next.head, next.row) {
            Ordering::Less => true,
            Ordering::Equal => equal_belongs,
            Ordering::Greater => false,
        };
        if belongs(rows - 1) {
            return rows;
        }
        // Gallop: `low` rows belong, the row `high` does not.
        let (mut low, mut step) = (input.row, 1);
        let mut high = rows - 1;
        while low + step - 1 < high {
            let probe = low + step - 1;
            if !belongs(probe) {
                high = probe;
                break;
            }
            low = probe + 1;
            step *= 2;
        }
        while low < high {
            let middle = low.midpoint(high);
            if belongs(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::compute::cast;
    use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
    use grid_model::table::samples::{SampleValue, SamplesBuilder};
    use grid_model::{AttrValue, Histogram, Labels, SeriesDef, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::index::SeriesIndex;
    use crate::sort::sort_rows;

    /// A sorted batch in pieces.
    fn source(batch: RecordBatch, piece: usize) -> Source {
        let starts = (0..batch.num_rows()).step_by(piece);
        let pieces: Vec<_> = starts.map(|at| Ok(batch.slice(at, piece.min(batch.num_rows() - at)))).collect();
        Box::new(pieces.into_iter())
    }

    /// All rows of a merge, numbers and distributions apart, as readable batches.
    fn merged(table: Table, sources: Vec<Source>) -> Vec<RecordBatch> {
        let gauge = Arc::new(Gauge::default());
        let mut merge = Merge::new(table, sources, Arc::clone(&gauge)).unwrap();
        let (mut numbers, mut distributions) = (Vec::new(), Vec::new());
        while let Some(run) = merge.next_run().unwrap() {
            if run.of.has_distributions() { distributions.push(run) } else { numbers.push(run) }
        }
        drop(merge);
        let all = [numbers, distributions];
        let out = all.iter().filter(|runs| !runs.is_empty()).map(|runs| plain(&gather(runs).unwrap())).collect();
        drop(all);
        assert_eq!(gauge.now(), 0);
        out
    }

    /// Texts instead of dictionaries.
    fn plain(batch: &RecordBatch) -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = batch
            .schema_ref()
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| match column.data_type() {
                DataType::Dictionary(..) => (field.name().as_str(), cast(column, &DataType::Utf8).unwrap()),
                _ => (field.name().as_str(), Arc::clone(column)),
            })
            .collect();
        RecordBatch::try_from_iter(columns).unwrap()
    }

    proptest! {
        #[test]
        fn a_merge_of_samples_is_the_sorted_whole(
            writes in prop::collection::vec(prop::collection::vec((0..6_usize, 0..12_i64, 0..5_u8), 1..40), 1..7),
            piece in 1..20_usize,
        ) {
            let index = SeriesIndex::default();
            let defs: Vec<_> = (0..6)
                .map(|i| SeriesDef::of_labels(Labels::of(&[("__name__", ["a", "b"][i % 2]), ("i", &i.to_string())])))
                .collect();
            defs.iter().for_each(|d| index.insert(d));
            let mut value = 0.0;
            let batches: Vec<RecordBatch> = writes.iter().map(|rows| {
                let mut b = SamplesBuilder::default();
                for (series, time, kind) in rows {
                    value += 1.0;
                    let sample = match kind {
                        0 => SampleValue::Histogram(Box::new(Histogram { count: value as u64, ..Histogram::default() })),
                        1 => SampleValue::Int((1 << 53) + value as i64),
                        _ => SampleValue::Float(value),
                    };
                    b.push(defs[*series].id(), Timestamp(*time), None, sample);
                }
                b.finish()
            }).collect();
            let mut sources = Vec::new();
            for batch in &batches {
                for sorted in sort_rows(Table::Samples, std::slice::from_ref(batch), &index).unwrap() {
                    sources.push(source(sorted, piece));
                }
            }
            let expected: Vec<_> = sort_rows(Table::Samples, &batches, &index).unwrap().iter().map(plain).collect();
            prop_assert_eq!(merged(Table::Samples, sources), expected);
        }

        #[test]
        fn a_merge_of_logs_is_the_sorted_whole(
            writes in prop::collection::vec(prop::collection::vec((0..3_usize, 0..3_u64, 0..8_i64), 1..60), 1..7),
            piece in 1..20_usize,
        ) {
            let mut line = 0;
            let batches: Vec<RecordBatch> = writes.iter().map(|rows| {
                let mut b = LogsBuilder::default();
                for (service, stream_id, time) in rows {
                    line += 1;
                    let body = Some(AttrValue::from(format!("line {line}").as_str()));
                    let row = LogRow { time: Timestamp(*time), body, ..LogRow::default() };
                    let labels = Labels::of(&[("stream", &stream_id.to_string())]);
                    let service = ["", "a", "b"][*service].to_owned();
                    b.push(&LogOrigin { service, stream_id: *stream_id, labels, ..LogOrigin::default() }, &row);
                }
                b.finish()
            }).collect();
            let index = SeriesIndex::default();
            let sort = |batches: &[RecordBatch]| sort_rows(Table::Logs, batches, &index).unwrap().remove(0);
            let sources = batches.iter().map(|b| source(sort(std::slice::from_ref(b)), piece)).collect();
            let expected = sort(&batches);
            // Equal keys keep the order of writes, here as there.
            prop_assert_eq!(merged(Table::Logs, sources), vec![plain(&expected)]);
        }
    }
}
