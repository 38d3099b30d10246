//! What a reader holds: one tenant at one instant. Files that it names stay on disk as long as it lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use grid_model::{Table, TenantId};

use crate::catalog::{AsOf, FileEntry, HiddenCharges, NoSuchImport, Timeline};
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
    timeline: Arc<Timeline>,
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
        let timeline = state.timelines.get(tenant).cloned().unwrap_or_default();
        Self { tenant: tenant.clone(), generation: state.generation, files, buffered, series, hidden, timeline }
    }

    /// The same rows, but charges as they were: without what was imported later, and with what was replaced only later. Bills
    /// that a retention rule or a delete has removed since do not come back.
    pub fn charges_as_of(&self, as_of: &AsOf) -> Result<Self, NoSuchImport> {
        let hidden = self.timeline.hidden_as_of(&self.hidden, as_of)?;
        let mut earlier = self.clone();
        // A file of an import that is hidden altogether need not be read.
        let then = |f: &Arc<FileEntry>| !f.import_id.as_deref().is_some_and(|id| hidden.hides_all_of(id));
        let files = self.files(Table::Charges).iter().filter(|f| then(f)).cloned().collect();
        earlier.files.insert(Table::Charges, Arc::new(files));
        earlier.hidden = Arc::new(hidden);
        Ok(earlier)
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

    /// Charges that are in the files but that a later import replaced: no reader may show them.
    pub fn hidden_charges(&self) -> &HiddenCharges {
        &self.hidden
    }
}
