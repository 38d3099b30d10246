//! What the services measure themselves and send as OTLP metrics: latency histograms, orders and money taken, pools.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar,
    exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
};
use prost::Message as _;

use super::company::{ORDERS_DB, Service, deployment};
use super::observed::Observed;
use super::otlp::{kv, scope, service_resource};
use super::traffic::Served;
use super::world::World;

/// Bounds of the latency histograms in seconds (OpenTelemetry's advice for `http.server.request.duration`).
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Services that measure latency.
const TIMED: [Service; 5] =
    [Service::Frontend, Service::Checkout, Service::Payments, Service::Search, Service::Recommendations];
/// Exemplars per service and slice.
const EXEMPLARS_MAX: usize = 40;
/// Shares of orders by value: bucket `i` is worth `2^(i+4)` to `2^(i+5)` dollars.
const VALUE_SHARES: [f64; 8] = [0.09, 0.2, 0.28, 0.19, 0.11, 0.07, 0.04, 0.02];
/// Shares of orders by means of payment.
const METHODS: [(&str, f64); 3] = [("card", 0.62), ("paypal", 0.27), ("invoice", 0.11)];

/// The cumulative state of all instruments.
pub(crate) struct Instruments {
    latencies: Vec<Latency>,
    orders: [u64; METHODS.len()],
    revenue_cents: u64,
    mails: u64,
}

/// The histogram of one version of a service.
struct Latency {
    service: Service,
    version: &'static str,
    alive: std::ops::Range<usize>,
    /// Requests per bucket; fractions are carried on.
    buckets: [f64; BOUNDS.len() + 1],
    sum: f64,
}

impl Instruments {
    pub(crate) fn new(world: &World) -> Self {
        let mut latencies = Vec::new();
        for service in TIMED {
            let versions = service.profile().versions;
            let end = world.timeline.steps;
            let at = deployment(service, &world.events).unwrap_or(end);
            for (version, alive) in [(versions[0], 0..at), (versions[1], at..end)] {
                if !alive.is_empty() {
                    latencies.push(Latency { service, version, alive, buckets: [0.0; BOUNDS.len() + 1], sum: 0.0 });
                }
            }
        }
        Self { latencies, orders: [0; METHODS.len()], revenue_cents: 0, mails: 0 }
    }

    /// The points of a slice as one export request. Slices must come in order; exemplars point to traces of the slice.
    pub(crate) fn write(&mut self, world: &World, seen: &Observed, served: &[Served]) -> Vec<u8> {
        let mut resource_metrics = Vec::new();
        for latency in &mut self.latencies {
            let points = latency.points(world, seen, served);
            if points.is_empty() {
                continue;
            }
            let temporality = AggregationTemporality::Cumulative as i32;
            let data = Data::Histogram(Histogram { data_points: points, aggregation_temporality: temporality });
            let metric = metric("http.server.request.duration", "s", "Duration of HTTP server requests.", data);
            resource_metrics.push(of_service(latency.service, latency.version, vec![metric]));
        }
        let version = |service: Service| {
            let versions = service.profile().versions;
            versions[usize::from(deployment(service, &world.events).is_some_and(|at| seen.steps.start >= at))]
        };
        let (checkout, payments, email) = (Service::Checkout, Service::Payments, Service::Email);
        resource_metrics.push(of_service(checkout, version(checkout), self.business(world, seen)));
        resource_metrics.push(of_service(payments, version(payments), vec![pool(world, seen)]));
        let mails = steps(world, seen, |s| {
            self.mails += seen.minute(email, s).requests as u64;
            point(vec![kv("messaging.destination.name", "order-events")], self.mails as i64)
        });
        let consumed = metric("messaging.client.consumed.messages", "{message}", "Messages consumed.", counter(mails));
        resource_metrics.push(of_service(email, version(email), vec![consumed]));
        ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
    }

    /// Orders, revenue and the distribution of order values.
    fn business(&mut self, world: &World, seen: &Observed) -> Vec<Metric> {
        let mut placed = Vec::new();
        let mut revenue = Vec::new();
        let mut values = Vec::new();
        let mut conversion = Vec::new();
        for step in seen.steps.clone() {
            let m = seen.minute(Service::Checkout, step);
            let orders = m.requests - m.errors - m.refused;
            for (i, (method, share)) in METHODS.iter().enumerate() {
                self.orders[i] += (orders * share).round() as u64;
                placed.push(at(world, step, point(vec![kv("payment.method", *method)], self.orders[i] as i64)));
            }
            let mut counts = vec![0; VALUE_SHARES.len()];
            let mut sum_cents = 0;
            for (i, share) in VALUE_SHARES.iter().enumerate() {
                counts[i] = (orders * share).round() as u64;
                // The middle of a bucket, in cents.
                sum_cents += counts[i] * (2400 << i);
            }
            self.revenue_cents += sum_cents;
            let total = NumberDataPoint {
                value: Some(number_data_point::Value::AsDouble(self.revenue_cents as f64 / 100.0)),
                attributes: vec![kv("currency", "USD")],
                ..NumberDataPoint::default()
            };
            revenue.push(at(world, step, total));
            values.push(order_values(world, step, counts, sum_cents as f64 / 100.0));
            let visits = seen.minute(Service::Frontend, step).requests.max(1.0);
            let ratio = NumberDataPoint {
                value: Some(number_data_point::Value::AsDouble((orders / visits * 16_384.0).round() / 16_384.0)),
                ..NumberDataPoint::default()
            };
            conversion.push(at(world, step, ratio));
        }
        let delta = AggregationTemporality::Delta as i32;
        vec![
            metric("shop.orders", "{order}", "Orders placed.", counter(placed)),
            metric("shop.revenue", "{dollar}", "Money taken.", counter(revenue)),
            metric(
                "shop.order.value",
                "{dollar}",
                "Value of each order.",
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: values,
                    aggregation_temporality: delta,
                }),
            ),
            metric("shop.conversion", "1", "Orders per visit.", Data::Gauge(Gauge { data_points: conversion })),
        ]
    }
}

impl Latency {
    fn points(&mut self, world: &World, seen: &Observed, served: &[Served]) -> Vec<HistogramDataPoint> {
        let profile = self.service.profile();
        let start = self.alive.start.max(seen.steps.start);
        let mut exemplars = served
            .iter()
            .filter(|s| s.service == self.service && s.step >= start && s.step < self.alive.end)
            .take(EXEMPLARS_MAX)
            .peekable();
        let mut points = Vec::new();
        for step in start..self.alive.end.min(seen.steps.end) {
            let m = seen.minute(self.service, step);
            let median = m.median_ms / 1000.0;
            let mut below = 0.0;
            for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS.iter().map(Some).chain([None])) {
                // Log-logistic with shape 4: P(X <= x) = x^4 / (x^4 + median^4).
                let upto = bound.map_or(1.0, |x| fourth(*x) / (fourth(*x) + fourth(median)));
                *bucket += m.requests * (upto - below);
                below = upto;
            }
            // The mean of that distribution is median * (pi/4) / sin(pi/4).
            self.sum += m.requests * median * 1.110_720_734_539_591_5;
            let bucket_counts: Vec<u64> = self.buckets.iter().map(|b| *b as u64).collect();
            let mut point = HistogramDataPoint {
                start_time_unix_nano: world.timeline.time(self.alive.start).nanos() as u64 - 60_000_000_000,
                time_unix_nano: world.timeline.time(step).nanos() as u64,
                count: bucket_counts.iter().sum(),
                sum: Some((self.sum * 1024.0).round() / 1024.0),
                bucket_counts,
                explicit_bounds: BOUNDS.to_vec(),
                attributes: vec![
                    kv("http.request.method", profile.method),
                    kv("http.route", profile.route),
                    kv("server.port", 8080_i64),
                ],
                ..HistogramDataPoint::default()
            };
            while let Some(s) = exemplars.next_if(|s| s.step <= step) {
                point.exemplars.push(Exemplar {
                    time_unix_nano: s.time_ns,
                    trace_id: s.trace_id.to_vec(),
                    span_id: s.span_id.to_vec(),
                    value: Some(exemplar::Value::AsDouble(s.duration_ns as f64 / 1e9)),
                    filtered_attributes: vec![kv("http.response.status_code", s.status)],
                });
            }
            points.push(point);
        }
        points
    }
}

fn fourth(x: f64) -> f64 {
    x * x * x * x
}

/// Connections that payments holds to its database, by state.
fn pool(world: &World, seen: &Observed) -> Metric {
    let mut points = Vec::new();
    for step in seen.steps.clone() {
        let all = world.db_connections(ORDERS_DB, step);
        let used = (all * (0.35 + 0.5 * world.db_cpu(ORDERS_DB, step))).round().min(all);
        for (state, n) in [("used", used), ("idle", all - used)] {
            let attributes =
                vec![kv("db.client.connection.pool.name", "orders"), kv("db.client.connection.state", state)];
            points.push(at(world, step, point(attributes, n as i64)));
        }
    }
    let data = Sum {
        data_points: points,
        aggregation_temporality: AggregationTemporality::Cumulative as i32,
        is_monotonic: false,
    };
    metric("db.client.connection.count", "{connection}", "Connections of the pool, by state.", Data::Sum(data))
}

fn order_values(world: &World, step: usize, bucket_counts: Vec<u64>, sum: f64) -> ExponentialHistogramDataPoint {
    let time = world.timeline.time(step).nanos() as u64;
    ExponentialHistogramDataPoint {
        start_time_unix_nano: time - 60_000_000_000,
        time_unix_nano: time,
        count: bucket_counts.iter().sum(),
        sum: Some(sum),
        scale: 0,
        positive: Some(Buckets { offset: 4, bucket_counts }),
        attributes: vec![kv("currency", "USD")],
        ..ExponentialHistogramDataPoint::default()
    }
}

fn steps(world: &World, seen: &Observed, mut f: impl FnMut(usize) -> NumberDataPoint) -> Vec<NumberDataPoint> {
    seen.steps.clone().map(|step| at(world, step, f(step))).collect()
}

fn point(attributes: Vec<KeyValue>, value: i64) -> NumberDataPoint {
    NumberDataPoint { attributes, value: Some(number_data_point::Value::AsInt(value)), ..NumberDataPoint::default() }
}

/// Sets a point's times: it counts since the minute before the demo.
fn at(world: &World, step: usize, point: NumberDataPoint) -> NumberDataPoint {
    NumberDataPoint {
        start_time_unix_nano: world.timeline.time(0).nanos() as u64 - 60_000_000_000,
        time_unix_nano: world.timeline.time(step).nanos() as u64,
        ..point
    }
}

fn counter(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum {
        data_points,
        aggregation_temporality: AggregationTemporality::Cumulative as i32,
        is_monotonic: true,
    })
}

fn metric(name: &str, unit: &str, description: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: description.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn of_service(service: Service, version: &str, metrics: Vec<Metric>) -> ResourceMetrics {
    ResourceMetrics {
        resource: Some(service_resource(service, version)),
        scope_metrics: vec![ScopeMetrics { scope: Some(scope("shop.telemetry")), metrics, ..ScopeMetrics::default() }],
        ..ResourceMetrics::default()
    }
}
