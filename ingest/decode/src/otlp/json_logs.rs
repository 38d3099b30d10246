//! OTLP/JSON to `ExportLogsServiceRequest`.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use serde_json::Value;

use super::json::{
    Faults, Read, any_value, attributes, enumeration, fields, id, list, resource, scope, text, u32_of, u64_of,
};

/// Reads a request; records that cannot be read are left out and go to `faults`.
pub(crate) fn request(value: Value, faults: &mut Faults) -> Read<ExportLogsServiceRequest> {
    let mut out = ExportLogsServiceRequest::default();
    fields(value, |key, value| {
        if key == "resourceLogs" {
            out.resource_logs = list(value, |v| resource_logs(v, faults))?;
        }
        Ok(())
    })?;
    Ok(out)
}

fn resource_logs(value: Value, faults: &mut Faults) -> Read<ResourceLogs> {
    let mut out = ResourceLogs::default();
    fields(value, |key, value| {
        match key {
            "resource" => out.resource = Some(resource(value)?),
            "scopeLogs" => out.scope_logs = list(value, |v| scope_logs(v, faults))?,
            "schemaUrl" => out.schema_url = text(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn scope_logs(value: Value, faults: &mut Faults) -> Read<ScopeLogs> {
    let mut out = ScopeLogs::default();
    fields(value, |key, value| {
        match key {
            "scope" => out.scope = Some(scope(value)?),
            "logRecords" => out.log_records = faults.items(value, log_record)?,
            "schemaUrl" => out.schema_url = text(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn log_record(value: Value) -> Read<LogRecord> {
    let mut out = LogRecord::default();
    fields(value, |key, value| {
        match key {
            "timeUnixNano" => out.time_unix_nano = u64_of(value)?,
            "observedTimeUnixNano" => out.observed_time_unix_nano = u64_of(value)?,
            "severityNumber" => {
                out.severity_number = enumeration(value, |n| SeverityNumber::from_str_name(n).map(i32::from))?;
            }
            "severityText" => out.severity_text = text(value)?,
            "body" => out.body = Some(any_value(value)?),
            "attributes" => out.attributes = attributes(value)?,
            "droppedAttributesCount" => out.dropped_attributes_count = u32_of(value)?,
            "flags" => out.flags = u32_of(value)?,
            "traceId" => out.trace_id = id(value)?,
            "spanId" => out.span_id = id(value)?,
            "eventName" => out.event_name = text(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}
