//! Prices and quantities.

use super::words::*;

/// One line is one rule; `super::words` has the words.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // ListUnitPrice
    rule("ListUnitPrice-C-000-C", Must, Check::All("001-M 002-M 003-M 007-C")).needs(&[PublicPrices]),
    rule("ListUnitPrice-C-001-M", Must, Number(ListUnitPrice)),
    rule("ListUnitPrice-C-002-M", Must, PlainNumber(ListUnitPrice)),
    rule("ListUnitPrice-C-003-M", Must, Check::All("004-C 005-C 006-O")),
    rule("ListUnitPrice-C-004-C", Must, Null(ListUnitPrice)).when(TAX),
    rule("ListUnitPrice-C-005-C", MustNot, NotNull(ListUnitPrice)).when(PRICED),
    rule("ListUnitPrice-C-006-O", May, Null(ListUnitPrice)),
    rule("ListUnitPrice-C-007-C", Must, Check::All("008-M 009-M 010-C 011-C")).when(Has(ListUnitPrice)),
    rule("ListUnitPrice-C-008-M", Must, NotNegative(ListUnitPrice)),
    dynamic("ListUnitPrice-C-009-M", Must, Unknown(Denomination, "it is in the BillingCurrency")),
    rule("ListUnitPrice-C-010-C", Must, Product(ListUnitPrice, ListCost)).when(All(&[Has(ListUnitPrice), NOT_CORRECTION])),
    dynamic("ListUnitPrice-C-011-C", May, Allowed("the product of ListUnitPrice and PricingQuantity need not match on corrections")),

    // ContractedUnitPrice
    rule("ContractedUnitPrice-C-000-C", Must, Check::All("001-M 004-M 008-C 012-C")).needs(&[NegotiatedPrices]),
    rule("ContractedUnitPrice-C-001-M", Must, Check::All("002-M 003-M")),
    rule("ContractedUnitPrice-C-002-M", Must, Number(ContractedUnitPrice)),
    rule("ContractedUnitPrice-C-003-M", Must, PlainNumber(ContractedUnitPrice)),
    rule("ContractedUnitPrice-C-004-M", Must, Check::All("005-C 006-C 007-O")),
    rule("ContractedUnitPrice-C-005-C", Must, Null(ContractedUnitPrice)).when(TAX),
    rule("ContractedUnitPrice-C-006-C", MustNot, NotNull(ContractedUnitPrice)).when(PRICED),
    dynamic("ContractedUnitPrice-C-007-O", May, Allowed("it may be null on other rows")),
    rule("ContractedUnitPrice-C-008-C", Must, Check::All("009-C 010-C 011-C")).when(Has(ContractedUnitPrice)),
    rule("ContractedUnitPrice-C-009-C", Must, NotNegative(ContractedUnitPrice)).when(Has(ContractedUnitPrice)),
    dynamic("ContractedUnitPrice-C-010-C", Must, Unknown(Denomination, "it is in the BillingCurrency")),
    rule("ContractedUnitPrice-C-011-C", Must, Product(ContractedUnitPrice, ContractedCost))
        .when(All(&[Has(ContractedUnitPrice), Has(PricingQuantity), NOT_CORRECTION])),
    dynamic("ContractedUnitPrice-C-012-C", May, Allowed("the product of ContractedUnitPrice and PricingQuantity need not match on corrections")),

    // PricingQuantity
    rule("PricingQuantity-C-000-M", Must, Check::All("001-M 002-M 003-M 007-C")),
    rule("PricingQuantity-C-001-M", Must, Number(PricingQuantity)),
    rule("PricingQuantity-C-002-M", Must, PlainNumber(PricingQuantity)),
    rule("PricingQuantity-C-003-M", Must, Check::All("004-C 005-C 006-O")),
    rule("PricingQuantity-C-004-C", Must, Null(PricingQuantity)).when(TAX),
    rule("PricingQuantity-C-005-C", MustNot, NotNull(PricingQuantity)).when(PRICED),
    dynamic("PricingQuantity-C-006-O", May, Allowed("it may be null on other rows")),
    rule("PricingQuantity-C-007-C", Must, Check::All("008-M 009-C 010-C")).when(Has(PricingQuantity)),
    rule("PricingQuantity-C-008-M", Must, Number(PricingQuantity))
        .defect("names only checks for a value; Grid checks that it is a decimal"),
    dynamic("PricingQuantity-C-009-C", Must, Products).when(NOT_CORRECTION),
    dynamic("PricingQuantity-C-010-C", May, Allowed("the product of PricingQuantity and a unit price need not match on corrections")),

    // PricingUnit
    rule("PricingUnit-C-000-M", Must, Check::All("001-M 002-M 003-O 004-C 007-C")),
    rule("PricingUnit-C-001-M", Must, Text(PricingUnit)),
    rule("PricingUnit-C-002-M", Must, PlainText(PricingUnit)),
    rule("PricingUnit-C-003-O", Should, Unit(PricingUnit)),
    rule("PricingUnit-C-004-C", Must, Check::All("005-C 006-C")),
    rule("PricingUnit-C-005-C", Must, Null(PricingUnit)).when(No(PricingQuantity)),
    rule("PricingUnit-C-006-C", MustNot, NotNull(PricingUnit)).when(Has(PricingQuantity)),
    rule("PricingUnit-C-007-C", Must, Check::All("008-M 009-C")).when(Has(PricingUnit)),
    dynamic("PricingUnit-C-008-M", Must, Unknown(PriceList, "it means the unit of the price list")),
    dynamic("PricingUnit-C-009-C", Must, Unknown(Invoice, "it means the unit of the invoice")),

    // PricingCategory
    rule("PricingCategory-C-000-M", Must, Check::All("001-M 002-M 006-C")),
    rule("PricingCategory-C-001-M", Must, Text(PricingCategory)),
    rule("PricingCategory-C-002-M", Must, Check::All("003-C 004-C 005-O")),
    rule("PricingCategory-C-003-C", Must, Null(PricingCategory)).when(TAX),
    rule("PricingCategory-C-004-C", MustNot, NotNull(PricingCategory)).when(PRICED),
    dynamic("PricingCategory-C-005-O", May, Allowed("it may be null on other rows")),
    rule("PricingCategory-C-006-C", Must, Check::All("007-M 008-C 009-C 010-C 011-C")).when(Has(PricingCategory)),
    rule("PricingCategory-C-007-M", Must, OneOf(PricingCategory, &["Standard", "Committed", "Dynamic", "Other"])),
    dynamic("PricingCategory-C-008-C", Must, Unknown(Intent, "it is Standard where the price was agreed before")),
    dynamic("PricingCategory-C-009-C", Must, Check::Is(PricingCategory, "Committed")).when(All(&[USAGE, Has(CommitmentDiscountId)]))
        .partly("usage that names a commitment is subject to it"),
    dynamic("PricingCategory-C-010-C", Must, Unknown(Intent, "it is Dynamic where the provider sets the price as it goes")),
    dynamic("PricingCategory-C-011-C", Must, Unknown(Intent, "it is Other where none of the other values fits")),

    // PricingCurrency
    rule("PricingCurrency-C-000-C", Must, Check::All("001-M 002-M 003-M 004-M")).needs(&[PricingCurrencies]),
    rule("PricingCurrency-C-001-M", Must, Text(PricingCurrency)),
    rule("PricingCurrency-C-002-M", Must, PlainText(PricingCurrency)),
    rule("PricingCurrency-C-003-M", Must, Currency(PricingCurrency)),
    rule("PricingCurrency-C-004-M", MustNot, NotNull(PricingCurrency)),

    // PricingCurrencyListUnitPrice
    rule("PricingCurrencyListUnitPrice-C-000-C", Must, Check::All("001-M 002-M 003-M 007-C")).needs(&[PricingCurrencies]),
    rule("PricingCurrencyListUnitPrice-C-001-M", Must, Number(PricingCurrencyListUnitPrice)),
    rule("PricingCurrencyListUnitPrice-C-002-M", Must, PlainNumber(PricingCurrencyListUnitPrice)),
    rule("PricingCurrencyListUnitPrice-C-003-M", Must, Check::All("004-C 005-C 006-O")),
    rule("PricingCurrencyListUnitPrice-C-004-C", Must, Null(PricingCurrencyListUnitPrice)).when(TAX),
    rule("PricingCurrencyListUnitPrice-C-005-C", MustNot, NotNull(PricingCurrencyListUnitPrice)).when(PRICED),
    dynamic("PricingCurrencyListUnitPrice-C-006-O", May, Allowed("it may be null on other rows")),
    rule("PricingCurrencyListUnitPrice-C-007-C", Must, Check::All("008-M 009-M 010-C")).when(Has(PricingCurrencyListUnitPrice)),
    rule("PricingCurrencyListUnitPrice-C-008-M", Must, NotNegative(PricingCurrencyListUnitPrice)),
    dynamic("PricingCurrencyListUnitPrice-C-009-M", Must, Unknown(Denomination, "it is in the PricingCurrency")),
    dynamic("PricingCurrencyListUnitPrice-C-010-C", May, Allowed("the product of PricingCurrencyListUnitPrice and PricingQuantity need not match on corrections")),

    // PricingCurrencyContractedUnitPrice
    rule("PricingCurrencyContractedUnitPrice-C-000-C", Must, Check::All("001-M 002-M 003-M 007-C")).needs(&[PricingCurrencies]),
    rule("PricingCurrencyContractedUnitPrice-C-001-M", Must, Number(PricingCurrencyContractedUnitPrice)),
    rule("PricingCurrencyContractedUnitPrice-C-002-M", Must, PlainNumber(PricingCurrencyContractedUnitPrice)),
    rule("PricingCurrencyContractedUnitPrice-C-003-M", Must, Check::All("004-C 005-C 006-O")),
    dynamic("PricingCurrencyContractedUnitPrice-C-004-C", Must, Null(PricingCurrencyContractedUnitPrice)).when(TAX),
    dynamic("PricingCurrencyContractedUnitPrice-C-005-C", MustNot, NotNull(PricingCurrencyContractedUnitPrice)).when(PRICED),
    dynamic("PricingCurrencyContractedUnitPrice-C-006-O", May, Allowed("it may be null on other rows")),
    rule("PricingCurrencyContractedUnitPrice-C-007-C", Must, Check::All("008-C 009-C 010-C")).when(Has(PricingCurrencyContractedUnitPrice)),
    dynamic("PricingCurrencyContractedUnitPrice-C-008-C", Must, NotNegative(PricingCurrencyContractedUnitPrice)),
    dynamic("PricingCurrencyContractedUnitPrice-C-009-C", Must, Unknown(Denomination, "it is in the PricingCurrency")),
    dynamic("PricingCurrencyContractedUnitPrice-C-010-C", May, Allowed("the product of PricingCurrencyContractedUnitPrice and PricingQuantity need not match on corrections")),

    // PricingCurrencyEffectiveCost
    rule("PricingCurrencyEffectiveCost-C-000-C", Must, Check::All("001-M 002-M 003-M 004-M 005-M 006-M")).needs(&[PricingCurrencies]),
    rule("PricingCurrencyEffectiveCost-C-001-M", Must, Number(PricingCurrencyEffectiveCost)),
    rule("PricingCurrencyEffectiveCost-C-002-M", Must, PlainNumber(PricingCurrencyEffectiveCost)),
    rule("PricingCurrencyEffectiveCost-C-003-M", MustNot, NotNull(PricingCurrencyEffectiveCost)),
    rule("PricingCurrencyEffectiveCost-C-004-M", Must, Number(PricingCurrencyEffectiveCost))
        .defect("checks PricingCurrencyListUnitPrice for being negative; Grid checks that this column is a decimal"),
    dynamic("PricingCurrencyEffectiveCost-C-005-M", Must, Zero(PricingCurrencyEffectiveCost)).when(All(&[PURCHASE, Has(CommitmentDiscountId)]))
        .partly("shows on purchases of commitment discounts"),
    dynamic("PricingCurrencyEffectiveCost-C-006-M", Must, Unknown(Denomination, "it is in the PricingCurrency")),

    // ConsumedQuantity
    rule("ConsumedQuantity-C-000-C", Must, Check::All("001-M 002-M 003-C 008-C")).needs(&[MeasuredUsage]),
    rule("ConsumedQuantity-C-001-M", Must, Number(ConsumedQuantity)),
    rule("ConsumedQuantity-C-002-M", Must, PlainNumber(ConsumedQuantity)),
    rule("ConsumedQuantity-C-003-C", Must, Check::All("004-C 005-C")),
    rule("ConsumedQuantity-C-004-C", Must, Null(ConsumedQuantity))
        .when(Any(&[IsNot(ChargeCategory, "Usage"), All(&[USAGE, Is(CommitmentDiscountStatus, "Unused")])])),
    rule("ConsumedQuantity-C-005-C", Must, Check::All("006-C 007-C")).when(All(&[USAGE, IsNot(CommitmentDiscountStatus, "Unused")])),
    rule("ConsumedQuantity-C-006-C", MustNot, NotNull(ConsumedQuantity)).when(NOT_CORRECTION)
        .defect("asks corrections, which are exempt; Grid asks all others"),
    rule("ConsumedQuantity-C-007-C", May, Null(ConsumedQuantity)).when(CORRECTION),
    dynamic("ConsumedQuantity-C-008-C", Must, Number(ConsumedQuantity)),

    // ConsumedUnit
    rule("ConsumedUnit-C-000-C", Must, Check::All("001-M 002-M 003-O 004-C")).needs(&[MeasuredUsage]),
    rule("ConsumedUnit-C-001-M", Must, Text(ConsumedUnit)),
    rule("ConsumedUnit-C-002-M", Must, PlainText(ConsumedUnit)),
    rule("ConsumedUnit-C-003-O", Should, Unit(ConsumedUnit)),
    rule("ConsumedUnit-C-004-C", Must, Check::All("005-C 006-C")).needs(&[MeasuredUsage]),
    rule("ConsumedUnit-C-005-C", Must, Null(ConsumedUnit)).when(No(ConsumedQuantity)),
    rule("ConsumedUnit-C-006-C", MustNot, NotNull(ConsumedUnit)).when(Has(ConsumedQuantity)),
];
