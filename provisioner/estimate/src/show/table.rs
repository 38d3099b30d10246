//! A tree in plain text for a terminal.

use std::fmt::Write;

use grid_model::Currency;

use super::{lacking, money, quantity, total};
use crate::compare::{Change, Comparison};
use crate::estimate::{Estimate, Line, Monthly, Priced, Status};

/// The estimate: resources with their components, what is free, unsupported or unknown, the total and the notes.
pub fn table(estimate: &Estimate) -> String {
    let mut rows: Vec<[String; 4]> = vec![["Name".into(), "Monthly qty".into(), "Unit".into(), "Monthly cost".into()]];
    for resource in &estimate.resources {
        let Status::Estimated(priced) = &resource.status else { continue };
        rows.push([resource.address.clone(), String::new(), String::new(), total(&resource.total, &estimate.currency)]);
        tree(priced, "  ", &estimate.currency, &mut rows);
    }
    rows.push(["Total".into(), String::new(), String::new(), total(&estimate.total, &estimate.currency)]);
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    for [name, qty, unit, cost] in &rows {
        let line = format!("{name:<0$}  {qty:>1$}  {unit:<2$}  {cost:>3$}", widths[0], widths[1], widths[2], widths[3]);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&summary(estimate));
    text
}

fn tree(priced: &Priced, indent: &str, currency: &Currency, rows: &mut Vec<[String; 4]>) {
    for line in &priced.lines {
        let qty = line.component.quantity.0.map(quantity).unwrap_or_default();
        rows.push([format!("{indent}{}", line.component.name), qty, line.component.unit.clone(), cost(line, currency)]);
    }
    for (name, part) in &priced.parts {
        rows.push([format!("{indent}{name}"), String::new(), String::new(), String::new()]);
        tree(part, &format!("{indent}  "), currency, rows);
    }
}

/// The cost of a line in words: an amount, `unknown`, or what one unit costs where usage decides.
pub(super) fn cost(line: &Line, currency: &Currency) -> String {
    match (line.monthly, line.price) {
        (Monthly::Known(amount), _) => money(amount, currency),
        (Monthly::Unknown, _) => "unknown".to_owned(),
        (Monthly::Unset, Some(price)) => format!("by usage: {price} {} per {}", currency.0, line.component.unit),
        (Monthly::Unset, None) => "by usage: price unknown".to_owned(),
    }
}

/// What stands below a total: counts, what could not be estimated and why, and notes.
pub(super) fn summary(estimate: &Estimate) -> String {
    let mut text = String::new();
    let estimated = estimate.count(|s| matches!(s, Status::Estimated(_)));
    let free = estimate.count(|s| matches!(s, Status::Free));
    let _ = writeln!(text, "\n{} resources: {estimated} estimated, {free} free", estimate.resources.len());
    let lacking = lacking(&estimate.total);
    if !lacking.is_empty() {
        let _ = writeln!(text, "not in the total: {lacking}");
    }
    for resource in &estimate.resources {
        let _ = match &resource.status {
            Status::Unsupported(why) => writeln!(text, "unsupported: {}: {why}", resource.address),
            Status::Unknown(attribute) => {
                writeln!(text, "unknown: {}: {attribute} is known only after apply", resource.address)
            }
            _ => Ok(()),
        };
    }
    for note in &estimate.notes.told {
        let _ = writeln!(text, "note: {note}");
    }
    if estimate.notes.more > 0 {
        let _ = writeln!(text, "note: and {} more", estimate.notes.more);
    }
    text
}

/// What changes between two estimates: a line per resource that differs, and the totals.
pub fn comparison(before: &Estimate, after: &Estimate, comparison: &Comparison<'_>) -> String {
    let currency = &after.currency;
    let mut rows: Vec<[String; 4]> = Vec::new();
    for (address, pair) in comparison.pairs.iter().filter(|(_, p)| p.change != Change::Same) {
        let side = |e: Option<&crate::estimate::Estimated>| e.map_or("-".to_owned(), |e| total(&e.total, currency));
        let sign = match pair.change {
            Change::Added => "+",
            Change::Removed => "-",
            _ => "~",
        };
        rows.push([
            format!("{sign} {address}"),
            side(pair.before),
            side(pair.after),
            signed(pair.difference, pair.certain, currency),
        ]);
    }
    rows.insert(0, ["Name".into(), "Before".into(), "After".into(), "Difference".into()]);
    let (old, new) = (total(&before.total, currency), total(&after.total, currency));
    rows.push(["Total".into(), old, new, signed(comparison.difference, comparison.certain, currency)]);
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let lines = rows.iter().map(|[name, before, after, difference]| {
        format!("{name:<0$}  {before:>1$}  {after:>2$}  {difference:>3$}\n", widths[0], widths[1], widths[2], widths[3])
    });
    let mut text: String = lines.collect();
    text.push_str(&summary(after));
    text
}

/// A difference with its sign; `unknown` where a side of it is.
pub(super) fn signed(difference: grid_model::Amount, certain: bool, currency: &Currency) -> String {
    let sign = if difference.0 > 0 { "+" } else { "" };
    let known = format!("{sign}{}", money(difference, currency));
    if certain { known } else { format!("unknown (known parts {known})") }
}
