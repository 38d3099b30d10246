//! OTLP logs to log records. Structured bodies, typed attributes and ids are kept; stream labels are those of Loki's OTLP
//! endpoint. Not kept: schema URLs and counts of dropped resource and scope attributes.

use grid_model::reject::Rejects;
use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
use grid_model::{Table, Write};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

use crate::decoded::{Counts, DecodeContext, DecodeError, Decoded};
use crate::otlp::{self, Budget, OtlpOptions, attributes, ids, json, json_logs, labels};

const FORMAT: &str = "OTLP logs";

/// Decodes a protobuf `ExportLogsServiceRequest`.
pub fn decode_protobuf(
    bytes: &[u8],
    options: &OtlpOptions,
    context: &DecodeContext<'_>,
) -> Result<Decoded, DecodeError> {
    let request = ExportLogsServiceRequest::decode(bytes).map_err(|e| otlp::protobuf_error(FORMAT, &e))?;
    Ok(decode(request, options, context))
}

/// Decodes an OTLP/JSON `ExportLogsServiceRequest`; so is each line of a file of OTLP JSON lines.
pub fn decode_json(bytes: &[u8], options: &OtlpOptions, context: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    let (request, faults) = json::document(FORMAT, bytes, json_logs::request)?;
    let mut decoded = decode(request, options, context);
    decoded.rejects.count += faults.count;
    decoded.rejects.first.splice(0..0, faults.first);
    Ok(decoded)
}

/// Decodes a request.
pub fn decode(request: ExportLogsServiceRequest, options: &OtlpOptions, context: &DecodeContext<'_>) -> Decoded {
    let mut budget = Budget::of_request(request.encoded_len());
    let mut builder = LogsBuilder::default();
    let mut write = Write::default();
    let mut counts = Counts::default();
    let mut rejects = Rejects::default();
    let mut position = 0;
    for of_resource in request.resource_logs {
        let shared = otlp::resource(of_resource.resource, context.limits).and_then(|resource| {
            let (labels, service) = labels::of_log_resource(&resource, options, context.limits)?;
            Ok(LogOrigin { stream_id: labels.hash64(), labels, service, resource, ..LogOrigin::default() })
        });
        for of_scope in of_resource.scope_logs {
            let origin = shared.clone().and_then(|shared| {
                let scope = otlp::scope(of_scope.scope, context.limits)?;
                let (scope_name, scope_version, scope_attributes) = (scope.name, scope.version, scope.attributes);
                Ok(LogOrigin { scope_name, scope_version, scope_attributes, ..shared })
            });
            let shared_bytes = origin.as_ref().map_or(0, bytes_of_origin);
            for record in of_scope.log_records {
                position += 1;
                let wire_bytes = record.encoded_len();
                let row = origin.as_ref().map_err(Clone::clone).and_then(|origin| {
                    let row = row(record, context)?;
                    budget.spend(shared_bytes)?;
                    Ok((origin, row))
                });
                match row {
                    Ok((origin, row)) => {
                        builder.push(origin, &row);
                        counts.logs += 1;
                        if budget.batch_is_full(shared_bytes, wire_bytes) {
                            write.push(Table::Logs, builder.finish());
                        }
                    }
                    Err(reason) => rejects.push(position, reason),
                }
            }
        }
    }
    write.push(Table::Logs, builder.finish());
    Decoded { write, rejects, counts }
}

fn bytes_of_origin(origin: &LogOrigin) -> usize {
    let labels: usize = origin.labels.iter().map(|(k, v)| k.len() + v.len()).sum();
    labels + otlp::bytes_of(&origin.resource) + otlp::bytes_of(&origin.scope_attributes)
}

fn row(record: LogRecord, context: &DecodeContext<'_>) -> Result<LogRow, String> {
    let limits = context.limits;
    let observed_time = otlp::timestamp_if_set("observed time", record.observed_time_unix_nano)?;
    let time = otlp::timestamp_if_set("time", record.time_unix_nano)?.or(observed_time).unwrap_or(context.now);
    limits.check_time(time, context.now)?;
    let max = limits.label_value_bytes_max;
    if record.severity_text.len() > max || record.event_name.len() > max {
        return Err(format!("severity text or event name has more than {max} bytes"));
    }
    let body = match record.body {
        Some(body) => {
            let bytes_max = limits.log_body_bytes_max;
            Some(attributes::convert_value(Some(body), bytes_max).map_err(|reason| format!("body: {reason}"))?)
        }
        None => None,
    };
    Ok(LogRow {
        time,
        observed_time,
        severity: record.severity_text,
        severity_number: record.severity_number,
        body,
        trace_id: ids::loose("trace id", &record.trace_id)?,
        span_id: ids::loose("span id", &record.span_id)?,
        flags: record.flags,
        event_name: record.event_name,
        attributes: attributes::convert(record.attributes, limits)?,
        dropped_attributes: record.dropped_attributes_count,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use grid_model::AttrValue;

    use super::*;
    use crate::testing::{NOW, ctx, logs};

    fn decode_records(records: &str) -> Decoded {
        let json = format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{records}]}}]}}]}}");
        decode_json(json.as_bytes(), &OtlpOptions::default(), &ctx()).unwrap()
    }

    #[test]
    fn a_record_has_a_time_and_keeps_its_types() {
        let decoded = decode_records(
            r#"{"timeUnixNano": "7", "observedTimeUnixNano": 8, "body": {"stringValue": "a\u0000ä"}},
               {"observed_time_unix_nano": "8", "severity_number": "SEVERITY_NUMBER_WARN", "severity_text": "Warn"},
               {"body": {"kvlistValue": {"values": [{"key": "n", "value": {"intValue": "9007199254740993"}}]}},
                "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "0000000000000000",
                "attributes": [{"key": "d", "value": {"doubleValue": 1}}, {"key": "i", "value": {"intValue": 1}}, {"key": "e"}]}"#,
        );
        assert_eq!(decoded.rejects.first, []);
        let rows = logs(&decoded);
        let times: Vec<_> = rows.iter().map(|r| r.time).collect();
        assert_eq!(times, [7, 8, NOW.nanos()]);
        assert_eq!((rows[0].body.as_str(), rows[2].body.as_str()), ("a\u{0}ä", "{\"n\":9007199254740993}"));
        assert_eq!((rows[1].severity_number, rows[1].severity.as_str()), (13, "Warn"));
        assert_eq!((rows[2].trace_id.as_str(), rows[2].span_id.as_str()), ("5b8efff798038103d269b633813fc60c", ""));
        let values: Vec<_> = rows[2].attributes.iter().map(|(_, v)| v.clone()).collect();
        assert_eq!(values, [AttrValue::Double(1.0), AttrValue::Int(1), AttrValue::Null]);
        assert_eq!((rows[0].service.as_str(), rows[0].labels.get("service_name")), ("", Some("unknown_service")));
    }

    #[test]
    fn what_is_refused_says_why() {
        let nested = "{\"arrayValue\":{\"values\":[".repeat(33) + &"]}}".repeat(33);
        let cases = [
            (
                r#"{"timeUnixNano": "4000000000000000000"}"#.to_owned(),
                "time 2096-10-02T07:06:40.000000000Z lies more than 24 h in the future",
            ),
            (format!("{{\"body\": {nested}}}"), "body: nested deeper than 32"),
            (
                format!(r#"{{"body": {{"stringValue": "{}"}}}}"#, "x".repeat(1_048_577)),
                "body: value has more than 1048576 bytes",
            ),
            (r#"{"traceId": "no id"}"#.to_owned(), "traceId: expected an id in hex, found the text \"no id\""),
            (format!(r#"{{"traceId": "{}"}}"#, "ab".repeat(33)), "trace id has 33 bytes"),
        ];
        for (record, expected) in cases {
            let decoded = decode_records(&format!("{record}, {{}}"));
            let reasons: Vec<_> = decoded.rejects.first.iter().map(|r| r.reason.as_str()).collect();
            assert_eq!((reasons, decoded.counts.logs), (vec![expected], 1));
        }
    }
}
