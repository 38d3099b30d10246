//! Costs and their currency.

use super::words::*;

/// One line is one rule; `super::words` has the words.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // BilledCost
    rule("BilledCost-C-000-M", Must, Check::All("001-M 002-M 003-M 004-M 005-C 006-M 007-M")),
    rule("BilledCost-C-001-M", Must, Number(BilledCost)),
    rule("BilledCost-C-002-M", Must, PlainNumber(BilledCost)),
    rule("BilledCost-C-003-M", MustNot, NotNull(BilledCost)),
    rule("BilledCost-C-004-M", Must, Number(BilledCost)),
    rule("BilledCost-C-005-C", Must, Zero(BilledCost)).when(Differ(ProviderName, InvoiceIssuerName)),
    dynamic("BilledCost-C-006-M", Must, Unknown(Denomination, "it is in the BillingCurrency")),
    dynamic("BilledCost-C-007-M", Must, Unknown(Invoice, "its sum over an InvoiceId is what the invoice asks for")),

    // EffectiveCost
    rule("EffectiveCost-C-000-M", Must, Check::All("001-M 002-M 003-M 004-M 005-C 006-M 007-O 008-C 011-C")),
    rule("EffectiveCost-C-001-M", Must, Number(EffectiveCost)),
    rule("EffectiveCost-C-002-M", Must, PlainNumber(EffectiveCost)),
    rule("EffectiveCost-C-003-M", MustNot, NotNull(EffectiveCost)),
    rule("EffectiveCost-C-004-M", Must, Number(EffectiveCost)).defect("names only checks for a value; Grid checks that it is a decimal"),
    rule("EffectiveCost-C-005-C", Must, Zero(EffectiveCost)).when(All(&[PURCHASE, Has(CommitmentDiscountId)]))
        .defect("drops that the purchase covers future charges; Grid asks purchases of commitment discounts"),
    dynamic("EffectiveCost-C-006-M", Must, Unknown(Denomination, "it is in the BillingCurrency")),
    dynamic("EffectiveCost-C-007-O", May, Allowed("its sum may differ from the invoices of the billing period")),
    rule("EffectiveCost-C-008-C", Must, Check::All("\
        009-C 010-C")).when(All(&[IsNot(ChargeCategory, "Usage"), IsNot(ChargeCategory, "Purchase")])),
    dynamic("EffectiveCost-C-009-C", Must, Unknown(Relation, "a tax is calculated on the EffectiveCost of what it taxes")),
    dynamic("EffectiveCost-C-010-C", Must, SameNumber(EffectiveCost, BilledCost)).when(Is(ChargeCategory, "Credit"))
        .partly("takes credits, the model's example"),
    rule("EffectiveCost-C-011-C", Must, Check::All("012-C 013-C")).when(Has(CommitmentDiscountId)),
    dynamic("EffectiveCost-C-012-C", Must, Check::Sum(Sum::UsageIsPurchase))
        .partly("holds for a bill that has the purchases and all that they cover"),
    dynamic("EffectiveCost-C-013-C", Must, Check::Sum(Sum::UsageIsUsedAndUnused)),

    // ListCost
    rule("ListCost-C-000-M", Must, Check::All("001-M 002-M 003-M 004-M 005-M 006-C 009-C 010-C")),
    rule("ListCost-C-001-M", Must, Number(ListCost)),
    rule("ListCost-C-002-M", Must, PlainNumber(ListCost)),
    rule("ListCost-C-003-M", MustNot, NotNull(ListCost)),
    rule("ListCost-C-004-M", Must, Number(ListCost)).defect("names only checks for a value; Grid checks that it is a decimal"),
    dynamic("ListCost-C-005-M", Must, Unknown(Denomination, "it is in the BillingCurrency")),
    rule("ListCost-C-006-C", Must, Check::All("007-C 008-C")).when(No(ListUnitPrice)),
    dynamic("ListCost-C-007-C", Must, Unknown(Relation, "a tax is calculated on the ListCost of what it taxes")),
    dynamic("ListCost-C-008-C", Must, SameNumber(ListCost, BilledCost)).when(Is(ChargeCategory, "Credit"))
        .partly("takes credits, the model's example"),
    rule("ListCost-C-009-C", Must, Product(ListUnitPrice, ListCost)).when(All(&[Has(ListUnitPrice), Has(PricingQuantity), NOT_CORRECTION])),
    dynamic("ListCost-C-010-C", May, Allowed("the product of ListUnitPrice and PricingQuantity need not match on corrections")),

    // ContractedCost
    rule("ContractedCost-C-000-M", Must, Check::All("001-M 002-M 003-M 004-M 005-M 006-C 009-C 010-C")),
    rule("ContractedCost-C-001-M", Must, Number(ContractedCost)),
    rule("ContractedCost-C-002-M", Must, PlainNumber(ContractedCost)),
    rule("ContractedCost-C-003-M", MustNot, NotNull(ContractedCost)),
    rule("ContractedCost-C-004-M", Must, Number(ContractedCost)).defect("names only checks for a value; Grid checks that it is a decimal"),
    dynamic("ContractedCost-C-005-M", Must, Unknown(Denomination, "it is in the BillingCurrency")),
    rule("ContractedCost-C-006-C", Must, Check::All("007-C 008-C")).when(No(ContractedUnitPrice)),
    dynamic("ContractedCost-C-007-C", Must, Unknown(Relation, "a tax is calculated on the ContractedCost of what it taxes")),
    dynamic("ContractedCost-C-008-C", Must, SameNumber(ContractedCost, BilledCost)).when(Is(ChargeCategory, "Credit"))
        .partly("takes credits, the model's example"),
    dynamic("ContractedCost-C-009-C", Must, Product(ContractedUnitPrice, ContractedCost)).when(NOT_CORRECTION),
    dynamic("ContractedCost-C-010-C", May, Allowed("the product of ContractedUnitPrice and PricingQuantity need not match on corrections")),

    // BillingCurrency
    rule("BillingCurrency-C-000-M", Must, Check::All("001-M 002-M 003-M 004-M 005-M 006-M")),
    rule("BillingCurrency-C-001-M", Must, Text(BillingCurrency)),
    rule("BillingCurrency-C-002-M", Must, PlainText(BillingCurrency)),
    rule("BillingCurrency-C-003-M", Must, Currency(BillingCurrency)),
    rule("BillingCurrency-C-004-M", MustNot, NotNull(BillingCurrency)),
    dynamic("BillingCurrency-C-005-M", Must, Unknown(Invoice, "it is the currency of the invoice")),
    rule("BillingCurrency-C-006-M", Must, NationalCurrency(BillingCurrency)),
];
