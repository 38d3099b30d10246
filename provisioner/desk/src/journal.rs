//! The journal in the desk's database, which also tells listeners what it writes.

use async_trait::async_trait;
use grid_act::journal::{Entry, Journal, JournalError, What, line, of_line};
use grid_model::TenantId;
use grid_plan::PlanId;

use crate::keep::Keep;
use crate::progress::Progress;

/// Of one run.
pub(crate) struct KeptJournal {
    pub(crate) keep: Keep,
    pub(crate) tenant: TenantId,
    pub(crate) release: String,
}

fn io(what: &'static str) -> impl FnOnce(sqlx::Error) -> JournalError {
    move |e| JournalError::Io { what, path: crate::keep::FILE_NAME.into(), source: std::io::Error::other(e) }
}

#[async_trait]
impl Journal for KeptJournal {
    async fn append(&self, entry: Entry) -> Result<(), JournalError> {
        let text = line(&entry)?;
        sqlx::query("INSERT INTO journal (tenant, plan, line) VALUES (?, ?, ?)")
            .bind(self.tenant.as_str())
            .bind(entry.plan.to_string())
            .bind(text)
            .execute(&self.keep.pool)
            .await
            .map_err(io("write journal"))?;
        let said = match &entry.what {
            What::Intent { .. } => format!("{} {}: begun", entry.action, entry.address),
            What::Done { .. } => format!("{} {}: done", entry.action, entry.address),
            What::Failed { why } => format!("{} {}: {why}", entry.action, entry.address),
        };
        self.keep.tell(Progress::new(&self.tenant, &self.release, "step", &said, entry.at));
        Ok(())
    }

    async fn entries(&self, plan: PlanId) -> Result<Vec<Entry>, JournalError> {
        let lines: Vec<String> =
            sqlx::query_scalar("SELECT line FROM journal WHERE tenant = ? AND plan = ? ORDER BY n")
                .bind(self.tenant.as_str())
                .bind(plan.to_string())
                .fetch_all(&self.keep.pool)
                .await
                .map_err(io("read journal"))?;
        let damaged = |n: usize, why| JournalError::Damaged { path: crate::keep::FILE_NAME.into(), line: n + 1, why };
        lines.iter().enumerate().map(|(n, text)| of_line(text).map_err(|why| damaged(n, why))).collect()
    }
}
