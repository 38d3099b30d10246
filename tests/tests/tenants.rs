//! One tenant never sees another's data: a property over statements of every kind, answers of every format, and every
//! route that the OpenAPI document lists.
//!
//! Tenant `acme` fills every table with rows that carry a marker, and even its name is one. Tenant `beta` then asks
//! everything it can think of. Nothing it is answered may hold a marker, and nothing it does may change what `acme` sees.

use std::sync::OnceLock;

use anyhow::{Context, ensure};
use grid_tests::answer::{self, ARROW_STREAM};
use grid_tests::wire::{JSON_HEADERS, REMOTE_WRITE_HEADERS, otlp_gauge, otlp_logs, otlp_span, remote_write};
use grid_tests::{Grid, Options, figure, now_ns, run_grid};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tokio::runtime::Runtime;

/// In every row of the other tenant, and in its name.
const MARKER: &str = "zq9marker";
const ACME: &str = "acme-zq9marker";
const BETA: &str = "beta";

const TABLES: [&str; 18] = [
    "logs",
    "spans",
    "samples",
    "series",
    "exemplars",
    "metadata",
    "charges",
    "metrics.\"shared_metric\"",
    "grid.files",
    "grid.imports",
    "grid.rejects",
    "grid.conformance",
    "grid.generations",
    "grid.queries",
    "grid.retention",
    "grid.tenants",
    "information_schema.tables",
    "information_schema.columns",
];

const FORMATS: [&str; 5] =
    ["application/json", "application/x-ndjson", "text/csv", ARROW_STREAM, "application/vnd.apache.parquet"];

#[test]
fn no_statement_and_no_route_shows_another_tenants_rows() -> anyhow::Result<()> {
    let runtime = Runtime::new()?;
    let world = runtime.block_on(World::new())?;
    let cases = std::env::var("GRID_TENANT_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let answered = std::cell::Cell::new(0_u32);
    runner
        .run(&(statement(), 0..FORMATS.len()), |(statement, format)| {
            let status = runtime.block_on(world.ask(&statement, FORMATS[format]));
            let status = status.map_err(|e| TestCaseError::fail(format!("{statement}\n{e:#}")))?;
            answered.set(answered.get() + u32::from(status == 200));
            Ok(())
        })
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    ensure!(answered.get() * 5 > cases, "only {} of {cases} statements were answered at all", answered.get());
    let fixed = runtime.block_on(world.fixed_attacks())?;
    let routes = runtime.block_on(world.every_route())?;
    runtime.block_on(world.unchanged())?;
    let measured = format!("never: {cases} random and {fixed} fixed statements, {routes} routes");
    figure("tenants", true, measured);
    Ok(())
}

/// With tokens on, the token decides, on every listener; the header can only narrow it.
#[tokio::test]
async fn a_token_decides_whose_rows_are_seen() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("data");
    let dir = data_dir.to_str().context("the folder's name is text")?;
    let token = async |tenant: &str, scope: &str| -> anyhow::Result<String> {
        let args = [
            "token",
            "create",
            "--name",
            "test",
            "--tenant",
            tenant,
            "--scope",
            scope,
            "--data-dir",
            dir,
            "-o",
            "json",
        ];
        let answer: Value = serde_json::from_str(&run_grid(&args).await?)?;
        answer["token"].as_str().map(str::to_owned).context("a token")
    };
    let (acme, beta) = (token(ACME, "ingest,query").await?, token(BETA, "ingest,query").await?);
    let reader = token(ACME, "query").await?;
    let args = vec!["--require-auth".to_owned()];
    let grid = Grid::start_with(Options { data_dir: Some(data_dir.clone()), args, ..Options::default() }).await?;
    let ask =
        async |token: Option<&str>, tenant: Option<&str>, path: &str, body: String| -> anyhow::Result<(u16, Vec<u8>)> {
            let mut request =
                grid.client.post(format!("{}{path}", grid.http)).header("content-type", "application/json");
            request = token.iter().fold(request, |r, t| r.bearer_auth(t));
            request = tenant.iter().fold(request, |r, t| r.header("x-scope-orgid", *t));
            let answer = request.body(body).send().await?;
            Ok((answer.status().as_u16(), answer.bytes().await?.to_vec()))
        };
    let logs = || otlp_logs(MARKER, &[(now_ns(), MARKER.to_owned())]);
    let query = || serde_json::json!({"query": "SELECT * FROM logs"}).to_string();
    for (who, expected) in
        [(Some(acme.as_str()), 200), (Some(reader.as_str()), 403), (None, 401), (Some("grid_wrong"), 401)]
    {
        let (status, body) = ask(who, None, "/v1/logs", logs()).await?;
        ensure!(status == expected, "writing: {status} instead of {expected}: {}", String::from_utf8_lossy(&body));
    }
    let rows = [
        (Some(&acme), None, 200, true),
        (Some(&reader), None, 200, true),
        (Some(&acme), Some(ACME), 200, true),
        (Some(&beta), None, 200, false),
        (Some(&beta), Some(ACME), 403, false),
        (None, Some(ACME), 401, false),
    ];
    for (who, tenant, expected, sees) in rows {
        let (status, body) = ask(who.map(String::as_str), tenant, "/api/v1/sql", query()).await?;
        let text = String::from_utf8_lossy(&body).replace(ACME, "");
        ensure!(status == expected, "asking as {tenant:?}: {status} instead of {expected}: {text}");
        ensure!(text.contains(MARKER) == sees, "asking as {tenant:?}: {text}");
    }
    for (who, tenant, ok) in [(None, None, false), (Some(&beta), Some(ACME), false), (Some(&acme), None, true)] {
        let mut request = tonic::Request::new(ExportLogsServiceRequest::default());
        if let Some(token) = who {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
        }
        if let Some(tenant) = tenant {
            request.metadata_mut().insert("x-scope-orgid", tenant.parse()?);
        }
        let answer = LogsServiceClient::connect(grid.grpc.clone()).await?.export(request).await;
        ensure!(answer.is_ok() == ok, "gRPC as {tenant:?}: {answer:?}");
    }
    Ok(())
}

struct World {
    grid: Grid,
    before: Vec<u64>,
}

impl World {
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?.keep();
        let data_dir = folder.join("data");
        let dir = data_dir.to_str().context("the folder's name is text")?;
        for (tenant, word) in [(ACME, MARKER), (BETA, "plain")] {
            let bill = folder.join(format!("{word}.csv"));
            std::fs::write(&bill, bill_csv(word))?;
            let bill = bill.to_str().context("the file's name is text")?;
            run_grid(&["import", "bill", bill, "--dataset", word, "--data-dir", dir, "--tenant", tenant]).await?;
        }
        let grid = Grid::start_with(Options { data_dir: Some(data_dir), ..Options::default() }).await?;
        for (tenant, word) in [(ACME, MARKER), (BETA, "plain")] {
            // The first half rests in files, the second in the buffer.
            for half in 0..2 {
                fill(&grid, tenant, &format!("{word}{half}")).await?;
                if half == 0 {
                    grid.flush().await?;
                }
            }
        }
        let before = Self::counts(&grid).await?;
        ensure!(before.iter().all(|n| *n > 0), "a table of {ACME} is empty: {before:?}");
        // The answers that must hold the marker do, or the search for it proves nothing.
        let (_, _, own) = grid.sql_raw(ACME, "SELECT * FROM logs", "text/csv").await?;
        ensure!(holds_marker(&own), "{ACME} does not see its own rows");
        Ok(Self { grid, before })
    }

    async fn counts(grid: &Grid) -> anyhow::Result<Vec<u64>> {
        let mut counts = Vec::new();
        for table in &TABLES[..7] {
            counts.push(grid.count(ACME, &format!("SELECT count(*) FROM {table}")).await?);
        }
        Ok(counts)
    }

    async fn ask(&self, statement: &str, format: &str) -> anyhow::Result<u16> {
        let (status, kind, body) = self.grid.sql_raw(BETA, statement, format).await?;
        ensure!(status != 500, "answered 500: {}", String::from_utf8_lossy(&body));
        let mut shown = body.clone();
        if status == 200 && kind.contains("parquet") {
            shown.extend(parquet_text(body)?.into_bytes());
        } else if status == 200 && kind.contains("arrow") {
            shown.extend(serde_json::to_vec(&answer::rows(&answer::read_stream(&body)?)?)?);
        }
        // A refusal may repeat the statement, so a marker that the asker typed is no leak there.
        let typed = statement.contains(MARKER) && status != 200;
        ensure!(typed || !holds_marker(&shown), "{kind} holds the marker: {}", String::from_utf8_lossy(&shown));
        Ok(status)
    }

    /// Statements that try to leave the tenant, or to reach files, by what other engines allow.
    async fn fixed_attacks(&self) -> anyhow::Result<usize> {
        let files = self.grid.sql(ACME, "SELECT path FROM grid.files").await?;
        let path = files.first().and_then(|r| r["path"].as_str()).context("a file")?.to_owned();
        let dir = self.grid.data_dir().display().to_string();
        let mut attacks = vec![];
        for place in
            [path.clone(), format!("{dir}/{path}"), format!("file://{dir}/{path}"), format!("{dir}/catalog.db")]
        {
            attacks.extend([
                format!("SELECT * FROM '{place}'"),
                format!("SELECT * FROM \"{place}\""),
                format!("SELECT * FROM read_parquet('{place}')"),
                format!("SELECT * FROM parquet_metadata('{place}')"),
                format!("CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '{place}'"),
                format!("COPY (SELECT 1) TO '{place}'"),
                format!("INSERT INTO x SELECT * FROM '{place}'"),
            ]);
        }
        for name in [ACME, &format!("\"{ACME}\""), "acme", "grid", "public", "datafusion"] {
            attacks.extend([
                format!("SELECT * FROM {name}.logs"),
                format!("SELECT * FROM \"{}\".public.logs", name.trim_matches('"')),
                format!("SELECT * FROM {name}.public.charges"),
                format!("USE {name}"),
            ]);
        }
        attacks.extend(
            [
                "SET datafusion.catalog.default_catalog = 'acme-zq9marker'",
                "SET search_path = 'acme-zq9marker'",
                "SHOW ALL",
                "SHOW TABLES",
                "SHOW FUNCTIONS",
                "DESCRIBE logs",
                "EXPLAIN VERBOSE SELECT * FROM logs",
                "EXPLAIN ANALYZE VERBOSE SELECT * FROM charges",
                "EXPLAIN ANALYZE SELECT * FROM metrics.\"shared_metric\"",
                "CREATE VIEW v AS SELECT * FROM logs",
                "CREATE TABLE t AS SELECT * FROM logs",
                "DROP TABLE logs",
                "DELETE FROM logs",
                "UPDATE logs SET body = ''",
                "TRUNCATE logs",
                "INSERT INTO logs SELECT * FROM logs",
                "PREPARE p AS SELECT * FROM logs",
                "EXECUTE p",
                "BEGIN",
                "SELECT 1; SELECT * FROM logs",
                "SELECT * FROM logs; DROP TABLE logs",
                "SELECT * FROM grid.tokens",
                "SELECT * FROM sqlite_master",
            ]
            .map(str::to_owned),
        );
        for attack in &attacks {
            self.ask(attack, "application/json").await.with_context(|| attack.clone())?;
        }
        Ok(attacks.len())
    }

    /// Asks every route that the server documents, as the other tenant, with ids and names of the first.
    async fn every_route(&self) -> anyhow::Result<usize> {
        let get = async |path: &str| -> anyhow::Result<(u16, Vec<u8>)> {
            let request = self.grid.client.get(format!("{}{path}", self.grid.http)).header("x-scope-orgid", BETA);
            let answer = request.send().await?;
            Ok((answer.status().as_u16(), answer.bytes().await?.to_vec()))
        };
        let (_, document) = get("/api/v1/openapi.json").await?;
        let document: Value = serde_json::from_slice(&document).context("read the OpenAPI document")?;
        let import = self.grid.sql(ACME, "SELECT import_id FROM charges LIMIT 1").await?;
        let import = import.first().and_then(|r| r["import_id"].as_str()).unwrap_or("1").to_owned();
        let mut asked = 0;
        let mut paths: Vec<String> = ["/", "/metrics", "/docs", "/healthz", "/readyz"].map(str::to_owned).to_vec();
        for (path, methods) in document["paths"].as_object().context("the document lists paths")? {
            let mut filled = path.clone();
            while let (Some(a), Some(b)) = (filled.find('{'), filled.find('}')) {
                filled.replace_range(a..=b, &import);
            }
            if methods.get("get").is_some() {
                paths.push(filled.clone());
                paths.push(format!("{filled}?tenant={ACME}&limit=1000"));
            }
            // What a stranger deletes or changes by the id of another must not be found.
            for method in ["delete", "put", "post"] {
                if methods.get(method).is_some() && path.contains('{') {
                    let method = method.to_uppercase().parse()?;
                    let request = self.grid.client.request(method, format!("{}{filled}", self.grid.http));
                    let answer = request.header("x-scope-orgid", BETA).send().await?;
                    ensure!(!holds_marker(&answer.bytes().await?), "{filled} shows the marker");
                    asked += 1;
                }
            }
        }
        for path in &paths {
            let (_, body) = get(path).await?;
            // Names of tenants are labels of the operator's own metrics; rows are not.
            let body = if path.starts_with("/metrics") { strip(&body, ACME) } else { strip(&body, &path[1..]) };
            ensure!(!holds_marker(&body), "GET {path} shows the marker: {}", String::from_utf8_lossy(&body));
            asked += 1;
        }
        let request = self.grid.client.post(format!("{}/api/v1/delete", self.grid.http)).header("x-scope-orgid", BETA);
        let body = serde_json::json!({"table": "logs", "filter": "true"});
        let _ = request.json(&body).send().await?;
        Ok(asked)
    }

    async fn unchanged(&self) -> anyhow::Result<()> {
        let after = Self::counts(&self.grid).await?;
        ensure!(after == self.before, "{BETA} changed what {ACME} sees: {:?} became {after:?}", self.before);
        Ok(())
    }
}

async fn fill(grid: &Grid, tenant: &str, word: &str) -> anyhow::Result<()> {
    let now = now_ns();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let labels = [("__name__", "shared_metric"), ("word", word)];
    grid.post_ok("/api/v1/write", tenant, &REMOTE_WRITE_HEADERS, remote_write(&labels, &[(now / 1_000_000, 1.0)]))
        .await?;
    let logs = otlp_logs(word, &[(now, word.to_owned())]);
    grid.post_ok("/v1/logs", tenant, &JSON_HEADERS, logs).await?;
    let span = otlp_span(word, word, trace, "00f067aa0ba902b7", now, 7);
    grid.post_ok("/v1/traces", tenant, &JSON_HEADERS, span).await?;
    let gauge = otlp_gauge(word, &format!("gauge.{word}"), word, now, 1.5, trace);
    grid.post_ok("/v1/metrics", tenant, &JSON_HEADERS, gauge).await?;
    let push = serde_json::json!({"streams": [{"stream": {"app": word}, "values": [[now.to_string(), word]]}]});
    grid.post_ok("/loki/api/v1/push", tenant, &JSON_HEADERS, push.to_string()).await?;
    Ok(())
}

fn bill_csv(word: &str) -> String {
    format!(
        "BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,BilledCost,\
         EffectiveCost,ListCost,ContractedCost,ChargeCategory,ServiceName,ResourceId\n\
         {word},USD,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,2026-01-02T00:00:00Z,2026-01-03T00:00:00Z,1,1,1,1,Usage,{word},{word}\n"
    )
}

fn holds_marker(bytes: &[u8]) -> bool {
    bytes.windows(MARKER.len()).any(|w| w == MARKER.as_bytes())
}

fn strip(bytes: &[u8], word: &str) -> Vec<u8> {
    if word.is_empty() { bytes.to_vec() } else { String::from_utf8_lossy(bytes).replace(word, "").into_bytes() }
}

fn parquet_text(body: Vec<u8>) -> anyhow::Result<String> {
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(body))?.build()?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    Ok(serde_json::to_string(&answer::rows(&batches)?)?)
}

/// A statement made of every kind of clause that reads.
fn statement() -> impl Strategy<Value = String> {
    let leaf = (table(), condition()).prop_map(|(t, c)| format!("SELECT * FROM {t}{c}"));
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|q| format!("SELECT * FROM ({q}) q LIMIT 50")),
            inner.clone().prop_map(|q| format!("WITH w AS ({q}) SELECT count(*) AS n FROM w")),
            inner.clone().prop_map(|q| format!("WITH w AS ({q}) SELECT * FROM w CROSS JOIN (SELECT 1 AS one) o")),
            inner.clone().prop_map(|q| format!("EXPLAIN {q}")),
            inner.clone().prop_map(|q| format!("EXPLAIN ANALYZE {q}")),
            (inner.clone(), table()).prop_map(|(q, t)| format!("SELECT EXISTS ({q}) AS e, count(*) AS n FROM {t}")),
            (inner, table())
                .prop_map(|(q, t)| format!("SELECT count(*) AS n FROM {t} UNION ALL SELECT count(*) FROM ({q}) q")),
        ]
    })
}

fn table() -> impl Strategy<Value = String> {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let mut names: Vec<String> = TABLES.iter().map(|t| (*t).to_owned()).collect();
        names.push("samples x JOIN series s ON x.series_id = s.series_id".to_owned());
        names.push("exemplars e JOIN series s ON e.series_id = s.series_id".to_owned());
        names.push("logs l LEFT JOIN spans p ON l.trace_id = p.trace_id".to_owned());
        names.push("metrics.\"gauge_zq9marker0\"".to_owned());
        names
    });
    prop::sample::select(names.as_slice())
}

/// None of these says the marker itself: a plan repeats what its statement says.
fn condition() -> impl Strategy<Value = String> {
    prop::sample::select(
        [
            "",
            " WHERE true",
            " WHERE 1 = 1 OR 1 = 0",
            " LIMIT 10",
            " WHERE service IS NOT NULL OR true",
            " WHERE body LIKE '%9mark%'",
            " WHERE match(body, 'zq9*')",
            " WHERE word = 'plain0'",
            " WHERE name <> 'x'",
            " ORDER BY 1 LIMIT 20",
            " WHERE time > timestamp '1970-01-01T00:00:00'",
            " WHERE tenant LIKE 'acme-%'",
            " WHERE import_id IS NOT NULL",
        ]
        .as_slice(),
    )
    .prop_map(str::to_owned)
}
