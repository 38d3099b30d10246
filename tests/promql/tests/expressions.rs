//! Expressions of real rules and dashboards: each parses to Prometheus' own tree, and what is printed of it parses to the same tree.

use std::io::Read as _;

use grid_promql_syntax::{Features, parse, prettify, to_json};
use grid_tests::{figure, shared_data, skip};
use serde_json::Value;

/// A tree whose matchers are in order: they are printed so, and mean the same in any.
fn sorted(mut tree: Value) -> Value {
    match &mut tree {
        Value::Object(members) => {
            if let Some(Value::Array(matchers)) = members.get_mut("matchers") {
                matchers.sort_by_key(Value::to_string);
            }
            members.values_mut().for_each(|member| *member = sorted(member.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = sorted(item.take())),
        _ => {}
    }
    tree
}

/// What is wrong with an expression, against the tree that Prometheus made of it.
fn wrong(text: &str, tree: &Value) -> Option<String> {
    let read = |text: &str| parse(text, &Features::default()).map_err(|e| e.to_string());
    let check = || {
        let expr = read(text)?;
        if to_json(&expr) != *tree {
            return Err(format!("is {}, of Prometheus {tree}", to_json(&expr)));
        }
        let wanted = sorted(tree.clone());
        for printed in [expr.to_string(), prettify(&expr)] {
            if sorted(to_json(&read(&printed)?)) != wanted {
                return Err(format!("printed as {printed}, it is another tree"));
            }
        }
        Ok(())
    };
    check().err().map(|why| format!("{text}: {why}"))
}

#[test]
fn real_expressions_are_read_and_printed() -> anyhow::Result<()> {
    let Some(shared) = shared_data() else { return skip("promql_expressions", "no shared data (GRID_SHARED_DATA)") };
    let mut lines = String::new();
    let file = std::fs::File::open(shared.join("promql/real_exprs.jsonl.gz"))?;
    flate2::read::GzDecoder::new(file).read_to_string(&mut lines)?;
    let (mut all, mut failures) = (0, Vec::new());
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line)?;
        all += 1;
        failures.extend(wrong(case["expr"].as_str().unwrap_or_default(), &case["ast"]));
    }
    let measured = format!("{} of {all} parse to Prometheus' tree, and again when printed", all - failures.len());
    let held = figure("promql_expressions", failures.is_empty() && all > 1000, measured);
    assert!(held, "{}", failures.join("\n"));
    Ok(())
}
