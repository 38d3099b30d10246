//! AWS Cost and Usage Report (legacy CSV, daily).

use super::charge::{Charge, Kind, price_text, product, quantity_text};
use super::{Month, push_row};
use crate::demo::company::AWS_PAYER;
use crate::demo::rng::Rng;
use crate::demo::timeline::rfc3339;
use crate::demo::world::World;

const DAY_SECONDS: i64 = 86_400;

const COLUMNS: [&str; 46] = [
    "identity/LineItemId",
    "identity/TimeInterval",
    "bill/InvoiceId",
    "bill/InvoicingEntity",
    "bill/BillingEntity",
    "bill/BillType",
    "bill/PayerAccountId",
    "bill/BillingPeriodStartDate",
    "bill/BillingPeriodEndDate",
    "lineItem/UsageAccountId",
    "lineItem/LineItemType",
    "lineItem/UsageStartDate",
    "lineItem/UsageEndDate",
    "lineItem/ProductCode",
    "lineItem/UsageType",
    "lineItem/Operation",
    "lineItem/AvailabilityZone",
    "lineItem/ResourceId",
    "lineItem/UsageAmount",
    "lineItem/CurrencyCode",
    "lineItem/UnblendedRate",
    "lineItem/UnblendedCost",
    "lineItem/BlendedRate",
    "lineItem/BlendedCost",
    "lineItem/LineItemDescription",
    "lineItem/LegalEntity",
    "product/ProductName",
    "product/productFamily",
    "product/instanceType",
    "product/region",
    "product/regionCode",
    "product/servicecode",
    "product/sku",
    "pricing/publicOnDemandCost",
    "pricing/publicOnDemandRate",
    "pricing/term",
    "pricing/unit",
    "pricing/currency",
    "savingsPlan/SavingsPlanARN",
    "savingsPlan/SavingsPlanRate",
    "savingsPlan/SavingsPlanEffectiveCost",
    "savingsPlan/TotalCommitmentToDate",
    "savingsPlan/UsedCommitment",
    "resourceTags/user:env",
    "resourceTags/user:service",
    "resourceTags/user:team",
];

pub(crate) fn write(world: &World, month: Month, charges: &[Charge]) -> Vec<u8> {
    let mut out = String::with_capacity(charges.len() * 700);
    push_row(&mut out, COLUMNS);
    for (n, charge) in charges.iter().enumerate() {
        let id = Rng::new(world.seed, "cur", n as u64).word(b"abcdefghijklmnopqrstuvwxyz234567", 52);
        push_row(&mut out, row(charge, month, id));
    }
    out.into_bytes()
}

fn row(c: &Charge, month: Month, id: String) -> [String; COLUMNS.len()] {
    let (month_start, month_end) = month.days();
    let (start, end) = (rfc3339(c.day * DAY_SECONDS), rfc3339((c.day + 1) * DAY_SECONDS));
    let (kind, arn, plan_rate, plan_cost, total, used) = match &c.kind {
        Kind::Usage => ("Usage", "", String::new(), String::new(), String::new(), String::new()),
        Kind::Covered(plan) => (
            "SavingsPlanCoveredUsage",
            plan.id.as_str(),
            price_text(plan.rate),
            c.effective.to_string(),
            String::new(),
            String::new(),
        ),
        Kind::Negation(plan) => {
            ("SavingsPlanNegation", plan.id.as_str(), String::new(), String::new(), String::new(), String::new())
        }
        Kind::Fee(plan, used) => (
            "SavingsPlanRecurringFee",
            plan.id.as_str(),
            String::new(),
            String::new(),
            c.billed.to_string(),
            used.to_string(),
        ),
    };
    let is_fee = matches!(c.kind, Kind::Fee(..));
    let is_negation = matches!(c.kind, Kind::Negation(_));
    let list = if is_fee || is_negation { String::new() } else { product(c.quantity, c.price).to_string() };
    let list_rate = if is_fee || is_negation { String::new() } else { price_text(c.price) };
    let instance_type = c.usage_type.strip_prefix("BoxUsage:").unwrap_or_default();
    let region = if is_fee { "" } else { "us-east-1" };
    let text = str::to_owned;
    [
        id,
        format!("{start}/{end}"),
        String::new(),
        text("Amazon Web Services, Inc."),
        text("AWS"),
        text("Anniversary"),
        text(AWS_PAYER),
        rfc3339(month_start * DAY_SECONDS),
        rfc3339(month_end * DAY_SECONDS),
        text(c.account),
        text(kind),
        start,
        end,
        text(c.item.code),
        c.usage_type.clone(),
        text(c.item.operation),
        c.zone.clone(),
        c.resource_id.clone(),
        quantity_text(c.quantity),
        text("USD"),
        price_text(if is_negation { -c.price } else { c.price }),
        c.billed.to_string(),
        price_text(if is_negation { -c.price } else { c.price }),
        c.billed.to_string(),
        describe(c),
        text("Amazon Web Services, Inc."),
        text(c.item.service),
        text(c.item.family),
        text(instance_type),
        text(region),
        text(region),
        text(c.item.code),
        sku(c),
        list,
        list_rate,
        text(if is_fee { "" } else { "OnDemand" }),
        text(c.item.unit),
        text("USD"),
        text(arn),
        plan_rate,
        plan_cost,
        total,
        used,
        text(c.tag("env")),
        text(c.tag("service")),
        text(c.tag("team")),
    ]
}

fn describe(c: &Charge) -> String {
    match &c.kind {
        Kind::Usage | Kind::Covered(_) => format!("${} per {} {}", price_text(c.price), c.item.unit, c.usage_type),
        Kind::Negation(plan) => format!("SavingsPlanNegation used by {}", plan.id),
        Kind::Fee(..) => "1 year No Upfront EC2 Instance Savings Plan".to_owned(),
    }
}

/// A SKU as AWS forms them: capital letters and digits, the same for the same thing.
fn sku(c: &Charge) -> String {
    Rng::new(0, &c.usage_type, 0).word(b"ABCDEFGHJKMNPQRSTUVWXYZ23456789", 16)
}
