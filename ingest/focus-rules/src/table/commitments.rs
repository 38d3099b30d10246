//! Commitment discounts and capacity reservations.

use super::words::*;

/// One line is one rule; `super::words` has the words.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // CommitmentDiscountCategory
    rule("CommitmentDiscountCategory-C-000-C", Must, Check::All("001-M 002-C 005-M")).needs(&[CommitmentDiscounts]),
    rule("CommitmentDiscountCategory-C-001-M", Must, Text(CommitmentDiscountCategory)),
    rule("CommitmentDiscountCategory-C-002-C", Must, Check::All("003-C 004-C")),
    rule("CommitmentDiscountCategory-C-003-C", Must, Null(CommitmentDiscountCategory)).when(No(CommitmentDiscountId)),
    rule("CommitmentDiscountCategory-C-004-C", MustNot, NotNull(CommitmentDiscountCategory)).when(Has(CommitmentDiscountId)),
    rule("CommitmentDiscountCategory-C-005-M", Must, OneOf(CommitmentDiscountCategory, &["Spend", "Usage"])),

    // CommitmentDiscountId
    rule("CommitmentDiscountId-C-000-C", Must, Check::All("001-M 002-M 003-C 006-C")).needs(&[CommitmentDiscounts]),
    rule("CommitmentDiscountId-C-001-M", Must, Text(CommitmentDiscountId)),
    rule("CommitmentDiscountId-C-002-M", Must, PlainText(CommitmentDiscountId)),
    rule("CommitmentDiscountId-C-003-C", Must, Check::All("004-C 005-C")),
    dynamic("CommitmentDiscountId-C-004-C", Must, Unknown(Intent, "it is null if the charge has nothing to do with a commitment")),
    dynamic("CommitmentDiscountId-C-005-C", MustNot, NotNull(CommitmentDiscountId)).when(Any(&[Has(CommitmentDiscountStatus), All(&[USAGE, Is(PricingCategory, "Committed")])]))
        .partly("shows where the row has a status or a committed price"),
    rule("CommitmentDiscountId-C-006-C", Must, Check::All("007-M 008-C")).when(Has(CommitmentDiscountId)),
    dynamic("CommitmentDiscountId-C-007-M", Must, OnePer(CommitmentDiscountCategory, CommitmentDiscountId))
        .partly("an id with two categories belongs to two commitments"),
    dynamic("CommitmentDiscountId-C-008-C", Should, Unknown(Judgement, "it is a fully qualified id")),

    // CommitmentDiscountName
    rule("CommitmentDiscountName-C-000-C", Must, Check::All("001-M 002-M 003-C 004-C")).needs(&[CommitmentDiscounts]),
    rule("CommitmentDiscountName-C-001-M", Must, Text(CommitmentDiscountName)),
    rule("CommitmentDiscountName-C-002-M", Must, PlainText(CommitmentDiscountName)),
    rule("CommitmentDiscountName-C-003-C", Must, Check::All("004-C 005-C")),
    rule("CommitmentDiscountName-C-004-C", Must, Null(CommitmentDiscountName)).when(No(CommitmentDiscountId)),
    rule("CommitmentDiscountName-C-005-C", Must, Check::All("006-C 007-C")).when(Has(CommitmentDiscountId)),
    dynamic("CommitmentDiscountName-C-006-C", MustNot, Unknown(Intent, "it has a value if commitments can be named")),
    dynamic("CommitmentDiscountName-C-007-C", May, Allowed("it may be null if commitments cannot be named")),

    // CommitmentDiscountQuantity
    rule("CommitmentDiscountQuantity-C-000-C", Must, Check::All("001-M 002-M 003-C 004-C 008-C")).needs(&[CommitmentDiscounts]),
    rule("CommitmentDiscountQuantity-C-001-M", Must, Number(CommitmentDiscountQuantity)),
    rule("CommitmentDiscountQuantity-C-002-M", Must, PlainNumber(CommitmentDiscountQuantity)),
    rule("CommitmentDiscountQuantity-C-003-C", Must, Check::All("004-C 007-C")),
    rule("CommitmentDiscountQuantity-C-004-C", Must, Check::All("005-C 006-C")).when(All(&[USAGE_OR_PURCHASE, Has(CommitmentDiscountId)])),
    rule("CommitmentDiscountQuantity-C-005-C", MustNot, NotNull(CommitmentDiscountQuantity)).when(NOT_CORRECTION),
    rule("CommitmentDiscountQuantity-C-006-C", May, Null(CommitmentDiscountQuantity)).when(CORRECTION),
    rule("CommitmentDiscountQuantity-C-007-C", Must, Null(CommitmentDiscountQuantity)).when(Any(&[All(&[IsNot(ChargeCategory, "Usage"), IsNot(ChargeCategory, "Purchase")]), No(CommitmentDiscountId)]))
        .defect("forbids corrections the value that C-006 allows them; Grid does not"),
    rule("CommitmentDiscountQuantity-C-008-C", Must, Check::All("009-M 010-C 013-C")),
    dynamic("CommitmentDiscountQuantity-C-009-M", Must, Number(CommitmentDiscountQuantity)),
    rule("CommitmentDiscountQuantity-C-010-C", Must, Check::All("011-C 012-C")).when(PURCHASE)
        .defect("holds for rows without a ChargeCategory; Grid takes purchases"),
    dynamic("CommitmentDiscountQuantity-C-011-C", Must, Unknown(Contract, "it is what a one-time purchase covers in its term")),
    dynamic("CommitmentDiscountQuantity-C-012-C", Must, Unknown(Contract, "it is what a recurring purchase covers in its charge period")),
    rule("CommitmentDiscountQuantity-C-013-C", Must, Check::All("014-C 015-C")).when(USAGE),
    dynamic("CommitmentDiscountQuantity-C-014-C", Must, Unknown(Contract, "it is the metered quantity that was used")),
    dynamic("CommitmentDiscountQuantity-C-015-C", Must, Unknown(Contract, "it is the quantity that was left")),

    // CommitmentDiscountStatus
    rule("CommitmentDiscountStatus-C-000-C", Must, Check::All("001-M 002-C 005-M")).needs(&[CommitmentDiscounts]),
    rule("CommitmentDiscountStatus-C-001-M", Must, Text(CommitmentDiscountStatus)),
    rule("CommitmentDiscountStatus-C-002-C", Must, Check::All("003-C 004-C")),
    rule("CommitmentDiscountStatus-C-003-C", Must, Null(CommitmentDiscountStatus)).when(No(CommitmentDiscountId))
        .defect("demands a value where the rule forbids one; Grid demands null"),
    rule("CommitmentDiscountStatus-C-004-C", MustNot, NotNull(CommitmentDiscountStatus)).when(All(&[Has(CommitmentDiscountId), USAGE]))
        .defect("asks it of rows without a CommitmentDiscountId; Grid asks usage rows with one"),
    rule("CommitmentDiscountStatus-C-005-M", Must, OneOf(CommitmentDiscountStatus, &["Used", "Unused"]))
        .defect("lists Active, Expired, Pending; the specification lists Used, Unused, and so does Grid"),

    // CommitmentDiscountType
    rule("CommitmentDiscountType-C-000-C", Must, Check::All("001-M 002-M 003-C")).needs(&[CommitmentDiscounts]),
    rule("CommitmentDiscountType-C-001-M", Must, Text(CommitmentDiscountType)),
    rule("CommitmentDiscountType-C-002-M", Must, PlainText(CommitmentDiscountType)),
    rule("CommitmentDiscountType-C-003-C", Must, Check::All("004-C 005-C")),
    rule("CommitmentDiscountType-C-004-C", Must, Null(CommitmentDiscountType)).when(No(CommitmentDiscountId)),
    rule("CommitmentDiscountType-C-005-C", MustNot, NotNull(CommitmentDiscountType)).when(Has(CommitmentDiscountId)),

    // CommitmentDiscountUnit
    rule("CommitmentDiscountUnit-C-000-C", Must, Check::All("001-M 002-M 003-M 004-C 007-C")).needs(&[CommitmentDiscounts]),
    rule("CommitmentDiscountUnit-C-001-M", Must, Text(CommitmentDiscountUnit)),
    rule("CommitmentDiscountUnit-C-002-M", Must, PlainText(CommitmentDiscountUnit)),
    rule("CommitmentDiscountUnit-C-003-M", Should, Unit(CommitmentDiscountUnit)),
    rule("CommitmentDiscountUnit-C-004-C", Must, Check::All("005-C 006-C")),
    rule("CommitmentDiscountUnit-C-005-C", Must, Null(CommitmentDiscountUnit)).when(No(CommitmentDiscountQuantity)),
    rule("CommitmentDiscountUnit-C-006-C", MustNot, NotNull(CommitmentDiscountUnit)).when(Has(CommitmentDiscountQuantity)),
    rule("CommitmentDiscountUnit-C-007-C", Must, Check::All("008-M 009-M 010-C")).when(Has(CommitmentDiscountUnit)),
    dynamic("CommitmentDiscountUnit-C-008-M", Must, OnePer(CommitmentDiscountUnit, CommitmentDiscountId)).partly("within the file"),
    dynamic("CommitmentDiscountUnit-C-009-M", Must, Unknown(Contract, "it is the unit in which the commitment is measured")),
    dynamic("CommitmentDiscountUnit-C-010-C", Should, Unknown(Contract, "it accounts for the flexibility of the commitment")),

    // CapacityReservationId
    rule("CapacityReservationId-C-000-C", Must, Check::All("001-M 002-M 003-C 007-C")).needs(&[CapacityReservations]),
    rule("CapacityReservationId-C-001-M", Must, Text(CapacityReservationId)),
    rule("CapacityReservationId-C-002-M", Must, PlainText(CapacityReservationId)),
    rule("CapacityReservationId-C-003-C", Must, Check::All("004-C 005-C 006-C")),
    dynamic("CapacityReservationId-C-004-C", Must, Unknown(Intent, "it is null if the charge has nothing to do with a reservation")),
    rule("CapacityReservationId-C-005-C", MustNot, NotNull(CapacityReservationId)).when(Is(CapacityReservationStatus, "Unused")),
    dynamic("CapacityReservationId-C-006-C", ShouldNot, NotNull(CapacityReservationId)).when(Has(CapacityReservationStatus))
        .partly("shows where the row has a status"),
    rule("CapacityReservationId-C-007-C", Must, Check::All("008-M 009-O")).when(Has(CapacityReservationId)),
    dynamic("CapacityReservationId-C-008-M", Must, Unknown(Judgement, "it belongs to one reservation")),
    dynamic("CapacityReservationId-C-009-O", Should, Unknown(Judgement, "it is a fully qualified id")),

    // CapacityReservationStatus
    rule("CapacityReservationStatus-C-000-C", Must, Check::All("001-M 002-C 005-C")).needs(&[CapacityReservations]),
    rule("CapacityReservationStatus-C-001-M", Must, Text(CapacityReservationStatus)),
    rule("CapacityReservationStatus-C-002-C", Must, Check::All("003-C 004-C")),
    rule("CapacityReservationStatus-C-003-C", Must, Null(CapacityReservationStatus)).when(No(CapacityReservationId))
        .defect("writes its condition in a form that readers drop, so that every value violates it; Grid reads it"),
    rule("CapacityReservationStatus-C-004-C", MustNot, NotNull(CapacityReservationStatus)).when(All(&[Has(CapacityReservationId), USAGE]))
        .defect("writes its condition in a form that readers drop, so that every null violates it; Grid reads it"),
    rule("CapacityReservationStatus-C-005-C", Must, Check::All("006-M 007-C 008-C")).when(Has(CapacityReservationStatus)),
    rule("CapacityReservationStatus-C-006-M", Must, OneOf(CapacityReservationStatus, &["Used", "Unused"])),
    dynamic("CapacityReservationStatus-C-007-C", Must, Unknown(Intent, "it is Unused on rows for what was not used of a reservation")),
    dynamic("CapacityReservationStatus-C-008-C", Must, Unknown(Intent, "it is Used on rows for what was used of a reservation")),
];
