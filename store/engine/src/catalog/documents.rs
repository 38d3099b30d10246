//! Documents that people write and Grid obeys: allocation rules, aliases, rates, budgets. Each has a tenant, a kind and a name; every change
//! is a new version beside the old ones, so that a report can be run as of an earlier time and nobody overwrites what she has not seen.

use grid_model::{TenantId, Timestamp};

use super::Catalog;
use crate::error::StoreError;
use crate::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_NAME_BYTES_MAX, DOCUMENT_VERSIONS_KEPT, DOCUMENTS_PER_KIND_MAX};

/// Which document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey {
    /// Whose.
    pub tenant: TenantId,
    /// What it is for: `allocation`, `budget`. A name of the code, never of a user.
    pub kind: &'static str,
    /// The user's name for it.
    pub name: String,
}

/// One version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// Counted from 1.
    pub version: u64,
    /// Its text.
    pub body: String,
    /// Who wrote this version.
    pub author: String,
    /// When.
    pub created: Timestamp,
}

/// Why a document was not written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Somebody else changed it meanwhile.
    #[error("{name:?} is at version {found}, not {expected}: read it again and apply your change to that")]
    Conflict {
        /// The document.
        name: String,
        /// The version that the writer had seen; 0 is none.
        expected: u64,
        /// The version that is there; 0 is none.
        found: u64,
    },
    /// Its name is empty or too long.
    #[error("a name has 1 to {DOCUMENT_NAME_BYTES_MAX} bytes, this one has {0}")]
    Name(usize),
    /// It is too large.
    #[error("a document has at most {DOCUMENT_BYTES_MAX} bytes, this one has {0}")]
    TooLarge(usize),
    /// There are too many.
    #[error("there are {DOCUMENTS_PER_KIND_MAX} documents of this kind already: delete one first")]
    TooMany,
    /// The catalog failed.
    #[error("keep the document")]
    Store(#[from] StoreError),
}

type Row = (String, i64, Option<String>, String, i64);

/// A version that has a body.
fn document((name, version, body, author, created): Row) -> Option<Document> {
    Some(Document { name, version: version.unsigned_abs(), body: body?, author, created: Timestamp(created) })
}

impl Catalog {
    /// The newest version, unless it is deleted.
    pub async fn document(&self, key: &DocumentKey) -> Result<Option<Document>, StoreError> {
        self.document_as_of(key, Timestamp::MAX).await
    }

    /// The version that held at a time.
    pub async fn document_as_of(&self, key: &DocumentKey, at: Timestamp) -> Result<Option<Document>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT name, version, body, author, created FROM documents
             WHERE tenant = ? AND kind = ? AND name = ? AND created <= ? ORDER BY version DESC LIMIT 1",
        )
        .bind(key.tenant.as_str())
        .bind(key.kind)
        .bind(&key.name)
        .bind(at.0)
        .fetch_optional(self.pool())
        .await?;
        Ok(row.and_then(document))
    }

    /// The newest versions of all documents of a kind that are not deleted, by name.
    pub async fn documents(&self, tenant: &TenantId, kind: &'static str) -> Result<Vec<Document>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT name, version, body, author, created FROM documents AS d
             WHERE tenant = ?1 AND kind = ?2 AND body IS NOT NULL AND version =
                (SELECT max(version) FROM documents WHERE tenant = ?1 AND kind = ?2 AND name = d.name)
             ORDER BY name",
        )
        .bind(tenant.as_str())
        .bind(kind)
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().filter_map(document).collect())
    }

    /// All versions that are kept, newest first; versions that deleted it are left out.
    pub async fn document_history(&self, key: &DocumentKey) -> Result<Vec<Document>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT name, version, body, author, created FROM documents
             WHERE tenant = ? AND kind = ? AND name = ? ORDER BY version DESC",
        )
        .bind(key.tenant.as_str())
        .bind(key.kind)
        .bind(&key.name)
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().filter_map(document).collect())
    }

    /// Writes a new version. `expected` is the version that the writer has seen (0: none, or deleted); `None` overwrites whatever is there.
    pub async fn put_document(
        &self,
        key: &DocumentKey,
        body: &str,
        author: &str,
        expected: Option<u64>,
        now: Timestamp,
    ) -> Result<Document, DocumentError> {
        if key.name.is_empty() || key.name.len() > DOCUMENT_NAME_BYTES_MAX {
            return Err(DocumentError::Name(key.name.len()));
        }
        if body.len() > DOCUMENT_BYTES_MAX {
            return Err(DocumentError::TooLarge(body.len()));
        }
        let version = self.write(key, Some(body), author, expected, now).await?;
        Ok(Document { name: key.name.clone(), version, body: body.to_owned(), author: author.to_owned(), created: now })
    }

    /// Deletes it; whether it was there. Its history stays.
    pub async fn delete_document(
        &self,
        key: &DocumentKey,
        author: &str,
        expected: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, DocumentError> {
        if self.document(key).await?.is_none() {
            return Ok(false);
        }
        self.write(key, None, author, expected, now).await?;
        Ok(true)
    }

    /// On a task of its own: nobody may leave a transaction half way.
    async fn write(
        &self,
        key: &DocumentKey,
        body: Option<&str>,
        author: &str,
        expected: Option<u64>,
        now: Timestamp,
    ) -> Result<u64, DocumentError> {
        let (this, key) = (self.clone(), key.clone());
        let (body, author) = (body.map(str::to_owned), author.to_owned());
        let task = tokio::spawn(async move {
            let mut tx = this.begin().await?;
            let written = write_in(&mut tx, &key, body.as_deref(), &author, expected, now).await;
            // A refusal has changed nothing: the transaction ends well either way.
            let (done, refused) = match written {
                Ok(version) => (Ok(version), None),
                Err(DocumentError::Store(e)) => (Err(e), None),
                Err(refused) => (Ok(0), Some(refused)),
            };
            let version = tx.end(done).await?;
            refused.map_or(Ok(version), Err)
        });
        task.await.map_err(|_| StoreError::Closed)?
    }
}

async fn write_in(
    tx: &mut sqlx::SqliteConnection,
    key: &DocumentKey,
    body: Option<&str>,
    author: &str,
    expected: Option<u64>,
    now: Timestamp,
) -> Result<u64, DocumentError> {
    let newest: Option<(i64, bool, i64)> = sqlx::query_as(
        "SELECT version, body IS NOT NULL, created FROM documents
         WHERE tenant = ? AND kind = ? AND name = ? ORDER BY version DESC LIMIT 1",
    )
    .bind(key.tenant.as_str())
    .bind(key.kind)
    .bind(&key.name)
    .fetch_optional(&mut *tx)
    .await
    .map_err(StoreError::from)?;
    let (last, lives, written) = newest.map_or((0, false, i64::MIN), |(v, lives, at)| (v.unsigned_abs(), lives, at));
    let found = if lives { last } else { 0 };
    if let Some(expected) = expected.filter(|e| *e != found) {
        return Err(DocumentError::Conflict { name: key.name.clone(), expected, found });
    }
    if !lives && body.is_some() {
        let (others,): (i64,) =
            sqlx::query_as("SELECT count(DISTINCT name) FROM documents WHERE tenant = ? AND kind = ?")
                .bind(key.tenant.as_str())
                .bind(key.kind)
                .fetch_one(&mut *tx)
                .await
                .map_err(StoreError::from)?;
        if others >= DOCUMENTS_PER_KIND_MAX && last == 0 {
            return Err(DocumentError::TooMany);
        }
    }
    let version = last + 1;
    sqlx::query(
        "INSERT INTO documents (tenant, kind, name, version, body, author, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(key.tenant.as_str())
    .bind(key.kind)
    .bind(&key.name)
    .bind(version as i64)
    .bind(body)
    .bind(author)
    // A clock that was set back must not make an older version hold again.
    .bind(now.0.max(written))
    .execute(&mut *tx)
    .await
    .map_err(StoreError::from)?;
    sqlx::query("DELETE FROM documents WHERE tenant = ? AND kind = ? AND name = ? AND version <= ?")
        .bind(key.tenant.as_str())
        .bind(key.kind)
        .bind(&key.name)
        .bind(version as i64 - DOCUMENT_VERSIONS_KEPT)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::from)?;
    Ok(version)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(name: &str) -> DocumentKey {
        DocumentKey { tenant: TenantId::default_tenant(), kind: "allocation", name: name.to_owned() }
    }

    async fn catalog(dir: &std::path::Path) -> Catalog {
        Catalog::open(&dir.join("catalog.db")).await.unwrap()
    }

    #[tokio::test]
    async fn each_change_is_a_version_and_old_ones_can_be_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = catalog(dir.path()).await;
        let put = async |body: &str, expected, at| {
            catalog.put_document(&key("rules"), body, "ada", expected, Timestamp(at)).await
        };
        assert_eq!(put("a", Some(0), 10).await.unwrap().version, 1);
        assert_eq!(put("b", Some(1), 20).await.unwrap().version, 2);
        let stale = put("c", Some(1), 30).await.unwrap_err();
        assert_eq!(stale.to_string(), "\"rules\" is at version 2, not 1: read it again and apply your change to that");
        assert_eq!(put("c", None, 30).await.unwrap().version, 3);
        let at = async |t| catalog.document_as_of(&key("rules"), Timestamp(t)).await.unwrap().map(|d| d.body);
        assert_eq!((at(9).await, at(10).await, at(25).await), (None, Some("a".into()), Some("b".into())));
        assert_eq!(catalog.document_history(&key("rules")).await.unwrap().len(), 3);

        assert!(catalog.delete_document(&key("rules"), "eve", Some(3), Timestamp(40)).await.unwrap());
        assert!(!catalog.delete_document(&key("rules"), "eve", None, Timestamp(41)).await.unwrap());
        assert_eq!(catalog.document(&key("rules")).await.unwrap(), None);
        assert_eq!(at(39).await, Some("c".into()));
        // Whoever makes it anew has seen none.
        assert_eq!(put("d", Some(0), 50).await.unwrap().version, 5);
    }

    #[tokio::test]
    async fn kinds_and_tenants_are_apart_and_bounds_hold() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = catalog(dir.path()).await;
        let other = DocumentKey { kind: "budget", ..key("x") };
        let foreign = DocumentKey { tenant: TenantId::parse("other").unwrap(), ..key("x") };
        for k in [&key("x"), &key("w"), &other, &foreign] {
            catalog.put_document(k, k.tenant.as_str(), "ada", None, Timestamp(1)).await.unwrap();
        }
        let names: Vec<String> = catalog
            .documents(&TenantId::default_tenant(), "allocation")
            .await
            .unwrap()
            .into_iter()
            .map(|d| d.name)
            .collect();
        assert_eq!(names, ["w", "x"]);
        let long = "n".repeat(DOCUMENT_NAME_BYTES_MAX + 1);
        let large = "b".repeat(DOCUMENT_BYTES_MAX + 1);
        for (k, body) in [(key(""), "b"), (key(&long), "b"), (key("x"), large.as_str())] {
            assert!(catalog.put_document(&k, body, "ada", None, Timestamp(1)).await.is_err());
        }
        for n in 0..DOCUMENT_VERSIONS_KEPT + 3 {
            catalog.put_document(&key("x"), "b", "ada", None, Timestamp(n)).await.unwrap();
        }
        assert_eq!(catalog.document_history(&key("x")).await.unwrap().len() as i64, DOCUMENT_VERSIONS_KEPT);
    }
}
