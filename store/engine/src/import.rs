//! Importing a bill: its charges become sorted Parquet as they come, and one catalog transaction makes all of them visible,
//! with the record of the import, its rejects, and what it replaces hidden. A crash before that leaves files that nobody sees
//! and that the next start removes.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use grid_model::{Table, TenantId, Timestamp};

use crate::catalog::files::{Commit, NewFile, commit_in};
use crate::catalog::imports::{self, HiddenCharges, ImportRecord, ImportReject};
use crate::error::StoreError;
use crate::flush::{Origin, blocking, encode_rows, put_all};
use crate::store::{Shared, Store};

/// Rows that are sorted and written together: a file holds at most so many.
const CHUNK_ROWS: usize = 128 * 1024;

/// A whole bill in memory; larger ones go through [`Store::begin_import`].
#[derive(Debug, Clone)]
pub struct BillImport {
    /// The import, its reconciliation, files and periods.
    pub record: ImportRecord,
    /// The charges; `import_id` of each row is that of the record.
    pub batches: Vec<RecordBatch>,
    /// The listed rejects.
    pub rejects: Vec<ImportReject>,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReport {
    /// The id of the import.
    pub id: String,
    /// Whether the very same import was already there, so that nothing was done.
    pub existed: bool,
    /// Rows stored.
    pub rows: u64,
    /// Files written.
    pub files: usize,
    /// Bytes written.
    pub bytes: u64,
    /// Earlier imports of which rows are hidden now: id, billing account, start of the billing period.
    pub replaced: Vec<(String, String, Timestamp)>,
    /// The generation afterwards.
    pub generation: u64,
}

/// Why an import was not committed. Nothing of it is visible.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The rows do not belong to the record, or the record contradicts itself.
    #[error("the import {id} contradicts itself: {reason}")]
    Inconsistent {
        /// The import.
        id: String,
        /// What does not fit.
        reason: String,
    },
    /// The store failed.
    #[error("store the import")]
    Store(#[from] StoreError),
}

/// An import under way. One at a time per store, so that what it decides upon does not change beneath it.
pub struct ImportSession {
    shared: Arc<Shared>,
    tenant: TenantId,
    import_id: String,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    rows: u64,
    written: Vec<NewFile>,
    _only_one: tokio::sync::OwnedMutexGuard<()>,
}

impl Store {
    /// Begins an import; waits until no other is under way.
    pub async fn begin_import(&self, tenant: &TenantId) -> ImportSession {
        ImportSession {
            _only_one: Arc::clone(&self.shared.importing).lock_owned().await,
            shared: Arc::clone(&self.shared),
            tenant: tenant.clone(),
            import_id: String::new(),
            pending: Vec::new(),
            pending_rows: 0,
            rows: 0,
            written: Vec::new(),
        }
    }

    /// Imports a bill that is in memory: all of it or nothing. An import with the same id that is already there is left alone.
    pub async fn import(&self, tenant: &TenantId, import: BillImport) -> Result<ImportReport, ImportError> {
        let mut session = self.begin_import(tenant).await;
        session.start(&import.record.id);
        for batch in import.batches {
            session.write(batch).await?;
        }
        session.commit(import.record, &BTreeSet::new(), &import.rejects).await
    }
}

impl ImportSession {
    /// The earlier imports of a dataset, oldest first. None is added while this session lives.
    pub async fn known(&self, source: &str, dataset: &str) -> Result<Vec<ImportRecord>, StoreError> {
        let all = self.shared.catalog.imports(&self.tenant).await?;
        Ok(all.into_iter().filter(|r| r.source == source && r.dataset == dataset).collect())
    }

    /// Names the import to which the rows will belong.
    pub fn start(&mut self, import_id: &str) {
        import_id.clone_into(&mut self.import_id);
    }

    /// Adds charges. They rest in files once enough have come, but nobody sees them before the commit.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        self.pending_rows += batch.num_rows();
        self.rows += batch.num_rows() as u64;
        self.pending.push(batch);
        if self.pending_rows >= CHUNK_ROWS { self.write_pending().await } else { Ok(()) }
    }

    async fn write_pending(&mut self) -> Result<(), StoreError> {
        let batches = std::mem::take(&mut self.pending);
        self.pending_rows = 0;
        let origin = Origin {
            tenant: self.tenant.clone(),
            table: Table::Charges,
            // Charges are never overwritten by a later row, so their place in the order of writes does not matter.
            seqs: (0, 0),
            level: 0,
            import_id: Some(self.import_id.clone()),
        };
        let shared = Arc::clone(&self.shared);
        let now = (self.shared.options.clock)();
        let index = self.shared.state.write().series_of(&self.tenant);
        let encoded = blocking(move || encode_rows(&shared, &origin, &batches, &index, now)).await?;
        self.written.extend(put_all(&self.shared, encoded).await?);
        Ok(())
    }

    /// Makes everything visible at once. With `record.replaces`, earlier rows of the same source and dataset are hidden in
    /// the record's periods and in `also_replaced` (periods for which the bill says that nothing is left).
    pub async fn commit(
        mut self,
        record: ImportRecord,
        also_replaced: &BTreeSet<(String, Timestamp)>,
        rejects: &[ImportReject],
    ) -> Result<ImportReport, ImportError> {
        let inconsistent = |reason: String| ImportError::Inconsistent { id: record.id.clone(), reason };
        if record.id != self.import_id {
            return Err(inconsistent(format!("its rows belong to {:?}", self.import_id)));
        }
        if record.rows != self.rows {
            return Err(inconsistent(format!("{} rows were written, {} announced", self.rows, record.rows)));
        }
        if self.shared.catalog.import(&self.tenant, &record.id).await?.is_some() {
            self.abort().await;
            return Ok(ImportReport { id: record.id, existed: true, ..ImportReport::default() });
        }
        if !self.pending.is_empty() {
            self.write_pending().await?;
        }
        let (files, bytes) = (self.written.len(), self.written.iter().map(|f| f.bytes).sum());
        let mut replaced: BTreeSet<(String, Timestamp)> = also_replaced.clone();
        replaced.extend(record.periods.iter().map(|p| (p.account.clone(), p.start)));
        let commit = Commit { add: std::mem::take(&mut self.written), remove: Vec::new(), flushed_segment: None };

        let _one_at_a_time = self.shared.maintenance.lock().await;
        let mut tx = self.shared.catalog.pool().begin().await.map_err(StoreError::from)?;
        let hidden = imports::enter(&mut tx, &self.tenant, &record, &replaced, rejects).await?;
        let (added, generation) = commit_in(&mut tx, commit).await?;
        tx.commit().await.map_err(StoreError::from)?;
        self.shared.publish_import(&self.tenant, added, &hidden, generation);
        Ok(ImportReport { id: record.id, existed: false, rows: self.rows, files, bytes, replaced: hidden, generation })
    }

    /// Gives up: removes what was written. A session that is merely dropped leaves that to the next start.
    pub async fn abort(mut self) {
        for file in std::mem::take(&mut self.written) {
            if let Err(e) = self.shared.objects.delete(&file.path).await {
                tracing::warn!(path = file.path, error = %e, "file of an aborted import stays until the next start");
            }
        }
    }
}

impl Shared {
    /// New files and newly hidden rows become visible to readers in one step.
    fn publish_import(
        &self,
        tenant: &TenantId,
        added: Vec<crate::catalog::FileEntry>,
        newly_hidden: &[(String, String, Timestamp)],
        generation: u64,
    ) {
        let mut state = self.state.write();
        if !newly_hidden.is_empty() {
            let hidden: &mut HiddenCharges = Arc::make_mut(state.hidden.entry(tenant.clone()).or_default());
            for (import, account, start) in newly_hidden {
                hidden.insert(import.clone(), account.clone(), *start);
            }
        }
        for entry in added {
            let list = Arc::make_mut(state.files.entry((entry.tenant.clone(), entry.table)).or_default());
            list.push(Arc::new(entry));
            list.sort_by_key(|f| (f.max_seq, f.id));
        }
        state.generation = generation;
    }
}
