//! When to commit without knowing the future: W. Wang, B. Li, B. Liang, "To Reserve or Not to Reserve: Optimal Online
//! Multi-Instance Acquisition in IaaS Clouds", arXiv:1305.5608.
//!
//! A unit reserved costs a fee for its whole term and `reserved` per hour of use, one on demand costs `on_demand` per hour. With
//! a = reserved / on_demand, the deterministic policy never pays more than 2 - a times what the best plan in hindsight pays, the
//! randomised one e / (e - 1 + a) times in expectation, and no policy can promise less. Commitments of today bill every hour, used or
//! not: their whole cost is the fee, a is 0, and the promises are 2 and e / (e - 1).
//!
//! The policy (the paper's Algorithm 1): whenever, over the last term, more hours saw demand above what is reserved than a
//! reservation takes to pay for itself, reserve one unit more, and count it in those past hours too, so that one history pays
//! for one reservation. Units are treated alike, so reserving until the condition ends is reserving the m-th largest of the last
//! term's excesses, m being the least number of hours that is enough. An hour's excess is its demand plus what had been reserved
//! until one term before it, minus all that has been reserved since: the first part never changes, so a sliding window keeps it
//! sorted, and an hour costs a logarithm of the term.

use std::collections::{BTreeSet, VecDeque};

use grid_model::Amount;

/// Prices of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contract {
    /// For the whole term, whether used or not.
    pub fee: Amount,
    /// Per hour on demand.
    pub on_demand: Amount,
    /// Per hour of use of a reserved unit.
    pub reserved: Amount,
    /// Hours for which a reservation holds.
    pub term_hours: usize,
}

impl Contract {
    /// The least number of hours in use after which the deterministic policy reserves: a reservation then would have paid for
    /// itself. `None` if that takes longer than the term.
    pub fn break_even_hours(&self) -> Option<usize> {
        let spared = self.on_demand.0 - self.reserved.0;
        if spared <= 0 || self.fee.0 < 0 {
            return None;
        }
        let hours = self.fee.0 / spared + 1;
        usize::try_from(hours).ok().filter(|h| *h <= self.term_hours)
    }

    /// The number of hours at which the randomised policy reserves, for a draw from [0, 1): its threshold z of spending, in fees, has
    /// density (1 - a) e^((1 - a) z) / (e - 1 + a) below 1 / (1 - a); with the rest of the mass, a / (e - 1 + a), it never reserves
    /// (`None`). So its expected cost is exactly e / (e - 1 + a) times the least, however long the demand lasts, as Karlin, Kenyon and
    /// Randall show of the Bahncard problem ("Dynamic TCP acknowledgement and other stories about e/(e-1)", STOC 2001). Were that
    /// rest put at 1 / (1 - a) itself, demand that goes on beyond it would cost more.
    pub fn random_hours(&self, draw: f64) -> Option<usize> {
        let longest = self.break_even_hours()?;
        // The threshold is a count of hours drawn at random; no money passes through a float.
        let a = self.reserved.0 as f64 / self.on_demand.0 as f64;
        let e = std::f64::consts::E;
        let whole = e - 1.0 + a;
        if draw >= (e - 1.0) / whole {
            return None;
        }
        let z = (draw * whole).ln_1p() / (1.0 - a);
        let hours = (z * self.fee.0 as f64 / self.on_demand.0 as f64).floor() as usize + 1;
        Some(hours.min(longest))
    }
}

/// What the policy does in one hour, in units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// Reserved now.
    pub reserve: Amount,
    /// Reserved and in force, what is reserved now included.
    pub active: Amount,
    /// On demand.
    pub on_demand: Amount,
}

/// The policy, fed one hour of demand after the other.
#[derive(Debug, Clone)]
pub struct Policy {
    term: usize,
    /// Hours that are enough; `None` = never reserve.
    enough: Option<usize>,
    hour: usize,
    /// Everything reserved so far.
    reserved: i128,
    /// `reserved` after each of the last `term` hours, oldest first.
    past: VecDeque<i128>,
    /// The fixed part of the excess of each of the last `term` hours, oldest first.
    window: VecDeque<i128>,
    /// The `enough` largest of the window, and the others, each with its hour.
    top: BTreeSet<(i128, usize)>,
    rest: BTreeSet<(i128, usize)>,
}

impl Policy {
    /// The deterministic policy.
    pub fn deterministic(contract: &Contract) -> Self {
        Self::new(contract, contract.break_even_hours())
    }

    /// The randomised policy for one draw from [0, 1).
    pub fn randomised(contract: &Contract, draw: f64) -> Self {
        Self::new(contract, contract.random_hours(draw))
    }

    /// The policy that reserves after so many hours in use within a term; `None` = never.
    pub fn new(contract: &Contract, enough: Option<usize>) -> Self {
        Self {
            term: contract.term_hours,
            enough,
            hour: 0,
            reserved: 0,
            past: VecDeque::new(),
            window: VecDeque::new(),
            top: BTreeSet::new(),
            rest: BTreeSet::new(),
        }
    }

    /// Decides for the next hour.
    pub fn step(&mut self, demand: Amount) -> Step {
        // What had been reserved until one term ago is no longer in force.
        let expired = if self.past.len() == self.term { self.past.pop_front().unwrap_or(0) } else { 0 };
        let before = self.reserved;
        if let Some(enough) = self.enough {
            self.slide(demand.0 + expired, enough);
            if self.top.len() == enough
                && let Some((excess, _)) = self.top.first()
            {
                self.reserved = self.reserved.max(*excess);
            }
        }
        self.past.push_back(self.reserved);
        self.hour += 1;
        let active = self.reserved - expired;
        Step {
            reserve: Amount(self.reserved - before),
            active: Amount(active),
            on_demand: Amount((demand.0 - active).max(0)),
        }
    }

    /// Moves the window one hour on.
    fn slide(&mut self, key: i128, enough: usize) {
        if self.window.len() == self.term {
            let old = (self.window.pop_front().unwrap_or(0), self.hour - self.term);
            if !self.rest.remove(&old) {
                self.top.remove(&old);
                if let Some(next) = self.rest.pop_last() {
                    self.top.insert(next);
                }
            }
        }
        self.window.push_back(key);
        self.top.insert((key, self.hour));
        if self.top.len() > enough
            && let Some(least) = self.top.pop_first()
        {
            self.rest.insert(least);
        }
    }
}

/// What a policy pays for a whole demand, in whole units or parts of them. `None` if that does not fit.
pub fn cost(policy: &mut Policy, contract: &Contract, demand: &[Amount]) -> Option<Amount> {
    let mut total = Amount::ZERO;
    for units in demand {
        let step = policy.step(*units);
        let parts = [
            (step.reserve, contract.fee),
            (step.on_demand, contract.on_demand),
            (Amount(units.0 - step.on_demand.0), contract.reserved),
        ];
        for (quantity, price) in parts {
            total = total.checked_add(quantity.times(price)?)?;
        }
    }
    Some(total)
}
