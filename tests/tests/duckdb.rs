//! The files that `grid.files` names are plain Parquet: DuckDB reads the same rows from them as Grid's own SQL answers.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use grid_tests::answer::same_rows;
use grid_tests::server::Row;
use grid_tests::wire::{JSON_HEADERS, REMOTE_WRITE_HEADERS, otlp_gauge, otlp_logs, otlp_span, remote_write};
use grid_tests::{Grid, figure, now_ns, peers, run_grid, skip};
use serde_json::Value;

const FOCUS: &str = "BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,\
BilledCost,EffectiveCost,ListCost,ContractedCost,ChargeCategory,ServiceName,Tags\n\
a1,USD,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,2026-01-02T00:00:00Z,2026-01-03T00:00:00Z,1.25,1.00,1.5,1.25,Usage,Compute,\
\"{\"\"team\"\":\"\"a\"\"}\"\n\
a1,EUR,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,2026-01-03T00:00:00Z,2026-01-04T00:00:00Z,0.000000000000000001,0,0,0,Tax,,\n";

/// What both sides are asked: name, Grid's query, DuckDB's query on views named like the tables.
const QUERIES: [(&str, &str, &str); 5] = [
    (
        "samples",
        "SELECT s.metric, s.labels, x.time, x.value FROM samples x JOIN series s ON x.series_id = s.series_id",
        "SELECT s.metric, s.labels, epoch_ns(x.time) AS time, coalesce(x.value, CASE WHEN x.value_scale < 1 \
         THEN (x.value_mantissa + coalesce(x.value_base, 0)) * abs(x.value_scale) \
         ELSE (x.value_mantissa + coalesce(x.value_base, 0)) / x.value_scale END) AS value \
         FROM samples x JOIN series s USING (series_id)",
    ),
    (
        "logs",
        "SELECT time, severity_number, service, body, stream_id, labels, attributes, resource FROM logs",
        "SELECT epoch_ns(time) AS time, severity_number, service, body, stream_id, labels, attributes, resource FROM logs",
    ),
    (
        "spans",
        "SELECT start_time, duration_ns, trace_id, span_id, service, name, kind, attributes, cardinality(events) AS events FROM spans",
        "SELECT epoch_ns(start_time) AS start_time, duration_ns, trace_id, span_id, service, name, kind, attributes, \
         len(events) AS events FROM spans",
    ),
    (
        "exemplars",
        "SELECT series_id, time, value, trace_id, attributes FROM exemplars",
        "SELECT series_id, epoch_ns(time) AS time, value, trace_id, attributes FROM exemplars",
    ),
    (
        "charges",
        "SELECT charge_period_start, billing_currency, billed_cost, effective_cost, service_name, import_id FROM charges",
        "SELECT epoch_ns(charge_period_start) AS charge_period_start, billing_currency, billed_cost, effective_cost, \
         service_name, import_id FROM charges",
    ),
];

#[tokio::test]
async fn duckdb_reads_the_same_rows() -> anyhow::Result<()> {
    let python = match peers::python() {
        Ok(python) => python,
        Err(reason) => return skip("duckdb", reason),
    };
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("data");
    let bill = folder.path().join("bill.csv");
    std::fs::write(&bill, FOCUS)?;
    let [bill, dir] = [&bill, &data_dir].map(|p| p.to_str().unwrap_or_default().to_owned());
    run_grid(&["import", "bill", &bill, "--dataset", "test/focus", "--data-dir", &dir]).await?;
    let options = grid_tests::Options { data_dir: Some(data_dir.clone()), ..grid_tests::Options::default() };
    let grid = Grid::start_with(options).await?;
    for round in 0..3 {
        write(&grid, round).await?;
        grid.flush().await?;
    }
    let mut rows = 0;
    for state in ["flushed", "compacted"] {
        let views = views(&grid).await?;
        for (table, ours, theirs) in QUERIES {
            let mut args = vec![theirs];
            args.extend(views.iter().map(String::as_str));
            let answer = peers::run_python(&python, "duckdb_read.py", &args).await.with_context(|| table.to_owned())?;
            let answer: Vec<Row> = answer.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
            ensure!(!answer.is_empty(), "no rows of {table}");
            rows += answer.len();
            same_rows(&format!("{table}, {state}"), grid.sql("default", ours).await?, answer)?;
        }
        grid.compact().await?;
    }
    figure(
        "duckdb",
        true,
        format!("{rows} rows of {} tables equal, flushed and compacted (DuckDB 2.0.0)", QUERIES.len()),
    );
    Ok(())
}

async fn write(grid: &Grid, round: i64) -> anyhow::Result<()> {
    let now = now_ns() - round * 1_000_000_000;
    for pod in 0..20 {
        let pod_name = format!("pod-{pod}");
        let labels = [("__name__", "duck_requests_total"), ("pod", pod_name.as_str())];
        // Values that formats like to lose: a stale marker, an infinity, minus zero, a denormal.
        let odd = [f64::from_bits(0x7ff0_0000_0000_0002), f64::INFINITY, -0.0, 5e-324];
        let samples: Vec<_> = (0..30)
            .map(|i| {
                (now / 1_000_000 - i * 10, if pod == 0 && i < 4 { odd[i as usize] } else { (pod * i) as f64 / 3.0 })
            })
            .collect();
        grid.post_ok("/api/v1/write", "default", &REMOTE_WRITE_HEADERS, remote_write(&labels, &samples)).await?;
    }
    let lines: Vec<_> = (0..100).map(|i| (now + i, format!("line {i} of round {round}"))).collect();
    grid.post_ok("/v1/logs", "default", &JSON_HEADERS, otlp_logs("duck", &lines)).await?;
    for i in 0..10 {
        let trace = format!("{:032x}", round * 100 + i + 1);
        let span = otlp_span("duck", &format!("op {i}"), &trace, "00f067aa0ba902b7", now, i * 1000);
        grid.post_ok("/v1/traces", "default", &JSON_HEADERS, span).await?;
        let gauge = otlp_gauge("duck", "duck.gauge", &format!("m{i}"), now + i, i as f64 / 7.0, &trace);
        grid.post_ok("/v1/metrics", "default", &JSON_HEADERS, gauge).await?;
    }
    Ok(())
}

/// `TABLE=FILE,FILE` for every table, from the tenant's files as `grid.files` names them.
async fn views(grid: &Grid) -> anyhow::Result<Vec<String>> {
    let rows = grid.sql("default", "SELECT \"table\", path FROM grid.files").await?;
    let mut files = BTreeMap::<String, Vec<String>>::new();
    for row in rows {
        let cell = |key: &str| {
            row.get(key).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("{key} of {row:?}"))
        };
        files.entry(cell("table")?).or_default().push(cell("path")?);
    }
    Ok(files.into_iter().map(|(table, files)| format!("{table}={}", files.join(","))).collect())
}
