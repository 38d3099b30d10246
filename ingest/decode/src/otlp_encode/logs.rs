//! Log records back to `ExportLogsServiceRequest`.

use arrow_array::types::{Int32Type, TimestampNanosecondType, UInt32Type};
use arrow_array::{Array, RecordBatch};
use grid_model::attr::AttrValue;
use grid_model::table::logs;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;

use super::{Columns, EncodeError, Groups, Origins, id_at, nanos, text_at};
use crate::otlp::attributes;

/// Encodes batches of table `logs`.
pub fn encode(batches: &[RecordBatch]) -> Result<ExportLogsServiceRequest, EncodeError> {
    let mut out: Vec<ResourceLogs> = Vec::new();
    let (mut resources, mut scopes, mut scope_at) = (Groups::default(), Groups::default(), Vec::new());
    for batch in batches {
        let columns = Columns::Batch(batch);
        let origins = Origins::of(columns)?;
        let times = columns.numbers::<TimestampNanosecondType>(logs::TIME)?;
        let observed = columns.numbers::<TimestampNanosecondType>(logs::OBSERVED_TIME)?;
        let severity = columns.texts(logs::SEVERITY)?;
        let severity_numbers = columns.numbers::<Int32Type>(logs::SEVERITY_NUMBER)?;
        let bodies = columns.texts(logs::BODY)?;
        let structured = columns.booleans(logs::BODY_STRUCTURED)?;
        let traces = columns.texts(logs::TRACE_ID)?;
        let spans = columns.texts(logs::SPAN_ID)?;
        let flags = columns.numbers::<UInt32Type>(logs::FLAGS)?;
        let event_names = columns.texts(logs::EVENT_NAME)?;
        let record_attributes = columns.maps(logs::ATTRIBUTES)?;
        let dropped = columns.numbers::<UInt32Type>(logs::DROPPED_ATTRIBUTES)?;
        for row in 0..batch.num_rows() {
            let body = match (bodies.is_valid(row), structured.value(row)) {
                (false, _) => None,
                (true, false) => Some(AttrValue::from(bodies.value(row))),
                (true, true) => Some(
                    AttrValue::from_json(bodies.value(row))
                        .map_err(|_| EncodeError::Value { column: logs::BODY.to_owned(), row })?,
                ),
            };
            let record = LogRecord {
                time_unix_nano: nanos(times.value(row)),
                observed_time_unix_nano: if observed.is_valid(row) { nanos(observed.value(row)) } else { 0 },
                severity_number: severity_numbers.value(row),
                severity_text: text_at(severity, row),
                body: body.as_ref().map(attributes::encode_value),
                attributes: attributes::encode(&record_attributes.read(row)?),
                dropped_attributes_count: dropped.value(row),
                flags: flags.value(row),
                trace_id: id_at(traces, row),
                span_id: id_at(spans, row),
                event_name: text_at(event_names, row),
            };
            let (resource, scope) = origins.read(row)?;
            let (at, new) = resources.find(resource.encode_to_vec());
            if new {
                out.push(ResourceLogs { resource: Some(resource), ..ResourceLogs::default() });
            }
            let scope_logs = &mut out[at].scope_logs;
            let mut key = at.to_le_bytes().to_vec();
            scope.encode(&mut key).unwrap_or_default();
            let (group, new) = scopes.find(key);
            if new {
                scope_at.push(scope_logs.len());
                scope_logs.push(ScopeLogs { scope: Some(scope), ..ScopeLogs::default() });
            }
            scope_logs[scope_at[group]].log_records.push(record);
        }
    }
    Ok(ExportLogsServiceRequest { resource_logs: out })
}
