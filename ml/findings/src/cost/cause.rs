//! Which combination of dimensions explains a change.
//!
//! If a combination is the cause, everything in it changes in proportion, and nothing else changes (the ripple effect: Sun et al., "HotSpot:
//! Anomaly Localization for Additive KPIs with Multi-Dimensional Attributes", IEEE Access 2018; Li et al., "Generic and Robust Localization of
//! Multi-Dimensional Root Causes", ISSRE 2019). A pattern's score is the part of all changes that this account for; of equal ones the
//! simplest comes first.

use super::cube::{Change, Cube, DIMENSIONS, Pattern};
use crate::limits::{CAUSE_ROWS_MAX, CAUSES_MAX};

/// What one more dimension must explain to be worth naming; of several that explain the same, the one that people know best comes first.
const PRICES: [f64; DIMENSIONS.len()] = [0.010, 0.011, 0.012, 0.013];
/// That everything changed is said only if nothing smaller explains nearly as much.
const EVERYTHING_PRICE: f64 = 0.15;
/// Changes smaller than this part of the largest are noise.
const NOISE: f64 = 0.02;

/// A combination of dimensions that explains a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// The combination.
    pub pattern: Pattern,
    /// Part of all changes that it explains; 1 is all.
    pub score: f64,
    /// Cost a day before.
    pub before: f64,
    /// Cost a day after.
    pub after: f64,
}

/// The best explanations of what rose, and after them of what fell.
pub(super) fn rank(cube: &Cube, changes: &[Change]) -> Vec<Cause> {
    let size = |c: &Change| (c.after - c.before).abs();
    let largest = changes.iter().map(size).fold(0.0, f64::max);
    let all: f64 = changes.iter().map(size).sum();
    if all <= 0.0 {
        return Vec::new();
    }
    let mut moved: Vec<&Change> = changes.iter().filter(|c| size(c) >= NOISE * largest).collect();
    moved.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.row.cmp(&b.row)));
    moved.truncate(CAUSE_ROWS_MAX);
    let mut patterns: Vec<Pattern> = Vec::new();
    for change in moved {
        let keys = &cube.rows()[change.row].keys;
        for subset in 0..1_u32 << DIMENSIONS.len() {
            let part = |d: usize| (subset & (1 << d) != 0).then(|| keys[d].clone());
            patterns.push(Pattern(std::array::from_fn(part)));
        }
    }
    patterns.sort();
    patterns.dedup();
    let mut causes: Vec<Cause> = patterns.into_iter().map(|p| explain(cube, changes, p, all)).collect();
    let price = |c: &Cause| {
        let named = c.pattern.0.iter().zip(PRICES).filter(|(value, _)| value.is_some()).map(|(_, price)| price);
        c.score - if c.pattern.is_all() { EVERYTHING_PRICE } else { named.sum() }
    };
    let rose = |c: &Cause| c.after > c.before;
    causes.sort_by(|a, b| {
        rose(b).cmp(&rose(a)).then(price(b).total_cmp(&price(a))).then_with(|| a.pattern.cmp(&b.pattern))
    });
    // The best fall is told too: usage that moved away.
    let fall = causes.iter().find(|c| !rose(c) && c.score > 0.2).cloned();
    causes.retain(rose);
    causes.truncate(CAUSES_MAX - usize::from(fall.is_some()));
    causes.extend(fall);
    causes
}

fn explain(cube: &Cube, changes: &[Change], pattern: Pattern, all: f64) -> Cause {
    let inside = |c: &Change| pattern.holds(&cube.rows()[c.row].keys);
    let (before, after) =
        changes.iter().filter(|c| inside(c)).fold((0.0, 0.0), |(b, a), c| (b + c.before, a + c.after));
    let left: f64 = changes
        .iter()
        .map(|c| match inside(c) {
            false => (c.after - c.before).abs(),
            true if before > 0.0 => (c.after - c.before * after / before).abs(),
            // Nothing before: whatever is there now is what the cause brought.
            true => 0.0,
        })
        .sum();
    Cause { pattern, score: (1.0 - left / all).max(0.0), before, after }
}
