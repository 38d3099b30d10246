//! One row against the rules that look at a row alone.

use crate::cell::{Cell, FORM, NATIONAL, TYPE, bit, key_bit};
use crate::column::Column;
use crate::rule::{Cells, Check, Tree, When};

/// The cells of a row, by column; what the file does not have is null.
pub(crate) struct Row<'r>(pub(crate) [Cell<'r>; Column::ALL.len()]);

impl<'r> Row<'r> {
    pub(crate) fn cell(&self, column: Column) -> &Cell<'r> {
        &self.0[column as usize]
    }

    /// The value of a cell, if it is not null.
    pub(crate) fn text(&self, column: Column) -> Option<&'r str> {
        self.0[column as usize].text
    }

    /// Whether a condition concerns this row.
    pub(crate) fn is(&self, when: &When) -> bool {
        match *when {
            When::Always => true,
            When::No(c) => self.text(c).is_none(),
            When::Has(c) => self.text(c).is_some(),
            When::Is(c, value) => self.text(c) == Some(value),
            When::IsNot(c, value) => self.text(c) != Some(value),
            When::Differ(a, b) => matches!((self.text(a), self.text(b)), (Some(a), Some(b)) if a != b),
            When::All(of) => of.iter().all(|w| self.is(w)),
            When::Any(of) => of.iter().any(|w| self.is(w)),
        }
    }

    /// Whether the row keeps a rule; `None` if it has nothing to keep it with (a null has its own rules).
    pub(crate) fn keeps(&self, check: &Check) -> Option<bool> {
        let value = |c: Column| self.text(c);
        let sound = |c: Column, fault: u64| value(c).map(|_| self.cell(c).faults & fault == 0);
        let number = |c: Column| value(c).and(self.cell(c).number);
        match *check {
            Check::Null(c) => Some(value(c).is_none()),
            Check::NotNull(c) => Some(value(c).is_some()),
            // A text file has nothing but strings.
            Check::Text(c) | Check::Itself(c) => value(c).map(|_| true),
            Check::Number(c) | Check::Time(c) => sound(c, TYPE),
            // What else is wrong with a unit or a currency is a rule of its own.
            Check::PlainText(c) => sound(c, bit(Cells::TextUnicode)),
            Check::PlainNumber(c)
            | Check::PlainTime(c)
            | Check::Currency(c)
            | Check::Unit(c)
            | Check::KeyValue(c)
            | Check::Json(c) => sound(c, FORM),
            Check::NationalCurrency(c) => sound(c, NATIONAL),
            Check::Keys(c, keys) => sound(c, key_bit(keys)),
            Check::Is(c, expected) => value(c).map(|v| v == expected),
            Check::IsNot(c, forbidden) => value(c).map(|v| v != forbidden),
            Check::OneOf(c, allowed) => value(c).map(|v| allowed.contains(&v)),
            Check::Child(c, tree) => value(c).map(|v| tree.iter().any(|(_, children)| children.contains(&v))),
            Check::ChildOf(c, parent, tree) => Some(is_child(tree, value(c)?, value(parent)?)),
            Check::Zero(c) => number(c).map(|n| n.is_zero()),
            Check::NotNegative(c) => number(c).map(|n| !n.is_negative()),
            Check::Same(a, b) => Some(value(a)? == value(b)?),
            Check::Differ(a, b) => Some(value(a)? != value(b)?),
            Check::SameNumber(a, b) => Some(number(a)?.equals(&number(b)?)),
            Check::Product(price, cost) => {
                Some(number(price)?.times_is(&number(Column::PricingQuantity)?, &number(cost)?))
            }
            Check::Products => {
                let list = self.keeps(&Check::Product(Column::ListUnitPrice, Column::ListCost));
                let contracted = self.keeps(&Check::Product(Column::ContractedUnitPrice, Column::ContractedCost));
                (list.is_some() || contracted.is_some()).then(|| list != Some(false) && contracted != Some(false))
            }
            Check::Before(start, end) => {
                value(start).and(value(end))?;
                Some(self.cell(start).seconds? < self.cell(end).seconds?)
            }
            Check::Exclusive(c) => {
                value(c)?;
                Some(self.cell(c).seconds? % 86_400 != 86_399)
            }
            Check::Present(_)
            | Check::All(_)
            | Check::OnePer(..)
            | Check::Sum(_)
            | Check::Cells(_)
            | Check::Header(_)
            | Check::Allowed(_)
            | Check::Unknown(..) => None,
        }
    }

    /// The value that an example shows: the column's own, or where two are compared both.
    pub(crate) fn shown(&self, check: &Check) -> String {
        let one = |c: Column| self.cell(c).raw;
        match *check {
            Check::Product(price, cost) => {
                format!("{} x {} is not {}", one(price), one(Column::PricingQuantity), one(cost))
            }
            Check::Products => {
                let list = Check::Product(Column::ListUnitPrice, Column::ListCost);
                let contracted = Check::Product(Column::ContractedUnitPrice, Column::ContractedCost);
                self.shown(if self.keeps(&list) == Some(false) { &list } else { &contracted })
            }
            Check::Same(a, b) | Check::Differ(a, b) | Check::SameNumber(a, b) | Check::Before(a, b) => {
                format!("{} and {}", one(a), one(b))
            }
            Check::ChildOf(a, b, _) => format!("{} of {}", one(a), one(b)),
            _ => check.columns().first().map(|c| one(*c).to_owned()).unwrap_or_default(),
        }
    }
}

fn is_child(tree: Tree, child: &str, parent: &str) -> bool {
    tree.iter().any(|(p, children)| *p == parent && children.contains(&child))
}
