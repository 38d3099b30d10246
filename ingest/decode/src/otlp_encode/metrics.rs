//! Samples, exemplars and metadata back to `ExportMetricsServiceRequest`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch, StructArray};
use grid_model::histogram::{Counts, Histogram, Span, is_stale};
use grid_model::series::{MetricKind, NumberKind, OtlpIdentity, SeriesDef, SeriesId, Temporality};
use grid_model::table::samples::read_histogram;
use grid_model::table::{exemplars, metadata, samples};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge,
    Histogram as WireHistogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    Summary, SummaryDataPoint, exemplar,
};

use super::{Columns, EncodeError, Groups, group_key, id_at, nanos, resource, scope, text_at};
use crate::otlp::attributes;

/// Rows of one tenant.
#[derive(Debug, Clone, Copy, Default)]
pub struct MetricRows<'a> {
    /// Batches of table `samples`.
    pub samples: &'a [RecordBatch],
    /// Batches of table `exemplars`: those of the samples given.
    pub exemplars: &'a [RecordBatch],
    /// Batches of table `metadata`; the last statement about a metric counts.
    pub metadata: &'a [RecordBatch],
}

/// A request and what could not go into it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EncodedMetrics {
    /// The request.
    pub request: ExportMetricsServiceRequest,
    /// Samples of series that did not come by OTLP, or that `series` does not know.
    pub skipped: u64,
}

/// Encodes samples; `series` finds a series by its id.
pub fn encode(
    rows: MetricRows<'_>,
    series: impl Fn(SeriesId) -> Option<Arc<SeriesDef>>,
) -> Result<EncodedMetrics, EncodeError> {
    let mut exemplars = read_exemplars(rows.exemplars)?;
    let mut tree = Tree { help: read_help(rows.metadata)?, ..Tree::default() };
    let mut skipped = 0;
    for batch in rows.samples {
        let columns = Columns::Batch(batch);
        let ids = columns.numbers::<UInt64Type>(samples::SERIES_ID)?;
        let times = columns.numbers::<TimestampNanosecondType>(samples::TIME)?;
        let starts = columns.numbers::<TimestampNanosecondType>(samples::START_TIME)?;
        let values = columns.numbers::<Float64Type>(samples::VALUE)?;
        let ints = columns.numbers::<Int64Type>(samples::VALUE_INT)?;
        let histograms = batch.column_by_name(samples::HISTOGRAM).and_then(|c| c.as_struct_opt());
        for row in 0..batch.num_rows() {
            let id = SeriesId(ids.value(row));
            let Some(at) = tree.place(id, &series) else {
                skipped += 1;
                continue;
            };
            let time = times.value(row);
            let sample = Sample {
                time: nanos(time),
                start: if starts.is_valid(row) { nanos(starts.value(row)) } else { 0 },
                value: values.is_valid(row).then(|| values.value(row)),
                int: ints.is_valid(row).then(|| ints.value(row)),
                histogram: histograms.and_then(|column: &StructArray| read_histogram(column, row)),
                exemplars: exemplars.remove(&(id, time)).unwrap_or_default(),
            };
            tree.push(&at, sample);
        }
    }
    let request = ExportMetricsServiceRequest { resource_metrics: tree.resources };
    Ok(EncodedMetrics { request, skipped })
}

/// One row of `samples`.
struct Sample {
    time: u64,
    start: u64,
    value: Option<f64>,
    int: Option<i64>,
    histogram: Option<Histogram>,
    exemplars: Vec<Exemplar>,
}

/// Where a series' points go.
#[derive(Clone)]
struct Place {
    def: Arc<SeriesDef>,
    resource: usize,
    scope: usize,
    metric: usize,
}

#[derive(Default)]
struct Tree {
    help: HashMap<String, String>,
    resources: Vec<ResourceMetrics>,
    groups: [Groups; 3],
    /// Index within its parent, by group.
    scopes: Vec<usize>,
    metrics: Vec<usize>,
    places: HashMap<SeriesId, Option<Place>>,
}

impl Tree {
    fn place(&mut self, id: SeriesId, series: impl Fn(SeriesId) -> Option<Arc<SeriesDef>>) -> Option<Place> {
        if let Some(place) = self.places.get(&id) {
            return place.clone();
        }
        let place = series(id).and_then(|def| self.place_new(def));
        self.places.insert(id, place.clone());
        place
    }

    fn place_new(&mut self, def: Arc<SeriesDef>) -> Option<Place> {
        let o = def.otlp.as_ref()?;
        let key = group_key(0, &[&o.resource_schema_url], &[&o.resource]);
        let (at, new) = self.groups[0].find(key);
        if new {
            let (resource, schema_url) = (Some(resource(&o.resource)), o.resource_schema_url.clone());
            self.resources.push(ResourceMetrics { resource, scope_metrics: Vec::new(), schema_url });
        }
        let scopes = &mut self.resources[at].scope_metrics;
        let key = group_key(at, &[&o.scope_name, &o.scope_version, &o.scope_schema_url], &[&o.scope_attributes]);
        let (scope_group, new) = self.groups[1].find(key);
        if new {
            self.scopes.push(scopes.len());
            let scope = Some(scope(o.scope_name.clone(), o.scope_version.clone(), &o.scope_attributes));
            scopes.push(ScopeMetrics { scope, metrics: Vec::new(), schema_url: o.scope_schema_url.clone() });
        }
        let scope_at = self.scopes[scope_group];
        let metrics = &mut scopes[scope_at].metrics;
        let monotonic = if o.monotonic { "monotonic" } else { "" };
        let key = group_key(scope_group, &[&o.name, &o.unit, o.kind.as_str(), o.temporality.as_str(), monotonic], &[]);
        let (metric_group, new) = self.groups[2].find(key);
        if new {
            self.metrics.push(metrics.len());
            let description = self.help.get(def.labels.metric()).cloned().unwrap_or_default();
            let data = Some(empty_data(o));
            metrics.push(Metric {
                name: o.name.clone(),
                description,
                unit: o.unit.clone(),
                metadata: Vec::new(),
                data,
            });
        }
        let metric = self.metrics[metric_group];
        Some(Place { def: Arc::clone(&def), resource: at, scope: scope_at, metric })
    }

    fn push(&mut self, at: &Place, sample: Sample) {
        let Some(o) = &at.def.otlp else { return };
        let metric = &mut self.resources[at.resource].scope_metrics[at.scope].metrics[at.metric];
        match &mut metric.data {
            Some(Data::Gauge(g)) => g.data_points.push(number(o, sample)),
            Some(Data::Sum(s)) => s.data_points.push(number(o, sample)),
            Some(Data::Histogram(h)) => h.data_points.push(explicit(o, sample)),
            Some(Data::ExponentialHistogram(h)) => h.data_points.push(exponential(o, sample)),
            Some(Data::Summary(s)) => s.data_points.push(summary(o, sample)),
            None => {}
        }
    }
}

fn empty_data(o: &OtlpIdentity) -> Data {
    let aggregation_temporality = match o.temporality {
        Temporality::Unspecified => AggregationTemporality::Unspecified,
        Temporality::Delta => AggregationTemporality::Delta,
        Temporality::Cumulative => AggregationTemporality::Cumulative,
    } as i32;
    match o.kind {
        MetricKind::Gauge => Data::Gauge(Gauge::default()),
        MetricKind::Sum => {
            Data::Sum(Sum { data_points: Vec::new(), aggregation_temporality, is_monotonic: o.monotonic })
        }
        MetricKind::Histogram => Data::Histogram(WireHistogram { data_points: Vec::new(), aggregation_temporality }),
        MetricKind::ExponentialHistogram => {
            Data::ExponentialHistogram(ExponentialHistogram { data_points: Vec::new(), aggregation_temporality })
        }
        MetricKind::Summary => Data::Summary(Summary::default()),
    }
}

/// The flags of a point: a stale marker is a point without a value.
fn flags(sample: &Sample) -> u32 {
    if sample.value.is_some_and(is_stale) { DataPointFlags::NoRecordedValueMask as u32 } else { 0 }
}

fn number(o: &OtlpIdentity, sample: Sample) -> NumberDataPoint {
    let flags = flags(&sample);
    let value = sample.value.filter(|_| flags == 0).map(|v| match o.number {
        // Integers that a float holds exactly rest as floats.
        NumberKind::Int => Number::AsInt(sample.int.unwrap_or(v as i64)),
        NumberKind::Double | NumberKind::None => Number::AsDouble(v),
    });
    NumberDataPoint {
        attributes: attributes::encode(&o.attributes),
        start_time_unix_nano: sample.start,
        time_unix_nano: sample.time,
        exemplars: sample.exemplars,
        flags,
        value,
    }
}

fn whole(counts: Counts) -> Vec<u64> {
    match counts {
        Counts::Int(counts) => counts,
        Counts::Float(counts) => counts.into_iter().map(|c| c as u64).collect(),
    }
}

fn explicit(o: &OtlpIdentity, sample: Sample) -> HistogramDataPoint {
    let flags = flags(&sample);
    let h = sample.histogram.unwrap_or_default();
    HistogramDataPoint {
        attributes: attributes::encode(&o.attributes),
        start_time_unix_nano: sample.start,
        time_unix_nano: sample.time,
        count: h.count,
        sum: h.sum,
        bucket_counts: whole(h.positive_counts),
        explicit_bounds: h.bounds,
        exemplars: sample.exemplars,
        flags,
        min: h.min,
        max: h.max,
    }
}

fn exponential(o: &OtlpIdentity, sample: Sample) -> ExponentialHistogramDataPoint {
    let flags = flags(&sample);
    let h = sample.histogram.unwrap_or_default();
    let side = |spans: &[Span], counts| {
        spans.first().map(|span| Buckets { offset: span.offset, bucket_counts: whole(counts) })
    };
    ExponentialHistogramDataPoint {
        attributes: attributes::encode(&o.attributes),
        start_time_unix_nano: sample.start,
        time_unix_nano: sample.time,
        count: h.count,
        sum: h.sum,
        scale: h.schema.unwrap_or_default(),
        zero_count: h.zero_count,
        positive: side(&h.positive_spans, h.positive_counts),
        negative: side(&h.negative_spans, h.negative_counts),
        flags,
        exemplars: sample.exemplars,
        min: h.min,
        max: h.max,
        zero_threshold: h.zero_threshold.unwrap_or_default(),
    }
}

fn summary(o: &OtlpIdentity, sample: Sample) -> SummaryDataPoint {
    let flags = flags(&sample);
    let h = sample.histogram.unwrap_or_default();
    let quantile = |(quantile, value)| ValueAtQuantile { quantile, value };
    SummaryDataPoint {
        attributes: attributes::encode(&o.attributes),
        start_time_unix_nano: sample.start,
        time_unix_nano: sample.time,
        count: h.count,
        sum: h.sum.unwrap_or_default(),
        quantile_values: h.quantiles.into_iter().map(quantile).collect(),
        flags,
    }
}

/// Exemplars by series and time of the point that carried them.
fn read_exemplars(batches: &[RecordBatch]) -> Result<HashMap<(SeriesId, i64), Vec<Exemplar>>, EncodeError> {
    let mut out: HashMap<(SeriesId, i64), Vec<Exemplar>> = HashMap::new();
    for batch in batches {
        let columns = Columns::Batch(batch);
        let ids = columns.numbers::<UInt64Type>(exemplars::SERIES_ID)?;
        let times = columns.numbers::<TimestampNanosecondType>(exemplars::TIME)?;
        let sample_times = columns.numbers::<TimestampNanosecondType>(exemplars::SAMPLE_TIME)?;
        let values = columns.numbers::<Float64Type>(exemplars::VALUE)?;
        let ints = columns.numbers::<Int64Type>(exemplars::VALUE_INT)?;
        let traces = columns.texts(exemplars::TRACE_ID)?;
        let spans = columns.texts(exemplars::SPAN_ID)?;
        let filtered = columns.maps(exemplars::ATTRIBUTES)?;
        for row in 0..batch.num_rows() {
            let sample_time = if sample_times.is_valid(row) { sample_times.value(row) } else { times.value(row) };
            let int = ints.is_valid(row).then(|| exemplar::Value::AsInt(ints.value(row)));
            let double = || values.is_valid(row).then(|| exemplar::Value::AsDouble(values.value(row)));
            out.entry((SeriesId(ids.value(row)), sample_time)).or_default().push(Exemplar {
                filtered_attributes: attributes::encode(&filtered.read(row)?),
                time_unix_nano: nanos(times.value(row)),
                span_id: id_at(spans, row),
                trace_id: id_at(traces, row),
                value: int.or_else(double),
            });
        }
    }
    Ok(out)
}

/// Help texts by the metric's name in PromQL.
fn read_help(batches: &[RecordBatch]) -> Result<HashMap<String, String>, EncodeError> {
    let mut out = HashMap::new();
    for batch in batches {
        let metrics = Columns::Batch(batch).texts(metadata::METRIC)?;
        let help = Columns::Batch(batch).texts(metadata::HELP)?;
        for row in 0..batch.num_rows() {
            out.insert(metrics.value(row).to_owned(), text_at(help, row));
        }
    }
    Ok(out)
}
