//! SQL answers as values that can be compared exactly: integers stay integers, a float's NaN and sign survive.

use anyhow::{Context, bail};
use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::ipc::reader::StreamReader;
use serde_json::{Value, json};

use crate::server::Row;

/// The media type of Arrow's streaming format.
pub const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// Reads a stream of batches.
pub fn read_stream(bytes: &[u8]) -> anyhow::Result<Vec<RecordBatch>> {
    let reader = StreamReader::try_new(bytes, None).context("read the Arrow stream's schema")?;
    reader.collect::<Result<_, _>>().context("read the Arrow stream")
}

/// Rows as values: timestamps are nanoseconds, decimals are text without trailing zeros, floats see [`float`], maps are
/// objects of their texts.
pub fn rows(batches: &[RecordBatch]) -> anyhow::Result<Vec<Row>> {
    let mut out = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.schema_ref().fields().iter().zip(batch.columns());
            out.push(cells.map(|(f, c)| Ok((f.name().clone(), cell(c, row)?))).collect::<anyhow::Result<_>>()?);
        }
    }
    Ok(out)
}

/// A float as a value: the number, or its bits as text where JSON or equality would lose it (NaN, infinities, -0).
pub fn float(v: f64) -> Value {
    if v.is_finite() && !(v == 0.0 && v.is_sign_negative()) {
        json!(v)
    } else {
        json!(format!("bits:{:016x}", v.to_bits()))
    }
}

/// A decimal of the given unscaled value and scale, without trailing zeros.
pub fn decimal(unscaled: i128, scale: u32) -> String {
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    let fraction = fraction.trim_end_matches('0');
    let sign = if unscaled < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// One cell.
pub fn cell(array: &dyn Array, row: usize) -> anyhow::Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    macro_rules! number {
        ($t:ty) => {
            json!(array.as_primitive::<$t>().value(row))
        };
    }
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => number!(TimestampNanosecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => number!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => number!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Second, _) => number!(TimestampSecondType),
        DataType::Decimal128(_, scale) => {
            json!(decimal(array.as_primitive::<Decimal128Type>().value(row), u32::try_from(*scale)?))
        }
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => json!(array.as_string::<i64>().value(row)),
        DataType::Utf8View => json!(array.as_string_view().value(row)),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            return cell(dictionary.values(), dictionary.normalized_keys()[row]);
        }
        DataType::List(_) => items(&array.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => items(&array.as_list::<i64>().value(row))?,
        DataType::Struct(fields) => {
            let columns = array.as_struct();
            let cells = fields.iter().zip(columns.columns());
            Value::Object(cells.map(|(f, c)| Ok((f.name().clone(), cell(c, row)?))).collect::<anyhow::Result<_>>()?)
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let mut object = Row::new();
            for i in 0..entries.len() {
                let key = cell(entries.column(0), i)?;
                object.insert(key.as_str().context("a map's key is text")?.to_owned(), cell(entries.column(1), i)?);
            }
            Value::Object(object)
        }
        other => bail!("no test has met a column of type {other} before"),
    })
}

fn items(array: &dyn Array) -> anyhow::Result<Value> {
    (0..array.len()).map(|i| cell(array, i)).collect()
}

/// Sorts rows by their text, so that answers without an order can be compared.
pub fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_cached_key(|r| serde_json::to_string(r).unwrap_or_default());
    rows
}

/// Compares two sets of rows; the error names the first rows that only one side has.
pub fn same_rows(what: &str, expected: Vec<Row>, found: Vec<Row>) -> anyhow::Result<()> {
    let (expected, found) = (sorted(expected), sorted(found));
    if expected == found {
        return Ok(());
    }
    let only = |a: &[Row], b: &[Row]| {
        let rows: Vec<_> = a.iter().filter(|r| !b.contains(r)).take(3).map(|r| format!("  {}", json!(r))).collect();
        if rows.is_empty() { "  (none)".to_owned() } else { rows.join("\n") }
    };
    bail!(
        "{what}: expected {} rows, found {}\nonly expected:\n{}\nonly found:\n{}",
        expected.len(),
        found.len(),
        only(&expected, &found),
        only(&found, &expected)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_and_floats_are_exact() {
        assert_eq!(decimal(1_682_308_697_400_000_000, 18), "1.6823086974");
        assert_eq!(decimal(-5, 3), "-0.005");
        assert_eq!(decimal(0, 18), "0");
        assert_eq!(float(1.5), json!(1.5));
        assert_eq!(float(-0.0), json!("bits:8000000000000000"));
    }
}
