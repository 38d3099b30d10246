//! A second opinion on a plan, by somebody who has not made it: what deletes data, opens doors, costs much or cannot be taken back.

use std::borrow::Cow;

use grid_model::Amount;
use serde_json::Value;

use crate::address::Address;
use crate::cost::Cost;
use crate::diff::After;
use crate::field::Path;
use crate::kinds::{Kinds, Role};
use crate::plan::{Action, Plan, Step};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// To know.
    Note,
    /// To look at before approving.
    Warning,
    /// Not to be approved without saying so.
    Error,
}

impl Severity {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// Its name, for those who silence it.
    pub code: Cow<'static, str>,
    /// The resource; `None` if it is about the plan.
    pub address: Option<Address>,
    /// What was found.
    pub text: String,
}

/// From when on a finding is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Money a month, in the plan's currency, beyond which a plan is a jump of costs.
    pub jump: Amount,
    /// What the environment may cost a month.
    pub budget: Option<Amount>,
    /// Dependents of one change beyond which it touches much.
    pub blast: usize,
    /// Share of all resources, in percent, beyond which deletions are many.
    pub deleted_percent: usize,
    /// Whether the environment is protected.
    pub is_protected: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        let jump = Amount(500 * 10_i128.pow(grid_model::money::SCALE));
        Self { jump, budget: None, blast: 25, deleted_percent: 20, is_protected: false }
    }
}

/// All findings, the heaviest first.
pub fn lint(plan: &Plan, kinds: &Kinds, bounds: &Bounds) -> Vec<Finding> {
    let mut found = Vec::new();
    for step in &plan.steps {
        destruction(step, kinds, bounds, &mut found);
        fields(step, kinds, &mut found);
        let mut say = |severity, code, text| {
            found.push(Finding { severity, code: Cow::Borrowed(code), address: Some(step.address.clone()), text })
        };
        if step.blast.count > bounds.blast && step.action != Action::Create {
            let text = format!("{} resources depend on it", step.blast.count);
            say(Severity::Warning, "wide-blast", text);
        }
        if let Cost::Unknown(why) = &step.cost {
            say(Severity::Warning, "unknown-cost", format!("nobody knows what it costs: {why}"));
        }
    }
    whole(plan, bounds, &mut found);
    found.sort_by(|a, b| (b.severity, &a.code, &a.address).cmp(&(a.severity, &b.code, &b.address)));
    found
}

fn destruction(step: &Step, kinds: &Kinds, bounds: &Bounds, found: &mut Vec<Finding>) {
    let role = kinds.role(step.address.kind());
    let mut say = |severity, code, text: &str| {
        let (address, text) = (Some(step.address.clone()), text.to_owned());
        found.push(Finding { severity, code: Cow::Borrowed(code), address, text });
    };
    let is_gone = matches!(step.action, Action::Delete | Action::Replace);
    if is_gone && step.is_protected {
        say(Severity::Error, "protected", "it is protected, and would be deleted");
    }
    match (role.is_stateful(), step.action) {
        (true, Action::Delete) if bounds.is_protected => {
            say(Severity::Error, "deletes-data", "it holds data in a protected environment, and would be deleted");
        }
        (true, Action::Delete) => say(Severity::Error, "deletes-data", "it holds data, and would be deleted"),
        (true, Action::Replace) if role == Role::Database => {
            say(Severity::Error, "replaces-database", "a database would be deleted and made anew, empty");
        }
        (true, Action::Replace) => {
            say(Severity::Error, "replaces-data", "it holds data, and would be made anew, empty")
        }
        (false, Action::Replace) => say(Severity::Warning, "replaces", "it is not there while it is made anew"),
        _ => {}
    }
}

fn fields(step: &Step, kinds: &Kinds, found: &mut Vec<Finding>) {
    let role = kinds.role(step.address.kind());
    let mut say = |severity, code, path: &Path, text: &str| {
        let (address, text) = (Some(step.address.clone()), format!("{path}: {text}"));
        found.push(Finding { severity, code: Cow::Borrowed(code), address, text });
    };
    for change in &step.changes {
        let after = match &change.after {
            After::Known(value) => Some(value),
            _ => None,
        };
        let (path, before) = (&change.path, change.before.as_ref());
        if widens(path, before, after) {
            say(Severity::Error, "opens-to-all", path, "everybody may reach it");
        } else if role == Role::Firewall && grows(before, after) && step.action != Action::Create {
            say(Severity::Warning, "widens-firewall", path, "more may reach it than before");
        } else if role == Role::Firewall && change.after == After::Unknown {
            say(Severity::Warning, "unknown-firewall", path, "who may reach it is only known after applying");
        }
        let last = path.keys().next_back().unwrap_or_default();
        let is_off = |name: &str| last.contains(name) && before == Some(&Value::Bool(true)) && after != before;
        if is_off("encrypt") {
            say(Severity::Error, "encryption-off", path, "it would not be encrypted any more");
        }
        if is_off("deletion_protection") {
            say(Severity::Warning, "protection-off", path, "it could be deleted afterwards");
        }
        let number = |v: Option<&Value>| v.and_then(Value::as_f64);
        if let (Some(b), Some(a)) = (number(before), number(after)) {
            if last.contains("retention") && a < b {
                say(Severity::Warning, "shorter-retention", path, "backups or data are kept for a shorter time");
            }
            if ["max", "desired", "replicas", "size", "count"].contains(&last) && b > 0.0 && a < b / 2.0 {
                say(Severity::Warning, "capacity-drop", path, "less than half of the capacity is left");
            }
        }
    }
}

fn whole(plan: &Plan, bounds: &Bounds, found: &mut Vec<Finding>) {
    let mut say =
        |severity, code, text| found.push(Finding { severity, code: Cow::Borrowed(code), address: None, text });
    let currency = &plan.currency.0;
    if plan.delta.known.likely > bounds.jump {
        let (is, may) = (plan.delta.known.likely, bounds.jump);
        say(Severity::Warning, "cost-jump", format!("it adds {is} {currency} a month, more than {may}"));
    }
    if let Some(budget) = bounds.budget {
        let Total { known, is_certain } = Total::of(plan);
        if known > budget {
            let text =
                format!("the environment would cost {known} {currency} a month, more than its budget of {budget}");
            say(Severity::Error, "over-budget", text);
        } else if !is_certain {
            let text = "whether it stays in its budget is not known: not everything has a price".to_owned();
            say(Severity::Warning, "budget-unknown", text);
        }
    }
    let deleted = plan.count(Action::Delete);
    let all = plan.unchanged.len() + plan.steps.iter().filter(|s| s.before.is_some()).count();
    if deleted > 1 && deleted * 100 > all * bounds.deleted_percent {
        say(Severity::Error, "many-deletions", format!("{deleted} of {all} resources would be deleted"));
    }
    let lost = plan.steps.iter().filter(|s| !s.undo.is_complete()).count();
    if lost > 0 {
        say(Severity::Warning, "no-way-back", format!("{lost} steps cannot be taken back completely"));
    }
}

/// What an environment will cost.
struct Total {
    known: Amount,
    is_certain: bool,
}

impl Total {
    fn of(plan: &Plan) -> Self {
        Self { known: plan.monthly.known.likely, is_certain: plan.monthly.unknown.is_empty() }
    }
}

/// Whether a field lets in everybody who was not let in before.
pub(crate) fn widens(path: &Path, before: Option<&Value>, after: Option<&Value>) -> bool {
    let last = path.keys().next_back().unwrap_or_default();
    let is_public = matches!(last, "public" | "publicly_accessible" | "public_access");
    if is_public && after == Some(&Value::Bool(true)) {
        return before != after;
    }
    let is_egress = path.keys().any(|k| k.contains("egress") || k.contains("outbound"));
    !is_egress && after.is_some_and(is_open) && !before.is_some_and(is_open)
}

/// Whether a value holds the network of all addresses somewhere.
fn is_open(value: &Value) -> bool {
    match value {
        Value::String(text) => matches!(text.trim(), "0.0.0.0/0" | "::/0"),
        Value::Array(list) => list.iter().any(is_open),
        Value::Object(map) => map.iter().any(|(key, v)| !key.contains("egress") && is_open(v)),
        _ => false,
    }
}

/// Whether a list has something that it did not have.
fn grows(before: Option<&Value>, after: Option<&Value>) -> bool {
    match (before, after) {
        (Some(Value::Array(before)), Some(Value::Array(after))) => after.iter().any(|v| !before.contains(v)),
        (Some(before), Some(after)) => before != after,
        (None, Some(_)) => true,
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::environment::tests::{blueprint, path};
    use crate::plan::tests::{Setting, state};
    use serde_json::json;

    fn check(before: Value, after: Value, expected: &[&str]) {
        let mut setting = Setting::new("prod");
        let kind = setting.kinds.0.get_mut("postgresql").unwrap();
        kind.replace_on.insert(path("zone"));
        setting.blueprint = blueprint("1", after);
        setting.state = state("prod", before);
        let budget = Some(Amount::parse("1000").unwrap().0);
        let found = lint(&setting.plan().unwrap(), &setting.kinds, &Bounds { budget, ..Bounds::default() });
        let shown: Vec<String> = found
            .into_iter()
            .map(|f| {
                format!("{} {} {}", f.severity.name(), f.code, f.address.map_or("-".to_owned(), |a| a.to_string()))
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_dangerous_is_found() {
        check(json!({"vm.a": {"cpu": 1}}), json!({"vm.a": {"cpu": 2}}), &[]);
        check(
            json!({"postgresql.a": {"cpu": 1}, "vm.a": {}, "vm.b": {}, "vm.c": {}, "vm.d": {}}),
            json!({"vm.a": {}, "vm.b": {}, "vm.c": {}, "vm.d": {}}),
            &["error deletes-data postgresql.a", "warning no-way-back -"],
        );
        check(
            json!({"postgresql.a": {"zone": "x", "cpu": 1}}),
            json!({"postgresql.a": {"zone": "y", "cpu": 1}}),
            &["error replaces-database postgresql.a", "warning no-way-back -"],
        );
        check(
            json!({"firewall.a": {"ingress": ["10.0.0.0/8"]}, "firewall.b": {"ports": [80]}}),
            json!({"firewall.a": {"ingress": ["0.0.0.0/0"]}, "firewall.b": {"ports": [80, 22]}}),
            &["error opens-to-all firewall.a", "warning widens-firewall firewall.b"],
        );
        check(
            json!({"firewall.a": {"egress": []}}),
            json!({"firewall.a": {"egress": ["0.0.0.0/0"]}}),
            &["warning widens-firewall firewall.a"],
        );
        check(json!({"vm.a": {"cpu": 1}}), json!({"vm.a": {"cpu": 90}}), &["warning cost-jump -"]);
        check(json!({"vm.a": {"cpu": 90}}), json!({"vm.a": {"cpu": 101}}), &["error over-budget -"]);
        check(
            json!({}),
            json!({"vm.a": {"unpriced": true}}),
            &["warning budget-unknown -", "warning unknown-cost vm.a"],
        );
        check(
            json!({"postgresql.a": {"encrypted": true, "deletion_protection": true, "backup_retention": 7}}),
            json!({"postgresql.a": {"encrypted": false, "deletion_protection": false, "backup_retention": 1}}),
            &[
                "error encryption-off postgresql.a",
                "warning protection-off postgresql.a",
                "warning shorter-retention postgresql.a",
            ],
        );
        check(
            json!({"vm.a": {}, "vm.b": {}, "vm.c": {"count": 8}}),
            json!({"vm.c": {"count": 3}}),
            &["error many-deletions -", "warning capacity-drop vm.c"],
        );
    }
}
