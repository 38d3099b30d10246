//! How long requests took, as native histograms of Prometheus: one sample holds the whole distribution, so that eight services cost
//! eight series and not a hundred.

use super::company::Service;
use super::observed::Observed;
use super::scrape::{encode_labels, push_key, push_varint};
use super::world::World;

/// The name of the metric.
pub(super) const METRIC: &str = "http_request_duration_seconds";
/// Four buckets per doubling: bucket `i` ends at `2^(i/4)` seconds.
const SCHEMA: i64 = 2;
/// The first and the last bucket: up to 4 ms, and from 13 to 16 s. What lies beyond is counted in them.
const FIRST: i64 = -32;
const LAST: i64 = 16;
const BUCKETS: usize = (LAST - FIRST + 1) as usize;
/// The width of the bucket of zeros that Prometheus' clients use (2^-128).
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;

/// The cumulative histogram of a service.
pub(super) struct Latency {
    service: Service,
    labels: Vec<u8>,
    /// Requests per bucket; fractions are carried on.
    buckets: [f64; BUCKETS],
    sum: f64,
}

impl Latency {
    pub(super) fn new(service: Service, labels: &[(&str, &str)]) -> Self {
        Self { service, labels: encode_labels(METRIC, labels), buckets: [0.0; BUCKETS], sum: 0.0 }
    }

    /// Appends the histograms of a slice as one `WriteRequest.timeseries`. Slices must come in order.
    pub(super) fn write(&mut self, world: &World, seen: &Observed, out: &mut Vec<u8>) {
        let mut series = self.labels.clone();
        for step in seen.steps.clone() {
            self.count(seen, step);
            let histogram = self.encode(world.timeline.time_ms(step));
            push_key(&mut series, 4);
            push_varint(&mut series, histogram.len() as u64);
            series.extend_from_slice(&histogram);
        }
        push_key(out, 1);
        push_varint(out, series.len() as u64);
        out.extend_from_slice(&series);
    }

    /// Log-logistic with shape 4, as everywhere in this company: P(X <= x) = x^4 / (x^4 + median^4). The fourth power of a bucket's end
    /// is a power of two.
    fn count(&mut self, seen: &Observed, step: usize) {
        let m = seen.minute(self.service, step);
        let median = m.median_ms / 1000.0;
        let median4 = median * median * median * median;
        let mut below = 0.0;
        for (i, bucket) in (FIRST..).zip(self.buckets.iter_mut()) {
            let end4 = power_of_two(i);
            let upto = if i == LAST { 1.0 } else { end4 / (end4 + median4) };
            *bucket += m.requests * (upto - below);
            below = upto;
        }
        // The mean of that distribution is median * (pi/4) / sin(pi/4).
        self.sum += m.requests * median * 1.110_720_734_539_591_5;
    }

    /// A `prometheus.Histogram` with counts as integers.
    fn encode(&self, time_ms: i64) -> Vec<u8> {
        let counts = self.buckets.map(|b| b as i64);
        let mut out = Vec::with_capacity(96 + 2 * BUCKETS);
        out.push(1 << 3);
        push_varint(&mut out, counts.iter().sum::<i64>() as u64);
        push_double(&mut out, 3, (self.sum * 1024.0).round() / 1024.0);
        out.push(4 << 3);
        push_varint(&mut out, zigzag(SCHEMA));
        push_double(&mut out, 5, ZERO_THRESHOLD);
        out.extend_from_slice(&[6 << 3, 0]);
        let mut span = vec![1 << 3];
        push_varint(&mut span, zigzag(FIRST));
        span.push(2 << 3);
        push_varint(&mut span, BUCKETS as u64);
        push_key(&mut out, 11);
        push_varint(&mut out, span.len() as u64);
        out.extend_from_slice(&span);
        let mut deltas = Vec::with_capacity(2 * BUCKETS);
        let mut before = 0;
        for count in counts {
            push_varint(&mut deltas, zigzag(count - before));
            before = count;
        }
        push_key(&mut out, 12);
        push_varint(&mut out, deltas.len() as u64);
        out.extend_from_slice(&deltas);
        out.push(15 << 3);
        push_varint(&mut out, time_ms as u64);
        out
    }
}

/// `2^i`, from its bits, so that it is the same on every machine.
fn power_of_two(i: i64) -> f64 {
    f64::from_bits(((1023 + i) as u64) << 52)
}

fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

fn push_double(out: &mut Vec<u8>, field: u8, value: f64) {
    out.push(field << 3 | 1);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}
