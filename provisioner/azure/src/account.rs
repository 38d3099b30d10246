//! A subscription as [`grid_act::native`] drives it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use grid_act::native::Account;
use grid_act::native::failure::Failure;
use grid_act::native::lever::Lever;
use grid_act::native::seen::{Marks, Seen, Want};
use grid_types::Cloud;
use grid_types::size::{Size, machine};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Ask, Azure};
use crate::lever::LEVERS;
use crate::{group, others, vm};

/// The version of the API of machines and scale sets.
pub(crate) const COMPUTE: &str = "api-version=2024-07-01";
/// The version of the API of tags and resources.
const RESOURCES: &str = "api-version=2021-04-01";

#[async_trait]
impl Account for Azure {
    fn driver(&self) -> &'static str {
        "azure"
    }

    fn place(&self) -> String {
        match &self.settings.resource_group {
            Some(group) => format!("resource group {group} of subscription {}", self.settings.subscription),
            None => format!("subscription {}", self.settings.subscription),
        }
    }

    fn machines(&self) -> &'static str {
        Cloud::Azure.name()
    }

    fn machine_of(&self, size: &str) -> Option<&'static str> {
        machine(Cloud::Azure, "vm", size.parse::<Size>().ok()?)
    }

    fn levers(&self) -> &'static [Lever] {
        LEVERS
    }

    async fn all(&self, kind: &str) -> Result<Vec<Seen>, Failure> {
        match kind {
            "vm" => vm::all(self).await,
            _ => group::all(self).await,
        }
    }

    async fn look(&self, kind: &str, id: &str) -> Result<Option<Seen>, Failure> {
        let found = match kind {
            "vm" => vm::look(self, id).await,
            _ => group::look(self, id).await,
        };
        match found {
            Err(failure) if failure.is_gone() => Ok(None),
            answer => answer,
        }
    }

    async fn change(
        &self,
        kind: &str,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        _: &Marks,
    ) -> Result<(), Failure> {
        match kind {
            "vm" => vm::change(self, seen, want, changed).await,
            _ => group::change(self, seen, want, changed).await,
        }
    }

    /// By a merge, which leaves others' tags as they are and changes nothing of the resource itself.
    async fn mark(&self, _: &str, seen: &Seen, marks: &Marks) -> Result<(), Failure> {
        let own = |pairs: Vec<(&str, &str)>| -> BTreeMap<String, String> {
            pairs.into_iter().map(|(name, value)| (tag(name), value.to_owned())).collect()
        };
        let (said, silent): (Vec<_>, Vec<_>) = marks.pairs().into_iter().partition(|(_, value)| !value.is_empty());
        let gone: BTreeMap<String, String> = seen
            .tags
            .iter()
            .filter(|(key, _)| silent.iter().any(|(name, _)| tag(name) == **key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let path = format!("{}/providers/Microsoft.Resources/tags/default?{RESOURCES}", seen.id);
        for (operation, tags) in [("Delete", gone), ("Merge", own(said))] {
            if !tags.is_empty() {
                let body = json!({"operation": operation, "properties": {"tags": tags}});
                let name = format!("update tags of {}", seen.name);
                self.done(&Ask::new(name, Method::PATCH, path.clone()).body(&body, "")).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, kind: &str, seen: &Seen) -> Result<(), Failure> {
        match kind {
            "vm" => vm::remove(self, seen).await,
            _ => group::remove(self, seen).await,
        }
    }

    async fn others(&self) -> Vec<(String, Result<Vec<Seen>, Failure>)> {
        others::others(self).await
    }
}

fn tag(name: &str) -> String {
    format!("grid:{name}")
}

/// The tags of a resource, and Grid's marks among them.
pub(crate) fn tags(of: &Value) -> (BTreeMap<String, String>, Marks) {
    let all = of.get("tags").and_then(Value::as_object).into_iter().flatten();
    let tags: BTreeMap<String, String> =
        all.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    let marks = Marks::of(|name| tags.get(&tag(name)).map(String::as_str));
    (tags, marks)
}

/// The name in an id as Terraform imports it by, if it is one of this sort in this subscription. Azure takes any case; an id is told as Azure tells it.
pub(crate) fn name_of<'a>(azure: &Azure, sort: &str, kind: &str, id: &'a str) -> Result<&'a str, Failure> {
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let settings = &azure.settings;
    let group = |name: &str| settings.resource_group.as_deref().is_none_or(|only| same(only, name));
    // It becomes the path of calls, so nothing in it may end the path.
    let is_path = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.()".contains(&b)) && !id.contains("..");
    match id.split('/').collect::<Vec<_>>().as_slice() {
        ["", subscriptions, subscription, groups, of, providers, provider, found, name]
            if is_path
                && same(subscriptions, "subscriptions")
                && same(subscription, &settings.subscription)
                && same(groups, "resourceGroups")
                && group(of)
                && same(providers, "providers")
                && same(provider, "Microsoft.Compute")
                && same(found, sort)
                && !name.is_empty() =>
        {
            Ok(name)
        }
        _ => {
            let form = format!("/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Compute/{sort}/NAME");
            Err(Failure::refused(format!("{id:?} is no id of a {kind} in {}: it is {form}", azure.place())))
        }
    }
}

/// A text of an object.
pub(crate) fn text<'a>(of: &'a Value, pointer: &str) -> Option<&'a str> {
    of.pointer(pointer).and_then(Value::as_str)
}

/// The state on its way to another one, by what the resource says of itself.
pub(crate) fn busy(of: &Value) -> Option<String> {
    let state = text(of, "/properties/provisioningState")?;
    (!["Succeeded", "Failed", "Canceled"].contains(&state)).then(|| state.to_owned())
}
