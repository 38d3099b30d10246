//! The columns of FOCUS' data set CostAndUsage, and what each version says of them.
//!
//! Source: the columns' pages of the FOCUS specification 1.2, 1.3 and 1.4. Before 1.2 a column is taken to be as in 1.2.

use crate::version::Version;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A decimal in the numeric format.
    Number,
    /// An instant in the date/time format.
    Time,
    /// A JSON object in the key-value format.
    KeyValue,
    /// JSON of the column's own schema.
    Json,
    /// A string in the unit format.
    Unit,
    /// A string in the currency format.
    Currency,
}

/// How much a version wants a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Every data set has it.
    Mandatory,
    /// Data sets of providers that support something have it.
    Conditional,
    /// A data set should have it.
    Recommended,
}

/// Declares the columns: name, kind, level and nullability as of 1.2 (or of the version that added it), first and last version.
macro_rules! columns {
    ($($name:ident $kind:ident $level:ident $null:ident $since:ident $until:ident;)*) => {
        /// A column, by FOCUS' own name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the names are FOCUS' own; docs/bills.md and grid-model's `charges` say what they mean")]
        pub enum Column { $($name,)* }

        impl Column {
            /// Every column, by name: the order in which FOCUS lists them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// FOCUS' name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it holds.
            pub fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }

            /// The first and the last version that has it.
            pub fn versions(self) -> (Version, Version) {
                match self { $(Self::$name => (Version::$since, Version::$until),)* }
            }

            fn level_of_old(self) -> Level {
                match self { $(Self::$name => Level::$level,)* }
            }

            /// Whether a row may leave it out.
            pub fn is_nullable(self) -> bool {
                match self { $(Self::$name => nullable!($null),)* }
            }
        }
    };
}

macro_rules! nullable {
    (null) => {
        true
    };
    (set) => {
        false
    };
}

#[rustfmt::skip]
columns! {
    AllocatedMethodDetails              Json     Recommended null V1_3 V1_4;
    AllocatedMethodId                   Text     Conditional null V1_3 V1_4;
    AllocatedResourceId                 Text     Conditional null V1_3 V1_4;
    AllocatedResourceName               Text     Conditional null V1_3 V1_4;
    AllocatedTags                       KeyValue Conditional null V1_3 V1_4;
    AvailabilityZone                    Text     Recommended null V1_0 V1_4;
    BilledCost                          Number   Mandatory   set  V1_0 V1_4;
    BillingAccountId                    Text     Mandatory   set  V1_0 V1_4;
    BillingAccountName                  Text     Mandatory   null V1_0 V1_4;
    BillingAccountType                  Text     Conditional set  V1_2 V1_4;
    BillingCurrency                     Currency Mandatory   set  V1_0 V1_4;
    BillingPeriodEnd                    Time     Mandatory   set  V1_0 V1_4;
    BillingPeriodStart                  Time     Mandatory   set  V1_0 V1_4;
    CapacityReservationId               Text     Conditional null V1_1 V1_4;
    CapacityReservationStatus           Text     Conditional null V1_1 V1_4;
    ChargeCategory                      Text     Mandatory   set  V1_0 V1_4;
    ChargeClass                         Text     Mandatory   null V1_0 V1_4;
    ChargeDescription                   Text     Mandatory   null V1_0 V1_4;
    ChargeFrequency                     Text     Recommended set  V1_0 V1_4;
    ChargePeriodEnd                     Time     Mandatory   set  V1_0 V1_4;
    ChargePeriodStart                   Time     Mandatory   set  V1_0 V1_4;
    CommitmentDiscountCategory          Text     Conditional null V1_0 V1_4;
    CommitmentDiscountId                Text     Conditional null V1_0 V1_4;
    CommitmentDiscountName              Text     Conditional null V1_0 V1_4;
    CommitmentDiscountQuantity          Number   Conditional null V1_1 V1_4;
    CommitmentDiscountStatus            Text     Conditional null V1_0 V1_4;
    CommitmentDiscountType              Text     Conditional null V1_0 V1_4;
    CommitmentDiscountUnit              Unit     Conditional null V1_1 V1_4;
    CommitmentProgramEligibilityDetails Json     Conditional null V1_4 V1_4;
    ConsumedQuantity                    Number   Conditional null V1_0 V1_4;
    ConsumedUnit                        Unit     Conditional null V1_0 V1_4;
    ContractApplied                     Json     Conditional null V1_3 V1_4;
    ContractedCost                      Number   Mandatory   set  V1_0 V1_4;
    ContractedUnitPrice                 Number   Conditional null V1_0 V1_4;
    EffectiveCost                       Number   Mandatory   set  V1_0 V1_4;
    HostProviderName                    Text     Mandatory   set  V1_3 V1_4;
    InvoiceDetailId                     Text     Conditional null V1_4 V1_4;
    InvoiceId                           Text     Recommended null V1_2 V1_4;
    InvoiceIssuerName                   Text     Mandatory   set  V1_0 V1_4;
    ListCost                            Number   Mandatory   set  V1_0 V1_4;
    ListUnitPrice                       Number   Conditional null V1_0 V1_4;
    PricingCategory                     Text     Conditional null V1_0 V1_4;
    PricingCurrency                     Currency Conditional set  V1_2 V1_4;
    PricingCurrencyContractedUnitPrice  Number   Conditional null V1_2 V1_4;
    PricingCurrencyEffectiveCost        Number   Conditional set  V1_2 V1_4;
    PricingCurrencyListUnitPrice        Number   Conditional null V1_2 V1_4;
    PricingQuantity                     Number   Mandatory   null V1_0 V1_4;
    PricingUnit                         Unit     Mandatory   null V1_0 V1_4;
    ProviderName                        Text     Mandatory   set  V1_0 V1_3;
    PublisherName                       Text     Mandatory   set  V1_0 V1_3;
    RegionId                            Text     Conditional null V1_0 V1_4;
    RegionName                          Text     Conditional null V1_0 V1_4;
    ResourceId                          Text     Conditional null V1_0 V1_4;
    ResourceName                        Text     Conditional null V1_0 V1_4;
    ResourceType                        Text     Conditional null V1_0 V1_4;
    ServiceCategory                     Text     Mandatory   set  V1_0 V1_4;
    ServiceName                         Text     Mandatory   set  V1_0 V1_4;
    ServiceProviderName                 Text     Mandatory   set  V1_3 V1_4;
    ServiceSubcategory                  Text     Recommended set  V1_1 V1_4;
    SkuId                               Text     Conditional null V1_0 V1_4;
    SkuMeter                            Text     Conditional null V1_1 V1_4;
    SkuPriceDetails                     KeyValue Conditional null V1_1 V1_4;
    SkuPriceId                          Text     Conditional null V1_0 V1_4;
    SubAccountId                        Text     Conditional null V1_0 V1_4;
    SubAccountName                      Text     Conditional null V1_0 V1_4;
    SubAccountType                      Text     Conditional null V1_2 V1_4;
    Tags                                KeyValue Conditional null V1_0 V1_4;
}

impl Column {
    /// By FOCUS' name, exactly.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.binary_search_by(|c| c.name().cmp(name)).ok().map(|i| Self::ALL[i])
    }

    /// Whether a version has it.
    pub fn is_in(self, version: Version) -> bool {
        let (first, last) = self.versions();
        (first..=last).contains(&version)
    }

    /// How much a version wants it.
    pub fn level(self, version: Version) -> Level {
        match self {
            // 1.3 deprecates both names; 1.4 drops them.
            Self::ProviderName | Self::PublisherName if version >= Version::V1_3 => Level::Recommended,
            Self::InvoiceId if version >= Version::V1_4 => Level::Conditional,
            _ => self.level_of_old(),
        }
    }

    /// The columns of a version, in its order.
    pub fn of_version(version: Version) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |c| c.is_in(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_as_many_columns_as_the_specification_says() {
        for (version, columns) in
            [(Version::V1_0, 43), (Version::V1_1, 50), (Version::V1_2, 57), (Version::V1_3, 65), (Version::V1_4, 65)]
        {
            assert_eq!(Column::of_version(version).count(), columns, "{version}");
        }
    }

    #[test]
    fn columns_are_found_by_their_names_alone() {
        assert!(Column::ALL.is_sorted_by_key(|c| c.name()));
        for c in Column::ALL {
            assert_eq!(Column::parse(c.name()), Some(*c));
        }
        assert_eq!(Column::parse("billedcost"), None);
    }
}
