//! Alert and recording rules: the rule files of real projects load, promtool's own unit tests get promtool's verdicts, and a server evaluates
//! rules as a real Prometheus does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use grid_tests::peers::{self, Peer};
use grid_tests::wire::{REMOTE_WRITE_HEADERS, remote_write};
use grid_tests::{Grid, Options, figure, grid_binary, now_ns, shared_data, skip};
use serde_json::{Value, json};
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a run of `grid` said on stdout, and its exit code.
async fn run(args: &[&str]) -> anyhow::Result<(String, i32)> {
    let output = Command::new(grid_binary()?).args(args).stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let said = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
    Ok((said, output.status.code().context("ended by a signal")?))
}

fn yaml_files(folder: &Path, into: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            yaml_files(&path, into)?;
        } else if path.extension().is_some_and(|e| e == "yml" || e == "yaml") {
            into.push(path);
        }
    }
    into.sort();
    Ok(())
}

#[tokio::test]
async fn rule_files_of_real_projects_load() -> anyhow::Result<()> {
    let Some(folder) = shared_data().map(|shared| shared.join("rules")).filter(|dir| dir.is_dir()) else {
        return skip("rule_files", "the rule files of real projects are not on this machine");
    };
    let mut files = Vec::new();
    yaml_files(&folder, &mut files)?;
    let (mut good, mut rules, mut bad) = (0, 0, Vec::new());
    for file in &files {
        let (said, code) = run(&["rules", "check", &file.to_string_lossy()]).await?;
        let count =
            said.lines().find_map(|l| l.trim().strip_prefix("SUCCESS: ")?.split(' ').next()?.parse::<u64>().ok());
        match (code, count) {
            (0, Some(n)) => {
                good += 1;
                rules += n;
            }
            _ => bad.push(said),
        }
    }
    let holds = figure("rule_files", bad.is_empty(), format!("{good} of {} files load, {rules} rules", files.len()));
    ensure!(holds, "{}", bad.join("\n"));
    Ok(())
}

/// Promtool's test data: arguments and exit code, as promtool 3.16.0 gave it on 2026-11-29. Where one is at hand (`make peers
/// PROMTOOL=1`) it is asked again.
const VERDICTS: &[(&str, &[&str], i32)] = &[
    ("test unittest.yml", &[], 0),
    ("test long-period.yml", &[], 0),
    ("test start-time-test.yml", &[], 0),
    ("test no-test-group-interval.yml", &[], 0),
    ("test at-modifier-test.yml", &[], 0),
    ("test negative-offset-test.yml", &[], 0),
    ("test bad-input-series.yml", &[], 1),
    ("test bad-promql.yml", &[], 1),
    ("test bad-rules-error-test.yml", &[], 1),
    ("test bad-rules-syntax-test.yml", &[], 1),
    ("test failing.yml", &[], 1),
    ("test rules_run.yml", &[], 1),
    ("test rules_run.yml", &["--run", "correct"], 0),
    ("test rules_run.yml", &["--run", "wrong"], 1),
    ("test rules_run_fuzzy.yml", &["--run", "correct"], 0),
    ("test rules_run_fuzzy.yml", &["--run", "wrong"], 1),
    ("test rules_run_no_fuzzy.yml", &[], 1),
    ("test rules_run_extrafields.yml", &[], 1),
    ("test rules_run_extrafields.yml", &["--ignore-unknown-fields"], 0),
    ("check rules.yml", &[], 0),
    ("check rules-bad.yml", &[], 1),
    ("check rules_extrafields.yml", &[], 1),
    ("check rules_extrafields.yml", &["--ignore-unknown-fields"], 0),
    ("check rules_duplicates.yml", &[], 0),
    ("check prometheus-rules.lint.yml", &[], 0),
    ("check prometheus-rules.lint.yml", &["--lint-fatal"], 3),
    ("check rules_large.yml", &[], 0),
    ("check features.yml", &[], 1),
    (
        "check features.yml",
        &[
            "--enable-feature",
            "promql-experimental-functions,promql-duration-expr,promql-extended-range-selectors,promql-binop-fill-modifiers",
        ],
        0,
    ),
];

#[tokio::test]
async fn unit_tests_get_promtools_verdicts() -> anyhow::Result<()> {
    let Some(folder) = shared_data().map(|shared| shared.join("promql/promtool")).filter(|dir| dir.is_dir()) else {
        return skip("rule_unit_tests", "promtool's test data are not on this machine");
    };
    let promtool = peers::promtool().ok();
    let (mut same, mut other) = (0, Vec::new());
    for (what, more, verdict) in VERDICTS {
        let (verb, file) = what.split_once(' ').context("a verb and a file")?;
        let path = folder.join(file);
        if let Some(promtool) = &promtool {
            // Promtool takes features before the verb.
            let (features, own) =
                if more.first() == Some(&"--enable-feature") { (*more, &[][..]) } else { (&[][..], *more) };
            let features =
                features.iter().skip(1).flat_map(|list| list.split(',')).map(|f| format!("--enable-feature={f}"));
            let mut command = Command::new(promtool);
            let status = command.args(features).args([verb, "rules"]).args(own).arg(&path).output().await?.status;
            ensure!(
                status.code() == Some(*verdict),
                "promtool itself: {what} {more:?} ends with {status}, not {verdict}"
            );
        }
        let (said, code) = run(&[&["rules", verb, &path.to_string_lossy()][..], more].concat()).await?;
        if code == *verdict { same += 1 } else { other.push(format!("{what} {more:?}: {code}, not {verdict}\n{said}")) }
    }
    let asked = if promtool.is_some() { "(asked in this run)" } else { "of 2026-11-29 (3.16.0)" };
    let holds = figure(
        "rule_unit_tests",
        other.is_empty(),
        format!("{same} of {} verdicts are promtool's {asked}", VERDICTS.len()),
    );
    ensure!(holds, "{}", other.join("\n"));
    Ok(())
}

async fn api(grid: &Grid, path: &str) -> anyhow::Result<Value> {
    Ok(grid.client.get(format!("{}{path}", grid.http)).send().await?.json().await?)
}

/// Waits until an answer of the API is as wanted.
async fn until(grid: &Grid, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let start = Instant::now();
    loop {
        let answer = api(grid, path).await?;
        if holds(&answer) {
            return Ok(answer);
        }
        ensure!(start.elapsed() < PATIENCE, "{what}: {answer}, and the log says:\n{}", grid.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn set(grid: &Grid, value: f64) -> anyhow::Result<()> {
    let body =
        remote_write(&[("__name__", "demo_up"), ("job", "x"), ("instance", "a:1")], &[(now_ns() / 1_000_000, value)]);
    grid.post_ok("/api/v1/write", "default", &REMOTE_WRITE_HEADERS, body).await?;
    Ok(())
}

fn state_of(answer: &Value, name: &str) -> Option<String> {
    let alerts = answer["data"]["alerts"].as_array()?;
    let found = alerts.iter().find(|a| a["labels"]["alertname"] == name)?;
    Some(found["state"].as_str()?.to_owned())
}

const RULES: &str = r#"
groups:
- name: first
  interval: 1s
  labels: {team: sre}
  rules:
  - record: job:demo_up:sum
    expr: sum by (job) (demo_up)
  - alert: Down
    expr: job:demo_up:sum == 0
    for: 2s
    labels: {severity: page}
    annotations: {summary: '{{ $labels.job }} has {{ $value }} of {{ with query "count(demo_up)" }}{{ . | first | value }}{{ end }}'}
"#;

#[tokio::test]
async fn an_alert_waits_fires_and_ends_in_a_server() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, RULES)?;
    let args = vec!["--rules".to_owned(), folder.path().display().to_string()];
    let grid = Grid::start_with(Options { args, ..Options::default() }).await?;
    set(&grid, 0.0).await?;
    const ALERTS: &str = "/prometheus/api/v1/alerts";
    until(&grid, ALERTS, "pending", |a| state_of(a, "Down").as_deref() == Some("pending")).await?;
    let firing = until(&grid, ALERTS, "firing", |a| state_of(a, "Down").as_deref() == Some("firing")).await?;
    let alert = &firing["data"]["alerts"][0];
    assert_eq!(alert["annotations"]["summary"], "x has 0 of 1");
    assert_eq!(alert["labels"], json!({"alertname": "Down", "job": "x", "severity": "page", "team": "sre"}));
    assert_eq!(alert["value"], "0e+00");
    let groups = api(&grid, "/prometheus/api/v1/rules?type=alert").await?;
    let rule = &groups["data"]["groups"][0]["rules"][0];
    assert_eq!((&rule["state"], &rule["health"], &rule["duration"]), (&json!("firing"), &json!("ok"), &json!(2)));
    let native = api(&grid, "/api/v1/rules/alerts?state=firing").await?;
    assert_eq!(
        (&native["items"][0]["name"], &native["items"][0]["query"]),
        (&json!("Down"), &json!("job:demo_up:sum == 0"))
    );
    let series = api(&grid, "/prometheus/api/v1/query?query=ALERTS").await?;
    assert_eq!(series["data"]["result"][0]["metric"]["alertstate"], "firing", "{series}");
    set(&grid, 1.0).await?;
    until(&grid, ALERTS, "resolved", |a| state_of(a, "Down").is_none()).await?;
    until(&grid, "/prometheus/api/v1/query?query=ALERTS", "ALERTS end", |a| a["data"]["result"] == json!([])).await?;
    until(&grid, "/prometheus/api/v1/query?query=job:demo_up:sum", "recorded", |a| {
        a["data"]["result"][0]["value"][1] == "1"
    })
    .await?;
    ensure!(grid.log().contains("status=resolved") || grid.log().contains("\"status\":\"resolved\""), "{}", grid.log());

    // A file that changes is read again; one that breaks leaves its groups in force.
    std::fs::write(&file, RULES.replace("for: 2s", "for: 1h"))?;
    const RULES_PATH: &str = "/prometheus/api/v1/rules?type=alert";
    until(&grid, RULES_PATH, "read again", |a| a["data"]["groups"][0]["rules"][0]["duration"] == 3600.0).await?;
    std::fs::write(&file, "groups: [")?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure!(
        api(&grid, RULES_PATH).await?["data"]["groups"][0]["name"] == "first",
        "a broken file took its groups away"
    );
    Ok(())
}

#[tokio::test]
async fn tenants_keep_rules_through_the_api() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    set(&grid, 3.0).await?;
    let url = format!("{}/api/v1/rules/team/mine", grid.http);
    let put = async |body: &str| -> anyhow::Result<(u16, Value)> {
        let answer =
            grid.client.put(&url).header("content-type", "application/yaml").body(body.to_owned()).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    };
    let bad = put("name: mine\nrules:\n- alert: A\n  expr: sum(\n- record: b\n").await?;
    assert_eq!((bad.0, &bad.1["code"], &bad.1["line"]), (422, &json!("GRID-0701"), &json!(4)), "{}", bad.1);
    assert_eq!(bad.1["mistakes"].as_array().map(Vec::len), Some(2), "{}", bad.1);
    let good = put("name: mine\ninterval: 1s\nrules:\n- alert: Many\n  sql: SELECT 'x' AS service, count(*) AS value FROM samples HAVING count(*) > 0\n").await?;
    assert_eq!((good.0, &good.1["version"], &good.1["namespace"]), (200, &json!(1), &json!("team")), "{}", good.1);
    let found =
        until(&grid, "/api/v1/rules/alerts", "the alert by SQL", |a| a["items"][0]["state"] == "firing").await?;
    assert_eq!(found["items"][0]["labels"], json!({"alertname": "Many", "service": "x"}));
    let listed = api(&grid, "/api/v1/rules").await?;
    assert_eq!((&listed["items"][0]["file"], &listed["items"][0]["firing"]), (&json!("team"), &json!(1)), "{listed}");
    assert_eq!(api(&grid, "/api/v1/rules/team/mine").await?["version"], 1);
    assert_eq!(grid.client.delete(&url).send().await?.status().as_u16(), 204);
    assert_eq!(api(&grid, "/api/v1/rules/alerts").await?["items"], json!([]));
    assert_eq!(grid.client.delete(&url).send().await?.status().as_u16(), 404);
    Ok(())
}

#[tokio::test]
async fn a_pending_alert_survives_a_restart() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, "groups: [{name: g, interval: 1s, rules: [{alert: Slow, expr: 'vector(1)', for: 1h}]}]")?;
    let env = vec![("GRID__RULES__FOR_GRACE_PERIOD".to_owned(), "1s".to_owned())];
    let args = vec!["--rules".to_owned(), file.display().to_string()];
    let mut grid = Grid::start_with(Options { args, env, ..Options::default() }).await?;
    const QUERY: &str = "/prometheus/api/v1/query?query=ALERTS_FOR_STATE";
    let since = |answer: &Value| answer["data"]["result"][0]["value"][1].as_str().and_then(|v| v.parse::<i64>().ok());
    let before = since(&until(&grid, QUERY, "written", |a| since(a).is_some()).await?).context("a beginning")?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    grid.restart().await?;
    // Evaluations 1 and 2 come before states are looked for; then the time of the pause is added.
    let restarted = now_ns() / 1_000_000_000;
    let text = |answer: &Value| answer["data"]["alerts"][0]["activeAt"].as_str().unwrap_or_default().to_owned();
    let after = until(&grid, QUERY, "written again", |a| {
        a["data"]["result"][0]["value"][0].as_f64().is_some_and(|t| t > restarted as f64)
            && since(a).is_some_and(|s| s < restarted - 2)
    })
    .await?;
    let after = since(&after).context("a beginning")?;
    ensure!(
        (before..restarted).contains(&after),
        "{before} {after} {restarted} {}",
        text(&api(&grid, "/prometheus/api/v1/alerts").await?)
    );
    Ok(())
}

/// Templates that a real Prometheus and Grid expand, and must expand alike.
const TEMPLATES: &[&str] = &[
    "plain",
    "{{ $labels.a }} {{ $value }} {{ $labels.none }}",
    "{{ .Value | printf \"%.3f\" }} {{ printf \"%v %s %q\" $value $labels.a \"x\" }}",
    "{{ humanize $value }} {{ humanize 1234567.0 }} {{ humanize 0.00012 }} {{ humanize \"1e9\" }}",
    "{{ humanize1024 1234567.0 }} {{ humanize1024 $value }}",
    "{{ humanizeDuration 93784.5 }} {{ humanizeDuration 0.0123 }} {{ humanizeDuration -65 }} {{ humanizeDuration 12.3456 }}",
    "{{ humanizePercentage 0.12345 }} {{ humanizeTimestamp 1435065584.128 }} {{ 1435065584 | toTime }}",
    "{{ parseDuration \"1h30m\" }} {{ title \"foo bar_baz a-b\" }} {{ toUpper \"a\" }} {{ toLower \"B\" }}",
    "{{ reReplaceAll \"(.*)-(.*)\" \"$2/$1\" \"a-b\" }} {{ match \"^a\" \"abc\" }}",
    "{{ stripPort \"host:80\" }} {{ stripDomain \"host.example.com:80\" }} {{ stripDomain \"10.0.0.1:80\" }}",
    "{{ if gt $value 1.0 }}big{{ else if lt $value 0.0 }}negative{{ else }}small{{ end }}",
    "{{ if gt $value 1 }}x{{ end }}",
    "{{ with query \"vector(7)\" }}{{ . | first | value }}{{ end }}",
    "{{ range query \"label_replace(vector(1), 'x', 'y', '', '')\" }}{{ .Labels.x }}={{ .Value }};{{ end }}",
    "{{ range $i, $s := query \"sort(vector(3))\" }}{{ $i }}:{{ $s.Value }}{{ end }}",
    "{{ query \"absent(vector(1))\" | len }} {{ len $labels.a }} {{ index .Labels \"a\" }} {{ slice \"abcdef\" 1 3 }}",
    "{{ define \"t\" }}<{{ .arg0 }},{{ .arg1 }}>{{ end }}{{ template \"t\" (args 1 \"b\") }}",
    "{{ $x := 1 }}{{ $x = 2 }}{{ $x }} {{- \" trimmed \" -}}   end",
    "{{ and true \"x\" }} {{ or \"\" \"y\" }} {{ not true }} {{ eq 1 1 }} {{ eq \"a\" \"b\" \"a\" }} {{ ne 1 2 }} {{ le 1.5 1.5 }}",
    "{{ print 1 2 \"a\" 3 }} {{ println \"x\" 1 }}|{{ html \"<a>\" }} {{ urlquery \"a b&c\" }} {{ js \"it's\" }}",
    "{{ tableLink \"up == 0\" }} {{ graphLink \"rate(x[5m])\" }} {{ safeHtml \"<b>\" }}",
    "{{ .Labels }} {{ $externalLabels }}",
    "{{ printf \"%d\" 3 }} {{ printf \"%d\" 3.5 }} {{ printf \"%5.1f|%-6s|%06.2f|%x|%e|%g\" 2.25 \"a\" 3.14159 255 1234.5 0.00001 }}",
    "{{ printf \"%s\" 5 }} {{ printf \"%s %s\" \"a\" }} {{ printf \"x\" 1 }} {{ printf \"%t %%\" true }}",
    "{{ 1000000.0 }} {{ 0.1 }} {{ 1e21 }} {{ 123456789.0 }} {{ 1e-7 }} {{ 'a' }} {{ 0x1F }}",
    "{{ toUpper 5 }}",
    "{{ first (query \"absent(vector(1))\") }}",
    "{{ $labels.a.b }}",
    "{{ .Foo }}",
    "{{ template \"nope\" }}",
    "{{ len 3 }}",
    "{{ index (query \"vector(1)\") 5 }}",
    "{{ range 3 }}{{ . }}{{ end }}",
    "{{ range $k, $v := .Labels }}{{ $k }}={{ $v }},{{ end }}",
    "{{ range query \"vector(1)\" }}{{ break }}{{ end }}done {{ range query \"absent(vector(1))\" }}x{{ else }}none{{ end }}",
    "{{ with $labels.none }}x{{ else }}empty{{ end }}{{ with 5 }}{{ . }}{{ end }}",
    "{{ sortByLabel \"x\" (query \"vector(1)\") | len }} {{ label \"a\" (query \"vector(1)\" | first) }}| {{ strvalue (query \"vector(1)\" | first) }}|",
    "{{ $value | humanize | printf \"%s!\" }} {{ ($value) }} {{ (query \"vector(4)\" | first).Value }}",
    "{{ eq 1 1.0 }}",
    "{{ `raw \"string\"` }} {{ \"tab\\tx\\u00e9\" }} {{/* comment */}}.",
];

/// As both say it: the place and the words around an error are Go's own.
fn comparable(text: &str) -> String {
    match text.find("<error expanding template") {
        Some(_) => "<error>".to_owned(),
        None => text.to_owned(),
    }
}

/// The annotations of the only alert, once it is there.
async fn annotations(client: &reqwest::Client, base: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let start = Instant::now();
    loop {
        let answer: Value = client.get(format!("{base}/api/v1/alerts")).send().await?.json().await?;
        if let Some(found) = answer["data"]["alerts"][0]["annotations"].as_object() {
            let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            return Ok(found.iter().map(|(k, v)| (k.clone(), text(v))).collect());
        }
        ensure!(start.elapsed() < PATIENCE, "no alert at {base}: {answer}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Takes out what differs from run to run, and what the templates make.
fn mask(answer: &mut Value) {
    match answer {
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match key.as_str() {
                    "evaluationTime" | "lastEvaluation" | "activeAt" | "annotations" => *value = Value::Null,
                    _ => mask(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

#[tokio::test]
async fn templates_expand_as_in_a_real_prometheus() -> anyhow::Result<()> {
    let prometheus = match peers::prometheus() {
        Ok(path) => path,
        Err(reason) => return skip("rule_templates", reason),
    };
    let folder = tempfile::tempdir()?;
    let texts: serde_json::Map<String, Value> =
        TEMPLATES.iter().enumerate().map(|(i, text)| (format!("t{i:02}"), json!(text))).collect();
    let expr = "label_replace(vector(1.5), 'a', 'value', '', '')";
    let rules = json!({"groups": [{"name": "g", "interval": "1s", "limit": 7, "labels": {"team": "sre"}, "rules": [
        {"alert": "A", "expr": expr, "annotations": texts, "labels": {"severity": "{{ $labels.a }}"}},
        {"alert": "Never", "expr": "absent(vector(1))", "for": "1h", "keep_firing_for": "5m"},
        {"record": "r", "expr": "vector( 1 )"},
        {"record": "broken", "expr": "label_replace(vector(1), 'a', 'b', '', '') or vector(1)", "labels": {"a": "c"}},
    ]}]});
    // JSON is YAML.
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, serde_json::to_vec(&rules)?)?;
    let config = folder.path().join("prometheus.yml");
    std::fs::write(&config, serde_json::to_vec(&json!({"rule_files": [file]}))?)?;
    let port = peers::free_port()?;
    let mut command = Command::new(prometheus);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let peer = Peer::start(&mut command, &folder.path().join("prometheus.log"))?;
    let args = vec!["--rules".to_owned(), file.display().to_string()];
    let grid = Grid::start_with(Options { args, ..Options::default() }).await?;
    let base = format!("http://127.0.0.1:{port}");
    peers::until_ready(&grid.client, &format!("{base}/-/ready"), PATIENCE).await?;
    let theirs = annotations(&grid.client, &base).await?;
    let ours = annotations(&grid.client, &format!("{}/prometheus", grid.http)).await?;
    let (mut their_rules, mut our_rules) = (
        grid.client.get(format!("{base}/api/v1/rules")).send().await?.json::<Value>().await?,
        api(&grid, "/prometheus/api/v1/rules").await?,
    );
    mask(&mut their_rules);
    mask(&mut our_rules);
    assert_eq!(our_rules, their_rules, "the rules as the API shows them");
    peer.terminate().await?;
    let mut differ = Vec::new();
    for (name, text) in &texts {
        let (theirs, ours) = (theirs.get(name).context("theirs")?, ours.get(name).context("ours")?);
        if comparable(theirs) != comparable(ours) {
            differ.push(format!("{text}\n  Prometheus: {theirs}\n  Grid:       {ours}"));
        }
    }
    let same = texts.len() - differ.len();
    let holds = figure("rule_templates", differ.is_empty(), format!("{same} of {} templates equal", texts.len()));
    ensure!(holds, "{}", differ.join("\n"));
    Ok(())
}
