//! Formats and handling, for all columns of a kind.

use super::words::*;

/// One line is one rule; `super::words` has the words.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // DateTimeFormat
    rule("DateTimeFormat-A-000-M", Must, Check::All("001-M 002-M 003-M")),
    dynamic("DateTimeFormat-A-001-M", Must, Cells(TimeUtc)),
    dynamic("DateTimeFormat-A-002-M", Must, Cells(TimeIso)),
    rule("DateTimeFormat-A-003-M", Must, Check::All("004-M 005-M 006-M")),
    dynamic("DateTimeFormat-A-004-M", Must, Cells(TimeLetter)),
    dynamic("DateTimeFormat-A-005-M", Must, Cells(TimeDigits)),
    dynamic("DateTimeFormat-A-006-M", Must, Cells(TimeZulu)),

    // CurrencyFormat
    rule("CurrencyFormat-A-000-C", Must, Check::All("001-C 002-C")),
    dynamic("CurrencyFormat-A-001-C", Must, Cells(CurrencyCode))
        .partly("a text that is no such code may be a virtual currency in PricingCurrency"),
    dynamic("CurrencyFormat-A-002-C", Must, Cells(CurrencyVirtual)),

    // NumericFormat
    rule("NumericFormat-A-000-M", Must, Check::All("001-O 002-M 003-M 004-M 005-M 006-M 007-M 008-M 009-M 010-M 011-M 012-M 013-O")),
    dynamic("NumericFormat-A-001-O", Should, Unknown(History, "custom numeric columns come to follow this format")),
    dynamic("NumericFormat-A-002-M", Must, Cells(NumberSingle)),
    dynamic("NumericFormat-A-003-M", Must, Cells(NumberKnown)),
    dynamic("NumericFormat-A-004-M", MustNot, Cells(NumberFraction)),
    dynamic("NumericFormat-A-005-M", Must, Cells(NumberExponent)),
    dynamic("NumericFormat-A-006-M", Must, Cells(NumberExponentSign)),
    dynamic("NumericFormat-A-007-M", MustNot, Cells(NumberOperator)),
    dynamic("NumericFormat-A-008-M", MustNot, Cells(NumberWord)),
    dynamic("NumericFormat-A-009-M", MustNot, Cells(NumberPunctuation)),
    dynamic("NumericFormat-A-010-M", MustNot, Cells(NumberPlus)),
    dynamic("NumericFormat-A-011-M", Must, Cells(NumberMinus)),
    dynamic("NumericFormat-A-012-M", Must, Unknown(Documents, "the data definition gives numeric columns one of the numeric types")),
    dynamic("NumericFormat-A-013-O", Should, Unknown(Documents, "the data definition gives precision and scale of numeric columns")),

    // StringHandling
    rule("StringHandling-A-000-M", Must, Check::All("001-M 002-O 003-M 004-M 005-M 006-M 007-M 008-C")),
    dynamic("StringHandling-A-001-M", Must, Cells(TextUnicode)),
    dynamic("StringHandling-A-002-O", Should, Unknown(History, "custom text columns come to follow these rules")),
    dynamic("StringHandling-A-003-M", Must, Unknown(Origin, "text keeps the case and spacing in which it was entered")),
    dynamic("StringHandling-A-004-M", Must, Unknown(History, "a changed name shows in the charges after the change")),
    dynamic("StringHandling-A-005-M", MustNot, Unknown(History, "a changed name leaves the charges before the change alone")),
    dynamic("StringHandling-A-006-M", Must, Unknown(History, "a text that identifies something stays the same in all billing periods")),
    dynamic("StringHandling-A-007-M", ShouldNot, Cells(TextBlank)),
    dynamic("StringHandling-A-008-C", May, Allowed("a correction after a change of name may carry the new name")),

    // ColumnHandling
    rule("ColumnHandling-A-000-M", Must, Check::All("001-M 002-M 003-M 004-O 005-O 006-M 007-O 008-M 009-M 012-O 013-O 014-O")),
    dynamic("ColumnHandling-A-001-M", Must, Check::Header(Header::Pascal)),
    dynamic("ColumnHandling-A-002-M", MustNot, Unknown(Judgement, "column names have no abbreviations")),
    dynamic("ColumnHandling-A-003-M", Must, Check::Header(Header::Alphanumeric)),
    dynamic("ColumnHandling-A-004-O", ShouldNot, Unknown(Judgement, "column names have no acronyms")),
    dynamic("ColumnHandling-A-005-O", ShouldNot, Check::Header(Header::Length)),
    dynamic("ColumnHandling-A-006-M", Must, Unknown(Judgement, "columns of an id or a name end in Id or Name")),
    dynamic("ColumnHandling-A-007-O", May, Allowed("the suffix Name may be left out where no other column has the same stem")),
    dynamic("ColumnHandling-A-008-M", Must, Unknown(Judgement, "columns that end in Category hold normalised values")),
    rule("ColumnHandling-A-009-M", Must, Check::All("010-M 011-O")),
    dynamic("ColumnHandling-A-010-M", Must, Check::Header(Header::CustomPrefix)),
    dynamic("ColumnHandling-A-011-O", Should, Check::Header(Header::CustomName)),
    dynamic("ColumnHandling-A-012-O", Should, Check::Header(Header::FocusFirst)),
    dynamic("ColumnHandling-A-013-O", Should, Check::Header(Header::CustomLast)),
    dynamic("ColumnHandling-A-014-O", May, Allowed("columns may be sorted by name")),

    // UnitFormat
    rule("UnitFormat-A-000-M", Must, Check::All("001-M 002-O 003-M 004-C")),
    dynamic("UnitFormat-A-001-M", Should, Cells(UnitForm)),
    dynamic("UnitFormat-A-002-O", May, Cells(UnitWhole)),
    dynamic("UnitFormat-A-003-M", Must, Cells(UnitCase)),
    dynamic("UnitFormat-A-004-C", Should, Unknown(Judgement, "units are of the recommended list unless they measure something else")),

    // KeyValueFormat
    rule("KeyValueFormat-A-000-M", Must, Check::All("001-M 002-M 003-M 004-M")),
    dynamic("KeyValueFormat-A-001-M", Must, Cells(KeyValueObject)),
    dynamic("KeyValueFormat-A-002-M", Must, Cells(KeyValueUnique)),
    dynamic("KeyValueFormat-A-003-M", Must, Cells(KeyValueScalar)),
    dynamic("KeyValueFormat-A-004-M", MustNot, Cells(KeyValueFlat)),

    // DiscountHandling
    rule("DiscountHandling-A-000-C", Must, Check::All("001-C 002-C 005-C 008-C 020-C")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-001-C", Should, Unknown(Intent, "discounts are on the rows that they lower, not taken back in rows of their own")).needs(&[CommitmentDiscounts]),
    rule("DiscountHandling-A-002-C", Must, Check::All("003-C 004-C")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-003-C", Must, Unknown(Intent, "a discount on a row is on the whole charge of the row")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-004-C", Must, Unknown(Intent, "the part of a charge that has a discount is a row of its own")).needs(&[CommitmentDiscounts]),
    rule("DiscountHandling-A-005-C", Must, Check::All("006-C 007-C")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-006-C", Must, NotNull(CommitmentDiscountId)).when(Any(&[Has(CommitmentDiscountStatus), Has(CommitmentDiscountCategory), Has(CommitmentDiscountType)])).needs(&[CommitmentDiscounts])
        .partly("shows where the row names a status, a category or a type of commitment"),
    dynamic("DiscountHandling-A-007-C", Should, Unknown(Intent, "a discount that FOCUS has no column for is shown in custom columns")).needs(&[CommitmentDiscounts]),
    rule("DiscountHandling-A-008-C", Must, Check::All("\
        009-C 010-C 011-C 012-C 013-C 014-C 015-C 016-C 017-C 018-C 019-C")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-009-C", Must, Zero(BilledCost)).when(All(&[USAGE, Is(CommitmentDiscountStatus, "Used"), Is(PricingCategory, "Committed")])).needs(&[CommitmentDiscounts])
        .partly("takes committed usage to be wholly covered, as A-003 and A-004 demand"),
    dynamic("DiscountHandling-A-010-C", Must, Unknown(Contract, "EffectiveCost holds the share of the purchase that belongs to the row")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-011-C", Must, Check::Sum(Sum::CoveredIsPurchase)).needs(&[CommitmentDiscounts])
        .partly("holds for a bill that spans the term of the commitment"),
    dynamic("DiscountHandling-A-012-C", Must, Same(ResourceId, CommitmentDiscountId))
        .when(All(&[PURCHASE, Has(CommitmentDiscountId)])).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-013-C", Must, Unknown(Intent, "a row for the purchase of a commitment is a Purchase")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-014-C", Must, NotNull(CommitmentDiscountStatus)).when(All(&[USAGE, Is(PricingCategory, "Committed")])).needs(&[CommitmentDiscounts])
        .partly("a row with a committed price got it from a commitment"),
    dynamic("DiscountHandling-A-015-C", Must, NotNull(CommitmentDiscountId))
        .when(Is(CommitmentDiscountStatus, "Used")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-016-C", Must, Check::Differ(ResourceId, CommitmentDiscountId)).when(Is(CommitmentDiscountStatus, "Used")).needs(&[CommitmentDiscounts])
        .partly("shows where the row names the commitment as its resource"),
    dynamic("DiscountHandling-A-017-C", Must, Unknown(Contract, "what was not used of a commitment is a row of each charge period")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-018-C", Must, Check::Is(ChargeCategory, "Usage"))
        .when(Is(CommitmentDiscountStatus, "Unused")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-019-C", Must, Same(ResourceId, CommitmentDiscountId))
        .when(Is(CommitmentDiscountStatus, "Unused")).needs(&[CommitmentDiscounts]),
    dynamic("DiscountHandling-A-020-C", Must, Unknown(Intent, "credits given afterwards are of category Credit")).needs(&[CommitmentDiscounts]),

    // NullHandling
    rule("NullHandling-A-000-M", Must, Check::All("001-C 002-M")),
    dynamic("NullHandling-A-001-C", Must, Cells(NullSpelt)).partly("shows where null is spelt out"),
    dynamic("NullHandling-A-002-M", MustNot, Cells(NullPlaceholder)).partly("a 0 does not show whether it stands for a missing value"),
];
