//! Few large files out of many small ones. Picking is pure; running streams the rows through a merge into new files, without
//! the maintenance lock: flushes and deletes go on meanwhile. The lock is taken for the swap alone, and if one of the inputs is
//! gone by then, the result is thrown away. See ADR 0014.
//!
//! Within one window only runs of files adjacent in WAL sequence are merged, so that "the file with the higher sequence holds the
//! later write" stays true of the result.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use grid_model::time::{HOUR_NS, MINUTE_NS};
use grid_model::{Table, TenantId, Timestamp};

use crate::catalog::{Commit, FileEntry};
use crate::error::StoreError;
use crate::file_reader::{FileReader, fetch};
use crate::file_writer::{Routes, Uncommitted};
use crate::flush::{Origin, blocking};
use crate::limits::{COMPACT_BYTES_MAX, COMPACT_FILES_MAX, MERGE_READ_BYTES};
use crate::merge::{Gauge, Merge, Source};
use crate::store::{Shared, Store};
use crate::window::Window;

/// Sets of files that may lie in a window while rows still arrive; one more and some are merged.
const OPEN_SETS_MAX: usize = 7;
/// The same for a window that is closed, for late rows, and for an hour of an open one that is over.
const CLOSED_SETS_MAX: usize = 4;
/// How long after its end a window, or an hour, counts as closed.
const CLOSED_AFTER_NS: i64 = 15 * MINUTE_NS;
/// Hours of an open window that are looked at.
const HOURS_MAX: usize = 48;
/// A closed window is merged as a whole once all but its largest set have this share of that set's bytes.
const WHOLE_SHARE: u64 = 8;
/// An older set is merged with the younger ones if it is at most so many times their size.
const TIER_RATIO: u64 = 2;

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

/// Files of one tenant and table to be replaced by what their rows make. Ordered by sequence.
#[derive(Debug, Clone)]
pub struct Job {
    /// The files.
    pub files: Vec<Arc<FileEntry>>,
    /// Whether the rows may belong to more than one window.
    pub splits: bool,
}

/// Files that came out of one flush or compaction: numbers and distributions, or what was too much for one file. They hold no
/// sample twice.
#[derive(Debug, Clone, Default)]
struct Set {
    files: Vec<Arc<FileEntry>>,
    bytes: u64,
}

impl Set {
    /// Whether it is too large to be written again for a few more rows.
    fn is_full(&self) -> bool {
        self.bytes >= COMPACT_BYTES_MAX / 2 || self.files.len() > COMPACT_FILES_MAX / 2
    }

    /// The first and the last hour of its rows, since 1970.
    fn hours(&self) -> (i64, i64) {
        let min = self.files.iter().map(|f| f.min_time.0).min().unwrap_or(i64::MAX);
        let max = self.files.iter().map(|f| f.max_time.0).max().unwrap_or(i64::MIN);
        (min.div_euclid(HOUR_NS), max.div_euclid(HOUR_NS))
    }

    /// Whether it never went through a compaction, which gives the lasting encoding and the text index.
    fn is_raw(&self, table: Table) -> bool {
        self.files.iter().any(|f| f.level == 0 || table == Table::Logs && f.text_index.is_none())
    }
}

/// What to merge among the files of one tenant and table, given in order of sequence. Never more than the bounds of one
/// compaction; what does not fit waits for the next round.
pub fn pick(table: Table, files: &[Arc<FileEntry>], now: Timestamp) -> Vec<Job> {
    match table {
        // Charges come as whole bills, in large files, and a restated one hides them by import.
        Table::Charges => Vec::new(),
        // Parts are replaced as they are.
        derived if derived.is_derived() => Vec::new(),
        Table::Series => jobs(&sets(files.iter()), table, Age::Open { now: Timestamp(i64::MIN) }),
        _ => {
            let mut picked = Vec::new();
            // Files wider than a window are split first: as long as one overlaps a window, its order there is not settled.
            let (wide, narrow): (Vec<_>, Vec<_>) =
                files.iter().partition(|f| !Window::of(f.min_time, now).holds(f.min_time, f.max_time));
            picked.extend(wide.iter().map(|f| Job { files: vec![Arc::clone(f)], splits: true }));
            let mut windows: BTreeMap<Window, Vec<&Arc<FileEntry>>> = BTreeMap::new();
            for file in narrow {
                windows.entry(Window::of(file.min_time, now)).or_default().push(file);
            }
            for (window, list) in windows {
                if wide.iter().any(|f| window.overlaps(f.min_time, f.max_time)) {
                    continue;
                }
                let closed = window.end.saturating_add(CLOSED_AFTER_NS) <= now.0;
                picked.extend(jobs(
                    &sets(list.into_iter()),
                    table,
                    if closed { Age::Closed } else { Age::Open { now } },
                ));
            }
            picked
        }
    }
}

/// Whether two files came out of one flush or compaction: then they hold no sample twice.
pub fn siblings(a: &FileEntry, b: &FileEntry) -> bool {
    (a.min_seq, a.max_seq) == (b.min_seq, b.max_seq)
}

/// Files by the sequences that they share, older writes first.
fn sets<'a>(files: impl Iterator<Item = &'a Arc<FileEntry>>) -> Vec<Set> {
    let mut sets: BTreeMap<(u64, u64), Set> = BTreeMap::new();
    for file in files {
        let set = sets.entry((file.max_seq, file.min_seq)).or_default();
        set.bytes += file.bytes;
        set.files.push(Arc::clone(file));
    }
    sets.into_values().collect()
}

/// Whether rows of a window still arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Open { now: Timestamp },
    Closed,
}

impl Age {
    /// Whether there are too many sets.
    fn exceeded(self, sets: &[Set]) -> bool {
        match self {
            Self::Closed => sets.len() > CLOSED_SETS_MAX,
            Self::Open { now } => sets.len() > OPEN_SETS_MAX || sets.len() > CLOSED_SETS_MAX && crowded_hour(sets, now),
        }
    }
}

/// Whether an hour that is over lies in more sets than a closed window may have.
fn crowded_hour(sets: &[Set], now: Timestamp) -> bool {
    let over = now.0.saturating_sub(CLOSED_AFTER_NS).div_euclid(HOUR_NS);
    let mut hours: BTreeMap<i64, usize> = BTreeMap::new();
    for set in sets {
        // A window that is open has few hours.
        let (min, max) = set.hours();
        (min..=max).filter(|hour| *hour < over).take(HOURS_MAX).for_each(|hour| *hours.entry(hour).or_default() += 1);
    }
    hours.values().any(|sets| *sets > CLOSED_SETS_MAX)
}

/// What to merge among the sets of one window. A set that fills half a compaction rests; those before and after it are seen apart.
fn jobs(sets: &[Set], table: Table, age: Age) -> Vec<Job> {
    let (full, free): (Vec<&Set>, Vec<&[Set]>) =
        (sets.iter().filter(|s| s.is_full()).collect(), sets.split(Set::is_full).collect());
    let settle = full.into_iter().filter(|s| age == Age::Closed && s.is_raw(table));
    let settle = settle.map(|s| Job { files: s.files.clone(), splits: false });
    settle.chain(free.into_iter().flat_map(|part| jobs_of_part(part, table, age))).collect()
}

fn jobs_of_part(sets: &[Set], table: Table, age: Age) -> Vec<Job> {
    let Some(largest) = sets.iter().max_by_key(|s| s.bytes) else { return Vec::new() };
    let others = sets.iter().map(|s| s.bytes).sum::<u64>() - largest.bytes;
    // What is raw is written again anyway, and takes the others along.
    let worth_it = sets.len() > 1 && others.saturating_mul(WHOLE_SHARE) >= largest.bytes;
    let whole = age == Age::Closed && (largest.is_raw(table) || worth_it);
    if whole {
        return bounded(sets, table);
    }
    if age.exceeded(sets) { bounded(tier(sets), table) } else { Vec::new() }
}

/// Of too many sets those to merge: the youngest, with the older ones before them as long as these are not much larger. If the
/// youngest stands alone, the same from the one before it, and so on.
fn tier(sets: &[Set]) -> &[Set] {
    for end in (2..=sets.len()).rev() {
        let mut start = end - 1;
        let mut bytes = sets[start].bytes;
        while start > 0 && sets[start - 1].bytes <= bytes.saturating_mul(TIER_RATIO) {
            start -= 1;
            bytes += sets[start].bytes;
        }
        if end - start >= 2 {
            return &sets[start..end];
        }
    }
    // Each is much larger than the one after it: the youngest two are the cheapest.
    &sets[sets.len().saturating_sub(2)..]
}

/// Adjacent sets as jobs within the bounds of one compaction.
fn bounded(sets: &[Set], table: Table) -> Vec<Job> {
    let mut out: Vec<Vec<&Set>> = Vec::new();
    let (mut files, mut bytes) = (0, 0);
    for set in sets {
        files += set.files.len();
        bytes += set.bytes;
        match out.last_mut() {
            Some(job) if files <= COMPACT_FILES_MAX && bytes <= COMPACT_BYTES_MAX => job.push(set),
            _ => {
                (files, bytes) = (set.files.len(), set.bytes);
                out.push(vec![set]);
            }
        }
    }
    out.into_iter()
        .filter(|job| job.len() > 1 || job[0].is_raw(table))
        .map(|job| Job { files: job.into_iter().flat_map(|s| s.files.iter().cloned()).collect(), splits: false })
        .collect()
}

impl Store {
    /// Merges what is worth it, one job after the other, and deletes files that nobody reads any more. Flushes, deletes and
    /// retention go on meanwhile. Dropping the future ends a merge that is under way; its files are deleted.
    pub async fn compact(&self) -> Result<CompactReport, StoreError> {
        // Two rounds at once would do the same work twice.
        let _one_round = self.shared.compacting.lock().await;
        let mut report = CompactReport::default();
        let keys: Vec<(TenantId, Table)> = self.shared.state.read().files.keys().cloned().collect();
        for (tenant, table) in keys {
            let files = self.shared.state.read().files.get(&(tenant.clone(), table)).cloned().unwrap_or_default();
            let jobs = pick(table, &files, self.now());
            drop(files);
            for job in jobs {
                let done = self.run_job(&tenant, table, job, &mut report).await;
                self.shared.note_compaction(done.as_ref().err());
                if let Err(e) = done {
                    // What was written so far must not fill the disk until a later round succeeds.
                    self.shared.sweep().await?;
                    return Err(e);
                }
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
        if !shared.are_current(tenant, table, &job.files) {
            return Ok(());
        }
        let mut files = Vec::with_capacity(job.files.len());
        for file in &job.files {
            files.push(fetch(shared, &file.path).await?);
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
        let rows = job.files.iter().map(|f| f.rows).sum::<u64>();
        let bytes_in = job.files.iter().map(|f| f.bytes).sum::<u64>();
        let split = job.splits.then(|| self.now());
        let for_thread = Arc::clone(shared);
        let gauge = Arc::new(Gauge::default());
        // A round that nobody waits for any more, as at shutdown, ends soon.
        let _abandon = Abandon(Arc::clone(&gauge));
        let written = blocking(move || {
            let written = merge_files(&for_thread, origin, &files, rows, split, &gauge)?;
            let (decoded, encoded) = gauge.peak();
            tracing::debug!(table = table.name(), files = files.len(), rows, decoded, encoded, "merged");
            Ok(written)
        })
        .await?;
        // In a task of its own: a caller that stops waiting must not leave the catalog and the readers' state apart.
        let (for_task, tenant, files_in) = (Arc::clone(shared), tenant.clone(), job.files.len());
        let swapped = tokio::spawn(async move { for_task.swap(&tenant, table, job, written).await });
        if let Some((files_out, bytes_out)) = swapped.await.map_err(|_| StoreError::Closed)?? {
            report.files_in += files_in;
            report.files_out += files_out;
            report.rows += rows;
            report.bytes_in += bytes_in;
            report.bytes_out += bytes_out;
        }
        Ok(())
    }
}

/// Abandons a merge when it is dropped.
struct Abandon(Arc<Gauge>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Shared {
    /// Whether all of some files are still visible: a delete or a retention run may have been faster.
    fn are_current(&self, tenant: &TenantId, table: Table, files: &[Arc<FileEntry>]) -> bool {
        let current = self.state.read().files.get(&(tenant.clone(), table)).cloned().unwrap_or_default();
        files.iter().all(|f| current.iter().any(|c| c.id == f.id))
    }

    /// Puts new files in the place of those they were made of; how many, and their bytes. Nothing if one of these is gone: then
    /// the new files hold rows that somebody deleted, and are deleted themselves.
    async fn swap(
        &self,
        tenant: &TenantId,
        table: Table,
        job: Job,
        written: Uncommitted,
    ) -> Result<Option<(usize, u64)>, StoreError> {
        let _one_at_a_time = self.maintenance.lock().await;
        if !self.are_current(tenant, table, &job.files) {
            tracing::info!(table = table.name(), "files changed while they were merged; the result is dropped");
            return Ok(None);
        }
        let added = written.take();
        let out = (added.len(), added.iter().map(|f| f.bytes).sum());
        let removed: Vec<i64> = job.files.iter().map(|f| f.id).collect();
        // Readers count as holders of a file; this job is done reading.
        drop(job);
        let commit = Commit { add: added, remove: removed.clone(), flushed_segment: None };
        let (added, generation) = self.catalog.commit(commit).await?;
        self.publish(added, &removed, generation, false);
        Ok(Some(out))
    }
}

/// Merges files, given in the order of their writes, into new ones of about `rows` rows.
fn merge_files(
    shared: &Arc<Shared>,
    origin: Origin,
    files: &[File],
    rows: u64,
    split: Option<Timestamp>,
    gauge: &Arc<Gauge>,
) -> Result<Uncommitted, StoreError> {
    let table = origin.table;
    // Half for the batches at hand, half for those of which rows wait to be written.
    let batch_bytes = MERGE_READ_BYTES / 2 / files.len().max(1);
    let mut routes = Routes::new(shared, origin, rows, split, gauge);
    loop {
        // Numbers and distributions go through one merge: the later write of a sample may be of the other kind.
        let mut sources: Vec<Source> = Vec::with_capacity(files.len());
        for file in files {
            let file = file.try_clone().map_err(|e| StoreError::Corrupt(format!("reopen a file: {e}")))?;
            sources.push(Box::new(FileReader::open(table, file, batch_bytes)?));
        }
        let mut merge = Merge::new(table, sources, Arc::clone(gauge))?;
        while let Some(run) = merge.next_run()? {
            if gauge.is_abandoned() {
                return Err(StoreError::Closed);
            }
            routes.push(run)?;
        }
        if !routes.end_pass()? {
            return Ok(routes.finish());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::NewFile;
    use crate::limits::MERGE_WRITE_BYTES;
    use crate::store::StoreOptions;
    use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
    use grid_model::time::{DAY_NS, SECOND_NS};
    use grid_model::{AttrValue, Write};

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

    fn level(level: u8, of: Arc<FileEntry>) -> Arc<FileEntry> {
        let mut entry = FileEntry::clone(&of);
        entry.file.level = level;
        Arc::new(entry)
    }

    fn check(files: &[Arc<FileEntry>], expected: &[&[i64]]) {
        let jobs = pick(Table::Samples, files, NOW);
        let ids: Vec<Vec<i64>> = jobs.iter().map(|j| j.files.iter().map(|f| f.id).collect()).collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn closed_windows_are_merged_and_open_ones_wait() {
        let h = HOUR_NS;
        let closed = |id: i64, rows| file(id, id as u64, -5 * h, -5 * h + 1, rows);
        check(&[closed(1, 10), closed(2, 10)], &[&[1, 2]]);
        check(&[file(1, 1, 0, 1, 10), file(2, 2, 0, 1, 10)], &[]);
        let many: Vec<_> = (0..8).map(|i| file(i, i as u64, 0, 1, 10)).collect();
        check(&many, &[&[0, 1, 2, 3, 4, 5, 6, 7]]);
        // An hour that is over has few, though its window goes on: from 16 to 18 o'clock, at 17:20.
        let five = |now: i64| {
            let files: Vec<_> =
                (0..5).map(|i| file(i, i as u64, i * 600 * SECOND_NS, (i * 600 + 300) * SECOND_NS, 10)).collect();
            pick(Table::Samples, &files, Timestamp(NOW.0 + now * MINUTE_NS)).len()
        };
        assert_eq!((five(70), five(80)), (0, 1));
        // One alone gets its lasting encoding, once.
        check(&[closed(1, 10)], &[&[1]]);
        check(&[level(1, closed(1, 10))], &[]);
    }

    #[test]
    fn late_rows_wait_until_they_are_worth_it() {
        let old = |id: i64, rows| file(id, id as u64, -5 * HOUR_NS, -5 * HOUR_NS + 1, rows);
        let big = || level(1, old(1, 1000));
        check(&[big(), old(2, 10)], &[]);
        check(&[big(), old(2, 10), old(3, 10), old(4, 10)], &[]);
        check(&[big(), old(2, 125)], &[&[1, 2]]);
        // A large raw one does not wait for anything.
        check(&[old(1, 1000), old(2, 10)], &[&[1, 2]]);
        // Too many: the young ones become one; the big one rests.
        check(&[big(), old(2, 10), old(3, 10), old(4, 10), old(5, 10)], &[&[2, 3, 4, 5]]);
        check(&[big(), old(2, 80), old(3, 10), old(4, 10), old(5, 10)], &[&[3, 4, 5]]);
    }

    #[test]
    fn files_of_one_compaction_count_as_one() {
        let old = |id: i64, seq| level(1, file(id, seq, -5 * HOUR_NS, -5 * HOUR_NS + 1, 10));
        check(&[old(1, 7), old(2, 7), old(3, 7), old(4, 7), old(5, 7), old(6, 7)], &[]);
        check(&[old(1, 7), old(2, 8), old(3, 7)], &[&[1, 3, 2]]);
    }

    #[test]
    fn a_wide_file_is_split_before_its_windows_are_merged() {
        let d = DAY_NS;
        let files = [file(1, 1, -9 * d, -9 * d, 10), file(2, 2, -9 * d, -9 * d, 10), file(3, 3, -20 * d, -d * 3, 10)];
        check(&files, &[&[3]]);
        assert!(pick(Table::Samples, &files, NOW)[0].splits);
    }

    #[test]
    fn a_job_stays_within_bounds() {
        let big = COMPACT_BYTES_MAX / 2 - 1;
        let t = -9 * DAY_NS;
        let settled = |id: i64, bytes| level(1, file(id, id as u64, t, t, bytes));
        check(&[settled(1, big), settled(2, big), settled(3, 4)], &[&[1, 2]]);
        // What is large rests, and is not written again for a late row.
        check(&[settled(1, big + 1), settled(2, big), settled(3, 4)], &[]);
        check(&[settled(1, big + 1), settled(2, 4), settled(3, 4), settled(4, big + 1)], &[&[2, 3]]);
        let many: Vec<_> = (0..COMPACT_FILES_MAX as i64 + 2).map(|i| file(i, i as u64, t, t, 1)).collect();
        let jobs = pick(Table::Samples, &many, NOW);
        assert_eq!(jobs.iter().map(|j| j.files.len()).collect::<Vec<_>>(), [COMPACT_FILES_MAX, 2]);
    }

    /// Three days of flushes every five minutes, some of which bring rows that are hours or days late.
    #[test]
    fn late_rows_do_not_multiply_files() {
        const STEP: i64 = 5 * MINUTE_NS;
        let mut files: Vec<Arc<FileEntry>> = Vec::new();
        let (mut ids, mut flushed, mut rewritten) = (0_i64.., 0_u64, 0_u64);
        let mut random = 88_172_645_463_325_252_u64;
        for step in 0..3 * 288 {
            let now = Timestamp(NOW.0 + step * STEP);
            let mut flush = vec![(now.0 - STEP, 10_000)];
            for late_by in [6 * HOUR_NS, 30 * HOUR_NS] {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                if random.is_multiple_of(2) {
                    flush.push((now.0 - late_by, 1 + random % 500));
                }
            }
            for (time, bytes) in flush {
                flushed += bytes;
                files.push(file(ids.next().unwrap(), step as u64, time - NOW.0, time - NOW.0 + 1, bytes));
            }
            // As `compact` does: one round, then the next flush.
            for job in pick(Table::Samples, &files, now) {
                assert!(!job.splits);
                let mut merged = FileEntry::clone(&job.files[0]);
                merged.id = ids.next().unwrap();
                merged.file.bytes = job.files.iter().map(|f| f.bytes).sum();
                merged.file.min_seq = job.files.iter().map(|f| f.min_seq).min().unwrap();
                merged.file.max_seq = job.files.iter().map(|f| f.max_seq).max().unwrap();
                merged.file.min_time = job.files.iter().map(|f| f.min_time).min().unwrap();
                merged.file.max_time = job.files.iter().map(|f| f.max_time).max().unwrap();
                merged.file.level = job.files.iter().map(|f| f.level).max().unwrap() + 1;
                rewritten += merged.bytes;
                files.retain(|f| job.files.iter().all(|j| j.id != f.id));
                files.push(Arc::new(merged));
                files.sort_by_key(|f| (f.max_seq, f.id));
            }
            let mut windows: BTreeMap<Window, usize> = BTreeMap::new();
            for f in &files {
                *windows.entry(Window::of(f.min_time, now)).or_default() += 1;
            }
            for hour in (NOW.0..now.0 - HOUR_NS - CLOSED_AFTER_NS - STEP)
                .step_by(HOUR_NS as usize)
                .map(|t| t / HOUR_NS * HOUR_NS)
            {
                let holds = |f: &&Arc<FileEntry>| f.min_time.0 < hour + HOUR_NS && f.max_time.0 >= hour;
                let count = files.iter().filter(holds).count();
                assert!(count <= CLOSED_SETS_MAX + 1, "{count} in the hour {hour} at {now}");
            }
            for (window, count) in windows {
                let closed = window.end + CLOSED_AFTER_NS <= now.0;
                assert!(count <= if closed { CLOSED_SETS_MAX } else { OPEN_SETS_MAX + 1 }, "{count} in {window:?}");
            }
        }
        // How often a byte is written, the flush included.
        let amplification = (flushed + rewritten) as f64 / flushed as f64;
        println!("write amplification {amplification:.2}, {} files at the end", files.len());
        assert!(amplification < 6.0, "{amplification}");
    }

    fn lines(bodies: impl Iterator<Item = (i64, String)>) -> Write {
        let mut b = LogsBuilder::default();
        for (time, body) in bodies {
            let origin = LogOrigin { stream_id: time as u64 % 7, ..LogOrigin::default() };
            let body = Some(AttrValue::from(body.as_str()));
            b.push(&origin, &LogRow { time: Timestamp(time), body, ..LogRow::default() });
        }
        let mut write = Write::default();
        write.push(Table::Logs, b.finish());
        write
    }

    async fn store(dir: &std::path::Path) -> Store {
        Store::open(StoreOptions::local(dir, Arc::new(|| NOW))).await.unwrap()
    }

    /// The files of a job, opened, and how its result is entered.
    fn prepare(store: &Store, job: &Job) -> (Origin, Vec<File>) {
        let open = |f: &Arc<FileEntry>| File::open(store.objects().public_path(&f.path)).unwrap();
        let origin = Origin {
            tenant: TenantId::default_tenant(),
            table: Table::Logs,
            seqs: (job.files[0].min_seq, job.files[job.files.len() - 1].max_seq),
            level: 1,
            import_id: None,
        };
        (origin, job.files.iter().map(open).collect())
    }

    #[tokio::test]
    async fn a_delete_during_a_compaction_is_not_undone() {
        let dir = tempfile::tempdir().unwrap();
        let (store, tenant) = (store(dir.path()).await, TenantId::default_tenant());
        for line in ["keep", "secret"] {
            store.append(&tenant, lines([(7, line.to_owned())].into_iter())).await.unwrap();
            store.flush().await.unwrap();
        }
        let job = pick(Table::Logs, store.snapshot(&tenant).files(Table::Logs), NOW).remove(0);
        let (origin, files) = prepare(&store, &job);
        let gauge = Arc::new(Gauge::default());
        let written = merge_files(&store.shared, origin, &files, 2, None, &gauge).unwrap();
        let secret = |batch: &arrow::array::RecordBatch| {
            let bodies = arrow::array::AsArray::as_string::<i32>(&batch["body"]);
            Ok(bodies.iter().map(|b| Some(b == Some("secret"))).collect::<arrow::array::BooleanArray>())
        };
        // Flushes and deletes go on while a merge is under way.
        let report = store.rewrite(&tenant, Table::Logs, grid_model::TimeRange::ALL, &secret).await.unwrap();
        assert_eq!((report.rows_deleted, report.files_changed), (1, 1));
        assert_eq!(store.shared.swap(&tenant, Table::Logs, job, written).await.unwrap(), None);
        store.shared.sweep().await.unwrap();
        let rows: u64 = store.snapshot(&tenant).files(Table::Logs).iter().map(|f| f.rows).sum();
        assert_eq!((rows, store.objects().list().await.unwrap().len()), (1, 1));
        // The next round takes what is left.
        assert_eq!(store.compact().await.unwrap().rows, 1);
        let files = store.snapshot(&tenant).files(Table::Logs).to_vec();
        assert!(files.len() == 1 && files[0].text_index.is_some() && files[0].level > 0, "{files:?}");
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn memory_of_a_merge_is_bounded_whatever_the_rows() {
        let dir = tempfile::tempdir().unwrap();
        let (store, tenant) = (store(dir.path()).await, TenantId::default_tenant());
        // A few very long lines among many short ones, in every file; 300 MB in all.
        let mut total = 0;
        for file in 0..6_i64 {
            let body = |n: i64| match n % 40 {
                0 => format!("{n:x}").repeat((1 << 20) / 4),
                _ => format!("line {n} of {file}"),
            };
            for part in 0..2_i64 {
                let write = lines((0..1000).map(|n| (n * 2 + part, body(n))));
                total += write.batches.iter().map(|(_, b)| b.get_array_memory_size()).sum::<usize>();
                store.append(&tenant, write).await.unwrap();
            }
            store.flush().await.unwrap();
        }
        assert!(total > 200 << 20, "{total}");
        let job = pick(Table::Logs, store.snapshot(&tenant).files(Table::Logs), NOW).remove(0);
        assert_eq!(job.files.len(), 6);
        let (mut origin, files) = prepare(&store, &job);
        // Without the text index, which has a bound of its own.
        origin.level = 0;
        let gauge = Arc::new(Gauge::default());
        let written = merge_files(&store.shared, origin, &files, 12_000, None, &gauge).unwrap().take();
        assert_eq!(written.iter().map(|f| f.rows).sum::<u64>(), 12_000);
        let (decoded, encoded) = gauge.peak();
        println!("{total} bytes merged with {decoded} decoded, {encoded} encoded");
        // Decoded batches may exceed their share by a page of each input's column.
        assert!(decoded <= MERGE_READ_BYTES * 5 / 4 && encoded <= MERGE_WRITE_BYTES * 5 / 4, "{decoded} {encoded}");
        assert_eq!(gauge.now(), 0);
    }
}
