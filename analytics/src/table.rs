//! Tables as DataFusion sees them, all of one tenant at one instant.
//!
//! [`files`] reads what rests as rows (logs, spans, charges, ...); [`samples`] the same with "the later write wins";
//! [`metric`] is one metric's samples with labels as columns; [`series`] and [`system`] are made from memory and catalog; [`lent`] is what others keep.

pub(crate) mod files;
pub(crate) mod lent;
pub(crate) mod samples;
pub(crate) mod overlap;
pub(crate) mod metric;
pub(crate) mod series;
pub(crate) mod charges;
pub(crate) mod prices;
pub(crate) mod system;
pub(crate) mod prune;
pub(crate) mod scan_exec;
pub(crate) mod dedup_exec;
pub(crate) mod series_exec;
pub(crate) mod series_rows;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use datafusion::catalog::TableProvider;
use datafusion::execution::object_store::ObjectStoreUrl;
use grid_model::TimeRange;
use grid_store::catalog::{AsOf, NoSuchImport};
use grid_store::{Snapshot, Store};
use tokio::sync::OnceCell;

use crate::registry::Registry;
use metric::MetricCache;
use series::MetricFacts;
use series_rows::SeriesRowsCache;

/// What the tables of one query read from.
pub(crate) struct Source {
    /// One tenant at one instant. Held until the answer is read, so that its files stay on disk.
    pub snapshot: Snapshot,
    /// The store, for catalog and text indexes.
    pub store: Store,
    /// The only times that are visible.
    pub range: TimeRange,
    /// Where DataFusion finds the store's files.
    pub url: ObjectStoreUrl,
    /// Label columns of metrics, shared by all queries.
    pub metrics: Arc<MetricCache>,
    /// Where in files the rows of series are, shared by all queries.
    pub series_rows: Arc<SeriesRowsCache>,
    /// Running and slow queries.
    pub registry: Arc<Registry>,
    /// What clients said about metrics; read at first need.
    pub facts: OnceCell<Arc<BTreeMap<String, MetricFacts>>>,
    /// The view of prices learnt from bills; planned if the statement names it.
    pub own_prices: OnceLock<Arc<dyn TableProvider>>,
    /// The view of alerts; likewise.
    pub alerts: OnceLock<Arc<dyn TableProvider>>,
    /// Tables that others keep.
    pub borrowed: lent::Borrowed,
}

impl Source {
    /// The same, with charges as they were.
    fn charges_as_of(&self, as_of: &AsOf) -> Result<Self, NoSuchImport> {
        Ok(Self {
            snapshot: self.snapshot.charges_as_of(as_of)?,
            store: self.store.clone(),
            range: self.range,
            url: self.url.clone(),
            metrics: Arc::clone(&self.metrics),
            series_rows: Arc::clone(&self.series_rows),
            registry: Arc::clone(&self.registry),
            facts: OnceCell::new(),
            own_prices: OnceLock::new(),
            alerts: OnceLock::new(),
            borrowed: lent::Borrowed::of(self.borrowed.lender.clone()),
        })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({}, generation {})", self.snapshot.tenant, self.snapshot.generation)
    }
}
