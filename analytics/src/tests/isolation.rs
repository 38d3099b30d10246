//! No statement reaches another tenant or the file system.

use grid_model::{TenantId, Write};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::bed::{Bed, log, metric_facts, samples, series, span};
use crate::SqlRequest;

/// A word that only the other tenant's rows hold, in every column that can hold one.
const SECRET: &str = "zqsecretqz";

fn secrets() -> Vec<Write> {
    vec![
        log(10, SECRET, SECRET, SECRET, &[(SECRET, SECRET.into())]),
        span(10, SECRET, SECRET, 1, 0),
        samples(&series(&[("__name__", SECRET), (SECRET, SECRET)]), &[(10, 1.0)]),
        metric_facts(10, SECRET, "gauge", SECRET),
    ]
}

async fn two_tenants() -> Bed {
    let bed = Bed::new().await;
    let other = TenantId::parse("other").unwrap();
    for write in secrets() {
        bed.store.append(&other, write).await.unwrap();
    }
    bed.store.flush().await.unwrap();
    for write in secrets() {
        bed.store.append(&other, write).await.unwrap();
    }
    bed.write(log(20, "mine", "INFO", "hello", &[])).await;
    bed.write(samples(&series(&[("__name__", "mine"), ("a", "b")]), &[(10, 1.0)])).await;
    // The other tenant's query is no business of ours either.
    let theirs = SqlRequest::new(other, format!("SELECT '{SECRET}'"));
    bed.engine.sql(theirs).await.unwrap().collect().await.unwrap();
    bed
}

#[test]
fn no_statement_sees_another_tenant() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bed = runtime.block_on(two_tenants());
    let table = prop_oneof![
        prop::sample::select(vec![
            "logs",
            "spans",
            "samples",
            "series",
            "metadata",
            "exemplars",
            "charges",
            "allocations",
            "metrics.mine",
            "grid.files",
            "grid.generations",
            "grid.imports",
            "grid.rejects",
            "grid.conformance",
            "grid.queries",
            "grid.retention",
            "grid.tenants",
            "information_schema.tables",
            "information_schema.columns",
            "information_schema.schemata",
            "information_schema.views",
            "information_schema.routines",
            "information_schema.parameters",
            "information_schema.df_settings",
            "other.public.logs",
            "other.logs",
            "public.logs",
            "grid.public.logs",
            "\"other/logs\"",
            "\"../other/logs\"",
            "datafusion.public.logs",
            "pg_catalog.pg_tables",
        ])
        .prop_map(str::to_owned),
        Just(format!("metrics.\"{SECRET}\"")),
        Just("'/etc/hostname'".to_owned()),
        Just("'file:///etc/hostname'".to_owned()),
        Just("'grid-data://files/'".to_owned()),
        Just("read_csv('/etc/hostname')".to_owned()),
        Just("parquet_metadata('/etc/hostname')".to_owned()),
    ];
    let shape = prop::sample::select(vec![
        "SELECT * FROM {}",
        "SELECT count(*) FROM {}",
        "WITH x AS (SELECT * FROM {}) SELECT * FROM x",
        "TABLE {}",
        "SELECT * FROM {} UNION ALL SELECT * FROM {}",
        "SELECT (SELECT count(*) FROM {})",
        "DESCRIBE {}",
        "EXPLAIN SELECT * FROM {}",
        "EXPLAIN ANALYZE SELECT * FROM {}",
        "EXPLAIN VERBOSE SELECT * FROM {}",
        "SHOW TABLES",
        "SHOW COLUMNS FROM {}",
        "SHOW ALL",
        "SHOW FUNCTIONS",
        "COPY {} TO '/tmp/grid-test-out.csv'",
        "CREATE TABLE t AS SELECT * FROM {}",
        "CREATE VIEW v AS SELECT * FROM {}",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/hostname'",
        "INSERT INTO {} SELECT * FROM {}",
        "DELETE FROM {}",
        "UPDATE {} SET a = 1",
        "DROP TABLE {}",
        "SET x = 1",
        "PREPARE p AS SELECT * FROM {}",
        "TRUNCATE {}",
        "SELECT * INTO t FROM {}",
        "SELECT * FROM (SELECT * FROM {}) AS s JOIN {} AS u ON true LIMIT 5",
    ]);
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    runner
        .run(&(shape, table), |(shape, table)| {
            let sql = shape.replace("{}", &table);
            let text = runtime.block_on(bed.csv(&sql));
            // The statement itself may be quoted back; nothing else may hold the word.
            let text = text.replace(&sql, "").replace(&table, "").replace(&format!("metrics.{SECRET}"), "");
            prop_assert!(!text.contains(SECRET), "{sql}: {text}");
            prop_assert!(!text.contains("root:"), "{sql}: {text}");
            Ok(())
        })
        .unwrap();
    assert!(!std::path::Path::new("/tmp/grid-test-out.csv").exists());
    runtime.block_on(async {
        let other = TenantId::parse("other").unwrap();
        let theirs = bed.run(SqlRequest::new(other, "SELECT count(*) FROM logs")).await.unwrap();
        assert_eq!(theirs.lines().nth(1), Some("2"), "the other tenant still has its rows");
        let queries = bed.csv("SELECT query FROM grid.queries").await;
        assert!(!queries.contains(&format!("'{SECRET}'")), "{queries}");
    });
}
