//! What needs what: nodes and dependencies, an order in which everything comes after what it needs, and the cycle if there
//! is none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Nodes and what each needs. Nodes are ordered, so that every answer is the same for the same graph, however it was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph<N> {
    needs: BTreeMap<N, BTreeSet<N>>,
}

/// Nodes that need each other in a circle: each needs the next, the last needs the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle<N>(pub Vec<N>);

impl<N: fmt::Display> fmt::Display for Cycle<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these need each other: ")?;
        for node in &self.0 {
            write!(f, "{node} -> ")?;
        }
        self.0.first().map_or(Ok(()), |first| write!(f, "{first}"))
    }
}

impl<N: fmt::Display + fmt::Debug> std::error::Error for Cycle<N> {}

impl<N> Default for Graph<N> {
    fn default() -> Self {
        Self { needs: BTreeMap::new() }
    }
}

impl<N: Ord + Clone> Graph<N> {
    /// Adds a node that needs nothing yet; without effect if it is there.
    pub fn add(&mut self, node: N) {
        self.needs.entry(node).or_default();
    }

    /// Says that `node` needs `other`; adds both.
    pub fn need(&mut self, node: N, other: N) {
        self.add(other.clone());
        self.needs.entry(node).or_default().insert(other);
    }

    /// Every node, in order.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &N> {
        self.needs.keys()
    }

    /// What a node needs directly.
    pub fn needs(&self, node: &N) -> impl Iterator<Item = &N> {
        self.needs.get(node).into_iter().flatten()
    }

    /// Everything that needs a node, directly or through others: what a change of it can touch. Without the node itself,
    /// unless it is in a cycle.
    pub fn dependents(&self, node: &N) -> BTreeSet<N> {
        let mut needed_by: BTreeMap<&N, Vec<&N>> = BTreeMap::new();
        for (n, needs) in &self.needs {
            needs.iter().for_each(|other| needed_by.entry(other).or_default().push(n));
        }
        let mut found = BTreeSet::new();
        let mut open = vec![node];
        while let Some(at) = open.pop() {
            for &next in needed_by.get(at).into_iter().flatten() {
                if found.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        found
    }

    /// Everything in waves: a wave needs only what earlier waves hold, so that its nodes can be done at the same time.
    /// Within a wave nodes are in order. Destroying goes through the waves backwards.
    pub fn waves(&self) -> Result<Vec<Vec<N>>, Cycle<N>> {
        let mut open: BTreeMap<&N, usize> = self.needs.iter().map(|(n, needs)| (n, needs.len())).collect();
        let mut needed_by: BTreeMap<&N, Vec<&N>> = BTreeMap::new();
        for (n, needs) in &self.needs {
            needs.iter().for_each(|other| needed_by.entry(other).or_default().push(n));
        }
        let mut waves = Vec::new();
        let mut wave: BTreeSet<&N> = open.iter().filter(|(_, left)| **left == 0).map(|(n, _)| *n).collect();
        while !wave.is_empty() {
            let mut next = BTreeSet::new();
            for node in &wave {
                open.remove(*node);
                for &dependent in needed_by.get(*node).into_iter().flatten() {
                    let left = open.get_mut(dependent).expect("a node is done only after all that it needs");
                    *left -= 1;
                    if *left == 0 {
                        next.insert(dependent);
                    }
                }
            }
            waves.push(wave.into_iter().cloned().collect());
            wave = next;
        }
        match open.keys().next() {
            None => Ok(waves),
            Some(&stuck) => Err(self.cycle_from(stuck, &open)),
        }
    }

    /// An order in which everything comes after what it needs.
    pub fn order(&self) -> Result<Vec<N>, Cycle<N>> {
        Ok(self.waves()?.into_iter().flatten().collect())
    }

    /// The cycle that a stuck node leads to: each stuck node needs another stuck one, so walking on must come back.
    fn cycle_from<'g>(&'g self, stuck: &'g N, open: &BTreeMap<&N, usize>) -> Cycle<N> {
        let mut path: Vec<&N> = vec![stuck];
        loop {
            let at = path[path.len() - 1];
            let next = self.needs(at).find(|n| open.contains_key(n)).expect("a stuck node needs a stuck node");
            if let Some(start) = path.iter().position(|n| *n == next) {
                let mut circle: Vec<N> = path[start..].iter().map(|n| (*n).clone()).collect();
                // Begin with the smallest, so that one cycle has one form.
                let smallest = (0..circle.len()).min_by_key(|&i| &circle[i]).unwrap_or_default();
                circle.rotate_left(smallest);
                return Cycle(circle);
            }
            path.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn graph(text: &str) -> Graph<&str> {
        let mut graph = Graph::default();
        for part in text.split_whitespace() {
            match part.split_once('>') {
                Some((node, other)) => graph.need(node, other),
                None => graph.add(part),
            }
        }
        graph
    }

    fn check(text: &str, waves: &str) {
        let answer = match graph(text).waves() {
            Ok(waves) => waves.iter().map(|w| w.join(" ")).collect::<Vec<_>>().join(" | "),
            Err(cycle) => cycle.to_string(),
        };
        assert_eq!(answer, waves, "{text}");
    }

    #[test]
    fn waves_and_cycles() {
        check("", "");
        check("b a", "a b");
        check("app>db app>cache db>net cache>net dns", "dns net | cache db | app");
        check("dns cache>net app>cache db>net app>db", "dns net | cache db | app");
        check("a>a", "these need each other: a -> a");
        check("x>c c>b b>a a>c z", "these need each other: a -> c -> b -> a");
        check("b>a a>b y>z", "these need each other: a -> b -> a");
    }

    #[test]
    fn a_change_touches_what_needs_it() {
        let g = graph("app>db app>cache db>net cache>net dns");
        let touched = |n| g.dependents(&n).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(touched("net"), "app cache db");
        assert_eq!(touched("app"), "");
        assert_eq!(touched("nobody"), "");
        assert_eq!(graph("a>b b>a").dependents(&"a").into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn long_chains_do_not_recurse() {
        let mut g = Graph::default();
        (0..100_000_u32).for_each(|n| g.need(n, n + 1));
        assert_eq!(g.order().unwrap().first(), Some(&100_000));
        assert_eq!(g.dependents(&100_000).len(), 100_000);
    }
}
