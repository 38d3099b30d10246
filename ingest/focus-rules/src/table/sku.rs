//! SKUs and their prices.

use super::words::*;

/// One line is one rule; `super::words` has the words.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // SkuId
    rule("SkuId-C-000-C", Must, Check::All("001-M 002-M 003-M 007-M 011-C 012-O")).needs(&[PublicPrices, UnitPrices]),
    rule("SkuId-C-001-M", Must, Text(SkuId)),
    rule("SkuId-C-002-M", Must, PlainText(SkuId)),
    rule("SkuId-C-003-M", Must, Check::All("004-C 005-C 006-O")),
    rule("SkuId-C-004-C", Must, Null(SkuId)).when(TAX),
    rule("SkuId-C-005-C", MustNot, NotNull(SkuId)).when(PRICED),
    dynamic("SkuId-C-006-O", May, Allowed("it may be null on other rows")),
    rule("SkuId-C-007-M", Must, Check::All("008-M 009-M 010-M")),
    dynamic("SkuId-C-008-M", Must, Unknown(PriceList, "it is the same for all accounts and contracts")),
    dynamic("SkuId-C-009-M", Must, Unknown(PriceList, "it is the same in all pricing categories")),
    dynamic("SkuId-C-010-M", Must, Unknown(PriceList, "it is the same whatever only moves the price")),
    dynamic("SkuId-C-011-C", Must, NotNull(ServiceName)).when(All(&[Has(SkuId), USAGE_OR_PURCHASE])),
    dynamic("SkuId-C-012-O", May, Allowed("it may equal SkuPriceId")),

    // SkuMeter
    rule("SkuMeter-C-000-C", Must, Check::All("001-M 002-M 003-C 006-O")).needs(&[PublicPrices, UnitPrices]),
    rule("SkuMeter-C-001-M", Must, Text(SkuMeter)),
    rule("SkuMeter-C-002-M", Must, PlainText(SkuMeter)),
    rule("SkuMeter-C-003-C", Must, Check::All("004-C 005-C")),
    rule("SkuMeter-C-004-C", Must, Null(SkuMeter)).when(No(SkuId)),
    rule("SkuMeter-C-005-C", ShouldNot, NotNull(SkuMeter)).when(Has(SkuId)),
    dynamic("SkuMeter-C-006-O", Should, OnePer(SkuMeter, SkuId)).partly("within the file"),

    // SkuPriceId
    rule("SkuPriceId-C-000-C", Must, Check::All("001-M 002-M 003-M 007-C")).needs(&[PublicPrices, UnitPrices]),
    rule("SkuPriceId-C-001-M", Must, Text(SkuPriceId)),
    rule("SkuPriceId-C-002-M", Must, PlainText(SkuPriceId)),
    rule("SkuPriceId-C-003-M", Must, Check::All("004-C 005-C 006-O")),
    rule("SkuPriceId-C-004-C", Must, Null(SkuPriceId)).when(TAX),
    rule("SkuPriceId-C-005-C", MustNot, NotNull(SkuPriceId)).when(PRICED),
    dynamic("SkuPriceId-C-006-O", May, Allowed("it may be null on other rows")),
    rule("SkuPriceId-C-007-C", Must, Check::All("008-M 009-M 010-M 011-O 012-C 013-M 014-C 015-C")).when(Has(SkuPriceId)),
    rule("SkuPriceId-C-008-M", Must, OnePer(SkuId, SkuPriceId)),
    dynamic("SkuPriceId-C-009-M", Must, Unknown(History, "it stays the same over time")),
    dynamic("SkuPriceId-C-010-M", Must, OnePer(PricingUnit, SkuPriceId)).partly("one price of all accounts has one unit"),
    rule("SkuPriceId-C-011-O", May, Same(SkuPriceId, SkuId)),
    dynamic("SkuPriceId-C-012-C", Must, NotNull(ServiceName)).when(USAGE_OR_PURCHASE),
    dynamic("SkuPriceId-C-013-M", Must, Unknown(PriceList, "it is in the price list")),
    dynamic("SkuPriceId-C-014-C", Must, Unknown(PriceList, "it leads to the ListUnitPrice of the price list")).needs(&[PublicPrices]),
    dynamic("SkuPriceId-C-015-C", Must, Unknown(PriceList, "it leads to the negotiated price")).needs(&[NegotiatedPrices]),

    // SkuPriceDetails
    rule("SkuPriceDetails-C-000-C", Must, Check::All("001-M 002-O 003-C 006-C 019-M")).needs(&[PublicPrices, UnitPrices]),
    rule("SkuPriceDetails-C-001-M", Must, KeyValue(SkuPriceDetails)),
    dynamic("SkuPriceDetails-C-002-O", Should, Check::Keys(SkuPriceDetails, Keys::Pascal)),
    rule("SkuPriceDetails-C-003-C", Must, Check::All("004-C 005-C")),
    rule("SkuPriceDetails-C-004-C", Must, Null(SkuPriceDetails)).when(No(SkuPriceId)),
    rule("SkuPriceDetails-C-005-C", May, Null(SkuPriceDetails)).when(Has(SkuPriceId)),
    rule("SkuPriceDetails-C-006-C", Must, Check::All("007-M 008-M 009-C 010-C 011-O 012-O 016-O 017-C 018-C")).when(Has(SkuPriceDetails)),
    dynamic("SkuPriceDetails-C-007-M", Must, NotNull(SkuPriceId)),
    dynamic("SkuPriceDetails-C-008-M", MustNot, Unknown(PriceList, "its properties all belong to the price")),
    dynamic("SkuPriceDetails-C-009-C", Should, Unknown(PriceList, "it has all of FOCUS' properties that belong to the price")),
    dynamic("SkuPriceDetails-C-010-C", Must, Unknown(Judgement, "a property that FOCUS has too is there under FOCUS' name")),
    dynamic("SkuPriceDetails-C-011-O", May, Allowed("properties may repeat what other columns say")),
    rule("SkuPriceDetails-C-012-O", Should, Check::All("013-O 014-O 015-O")),
    dynamic("SkuPriceDetails-C-013-O", Should, Unknown(History, "its properties stay the same over time")),
    dynamic("SkuPriceDetails-C-014-O", ShouldNot, Unknown(History, "its properties stay")),
    dynamic("SkuPriceDetails-C-015-O", May, Allowed("properties may be added")),
    dynamic("SkuPriceDetails-C-016-O", Should, Unknown(Judgement, "comparable SKUs use the same keys and forms of values")),
    dynamic("SkuPriceDetails-C-017-C", Must, Check::Keys(SkuPriceDetails, Keys::Prefixed)),
    dynamic("SkuPriceDetails-C-018-C", Must, Unknown(PriceList, "numbers are of one pricing unit")),
    rule("SkuPriceDetails-C-019-M", Must, Check::All("020-M 021-M 022-C")),
    dynamic("SkuPriceDetails-C-020-M", Must, Check::Keys(SkuPriceDetails, Keys::Spelling)),
    dynamic("SkuPriceDetails-C-021-M", Must, Check::Keys(SkuPriceDetails, Keys::Types)),
    dynamic("SkuPriceDetails-C-022-C", Must, Unknown(PriceList, "numbers are of one pricing unit, in the unit of the property")),
];
