//! OTLP/JSON to `ExportMetricsServiceRequest`.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    exemplar,
};
use serde_json::Value;

use super::json::{
    Faults, Read, attributes, boolean, enumeration, f64_of, fields, i32_of, i64_of, id, list, resource, scope, text,
    u32_of, u64_of,
};

/// Reads a request; data points that cannot be read are left out and go to `faults`.
pub(crate) fn request(value: Value, faults: &mut Faults) -> Read<ExportMetricsServiceRequest> {
    let mut out = ExportMetricsServiceRequest::default();
    fields(value, |key, value| {
        if key == "resourceMetrics" {
            out.resource_metrics = list(value, |v| resource_metrics(v, faults))?;
        }
        Ok(())
    })?;
    Ok(out)
}

fn resource_metrics(value: Value, faults: &mut Faults) -> Read<ResourceMetrics> {
    let mut out = ResourceMetrics::default();
    fields(value, |key, value| {
        match key {
            "resource" => out.resource = Some(resource(value)?),
            "scopeMetrics" => out.scope_metrics = list(value, |v| scope_metrics(v, faults))?,
            "schemaUrl" => out.schema_url = text(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn scope_metrics(value: Value, faults: &mut Faults) -> Read<ScopeMetrics> {
    let mut out = ScopeMetrics::default();
    fields(value, |key, value| {
        match key {
            "scope" => out.scope = Some(scope(value)?),
            "metrics" => out.metrics = list(value, |v| metric(v, faults))?,
            "schemaUrl" => out.schema_url = text(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn metric(value: Value, faults: &mut Faults) -> Read<Metric> {
    let mut out = Metric::default();
    fields(value, |key, value| {
        match key {
            "name" => out.name = text(value)?,
            "description" => out.description = text(value)?,
            "unit" => out.unit = text(value)?,
            "metadata" => out.metadata = attributes(value)?,
            "gauge" => {
                let (data_points, ..) = aggregate(value, faults, number_point)?;
                out.data = Some(Data::Gauge(Gauge { data_points }));
            }
            "sum" => {
                let (data_points, aggregation_temporality, is_monotonic) = aggregate(value, faults, number_point)?;
                out.data = Some(Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic }));
            }
            "histogram" => {
                let (data_points, aggregation_temporality, _) = aggregate(value, faults, histogram_point)?;
                out.data = Some(Data::Histogram(Histogram { data_points, aggregation_temporality }));
            }
            "exponentialHistogram" => {
                let (data_points, aggregation_temporality, _) = aggregate(value, faults, exponential_point)?;
                let histogram = ExponentialHistogram { data_points, aggregation_temporality };
                out.data = Some(Data::ExponentialHistogram(histogram));
            }
            "summary" => {
                let (data_points, ..) = aggregate(value, faults, summary_point)?;
                out.data = Some(Data::Summary(Summary { data_points }));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

/// Data points, temporality and whether monotonic: what the five kinds of metric hold between them.
fn aggregate<T>(value: Value, faults: &mut Faults, point: impl Fn(Value) -> Read<T>) -> Read<(Vec<T>, i32, bool)> {
    let (mut points, mut temporality, mut monotonic) = (Vec::new(), 0, false);
    fields(value, |key, value| {
        match key {
            "dataPoints" => points = faults.items(value, &point)?,
            "aggregationTemporality" => {
                temporality = enumeration(value, |n| AggregationTemporality::from_str_name(n).map(i32::from))?;
            }
            "isMonotonic" => monotonic = boolean(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((points, temporality, monotonic))
}

fn number_point(value: Value) -> Read<NumberDataPoint> {
    let mut out = NumberDataPoint::default();
    fields(value, |key, value| {
        match key {
            "attributes" => out.attributes = attributes(value)?,
            "startTimeUnixNano" => out.start_time_unix_nano = u64_of(value)?,
            "timeUnixNano" => out.time_unix_nano = u64_of(value)?,
            "exemplars" => out.exemplars = list(value, exemplar)?,
            "flags" => out.flags = u32_of(value)?,
            "asDouble" => out.value = Some(Number::AsDouble(f64_of(value)?)),
            "asInt" => out.value = Some(Number::AsInt(i64_of(value)?)),
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn histogram_point(value: Value) -> Read<HistogramDataPoint> {
    let mut out = HistogramDataPoint::default();
    fields(value, |key, value| {
        match key {
            "attributes" => out.attributes = attributes(value)?,
            "startTimeUnixNano" => out.start_time_unix_nano = u64_of(value)?,
            "timeUnixNano" => out.time_unix_nano = u64_of(value)?,
            "count" => out.count = u64_of(value)?,
            "sum" => out.sum = Some(f64_of(value)?),
            "bucketCounts" => out.bucket_counts = list(value, u64_of)?,
            "explicitBounds" => out.explicit_bounds = list(value, f64_of)?,
            "exemplars" => out.exemplars = list(value, exemplar)?,
            "flags" => out.flags = u32_of(value)?,
            "min" => out.min = Some(f64_of(value)?),
            "max" => out.max = Some(f64_of(value)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn exponential_point(value: Value) -> Read<ExponentialHistogramDataPoint> {
    let mut out = ExponentialHistogramDataPoint::default();
    fields(value, |key, value| {
        match key {
            "attributes" => out.attributes = attributes(value)?,
            "startTimeUnixNano" => out.start_time_unix_nano = u64_of(value)?,
            "timeUnixNano" => out.time_unix_nano = u64_of(value)?,
            "count" => out.count = u64_of(value)?,
            "sum" => out.sum = Some(f64_of(value)?),
            "scale" => out.scale = i32_of(value)?,
            "zeroCount" => out.zero_count = u64_of(value)?,
            "positive" => out.positive = Some(buckets(value)?),
            "negative" => out.negative = Some(buckets(value)?),
            "flags" => out.flags = u32_of(value)?,
            "exemplars" => out.exemplars = list(value, exemplar)?,
            "min" => out.min = Some(f64_of(value)?),
            "max" => out.max = Some(f64_of(value)?),
            "zeroThreshold" => out.zero_threshold = f64_of(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn buckets(value: Value) -> Read<Buckets> {
    let mut out = Buckets::default();
    fields(value, |key, value| {
        match key {
            "offset" => out.offset = i32_of(value)?,
            "bucketCounts" => out.bucket_counts = list(value, u64_of)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn summary_point(value: Value) -> Read<SummaryDataPoint> {
    let mut out = SummaryDataPoint::default();
    fields(value, |key, value| {
        match key {
            "attributes" => out.attributes = attributes(value)?,
            "startTimeUnixNano" => out.start_time_unix_nano = u64_of(value)?,
            "timeUnixNano" => out.time_unix_nano = u64_of(value)?,
            "count" => out.count = u64_of(value)?,
            "sum" => out.sum = f64_of(value)?,
            "quantileValues" => out.quantile_values = list(value, quantile)?,
            "flags" => out.flags = u32_of(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn quantile(value: Value) -> Read<ValueAtQuantile> {
    let mut out = ValueAtQuantile::default();
    fields(value, |key, value| {
        match key {
            "quantile" => out.quantile = f64_of(value)?,
            "value" => out.value = f64_of(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn exemplar(value: Value) -> Read<Exemplar> {
    let mut out = Exemplar::default();
    fields(value, |key, value| {
        match key {
            "filteredAttributes" => out.filtered_attributes = attributes(value)?,
            "timeUnixNano" => out.time_unix_nano = u64_of(value)?,
            "asDouble" => out.value = Some(exemplar::Value::AsDouble(f64_of(value)?)),
            "asInt" => out.value = Some(exemplar::Value::AsInt(i64_of(value)?)),
            "traceId" => out.trace_id = id(value)?,
            "spanId" => out.span_id = id(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}
