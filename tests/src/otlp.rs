//! What an OTLP payload must read back as: the rows that SQL has to answer, computed from the message itself.

use grid_model::attr::AttrValue;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint, exemplar,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use crate::answer::float;
use crate::server::Row;

/// Reads every log record with all that OTLP says about it.
pub const LOGS_QUERY: &str = "SELECT time, observed_time, severity, severity_number, service, body, body_structured, \
    trace_id, span_id, flags, event_name, resource, scope_name, scope_version, scope_attributes, attributes, \
    dropped_attributes_count FROM logs";

/// Reads every span with all that OTLP says about it.
pub const SPANS_QUERY: &str = "SELECT start_time, duration_ns, trace_id, span_id, parent_span_id, trace_state, flags, \
    service, name, kind, status, status_message, resource, scope_name, scope_version, scope_attributes, attributes, \
    events, links, dropped_attributes_count, dropped_events_count, dropped_links_count FROM spans";

/// Reads every sample with its series' OTLP identity.
pub const SAMPLES_QUERY: &str = "SELECT s.otlp_name, s.unit, s.otlp_type, s.temporality, s.number_type, s.monotonic, \
    s.resource, s.resource_schema_url, s.scope_name, s.scope_version, s.scope_schema_url, s.scope_attributes, \
    s.attributes, x.time, x.start_time, x.value, x.value_int, x.histogram \
    FROM samples x JOIN series s ON x.series_id = s.series_id WHERE s.otlp_name IS NOT NULL";

/// Reads every exemplar with the name of its metric.
pub const EXEMPLARS_QUERY: &str = "SELECT s.otlp_name, s.attributes AS point, e.time, e.sample_time, \
    coalesce(e.value, cast(e.value_int AS double)) AS value, e.trace_id, e.span_id, e.attributes \
    FROM exemplars e JOIN series s ON e.series_id = s.series_id WHERE s.otlp_name IS NOT NULL";

/// Rows of [`LOGS_QUERY`].
pub fn logs(request: &ExportLogsServiceRequest) -> Vec<Row> {
    let mut out = Vec::new();
    for of_resource in &request.resource_logs {
        for of_scope in &of_resource.scope_logs {
            for record in &of_scope.log_records {
                let mut row = origin(of_resource.resource.as_ref(), of_scope.scope.as_ref());
                let body = record.body.as_ref().map(value);
                // A body without a value is not the same as no body: it reads as JSON's null.
                let text = body.as_ref().map_or(Value::Null, |body| json!(body.to_text()));
                let structured = !matches!(body, None | Some(AttrValue::String(_)));
                let observed = record.observed_time_unix_nano;
                let time = if record.time_unix_nano == 0 { observed } else { record.time_unix_nano };
                row.extend(object(json!({
                    "time": time, "observed_time": nonzero(observed),
                    "severity": nonempty(&record.severity_text), "severity_number": record.severity_number,
                    "body": text, "body_structured": structured,
                    "trace_id": id(&record.trace_id), "span_id": id(&record.span_id), "flags": record.flags,
                    "event_name": nonempty(&record.event_name), "attributes": attributes(&record.attributes),
                    "dropped_attributes_count": record.dropped_attributes_count,
                })));
                out.push(row);
            }
        }
    }
    out
}

/// Rows of [`SPANS_QUERY`].
pub fn spans(request: &ExportTraceServiceRequest) -> Vec<Row> {
    let mut out = Vec::new();
    for of_resource in &request.resource_spans {
        for of_scope in &of_resource.scope_spans {
            for span in &of_scope.spans {
                let mut row = origin(of_resource.resource.as_ref(), of_scope.scope.as_ref());
                row.extend(span_row(span));
                out.push(row);
            }
        }
    }
    out
}

fn span_row(span: &Span) -> Row {
    let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];
    let statuses = ["unset", "ok", "error"];
    let status = span.status.clone().unwrap_or_default();
    let word = |words: &[&str], n: i32| words[usize::try_from(n).unwrap_or(0)].to_owned();
    let events: Vec<_> = span
        .events
        .iter()
        .map(|e| {
            json!({"time": e.time_unix_nano, "name": e.name, "attributes": attributes(&e.attributes),
                   "dropped_attributes_count": e.dropped_attributes_count})
        })
        .collect();
    let links: Vec<_> = span
        .links
        .iter()
        .map(|l| {
            json!({"trace_id": hex::encode(&l.trace_id), "span_id": hex::encode(&l.span_id),
                   "trace_state": nonempty(&l.trace_state), "flags": l.flags, "attributes": attributes(&l.attributes),
                   "dropped_attributes_count": l.dropped_attributes_count})
        })
        .collect();
    object(json!({
        "start_time": span.start_time_unix_nano,
        "duration_ns": i128::from(span.end_time_unix_nano) as i64 - i128::from(span.start_time_unix_nano) as i64,
        "trace_id": hex::encode(&span.trace_id), "span_id": hex::encode(&span.span_id),
        "parent_span_id": id(&span.parent_span_id), "trace_state": nonempty(&span.trace_state), "flags": span.flags,
        "name": span.name, "kind": word(&kinds, span.kind), "status": word(&statuses, status.code),
        "status_message": nonempty(&status.message), "attributes": attributes(&span.attributes),
        "events": events, "links": links, "dropped_attributes_count": span.dropped_attributes_count,
        "dropped_events_count": span.dropped_events_count, "dropped_links_count": span.dropped_links_count,
    }))
}

/// Rows of [`SAMPLES_QUERY`] and of [`EXEMPLARS_QUERY`], both after [`compact`].
pub fn metrics(request: &ExportMetricsServiceRequest) -> (Vec<Row>, Vec<Row>) {
    let mut out = (Vec::new(), Vec::new());
    for of_resource in &request.resource_metrics {
        for of_scope in &of_resource.scope_metrics {
            for metric in &of_scope.metrics {
                let mut head = origin(of_resource.resource.as_ref(), of_scope.scope.as_ref());
                head.remove("service");
                head.extend(object(json!({
                    "otlp_name": metric.name, "unit": nonempty(&metric.unit),
                    "resource_schema_url": nonempty(&of_resource.schema_url),
                    "scope_schema_url": nonempty(&of_scope.schema_url),
                })));
                points(metric, &head, &mut out);
            }
        }
    }
    (out.0.into_iter().map(compact).collect(), out.1.into_iter().map(compact).collect())
}

fn points(metric: &Metric, head: &Row, out: &mut (Vec<Row>, Vec<Row>)) {
    let temporality = |n: i32| ["unspecified", "delta", "cumulative"][usize::try_from(n).unwrap_or(0)];
    let mut push = |kind: &str, temporality: &str, monotonic: bool, p: Point| {
        let mut row = head.clone();
        row.extend(object(json!({
            "otlp_type": kind, "temporality": temporality, "monotonic": monotonic, "number_type": p.number,
            "attributes": attributes(p.attributes), "time": p.time, "start_time": nonzero(p.start),
            "value": p.value, "value_int": p.value_int, "histogram": p.histogram,
        })));
        for e in p.exemplars {
            out.1.push(exemplar_row(metric, &p, e));
        }
        out.0.push(row);
    };
    match &metric.data {
        Some(Data::Gauge(g)) => {
            g.data_points.iter().for_each(|p| push("gauge", "unspecified", false, Point::number(p)))
        }
        Some(Data::Sum(s)) => {
            let (t, m) = (temporality(s.aggregation_temporality), s.is_monotonic);
            s.data_points.iter().for_each(|p| push("sum", t, m, Point::number(p)));
        }
        Some(Data::Histogram(h)) => {
            let t = temporality(h.aggregation_temporality);
            h.data_points.iter().for_each(|p| push("histogram", t, false, Point::explicit(p)));
        }
        Some(Data::ExponentialHistogram(h)) => {
            let t = temporality(h.aggregation_temporality);
            h.data_points.iter().for_each(|p| push("exponential_histogram", t, false, Point::exponential(p)));
        }
        Some(Data::Summary(s)) => {
            s.data_points.iter().for_each(|p| push("summary", "unspecified", false, Point::summary(p)));
        }
        None => {}
    }
}

struct Point<'a> {
    attributes: &'a [KeyValue],
    time: u64,
    start: u64,
    number: &'static str,
    value: Value,
    value_int: Value,
    histogram: Value,
    exemplars: &'a [Exemplar],
}

impl<'a> Point<'a> {
    fn number(p: &'a NumberDataPoint) -> Self {
        let (number, value, value_int) = match p.value {
            Some(Number::AsInt(i)) if (i as f64) as i128 != i128::from(i) => ("int", float(i as f64), json!(i)),
            Some(Number::AsInt(i)) => ("int", float(i as f64), Value::Null),
            Some(Number::AsDouble(d)) => ("double", float(d), Value::Null),
            None => ("none", Value::Null, Value::Null),
        };
        Self {
            attributes: &p.attributes,
            time: p.time_unix_nano,
            start: p.start_time_unix_nano,
            number,
            value,
            value_int,
            histogram: Value::Null,
            exemplars: &p.exemplars,
        }
    }

    fn explicit(p: &'a HistogramDataPoint) -> Self {
        let histogram = json!({"kind": "explicit", "count": p.count, "sum": p.sum.map(float), "min": p.min.map(float),
            "max": p.max.map(float), "positive_counts": p.bucket_counts, "bounds": floats(&p.explicit_bounds)});
        Self::of_histogram(&p.attributes, p.time_unix_nano, p.start_time_unix_nano, histogram, &p.exemplars)
    }

    fn exponential(p: &'a ExponentialHistogramDataPoint) -> Self {
        let side = |b: &Option<Buckets>| match b {
            Some(b) if !b.bucket_counts.is_empty() => {
                (json!([{"offset": b.offset, "length": b.bucket_counts.len()}]), json!(b.bucket_counts))
            }
            _ => (Value::Null, Value::Null),
        };
        let ((ps, pc), (ns, nc)) = (side(&p.positive), side(&p.negative));
        let histogram = json!({"kind": "exponential", "count": p.count, "sum": p.sum.map(float),
            "min": p.min.map(float), "max": p.max.map(float), "schema": p.scale, "zero_count": p.zero_count,
            "zero_threshold": float(p.zero_threshold), "positive_spans": ps, "positive_counts": pc,
            "negative_spans": ns, "negative_counts": nc});
        Self::of_histogram(&p.attributes, p.time_unix_nano, p.start_time_unix_nano, histogram, &p.exemplars)
    }

    fn summary(p: &'a SummaryDataPoint) -> Self {
        let quantiles: Vec<_> =
            p.quantile_values.iter().map(|q| json!({"quantile": float(q.quantile), "value": float(q.value)})).collect();
        let histogram = json!({"kind": "summary", "count": p.count, "sum": float(p.sum), "quantiles": quantiles});
        Self::of_histogram(&p.attributes, p.time_unix_nano, p.start_time_unix_nano, histogram, &[])
    }

    fn of_histogram(
        attributes: &'a [KeyValue],
        time: u64,
        start: u64,
        histogram: Value,
        exemplars: &'a [Exemplar],
    ) -> Self {
        Self {
            attributes,
            time,
            start,
            number: "none",
            value: Value::Null,
            value_int: Value::Null,
            histogram,
            exemplars,
        }
    }
}

fn exemplar_row(metric: &Metric, point: &Point<'_>, e: &Exemplar) -> Row {
    let number = match e.value {
        Some(exemplar::Value::AsDouble(d)) => float(d),
        Some(exemplar::Value::AsInt(i)) => float(i as f64),
        None => Value::Null,
    };
    object(json!({
        "otlp_name": metric.name, "point": attributes(point.attributes), "time": e.time_unix_nano,
        "sample_time": point.time, "value": number, "trace_id": id(&e.trace_id), "span_id": id(&e.span_id),
        "attributes": attributes(&e.filtered_attributes),
    }))
}

/// Drops what says nothing in a row's distribution, since "no buckets" may be written as null, as an empty list, or, for
/// counts, as zero.
pub fn compact(mut row: Row) -> Row {
    if let Some(Value::Object(h)) = row.get_mut("histogram") {
        h.retain(|key, v| match v {
            Value::Null => false,
            Value::Array(items) => !items.is_empty() && !items.iter().all(|i| i["length"] == json!(0)),
            Value::Number(n) => key == "count" || key == "schema" || n.as_f64() != Some(0.0) || key == "sum",
            _ => true,
        });
    }
    row
}

fn origin(resource: Option<&Resource>, scope: Option<&InstrumentationScope>) -> Row {
    let resource = resource.map_or(&[][..], |r| &r.attributes);
    let service = resource.iter().find(|a| a.key == "service.name").and_then(|a| a.value.as_ref()).map(value);
    let service = service.as_ref().and_then(AttrValue::as_str).unwrap_or_default().to_owned();
    let empty = InstrumentationScope::default();
    let scope = scope.unwrap_or(&empty);
    object(json!({
        "service": nonempty(&service), "resource": attributes(resource), "scope_name": nonempty(&scope.name),
        "scope_version": nonempty(&scope.version), "scope_attributes": attributes(&scope.attributes),
    }))
}

/// Attributes as SQL answers them: an object of JSON texts.
pub fn attributes(of: &[KeyValue]) -> Value {
    let text = |v: &Option<AnyValue>| json!(v.as_ref().map_or(AttrValue::Null, value).to_json());
    Value::Object(of.iter().map(|a| (a.key.clone(), text(&a.value))).collect())
}

fn value(of: &AnyValue) -> AttrValue {
    match &of.value {
        None => AttrValue::Null,
        Some(Any::StringValue(s)) => AttrValue::String(s.clone()),
        Some(Any::BoolValue(b)) => AttrValue::Bool(*b),
        Some(Any::IntValue(i)) => AttrValue::Int(*i),
        Some(Any::DoubleValue(d)) => AttrValue::Double(*d),
        Some(Any::BytesValue(b)) => AttrValue::Bytes(b.clone()),
        Some(Any::ArrayValue(a)) => AttrValue::Array(a.values.iter().map(value).collect()),
        Some(Any::KvlistValue(m)) => AttrValue::Map(
            m.values.iter().map(|a| (a.key.clone(), a.value.as_ref().map_or(AttrValue::Null, value))).collect(),
        ),
        Some(other) => panic!("no test has met the value {other:?} before"),
    }
}

fn floats(of: &[f64]) -> Value {
    of.iter().map(|f| float(*f)).collect()
}

fn nonempty(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

fn nonzero(time: u64) -> Value {
    if time == 0 { Value::Null } else { json!(time) }
}

fn id(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { json!(hex::encode(bytes)) }
}

fn object(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        other => panic!("{other} is no row"),
    }
}
