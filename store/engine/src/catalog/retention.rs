//! How long rows are kept, per tenant and table. Nothing is deleted unless somebody says so.

use grid_model::{Table, TenantId};

use super::Catalog;
use crate::error::StoreError;

/// Rows older than this are deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    /// Whose rows.
    pub tenant: TenantId,
    /// Of which table.
    pub table: Table,
    /// Age in nanoseconds.
    pub keep_ns: i64,
}

impl Catalog {
    /// All rules.
    pub async fn retention(&self) -> Result<Vec<RetentionRule>, StoreError> {
        let rows: Vec<(String, String, i64)> =
            sqlx::query_as("SELECT tenant, table_name, keep_ns FROM retention ORDER BY tenant, table_name")
                .fetch_all(self.pool())
                .await?;
        let rule = |(tenant, table, keep_ns): (String, String, i64)| {
            Some(RetentionRule { tenant: TenantId::parse(&tenant).ok()?, table: Table::parse(&table)?, keep_ns })
        };
        Ok(rows.into_iter().filter_map(rule).collect())
    }

    /// Sets or replaces a rule.
    pub async fn set_retention(&self, rule: &RetentionRule) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO retention (tenant, table_name, keep_ns) VALUES (?, ?, ?)")
            .bind(rule.tenant.as_str())
            .bind(rule.table.name())
            .bind(rule.keep_ns)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Drops a rule; whether there was one.
    pub async fn drop_retention(&self, tenant: &TenantId, table: Table) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM retention WHERE tenant = ? AND table_name = ?")
            .bind(tenant.as_str())
            .bind(table.name())
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() > 0)
    }
}
