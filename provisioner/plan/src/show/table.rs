//! A plan as text: one paragraph per step, in the order of what is done.

use std::fmt::Write as _;

use crate::cost::{Cost, Total};
use crate::diff::{After, FieldChange};
use crate::lint::Finding;
use crate::plan::{Action, Plan, Step};

use super::{money, range_text};

/// The text, with a line break at its end.
pub fn table(plan: &Plan, findings: &[Finding]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, plan, findings);
    out
}

fn write(out: &mut String, plan: &Plan, findings: &[Finding]) -> std::fmt::Result {
    let currency = &plan.currency.0;
    let id = plan.id.to_string();
    writeln!(out, "plan {} of {} for {}, from state {}", &id[..12], plan.blueprint, plan.environment, plan.serial)?;
    if let Some(parent) = plan.parent {
        writeln!(out, "takes back plan {}", &parent.to_string()[..12])?;
    }
    for step in &plan.steps {
        writeln!(out)?;
        write_step(out, step, currency)?;
    }
    writeln!(out)?;
    if plan.is_empty() {
        writeln!(out, "nothing to do")?;
    } else {
        let counts: Vec<String> = [Action::Create, Action::Update, Action::Replace, Action::Delete]
            .into_iter()
            .filter(|a| plan.count(*a) > 0)
            .map(|a| format!("{} to {a}", plan.count(a)))
            .collect();
        writeln!(out, "{}; {} unchanged", counts.join(", "), plan.unchanged.len())?;
    }
    writeln!(out, "monthly: {}", total(&plan.delta, currency))?;
    for note in &plan.notes {
        writeln!(out, "note: {note}")?;
    }
    for finding in findings {
        let about = finding.address.as_ref().map(|a| format!("{a}: ")).unwrap_or_default();
        writeln!(out, "{} {}: {about}{}", finding.severity.name(), finding.code, finding.text)?;
    }
    Ok(())
}

fn write_step(out: &mut String, step: &Step, currency: &str) -> std::fmt::Result {
    let sign = match step.action {
        Action::Create => "+",
        Action::Update => "~",
        Action::Replace => "-/+",
        Action::Delete => "-",
    };
    writeln!(out, "{sign} {}  ({}, wave {})", step.address, money(&step.cost, currency), step.wave)?;
    for change in &step.changes {
        let must = if change.replaces { "  # makes it anew" } else { "" };
        writeln!(out, "    {}: {}{must}", change.path, values(change))?;
    }
    for reason in &step.reasons {
        writeln!(out, "    because {reason}")?;
    }
    for link in &step.evidence {
        writeln!(out, "    see {link}")?;
    }
    if let Cost::Unknown(why) = &step.cost {
        writeln!(out, "    cost unknown: {why}")?;
    }
    if step.blast.count > 0 {
        let names: Vec<String> = step.blast.listed.iter().take(5).map(ToString::to_string).collect();
        let more = if step.blast.count > names.len() { ", ..." } else { "" };
        writeln!(out, "    touches {}: {}{more}", step.blast.count, names.join(", "))?;
    }
    writeln!(out, "    undo: {}", step.undo.text())
}

fn values(change: &FieldChange) -> String {
    if change.is_sensitive {
        return "(sensitive)".to_owned();
    }
    let after = match &change.after {
        After::Known(value) => value.to_string(),
        After::Unknown => "(known after apply)".to_owned(),
        After::Absent => "(none)".to_owned(),
    };
    match &change.before {
        Some(before) => format!("{before} -> {after}"),
        None => after,
    }
}

fn total(total: &Total, currency: &str) -> String {
    match total.unknown.len() {
        0 => range_text(total.known, currency),
        n => format!("{} and {n} of unknown cost", range_text(total.known, currency)),
    }
}
