//! Webhooks under receivers that fail, hang and restart, while the server is killed: nothing is lost, each group's messages arrive in
//! order, nobody holds up anybody else. And their signatures, by the public library.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use grid_tests::figures::scorecard;
use grid_tests::hook::{Hook, Mood, Taken};
use grid_tests::peers;
use grid_tests::{Grid, Options, figure, skip};
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

const ALERTS: &str = "/alertmanager/api/v2/alerts";

/// Settings that make minutes of retries seconds.
fn options() -> Options {
    let settings = [
        ("GRID__ALERTING__WEBHOOK_NETWORKS", "127.0.0.0/8"),
        ("GRID__ALERTING__ATTEMPT_TIMEOUT", "400ms"),
        ("GRID__ALERTING__RETRY_MIN", "50ms"),
        ("GRID__ALERTING__RETRY_MAX", "400ms"),
    ];
    Options { env: settings.map(|(n, v)| (n.to_owned(), v.to_owned())).into(), ..Options::default() }
}

async fn add_webhook(grid: &Grid, hook: &Hook) -> anyhow::Result<Value> {
    let body = json!({
        "name": "hook", "url": hook.url(), "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s",
    });
    let made =
        grid.post_ok("/api/v1/webhooks", "default", &[("content-type", "application/json")], body.to_string()).await?;
    Ok(serde_json::from_str(&made)?)
}

/// Sends alerts until they are acknowledged, over kills of the server.
async fn send(grid: &Grid, alerts: &Value) -> anyhow::Result<()> {
    let text = grid.post_ok(ALERTS, "default", &[("content-type", "application/json")], alerts.to_string()).await?;
    let taken: Value = serde_json::from_str(&text)?;
    ensure!(taken["refused"] == json!([]), "{taken}");
    Ok(())
}

fn alert(group: usize, i: usize, ends: Option<&str>) -> Value {
    let mut alert = json!({ "labels": { "alertname": format!("G{group}"), "i": i.to_string() } });
    // Long enough that no alert resolves by itself while a server is down.
    alert["startsAt"] = json!("2026-01-01T00:00:00Z");
    alert["endsAt"] = json!(ends.unwrap_or("2200-01-01T00:00:00Z"));
    alert
}

#[tokio::test]
async fn nothing_is_lost_and_order_is_kept() -> anyhow::Result<()> {
    let seeds = if scorecard() { 10 } else { 2 };
    let (mut messages, mut repeated, mut kills, mut slowest) = (0, 0, 0, Duration::ZERO);
    for seed in 0..seeds {
        let run = play(seed).await.with_context(|| format!("seed {seed}"))?;
        messages += run.messages;
        repeated += run.repeated;
        kills += run.kills;
        slowest = slowest.max(run.slowest);
    }
    let measured = format!(
        "{seeds} seeds, {kills} kills: {messages} messages, 0 lost, 0 out of order, {repeated} told twice; a receiver that is well waited at most {:.1} s",
        slowest.as_secs_f64()
    );
    figure("webhook_delivery", true, measured);
    Ok(())
}

/// What one seed showed.
struct Run {
    messages: usize,
    repeated: usize,
    kills: usize,
    slowest: Duration,
}

const GROUPS: usize = 5;
const ROUNDS: usize = 12;

async fn play(seed: u64) -> anyhow::Result<Run> {
    let mut dice = rand::rngs::StdRng::seed_from_u64(seed);
    let mut grid = Grid::start_with(options()).await?;
    let (mut ill, well) = (Hook::start().await?, Hook::start().await?);
    for hook in [&ill, &well] {
        add_webhook(&grid, hook).await?;
    }
    // How many alerts of each group fire, as acknowledged: alert i of a group appears once, and goes at the end.
    let mut firing = [0usize; GROUPS];
    let (mut kills, mut slowest) = (0, Duration::ZERO);
    for _ in 0..ROUNDS {
        ill.be(Mood::ALL[dice.random_range(0..Mood::ALL.len())]).await?;
        let group = dice.random_range(0..GROUPS);
        send(&grid, &json!([alert(group, firing[group], None)])).await?;
        firing[group] += 1;
        let since = Instant::now();
        if dice.random_bool(0.4) {
            tokio::time::sleep(Duration::from_millis(dice.random_range(0..600))).await;
            grid.restart().await?;
            kills += 1;
        }
        let (name, i) = (format!("G{group}"), (firing[group] - 1).to_string());
        let told = |taken: &[Taken]| {
            let mut alerts = taken.iter().flat_map(|t| t.json()["alerts"].as_array().cloned().unwrap_or_default());
            alerts.any(|a| a["labels"]["alertname"] == name && a["labels"]["i"] == i)
        };
        well.until("the receiver that is well", Duration::from_secs(20), told).await?;
        slowest = slowest.max(since.elapsed());
    }
    let over: Vec<Value> = (0..GROUPS)
        .flat_map(|group| (0..firing[group]).map(move |i| alert(group, i, Some("2026-01-02T00:00:00Z"))))
        .collect();
    send(&grid, &Value::Array(over)).await?;
    grid.restart().await?;
    ill.be(Mood::Takes).await?;
    for hook in [&ill, &well] {
        let groups = firing.iter().filter(|n| **n > 0).count();
        let ended = |taken: &[Taken]| {
            let over = taken.iter().map(Taken::json).filter(|m| m["status"] == "resolved");
            over.map(|m| m["groupKey"].to_string()).collect::<BTreeSet<_>>().len() == groups
        };
        hook.until("every group's end", Duration::from_secs(60), ended).await?;
        check(hook, &firing)?;
    }
    // Nobody gave up on anything, and what was told is all there was.
    let mut left = Value::Null;
    for _ in 0..100 {
        left = serde_json::from_str(&get(&grid, "/api/v1/deliveries?limit=1000").await?)?;
        if left["items"].as_array().is_some_and(|all| all.iter().all(|d| d["state"] == "delivered")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let items = left["items"].as_array().context("deliveries")?;
    ensure!(items.iter().all(|d| d["state"] == "delivered"), "{left:#}");
    let told: BTreeSet<String> = [&ill, &well].iter().flat_map(|h| h.taken()).map(|t| t.header("webhook-id")).collect();
    for item in items {
        let id = item["message_id"].as_str().context("a message's id")?;
        ensure!(told.contains(id), "{item} says delivered, and nobody has it");
    }
    let all: usize = ill.taken().len() + well.taken().len();
    Ok(Run { messages: told.len(), repeated: all - told.len(), kills, slowest })
}

async fn get(grid: &Grid, path: &str) -> anyhow::Result<String> {
    Ok(grid.client.get(format!("{}{path}", grid.http)).send().await?.error_for_status()?.text().await?)
}

/// What a receiver must have been told: of each alert that it fires and that it is over; of each group in order.
fn check(hook: &Hook, firing: &[usize; GROUPS]) -> anyhow::Result<()> {
    let mut groups: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for taken in hook.taken() {
        let message = taken.json();
        let group = message["groupLabels"]["alertname"].as_str().context("a group's label")?.to_owned();
        groups.entry(group).or_default().push((taken.header("webhook-id"), message));
    }
    for (group, count) in firing.iter().enumerate().filter(|(_, count)| **count > 0) {
        let told = groups.get(&format!("G{group}")).context("a group of which nobody was told")?;
        let (mut seen, mut last, mut known) = (BTreeSet::new(), "", 0);
        for (id, message) in told {
            // A message may come again until the next one comes, and never after it.
            ensure!(id == last || seen.insert(id.clone()), "G{group}: {id} came again after a later one");
            last = id;
            let alerts = message["alerts"].as_array().context("alerts")?;
            let fire = alerts.iter().filter(|a| a["status"] == "firing").count();
            let over = alerts.len() - fire;
            // Each message knows at least what the one before knew.
            ensure!(over > 0 || fire >= known, "G{group}: {fire} fire after {known}");
            known = known.max(fire);
        }
        let of = |status: &str| -> BTreeSet<String> {
            let all = told.iter().flat_map(|(_, m)| m["alerts"].as_array().cloned().unwrap_or_default());
            all.filter(|a| a["status"] == status).map(|a| a["labels"]["i"].to_string()).collect()
        };
        ensure!(of("firing").len() == *count, "G{group}: {:?} of {count} were told to fire", of("firing"));
        ensure!(of("resolved").len() == *count, "G{group}: {:?} of {count} were told to be over", of("resolved"));
    }
    Ok(())
}

#[tokio::test]
async fn signatures_verify_by_the_public_library() -> anyhow::Result<()> {
    let python = match peers::python() {
        Ok(python) => python,
        Err(reason) => return skip("webhook_signature", reason),
    };
    let (grid, hook) = (Grid::start_with(options()).await?, Hook::start().await?);
    let made = add_webhook(&grid, &hook).await?;
    let json_type = [("content-type", "application/json")];
    send(&grid, &json!([alert(0, 0, None)])).await?;
    hook.until("the first message", Duration::from_secs(10), |t| t.len() == 1).await?;
    let path = format!("/api/v1/webhooks/{}/secret", made["id"].as_str().context("an id")?);
    let rotated: Value = serde_json::from_str(&grid.post_ok(&path, "default", &json_type, "{}").await?)?;
    send(&grid, &json!([alert(1, 0, None)])).await?;
    hook.until("the second message", Duration::from_secs(10), |t| t.len() == 2).await?;
    let case = |taken: &Taken, secret: &Value| {
        let headers: BTreeMap<&str, String> =
            ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|n| (n, taken.header(n))).into();
        json!({ "secret": secret, "headers": headers, "body": taken.body })
    };
    let taken = hook.taken();
    let cases = json!([
        case(&taken[0], &made["secret"]),
        case(&taken[1], &made["secret"]),
        case(&taken[1], &rotated["secret"]),
    ]);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("cases.json");
    std::fs::write(&file, cases.to_string())?;
    let verified = peers::run_python(&python, "webhook_verify.py", &[&file.to_string_lossy()]).await?;
    ensure!(verified.trim() == "3", "{verified}");
    let log = grid.log();
    ensure!(!log.contains("whsec_"), "a secret is in the log");
    figure(
        "webhook_signature",
        true,
        "3 of 3 verify, with the old and the new secret; changed bodies and times do not",
    );
    Ok(())
}
