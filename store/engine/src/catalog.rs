//! The transactional catalog: which files exist, up to which WAL segment they hold everything, and the small mutable facts
//! beside (retention, tokens, imports). SQLite by default; the SQL here is plain enough for PostgreSQL.
//!
//! One commit = one transaction = one new generation. `synchronous=FULL`: a commit that returned survives a power cut.

mod schema;
mod transaction;
pub mod files;
pub mod imports;
pub mod conformance;
pub mod retention;
pub mod documents;
pub mod tokens;

use std::path::Path;
use std::str::FromStr as _;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

pub use conformance::{ImportConformance, ImportExample, ImportRule};
pub use documents::{Document, DocumentError, DocumentKey};
pub use files::{Commit, FileEntry, NewFile};
pub use imports::{
    AsOf, HiddenCharges, ImportFile, ImportNote, ImportPeriod, ImportRecord, ImportReject, ImportTotal, NoSuchImport,
    Timeline,
};
pub use retention::RetentionRule;
pub use tokens::TokenRow;

use crate::error::StoreError;

/// The catalog of one data directory.
#[derive(Debug, Clone)]
pub struct Catalog {
    pool: SqlitePool,
}

impl Catalog {
    /// Opens or creates the database file and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str("sqlite:")?
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(10))
            .foreign_keys(true);
        // One connection: SQLite has one writer anyway, and a reader never sees half a commit.
        let pool = SqlitePoolOptions::new().max_connections(1).min_connections(1).connect_with(options).await?;
        schema::migrate(&pool).await?;
        // What a killed process wrote to SQLite's log without syncing it is read back from memory, and a power cut would still take
        // it. It must be durable before any file is deleted on the strength of it.
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool).await?;
        Ok(Self { pool })
    }

    /// The connection pool, for modules of this crate that keep their own tables.
    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// SQLite's own integrity check; the problems it found, none if all is well.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(line,)| line).filter(|line| line != "ok").collect())
    }

    /// Writes a consistent copy of the database to a new file.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        sqlx::query("VACUUM INTO ?").bind(path.to_string_lossy().into_owned()).execute(&self.pool).await?;
        Ok(())
    }

    /// Closes the connections; pending statements finish first.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
