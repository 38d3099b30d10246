//! Bringing rows into the order of a file: sorted by the table's sort columns, for samples without duplicates.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt32Array, new_null_array,
};
use arrow::compute::{SortColumn, cast, concat_batches, lexsort_to_indices, take, take_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimestampNanosecondType, UInt64Type};
use arrow::error::ArrowError;
use grid_model::table::samples;
use grid_model::{SeriesId, Table};

use crate::index::SeriesIndex;

/// The rows of `batches`, given in the order of their writes, as one batch in the order of a file. Of two samples with the same
/// series and time the later one stays. Samples get the column `metric` in front, as a dictionary.
pub fn sort_rows(table: Table, batches: &[RecordBatch], index: &SeriesIndex) -> Result<RecordBatch, ArrowError> {
    match table {
        Table::Samples => sort_samples(batches, index),
        Table::Series => {
            let all = concat_batches(&table.schema(), batches)?;
            first_of_each_series(&sort_by_columns(table, &all)?)
        }
        _ => sort_by_columns(table, &concat_batches(&table.schema(), batches)?),
    }
}

fn sort_by_columns(table: Table, all: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut columns: Vec<SortColumn> = Vec::new();
    for name in table.sort_columns() {
        let values = all.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))?;
        columns.push(SortColumn { values: Arc::clone(values), options: None });
    }
    // The position breaks ties: rows that compare equal keep the order of their writes.
    let position: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..rows_u32(all)?));
    columns.push(SortColumn { values: position, options: None });
    take_record_batch(all, &lexsort_to_indices(&columns, None)?)
}

fn rows_u32(batch: &RecordBatch) -> Result<u32, ArrowError> {
    u32::try_from(batch.num_rows()).map_err(|_| ArrowError::ComputeError("more than 2^32 rows in one file".into()))
}

fn first_of_each_series(sorted: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let ids = sorted.column(0).as_primitive::<UInt64Type>().values();
    let keep = (0..rows_u32(sorted)?).filter(|&i| i == 0 || ids[i as usize] != ids[i as usize - 1]);
    take_record_batch(sorted, &UInt32Array::from_iter_values(keep))
}

fn sort_samples(batches: &[RecordBatch], index: &SeriesIndex) -> Result<RecordBatch, ArrowError> {
    let with_histograms = batches.iter().any(|b| b.column_by_name(samples::HISTOGRAM).is_some());
    let schema = if with_histograms { samples::schema() } else { samples::number_schema() };
    let parts = batches.iter().map(|b| conform(b, &schema)).collect::<Result<Vec<_>, _>>()?;
    let all = concat_batches(&schema, &parts)?;
    let rows = rows_u32(&all)?;
    let ids = all.column(0).as_primitive::<UInt64Type>().values();
    let times = all.column(1).as_primitive::<TimestampNanosecondType>().values();

    // Which series occur, and their order in the file.
    let mut slot_of: HashMap<u64, u32> = HashMap::new();
    let mut slots = Vec::with_capacity(rows as usize);
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
    let mut grouped = vec![0_u32; rows as usize];
    let mut at = start.clone();
    for (row, slot) in slots.iter().enumerate() {
        grouped[at[*slot as usize]] = row as u32;
        at[*slot as usize] += 1;
    }
    let mut picked: Vec<u32> = Vec::with_capacity(rows as usize);
    let mut metric_keys: Vec<i32> = Vec::with_capacity(rows as usize);
    let mut metrics: Vec<&str> = Vec::new();
    for (metric, _, slot) in &order {
        if metrics.last() != Some(&metric.as_ref()) {
            metrics.push(metric);
        }
        let group = &mut grouped[start[*slot as usize]..start[*slot as usize + 1]];
        if !group.is_sorted_by_key(|&r| times[r as usize]) {
            group.sort_by_key(|&r| times[r as usize]);
        }
        for (i, &row) in group.iter().enumerate() {
            let superseded = group.get(i + 1).is_some_and(|&next| times[next as usize] == times[row as usize]);
            if !superseded {
                picked.push(row);
                metric_keys.push(metrics.len() as i32 - 1);
            }
        }
    }
    let picked = UInt32Array::from(picked);
    let metric = DictionaryArray::<Int32Type>::try_new(Int32Array::from(metric_keys), Arc::new(StringArray::from(metrics)))?;
    let mut fields = vec![Field::new(
        samples::METRIC,
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        false,
    )];
    fields.extend(schema.fields().iter().map(|f| f.as_ref().clone()));
    let mut columns: Vec<ArrayRef> = vec![Arc::new(metric)];
    for column in all.columns() {
        columns.push(take(column, &picked, None)?);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
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
pub fn split_by<K: Ord>(batch: &RecordBatch, time_column: &str, key: impl Fn(i64) -> K) -> Result<Vec<(K, UInt32Array)>, ArrowError> {
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

fn times<'a>(batch: &'a RecordBatch, time_column: &str) -> Result<&'a [i64], ArrowError> {
    let column = batch.column_by_name(time_column).ok_or_else(|| ArrowError::SchemaError(format!("no column {time_column}")))?;
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
    use grid_model::table::samples::SamplesBuilder;
    use grid_model::{Labels, SeriesDef, Timestamp};

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
        let batches = [batch(&[(0, 2, 1.0), (0, 1, 2.0), (1, 5, 3.0)]), batch(&[(0, 2, 4.0), (1, 5, 5.0), (0, 2, 6.0)])];
        let sorted = sort_rows(Table::Samples, &batches, &index).unwrap();
        let times = sorted.column(2).as_primitive::<TimestampNanosecondType>().values().to_vec();
        let values = sorted.column(4).as_primitive::<Float64Type>().values().to_vec();
        assert_eq!((times, values), (vec![5, 1, 2], vec![5.0, 2.0, 6.0]));
        let metric = cast(sorted.column(0), &DataType::Utf8).unwrap();
        assert_eq!(metric.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a", "b", "b"]);
    }
}
