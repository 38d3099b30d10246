//! The demo's environments: two of them, a queue with history, and the whole loop, from a cost that rose to a saving that was verified. All of it runs on the
//! driver that touches no cloud, on the demo's own clock; what is printed is what the desk says.

use std::sync::Arc;

use anyhow::Context as _;
use grid_act::executor::Time as _;
use grid_act::simulated::SimulatedTime;
use grid_api::finance::Desk as Finance;
use grid_api::finance::render::document::{money, signed};
use grid_api::findings::decide::{DecisionBody, decide};
use grid_api::findings::list::{ListAsk, list};
use grid_api::findings::recommended;
use grid_desk::{By, CloneWish, Desk, DeskError, New, PromoteWish, ResourceAsk, Submission, Written};
use grid_finance::relation::Relation;
use grid_findings::decision::Verb;
use grid_model::time::{HOUR_NS, MINUTE_NS};
use grid_model::{TenantId, Timestamp};
use serde_json::{Value, json};

use crate::config::Config;
use crate::demo::Demo;
use crate::demo::estate::{self, BLUEPRINT, Estate};
use crate::provisioning;
use crate::wire::Rooms;

/// Production, and what is tried before it.
const PROD: &str = "prod";
const STAGING: &str = "staging";
/// How long before its end the history of releases begins, in hours.
const HISTORY_HOURS: i64 = 22;

/// A desk on the demo's clock.
struct Acted {
    desk: Desk,
    time: Arc<SimulatedTime>,
    tenant: TenantId,
}

impl Acted {
    async fn open(config: &Config, rooms: &Rooms, at: Timestamp) -> anyhow::Result<Self> {
        let time = Arc::new(SimulatedTime::at(at));
        let folder = rooms.store.data_dir();
        let desk = provisioning::open(config, folder, &rooms.engine, &rooms.store, time.clone(), true).await?;
        Ok(Self { desk, time, tenant: TenantId::default_tenant() })
    }

    /// Later; what has waited for time goes on.
    async fn pass(&self, ns: i64) -> Result<(), DeskError> {
        self.time.wait(ns).await;
        for environment in self.desk.environment_names(&self.tenant).await? {
            self.desk.advance(&self.tenant, &environment).await?;
        }
        Ok(())
    }

    async fn submit(&self, who: &str, environment: &str, note: &str, only: &[String]) -> Result<Value, DeskError> {
        let submission = Submission {
            environment: environment.to_owned(),
            note: note.to_owned(),
            only: only.to_vec(),
            ..Submission::default()
        };
        self.desk.submit(&self.tenant, &by(who), submission).await
    }

    async fn write(
        &self,
        environment: &str,
        who: &str,
        target: &str,
        path: &str,
        to: Option<Value>,
        why: &str,
    ) -> Result<(), DeskError> {
        let written =
            Written { target: target.to_owned(), path: path.to_owned(), to, why: why.to_owned(), take_back: false };
        self.desk.write(&self.tenant, environment, &by(who), written).await.map(drop)
    }
}

fn by(who: &str) -> By {
    By { who: who.to_owned(), allowed: "the demo".to_owned() }
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// Makes the two environments, and a day of releases.
pub(super) async fn seed(config: &Config, rooms: &Rooms, demo: &Demo, until: Timestamp) -> anyhow::Result<()> {
    let acted = Acted::open(config, rooms, until.saturating_add(-HISTORY_HOURS * HOUR_NS)).await?;
    let done = history(&acted, &demo.estate()).await;
    acted.desk.close().await;
    Ok(done?)
}

async fn history(acted: &Acted, estate: &Estate) -> Result<(), DeskError> {
    let (desk, tenant) = (&acted.desk, &acted.tenant);
    let new = New {
        name: PROD.to_owned(),
        spec: estate.spec.clone(),
        format: Some("json".to_owned()),
        blueprint: Some(BLUEPRINT.to_owned()),
        cloud: "aws".to_owned(),
        region: Some(estate::region().to_owned()),
        existing: estate.existing.clone(),
        settings: serde_json::from_value(estate::settings(&estate.prices))
            .map_err(|e| DeskError::Bad(e.to_string()))?,
        ..New::default()
    };
    desk.create(tenant, &by("ada"), new).await?;
    acted.pass(HOUR_NS).await?;

    // Staging is like production, without the batch machines and with a smaller search.
    let empty = Vec::new();
    let of = |pool: &str| estate.pools.get(pool).unwrap_or(&empty);
    let left_out = of("batch").iter().chain(of("search").iter().skip(1)).chain(of("app").iter().skip(1));
    let overrides = left_out.map(|target| Written {
        target: target.clone(),
        why: "staging is small".to_owned(),
        ..Written::default()
    });
    let wish = CloneWish {
        name: STAGING.to_owned(),
        overrides: overrides.collect(),
        budget: Some("3000".to_owned()),
        ..CloneWish::default()
    };
    desk.clone_of(tenant, PROD, &by("ada"), wish).await?;
    let alone = serde_json::from_value(json!({ "gates": [{ "name": "money", "kind": "budget" }] }));
    desk.set(tenant, STAGING, &by("ada"), alone.map_err(|e| DeskError::Bad(e.to_string()))?).await?;
    acted.submit("ada", STAGING, "staging is made", &[]).await?;
    acted.pass(2 * HOUR_NS).await?;

    // Tried in staging, promoted, approved, released.
    let app = of("app").first().cloned().unwrap_or_default();
    acted.write(STAGING, "bob", &app, "disk_gib", Some(json!(50)), "images have grown").await?;
    acted.submit("bob", STAGING, "larger disks, tried", &[]).await?;
    acted.pass(3 * HOUR_NS).await?;
    let wish = PromoteWish { to: PROD.to_owned(), only: vec![app], ..PromoteWish::default() };
    desk.promote(tenant, STAGING, &by("bob"), wish).await?;
    let release = acted.submit("bob", PROD, "larger disks", &[]).await?;
    acted.pass(40 * MINUTE_NS).await?;
    desk.vote(tenant, text(&release, "id"), &by("ada"), true, "seen in staging", None).await?;
    acted.pass(4 * HOUR_NS).await?;

    // One that nobody wanted.
    let search = of("search").first().cloned().unwrap_or_default();
    acted.write(PROD, "cem", &search, "os", Some(json!("debian-12")), "newer kernel").await?;
    let release = acted.submit("cem", PROD, "another system", std::slice::from_ref(&search)).await?;
    desk.vote(tenant, text(&release, "id"), &by("ada"), false, "it would be made anew, with its index", None).await?;
    desk.cancel(tenant, text(&release, "id"), &by("cem"), "ada is right").await?;
    let taken_back = Written { target: search, path: "os".to_owned(), take_back: true, ..Written::default() };
    desk.write(tenant, PROD, &by("cem"), taken_back).await?;
    acted.pass(2 * HOUR_NS).await?;

    // Staging sleeps while nobody uses it.
    desk.sleep(tenant, STAGING, &by("ada"), true, "nobody tests tonight").await?;
    acted.pass(6 * HOUR_NS).await?;
    desk.sleep(tenant, STAGING, &by("ada"), false, "a release is tried").await?;
    acted.pass(HOUR_NS).await
}

/// A cost that rose, its cause, a recommendation, and what becomes of it. What is not there is said, not made up.
pub(super) async fn whole_loop(config: &Config, rooms: &Rooms, until: Timestamp) -> anyhow::Result<String> {
    let acted = Acted::open(config, rooms, until).await?;
    let finance = Finance {
        engine: &rooms.engine,
        store: &rooms.store,
        tenant: acted.tenant.clone(),
        client: "tour".to_owned(),
        as_of: None,
    };
    let told = told(&acted, &finance).await;
    acted.desk.close().await;
    told
}

/// The spikes of cost, the one that weighs most first.
async fn spikes(finance: &Finance<'_>) -> anyhow::Result<Vec<Value>> {
    let ask = ListAsk {
        filter: Some("kind = 'cost_spike'".to_owned()),
        sort: Some("impact".to_owned()),
        ..ListAsk::default()
    };
    Ok(list(finance, Relation::Anomalies, &ask).await?.items)
}

async fn told(acted: &Acted, finance: &Finance<'_>) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    let spikes = spikes(finance).await?;
    // What saves most of what an environment can carry out. A demo whose time is long past has recommendations that have expired by the clock on the wall.
    let all = ListAsk { sort: Some("saving".to_owned()), state: Some("open,expired".to_owned()), ..ListAsk::default() };
    let mut items = list(finance, Relation::Recommendations, &all).await?.items;
    let ask = ResourceAsk { environment: Some(PROD.to_owned()), ..ResourceAsk::default() };
    let there = acted.desk.resources(&acted.tenant, &ask).await?;
    items.retain(|item| {
        matches!(text(item, "action"), "stop" | "rightsize") && there.iter().any(|r| r["id"] == item["resource_id"])
    });
    // Where money rose and something can be done about the same account; else the dearest of both.
    let account = |spike: &Value| spike["labels"]["account"].as_str().unwrap_or_default().to_owned();
    let pair = spikes.iter().find_map(|s| Some((s, items.iter().find(|item| text(item, "account") == account(s))?)));
    let (spike, item) = match pair {
        Some((spike, item)) => (Some(spike), Some(item)),
        None => (spikes.first(), items.first()),
    };
    match spike {
        Some(of) => {
            let impact = format!("{} {}", signed(text(of, "impact")), text(of, "currency"));
            lines.push(format!("spike:     {} ({impact})", text(of, "title")));
            lines.push(format!("cause:     {}", text(of, "cause")));
        }
        None => lines.push("spike:     none was found in so short a history".to_owned()),
    }
    let Some(item) = item else {
        lines.push("advice:    none yet for a machine of this environment: a week of use says what to do".to_owned());
        return Ok(lines.join("\n"));
    };
    let of = recommended(item).context("read the recommendation")?;
    lines.push(format!("advice:    {}", of.title));

    let body = DecisionBody { reason: Some("the fleet does nothing".to_owned()), ..DecisionBody::default() };
    decide(finance, &of.id, Verb::Accepted, &body, "ada").await?;
    let action = acted.desk.accept(&acted.tenant, &of, &by("ada")).await?;
    let action = action.context("the environment has the machine, and no lever for it")?;
    lines.push(format!(
        "override:  {} {} = {} in {PROD}, by {}",
        text(&action, "target"),
        text(&action, "path"),
        action["to"],
        text(&action, "accepted_by")
    ));
    let release = text(&action, "release").to_owned();
    anyhow::ensure!(
        !release.is_empty(),
        "no release was submitted: {} {}",
        text(&action, "why"),
        text(&action, "note")
    );
    let shown = acted.desk.release(&acted.tenant, &release).await?;
    let plan: String = text(&shown, "plan").chars().take(12).collect();
    lines.push(format!("plan:      {plan}: {}", text(&shown, "summary")));
    lines.push(format!("release:   {release} waits: {}", holds(&shown)));
    acted.time.wait(2 * MINUTE_NS).await;
    let shown = acted.desk.vote(&acted.tenant, &release, &by("bob"), true, "seen", Some(&plan)).await?;
    let gates = shown["gates"].as_array().into_iter().flatten().filter(|g| text(g, "verdict") == "pass");
    let gates: Vec<String> = gates.map(|g| format!("{}: {}", text(g, "name"), text(g, "reason"))).collect();
    lines.push(format!("gates:     {}", gates.join("; ")));
    lines.push(format!("           approved by bob, {release} is {}", text(&shown, "state")));

    // Watched for as long as the environment says, on the demo's clock.
    let action = acted.desk.action(&acted.tenant, &of.id).await?;
    lines.push(format!("applied:   on the dry-run driver; {} {}", text(&action, "state"), text(&action, "why")));
    acted.pass(8 * MINUTE_NS).await?;
    let action = acted.desk.action(&acted.tenant, &of.id).await?;
    lines.push(format!("verified:  {}; read back: {}", text(&action, "state"), text(&action, "read_back")));
    let (before, after) = (text(&action, "priced_before"), text(&action, "priced_after"));
    let currency = text(&action, "currency");
    let predicted = &action["predicted"];
    let saved = match (grid_model::Amount::parse(before), grid_model::Amount::parse(after)) {
        (Ok((before, _)), Ok((after, _))) => money(&grid_model::Amount(before.0 - after.0).to_string()),
        _ => "an unknown amount".to_owned(),
    };
    lines.push(format!(
        "saving:    {saved} {currency} a month by the price list ({} -> {}); {} to {} were predicted from the bills",
        money(before),
        money(after),
        money(text(predicted, "low")),
        money(text(predicted, "high"))
    ));
    let billed = match &action["ledger"]["realised"] {
        Value::String(word) if word == "NotBilledYet" => "the next bill will say what came of it".to_owned(),
        other => format!("by the bills: {other}"),
    };
    lines.push(format!("ledger:    {billed}; `grid recommend ledger`, `grid release show {release}`"));
    Ok(lines.join("\n"))
}

fn holds(release: &Value) -> String {
    let all: Vec<&str> = release["holds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if all.is_empty() { "for nobody".to_owned() } else { all.join("; ") }
}
