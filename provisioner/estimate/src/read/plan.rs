//! A plan of Terraform or OpenTofu as `terraform show -json` prints it (format 1.x): what will be there after it, and what was
//! there before. Specification: Terraform's "JSON Output Format".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::ReadError;
use crate::limits;
use crate::resource::{Inventory, Notes, Resource};
use crate::value::{Addresses, Value};

/// What a plan leads from and to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What the plan starts from; `None` if it does not say.
    pub before: Option<Inventory>,
    /// What is there when it has been applied.
    pub after: Inventory,
}

/// Reads a plan's JSON.
pub fn read(name: &str, text: &[u8]) -> Result<Plan, ReadError> {
    if text.len() > limits::PLAN_BYTES_MAX {
        let what = name.to_owned();
        return Err(ReadError::TooLarge { what, bytes: text.len(), max: limits::PLAN_BYTES_MAX });
    }
    let malformed = |why: String| ReadError::Malformed { what: name.to_owned(), format: "a plan in JSON", why };
    let json: Json = serde_json::from_slice(text).map_err(|e| malformed(e.to_string()))?;
    let Some(version) = json["format_version"].as_str() else {
        return Err(malformed("it has no format_version (write it with `terraform show -json PLAN`)".to_owned()));
    };
    if !version.starts_with("0.") && !version.starts_with("1.") {
        return Err(ReadError::Version { what: name.to_owned(), version: version.to_owned(), known: "0.x and 1.x" });
    }
    let root = json.get("planned_values").or_else(|| json.get("values")).and_then(|v| v.get("root_module"));
    let Some(root) = root else {
        return Err(malformed("it has neither planned_values nor values".to_owned()));
    };
    let after = Reader::new(&json).inventory(root, true);
    let before = match json.pointer("/prior_state/values/root_module") {
        Some(prior) => Some(Reader::new(&json).inventory(prior, false)),
        None => changed(&json),
    };
    Ok(Plan { before, after })
}

/// What was there before, from the changes alone: plans without `prior_state` still carry each resource's `before`.
fn changed(json: &Json) -> Option<Inventory> {
    let changes = json["resource_changes"].as_array()?;
    let mut resources = Vec::new();
    for change in changes.iter().filter(|c| c["mode"] != "data" && c["change"]["before"].is_object()) {
        let text = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
        resources.push(Resource {
            address: text("address"),
            kind: text("type"),
            name: text("name"),
            values: Value::of_json(&change["change"]["before"]),
            ..Resource::default()
        });
    }
    resources.sort_by(|a, b| a.address.cmp(&b.address));
    resources.truncate(limits::RESOURCES_MAX);
    Some(Inventory { resources, notes: Notes::default() })
}

struct Reader<'a> {
    plan: &'a Json,
    /// Address -> what of it is known after apply.
    unknown: BTreeMap<&'a str, &'a Json>,
    addresses: BTreeSet<&'a str>,
    notes: Notes,
}

impl<'a> Reader<'a> {
    fn new(plan: &'a Json) -> Self {
        let changes = plan["resource_changes"].as_array().map_or(&[] as &[Json], Vec::as_slice);
        let unknown =
            changes.iter().filter_map(|c| Some((c["address"].as_str()?, c.pointer("/change/after_unknown")?)));
        let addresses = changes.iter().filter_map(|c| c["address"].as_str()).collect();
        Self { plan, unknown: unknown.collect(), addresses, notes: Notes::default() }
    }

    fn inventory(mut self, root: &'a Json, after: bool) -> Inventory {
        let mut resources = Vec::new();
        let mut open = vec![root];
        while let Some(module) = open.pop() {
            open.extend(module["child_modules"].as_array().into_iter().flatten());
            for resource in module["resources"].as_array().into_iter().flatten() {
                if resource["mode"].as_str() == Some("data") {
                    continue;
                }
                if resources.len() >= limits::RESOURCES_MAX {
                    self.notes.add(format!("more than {} resources: the rest is left out", limits::RESOURCES_MAX));
                    break;
                }
                resources.push(self.resource(resource, module["address"].as_str().unwrap_or_default(), after));
            }
        }
        resources.sort_by(|a, b| a.address.cmp(&b.address));
        Inventory { resources, notes: self.notes }
    }

    fn resource(&self, resource: &Json, module: &str, after: bool) -> Resource {
        let text = |key: &str| resource[key].as_str().unwrap_or_default().to_owned();
        let (address, kind, name) = (text("address"), text("type"), text("name"));
        let path = calls(module);
        let configured = self.module(&path).and_then(|m| {
            m["resources"]
                .as_array()?
                .iter()
                .find(|r| r["type"] == kind.as_str() && r["name"] == name.as_str() && r["mode"] != "data")
        });
        let index = address.rfind('[').filter(|_| address.ends_with(']')).map_or("", |i| &address[i..]);
        let mut references = BTreeMap::new();
        if let Some(expressions) = configured.and_then(|c| c.get("expressions")) {
            self.references(expressions, "", &Place { module, path: &path, index }, &mut references);
        }
        let mut values = Value::of_json(&resource["values"]);
        if let Some(unknown) = self.unknown.get(address.as_str()).filter(|_| after) {
            mark_unknown(&mut values, unknown, "", &references);
        }
        let provider = configured.and_then(|c| c["provider_config_key"].as_str());
        let provider_region = self.region(provider, &kind);
        Resource { address, kind, name, provider_region, values, references }
    }

    /// The configuration of a module by the names of the calls that lead to it.
    fn module(&self, path: &[&str]) -> Option<&'a Json> {
        path.iter().try_fold(self.plan.pointer("/configuration/root_module")?, |m, call| {
            m.get("module_calls")?.get(call)?.get("module")
        })
    }

    fn references(&self, json: &Json, path: &str, place: &Place<'_>, into: &mut BTreeMap<String, Addresses>) {
        match json {
            Json::Array(items) => items.iter().for_each(|item| self.references(item, path, place, into)),
            Json::Object(entries) => match entries.get("references").and_then(Json::as_array) {
                Some(references) => {
                    let found = into.entry(path.to_owned()).or_default();
                    for reference in references.iter().filter_map(Json::as_str) {
                        self.resolve(reference, place, 0, found);
                    }
                }
                None => {
                    for (key, value) in entries {
                        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                        self.references(value, &path, place, into);
                    }
                }
            },
            _ => {}
        }
    }

    /// The addresses behind a reference as the configuration writes it (`aws_x.y.id`, `var.a`, `module.m.out`).
    fn resolve(&self, reference: &str, place: &Place<'_>, depth: usize, into: &mut Addresses) {
        let mut parts = reference.splitn(3, '.');
        let (Some(first), Some(second)) = (parts.next(), parts.next()) else { return };
        if depth > limits::MODULE_DEPTH_MAX {
            return;
        }
        let within = |m: &str| if m.is_empty() { String::new() } else { format!("{m}.") };
        match first {
            "each" | "count" | "local" | "path" | "terraform" | "data" | "self" => {}
            "var" => {
                let Some((call, above)) = place.path.split_last() else { return };
                let expression =
                    self.module(above).and_then(|m| m.get("module_calls")?.get(call)?.get("expressions")?.get(second));
                let module = place.module.rsplit_once("module.").map_or("", |(m, _)| m.trim_end_matches('.'));
                let place = Place { module, path: above, index: "" };
                self.each(expression, &place, depth, into);
            }
            "module" => {
                let Some(output) = parts.next() else { return };
                let name = second.split('[').next().unwrap_or_default();
                let path: Vec<&str> = place.path.iter().copied().chain([name]).collect();
                let output = output.split(['.', '[']).next().unwrap_or_default();
                let expression = self.module(&path).and_then(|m| m.get("outputs")?.get(output)?.get("expression"));
                let module = format!("{}module.{second}", within(place.module));
                self.each(expression, &Place { module: &module, path: &path, index: "" }, depth, into);
            }
            kind => {
                // `name`, `name[0]`, `name["a.b"]`: the index may hold points.
                let rest = &reference[kind.len() + 1..];
                let end = match rest.find(['.', '[']) {
                    Some(i) if rest[i..].starts_with('[') => rest.find(']').map_or(i, |e| e + 1),
                    Some(i) => i,
                    None => rest.len(),
                };
                let address = format!("{}{kind}.{}", within(place.module), &rest[..end]);
                // One instance that refers to another resource with the same keys means that of its own key.
                let own = format!("{address}{}", place.index);
                into.insert(if self.addresses.contains(own.as_str()) { own } else { address });
            }
        }
    }

    fn each(&self, expression: Option<&Json>, place: &Place<'_>, depth: usize, into: &mut Addresses) {
        let references = expression.and_then(|e| e["references"].as_array());
        for reference in references.into_iter().flatten().filter_map(Json::as_str) {
            self.resolve(reference, place, depth + 1, into);
        }
    }

    fn region(&self, provider: Option<&str>, kind: &str) -> Option<String> {
        let configs = self.plan.pointer("/configuration/provider_config")?;
        let default = kind.split('_').next().unwrap_or_default();
        let config = provider.and_then(|p| configs.get(p)).or_else(|| configs.get(default))?;
        ["region", "zone"].iter().find_map(|key| {
            let expression = config.get("expressions")?.get(key)?;
            let constant = expression["constant_value"].as_str().map(str::to_owned);
            constant.or_else(|| {
                let variable =
                    expression["references"].as_array()?.iter().find_map(|r| r.as_str()?.strip_prefix("var."))?;
                Some(self.plan.get("variables")?.get(variable)?["value"].as_str()?.to_owned())
            })
        })
    }
}

/// Where a reference stands: the module's address and calls, and the index of the resource.
struct Place<'a> {
    module: &'a str,
    path: &'a [&'a str],
    index: &'a str,
}

/// The names of the calls in a module's address, without indexes.
fn calls(module: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = module;
    while let Some(at) = rest.strip_prefix("module.") {
        let end = at.find(['.', '[']).unwrap_or(at.len());
        names.push(&at[..end]);
        rest = &at[end..];
        if rest.starts_with("[\"") {
            rest = rest[2..].find("\"]").map_or("", |i| &rest[i + 4..]);
        } else if rest.starts_with('[') {
            rest = rest.find(']').map_or("", |i| &rest[i + 1..]);
        }
        rest = rest.trim_start_matches('.');
    }
    names
}

/// Puts what is known after apply into the values, with where it will come from.
fn mark_unknown(value: &mut Value, unknown: &Json, path: &str, references: &BTreeMap<String, Addresses>) {
    match unknown {
        Json::Bool(true) => *value = Value::Unknown(references.get(path).cloned().unwrap_or_default()),
        Json::Object(entries) => {
            let Value::Map(own) = value else { return };
            for (key, unknown) in entries {
                if matches!(unknown, Json::Bool(false)) {
                    continue;
                }
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                mark_unknown(own.entry(key.clone()).or_insert(Value::Null), unknown, &path, references);
            }
        }
        Json::Array(items) => {
            let Value::List(own) = value else { return };
            own.iter_mut().zip(items).for_each(|(v, u)| mark_unknown(v, u, path, references));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
