//! What stands from the row before. Neighbouring rows of a bill share most of their cells, and most rules ask of a cell only whether it is null and
//! what is wrong with it: such a verdict stands until that changes, however the text does.

use crate::cell::Cell;
use crate::column::Column;
use crate::decimal::Decimal;
use crate::limits::TEXT_BYTES_MAX;
use crate::rule::{Check, When};

/// Columns, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Columns {
    /// Whose text is asked for.
    pub text: u128,
    /// Whose faults and nullness are.
    pub form: u128,
}

const _: () = assert!(Column::ALL.len() <= 128, "a column is a bit");

fn bits(columns: &[Column]) -> u128 {
    columns.iter().fold(0, |bits, c| bits | 1 << *c as usize)
}

impl Columns {
    /// Everything: what the first row changes.
    pub(super) const ALL: Self = Self { text: u128::MAX, form: u128::MAX };

    /// What a check asks for.
    pub(super) fn of_check(check: &Check) -> Self {
        let all = bits(&check.columns());
        match check {
            Check::Null(_)
            | Check::NotNull(_)
            | Check::Text(_)
            | Check::Itself(_)
            | Check::Number(_)
            | Check::Time(_)
            | Check::PlainText(_)
            | Check::PlainNumber(_)
            | Check::PlainTime(_)
            | Check::Currency(_)
            | Check::Unit(_)
            | Check::KeyValue(_)
            | Check::Json(_)
            | Check::NationalCurrency(_)
            | Check::Keys(..) => Self { text: 0, form: all },
            // Products look at more than the columns that they are named after.
            Check::Product(..) | Check::Products => {
                let all = all
                    | bits(&[
                        Column::PricingQuantity,
                        Column::ListUnitPrice,
                        Column::ListCost,
                        Column::ContractedUnitPrice,
                        Column::ContractedCost,
                    ]);
                Self { text: all, form: all }
            }
            _ => Self { text: all, form: all },
        }
    }

    /// What a condition asks for.
    pub(super) fn of_condition(when: &When) -> Self {
        match when {
            When::Always => Self::default(),
            When::No(c) | When::Has(c) => Self { text: 0, form: bits(&[*c]) },
            When::Is(..) | When::IsNot(..) | When::Differ(..) => {
                Self { text: bits(&when.columns()), form: bits(&when.columns()) }
            }
            When::All(of) | When::Any(of) => of
                .iter()
                .map(Self::of_condition)
                .fold(Self::default(), |a, b| Self { text: a.text | b.text, form: a.form | b.form }),
        }
    }

    /// These and others.
    pub(super) fn and(self, other: Self) -> Self {
        Self { text: self.text | other.text, form: self.form | other.form }
    }

    /// Whether a column's text is asked for.
    pub(super) fn ask_text_of(self, column: Column) -> bool {
        self.text & bits(&[column]) != 0
    }
}

/// Whether two texts are equal. Most cells are short: a call that compares longer ones takes longer than the comparison.
fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let word = |text: &[u8], at: usize| text.get(at..at + 8).and_then(|w| w.try_into().ok()).map(u64::from_le_bytes);
    match a.len() {
        n if n != b.len() => false,
        0 => true,
        n @ 8..=16 => word(a, 0) == word(b, 0) && word(a, n - 8) == word(b, n - 8),
        1..=7 => a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0,
        _ => a == b,
    }
}

/// A cell of the row before.
#[derive(Default)]
pub(super) struct Before {
    /// Whether the text is worth keeping: somebody asks for it, or it is costly to read.
    pub(super) keeps_text: bool,
    raw: String,
    /// Whether `raw` is the cell; a long one is not kept.
    known: bool,
    faults: u64,
    is_null: bool,
    number: Option<Decimal>,
    seconds: Option<i64>,
}

impl Before {
    /// The cell, read anew only if it is not as in the row before, and what of it changed.
    pub(super) fn cell<'r>(
        &mut self,
        column: Column,
        raw: &'r str,
        read: impl FnOnce(&'r str) -> Cell<'r>,
    ) -> (Cell<'r>, Columns) {
        if self.known && same(&self.raw, raw) {
            let text = (!self.is_null).then_some(raw);
            let cell = Cell { text, raw, faults: self.faults, number: self.number, seconds: self.seconds };
            return (cell, Columns::default());
        }
        let cell = read(raw);
        let bit = bits(&[column]);
        let is_null = cell.text.is_none();
        let same_form = self.is_null == is_null && self.faults == cell.faults;
        self.known = self.keeps_text && raw.len() <= TEXT_BYTES_MAX;
        if self.known {
            self.raw.clear();
            self.raw.push_str(raw);
        }
        (self.faults, self.is_null, self.number, self.seconds) = (cell.faults, is_null, cell.number, cell.seconds);
        (cell, Columns { text: bit, form: if same_form { 0 } else { bit } })
    }
}
