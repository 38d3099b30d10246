//! What a plan of Terraform would do, of `terraform show -json` (format 1.x).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::limits::CHANGES_TOLD_MAX;

/// What happens to one instance of a block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// The block, `aws_subnet.main`, without the index of an instance.
    pub(crate) block: String,
    /// The instance, as Terraform writes it: `aws_subnet.main[0]`.
    pub(crate) instance: String,
    /// `create`, `update`, `delete`; two for a replacement.
    pub(crate) actions: Vec<String>,
    /// Whether it is taken over by its id.
    pub(crate) is_import: bool,
    pub(crate) before: Value,
    pub(crate) after: Value,
}

impl Change {
    /// Whether what is there is deleted and made anew.
    pub(crate) fn is_replacement(&self) -> bool {
        self.actions.len() > 1
    }

    /// Attributes that have other values afterwards, as far as the values are known.
    pub(crate) fn attributes(&self) -> Vec<(&str, &Value, &Value)> {
        let (Value::Object(before), Value::Object(after)) = (&self.before, &self.after) else { return Vec::new() };
        let known = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
        known.map(|(name, value)| (name.as_str(), before.get(name).unwrap_or(&Value::Null), value)).collect()
    }
}

/// The changes of a plan; what is only read or stays is left out. `None` if it is no plan that can be read.
pub(crate) fn changes(plan: &Value) -> Option<Vec<Change>> {
    plan.get("format_version")?.as_str().filter(|v| v.starts_with("1."))?;
    let all = match plan.get("resource_changes") {
        None => return Some(Vec::new()),
        Some(all) => all.as_array()?,
    };
    let mut found = Vec::new();
    for one in all {
        let text = |name: &str| one.get(name).and_then(Value::as_str);
        if text("mode")? != "managed" {
            continue;
        }
        let change = one.get("change")?;
        let actions: Vec<String> =
            change.get("actions")?.as_array()?.iter().filter_map(|a| a.as_str().map(str::to_owned)).collect();
        let is_import = change.get("importing").is_some_and(|i| !i.is_null());
        if actions == ["no-op"] && !is_import || actions == ["read"] {
            continue;
        }
        found.push(Change {
            block: format!("{}.{}", text("type")?, text("name")?),
            instance: text("address")?.to_owned(),
            actions,
            is_import,
            before: change.get("before").cloned().unwrap_or_default(),
            after: change.get("after").cloned().unwrap_or_default(),
        });
    }
    Some(found)
}

/// Changes of blocks that are not among those that may change, and existing instances of `kept` that would be made anew: `None` if there are none.
pub(crate) fn beyond(changes: &[Change], may: &BTreeSet<String>, kept: &BTreeSet<String>) -> Option<String> {
    let foreign: Vec<&Change> = changes.iter().filter(|c| !may.contains(&c.block)).collect();
    if !foreign.is_empty() {
        return Some(format!("it would also change what this step does not mean: {}", told(foreign)));
    }
    let anew: Vec<&Change> = changes.iter().filter(|c| c.is_replacement() && kept.contains(&c.block)).collect();
    if !anew.is_empty() {
        return Some(format!("it would delete what is there and make it anew: {}", told(anew)));
    }
    None
}

/// Changes in a line: `+ aws_instance.web, ~ aws_lb.main (idle_timeout: 60 -> 90)`.
pub(crate) fn told<'c>(changes: impl IntoIterator<Item = &'c Change>) -> String {
    let all: Vec<&Change> = changes.into_iter().collect();
    let mut text = String::new();
    for change in all.iter().take(CHANGES_TOLD_MAX) {
        let sign = match change.actions.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["create"] => "+",
            ["update"] => "~",
            ["delete"] => "-",
            ["no-op"] => "=",
            _ => "-/+",
        };
        let _ = write!(text, "{}{sign} {}", if text.is_empty() { "" } else { ", " }, change.instance);
        let short = |value: &Value| value.to_string().chars().take(60).collect::<String>();
        let attributes = change.attributes();
        if !attributes.is_empty() && change.actions != ["create"] {
            let each: Vec<String> =
                attributes.iter().take(8).map(|(n, a, b)| format!("{n}: {} -> {}", short(a), short(b))).collect();
            let _ = write!(text, " ({})", each.join(", "));
        }
    }
    if all.len() > CHANGES_TOLD_MAX {
        let _ = write!(text, " and {} more", all.len() - CHANGES_TOLD_MAX);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn plan() -> Value {
        let one = |kind: &str, name: &str, address: &str, change: Value| json!({"mode": "managed", "type": kind, "name": name, "address": address, "change": change});
        json!({"format_version": "1.2", "resource_changes": [
            one("a", "x", "a.x", json!({"actions": ["update"], "before": {"size": 1, "n": 1}, "after": {"size": 2, "n": 1}})),
            one("a", "y", "a.y[0]", json!({"actions": ["delete", "create"], "before": {}, "after": {}})),
            one("a", "z", "a.z", json!({"actions": ["no-op"], "before": {}, "after": {}})),
            one("a", "i", "a.i", json!({"actions": ["no-op"], "importing": {"id": "i-1"}, "before": {}, "after": {}})),
            {"mode": "data", "type": "d", "name": "x", "address": "data.d.x", "change": {"actions": ["read"]}},
        ]})
    }

    #[test]
    fn plans_are_read_and_told() {
        let found = changes(&plan()).unwrap();
        assert_eq!(told(&found), "~ a.x (size: 1 -> 2), -/+ a.y[0], = a.i");
        assert!(found[2].is_import && found[1].is_replacement() && found[1].block == "a.y");
        assert_eq!(changes(&json!({"format_version": "1.2"})), Some(Vec::new()));
        for bad in
            [json!({}), json!({"format_version": "2.0"}), json!({"format_version": "1.2", "resource_changes": [{}]})]
        {
            assert_eq!(changes(&bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_not_meant_is_refused() {
        let found = changes(&plan()).unwrap();
        let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(beyond(&found, &set(&["a.x", "a.y", "a.i"]), &set(&[])), None);
        let foreign = beyond(&found, &set(&["a.x"]), &set(&[])).unwrap();
        assert!(foreign.contains("-/+ a.y[0], = a.i") && !foreign.contains("a.x"), "{foreign}");
        let anew = beyond(&found, &set(&["a.x", "a.y", "a.i"]), &set(&["a.y"])).unwrap();
        assert!(anew.contains("make it anew: -/+ a.y[0]"), "{anew}");
    }
}
