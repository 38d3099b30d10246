//! The memory of one query: a bound of its own within a bound for all.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{Result, resources_datafusion_err};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use parking_lot::Mutex;

/// Bytes that all queries of one engine hold.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    used: Mutex<usize>,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: Mutex::new(0) })
    }

    pub(crate) fn used(&self) -> usize {
        *self.used.lock()
    }

    fn try_take(&self, bytes: usize) -> bool {
        let mut used = self.used.lock();
        let fits = used.saturating_add(bytes) <= self.limit;
        if fits {
            *used += bytes;
        }
        fits
    }

    fn take(&self, bytes: usize) {
        *self.used.lock() += bytes;
    }

    fn give(&self, bytes: usize) {
        let mut used = self.used.lock();
        *used = used.saturating_sub(bytes);
    }
}

/// The pool of one query: fair among its own operators, and never more than the engine's budget allows.
#[derive(Debug)]
pub(crate) struct QueryPool {
    own: FairSpillPool,
    limit: usize,
    budget: Arc<Budget>,
}

impl QueryPool {
    pub(crate) fn new(limit: usize, budget: Arc<Budget>) -> Self {
        Self { own: FairSpillPool::new(limit), limit, budget }
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query pool, {} of {} bytes", self.own.reserved(), self.limit)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.budget.take(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.budget.give(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.own.try_grow(reservation, additional).map_err(|_| self.exhausted(reservation, additional, self.limit))?;
        if self.budget.try_take(additional) {
            return Ok(());
        }
        self.own.shrink(reservation, additional);
        Err(self.exhausted(reservation, additional, self.budget.limit))
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

impl QueryPool {
    fn exhausted(
        &self,
        reservation: &MemoryReservation,
        additional: usize,
        limit: usize,
    ) -> datafusion::common::DataFusionError {
        let (name, held) = (reservation.consumer().name(), self.own.reserved());
        resources_datafusion_err!(
            "{name} asked for {additional} bytes more; the query holds {held}, the limit is {limit}"
        )
    }
}

impl Drop for QueryPool {
    /// Operators give back what they took when they are dropped; this is for those that never did.
    fn drop(&mut self) {
        self.budget.give(self.own.reserved());
    }
}
