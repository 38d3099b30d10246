//! OTLP traces to spans, with events, links and typed attributes. Not kept: schema URLs and counts of dropped resource and
//! scope attributes; a kind or status that OTLP does not know counts as unspecified.

use grid_model::reject::Rejects;
use grid_model::table::spans::{SpanEvent, SpanLink, SpanOrigin, SpanRow, SpansBuilder};
use grid_model::{Table, Write};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use prost::Message;

use crate::decoded::{Counts, DecodeContext, DecodeError, Decoded};
use crate::limits::Limits;
use crate::otlp::{self, Budget, attributes, ids, json, json_traces};

const FORMAT: &str = "OTLP traces";

/// Decodes a protobuf `ExportTraceServiceRequest`.
pub fn decode_protobuf(bytes: &[u8], context: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    let request = ExportTraceServiceRequest::decode(bytes).map_err(|e| otlp::protobuf_error(FORMAT, &e))?;
    Ok(decode(request, context))
}

/// Decodes an OTLP/JSON `ExportTraceServiceRequest`; so is each line of a file of OTLP JSON lines.
pub fn decode_json(bytes: &[u8], context: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    let (request, faults) = json::document(FORMAT, bytes, json_traces::request)?;
    let mut decoded = decode(request, context);
    decoded.rejects.count += faults.count;
    decoded.rejects.first.splice(0..0, faults.first);
    Ok(decoded)
}

/// Decodes a request.
pub fn decode(request: ExportTraceServiceRequest, context: &DecodeContext<'_>) -> Decoded {
    let mut budget = Budget::of_request(request.encoded_len());
    let mut builder = SpansBuilder::default();
    let mut write = Write::default();
    let mut counts = Counts::default();
    let mut rejects = Rejects::default();
    let mut position = 0;
    for of_resource in request.resource_spans {
        let resource = otlp::resource(of_resource.resource, context.limits);
        for of_scope in of_resource.scope_spans {
            let origin = resource.clone().and_then(|resource| {
                let scope = otlp::scope(of_scope.scope, context.limits)?;
                Ok(SpanOrigin {
                    service: otlp::service(&resource),
                    resource,
                    scope_name: scope.name,
                    scope_version: scope.version,
                    scope_attributes: scope.attributes,
                })
            });
            let shared_bytes =
                origin.as_ref().map_or(0, |o| otlp::bytes_of(&o.resource) + otlp::bytes_of(&o.scope_attributes));
            for span in of_scope.spans {
                position += 1;
                let wire_bytes = span.encoded_len();
                let row = origin.as_ref().map_err(Clone::clone).and_then(|origin| {
                    let row = row(span, context)?;
                    budget.spend(shared_bytes)?;
                    Ok((origin, row))
                });
                match row {
                    Ok((origin, row)) => {
                        builder.push(origin, &row);
                        counts.spans += 1;
                        if budget.batch_is_full(shared_bytes, wire_bytes) {
                            write.push(Table::Spans, builder.finish());
                        }
                    }
                    Err(reason) => rejects.push(position, reason),
                }
            }
        }
    }
    write.push(Table::Spans, builder.finish());
    Decoded { write, rejects, counts }
}

fn row(span: Span, context: &DecodeContext<'_>) -> Result<SpanRow, String> {
    let limits = context.limits;
    let trace_id = ids::required("trace id", &span.trace_id, 16)?;
    let span_id = ids::required("span id", &span.span_id, 8)?;
    let parent_span_id = ids::optional("parent span id", &span.parent_span_id, 8)?;
    let start_time = otlp::timestamp("start time", span.start_time_unix_nano)?;
    limits.check_time(start_time, context.now)?;
    let end_time = otlp::timestamp("end time", span.end_time_unix_nano)?;
    let max = limits.label_value_bytes_max;
    if span.name.len() > max || span.trace_state.len() > max {
        return Err(format!("name or trace state has more than {max} bytes"));
    }
    for (what, n) in [("events", span.events.len()), ("links", span.links.len())] {
        if n > limits.span_items_max {
            return Err(format!("{n} {what}, the limit is {}", limits.span_items_max));
        }
    }
    let status = span.status.unwrap_or_default();
    if status.message.len() > limits.attribute_value_bytes_max {
        return Err(format!("status message has more than {} bytes", limits.attribute_value_bytes_max));
    }
    Ok(SpanRow {
        start_time,
        // Neither is negative, so their difference cannot overflow.
        duration_ns: end_time.nanos() - start_time.nanos(),
        trace_id,
        span_id,
        parent_span_id,
        trace_state: span.trace_state,
        flags: span.flags,
        name: span.name,
        kind: span.kind,
        status: status.code,
        status_message: status.message,
        attributes: attributes::convert(span.attributes, limits)?,
        events: span.events.into_iter().map(|e| event(e, limits)).collect::<Result<_, _>>()?,
        links: span.links.into_iter().map(|l| link(l, limits)).collect::<Result<_, _>>()?,
        dropped_attributes: span.dropped_attributes_count,
        dropped_events: span.dropped_events_count,
        dropped_links: span.dropped_links_count,
    })
}

fn event(event: Event, limits: &Limits) -> Result<SpanEvent, String> {
    if event.name.len() > limits.label_value_bytes_max {
        return Err(format!("event: name has more than {} bytes", limits.label_value_bytes_max));
    }
    Ok(SpanEvent {
        time: otlp::timestamp("event: time", event.time_unix_nano)?,
        name: event.name,
        attributes: attributes::convert(event.attributes, limits).map_err(|reason| format!("event: {reason}"))?,
        dropped_attributes: event.dropped_attributes_count,
    })
}

fn link(link: Link, limits: &Limits) -> Result<SpanLink, String> {
    if link.trace_state.len() > limits.label_value_bytes_max {
        return Err(format!("link: trace state has more than {} bytes", limits.label_value_bytes_max));
    }
    Ok(SpanLink {
        trace_id: ids::loose("link: trace id", &link.trace_id)?,
        span_id: ids::loose("link: span id", &link.span_id)?,
        trace_state: link.trace_state,
        flags: link.flags,
        attributes: attributes::convert(link.attributes, limits).map_err(|reason| format!("link: {reason}"))?,
        dropped_attributes: link.dropped_attributes_count,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::ctx;

    #[test]
    fn what_is_refused_says_why() {
        const GOOD: &str = r#""traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174""#;
        let cases = [
            (r#"{"spanId": "eee19b7ec3c1b174"}"#.to_owned(), "trace id has 0 bytes, not 16"),
            (r#"{"traceId": "5b8e", "spanId": "eee19b7ec3c1b174"}"#.to_owned(), "trace id has 2 bytes, not 16"),
            (format!("{{\"traceId\": \"{}\"}}", "0".repeat(32)), "trace id is all zero"),
            (r#"{"traceId": "5b8efff798038103d269b633813fc60c"}"#.to_owned(), "span id has 0 bytes, not 8"),
            (format!("{{{GOOD}, \"parentSpanId\": \"01\"}}"), "parent span id has 1 bytes, not 8"),
            (
                format!("{{{GOOD}, \"startTimeUnixNano\": \"4000000000000000000\"}}"),
                "time 2096-10-02T07:06:40.000000000Z lies more than 24 h in the future",
            ),
            (format!("{{{GOOD}, \"events\": [{}{{}}]}}", "{},".repeat(1024)), "1025 events, the limit is 1024"),
            (
                format!("{{{GOOD}, \"kind\": \"SPAN_KIND_WHAT\"}}"),
                "kind: expected a 32-bit integer, found the text \"SPAN_KIND_WHAT\"",
            ),
        ];
        for (span, expected) in cases {
            let json =
                format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{span}, {{{GOOD}, \"kind\": 2}}]}}]}}]}}");
            let decoded = decode_json(json.as_bytes(), &ctx()).unwrap();
            let reasons: Vec<_> = decoded.rejects.first.iter().map(|r| r.reason.as_str()).collect();
            assert_eq!(reasons, [expected]);
            assert_eq!(decoded.counts.spans, 1);
        }
    }
}
