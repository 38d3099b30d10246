//! Every finding's own query, and the numbers that it gave.

use grid_analytics::{Engine, QueryError};
use grid_model::TenantId;
use serde_json::{Map, Value};

use crate::read;

/// A query with the one row that it gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The statement.
    pub sql: String,
    /// Its row, by column.
    pub row: Value,
}

impl Evidence {
    /// Asks. The statement gives one row; an empty answer is an empty row.
    pub async fn ask(engine: &Engine, tenant: &TenantId, sql: String) -> Result<Self, QueryError> {
        let mut rows = read::rows(engine, tenant, &sql).await?;
        let row = if rows.is_empty() { Value::Object(Map::new()) } else { rows.swap_remove(0) };
        Ok(Self { sql, row })
    }

    /// A number of the row.
    pub fn number(&self, name: &str) -> f64 {
        read::number(&self.row, name)
    }

    /// The row as JSON text, columns in the order of their names.
    pub fn json(&self) -> String {
        self.row.to_string()
    }
}
