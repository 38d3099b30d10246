//! Every input that fuzzing kept for the guard must still be judged without a panic; and where its corpus' first inputs come from.
//!
//! `GRID_WRITE_FUZZ_SEEDS=1 cargo test --test fuzz_corpus` writes the seeds anew; fuzzing then adds to them.
#![allow(clippy::unwrap_used)]

use std::path::Path;

const SEEDS: [&str; 24] = [
    "SELECT service, count(*) FROM logs WHERE match(body, 'x') AND time > now() - INTERVAL '1 hour' GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
    "WITH a AS (SELECT 1 AS x), b AS (SELECT * FROM a) SELECT * FROM b JOIN a USING (x)",
    "VALUES (1, 'a'), (2, NULL)",
    "SHOW TABLES",
    "SHOW COLUMNS FROM logs",
    "DESCRIBE logs",
    "EXPLAIN ANALYZE VERBOSE SELECT 1",
    "EXPLAIN FORMAT INDENT SELECT 1",
    "(SELECT 1) UNION ALL (SELECT 2) EXCEPT SELECT 3",
    "SELECT $1 + ? FROM samples WHERE labels['a'] = $2",
    "SELECT CASE WHEN a THEN b ELSE c END, CAST(x AS DECIMAL(38, 18)), y::int, attributes->>'k'",
    "SELECT sum(x) FILTER (WHERE y) OVER (PARTITION BY z ORDER BY t ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT * FROM t WHERE a IN (SELECT b FROM c WHERE EXISTS (SELECT 1)) AND d BETWEEN 1 AND 2 OR e IS NOT DISTINCT FROM f",
    "SELECT * FROM generate_series(1, 10) AS g(x) CROSS JOIN LATERAL (SELECT g.x) q",
    "SELECT 1 INTO t",
    "WITH a AS (INSERT INTO t VALUES (1) RETURNING *) SELECT 1",
    "COPY (SELECT 1) TO '/tmp/x' STORED AS PARQUET",
    "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    "SET datafusion.execution.batch_size = 1",
    "DELETE FROM logs WHERE a = 'b'",
    "SELECT E'\\n', U&'\\0061', $$a$$, $t$b$t$, X'00', 1e400, 0x1F, 'it''s', \"q\"",
    "SELECT /* c /* d */ */ 1 -- e",
    "SELECT * FROM logs FOR UPDATE",
    "TABLE logs",
];

#[test]
fn every_kept_input_is_still_judged() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/sql_guard");
    if std::env::var_os("GRID_WRITE_FUZZ_SEEDS").is_some() {
        std::fs::create_dir_all(&corpus).unwrap();
        for (i, seed) in SEEDS.iter().enumerate() {
            std::fs::write(corpus.join(format!("seed-{i}")), seed).unwrap();
        }
    }
    let mut inputs = 0;
    for entry in std::fs::read_dir(&corpus).unwrap_or_else(|e| panic!("no corpus of sql_guard: {e}")) {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        if let Ok(mut statement) = grid_sql_guard::parse(&String::from_utf8_lossy(&bytes), &[]) {
            grid_sql_guard::name_columns(&mut statement);
        }
        inputs += 1;
    }
    assert!(inputs > 0, "the corpus of sql_guard is empty");
}
