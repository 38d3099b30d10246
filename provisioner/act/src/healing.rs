//! What repairs itself, and how often it may: a thing that is restarted every minute is not healed but hidden.

use std::collections::BTreeMap;

use grid_model::Timestamp;
use grid_plan::Address;

use crate::limits::REPAIRS_MAX;

/// A repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repair {
    /// Start it again.
    Restart,
    /// Give it more.
    Scale,
    /// Make it anew.
    Replace,
    /// Take the last release back.
    RollBack,
}

impl Repair {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Scale => "scale",
            Self::Replace => "replace",
            Self::RollBack => "roll back",
        }
    }
}

/// How often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Repairs of one resource within the window.
    pub per_resource: usize,
    /// Repairs of an environment within the window: when everything is broken, repairing each alone is wrong.
    pub per_environment: usize,
    /// The window, in nanoseconds.
    pub window_ns: i64,
    /// The shortest time between two repairs of one resource, in nanoseconds.
    pub pause_ns: i64,
    /// Repairs that may be made by themselves at all.
    pub allowed: Vec<Repair>,
}

/// Why something is not repaired: a person has to look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not this one.
    #[error("policy does not let Grid {} anything by itself", .0.name())]
    NotAllowed(Repair),
    /// It was repaired a moment ago.
    #[error("{address} was repaired at {last}; it is left alone until {until}")]
    TooSoon {
        /// Which.
        address: Address,
        /// When.
        last: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// It was repaired often.
    #[error("{address} was repaired {times} times within the window: that does not help it")]
    Resource {
        /// Which.
        address: Address,
        /// How often.
        times: usize,
    },
    /// Many were.
    #[error("{0} repairs within the window are as many as may be")]
    Environment(usize),
}

/// What was repaired when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repairs(BTreeMap<Address, Vec<(Timestamp, Repair)>>);

impl Repairs {
    /// Writes down one that was made earlier, in order of time.
    pub fn remember(&mut self, address: &Address, repair: Repair, at: Timestamp) {
        self.0.entry(address.clone()).or_default().push((at, repair));
    }

    /// Asks for a repair; if it may be made it is written down.
    pub fn ask(&mut self, address: &Address, repair: Repair, budget: &Budget, now: Timestamp) -> Result<(), Denied> {
        if !budget.allowed.contains(&repair) {
            return Err(Denied::NotAllowed(repair));
        }
        let since = Timestamp(now.0.saturating_sub(budget.window_ns));
        for repairs in self.0.values_mut() {
            repairs.retain(|(at, _)| *at > since);
        }
        self.0.retain(|_, repairs| !repairs.is_empty());
        let own = self.0.get(address).map(Vec::as_slice).unwrap_or_default();
        if let Some((last, _)) = own.last()
            && last.saturating_add(budget.pause_ns) > now
        {
            let until = last.saturating_add(budget.pause_ns);
            return Err(Denied::TooSoon { address: address.clone(), last: *last, until });
        }
        if own.len() >= budget.per_resource.min(REPAIRS_MAX) {
            return Err(Denied::Resource { address: address.clone(), times: own.len() });
        }
        let all: usize = self.0.values().map(Vec::len).sum();
        if all >= budget.per_environment {
            return Err(Denied::Environment(all));
        }
        self.0.entry(address.clone()).or_default().push((now, repair));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn repairs_have_budgets() {
        let budget = Budget {
            per_resource: 2,
            per_environment: 3,
            window_ns: 100,
            pause_ns: 10,
            allowed: vec![Repair::Restart],
        };
        let mut repairs = Repairs::default();
        let mut check = |name: &str, repair, now, expected: &str| {
            let answer = repairs.ask(&Address::parse(name).unwrap(), repair, &budget, Timestamp(now));
            let shown = answer.map_or_else(|e| e.to_string(), |()| "yes".to_owned());
            assert!(shown.contains(expected), "{name} {now}: {shown}");
        };
        check("vm.a", Repair::Replace, 0, "does not let Grid replace");
        check("vm.a", Repair::Restart, 0, "yes");
        check("vm.a", Repair::Restart, 9, "left alone until");
        check("vm.a", Repair::Restart, 10, "yes");
        check("vm.a", Repair::Restart, 20, "2 times within the window");
        check("vm.b", Repair::Restart, 20, "yes");
        check("vm.c", Repair::Restart, 20, "3 repairs within the window");
        check("vm.a", Repair::Restart, 105, "yes");
        check("vm.c", Repair::Restart, 111, "yes");
    }
}
