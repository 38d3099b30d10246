//! Building blocks that the tables share: field constructors and the map builder.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{MapBuilder, MapFieldNames, StringBuilder};
use arrow_schema::{DataType, Field, Fields, TimeUnit};

use crate::attr::AttrValue;

/// Field metadata key that says how a map's values are written.
pub const ENCODING: &str = "grid:encoding";
/// Value of [`ENCODING`] for maps whose values are JSON text.
pub const ENCODING_JSON: &str = "json";
/// Time zone of every timestamp column.
pub const UTC: &str = "UTC";

/// A builder of a `Map<Utf8, Utf8>` column.
pub type TextMapBuilder = MapBuilder<StringBuilder, StringBuilder>;

/// Nanoseconds, UTC.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into()))
}

/// A timestamp column.
pub fn timestamp(name: &str, nullable: bool) -> Field {
    Field::new(name, timestamp_type(), nullable)
}

/// A text column.
pub fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

/// A column of plain text pairs.
pub fn text_map(name: &str) -> Field {
    Field::new(name, map_type(), false)
}

/// A column of typed attributes: text pairs whose values are JSON.
pub fn attribute_map(name: &str) -> Field {
    text_map(name).with_metadata(HashMap::from([(ENCODING.to_owned(), ENCODING_JSON.to_owned())]))
}

/// Whether a field holds typed attributes as JSON text.
pub fn is_attribute_map(field: &Field) -> bool {
    field.metadata().get(ENCODING).is_some_and(|e| e == ENCODING_JSON)
}

/// The Arrow type of every map column.
pub fn map_type() -> DataType {
    let entries =
        Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

/// An empty builder of a map column.
pub fn map_builder() -> TextMapBuilder {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
}

/// Appends one row of typed attributes.
pub fn append_attributes(b: &mut TextMapBuilder, attributes: &[(String, AttrValue)]) {
    let mut json = String::new();
    for (k, v) in attributes {
        json.clear();
        v.write_json(&mut json);
        b.keys().append_value(k);
        b.values().append_value(&json);
    }
    b.append(true).expect("as many keys as values");
}

/// Appends one row of plain text pairs.
pub fn append_pairs<'a>(b: &mut TextMapBuilder, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    for (k, v) in pairs {
        b.keys().append_value(k);
        b.values().append_value(v);
    }
    b.append(true).expect("as many keys as values");
}

/// Appends text, null if empty.
pub fn append_nonempty(b: &mut StringBuilder, s: &str) {
    if s.is_empty() { b.append_null() } else { b.append_value(s) }
}
