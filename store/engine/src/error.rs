//! What can go wrong at rest.

use std::path::PathBuf;

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the directory.
    #[error("{dir} is held open by process {pid}{at}", at = address.as_ref().map(|a| format!(", which serves {a}")).unwrap_or_default())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The holder's process id, as it wrote it down; 0 if unknown.
        pid: u32,
        /// Where the holder serves, if it does.
        address: Option<String>,
    },
    /// The directory was written by a newer Grid.
    #[error("{dir} has data format {found}; this binary reads up to {known}: use a newer grid")]
    NewerFormat {
        /// The directory.
        dir: PathBuf,
        /// The version found.
        found: u32,
        /// The newest version known.
        known: u32,
    },
    /// The directory's format file is unreadable.
    #[error("{path} is not a format file of grid: {found:?}")]
    BadFormat {
        /// The file.
        path: PathBuf,
        /// Its content.
        found: String,
    },
    /// Anything else.
    #[error("open the store")]
    Store(#[from] StoreError),
}

/// What can go wrong while the store works.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system.
    #[error("{what} {path}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The catalog's database.
    #[error("catalog: {0}")]
    Catalog(#[from] sqlx::Error),
    /// The object store.
    #[error("object store: {0}")]
    Object(#[from] object_store::Error),
    /// Parquet.
    #[error("parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Arrow.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The text index.
    #[error("text index: {0}")]
    Text(String),
    /// A row filter given from outside failed.
    #[error("row filter: {0}")]
    Filter(String),
    /// What rests on disk is not what was written.
    #[error("corrupt: {0}")]
    Corrupt(String),
    /// A worker thread is gone.
    #[error("the store is closed")]
    Closed,
    /// An address that names no object store.
    #[error("{url:?} is not an object store URL: {reason}")]
    BadUrl {
        /// What was given.
        url: String,
        /// Why not.
        reason: String,
    },
}

impl StoreError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
