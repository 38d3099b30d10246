//! FOCUS 1.2, all 57 columns of CostAndUsage, as CSV; null is an empty field.

use grid_model::Amount;

use super::charge::{Charge, Commitment, Kind, price_text, product, quantity_text};
use super::{Month, currency, push_row};
use crate::demo::company::{AZURE_BILLING, Cloud, GCP_BILLING};
use crate::demo::rng::Rng;
use crate::demo::timeline::rfc3339;

const DAY_SECONDS: i64 = 86_400;

const COLUMNS: [&str; 57] = [
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
];

pub(crate) fn write(cloud: Cloud, month: Month, charges: &[Charge]) -> Vec<u8> {
    let mut out = String::with_capacity(charges.len() * 900);
    push_row(&mut out, COLUMNS);
    for charge in charges {
        push_row(&mut out, COLUMNS.map(|column| field(column, cloud, month, charge)));
    }
    out.into_bytes()
}

fn field(column: &str, cloud: Cloud, month: Month, c: &Charge) -> String {
    let text = str::to_owned;
    let azure = cloud == Cloud::Azure;
    let by_cloud = |a: &str, g: &str| (if azure { a } else { g }).to_owned();
    let purchase = matches!(c.kind, Kind::Fee(..));
    let commitment: Option<&Commitment> = match &c.kind {
        Kind::Usage => None,
        Kind::Covered(commitment) | Kind::Negation(commitment) | Kind::Fee(commitment, _) => Some(commitment),
    };
    let committed = |value: &str| commitment.map_or(String::new(), |_| value.to_owned());
    let list: Amount = product(c.quantity, c.price);
    match column {
        "AvailabilityZone" => c.zone.clone(),
        "BilledCost" => c.billed.to_string(),
        "BillingAccountId" => by_cloud(AZURE_BILLING, GCP_BILLING),
        "BillingAccountName" => by_cloud("Nimbus Bikes GmbH", "Nimbus Bikes Inc."),
        "BillingAccountType" => text("Billing Account"),
        "BillingCurrency" | "PricingCurrency" => text(currency(cloud)),
        "BillingPeriodStart" => rfc3339(month.days().0 * DAY_SECONDS),
        "BillingPeriodEnd" => rfc3339(month.days().1 * DAY_SECONDS),
        "ChargePeriodStart" => rfc3339(c.day * DAY_SECONDS),
        "ChargePeriodEnd" => rfc3339((c.day + 1) * DAY_SECONDS),
        "ChargeCategory" => text(if purchase { "Purchase" } else { "Usage" }),
        "ChargeFrequency" => text(if purchase { "Recurring" } else { "Usage-Based" }),
        "ChargeDescription" => format!("{} {}", c.item.family, c.usage_type),
        "CommitmentDiscountCategory" => committed("Spend"),
        "CommitmentDiscountId" => commitment.map_or(String::new(), |k| k.id.clone()),
        "CommitmentDiscountName" => committed("n2 flexible, one year"),
        "CommitmentDiscountType" => committed("Compute Flexible CUD"),
        "CommitmentDiscountUnit" => committed(currency(cloud)),
        "CommitmentDiscountQuantity" => match &c.kind {
            Kind::Covered(_) => c.effective.to_string(),
            Kind::Fee(..) => c.billed.to_string(),
            Kind::Usage | Kind::Negation(_) => String::new(),
        },
        "CommitmentDiscountStatus" if !purchase => committed("Used"),
        "ConsumedQuantity" if !purchase => quantity_text(c.quantity),
        "ConsumedUnit" if !purchase => text(c.item.unit),
        "ContractedCost" | "ListCost" => list.to_string(),
        "ContractedUnitPrice"
        | "ListUnitPrice"
        | "PricingCurrencyContractedUnitPrice"
        | "PricingCurrencyListUnitPrice" => price_text(c.price),
        "EffectiveCost" | "PricingCurrencyEffectiveCost" => c.effective.to_string(),
        "InvoiceIssuerName" => by_cloud("Microsoft", "Google Cloud"),
        "ProviderName" | "PublisherName" => by_cloud("Microsoft", "Google Cloud"),
        "PricingCategory" => text(if commitment.is_some() && !purchase { "Committed" } else { "Standard" }),
        "PricingQuantity" => quantity_text(c.quantity),
        "PricingUnit" => text(c.item.unit),
        "RegionId" => text(cloud.region()),
        "RegionName" => by_cloud("West Europe", "Iowa"),
        "ResourceId" => c.resource_id.clone(),
        "ResourceName" => c.resource_name.clone(),
        "ResourceType" if !c.resource_id.is_empty() => text(c.item.resource_type),
        "ServiceCategory" => text(c.item.category.0),
        "ServiceSubcategory" => text(c.item.category.1),
        "ServiceName" => text(c.item.service),
        "SkuId" => sku(c),
        "SkuMeter" => text(c.item.family),
        "SkuPriceId" => format!("{}/{}", sku(c), c.item.code),
        "SubAccountId" | "SubAccountName" => text(c.account),
        "SubAccountType" => by_cloud("Subscription", "Project"),
        "Tags" => tags(c),
        _ => String::new(),
    }
}

fn tags(c: &Charge) -> String {
    let pairs: Vec<String> = c.tags().map(|(k, v)| format!("\"{k}\":\"{v}\"")).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

/// A SKU: the same for the same thing.
fn sku(c: &Charge) -> String {
    Rng::new(1, &c.usage_type, 0).word(b"0123456789ABCDEF", 12)
}
