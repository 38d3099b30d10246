//! Importing a bill: its charges become sorted Parquet as they come, and one catalog transaction makes all of them visible,
//! with the record of the import, its rejects, and what it replaces hidden. A crash before that leaves files that nobody sees
//! and that the next start removes.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use grid_model::{Table, TenantId, Timestamp};
use tokio::task::JoinHandle;

use crate::catalog::conformance::{self, ImportConformance};
use crate::catalog::files::{Commit, FileEntry, NewFile, commit_in};
use crate::catalog::imports::{self, HiddenCharges, ImportRecord, ImportReject, Timeline};
use crate::error::StoreError;
use crate::flush::{Origin, blocking, encode_rows, put_all};
use crate::store::{Shared, Store};

/// Rows that are sorted and written together: a file holds at most so many.
const CHUNK_ROWS: usize = 64 * 1024;

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
    /// The rows before those pending, on their way into files while more are read.
    under_way: Option<JoinHandle<Result<Vec<NewFile>, StoreError>>>,
    conformance: Option<ImportConformance>,
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
            under_way: None,
            conformance: None,
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

    /// What the rules of the source's format said; kept with the import.
    pub fn conformance(&mut self, conformance: ImportConformance) {
        self.conformance = Some(conformance);
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
        // One at a time, so that memory holds two chunks at most.
        self.wait_for_files().await?;
        self.under_way = Some(tokio::spawn(async move {
            let encoder = Arc::clone(&shared);
            let encoded = blocking(move || encode_rows(&encoder, &origin, batches, &index, now)).await?;
            put_all(&shared, encoded).await
        }));
        Ok(())
    }

    /// Waits until all that is not pending rests in files.
    async fn wait_for_files(&mut self) -> Result<(), StoreError> {
        if let Some(task) = self.under_way.take() {
            self.written.extend(task.await.map_err(|_| StoreError::Closed)??);
        }
        Ok(())
    }

    /// Makes everything visible at once. With `record.replaces`, earlier rows of the same source and dataset are hidden in
    /// the record's periods and in `also_replaced` (periods for which the bill says that nothing is left).
    pub async fn commit(
        self,
        record: ImportRecord,
        also_replaced: &BTreeSet<(String, Timestamp)>,
        rejects: &[ImportReject],
    ) -> Result<ImportReport, ImportError> {
        // In a task of its own: a caller that stops waiting must not leave the catalog and the readers' state apart.
        let (also_replaced, rejects) = (also_replaced.clone(), rejects.to_vec());
        let task = tokio::spawn(self.commit_all(record, also_replaced, rejects));
        task.await.map_err(|_| StoreError::Closed)?
    }

    async fn commit_all(
        mut self,
        record: ImportRecord,
        also_replaced: BTreeSet<(String, Timestamp)>,
        rejects: Vec<ImportReject>,
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
        self.wait_for_files().await?;
        let (files, bytes) = (self.written.len(), self.written.iter().map(|f| f.bytes).sum());
        let mut replaced = also_replaced;
        replaced.extend(record.periods.iter().map(|p| (p.account.clone(), p.start)));
        let commit = Commit { add: self.written.clone(), remove: Vec::new(), flushed_segment: None };

        let shared = Arc::clone(&self.shared);
        let _one_at_a_time = shared.maintenance.lock().await;
        let mut tx = shared.catalog.begin().await?;
        let done = async {
            let hidden = imports::enter(&mut tx, &self.tenant, &record, &replaced, &rejects).await?;
            if let Some(conformance) = &self.conformance {
                conformance::enter(&mut tx, &self.tenant, &record.id, conformance).await?;
            }
            let (added, generation) = commit_in(&mut tx, commit).await?;
            Ok((hidden, added, generation))
        }
        .await;
        if done.is_ok() {
            // From here on the files may be visible even if the answer is an error: only the next start may judge them.
            self.written.clear();
        }
        let (hidden, added, generation) = tx.end(done).await?;
        shared.publish_import(&self.tenant, &record, added, &hidden, generation);
        Ok(ImportReport { id: record.id, existed: false, rows: self.rows, files, bytes, replaced: hidden, generation })
    }

    /// Gives up: what was written is removed. Dropping a session does the same, at the next sweep.
    pub async fn abort(mut self) {
        if let Err(e) = self.wait_for_files().await {
            tracing::warn!(error = %e, "rows of an aborted import were not written");
        }
        let shared = Arc::clone(&self.shared);
        drop(self);
        if let Err(e) = shared.sweep().await {
            tracing::warn!(error = %e, "files of an aborted import stay until the next sweep");
        }
    }
}

impl Drop for ImportSession {
    fn drop(&mut self) {
        // What it has written already, the next start removes.
        if let Some(task) = self.under_way.take() {
            task.abort();
        }
        let never_visible = std::mem::take(&mut self.written)
            .into_iter()
            .map(|file| Arc::new(FileEntry { id: 0, file, generation: 0 }));
        self.shared.graveyard.lock().extend(never_visible);
    }
}

impl Shared {
    /// New files and newly hidden rows become visible to readers in one step.
    fn publish_import(
        &self,
        tenant: &TenantId,
        record: &ImportRecord,
        added: Vec<FileEntry>,
        newly_hidden: &[(String, String, Timestamp)],
        generation: u64,
    ) {
        let mut state = self.state.write();
        let timeline: &mut Timeline = Arc::make_mut(state.timelines.entry(tenant.clone()).or_default());
        timeline.push(record.id.clone(), record.started);
        if !newly_hidden.is_empty() {
            let hidden: &mut HiddenCharges = Arc::make_mut(state.hidden.entry(tenant.clone()).or_default());
            for (import, account, start) in newly_hidden {
                hidden.insert(import.clone(), account.clone(), *start, record.id.clone());
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::AsArray as _;
    use grid_model::Amount;
    use grid_model::table::charges::{self, ChargeRow, ChargesBuilder, Column, Kind, Origin as RowOrigin};

    use super::*;
    use crate::catalog::{AsOf, ImportFile, ImportPeriod};
    use crate::parquet_read::read_all;
    use crate::store::StoreOptions;

    const SEPTEMBER: Timestamp = Timestamp(1_725_148_800_000_000_000);
    const OCTOBER: Timestamp = Timestamp(1_727_740_800_000_000_000);

    async fn open(dir: &std::path::Path) -> Store {
        Store::open(StoreOptions::local(dir, Arc::new(|| OCTOBER))).await.unwrap()
    }

    /// One charge of 1 per given period.
    fn bill(id: &str, replaces: bool, periods: &[(&str, Timestamp)]) -> BillImport {
        let mut builder = ChargesBuilder::default();
        for (n, (account, start)) in periods.iter().enumerate() {
            let mut row = ChargeRow::default();
            for c in Column::ALL.iter().filter(|c| c.is_required()) {
                match c.kind() {
                    Kind::Text => row.set_text(*c, "x"),
                    Kind::Amount => row.set_amount(*c, Amount(10_i128.pow(18))),
                    Kind::Time => row.set_time(*c, *start),
                }
            }
            row.set_text(Column::BillingAccountId, account);
            let origin = RowOrigin { import_id: id, source: "focus", file: "a.csv", row: n as u64 + 1 };
            builder.push(&origin, &row).unwrap();
        }
        let record = ImportRecord {
            id: id.to_owned(),
            source: "focus".to_owned(),
            dataset: "d".to_owned(),
            started: OCTOBER,
            replaces,
            manifest_version: Some("v".to_owned()),
            manifest_made: Some(Timestamp(7)),
            rows_source: periods.len() as u64 + 1,
            rows: periods.len() as u64,
            rejected: 1,
            totals: vec![crate::catalog::ImportTotal { currency: "x".to_owned(), ..Default::default() }],
            notes: Vec::new(),
            files: vec![ImportFile { name: "a.csv".to_owned(), sha256: format!("hash-{id}") }],
            periods: periods
                .iter()
                .map(|(account, start)| ImportPeriod {
                    account: (*account).to_owned(),
                    start: *start,
                    superseded_by: None,
                })
                .collect(),
        };
        let rejects = vec![ImportReject {
            file: "a.csv".to_owned(),
            row: 9,
            line: Some(10),
            reason: "no".to_owned(),
            cost: Some("0.5".to_owned()),
            currency: None,
            raw: "a,b".to_owned(),
        }];
        BillImport { record, batches: vec![builder.finish()], rejects }
    }

    /// Visible rows: `import account` of each, sorted.
    async fn visible(store: &Store) -> Vec<String> {
        visible_in(store, &store.snapshot(&TenantId::default_tenant())).await
    }

    async fn visible_in(store: &Store, snapshot: &crate::Snapshot) -> Vec<String> {
        let mut out = Vec::new();
        for file in snapshot.files(Table::Charges) {
            for batch in read_all(Table::Charges, store.objects().get(&file.path).await.unwrap()).unwrap() {
                let text = |name: &str| batch[name].as_string::<i32>().clone();
                let (ids, accounts) = (text(charges::IMPORT_ID), text(charges::BILLING_ACCOUNT_ID));
                let starts =
                    batch[charges::BILLING_PERIOD_START].as_primitive::<arrow::datatypes::TimestampNanosecondType>();
                for i in 0..batch.num_rows() {
                    let (id, account) = (ids.value(i), accounts.value(i));
                    assert_eq!(file.import_id.as_deref(), Some(id));
                    if !snapshot.hidden_charges().contains(id, account, Timestamp(starts.value(i))) {
                        out.push(format!("{id} {account}"));
                    }
                }
            }
        }
        out.sort_unstable();
        out
    }

    #[tokio::test]
    async fn a_restated_period_swaps_in_whole_and_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let tenant = TenantId::default_tenant();
        let store = open(dir.path()).await;
        store.import(&tenant, bill("one", false, &[("a", SEPTEMBER), ("b", SEPTEMBER), ("a", OCTOBER)])).await.unwrap();
        store.import(&tenant, bill("two", false, &[("a", SEPTEMBER)])).await.unwrap();
        assert_eq!(visible(&store).await, ["one a", "one a", "one b", "two a"]);
        let before = store.snapshot(&tenant);
        let report = store.import(&tenant, bill("three", true, &[("a", SEPTEMBER)])).await.unwrap();
        assert_eq!(
            report.replaced,
            [("one".to_owned(), "a".to_owned(), SEPTEMBER), ("two".to_owned(), "a".to_owned(), SEPTEMBER)]
        );
        let expected = ["one a", "one b", "three a"];
        assert_eq!(visible(&store).await, expected);
        // Who looked before still sees what was there before.
        assert!(before.hidden_charges().is_empty());
        let again = store.import(&tenant, bill("three", true, &[("a", SEPTEMBER)])).await.unwrap();
        assert!(again.existed);
        assert_eq!(visible(&store).await, expected);
        store.close().await.unwrap();
        drop(store);

        let store = open(dir.path()).await;
        assert_eq!(visible(&store).await, expected);
        let imports = store.catalog().imports(&tenant).await.unwrap();
        assert_eq!(imports.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["one", "two", "three"]);
        assert_eq!(imports.iter().map(ImportRecord::is_superseded).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(imports[2], bill("three", true, &[("a", SEPTEMBER)]).record);
        assert_eq!(store.catalog().rejects(&tenant, "two").await.unwrap(), bill("two", false, &[]).rejects);
        assert!(store.catalog().imports(&TenantId::grid()).await.unwrap().is_empty());
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn charges_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let tenant = TenantId::default_tenant();
        let store = open(dir.path()).await;
        let dated = |id: &str, replaces, day: i64| {
            let mut import = bill(id, replaces, &[("a", SEPTEMBER)]);
            import.record.started = Timestamp(OCTOBER.0 + day);
            import
        };
        store.import(&tenant, dated("one", false, 1)).await.unwrap();
        store.import(&tenant, dated("two", true, 2)).await.unwrap();
        store.import(&tenant, dated("three", false, 3)).await.unwrap();
        store.import(&tenant, dated("four", true, 4)).await.unwrap();
        let expected = [
            (AsOf::Time(OCTOBER), vec![]),
            (AsOf::Time(Timestamp(OCTOBER.0 + 1)), vec!["one a"]),
            (AsOf::Import("one".to_owned()), vec!["one a"]),
            (AsOf::Import("two".to_owned()), vec!["two a"]),
            (AsOf::Time(Timestamp(OCTOBER.0 + 3)), vec!["three a", "two a"]),
            (AsOf::Import("four".to_owned()), vec!["four a"]),
            (AsOf::Time(Timestamp::MAX), vec!["four a"]),
        ];
        let check = async |store: &Store| {
            for (as_of, expected) in &expected {
                let earlier = store.snapshot(&tenant).charges_as_of(as_of).unwrap();
                assert_eq!(visible_in(store, &earlier).await, *expected, "{as_of:?}");
            }
            let unknown = store.snapshot(&tenant).charges_as_of(&AsOf::Import("five".to_owned()));
            assert_eq!(unknown.err().unwrap().to_string(), "there is no import five");
        };
        check(&store).await;
        store.close().await.unwrap();
        drop(store);
        let store = open(dir.path()).await;
        check(&store).await;
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn another_dataset_or_tenant_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (tenant, other) = (TenantId::default_tenant(), TenantId::grid());
        let store = open(dir.path()).await;
        store.import(&tenant, bill("one", false, &[("a", SEPTEMBER)])).await.unwrap();
        let mut elsewhere = bill("two", true, &[("a", SEPTEMBER)]);
        elsewhere.record.dataset = "e".to_owned();
        assert!(store.import(&tenant, elsewhere).await.unwrap().replaced.is_empty());
        assert!(store.import(&other, bill("one", true, &[("a", SEPTEMBER)])).await.unwrap().replaced.is_empty());
        assert_eq!(visible(&store).await, ["one a", "two a"]);
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn an_import_that_is_not_committed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let tenant = TenantId::default_tenant();
        let store = open(dir.path()).await;
        let files = || async { store.objects().list().await.unwrap().len() };
        let mut session = store.begin_import(&tenant).await;
        session.start("one");
        session.write(bill("one", false, &[("a", SEPTEMBER)]).batches.remove(0)).await.unwrap();
        session.write_pending().await.unwrap();
        session.wait_for_files().await.unwrap();
        assert_eq!((files().await, visible(&store).await.len()), (1, 0));
        session.abort().await;
        assert_eq!(files().await, 0);

        // A record that does not match its rows.
        let mut wrong = bill("one", false, &[("a", SEPTEMBER)]);
        wrong.record.rows = 2;
        assert!(matches!(store.import(&tenant, wrong).await, Err(ImportError::Inconsistent { .. })));
        assert!(visible(&store).await.is_empty());

        // A crash after the files were written: the next start removes them.
        let mut session = store.begin_import(&tenant).await;
        session.start("one");
        session.write(bill("one", false, &[("a", SEPTEMBER)]).batches.remove(0)).await.unwrap();
        session.write_pending().await.unwrap();
        session.wait_for_files().await.unwrap();
        session.written.clear();
        drop(session);
        store.close().await.unwrap();
        drop(store);
        let store = open(dir.path()).await;
        assert_eq!(store.objects().list().await.unwrap().len(), 0);
        store.import(&tenant, bill("one", false, &[("a", SEPTEMBER)])).await.unwrap();
        assert_eq!(visible(&store).await, ["one a"]);
        store.close().await.unwrap();
    }
}
