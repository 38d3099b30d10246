//! Log lines of 148 bytes on average, of 20 services with 10 instances each: what web services write, with the ids that make
//! lines hard to pack and indexes large. A request writes three lines on average, which share its ids.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::wire::loki_push;
use crate::load::{LANES, Load};

/// Streams of logs.
pub(crate) const STREAMS: usize = 200;
const SERVICES: [&str; 20] = [
    "checkout",
    "cart",
    "catalog",
    "search",
    "payment",
    "shipping",
    "email",
    "currency",
    "ads",
    "recommend",
    "frontend",
    "gateway",
    "auth",
    "profile",
    "inventory",
    "pricing",
    "reviews",
    "orders",
    "ledger",
    "webhook",
];
/// Lines of one stream in one request, and streams of one request: near the megabyte that senders gather.
const LINES: usize = 250;
const STREAMS_PER_REQUEST: usize = 25;

const PATHS: [&str; 12] = [
    "/api/v1/orders",
    "/api/v1/orders/items",
    "/api/v1/cart",
    "/api/v2/products",
    "/api/v2/products/search",
    "/api/v1/users",
    "/api/v1/users/preferences",
    "/api/v1/payments",
    "/internal/v1/stock",
    "/internal/v1/quotes",
    "/health",
    "/api/v1/sessions",
];
const MESSAGES: [&str; 6] = [
    "request done",
    "request done",
    "request done",
    "cache miss, loaded from store",
    "upstream answered slowly",
    "retried after timeout",
];
const ERRORS: [&str; 5] = [
    "connection refused by upstream",
    "deadline exceeded",
    "could not parse body",
    "payment declined by issuer",
    "version conflict, giving up",
];

/// A service by number.
pub(crate) fn service(number: usize) -> &'static str {
    SERVICES[number % SERVICES.len()]
}

/// A request that a service works on: the lines that it writes meanwhile share its ids.
struct Request {
    method: &'static str,
    path: &'static str,
    number: u32,
    user: u32,
    id: u64,
}

impl Request {
    fn new(rng: &mut StdRng) -> Self {
        Self {
            method: ["GET", "GET", "GET", "POST", "POST", "PUT", "DELETE"][rng.random_range(0..7)],
            path: PATHS[rng.random_range(0..PATHS.len())],
            number: rng.random_range(1..90_000),
            user: rng.random_range(1..200_000),
            id: rng.random(),
        }
    }
}

/// One instance of a service: a few requests under way, each of three lines on average.
pub(crate) struct Instance {
    under_way: [Request; 8],
    rng: StdRng,
}

impl Instance {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        Self { under_way: std::array::from_fn(|_| Request::new(&mut rng)), rng }
    }

    /// Its next line: `key=value` pairs.
    pub(crate) fn line(&mut self) -> String {
        let rng = &mut self.rng;
        let slot = rng.random_range(0..self.under_way.len());
        let status = match rng.random_range(0..1000) {
            0..6 => 500,
            6..10 => 503,
            10..40 => 404,
            40..60 => 429,
            60..200 => 201,
            _ => 200,
        };
        let (level, message) = match status {
            500.. => ("error", ERRORS[rng.random_range(0..ERRORS.len())]),
            404.. => ("warn", "request refused"),
            _ => ("info", MESSAGES[rng.random_range(0..MESSAGES.len())]),
        };
        // Most requests are quick, some are not.
        let millis = (rng.random_range(0.0..1.0_f64).powi(4) * 2000.0 * 100.0).round() / 100.0;
        let bytes = rng.random_range(80..60_000);
        let Request { method, path, number, user, id } = &self.under_way[slot];
        let line = format!(
            "level={level} msg=\"{message}\" method={method} path={path}/{number} status={status} took_ms={millis} bytes={bytes} \
             user=u{user} request={id:016x}"
        );
        if rng.random_range(0..3) == 0 {
            self.under_way[slot] = Request::new(rng);
        }
        line
    }
}

/// `lines` lines between two times in milliseconds, pushed as Loki's clients do; each stream keeps to one connection.
pub(crate) fn load(lines: usize, start_ms: i64, end_ms: i64, seed: u64) -> anyhow::Result<Load> {
    let mut rng = StdRng::seed_from_u64(seed);
    let labels: Vec<String> = (0..STREAMS)
        .map(|s| {
            let service = service(s / 10);
            format!(
                "{{app=\"{service}\", namespace=\"shop\", pod=\"{service}-{:05x}\", service_name=\"{service}\"}}",
                s * 7919
            )
        })
        .collect();
    let mut instances: Vec<Instance> =
        (0..STREAMS).map(|s| Instance::new(seed.wrapping_mul(1009) + s as u64)).collect();
    let groups = STREAMS / STREAMS_PER_REQUEST;
    let rounds = lines.div_ceil(STREAMS * LINES);
    let step_ns = (end_ms - start_ms) * 1_000_000 / (rounds * LINES) as i64;
    let mut load = Load::new();
    for round in 0..rounds {
        for group in 0..groups {
            let streams = (0..STREAMS_PER_REQUEST).map(|s| {
                let instance = &mut instances[group * STREAMS_PER_REQUEST + s];
                let entries = (0..LINES).map(|i| {
                    let time = start_ms * 1_000_000
                        + (round * LINES + i) as i64 * step_ns
                        + rng.random_range(0..step_ns.max(1));
                    let line = instance.line();
                    load.bytes += line.len() as u64;
                    load.items += 1;
                    (time, line)
                });
                (labels[group * STREAMS_PER_REQUEST + s].as_str(), entries.collect())
            });
            let streams: Vec<_> = streams.collect();
            load.lanes[group % LANES].push(loki_push(&streams)?);
        }
    }
    Ok(load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_148_bytes_on_average() {
        let mut instance = Instance::new(1);
        let bytes: usize = (0..10_000).map(|_| instance.line().len()).sum();
        assert!((146..=150).contains(&(bytes / 10_000)), "{} bytes", bytes / 10_000);
    }
}
