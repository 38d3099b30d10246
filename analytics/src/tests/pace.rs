//! How long typical statements take on a store of some size. Not a test of anything: run it by hand, in release, with
//! `--ignored --nocapture`.

use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
use grid_model::table::samples::{SampleValue, SamplesBuilder};
use grid_model::{AttrValue, Labels, Table, Write};

use super::bed::{Bed, at, one, series};

const SERIES: usize = 500;
const TICKS: i64 = 2400;

async fn fill(bed: &Bed) {
    let names =
        ["node_cpu_seconds_total", "http_requests_total", "up", "go_goroutines", "process_resident_memory_bytes"];
    let defs: Vec<_> = (0..SERIES)
        .map(|i| {
            let (name, instance, mode) = (names[i % 5], format!("host-{}", i / 25), format!("m{}", i / 5 % 5));
            series(&[("__name__", name), ("instance", &instance), ("mode", &mode), ("job", "node")])
        })
        .collect();
    let labels = Labels::of(&[("app", "shop")]);
    let origin = LogOrigin { stream_id: labels.hash64(), labels, service: "shop".into(), ..LogOrigin::default() };
    for tick in 0..TICKS {
        let ago = (TICKS - tick) * 10;
        let mut write = Write::default();
        let mut b = SamplesBuilder::with_capacity(SERIES);
        for (i, def) in defs.iter().enumerate() {
            let id = write.series.add(def).unwrap();
            b.push(id, at(ago - i as i64 % 10), None, SampleValue::Float((tick * 7 + i as i64) as f64));
        }
        write.push(Table::Samples, b.finish());
        let mut logs = LogsBuilder::default();
        for n in 0..100 {
            let word = if n == 0 && tick % 20 == 0 { "needle" } else { "hay" };
            logs.push(
                &origin,
                &LogRow {
                    time: at(ago),
                    severity: if n % 10 == 0 { "ERROR".into() } else { "INFO".into() },
                    body: Some(AttrValue::String(format!(
                        "request {n} of tick {tick} took {} ms {word} user:{}",
                        n * 3,
                        n % 17
                    ))),
                    trace_id: format!("{:032x}", tick * 100 + n),
                    attributes: vec![
                        ("code".into(), AttrValue::Int(200 + n % 5)),
                        ("path".into(), "/api/v1/things".into()),
                    ],
                    ..LogRow::default()
                },
            );
        }
        write.batches.extend(one(Table::Logs, logs.finish()).batches);
        bed.write(write).await;
        if tick % 300 == 299 && tick + 300 < TICKS {
            bed.store.flush().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long and proves nothing"]
async fn pace() {
    let bed = Bed::new().await;
    let began = std::time::Instant::now();
    fill(&bed).await;
    println!("filled in {:?}", began.elapsed());
    let queries = [
        "SELECT count(*) FROM samples",
        "SELECT count(*) FROM logs",
        "SELECT count(*), avg(value) FROM metrics.node_cpu_seconds_total",
        "SELECT instance, max(value) FROM metrics.node_cpu_seconds_total WHERE instance = 'host-3' GROUP BY instance",
        "SELECT instance, mode, rate(value, time) FROM metrics.node_cpu_seconds_total WHERE time > now() - INTERVAL '10 minutes' GROUP BY instance, mode",
        "SELECT time_bucket('5m', time) AS t, sum(value) FROM metrics.http_requests_total GROUP BY t ORDER BY t",
        "SELECT * FROM logs WHERE trace_id = '00000000000000000000000000000abc'",
        "SELECT severity, count(*) FROM logs GROUP BY severity",
        "SELECT body FROM logs WHERE match(body, 'needle') ORDER BY time",
        "SELECT body FROM logs ORDER BY time DESC LIMIT 20",
        "SELECT attributes['code'] AS c, count(*) FROM logs GROUP BY c",
        "SELECT count(*) FROM series",
    ];
    for phase in ["flushed", "compacted"] {
        for sql in queries {
            let mut best = std::time::Duration::MAX;
            for _ in 0..3 {
                let began = std::time::Instant::now();
                let text = bed.csv(sql).await;
                assert!(!text.starts_with("GRID-"), "{sql}: {text}");
                best = best.min(began.elapsed());
            }
            println!("{phase:10} {best:>12.2?}  {sql}");
        }
        if phase == "flushed" {
            println!(
                "{}",
                bed.csv(
                    "EXPLAIN ANALYZE SELECT avg(value) FROM metrics.node_cpu_seconds_total WHERE instance = 'host-3'"
                )
                .await
            );
            bed.store.flush().await.unwrap();
            let report = bed.store.compact().await.unwrap();
            println!("{report:?}");
        }
    }
    println!(
        "{}",
        bed.csv("EXPLAIN ANALYZE SELECT avg(value) FROM metrics.node_cpu_seconds_total WHERE instance = 'host-3'")
            .await
    );
    println!(
        "{}",
        bed.csv("EXPLAIN ANALYZE SELECT * FROM logs WHERE trace_id = '00000000000000000000000000000abc'").await
    );
    println!("{}", bed.csv("EXPLAIN ANALYZE SELECT body FROM logs WHERE match(body, 'needle')").await);
}
