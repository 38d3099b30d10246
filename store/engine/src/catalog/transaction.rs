//! A transaction on the catalog, begun and ended by SQL of our own.
//!
//! sqlx counts the nesting of its transactions, and the count goes wrong once a COMMIT fails: what follows is a savepoint within a
//! transaction that nobody commits, so that later commits "succeed" and write nothing (`tests/tests/faults.rs` shows it on a failing disk).
//! So a connection on which a transaction did not end well is closed and never used again; SQLite rolls back what was open on it.

use std::ops::{Deref, DerefMut};

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;

use super::Catalog;
use crate::error::StoreError;

/// An open transaction; dropped without [`Transaction::commit`] it is rolled back.
pub(crate) struct Transaction {
    connection: PoolConnection<Sqlite>,
    is_over: bool,
}

impl Catalog {
    /// Begins a transaction. Others wait until it has ended.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        let connection = self.pool().acquire().await?;
        let mut transaction = Transaction { connection, is_over: false };
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *transaction.connection).await?;
        Ok(transaction)
    }
}

impl Transaction {
    /// Makes it durable. After an error nothing of it is, as far as this process will ever see.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("COMMIT").execute(&mut *self.connection).await?;
        self.is_over = true;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = sqlx::SqliteConnection;
    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.close_on_drop();
        }
    }
}
