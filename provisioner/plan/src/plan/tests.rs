//! The planner against small worlds, and its promises against many.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};
use grid_model::{Amount, Currency};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::cost::{Prices, Range};
use crate::environment::tests::{address, blueprint, path, set};
use crate::environment::{Blueprint, Environment, Override, Writer};
use crate::kinds::Kinds;
use crate::state::State;

/// Ten a month for each `cpu`; what says `unpriced` has no price.
pub(crate) struct PerCpu;

impl Prices for PerCpu {
    fn book(&self) -> String {
        "per cpu".to_owned()
    }

    fn currency(&self) -> Currency {
        Currency("EUR".to_owned())
    }

    fn monthly(&self, _: &Address, fields: &Fields) -> Cost {
        if fields.get(&path("unpriced")).is_some() {
            return Cost::Unknown("no price of it is known".to_owned());
        }
        let cpu = fields.get(&path("cpu")).and_then(Value::as_i64).unwrap_or(0);
        Cost::Known(Range::exact(Amount(i128::from(cpu) * 10 * 10_i128.pow(18))))
    }
}

/// All that a plan is made of, owned.
pub(crate) struct Setting {
    pub(crate) blueprint: Blueprint,
    pub(crate) environment: Environment,
    pub(crate) decisions: Vec<Override>,
    pub(crate) state: State,
    pub(crate) kinds: Kinds,
    pub(crate) scope: Option<BTreeSet<Address>>,
}

impl Setting {
    pub(crate) fn new(environment: &str) -> Self {
        let name = environment.to_owned();
        Self {
            blueprint: blueprint("1", json!({})),
            environment: Environment { name: name.clone(), ..Environment::default() },
            decisions: Vec::new(),
            state: State { environment: name, ..State::default() },
            kinds: Kinds::roles(),
            scope: None,
        }
    }

    pub(crate) fn inputs(&self) -> Inputs<'_> {
        let goal =
            Goal::Blueprint { blueprint: &self.blueprint, environment: &self.environment, decisions: &self.decisions };
        Inputs { goal, state: &self.state, kinds: &self.kinds, prices: &PerCpu, scope: self.scope.as_ref() }
    }

    pub(crate) fn plan(&self) -> Result<Plan, PlanError> {
        plan(&self.inputs())
    }

    pub(crate) fn undo(&self, plan: &Plan) -> Plan {
        let inputs = Inputs { goal: Goal::Undo(plan), scope: None, ..self.inputs() };
        super::plan(&inputs).unwrap()
    }
}

/// A state in which all fields are Grid's own.
pub(crate) fn state(environment: &str, resources: Value) -> State {
    let resources = resources
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, fields)| {
            let fields = Fields::of_json(fields);
            let managed = fields.iter().map(|(p, _)| p.clone()).collect();
            let needs = fields.references();
            let outputs = BTreeMap::from([("ip".to_owned(), json!(format!("ip of {name}")))]);
            (address(name), Observed { id: name.clone(), fields, outputs, managed, needs })
        })
        .collect();
    State { environment: environment.to_owned(), serial: 1, resources, lock: None }
}

/// Does what a plan says, up to a number of steps, as a cloud would that is always well.
pub(crate) fn applied(plan: &Plan, state: &mut State, steps: usize) {
    for step in plan.steps.iter().take(steps) {
        let serial = state.serial;
        let now = match &step.after {
            None => None,
            Some(after) => {
                let mut fields = after.clone();
                for (path, value) in &step.unknown {
                    fields.set(path, &looked_up(value, &state.resources).unwrap());
                }
                let managed = step.manages.clone();
                let id = step.address.to_string();
                let outputs = BTreeMap::from([("ip".to_owned(), json!(format!("ip of {id}")))]);
                Some(Observed { id, fields, outputs, managed, needs: step.wants.clone() })
            }
        };
        state.commit("test", serial, [(step.address.clone(), now)]).unwrap();
    }
}

fn shown(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for step in &plan.steps {
        let cost = step.cost.known().map_or("?".to_owned(), |r| r.likely.to_string());
        let after: Vec<String> = step.after_steps.iter().map(Address::to_string).collect();
        lines.push(format!(
            "{} {} {} cost {cost} blast {} undo `{}` after [{}]",
            step.wave,
            step.action,
            step.address,
            step.blast.count,
            step.undo.text(),
            after.join(" ")
        ));
        lines.extend(step.reasons.iter().map(|r| format!("    {r}")));
    }
    lines.push(format!("= {} and {} unknown", plan.delta.known.likely, plan.delta.unknown.len()));
    lines.join("\n") + "\n"
}

fn check(setting: &Setting, expected: Expect) -> Plan {
    let plan = setting.plan().unwrap();
    expected.assert_eq(&shown(&plan));
    plan
}

#[test]
fn from_nothing_what_is_needed_comes_first() {
    let mut setting = Setting::new("prod");
    setting.blueprint = blueprint(
        "3",
        json!({"vm.web": {"cpu": 2, "db": "${postgresql.main.out.ip}"}, "postgresql.main": {"cpu": 4, "net": "${network.n.id}"},
               "network.n": {}, "dns_zone.z": {"unpriced": 1}}),
    );
    check(
        &setting,
        expect![[r#"
            0 create dns_zone.z cost ? blast 0 undo `delete what was made` after []
                shop@3 has it and the environment does not
            0 create network.n cost 0 blast 2 undo `delete what was made` after []
                shop@3 has it and the environment does not
            1 create postgresql.main cost 40 blast 1 undo `delete what was made` after [network.n]
                shop@3 has it and the environment does not
            2 create vm.web cost 20 blast 0 undo `delete what was made` after [postgresql.main]
                shop@3 has it and the environment does not
            = 60 and 1 unknown
        "#]],
    );
}

#[test]
fn changes_replacements_and_deletions() {
    let mut setting = Setting::new("prod");
    setting.kinds.0.get_mut("postgresql").unwrap().replace_on.insert(path("zone"));
    setting.state = state(
        "prod",
        json!({"vm.web": {"cpu": 2, "db": "ip of postgresql.main"}, "postgresql.main": {"cpu": 4, "zone": "a"},
               "vm.old": {"cpu": 1, "net": "${network.old.id}"}, "network.old": {}, "vm.same": {"cpu": 1}}),
    );
    setting.state.resources.get_mut(&address("vm.web")).unwrap().needs = [address("postgresql.main")].into();
    setting.blueprint = blueprint(
        "4",
        json!({"vm.web": {"cpu": 2, "db": "${postgresql.main.out.ip}"}, "postgresql.main": {"cpu": 4, "zone": "b"},
               "vm.same": {"cpu": 1}}),
    );
    setting.environment.write(set("vm.web", "cpu", json!(8), Writer::People)).unwrap();
    check(
        &setting,
        expect![[r#"
            0 replace postgresql.main cost 0 blast 1 undo `make it anew; its data stay lost without a backup` after []
                zone: shop@4 says so
                zone cannot be changed in place, so the postgresql is made anew
            0 delete vm.old cost -10 blast 0 undo `make it anew as it was` after []
                shop@4 does not have it
            1 delete network.old cost 0 blast 1 undo `make it anew as it was` after [vm.old]
                shop@4 does not have it
            1 update vm.web cost 60 blast 0 undo `set the fields back` after [postgresql.main]
                cpu: override of ada: because
                db: shop@4 says so
            = 50 and 0 unknown
        "#]],
    );
}

#[test]
fn a_scope_brings_what_it_needs_and_leaves_the_rest() {
    let mut setting = Setting::new("prod");
    setting.blueprint =
        blueprint("1", json!({"vm.a": {"cpu": 1, "net": "${network.n.id}"}, "network.n": {}, "vm.b": {"cpu": 5}}));
    setting.scope = Some([address("vm.a")].into());
    let plan = setting.plan().unwrap();
    let names: Vec<String> = plan.steps.iter().map(|s| s.address.to_string()).collect();
    assert_eq!(names, ["network.n", "vm.a"]);
    setting.scope = Some([address("vm.x")].into());
    assert_eq!(setting.plan(), Err(PlanError::NotInScope(address("vm.x"))));
}

#[test]
fn what_cannot_be_planned_says_why() {
    let check = |resources: Value, expected: &str| {
        let mut setting = Setting::new("prod");
        setting.blueprint = blueprint("1", resources);
        let error = setting.plan().unwrap_err();
        let source = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
        assert_eq!(format!("{error}{source}"), expected);
    };
    check(json!({"vm.a": {"x": "${vm.b.out.ip}"}}), "vm.a needs vm.b, which is not wanted");
    check(
        json!({"vm.a": {"x": "${vm.b.id}"}, "vm.b": {"x": "${vm.a.id}"}}),
        "order resources: these need each other: vm.a -> vm.b -> vm.a",
    );
    let mut setting = Setting::new("prod");
    setting.state.environment = "dev".to_owned();
    assert!(matches!(setting.plan(), Err(PlanError::OtherEnvironment { .. })));
}

#[test]
fn destroying_is_confirmed_and_protection_holds() {
    let mut setting = Setting::new("prod");
    setting.state = state("prod", json!({"vm.a": {"net": "${network.n.id}"}, "network.n": {}}));
    let destroy = |setting: &Setting, confirmed: &str| {
        let goal = Goal::Destroy { environment: &setting.environment, confirmed };
        plan(&Inputs { goal, ..setting.inputs() })
    };
    let steps = destroy(&setting, "prod").unwrap().steps;
    let shown: Vec<String> = steps.iter().map(|s| format!("{} {}", s.action, s.address)).collect();
    assert_eq!(shown, ["delete vm.a", "delete network.n"]);
    assert!(matches!(destroy(&setting, "Prod"), Err(PlanError::Unconfirmed { .. })));
    setting.environment.is_protected = true;
    assert_eq!(destroy(&setting, "prod"), Err(PlanError::Protected("prod".to_owned())));
}

/// What the blueprint never mentioned is told by the cloud: taken back or not, it is not Grid's to remove.
#[test]
fn taking_back_owns_no_more_than_before() {
    let web = address("vm.web");
    let mut setting = Setting::new("prod");
    setting.state = state("prod", json!({"vm.web": {"cpu": 1, "told": "by the cloud"}}));
    let own = |setting: &Setting| setting.state.resources[&web].managed.clone();
    setting.state.resources.get_mut(&web).unwrap().managed = [path("cpu")].into();
    setting.blueprint = blueprint("1", json!({"vm.web": {"cpu": 2}}));
    let plan = setting.plan().unwrap();
    applied(&plan, &mut setting.state, usize::MAX);
    let undo = setting.undo(&plan);
    applied(&undo, &mut setting.state, usize::MAX);
    assert_eq!(own(&setting), [path("cpu")].into());
    setting.blueprint = blueprint("1", json!({"vm.web": {"cpu": 1}}));
    assert!(setting.plan().unwrap().is_empty(), "{:?}", setting.plan().unwrap().steps);
}

#[test]
fn what_a_policy_owns_is_no_difference() {
    let mut setting = Setting::new("prod");
    setting.blueprint = blueprint("1", json!({"autoscaling_group.web": {"min": 1, "desired": 2}}));
    setting.state = state("prod", json!({"autoscaling_group.web": {"min": 1, "desired": 7}}));
    assert_eq!(setting.plan().unwrap().steps.len(), 1);
    setting.environment.owned.insert((address("autoscaling_group.web"), path("desired")), "p".to_owned());
    assert!(setting.plan().unwrap().is_empty());
    setting.decisions = vec![set("autoscaling_group.web", "desired", json!(9), Writer::Scaling("p".to_owned()))];
    assert_eq!(setting.plan().unwrap().steps.len(), 1);
    setting.decisions = vec![set("autoscaling_group.web", "desired", json!(9), Writer::Recommendation("r".to_owned()))];
    assert!(matches!(setting.plan(), Err(PlanError::Effective(EffectiveError::Conflicts(_)))));
}

/// Nested objects of few keys, so that they meet.
pub(crate) fn fields_strategy() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0..4_i64).prop_map(Value::from),
        Just(json!("$${x} ${no")),
        Just(json!("${vm.a0.id}")),
        Just(json!(null)),
        Just(json!([1, "a"])),
        Just(json!({})),
    ];
    let nested = prop_oneof![
        3 => leaf.clone(),
        1 => proptest::collection::btree_map("[a-b]", leaf, 1..3).prop_map(|m| Value::Object(m.into_iter().collect())),
    ];
    proptest::collection::btree_map("[a-d]|cpu", nested, 0..5).prop_map(|m| Value::Object(m.into_iter().collect()))
}

/// Resources without references: `KIND.aN` with fields.
fn world() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let plain = fields_strategy().prop_map(|mut v| {
        // What is random must not refer to what is not there.
        let text = v.to_string().replace("${", "$").replace("vm.a0", "x");
        v = serde_json::from_str(&text).unwrap();
        v
    });
    let kinds = prop_oneof![Just("vm"), Just("postgresql"), Just("firewall"), Just("unheard_of")];
    proptest::collection::btree_map((kinds, 0..6_u8).prop_map(|(k, n)| format!("{k}.a{n}")), plain, 0..9)
}

/// Lets resources refer to ones before them in the order of names.
fn tied(world: &BTreeMap<String, Value>, ties: &[(usize, usize)]) -> Value {
    let mut all = world.clone();
    let names: Vec<String> = all.keys().cloned().collect();
    for (a, b) in ties {
        if names.is_empty() {
            break;
        }
        let (a, b) = (a % names.len(), b % names.len());
        if b < a {
            all.get_mut(&names[a]).unwrap()["tie"] = json!(format!("${{{}.out.ip}}", names[b]));
        }
    }
    Value::Object(all.into_iter().collect())
}

fn setting(first: &BTreeMap<String, Value>, then: &BTreeMap<String, Value>, ties: &[(usize, usize)]) -> Setting {
    let mut setting = Setting::new("prod");
    setting.kinds.0.get_mut("vm").unwrap().replace_on.insert(path("a"));
    setting.blueprint = blueprint("1", tied(first, ties));
    let plan = setting.plan().unwrap();
    applied(&plan, &mut setting.state, usize::MAX);
    setting.blueprint = blueprint("2", tied(then, ties));
    setting
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_plan_that_was_applied_leaves_nothing_to_do_and_can_be_taken_back(
        (first, then) in (world(), world()),
        ties in proptest::collection::vec((0..9_usize, 0..9_usize), 0..6),
        cut in 0..12_usize,
    ) {
        let mut setting = setting(&first, &then, &ties);
        let before = setting.state.clone();
        let plan = setting.plan().unwrap();
        prop_assert_eq!(&plan, &setting.plan().unwrap());
        // Everything comes after what it waits for.
        let mut done = BTreeSet::new();
        for step in &plan.steps {
            prop_assert!(step.after_steps.is_subset(&done));
            done.insert(step.address.clone());
        }
        // Cut short and taken back, everything is as it was.
        let mut whole = setting.state.clone();
        applied(&plan, &mut whole, usize::MAX);
        applied(&plan, &mut setting.state, cut);
        let undo = setting.undo(&plan);
        prop_assert_eq!(undo.parent, Some(plan.id));
        applied(&undo, &mut setting.state, usize::MAX);
        for (address, old) in &before.resources {
            prop_assert_eq!(setting.state.resources.get(address).map(|o| &o.fields), Some(&old.fields));
        }
        prop_assert_eq!(setting.state.resources.len(), before.resources.len());
        // Gone through, there is nothing left.
        setting.state = whole;
        let again = setting.plan().unwrap();
        prop_assert!(again.is_empty(), "{:?}", again.steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    /// The bar: of 10,000 plans whose inputs change or do not, none is applied that is stale, and all others are.
    fn stale_plans(
        (first, then) in (world(), world()),
        change in 0..12_u8,
        seed in 0..4_u8,
    ) {
        let mut setting = setting(&first, &then, &[]);
        let plan = setting.plan().unwrap();
        let book = ["per cpu", "another book"];
        let mut at = 0;
        let target = setting.blueprint.resources.keys().nth(usize::from(seed)).cloned();
        let expected = match (change, target) {
            (0, _) => Some(Input::State).filter(|_| {
                let serial = setting.state.serial;
                let extra = Observed { id: format!("x{seed}"), ..Observed::default() };
                setting.state.commit("somebody", serial, [(address("vm.extra"), Some(extra))]).unwrap();
                true
            }),
            (1, Some(a)) => {
                setting.environment.write(set(&a.to_string(), "cpu", json!(99 + seed), Writer::People)).unwrap();
                Some(Input::Overrides)
            }
            (2, Some(a)) => {
                setting.decisions.push(set(&a.to_string(), "cpu", json!(seed), Writer::Scaling("p".to_owned())));
                Some(Input::Decisions)
            }
            (3, _) => {
                setting.blueprint.revision.push('x');
                Some(Input::Blueprint)
            }
            // A revision that was used twice.
            (4, Some(a)) => {
                setting.blueprint.resources.get_mut(&a).unwrap().fields.set(&path("new"), &json!(seed));
                Some(Input::Blueprint)
            }
            (5, _) => {
                at = 1;
                Some(Input::Prices)
            }
            (6, _) => {
                setting.kinds.0.get_mut("vm").unwrap().replace_on.insert(path("b"));
                Some(Input::Kinds)
            }
            (7, Some(a)) => {
                setting.scope = Some([a].into());
                Some(Input::Scope)
            }
            (8, _) => {
                setting.state.serial += 1;
                Some(Input::State)
            }
            (9, _) => {
                setting.environment.budget = Some(Amount(1));
                Some(Input::Overrides)
            }
            _ => None,
        };
        struct Book(&'static str);
        impl Prices for Book {
            fn book(&self) -> String {
                self.0.to_owned()
            }
            fn currency(&self) -> Currency {
                PerCpu.currency()
            }
            fn monthly(&self, address: &Address, fields: &Fields) -> Cost {
                PerCpu.monthly(address, fields)
            }
        }
        let prices = Book(book[at]);
        let answer = plan.current(&Inputs { prices: &prices, ..setting.inputs() });
        match expected {
            Some(input) => prop_assert_eq!(answer.map(|_| ()), Err(Stale { plan: plan.id, changed: vec![input] })),
            None => prop_assert!(answer.is_ok()),
        }
    }
}

#[test]
fn no_stale_plan_is_applied() {
    stale_plans();
    figure("stale_plans", "0 of 10,000 plans are applied whose inputs have changed; each refusal names the input");
}

/// Notes the figure of a bar where the scorecard collects them.
pub(crate) fn figure(bar: &str, measured: &str) {
    use std::io::Write as _;
    let Some(path) = std::env::var_os("GRID_FIGURES") else { return };
    let line = json!({ "bar": bar, "measured": measured, "pass": true });
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}
