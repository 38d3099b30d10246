//! Lists of prices into rows of `prices`. One file per format; which format bytes are of, their content says.
//!
//! Entry point: [`decode`]. It hands every price to a sink as it is read, so that a list of a million prices needs no memory for all of
//! them, and answers what it read ([`Decoded`]): prices kept, entries rejected with the reason, remarks.
//!
//! Architecture invariants:
//! - No price is made up: what a list does not say is null, and an entry without a price is rejected, never zero.
//! - No float holds a price: numbers are read by their text.

pub mod own;
pub mod machine_csv;
pub mod instances;
pub mod reservations;
pub mod karpenter;
pub mod azure_retail;
pub mod aws_offer;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use grid_model::table::prices::PriceRow;
use grid_model::{Amount, Timestamp};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::bill::date;

/// Largest list in bytes.
pub const FILE_BYTES_MAX: usize = 1 << 30;
/// Most prices of one list.
pub const ROWS_MAX: u64 = 5_000_000;
/// Rejected entries that are listed; the rest are counted.
pub const REJECTS_LISTED_MAX: usize = 100;
/// Kinds of remarks that are kept.
const NOTES_MAX: usize = 100;
/// Longest text of one cell; longer ones are no name of anything.
const TEXT_BYTES_MAX: usize = 1024;

/// The formats of price lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PriceFormat {
    /// A CSV file with the columns of table `prices`: one's own, negotiated prices.
    Own,
    /// A CSV file of `region,instance_type,usd_per_hour`: EC2 machines with Linux, on demand.
    MachineCsv,
    /// The JSON of ec2instances.info (EC2 or RDS): machines with prices by region, system and purchase option.
    Instances,
    /// A JSON object of `"type/region": price per hour`, as OpenCost keeps of reservations.
    Reservations,
    /// Karpenter's JSON of instance types with offerings by zone and capacity type.
    Karpenter,
    /// Answers of Azure's Retail Prices API.
    AzureRetail,
    /// The CSV of an AWS offer file (bulk price list).
    AwsOffer,
}

impl PriceFormat {
    /// Every format.
    pub const ALL: [Self; 7] = [
        Self::Own,
        Self::MachineCsv,
        Self::Instances,
        Self::Reservations,
        Self::Karpenter,
        Self::AzureRetail,
        Self::AwsOffer,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "grid",
            Self::MachineCsv => "machine-csv",
            Self::Instances => "ec2instances",
            Self::Reservations => "opencost-reservations",
            Self::Karpenter => "karpenter",
            Self::AzureRetail => "azure-retail",
            Self::AwsOffer => "aws-offer",
        }
    }

    /// From the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// The format of a list by its first bytes.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        // Enough for the first entry of every known list; a name that comes later belongs to a format that is not known.
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(64 * 1024)]);
        let head = head.trim_start();
        if head.starts_with('[') {
            let has = |name: &str| head.contains(&format!("\"{name}\""));
            return match (has("instance_type") && has("pricing"), has("offerings") || has("resources")) {
                (true, _) => Some(Self::Instances),
                (false, true) => Some(Self::Karpenter),
                (false, false) => None,
            };
        }
        if let Some(inside) = head.strip_prefix('{') {
            let first_key = inside.trim_start().strip_prefix('"').and_then(|t| t.split('"').next());
            return match first_key {
                Some(key) if key.contains('/') => Some(Self::Reservations),
                Some(_) if head.contains("\"Items\"") => Some(Self::AzureRetail),
                _ => None,
            };
        }
        let line = head.lines().next().unwrap_or_default().to_ascii_lowercase();
        let has = |name: &str| line.split(',').any(|c| c.trim().trim_matches('"') == name);
        if has("provider") && has("price") {
            Some(Self::Own)
        } else if has("instance_type") && has("region") && has("usd_per_hour") {
            Some(Self::MachineCsv)
        } else if has("formatversion") || has("sku") && has("priceperunit") {
            Some(Self::AwsOffer)
        } else {
            None
        }
    }
}

impl fmt::Display for PriceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a decoder is told beside the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceOptions {
    /// The format; `None` to go by the content.
    pub format: Option<PriceFormat>,
    /// The file's name as shown; a date in it is the list's, unless another is given.
    pub file: String,
    /// The book's name; by default the file's without date and ending.
    pub book: Option<String>,
    /// When the list was published.
    pub as_of: Option<Timestamp>,
}

/// Why bytes are no list of prices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Larger than [`FILE_BYTES_MAX`].
    #[error("the file has {0} bytes, more than {FILE_BYTES_MAX}")]
    TooLarge(usize),
    /// Of no known format.
    #[error(
        "no price list that is known; its first characters are {0:?} (formats: {formats})",
        formats = PriceFormat::ALL.map(PriceFormat::name).join(", ")
    )]
    Unknown(String),
    /// Not of the format it is said to be.
    #[error("not a list of format {format}: {reason}")]
    Malformed {
        /// The format.
        format: PriceFormat,
        /// What is wrong, and where.
        reason: String,
    },
}

/// An entry that became no price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedPrice {
    /// Where: a row, or the path of names that leads to it.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// What a list held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Its format.
    pub format: PriceFormat,
    /// The book's name.
    pub book: String,
    /// The edition: the first 16 hex digits of the SHA-256 of the bytes.
    pub version: String,
    /// When it was published, if anybody said.
    pub as_of: Option<Timestamp>,
    /// Prices handed out.
    pub rows: u64,
    /// Entries rejected.
    pub rejected: u64,
    /// The first of them.
    pub rejects: Vec<RejectedPrice>,
    /// Remarks, with how often each applies.
    pub notes: BTreeMap<String, u64>,
}

/// Reads a list and hands each price to `sink`.
pub fn decode(bytes: &[u8], options: &PriceOptions, sink: &mut dyn FnMut(PriceRow)) -> Result<Decoded, PriceError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(PriceError::TooLarge(bytes.len()));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(PriceError::Empty);
    }
    let Some(format) = options.format.or_else(|| PriceFormat::detect(bytes)) else {
        return Err(PriceError::Unknown(String::from_utf8_lossy(bytes).trim_start().chars().take(80).collect()));
    };
    let (stem, dated) = name_and_date(&options.file);
    let mut reader = Reader {
        decoded: Decoded {
            format,
            book: options.book.clone().unwrap_or(stem),
            version: hex::encode(Sha256::digest(bytes))[..16].to_owned(),
            as_of: options.as_of.or(dated),
            rows: 0,
            rejected: 0,
            rejects: Vec::new(),
            notes: BTreeMap::new(),
        },
        file: cut(&options.file).to_owned(),
        sink,
    };
    match format {
        PriceFormat::Own => own::read(bytes, &mut reader),
        PriceFormat::MachineCsv => machine_csv::read(bytes, &mut reader),
        PriceFormat::Instances => instances::read(bytes, &mut reader),
        PriceFormat::Reservations => reservations::read(bytes, &mut reader),
        PriceFormat::Karpenter => karpenter::read(bytes, &mut reader),
        PriceFormat::AzureRetail => azure_retail::read(bytes, &mut reader),
        PriceFormat::AwsOffer => aws_offer::read(bytes, &mut reader),
    }
    .map_err(|reason| PriceError::Malformed { format, reason })?;
    Ok(reader.decoded)
}

/// What the formats read into.
pub(crate) struct Reader<'a> {
    pub(crate) decoded: Decoded,
    file: String,
    sink: &'a mut dyn FnMut(PriceRow),
}

impl Reader<'_> {
    /// A row with what the whole list has in common; the caller fills in the rest.
    pub(crate) fn row(&self, provider: &str, service: &str) -> PriceRow {
        PriceRow {
            provider: provider.to_owned(),
            service: service.to_owned(),
            purchase_option: "on-demand".to_owned(),
            unit: "hour".to_owned(),
            currency: "USD".to_owned(),
            as_of: self.decoded.as_of,
            source: self.file.clone(),
            book: self.decoded.book.clone(),
            book_version: self.decoded.version.clone(),
            ..PriceRow::default()
        }
    }

    /// Hands out a price, or rejects it if it cannot be one.
    pub(crate) fn keep(&mut self, at: &dyn fmt::Display, row: PriceRow) {
        if row.price < Amount::ZERO {
            return self.reject(at, format!("the price {} is below zero", row.price));
        }
        let texts =
            [&row.provider, &row.service, &row.region, &row.resource_type, &row.sku_id, &row.unit, &row.currency];
        let attributes = row.attributes.iter().flat_map(|(k, v)| [k, v]);
        if let Some(long) = texts.into_iter().chain(attributes).find(|t| t.len() > TEXT_BYTES_MAX) {
            return self.reject(at, format!("a text of {} bytes is longer than {TEXT_BYTES_MAX}", long.len()));
        }
        for (name, text) in [("provider", &row.provider), ("service", &row.service), ("currency", &row.currency)] {
            if text.is_empty() {
                return self.reject(at, format!("{name} is empty"));
            }
        }
        if self.decoded.rows >= ROWS_MAX {
            return self.reject(at, format!("the list has more than {ROWS_MAX} prices"));
        }
        self.decoded.rows += 1;
        (self.sink)(row);
    }

    /// Counts an entry that is no price.
    pub(crate) fn reject(&mut self, at: &dyn fmt::Display, reason: impl Into<String>) {
        self.decoded.rejected += 1;
        if self.decoded.rejects.len() < REJECTS_LISTED_MAX {
            let at = at.to_string();
            let reason = reason.into();
            let short = |text: String| if text.len() > TEXT_BYTES_MAX { cut(&text).to_owned() } else { text };
            self.decoded.rejects.push(RejectedPrice { at: short(at), reason: short(reason) });
        }
    }

    /// Remarks on something that costs no price.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        let what = what.into();
        if self.decoded.notes.len() < NOTES_MAX || self.decoded.notes.contains_key(&what) {
            *self.decoded.notes.entry(cut(&what).to_owned()).or_default() += 1;
        }
    }

    /// Reads an amount; digits beyond the eighteenth decimal are rounded, with a remark.
    pub(crate) fn amount(&mut self, text: &str) -> Result<Amount, String> {
        let (amount, residual) = crate::bill::number::parse(text.trim()).map_err(|e| cut(&e.to_string()).to_owned())?;
        if residual.0 != 0 {
            self.note("a price has more than 18 decimals and was rounded");
        }
        Ok(amount)
    }
}

/// A text, cut at a character if it is longer than a cell may be.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The text of a JSON number, or of a string that holds one; other values give themselves, which then are no number.
pub(crate) fn number_text(raw: &RawValue) -> Cow<'_, str> {
    match raw.get().strip_prefix('"') {
        Some(_) => serde_json::from_str::<String>(raw.get()).map_or(Cow::Borrowed(raw.get()), Cow::Owned),
        None => Cow::Borrowed(raw.get()),
    }
}

/// The book's name in a file's, and the date in it: `aws_ec2_2026-07-20.csv` is book `aws_ec2` of that day.
pub fn name_and_date(file: &str) -> (String, Option<Timestamp>) {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let bytes = stem.as_bytes();
    for at in 0..stem.len().saturating_sub(9) {
        let (Some(text), false) = (stem.get(at..at + 10), at > 0 && bytes[at - 1].is_ascii_digit()) else { continue };
        let day = text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        if let (true, Some(read)) = (day, date::parse(text)) {
            let rest = format!("{}{}", &stem[..at], &stem[at + 10..]);
            return (book_name(&rest), Some(read.time));
        }
    }
    (book_name(stem), None)
}

fn book_name(text: &str) -> String {
    let name = cut(text).trim_matches(|c: char| !c.is_alphanumeric());
    if name.is_empty() { "prices".to_owned() } else { name.to_owned() }
}

/// The key of a JSON parse error's place, for a reason.
pub(crate) fn json_reason(e: &serde_json::Error) -> String {
    cut(&e.to_string()).to_owned()
}
