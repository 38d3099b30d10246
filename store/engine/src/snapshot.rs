//! What a reader holds: one tenant at one instant. Files that it names stay on disk as long as it lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use grid_model::{Table, TenantId, Timestamp};

use crate::catalog::{FileEntry, HiddenCharges, ImportRecord};
use crate::index::SeriesIndex;
use crate::store::State;

/// One tenant at one instant: files of one generation and the rows that are not in them.
#[derive(Clone)]
pub struct Snapshot {
    /// Whose rows.
    pub tenant: TenantId,
    /// Generation of the files.
    pub generation: u64,
    files: BTreeMap<Table, Arc<Vec<Arc<FileEntry>>>>,
    buffered: BTreeMap<Table, Vec<RecordBatch>>,
    series: Arc<SeriesIndex>,
    hidden: Arc<HiddenCharges>,
}

impl Snapshot {
    pub(crate) fn take(state: &State, tenant: &TenantId) -> Self {
        let mut files = BTreeMap::new();
        let mut buffered: BTreeMap<Table, Vec<RecordBatch>> = BTreeMap::new();
        for table in Table::ALL {
            if let Some(list) = state.files.get(&(tenant.clone(), table)) {
                files.insert(table, Arc::clone(list));
            }
            let sealed = state.sealed.iter().flat_map(|(b, _)| b.batches(tenant, table));
            let rows: Vec<RecordBatch> = sealed.chain(state.active.batches(tenant, table)).cloned().collect();
            if !rows.is_empty() {
                buffered.insert(table, rows);
            }
        }
        let series = state.series.get(tenant).cloned().unwrap_or_default();
        let hidden = state.hidden.get(tenant).cloned().unwrap_or_default();
        Self { tenant: tenant.clone(), generation: state.generation, files, buffered, series, hidden }
    }

    /// The files of a table, ordered by `max_seq`.
    pub fn files(&self, table: Table) -> &[Arc<FileEntry>] {
        self.files.get(&table).map_or(&[], |list| list.as_slice())
    }

    /// The rows of a table that are in no file, in the order of their writes; newer than every file.
    pub fn buffered(&self, table: Table) -> &[RecordBatch] {
        self.buffered.get(&table).map_or(&[], Vec::as_slice)
    }

    /// The tenant's series. Shared and growing: it may know series younger than this snapshot.
    pub fn series(&self) -> Arc<SeriesIndex> {
        Arc::clone(&self.series)
    }

    /// The same instant with bills as they were known at `at`: charges of imports that began later are hidden, and those that only later imports
    /// replaced are there again. `imports` are all imports of the tenant.
    pub(crate) fn with_bills_as_of(mut self, imports: &[ImportRecord], at: Timestamp) -> Self {
        let later: BTreeSet<&str> = imports.iter().filter(|r| r.started > at).map(|r| r.id.as_str()).collect();
        let mut hidden = HiddenCharges::default();
        for record in imports {
            let is_later = later.contains(record.id.as_str());
            for period in &record.periods {
                let replaced = period.superseded_by.as_deref().is_some_and(|by| !later.contains(by));
                if is_later || replaced {
                    hidden.insert(record.id.clone(), period.account.clone(), period.start);
                }
            }
        }
        self.hidden = Arc::new(hidden);
        self
    }

    /// Charges that are in the files but that a later import replaced: no reader may show them.
    pub fn hidden_charges(&self) -> &HiddenCharges {
        &self.hidden
    }
}
