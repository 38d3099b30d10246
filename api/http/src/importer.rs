//! What the API needs from whoever reads bills. The API may not import the ingest room; the binary joins the two.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use grid_model::{TenantId, Timestamp};
use grid_store::catalog::{ImportConformance, ImportRecord, ImportReject};

/// One uploaded file, resting in a temporary folder until the import is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillFile {
    /// The name that the sender gave it.
    pub name: String,
    /// Where it rests.
    pub path: PathBuf,
}

/// A bill to import: all files are one import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillUpload {
    /// Whose bill.
    pub tenant: TenantId,
    /// At least one.
    pub files: Vec<BillFile>,
    /// Source and export name; `None` lets the importer derive it from the files.
    pub dataset: Option<String>,
    /// `focus`, `aws-cur`, `azure`, `gcp`; `None` or `auto` lets the importer recognise it.
    pub format: Option<String>,
    /// A mapping file (TOML) that says what the columns mean.
    pub mapping: Option<String>,
    /// Version of the manifest; a newer one replaces its predecessor's accounts and periods.
    pub manifest_version: Option<String>,
    /// Replace what is stored for the same dataset, accounts and periods.
    pub restate: bool,
    /// Read and reconcile only; store nothing.
    pub check: bool,
}

/// Why a bill was not imported. Nothing of it is visible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImporterError {
    /// The files are no bill that is understood.
    #[error("{0}")]
    Unreadable(String),
    /// The import contradicts what is stored.
    #[error("{0}")]
    Refused(String),
    /// The store has no room now.
    #[error("{reason}")]
    Busy {
        /// Why.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOutcome {
    /// The import as the catalog keeps it (or would, after a check).
    pub record: ImportRecord,
    /// The listed rejects.
    pub rejects: Vec<ImportReject>,
    /// Whether the very same import was there already, so that nothing was stored.
    pub existed: bool,
    /// What the rules of FOCUS said, of a FOCUS bill.
    pub conformance: Option<ImportConformance>,
    /// Files that an earlier import of the dataset brought, byte for byte, and that were therefore skipped.
    pub skipped_files: Vec<String>,
}

/// The answer of an import under way.
pub type Importing<'a> = Pin<Box<dyn Future<Output = Result<ImportOutcome, ImporterError>> + Send + 'a>>;

/// Reads bills into the store.
pub trait BillImporter: Send + Sync {
    /// Imports a bill: all of it or nothing. Files that were imported before, byte for byte, are skipped.
    fn import(&self, upload: BillUpload) -> Importing<'_>;
}

/// A list of prices to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceUpload {
    /// Whose book.
    pub tenant: TenantId,
    /// The file's name; a date in it is the list's.
    pub name: String,
    /// The whole file.
    pub bytes: Bytes,
    /// `grid`, `ec2instances`, ...; `None` lets the importer recognise it.
    pub format: Option<String>,
    /// The book's name; `None` derives it from the file's.
    pub book: Option<String>,
    /// When the list was published; `None` goes by the list or the file's name.
    pub as_of: Option<Timestamp>,
    /// Read only; store nothing.
    pub check: bool,
}

/// What an import of prices did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceOutcome {
    /// The book.
    pub book: String,
    /// Its edition.
    pub version: String,
    /// The format.
    pub format: String,
    /// When the list was published, if anybody said.
    pub as_of: Option<Timestamp>,
    /// Prices that the book has now, or would have.
    pub rows: u64,
    /// Entries rejected.
    pub rejected: u64,
    /// The first of them: where, and why.
    pub rejects: Vec<(String, String)>,
    /// Remarks and how often each applies.
    pub notes: Vec<(String, u64)>,
    /// Whether the book was stored.
    pub stored: bool,
}

/// The answer of an import of prices under way.
pub type PriceImporting<'a> = Pin<Box<dyn Future<Output = Result<PriceOutcome, ImporterError>> + Send + 'a>>;

/// Reads lists of prices into the store.
pub trait PriceImporter: Send + Sync {
    /// Imports a list as a book, in the place of the book of that name, as a whole or not at all.
    fn import_prices(&self, upload: PriceUpload) -> PriceImporting<'_>;
}
