//! Prints how long a plan takes: `cargo run --release -p grid-plan --example plan_speed [RESOURCES]`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a program that prints figures")]

use std::collections::BTreeMap;
use std::time::Instant;

use grid_model::Currency;
use grid_plan::cost::NoPrices;
use grid_plan::environment::{Blueprint, Environment, Resource};
use grid_plan::kinds::Kinds;
use grid_plan::lint::{Bounds, lint};
use grid_plan::plan::{Goal, Inputs, plan};
use grid_plan::state::{Observed, State};
use grid_plan::{Address, Fields};
use serde_json::json;

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(5_000);
    let kinds = Kinds::roles();
    let names: Vec<&String> = kinds.0.keys().collect();
    let address = |n: usize| Address::new(names[n % names.len()], &format!("r{n}")).unwrap();
    let mut blueprint = Blueprint { name: "large".to_owned(), revision: "1".to_owned(), resources: BTreeMap::new() };
    let mut state = State { environment: "prod".to_owned(), serial: 1, ..State::default() };
    for n in 0..count {
        let needs = [n / 2, n / 3].into_iter().filter(|m| *m < n).map(|m| format!("${{{}.out.id}}", address(m)));
        let fields = json!({"name": format!("r{n}"), "size": {"cpu": n % 16, "memory": n % 64}, "zones": ["a", "b"],
            "tags": {"team": "shop", "cost": "x"}, "needs": needs.collect::<Vec<_>>(), "image": format!("v{}", n % 7)});
        let fields = Fields::of_json(&fields);
        // A third is new, a third differs, a third is as it should be; and some are to go.
        if n % 3 > 0 {
            let mut there = fields.clone();
            if n % 3 == 1 {
                there.set(&grid_plan::Path::parse("image").unwrap(), &json!("v0"));
            }
            let managed = there.iter().map(|(p, _)| p.clone()).collect();
            let needs = fields.references();
            let observed = Observed { id: format!("id-{n}"), fields: there, managed, needs, ..Observed::default() };
            state.resources.insert(address(n), observed);
        }
        let old = Observed { id: format!("old-{n}"), ..Observed::default() };
        if n % 10 == 0 {
            state.resources.insert(Address::new("vm", &format!("old{n}")).unwrap(), old);
        }
        blueprint.resources.insert(address(n), Resource { fields, ..Resource::default() });
    }
    let environment = Environment { name: "prod".to_owned(), ..Environment::default() };
    let prices = NoPrices(Currency("EUR".to_owned()));
    let goal = Goal::Blueprint { blueprint: &blueprint, environment: &environment, decisions: &[] };
    let inputs = Inputs { goal, state: &state, kinds: &kinds, prices: &prices, scope: None };
    for _ in 0..5 {
        let start = Instant::now();
        let plan = plan(&inputs).unwrap();
        let planned = start.elapsed();
        let found = lint(&plan, &kinds, &Bounds::default());
        let is_current = plan.current(&inputs).is_ok();
        println!(
            "{count} resources, {} steps, planned in {:.3} s; with lint ({} findings) and stale check ({is_current}) {:.3} s",
            plan.steps.len(),
            planned.as_secs_f64(),
            found.len(),
            start.elapsed().as_secs_f64()
        );
    }
}
