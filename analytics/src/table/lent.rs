//! Tables whose rows somebody else keeps, and lends: read once for a statement, so that it sees one state of each however often it names it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use grid_model::lent::Batch;
use grid_model::{Lent, TenantId};
use tokio::sync::Mutex;

use super::Source;
use crate::error::QueryError;

/// Whoever keeps the rows of tables that do not rest in the store.
#[async_trait]
pub trait Lender: Send + Sync {
    /// All rows of a table of one tenant, in its schema; why there are none if they cannot be read.
    async fn rows(&self, tenant: &TenantId, table: Lent) -> std::result::Result<Batch, String>;
}

/// What one statement has borrowed.
#[derive(Default)]
pub(crate) struct Borrowed {
    /// Who lends; nobody has no rows.
    pub(crate) lender: Option<Arc<dyn Lender>>,
    read: Mutex<BTreeMap<Lent, Batch>>,
}

impl Borrowed {
    pub(crate) fn of(lender: Option<Arc<dyn Lender>>) -> Self {
        Self { lender, read: Mutex::default() }
    }

    async fn rows(&self, tenant: &TenantId, table: Lent) -> Result<Batch> {
        let Some(lender) = &self.lender else { return Ok(table.empty()) };
        let mut read = self.read.lock().await;
        if let Some(batch) = read.get(&table) {
            return Ok(batch.clone());
        }
        let rows = lender.rows(tenant, table).await;
        let batch = rows
            .map_err(|why| QueryError::Storage(format!("read the table {}: {why}", table.name())).into_datafusion())?;
        read.insert(table, batch.clone());
        Ok(batch)
    }
}

/// A table that is lent.
pub(crate) struct LentTable {
    pub(crate) source: Arc<Source>,
    pub(crate) table: Lent,
}

impl fmt::Debug for LentTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LentTable({})", self.table.name())
    }
}

#[async_trait]
impl TableProvider for LentTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batch = self.source.borrowed.rows(&self.source.snapshot.tenant, self.table).await?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], self.schema(), projection.cloned())?)
    }
}
