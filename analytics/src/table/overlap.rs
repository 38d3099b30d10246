//! Where sources of samples overlap in time: only there may two of them hold the same series and time.
//!
//! Neighbouring flushes nearly always overlap a little, because clocks and senders are late. Merging such files whole would
//! chain everything since the last compaction into one slow merge; so only the overlapping times are merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Literal};
use grid_model::Timestamp;
use grid_model::table::column::UTC;
use grid_store::FileEntry;

/// First and last nanosecond, both inside.
pub(crate) type Interval = (i64, i64);

/// First and last sequence of a file's writes, the same for all files of one flush; none for the buffer.
type Sequences = Option<(u64, u64)>;

/// Intervals of one cluster that are told apart; more are joined into one.
const INTERVALS_MAX: usize = 32;

/// Sources that hang together by overlaps.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Files, oldest write first.
    pub files: Vec<Member>,
    /// Whether the buffer is one of the sources; it is younger than every file.
    pub buffer: bool,
    /// The times at which at least two sources may have rows; ascending, disjoint.
    pub intervals: Vec<Interval>,
}

/// A file of a cluster.
#[derive(Debug)]
pub(crate) struct Member {
    /// The file.
    pub file: Arc<FileEntry>,
    /// Whether all of its rows are merged, because most lie within the intervals.
    pub whole: bool,
}

/// Files that overlap no other source, and clusters of those that do. Files of one flush or compaction hold no sample twice
/// (numbers and distributions rest apart), so they count as one source.
pub(crate) fn split(
    files: Vec<Arc<FileEntry>>,
    buffer: Option<(Timestamp, Timestamp)>,
) -> (Vec<Arc<FileEntry>>, Vec<Cluster>) {
    let span_of = |f: &FileEntry| (f.min_time.0, f.max_time.0);
    let buffer = buffer.map(|(min, max)| (min.0, max.0));
    let sources =
        files.iter().map(|f| (span_of(f), Some((f.min_seq, f.max_seq)))).chain(buffer.map(|span| (span, None)));
    let shared = shared_times(sources.collect());

    // Intervals that one source touches belong together.
    let touched = |span: Interval| {
        let first = shared.partition_point(|(_, to)| *to < span.0);
        let after = shared.partition_point(|(from, _)| *from <= span.1);
        first..after
    };
    let mut reach: Vec<usize> = (1..=shared.len()).collect();
    for at in files.iter().map(|f| touched(span_of(f))).chain(buffer.map(touched)).filter(|at| !at.is_empty()) {
        reach[at.start] = reach[at.start].max(at.end);
    }
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut cluster_of = vec![0; shared.len()];
    let mut end = 0;
    for (i, interval) in shared.iter().enumerate() {
        if i >= end {
            clusters.push(Cluster { files: Vec::new(), buffer: false, intervals: Vec::new() });
        }
        end = end.max(reach[i]);
        cluster_of[i] = clusters.len() - 1;
        clusters[cluster_of[i]].intervals.push(*interval);
    }
    if let Some(first) = buffer.and_then(|span| touched(span).next()) {
        clusters[cluster_of[first]].buffer = true;
    }
    let mut free = Vec::new();
    for file in files {
        match touched(span_of(&file)).next() {
            None => free.push(file),
            Some(first) => {
                let cluster = &mut clusters[cluster_of[first]];
                let whole = is_mostly(&file, &cluster.intervals);
                cluster.files.push(Member { file, whole });
            }
        }
    }
    for cluster in &mut clusters {
        cluster.files.sort_by_key(|m| (m.file.max_seq, m.file.id));
        if cluster.intervals.len() > INTERVALS_MAX
            && let (Some(first), Some(last)) = (cluster.intervals.first(), cluster.intervals.last())
        {
            cluster.intervals = vec![(first.0, last.1)];
        }
    }
    (free, clusters)
}

/// The times at which two different sources have rows; ascending, disjoint.
fn shared_times(sources: Vec<(Interval, Sequences)>) -> Vec<Interval> {
    // Starts come before ends of the same instant, because both ends of an interval lie inside it.
    let mut events: Vec<(i64, bool, Sequences)> = Vec::with_capacity(sources.len() * 2);
    for ((from, to), source) in sources {
        events.push((from, false, source));
        events.push((to, true, source));
    }
    events.sort_unstable();
    let mut active: BTreeMap<Sequences, usize> = BTreeMap::new();
    let mut shared: Vec<Interval> = Vec::new();
    let mut since = None;
    for (at, ends, source) in events {
        if ends {
            if let Some(count) = active.get_mut(&source) {
                *count -= 1;
                if *count == 0 {
                    active.remove(&source);
                }
            }
            if active.len() < 2
                && let Some(from) = since.take()
            {
                match shared.last_mut() {
                    Some(last) if from <= last.1.saturating_add(1) => last.1 = at,
                    _ => shared.push((from, at)),
                }
            }
        } else {
            *active.entry(source).or_default() += 1;
            if active.len() >= 2 {
                since.get_or_insert(at);
            }
        }
    }
    shared
}

/// Whether most of a file's time lies within the intervals; then reading it twice is not worth it.
fn is_mostly(file: &FileEntry, intervals: &[Interval]) -> bool {
    let (min, max) = (i128::from(file.min_time.0), i128::from(file.max_time.0));
    let covered: i128 =
        intervals.iter().map(|(from, to)| (i128::from(*to).min(max) - i128::from(*from).max(min) + 1).max(0)).sum();
    covered * 2 > max - min
}

/// Whether a time lies within the intervals.
pub(crate) fn contains(intervals: &[Interval], time: i64) -> bool {
    let next = intervals.partition_point(|(_, to)| *to < time);
    intervals.get(next).is_some_and(|(from, _)| *from <= time)
}

/// All times that the intervals leave out.
pub(crate) fn complement(intervals: &[Interval]) -> Vec<Interval> {
    let mut out = Vec::with_capacity(intervals.len() + 1);
    let mut from = Some(i64::MIN);
    for (start, end) in intervals {
        if let Some(from) = from.filter(|f| f < start) {
            out.push((from, start - 1));
        }
        from = end.checked_add(1);
    }
    out.extend(from.map(|from| (from, i64::MAX)));
    out
}

/// The condition that a time lies within the intervals.
pub(crate) fn inside(time: &Arc<dyn PhysicalExpr>, intervals: &[Interval]) -> Result<Arc<dyn PhysicalExpr>> {
    fold(intervals, Operator::Or, |(from, to)| {
        binary(compare(time, Operator::GtEq, from), Operator::And, compare(time, Operator::LtEq, to))
    })
}

/// The condition that a time lies outside the intervals.
pub(crate) fn outside(time: &Arc<dyn PhysicalExpr>, intervals: &[Interval]) -> Result<Arc<dyn PhysicalExpr>> {
    fold(intervals, Operator::And, |(from, to)| {
        binary(compare(time, Operator::Lt, from), Operator::Or, compare(time, Operator::Gt, to))
    })
}

fn fold(
    intervals: &[Interval],
    op: Operator,
    one: impl Fn(Interval) -> Arc<dyn PhysicalExpr>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let all = intervals.iter().copied().map(one);
    all.reduce(|a, b| binary(a, op, b)).ok_or_else(|| internal_datafusion_err!("a cluster without an overlap"))
}

fn binary(a: Arc<dyn PhysicalExpr>, op: Operator, b: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    Arc::new(BinaryExpr::new(a, op, b))
}

fn compare(time: &Arc<dyn PhysicalExpr>, op: Operator, ns: i64) -> Arc<dyn PhysicalExpr> {
    let bound = Literal::new(ScalarValue::TimestampNanosecond(Some(ns), Some(UTC.into())));
    binary(Arc::clone(time), op, Arc::new(bound))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_model::{Table, TenantId};
    use grid_store::catalog::NewFile;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn file(id: i64, min: i64, max: i64) -> Arc<FileEntry> {
        let file = NewFile {
            tenant: TenantId::default_tenant(),
            table: Table::Samples,
            path: id.to_string(),
            bytes: 1,
            rows: 1,
            min_time: Timestamp(min),
            max_time: Timestamp(max),
            min_seq: id as u64,
            max_seq: id as u64,
            level: 0,
            text_index: None,
            import_id: None,
        };
        Arc::new(FileEntry { id, file, generation: 1 })
    }

    #[test]
    fn neighbours_merge_only_where_they_overlap() {
        let files = vec![file(1, 0, 100), file(2, 95, 200), file(3, 201, 300), file(4, 250, 260), file(5, 400, 500)];
        let (free, clusters) = split(files, Some((Timestamp(190), Timestamp(200))));
        assert_eq!(free.iter().map(|f| f.id).collect::<Vec<_>>(), [5]);
        let of: Vec<_> = clusters
            .iter()
            .map(|c| (c.files.iter().map(|m| (m.file.id, m.whole)).collect::<Vec<_>>(), c.buffer, c.intervals.clone()))
            .collect();
        assert_eq!(
            of,
            [
                (vec![(1, false), (2, false)], true, vec![(95, 100), (190, 200)]),
                (vec![(3, false), (4, true)], false, vec![(250, 260)]),
            ]
        );
    }

    #[test]
    fn files_of_one_flush_are_one_source() {
        let mut sibling = FileEntry::clone(&file(1, 50, 100));
        sibling.id = 9;
        let (free, clusters) = split(vec![file(1, 0, 100), Arc::new(sibling)], None);
        assert_eq!((free.len(), clusters.len()), (2, 0));
    }

    proptest! {
        #[test]
        fn exactly_the_shared_times_are_inside(
            spans in prop::collection::vec((0..60_i64, 0..25_i64, 0..5_i64), 1..8),
            buffer in prop::option::of((0..60_i64, 0..25_i64)),
        ) {
            let files: Vec<_> = spans.iter().map(|(at, len, seq)| file(*seq, *at, at + len)).collect();
            let buffer = buffer.map(|(at, len)| (Timestamp(at), Timestamp(at + len)));
            let (free, clusters) = split(files.clone(), buffer);
            for t in 0..100_i64 {
                let holds = |f: &FileEntry| f.min_time.0 <= t && t <= f.max_time.0;
                let sources: BTreeSet<u64> = files.iter().filter(|f| holds(f)).map(|f| f.max_seq).collect();
                let buffered = buffer.is_some_and(|(a, b)| a.0 <= t && t <= b.0);
                let owners: Vec<_> = clusters.iter().filter(|c| contains(&c.intervals, t)).collect();
                prop_assert_eq!(owners.len(), usize::from(sources.len() + usize::from(buffered) > 1), "{}", t);
                for c in owners {
                    prop_assert!(!contains(&complement(&c.intervals), t));
                    prop_assert!(c.buffer || !buffered);
                    let members = c.files.iter().filter(|m| holds(&m.file)).count();
                    prop_assert_eq!(members, files.iter().filter(|f| holds(f)).count());
                }
            }
            prop_assert!(clusters.iter().filter(|c| c.buffer).count() <= 1);
            let clustered: usize = clusters.iter().map(|c| c.files.len()).sum();
            prop_assert_eq!(free.len() + clustered, files.len());
        }
    }
}
