//! Buying in portions, so that not everything is decided, and not everything ends, on one day.

use grid_model::time::{DAY_NS, HOUR_NS};
use grid_model::{Amount, Timestamp};

use super::offer::Offer;

/// A commitment that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    /// Its id.
    pub id: String,
    /// The lines it covers, as an offer's.
    pub rates: Vec<(String, super::offer::Ratio)>,
    /// Committed cost per hour.
    pub hourly: Amount,
    /// When it ends; `None` if that is not known: it then counts as lasting.
    pub ends: Option<Timestamp>,
}

impl Existing {
    /// Whether it is in force at an instant.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.ends.is_none_or(|end| end > at)
    }
}

/// One portion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tranche {
    /// When to buy.
    pub buy: Timestamp,
    /// Committed cost per hour.
    pub hourly: Amount,
    /// When it ends.
    pub ends: Timestamp,
}

/// Spreads `hourly` over at most `portions` purchases, `days_apart` days from each other. A commitment of the same
/// scope that ends on the way is replaced by the next portion, so that `existing` and what is bought reach `hourly` beyond what `existing` had at the start, step
/// by step and never above. Portions are multiples of the offer's step, and none is empty.
pub fn ladder(
    offer: &Offer,
    hourly: Amount,
    existing: &[Existing],
    now: Timestamp,
    portions: u32,
    days_apart: u32,
) -> Vec<Tranche> {
    let portions = portions.max(1);
    let same_scope = |e: &&Existing| e.rates.iter().any(|(key, _)| offer.rate(key).is_some());
    let alike: Vec<&Existing> = existing.iter().filter(same_scope).collect();
    let held = |at: Timestamp| alike.iter().filter(|e| e.holds(at)).map(|e| e.hourly.0).sum::<i128>();
    let at_start = held(now);
    let mut bought = 0;
    let mut out = Vec::new();
    for n in 0..portions {
        let buy = now.saturating_add(i64::from(n) * i64::from(days_apart) * DAY_NS);
        // The goal of this day: what was there at the start, and this day's share of what is to come.
        let goal = at_start + hourly.0 * i128::from(n + 1) / i128::from(portions);
        let missing = (goal - held(buy) - bought).max(0);
        let portion = if offer.step.0 > 0 { missing / offer.step.0 * offer.step.0 } else { missing };
        if portion > 0 {
            bought += portion;
            let term = i64::try_from(offer.term.hours()).unwrap_or(i64::MAX).saturating_mul(HOUR_NS);
            out.push(Tranche { buy, hourly: Amount(portion), ends: buy.saturating_add(term) });
        }
    }
    out
}
