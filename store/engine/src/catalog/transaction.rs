//! A transaction on the catalog, begun and ended by SQL of our own.
//!
//! sqlx counts the nesting of its transactions, and the count goes wrong once a COMMIT fails: what follows is a savepoint within a
//! transaction that nobody commits, so that later commits "succeed" and write nothing. And a connection must not be closed after a
//! failed COMMIT either: its pages may stand in SQLite's log, and whoever opens that log anew takes them for committed. So the same
//! connection rolls back and goes on, and writes over them. `tests/tests/faults.rs` shows both on a failing disk.
//!
//! Nobody may drop a transaction half way: its users run on tasks of their own, which no caller can cancel.

use std::ops::{Deref, DerefMut};

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;

use super::Catalog;
use crate::error::StoreError;

/// An open transaction, to be ended by [`Transaction::end`].
pub(crate) struct Transaction(PoolConnection<Sqlite>);

impl Catalog {
    /// Begins a transaction. Others wait until it has ended.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        let mut connection = self.pool().acquire().await?;
        if sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await.is_err() {
            // Perhaps an earlier rollback failed too.
            let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await?;
        }
        Ok(Transaction(connection))
    }
}

impl Transaction {
    /// Makes everything durable if all went well so far, else undoes it. After an error nothing of it is, as far as this process
    /// will ever see.
    pub(crate) async fn end<T>(mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        let done = match done {
            Ok(value) => sqlx::raw_sql("COMMIT").execute(&mut *self.0).await.map(|_| value).map_err(StoreError::from),
            Err(e) => Err(e),
        };
        if done.is_err() {
            // SQLite may have rolled back by itself; then this fails, which is no news.
            let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *self.0).await;
        }
        done
    }
}

impl Deref for Transaction {
    type Target = sqlx::SqliteConnection;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
