//! What people forbid in the plans of an environment, as expressions of CEL (Common Expression Language, github.com/google/cel-spec).
//!
//! A check says what must hold of every resource that a plan makes or changes. What does not hold is a finding of the second opinion; one of weight `error`
//! keeps the plan from being released. An expression that cannot be evaluated holds nothing: it is an error, and never passes.

use std::borrow::Cow;

use cel::{Context, Program, Value as Answer};
use grid_plan::cost::Cost;
use grid_plan::lint::{Finding, Severity};
use grid_plan::plan::{Plan, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::DeskError;
use crate::limits::{CHECK_BYTES_MAX, CHECK_LOOPS_MAX, CHECKS_MAX};

/// What the codes of their findings begin with.
const CODE: &str = "check:";
/// What an expression knows.
const VARIABLES: [&str; 2] = ["resource", "environment"];
/// Names that go through a list, of which each multiplies the work.
const LOOPS: [&str; 6] = ["all", "exists", "exists_one", "existsOne", "map", "filter"];

/// What becomes of a plan for which a check does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// It is told.
    Warn,
    /// It is not released.
    #[default]
    Error,
}

/// A check, as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Its name: letters, digits, `-`.
    pub name: String,
    /// Kinds of resources that it is for; empty for all.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// What must hold, over `resource` (`kind`, `name`, `action`, `fields`, `before`, `adds`) and `environment` (`name`, `cloud`, `region`, `protected`).
    pub must: String,
    /// What becomes of the plan if it does not.
    #[serde(default)]
    pub weight: Weight,
    /// What people are told then.
    pub says: String,
}

/// Refuses what cannot be read, saying where.
pub(crate) fn read(checks: &[Check]) -> Result<(), DeskError> {
    if checks.len() > CHECKS_MAX {
        return Err(DeskError::TooMany { what: "checks", max: CHECKS_MAX });
    }
    for (place, check) in checks.iter().enumerate() {
        let name = &check.name;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || name.len() > 63 || !name.chars().all(is_plain) {
            return Err(DeskError::Bad(format!("a check is named by up to 63 letters, digits and `-`, not {name:?}")));
        }
        if checks[..place].iter().any(|other| other.name == *name) {
            return Err(DeskError::Bad(format!("two checks have the name {name}")));
        }
        if check.must.len() > CHECK_BYTES_MAX || check.says.len() > CHECK_BYTES_MAX {
            return Err(DeskError::Bad(format!(
                "check {name}: an expression, and what it says, have at most {CHECK_BYTES_MAX} bytes"
            )));
        }
        let program = Program::compile(&check.must).map_err(|e| DeskError::Bad(format!("check {name}: {e}")))?;
        let loops = loops(&check.must);
        if loops.len() > CHECK_LOOPS_MAX {
            let names = LOOPS.join(", ");
            return Err(DeskError::Bad(format!(
                "check {name}: at most {CHECK_LOOPS_MAX} calls of {names} in one expression"
            )));
        }
        let references = program.references();
        let mut unknown = references.variables();
        unknown.retain(|v| !VARIABLES.contains(v) && !loops.contains(v));
        if !unknown.is_empty() {
            let (names, known) = (unknown.join(", "), VARIABLES.join(" and "));
            return Err(DeskError::Bad(format!("check {name}: there is no {names}: a check knows {known}")));
        }
    }
    Ok(())
}

/// The variables of calls that go through lists, one per call.
fn loops(text: &str) -> Vec<&str> {
    let calls = LOOPS.iter().flat_map(|name| {
        let after = |(at, _)| text.get(at + 1 + name.len()..)?.trim_start().strip_prefix('(');
        text.match_indices(&format!(".{name}")).filter_map(after).collect::<Vec<&str>>()
    });
    let is_named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    calls.map(|rest| rest.trim_start()).map(|rest| rest.split(|c| !is_named(c)).next().unwrap_or_default()).collect()
}

/// What checks say of a plan.
pub(crate) fn judge(checks: &[Check], plan: &Plan, environment: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    for check in checks {
        let program = Program::compile(&check.must);
        for step in
            plan.steps.iter().filter(|s| check.kinds.is_empty() || check.kinds.iter().any(|k| k == s.address.kind()))
        {
            let holds = match &program {
                Ok(program) => holds(program, step, environment),
                Err(e) => Err(e.to_string()),
            };
            let severity = if check.weight == Weight::Error { Severity::Error } else { Severity::Warning };
            let (severity, text) = match holds {
                Ok(true) => continue,
                Ok(false) => (severity, check.says.clone()),
                Err(why) => (Severity::Error, format!("it cannot be evaluated: {why}")),
            };
            found.push(Finding {
                severity,
                code: Cow::Owned(format!("{CODE}{}", check.name)),
                address: Some(step.address.clone()),
                text,
            });
        }
    }
    found
}

/// What keeps a plan from being released, in words.
pub(crate) fn forbids(findings: &[Finding]) -> Option<String> {
    let grave = findings.iter().filter(|f| f.severity == Severity::Error && f.code.starts_with(CODE));
    let words: Vec<String> = grave
        .map(|f| {
            let address = f.address.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} of {address}: {}", f.code.replacen(CODE, "check ", 1), f.text)
        })
        .collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn holds(program: &Program, step: &Step, environment: &Value) -> Result<bool, String> {
    let before = step.before.as_ref().map(|b| b.fields.to_json());
    // Of what is deleted, what was there is looked at.
    let fields = step.after.as_ref().map(|f| f.to_json()).or_else(|| before.clone());
    let adds = match &step.cost {
        Cost::Known(range) => range.likely.to_string().parse().map_or(Value::Null, |adds: f64| json!(adds)),
        Cost::Unknown(_) => Value::Null,
    };
    let resource = json!({
        "kind": step.address.kind(),
        "name": step.address.name(),
        "action": step.action.name(),
        "fields": fields.unwrap_or(json!({})),
        "before": before.unwrap_or(json!({})),
        "adds": adds,
    });
    let mut context = Context::default();
    context.add_variable("resource", &resource).map_err(|e| e.to_string())?;
    context.add_variable("environment", environment).map_err(|e| e.to_string())?;
    match program.execute(&context) {
        Ok(Answer::Bool(holds)) => Ok(holds),
        Ok(other) => Err(format!("it answers {:?}, not true or false", other.type_of())),
        Err(e) => Err(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(must: &str) -> Check {
        Check { name: "c".into(), kinds: Vec::new(), must: must.into(), weight: Weight::Error, says: "no".into() }
    }

    #[test]
    fn checks_are_read_before_they_are_kept() {
        let long = format!("true || {}", "true || ".repeat(1000) + "true");
        for (must, expected) in [
            ("resource.kind != 'vm'", ""),
            ("!has(resource.fields.public) || resource.fields.public == false", ""),
            ("resource.fields.rules.all(r, r.ports.all(p, p != 22))", ""),
            ("resource.kind ==", "check c:"),
            ("request.kind == 'vm'", "there is no request"),
            ("[1].all(a, [1].all(b, [1].all(c, true)))", "at most 2 calls"),
            (&long, "at most"),
        ] {
            let said = read(&[check(must)]).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(said.contains(expected) && expected.is_empty() == said.is_empty(), "{must}: {said}");
        }
        let said = read(&[check("true"), check("true")]).err().map(|e| e.to_string());
        assert_eq!(said.as_deref(), Some("two checks have the name c"));
        assert!(read(&[Check { name: "a b".into(), ..check("true") }]).is_err());
        assert!(read(&vec![check("true"); CHECKS_MAX + 1]).is_err());
    }
}
