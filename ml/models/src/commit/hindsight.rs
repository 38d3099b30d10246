//! What the best plan of many purchases would have paid, had it known all demand: the measure of policies. Exact.
//!
//! As a flow: as many units as demand ever has go from the first hour to the end. Per hour a unit goes on demand (its price),
//! idle (free, at most as many as demand leaves idle), or jumps a whole term ahead for the fee. The least cost of such a flow is
//! the least cost of serving the demand, because whatever is not idle serves. Found by cheapest paths, one after the other
//! (successive shortest paths; Ahuja, Magnanti, Orlin, "Network Flows", 9.7).

use super::online::Contract;

/// Most hours, and most units at once, for which this is computed.
pub const HOURS_MAX: usize = 2_000;
/// See [`HOURS_MAX`].
pub const UNITS_MAX: u32 = 64;

#[derive(Clone, Copy)]
struct Arc {
    to: usize,
    capacity: u32,
    cost: i128,
}

/// The least that serving whole units per hour can cost under a contract, in 10^-18; `None` beyond the bounds.
pub fn least_cost(demand: &[u32], contract: &Contract) -> Option<i128> {
    let most = demand.iter().copied().max().unwrap_or(0);
    if demand.len() > HOURS_MAX || most > UNITS_MAX {
        return None;
    }
    // Use of a reserved unit costs as much per hour whoever serves it, so only what on-demand use costs beyond it is routed.
    let base: i128 = demand.iter().map(|d| i128::from(*d) * contract.reserved.0).sum();
    let extra = contract.on_demand.0 - contract.reserved.0;
    let nodes = demand.len() + 1;
    let mut arcs: Vec<Arc> = Vec::new();
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    let mut add = |from: usize, to: usize, capacity: u32, cost: i128| {
        out[from].push(arcs.len());
        arcs.push(Arc { to, capacity, cost });
        out[to].push(arcs.len());
        arcs.push(Arc { to: from, capacity: 0, cost: -cost });
    };
    for (hour, units) in demand.iter().enumerate() {
        add(hour, hour + 1, most - units, 0);
        add(hour, hour + 1, most, extra);
        add(hour, (hour + contract.term_hours).min(nodes - 1), most, contract.fee.0);
    }
    let (mut sent, mut total) = (0, base);
    while sent < most {
        let (mut distance, mut by) = (vec![i128::MAX; nodes], vec![usize::MAX; nodes]);
        distance[0] = 0;
        // Bellman and Ford with a queue; costs on the way back are negative.
        let mut queue = std::collections::VecDeque::from([0]);
        let mut queued = vec![false; nodes];
        while let Some(node) = queue.pop_front() {
            queued[node] = false;
            for at in &out[node] {
                let arc = arcs[*at];
                let reached = distance[node] + arc.cost;
                if arc.capacity > 0 && reached < distance[arc.to] {
                    distance[arc.to] = reached;
                    by[arc.to] = *at;
                    if !std::mem::replace(&mut queued[arc.to], true) {
                        queue.push_back(arc.to);
                    }
                }
            }
        }
        let path = || {
            std::iter::successors(Some(nodes - 1), |node| (*node != 0).then(|| arcs[by[*node] ^ 1].to))
                .take_while(|node| *node != 0)
        };
        let bottleneck = path().map(|node| arcs[by[node]].capacity).min().unwrap_or(most).min(most - sent);
        let steps: Vec<usize> = path().map(|node| by[node]).collect();
        for at in steps {
            arcs[at].capacity -= bottleneck;
            arcs[at ^ 1].capacity += bottleneck;
        }
        total += distance[nodes - 1] * i128::from(bottleneck);
        sent += bottleneck;
    }
    Some(total)
}
