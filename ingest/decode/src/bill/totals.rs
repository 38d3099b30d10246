//! The reconciliation of a bill: per currency, what the source says = what is stored + what was rejected, exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use grid_model::money::{Residual, SCALE};
use grid_model::{Amount, Currency, Timestamp};

/// How many rejected rows are listed; the rest are counted and summed.
pub const REJECTS_LISTED_MAX: usize = 10_000;
/// How much of a rejected row's text is kept, in bytes.
pub const RAW_BYTES_MAX: usize = 16 * 1024;

/// An exact sum with 36 decimals: amounts and the residuals that rounding to 18 decimals took from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exact {
    /// In units of 10^-18, rounded down.
    units: i128,
    /// The rest in units of 10^-36, `0 <= fine < 10^18`.
    fine: i128,
}

const FINE_ONE: i128 = 10_i128.pow(SCALE);

/// A sum that left 38 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the total of {} has more than 20 digits before the decimal point", .0)]
pub struct TotalOverflow(pub &'static str);

impl Exact {
    /// Nothing.
    pub const ZERO: Self = Self { units: 0, fine: 0 };

    /// From an amount and its residual.
    pub fn new(amount: Amount, residual: Residual) -> Self {
        Self { units: amount.0 + residual.0.div_euclid(FINE_ONE), fine: residual.0.rem_euclid(FINE_ONE) }
    }

    /// The sum, if it fits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let fine = self.fine + other.fine;
        let units = self.units.checked_add(other.units)?.checked_add(fine.div_euclid(FINE_ONE))?;
        (units.unsigned_abs() < 10_u128.pow(38)).then_some(Self { units, fine: fine.rem_euclid(FINE_ONE) })
    }

    /// The difference, if it fits.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let negative = Self { units: other.units.checked_neg()?, fine: 0 };
        let minus_fine = Self { units: -i128::from(other.fine > 0), fine: (FINE_ONE - other.fine) % FINE_ONE };
        self.checked_add(negative)?.checked_add(minus_fine)
    }

    /// Whether nothing is left.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl From<Amount> for Exact {
    fn from(amount: Amount) -> Self {
        Self { units: amount.0, fine: 0 }
    }
}

impl fmt::Display for Exact {
    /// Plain decimal without trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below_zero = self.units < 0;
        let (units, fine) = match (below_zero, self.fine) {
            (false, fine) => (self.units, fine),
            (true, 0) => (-self.units, 0),
            (true, fine) => (-(self.units + 1), FINE_ONE - fine),
        };
        let sign = if below_zero { "-" } else { "" };
        let decimals = format!("{:018}{fine:018}", units % FINE_ONE);
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "{sign}{}{point}{decimals}", units / FINE_ONE)
    }
}

/// The reconciliation of one currency's billed cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CurrencyTotal {
    /// Sum over all rows of the source whose cost is readable.
    pub source: Exact,
    /// Sum over the rows that are stored, as they are stored (18 decimals).
    pub stored: Exact,
    /// What rounding to 18 decimals took from the stored rows.
    pub residual: Exact,
    /// Sum over the rejected rows whose cost is readable.
    pub rejected: Exact,
    /// Sum over the rows that a rule leaves out: a filter of a declared mapping, or an export that another one repeats.
    pub left_out: Exact,
    /// What rounding to 18 decimals took from the other costs of the stored rows, by column.
    pub rounding: BTreeMap<&'static str, Exact>,
    /// Charges stored. A row that carries credits is several.
    pub rows_stored: u64,
    /// Rows left out.
    pub rows_left_out: u64,
    /// Rows rejected, those with an unreadable cost included.
    pub rows_rejected: u64,
    /// Rows rejected because their cost is unreadable; they are in no sum.
    pub rows_unreadable: u64,
}

impl CurrencyTotal {
    /// `source - stored - residual - rejected - left out`: zero, or rows were lost or counted twice.
    pub fn difference(&self) -> Option<Exact> {
        let rest = self.source.checked_sub(self.stored)?.checked_sub(self.residual)?.checked_sub(self.rejected)?;
        rest.checked_sub(self.left_out)
    }

    fn merge(&mut self, other: &Self) -> Option<()> {
        self.source = self.source.checked_add(other.source)?;
        self.stored = self.stored.checked_add(other.stored)?;
        self.residual = self.residual.checked_add(other.residual)?;
        self.rejected = self.rejected.checked_add(other.rejected)?;
        self.left_out = self.left_out.checked_add(other.left_out)?;
        for (column, rounding) in &other.rounding {
            let sum = self.rounding.entry(column).or_default();
            *sum = sum.checked_add(*rounding)?;
        }
        self.rows_left_out += other.rows_left_out;
        self.rows_stored += other.rows_stored;
        self.rows_rejected += other.rows_rejected;
        self.rows_unreadable += other.rows_unreadable;
        Some(())
    }
}

/// One refused row of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// The file.
    pub file: String,
    /// The row, counted from 1 after the header.
    pub row: u64,
    /// The line of a CSV file on which the row begins, the header being line 1.
    pub line: Option<u64>,
    /// Why.
    pub reason: String,
    /// The billed cost as the source wrote it, if it is a number.
    pub cost: Option<String>,
    /// The currency; empty if the row names none.
    pub currency: String,
    /// The row itself as CSV, cut at [`RAW_BYTES_MAX`].
    pub raw: String,
}

/// Something about the source that does not conform but cost no row: how often, and where first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How many cells or rows.
    pub count: u64,
    /// The file of the first.
    pub file: String,
    /// The row of the first; 0 is the header.
    pub first_row: u64,
}

/// What one file, or all files of one import, held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BillSummary {
    /// Rows of the source.
    pub rows: u64,
    /// Charges stored. A row that carries credits is several.
    pub stored: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// Rows left out by a rule.
    pub left_out: u64,
    /// The reconciliation, per currency; rows without a currency under the empty one.
    pub totals: BTreeMap<Currency, CurrencyTotal>,
    /// The first [`REJECTS_LISTED_MAX`] rejected rows.
    pub rejects: Vec<RejectedRow>,
    /// What does not conform but was taken.
    pub notes: BTreeMap<String, Note>,
    /// Billing account and start of the billing period of every stored row.
    pub periods: BTreeSet<(String, Timestamp)>,
}

impl BillSummary {
    /// Adds what another file of the same import held.
    pub fn merge(&mut self, other: Self) -> Result<(), TotalOverflow> {
        self.rows += other.rows;
        self.stored += other.stored;
        self.rejected += other.rejected;
        self.left_out += other.left_out;
        for (currency, total) in other.totals {
            self.totals.entry(currency).or_default().merge(&total).ok_or(TotalOverflow("the import"))?;
        }
        let room = REJECTS_LISTED_MAX.saturating_sub(self.rejects.len());
        self.rejects.extend(other.rejects.into_iter().take(room));
        for (what, note) in other.notes {
            self.notes.entry(what).and_modify(|n| n.count += note.count).or_insert(note);
        }
        self.periods.extend(other.periods);
        Ok(())
    }

    /// The first currency whose totals do not reconcile; `None` if all do.
    pub fn unreconciled(&self) -> Option<&Currency> {
        self.totals.iter().find(|(_, t)| !t.difference().is_some_and(Exact::is_zero)).map(|(c, _)| c)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn exact(text: &str) -> Exact {
        let (a, r) = Amount::parse(text).unwrap();
        Exact::new(a, r)
    }

    #[test]
    fn exact_sums_print_all_their_decimals() {
        for text in [
            "0",
            "-1",
            "1.5",
            "-0.5",
            "0.000000000000000000000000000000000001",
            "-0.000000000000000000000000000000000001",
            "-1.000000000000000000000000000000000001",
            "12.3456789012345678901234567890123456",
        ] {
            assert_eq!(exact(text).to_string(), text);
        }
        assert_eq!(exact("0.1").checked_add(exact("0.2")).unwrap(), exact("0.3"));
        assert!(exact("99999999999999999999").checked_add(exact("1")).is_none());
    }

    proptest! {
        #[test]
        fn what_is_added_can_be_taken_away(a in "-?[0-9]{1,9}\\.[0-9]{1,36}", b in "-?[0-9]{1,9}\\.[0-9]{1,36}") {
            let (a, b) = (exact(&a), exact(&b));
            let sum = a.checked_add(b).unwrap();
            prop_assert_eq!(sum.checked_sub(b).unwrap(), a);
            prop_assert_eq!(exact(&sum.to_string()), sum);
            prop_assert!(a.checked_sub(a).unwrap().is_zero());
        }
    }
}
