//! The desk as a whole, on the dry-run driver.
#![allow(clippy::unwrap_used)]
mod by_itself;
mod heals;
mod inventory;
mod progress;
mod tables;
mod workshops;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use grid_act::simulated::SimulatedTime;
use grid_estimate::book::Machine;
use grid_model::time::HOUR_NS;
use grid_model::{Amount, TenantId, Timestamp};
use grid_plan::cost::Range;
use grid_plan::gate::Answer;
use grid_plan::gate::health::Smoke;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{By, Desk, DeskError, Language, New, Options, Outside, PlanWish, Recommended, Submission, Written};

const SPEC: &str = "resources:
  - {kind: network, name: main}
  - kind: vm
    name: web
    fields: {network: '${network.main}', ssh_public_key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops', machine_type: {aws: m5.large}}
";
const PRICES: &str = "component,price\n\"Storage (general purpose SSD, gp3)\",0.08\n";

/// A world of two prices and one series.
#[derive(Default)]
struct World {
    /// What the query answers.
    errors: Mutex<Option<f64>>,
    /// How often it was asked.
    asked: AtomicUsize,
    /// What is recommended.
    advice: Mutex<Vec<Recommended>>,
    /// Who decided what: `true` for an acceptance.
    decided: Mutex<BTreeMap<String, (String, bool)>>,
    /// What bills say of every resource: before and after.
    billed: Mutex<Option<(Amount, Amount)>>,
}

#[async_trait]
impl Outside for World {
    async fn query(&self, _: &TenantId, _: Language, _: &str, _: Timestamp) -> Answer<Vec<(String, f64)>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match *self.errors.lock() {
            Some(value) => Answer::Here(vec![("errors".to_owned(), value)]),
            None => Answer::Missing("the query timed out".to_owned()),
        }
    }

    async fn samples(&self, _: &TenantId, _: &str, _: Timestamp, _: Timestamp) -> Answer<Vec<f64>> {
        Answer::Missing("no".to_owned())
    }

    async fn get(&self, _: &str) -> Answer<Smoke> {
        Answer::Here(Smoke { status: 200, took_ms: 1.0, body: "ok".to_owned() })
    }

    async fn post(&self, _: &str, _: &Value) -> Answer<(u16, String)> {
        Answer::Missing("no".to_owned())
    }

    async fn machines(
        &self,
        _: &TenantId,
        wanted: BTreeSet<Machine>,
        _: &str,
        _: Timestamp,
    ) -> Result<BTreeMap<Machine, Amount>, String> {
        let price = |m: &Machine| Amount(if m.kind == "m5.large" { 96 } else { 48 } * 10_i128.pow(15));
        Ok(wanted.into_iter().map(|m| (m.clone(), price(&m))).collect())
    }

    async fn billed(&self, _: &TenantId, _: &str, _: &str, _: Timestamp) -> Result<Option<(Amount, Amount)>, String> {
        Ok(*self.billed.lock())
    }

    async fn advice(&self, _: &TenantId) -> Result<Vec<Recommended>, String> {
        let decided = self.decided.lock();
        Ok(self.advice.lock().iter().filter(|r| !decided.contains_key(&r.id)).cloned().collect())
    }

    async fn accept(&self, _: &TenantId, id: &str, by: &str, _: &str) -> Result<bool, String> {
        let mut decided = self.decided.lock();
        Ok(*decided.entry(id.to_owned()).or_insert((by.to_owned(), true)) == (by.to_owned(), true))
    }
}

struct Bed {
    desk: Desk,
    world: Arc<World>,
    time: Arc<SimulatedTime>,
    folder: tempfile::TempDir,
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

fn by(who: &str) -> By {
    By { who: who.to_owned(), allowed: "a test".to_owned() }
}

async fn open(path: &Path, world: &Arc<World>, time: &Arc<SimulatedTime>) -> Desk {
    let options = Options {
        outside: world.clone(),
        executors: BTreeMap::new(),
        workshops: BTreeMap::new(),
        surveyors: BTreeMap::new(),
        time: time.clone(),
        inline: true,
    };
    Desk::open(&path.join("desk.db"), options).await.unwrap()
}

impl Bed {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (world, time) =
            (Arc::new(World::default()), Arc::new(SimulatedTime::at(Timestamp(1_793_145_600_000_000_000))));
        let desk = open(folder.path(), &world, &time).await;
        Self { desk, world, time, folder }
    }

    async fn create(&self, settings: Value) -> Value {
        let mut settings = settings;
        settings["prices"] = json!(PRICES);
        let new = New {
            name: "prod".to_owned(),
            spec: SPEC.to_owned(),
            cloud: "aws".to_owned(),
            settings: serde_json::from_value(settings).unwrap(),
            ..New::default()
        };
        self.desk.create(&tenant(), &by("ada"), new).await.unwrap()
    }

    async fn submit(&self, who: &str) -> Result<Value, DeskError> {
        let submission = Submission { environment: "prod".to_owned(), ..Submission::default() };
        self.desk.submit(&tenant(), &by(who), submission).await
    }

    async fn later(&self, hours: i64) {
        grid_act::executor::Time::wait(&*self.time, hours * HOUR_NS).await;
        self.desk.advance(&tenant(), "prod").await.unwrap();
    }

    async fn environment(&self) -> Value {
        self.desk.environment(&tenant(), "prod").await.unwrap()
    }
}

fn advice(action: &str, proposed: &str, resource_id: &str) -> Recommended {
    let saving = Amount(35 * 10_i128.pow(18));
    Recommended {
        id: "r-1".to_owned(),
        action: action.to_owned(),
        resource_id: resource_id.to_owned(),
        present: "m5.large".to_owned(),
        proposed: proposed.to_owned(),
        saving: Range::exact(saving),
        currency: "USD".to_owned(),
        risk: 0.01,
        title: "make it smaller".to_owned(),
        effort: "Low".to_owned(),
        restart_needed: true,
        rollback_possible: true,
    }
}

#[tokio::test]
async fn a_check_that_does_not_hold_is_told_and_forbids() {
    let bed = Bed::new().await;
    let checks = json!([
        { "name": "no-large", "kinds": ["vm"], "must": "resource.fields.machine_type.aws != 'm5.large'", "says": "m5.large is dear" },
        { "name": "named", "weight": "warn", "must": "resource.name != 'main'", "says": "main says nothing" },
        { "name": "few", "weight": "warn", "must": "resource.action == 'create' && environment.name == 'prod'", "says": "never" },
    ]);
    bed.create(json!({ "checks": checks })).await;
    let wish = PlanWish { environment: "prod".to_owned(), ..PlanWish::default() };
    let plan = bed.desk.plan(&tenant(), &by("ada"), wish.clone()).await.unwrap();
    let found = bed.desk.lint(&tenant(), plan["id"].as_str().unwrap()).await.unwrap();
    let shown: Vec<String> = found
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["code"].as_str().unwrap().starts_with("check:"))
        .map(|f| format!("{} {} {} {}", f["severity"], f["code"], f["address"], f["text"]).replace('"', ""))
        .collect();
    assert_eq!(
        shown,
        ["error check:no-large vm.web m5.large is dear", "warning check:named network.main main says nothing"]
    );
    let refused = bed.submit("ada").await.unwrap_err().to_string();
    assert!(refused.contains("check no-large of vm.web: m5.large is dear"), "{refused}");
    // What cannot be evaluated never passes, whatever its weight.
    let unclear = json!([{ "name": "tag", "weight": "warn", "must": "resource.fields.tags.team == 'web'", "says": "whose is it?" }]);
    let settings = serde_json::from_value(json!({ "checks": unclear })).unwrap();
    bed.desk.set(&tenant(), "prod", &by("ada"), settings).await.unwrap();
    let refused = bed.submit("ada").await.unwrap_err().to_string();
    assert!(refused.contains("check tag of") && refused.contains("it cannot be evaluated"), "{refused}");
    let settings =
        serde_json::from_value(json!({ "checks": [{ "name": "x", "must": "resource.kind ==", "says": "" }] })).unwrap();
    let refused = bed.desk.set(&tenant(), "prod", &by("ada"), settings).await.unwrap_err().to_string();
    assert!(refused.contains("check x:"), "{refused}");
    bed.desk
        .set(&tenant(), "prod", &by("ada"), serde_json::from_value(json!({ "checks": [] })).unwrap())
        .await
        .unwrap();
    bed.submit("ada").await.unwrap();
}

#[tokio::test]
async fn an_environment_is_planned_released_and_there() {
    let bed = Bed::new().await;
    bed.create(json!({})).await;
    let plan = bed
        .desk
        .plan(&tenant(), &by("ada"), PlanWish { environment: "prod".to_owned(), ..PlanWish::default() })
        .await
        .unwrap();
    assert_eq!(plan["creates"], 2, "{plan}");
    assert_eq!(plan["delta_monthly"]["range"]["likely"], "72.48", "{plan}");
    let id = plan["id"].as_str().unwrap();
    let table = bed.desk.plan_shown(&tenant(), &id[..8], "table").await.unwrap();
    assert!(table.as_str().unwrap().contains("+ vm.web"), "{table}");
    assert_eq!(bed.desk.plan_shown(&tenant(), id, "json").await.unwrap()["format_version"], "1.2");
    let submission = Submission { environment: "prod".to_owned(), plan: Some(id.to_owned()), ..Submission::default() };
    let release = bed.desk.submit(&tenant(), &by("ada"), submission.clone()).await.unwrap();
    assert_eq!(release["state"], "done", "{release:#}");
    let shown = bed.environment().await;
    assert_eq!(shown["resources_there"], 2);
    assert_eq!(shown["monthly"]["range"]["likely"], "72.48");
    // What was applied is stale: it cannot be applied again, and there is nothing to do.
    let again = bed.desk.submit(&tenant(), &by("ada"), submission).await.unwrap_err();
    assert!(again.to_string().contains("the observed state"), "{again}");
    assert!(bed.submit("ada").await.unwrap_err().to_string().contains("nothing to do"));
    // Another process sees the same.
    bed.desk.close().await;
    let other = open(bed.folder.path(), &bed.world, &bed.time).await;
    assert_eq!(other.environment(&tenant(), "prod").await.unwrap()["resources_there"], 2);
    assert_eq!(other.drift(&tenant(), "prod", &by("ada"), false).await.unwrap(), Vec::<Value>::new());
    let audit = other.audit(&tenant(), None, 10).await.unwrap();
    assert!(audit.iter().any(|a| a.what == "release.submit" && a.who == "ada"), "{audit:?}");
    let back = other.rollback(&tenant(), "prod-1", &by("ada"), "a try").await.unwrap();
    assert_eq!((back["kind"].as_str(), back["state"].as_str()), (Some("rollback"), Some("done")), "{back:#}");
    assert_eq!(other.environment(&tenant(), "prod").await.unwrap()["resources_there"], 0);
}

#[tokio::test]
async fn gates_hold_until_they_pass_and_what_cannot_be_asked_holds() {
    let bed = Bed::new().await;
    let gates = json!([
        { "name": "people", "kind": "approval", "people": 1 },
        { "name": "money", "kind": "budget" },
        { "name": "health", "kind": "query", "language": "promql", "query": "errors", "at_most": 0.01 },
    ]);
    bed.create(json!({ "gates": gates, "budget": "100" })).await;
    let release = bed.submit("ada").await.unwrap();
    assert_eq!(release["state"], "waiting");
    let holds = release["holds"].to_string();
    assert!(
        holds.contains("approved by 0 of 1") && holds.contains("the query has no answer: the query timed out"),
        "{holds}"
    );
    assert!(!holds.contains("money"), "{holds}");
    // The requester's own vote does not count.
    bed.desk.vote(&tenant(), "prod-1", &by("Ada "), true, "", None).await.unwrap();
    let release = bed.desk.vote(&tenant(), "prod-1", &by("bob"), true, "fine", None).await.unwrap();
    assert_eq!(release["state"], "waiting", "{release:#}");
    bed.later(24).await;
    assert_eq!(
        bed.desk.release(&tenant(), "prod-1").await.unwrap()["state"],
        "waiting",
        "a query without an answer never passes"
    );
    // What changes meanwhile makes another plan, for which nobody has voted.
    let written =
        Written { target: "vm.web".to_owned(), path: "disk_gib".to_owned(), to: Some(json!(50)), ..Written::default() };
    bed.desk.write(&tenant(), "prod", &by("eve"), written).await.unwrap();
    *bed.world.errors.lock() = Some(0.001);
    bed.later(0).await;
    let release = bed.desk.release(&tenant(), "prod-1").await.unwrap();
    assert_eq!(release["state"], "waiting");
    assert!(release["events"].to_string().contains("the overrides"), "{release:#}");
    assert!(release["holds"].to_string().contains("approved by 0 of 1"));
    let release = bed.desk.vote(&tenant(), "prod-1", &by("bob"), true, "", None).await.unwrap();
    assert_eq!(release["state"], "done", "{release:#}");
    assert_eq!(bed.environment().await["resources"][1]["fields"]["disk_gib"], 50);
}

#[tokio::test]
async fn what_fails_its_gate_is_taken_back() {
    let bed = Bed::new().await;
    bed.create(json!({})).await;
    bed.submit("ada").await.unwrap();
    let gate = json!([{ "name": "health", "when": "after", "kind": "query", "language": "promql", "query": "errors", "at_most": 0.01 }]);
    let settings = serde_json::from_value(json!({ "gates": gate })).unwrap();
    bed.desk.set(&tenant(), "prod", &by("ada"), settings).await.unwrap();
    let written = |to| Written {
        target: "vm.web".to_owned(),
        path: "disk_gib".to_owned(),
        to: Some(json!(to)),
        ..Written::default()
    };
    bed.desk.write(&tenant(), "prod", &by("ada"), written(60)).await.unwrap();
    // Nobody knows yet: it is looked at until somebody does.
    assert_eq!(bed.submit("ada").await.unwrap()["state"], "checking");
    assert_eq!(bed.environment().await["resources"][1]["fields"]["disk_gib"], 60);
    *bed.world.errors.lock() = Some(0.5);
    bed.later(0).await;
    let release = bed.desk.release(&tenant(), "prod-2").await.unwrap();
    assert_eq!(release["state"], "undone", "{release:#}");
    assert!(release["why"].as_str().unwrap().contains("errors is 0.5"));
    assert_eq!(bed.environment().await["resources"][1]["fields"]["disk_gib"], 30);
}

#[tokio::test]
async fn a_recommendation_goes_all_the_way() {
    let bed = Bed::new().await;
    bed.create(json!({ "verify_hours": 2, "policy": {
        "autonomy": "automatic",
        "limits": { "adds_max": "0", "saves_max": null, "risk_max": 0.05, "steps_max": 1, "blast_max": 0, "moved_max": "100" },
        "two_people_for_errors": true,
    } })).await;
    bed.submit("ada").await.unwrap();
    let id = bed.environment().await["resources"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        bed.desk.accept(&tenant(), &advice("rightsize", "t3.large", "i-elsewhere"), &by("ada")).await.unwrap(),
        None
    );
    let action = bed.desk.accept(&tenant(), &advice("rightsize", "t3.large", &id), &by("ada")).await.unwrap().unwrap();
    assert_eq!(action["state"], "verifying", "{action:#}");
    assert_eq!((action["priced_before"].as_str(), action["priced_after"].as_str()), (Some("72.48"), Some("37.44")));
    let release = bed.desk.release(&tenant(), "prod-2").await.unwrap();
    assert_eq!(release["approved_by"], "policy of prod");
    bed.later(3).await;
    let action = bed.desk.action(&tenant(), "r-1").await.unwrap();
    assert_eq!(action["state"], "kept", "{action:#}");
    assert_eq!(action["ledger"]["realised"], "NotBilledYet");
    assert!(action["read_back"].as_str().unwrap().contains("t3.large"));
    let shown = bed.environment().await;
    assert_eq!(shown["overrides"][0]["writer"], "recommendation r-1");
    assert_eq!(shown["monthly"]["range"]["likely"], "37.44");
}

#[tokio::test]
async fn a_recommendation_that_hurts_is_taken_back_with_its_override() {
    let bed = Bed::new().await;
    *bed.world.errors.lock() = Some(0.001);
    let gates = json!([{ "name": "health", "when": "after", "kind": "query", "language": "promql", "query": "errors", "at_most": 0.01 }]);
    bed.create(json!({ "gates": gates })).await;
    bed.submit("ada").await.unwrap();
    let id = bed.environment().await["resources"][1]["id"].as_str().unwrap().to_owned();
    let action = bed.desk.accept(&tenant(), &advice("stop", "", &id), &by("ada")).await.unwrap().unwrap();
    assert_eq!(action["state"], "queued", "policy asks for people: {action:#}");
    bed.desk.vote(&tenant(), "prod-2", &by("bob"), true, "", None).await.unwrap();
    assert_eq!(bed.desk.action(&tenant(), "r-1").await.unwrap()["state"], "verifying");
    assert_eq!(bed.environment().await["resources"][1]["fields"]["running"], false);
    // It is looked at now and then, not at every turn of the loop.
    let asked = bed.world.asked.load(Ordering::Relaxed);
    for _ in 0..5 {
        bed.later(0).await;
    }
    assert_eq!(bed.world.asked.load(Ordering::Relaxed), asked);
    *bed.world.errors.lock() = Some(0.5);
    bed.later(1).await;
    let action = bed.desk.action(&tenant(), "r-1").await.unwrap();
    assert_eq!(action["state"], "undone", "{action:#}");
    let shown = bed.environment().await;
    assert_eq!(shown["resources"][1]["fields"]["running"], true);
    assert_eq!(shown["overrides"], json!([]));
}

#[tokio::test]
async fn environments_sleep_wake_are_cloned_and_destroyed() {
    let bed = Bed::new().await;
    bed.create(json!({})).await;
    bed.submit("ada").await.unwrap();
    let release = bed.desk.sleep(&tenant(), "prod", &by("ada"), true, "weekend").await.unwrap();
    assert_eq!(release["state"], "done", "{release:#}");
    let shown = bed.environment().await;
    assert_eq!(
        (shown["resources"][1]["fields"]["running"].as_bool(), shown["monthly"]["range"]["likely"].as_str()),
        (Some(false), Some("2.4"))
    );
    bed.desk.sleep(&tenant(), "prod", &by("ada"), false, "monday").await.unwrap();
    assert_eq!(bed.environment().await["resources"][1]["fields"]["running"], true);
    let wish = crate::CloneWish { name: "staging".to_owned(), ..crate::CloneWish::default() };
    bed.desk.clone_of(&tenant(), "prod", &by("ada"), wish).await.unwrap();
    let written = Written {
        target: "vm.web".to_owned(),
        path: "disk_gib".to_owned(),
        to: Some(json!(40)),
        why: "tests".to_owned(),
        ..Written::default()
    };
    bed.desk.write(&tenant(), "staging", &by("ada"), written).await.unwrap();
    let differences = bed.desk.compare(&tenant(), "prod", "staging").await.unwrap();
    assert_eq!(differences.len(), 1, "{differences:?}");
    let wish = crate::PromoteWish { to: "prod".to_owned(), ..crate::PromoteWish::default() };
    bed.desk.promote(&tenant(), "staging", &by("bob"), wish).await.unwrap();
    assert_eq!(bed.environment().await["overrides"][0]["why"], "promoted from staging: tests");
    let wrong =
        Written { target: "vm.web".to_owned(), path: "disk_gib".to_owned(), to: Some(json!(1)), ..Written::default() };
    assert!(
        bed.desk.write(&tenant(), "prod", &by("ada"), wrong).await.unwrap_err().to_string().contains("out of bounds")
    );
    bed.desk.protect(&tenant(), "prod", &by("ada"), true).await.unwrap();
    let destroy =
        || PlanWish { environment: "prod".to_owned(), destroy: Some("prod".to_owned()), ..PlanWish::default() };
    assert!(bed.desk.plan(&tenant(), &by("ada"), destroy()).await.unwrap_err().to_string().contains("protected"));
    bed.desk.protect(&tenant(), "prod", &by("ada"), false).await.unwrap();
    let plan = bed.desk.plan(&tenant(), &by("ada"), destroy()).await.unwrap();
    let submission = Submission {
        environment: "prod".to_owned(),
        plan: plan["id"].as_str().map(str::to_owned),
        ..Submission::default()
    };
    assert_eq!(bed.desk.submit(&tenant(), &by("ada"), submission).await.unwrap()["state"], "done");
    assert!(bed.desk.forget(&tenant(), "prod", &by("ada")).await.unwrap());
    assert_eq!(bed.desk.environments(&tenant()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_key_does_it_once() {
    let bed = Bed::new().await;
    bed.create(json!({})).await;
    let submit = || bed.submit("ada");
    let first = bed.desk.once(&tenant(), Some("k"), "a", submit()).await.unwrap();
    assert_eq!(bed.desk.once(&tenant(), Some("k"), "a", submit()).await.unwrap(), first);
    assert!(bed.desk.once(&tenant(), Some("k"), "b", submit()).await.is_err());
    assert_eq!(bed.desk.releases(&tenant(), None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn releases_that_share_nothing_run_together() {
    let bed = Bed::new().await;
    let two =
        SPEC.replace("  - kind: vm\n    name: web", "  - kind: network\n    name: other\n  - kind: vm\n    name: web");
    let settings =
        json!({ "prices": PRICES, "gates": [{ "name": "people", "kind": "approval", "requester_counts": true }] });
    let new = New {
        name: "prod".to_owned(),
        spec: two,
        cloud: "aws".to_owned(),
        settings: serde_json::from_value(settings).unwrap(),
        ..New::default()
    };
    bed.desk.create(&tenant(), &by("ada"), new).await.unwrap();
    for only in ["network.other", "vm.web"] {
        let submission =
            Submission { environment: "prod".to_owned(), only: vec![only.to_owned()], ..Submission::default() };
        bed.desk.submit(&tenant(), &by("ada"), submission).await.unwrap();
    }
    bed.desk.pause(&tenant(), "prod", &by("ada"), Some(("lunch".to_owned(), false))).await.unwrap();
    for id in ["prod-1", "prod-2"] {
        bed.desk.vote(&tenant(), id, &by("ada"), true, "", None).await.unwrap();
    }
    assert!(bed.desk.release(&tenant(), "prod-2").await.unwrap()["holds"].to_string().contains("paused by ada"));
    bed.desk.pause(&tenant(), "prod", &by("ada"), None).await.unwrap();
    for id in ["prod-1", "prod-2"] {
        let release = bed.desk.release(&tenant(), id).await.unwrap();
        assert_eq!(release["state"], "done", "{release:#}");
        assert!(!release["events"].to_string().contains("replanned"), "{release:#}");
    }
    assert_eq!(bed.environment().await["resources_there"], 3);
}

/// A resource of a type with the fields that it must have, and all that these refer to.
fn described(kind: &grid_types::Type, all: &mut BTreeMap<String, Value>) {
    if all.contains_key(&kind.name) {
        return;
    }
    all.insert(kind.name.clone(), Value::Null);
    let mut fields = serde_json::Map::new();
    for field in kind.fields.iter().filter(|f| f.required) {
        let value = match field.kind {
            grid_types::Kind::Reference | grid_types::Kind::References => {
                described(grid_types::find(&field.to[0]).unwrap(), all);
                let text = json!(format!("${{{}.main}}", field.to[0]));
                if field.kind == grid_types::Kind::Reference { text } else { json!([text]) }
            }
            _ => json!(field.example.as_ref().or(field.default.as_ref()).unwrap()),
        };
        fields.insert(field.name.clone(), value);
    }
    all.insert(kind.name.clone(), json!({ "kind": kind.name, "name": "main", "fields": fields }));
}

/// The bar: what exists is taken over, and nothing is left to do, for every type that clouds scale natively.
#[tokio::test]
async fn what_is_taken_over_needs_no_plan() {
    let bed = Bed::new().await;
    let levers: Vec<_> = grid_types::types().iter().filter(|t| t.lever).collect();
    for (n, kind) in levers.iter().enumerate() {
        let mut all = BTreeMap::new();
        described(kind, &mut all);
        let name = format!("e{n}");
        let existing = all.keys().map(|k| (format!("{k}.main"), format!("id-{k}"))).collect();
        let spec = json!({ "resources": all.into_values().collect::<Vec<_>>() }).to_string();
        let new = New {
            name: name.clone(),
            spec,
            format: Some("json".to_owned()),
            cloud: "aws".to_owned(),
            existing,
            ..New::default()
        };
        bed.desk.create(&tenant(), &by("ada"), new).await.unwrap();
        let plan =
            bed.desk.plan(&tenant(), &by("ada"), PlanWish { environment: name, ..PlanWish::default() }).await.unwrap();
        assert_eq!(plan["steps"], 0, "{}: {plan:#}", kind.name);
    }
    let Some(path) = std::env::var_os("GRID_FIGURES") else { return };
    let measured = format!("{} of {} native types are taken over with an empty plan", levers.len(), levers.len());
    let line = json!({ "bar": "import_empty", "measured": measured, "pass": true });
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}
