//! `info(v)`: joins the labels of info metrics (`target_info`) to the series that have the same `instance` and `job`.

use std::collections::{BTreeMap, HashMap};

use grid_model::labels::METRIC_NAME;

use super::instant::{self, Shows};
use super::{Collected, Context, Parts, collect, held};
use crate::error::Error;
use crate::labels::Labels;
use crate::plan::{Info, Node};
use crate::points::{Grid, Points, Series};

/// The labels by which series find their info series.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

pub(super) fn stream<'a>(context: &'a Context<'a>, info: &'a Info, grid: Grid) -> Result<Parts<'a>, Error> {
    let base = collect(context, context.stream(&info.inner, grid)?)?;
    let known = series_of_info(context, info, grid)?;
    let mut joiner = Joiner { info, grid, out: Vec::new(), by_labels: HashMap::new() };
    for series in base.series {
        (context.interrupt)()?;
        // An info metric is not enriched by its own kind.
        if info.names.iter().all(|m| m.matches(series.labels.metric())) {
            joiner.out.push(series);
            continue;
        }
        let key = identity(&series.labels);
        let found = known.get(&key).map_or(&[][..], Vec::as_slice);
        joiner.join(&series, found)?;
    }
    Ok(held(Collected { series: joiner.out, held: base.held }))
}

/// The info series with their samples, by what identifies them.
fn series_of_info<'a>(
    context: &'a Context<'a>,
    info: &'a Info,
    grid: Grid,
) -> Result<HashMap<Vec<String>, Vec<Series>>, Error> {
    // Of two that differ in nothing but time, the newest sample counts.
    let node: &Node = &info.inner;
    let parts = instant::stream(context, node, &info.selector, grid, Shows::Time)?;
    let mut known: HashMap<Vec<String>, Vec<Series>> = HashMap::new();
    for mut part in parts {
        while let Some(series) = part.next()? {
            known.entry(identity(&series.labels)).or_default().push(series);
        }
    }
    Ok(known)
}

fn identity(labels: &Labels) -> Vec<String> {
    IDENTIFYING.iter().map(|name| labels.get(name).to_owned()).collect()
}

struct Joiner<'a> {
    info: &'a Info,
    grid: Grid,
    out: Vec<Series>,
    by_labels: HashMap<(Labels, bool), usize>,
}

impl Joiner<'_> {
    fn join(&mut self, series: &Series, found: &[Series]) -> Result<(), Error> {
        for (step, point) in series.points.iter() {
            let Some(labels) = self.labels_at(series, found, step)? else { continue };
            let key = (labels, series.drop_name);
            let at = match self.by_labels.get(&key) {
                Some(at) => *at,
                None => {
                    let points = Points::empty(self.grid.len());
                    self.out.push(Series { labels: key.0.clone(), drop_name: key.1, points });
                    self.by_labels.insert(key, self.out.len() - 1);
                    self.out.len() - 1
                }
            };
            if self.out[at].points.present[step] {
                return Err(super::same_labelset());
            }
            self.out[at].points.put(step, point);
        }
        Ok(())
    }

    /// The labels of a series at a step; `None` if a label that it must have is nowhere.
    fn labels_at(&self, series: &Series, found: &[Series], step: usize) -> Result<Option<Labels>, Error> {
        let wanted = &self.info.wanted;
        // The newest series of each info metric.
        let mut newest: BTreeMap<&str, &Series> = BTreeMap::new();
        for candidate in found.iter().filter(|s| s.points.present[step]) {
            let matches = wanted.iter().all(|m| m.matches(candidate.labels.get(&m.name)));
            if !matches {
                continue;
            }
            match newest.get(candidate.labels.metric()) {
                Some(old) if old.points.values[step] >= candidate.points.values[step] => {}
                _ => {
                    newest.insert(candidate.labels.metric(), candidate);
                }
            }
        }
        let mut added: BTreeMap<&str, &str> = BTreeMap::new();
        for candidate in newest.values() {
            for (name, value) in candidate.labels.iter() {
                let identifying = name == METRIC_NAME || IDENTIFYING.contains(&name);
                let asked = wanted.is_empty() || wanted.iter().any(|m| m.name == name);
                // What the series says of itself stays.
                if identifying || !asked || !series.labels.get(name).is_empty() {
                    continue;
                }
                if let Some(other) = added.insert(name, value)
                    && other != value
                {
                    return Err(Error::Execution(format!(
                        "conflicting label {name:?} of info metrics: {other:?} and {value:?}; name one metric by __name__"
                    )));
                }
            }
        }
        let must_have = wanted.iter().any(|m| !m.matches(""));
        if newest.is_empty() && must_have {
            return Ok(None);
        }
        let pairs = series.labels.iter().chain(added);
        Ok(Some(Labels::new(pairs)))
    }
}
