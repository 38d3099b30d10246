//! OTLP in = OTLP out, over generated requests and over requests of real clients. What the decoders say that they do not
//! keep (see their descriptions) is taken out on both sides.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fmt::Debug;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use grid_model::histogram::is_stale;
use grid_model::series::{SeriesDef, def_of_key};
use grid_model::{SeriesId, Table, Timestamp};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use prost::Message;

use super::metrics::MetricRows;
use crate::otlp::{NameTranslation, OtlpOptions};
use crate::testing::shared_data;
use crate::{DecodeContext, Decoded, Limits, otlp_logs, otlp_metrics, otlp_traces};

/// After every time in the tests.
const NOW: Timestamp = Timestamp(i64::MAX / 2);

fn batches(decoded: &Decoded, table: Table) -> Vec<arrow_array::RecordBatch> {
    decoded.write.batches.iter().filter(|(t, _)| *t == table).map(|(_, b)| b.clone()).collect()
}

fn encode_metrics(decoded: &Decoded) -> ExportMetricsServiceRequest {
    let series: HashMap<SeriesId, Arc<SeriesDef>> =
        decoded.write.series.iter().map(|(id, key)| (id, Arc::new(def_of_key(key).unwrap()))).collect();
    let (samples, exemplars, metadata) =
        (batches(decoded, Table::Samples), batches(decoded, Table::Exemplars), batches(decoded, Table::Metadata));
    let rows = MetricRows { samples: &samples, exemplars: &exemplars, metadata: &metadata };
    let encoded = super::metrics::encode(rows, |id| series.get(&id).cloned()).unwrap();
    assert_eq!(encoded.skipped, 0);
    encoded.request
}

// Requests as sorted texts, one per item, with everything that the item inherits.

fn attributes(attributes: &[KeyValue], sort: bool) -> String {
    let mut attributes = attributes.to_vec();
    if sort {
        attributes.sort_by(|a, b| a.key.cmp(&b.key));
    }
    for a in &mut attributes {
        a.value.get_or_insert_default();
    }
    format!("{attributes:?}")
}

fn origin(resource: &Option<Resource>, scope: &Option<InstrumentationScope>, sort: bool) -> String {
    let scope = scope.clone().unwrap_or_default();
    let resource = attributes(&resource.clone().unwrap_or_default().attributes, sort);
    format!("{resource} {:?} {:?} {}", scope.name, scope.version, attributes(&scope.attributes, sort))
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

fn metric_texts(request: &ExportMetricsServiceRequest) -> Vec<String> {
    let mut out = Vec::new();
    for r in &request.resource_metrics {
        for s in &r.scope_metrics {
            for m in &s.metrics {
                let origin = origin(&r.resource, &s.scope, true);
                let head = format!(
                    "{origin} {:?} {:?} {:?} {:?} {:?}",
                    r.schema_url, s.schema_url, m.name, m.unit, m.description
                );
                let mut push = |kind: String, point: &dyn Debug| out.push(format!("{head} {kind} {point:?}"));
                let number = |p: &NumberDataPoint| {
                    let stale = p.flags & 1 == 1 || matches!(p.value, Some(Number::AsDouble(v)) if is_stale(v));
                    let value = p.value.filter(|_| !stale);
                    (
                        attributes(&p.attributes, true),
                        NumberDataPoint { attributes: vec![], flags: stale.into(), value, ..p.clone() },
                    )
                };
                match m.data.as_ref().unwrap() {
                    Data::Gauge(g) => g.data_points.iter().for_each(|p| push("gauge".into(), &number(p))),
                    Data::Sum(x) => {
                        let kind = format!("sum {} {}", x.aggregation_temporality, x.is_monotonic);
                        x.data_points.iter().for_each(|p| push(kind.clone(), &number(p)));
                    }
                    Data::Histogram(x) => x.data_points.iter().for_each(|p| {
                        let point = HistogramDataPoint { attributes: vec![], ..p.clone() };
                        push(
                            format!("histogram {}", x.aggregation_temporality),
                            &(attributes(&p.attributes, true), point),
                        );
                    }),
                    Data::ExponentialHistogram(x) => x.data_points.iter().for_each(|p| {
                        let point = ExponentialHistogramDataPoint { attributes: vec![], ..p.clone() };
                        push(
                            format!("exponential {}", x.aggregation_temporality),
                            &(attributes(&p.attributes, true), point),
                        );
                    }),
                    Data::Summary(x) => x.data_points.iter().for_each(|p| {
                        let point = SummaryDataPoint { attributes: vec![], ..p.clone() };
                        push("summary".into(), &(attributes(&p.attributes, true), point));
                    }),
                }
            }
        }
    }
    sorted(out)
}

fn log_texts(request: &ExportLogsServiceRequest) -> Vec<String> {
    let mut out = Vec::new();
    for r in &request.resource_logs {
        for s in &r.scope_logs {
            for l in &s.log_records {
                let time_unix_nano = match (l.time_unix_nano, l.observed_time_unix_nano) {
                    (0, 0) => u64::try_from(NOW.nanos()).unwrap(),
                    (0, observed) => observed,
                    (time, _) => time,
                };
                let record = LogRecord { time_unix_nano, attributes: vec![], ..l.clone() };
                out.push(format!(
                    "{} {} {record:?}",
                    origin(&r.resource, &s.scope, false),
                    attributes(&l.attributes, false)
                ));
            }
        }
    }
    sorted(out)
}

fn span_texts(request: &ExportTraceServiceRequest) -> Vec<String> {
    let mut out = Vec::new();
    for r in &request.resource_spans {
        for s in &r.scope_spans {
            for span in &s.spans {
                let status = span.status.clone().filter(|s| *s != Status::default());
                let span = Span { status, ..span.clone() };
                out.push(format!("{} {span:?}", origin(&r.resource, &s.scope, false)));
            }
        }
    }
    sorted(out)
}

fn check_metrics(request: &ExportMetricsServiceRequest, options: &OtlpOptions) -> Decoded {
    let limits = Limits::default();
    let decoded = otlp_metrics::decode(request.clone(), options, &DecodeContext { now: NOW, limits: &limits });
    assert_eq!(decoded.rejects.first, []);
    let (back, sent) = (metric_texts(&encode_metrics(&decoded)), metric_texts(request));
    assert_eq!(decoded.counts.samples + decoded.counts.histograms, sent.len() as u64);
    assert_eq!(back, sent);
    decoded
}

fn check_logs(request: &ExportLogsServiceRequest) -> Decoded {
    let limits = Limits::default();
    let context = DecodeContext { now: NOW, limits: &limits };
    let decoded = otlp_logs::decode(request.clone(), &OtlpOptions::default(), &context);
    assert_eq!(decoded.rejects.first, []);
    let (back, sent) = (super::logs::encode(&batches(&decoded, Table::Logs)).unwrap(), log_texts(request));
    assert_eq!(decoded.counts.logs, sent.len() as u64);
    assert_eq!(log_texts(&back), sent);
    decoded
}

fn check_traces(request: &ExportTraceServiceRequest) -> Decoded {
    let limits = Limits::default();
    let decoded = otlp_traces::decode(request.clone(), &DecodeContext { now: NOW, limits: &limits });
    assert_eq!(decoded.rejects.first, []);
    let (back, sent) = (super::traces::encode(&batches(&decoded, Table::Spans)).unwrap(), span_texts(request));
    assert_eq!(decoded.counts.spans, sent.len() as u64);
    assert_eq!(span_texts(&back), sent);
    decoded
}

// Generated requests.

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        "\\PC{0,6}".prop_map(|s| Some(Any::StringValue(s))),
        Just(Some(Any::StringValue("a\u{0}\"ä".into()))),
        any::<bool>().prop_map(|b| Some(Any::BoolValue(b))),
        any::<i64>().prop_map(|i| Some(Any::IntValue(i))),
        prop::num::f64::ANY.prop_map(|d| Some(Any::DoubleValue(d))),
        vec(any::<u8>(), 0..6).prop_map(|b| Some(Any::BytesValue(b))),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let pair = ("[a-c]{0,2}", inner.clone()).prop_map(|(key, v)| KeyValue { key, value: Some(v), key_strindex: 0 });
        prop_oneof![
            vec(inner, 0..3).prop_map(|values| AnyValue { value: Some(Any::ArrayValue(ArrayValue { values })) }),
            vec(pair, 0..3).prop_map(|values| AnyValue { value: Some(Any::KvlistValue(KeyValueList { values })) }),
        ]
    })
}

fn any_attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof!["[a-z][a-z._]{0,6}", Just("service.name".to_owned()), Just("k8s.pod.name".to_owned())];
    let pair = (key, any_value()).prop_map(|(key, v)| KeyValue { key, value: Some(v), key_strindex: 0 });
    vec(pair, 0..4)
}

fn any_resource() -> impl Strategy<Value = Option<Resource>> {
    option::of(any_attributes().prop_map(|attributes| Resource { attributes, ..Resource::default() }))
}

fn any_scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    let scope = ("[a-z]{0,4}", "[0-9]{0,2}", any_attributes()).prop_map(|(name, version, attributes)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count: 0 }
    });
    option::of(scope)
}

fn any_time() -> impl Strategy<Value = u64> {
    1..u64::try_from(NOW.nanos()).unwrap()
}

fn any_id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), length).prop_map(|mut id| {
        id[0] |= 1;
        id
    })
}

fn maybe_id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), any_id(length)]
}

fn any_exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    let value = option::of(prop_oneof![
        prop::num::f64::ANY.prop_map(exemplar::Value::AsDouble),
        any::<i64>().prop_map(exemplar::Value::AsInt),
    ]);
    let one = (any_attributes(), any_time(), maybe_id(8), maybe_id(16), value).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    );
    vec(one, 0..3)
}

fn number_points() -> impl Strategy<Value = Vec<NumberDataPoint>> {
    let value = prop_oneof![
        3 => prop::num::f64::ANY.prop_map(|d| Some(Number::AsDouble(d))),
        3 => any::<i64>().prop_map(|i| Some(Number::AsInt(i))),
        1 => Just(None),
    ];
    let point = (any_attributes(), option::of(any_time()), any_exemplars(), value).prop_map(
        |(attributes, start, exemplars, value)| NumberDataPoint {
            attributes,
            start_time_unix_nano: start.unwrap_or(0),
            time_unix_nano: 0,
            exemplars,
            flags: value.is_none().into(),
            value,
        },
    );
    vec(point, 0..4)
}

fn histogram_points() -> impl Strategy<Value = Vec<HistogramDataPoint>> {
    let number = || option::of(prop::num::f64::ANY);
    let buckets = prop::collection::btree_set(-1000..1000_i32, 0..5).prop_flat_map(|bounds| {
        let bounds: Vec<f64> = bounds.into_iter().map(|b| f64::from(b) / 8.0).collect();
        let counts = vec(any::<u64>(), bounds.len() + 1);
        prop_oneof![(Just(bounds), counts), Just((vec![], vec![]))]
    });
    let point = (any_attributes(), any_time(), any::<u64>(), number(), number(), number(), buckets, any_exemplars())
        .prop_map(
            |(attributes, start_time_unix_nano, count, sum, min, max, (explicit_bounds, bucket_counts), exemplars)| {
                HistogramDataPoint {
                    attributes,
                    start_time_unix_nano,
                    time_unix_nano: 0,
                    count,
                    sum,
                    bucket_counts,
                    explicit_bounds,
                    exemplars,
                    flags: 0,
                    min,
                    max,
                }
            },
        );
    vec(point, 0..4)
}

fn exponential_points() -> impl Strategy<Value = Vec<ExponentialHistogramDataPoint>> {
    let number = || option::of(prop::num::f64::ANY);
    let side = || {
        let side = (any::<i32>(), vec(any::<u64>(), 0..4))
            .prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts });
        option::of(side)
    };
    let point =
        (any_attributes(), any::<(u64, i32, u64, u32)>(), number(), number(), (side(), side()), any_exemplars())
            .prop_map(
                |(attributes, (count, scale, zero_count, threshold), sum, max, (positive, negative), exemplars)| {
                    ExponentialHistogramDataPoint {
                        attributes,
                        start_time_unix_nano: 5,
                        time_unix_nano: 0,
                        count,
                        sum,
                        scale,
                        zero_count,
                        positive,
                        negative,
                        flags: 0,
                        exemplars,
                        min: max,
                        max,
                        zero_threshold: f64::from(threshold),
                    }
                },
            );
    vec(point, 0..4)
}

fn summary_points() -> impl Strategy<Value = Vec<SummaryDataPoint>> {
    let quantile =
        (prop::num::f64::ANY, prop::num::f64::ANY).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    let point = (any_attributes(), any_time(), any::<u64>(), prop::num::f64::ANY, vec(quantile, 0..3)).prop_map(
        |(attributes, start_time_unix_nano, count, sum, quantile_values)| SummaryDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano: 0,
            count,
            sum,
            quantile_values,
            flags: 0,
        },
    );
    vec(point, 0..4)
}

fn any_data() -> impl Strategy<Value = Data> {
    prop_oneof![
        number_points().prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (number_points(), 0..3_i32, any::<bool>()).prop_map(|(data_points, aggregation_temporality, is_monotonic)| {
            Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })
        }),
        (histogram_points(), 0..3_i32).prop_map(|(data_points, aggregation_temporality)| {
            Data::Histogram(Histogram { data_points, aggregation_temporality })
        }),
        (exponential_points(), 0..3_i32).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        }),
        summary_points().prop_map(|data_points| Data::Summary(Summary { data_points })),
    ]
}

fn any_metrics() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    let unit = prop_oneof![Just(""), Just("1"), Just("ms"), Just("By/s"), Just("{thing}")];
    let metric = ("[a-z.]{0,4}", "[a-z]{0,4}", unit, any_data()).prop_map(|(name, description, unit, data)| Metric {
        name,
        description,
        unit: unit.to_owned(),
        metadata: vec![],
        data: Some(data),
    });
    let scope = (any_scope(), vec(metric, 0..4), "[a-z]{0,2}").prop_map(|(scope, metrics, schema_url)| ScopeMetrics {
        scope,
        metrics,
        schema_url,
    });
    let resource = (any_resource(), vec(scope, 0..3), "[a-z]{0,2}")
        .prop_map(|(resource, scope_metrics, schema_url)| ResourceMetrics { resource, scope_metrics, schema_url });
    vec(resource, 0..3).prop_map(|resource_metrics| number_apart(ExportMetricsServiceRequest { resource_metrics }))
}

/// Gives metrics distinct names and points distinct times, as one client's request has them.
fn number_apart(mut request: ExportMetricsServiceRequest) -> ExportMetricsServiceRequest {
    let (mut metrics, mut points) = (0, 0);
    let mut time = || {
        points += 1;
        points
    };
    for r in &mut request.resource_metrics {
        for m in r.scope_metrics.iter_mut().flat_map(|s| &mut s.metrics) {
            metrics += 1;
            m.name = format!("m{metrics}.{}", m.name);
            match m.data.as_mut().unwrap() {
                Data::Gauge(x) => x.data_points.iter_mut().for_each(|p| p.time_unix_nano = time()),
                Data::Sum(x) => x.data_points.iter_mut().for_each(|p| p.time_unix_nano = time()),
                Data::Histogram(x) => x.data_points.iter_mut().for_each(|p| p.time_unix_nano = time()),
                Data::ExponentialHistogram(x) => x.data_points.iter_mut().for_each(|p| p.time_unix_nano = time()),
                Data::Summary(x) => x.data_points.iter_mut().for_each(|p| p.time_unix_nano = time()),
            }
        }
    }
    request
}

fn any_logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let times = (option::of(any_time()), option::of(any_time()));
    let texts = ("[a-zA-Z]{0,5}", "[a-z.]{0,5}");
    let ids = (maybe_id(16), maybe_id(8));
    let record = (times, any::<(i32, u32, u32)>(), texts, option::of(any_value()), any_attributes(), ids).prop_map(
        |((time, observed), (severity_number, flags, dropped), (severity_text, event_name), body, attributes, ids)| {
            LogRecord {
                time_unix_nano: time.unwrap_or(0),
                observed_time_unix_nano: observed.unwrap_or(0),
                severity_number,
                severity_text,
                body,
                attributes,
                dropped_attributes_count: dropped,
                flags,
                trace_id: ids.0,
                span_id: ids.1,
                event_name,
            }
        },
    );
    let scope = (any_scope(), vec(record, 0..4)).prop_map(|(scope, log_records)| ScopeLogs {
        scope,
        log_records,
        schema_url: String::new(),
    });
    let resource = (any_resource(), vec(scope, 0..3)).prop_map(|(resource, scope_logs)| ResourceLogs {
        resource,
        scope_logs,
        schema_url: String::new(),
    });
    vec(resource, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

fn any_traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let event = (any_time(), "[a-z]{0,5}", any_attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    );
    let link = (maybe_id(16), maybe_id(8), "[a-z=]{0,5}", any_attributes(), any::<(u32, u32)>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, (dropped_attributes_count, flags))| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    );
    let status = option::of((0..3_i32, "[a-z]{0,4}").prop_map(|(code, message)| Status { message, code }));
    let ids = (any_id(16), any_id(8), maybe_id(8));
    let texts = ("[a-z=]{0,5}", "\\PC{0,5}");
    let numbers = any::<(u32, u32, u32, u32)>();
    let span = (
        ids,
        texts,
        0..6_i32,
        (any_time(), any_time()),
        any_attributes(),
        vec(event, 0..3),
        vec(link, 0..3),
        status,
        numbers,
    )
        .prop_map(|(ids, (trace_state, name), kind, (start, end), attributes, events, links, status, numbers)| Span {
            trace_id: ids.0,
            span_id: ids.1,
            parent_span_id: ids.2,
            trace_state,
            flags: numbers.0,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            dropped_attributes_count: numbers.1,
            events,
            dropped_events_count: numbers.2,
            links,
            dropped_links_count: numbers.3,
            status,
        });
    let scope = (any_scope(), vec(span, 0..4)).prop_map(|(scope, spans)| ScopeSpans {
        scope,
        spans,
        schema_url: String::new(),
    });
    let resource = (any_resource(), vec(scope, 0..3)).prop_map(|(resource, scope_spans)| ResourceSpans {
        resource,
        scope_spans,
        schema_url: String::new(),
    });
    vec(resource, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn generated_metrics_come_back(request in any_metrics(), untouched in any::<bool>()) {
        let name_translation = if untouched { NameTranslation::NoTranslation } else { NameTranslation::default() };
        check_metrics(&request, &OtlpOptions { name_translation, ..OtlpOptions::default() });
    }

    #[test]
    fn generated_logs_come_back(request in any_logs()) {
        check_logs(&request);
    }

    #[test]
    fn generated_traces_come_back(request in any_traces()) {
        check_traces(&request);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..200), json in "[\\[\\]{}:,\"a-zA-Z0-9]{0,80}") {
        let limits = Limits::default();
        let context = DecodeContext { now: NOW, limits: &limits };
        let options = OtlpOptions::default();
        let _ = otlp_metrics::decode_protobuf(&bytes, &options, &context);
        let _ = otlp_logs::decode_protobuf(&bytes, &options, &context);
        let _ = otlp_traces::decode_protobuf(&bytes, &context);
        let _ = otlp_metrics::decode_json(json.as_bytes(), &options, &context);
        let _ = otlp_logs::decode_json(json.as_bytes(), &options, &context);
        let _ = otlp_traces::decode_json(json.as_bytes(), &context);
    }
}

// Requests of real clients.

/// The body of a payload, inflated.
fn body(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|e| e == "gz") {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut out).unwrap();
        return out;
    }
    bytes
}

#[test]
fn payloads_of_real_clients_come_back_and_count_as_recorded() {
    let Some(manifest) = shared_data("manifest_payloads.jsonl") else { return };
    let root = manifest.parent().unwrap().to_owned();
    let limits = Limits::default();
    let context = DecodeContext { now: NOW, limits: &limits };
    let options = OtlpOptions::default();
    let mut seen = 0;
    for line in std::fs::read_to_string(manifest).unwrap().lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let file = entry["file"].as_str().unwrap();
        if !file.starts_with("otlp/") {
            continue;
        }
        seen += 1;
        let body = body(&root.join(file));
        let json = file.contains(".json");
        let (decoded, count, expected) = match entry["signal"].as_str().unwrap() {
            "metrics" => {
                let request = if json {
                    read_json(&body, crate::otlp::json_metrics::request)
                } else {
                    ExportMetricsServiceRequest::decode(body.as_slice()).unwrap()
                };
                let decoded = check_metrics(&request, &options);
                let points = decoded.counts.samples + decoded.counts.histograms;
                (decoded, points, "datapoints")
            }
            "logs" => {
                let request = if json {
                    read_json(&body, crate::otlp::json_logs::request)
                } else {
                    ExportLogsServiceRequest::decode(body.as_slice()).unwrap()
                };
                let decoded = check_logs(&request);
                let logs = decoded.counts.logs;
                (decoded, logs, "records")
            }
            _ => {
                let request = if json {
                    read_json(&body, crate::otlp::json_traces::request)
                } else {
                    ExportTraceServiceRequest::decode(body.as_slice()).unwrap()
                };
                let decoded = check_traces(&request);
                let spans = decoded.counts.spans;
                (decoded, spans, "spans")
            }
        };
        assert_eq!(count, entry[expected].as_u64().unwrap(), "{file}");
        let whole = match (entry["signal"].as_str().unwrap(), json) {
            ("metrics", true) => otlp_metrics::decode_json(&body, &options, &context),
            ("metrics", false) => otlp_metrics::decode_protobuf(&body, &options, &context),
            ("logs", true) => otlp_logs::decode_json(&body, &options, &context),
            ("logs", false) => otlp_logs::decode_protobuf(&body, &options, &context),
            (_, true) => otlp_traces::decode_json(&body, &context),
            (_, false) => otlp_traces::decode_protobuf(&body, &context),
        };
        assert_eq!(whole.unwrap().counts, decoded.counts, "{file}");
    }
    assert!(seen > 0, "the manifest names no OTLP payload");
}

fn read_json<T: Default>(
    bytes: &[u8],
    read: impl FnOnce(serde_json::Value, &mut crate::otlp::json::Faults) -> crate::otlp::json::Read<T>,
) -> T {
    let (message, faults) = crate::otlp::json::document("test", bytes, read).unwrap();
    assert_eq!(faults.first, []);
    message
}

/// What another implementation writes as JSON reads as the message it wrote.
#[test]
fn json_of_another_implementation_reads_as_its_message() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let finite = |text: &str| !text.contains("NaN") && !text.contains("inf");
    for _ in 0..64 {
        let metrics = any_metrics().new_tree(&mut runner).unwrap().current();
        // opentelemetry-proto writes non-finite attribute values as null.
        if finite(&format!("{metrics:?}")) {
            let text = serde_json::to_vec(&metrics).unwrap();
            assert_eq!(metric_texts(&read_json(&text, crate::otlp::json_metrics::request)), metric_texts(&metrics));
        }
        let logs = any_logs().new_tree(&mut runner).unwrap().current();
        if finite(&format!("{logs:?}")) {
            let text = serde_json::to_vec(&logs).unwrap();
            assert_eq!(log_texts(&read_json(&text, crate::otlp::json_logs::request)), log_texts(&logs));
        }
        let traces = any_traces().new_tree(&mut runner).unwrap().current();
        if finite(&format!("{traces:?}")) {
            let text = serde_json::to_vec(&traces).unwrap();
            assert_eq!(span_texts(&read_json(&text, crate::otlp::json_traces::request)), span_texts(&traces));
        }
    }
}
