//! `autoscaling_group`: scale sets with the autoscale setting that targets them. What becomes of the machines that are there when the size changes is the
//! set's own upgrade policy.

use std::collections::{BTreeMap, BTreeSet};

use grid_act::native::failure::Failure;
use grid_act::native::fields;
use grid_act::native::seen::{Seen, Want};
use reqwest::Method;
use serde_json::{Value, json};

use crate::account::{COMPUTE, busy, name_of, tags, text};
use crate::client::{Ask, Azure};

const SORT: &str = "virtualMachineScaleSets";
/// The version of the API of autoscale settings.
const INSIGHTS: &str = "api-version=2022-10-01";

/// A number that settings hold as a text.
fn number(of: Option<&Value>) -> Option<i64> {
    let of = of?;
    of.as_i64().or_else(|| of.as_str()?.parse().ok())
}

/// The bounds of a setting: of its first profile that is always meant, beside those of certain days.
fn profile(setting: &Value) -> Option<usize> {
    let profiles = setting.pointer("/properties/profiles")?.as_array()?;
    profiles
        .iter()
        .position(|p| p.get("fixedDate").is_none_or(Value::is_null) && p.get("recurrence").is_none_or(Value::is_null))
}

fn capacity<'a>(setting: &'a Value, name: &str) -> Option<&'a Value> {
    setting.pointer(&format!("/properties/profiles/{}/capacity/{name}", profile(setting)?))
}

fn is_on(setting: &Value) -> bool {
    setting.pointer("/properties/enabled").and_then(Value::as_bool).unwrap_or(true)
}

fn seen(set: &Value, setting: Option<&Value>) -> Option<Seen> {
    let (tags, marks) = tags(set);
    let state = busy(set);
    if state.as_deref() == Some("Deleting") {
        return None;
    }
    let desired = number(set.pointer("/sku/capacity"));
    let disk = set.pointer("/properties/virtualMachineProfile/storageProfile/osDisk/diskSizeGB").cloned();
    Some(Seen {
        id: text(set, "/id")?.to_owned(),
        full_name: text(set, "/id")?.to_ascii_lowercase(),
        name: text(set, "/name")?.to_owned(),
        region: text(set, "/location").unwrap_or_default().to_owned(),
        machine: text(set, "/sku/name").map(str::to_owned),
        own: fields(json!({
            "min": number(setting.and_then(|s| capacity(s, "minimum"))),
            "max": number(setting.and_then(|s| capacity(s, "maximum"))),
            "desired": desired.filter(|_| !setting.is_some_and(is_on)),
            "disk_gib": disk,
        })),
        outputs: desired.map(|n| ("desired".to_owned(), json!(n))).into_iter().collect(),
        handles: [("etag", text(set, "/etag").unwrap_or_default().to_owned())].into(),
        busy: state,
        tags,
        marks,
        ..Seen::default()
    })
}

/// Autoscale settings by what they target, in small letters.
async fn settings(azure: &Azure, scope: &str) -> Result<BTreeMap<String, Value>, Failure> {
    let path = format!("{scope}/providers/Microsoft.Insights/autoscaleSettings?{INSIGHTS}");
    let all = azure.list("list autoscale settings", path).await?;
    let target = |s: Value| Some((text(&s, "/properties/targetResourceUri")?.to_ascii_lowercase(), s));
    Ok(all.into_iter().filter_map(target).collect())
}

pub(crate) async fn all(azure: &Azure) -> Result<Vec<Seen>, Failure> {
    let settings = settings(azure, &azure.scope()).await?;
    let path = format!("{}/providers/Microsoft.Compute/{SORT}?{COMPUTE}", azure.scope());
    let sets = azure.list("list scale sets", path).await?;
    let setting = |set: &Value| text(set, "/id").and_then(|id| settings.get(&id.to_ascii_lowercase()));
    Ok(sets.iter().filter_map(|set| seen(set, setting(set))).collect())
}

/// The setting that targets a set, if one does.
async fn setting(azure: &Azure, id: &str) -> Result<Option<Value>, Failure> {
    let scope = azure.scope();
    Ok(settings(azure, &scope).await?.remove(&id.to_ascii_lowercase()))
}

pub(crate) async fn look(azure: &Azure, id: &str) -> Result<Option<Seen>, Failure> {
    let name = name_of(azure, SORT, "autoscaling_group", id)?;
    let set = azure.get(format!("get scale set {name}"), format!("{id}?{COMPUTE}")).await?;
    Ok(seen(&set, setting(azure, id).await?.as_ref()))
}

pub(crate) async fn change(
    azure: &Azure,
    of: &Seen,
    want: &Want<'_>,
    changed: &BTreeSet<String>,
) -> Result<(), Failure> {
    let name = &of.name;
    let scales = changed.contains("min") || changed.contains("max");
    let setting = setting(azure, &of.id).await?;
    // Everything that will be refused is refused before the first call.
    if changed.contains("desired") && setting.as_ref().is_some_and(is_on) {
        let why = format!("{name}: desired is its autoscale setting's: set min and max, or leave desired out");
        return Err(Failure::refused(why));
    }
    let bounded = match (&setting, scales) {
        (_, false) => None,
        (None, true) => {
            let why = format!("{name} has no autoscale setting: let the recipe make one, or set desired");
            return Err(Failure::refused(why));
        }
        (Some(setting), true) => Some(with_bounds(name, setting, want)?),
    };
    if changed.contains("machine") || changed.contains("desired") {
        let mut sku = json!({});
        if changed.contains("machine") {
            sku["name"] = json!(want.machine(azure)?.unwrap_or_default());
        }
        if changed.contains("desired") {
            sku["capacity"] = json!(want.int("desired").unwrap_or_default());
        }
        let body = json!({ "sku": sku });
        let ask = Ask::new(format!("update scale set {name}"), Method::PATCH, format!("{}?{COMPUTE}", of.id));
        azure.done(&ask.body(&body, of.handle("etag"))).await?;
    }
    if let Some(setting) = bounded {
        let path = format!("{}?{INSIGHTS}", text(&setting, "/id").unwrap_or_default());
        let ask = Ask::new(format!("update the autoscale setting of {name}"), Method::PUT, path);
        azure.done(&ask.body(&setting, "")).await?;
    }
    Ok(())
}

/// A setting with other bounds, all else as it is. The number that it falls back to when it cannot measure stays within them.
fn with_bounds(name: &str, setting: &Value, want: &Want<'_>) -> Result<Value, Failure> {
    let odd = || Failure::refused(format!("{name}: its autoscale setting has no profile that is always meant"));
    let at = profile(setting).ok_or_else(odd)?;
    let mut setting = setting.clone();
    let is = |which: &str| number(capacity(&setting, which));
    let min = want.int("min").map(i64::from).or(is("minimum")).unwrap_or(0);
    let max = want.int("max").map(i64::from).or(is("maximum")).unwrap_or(min);
    if min > max {
        return Err(Failure::refused(format!("{name}: min {min} is above max {max}")));
    }
    let default = is("default").unwrap_or(min).clamp(min, max);
    let capacity = setting.pointer_mut(&format!("/properties/profiles/{at}/capacity")).ok_or_else(odd)?;
    *capacity = json!({"minimum": min.to_string(), "maximum": max.to_string(), "default": default.to_string()});
    Ok(setting)
}

pub(crate) async fn remove(azure: &Azure, of: &Seen) -> Result<(), Failure> {
    // First the set, which may be refused: a setting without its target does nothing, and a set without its setting would stand still.
    azure.done(&Ask::new(format!("delete {}", of.name), Method::DELETE, format!("{}?{COMPUTE}", of.id))).await?;
    if let Some(id) = setting(azure, &of.id).await?.as_ref().and_then(|s| text(s, "/id")) {
        let name = format!("delete the autoscale setting of {}", of.name);
        match azure.done(&Ask::new(name, Method::DELETE, format!("{id}?{INSIGHTS}"))).await {
            Err(failure) if failure.is_gone() => {}
            answer => answer?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_plan::Fields;

    #[test]
    fn bounds_change_and_all_else_stays() {
        let setting = json!({"id": "/s", "location": "westeurope", "properties": {"enabled": true, "notifications": [1], "profiles": [
            {"name": "night", "recurrence": {"frequency": "Week"}, "capacity": {"minimum": "1", "maximum": "1", "default": "1"}},
            {"name": "cpu", "rules": [2], "capacity": {"minimum": "2", "maximum": "10", "default": "8"}}]}});
        let check = |fields: Value, expected: Value| {
            let fields = Fields::of_json(&fields);
            let new = with_bounds("web", &setting, &Want::new("autoscaling_group", &fields)).unwrap();
            assert_eq!(new["properties"]["profiles"][1]["capacity"], expected);
            let mut rest = new.clone();
            rest["properties"]["profiles"][1]["capacity"] = setting["properties"]["profiles"][1]["capacity"].clone();
            assert_eq!(rest, setting);
        };
        check(json!({"max": 6}), json!({"minimum": "2", "maximum": "6", "default": "6"}));
        check(json!({"min": 9, "max": 12}), json!({"minimum": "9", "maximum": "12", "default": "9"}));
        let fields = Fields::of_json(&json!({"min": 11}));
        assert!(with_bounds("web", &setting, &Want::new("autoscaling_group", &fields)).is_err());
    }
}
