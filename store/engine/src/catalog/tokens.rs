//! Access tokens at rest. What is hashed, and how, is the guard's business; here a hash is text.

use super::Catalog;
use crate::error::StoreError;

/// One token as it rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// The part of the token that may be shown.
    pub id: String,
    /// For humans.
    pub name: String,
    /// Hash of the whole token.
    pub hash: String,
    /// Tenants, in the guard's text form.
    pub tenants: String,
    /// Scopes, in the guard's text form.
    pub scopes: String,
    /// Nanoseconds since the epoch.
    pub created: i64,
    /// Nanoseconds since the epoch.
    pub expires: Option<i64>,
    /// Nanoseconds since the epoch.
    pub last_used: Option<i64>,
}

impl Catalog {
    /// All tokens that were not revoked, oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        type Columns = (String, String, String, String, String, i64, Option<i64>, Option<i64>);
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, name, hash, tenants, scopes, created, expires, last_used FROM tokens
             WHERE revoked IS NULL ORDER BY created, id",
        )
        .fetch_all(self.pool())
        .await?;
        let token = |(id, name, hash, tenants, scopes, created, expires, last_used): Columns| TokenRow {
            id,
            name,
            hash,
            tenants,
            scopes,
            created,
            expires,
            last_used,
        };
        Ok(rows.into_iter().map(token).collect())
    }

    /// Keeps a new token.
    pub async fn insert_token(&self, token: &TokenRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO tokens (id, name, hash, tenants, scopes, created, expires, last_used) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&token.id)
        .bind(&token.name)
        .bind(&token.hash)
        .bind(&token.tenants)
        .bind(&token.scopes)
        .bind(token.created)
        .bind(token.expires)
        .bind(token.last_used)
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Revokes a token; whether there was one. The row stays for the record.
    pub async fn revoke_token(&self, id: &str, at: i64) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE tokens SET revoked = ? WHERE id = ? AND revoked IS NULL")
            .bind(at)
            .bind(id)
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes that a token was used.
    pub async fn touch_token(&self, id: &str, at: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE tokens SET last_used = ? WHERE id = ?").bind(at).bind(id).execute(self.pool()).await?;
        Ok(())
    }
}
