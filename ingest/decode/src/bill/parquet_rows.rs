//! Rows of a Parquet bill. Every cell becomes the text that a CSV bill would carry, so that one mapping serves both:
//! decimals digit by digit, doubles by their shortest text, timestamps as RFC 3339, maps, structs and lists as JSON.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use grid_model::Timestamp;
use grid_model::time::{DAY_NS, SECOND_NS};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use super::BillError;
use super::csv_rows::COLUMNS_MAX;
use super::json_rows::is_record;
use super::number::double_text;

const BATCH_ROWS: usize = 4096;
const NESTING_MAX: usize = 8;

pub(crate) struct ParquetRows {
    reader: ParquetRecordBatchReader,
    columns: Vec<StringArray>,
    rows: usize,
    /// One past the current row.
    next: usize,
}

impl ParquetRows {
    /// Opens a file and reads its footer.
    pub(crate) fn open<C: ChunkReader + 'static>(input: C) -> Result<(Self, Vec<String>), BillError> {
        // Types come from Parquet alone: an embedded Arrow schema adds nothing but dictionaries and views.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new_with_options(input, options))?;
        let fields = builder.schema().fields();
        if fields.len() > COLUMNS_MAX {
            return Err(BillError::NotParquet(format!("more than {COLUMNS_MAX} columns")));
        }
        if nesting(fields) > NESTING_MAX {
            return Err(BillError::NotParquet(format!("columns are nested deeper than {NESTING_MAX}")));
        }
        let mut header = Vec::new();
        for field in fields {
            names(field, field.name().trim(), false, &mut header);
        }
        if header.len() > COLUMNS_MAX {
            return Err(BillError::NotParquet(format!("more than {COLUMNS_MAX} columns")));
        }
        let reader = guarded(|| builder.with_batch_size(BATCH_ROWS).build())?;
        Ok((Self { reader, columns: Vec::new(), rows: 0, next: 0 }, header))
    }

    /// Moves to the next row; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, BillError> {
        while self.next >= self.rows {
            let Some(batch) = guarded(|| self.reader.next().transpose())? else { return Ok(false) };
            self.columns.clear();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                leaves(field, column, None, &mut self.columns);
            }
            (self.rows, self.next) = (batch.num_rows(), 0);
        }
        self.next += 1;
        Ok(true)
    }

    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn cell(&self, column: usize) -> Option<&str> {
        let array = self.columns.get(column)?;
        let row = self.next - 1;
        array.is_valid(row).then(|| array.value(row))
    }
}

/// Runs the Parquet library on foreign bytes: its errors and its panics on corrupt files are one error here.
fn guarded<T, E: std::fmt::Display>(f: impl FnOnce() -> Result<T, E>) -> Result<T, BillError> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(BillError::NotParquet(e.to_string())),
        Err(_) => Err(BillError::NotParquet("the file is corrupt".to_owned())),
    }
}

/// The columns of one field: several, if it is one of the records of a billing export.
fn names(field: &Field, name: &str, within: bool, header: &mut Vec<String>) {
    match field.data_type() {
        DataType::Struct(fields) if within || is_record(field.name()) => {
            fields.iter().for_each(|f| names(f, &format!("{name}.{}", f.name()), true, header));
        }
        _ => header.push(name.to_owned()),
    }
}

/// The cells of one field, in the order of [`names`]. Where a record is null, so are its fields.
fn leaves(field: &Field, column: &ArrayRef, within: Option<&NullBuffer>, out: &mut Vec<StringArray>) {
    match (field.data_type(), column.as_struct_opt()) {
        (DataType::Struct(fields), Some(inner)) if within.is_some() || is_record(field.name()) => {
            // Never absent below a record, so that its own records are known as such.
            let nulls = NullBuffer::union(within, column.nulls());
            let nulls = nulls.unwrap_or_else(|| NullBuffer::new_valid(column.len()));
            fields.iter().zip(inner.columns()).for_each(|(f, c)| leaves(f, c, Some(&nulls), out));
        }
        _ => {
            let (offsets, values, nulls) = texts(column).into_parts();
            out.push(StringArray::new(offsets, values, NullBuffer::union(within, nulls.as_ref())));
        }
    }
}

fn nesting(fields: &Fields) -> usize {
    fields.iter().map(|f| type_nesting(f.data_type())).max().unwrap_or(0)
}

fn type_nesting(t: &DataType) -> usize {
    match t {
        DataType::Struct(fields) => 1 + nesting(fields),
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) | DataType::Map(f, _) => {
            1 + type_nesting(f.data_type())
        }
        _ => 0,
    }
}

fn texts(array: &dyn Array) -> StringArray {
    if let Some(strings) = array.as_string_opt::<i32>() {
        return strings.clone();
    }
    let mut out = StringBuilder::new();
    for row in 0..array.len() {
        match text(array, row) {
            Some(s) => out.append_value(s),
            None => out.append_null(),
        }
    }
    out.finish()
}

/// The text of one cell; `None` if it is null, or of a type that no bill uses.
fn text(array: &dyn Array, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).to_owned(),
        DataType::Utf8View => array.as_string_view().value(row).to_owned(),
        DataType::Binary => String::from_utf8_lossy(array.as_binary::<i32>().value(row)).into_owned(),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).to_string(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).to_string(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        // The shortest text of the double of a float would have digits that the float never had.
        DataType::Float32 => format!("{:e}", array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => double_text(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal32(_, _) => array.as_primitive::<Decimal32Type>().value_as_string(row),
        DataType::Decimal64(_, _) => array.as_primitive::<Decimal64Type>().value_as_string(row),
        DataType::Decimal128(_, _) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Decimal256(_, _) => array.as_primitive::<Decimal256Type>().value_as_string(row),
        DataType::Date32 => instant(i128::from(array.as_primitive::<Date32Type>().value(row)), DAY_NS),
        DataType::Timestamp(unit, _) => {
            let (value, ns) = match unit {
                TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().value(row), SECOND_NS),
                TimeUnit::Millisecond => (array.as_primitive::<TimestampMillisecondType>().value(row), 1_000_000),
                TimeUnit::Microsecond => (array.as_primitive::<TimestampMicrosecondType>().value(row), 1_000),
                TimeUnit::Nanosecond => (array.as_primitive::<TimestampNanosecondType>().value(row), 1),
            };
            instant(i128::from(value), ns)
        }
        DataType::Map(_, _) | DataType::Struct(_) | DataType::List(_) | DataType::LargeList(_) => {
            json(array, row).to_string()
        }
        _ => return None,
    })
}

fn instant(value: i128, unit_ns: i64) -> String {
    // A time beyond the nanoseconds of an i64 stays unreadable, so that its row is rejected with that reason.
    let nanos = value * i128::from(unit_ns);
    i64::try_from(nanos).map_or_else(|_| format!("{nanos} ns since 1970"), |ns| Timestamp(ns).to_string())
}

fn json(array: &dyn Array, row: usize) -> serde_json::Value {
    use serde_json::Value;
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Map(_, _) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let pairs = (0..entries.len()).map(|i| (text(keys, i).unwrap_or_default(), json(values, i)));
            Value::Object(pairs.collect())
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct();
            let pairs = fields.iter().zip(columns.columns()).map(|(f, c)| (f.name().clone(), json(c, row)));
            Value::Object(pairs.filter(|(_, v)| !v.is_null()).collect())
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        _ => text(array, row).map_or(Value::Null, Value::String),
    }
}

fn list(items: &dyn Array) -> serde_json::Value {
    serde_json::Value::Array((0..items.len()).map(|i| json(items, i)).collect())
}
