//! What to buy now.
//!
//! Per offer, the level is the least of the best levels in hindsight over the last 7, 30, 60 and 90 days, as far as they are
//! there. On steady demand these agree; where demand has just fallen, the short window says so, where it spiked, the long ones do.
//! Commitments in force are subtracted first. Every number can be replayed: it comes from [`Stack::replay`].

use grid_model::{Amount, Timestamp};

use super::demand::Demand;
use super::ladder::{Existing, Tranche, ladder};
use super::offer::{MONTH_HOURS, Offer, Term};
use super::online::{Contract, Policy};
use super::optimum::{in_steps, optimum};
use super::replay::{Replay, Stack};
use super::risk::{Risk, risk};
use crate::NotEnoughData;

/// Most offers of one recommendation.
pub const OFFERS_MAX: usize = 256;

/// What a recommendation may assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Lookback windows, in days, rising.
    pub windows_days: Vec<u32>,
    /// Days of demand below which there is no answer.
    pub days_min: u32,
    /// Days of demand below which no three years are advised, however much they would save.
    pub three_years_days_min: u32,
    /// A commitment must still save if demand falls by this much, in percent.
    pub tolerated_fall_percent: u32,
    /// Futures that the bootstrap draws.
    pub paths: u32,
    /// The seed that draws them.
    pub seed: u64,
    /// Portions in which to buy.
    pub portions: u32,
    /// Days between portions.
    pub days_apart: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            windows_days: vec![7, 30, 60, 90],
            days_min: 14,
            three_years_days_min: 90,
            tolerated_fall_percent: 10,
            paths: 500,
            seed: 1,
            portions: 4,
            days_apart: 30,
        }
    }
}

/// One window's replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its days.
    pub days: u32,
    /// The level with the least cost over it, in committed cost per hour.
    pub best: Amount,
    /// What that level would have cost.
    pub best_cost: Amount,
    /// What the level that is recommended would have done.
    pub replay: Replay,
}

impl Window {
    /// What the recommended level costs beyond the best one.
    pub fn regret(&self) -> Amount {
        Amount(self.replay.cost().0 - self.best_cost.0)
    }
}

/// One offer at the level that suits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The offer.
    pub offer: Offer,
    /// Committed cost per hour; zero if nothing should be bought.
    pub hourly: Amount,
    /// The replays, shortest window first.
    pub windows: Vec<Window>,
    /// Paid at once.
    pub upfront: Amount,
    /// Paid per month of 730 hours beside it.
    pub monthly: Amount,
    /// Saved per month of 730 hours, at the rate of the longest window.
    pub monthly_saving: Amount,
    /// Months of use at the rate of the longest window after which the whole commitment is cheaper than on demand, even if nothing is used
    /// thereafter; `None` if the term ends first.
    pub break_even_months: Option<Amount>,
    /// The level that the deterministic online policy has reached on this history, in committed cost per hour: its cost never exceeds twice
    /// that of the best plan in hindsight, whatever comes.
    pub guaranteed_hourly: Amount,
    /// What if demand falls.
    pub risk: Risk,
    /// When to buy what.
    pub ladder: Vec<Tranche>,
}

impl Candidate {
    /// The longest window.
    pub fn longest(&self) -> Option<&Window> {
        self.windows.last()
    }

    /// Whether it saves, and would still save if demand fell by `percent`.
    fn bears(&self, demand: &Demand, percent: u32) -> bool {
        self.hourly > Amount::ZERO
            && self.longest().is_some_and(|w| w.replay.saving() > Amount::ZERO)
            && Stack::new(&demand.fallen_by(percent), &self.offer).replay(self.hourly).saving() > Amount::ZERO
    }
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Buy the candidate at this place.
    Buy(usize),
    /// No offer covers any of the demand that is left after the commitments in force.
    NothingToCover,
    /// No offer saves, or none would if demand fell by what is tolerated.
    NothingSaves,
    /// Only offers of three years save, and there is too little demand to bind oneself for so long.
    TooLittleForTerm,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recommendation {
    /// Hours of demand that it rests on.
    pub hours: usize,
    /// What to do.
    pub advice: Advice,
    /// Every offer, the one that saves most first.
    pub candidates: Vec<Candidate>,
}

/// Weighs offers against demand at on-demand prices, of which `existing` commitments in force at `now` take their part first.
pub fn recommend(
    demand: &Demand,
    offers: &[Offer],
    existing: &[Existing],
    now: Timestamp,
    settings: &Settings,
) -> Result<Recommendation, NotEnoughData> {
    let need = settings.days_min as usize * 24;
    if demand.hours() < need.max(24) {
        return Err(NotEnoughData { have: demand.hours(), need: need.max(24) });
    }
    Ok(advise(&uncovered(demand, existing, now), offers, existing, now, settings))
}

/// What is left of demand once the commitments in force at `now` have taken their part.
pub fn uncovered(demand: &Demand, existing: &[Existing], now: Timestamp) -> Demand {
    let in_force = existing.iter().filter(|e| e.holds(now));
    in_force.fold(demand.clone(), |open, held| open.without(&held.rates, held.hourly))
}

/// Weighs offers against demand of which commitments have taken their part already ([`uncovered`]); `existing` are replaced in the
/// ladder as they end.
pub fn advise(
    open: &Demand,
    offers: &[Offer],
    existing: &[Existing],
    now: Timestamp,
    settings: &Settings,
) -> Recommendation {
    let windows = windows(open, settings);
    let mut candidates: Vec<Candidate> =
        offers.iter().take(OFFERS_MAX).map(|o| candidate(o, open, &windows, existing, now, settings)).collect();
    candidates.sort_by(|a, b| b.monthly_saving.cmp(&a.monthly_saving).then(a.offer.name.cmp(&b.offer.name)));
    let longest = windows.last().map_or(open, |(_, d)| d);
    let covers = |c: &Candidate| c.longest().is_some_and(|w| w.replay.eligible > Amount::ZERO);
    let bears = |c: &Candidate| c.bears(longest, settings.tolerated_fall_percent);
    let long_enough = open.hours() >= settings.three_years_days_min as usize * 24;
    let advice = if let Some(at) =
        candidates.iter().position(|c| (long_enough || c.offer.term != Term::ThreeYears) && bears(c))
    {
        Advice::Buy(at)
    } else if candidates.iter().any(bears) {
        Advice::TooLittleForTerm
    } else if candidates.iter().any(covers) {
        Advice::NothingSaves
    } else {
        Advice::NothingToCover
    };
    Recommendation { hours: open.hours(), advice, candidates }
}

/// The windows that are there; all of the demand if it is shorter than every one of them.
fn windows(demand: &Demand, settings: &Settings) -> Vec<(u32, Demand)> {
    let whole_days = (demand.hours() / 24) as u32;
    let fitting = settings.windows_days.iter().copied().filter(|d| *d > 0 && *d <= whole_days);
    let mut out: Vec<(u32, Demand)> = fitting.map(|days| (days, demand.last(days as usize * 24))).collect();
    if out.is_empty() {
        out.push((whole_days, demand.last(whole_days as usize * 24)));
    }
    out
}

fn candidate(
    offer: &Offer,
    open: &Demand,
    windows: &[(u32, Demand)],
    existing: &[Existing],
    now: Timestamp,
    settings: &Settings,
) -> Candidate {
    let stacks: Vec<(u32, Stack)> = windows.iter().map(|(days, d)| (*days, Stack::new(d, offer))).collect();
    let best: Vec<(Amount, Replay)> = stacks.iter().map(|(_, s)| optimum(s)).collect();
    let least = best.iter().map(|(level, _)| *level).min().unwrap_or(Amount::ZERO);
    let hourly = stacks.last().map_or(Amount::ZERO, |(_, longest)| in_steps(longest, least, offer.step));
    let windows: Vec<Window> = stacks
        .iter()
        .zip(&best)
        .map(|((days, stack), (level, best))| Window {
            days: *days,
            best: *level,
            best_cost: best.cost(),
            replay: stack.replay(hourly),
        })
        .collect();
    let last = windows.last().map(|w| w.replay).unwrap_or_default();
    let per_month = |sum: Amount| sum.mul_div(MONTH_HOURS, last.hours.max(1) as i128).unwrap_or(Amount::ZERO);
    let whole = offer.whole(hourly);
    let upfront = offer.payment.upfront(whole);
    let monthly = Amount((whole.0 - upfront.0) / offer.term.months() as i128);
    let months = Amount(offer.term.months() as i128 * 10_i128.pow(18));
    let judged = open.last(last.hours);
    Candidate {
        hourly,
        upfront,
        monthly,
        monthly_saving: per_month(last.saving()),
        break_even_months: whole.over(per_month(last.covered)).filter(|m| *m > Amount::ZERO && *m <= months),
        guaranteed_hourly: guaranteed(offer, &Stack::new(open, offer)),
        risk: risk(&judged, offer, hourly, settings.paths, settings.seed),
        ladder: ladder(offer, hourly, existing, now, settings.portions, settings.days_apart),
        windows,
        offer: offer.clone(),
    }
}

/// The level in force after the deterministic policy has seen all of the demand. Its unit is one currency unit of usage per hour at
/// on-demand prices, at the share that the offer has on the whole of its scope.
fn guaranteed(offer: &Offer, stack: &Stack) -> Amount {
    let sum = |hour: &[(Amount, Amount)]| hour.iter().fold((0, 0), |(c, d), (x, y)| (c + x.0, d + y.0));
    let (committed, on_demand) = stack.by_hour().map(sum).fold((0, 0), |(c, d), (x, y)| (c + x, d + y));
    let one = Amount(10_i128.pow(18));
    let Some(share) = Amount(committed).over(Amount(on_demand)) else { return Amount::ZERO };
    let fee = Amount(share.0 * offer.term.hours() as i128);
    let contract = Contract { fee, on_demand: one, reserved: Amount::ZERO, term_hours: offer.term.hours() };
    let mut policy = Policy::deterministic(&contract);
    let active = stack.by_hour().map(|hour| policy.step(Amount(sum(hour).1)).active).last().unwrap_or(Amount::ZERO);
    active.times(share).unwrap_or(Amount::ZERO)
}
