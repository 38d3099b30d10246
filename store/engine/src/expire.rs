//! Retention: rows older than a tenant's rule are deleted, not hidden.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use grid_model::time::DAY_NS;
use grid_model::{TimeRange, Timestamp};

use crate::catalog::Commit;
use crate::error::StoreError;
use crate::rewrite::DeleteReport;
use crate::store::Store;

/// What a retention run deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExpireReport {
    /// Files dropped as a whole.
    pub files_dropped: usize,
    /// Rows of dropped files.
    pub rows_dropped: u64,
    /// Rows deleted out of files that also hold younger ones.
    pub rows_rewritten: u64,
    /// Files deleted from disk.
    pub files_deleted: usize,
}

impl Store {
    /// Applies every retention rule. Files that are wholly too old go at once; a file that also holds younger rows is rewritten
    /// once a day's worth (or a tenth of the rule, if shorter) of it is too old.
    pub async fn expire(&self) -> Result<ExpireReport, StoreError> {
        let mut report = ExpireReport::default();
        for rule in self.shared.catalog.retention().await? {
            let cutoff = Timestamp(self.now().0.saturating_sub(rule.keep_ns));
            // From here on nobody else changes files.
            let one_at_a_time = Arc::clone(&self.shared.maintenance).lock_owned().await;
            let files = self.snapshot(&rule.tenant).files(rule.table).to_vec();
            let dead: HashMap<i64, u64> =
                files.iter().filter(|f| f.max_time < cutoff).map(|f| (f.id, f.rows)).collect();
            let slack = (rule.keep_ns / 10).min(DAY_NS);
            let straddles = files.iter().any(|f| f.max_time >= cutoff && f.min_time.saturating_add(slack) < cutoff);
            drop(files);
            if dead.is_empty() {
                drop(one_at_a_time);
            } else {
                let commit = Commit { remove: dead.keys().copied().collect(), ..Commit::default() };
                self.shared.commit_and_publish(one_at_a_time, commit).await?;
                report.files_dropped += dead.len();
                report.rows_dropped += dead.values().sum::<u64>();
            }
            if straddles {
                let time_column = rule.table.time_column();
                let too_old = move |batch: &RecordBatch| {
                    let column = batch.column_by_name(time_column).ok_or("the time column is missing")?;
                    let times = column
                        .as_primitive_opt::<TimestampNanosecondType>()
                        .ok_or("the time column has another type")?;
                    Ok(times.values().iter().map(|t| Some(*t < cutoff.0)).collect::<BooleanArray>())
                };
                let range = TimeRange { start: Timestamp::MIN, end: cutoff };
                let DeleteReport { rows_deleted, .. } = self.rewrite(&rule.tenant, rule.table, range, &too_old).await?;
                report.rows_rewritten += rows_deleted;
            }
        }
        report.files_deleted = self.shared.sweep().await?;
        Ok(report)
    }
}
