//! What a commitment would have cost on demand that is known.
//!
//! Providers settle hour by hour: the commitment is spent on usage in its scope, deepest discount first, what is left of it is
//! lost, and what is left of the usage is paid on demand.

use grid_model::Amount;

use super::demand::Demand;
use super::offer::{Offer, Ratio};

/// Sums over the hours of a replay. Money at its own price: `used` and `committed` at committed prices, the rest at on-demand prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replay {
    /// How many hours.
    pub hours: usize,
    /// Usage in the offer's scope, all paid on demand: what doing nothing costs.
    pub eligible: Amount,
    /// Usage that the offer does not cover.
    pub ineligible: Amount,
    /// What the commitment costs.
    pub committed: Amount,
    /// The part of the commitment that met usage.
    pub used: Amount,
    /// What that usage would have cost on demand.
    pub covered: Amount,
}

impl Replay {
    /// Usage in scope beyond the commitment, at on-demand prices.
    pub fn overage(&self) -> Amount {
        Amount(self.eligible.0 - self.covered.0)
    }

    /// What usage in scope costs with the commitment.
    pub fn cost(&self) -> Amount {
        Amount(self.committed.0 + self.overage().0)
    }

    /// What the commitment saves; below zero if it costs more than it spares.
    pub fn saving(&self) -> Amount {
        Amount(self.eligible.0 - self.cost().0)
    }

    /// The part of the commitment that was lost.
    pub fn unused(&self) -> Amount {
        Amount(self.committed.0 - self.used.0)
    }

    /// Used over committed, 0 to 1; `None` without a commitment.
    pub fn utilisation(&self) -> Option<Amount> {
        self.used.over(self.committed)
    }

    /// Covered over usage in scope, 0 to 1; `None` without usage.
    pub fn coverage(&self) -> Option<Amount> {
        self.covered.over(self.eligible)
    }

    /// Covered over all usage, 0 to 1; `None` without usage.
    pub fn coverage_of_all(&self) -> Option<Amount> {
        self.covered.over(Amount(self.eligible.0 + self.ineligible.0))
    }
}

/// A demand as one offer sees it: per hour the lines in its scope, deepest discount first, at both prices. Made once, replayed at
/// many levels.
#[derive(Debug, Clone)]
pub struct Stack {
    hours: usize,
    width: usize,
    /// Committed and on-demand cost, `width` per hour.
    cells: Vec<(Amount, Amount)>,
    ineligible: Amount,
}

impl Stack {
    /// The demand in the order in which the offer is spent on it.
    pub fn new(demand: &Demand, offer: &Offer) -> Self {
        let mut scope: Vec<(Ratio, &[Amount])> = Vec::new();
        let mut ineligible = 0;
        for line in demand.lines() {
            match offer.rate(&line.key) {
                Some(rate) => scope.push((rate, &line.hourly)),
                None => ineligible += line.hourly.iter().map(|c| c.0).sum::<i128>(),
            }
        }
        scope.sort_by_key(|a| a.0);
        let cells = (0..demand.hours()).flat_map(|h| scope.iter().map(move |(rate, line)| (rate.of(line[h]), line[h])));
        Self { hours: demand.hours(), width: scope.len(), cells: cells.collect(), ineligible: Amount(ineligible) }
    }

    /// How many hours.
    pub fn hours(&self) -> usize {
        self.hours
    }

    /// Committed and on-demand cost of each line in scope, hour by hour, deepest discount first.
    pub fn by_hour(&self) -> impl Iterator<Item = &[(Amount, Amount)]> {
        // Without a line in scope every hour is empty, and there is none to walk.
        self.cells.chunks_exact(self.width.max(1))
    }

    /// What `hourly` of committed cost per hour would have done.
    pub fn replay(&self, hourly: Amount) -> Replay {
        let mut sums = Replay {
            hours: self.hours,
            ineligible: self.ineligible,
            committed: Amount(hourly.0 * self.hours as i128),
            ..Replay::default()
        };
        for hour in self.by_hour() {
            let (used, covered) = settle(hour, hourly);
            sums.used.0 += used.0;
            sums.covered.0 += covered.0;
            sums.eligible.0 += hour.iter().map(|(_, c)| c.0).sum::<i128>();
        }
        sums
    }
}

/// How much of a commitment one hour uses, and what of its usage that pays for, at on-demand prices.
pub(crate) fn settle(hour: &[(Amount, Amount)], hourly: Amount) -> (Amount, Amount) {
    let (mut left, mut covered) = (hourly, Amount::ZERO);
    for (committed, on_demand) in hour {
        if *committed <= left {
            left.0 -= committed.0;
            covered.0 += on_demand.0;
        } else {
            covered.0 += on_demand.mul_div(left.0, committed.0).unwrap_or(Amount::ZERO).0;
            left = Amount::ZERO;
            break;
        }
    }
    (Amount(hourly.0 - left.0), covered)
}
