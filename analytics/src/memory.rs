//! The memory of one query: a bound of its own within a bound for all.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{Result, resources_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
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

/// The pool of one query, and never more than the engine's budget allows.
///
/// What cannot spill may take all that is left. Half of the rest is lent to whoever comes: a query has a dozen operators, most of which hold nothing, and one that holds a lot. The other half is kept in
/// equal shares for operators that can spill, so that each of them can always go on, if only by spilling. While no
/// operator comes or goes they are never more than the whole. (DataFusion's `FairSpillPool` keeps all of it in shares: one aggregation then fails at a twelfth of the limit.)
#[derive(Debug)]
pub(crate) struct QueryPool {
    own: Mutex<Own>,
    limit: usize,
    budget: Arc<Budget>,
}

/// What the operators of a query hold that can spill, with their number, and what the others hold.
#[derive(Debug, Default)]
struct Own {
    spillable: usize,
    spillers: usize,
    unspillable: usize,
}

impl Own {
    fn used(&self) -> usize {
        self.spillable + self.unspillable
    }

    fn add(&mut self, reservation: &MemoryReservation, bytes: usize) {
        if reservation.consumer().can_spill() { self.spillable += bytes } else { self.unspillable += bytes }
    }

    fn subtract(&mut self, reservation: &MemoryReservation, bytes: usize) {
        let of = if reservation.consumer().can_spill() { &mut self.spillable } else { &mut self.unspillable };
        *of = of.saturating_sub(bytes);
    }
}

impl QueryPool {
    pub(crate) fn new(limit: usize, budget: Arc<Budget>) -> Self {
        Self { own: Mutex::default(), limit, budget }
    }

    /// Takes from the query's own, if it may.
    fn try_take(&self, reservation: &MemoryReservation, additional: usize) -> bool {
        let mut own = self.own.lock();
        let may = if reservation.consumer().can_spill() {
            let half = self.limit.saturating_sub(own.unspillable) / 2;
            let share = half / own.spillers.max(1);
            own.spillable.saturating_add(additional) <= half || reservation.size().saturating_add(additional) <= share
        } else {
            own.used().saturating_add(additional) <= self.limit
        };
        if may {
            own.add(reservation, additional);
        }
        may
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query pool, {} of {} bytes", self.reserved(), self.limit)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.lock().spillers += usize::from(consumer.can_spill());
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut own = self.own.lock();
        own.spillers = own.spillers.saturating_sub(usize::from(consumer.can_spill()));
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.lock().add(reservation, additional);
        self.budget.take(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.lock().subtract(reservation, shrink);
        self.budget.give(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if !self.try_take(reservation, additional) {
            return Err(self.exhausted(reservation, additional, self.limit));
        }
        if self.budget.try_take(additional) {
            return Ok(());
        }
        self.own.lock().subtract(reservation, additional);
        Err(self.exhausted(reservation, additional, self.budget.limit))
    }

    fn reserved(&self) -> usize {
        self.own.lock().used()
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
        let (name, held) = (reservation.consumer().name(), self.reserved());
        resources_datafusion_err!(
            "{name} asked for {additional} bytes more; the query holds {held}, the limit is {limit}"
        )
    }
}

impl Drop for QueryPool {
    /// Operators give back what they took when they are dropped; this is for those that never did.
    fn drop(&mut self) {
        self.budget.give(self.reserved());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(limit: usize) -> Arc<dyn MemoryPool> {
        Arc::new(QueryPool::new(limit, Budget::new(usize::MAX)))
    }

    fn operator(pool: &Arc<dyn MemoryPool>, can_spill: bool) -> MemoryReservation {
        MemoryConsumer::new("operator").with_can_spill(can_spill).register(pool)
    }

    #[test]
    fn one_operator_among_idle_ones_gets_half() {
        let pool = pool(1000);
        let idle: Vec<_> = (0..9).map(|_| operator(&pool, true)).collect();
        let busy = operator(&pool, true);
        busy.try_grow(500).unwrap();
        assert!(busy.try_grow(1).is_err());
        // Each of the others still has its share of the rest, and no more.
        for idle in &idle {
            idle.try_grow(50).unwrap();
            assert!(idle.try_grow(1).is_err());
        }
        assert_eq!(pool.reserved(), 950);
        drop(busy);
        idle[0].try_grow(1).unwrap();
    }

    #[test]
    fn what_cannot_spill_may_take_all_that_is_left() {
        let pool = pool(1000);
        let (spills, holds) = (operator(&pool, true), operator(&pool, false));
        spills.try_grow(400).unwrap();
        holds.try_grow(600).unwrap();
        assert!(holds.try_grow(1).is_err());
        drop(holds);
        assert_eq!(pool.reserved(), 400);
    }

    #[test]
    fn all_queries_together_keep_to_the_budget() {
        let budget = Budget::new(100);
        let of = || -> Arc<dyn MemoryPool> { Arc::new(QueryPool::new(1000, Arc::clone(&budget))) };
        let (one, other) = (of(), of());
        let (a, b) = (operator(&one, true), operator(&other, true));
        a.try_grow(80).unwrap();
        let told = b.try_grow(30).unwrap_err().to_string();
        assert!(told.contains("operator asked for 30 bytes more; the query holds 0, the limit is 100"), "{told}");
        drop(a);
        b.try_grow(100).unwrap();
        assert_eq!(budget.used(), 100);
    }
}
