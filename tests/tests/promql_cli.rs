//! `grid promql` answers the same from a data directory and from a server, in every form; and runs language tests.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, ensure};
use expect_test::{Expect, expect};
use grid_tests::{Grid, Options, grid_binary, shared_data, skip};
use serde_json::Value;
use tokio::process::Command;

const PAGE: &str = r#"# TYPE http_requests counter
http_requests_total{code="200",method="get"} 100 1767229200
http_requests_total{code="200",method="get"} 160 1767229260
http_requests_total{code="200",method="get"} 190 1767229320
http_requests_total{code="500",method="a,b"} 1.5 1767229200
# EOF
"#;

const HISTOGRAM: &str = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"latency","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"startTimeUnixNano":"1767229100000000000","timeUnixNano":"1767229200000000000","count":"7","sum":9.5,"scale":0,"zeroCount":"1","positive":{"offset":-1,"bucketCounts":["2","4"]}}]}}]}]}]}
"#;

/// What a run of `grid` said, and how it ended.
async fn run(args: &[&str], columns: Option<u32>) -> anyhow::Result<String> {
    let mut command = Command::new(grid_binary()?);
    command.args(args).stdin(Stdio::null()).env_remove("COLUMNS").kill_on_drop(true);
    command.envs(columns.map(|width| ("COLUMNS", width.to_string())));
    let output = command.output().await?;
    let mut said = String::from_utf8(output.stdout)?.replace("\r\n", "\n");
    for line in String::from_utf8(output.stderr)?.lines() {
        said.push_str(&format!("2> {line}\n"));
    }
    if !output.status.success() {
        said.push_str(&format!("exit {}\n", output.status.code().context("ended by a signal")?));
    }
    Ok(said)
}

/// Arguments, the width of the terminal, and what is said.
fn cases() -> Vec<(Vec<&'static str>, Option<u32>, Expect)> {
    const AT: [&str; 2] = ["--time", "2026-01-01T01:02:00Z"];
    const OVER: [&str; 6] = ["--start", "1767229140", "--end", "1767229260", "--step", "20s"];
    let at = |expr: &'static str, more: &[&'static str]| [&["promql", expr][..], &AT, more].concat();
    let over = |expr: &'static str, more: &[&'static str]| [&["promql", expr][..], &OVER, more].concat();
    vec![
        (
            at("http_requests_total", &[]),
            None,
            expect![[r#"
            __name__             code  method  value
            http_requests_total  200   get       190
            http_requests_total  500   a,b       1.5
        "#]],
        ),
        (
            at("http_requests_total", &["-o", "csv"]),
            None,
            expect![[r#"
            __name__,code,method,time,value
            http_requests_total,200,get,2026-01-01T01:02:00Z,190
            http_requests_total,500,"a,b",2026-01-01T01:02:00Z,1.5
        "#]],
        ),
        (
            at("sum by (code) (increase(http_requests_total[2m]))", &[]),
            None,
            expect![[r#"
            code  value
            200      60
        "#]],
        ),
        (
            at("latency", &[]),
            None,
            expect![[r#"
            __name__  value
            latency   count 7, sum 9.5, mean 1.3571, 0 ▃▅█ 2
        "#]],
        ),
        (
            at("latency", &["-o", "json"]),
            None,
            expect![[r#"
            {"resultType":"vector","result":[{"metric":{"__name__":"latency"},"histogram":[1767229320,{"count":"7","sum":"9.5","buckets":[[3,"-1e-128","1e-128","1"],[0,"0.5","1","2"],[0,"1","2","4"]]}]}]}
        "#]],
        ),
        (
            at("latency", &["-o", "csv"]),
            None,
            expect![[r#"
            __name__,time,value,histogram
            latency,2026-01-01T01:02:00Z,,"{count:7, sum:9.5, [-1e-128,1e-128]:1, (0.5,1]:2, (1,2]:4}"
        "#]],
        ),
        (
            at("http_requests_total[1m]", &[]),
            None,
            expect![[r#"
            __name__             code  method  time                  value
            http_requests_total  200   get     2026-01-01T01:02:00Z    190
        "#]],
        ),
        (
            at("-1 / 0", &[]),
            None,
            expect![[r#"
            -Inf
        "#]],
        ),
        (
            at("\"words\"", &["-o", "csv"]),
            None,
            expect![[r#"
            time,value
            2026-01-01T01:02:00Z,words
        "#]],
        ),
        (
            over("http_requests_total", &[]),
            None,
            expect![[r#"
            __name__             code  method           min  mean  max  last
            http_requests_total  200   get     ···▁▁▁█  100   115  160   160
            http_requests_total  500   a,b     ···▁▁▁▁  1.5   1.5  1.5   1.5

            2026-01-01T00:59:00Z to 2026-01-01T01:01:00Z, step 20s, 7 steps
            ▁ least and █ largest of each line, · no sample
        "#]],
        ),
        (
            over("http_requests_total", &[]),
            Some(48),
            expect![[r#"
            all: http_requests_total
            code  method           min  mean  max  last
            200   get     ···▁▁▁█  100   115  160   160
            500   a,b     ···▁▁▁▁  1.5   1.5  1.5   1.5

            2026-01-01T00:59:00Z to 2026-01-01T01:01:00Z, step 20s, 7 steps
            ▁ least and █ largest of each line, · no sample
        "#]],
        ),
        (
            over("latency", &[]),
            None,
            expect![[r#"
            __name__           min  mean  max  last
            latency   ···▁▁▁▁    7     7    7     7  (count)

            2026-01-01T00:59:00Z to 2026-01-01T01:01:00Z, step 20s, 7 steps
            ▁ least and █ largest of each line, · no sample, (count) observations of native histograms
        "#]],
        ),
        (
            over("sum(http_requests_total)", &["-o", "csv"]),
            None,
            expect![[r#"
            time,value
            2026-01-01T01:00:00Z,101.5
            2026-01-01T01:00:20Z,101.5
            2026-01-01T01:00:40Z,101.5
            2026-01-01T01:01:00Z,161.5
        "#]],
        ),
        (
            over("sum(http_requests_total)", &["-o", "json"]),
            None,
            expect![[r#"
            {"resultType":"matrix","result":[{"metric":{},"values":[[1767229200,"101.5"],[1767229220,"101.5"],[1767229240,"101.5"],[1767229260,"161.5"]]}]}
        "#]],
        ),
        (
            at("absent_metric", &[]),
            None,
            expect![[r#"
            2> no series: nothing that matches has a sample at 2026-01-01T01:02:00Z
        "#]],
        ),
        (
            at("absent_metric", &["-o", "json"]),
            None,
            expect![[r#"
            {"resultType":"vector","result":[]}
            2> no series: nothing that matches has a sample at 2026-01-01T01:02:00Z
        "#]],
        ),
        (
            at("histogram_quantile(1.5, latency)", &[]),
            None,
            expect![[r#"
            value
             +Inf
            2> PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:20)
        "#]],
        ),
        (
            at("sum(\n  rate(http_requests_total[5m)\n)", &[]),
            None,
            expect![[r#"
            2> error: 2:30: parse error: unexpected ")" in subquery or range, expected ":" or "]"
            2>     rate(http_requests_total[5m)
            2>                                ^
            exit 1
        "#]],
        ),
        (
            at("mad_over_time(http_requests_total[5m])", &[]),
            None,
            expect![[r#"
            2> error: 1:1: parse error: function "mad_over_time" is not enabled
            2>   mad_over_time(http_requests_total[5m])
            2>   ^
            2> hint: start the server with --enable-feature, or set `promql.enable_feature`; see docs/promql.md
            exit 1
        "#]],
        ),
        (
            over("http_requests_total[1m]", &[]),
            None,
            expect![[r#"
            2> error: invalid expression type "range vector" for range query, must be Scalar or instant Vector
            exit 1
        "#]],
        ),
        (
            at("http_requests_total * on () http_requests_total", &[]),
            None,
            expect![[r#"
            2> error: found duplicate series for the match group {} on the right hand-side of the operation: [{__name__="http_requests_total", code="200", method="get"}, {__name__="http_requests_total", code="500", method="a,b"}];many-to-many matching not allowed: matching labels must be unique on one side
            exit 1
        "#]],
        ),
        (
            vec!["promql", "up", "--start", "0", "--step", "1s"],
            None,
            expect![[r#"
            2> error: the range has more than 11000 steps of 1s; give a longer --step
            exit 1
        "#]],
        ),
    ]
}

#[tokio::test]
async fn a_directory_and_a_server_answer_alike() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let dir = data.to_string_lossy().into_owned();
    for (name, text) in [("page.om", PAGE), ("histogram.jsonl", HISTOGRAM)] {
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        let said = run(&["import", "metrics", &path.to_string_lossy(), "--data-dir", &dir], None).await?;
        ensure!(!said.contains("exit"), "{said}");
    }
    let mut said = Vec::new();
    for (args, columns, wanted) in cases() {
        let answer = run(&[&args[..], &["--data-dir", &dir]].concat(), columns).await?;
        wanted.assert_eq(&answer);
        said.push(answer);
    }
    let grid = Grid::start_with(Options { data_dir: Some(data), ..Options::default() }).await?;
    for ((args, columns, _), from_directory) in cases().into_iter().zip(&said) {
        let answer = run(&[&args[..], &["--url", &grid.http]].concat(), columns).await?;
        assert_eq!(&answer, from_directory, "{args:?}");
    }
    let url =
        format!("{}/prometheus/api/v1/query_range?query=latency&start=1767229140&end=1767229260&step=20", grid.http);
    let api: Value = grid.client.get(url).send().await?.json().await?;
    let [from, to] = ["1767229140", "1767229260"];
    let args = ["promql", "latency", "--start", from, "--end", to, "--step", "20s", "-o", "json", "--url", &grid.http];
    let own: Value = serde_json::from_str(&run(&args, None).await?)?;
    assert_eq!(own, api["data"]);
    Ok(())
}

#[tokio::test]
async fn features_are_off_until_they_are_enabled() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let query = "/prometheus/api/v1/query?query=mad_over_time(up[5m])";
    let mut answers = Vec::new();
    for feature in [None, Some("promql-experimental-functions")] {
        let args = feature.map(|name| vec!["--enable-feature".to_owned(), name.to_owned()]).unwrap_or_default();
        let mut grid = Grid::start_with(Options { data_dir: Some(data.clone()), args, ..Options::default() }).await?;
        let get = async |path: &str| -> anyhow::Result<Value> {
            Ok(grid.client.get(format!("{}{path}", grid.http)).send().await?.json().await?)
        };
        let flags = get("/prometheus/api/v1/status/flags").await?;
        assert_eq!(flags["data"]["enable-feature"], feature.unwrap_or_default());
        answers.push(get(query).await?);
        grid.terminate().await?;
    }
    assert_eq!(
        answers[0]["error"],
        r#"invalid parameter "query": 1:1: parse error: function "mad_over_time" is not enabled"#
    );
    assert_eq!(answers[1]["status"], "success");
    let said = run(&["serve", "--data-dir", &data.to_string_lossy(), "--enable-feature", "promql-magic"], None).await?;
    assert!(said.contains("there is no promql-magic") && said.contains("promql-duration-expr"), "{said}");
    Ok(())
}

#[tokio::test]
async fn language_tests_run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let file = |name: &str, text: &str| std::fs::write(path(name), text).map(|()| path(name));
    let good = file("good.test", "load 1m\n  m 1 2 3\n\neval instant at 1m m\n  m 2\n")?;
    let bad = file("bad.test", "load 1m\n  m 1 2 3\n\neval instant at 1m m\n  m 5\n\neval instant at 2m m\n  m 3\n")?;
    let broken = file("broken.test", "load 1m\n  m 1\n\nevaluate m\n")?;
    let short = |said: String| said.replace(&*folder.path().to_string_lossy(), "DIR");
    expect![[r#"
        DIR/good.test: 1/1
        total: 1/1
    "#]]
    .assert_eq(&short(run(&["promql", "test", &good], None).await?));
    expect![[r#"
        DIR/bad.test:4: m
            {__name__="m"} at step 0: expected 5, got 2
        DIR/bad.test: 1/2
        DIR/broken.test:4: "evaluate" is no command
        DIR/good.test: 1/1
        DIR/none.test: No such file or directory (os error 2)
        total: 2/3 (2 files could not be run)
        exit 1
    "#]]
    .assert_eq(&short(run(&["promql", "test", &bad, &broken, &good, &path("none.test")], None).await?));
    let Some(corpus) = shared_data().map(|shared| shared.join("promql/corpus")).filter(|dir| dir.is_dir()) else {
        return skip("promql_corpus", "Prometheus' language tests are not on this machine");
    };
    let files = tests_of(&corpus)?;
    let args: Vec<&str> = ["promql", "test"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let said = run(&args, None).await?;
    assert_eq!(said.lines().next_back(), Some("total: 1145/1145"), "{said}");
    Ok(())
}

fn tests_of(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "test") {
            files.push(path.to_string_lossy().into_owned());
        }
    }
    files.sort();
    Ok(files)
}
