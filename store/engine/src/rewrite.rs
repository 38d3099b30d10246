//! Deleting rows by a condition: the files that hold them are written anew without them, all in one commit.

use std::sync::Arc;

use arrow::array::{Array as _, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not, prep_null_mask_filter};
use grid_model::{Table, TenantId, TimeRange};

use crate::catalog::Commit;
use crate::error::StoreError;
use crate::flush::{Origin, blocking, encode_rows, put_all};
use crate::parquet_read::read_all;
use crate::store::Store;

/// Says which rows go: true = delete, null counts as false. Batches have the table's schema as appended.
pub type RowFilter<'a> =
    dyn Fn(&RecordBatch) -> Result<BooleanArray, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'a;

/// What a delete did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeleteReport {
    /// Rows looked at.
    pub rows_read: u64,
    /// Rows deleted.
    pub rows_deleted: u64,
    /// Files written anew or dropped.
    pub files_changed: usize,
    /// The generation afterwards.
    pub generation: u64,
}

impl Store {
    /// Deletes the rows of a range that match. Buffered rows are flushed first, so a row that was acknowledged before the call is
    /// found; rows that arrive meanwhile are not.
    pub async fn rewrite(
        &self,
        tenant: &TenantId,
        table: Table,
        range: TimeRange,
        drop_rows: &RowFilter<'_>,
    ) -> Result<DeleteReport, StoreError> {
        let shared = &self.shared;
        let _one_at_a_time = shared.maintenance.lock().await;
        self.flush_locked().await?;
        let snapshot = self.snapshot(tenant);
        let index = snapshot.series();
        let mut report = DeleteReport::default();
        let mut commit = Commit::default();
        let now = self.now();
        // Collected first: an iterator with a closure held over an await makes the future impossible to send between threads.
        let touched: Vec<_> =
            snapshot.files(table).iter().filter(|f| range.overlaps(f.min_time, f.max_time)).cloned().collect();
        for file in &touched {
            let batches = read_all(table, shared.objects.get(&file.path).await?)?;
            let mut kept = Vec::with_capacity(batches.len());
            let mut deleted = 0;
            for batch in batches {
                report.rows_read += batch.num_rows() as u64;
                let mut gone = drop_rows(&batch).map_err(|e| StoreError::Filter(e.to_string()))?;
                if gone.null_count() > 0 {
                    gone = prep_null_mask_filter(&gone);
                }
                let in_range = rows_in_range(&batch, table, range)?;
                let gone = arrow::compute::and(&gone, &in_range)?;
                let rest = filter_record_batch(&batch, &not(&gone)?)?;
                deleted += (batch.num_rows() - rest.num_rows()) as u64;
                kept.push(rest);
            }
            if deleted == 0 {
                continue;
            }
            report.rows_deleted += deleted;
            report.files_changed += 1;
            commit.remove.push(file.id);
            let origin = Origin {
                tenant: tenant.clone(),
                table,
                seqs: (file.min_seq, file.max_seq),
                level: file.level,
                import_id: file.import_id.clone(),
            };
            let (for_thread, index) = (Arc::clone(shared), Arc::clone(&index));
            let encoded = blocking(move || encode_rows(&for_thread, &origin, &kept, &index, now)).await?;
            commit.add.extend(put_all(shared, encoded).await?);
        }
        drop(snapshot);
        if !commit.remove.is_empty() {
            let removed = commit.remove.clone();
            let (added, generation) = shared.catalog.commit(commit).await?;
            shared.publish(added, &removed, generation, false);
        }
        report.generation = shared.state.read().generation;
        shared.sweep().await?;
        Ok(report)
    }
}

fn rows_in_range(batch: &RecordBatch, table: Table, range: TimeRange) -> Result<BooleanArray, StoreError> {
    use arrow::array::AsArray as _;
    use arrow::datatypes::TimestampNanosecondType;
    let column =
        batch.column_by_name(table.time_column()).and_then(|c| c.as_primitive_opt::<TimestampNanosecondType>());
    let times =
        column.ok_or_else(|| StoreError::Corrupt(format!("{} has no column {}", table.name(), table.time_column())))?;
    Ok(times.values().iter().map(|t| Some(range.contains(grid_model::Timestamp(*t)))).collect())
}
