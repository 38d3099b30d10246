//! A query answered where it is planned: local files are read in place, only what else there is comes from scans, and a small query is
//! planned and evaluated at once, because to wake a thread would cost more than its answer.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use grid_model::{Scope, TenantId};
use grid_promql::plan::Plan;
use grid_promql::query;
use grid_promql::samples::Leaf;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::choose::exact_name;
use super::exec::{Place, Query, evaluate_apart, failed, scanned};
use super::merge::{Batches, Merge, Source as Merged};
use super::plan::{Opened, Readable, Wanted, open};
use super::reader::{LeafRead, Leaves};
use super::{PromqlAnswer, PromqlError};
use crate::engine::Shared;
use crate::limits::{PROMQL_HERE, PROMQL_HERE_BYTES, PROMQL_INLINE};
use crate::registry::QueryHandle;
use crate::table::Source;

/// A selector that is ready to be read.
pub(super) struct Ready {
    pub read: LeafRead,
    /// Rows that it reads at most.
    rows: u64,
    /// Whether the reader may have to wait for scans.
    waits: bool,
}

impl Ready {
    /// Opens what a selector reads; scans that it needs begin.
    pub(super) async fn of(
        shared: &Shared,
        source: &Arc<Source>,
        leaf: &Leaf,
        wanted: Wanted,
        token: &CancellationToken,
        deadline: Instant,
    ) -> Result<Self, PromqlError> {
        let opened = open(source, shared.sessions.planning(), leaf, wanted).await.map_err(failed)?;
        let Opened { chosen, parts, range, rows } = opened;
        let mut context = None;
        let mut merges = Vec::with_capacity(parts.len());
        for part in parts {
            let mut sources = Vec::with_capacity(part.len());
            for readable in part {
                sources.push(match readable {
                    Readable::Local(runs) => Merged::Local(runs),
                    Readable::Held(batches, runs) => Merged::rows(Batches::Held(batches.into_iter()), runs.into()),
                    Readable::Scanned(input) => {
                        let context = match &context {
                            Some(context) => Arc::clone(context),
                            None => Arc::clone(context.insert(shared.sessions.task().map_err(failed)?)),
                        };
                        scanned(&input, &context, token, deadline)
                    }
                });
            }
            merges.push(Merge::new(sources, range));
        }
        let read = LeafRead { chosen, parts: Mutex::new(merges), samples: AtomicU64::new(0) };
        Ok(Self { read, rows, waits: context.is_some() })
    }
}

/// Where a query is planned. Here, if every selector names a metric, and these have few series: others may have to look at millions of labels.
pub(super) fn place(shared: &Shared, tenant: &TenantId, text: &str, plan: &Plan) -> Place {
    if text.len() > PROMQL_HERE_BYTES {
        return Place::QueryThreads;
    }
    let series = shared.store.snapshot(tenant).series();
    let mut all = Some(0_u64);
    for leaf in &plan.leaves {
        let of_leaf = exact_name(&leaf.matchers).map(|name| series.count_of(name) as u64);
        all = all.zip(of_leaf).and_then(|(a, b)| a.checked_add(b));
    }
    let looks = all.and_then(|all| all.checked_mul(plan.steps_max as u64));
    if looks.is_some_and(|looks| looks <= PROMQL_HERE) { Place::Here } else { Place::QueryThreads }
}

/// Answers a query of a tenant.
pub(super) async fn evaluate(
    shared: &Arc<Shared>,
    scope: &Scope,
    query: Query,
    plan: Plan,
    handle: &QueryHandle,
    deadline: Instant,
) -> Result<PromqlAnswer, PromqlError> {
    let token = handle.token();
    let source = shared.source(scope);
    let wanted = Wanted { starts: query.options.start_timestamps, before: query.options.lookback };
    let (mut leaves, mut work, mut waits) = (Vec::with_capacity(plan.leaves.len()), 0_u64, false);
    for leaf in &plan.leaves {
        let ready = Ready::of(shared, &source, leaf, wanted, &token, deadline).await?;
        work = work.saturating_add(plan.work(leaf, ready.rows, ready.read.chosen.series.len() as u64));
        waits |= ready.waits;
        leaves.push(ready.read);
    }
    let leaves = Leaves(leaves);
    let answer = if waits || work > PROMQL_INLINE {
        evaluate_apart(Arc::new(query), Arc::new(plan), leaves, &token, deadline).await?
    } else {
        let interrupt = || {
            if token.is_cancelled() {
                return Err(grid_promql::Error::Cancelled);
            }
            if Instant::now() < deadline { Ok(()) } else { Err(grid_promql::Error::Timeout) }
        };
        let answer = query::run(&query.text, &query.expr, &plan, &query.options, &leaves, &interrupt)?;
        let (samples_read, samples_peak) = leaves.samples();
        PromqlAnswer { answer, samples_read, samples_peak, elapsed: Duration::ZERO, query_id: String::new() }
    };
    // Files that the snapshot names stay on disk until now.
    drop(source);
    Ok(answer)
}
