//! One cell as text, and whether that text stands bare or quoted in JSON.

use std::fmt::Write as _;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, Decimal256Array, FixedSizeBinaryArray,
    Float32Array, Float64Array, LargeBinaryArray, LargeStringArray, ListArray, MapArray, RecordBatch, StringArray,
    StringViewArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, TimeUnit, TimestampNanosecondType, UInt64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grid_model::attr::write_json_string;
use grid_model::table::column::is_attribute_map;
use grid_model::time::civil_from_days;

use crate::error::QueryError;

/// Largest integer that a JSON reader with floats keeps exactly.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// How a cell's text stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is none.
    Null,
    /// As it is: a number, true or false, an object, an array.
    Bare,
    /// As a JSON string.
    Text,
}

/// The columns of one batch, ready to be read row by row.
pub(super) struct Columns {
    /// Name and cells of each.
    pub columns: Vec<(String, Cells)>,
}

impl Columns {
    pub(super) fn new(batch: &RecordBatch) -> Result<Self, QueryError> {
        let cells = batch.schema_ref().fields().iter().zip(batch.columns());
        let columns = cells.map(|(field, array)| Ok((field.name().clone(), Cells::new(field, array)?)));
        Ok(Self { columns: columns.collect::<Result<_, QueryError>>()? })
    }
}

/// The cells of one array.
pub(super) enum Cells {
    Null,
    Boolean(BooleanArray),
    Signed(arrow::array::PrimitiveArray<Int64Type>),
    Unsigned(arrow::array::PrimitiveArray<UInt64Type>),
    Float32(Float32Array),
    Float64(Float64Array),
    Decimal128(Decimal128Array),
    Decimal256(Decimal256Array),
    Time(arrow::array::PrimitiveArray<TimestampNanosecondType>),
    Text(StringArray),
    LargeText(LargeStringArray),
    ViewText(StringViewArray),
    Binary(BinaryArray),
    LargeBinary(LargeBinaryArray),
    FixedBinary(FixedSizeBinaryArray),
    List(ListArray, Box<Cells>),
    Struct(StructArray, Vec<(String, Cells)>),
    /// Keys, values, and whether values are JSON.
    Map(MapArray, Box<Cells>, Box<Cells>, bool),
    /// Whatever else Arrow has, in Arrow's own words.
    Other(ArrayRef),
}

impl Cells {
    pub(super) fn new(field: &Field, array: &ArrayRef) -> Result<Self, QueryError> {
        let failed = |e: arrow::error::ArrowError| QueryError::Internal(format!("write the answer: {e}"));
        let as_type = |to: DataType| cast(array, &to).map_err(failed);
        Ok(match field.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                Self::Signed(as_type(DataType::Int64)?.as_primitive().clone())
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                Self::Unsigned(as_type(DataType::UInt64)?.as_primitive().clone())
            }
            DataType::Float32 => Self::Float32(array.as_primitive().clone()),
            DataType::Float64 => Self::Float64(array.as_primitive().clone()),
            DataType::Decimal128(..) => Self::Decimal128(array.as_primitive().clone()),
            DataType::Decimal256(..) => Self::Decimal256(array.as_primitive().clone()),
            // All times are UTC; a zone only says so. What nanoseconds cannot hold keeps Arrow's words.
            DataType::Timestamp(_, zone) => match cast(array, &DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()))
            {
                Ok(ns) if ns.null_count() == array.null_count() => Self::Time(ns.as_primitive().clone()),
                _ => Self::Other(ArrayRef::clone(array)),
            },
            DataType::Utf8 => Self::Text(array.as_string().clone()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string().clone()),
            DataType::Utf8View => Self::ViewText(array.as_string_view().clone()),
            DataType::Binary => Self::Binary(array.as_binary().clone()),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary().clone()),
            DataType::FixedSizeBinary(_) => Self::FixedBinary(array.as_fixed_size_binary().clone()),
            DataType::List(item) => {
                let list = array.as_list::<i32>().clone();
                let values = Self::new(item, list.values())?;
                Self::List(list, Box::new(values))
            }
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                let list = as_type(DataType::List(FieldRef::clone(item)))?;
                return Self::new(&Field::new(field.name(), list.data_type().clone(), true), &list);
            }
            DataType::Struct(fields) => {
                let rows = array.as_struct().clone();
                let columns = fields.iter().zip(rows.columns()).map(|(f, a)| Ok((f.name().clone(), Self::new(f, a)?)));
                let columns = columns.collect::<Result<_, QueryError>>()?;
                Self::Struct(rows, columns)
            }
            DataType::Map(entries, _) => {
                let maps = array.as_map().clone();
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(QueryError::Internal("a map without entries".into()));
                };
                let keys = Self::new(&fields[0], maps.keys())?;
                let values = Self::new(&fields[1], maps.values())?;
                Self::Map(maps, Box::new(keys), Box::new(values), is_attribute_map(field))
            }
            DataType::Dictionary(_, value) => {
                let plain = as_type(value.as_ref().clone())?;
                return Self::new(&Field::new(field.name(), value.as_ref().clone(), true), &plain);
            }
            _ => Self::Other(ArrayRef::clone(array)),
        })
    }

    /// Appends a cell's plain text.
    pub(super) fn plain(&self, row: usize, out: &mut String) -> Kind {
        macro_rules! valid {
            ($array:expr) => {
                if $array.is_null(row) {
                    return Kind::Null;
                }
            };
        }
        match self {
            Self::Null => return Kind::Null,
            Self::Boolean(a) => {
                valid!(a);
                out.push_str(if a.value(row) { "true" } else { "false" });
                return Kind::Bare;
            }
            Self::Signed(a) => {
                valid!(a);
                let _ = write!(out, "{}", a.value(row));
                return if a.value(row).unsigned_abs() > SAFE_INTEGER_MAX { Kind::Text } else { Kind::Bare };
            }
            Self::Unsigned(a) => {
                valid!(a);
                let _ = write!(out, "{}", a.value(row));
                return if a.value(row) > SAFE_INTEGER_MAX { Kind::Text } else { Kind::Bare };
            }
            Self::Float32(a) => {
                valid!(a);
                return float(f64::from(a.value(row)), &a.value(row), out);
            }
            Self::Float64(a) => {
                valid!(a);
                return float(a.value(row), &a.value(row), out);
            }
            Self::Decimal128(a) => {
                valid!(a);
                decimal(&a.value(row).to_string(), a.scale(), out);
            }
            Self::Decimal256(a) => {
                valid!(a);
                decimal(&a.value(row).to_string(), a.scale(), out);
            }
            Self::Time(a) => {
                valid!(a);
                time(a.value(row), out);
            }
            Self::Text(a) => {
                valid!(a);
                out.push_str(a.value(row));
            }
            Self::LargeText(a) => {
                valid!(a);
                out.push_str(a.value(row));
            }
            Self::ViewText(a) => {
                valid!(a);
                out.push_str(a.value(row));
            }
            Self::Binary(a) => {
                valid!(a);
                STANDARD.encode_string(a.value(row), out);
            }
            Self::LargeBinary(a) => {
                valid!(a);
                STANDARD.encode_string(a.value(row), out);
            }
            Self::FixedBinary(a) => {
                valid!(a);
                STANDARD.encode_string(a.value(row), out);
            }
            Self::List(a, values) => {
                valid!(a);
                let offsets = a.value_offsets();
                out.push('[');
                for (n, i) in (offsets[row]..offsets[row + 1]).enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    values.json(i as usize, out);
                }
                out.push(']');
                return Kind::Bare;
            }
            Self::Struct(a, columns) => {
                valid!(a);
                out.push('{');
                for (n, (name, cells)) in columns.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    write_json_string(out, name);
                    out.push(':');
                    cells.json(row, out);
                }
                out.push('}');
                return Kind::Bare;
            }
            Self::Map(a, keys, values, typed) => {
                valid!(a);
                let offsets = a.value_offsets();
                out.push('{');
                for (n, i) in (offsets[row]..offsets[row + 1]).enumerate() {
                    let i = i as usize;
                    if n > 0 {
                        out.push(',');
                    }
                    let mut key = String::new();
                    keys.plain(i, &mut key);
                    write_json_string(out, &key);
                    out.push(':');
                    if *typed {
                        // The value is JSON already.
                        if values.plain(i, out) == Kind::Null {
                            out.push_str("null");
                        }
                    } else {
                        values.json(i, out);
                    }
                }
                out.push('}');
                return Kind::Bare;
            }
            Self::Other(a) => {
                valid!(a);
                let options = FormatOptions::default();
                if let Ok(formatter) = ArrayFormatter::try_new(a.as_ref(), &options) {
                    let _ = write!(out, "{}", formatter.value(row));
                }
            }
        }
        Kind::Text
    }

    /// Appends a cell as JSON.
    pub(super) fn json(&self, row: usize, out: &mut String) {
        let from = out.len();
        match self.plain(row, out) {
            Kind::Bare => {}
            Kind::Null => out.push_str("null"),
            Kind::Text => {
                let text = out.split_off(from);
                write_json_string(out, &text);
            }
        }
    }
}

/// Shortest text that reads back as the same float (of its own width).
fn float(wide: f64, own: &impl std::fmt::Debug, out: &mut String) -> Kind {
    if wide.is_finite() {
        let _ = write!(out, "{own:?}");
        return Kind::Bare;
    }
    out.push_str(if wide.is_nan() {
        "NaN"
    } else if wide > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    });
    Kind::Text
}

/// Digits with a point before the last `scale` of them, without trailing zeros.
fn decimal(digits: &str, scale: i8, out: &mut String) {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |d| ("-", d));
    let Ok(scale) = usize::try_from(scale) else {
        // A negative scale multiplies by ten.
        out.push_str(sign);
        out.push_str(digits);
        if digits != "0" {
            out.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
        }
        return;
    };
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    out.push_str(sign);
    out.push_str(whole);
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
}

/// `2026-01-01T00:00:00Z`, with 3, 6 or 9 digits of a second if they are not zero.
fn time(ns: i64, out: &mut String) {
    let (secs, fraction) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (y, m, d) = civil_from_days(secs.div_euclid(86_400));
    let s = secs.rem_euclid(86_400);
    let _ = write!(out, "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
    let _ = match fraction {
        0 => Ok(()),
        f if f % 1_000_000 == 0 => write!(out, ".{:03}", f / 1_000_000),
        f if f % 1000 == 0 => write!(out, ".{:06}", f / 1000),
        f => write!(out, ".{f:09}"),
    };
    out.push('Z');
}

/// The name of a column's type, as SQL users know it.
pub(super) fn type_name(field: &Field) -> String {
    match field.data_type() {
        DataType::Null => "null".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Int8 => "int8".into(),
        DataType::Int16 => "int16".into(),
        DataType::Int32 => "int32".into(),
        DataType::Int64 => "int64".into(),
        DataType::UInt8 => "uint8".into(),
        DataType::UInt16 => "uint16".into(),
        DataType::UInt32 => "uint32".into(),
        DataType::UInt64 => "uint64".into(),
        DataType::Float16 | DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => {
            format!("decimal({p},{s})")
        }
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Date32 | DataType::Date64 => "date".into(),
        DataType::Time32(_) | DataType::Time64(_) => "time".into(),
        DataType::Duration(_) | DataType::Interval(_) => "interval".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "bytes".into()
        }
        DataType::Map(..) if is_attribute_map(field) => "attributes".into(),
        DataType::Map(..) => "map".into(),
        DataType::Struct(_) => "struct".into(),
        DataType::Dictionary(_, value) => type_name(&Field::new(field.name(), value.as_ref().clone(), true)),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("list({})", type_name(item))
        }
        other => other.to_string(),
    }
}
