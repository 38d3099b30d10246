//! Series of services, as their client libraries expose them: requests by handler and code, and classic histograms of their durations.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::wire::{WireSeries, write_request};
use crate::load::{LANES, Load};

/// Series per request; with several samples of each a load is sent in a fraction of the requests that a scraper would need.
pub(crate) const BATCH: usize = 500;
/// Upper bounds of the buckets, in seconds.
const BOUNDS: [&str; 11] = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf"];

/// When samples are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) scrapes: usize,
    pub(crate) step_ms: i64,
    /// Of the last scrape.
    pub(crate) end_ms: i64,
    /// Samples of a series in one request.
    pub(crate) per_request: usize,
    /// Where the first request goes: connections of two loads that are sent as one must be equally long, or one runs ahead in time.
    pub(crate) first_lane: usize,
}

/// Counters that grow together: the buckets of a histogram, or one counter alone.
struct Family {
    series: Vec<WireSeries>,
    counts: Vec<f64>,
    /// Events per second.
    rate: f64,
    /// Which share of events belongs to each series beside those before it; of buckets ascending to one.
    shares: Vec<f64>,
    /// What is a sum of seconds, not a count.
    seconds: bool,
}

impl Family {
    fn counter(series: WireSeries, rate: f64, rng: &mut StdRng) -> Self {
        let counts = vec![f64::from(rng.random_range(0..1_000_000_u32))];
        Self { series: vec![series], counts, rate, shares: vec![1.0], seconds: false }
    }

    fn advance(&mut self, seconds: f64, rng: &mut StdRng) {
        let events = (self.rate * seconds * rng.random_range(0.6..1.4) + rng.random::<f64>()).floor();
        for (count, share) in self.counts.iter_mut().zip(&self.shares) {
            *count += if self.seconds {
                (events * 0.043 * rng.random_range(0.8..1.2) * 1e9).round() / 1e9
            } else {
                (events * share).floor()
            };
        }
    }
}

/// A service of `instances` with `handlers` each: 15 series per handler, histogram included.
pub(crate) fn service(instances: usize, handlers: usize, times: Times, seed: u64) -> anyhow::Result<Load> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut families = Vec::new();
    for instance in 0..instances {
        let address = format!("10.2.{}.{}:8080", instance / 200, instance % 200 + 1);
        for handler in 0..handlers {
            let path = format!("/api/v1/handler{handler:02}");
            let job = ["frontend", "checkout", "search", "account"][handler % 4];
            let common = [("job", job), ("instance", address.as_str()), ("handler", path.as_str())];
            let name =
                |name, more: &[(&str, &str)]| WireSeries::new(&[&[("__name__", name)], &common[..], more].concat());
            let rate = rng.random_range(0.5..60.0);
            for (code, share) in [("200", 0.98), ("500", 0.02)] {
                let series = name("http_requests_total", &[("code", code), ("method", "GET")]);
                families.push(Family::counter(series, rate * share, &mut rng));
            }
            let buckets = BOUNDS.iter().map(|le| name("http_request_duration_seconds_bucket", &[("le", le)]));
            let mut series: Vec<_> = buckets.collect();
            series.push(name("http_request_duration_seconds_count", &[]));
            let middle = rng.random_range(2.0..7.0_f64);
            let mut shares: Vec<f64> = (0..BOUNDS.len()).map(|i| 1.0 / (1.0 + (middle - i as f64).exp())).collect();
            shares[BOUNDS.len() - 1] = 1.0;
            shares.push(1.0);
            families.push(Family { counts: vec![0.0; series.len()], series, rate, shares, seconds: false });
            let sum = name("http_request_duration_seconds_sum", &[]);
            families.push(Family { series: vec![sum], counts: vec![0.0], rate, shares: vec![1.0], seconds: true });
        }
    }
    load(families, times, &mut rng)
}

/// `series` counters of requests, of fifty jobs.
pub(crate) fn requests(series: usize, times: Times, seed: u64) -> anyhow::Result<Load> {
    let mut rng = StdRng::seed_from_u64(seed);
    let families = (0..series)
        .map(|i| {
            let instance = i / 10;
            let series = WireSeries::new(&[
                ("__name__", "http_requests_total"),
                ("job", &format!("service-{:02}", instance % 50)),
                (
                    "instance",
                    &format!("10.{}.{}.{}:8080", 10 + instance / 40_000, instance / 200 % 200, instance % 200),
                ),
                ("handler", &format!("/api/v1/handler{}", i % 5)),
                ("code", ["200", "500"][i / 5 % 2]),
            ]);
            let rate = rng.random_range(0.1..50.0);
            Family::counter(series, rate, &mut rng)
        })
        .collect();
    load(families, times, &mut rng)
}

/// Paths of [`buckets`].
pub(crate) const PATHS: usize = 100;

/// `series` buckets `x_bucket`: 100 paths, 20 bounds, and as many instances as that takes.
pub(crate) fn buckets(series: usize, times: Times, seed: u64) -> anyhow::Result<Load> {
    let mut rng = StdRng::seed_from_u64(seed);
    let bounds: Vec<String> =
        (0..19).map(|i| format!("{}", 0.001 * 2_f64.powi(i))).chain(["+Inf".to_owned()]).collect();
    let mut families = Vec::new();
    for of in 0..series / bounds.len() {
        let (instance, path) = (of / PATHS, of % PATHS);
        let pod = format!("shop-{instance:04}");
        let path = format!("/shop/{path}");
        let of_bound = |le: &String| {
            WireSeries::new(&[("__name__", "x_bucket"), ("job", "shop"), ("pod", &pod), ("path", &path), ("le", le)])
        };
        let middle = rng.random_range(3.0..12.0_f64);
        let mut shares: Vec<f64> = (0..bounds.len()).map(|i| 1.0 / (1.0 + (middle - i as f64).exp())).collect();
        shares[bounds.len() - 1] = 1.0;
        let rate = rng.random_range(0.1..20.0);
        families.push(Family {
            series: bounds.iter().map(of_bound).collect(),
            counts: vec![0.0; bounds.len()],
            rate,
            shares,
            seconds: false,
        });
    }
    load(families, times, &mut rng)
}

fn load(mut families: Vec<Family>, times: Times, rng: &mut StdRng) -> anyhow::Result<Load> {
    let mut load = Load::new();
    let start = times.end_ms - (times.scrapes as i64 - 1) * times.step_ms;
    let seconds = times.step_ms as f64 / 1000.0;
    for first in (0..times.scrapes).step_by(times.per_request) {
        let scrapes = first..(first + times.per_request).min(times.scrapes);
        let mut rows: Vec<(WireSeries, Vec<(i64, f64)>)> = Vec::with_capacity(BATCH + BOUNDS.len() * 2);
        let (mut lane, last) = (times.first_lane, families.len() - 1);
        for (n, family) in families.iter_mut().enumerate() {
            let own = rows.len();
            rows.extend(family.series.iter().map(|s| (s.clone(), Vec::with_capacity(scrapes.len()))));
            for scrape in scrapes.clone() {
                family.advance(seconds, rng);
                for (row, count) in rows[own..].iter_mut().zip(&family.counts) {
                    row.1.push((start + scrape as i64 * times.step_ms, *count));
                }
            }
            if rows.len() >= BATCH || n == last {
                load.items += rows.iter().map(|r| r.1.len() as u64).sum::<u64>();
                load.lanes[lane % LANES].push(write_request(rows.iter().map(|(s, v)| (s, &v[..])))?);
                lane += 1;
                rows.clear();
            }
        }
    }
    Ok(load)
}

/// Several scrapes of node exporters in one request, for loads whose sending is not what is measured.
pub(crate) fn nodes(nodes: usize, times: Times, seed: u64) -> anyhow::Result<Load> {
    let mut machines: Vec<_> = (0..nodes).map(|n| super::node::Node::new(n, seed)).collect();
    let start = times.end_ms - (times.scrapes as i64 - 1) * times.step_ms;
    let mut load = Load::new();
    for first in (0..times.scrapes).step_by(times.per_request) {
        let mut lane = 0;
        for machine in &mut machines {
            let mut rows: Vec<(WireSeries, Vec<(i64, f64)>)> = Vec::new();
            for scrape in first..(first + times.per_request).min(times.scrapes) {
                let time = start + scrape as i64 * times.step_ms;
                let mut at = 0;
                machine.scrape(time, times.step_ms, |series, value| {
                    match rows.get_mut(at) {
                        Some(row) => row.1.push((time, value)),
                        None => rows.push((series.clone(), vec![(time, value)])),
                    }
                    at += 1;
                });
            }
            for rows in rows.chunks(BATCH) {
                load.items += rows.iter().map(|r| r.1.len() as u64).sum::<u64>();
                load.lanes[lane % LANES].push(write_request(rows.iter().map(|(s, v)| (s, &v[..])))?);
                lane += 1;
            }
        }
    }
    Ok(load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_as_large_as_they_are_called() {
        let times = Times { scrapes: 7, step_ms: 10_000, end_ms: 1_700_000_000_000, per_request: 3, first_lane: 0 };
        assert_eq!(service(2, 3, times, 1).unwrap().items, 2 * 3 * 15 * 7);
        assert_eq!(requests(1000, times, 1).unwrap().items, 7000);
        assert_eq!(buckets(4000, times, 1).unwrap().items, 28_000);
        assert_eq!(nodes(2, times, 1).unwrap().items, 14_000);
    }
}
