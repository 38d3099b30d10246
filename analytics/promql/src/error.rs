//! What can go wrong while a query runs.

/// Why a query has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The query cannot be evaluated on these data (Prometheus' `execution`).
    #[error("{0}")]
    Execution(String),
    /// More memory than one query may take.
    #[error(
        "query processing would load too much data into memory: more than {0} bytes; narrow its selectors or its range"
    )]
    TooMuchMemory(usize),
    /// The query ran longer than it may.
    #[error("query timed out in expression evaluation")]
    Timeout,
    /// Who asked went away.
    #[error("query was canceled in expression evaluation")]
    Cancelled,
    /// Samples could not be read.
    #[error("{0}")]
    Storage(String),
}

impl Error {
    pub(crate) fn execution(message: impl Into<String>) -> Self {
        Self::Execution(message.into())
    }
}
