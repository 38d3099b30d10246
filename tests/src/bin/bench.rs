//! What is measured so far of speed, against the binary that `GRID_BIN` names (the release build, by `make bench`): ingest of
//! samples and log lines per CPU-second of the server, bytes at rest, and a few queries.
//!
//! Client and server share the machine, so wall-clock figures are of both; CPU-seconds are the server's alone.
#![allow(clippy::print_stdout, reason = "a command that prints a table")]

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt as _, TryStreamExt as _};
use grid_tests::wire::{PROTOBUF_HEADERS, REMOTE_WRITE_HEADERS, Sample, TimeSeries, WriteRequest, label};
use grid_tests::{Grid, grid_binary, now_ns};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const SERIES: usize = 2_000;
const SCRAPES: usize = 500;
const LINES: usize = 400_000;
const LINES_PER_REQUEST: usize = 1_000;
const SENDERS: usize = 4;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("binary: {}", grid_binary()?.display());
    let grid = Grid::start().await?;
    println!("start on an empty directory: {} ms\n", grid.start_time.as_millis());
    println!("| what | figure |\n|---|---|");
    samples(&grid).await?;
    lines(&grid).await?;
    queries(&grid).await?;
    println!("| peak resident memory | {} MiB |", grid.memory_kib("VmHWM").unwrap_or(0) / 1024);
    Ok(())
}

async fn samples(grid: &Grid) -> anyhow::Result<()> {
    let mut rng = StdRng::seed_from_u64(1);
    let start = now_ns() / 1_000_000 - 10_000 * SCRAPES as i64;
    let mut values: Vec<f64> = (0..SERIES).map(|_| rng.random_range(0..1_000_000) as f64).collect();
    let mut bodies = Vec::new();
    for scrape in 0..SCRAPES {
        let timestamp = start + scrape as i64 * 10_000;
        let timeseries = values
            .iter_mut()
            .enumerate()
            .map(|(i, value)| {
                // Mostly counters of whole numbers, some gauges, as of a node exporter.
                *value =
                    if i % 8 == 0 { rng.random_range(0.0..100.0) } else { *value + f64::from(rng.random_range(0..50)) };
                let labels = vec![
                    label("__name__", &format!("bench_metric_{}", i % 200)),
                    label("cpu", &(i / 200).to_string()),
                    label("instance", "node-1:9100"),
                    label("job", "node"),
                ];
                TimeSeries { labels, samples: vec![Sample { value: *value, timestamp }] }
            })
            .collect();
        let bytes = WriteRequest { timeseries }.encode_to_vec();
        bodies.push(snap::raw::Encoder::new().compress_vec(&bytes)?);
    }
    let took = send(grid, "/api/v1/write", &REMOTE_WRITE_HEADERS, bodies).await?;
    let count = (SERIES * SCRAPES) as f64;
    println!("| remote write, samples per second | {:.0} |", count / took.wall);
    println!("| remote write, samples per CPU-second | {:.0} |", count / took.cpu);
    grid.flush().await?;
    grid.compact().await?;
    let query = "SELECT sum(bytes) FROM grid.files WHERE \"table\" = 'samples'";
    let bytes = grid.sql_one("default", query).await?.as_f64().context("bytes of files")?;
    println!("| bytes per sample at rest | {:.2} |", bytes / count);
    Ok(())
}

async fn lines(grid: &Grid) -> anyhow::Result<()> {
    let mut rng = StdRng::seed_from_u64(2);
    let text = |value: String| Some(AnyValue { value: Some(Value::StringValue(value)) });
    let mut bytes = 0;
    let mut bodies = Vec::new();
    for request in 0..LINES / LINES_PER_REQUEST {
        let log_records = (0..LINES_PER_REQUEST)
            .map(|i| {
                let line = format!(
                    "GET /api/v{}/orders/{:08x} status={} duration={}ms client=10.{}.{}.{} agent=\"Mozilla/5.0 (X11; Linux x86_64)\"",
                    rng.random_range(1..4),
                    rng.random::<u32>(),
                    [200, 200, 200, 404, 500][rng.random_range(0..5)],
                    rng.random_range(1..3000),
                    rng.random::<u8>(),
                    rng.random::<u8>(),
                    rng.random::<u8>()
                );
                bytes += line.len();
                LogRecord {
                    time_unix_nano: (now_ns() + i as i64).unsigned_abs(),
                    severity_number: 9,
                    body: text(line),
                    ..LogRecord::default()
                }
            })
            .collect();
        let service = KeyValue {
            key: "service.name".into(),
            value: text(format!("app-{}", request % 20)),
            ..KeyValue::default()
        };
        let body = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(Resource { attributes: vec![service], ..Resource::default() }),
                scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
                ..ResourceLogs::default()
            }],
        };
        bodies.push(body.encode_to_vec());
    }
    let took = send(grid, "/v1/logs", &PROTOBUF_HEADERS, bodies).await?;
    let megabytes = bytes as f64 / 1e6;
    println!("| OTLP logs, MB of lines per second | {:.1} |", megabytes / took.wall);
    println!("| OTLP logs, MB of lines per CPU-second | {:.1} |", megabytes / took.cpu);
    grid.flush().await?;
    let query = "SELECT sum(bytes) FROM grid.files WHERE \"table\" = 'logs'";
    let stored = grid.sql_one("default", query).await?.as_f64().context("bytes of files")?;
    println!("| bytes per line at rest (lines of {} bytes) | {:.1} |", bytes / LINES, stored / LINES as f64);
    Ok(())
}

async fn queries(grid: &Grid) -> anyhow::Result<()> {
    for (what, query) in [
        ("count all samples", "SELECT count(*) FROM samples"),
        ("one metric by cpu", "SELECT cpu, avg(value) FROM metrics.\"bench_metric_7\" GROUP BY cpu"),
        ("lines with a word", "SELECT count(*) FROM logs WHERE match(body, '500')"),
        ("newest errors of one app", "SELECT time, body FROM logs WHERE service = 'app-3' ORDER BY time DESC LIMIT 20"),
        ("lines per app", "SELECT service, count(*) FROM logs GROUP BY service"),
    ] {
        let mut times = Vec::new();
        for _ in 0..5 {
            let started = Instant::now();
            grid.sql("default", query).await?;
            times.push(started.elapsed());
        }
        times.sort();
        println!("| query: {what}, median of 5 | {:.1} ms |", times[2].as_secs_f64() * 1e3);
    }
    Ok(())
}

struct Took {
    wall: f64,
    cpu: f64,
}

async fn send(grid: &Grid, path: &str, headers: &[(&str, &str)], bodies: Vec<Vec<u8>>) -> anyhow::Result<Took> {
    let (started, cpu) = (Instant::now(), cpu_seconds(grid)?);
    futures::stream::iter(bodies)
        .map(|body| async move {
            loop {
                let (status, text) = grid.post(path, "default", headers, body.clone()).await?;
                match status {
                    200..300 => return anyhow::Ok(()),
                    503 => tokio::time::sleep(Duration::from_millis(50)).await,
                    _ => anyhow::bail!("{path} answered {status}: {text}"),
                }
            }
        })
        .buffer_unordered(SENDERS)
        .try_collect::<()>()
        .await?;
    Ok(Took { wall: started.elapsed().as_secs_f64(), cpu: cpu_seconds(grid)? - cpu })
}

/// CPU time of the server so far: user and system ticks of `/proc/PID/stat`, of which Linux has 100 a second.
fn cpu_seconds(grid: &Grid) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", grid.pid().context("the server runs")?))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| -> anyhow::Result<f64> { Ok(fields.get(n).context("a field of stat")?.parse::<f64>()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
