//! Derived tables: what Grid computes out of other tables rests in parts, and a part is replaced as a whole. What a part is, its writer
//! decides: the allocations of one billing period, the prices of one book. Readers see a part as it was or as it is, never a mix.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use grid_model::{Table, TenantId};

use crate::catalog::{Commit, FileEntry, NewFile};
use crate::error::StoreError;
use crate::flush::{Origin, blocking, encode_rows, put_all};
use crate::store::{Shared, Store};

/// Rows that are sorted and written together: a file holds at most so many.
const CHUNK_ROWS: usize = 256 * 1024;

/// What a commit of a part did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartReport {
    /// Rows that the part has now.
    pub rows: u64,
    /// Files that hold them.
    pub files: usize,
    /// Bytes of these.
    pub bytes: u64,
    /// Files that went.
    pub files_replaced: usize,
    /// The generation afterwards.
    pub generation: u64,
}

/// A part that is being written. Nobody sees its rows before [`PartSession::commit`]; dropping it leaves the part as it was.
pub struct PartSession {
    shared: Arc<Shared>,
    tenant: TenantId,
    table: Table,
    part: String,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    report: PartReport,
    written: Vec<NewFile>,
}

impl Store {
    /// Begins to write a part of a derived table anew.
    pub fn begin_part(&self, tenant: &TenantId, table: Table, part: &str) -> PartSession {
        PartSession {
            shared: Arc::clone(&self.shared),
            tenant: tenant.clone(),
            table,
            part: part.to_owned(),
            pending: Vec::new(),
            pending_rows: 0,
            report: PartReport::default(),
            written: Vec::new(),
        }
    }

    /// The parts that a derived table has.
    pub fn parts(&self, tenant: &TenantId, table: Table) -> BTreeSet<String> {
        self.snapshot(tenant).files(table).iter().filter_map(|f| f.import_id.clone()).collect()
    }
}

impl PartSession {
    /// Adds rows of the table's schema.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        self.pending_rows += batch.num_rows();
        self.pending.push(batch);
        if self.pending_rows >= CHUNK_ROWS { self.write_pending().await } else { Ok(()) }
    }

    async fn write_pending(&mut self) -> Result<(), StoreError> {
        let batches = std::mem::take(&mut self.pending);
        self.report.rows += std::mem::take(&mut self.pending_rows) as u64;
        let origin = Origin {
            tenant: self.tenant.clone(),
            table: self.table,
            // No row is overwritten by a later one, so the order of writes does not matter.
            seqs: (0, 0),
            level: 1,
            import_id: Some(self.part.clone()),
        };
        let shared = Arc::clone(&self.shared);
        let now = (self.shared.options.clock)();
        let index = self.shared.state.write().series_of(&self.tenant);
        let encoded = blocking(move || encode_rows(&shared, &origin, batches, &index, now)).await?;
        self.written.extend(put_all(&self.shared, encoded).await?);
        Ok(())
    }

    /// Puts the rows written so far in the place of all rows that the part had; without any, the part is gone.
    pub async fn commit(mut self) -> Result<PartReport, StoreError> {
        if !self.pending.is_empty() {
            self.write_pending().await?;
        }
        let shared = Arc::clone(&self.shared);
        let one_at_a_time = Arc::clone(&shared.maintenance).lock_owned().await;
        let remove: Vec<i64> = {
            let state = shared.state.read();
            let files = state.files.get(&(self.tenant.clone(), self.table));
            let of_part = |f: &&Arc<FileEntry>| f.import_id.as_deref() == Some(self.part.as_str());
            files.map(|files| files.iter().filter(of_part).map(|f| f.id).collect()).unwrap_or_default()
        };
        let mut report = self.report;
        report.files_replaced = remove.len();
        // From here on the files may be visible even if the answer is an error: only the next start may judge them.
        let add = std::mem::take(&mut self.written);
        (report.files, report.bytes) = (add.len(), add.iter().map(|f| f.bytes).sum());
        if !(add.is_empty() && remove.is_empty()) {
            shared.commit_and_publish(one_at_a_time, Commit { add, remove, flushed_segment: None }).await?;
        }
        report.generation = shared.state.read().generation;
        shared.sweep().await?;
        Ok(report)
    }
}

impl Drop for PartSession {
    fn drop(&mut self) {
        let never_visible = std::mem::take(&mut self.written)
            .into_iter()
            .map(|file| Arc::new(FileEntry { id: 0, file, generation: 0 }));
        self.shared.graveyard.lock().extend(never_visible);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use grid_model::Timestamp;
    use grid_model::table::metadata::{self, MetadataRow};

    use super::*;
    use crate::store::StoreOptions;

    const NOW: Timestamp = Timestamp(1_727_740_800_000_000_000);

    fn rows(metrics: &[&str]) -> RecordBatch {
        let row = |metric: &&str| MetadataRow { metric: (*metric).to_owned(), ..MetadataRow::default() };
        metadata::batch(NOW, &metrics.iter().map(row).collect::<Vec<_>>())
    }

    fn count(store: &Store) -> u64 {
        store.snapshot(&TenantId::default_tenant()).files(Table::Metadata).iter().map(|f| f.rows).sum()
    }

    #[tokio::test]
    async fn a_part_is_replaced_as_a_whole_and_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let tenant = TenantId::default_tenant();
        let store = Store::open(StoreOptions::local(dir.path(), Arc::new(|| NOW))).await.unwrap();
        let put = async |part: &str, metrics: &[&str]| {
            let mut session = store.begin_part(&tenant, Table::Metadata, part);
            session.write(rows(metrics)).await.unwrap();
            session.commit().await.unwrap()
        };
        assert_eq!(put("a", &["x", "y"]).await.rows, 2);
        put("b", &["z"]).await;
        assert_eq!(count(&store), 3);
        let before = store.snapshot(&tenant);
        let report = put("a", &["v"]).await;
        assert_eq!((report.rows, report.files, report.files_replaced), (1, 1, 1));
        assert_eq!(count(&store), 2);
        // Who looked before still reads what was there before.
        for file in before.files(Table::Metadata) {
            store.objects().get(&file.path).await.unwrap();
        }
        drop(before);

        let mut dropped = store.begin_part(&tenant, Table::Metadata, "b");
        dropped.write(rows(&["1", "2"])).await.unwrap();
        drop(dropped);
        assert_eq!(count(&store), 2);
        store.begin_part(&tenant, Table::Metadata, "b").commit().await.unwrap();
        assert_eq!(store.parts(&tenant, Table::Metadata), BTreeSet::from(["a".to_owned()]));
        store.close().await.unwrap();
        drop(store);

        let store = Store::open(StoreOptions::local(dir.path(), Arc::new(|| NOW))).await.unwrap();
        assert_eq!(count(&store), 1);
    }
}
