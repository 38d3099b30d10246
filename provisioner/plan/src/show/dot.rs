//! A plan as a graph in the language of Graphviz: what is drawn above is done after what it points to.

use std::fmt::Write as _;

use crate::plan::{Action, Plan};

use super::money;

/// The graph, with a line break at its end. Waves lie on one height.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph plan {\n  rankdir = BT;\n  node [shape = box, style = filled];\n");
    let waves = plan.steps.iter().map(|s| s.wave + 1).max().unwrap_or(0);
    for wave in 0..waves {
        out.push_str("  { rank = same;\n");
        for step in plan.steps.iter().filter(|s| s.wave == wave) {
            let colour = match step.action {
                Action::Create => "palegreen",
                Action::Update => "lightyellow",
                Action::Replace => "orange",
                Action::Delete => "lightpink",
            };
            let cost = quoted(&money(&step.cost, &plan.currency.0));
            let (address, action) = (&step.address, step.action);
            let _ = writeln!(out, "    \"{address}\" [label = \"{action} {address}\\n{cost}\", fillcolor = {colour}];");
        }
        out.push_str("  }\n");
    }
    for step in &plan.steps {
        for before in &step.after_steps {
            let _ = writeln!(out, "  \"{}\" -> \"{before}\";", step.address);
        }
    }
    out.push_str("}\n");
    out
}

/// A currency is anything; an address needs no quoting.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
