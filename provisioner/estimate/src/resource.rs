//! What a plan or configuration will create: resources with their attributes and what they refer to.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::NOTES_MAX;
use crate::value::{Addresses, Value};

/// One instance of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resource {
    /// Its full address: `module.web[0].aws_instance.a["x"]`.
    pub address: String,
    /// Its type: `aws_instance`.
    pub kind: String,
    /// Its name within the module, without index.
    pub name: String,
    /// The region (AWS) or the region and zone (Google) of its provider, where one is configured.
    pub provider_region: Option<String>,
    /// Its attributes; blocks are lists of maps.
    pub values: Value,
    /// Which resources each attribute refers to, by the attribute's path without indexes (`launch_template.id`).
    pub references: BTreeMap<String, Addresses>,
}

/// All resources of a plan or configuration, and what could not be read of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// In the order of their addresses.
    pub resources: Vec<Resource>,
    /// What could not be read or evaluated, in words.
    pub notes: Notes,
}

impl Inventory {
    /// The same in another region, as far as configurations say it at one place: the providers' and each resource's own.
    pub fn in_region(&self, region: &str) -> Self {
        let mut moved = self.clone();
        for resource in &mut moved.resources {
            resource.provider_region = resource.provider_region.as_ref().map(|_| region.to_owned());
            if let Value::Map(values) = &mut resource.values {
                for key in ["region", "location"] {
                    if let Some(Value::Text(place)) = values.get_mut(key) {
                        *place = region.to_owned();
                    }
                }
            }
            if resource.provider_region.is_none() && resource.kind.starts_with("aws_") {
                resource.provider_region = Some(region.to_owned());
            }
        }
        moved
    }
}

/// What could not be read: distinct sentences, at most [`NOTES_MAX`], and how many more there were.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// The sentences.
    pub told: BTreeSet<String>,
    /// Left out.
    pub more: u64,
}

impl Notes {
    /// Adds a sentence.
    pub fn add(&mut self, note: impl Into<String>) {
        let note = note.into();
        if self.told.contains(&note) {
            return;
        }
        if self.told.len() < NOTES_MAX {
            self.told.insert(note);
        } else {
            self.more += 1;
        }
    }
}

/// Finds resources by address, type and reference. Built once per inventory.
#[derive(Debug)]
pub struct Estate<'a> {
    by_address: BTreeMap<&'a str, &'a Resource>,
    by_kind: BTreeMap<&'a str, Vec<&'a Resource>>,
    /// Address -> resources that refer to it, in order.
    users: BTreeMap<&'a str, Vec<&'a Resource>>,
}

impl<'a> Estate<'a> {
    /// Indexes an inventory.
    pub fn new(inventory: &'a Inventory) -> Self {
        let mut estate = Self { by_address: BTreeMap::new(), by_kind: BTreeMap::new(), users: BTreeMap::new() };
        for resource in &inventory.resources {
            estate.by_address.insert(&resource.address, resource);
            estate.by_kind.entry(&resource.kind).or_default().push(resource);
            let targets: BTreeSet<&str> = resource.references.values().flatten().map(String::as_str).collect();
            for target in targets {
                estate.users.entry(target).or_default().push(resource);
            }
        }
        estate
    }

    /// The resource at an address; an address without index also finds the first instance.
    pub fn get(&self, address: &str) -> Option<&'a Resource> {
        self.by_address.get(address).copied().or_else(|| {
            let prefix = format!("{address}[");
            let (_, resource) = self.by_address.range(prefix.as_str()..).next()?;
            resource.address.starts_with(&prefix).then_some(*resource)
        })
    }

    /// All resources of a type.
    pub fn of_kind(&self, kind: &str) -> &[&'a Resource] {
        self.by_kind.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Resources of a type that refer to an address, by any attribute.
    pub fn users(&self, address: &str, kind: &str) -> Vec<&'a Resource> {
        let bare = address.rfind('[').map(|i| &address[..i]).filter(|_| address.ends_with(']'));
        let all = [Some(address), bare].into_iter().flatten().filter_map(|a| self.users.get(a)).flatten();
        let mut found: Vec<&Resource> = Vec::new();
        for resource in all.filter(|r| r.kind == kind) {
            if !found.iter().any(|f| f.address == resource.address) {
                found.push(resource);
            }
        }
        found
    }

    /// What an attribute of a resource refers to: a resource of one of the types, by reference, or by a name or id that
    /// the attribute spells out.
    pub fn referred(&self, resource: &Resource, path: &str, kinds: &[&str]) -> Option<&'a Resource> {
        let mut addresses = Addresses::new();
        let value = resource.values.at(path);
        if let Some(value) = value {
            value.addresses(&mut addresses);
        }
        addresses.extend(resource.references.get(path).into_iter().flatten().cloned());
        let by_reference = addresses.iter().filter_map(|a| self.get(a)).find(|r| kinds.contains(&r.kind.as_str()));
        by_reference.or_else(|| {
            let text = value?.as_text()?;
            let named = |r: &&Resource| {
                ["name", "id", "arn", "bucket", "identifier", "cluster_identifier"]
                    .iter()
                    .any(|key| r.values.at(key).and_then(Value::as_text).is_some_and(|own| own == text))
            };
            kinds.iter().flat_map(|kind| self.of_kind(kind)).copied().find(|r| named(r))
        })
    }
}
