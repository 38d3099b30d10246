//! A real Prometheus scrapes itself and writes to Grid; what its own API answers and what Grid's SQL answers is the same.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use grid_tests::peers::{self, Peer};
use grid_tests::{Grid, figure, skip};
use serde_json::{Value, json};
use tokio::process::Command;

/// Labels as text to (milliseconds, value as bits) pairs.
type Series = BTreeMap<String, Vec<(i64, u64)>>;

#[tokio::test]
async fn what_prometheus_writes_reads_back_equal() -> anyhow::Result<()> {
    let binary = match peers::prometheus() {
        Ok(binary) => binary,
        Err(reason) => return skip("prometheus", reason),
    };
    let version = Command::new(&binary).arg("--version").output().await?;
    let version = String::from_utf8_lossy(&version.stdout).split_whitespace().nth(2).unwrap_or("?").to_owned();
    let mut protocols = vec!["prometheus.WriteRequest"];
    if version.split('.').next().and_then(|major| major.parse().ok()).is_some_and(|major: u32| major >= 3) {
        protocols.push("io.prometheus.write.v2.Request");
    }
    let mut measured = Vec::new();
    for protocol in &protocols {
        let compared = compare(&binary, (protocols.len() > 1).then_some(protocol)).await;
        measured.push(compared.with_context(|| format!("Prometheus {version}, {protocol}"))?);
    }
    let words =
        if protocols.len() > 1 { "remote write 1.0 and 2.0" } else { "remote write 1.0 only: this Prometheus is old" };
    figure("prometheus", true, format!("Prometheus {version}, {words}: {} equal", measured.join(" and ")));
    Ok(())
}

async fn compare(binary: &std::path::Path, protocol: Option<&str>) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let grid = Grid::start().await?;
    let port = peers::free_port()?;
    let own = format!("http://127.0.0.1:{port}");
    let protocol = protocol.map(|p| format!("    protobuf_message: {p}\n")).unwrap_or_default();
    let config = format!(
        "global:\n  scrape_interval: 500ms\n  external_labels: {{cluster: test}}\n\
         remote_write:\n  - url: {}/api/v1/write\n{protocol}    send_native_histograms: true\n    send_exemplars: true\n\
         \x20   queue_config: {{batch_send_deadline: 200ms}}\n    metadata_config: {{send_interval: 1s}}\n\
         scrape_configs:\n  - job_name: self\n    static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n",
        grid.http
    );
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, config)?;
    let log = folder.path().join("prometheus.log");
    let mut command = Command::new(binary);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--enable-feature=native-histograms,exemplar-storage");
    let prometheus = Peer::start(&mut command, &log)?;
    let compared = async {
        peers::until_ready(&grid.client, &format!("{own}/-/ready"), Duration::from_secs(30)).await?;
        // Prometheus hands new targets to its scrapers every five seconds.
        tokio::time::sleep(Duration::from_secs(12)).await;
        let (theirs, histograms, until) = prometheus_samples(&grid, &own).await?;
        let samples: usize = theirs.values().map(Vec::len).sum();
        ensure!(theirs.len() > 300 && samples > 3000, "{} series, {samples} samples are too few", theirs.len());
        let mut ours = Series::new();
        for _ in 0..100 {
            ours = grid_samples(&grid, until).await?;
            if same(&theirs, &ours).is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        same(&theirs, &ours)?;
        same_histograms(&grid, &histograms, until).await?;
        Ok(format!("{samples} samples of {} series, {} native histograms", theirs.len(), histograms.len()))
    };
    let compared: anyhow::Result<String> = compared.await;
    prometheus.terminate().await?;
    let warnings = || {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        log.lines().filter(|line| !line.contains("level=INFO")).take(20).collect::<Vec<_>>().join("\n")
    };
    compared.with_context(|| format!("Prometheus says: {}", warnings()))
}

/// All float samples, and (series, time, count, sum) of native histograms, that Prometheus has stored, and the time up to
/// which no more can come.
async fn prometheus_samples(grid: &Grid, own: &str) -> anyhow::Result<(Series, Vec<(String, i64, f64, f64)>, i64)> {
    let until = grid_tests::now_ns() / 1_000_000 - 1500;
    let query = [("query", "{job=\"self\"}[1m]".to_owned()), ("time", format!("{:.3}", until as f64 / 1e3))];
    let answer: Value = grid.client.get(format!("{own}/api/v1/query")).query(&query).send().await?.json().await?;
    let (mut series, mut histograms) = (Series::new(), Vec::new());
    let millis = |v: &Value| v.as_f64().map(|s| (s * 1e3).round() as i64).context("a time");
    for result in answer["data"]["result"].as_array().with_context(|| format!("no result: {answer}"))? {
        let labels = result["metric"].to_string();
        for pair in result["values"].as_array().into_iter().flatten() {
            let value: f64 = pair[1].as_str().context("a value")?.parse()?;
            series.entry(labels.clone()).or_default().push((millis(&pair[0])?, value.to_bits()));
        }
        for pair in result["histograms"].as_array().into_iter().flatten() {
            let number = |key: &str| pair[1][key].as_str().and_then(|v| v.parse().ok()).context("a number");
            histograms.push((labels.clone(), millis(&pair[0])?, number("count")?, number("sum")?));
        }
    }
    Ok((series, histograms, until))
}

const SERIES_OF: &str = "FROM samples x JOIN series s ON x.series_id = s.series_id";

async fn grid_samples(grid: &Grid, until: i64) -> anyhow::Result<Series> {
    let query =
        format!("SELECT s.metric, s.labels, x.time, x.value {SERIES_OF} WHERE x.value IS NOT NULL AND NOT x.is_stale");
    let mut series = Series::new();
    for row in grid.sql("default", &query).await? {
        let time = row["time"].as_i64().context("a time")? / 1_000_000;
        if time > until || row["labels"]["job"] != json!("self") {
            continue;
        }
        let value = match &row["value"] {
            Value::String(bits) => u64::from_str_radix(bits.trim_start_matches("bits:"), 16)?,
            number => number.as_f64().context("a value")?.to_bits(),
        };
        series.entry(labels(&row)).or_default().push((time, value));
    }
    series.values_mut().for_each(|points| points.sort_unstable());
    Ok(series)
}

/// Labels as Prometheus' API writes them: without those that remote write adds, in order of name.
fn labels(row: &grid_tests::server::Row) -> String {
    let mut labels = row["labels"].as_object().cloned().unwrap_or_default();
    labels.remove("cluster");
    labels.insert("__name__".to_owned(), row["metric"].clone());
    let sorted: BTreeMap<_, _> = labels.into_iter().collect();
    json!(sorted).to_string()
}

fn same(theirs: &Series, ours: &Series) -> anyhow::Result<()> {
    for (labels, points) in theirs {
        let found = ours.get(labels).with_context(|| format!("Grid lacks {labels}"))?;
        let nan = |points: &[(i64, u64)]| -> Vec<_> {
            points.iter().map(|&(t, v)| (t, if f64::from_bits(v).is_nan() { 0 } else { v })).collect()
        };
        // The API writes every NaN as "NaN", so its bits cannot be compared.
        ensure!(nan(points) == nan(found), "{labels}: {points:?} in Prometheus, {found:?} in Grid");
    }
    ensure!(theirs.len() == ours.len(), "{} series in Prometheus, {} in Grid", theirs.len(), ours.len());
    Ok(())
}

async fn same_histograms(grid: &Grid, theirs: &[(String, i64, f64, f64)], until: i64) -> anyhow::Result<()> {
    let query = format!(
        "SELECT s.metric, s.labels, x.time, x.histogram['count'] AS count, x.histogram['sum'] AS sum {SERIES_OF} \
         WHERE x.histogram IS NOT NULL"
    );
    let mut ours = BTreeMap::new();
    for row in grid.sql("default", &query).await? {
        let time = row["time"].as_i64().context("a time")? / 1_000_000;
        if time <= until {
            ours.insert((labels(&row), time), (row["count"].as_f64(), row["sum"].as_f64()));
        }
    }
    for (labels, time, count, sum) in theirs {
        let found = ours.get(&(labels.clone(), *time)).copied();
        ensure!(
            found == Some((Some(*count), Some(*sum))),
            "{labels} at {time}: {count}, {sum} in Prometheus, {found:?} in Grid"
        );
    }
    Ok(())
}
