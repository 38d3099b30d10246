//! Deleting rows by a condition: the files that hold them are written anew without them, batch by batch, all in one commit.

use std::sync::Arc;

use arrow::array::{Array as _, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not, prep_null_mask_filter};
use grid_model::table::samples;
use grid_model::{Table, TenantId, TimeRange};

use crate::catalog::{Commit, FileEntry};
use crate::error::StoreError;
use crate::file_reader::{FileReader, fetch};
use crate::file_writer::{Routes, Uncommitted};
use crate::flush::{Origin, blocking};
use crate::limits::MERGE_READ_BYTES;
use crate::merge::{Gauge, Run};
use crate::store::{Shared, Store};
use crate::window::Window;

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
        self.flush().await?;
        let one_at_a_time = Arc::clone(&shared.maintenance).lock_owned().await;
        let snapshot = self.snapshot(tenant);
        let mut report = DeleteReport::default();
        let mut commit = Commit::default();
        let now = self.now();
        // Collected first: an iterator with a closure held over an await makes the future impossible to send between threads.
        let touched: Vec<_> =
            snapshot.files(table).iter().filter(|f| range.overlaps(f.min_time, f.max_time)).cloned().collect();
        let mut written = Uncommitted::new(shared);
        let doomed = Doomed { table, range, drop_rows };
        for file in &touched {
            // Most files hold nothing that matches: they are only written anew once a row to delete was seen.
            let mut reader = open(shared, table, file).await?;
            let (mut rows_read, mut found) = (0, false);
            while !found {
                let batch;
                (reader, batch) = next(reader).await?;
                let Some(batch) = batch else { break };
                rows_read += batch.num_rows() as u64;
                found = doomed.of(&batch)?.true_count() > 0;
            }
            if !found {
                report.rows_read += rows_read;
                continue;
            }
            report.files_changed += 1;
            commit.remove.push(file.id);
            let origin = Origin {
                tenant: tenant.clone(),
                table,
                seqs: (file.min_seq, file.max_seq),
                level: file.level,
                import_id: file.import_id.clone(),
            };
            // Windows widen with time; a file that fits into none is split, except series, which have no windows.
            let fits = table == Table::Series || Window::of(file.min_time, now).holds(file.min_time, file.max_time);
            let gauge = Arc::new(Gauge::default());
            let mut routes = Routes::new(shared, origin, file.rows, (!fits).then_some(now), &gauge);
            loop {
                reader = open(shared, table, file).await?;
                let (mut rows_read, mut rows_deleted) = (0, 0);
                loop {
                    let batch;
                    (reader, batch) = next(reader).await?;
                    let Some(batch) = batch else { break };
                    rows_read += batch.num_rows() as u64;
                    let gone = doomed.of(&batch)?;
                    rows_deleted += gone.true_count() as u64;
                    let kept = filter_record_batch(&batch, &not(&gone)?)?;
                    let gauge = Arc::clone(&gauge);
                    routes = blocking(move || {
                        if kept.num_rows() > 0 {
                            routes.push(Run::of(table, kept, &gauge)?)?;
                        }
                        Ok(routes)
                    })
                    .await?;
                }
                let again;
                (routes, again) = blocking(move || {
                    let again = routes.end_pass()?;
                    Ok((routes, again))
                })
                .await?;
                if !again {
                    report.rows_read += rows_read;
                    report.rows_deleted += rows_deleted;
                    break;
                }
            }
            written.extend(routes.finish());
        }
        drop(snapshot);
        if !commit.remove.is_empty() {
            commit.add = written.take();
            shared.commit_and_publish(one_at_a_time, commit).await?;
        }
        report.generation = shared.state.read().generation;
        shared.sweep().await?;
        Ok(report)
    }
}

async fn open(shared: &Arc<Shared>, table: Table, file: &FileEntry) -> Result<FileReader, StoreError> {
    let source = fetch(shared, &file.path).await?;
    blocking(move || FileReader::open(table, source, MERGE_READ_BYTES / 4)).await
}

async fn next(mut reader: FileReader) -> Result<(FileReader, Option<RecordBatch>), StoreError> {
    blocking(move || {
        let batch = reader.next().transpose()?;
        Ok((reader, batch))
    })
    .await
}

/// Which rows go.
struct Doomed<'a> {
    table: Table,
    range: TimeRange,
    drop_rows: &'a RowFilter<'a>,
}

impl Doomed<'_> {
    /// Never null.
    fn of(&self, batch: &RecordBatch) -> Result<BooleanArray, StoreError> {
        // The filter sees rows as they are appended, without the metric's name.
        let appended;
        let seen = match batch.schema_ref().index_of(samples::METRIC) {
            Ok(metric) if self.table == Table::Samples => {
                let others: Vec<usize> = (0..batch.num_columns()).filter(|i| *i != metric).collect();
                appended = batch.project(&others)?;
                &appended
            }
            _ => batch,
        };
        let mut gone = (self.drop_rows)(seen).map_err(|e| StoreError::Filter(e.to_string()))?;
        if gone.null_count() > 0 {
            gone = prep_null_mask_filter(&gone);
        }
        Ok(arrow::compute::and(&gone, &rows_in_range(batch, self.table, self.range)?)?)
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
