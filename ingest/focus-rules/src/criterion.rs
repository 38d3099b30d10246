//! What a provider supports: many rules hold only for those who do.
//!
//! A file does not say what its provider supports. [`Applicability::of_header`] reads it off the columns: who has a column for commitments
//! has commitments, and then owes all their columns. If no row has a value in any of them, rules on values do not concern it after all.
//! [`Applicability::all`] asks for everything, as a validator told `ALL` does.

use crate::column::Column;

/// Declares the criteria: variant, the model's name, what it says, the columns that show it.
macro_rules! criteria {
    ($($(#[doc = $doc:literal])* $variant:ident $name:literal $says:literal [$($column:ident),*];)*) => {
        /// Something that a provider may support.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Criterion { $($(#[doc = $doc])* $variant,)* }

        impl Criterion {
            /// Every criterion.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The requirement model's name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What the provider does, to follow "the provider".
            pub fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)* }
            }

            /// Columns that a provider has only if it supports this.
            pub fn evidence(self) -> &'static [Column] {
                match self { $(Self::$variant => &[$(Column::$column),*],)* }
            }
        }
    };
}

criteria! {
    /// Names of accounts.
    AccountNaming "ACCOUNT_NAMING_SUPPORTED" "gives accounts a name" [BillingAccountName];
    /// Availability zones.
    AvailabilityZones "AVAILABILITY_ZONE_SUPPORTED" "has availability zones" [AvailabilityZone];
    /// Capacity reservations.
    CapacityReservations "CAPACITY_RESERVATION_SUPPORTED" "has capacity reservations"
        [CapacityReservationId, CapacityReservationStatus];
    /// Commitment discounts.
    CommitmentDiscounts "COMMITMENT_DISCOUNT_SUPPORTED" "has commitment discounts"
        [CommitmentDiscountCategory, CommitmentDiscountId, CommitmentDiscountName, CommitmentDiscountQuantity,
         CommitmentDiscountStatus, CommitmentDiscountType, CommitmentDiscountUnit];
    /// More than one pricing category.
    PricingCategories "MULTIPLE_PRICING_CATEGORIES_SUPPORTED" "has more than one pricing category" [PricingCategory];
    /// More than one type of sub-account.
    SubAccountTypes "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED" "has more than one type of sub-account" [SubAccountType];
    /// More than one type of billing account.
    BillingAccountTypes "MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED" "has more than one type of billing account"
        [BillingAccountType];
    /// Negotiated prices.
    NegotiatedPrices "NEGOTIATED_PRICING_SUPPORTED" "negotiates prices" [ContractedUnitPrice];
    /// A public price list.
    PublicPrices "PUBLIC_PRICE_LIST_SUPPORTED" "publishes a price list" [ListUnitPrice];
    /// Measured usage.
    MeasuredUsage "USAGE_MEASUREMENT_SUPPORTED" "measures usage" [ConsumedQuantity, ConsumedUnit];
    /// Prices per unit.
    UnitPrices "UNIT_PRICING_SUPPORTED" "prices by unit" [SkuId, SkuMeter, SkuPriceDetails, SkuPriceId];
    /// Sub-accounts.
    SubAccounts "SUB_ACCOUNT_SUPPORTED" "has sub-accounts" [SubAccountId, SubAccountName];
    /// Charges for provisioned resources.
    ProvisionedResources "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED" "bills provisioned resources"
        [ResourceId, ResourceName];
    /// Types of resources.
    ResourceTypes "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED" "assigns types to resources" [ResourceType];
    /// Prices in another currency than the bill's.
    PricingCurrencies "PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED" "prices and bills in different currencies"
        [PricingCurrency, PricingCurrencyContractedUnitPrice, PricingCurrencyEffectiveCost, PricingCurrencyListUnitPrice];
    /// Prices in credits or tokens. No column shows it.
    VirtualCurrencies "VIRTUAL_CURRENCY_SUPPORTED" "prices in a virtual currency" [];
    /// Regions.
    Regions "REGION_SUPPORTED" "has regions" [RegionId, RegionName];
    /// Tags.
    Tagging "TAGGING_SUPPORTED" "has tags" [Tags];
    /// Split costs of shared resources (FOCUS 1.3; our name).
    SplitCosts "SPLIT_COST_ALLOCATION_SUPPORTED" "splits the cost of shared resources"
        [AllocatedMethodId, AllocatedResourceId, AllocatedResourceName, AllocatedTags];
    /// Contract commitments (FOCUS 1.3; our name).
    Contracts "CONTRACT_COMMITMENT_SUPPORTED" "has contract commitments" [ContractApplied];
    /// Programs of commitments (FOCUS 1.4; our name).
    CommitmentPrograms "COMMITMENT_PROGRAM_SUPPORTED" "has commitment programs" [CommitmentProgramEligibilityDetails];
    /// Payable invoices with lines (FOCUS 1.4; our name).
    PayableInvoices "PAYABLE_INVOICE_SUPPORTED" "issues payable invoices" [InvoiceDetailId];
}

/// The criteria that are taken to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applicability {
    holds: u32,
    /// Read off a header: what no row bears out does not hold.
    assumed: bool,
}

impl Applicability {
    /// Everything is supported.
    pub fn all() -> Self {
        Self::of(Criterion::ALL)
    }

    /// Just these are.
    pub fn of(criteria: &[Criterion]) -> Self {
        Self { holds: mask(criteria), assumed: false }
    }

    /// What the columns of a header show.
    pub fn of_header(header: &[&str]) -> Self {
        let has = |c: &Column| header.contains(&c.name());
        let shown = Criterion::ALL.iter().filter(|c| c.evidence().iter().any(has)).copied();
        Self { assumed: true, ..Self::of(&shown.collect::<Vec<_>>()) }
    }

    /// Whether a criterion holds.
    pub fn has(self, criterion: Criterion) -> bool {
        self.holds & mask(&[criterion]) != 0
    }

    /// Takes back what was read off the header and no row bears out; answers what that is, as bits of [`mask`].
    pub(crate) fn withdraw(&mut self, has_values: impl Fn(Column) -> bool) -> u32 {
        if !self.assumed {
            return 0;
        }
        let empty = |c: &Criterion| !c.evidence().is_empty() && !c.evidence().iter().any(|column| has_values(*column));
        let withdrawn = mask(&self.criteria().filter(empty).collect::<Vec<_>>());
        self.holds &= !withdrawn;
        withdrawn
    }

    /// The criteria that hold.
    pub fn criteria(self) -> impl Iterator<Item = Criterion> {
        Criterion::ALL.iter().copied().filter(move |c| self.has(*c))
    }
}

/// Criteria as bits.
pub(crate) fn mask(criteria: &[Criterion]) -> u32 {
    criteria.iter().fold(0, |bits, c| bits | 1 << *c as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_shows_what_its_provider_supports() {
        let shown = Applicability::of_header(&["BilledCost", "CommitmentDiscountId", "Tags", "x_Tags"]);
        assert_eq!(shown.criteria().collect::<Vec<_>>(), [Criterion::CommitmentDiscounts, Criterion::Tagging]);
        assert_eq!(Applicability::all().criteria().count(), Criterion::ALL.len());
    }
}
