//! Accounts: who is billed.

use super::words::*;

/// One line is one rule; `super::words` has the words.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // BillingAccountId
    rule("BillingAccountId-C-000-M", Must, Check::All("001-M 002-M 003-M 004-M 005-O")),
    rule("BillingAccountId-C-001-M", MustNot, NotNull(BillingAccountId)),
    rule("BillingAccountId-C-002-M", Must, Text(BillingAccountId)),
    rule("BillingAccountId-C-003-M", Must, PlainText(BillingAccountId)),
    dynamic("BillingAccountId-C-004-M", Must, OnePer(BillingAccountType, BillingAccountId))
        .partly("an id with two types belongs to two accounts"),
    dynamic("BillingAccountId-C-005-O", Should, Unknown(Judgement, "it is a fully qualified id")),

    // BillingAccountName
    rule("BillingAccountName-C-000-M", Must, Check::All("001-M 002-M 003-C")),
    rule("BillingAccountName-C-001-M", Must, Text(BillingAccountName)),
    rule("BillingAccountName-C-002-M", Must, PlainText(BillingAccountName)),
    rule("BillingAccountName-C-003-C", MustNot, NotNull(BillingAccountName)).needs(&[AccountNaming]),

    // BillingAccountType
    rule("BillingAccountType-C-000-C", Must, Check::All("001-M 002-M 003-C 006-M")).needs(&[BillingAccountTypes]),
    rule("BillingAccountType-C-001-M", Must, Text(BillingAccountType)),
    rule("BillingAccountType-C-002-M", Must, PlainText(BillingAccountType)),
    rule("BillingAccountType-C-003-C", Must, Check::All("004-C 005-C")),
    rule("BillingAccountType-C-004-C", Must, Null(BillingAccountType)).when(No(BillingAccountId)),
    rule("BillingAccountType-C-005-C", MustNot, NotNull(BillingAccountType)).when(Has(BillingAccountId)),
    dynamic("BillingAccountType-C-006-M", Must, Unknown(Judgement, "it is consistent and readable")),

    // SubAccountId
    rule("SubAccountId-C-000-C", Must, Check::All("001-M 002-M 003-C")).needs(&[SubAccounts]),
    rule("SubAccountId-C-001-M", Must, Text(SubAccountId)),
    rule("SubAccountId-C-002-M", Must, PlainText(SubAccountId)),
    rule("SubAccountId-C-003-C", Must, Check::All("004-C 005-C")),
    dynamic("SubAccountId-C-004-C", Must, Unknown(Intent, "it is null if the charge has nothing to do with a sub-account")),
    dynamic("SubAccountId-C-005-C", MustNot, Unknown(Intent, "it has a value if the charge belongs to a sub-account")),

    // SubAccountName
    rule("SubAccountName-C-000-C", Must, Check::All("001-M 002-M 003-C")).needs(&[SubAccounts]),
    rule("SubAccountName-C-001-M", Must, Text(SubAccountName)),
    rule("SubAccountName-C-002-M", Must, PlainText(SubAccountName)),
    rule("SubAccountName-C-003-C", Must, Check::All("004-C 005-C")),
    rule("SubAccountName-C-004-C", Must, Null(SubAccountName)).when(No(SubAccountId)),
    rule("SubAccountName-C-005-C", MustNot, NotNull(SubAccountName)).when(Has(SubAccountId)),

    // SubAccountType
    rule("SubAccountType-C-000-C", Must, Check::All("001-M 002-M 003-C 006-M")).needs(&[SubAccountTypes]),
    rule("SubAccountType-C-001-M", Must, Text(SubAccountType)),
    rule("SubAccountType-C-002-M", Must, PlainText(SubAccountType)),
    rule("SubAccountType-C-003-C", Must, Check::All("004-C 005-C"))
        .defect("asks for one of two rules that exclude each other, so that nothing violates it; Grid asks for both"),
    rule("SubAccountType-C-004-C", Must, Null(SubAccountType)).when(No(SubAccountId)),
    rule("SubAccountType-C-005-C", MustNot, NotNull(SubAccountType)).when(Has(SubAccountId)),
    dynamic("SubAccountType-C-006-M", Must, Unknown(Judgement, "it is consistent and readable")),
];
