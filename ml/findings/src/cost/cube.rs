//! Daily costs of one account by all dimensions at once.

use std::collections::BTreeMap;
use std::ops::Range;

use grid_finance::calendar::Day;
use grid_model::Amount;

use crate::limits::{COST_DAYS_MAX, COST_ROWS_MAX, COST_SLICES_MAX};
use crate::robust::deviation;

/// The dimensions of a row, in order.
pub const DIMENSIONS: [&str; 4] = ["service", "region", "team", "usage_type"];
const SERVICE: usize = 0;
const REGION: usize = 1;

/// One combination of dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its values, in the order of [`DIMENSIONS`]; empty where charges have none.
    pub keys: [String; DIMENSIONS.len()],
    /// Its cost per day.
    pub costs: Vec<Amount>,
}

/// All costs of one account in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cube {
    /// The first day.
    pub first: Day,
    /// How many days.
    pub days: usize,
    rows: Vec<Row>,
}

/// Some dimensions with their values; none of them stands for everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Pattern(pub [Option<String>; DIMENSIONS.len()]);

impl Pattern {
    /// Whether it stands for everything.
    pub fn is_all(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Whether a row belongs to it.
    pub fn holds(&self, keys: &[String; DIMENSIONS.len()]) -> bool {
        self.0.iter().zip(keys).all(|(wanted, key)| wanted.as_ref().is_none_or(|w| w == key))
    }

    /// Its dimensions with their values.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        DIMENSIONS.into_iter().zip(&self.0).filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// Mean cost of a row per day, before and after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Which row.
    pub row: usize,
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
}

pub(super) fn float(amount: Amount) -> f64 {
    amount.0 as f64 / 1e18
}

impl Cube {
    /// From rows of whole days; days that a row lacks cost nothing. Only the last [`COST_DAYS_MAX`] days and the dearest [`COST_ROWS_MAX`] rows
    /// are kept.
    pub fn new(first: Day, days: usize, mut rows: Vec<Row>) -> Self {
        let cut = days.saturating_sub(COST_DAYS_MAX);
        for row in &mut rows {
            row.costs.resize(days, Amount::ZERO);
            row.costs.drain(..cut);
        }
        let size = |row: &Row| row.costs.iter().fold(0_i128, |sum, c| sum.saturating_add(c.0.saturating_abs()));
        rows.sort_by_cached_key(|row| (std::cmp::Reverse(size(row)), row.keys.clone()));
        rows.truncate(COST_ROWS_MAX);
        Self { first: first.plus(cut as i64), days: days - cut, rows }
    }

    /// The rows, the dearest first.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn of<'a>(&'a self, pattern: &'a Pattern) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(|row| pattern.holds(&row.keys))
    }

    /// Cost per day of a slice, for statistics.
    pub(super) fn series(&self, pattern: &Pattern) -> Vec<f64> {
        let mut sums = vec![0.0; self.days];
        for row in self.of(pattern) {
            sums.iter_mut().zip(&row.costs).for_each(|(sum, cost)| *sum += float(*cost));
        }
        sums
    }

    /// Cost of a slice over days, exactly.
    pub fn sum(&self, pattern: &Pattern, days: impl Iterator<Item = usize> + Clone) -> Amount {
        let costs = self.of(pattern).flat_map(|row| days.clone().filter_map(|day| row.costs.get(day)));
        Amount(costs.fold(0_i128, |sum, c| sum.saturating_add(c.0)))
    }

    /// What every row cost a day before and after; changes that are within what the row usually does from week to week are taken as none.
    pub(super) fn changes(&self, before: &[usize], after: Range<usize>) -> Vec<Change> {
        let after: Vec<usize> = after.collect();
        let mean = |row: &Row, days: &[usize]| {
            days.iter().filter_map(|d| row.costs.get(*d)).map(|c| float(*c)).sum::<f64>() / days.len().max(1) as f64
        };
        // Twice the standard error, and what half a year's doubling makes in two weeks.
        const ERRORS: f64 = 2.0;
        const TREND: f64 = 0.04;
        let size = (1.0 / before.len().max(1) as f64 + 1.0 / after.len().max(1) as f64).sqrt();
        let start = after.first().copied().unwrap_or(0);
        let all = self.rows.iter().enumerate().map(|(row, r)| {
            let (old, new) = (mean(r, before), mean(r, &after));
            let weekly: Vec<f64> = (start.saturating_sub(21)..start)
                .filter_map(|d| Some(float(*r.costs.get(d)?) - float(*r.costs.get(d.checked_sub(7)?)?)))
                .collect();
            let usual = ERRORS * deviation(&weekly) / std::f64::consts::SQRT_2 * size + TREND * old.abs();
            let change = new - old;
            let shrunk = change.signum() * (change.abs() - usual).max(0.0);
            (Change { row, before: old, after: new }, Change { row, before: old, after: old + shrunk })
        });
        let (raw, shrunk): (Vec<Change>, Vec<Change>) = all.unzip();
        // Many small changes may be one large one.
        if shrunk.iter().any(|c| c.after > c.before) { shrunk } else { raw }
    }

    /// What is watched: everything, each value of each dimension, each service in each region; the dearest first.
    pub(super) fn slices(&self) -> Vec<Pattern> {
        let mut sizes: BTreeMap<Pattern, f64> = BTreeMap::new();
        for row in &self.rows {
            let size: f64 = row.costs.iter().map(|c| float(*c).abs()).sum();
            let mut add = |dimensions: &[usize]| {
                let mut pattern = Pattern::default();
                for d in dimensions {
                    pattern.0[*d] = Some(row.keys[*d].clone());
                }
                *sizes.entry(pattern).or_default() += size;
            };
            add(&[]);
            (0..DIMENSIONS.len()).for_each(|d| add(&[d]));
            add(&[SERVICE, REGION]);
        }
        let mut slices: Vec<(Pattern, f64)> = sizes.into_iter().collect();
        slices.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        slices.truncate(COST_SLICES_MAX);
        slices.into_iter().map(|(pattern, _)| pattern).collect()
    }
}
