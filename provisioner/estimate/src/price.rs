//! Where unit prices come from. A price that nobody knows is `None`, never zero.

use std::collections::BTreeMap;

use grid_model::{Amount, Currency};

use crate::component::Component;
use crate::limits::{FILE_BYTES_MAX, PRICES_MAX};
use crate::read::ReadError;

/// A component of a resource, as a price source is asked about it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The resource's address.
    pub address: &'a str,
    /// The part it lies in, parts joined by ` / `; empty for the resource itself.
    pub part: &'a str,
    /// Name, unit, and what to ask for.
    pub component: &'a Component,
}

/// A unit price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Per unit of the component.
    pub amount: Amount,
    /// Its currency.
    pub currency: Currency,
}

/// Knows unit prices: a price book, a file of the user.
pub trait PriceSource {
    /// The price of one unit of a component, if it is known.
    fn price(&self, asked: Asked<'_>) -> Option<Price>;
}

/// Knows nothing: every component is unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPrices;

impl PriceSource for NoPrices {
    fn price(&self, _: Asked<'_>) -> Option<Price> {
        None
    }
}

/// One source after the other.
impl PriceSource for Vec<Box<dyn PriceSource>> {
    fn price(&self, asked: Asked<'_>) -> Option<Price> {
        self.iter().find_map(|source| source.price(asked))
    }
}

/// Prices from a CSV file with a header and these columns, in any order, of which `component` and `price` must be there:
///
/// `address, part, provider, service, region, resource_type, component, unit, price, currency`, and `attribute:NAME` for each
/// attribute of a component (`attribute:instance_type`).
///
/// An empty cell stands for anything. Of several rows that fit, the one with the most cells filled counts, of equals the
/// first.
#[derive(Debug, Clone, Default)]
pub struct PriceFile {
    /// By the component's name, in lower case.
    rows: BTreeMap<String, Vec<PriceRow>>,
    /// Rows that could not be read, with the line and why.
    pub rejected: Vec<String>,
}

#[derive(Debug, Clone)]
struct PriceRow {
    must: Vec<(Column, String)>,
    price: Price,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Address,
    Part,
    Provider,
    Service,
    Region,
    Kind,
    Unit,
    Attribute(String),
}

impl PriceFile {
    /// Reads a price file. Rows without a price in digits are rejected one by one.
    pub fn read(name: &str, text: &str) -> Result<Self, ReadError> {
        if text.len() > FILE_BYTES_MAX * 8 {
            return Err(ReadError::TooLarge { what: name.to_owned(), bytes: text.len(), max: FILE_BYTES_MAX * 8 });
        }
        let malformed = |why: String| ReadError::Malformed { what: name.to_owned(), format: "a price file", why };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|e| malformed(e.to_string()))?.clone();
        let mut columns = Vec::new();
        let (mut component, mut price, mut currency) = (None, None, None);
        for (i, title) in header.iter().enumerate() {
            let lower = title.trim_start_matches('\u{feff}').to_lowercase();
            columns.push(match lower.as_str() {
                "component" => {
                    component = Some(i);
                    None
                }
                "price" => {
                    price = Some(i);
                    None
                }
                "currency" => {
                    currency = Some(i);
                    None
                }
                "address" => Some(Column::Address),
                "part" => Some(Column::Part),
                "provider" => Some(Column::Provider),
                "service" => Some(Column::Service),
                "region" => Some(Column::Region),
                "resource_type" => Some(Column::Kind),
                "unit" => Some(Column::Unit),
                other => match other.strip_prefix("attribute:") {
                    Some(attribute) => Some(Column::Attribute(attribute.to_owned())),
                    None => return Err(malformed(format!("there is no column {title:?}"))),
                },
            });
        }
        let (Some(component), Some(price)) = (component, price) else {
            return Err(malformed("the columns component and price must be there".to_owned()));
        };
        let mut file = Self::default();
        for (n, record) in reader.records().enumerate() {
            if n >= PRICES_MAX {
                return Err(malformed(format!("more than {PRICES_MAX} rows")));
            }
            let line = n + 2;
            let record = match record {
                Ok(record) => record,
                Err(e) => {
                    file.rejected.push(format!("row {line}: {e}"));
                    continue;
                }
            };
            let cell = |i: usize| record.get(i).unwrap_or_default();
            let amount = match Amount::parse(cell(price)) {
                Ok((amount, _)) if amount.0 >= 0 => amount,
                Ok(_) => {
                    file.rejected.push(format!("row {line}: the price {} is below zero", cell(price)));
                    continue;
                }
                Err(e) => {
                    file.rejected.push(format!("row {line}: {e}"));
                    continue;
                }
            };
            let code = currency.map(cell).filter(|c| !c.is_empty()).unwrap_or("USD");
            let must = columns.iter().enumerate().filter_map(|(i, column)| {
                let cell = cell(i);
                (!cell.is_empty() && cell != "*").then(|| Some((column.clone()?, cell.to_lowercase())))?
            });
            let price = Price { amount, currency: Currency(code.to_owned()) };
            file.rows.entry(cell(component).to_lowercase()).or_default().push(PriceRow { must: must.collect(), price });
        }
        // The most filled first; a stable sort keeps the order of the file among equals.
        file.rows.values_mut().for_each(|rows| rows.sort_by_key(|r| std::cmp::Reverse(r.must.len())));
        Ok(file)
    }
}

impl PriceSource for PriceFile {
    fn price(&self, asked: Asked<'_>) -> Option<Price> {
        let query = &asked.component.query;
        let fits = |(column, cell): &(Column, String)| {
            let own = match column {
                Column::Address => asked.address,
                Column::Part => asked.part,
                Column::Provider => query.provider,
                Column::Service => query.service,
                Column::Region => &query.region,
                Column::Kind => &query.kind,
                Column::Unit => &asked.component.unit,
                Column::Attribute(name) => query.attributes.get(name.as_str()).map_or("", String::as_str),
            };
            own.to_lowercase() == *cell
        };
        let any = String::new();
        let named = self.rows.get(&asked.component.name.to_lowercase()).into_iter().chain(self.rows.get(&any));
        named.flatten().find(|row| row.must.iter().all(fits)).map(|row| row.price.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Query;

    #[test]
    fn the_row_that_says_most_counts() {
        let text = "component,unit,region,attribute:size,price,currency\nDisk,GB,,,0.1,\nDisk,GB,eu,,0.2,USD\nDisk,GB,eu,big,3e-1,USD\n\
                    Disk,GB,us,,free,USD\nDisk,GB,us,,-1,USD\n";
        let file = PriceFile::read("p.csv", text).unwrap();
        let price = |region: &str, size: &str| {
            let query =
                Query { region: region.into(), attributes: [("size", size.to_owned())].into(), ..Query::default() };
            let component = Component { name: "disk".into(), unit: "GB".into(), query, ..Component::default() };
            file.price(Asked { address: "a.b", part: "", component: &component }).map(|p| p.amount.to_string())
        };
        assert_eq!(price("asia", "").as_deref(), Some("0.1"));
        assert_eq!(price("eu", "small").as_deref(), Some("0.2"));
        assert_eq!(price("EU", "big").as_deref(), Some("0.3"));
        assert_eq!(file.rejected.len(), 2, "{:?}", file.rejected);
        let error = PriceFile::read("p.csv", "component,cost\n").unwrap_err().to_string();
        assert_eq!(error, "p.csv is not a price file: there is no column \"cost\"");
    }
}
