//! A comment for a pull request.

use std::fmt::Write;

use super::table::{cost, signed, summary};
use super::{lacking, quantity, total};
use crate::compare::{Change, Comparison};
use crate::estimate::{Estimate, Priced, Status};

/// The estimate, and what it changes if there is something to compare with.
pub fn markdown(estimate: &Estimate, change: Option<(&Estimate, &Comparison<'_>)>) -> String {
    let currency = &estimate.currency;
    let mut text = String::new();
    let sum = total(&estimate.total, currency);
    match change {
        Some((before, comparison)) => {
            let difference = signed(comparison.difference, comparison.certain, currency);
            let _ = writeln!(text, "### Monthly cost: {} -> {sum} ({difference})\n", total(&before.total, currency));
            let _ = writeln!(text, "| | resource | before | after | difference |\n|---|---|---:|---:|---:|");
            for (address, pair) in comparison.pairs.iter().filter(|(_, p)| p.change != Change::Same) {
                let side =
                    |e: Option<&crate::estimate::Estimated>| e.map_or("-".to_owned(), |e| total(&e.total, currency));
                let sign = match pair.change {
                    Change::Added => "+",
                    Change::Removed => "-",
                    _ => "~",
                };
                let difference = signed(pair.difference, pair.certain, currency);
                let (old, new) = (side(pair.before), side(pair.after));
                let _ = writeln!(text, "| {sign} | `{}` | {old} | {new} | {difference} |", cell(address));
            }
        }
        None => {
            let _ = writeln!(text, "### Monthly cost: {sum}\n");
        }
    }
    let lacking = lacking(&estimate.total);
    if !lacking.is_empty() {
        let _ = writeln!(text, "\nNot in the total: {lacking}.");
    }
    let _ = writeln!(text, "\n<details><summary>Components</summary>\n");
    let _ = writeln!(text, "| resource | component | quantity | unit | monthly cost |\n|---|---|---:|---|---:|");
    for resource in &estimate.resources {
        if let Status::Estimated(priced) = &resource.status {
            components(&resource.address, "", priced, estimate, &mut text);
        }
    }
    let _ = writeln!(text, "\n</details>\n");
    let _ = writeln!(text, "```\n{}\n```", summary(estimate).trim().replace("```", "'''"));
    text
}

fn components(address: &str, path: &str, priced: &Priced, estimate: &Estimate, text: &mut String) {
    for line in &priced.lines {
        let quantity = line.component.quantity.0.map(quantity).unwrap_or_default();
        let (name, unit) = (cell(&format!("{path}{}", line.component.name)), cell(&line.component.unit));
        let cost = cost(line, &estimate.currency);
        let _ = writeln!(text, "| `{}` | {name} | {quantity} | {unit} | {cost} |", cell(address));
    }
    for (name, part) in &priced.parts {
        components(address, &format!("{path}{name} / "), part, estimate, text);
    }
}

/// A bar or line break would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '`'], " ")
}
