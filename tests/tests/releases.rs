//! Environments, plans, releases and accepted recommendations, through the real binary: on a data directory, through a server, over a crash, and the whole
//! loop of the demo.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, ensure};
use futures::TryStreamExt as _;
use grid_tests::figures::scorecard;
use grid_tests::{Grid, Options, figure, grid_binary, run_grid};
use serde_json::{Value, json};

const SPEC: &str = "\
resources:
  - kind: network
    name: main
  - kind: vm
    name: web
    fields:
      network: ${network.main}
      ssh_public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops
      machine_type: {aws: m5.large}
";
const PRICES: &str = "component,price\n\"Storage (general purpose SSD, gp3)\",0.08\n\"Instance usage (Linux/UNIX, on-demand, m5.large)\",0.096\n";

/// A folder with a spec, and a data directory.
struct Bed {
    folder: tempfile::TempDir,
}

impl Bed {
    async fn new() -> anyhow::Result<Self> {
        let bed = Self { folder: tempfile::tempdir()? };
        std::fs::write(bed.file("shop.yaml"), SPEC)?;
        // A server makes the directory; commands only open what is there.
        let mut grid = Grid::start_with(Options { data_dir: Some(bed.file("data")), ..Options::default() }).await?;
        grid.terminate().await?;
        Ok(bed)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self, settings: Value) -> anyhow::Result<String> {
        let path = self.file("settings.json");
        std::fs::write(&path, settings.to_string())?;
        Ok(path.display().to_string())
    }

    async fn run_as(&self, who: &str, args: &[&str]) -> anyhow::Result<Output> {
        let data = self.file("data").display().to_string();
        let mut all = args.to_vec();
        all.extend(["--data-dir", &data]);
        let command = tokio::process::Command::new(grid_binary()?).args(all).env("GRID_ACTOR", who).output();
        Ok(command.await?)
    }

    async fn run(&self, args: &[&str]) -> anyhow::Result<String> {
        self.run_by("ada", args).await
    }

    async fn run_by(&self, who: &str, args: &[&str]) -> anyhow::Result<String> {
        let output = self.run_as(who, args).await?;
        let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "grid {args:?}: {said}{told}");
        Ok(said.into_owned())
    }

    async fn json(&self, args: &[&str]) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.run(args).await?)?)
    }

    async fn create(&self, settings: Value) -> anyhow::Result<String> {
        let mut settings = settings;
        settings["prices"] = json!(PRICES);
        let (spec, settings) = (self.file("shop.yaml").display().to_string(), self.settings(settings)?);
        self.run(&["env", "create", "prod", "--spec", &spec, "--cloud", "aws", "--settings", &settings]).await
    }
}

#[tokio::test]
async fn an_environment_is_made_planned_released_and_taken_back() -> anyhow::Result<()> {
    let bed = Bed::new().await?;
    ensure!(
        String::from_utf8_lossy(&bed.run_as("ada", &["env", "list"]).await?.stderr)
            .contains("there are no environments")
    );
    let made = bed.create(json!({ "budget": "100" })).await?;
    ensure!(made.contains("2 resources wanted, 0 there"), "{made}");

    let table = bed.run(&["plan", "--env", "prod"]).await?;
    ensure!(table.contains("+ vm.web") && table.contains("2 to create") && table.contains("+72.48 USD"), "{table}");
    let plan = bed.json(&["plan", "--env", "prod", "--out", "json"]).await?;
    ensure!(plan["format_version"] == "1.2" && plan["resource_changes"].as_array().map(Vec::len) == Some(2), "{plan}");
    let id = plan["grid"]["plan_id"].as_str().context("a plan has an id")?;
    ensure!(bed.run(&["plan", "show", &id[..10], "-o", "graph"]).await?.starts_with("digraph"));
    ensure!(bed.run(&["plan", "lint", id]).await?.contains("nothing to say against it"));

    let done = bed.run(&["release", "submit", "--env", "prod", "--plan", id, "--note", "first"]).await?;
    ensure!(done.starts_with("prod-1 (full, normal): done"), "{done}");
    let stale = bed.run_as("ada", &["release", "submit", "--env", "prod", "--plan", id]).await?;
    ensure!(String::from_utf8_lossy(&stale.stderr).contains("the observed state"), "{stale:?}");
    let shown = bed.run(&["env", "show", "prod"]).await?;
    ensure!(shown.contains("2 resources wanted, 2 there") && shown.contains("72.48 USD a month"), "{shown}");
    ensure!(bed.run(&["env", "drift", "prod"]).await?.contains("as it was last known"));

    bed.run(&["env", "override", "prod", "vm.web", "disk_gib=100", "--why", "logs"]).await?;
    let wrong = bed.run_as("ada", &["env", "override", "prod", "vm.web", "disk_gib=5"]).await?;
    ensure!(String::from_utf8_lossy(&wrong.stderr).contains("out of bounds"), "{wrong:?}");
    let done = bed.run(&["release", "submit", "--env", "prod"]).await?;
    ensure!(done.contains("done") && done.contains("+5.6 USD"), "{done}");
    let watched = bed.run(&["release", "watch", "prod-2"]).await?;
    ensure!(watched.contains("applied: serial 2") && watched.contains("ended: done"), "{watched}");

    bed.run(&["env", "clone", "prod", "--as", "review", "--set", "vm.web:disk_gib=20"]).await?;
    let differences = bed.run(&["env", "compare", "prod", "review"]).await?;
    ensure!(differences.contains("disk_gib"), "{differences}");
    let back = bed.run(&["release", "rollback", "prod-2", "--why", "too large"]).await?;
    ensure!(back.contains("rollback") && back.contains("done"), "{back}");
    let all = bed.json(&["release", "list", "-o", "json"]).await?;
    ensure!(all.as_array().map(Vec::len) == Some(3), "{all}");
    // The same in SQL, on the directory too.
    let rows = "SELECT r.release_id, r.state, p.monthly_delta, p.currency FROM releases AS r JOIN plans AS p ON p.plan_id = r.plan_id ORDER BY r.number";
    let rows = bed.run(&["query", rows, "-o", "csv"]).await?;
    let expected = [
        "release_id,state,monthly_delta,currency",
        "prod-1,done,72.48,USD",
        "prod-2,done,5.6,USD",
        "prod-3,done,-5.6,USD",
    ];
    ensure!(rows.lines().eq(expected), "{rows:?}");
    let deeds =
        bed.run(&["query", "SELECT DISTINCT actor FROM audit WHERE action LIKE 'release.%'", "-o", "csv"]).await?;
    ensure!(deeds.lines().eq(["actor", "ada"]), "{deeds:?}");
    let unowned = bed.json(&["env", "resources", "--kind", "vm", "-o", "json"]).await?;
    ensure!(unowned.as_array().map(Vec::len) == Some(1), "{unowned}");
    Ok(())
}

#[tokio::test]
async fn a_gate_that_cannot_be_evaluated_holds() -> anyhow::Result<()> {
    let bed = Bed::new().await?;
    // A query that does not parse, one that finds nothing, a page that may not be called, an unknown cost, a report that nobody hands in.
    let gates = json!([
        { "name": "wrong", "kind": "query", "language": "promql", "query": "sum(", "at_most": 1 },
        { "name": "empty", "kind": "query", "language": "promql", "query": "nobody_sends_this", "at_most": 1 },
        { "name": "sql", "kind": "query", "language": "sql", "query": "SELECT * FROM nowhere", "at_most": 1 },
        { "name": "page", "kind": "smoke", "url": "http://127.0.0.1:9/" },
        { "name": "hook", "kind": "webhook", "url": "http://127.0.0.1:9/" },
        { "name": "report", "kind": "security" },
    ]);
    bed.create(json!({ "gates": gates })).await?;
    bed.run(&["release", "submit", "--env", "prod"]).await?;
    let release = bed.json(&["release", "show", "prod-1", "-o", "json"]).await?;
    let verdicts: Vec<(&str, &str)> = release["gates"]
        .as_array()
        .context("a release has gates")?
        .iter()
        .filter_map(|g| Some((g["verdict"].as_str()?, g["reason"].as_str()?)))
        .collect();
    let held = verdicts.iter().filter(|(verdict, reason)| *verdict == "hold" && !reason.is_empty()).count();
    let is_held = release["state"] == "waiting" && held == 6 && release["holds"].as_array().map(Vec::len) == Some(6);
    let measured = format!("{held} of 6 kinds of gates without an answer hold with their reason; the release waits");
    ensure!(figure("release_gate_holds", is_held, measured), "{release:#}");
    Ok(())
}

#[tokio::test]
async fn people_approve_what_runs_and_nothing_else() -> anyhow::Result<()> {
    let bed = Bed::new().await?;
    bed.create(json!({ "gates": [{ "name": "people", "kind": "approval", "people": 2 }] })).await?;
    bed.run(&["release", "submit", "--env", "prod"]).await?;
    bed.run_by("bob", &["release", "approve", "prod-1"]).await?;
    // Another field: another plan, which nobody has approved.
    bed.run(&["env", "override", "prod", "vm.web", "disk_gib=60"]).await?;
    let told = bed.run_by("cem", &["release", "approve", "prod-1"]).await?;
    ensure!(
        told.contains("waiting") && told.contains("approved by 0 of 2") || told.contains("approved by 1 of 2"),
        "{told}"
    );
    let told = bed.run_by("bob", &["release", "approve", "prod-1"]).await?;
    ensure!(told.contains(": done") || told.contains("approved by 1 of 2"), "{told}");
    if !told.contains(": done") {
        let told = bed.run_by("cem", &["release", "approve", "prod-1"]).await?;
        ensure!(told.contains(": done"), "{told}");
    }
    let shown = bed.json(&["env", "show", "prod", "-o", "json"]).await?;
    ensure!(shown["resources"][1]["fields"]["disk_gib"] == 60, "{shown:#}");
    Ok(())
}

#[tokio::test]
async fn a_server_goes_on_by_itself_and_tells_what_happens() -> anyhow::Result<()> {
    let bed = Bed::new().await?;
    let data_dir = bed.file("data");
    let mut grid = Grid::start_with(Options { data_dir: Some(data_dir.clone()), ..Options::default() }).await?;
    let call = |method: reqwest::Method, path: &str, body: Value| {
        let request = grid
            .client
            .request(method, format!("{}/api/v1{path}", grid.http))
            .json(&body)
            .header("idempotency-key", path);
        async move { anyhow::Ok(request.send().await?) }
    };
    let body = json!({ "name": "prod", "spec": SPEC, "cloud": "aws", "settings": { "prices": PRICES } });
    let made = call(reqwest::Method::POST, "/environments", body.clone()).await?;
    ensure!(made.status() == 200, "{}", made.text().await?);
    let again = call(reqwest::Method::POST, "/environments", body).await?;
    ensure!(again.status() == 200, "the same key is no second environment: {}", again.text().await?);
    let release = call(reqwest::Method::POST, "/releases", json!({ "environment": "prod" })).await?;
    ensure!(release.status() == 200, "{}", release.text().await?);
    // The stream ends with the release.
    let stream = grid.client.get(format!("{}/api/v1/releases/prod-1/events", grid.http)).send().await?.text().await?;
    ensure!(
        stream.contains("event: submitted") && stream.contains("event: ended") && stream.contains("done"),
        "{stream}"
    );
    ensure!(stream.contains("create vm.web: done") || stream.contains("applied"), "{stream}");
    // The same by WebSocket, but for the steps, which are told while they are made.
    let url = format!("{}/api/v1/releases/prod-1/events", grid.http.replacen("http", "ws", 1));
    let (socket, _) = tokio_tungstenite::connect_async(url).await.context("open a WebSocket")?;
    let messages: Vec<String> =
        socket.try_filter_map(|m| async { Ok(m.into_text().ok().map(|t| t.to_string())) }).try_collect().await?;
    let told = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let told: Vec<&str> = told.filter(|data| !data.contains("\"what\":\"step\"")).collect();
    ensure!(messages.iter().filter(|m| !m.is_empty()).eq(&told), "{messages:?} {told:?}");
    let audit: Value = grid.client.get(format!("{}/api/v1/audit", grid.http)).send().await?.json().await?;
    ensure!(audit["items"].as_array().is_some_and(|a| a.iter().any(|r| r["what"] == "release.start")), "{audit:#}");
    for (path, key) in [
        ("types", "name"),
        ("environments", "name"),
        ("plans", "id"),
        ("releases", "id"),
        ("queues", "environment"),
        ("resources", "name"),
    ] {
        let list: Value = grid
            .client
            .get(format!("{}/api/v1/{path}?limit=1", grid.http).replace("types?limit=1", "types"))
            .send()
            .await?
            .json()
            .await?;
        ensure!(list["items"][0][key].is_string(), "{path}: {list}");
    }
    // Killed at any moment, what was acknowledged is there.
    grid.kill().await?;
    let shown = bed.json(&["env", "show", "prod", "-o", "json"]).await?;
    ensure!(shown["resources_there"] == 2, "{shown:#}");
    Ok(())
}

/// The first statement of a document that begins so.
fn documented(start: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(grid_tests::repository().join("docs/sql.md"))?;
    let (_, rest) =
        text.split_once(start).with_context(|| format!("docs/sql.md has a statement that begins {start:?}"))?;
    let (statement, _) = rest.split_once(';').context("the statement ends")?;
    Ok(format!("{start}{statement}"))
}

#[tokio::test]
async fn bills_are_joined_with_what_the_inventory_knows() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let json = [("content-type", "application/json")];
    let body = json!({ "name": "prod", "spec": SPEC, "cloud": "aws", "existing": { "vm.web": "i-0a", "network.main": "vpc-0a" } });
    grid.post_ok("/api/v1/environments", "default", &json, body.to_string()).await?;
    let mut bill = String::from(
        "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,\
         ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ProviderName,ResourceId\n",
    );
    for (cost, resource) in [("1.5", "i-0a"), ("2.25", "i-0b"), ("0.000000001", "i-0b"), ("4", "")] {
        bill.push_str(&format!(
            "{cost},{cost},{cost},{cost},1,USD,2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,2026-09-01T00:00:00Z,2026-09-01T01:00:00Z,Usage,Compute,Cloud,{resource}\n"
        ));
    }
    grid.post_ok("/api/v1/imports?format=focus&name=n.csv&dataset=n", "default", &[("content-type", "text/csv")], bill)
        .await?;
    let rows = grid.sql("default", &documented("WITH known AS (")?).await?;
    let shown: Vec<String> =
        rows.iter().map(|r| format!("{} {} {}", r["resource"], r["resources"], r["cost"]).replace('"', "")).collect();
    ensure!(shown == ["in an environment 1 1.5", "no resource 0 4", "unknown 1 2.250000001"], "{shown:?}");
    let seen = grid.sql("default", "SELECT resource_id, resource_address FROM resources ORDER BY 1").await?;
    ensure!(seen.len() == 2 && seen[0]["resource_address"] == "vm.web", "{seen:?}");
    ensure!(grid.sql("other", "SELECT * FROM resources").await?.is_empty());
    Ok(())
}

/// One demo, to its end; what the tour says of the loop.
async fn whole_loop(folder: &Path, seed: u64, days: &str) -> anyhow::Result<String> {
    let dir = folder.join(format!("demo-{seed}")).display().to_string();
    let until = "2026-06-01T00:00:00Z";
    let seed = seed.to_string();
    let tour =
        run_grid(&["demo", "--exit", "--days", days, "--seed", &seed, "--until", until, "--data-dir", &dir]).await?;
    let (_, told) =
        tour.split_once("# What became of it?").context("the tour ends with what became of a recommendation")?;
    std::fs::remove_dir_all(&dir)?;
    Ok(told.to_owned())
}

#[tokio::test]
async fn the_demo_ends_with_a_verified_saving() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let seeds: &[u64] = if scorecard() { &[27, 1, 2, 3, 5, 8, 13, 21, 34, 55] } else { &[27, 4] };
    let (mut whole, mut savings) = (0, Vec::new());
    for seed in seeds {
        let told = whole_loop(folder.path(), *seed, "14").await?;
        let parts = [
            "spike:     ",
            "cause:     ",
            "advice:    stop ",
            "plan:      ",
            "release:   prod-",
            "verified:  kept",
            "saving:    ",
        ];
        let has_all = parts.iter().all(|part| told.contains(part)) && !told.contains("none was found");
        if has_all {
            whole += 1;
        } else {
            grid_tests::figures::say(&format!("seed {seed}:\n{told}"));
        }
        let saving = told.lines().find_map(|l| l.strip_prefix("saving:    ")).unwrap_or_default();
        savings.push(saving.split(" a month").next().unwrap_or_default().to_owned());
    }
    let measured =
        format!("{whole} of {} seeds go from spike to verified saving ({})", seeds.len(), savings.join(", "));
    ensure!(figure("demo_loop", whole == seeds.len(), measured));
    Ok(())
}
