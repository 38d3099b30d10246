//! The words in which the table is written.

pub(super) use crate::column::Column::*;
pub(super) use crate::criterion::Criterion::*;
pub(super) use crate::rule::Cells::*;
pub(super) use crate::rule::Check::{
    self, Allowed, Before, Cells, Child, ChildOf, Currency, Exclusive, Itself, Json, KeyValue, NationalCurrency,
    NotNegative, NotNull, Null, Number, OneOf, OnePer, PlainNumber, PlainText, PlainTime, Present, Product, Products,
    Same, SameNumber, Text, Time, Unit, Unknown, Zero,
};
pub(super) use crate::rule::Keyword::{self, *};
pub(super) use crate::rule::Reason::*;
pub(super) use crate::rule::When::{self, All, Any, Differ, Has, Is, IsNot, No};
pub(super) use crate::rule::{Header, Keys, Rule, Sum, Tree};

/// Usage.
pub(super) const USAGE: When = Is(ChargeCategory, "Usage");
/// Purchases.
pub(super) const PURCHASE: When = Is(ChargeCategory, "Purchase");
/// Taxes.
pub(super) const TAX: When = Is(ChargeCategory, "Tax");
/// Usage and purchases.
pub(super) const USAGE_OR_PURCHASE: When = Any(&[USAGE, PURCHASE]);
/// Corrections.
pub(super) const CORRECTION: When = Is(ChargeClass, "Correction");
/// Everything but corrections.
pub(super) const NOT_CORRECTION: When = IsNot(ChargeClass, "Correction");
/// What has a price: usage and purchases that correct nothing.
pub(super) const PRICED: When = All(&[USAGE_OR_PURCHASE, NOT_CORRECTION]);

/// A rule with an executable check in the model.
pub(super) const fn rule(id: &'static str, keyword: Keyword, check: Check) -> Rule {
    Rule::new(id, keyword, check)
}

/// A rule that the model has words for.
pub(super) const fn dynamic(id: &'static str, keyword: Keyword, check: Check) -> Rule {
    Rule::new(id, keyword, check).dynamic()
}
