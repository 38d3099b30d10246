//! PromQL beside Prometheus and VictoriaMetrics: three data sets, the same bodies sent to each system, the same queries asked of each.
//!
//! No system may answer from what it remembers: Grid keeps no answers, Prometheus neither, VictoriaMetrics is told `nocache=1`.
//! Answers of Grid and Prometheus are compared number by number before anything is timed.

mod ask;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use self::ask::{Call, Timed, ask, same};
use crate::context::Context;
use crate::data::service::{self, Times};
use crate::data::wire::SNAPPY_HEADERS;
use crate::data::{closed_end_ms, node};
use crate::load::{LANES, Load, send};
use crate::report::{Section, count, ratio};
use crate::system::{Kind, System};

const HOUR_MS: i64 = 3_600_000;
const SEED: u64 = 91;
const HEAD: [&str; 6] =
    ["query", "Grid", "Prometheus", "VictoriaMetrics", "Grid / Prometheus", "Grid / VictoriaMetrics"];

/// A data set in each system that is here.
struct Systems {
    all: Vec<System>,
    /// Time of the last sample, in milliseconds.
    end_ms: i64,
    samples: u64,
}

impl Systems {
    /// Starts the systems and gives each what `load` makes; with `--keep` what they were given once.
    async fn start(context: &Context, name: &str, load: impl Fn(i64) -> anyhow::Result<Load>) -> anyhow::Result<Self> {
        let mut end_ms = closed_end_ms();
        let mut samples = None;
        let facts = context.keep.as_ref().map(|keep| keep.join(name).join("facts"));
        if let Some(text) = facts.as_ref().and_then(|path| std::fs::read_to_string(path).ok()) {
            let (end, n) = text.trim().split_once(' ').context("end and samples of a kept data set")?;
            (end_ms, samples) = (end.parse()?, Some(n.parse::<u64>()?));
        }
        let mut made: Option<Load> = None;
        let mut all = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_here()) {
            let folder: Option<PathBuf> = context.keep.as_ref().map(|keep| keep.join(name).join(kind.name()));
            let kept = folder.as_ref().is_some_and(|folder| folder.join("complete").is_file());
            let system = match &folder {
                Some(folder) => System::start_in(kind, folder.clone()).await?,
                None => System::start(kind).await?,
            };
            if !kept {
                let load = match &made {
                    Some(load) => load,
                    None => made.insert(load(end_ms)?),
                };
                samples = Some(load.items);
                send(&system.write_url, &SNAPPY_HEADERS, load).await?;
            }
            system.settle().await?;
            if !kept {
                system.expect_samples(samples.unwrap_or_default()).await?;
            }
            if let Some(folder) = folder {
                std::fs::write(folder.join("complete"), "")?;
            }
            all.push(system);
        }
        let samples = samples.context("how many samples there are")?;
        if let Some(facts) = facts {
            std::fs::write(facts, format!("{end_ms} {samples}"))?;
        }
        Ok(Self { all, end_ms, samples })
    }

    fn of(&self, kind: Kind) -> Option<&System> {
        self.all.iter().find(|system| system.kind == kind)
    }

    /// Times a call on every system in turns; Grid's answer must be Prometheus'.
    async fn ask(&self, call: &Call) -> anyhow::Result<[Option<Timed>; 3]> {
        if let (Some(grid), Some(peer)) = (self.of(Kind::Grid), self.of(Kind::Prometheus)) {
            same(&call.once(grid).await?, &call.once(peer).await?)
                .with_context(|| format!("Grid and Prometheus differ: {}", call.name))?;
        }
        ask(Kind::ALL.map(|kind| self.of(kind)), call).await
    }
}

fn cell(time: Option<Timed>) -> String {
    time.map_or_else(|| "-".to_owned(), |t| format!("{:.1}", t.median_ms))
}

/// A row; answers the ratios to Prometheus and VictoriaMetrics.
fn row(section: &mut Section, name: &str, times: [Option<Timed>; 3]) -> anyhow::Result<[Option<f64>; 2]> {
    let [ours, peers @ ..] = times;
    let ours = ours.context("Grid was asked")?.median_ms;
    let ratios = peers.map(|peer| peer.map(|t| ours / t.median_ms));
    let cells = times.map(cell).into_iter().chain(peers.map(|peer| ratio(ours, peer.map(|t| t.median_ms))));
    section.row([name.to_owned()].into_iter().chain(cells));
    Ok(ratios)
}

/// The twelve queries: name, expression.
const TWELVE: [(&str, &str); 12] = [
    ("sum by (job) of a rate", "sum by (job) (rate(http_requests_total[5m]))"),
    ("avg by (instance) of CPU rates", r#"avg by (instance) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))"#),
    ("top 5 of disk rates", "topk(5, rate(node_disk_written_bytes_total[5m]))"),
    (
        "p99 by handler",
        "histogram_quantile(0.99, sum by (le, handler) (rate(http_request_duration_seconds_bucket[5m])))",
    ),
    ("p90 of every series", "histogram_quantile(0.9, rate(http_request_duration_seconds_bucket[5m]))"),
    ("count(up)", "count(up)"),
    ("max over 1 h", "max_over_time(node_filesystem_avail_bytes[1h])"),
    ("regex over memory metrics", r#"sum by (instance) ({__name__=~"node_memory_.+_bytes"})"#),
    ("single series", r#"node_load1{instance="10.1.0.1:9100"}"#),
    (
        "error ratio",
        r#"sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (job) (rate(http_requests_total[5m]))"#,
    ),
    ("subquery", "max_over_time(sum by (instance) (rate(node_network_receive_bytes_total[5m]))[30m:1m])"),
    (
        "group_left join",
        r#"rate(node_cpu_seconds_total{mode="user"}[5m]) * on (instance) group_left (nodename) node_uname_info"#,
    ),
];

/// Twelve range queries over 10,000 series, 6 hours at 10 s.
pub(crate) async fn twelve(context: &Context) -> anyhow::Result<Section> {
    let (hours, nodes, instances) = context.size((6, 7, 10), (1, 1, 2));
    let systems = Systems::start(context, "twelve", |end_ms| {
        let scrapes = hours as usize * 360;
        let times = Times { scrapes, step_ms: 10_000, end_ms: end_ms - 10_000, per_request: 30, first_lane: 0 };
        let mut load = service::nodes(nodes, times, SEED)?;
        let first_lane = nodes * node::SERIES.div_ceil(service::BATCH) % LANES;
        let more = service::service(instances, 20, Times { first_lane, ..times }, SEED)?;
        // Side by side in time: no peer takes samples that are hours older than its newest.
        for (lane, more) in load.lanes.iter_mut().zip(more.lanes) {
            *lane = interleaved(std::mem::take(lane), more);
        }
        load.items += more.items;
        Ok(load)
    })
    .await?;
    let about = format!(
        "{} samples: node exporters and a service, {hours} h at 10 s. Range queries over all of it, step 60 s. Milliseconds over HTTP, median \
         of {} warm runs, systems in turns, nothing remembered.",
        count(systems.samples as f64),
        ask::RUNS
    );
    let mut section = Section::new("promql", about, &HEAD);
    let (mut slower, mut within, mut beyond, mut asked) = (Vec::new(), 0, Vec::new(), 0);
    for (name, query) in TWELVE {
        let call = Call::range(name, query, (systems.end_ms - hours * HOUR_MS, systems.end_ms), 60);
        let [prometheus, victoria] = row(&mut section, name, systems.ask(&call).await?)?;
        slower.extend(prometheus.filter(|r| *r >= 1.0).map(|r| format!("{name} {r:.2}x Prometheus")));
        within += usize::from(victoria.is_some_and(|r| r <= 1.0));
        beyond.extend(victoria.filter(|r| *r > 1.5).map(|r| format!("{name} {r:.2}x")));
        asked += usize::from(prometheus.is_some() && victoria.is_some());
    }
    for (name, query) in TWELVE {
        section.note(format!("{name}: `{query}`"));
    }
    if asked < TWELVE.len() {
        grid_tests::skip("promql_twelve", "not both peers are here".to_owned())?;
        return Ok(section);
    }
    let pass = slower.is_empty() && within >= 8 && beyond.is_empty();
    let measured = format!(
        "{} of 12 faster than Prometheus, {within} at most 1.0x VictoriaMetrics, {} at most 1.5x{}",
        12 - slower.len(),
        12 - beyond.len(),
        match slower.iter().chain(&beyond).cloned().collect::<Vec<_>>() {
            worse if worse.is_empty() => String::new(),
            worse => format!("; {}", worse.join(", ")),
        }
    );
    context.figure("promql_twelve", pass, measured);
    Ok(section)
}

/// Two lanes of equal span as one: what lies at the same share of each goes side by side.
fn interleaved<T>(one: Vec<T>, other: Vec<T>) -> Vec<T> {
    let place = |len: usize| move |(i, body): (usize, T)| ((i as f64 + 0.5) / len as f64, body);
    let mut all: Vec<(f64, T)> = Vec::with_capacity(one.len() + other.len());
    let lens = (one.len(), other.len());
    all.extend(one.into_iter().enumerate().map(place(lens.0)));
    all.extend(other.into_iter().enumerate().map(place(lens.1)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter().map(|(_, body)| body).collect()
}

/// 100,000 series, one hour at 15 s; and the same samples by SQL.
pub(crate) async fn wide(context: &Context) -> anyhow::Result<Section> {
    let series = context.size(100_000, 5_000);
    let systems = Systems::start(context, "wide", |end_ms| {
        let times = Times { scrapes: 240, step_ms: 15_000, end_ms: end_ms - 15_000, per_request: 60, first_lane: 0 };
        service::requests(series, times, SEED)
    })
    .await?;
    let about = format!(
        "{} series, {} samples: 1 h at 15 s. Range queries over the hour, step 30 s. Milliseconds over HTTP, median of {} warm runs, \
         systems in turns, nothing remembered.",
        count(series as f64),
        count(systems.samples as f64),
        ask::RUNS
    );
    let mut section = Section::new("promql_wide", about, &HEAD);
    let query = "sum by (job) (rate(http_requests_total[5m]))";
    let call = Call::range(query, query, (systems.end_ms - HOUR_MS, systems.end_ms), 30);
    let times = systems.ask(&call).await?;
    let ratios = row(&mut section, query, times)?;
    let [ours, prometheus, victoria] = times.map(cell);
    let measured = format!("{ours} ms; Prometheus {prometheus} ms, VictoriaMetrics {victoria} ms");
    if ratios.iter().all(Option::is_some) {
        context.figure("promql_sum_rate_100k", ratios.iter().flatten().all(|r| *r < 1.0), measured);
    } else {
        grid_tests::skip("promql_sum_rate_100k", "not both peers are here".to_owned())?;
    }
    let sql = "SELECT job, time_bucket('30s', time) AS instant, sum(value) AS total, max(value) - min(value) AS growth \
               FROM metrics.http_requests_total GROUP BY 1, 2";
    let by_sql = ask([systems.of(Kind::Grid), None, None], &Call::sql("the same samples by SQL", sql)).await?;
    row(&mut section, "the same samples by SQL", by_sql)?;
    let (promql, sql_ms) =
        (times[0].context("Grid was asked")?.median_ms, by_sql[0].context("Grid was asked")?.median_ms);
    section.note(format!("By SQL: `{sql}`"));
    let measured = format!("{promql:.0} ms, SQL {sql_ms:.0} ms: {}", ratio(promql, Some(sql_ms)));
    context.figure("promql_vs_sql", promql <= 1.5 * sql_ms, measured);
    Ok(section)
}

/// A million series of one histogram, ten minutes at 30 s.
pub(crate) async fn million(context: &Context) -> anyhow::Result<Section> {
    let series = context.size(1_000_000, 40_000);
    let systems = Systems::start(context, "million", |end_ms| {
        let times = Times { scrapes: 20, step_ms: 30_000, end_ms: end_ms - 30_000, per_request: 20, first_lane: 0 };
        service::buckets(series, times, SEED)
    })
    .await?;
    let about = format!(
        "{} series `x_bucket`, 10 min at 30 s. Milliseconds over HTTP, median of {} warm runs, systems in turns, nothing remembered.",
        count(series as f64),
        ask::RUNS
    );
    let mut section = Section::new("promql_million", about, &HEAD);
    let range = (systems.end_ms - 600_000, systems.end_ms);
    let query = "histogram_quantile(0.99, sum by (le, path) (rate(x_bucket[5m])))";
    let call = Call::range(query, query, range, 30);
    let times = systems.ask(&call).await?;
    let ratios = row(&mut section, query, times)?;
    let ours = times[0].context("Grid was asked")?.median_ms;
    let peak = systems.of(Kind::Grid).context("Grid is here")?.memory_peak_mib()?;
    let pass = ours <= 2000.0 && ratios.iter().flatten().all(|r| *r < 1.0);
    let [cell_ours, prometheus, victoria] = times.map(cell);
    let measured = format!(
        "{cell_ours} ms; Prometheus {prometheus} ms, VictoriaMetrics {victoria} ms; peak of Grid's memory {peak:.0} MiB"
    );
    context.figure("promql_histogram_1m", pass, measured);
    let form = |more: &[(&str, &str)]| {
        let times = [("start", (range.0 / 1000).to_string()), ("end", (range.1 / 1000).to_string())];
        let more = more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        times.into_iter().map(|(k, v)| (k.to_owned(), v)).chain(more).collect::<Vec<_>>()
    };
    let matched = form(&[("match[]", r#"x_bucket{le="+Inf"}"#)]);
    let calls = [
        Call::metadata("labels of x_bucket", "labels", form(&[("match[]", "x_bucket")])),
        Call::metadata("values of `path` of x_bucket", "label/path/values", form(&[("match[]", "x_bucket")])),
        Call::metadata("values of `pod` where le=\"+Inf\"", "label/pod/values", matched.clone()),
        Call::metadata("values of `__name__`", "label/__name__/values", form(&[])),
    ];
    let mut slowest = (0.0, "");
    for call in &calls {
        let times = systems.ask(call).await?;
        row(&mut section, call.name, times)?;
        let ms = times[0].context("Grid was asked")?.median_ms;
        if ms > slowest.0 {
            slowest = (ms, call.name);
        }
    }
    ensure!(slowest.0 > 0.0, "something was asked");
    context.figure("promql_label_values_1m", slowest.0 < 100.0, format!("slowest {:.1} ms: {}", slowest.0, slowest.1));
    Ok(section)
}
