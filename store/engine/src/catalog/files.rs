//! Files in the catalog, and the commit that swaps them.

use grid_model::{Table, TenantId, Timestamp};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::Catalog;
use crate::error::StoreError;

/// One Parquet file as the catalog knows it. Never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Number in the catalog.
    pub id: i64,
    /// What it holds.
    pub file: NewFile,
    /// The generation that made it visible.
    pub generation: u64,
}

impl std::ops::Deref for FileEntry {
    type Target = NewFile;
    fn deref(&self) -> &NewFile {
        &self.file
    }
}

/// A written file, not yet in the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Whose rows.
    pub tenant: TenantId,
    /// Of which table.
    pub table: Table,
    /// Path under the store's root.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Earliest time.
    pub min_time: Timestamp,
    /// Latest time, inclusive.
    pub max_time: Timestamp,
    /// First WAL sequence whose rows it may hold.
    pub min_seq: u64,
    /// Last WAL sequence whose rows it may hold. Of two samples with the same series and time, the one in the file with
    /// the higher `max_seq` is the later write.
    pub max_seq: u64,
    /// 0 as flushed, 1 and more as compacted.
    pub level: u8,
    /// Path of the text index beside it, if one was built.
    pub text_index: Option<String>,
    /// The import that brought it (charges only).
    pub import_id: Option<String>,
}

/// One atomic change of the set of files.
#[derive(Debug, Default)]
pub struct Commit {
    /// Files that become visible.
    pub add: Vec<NewFile>,
    /// Files that disappear, by id.
    pub remove: Vec<i64>,
    /// WAL segments up to this number are superfluous from now on.
    pub flushed_segment: Option<u64>,
}

impl Catalog {
    /// Everything visible, ordered by `max_seq`, with the generation and the last flushed WAL segment.
    pub async fn load(&self) -> Result<(Vec<FileEntry>, u64, Option<u64>), StoreError> {
        let rows = sqlx::query("SELECT * FROM files ORDER BY max_seq, id").fetch_all(self.pool()).await?;
        let files = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let (generation, flushed): (i64, Option<i64>) =
            sqlx::query_as("SELECT generation, flushed_segment FROM state WHERE id = 1").fetch_one(self.pool()).await?;
        Ok((files, generation.unsigned_abs(), flushed.map(i64::unsigned_abs)))
    }

    /// Applies a commit; answers the new entries and the new generation.
    pub async fn commit(&self, commit: Commit) -> Result<(Vec<FileEntry>, u64), StoreError> {
        let mut tx = self.begin().await?;
        let done = commit_in(&mut tx, commit).await;
        tx.end(done).await
    }
}

/// Applies a commit within a transaction that also changes other facts.
pub(crate) async fn commit_in(
    tx: &mut sqlx::SqliteConnection,
    commit: Commit,
) -> Result<(Vec<FileEntry>, u64), StoreError> {
    let (generation,): (i64,) =
        sqlx::query_as("UPDATE state SET generation = generation + 1 WHERE id = 1 RETURNING generation")
            .fetch_one(&mut *tx)
            .await?;
    if let Some(segment) = commit.flushed_segment {
        sqlx::query("UPDATE state SET flushed_segment = ? WHERE id = 1").bind(segment as i64).execute(&mut *tx).await?;
    }
    for id in commit.remove {
        let done = sqlx::query("DELETE FROM files WHERE id = ?").bind(id).execute(&mut *tx).await?;
        if done.rows_affected() != 1 {
            return Err(StoreError::Corrupt(format!("file {id} is not in the catalog")));
        }
    }
    let mut entries = Vec::with_capacity(commit.add.len());
    for file in commit.add {
        let insert =
            "INSERT INTO files (tenant, table_name, path, bytes, row_count, min_time, max_time, min_seq, max_seq,
            level, text_index, import_id, generation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id";
        let (id,): (i64,) = sqlx::query_as(insert)
            .bind(file.tenant.as_str())
            .bind(file.table.name())
            .bind(&file.path)
            .bind(file.bytes as i64)
            .bind(file.rows as i64)
            .bind(file.min_time.0)
            .bind(file.max_time.0)
            .bind(file.min_seq as i64)
            .bind(file.max_seq as i64)
            .bind(i64::from(file.level))
            .bind(&file.text_index)
            .bind(&file.import_id)
            .bind(generation)
            .fetch_one(&mut *tx)
            .await?;
        entries.push(FileEntry { id, file, generation: generation.unsigned_abs() });
    }
    Ok((entries, generation.unsigned_abs()))
}

fn entry(row: &SqliteRow) -> Result<FileEntry, StoreError> {
    let number = |name: &str| row.try_get::<i64, _>(name);
    let tenant: String = row.try_get("tenant")?;
    let table: String = row.try_get("table_name")?;
    Ok(FileEntry {
        id: number("id")?,
        generation: number("generation")?.unsigned_abs(),
        file: NewFile {
            tenant: TenantId::parse(&tenant).map_err(|e| StoreError::Corrupt(e.to_string()))?,
            table: Table::parse(&table).ok_or_else(|| StoreError::Corrupt(format!("unknown table {table:?}")))?,
            path: row.try_get("path")?,
            bytes: number("bytes")?.unsigned_abs(),
            rows: number("row_count")?.unsigned_abs(),
            min_time: Timestamp(number("min_time")?),
            max_time: Timestamp(number("max_time")?),
            min_seq: number("min_seq")?.unsigned_abs(),
            max_seq: number("max_seq")?.unsigned_abs(),
            level: u8::try_from(number("level")?).unwrap_or(u8::MAX),
            text_index: row.try_get("text_index")?,
            import_id: row.try_get("import_id")?,
        },
    })
}
