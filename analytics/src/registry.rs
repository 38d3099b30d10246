//! Which queries run, which were slow, and how to end one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use grid_model::{TenantId, Timestamp};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::error::QueryError;
use crate::limits::{QUERY_TEXT_SHOWN_BYTES, SLOW_QUERIES_KEPT};

/// Where a query is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryState {
    /// Waits for its turn.
    Waiting,
    /// Is read, planned or runs.
    Running,
    /// Answered in full.
    Done,
    /// Ended by an error, by a deadline or by somebody.
    Failed,
    /// Its reader went away.
    Abandoned,
}

impl QueryState {
    /// The word in `grid.queries`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// One query.
#[derive(Debug, Clone)]
pub struct QueryInfo {
    /// Its id, by which it can be ended.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// Who asked, as far as known.
    pub client: Option<String>,
    /// The statement, cut if long.
    pub query: String,
    /// When it came.
    pub started: Timestamp,
    /// For how long.
    pub elapsed: Duration,
    /// Rows answered so far.
    pub rows: u64,
    /// Where it is.
    pub state: QueryState,
    /// Code and text of its error.
    pub error: Option<String>,
}

/// All queries of one engine.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    running: Mutex<BTreeMap<u64, Arc<Entry>>>,
    slow: Mutex<VecDeque<QueryInfo>>,
    next: AtomicU64,
    slow_after: Duration,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    tenant: TenantId,
    client: Option<String>,
    query: String,
    started: Timestamp,
    since: Instant,
    rows: AtomicU64,
    state: Mutex<(QueryState, Option<String>)>,
    token: CancellationToken,
}

impl Entry {
    fn info(&self) -> QueryInfo {
        let (state, error) = self.state.lock().clone();
        QueryInfo {
            id: id_of(self.number),
            tenant: self.tenant.clone(),
            client: self.client.clone(),
            query: self.query.clone(),
            started: self.started,
            elapsed: self.since.elapsed(),
            rows: self.rows.load(Ordering::Relaxed),
            state,
            error,
        }
    }
}

impl Entry {
    /// The first reason counts: what comes after is its consequence.
    fn fail(&self, error: &QueryError) {
        let mut state = self.state.lock();
        if state.0 != QueryState::Failed {
            *state = (QueryState::Failed, Some(format!("{}: {error}", error.code())));
        }
    }
}

fn id_of(number: u64) -> String {
    format!("q{number}")
}

impl Registry {
    pub(crate) fn new(slow_after: Duration) -> Self {
        Self { slow_after, ..Self::default() }
    }

    /// Enters a query; it leaves when the handle is dropped.
    pub(crate) fn enter(
        self: &Arc<Self>,
        tenant: &TenantId,
        client: Option<String>,
        query: &str,
        now: Timestamp,
    ) -> QueryHandle {
        let mut end = query.len().min(QUERY_TEXT_SHOWN_BYTES);
        while !query.is_char_boundary(end) {
            end -= 1;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = Arc::new(Entry {
            number,
            tenant: tenant.clone(),
            client,
            query: query[..end].to_owned(),
            started: now,
            since: Instant::now(),
            rows: AtomicU64::new(0),
            state: Mutex::new((QueryState::Waiting, None)),
            token: CancellationToken::new(),
        });
        self.running.lock().insert(number, Arc::clone(&entry));
        QueryHandle { registry: Arc::clone(self), entry }
    }

    pub(crate) fn running(&self) -> Vec<QueryInfo> {
        self.running.lock().values().map(|e| e.info()).collect()
    }

    /// The slow ones, youngest first.
    pub(crate) fn slow(&self) -> Vec<QueryInfo> {
        self.slow.lock().iter().rev().cloned().collect()
    }

    /// Ends a query of a tenant (of any, if none is given); whether there was one.
    pub(crate) fn cancel(&self, tenant: Option<&TenantId>, id: &str) -> bool {
        let Some(number) = id.strip_prefix('q').and_then(|n| n.parse::<u64>().ok()) else { return false };
        let running = self.running.lock();
        match running.get(&number).filter(|e| tenant.is_none_or(|t| *t == e.tenant)) {
            Some(entry) => {
                entry.token.cancel();
                true
            }
            None => false,
        }
    }
}

/// A query that runs; dropping it takes it off the list.
#[derive(Debug)]
pub(crate) struct QueryHandle {
    registry: Arc<Registry>,
    entry: Arc<Entry>,
}

impl QueryHandle {
    pub(crate) fn id(&self) -> String {
        id_of(self.entry.number)
    }

    pub(crate) fn token(&self) -> CancellationToken {
        self.entry.token.clone()
    }

    pub(crate) fn set(&self, state: QueryState) {
        self.entry.state.lock().0 = state;
    }

    pub(crate) fn fail(&self, error: &QueryError) {
        self.entry.fail(error);
    }

    /// What its reader keeps: a way to end the query, and to say why.
    pub(crate) fn watch(&self) -> Watch {
        Watch { entry: Arc::clone(&self.entry) }
    }

    pub(crate) fn add_rows(&self, rows: usize) -> u64 {
        self.entry.rows.fetch_add(rows as u64, Ordering::Relaxed) + rows as u64
    }
}

/// The reader's side of a query.
#[derive(Debug)]
pub(crate) struct Watch {
    entry: Arc<Entry>,
}

impl Watch {
    /// Ends the query for a reason.
    pub(crate) fn end(&self, reason: &QueryError) {
        self.entry.fail(reason);
        self.entry.token.cancel();
    }

    /// Ends the query if it still runs, because nobody reads its answer any more.
    pub(crate) fn leave(&self) {
        self.entry.token.cancel();
    }
}

impl Drop for QueryHandle {
    fn drop(&mut self) {
        self.registry.running.lock().remove(&self.entry.number);
        let mut info = self.entry.info();
        if matches!(info.state, QueryState::Waiting | QueryState::Running) {
            info.state = QueryState::Abandoned;
        }
        if info.elapsed >= self.registry.slow_after {
            tracing::info!(tenant = %info.tenant, id = info.id, elapsed_ms = info.elapsed.as_millis() as u64,
                state = info.state.as_str(), rows = info.rows, "slow query");
            let mut slow = self.registry.slow.lock();
            if slow.len() == SLOW_QUERIES_KEPT {
                slow.pop_front();
            }
            slow.push_back(info);
        }
    }
}
