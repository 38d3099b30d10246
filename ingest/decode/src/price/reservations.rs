//! `{"c5.large/us-west-1": 0.0398...}`: effective hourly prices of EC2 reservations, as OpenCost keeps them.
//!
//! The list does not say of which term. In the one that OpenCost publishes every price times 26,280 hours is a whole number of
//! dollars: fees of three years, paid at once. Where that holds of every price of a list, it is taken for such; otherwise the
//! term stays unknown, and nothing will be computed from it.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use grid_model::Amount;

use super::{Reader, json_reason, number_text};

/// Hours of three years.
const HOURS: i128 = 26_280;
/// How far from a whole number a fee may lie: sixteen digits of a price leave this much of a fee.
const SLACK: i128 = 10_i128.pow(9);

pub(super) fn read(bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), String> {
    let entries: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes).map_err(|e| json_reason(&e))?;
    let mut prices = Vec::new();
    for (key, raw) in entries {
        match (key.split_once('/'), reader.amount(&number_text(raw))) {
            (Some((machine, region)), Ok(price)) if !machine.is_empty() && !region.is_empty() => {
                prices.push((machine.to_owned(), region.to_owned(), price));
            }
            (_, Err(reason)) => reader.reject(&key, reason),
            _ => reader.reject(&key, "the name is not TYPE/REGION"),
        }
    }
    let three_years = !prices.is_empty() && prices.iter().all(|(.., price)| is_whole_fee(*price));
    reader.note(if three_years {
        "every price is a whole fee over 26,280 hours: taken for three years, paid at once"
    } else {
        "the list does not say of which term the reservations are: none is recorded"
    });
    for (machine, region, price) in prices {
        let at = format!("{machine}/{region}");
        let mut row = reader.row("aws", "AmazonEC2");
        row.resource_type = machine;
        row.region = region;
        row.attributes =
            vec![("operating_system".to_owned(), "linux".to_owned()), ("tenancy".to_owned(), "shared".to_owned())];
        row.purchase_option = "reserved".to_owned();
        if three_years {
            row.term = "3y".to_owned();
            row.payment = "all-upfront".to_owned();
        }
        row.price = price;
        reader.keep(&at, row);
    }
    Ok(())
}

fn is_whole_fee(price: Amount) -> bool {
    let one = 10_i128.pow(18);
    price.0.checked_mul(HOURS).is_some_and(|fee| {
        let off = fee.rem_euclid(one);
        fee > 0 && off.min(one - off) <= SLACK
    })
}
