//! A bill in the 57 columns of FOCUS 1.2: charges per hour of resources of a dozen services.

use std::fmt::Write as _;
use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

const HEADER: &str = "AvailabilityZone,BilledCost,BillingAccountId,BillingAccountName,BillingAccountType,BillingCurrency,\
BillingPeriodEnd,BillingPeriodStart,CapacityReservationId,CapacityReservationStatus,ChargeCategory,ChargeClass,ChargeDescription,\
ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,CommitmentDiscountCategory,CommitmentDiscountId,CommitmentDiscountName,\
CommitmentDiscountQuantity,CommitmentDiscountStatus,CommitmentDiscountType,CommitmentDiscountUnit,ConsumedQuantity,ConsumedUnit,\
ContractedCost,ContractedUnitPrice,EffectiveCost,InvoiceId,InvoiceIssuerName,ListCost,ListUnitPrice,PricingCategory,\
PricingCurrency,PricingCurrencyContractedUnitPrice,PricingCurrencyEffectiveCost,PricingCurrencyListUnitPrice,PricingQuantity,\
PricingUnit,ProviderName,PublisherName,RegionId,RegionName,ResourceId,ResourceName,ResourceType,ServiceCategory,ServiceName,\
ServiceSubcategory,SkuId,SkuMeter,SkuPriceDetails,SkuPriceId,SubAccountId,SubAccountName,SubAccountType,Tags";

/// Name, category, unit, price of the unit.
const SERVICES: [(&str, &str, &str, f64); 12] = [
    ("Elastic Compute", "Compute", "Hours", 0.0416),
    ("Block Storage", "Storage", "GB-Hours", 0.000_11),
    ("Object Storage", "Storage", "GB-Hours", 0.000_03),
    ("Object Requests", "Storage", "Requests", 0.000_000_4),
    ("Managed Database", "Databases", "Hours", 0.272),
    ("Load Balancing", "Networking", "LCU-Hours", 0.008),
    ("Data Transfer", "Networking", "GB", 0.09),
    ("Functions", "Compute", "GB-Seconds", 0.000_016_7),
    ("Queue Service", "Integration", "Requests", 0.000_000_4),
    ("Key Management", "Security", "Requests", 0.000_003),
    ("Logging", "Management and Governance", "GB", 0.5),
    ("Container Registry", "Developer Tools", "GB-Hours", 0.000_14),
];

/// Charges of one piece of a bill.
const PIECE: usize = 10_000;

/// A bill of one month with so many charges, as CSV.
pub(crate) fn csv(charges: usize, seed: u64) -> String {
    let mut out = String::with_capacity(charges * 1000);
    pieces(charges, seed).for_each(|piece| out.push_str(&piece));
    out
}

/// The same, piece by piece.
pub(crate) fn pieces(charges: usize, seed: u64) -> impl Iterator<Item = String> + Send {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..charges).step_by(PIECE).map(move |from| {
        let mut out = String::with_capacity(PIECE * 1000);
        if from == 0 {
            out.push_str(HEADER);
            out.push('\n');
        }
        rows(&mut out, from..(from + PIECE).min(charges), charges, &mut rng);
        out
    })
}

fn rows(out: &mut String, range: Range<usize>, charges: usize, rng: &mut StdRng) {
    for i in range {
        let (service, category, unit, price) = SERVICES[rng.random_range(0..SERVICES.len())];
        let (resource, account, region) = (rng.random_range(0..4000), rng.random_range(0..12), rng.random_range(1..4));
        let hour = i * 30 * 24 / charges.max(1);
        let (day, hour) = (hour / 24 + 1, hour % 24);
        let quantity = (rng.random_range(0.0..1.0_f64).powi(2) * 1e9).round() / 1e7;
        let list = quantity * price;
        let (contracted, effective) = (list * 0.9, list * 0.72);
        let team = ["web", "data", "platform", "mobile", "ml"][resource % 5];
        let committed = match resource % 5 {
            0 => format!("Spend,arn:plan:{account},Plan {account},{effective:.10},Used,Savings Plan,USD"),
            _ => ",,,,,,".to_owned(),
        };
        let (unit_price, sku) = (price * 0.9, resource % 97);
        let env = if resource % 3 == 0 { "dev" } else { "prod" };
        let _ = writeln!(
            out,
            "eu-central-{region}a,{contracted:.10},112233445566,Example Ltd,Billing,USD,2026-10-01T00:00:00Z,2026-09-01T00:00:00Z,,,Usage,,\
             ${price} per {unit} of {service},Usage-Based,2026-09-{day:02}T{hour:02}:59:59Z,2026-09-{day:02}T{hour:02}:00:00Z,{committed},\
             {quantity},{unit},{contracted:.10},{unit_price:.12},{effective:.10},INV-2026-09,Example Cloud Inc.,{list:.10},{price},Standard,USD,\
             {unit_price:.12},{effective:.10},{price},{quantity},{unit},Example Cloud,Example Cloud,eu-central-{region},Frankfurt {region},\
             arn:example:{account}:resource/r-{resource:08x},r-{resource:08x},Instance,{category},{service},Other ({category}),SKU{sku:06},\
             {service} {unit},\"{{\"\"InstanceType\"\":\"\"m5.large\"\"}}\",SKU{sku:06}.USD,acc-{account:02},Team {account},Account,\
             \"{{\"\"team\"\": \"\"{team}\"\", \"\"env\"\": \"\"{env}\"\"}}\""
        );
    }
}
