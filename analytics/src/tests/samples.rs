//! `samples`: the later write wins, wherever both rest.

use std::collections::BTreeMap;

use expect_test::expect;
use grid_model::Write;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::bed::{Bed, check, samples, series, stale};

#[tokio::test(flavor = "multi_thread")]
async fn the_later_write_wins() {
    let (a, b) = (series(&[("__name__", "up"), ("job", "a")]), series(&[("__name__", "down"), ("job", "b")]));
    let writes = [
        samples(&a, &[(60, 1.0), (50, 2.0), (40, 3.0)]),
        samples(&b, &[(60, 10.0), (50, 20.0)]),
        samples(&a, &[(50, 7.0), (30, 4.0)]),
        samples(&b, &[(60, stale()), (55, -0.0)]),
        samples(&a, &[(60, 0.5), (50, 8.0), (20, f64::NAN)]),
    ];
    check(
        &writes,
        vec![
            ("SELECT count(*) FROM samples", expect![[r#"
                count(*)
                8
            "#]]),
            ("SELECT time, value, is_stale FROM samples ORDER BY series_id, time", expect![[r#"
                time,value,is_stale
                2026-01-14T23:59:00Z,0.5,false
                2026-01-14T23:59:10Z,8.0,false
                2026-01-14T23:59:20Z,3.0,false
                2026-01-14T23:59:30Z,4.0,false
                2026-01-14T23:59:40Z,NaN,false
                2026-01-14T23:59:00Z,NaN,true
                2026-01-14T23:59:05Z,-0.0,false
                2026-01-14T23:59:10Z,20.0,false
            "#]]),
            // The older rows of the key are 2 and 7; neither may come back when the newest fails the condition.
            ("SELECT time, value FROM samples WHERE value < 7.5 ORDER BY value, time", expect![[r#"
                time,value
                2026-01-14T23:59:05Z,-0.0
                2026-01-14T23:59:00Z,0.5
                2026-01-14T23:59:20Z,3.0
                2026-01-14T23:59:30Z,4.0
            "#]]),
            ("SELECT count(*) FROM samples WHERE is_stale", expect![[r#"
                count(*)
                1
            "#]]),
            ("SELECT count(*) FROM samples WHERE NOT is_stale AND value = 10", expect![[r#"
                count(*)
                0
            "#]]),
            ("SELECT max(value) FROM samples WHERE time = '2026-01-14T23:59:10Z'", expect![[r#"
                max(value)
                20.0
            "#]]),
            ("SELECT s.metric, count(*) AS n FROM samples JOIN series s USING (series_id) GROUP BY s.metric ORDER BY 1", expect![[r#"
                metric,n
                down,3
                up,5
            "#]]),
            ("SELECT histogram FROM samples LIMIT 1", expect![[r#"
                histogram

            "#]]),
            ("SELECT value_int, start_time FROM samples LIMIT 1", expect![[r#"
                value_int,start_time
                ,
            "#]]),
        ],
    )
    .await;
}

/// Whatever is written in whatever pieces, flushed and compacted whenever: the answer is that of a map.
#[test]
fn any_split_gives_the_same_answer() {
    let op = prop_oneof![
        8 => prop::collection::vec((0..4_u8, 0..30_i64, -5..50_i32), 1..12).prop_map(Op::Write),
        2 => Just(Op::Flush),
        1 => Just(Op::Compact),
    ];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    runner
        .run(&prop::collection::vec(op, 1..14), |ops| {
            runtime.block_on(replay(ops));
            Ok(())
        })
        .unwrap();
}

#[derive(Debug, Clone)]
enum Op {
    Write(Vec<(u8, i64, i32)>),
    Flush,
    Compact,
}

async fn replay(ops: Vec<Op>) {
    let bed = Bed::new().await;
    let defs: Vec<_> = (0..4)
        .map(|i| series(&[("__name__", if i % 2 == 0 { "even" } else { "odd" }), ("i", &i.to_string())]))
        .collect();
    let mut model: BTreeMap<(u8, i64), f64> = BTreeMap::new();
    for op in ops {
        match op {
            Op::Flush => drop(bed.store.flush().await.unwrap()),
            Op::Compact => drop(bed.store.compact().await.unwrap()),
            Op::Write(rows) => {
                for (i, ago, value) in rows {
                    // A negative value stands for a stale marker.
                    let value = if value < 0 { stale() } else { f64::from(value) };
                    bed.write(samples(&defs[usize::from(i)], &[(ago, value)])).await;
                    model.insert((i, ago), value);
                }
            }
        }
    }
    let is_stale = |v: &f64| v.is_nan();
    let rows = |keep: &dyn Fn(u8, i64, f64) -> bool| model.iter().filter(|((i, ago), v)| keep(*i, *ago, **v)).count();
    let cases: Vec<(&str, usize)> = vec![
        ("SELECT count(*) FROM samples", model.len()),
        ("SELECT count(*) FROM samples WHERE is_stale", model.values().filter(|v| is_stale(v)).count()),
        ("SELECT count(*) FROM samples WHERE value < 20 AND NOT is_stale", rows(&|_, _, v| v < 20.0)),
        ("SELECT count(*) FROM samples WHERE time >= '2026-01-14T23:59:45Z'", rows(&|_, ago, _| ago <= 15)),
        ("SELECT count(*) FROM (SELECT DISTINCT series_id, time FROM samples)", model.len()),
    ];
    for (sql, expected) in cases {
        let text = bed.csv(sql).await;
        assert_eq!(text.lines().nth(1), Some(expected.to_string().as_str()), "{sql}");
    }
    if model.keys().any(|(i, _)| *i % 2 == 0) {
        let live = rows(&|i, _, v| i % 2 == 0 && !is_stale(&v));
        let text = bed.csv("SELECT count(*) FROM metrics.even").await;
        assert_eq!(text.lines().nth(1), Some(live.to_string().as_str()));
        let zero = rows(&|i, _, v| i == 0 && v >= 10.0);
        let text = bed.csv("SELECT count(*) FROM metrics.even WHERE i = '0' AND value >= 10").await;
        assert_eq!(text.lines().nth(1), Some(zero.to_string().as_str()));
        let sum: f64 = model.iter().filter(|((i, _), v)| i % 2 == 0 && !is_stale(v)).map(|(_, v)| v).sum();
        let text = bed.csv("SELECT coalesce(sum(value), 0) FROM metrics.even").await;
        assert_eq!(text.lines().nth(1).unwrap().parse::<f64>().unwrap(), sum);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_is_a_fence() {
    let bed = Bed::new().await;
    let a = series(&[("__name__", "up")]);
    bed.write(samples(&a, &[(60, 1.0), (50, 2.0)])).await;
    bed.store.flush().await.unwrap();
    bed.write(samples(&a, &[(40, 3.0), (30, 4.0)])).await;
    let range = grid_model::TimeRange { start: super::bed::at(50), end: super::bed::at(30) };
    for (sql, expected) in [
        ("SELECT count(*) FROM samples", "2"),
        ("SELECT count(*) FROM metrics.up", "2"),
        ("SELECT sum(value) FROM samples WHERE time < '2030-01-01T00:00:00Z'", "5.0"),
    ] {
        let scope = grid_model::Scope { tenant: bed.tenant.clone(), range };
        let request = crate::SqlRequest { scope, ..crate::SqlRequest::new(bed.tenant.clone(), sql) };
        let text = bed.run(request).await.unwrap();
        assert_eq!(text.lines().nth(1), Some(expected), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_rows_are_gone() {
    let bed = Bed::new().await;
    let logs: Vec<Write> = (0..6)
        .map(|i| super::bed::log(i * 10, if i % 2 == 0 { "a" } else { "b" }, "INFO", &format!("n {i}"), &[]))
        .collect();
    for write in logs {
        bed.write(write).await;
    }
    let scope = grid_model::Scope::all(bed.tenant.clone());
    let report =
        bed.engine.delete(&scope, grid_model::Table::Logs, "service = 'a' AND match(body, 'n 2')").await.unwrap();
    assert_eq!(report.rows_deleted, 1);
    bed.check(
        "SELECT body FROM logs ORDER BY body",
        expect![[r#"
        body
        n 0
        n 1
        n 3
        n 4
        n 5
    "#]],
    )
    .await;
    for bad in
        ["1", "nothing = 1", "random() > 0.5", "service = 'a'; DROP TABLE logs", "body IN (SELECT body FROM logs)"]
    {
        assert!(bed.engine.delete(&scope, grid_model::Table::Logs, bad).await.is_err(), "{bad}");
    }
}
