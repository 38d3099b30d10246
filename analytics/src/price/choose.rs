//! Which of many rows of `prices` is meant.
//!
//! A row fits if it has everything that the query names; a row without a region fits every region. Rows that differ in more than
//! book and tier are different SKUs. If several fit, the one with the usual attributes is meant ([`USUAL`]); if that leaves more
//! than one, the answer is that the question was ambiguous. Of several books the latest wins, the user's before the bundled one.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::Amount;
use grid_model::table::prices::PriceRow;

use super::bundled::BOOK;
use super::{Basis, PriceAnswer, PriceQuery, Quote, Tier, Unknown};

/// What is assumed of an attribute that a query does not name; no value = the SKU does not have it.
const USUAL: [(&str, Option<&str>); 7] = [
    ("operating_system", Some("linux")),
    ("tenancy", Some("shared")),
    ("deployment", Some("single-az")),
    ("preinstalled_software", None),
    ("capacity_status", Some("Used")),
    ("licence", Some("No License required")),
    ("edition", None),
];
/// Variants and regions that an answer lists.
const LISTED_MAX: usize = 10;

/// See the module.
pub fn choose(rows: Vec<PriceRow>, query: &PriceQuery) -> PriceAnswer {
    let mut fitting: Vec<PriceRow> = rows.into_iter().filter(|row| fits(row, query)).collect();
    if fitting.is_empty() {
        return Err(Unknown::NotListed);
    }
    if let Some(region) = &query.region {
        let here = |row: &PriceRow| row.region.is_empty() || row.region.eq_ignore_ascii_case(region);
        if !fitting.iter().any(here) {
            let regions: BTreeSet<String> = fitting.into_iter().map(|row| row.region).collect();
            return Err(Unknown::OtherRegions(regions.into_iter().take(LISTED_MAX).collect()));
        }
        fitting.retain(here);
    }
    fitting.retain(|row| row.valid_from <= query.at && row.valid_to.is_none_or(|end| end > query.at));
    if fitting.is_empty() {
        return Err(Unknown::OtherTimes);
    }
    let mut variants = group(fitting);
    for (name, usual) in USUAL {
        if variants.len() < 2 {
            break;
        }
        let named = query.attributes.iter().any(|(n, _)| n == name);
        let is_usual = |rows: &[PriceRow]| rows.first().is_some_and(|r| same(r.attribute(name), usual));
        if !named && variants.values().any(|rows| is_usual(rows)) {
            variants.retain(|_, rows| is_usual(rows));
        }
    }
    // Different SKUs at one price are one price.
    let prices: BTreeSet<(Amount, String, String)> = variants
        .values()
        .map(|rows| best(rows))
        .flat_map(|rows| rows.iter().map(|r| (r.price, r.currency.clone(), r.unit.clone())).collect::<Vec<_>>())
        .collect();
    if variants.len() > 1 && prices.len() > 1 {
        return Err(Unknown::Ambiguous(variants.into_keys().take(LISTED_MAX).collect()));
    }
    let Some(rows) = variants.values().next() else { return Err(Unknown::NotListed) };
    let rows = best(rows);
    let tiers =
        rows.iter().map(|r| Tier { start: r.tier_start.unwrap_or(Amount::ZERO), end: r.tier_end, price: r.price });
    let tiers: Vec<Tier> = tiers.collect();
    let Some(first) = rows.into_iter().next() else { return Err(Unknown::NotListed) };
    Ok(Quote { row: first, tiers, basis: Basis::List, age_days: None, is_stale: true })
}

fn fits(row: &PriceRow, query: &PriceQuery) -> bool {
    let text = |have: &str, want: &Option<String>| want.as_ref().is_none_or(|want| have.eq_ignore_ascii_case(want));
    row.provider.eq_ignore_ascii_case(&query.provider)
        && row.purchase_option == query.purchase_option
        && text(&row.service, &query.service)
        && text(&row.sku_id, &query.sku_id)
        && text(&row.resource_type, &query.resource_type)
        && text(&row.term, &query.term)
        && text(&row.payment, &query.payment)
        && text(&row.offering_class, &query.offering_class)
        && text(&row.currency, &query.currency)
        && query.attributes.iter().all(|(name, value)| same(row.attribute(name), Some(value)))
}

fn same(have: Option<&str>, want: Option<&str>) -> bool {
    match (have, want) {
        (Some(have), Some(want)) => have.eq_ignore_ascii_case(want),
        (have, want) => have == want,
    }
}

/// Rows by all that tells SKUs apart, in words.
fn group(rows: Vec<PriceRow>) -> BTreeMap<String, Vec<PriceRow>> {
    let mut out: BTreeMap<String, Vec<PriceRow>> = BTreeMap::new();
    for row in rows {
        let mut attributes: Vec<String> = row.attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
        attributes.sort();
        let named = [
            ("service", &row.service),
            ("resource_type", &row.resource_type),
            ("region", &row.region),
            ("term", &row.term),
            ("payment", &row.payment),
            ("offering_class", &row.offering_class),
            ("unit", &row.unit),
            ("currency", &row.currency),
        ];
        let mut words: Vec<String> =
            named.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| format!("{k}={v}")).collect();
        words.append(&mut attributes);
        out.entry(words.join(" ")).or_default().push(row);
    }
    out
}

/// The rows of the book that counts, by tier.
fn best(rows: &[PriceRow]) -> Vec<PriceRow> {
    let rank = |r: &PriceRow| (r.as_of, r.book != BOOK, r.valid_from, r.book.clone());
    let Some(top) = rows.iter().map(rank).max() else { return Vec::new() };
    let mut out: Vec<PriceRow> = rows.iter().filter(|r| rank(r) == top).cloned().collect();
    out.sort_by(|a, b| a.tier_start.cmp(&b.tier_start).then(a.price.cmp(&b.price)));
    out.dedup_by(|a, b| a.tier_start == b.tier_start);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid_model::Timestamp;

    fn row(machine: &str, region: &str, price: i128, attributes: &[(&str, &str)]) -> PriceRow {
        PriceRow {
            provider: "aws".into(),
            service: "AmazonEC2".into(),
            region: region.into(),
            resource_type: machine.into(),
            attributes: attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            purchase_option: "on-demand".into(),
            unit: "hour".into(),
            price: Amount(price),
            currency: "USD".into(),
            source: "s".into(),
            book: "list".into(),
            as_of: Some(Timestamp(10)),
            ..PriceRow::default()
        }
    }

    fn show(answer: &PriceAnswer) -> String {
        match answer {
            Ok(q) => format!(
                "{} of {}",
                q.tiers.iter().map(|t| t.price.0.to_string()).collect::<Vec<_>>().join("/"),
                q.row.book
            ),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn the_meant_row_is_found_or_the_reason_told() {
        let linux = [("operating_system", "linux")];
        let windows = [("operating_system", "windows")];
        let rows = || {
            vec![
                row("m5.large", "us-east-1", 96, &linux),
                row("m5.large", "us-east-1", 188, &windows),
                row("m5.large", "eu-west-1", 107, &linux),
                PriceRow { as_of: Some(Timestamp(20)), book: BOOK.into(), ..row("m5.large", "us-east-1", 95, &linux) },
                PriceRow { as_of: Some(Timestamp(20)), ..row("c5.large", "", 85, &[]) },
                PriceRow { tier_start: Some(Amount(50)), as_of: Some(Timestamp(20)), ..row("c5.large", "", 80, &[]) },
                PriceRow { valid_from: Timestamp(100), ..row("r5.large", "us-east-1", 1, &[]) },
                PriceRow { unit: "second".into(), ..row("x", "us-east-1", 1, &[]) },
                row("x", "us-east-1", 2, &[]),
            ]
        };
        let ask = |machine: &str, region: &str| PriceQuery::machine("AWS", machine, region, Timestamp(30));
        for (query, expected) in [
            // The later book, though it is the bundled one.
            (ask("m5.large", "us-east-1"), "95 of bundled"),
            (ask("m5.large", "us-east-1").with("operating_system", "Windows"), "188 of list"),
            (ask("m5.large", "EU-WEST-1"), "107 of list"),
            (ask("m5.large", "mars"), "listed only in other regions: eu-west-1, us-east-1"),
            (ask("m9.large", "us-east-1"), "no book of prices lists it; `grid import prices` reads one"),
            // A price without a region holds everywhere, and in tiers.
            (ask("c5.large", "mars"), "85/80 of list"),
            (ask("r5.large", "us-east-1"), "the listed prices hold at other times only"),
            (
                ask("x", "us-east-1"),
                "several prices fit; say which: service=AmazonEC2 resource_type=x region=us-east-1 unit=hour currency=USD; \
                 service=AmazonEC2 resource_type=x region=us-east-1 unit=second currency=USD",
            ),
        ] {
            assert_eq!(show(&choose(rows(), &query)), expected);
        }
    }
}
