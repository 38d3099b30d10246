//! Bill imports in the catalog: what each brought, what it rejected, and which of its periods a later one replaced.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use grid_model::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Catalog;
use crate::error::StoreError;

/// One import as the catalog keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRecord {
    /// Its id: the same for the same tenant, dataset and files.
    pub id: String,
    /// The format of the source: `focus`, `aws-cur`, `azure`, `gcp`, or the name of a declared mapping.
    pub source: String,
    /// The export's name within its source.
    pub dataset: String,
    /// When the import began.
    pub started: Timestamp,
    /// Whether it replaced earlier rows of its accounts and periods.
    pub replaces: bool,
    /// The version of the manifest that listed its files.
    pub manifest_version: Option<String>,
    /// When that version was made.
    pub manifest_made: Option<Timestamp>,
    /// Rows of the source.
    pub rows_source: u64,
    /// Rows stored.
    pub rows: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// The reconciliation, one entry per currency.
    pub totals: Vec<ImportTotal>,
    /// What does not conform but was taken.
    pub notes: Vec<ImportNote>,
    /// Its files.
    pub files: Vec<ImportFile>,
    /// The accounts and periods it has rows in.
    pub periods: Vec<ImportPeriod>,
}

impl ImportRecord {
    /// Whether later imports have replaced all of its rows.
    pub fn is_superseded(&self) -> bool {
        !self.periods.is_empty() && self.periods.iter().all(|p| p.superseded_by.is_some())
    }
}

/// The reconciliation of one currency's billed cost: source = stored + residual + rejected + left out. Exact decimals as text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportTotal {
    /// The currency; empty for rows that name none.
    pub currency: String,
    /// Sum over the rows of the source whose cost is readable.
    pub source: String,
    /// Sum over the rows stored.
    pub stored: String,
    /// What rounding to 18 decimals took from the rows stored.
    pub residual: String,
    /// Sum over the rows rejected whose cost is readable.
    pub rejected: String,
    /// Rows stored.
    pub rows_stored: u64,
    /// Rows rejected.
    pub rows_rejected: u64,
    /// Rows rejected whose cost is unreadable, so that they are in no sum.
    pub rows_unreadable: u64,
    /// Sum over the rows that a rule leaves out; nothing in imports of earlier versions.
    #[serde(default = "zero")]
    pub left_out: String,
    /// Rows left out.
    #[serde(default)]
    pub rows_left_out: u64,
    /// What rounding to 18 decimals took from the other costs of the rows stored: column and amount.
    #[serde(default)]
    pub rounding: Vec<(String, String)>,
}

fn zero() -> String {
    "0".to_owned()
}

/// Something that does not conform but cost no row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportNote {
    /// What.
    pub what: String,
    /// How many cells or rows.
    pub count: u64,
    /// The file of the first.
    pub file: String,
    /// The row of the first, counted from 1 after the header; 0 is the header.
    pub first_row: u64,
}

/// A file of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportFile {
    /// Its name.
    pub name: String,
    /// Lower-case hex of the SHA-256 of its bytes.
    pub sha256: String,
}

/// A billing account and period in which an import has rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImportPeriod {
    /// The billing account.
    pub account: String,
    /// Start of the billing period.
    pub start: Timestamp,
    /// The import that replaced these rows: they are hidden.
    pub superseded_by: Option<String>,
}

/// One rejected row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReject {
    /// The file.
    pub file: String,
    /// The row, counted from 1 after the header.
    pub row: u64,
    /// The line of a CSV file on which the row begins.
    pub line: Option<u64>,
    /// Why.
    pub reason: String,
    /// The billed cost as the source wrote it, if it is a number.
    pub cost: Option<String>,
    /// The currency, if the row names one.
    pub currency: Option<String>,
    /// The row's own text, cut if it is long.
    pub raw: String,
}

/// Charges of one tenant that a later import replaced: kept, but hidden from every reader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HiddenCharges {
    /// By import: the account and start of each period that is hidden, and the import that hides it.
    imports: BTreeMap<String, BTreeMap<(String, i64), String>>,
    /// Imports of which every row is hidden, because the reader asks for a time before them.
    later: BTreeSet<String>,
}

impl HiddenCharges {
    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.imports.is_empty() && self.later.is_empty()
    }

    /// Whether any row of an import is hidden.
    pub fn touches(&self, import_id: &str) -> bool {
        self.imports.contains_key(import_id) || self.hides_all_of(import_id)
    }

    /// Whether every row of an import is hidden, because it is younger than what the reader asks for.
    pub fn hides_all_of(&self, import_id: &str) -> bool {
        self.later.contains(import_id)
    }

    /// Whether a row is hidden, by its import, billing account and start of the billing period.
    pub fn contains(&self, import_id: &str, account: &str, period_start: Timestamp) -> bool {
        if self.hides_all_of(import_id) {
            return true;
        }
        let Some(periods) = self.imports.get(import_id) else { return false };
        periods.keys().any(|(a, start)| *start == period_start.0 && a == account)
    }

    /// What is hidden by a later import: import, billing account, start of the billing period.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, Timestamp)> {
        self.imports
            .iter()
            .flat_map(|(i, periods)| periods.keys().map(|(a, t)| (i.as_str(), a.as_str(), Timestamp(*t))))
    }

    /// The imports that are hidden altogether.
    pub fn later(&self) -> impl Iterator<Item = &str> {
        self.later.iter().map(String::as_str)
    }

    pub(crate) fn insert(&mut self, import_id: String, account: String, period_start: Timestamp, by: String) {
        self.imports.entry(import_id).or_default().insert((account, period_start.0), by);
    }

    /// What was hidden when the imports of `later` were not there yet.
    fn without(&self, later: BTreeSet<String>) -> Self {
        let earlier = |periods: &BTreeMap<(String, i64), String>| -> BTreeMap<(String, i64), String> {
            periods.iter().filter(|(_, by)| !later.contains(*by)).map(|(p, by)| (p.clone(), by.clone())).collect()
        };
        let imports = self.imports.iter().map(|(id, periods)| (id.clone(), earlier(periods)));
        Self { imports: imports.filter(|(_, periods)| !periods.is_empty()).collect(), later }
    }
}

/// The state of the charges that a reader asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsOf {
    /// Just after an import.
    Import(String),
    /// At a time.
    Time(Timestamp),
}

/// There is no such import.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no import {0}")]
pub struct NoSuchImport(pub String);

/// The imports of one tenant in their order, by which a reader goes back in time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Id and time of each, oldest first.
    imports: Vec<(String, Timestamp)>,
}

impl Timeline {
    pub(crate) fn push(&mut self, import_id: String, at: Timestamp) {
        self.imports.push((import_id, at));
    }

    /// What a reader who goes back must not see: of what is hidden now, what was hidden then, and all that came later.
    pub(crate) fn hidden_as_of(&self, hidden: &HiddenCharges, as_of: &AsOf) -> Result<HiddenCharges, NoSuchImport> {
        let later: BTreeSet<String> = match as_of {
            AsOf::Time(time) => self.imports.iter().filter(|(_, at)| at > time).map(|(id, _)| id.clone()).collect(),
            AsOf::Import(wanted) => {
                let at = self.imports.iter().position(|(id, _)| id == wanted);
                let at = at.ok_or_else(|| NoSuchImport(wanted.clone()))?;
                self.imports[at + 1..].iter().map(|(id, _)| id.clone()).collect()
            }
        };
        Ok(hidden.without(later))
    }
}

impl Catalog {
    /// The imports of a tenant, oldest first.
    pub async fn imports(&self, tenant: &TenantId) -> Result<Vec<ImportRecord>, StoreError> {
        let (this, tenant) = (self.clone(), tenant.clone());
        let task = tokio::spawn(async move {
            let mut tx = this.begin().await?;
            let done = imports_in(&mut tx, &tenant).await;
            tx.end(done).await
        });
        task.await.map_err(|_| StoreError::Closed)?
    }

    /// One import.
    pub async fn import(&self, tenant: &TenantId, id: &str) -> Result<Option<ImportRecord>, StoreError> {
        Ok(self.imports(tenant).await?.into_iter().find(|r| r.id == id))
    }

    /// The listed rejects of an import, in the order of its files and rows. How many there were, listed or not, is
    /// [`ImportRecord::rejected`].
    pub async fn rejects(&self, tenant: &TenantId, id: &str) -> Result<Vec<ImportReject>, StoreError> {
        let query = "SELECT * FROM import_rejects WHERE tenant = ? AND import_id = ? ORDER BY rowid";
        let rows = sqlx::query(query).bind(tenant.as_str()).bind(id).fetch_all(self.pool()).await?;
        rows.iter().map(reject).collect()
    }

    /// What is hidden, per tenant.
    pub(crate) async fn hidden_charges(&self) -> Result<HashMap<TenantId, Arc<HiddenCharges>>, StoreError> {
        let query = "SELECT tenant, import_id, account, period_start, superseded_by FROM import_periods
            WHERE superseded_by IS NOT NULL";
        let rows: Vec<(String, String, String, i64, String)> = sqlx::query_as(query).fetch_all(self.pool()).await?;
        let mut hidden: HashMap<TenantId, HiddenCharges> = HashMap::new();
        for (tenant, import_id, account, start, by) in rows {
            let tenant = TenantId::parse(&tenant).map_err(|e| StoreError::Corrupt(e.to_string()))?;
            hidden.entry(tenant).or_default().insert(import_id, account, Timestamp(start), by);
        }
        Ok(hidden.into_iter().map(|(t, h)| (t, Arc::new(h))).collect())
    }

    /// The imports of every tenant in their order.
    pub(crate) async fn timelines(&self) -> Result<HashMap<TenantId, Arc<Timeline>>, StoreError> {
        let query = "SELECT tenant, id, started FROM imports ORDER BY rowid";
        let rows: Vec<(String, String, i64)> = sqlx::query_as(query).fetch_all(self.pool()).await?;
        let mut all: HashMap<TenantId, Timeline> = HashMap::new();
        for (tenant, id, started) in rows {
            let tenant = TenantId::parse(&tenant).map_err(|e| StoreError::Corrupt(e.to_string()))?;
            all.entry(tenant).or_default().push(id, Timestamp(started));
        }
        Ok(all.into_iter().map(|(t, line)| (t, Arc::new(line))).collect())
    }
}

/// The imports of a tenant, oldest first, as one transaction sees them.
async fn imports_in(
    connection: &mut sqlx::SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<ImportRecord>, StoreError> {
    let rows = sqlx::query("SELECT * FROM imports WHERE tenant = ? ORDER BY rowid").bind(tenant.as_str());
    let rows = rows.fetch_all(&mut *connection).await?;
    let mut imports = rows.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    let position: HashMap<String, usize> = imports.iter().enumerate().map(|(i, r)| (r.id.clone(), i)).collect();
    let files = sqlx::query("SELECT * FROM import_files WHERE tenant = ? ORDER BY rowid").bind(tenant.as_str());
    for row in files.fetch_all(&mut *connection).await? {
        if let Some(i) = position.get(&row.try_get::<String, _>("import_id")?) {
            imports[*i].files.push(ImportFile { name: row.try_get("name")?, sha256: row.try_get("sha256")? });
        }
    }
    let periods = sqlx::query("SELECT * FROM import_periods WHERE tenant = ? ORDER BY account, period_start")
        .bind(tenant.as_str());
    for row in periods.fetch_all(&mut *connection).await? {
        if let Some(i) = position.get(&row.try_get::<String, _>("import_id")?) {
            imports[*i].periods.push(ImportPeriod {
                account: row.try_get("account")?,
                start: Timestamp(row.try_get("period_start")?),
                superseded_by: row.try_get("superseded_by")?,
            });
        }
    }
    Ok(imports)
}

/// Enters an import with its rejects and hides what it replaces; answers the periods now hidden. Part of the transaction
/// that makes its files visible.
pub(crate) async fn enter(
    tx: &mut SqliteConnection,
    tenant: &TenantId,
    import: &ImportRecord,
    replaced: &BTreeSet<(String, Timestamp)>,
    rejects: &[ImportReject],
) -> Result<Vec<(String, String, Timestamp)>, StoreError> {
    let json = |e: serde_json::Error| StoreError::Corrupt(e.to_string());
    let insert = "INSERT INTO imports (id, tenant, dataset, source, state, started, replaces, manifest_version, row_count,
        reject_count, totals, manifest_made, rows_source, notes) VALUES (?, ?, ?, ?, 'done', ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(insert)
        .bind(&import.id)
        .bind(tenant.as_str())
        .bind(&import.dataset)
        .bind(&import.source)
        .bind(import.started.0)
        .bind(import.replaces)
        .bind(&import.manifest_version)
        .bind(import.rows as i64)
        .bind(import.rejected as i64)
        .bind(serde_json::to_string(&import.totals).map_err(json)?)
        .bind(import.manifest_made.map(|t| t.0))
        .bind(import.rows_source as i64)
        .bind(serde_json::to_string(&import.notes).map_err(json)?)
        .execute(&mut *tx)
        .await?;
    for file in &import.files {
        sqlx::query("INSERT INTO import_files (tenant, import_id, dataset, name, sha256) VALUES (?, ?, ?, ?, ?)")
            .bind(tenant.as_str())
            .bind(&import.id)
            .bind(&import.dataset)
            .bind(&file.name)
            .bind(&file.sha256)
            .execute(&mut *tx)
            .await?;
    }
    let mut hidden = Vec::new();
    if import.replaces {
        // Before its own periods are entered, so that it does not hide itself.
        let hide = "UPDATE import_periods SET superseded_by = ?1
            WHERE tenant = ?2 AND account = ?3 AND period_start = ?4 AND superseded_by IS NULL
              AND import_id IN (SELECT id FROM imports WHERE tenant = ?2 AND source = ?5 AND dataset = ?6)
            RETURNING import_id";
        for (account, start) in replaced {
            let ids: Vec<(String,)> = sqlx::query_as(hide)
                .bind(&import.id)
                .bind(tenant.as_str())
                .bind(account)
                .bind(start.0)
                .bind(&import.source)
                .bind(&import.dataset)
                .fetch_all(&mut *tx)
                .await?;
            hidden.extend(ids.into_iter().map(|(id,)| (id, account.clone(), *start)));
        }
    }
    for period in &import.periods {
        let insert =
            "INSERT INTO import_periods (tenant, import_id, dataset, account, period_start) VALUES (?, ?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(tenant.as_str())
            .bind(&import.id)
            .bind(&import.dataset)
            .bind(&period.account)
            .bind(period.start.0)
            .execute(&mut *tx)
            .await?;
    }
    for reject in rejects {
        let insert = "INSERT INTO import_rejects (tenant, import_id, file, position, reason, line, cost, currency, raw)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(tenant.as_str())
            .bind(&import.id)
            .bind(&reject.file)
            .bind(reject.row as i64)
            .bind(&reject.reason)
            .bind(reject.line.map(|n| n as i64))
            .bind(&reject.cost)
            .bind(&reject.currency)
            .bind(&reject.raw)
            .execute(&mut *tx)
            .await?;
    }
    Ok(hidden)
}

fn record(row: &SqliteRow) -> Result<ImportRecord, StoreError> {
    let number = |name: &str| row.try_get::<i64, _>(name);
    let totals: String = row.try_get("totals")?;
    let notes: String = row.try_get("notes")?;
    let json = |e: serde_json::Error| StoreError::Corrupt(e.to_string());
    Ok(ImportRecord {
        id: row.try_get("id")?,
        source: row.try_get("source")?,
        dataset: row.try_get("dataset")?,
        started: Timestamp(number("started")?),
        replaces: row.try_get("replaces")?,
        manifest_version: row.try_get("manifest_version")?,
        manifest_made: row.try_get::<Option<i64>, _>("manifest_made")?.map(Timestamp),
        rows_source: number("rows_source")?.unsigned_abs(),
        rows: number("row_count")?.unsigned_abs(),
        rejected: number("reject_count")?.unsigned_abs(),
        totals: serde_json::from_str(&totals).map_err(json)?,
        notes: serde_json::from_str(&notes).map_err(json)?,
        files: Vec::new(),
        periods: Vec::new(),
    })
}

fn reject(row: &SqliteRow) -> Result<ImportReject, StoreError> {
    Ok(ImportReject {
        file: row.try_get("file")?,
        row: row.try_get::<i64, _>("position")?.unsigned_abs(),
        line: row.try_get::<Option<i64>, _>("line")?.map(i64::unsigned_abs),
        reason: row.try_get("reason")?,
        cost: row.try_get("cost")?,
        currency: row.try_get("currency")?,
        raw: row.try_get::<Option<String>, _>("raw")?.unwrap_or_default(),
    })
}
