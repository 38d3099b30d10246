//! PromQL over the store: a query of one tenant, evaluated over scans that DataFusion runs.
//!
//! Reading order follows a query: [`Engine::promql`] (turn, deadline, memory) -> `plan` (each selector a scan of the rows of chosen series, pinned
//! to one snapshot; of local files read in place: `local`) -> `exec` (scans on their threads, the evaluator on its own; `grid-promql` does
//! the thinking) -> `reader` (batches back to series). `node` and `function` are the same as a table of SQL, with stock scans below it,
//! [`metadata`] is which series, labels and metrics there are. [`remote`] runs a plan elsewhere: `codec` makes bytes of it (`pinned` is a scan that
//! keeps its row selections, `wire` the messages).

mod choose;
mod locate;
mod pages;
mod local;
mod plan;
mod merge;
mod reader;
mod exec;
mod here;
mod node;
pub(crate) mod function;
pub mod metadata;
mod pinned;
mod wire;
mod codec;
pub mod remote;

use std::sync::Arc;
use std::time::Duration;

use grid_model::TenantId;
use grid_promql::points::Grid;
use grid_promql::query::Answer;
use grid_promql_syntax::{Features, ParseError};

use crate::engine::Engine;
use crate::error::QueryError;

/// What is on, and what a query gets if it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromqlSettings {
    /// Parts of the language that Prometheus has behind flags.
    pub features: Features,
    /// How long a sample stands for what comes after it, in milliseconds.
    pub lookback: i64,
    /// The step of a subquery that names none, in milliseconds.
    pub subquery_step: i64,
}

impl Default for PromqlSettings {
    /// Prometheus 3.5's defaults.
    fn default() -> Self {
        Self { features: Features::default(), lookback: grid_promql::query::LOOKBACK, subquery_step: 60_000 }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct PromqlRequest {
    /// Whose series.
    pub tenant: TenantId,
    /// The expression.
    pub query: String,
    /// At which steps; an instant query has one ([`Grid::instant`]). Milliseconds since 1970.
    pub grid: Grid,
    /// Lookback of this query, in milliseconds.
    pub lookback: Option<i64>,
    /// How long it may take; the engine's default if not given, and never more than its maximum.
    pub timeout: Option<Duration>,
    /// Who asks, for the list of queries.
    pub client: Option<String>,
}

/// An answer with what it cost.
#[derive(Debug, Clone)]
pub struct PromqlAnswer {
    /// The samples and notes.
    pub answer: Answer,
    /// Samples that were read.
    pub samples_read: u64,
    /// Samples that were read for the most demanding selector.
    pub samples_peak: u64,
    /// Time spent, in all.
    pub elapsed: Duration,
    /// The query's id.
    pub query_id: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PromqlError {
    /// The text is no PromQL.
    #[error("{0}")]
    Parse(#[source] ParseError),
    /// The request makes no sense (Prometheus' `bad_data`).
    #[error("{0}")]
    BadData(String),
    /// The query cannot be evaluated on these data (`execution`).
    #[error("{0}")]
    Execution(String),
    /// The deadline passed (`timeout`).
    #[error("query timed out in expression evaluation")]
    Timeout,
    /// It was ended (`canceled`).
    #[error("query was canceled in expression evaluation")]
    Cancelled,
    /// All else: too many queries, files that cannot be read, faults of ours (`internal`).
    #[error("{0}")]
    Engine(#[source] QueryError),
}

impl From<grid_promql::Error> for PromqlError {
    fn from(e: grid_promql::Error) -> Self {
        use grid_promql::Error as E;
        match e {
            E::Timeout => Self::Timeout,
            E::Cancelled => Self::Cancelled,
            E::Storage(message) => Self::Engine(QueryError::Storage(message)),
            e @ (E::Execution(_) | E::TooMuchMemory(_)) => Self::Execution(e.to_string()),
        }
    }
}

impl From<QueryError> for PromqlError {
    fn from(e: QueryError) -> Self {
        match e {
            QueryError::Timeout(_) => Self::Timeout,
            QueryError::Cancelled => Self::Cancelled,
            e => Self::Engine(e),
        }
    }
}

impl Engine {
    /// What is on.
    pub fn promql_settings(&self) -> &PromqlSettings {
        &self.limits().promql
    }

    /// Answers one expression. Dropping the future ends the query.
    pub async fn promql(&self, request: PromqlRequest) -> Result<PromqlAnswer, PromqlError> {
        exec::run(Arc::clone(&self.shared), request).await
    }
}
