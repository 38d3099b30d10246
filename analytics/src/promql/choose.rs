//! Which series a selector means, decided on labels alone, before any sample is read.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use grid_model::SeriesId;
use grid_model::labels::METRIC_NAME;
use grid_promql::Labels;
use grid_promql::labels::Packed;
use grid_promql_syntax::Matcher;
use grid_promql_syntax::matcher::MatchOp;
use grid_store::SeriesIndex;

use crate::table::series_exec::ById;

/// The series of a selector, ranked in the order in which files hold them: by metric, then by id.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// Ids and labels by rank.
    pub series: Vec<(SeriesId, Labels)>,
    /// The metrics with the rank of their first series, ascending.
    pub metrics: Vec<(String, u32)>,
    /// Ranks of series whose labels another one has too (OTLP tells series apart by more than labels).
    pub alike: Vec<u32>,
    /// Rank of each id, made when first asked for.
    ranks: OnceLock<ById<u32>>,
}

/// The one metric that matchers name, if they do; others of them may still refuse it.
pub(super) fn exact_name(matchers: &[Matcher]) -> Option<&str> {
    let exact = |m: &&Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal && !m.value.is_empty();
    matchers.iter().find(exact).map(|m| m.value.as_str())
}

/// The metrics whose names satisfy the matchers of the name.
pub(super) fn metrics(index: &SeriesIndex, matchers: &[Matcher]) -> Vec<String> {
    let names: Vec<&Matcher> = matchers.iter().filter(|m| m.name == METRIC_NAME).collect();
    if let Some(exact) = exact_name(matchers) {
        let fits = names.iter().all(|m| m.matches(exact)) && index.count_of(exact) > 0;
        return if fits { vec![exact.to_owned()] } else { Vec::new() };
    }
    let all = index.metrics().into_iter().map(|(name, _)| name);
    all.filter(|name| names.iter().all(|m| m.matches(name))).map(|name| name.to_string()).collect()
}

/// Calls `found` for every series that satisfies all matchers.
pub(super) fn for_each(index: &SeriesIndex, matchers: &[Matcher], mut found: impl FnMut(&str, SeriesId, &[u8])) {
    for metric in metrics(index, matchers) {
        for_each_of(index, &metric, matchers, |_, id, key| found(&metric, id, key));
    }
}

/// Calls `found` for every series of a metric that satisfies the matchers of other labels.
fn for_each_of(index: &SeriesIndex, metric: &str, matchers: &[Matcher], mut found: impl FnMut(u32, SeriesId, &[u8])) {
    let others: Vec<&Matcher> = matchers.iter().filter(|m| m.name != METRIC_NAME).collect();
    index.for_each_position_of(metric, |position, id, key| {
        if others.iter().all(|m| m.matches(Labels::value_in_key(key, &m.name))) {
            found(position, id, key);
        }
    });
}

impl Chosen {
    pub(super) fn of(index: &SeriesIndex, matchers: &[Matcher]) -> Self {
        let mut chosen = Self::default();
        // What is known by its labels alone has labels of its own.
        let mut more_than_labels = false;
        for metric in metrics(index, matchers) {
            let mut found: Vec<(SeriesId, u32)> = Vec::new();
            for_each_of(index, &metric, matchers, |position, id, _| found.push((id, position)));
            if found.is_empty() {
                continue;
            }
            // After a start they come as files held them, in runs of ascending ids.
            found.sort_by_key(|(id, _)| *id);
            chosen.metrics.push((metric, chosen.series.len() as u32));
            chosen.series.reserve(found.len());
            let (mut packed, mut ids) = (Packed::default(), Vec::new());
            let mut positions = found.iter();
            index.for_each_key_at(found.iter().map(|(_, position)| *position), |key| {
                let id = positions.next().map(|(id, _)| *id);
                let (Some(id), Some(bytes)) = (id, packed.push(key)) else { return };
                ids.push(id);
                more_than_labels |= bytes < key.len();
                if packed.is_full() {
                    chosen.series.extend(ids.drain(..).zip(packed.take()));
                }
            });
            chosen.series.extend(ids.drain(..).zip(packed.take()));
        }
        if more_than_labels {
            chosen.find_alike();
        }
        chosen
    }

    /// Series that another engine chose: enough to read a plan's rows, not to plan.
    pub(super) fn shipped(series: Vec<(SeriesId, Labels)>, alike: Vec<u32>) -> Self {
        Self { series, alike, ..Self::default() }
    }

    fn find_alike(&mut self) {
        let mut by_labels: HashMap<&Labels, u32> = HashMap::with_capacity(self.series.len());
        for (rank, (_, labels)) in self.series.iter().enumerate() {
            if let Some(other) = by_labels.insert(labels, rank as u32) {
                self.alike.extend([other, rank as u32]);
            }
        }
        self.alike.sort_unstable();
        self.alike.dedup();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Rank of each id.
    pub(super) fn ranks(&self) -> &ById<u32> {
        self.ranks.get_or_init(|| self.series.iter().enumerate().map(|(rank, (id, _))| (id.0, rank as u32)).collect())
    }

    /// The id of a rank.
    pub(super) fn id_at(&self, rank: u32) -> Option<u64> {
        self.series.get(rank as usize).map(|(id, _)| id.0)
    }

    /// Which metrics lie between two names, both inclusive; all without bounds.
    pub(super) fn metrics_between(&self, bounds: Option<(&[u8], &[u8])>) -> Range<usize> {
        let Some((low, high)) = bounds else { return 0..self.metrics.len() };
        let first = self.metrics.partition_point(|(name, _)| name.as_bytes() < low);
        first..self.metrics.partition_point(|(name, _)| name.as_bytes() <= high).max(first)
    }

    /// The ranks of the series of some metrics.
    pub(super) fn ranks_of(&self, metrics: Range<usize>) -> Range<u32> {
        let all = self.series.len() as u32;
        let first_of = |metric: usize| self.metrics.get(metric).map_or(all, |(_, first)| *first);
        first_of(metrics.start)..first_of(metrics.end)
    }

    /// The rank of a series if it is one of some metrics.
    pub(super) fn rank_among(&self, metrics: Range<usize>, id: u64) -> Option<u32> {
        metrics.into_iter().find_map(|metric| {
            let start = self.metrics.get(metric)?.1;
            let end = self.metrics.get(metric + 1).map_or(self.series.len(), |next| next.1 as usize);
            let of = self.series.get(start as usize..end)?;
            of.binary_search_by_key(&id, |(id, _)| id.0).ok().map(|at| start + at as u32)
        })
    }
}
