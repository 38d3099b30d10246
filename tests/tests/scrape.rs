//! Grid scrapes what a `prometheus.yml` says: formats, authentication, discovery, stale markers, reloads, replicas; and where a real
//! Prometheus is here, both scrape the same pages and must tell the same of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use grid_tests::peers::{self, Peer};
use grid_tests::server::signal;
use grid_tests::targets::{
    BucketSpan, Gauge, Metric, MetricFamily, NativeHistogram, OPENMETRICS, PROTOBUF, Page, TEXT, Targets, delimited,
};
use grid_tests::wire::{REMOTE_WRITE_HEADERS, label, remote_write};
use grid_tests::{Grid, Options, figure, shared_data, skip};
use serde_json::{Value, json};
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a query counts at least so many.
async fn until(grid: &Grid, tenant: &str, what: &str, at_least: u64) -> anyhow::Result<()> {
    let query = format!("SELECT count(*) AS n FROM samples x JOIN series s ON x.series_id = s.series_id WHERE {what}");
    let start = Instant::now();
    loop {
        let n = grid.count(tenant, &query).await?;
        if n >= at_least {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "{what}: {n}, not {at_least}, and the log says:\n{}", grid.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The last values of the series of a condition: labels in order of name, as JSON, to value or `stale`.
async fn last(grid: &Grid, what: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let query = format!(
        "SELECT s.metric, s.labels, x.value, x.is_stale FROM samples x JOIN series s ON x.series_id = s.series_id \
         WHERE {what} ORDER BY x.time"
    );
    let mut out = BTreeMap::new();
    for row in grid.sql("default", &query).await? {
        let labels: BTreeMap<String, Value> =
            row["labels"].as_object().cloned().unwrap_or_default().into_iter().collect();
        let name = format!("{}{}", row["metric"].as_str().unwrap_or_default(), json!(labels));
        let value = if row["is_stale"] == json!(true) { "stale".to_owned() } else { row["value"].to_string() };
        out.insert(name, value);
    }
    Ok(out)
}

async fn metric(grid: &Grid, name: &str) -> anyhow::Result<f64> {
    let page = grid.client.get(format!("{}/metrics", grid.http)).send().await?.text().await?;
    let line =
        page.lines().find(|l| l.split([' ', '{']).next() == Some(name)).with_context(|| format!("find {name}"))?;
    line.rsplit(' ').next().context("a value")?.parse().context("a number")
}

fn serve(file: &Path, env: &[(&str, &str)]) -> Options {
    Options {
        args: vec!["--scrape".to_owned(), file.display().to_string()],
        env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..Options::default()
    }
}

fn native_page() -> Vec<u8> {
    let gauge = Metric { labels: vec![label("k", "v")], gauge: Some(Gauge { value: Some(2.5) }), ..Metric::default() };
    let histogram = Metric {
        histogram: Some(NativeHistogram {
            count: Some(5),
            sum: Some(7.5),
            schema: Some(3),
            positive_spans: vec![BucketSpan { offset: Some(1), length: Some(2) }],
            positive_deltas: vec![2, 1],
        }),
        ..Metric::default()
    };
    delimited(&[
        MetricFamily { name: "p_gauge".to_owned(), kind: Some(1), metrics: vec![gauge] },
        MetricFamily { name: "p_native".to_owned(), kind: Some(4), metrics: vec![histogram] },
    ])
}

#[tokio::test]
async fn targets_are_scraped_as_the_configuration_says() -> anyhow::Result<()> {
    let targets = Targets::start().await?;
    let address = targets.address;
    targets.set("/metrics", Page::of(TEXT, "# TYPE t gauge\nt{job=\"theirs\"} 1\ndropped 1\n"));
    targets.set(
        "/om?a=b",
        Page::of(
            OPENMETRICS,
            "# TYPE o counter\no_total 3.0 # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 0.5\n# EOF\n",
        ),
    );
    targets.set("/proto", Page::of(PROTOBUF, native_page()));
    targets.set("/gzip", Page { gzip: true, ..Page::of(TEXT, "# filler\n".repeat(20_000) + "z 9\n") });
    let basic = Some("Basic bWU6c2VjcmV0".to_owned());
    targets.set("/auth", Page { authorization: basic, ..Page::of(TEXT, "a 4\n") });
    targets.set("/flaky", Page::of(TEXT, "f1 1\nf2 2\n"));
    targets.set("/broken", Page::of(TEXT, "b1 1\nb2 oops\n"));
    targets.set(
        "/sd",
        Page::of("application/json", format!("[{{\"targets\":[\"{address}\"],\"labels\":{{\"from\":\"http\"}}}}]")),
    );
    let folder = tempfile::tempdir()?;
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    let path = folder.path().join("prometheus.yml");
    file("password", "secret\n")?;
    file("list.json", &format!("[{{\"targets\":[\"{address}\"],\"labels\":{{\"from\":\"file\"}}}}]"))?;
    let job = |name: &str, more: &str| {
        format!("- job_name: {name}\n{more}  static_configs: [{{targets: ['{address}'], labels: {{env: test}}}}]\n")
    };
    let config = [
        "global: {scrape_interval: 250ms, scrape_timeout: 200ms, evaluation_interval: 1m}\nrule_files: [x]\nscrape_configs:\n".to_owned(),
        job("text", "  metric_relabel_configs: [{action: drop, source_labels: [__name__], regex: drop.*}]\n"),
        job("om", "  metrics_path: /om\n  params: {a: [b]}\n"),
        job("proto", "  metrics_path: /proto\n  scrape_native_histograms: true\n"),
        job("gzip", "  metrics_path: /gzip\n"),
        job("auth", "  metrics_path: /auth\n  basic_auth: {username: me, password_file: password}\n"),
        job("denied", "  metrics_path: /auth\n"),
        job("flaky", "  metrics_path: /flaky\n"),
        job("broken", "  metrics_path: /broken\n"),
        job("limited", "  sample_limit: 1\n"),
        "- {job_name: file, file_sd_configs: [{files: ['*.json']}]}\n".to_owned(),
        format!("- {{job_name: http, http_sd_configs: [{{url: 'http://{address}/sd', refresh_interval: 500ms}}]}}\n"),
    ];
    std::fs::write(&path, config.concat())?;
    let grid = Grid::start_with(serve(&path, &[])).await?;
    for job in ["text", "om", "proto", "gzip", "auth", "flaky", "file", "http"] {
        until(&grid, "default", &format!("s.metric = 'up' AND s.labels['job'] = '{job}' AND x.value = 1"), 2).await?;
    }
    for job in ["denied", "broken", "limited"] {
        until(&grid, "default", &format!("s.metric = 'up' AND s.labels['job'] = '{job}' AND x.value = 0"), 2).await?;
    }
    let own = |job: &str| format!("{{\"env\":\"test\",\"instance\":\"{address}\",\"job\":\"{job}\"}}");
    let seen = last(&grid, "NOT starts_with(s.metric, 'scrape_') AND s.metric <> 'up'").await?;
    let want: BTreeMap<String, String> = [
        (format!("a{}", own("auth")), "4.0"),
        (format!("f1{}", own("flaky")), "1.0"),
        (format!("f2{}", own("flaky")), "2.0"),
        (format!("o_total{}", own("om")), "3.0"),
        (format!("p_gauge{}", own("proto").replace("}", ",\"k\":\"v\"}")), "2.5"),
        (format!("p_native{}", own("proto")), "null"),
        (format!("t{}", own("text").replace("\"instance\"", "\"exported_job\":\"theirs\",\"instance\"")), "1.0"),
        (format!("z{}", own("gzip")), "9.0"),
        (format!("dropped{{\"from\":\"file\",\"instance\":\"{address}\",\"job\":\"file\"}}"), "1.0"),
        (format!("dropped{{\"from\":\"http\",\"instance\":\"{address}\",\"job\":\"http\"}}"), "1.0"),
        (
            format!("t{{\"exported_job\":\"theirs\",\"from\":\"file\",\"instance\":\"{address}\",\"job\":\"file\"}}"),
            "1.0",
        ),
        (
            format!("t{{\"exported_job\":\"theirs\",\"from\":\"http\",\"instance\":\"{address}\",\"job\":\"http\"}}"),
            "1.0",
        ),
    ]
    .into_iter()
    .map(|(k, v)| (k, v.to_owned()))
    .collect();
    ensure!(seen == want, "{seen:#?}\nis not\n{want:#?}");
    let report = last(&grid, "s.labels['job'] = 'text' AND starts_with(s.metric, 'scrape_samples')").await?;
    ensure!(report.values().map(String::as_str).collect::<Vec<_>>() == ["1.0", "2.0"], "{report:?}");
    let count = "SELECT x.histogram['count'] FROM samples x JOIN series s ON x.series_id = s.series_id WHERE s.metric = 'p_native' LIMIT 1";
    ensure!(grid.count("default", count).await? == 5);
    ensure!(grid.count("default", "SELECT count(*) FROM exemplars").await? > 0);
    let header = |path: &str, name: &str| targets.header(path, name).unwrap_or_default();
    ensure!(
        header("/metrics", "accept").starts_with("application/openmetrics-text;version=1.0.0"),
        "{}",
        header("/metrics", "accept")
    );
    ensure!(header("/proto", "accept").starts_with("application/vnd.google.protobuf"));
    ensure!(header("/metrics", "x-prometheus-scrape-timeout-seconds") == "0.2");

    // A series goes, then the target fails, then it comes back.
    targets.set("/flaky", Page::of(TEXT, "f1 1\n"));
    until(&grid, "default", "s.metric = 'f2' AND x.is_stale", 1).await?;
    ensure!(grid.count("default", "SELECT count(*) FROM samples x JOIN series s ON x.series_id = s.series_id WHERE s.metric = 'f1' AND x.is_stale").await? == 0);
    targets.set("/flaky", Page { status: 500, ..Page::default() });
    until(&grid, "default", "s.metric = 'f1' AND x.is_stale", 1).await?;
    until(&grid, "default", "s.metric = 'up' AND s.labels['job'] = 'flaky' AND x.value = 0", 1).await?;
    // Targets that are listed no longer end with all their series.
    file("list.json", "[]")?;
    until(&grid, "default", "s.labels['job'] = 'file' AND x.is_stale", 7).await?;
    targets.set("/sd", Page::of("application/json", "[]"));
    until(&grid, "default", "s.labels['job'] = 'http' AND x.is_stale", 7).await?;

    // A configuration that is wrong changes nothing; a good one adds and ends jobs, and what stays goes on without a gap.
    std::fs::write(&path, "scrape_configs: [{job_name: x, kubernetes_sd_configs: []}]")?;
    signal(grid.pid().context("a process id")?, "HUP")?;
    let start = Instant::now();
    while metric(&grid, "grid_scrape_failed_reloads_total").await? == 0.0 {
        ensure!(start.elapsed() < PATIENCE, "the reload did not fail");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(grid.log().contains("kubernetes_sd_configs is not supported"), "{}", grid.log());
    let changed = config
        .concat()
        .replace("job_name: gzip", "job_name: gzipped")
        .replace("params: {a: [b]}", "params: {a: [b]}\n  honor_labels: true");
    std::fs::write(&path, changed)?;
    until(&grid, "default", "s.metric = 'z' AND s.labels['job'] = 'gzipped'", 2).await?;
    until(&grid, "default", "s.labels['job'] = 'gzip' AND x.is_stale", 6).await?;
    for job in ["text", "om"] {
        let stale = format!(
            "SELECT count(*) FROM samples x JOIN series s ON x.series_id = s.series_id WHERE s.labels['job'] = '{job}' AND x.is_stale"
        );
        ensure!(grid.count("default", &stale).await? == 0, "{job}");
    }
    ensure!(metric(&grid, "grid_scrape_targets").await? >= 5.0);
    Ok(())
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_at_the_start() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("prometheus.yml");
    std::fs::write(&path, "scrape_configs:\n- job_name: a\n  scrape_intervall: 5s\n")?;
    let error = Grid::start_with(serve(&path, &[])).await.err().context("it started")?;
    let error = format!("{error:#}");
    ensure!(error.contains("unknown field `scrape_intervall`") && error.contains("prometheus.yml"), "{error}");
    Ok(())
}

/// A real Prometheus that wants a client's certificate and has a certificate for another name than its address.
#[tokio::test]
async fn targets_prove_who_they_are() -> anyhow::Result<()> {
    let binary = match peers::prometheus() {
        Ok(binary) => binary,
        Err(reason) => return skip("scrape_equal", reason),
    };
    let folder = tempfile::tempdir()?;
    let script = "set -e; cd \"$1\"
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
        for name in server client; do
            openssl req -newkey rsa:2048 -nodes -subj /CN=$name -keyout $name.key -out $name.csr
            printf 'subjectAltName=DNS:%s.example' $name > $name.ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $name.ext -out $name.pem
        done";
    let made = Command::new("bash").args(["-c", script, "bash"]).arg(folder.path()).output().await?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = |name: &str, text: String| std::fs::write(folder.path().join(name), text);
    let port = peers::free_port()?;
    file("prometheus.yml", "{}".to_owned())?;
    let server = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n\
                  \x20 client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n";
    file("web.yml", server.to_owned())?;
    let job = |name: &str, tls: &str| {
        format!(
            "- {{job_name: {name}, scheme: https, static_configs: [{{targets: ['localhost:{port}']}}], tls_config: {{{tls}}}}}\n"
        )
    };
    let client = "cert_file: client.pem, key_file: client.key";
    let jobs = [
        job("good", &format!("ca_file: ca.pem, server_name: server.example, {client}")),
        job("trusting", &format!("insecure_skip_verify: true, {client}")),
        job("other_name", &format!("ca_file: ca.pem, {client}")),
        job("other_ca", &format!("server_name: server.example, {client}")),
        job("nobody", "ca_file: ca.pem, server_name: server.example"),
    ];
    file("scrape.yml", format!("global: {{scrape_interval: 500ms}}\nscrape_configs:\n{}", jobs.concat()))?;
    let mut command = Command::new(&binary);
    command
        .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
        .arg(format!("--web.config.file={}", folder.path().join("web.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let prometheus = Peer::start(&mut command, &folder.path().join("prometheus.log"))?;
    let grid = Grid::start_with(serve(&folder.path().join("scrape.yml"), &[])).await?;
    for (name, up) in [("good", 1), ("trusting", 1), ("other_name", 0), ("other_ca", 0), ("nobody", 0)] {
        let what = format!("s.metric = 'up' AND s.labels['job'] = '{name}' AND x.value = {up}");
        until(&grid, "default", &what, 2).await.with_context(|| name.to_owned())?;
    }
    for name in ["other_name", "other_ca", "nobody"] {
        let what = format!(
            "SELECT count(*) FROM samples x JOIN series s ON x.series_id = s.series_id WHERE s.metric = 'up' AND s.labels['job'] = '{name}' AND x.value = 1"
        );
        ensure!(grid.count("default", &what).await? == 0, "{name}");
    }
    prometheus.terminate().await
}

#[tokio::test]
async fn of_replicas_one_is_taken() -> anyhow::Result<()> {
    let env = [("GRID__INGEST__HA_DEDUP", "true"), ("GRID__INGEST__HA_FAILOVER", "2s")];
    let options = Options { env: env.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec(), ..Options::default() };
    let grid = Grid::start_with(options).await?;
    let now = grid_tests::now_ns() / 1_000_000;
    let send = async |replica: &str, time: i64, value: f64| {
        let labels = [("__name__", "ha"), ("cluster", "c"), ("__replica__", replica)];
        let body = remote_write(&labels, &[(time, value)]);
        grid.post_ok("/api/v1/write", "default", &REMOTE_WRITE_HEADERS, body).await
    };
    send("a", now, 1.0).await?;
    send("b", now + 1, 2.0).await?;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    send("b", now + 2, 3.0).await?;
    send("a", now + 3, 4.0).await?;
    let seen = grid.sql("default", "SELECT s.labels, x.value FROM samples x JOIN series s ON x.series_id = s.series_id WHERE s.metric = 'ha' ORDER BY x.time").await?;
    let values: Vec<_> = seen.iter().filter_map(|row| row["value"].as_f64()).collect();
    ensure!(values == [1.0, 3.0], "{seen:?}");
    ensure!(seen.iter().all(|row| row["labels"] == json!({"cluster": "c"})), "{seen:?}");
    ensure!(metric(&grid, "grid_ingest_replica_dropped_samples_total").await? == 2.0);
    Ok(())
}

/// Pages that say something about how they are read: path and page.
fn cases() -> anyhow::Result<Option<Pages>> {
    let Some(data) = shared_data() else { return Ok(None) };
    let mut pages = BTreeMap::new();
    for case in std::fs::read_dir(data.join("exposition/openmetrics"))? {
        let case = case?;
        let name = case.file_name().to_string_lossy().into_owned();
        pages.insert(format!("/om/{name}"), Page::of(OPENMETRICS, std::fs::read(case.path().join("metrics"))?));
    }
    for folder in ["live_captured", "prometheus_textparse"] {
        for file in std::fs::read_dir(data.join("exposition").join(folder))? {
            let path = file?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let body = std::fs::read(&path)?;
            let is_openmetrics = body.trim_ascii_end().ends_with(b"# EOF");
            let kind = match name.as_str() {
                n if n.ends_with(".protobuf") => PROTOBUF,
                n if n.ends_with(".txt") && is_openmetrics => OPENMETRICS,
                n if n.ends_with(".txt") => TEXT,
                _ => continue,
            };
            pages.insert(format!("/real/{name}"), Page::of(kind, body));
        }
    }
    let own = [
        ("crlf", "a 1\r\nb 2\r\n"),
        ("duplicate_label", "a{x=\"1\",x=\"2\"} 1\n"),
        ("same_label", "a{x=\"1\",x=\"1\"} 1\n"),
        ("duplicate_sample", "a 1\na 2\n"),
        ("empty_value", "a{x=\"\"} 1\na{job=\"\"} 2\n"),
        ("no_newline", "a 1"),
        // Blanks before a name are part of it to Prometheus, which nobody means; those are not among the cases.
        ("blanks", "a\t{ x = \"1\" , }  1  \n\n"),
        ("comment", "#x\n# anything\n#\na 1\n"),
        ("late_type", "a 1\n# TYPE a counter\na{x=\"1\"} 1\n"),
        (
            "bounds",
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1e6\"} 2\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n",
        ),
        ("quantiles", "# TYPE s summary\ns{quantile=\"1\"} 1\ns{quantile=\"0.50\"} 1\ns_sum 1\ns_count 2\n"),
        ("utf8", "{\"a.b\",\"c d\"=\"e\"} 1\n"),
        ("bad_utf8", "a{x=\"\\xff\"} 1\n"),
        ("bad_value", "a 1\nb one\n"),
        ("hex", "a 0x10\n"),
        ("underscore", "a 1_000\n"),
        ("overflow", "a 1e999\n"),
        ("infinities", "a +Inf\nb -inf\nc NaN\nd Infinity\n"),
        ("bad_time", "a 1 1.5\n"),
        ("bad_type", "# TYPE a thing\na 1\n"),
        ("exported", "a{instance=\"theirs\",exported_instance=\"own\"} 1\n"),
        ("html", "<html></html>\n"),
        ("empty", ""),
    ];
    for (name, text) in own {
        pages.insert(format!("/own/{name}"), Page::of(TEXT, text));
    }
    pages.insert("/own/no_type".to_owned(), Page::of("", "a 1\n"));
    pages.insert("/own/odd_type".to_owned(), Page::of("text/html", "a 1\n"));
    pages.insert("/own/native".to_owned(), Page::of(PROTOBUF, native_page()));
    Ok(Some(pages))
}

/// What `path` answers, without what differs from run to run, and targets in one order.
async fn told_of_targets(client: &reqwest::Client, base: &str, path: &str, tenant: &str) -> anyhow::Result<Value> {
    let request = client.get(format!("{base}/api/v1/{path}")).header("x-scope-orgid", tenant);
    let mut answer: Value = request.send().await?.json().await?;
    ensure!(answer["status"] == "success", "{path}: {answer}");
    let mut data = answer["data"].take();
    for target in data["activeTargets"].as_array_mut().into_iter().flatten() {
        ensure!(target["lastScrape"].as_str().is_some_and(|time| time.contains('T')), "{target}");
        ensure!(target["lastScrapeDuration"].is_number(), "{target}");
        target["lastScrape"] = json!("T");
        target["lastScrapeDuration"] = json!(0.0);
        if target["lastError"] != "" {
            target["lastError"] = json!("why");
        }
        // The name of the machine, or that by which the server was called.
        let global = target["globalUrl"].as_str().unwrap_or_default();
        let (scheme, rest) = global.split_once("://").context("a URL")?;
        target["globalUrl"] = json!(format!("{scheme}://HOST:{}", rest.split_once(':').context("a port")?.1));
    }
    for list in ["activeTargets", "droppedTargets"] {
        if let Some(targets) = data.get_mut(list).and_then(Value::as_array_mut) {
            targets.sort_by_key(Value::to_string);
        }
    }
    Ok(data)
}

const TARGET_PATHS: [&str; 7] = [
    "targets",
    "targets?state=active",
    "targets?state=Dropped",
    "targets?state=other",
    "targets?scrapePool=web",
    "targets?scrapePool=none&state=any",
    "scrape_pools",
];

#[tokio::test]
async fn targets_are_told_as_by_prometheus() -> anyhow::Result<()> {
    let targets = Targets::start().await?;
    targets.set("/m?a=b", Page::of(TEXT, "m 1\n"));
    let (address, closed) = (targets.address, peers::free_port()?);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("prometheus.yml");
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 900ms}}\nscrape_configs:\n\
         - job_name: web\n  metrics_path: /m\n  params: {{a: [b]}}\n\
         \x20 relabel_configs:\n\
         \x20 - {{action: drop, source_labels: [role], regex: spare}}\n\
         \x20 - {{source_labels: [__address__], target_label: at}}\n\
         \x20 static_configs:\n\
         \x20 - {{targets: ['{address}'], labels: {{role: main, __meta: x}}}}\n\
         \x20 - {{targets: ['{address}'], labels: {{role: spare}}}}\n\
         - {{job_name: gone, scrape_interval: 5s, scrape_timeout: 1s, static_configs: [{{targets: ['127.0.0.1:{closed}']}}]}}\n\
         - {{job_name: empty, static_configs: []}}\n"
    );
    std::fs::write(&file, config)?;
    let grid = Grid::start_with(serve(&file, &[])).await?;
    let own = format!("{}/prometheus", grid.http);
    let is_settled = |data: &Value| {
        let all = data["activeTargets"].as_array().cloned().unwrap_or_default();
        all.len() == 2 && all.iter().all(|target| target["health"] != "unknown")
    };
    let settle = async |base: &str| -> anyhow::Result<()> {
        let start = Instant::now();
        while !is_settled(&told_of_targets(&grid.client, base, "targets", "default").await?) {
            ensure!(start.elapsed() < Duration::from_secs(90), "{base}: targets are not scraped");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    };
    settle(&own).await?;
    let all = told_of_targets(&grid.client, &own, "targets", "default").await?;
    let discovered = |role: &str| {
        json!({"__address__": address.to_string(), "__metrics_path__": "/m", "__param_a": "b", "__scheme__": "http",
            "__scrape_interval__": "1s", "__scrape_timeout__": "900ms", "job": "web", "role": role})
    };
    let mut main = discovered("main");
    main["__meta"] = json!("x");
    let up = json!({"discoveredLabels": main,
        "labels": {"at": address.to_string(), "instance": address.to_string(), "job": "web", "role": "main"},
        "scrapePool": "web", "scrapeUrl": format!("http://{address}/m?a=b"),
        "globalUrl": format!("http://HOST:{}/m?a=b", address.port()), "lastError": "", "lastScrape": "T",
        "lastScrapeDuration": 0.0, "health": "up", "scrapeInterval": "1s", "scrapeTimeout": "900ms"});
    let active = all["activeTargets"].as_array().context("targets")?;
    assert!(active.contains(&up), "{all:#}");
    let down = active.iter().find(|target| target["scrapePool"] == "gone").context("the target that is gone")?;
    assert_eq!((&down["health"], &down["lastError"]), (&json!("down"), &json!("why")));
    assert_eq!(all["droppedTargets"], json!([{"discoveredLabels": discovered("spare"), "scrapePool": "web"}]));
    assert_eq!(all["droppedTargetCounts"], json!({"empty": 0, "gone": 0, "web": 1}));
    let nothing = json!({"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {}});
    assert_eq!(told_of_targets(&grid.client, &own, "targets", "other").await?, nothing);
    let Ok(binary) = peers::prometheus() else {
        return skip("scrape_equal", "no Prometheus to compare lists of targets with");
    };
    let port = peers::free_port()?;
    let theirs = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(&binary);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let prometheus = Peer::start(&mut command, &folder.path().join("prometheus.log"))?;
    peers::until_ready(&grid.client, &format!("{theirs}/-/ready"), Duration::from_secs(60)).await?;
    settle(&theirs).await?;
    for path in TARGET_PATHS {
        let (a, b) = (
            told_of_targets(&grid.client, &theirs, path, "default").await?,
            told_of_targets(&grid.client, &own, path, "default").await?,
        );
        assert_eq!(a, b, "{path}: Prometheus, then Grid");
    }
    prometheus.terminate().await?;
    Ok(())
}

type Pages = BTreeMap<String, Page>;
type Told = BTreeMap<String, BTreeMap<String, f64>>;

/// Where the two may differ: page, start of the series' name, reason.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    (
        "/om/bad_value_3",
        "scrape_samples",
        "refused by both, but Prometheus counts the sample that it does not understand",
    ),
    (
        "/om/bad_grouping_or_ordering_10",
        "a{",
        "a sample of 1970 beside one of now: which it keeps depends on what it has stored",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_tells_the_same_of_every_page() -> anyhow::Result<()> {
    let binary = match peers::prometheus() {
        Ok(binary) => binary,
        Err(reason) => return skip("scrape_equal", reason),
    };
    let Some(pages) = cases()? else { return skip("scrape_equal", "no shared data") };
    let targets = Targets::start().await?;
    let folder = tempfile::tempdir()?;
    let groups = |prefix: &str| -> String {
        let group = |path: &String| {
            let labels = format!("__metrics_path__: '{path}', of_page: '{prefix}{path}'");
            format!("    - {{targets: ['{}'], labels: {{{labels}}}}}\n", targets.address)
        };
        pages.keys().map(group).collect()
    };
    pages.iter().for_each(|(path, page)| targets.set(path, page.clone()));
    let file = folder.path().join("prometheus.yml");
    let jobs = format!(
        "- job_name: cases\n  static_configs:\n{}- job_name: honored\n  honor_labels: true\n  honor_timestamps: false\n  static_configs:\n{}",
        groups("plain "),
        groups("honored "),
    );
    std::fs::write(
        &file,
        format!(
            "global:\n  scrape_interval: 2s\n  scrape_timeout: 2s\n  scrape_protocols: [PrometheusProto, OpenMetricsText1.0.0, PrometheusText0.0.4]\n\
             scrape_configs:\n{jobs}"
        ),
    )?;
    let grid = Grid::start_with(serve(&file, &[])).await?;
    let port = peers::free_port()?;
    let own = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(&binary);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args(["--enable-feature=native-histograms", "--log.level=error"]);
    let prometheus = Peer::start(&mut command, &folder.path().join("prometheus.log"))?;
    peers::until_ready(&grid.client, &format!("{own}/-/ready"), Duration::from_secs(60)).await?;
    until(&grid, "default", "s.metric = 'up'", 2 * 2 * pages.len() as u64).await?;
    // Prometheus hands new targets to its scrapers every five seconds.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let at = grid_tests::now_ns() / 1_000_000 - 1000;
    let theirs = told_by_prometheus(&grid, &own, &pages, at).await?;
    let ours = told_by_grid(&grid, &pages, at).await?;
    prometheus.terminate().await?;
    let mut wrong = Vec::new();
    let (mut series, mut refused) = (0, 0);
    for (target, told) in &theirs {
        let Some(found) = ours.get(target) else {
            wrong.push(format!("{target}: not in Grid"));
            continue;
        };
        refused += usize::from(told.iter().any(|(name, up)| name.starts_with("up{") && *up == 0.0));
        series += told.len();
        let names: BTreeSet<_> = told.keys().chain(found.keys()).collect();
        for name in names {
            let (a, b) = (told.get(name), found.get(name));
            let excepted =
                EXCEPTIONS.iter().any(|(page, series, _)| target.ends_with(page) && name.starts_with(series));
            if a.map(|v| v.to_bits()) != b.map(|v| v.to_bits()) && !excepted {
                wrong.push(format!("{target}: {name}: {a:?} in Prometheus, {b:?} in Grid"));
            }
        }
    }
    ensure!(theirs.len() == 2 * pages.len(), "{} of {} targets are in Prometheus", theirs.len(), 2 * pages.len());
    for line in wrong.iter().take(60) {
        eprintln!("{line}");
    }
    let measured =
        format!("{} pages, {refused} of {} scrapes refused by both, {series} series equal", pages.len(), theirs.len());
    ensure!(wrong.is_empty(), "{} differences", wrong.len());
    figure("scrape_equal", true, measured);
    Ok(())
}

/// Whether both must agree on a series: scrapes take their own time, and the start times that OpenMetrics gives as `_created` lines are
/// columns in Grid, which changes how many samples a page has.
fn is_compared(name: &str, page: &Page) -> bool {
    let has_created = String::from_utf8_lossy(&page.body).contains("_created");
    let counts = name.starts_with("scrape_samples") || name.starts_with("scrape_series_added");
    let own = name.starts_with("scrape_duration") || name.ends_with("_created");
    !(own || has_created && counts)
}

fn add(told: &mut Told, pages: &Pages, mut labels: BTreeMap<String, String>, value: f64) {
    let name = labels.remove("__name__").unwrap_or_default();
    let of_page = labels.remove("of_page").unwrap_or_default();
    let path = of_page.split(' ').nth(1).unwrap_or_default();
    let page = pages.get(path).filter(|page| is_compared(&name, page));
    let target = told.entry(of_page).or_default();
    if page.is_some() {
        // The bits of a NaN do not survive JSON.
        let value = if value.is_nan() { f64::NAN } else { value };
        target.insert(format!("{name}{}", json!(labels)), value);
    }
}

/// A native histogram's count or sum as if it were a series.
fn of_histogram(labels: &BTreeMap<String, String>, of: &str) -> BTreeMap<String, String> {
    let mut labels = labels.clone();
    labels.insert("__part__".to_owned(), of.to_owned());
    labels
}

/// The last samples of the last minute, however old their own times are.
async fn told_by_prometheus(grid: &Grid, own: &str, pages: &Pages, at_ms: i64) -> anyhow::Result<Told> {
    let mut told = Told::new();
    let query =
        [("query", "last_over_time({of_page!=\"\"}[1m])".to_owned()), ("time", format!("{:.3}", at_ms as f64 / 1e3))];
    let answer: Value = grid.client.get(format!("{own}/api/v1/query")).query(&query).send().await?.json().await?;
    for result in answer["data"]["result"].as_array().with_context(|| format!("no result: {answer}"))? {
        let labels: BTreeMap<String, String> = serde_json::from_value(result["metric"].clone())?;
        if let Some(value) = result["value"][1].as_str() {
            add(&mut told, pages, labels.clone(), value.parse()?);
        }
        for of in ["count", "sum"] {
            if let Some(value) = result["histogram"][1][of].as_str() {
                add(&mut told, pages, of_histogram(&labels, of), value.parse()?);
            }
        }
    }
    Ok(told)
}

async fn told_by_grid(grid: &Grid, pages: &Pages, at_ms: i64) -> anyhow::Result<Told> {
    let (since, until) = ((at_ms - 60_000) * 1_000_000, at_ms * 1_000_000);
    let query = format!(
        "SELECT s.metric, s.labels, x.value, x.histogram['count'] AS count, x.histogram['sum'] AS sum \
         FROM samples x JOIN series s ON x.series_id = s.series_id WHERE (x.value IS NULL OR NOT x.is_stale) AND x.time > to_timestamp_nanos({since}) AND x.time <= to_timestamp_nanos({until}) ORDER BY x.time"
    );
    let mut told = Told::new();
    for row in grid.sql("default", &query).await? {
        let mut labels: BTreeMap<String, String> = serde_json::from_value(row["labels"].clone())?;
        labels.insert("__name__".to_owned(), row["metric"].as_str().unwrap_or_default().to_owned());
        if !labels.contains_key("of_page") {
            continue;
        }
        match &row["value"] {
            Value::Null => {
                for of in ["count", "sum"] {
                    add(
                        &mut told,
                        pages,
                        of_histogram(&labels, of),
                        row[of].as_f64().context("a part of a histogram")?,
                    );
                }
            }
            Value::String(bits) => {
                let bits = u64::from_str_radix(bits.trim_start_matches("bits:"), 16)?;
                add(&mut told, pages, labels, f64::from_bits(bits));
            }
            number => add(&mut told, pages, labels, number.as_f64().context("a value")?),
        }
    }
    Ok(told)
}
