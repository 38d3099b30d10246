//! The database of the desk: `desk.db` in the data directory. Documents by tenant, kind, owner and name; the journal of calls; who did what; what the
//! dry-run driver has; answers to requests with an idempotency key.
//!
//! All that changes is a [`Batch`], made in one transaction or not at all; `synchronous=FULL`, so that what was committed survives a power cut.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use grid_model::{TenantId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row as _, SqliteConnection};
use tokio::sync::broadcast;

use crate::error::DeskError;
use crate::inventory::{Sighting, Survey};
use crate::limits::{ANSWERS_KEPT, AUDIT_KEPT, LISTENER_BEHIND_MAX};
use crate::progress::Progress;
use crate::room::Room;

/// The database's file in a data directory.
pub const FILE_NAME: &str = "desk.db";

/// Steps from one version to the next; a step once released never changes.
const MIGRATIONS: &[&str] = &[
    "CREATE TABLE documents (
        tenant TEXT NOT NULL,
        kind TEXT NOT NULL,
        owner TEXT NOT NULL,
        name TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, kind, owner, name)
    ) WITHOUT ROWID;
    CREATE TABLE journal (
        n INTEGER PRIMARY KEY,
        tenant TEXT NOT NULL,
        plan TEXT NOT NULL,
        line TEXT NOT NULL
    );
    CREATE INDEX journal_of_plan ON journal (tenant, plan);
    CREATE TABLE audit (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        subject TEXT NOT NULL,
        allowed_by TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    CREATE INDEX audit_of_tenant ON audit (tenant, n);
    CREATE TABLE driven (
        tenant TEXT NOT NULL,
        environment TEXT NOT NULL,
        id TEXT NOT NULL,
        address TEXT NOT NULL,
        token TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, environment, id)
    ) WITHOUT ROWID;
    CREATE TABLE answers (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL,
        key TEXT NOT NULL,
        digest TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (tenant, key)
    );",
    "CREATE TABLE inventory (
        tenant TEXT NOT NULL,
        driver TEXT NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        at INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, driver, kind, id)
    ) WITHOUT ROWID;",
];

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Environment,
    State,
    Queue,
    Plan,
    Release,
    Action,
    Policy,
    Held,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::State => "state",
            Self::Queue => "queue",
            Self::Plan => "plan",
            Self::Release => "release",
            Self::Action => "action",
            Self::Policy => "policy",
            Self::Held => "held",
        }
    }
}

/// One record of who did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Its number.
    pub n: i64,
    /// When, RFC 3339.
    pub at: String,
    /// Who: a person, a token, a policy, Grid itself.
    pub who: String,
    /// What: `release.submit`, `environment.override`, ...
    pub what: String,
    /// To what.
    pub subject: String,
    /// By whom, or by which rule, that was allowed.
    pub allowed_by: String,
    /// More, in words.
    pub detail: String,
}

/// A record to be written, or read.
#[derive(Debug, Clone)]
pub(crate) struct Deed<W = &'static str> {
    pub(crate) at: Timestamp,
    pub(crate) who: String,
    pub(crate) what: W,
    pub(crate) subject: String,
    pub(crate) allowed_by: String,
    pub(crate) detail: String,
}

enum Change {
    Put(Kind, String, String, String),
    Delete(Kind, String, String),
    Deed(Deed),
    /// What a driver has found before is gone, but for kinds that could not be listed.
    Unsee {
        driver: String,
        kept: String,
    },
    /// A driver has found something.
    See {
        driver: String,
        of: Sighting,
        body: String,
    },
}

/// Changes that are made together.
pub(crate) struct Batch {
    tenant: TenantId,
    changes: Vec<Change>,
    untold: Vec<Progress>,
}

impl Batch {
    pub(crate) fn of(tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), changes: Vec::new(), untold: Vec::new() }
    }

    pub(crate) fn put(&mut self, kind: Kind, owner: &str, name: &str, body: &impl Serialize) -> Result<(), DeskError> {
        let text =
            serde_json::to_string(body).map_err(|e| DeskError::Damaged(format!("{} {name}: {e}", kind.word())))?;
        self.put_text(kind, owner, name, text);
        Ok(())
    }

    pub(crate) fn put_text(&mut self, kind: Kind, owner: &str, name: &str, text: String) {
        self.changes.push(Change::Put(kind, owner.to_owned(), name.to_owned(), text));
    }

    pub(crate) fn delete(&mut self, kind: Kind, owner: &str, name: &str) {
        self.changes.push(Change::Delete(kind, owner.to_owned(), name.to_owned()));
    }

    /// What a driver has found takes the place of what it found before.
    pub(crate) fn inventory(&mut self, driver: &str, survey: Survey) -> Result<(), DeskError> {
        let damaged = |e: serde_json::Error| DeskError::Damaged(format!("the inventory of {driver}: {e}"));
        let kept: Vec<&str> = survey.failed.iter().map(|f| f.what.as_str()).collect();
        let kept = serde_json::to_string(&kept).map_err(damaged)?;
        self.changes.push(Change::Unsee { driver: driver.to_owned(), kept });
        for of in survey.rows {
            let body = serde_json::to_string(&of).map_err(damaged)?;
            self.changes.push(Change::See { driver: driver.to_owned(), of, body });
        }
        Ok(())
    }

    pub(crate) fn deed(&mut self, deed: Deed) {
        self.changes.push(Change::Deed(deed));
    }

    /// What is told once the changes are durable.
    pub(crate) fn tell(&mut self, untold: Vec<Progress>) {
        self.untold.extend(untold);
    }
}

/// The database.
#[derive(Debug, Clone)]
pub(crate) struct Keep {
    pub(crate) pool: SqlitePool,
    told: broadcast::Sender<Progress>,
}

impl Keep {
    pub(crate) async fn open(path: &Path) -> Result<Self, DeskError> {
        let options = SqliteConnectOptions::from_str("sqlite:")
            .map_err(DeskError::database("open"))?
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        // One connection, as SQLite has one writer.
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        let pool = pool.map_err(DeskError::database("open"))?;
        let keep = Self { pool, told: broadcast::Sender::new(LISTENER_BEHIND_MAX) };
        keep.migrate().await?;
        Ok(keep)
    }

    async fn migrate(&self) -> Result<(), DeskError> {
        let version: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&self.pool)
            .await
            .map_err(DeskError::database("read the version of"))?;
        for (n, step) in MIGRATIONS.iter().enumerate().skip(usize::try_from(version).unwrap_or(usize::MAX)) {
            let sql = format!("BEGIN; {step}; PRAGMA user_version = {}; COMMIT;", n + 1);
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&self.pool)
                .await
                .map_err(DeskError::database("bring up to date"))?;
        }
        Ok(())
    }

    /// What happens from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Progress> {
        self.told.subscribe()
    }

    /// Tells what has become durable. Nobody listening is no error.
    pub(crate) fn tell(&self, progress: Progress) {
        let _ = self.told.send(progress);
    }

    /// Makes all changes durable, and then tells what happened: whoever hears of it reads it too. On a task of its own: nobody may leave a transaction half way.
    pub(crate) async fn write(&self, batch: Batch) -> Result<(), DeskError> {
        if batch.changes.is_empty() {
            return Ok(());
        }
        let keep = self.clone();
        let task = tokio::spawn(async move {
            let mut connection = keep.pool.acquire().await.map_err(DeskError::database("write"))?;
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await.map_err(DeskError::database("write"))?;
            let mut done = Ok(());
            for change in batch.changes {
                done = make(&mut connection, batch.tenant.as_str(), change).await;
                if done.is_err() {
                    break;
                }
            }
            let done = match done {
                Ok(()) => sqlx::raw_sql("COMMIT").execute(&mut *connection).await.map(drop),
                Err(e) => Err(e),
            };
            if done.is_err() {
                // SQLite may have rolled back by itself; then this fails, which is no news.
                let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
            }
            done.map_err(DeskError::database("write"))?;
            batch.untold.into_iter().for_each(|progress| keep.tell(progress));
            Ok(())
        });
        task.await.map_err(|_| DeskError::Closed)?
    }

    pub(crate) async fn text(
        &self,
        tenant: &TenantId,
        kind: Kind,
        owner: &str,
        name: &str,
    ) -> Result<Option<String>, DeskError> {
        sqlx::query_scalar("SELECT body FROM documents WHERE tenant = ? AND kind = ? AND owner = ? AND name = ?")
            .bind(tenant.as_str())
            .bind(kind.word())
            .bind(owner)
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(DeskError::database("read"))
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        tenant: &TenantId,
        kind: Kind,
        owner: &str,
        name: &str,
    ) -> Result<Option<T>, DeskError> {
        let text = self.text(tenant, kind, owner, name).await?;
        text.map(|text| read(kind, name, &text)).transpose()
    }

    /// All of a kind and owner, by name.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        tenant: &TenantId,
        kind: Kind,
        owner: &str,
    ) -> Result<Vec<(String, T)>, DeskError> {
        let rows =
            sqlx::query("SELECT name, body FROM documents WHERE tenant = ? AND kind = ? AND owner = ? ORDER BY name")
                .bind(tenant.as_str())
                .bind(kind.word())
                .bind(owner)
                .fetch_all(&self.pool)
                .await
                .map_err(DeskError::database("read"))?;
        rows.into_iter()
            .map(|row| {
                let name: String = row.get(0);
                let body: String = row.get(1);
                let value = read(kind, &name, &body)?;
                Ok((name, value))
            })
            .collect()
    }

    /// The names of all of a kind and owner.
    pub(crate) async fn names(&self, tenant: &TenantId, kind: Kind, owner: &str) -> Result<Vec<String>, DeskError> {
        sqlx::query_scalar("SELECT name FROM documents WHERE tenant = ? AND kind = ? AND owner = ? ORDER BY name")
            .bind(tenant.as_str())
            .bind(kind.word())
            .bind(owner)
            .fetch_all(&self.pool)
            .await
            .map_err(DeskError::database("read"))
    }

    /// The owner of the document of a kind whose name begins so; `None` if there is none, an error if there are several.
    pub(crate) async fn owner_of(
        &self,
        tenant: &TenantId,
        kind: Kind,
        start: &str,
    ) -> Result<Option<(String, String)>, DeskError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT owner, name FROM documents WHERE tenant = ? AND kind = ? AND substr(name, 1, ?) = ? LIMIT 2",
        )
        .bind(tenant.as_str())
        .bind(kind.word())
        .bind(start.chars().count() as i64)
        .bind(start)
        .fetch_all(&self.pool)
        .await
        .map_err(DeskError::database("read"))?;
        match rows.len() {
            2.. => Err(DeskError::Conflict(format!("several begin with {start:?}: say more of it"))),
            _ => Ok(rows.into_iter().next()),
        }
    }

    /// Tenants that have environments.
    pub(crate) async fn tenants(&self) -> Result<Vec<TenantId>, DeskError> {
        let names: Vec<String> = sqlx::query_scalar("SELECT DISTINCT tenant FROM documents WHERE kind = 'environment'")
            .fetch_all(&self.pool)
            .await
            .map_err(DeskError::database("read"))?;
        Ok(names.iter().filter_map(|n| TenantId::parse(n).ok()).collect())
    }

    /// Records of who did what with their numbers, the newest first, older than a number.
    pub(crate) async fn deeds(
        &self,
        tenant: &TenantId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, Deed<String>)>, DeskError> {
        let rows = sqlx::query(
            "SELECT n, at, who, what, subject, allowed_by, detail FROM audit WHERE tenant = ? AND n < ? ORDER BY n DESC LIMIT ?",
        )
        .bind(tenant.as_str())
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit as i64)
        .fetch_all(&self.pool)
        .await
        .map_err(DeskError::database("read"))?;
        let deed = |row: &sqlx::sqlite::SqliteRow| Deed {
            at: Timestamp(row.get(1)),
            who: row.get(2),
            what: row.get(3),
            subject: row.get(4),
            allowed_by: row.get(5),
            detail: row.get(6),
        };
        Ok(rows.iter().map(|row| (row.get(0), deed(row))).collect())
    }

    /// The same, as it is shown.
    pub(crate) async fn audit(
        &self,
        tenant: &TenantId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Audit>, DeskError> {
        let shown = |(n, deed): (i64, Deed<String>)| Audit {
            n,
            at: crate::show::time(deed.at),
            who: deed.who,
            what: deed.what,
            subject: deed.subject,
            allowed_by: deed.allowed_by,
            detail: deed.detail,
        };
        Ok(self.deeds(tenant, before, limit).await?.into_iter().map(shown).collect())
    }

    /// An environment with its state and its queue.
    pub(crate) async fn room(&self, tenant: &TenantId, name: &str) -> Result<Room, DeskError> {
        let room: Option<Room> = self.get(tenant, Kind::Environment, "", name).await?;
        let mut room = room.ok_or_else(|| DeskError::none("environment", name))?;
        room.state = self.get(tenant, Kind::State, "", name).await?.unwrap_or_default();
        if room.state.environment.is_empty() {
            name.clone_into(&mut room.state.environment);
        }
        room.queue = self.get(tenant, Kind::Queue, "", name).await?.unwrap_or_default();
        Ok(room)
    }

    /// What was answered to a key, with the digest of what was asked.
    pub(crate) async fn answer(&self, tenant: &TenantId, key: &str) -> Result<Option<(String, String)>, DeskError> {
        sqlx::query_as("SELECT digest, body FROM answers WHERE tenant = ? AND key = ?")
            .bind(tenant.as_str())
            .bind(key)
            .fetch_optional(&self.pool)
            .await
            .map_err(DeskError::database("read"))
    }

    pub(crate) async fn put_answer(
        &self,
        tenant: &TenantId,
        key: &str,
        digest: &str,
        body: &str,
    ) -> Result<(), DeskError> {
        sqlx::query("INSERT OR IGNORE INTO answers (tenant, key, digest, body) VALUES (?, ?, ?, ?)")
            .bind(tenant.as_str())
            .bind(key)
            .bind(digest)
            .bind(body)
            .execute(&self.pool)
            .await
            .map_err(DeskError::database("write"))?;
        sqlx::query(
            "DELETE FROM answers WHERE tenant = ?1 AND n <= (SELECT max(n) FROM answers WHERE tenant = ?1) - ?2",
        )
        .bind(tenant.as_str())
        .bind(ANSWERS_KEPT)
        .execute(&self.pool)
        .await
        .map_err(DeskError::database("write"))?;
        Ok(())
    }

    /// Writes a consistent copy to a new file.
    pub(crate) async fn copy_to(&self, path: &Path) -> Result<(), DeskError> {
        let text = path.to_string_lossy().into_owned();
        let done = sqlx::query("VACUUM INTO ?").bind(text).execute(&self.pool).await;
        done.map(drop).map_err(DeskError::database("copy"))
    }
}

fn read<T: DeserializeOwned>(kind: Kind, name: &str, text: &str) -> Result<T, DeskError> {
    serde_json::from_str(text).map_err(|e| DeskError::Damaged(format!("{} {name}: {e}", kind.word())))
}

async fn make(connection: &mut SqliteConnection, tenant: &str, change: Change) -> Result<(), sqlx::Error> {
    match change {
        Change::Put(kind, owner, name, body) => {
            sqlx::query("INSERT OR REPLACE INTO documents (tenant, kind, owner, name, body) VALUES (?, ?, ?, ?, ?)")
                .bind(tenant)
                .bind(kind.word())
                .bind(owner)
                .bind(name)
                .bind(body)
                .execute(connection)
                .await?;
        }
        Change::Delete(kind, owner, name) => {
            sqlx::query("DELETE FROM documents WHERE tenant = ? AND kind = ? AND owner = ? AND name = ?")
                .bind(tenant)
                .bind(kind.word())
                .bind(owner)
                .bind(name)
                .execute(connection)
                .await?;
        }
        Change::Unsee { driver, kept } => {
            // Kinds with a colon are found by their tags alone.
            sqlx::query(
                "DELETE FROM inventory WHERE tenant = ?1 AND driver = ?2
                 AND kind NOT IN (SELECT value FROM json_each(?3))
                 AND NOT (instr(kind, ':') > 0 AND EXISTS (SELECT 1 FROM json_each(?3) WHERE value = 'tags'))",
            )
            .bind(tenant)
            .bind(driver)
            .bind(kept)
            .execute(connection)
            .await?;
        }
        Change::See { driver, of, body } => {
            sqlx::query(
                "INSERT OR REPLACE INTO inventory (tenant, driver, kind, id, at, body) VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(tenant)
            .bind(driver)
            .bind(of.kind)
            .bind(of.id)
            .bind(of.at)
            .bind(body)
            .execute(connection)
            .await?;
        }
        Change::Deed(deed) => {
            sqlx::query(
                "INSERT INTO audit (tenant, at, who, what, subject, allowed_by, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(tenant)
            .bind(deed.at.0)
            .bind(deed.who)
            .bind(deed.what)
            .bind(deed.subject)
            .bind(deed.allowed_by)
            .bind(deed.detail)
            .execute(&mut *connection)
            .await?;
            sqlx::query(
                "DELETE FROM audit WHERE tenant = ?1 AND n <= (SELECT max(n) FROM audit WHERE tenant = ?1) - ?2",
            )
            .bind(tenant)
            .bind(AUDIT_KEPT)
            .execute(connection)
            .await?;
        }
    }
    Ok(())
}
