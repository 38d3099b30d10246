//! Resident memory under everything at once: a million series, compaction beside, queries all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::context::Context;
use crate::data::wire::SNAPPY_HEADERS;
use crate::data::{closed_end_ms, containers, lines};
use crate::load::send;
use crate::report::{Section, count};
use crate::system::{Kind, System, memory_mib};

const BAR_MIB: f64 = 4096.0;
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// How long compaction by itself is watched after the last write.
const WATCH: Duration = Duration::from_secs(90);

const QUERIES: [&str; 6] = [
    "SELECT count(*), avg(value) FROM samples",
    "SELECT s.metric, count(*), max(x.value) FROM samples x JOIN series s ON x.series_id = s.series_id GROUP BY s.metric",
    "SELECT namespace, sum(value) FROM metrics.container_memory_usage_bytes GROUP BY namespace",
    "SELECT time_bucket('1m', time) AS t, avg(value) FROM metrics.container_cpu_usage_seconds_total GROUP BY 1 ORDER BY 1",
    "SELECT metric, count(*) FROM series GROUP BY metric",
    "SELECT service, count(*) FROM logs WHERE match(body, 'declined') GROUP BY service",
];

pub(crate) async fn run(context: &Context) -> anyhow::Result<Section> {
    let (series, scrapes) = context.size((1_000_000, 12), (50_000, 4));
    let load = containers::load(series, scrapes, closed_end_ms() - 1000, 31)?;
    let end = closed_end_ms();
    let logs = lines::load(context.size(1_000_000, 50_000), end - 7_200_000, end, 32)?;
    let about = format!(
        "{} series with {scrapes} samples each and {} log lines at once, a reader that asks all the time, compaction as it comes and then all of \
         it. Resident memory every 100 ms.",
        count(series as f64),
        count(logs.items as f64)
    );
    let system = System::start(Kind::Grid).await?;
    let grid = system.grid()?;
    let pid = grid.pid().context("the server runs")?;
    let (stop, asked, refused) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0), AtomicU64::new(0));
    let sampler = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let (started, mut seen) = (Instant::now(), Vec::new());
            while !stop.load(Ordering::Relaxed) {
                if let Ok(mib) = memory_mib(pid, "VmRSS") {
                    seen.push((started.elapsed().as_secs_f64(), mib));
                }
                tokio::time::sleep(SAMPLE_EVERY).await;
            }
            seen
        }
    });
    let started = Instant::now();
    let mut phases = Vec::new();
    let reader = async {
        for query in QUERIES.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            // A query over its own bound is refused, which is what bounds are for.
            let (status, ..) = grid.sql_raw("default", query, grid_tests::answer::ARROW_STREAM).await?;
            asked.fetch_add(1, Ordering::Relaxed);
            refused.fetch_add(u64::from(status != 200), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    let push_url = format!("{}/loki/api/v1/push", grid.http);
    let writer = async {
        let sent = async {
            let push = send(&push_url, &SNAPPY_HEADERS, &logs);
            let (samples, lines) = tokio::join!(send(&system.write_url, &SNAPPY_HEADERS, &load), push);
            anyhow::Ok((samples?, lines?))
        };
        let sent = sent.await;
        phases.push(("ingest", started.elapsed().as_secs_f64()));
        if !context.quick {
            tokio::time::sleep(WATCH).await;
        }
        phases.push(("background compaction", started.elapsed().as_secs_f64()));
        let compacted = system.compact().await;
        phases.push(("compaction of all", started.elapsed().as_secs_f64()));
        stop.store(true, Ordering::Relaxed);
        sent.and_then(|sent| compacted.map(|()| sent))
    };
    let (read, written) = tokio::join!(reader, writer);
    stop.store(true, Ordering::Relaxed);
    let seen = sampler.await?;
    read?;
    let (samples, _) = written?;
    let peak = system.memory_peak_mib()?;
    let mut section = Section::new("memory", about, &["what", "Grid", "bar"]);
    let mut from = 0.0;
    for (phase, until) in phases {
        let of_phase = seen.iter().filter(|(at, _)| (from..until).contains(at)).map(|(_, mib)| *mib);
        let most = of_phase.fold(0.0, f64::max);
        section.row([format!("most while: {phase} ({:.0} s), MiB", until - from), count(most), String::new()]);
        from = until;
    }
    section.row(["at the end, MiB".into(), count(system.memory_mib()?), String::new()]);
    section.row(["peak of all (VmHWM), MiB".into(), count(peak), "<= 4,096".into()]);
    section.row(["samples per second meanwhile".into(), count(load.items as f64 / samples.seconds), String::new()]);
    let (asked, refused) = (asked.into_inner(), refused.into_inner());
    section.row(["queries meanwhile, of which refused".into(), format!("{asked}, {refused}"), String::new()]);
    system.expect_samples(load.items).await?;
    let measured = format!(
        "peak {} MiB: {} series, {} samples, {} lines, {asked} queries",
        count(peak),
        count(series as f64),
        count(load.items as f64),
        count(logs.items as f64)
    );
    context.figure("memory", peak <= BAR_MIB, measured);
    Ok(section)
}
