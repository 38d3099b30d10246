//! The way of every apply, against an account in memory.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use futures::executor::block_on;
use grid_plan::PlanId;
use parking_lot::Mutex;
use serde_json::json;

use super::lever::Does::{Change, Destroy, Fix};
use super::*;

const LEVERS: &[Lever] = &[
    Lever::new("vm", Change("machine"), "resize"),
    Lever::new("vm", Change("running"), "start, stop"),
    Lever::new("vm", Fix("disk_gib"), "get"),
    Lever::new("vm", Destroy, "delete"),
];

/// One machine; what is changed shows only after so many looks.
struct One {
    there: Mutex<Option<Seen>>,
    calls: Mutex<Vec<String>>,
    slow: bool,
}

#[async_trait]
impl Account for One {
    fn driver(&self) -> &'static str {
        "one"
    }

    fn place(&self) -> String {
        "one machine".to_owned()
    }

    fn machines(&self) -> &'static str {
        "google"
    }

    fn machine_of(&self, size: &str) -> Option<&'static str> {
        [("2x8", "two"), ("3x8", "four"), ("4x16", "four")].into_iter().find(|(s, _)| *s == size).map(|(_, m)| m)
    }

    fn levers(&self) -> &'static [Lever] {
        LEVERS
    }

    async fn all(&self, kind: &str) -> Result<Vec<Seen>, Failure> {
        Ok(self.look(kind, "i-1").await?.into_iter().collect())
    }

    async fn look(&self, _: &str, id: &str) -> Result<Option<Seen>, Failure> {
        Ok(self.there.lock().clone().filter(|seen| seen.id == id))
    }

    async fn change(
        &self,
        _: &str,
        _: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        _: &Marks,
    ) -> Result<(), Failure> {
        self.calls.lock().push(format!("change {}", changed.iter().cloned().collect::<Vec<_>>().join(" ")));
        let (machine, running) = (want.machine(self)?, want.bool("running"));
        let mut there = self.there.lock();
        let seen = there.as_mut().unwrap();
        if !self.slow {
            seen.machine = machine.or(seen.machine.take());
            if let Some(running) = running {
                seen.own.set(&Path::of(["running"]), &json!(running));
            }
        }
        Ok(())
    }

    async fn mark(&self, _: &str, _: &Seen, marks: &Marks) -> Result<(), Failure> {
        self.calls.lock().push("mark".to_owned());
        self.there.lock().as_mut().unwrap().marks = marks.clone();
        Ok(())
    }

    async fn remove(&self, _: &str, _: &Seen) -> Result<(), Failure> {
        *self.there.lock() = None;
        Ok(())
    }
}

fn one() -> One {
    let own = fields(json!({"running": true, "disk_gib": 30, "nothing": null}));
    let seen = Seen { id: "i-1".to_owned(), machine: Some("two".to_owned()), own, ..Seen::default() };
    One { there: Mutex::new(Some(seen)), calls: Mutex::default(), slow: false }
}

fn apply(cloud: &One, to: &Value) -> Result<Observed, CloudError> {
    let address = Address::parse("vm.web").unwrap();
    let token = Token::of(PlanId::of_digest([7; 32]), &address, Action::Update);
    let before = Observed { id: "i-1".to_owned(), ..Observed::default() };
    let fields = Fields::of_json(to);
    let call =
        Call { address: &address, action: Action::Update, before: Some(&before), fields: &fields, token: &token };
    block_on(Executor::apply(cloud, &call))
}

#[test]
fn only_what_differs_is_changed_and_the_token_comes_last() {
    let cloud = one();
    let now = apply(&cloud, &json!({"size": "3x8", "running": true, "disk_gib": 30})).unwrap();
    assert_eq!(now.fields.to_json(), json!({"size": "3x8", "running": true, "disk_gib": 30}));
    assert_eq!(*cloud.calls.lock(), ["change machine", "mark"]);
    // Asked again, it is found done.
    apply(&cloud, &json!({"size": "3x8", "running": true, "disk_gib": 30})).unwrap();
    assert_eq!(cloud.calls.lock().len(), 2);
    // A machine of that size that was named says both.
    let now = apply(&cloud, &json!({"size": "2x8", "machine_type": {"google": "odd"}})).unwrap();
    assert_eq!(now.fields.to_json()["machine_type"], json!({"google": "odd"}));
    assert_eq!(now.fields.to_json()["size"], json!("2x8"));
    // Somebody changed it since: what was asked is not what is there.
    cloud.there.lock().as_mut().unwrap().machine = Some("other".to_owned());
    let address = Address::parse("vm.web").unwrap();
    let now = block_on(cloud.read(&address, "i-1")).unwrap().unwrap();
    assert_eq!(now.fields.to_json()["machine_type"], json!({"google": "other"}));
    assert_eq!(now.fields.to_json().get("size"), None);
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is() {
    for (to, words) in [
        (json!({"gpu": 1}), "gpu is not set through the API of one by Grid"),
        (json!({"disk_gib": 50}), "disk_gib can only be set when it is made"),
        (json!({"size": "64x1"}), "no machine of one has size"),
    ] {
        let cloud = one();
        let error = apply(&cloud, &to).unwrap_err();
        assert!(matches!(&error, CloudError::Refused(why) if why.contains(words)), "{error}");
        assert!(cloud.calls.lock().is_empty());
    }
    let cloud = One { slow: true, ..one() };
    let error = apply(&cloud, &json!({"running": false})).unwrap_err();
    assert!(matches!(&error, CloudError::Again { .. }), "{error}");
    assert_eq!(*cloud.calls.lock(), ["change running"], "no token before it shows");
    cloud.there.lock().as_mut().unwrap().busy = Some("STOPPING".to_owned());
    let error = apply(&cloud, &json!({"running": true})).unwrap_err();
    assert!(error.to_string().contains("i-1 is STOPPING"), "{error}");
}

#[test]
fn what_is_a_groups_is_left_to_it() {
    let cloud = one();
    cloud.there.lock().as_mut().unwrap().owner = Some("group-1".to_owned());
    let address = Address::parse("vm.web").unwrap();
    let changed = apply(&cloud, &json!({"running": false})).map(drop);
    let deleted = block_on(cloud.destroy(&address, "i-1", &Token::of_text("x")));
    for answer in [changed, deleted] {
        assert_eq!(answer.unwrap_err().to_string(), "the cloud refuses: i-1 is a machine of group-1: change that");
    }
    assert!(cloud.calls.lock().is_empty() && cloud.there.lock().is_some());
    let told = block_on(cloud.import(&address, "i-1")).unwrap();
    assert_eq!(told.outputs["group"], json!("group-1"));
}

#[test]
fn an_inventory_names_what_it_could_not_list() {
    let rows = block_on(inventory(&one(), Timestamp(7))).rows;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].kind.as_str(), rows[0].observed_at), ("vm", Timestamp(7)));
    let tags: BTreeMap<String, String> = BTreeMap::new();
    assert_eq!(rows[0].tags, tags);
}
