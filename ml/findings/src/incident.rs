//! Which findings belong together, and which of them is the likeliest cause.
//!
//! Findings belong together if they begin at about the same time near each other in the graph of calls, or if they are of the same thing at the same
//! time. Within an incident the cause is looked for along the calls: a service that fails because what it calls fails is not the cause (as call
//! graph traversal does in PetShop's study, Hardt et al. 2023); among what has no failing callee, a saturated resource explains more than its
//! symptoms, and what began first more than what followed. A deployment just before the first sign is named as the cause behind it.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::Timestamp;
use grid_model::time::{HOUR_NS, MINUTE_NS};

/// Findings that begin within this time of each other, and are near, are one incident.
const TOGETHER_NS: i64 = 45 * MINUTE_NS;
/// Steps of the graph that are near.
const NEAR: usize = 2;
/// A change so long before the first sign may have caused it.
const CHANGE_BEFORE_NS: i64 = HOUR_NS;
/// And so long after it, because signs are told to the bucket.
const CHANGE_AFTER_NS: i64 = 30 * MINUTE_NS;

/// One finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Sign {
    /// The anomaly's id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// The node of the graph that it is about.
    pub node: String,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; `None` while it lasts.
    pub end: Option<Timestamp>,
    /// 1 is just worth telling.
    pub score: f64,
}

/// Something that people changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The node that was changed.
    pub node: String,
    /// When.
    pub at: Timestamp,
    /// In words: `deployment of cart 1.8.0`.
    pub what: String,
}

/// Who calls whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    calls: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Adds a call.
    pub fn add(&mut self, caller: &str, callee: &str) {
        if caller != callee {
            self.calls.entry(caller.to_owned()).or_default().insert(callee.to_owned());
        }
    }

    /// What a node calls.
    pub fn callees(&self, node: &str) -> impl Iterator<Item = &str> {
        self.calls.get(node).into_iter().flatten().map(String::as_str)
    }

    /// Nodes at most some steps away, whichever way calls go.
    fn near(&self, node: &str) -> BTreeSet<&str> {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut edge: BTreeSet<&str> = self.calls.get_key_value(node).map(|(k, _)| k.as_str()).into_iter().collect();
        edge.extend(self.calls.values().flatten().find(|n| *n == node).map(String::as_str));
        for _ in 0..=NEAR {
            let next: BTreeSet<&str> = edge
                .iter()
                .flat_map(|n| {
                    let callers = self.calls.iter().filter(|(_, c)| c.contains(*n)).map(|(k, _)| k.as_str());
                    self.callees(n).chain(callers).collect::<Vec<_>>()
                })
                .filter(|n| !seen.contains(n) && !edge.contains(n))
                .collect();
            seen.append(&mut edge);
            edge = next;
        }
        seen
    }

    /// Whether one node reaches another by calls, over nodes of a set only.
    fn reaches(&self, from: &str, to: &BTreeSet<&str>) -> bool {
        let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
        while let Some(node) = open.pop() {
            for callee in self.callees(node) {
                if to.contains(callee) && callee != from {
                    return true;
                }
                if seen.insert(callee) && seen.len() < 10_000 {
                    open.push(callee);
                }
            }
        }
        false
    }
}

/// A cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// The node.
    pub node: String,
    /// The kind of its strongest finding.
    pub kind: String,
    /// The change behind it, if there was one.
    pub change: Option<String>,
    /// In words.
    pub words: String,
}

/// Findings that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// The id of the finding that began first.
    pub id: String,
    /// Numbers of its findings, the likeliest cause first.
    pub signs: Vec<usize>,
    /// Its causes, the likeliest first.
    pub causes: Vec<Cause>,
}

/// Groups findings and ranks their causes.
pub fn group(signs: &[Sign], graph: &Graph, changes: &[Change]) -> Vec<Incident> {
    let mut order: Vec<usize> = (0..signs.len()).collect();
    order.sort_by(|a, b| (signs[*a].start, &signs[*a].id).cmp(&(signs[*b].start, &signs[*b].id)));
    let near: BTreeMap<&str, BTreeSet<&str>> = signs.iter().map(|s| (s.node.as_str(), graph.near(&s.node))).collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in order {
        let sign = &signs[at];
        let mut homes: Vec<usize> = (0..groups.len())
            .filter(|g| groups[*g].iter().any(|other| together(&signs[*other], sign, &near)))
            .collect();
        match homes.first().copied() {
            None => groups.push(vec![at]),
            Some(home) => {
                groups[home].push(at);
                // It joins what was apart until now.
                for other in homes.drain(1..).rev() {
                    let moved = groups.remove(other);
                    groups[home].extend(moved);
                }
            }
        }
    }
    groups.into_iter().map(|members| incident(signs, members, graph, changes)).collect()
}

fn together(a: &Sign, b: &Sign, near: &BTreeMap<&str, BTreeSet<&str>>) -> bool {
    let apart = (i128::from(b.start.0) - i128::from(a.start.0)).abs();
    let same = a.node == b.node;
    let during = same && b.start >= a.start && a.end.is_none_or(|end| b.start.0 <= end.0.saturating_add(TOGETHER_NS));
    let is_near = same || near.get(a.node.as_str()).is_some_and(|n| n.contains(b.node.as_str()));
    during || (is_near && apart <= i128::from(TOGETHER_NS))
}

/// What explains more comes first.
fn rank_of(kind: &str) -> u8 {
    match kind {
        "memory_growth" => 0,
        "saturation" => 1,
        "errors" => 2,
        "latency" => 3,
        "restarts" => 4,
        _ => 5,
    }
}

fn incident(signs: &[Sign], mut members: Vec<usize>, graph: &Graph, changes: &[Change]) -> Incident {
    members.sort_by(|a, b| (signs[*a].start, &signs[*a].id).cmp(&(signs[*b].start, &signs[*b].id)));
    let id = members.first().map(|m| signs[*m].id.clone()).unwrap_or_default();
    let nodes: BTreeSet<&str> = members.iter().map(|m| signs[*m].node.as_str()).collect();
    // A log that speaks of another's failure is no failing callee.
    let failing: BTreeSet<&str> =
        members.iter().map(|m| &signs[*m]).filter(|s| rank_of(&s.kind) < 5).map(|s| s.node.as_str()).collect();
    let saturated: BTreeSet<&str> =
        members.iter().map(|m| &signs[*m]).filter(|s| s.kind == "saturation").map(|s| s.node.as_str()).collect();
    let mut ranked: Vec<(bool, bool, u8, Timestamp, i64, &str)> = nodes
        .iter()
        .map(|node| {
            let own = members.iter().map(|m| &signs[*m]).filter(|s| s.node == *node);
            let first = own.clone().map(|s| s.start).min().unwrap_or_default();
            let kind = own.clone().map(|s| rank_of(&s.kind)).min().unwrap_or(u8::MAX);
            let score = own.map(|s| s.score).fold(0.0, f64::max);
            // What was just changed is suspected before what it calls, of which it may ask more or worse than before; unless that is at its limit.
            let is_changed = change_of(changes, node, first).is_some() && !graph.reaches(node, &saturated);
            // Nobody else makes memory grow or fills a resource up.
            let is_explained = kind > rank_of("saturation") && graph.reaches(node, &failing);
            (!is_changed, is_explained, kind, first, -(score * 1e6) as i64, *node)
        })
        .collect();
    ranked.sort();
    let causes = ranked.iter().map(|(_, _, _, first, _, node)| cause(signs, &members, node, *first, changes)).collect();
    let place = |node: &str| ranked.iter().position(|r| r.5 == node).unwrap_or(usize::MAX);
    members.sort_by(|a, b| {
        let key = |s: &Sign| (place(&s.node), rank_of(&s.kind), s.start);
        key(&signs[*a]).cmp(&key(&signs[*b])).then_with(|| signs[*a].id.cmp(&signs[*b].id))
    });
    Incident { id, signs: members, causes }
}

/// The last change of a node just before its first sign.
fn change_of<'a>(changes: &'a [Change], node: &str, first: Timestamp) -> Option<&'a Change> {
    let just_before = |c: &&Change| {
        let before = first.0.saturating_sub(c.at.0);
        c.node == node && (-CHANGE_AFTER_NS..=CHANGE_BEFORE_NS).contains(&before)
    };
    changes.iter().filter(just_before).max_by_key(|c| c.at)
}

fn cause(signs: &[Sign], members: &[usize], node: &str, first: Timestamp, changes: &[Change]) -> Cause {
    let own = members.iter().map(|m| &signs[*m]).filter(|s| s.node == node);
    let kind = own.min_by_key(|s| (rank_of(&s.kind), s.start)).map(|s| s.kind.clone()).unwrap_or_default();
    let change = change_of(changes, node, first).map(|c| c.what.clone());
    let said = match kind.as_str() {
        "memory_growth" => format!("memory of {node} only grows"),
        "saturation" => format!("{node} is at its limit"),
        "errors" => format!("{node} fails"),
        "latency" => format!("{node} is slow"),
        "restarts" => format!("{node} restarts"),
        "outlier" => format!("{node} is unlike those that do the same work"),
        "correlation" => format!("what {node} uses does not belong together"),
        "log_new" => format!("{node} says what it never said"),
        "log_burst" => format!("{node} says the same again and again"),
        "log_vanished" => format!("{node} is silent"),
        "auth_failures" => format!("somebody tries to get into {node}"),
        "egress_new" => format!("{node} talks to somebody new"),
        "privilege_new" => format!("rights are given in {node}"),
        "region_new" => format!("{node} spends in a region that it never used"),
        other => format!("{node}: {other}"),
    };
    let words = match &change {
        Some(change) => format!("{change}: since then {said}"),
        None => said,
    };
    Cause { node: node.to_owned(), kind, change, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = MINUTE_NS;

    fn sign(kind: &str, node: &str, start: i64, end: Option<i64>) -> Sign {
        Sign {
            id: format!("{kind}-{node}-{start}"),
            kind: kind.to_owned(),
            node: node.to_owned(),
            start: Timestamp(start * MINUTE),
            end: end.map(|e| Timestamp(e * MINUTE)),
            score: 2.0,
        }
    }

    fn shop() -> Graph {
        let mut graph = Graph::default();
        for (a, b) in [
            ("frontend", "checkout"),
            ("frontend", "cart"),
            ("checkout", "payments"),
            ("payments", "orders-db"),
            ("frontend", "recommendations"),
        ] {
            graph.add(a, b);
        }
        graph
    }

    /// Per incident: how many findings, and the words of the first cause.
    fn check(signs: &[Sign], changes: &[Change], expected: &[(usize, &str)]) {
        let found = group(signs, &shop(), changes);
        let shown: Vec<(usize, &str)> = found.iter().map(|i| (i.signs.len(), i.causes[0].words.as_str())).collect();
        assert_eq!(shown, expected);
        let mut all: Vec<usize> = found.iter().flat_map(|i| i.signs.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..signs.len()).collect::<Vec<_>>(), "every finding is in one incident");
    }

    #[test]
    fn the_deepest_failing_callee_is_the_cause() {
        let outage = [
            sign("errors", "frontend", 104, Some(140)),
            sign("errors", "checkout", 101, Some(140)),
            sign("latency", "checkout", 100, Some(140)),
            sign("errors", "payments", 101, Some(140)),
            sign("errors", "orders-db", 102, Some(140)),
            sign("saturation", "orders-db", 105, Some(140)),
            sign("log_burst", "payments", 60, Some(120)),
        ];
        check(&outage, &[], &[(7, "orders-db is at its limit")]);
    }

    #[test]
    fn a_change_just_before_is_named() {
        let changes = [
            Change {
                node: "recommendations".into(),
                at: Timestamp(95 * MINUTE),
                what: "deployment of recommendations 2".into(),
            },
            Change { node: "checkout".into(), at: Timestamp(99 * MINUTE), what: "deployment of checkout 3".into() },
        ];
        check(
            &[sign("latency", "recommendations", 100, None)],
            &changes,
            &[(1, "deployment of recommendations 2: since then recommendations is slow")],
        );
    }

    #[test]
    fn what_was_changed_is_suspected_before_what_it_calls_unless_that_is_full() {
        let changes =
            [Change { node: "payments".into(), at: Timestamp(95 * MINUTE), what: "deployment of payments 2".into() }];
        let slow = [sign("latency", "payments", 100, None), sign("latency", "orders-db", 100, None)];
        check(&slow, &changes, &[(2, "deployment of payments 2: since then payments is slow")]);
        let full = [slow[0].clone(), sign("saturation", "orders-db", 100, None)];
        check(&full, &changes, &[(2, "orders-db is at its limit")]);
    }

    #[test]
    fn what_happens_to_the_same_thing_meanwhile_belongs_to_it() {
        let leak = sign("memory_growth", "cart", 0, None);
        let slow = sign("latency", "cart", 5000, Some(5200));
        let other = sign("errors", "checkout", 3000, Some(3010));
        check(&[leak, slow, other], &[], &[(2, "memory of cart only grows"), (1, "checkout fails")]);
        assert_eq!(group(&[], &Graph::default(), &[]), []);
    }
}
