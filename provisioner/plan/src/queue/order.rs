//! Who comes first. Within one level of priority it is the highest response ratio, waited plus expected over expected (Brinch Hansen, 1971): short
//! ones go first, and waiting outweighs any length in the end.

use grid_model::Timestamp;

use super::{Entry, Footprint, Kind, Priority, Queue, ReleaseId, Stage};
use crate::address::Address;

/// Where a waiting release stands: greater comes first.
#[derive(Debug, PartialEq, PartialOrd)]
struct Rank {
    is_emergency: bool,
    /// It has begun already, and stopped for an emergency.
    is_begun: bool,
    /// It has waited longer than anybody should; then who came first goes first.
    is_overdue: bool,
    level: i64,
    ratio: f64,
}

/// All that wait, by place in `queue.open`, the first first.
pub(super) fn order(queue: &Queue, now: Timestamp) -> Vec<usize> {
    let mut waiting: Vec<(Rank, usize)> = (0..queue.open.len())
        .filter(|at| matches!(queue.open[*at].stage, Stage::Waiting | Stage::Yielded))
        .map(|at| (rank(queue, &queue.open[at], now), at))
        .collect();
    waiting.sort_by(|(a, x), (b, y)| b.partial_cmp(a).unwrap_or(std::cmp::Ordering::Equal).then(x.cmp(y)));
    waiting.into_iter().map(|(_, at)| at).collect()
}

fn rank(queue: &Queue, entry: &Entry, now: Timestamp) -> Rank {
    let waited = now.0.saturating_sub(entry.submitted.0).max(0);
    let is_emergency = entry.release.priority == Priority::Emergency;
    let is_overdue = waited >= queue.settings.patience_ns;
    let own = match entry.release.priority {
        Priority::Low => 0,
        Priority::Normal => 1,
        Priority::High | Priority::Emergency => 2,
    };
    let expected = queue.past.quantile(&entry.release.class, 0, 0.5).max(1.0);
    Rank {
        is_emergency,
        is_begun: entry.stage == Stage::Yielded,
        is_overdue,
        level: if is_overdue { 0 } else { (own + waited / queue.settings.ageing_ns.max(1)).min(2) },
        ratio: if is_overdue { 0.0 } else { 1.0 + waited as f64 / expected },
    }
}

/// A release that waits too, conflicts with this one, and comes first; unless this one will probably be done before the other could start.
pub(super) fn behind(
    queue: &Queue,
    at: usize,
    order: &[usize],
    now: Timestamp,
) -> Option<(ReleaseId, Option<Address>)> {
    let entry = &queue.open[at];
    for other in order.iter().copied() {
        if other == at {
            return None;
        }
        let first = &queue.open[other];
        if !matches!(first.stage, Stage::Waiting | Stage::Yielded) {
            continue;
        }
        // Who waits for a gate, or for the end of a pause, stands in nobody's way.
        if first.release.kind == Kind::PlanOnly || !first.gate_holds().is_empty() {
            continue;
        }
        if let Some(on) = first.release.footprint.conflict(&entry.release.footprint)
            && !slips_past(queue, entry, first, now)
        {
            return Some((first.id, on));
        }
    }
    None
}

/// Whether one is probably done before the other could start: before the last of those that the other waits for.
fn slips_past(queue: &Queue, entry: &Entry, first: &Entry, now: Timestamp) -> bool {
    let waited = now.0.saturating_sub(first.submitted.0);
    if waited >= queue.settings.patience_ns || first.release.priority == Priority::Emergency {
        return false;
    }
    let left = |e: &Entry| {
        let ran = e.ran_ns(now);
        queue.past.quantile(&e.release.class, ran, 0.5) - ran as f64
    };
    let blockers = queue.open.iter().filter(|o| o.is_at_work() && conflicts(&o.release.footprint, first));
    let free_in = blockers.map(left).fold(0.0, f64::max);
    queue.past.quantile(&entry.release.class, 0, 0.75) < free_in
}

fn conflicts(footprint: &Footprint, other: &Entry) -> bool {
    footprint.conflict(&other.release.footprint).is_some()
}
