//! Cost: who pays for what, as a table. Reads charges, rules and measurements, lets [`grid_cost`] think, writes `allocations`.
//!
//! Entry point: [`Engine::allocate`]. A part of the table is one billing period of one dataset; it is computed again when its imports, the
//! rules that hold in it or its measurements have changed, and replaced as a whole. Reading order: [`part`] (which parts there are, which are
//! stale) -> `charges` (groups of charges by SQL) -> [`measure`] (weights of shared cost by PromQL or SQL, [`cluster`] for Kubernetes) -> [`state`].

pub mod part;
pub mod state;
pub mod cluster;
pub mod measure;
pub mod node_cost;
pub mod joins;
mod charges;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use grid_cost::allocate::window_start;
use grid_cost::{AllocateError, Allocator, RuleMistake, Rules};
use grid_model::table::allocations::{AllocationsBuilder, Share};
use grid_model::{Scope, Table, TenantId, Timestamp};
use grid_store::{Document, DocumentError, DocumentKey, PartSession, StoreError};

use crate::engine::{Engine, Shared};
use crate::error::QueryError;
use crate::table::Source;
use charges::{Groups, Pass};
use part::Part;
use state::{PartState, StoredSums};

/// Kind of the document that holds a tenant's rules.
pub const RULES_KIND: &str = "allocation";
/// Its name: a tenant has one file of rules.
pub const RULES_NAME: &str = "rules";
/// Kind of the documents that hold the state of each part.
pub const STATE_KIND: &str = "allocation-state";
/// Kind of the document that holds other names of resources.
pub const ALIASES_KIND: &str = "resource-aliases";
/// Its name.
pub const ALIASES_NAME: &str = "aliases";

/// Rows that are handed to the store together.
const WRITE_ROWS: usize = 32 * 1024;

/// Why costs were not allocated.
#[derive(Debug, thiserror::Error)]
pub enum CostError {
    /// The rules do not read.
    #[error("the rules have {} mistakes: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Rules(Vec<RuleMistake>),
    /// A document that is no set of rules does not read.
    #[error("{0}")]
    Document(String),
    /// Somebody else changed the rules.
    #[error(transparent)]
    Ledger(#[from] DocumentError),
    /// Charges could not be read.
    #[error("read charges")]
    Query(#[from] QueryError),
    /// Measurements could not be read.
    #[error("measure {metric:?}: {reason}")]
    Metric {
        /// The metric.
        metric: String,
        /// What went wrong.
        reason: String,
    },
    /// The allocation itself.
    #[error(transparent)]
    Allocate(#[from] AllocateError),
    /// The store.
    #[error("keep allocations")]
    Store(#[from] StoreError),
}

/// The rules in force.
#[derive(Debug, Clone)]
pub struct ActiveRules {
    /// The rules.
    pub rules: Arc<Rules>,
    /// The document; `None` = the default rules.
    pub document: Option<Document>,
}

impl ActiveRules {
    /// The version of the document; 0 = the default rules.
    pub fn version(&self) -> u64 {
        self.document.as_ref().map_or(0, |d| d.version)
    }
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct AllocationReport {
    /// Parts that were computed, with what came out.
    pub computed: Vec<(String, PartState)>,
    /// Parts that were up to date.
    pub unchanged: usize,
    /// Parts that are gone, since no charges of theirs are left.
    pub dropped: Vec<String>,
}

/// The document that holds a tenant's rules.
pub fn rules_key(tenant: &TenantId) -> DocumentKey {
    DocumentKey { tenant: tenant.clone(), kind: RULES_KIND, name: RULES_NAME.to_owned() }
}

impl Engine {
    /// The rules of a tenant, the default ones if it has written none.
    pub async fn cost_rules(&self, tenant: &TenantId) -> Result<ActiveRules, CostError> {
        let document = self.shared.store.catalog().document(&rules_key(tenant)).await?;
        let text = document.as_ref().map_or(grid_cost::rules::DEFAULT, |d| d.body.as_str());
        let rules = Arc::new(Rules::parse(text).map_err(CostError::Rules)?);
        Ok(ActiveRules { rules, document })
    }

    /// Writes new rules, once they read. `expected` is the version that the writer has seen, 0 = none.
    pub async fn put_cost_rules(
        &self,
        tenant: &TenantId,
        text: &str,
        author: &str,
        expected: Option<u64>,
    ) -> Result<ActiveRules, CostError> {
        let rules = Arc::new(Rules::parse(text).map_err(CostError::Rules)?);
        let store = &self.shared.store;
        let document = store.catalog().put_document(&rules_key(tenant), text, author, expected, store.now()).await?;
        Ok(ActiveRules { rules, document: Some(document) })
    }

    /// Brings `allocations` of a tenant up to date; with `all`, computes every part again. One run at a time; a caller that goes away lets
    /// it end.
    pub async fn allocate(&self, tenant: &TenantId, all: bool) -> Result<AllocationReport, CostError> {
        let gone = || CostError::Query(QueryError::Internal("the engine has ended".into()));
        let (engine, tenant) = (self.clone(), tenant.clone());
        let work: BoxFuture<'static, _> = Box::pin(async move { engine.allocate_here(&tenant, all).await });
        self.shared.runtime.spawn(work).ok_or_else(gone)?.await.map_err(|_| gone())?
    }

    /// Whether a run of [`Engine::allocate`] would have something to do.
    pub async fn allocations_are_stale(&self, tenant: &TenantId) -> Result<bool, CostError> {
        let active = self.cost_rules(tenant).await?;
        let (parts, states) = (self.cost_parts(tenant).await?, self.allocation_states(tenant).await?);
        let now = self.shared.store.now();
        let stale = parts.iter().any(|p| states.get(&p.name).is_none_or(|s| s.is_stale(p, &active.rules, now)));
        Ok(stale || self.shared.store.parts(tenant, Table::Allocations).len() > parts.len())
    }

    async fn allocate_here(&self, tenant: &TenantId, all: bool) -> Result<AllocationReport, CostError> {
        let _one_at_a_time = self.shared.allocating.lock().await;
        let active = self.cost_rules(tenant).await?;
        let (parts, states) = (self.cost_parts(tenant).await?, self.allocation_states(tenant).await?);
        let mut report = AllocationReport::default();
        for part in &parts {
            let now = self.shared.store.now();
            if !all && states.get(&part.name).is_some_and(|s| !s.is_stale(part, &active.rules, now)) {
                report.unchanged += 1;
                continue;
            }
            let state = self.allocate_part(tenant, part, &active).await?;
            self.keep_state(tenant, &part.name, &state).await?;
            report.computed.push((part.name.clone(), state));
        }
        for name in self.shared.store.parts(tenant, Table::Allocations) {
            if parts.iter().all(|p| p.name != name) {
                self.shared.store.begin_part(tenant, Table::Allocations, &name).commit().await?;
                self.drop_state(tenant, &name).await?;
                report.dropped.push(name);
            }
        }
        Ok(report)
    }

    async fn allocate_part(
        &self,
        tenant: &TenantId,
        part: &Part,
        active: &ActiveRules,
    ) -> Result<PartState, CostError> {
        let started = Instant::now();
        let rules = &active.rules;
        // One snapshot for all passes: what an import changes meanwhile makes the part stale, not inconsistent.
        let source = self.shared.source(&Scope::all(tenant.clone()));
        let range = charges::range(&self.shared, &source, part).await?;
        let weights = self.measure(tenant, rules, range).await?;
        let mut allocator = Allocator::new(rules, &weights);
        if rules.needs_direct() {
            self.each_group(&source, rules, part, Pass::Direct, |groups, row| {
                let fields = groups.fields(row);
                allocator.observe(&groups.charge(row, &fields)).map_err(CostError::from)
            })
            .await?;
        }
        let mut session = self.shared.store.begin_part(tenant, Table::Allocations, &part.name);
        let mut writer = Writer { builder: AllocationsBuilder::default(), full: Vec::new(), charges: 0, rows: 0 };
        let mut rows = Vec::new();
        let mut groups = Groups::open(&self.shared, &source, rules, part, Pass::Rows).await?;
        while let Some(batch) = groups.next().await? {
            for row in 0..batch.len() {
                rows.clear();
                let fields = batch.fields(row);
                allocator.allocate(&batch.charge(row, &fields), &mut rows)?;
                writer.push(&batch, row, part, rules, &rows);
            }
            writer.flush(&mut session, WRITE_ROWS).await?;
        }
        writer.flush(&mut session, 1).await?;
        session.commit().await?;
        let summary = allocator.summary();
        let sums: BTreeMap<String, StoredSums> = summary.sums.iter().map(|(c, s)| (c.0.clone(), s.into())).collect();
        Ok(PartState {
            imports: part.fingerprint.clone(),
            rules: PartState::fingerprint_of(rules, range),
            rules_version: active.version(),
            from: range.map_or(0, |r| r.0.0),
            until: range.map_or(0, |r| r.1.0),
            measured_hour: state::measured_hour(rules, self.shared.store.now(), range),
            rows: writer.rows,
            charges: writer.charges,
            sums,
            unsplit: summary.unsplit.iter().map(|(rule, n)| (rule.to_string(), *n)).collect(),
            computed: self.shared.store.now().0,
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    async fn each_group(
        &self,
        source: &Arc<Source>,
        rules: &Rules,
        part: &Part,
        pass: Pass,
        mut with: impl FnMut(&charges::GroupBatch, usize) -> Result<(), CostError>,
    ) -> Result<(), CostError> {
        let mut groups = Groups::open(&self.shared, source, rules, part, pass).await?;
        while let Some(batch) = groups.next().await? {
            for row in 0..batch.len() {
                with(&batch, row)?;
            }
        }
        Ok(())
    }
}

/// Rows on their way into a part.
struct Writer {
    builder: AllocationsBuilder,
    full: Vec<arrow::array::RecordBatch>,
    charges: u64,
    rows: u64,
}

impl Writer {
    fn push(
        &mut self,
        batch: &charges::GroupBatch,
        row: usize,
        part: &Part,
        rules: &Rules,
        shares: &[grid_cost::Allocated],
    ) {
        let mut origin = batch.origin(row, part.period);
        origin.window_start = window_start(origin.window_start, rules.window);
        self.charges += origin.charges;
        for share in shares {
            let said = Share {
                owner: share.owner.as_deref().unwrap_or_default(),
                kind: share.kind.name(),
                rule: &share.rule,
                cost: share.cost,
            };
            self.builder.push(&origin, &said, share.dimensions.iter().map(|(k, v)| (&**k, &**v)));
        }
        self.rows += shares.len() as u64;
        if self.builder.len() >= WRITE_ROWS {
            self.full.push(self.builder.finish());
        }
    }

    async fn flush(&mut self, session: &mut PartSession, at_least: usize) -> Result<(), StoreError> {
        if self.builder.len() >= at_least && !self.builder.is_empty() {
            self.full.push(self.builder.finish());
        }
        for batch in self.full.drain(..) {
            session.write(batch).await?;
        }
        Ok(())
    }
}

/// Reads all batches of a statement of our own, over a snapshot that is held.
async fn read_all(
    shared: &Shared,
    source: &Arc<Source>,
    sql: &str,
) -> Result<Vec<arrow::array::RecordBatch>, QueryError> {
    let mut stream = charges::execute(shared, source, sql).await?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        batches.push(batch.map_err(|e| QueryError::from_datafusion(&e))?);
    }
    Ok(batches)
}

/// An instant as SQL types it.
fn sql_time(at: Timestamp) -> String {
    format!("TIMESTAMP '{at}'")
}

/// A text literal.
fn sql_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
