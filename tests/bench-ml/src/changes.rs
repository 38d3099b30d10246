//! Change points on the Turing Change Point Dataset (van den Burg and Williams, 2020), with the F1 score and the covering of its paper: several
//! people marked each series, hits count within five points, and the start of the series counts as a change that everybody finds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use grid_ml::changes;

use crate::{Line, mean};

/// Points by which a hit may be off.
const MARGIN: usize = 5;

type Marks = BTreeMap<String, BTreeMap<String, Vec<usize>>>;

pub(crate) fn run(data: &Path) -> anyhow::Result<Vec<Line>> {
    let root = data.join("tcpd");
    let marks: Marks = serde_json::from_slice(&fs::read(root.join("annotations.json")).context("marks of TCPD")?)?;
    let (mut ours, mut none, mut covers) = (Vec::new(), Vec::new(), Vec::new());
    for (name, by_person) in &marks {
        let Ok(bytes) = fs::read(root.join(format!("datasets/{name}/{name}.json"))) else { continue };
        let series: serde_json::Value = serde_json::from_slice(&bytes)?;
        // Series of several dimensions are not for a method of one.
        if series["n_dim"] != 1 {
            continue;
        }
        let raw = series["series"][0]["raw"].as_array().with_context(|| format!("values of {name}"))?;
        let values: Vec<f64> = raw.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect();
        let found: Vec<usize> = changes::find(&values)?.changes.iter().map(|c| c.at).collect();
        let people: Vec<&[usize]> = by_person.values().map(Vec::as_slice).collect();
        ours.push(f1(&people, &found));
        none.push(f1(&people, &[]));
        covers.push(covering(&people, &found, values.len()));
    }
    let (ours, none, count) = (mean(ours.iter().copied()), mean(none), ours.len());
    Ok(vec![Line {
        id: "ml_changes",
        data: "TCPD, development part",
        measure: "F1, covering; series; F1 of no change at all",
        grid: format!("{ours:.3}, {:.3}; {count}; {none:.3}", mean(covers)),
        bar: ">= .72",
        holds: ours >= 0.72,
        published: "of 30 series, default settings: no change .668, BINSEG .667, PELT .663, BOCPD .612",
    }])
}

/// How many of `wanted` have a place of `found` near them, each place serving once.
fn hits(wanted: &[usize], found: &[usize]) -> usize {
    let mut free = found.to_vec();
    let mut count = 0;
    for want in wanted {
        let near = free.iter().enumerate().filter(|(_, f)| f.abs_diff(*want) <= MARGIN);
        if let Some((at, _)) = near.min_by_key(|(_, f)| f.abs_diff(*want)) {
            free.swap_remove(at);
            count += 1;
        }
    }
    count
}

/// Sorted, once each, with the start.
fn with_start(places: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut all: Vec<usize> = places.into_iter().chain([0]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Precision against what anybody marked, recall as the mean over people.
fn f1(people: &[&[usize]], found: &[usize]) -> f64 {
    let found = with_start(found.iter().copied());
    let anybody = with_start(people.iter().flat_map(|p| p.iter().copied()));
    let precision = hits(&anybody, &found) as f64 / found.len() as f64;
    let recall = mean(people.iter().map(|person| {
        let person = with_start(person.iter().copied());
        hits(&person, &found) as f64 / person.len() as f64
    }));
    2.0 * precision * recall / (precision + recall)
}

/// How well the pieces of each person are covered by the pieces found (Arbelaez et al., 2010).
fn covering(people: &[&[usize]], found: &[usize], n: usize) -> f64 {
    let pieces = |places: &[usize]| {
        let bounds = with_start(places.iter().copied().filter(|p| *p < n).chain([n]));
        bounds.windows(2).map(|w| (w[0], w[1])).collect::<Vec<_>>()
    };
    let found = pieces(found);
    mean(people.iter().map(|person| {
        let covered = pieces(person).into_iter().map(|(start, end)| {
            let likeness = found.iter().map(|(from, to)| {
                let both = end.min(*to).saturating_sub(start.max(*from));
                both as f64 / ((end - start) + (to - from) - both) as f64
            });
            (end - start) as f64 * likeness.fold(0.0, f64::max)
        });
        covered.sum::<f64>() / n as f64
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_paper() {
        let nobody: [&[usize]; 2] = [&[], &[]];
        assert_eq!(f1(&nobody, &[]), 1.0);
        assert!((f1(&nobody, &[50]) - 2.0 / 3.0).abs() < 1e-9);
        let one: [&[usize]; 1] = [&[50]];
        assert_eq!(f1(&one, &[54]), 1.0);
        assert!((f1(&one, &[]) - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(covering(&one, &[50], 100), 1.0);
        assert_eq!(covering(&one, &[], 100), 0.5);
    }
}
