//! Machines that may be interrupted: groups whose work comes in bursts and can be done again, at the price of spare capacity.
//!
//! What may be interrupted nobody can see from outside. Told are only groups of machines that rest for most of their hours, as batch work does, or that are
//! named so; and only where a price of spare capacity is known.

use grid_model::Amount;

use crate::robust::quantile;
use crate::size::{MONTH_HOURS, Price, Saving};

/// The name of the model.
pub const MODEL: &str = "spot-bursts";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 1;
/// Probability of an interruption within a month that is assumed if nothing better is known: the middle band of AWS' Spot advisor (10 to 15%).
pub const INTERRUPTED_A_MONTH: f64 = 0.125;
/// Part of the hours in which batch work rests.
const RESTING: f64 = 0.5;
/// Use of its peak below which it rests.
const REST_BELOW: f64 = 0.15;
/// Names of groups whose work can be done again.
const WORDS: [&str; 8] = ["batch", "spot", "worker", "runner", "render", "etl", "ci", "preempt"];

/// Whether what a group does looks as if it could be interrupted: `cores` are its hours.
pub fn can_be_interrupted(name: &str, cores: &[f64]) -> bool {
    let lower = name.to_lowercase();
    let is_named = lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| WORDS.contains(&part));
    let peak = quantile(cores, 0.99);
    let resting = cores.iter().filter(|c| **c < REST_BELOW * peak).count();
    is_named || (peak > 0.0 && resting as f64 >= RESTING * cores.len() as f64)
}

/// What a group saves at the price of spare capacity of an hour, of all its machines. If spare capacity runs out, the old price is paid again: so
/// nothing is certain. A commitment that covers it is paid on.
pub fn saving(price: Price, spot: Amount) -> Option<Saving> {
    let monthly = price.monthly.0.max(0);
    let left = spot.0.saturating_mul(MONTH_HOURS);
    let spared = monthly.saturating_sub(left).clamp(0, monthly);
    // A fifth of the cost at least: less is not worth being interrupted.
    let is_worth = spared.saturating_mul(5) >= monthly && spared > 0 && !price.is_committed;
    is_worth.then_some(Saving { low: Amount::ZERO, likely: Amount(spared), high: Amount(spared) })
}

/// Probability that one of so many machines is interrupted within a week.
pub fn risk(machines: u32) -> f64 {
    let of_one = 1.0 - (1.0 - INTERRUPTED_A_MONTH).powf(7.0 / 30.0);
    1.0 - (1.0 - of_one).powi(machines.min(10_000) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOLLAR: i128 = 1_000_000_000_000_000_000;

    #[test]
    fn what_may_be_interrupted() {
        let nightly: Vec<f64> = (0..200).map(|h| if (1..5).contains(&(h % 24)) { 6.0 } else { 0.4 }).collect();
        for (name, cores, expected) in [
            ("analytics", &nightly[..], true),
            ("shop", &[3.0; 200], false),
            ("ci-runner", &[3.0; 200], true),
            ("social", &[3.0; 200], false),
        ] {
            assert_eq!(can_be_interrupted(name, cores), expected, "{name}");
        }
    }

    #[test]
    fn savings_and_risks() {
        let price = |committed| Price { monthly: Amount(730 * DOLLAR), list: None, is_committed: committed };
        assert_eq!(
            saving(price(false), Amount(3 * DOLLAR / 10)).map(|s| (s.low.0, s.likely.0)),
            Some((0, 511 * DOLLAR))
        );
        assert_eq!(saving(price(false), Amount(9 * DOLLAR / 10)), None);
        assert_eq!(saving(price(true), Amount(3 * DOLLAR / 10)), None);
        assert!(risk(1) < 0.04 && risk(1) > 0.02 && risk(10) > risk(2));
    }
}
