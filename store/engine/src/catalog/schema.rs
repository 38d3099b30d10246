//! The catalog's schema and its upgrades. A migration is never edited once released; a new one is appended.

use sqlx::sqlite::SqlitePool;

use crate::error::StoreError;

/// Each entry brings the schema from version `index` to `index + 1`.
const MIGRATIONS: &[&str] = &[
    // 1: files, state, retention, tokens.
    "CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        generation INTEGER NOT NULL,
        flushed_segment INTEGER
    );
    INSERT INTO state (id, generation, flushed_segment) VALUES (1, 0, NULL);
    CREATE TABLE files (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL,
        table_name TEXT NOT NULL,
        path TEXT NOT NULL UNIQUE,
        bytes INTEGER NOT NULL,
        row_count INTEGER NOT NULL,
        min_time INTEGER NOT NULL,
        max_time INTEGER NOT NULL,
        min_seq INTEGER NOT NULL,
        max_seq INTEGER NOT NULL,
        level INTEGER NOT NULL,
        text_index TEXT,
        import_id TEXT,
        generation INTEGER NOT NULL
    );
    CREATE TABLE retention (
        tenant TEXT NOT NULL,
        table_name TEXT NOT NULL,
        keep_ns INTEGER NOT NULL,
        PRIMARY KEY (tenant, table_name)
    );
    CREATE TABLE tokens (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        hash TEXT NOT NULL UNIQUE,
        tenants TEXT NOT NULL,
        scopes TEXT NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER,
        last_used INTEGER,
        revoked INTEGER
    );",
    // 2: bill imports.
    "CREATE TABLE imports (
        id TEXT NOT NULL,
        tenant TEXT NOT NULL,
        dataset TEXT NOT NULL,
        source TEXT NOT NULL,
        state TEXT NOT NULL,
        started INTEGER NOT NULL,
        replaces INTEGER NOT NULL,
        manifest_version TEXT,
        row_count INTEGER NOT NULL,
        reject_count INTEGER NOT NULL,
        totals TEXT NOT NULL,
        PRIMARY KEY (tenant, id)
    );
    CREATE TABLE import_files (
        tenant TEXT NOT NULL,
        import_id TEXT NOT NULL,
        dataset TEXT NOT NULL,
        name TEXT NOT NULL,
        sha256 TEXT NOT NULL
    );
    CREATE INDEX import_files_hash ON import_files (tenant, dataset, sha256);
    CREATE TABLE import_periods (
        tenant TEXT NOT NULL,
        import_id TEXT NOT NULL,
        dataset TEXT NOT NULL,
        account TEXT NOT NULL,
        period_start INTEGER NOT NULL,
        superseded_by TEXT,
        PRIMARY KEY (tenant, import_id, account, period_start)
    );
    CREATE TABLE import_rejects (
        tenant TEXT NOT NULL,
        import_id TEXT NOT NULL,
        file TEXT NOT NULL,
        position INTEGER NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE INDEX import_rejects_import ON import_rejects (tenant, import_id);",
    // 3: what a reject was, and what an import took although it does not conform.
    "ALTER TABLE imports ADD COLUMN manifest_made INTEGER;
    ALTER TABLE imports ADD COLUMN rows_source INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE imports ADD COLUMN notes TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE import_rejects ADD COLUMN line INTEGER;
    ALTER TABLE import_rejects ADD COLUMN cost TEXT;
    ALTER TABLE import_rejects ADD COLUMN currency TEXT;
    ALTER TABLE import_rejects ADD COLUMN raw TEXT;",
    // 4: documents that people write, every version of them; a version without a body deletes.
    "CREATE TABLE documents (
        tenant TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        body TEXT,
        author TEXT NOT NULL,
        created INTEGER NOT NULL,
        PRIMARY KEY (tenant, kind, name, version)
    );",
    // 5: what the rules of FOCUS said of each import.
    "CREATE TABLE import_conformance (
        tenant TEXT NOT NULL,
        import_id TEXT NOT NULL,
        version TEXT NOT NULL,
        row_count INTEGER NOT NULL,
        rules TEXT NOT NULL,
        PRIMARY KEY (tenant, import_id)
    );",
];

/// Applies what is missing, each step in its own transaction.
pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), StoreError> {
    let (version,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(pool).await?;
    let done = usize::try_from(version).unwrap_or(0);
    if done > MIGRATIONS.len() {
        let known = MIGRATIONS.len();
        return Err(StoreError::Corrupt(format!(
            "the catalog has schema {done}, this binary knows {known}: use a newer grid"
        )));
    }
    for (i, step) in MIGRATIONS.iter().enumerate().skip(done) {
        let mut tx = pool.begin().await?;
        sqlx::raw_sql(*step).execute(&mut *tx).await?;
        // PRAGMA takes no parameters; the number is ours.
        let set_version = format!("PRAGMA user_version = {}", i + 1);
        sqlx::raw_sql(sqlx::AssertSqlSafe(set_version)).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(())
}
