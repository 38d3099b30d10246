//! Bytes at rest: WAL, queryable buffer, sorted Parquet, series index, catalog.
//!
//! Entry point: [`Store`]. A request's rows go in by [`Store::append`] and are durable and visible when it returns; rows
//! come out through a [`Snapshot`], which holds buffer and files of one instant together.
//!
//! Reading order follows a row: [`append`] (bounded queue, group commit) -> [`wal`] -> [`buffer`] -> [`flush`] (sorted Parquet
//! by [`parquet_write`], made visible by [`catalog`]) -> [`compact`] (`file_reader` -> `merge` -> `file_writer`) -> [`expire`] and
//! [`rewrite`]. [`snapshot`] is what readers hold meanwhile.
//!
//! Architecture invariants:
//! - Nothing acknowledged is lost: [`Store::append`] resolves after `fdatasync` of the WAL.
//! - A catalog commit is atomic; files become visible, and WAL segments become superfluous, in the same transaction.
//! - A file is never changed once written; it is deleted after the commit that drops it and after its last reader.
//! - No unbounded queue: a full store refuses ([`AppendError::Overloaded`]).
//! - This crate does not know DataFusion.

pub mod store;
pub mod health;
pub mod append;
pub mod wal;
pub mod buffer;
pub mod index;
pub mod snapshot;
pub mod catalog;
pub mod objects;
pub mod parquet_write;
pub mod parquet_read;
pub mod sort;
mod decimals;
pub mod window;
pub mod flush;
mod merge;
mod file_reader;
mod file_writer;
pub mod compact;
pub mod expire;
pub mod rewrite;
pub mod import;
pub mod derived;
pub mod text;
pub mod text_scan;
pub mod text_index;
pub mod backup;
pub mod lock;
pub mod limits;
pub mod error;

pub use append::{AppendError, Appended};
pub use backup::{BackupReport, RestoreReport};
pub use catalog::{Catalog, Document, DocumentError, DocumentKey, FileEntry, HiddenCharges};
pub use compact::CompactReport;
pub use derived::{PartReport, PartSession};
pub use error::{OpenError, StoreError};
pub use expire::ExpireReport;
pub use flush::FlushReport;
pub use health::Health;
pub use import::{BillImport, ImportError, ImportReport, ImportSession};
pub use index::SeriesIndex;
pub use limits::Limits;
pub use rewrite::{DeleteReport, RowFilter};
pub use snapshot::Snapshot;
pub use store::{Clock, Store, StoreOptions, StoreStats};
pub use wal::replay::Recovery;
