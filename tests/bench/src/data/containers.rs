//! A million series at once, as a large cluster has after a rollout: a few metrics of very many pods.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::wire::{WireSeries, write_request};
use crate::load::{LANES, Load};

/// Series per request, one sample each.
pub(crate) const BATCH: usize = 2_000;
const STEP_MS: i64 = 15_000;

const METRICS: [&str; 20] = [
    "container_cpu_usage_seconds_total",
    "container_cpu_user_seconds_total",
    "container_cpu_system_seconds_total",
    "container_cpu_cfs_periods_total",
    "container_cpu_cfs_throttled_periods_total",
    "container_memory_usage_bytes",
    "container_memory_working_set_bytes",
    "container_memory_rss",
    "container_memory_cache",
    "container_memory_failcnt",
    "container_network_receive_bytes_total",
    "container_network_transmit_bytes_total",
    "container_network_receive_packets_total",
    "container_network_transmit_packets_total",
    "container_fs_reads_total",
    "container_fs_writes_total",
    "container_fs_usage_bytes",
    "container_processes",
    "container_threads",
    "container_sockets",
];

/// `series` new series with `scrapes` samples each, ending at `end_ms`: every scrape of all, then the next.
pub(crate) fn load(series: usize, scrapes: usize, end_ms: i64, seed: u64) -> anyhow::Result<Load> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut pod = String::new();
    let labels: Vec<WireSeries> = (0..series)
        .map(|i| {
            let (metric, of_pod) = (i % METRICS.len(), i / METRICS.len());
            if metric == 0 {
                pod = format!("app-{:03}-{:08x}-{:05x}", of_pod % 400, rng.random::<u32>(), of_pod);
            }
            WireSeries::new(&[
                ("__name__", METRICS[metric]),
                ("namespace", &format!("team-{}", of_pod % 50)),
                ("pod", &pod),
                ("container", &format!("app-{:03}", of_pod % 400)),
                ("node", &format!("node-{:03}", of_pod % 250)),
                ("instance", &format!("10.0.{}.1:10250", of_pod % 250)),
                ("job", "kubelet"),
            ])
        })
        .collect();
    let mut values: Vec<f64> = (0..series).map(|_| f64::from(rng.random_range(0..1_000_000_u32))).collect();
    let mut load = Load::new();
    for scrape in 0..scrapes {
        let time = end_ms - (scrapes - 1 - scrape) as i64 * STEP_MS;
        for (group, chunk) in labels.chunks(BATCH).enumerate() {
            let mut samples = Vec::with_capacity(chunk.len());
            for value in &mut values[group * BATCH..][..chunk.len()] {
                *value += f64::from(rng.random_range(0..200_u32));
                samples.push([(time, *value)]);
            }
            let rows = chunk.iter().zip(&samples).map(|(s, v)| (s, &v[..]));
            load.lanes[group % LANES].push(write_request(rows)?);
        }
    }
    load.items = (series * scrapes) as u64;
    Ok(load)
}
