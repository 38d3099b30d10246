//! Microsoft Azure cost exports into `charges`: cost details of Enterprise Agreements, Microsoft Customer Agreements and
//! pay-as-you-go subscriptions, of actual and of amortised costs, with the column names of every generation.
//!
//! The mapping is written down for users in `docs/bills.md`, and what an amortised export means in ADR 0019. The export has one
//! cost column. In an actual export it is what is invoiced. In an amortised export it is what a commitment is worth where it is
//! used, or wasted: such rows are billed nothing, their cost is the effective one. Which of the two a row is, it tells itself:
//! a covered or unused row with a cost can only be amortised, a purchase of a commitment only actual.

use grid_model::Amount;
use grid_model::table::charges::{ChargeRow, Column};
use grid_model::time::DAY_NS;

use crate::bill::date;
use crate::bill::mapping::{Fate, Header, columns, keep};
use crate::bill::{BillError, BillFormat, MapContext, Row};
use crate::focus::tags;

mod service;
mod unit;

use self::service::service_category;

/// Columns whose text is taken over as it is, by the names of all generations, the likeliest first.
const COPIED: &[(&[&str], Column)] = &[
    (
        &["BillingAccountId", "EnrollmentNumber", "BillingProfileId", "SubscriptionId", "SubscriptionGuid"],
        Column::BillingAccountId,
    ),
    (&["BillingAccountName", "BillingProfileName", "AccountName"], Column::BillingAccountName),
    (&["SubscriptionId", "SubscriptionGuid"], Column::SubAccountId),
    (&["SubscriptionName"], Column::SubAccountName),
    (&["InvoiceId"], Column::InvoiceId),
    (&["ProductName", "Product"], Column::ChargeDescription),
    (&["ResourceLocation", "Location", "ResourceLocationNormalized"], Column::RegionId),
    (&["AvailabilityZone"], Column::AvailabilityZone),
    (&["MeterId", "MeterGuid", "ResourceGuid"], Column::SkuId),
    (&["MeterName"], Column::SkuMeter),
    (&["ProductId", "PartNumber"], Column::SkuPriceId),
    (&["PricingCurrency", "PricingCurrencyCode"], Column::PricingCurrency),
];

/// The cost columns, the billed currency first.
const COSTS: &[&str] = &["CostInBillingCurrency", "PreTaxCost", "ExtendedCost", "Cost"];
const CURRENCIES: &[&str] = &["BillingCurrency", "BillingCurrencyCode", "Currency", "CurrencyCode"];
const DATES: &[&str] = &["Date", "UsageDateTime", "UsageDate"];
const METERS: &[&str] = &["MeterCategory"];

// `true`: the source's own text is kept in x_columns too, because the mapping loses some of it.
columns! {
    cost = COSTS, false,
    currency = CURRENCIES, false,
    date = DATES, false,
    period_start = &["BillingPeriodStartDate", "BillingPeriodStart"], false,
    period_end = &["BillingPeriodEndDate", "BillingPeriodEnd"], false,
    meter_category = METERS, false,
    charge_type = &["ChargeType"], true,
    frequency = &["Frequency"], true,
    pricing_model = &["PricingModel"], true,
    quantity = &["Quantity", "ConsumedQuantity", "UsageQuantity"], false,
    unit = &["UnitOfMeasure"], true,
    unit_price = &["UnitPrice"], true,
    effective_price = &["EffectivePrice", "ResourceRate"], true,
    list_price = &["PayGPrice"], true,
    list_cost = &["PaygCostInBillingCurrency"], true,
    exchange_rate = &["ExchangeRatePricingToBilling", "ExchangeRate"], true,
    resource_id = &["ResourceId", "InstanceId", "InstanceName"], false,
    resource_name = &["ResourceName"], false,
    reservation_id = &["ReservationId"], true,
    reservation_name = &["ReservationName"], true,
    benefit_id = &["BenefitId"], true,
    benefit_name = &["BenefitName"], true,
    publisher_type = &["PublisherType"], true,
    publisher_name = &["PublisherName"], false,
    tags = &["Tags"], false,
}

/// Where the columns of one export are.
pub(crate) struct AzureMapping {
    copied: Vec<(usize, Column)>,
    extra: Vec<(usize, String)>,
    at: Columns,
    cost: usize,
    cost_name: &'static str,
    currency: usize,
    date: usize,
    described: &'static str,
    /// Whether the amortised export of the same costs is part of the import.
    beside_amortized: bool,
}

/// Whether a header, its names in canonical form, is one of Azure's.
pub(crate) fn is_azure(has: impl Fn(&str) -> bool) -> bool {
    has("metercategory") && ["costinbillingcurrency", "pretaxcost", "extendedcost", "cost"].iter().any(|c| has(c))
}

/// What a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charge {
    Usage,
    Unused,
    Purchase,
    Refund,
    Tax,
    Credit,
    Adjustment,
}

impl Charge {
    fn parse(word: Option<&str>) -> Self {
        let Some(word) = word else { return Self::Usage };
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        match () {
            () if is("Usage") => Self::Usage,
            () if is("UnusedReservation") || is("UnusedSavingsPlan") => Self::Unused,
            () if is("Purchase") => Self::Purchase,
            () if is("Refund") => Self::Refund,
            () if is("Tax") => Self::Tax,
            () if is("Credit") => Self::Credit,
            () => Self::Adjustment,
        }
    }

    fn category(self) -> &'static str {
        match self {
            Self::Usage | Self::Unused => "Usage",
            Self::Purchase => "Purchase",
            Self::Tax => "Tax",
            Self::Credit => "Credit",
            Self::Refund | Self::Adjustment => "Adjustment",
        }
    }
}

/// The commitment behind a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    OnDemand,
    Spot,
    Reservation,
    SavingsPlan,
}

impl Model {
    fn is_commitment(self) -> bool {
        matches!(self, Self::Reservation | Self::SavingsPlan)
    }
}

impl AzureMapping {
    /// Reads a header.
    pub(crate) fn new(names: &[String], beside_amortized: bool) -> Result<Self, BillError> {
        let header = Header::new(names, |_| false);
        let at = Columns::find(&header);
        let (Some(cost), Some(currency), Some(date), Some(_)) = (at.cost, at.currency, at.date, at.meter_category)
        else {
            let needed = [("CostInBillingCurrency", at.cost), ("BillingCurrency", at.currency), ("Date", at.date)];
            let needed = needed.into_iter().chain([("MeterCategory", at.meter_category)]);
            let columns = needed.filter(|(_, at)| at.is_none()).map(|(name, _)| name).collect();
            return Err(BillError::MissingColumns { format: BillFormat::Azure, columns });
        };
        let copied: Vec<(usize, Column)> = COPIED.iter().filter_map(|(n, c)| Some((header.find(n)?, *c))).collect();
        if !copied.iter().any(|(_, c)| *c == Column::BillingAccountId) {
            return Err(BillError::MissingColumns { format: BillFormat::Azure, columns: vec!["BillingAccountId"] });
        }
        let absorbed = at.absorbed();
        let extra = header.extra(|i| copied.iter().any(|(c, _)| *c == i) || absorbed.contains(&Some(i)));
        let has = |name: &str| header.find(&[name]).is_some();
        let described = match () {
            () if has("BillingProfileId") && has("CostInPricingCurrency") => "Azure cost details (MCA)",
            () if has("EnrollmentNumber") || has("InvoiceSectionName") || has("PartNumber") => {
                "Azure cost details (EA)"
            }
            () => "Azure cost details (pay-as-you-go)",
        };
        let cost_name = COSTS.iter().find(|name| has(name)).copied().unwrap_or("cost");
        Ok(Self { copied, extra, at, cost, cost_name, currency, date, described, beside_amortized })
    }

    /// Where the cost is.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// What the cost's column is called.
    pub(crate) fn cost_name(&self) -> &'static str {
        self.cost_name
    }

    /// Where the currency is.
    pub(crate) fn currency(&self) -> usize {
        self.currency
    }

    /// The kind of agreement, as the columns tell it.
    pub(crate) fn describe(&self) -> &'static str {
        self.described
    }

    /// Whether a row can only be of an amortised export, or only of an actual one; `None` if it would be the same in both.
    pub(crate) fn amortized(&self, row: Row<'_>) -> Option<bool> {
        let charge = Charge::parse(row.find(self.at.charge_type));
        let free = row.get(self.cost).is_none_or(|c| c.bytes().all(|b| matches!(b, b'0' | b'.' | b'-')));
        match charge {
            Charge::Unused => Some(true),
            _ if !self.model(row).is_commitment() => None,
            Charge::Usage => Some(!free),
            Charge::Purchase | Charge::Refund => Some(false),
            _ => None,
        }
    }

    /// Maps one row whose billed cost is already set to its cost column.
    pub(crate) fn map<'r>(
        &'r self,
        row: Row<'r>,
        cost: Amount,
        cx: &mut MapContext<'_>,
        charge: &mut ChargeRow<'r>,
    ) -> Result<Fate, String> {
        let at = &self.at;
        let (kind, model) = (Charge::parse(row.find(at.charge_type)), self.model(row));
        let of_commitment = matches!(kind, Charge::Purchase | Charge::Refund) && model.is_commitment();
        if self.beside_amortized && !of_commitment {
            return Ok(Fate::LeftOut);
        }
        for (i, column) in &self.copied {
            if let Some(cell) = row.get(*i) {
                charge.set_text(*column, cell);
            }
        }
        charge.set_text(Column::BillingCurrency, row.get(self.currency).unwrap_or_default().trim());
        self.set_times(row, cx, charge)?;
        charge.set_text(Column::ChargeCategory, kind.category());
        if let Some(frequency) = row.find(at.frequency) {
            charge.set_text(
                Column::ChargeFrequency,
                match frequency {
                    "UsageBased" => "Usage-Based",
                    "OneTime" => "One-Time",
                    other => other,
                },
            );
        }
        let billed = if kind == Charge::Unused || (kind == Charge::Usage && model.is_commitment()) {
            Amount::ZERO
        } else {
            cost
        };
        let effective = match (of_commitment, self.beside_amortized) {
            (true, true) => Amount::ZERO,
            (true, false) => {
                cx.note("a commitment is bought, and no amortised export is beside it: EffectiveCost = BilledCost");
                cost
            }
            (false, _) => cost,
        };
        charge.set_amount(Column::BilledCost, billed);
        charge.set_amount(Column::EffectiveCost, effective);
        self.set_prices(row, kind, cost, cx, charge);
        self.set_commitment(row, kind, model, charge);
        self.set_service(row, charge);
        self.set_tags(row, cx, charge);
        keep(&self.extra, row, charge);
        Ok(Fate::Charge)
    }

    fn model(&self, row: Row<'_>) -> Model {
        let at = &self.at;
        let word = row.find(at.pricing_model).unwrap_or_default();
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        match () {
            () if is("Reservation") => Model::Reservation,
            () if is("SavingsPlan") || is("Savings Plan") => Model::SavingsPlan,
            () if is("Spot") => Model::Spot,
            () if is("OnDemand") => Model::OnDemand,
            // Older generations have no pricing model, only what was bought.
            () if row.find(at.reservation_id).is_some() => Model::Reservation,
            () if row.find(at.benefit_id).is_some_and(|id| id.contains("savingsPlan")) => Model::SavingsPlan,
            () => Model::OnDemand,
        }
    }

    /// Days of the export are whole days, and the last day of a billing period belongs to it.
    fn set_times(&self, row: Row<'_>, cx: &mut MapContext<'_>, charge: &mut ChargeRow<'_>) -> Result<(), String> {
        let at = &self.at;
        let (start, end) = (row.find(at.period_start), row.find(at.period_end));
        // A period ends on the 28th or later: where that can only be a day, days come first in all dates of the row.
        let day_first = end.is_some_and(|end| date::parse(end).is_none() && date::parse_day_first(end).is_some());
        let rule = (u8::from(day_first), if day_first { date::parse_day_first } else { date::parse });
        let day = cx.date_by("Date", 2, row.get(self.date).ok_or("Date is null")?, rule)?;
        charge.set_time(Column::ChargePeriodStart, day);
        charge.set_time(Column::ChargePeriodEnd, day.saturating_add(DAY_NS));
        let (first, after) = match (start, end) {
            (Some(start), Some(end)) => (
                cx.date_by("BillingPeriodStartDate", 0, start, rule)?,
                cx.date_by("BillingPeriodEndDate", 1, end, rule)?.saturating_add(DAY_NS),
            ),
            _ => {
                cx.note("the export names no billing period: it is the month of the usage");
                date::month_of(day)
            }
        };
        charge.set_time(Column::BillingPeriodStart, first);
        charge.set_time(Column::BillingPeriodEnd, after);
        Ok(())
    }

    fn set_prices<'r>(
        &'r self,
        row: Row<'r>,
        kind: Charge,
        cost: Amount,
        cx: &mut MapContext<'_>,
        charge: &mut ChargeRow<'r>,
    ) {
        let at = &self.at;
        let mut number = |column: Option<usize>, name: &'static str| {
            let text = row.find(column)?;
            cx.amount(name, text)
                .inspect_err(|_| cx.note("a price or quantity is not a number: kept in x_columns"))
                .ok()
        };
        let quantity = number(at.quantity, "Quantity");
        let (unit_price, list_price) = (number(at.unit_price, "UnitPrice"), number(at.list_price, "PayGPrice"));
        // Prices are in the pricing currency; costs, in the billing currency.
        let rate = match (charge.text(Column::PricingCurrency), charge.text(Column::BillingCurrency)) {
            (Some(priced), Some(billed)) if priced != billed => number(at.exchange_rate, "ExchangeRate"),
            _ => Some(Amount(10_i128.pow(grid_model::money::SCALE))),
        };
        let stated_list = row.find(at.list_cost);
        let usage = matches!(kind, Charge::Usage | Charge::Unused);
        let mut product = |column: Column, price: Option<Amount>| {
            let (value, first) = price?.checked_mul(quantity?)?;
            let (value, second) =
                if rate? == Amount(10_i128.pow(18)) { (value, first) } else { value.checked_mul(rate?)? };
            cx.rounding(column, second);
            Some(value)
        };
        let (mut list, mut contracted) = (None, None);
        if usage {
            contracted = product(Column::ContractedCost, unit_price);
            list = match stated_list {
                Some(_) => None,
                None => product(Column::ListCost, list_price),
            };
        }
        if let (true, Some(text)) = (usage, stated_list) {
            list = cx.cost(Column::ListCost, "PaygCostInBillingCurrency", text).ok();
        }
        if usage && (list.is_none() || contracted.is_none()) {
            cx.note("a list or negotiated price is not in the export: the cost stands in for it");
        }
        charge.set_amount(Column::ListCost, list.or(contracted).unwrap_or(cost));
        charge.set_amount(Column::ContractedCost, contracted.unwrap_or(cost));
        if let Some(quantity) = quantity {
            charge.set_amount(Column::PricingQuantity, quantity);
        }
        for (column, price) in [(Column::ListUnitPrice, list_price), (Column::ContractedUnitPrice, unit_price)] {
            if let Some(price) = price {
                charge.set_amount(column, price);
            }
        }
        let Some(measure) = row.find(at.unit) else { return };
        charge.set_text(Column::PricingUnit, measure);
        if usage {
            let (block, unit) = unit::parse(measure);
            charge.set_text(Column::ConsumedUnit, unit);
            if let Some((consumed, _)) = quantity.and_then(|q| q.checked_mul(block)) {
                charge.set_amount(Column::ConsumedQuantity, consumed);
            }
        }
    }

    fn set_commitment<'r>(&'r self, row: Row<'r>, kind: Charge, model: Model, charge: &mut ChargeRow<'r>) {
        let at = &self.at;
        let usage = matches!(kind, Charge::Usage | Charge::Unused);
        charge.set_text(
            Column::PricingCategory,
            match (model, kind) {
                (Model::Reservation | Model::SavingsPlan, _) if usage => "Committed",
                (Model::Spot, _) => "Dynamic",
                (_, Charge::Tax | Charge::Credit | Charge::Adjustment) => "Other",
                _ => "Standard",
            },
        );
        if !model.is_commitment() {
            return;
        }
        let id = row.find(at.benefit_id).or_else(|| row.find(at.reservation_id));
        let name = row.find(at.benefit_name).or_else(|| row.find(at.reservation_name));
        charge.set_text(Column::CommitmentDiscountId, id.unwrap_or_default());
        charge.set_text(Column::CommitmentDiscountName, name.unwrap_or_default());
        let (category, kind_name) =
            if model == Model::Reservation { ("Usage", "Reservation") } else { ("Spend", "Savings Plan") };
        charge.set_text(Column::CommitmentDiscountCategory, category);
        charge.set_text(Column::CommitmentDiscountType, kind_name);
        match kind {
            Charge::Usage => charge.set_text(Column::CommitmentDiscountStatus, "Used"),
            Charge::Unused => charge.set_text(Column::CommitmentDiscountStatus, "Unused"),
            _ => {}
        }
    }

    fn set_service<'r>(&'r self, row: Row<'r>, charge: &mut ChargeRow<'r>) {
        let at = &self.at;
        let meter = row.find(at.meter_category);
        // Purchases of commitments and taxes may have no meter.
        let name = meter.or(charge.text(Column::ChargeDescription)).unwrap_or("Azure");
        charge.set_text(Column::ServiceName, name);
        let (category, subcategory) = service_category(name);
        charge.set_text(Column::ServiceCategory, category);
        charge.set_text(Column::ServiceSubcategory, subcategory);
        let id = row.find(at.resource_id).unwrap_or_default();
        charge.set_text(Column::ResourceId, id);
        charge.set_text(Column::ResourceName, row.find(at.resource_name).unwrap_or_else(|| last_part(id)));
        charge.set_text(Column::ResourceType, resource_type(id));
        let marketplace = row.find(at.publisher_type).is_some_and(|t| t.eq_ignore_ascii_case("Marketplace"));
        let publisher = row.find(at.publisher_name);
        let seller = if marketplace { publisher.unwrap_or("Azure Marketplace") } else { "Microsoft" };
        charge.set_text(Column::ServiceProviderName, seller);
        charge.set_text(Column::HostProviderName, "Microsoft");
        charge.set_text(Column::ProviderName, "Microsoft");
        charge.set_text(Column::PublisherName, publisher.unwrap_or("Microsoft"));
        charge.set_text(Column::InvoiceIssuerName, "Microsoft");
        if charge.text(Column::SubAccountId).is_some() {
            charge.set_text(Column::SubAccountType, "Subscription");
        }
    }

    fn set_tags<'r>(&'r self, row: Row<'r>, cx: &mut MapContext<'_>, charge: &mut ChargeRow<'r>) {
        let Some(text) = row.find(self.at.tags) else { return };
        match tags(text) {
            Some(tags) => charge.tags = tags,
            None => {
                cx.note("Tags is not JSON, with or without its braces: kept as text in x_columns");
                charge.x_columns.push(("Tags".into(), text.into()));
            }
        }
    }
}

/// The name at the end of a resource's path.
fn last_part(id: &str) -> &str {
    id.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// `microsoft.compute/virtualmachines` of `/subscriptions/.../providers/microsoft.compute/virtualmachines/NAME`.
fn resource_type(id: &str) -> &str {
    const BEFORE: &str = "/providers/";
    let mut start = id.char_indices().map(|(i, _)| i).filter(|i| {
        id.as_bytes().get(*i..*i + BEFORE.len()).is_some_and(|p| p.eq_ignore_ascii_case(BEFORE.as_bytes()))
    });
    let Some(kind) = start.next_back().and_then(|i| id.get(i + BEFORE.len()..)) else { return "" };
    let end = kind.match_indices('/').nth(1).map_or(kind.len(), |(i, _)| i);
    &kind[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_by_their_path() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm-1";
        assert_eq!((resource_type(id), last_part(id)), ("Microsoft.Compute/virtualMachines", "vm-1"));
        let nested = "/subscriptions/s/providers/microsoft.web/sites/x/PROVIDERS/microsoft.insights/y/z";
        assert_eq!(resource_type(nested), "microsoft.insights/y");
        for none in ["", "vm-1", "/providers/", "ü/providers"] {
            assert_eq!(resource_type(none), "", "{none}");
        }
    }
}
