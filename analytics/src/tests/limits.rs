//! Every bound holds, and says which it was.

use std::time::Duration;

use futures::StreamExt as _;

use super::bed::{Bed, log};
use crate::{QueryError, QueryLimits, SqlRequest};

/// Runs for minutes if nothing stops it.
const ENDLESS: &str =
    "SELECT count(*) FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y) WHERE a.x * b.y % 7 = 3";

fn limits() -> QueryLimits {
    QueryLimits { threads: 2, slow: Duration::from_millis(50), ..QueryLimits::default() }
}

/// Nothing runs any more, and all memory was given back.
async fn settled(bed: &Bed) {
    for _ in 0..2000 {
        if bed.engine.running().is_empty() && bed.engine.memory_used() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still running: {:?}, memory {}", bed.engine.running(), bed.engine.memory_used());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_query() {
    let bed = Bed::with(limits()).await;
    let request =
        SqlRequest { timeout: Some(Duration::from_millis(300)), ..SqlRequest::new(bed.tenant.clone(), ENDLESS) };
    let began = std::time::Instant::now();
    let error = bed.run(request).await.unwrap_err();
    assert!(matches!(error, QueryError::Timeout(_)), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    settled(&bed).await;
    let slow = bed.engine.slow();
    assert!(
        slow.iter().any(|q| q.query == ENDLESS && q.error.as_deref().is_some_and(|e| e.starts_with("GRID-0408"))),
        "{slow:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_can_be_ended() {
    let bed = Bed::with(limits()).await;
    let engine = bed.engine.clone();
    let request = SqlRequest { client: Some("me".into()), ..SqlRequest::new(bed.tenant.clone(), ENDLESS) };
    let query = tokio::spawn(async move { engine.sql(request).await?.collect().await.map(|_| ()) });
    let id = loop {
        match bed.engine.running().first() {
            Some(q) if q.client.as_deref() == Some("me") => break q.id.clone(),
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert!(!bed.engine.cancel_of(&grid_model::TenantId::parse("other").unwrap(), &id));
    assert!(!bed.engine.cancel("q999999") && !bed.engine.cancel("x"));
    assert!(bed.engine.cancel(&id));
    assert!(matches!(query.await.unwrap(), Err(QueryError::Cancelled)));
    settled(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_ends_its_query() {
    let bed = Bed::with(limits()).await;
    let request = SqlRequest {
        max_rows: Some(usize::MAX),
        ..SqlRequest::new(bed.tenant.clone(), "SELECT * FROM generate_series(1, 900000)")
    };
    let mut answer = bed.engine.sql(request).await.unwrap();
    assert!(answer.stream.next().await.unwrap().is_ok());
    assert_eq!(bed.engine.running().len(), 1);
    drop(answer);
    settled(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_sleeps_holds_nothing_beyond_the_deadline() {
    let bed = Bed::with(limits()).await;
    let sql = "SELECT * FROM generate_series(1, 900000)";
    let timeout = Some(Duration::from_millis(300));
    let request = SqlRequest { timeout, ..SqlRequest::new(bed.tenant.clone(), sql) };
    let mut answer = bed.engine.sql(request).await.unwrap();
    assert!(answer.stream.next().await.unwrap().is_ok());
    settled(&bed).await;
    let mut last = None;
    while let Some(next) = answer.stream.next().await {
        last = Some(next);
    }
    assert!(matches!(last, Some(Err(QueryError::Timeout(_)))), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_rows_are_an_error() {
    let bed = Bed::with(limits()).await;
    let ask = |max_rows, n| {
        let sql = format!("SELECT * FROM generate_series(1, {n})");
        bed.run(SqlRequest { max_rows, ..SqlRequest::new(bed.tenant.clone(), sql) })
    };
    assert!(ask(Some(100), 100).await.is_ok());
    assert!(matches!(ask(Some(100), 101).await, Err(QueryError::TooManyRows(100))));
    assert!(matches!(ask(None, 1_000_001).await, Err(QueryError::TooManyRows(1_000_000))));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_memory_spills_or_is_an_error() {
    let bed = Bed::with(QueryLimits { query_memory_bytes: 24 << 20, memory_bytes: 48 << 20, ..limits() }).await;
    // A sort spills.
    let sql = "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY repeat('y', 150) || CAST(value AS TEXT)) AS n
        FROM generate_series(1, 300000))";
    assert_eq!(bed.csv(sql).await, "max(n)\n300000\n");
    // What cannot spill fails, and says so.
    let error = bed
        .csv("SELECT length(string_agg(repeat('y', 1000) || CAST(value AS TEXT), '')) FROM generate_series(1, 300000)")
        .await;
    assert!(error.starts_with("GRID-0410"), "{error}");
    settled(&bed).await;
    assert!(bed.csv("SELECT 1 AS x").await.contains('1'));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_so_many_at_once() {
    let bed = Bed::with(QueryLimits { concurrent: 1, wait_max: Duration::from_millis(50), ..limits() }).await;
    let engine = bed.engine.clone();
    let request = SqlRequest::new(bed.tenant.clone(), ENDLESS);
    let first = tokio::spawn(async move { engine.sql(request).await?.collect().await.map(|_| ()) });
    while bed.engine.running().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = bed.run(SqlRequest::new(bed.tenant.clone(), "SELECT 1")).await.unwrap_err();
    assert!(matches!(error, QueryError::Busy(1)), "{error:?}");
    first.abort();
    let _ = first.await;
    for _ in 0..500 {
        if bed.run(SqlRequest::new(bed.tenant.clone(), "SELECT 1")).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the turn was not given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_outlives_flush_and_compaction() {
    let bed = Bed::with(limits()).await;
    for i in 0..50 {
        bed.write(log(i, "a", "INFO", &format!("n{i}"), &[])).await;
        if i % 10 == 9 {
            bed.store.flush().await.unwrap();
        }
    }
    let answer = bed.engine.sql(SqlRequest::new(bed.tenant.clone(), "SELECT body FROM logs")).await.unwrap();
    bed.store.compact().await.unwrap();
    let rows: usize = answer.collect().await.unwrap().iter().map(|b| b.num_rows()).sum();
    assert_eq!(rows, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_function_makes_much_of_little() {
    let bed = Bed::with(limits()).await;
    for sql in [
        "SELECT repeat('x', 2000000000)",
        "SELECT length(repeat(repeat('x', 10000), 100000))",
        "SELECT lpad('x', 2000000000, 'y')",
        "SELECT array_repeat(1, 2000000000)",
        "SELECT range(2000000000)",
        "SELECT generate_series(1, 2000000000, 1)",
        "SELECT range(TIMESTAMP '1970-01-01T00:00:00Z', TIMESTAMP '2030-01-01T00:00:00Z', INTERVAL '1 millisecond')",
        "SELECT range(DATE '1970-01-01', DATE '2030-01-01', INTERVAL '1 nanosecond')",
        "SELECT length(repeat('xxxxxxxxxxxxxxxxxxxx', value)) FROM generate_series(1, 100000)",
    ] {
        let text = bed.csv(sql).await;
        assert!(text.starts_with("GRID-04"), "{sql}: {}", &text[..text.len().min(200)]);
    }
    assert_eq!(
        bed.csv("SELECT repeat('ab', 3) AS x, lpad('1', 3, '0') AS y, range(3) AS z").await,
        "x,y,z\nababab,001,\"[0,1,2]\"\n"
    );
}

/// Flushes that compaction has not come to: what a scan of their samples holds does not grow with their number.
#[tokio::test(flavor = "multi_thread")]
async fn many_files_are_merged_within_the_memory_of_one_query() {
    const FLUSHES: i64 = 150;
    const ROWS: i64 = 3_000;
    /// How far the next flush's times begin after the ones before it, of as many seconds as a flush has rows.
    const STEPS: [(&str, i64); 2] = [("all share their times", 0), ("each overlaps the next", ROWS - 40)];
    for (what, step) in STEPS {
        let bed = Bed::with(QueryLimits { query_memory_bytes: 24 << 20, ..limits() }).await;
        let metric = |n: i64| super::bed::series(&[("__name__", "requests_total"), ("of", &n.to_string())]);
        for n in 0..FLUSHES {
            // Two flushes write each series; of the times that both have, the later one's value counts.
            let ago = |row: i64| (FLUSHES - n) * step + ROWS - row;
            let rows: Vec<(i64, f64)> = (0..ROWS).map(|row| (ago(row), n as f64)).collect();
            bed.write(super::bed::samples(&metric(n / 2), &rows)).await;
            bed.store.flush().await.unwrap();
        }
        let twice = (FLUSHES / 2) * (ROWS - step);
        let expected = FLUSHES * ROWS - twice;
        for (sql, expected) in [
            ("SELECT count(*) FROM samples", expected.to_string()),
            ("SELECT count(*) FROM metrics.requests_total", expected.to_string()),
            ("SELECT count(*) FROM (SELECT DISTINCT series_id, time FROM samples)", expected.to_string()),
            ("SELECT count(*) FROM samples WHERE value % 2 = 0", (expected - FLUSHES / 2 * ROWS).to_string()),
        ] {
            let text = bed.csv(sql).await;
            assert_eq!(text.lines().nth(1), Some(expected.as_str()), "{what}: {sql}: {text}");
        }
        settled(&bed).await;
    }
}
