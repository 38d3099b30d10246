//! Deleting rows by a condition in SQL: compiled here, applied by the store.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::ExprSchemable;
use futures::future::BoxFuture;
use grid_model::{Scope, Table};
use grid_store::{DeleteReport, RowFilter, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::catalog::TenantCatalog;
use crate::engine::Engine;
use crate::error::QueryError;
use crate::exact::ExactDecimals;
use crate::limits::STATEMENT_BYTES_MAX;
use crate::table::files::conform;

impl Engine {
    /// Deletes the rows of a table and a time range for which a condition is true, e.g.
    /// `service = 'cart' AND match(body, 'secret')`. The condition sees the columns of the table at rest and no other table.
    pub async fn delete(&self, scope: &Scope, table: Table, filter: &str) -> Result<DeleteReport, QueryError> {
        if filter.len() > STATEMENT_BYTES_MAX {
            return Err(QueryError::TooLarge { bytes: filter.len(), limit: STATEMENT_BYTES_MAX });
        }
        let from = |e| QueryError::from_datafusion(&e);
        let source = self.shared.source(scope);
        let catalog = Arc::new(TenantCatalog::new(source));
        let state =
            self.shared.sessions.open(catalog, self.shared.store.now(), CancellationToken::new()).map_err(from)?;
        let schema = table.schema();
        let df_schema = DFSchema::try_from(schema.as_ref().clone()).map_err(from)?;
        let expr = state.create_logical_expr(filter, &df_schema).map_err(from)?;
        let expr = ExactDecimals::default().expr(expr, &df_schema, false).map_err(from)?;
        let kind = expr.get_type(&df_schema).map_err(from)?;
        if kind != DataType::Boolean {
            return Err(QueryError::Invalid {
                message: format!("the condition is of type {kind}, not true or false"),
                hint: Some("write a comparison, such as service = 'cart'".into()),
                position: None,
            });
        }
        if expr.is_volatile() {
            return Err(QueryError::Invalid {
                message: "the condition would differ from row to row and time to time".into(),
                hint: None,
                position: None,
            });
        }
        let condition = state.create_physical_expr(expr, &df_schema).map_err(from)?;
        drop(state);
        let matches = move |batch: &RecordBatch| -> Result<BooleanArray, Box<dyn std::error::Error + Send + Sync>> {
            let batch = conform(batch, &schema)?;
            let found = condition.evaluate(&batch)?.into_array(batch.num_rows())?;
            Ok(found.as_boolean_opt().cloned().unwrap_or_else(|| BooleanArray::new_null(found.len())))
        };
        let matches: Box<RowFilter<'static>> = Box::new(matches);
        // The condition is evaluated on the query threads: it may be dear.
        let task = rewrite(self.shared.store.clone(), scope.clone(), table, matches);
        let gone = || QueryError::Internal("the engine has ended".into());
        let done = self.shared.runtime.spawn(task).ok_or_else(gone)?.await.map_err(|_| gone())?;
        done.map_err(|e| QueryError::Storage(e.to_string()))
    }
}

/// Boxed, because the compiler cannot see that the store's future may move between threads unless its type is named.
fn rewrite(
    store: Store,
    scope: Scope,
    table: Table,
    filter: Box<RowFilter<'static>>,
) -> BoxFuture<'static, Result<DeleteReport, StoreError>> {
    Box::pin(async move {
        let work: BoxFuture<'_, _> = Box::pin(store.rewrite(&scope.tenant, table, scope.range, filter.as_ref()));
        work.await
    })
}
