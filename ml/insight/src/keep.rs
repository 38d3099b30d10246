//! Rows and states of jobs in the store. A job's rows are one part of their table, replaced as a whole; its state is a versioned document.

use grid_analytics::{Engine, QueryError, SqlRequest};
use grid_findings::decision::{DECISION_KIND, Decision, Decisions, FEEDBACK_KIND, Said};
use grid_model::table::{anomalies, forecasts, patterns, recommendations};
use grid_model::{Table, TenantId, Timestamp};
use grid_store::{DocumentKey, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::jobs::JobError;
use crate::read::{self, literal};

/// Kind of the documents that hold the states of jobs; the name is the job's. The table `grid.jobs` shows them.
pub const JOB_KIND: &str = "job";

/// What is known of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobState {
    /// The end of the data that it has looked at, in nanoseconds: it goes on from here.
    pub watermark: Option<i64>,
    /// When the last run began, in nanoseconds.
    pub started: i64,
    /// How long it took.
    pub elapsed_ms: u64,
    /// Runs so far.
    pub runs: u64,
    /// Runs that were missed while nobody ran them; their time was part of the next window.
    pub missed: u64,
    /// Rows that the job has now.
    pub rows: u64,
    /// The generation that the last run read.
    pub generation: u64,
    /// Failures in a row.
    pub failures: u64,
    /// Why the last run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn job_key(tenant: &TenantId, job: &str) -> DocumentKey {
    DocumentKey { tenant: tenant.clone(), kind: JOB_KIND, name: job.to_owned() }
}

/// The state of a job; a new one if it never ran, or if its document does not read.
pub async fn job_state(store: &Store, tenant: &TenantId, job: &str) -> Result<JobState, StoreError> {
    let document = store.catalog().document(&job_key(tenant, job)).await?;
    Ok(document.and_then(|d| serde_json::from_str(&d.body).ok()).unwrap_or_default())
}

/// Keeps the state of a job.
pub async fn put_job_state(store: &Store, tenant: &TenantId, job: &str, state: &JobState) -> Result<(), JobError> {
    let body = serde_json::to_string(state).map_err(|e| JobError::Document(e.to_string()))?;
    store.catalog().put_document(&job_key(tenant, job), &body, "grid", None, store.now()).await?;
    Ok(())
}

/// What people decided.
pub async fn decisions(store: &Store, tenant: &TenantId) -> Result<Decisions, StoreError> {
    let all = store.catalog().documents(tenant, DECISION_KIND).await?;
    let read = |body: &str| serde_json::from_str::<Decision>(body).ok();
    Ok(all.into_iter().filter_map(|d| Some((d.name, read(&d.body)?))).collect())
}

/// What people said, in order of time.
pub async fn feedback(store: &Store, tenant: &TenantId) -> Result<Vec<(String, Said)>, StoreError> {
    let all = store.catalog().documents(tenant, FEEDBACK_KIND).await?;
    let mut said: Vec<(String, Said)> =
        all.into_iter().filter_map(|d| Some((d.name, serde_json::from_str(&d.body).ok()?))).collect();
    said.sort_by(|a, b| (a.1.at, &a.0).cmp(&(b.1.at, &b.0)));
    Ok(said)
}

/// Rows of a table of findings.
pub trait Kept: Clone + PartialEq + Sized {
    /// The table.
    const TABLE: Table;
    /// As a batch.
    fn batch(rows: &[Self]) -> arrow::array::RecordBatch;
    /// From a batch.
    fn read(batch: &arrow::array::RecordBatch) -> Option<Vec<Self>>;
    /// What a run that found nothing new may leave as it was.
    fn settle(&mut self, before: &Self);
    /// The id.
    fn id(&self) -> &str;
}

macro_rules! kept {
    ($row:ty, $table:expr, $module:ident, $id:ident) => {
        impl Kept for $row {
            const TABLE: Table = $table;
            fn batch(rows: &[Self]) -> arrow::array::RecordBatch {
                $module::batch(rows)
            }
            fn read(batch: &arrow::array::RecordBatch) -> Option<Vec<Self>> {
                $module::read(batch)
            }
            fn settle(&mut self, before: &Self) {
                let same = Self { generation: before.generation, made_time: before.made_time, ..self.clone() };
                if same == *before {
                    *self = same;
                }
            }
            fn id(&self) -> &str {
                &self.$id
            }
        }
    };
}
kept!(anomalies::AnomalyRow, Table::Anomalies, anomalies, anomaly_id);
kept!(forecasts::ForecastRow, Table::Forecasts, forecasts, forecast_id);
kept!(patterns::PatternRow, Table::Patterns, patterns, pattern_id);
kept!(recommendations::RecommendationRow, Table::Recommendations, recommendations, recommendation_id);

/// The rows that a job has now.
pub async fn rows_of<R: Kept>(engine: &Engine, tenant: &TenantId, job: &str) -> Result<Vec<R>, QueryError> {
    let sql = format!("SELECT * FROM {} WHERE job = {}", R::TABLE.name(), literal(job));
    let request = SqlRequest { client: Some(read::CLIENT.to_owned()), ..SqlRequest::new(tenant.clone(), sql) };
    let mut rows = Vec::new();
    for batch in engine.sql(request).await?.collect().await? {
        let read = R::read(&batch);
        rows.extend(read.ok_or_else(|| QueryError::Internal(format!("{} lacks a column", R::TABLE.name())))?);
    }
    Ok(rows)
}

/// Puts a job's rows in the place of those that it had, unless they are the same; answers whether anything changed. What says the same as before
/// keeps the time at which it was said.
pub async fn replace<R: Kept>(
    store: &Store,
    tenant: &TenantId,
    job: &str,
    before: &[R],
    mut rows: Vec<R>,
) -> Result<bool, StoreError> {
    for row in &mut rows {
        if let Some(old) = before.iter().find(|old| old.id() == row.id()) {
            row.settle(old);
        }
    }
    if rows.len() == before.len() && rows.iter().all(|row| before.contains(row)) {
        return Ok(false);
    }
    let mut session = store.begin_part(tenant, R::TABLE, job);
    if !rows.is_empty() {
        session.write(R::batch(&rows)).await?;
    }
    session.commit().await?;
    Ok(true)
}

/// A time as people read it: minutes.
pub(crate) fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {}", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}
