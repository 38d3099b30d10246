//! The snapshot of prices that comes with the binary, so that estimates work before anything is imported: common machines of EC2 and RDS
//! in main regions. Facts, each with the day of the list it was taken from; where a list says only its year, the year's first day, so
//! that a price never looks younger than it is.

use std::sync::LazyLock;

use arrow::array::RecordBatch;
use grid_model::table::prices::{self, PriceRow};
use grid_model::time::{DAY_NS, days_from_civil};
use grid_model::{Amount, Timestamp};

/// The name of the book.
pub(crate) const BOOK: &str = "bundled";
/// Where its facts come from.
const SOURCE: &str = "public price lists of AWS";
const CSV: &str = include_str!("bundled.csv");

/// The rows as a batch of table `prices`.
pub(crate) fn batch() -> &'static RecordBatch {
    static BATCH: LazyLock<RecordBatch> = LazyLock::new(|| prices::batch(&rows()));
    &BATCH
}

fn rows() -> Vec<PriceRow> {
    // The file is ours and has no quotes; a test holds that every line reads.
    CSV.lines().skip(1).filter_map(row).collect()
}

fn row(line: &str) -> Option<PriceRow> {
    let cells: Vec<&str> = line.split(',').collect();
    let [provider, service, region, machine, vcpu, memory, option, term, payment, class, price, system, engine, as_of] =
        cells.as_slice()
    else {
        return None;
    };
    let text = |t: &&str| (*t).to_owned();
    let amount = |t: &str| Amount::parse(t).ok().map(|(amount, _)| amount);
    // What both services' lists hold: shared hardware, one zone.
    let common = if system.is_empty() { ("deployment", "single-az") } else { ("tenancy", "shared") };
    let attributes = [("operating_system", *system), ("engine", *engine), common];
    Some(PriceRow {
        provider: text(provider),
        service: text(service),
        region: text(region),
        resource_type: text(machine),
        vcpu: amount(vcpu),
        memory_gib: amount(memory),
        attributes: attributes
            .into_iter()
            .filter(|(_, v)| !v.is_empty())
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect(),
        purchase_option: text(option),
        term: text(term),
        payment: text(payment),
        offering_class: text(class),
        unit: "hour".to_owned(),
        price: amount(price)?,
        currency: "USD".to_owned(),
        as_of: Some(date(as_of)?),
        source: SOURCE.to_owned(),
        book: BOOK.to_owned(),
        ..PriceRow::default()
    })
}

fn date(text: &str) -> Option<Timestamp> {
    let mut parts = text.split('-').map(str::parse::<u32>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some(Timestamp(days_from_civil(i64::from(year), month, day).checked_mul(DAY_NS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_reads_and_says_all_that_a_price_needs() {
        let rows = rows();
        assert_eq!(rows.len(), CSV.lines().count() - 1);
        for row in &rows {
            assert!(row.price > Amount::ZERO && row.as_of.is_some() && !row.region.is_empty(), "{row:?}");
            assert_eq!(row.purchase_option == "reserved", !row.term.is_empty() && !row.payment.is_empty(), "{row:?}");
        }
        let m5 = rows.iter().find(|r| r.resource_type == "m5.large" && r.region == "us-east-1");
        let shown = m5.map(|r| (r.price.to_string(), r.vcpu.map(|v| v.to_string()), r.as_of.map(|t| t.to_string())));
        let expected = ("0.096".to_owned(), Some("2".to_owned()), Some("2026-07-20T00:00:00.000000000Z".to_owned()));
        assert_eq!(shown, Some(expected));
    }
}
