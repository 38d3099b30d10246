//! Two estimates side by side: before and after a plan, or two options (region, size, cloud, commitment); and a budget.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::Amount;

use crate::estimate::{Estimate, Estimated, Total};

/// How a resource differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Only after.
    Added,
    /// Only before.
    Removed,
    /// Both, with another cost.
    Changed,
    /// Both, with the same.
    Same,
}

/// One resource before and after.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// Before, if it was there.
    pub before: Option<&'a Estimated>,
    /// After, if it is there.
    pub after: Option<&'a Estimated>,
    /// How it differs.
    pub change: Change,
    /// After minus before, of what is known.
    pub difference: Amount,
    /// Whether something of either side is unknown: the difference is then no more than that of the known parts.
    pub certain: bool,
}

/// What changes from one estimate to another.
#[derive(Debug, Clone)]
pub struct Comparison<'a> {
    /// Every resource of either, by address.
    pub pairs: BTreeMap<&'a str, Pair<'a>>,
    /// The sum of the differences.
    pub difference: Amount,
    /// Whether both totals are known whole.
    pub certain: bool,
}

fn difference(before: Amount, after: Amount) -> Amount {
    Amount(after.0.saturating_sub(before.0))
}

/// Compares two estimates in the same currency; `None` if their currencies differ.
pub fn compare<'a>(before: &'a Estimate, after: &'a Estimate) -> Option<Comparison<'a>> {
    if before.currency != after.currency {
        return None;
    }
    let by_address = |e: &'a Estimate| e.resources.iter().map(|r| (r.address.as_str(), r)).collect::<BTreeMap<_, _>>();
    let (old, new) = (by_address(before), by_address(after));
    let addresses: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let pairs = addresses.into_iter().map(|address| {
        let (before, after) = (old.get(address).copied(), new.get(address).copied());
        let total = |e: Option<&Estimated>| e.map_or_else(Total::default, |e| e.total);
        let (from, to) = (total(before), total(after));
        let change = match (before, after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ if from == to => Change::Same,
            _ => Change::Changed,
        };
        let certain = from.unknown == 0 && to.unknown == 0;
        (address, Pair { before, after, change, difference: difference(from.monthly, to.monthly), certain })
    });
    Some(Comparison {
        pairs: pairs.collect(),
        difference: difference(before.total.monthly, after.total.monthly),
        certain: before.total.unknown == 0 && after.total.unknown == 0,
    })
}

/// How an estimate stands against a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is known and within the budget.
    Within,
    /// What is known is already above it.
    Above,
    /// What is known is within, but something is not known: it cannot be said.
    Unknown,
}

/// Holds an estimate against a monthly budget in the same currency. What depends on unstated usage is not held against it.
pub fn budget(total: &Total, budget: Amount) -> Verdict {
    if total.monthly > budget {
        Verdict::Above
    } else if total.unknown > 0 {
        Verdict::Unknown
    } else {
        Verdict::Within
    }
}
