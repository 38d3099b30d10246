//! `metrics."NAME"`, `series`, and the functions on samples.

use expect_test::expect;
use grid_model::histogram::{Counts, HistogramKind, Span};
use grid_model::{Histogram, Labels, SeriesDef, Write};

use super::bed::{Bed, check, histograms, metric_facts, samples, series, stale};

fn requests() -> Vec<Write> {
    let def = |job: &str, code: &str| series(&[("__name__", "http.requests_total"), ("job", job), ("code", code)]);
    vec![
        samples(&def("api", "200"), &[(60, 10.0), (45, 20.0), (30, 5.0), (15, 9.0)]),
        samples(&def("api", "500"), &[(60, 0.0), (45, 1.0), (30, stale()), (15, 2.0)]),
        samples(&def("web", "200"), &[(60, 100.0), (30, 160.0)]),
        samples(&series(&[("__name__", "up"), ("job", "api"), ("time", "t"), ("value", "v")]), &[(60, 1.0)]),
        metric_facts(60, "http.requests", "counter", "Requests."),
        metric_facts(30, "up", "gauge", "old"),
        metric_facts(20, "up", "gauge", "Whether it is up."),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_columns() {
    check(
        &requests(),
        vec![
            ("SELECT time, value, code, job FROM metrics.\"http.requests_total\" ORDER BY job, code, time", expect![[r#"
                time,value,code,job
                2026-01-14T23:59:00Z,10.0,200,api
                2026-01-14T23:59:15Z,20.0,200,api
                2026-01-14T23:59:30Z,5.0,200,api
                2026-01-14T23:59:45Z,9.0,200,api
                2026-01-14T23:59:00Z,0.0,500,api
                2026-01-14T23:59:15Z,1.0,500,api
                2026-01-14T23:59:45Z,2.0,500,api
                2026-01-14T23:59:00Z,100.0,200,web
                2026-01-14T23:59:30Z,160.0,200,web
            "#]]),
            ("SELECT sum(value) FROM metrics.\"http.requests_total\" WHERE job = 'api' AND code <> '500'", expect![[r#"
                sum(value)
                44.0
            "#]]),
            ("SELECT count(*) FROM metrics.\"http.requests_total\" WHERE code = '500'", expect![[r#"
                count(*)
                3
            "#]]),
            ("SELECT job, max(value) FROM metrics.\"http.requests_total\" WHERE code LIKE '2%' GROUP BY job ORDER BY job", expect![[r#"
                job,max(value)
                api,20.0
                web,160.0
            "#]]),
            ("SELECT count(*) FROM metrics.\"http.requests_total\" WHERE job = 'none'", expect![[r#"
                count(*)
                0
            "#]]),
            ("SELECT job, value FROM metrics.\"http.requests_total\" WHERE job = 'web' OR value > 15 ORDER BY value", expect![[r#"
                job,value
                api,20.0
                web,100.0
                web,160.0
            "#]]),
            ("SELECT * FROM metrics.up", expect![[r#"
                time,value,job,label_time,label_value,series_id
                2026-01-14T23:59:00Z,1.0,api,t,v,12851201090116369286
            "#]]),
            ("SELECT job, code, increase(value, time) AS inc FROM metrics.\"http.requests_total\" GROUP BY job, code ORDER BY job, code", expect![[r#"
                job,code,inc
                api,200,19.0
                api,500,2.0
                web,200,60.0
            "#]]),
            ("SELECT job, rate(value, time, series_id) AS r FROM metrics.\"http.requests_total\" GROUP BY job ORDER BY job", expect![[r#"
                job,r
                api,0.4666666666666667
                web,2.0
            "#]]),
            ("SELECT time_bucket('30s', time) AS t, sum(value) AS v FROM metrics.\"http.requests_total\" WHERE job = 'api' GROUP BY t ORDER BY t", expect![[r#"
                t,v
                2026-01-14T23:59:00Z,31.0
                2026-01-14T23:59:30Z,16.0
            "#]]),
            ("SELECT metric, type, help, unit, labels, created_time IS NOT NULL AS dated FROM series ORDER BY metric, labels['job'], labels['code']", expect![[r#"
                metric,type,help,unit,labels,dated
                http.requests_total,counter,Requests.,s,"{""code"":""200"",""job"":""api""}",true
                http.requests_total,counter,Requests.,s,"{""code"":""500"",""job"":""api""}",true
                http.requests_total,counter,Requests.,s,"{""code"":""200"",""job"":""web""}",true
                up,gauge,Whether it is up.,s,"{""job"":""api"",""time"":""t"",""value"":""v""}",true
            "#]]),
            ("SELECT count(*) FROM series WHERE labels['job'] = 'api'", expect![[r#"
                count(*)
                3
            "#]]),
            ("SELECT metric FROM series WHERE type = 'gauge'", expect![[r#"
                metric
                up
            "#]]),
            ("SELECT table_name FROM information_schema.tables WHERE table_schema = 'metrics' ORDER BY 1", expect![[r#"
                table_name
                http.requests_total
                up
            "#]]),
            ("SELECT column_name FROM information_schema.columns WHERE table_schema = 'metrics' AND table_name = 'up' ORDER BY ordinal_position", expect![[r#"
                column_name
                time
                value
                job
                label_time
                label_value
                series_id
            "#]]),
            ("SELECT metric, help FROM metadata ORDER BY metric, time", expect![[r#"
                metric,help
                http.requests,Requests.
                up,old
                up,Whether it is up.
            "#]]),
            ("SELECT value > 1.5 AS big, value * 0.1 AS tenth FROM metrics.up", expect![[r#"
                big,tenth
                false,0.1
            "#]]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn distributions_have_quantiles() {
    let explicit = |counts: &[u64]| Histogram {
        count: counts.iter().sum(),
        sum: Some(12.5),
        bounds: vec![0.1, 0.5, 1.0],
        positive_counts: Counts::Int(counts.to_vec()),
        ..Histogram::default()
    };
    let native = Histogram {
        kind: HistogramKind::Native,
        count: 4,
        schema: Some(0),
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive_counts: Counts::Int(vec![1, 3]),
        ..Histogram::default()
    };
    let otlp = SeriesDef {
        labels: Labels::of(&[("__name__", "latency")]),
        otlp: Some(grid_model::series::OtlpIdentity {
            name: "latency".into(),
            kind: grid_model::series::MetricKind::Histogram,
            ..Default::default()
        }),
    };
    let writes = [
        histograms(&otlp, &[(60, explicit(&[5, 3, 1, 1])), (30, explicit(&[0, 0, 10, 0]))]),
        histograms(&series(&[("__name__", "native")]), &[(60, native)]),
        samples(&series(&[("__name__", "plain")]), &[(60, 1.0)]),
        metric_facts(60, "native", "histogram", ""),
    ];
    check(
        &writes,
        vec![
            ("SELECT time, histogram_quantile(0.5, histogram) AS p50, histogram['count'] AS n FROM metrics.latency ORDER BY time", expect![[r#"
                time,p50,n
                2026-01-14T23:59:00Z,0.1,10
                2026-01-14T23:59:30Z,0.75,10
            "#]]),
            ("SELECT histogram_quantile(0.9, histogram) AS p90, value FROM metrics.native", expect![[r#"
                p90,value
                1.8234449771164336,
            "#]]),
            ("SELECT * FROM metrics.plain", expect![[r#"
                time,value,series_id
                2026-01-14T23:59:00Z,1.0,2854895708268457586
            "#]]),
            ("SELECT count(histogram), count(value) FROM samples", expect![[r#"
                count(histogram),count(value)
                3,1
            "#]]),
            ("SELECT metric, type, otlp_name FROM series ORDER BY metric", expect![[r#"
                metric,type,otlp_name
                latency,histogram,latency
                native,histogram,
                plain,,
            "#]]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_which_series_matched() {
    let bed = Bed::new().await;
    for write in requests() {
        bed.write(write).await;
    }
    bed.store.flush().await.unwrap();
    let plan = bed.csv("EXPLAIN ANALYZE SELECT count(*) FROM metrics.\"http.requests_total\" WHERE code = '500'").await;
    assert!(plan.contains("series=1/3"), "{plan}");
    assert!(plan.contains("series_matched=1, series_pruned=2"), "{plan}");
    assert!(plan.contains("row_groups_pruned_statistics"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn few_of_many_series_are_found_everywhere() {
    let def = |i: usize| {
        series(&[
            ("__name__", "many"),
            ("i", &i.to_string()),
            ("parity", if i.is_multiple_of(2) { "even" } else { "odd" }),
        ])
    };
    let noise = |name: &str| samples(&series(&[("__name__", name)]), &[(100, 1.0), (50, 2.0), (10, 3.0)]);
    let mut writes = vec![noise("a"), noise("zz")];
    for round in 0..4_i64 {
        for i in 0..24 {
            // Rounds overlap by one sample, so that files must be merged.
            let rows: Vec<(i64, f64)> = (0..6).map(|k| (100 - 5 * (round * 5 + k), (round * 100 + k) as f64)).collect();
            writes.push(samples(&def(i), &rows));
        }
    }
    check(
        &writes,
        vec![
            ("SELECT count(*), sum(value) FROM metrics.many", expect![[r#"
                count(*),sum(value)
                504,80280.0
            "#]]),
            ("SELECT time, value, i FROM metrics.many WHERE i = '7' AND time < '2026-01-14T23:58:55Z' ORDER BY time", expect![[r#"
                time,value,i
                2026-01-14T23:58:20Z,0.0,7
                2026-01-14T23:58:25Z,1.0,7
                2026-01-14T23:58:30Z,2.0,7
                2026-01-14T23:58:35Z,3.0,7
                2026-01-14T23:58:40Z,4.0,7
                2026-01-14T23:58:45Z,100.0,7
                2026-01-14T23:58:50Z,101.0,7
            "#]]),
            ("SELECT i, count(*) AS n, max(value) FROM metrics.many WHERE i IN ('3', '20') AND value > 100 GROUP BY i ORDER BY i", expect![[r#"
                i,n,max(value)
                20,15,305.0
                3,15,305.0
            "#]]),
            ("SELECT parity, count(*) FROM metrics.many GROUP BY parity ORDER BY parity", expect![[r#"
                parity,count(*)
                even,252
                odd,252
            "#]]),
            ("SELECT count(*) FROM samples", expect![[r#"
                count(*)
                510
            "#]]),
            ("SELECT max(time) FROM metrics.many WHERE i = '7'", expect![[r#"
                max(time)
                2026-01-15T00:00:00Z
            "#]]),
        ],
    )
    .await;
}

/// What one aggregate does not need must not be kept from another. It depends on which partition is first, so it is asked often.
#[tokio::test(flavor = "multi_thread")]
async fn extremes_of_one_statement_do_not_hide_rows_from_each_other() {
    let bed = Bed::new().await;
    // Fractions are stored as they are, with extremes by which row groups are left out.
    let value = |ago: i64| ((ago + 3) as f64).sqrt();
    let oldest = 11 * 86_400 + 99;
    for day in 0..12_i64 {
        for disk in 0..8 {
            let free = series(&[("__name__", "free"), ("disk", &disk.to_string())]);
            let rows: Vec<(i64, f64)> = (0..100).map(|i| day * 86_400 + i).map(|ago| (ago, value(ago))).collect();
            bed.write(samples(&free, &rows)).await;
        }
        bed.store.flush().await.unwrap();
    }
    let at = |ago: i64| format!("TIMESTAMP '{}'", super::bed::at(ago));
    for (aggregates, expected) in [
        (
            format!(
                "min(value) FILTER (WHERE time > {}), max(value) FILTER (WHERE time < {})",
                at(10),
                at(11 * 86_400)
            ),
            format!("{},{}", value(0), value(oldest)),
        ),
        ("max(value), min(value)".to_owned(), format!("{},{}", value(oldest), value(0))),
        ("min(value), min(-value)".to_owned(), format!("{},{}", value(0), -value(oldest))),
    ] {
        let sql = format!("SELECT {aggregates} FROM metrics.free WHERE disk = '7' AND time > {}", at(20 * 86_400));
        for _ in 0..20 {
            assert_eq!(bed.csv(&sql).await.lines().nth(1), Some(expected.as_str()), "{sql}");
        }
    }
}
