//! OTLP/JSON to `ExportTraceServiceRequest`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use serde_json::Value;

use super::json::{Faults, Read, attributes, enumeration, fields, id, list, resource, scope, text, u32_of, u64_of};

/// Reads a request; spans that cannot be read are left out and go to `faults`.
pub(crate) fn request(value: Value, faults: &mut Faults) -> Read<ExportTraceServiceRequest> {
    let mut out = ExportTraceServiceRequest::default();
    fields(value, |key, value| {
        if key == "resourceSpans" {
            out.resource_spans = list(value, |v| resource_spans(v, faults))?;
        }
        Ok(())
    })?;
    Ok(out)
}

fn resource_spans(value: Value, faults: &mut Faults) -> Read<ResourceSpans> {
    let mut out = ResourceSpans::default();
    fields(value, |key, value| {
        match key {
            "resource" => out.resource = Some(resource(value)?),
            "scopeSpans" => out.scope_spans = list(value, |v| scope_spans(v, faults))?,
            "schemaUrl" => out.schema_url = text(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn scope_spans(value: Value, faults: &mut Faults) -> Read<ScopeSpans> {
    let mut out = ScopeSpans::default();
    fields(value, |key, value| {
        match key {
            "scope" => out.scope = Some(scope(value)?),
            "spans" => out.spans = faults.items(value, span)?,
            "schemaUrl" => out.schema_url = text(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn span(value: Value) -> Read<Span> {
    let mut out = Span::default();
    fields(value, |key, value| {
        match key {
            "traceId" => out.trace_id = id(value)?,
            "spanId" => out.span_id = id(value)?,
            "traceState" => out.trace_state = text(value)?,
            "parentSpanId" => out.parent_span_id = id(value)?,
            "flags" => out.flags = u32_of(value)?,
            "name" => out.name = text(value)?,
            "kind" => out.kind = enumeration(value, |n| SpanKind::from_str_name(n).map(i32::from))?,
            "startTimeUnixNano" => out.start_time_unix_nano = u64_of(value)?,
            "endTimeUnixNano" => out.end_time_unix_nano = u64_of(value)?,
            "attributes" => out.attributes = attributes(value)?,
            "droppedAttributesCount" => out.dropped_attributes_count = u32_of(value)?,
            "events" => out.events = list(value, event)?,
            "droppedEventsCount" => out.dropped_events_count = u32_of(value)?,
            "links" => out.links = list(value, link)?,
            "droppedLinksCount" => out.dropped_links_count = u32_of(value)?,
            "status" => out.status = Some(status(value)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn event(value: Value) -> Read<Event> {
    let mut out = Event::default();
    fields(value, |key, value| {
        match key {
            "timeUnixNano" => out.time_unix_nano = u64_of(value)?,
            "name" => out.name = text(value)?,
            "attributes" => out.attributes = attributes(value)?,
            "droppedAttributesCount" => out.dropped_attributes_count = u32_of(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn link(value: Value) -> Read<Link> {
    let mut out = Link::default();
    fields(value, |key, value| {
        match key {
            "traceId" => out.trace_id = id(value)?,
            "spanId" => out.span_id = id(value)?,
            "traceState" => out.trace_state = text(value)?,
            "attributes" => out.attributes = attributes(value)?,
            "droppedAttributesCount" => out.dropped_attributes_count = u32_of(value)?,
            "flags" => out.flags = u32_of(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn status(value: Value) -> Read<Status> {
    let mut out = Status::default();
    fields(value, |key, value| {
        match key {
            "message" => out.message = text(value)?,
            "code" => out.code = enumeration(value, |n| StatusCode::from_str_name(n).map(i32::from))?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}
