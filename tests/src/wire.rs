//! Bodies as clients put them on the wire, made here without any code of Grid's.

use serde_json::{Value, json};

/// Headers of a remote write 1.0 request.
pub const REMOTE_WRITE_HEADERS: [(&str, &str); 3] = [
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
    ("x-prometheus-remote-write-version", "0.1.0"),
];

/// Headers of an OTLP/HTTP request in JSON.
pub const JSON_HEADERS: [(&str, &str); 1] = [("content-type", "application/json")];

/// Headers of an OTLP/HTTP request in protobuf.
pub const PROTOBUF_HEADERS: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];

/// `prometheus.WriteRequest` of remote write 1.0, as far as tests send it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WriteRequest {
    /// The series.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

/// `prometheus.TimeSeries`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TimeSeries {
    /// Sorted by name.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// The samples.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
}

/// `prometheus.Label`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Label {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `prometheus.Sample`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Sample {
    /// The value.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since the epoch.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// A label.
pub fn label(name: &str, value: &str) -> Label {
    Label { name: name.to_owned(), value: value.to_owned() }
}

/// A remote write 1.0 body of one series.
pub fn remote_write(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Vec<u8> {
    let mut labels: Vec<Label> = labels.iter().map(|(n, v)| label(n, v)).collect();
    labels.sort_by(|a, b| a.name.cmp(&b.name));
    let samples = samples.iter().map(|&(timestamp, value)| Sample { value, timestamp }).collect();
    let request = WriteRequest { timeseries: vec![TimeSeries { labels, samples }] };
    let bytes = prost::Message::encode_to_vec(&request);
    snap::raw::Encoder::new().compress_vec(&bytes).expect("a test's body is small")
}

/// OTLP/JSON log records of one service, at times in nanoseconds.
pub fn otlp_logs(service: &str, records: &[(i64, String)]) -> String {
    let records: Vec<Value> = records
        .iter()
        .map(|(t, body)| {
            json!({"timeUnixNano": t.to_string(), "severityNumber": 9, "severityText": "INFO",
                   "body": {"stringValue": body}, "attributes": [attribute("marker", body)]})
        })
        .collect();
    json!({"resourceLogs": [{"resource": {"attributes": [attribute("service.name", service)]},
           "scopeLogs": [{"scope": {"name": "grid-tests"}, "logRecords": records}]}]})
    .to_string()
}

/// One OTLP/JSON span.
pub fn otlp_span(service: &str, name: &str, trace: &str, span: &str, start_ns: i64, duration_ns: i64) -> String {
    json!({"resourceSpans": [{"resource": {"attributes": [attribute("service.name", service)]},
           "scopeSpans": [{"scope": {"name": "grid-tests"}, "spans": [{
               "traceId": trace, "spanId": span, "name": name, "kind": 2,
               "startTimeUnixNano": start_ns.to_string(), "endTimeUnixNano": (start_ns + duration_ns).to_string(),
               "attributes": [attribute("marker", name)],
               "events": [{"timeUnixNano": start_ns.to_string(), "name": name}]}]}]}]})
    .to_string()
}

/// One OTLP/JSON gauge point with an exemplar.
pub fn otlp_gauge(service: &str, name: &str, attribute_value: &str, time_ns: i64, value: f64, trace: &str) -> String {
    json!({"resourceMetrics": [{"resource": {"attributes": [attribute("service.name", service)]},
           "scopeMetrics": [{"scope": {"name": "grid-tests"}, "metrics": [{
               "name": name, "unit": "1", "description": attribute_value, "gauge": {"dataPoints": [{
                   "timeUnixNano": time_ns.to_string(), "asDouble": value,
                   "attributes": [attribute("marker", attribute_value)],
                   "exemplars": [{"timeUnixNano": time_ns.to_string(), "asDouble": value, "traceId": trace,
                                  "spanId": "00f067aa0ba902b7",
                                  "filteredAttributes": [attribute("marker", attribute_value)]}]}]}}]}]}]})
    .to_string()
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}
