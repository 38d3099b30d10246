//! Google Cloud billing exports to BigQuery into `charges`: the standard and the detailed usage cost export, as JSON lines, as
//! Parquet, or as CSV whose columns are the nested fields (`service.description`, `service_description`).
//!
//! The mapping is written down for users in `docs/bills.md`, why credits are charges of their own in ADR 0019. A row bills its
//! `cost` and all `credits` that it carries: the source's total is the sum of both.

use std::borrow::Cow;

use grid_model::Amount;
use grid_model::money::Residual;
use grid_model::table::charges::{ChargeRow, Column};
use serde_json::value::RawValue;

use crate::bill::json_rows::{Object, Text};
use crate::bill::mapping::{Credit, Header, columns, keep};
use crate::bill::{BillError, BillFormat, MapContext, Row, date, number, quoted};

mod service;

use self::service::service_category;

/// Credits of one row; more are none.
const CREDITS_MAX: usize = 1_000;

/// Columns whose text is taken over as it is.
const COPIED: &[(&[&str], Column)] = &[
    (&["billing_account_id"], Column::BillingAccountId),
    (&["project.id"], Column::SubAccountId),
    (&["project.name"], Column::SubAccountName),
    (&["sku.id"], Column::SkuId),
    (&["sku.description"], Column::SkuMeter),
    (&["location.region"], Column::RegionId),
    (&["location.zone"], Column::AvailabilityZone),
    (&["resource.global_name"], Column::ResourceId),
    (&["resource.name"], Column::ResourceName),
    (&["usage.unit"], Column::ConsumedUnit),
    (&["usage.pricing_unit"], Column::PricingUnit),
];

const MANDATORY: &[&str] = &["billing_account_id", "usage_start_time", "usage_end_time", "cost", "currency"];

// `true`: the source's own text is kept in x_columns too, because the mapping loses some of it.
columns! {
    cost = &["cost"], false,
    currency = &["currency"], false,
    start = &["usage_start_time"], false,
    end = &["usage_end_time"], false,
    month = &["invoice.month"], true,
    cost_type = &["cost_type"], true,
    service_name = &["service.description"], false,
    service_id = &["service.id"], true,
    sku_name = &["sku.description"], false,
    location = &["location.location"], true,
    usage_amount = &["usage.amount"], false,
    pricing_amount = &["usage.amount_in_pricing_units"], false,
    list_cost = &["cost_at_list"], true,
    unit_price = &["price.effective_price"], true,
    list_price = &["price.list_price"], true,
    credits = &["credits"], false,
    credit_amount = &["credits.amount"], false,
    credit_name = &["credits.name"], false,
    credit_id = &["credits.id"], false,
    credit_type = &["credits.type"], false,
    adjustment_mode = &["adjustment_info.mode"], true,
    adjustment_text = &["adjustment_info.description"], true,
    seller = &["seller_name"], true,
    labels = &["labels"], false,
    system_labels = &["system_labels"], false,
    project_labels = &["project.labels"], false,
    tags = &["tags"], false,
}

/// Where the columns of one export are.
pub(crate) struct GcpMapping {
    copied: Vec<(usize, Column)>,
    extra: Vec<(usize, String)>,
    at: Columns,
    cost: usize,
    currency: usize,
}

/// Whether a header, its names in canonical form, is one of a Google Cloud billing export.
pub(crate) fn is_gcp(has: impl Fn(&str) -> bool) -> bool {
    let named = ["serviceid", "servicedescription", "skuid", "skudescription"].iter().any(|c| has(c));
    has("cost") && has("billingaccountid") && has("usagestarttime") && named
}

impl GcpMapping {
    /// Reads a header.
    pub(crate) fn new(names: &[String]) -> Result<Self, BillError> {
        let header = Header::new(names, |_| false);
        let missing: Vec<&'static str> = MANDATORY.iter().copied().filter(|m| header.find(&[m]).is_none()).collect();
        let at = Columns::find(&header);
        let (Some(cost), Some(currency), true) = (at.cost, at.currency, missing.is_empty()) else {
            return Err(BillError::MissingColumns { format: BillFormat::Gcp, columns: missing });
        };
        if at.service_name.or(at.service_id).is_none() {
            return Err(BillError::MissingColumns { format: BillFormat::Gcp, columns: vec!["service.description"] });
        }
        let copied: Vec<(usize, Column)> = COPIED.iter().filter_map(|(n, c)| Some((header.find(n)?, *c))).collect();
        let absorbed = at.absorbed();
        let extra = header.extra(|i| copied.iter().any(|(c, _)| *c == i) || absorbed.contains(&Some(i)));
        Ok(Self { copied, extra, at, cost, currency })
    }

    /// Where the cost before credits is.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Where the currency is.
    pub(crate) fn currency(&self) -> usize {
        self.currency
    }

    /// The credits of a row. One that cannot be read makes the cost of the whole row unreadable.
    pub(crate) fn credits<'r>(&self, row: Row<'r>, credits: &mut Vec<Credit<'r>>) -> Result<(), String> {
        if let Some(json) = row.find(self.at.credits) {
            let entries = entries(json).ok_or_else(|| format!("credits {} are no list of records", quoted(json)))?;
            if entries.len() > CREDITS_MAX {
                return Err(format!("the row has {} credits; at most {CREDITS_MAX} are read", entries.len()));
            }
            for entry in entries {
                let field = |name: &str| entry.0.iter().find(|(k, _)| k == name).and_then(|(_, v)| plain(v));
                let Some(amount) = field("amount") else { return Err("a credit has no amount".to_owned()) };
                credits.push(credit(&amount, field("name"), field("id"), field("type"), field("full_name"))?);
            }
        }
        // Flattened exports have room for one.
        if let Some(amount) = row.find(self.at.credit_amount) {
            let cell = |column| row.find(column).map(Cow::Borrowed);
            let (name, id, kind) = (cell(self.at.credit_name), cell(self.at.credit_id), cell(self.at.credit_type));
            credits.push(credit(amount, name, id, kind, None)?);
        }
        Ok(())
    }

    /// Maps one row whose billed cost is already set.
    pub(crate) fn map<'r>(
        &'r self,
        row: Row<'r>,
        billed: Amount,
        cx: &mut MapContext<'_>,
        charge: &mut ChargeRow<'r>,
    ) -> Result<(), String> {
        let at = &self.at;
        for (i, column) in &self.copied {
            if let Some(cell) = row.get(*i) {
                charge.set_text(*column, cell);
            }
        }
        charge.set_text(Column::BillingCurrency, row.get(self.currency).unwrap_or_default().trim());
        self.set_times(row, cx, charge)?;
        self.set_category(row, charge);
        charge.set_amount(Column::EffectiveCost, billed);
        charge.set_amount(Column::ContractedCost, billed);
        let list = match row.find(at.list_cost) {
            Some(text) => cx.cost(Column::ListCost, "cost_at_list", text).ok(),
            None => None,
        };
        if list.is_none() {
            cx.note("the export has no cost_at_list: ListCost = BilledCost");
        }
        charge.set_amount(Column::ListCost, list.unwrap_or(billed));
        for (column, at, name) in [
            (Column::ConsumedQuantity, at.usage_amount, "usage.amount"),
            (Column::PricingQuantity, at.pricing_amount, "usage.amount_in_pricing_units"),
            (Column::ContractedUnitPrice, at.unit_price, "price.effective_price"),
            (Column::ListUnitPrice, at.list_price, "price.list_price"),
        ] {
            let Some(text) = row.find(at) else { continue };
            match cx.amount(name, text) {
                Ok(amount) => charge.set_amount(column, amount),
                Err(_) => {
                    cx.note("a price or quantity is not a number: kept as text in x_columns");
                    charge.x_columns.push((name.into(), text.into()));
                }
            }
        }
        self.set_service(row, charge);
        self.set_tags(row, cx, charge);
        keep(&self.extra, row, charge);
        Ok(())
    }

    fn set_times(&self, row: Row<'_>, cx: &mut MapContext<'_>, charge: &mut ChargeRow<'_>) -> Result<(), String> {
        let rule = (0, date::parse);
        for (slot, column, index, name) in [
            (2, Column::ChargePeriodStart, self.at.start, "usage_start_time"),
            (3, Column::ChargePeriodEnd, self.at.end, "usage_end_time"),
        ] {
            let cell = row.find(index).ok_or_else(|| format!("{name} is null"))?;
            charge.set_time(column, cx.date_by(name, slot, cell, rule)?);
        }
        let (start, end) = match row.find(self.at.month) {
            Some(month) => {
                invoice_month(month).ok_or_else(|| format!("invoice.month {} is no YYYYMM", quoted(month)))?
            }
            None => {
                cx.note("the row names no invoice month: it is the month of the usage");
                date::month_of(charge.time(Column::ChargePeriodStart).unwrap_or_default())
            }
        };
        charge.set_time(Column::BillingPeriodStart, start);
        charge.set_time(Column::BillingPeriodEnd, end);
        Ok(())
    }

    fn set_category<'r>(&'r self, row: Row<'r>, charge: &mut ChargeRow<'r>) {
        let at = &self.at;
        let sku = row.find(at.sku_name).unwrap_or_default();
        let commitment = sku.starts_with("Commitment");
        let (category, frequency, pricing) = match row.find(at.cost_type).unwrap_or("regular") {
            "regular" if commitment => ("Purchase", "Recurring", "Standard"),
            "regular" if sku.contains("Spot") || sku.contains("Preemptible") => ("Usage", "Usage-Based", "Dynamic"),
            "regular" => ("Usage", "Usage-Based", "Standard"),
            "tax" => ("Tax", "One-Time", ""),
            // adjustment, rounding_error
            _ => ("Adjustment", "One-Time", "Other"),
        };
        charge.set_text(Column::ChargeCategory, category);
        charge.set_text(Column::ChargeFrequency, frequency);
        charge.set_text(Column::PricingCategory, pricing);
        if row.find(at.adjustment_mode).is_some() {
            charge.set_text(Column::ChargeClass, "Correction");
        }
        charge.set_text(Column::ChargeDescription, row.find(at.adjustment_text).unwrap_or(sku));
    }

    fn set_service<'r>(&'r self, row: Row<'r>, charge: &mut ChargeRow<'r>) {
        let at = &self.at;
        // Taxes and rounding errors belong to no service, and each charge must have one.
        let name = row.find(at.service_name).or_else(|| row.find(at.service_id)).unwrap_or("Google Cloud");
        charge.set_text(Column::ServiceName, name);
        let (category, subcategory) = service_category(name);
        charge.set_text(Column::ServiceCategory, category);
        charge.set_text(Column::ServiceSubcategory, subcategory);
        if charge.text(Column::RegionId).is_none() {
            charge.set_text(Column::RegionId, row.find(at.location).unwrap_or_default());
        }
        let region = charge.text(Column::RegionId).unwrap_or_default();
        charge.set_text(Column::RegionName, region);
        charge.set_text(Column::ServiceProviderName, row.find(at.seller).unwrap_or("Google Cloud"));
        charge.set_text(Column::HostProviderName, "Google Cloud");
        charge.set_text(Column::ProviderName, "Google Cloud");
        charge.set_text(Column::PublisherName, "Google Cloud");
        charge.set_text(Column::InvoiceIssuerName, "Google Cloud");
        if charge.text(Column::SubAccountId).is_some() {
            charge.set_text(Column::SubAccountType, "Project");
        }
    }

    /// Labels of the resource by their key; those of its project, and tags of the resource manager, cannot be mistaken for them.
    fn set_tags<'r>(&'r self, row: Row<'r>, cx: &mut MapContext<'_>, charge: &mut ChargeRow<'r>) {
        let at = &self.at;
        for (column, name, prefix) in [
            (at.labels, "labels", ""),
            (at.system_labels, "system_labels", ""),
            (at.project_labels, "project.labels", "project:"),
            (at.tags, "tags", ""),
        ] {
            let Some(json) = row.find(column) else { continue };
            let Some(pairs) = pairs(json) else {
                cx.note("labels are neither a list of keys and values nor an object: kept as text in x_columns");
                charge.x_columns.push((name.into(), json.into()));
                continue;
            };
            for (key, value) in pairs {
                let key = if prefix.is_empty() { key } else { Cow::Owned(format!("{prefix}{key}")) };
                if charge.tags.iter().all(|(k, _)| *k != key) {
                    charge.tags.push((key, value));
                }
            }
        }
    }
}

/// Reads one credit. A discount lowers what is paid below the list price, so it has no list cost of its own; a gift is a payment of
/// it. Only negotiated discounts are already part of the negotiated price.
fn credit<'r>(
    amount: &str,
    name: Option<Cow<'r, str>>,
    id: Option<Cow<'r, str>>,
    kind: Option<Cow<'r, str>>,
    full_name: Option<Cow<'r, str>>,
) -> Result<Credit<'r>, String> {
    let amount: (Amount, Residual) =
        number::parse(amount.trim()).map_err(|e| crate::bill::context::unreadable("credits.amount", &e))?;
    let commitment = match kind.as_deref() {
        Some("COMMITTED_USAGE_DISCOUNT") => Some(("Usage", "Committed Use Discount")),
        Some("COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE" | "FEE_UTILIZATION_OFFSET") => {
            Some(("Spend", "Committed Use Discount"))
        }
        _ => None,
    };
    let (list_cost, contracted_cost) = match kind.as_deref() {
        Some("DISCOUNT" | "RESELLER_MARGIN") => (Amount::ZERO, amount.0),
        Some("SUSTAINED_USAGE_DISCOUNT") => (Amount::ZERO, Amount::ZERO),
        _ if commitment.is_some() => (Amount::ZERO, Amount::ZERO),
        _ => (amount.0, amount.0),
    };
    let commitment = commitment.and_then(|(category, kind)| Some((id.clone()?, category, kind)));
    let details = [("credits.id", id), ("credits.type", kind), ("credits.full_name", full_name)];
    Ok(Credit {
        amount,
        list_cost,
        contracted_cost,
        name: name.unwrap_or(Cow::Borrowed("Credit")),
        commitment,
        details: details.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
    })
}

/// The records of a list; also a single record, and a list wrapped as `{"list": [{"element": ...}]}` by Avro's Parquet writer.
fn entries(json: &str) -> Option<Vec<Object<'_>>> {
    let json = json.trim();
    if json.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
        return items.into_iter().map(|item| unwrapped(item.get())).collect();
    }
    let object: Object<'_> = serde_json::from_str(json).ok()?;
    match object.0.as_slice() {
        [(name, list)] if name == "list" => entries(list.get()),
        _ => Some(vec![object]),
    }
}

fn unwrapped(json: &str) -> Option<Object<'_>> {
    let object: Object<'_> = serde_json::from_str(json).ok()?;
    match object.0.as_slice() {
        [(name, element)] if name == "element" => serde_json::from_str(element.get()).ok(),
        _ => Some(object),
    }
}

/// A value as plain text; `None` if it is null.
fn plain(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get() {
        "null" => None,
        json if json.starts_with('"') => serde_json::from_str::<Text<'_>>(json).ok().map(|Text(text)| text),
        json => Some(Cow::Borrowed(json)),
    }
}

/// Labels: a list of records `key`, `value`, or one object of them. A tag of the resource manager has a namespace before its key.
fn pairs(json: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let records = entries(json)?;
    let is_record = |o: &Object<'_>| o.0.iter().any(|(name, _)| name == "key");
    if let ([only], false) = (records.as_slice(), records.iter().all(is_record)) {
        return Some(only.0.iter().filter_map(|(k, v)| Some((k.clone(), plain(v)?))).collect());
    }
    let mut out = Vec::with_capacity(records.len());
    for Object(fields) in &records {
        let field = |name: &str| fields.iter().find(|(k, _)| k == name).and_then(|(_, v)| plain(v));
        let key = field("key")?;
        let key = match field("namespace") {
            Some(namespace) => Cow::Owned(format!("{namespace}/{key}")),
            None => key,
        };
        out.push((key, field("value").unwrap_or(Cow::Borrowed(""))));
    }
    Some(out)
}

/// `202401`: first instant of January 2024, and of February.
fn invoice_month(text: &str) -> Option<(grid_model::Timestamp, grid_model::Timestamp)> {
    let text = text.trim();
    let digits = text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit());
    let (year, month) = (text.get(..4)?.parse().ok()?, text.get(4..)?.parse().ok()?);
    (digits && (1..=12).contains(&month) && (1700..2262).contains(&year)).then(|| date::month_from(year, month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_all_forms() {
        for (json, expected) in [
            (r#"[{"key":"env","value":"prod"},{"key":"n","value":null}]"#, Some("env=prod n=")),
            (r#"{"env":"prod","n":1.50}"#, Some("env=prod n=1.50")),
            (r#"[{"key":"env","value":"prod","inherited":true,"namespace":"org/1"}]"#, Some("org/1/env=prod")),
            (r#"{"list":[{"element":{"key":"a","value":"b"}}]}"#, Some("a=b")),
            (r#"{"key":"a","value":"b"}"#, Some("a=b")),
            ("[]", Some("")),
            ("env:prod", None),
            (r#"[{"value":"b"},{"key":"a"}]"#, None),
        ] {
            let read = pairs(json).map(|p| p.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "));
            assert_eq!(read.as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn months_of_invoices() {
        let show = |text| invoice_month(text).map(|(a, b)| format!("{a} {b}"));
        let january = "2024-01-01T00:00:00.000000000Z 2024-02-01T00:00:00.000000000Z";
        assert_eq!(show("202401").as_deref(), Some(january));
        assert!(show("202412").is_some_and(|s| s.ends_with("2025-01-01T00:00:00.000000000Z")));
        for bad in ["2024", "202413", "2024-1", "20240101", "", "999912", "2024é"] {
            assert_eq!(show(bad), None, "{bad}");
        }
    }
}
