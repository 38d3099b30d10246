//! `prices`: one price of one SKU in one region over one period, as a book of prices says. Books are imported whole; a newer
//! edition of a book replaces the older one.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{Decimal128Builder, StringBuilder, TimestampNanosecondBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};

use super::charges::decimal_type;
use super::column::{TextMapBuilder, UTC, append_nonempty, append_pairs, map_builder, text, text_map, timestamp};
use super::series::read_pairs;
use crate::money::Amount;
use crate::time::Timestamp;

/// Who sells it: `aws`, `azure`, `gcp`, or another name in lower case.
pub const PROVIDER: &str = "provider";
/// The provider's code of the service, such as `AmazonEC2`.
pub const SERVICE: &str = "service";
/// The provider's id of the SKU.
pub const SKU_ID: &str = "sku_id";
/// The provider's code of the region; null if the price holds everywhere.
pub const REGION: &str = "region";
/// The type of machine or other resource, such as `m5.large`.
pub const RESOURCE_TYPE: &str = "resource_type";
/// Virtual processors of the resource.
pub const VCPU: &str = "vcpu";
/// Memory of the resource in GiB.
pub const MEMORY_GIB: &str = "memory_gib";
/// What else tells the SKU from its neighbours: `operating_system`, `engine`, `tenancy`, ...
pub const ATTRIBUTES: &str = "attributes";
/// `on-demand`, `spot`, `reserved`, `savings-plan` or `committed-use`.
pub const PURCHASE_OPTION: &str = "purchase_option";
/// `1y` or `3y`, of commitments.
pub const TERM: &str = "term";
/// `no-upfront`, `partial-upfront` or `all-upfront`, of commitments.
pub const PAYMENT: &str = "payment";
/// `standard` or `convertible`, of reservations.
pub const OFFERING_CLASS: &str = "offering_class";
/// What one unit is: `hour`, `GiB-month`, ...
pub const UNIT: &str = "unit";
/// The price of one unit. Of commitments everything that is paid, spread over the hours of the term.
pub const PRICE: &str = "price";
/// The currency of the price.
pub const CURRENCY: &str = "currency";
/// From how many units a month on the price holds; null = from the first.
pub const TIER_START: &str = "tier_start";
/// Up to how many units a month it holds; null = without end.
pub const TIER_END: &str = "tier_end";
/// From when on it holds; 1970 if the source does not say.
pub const VALID_FROM: &str = "valid_from";
/// The first instant at which it no longer holds.
pub const VALID_TO: &str = "valid_to";
/// When the source was published; null if nobody said.
pub const AS_OF: &str = "as_of";
/// The file or list it was read from.
pub const SOURCE: &str = "source";
/// The book; an import of the same book replaces it.
pub const BOOK: &str = "book";
/// The edition of the book: a hash of what was read.
pub const BOOK_VERSION: &str = "book_version";

/// One price.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceRow {
    /// [`PROVIDER`].
    pub provider: String,
    /// [`SERVICE`].
    pub service: String,
    /// [`SKU_ID`]; empty if unknown.
    pub sku_id: String,
    /// [`REGION`]; empty if the price holds everywhere.
    pub region: String,
    /// [`RESOURCE_TYPE`]; empty if there is none.
    pub resource_type: String,
    /// [`VCPU`].
    pub vcpu: Option<Amount>,
    /// [`MEMORY_GIB`].
    pub memory_gib: Option<Amount>,
    /// [`ATTRIBUTES`], by name.
    pub attributes: Vec<(String, String)>,
    /// [`PURCHASE_OPTION`].
    pub purchase_option: String,
    /// [`TERM`]; empty if none.
    pub term: String,
    /// [`PAYMENT`]; empty if none.
    pub payment: String,
    /// [`OFFERING_CLASS`]; empty if none.
    pub offering_class: String,
    /// [`UNIT`].
    pub unit: String,
    /// [`PRICE`].
    pub price: Amount,
    /// [`CURRENCY`].
    pub currency: String,
    /// [`TIER_START`].
    pub tier_start: Option<Amount>,
    /// [`TIER_END`].
    pub tier_end: Option<Amount>,
    /// [`VALID_FROM`].
    pub valid_from: Timestamp,
    /// [`VALID_TO`].
    pub valid_to: Option<Timestamp>,
    /// [`AS_OF`].
    pub as_of: Option<Timestamp>,
    /// [`SOURCE`].
    pub source: String,
    /// [`BOOK`].
    pub book: String,
    /// [`BOOK_VERSION`]; empty if unknown.
    pub book_version: String,
}

impl PriceRow {
    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

/// Text columns, in the order of [`texts`]; null if empty where the second part says so.
const TEXTS: [(&str, bool); 13] = [
    (PROVIDER, false),
    (SERVICE, false),
    (SKU_ID, true),
    (REGION, true),
    (RESOURCE_TYPE, true),
    (PURCHASE_OPTION, false),
    (TERM, true),
    (PAYMENT, true),
    (OFFERING_CLASS, true),
    (UNIT, false),
    (CURRENCY, false),
    (SOURCE, false),
    (BOOK, false),
];

fn texts(row: &PriceRow) -> [&str; 13] {
    [
        &row.provider,
        &row.service,
        &row.sku_id,
        &row.region,
        &row.resource_type,
        &row.purchase_option,
        &row.term,
        &row.payment,
        &row.offering_class,
        &row.unit,
        &row.currency,
        &row.source,
        &row.book,
    ]
}

const DECIMALS: [(&str, bool); 5] =
    [(VCPU, true), (MEMORY_GIB, true), (PRICE, false), (TIER_START, true), (TIER_END, true)];
const TIMES: [(&str, bool); 3] = [(VALID_FROM, false), (VALID_TO, true), (AS_OF, true)];

/// The schema.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let mut fields: Vec<Field> = TEXTS.iter().map(|(name, nullable)| text(name, *nullable)).collect();
        fields.push(text(BOOK_VERSION, true));
        fields.push(text_map(ATTRIBUTES));
        fields.extend(DECIMALS.iter().map(|(name, nullable)| Field::new(*name, decimal_type(), *nullable)));
        fields.extend(TIMES.iter().map(|(name, nullable)| timestamp(name, *nullable)));
        // The order in which a reader wants to see them.
        let order = [
            PROVIDER,
            SERVICE,
            SKU_ID,
            REGION,
            RESOURCE_TYPE,
            VCPU,
            MEMORY_GIB,
            ATTRIBUTES,
            PURCHASE_OPTION,
            TERM,
            PAYMENT,
            OFFERING_CLASS,
            UNIT,
            PRICE,
            CURRENCY,
            TIER_START,
            TIER_END,
            VALID_FROM,
            VALID_TO,
            AS_OF,
            SOURCE,
            BOOK,
            BOOK_VERSION,
        ];
        let place = |f: &Field| order.iter().position(|name| name == f.name()).unwrap_or(order.len());
        fields.sort_by_key(place);
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

/// A batch of [`schema`].
pub fn batch(rows: &[PriceRow]) -> RecordBatch {
    let mut text_columns: Vec<StringBuilder> = TEXTS.iter().map(|_| StringBuilder::new()).collect();
    let mut version = StringBuilder::new();
    let mut attributes: TextMapBuilder = map_builder();
    let decimal = || Decimal128Builder::new().with_data_type(decimal_type());
    let mut decimals: Vec<Decimal128Builder> = DECIMALS.iter().map(|_| decimal()).collect();
    let time = || TimestampNanosecondBuilder::new().with_timezone(UTC);
    let mut times: Vec<TimestampNanosecondBuilder> = TIMES.iter().map(|_| time()).collect();
    for row in rows {
        for ((builder, value), (_, nullable)) in text_columns.iter_mut().zip(texts(row)).zip(TEXTS) {
            if nullable { append_nonempty(builder, value) } else { builder.append_value(value) }
        }
        append_nonempty(&mut version, &row.book_version);
        append_pairs(&mut attributes, row.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let amounts = [row.vcpu, row.memory_gib, Some(row.price), row.tier_start, row.tier_end];
        decimals.iter_mut().zip(amounts).for_each(|(b, a)| b.append_option(a.map(|a| a.0)));
        let instants = [Some(row.valid_from), row.valid_to, row.as_of];
        times.iter_mut().zip(instants).for_each(|(b, t)| b.append_option(t.map(Timestamp::nanos)));
    }
    let mut named: Vec<(&str, ArrayRef)> = Vec::new();
    named.extend(TEXTS.iter().zip(&mut text_columns).map(|((n, _), b)| (*n, Arc::new(b.finish()) as ArrayRef)));
    named.push((BOOK_VERSION, Arc::new(version.finish())));
    named.push((ATTRIBUTES, Arc::new(attributes.finish())));
    named.extend(DECIMALS.iter().zip(&mut decimals).map(|((n, _), b)| (*n, Arc::new(b.finish()) as ArrayRef)));
    named.extend(TIMES.iter().zip(&mut times).map(|((n, _), b)| (*n, Arc::new(b.finish()) as ArrayRef)));
    let schema = schema();
    let place = |name: &str| schema.index_of(name).unwrap_or(usize::MAX);
    named.sort_by_key(|(name, _)| place(name));
    RecordBatch::try_new(Arc::clone(&schema), named.into_iter().map(|(_, array)| array).collect())
        .expect("columns match the schema of prices, required ones are set")
}

/// Reads the rows of a batch that has the columns of [`schema`], texts plain or as views, found by name. `None` if a column is
/// missing or of another type.
pub fn read(batch: &RecordBatch) -> Option<Vec<PriceRow>> {
    let mut text_columns = Vec::new();
    for (name, _) in TEXTS.into_iter().chain([(BOOK_VERSION, true)]) {
        text_columns.push(Texts::of(batch.column_by_name(name)?)?);
    }
    let attributes = batch.column_by_name(ATTRIBUTES)?.as_map_opt()?;
    let mut decimals = Vec::new();
    for (name, _) in DECIMALS {
        decimals.push(batch.column_by_name(name)?.as_primitive_opt::<Decimal128Type>()?);
    }
    let mut times = Vec::new();
    for (name, _) in TIMES {
        times.push(batch.column_by_name(name)?.as_primitive_opt::<TimestampNanosecondType>()?);
    }
    let mut rows = Vec::with_capacity(batch.num_rows());
    for at in 0..batch.num_rows() {
        let text = |column: usize| text_columns[column].get(at).to_owned();
        let decimal = |column: usize| decimals[column].is_valid(at).then(|| Amount(decimals[column].value(at)));
        let time = |column: usize| times[column].is_valid(at).then(|| Timestamp(times[column].value(at)));
        rows.push(PriceRow {
            provider: text(0),
            service: text(1),
            sku_id: text(2),
            region: text(3),
            resource_type: text(4),
            purchase_option: text(5),
            term: text(6),
            payment: text(7),
            offering_class: text(8),
            unit: text(9),
            currency: text(10),
            source: text(11),
            book: text(12),
            book_version: text(13),
            attributes: read_pairs(attributes, at)?,
            vcpu: decimal(0),
            memory_gib: decimal(1),
            price: decimal(2)?,
            tier_start: decimal(3),
            tier_end: decimal(4),
            valid_from: time(0)?,
            valid_to: time(1),
            as_of: time(2),
        });
    }
    Some(rows)
}

/// A text column in either of its forms; null reads as empty.
enum Texts<'a> {
    Plain(&'a arrow_array::StringArray),
    View(&'a arrow_array::StringViewArray),
}

impl<'a> Texts<'a> {
    fn of(array: &'a ArrayRef) -> Option<Self> {
        let plain = array.as_string_opt::<i32>().map(Self::Plain);
        plain.or_else(|| array.as_string_view_opt().map(Self::View))
    }

    fn get(&self, at: usize) -> &'a str {
        match self {
            Self::Plain(a) if a.is_valid(at) => a.value(at),
            Self::View(a) if a.is_valid(at) => a.value(at),
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_read_back_and_what_is_absent_is_null() {
        let bare = PriceRow {
            provider: "aws".into(),
            service: "AmazonEC2".into(),
            purchase_option: "on-demand".into(),
            unit: "hour".into(),
            price: Amount(96_000_000_000_000_000),
            currency: "USD".into(),
            source: "list.csv".into(),
            book: "list".into(),
            ..PriceRow::default()
        };
        let full = PriceRow {
            sku_id: "X".into(),
            region: "us-east-1".into(),
            resource_type: "m5.large".into(),
            vcpu: Some(Amount(2)),
            memory_gib: Some(Amount(8)),
            attributes: vec![("operating_system".into(), "linux".into())],
            term: "1y".into(),
            payment: "no-upfront".into(),
            offering_class: "standard".into(),
            tier_start: Some(Amount(0)),
            tier_end: Some(Amount(5)),
            valid_from: Timestamp(1),
            valid_to: Some(Timestamp(2)),
            as_of: Some(Timestamp(3)),
            book_version: "abc".into(),
            ..bare.clone()
        };
        let written = batch(&[bare.clone(), full.clone()]);
        assert_eq!(written.schema(), schema());
        assert!(written.column_by_name(REGION).unwrap().is_null(0));
        assert_eq!(read(&written).unwrap(), [bare, full]);
        assert_eq!(schema().fields().len(), 23);
        assert_eq!(schema().field(0).name(), PROVIDER);
    }
}
