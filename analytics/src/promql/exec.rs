//! Running a query: its scans on the engine's threads, the evaluator on one that may block ([`super::here`]: small ones without either).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use datafusion::catalog::Session;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::{FutureExt as _, StreamExt as _};
use grid_model::{Scope, TenantId};
use grid_promql::Labels;
use grid_promql::plan::Plan;
use grid_promql::points::Grid;
use grid_promql::query::{self, Options};
use grid_promql::samples::{Leaf, Samples, Source as _};
use grid_promql_syntax::{Expr, Features};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::here::{self, Ready};
use super::merge::{Batches, Input, Merge, Source as Merged};
use super::metadata::Selection;
use super::plan::{LeafScan, Part, Wanted, scan};
use super::reader::{LeafRead, Leaves};
use super::{PromqlAnswer, PromqlError, PromqlRequest};
use crate::engine::Shared;
use crate::error::QueryError;
use crate::registry::{QueryHandle, QueryState, Watch};
use crate::table::Source;

/// Whether the evaluator is to go on, or why not.
const GO_ON: u8 = 0;
const CANCELLED: u8 = 1;
const LATE: u8 = 2;

/// Batches of one source that wait for the evaluator.
const BATCHES_WAITING: usize = 2;

/// Ends the query when nobody waits for its answer any more.
struct Leave(Watch);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.leave();
    }
}

pub(super) async fn run(shared: Arc<Shared>, request: PromqlRequest) -> Result<PromqlAnswer, PromqlError> {
    let started = Instant::now();
    let query = Query::of(&shared, &request, parse(&shared, &request)?);
    let plan = Plan::new(&query.expr, query.grid, &query.options)?;
    let place = here::place(&shared, &request.tenant, &query.text, &plan);
    let (asked, scope) = (Asked::of(&request), Scope::all(request.tenant));
    let work = move |shared: Arc<Shared>, handle: Arc<QueryHandle>, deadline| async move {
        let answer = here::evaluate(&shared, &scope, query, plan, &handle, deadline).await?;
        handle.add_rows(usize::try_from(answer.samples_read).unwrap_or(usize::MAX));
        Ok(answer)
    };
    let (mut answer, query_id) = in_turn(shared, asked, place, work).await?;
    answer.elapsed = started.elapsed();
    answer.query_id = query_id;
    Ok(answer)
}

pub(super) fn parse(shared: &Shared, request: &PromqlRequest) -> Result<Expr, PromqlError> {
    grid_promql_syntax::parse(&request.query, &shared.limits.promql.features).map_err(PromqlError::Parse)
}

/// Who asks for what, as the list of queries shows it.
pub(super) struct Asked {
    pub tenant: TenantId,
    pub client: Option<String>,
    pub text: String,
    pub timeout: Option<Duration>,
}

impl Asked {
    pub(super) fn of(request: &PromqlRequest) -> Self {
        let (tenant, client) = (request.tenant.clone(), request.client.clone());
        Self { tenant, client, text: request.query.clone(), timeout: request.timeout }
    }
}

/// On which threads a query is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Those of whoever asks.
    Here,
    /// Those that serve nothing but queries.
    QueryThreads,
}

/// Does some work when it is its turn; answers what it made, and the query's id.
pub(super) async fn in_turn<T, F>(
    shared: Arc<Shared>,
    asked: Asked,
    place: Place,
    work: impl FnOnce(Arc<Shared>, Arc<QueryHandle>, Instant) -> F,
) -> Result<(T, String), PromqlError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, PromqlError>> + Send + 'static,
{
    let limits = &shared.limits;
    let handle = shared.registry.enter(&asked.tenant, asked.client, &asked.text, shared.store.now());
    let timeout = asked.timeout.unwrap_or(limits.timeout).min(limits.timeout_max);
    let deadline = Instant::now() + timeout;
    let permit = shared.turn(&handle, deadline, timeout).await.inspect_err(|e| handle.fail(e))?;
    handle.set(QueryState::Running);
    let leave = Leave(handle.watch());
    let query_id = handle.id();
    let handle = Arc::new(handle);
    let working = work(Arc::clone(&shared), Arc::clone(&handle), deadline);
    let task = async move {
        let _permit = permit;
        let result = working.await;
        match &result {
            Ok(_) => handle.set(QueryState::Done),
            Err(PromqlError::Engine(e)) => handle.fail(e),
            Err(e) => handle.fail(&QueryError::Data(e.to_string())),
        }
        result
    };
    let ended = || PromqlError::Engine(QueryError::Internal("the query's task ended unexpectedly".into()));
    let done = match place {
        // As a task of its own does, this keeps a fault of ours from ending more than the query.
        Place::Here => AssertUnwindSafe(task).catch_unwind().await.map_err(|_| ended())?,
        Place::QueryThreads => shared.runtime.spawn(task).ok_or_else(ended)?.await.map_err(|_| ended())?,
    };
    drop(leave);
    Ok((done?, query_id))
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn failed(e: DataFusionError) -> PromqlError {
    QueryError::from_datafusion(&e).into()
}

/// An expression, and at which steps.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub text: String,
    /// With which the text was read.
    pub features: Features,
    pub expr: Expr,
    pub grid: Grid,
    pub options: Options,
}

impl Query {
    /// What is asked, with the engine's settings where the request says nothing.
    pub(super) fn of(shared: &Shared, request: &PromqlRequest, expr: Expr) -> Self {
        let settings = &shared.limits.promql;
        let options = Options {
            lookback: request.lookback.unwrap_or(settings.lookback),
            subquery_step: settings.subquery_step,
            delayed_name_removal: settings.features.delayed_name_removal,
            start_timestamps: settings.features.start_timestamps,
            memory_bytes: shared.limits.query_memory_bytes,
        };
        Self { text: request.query.clone(), features: settings.features, expr, grid: request.grid, options }
    }
}

/// Whose data a plan is of, and as of when.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub tenant: TenantId,
    pub generation: u64,
}

/// A query with the scans of its selectors.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub origin: Origin,
    pub query: Arc<Query>,
    pub plan: Arc<Plan>,
    pub scans: Vec<LeafScan>,
}

impl Planned {
    pub(super) async fn new(source: &Arc<Source>, state: &dyn Session, query: Query) -> Result<Self, PromqlError> {
        let plan = Plan::new(&query.expr, query.grid, &query.options)?;
        let wanted = Wanted { starts: query.options.start_timestamps, before: query.options.lookback };
        let mut scans = Vec::with_capacity(plan.leaves.len());
        for leaf in &plan.leaves {
            let scan = scan(source, state, leaf, wanted).await;
            scans.push(scan.map_err(failed)?);
        }
        let origin = Origin { tenant: source.snapshot.tenant.clone(), generation: source.snapshot.generation };
        Ok(Self { origin, query: Arc::new(query), plan: Arc::new(plan), scans })
    }

    /// Runs the scans, and the evaluator on a thread that may block. The scans end with the token.
    pub(super) async fn evaluate(
        &self,
        context: &Arc<TaskContext>,
        token: &CancellationToken,
        deadline: Instant,
    ) -> Result<PromqlAnswer, PromqlError> {
        let scans = self.scans.iter().map(|scan| start(scan, context, token, deadline));
        let leaves = Leaves(scans.collect());
        evaluate_apart(Arc::clone(&self.query), Arc::clone(&self.plan), leaves, token, deadline).await
    }
}

/// Evaluates a query on a thread that may block.
pub(super) async fn evaluate_apart(
    query: Arc<Query>,
    plan: Arc<Plan>,
    leaves: Leaves,
    token: &CancellationToken,
    deadline: Instant,
) -> Result<PromqlAnswer, PromqlError> {
    let leaves = Arc::new(leaves);
    let read = Arc::clone(&leaves);
    let first = if Instant::now() < deadline { GO_ON } else { LATE };
    let (stop, ending) = (Arc::new(AtomicU8::new(first)), token.clone());
    let stopped = Arc::clone(&stop);
    // Asked for each series, so it is one look at memory.
    let watch = tokio::spawn(async move {
        let why = tokio::select! {
            () = ending.cancelled() => CANCELLED,
            () = tokio::time::sleep_until(deadline) => LATE,
        };
        stop.store(why, Ordering::Relaxed);
    });
    let evaluated = tokio::task::spawn_blocking(move || {
        let interrupt = || match stopped.load(Ordering::Relaxed) {
            GO_ON => Ok(()),
            LATE => Err(grid_promql::Error::Timeout),
            _ => Err(grid_promql::Error::Cancelled),
        };
        query::run(&query.text, &query.expr, &plan, &query.options, read.as_ref(), &interrupt)
    });
    let ended = || PromqlError::Engine(QueryError::Internal("the evaluator ended unexpectedly".into()));
    let answer = evaluated.await.map_err(|_| ended()).and_then(|answer| Ok(answer?));
    watch.abort();
    // Scans that nobody reads any more end.
    let answer = answer.inspect_err(|_| token.cancel())?;
    let (samples_read, samples_peak) = leaves.samples();
    Ok(PromqlAnswer { answer, samples_read, samples_peak, elapsed: Duration::ZERO, query_id: String::new() })
}

/// The samples of selected series, without an expression.
pub(super) async fn raw(shared: Arc<Shared>, selection: Selection) -> Result<Vec<(Labels, Samples)>, PromqlError> {
    let now = shared.store.now();
    let handle = shared.registry.enter(&selection.tenant, None, "remote read", now);
    let timeout = shared.limits.timeout;
    let deadline = Instant::now() + timeout;
    let permit = shared.turn(&handle, deadline, timeout).await?;
    handle.set(QueryState::Running);
    let leave = Leave(handle.watch());
    let ended = || PromqlError::Engine(QueryError::Internal("the read ended unexpectedly".into()));
    let runner = Arc::clone(&shared);
    let task = async move {
        let _permit = permit;
        let read = read_raw(&runner, &selection, &handle, deadline).await;
        handle.set(QueryState::Done);
        read
    };
    let running = shared.runtime.spawn(task).ok_or_else(ended)?;
    let read = running.await.map_err(|_| ended())?;
    drop(leave);
    read
}

async fn read_raw(
    shared: &Arc<Shared>,
    selection: &Selection,
    handle: &QueryHandle,
    deadline: Instant,
) -> Result<Vec<(Labels, Samples)>, PromqlError> {
    let token = handle.token();
    let source = shared.source(&Scope::all(selection.tenant.clone()));
    let (from, until) = selection.range;
    let mut all = Vec::new();
    let limit = shared.limits.query_memory_bytes;
    let mut bytes = 0;
    for set in &selection.sets {
        let leaf = Leaf { matchers: set.clone(), after: from.saturating_sub(1), until, counts_only: false };
        let wanted = Wanted { starts: false, before: 0 };
        let leaves = Leaves(vec![Ready::of(shared, &source, &leaf, wanted, &token, deadline).await?.read]);
        let read = tokio::task::spawn_blocking(move || {
            let mut found = Vec::new();
            for mut part in leaves.select(0, &leaf)? {
                let mut samples = Samples::default();
                while let Some(labels) = part.next(&mut samples)? {
                    bytes += samples.len() * 16 + labels.bytes();
                    if bytes > limit {
                        return Err(grid_promql::Error::TooMuchMemory(limit));
                    }
                    found.push((labels, std::mem::take(&mut samples)));
                }
            }
            Ok((found, bytes))
        });
        let read = read.await;
        let read = read.map_err(|_| PromqlError::Engine(QueryError::Internal("the read ended unexpectedly".into())))?;
        let (found, so_far) = read?;
        bytes = so_far;
        all.extend(found);
    }
    all.sort_by(|a: &(Labels, Samples), b| a.0.cmp(&b.0));
    all.dedup_by(|a, b| a.0 == b.0);
    Ok(all)
}

/// Starts the scans of a selector; they wait until the evaluator reads them.
fn start(scan: &LeafScan, context: &Arc<TaskContext>, token: &CancellationToken, deadline: Instant) -> LeafRead {
    let part = |part: &Part| {
        Merge::new(part.inputs.iter().map(|input| scanned(input, context, token, deadline)).collect(), part.range)
    };
    let parts = scan.parts.iter().map(part).collect();
    LeafRead { chosen: Arc::clone(&scan.chosen), parts: Mutex::new(parts), samples: AtomicU64::new(0) }
}

/// Starts one scan.
pub(super) fn scanned(
    input: &Input,
    context: &Arc<TaskContext>,
    token: &CancellationToken,
    deadline: Instant,
) -> Merged {
    let (sender, receiver) = mpsc::channel(BATCHES_WAITING);
    tokio::spawn(pump(Arc::clone(&input.plan), Arc::clone(context), sender, token.clone(), deadline));
    Merged::rows(Batches::Scanned(receiver), Arc::clone(&input.runs))
}

type Sender = mpsc::Sender<Result<arrow::array::RecordBatch, grid_promql::Error>>;

async fn pump(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    sender: Sender,
    token: CancellationToken,
    deadline: Instant,
) {
    let storage = |e: datafusion::common::DataFusionError| match QueryError::from_datafusion(&e) {
        QueryError::Cancelled => grid_promql::Error::Cancelled,
        e @ QueryError::Memory(_) => grid_promql::Error::Execution(e.to_string()),
        e => grid_promql::Error::Storage(e.to_string()),
    };
    // A reader that is there has made room for one batch before anything is read.
    let mut stream = match plan.execute(0, context) {
        Ok(stream) => stream,
        Err(e) => {
            let _ = sender.send(Err(storage(e))).await;
            return;
        }
    };
    loop {
        let next = tokio::select! {
            biased;
            () = sender.closed() => return,
            () = token.cancelled() => Err(grid_promql::Error::Cancelled),
            () = tokio::time::sleep_until(deadline) => Err(grid_promql::Error::Timeout),
            batch = stream.next() => match batch {
                None => return,
                Some(batch) => batch.map_err(storage),
            },
        };
        let end = next.is_err();
        if sender.send(next).await.is_err() || end {
            return;
        }
    }
}
