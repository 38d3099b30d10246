//! Few large files out of many small ones. Picking is pure; running reads, merges by sorting, writes, and swaps in one commit.
//!
//! Within one window only runs of files adjacent in WAL sequence are merged, so that "the file with the higher sequence holds the
//! later write" stays true of the result.

use std::collections::BTreeMap;
use std::sync::Arc;

use grid_model::time::MINUTE_NS;
use grid_model::{Table, TenantId, Timestamp};

use crate::catalog::{Commit, FileEntry};
use crate::error::StoreError;
use crate::flush::{Origin, blocking, encode_rows, put_all};
use crate::limits::{COMPACT_BYTES_MAX, COMPACT_ROWS_MAX};
use crate::parquet_read::read_all;
use crate::store::Store;
use crate::window::Window;

/// A window is merged at once when it has this many files, even while rows still arrive.
const OPEN_FILES_MAX: usize = 8;
/// How long after its end a window counts as closed.
const CLOSED_AFTER_NS: i64 = 15 * MINUTE_NS;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompactReport {
    /// Files that went.
    pub files_in: usize,
    /// Files that came.
    pub files_out: usize,
    /// Rows merged.
    pub rows: u64,
    /// Bytes of the files that went.
    pub bytes_in: u64,
    /// Bytes of the files that came.
    pub bytes_out: u64,
    /// Files deleted from disk.
    pub files_deleted: usize,
}

/// Files of one tenant and table to be replaced by what their rows make, window by window. Ordered by sequence.
#[derive(Debug, Clone)]
pub struct Job {
    /// The files.
    pub files: Vec<Arc<FileEntry>>,
}

/// What to merge among the files of one tenant and table, given in order of sequence. Never more than the bounds of one
/// compaction; what does not fit waits for the next round.
pub fn pick(table: Table, files: &[Arc<FileEntry>], now: Timestamp) -> Vec<Job> {
    match table {
        // Charges come as whole bills, in large files, and a restated one hides them by import.
        Table::Charges => Vec::new(),
        Table::Series => bounded_runs(files, |run| run.len() >= OPEN_FILES_MAX),
        _ => {
            let mut jobs = Vec::new();
            // Files wider than a window are split first: as long as one overlaps a window, its order there is not settled.
            let (wide, narrow): (Vec<_>, Vec<_>) =
                files.iter().cloned().partition(|f| !Window::of(f.min_time, now).holds(f.min_time, f.max_time));
            jobs.extend(wide.iter().filter(|f| splits(f, now)).map(|f| Job { files: vec![Arc::clone(f)] }));
            let mut windows: BTreeMap<Window, Vec<Arc<FileEntry>>> = BTreeMap::new();
            for file in narrow {
                windows.entry(Window::of(file.min_time, now)).or_default().push(file);
            }
            for (window, list) in windows {
                if wide.iter().any(|f| window.overlaps(f.min_time, f.max_time)) {
                    continue;
                }
                let closed = window.end.saturating_add(CLOSED_AFTER_NS) <= now.0;
                jobs.extend(bounded_runs(&list, |run| {
                    // A file of one flush alone gets its lasting encoding and its text index.
                    let unsettled = run.len() == 1 && run[0].level == 0;
                    run.len() >= OPEN_FILES_MAX || closed && (several(run) || unsettled)
                }));
            }
            jobs
        }
    }
}

/// Whether a run is more than what one compaction left: numbers and distributions rest apart, with one range of sequences.
fn several(run: &[Arc<FileEntry>]) -> bool {
    run.len() > 2 || run.len() == 2 && !(run[0].level > 0 && siblings(&run[0], &run[1]))
}

/// Whether two files came out of one flush or compaction: then they hold no sample twice.
pub fn siblings(a: &FileEntry, b: &FileEntry) -> bool {
    (a.min_seq, a.max_seq) == (b.min_seq, b.max_seq)
}

/// A file that compaction may hold in memory as a whole.
fn splits(file: &FileEntry, _now: Timestamp) -> bool {
    file.rows <= COMPACT_ROWS_MAX
}

/// Cuts a list into runs within the bounds of one compaction, keeping those that are worth it. A file that is large enough
/// alone ends a run.
fn bounded_runs(files: &[Arc<FileEntry>], worth: impl Fn(&[Arc<FileEntry>]) -> bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut run: Vec<Arc<FileEntry>> = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    for file in files {
        if !run.is_empty() && (rows + file.rows > COMPACT_ROWS_MAX || bytes + file.bytes > COMPACT_BYTES_MAX) {
            if worth(&run) {
                jobs.push(Job { files: std::mem::take(&mut run) });
            }
            run.clear();
            (rows, bytes) = (0, 0);
        }
        rows += file.rows;
        bytes += file.bytes;
        run.push(Arc::clone(file));
    }
    if worth(&run) && run.iter().map(|f| f.rows).sum::<u64>() <= COMPACT_ROWS_MAX {
        jobs.push(Job { files: run });
    }
    jobs
}

impl Store {
    /// Merges what is worth it, one job after the other, and deletes files that nobody reads any more.
    pub async fn compact(&self) -> Result<CompactReport, StoreError> {
        let mut report = CompactReport::default();
        let keys: Vec<(TenantId, Table)> = self.shared.state.read().files.keys().cloned().collect();
        for (tenant, table) in keys {
            let files = self.shared.state.read().files.get(&(tenant.clone(), table)).cloned().unwrap_or_default();
            let jobs = pick(table, &files, self.now());
            drop(files);
            for job in jobs {
                // The lock is held per job, so that a flush never waits for a whole round.
                let _one_at_a_time = self.shared.maintenance.lock().await;
                let done = self.run_job(&tenant, table, job, &mut report).await;
                self.shared.note_compaction(done.as_ref().err());
                done?;
            }
        }
        report.files_deleted = self.shared.sweep().await?;
        Ok(report)
    }

    async fn run_job(
        &self,
        tenant: &TenantId,
        table: Table,
        job: Job,
        report: &mut CompactReport,
    ) -> Result<(), StoreError> {
        let shared = &self.shared;
        // A delete or a retention run may have been faster.
        let current = shared.state.read().files.get(&(tenant.clone(), table)).cloned().unwrap_or_default();
        if !job.files.iter().all(|f| current.iter().any(|c| c.id == f.id)) {
            return Ok(());
        }
        drop(current);
        let mut bytes = Vec::with_capacity(job.files.len());
        for file in &job.files {
            bytes.push(shared.objects.get(&file.path).await?);
        }
        let origin = Origin {
            tenant: tenant.clone(),
            table,
            seqs: (
                job.files.iter().map(|f| f.min_seq).min().unwrap_or_default(),
                job.files.iter().map(|f| f.max_seq).max().unwrap_or_default(),
            ),
            level: job.files.iter().map(|f| f.level).max().unwrap_or_default().saturating_add(1),
            import_id: None,
        };
        let index = shared.state.write().series_of(tenant);
        let now = self.now();
        let for_thread = Arc::clone(shared);
        let encoded = blocking(move || {
            let mut batches = Vec::new();
            for file in bytes {
                batches.extend(read_all(table, file)?);
            }
            encode_rows(&for_thread, &origin, &batches, &index, now)
        })
        .await?;
        let added = put_all(shared, encoded).await?;
        report.files_in += job.files.len();
        report.files_out += added.len();
        report.rows += job.files.iter().map(|f| f.rows).sum::<u64>();
        report.bytes_in += job.files.iter().map(|f| f.bytes).sum::<u64>();
        report.bytes_out += added.iter().map(|f| f.bytes).sum::<u64>();
        let removed: Vec<i64> = job.files.iter().map(|f| f.id).collect();
        // Readers count as holders of a file; this job is done reading.
        drop(job);
        let commit = Commit { add: added, remove: removed.clone(), flushed_segment: None };
        let (added, generation) = shared.catalog.commit(commit).await?;
        shared.publish(added, &removed, generation, false);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::NewFile;
    use grid_model::time::{DAY_NS, HOUR_NS};

    const NOW: Timestamp = Timestamp(1_764_547_200_000_000_000);

    fn file(id: i64, seq: u64, min: i64, max: i64, rows: u64) -> Arc<FileEntry> {
        let file = NewFile {
            tenant: TenantId::default_tenant(),
            table: Table::Samples,
            path: id.to_string(),
            bytes: rows,
            rows,
            min_time: Timestamp(NOW.0 + min),
            max_time: Timestamp(NOW.0 + max),
            min_seq: seq,
            max_seq: seq,
            level: 0,
            text_index: None,
            import_id: None,
        };
        Arc::new(FileEntry { id, file, generation: 1 })
    }

    fn check(files: &[Arc<FileEntry>], expected: &[&[i64]]) {
        let jobs = pick(Table::Samples, files, NOW);
        let ids: Vec<Vec<i64>> = jobs.iter().map(|j| j.files.iter().map(|f| f.id).collect()).collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn closed_windows_are_merged_and_open_ones_wait() {
        let h = HOUR_NS;
        check(&[file(1, 1, -5 * h, -5 * h + 1, 10), file(2, 2, -5 * h, -5 * h + 1, 10)], &[&[1, 2]]);
        check(&[file(1, 1, 0, 1, 10), file(2, 2, 0, 1, 10)], &[]);
        let many: Vec<_> = (0..8).map(|i| file(i, i as u64, 0, 1, 10)).collect();
        check(&many, &[&[0, 1, 2, 3, 4, 5, 6, 7]]);
        check(&[file(1, 1, -5 * h, -5 * h + 1, 10)], &[&[1]]);
    }

    #[test]
    fn a_wide_file_is_split_before_its_windows_are_merged() {
        let d = DAY_NS;
        let files = [file(1, 1, -9 * d, -9 * d, 10), file(2, 2, -9 * d, -9 * d, 10), file(3, 3, -20 * d, -d * 3, 10)];
        check(&files, &[&[3]]);
    }

    #[test]
    fn a_run_stays_within_bounds() {
        let big = COMPACT_ROWS_MAX / 2 + 1;
        let t = -9 * DAY_NS;
        check(&[file(1, 1, t, t, big), file(2, 2, t, t, big), file(3, 3, t, t, 1)], &[&[1], &[2, 3]]);
    }
}
