//! Columns that FOCUS 1.3 and 1.4 added, and what these versions changed: our reading of the columns' pages.

use super::words::*;

/// One line is one rule; `super::words` has the words.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // ServiceProviderName
    rule("ServiceProviderName-G-000-M", Must, Check::All("001-M 002-M 003-M")),
    rule("ServiceProviderName-G-001-M", Must, Present(ServiceProviderName)),
    rule("ServiceProviderName-G-002-M", Must, PlainText(ServiceProviderName)),
    rule("ServiceProviderName-G-003-M", MustNot, NotNull(ServiceProviderName)),

    // HostProviderName
    rule("HostProviderName-G-000-M", Must, Check::All("001-M 002-M 003-M")),
    rule("HostProviderName-G-001-M", Must, Present(HostProviderName)),
    rule("HostProviderName-G-002-M", Must, PlainText(HostProviderName)),
    rule("HostProviderName-G-003-M", MustNot, NotNull(HostProviderName)),

    // AllocatedMethodDetails
    rule("AllocatedMethodDetails-G-000-C", Must, Check::All("001-M 002-M")).needs(&[SplitCosts]),
    rule("AllocatedMethodDetails-G-001-M", Recommended, Present(AllocatedMethodDetails)).needs(&[SplitCosts]),
    rule("AllocatedMethodDetails-G-002-M", Must, Json(AllocatedMethodDetails)),

    // AllocatedMethodId
    rule("AllocatedMethodId-G-000-C", Must, Check::All("001-M 002-M")).needs(&[SplitCosts]),
    rule("AllocatedMethodId-G-001-M", Must, Present(AllocatedMethodId)).needs(&[SplitCosts]),
    rule("AllocatedMethodId-G-002-M", Must, PlainText(AllocatedMethodId)),

    // AllocatedResourceId
    rule("AllocatedResourceId-G-000-C", Must, Check::All("001-M 002-M")).needs(&[SplitCosts]),
    rule("AllocatedResourceId-G-001-M", Must, Present(AllocatedResourceId)).needs(&[SplitCosts]),
    rule("AllocatedResourceId-G-002-M", Must, PlainText(AllocatedResourceId)),

    // AllocatedResourceName
    rule("AllocatedResourceName-G-000-C", Must, Check::All("001-M 002-M")).needs(&[SplitCosts]),
    rule("AllocatedResourceName-G-001-M", Must, Present(AllocatedResourceName)).needs(&[SplitCosts]),
    rule("AllocatedResourceName-G-002-M", Must, PlainText(AllocatedResourceName)),

    // AllocatedTags
    rule("AllocatedTags-G-000-C", Must, Check::All("001-M 002-M")).needs(&[SplitCosts]),
    rule("AllocatedTags-G-001-M", Must, Present(AllocatedTags)).needs(&[SplitCosts]),
    rule("AllocatedTags-G-002-M", Must, KeyValue(AllocatedTags)),

    // ContractApplied
    rule("ContractApplied-G-000-C", Must, Check::All("001-M 002-M")).needs(&[Contracts]),
    rule("ContractApplied-G-001-M", Must, Present(ContractApplied)).needs(&[Contracts]),
    rule("ContractApplied-G-002-M", Must, Json(ContractApplied)),

    // CommitmentProgramEligibilityDetails
    rule("CommitmentProgramEligibilityDetails-G-000-C", Must, Check::All("001-M 002-M")).needs(&[CommitmentPrograms]),
    rule("CommitmentProgramEligibilityDetails-G-001-M", Must, Present(CommitmentProgramEligibilityDetails)).needs(&[CommitmentPrograms]),
    rule("CommitmentProgramEligibilityDetails-G-002-M", Must, Json(CommitmentProgramEligibilityDetails)),

    // InvoiceDetailId
    rule("InvoiceDetailId-G-000-C", Must, Check::All("001-M 002-M")).needs(&[PayableInvoices]),
    rule("InvoiceDetailId-G-001-M", Must, Present(InvoiceDetailId)).needs(&[PayableInvoices]),
    rule("InvoiceDetailId-G-002-M", Must, PlainText(InvoiceDetailId)),

    // CostAndUsage
    rule("CostAndUsage-G-001-C", Must, Check::Sum(Sum::EffectiveIsBilled)),
    rule("InvoiceId-G-001-C", Must, Present(InvoiceId)).needs(&[PayableInvoices]),
];
