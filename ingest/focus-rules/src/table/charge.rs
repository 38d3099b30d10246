//! The charge: what it is, when, on which invoice, from whom.

use super::words::*;

/// One line is one rule; `super::words` has the words.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // ChargeCategory
    rule("ChargeCategory-C-000-M", Must, Check::All("001-M 002-M 003-M")),
    rule("ChargeCategory-C-001-M", Must, Text(ChargeCategory)),
    rule("ChargeCategory-C-002-M", MustNot, NotNull(ChargeCategory)),
    rule("ChargeCategory-C-003-M", Must, OneOf(ChargeCategory, &["Usage", "Purchase", "Tax", "Credit", "Adjustment"])),

    // ChargeClass
    rule("ChargeClass-C-000-M", Must, Check::All("001-M 002-C 005-C")),
    rule("ChargeClass-C-001-M", Must, Text(ChargeClass)),
    rule("ChargeClass-C-002-C", Must, Check::All("003-C 004-C")),
    dynamic("ChargeClass-C-003-C", Must, Unknown(Intent, "it is null unless the row corrects an earlier billing period")),
    dynamic("ChargeClass-C-004-C", MustNot, Unknown(Intent, "it has a value if the row corrects an invoiced billing period")),
    rule("ChargeClass-C-005-C", Must, Check::Is(ChargeClass, "Correction")).when(Has(ChargeClass)),

    // ChargeDescription
    rule("ChargeDescription-C-000-M", Must, Check::All("001-M 002-M 003-O 004-O")),
    rule("ChargeDescription-C-001-M", Must, Text(ChargeDescription)),
    rule("ChargeDescription-C-002-M", Must, PlainText(ChargeDescription)),
    rule("ChargeDescription-C-003-O", ShouldNot, NotNull(ChargeDescription)),
    dynamic("ChargeDescription-C-004-O", Should, Unknown(Documents, "the metadata gives its longest length")),

    // ChargeFrequency
    rule("ChargeFrequency-C-000-O", Must, Check::All("001-M 002-M 003-M 004-C")),
    rule("ChargeFrequency-C-001-M", Must, Text(ChargeFrequency)),
    rule("ChargeFrequency-C-002-M", MustNot, NotNull(ChargeFrequency)),
    rule("ChargeFrequency-C-003-M", Must, OneOf(ChargeFrequency, &["One-Time", "Recurring", "Usage-Based"])),
    rule("ChargeFrequency-C-004-C", MustNot, Check::IsNot(ChargeFrequency, "Usage-Based")).when(PURCHASE),

    // BillingPeriodStart
    rule("BillingPeriodStart-C-000-M", Must, Check::All("001-M 002-M 003-M 004-M")),
    rule("BillingPeriodStart-C-001-M", Must, Time(BillingPeriodStart)),
    rule("BillingPeriodStart-C-002-M", Must, PlainTime(BillingPeriodStart)),
    rule("BillingPeriodStart-C-003-M", MustNot, NotNull(BillingPeriodStart)),
    dynamic("BillingPeriodStart-C-004-M", Must, Before(BillingPeriodStart, BillingPeriodEnd)).partly("a start is before its end"),

    // BillingPeriodEnd
    rule("BillingPeriodEnd-C-000-M", Must, Check::All("001-M 002-M 003-M 004-M")),
    rule("BillingPeriodEnd-C-001-M", Must, Time(BillingPeriodEnd)),
    rule("BillingPeriodEnd-C-002-M", Must, PlainTime(BillingPeriodEnd)),
    rule("BillingPeriodEnd-C-003-M", MustNot, NotNull(BillingPeriodEnd)),
    dynamic("BillingPeriodEnd-C-004-M", Must, Exclusive(BillingPeriodEnd)).partly("an end inside its period is a last second"),

    // ChargePeriodStart
    rule("ChargePeriodStart-C-000-M", Must, Check::All("001-M 002-M 003-M 004-M")),
    rule("ChargePeriodStart-C-001-M", Must, Time(ChargePeriodStart)),
    rule("ChargePeriodStart-C-002-M", Must, PlainTime(ChargePeriodStart)),
    rule("ChargePeriodStart-C-003-M", MustNot, NotNull(ChargePeriodStart)),
    dynamic("ChargePeriodStart-C-004-M", Must, Before(ChargePeriodStart, ChargePeriodEnd)).partly("a start is before its end"),

    // ChargePeriodEnd
    rule("ChargePeriodEnd-C-000-M", Must, Check::All("001-M 002-M 003-M 004-M")),
    rule("ChargePeriodEnd-C-001-M", Must, Time(ChargePeriodEnd)),
    rule("ChargePeriodEnd-C-002-M", Must, PlainTime(ChargePeriodEnd)),
    rule("ChargePeriodEnd-C-003-M", MustNot, NotNull(ChargePeriodEnd)),
    dynamic("ChargePeriodEnd-C-004-M", Must, Exclusive(ChargePeriodEnd)).partly("an end inside its period is a last second"),

    // InvoiceId
    rule("InvoiceId-C-000-O", Should, Check::All("001-M 002-M 003-C 006-O 007-C")),
    rule("InvoiceId-C-001-M", Must, Text(InvoiceId)),
    rule("InvoiceId-C-002-M", Must, PlainText(InvoiceId)),
    rule("InvoiceId-C-003-C", Must, Check::All("004-C 005-C"))
        .defect("asks for one of two rules that exclude each other; Grid asks for both"),
    rule("InvoiceId-C-004-C", Must, Itself(InvoiceId))
        .defect("drops the condition, so that every value violates it; which charge has an invoice shows in this column alone"),
    rule("InvoiceId-C-005-C", MustNot, Itself(InvoiceId))
        .defect("drops the condition, so that every null violates it; which charge has an invoice shows in this column alone"),
    dynamic("InvoiceId-C-006-O", May, Allowed("it may be known before the invoice is issued")),
    dynamic("InvoiceId-C-007-C", Must, NotNull(BillingAccountId)).when(Has(InvoiceId)),

    // InvoiceIssuerName
    rule("InvoiceIssuerName-C-000-M", Must, Check::All("001-M 002-M 003-M")),
    rule("InvoiceIssuerName-C-001-M", Must, Text(InvoiceIssuerName)),
    rule("InvoiceIssuerName-C-002-M", Must, PlainText(InvoiceIssuerName)),
    rule("InvoiceIssuerName-C-003-M", MustNot, NotNull(InvoiceIssuerName)),

    // ProviderName
    rule("ProviderName-C-000-M", Must, Check::All("001-M 002-M 003-M")),
    rule("ProviderName-C-001-M", Must, Text(ProviderName)),
    rule("ProviderName-C-002-M", Must, PlainText(ProviderName)),
    rule("ProviderName-C-003-M", MustNot, NotNull(ProviderName)),

    // PublisherName
    rule("PublisherName-C-000-M", Must, Check::All("001-M 002-M 003-M")),
    rule("PublisherName-C-001-M", Must, Text(PublisherName)),
    rule("PublisherName-C-002-M", Must, PlainText(PublisherName)),
    rule("PublisherName-C-003-M", MustNot, NotNull(PublisherName)),
];
