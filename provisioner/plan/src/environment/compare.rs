//! How two environments differ, and who made them differ.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Effective, Source};
use crate::address::Address;
use crate::field::{Path, same};

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The resource.
    pub address: Address,
    /// The field; the root if the one has the resource and the other has not.
    pub path: Path,
    /// What the first has, and who wants it if not the blueprint.
    pub first: Side,
    /// What the second has.
    pub second: Side,
}

/// One side of a difference.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Side {
    /// The value; `None` if there is none.
    pub value: Option<Value>,
    /// Who wants it, if not the blueprint.
    pub by: Option<Source>,
}

/// All differences, by resource and field.
pub fn compare(first: &Effective, second: &Effective) -> Vec<Difference> {
    let mut found = Vec::new();
    let all: BTreeSet<&Address> = first.0.keys().chain(second.0.keys()).collect();
    for address in all {
        match (first.0.get(address), second.0.get(address)) {
            (Some(a), Some(b)) => {
                let paths: BTreeSet<&Path> = a.fields.iter().chain(b.fields.iter()).map(|(p, _)| p).collect();
                for path in paths {
                    let (x, y) = (a.fields.get(path), b.fields.get(path));
                    let is_same = match (x, y) {
                        (Some(x), Some(y)) => same(x, y),
                        (x, y) => x.is_none() && y.is_none(),
                    };
                    if !is_same {
                        let first = Side { value: x.cloned(), by: a.source(path).cloned() };
                        let second = Side { value: y.cloned(), by: b.source(path).cloned() };
                        found.push(Difference { address: address.clone(), path: path.clone(), first, second });
                    }
                }
            }
            (a, b) => {
                let side = |w: Option<&super::Wanted>| Side { value: w.map(|w| w.fields.to_json()), by: None };
                let (first, second) = (side(a), side(b));
                found.push(Difference { address: address.clone(), path: Path::root(), first, second });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::environment::tests::{blueprint, set};
    use crate::environment::{Environment, Override, Writer, effective};
    use crate::kinds::Kinds;
    use serde_json::json;

    #[test]
    fn differences_carry_who_made_them() {
        let blueprint = blueprint("1", json!({"vm.a": {"cpu": 2, "zone": "x"}, "vm.b": {"cpu": 1}}));
        let of = |overrides: &[Override]| {
            effective(&blueprint, &Environment::default(), overrides, &Kinds::default()).unwrap()
        };
        let out = Override { to: None, path: Path::root(), ..set("vm.b", "x", json!(1), Writer::People) };
        let (dev, prod) = (of(&[out]), of(&[set("vm.a", "cpu", json!(8), Writer::Recommendation("r".to_owned()))]));
        let shown: Vec<String> = compare(&dev, &prod)
            .into_iter()
            .map(|d| {
                let side = |s: &Side| {
                    let value = s.value.as_ref().map_or("-".to_owned(), Value::to_string);
                    match &s.by {
                        Some(Source::Written(by)) => format!("{value} ({})", by.writer),
                        _ => value,
                    }
                };
                format!("{} {} {} | {}", d.address, d.path, side(&d.first), side(&d.second))
            })
            .collect();
        assert_eq!(shown, ["vm.a cpu 2 | 8 (recommendation r)", "vm.b  - | {\"cpu\":1}"]);
        assert_eq!(compare(&dev, &dev), []);
    }
}
