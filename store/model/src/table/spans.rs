//! `spans`: one span of one trace.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_array::builder::{
    ArrayBuilder, Int64Builder, ListBuilder, StringBuilder, StructBuilder, TimestampNanosecondBuilder, UInt32Builder,
};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};

use super::column::{
    TextMapBuilder, UTC, append_attributes, append_nonempty, attribute_map, map_builder, text, timestamp,
};
use crate::attr::Attributes;
use crate::time::Timestamp;

/// When the span began.
pub const START_TIME: &str = "start_time";
/// Nanoseconds from start to end; negative if the sender's clock was.
pub const DURATION_NS: &str = "duration_ns";
/// Lower-case hex, 32 digits.
pub const TRACE_ID: &str = "trace_id";
/// Lower-case hex, 16 digits.
pub const SPAN_ID: &str = "span_id";
/// Lower-case hex, 16 digits; null for a root span.
pub const PARENT_SPAN_ID: &str = "parent_span_id";
/// W3C trace state.
pub const TRACE_STATE: &str = "trace_state";
/// W3C trace flags and OTLP's span flags.
pub const FLAGS: &str = "flags";
/// The service.
pub const SERVICE: &str = "service";
/// The operation.
pub const NAME: &str = "name";
/// `internal`, `server`, `client`, `producer`, `consumer` or `unspecified`.
pub const KIND: &str = "kind";
/// `unset`, `ok` or `error`.
pub const STATUS: &str = "status";
/// What the sender said about the status.
pub const STATUS_MESSAGE: &str = "status_message";
/// Attributes of the resource.
pub const RESOURCE: &str = "resource";
/// Name of the instrumentation scope.
pub const SCOPE_NAME: &str = "scope_name";
/// Version of the instrumentation scope.
pub const SCOPE_VERSION: &str = "scope_version";
/// Attributes of the instrumentation scope.
pub const SCOPE_ATTRIBUTES: &str = "scope_attributes";
/// Attributes of the span.
pub const ATTRIBUTES: &str = "attributes";
/// List of `{time, name, attributes, dropped_attributes_count}`.
pub const EVENTS: &str = "events";
/// List of `{trace_id, span_id, trace_state, flags, attributes, dropped_attributes_count}`.
pub const LINKS: &str = "links";
/// How many attributes the sender dropped.
pub const DROPPED_ATTRIBUTES: &str = "dropped_attributes_count";
/// How many events the sender dropped.
pub const DROPPED_EVENTS: &str = "dropped_events_count";
/// How many links the sender dropped.
pub const DROPPED_LINKS: &str = "dropped_links_count";

/// Words of [`KIND`] by OTLP's number.
pub const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
/// Words of [`STATUS`] by OTLP's number.
pub const STATUSES: [&str; 3] = ["unset", "ok", "error"];

fn event_fields() -> Fields {
    Fields::from(vec![
        timestamp("time", false),
        text("name", false),
        attribute_map("attributes"),
        Field::new(DROPPED_ATTRIBUTES, DataType::UInt32, false),
    ])
}

fn link_fields() -> Fields {
    Fields::from(vec![
        text("trace_id", false),
        text("span_id", false),
        text("trace_state", true),
        Field::new("flags", DataType::UInt32, false),
        attribute_map("attributes"),
        Field::new(DROPPED_ATTRIBUTES, DataType::UInt32, false),
    ])
}

fn list(name: &str, fields: Fields) -> Field {
    Field::new(name, DataType::List(Arc::new(Field::new("item", DataType::Struct(fields), true))), false)
}

/// The schema.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            timestamp(START_TIME, false),
            Field::new(DURATION_NS, DataType::Int64, false),
            text(TRACE_ID, false),
            text(SPAN_ID, false),
            text(PARENT_SPAN_ID, true),
            text(TRACE_STATE, true),
            Field::new(FLAGS, DataType::UInt32, false),
            text(SERVICE, true),
            text(NAME, false),
            text(KIND, false),
            text(STATUS, false),
            text(STATUS_MESSAGE, true),
            attribute_map(RESOURCE),
            text(SCOPE_NAME, true),
            text(SCOPE_VERSION, true),
            attribute_map(SCOPE_ATTRIBUTES),
            attribute_map(ATTRIBUTES),
            list(EVENTS, event_fields()),
            list(LINKS, link_fields()),
            Field::new(DROPPED_ATTRIBUTES, DataType::UInt32, false),
            Field::new(DROPPED_EVENTS, DataType::UInt32, false),
            Field::new(DROPPED_LINKS, DataType::UInt32, false),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// What many spans of one request share.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpanOrigin {
    /// The service; empty if unknown.
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

/// Something that happened during a span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpanEvent {
    /// When.
    pub time: Timestamp,
    /// What.
    pub name: String,
    /// Attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    pub dropped_attributes: u32,
}

/// A pointer to another span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpanLink {
    /// Lower-case hex.
    pub trace_id: String,
    /// Lower-case hex.
    pub span_id: String,
    /// W3C trace state; empty if absent.
    pub trace_state: String,
    /// Flags.
    pub flags: u32,
    /// Attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    pub dropped_attributes: u32,
}

/// One span, without what it shares with others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpanRow {
    /// When it began.
    pub start_time: Timestamp,
    /// Nanoseconds from start to end.
    pub duration_ns: i64,
    /// Lower-case hex.
    pub trace_id: String,
    /// Lower-case hex.
    pub span_id: String,
    /// Lower-case hex; empty for a root span.
    pub parent_span_id: String,
    /// W3C trace state; empty if absent.
    pub trace_state: String,
    /// Flags.
    pub flags: u32,
    /// The operation.
    pub name: String,
    /// OTLP's number of the kind; unknown numbers count as unspecified.
    pub kind: i32,
    /// OTLP's number of the status; unknown numbers count as unset.
    pub status: i32,
    /// What the sender said about the status; empty if absent.
    pub status_message: String,
    /// Attributes.
    pub attributes: Attributes,
    /// Events in the sender's order.
    pub events: Vec<SpanEvent>,
    /// Links in the sender's order.
    pub links: Vec<SpanLink>,
    /// How many attributes the sender dropped.
    pub dropped_attributes: u32,
    /// How many events the sender dropped.
    pub dropped_events: u32,
    /// How many links the sender dropped.
    pub dropped_links: u32,
}

type StructListBuilder = ListBuilder<StructBuilder>;

/// Builds a batch of [`schema`], row by row.
pub struct SpansBuilder {
    start_time: TimestampNanosecondBuilder,
    duration_ns: Int64Builder,
    /// trace id, span id, parent, trace state, service, name, kind, status, message, scope name, scope version.
    texts: [StringBuilder; 11],
    flags: UInt32Builder,
    resource: TextMapBuilder,
    scope_attributes: TextMapBuilder,
    attributes: TextMapBuilder,
    events: StructListBuilder,
    links: StructListBuilder,
    dropped: [UInt32Builder; 3],
}

impl Default for SpansBuilder {
    fn default() -> Self {
        Self {
            start_time: TimestampNanosecondBuilder::new().with_timezone(UTC),
            duration_ns: Int64Builder::new(),
            texts: std::array::from_fn(|_| StringBuilder::new()),
            flags: UInt32Builder::new(),
            resource: map_builder(),
            scope_attributes: map_builder(),
            attributes: map_builder(),
            events: list_builder(
                event_fields(),
                vec![
                    Box::new(TimestampNanosecondBuilder::new().with_timezone(UTC)),
                    Box::new(StringBuilder::new()),
                    Box::new(map_builder()),
                    Box::new(UInt32Builder::new()),
                ],
            ),
            links: list_builder(
                link_fields(),
                vec![
                    Box::new(StringBuilder::new()),
                    Box::new(StringBuilder::new()),
                    Box::new(StringBuilder::new()),
                    Box::new(UInt32Builder::new()),
                    Box::new(map_builder()),
                    Box::new(UInt32Builder::new()),
                ],
            ),
            dropped: std::array::from_fn(|_| UInt32Builder::new()),
        }
    }
}

fn list_builder(fields: Fields, columns: Vec<Box<dyn ArrayBuilder>>) -> StructListBuilder {
    let item = Arc::new(Field::new("item", DataType::Struct(fields.clone()), true));
    ListBuilder::new(StructBuilder::new(fields, columns)).with_field(item)
}

impl SpansBuilder {
    /// Rows so far.
    pub fn len(&self) -> usize {
        self.start_time.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends one span.
    pub fn push(&mut self, origin: &SpanOrigin, row: &SpanRow) {
        fn at<T: ArrayBuilder>(b: &mut StructBuilder, i: usize) -> &mut T {
            b.field_builder::<T>(i).expect("builder of the field's type")
        }
        let word =
            |words: &[&'static str], n: i32| *usize::try_from(n).ok().and_then(|n| words.get(n)).unwrap_or(&words[0]);
        self.start_time.append_value(row.start_time.nanos());
        self.duration_ns.append_value(row.duration_ns);
        let [trace, span, parent, state, service, name, kind, status, message, scope_name, scope_version] =
            &mut self.texts;
        trace.append_value(&row.trace_id);
        span.append_value(&row.span_id);
        append_nonempty(parent, &row.parent_span_id);
        append_nonempty(state, &row.trace_state);
        append_nonempty(service, &origin.service);
        name.append_value(&row.name);
        kind.append_value(word(&KINDS, row.kind));
        status.append_value(word(&STATUSES, row.status));
        append_nonempty(message, &row.status_message);
        append_nonempty(scope_name, &origin.scope_name);
        append_nonempty(scope_version, &origin.scope_version);
        self.flags.append_value(row.flags);
        append_attributes(&mut self.resource, &origin.resource);
        append_attributes(&mut self.scope_attributes, &origin.scope_attributes);
        append_attributes(&mut self.attributes, &row.attributes);
        let events = self.events.values();
        for e in &row.events {
            at::<TimestampNanosecondBuilder>(events, 0).append_value(e.time.nanos());
            at::<StringBuilder>(events, 1).append_value(&e.name);
            append_attributes(at::<TextMapBuilder>(events, 2), &e.attributes);
            at::<UInt32Builder>(events, 3).append_value(e.dropped_attributes);
            events.append(true);
        }
        self.events.append(true);
        let links = self.links.values();
        for l in &row.links {
            at::<StringBuilder>(links, 0).append_value(&l.trace_id);
            at::<StringBuilder>(links, 1).append_value(&l.span_id);
            append_nonempty(at::<StringBuilder>(links, 2), &l.trace_state);
            at::<UInt32Builder>(links, 3).append_value(l.flags);
            append_attributes(at::<TextMapBuilder>(links, 4), &l.attributes);
            at::<UInt32Builder>(links, 5).append_value(l.dropped_attributes);
            links.append(true);
        }
        self.links.append(true);
        for (b, n) in self.dropped.iter_mut().zip([row.dropped_attributes, row.dropped_events, row.dropped_links]) {
            b.append_value(n);
        }
    }

    /// The batch; the builder is empty afterwards.
    pub fn finish(&mut self) -> RecordBatch {
        let [trace, span, parent, state, service, name, kind, status, message, scope_name, scope_version] =
            self.texts.each_mut().map(StringBuilder::finish);
        let [dropped_attributes, dropped_events, dropped_links] = self.dropped.each_mut().map(UInt32Builder::finish);
        RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(self.start_time.finish()),
                Arc::new(self.duration_ns.finish()),
                Arc::new(trace),
                Arc::new(span),
                Arc::new(parent),
                Arc::new(state),
                Arc::new(self.flags.finish()),
                Arc::new(service),
                Arc::new(name),
                Arc::new(kind),
                Arc::new(status),
                Arc::new(message),
                Arc::new(self.resource.finish()),
                Arc::new(scope_name),
                Arc::new(scope_version),
                Arc::new(self.scope_attributes.finish()),
                Arc::new(self.attributes.finish()),
                Arc::new(self.events.finish()),
                Arc::new(self.links.finish()),
                Arc::new(dropped_attributes),
                Arc::new(dropped_events),
                Arc::new(dropped_links),
            ],
        )
        .expect("columns match the schema of spans")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr::AttrValue;

    #[test]
    fn a_span_with_events_and_links_builds() {
        let mut b = SpansBuilder::default();
        let attributes = vec![("k".to_owned(), AttrValue::Int(1))];
        let event = SpanEvent { name: "e".into(), attributes: attributes.clone(), ..SpanEvent::default() };
        let link = SpanLink { trace_id: "01".into(), attributes, ..SpanLink::default() };
        let row = SpanRow { name: "n".into(), kind: 99, events: vec![event], links: vec![link], ..SpanRow::default() };
        b.push(&SpanOrigin::default(), &row);
        b.push(&SpanOrigin::default(), &SpanRow::default());
        let batch = b.finish();
        assert_eq!(batch.num_rows(), 2);
        assert!(b.is_empty());
    }
}
