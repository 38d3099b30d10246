//! The bar: a plan of 5,000 resources in less than a second.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use grid_model::Currency;
use grid_plan::cost::NoPrices;
use grid_plan::environment::{Blueprint, Environment, Resource};
use grid_plan::kinds::Kinds;
use grid_plan::lint::{Bounds, lint};
use grid_plan::plan::{Goal, Inputs, plan};
use grid_plan::state::{Observed, State};
use grid_plan::{Address, Fields};
use serde_json::json;

const RESOURCES: usize = 5_000;
const LIMIT: Duration = Duration::from_secs(1);

#[test]
fn a_large_plan_is_made_in_a_second() {
    let count = RESOURCES;
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
    let best = (0..3)
        .map(|_| {
            let start = Instant::now();
            let made = plan(&inputs).unwrap();
            let found = lint(&made, &kinds, &Bounds::default());
            assert!(made.current(&inputs).is_ok() && !found.is_empty());
            (start.elapsed(), made.steps.len())
        })
        .min()
        .unwrap();
    let measured =
        format!("{RESOURCES} resources, {} steps, with lint and stale check: {:.2} s", best.1, best.0.as_secs_f64());
    println!("{measured}");
    // A machine that others use is no measure: where the scorecard looks, it must hold.
    let Some(path) = std::env::var_os("GRID_FIGURES") else { return };
    let line = json!({ "bar": "plan_speed", "measured": measured, "pass": best.0 < LIMIT });
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}
