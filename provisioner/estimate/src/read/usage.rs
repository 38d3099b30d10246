//! How much each resource will be used, in the format of Infracost's usage files:
//!
//! ```yaml
//! version: 0.1
//! resource_type_default_usage:
//!   aws_lambda_function:
//!     monthly_requests: 1000
//! resource_usage:
//!   aws_lambda_function.hello:
//!     monthly_requests: 1000000
//!   aws_lambda_function.each[*]:
//!     monthly_requests: 10
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::ReadError;
use crate::limits::FILE_BYTES_MAX;
use crate::resource::Inventory;
use crate::value::Value;

/// Stated usage, by address and by type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    by_address: BTreeMap<String, Value>,
    by_kind: BTreeMap<String, Value>,
}

impl Usage {
    /// Reads a usage file. Where a key stands twice, the later one counts.
    pub fn read(name: &str, text: &str) -> Result<Self, ReadError> {
        if text.len() > FILE_BYTES_MAX {
            return Err(ReadError::TooLarge { what: name.to_owned(), bytes: text.len(), max: FILE_BYTES_MAX });
        }
        let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
        let document: Option<serde_json::Value> = serde_saphyr::from_str_with_options(text, options).map_err(|e| {
            ReadError::Malformed { what: name.to_owned(), format: "YAML", why: e.to_string().replace('\n', " ") }
        })?;
        let part = |key: &str| match document.as_ref().and_then(|d| d.get(key)) {
            Some(part) => match Value::of_json(part) {
                Value::Map(entries) => Ok(entries),
                Value::Null => Ok(BTreeMap::new()),
                _ => Err(ReadError::Malformed {
                    what: name.to_owned(),
                    format: "a usage file",
                    why: format!("{key} is not a map"),
                }),
            },
            None => Ok(BTreeMap::new()),
        };
        let (mut by_address, mut by_kind) = (part("resource_usage")?, part("resource_type_default_usage")?);
        // A type among the addresses means all of it.
        let kinds: Vec<String> = by_address.keys().filter(|k| !k.contains('.')).cloned().collect();
        for kind in kinds {
            if let Some(usage) = by_address.remove(&kind) {
                by_kind.entry(kind).or_insert(usage);
            }
        }
        Ok(Self { by_address, by_kind })
    }

    /// States one thing for every resource of a type that does not say otherwise.
    pub fn default_for(&mut self, kind: &str, key: &str, value: &str) {
        let entry = self.by_kind.entry(kind.to_owned()).or_insert_with(|| Value::Map(BTreeMap::new()));
        if let Value::Map(entries) = entry {
            entries.entry(key.to_owned()).or_insert_with(|| Value::text(value));
        }
    }

    /// What is stated for a resource: by its address, else by `name[*]`, and what neither says by its type.
    pub fn of(&self, address: &str, kind: &str) -> Value {
        let wildcard = || {
            let open = address.ends_with(']').then(|| address.find("[\"").or_else(|| address.rfind('[')))??;
            self.by_address.get(&format!("{}[*]", &address[..open]))
        };
        let own = self.by_address.get(address).filter(|v| **v != Value::Null).or_else(wildcard);
        match (own, self.by_kind.get(kind)) {
            (Some(Value::Map(own)), Some(Value::Map(default))) => {
                let mut merged = default.clone();
                merged.extend(own.iter().map(|(k, v)| (k.clone(), v.clone())));
                Value::Map(merged)
            }
            (Some(own), _) => own.clone(),
            (None, Some(default)) => default.clone(),
            (None, None) => Value::Null,
        }
    }

    /// Addresses with usage that no resource has: most often a typing error.
    pub fn unmatched(&self, inventory: &Inventory) -> Vec<String> {
        let mut known: BTreeSet<String> = BTreeSet::new();
        for resource in &inventory.resources {
            known.insert(resource.address.clone());
            if let Some(open) = resource.address.find("[\"").or_else(|| resource.address.rfind('[')) {
                known.insert(format!("{}[*]", &resource.address[..open]));
            }
        }
        self.by_address.keys().filter(|a| !known.contains(*a)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_address_wildcard_and_type() {
        let text = "version: 0.1\nresource_type_default_usage:\n  aws_a:\n    x: 1\n    y: 2\nresource_usage:\n  aws_a.one:\n  aws_a.one:\n    \
                    x: 3_000\n    deep:\n      z: 0.00987\n  aws_a.many[*]:\n    x: 5\n";
        let usage = Usage::read("usage.yml", text).unwrap();
        let x = |address: &str| usage.of(address, "aws_a").at("x").and_then(Value::as_number).map(|n| n.to_string());
        assert_eq!(x("aws_a.one").as_deref(), Some("3000"));
        assert_eq!(x("aws_a.many[\"k\"]").as_deref(), Some("5"));
        assert_eq!(x("aws_a.many[3]").as_deref(), Some("5"));
        assert_eq!(x("aws_a.other").as_deref(), Some("1"));
        assert_eq!(usage.of("aws_a.one", "aws_a").at("y").and_then(Value::as_text).as_deref(), Some("2"));
        let z = usage.of("aws_a.one", "aws_a").at("deep.z").and_then(Value::as_number);
        assert_eq!(z.map(|n| n.to_string()).as_deref(), Some("0.00987"));
        assert_eq!(usage.of("aws_b.x", "aws_b"), Value::Null);
        assert_eq!(usage.unmatched(&Inventory::default()), ["aws_a.many[*]", "aws_a.one"]);
    }

    #[test]
    fn what_is_no_usage_file() {
        for (text, why) in [("resource_usage: 3", "resource_usage is not a map"), ("a: [", "YAML")] {
            let error = Usage::read("u.yml", text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert_eq!(Usage::read("u.yml", "").unwrap(), Usage::default());
    }
}
