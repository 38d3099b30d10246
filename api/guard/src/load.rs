//! How much at once: a bounded number of requests per kind of work, so that a flood of one cannot starve another.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::caller::Scope;
use crate::problem::Problem;

/// Requests that may be under way at once, by the scope of their route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Writes.
    pub ingest: usize,
    /// Reads.
    pub query: usize,
    /// Everything else.
    pub admin: usize,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { ingest: 256, query: 128, admin: 16 }
    }
}

/// The server is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{limit} {scope} requests are already under way", scope = scope.as_str())]
pub struct LoadError {
    /// Which kind of request.
    pub scope: Scope,
    /// How many may be under way.
    pub limit: usize,
}

impl LoadError {
    /// When to come back: soon, a slot frees itself in the time of one request.
    pub fn retry_after(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// The refusal as the client sees it.
    pub fn problem(&self) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "GRID-0111", "too many requests at once", self.to_string())
            .hint("try again after the pause in Retry-After; the limits are `guard.concurrency_*` in the configuration")
            .retry_after(self.retry_after())
    }
}

impl IntoResponse for LoadError {
    fn into_response(self) -> Response {
        self.problem().into_response()
    }
}

/// The right to be under way; given back when dropped.
#[derive(Debug)]
pub struct Permit(#[allow(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

/// The slots.
#[derive(Debug)]
pub struct Load {
    limits: Concurrency,
    ingest: Arc<Semaphore>,
    query: Arc<Semaphore>,
    admin: Arc<Semaphore>,
}

impl Load {
    /// All slots free.
    pub fn new(limits: Concurrency) -> Self {
        let slots = |n: usize| Arc::new(Semaphore::new(n.min(Semaphore::MAX_PERMITS)));
        Self { limits, ingest: slots(limits.ingest), query: slots(limits.query), admin: slots(limits.admin) }
    }

    fn of(&self, scope: Scope) -> (&Arc<Semaphore>, usize) {
        match scope {
            Scope::Ingest => (&self.ingest, self.limits.ingest),
            Scope::Query => (&self.query, self.limits.query),
            Scope::Admin => (&self.admin, self.limits.admin),
        }
    }

    /// A slot, or the refusal. Nobody waits: a queue here would only hide the overload from the sender, who retries.
    pub fn admit(&self, scope: Scope) -> Result<Permit, LoadError> {
        let (slots, limit) = self.of(scope);
        Arc::clone(slots).try_acquire_owned().map(Permit).map_err(|_| LoadError { scope, limit })
    }

    /// Requests under way.
    pub fn under_way(&self, scope: Scope) -> usize {
        let (slots, limit) = self.of(scope);
        limit.saturating_sub(slots.available_permits())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_full_kind_refuses_and_does_not_starve_the_others() {
        let load = Load::new(Concurrency { ingest: 2, query: 1, admin: 1 });
        let a = load.admit(Scope::Ingest).unwrap();
        let _b = load.admit(Scope::Ingest).unwrap();
        assert_eq!(load.admit(Scope::Ingest).unwrap_err(), LoadError { scope: Scope::Ingest, limit: 2 });
        assert_eq!(load.under_way(Scope::Ingest), 2);
        assert!(load.admit(Scope::Query).is_ok());
        drop(a);
        assert!(load.admit(Scope::Ingest).is_ok());
    }
}
