//! Every bound against somebody who pushes at it: who goes over is told so and counted, everybody else is served as before, and the server neither
//! grows nor stops. The bounds themselves are listed in docs/operations.md.

use std::io::Read as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use grid_tests::wire::{
    JSON_HEADERS, PROTOBUF_HEADERS, REMOTE_WRITE_HEADERS, Sample, TimeSeries, WriteRequest, label, otlp_logs,
    remote_write,
};
use grid_tests::{Grid, Options, figure, now_ns};
use serde_json::{Value, json};

/// Tenants of the suite; the scorecard's figure says how many.
const TENANTS: usize = 3_000;
/// Requests under way at once.
const SIDE_BY_SIDE: usize = 32;

async fn started(settings: &[(&str, &str)]) -> anyhow::Result<Grid> {
    let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Grid::start_with(Options { env, ..Options::default() }).await
}

/// A figure of `/metrics`, all its labels added up.
async fn metric(grid: &Grid, name: &str) -> anyhow::Result<f64> {
    let page = grid.client.get(format!("{}/metrics", grid.http)).send().await?.text().await?;
    let of = |line: &str| {
        let (head, value) = line.rsplit_once(' ')?;
        (head.split('{').next() == Some(name)).then(|| value.parse::<f64>().ok())?
    };
    let values: Vec<f64> = page.lines().filter_map(of).collect();
    ensure!(!values.is_empty(), "{name} is not in /metrics");
    Ok(values.iter().sum())
}

fn now_ms() -> i64 {
    now_ns() / 1_000_000
}

/// A remote write of one sample each of new series.
fn new_series(metric: &str, from: usize, n: usize) -> anyhow::Result<Vec<u8>> {
    let series = |i: usize| TimeSeries {
        labels: vec![label("__name__", metric), label("id", &format!("{i:08}"))],
        samples: vec![Sample { value: 1.0, timestamp: now_ms() }],
    };
    let request = WriteRequest { timeseries: (from..from + n).map(series).collect() };
    Ok(snap::raw::Encoder::new().compress_vec(&prost::Message::encode_to_vec(&request))?)
}

/// Sends, and sends again while the store says that it is overloaded: so do real clients.
async fn patiently(
    grid: &Grid,
    path: &str,
    tenant: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> anyhow::Result<()> {
    for _ in 0..100 {
        let (status, text) = grid.post(path, tenant, headers, body.clone()).await?;
        if status != 503 {
            ensure!((200..300).contains(&status), "{path} answered {status}: {text}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("{path} was overloaded for 20 s")
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_tenants_are_served_and_one_more_is_refused() -> anyhow::Result<()> {
    let mut grid = started(&[
        // One more for Grid's own metrics.
        ("GRID__STORAGE__TENANTS_MAX", &(TENANTS + 1).to_string()),
        ("GRID__STORAGE__COMPACT_INTERVAL", "0s"),
        ("GRID__TELEMETRY__INTERVAL", "1h"),
    ])
    .await?;
    let tenant = |n: usize| format!("tenant-{n:05}");
    let now = now_ms();
    for round in 0..2_i64 {
        let write = |n: usize| {
            let (grid, tenant) = (&grid, tenant(n));
            async move {
                let times = now - 60_000 + round * 10_000;
                let body = remote_write(&[("__name__", "up"), ("n", &n.to_string())], &[(times, n as f64)]);
                patiently(grid, "/api/v1/write", &tenant, &REMOTE_WRITE_HEADERS, body).await?;
                if n.is_multiple_of(10) {
                    let body = otlp_logs("svc", &[(times * 1_000_000, format!("line {round} of {n}"))]);
                    patiently(grid, "/v1/logs", &tenant, &JSON_HEADERS, body.into()).await?;
                }
                anyhow::Ok(())
            }
        };
        stream::iter((0..TENANTS).map(write)).buffer_unordered(SIDE_BY_SIDE).try_collect::<()>().await?;
        grid.flush().await?;
    }
    let files_before = metric(&grid, "grid_store_files").await?;
    grid.compact().await?;
    let files = metric(&grid, "grid_store_files").await?;
    // Samples and series of each, and logs of every tenth.
    let tables = (TENANTS * 2 + TENANTS / 10) as f64;
    ensure!(files <= tables * 2.0, "{files} files of {tables} tables of tenants");

    let refused = |text: &str| text.contains("GRID-0312") && text.contains("storage.tenants_max");
    let one = remote_write(&[("__name__", "up")], &[(now, 1.0)]);
    let (status, text) = grid.post("/api/v1/write", "one-too-many", &REMOTE_WRITE_HEADERS, one.clone()).await?;
    ensure!(status == 429 && refused(&text), "{status}: {text}");
    ensure!(metric(&grid, "grid_store_refused_tenants_total").await? == 1.0);
    ensure!(metric(&grid, "grid_store_tenants").await? == (TENANTS + 1) as f64);
    let peak = grid.memory_kib("VmHWM").unwrap_or_default();

    grid.restart().await?;
    let started = grid.start_time;
    ensure!(metric(&grid, "grid_store_tenants").await? == (TENANTS + 1) as f64, "a start forgets no tenant");
    let (status, text) = grid.post("/api/v1/write", "one-too-many", &REMOTE_WRITE_HEADERS, one).await?;
    ensure!(status == 429 && refused(&text), "after a start, {status}: {text}");
    for n in [0, 1, TENANTS / 2, TENANTS - 1] {
        let rows = grid.sql(&tenant(n), "SELECT value FROM metrics.up ORDER BY time").await?;
        let values: Vec<Option<f64>> = rows.iter().map(|r| r.get("value").and_then(Value::as_f64)).collect();
        ensure!(values == [Some(n as f64); 2], "tenant {n} has {values:?}");
        let lines = grid.count(&tenant(n), "SELECT count(*) FROM logs").await?;
        ensure!(lines == if n.is_multiple_of(10) { 2 } else { 0 }, "tenant {n} has {lines} lines");
    }
    let after = grid.memory_kib("VmRSS").unwrap_or_default();
    let held = peak < 1_024 * 1_024 && started < Duration::from_secs(60);
    let measured = format!(
        "{TENANTS} tenants: peak {} MiB, {files_before:.0} files, {files:.0} compacted; start {:.1} s, then {} MiB; one more: 429",
        peak / 1024,
        started.as_secs_f64(),
        after / 1024,
    );
    ensure!(figure("bounds_tenants", held, &measured), "{measured}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_explode_hurt_nobody_else() -> anyhow::Result<()> {
    let grid = started(&[("GRID__STORAGE__SERIES_MAX", "1000"), ("GRID__TELEMETRY__INTERVAL", "1h")]).await?;
    let mut refused = 0;
    for round in 0..20 {
        let body = new_series("exploding", round * 250, 250)?;
        let (status, text) = grid.post("/api/v1/write", "loud", &REMOTE_WRITE_HEADERS, body).await?;
        let expected = if round < 4 { 204 } else { 429 };
        ensure!(status == expected, "round {round}: {status}: {text}");
        refused += usize::from(status == 429);
        ensure!(status == 204 || text.contains("GRID-0302"), "{text}");
        // Somebody else is served as if nothing were.
        let calm = new_series("calm", round * 10, 10)?;
        grid.post_ok("/api/v1/write", "calm", &REMOTE_WRITE_HEADERS, calm).await?;
    }
    // Series that are known go on; of a request with both the known part is kept, and the sender is told.
    let known = new_series("exploding", 0, 100)?;
    grid.post_ok("/api/v1/write", "loud", &REMOTE_WRITE_HEADERS, known).await?;
    let both = new_series("exploding", 990, 20)?;
    let (status, text) = grid.post("/api/v1/write", "loud", &REMOTE_WRITE_HEADERS, both).await?;
    ensure!(status == 400 && text.contains("limit on series"), "{status}: {text}");
    let series = grid.count("loud", "SELECT count(*) FROM series").await?;
    let samples = grid.count("loud", "SELECT count(*) FROM samples WHERE time < now() + INTERVAL '1 minute'").await?;
    ensure!(series == 1000 && samples >= 1000, "{series} series, {samples} samples");
    ensure!(grid.count("calm", "SELECT count(*) FROM series").await? == 200);
    let counted = metric(&grid, "grid_store_refused_series_total").await?;
    ensure!(counted == (refused * 250 + 10) as f64, "{counted} refused series are counted");
    ensure!(metric(&grid, "grid_ingest_refused_requests_total").await? >= refused as f64);
    figure(
        "bounds_cardinality",
        true,
        format!("{refused} requests of new series 429, {counted} series counted, others served"),
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_what_they_seem_are_refused() -> anyhow::Result<()> {
    let grid = started(&[("GRID__TELEMETRY__INTERVAL", "1h")]).await?;
    // A first request makes what is made once, so that the memory below is the attacks'.
    let ok = async || grid.post_ok("/v1/logs", "calm", &JSON_HEADERS, otlp_logs("s", &[(now_ns(), "ok".into())])).await;
    ok().await?;
    let before = grid.memory_kib("VmHWM").unwrap_or_default();

    // A gibibyte of zeros in a megabyte; at every door that inflates.
    let mut bomb = Vec::new();
    let zeros = std::io::repeat(0).take(1 << 30);
    flate2::read::GzEncoder::new(zeros, flate2::Compression::fast()).read_to_end(&mut bomb)?;
    for (path, kind) in [
        ("/v1/logs", "application/json"),
        ("/v1/logs", "application/x-protobuf"),
        ("/v1/metrics", "application/x-protobuf"),
        ("/v1/traces", "application/x-protobuf"),
        ("/loki/api/v1/push", "application/json"),
        ("/api/v1/write", "application/x-protobuf"),
    ] {
        let headers = [("content-type", kind), ("content-encoding", "gzip")];
        let (status, text) = grid.post(path, "bomber", &headers, bomb.clone()).await?;
        ensure!(matches!(status, 400 | 413 | 415), "{path} answered a bomb {status}: {text}");
    }
    // Snappy says at its head how long it will be: four gibibytes.
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    let (status, text) = grid.post("/api/v1/write", "bomber", &REMOTE_WRITE_HEADERS, claim.to_vec()).await?;
    ensure!(matches!(status, 400 | 413), "{status}: {text}");

    // A line longer than a log body may be: the others of the request are kept.
    let giant = "x".repeat(3 << 20);
    let stamp = now_ns().to_string();
    let push = json!({"streams": [{"stream": {"app": "a"}, "values": [[stamp, giant], [stamp, "short"]]}]});
    let (status, text) = grid.post("/loki/api/v1/push", "giant", &JSON_HEADERS, push.to_string()).await?;
    ensure!(status == 400 && text.contains("more than 1048576"), "{status}: {}", &text[..text.len().min(300)]);
    let logs = otlp_logs("s", &[(now_ns(), "y".repeat(3 << 20)), (now_ns(), "short too".into())]);
    let answer = grid.post_ok("/v1/logs", "giant", &JSON_HEADERS, logs).await?;
    let rejected: Value = serde_json::from_str(&answer)?;
    ensure!(rejected["partialSuccess"]["rejectedLogRecords"].to_string().contains('1'), "{answer}");
    ensure!(grid.count("giant", "SELECT count(*) FROM logs").await? == 2);

    // JSON that only goes down; as a body, and as a value within one.
    let deep = |open: &str, close: &str, n: usize| open.repeat(n) + "1" + &close.repeat(n);
    for body in [deep("[", "]", 1_000_000), deep("{\"a\":", "}", 500_000)] {
        for path in ["/v1/logs", "/v1/metrics", "/v1/traces", "/loki/api/v1/push", "/api/v1/sql", "/api/v1/delete"] {
            let (status, text) = grid.post(path, "deep", &JSON_HEADERS, body.clone()).await?;
            // A reader that skips what it does not know takes it for an empty request.
            ensure!((200..500).contains(&status), "{path} answered {status}: {text}");
        }
    }
    let within = deep("{\"arrayValue\":{\"values\":[", "]}}", 60).replace('1', "{\"intValue\":\"1\"}");
    let record = json!({"timeUnixNano": now_ns().to_string(), "body": {"stringValue": "b"}, "attributes": []});
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).to_string();
    let logs = logs.replace("\"attributes\":[]", &format!("\"attributes\":[{{\"key\":\"k\",\"value\":{within}}}]"));
    let (status, text) = grid.post("/v1/logs", "deep", &JSON_HEADERS, logs).await?;
    ensure!((200..500).contains(&status), "{status}: {text}");
    // The same in protobuf: messages within messages, each with the length of the rest.
    let mut nested: Vec<u8> = Vec::new();
    for _ in 0..20_000 {
        let mut outer = vec![0x2a];
        prost::encoding::encode_varint(nested.len() as u64, &mut outer);
        outer.append(&mut nested);
        nested = outer;
    }
    let (status, text) = grid.post("/v1/logs", "deep", &PROTOBUF_HEADERS, nested).await?;
    ensure!((200..500).contains(&status), "{status}: {text}");

    ok().await?;
    let after = grid.memory_kib("VmHWM").unwrap_or_default();
    let grown = after.saturating_sub(before) / 1024;
    let held = grown < 400;
    let measured = format!("bombs, giant lines and deep bodies refused or kept in part; peak grew by {grown} MiB");
    ensure!(figure("bounds_bodies", held, &measured), "{measured}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_would_not_end_are_ended() -> anyhow::Result<()> {
    let grid = started(&[
        ("GRID__QUERY__TIMEOUT", "2s"),
        ("GRID__QUERY__ROWS_MAX", "1000"),
        ("GRID__TELEMETRY__INTERVAL", "1h"),
    ])
    .await?;
    for n in 0..20 {
        grid.post_ok("/api/v1/write", "t", &REMOTE_WRITE_HEADERS, new_series("m", n * 500, 500)?).await?;
    }
    let chain = |link: &str, bytes: usize| format!("SELECT 1{}", link.repeat(bytes / link.len()));
    let numbers = "generate_series(1, 1000000000)";
    let cases = [
        (format!("SELECT count(*) FROM {numbers} a(x), {numbers} b(y) WHERE a.x * b.y % 7 = 3"), 408, "GRID-0408"),
        // Out of time or out of memory, whichever comes first.
        (format!("SELECT x FROM {numbers} a(x) ORDER BY x % 1000, x DESC"), 408, "GRID-04"),
        ("SELECT * FROM samples".to_owned(), 400, "GRID-0"),
        (
            format!("SELECT count(*) FROM (SELECT DISTINCT repeat('x', 1000000) || x FROM {numbers} a(x))"),
            400,
            "GRID-0",
        ),
        (chain(" + 1", 1_000_000), 400, "operators"),
        (chain(" UNION SELECT 1", 1_000_000), 400, "operators"),
        (format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)), 400, "GRID-0"),
        (format!("SELECT '{}'", "x".repeat(2 << 20)), 413, "GRID-0"),
    ];
    for (query, status, code) in cases {
        let began = Instant::now();
        let shown = &query[..query.len().min(80)];
        let Ok((got, _, body)) = grid.sql_raw("t", &query, "application/json").await else {
            // Rows were under way already: the answer is cut off, so that nobody takes it for whole.
            ensure!(began.elapsed() < Duration::from_secs(20), "{shown} took {:?}", began.elapsed());
            continue;
        };
        let body = String::from_utf8_lossy(&body);
        let refused = (400..600).contains(&got) || got == 200 && body.contains("GRID-0");
        ensure!(
            refused && body.contains(code),
            "{shown} answered {got} (expected {status}): {}",
            &body[..body.len().min(400)]
        );
        ensure!(began.elapsed() < Duration::from_secs(20), "{shown} took {:?}", began.elapsed());
        // Somebody else is answered meanwhile and after.
        ensure!(grid.count("t", "SELECT count(*) FROM series").await? == 10_000);
    }
    let now = now_ms() / 1000;
    for query in [
        "max_over_time((sum(m))[1000d:1s])",
        "sum(m * on () group_left () m)",
        "count(max_over_time(quantile_over_time(0.5, m[1h:1s])[1d:1s]))",
    ] {
        let began = Instant::now();
        let url = format!("{}/prometheus/api/v1/query_range", grid.http);
        let form =
            [("query", query), ("start", &(now - 86_400).to_string()), ("end", &now.to_string()), ("step", "10")];
        let answer = grid.client.get(url).query(&form).header("x-scope-orgid", "t").send().await.context("ask")?;
        let (status, text) = (answer.status().as_u16(), answer.text().await?);
        ensure!(status != 500, "{query} answered {status}: {}", &text[..text.len().min(400)]);
        ensure!(began.elapsed() < Duration::from_secs(20), "{query} took {:?}", began.elapsed());
    }
    // All of it was given back.
    let mut used = f64::MAX;
    for _ in 0..100 {
        used = metric(&grid, "grid_query_running").await?;
        if used == 0.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    figure("bounds_queries", used == 0.0, "eight statements and three expressions refused or ended in time");
    ensure!(used == 0.0, "{used} queries still run");
    Ok(())
}
