//! Goldens of one plan in all its outputs. `UPDATE_EXPECT=1` blesses; read the diff.

use expect_test::expect_file;
use grid_model::Timestamp;
use serde_json::json as value;

use super::*;
use crate::environment::tests::{address, blueprint, path, set};
use crate::environment::{Provenance, Writer};
use crate::lint::{Bounds, lint};
use crate::plan::tests::{Setting, state};

fn setting() -> Setting {
    let mut setting = Setting::new("prod");
    let database = setting.kinds.0.get_mut("postgresql").expect("one of the thirty");
    database.replace_on.insert(path("zone"));
    database.sensitive.insert(path("password"));
    setting.state = state(
        "prod",
        value!({"vm.web": {"cpu": 2, "db": "ip of postgresql.main", "tags": {"team": "shop"}},
                "postgresql.main": {"cpu": 4, "zone": "a", "password": "hush-1"}, "vm.old": {"unpriced": true}, "vm.same": {"cpu": 1}}),
    );
    if let Some(web) = setting.state.resources.get_mut(&address("vm.web")) {
        web.needs.insert(address("postgresql.main"));
    }
    setting.blueprint = blueprint(
        "4",
        value!({"vm.web": {"cpu": 2, "db": "${postgresql.main.out.ip}"}, "vm.same": {"cpu": 1},
                "postgresql.main": {"cpu": 4, "zone": "b", "password": "hush-2"}, "network.n": {"range": "10.0.0.0/8"}}),
    );
    let mut advice = set("vm.web", "cpu", value!(1), Writer::Recommendation("r-7".to_owned()));
    advice.by = Provenance {
        who: "ada".to_owned(),
        why: "3% of its cores were used".to_owned(),
        at: Timestamp(0),
        evidence: Some("/api/v1/recommendations/r-7".to_owned()),
        ..advice.by
    };
    setting.decisions.push(advice);
    setting
}

#[test]
fn a_plan_in_all_its_outputs() {
    let setting = setting();
    let plan = setting.plan().expect("it can be planned");
    let found = lint(&plan, &setting.kinds, &Bounds::default());
    let json = serde_json::to_string_pretty(&json(&plan, &setting.kinds, &found)).expect("it is JSON");
    expect_file!["golden/plan.json"].assert_eq(&(json.clone() + "\n"));
    expect_file!["golden/plan.txt"].assert_eq(&table(&plan, &found));
    expect_file!["golden/plan.dot"].assert_eq(&dot(&plan));
    let shown = json + &table(&plan, &found);
    assert!(!shown.contains("hush"), "secrets are not shown");
}

#[test]
fn nothing_to_do_says_so() {
    let setting = Setting::new("dev");
    let plan = setting.plan().expect("it can be planned");
    let text = table(&plan, &[]);
    assert!(text.ends_with("\nnothing to do\nmonthly: 0 EUR\n"), "{text}");
    assert_eq!(json(&plan, &setting.kinds, &[])["applyable"], value!(false));
}
