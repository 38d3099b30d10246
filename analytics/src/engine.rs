//! The engine: takes a statement of one tenant, answers a stream of batches, within bounds.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::information_schema::INFORMATION_SCHEMA;
use datafusion::catalog::view::ViewTable;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::SessionState;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use futures::{Stream, StreamExt as _};
use grid_model::{Scope, TenantId, Timestamp};
use grid_store::catalog::AsOf;
use grid_store::{Snapshot, Store};
use serde_json::Value;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, Sleep};

use crate::alerts;
use crate::catalog::TenantCatalog;
use crate::error::{Position, QueryError, nearest};
use crate::guard;
use crate::limits::{ANSWER_QUEUE, QueryLimits};
use crate::price::own;
use crate::registry::{QueryHandle, QueryInfo, QueryState, Registry, Watch};
use crate::runtime::QueryRuntime;
use crate::session::Sessions;
use crate::table::Source;
use crate::table::lent::{Borrowed, Lender};
use crate::table::metric::MetricCache;
use crate::table::series_rows::SeriesRowsCache;

/// What is asked.
#[derive(Debug, Clone)]
pub struct SqlRequest {
    /// Whose tables, and which times of them.
    pub scope: Scope,
    /// One statement.
    pub query: String,
    /// Values of `$1`, `$2`, ... (or of each `?`): numbers, texts, booleans, nulls.
    pub params: Vec<Value>,
    /// How long it may take; the engine's default if not given, and never more than its maximum.
    pub timeout: Option<Duration>,
    /// Rows that the answer may have; never more than the engine's maximum.
    pub max_rows: Option<usize>,
    /// Rows go to a file as they come: their number has no bound.
    pub unbounded: bool,
    /// Who asks, for the list of queries.
    pub client: Option<String>,
    /// Shows charges as their bills were known at this time; as they are known now, if not given.
    pub bills_as_of: Option<Timestamp>,
}

impl SqlRequest {
    /// A statement over all times of a tenant.
    pub fn new(tenant: TenantId, query: impl Into<String>) -> Self {
        Self {
            scope: Scope::all(tenant),
            query: query.into(),
            params: Vec::new(),
            timeout: None,
            max_rows: None,
            unbounded: false,
            client: None,
            bills_as_of: None,
        }
    }
}

/// A stream of batches; dropping it ends the query.
pub type AnswerStream = Pin<Box<dyn Stream<Item = Result<RecordBatch, QueryError>> + Send>>;

/// An answer that is being computed.
pub struct SqlAnswer {
    /// Columns of the answer.
    pub schema: SchemaRef,
    /// Its rows.
    pub stream: AnswerStream,
    /// The query's id, by which it can be ended.
    pub query_id: String,
}

impl std::fmt::Debug for SqlAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqlAnswer({})", self.query_id)
    }
}

impl SqlAnswer {
    /// All rows at once.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>, QueryError> {
        let mut batches = Vec::new();
        while let Some(batch) = self.stream.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }
}

/// The query engine of one store. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub store: Store,
    pub limits: QueryLimits,
    pub sessions: Sessions,
    pub runtime: QueryRuntime,
    turns: Arc<Semaphore>,
    pub registry: Arc<Registry>,
    metrics: Arc<MetricCache>,
    series_rows: Arc<SeriesRowsCache>,
    /// Who keeps the tables that do not rest in the store.
    lender: OnceLock<Arc<dyn Lender>>,
    /// Held by a run that writes allocations.
    pub allocating: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// An engine with threads of its own. Fails if the system gives no threads or no directory to spill to.
    pub fn new(store: Store, limits: QueryLimits) -> Result<Self, QueryError> {
        let runtime = QueryRuntime::new(limits.threads).map_err(|e| QueryError::Internal(e.to_string()))?;
        let sessions =
            Sessions::new(&store, &limits, runtime.threads()).map_err(|e| QueryError::from_datafusion(&e))?;
        let shared = Shared {
            turns: Arc::new(Semaphore::new(limits.concurrent.max(1))),
            registry: Arc::new(Registry::new(limits.slow)),
            metrics: Arc::new(MetricCache::default()),
            series_rows: Arc::new(SeriesRowsCache::default()),
            lender: OnceLock::new(),
            allocating: tokio::sync::Mutex::new(()),
            store,
            limits,
            sessions,
            runtime,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Lets statements read what somebody else keeps ([`grid_model::Lent`]). The first counts; without one these tables are empty.
    pub fn borrow_from(&self, lender: Arc<dyn Lender>) {
        // A second one would be a mistake of whoever wires, and harmless.
        let _ = self.shared.lender.set(lender);
    }

    /// The bounds.
    pub fn limits(&self) -> &QueryLimits {
        &self.shared.limits
    }

    /// Bytes that the operators of running queries hold.
    pub fn memory_used(&self) -> usize {
        self.shared.sessions.memory_used()
    }

    /// The queries that run or wait.
    pub fn running(&self) -> Vec<QueryInfo> {
        self.shared.registry.running()
    }

    /// The slow queries that ended, youngest first.
    pub fn slow(&self) -> Vec<QueryInfo> {
        self.shared.registry.slow()
    }

    /// Ends a query by its id; whether there was one.
    pub fn cancel(&self, id: &str) -> bool {
        self.shared.registry.cancel(None, id)
    }

    /// Ends a query of a tenant by its id; whether there was one.
    pub fn cancel_of(&self, tenant: &TenantId, id: &str) -> bool {
        self.shared.registry.cancel(Some(tenant), id)
    }

    /// Answers one statement. Returns once the columns are known; rows come as the stream is read, errors of the data among
    /// them. Dropping the answer ends the query.
    pub async fn sql(&self, request: SqlRequest) -> Result<SqlAnswer, QueryError> {
        let shared = &self.shared;
        let now = shared.store.now();
        let handle = shared.registry.enter(&request.scope.tenant, request.client.clone(), &request.query, now);
        let limits = &shared.limits;
        let timeout = request.timeout.unwrap_or(limits.timeout).min(limits.timeout_max);
        let deadline = Instant::now() + timeout;
        let permit = shared.turn(&handle, deadline, timeout).await.inspect_err(|e| handle.fail(e))?;
        handle.set(QueryState::Running);
        let query_id = handle.id();
        // Time is watched here too: query threads that are all busy would not see it pass.
        let watch = handle.watch();
        let mut late = Box::pin(tokio::time::sleep_until(deadline));
        let (rows, answer) = mpsc::channel(ANSWER_QUEUE);
        let (head, schema) = oneshot::channel();
        let task = Task {
            max_rows: match request.unbounded {
                true => usize::MAX,
                false => request.max_rows.unwrap_or(limits.rows_max).min(limits.rows_max),
            },
            shared: Arc::clone(shared),
            request,
            handle,
            deadline,
            timeout,
            _permit: permit,
        };
        let spawned = shared.runtime.spawn(task.run(head, rows));
        if spawned.is_none() {
            return Err(QueryError::Internal("the engine has ended".into()));
        }
        let mut answer = Answer { rows: answer, watch, late: None, timeout };
        let schema = tokio::select! {
            // A closed channel means that the task is gone: it panicked, or the engine was dropped.
            schema = schema => schema.map_err(|_| QueryError::Internal("the query's task ended unexpectedly".into()))??,
            () = &mut late => {
                let error = QueryError::Timeout(timeout);
                answer.watch.end(&error);
                return Err(error);
            }
        };
        answer.late = Some(late);
        Ok(SqlAnswer { schema, stream: Box::pin(answer), query_id })
    }
}

impl Shared {
    /// Waits for this query's turn.
    pub(crate) async fn turn(
        &self,
        handle: &QueryHandle,
        deadline: Instant,
        timeout: Duration,
    ) -> Result<OwnedSemaphorePermit, QueryError> {
        let token = handle.token();
        let waiting = Arc::clone(&self.turns).acquire_owned();
        let patience = deadline.min(Instant::now() + self.limits.wait_max);
        tokio::select! {
            permit = waiting => permit.map_err(|_| QueryError::Internal("the engine has ended".into())),
            () = token.cancelled() => Err(QueryError::Cancelled),
            () = tokio::time::sleep_until(patience) => {
                Err(if patience == deadline { QueryError::Timeout(timeout) } else { QueryError::Busy(self.limits.concurrent) })
            }
        }
    }

    pub(crate) fn source(&self, scope: &Scope) -> Arc<Source> {
        self.source_of(scope, self.store.snapshot(&scope.tenant))
    }

    fn source_of(&self, scope: &Scope, snapshot: Snapshot) -> Arc<Source> {
        Arc::new(Source {
            snapshot,
            store: self.store.clone(),
            range: scope.range,
            url: self.sessions.url.clone(),
            metrics: Arc::clone(&self.metrics),
            series_rows: Arc::clone(&self.series_rows),
            registry: Arc::clone(&self.registry),
            facts: OnceCell::new(),
            own_prices: OnceLock::new(),
            alerts: OnceLock::new(),
            borrowed: Borrowed::of(self.lender.get().cloned()),
        })
    }
}

/// The reader's end of a query.
struct Answer {
    rows: mpsc::Receiver<Result<RecordBatch, QueryError>>,
    watch: Watch,
    /// The deadline; gone once it has passed.
    late: Option<Pin<Box<Sleep>>>,
    timeout: Duration,
}

impl Stream for Answer {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(next) = self.rows.poll_recv(cx) {
            return Poll::Ready(next);
        }
        if self.late.as_mut().is_some_and(|late| late.as_mut().poll(cx).is_ready()) {
            self.late = None;
            let error = QueryError::Timeout(self.timeout);
            self.watch.end(&error);
            // What the query still sends is of no interest.
            self.rows.close();
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Pending
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.watch.leave();
    }
}

/// One query on the query threads.
struct Task {
    shared: Arc<Shared>,
    request: SqlRequest,
    handle: QueryHandle,
    deadline: Instant,
    timeout: Duration,
    max_rows: usize,
    _permit: OwnedSemaphorePermit,
}

type Head = oneshot::Sender<Result<SchemaRef, QueryError>>;
type Rows = mpsc::Sender<Result<RecordBatch, QueryError>>;

impl Task {
    async fn run(self, mut head: Head, rows: Rows) {
        let token = self.handle.token();
        let started = tokio::select! {
            started = self.start() => started,
            // The asker went away while the query was planned.
            () = head.closed() => return,
            () = token.cancelled() => Err(QueryError::Cancelled),
            () = tokio::time::sleep_until(self.deadline) => Err(QueryError::Timeout(self.timeout)),
        };
        let (source, mut stream) = match started {
            Ok(started) => started,
            Err(e) => {
                self.handle.fail(&e);
                drop(self);
                let _ = head.send(Err(e));
                return;
            }
        };
        if head.send(Ok(stream.schema())).is_err() {
            return;
        }
        let end = loop {
            let next = tokio::select! {
                biased;
                () = rows.closed() => return,
                () = token.cancelled() => break Err(QueryError::Cancelled),
                () = tokio::time::sleep_until(self.deadline) => Err(QueryError::Timeout(self.timeout)),
                batch = stream.next() => match batch {
                    None => break Ok(()),
                    Some(batch) => batch.map_err(|e| QueryError::from_datafusion(&e)),
                },
            };
            match next {
                Err(e) => break Err(e),
                Ok(batch) if batch.num_rows() == 0 => {}
                Ok(batch) => {
                    if self.handle.add_rows(batch.num_rows()) > self.max_rows as u64 {
                        break Err(QueryError::TooManyRows(self.max_rows));
                    }
                    // A reader who stops reading holds the query's memory and turn: its time counts too.
                    tokio::select! {
                        sent = rows.send(Ok(batch)) => if sent.is_err() { return },
                        () = token.cancelled() => break Err(QueryError::Cancelled),
                        () = tokio::time::sleep_until(self.deadline) => break Err(QueryError::Timeout(self.timeout)),
                    }
                }
            }
        };
        // Off the list, and what it held given back, before the answer's end is seen.
        drop(stream);
        drop(source);
        match &end {
            Ok(()) => self.handle.set(QueryState::Done),
            Err(e) => self.handle.fail(e),
        }
        drop(self);
        if let Err(e) = end {
            let _ = rows.send(Err(e)).await;
        }
    }

    async fn start(&self) -> Result<(Arc<Source>, datafusion::execution::SendableRecordBatchStream), QueryError> {
        let mut statement = grid_sql_guard::parse(&self.request.query, &self.request.params)?;
        let scope = &self.request.scope;
        let snapshot = self.shared.store.snapshot(&scope.tenant);
        let snapshot = match self.request.bills_as_of {
            None => snapshot,
            Some(at) => snapshot.charges_as_of(&AsOf::Time(at)).map_err(|e| QueryError::Internal(e.to_string()))?,
        };
        let source = self.shared.source_of(scope, snapshot);
        let catalog = Arc::new(TenantCatalog::new(Arc::clone(&source)));
        let state = self.shared.sessions.open(Arc::clone(&catalog), self.shared.store.now(), self.handle.token());
        let state = state.map_err(|e| QueryError::from_datafusion(&e))?;
        check_tables(&state, &catalog, &statement)?;
        grid_sql_guard::name_columns(&mut statement);
        let statement = Statement::Statement(Box::new(statement));
        self.plan_views(&state, &source, &statement).await?;
        let plan = state.statement_to_plan(statement).await.map_err(|e| self.explain_error(&state, &e))?;
        guard::check_plan(&plan)?;
        let physical = state.create_physical_plan(&plan).await.map_err(|e| self.explain_error(&state, &e))?;
        let stream = execute_stream(physical, state.task_ctx()).map_err(|e| QueryError::from_datafusion(&e))?;
        Ok((source, stream))
    }

    /// Plans the views that the statement can see. A view is a plan that others are built upon.
    async fn plan_views(&self, state: &SessionState, source: &Source, statement: &Statement) -> Result<(), QueryError> {
        let references = state.resolve_table_references(statement).map_err(|e| QueryError::from_datafusion(&e))?;
        let views = [(own::VIEW, own::SQL, &source.own_prices), (alerts::VIEW, alerts::SQL, &source.alerts)];
        for (name, sql, slot) in views {
            let sees = |r: &TableReference| r.table() == name || r.schema() == Some(INFORMATION_SCHEMA);
            if references.iter().any(sees) {
                let plan = state.create_logical_plan(sql).await.map_err(|e| QueryError::from_datafusion(&e))?;
                // Nobody else sets it: a source belongs to one statement.
                let _ = slot.set(Arc::new(ViewTable::new(plan, Some(sql.to_owned()))));
            }
        }
        Ok(())
    }

    fn explain_error(&self, state: &SessionState, error: &DataFusionError) -> QueryError {
        let mut error = QueryError::from_datafusion(error);
        if let QueryError::UnknownFunction { name, suggestion, .. } = &mut error {
            let known = state.scalar_functions().keys().chain(state.aggregate_functions().keys());
            let known = known.chain(state.window_functions().keys()).map(String::as_str);
            *suggestion = nearest(name, known).or(suggestion.take());
        }
        error
    }
}

/// Refuses a table that is not there, with the name that was probably meant.
fn check_tables(
    state: &SessionState,
    catalog: &Arc<TenantCatalog>,
    statement: &ast::Statement,
) -> Result<(), QueryError> {
    let wrapped = Statement::Statement(Box::new(statement.clone()));
    let references = state.resolve_table_references(&wrapped).map_err(|e| QueryError::from_datafusion(&e))?;
    for reference in references {
        let is_function = reference.schema().is_none() && state.table_functions().contains_key(reference.table());
        let known = || state.schema_for_ref(reference.clone()).is_ok_and(|s| s.table_exist(reference.table()));
        if is_function || known() {
            continue;
        }
        let names = catalog.names();
        let typed = match reference.schema() {
            Some(schema) => format!("{schema}.{}", crate::error::quoted(reference.table())),
            None => crate::error::quoted(reference.table()),
        };
        // A metric's name without its schema is the likeliest slip.
        let as_metric = format!("metrics.{}", crate::error::quoted(reference.table()));
        let suggestion = names.iter().find(|n| **n == as_metric).cloned();
        let suggestion = suggestion.or_else(|| nearest(&typed, names.iter().map(String::as_str)));
        let suggestion = suggestion.or_else(|| nearest(reference.table(), names.iter().map(String::as_str)));
        return Err(QueryError::UnknownTable {
            position: position_of(statement, reference.table()),
            name: typed,
            suggestion,
        });
    }
    Ok(())
}

/// Where a table's name stands in the statement.
fn position_of(statement: &ast::Statement, table: &str) -> Option<Position> {
    let mut found = None;
    let _ = ast::visit_relations(statement, |name: &ast::ObjectName| {
        let last = name.0.last().and_then(|part| part.as_ident());
        if let Some(ident) = last.filter(|i| i.value.eq_ignore_ascii_case(table)) {
            let start = name.0.first().and_then(|p| p.as_ident()).unwrap_or(ident).span.start;
            found = (start.line > 0).then_some(Position { line: start.line, column: start.column });
            return std::ops::ControlFlow::Break(());
        }
        std::ops::ControlFlow::Continue(())
    });
    found
}
