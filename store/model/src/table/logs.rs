//! `logs`: one log record.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_array::builder::{
    BooleanBuilder, Int32Builder, StringBuilder, TimestampNanosecondBuilder, UInt32Builder, UInt64Builder,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::column::{
    TextMapBuilder, UTC, append_attributes, append_nonempty, append_pairs, attribute_map, map_builder, text, text_map,
    timestamp,
};
use crate::attr::{AttrValue, Attributes};
use crate::labels::Labels;
use crate::time::Timestamp;

/// When it happened (when observed, if the sender did not say).
pub const TIME: &str = "time";
/// When the collector saw it.
pub const OBSERVED_TIME: &str = "observed_time";
/// The severity as the sender wrote it.
pub const SEVERITY: &str = "severity";
/// OpenTelemetry severity number, 0 = unspecified.
pub const SEVERITY_NUMBER: &str = "severity_number";
/// The service that spoke.
pub const SERVICE: &str = "service";
/// The line, or the JSON text of a structured body.
pub const BODY: &str = "body";
/// Whether `body` is the JSON text of a structured (non-string) body.
pub const BODY_STRUCTURED: &str = "body_structured";
/// Hash of `labels`.
pub const STREAM_ID: &str = "stream_id";
/// Stream labels, as Loki knows them.
pub const LABELS: &str = "labels";
/// Lower-case hex.
pub const TRACE_ID: &str = "trace_id";
/// Lower-case hex.
pub const SPAN_ID: &str = "span_id";
/// W3C trace flags and OTLP's record flags.
pub const FLAGS: &str = "flags";
/// OTLP's event name.
pub const EVENT_NAME: &str = "event_name";
/// Attributes of the resource.
pub const RESOURCE: &str = "resource";
/// Name of the instrumentation scope.
pub const SCOPE_NAME: &str = "scope_name";
/// Version of the instrumentation scope.
pub const SCOPE_VERSION: &str = "scope_version";
/// Attributes of the instrumentation scope.
pub const SCOPE_ATTRIBUTES: &str = "scope_attributes";
/// Attributes of the record; for Loki, the structured metadata.
pub const ATTRIBUTES: &str = "attributes";
/// How many attributes the sender dropped.
pub const DROPPED_ATTRIBUTES: &str = "dropped_attributes_count";

/// The schema.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            timestamp(TIME, false),
            timestamp(OBSERVED_TIME, true),
            text(SEVERITY, true),
            Field::new(SEVERITY_NUMBER, DataType::Int32, false),
            text(SERVICE, true),
            text(BODY, true),
            Field::new(BODY_STRUCTURED, DataType::Boolean, false),
            Field::new(STREAM_ID, DataType::UInt64, false),
            text_map(LABELS),
            text(TRACE_ID, true),
            text(SPAN_ID, true),
            Field::new(FLAGS, DataType::UInt32, false),
            text(EVENT_NAME, true),
            attribute_map(RESOURCE),
            text(SCOPE_NAME, true),
            text(SCOPE_VERSION, true),
            attribute_map(SCOPE_ATTRIBUTES),
            attribute_map(ATTRIBUTES),
            Field::new(DROPPED_ATTRIBUTES, DataType::UInt32, false),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// What many records of one request share.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogOrigin {
    /// Stream labels.
    pub labels: Labels,
    /// `labels.hash64()`.
    pub stream_id: u64,
    /// The service that spoke; empty if unknown.
    pub service: String,
    /// Attributes of the resource.
    pub resource: Attributes,
    /// Name of the instrumentation scope; empty if unknown.
    pub scope_name: String,
    /// Version of the instrumentation scope; empty if unknown.
    pub scope_version: String,
    /// Attributes of the instrumentation scope.
    pub scope_attributes: Attributes,
}

/// One record, without what it shares with others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogRow {
    /// When it happened.
    pub time: Timestamp,
    /// When the collector saw it.
    pub observed_time: Option<Timestamp>,
    /// The severity as written; empty if absent.
    pub severity: String,
    /// OpenTelemetry severity number.
    pub severity_number: i32,
    /// The body; `None` if the record has none.
    pub body: Option<AttrValue>,
    /// Lower-case hex; empty if absent.
    pub trace_id: String,
    /// Lower-case hex; empty if absent.
    pub span_id: String,
    /// Flags.
    pub flags: u32,
    /// Event name; empty if absent.
    pub event_name: String,
    /// Attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    pub dropped_attributes: u32,
}

/// Builds a batch of [`schema`], row by row.
pub struct LogsBuilder {
    time: TimestampNanosecondBuilder,
    observed_time: TimestampNanosecondBuilder,
    severity: StringBuilder,
    severity_number: Int32Builder,
    service: StringBuilder,
    body: StringBuilder,
    body_structured: BooleanBuilder,
    stream_id: UInt64Builder,
    labels: TextMapBuilder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    flags: UInt32Builder,
    event_name: StringBuilder,
    resource: TextMapBuilder,
    scope_name: StringBuilder,
    scope_version: StringBuilder,
    scope_attributes: TextMapBuilder,
    attributes: TextMapBuilder,
    dropped_attributes: UInt32Builder,
    rows: usize,
}

impl Default for LogsBuilder {
    fn default() -> Self {
        Self {
            time: TimestampNanosecondBuilder::new().with_timezone(UTC),
            observed_time: TimestampNanosecondBuilder::new().with_timezone(UTC),
            severity: StringBuilder::new(),
            severity_number: Int32Builder::new(),
            service: StringBuilder::new(),
            body: StringBuilder::new(),
            body_structured: BooleanBuilder::new(),
            stream_id: UInt64Builder::new(),
            labels: map_builder(),
            trace_id: StringBuilder::new(),
            span_id: StringBuilder::new(),
            flags: UInt32Builder::new(),
            event_name: StringBuilder::new(),
            resource: map_builder(),
            scope_name: StringBuilder::new(),
            scope_version: StringBuilder::new(),
            scope_attributes: map_builder(),
            attributes: map_builder(),
            dropped_attributes: UInt32Builder::new(),
            rows: 0,
        }
    }
}

impl LogsBuilder {
    /// Rows so far.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends one record.
    pub fn push(&mut self, origin: &LogOrigin, row: &LogRow) {
        self.rows += 1;
        self.time.append_value(row.time.nanos());
        self.observed_time.append_option(row.observed_time.map(Timestamp::nanos));
        append_nonempty(&mut self.severity, &row.severity);
        self.severity_number.append_value(row.severity_number);
        append_nonempty(&mut self.service, &origin.service);
        match &row.body {
            None => self.body.append_null(),
            Some(AttrValue::String(s)) => self.body.append_value(s),
            Some(other) => self.body.append_value(other.to_json()),
        }
        self.body_structured.append_value(!matches!(row.body, None | Some(AttrValue::String(_))));
        self.stream_id.append_value(origin.stream_id);
        append_pairs(&mut self.labels, origin.labels.iter());
        append_nonempty(&mut self.trace_id, &row.trace_id);
        append_nonempty(&mut self.span_id, &row.span_id);
        self.flags.append_value(row.flags);
        append_nonempty(&mut self.event_name, &row.event_name);
        append_attributes(&mut self.resource, &origin.resource);
        append_nonempty(&mut self.scope_name, &origin.scope_name);
        append_nonempty(&mut self.scope_version, &origin.scope_version);
        append_attributes(&mut self.scope_attributes, &origin.scope_attributes);
        append_attributes(&mut self.attributes, &row.attributes);
        self.dropped_attributes.append_value(row.dropped_attributes);
    }

    /// The batch; the builder is empty afterwards.
    pub fn finish(&mut self) -> RecordBatch {
        self.rows = 0;
        RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(self.time.finish()),
                Arc::new(self.observed_time.finish()),
                Arc::new(self.severity.finish()),
                Arc::new(self.severity_number.finish()),
                Arc::new(self.service.finish()),
                Arc::new(self.body.finish()),
                Arc::new(self.body_structured.finish()),
                Arc::new(self.stream_id.finish()),
                Arc::new(self.labels.finish()),
                Arc::new(self.trace_id.finish()),
                Arc::new(self.span_id.finish()),
                Arc::new(self.flags.finish()),
                Arc::new(self.event_name.finish()),
                Arc::new(self.resource.finish()),
                Arc::new(self.scope_name.finish()),
                Arc::new(self.scope_version.finish()),
                Arc::new(self.scope_attributes.finish()),
                Arc::new(self.attributes.finish()),
                Arc::new(self.dropped_attributes.finish()),
            ],
        )
        .expect("columns match the schema of logs")
    }
}
