//! Rows back to OTLP requests: what [`crate::otlp_metrics`], [`crate::otlp_logs`] and [`crate::otlp_traces`] stored goes out
//! as it came in. Items keep the order of their rows within a resource and scope.

pub mod metrics;
pub mod logs;
pub mod traces;
#[cfg(test)]
mod round_trip;

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, BooleanArray, ListArray, MapArray, PrimitiveArray, RecordBatch, StringArray, StructArray};
use grid_model::attr::Attributes;
use grid_model::series::write_attributes_key;
use grid_model::table::series::read_attributes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::otlp::attributes;

/// A batch is not of its table's schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A column is missing or of another type.
    #[error("column {0:?} is missing or of another type")]
    Column(String),
    /// A value at rest does not read back.
    #[error("row {row} of column {column:?} does not read back")]
    Value {
        /// The column.
        column: String,
        /// The row in its batch, from 0.
        row: usize,
    },
}

/// Columns of a batch, or fields of a struct column, by name.
#[derive(Clone, Copy)]
enum Columns<'a> {
    Batch(&'a RecordBatch),
    Struct(&'a StructArray),
}

impl<'a> Columns<'a> {
    fn get<T>(self, name: &str, cast: impl FnOnce(&'a dyn Array) -> Option<T>) -> Result<T, EncodeError> {
        let column = match self {
            Self::Batch(batch) => batch.column_by_name(name),
            Self::Struct(array) => array.column_by_name(name),
        };
        column.and_then(|c| cast(c.as_ref())).ok_or_else(|| EncodeError::Column(name.to_owned()))
    }

    fn numbers<T: ArrowPrimitiveType>(self, name: &str) -> Result<&'a PrimitiveArray<T>, EncodeError> {
        self.get(name, |c| c.as_primitive_opt::<T>())
    }

    fn texts(self, name: &str) -> Result<&'a StringArray, EncodeError> {
        self.get(name, |c| c.as_string_opt::<i32>())
    }

    fn booleans(self, name: &str) -> Result<&'a BooleanArray, EncodeError> {
        self.get(name, |c| c.as_boolean_opt())
    }

    fn lists(self, name: &str) -> Result<&'a ListArray, EncodeError> {
        self.get(name, |c| c.as_list_opt::<i32>())
    }

    fn maps(self, name: &str) -> Result<Maps<'a>, EncodeError> {
        Ok(Maps { column: name.to_owned(), maps: self.get(name, |c| c.as_map_opt())? })
    }
}

/// A column of typed attributes.
struct Maps<'a> {
    column: String,
    maps: &'a MapArray,
}

impl Maps<'_> {
    fn read(&self, row: usize) -> Result<Attributes, EncodeError> {
        read_attributes(self.maps, row).ok_or_else(|| EncodeError::Value { column: self.column.clone(), row })
    }
}

fn text_at(column: &StringArray, row: usize) -> String {
    if column.is_valid(row) { column.value(row).to_owned() } else { String::new() }
}

/// An id back from hex; what is not hex is no id.
fn id_at(column: &StringArray, row: usize) -> Vec<u8> {
    if column.is_valid(row) { hex::decode(column.value(row)).unwrap_or_default() } else { Vec::new() }
}

fn nanos(time: i64) -> u64 {
    u64::try_from(time).unwrap_or(0)
}

/// The scopes of the rows of a batch of logs or spans.
struct Origins<'a> {
    resource: Maps<'a>,
    scope_name: &'a StringArray,
    scope_version: &'a StringArray,
    scope_attributes: Maps<'a>,
}

impl<'a> Origins<'a> {
    fn of(columns: Columns<'a>) -> Result<Self, EncodeError> {
        Ok(Self {
            resource: columns.maps("resource")?,
            scope_name: columns.texts("scope_name")?,
            scope_version: columns.texts("scope_version")?,
            scope_attributes: columns.maps("scope_attributes")?,
        })
    }

    fn read(&self, row: usize) -> Result<(Resource, InstrumentationScope), EncodeError> {
        let resource = resource(&self.resource.read(row)?);
        let name = text_at(self.scope_name, row);
        let version = text_at(self.scope_version, row);
        Ok((resource, scope(name, version, &self.scope_attributes.read(row)?)))
    }
}

fn resource(resource: &Attributes) -> Resource {
    Resource { attributes: attributes::encode(resource), ..Resource::default() }
}

fn scope(name: String, version: String, scope: &Attributes) -> InstrumentationScope {
    InstrumentationScope { name, version, attributes: attributes::encode(scope), dropped_attributes_count: 0 }
}

/// Groups in the order of their first item, found by a key of bytes.
#[derive(Default)]
struct Groups {
    by_key: HashMap<Vec<u8>, usize>,
}

impl Groups {
    /// The group of a key, and whether it is new.
    fn find(&mut self, key: Vec<u8>) -> (usize, bool) {
        let next = self.by_key.len();
        let at = *self.by_key.entry(key).or_insert(next);
        (at, at == next)
    }
}

/// A key of texts and attributes that tells groups apart.
fn group_key(parent: usize, texts: &[&str], attributes: &[&Attributes]) -> Vec<u8> {
    let mut key = parent.to_le_bytes().to_vec();
    for text in texts {
        key.extend_from_slice(&text.len().to_le_bytes());
        key.extend_from_slice(text.as_bytes());
    }
    for attributes in attributes {
        write_attributes_key(&mut key, attributes);
    }
    key
}
