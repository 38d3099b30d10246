//! Log records as OTLP. Lines know their service and file only beside the resource; OTLP has no other place for them.

use std::collections::BTreeSet;

use anyhow::Context as _;
use arrow::array::{Array as _, AsArray as _, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use grid_decode::otlp_encode;
use grid_model::table::logs;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

const SERVICE: &str = "service.name";
const FILE: &str = "log.file.name";

/// The request of a piece of `file`.
pub(super) fn request(batches: &[RecordBatch], file: &str) -> anyhow::Result<ExportLogsServiceRequest> {
    let mut all = ExportLogsServiceRequest::default();
    for batch in batches {
        let services = batch.column_by_name(logs::SERVICE).and_then(|c| c.as_string_opt::<i32>());
        let services = services.context("read back rows of logs")?;
        let service_of = |i: usize| if services.is_valid(i) { services.value(i) } else { "" };
        let distinct: BTreeSet<&str> = (0..batch.num_rows()).map(service_of).collect();
        for service in distinct {
            let mask: BooleanArray = (0..batch.num_rows()).map(|i| Some(service_of(i) == service)).collect();
            let rows = filter_record_batch(batch, &mask).context("split rows by service")?;
            let mut request = otlp_encode::logs::encode(&[rows])?;
            for of_resource in &mut request.resource_logs {
                let attributes = &mut of_resource.resource.get_or_insert_default().attributes;
                // A file of OTLP says all of this itself.
                if attributes.is_empty() {
                    attributes.extend([(SERVICE, service), (FILE, file)].into_iter().filter_map(attribute));
                }
            }
            all.resource_logs.append(&mut request.resource_logs);
        }
    }
    Ok(all)
}

fn attribute((key, value): (&str, &str)) -> Option<KeyValue> {
    let text = Value::StringValue(value.to_owned());
    (!value.is_empty()).then(|| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(text) }),
        ..KeyValue::default()
    })
}
