//! What repairs itself, how often, and what it leaves behind.
use grid_model::time::{HOUR_NS, SECOND_NS};
use serde_json::{Value, json};

use super::{Bed, by, tenant};
use crate::Written;

const MINUTE_NS: i64 = 60 * SECOND_NS;

fn settings(autonomy: &str, repair: Value) -> Value {
    json!({
        "policy": {
            "autonomy": autonomy,
            "limits": { "adds_max": "0", "saves_max": null, "risk_max": 0.05, "steps_max": 1, "blast_max": 0, "moved_max": "100" },
            "two_people_for_errors": true,
        },
        "heals": { "when": [{ "name": "errors", "query": "errors", "for_minutes": 5, "repair": repair }], "per_resource": 2, "pause_minutes": 30 },
    })
}

/// An environment that is there, whose condition does not hold.
async fn there(settings: Value) -> Bed {
    let bed = Bed::new().await;
    *bed.world.errors.lock() = Some(0.0);
    bed.create(settings).await;
    bed.submit("ada").await.unwrap();
    bed
}

impl Bed {
    /// So many minutes pass, one by one.
    async fn minutes(&self, minutes: i64) {
        for _ in 0..minutes {
            grid_act::executor::Time::wait(&*self.time, MINUTE_NS).await;
            self.desk.advance(&tenant(), "prod").await.unwrap();
        }
    }

    fn errors(&self, errors: Option<f64>) {
        *self.world.errors.lock() = errors;
    }

    /// What was repaired, the youngest first, and what the condition says.
    async fn healing(&self) -> (Vec<String>, String) {
        let healing = self.environment().await["healing"].clone();
        let of = |r: &Value| {
            format!(
                "{} {} in {} releases: {}",
                r["repair"],
                r["target"],
                r["releases"].as_array().unwrap().len(),
                r["says"]
            )
            .replace('"', "")
        };
        let says = healing["conditions"][0]["says"].as_str().unwrap_or_default().to_owned();
        (healing["repairs"].as_array().unwrap().iter().map(of).collect(), says)
    }
}

#[tokio::test]
async fn a_machine_is_restarted_within_its_budget() {
    let bed = there(settings("automatic", json!({ "kind": "restart", "target": "vm.web" }))).await;
    bed.minutes(10).await;
    bed.errors(Some(1.0));
    bed.minutes(4).await;
    assert_eq!(bed.healing().await.0, Vec::<String>::new(), "not for long enough");
    bed.minutes(3).await;
    let whole = bed.environment().await;
    assert_eq!(bed.healing().await.0, ["restart vm.web in 2 releases: done"]);
    assert_eq!(
        (&whole["resources"][1]["fields"]["running"], &whole["overrides"]),
        (&json!(true), &json!([])),
        "{whole:#}"
    );
    // It did not help: once more after a pause, and then never.
    bed.minutes(10).await;
    assert!(bed.healing().await.1.contains("left alone until"), "{:?}", bed.healing().await);
    bed.minutes(30).await;
    assert_eq!(bed.healing().await.0.len(), 2);
    bed.minutes(90).await;
    let (done, says) = bed.healing().await;
    assert!(done.len() == 2 && says.contains("2 times within the window: that does not help it"), "{done:?} {says}");
    // Over, it says nothing any more.
    bed.errors(Some(0.0));
    bed.minutes(1).await;
    assert_eq!(bed.healing().await.1, "");
    let audit = bed.desk.audit(&tenant(), None, 1_000).await.unwrap();
    assert_eq!(audit.iter().filter(|a| a.what == "heal.begin" && a.allowed_by == "self-healing errors").count(), 2);
}

#[tokio::test]
async fn what_is_not_known_or_not_allowed_is_only_said() {
    let bed = there(settings("approve", json!({ "kind": "restart", "target": "vm.web" }))).await;
    bed.errors(Some(1.0));
    bed.minutes(8).await;
    let (done, says) = bed.healing().await;
    assert!(done.is_empty() && says.contains("a person has to restart vm.web"), "{done:?} {says}");
    bed.errors(None);
    bed.minutes(8).await;
    let (done, says) = bed.healing().await;
    assert!(done.is_empty() && says.contains("it cannot be asked: the query timed out"), "{done:?} {says}");
}

#[tokio::test]
async fn a_machine_is_replaced() {
    let bed = there(settings("automatic", json!({ "kind": "replace", "target": "vm.web" }))).await;
    let id = bed.environment().await["resources"][1]["id"].clone();
    bed.errors(Some(1.0));
    bed.minutes(8).await;
    assert_eq!(bed.healing().await.0, ["replace vm.web in 2 releases: done"]);
    let whole = bed.environment().await;
    assert!(whole["resources"][1]["address"] == "vm.web" && whole["resources"][1]["id"] != id, "{whole:#}");
}

#[tokio::test]
async fn a_number_is_raised_and_set_back() {
    let repair = json!({ "kind": "scale", "target": "vm.web", "path": "disk_gib", "by": 10, "max": 45 });
    let bed = there(settings("automatic", repair)).await;
    let disk = async || bed.environment().await["resources"][1]["fields"]["disk_gib"].clone();
    let before = disk().await;
    bed.errors(Some(1.0));
    bed.minutes(20).await;
    let raised = disk().await;
    assert!(raised.as_u64() > before.as_u64() && raised.as_u64() <= Some(45), "{before} {raised}");
    assert!(bed.healing().await.1.contains("was raised for it already"), "{:?}", bed.healing().await);
    bed.errors(Some(0.0));
    bed.minutes(50).await;
    assert_eq!(disk().await, raised, "not calm for long enough");
    bed.minutes(20).await;
    let whole = bed.environment().await;
    assert_eq!((disk().await, &whole["overrides"]), (before, &json!([])), "{whole:#}");
}

#[tokio::test]
async fn the_last_release_is_taken_back() {
    let bed = there(settings("automatic", json!({ "kind": "roll_back", "within_minutes": 30 }))).await;
    let type_of = async || bed.environment().await["resources"][1]["fields"]["machine_type"]["aws"].clone();
    bed.minutes(120).await;
    bed.errors(Some(1.0));
    bed.minutes(8).await;
    assert!(bed.healing().await.1.contains("was not applied within 30 minutes"), "{:?}", bed.healing().await);
    bed.errors(Some(0.0));
    bed.minutes(2).await;
    let written = Written {
        target: "vm.web".to_owned(),
        path: "machine_type.aws".to_owned(),
        to: Some(json!("t3.large")),
        ..Written::default()
    };
    bed.desk.write(&tenant(), "prod", &by("ada"), written).await.unwrap();
    bed.submit("ada").await.unwrap();
    assert_eq!(type_of().await, "t3.large");
    bed.minutes(3).await;
    bed.errors(Some(1.0));
    bed.minutes(8).await;
    assert_eq!(bed.healing().await.0, ["roll back prod in 1 releases: done"]);
    assert_eq!(type_of().await, "m5.large");
    // What took back is not taken back.
    grid_act::executor::Time::wait(&*bed.time, HOUR_NS).await;
    bed.minutes(8).await;
    assert!(bed.healing().await.1.contains("took another back"), "{:?}", bed.healing().await);
}

#[tokio::test]
async fn conditions_are_read_before_they_are_kept() {
    let bed = there(json!({})).await;
    for (repair, expected) in [
        (json!({ "kind": "restart", "target": "network.main" }), "cannot be stopped and started"),
        (json!({ "kind": "replace", "target": "postgresql.main" }), "holds data that would be gone"),
        (
            json!({ "kind": "scale", "target": "vm.web", "path": "disk_gib", "by": 1, "max": 0 }),
            "may not be more than 0",
        ),
        (json!({ "kind": "restart", "target": "web" }), "web"),
    ] {
        let heals = json!({ "heals": { "when": [{ "name": "c", "query": "q", "repair": repair }] } });
        let settings = serde_json::from_value(heals).unwrap();
        let refused = bed.desk.set(&tenant(), "prod", &by("ada"), settings).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{repair}: {refused}");
    }
}
