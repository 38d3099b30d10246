//! A cluster that nobody labelled for Grid: the node exporter's metrics by address, kube-state-metrics, a bill. Grid joins them, says how its machines are
//! used, which of them leaves the others, and which is paid for and does nothing.

use anyhow::{Context as _, ensure};
use grid_model::Timestamp;
use grid_tests::wire::{REMOTE_WRITE_HEADERS, remote_write};
use grid_tests::{Grid, Options, now_ns, run_grid};
use serde_json::{Map, Value};

const DAYS: i64 = 10;
const MACHINES: usize = 6;
/// The one that does nothing, and the one that gets busy for some hours without any traffic.
const IDLE: usize = 5;
const BUSY: usize = 2;
/// Seconds between two samples.
const STEP_S: i64 = 120;

fn noise(i: i64) -> f64 {
    (i.wrapping_mul(7919).rem_euclid(1000)) as f64 / 1000.0 - 0.5
}

/// The load of a machine, from 0 to 1: by day more than at night.
fn load(machine: usize, second: i64) -> f64 {
    let of_day = ((second - 6 * 3600).rem_euclid(86_400) as f64 / 86_400.0 * std::f64::consts::TAU).sin().max(0.0);
    let busy = if machine == IDLE { 0.0 } else { of_day };
    (busy + 0.04 * noise(second / STEP_S * 7 + machine as i64)).max(0.0)
}

/// Samples of a counter that grows by a rate.
fn counter(begin: i64, end: i64, rate: impl Fn(i64) -> f64) -> Vec<(i64, f64)> {
    let mut value = 0.0;
    let grow = |second| {
        value += rate(second) * STEP_S as f64;
        (second * 1000, value)
    };
    (begin..end).step_by(STEP_S as usize).map(grow).collect()
}

async fn write(grid: &Grid, labels: &[(&str, &str)], samples: &[(i64, f64)]) -> anyhow::Result<()> {
    grid.post_ok("/api/v1/write", "default", &REMOTE_WRITE_HEADERS, remote_write(labels, samples)).await?;
    Ok(())
}

/// Ten days of six machines of one pool.
async fn telemetry(grid: &Grid, begin: i64, end: i64) -> anyhow::Result<()> {
    let odd = end - 23 * 3600..end - 19 * 3600;
    for machine in 0..MACHINES {
        let (instance, node, ip) =
            (format!("10.0.0.{machine}:9100"), format!("ip-10-0-0-{machine}"), format!("10.0.0.{machine}"));
        let share = |second: i64| {
            let odd = if machine == BUSY && odd.contains(&second) { 0.6 } else { 0.0 };
            (0.02 + 0.25 * load(machine, second) + odd).min(1.0)
        };
        for cpu in ["0", "1"] {
            let labels = [
                ("__name__", "node_cpu_seconds_total"),
                ("instance", &instance),
                ("pool", "web"),
                ("cpu", cpu),
                ("mode", "idle"),
            ];
            write(grid, &labels, &counter(begin, end, |s| 1.0 - share(s))).await?;
        }
        let traffic = |second: i64| 1e3 + if machine == IDLE { 0.0 } else { 2e6 * load(machine, second) };
        for name in ["node_network_transmit_bytes_total", "node_network_receive_bytes_total"] {
            let labels = [("__name__", name), ("instance", &instance), ("pool", "web"), ("device", "eth0")];
            write(grid, &labels, &counter(begin, end, traffic)).await?;
        }
        let every = |of: &dyn Fn(i64) -> f64| {
            (begin..end).step_by(STEP_S as usize).map(|s| (s * 1000, of(s))).collect::<Vec<_>>()
        };
        let free = |second: i64| 8e9 - 3e9 * load(machine, second);
        for (name, samples) in
            [("node_memory_MemAvailable_bytes", every(&free)), ("node_memory_MemTotal_bytes", every(&|_| 1.6e10))]
        {
            write(grid, &[("__name__", name), ("instance", &instance), ("pool", "web")], &samples).await?;
        }
        let provider = format!("aws:///us-east-1a/i-{machine:04}");
        let labels = [
            ("__name__", "kube_node_info"),
            ("instance", "10.9.9.9:8080"),
            ("node", &node),
            ("internal_ip", &ip),
            ("provider_id", &provider),
        ];
        write(grid, &labels, &every(&|_| 1.0)).await?;
    }
    Ok(())
}

/// What the machines cost, by the day.
fn bill(begin: i64) -> String {
    let mut text = String::from(
        "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,\
         ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ServiceCategory,ProviderName,RegionId,ResourceId\n",
    );
    let at = |day: i64| Timestamp((begin + day * 86_400) * 1_000_000_000).to_string()[..19].to_owned() + "Z";
    for (machine, day) in (0..MACHINES).flat_map(|m| (0..DAYS).map(move |d| (m, d))) {
        text.push_str(&format!(
            "4.608,4.608,4.608,4.608,1,USD,{},{},{},{},Usage,Amazon Elastic Compute Cloud,Compute,AWS,us-east-1,i-{machine:04}\n",
            at(0),
            at(31),
            at(day),
            at(day + 1)
        ));
    }
    text
}

fn texts<'a>(rows: &'a [Map<String, Value>], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[name].as_str().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_known_by_their_nodes() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("data");
    let mut grid = Grid::start_with(Options { data_dir: Some(dir.clone()), ..Options::default() }).await?;
    let end = now_ns() / 86_400_000_000_000 * 86_400;
    let begin = end - DAYS * 86_400;
    telemetry(&grid, begin, end).await?;
    let csv = [("content-type", "text/csv")];
    grid.post_ok("/api/v1/imports?format=focus&name=b.csv&dataset=b", "default", &csv, bill(begin)).await?;
    grid.terminate().await?;
    let until = format!("{}Z", &Timestamp(end * 1_000_000_000).to_string()[..19]);
    run_grid(&["jobs", "run", "--until", &until, "--data-dir", dir.to_str().context("UTF-8")?]).await?;

    let grid = Grid::start_with(Options { data_dir: Some(dir), ..Options::default() }).await?;
    let used = grid.sql("default", "SELECT subject, kind, cluster FROM patterns ORDER BY subject").await?;
    let kinds: Vec<&str> = (0..MACHINES).map(|m| if m == IDLE { "idle" } else { "daytime" }).collect();
    ensure!(texts(&used, "kind") == kinds && used.iter().all(|row| !row["cluster"].is_null()), "{used:#?}");

    let strange = grid.sql("default", "SELECT kind, subject, incident_id, title FROM anomalies ORDER BY kind").await?;
    ensure!(texts(&strange, "kind") == ["correlation", "outlier"], "{strange:#?}");
    ensure!(texts(&strange, "subject").iter().all(|s| *s == "10.0.0.2:9100"), "{strange:#?}");
    ensure!(strange[0]["incident_id"] == strange[1]["incident_id"], "{strange:#?}");

    let stop = "SELECT resource_id, query, evidence FROM recommendations WHERE action = 'stop'";
    let stop = grid.sql("default", stop).await?;
    let all = grid.sql("default", "SELECT action, resource_id, title FROM recommendations").await?;
    ensure!(texts(&stop, "resource_id") == ["i-0005"], "{stop:#?} {all:#?}");
    let again = grid.sql("default", stop[0]["query"].as_str().context("a query")?).await?;
    let stated: Value = serde_json::from_str(stop[0]["evidence"].as_str().context("evidence")?)?;
    let again: Vec<Value> = again.into_iter().map(Value::from).collect();
    ensure!(again == [stated.clone()], "{again:?} {stated}");
    Ok(())
}
