//! Answers of Azure's Retail Prices API (`https://prices.azure.com/api/retail/prices`): `{"Items": [...]}`, or a page of them.
//!
//! The API gives a reservation's whole fee, though it calls the unit an hour: it is spread over the hours of the term here. Savings
//! plans come inside the item they lower.

use std::borrow::Cow;

use grid_model::table::prices::PriceRow;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Reader, json_reason, number_text};
use crate::bill::date;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, rename = "Items")]
    items: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "NextPageLink")]
    next: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    currency_code: Cow<'a, str>,
    #[serde(borrow)]
    unit_price: &'a RawValue,
    #[serde(borrow, default)]
    tier_minimum_units: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arm_region_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    effective_start_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    effective_end_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    meter_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    meter_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    product_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    sku_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    service_name: Cow<'a, str>,
    #[serde(borrow, default)]
    unit_of_measure: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    arm_sku_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reservation_term: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    savings_plan: Vec<Plan<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plan<'a> {
    #[serde(borrow)]
    unit_price: &'a RawValue,
    #[serde(borrow)]
    term: Cow<'a, str>,
}

pub(super) fn read(bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), String> {
    let page: Page<'_> = serde_json::from_slice(bytes).map_err(|e| json_reason(&e))?;
    if page.next.is_some_and(|link| !link.is_empty()) {
        reader.note("the answer has a next page, which is not in this file");
    }
    for (n, raw) in page.items.into_iter().enumerate() {
        let at = format!("item {}", n + 1);
        match serde_json::from_str::<Item<'_>>(raw.get()) {
            Ok(item) => read_item(&item, &at, reader),
            Err(e) => reader.reject(&at, json_reason(&e)),
        }
    }
    Ok(())
}

fn read_item(item: &Item<'_>, at: &str, reader: &mut Reader<'_>) {
    let text = |t: &Option<Cow<'_, str>>| t.as_deref().unwrap_or_default().to_owned();
    let mut row = reader.row("azure", &item.service_name);
    row.sku_id = text(&item.meter_id);
    row.region = text(&item.arm_region_name);
    row.resource_type = text(&item.arm_sku_name);
    row.currency = item.currency_code.clone().into_owned();
    row.unit = unit(item.unit_of_measure.as_deref().unwrap_or_default());
    for (name, value) in [("product", &item.product_name), ("sku", &item.sku_name), ("meter", &item.meter_name)] {
        if let Some(value) = value.as_deref().filter(|v| !v.is_empty()) {
            row.attributes.push((name.to_owned(), value.to_owned()));
        }
    }
    if item.service_name == "Virtual Machines" {
        let windows = item.product_name.as_deref().is_some_and(|p| p.contains("Windows"));
        let os = if windows { "windows" } else { "linux" };
        row.attributes.push(("operating_system".to_owned(), os.to_owned()));
    }
    let day = |t: &Option<Cow<'_, str>>| t.as_deref().and_then(date::parse).map(|d| d.time);
    row.valid_from = day(&item.effective_start_date).unwrap_or_default();
    row.valid_to = day(&item.effective_end_date);
    row.tier_start =
        item.tier_minimum_units.and_then(|raw| reader.amount(&number_text(raw)).ok()).filter(|start| start.0 > 0);
    let price = match reader.amount(&number_text(item.unit_price)) {
        Ok(price) => price,
        Err(reason) => return reader.reject(&at, reason),
    };
    row.price = price;
    let cheap = item.sku_name.as_deref().unwrap_or_default();
    match item.kind.as_deref().unwrap_or("Consumption") {
        "Consumption" if cheap.ends_with("Spot") => row.purchase_option = "spot".to_owned(),
        "Consumption" if cheap.ends_with("Low Priority") => row.purchase_option = "low-priority".to_owned(),
        "Consumption" => {}
        "DevTestConsumption" => row.purchase_option = "dev-test".to_owned(),
        "Reservation" => {
            let Some((term, hours)) = item.reservation_term.as_deref().and_then(term) else {
                return reader.reject(&at, format!("reservation term {:?} is not known", item.reservation_term));
            };
            let Some(hourly) = price.mul_div(1, hours) else { return reader.reject(&at, "the fee is too large") };
            row.price = hourly;
            row.unit = "hour".to_owned();
            row.purchase_option = "reserved".to_owned();
            row.term = term.to_owned();
            row.payment = "all-upfront".to_owned();
        }
        other => {
            reader.note(format!("items of type {other:?} are not read"));
            return;
        }
    }
    for plan in &item.savings_plan {
        let Some((term, _)) = term(&plan.term) else {
            reader.reject(&at, format!("savings plan term {:?} is not known", plan.term));
            continue;
        };
        match reader.amount(&number_text(plan.unit_price)) {
            Ok(price) => {
                let plan = PriceRow {
                    price,
                    purchase_option: "savings-plan".to_owned(),
                    term: term.to_owned(),
                    payment: "no-upfront".to_owned(),
                    ..row.clone()
                };
                reader.keep(&at, plan);
            }
            Err(reason) => reader.reject(&at, reason),
        }
    }
    reader.keep(&at, row);
}

fn term(text: &str) -> Option<(&'static str, i128)> {
    match text {
        "1 Year" => Some(("1y", 8760)),
        "3 Years" => Some(("3y", 26_280)),
        "5 Years" => Some(("5y", 43_800)),
        _ => None,
    }
}

/// `1 Hour` is an hour; other units keep their words, for a price of a hundred is not one of one.
fn unit(text: &str) -> String {
    match text {
        "1 Hour" => "hour".to_owned(),
        "" => "unit".to_owned(),
        other => other.to_owned(),
    }
}
