//! OTLP metrics to samples, exemplars and metadata.
//!
//! A data point becomes one sample: a number, or a whole distribution. Its series is identified by everything that OTLP says
//! identifies it (resource, scope, descriptor, attributes; attributes sorted by key, as their order means nothing), so that
//! [`crate::otlp_encode`] gives back what came in; its labels are the published translation for PromQL. Not kept: counts of
//! dropped resource and scope attributes, entity references, `Metric.metadata`.

use std::collections::{HashMap, HashSet};

use grid_model::attr::Attributes;
use grid_model::histogram::{Counts as Buckets, Histogram, HistogramKind, STALE_NAN_BITS, Span};
use grid_model::labels::Labels;
use grid_model::reject::Rejects;
use grid_model::series::{
    MetricKind, NumberKind, OtlpIdentity, SeriesDef, SeriesId, Temporality, write_attributes_key, write_label_key,
};
use grid_model::table::exemplars::{ExemplarRow, ExemplarsBuilder};
use grid_model::table::metadata::{self, MetadataRow};
use grid_model::table::samples::{SampleValue, SamplesBuilder};
use grid_model::write::SeriesKeys;
use grid_model::{Table, Timestamp, Write};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as WireBuckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric,
    NumberDataPoint, SummaryDataPoint, exemplar,
};
use prost::Message;

use crate::decoded::{Counts, DecodeContext, DecodeError, Decoded};
use crate::limits::Limits;
use crate::otlp::labels::SharedLabels;
use crate::otlp::{self, Budget, OtlpOptions, Scope, attributes, ids, json, json_metrics, names};

const FORMAT: &str = "OTLP metrics";

/// Decodes a protobuf `ExportMetricsServiceRequest`.
pub fn decode_protobuf(
    bytes: &[u8],
    options: &OtlpOptions,
    context: &DecodeContext<'_>,
) -> Result<Decoded, DecodeError> {
    let request = ExportMetricsServiceRequest::decode(bytes).map_err(|e| otlp::protobuf_error(FORMAT, &e))?;
    Ok(decode(request, options, context))
}

/// Decodes an OTLP/JSON `ExportMetricsServiceRequest`; so is each line of a file of OTLP JSON lines.
pub fn decode_json(bytes: &[u8], options: &OtlpOptions, context: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    let (request, faults) = json::document(FORMAT, bytes, json_metrics::request)?;
    let mut decoded = decode(request, options, context);
    decoded.rejects.count += faults.count;
    decoded.rejects.first.splice(0..0, faults.first);
    Ok(decoded)
}

/// Decodes a request.
pub fn decode(request: ExportMetricsServiceRequest, options: &OtlpOptions, context: &DecodeContext<'_>) -> Decoded {
    let mut decoder = Decoder::new(request.encoded_len(), options, context);
    for of_resource in request.resource_metrics {
        let resource = otlp::resource(of_resource.resource, context.limits).map(sorted);
        for of_scope in of_resource.scope_metrics {
            let scope = otlp::scope(of_scope.scope, context.limits);
            let mut origin = match (&resource, scope) {
                (Ok(resource), Ok(scope)) => {
                    Ok(Origin::new(resource, scope, &of_resource.schema_url, of_scope.schema_url, options))
                }
                (Err(reason), _) => Err(reason.clone()),
                (_, Err(reason)) => Err(reason),
            };
            for metric in of_scope.metrics {
                decoder.metric(&mut origin, metric);
            }
        }
    }
    decoder.finish()
}

fn sorted(mut attributes: Attributes) -> Attributes {
    attributes.sort_by(|a, b| a.0.cmp(&b.0));
    attributes
}

/// What the metrics of one resource and scope share.
struct Origin {
    labels: SharedLabels,
    /// A series without labels and attributes; a metric's descriptor is written into it.
    series: SeriesDef,
}

impl Origin {
    fn new(resource: &Attributes, scope: Scope, resource_url: &str, scope_url: String, options: &OtlpOptions) -> Self {
        let labels = SharedLabels::new(resource, &scope, options);
        let identity = OtlpIdentity {
            resource: resource.clone(),
            resource_schema_url: resource_url.to_owned(),
            scope_name: scope.name,
            scope_version: scope.version,
            scope_attributes: sorted(scope.attributes),
            scope_schema_url: scope_url,
            ..OtlpIdentity::default()
        };
        Self { labels, series: SeriesDef { labels: Labels::default(), otlp: Some(identity) } }
    }

    /// The bytes between the labels and the attributes in the key of every series of a metric.
    fn key_middle(&mut self, stream: &Stream, number: NumberKind) -> Vec<u8> {
        if let Some(o) = &mut self.series.otlp {
            o.name.clone_from(&stream.name);
            o.unit.clone_from(&stream.unit);
            (o.kind, o.temporality, o.monotonic, o.number) =
                (stream.kind, stream.temporality, stream.monotonic, number);
        }
        const NO_PAIRS_BYTES: usize = size_of::<u32>();
        let key = self.series.key();
        key[NO_PAIRS_BYTES..key.len() - NO_PAIRS_BYTES].to_vec()
    }
}

/// One metric: its descriptor and its name in PromQL.
struct Stream {
    name: String,
    unit: String,
    kind: MetricKind,
    temporality: Temporality,
    monotonic: bool,
    metric: String,
    /// [`Origin::key_middle`] by kind of number.
    key_middle: [Option<Vec<u8>>; NumberKind::ALL.len()],
    /// The series met so far, by kind of number and the key of their attributes: many points of few series are the rule
    /// in files and back-fills.
    series: HashMap<(NumberKind, Vec<u8>), SeriesId>,
}

/// A data point of any kind.
struct Point {
    attributes: Vec<KeyValue>,
    start: u64,
    time: u64,
    flags: u32,
    exemplars: Vec<Exemplar>,
    number: NumberKind,
    /// Why the value is refused, if it is.
    value: Result<SampleValue, String>,
}

struct Decoder<'a> {
    options: &'a OtlpOptions,
    context: &'a DecodeContext<'a>,
    budget: Budget,
    write: Write,
    series: SeriesKeys,
    numbers: SamplesBuilder,
    /// Apart from the numbers, whose batch then needs no column for distributions.
    distributions: SamplesBuilder,
    exemplars: ExemplarsBuilder,
    metadata: Vec<MetadataRow>,
    metadata_seen: HashSet<MetadataRow>,
    rejects: Rejects,
    counts: Counts,
    position: u64,
    key: Vec<u8>,
}

impl<'a> Decoder<'a> {
    fn new(request_bytes: usize, options: &'a OtlpOptions, context: &'a DecodeContext<'a>) -> Self {
        Self {
            options,
            context,
            budget: Budget::of_request(request_bytes),
            write: Write::default(),
            series: SeriesKeys::default(),
            numbers: SamplesBuilder::default(),
            distributions: SamplesBuilder::default(),
            exemplars: ExemplarsBuilder::default(),
            metadata: Vec::new(),
            metadata_seen: HashSet::new(),
            rejects: Rejects::default(),
            counts: Counts::default(),
            position: 0,
            key: Vec::new(),
        }
    }

    fn metric(&mut self, origin: &mut Result<Origin, String>, metric: Metric) {
        let Metric { name, description, unit, data, .. } = metric;
        let Some(data) = data else { return };
        let (kind, temporality, monotonic, points) = points_of(data, self.context.limits);
        let translated = names::metric_name(self.options.name_translation, &name, &unit, kind, monotonic);
        let max = self.context.limits.label_value_bytes_max;
        let origin = match (origin, &translated) {
            (Err(reason), _) => Err(reason.clone()),
            (_, None) if name.is_empty() => Err("metric without a name".to_owned()),
            (_, None) => Err(format!("metric name {name:?} has no letter or digit")),
            _ if name.len() > max || unit.len() > max => Err(format!("metric name or unit has more than {max} bytes")),
            (Ok(origin), Some(_)) => Ok(origin),
        };
        let origin = match origin {
            Ok(origin) => origin,
            Err(reason) => {
                for _ in points {
                    self.position += 1;
                    self.rejects.push(self.position, reason.clone());
                }
                return;
            }
        };
        let metric = translated.unwrap_or_default();
        self.say(&metric, description, &unit, kind, monotonic);
        let (key_middle, series) = Default::default();
        let mut stream = Stream { name, unit, kind, temporality, monotonic, metric, key_middle, series };
        // A point that says "no value" has no type either; it ends the series of its neighbours.
        let usual = points.iter().map(|p| p.number).find(|n| *n != NumberKind::None);
        let usual = if matches!(kind, MetricKind::Gauge | MetricKind::Sum) {
            usual.unwrap_or(NumberKind::Double)
        } else {
            NumberKind::None
        };
        for mut point in points {
            self.position += 1;
            if point.number == NumberKind::None {
                point.number = usual;
            }
            if let Err(reason) = self.point(origin, &mut stream, point) {
                self.rejects.push(self.position, format!("metric {:?}: {reason}", stream.name));
            }
        }
    }

    fn say(&mut self, metric: &str, mut help: String, unit: &str, kind: MetricKind, monotonic: bool) {
        let word = match kind {
            MetricKind::Sum if monotonic => "counter",
            MetricKind::Gauge | MetricKind::Sum => "gauge",
            MetricKind::Histogram | MetricKind::ExponentialHistogram => "histogram",
            MetricKind::Summary => "summary",
        };
        help.truncate(help.floor_char_boundary(self.context.limits.attribute_value_bytes_max));
        let row = MetadataRow { metric: metric.to_owned(), kind: word.to_owned(), help, unit: unit.to_owned() };
        if self.metadata_seen.insert(row.clone()) {
            self.metadata.push(row);
            self.counts.metadata += 1;
        }
    }

    fn point(&mut self, origin: &mut Origin, stream: &mut Stream, point: Point) -> Result<(), String> {
        let limits = self.context.limits;
        let time = otlp::timestamp_if_set("time", point.time)?.unwrap_or(self.context.now);
        limits.check_time(time, self.context.now)?;
        let start = otlp::timestamp_if_set("start time", point.start)?;
        let attributes = sorted(attributes::convert(point.attributes, limits)?);
        let stale = point.flags & DataPointFlags::NoRecordedValueMask as u32 != 0;
        let value = if stale { SampleValue::Float(f64::from_bits(STALE_NAN_BITS)) } else { point.value? };
        let mut attributes_key = Vec::new();
        write_attributes_key(&mut attributes_key, &attributes);
        let known = (point.number, attributes_key);
        let series = match stream.series.get(&known) {
            Some(series) => *series,
            None => {
                let series = self.add_series(origin, stream, point.number, &attributes, &known.1)?;
                stream.series.insert(known, series);
                series
            }
        };

        if matches!(value, SampleValue::Histogram(_)) {
            self.distributions.push(series, time, start, value);
            self.counts.histograms += 1;
        } else {
            self.numbers.push(series, time, start, value);
            self.counts.samples += 1;
        }
        for exemplar in point.exemplars {
            if let Err(reason) = self.exemplar(series, time, exemplar) {
                self.rejects.push(self.position, format!("metric {:?}: exemplar: {reason}", stream.name));
            }
        }
        Ok(())
    }

    fn add_series(
        &mut self,
        origin: &mut Origin,
        stream: &mut Stream,
        number: NumberKind,
        attributes: &Attributes,
        attributes_key: &[u8],
    ) -> Result<SeriesId, String> {
        let middle = match &mut stream.key_middle[number as usize] {
            Some(middle) => middle,
            None => {
                let middle = origin.key_middle(stream, number);
                stream.key_middle[number as usize].insert(middle)
            }
        };
        self.budget.spend(middle.len() + origin.labels.bytes())?;
        let labels = origin.labels.of_point(&stream.metric, attributes, self.options, self.context.limits)?;
        self.key.clear();
        write_label_key(&mut self.key, labels.len(), labels.iter());
        self.key.extend_from_slice(middle);
        self.key.extend_from_slice(attributes_key);
        let collision = "its 64-bit id is that of another series of this request";
        self.series.add_key(&self.key).ok_or_else(|| collision.to_owned())
    }

    fn exemplar(&mut self, series: SeriesId, sample_time: Timestamp, exemplar: Exemplar) -> Result<(), String> {
        let limits = self.context.limits;
        let time = otlp::timestamp_if_set("time", exemplar.time_unix_nano)?.unwrap_or(sample_time);
        limits.check_time(time, self.context.now)?;
        let wire_bytes = exemplar.encoded_len();
        let (value, value_int) = match exemplar.value {
            None => (None, None),
            Some(exemplar::Value::AsDouble(d)) => (Some(d), None),
            Some(exemplar::Value::AsInt(i)) => (Some(i as f64), Some(i)),
        };
        let row = ExemplarRow {
            time,
            sample_time: Some(sample_time),
            value,
            value_int,
            trace_id: ids::loose("trace id", &exemplar.trace_id)?,
            span_id: ids::loose("span id", &exemplar.span_id)?,
            attributes: attributes::convert(exemplar.filtered_attributes, limits)?,
        };
        self.exemplars.push(series, &row);
        self.counts.exemplars += 1;
        if self.budget.batch_is_full(0, wire_bytes) {
            self.write.push(Table::Exemplars, self.exemplars.finish());
        }
        Ok(())
    }

    fn finish(mut self) -> Decoded {
        let mut write = self.write;
        write.series = self.series;
        for samples in [&mut self.numbers, &mut self.distributions] {
            if !samples.is_empty() {
                write.push(Table::Samples, samples.finish());
            }
        }
        write.push(Table::Exemplars, self.exemplars.finish());
        write.push(Table::Metadata, metadata::batch(self.context.now, &self.metadata));
        Decoded { write, rejects: self.rejects, counts: self.counts }
    }
}

/// The descriptor and the points of a metric's data.
fn points_of(data: Data, limits: &Limits) -> (MetricKind, Temporality, bool, Vec<Point>) {
    let each = |points: Vec<NumberDataPoint>| points.into_iter().map(number).collect();
    match data {
        Data::Gauge(g) => (MetricKind::Gauge, Temporality::Unspecified, false, each(g.data_points)),
        Data::Sum(s) => (MetricKind::Sum, temporality(s.aggregation_temporality), s.is_monotonic, each(s.data_points)),
        Data::Histogram(h) => {
            let points = h.data_points.into_iter().map(|p| explicit(p, limits)).collect();
            (MetricKind::Histogram, temporality(h.aggregation_temporality), false, points)
        }
        Data::ExponentialHistogram(h) => {
            let points = h.data_points.into_iter().map(|p| exponential(p, limits)).collect();
            (MetricKind::ExponentialHistogram, temporality(h.aggregation_temporality), false, points)
        }
        Data::Summary(s) => {
            let points = s.data_points.into_iter().map(|p| summary(p, limits)).collect();
            (MetricKind::Summary, Temporality::Unspecified, false, points)
        }
    }
}

fn temporality(number: i32) -> Temporality {
    match AggregationTemporality::try_from(number) {
        Ok(AggregationTemporality::Delta) => Temporality::Delta,
        Ok(AggregationTemporality::Cumulative) => Temporality::Cumulative,
        Ok(AggregationTemporality::Unspecified) | Err(_) => Temporality::Unspecified,
    }
}

fn number(p: NumberDataPoint) -> Point {
    let (number, value) = match p.value {
        None => (NumberKind::None, Err("data point without a value".to_owned())),
        Some(Number::AsInt(i)) => (NumberKind::Int, Ok(SampleValue::Int(i))),
        Some(Number::AsDouble(d)) => (NumberKind::Double, Ok(SampleValue::Float(d))),
    };
    Point {
        attributes: p.attributes,
        start: p.start_time_unix_nano,
        time: p.time_unix_nano,
        flags: p.flags,
        exemplars: p.exemplars,
        number,
        value,
    }
}

fn explicit(p: HistogramDataPoint, limits: &Limits) -> Point {
    let (counts, bounds) = (p.bucket_counts, p.explicit_bounds);
    let value = check_buckets(counts.len(), limits).and_then(|()| {
        if !(counts.is_empty() && bounds.is_empty()) && counts.len() != bounds.len() + 1 {
            return Err(format!("{} bucket counts for {} bounds", counts.len(), bounds.len()));
        }
        if !bounds.is_sorted_by(|a, b| a < b) || bounds.iter().any(|b| b.is_nan()) {
            return Err("bucket bounds do not ascend".to_owned());
        }
        Ok(SampleValue::Histogram(Box::new(Histogram {
            kind: HistogramKind::Explicit,
            count: p.count,
            sum: p.sum,
            min: p.min,
            max: p.max,
            positive_counts: Buckets::Int(counts),
            bounds,
            ..Histogram::default()
        })))
    });
    Point {
        attributes: p.attributes,
        start: p.start_time_unix_nano,
        time: p.time_unix_nano,
        flags: p.flags,
        exemplars: p.exemplars,
        number: NumberKind::None,
        value,
    }
}

fn exponential(p: ExponentialHistogramDataPoint, limits: &Limits) -> Point {
    let length = |b: &Option<WireBuckets>| b.as_ref().map_or(0, |b| b.bucket_counts.len());
    let value = check_buckets(length(&p.positive).saturating_add(length(&p.negative)), limits).map(|()| {
        let (positive_spans, positive_counts) = side(p.positive);
        let (negative_spans, negative_counts) = side(p.negative);
        SampleValue::Histogram(Box::new(Histogram {
            kind: HistogramKind::Exponential,
            count: p.count,
            sum: p.sum,
            min: p.min,
            max: p.max,
            schema: Some(p.scale),
            zero_threshold: Some(p.zero_threshold),
            zero_count: p.zero_count,
            positive_spans,
            positive_counts,
            negative_spans,
            negative_counts,
            ..Histogram::default()
        }))
    });
    Point {
        attributes: p.attributes,
        start: p.start_time_unix_nano,
        time: p.time_unix_nano,
        flags: p.flags,
        exemplars: p.exemplars,
        number: NumberKind::None,
        value,
    }
}

/// One side of an exponential histogram as a single span; no span if the sender left the side out.
fn side(buckets: Option<WireBuckets>) -> (Vec<Span>, Buckets) {
    let Some(b) = buckets else { return (Vec::new(), Buckets::default()) };
    // The limit on buckets lies far below u32's.
    let length = u32::try_from(b.bucket_counts.len()).unwrap_or(u32::MAX);
    (vec![Span { offset: b.offset, length }], Buckets::Int(b.bucket_counts))
}

fn summary(p: SummaryDataPoint, limits: &Limits) -> Point {
    let value = check_buckets(p.quantile_values.len(), limits).map(|()| {
        SampleValue::Histogram(Box::new(Histogram {
            kind: HistogramKind::Summary,
            count: p.count,
            sum: Some(p.sum),
            quantiles: p.quantile_values.iter().map(|q| (q.quantile, q.value)).collect(),
            ..Histogram::default()
        }))
    });
    Point {
        attributes: p.attributes,
        start: p.start_time_unix_nano,
        time: p.time_unix_nano,
        flags: p.flags,
        exemplars: Vec::new(),
        number: NumberKind::None,
        value,
    }
}

fn check_buckets(buckets: usize, limits: &Limits) -> Result<(), String> {
    let max = limits.histogram_buckets_max;
    if buckets > max { Err(format!("{buckets} buckets or quantiles, the limit is {max}")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use grid_model::histogram::is_stale;

    use super::*;
    use crate::testing::{ctx, metadata, samples};

    fn decode_points(metric: &str) -> Decoded {
        let json = format!("{{\"resourceMetrics\":[{{\"scopeMetrics\":[{{\"metrics\":[{metric}]}}]}}]}}");
        decode_json(json.as_bytes(), &OtlpOptions::default(), &ctx()).unwrap()
    }

    fn reasons(decoded: &Decoded) -> Vec<&str> {
        decoded.rejects.first.iter().map(|r| r.reason.as_str()).collect()
    }

    #[test]
    fn names_and_types_of_every_spelling() {
        let decoded = decode_points(
            r#"{"name": "http.requests", "unit": "1", "description": "d",
                "sum": {"aggregation_temporality": "AGGREGATION_TEMPORALITY_CUMULATIVE", "is_monotonic": true, "data_points": [
                    {"as_int": 7, "time_unix_nano": 5, "attributes": null},
                    {"asInt": "9007199254740993", "timeUnixNano": "6", "startTimeUnixNano": 1, "new_key": {}},
                    {"asDouble": "Infinity", "timeUnixNano": "7"}]}}"#,
        );
        assert_eq!(reasons(&decoded), [""; 0]);
        let rows = samples(&decoded);
        assert!(rows.iter().all(|r| r.labels == Labels::of(&[("__name__", "http_requests_total")])));
        let values: Vec<_> = rows.iter().map(|r| (r.time, r.start, f64::from_bits(r.value.unwrap()))).collect();
        assert_eq!(values, [(5, None, 7.0), (6, Some(1), 9_007_199_254_740_992.0), (7, None, f64::INFINITY)]);
        // Integers and doubles are two series of the same labels.
        assert_eq!(decoded.write.series.len(), 2);
        let said = MetadataRow {
            metric: "http_requests_total".into(),
            kind: "counter".into(),
            help: "d".into(),
            unit: "1".into(),
        };
        assert_eq!(metadata(&decoded), [said]);
    }

    #[test]
    fn a_point_without_a_value_ends_the_series_of_its_neighbours() {
        let decoded = decode_points(
            r#"{"name": "g", "gauge": {"dataPoints": [{"asInt": 1, "timeUnixNano": 1}, {"flags": 1, "timeUnixNano": 2}]}},
               {"name": "h", "histogram": {"aggregationTemporality": 1, "dataPoints": [{"flags": 1, "timeUnixNano": 2}]}}"#,
        );
        assert_eq!(reasons(&decoded), [""; 0]);
        let rows = samples(&decoded);
        assert_eq!((rows.len(), decoded.write.series.len()), (3, 2));
        assert!(rows[1..].iter().all(|r| is_stale(f64::from_bits(r.value.unwrap()))));
    }

    #[test]
    fn what_is_refused_says_why() {
        let gauge = |points: &str| format!("{{\"name\": \"g\", \"gauge\": {{\"dataPoints\": [{points}]}}}}");
        let histogram = |point: &str| format!("{{\"name\": \"h\", \"histogram\": {{\"dataPoints\": [{point}]}}}}");
        let long = format!(
            r#"{{"asInt": 1, "attributes": [{{"key": "k", "value": {{"stringValue": "{}"}}}}]}}"#,
            "x".repeat(4097)
        );
        let many: Vec<String> = (0..257).map(|i| format!("{{\"key\": \"{i}\"}}")).collect();
        let many = format!("{{\"asInt\": 1, \"attributes\": [{}]}}", many.join(","));
        let cases = [
            (
                gauge(r#"{"asInt": 1, "timeUnixNano": "4000000000000000000"}"#),
                "metric \"g\": time 2096-10-02T07:06:40.000000000Z lies more than 24 h in the future",
            ),
            (
                gauge(r#"{"asInt": 1, "timeUnixNano": "9300000000000000000"}"#),
                "metric \"g\": time 9300000000000000000 ns lies beyond the year 2262",
            ),
            (gauge(r#"{"timeUnixNano": "1"}"#), "metric \"g\": data point without a value"),
            (gauge(r#"{"asInt": "what"}"#), "asInt: expected a 64-bit integer, found the text \"what\""),
            (gauge(&long), "metric \"g\": label \"k\" has a value of 4097 bytes, the limit is 4096"),
            (gauge(&many), "metric \"g\": 257 attributes, the limit is 256"),
            (gauge("{\"asInt\": 1}").replace("\"g\"", "\"\""), "metric without a name"),
            (gauge("{\"asInt\": 1}").replace("\"g\"", "\"...\""), "metric name \"...\" has no letter or digit"),
            (
                histogram(r#"{"bucketCounts": [1, 2], "explicitBounds": [1, 2]}"#),
                "metric \"h\": 2 bucket counts for 2 bounds",
            ),
            (
                histogram(r#"{"bucketCounts": [1, 2, 3], "explicitBounds": [2, 1]}"#),
                "metric \"h\": bucket bounds do not ascend",
            ),
        ];
        for (metric, expected) in cases {
            let decoded = decode_points(&format!("{metric}, {}", gauge(r#"{"asInt": 1, "timeUnixNano": 1}"#)));
            assert_eq!(reasons(&decoded), [expected]);
            assert_eq!((decoded.rejects.count, decoded.counts.samples), (1, 1), "{expected}");
        }
    }

    #[test]
    fn a_large_resource_cannot_be_multiplied_without_bound() {
        let attribute = format!(r#"{{"key": "k", "value": {{"stringValue": "{}"}}}}"#, "x".repeat(60_000));
        let resource = format!("{{\"attributes\": [{}]}}", vec![attribute; 100].join(","));
        let point = |i: u32| format!(r#"{{"asInt": 1, "attributes": [{{"key": "i", "value": {{"intValue": {i}}}}}]}}"#);
        let points: Vec<String> = (0..1000).map(point).collect();
        let json = format!(
            r#"{{"resourceMetrics": [{{"resource": {resource}, "scopeMetrics": [{{"metrics": [
                {{"name": "g", "gauge": {{"dataPoints": [{}]}}}}]}}]}}]}}"#,
            points.join(",")
        );
        let decoded = decode_json(json.as_bytes(), &OtlpOptions::default(), &ctx()).unwrap();
        assert!(decoded.counts.samples < 100 && decoded.rejects.count > 900, "{:?}", decoded.counts);
        assert!(reasons(&decoded)[0].contains("send fewer per request"), "{}", reasons(&decoded)[0]);
    }
}
