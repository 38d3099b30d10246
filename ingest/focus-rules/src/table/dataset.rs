//! The columns that a data set has.

use super::words::*;

/// One line is one rule; `super::words` has the words.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // CostAndUsage
    rule("CostAndUsage-D-000-M", Must, Check::All("001-M 002-M")),
    rule("CostAndUsage-D-001-M", Must, Check::All("\
        003-C 004-C 005-M 006-M 007-C 008-M 009-M 010-M 011-C 012-C 013-C 014-C 015-C 016-C 017-C 018-C 019-C 020-C 021-M 022-C 023-M \
        024-M 025-M 026-M 027-O 028-M 029-C 030-M 031-M 032-M 033-O 034-C 035-M 036-M 037-M 038-M 039-C 040-M 041-M 042-O 043-C 044-C \
        045-C 046-C 050-C 054-C 058-C 059-C 060-C 061-C 062-C 063-C 064-C 065-C 066-C 067-C 068-M")),
    rule("CostAndUsage-D-002-M", Must, Check::All("\
        AvailabilityZone-C-000-C BilledCost-C-000-M BillingAccountId-C-000-M BillingAccountName-C-000-M BillingAccountType-C-000-C \
        BillingCurrency-C-000-M BillingPeriodEnd-C-000-M BillingPeriodStart-C-000-M CapacityReservationId-C-000-C \
        CapacityReservationStatus-C-000-C ChargeCategory-C-000-M ChargeClass-C-000-M ChargeFrequency-C-000-O ChargeDescription-C-000-M \
        ChargePeriodEnd-C-000-M ChargePeriodStart-C-000-M CommitmentDiscountCategory-C-000-C CommitmentDiscountId-C-000-C \
        CommitmentDiscountName-C-000-C CommitmentDiscountStatus-C-000-C CommitmentDiscountType-C-000-C CommitmentDiscountUnit-C-000-C \
        CommitmentDiscountQuantity-C-000-C ConsumedUnit-C-000-C ConsumedQuantity-C-000-C ContractedCost-C-000-M \
        ContractedUnitPrice-C-000-C EffectiveCost-C-000-M InvoiceId-C-000-O InvoiceIssuerName-C-000-M ListCost-C-000-M \
        ListUnitPrice-C-000-C PricingCategory-C-000-M PricingCurrency-C-000-C PricingCurrencyContractedUnitPrice-C-000-C \
        PricingCurrencyEffectiveCost-C-000-C PricingCurrencyListUnitPrice-C-000-C PricingQuantity-C-000-M PricingUnit-C-000-M \
        ProviderName-C-000-M PublisherName-C-000-M RegionId-C-000-C RegionName-C-000-C ResourceId-C-000-C ResourceName-C-000-C \
        ResourceType-C-000-C SubAccountId-C-000-C SubAccountName-C-000-C ServiceCategory-C-000-M ServiceName-C-000-M \
        ServiceSubcategory-C-000-O SkuId-C-000-C SkuMeter-C-000-C SkuPriceDetails-C-000-C SkuPriceId-C-000-C SubAccountType-C-000-C \
        Tags-C-000-C")),
    rule("CostAndUsage-D-003-C", Recommended, Present(AvailabilityZone)).needs(&[AvailabilityZones]),
    rule("CostAndUsage-D-004-C", Must, Present(ListUnitPrice)).needs(&[PublicPrices]),
    rule("CostAndUsage-D-005-M", Must, Present(BillingAccountName)),
    rule("CostAndUsage-D-006-M", Must, Present(BilledCost)),
    rule("CostAndUsage-D-007-C", Must, Present(BillingAccountType)).needs(&[BillingAccountTypes]),
    rule("CostAndUsage-D-008-M", Must, Present(ChargeCategory)),
    rule("CostAndUsage-D-009-M", Must, Present(BillingPeriodStart)),
    rule("CostAndUsage-D-010-M", Must, Present(BillingPeriodEnd)),
    rule("CostAndUsage-D-011-C", Must, Present(ConsumedQuantity)).needs(&[MeasuredUsage]),
    rule("CostAndUsage-D-012-C", Must, Present(CommitmentDiscountName)).needs(&[CommitmentDiscounts]),
    rule("CostAndUsage-D-013-C", Must, Present(CommitmentDiscountId)).needs(&[CommitmentDiscounts]),
    rule("CostAndUsage-D-014-C", Must, Present(CommitmentDiscountType)).needs(&[CommitmentDiscounts]),
    rule("CostAndUsage-D-015-C", Must, Present(CommitmentDiscountUnit)).needs(&[CommitmentDiscounts]),
    rule("CostAndUsage-D-016-C", Must, Present(CommitmentDiscountCategory)).needs(&[CommitmentDiscounts]),
    rule("CostAndUsage-D-017-C", Must, Present(CommitmentDiscountStatus)).needs(&[CommitmentDiscounts]),
    rule("CostAndUsage-D-018-C", Must, Present(CommitmentDiscountQuantity)).needs(&[CommitmentDiscounts]),
    rule("CostAndUsage-D-019-C", Must, Present(SubAccountId)).needs(&[SubAccounts]),
    rule("CostAndUsage-D-020-C", Must, Present(CapacityReservationStatus)).needs(&[CapacityReservations]),
    rule("CostAndUsage-D-021-M", Must, Present(PublisherName)),
    rule("CostAndUsage-D-022-C", Must, Present(PricingCategory)).needs(&[PricingCategories]),
    rule("CostAndUsage-D-023-M", Must, Present(InvoiceIssuerName)),
    rule("CostAndUsage-D-024-M", Must, Present(BillingAccountId)),
    rule("CostAndUsage-D-025-M", Must, Present(ChargeDescription)),
    rule("CostAndUsage-D-026-M", Must, Present(ChargeClass)),
    rule("CostAndUsage-D-027-O", Recommended, Present(ChargeFrequency)),
    rule("CostAndUsage-D-028-M", Must, Present(ChargePeriodEnd)),
    rule("CostAndUsage-D-029-C", Must, Present(SubAccountName)).needs(&[SubAccounts]),
    rule("CostAndUsage-D-030-M", Must, Present(ContractedCost)),
    rule("CostAndUsage-D-031-M", Must, Present(EffectiveCost)),
    rule("CostAndUsage-D-032-M", Must, Present(ListCost)),
    rule("CostAndUsage-D-033-O", Recommended, Present(InvoiceId)),
    rule("CostAndUsage-D-034-C", Must, Present(ContractedUnitPrice)).needs(&[NegotiatedPrices]),
    rule("CostAndUsage-D-035-M", Must, Present(BillingCurrency)),
    rule("CostAndUsage-D-036-M", Must, Present(PricingQuantity)),
    rule("CostAndUsage-D-037-M", Must, Present(ChargePeriodStart)),
    rule("CostAndUsage-D-038-M", Must, Present(ProviderName)),
    rule("CostAndUsage-D-039-C", Must, Present(ResourceType)).needs(&[ProvisionedResources, ResourceTypes]),
    rule("CostAndUsage-D-040-M", Must, Present(ServiceCategory)),
    rule("CostAndUsage-D-041-M", Must, Present(ServiceName)),
    rule("CostAndUsage-D-042-O", Recommended, Present(ServiceSubcategory)),
    rule("CostAndUsage-D-043-C", Must, Present(ResourceId)).needs(&[ProvisionedResources]),
    rule("CostAndUsage-D-044-C", Must, Present(ResourceName)).needs(&[ProvisionedResources]),
    rule("CostAndUsage-D-045-C", Must, Present(PricingCurrency)).needs(&[PricingCurrencies]),
    rule("CostAndUsage-D-046-C", Must, Check::All("047-C 048-C 049-C")),
    rule("CostAndUsage-D-047-C", Must, Present(PricingCurrencyContractedUnitPrice)).needs(&[PublicPrices, VirtualCurrencies]),
    rule("CostAndUsage-D-048-C", Recommended, Present(PricingCurrencyContractedUnitPrice)).needs(&[PublicPrices, PricingCurrencies]),
    rule("CostAndUsage-D-049-C", May, Present(PricingCurrencyContractedUnitPrice)).needs(&[PublicPrices, PricingCurrencies]),
    rule("CostAndUsage-D-050-C", Must, Check::All("051-C 052-C 053-C")),
    rule("CostAndUsage-D-051-C", Must, Present(PricingCurrencyEffectiveCost)).needs(&[PublicPrices, VirtualCurrencies]),
    rule("CostAndUsage-D-052-C", Recommended, Present(PricingCurrencyEffectiveCost)).needs(&[PublicPrices, PricingCurrencies]),
    rule("CostAndUsage-D-053-C", May, Present(PricingCurrencyEffectiveCost)).needs(&[PublicPrices, PricingCurrencies]),
    rule("CostAndUsage-D-054-C", Must, Check::All("055-C 056-C 057-C")),
    rule("CostAndUsage-D-055-C", Must, Present(PricingCurrencyListUnitPrice)).needs(&[PublicPrices, VirtualCurrencies]),
    rule("CostAndUsage-D-056-C", Recommended, Present(PricingCurrencyListUnitPrice)).needs(&[PublicPrices, PricingCurrencies]),
    rule("CostAndUsage-D-057-C", May, Present(PricingCurrencyListUnitPrice)).needs(&[PublicPrices, PricingCurrencies]),
    rule("CostAndUsage-D-058-C", Must, Present(SkuPriceId)).needs(&[PublicPrices, UnitPrices]),
    rule("CostAndUsage-D-059-C", Must, Present(SkuMeter)).needs(&[PublicPrices, UnitPrices]),
    rule("CostAndUsage-D-060-C", Must, Present(SkuId)).needs(&[PublicPrices, UnitPrices]),
    rule("CostAndUsage-D-061-C", Must, Present(SkuPriceDetails)).needs(&[PublicPrices, UnitPrices]),
    rule("CostAndUsage-D-062-C", Must, Present(RegionName)).needs(&[Regions]),
    rule("CostAndUsage-D-063-C", Must, Present(RegionId)).needs(&[Regions]),
    rule("CostAndUsage-D-064-C", Must, Present(Tags)).needs(&[Tagging]),
    rule("CostAndUsage-D-065-C", Must, Present(CapacityReservationId)).needs(&[CapacityReservations]),
    rule("CostAndUsage-D-066-C", Must, Present(ConsumedUnit)).needs(&[MeasuredUsage]),
    rule("CostAndUsage-D-067-C", Must, Present(SubAccountType)).needs(&[SubAccountTypes]),
    rule("CostAndUsage-D-068-M", Must, Present(PricingUnit)),
];
