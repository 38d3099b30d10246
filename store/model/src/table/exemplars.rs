//! `exemplars`: one exemplar of one series: a value seen at a time, with the trace in which it was seen.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder, TimestampNanosecondBuilder, UInt64Builder};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::column::{
    TextMapBuilder, UTC, append_attributes, append_nonempty, attribute_map, map_builder, text, timestamp,
};
use crate::attr::Attributes;
use crate::series::SeriesId;
use crate::time::Timestamp;

/// [`SeriesId`], `u64`.
pub const SERIES_ID: &str = "series_id";
/// When the exemplar was seen.
pub const TIME: &str = "time";
/// Time of the data point that carried it, where the protocol says so (OTLP).
pub const SAMPLE_TIME: &str = "sample_time";
/// The value.
pub const VALUE: &str = "value";
/// The exact integer, if the exemplar was typed as one.
pub const VALUE_INT: &str = "value_int";
/// Lower-case hex, null if absent.
pub const TRACE_ID: &str = "trace_id";
/// Lower-case hex, null if absent.
pub const SPAN_ID: &str = "span_id";
/// Typed attributes: OTLP's filtered attributes, or Prometheus' exemplar labels without the trace and span id.
pub const ATTRIBUTES: &str = "attributes";

/// The schema.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            Field::new(SERIES_ID, DataType::UInt64, false),
            timestamp(TIME, false),
            timestamp(SAMPLE_TIME, true),
            Field::new(VALUE, DataType::Float64, true),
            Field::new(VALUE_INT, DataType::Int64, true),
            text(TRACE_ID, true),
            text(SPAN_ID, true),
            attribute_map(ATTRIBUTES),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// One exemplar.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExemplarRow {
    /// When it was seen.
    pub time: Timestamp,
    /// Time of the data point that carried it.
    pub sample_time: Option<Timestamp>,
    /// The value as a float; `None` if the sender gave none.
    pub value: Option<f64>,
    /// The exact integer, if typed as one.
    pub value_int: Option<i64>,
    /// Lower-case hex, empty if absent.
    pub trace_id: String,
    /// Lower-case hex, empty if absent.
    pub span_id: String,
    /// Further attributes.
    pub attributes: Attributes,
}

/// Builds a batch of [`schema`], row by row.
pub struct ExemplarsBuilder {
    series_id: UInt64Builder,
    time: TimestampNanosecondBuilder,
    sample_time: TimestampNanosecondBuilder,
    value: Float64Builder,
    value_int: Int64Builder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    attributes: TextMapBuilder,
    rows: usize,
}

impl Default for ExemplarsBuilder {
    fn default() -> Self {
        Self {
            series_id: UInt64Builder::new(),
            time: TimestampNanosecondBuilder::new().with_timezone(UTC),
            sample_time: TimestampNanosecondBuilder::new().with_timezone(UTC),
            value: Float64Builder::new(),
            value_int: Int64Builder::new(),
            trace_id: StringBuilder::new(),
            span_id: StringBuilder::new(),
            attributes: map_builder(),
            rows: 0,
        }
    }
}

impl ExemplarsBuilder {
    /// Rows so far.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends one exemplar.
    pub fn push(&mut self, series: SeriesId, e: &ExemplarRow) {
        self.rows += 1;
        self.series_id.append_value(series.0);
        self.time.append_value(e.time.nanos());
        self.sample_time.append_option(e.sample_time.map(Timestamp::nanos));
        self.value.append_option(e.value);
        self.value_int.append_option(e.value_int);
        append_nonempty(&mut self.trace_id, &e.trace_id);
        append_nonempty(&mut self.span_id, &e.span_id);
        append_attributes(&mut self.attributes, &e.attributes);
    }

    /// The batch; the builder is empty afterwards.
    pub fn finish(&mut self) -> RecordBatch {
        self.rows = 0;
        RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(self.series_id.finish()),
                Arc::new(self.time.finish()),
                Arc::new(self.sample_time.finish()),
                Arc::new(self.value.finish()),
                Arc::new(self.value_int.finish()),
                Arc::new(self.trace_id.finish()),
                Arc::new(self.span_id.finish()),
                Arc::new(self.attributes.finish()),
            ],
        )
        .expect("columns match the schema of exemplars")
    }
}
