//! What has moved away from what Grid last knew, the most dangerous and the dearest first.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::address::Address;
use crate::cost::{Cost, Prices};
use crate::field::{Path, same, same_set};
use crate::kinds::{Kinds, Role};
use crate::lint::widens;
use crate::state::State;

/// What has happened to a resource behind Grid's back.
#[derive(Debug, Clone, PartialEq)]
pub enum Moved {
    /// Fields that Grid has set have other values: path, what was set, what is there.
    Changed(Vec<(Path, Option<Value>, Option<Value>)>),
    /// It is gone.
    Gone,
    /// It is there and nobody knows it.
    Orphan,
}

/// How bad it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// It costs money at most.
    Low,
    /// Something that runs is not as it was wanted.
    Medium,
    /// Data, secrets or who may reach what.
    High,
}

impl Risk {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One resource that has moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Which.
    pub address: Address,
    /// How.
    pub moved: Moved,
    /// How bad it may be.
    pub risk: Risk,
    /// Why that.
    pub why: String,
    /// What it adds a month against what was known; for an orphan all that it costs.
    pub cost: Cost,
}

/// All that differs between what was last known and what is there: by risk, then unknown money, then money (either sign), then address.
pub fn drift(known: &State, there: &State, kinds: &Kinds, prices: &dyn Prices) -> Vec<Drift> {
    let all: BTreeSet<&Address> = known.resources.keys().chain(there.resources.keys()).collect();
    let mut found: Vec<Drift> = all.into_iter().filter_map(|a| of_one(a, known, there, kinds, prices)).collect();
    found.sort_by(|a, b| {
        // What nobody can price is looked at before what is known to be small.
        let money = |d: &Drift| d.cost.known().map_or(i128::MAX, |r| r.likely.0.abs());
        b.risk.cmp(&a.risk).then_with(|| money(b).cmp(&money(a))).then_with(|| a.address.cmp(&b.address))
    });
    found
}

fn of_one(address: &Address, known: &State, there: &State, kinds: &Kinds, prices: &dyn Prices) -> Option<Drift> {
    let (before, now) = (known.resources.get(address), there.resources.get(address));
    let role = kinds.role(address.kind());
    let (moved, (risk, why)) = match (before, now) {
        (Some(before), Some(now)) => {
            let kind = kinds.get(address.kind());
            let is_same = |path: &Path, a: Option<&Value>, b: Option<&Value>| match (a, b) {
                (Some(a), Some(b)) if kind.is_some_and(|k| k.is_unordered(path)) => same_set(a, b),
                (Some(a), Some(b)) => same(a, b),
                (a, b) => a.is_none() && b.is_none(),
            };
            let ours = |path: &&Path| {
                before.managed.iter().any(|m| m.holds(path)) && !kind.is_some_and(|k| k.is_computed(path))
            };
            let paths: BTreeSet<&Path> =
                before.fields.iter().chain(now.fields.iter()).map(|(p, _)| p).filter(ours).collect();
            let changed: Vec<_> = paths
                .into_iter()
                .map(|p| (p.clone(), before.fields.get(p).cloned(), now.fields.get(p).cloned()))
                .filter(|(p, a, b)| !is_same(p, a.as_ref(), b.as_ref()))
                .collect();
            if changed.is_empty() {
                return None;
            }
            let risk = changed_risk(role, &changed);
            (Moved::Changed(changed), risk)
        }
        (Some(_), None) if role.is_stateful() => (Moved::Gone, (Risk::High, "it held data and is gone")),
        (Some(_), None) => (Moved::Gone, (Risk::Medium, "it is gone")),
        (None, Some(_)) if matches!(role, Role::Firewall | Role::Identity) => {
            (Moved::Orphan, (Risk::High, "nobody knows who may reach what through it"))
        }
        (None, _) => (Moved::Orphan, (Risk::Low, "nobody knows it, and it costs money")),
    };
    let cost = prices.delta(address, before.map(|o| &o.fields), now.map(|o| &o.fields));
    Some(Drift { address: address.clone(), moved, risk, why: why.to_owned(), cost })
}

fn changed_risk(role: Role, changed: &[(Path, Option<Value>, Option<Value>)]) -> (Risk, &'static str) {
    if changed.iter().any(|(p, before, now)| widens(p, before.as_ref(), now.as_ref())) {
        return (Risk::High, "more may reach it than was wanted");
    }
    match role {
        Role::Firewall | Role::Identity => (Risk::High, "who may do or reach what has changed"),
        Role::Data | Role::Database => (Risk::High, "something that holds data has changed"),
        Role::Network => (Risk::Medium, "others reach each other through it"),
        Role::Compute => (Risk::Medium, "it does not run as it was wanted"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::plan::tests::{PerCpu, state};
    use serde_json::json;

    #[test]
    fn risk_comes_first_then_money() {
        let known = state(
            "prod",
            json!({"vm.a": {"cpu": 2}, "vm.b": {"cpu": 2}, "postgresql.c": {"cpu": 1}, "vm.same": {"cpu": 1, "l": [1]},
                   "firewall.f": {"allow": ["10.0.0.0/8"]}}),
        );
        let there = state(
            "prod",
            json!({"vm.a": {"cpu": 64}, "vm.o": {"cpu": 3}, "disk.u": {"unpriced": true}, "vm.same": {"cpu": 1.0, "l": [1]},
                   "firewall.f": {"allow": ["0.0.0.0/0"]}}),
        );
        let shown: Vec<String> = drift(&known, &there, &Kinds::roles(), &PerCpu)
            .into_iter()
            .map(|d| {
                let money = d.cost.known().map_or("?".to_owned(), |r| r.likely.to_string());
                format!("{} {} {money} {}", d.risk.name(), d.address, d.why)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "high postgresql.c -10 it held data and is gone",
                "high firewall.f 0 more may reach it than was wanted",
                "medium vm.a 620 it does not run as it was wanted",
                "medium vm.b -20 it is gone",
                "low disk.u ? nobody knows it, and it costs money",
                "low vm.o 30 nobody knows it, and it costs money",
            ]
        );
    }
}
