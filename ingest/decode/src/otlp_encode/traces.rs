//! Spans back to `ExportTraceServiceRequest`.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampNanosecondType, UInt32Type};
use arrow_array::{Array, ListArray, RecordBatch};
use grid_model::table::spans;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use super::{Columns, EncodeError, Groups, Origins, id_at, nanos, text_at};
use crate::otlp::attributes;

/// Encodes batches of table `spans`.
pub fn encode(batches: &[RecordBatch]) -> Result<ExportTraceServiceRequest, EncodeError> {
    let mut out: Vec<ResourceSpans> = Vec::new();
    let (mut resources, mut scopes, mut scope_at) = (Groups::default(), Groups::default(), Vec::new());
    for batch in batches {
        let columns = Columns::Batch(batch);
        let origins = Origins::of(columns)?;
        let start = columns.numbers::<TimestampNanosecondType>(spans::START_TIME)?;
        let duration = columns.numbers::<Int64Type>(spans::DURATION_NS)?;
        let trace = columns.texts(spans::TRACE_ID)?;
        let span = columns.texts(spans::SPAN_ID)?;
        let parent = columns.texts(spans::PARENT_SPAN_ID)?;
        let state = columns.texts(spans::TRACE_STATE)?;
        let flags = columns.numbers::<UInt32Type>(spans::FLAGS)?;
        let name = columns.texts(spans::NAME)?;
        let kind = columns.texts(spans::KIND)?;
        let status = columns.texts(spans::STATUS)?;
        let message = columns.texts(spans::STATUS_MESSAGE)?;
        let span_attributes = columns.maps(spans::ATTRIBUTES)?;
        let event_lists = columns.lists(spans::EVENTS)?;
        let link_lists = columns.lists(spans::LINKS)?;
        let dropped_attributes = columns.numbers::<UInt32Type>(spans::DROPPED_ATTRIBUTES)?;
        let dropped_events = columns.numbers::<UInt32Type>(spans::DROPPED_EVENTS)?;
        let dropped_links = columns.numbers::<UInt32Type>(spans::DROPPED_LINKS)?;
        for row in 0..batch.num_rows() {
            let code = number_of(&spans::STATUSES, status.value(row));
            let message = text_at(message, row);
            let item = Span {
                trace_id: id_at(trace, row),
                span_id: id_at(span, row),
                trace_state: text_at(state, row),
                parent_span_id: id_at(parent, row),
                flags: flags.value(row),
                name: name.value(row).to_owned(),
                kind: number_of(&spans::KINDS, kind.value(row)),
                start_time_unix_nano: nanos(start.value(row)),
                end_time_unix_nano: nanos(start.value(row).saturating_add(duration.value(row))),
                attributes: attributes::encode(&span_attributes.read(row)?),
                dropped_attributes_count: dropped_attributes.value(row),
                events: events(event_lists, row)?,
                dropped_events_count: dropped_events.value(row),
                links: links(link_lists, row)?,
                dropped_links_count: dropped_links.value(row),
                status: (code != 0 || !message.is_empty()).then_some(Status { message, code }),
            };
            let (resource, scope) = origins.read(row)?;
            let (at, new) = resources.find(resource.encode_to_vec());
            if new {
                out.push(ResourceSpans { resource: Some(resource), ..ResourceSpans::default() });
            }
            let scope_spans = &mut out[at].scope_spans;
            let mut key = at.to_le_bytes().to_vec();
            scope.encode(&mut key).unwrap_or_default();
            let (group, new) = scopes.find(key);
            if new {
                scope_at.push(scope_spans.len());
                scope_spans.push(ScopeSpans { scope: Some(scope), ..ScopeSpans::default() });
            }
            scope_spans[scope_at[group]].spans.push(item);
        }
    }
    Ok(ExportTraceServiceRequest { resource_spans: out })
}

/// OTLP's number of a word at rest.
fn number_of(words: &[&str], word: &str) -> i32 {
    words.iter().position(|w| *w == word).and_then(|n| i32::try_from(n).ok()).unwrap_or(0)
}

fn events(lists: &ListArray, row: usize) -> Result<Vec<Event>, EncodeError> {
    let rows = lists.value(row);
    let items = Columns::Struct(rows.as_struct_opt().ok_or_else(|| EncodeError::Column(spans::EVENTS.to_owned()))?);
    let times = items.numbers::<TimestampNanosecondType>("time")?;
    let names = items.texts("name")?;
    let event_attributes = items.maps("attributes")?;
    let dropped = items.numbers::<UInt32Type>(spans::DROPPED_ATTRIBUTES)?;
    let event = |i| {
        Ok(Event {
            time_unix_nano: nanos(times.value(i)),
            name: names.value(i).to_owned(),
            attributes: attributes::encode(&event_attributes.read(i)?),
            dropped_attributes_count: dropped.value(i),
        })
    };
    (0..rows.len()).map(event).collect()
}

fn links(lists: &ListArray, row: usize) -> Result<Vec<Link>, EncodeError> {
    let rows = lists.value(row);
    let items = Columns::Struct(rows.as_struct_opt().ok_or_else(|| EncodeError::Column(spans::LINKS.to_owned()))?);
    let traces = items.texts("trace_id")?;
    let span_ids = items.texts("span_id")?;
    let states = items.texts("trace_state")?;
    let flags = items.numbers::<UInt32Type>("flags")?;
    let link_attributes = items.maps("attributes")?;
    let dropped = items.numbers::<UInt32Type>(spans::DROPPED_ATTRIBUTES)?;
    let link = |i| {
        Ok(Link {
            trace_id: id_at(traces, i),
            span_id: id_at(span_ids, i),
            trace_state: text_at(states, i),
            attributes: attributes::encode(&link_attributes.read(i)?),
            dropped_attributes_count: dropped.value(i),
            flags: flags.value(i),
        })
    };
    (0..rows.len()).map(link).collect()
}
