//! `prices`: the books that were imported, and the snapshot that comes with the binary.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use grid_model::Table;

use super::Source;
use super::files::{conform, memory, scan_schema, union};
use crate::price::bundled;

/// See the module.
#[derive(Debug)]
pub(crate) struct PricesTable {
    pub source: Arc<Source>,
}

#[async_trait]
impl TableProvider for PricesTable {
    fn schema(&self) -> SchemaRef {
        scan_schema(Table::Prices)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = scan_schema(Table::Prices);
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let imported = self.source.scan_rows(state, Table::Prices, &columns, filters).await?;
        let projected = Arc::new(schema.project(&columns)?);
        let bundled = conform(bundled::batch(), &projected)?;
        union(vec![imported, memory(vec![bundled], Arc::clone(&projected), 1)?], &projected)
    }
}
