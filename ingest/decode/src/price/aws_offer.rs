//! The CSV of an AWS offer file (bulk price list): some lines about the list, then a header with `SKU` and `PricePerUnit`, then
//! one line per price. A reservation has two lines, its fee (`Quantity`) and its hourly rate (`Hrs`), which become one price.

use std::collections::BTreeMap;

use csv::StringRecord;
use grid_model::table::prices::PriceRow;
use grid_model::{Amount, Timestamp};

use super::{Reader, cut};
use crate::bill::date;

/// Reservations whose lines wait for each other; beyond them a list is not sorted by SKU, as AWS sorts it.
const WAITING_MAX: usize = 200_000;

/// Columns that become attributes, with the names that other lists of ours give them.
const ATTRIBUTES: [(&str, &str); 10] = [
    ("operating system", "operating_system"),
    ("pre installed s/w", "preinstalled_software"),
    ("tenancy", "tenancy"),
    ("license model", "licence"),
    ("capacitystatus", "capacity_status"),
    ("database engine", "engine"),
    ("database edition", "edition"),
    ("deployment option", "deployment"),
    ("usagetype", "usage_type"),
    ("operation", "operation"),
];

struct Columns(BTreeMap<String, usize>);

impl Columns {
    fn get<'r>(&self, record: &'r StringRecord, name: &str) -> &'r str {
        let cell = self.0.get(name).and_then(|at| record.get(*at)).unwrap_or_default().trim();
        if cell == "NA" { "" } else { cell }
    }
}

pub(super) fn read(bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), String> {
    let mut csv = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(bytes);
    let mut record = StringRecord::new();
    let mut columns: Option<Columns> = None;
    // By SKU, offer and start of term: the row, its fee, its rate.
    let mut waiting: BTreeMap<String, (PriceRow, Option<Amount>, Option<Amount>)> = BTreeMap::new();
    let mut line = 0_u64;
    loop {
        line += 1;
        let at = format!("line {line}");
        match csv.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(e) => {
                reader.reject(&at, e.to_string());
                if matches!(e.kind(), csv::ErrorKind::Utf8 { .. }) { continue } else { break }
            }
        }
        let Some(columns) = &columns else {
            if record.iter().any(|c| c.trim().eq_ignore_ascii_case("sku")) {
                let names = record.iter().enumerate().map(|(at, c)| (c.trim().to_ascii_lowercase(), at));
                columns = Some(Columns(names.collect()));
            } else if record.get(0) == Some("Publication Date")
                && let (None, Some(day)) = (reader.decoded.as_of, record.get(1).and_then(date::parse))
            {
                reader.decoded.as_of = Some(day.time);
            }
            continue;
        };
        let (row, fee) = match price(columns, &record, reader) {
            Ok(read) => read,
            Err(reason) => {
                reader.reject(&at, reason);
                continue;
            }
        };
        if row.purchase_option != "reserved" {
            reader.keep(&at, row);
            continue;
        }
        let key = format!("{}.{}", columns.get(&record, "sku"), columns.get(&record, "offertermcode"));
        if !waiting.contains_key(&key) && waiting.len() >= WAITING_MAX {
            reader.reject(&at, "too many reservations wait for their other half: is the list sorted by SKU?");
            continue;
        }
        let price = row.price;
        let entry = waiting.entry(cut(&key).to_owned()).or_insert((row, None, None));
        if fee { entry.1 = Some(price) } else { entry.2 = Some(price) }
    }
    if columns.is_none() {
        return Err("no header with SKU and PricePerUnit".to_owned());
    }
    for (key, (mut row, fee, rate)) in waiting {
        let hours = if row.term == "3y" { 26_280 } else { 8760 };
        let spread = fee.unwrap_or(Amount::ZERO).mul_div(1, hours);
        match spread.and_then(|fee| fee.checked_add(rate.unwrap_or(Amount::ZERO))) {
            Some(price) => {
                row.price = price;
                row.unit = "hour".to_owned();
                reader.keep(&key, row);
            }
            None => reader.reject(&key, "the fee is too large"),
        }
    }
    Ok(())
}

/// A line's price, and whether it is a fee for a whole term.
fn price(columns: &Columns, record: &StringRecord, reader: &mut Reader<'_>) -> Result<(PriceRow, bool), String> {
    let cell = |name: &str| columns.get(record, name);
    let mut row = reader.row("aws", cell("servicecode"));
    row.sku_id = cell("sku").to_owned();
    let region = if cell("region code").is_empty() { cell("regioncode") } else { cell("region code") };
    row.region = region.to_owned();
    row.resource_type = cell("instance type").to_owned();
    row.currency = cell("currency").to_owned();
    row.price = reader.amount(cell("priceperunit")).map_err(|e| format!("PricePerUnit: {e}"))?;
    if row.currency.is_empty() {
        return Err("Currency is empty".to_owned());
    }
    for (column, name) in ATTRIBUTES {
        let value = cell(column);
        if !value.is_empty() {
            let value = match name {
                "operating_system" | "tenancy" => value.to_ascii_lowercase(),
                _ => value.to_owned(),
            };
            row.attributes.push((name.to_owned(), value));
        }
    }
    row.vcpu = reader.amount(cell("vcpu")).ok();
    row.memory_gib = cell("memory").strip_suffix(" GiB").and_then(|m| reader.amount(&m.replace(',', "")).ok());
    let bound = |text: &str, reader: &mut Reader<'_>| reader.amount(text).ok();
    row.tier_start = bound(cell("startingrange"), reader).filter(|start| start.0 > 0);
    row.tier_end = bound(cell("endingrange"), reader);
    row.valid_from = date::parse(cell("effectivedate")).map_or(Timestamp(0), |d| d.time);
    let unit = cell("unit");
    row.unit = match unit {
        "Hrs" | "hrs" | "Hours" => "hour".to_owned(),
        "" => "unit".to_owned(),
        other => other.to_owned(),
    };
    if cell("termtype") != "Reserved" {
        return Ok((row, false));
    }
    row.purchase_option = "reserved".to_owned();
    row.term = match cell("leasecontractlength") {
        "1yr" | "1 yr" => "1y".to_owned(),
        "3yr" | "3 yr" => "3y".to_owned(),
        other => return Err(format!("LeaseContractLength {other:?} is not known")),
    };
    row.payment = cell("purchaseoption").to_ascii_lowercase().replace(' ', "-");
    row.offering_class = cell("offeringclass").to_owned();
    Ok((row, unit.eq_ignore_ascii_case("quantity")))
}
