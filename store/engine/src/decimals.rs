//! Samples as they rest in compacted files: a number that is a decimal becomes its mantissa and scale, the same scale for all of a
//! series' rows in a batch. See [`grid_model::decimal_float`] and ADR 0015.
//!
//! Mantissas may be [`Mantissas::Chained`]: each series is moved by a base of its own so that it begins where the series before it ends.
//! Deltas between neighbouring rows are then steps of one series throughout. A jump from series to series, with steps of ten bits and
//! a jump of forty, would cost forty bits for each of the 64 to 256 deltas that DELTA_BINARY_PACKED stores with one width.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Field, Float64Type, Int64Type, Schema, UInt64Type};
use arrow::error::ArrowError;
use grid_model::decimal_float::{is_plain, mantissa, scale_of};
use grid_model::table::samples;

/// How the mantissas of a file relate to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mantissas {
    /// As they are, without a base.
    Plain,
    /// Each series begins where the one before it ends.
    Chained,
}

/// Beyond this a chain begins anew at zero, so that no sum of a mantissa (below 2^53) and a base comes near to the ends of an i64.
const CHAIN_MAX: u64 = 1 << 52;

/// A sorted batch of samples with `value` split into `value`, `value_mantissa`, `value_base` and `value_scale`. A batch without numbers
/// stays as it is.
pub(crate) fn split(sorted: &RecordBatch, form: Mantissas) -> Result<RecordBatch, ArrowError> {
    let (ids, values) = (column(sorted, samples::SERIES_ID)?, column(sorted, samples::VALUE)?);
    let ids = ids.as_primitive::<UInt64Type>().values();
    let values = values.as_primitive::<Float64Type>();
    let rows = sorted.num_rows();
    if values.null_count() == rows {
        return Ok(sorted.clone());
    }
    let (mut mantissas, mut bases, mut scales) = (vec![0_i64; rows], vec![0_i64; rows], vec![0.0_f64; rows]);
    let mut is_decimal = vec![false; rows];
    let mut from = 0;
    // Where the chain ends.
    let mut end = 0;
    for run in ids.chunk_by(|a, b| a == b) {
        let at = from..from + run.len();
        from = at.end;
        // Where a row has no value the slot says nothing; a form that fits the others decides.
        if values.nulls().is_some_and(|n| at.clone().any(|row| n.is_null(row))) {
            continue;
        }
        let Some(scale) = scale_of(&values.values()[at.clone()]) else { continue };
        let mut base = None;
        for row in at {
            let value = values.value(row);
            if let Some(m) = is_plain(value).then(|| mantissa(value, scale)).flatten() {
                let base = match form {
                    Mantissas::Plain => 0,
                    Mantissas::Chained => *base.get_or_insert(m - end),
                };
                end = m - base;
                (mantissas[row], bases[row], scales[row], is_decimal[row]) = (end, base, scale, true);
            }
        }
        if end.unsigned_abs() > CHAIN_MAX {
            end = 0;
        }
    }
    let decimal = NullBuffer::from(is_decimal);
    let other = NullBuffer::from_iter((0..rows).map(|row| decimal.is_null(row) && values.is_valid(row)));
    let bases = match form {
        Mantissas::Plain => Int64Array::new_null(rows),
        Mantissas::Chained => Int64Array::new(bases.into(), Some(decimal.clone())),
    };
    with_numbers(
        sorted,
        [
            Arc::new(Float64Array::new(values.values().clone(), Some(other))),
            Arc::new(Int64Array::new(mantissas.into(), Some(decimal.clone()))),
            Arc::new(bases),
            Arc::new(Float64Array::new(scales.into(), Some(decimal))),
        ],
    )
}

/// A batch in the columns of [`split`] with all numbers in `value`: cheap to write, for files that do not last.
pub(crate) fn unsplit(sorted: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let values = Arc::clone(column(sorted, samples::VALUE)?);
    let rows = sorted.num_rows();
    let none: ArrayRef = Arc::new(Int64Array::new_null(rows));
    with_numbers(sorted, [values, Arc::clone(&none), none, Arc::new(Float64Array::new_null(rows))])
}

/// The batch with `value` replaced by the four columns of files.
fn with_numbers(sorted: &RecordBatch, numbers: [ArrayRef; 4]) -> Result<RecordBatch, ArrowError> {
    let names = [samples::VALUE, samples::MANTISSA, samples::BASE, samples::SCALE];
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in sorted.schema().fields().iter().zip(sorted.columns()) {
        if field.name() == samples::VALUE {
            for (name, column) in names.iter().zip(&numbers) {
                fields.push(Arc::new(Field::new(*name, column.data_type().clone(), true)));
                columns.push(Arc::clone(column));
            }
        } else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// A batch read from a file with its numbers in one column again.
pub(crate) fn join(read: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let Some(mantissas) = read.column_by_name(samples::MANTISSA) else { return Ok(read.clone()) };
    let (values, scales) = (column(read, samples::VALUE)?, column(read, samples::SCALE)?);
    let wrong = || ArrowError::SchemaError("value, value_mantissa, value_base and value_scale are not numbers".into());
    let bases = read.column_by_name(samples::BASE);
    let joined: ArrayRef = Arc::new(samples::restore(
        values.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?,
        mantissas.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?,
        bases.map(|b| b.as_primitive_opt::<Int64Type>().ok_or_else(wrong)).transpose()?,
        scales.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?,
    ));
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in read.schema().fields().iter().zip(read.columns()) {
        match field.name().as_str() {
            samples::MANTISSA | samples::BASE | samples::SCALE => {}
            samples::VALUE => {
                fields.push(Arc::clone(field));
                columns.push(Arc::clone(&joined));
            }
            _ => {
                fields.push(Arc::clone(field));
                columns.push(Arc::clone(column));
            }
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("samples without a column {name}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_model::histogram::STALE_NAN_BITS;
    use grid_model::table::samples::SamplesBuilder;
    use grid_model::{SeriesId, Timestamp};
    use proptest::prelude::*;

    fn bits(batch: &RecordBatch) -> Vec<Option<u64>> {
        let values = batch.column_by_name(samples::VALUE).unwrap().as_primitive::<Float64Type>();
        values.iter().map(|v| v.map(f64::to_bits)).collect()
    }

    fn batch(series: &[Vec<f64>]) -> RecordBatch {
        let mut b = SamplesBuilder::default();
        for (id, values) in series.iter().enumerate() {
            for (t, v) in values.iter().enumerate() {
                b.push_float(SeriesId(id as u64), Timestamp(t as i64), None, *v);
            }
        }
        b.finish()
    }

    #[test]
    fn decimals_leave_the_floats_and_odd_bits_stay() {
        let series = [
            vec![1.0, 2.0, f64::from_bits(STALE_NAN_BITS)],
            vec![0.25, -0.0, f64::NEG_INFINITY],
            vec![std::f64::consts::PI, 1.0],
        ];
        let plain = batch(&series);
        for (form, without_base) in [(Mantissas::Plain, 8), (Mantissas::Chained, 5)] {
            let stored = split(&plain, form).unwrap();
            let null = |name| stored.column_by_name(name).unwrap().null_count();
            assert_eq!((null(samples::VALUE), null(samples::MANTISSA), null(samples::BASE)), (3, 5, without_base));
            assert_eq!(bits(&join(&stored).unwrap()), bits(&plain));
            assert_eq!(join(&stored).unwrap().schema(), plain.schema());
            assert_eq!(unsplit(&plain).unwrap().schema(), stored.schema());
        }
        assert_eq!(bits(&join(&unsplit(&plain).unwrap()).unwrap()), bits(&plain));
    }

    #[test]
    fn a_chain_goes_on_from_series_to_series() {
        let plain = batch(&[vec![1e9, 1e9 + 3.0], vec![7.0, f64::NAN, 9.0], vec![5.0, 5.0], vec![-0.5, 0.5]]);
        let stored = split(&plain, Mantissas::Chained).unwrap();
        let mantissas = stored.column_by_name(samples::MANTISSA).unwrap().as_primitive::<Int64Type>();
        let found: Vec<_> = mantissas.iter().flatten().collect();
        assert_eq!(found, [0, 3, 3, 5, 5, 5, 5, 15]);
        // A file of a former version has no bases.
        let stored = split(&plain, Mantissas::Plain).unwrap();
        let columns = (0..stored.num_columns()).filter(|i| stored.schema().field(*i).name() != samples::BASE);
        let former = stored.project(&columns.collect::<Vec<_>>()).unwrap();
        assert_eq!(bits(&join(&former).unwrap()), bits(&plain));
    }

    proptest! {
        #[test]
        fn what_is_split_joins_to_the_same_bits(series in proptest::collection::vec(proptest::collection::vec(
            prop_oneof![
                any::<f64>(),
                any::<u64>().prop_map(f64::from_bits),
                (-1_000_000_i32..1_000_000).prop_map(|i| f64::from(i) / 100.0),
                any::<i32>().prop_map(f64::from),
                any::<i32>().prop_map(|i| f64::from(i) * 4096.0),
                (-(1_i64 << 53)..1 << 53).prop_map(|i| i as f64),
            ],
            0..20), 1..10))
        {
            let plain = batch(&series);
            for form in [Mantissas::Plain, Mantissas::Chained] {
                prop_assert_eq!(bits(&join(&split(&plain, form).unwrap()).unwrap()), bits(&plain));
            }
        }

        #[test]
        fn chains_never_overflow(series in proptest::collection::vec(
            proptest::collection::vec((-(1_i64 << 53) + 1..1 << 53).prop_map(|i| i as f64), 1..4), 1..40))
        {
            let plain = batch(&series);
            let stored = split(&plain, Mantissas::Chained).unwrap();
            let of = |name| stored.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
            for (m, b) in of(samples::MANTISSA).iter().zip(&of(samples::BASE)) {
                let limit = 1_u64 << 56;
                prop_assert!(m.unwrap().unsigned_abs() < limit && b.unwrap().unsigned_abs() < limit);
            }
            prop_assert_eq!(bits(&join(&stored).unwrap()), bits(&plain));
        }
    }
}
