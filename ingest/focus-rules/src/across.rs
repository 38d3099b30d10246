//! Rules across rows: one value per key, and sums per commitment discount. Exact, and bounded in keys.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::column::Column;
use crate::decimal::{Decimal, plain_text};
use crate::limits::{KEY_BYTES_MAX, KEYS_MAX};
use crate::row::Row;
use crate::rule::Sum;

/// One value of a column for each value of another.
pub(crate) struct OnePer {
    of: Column,
    per: Column,
    values: HashMap<Box<str>, First, RandomState>,
    bytes: usize,
    /// Rows whose key found no room.
    pub(crate) beyond: u64,
    last: String,
    last_fits: Option<String>,
}

struct First {
    value: Box<str>,
    broken: bool,
}

impl OnePer {
    pub(crate) fn new(of: Column, per: Column) -> Self {
        Self { of, per, values: HashMap::default(), bytes: 0, beyond: 0, last: String::new(), last_fits: None }
    }

    /// Takes a row. `None` if the row has no such pair; else whether its key still has one value. A key counts once as broken.
    pub(crate) fn add(&mut self, row: &Row<'_>) -> Option<Result<(), String>> {
        let (key, value) = (row.text(self.per)?, row.text(self.of)?);
        // Neighbouring rows mostly have the pair of the row before.
        if self.last_fits.as_deref() == Some(value) && self.last == key {
            return Some(Ok(()));
        }
        let room = self.values.len() < KEYS_MAX && self.bytes + key.len() + value.len() <= KEY_BYTES_MAX;
        let verdict = match self.values.get_mut(key) {
            Some(first) if *first.value == *value || first.broken => Ok(()),
            Some(first) => {
                first.broken = true;
                Err(format!("{key}: {} and {value}", first.value))
            }
            None if room => {
                self.bytes += key.len() + value.len();
                self.values.insert(key.into(), First { value: value.into(), broken: false });
                Ok(())
            }
            None => {
                self.beyond += 1;
                Ok(())
            }
        };
        self.last.clear();
        self.last.push_str(key);
        let fits = self.last_fits.get_or_insert_default();
        fits.clear();
        fits.push_str(value);
        Some(verdict)
    }
}

/// A file by its place among the files, and a row of it.
pub(crate) type Place = (usize, u64);

/// The sums of each commitment discount in each currency.
#[derive(Default)]
pub(crate) struct Sums {
    /// By id and currency, a unit separator between.
    of: HashMap<Box<str>, Totals, RandomState>,
    key: String,
    bytes: usize,
    /// Rows whose key found no room.
    pub(crate) beyond: u64,
}

/// Counts of 10^-18; `None` where a cost was finer or larger than that holds, or was no number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Totals {
    usage: Option<i128>,
    used_and_unused: Option<i128>,
    purchased: Option<i128>,
    effective: Option<i128>,
    billed: Option<i128>,
    has_usage: bool,
    has_purchase: bool,
    first: Place,
}

impl Totals {
    fn new(first: Place) -> Self {
        let zero = Some(0);
        Self {
            usage: zero,
            used_and_unused: zero,
            purchased: zero,
            effective: zero,
            billed: zero,
            has_usage: false,
            has_purchase: false,
            first,
        }
    }
}

/// What the sums of one key say to a rule.
pub(crate) enum Verdict {
    /// They agree.
    Keeps,
    /// They do not: the two sums.
    Breaks(String),
    /// The file lacks one side, or a cost was too fine to sum.
    Unknown,
}

/// The two sides of a rule over sums.
fn sides(sum: Sum, t: &Totals) -> (Option<i128>, Option<i128>, bool) {
    match sum {
        Sum::UsageIsPurchase => (t.usage, t.purchased, t.has_usage && t.has_purchase),
        Sum::UsageIsUsedAndUnused => (t.usage, t.used_and_unused, t.has_usage),
        Sum::CoveredIsPurchase => (t.used_and_unused, t.purchased, t.has_usage && t.has_purchase),
        Sum::EffectiveIsBilled => (t.effective, t.billed, t.has_usage && t.has_purchase),
    }
}

impl Sums {
    /// Takes a row; whether it belongs to a commitment discount.
    pub(crate) fn add(&mut self, place: Place, row: &Row<'_>) -> bool {
        let Some(id) = row.text(Column::CommitmentDiscountId) else { return false };
        let currency = row.text(Column::BillingCurrency).unwrap_or("");
        self.key.clear();
        self.key.extend([id, "\u{1f}", currency]);
        if !self.of.contains_key(self.key.as_str()) {
            if self.of.len() >= KEYS_MAX || self.bytes + self.key.len() > KEY_BYTES_MAX {
                self.beyond += 1;
                return true;
            }
            self.bytes += self.key.len();
            self.of.insert(self.key.as_str().into(), Totals::new(place));
        }
        let Some(totals) = self.of.get_mut(self.key.as_str()) else { return true };
        let cost = |c: Column| row.cell(c).number.as_ref().and_then(Decimal::scaled);
        let (effective, billed) = (cost(Column::EffectiveCost), cost(Column::BilledCost));
        let add = |sum: &mut Option<i128>, cost: Option<i128>| *sum = sum.zip(cost).and_then(|(s, c)| s.checked_add(c));
        add(&mut totals.effective, effective);
        add(&mut totals.billed, billed);
        match row.text(Column::ChargeCategory) {
            Some("Usage") => {
                totals.has_usage = true;
                add(&mut totals.usage, effective);
                if matches!(row.text(Column::CommitmentDiscountStatus), Some("Used" | "Unused")) {
                    add(&mut totals.used_and_unused, effective);
                }
            }
            Some("Purchase") => {
                totals.has_purchase = true;
                add(&mut totals.purchased, billed);
            }
            _ => {}
        }
        true
    }

    /// What each key says to a rule, by first row.
    pub(crate) fn verdicts(&self, sum: Sum) -> Vec<(Place, Verdict)> {
        let mut keys: Vec<(&str, &Totals)> = self.of.iter().map(|(key, totals)| (&**key, totals)).collect();
        keys.sort_by(|a, b| (a.1.first, a.0).cmp(&(b.1.first, b.0)));
        let verdict = |(key, totals): (&str, &Totals)| {
            let (id, currency) = key.split_once('\u{1f}').unwrap_or((key, ""));
            let verdict = match sides(sum, totals) {
                (Some(a), Some(b), true) if a == b => Verdict::Keeps,
                (Some(a), Some(b), true) => {
                    Verdict::Breaks(format!("{id}: {} and {} {currency}", plain_text(a), plain_text(b)))
                }
                _ => Verdict::Unknown,
            };
            (totals.first, verdict)
        };
        keys.into_iter().map(verdict).collect()
    }
}
