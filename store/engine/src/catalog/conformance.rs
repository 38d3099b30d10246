//! What the rules of FOCUS said of each import, rule by rule.

use grid_model::TenantId;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnection;

use super::Catalog;
use crate::error::StoreError;

/// The conformance of one import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportConformance {
    /// The version of FOCUS whose rules were asked.
    pub version: String,
    /// Rows that were checked.
    pub rows: u64,
    /// Each rule of the version.
    pub rules: Vec<ImportRule>,
}

/// What one rule said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportRule {
    /// Its id.
    #[serde(rename = "id")]
    pub rule: String,
    /// `failed`, `passed`, `skipped`, `not applicable`, `not computed`.
    #[serde(rename = "s")]
    pub status: String,
    /// Rows that it concerned.
    #[serde(rename = "c", default, skip_serializing_if = "is_zero")]
    pub checked: u64,
    /// Violations.
    #[serde(rename = "v", default, skip_serializing_if = "is_zero")]
    pub violations: u64,
    /// The first violations.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<ImportExample>,
    /// Why it was not run, or what about it to know.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A place where a rule is violated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportExample {
    /// The file.
    #[serde(rename = "f")]
    pub file: String,
    /// The row, counted from 1 after the header; 0 is the header.
    #[serde(rename = "r")]
    pub row: u64,
    /// The column.
    #[serde(rename = "k")]
    pub column: String,
    /// What stands there.
    #[serde(rename = "t")]
    pub value: String,
}

impl Catalog {
    /// The conformance of an import; `None` if its rules were not asked (it is no FOCUS bill, or older than the rules).
    pub async fn conformance(&self, tenant: &TenantId, id: &str) -> Result<Option<ImportConformance>, StoreError> {
        let query = "SELECT version, row_count, rules FROM import_conformance WHERE tenant = ? AND import_id = ?";
        let row: Option<(String, i64, String)> =
            sqlx::query_as(query).bind(tenant.as_str()).bind(id).fetch_optional(self.pool()).await?;
        let Some((version, rows, rules)) = row else { return Ok(None) };
        let rules = serde_json::from_str(&rules).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        Ok(Some(ImportConformance { version, rows: rows.unsigned_abs(), rules }))
    }
}

/// Enters the conformance of an import. Part of the transaction that enters the import.
pub(crate) async fn enter(
    tx: &mut SqliteConnection,
    tenant: &TenantId,
    id: &str,
    conformance: &ImportConformance,
) -> Result<(), StoreError> {
    let rules = serde_json::to_string(&conformance.rules).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    sqlx::query("INSERT INTO import_conformance (tenant, import_id, version, row_count, rules) VALUES (?, ?, ?, ?, ?)")
        .bind(tenant.as_str())
        .bind(id)
        .bind(&conformance.version)
        .bind(conformance.rows as i64)
        .bind(rules)
        .execute(&mut *tx)
        .await?;
    Ok(())
}
