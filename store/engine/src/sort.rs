//! Bringing rows into the order of a file: sorted by the table's sort columns, for samples without duplicates.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt32Array, new_null_array,
};
use arrow::compute::{cast, concat_batches, interleave, interleave_record_batch, take, take_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimestampNanosecondType, UInt64Type};
use arrow::error::ArrowError;
use grid_model::table::samples;
use grid_model::{SeriesId, Table};

use crate::index::SeriesIndex;

/// The rows of `batches`, given in the order of their writes, in the order of files: one batch, for samples one of numbers and
/// one of distributions, each only if it has rows. Of two samples with the same series and time the later one stays. Samples get
/// the column `metric` in front, as a dictionary.
pub fn sort_rows(table: Table, batches: &[RecordBatch], index: &SeriesIndex) -> Result<Vec<RecordBatch>, ArrowError> {
    match table {
        Table::Samples => sort_samples(batches, index),
        Table::Series => Ok(vec![first_of_each_series(&sort_by_columns(table, batches)?)?]),
        _ => Ok(vec![sort_by_columns(table, batches)?]),
    }
}

/// The rows of batches by the table's sort columns; rows that compare equal keep the order of their writes.
fn sort_by_columns(table: Table, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let schema = table.schema();
    let sources: Vec<&RecordBatch> = batches.iter().filter(|b| b.num_rows() > 0).collect();
    if sources.is_empty() {
        return Ok(RecordBatch::new_empty(schema));
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut keys: Vec<(Ranks, usize)> = (0..rows).map(|row| (Ranks::default(), row)).collect();
    for (n, name) in table.sort_columns().iter().enumerate() {
        let columns = sources.iter().map(|b| b.column_by_name(name));
        let columns: Option<Vec<&ArrayRef>> = columns.collect();
        let columns = columns.ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))?;
        rank(&columns, |row, rank| keys[row].0[n] = rank)?;
    }
    // Stable, and quick on the runs that requests bring.
    keys.sort_by_key(|(ranks, _)| *ranks);

    // Neighbours that stay neighbours are copied together.
    let mut starts = Vec::with_capacity(batches.len());
    let mut next = 0;
    for batch in &sources {
        starts.push(next);
        next += batch.num_rows();
    }
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    for (_, row) in &keys {
        let batch = starts.partition_point(|start| start <= row) - 1;
        let at = row - starts[batch];
        match runs.last_mut() {
            Some((of, start, len)) if *of == batch && *start + *len == at => *len += 1,
            _ => runs.push((batch, at, 1)),
        }
    }
    if rows / runs.len().max(1) >= SHORT_RUN_ROWS {
        let slices: Vec<RecordBatch> = runs.iter().map(|(of, start, len)| sources[*of].slice(*start, *len)).collect();
        return concat_batches(&schema, &slices);
    }
    let at: Vec<(usize, usize)> =
        runs.iter().flat_map(|(of, start, len)| (*start..start + len).map(|row| (*of, row))).collect();
    RecordBatch::try_new(schema, interleave_record_batch(&sources, &at)?.columns().to_vec())
}

/// Runs of fewer rows on average are copied row by row, longer ones slice by slice.
pub(crate) const SHORT_RUN_ROWS: usize = 8;

/// The values of a row's sort columns as numbers in the same order.
type Ranks = [u64; SORT_COLUMNS_MAX];
const SORT_COLUMNS_MAX: usize = 3;

/// Calls `set` with each row of a sort column and its value as a number that sorts like it, nulls first. Texts repeat, so each is
/// compared once.
fn rank(columns: &[&ArrayRef], mut set: impl FnMut(usize, u64)) -> Result<(), ArrowError> {
    let mut row = 0;
    if let Some(texts) = columns.iter().map(|c| c.as_string_opt::<i32>()).collect::<Option<Vec<_>>>() {
        let mut distinct: BTreeMap<&str, u64> = BTreeMap::new();
        let mut last: Option<&str> = None;
        for text in texts.iter().flat_map(|t| t.iter()).flatten() {
            if last != Some(text) {
                distinct.entry(text).or_default();
                last = Some(text);
            }
        }
        distinct.values_mut().zip(1..).for_each(|(rank, n)| *rank = n);
        let mut last: (Option<&str>, u64) = (None, 0);
        for text in texts.iter().flat_map(|t| t.iter()) {
            if last.0 != text {
                last = (text, text.and_then(|t| distinct.get(t)).copied().unwrap_or_default());
            }
            set(row, last.1);
            row += 1;
        }
        return Ok(());
    }
    for column in columns {
        if column.null_count() > 0 {
            return Err(ArrowError::SchemaError("a sort column of numbers has nulls".to_owned()));
        }
        if let Some(ids) = column.as_primitive_opt::<UInt64Type>() {
            ids.values().iter().zip(row..).for_each(|(id, row)| set(row, *id));
        } else if let Some(times) = column.as_primitive_opt::<TimestampNanosecondType>() {
            // Flipping the sign bit puts negative times before the others.
            times.values().iter().zip(row..).for_each(|(time, row)| set(row, time.cast_unsigned() ^ 1 << 63));
        } else {
            return Err(ArrowError::SchemaError(format!("a sort column is {}", column.data_type())));
        }
        row += column.len();
    }
    Ok(())
}

fn rows_u32(batch: &RecordBatch) -> Result<u32, ArrowError> {
    u32::try_from(batch.num_rows()).map_err(|_| ArrowError::ComputeError("more than 2^32 rows in one file".into()))
}

fn first_of_each_series(sorted: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let ids = sorted.column(0).as_primitive::<UInt64Type>().values();
    let keep = (0..rows_u32(sorted)?).filter(|&i| i == 0 || ids[i as usize] != ids[i as usize - 1]);
    take_record_batch(sorted, &UInt32Array::from_iter_values(keep))
}

fn sort_samples(batches: &[RecordBatch], index: &SeriesIndex) -> Result<Vec<RecordBatch>, ArrowError> {
    // Numbers and distributions part here: the nineteen null children of a distribution's column would cost a file of numbers more
    // than the numbers do.
    let numbers = samples::number_schema();
    let parts = batches.iter().map(|b| conform(b, &numbers)).collect::<Result<Vec<_>, _>>()?;
    let all = concat_batches(&numbers, &parts)?;
    let picked = Picked::of(&all, index)?;
    let histograms = Histograms::of(batches);
    let (of_numbers, of_histograms): (Vec<usize>, Vec<usize>) =
        (0..picked.rows.len()).partition(|i| !histograms.holds(picked.rows[*i]));
    let mut out = Vec::new();
    for (chosen, with_histograms) in [(of_numbers, false), (of_histograms, true)] {
        if chosen.is_empty() {
            continue;
        }
        let rows = UInt32Array::from_iter_values(chosen.iter().map(|i| picked.rows[*i]));
        let mut fields = vec![Field::new(samples::METRIC, dictionary_type(), false)];
        let mut columns: Vec<ArrayRef> = vec![Arc::new(picked.metric(&chosen)?)];
        for (field, column) in numbers.fields().iter().zip(all.columns()) {
            fields.push(field.as_ref().clone());
            columns.push(take(column, &rows, None)?);
        }
        if with_histograms {
            let schema = samples::schema();
            fields.push(schema.field_with_name(samples::HISTOGRAM)?.clone());
            columns.push(histograms.take(rows.values())?);
        }
        out.push(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?);
    }
    Ok(out)
}

fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The rows that stay, in the order of a file.
struct Picked {
    rows: Vec<u32>,
    /// For each of `rows`, its metric as a position in `metrics`.
    metric_keys: Vec<i32>,
    metrics: Vec<Arc<str>>,
}

impl Picked {
    fn of(all: &RecordBatch, index: &SeriesIndex) -> Result<Self, ArrowError> {
        let count = rows_u32(all)? as usize;
        let ids = all.column(0).as_primitive::<UInt64Type>().values();
        let times = all.column(1).as_primitive::<TimestampNanosecondType>().values();

        // Which series occur, and their order in the file.
        let mut slot_of: HashMap<u64, u32> = HashMap::new();
        let mut slots = Vec::with_capacity(count);
        let mut last = None;
        for id in ids {
            let slot = match last {
                Some((last_id, slot)) if last_id == *id => slot,
                _ => {
                    let next = slot_of.len() as u32;
                    *slot_of.entry(*id).or_insert(next)
                }
            };
            last = Some((*id, slot));
            slots.push(slot);
        }
        let mut order: Vec<(Arc<str>, u64, u32)> =
            slot_of.iter().map(|(id, slot)| (index.metric_of(SeriesId(*id)).unwrap_or_default(), *id, *slot)).collect();
        order.sort_unstable();

        // Counting sort by series keeps the order of writes; mostly that is the order of time already.
        let mut start = vec![0_usize; order.len() + 1];
        for slot in &slots {
            start[*slot as usize + 1] += 1;
        }
        for i in 1..start.len() {
            start[i] += start[i - 1];
        }
        let mut grouped = vec![0_u32; count];
        let mut at = start.clone();
        for (row, slot) in slots.iter().enumerate() {
            grouped[at[*slot as usize]] = row as u32;
            at[*slot as usize] += 1;
        }
        let mut picked =
            Self { rows: Vec::with_capacity(count), metric_keys: Vec::with_capacity(count), metrics: Vec::new() };
        for (metric, _, slot) in &order {
            if picked.metrics.last() != Some(metric) {
                picked.metrics.push(Arc::clone(metric));
            }
            let group = &mut grouped[start[*slot as usize]..start[*slot as usize + 1]];
            if !group.is_sorted_by_key(|&r| times[r as usize]) {
                group.sort_by_key(|&r| times[r as usize]);
            }
            for (i, &row) in group.iter().enumerate() {
                let superseded = group.get(i + 1).is_some_and(|&next| times[next as usize] == times[row as usize]);
                if !superseded {
                    picked.rows.push(row);
                    picked.metric_keys.push(picked.metrics.len() as i32 - 1);
                }
            }
        }
        Ok(picked)
    }

    /// The column `metric` of some of the rows.
    fn metric(&self, chosen: &[usize]) -> Result<DictionaryArray<Int32Type>, ArrowError> {
        let keys = Int32Array::from_iter_values(chosen.iter().map(|i| self.metric_keys[*i]));
        DictionaryArray::try_new(keys, Arc::new(StringArray::from_iter_values(self.metrics.iter())))
    }
}

/// The distributions among batches, by position in all of their rows.
struct Histograms<'a> {
    /// First row and column of each batch that has the column.
    columns: Vec<(u32, &'a ArrayRef)>,
}

impl<'a> Histograms<'a> {
    fn of(batches: &'a [RecordBatch]) -> Self {
        let mut columns = Vec::new();
        let mut first = 0_u32;
        for batch in batches {
            if let Some(column) = batch.column_by_name(samples::HISTOGRAM) {
                columns.push((first, column));
            }
            first = first.saturating_add(batch.num_rows() as u32);
        }
        Self { columns }
    }

    /// Which column holds a row, and where.
    fn locate(&self, row: u32) -> Option<(usize, usize)> {
        let n = self.columns.partition_point(|(first, _)| *first <= row).checked_sub(1)?;
        let (first, column) = self.columns[n];
        let at = (row - first) as usize;
        (at < column.len()).then_some((n, at))
    }

    fn holds(&self, row: u32) -> bool {
        self.locate(row).is_some_and(|(n, at)| self.columns[n].1.is_valid(at))
    }

    fn take(&self, rows: &[u32]) -> Result<ArrayRef, ArrowError> {
        let arrays: Vec<&dyn Array> = self.columns.iter().map(|(_, c)| c.as_ref()).collect();
        let at: Vec<(usize, usize)> = rows.iter().filter_map(|row| self.locate(*row)).collect();
        interleave(&arrays, &at)
    }
}

/// A batch brought to a schema: columns in its order, missing ones null, others cast.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        columns.push(match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Arc::clone(column),
            Some(column) => cast(column, field.data_type())?,
            None if field.is_nullable() => new_null_array(field.data_type(), batch.num_rows()),
            None => return Err(ArrowError::SchemaError(format!("column {} is missing", field.name()))),
        });
    }
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// The row positions of a batch by a key of their time, keys ascending, positions ascending within a key.
pub fn split_by<K: Ord>(
    batch: &RecordBatch,
    time_column: &str,
    key: impl Fn(i64) -> K,
) -> Result<Vec<(K, UInt32Array)>, ArrowError> {
    let mut groups: std::collections::BTreeMap<K, Vec<u32>> = std::collections::BTreeMap::new();
    for (row, time) in times(batch, time_column)?.iter().enumerate() {
        groups.entry(key(*time)).or_default().push(row as u32);
    }
    Ok(groups.into_iter().map(|(k, rows)| (k, UInt32Array::from(rows))).collect())
}

/// Earliest and latest time of a batch; `None` if it has no rows.
pub fn time_bounds(batch: &RecordBatch, time_column: &str) -> Result<Option<(i64, i64)>, ArrowError> {
    let times = times(batch, time_column)?;
    Ok(times.iter().min().copied().zip(times.iter().max().copied()))
}

pub(crate) fn times<'a>(batch: &'a RecordBatch, time_column: &str) -> Result<&'a [i64], ArrowError> {
    let column =
        batch.column_by_name(time_column).ok_or_else(|| ArrowError::SchemaError(format!("no column {time_column}")))?;
    let column = column
        .as_primitive_opt::<TimestampNanosecondType>()
        .ok_or_else(|| ArrowError::SchemaError(format!("{time_column} is {}, not nanoseconds", column.data_type())))?;
    Ok(column.values())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::datatypes::Float64Type;
    use grid_model::table::samples::{SampleValue, SamplesBuilder};
    use grid_model::{Histogram, Labels, SeriesDef, Timestamp};

    #[test]
    fn the_later_write_wins_and_files_are_sorted() {
        let index = SeriesIndex::default();
        let defs: Vec<_> = ["b", "a"].iter().map(|m| SeriesDef::of_labels(Labels::of(&[("__name__", m)]))).collect();
        defs.iter().for_each(|d| index.insert(d));
        let batch = |rows: &[(usize, i64, f64)]| {
            let mut b = SamplesBuilder::default();
            rows.iter().for_each(|(s, t, v)| b.push_float(defs[*s].id(), Timestamp(*t), None, *v));
            b.finish()
        };
        let batches =
            [batch(&[(0, 2, 1.0), (0, 1, 2.0), (1, 5, 3.0)]), batch(&[(0, 2, 4.0), (1, 5, 5.0), (0, 2, 6.0)])];
        let sorted = sort_rows(Table::Samples, &batches, &index).unwrap().remove(0);
        let times = sorted.column(2).as_primitive::<TimestampNanosecondType>().values().to_vec();
        let values = sorted.column(4).as_primitive::<Float64Type>().values().to_vec();
        assert_eq!((times, values), (vec![5, 1, 2], vec![5.0, 2.0, 6.0]));
        let metric = cast(sorted.column(0), &DataType::Utf8).unwrap();
        assert_eq!(metric.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a", "b", "b"]);
    }

    #[test]
    fn numbers_and_distributions_part_and_the_later_write_wins_between_them() {
        let index = SeriesIndex::default();
        let def = SeriesDef::of_labels(Labels::of(&[("__name__", "a")]));
        index.insert(&def);
        let histogram = |count| SampleValue::Histogram(Box::new(Histogram { count, ..Histogram::default() }));
        let batch = |rows: Vec<(i64, SampleValue)>| {
            let mut b = SamplesBuilder::default();
            rows.into_iter().for_each(|(t, v)| b.push(def.id(), Timestamp(t), None, v));
            b.finish()
        };
        let batches = [
            batch(vec![(1, SampleValue::Float(1.0)), (2, SampleValue::Float(2.0))]),
            batch(vec![(1, histogram(10)), (3, SampleValue::Float(3.0)), (4, histogram(40))]),
            batch(vec![(4, SampleValue::Float(4.0)), (5, SampleValue::Float(5.0))]),
        ];
        let sorted = sort_rows(Table::Samples, &batches, &index).unwrap();
        let times = |b: &RecordBatch| b.column(2).as_primitive::<TimestampNanosecondType>().values().to_vec();
        assert_eq!(sorted.iter().map(times).collect::<Vec<_>>(), [vec![2, 3, 4, 5], vec![1]]);
        assert_eq!(sorted[0].column_by_name(samples::HISTOGRAM), None);
        let column = sorted[1].column_by_name(samples::HISTOGRAM).unwrap().as_struct();
        assert_eq!(samples::read_histogram(column, 0).unwrap().count, 10);
    }

    proptest::proptest! {
        /// Arrow's own sort is the reference.
        #[test]
        fn rows_come_in_the_order_of_all_sort_columns(
            writes in proptest::collection::vec(
                proptest::collection::vec((0..4_usize, 0..4_u64, -3..3_i64), 0..30), 1..6),
        ) {
            use arrow::compute::{SortColumn, lexsort_to_indices};
            use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
            let batches: Vec<RecordBatch> = writes.iter().map(|rows| {
                let mut b = LogsBuilder::default();
                for (n, (service, stream, time)) in rows.iter().enumerate() {
                    let row = LogRow { time: Timestamp(*time), flags: n as u32, ..LogRow::default() };
                    let service = ["", "b", "a", "ab"][*service].to_owned();
                    let stream_id = [0, 1, u64::MAX, 1 << 63][*stream as usize];
                    b.push(&LogOrigin { service, stream_id, ..LogOrigin::default() }, &row);
                }
                b.finish()
            }).collect();
            let sorted = sort_rows(Table::Logs, &batches, &SeriesIndex::default()).unwrap().remove(0);
            let all = concat_batches(&Table::Logs.schema(), &batches).unwrap();
            let position: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..all.num_rows() as u32));
            let columns = Table::Logs.sort_columns().iter().map(|name| Arc::clone(&all[name])).chain([position]);
            let columns: Vec<_> = columns.map(|values| SortColumn { values, options: None }).collect();
            let expected = take_record_batch(&all, &lexsort_to_indices(&columns, None).unwrap()).unwrap();
            proptest::prop_assert_eq!(sorted, expected);
        }
    }

    #[test]
    fn sort_columns_are_few_and_only_texts_may_be_null() {
        for table in Table::ALL {
            assert!(table.sort_columns().len() <= SORT_COLUMNS_MAX);
            for name in table.sort_columns() {
                let schema = table.file_schema();
                let field = schema.field_with_name(name).unwrap();
                assert!(*field.data_type() == DataType::Utf8 || !field.is_nullable(), "{name} of {table:?}");
            }
        }
    }
}
