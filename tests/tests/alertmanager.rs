//! A real Alertmanager beside Grid: it takes Grid's alerts with the right states, and under the same configuration Grid tells receivers
//! the same as it does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use grid_tests::hook::{Hook, Taken};
use grid_tests::peers::{self, Peer};
use grid_tests::{Grid, Options, figure, skip};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

const TYPE: [(&str, &str); 1] = [("content-type", "application/json")];

/// A running Alertmanager.
struct Alertmanager {
    peer: Peer,
    http: String,
    log: PathBuf,
    _folder: TempDir,
}

impl Alertmanager {
    async fn start(binary: &Path, config: &str, client: &reqwest::Client) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("alertmanager.yml");
        std::fs::write(&file, config)?;
        let (port, log) = (peers::free_port()?, folder.path().join("alertmanager.log"));
        let mut command = Command::new(binary);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=");
        let peer = Peer::start(&mut command, &log)?;
        let http = format!("http://127.0.0.1:{port}");
        let ready = peers::until_ready(client, &format!("{http}/-/ready"), Duration::from_secs(30)).await;
        ready.with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
        Ok(Self { peer, http, log, _folder: folder })
    }

    async fn get(&self, client: &reqwest::Client, path: &str) -> anyhow::Result<Value> {
        Ok(client.get(format!("{}{path}", self.http)).send().await?.error_for_status()?.json().await?)
    }

    async fn post(&self, client: &reqwest::Client, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = client.post(format!("{}{path}", self.http)).json(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{path} answered {status}: {text}\n{}", std::fs::read_to_string(&self.log)?);
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}

async fn version(binary: &Path) -> anyhow::Result<String> {
    let output = Command::new(binary).arg("--version").output().await?;
    Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().nth(2).unwrap_or("?").to_owned())
}

/// An alert that begins in this second and fires for an hour, or one that ended some seconds ago. It must not begin earlier:
/// Alertmanager looks at a group at once then, in the middle of a request.
fn alert(labels: Value, ends: Option<i64>) -> Value {
    let time = |seconds: i64| rfc3339(grid_tests::now_ns() / 1_000_000_000 + seconds);
    let (starts, ends) = ends.map_or((1, 3600), |ends| (ends, ends));
    json!({ "labels": labels, "annotations": { "summary": "it burns" }, "startsAt": time(starts), "endsAt": time(ends),
        "generatorURL": "http://prometheus/graph" })
}

fn rfc3339(seconds: i64) -> String {
    let text = grid_model::Timestamp(seconds * 1_000_000_000).to_string();
    text.replace(".000000000Z", "Z")
}

#[tokio::test]
async fn a_real_alertmanager_takes_alerts_and_their_ends() -> anyhow::Result<()> {
    let binary = match peers::alertmanager() {
        Ok(binary) => binary,
        Err(reason) => return skip("alertmanager", reason),
    };
    let hook = Hook::start().await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let config = format!(
        "route: {{receiver: r, group_by: [alertname], group_wait: 1s, group_interval: 1s}}\nreceivers:\n- name: r\n  webhook_configs: [{{url: '{}'}}]\n",
        hook.url()
    );
    // Two of them, as people run them; the second comes later than the alerts.
    let first = Alertmanager::start(&binary, &config, &client).await?;
    let late = peers::free_port()?;
    let addresses = format!("{},http://127.0.0.1:{late}/", first.http);
    let env = vec![("GRID__ALERTING__ALERTMANAGERS".to_owned(), addresses)];
    let grid = Grid::start_with(Options { env, ..Options::default() }).await?;
    let alerts: Vec<Value> =
        (0..5).map(|i| alert(json!({ "alertname": "A", "i": i.to_string(), "ü": "grün 🙂" }), None)).collect();
    grid.post_ok("/alertmanager/api/v2/alerts", "default", &TYPE, json!(alerts).to_string()).await?;

    let mut theirs = Value::Null;
    for _ in 0..100 {
        theirs = first.get(&client, "/api/v2/alerts").await?;
        if theirs.as_array().is_some_and(|a| a.len() == alerts.len()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ours: Value = client.get(format!("{}/api/v1/alerts", grid.http)).send().await?.json().await?;
    let by_id = |list: &Value, start: &str, url: &str| -> BTreeMap<String, (Value, Value, String, Value)> {
        let of = |a: &Value| {
            let text = |name: &str| {
                a[name].as_str().unwrap_or_default().trim_end_matches('Z').trim_end_matches(".000").to_owned()
            };
            (text("fingerprint"), (a["labels"].clone(), a["annotations"].clone(), text(start), a[url].clone()))
        };
        list.as_array().into_iter().flatten().map(of).collect()
    };
    let theirs_by_id = by_id(&theirs, "startsAt", "generatorURL");
    ensure!(theirs_by_id.len() == alerts.len(), "{theirs:#}");
    ensure!(theirs_by_id == by_id(&ours["items"], "starts_at", "generator_url"), "{theirs:#}\n{ours:#}");
    ensure!(theirs.as_array().into_iter().flatten().all(|a| a["status"]["state"] == "active"), "{theirs:#}");
    hook.until("Alertmanager's own message", Duration::from_secs(20), |t| status(t, "firing") == alerts.len()).await?;

    // One ends: Alertmanager tells its receiver so.
    grid.post_ok(
        "/alertmanager/api/v2/alerts",
        "default",
        &TYPE,
        json!([alert(json!({ "alertname": "A", "i": "0", "ü": "grün 🙂" }), Some(-1))]).to_string(),
    )
    .await?;
    hook.until("the end of one", Duration::from_secs(20), |t| status(t, "resolved") == 1).await?;
    let receivers: Value = client.get(format!("{}/api/v1/receivers", grid.http)).send().await?.json().await?;
    let failing: Vec<bool> =
        receivers["items"].as_array().into_iter().flatten().map(|r| r["failing"] == true).collect();
    ensure!(failing.iter().filter(|f| **f).count() == 1, "one of two is away: {receivers:#}");
    first.peer.terminate().await?;
    let version = version(&binary).await?;
    figure(
        "alertmanager",
        true,
        format!(
            "Alertmanager {version}: 5 of 5 alerts with equal labels, times and fingerprints; 1 resolved; one that was away held up nobody"
        ),
    );
    Ok(())
}

/// How many different alerts were told with a status.
fn status(taken: &[Taken], wanted: &str) -> usize {
    let all = taken.iter().flat_map(|t| t.json()["alerts"].as_array().cloned().unwrap_or_default());
    let some = all.filter(|a| a["status"] == wanted).map(|a| a["fingerprint"].to_string());
    some.collect::<std::collections::BTreeSet<_>>().len()
}

const SAME: &str = "
global: {resolve_timeout: 1h}
route:
  receiver: all
  group_by: [alertname]
  group_wait: 1s
  group_interval: 4s
  repeat_interval: 1h
  routes:
  - matchers: [team=\"a\"]
    receiver: a
    group_by: [alertname, site]
    continue: true
  - match_re: {team: a|b}
    receiver: b
    routes:
    - matchers: ['{severity=~\"info|debug\"}']
      receiver: quiet
      group_by: ['...']
inhibit_rules:
- source_matchers: [severity=critical]
  target_matchers: [severity=~\"warning|info\"]
  equal: [site]
receivers:
- name: all
  webhook_configs: [{url: 'HOOK'}]
- name: a
  webhook_configs: [{url: 'HOOK', max_alerts: 2}]
- name: b
  webhook_configs: [{url: 'HOOK'}]
- name: quiet
  webhook_configs: [{url: 'HOOK', send_resolved: false}]
";

#[tokio::test]
async fn under_the_same_configuration_receivers_are_told_the_same() -> anyhow::Result<()> {
    let binary = match peers::alertmanager() {
        Ok(binary) => binary,
        Err(reason) => return skip("alertmanager_same", reason),
    };
    let (hook_of_grid, hook) = (Hook::start().await?, Hook::start().await?);
    let client = reqwest::Client::builder().no_proxy().build()?;
    let am = Alertmanager::start(&binary, &SAME.replace("HOOK", &hook.url()), &client).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("alertmanager.yml");
    std::fs::write(&file, SAME.replace("HOOK", &hook_of_grid.url()))?;
    let args = vec!["--alertmanager-config".to_owned(), file.display().to_string()];
    let grid = Grid::start_with(Options { args, ..Options::default() }).await?;
    let send = async |alerts: Value| -> anyhow::Result<()> {
        am.post(&client, "/api/v2/alerts", &alerts).await?;
        grid.post_ok("/alertmanager/api/v2/alerts", "default", &TYPE, alerts.to_string()).await?;
        // Longer than an interval, so that each state is told.
        tokio::time::sleep(Duration::from_secs(6)).await;
        Ok(())
    };
    let of = |name: &str, team: &str, severity: &str, site: &str, i: usize| json!({ "alertname": name, "team": team, "severity": severity, "site": site, "i": i.to_string() });
    let until = rfc3339(grid_tests::now_ns() / 1_000_000_000 + 3600);
    let matcher = json!([{ "name": "site", "value": "s.*", "isRegex": true, "isEqual": true }]);
    let theirs = json!({ "matchers": matcher, "startsAt": rfc3339(grid_tests::now_ns() / 1_000_000_000), "endsAt": until,
        "createdBy": "ada", "comment": "work" });
    let theirs = am.post(&client, "/api/v2/silences", &theirs).await?;
    let ours = json!({ "matchers": ["site=~\"s.*\""], "ends_at": until, "comment": "work" });
    let ours: Value =
        serde_json::from_str(&grid.post_ok("/api/v1/silences", "default", &TYPE, ours.to_string()).await?)?;

    send(json!([
        alert(of("Down", "a", "critical", "x", 0), None),
        alert(of("Down", "a", "warning", "x", 1), None),
        alert(of("Down", "a", "warning", "y", 2), None),
        alert(of("Down", "a", "warning", "y", 3), None),
        alert(of("Down", "a", "warning", "y", 4), None),
        alert(of("Slow", "b", "info", "y", 0), None),
        alert(of("Slow", "b", "error", "y", 1), None),
        alert(of("Full", "c", "warning", "silent", 0), None),
        alert(of("Full", "c", "warning", "z", 1), None),
    ]))
    .await?;
    send(json!([alert(of("Down", "a", "warning", "y", 2), Some(-1)), alert(of("Slow", "b", "error", "y", 2), None)]))
        .await?;
    send(json!([
        alert(of("Slow", "b", "info", "y", 0), Some(-1)),
        alert(of("Down", "a", "critical", "x", 0), Some(-1))
    ]))
    .await?;
    client
        .delete(format!("{}/api/v2/silence/{}", am.http, theirs["silenceID"].as_str().context("an id")?))
        .send()
        .await?
        .error_for_status()?;
    let path = format!("{}/api/v1/silences/{}", grid.http, ours["id"].as_str().context("an id")?);
    client.delete(path).send().await?.error_for_status()?;
    send(json!([alert(of("Slow", "b", "info", "y", 0), None)])).await?;
    send(json!([
        alert(of("Full", "c", "warning", "z", 1), Some(-1)),
        alert(of("Full", "c", "warning", "silent", 0), Some(-1))
    ]))
    .await?;
    tokio::time::sleep(Duration::from_secs(3)).await;

    let (theirs, ours) = (told(&hook), told(&hook_of_grid));
    ensure!(theirs.len() > 5, "{theirs:#?}");
    ensure!(theirs == ours, "Alertmanager: {theirs:#?}\nGrid: {ours:#?}");
    let messages: usize = theirs.values().map(Vec::len).sum();
    am.peer.terminate().await?;
    let version = version(&binary).await?;
    figure(
        "alertmanager_same",
        true,
        format!("Alertmanager {version}: {messages} of {messages} messages to {} groups equal", theirs.len()),
    );
    Ok(())
}

/// What was told, by receiver and group, in order: whole bodies without what differs by design (the sender's address, the exact end).
fn told(hook: &Hook) -> BTreeMap<String, Vec<Value>> {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for taken in hook.taken() {
        let mut message = taken.json();
        message["externalURL"] = Value::Null;
        if let Some(alerts) = message["alerts"].as_array_mut() {
            alerts.sort_by_key(|a| a["fingerprint"].to_string());
        }
        let key = format!("{} {}", message["receiver"], message["groupKey"]);
        groups.entry(key).or_default().push(message);
    }
    groups
}
