//! What a person sees who mistyped.

use expect_test::expect;

use super::bed::{Bed, log, samples, series};

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_where_and_what_was_meant() {
    let bed = Bed::new().await;
    bed.write(log(10, "a", "INFO", "x", &[])).await;
    bed.write(samples(&series(&[("__name__", "node_cpu_seconds_total"), ("mode", "idle")]), &[(10, 1.0)])).await;
    for (sql, expected) in [
        (
            "SELECT * FROM log",
            expect![[r#"
            GRID-0402: there is no table log
            hint: did you mean logs?
            at: line 1, column 15
        "#]],
        ),
        (
            "SELECT * FROM node_cpu_seconds_total",
            expect![[r#"
            GRID-0402: there is no table node_cpu_seconds_total
            hint: did you mean metrics.node_cpu_seconds_total?
            at: line 1, column 15
        "#]],
        ),
        (
            "SELECT * FROM metrics.node_cpu_second_total",
            expect![[r#"
            GRID-0402: there is no table metrics.node_cpu_second_total
            hint: did you mean metrics.node_cpu_seconds_total?
            at: line 1, column 15
        "#]],
        ),
        (
            "SELECT * FROM other.logs",
            expect![[r#"
                GRID-0402: there is no table other.logs
                hint: did you mean logs?
                at: line 1, column 15
            "#]],
        ),
        (
            "SELECT * FROM grid.file",
            expect![[r#"
            GRID-0402: there is no table grid.file
            hint: did you mean grid.files?
            at: line 1, column 15
        "#]],
        ),
        (
            "SELECT severty FROM logs",
            expect![[r#"
            GRID-0403: there is no column severty
            hint: did you mean severity?
            at: line 1, column 8
        "#]],
        ),
        (
            "SELECT l.nothing_like_it FROM logs l",
            expect![[r#"
            GRID-0403: there is no column nothing_like_it
            hint: the columns are time, observed_time, severity, severity_number, service, body, body_structured, stream_id, labels, trace_id, span_id, flags, event_name, resource, scope_name, scope_version, scope_attributes, attributes, dropped_attributes_count
            at: line 1, column 8
        "#]],
        ),
        (
            "SELECT time_buckt('5m', time) FROM logs",
            expect![[r#"
            GRID-0404: there is no function time_buckt
            hint: did you mean time_bucket?
            at: line 1, column 8
        "#]],
        ),
        (
            "SELECT quantil(1) FROM logs",
            expect![[r#"
            GRID-0404: there is no function quantil
            hint: did you mean quantile_cont?
            at: line 1, column 8
        "#]],
        ),
        (
            "SELEC 1",
            expect![[r#"
            GRID-0400: Expected: an SQL statement, found: SELEC
            at: line 1, column 1
        "#]],
        ),
        (
            "SELECT 1 +",
            expect![[r#"
            GRID-0400: Expected: an expression, found: EOF
        "#]],
        ),
        (
            "SELECT 'a",
            expect![[r#"
            GRID-0400: Unterminated string literal
            at: line 1, column 8
        "#]],
        ),
        (
            "SELECT time_bucket('5 parsecs', time) FROM logs",
            expect![[r#"
            GRID-0405: "5 parsecs" is no duration: write 30s, 5m, 2h30m, 1d or '1 month'
        "#]],
        ),
        (
            "SELECT time_bucket(5, time) FROM logs",
            expect![[r#"
                GRID-0405: time_bucket takes an interval such as '5m', not Int64
            "#]],
        ),
        (
            "SELECT match(body, 'a AND') FROM logs",
            expect![[r#"
            GRID-0405: match: AND at byte 2 lacks an operand in "a AND"
        "#]],
        ),
        (
            "SELECT service, body FROM logs GROUP BY service",
            expect![[r#"
                GRID-0405: column logs.body is neither grouped by nor within an aggregate
                hint: add logs.body to GROUP BY
                at: line 1, column 17
            "#]],
        ),
        (
            "SELECT body + 1 FROM logs",
            expect![[r#"
            GRID-0405: Cannot coerce arithmetic expression Utf8View + Int64 to valid types
            at: line 1, column 8
        "#]],
        ),
        (
            "SELECT CAST(body AS INT) FROM logs",
            expect![[r#"
            GRID-0407: Cast error: Cannot cast string 'x' to value of Int32 type
        "#]],
        ),
        (
            "SELECT 1 / 0",
            expect![[r#"
            GRID-0407: Divide by zero error
        "#]],
        ),
        (
            "DROP TABLE logs",
            expect![[r#"
            GRID-0401: DROP TABLE is not allowed: only queries are
            hint: use SELECT, WITH, VALUES, SHOW, DESCRIBE or EXPLAIN, one statement at a time
        "#]],
        ),
        (
            "SELECT 1; SELECT 2",
            expect![[r#"
            GRID-0401: more than one statement is not allowed: only queries are
            hint: use SELECT, WITH, VALUES, SHOW, DESCRIBE or EXPLAIN, one statement at a time
        "#]],
        ),
        (
            "SELECT $1",
            expect![[r#"
            GRID-0406: there is no parameter $1: 0 were given
            hint: give one value in `params` for each $1, $2, ...
        "#]],
        ),
        (
            "SELECT * FROM '/etc/passwd'",
            expect![[r#"
            GRID-0402: there is no table "/etc/passwd"
            hint: SHOW TABLES lists what there is
        "#]],
        ),
        (
            "SELECT * FROM read_parquet('/etc/passwd')",
            expect![[r#"
            GRID-0402: there is no table read_parquet
            hint: SHOW TABLES lists what there is
            at: line 1, column 15
        "#]],
        ),
        (
            "SELECT rate(value) FROM samples",
            expect![[r#"
                GRID-0405: rate is written rate(value, time) or rate(value, time, series_id)
            "#]],
        ),
        (
            "SELECT histogram_quantile(0.5, value) FROM samples",
            expect![[r#"
                GRID-0405: histogram_quantile takes a share between 0 and 1 and a column histogram
            "#]],
        ),
        (
            "SELECT time, count(*) FROM logs",
            expect![[r#"
                GRID-0405: column logs.time is neither grouped by nor within an aggregate
                hint: add logs.time to GROUP BY
                at: line 1, column 8
            "#]],
        ),
    ] {
        bed.check(sql, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_values_not_text() {
    let bed = Bed::new().await;
    bed.write(log(10, "it's", "INFO", "x", &[])).await;
    let ask = |sql: &str, params: Vec<serde_json::Value>| {
        let request = crate::SqlRequest { params, ..crate::SqlRequest::new(bed.tenant.clone(), sql) };
        bed.run(request)
    };
    let text = ask(
        "SELECT count(*) FROM logs WHERE service = $1 AND time > $2",
        vec!["it's".into(), "2026-01-01T00:00:00Z".into()],
    );
    assert_eq!(text.await.unwrap().lines().nth(1), Some("1"));
    let text = ask("SELECT ? + ? AS x, ? AS y LIMIT ?", vec![1.into(), 2.5.into(), serde_json::Value::Null, 1.into()]);
    assert_eq!(text.await.unwrap(), "x,y\n3.5,\n");
    assert!(ask("SELECT 1", vec![1.into()]).await.is_err());
}
