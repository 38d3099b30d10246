//! JSON as `terraform show -json PLAN` prints it, format 1.2, so that what reads that reads this; see Terraform's "JSON Output Format". What is
//! Grid's own beside it is below the key `grid`. Decimals are strings; what is unknown is `null`, never `"0"`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json as value};

use crate::address::Address;
use crate::cost::{Cost, Total};
use crate::diff::After;
use crate::environment::Source;
use crate::field::{Fields, Path, sorted};
use crate::kinds::Kinds;
use crate::lint::Finding;
use crate::plan::{Action, Plan, Step};

/// The version of Terraform's format that this is a superset of.
const FORMAT: &str = "1.2";
/// What stands for a provider: the planner knows none.
const PROVIDER: &str = "grid";

/// The whole document. Sensitive values are left out: `null`, and named in `before_sensitive` and `after_sensitive`.
pub fn json(plan: &Plan, kinds: &Kinds, findings: &[Finding]) -> Value {
    let mut all: BTreeMap<&Address, Value> = plan.steps.iter().map(|s| (&s.address, change(s, kinds))).collect();
    all.extend(plan.unchanged.iter().map(|(address, fields)| (address, unchanged(address, fields, kinds))));
    let planned = plan
        .steps
        .iter()
        .filter_map(|s| s.after.as_ref().map(|after| (&s.address, after)))
        .chain(plan.unchanged.iter())
        .collect::<BTreeMap<_, _>>();
    let prior = plan
        .steps
        .iter()
        .filter_map(|s| s.before.as_ref().map(|before| (&s.address, &before.fields)))
        .chain(plan.unchanged.iter())
        .collect::<BTreeMap<_, _>>();
    let document = value!({
        "format_version": FORMAT,
        "planned_values": { "root_module": { "resources": resources(&planned, kinds) } },
        "resource_changes": all.into_values().collect::<Vec<_>>(),
        "output_changes": {},
        "prior_state": {
            "format_version": "1.0",
            "values": { "root_module": { "resources": resources(&prior, kinds) } },
        },
        "configuration": { "root_module": {} },
        "applyable": !plan.is_empty(),
        "complete": plan.scope.is_none(),
        "errored": false,
        "grid": {
            "plan_id": plan.id.to_string(),
            "parent": plan.parent.map(|p| p.to_string()),
            "environment": plan.environment,
            "blueprint": plan.blueprint,
            "serial": plan.serial,
            "scope": plan.scope.as_ref().map(|s| s.iter().map(Address::to_string).collect::<Vec<_>>()),
            "currency": plan.currency.0,
            "delta_monthly": total(&plan.delta),
            "monthly": total(&plan.monthly),
            "order": plan.steps.iter().map(order).collect::<Vec<_>>(),
            "findings": findings.iter().map(finding).collect::<Vec<_>>(),
            "notes": plan.notes,
        },
    });
    sorted(&document)
}

fn order(step: &Step) -> Value {
    value!({
        "address": step.address.to_string(),
        "action": step.action.name(),
        "wave": step.wave,
        "after": step.after_steps.iter().map(Address::to_string).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding) -> Value {
    value!({
        "severity": finding.severity.name(),
        "code": finding.code,
        "address": finding.address.as_ref().map(Address::to_string),
        "text": finding.text,
    })
}

/// A range and what is missing in it. Where something is missing the range bounds nothing, so it is named as what is known.
fn total(total: &Total) -> Value {
    let range = |r: crate::cost::Range| value!({ "low": r.low.to_string(), "likely": r.likely.to_string(), "high": r.high.to_string() });
    value!({
        "range": total.certain().map(range),
        "known": range(total.known),
        "unknown": total.unknown.iter().map(|(a, why)| value!({ "address": a.to_string(), "why": why })).collect::<Vec<_>>(),
    })
}

fn resources(all: &BTreeMap<&Address, &Fields>, kinds: &Kinds) -> Vec<Value> {
    all.iter()
        .map(|(address, fields)| {
            let mut one = head(address);
            one["schema_version"] = value!(0);
            one["values"] = visible(address, fields, kinds);
            one["sensitive_values"] = sensitive(address, fields, kinds);
            one
        })
        .collect()
}

fn head(address: &Address) -> Value {
    value!({
        "address": address.to_string(),
        "mode": "managed",
        "type": address.kind(),
        "name": address.name(),
        "provider_name": PROVIDER,
    })
}

fn is_sensitive(address: &Address, path: &Path, kinds: &Kinds) -> bool {
    kinds.get(address.kind()).is_some_and(|k| k.is_sensitive(path))
}

/// The nested object, with `null` in place of what must not be shown.
fn visible(address: &Address, fields: &Fields, kinds: &Kinds) -> Value {
    let shown = |(path, value): (&Path, &Value)| match is_sensitive(address, path, kinds) {
        true => (path.clone(), Value::Null),
        false => (path.clone(), value.clone()),
    };
    fields.iter().map(shown).collect::<Fields>().to_json()
}

/// `true` where something must not be shown.
fn sensitive(address: &Address, fields: &Fields, kinds: &Kinds) -> Value {
    let secret = fields.iter().filter(|(path, _)| is_sensitive(address, path, kinds));
    secret.map(|(path, _)| (path.clone(), Value::Bool(true))).collect::<Fields>().to_json()
}

fn actions(action: Action) -> Value {
    match action {
        Action::Create => value!(["create"]),
        Action::Update => value!(["update"]),
        Action::Replace => value!(["delete", "create"]),
        Action::Delete => value!(["delete"]),
    }
}

fn change(step: &Step, kinds: &Kinds) -> Value {
    let (address, none) = (&step.address, Fields::default());
    let before = step.before.as_ref().map(|b| &b.fields);
    let unknown = step.changes.iter().filter(|c| c.after == After::Unknown);
    let unknown: Fields = unknown.map(|c| (c.path.clone(), Value::Bool(true))).collect();
    let mut one = head(address);
    if let Some(reason) = action_reason(step) {
        one["action_reason"] = value!(reason);
    }
    one["change"] = value!({
        "actions": actions(step.action),
        "before": before.map(|f| visible(address, f, kinds)),
        "after": step.after.as_ref().map(|f| visible(address, f, kinds)),
        "after_unknown": unknown.to_json(),
        "before_sensitive": match before {
            Some(fields) => sensitive(address, fields, kinds),
            None => Value::Bool(false),
        },
        "after_sensitive": match step.after {
            Some(_) => sensitive(address, step.after.as_ref().unwrap_or(&none), kinds),
            None => Value::Bool(false),
        },
    });
    let forcing: Vec<Value> = step.changes.iter().filter(|c| c.replaces).map(|c| path_json(&c.path)).collect();
    if !forcing.is_empty() {
        one["change"]["replace_paths"] = Value::Array(forcing);
    }
    one["grid"] = value!({
        "reasons": step.reasons,
        "evidence": step.evidence,
        "sources": sources(step),
        "cost_monthly": match &step.cost {
            Cost::Known(r) => value!({ "low": r.low.to_string(), "likely": r.likely.to_string(), "high": r.high.to_string() }),
            Cost::Unknown(_) => Value::Null,
        },
        "cost_unknown": match &step.cost {
            Cost::Known(_) => Value::Null,
            Cost::Unknown(why) => value!(why),
        },
        "blast_radius": { "count": step.blast.count, "resources": step.blast.listed.iter().map(Address::to_string).collect::<Vec<_>>() },
        "undo": { "how": step.undo.text(), "is_complete": step.undo.is_complete() },
    });
    one
}

/// Terraform's words for why something is replaced or deleted.
fn action_reason(step: &Step) -> Option<&'static str> {
    match step.action {
        Action::Replace => Some("replace_because_cannot_update"),
        Action::Delete => Some("delete_because_no_resource_config"),
        Action::Create | Action::Update => None,
    }
}

fn path_json(path: &Path) -> Value {
    Value::Array(path.keys().map(Value::from).collect())
}

/// Who wants each changed field, where it is not the blueprint.
fn sources(step: &Step) -> Value {
    let all = step.changes.iter().filter_map(|c| {
        let source = match c.by.as_ref()? {
            Source::Written(by) => value!({
                "writer": by.writer.to_string(), "who": by.who, "why": by.why, "at": by.at.to_string(), "evidence": by.evidence,
            }),
            Source::Asleep(sleep) => {
                value!({ "writer": "sleep", "who": sleep.who, "why": sleep.why, "at": sleep.since.to_string() })
            }
        };
        Some((c.path.to_string(), source))
    });
    Value::Object(all.collect::<Map<_, _>>())
}

fn unchanged(address: &Address, fields: &Fields, kinds: &Kinds) -> Value {
    let shown = visible(address, fields, kinds);
    let secret = sensitive(address, fields, kinds);
    let mut one = head(address);
    one["change"] = value!({
        "actions": ["no-op"],
        "before": shown,
        "after": shown,
        "after_unknown": {},
        "before_sensitive": secret,
        "after_sensitive": secret,
    });
    one
}
