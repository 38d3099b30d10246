//! Bills into `charges`, with an exact reconciliation: FOCUS 1.0 to 1.4, AWS CUR, Azure cost exports, Google Cloud billing
//! exports, and whatever a declared mapping describes; as CSV, JSON lines (both gzipped or not) or Parquet.
//!
//! [`BillReader`] streams one file: batches of charges come out as rows go in, and [`BillReader::finish`] answers what the
//! file held ([`BillSummary`]). Which format it is, its header says ([`BillFormat::detect`]). The mapping of a format's
//! columns is in [`crate::focus`], [`crate::cur`], [`crate::azure`], [`crate::gcp`] and [`declared`]; what an import does with
//! the files it is given, in [`plan`].
//!
//! Architecture invariants:
//! - No float ever holds money: a double of a Parquet file is read by its shortest decimal text, a number of JSON by its own.
//! - Every row is stored, left out by a rule that is told of, or listed as rejected with its number and reason, and its cost is in
//!   exactly one of the sums.

pub mod date;
pub mod declared;
pub mod folder;
pub mod manifest;
pub mod number;
pub mod plan;
pub mod totals;
pub(crate) mod context;
pub(crate) mod json_rows;
pub(crate) mod mapping;
mod csv_rows;
mod parquet_rows;
mod observe;
mod reader;
mod row;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::Arc;

pub(crate) use self::context::{MapContext, quoted};
pub use self::csv_rows::{COLUMNS_MAX, RECORD_BYTES_MAX};
pub use self::declared::{Declared, MappingError};
pub use self::observe::RowObserver;
pub use self::reader::BillReader;
pub(crate) use self::row::Row;
pub use self::totals::{BillSummary, CurrencyTotal, Exact, Note, RejectedRow, TotalOverflow};

/// Rows of a batch.
pub const BATCH_ROWS: usize = 8192;
/// The first bytes of a Parquet file.
pub const PARQUET_MAGIC: &[u8] = b"PAR1";

/// Why a file could not be read as a bill at all.
#[derive(Debug, thiserror::Error)]
pub enum BillError {
    /// Nothing in it, not even a header.
    #[error("the file is empty")]
    Empty,
    /// Reading or inflating failed.
    #[error("cannot read the file")]
    Read(#[source] io::Error),
    /// The text is no CSV.
    #[error("not a CSV file: {0}")]
    NotCsv(String),
    /// The text begins like JSON and is none.
    #[error("not JSON lines: {0}")]
    NotJson(String),
    /// The bytes are no Parquet that we can read.
    #[error("not a readable Parquet file: {0}")]
    NotParquet(String),
    /// The header is of no known format.
    #[error(
        "no bill that Grid knows (FOCUS, AWS CUR, Azure cost details, Google Cloud billing export): it has none of the columns \
         BilledCost, lineItem/UnblendedCost, MeterCategory with a cost, or cost with usage_start_time; a mapping file (--mapping) can say \
         what its columns mean. The columns are {0}"
    )]
    UnknownFormat(String),
    /// The header lacks columns that its format demands.
    #[error("not a complete {format} header: mandatory column{} {} missing", if .columns.len() == 1 { "" } else { "s" }, and_are(.columns))]
    MissingColumns {
        /// The format.
        format: BillFormat,
        /// The missing columns, by the format's own names.
        columns: Vec<&'static str>,
    },
    /// The mapping does not fit the file.
    #[error("the mapping does not fit: {0}")]
    Mapping(Box<MappingError>),
    /// A total left 38 digits.
    #[error(transparent)]
    Overflow(#[from] TotalOverflow),
}

fn and_are(columns: &[&str]) -> String {
    let verb = if columns.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", columns.join(", "))
}

/// The formats of bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BillFormat {
    /// FinOps Open Cost and Usage Specification.
    Focus,
    /// AWS Cost and Usage Report, legacy and 2.0.
    AwsCur,
    /// Azure cost details, actual and amortised, of every kind of agreement.
    Azure,
    /// Google Cloud billing export to BigQuery, standard and detailed.
    Gcp,
    /// What a mapping file describes.
    Declared,
}

impl BillFormat {
    /// Every format that has a name.
    pub const ALL: [Self; 4] = [Self::Focus, Self::AwsCur, Self::Azure, Self::Gcp];

    /// The name on the command line and in column `source`; a declared mapping has its own.
    pub fn name(self) -> &'static str {
        match self {
            Self::Focus => "focus",
            Self::AwsCur => "aws-cur",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
            Self::Declared => "declared",
        }
    }

    /// From the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// The format that a header belongs to.
    pub fn detect(header: &[String]) -> Option<Self> {
        let keys: std::collections::HashSet<String> = header.iter().map(|h| canonical(h)).collect();
        let has = |name: &str| keys.contains(name);
        if has("billedcost") {
            Some(Self::Focus)
        } else if has("lineitemunblendedcost") {
            Some(Self::AwsCur)
        } else if crate::azure::is_azure(has) {
            Some(Self::Azure)
        } else if crate::gcp::is_gcp(has) {
            Some(Self::Gcp)
        } else {
            None
        }
    }
}

impl fmt::Display for BillFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Focus => "FOCUS",
            Self::AwsCur => "AWS CUR",
            Self::Azure => "Azure cost details",
            Self::Gcp => "Google Cloud billing export",
            Self::Declared => "declared mapping",
        })
    }
}

/// A column's name without case and punctuation: `BilledCost`, `billed_cost` and `billed cost` are one column, as are
/// `lineItem/UnblendedCost` and `line_item_unblended_cost`.
pub(crate) fn canonical(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What a reader is told besides the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BillOptions {
    /// The format; `None` to go by the header.
    pub format: Option<BillFormat>,
    /// The import to which the rows belong.
    pub import_id: String,
    /// The file's name as it will be shown.
    pub file: String,
    /// What the columns mean, if a mapping file says it.
    pub mapping: Option<Arc<Declared>>,
    /// Whether the same import has the amortised export of the same costs: of an actual export of Azure only the purchases of
    /// commitments are taken then, since all else is in the other.
    pub beside_amortized: bool,
}
