//! Tables whose rows are plain records: what Grid concludes. [`record_table!`] makes of one list of typed fields the row, the schema, the
//! writer and the reader, so that they cannot disagree.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Decimal128Builder, Float64Builder, StringBuilder, TimestampNanosecondBuilder, UInt64Builder,
};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Decimal128Type, Float64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, Field};

use super::charges::decimal_type;
use super::column::{UTC, append_pairs, map_builder, text, text_map, timestamp};
use crate::money::Amount;
use crate::time::Timestamp;

/// Text by name.
pub type Labels = BTreeMap<String, String>;

/// A type that stands in a column.
pub trait Cell: Sized {
    /// The column.
    fn field(name: &str) -> Field;
    /// Its values.
    fn column<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef
    where
        Self: 'a;
    /// The value of a row; `None` if the column holds something else.
    fn read(column: &ArrayRef, row: usize) -> Option<Self>;
}

/// Text of a row in any of Arrow's forms.
fn text_at(column: &ArrayRef, row: usize) -> Option<&str> {
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Some(texts.value(row));
    }
    if let Some(texts) = column.as_string_view_opt() {
        return Some(texts.value(row));
    }
    column.as_string_opt::<i64>().map(|texts| texts.value(row))
}

impl Cell for String {
    fn field(name: &str) -> Field {
        text(name, false)
    }
    fn column<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
        let mut builder = StringBuilder::new();
        values.for_each(|v| builder.append_value(v));
        Arc::new(builder.finish())
    }
    fn read(column: &ArrayRef, row: usize) -> Option<Self> {
        text_at(column, row).map(str::to_owned)
    }
}

impl Cell for Option<String> {
    fn field(name: &str) -> Field {
        text(name, true)
    }
    fn column<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
        let mut builder = StringBuilder::new();
        values.for_each(|v| builder.append_option(v.as_deref()));
        Arc::new(builder.finish())
    }
    fn read(column: &ArrayRef, row: usize) -> Option<Self> {
        if column.is_null(row) { Some(None) } else { text_at(column, row).map(|t| Some(t.to_owned())) }
    }
}

/// Columns of plain values, with and without nulls.
macro_rules! plain {
    ($type:ty, $arrow:ty, $builder:expr, $data:expr, $to:expr, $from:expr) => {
        impl Cell for $type {
            fn field(name: &str) -> Field {
                Field::new(name, $data, false)
            }
            fn column<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
                let mut builder = $builder;
                values.for_each(|v| builder.append_value($to(*v)));
                Arc::new(builder.finish())
            }
            fn read(column: &ArrayRef, row: usize) -> Option<Self> {
                Some($from(column.as_primitive_opt::<$arrow>()?.value(row)))
            }
        }
        impl Cell for Option<$type> {
            fn field(name: &str) -> Field {
                Field::new(name, $data, true)
            }
            fn column<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
                let mut builder = $builder;
                values.for_each(|v| builder.append_option(v.map($to)));
                Arc::new(builder.finish())
            }
            fn read(column: &ArrayRef, row: usize) -> Option<Self> {
                let column = column.as_primitive_opt::<$arrow>()?;
                Some(column.is_valid(row).then(|| $from(column.value(row))))
            }
        }
    };
}

plain!(f64, Float64Type, Float64Builder::new(), DataType::Float64, |v| v, |v| v);
plain!(u64, UInt64Type, UInt64Builder::new(), DataType::UInt64, |v| v, |v| v);
plain!(
    Amount,
    Decimal128Type,
    Decimal128Builder::new().with_data_type(decimal_type()),
    decimal_type(),
    |v: Amount| v.0,
    Amount
);
plain!(
    Timestamp,
    TimestampNanosecondType,
    TimestampNanosecondBuilder::new().with_timezone(UTC),
    timestamp("", false).data_type().clone(),
    |v: Timestamp| v.0,
    Timestamp
);

impl Cell for bool {
    fn field(name: &str) -> Field {
        Field::new(name, DataType::Boolean, false)
    }
    fn column<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
        let mut builder = BooleanBuilder::new();
        values.for_each(|v| builder.append_value(*v));
        Arc::new(builder.finish())
    }
    fn read(column: &ArrayRef, row: usize) -> Option<Self> {
        Some(column.as_boolean_opt()?.value(row))
    }
}

impl Cell for Labels {
    fn field(name: &str) -> Field {
        text_map(name)
    }
    fn column<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
        let mut builder = map_builder();
        values.for_each(|v| append_pairs(&mut builder, v.iter().map(|(k, v)| (k.as_str(), v.as_str()))));
        Arc::new(builder.finish())
    }
    fn read(column: &ArrayRef, row: usize) -> Option<Self> {
        let entries = column.as_map_opt()?.value(row);
        let (keys, values) = (entries.column(0), entries.column(1));
        (0..entries.len())
            .map(|i| {
                let value = if values.is_null(i) { "" } else { text_at(values, i)? };
                Some((text_at(keys, i)?.to_owned(), value.to_owned()))
            })
            .collect()
    }
}

/// One row of a table as a struct, with `schema()`, `batch(&[Row])` and `read(&RecordBatch)`.
macro_rules! record_table {
    ($(#[$about:meta])* pub struct $row:ident { $($(#[$says:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $row {
            $($(#[$says])* pub $field: $type,)+
        }

        /// The schema.
        pub fn schema() -> arrow_schema::SchemaRef {
            static SCHEMA: std::sync::LazyLock<arrow_schema::SchemaRef> = std::sync::LazyLock::new(|| {
                let fields = vec![$(<$type as crate::table::record::Cell>::field(stringify!($field)),)+];
                std::sync::Arc::new(arrow_schema::Schema::new(fields))
            });
            std::sync::Arc::clone(&SCHEMA)
        }

        /// Rows as a batch of [`schema`].
        pub fn batch(rows: &[$row]) -> arrow_array::RecordBatch {
            let columns = vec![
                $(<$type as crate::table::record::Cell>::column(rows.iter().map(|r| &r.$field)),)+
            ];
            arrow_array::RecordBatch::try_new(schema(), columns).expect("columns are made of the fields of the schema")
        }

        /// The rows of a batch that has at least these columns; `None` if one is missing or of another type.
        pub fn read(batch: &arrow_array::RecordBatch) -> Option<Vec<$row>> {
            $(let $field = batch.column_by_name(stringify!($field))?;)+
            (0..batch.num_rows())
                .map(|row| Some($row { $($field: <$type as crate::table::record::Cell>::read($field, row)?,)+ }))
                .collect()
        }
    };
}
pub(crate) use record_table;
