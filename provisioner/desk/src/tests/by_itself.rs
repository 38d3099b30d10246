//! What the desk does by itself: it accepts what fits a policy, sends environments to sleep, wakes and ends them.
use grid_act::executor::Time as _;
use grid_model::Timestamp;
use grid_model::time::HOUR_NS;
use serde_json::{Value, json};

use super::{Bed, advice, by, tenant};
use crate::{Recommended, Written};

fn automatic() -> Value {
    json!({
        "autonomy": "automatic",
        "limits": { "adds_max": "0", "saves_max": "50", "risk_max": 0.05, "steps_max": 1, "blast_max": 0, "moved_max": "100" },
        "two_people_for_errors": true,
    })
}

/// An environment that is there, with a policy; and the id of its machine.
async fn there(settings: Value) -> (Bed, String) {
    let bed = Bed::new().await;
    bed.create(settings).await;
    bed.submit("ada").await.unwrap();
    let id = bed.environment().await["resources"][1]["id"].as_str().unwrap().to_owned();
    (bed, id)
}

impl Bed {
    async fn advise(&self, all: Vec<Recommended>) {
        *self.world.advice.lock() = all;
        self.later(1).await;
    }

    async fn why(&self) -> Vec<String> {
        let held = self.environment().await["held_recommendations"].clone();
        let texts = |row: &Value| {
            let why: Vec<&str> = row["why"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            format!("{}: {}", row["id"].as_str().unwrap(), why.join("; "))
        };
        held.as_array().unwrap().iter().map(texts).collect()
    }

    async fn deeds(&self, what: &str) -> Vec<(String, String)> {
        let audit = self.desk.audit(&tenant(), None, 1_000).await.unwrap();
        audit.into_iter().filter(|a| a.what == what).map(|a| (a.who, a.allowed_by)).collect()
    }
}

#[tokio::test]
async fn what_fits_the_policy_is_accepted_once() {
    let (bed, id) = there(json!({ "policy": automatic(), "accepts": { "restarts": true }, "verify_hours": 1 })).await;
    bed.advise(vec![advice("rightsize", "t3.large", &id), advice("rightsize", "t3.large", "i-elsewhere")]).await;
    assert_eq!(bed.environment().await["resources"][1]["fields"]["machine_type"]["aws"], "t3.large");
    let accepted = vec![("grid".to_owned(), "the automatic policy of prod".to_owned())];
    assert_eq!(bed.deeds("recommendation.accept").await, accepted);
    assert_eq!(bed.world.decided.lock()["r-1"], ("grid".to_owned(), true));
    bed.later(2).await;
    assert_eq!(bed.desk.action(&tenant(), "r-1").await.unwrap()["state"], "kept");
    // Recommended anew, and even reopened, it is not accepted a second time.
    bed.world.decided.lock().clear();
    bed.later(24).await;
    assert_eq!(bed.deeds("recommendation.accept").await, accepted);
    assert_eq!(bed.why().await, ["r-1: it was accepted before, and is kept"]);
}

#[tokio::test]
async fn what_does_not_fit_is_held_with_its_reason() {
    let check = async |settings: Value, change: fn(&mut Recommended), expected: &str| {
        let (bed, id) = there(settings).await;
        let mut of = advice("rightsize", "t3.large", &id);
        change(&mut of);
        bed.advise(vec![of]).await;
        let shown = bed.why().await.join("\n");
        assert!(
            if expected.is_empty() { shown.is_empty() } else { shown.contains(expected) },
            "{shown:?}: {expected:?}"
        );
        assert!(bed.deeds("recommendation.accept").await.is_empty(), "{expected}");
        assert!(bed.world.decided.lock().is_empty(), "{expected}");
    };
    let restarts = json!({ "restarts": true });
    let fits = || json!({ "policy": automatic(), "accepts": restarts });
    let limits = |name: &str, value: Value| {
        let mut settings = fits();
        settings["policy"]["limits"][name] = value;
        settings
    };
    let autonomy = |word: &str| {
        let mut settings = fits();
        settings["policy"]["autonomy"] = json!(word);
        settings
    };
    for word in ["off", "suggest", "approve"] {
        check(autonomy(word), |_| {}, "").await;
    }
    check(json!({ "policy": automatic(), "accepts": { "per_day": 0 } }), |_| {}, "").await;
    check(json!({ "policy": automatic() }), |_| {}, "it takes a restart").await;
    check(fits(), |of| of.risk = 0.2, "its risk is 0.2, more than 0.05").await;
    check(fits(), |of| of.effort = "High".to_owned(), "its effort is High").await;
    check(fits(), |of| of.proposed = "m5.large".to_owned(), "it is so already").await;
    check(fits(), |of| of.action = "dance".to_owned(), "does what \"dance\" asks for").await;
    check(limits("saves_max", json!("5")), |_| {}, "a change that large is looked at").await;
    check(limits("moved_max", json!("5")), |_| {}, "more than 5 USD would be moved today").await;
    check(limits("steps_max", json!(0)), |_| {}, "it has 1 steps, more than 0").await;
}

#[tokio::test]
async fn what_people_decided_or_changed_comes_first() {
    let (bed, id) = there(json!({ "policy": automatic(), "accepts": { "restarts": true } })).await;
    // Dismissed between the look and the decision: the intent is dropped.
    bed.world.decided.lock().insert("r-1".to_owned(), ("ada".to_owned(), false));
    bed.advise(vec![advice("rightsize", "t3.large", &id)]).await;
    assert_eq!((bed.why().await.len(), bed.deeds("recommendation.accept").await.len()), (0, 0));
    bed.world.decided.lock().clear();
    // A person's change of the same machine waits to be released: it is not carried out with Grid's.
    let written =
        Written { target: "vm.web".to_owned(), path: "disk_gib".to_owned(), to: Some(json!(50)), ..Written::default() };
    bed.desk.write(&tenant(), "prod", &by("ada"), written).await.unwrap();
    bed.later(1).await;
    assert_eq!(bed.why().await, ["r-1: vm.web has other changes that are not released yet"]);
    bed.submit("ada").await.unwrap();
    bed.later(1).await;
    assert_eq!(bed.deeds("recommendation.accept").await.len(), 1, "{:?}", bed.why().await);
}

#[tokio::test]
async fn one_at_a_time_and_so_many_a_day() {
    let gates = json!([{ "name": "people", "kind": "approval", "people": 1, "requester_counts": true }]);
    let (bed, id) = there(json!({ "policy": automatic(), "accepts": { "restarts": true, "per_day": 1 } })).await;
    let settings = serde_json::from_value(json!({ "gates": gates })).unwrap();
    bed.desk.set(&tenant(), "prod", &by("ada"), settings).await.unwrap();
    let second = Recommended { id: "r-2".to_owned(), ..advice("stop", "", &id) };
    bed.advise(vec![advice("rightsize", "t3.large", &id), second]).await;
    let is_held = |why: &[String]| why.len() == 1 && why[0].contains("r-2: one at a time: r-1 is on its way");
    assert!(is_held(&bed.why().await), "{:?}", bed.why().await);
    bed.later(1).await;
    let why = bed.why().await;
    assert!(why[0].contains("1 were accepted within 24 hours") && why[0].contains("r-1 is on its way"), "{why:?}");
    bed.desk.vote(&tenant(), "prod-2", &by("bob"), true, "", None).await.unwrap();
    bed.later(1).await;
    assert_eq!(bed.why().await, ["r-2: 1 were accepted within 24 hours, at most 1 may be"]);
}

#[tokio::test]
async fn an_environment_ends_when_its_time_has_come() {
    let bed = Bed::new().await;
    let at = |hours: i64| Timestamp(bed.time.now().0 + hours * HOUR_NS).to_string();
    bed.create(json!({ "expires": at(5) })).await;
    bed.submit("ada").await.unwrap();
    bed.later(4).await;
    assert_eq!(bed.environment().await["resources_there"], 2);
    // What waits would make it anew.
    let gates = json!([{ "name": "people", "kind": "approval" }]);
    let settings = serde_json::from_value(json!({ "gates": gates })).unwrap();
    bed.desk.set(&tenant(), "prod", &by("ada"), settings).await.unwrap();
    let written =
        Written { target: "vm.web".to_owned(), path: "disk_gib".to_owned(), to: Some(json!(50)), ..Written::default() };
    bed.desk.write(&tenant(), "prod", &by("ada"), written).await.unwrap();
    assert_eq!(bed.submit("ada").await.unwrap()["state"], "waiting");
    bed.later(2).await;
    assert_eq!(bed.desk.release(&tenant(), "prod-2").await.unwrap()["state"], "cancelled");
    let last = bed.desk.release(&tenant(), "prod-3").await.unwrap();
    assert_eq!(
        (last["state"].as_str(), last["by"].as_str()),
        (Some("waiting"), Some("grid")),
        "its gates hold: {last:#}"
    );
    assert_eq!(bed.environment().await["expiry"]["release"], "prod-3");
    bed.later(1).await;
    bed.desk.vote(&tenant(), "prod-3", &by("bob"), true, "", None).await.unwrap();
    let shown = bed.environment().await;
    assert_eq!(shown["resources_there"], 0, "{shown:#}");
    // Once, and nothing comes back.
    bed.later(24).await;
    assert_eq!(bed.desk.releases(&tenant(), None).await.unwrap().len(), 3);
    assert_eq!(bed.deeds("environment.expire").await.len(), 1);
    let past = serde_json::from_value(json!({ "expires": at(-1) })).unwrap();
    let refused = bed.desk.set(&tenant(), "prod", &by("ada"), past).await.unwrap_err();
    assert!(refused.to_string().contains("lies in the past"), "{refused}");
}

#[tokio::test]
async fn a_protected_environment_is_warned_of_and_stays() {
    let bed = Bed::new().await;
    let end = Timestamp(bed.time.now().0 + HOUR_NS).to_string();
    bed.create(json!({ "expires": end })).await;
    bed.submit("ada").await.unwrap();
    bed.desk.protect(&tenant(), "prod", &by("ada"), true).await.unwrap();
    bed.later(2).await;
    bed.later(2).await;
    let shown = bed.environment().await;
    assert_eq!((shown["resources_there"].as_u64(), shown["expiry"]["is_warning"].as_bool()), (Some(2), Some(true)));
    assert!(shown["expiry"]["says"].as_str().unwrap().contains("it is protected"));
    assert_eq!(bed.deeds("environment.expire").await.len(), 1);
    bed.desk.protect(&tenant(), "prod", &by("ada"), false).await.unwrap();
    bed.later(0).await;
    assert_eq!(bed.environment().await["resources_there"], 0);
}

#[tokio::test]
async fn an_environment_sleeps_by_its_schedule_in_its_zone() {
    // 2026-10-28T00:00:00Z, a Wednesday: 01:00 in Berlin.
    let rest = json!({ "sleeps": "0 20 * * 1-5", "wakes": "0 7 * * 1-5", "zone": "Europe/Berlin" });
    let (bed, _) = there(json!({})).await;
    let settings = serde_json::from_value(json!({ "rest": rest })).unwrap();
    let start = bed.time.now();
    assert_eq!(start.to_string(), "2026-10-28T00:00:00.000000000Z");
    bed.desk.set(&tenant(), "prod", &by("ada"), settings).await.unwrap();
    let running = async |hours: i64| {
        bed.later(hours).await;
        let shown = bed.environment().await;
        (shown["resources"][1]["fields"]["running"].as_bool(), shown["asleep"].is_null())
    };
    // It is night there already: it slept at 20:00.
    assert_eq!(running(0).await, (Some(false), false));
    // 06:00 and 07:00 in Berlin.
    assert_eq!(running(5).await, (Some(false), false));
    assert_eq!(running(1).await, (Some(true), true));
    // 19:00 and 20:00.
    assert_eq!(running(12).await, (Some(true), true));
    assert_eq!(running(1).await, (Some(false), false));
    let releases = bed.desk.releases(&tenant(), None).await.unwrap();
    assert_eq!(releases.len(), 4, "the first, sleep, wake, sleep");
    assert!(releases[1]["note"].as_str().unwrap().starts_with("wake: schedule `0 7 * * 1-5` in Europe/Berlin"));
    assert_eq!(releases[0]["by"], "grid");
}

#[tokio::test]
async fn an_environment_that_nobody_uses_sleeps() {
    let (bed, _) = there(json!({})).await;
    let settings = json!({ "rest": { "idle_hours": 3, "query": "requests" } });
    bed.desk.set(&tenant(), "prod", &by("ada"), serde_json::from_value(settings).unwrap()).await.unwrap();
    let asleep = async |used: Option<f64>, hours: i64| {
        *bed.world.errors.lock() = used;
        bed.later(hours).await;
        !bed.environment().await["asleep"].is_null()
    };
    for (used, hours, expected) in [
        (Some(1.0), 1, false),
        (Some(0.0), 2, false),
        // Nobody knows: it does not fall asleep.
        (None, 5, false),
        (Some(1.0), 1, false),
        (Some(0.0), 2, false),
        (Some(0.0), 1, true),
        (Some(0.0), 9, true),
        (Some(2.0), 1, false),
    ] {
        assert_eq!(asleep(used, hours).await, expected, "{used:?} for {hours} h");
    }
}
