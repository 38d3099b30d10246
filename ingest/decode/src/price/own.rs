//! Grid's own format: a CSV file whose header names columns of table `prices`. For prices that were negotiated, or that come from
//! a list in no other format. `provider`, `service` and `price` must be there; a column `attribute:NAME` is an attribute.

use csv::StringRecord;
use grid_model::table::prices as column;
use grid_model::table::prices::PriceRow;

use super::Reader;
use crate::bill::date;

const REQUIRED: [&str; 3] = [column::PROVIDER, column::SERVICE, column::PRICE];
/// Before the name of an attribute.
const ATTRIBUTE: &str = "attribute:";
/// Columns that are understood; `source` and `book_version` are ours to say.
const KNOWN: [&str; 20] = [
    column::PROVIDER,
    column::SERVICE,
    column::SKU_ID,
    column::REGION,
    column::RESOURCE_TYPE,
    column::VCPU,
    column::MEMORY_GIB,
    column::PURCHASE_OPTION,
    column::TERM,
    column::PAYMENT,
    column::OFFERING_CLASS,
    column::UNIT,
    column::PRICE,
    column::CURRENCY,
    column::TIER_START,
    column::TIER_END,
    column::VALID_FROM,
    column::VALID_TO,
    column::AS_OF,
    column::SOURCE,
];

pub(super) fn read(bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), String> {
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header: Vec<String> =
        csv.headers().map_err(|e| e.to_string())?.iter().map(|h| h.trim().to_ascii_lowercase()).collect();
    if let Some(missing) = REQUIRED.iter().find(|name| !header.iter().any(|h| h == *name)) {
        return Err(format!("column {missing} is missing"));
    }
    for name in header.iter().filter(|h| !KNOWN.contains(&h.as_str()) && !h.starts_with(ATTRIBUTE)) {
        reader.note(format!("column {name:?} is not read"));
    }
    let mut record = StringRecord::new();
    let mut row = 0_u64;
    loop {
        row += 1;
        match csv.read_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(e) => {
                reader.reject(&format_args!("row {row}"), e.to_string());
                // Text that is not UTF-8 is one row's fault; anything else leaves the reader nowhere.
                if matches!(e.kind(), csv::ErrorKind::Utf8 { .. }) { continue } else { return Ok(()) }
            }
        }
        match price(&header, &record, reader) {
            Ok(price) => reader.keep(&format_args!("row {row}"), price),
            Err(reason) => reader.reject(&format_args!("row {row}"), reason),
        }
    }
}

fn price(header: &[String], record: &StringRecord, reader: &mut Reader<'_>) -> Result<PriceRow, String> {
    let mut row = reader.row("", "");
    let mut priced = false;
    for (name, cell) in header.iter().zip(record) {
        let cell = cell.trim();
        if cell.is_empty() {
            continue;
        }
        let text = || cell.to_owned();
        let at = |e: String| format!("{name}: {e}");
        let time = || date::parse(cell).map(|d| d.time).ok_or_else(|| format!("{name} {cell:?} is not a date"));
        match name.as_str() {
            column::PROVIDER => row.provider = cell.to_ascii_lowercase(),
            column::SERVICE => row.service = text(),
            column::SKU_ID => row.sku_id = text(),
            column::REGION => row.region = text(),
            column::RESOURCE_TYPE => row.resource_type = text(),
            column::PURCHASE_OPTION => row.purchase_option = text(),
            column::TERM => row.term = text(),
            column::PAYMENT => row.payment = text(),
            column::OFFERING_CLASS => row.offering_class = text(),
            column::UNIT => row.unit = text(),
            column::CURRENCY => row.currency = text(),
            column::SOURCE => row.source = text(),
            column::PRICE => {
                row.price = reader.amount(cell).map_err(at)?;
                priced = true;
            }
            column::VCPU => row.vcpu = Some(reader.amount(cell).map_err(at)?),
            column::MEMORY_GIB => row.memory_gib = Some(reader.amount(cell).map_err(at)?),
            column::TIER_START => row.tier_start = Some(reader.amount(cell).map_err(at)?),
            column::TIER_END => row.tier_end = Some(reader.amount(cell).map_err(at)?),
            column::VALID_FROM => row.valid_from = time()?,
            column::VALID_TO => row.valid_to = Some(time()?),
            column::AS_OF => row.as_of = Some(time()?),
            other => {
                if let Some(attribute) = other.strip_prefix(ATTRIBUTE)
                    && row.attribute(attribute).is_none()
                {
                    row.attributes.push((attribute.to_owned(), text()));
                }
            }
        }
    }
    if priced { Ok(row) } else { Err("price is empty".to_owned()) }
}
