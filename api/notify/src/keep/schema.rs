//! The tables, and how older ones become these.

use sqlx::sqlite::SqlitePool;

use crate::error::NotifyError;

/// Steps from one version to the next; a step once released never changes.
const MIGRATIONS: &[&str] = &["CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        listened INTEGER NOT NULL
    );
    INSERT INTO state (id, listened) VALUES (1, 0);
    CREATE TABLE alerts (
        tenant TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        labels TEXT NOT NULL,
        annotations TEXT NOT NULL,
        generator_url TEXT NOT NULL,
        starts_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        timeout INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        settled INTEGER NOT NULL,
        PRIMARY KEY (tenant, fingerprint)
    ) WITHOUT ROWID;
    CREATE TABLE notification_log (
        tenant TEXT NOT NULL,
        route TEXT NOT NULL,
        labels TEXT NOT NULL,
        target TEXT NOT NULL,
        firing TEXT NOT NULL,
        resolved TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (tenant, route, labels, target)
    ) WITHOUT ROWID;
    CREATE TABLE silences (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        matchers TEXT NOT NULL,
        starts_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        comment TEXT NOT NULL,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (tenant, id)
    ) WITHOUT ROWID;
    CREATE TABLE webhooks (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, id)
    ) WITHOUT ROWID;
    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL,
        target TEXT NOT NULL,
        grp TEXT NOT NULL,
        message_id TEXT NOT NULL,
        message TEXT NOT NULL,
        created INTEGER NOT NULL,
        queued INTEGER NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        next_at INTEGER,
        ended INTEGER,
        status INTEGER,
        error TEXT
    );
    CREATE INDEX deliveries_waiting ON deliveries (state, id);
    CREATE INDEX deliveries_of_tenant ON deliveries (tenant, id);"];

/// Applies what is missing, each step in its own transaction.
pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), NotifyError> {
    let failed = || NotifyError::database("bring up to date");
    let (version,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(pool).await.map_err(failed())?;
    let done = usize::try_from(version).unwrap_or(0);
    if done > MIGRATIONS.len() {
        let known = MIGRATIONS.len();
        return Err(NotifyError::Corrupt(format!("it has schema {done}, this binary knows {known}: use a newer grid")));
    }
    for (i, step) in MIGRATIONS.iter().enumerate().skip(done) {
        let mut tx = pool.begin().await.map_err(failed())?;
        sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(failed())?;
        // PRAGMA takes no parameters; the number is ours.
        let set_version = format!("PRAGMA user_version = {}", i + 1);
        sqlx::raw_sql(sqlx::AssertSqlSafe(set_version)).execute(&mut *tx).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
    }
    Ok(())
}
